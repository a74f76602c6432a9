package node

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Properties of what Bun alone says of a package.
const (
	PropertyBunTrusted = "countermark:bun:trusted" // "true" where Bun runs the scripts by which the package installs itself
	PropertyBunOS      = "countermark:bun:os"      // a system on which Bun installs the package
	PropertyBunCPU     = "countermark:bun:cpu"
)

const hintBun = "run `bun install --lockfile-only` and commit what it writes"

// bunVersion is the newest version of the format that is known. 0 lists what a
// workspace member asks for twice; 2 has the content of 1; 3, which Bun writes only
// where it needs it, has overrides below a package and for ranges.
const bunVersion = 3

// bunRules are what steers Bun beside the packages: the lockfile's copy of it,
// which is held against package.json.
type bunRules struct {
	version   int
	catalogs  map[string]map[string]string // "" is the unnamed one
	overrides map[string]string            // by the packages that they are for, see overridePath
	replaced  map[string][]string          // what the overrides put in place of a name
}

// bunReader reads one bun.lock into npm's virtual tree: a key a/b is the folder
// node_modules/a/node_modules/b, or, where a is a member of the workspace, the
// folder of node_modules in that one's. Bun finds what a package asks for in the
// same way, from the innermost folder outwards.
type bunReader struct {
	*lockfile
	dirs    map[string]string // by key: the folder that the package has
	patches map[string]string // by name@resolution
	trusted map[string]bool
	patched map[string]bool
}

// readBun parses and resolves, as readLockfile does.
func readBun(f *sbom.File, m *manifest) *lockfile {
	l := &lockfile{
		source: &source{file: f, doc: parseJSONC(f.Data), regenerate: hintBun},
		nodes:  map[string]int{},
		bun:    &bunRules{catalogs: map[string]map[string]string{}, overrides: map[string]string{}, replaced: map[string][]string{}},
	}
	if err := l.doc.err; err != nil {
		l.cut = true
		l.invalid(err.off, err.hint(hintBun), "invalid JSON: %s", err.msg)
	}
	root := &l.doc.root
	if root.kind != objectKind {
		if !l.cut {
			l.invalid(root.off, hintBun, "a lockfile must be an object, not %s", root.kind)
		}
		return nil
	}
	r := &bunReader{lockfile: l, dirs: map[string]string{}, patches: map[string]string{}, trusted: map[string]bool{}, patched: map[string]bool{}}
	if !r.readVersion(root) || !r.readWorkspaces(root) {
		return nil
	}
	for _, d := range l.doc.duplicates {
		l.invalid(d.off, hintBun, "%s stands twice in the same object", quote(d.name))
	}
	l.declared = m != nil && m.doc.err == nil
	r.readRules(root)
	packages := l.member(root, "packages", objectKind)
	if packages != nil {
		r.readPackages(&packages.value)
	}
	r.linkMembers()
	l.place()
	l.followLinks()
	l.askForMembers()
	l.resolve()
	l.findBundled()
	r.judgeBundlers()
	l.mark()
	l.judgeUnasked()
	for _, spec := range slices.Sorted(maps.Keys(r.patches)) {
		if !r.patched[spec] && !l.cut {
			l.warn(root.get("patchedDependencies").off, hintBun, "the patch of %s is for no package of the lockfile", quote(spec))
		}
	}
	return l
}

func (r *bunReader) readVersion(root *value) bool {
	m := root.get("lockfileVersion")
	switch {
	case m == nil:
		if !r.cut {
			r.invalid(root.off, hintBun, "no lockfileVersion")
		}
		return false
	case m.value.kind != numberKind:
		r.wrongType(m, numberKind)
		return false
	}
	if v, err := strconv.Atoi(m.value.text); err != nil || v < 0 || v > bunVersion {
		r.problem(sbom.Unsupported, m.off, "update countermark, or "+hintBun+" with Bun 1.2 to 1.4",
			"this lockfileVersion is not read by this version of countermark (0 to %d are)", bunVersion)
		return false
	}
	r.bun.version, _ = strconv.Atoi(m.value.text)
	return true
}

// readWorkspaces reads the project and the members of its workspace.
func (r *bunReader) readWorkspaces(root *value) bool {
	workspaces := r.member(root, "workspaces", objectKind)
	if workspaces == nil || workspaces.value.get("") == nil {
		if !r.cut {
			r.invalid(root.off, hintBun, "no entry \"\" among the workspaces for the project itself, so nobody knows which packages it asks for")
		}
		return false
	}
	r.entries = []entry{{off: none, target: none, parent: none}}
	for i := range workspaces.value.members {
		m := &workspaces.value.members[i]
		if m.value.kind != objectKind {
			r.wrongType(m, objectKind)
			continue
		}
		if why := badKey(m.name); why != "" || r.outsideOf(m.name) {
			r.invalid(m.off, hintBun, "the folder %s of a workspace member %s", quote(m.name), cmp.Or(why, "lies outside of the project"))
			continue
		}
		v := &m.value
		e := entry{key: m.name, off: m.off, target: none, parent: none, workspace: m.name != ""}
		e.name, _ = r.text(v, "name")
		if v.get("version") != nil {
			e.version = r.version(v)
		}
		e.bins = r.bins(v, e.name)
		e.deps = r.readDeps(v)
		if m.name == "" {
			r.name = e.name
			r.entries[0] = e
			continue
		}
		if !validName(e.name) {
			r.invalid(m.off, "name the workspace member", "the workspace member in %s has no name that a package may have", quote(m.name))
			continue
		}
		e.folder = e.name
		r.dirs[e.name] = e.key
		r.nodes[e.key] = len(r.entries)
		r.entries = append(r.entries, e)
	}
	return true
}

func (r *bunReader) outsideOf(dir string) bool { return dir == ".." || strings.HasPrefix(dir, "../") }

// readDeps reads what a package asks for. Which peers are optional stands in a
// list.
func (r *bunReader) readDeps(v *value) []dependency {
	r.judgeKeys(v, graphKeys...)
	deps := r.dependencies(v, true)
	for _, name := range []string{"dependencies", "devDependencies", "optionalDependencies", "peerDependencies"} {
		if m := v.get(name); m != nil && isEmptyArray(m) { // of which npm knows old ones
			r.wrongType(m, objectKind)
		}
	}
	optional := r.member(v, "optionalPeers", arrayKind)
	if optional == nil {
		return deps
	}
	names := r.list(optional)
	for i := range deps {
		if deps[i].kind == peerEdge && slices.Contains(names, deps[i].name) {
			deps[i].kind = peerOptionalEdge
		}
	}
	return deps
}

// readRules reads what stands beside workspaces and packages.
func (r *bunReader) readRules(root *value) {
	r.judgeKeys(root, "packages", "patchedDependencies", "overrides", "catalog", "catalogs")
	r.texts(root, "patchedDependencies", func(name, file string, m *member) {
		if badKey(file) != "" || file == "" || r.outsideOf(file) {
			r.invalid(m.off, hintBun, "the patch of %s is no file of the project", quote(name))
			file = ""
		}
		r.patches[name] = file
	})
	if m := r.member(root, "trustedDependencies", arrayKind); m != nil {
		for _, name := range r.list(m) {
			r.trusted[name] = true
		}
	}
	if m := r.member(root, "overrides", objectKind); m != nil {
		bunOverrides(&m.value, func(path []string, o *member) {
			if o.value.kind != stringKind {
				r.wrongType(o, stringKind)
				return
			}
			r.bun.overrides[strings.Join(path, ">")] = o.value.text
			name := overridden(path)
			r.bun.replaced[name] = append(r.bun.replaced[name], o.value.text)
		})
	}
	r.bun.catalogs[""] = map[string]string{}
	r.texts(root, "catalog", func(name, spec string, _ *member) { r.bun.catalogs[""][name] = spec })
	if m := r.member(root, "catalogs", objectKind); m != nil {
		for i := range m.value.members {
			name := m.value.members[i].name
			r.bun.catalogs[name] = map[string]string{}
			r.texts(&m.value, name, func(dep, spec string, _ *member) { r.bun.catalogs[name][dep] = spec })
		}
	}
}

// texts calls each for the members of an object of texts.
func (s *source) texts(obj *value, name string, each func(name, text string, m *member)) {
	group := s.member(obj, name, objectKind)
	if group == nil {
		return
	}
	for i := range group.value.members {
		m := &group.value.members[i]
		if m.value.kind != stringKind {
			s.wrongType(m, stringKind)
			continue
		}
		each(m.name, m.value.text, m)
	}
}

// bunKey splits a key into the names of the folders that it leads through, or
// returns nil.
func bunKey(key string) []string {
	var names []string
	if len(key) > maxKey {
		return nil
	}
	for rest := key; rest != ""; {
		name, after, more := strings.Cut(rest, "/")
		if strings.HasPrefix(name, "@") {
			base, further, again := strings.Cut(after, "/")
			name, after, more = name+"/"+base, further, again
		}
		if !validName(name) || more && after == "" {
			return nil
		}
		names = append(names, name)
		rest = after
	}
	return names
}

// readPackages adds the packages, the outermost folders first, since where one
// lies depends on those around it.
func (r *bunReader) readPackages(packages *value) {
	type placed struct {
		m     *member
		names []string
	}
	last := map[string]int{} // of duplicate keys, the last one counts
	for i := range packages.members {
		last[packages.members[i].name] = i
	}
	var all []placed
	for i := range packages.members {
		m := &packages.members[i]
		if last[m.name] != i || m.value.cut {
			continue
		}
		names := bunKey(m.name)
		switch {
		case names == nil:
			r.invalid(m.off, hintBun, "the key %s is no path of names of packages", quote(m.name))
		case len(all) >= maxEntries:
			r.invalid(m.off, hintSplit, "more than %d packages", maxEntries)
			r.cut = true
			return
		case len(names) > maxNesting:
			r.invalid(m.off, hintBun, "more than %d packages inside of each other", maxNesting)
		case m.value.kind != arrayKind:
			r.wrongType(m, arrayKind)
		default:
			all = append(all, placed{m, names})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(len(a.names), len(b.names)) })
	r.entries = slices.Grow(r.entries, len(all))
	for _, p := range all {
		name := p.names[len(p.names)-1]
		around := ""
		if len(p.names) > 1 {
			dir, ok := r.dirs[strings.Join(p.names[:len(p.names)-1], "/")]
			if !ok {
				if !r.cut {
					r.invalid(p.m.off, hintBun, "the package around %s is not in the lockfile", quote(p.m.name))
				}
				continue
			}
			around = dir + "/"
		}
		r.addPackage(p.m, around+"node_modules/"+name, name)
	}
}

// addPackage adds one package: [name@resolution, …].
func (r *bunReader) addPackage(m *member, key, name string) {
	elems := m.value.elems()
	if len(elems) == 0 || elems[0].kind != stringKind {
		r.invalid(m.off, hintBun, "%s does not begin with what it is resolved to", quote(m.name))
		return
	}
	e := entry{key: key, off: m.off, folder: name, target: none, parent: none}
	resolution := elems[0].text
	if strings.HasPrefix(resolution, "@root:") {
		resolution = name + resolution
	}
	var spec string
	e.name, spec = splitRequest(resolution)
	if !validName(e.name) || spec == "" {
		r.invalid(elems[0].off, hintBun, "%s is not resolved to a package", quote(m.name))
		return
	}
	dir := key
	scheme := schemeOf(spec)
	switch {
	case scheme == "workspace:", scheme == "root:":
		dir = path.Clean("./" + spec[len(scheme):])
		if scheme == "root:" {
			dir = "."
		}
		e.link, e.hasResolved, e.resolved = true, true, dir
		e.name = name
		if dir == "." {
			dir = key
		}
	case !r.readPackage(m, &e, spec, scheme):
		return
	}
	r.dirs[m.name] = dir
	r.nodes[e.key] = len(r.entries)
	r.entries = append(r.entries, e)
	if e.markBundled {
		if around, ok := r.nodes[strings.TrimSuffix(key, "/node_modules/"+name)]; ok {
			r.entries[around].bundles = append(r.entries[around].bundles, name)
		}
	}
}

// bunCommit is a commit as Bun writes it: of GitHub's with its first digits only.
var bunCommit = lazyregexp.New(`^[0-9a-f]{7,40}$`)

// bunArchive is a tarball in the project's folder.
var bunArchive = lazyregexp.New(`(?i)\.(tgz|tar\.gz|tar)$`)

// readPackage reads the shapes of the array behind the resolution: of a registry's
// package its URL, then for all what the package asks for, then for git a name of
// Bun's own for the commit, and at last the integrity.
func (r *bunReader) readPackage(m *member, e *entry, spec, scheme string) bool {
	rest := m.value.elems()[1:]
	tag := false
	switch {
	case plainVersion(spec) != "":
		e.version = plainVersion(spec)
		if len(rest) == 0 || rest[0].kind != stringKind {
			r.invalid(m.off, hintBun, "%s does not say from which registry it comes", quote(m.name))
			return false
		}
		e.resolved, rest = rest[0].text, rest[1:]
		e.hasResolved = e.resolved != ""
	case scheme == "link:":
		e.source = sbom.FromLink
	case scheme == "http:", scheme == "https:":
		e.source, e.resolved, e.hasResolved = sbom.FromTarball, spec, true
	case scheme == "file:" && !bunArchive.MatchString(spec):
		e.source, e.local = sbom.FromFile, linkedPath(spec[len(scheme):])
		e.version = r.versionIn(e.local)
	case scheme == "file:", scheme == "" && bunArchive.MatchString(spec):
		e.source, e.local = sbom.FromFile, linkedPath(spec[len(scheme):])
	default:
		if source, known := lockedSource(spec); !known || source != sbom.FromGit {
			r.problem(sbom.Unsupported, m.off, "check whether a newer version of countermark reads it",
				"%s is resolved in a way that this version does not read", quote(m.name))
			return false
		}
		e.resolved, e.hasResolved, tag = spec, true, true
	}
	if len(rest) == 0 || rest[0].kind != objectKind {
		r.invalid(m.off, hintBun, "%s does not say what it depends on", quote(m.name))
		return false
	}
	r.readInfo(&rest[0], e)
	rest = rest[1:]
	if tag {
		if len(rest) == 0 || rest[0].kind != stringKind {
			r.invalid(m.off, hintBun, "%s does not say which commit Bun has fetched", quote(m.name))
			return false
		}
		rest = rest[1:]
	}
	r.readIntegrity(m, rest, e)
	if file, ok := r.patches[m.value.elems()[0].text]; ok {
		r.patched[m.value.elems()[0].text] = true
		e.patches = append(e.patches, sbom.Patch{Path: file})
	}
	if r.trusted[e.folder] {
		e.properties = append(e.properties, sbom.Property{Name: PropertyBunTrusted, Value: "true"})
	}
	return true
}

// readIntegrity reads the last element. Bun writes none, or an empty one, of what
// it has no digest for.
func (r *bunReader) readIntegrity(m *member, rest []value, e *entry) {
	switch {
	case len(rest) > 1 || len(rest) == 1 && rest[0].kind != stringKind:
		r.invalid(m.off, hintBun, "%s ends in something that is no integrity", quote(m.name))
	case len(rest) == 0 && e.version != "" && e.source == "":
		r.invalid(m.off, hintBun, "%s ends without its integrity", quote(m.name))
	case len(rest) == 1 && rest[0].text != "":
		hashes, err := sbom.ParseIntegrity(rest[0].text)
		if err != nil {
			r.invalid(rest[0].off, hintBun, "the integrity of %s: %v", quote(m.name), err)
		}
		e.integrity = hashes
	}
}

func (r *bunReader) readInfo(v *value, e *entry) {
	e.deps = r.readDeps(v)
	e.bins = r.bins(v, e.name)
	e.markBundled = r.flag(v, "bundled")
	for _, limit := range []struct{ name, property string }{{"os", PropertyBunOS}, {"cpu", PropertyBunCPU}} {
		m := v.get(limit.name)
		switch {
		case m == nil:
		case m.value.kind == stringKind:
			e.properties = append(e.properties, sbom.Property{Name: limit.property, Value: redact(m.value.text)})
		case m.value.kind == arrayKind:
			for _, text := range r.list(m) {
				e.properties = append(e.properties, sbom.Property{Name: limit.property, Value: redact(text)})
			}
		default:
			r.wrongType(m, arrayKind)
		}
	}
}

// versionIn is the version of a folder of the project, which Bun does not lock.
func (r *bunReader) versionIn(dir string) string {
	if r.file.FS == nil || dir == "" || r.outsideOf(dir) {
		return ""
	}
	data, err := r.file.Sibling(path.Join(dir, Manifest))
	if err != nil {
		return ""
	}
	if m := parseJSON(data).root.get("version"); m != nil && m.value.kind == stringKind {
		return plainVersion(m.value.text)
	}
	return ""
}

// judgeBundlers: of what comes inside of another package, Bun locks what the
// registry has, and installs what the tarball holds.
func (r *bunReader) judgeBundlers() {
	for i := range r.entries {
		if e := &r.entries[i]; len(e.bundles) > 0 {
			e.incomplete = true
			r.warn(e.off, "", "%s brings packages along inside of its tarball, which may be other versions than those that Bun locks", r.label(e))
		}
	}
}

// linkMembers adds the links to members that are not among the packages.
func (r *bunReader) linkMembers() {
	for i := range r.entries {
		e := &r.entries[i]
		key := "node_modules/" + e.name
		if _, ok := r.nodes[key]; ok || !e.workspace {
			continue
		}
		r.nodes[key] = len(r.entries)
		r.entries = append(r.entries, entry{
			key: key, off: e.off, folder: e.name, name: e.name, link: true, hasResolved: true, resolved: e.key, target: none, parent: none,
		})
	}
}

// mark finds for what each package is installed, by how it is reached from the
// project and its members: Bun's lockfile does not say.
func (l *lockfile) mark() {
	reached := l.reach(func(edgeKind) bool { return true })
	shipped := l.reach(func(k edgeKind) bool { return k != devEdge })
	required := l.reach(func(k edgeKind) bool { return k != devEdge && !k.mayMiss() })
	needed := l.reach(func(k edgeKind) bool { return !k.mayMiss() })
	unasked := l.reach(func(k edgeKind) bool { return k != peerEdge && k != peerOptionalEdge })
	for i := range l.entries {
		e := &l.entries[i]
		e.use = sbom.UseOf(reached[i], shipped[i], required[i], needed[i])
		e.use.Peer = reached[i] && !unasked[i]
	}
}

// catalog returns what is asked for where a spec only names a catalog.
func (r *bunRules) catalog(name, spec string) (string, bool) {
	catalog, ok := strings.CutPrefix(spec, "catalog:")
	if !ok {
		return spec, true
	}
	spec, ok = r.catalogs[strings.TrimSpace(catalog)][name]
	return spec, ok
}

// compareCatalogs: package.json has them at its top, or below "workspaces".
func (l *lockfile) compareCatalogs(m *manifest) {
	same := func(catalog string, group *value) {
		for i := range group.members {
			d := &group.members[i]
			if locked, ok := l.bun.catalogs[catalog][d.name]; ok && locked != d.value.text {
				m.invalid(d.off, hintBun, "%s has another range in the catalog of %s", quote(d.name), l.quotePath())
			}
		}
	}
	groups := []*value{&m.doc.root}
	if w := m.doc.root.get("workspaces"); w != nil && w.value.kind == objectKind {
		groups = append(groups, &w.value)
	}
	for _, group := range groups {
		if c := group.get("catalog"); c != nil {
			same("", &c.value)
		}
		if c := group.get("catalogs"); c != nil {
			for i := range c.value.members {
				same(c.value.members[i].name, &c.value.members[i].value)
			}
		}
	}
}

// placeDirect says where what the project and its members ask for themselves is
// found. Where the rest lies depends on how Bun is told to lay it out.
func (p *projects) placeDirect(at *folder, ids []sbom.ID) {
	l := at.lockfile
	for i := range l.entries {
		e := &l.entries[i]
		if i != 0 && !e.workspace {
			continue
		}
		for _, d := range e.edges {
			if to := l.instance(d.to); to != none && ids[to] != sbom.NoID {
				p.b.Place(path.Join(at.dir, e.key, "node_modules", d.name), ids[to], l.entries[to].bins...)
			}
		}
	}
}
