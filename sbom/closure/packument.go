package closure

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"deps.dev/util/semver"

	"countermark/sbom/jsonstream"
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
	Bins         []Bin

	Node, NPM     string // engines
	OS, CPU, Libc []string
	Deprecated    string
	License       string
	InstallScript bool
	Shrinkwrap    bool   // its tarball holds an npm-shrinkwrap.json
	Invalid       string // why it cannot be understood; empty where it can

	number  *semver.Version // Version parsed, by ReadPackument
	soleBin string          // the file of a program that has the package's name, while it is read
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

var errAnswer = errors.New("is no packument")

// ReadPackument reads the metadata of a package, in full or abbreviated, as a
// stream. What it keeps is little of what it reads. A document of another package,
// or with a key twice in what is kept, is an error; a version that makes no sense is marked as such, since it matters
// only where it would be picked.
func ReadPackument(r io.Reader, name string) (*Packument, error) {
	p := &Packument{Tags: map[string]string{}, Versions: map[string]*Manifest{}}
	bounded := &io.LimitedReader{R: r, N: maxPackument + 1}
	s := stream{jsonstream.New(bounded)}
	versions := false
	err := s.Object(maxVersions, func(key string) (err error) {
		switch key {
		case "name":
			p.Name, _, err = s.text()
		case "dist-tags":
			err = s.Object(maxVersions, func(tag string) error {
				version, ok, err := s.text()
				if ok {
					p.Tags[tag] = version
				}
				return err
			})
		case "versions":
			versions = true
			err = s.Object(maxVersions, func(version string) error {
				m := &Manifest{}
				p.Versions[version] = m
				err := s.manifest(m)
				m.check(name, version)
				return err
			})
		default:
			err = s.Skip()
		}
		return err
	})
	switch {
	case bounded.N == 0:
		return nil, fmt.Errorf("is too much: %w: larger than %d bytes", ErrLimit, maxPackument)
	case err == nil:
		err = s.End()
	}
	switch {
	case errors.Is(err, ErrLimit):
		return nil, fmt.Errorf("is too much: %w", err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
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
	if m.soleBin != "" {
		m.addBin(name, m.soleBin)
		m.soleBin = ""
	}
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
	if s.Kind() != '{' {
		m.Invalid = "it is no object"
	}
	return s.Object(maxDependencies, func(key string) (err error) {
		switch key {
		case "name":
			m.Name, _, err = s.text()
		case "version":
			m.Version, _, err = s.text()
		case "dependencies":
			m.Dependencies, err = s.dependencies(m)
		case "optionalDependencies":
			m.Optional, err = s.dependencies(m)
		case "peerDependencies":
			m.Peers, err = s.dependencies(m)
		case "peerDependenciesMeta":
			err = s.peerMeta(m)
		case "bundleDependencies", "bundledDependencies":
			err = s.bundle(m)
		case "engines":
			err = s.engines(m)
		case "bin":
			err = s.bins(m)
		case "license":
			err = s.license(m)
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
			err = s.Skip()
		}
		return err
	})
}

// dependencies reads an object of specs.
func (s stream) dependencies(m *Manifest) (list []Dependency, err error) {
	err = s.Object(maxDependencies, func(name string) error {
		spec, ok, err := s.text()
		if !ok || len(spec) >= maxSpec {
			m.Invalid = "a dependency has no usable version"
		}
		if !validName(name) {
			m.Invalid = "a dependency has no valid name"
		}
		list = append(list, Dependency{strings.Clone(name), spec})
		return err
	})
	return list, err
}

func (s stream) peerMeta(m *Manifest) error {
	return s.Object(maxDependencies, func(name string) error {
		return s.Object(maxDependencies, func(key string) error {
			if key != "optional" {
				return s.Skip()
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
	if s.Kind() == '[' {
		m.Bundled, err = s.texts()
		return err
	}
	m.BundlesAll, err = s.truth()
	return err
}

// engines is an object; very old packages have a list, which npm does not read.
func (s stream) engines(m *Manifest) error {
	return s.Object(maxDependencies, func(key string) (err error) {
		switch key {
		case "node":
			m.Node, _, err = s.text()
		case "npm":
			m.NPM, _, err = s.text()
		default:
			err = s.Skip()
		}
		return err
	})
}

func (s stream) deprecated(m *Manifest) (err error) {
	if s.Kind() == '"' {
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
	return s.Object(maxDependencies, func(key string) error {
		script, _, err := s.text()
		if key == "preinstall" || key == "install" || key == "postinstall" {
			m.InstallScript = m.InstallScript || script != ""
		}
		return err
	})
}

func (s stream) dist(m *Manifest) error {
	shasum := ""
	err := s.Object(maxDependencies, func(key string) (err error) {
		switch key {
		case "integrity":
			m.Integrity, _, err = s.text()
		case "shasum":
			shasum, _, err = s.text()
		case "tarball":
			m.Tarball, _, err = s.text()
		default:
			err = s.Skip()
		}
		return err
	})
	if m.Integrity == "" {
		m.Integrity = sha1Integrity(shasum)
	}
	return err
}

// stream reads a packument in pieces.
type stream struct{ jsonstream.Reader }

// text reads a string; ok is false for any other value. Longer ones than any that
// means something are cut.
func (s stream) text() (text string, ok bool, err error) { return s.Text(maxText) }

// texts reads a list of strings, or one string.
func (s stream) texts() ([]string, error) {
	if s.Kind() == '"' {
		text, _, err := s.text()
		return []string{text}, err
	}
	var out []string
	err := s.List(maxList, func() error {
		text, ok, err := s.text()
		if ok {
			out = append(out, text)
		}
		return err
	})
	return out, err
}

// truth reads what JavaScript takes for true.
func (s stream) truth() (bool, error) {
	switch kind := s.Kind(); kind {
	case '{', '[':
		return true, s.Skip()
	case '"':
		text, _, err := s.text()
		return text != "", err
	default:
		return kind == 't', s.Skip()
	}
}
