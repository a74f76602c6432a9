package node

import (
	"path"
	"slices"
	"strings"

	"countermark/sbom"
)

// place finds for each entry the folder above it that is a package, not a link.
func (l *lockfile) place() {
	for i := 1; i < len(l.entries); i++ {
		l.findParent(i)
	}
	for i := 1; i < len(l.entries); i++ {
		l.measure(i)
	}
	for i := 1; i < len(l.entries); i++ {
		e := &l.entries[i]
		if !e.isChild {
			continue
		}
		if other := l.child.put(e.parent, e.folder, i); other != none {
			l.invalid(e.off, l.hint(), "%s and %s are the same folder where file names ignore case", quote(l.entries[other].key), quote(e.key))
		}
	}
}

// children are the entries in the node_modules of others. Names have numbers, so that
// a search from folder to folder hashes a name once. The zero value is empty.
type children struct {
	numbers map[string]int32 // by name, folded
	entries map[childKey]int32
}

type childKey struct{ parent, name int32 } // of the one size that maps are fastest with

// put adds a child, and returns which one it replaces, or none.
func (c *children) put(parent int, name string, child int) int {
	if c.numbers == nil {
		c.numbers, c.entries = map[string]int32{}, map[childKey]int32{}
	}
	name = fold(name)
	n, ok := c.numbers[name]
	if !ok {
		n = int32(len(c.numbers)) //nolint:gosec // maxEntries is smaller
		c.numbers[name] = n
	}
	k := childKey{int32(parent), n} //nolint:gosec // as above
	other, ok := c.entries[k]
	c.entries[k] = int32(child) //nolint:gosec // as above
	if !ok {
		return none
	}
	return int(other)
}

// number returns the number of a name; ok is false where no child is called so.
func (c *children) number(name string) (n int32, ok bool) {
	n, ok = c.numbers[fold(name)]
	return n, ok
}

// get returns the child with the name of that number, or none.
func (c *children) get(parent int, name int32) int {
	child, ok := c.entries[childKey{int32(parent), name}] //nolint:gosec // see put
	if !ok {
		return none
	}
	return int(child)
}

func (l *lockfile) findParent(i int) {
	e := &l.entries[i]
	for dir := e.key; ; {
		slash := strings.LastIndexByte(dir, '/')
		if slash < 0 {
			break
		}
		dir = dir[:slash]
		if strings.HasSuffix(dir, "node_modules") {
			continue // which is no package's: see badKey
		}
		n, ok := l.nodes[dir]
		if !ok || l.entries[n].link {
			continue
		}
		e.parent = n
		name, below := strings.CutPrefix(e.key[len(dir):], "/node_modules/")
		e.isChild = below && name == e.folder
		return
	}
	if e.outside() {
		return
	}
	e.parent = 0
	e.isChild = e.key == "node_modules/"+e.folder
}

// measure bounds how far a search for a dependency can go up.
func (l *lockfile) measure(i int) int {
	e := &l.entries[i]
	if e.nesting > 0 || e.parent <= 0 {
		return e.nesting
	}
	e.nesting = l.measure(e.parent) + 1
	if e.nesting > maxNesting {
		if e.nesting == maxNesting+1 {
			l.invalid(e.off, l.hint(), "more than %d packages inside of each other", maxNesting)
		}
		e.parent, e.isChild = 0, false
	}
	return e.nesting
}

// followLinks connects links with their targets.
func (l *lockfile) followLinks() {
	for i := range l.entries {
		e := &l.entries[i]
		if !e.link {
			continue
		}
		if !e.hasResolved {
			l.invalid(e.off, l.hint(), "the link %s has no target", quote(e.key))
			continue
		}
		target := path.Clean(e.resolved)
		n, ok := l.nodes[target]
		if target == "." { // npm writes "" for the project's own folder
			n, ok = 0, true
		}
		if !ok || l.entries[n].link || path.IsAbs(target) {
			if !l.cut {
				l.invalid(e.off, l.hint(), "the target of the link %s is not in the lockfile", quote(e.key))
			}
			continue
		}
		e.target = n
		l.entries[n].linked = append(l.entries[n].linked, i)
	}
}

// findWorkspaces marks the members, which are those folders that the root's
// patterns match. As in npm these are the patterns of package.json: what the
// lockfile says of them only has to lead to the same members.
func (l *lockfile) findWorkspaces(m *manifest) {
	packages := l.doc.root.get("packages")
	root := packages.value.get("")
	if root == nil || root.value.kind != objectKind {
		return
	}
	l.workspaces = l.workspacePatterns(&root.value)
	locked, ok := l.compile(l.workspaces)
	if !ok {
		return
	}
	declared := locked
	if m != nil && m.doc.err == nil {
		l.declared = true
		l.workspaces = m.workspaces
		if declared, ok = l.compile(m.workspaces); !ok {
			return
		}
	}
	for i := 1; i < len(l.entries); i++ {
		e := &l.entries[i]
		if e.link {
			continue
		}
		e.workspace = declared.match(e.key)
		inLock := e.workspace
		if locked != declared {
			inLock = locked.match(e.key)
		}
		if locked.exhausted() || declared.exhausted() {
			l.invalid(l.entries[0].off, hintWorkspaces, tooManyMembers)
			return
		}
		if e.workspace != inLock {
			l.invalid(e.off, l.hint(), "package.json and the lockfile differ in whether %s is a workspace member", quote(e.key))
		}
	}
}

// compile returns whether a folder is one of the workspaces, with a problem
// where nobody can tell.
func (l *lockfile) compile(patterns []string) (members *membership, ok bool) {
	members, err := compileWorkspaces(patterns)
	if err != nil {
		l.invalid(l.entries[0].off, hintWorkspaces, "the workspaces cannot be understood: %v", err)
	}
	return members, err == nil
}

// workspacePatterns reads both forms of "workspaces": an array, or an object
// with an array "packages".
func (s *source) workspacePatterns(obj *value) []string {
	m := obj.get("workspaces")
	if m != nil && m.value.kind == objectKind {
		m = m.value.get("packages")
	}
	if m == nil || m.value.kind == nullKind {
		return nil
	}
	if m.value.kind != arrayKind {
		s.wrongType(m, arrayKind)
		return nil
	}
	return s.list(m)
}

func (l *lockfile) readDependencies() {
	for i := range l.entries {
		e := &l.entries[i]
		if e.at == nil || e.link {
			continue
		}
		e.deps = l.dependencies(&e.at.value, !e.isChild)
		if e.bundlesAll {
			for _, d := range e.deps {
				if d.kind == prodEdge {
					e.bundles = append(e.bundles, d.name)
				}
			}
		}
	}
	l.askForMembers()
}

// askForMembers lets the root depend on every member, whatever else it says of
// a package of that name.
func (l *lockfile) askForMembers() {
	root := &l.entries[0]
	index := map[string]int{}
	for i, d := range root.deps {
		index[fold(d.name)] = i
	}
	for i := range l.entries {
		e := &l.entries[i]
		if !e.workspace {
			continue
		}
		d := dependency{name: e.name, kind: workspaceEdge, off: e.off}
		n, ok := index[fold(d.name)]
		switch {
		case !ok:
			index[fold(d.name)] = len(root.deps)
			root.deps = append(root.deps, d)
		case root.deps[n].kind == workspaceEdge:
			l.invalid(e.off, "give each workspace member a name of its own", "two workspace members are named %s", quote(e.name))
		default:
			own := root.deps[n]
			d.instead = &own
			root.deps[n] = d
		}
	}
}

// resolve finds for each dependency the copy that Node.js would load.
func (l *lockfile) resolve() {
	deps := 0
	for i := range l.entries {
		deps += len(l.entries[i].deps)
	}
	room := make([]edge, deps) // one for all: most entries ask for little
	for i := range l.entries {
		e := &l.entries[i]
		e.edges, room = room[:0:len(e.deps)], room[len(e.deps):]
		for _, d := range e.deps {
			to := l.find(i, d.name)
			e.edges = append(e.edges, edge{d, to})
			if to == none {
				l.missing(e, d)
				continue
			}
			if found := &l.entries[to]; found.folder != d.name {
				l.invalid(d.off, l.hint(), "%s asks for %s and would get %s", l.label(e), quote(d.name), quote(found.key))
			} else if d.kind == workspaceEdge && !l.leadsTo(to, d) {
				l.invalid(d.off, l.hint(), "the workspace member %s is not what %s leads to", quote(d.name), quote(found.key))
			} else if asksURL(d.spec) {
				found.byURL = true
			}
		}
	}
}

func (l *lockfile) leadsTo(to int, d dependency) bool {
	e := &l.entries[to]
	return e.link && e.target != none && l.entries[e.target].off == d.off
}

// find walks up from an entry to the first node_modules that holds the name.
func (l *lockfile) find(from int, name string) int {
	n, ok := l.child.number(name)
	for ; ok && from != none; from = l.entries[from].parent {
		if to := l.child.get(from, n); to != none {
			return to
		}
	}
	return none
}

// missing judges a dependency that is nowhere. npm itself installs without
// optional ones, and leaves out peers where it is told to ignore them.
func (l *lockfile) missing(e *entry, d dependency) {
	switch {
	case d.kind.mayMiss():
	case l.cut || e.outside():
		e.incomplete = true
	case d.kind == peerEdge && l.bun == nil:
		l.warn(d.off, "install it, unless the project runs npm with --legacy-peer-deps on purpose",
			"%s needs the peer %s, which is not in the lockfile", l.label(e), quote(d.name))
	case e.hasShrink:
		e.incomplete = true
		l.problem(sbom.Unsupported, d.off, "run `npm install` and commit the lockfile that it writes",
			"%s brings an npm-shrinkwrap.json of its own, whose packages are not in this lockfile", l.label(e))
	default:
		e.incomplete = true
		l.invalid(d.off, l.hint(), "%s depends on %s, which is not in the lockfile", l.label(e), quote(d.name))
	}
}

func (l *lockfile) label(e *entry) string {
	if e.key == "" {
		return "the project"
	}
	return quote(e.key)
}

// findBundled finds what arrives inside of another package's tarball, by npm's
// rule: what a package's bundleDependencies name, all that lies below these, and
// what they use from the bundling package's own node_modules. What the project
// or a member of it bundles is fetched as usual. The lockfile's inBundle is not
// trusted: it would excuse a package from having an integrity.
func (l *lockfile) findBundled() {
	children := map[int][]int{}
	for i := 1; i < len(l.entries); i++ {
		if e := &l.entries[i]; e.isChild {
			children[e.parent] = append(children[e.parent], i)
		}
	}
	// Bundlers are visited from the outside in, since the outermost one counts.
	order := make([]int, 0, len(l.entries))
	for i := range l.entries {
		if e := &l.entries[i]; e.isChild && len(e.bundles) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return l.entries[a].nesting - l.entries[b].nesting })
	for _, bundler := range order {
		if !l.entries[bundler].bundled {
			l.bundle(bundler, children)
		}
	}
	for i := range l.entries {
		e := &l.entries[i]
		if e.markBundled && !e.bundled && !e.hasResolved && len(e.integrity) == 0 && !l.bundledByProject(e) {
			l.warn(e.off, l.hint(), "%s is marked as bundled, but no package above it bundles it", quote(e.key))
		}
		if e.bundled && len(e.integrity) > 0 && !e.hasResolved {
			if l.bun == nil { // Bun always writes the one of the registry's
				l.warn(e.off, "", "%s comes inside of another package, so its own integrity protects nothing and is left out", quote(e.key))
			}
			e.integrity = nil
		}
	}
}

func (l *lockfile) bundledByProject(e *entry) bool {
	return e.parent != none && !l.entries[e.parent].isChild && len(l.entries[e.parent].bundles) > 0
}

func (l *lockfile) bundle(bundler int, children map[int][]int) {
	var queue []int
	take := func(i int) {
		if e := &l.entries[i]; !e.bundled {
			e.bundled = true
			queue = append(queue, i)
		}
	}
	for _, name := range l.entries[bundler].bundles {
		if n, ok := l.child.number(name); ok {
			if c := l.child.get(bundler, n); c != none {
				take(c)
			}
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, c := range children[i] {
			take(c)
		}
		for _, e := range l.entries[i].edges {
			if e.to != none && l.entries[e.to].isChild && l.entries[e.to].parent == bundler {
				take(e.to)
			}
		}
	}
}

// reach returns the entries to which edges of some kinds lead from the project and its
// members.
func (l *lockfile) reach(follow func(edgeKind) bool) []bool {
	seen := make([]bool, len(l.entries))
	var queue []int
	for i := range l.entries {
		if i == 0 || l.entries[i].workspace {
			seen[i] = true
			queue = append(queue, i)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, e := range l.entries[queue[0]].edges {
			if to := l.instance(e.to); to != none && !seen[to] && follow(e.kind) {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return seen
}

// judgeUnasked tells of packages that nobody asks for: npm calls them extraneous, and
// so are they listed. What is bundled arrives with its bundler, asked for or not.
func (l *lockfile) judgeUnasked() {
	if l.cut || l.entries[0].off == none || l.entries[0].incomplete {
		return
	}
	first, n := none, 0
	for i, is := range l.reach(func(edgeKind) bool { return true }) {
		if e := &l.entries[i]; is || e.link || e.bundled {
			continue
		}
		if n++; first == none {
			first = i
		}
	}
	if n > 0 {
		l.warn(l.entries[first].off, l.hint(), "nothing asks for %s (one of %d such packages)", l.label(&l.entries[first]), n)
	}
}

// instance follows a link to its target; none where it leads nowhere.
func (l *lockfile) instance(i int) int {
	if i != none && l.entries[i].link {
		return l.entries[i].target
	}
	return i
}
