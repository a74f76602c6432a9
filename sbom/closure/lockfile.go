package closure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"countermark/sbom"
	lockfile "countermark/sbom/node"
)

// ErrUnlocked says why a closure cannot be written as a lockfile. What wraps it is
// a lower-case sentence.
var ErrUnlocked = errors.New("no lockfile can be written")

// Folder is a project that installs a closure and nothing else.
type Folder struct {
	Manifest []byte // its package.json
	Lockfile []byte // its package-lock.json, of version 3
}

// Folder writes the project of that name, in the form of npm 11, so that `npm ci`
// installs the very packages and bytes of the closure. The same closure gives the
// same bytes. An error wraps [ErrUnlocked]: something is unresolved, has no digest,
// or stands at a URL that may hold a credential; or an optional dependency does not
// exist, which npm installs without, and for which `npm ci` refuses every lockfile.
func (c *Closure) Folder(name string) (Folder, error) {
	if !c.Complete() {
		launched, within := c.Gaps()
		return Folder{}, fmt.Errorf("%w: %s", ErrUnlocked, strings.Trim(launched+"; "+within, "; "))
	}
	root := member{Name: name}
	packages := object[member]{}
	for _, path := range c.Roots {
		p := c.Package(path)
		root.Dependencies = append(root.Dependencies, Dependency{p.Name, p.Version})
	}
	root.Dependencies = sortedDependencies(root.Dependencies)
	packages.add("", root)
	for i := range c.Packages {
		p := &c.Packages[i]
		m, err := p.locked()
		if err != nil {
			return Folder{}, err
		}
		packages.add(p.Path, m)
	}
	if missing := c.optionalMissing(); missing != "" {
		return Folder{}, fmt.Errorf("%w: %s, an optional dependency, is nowhere to be had, and npm ci refuses to go without", ErrUnlocked, missing)
	}
	packages.sort()
	manifest, err := folderManifest(name, root.Dependencies)
	if err != nil {
		return Folder{}, err
	}
	lock, err := indented(struct {
		Name     string         `json:"name"`
		Version  int            `json:"lockfileVersion"`
		Requires bool           `json:"requires"`
		Packages object[member] `json:"packages"`
	}{name, lockfileVersion, true, packages})
	return Folder{manifest, lock}, err
}

// optionalMissing is the first optional dependency that leads nowhere; empty where
// there is none.
func (c *Closure) optionalMissing() string {
	have := map[[2]string]bool{}
	for _, e := range c.Edges {
		have[[2]string{e.From, e.Name}] = true
	}
	for i := range c.Packages {
		p := &c.Packages[i]
		if p.Manifest == nil || p.Link != "" {
			continue
		}
		for _, d := range p.Manifest.Optional {
			if !have[[2]string{p.Path, d.Name}] {
				return d.Name
			}
		}
	}
	return ""
}

const lockfileVersion = 3

// member is an entry of "packages", in npm's order: what is no object first.
type member struct {
	Name          string   `json:"name,omitempty"` // where the folder has another
	Version       string   `json:"version,omitempty"`
	Resolved      string   `json:"resolved,omitempty"`
	Integrity     string   `json:"integrity,omitempty"`
	Bundles       []string `json:"bundleDependencies,omitempty"`
	CPU           []string `json:"cpu,omitempty"`
	Deprecated    string   `json:"deprecated,omitempty"`
	Extraneous    bool     `json:"extraneous,omitempty"`
	InstallScript bool     `json:"hasInstallScript,omitempty"`
	InBundle      bool     `json:"inBundle,omitempty"`
	Libc          []string `json:"libc,omitempty"`
	License       string   `json:"license,omitempty"`
	Optional      bool     `json:"optional,omitempty"`
	OS            []string `json:"os,omitempty"`
	Peer          bool     `json:"peer,omitempty"`

	Dependencies ordered             `json:"dependencies,omitempty"`
	Bins         ordered             `json:"bin,omitempty"`
	Engines      ordered             `json:"engines,omitempty"`
	Optionals    ordered             `json:"optionalDependencies,omitempty"`
	Peers        ordered             `json:"peerDependencies,omitempty"`
	PeerMeta     map[string]peerMeta `json:"peerDependenciesMeta,omitempty"`
}

// locked is the entry of one installed copy.
func (p *Package) locked() (member, error) {
	m := p.Manifest
	shown, at := lockfile.Distribution(p.Tarball)
	hashes, _ := sbom.ParseIntegrity(p.Integrity)
	switch {
	case p.Link != "":
		return member{}, fmt.Errorf("%w: %s is a link to another package", ErrUnlocked, p.Path)
	case p.Bundled:
	case len(hashes) == 0:
		return member{}, fmt.Errorf("%w: the registry names no digest of %s@%s", ErrUnlocked, p.Name, p.Version)
	case shown != p.Tarball || at.Host == "" || at.Doubt != "":
		return member{}, fmt.Errorf("%w: the URL of %s@%s may hold a credential, or is none", ErrUnlocked, p.Name, p.Version)
	}
	out := member{
		Version: p.Version, Resolved: p.Tarball, Integrity: p.Integrity, Deprecated: p.Deprecated, License: m.License,
		Extraneous: p.Extraneous, InstallScript: p.InstallScript, Optional: p.Optional, Peer: p.Peer,
		Dependencies: sortedDependencies(m.Dependencies), Optionals: sortedDependencies(m.Optional), Peers: sortedDependencies(m.Peers),
		InBundle: p.Bundled, Bundles: m.bundledNames(), OS: m.OS, CPU: m.CPU, Libc: m.Libc, PeerMeta: m.document().PeerMeta,
	}
	if !strings.HasSuffix("/"+p.Path, "/node_modules/"+p.Name) { // an alias
		out.Name = p.Name
	}
	for _, b := range m.Bins {
		out.Bins = append(out.Bins, Dependency{b.Name, b.File})
	}
	out.Bins = sortedDependencies(out.Bins)
	for _, e := range []Dependency{{"node", m.Node}, {"npm", m.NPM}} {
		if e.Spec != "" {
			out.Engines = append(out.Engines, e)
		}
	}
	return out, nil
}

// bundledNames are the dependencies that come inside of the tarball.
func (m *Manifest) bundledNames() []string {
	if !m.BundlesAll {
		return m.Bundled
	}
	var out []string
	for _, d := range m.Dependencies {
		out = append(out, d.Name)
	}
	return out
}

func sortedDependencies(list []Dependency) ordered {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b Dependency) int { return collate(a.Name, b.Name) })
	return out
}

// object is a JSON object in an order of its own.
type object[T any] struct {
	keys   []string
	values map[string]T
}

func (o *object[T]) add(key string, value T) {
	if o.values == nil {
		o.values = map[string]T{}
	}
	o.keys = append(o.keys, key)
	o.values[key] = value
}

func (o *object[T]) sort() { slices.SortFunc(o.keys, collate) }

// MarshalJSON writes the object.
func (o object[T]) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, key := range o.keys {
		name, err := plainJSON(key)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(o.values[key])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// plainJSON leaves <, > and & as they are, as npm does.
func plainJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// indented is a document as npm lays it out.
func indented(v any) ([]byte, error) {
	data, err := plainJSON(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// maxManifest bounds the package.json of a folder, in bytes.
const maxManifest = 64 << 10

// Replaceable reports whether a package.json is one that [Closure.Folder] wrote for
// the project of that name, whatever version it names: nobody loses anything where
// another one takes its place.
func Replaceable(manifest []byte, name string) bool {
	var m struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if len(manifest) > maxManifest || json.Unmarshal(manifest, &m) != nil || len(m.Dependencies) == 0 {
		return false
	}
	var list []Dependency
	for name, version := range m.Dependencies {
		list = append(list, Dependency{name, version})
	}
	ours, err := folderManifest(name, list)
	return err == nil && bytes.Equal(ours, manifest)
}

// folderManifest is the package.json of a folder.
func folderManifest(name string, list []Dependency) ([]byte, error) {
	return indented(struct {
		Name         string  `json:"name"`
		Private      bool    `json:"private"`
		Dependencies ordered `json:"dependencies"`
	}{name, true, sortedDependencies(list)})
}
