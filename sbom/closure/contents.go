package closure

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"countermark/sbom/jsonstream"
)

// Content is a package that arrives inside of another one's tarball.
type Content struct {
	Path     string // in that package: node_modules/a/node_modules/b
	Manifest *Manifest
}

// Limits of a tarball that is looked into. It is read as a stream and never unpacked.
const (
	maxUnpacked = 2 << 30 // bytes
	maxEntries  = 500_000
	maxContents = 2_000   // packages
	maxInner    = 1 << 20 // bytes of one package.json
)

// errTarball says that a tarball cannot be told like npm would unpack it.
var errTarball = errors.New("the tarball cannot be read")

// ReadContents returns the packages below node_modules in an npm tarball, by path. It
// reads all of it. Where entries lead elsewhere, as links do, or a package.json cannot
// be understood, nobody knows what lies there: that is an error.
func ReadContents(r io.Reader) ([]Content, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no gzip file", errTarball)
	}
	limited := &io.LimitedReader{R: unzipped, N: maxUnpacked}
	archive := tar.NewReader(limited)
	byPath := map[string]*Manifest{}
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || limited.N == 0 || entries > maxEntries || len(byPath) > maxContents {
			return nil, fmt.Errorf("%w: it is no whole tar file, or too large", errTarball)
		}
		// npm leaves out the first folder, whatever its name.
		_, name, _ := strings.Cut(path.Clean("/" + header.Name)[1:], "/")
		folder, ok := contentFolder(name)
		if !ok {
			continue
		}
		if header.Typeflag != tar.TypeReg && header.Typeflag != tar.TypeDir {
			return nil, fmt.Errorf("%w: something in it leads elsewhere", errTarball)
		}
		if header.Typeflag == tar.TypeReg && name == folder+"/package.json" {
			if byPath[folder], err = readInner(archive); err != nil {
				return nil, err
			}
		}
	}
	out := make([]Content, 0, len(byPath))
	for folder, m := range byPath {
		out = append(out, Content{folder, m})
	}
	slices.SortFunc(out, func(a, b Content) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

// contentFolder is the folder of the package that an entry below node_modules
// belongs to. Packages may have folders of that name of their own, deeper down, which
// nobody takes for one of packages.
func contentFolder(name string) (folder string, ok bool) {
	rest := name
	for {
		inner, found := strings.CutPrefix(rest, "node_modules/")
		if !found {
			return folder, folder != ""
		}
		segments := strings.SplitN(inner, "/", 3)
		n := 1
		if strings.HasPrefix(inner, "@") {
			n = 2
		}
		if len(segments) < n || !validName(strings.Join(segments[:n], "/")) {
			return folder, folder != ""
		}
		folder = path.Join(folder, "node_modules", path.Join(segments[:n]...))
		if rest = strings.TrimPrefix(strings.TrimPrefix(name, folder), "/"); rest == "" {
			return folder, true
		}
	}
}

// readInner reads the package.json of a package inside of another.
func readInner(r io.Reader) (*Manifest, error) {
	limited := &io.LimitedReader{R: r, N: maxInner + 1}
	m := &Manifest{}
	s := stream{jsonstream.New(limited)}
	err := s.manifest(m)
	if err == nil {
		err = s.End()
	}
	name, version := m.Name, m.Version
	switch {
	case err != nil || limited.N == 0:
		return nil, fmt.Errorf("%w: a package.json in it is none, or too large", errTarball)
	case m.Invalid != "" || !validName(name) || parseVersion(version) == nil:
		return nil, fmt.Errorf("%w: a package.json in it cannot be understood", errTarball)
	}
	m.check(name, version)
	m.Invalid, m.Tarball, m.Integrity = "", "", "" // what it says of its own distribution is nothing
	return m, nil
}

// bundlesAny reports whether anything comes inside of the tarball.
func (m *Manifest) bundlesAny() bool { return m.BundlesAll || len(m.Bundled) > 0 }

// open puts what lies inside of a package's tarball into the tree, as npm does once it
// has the tarball. What cannot be had stays unresolved.
func (b *builder) open(ctx context.Context, n *node) error {
	if n.m == nil || !n.m.bundlesAny() || n.m.Shrinkwrap || n.link != nil || n.opened || b.opts.Contents == nil {
		return nil
	}
	n.opened = true
	list, err := b.opts.Contents(ctx, n.m)
	if err != nil {
		n.closed = err.Error()
		return ctx.Err()
	}
	if b.placed += len(list); b.placed > b.opts.MaxPackages {
		return fmt.Errorf("%w: more than %d packages", ErrLimit, b.opts.MaxPackages)
	}
	inside := map[string]*node{"": n}
	for _, c := range list { // what lies around a package comes before it
		at := strings.LastIndex("/"+c.Path, "/node_modules/")
		around := inside[strings.TrimSuffix(c.Path[:at], "/")]
		if around == nil {
			continue // below a folder that is no package, where Node.js looks for nothing
		}
		child := &node{name: strings.TrimPrefix(c.Path[at:], "node_modules/"), m: c.Manifest, version: c.Manifest.parsed(), bundled: true, opened: true}
		child.depend(b.ranges)
		child.attach(around)
		inside[c.Path] = child
	}
	return nil
}

// missingInside says what a package in a tarball asks for and does not get.
func (n *node) missingInside() []Unresolved {
	var out []Unresolved
	for _, e := range n.out.all() {
		if !e.valid() {
			out = append(out, Unresolved{From: n.path(), Name: e.name, Spec: e.text, Reason: ReasonBundled})
		}
	}
	return out
}
