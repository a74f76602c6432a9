package closure

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"deps.dev/util/semver"
	"github.com/go-json-experiment/json/jsontext"
)

// Packument is what resolving needs of a package's metadata. Both forms that
// registries serve hold it, the full one and the abbreviated
// (application/vnd.npm.install-v1+json).
type Packument struct {
	Name     string
	Tags     map[string]string    // dist-tags: name → version
	Versions map[string]*Manifest // by version, as the document has it
}

// Manifest is what resolving needs of one version's metadata.
type Manifest struct {
	Name, Version string
	Integrity     string
	Tarball       string

	Dependencies []Dependency // in the document's order, which npm's answer can depend on
	Optional     []Dependency
	Peers        []Dependency
	OptionalPeer map[string]bool // by name, from peerDependenciesMeta
	Bundled      []string
	BundlesAll   bool // it bundles all its Dependencies

	Node, NPM     string // engines
	OS, CPU, Libc []string
	Deprecated    string
	InstallScript bool
	Shrinkwrap    bool   // its tarball holds an npm-shrinkwrap.json
	Invalid       string // why it cannot be understood; empty where it can

	number *semver.Version // Version parsed, by ReadPackument
}

// parsed is the version as a number; nil where it is none.
func (m *Manifest) parsed() *semver.Version {
	if m.number != nil {
		return m.number
	}
	return parseVersion(m.Version)
}

// Dependency is what a version asks for.
type Dependency struct {
	Name, Spec string
}

var (
	errNoJSON = errors.New("no valid JSON")
	errAnswer = errors.New("not a packument")
)

// ReadPackument reads the metadata of a package, in full or abbreviated, as a
// stream. What it keeps is little of what it reads. A document of another package
// is an error; a version that makes no sense is marked as such, since it matters
// only where it would be picked.
func ReadPackument(r io.Reader, name string) (*Packument, error) {
	p := &Packument{Tags: map[string]string{}, Versions: map[string]*Manifest{}}
	bounded := &io.LimitedReader{R: r, N: maxPackument + 1}
	s := stream{jsontext.NewDecoder(bounded, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))}
	versions := false
	err := s.object(maxVersions, func(key string) (err error) {
		switch key {
		case "name":
			p.Name, _, err = s.text()
		case "dist-tags":
			err = s.object(maxVersions, func(tag string) error {
				version, ok, err := s.text()
				if ok {
					p.Tags[tag] = version
				}
				return err
			})
		case "versions":
			versions = true
			err = s.object(maxVersions, func(version string) error {
				m := &Manifest{}
				p.Versions[version] = m
				err := s.manifest(m)
				m.check(name, version)
				return err
			})
		default:
			err = s.skip()
		}
		return err
	})
	switch {
	case bounded.N == 0:
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrLimit, maxPackument)
	case err != nil:
		return nil, err
	}
	if _, err := s.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: text behind the JSON", errAnswer)
	}
	switch {
	case p.Name != name:
		return nil, fmt.Errorf("%w: it is of another package", errAnswer)
	case !versions:
		return nil, fmt.Errorf("%w: no versions", errAnswer)
	}
	return p, nil
}

// check marks a version whose metadata is of another, and brings the rest into
// the form in which npm uses it.
func (m *Manifest) check(name, version string) {
	m.number = parseVersion(version)
	switch {
	case m.Invalid != "":
	case m.Name != name || m.Version != version:
		m.Invalid = "it is of another package or version"
	case m.Tarball == "":
		m.Invalid = "it names no tarball"
	}
	// Registries list optional dependencies among the others too.
	m.Dependencies = slices.DeleteFunc(m.Dependencies, func(d Dependency) bool {
		return slices.ContainsFunc(m.Optional, func(o Dependency) bool { return o.Name == d.Name })
	})
}

// bundles reports whether a dependency comes inside of the tarball.
func (m *Manifest) bundles(name string) bool {
	if m.BundlesAll {
		return slices.ContainsFunc(m.Dependencies, func(d Dependency) bool { return d.Name == name })
	}
	return slices.Contains(m.Bundled, name)
}

func (s stream) manifest(m *Manifest) error {
	if s.PeekKind() != '{' {
		m.Invalid = "it is no object"
	}
	return s.object(maxDependencies, func(key string) (err error) {
		switch key {
		case "name":
			m.Name, _, err = s.text()
		case "version":
			m.Version, _, err = s.text()
		case "dependencies":
			m.Dependencies, err = s.dependencies(m, m.Dependencies)
		case "optionalDependencies":
			m.Optional, err = s.dependencies(m, m.Optional)
		case "peerDependencies":
			m.Peers, err = s.dependencies(m, m.Peers)
		case "peerDependenciesMeta":
			err = s.peerMeta(m)
		case "bundleDependencies", "bundledDependencies":
			err = s.bundle(m)
		case "engines":
			err = s.engines(m)
		case "os":
			m.OS, err = s.texts()
		case "cpu":
			m.CPU, err = s.texts()
		case "libc":
			m.Libc, err = s.texts()
		case "deprecated":
			err = s.deprecated(m)
		case "hasInstallScript":
			m.InstallScript, err = s.truth()
		case "scripts":
			err = s.scripts(m)
		case "_hasShrinkwrap":
			m.Shrinkwrap, err = s.truth()
		case "dist":
			err = s.dist(m)
		default:
			err = s.skip()
		}
		return err
	})
}

// dependencies reads an object of specs. In a second object of the same name the
// first is forgotten, as in JSON.parse.
func (s stream) dependencies(m *Manifest, list []Dependency) ([]Dependency, error) {
	list = list[:0]
	err := s.object(maxDependencies, func(name string) error {
		spec, ok, err := s.text()
		if !ok || len(spec) >= maxSpec {
			m.Invalid = "a dependency has no usable version"
		}
		if !validName(name) {
			m.Invalid = "a dependency has no valid name"
		}
		i := slices.IndexFunc(list, func(d Dependency) bool { return d.Name == name })
		if i >= 0 {
			list[i].Spec = spec
			return err
		}
		list = append(list, Dependency{strings.Clone(name), spec})
		return err
	})
	return list, err
}

func (s stream) peerMeta(m *Manifest) error {
	m.OptionalPeer = nil
	return s.object(maxDependencies, func(name string) error {
		return s.object(maxDependencies, func(key string) error {
			if key != "optional" {
				return s.skip()
			}
			optional, err := s.truth()
			if optional {
				if m.OptionalPeer == nil {
					m.OptionalPeer = map[string]bool{}
				}
				m.OptionalPeer[name] = true
			}
			return err
		})
	})
}

func (s stream) bundle(m *Manifest) (err error) {
	if s.PeekKind() == '[' {
		m.Bundled, err = s.texts()
		return err
	}
	m.BundlesAll, err = s.truth()
	return err
}

// engines is an object; very old packages have a list, which npm does not read.
func (s stream) engines(m *Manifest) error {
	return s.object(maxDependencies, func(key string) (err error) {
		switch key {
		case "node":
			m.Node, _, err = s.text()
		case "npm":
			m.NPM, _, err = s.text()
		default:
			err = s.skip()
		}
		return err
	})
}

func (s stream) deprecated(m *Manifest) (err error) {
	if s.PeekKind() == '"' {
		m.Deprecated, _, err = s.text()
		return err
	}
	yes, err := s.truth()
	if yes {
		m.Deprecated = "deprecated"
	}
	return err
}

// scripts stand in the full form only, where hasInstallScript does not.
func (s stream) scripts(m *Manifest) error {
	return s.object(maxDependencies, func(key string) error {
		script, _, err := s.text()
		if key == "preinstall" || key == "install" || key == "postinstall" {
			m.InstallScript = m.InstallScript || script != ""
		}
		return err
	})
}

func (s stream) dist(m *Manifest) error {
	shasum := ""
	err := s.object(maxDependencies, func(key string) (err error) {
		switch key {
		case "integrity":
			m.Integrity, _, err = s.text()
		case "shasum":
			shasum, _, err = s.text()
		case "tarball":
			m.Tarball, _, err = s.text()
		default:
			err = s.skip()
		}
		return err
	})
	if m.Integrity == "" {
		m.Integrity = sha1Integrity(shasum)
	}
	return err
}

// stream reads JSON in pieces. A value of another type than is asked for is read
// over: what it would say is not said.
type stream struct{ *jsontext.Decoder }

// object reads an object, whose values member takes by their names. Another value
// has no members; at the top it is refused.
func (s stream) object(limit int, member func(name string) error) error {
	if s.PeekKind() != '{' {
		if s.StackDepth() > 0 {
			return s.skip()
		}
		if s.PeekKind() == 0 {
			return errNoJSON
		}
		return fmt.Errorf("%w: no JSON object", errAnswer)
	}
	if _, err := s.ReadToken(); err != nil {
		return errNoJSON
	}
	for n := 0; s.PeekKind() != '}'; n++ {
		token, err := s.ReadToken()
		if err != nil {
			return errNoJSON
		}
		if n == limit {
			return fmt.Errorf("%w: more than %d members", ErrLimit, limit)
		}
		if err := member(token.String()); err != nil {
			return err
		}
	}
	_, err := s.ReadToken()
	return noJSON(err)
}

// text reads a string; ok is false for any other value. Longer ones than any that
// means something are cut.
func (s stream) text() (text string, ok bool, err error) {
	if s.PeekKind() != '"' {
		return "", false, s.skip()
	}
	token, err := s.ReadToken()
	if err != nil {
		return "", false, errNoJSON
	}
	text = token.String()
	return strings.Clone(text[:min(len(text), maxText)]), true, nil
}

// texts reads a list of strings, or one string.
func (s stream) texts() ([]string, error) {
	if s.PeekKind() == '"' {
		text, _, err := s.text()
		return []string{text}, err
	}
	if s.PeekKind() != '[' {
		return nil, s.skip()
	}
	if _, err := s.ReadToken(); err != nil {
		return nil, errNoJSON
	}
	var out []string
	for s.PeekKind() != ']' {
		if len(out) == maxList {
			return nil, fmt.Errorf("%w: a list of more than %d", ErrLimit, maxList)
		}
		text, ok, err := s.text()
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, text)
		}
	}
	_, err := s.ReadToken()
	return out, noJSON(err)
}

// truth reads what JavaScript takes for true.
func (s stream) truth() (bool, error) {
	switch kind := s.PeekKind(); kind {
	case '{', '[':
		return true, s.skip()
	case '"':
		text, _, err := s.text()
		return text != "", err
	default:
		return kind == 't', s.skip()
	}
}

func (s stream) skip() error { return noJSON(s.SkipValue()) }

// noJSON words the decoder's errors, which would quote what the other side sent.
func noJSON(err error) error {
	if err != nil {
		return errNoJSON
	}
	return nil
}
