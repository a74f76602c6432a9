package node

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
)

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// stores are the folders in a node_modules where package managers keep every
// package in a folder of its own, with links to what it asks for: pnpm's, Bun's and
// that of yarn's pnpm linker.
var stores = []string{".pnpm", ".bun", ".store"}

// inStore returns the folder that a package manager made for a package in its
// store, or "": node_modules/.pnpm/a@1.0.0 of
// node_modules/.pnpm/a@1.0.0/node_modules/a.
func inStore(dir string) string {
	parts := strings.Split(dir, "/")
	for i := len(parts) - 3; i >= 0; i-- {
		if parts[i] == NodeModules && slices.Contains(stores, parts[i+1]) && parts[i+2] != NodeModules {
			return strings.Join(parts[:i+3], "/")
		}
	}
	return ""
}

// modulesOf reads the node_modules of a real folder, once; nil where there is none.
func (t *installation) modulesOf(dir string) *modules {
	m, known := t.modules[dir]
	if known || path.Base(dir) == NodeModules {
		return m
	}
	t.modules[dir] = nil
	at := path.Join(dir, NodeModules)
	if _, err := fs.Lstat(t.fs, at); errors.Is(err, fs.ErrNotExist) || t.full {
		return nil
	}
	if strings.Count(at, "/") > maxSegments || strings.Count("/"+at+"/", "/"+NodeModules+"/") > maxNesting {
		t.over(at, "%s: more than %d packages inside of each other", quote(at), maxNesting)
		return nil
	}
	real, entries, err := t.enter(at)
	if err != nil {
		if !t.full {
			t.problem(sbom.Invalid, at, hintInside, "%s cannot be read: %v", quote(at), err)
		}
		return nil
	}
	m = &modules{dir: real, slots: map[string]*slot{}}
	t.modules[dir] = m
	folded := map[string]string{}
	for _, e := range entries {
		name := e.Name()
		switch {
		case slices.Contains(stores, name):
			t.readStore(path.Join(real, name))
		case strings.HasPrefix(name, "."):
		case strings.HasPrefix(name, "@"):
			t.readScope(m, folded, at, name, e)
		default:
			t.readSlot(m, folded, name, path.Join(at, name), path.Join(real, name), e)
		}
	}
	slices.Sort(m.names)
	return m
}

// enter follows the links to a folder, and lists it.
func (t *installation) enter(at string) (real string, entries []fs.DirEntry, err error) {
	if real, err = t.resolve(at); err != nil {
		return "", nil, err
	}
	if !t.real[real] && real != "" {
		return "", nil, errNoFolder
	}
	entries, err = t.list(real)
	return real, entries, err
}

func (t *installation) readScope(m *modules, folded map[string]string, at, scope string, e fs.DirEntry) {
	at = path.Join(at, scope)
	if !e.IsDir() && e.Type()&fs.ModeSymlink == 0 {
		return // Node.js looks for packages of a scope in a folder only
	}
	real, entries, err := t.enter(at)
	if err != nil {
		if !t.full {
			t.problem(sbom.Invalid, at, hintInside, "%s cannot be read: %v", quote(at), err)
		}
		return
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") {
			t.readSlot(m, folded, scope+"/"+name, path.Join(at, name), path.Join(real, name), e)
		}
	}
}

// readStore reads every folder of a package manager's store, so that what nothing
// leads to any more is seen as well. What lies in the store's own node_modules are
// links, which packages find that do not say what they need.
func (t *installation) readStore(store string) {
	_, entries, err := t.enter(store)
	if err != nil {
		if !t.full {
			t.problem(sbom.Invalid, store, hintInside, "%s cannot be read: %v", quote(store), err)
		}
		return
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != NodeModules {
			t.real[path.Join(store, e.Name())] = true
			t.modulesOf(path.Join(store, e.Name()))
		}
	}
}

// loadable are the ends of the names of files that Node.js takes for a package
// before it looks for the folder of that name.
var loadable = []string{"", ".js", ".json", ".node"}

func (t *installation) readSlot(m *modules, folded map[string]string, name, at, real string, e fs.DirEntry) {
	s := &slot{name: name, at: at, link: e.Type()&fs.ModeSymlink != 0}
	bad := func(format string, args ...any) {
		t.problem(sbom.Invalid, at, hintReinstall, format, args...)
	}
	folder := e.IsDir()
	if s.link {
		to, err := t.resolve(real)
		if err != nil {
			t.problem(sbom.Invalid, at, hintInside, "the link %s cannot be followed: %v", quote(at), err)
			m.slots[name] = s
			return
		}
		real, folder = to, t.real[to] || to == ""
		t.sums[at] = "-> " + to
	}
	switch {
	case !folder && (e.Type().IsRegular() || s.link):
		if slices.Contains(loadable, path.Ext(name)) {
			bad("%s is a file, which Node.js loads in place of a package", quote(at))
		}
		return
	case !folder:
		bad("%s is neither a file nor a folder", quote(at))
		return
	case !validName(name):
		bad("%s is no name of a package", quote(at))
		return
	}
	if other, taken := folded[fold(name)]; taken {
		bad("%s and %s are the same folder where file names ignore case", quote(other), quote(at))
	}
	folded[fold(name)] = at
	if !s.link {
		t.real[real] = true
	}
	u, holds := t.unitAt(real, s.link)
	if !holds {
		return // a folder that packages have left
	}
	s.to = u
	if u != nil && s.link && inStore(m.dir) == "" && !isStore(path.Base(inDir(m.dir))) {
		u.links = append(u.links, s)
	}
	m.slots[name] = s
	m.names = append(m.names, name)
}

func isStore(name string) bool { return slices.Contains(stores, name) }

// unitAt returns the package in a real folder. holds reports whether there is
// anything that a program could load; a problem was told where u is nil then.
// Where a link leads out of all folders of packages lies the user's own code.
func (t *installation) unitAt(dir string, linked bool) (u *unit, holds bool) {
	if u, ok := t.byDir[dir]; ok {
		if u != nil && u.out && !linked { // a link makes a node_modules of the folder around it
			u.out = false
			u.deps = slices.DeleteFunc(slices.Clone(u.deps), func(d dependency) bool { return d.kind == devEdge })
		}
		return u, true
	}
	if len(t.byDir) >= maxInstalledPackages {
		t.over(dir, "more than %d packages are installed", maxInstalledPackages)
	}
	if t.full {
		return nil, true
	}
	name := path.Join(dir, Manifest)
	data, err := t.readFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := t.list(dir)
		if err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != NodeModules }) {
			return nil, false
		}
	}
	if err != nil {
		t.byDir[dir] = nil
		if !t.full {
			t.problem(sbom.Invalid, name, hintReinstall, "%s cannot be read: %v", quote(name), err)
		}
		return nil, true
	}
	t.sums[name] = sbom.Sum(data)
	u = &unit{dir: dir, out: linked && outermost(dir) == ""}
	t.describe(u, name, data)
	return t.newUnit(u), true
}

// readFile reads a package.json. It asks for the type first, since opening a pipe
// that nobody writes to would wait for ever.
func (t *installation) readFile(name string) ([]byte, error) {
	info, err := fs.Stat(t.fs, name)
	if err != nil {
		return nil, sbom.Pathless(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	f, err := t.fs.Open(name)
	if err != nil {
		return nil, sbom.Pathless(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxInstalledFile+1))
	if err != nil {
		return nil, sbom.Pathless(err)
	}
	if len(data) > maxInstalledFile {
		return nil, errFileSize
	}
	if t.bytes += int64(len(data)); t.bytes > maxInstalledBytes {
		t.over(name, "the package.json files are larger than %d bytes together", int64(maxInstalledBytes))
		return nil, errAllLimits
	}
	return data, nil
}

// describe takes from a package.json what the package is, and what it asks for.
func (t *installation) describe(u *unit, name string, data []byte) {
	s := &source{file: t.first, doc: parseJSON(data), regenerate: hintReinstall, beside: true, name: quote(name)}
	s.told = func(p sbom.Problem) {
		if p.Code != sbom.Warning { // how others write their files is not the project's business
			t.tell(name, p)
		}
	}
	root := &s.doc.root
	if err := s.doc.err; err != nil {
		s.invalid(err.off, hintReinstall, "invalid JSON: %s", err.msg)
		u.incomplete, u.broken = true, true
	}
	if root.kind != objectKind {
		if s.doc.err == nil {
			s.invalid(root.off, hintReinstall, "a package.json must be an object, not %s", root.kind)
		}
		u.incomplete, u.broken = true, true
		return
	}
	u.name, _ = s.text(root, "name")
	version, _ := s.text(root, "version")
	u.version = plainVersion(version)
	u.license = s.license(root)
	u.repository = declaredRepository(root)
	u.private = u.out && s.flag(root, "private")
	u.deps = s.dependencies(root, u.out)
	u.bins = s.bins(root, u.name)
	u.optionals = slices.Sorted(maps.Keys(s.optionalPeers(root)))
	if !u.out && t.runsScript(root, u.dir) {
		u.properties = append(u.properties, sbom.Property{Name: PropertyInstallScript, Value: "true"})
	}
	e := entry{}
	l := &lockfile{source: s}
	for _, key := range []string{"bundleDependencies", "bundledDependencies"} {
		l.readBundles(root, key, &e)
	}
	u.bundles = e.bundles
	if e.bundlesAll {
		for _, d := range u.deps {
			if d.kind == prodEdge {
				u.bundles = append(u.bundles, d.name)
			}
		}
	}
}

// runsScript reports whether installing the package runs something of it, by npm's
// rule: one of three scripts, or node-gyp where there is a binding.gyp.
func (t *installation) runsScript(root *value, dir string) bool {
	var scripts *value
	if m := root.get("scripts"); m != nil {
		scripts = &m.value
	}
	for _, name := range []string{"preinstall", "install", "postinstall"} {
		if m := scripts.get(name); m != nil && m.value.kind == stringKind && m.value.text != "" {
			return true
		}
	}
	if m := root.get("gypfile"); m != nil && m.value.kind == boolKind && m.value.text == "false" {
		return false
	}
	_, err := fs.Lstat(t.fs, path.Join(dir, "binding.gyp"))
	return err == nil
}

// declaredRepository is what a package.json says of its source, as a URL.
func declaredRepository(root *value) string {
	m := root.get("repository")
	if m == nil {
		return ""
	}
	text := m.value.text
	if m.value.kind == objectKind {
		text = ""
		if url := m.value.get("url"); url != nil && url.value.kind == stringKind {
			text = url.value.text
		}
	} else if m.value.kind != stringKind {
		return ""
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if r := parseSpec("", text); r.source == sbom.FromGit {
		return r.url
	}
	return redact(text)
}

// storeFolder is the folder that the store has for the package itself, and not for
// one that is bundled in it.
func storeFolder(u *unit) string {
	store := inStore(u.dir)
	if store == "" || strings.Contains(strings.TrimPrefix(u.dir, store+"/"+NodeModules+"/"), "/"+NodeModules+"/") && u.dir != store+"/package" {
		return "" // yarn has the package itself in a folder of that name
	}
	return store
}

// find looks for a package as Node.js does.
func (t *installation) find(u *unit, d dependency) *slot {
	store := inStore(u.dir)
	for dir := u.dir; ; dir = inDir(dir) {
		if m := t.modulesOf(dir); m != nil {
			if s := m.slots[d.name]; s != nil {
				return s
			}
		}
		if dir == "" || dir == store && (d.kind == peerEdge || d.kind == peerOptionalEdge) {
			return nil
		}
	}
}

// connect finds what a unit asks for.
func (t *installation) connect(u *unit) {
	have := map[string]bool{}
	add := func(d dependency, s *slot) {
		have[d.name] = true
		if s.to == nil {
			u.incomplete = true
			return
		}
		e := unitEdge{dependency: d, from: u, to: s.to, by: s}
		u.edges = append(u.edges, e)
		s.to.asked = append(s.to.asked, e)
	}
	if u.own != nil && u.own.manifest == nil && u.own.modules != nil {
		t.askForAll(u, add)
	}
	for _, d := range u.deps {
		if !validName(d.name) {
			t.problem(sbom.Invalid, u.dir, "correct the name", "%s asks for %s, which is no name of a package", t.label(u), quote(d.name))
			u.incomplete = true
			continue
		}
		if s := t.find(u, d); s != nil {
			add(d, s)
		} else {
			u.missing = append(u.missing, d)
		}
	}
	// Other package managers than npm take what is said of a peer for asking for it.
	if t.impliesPeers(u.dir) {
		for _, name := range u.optionals {
			d := dependency{name: name, kind: peerOptionalEdge, off: none}
			if s := t.find(u, d); !have[name] && validName(name) && s != nil {
				add(d, s)
			}
		}
	}
	// What a package manager put beside a package of its store is there for it,
	// even if its package.json does not ask for it: packageExtensions do.
	if store := storeFolder(u); store != "" {
		if m := t.modulesOf(store); m != nil {
			for _, name := range m.names {
				if s := m.slots[name]; s.link && !have[name] && s.to != u {
					add(dependency{name: name, kind: prodEdge, off: none}, s)
				}
			}
		}
	}
}

// impliesPeers reports whether pnpm or Bun installed a folder, as far as the
// lockfiles beside it tell.
func (t *installation) impliesPeers(dir string) bool {
	for ; ; dir = inDir(dir) {
		if at := t.owns[dir]; at != nil {
			if at.lockfile != nil || len(at.others) > 0 {
				return len(at.others) > 0 || at.lockfile.bun != nil
			}
			if at.yarn != nil {
				return false
			}
		}
		if dir == "" {
			return inStore(dir) != ""
		}
	}
}

// askForAll lets a folder without a package.json ask for all that lies in it, as
// npm does with what is installed globally.
func (t *installation) askForAll(u *unit, add func(dependency, *slot)) {
	t.problem(sbom.Warning, u.own.modules.Name, "check the folder that holds package.json, too",
		"there is no package.json beside it, so everything in it counts as asked for")
	m := t.modulesOf(u.dir)
	if m == nil {
		return
	}
	for _, name := range m.names {
		add(dependency{name: name, kind: prodEdge, off: none}, m.slots[name])
	}
}

func (t *installation) label(u *unit) string {
	if u.dir == "" {
		return "the project"
	}
	return quote(u.dir)
}
