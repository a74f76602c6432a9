package node

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"strings"

	"countermark/sbom"
)

// pnpmWorkspace is the file beside a lockfile that names the members of a
// workspace, and what is configured for all of them.
const pnpmWorkspace = "pnpm-workspace.yaml"

// readManifests finds the package.json of each importer, and the configuration of
// the workspace.
func (l *pnpmLock) readManifests(at *folder) {
	for i := range l.importers {
		im := &l.importers[i]
		own := l.p.folders[l.folder(im.id)]
		switch {
		case im.id == "." && at.manifest != nil:
			im.manifest = at.manifest
		case own != nil && own.manifest != nil:
			im.manifest = own.manifest
		case im.id == "." || own == nil || own.pkg == nil:
			im.manifest = l.manifestOf(im.id)
		}
	}
	data, err := l.file.Sibling(pnpmWorkspace)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.warn(none, "", "%s beside it cannot be read, so they were not compared", pnpmWorkspace)
		}
		return
	}
	doc := parseYAML(data)[0]
	if doc.err != nil || doc.root.kind != objectKind {
		l.warn(none, "correct "+pnpmWorkspace, "%s beside it cannot be understood, so they were not compared", pnpmWorkspace)
		return
	}
	l.workspace = &doc.root
	l.declared = map[string]table{}
	if m := doc.root.get("catalogs"); m != nil {
		addCatalogs(l.declared, &m.value)
	}
	if m := doc.root.get("catalog"); m != nil {
		l.declared["default"] = newTable(m)
	}
}

// manifestOf reads a package.json that is not itself part of what is checked, for
// the name and version that stand in it.
func (l *pnpmLock) manifestOf(id string) *manifest {
	if l.file.FS == nil || id == ".." || strings.HasPrefix(id, "../") {
		return nil
	}
	data, err := l.file.Sibling(path.Join(id, Manifest))
	if err != nil {
		return nil
	}
	s := parseSource(l.file, data)
	s.beside = true
	return readManifest(s)
}

// folder returns the folder in the inventory of one relative to the lockfile's.
func (l *pnpmLock) folder(id string) string {
	if dir := path.Join(l.dir, id); dir != "." {
		return dir
	}
	return ""
}

// covers returns the folders whose dependencies the lockfile resolves.
func (l *pnpmLock) covers() []string {
	var dirs []string
	for i := range l.importers {
		dirs = append(dirs, l.folder(l.importers[i].id))
	}
	for i := range l.packages {
		if dir := l.packages[i].directory; dir != "" { // of which pnpm installs a copy
			dirs = append(dirs, l.folder(dir))
		}
	}
	return dirs
}

// compare holds the package.json of a folder against what the lockfile says of
// it. pnpm refuses to install in CI where what is asked for differs.
func (l *pnpmLock) compare(dir string, m *manifest) {
	if m == nil || l.cut || m.doc.err != nil {
		return
	}
	im := l.importer(dir)
	if im == nil {
		return
	}
	locked := map[string]pnpmDep{}
	for _, d := range im.deps {
		locked[d.name] = d
	}
	for _, d := range m.installs() {
		have, ok := locked[d.name]
		delete(locked, d.name)
		spec, overridden := l.replaced[d.name]
		switch {
		case ok && have.spec == d.spec && have.kind == d.kind, !ok && l.leavesOut(d, spec):
		case ok && have.kind == d.kind && overridden && (spec == "" || spec == have.spec):
		case l.hooks:
			m.warn(d.off, hintPNPM, "%s differs from what %s says of it; a hook of pnpm may have changed it", quote(d.name), quote(l.file.Path))
		default:
			m.invalid(d.off, hintPNPM, "%s does not fit %s, so `pnpm install --frozen-lockfile` would refuse to install", quote(d.name), quote(l.file.Path))
		}
	}
	peers := newTable(m.doc.root.get("peerDependencies"))
	for _, d := range im.deps { // in file order
		if _, left := locked[d.name]; !left || d.tool || d.spec == "" || schemeOf(d.spec) == "runtime:" || peers[d.name] != nil {
			continue
		}
		l.warn(d.off, hintPNPM, "%s is no longer in package.json of %s", quote(d.name), quote(im.id))
	}
}

// importer returns the project in a folder of the inventory, or nil.
func (l *pnpmLock) importer(dir string) *pnpmImporter {
	if i, ok := l.byFolder[dir]; ok {
		return &l.importers[i]
	}
	return nil
}

// leavesOut reports whether pnpm may leave a dependency out of its lockfile: a
// link, where it is told to, and what an override takes away.
func (l *pnpmLock) leavesOut(d dependency, override string) bool {
	return override == "-" || strings.HasPrefix(d.spec, "link:")
}

// installs returns what pnpm installs for a project: one dependency for each
// name. Optional ones win over others, and those for development lose.
func (m *manifest) installs() []dependency {
	var deps []dependency
	index := map[string]int{}
	for _, g := range []pnpmGroup{{"devDependencies", devEdge}, {"dependencies", prodEdge}, {"optionalDependencies", optionalEdge}} {
		group := m.doc.root.get(g.name)
		if group == nil {
			continue
		}
		for i := range group.value.members {
			dm := &group.value.members[i]
			if dm.value.kind != stringKind {
				continue // reported already
			}
			d := dependency{name: dm.name, spec: dm.value.text, kind: g.kind, off: dm.off}
			if n, ok := index[dm.name]; ok {
				deps[n] = d
				continue
			}
			index[dm.name] = len(deps)
			deps = append(deps, d)
		}
	}
	return deps
}

// compareOverrides: overrides replace packages with others, by the word of the
// project. A lockfile without them installs what they were to keep out.
func (l *pnpmLock) compareOverrides(m *manifest) {
	if l.cut {
		return
	}
	declared := map[string]string{}
	var names []string
	read := func(v *value, keys ...string) {
		for _, key := range keys {
			found := v.get(key)
			if found == nil || found.value.kind != objectKind {
				return
			}
			v = &found.value
		}
		for i := range v.members {
			name := withoutBlanks(v.members[i].name)
			if _, ok := declared[name]; !ok {
				names = append(names, name)
			}
			declared[name] = v.members[i].value.text
		}
	}
	if m != nil && m.doc.err == nil {
		read(&m.doc.root, "resolutions")
		read(&m.doc.root, "pnpm", "overrides")
	}
	if l.workspace != nil {
		read(l.workspace, "overrides")
	}
	all := table{}
	if l.overrides != nil {
		for i := range l.overrides.members {
			all[withoutBlanks(l.overrides.members[i].name)] = &l.overrides.members[i]
		}
	}
	for _, name := range names {
		spec, locked := declared[name], all[name]
		vague := strings.HasPrefix(spec, "$") || strings.HasPrefix(spec, "catalog:")
		if locked == nil || !vague && locked.value.text != spec {
			off := none
			if locked != nil {
				off = locked.off
			}
			l.invalid(off, hintPNPM, "the override of %s is not the one that the project declares", quote(name))
		}
	}
	if l.overrides != nil && m != nil {
		l.judgeUndeclared(declared)
	}
}

// withoutBlanks makes the key of an override comparable: pnpm may have written it with
// other blanks than the project.
func withoutBlanks(key string) string { return strings.ReplaceAll(key, " ", "") }

// judgeUndeclared: an override that stands in the lockfile alone could give
// another package than what is asked for.
func (l *pnpmLock) judgeUndeclared(declared map[string]string) {
	for i := range l.overrides.members {
		o := &l.overrides.members[i]
		if _, ok := declared[withoutBlanks(o.name)]; ok {
			continue
		}
		code := sbom.Invalid
		if l.hooks { // a .pnpmfile.cjs may declare it
			code = sbom.Warning
		}
		l.problem(code, o.off, hintPNPM, "the project declares no override of %s, so `pnpm install --frozen-lockfile` would refuse to install", quote(o.name))
	}
}

// judgeAsked holds what each importer is given against what it asks for: a copy
// from a git repository, or another package, must not stand in for what a
// registry has under the name.
func (l *pnpmLock) judgeAsked() {
	if l.cut {
		return
	}
	for i := range l.importers {
		for _, d := range l.importers[i].deps {
			if d.spec != "" && !l.fits(d) {
				l.invalid(d.off, "find out who changed the entry; to have it written anew, delete it and "+hintPNPM,
					"%s leads to another package, or to one from elsewhere, than what is asked for under this name", quote(d.name))
			}
		}
	}
}

func (l *pnpmLock) fits(d pnpmDep) bool {
	spec := strings.TrimSpace(d.spec)
	if name, ok := strings.CutPrefix(spec, "catalog:"); ok {
		if spec, ok = l.catalog(cmp.Or(name, "default"), d.name); !ok {
			return false
		}
	}
	r := parseSpec(d.name, spec)
	scheme := schemeOf(spec)
	if d.linked || d.to == none {
		switch {
		case d.to == none && !d.linked:
			return true // reported already
		case r.source == sbom.FromFile, r.source == sbom.FromLink, scheme == "workspace:":
			return true
		case r.source != "":
			return false
		}
		// A member of the workspace may stand in for a version of its own name.
		im := l.importer(l.folder(d.link))
		return im != nil && (im.manifest == nil || im.manifest.name == r.name)
	}
	pkg := &l.packages[d.to]
	switch {
	case pkg.runtime:
		return scheme == "runtime:"
	case scheme == "workspace:":
		return pkg.directory != ""
	case r.source == sbom.FromGit, r.source == sbom.FromTarball:
		web := strings.HasPrefix(scheme, "http")
		return pkg.c.Source == sbom.FromGit && (r.source == sbom.FromGit || web) || pkg.c.Source == sbom.FromTarball ||
			web && pkg.c.Source == sbom.FromRegistry && (pkg.c.Resolved != "" || addresses(spec, pkg))
	case r.source == sbom.FromFile, r.source == sbom.FromLink:
		return pkg.c.Source == sbom.FromFile
	case scheme == "npm:" || scheme == "" && !strings.ContainsAny(spec, `/:\`):
		if pkg.directory != "" { // an injected member
			return l.importer(l.folder(pkg.directory)) != nil && pkg.name == r.name
		}
		return pkg.c.Source == sbom.FromRegistry && pkg.name == r.name
	}
	return true // jsr: and whatever comes
}

// addresses reports whether a URL is that of the package in a registry: pnpm does not
// write it again then.
func addresses(url string, pkg *pnpmPackage) bool {
	_, at := Distribution(url)
	return at.Name == pkg.name && at.Version != "" && at.Version == pkg.version
}

// catalog returns what a catalogue of the workspace asks for under a name. What
// the lockfile and pnpm-workspace.yaml say of it has to be the same.
func (l *pnpmLock) catalog(catalog, name string) (spec string, ok bool) {
	e := l.catalogs[catalog][name]
	if e == nil {
		return "", false
	}
	spec, ok = l.text(&e.value, "specifier")
	if _, overridden := l.replaced[name]; overridden || l.workspace == nil {
		return spec, ok
	}
	declared := l.declared[catalog][name]
	return spec, ok && declared != nil && scalarText(declared) == strings.TrimSpace(spec)
}

// pnpmGraph adds a lockfile to the inventory.
type pnpmGraph struct {
	*pnpmLock
	at       *folder
	folders  map[string]sbom.ID // of importers and links, relative to the lockfile's
	packages []sbom.ID
}

// add judges the lockfile, and adds what it installs.
func (l *pnpmLock) add(at *folder) {
	l.readManifests(at)
	root := at.manifest
	if im := l.importer(at.dir); im != nil {
		root = im.manifest
	}
	l.compare(at.dir, root)
	l.compareOverrides(root)
	l.judgeAsked()
	g := &pnpmGraph{pnpmLock: l, at: at, folders: map[string]sbom.ID{}, packages: make([]sbom.ID, len(l.packages))}
	g.addRoot()
	for i := range l.importers {
		if im := &l.importers[i]; im.id != "." {
			id := g.addMember(im)
			l.p.b.LinkFor(g.folders["."], id, sbom.Use{Member: true})
			l.p.b.Project(id, g.folder(im.id))
		}
	}
	edges := 0
	for i := range l.packages {
		edges += len(l.packages[i].deps)
	}
	l.p.b.Reserve(len(l.packages), edges, 0)
	aliases := l.aliases()
	for i := range l.packages {
		g.packages[i] = g.addPackage(i, aliases[i])
	}
	for i := range l.importers {
		im := &l.importers[i]
		g.link(g.folders[im.id], im.deps)
		g.place(im)
	}
	for i := range l.packages {
		g.link(g.packages[i], l.packages[i].deps)
	}
}

// place says where pnpm puts what a project asks for itself. The rest lies where
// no command finds it. Which commands a package has, the lockfile does not say.
func (g *pnpmGraph) place(im *pnpmImporter) {
	for i := range im.deps {
		d := &im.deps[i]
		id, ok := g.folders[d.link]
		if d.to != none {
			id, ok = g.packages[d.to], true
		}
		if ok && !d.tool {
			g.p.b.Place(path.Join(g.folder(im.id), "node_modules", d.name), id)
		}
	}
}

func (g *pnpmGraph) link(from sbom.ID, deps []pnpmDep) {
	for i := range deps {
		switch d := &deps[i]; {
		case d.to != none:
			g.p.b.LinkFor(from, g.packages[d.to], d.kind.use())
		case d.link != "":
			g.p.b.LinkFor(from, g.addLink(d), d.kind.use())
		}
	}
}

func (l *pnpmLock) coverage(incomplete bool) sbom.Coverage {
	if l.cut || incomplete {
		return sbom.IncompleteCoverage
	}
	return sbom.CompleteCoverage
}

func (g *pnpmGraph) addRoot() {
	m, off, incomplete := g.at.manifest, 0, false
	for i := range g.importers {
		if im := &g.importers[i]; im.id == "." {
			m, off, incomplete = im.manifest, im.off, im.incomplete
		}
	}
	license := ""
	if m != nil {
		license = m.license
	}
	g.folders["."] = g.p.addProject(g.at, m, g.occurrence(off, ""), g.coverage(incomplete), license)
}

// addMember adds a member of the workspace.
func (g *pnpmGraph) addMember(im *pnpmImporter) sbom.ID {
	c := g.ownComponent(im.id, im.manifest, sbom.FromProject, path.Base(im.id))
	c.Type, c.Coverage = sbom.Application, g.coverage(im.incomplete)
	id := g.p.b.Add(c, sbom.Use{}, g.occurrence(im.off, im.id))
	g.folders[im.id] = id
	return id
}

// ownComponent describes a folder of the user's own code.
func (g *pnpmGraph) ownComponent(id string, m *manifest, source sbom.Source, fallback string) sbom.Component {
	c := sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.NPM, Name: fallback, Source: source,
		Properties: []sbom.Property{{Name: PropertyPath, Value: id}},
	}
	if m != nil {
		c.Name, c.Version, c.Private, c.License = cmp.Or(m.name, c.Name), m.version, m.private, m.license
		c.Properties = append(c.Properties, m.binProperties()...)
	}
	dir := g.folder(id)
	if c.Version != "" && validName(c.Name) {
		c.PURL = g.p.ownPURL(c.Name, c.Version, source, dir)
	}
	if c.PURL == "" {
		c.Ref = "npm:" + dir
	}
	return c
}

// addLink adds a folder that something is linked to, unless it is a member. pnpm
// leaves alone what such a folder depends on.
func (g *pnpmGraph) addLink(d *pnpmDep) sbom.ID {
	if id, ok := g.folders[d.link]; ok {
		return id
	}
	own := g.p.folders[g.folder(d.link)]
	var m *manifest
	if own != nil {
		m = own.manifest
	} else {
		m = g.manifestOf(d.link)
	}
	c := g.ownComponent(d.link, m, sbom.FromLink, d.name)
	c.Coverage = sbom.CompleteCoverage
	if m == nil || len(m.deps) > 0 {
		c.Coverage = sbom.IncompleteCoverage
		if own == nil || own.lockfile == nil && len(own.others) == 0 {
			g.problem(sbom.Unsupported, d.off, "make it a member of the workspace, or check a folder that holds both projects",
				"%s is linked to %s, which is no member of the workspace, and pnpm does not lock what it depends on", quote(d.name), quote(d.link))
		}
	}
	id := g.p.b.Add(c, sbom.Use{}, g.occurrence(d.off, d.link))
	g.folders[d.link] = id
	return id
}

// aliases returns by which other names each instance is called.
func (l *pnpmLock) aliases() [][]string {
	type call struct {
		to   int
		name string
	}
	out := make([][]string, len(l.packages))
	known := map[call]bool{}
	collect := func(deps []pnpmDep) {
		for i := range deps {
			d := &deps[i]
			if d.to != none && d.name != l.packages[d.to].name && !known[call{d.to, d.name}] {
				known[call{d.to, d.name}] = true
				out[d.to] = append(out[d.to], d.name)
			}
		}
	}
	for i := range l.importers {
		collect(l.importers[i].deps)
	}
	for i := range l.packages {
		collect(l.packages[i].deps)
	}
	return out
}

// addPackage adds an instance. A copy of a member of the workspace, which pnpm
// injects so that it sees other peers, is that member.
func (g *pnpmGraph) addPackage(i int, aliases []string) sbom.ID {
	pkg := &g.pnpmLock.packages[i]
	if id, ok := g.folders[pkg.directory]; ok && pkg.directory != "" {
		return id
	}
	c := pkg.c
	c.Coverage = g.coverage(pkg.incomplete)
	key := pkg.key
	if strings.Contains(key, "://") || strings.ContainsAny(key, ":/") && c.Source != sbom.FromRegistry {
		key = redactSpec(key)
	}
	if c.Source == sbom.FromFile && c.Version == "" {
		c.PURL, c.Ref = "", "npm:"+g.folder(pkg.directory)+"#"+c.Name
	}
	for _, alias := range aliases {
		if validName(alias) {
			c.Properties = append(c.Properties, sbom.Property{Name: PropertyAlias, Value: alias})
		}
	}
	where := []sbom.Occurrence{g.occurrence(pkg.off, key)}
	if pkg.info != none {
		where = append(where, g.occurrence(pkg.info, pkg.c.Name+"@"+cmp.Or(pkg.c.Version, "?")))
	}
	return g.p.b.Add(c, pkg.use, where...)
}
