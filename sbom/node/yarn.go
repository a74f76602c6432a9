package node

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
)

// YarnLock is yarn's lockfile, of yarn 1 ("classic") or of yarn 2 and newer
// ("berry").
const YarnLock = "yarn.lock"

// Properties of what yarn alone says of a package.
const (
	// PropertyYarnChecksum is the digest of the archive into which yarn packs a
	// package again. It is no hash of the package's own tarball.
	PropertyYarnChecksum   = "countermark:yarn:checksum"
	PropertyYarnConditions = "countermark:yarn:conditions" // the systems on which yarn installs the package
	PropertyYarnPatch      = "countermark:yarn:patch"      // a patch of yarn's own, by its name
)

const hintYarn = "run `yarn install` and commit the yarn.lock that it writes"

// yarnLock is a yarn.lock, resolved. Both forms say of each package by which
// requests (a name and a range) it is found, so an edge is a matter of looking
// up, never of guessing by name.
type yarnLock struct {
	*source
	berry    bool
	cut      bool // it breaks off, or cannot be read; what is missing is unknown
	rootless bool // nobody knows what the project asks for
	entries  []yarnEntry
	index    map[yarnWant]int
	builtin  map[yarnWant]int // of what yarn patches without being asked: the request that it replaces
	rules    yarnRules
}

// yarnWant is a request.
type yarnWant struct {
	name, spec string
	locator    string // of who asks, where the spec is a path
}

// yarnEntry is one package of a yarn.lock, or a folder of the project.
type yarnEntry struct {
	keys       []yarnKey
	off        int
	name       string // the package's own
	version    string
	resolution string // of berry: the locator

	source   sbom.Source
	resolved string // as recorded; of git, with the commit as fragment
	dir      string // of the project's own folders and linked ones, relative to the project
	hashes   []sbom.Hash

	aliases    []string
	bins       []string // the commands that it provides, where the lockfile says
	patches    []string
	properties []sbom.Property

	deps  []dependency
	edges []edge
	base  yarnWant // of a patched package: what is patched
	own   *manifest
}

// yarnForm says which form a text is of: the version of yarn 1's comment, "" where
// there is none, and whether it has the metadata of newer ones.
func yarnForm(data []byte) (classic string, berry bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	const header = "# yarn lockfile v"
	if at := lineWith(data, header); at >= 0 {
		line, _, _ := bytes.Cut(data[at+len(header):], []byte("\n")) // whole: of half a URL nobody knows what is a password
		classic = string(bytes.TrimSpace(line))
	}
	for _, prefix := range []string{"__metadata:", `"__metadata":`, "'__metadata':"} {
		berry = berry || lineWith(data, prefix) >= 0
	}
	return classic, berry
}

// readYarn parses a yarn.lock. What is wrong with it is among the file's problems.
func readYarn(f *sbom.File) *yarnLock {
	l := &yarnLock{
		source: &source{file: f, doc: &document{lines: newLines(f.Data)}},
		index:  map[yarnWant]int{}, builtin: map[yarnWant]int{},
	}
	data := f.Data
	if bad := judgeYarnText(data); bad != nil {
		l.broken(bad)
		if bad.off != len(data)-1 {
			return l
		}
		data = data[:bytes.LastIndexByte(data, '\n')+1]
	}
	var header string
	header, l.berry = yarnForm(data)
	switch {
	case header != "" && l.berry:
		l.broken(syntaxAt(0, "it claims to be of yarn 1 and of a newer yarn"))
	case header != "" && header != "1":
		l.cut = true
		l.problem(sbom.Unsupported, 0, "update countermark", "yarn lockfiles of version %s are not read by this version (1 is)", quote(header))
	case header == "" && !l.berry && len(strings.TrimSpace(string(data))) == 0:
		l.broken(syntaxAt(0, "the file is empty"))
	case l.berry:
		nodes, bad := parseBerry(data, l.doc.lines, false)
		l.readNodes(nodes, bad, l.readBerry)
	default:
		nodes, bad := parseClassic(data)
		if header == "" && len(nodes) == 0 { // yarn 1 does not insist on its comment
			bad = syntaxAt(0, "neither \"# yarn lockfile v1\" nor __metadata says that this is a lockfile of yarn")
		}
		l.readNodes(nodes, bad, l.readClassic)
		l.judgeLast()
	}
	return l
}

func (l *yarnLock) broken(bad *syntaxError) {
	if !l.cut {
		l.invalid(bad.off, bad.hint(hintYarn), "invalid yarn.lock: %s", bad.msg)
	}
	l.cut = true
}

func (l *yarnLock) readNodes(nodes []yarnNode, bad *syntaxError, read func(*yarnNode) (yarnEntry, bool)) {
	if bad != nil {
		l.broken(bad)
	}
	l.entries = slices.Grow(l.entries, min(len(nodes), maxEntries))
	for i := range nodes {
		n := &nodes[i]
		switch {
		case l.berry && n.name() == "__metadata":
			if !l.readMetadata(n) {
				return
			}
			continue
		case !n.block:
			l.invalid(n.off(), hintYarn, "the entry %s must have lines below it", quote(n.name()))
			continue
		case len(l.entries) >= maxEntries:
			l.broken(tooMuch(n.off(), "more than %d packages", maxEntries))
			return
		}
		l.judgeDuplicates(n.children)
		if e, ok := read(n); ok {
			l.entries = append(l.entries, e)
			l.addKeys(len(l.entries) - 1)
		}
	}
}

// judgeDuplicates: where a name stands twice, two programs may read two different
// packages.
func (l *yarnLock) judgeDuplicates(nodes []yarnNode) {
	seen := map[string]bool{}
	for i := range nodes {
		n := &nodes[i]
		if seen[n.name()] {
			l.invalid(n.off(), hintYarn, "%s stands twice in the same entry", quote(n.name()))
		}
		seen[n.name()] = true
		l.judgeDuplicates(n.children)
	}
}

func (l *yarnLock) addKeys(i int) {
	for _, k := range l.entries[i].keys {
		w, ok := l.want(k.text)
		if !ok {
			l.invalid(k.off, hintYarn, "%s is no request of a package", quote(k.text))
			continue
		}
		if other, taken := l.index[w]; taken && other != i {
			l.invalid(k.off, hintYarn, "%s is the key of two packages", quote(k.text))
			continue
		}
		l.index[w] = i
		if b, ok := builtinRequest(w); ok {
			l.builtin[b] = i
		}
	}
}

// want parses a key: name@range, and in berry's form the folder by which a path is
// meant.
func (l *yarnLock) want(key string) (w yarnWant, ok bool) {
	w.name, w.spec = splitRequest(key)
	if l.berry {
		var params string
		w.spec, params, _ = strings.Cut(w.spec, "::")
		w.locator = yarnParam(params, "locator")
	}
	return w, l.named(w.name, w.spec)
}

// named reports whether something that is resolved in that way can have the name. A
// folder of the project, which no registry knows, may be called what its owner likes.
func (l *yarnLock) named(name, reference string) bool {
	if validName(name) {
		return true
	}
	own := l.berry && slices.Contains([]string{"workspace:", "link:", "portal:"}, schemeOf(reference))
	return own && name != "" && len(name) <= maxName && name[0] != '.' &&
		every(name, func(c byte) bool { return c >= ' ' && c <= '~' && strings.IndexByte(`/\@`, c) < 0 })
}

// splitRequest parts name@range and name@reference at the first @ that does not
// begin a scope.
func splitRequest(s string) (name, rest string) {
	if s == "" {
		return "", ""
	}
	if at := strings.IndexByte(s[1:], '@'); at >= 0 {
		return s[:at+1], s[at+2:]
	}
	return s, ""
}

// text returns the value of a line, which must be no block.
func (l *yarnLock) text(n *yarnNode) string {
	if n.block {
		l.invalid(n.off(), hintYarn, "%s must be a text", quote(n.name()))
	}
	return n.value
}

// names calls each for the lines of a block.
func (l *yarnLock) names(n *yarnNode, each func(*yarnNode)) {
	if !n.block {
		l.invalid(n.off(), hintYarn, "%s must have lines below it", quote(n.name()))
	}
	for i := range n.children {
		each(&n.children[i])
	}
}

func (l *yarnLock) version(n *yarnNode) string {
	v := plainVersion(l.text(n))
	if v == "" {
		l.invalid(n.off(), hintYarn, "the version is not of the form 1.2.3")
	}
	return v
}

func (l *yarnLock) readRequests(n *yarnNode, kind edgeKind) (deps []dependency) {
	l.names(n, func(d *yarnNode) {
		if text := l.text(d); l.named(d.name(), text) {
			deps = append(deps, dependency{name: d.name(), spec: text, kind: kind, off: d.off()})
		} else {
			l.invalid(d.off(), hintYarn, "%s is no name of a package", quote(d.name()))
		}
	})
	return deps
}

// label is an entry as messages name it.
func (e *yarnEntry) label() string {
	if e.source == sbom.FromProject {
		if e.dir == "" {
			return "the project"
		}
		return quote(e.dir)
	}
	return quote(e.name + "@" + e.version)
}

// find returns the entry that a request leads to, or none.
func (l *yarnLock) find(name, spec, locator string) int {
	specs := []string{spec}
	if l.berry {
		specs = berrySpecs(spec)
	}
	for _, found := range []map[yarnWant]int{l.builtin, l.index} {
		for _, s := range specs {
			for _, from := range []string{"", locator} {
				if i, ok := found[yarnWant{name, s, from}]; ok {
					return i
				}
			}
		}
	}
	return none
}

// resolve finds for each dependency the package that yarn resolved it to.
func (l *yarnLock) resolve() {
	for i := range l.entries {
		e := &l.entries[i]
		deps := e.deps
		if l.berry {
			deps = l.rules.extend(e)
		}
		for _, d := range deps {
			to := l.lookUp(e, d)
			e.edges = append(e.edges, edge{d, to})
			switch {
			case to != none || l.cut:
			case !l.berry && d.kind == optionalEdge:
				l.warn(e.at(d), hintYarn, "%s asks for %s, which is optional and not in the lockfile", e.label(), quote(d.name))
			case e.own != nil && e.source == sbom.FromProject && !l.berry:
				e.own.invalid(d.off, hintYarn, "%s does not fit %s, so `yarn install --frozen-lockfile` would refuse to install", quote(d.name), quote(l.file.Path))
			default:
				l.invalid(e.at(d), hintYarn, "%s depends on %s, which is not in the lockfile", e.label(), quote(d.name))
			}
		}
		if e.base.name == "" {
			continue
		}
		if to, ok := l.index[e.base]; ok { // the patched package is made of it
			e.edges = append(e.edges, edge{dependency{name: e.name}, to})
		}
	}
}

func (l *yarnLock) lookUp(e *yarnEntry, d dependency) int {
	if l.berry {
		return l.findBerry(e, d)
	}
	return l.findClassic(d)
}

// at is the place of a dependency in the lockfile, which has none for those that
// a package.json asks for.
func (e *yarnEntry) at(d dependency) int {
	if e.own != nil && e.source == sbom.FromProject {
		return e.off
	}
	return d.off
}

// uses says for what each package is installed, by how it is reached from the
// project's own folders. reached tells which are asked for at all.
func (l *yarnLock) uses() (use []sbom.Use, reached []bool) {
	reach := func(follow func(edgeKind) bool) []bool {
		seen := make([]bool, len(l.entries))
		var queue []int
		for i := range l.entries {
			if l.entries[i].source == sbom.FromProject {
				seen[i] = true
				queue = append(queue, i)
			}
		}
		for len(queue) > 0 {
			next := l.entries[queue[0]].edges
			queue = queue[1:]
			for _, e := range next {
				if e.to != none && !seen[e.to] && follow(e.kind) {
					seen[e.to] = true
					queue = append(queue, e.to)
				}
			}
		}
		return seen
	}
	required := reach(func(k edgeKind) bool { return k == prodEdge || k == workspaceEdge })
	shipped := reach(func(k edgeKind) bool { return k != devEdge })
	needed := reach(func(k edgeKind) bool { return !k.mayMiss() })
	reached = reach(func(edgeKind) bool { return true })
	use = make([]sbom.Use, len(l.entries))
	for i := range use {
		use[i] = sbom.UseOf(reached[i], shipped[i], required[i], needed[i])
		use[i].Locked = true
	}
	return use, reached
}

// addYarn adds what a yarn.lock installs.
func (p *projects) addYarn(at *folder) {
	l := at.yarn
	if l.berry {
		p.readBerryFolders(at)
	} else {
		p.readClassicFolders(at)
	}
	l.resolve()
	use, reached := l.uses()
	ids := make([]sbom.ID, len(l.entries))
	root := none
	for i := range l.entries {
		ids[i] = sbom.NoID
		if e := &l.entries[i]; e.source == sbom.FromProject && e.dir == "" {
			root = i
		}
	}
	edges := 0
	for i := range l.entries {
		edges += len(l.entries[i].edges)
	}
	p.b.Reserve(len(l.entries), edges, 0)
	rootID := p.addYarnRoot(at, root)
	for i := range l.entries {
		e := &l.entries[i]
		if i == root {
			ids[i] = rootID
			continue
		}
		ids[i] = p.addYarnEntry(at, e, use[i])
		if e.source == sbom.FromProject && ids[i] != sbom.NoID {
			p.b.LinkFor(rootID, ids[i], sbom.Use{Member: true})
			p.b.Project(ids[i], path.Join(at.dir, e.dir))
		}
	}
	for i := range l.entries {
		for _, e := range l.entries[i].edges {
			if e.to != none && ids[i] != sbom.NoID && ids[e.to] != sbom.NoID {
				p.b.LinkFor(ids[i], ids[e.to], e.use())
			}
		}
		if e := &l.entries[i]; e.source == sbom.FromProject {
			p.placeYarn(at, e, ids)
		}
	}
	l.judgeUnasked(reached)
}

// placeYarn says where what a folder of the project asks for is found: `yarn run`
// knows the commands of these only, and whatever yarn hoists, these are found from
// there. The lockfile of yarn 1 does not say which commands a package has.
func (p *projects) placeYarn(at *folder, e *yarnEntry, ids []sbom.ID) {
	for _, d := range e.edges {
		if d.to != none && ids[d.to] != sbom.NoID {
			p.b.Place(path.Join(at.dir, e.dir, "node_modules", d.name), ids[d.to], at.yarn.entries[d.to].bins...)
		}
	}
}

func (p *projects) addYarnRoot(at *folder, root int) sbom.ID {
	l := at.yarn
	if at.added {
		l.invalid(none, "delete the one that is not used",
			"there is a lockfile of another package manager beside it, and which of them counts depends on who installs")
	}
	off := 0
	coverage := sbom.CompleteCoverage
	if root == none || l.cut || l.rootless {
		coverage = sbom.IncompleteCoverage
	}
	if root != none {
		off = max(l.entries[root].off, 0)
	}
	license := ""
	if at.manifest != nil {
		license = at.manifest.license
	}
	return p.addProject(at, at.manifest, l.occurrence(off, ""), coverage, license)
}

// projectName is the name that a lockfile of berry has for the project, or "".
func (l *yarnLock) projectName() string {
	for i := range l.entries {
		if e := &l.entries[i]; e.source == sbom.FromProject && e.dir == "" {
			return e.name
		}
	}
	return ""
}

// judgeUnasked tells of packages that nobody asks for. They are listed, as
// extraneous.
func (l *yarnLock) judgeUnasked(reached []bool) {
	first := slices.Index(reached, false)
	if first == none || l.cut || l.rootless {
		return
	}
	n := 0
	for _, is := range reached {
		if !is {
			n++
		}
	}
	if l.berry {
		l.warn(l.entries[first].off, "run `yarn install`, which drops what is not needed; yarn also adds a few dependencies by a list of its own",
			"nothing in the lockfile asks for %s (one of %d such packages)", l.entries[first].label(), n)
		return
	}
	l.warn(l.entries[first].off, hintYarn, "nothing asks for %s (one of %d such packages)", l.entries[first].label(), n)
}

func (p *projects) addYarnEntry(at *folder, e *yarnEntry, use sbom.Use) sbom.ID {
	l := at.yarn
	c := sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.NPM, Name: e.name, Version: e.version, Source: e.source,
		Hashes: e.hashes, Properties: slices.Clone(e.properties), Coverage: sbom.CompleteCoverage,
	}
	if l.cut {
		c.Coverage = sbom.IncompleteCoverage
	}
	for _, alias := range e.aliases {
		c.Properties = append(c.Properties, sbom.Property{Name: PropertyAlias, Value: alias})
	}
	for _, patch := range e.patches {
		if strings.Contains(patch, "<") { // one that yarn brings along
			c.Properties = append(c.Properties, sbom.Property{Name: PropertyYarnPatch, Value: patch})
			c.Patches = append(c.Patches, sbom.Patch{})
			continue
		}
		c.Patches = append(c.Patches, sbom.Patch{Path: path.Join(at.dir, patch)})
	}
	switch e.source {
	case sbom.FromProject, sbom.FromLink:
		p.describeFolder(at, e, &c)
	case sbom.FromGit:
		_, c.Distribution = Distribution(e.resolved)
		c.Resolved = vcsURL(e.resolved)
		c.PURL = purl(e.name, e.version, "vcs_url", c.Resolved)
	case sbom.FromTarball:
		c.Resolved, c.Distribution = Distribution(e.resolved)
		c.PURL = purl(e.name, e.version, "download_url", c.Resolved)
	case sbom.FromRegistry, sbom.FromFile:
		if e.resolved != "" {
			c.Resolved, c.Distribution = Distribution(e.resolved)
		}
		c.PURL = purl(e.name, e.version, "", "")
	default:
		return sbom.NoID // a problem already
	}
	off := e.off
	where := make([]sbom.Occurrence, 0, 1)
	if off >= 0 {
		where = append(where, l.occurrence(off, ""))
	} else if e.own != nil {
		where = append(where, e.own.occurrence(e.own.doc.root.off, ""))
	}
	return p.b.Add(c, use, where...)
}

// describeFolder takes from a folder's package.json what the lockfile does not
// say: the version of the user's own code.
func (p *projects) describeFolder(at *folder, e *yarnEntry, c *sbom.Component) {
	c.Version = ""
	if m := e.own; m != nil {
		c.Version, c.License, c.Private = m.version, m.license, m.private
		c.Properties = append(c.Properties, m.binProperties()...)
	}
	if e.source == sbom.FromProject {
		c.Type = sbom.Application
	}
	dir := path.Join(at.dir, e.dir)
	if c.Version != "" {
		c.PURL = p.ownPURL(e.name, c.Version, c.Source, dir)
	}
	if c.PURL == "" {
		c.Ref = "npm:" + cmp.Or(dir, e.name)
	}
}

// folderManifest returns the package.json of a folder of the project: the one of
// the scan, or, where the lockfile was named alone, the one that lies there.
func (p *projects) folderManifest(at *folder, dir string) *manifest {
	if dir == "" {
		return at.manifest
	}
	if own := p.folders[path.Join(at.dir, dir)]; own != nil && own.manifest != nil {
		return own.manifest
	}
	if at.pkg != nil {
		return nil
	}
	data, err := at.yarn.file.Sibling(path.Join(dir, Manifest))
	if err != nil {
		return nil
	}
	s := parseSource(at.yarn.file, data)
	s.beside = true
	return readManifest(s)
}

// ownRequests returns what a folder of the project asks for. Yarn installs no
// peers of it. What stands among dependencies and devDependencies is no
// development dependency.
func (m *manifest) ownRequests() []dependency {
	var out []dependency
	root := &m.doc.root
	for _, d := range m.deps {
		if d.kind == peerEdge || d.kind == peerOptionalEdge {
			continue
		}
		if d.kind == devEdge {
			for _, other := range []struct {
				name string
				kind edgeKind
			}{{"optionalDependencies", optionalEdge}, {"dependencies", prodEdge}} {
				if group := root.get(other.name); group != nil {
					if same := group.value.get(d.name); same != nil && same.value.kind == stringKind {
						d.kind, d.spec, d.off = other.kind, same.value.text, same.off
					}
				}
			}
		}
		out = append(out, d)
	}
	return out
}
