package closure

import (
	"cmp"
	"slices"
	"strings"

	"deps.dev/util/semver"
)

// node is one copy of a package at its place, the folder that everything is
// installed into, or (virtual) a stand-in for another node, below which its
// peers are tried out.
type node struct {
	name    string    // of its folder
	m       *Manifest // nil for the top and for a failure
	version *semver.Version
	err     error // why there is no manifest; nil where there is one
	reason  Reason

	parent   *node // nil for a top: nothing is above it
	children list[*node]
	out      list[*edge]
	in       []*edge
	link     *node // what it is a symbolic link to

	standsFor *node // of a virtual top

	bundled bool   // it lies inside of a tarball
	opened  bool   // what lies inside of its own was looked at
	closed  string // why nobody could

	optional, peer bool // npm's flags: every way to it is
	reached        bool
}

// edge is a dependency. Where it leads follows from the tree alone, and is kept
// up to date with it.
type edge struct {
	from, to   *node
	name       string
	text       string
	want       spec
	kind       EdgeKind
	overridden bool // two peers conflict, and npm leaves it at that
}

// list keeps things by name, in the order in which they came. As for npm names
// that differ in their case only are one, since a file system may think so.
type list[T any] struct {
	keys   []string
	values map[string]T
}

func fold(name string) string { return strings.ToLower(name) }

func (l *list[T]) get(name string) T { return l.values[fold(name)] }

func (l *list[T]) put(name string, v T) {
	key := fold(name)
	if l.values == nil {
		l.values = map[string]T{}
	}
	if _, there := l.values[key]; !there {
		l.keys = append(l.keys, key)
	}
	l.values[key] = v
}

func (l *list[T]) remove(name string) {
	key := fold(name)
	if i := slices.Index(l.keys, key); i >= 0 {
		l.keys = slices.Delete(l.keys, i, i+1)
		delete(l.values, key)
	}
}

// all returns the values, which stay the same while the list changes.
func (l *list[T]) all() []T {
	out := make([]T, len(l.keys))
	for i, key := range l.keys {
		out[i] = l.values[key]
	}
	return out
}

func (n *node) isTop() bool { return n.parent == nil }

func (n *node) top() *node {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

func (n *node) depth() int {
	depth := 0
	for ; n.parent != nil; n = n.parent {
		depth++
	}
	return depth
}

// path is where the node stands below its top.
func (n *node) path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.parent.parent == nil:
		return "node_modules/" + n.name
	default:
		return n.parent.path() + "/node_modules/" + n.name
	}
}

func (n *node) below(ancestor *node) bool {
	for ; n != nil; n = n.parent {
		if n == ancestor {
			return true
		}
	}
	return false
}

// resolve finds the copy that Node.js would load in a package.
func (n *node) resolve(name string) *node {
	name = fold(name)
	for ; n != nil; n = n.parent {
		if found := n.children.values[name]; found != nil {
			return found
		}
	}
	return nil
}

// depend adds what a package asks for. Optional dependencies beat others of the
// same name, and these beat peers.
func (n *node) depend(r ranges) {
	if n.m == nil || n.link != nil {
		return
	}
	for _, kind := range []EdgeKind{Peer, PeerOptional} {
		for _, d := range n.m.Peers {
			if n.m.OptionalPeer[d.Name] == (kind == PeerOptional) {
				n.addEdge(r, d, kind)
			}
		}
	}
	for _, d := range n.m.Dependencies {
		n.addEdge(r, d, Prod)
	}
	for _, d := range n.m.Optional {
		n.addEdge(r, d, OptionalEdge)
	}
}

func (n *node) addEdge(r ranges, d Dependency, kind EdgeKind) {
	if old := n.out.get(d.Name); old != nil {
		old.leadTo(nil)
		n.out.remove(d.Name)
	}
	e := &edge{from: n, name: d.Name, text: d.Spec, want: r.parse(d.Name, d.Spec), kind: kind}
	n.out.put(d.Name, e)
	e.leadTo(n.resolve(d.Name))
}

func (e *edge) leadTo(to *node) {
	if e.to == to {
		return
	}
	if e.to != nil {
		e.to.in = slices.DeleteFunc(e.to.in, func(x *edge) bool { return x == e })
	}
	if e.to = to; to != nil {
		to.in = append(to.in, e)
	}
}

// valid reports whether a dependency is met.
func (e *edge) valid() bool {
	switch {
	case e.to == nil:
		return e.kind.optional()
	case e.kind.peer() && e.from == e.to.parent && !e.from.isTop():
		return false // a peer must not stand below who asks for it
	default:
		return e.satisfiedBy(e.to)
	}
}

func (e *edge) satisfiedBy(n *node) bool {
	return n.name == e.name && n.m != nil && e.want.satisfiedBy(n.version)
}

// attach puts a node at its place. What stood there goes.
func (n *node) attach(parent *node) {
	if n.parent == parent {
		return
	}
	n.detach()
	if old := parent.children.get(n.name); old != nil {
		old.detach()
	}
	n.parent = parent
	parent.children.put(n.name, n)
	parent.rewire(n.name)
	n.rewireOut(n)
}

// detach takes a node out of its tree, with everything below it.
func (n *node) detach() {
	parent := n.parent
	if parent == nil {
		return
	}
	parent.children.remove(n.name)
	n.parent = nil
	parent.rewire(n.name)
	n.rewireOut(n)
}

// rewire lets all dependencies of a name, of a node and of what is below it, lead
// to where they lead now.
func (n *node) rewire(name string) {
	if e := n.out.get(name); e != nil {
		e.leadTo(n.resolve(name))
	}
	for _, c := range n.children.values {
		c.rewire(name)
	}
}

// rewireOut does the same for all dependencies that lead out of a branch.
func (n *node) rewireOut(branch *node) {
	for _, e := range n.out.values {
		if e.to == nil || !e.to.below(branch) {
			e.leadTo(n.resolve(e.name))
		}
	}
	for _, c := range n.children.values {
		c.rewireOut(branch)
	}
}

// replace puts a node into the place of another, whose children it takes over.
func (n *node) replace(old *node) {
	parent := old.parent
	for _, c := range old.children.all() {
		c.attach(n)
	}
	n.attach(parent)
}

// matches reports whether two nodes are the same package.
func (n *node) matches(other *node) bool {
	switch {
	case n == other:
		return true
	case n.name != other.name:
		return false
	case n.link != nil || other.link != nil:
		return n.link != nil && other.link != nil && n.link.matches(other.link)
	case n.m == nil || other.m == nil:
		return false
	case n.m.Integrity != "" && other.m.Integrity != "":
		return n.m.Integrity == other.m.Integrity
	default:
		return n.m.Tarball == other.m.Tarball
	}
}

// canReplace reports whether all who use another node could use this one. The
// members of a set of peers are replaced together, so what they ask for does not
// count.
func (n *node) canReplace(other *node, set *node) bool {
	if n.name != other.name || n.m == nil || other.m == nil || n.m.Name != other.m.Name {
		return false
	}
	own := dependents([]*node{other}, func(e *edge) bool { return e.to != other && e.valid() })
	for _, e := range other.in {
		if set != nil && !other.isTop() && e.from.parent == other.parent && e.kind.peer() && set.children.get(e.from.name) != nil {
			continue
		}
		if !slices.Contains(own, e.from) && !e.satisfiedBy(n) {
			return false
		}
	}
	return true
}

// canDedupe reports whether a node can go, because nobody wants it or another one
// further up does as well.
func (n *node) canDedupe(explicit bool) bool {
	if n.parent == nil || n.parent.parent == nil || n.bundled {
		return false
	}
	if len(n.in) == 0 {
		return true
	}
	other := n.parent.parent.resolve(n.name)
	switch {
	case other == nil:
		return false
	case other.matches(n):
		return true
	case !other.canReplace(n, nil):
		return false
	default:
		return explicit || compareVersions(other.version, n.version) >= 0
	}
}

// compareVersions orders what may be no version at all.
func compareVersions(a, b *semver.Version) int {
	if a == nil || b == nil {
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	return a.Compare(b)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// dependents returns the nodes and what they depend on, over the edges that
// follow takes, without everything that somebody else depends on too.
func dependents(nodes []*node, follow func(*edge) bool) []*node {
	set := make(map[*node]bool, len(nodes))
	var queue []*node
	for _, n := range nodes {
		if !set[n] {
			set[n] = true
			queue = append(queue, n)
		}
	}
	for i := 0; i < len(queue); i++ {
		for _, e := range queue[i].out.all() {
			if e.to != nil && !set[e.to] && follow(e) {
				set[e.to] = true
				queue = append(queue, e.to)
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, n := range queue {
			if set[n] && slices.ContainsFunc(n.in, func(e *edge) bool { return !set[e.from] && follow(e) }) {
				delete(set, n)
				changed = true
			}
		}
	}
	return slices.DeleteFunc(queue, func(n *node) bool { return !set[n] })
}

// lowestPlace is the deepest node below which a dependency of from can stand:
// from itself, or, where it must stand beside from and others that have it as a
// peer, further up.
func lowestPlace(from *node, name string) *node {
	for {
		if from.isTop() {
			return from
		}
		if e := from.out.get(name); e == nil || !e.kind.peer() {
			return from
		}
		from = from.parent
	}
}

// entry is a way into a set of peers, with the members that it brings.
type entry struct {
	edge  *edge
	peers []*node
}

// entries returns the ways into all sets of peers that a node belongs to.
func (n *node) entries() []entry {
	union, has := []*node{n}, map[*node]bool{n: true}
	add := func(x *node) {
		if x != nil && !has[x] {
			has[x] = true
			union = append(union, x)
		}
	}
	for i := 0; i < len(union); i++ { //nolint:intrange // it grows
		for _, e := range union[i].out.all() {
			if e.kind.peer() && e.to != nil && e.valid() {
				add(e.to)
			}
		}
		for _, e := range union[i].in {
			if e.kind.peer() && e.valid() {
				add(e.from)
			}
		}
	}
	var out []entry
	for _, member := range union {
		for _, e := range member.in {
			if !e.valid() || e.kind.peer() && !e.from.isTop() {
				continue
			}
			if brought := member.peerSet(); slices.Contains(brought, n) {
				out = append(out, entry{e, brought})
			}
		}
	}
	return out
}

// peerSet is a node with its peers and theirs.
func (n *node) peerSet() []*node {
	set := []*node{n}
	for i := 0; i < len(set); i++ {
		for _, e := range set[i].out.all() {
			if e.kind.peer() && e.to != nil && e.valid() && !slices.Contains(set, e.to) {
				set = append(set, e.to)
			}
		}
	}
	return set
}
