package node

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// pnpmLock is pnpm's lockfile, resolved: which instance of a package each
// dependency leads to. An instance is a package together with the peers that it
// was given, so the same version may stand there several times.
type pnpmLock struct {
	*source
	p     *projects
	dir   string // in the inventory, "" for the top
	cut   bool   // it breaks off; what is missing is unknown
	hooks bool   // a .pnpmfile.cjs may have changed what the projects ask for

	importers []pnpmImporter // in file order
	byFolder  map[string]int // of importers: their folder in the inventory
	packages  []pnpmPackage  // in file order

	patches   map[string]sbom.Patch // by what they are for: name@version, or name
	overrides *value
	replaced  map[string]string // what these put in place of a name, wherever; "" where that is not known
	catalogs  map[string]table
	declared  map[string]table // the catalogs of pnpm-workspace.yaml; nil where there is no such file
	workspace *value           // of that file
}

// pnpmImporter is a project whose dependencies the lockfile resolves: the one
// beside it, and the members of the workspace.
type pnpmImporter struct {
	id       string // its folder, relative to the lockfile's; "." for that one
	off      int
	manifest *manifest
	deps     []pnpmDep

	incomplete bool // some of its dependencies are unknown
}

// pnpmPackage is one instance.
type pnpmPackage struct {
	key       string
	off       int // of the key that says what it depends on
	info      int // of the key that says what it is, where that is another one; else none
	name      string
	version   string
	runtime   bool   // no npm package, but a release of Node.js, Deno or Bun
	directory string // of what comes from a folder, and not from an archive: that folder, relative to the lockfile's
	c         sbom.Component

	flagOptional bool // what the lockfile says of it
	use          sbom.Use
	incomplete   bool
	deps         []pnpmDep
}

// infoOff is where it stands what the package is.
func (p *pnpmPackage) infoOff() int {
	if p.info != none {
		return p.info
	}
	return p.off
}

// pnpmDep is one resolved dependency.
type pnpmDep struct {
	name, ref, spec string
	kind            edgeKind
	tool            bool // pnpm itself needs it: no package.json asks for it
	off             int
	to              int    // index of packages, or none
	link            string // the folder that it is a link to, relative to the lockfile's
	linked          bool
}

const hintPNPM = "run `pnpm install --lockfile-only` and commit what it writes"

// endsLine matches a file whose last line is whole. One without a line break at
// its end may have lost the last digits of a version.
var endsLine = lazyregexp.New(`(\n|([}\]]|: (true|false)) *)$`)

// readPNPM parses and resolves. It returns nil where the file is no lockfile that
// this version reads; the reason is among the file's problems.
func (p *projects) readPNPM(f *sbom.File, at *folder) *pnpmLock {
	docs := parseYAML(f.Data)
	l := &pnpmLock{
		source: &source{file: f, doc: docs[0], regenerate: hintPNPM},
		p:      p, dir: at.dir, patches: map[string]sbom.Patch{}, byFolder: map[string]int{},
		replaced: map[string]string{}, catalogs: map[string]table{},
	}
	if err := l.doc.err; err != nil {
		l.cut = true
		l.invalid(err.off, err.hint(hintPNPM), "invalid YAML: %s", err.msg)
	} else if !endsLine.Match(f.Data[max(len(f.Data)-100, 0):]) {
		l.cut = true
		line := len(l.doc.lines)
		l.invalid(l.doc.lines[line-1], hintPNPM, "the file ends within a line, so the rest of it is missing")
	}
	read := false
	for _, doc := range docs {
		d := &pnpmDocument{pnpmLock: l, index: map[string]int{}}
		read = d.read(doc) || read
	}
	if !read {
		return nil
	}
	l.mark()
	return l
}

// pnpmDocument is one YAML document of a lockfile. pnpm 11 writes what it needs
// itself into a first one.
type pnpmDocument struct {
	*pnpmLock
	major int
	index map[string]int // of this document's instances, by key
}

func (d *pnpmDocument) read(doc *document) bool {
	root := &doc.root
	if root.kind != objectKind {
		if doc.err == nil {
			d.invalid(root.off, hintPNPM, "a lockfile must be an object, not %s", root.kind)
		}
		return false
	}
	if !d.readVersion(root) {
		return false
	}
	for _, dup := range doc.duplicates {
		d.invalid(dup.off, hintPNPM, "%s stands twice in the same object", quote(dup.name))
	}
	d.judgeKeys(root, "importers", "packages", "snapshots", "specifiers", "patchedDependencies", "overrides", "catalogs")
	d.readPatches(root)
	if m := d.member(root, "overrides", objectKind); m != nil {
		d.overrides = &m.value
		d.readOverrides()
	}
	if m := d.member(root, "catalogs", objectKind); m != nil {
		addCatalogs(d.catalogs, &m.value)
	}
	d.hooks = d.hooks || root.get("pnpmfileChecksum") != nil || root.get("packageExtensionsChecksum") != nil
	before := len(d.packages)
	d.readPackages(root)
	d.readImporters(root)
	for i := before; i < len(d.packages); i++ {
		pkg := &d.packages[i]
		if !d.resolve(pkg.deps, ".", quote(pkg.key)) {
			pkg.incomplete = true
		}
	}
	return true
}

// readVersion reports whether the format is one that this version reads.
func (d *pnpmDocument) readVersion(root *value) bool {
	m := root.get("lockfileVersion")
	if m == nil {
		if !d.cut {
			d.invalid(root.off, hintPNPM, "no lockfileVersion")
		}
		return false
	}
	text, _, _ := strings.Cut(scalarText(m), "-") // "5.4-inlineSpecifiers"
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d.invalid(m.off, hintPNPM, "lockfileVersion must be a version such as '9.0'")
		return false
	}
	if d.major = int(v); v < 5 || v >= 7 && v < 9 || v >= 10 {
		d.problem(sbom.Unsupported, m.off, "run `pnpm install --lockfile-only` with pnpm 9 or 10 and commit what it writes",
			"this lockfileVersion is not read by this version of countermark (5, 6 and 9 are)")
		return false
	}
	return true
}

// table is an object whose members are looked up more often than once: a search
// for each would take time that grows with the square of a file.
type table map[string]*member

func newTable(m *member) table {
	if m == nil || m.value.kind != objectKind {
		return nil
	}
	t := make(table, len(m.value.members))
	for i := range m.value.members {
		t[m.value.members[i].name] = &m.value.members[i]
	}
	return t
}

// addCatalogs adds an object of catalogs.
func addCatalogs(to map[string]table, v *value) {
	for i := range v.members {
		to[v.members[i].name] = newTable(&v.members[i])
	}
}

// readOverrides learns what the overrides put in place of a name.
func (d *pnpmDocument) readOverrides() {
	for i := range d.overrides.members {
		m := &d.overrides.members[i]
		name := overridden(overridePath(m.name))
		spec := m.value.text
		if _, twice := d.replaced[name]; twice || strings.HasPrefix(spec, "$") || strings.HasPrefix(spec, "catalog:") {
			spec = ""
		}
		d.replaced[name] = spec
	}
}

// readPatches reads which files patch which packages. The oldest and newest forms
// give a hash only.
func (d *pnpmDocument) readPatches(root *value) {
	m := d.member(root, "patchedDependencies", objectKind)
	if m == nil {
		return
	}
	for i := range m.value.members {
		p := &m.value.members[i]
		var patch sbom.Patch
		switch p.value.kind {
		case stringKind:
		case objectKind:
			if file, ok := d.text(&p.value, "path"); ok {
				if patch.Path = path.Join(d.dir, file); badKey(file) != "" || strings.HasPrefix(patch.Path, "..") {
					d.invalid(p.off, hintPNPM, "the patch of %s is no file of the project", quote(p.name))
					patch.Path = ""
				}
			}
		default:
			d.wrongType(p, objectKind)
			continue
		}
		d.patches[p.name] = patch
		if name, version, _ := cutVersion(p.name, "@"); plainVersion(version) == "" {
			d.patches[name] = patch // of a range, which one at most may match
		}
	}
}

func (d *pnpmDocument) readPackages(root *value) {
	packages := d.member(root, "packages", objectKind)
	if packages != nil {
		d.packages = slices.Grow(d.packages, len(packages.value.members))
	}
	if d.major < 9 {
		if packages != nil {
			for i := range packages.value.members {
				d.addPackage(&packages.value.members[i], &packages.value.members[i])
			}
			d.judgeLast(packages.value.members)
		}
		return
	}
	infos := map[string]*member{}
	if packages != nil {
		for i := range packages.value.members {
			m := &packages.value.members[i]
			infos[m.name] = m
		}
	}
	used := map[string]bool{}
	if snapshots := d.member(root, "snapshots", objectKind); snapshots != nil {
		for i := range snapshots.value.members {
			m := &snapshots.value.members[i]
			base := m.name[:peersSuffix(m.name)]
			info := infos[base]
			if info == nil && !d.cut {
				d.invalid(m.off, hintPNPM, "%s is not among the packages, so nothing says where it comes from", quote(m.name))
			}
			used[base] = true
			d.addPackage(m, info)
		}
	}
	if packages == nil {
		return
	}
	for i := range packages.value.members {
		if m := &packages.value.members[i]; !used[m.name] {
			if !d.cut {
				d.invalid(m.off, hintPNPM, "%s is not among the snapshots, so nothing says what it depends on", quote(m.name))
			}
			d.addPackage(nil, m)
		}
	}
}

// judgeLast looks whether the last package lacks the mark that every other one has
// behind its dependencies: the file may have been cut off among these.
func (d *pnpmDocument) judgeLast(packages []member) {
	last := len(packages) - 1
	if d.cut || last < 1 || packages[last].value.get("dev") != nil {
		return
	}
	for i := range last {
		if packages[i].value.get("dev") == nil {
			return
		}
	}
	d.cut = true
	d.invalid(packages[last].off, hintPNPM, "%s lacks the mark that every other package has, so that the rest of the file may be missing", quote(packages[last].name))
}

// addPackage adds an instance: snap says what it depends on, info what it is.
// Either may be missing in a broken file.
func (d *pnpmDocument) addPackage(snap, info *member) {
	at := cmp.Or(snap, info)
	if len(d.packages) >= maxEntries {
		if !d.cut {
			d.invalid(at.off, "split the workspace", "more than %d packages", maxEntries)
		}
		d.cut = true
		return
	}
	if len(at.name) > maxKey {
		d.invalid(at.off, hintPNPM, "the key %s is too long", quote(at.name))
		return
	}
	for _, m := range []*member{snap, info} {
		if m != nil && m.value.kind != objectKind {
			if m.value.kind != nullKind || m.name == at.name {
				d.wrongType(m, objectKind)
			}
			return
		}
	}
	pkg := pnpmPackage{key: at.name, off: at.off, info: none, incomplete: snap == nil || info == nil}
	if snap != nil {
		if info != nil && info != snap {
			pkg.info = info.off
		}
		pkg.flagOptional = d.flag(&snap.value, "optional")
		pkg.deps = d.readDeps(&snap.value, []pnpmGroup{{"dependencies", prodEdge}, {"optionalDependencies", optionalEdge}}, nil)
	}
	var v *value
	if info != nil {
		v = &info.value
	}
	if !d.describe(&pkg, v) {
		return
	}
	d.index[at.name] = len(d.packages)
	d.packages = append(d.packages, pkg)
}

// pnpmGroup is a kind of dependencies of an importer or a package.
type pnpmGroup struct {
	name string
	kind edgeKind
}

// tool reports whether the group is for pnpm itself.
func (g pnpmGroup) tool() bool {
	return g.name == "configDependencies" || g.name == "packageManagerDependencies"
}

// pnpmGroups are those of an importer. What pnpm needs itself, the last two, runs
// on the machines of those who develop.
var pnpmGroups = []pnpmGroup{
	{"dependencies", prodEdge},
	{"optionalDependencies", optionalEdge},
	{"devDependencies", devEdge},
	{"configDependencies", devEdge},
	{"packageManagerDependencies", devEdge},
}

func (d *pnpmDocument) readImporters(root *value) {
	if m := d.member(root, "importers", objectKind); m != nil {
		for i := range m.value.members {
			im := &m.value.members[i]
			if why := badKey(im.name); im.name != "." && (why != "" || im.name == "") {
				d.invalid(im.off, hintPNPM, "the path %s %s", quote(im.name), cmp.Or(why, "is empty"))
				continue
			}
			if im.value.kind != objectKind {
				d.wrongType(im, objectKind)
				continue
			}
			d.addImporter(im.name, im.off, &im.value)
		}
		return
	}
	d.addImporter(".", root.off, root)
}

func (d *pnpmDocument) addImporter(id string, off int, v *value) {
	specs := newTable(d.member(v, "specifiers", objectKind))
	deps := d.readDeps(v, pnpmGroups, specs)
	who := "the project"
	if id != "." {
		who = quote(id)
	}
	complete := d.resolve(deps, id, who)
	if i, ok := d.byFolder[d.folder(id)]; ok { // of an earlier document
		d.importers[i].deps = append(d.importers[i].deps, deps...)
		d.importers[i].incomplete = d.importers[i].incomplete || !complete
		return
	}
	d.byFolder[d.folder(id)] = len(d.importers)
	d.importers = append(d.importers, pnpmImporter{id: id, off: off, deps: deps, incomplete: !complete})
}

// readDeps reads dependencies in all their forms: name: reference, with the
// specifiers in a list of their own, and name: {specifier, version}.
func (d *pnpmDocument) readDeps(v *value, groups []pnpmGroup, specs table) []pnpmDep {
	d.judgeKeys(v, graphKeys...)
	var deps []pnpmDep
	for _, g := range groups {
		m := d.member(v, g.name, objectKind)
		if m == nil {
			if empty := v.get(g.name); empty != nil && empty.value.kind == nullKind && !d.cut {
				d.invalid(empty.off, hintPNPM, "nothing stands below %s, so the rest of it is missing", quote(g.name))
			}
			continue
		}
		for i := range m.value.members {
			dm := &m.value.members[i]
			dep := pnpmDep{name: dm.name, kind: g.kind, tool: g.tool(), off: dm.off, to: none}
			switch dm.value.kind {
			case stringKind:
				dep.ref = dm.value.text
				if m := specs[dm.name]; m != nil && m.value.kind == stringKind {
					dep.spec = m.value.text
				}
			case objectKind:
				dep.ref, _ = d.text(&dm.value, "version")
				dep.spec, _ = d.text(&dm.value, "specifier")
			default:
				d.wrongType(dm, stringKind)
				continue
			}
			if dep.ref == "" {
				d.invalid(dm.off, hintPNPM, "the dependency %s is resolved to nothing", quote(dm.name))
				continue
			}
			deps = append(deps, dep)
		}
	}
	return deps
}

// resolve finds the instances that dependencies lead to, and reports whether all
// are there.
func (d *pnpmDocument) resolve(deps []pnpmDep, from, who string) bool {
	complete := true
	for i := range deps {
		dep := &deps[i]
		if target, ok := strings.CutPrefix(dep.ref, "link:"); ok {
			dep.linked = true
			dep.link = path.Join(from, target)
			if path.IsAbs(target) || strings.ContainsAny(target, "\\\x00:") || len(target) > maxKey {
				d.invalid(dep.off, "link to a folder by a relative path", "the link %s leads to no relative path", quote(dep.name))
				dep.link, complete = "", false
			}
			continue
		}
		to, ok := d.index[pnpmKey(d.major, dep.name, dep.ref)]
		if !ok {
			complete = false
			if !d.cut {
				d.invalid(dep.off, hintPNPM, "%s depends on %s, which is not in the lockfile", who, quote(dep.name))
			}
			continue
		}
		dep.to = to
	}
	return complete
}

// mark finds for what each instance is installed. pnpm 9 has no mark for
// development, and older ones have one for instances, not for names.
func (l *pnpmLock) mark() {
	all := []edgeKind{prodEdge, optionalEdge, devEdge}
	reached := l.reach(all, all)
	production := l.reach([]edgeKind{prodEdge, optionalEdge}, all)
	required := l.reach([]edgeKind{prodEdge}, []edgeKind{prodEdge})
	needed := l.reach([]edgeKind{prodEdge, devEdge}, []edgeKind{prodEdge})
	for i := range l.packages {
		pkg := &l.packages[i]
		if !reached[i] && !l.cut {
			l.warn(pkg.off, hintPNPM, "nothing asks for %s", quote(pkg.key))
		}
		pkg.use = sbom.UseOf(reached[i], production[i], required[i], needed[i])
	}
}

// reach returns the instances to which edges of these kinds lead, from the
// importers and from then on.
func (l *pnpmLock) reach(first, then []edgeKind) []bool {
	reached := make([]bool, len(l.packages))
	var queue []int
	follow := func(deps []pnpmDep, kinds []edgeKind) {
		for i := range deps {
			if d := &deps[i]; d.to != none && !reached[d.to] && slices.Contains(kinds, d.kind) {
				reached[d.to] = true
				queue = append(queue, d.to)
			}
		}
	}
	for i := range l.importers {
		follow(l.importers[i].deps, first)
	}
	for len(queue) > 0 {
		i := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		follow(l.packages[i].deps, then)
	}
	return reached
}
