package node

import (
	"fmt"
	"io/fs"
	"path"

	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// What yarn writes in place of a node_modules (Plug'n'Play). The loader is a
// program, which is never run; the other file says the same as data, where yarn is
// told to write it.
const (
	PnPLoader    = ".pnp.cjs"
	pnpOldLoader = ".pnp.js"
	PnPData      = ".pnp.data.json"
)

var pnpFiles = []string{PnPLoader, pnpOldLoader, PnPData}

// pnp reads the data of Plug'n'Play (yarn's documentation, "Plug'n'Play
// specification"): packages by name and reference, each with the name and
// reference of everything that it may load.
type pnp struct {
	*source
	t        *installation
	dir      string // of the project
	locks    []*lockSays
	packages map[pnpID]*unit // nil for what is absent on this system
	order    []pnpPackage
	own      map[*unit]bool // the user's own folders that were read
}

type pnpID struct{ name, reference string }

type pnpPackage struct {
	u    *unit
	data *value
}

// readPnP reads what is installed for a project that has no node_modules.
func (t *installation) readPnP(u *unit, locks []*lockSays) {
	f := u.own.pnp[PnPData]
	if f == nil {
		for _, f := range u.own.pnp {
			f.Problem(sbom.Problem{
				Code: sbom.Unsupported, Message: "what is installed stands in a program only, which is never run",
				Hint: "set `pnpEnableInlining: false` in .yarnrc.yml, so that yarn writes " + PnPData + ", or leave --installed out",
			})
		}
		u.incomplete = true
		return
	}
	f.NoPeers()
	r := &pnp{source: newSource(f), t: t, dir: u.dir, locks: locks, packages: map[pnpID]*unit{}, own: map[*unit]bool{}}
	r.regenerate = "run `yarn install`, which writes it anew"
	if err := r.doc.err; err != nil {
		r.invalid(err.off, r.regenerate, "invalid JSON: %s", err.msg)
		u.incomplete = true
	}
	registry := r.member(&r.doc.root, "packageRegistryData", arrayKind)
	if registry == nil {
		if r.doc.err == nil {
			r.invalid(0, r.regenerate, "no array \"packageRegistryData\", which the data of Plug'n'Play has")
		}
		u.incomplete = true
		return
	}
	for i := range registry.value.elems() {
		r.readName(&registry.value.elems()[i])
	}
	for _, p := range r.order {
		r.connect(p)
	}
}

// pair returns the elements of an array of two.
func (r *pnp) pair(v *value) (first, second *value, ok bool) {
	if v.kind != arrayKind || len(v.elems()) != 2 {
		r.invalid(v.off, r.regenerate, "expected an array of two")
		return nil, nil, false
	}
	return &v.elems()[0], &v.elems()[1], true
}

func (r *pnp) readName(v *value) {
	name, references, ok := r.pair(v)
	if !ok {
		return
	}
	for i := range references.elems() {
		reference, data, ok := r.pair(&references.elems()[i])
		if !ok || data.kind != objectKind {
			continue
		}
		if len(r.t.byDir) >= maxInstalledPackages {
			r.t.over(r.dir, "more than %d packages are installed", maxInstalledPackages)
			return
		}
		u := r.unit(name, reference, data)
		r.packages[pnpID{name.text, reference.text}] = u
		if u != nil && !r.own[u] { // the root has two entries
			r.own[u] = u.out
			r.order = append(r.order, pnpPackage{u, data})
		}
	}
}

// unit makes a unit of a package, or finds the user's own folder that it is.
func (r *pnp) unit(name, reference, data *value) *unit {
	location, _ := r.text(data, "packageLocation")
	at := path.Join(r.dir, location)
	if at == "." {
		at = ""
	}
	_, own, _ := strings.Cut(reference.text, "#")
	if name.kind == nullKind || strings.HasPrefix(reference.text, "workspace:") || strings.HasPrefix(own, "workspace:") {
		if u := r.t.byDir[at]; u != nil {
			return u
		}
		r.invalid(reference.off, r.regenerate, "the folder %s has no package.json", quote(location))
		return nil
	}
	if !validName(name.text) {
		r.invalid(name.off, r.regenerate, "%s is no name of a package", quote(name.text))
		return nil
	}
	if zip, _, ok := strings.Cut(at, ".zip/"); ok {
		at = zip + ".zip"
	}
	if err := r.present(at); err != nil {
		if !r.optional(name.text, pnpVersion(reference.text)) {
			r.invalid(reference.off, r.regenerate, "%s cannot be read: %v", quote(at), err)
		}
		return nil
	}
	u := &unit{name: name.text, version: pnpVersion(reference.text), place: r.occurrence(reference.off, "")}
	u.dir = path.Join(r.dir, PnPData) + "#" + u.name + "@" + u.version
	for n := 2; r.t.byDir[u.dir] != nil; n++ {
		u.dir = fmt.Sprintf("%s#%s@%s (%d)", path.Join(r.dir, PnPData), u.name, u.version, n)
	}
	return r.t.newUnit(u)
}

// present returns an error where the archive or folder of a package should lie in
// the project, and does not. What lies in the user's own cache cannot be seen.
func (r *pnp) present(at string) error {
	if strings.Contains(at, "/__virtual__/") || !fs.ValidPath(rooted(at)) {
		return nil
	}
	_, err := fs.Lstat(r.t.fs, rooted(at))
	return sbom.Pathless(err)
}

// optional reports whether a lockfile says that a package may be absent.
func (r *pnp) optional(name, version string) bool {
	for _, l := range r.locks {
		for i := range l.instances {
			if c := &l.instances[i].Component; c.Name == name && c.Version == version && l.instances[i].Use.Optional {
				return true
			}
		}
	}
	return false
}

var pnpPatched = lazyregexp.New(`[:&]version=([^&]+)`)

// pnpVersion is the version in a reference, or "": npm:1.2.3,
// virtual:HASH#npm:1.2.3, or the one that a patch names.
func pnpVersion(reference string) string {
	if strings.HasPrefix(reference, "virtual:") {
		_, reference, _ = strings.Cut(reference, "#")
	}
	if m := pnpPatched.FindStringSubmatch(reference); m != nil {
		return plainVersion(m[1])
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(reference, "npm:"), "::")
	return plainVersion(version)
}

// connect adds what a package may load. For what the user's own folders need it
// stands in their package.json; of others all counts as needed.
func (r *pnp) connect(p pnpPackage) {
	deps := r.member(p.data, "packageDependencies", arrayKind)
	if deps == nil {
		return
	}
	wanted := map[string]dependency{}
	for _, d := range p.u.deps {
		wanted[d.name] = d
	}
	for i := range deps.value.elems() {
		name, reference, ok := r.pair(&deps.value.elems()[i])
		if !ok || reference.kind == nullKind { // a peer that nobody gives it
			continue
		}
		id := pnpID{name.text, reference.text}
		if reference.kind == arrayKind {
			real, at, ok := r.pair(reference)
			if !ok {
				continue
			}
			id = pnpID{real.text, at.text}
		}
		to, known := r.packages[id]
		switch {
		case known && to == nil:
			continue // absent, or a problem already
		case to == p.u:
			continue // a package may load itself
		case to == nil:
			r.invalid(name.off, r.regenerate, "%s depends on %s, which is not in the file", quote(p.u.name), quote(name.text))
			p.u.incomplete = true
			continue
		}
		d, ok := wanted[name.text]
		delete(wanted, name.text)
		if !ok {
			d = dependency{name: name.text, kind: prodEdge, off: none}
		}
		e := unitEdge{dependency: d, from: p.u, to: to, by: &slot{name: d.name, at: to.dir, to: to}}
		p.u.edges = append(p.u.edges, e)
		to.asked = append(to.asked, e)
	}
	for _, d := range p.u.deps {
		if _, left := wanted[d.name]; left {
			p.u.missing = append(p.u.missing, d)
		}
	}
}
