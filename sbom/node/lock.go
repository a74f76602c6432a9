package node

import (
	"cmp"
	"path"
	"strconv"
	"strings"

	"countermark/sbom"
)

// lockfile is npm's or Bun's lockfile, resolved: what npm calls the virtual tree.
type lockfile struct {
	*source
	bun     *bunRules // what Bun's lockfile has beside packages; nil for npm's
	legacy  bool      // npm's of version 1, which does not say what the project asks for
	cut     bool      // it breaks off; what is missing is unknown
	entries []entry   // in file order; the root first
	nodes   map[string]int
	child   children // what lies in the node_modules of an entry

	workspaces []string // patterns of the root
	declared   bool     // they are those of its package.json
	name       string   // the lockfile's own name field
}

// entry is one key of "packages".
type entry struct {
	key    string  // "" for the root
	off    int     // of the key
	at     *member // where npm's lockfile of version 2 or 3 has it
	folder string  // the name by which others find it
	name   string  // the package's real name, which differs from folder for aliases

	version     string
	resolved    string
	hasResolved bool
	integrity   []sbom.Hash
	license     string
	bins        []string    // the commands that it provides
	source      sbom.Source // where the lockfile says it outright; else resolved tells
	local       string      // of what comes from a folder or archive of the project: its path there
	patches     []sbom.Patch
	properties  []sbom.Property
	bundles     []string
	bundlesAll  bool
	hasShrink   bool
	markBundled bool     // the lockfile says that it is inside of another package
	bundled     bool     // and it is
	use         sbom.Use // for what it is installed

	link      bool
	target    int // of a link: the entry that it leads to, or none
	linked    []int
	workspace bool

	parent  int  // where the search for dependencies goes on, or none
	isChild bool // it lies in parent's node_modules
	nesting int

	deps       []dependency
	edges      []edge
	own        *manifest // of the project's own folders: the package.json, where it was read
	byURL      bool      // somebody asks for it by URL, not by version
	incomplete bool      // some of its dependencies are unknown
}

// installed reports whether the folder is one that npm fills, even if no package
// lies around it.
func (e *entry) installed() bool {
	above, ok := strings.CutSuffix(e.key, e.folder)
	return ok && (above == "node_modules/" || strings.HasSuffix(above, "/node_modules/"))
}

// outside reports whether the folder lies outside of the project's. npm links to
// it, but leaves alone what it depends on.
func (e *entry) outside() bool { return e.key == ".." || strings.HasPrefix(e.key, "../") }

type edge struct {
	dependency
	to int // a link stays a link here; none where there is nothing
}

const none = -1

// readLockfile parses and resolves. It returns nil where the file is no lockfile
// that this version reads; the reason is among the file's problems. The
// package.json of the same folder, nil where there is none, has the last word on
// which folders are workspace members.
func readLockfile(f *sbom.File, m *manifest) *lockfile {
	l := &lockfile{source: newSource(f), nodes: map[string]int{}}
	if err := l.doc.err; err != nil {
		l.cut = true
		l.invalid(err.off, err.hint("run `npm install --package-lock-only`"), "invalid JSON: %s", err.msg)
	}
	root := &l.doc.root
	if root.kind != objectKind {
		if !l.cut {
			l.invalid(root.off, l.hint(), "a lockfile must be an object, not %s", root.kind)
		}
		return nil
	}
	if !l.readVersion(root) {
		return nil
	}
	if m != nil && m.doc.err == nil { // only npm reads them in this way
		m.overrides = m.readOverrides(&m.doc.root)
	}
	if l.legacy {
		l.readLegacy(root, m)
		return l
	}
	packages := root.get("packages")
	if packages == nil || packages.value.kind != objectKind {
		if !l.cut {
			l.invalid(root.off, l.hint(), "no object \"packages\", which lockfileVersion 2 and 3 must have")
		}
		return nil
	}
	l.judgeDuplicates(&packages.value)
	l.judgeKeys(root, "packages")
	l.name, _ = l.text(root, "name")
	l.readEntries(&packages.value)
	l.place()
	l.followLinks()
	l.findWorkspaces(m)
	l.readDependencies()
	l.resolve()
	l.findBundled()
	l.judgeUnasked()
	return l
}

// readVersion reports whether the format is one that this version reads.
func (l *lockfile) readVersion(root *value) bool {
	const hintV3 = "run `npm install --package-lock-only --lockfile-version 3` with npm 7 or newer and commit what it writes"
	m := root.get("lockfileVersion")
	switch {
	case m == nil && l.cut:
		return false
	case m == nil:
		l.invalid(root.off, hintV3, "no lockfileVersion")
		l.legacy = root.get("packages") == nil && root.get("dependencies") != nil // npm 4 and older wrote none
		return l.legacy
	case m.value.kind != numberKind:
		l.wrongType(m, numberKind)
		return false
	}
	switch v, _ := strconv.ParseFloat(m.value.text, 64); v {
	case 2, 3:
		return true
	case 1:
		l.legacy = true
		return true
	default:
		l.problem(sbom.Unsupported, m.off, hintV3, "this lockfileVersion is not read by this version of countermark (1, 2 and 3 are)")
	}
	return false
}

// judgeDuplicates: where one object of the lockfile names a key twice, two
// programs may read two different packages. Only in the legacy section, which
// nobody reads beside "packages", it does not matter.
func (l *lockfile) judgeDuplicates(packages *value) {
	for _, d := range l.doc.duplicates {
		if d.depth == 1 || d.off >= packages.off && d.off < packages.off+int(packages.length) {
			l.invalid(d.off, l.hint(), "%s stands twice in the same object", quote(d.name))
		} else {
			l.warn(d.off, l.hint(), "%s stands twice in the same object; the last one counts", quote(d.name))
		}
	}
}

func (l *lockfile) readEntries(packages *value) {
	n := min(len(packages.members), maxEntries) + 1
	l.entries = make([]entry, 1, n)
	l.nodes = make(map[string]int, n)
	l.entries[0] = entry{off: none, target: none, parent: none}
	last := map[string]int{} // of duplicate keys, the last one counts
	if len(l.doc.duplicates) > 0 {
		for i := range packages.members {
			last[packages.members[i].name] = i
		}
	}
	for i := range packages.members {
		m := &packages.members[i]
		if n, ok := last[m.name]; ok && n != i || m.value.cut {
			continue
		}
		if len(l.entries) > maxEntries {
			l.invalid(m.off, hintSplit, "more than %d packages", maxEntries)
			l.cut = true
			return
		}
		if m.value.kind != objectKind {
			l.wrongType(m, objectKind)
			continue
		}
		if why := badKey(m.name); why != "" {
			l.invalid(m.off, l.hint(), "the path %s %s", quote(m.name), why)
			continue
		}
		if m.name == "" {
			l.readEntry(&l.entries[0], m)
			continue
		}
		l.nodes[m.name] = len(l.entries)
		l.entries = append(l.entries, entry{})
		l.readEntry(&l.entries[len(l.entries)-1], m)
	}
	if l.entries[0].off == none && len(l.entries) > 1 && !l.cut {
		l.invalid(packages.off, l.hint(), "no entry \"\" for the project itself, so nobody knows which packages it asks for")
	}
}

// badKey says what is wrong with an install path. npm would make sense of some
// of these, but of a path that does not say where it leads nothing is sure.
func badKey(key string) string {
	switch {
	case key == "":
		return ""
	case len(key) > maxKey, strings.Count(key, "/") > maxSegments:
		return "is too long"
	case strings.ContainsAny(key, "\\\x00"):
		return "must be written with forward slashes"
	case path.IsAbs(key) || len(key) > 1 && key[1] == ':':
		return "must be relative"
	case path.Clean(key) != key || key == ".":
		return "is not in its shortest form"
	case path.Base(key) == "node_modules":
		return "names no package"
	}
	return ""
}

func (l *lockfile) readEntry(e *entry, m *member) {
	v := &m.value
	*e = entry{key: m.name, off: m.off, folder: folderName(m.name), at: m, target: none, parent: none}
	e.name = e.folder
	if name, ok := l.text(v, "name"); ok {
		e.name = name
	}
	e.resolved, e.hasResolved = l.text(v, "resolved")
	e.link = l.flag(v, "link")
	if e.link {
		return
	}
	e.hasResolved = e.resolved != ""
	l.judgeKeys(v, graphKeys...)
	e.version = l.version(v)
	e.license = l.license(v)
	e.hasShrink = l.flag(v, "hasShrinkwrap")
	e.markBundled = l.flag(v, "inBundle")
	e.use = l.use(v)
	e.bins = l.bins(v, e.name)
	e.properties = l.facts(v)
	if integrity := l.member(v, "integrity", stringKind); integrity != nil {
		hashes, err := sbom.ParseIntegrity(integrity.value.text)
		if err != nil {
			l.invalid(integrity.off, l.hint(), "the integrity of %s: %v", quote(m.name), err)
		}
		e.integrity = hashes
	}
	l.readBundles(v, "bundleDependencies", e)
}

// use is what npm's marks say of an entry.
func (l *lockfile) use(v *value) sbom.Use {
	u := sbom.Use{
		Development: l.flag(v, "dev"), Optional: l.flag(v, "optional"), DevOptional: l.flag(v, "devOptional"), Peer: l.flag(v, "peer"),
	}
	// npm writes one of the three at most, unless something is needed for neither.
	u.DevOptional = u.DevOptional && !u.Development && !u.Optional
	u.Optional = u.Optional || u.DevOptional
	return u
}

// facts are what the lockfile knows of a package beyond what it is.
func (l *lockfile) facts(v *value) (out []sbom.Property) {
	if m := v.get("deprecated"); m != nil && m.value.kind == stringKind {
		out = append(out, sbom.Property{Name: PropertyDeprecated, Value: cmp.Or(redact(m.value.text), "true")})
	}
	if l.flag(v, "hasInstallScript") {
		out = append(out, sbom.Property{Name: PropertyInstallScript, Value: "true"})
	}
	return out
}

// readBundles reads which of its dependencies a package brings along: a list, an
// object whose names count, or true for all.
func (l *lockfile) readBundles(v *value, key string, e *entry) {
	m := v.get(key)
	if m == nil {
		return
	}
	switch m.value.kind {
	case arrayKind:
		e.bundles = l.list(m)
	case objectKind:
		for i := range m.value.members {
			e.bundles = append(e.bundles, m.value.members[i].name)
		}
	case boolKind:
		e.bundlesAll = m.value.text == "true"
	case nullKind:
	case numberKind, stringKind:
		l.wrongType(m, arrayKind)
	}
}

// version returns the version if it is one: in registries nothing else exists,
// and what else stands there may be a URL with a password.
func (s *source) version(obj *value) string {
	m := s.member(obj, "version", stringKind)
	if m == nil {
		return ""
	}
	v := plainVersion(m.value.text)
	if v == "" {
		s.invalid(m.off, s.hint(), "the version is not of the form 1.2.3")
	}
	return v
}

// folderName is the name by which the folder is found: its last element, or its
// last two where the first of these is a scope.
func folderName(key string) string {
	base := strings.LastIndexByte(key, '/') + 1
	if base == 0 {
		return key
	}
	if scope := strings.LastIndexByte(key[:base-1], '/') + 1; key[scope] == '@' {
		return key[scope:]
	}
	return key[base:]
}
