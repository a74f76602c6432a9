package node

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
)

// findProjects tells the user's own projects and their members from folders that
// are only linked to, and from those for which nothing is installed.
func (t *installation) findProjects() {
	copied := t.copied()
	for _, u := range t.units {
		if u.own == nil {
			continue
		}
		hasLock := u.own.lockfile != nil || u.own.yarn != nil || len(u.own.others) > 0
		if !u.out {
			continue
		}
		u.project = u.dir == "" || u.own.modules != nil || len(u.own.pnp) > 0 || hasLock || t.owner(u) != nil
		needs := slices.ContainsFunc(u.deps, func(d dependency) bool { return !d.kind.mayMiss() && d.kind != peerEdge })
		if !needs || u.project && t.installedFor(u.dir) || len(u.asked) > 0 || len(u.links) > 0 || copied[u.dir] || t.plugged(u) {
			continue
		}
		u.own.manifest.problem(sbom.Invalid, u.own.manifest.depsOff, "install it, or exclude the folder in the policy",
			"nothing is installed for this project: there is no node_modules beside it or above it")
		u.missing, u.incomplete, u.bare = nil, true, true
	}
}

// copied are the folders of which the user's own projects install a copy.
func (t *installation) copied() map[string]bool {
	out := map[string]bool{}
	for _, u := range t.units {
		if u.own == nil {
			continue
		}
		for _, d := range u.deps {
			if to, ok := strings.CutPrefix(strings.TrimSpace(d.spec), "file:"); ok && linkedPath(to) != "" {
				out[strings.TrimPrefix(path.Join("/", u.dir, to), "/")] = true
			}
		}
	}
	return out
}

// installedFor reports whether there is a node_modules that the folder looks into.
func (t *installation) installedFor(dir string) bool {
	for ; ; dir = inDir(dir) {
		if t.modules[dir] != nil || t.inputs[path.Join(dir, NodeModules)] != nil {
			return true
		}
		if dir == "" {
			return false
		}
	}
}

// owner returns the project of whose workspace a folder is a member, or nil.
func (t *installation) owner(u *unit) *unit {
	for dir := u.dir; dir != ""; {
		dir = inDir(dir)
		above := t.byDir[dir]
		if above == nil || above.own == nil {
			continue
		}
		members, err := compileWorkspaces(t.memberPatterns(above))
		if err == nil && members.match(strings.TrimPrefix(strings.TrimPrefix(u.dir, dir), "/")) {
			return above
		}
	}
	return nil
}

// memberPatterns are those of package.json, or of pnpm's own file.
func (t *installation) memberPatterns(u *unit) []string {
	var patterns []string
	if u.own.manifest != nil {
		patterns = u.own.manifest.workspaces
	}
	data, err := t.readFile(path.Join(u.dir, pnpmWorkspace))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.problem(sbom.Invalid, u.dir, "correct "+pnpmWorkspace, "%s cannot be read: %v", quote(path.Join(u.dir, pnpmWorkspace)), err)
		}
		return patterns
	}
	doc := parseYAML(data)[0]
	m := doc.root.get("packages")
	if m == nil {
		return patterns
	}
	for i := range m.value.elems() {
		if e := &m.value.elems()[i]; e.kind == stringKind {
			patterns = append(patterns, e.text)
		}
	}
	return patterns
}

// mark finds for what each package is installed.
func (t *installation) mark() {
	reach := func(follow func(edgeKind) bool) map[*unit]bool {
		seen := map[*unit]bool{}
		var queue []*unit
		for _, u := range t.units {
			if u.project {
				seen[u] = true
				queue = append(queue, u)
			}
		}
		for ; len(queue) > 0; queue = queue[1:] {
			for _, e := range queue[0].edges {
				if !seen[e.to] && follow(e.kind) {
					seen[e.to] = true
					queue = append(queue, e.to)
				}
			}
		}
		return seen
	}
	reached := reach(func(edgeKind) bool { return true })
	shipped := reach(func(k edgeKind) bool { return k != devEdge })
	required := reach(func(k edgeKind) bool { return k != devEdge && !k.mayMiss() })
	needed := reach(func(k edgeKind) bool { return !k.mayMiss() })
	unasked := reach(func(k edgeKind) bool { return k != peerEdge && k != peerOptionalEdge })
	for _, u := range t.units {
		u.use = sbom.UseOf(reached[u], shipped[u], required[u], needed[u])
		u.use.Peer = reached[u] && !unasked[u]
	}
	// Plug'n'Play has an entry beside those of a package's instances, which
	// nothing leads to.
	t.units = slices.DeleteFunc(t.units, func(u *unit) bool { return u.inFile() && !reached[u] })
}

// findBundled finds what came inside of another package, by npm's rule: see
// lockfile.findBundled.
func (t *installation) findBundled() {
	children := map[string][]*unit{} // by the folder of packages that they lie in
	for _, u := range t.units {
		if i := strings.LastIndex("/"+u.dir, "/"+NodeModules+"/"); i >= 0 {
			in := u.dir[:i+len(NodeModules)]
			children[in] = append(children[in], u)
		}
	}
	for _, bundler := range t.units { // the outer ones come first
		if bundler.out || bundler.bundled || len(bundler.bundles) == 0 {
			continue
		}
		in := path.Join(bundler.dir, NodeModules)
		var queue []*unit
		take := func(u *unit) {
			if u != nil && !u.bundled && strings.HasPrefix(u.dir, in+"/") {
				u.bundled = true
				queue = append(queue, u)
			}
		}
		for _, name := range bundler.bundles {
			take(t.byDir[path.Join(in, name)])
		}
		for ; len(queue) > 0; queue = queue[1:] {
			for _, u := range children[path.Join(queue[0].dir, NodeModules)] {
				take(u)
			}
			for _, e := range queue[0].edges {
				if strings.TrimPrefix(e.to.dir, in+"/") == e.by.name {
					take(e.to)
				}
			}
		}
	}
}

// omitted tells that packages of a kind are not there at all.
func (t *installation) omitted(at, kind string) {
	if t.left[at+"\x00"+kind] {
		return
	}
	t.left[at+"\x00"+kind] = true
	t.problem(sbom.Warning, at, "to see all of the project, install it without --omit", "it was installed without packages of the kind %s, so these are not listed", kind)
	if root := t.byDir[inDir(at)]; root != nil {
		root.incomplete = true
	}
}

// judge tells what is missing, and what is not what its name promises.
func (t *installation) judge() {
	development := slices.ContainsFunc(t.units, func(u *unit) bool { return u.use.Development })
	for _, u := range t.units {
		if u.dir == "" || u.project || !u.out {
			t.judgeMissing(u, development)
		}
		t.judgeName(u)
	}
}

func (t *installation) judgeMissing(u *unit, development bool) {
	for _, d := range u.missing {
		switch {
		case d.kind.mayMiss():
		case d.kind == peerEdge:
			t.problem(sbom.Warning, u.dir, "install it, unless the project does without peers on purpose",
				"%s needs the peer %s, which is not installed", t.label(u), quote(d.name))
		case d.kind == devEdge && !development:
			u.incomplete = true
			root := cmp.Or(t.owner(u), u)
			t.omitted(path.Join(root.dir, NodeModules), sbom.OmitDev)
		default:
			u.incomplete = true
			t.problem(sbom.Invalid, u.dir, hintMissing, "%s depends on %s, which is not installed", t.label(u), quote(d.name))
		}
	}
}

// judgeName: what lies under a name is another package only where somebody asked
// for that, by an alias or in a way that has no name in it; or where the lockfile
// has it so.
func (t *installation) judgeName(u *unit) {
	if u.out || u.broken {
		return
	}
	switch {
	case !validName(u.name):
		t.problem(sbom.Invalid, u.dir, hintReinstall, "%s says that its name is %s, which is no name of a package", quote(u.dir), quote(u.name))
	case u.version == "" && !u.inFile():
		t.problem(sbom.Invalid, u.dir, hintReinstall, "%s says no version of the form 1.2.3", quote(u.dir))
	}
	told := map[string]bool{}
	for _, e := range u.asked {
		if e.off == none || told[e.name] || !strange(e.dependency, u.name) || u.lockedAs(e.name) || t.overridden(e.name) {
			continue
		}
		told[e.name] = true
		t.problem(sbom.Invalid, u.dir, "find out who changed it; then "+hintReinstall,
			"%s holds %s, which is not what %s asks for under this name", quote(e.by.at), u.label(), t.label(e.from))
	}
}

// strange reports whether a package of that name cannot be what is asked for.
func strange(d dependency, name string) bool {
	spec := strings.TrimSpace(d.spec)
	r := parseSpec(d.name, spec)
	if strings.HasPrefix(strings.ToLower(spec), "npm:") {
		return r.name != name
	}
	return d.name != name && r.source == "" && !strings.ContainsAny(spec, `/:\`) && !isArchive(spec)
}

// lockedAs reports whether the lockfile has the package under that name, too.
func (u *unit) lockedAs(name string) bool {
	for _, in := range u.lock {
		if slices.Contains(in.Component.Properties, sbom.Property{Name: PropertyAlias, Value: name}) {
			return true
		}
	}
	return false
}

// overridden reports whether some project of the user replaces a name.
func (t *installation) overridden(name string) bool {
	for _, u := range t.units {
		if u.own != nil && u.own.manifest != nil && u.own.manifest.replacements()[name] != nil {
			return true
		}
	}
	return false
}

// add adds the units to the inventory.
func (t *installation) add() {
	for _, u := range t.units {
		u.id = sbom.NoID
		switch {
		case u.own != nil && u.project:
			u.id = t.addOwn(u)
		case u.out && len(u.asked) == 0 && len(u.links) == 0: // nothing is installed for it, or needed
		case validName(u.name):
			u.id = t.addUnit(u)
		}
	}
	for _, u := range t.units {
		if u.id == sbom.NoID {
			continue
		}
		if owner := t.ownerOf(u); owner != sbom.NoID {
			t.p.b.LinkFor(owner, u.id, sbom.Use{Member: true})
		}
		for _, e := range u.edges {
			if e.to.id != sbom.NoID {
				t.p.b.LinkFor(u.id, e.to.id, e.use())
			}
		}
	}
}

func (t *installation) ownerOf(u *unit) sbom.ID {
	if u.own == nil || !u.project || u.id == sbom.Root {
		return sbom.NoID
	}
	if owner := t.owner(u); owner != nil {
		return owner.id
	}
	return sbom.NoID // the root's, as describeProject says
}

func (t *installation) coverage(u *unit) sbom.Coverage {
	if u.incomplete || t.full {
		return sbom.IncompleteCoverage
	}
	return sbom.CompleteCoverage
}

// addOwn adds the user's own projects: the root, members of a workspace, and
// projects of their own.
func (t *installation) addOwn(u *unit) sbom.ID {
	where := sbom.Occurrence{Path: t.prefix + path.Join(u.dir, NodeModules)}
	if m := u.own.manifest; m != nil {
		where = m.occurrence(m.doc.root.off, u.dir)
	} else if f := u.own.anyFile(); f != nil {
		where.Path = f.Path
	}
	if t.owner(u) == nil {
		return t.p.addProject(u.own, u.own.manifest, where, t.coverage(u), u.license)
	}
	c := sbom.Component{
		Type: sbom.Application, Ecosystem: sbom.NPM, Name: cmp.Or(u.name, path.Base(u.dir)), Version: u.version, Private: u.private,
		Source: sbom.FromProject, License: u.license, Coverage: t.coverage(u), Properties: slices.Clone(u.properties),
	}
	t.identifyOwn(u, &c)
	at := []sbom.Occurrence{where}
	t.addLinks(u, &c, &at)
	id := t.p.b.Add(c, sbom.Use{}, at...)
	t.p.b.Project(id, strings.TrimSuffix(t.prefix+u.dir, "/"))
	t.place(u, id)
	return id
}

// identifyOwn gives the user's own folders a purl, as long as no other has it.
func (t *installation) identifyOwn(u *unit, c *sbom.Component) {
	dir := strings.TrimSuffix(t.prefix+u.dir, "/")
	c.Properties = append(c.Properties, sbom.Property{Name: PropertyPath, Value: u.dir})
	if c.Version != "" && validName(c.Name) {
		c.PURL = t.p.ownPURL(c.Name, c.Version, c.Source, dir)
	}
	if c.PURL == "" {
		c.Ref = "npm:" + dir
	}
}

// addLinks adds the places from which a package is linked.
func (t *installation) addLinks(u *unit, c *sbom.Component, at *[]sbom.Occurrence) {
	for _, s := range u.links {
		*at = append(*at, sbom.Occurrence{Path: t.prefix + path.Join(s.at, Manifest), Install: s.at})
		c.Properties = append(c.Properties, sbom.Property{Name: PropertyPath, Value: s.at})
		if s.name != c.Name {
			c.Properties = append(c.Properties, sbom.Property{Name: PropertyAlias, Value: s.name})
		}
	}
}

// place tells where launches find a package.
func (t *installation) place(u *unit, id sbom.ID) {
	if !u.out && !u.inFile() {
		t.p.b.Place(t.prefix+u.dir, id, u.bins...)
	}
	for _, s := range u.links {
		t.p.b.Place(t.prefix+s.at, id, u.bins...)
	}
}

// addUnit adds a package. What its package.json says is what lies there; its hash
// and where it came from are those of the lockfile, which nobody compared with the
// files.
func (t *installation) addUnit(u *unit) sbom.ID {
	c := sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.NPM, Name: u.name, Version: u.version, License: u.license, Repository: u.repository,
		Private: u.private, Coverage: t.coverage(u), Properties: slices.Clone(u.properties),
	}
	at := []sbom.Occurrence{{Path: t.prefix + path.Join(u.dir, Manifest), Install: u.dir}}
	switch {
	case u.inFile():
		at = []sbom.Occurrence{u.place}
		c.PURL = purl(u.name, u.version, "", "")
		for _, e := range u.asked {
			if e.name != u.name && validName(e.name) {
				c.Properties = append(c.Properties, sbom.Property{Name: PropertyAlias, Value: e.name})
			}
		}
	case u.out:
		c.Source = sbom.FromLink
		t.identifyOwn(u, &c)
	default:
		c.Properties = append(c.Properties, sbom.Property{Name: PropertyPath, Value: u.dir})
		if folder := folderName(u.dir); folder != u.name && strings.HasSuffix("/"+u.dir, "/"+NodeModules+"/"+folder) {
			c.Properties = append(c.Properties, sbom.Property{Name: PropertyAlias, Value: folder})
		}
		if u.bundled {
			c.Source = sbom.FromParent
		}
		c.PURL = purl(u.name, u.version, "", "")
	}
	t.addLinks(u, &c, &at)
	if !u.out {
		at = append(at, t.complete(u, &c)...)
	}
	id := t.p.b.Add(c, u.use, at...)
	t.place(u, id)
	return id
}

// complete takes from the lockfile what the disk does not say. Where it has two
// different packages of the same name and version, nobody knows which of them this
// one is.
func (t *installation) complete(u *unit, c *sbom.Component) []sbom.Occurrence {
	if len(u.lock) == 0 {
		return nil
	}
	first := u.lock[0].Component
	var at []sbom.Occurrence
	for _, in := range u.lock {
		at = append(at, in.At...)
		other := in.Component
		if other.PURL != first.PURL || other.Resolved != first.Resolved || other.Source != first.Source || !slices.Equal(other.Hashes, first.Hashes) {
			t.problem(sbom.Invalid, u.dir, "create the lockfile again", "the lockfile has %s twice, from different places or with different bytes, so nobody knows which of them is installed", u.label())
			return at
		}
	}
	c.Source, c.Hashes, c.Resolved, c.Distribution, c.Patches = first.Source, first.Hashes, first.Resolved, first.Distribution, first.Patches
	c.PURL, c.Ref = first.PURL, first.Ref
	c.License = cmp.Or(c.License, first.License)
	for _, p := range first.Properties {
		if p.Name == PropertyDeprecated || p.Name == PropertyYarnPatch {
			c.Properties = append(c.Properties, p)
		}
	}
	return at
}
