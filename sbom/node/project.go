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

// folder is a folder with files of a Node project.
type folder struct {
	dir      string // in the inventory, "" for the top
	lock     *sbom.File
	shrink   *sbom.File
	pkg      *sbom.File
	foreign  bool // holds a lockfile that is not read
	lockfile *lockfile
	bunFile  *sbom.File
	others   []otherLock
	yarnFile *sbom.File
	yarn     *yarnLock
	manifest *manifest
	id       sbom.ID // of the project, once it was added
	added    bool

	otherFiles []*sbom.File // lockfiles of other package managers that are read

	modules *sbom.File            // the node_modules, where installed packages are read
	pnp     map[string]*sbom.File // what yarn has in place of one, by kind
}

// path is where something in the folder lies. Most lockfiles lie at the top, where the
// paths in them are what they are.
func (at *folder) path(name string) string {
	if at.dir == "" && name != "" {
		return path.Clean(name)
	}
	return path.Join(at.dir, name)
}

// otherLock is the lockfile of another package manager than npm, read.
type otherLock interface {
	covers() []string                // the folders whose dependencies it resolves
	compare(dir string, m *manifest) // with the package.json of one of these
	add(at *folder)                  // to the inventory, once all folders are known
}

// covered is a folder that the lockfile of another one describes.
type covered struct {
	by    *lockfile
	entry int

	other otherLock // in place of these two
}

// projects are the Node projects of one scan.
type projects struct {
	b       *sbom.Builder
	folders map[string]*folder
	members map[string]covered   // by folder
	purls   map[string]string    // of the user's own code: which folder has it
	yarns   map[string]*yarnLock // by folder: the yarn.lock that says what it installs

	installed bool // only what lockfiles say is wanted, and of nothing else that there is none
}

func inDir(p string) string {
	if dir := path.Dir(p); dir != "." {
		return dir
	}
	return ""
}

func (p *projects) sort(f *sbom.File) {
	dir := inDir(f.Path)
	at := p.folders[dir]
	if at == nil {
		at = &folder{dir: dir}
		p.folders[dir] = at
	}
	if base := path.Base(f.Path); base != f.Kind && strings.EqualFold(base, f.Kind) {
		f.Problem(sbom.Problem{
			Code: sbom.Warning, Message: "only systems that ignore the case of file names take this for " + f.Kind, Hint: "rename it to " + f.Kind,
		})
	}
	switch f.Kind {
	case PackageLock:
		at.lock = only(at.lock, f)
	case Shrinkwrap:
		at.shrink = only(at.shrink, f)
	case YarnLock:
		p.noPeers(f)
		at.yarnFile = only(at.yarnFile, f)
	case BunLock:
		at.bunFile = only(at.bunFile, f)
	case NodeModules:
		at.modules = f
	case PnPLoader, pnpOldLoader, PnPData:
		if at.pnp == nil {
			at.pnp = map[string]*sbom.File{}
		}
		at.pnp[f.Kind] = f
	case Manifest:
		at.pkg = only(at.pkg, f)
	case PNPMLock:
		p.noPeers(f)
		at.otherFiles = append(at.otherFiles, f)
	default:
		at.foreign = true
		f.Problem(sbom.Problem{
			Code:    sbom.Unsupported,
			Message: "lockfiles of " + unread[f.Kind] + " are not read by this version, so what this one pins is unknown",
			Hint:    cmp.Or(hintUnread[f.Kind], "check a package-lock.json instead (`npm install --package-lock-only` writes one), or exclude the folder in the policy"),
		})
	}
}

// noPeers notes that a lockfile does not tell who is a peer. What is installed does.
func (p *projects) noPeers(f *sbom.File) {
	if !p.installed {
		f.NoPeers()
	}
}

// only returns the file that is read where there may be two of a kind: the one
// whose name is exact. Which one npm takes depends on the system.
func only(have, f *sbom.File) *sbom.File {
	if have == nil {
		return f
	}
	if path.Base(have.Path) != have.Kind {
		have, f = f, have
	}
	f.Problem(sbom.Problem{
		Code: sbom.Invalid, Message: "there is another " + f.Kind + " beside it, and which one counts depends on the system",
		Hint: "delete one of them",
	})
	return have
}

// load parses the files of a folder and learns which other folders they cover.
func (p *projects) load(at *folder) {
	if at.pkg != nil {
		at.manifest = readManifest(newSource(at.pkg))
	}
	at.obey()
	p.loadOthers(at)
	lock := at.chooseLock()
	if f := cmp.Or(lock, at.bunFile, at.yarnFile); f != nil && at.pkg == nil {
		at.manifest = siblingManifest(f)
	}
	if at.yarnFile != nil {
		at.yarn = readYarn(at.yarnFile)
	}
	if at.bunFile != nil && lock != nil {
		at.bunFile.Problem(sbom.Problem{
			Code: sbom.Invalid, Message: "there is a lockfile of npm beside it, and which of them counts depends on who installs",
			Hint: "delete the one that is not used",
		})
	}
	f := cmp.Or(lock, at.bunFile)
	if f == nil {
		return
	}
	if c, ok := p.members[at.dir]; ok && c.by != nil && c.by.declared && c.by.entries[c.entry].workspace {
		program := "npm"
		if c.by.bun != nil {
			program = "Bun"
		}
		f.Problem(sbom.Problem{
			Code:    sbom.Warning,
			Message: program + " ignores this lockfile, since the folder is a workspace member of another project",
			Hint:    "delete it",
		})
		return
	}
	if lock != nil {
		at.lockfile = readLockfile(lock, at.manifest)
	} else {
		at.lockfile = readBun(at.bunFile, at.manifest)
	}
	p.coverMembers(at)
}

// coverMembers notes which other folders a lockfile describes.
func (p *projects) coverMembers(at *folder) {
	if at.lockfile == nil {
		at.foreign = true // there is a lockfile, and it says nothing
		return
	}
	for i := range at.lockfile.entries {
		e := &at.lockfile.entries[i]
		if i == 0 || e.link || e.installed() && e.local == "" {
			continue
		}
		if dir := path.Join(at.dir, cmp.Or(e.local, e.key)); p.members[dir] == (covered{}) {
			p.members[dir] = covered{by: at.lockfile, entry: i}
		}
	}
}

// loadOthers parses the lockfiles of other package managers than npm.
func (p *projects) loadOthers(at *folder) {
	for _, f := range at.otherFiles {
		if beside := at.besides(); beside != "" {
			f.Problem(sbom.Problem{
				Code: sbom.Invalid, Message: "there is a lockfile of " + beside + " beside it, and which of them counts depends on who installs",
				Hint: "delete the one that is not used",
			})
		}
		l := p.readPNPM(f, at)
		if l == nil {
			at.foreign = true // there is a lockfile, and it says nothing
			continue
		}
		at.others = append(at.others, l)
		for _, dir := range l.covers() {
			if p.members[dir] == (covered{}) && dir != at.dir {
				p.members[dir] = covered{other: l}
			}
		}
	}
}

// besides names the package manager whose lockfile lies in the folder, too.
func (at *folder) besides() string {
	switch {
	case at.lock != nil || at.shrink != nil:
		return "npm"
	case at.bunFile != nil:
		return "Bun"
	}
	return ""
}

// judgeSibling looks for the file that npm would take instead of a lockfile that
// was named alone.
func judgeSibling(lock *sbom.File) {
	if !strings.EqualFold(path.Base(lock.Path), PackageLock) {
		return // a copy under another name
	}
	beside, err := fs.ReadDir(lock.FS, path.Dir(lock.Name))
	shrinkwrap := slices.ContainsFunc(beside, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), Shrinkwrap) })
	problem := sbom.Problem{Code: sbom.Invalid, Hint: "check the folder, or delete the one that is out of date"}
	switch {
	case shrinkwrap:
		problem.Message = "npm ignores this file, since there is an npm-shrinkwrap.json beside it, which was not checked"
	case err != nil:
		problem.Message = "its folder cannot be read, so nobody knows whether there is an npm-shrinkwrap.json, which npm would take instead"
	default:
		return
	}
	lock.Problem(problem)
}

// chooseLock takes npm-shrinkwrap.json, if there is one that is not empty,
// before package-lock.json, as npm does.
func (at *folder) chooseLock() *sbom.File {
	switch {
	case at.shrink == nil:
		if at.lock != nil {
			judgeSibling(at.lock)
		}
		return at.lock
	case at.lock == nil:
		return at.shrink
	case len(at.shrink.Data) == 0:
		at.shrink.Problem(sbom.Problem{Code: sbom.Invalid, Message: "the file is empty, so npm takes package-lock.json", Hint: "delete it, or run `npm shrinkwrap`"})
		return at.lock
	}
	at.lock.Problem(sbom.Problem{
		Code:    sbom.Warning,
		Message: "npm ignores this file, since there is an npm-shrinkwrap.json beside it",
		Hint:    "delete the one that is out of date",
	})
	return at.shrink
}

// siblingManifest reads the package.json beside a lockfile that was named alone.
func siblingManifest(lock *sbom.File) *manifest {
	data, err := lock.Sibling(Manifest)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			lock.Problem(sbom.Problem{Code: sbom.Warning, Message: "the package.json beside it cannot be read, so they were not compared"})
		}
		return nil
	}
	s := parseSource(lock, data)
	s.beside = true
	return readManifest(s)
}

// add adds a folder's project to the inventory, if it has one of its own.
func (p *projects) add(at *folder) {
	if at.yarn != nil && p.yarns[at.dir] != nil {
		at.yarn.warn(none, "delete it", "yarn ignores this lockfile, since the folder is a workspace member of another project")
		at.yarn = nil
	}
	for _, other := range at.others {
		other.add(at)
	}
	if at.lockfile != nil {
		at.lockfile.compare(0, at.manifest)
		p.addLocked(at)
	}
	if at.yarn != nil {
		p.addYarn(at)
	}
	if at.lockfile != nil || at.yarn != nil || len(at.others) > 0 || p.yarns[at.dir] != nil {
		return
	}
	m := at.manifest
	if m == nil {
		return
	}
	if c, ok := p.members[at.dir]; ok {
		if c.other != nil {
			c.other.compare(at.dir, m)
		} else {
			c.by.compare(c.entry, m)
		}
		return
	}
	if p.installed {
		return
	}
	pinned := p.foreignAbove(at.dir)
	if len(m.deps) > 0 && !pinned {
		m.problem(sbom.NoLockfile, m.depsOff, "run `npm install --package-lock-only` and commit package-lock.json, or check the folder that holds the lockfile",
			"no lockfile pins what this project installs")
	}
	if at.dir != "" && (len(m.deps) == 0 || pinned) {
		return
	}
	coverage := sbom.CompleteCoverage
	if len(m.deps) > 0 || at.foreign || m.doc.err != nil {
		coverage = sbom.IncompleteCoverage
	}
	id := p.addProject(at, m, m.occurrence(m.doc.root.off, ""), coverage, m.license)
	if !pinned {
		p.addRequests(id, m)
	}
}

// foreignAbove reports whether a lockfile that is not read lies in the folder or
// above it: then that one may pin what the package.json asks for, and is itself
// the problem.
func (p *projects) foreignAbove(dir string) bool {
	for {
		if at := p.folders[dir]; at != nil {
			if at.foreign {
				return true
			}
			if at.lockfile != nil || at.yarn != nil || len(at.others) > 0 {
				return false
			}
		}
		if dir == "" {
			return false
		}
		dir = inDir(dir)
	}
}

// addProject adds the project of a folder: as the root where it lies at the top
// of what was checked, else as an application of its own below the root.
func (p *projects) addProject(at *folder, m *manifest, where sbom.Occurrence, coverage sbom.Coverage, license string) sbom.ID {
	if !at.added { // else another package manager's lockfile of the same folder did
		at.id, at.added = p.describeProject(at, m, where, coverage, license), true
	}
	return at.id
}

func (p *projects) describeProject(at *folder, m *manifest, where sbom.Occurrence, coverage sbom.Coverage, license string) sbom.ID {
	c := sbom.Component{
		Type: sbom.Application, Ecosystem: sbom.NPM, Source: sbom.FromProject,
		Name: "project", Coverage: coverage, License: license,
	}
	version := ""
	switch {
	case m != nil:
		c.Name, version, c.Private = cmp.Or(m.name, c.Name), m.version, m.private
		c.Properties = m.binProperties()
	case at.lockfile != nil:
		root := &at.lockfile.entries[0]
		if name := cmp.Or(root.name, at.lockfile.name); validName(name) {
			c.Name = name
		}
		version = root.version
	case at.yarn != nil:
		c.Name = cmp.Or(at.yarn.projectName(), c.Name)
	}
	c.Version = version
	if c.Version != "" && c.Name != "project" {
		c.PURL = p.ownPURL(c.Name, c.Version, c.Source, at.dir)
	}
	if at.dir == "" {
		p.b.DescribeRoot(c, where)
		p.b.Project(sbom.Root, "")
		return sbom.Root
	}
	if c.PURL == "" {
		c.Ref = "npm:" + at.dir
	}
	if c.Name == "project" {
		c.Name = path.Base(at.dir)
	}
	id := p.b.Add(c, sbom.Use{}, where)
	p.b.LinkFor(sbom.Root, id, sbom.Use{Member: true})
	p.b.Project(id, at.dir)
	return id
}

// ownPURL returns the purl of a folder of the user's own code, or "" where
// another one has taken it: two folders are never one component, and that they
// have the same name is no sign of an attack.
func (p *projects) ownPURL(name, version string, source sbom.Source, dir string) string {
	u := purl(name, version, "", "")
	owner := string(source) + " " + dir
	if other, taken := p.purls[u]; taken && other != owner {
		return ""
	}
	p.purls[u] = owner
	return u
}

// addLocked adds what a lockfile installs.
func (p *projects) addLocked(at *folder) {
	l := at.lockfile
	ids := make([]sbom.ID, len(l.entries))
	edges := 0
	for i := range l.entries {
		edges += len(l.entries[i].edges)
	}
	p.b.Reserve(len(l.entries), edges, len(l.entries))
	root := &l.entries[0]
	off := max(root.off, 0)
	license := root.license
	if at.manifest != nil {
		license = cmp.Or(at.manifest.license, license)
	}
	ids[0] = p.addProject(at, at.manifest, l.occurrence(off, ""), l.coverage(root), license)
	for i := 1; i < len(l.entries); i++ {
		ids[i] = sbom.NoID
		if !l.entries[i].link {
			ids[i] = p.addEntry(at, i)
		}
		if l.entries[i].workspace && ids[i] != sbom.NoID {
			p.b.Project(ids[i], at.path(l.entries[i].key))
		}
	}
	if l.bun != nil {
		p.placeDirect(at, ids)
	}
	for i := range l.entries {
		for _, e := range l.entries[i].edges {
			if to := l.instance(e.to); to != none && ids[i] != sbom.NoID && ids[to] != sbom.NoID {
				p.b.LinkFor(ids[i], ids[to], e.use())
			}
		}
	}
}

func (l *lockfile) coverage(e *entry) sbom.Coverage {
	if l.cut || e.incomplete {
		return sbom.IncompleteCoverage
	}
	return sbom.CompleteCoverage
}

func (p *projects) addEntry(at *folder, i int) sbom.ID {
	l := at.lockfile
	e := &l.entries[i]
	if !validName(e.name) {
		l.invalid(e.off, l.hint(), "%s is no name of a package", quote(e.name))
		return sbom.NoID
	}
	dir := at.path(e.key)
	c := sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.NPM, Name: e.name, Version: e.version,
		Source: l.sourceOf(e), Hashes: e.integrity, License: e.license, Coverage: l.coverage(e),
		Properties: []sbom.Property{{Name: PropertyPath, Value: e.key}},
	}
	if e.hasResolved && c.Source != sbom.FromProject && c.Source != sbom.FromLink && c.Source != "" {
		c.Resolved, c.Distribution = Distribution(e.resolved)
	}
	if e.installed() && e.folder != e.name {
		c.Properties = append(c.Properties, sbom.Property{Name: PropertyAlias, Value: e.folder})
	}
	switch c.Source {
	case sbom.FromGit:
		c.Resolved = vcsURL(e.resolved)
		if _, commit, _ := strings.Cut(e.resolved, "#"); l.bun != nil && bunCommit.MatchString(commit) && !strings.Contains(c.Resolved, "#") {
			c.Resolved += "#" + commit
		}
		c.PURL = purl(e.name, e.version, "vcs_url", c.Resolved)
	case sbom.FromTarball:
		c.PURL = purl(e.name, e.version, "download_url", c.Resolved)
	case sbom.FromProject, sbom.FromLink:
		if c.PURL = p.ownPURL(e.name, e.version, c.Source, dir); c.PURL == "" {
			c.Ref = "npm:" + dir
		}
		if c.Source == sbom.FromProject {
			c.Type = sbom.Application
		}
	case sbom.FromRegistry:
		if e.version == "" {
			l.invalid(e.off, l.hint(), "%s has no version", l.label(e))
		}
		fallthrough
	default:
		c.PURL = purl(e.name, e.version, "", "")
	}
	own := p.folders[dir]
	if own != nil && own.manifest != nil && !e.installed() {
		c.Private = own.manifest.private
		c.Properties = append(c.Properties, own.manifest.binProperties()...)
	}
	if e.outside() && e.incomplete && !l.cut && (own == nil || own.lockfile == nil) {
		l.problem(sbom.Unsupported, e.off, "check a folder that holds both projects",
			"%s lies outside of the project, and npm does not lock what it depends on", l.label(e))
	}
	where, properties := l.places(e)
	c.Properties = append(append(c.Properties, properties...), e.properties...)
	for _, patch := range e.patches {
		c.Patches = append(c.Patches, sbom.Patch{Path: path.Join(at.dir, patch.Path)})
	}
	if c.Source == sbom.FromFile && e.version == "" { // which no lockfile says of a folder or archive of the project
		c.PURL, c.Ref = "", "npm:"+path.Join(at.dir, e.local)+"#"+e.name
	}
	id := p.b.Add(c, e.use, where...)
	if l.bun != nil {
		return id // see placeDirect
	}
	if e.installed() {
		p.b.Place(dir, id, e.bins...)
	}
	for _, n := range e.linked {
		p.b.Place(at.path(l.entries[n].key), id, e.bins...)
	}
	return id
}

// places are where an entry stands in its lockfile: itself, and what links to it.
func (l *lockfile) places(e *entry) ([]sbom.Occurrence, []sbom.Property) {
	where := []sbom.Occurrence{l.occurrence(e.off, e.key)}
	var properties []sbom.Property
	for _, n := range e.linked {
		link := &l.entries[n]
		where = append(where, l.occurrence(link.off, link.key))
		properties = append(properties, sbom.Property{Name: PropertyPath, Value: link.key})
		if link.installed() && link.folder != e.name {
			properties = append(properties, sbom.Property{Name: PropertyAlias, Value: link.folder})
		}
	}
	return where, properties
}

// sourceOf says by which way the bytes of an entry arrive.
func (l *lockfile) sourceOf(e *entry) sbom.Source {
	switch {
	case e.source != "":
		return e.source
	case e.workspace:
		return sbom.FromProject
	case !e.installed():
		return sbom.FromLink
	case !e.hasResolved && e.bundled:
		return sbom.FromParent
	case !e.hasResolved:
		return sbom.FromRegistry // npm may be told to leave the URL out
	}
	source, ok := lockedSource(e.resolved)
	if !ok {
		l.invalid(e.off, l.hint(), "the URL from which %s is resolved is of no known form", l.label(e))
	}
	if source == sbom.FromRegistry && e.byURL {
		return sbom.FromTarball
	}
	return source
}

// addRequests adds what a package.json asks for and no lockfile resolves.
func (p *projects) addRequests(project sbom.ID, m *manifest) {
	for _, d := range m.deps {
		if d.kind == peerOptionalEdge {
			continue // npm does not install these
		}
		r := parseSpec(d.name, d.spec)
		if !validName(r.name) {
			m.invalid(d.off, "correct the name", "%s asks for something that is no name of a package", quote(d.name))
			continue
		}
		c := sbom.Component{
			Type: sbom.Library, Ecosystem: sbom.NPM, Name: r.name, Version: r.version, Source: r.source,
			Properties: []sbom.Property{{Name: PropertyRequest, Value: redactSpec(d.spec)}},
		}
		if r.name != d.name && validName(d.name) {
			c.Properties = append(c.Properties, sbom.Property{Name: PropertyAlias, Value: d.name})
		}
		switch r.source {
		case sbom.FromGit:
			c.PURL = purl(r.name, "", "vcs_url", r.url)
		case sbom.FromTarball:
			c.Resolved, c.Distribution = Distribution(strings.TrimSpace(d.spec))
			c.PURL = purl(r.name, "", "download_url", c.Resolved)
		default:
			c.PURL = purl(r.name, r.version, "", "")
		}
		use := sbom.Use{Development: d.kind == devEdge, Optional: d.kind.mayMiss(), Peer: d.kind == peerEdge}
		p.b.LinkFor(project, p.b.Add(c, use, m.occurrence(d.off, "")), d.use())
	}
}
