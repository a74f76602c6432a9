package closure

import (
	"cmp"
	"slices"
)

// flag finds out what is optional and what is a peer only, as npm marks it in a
// lockfile. What only optional peers want is reached by nobody.
func (b *builder) flag() {
	for _, n := range b.all() {
		n.optional, n.peer = true, true
	}
	b.root.optional, b.root.peer, b.root.reached = false, false, true
	for queue := []*node{b.root}; len(queue) > 0; {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if n.link != nil && n.pass(n.link, Prod) {
			queue = append(queue, n.link)
		}
		for _, e := range n.out.values {
			if e.to != nil && n.pass(e.to, e.kind) {
				queue = append(queue, e.to)
			}
		}
	}
}

// pass takes flags away that a dependency does away with.
func (n *node) pass(to *node, kind EdgeKind) bool {
	changed := false
	if n.reached && !to.reached && kind != PeerOptional {
		to.reached, changed = true, true
	}
	if to.optional && !n.optional && !kind.optional() {
		to.optional, changed = false, true
	}
	if to.peer && !n.peer && !kind.peer() {
		to.peer, changed = false, true
	}
	return changed
}

// all returns the nodes of the tree but its top.
func (b *builder) all() []*node {
	out := b.root.children.all()
	for i := 0; i < len(out); i++ {
		out = append(out, out[i].children.all()...)
	}
	return out
}

// result reads the closure off the tree.
func (b *builder) result() *Closure {
	b.flag()
	c := &Closure{Unresolved: b.refusals, Roots: make([]string, len(b.roots))}
	for i, m := range b.roots {
		if m != nil {
			c.Roots[i] = "node_modules/" + m.Name
		}
	}
	for _, n := range append([]*node{b.root}, b.all()...) {
		if n.m == nil {
			c.Unresolved = append(c.Unresolved, n.unresolved()...)
			continue
		}
		if n != b.root {
			c.Packages = append(c.Packages, n.installed())
		}
		c.Unresolved = append(c.Unresolved, n.inside()...)
		for _, e := range n.out.values {
			if e.to != nil && e.to.m != nil {
				c.Edges = append(c.Edges, Edge{
					From: n.path(), Name: e.name, Spec: e.text, Kind: e.kind, To: e.to.path(), Overridden: !e.valid(),
				})
			}
		}
	}
	c.sort()
	return c
}

func (c *Closure) sort() {
	slices.SortFunc(c.Packages, func(a, b Package) int { return cmp.Compare(a.Path, b.Path) })
	slices.SortFunc(c.Edges, func(a, b Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Name, b.Name)) })
	slices.SortStableFunc(c.Unresolved, func(a, b Unresolved) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Name, b.Name))
	})
}

func (n *node) installed() Package {
	p := Package{
		Path: n.path(), Name: n.m.Name, Version: n.m.Version, Integrity: n.m.Integrity, Tarball: n.m.Tarball,
		Optional: n.optional && n.reached, Peer: n.peer && n.reached, Extraneous: !n.reached,
		Bundled: n.bundled, Deprecated: n.m.Deprecated, InstallScript: n.m.InstallScript,
		OS: n.m.OS, CPU: n.m.CPU, Libc: n.m.Libc, Engines: n.m.Node, Manifest: n.m,
	}
	if n.link != nil {
		p.Link = n.link.path()
	}
	return p
}

// unresolved says who misses what failed. An optional package that does not exist
// is missed by nobody: npm goes on without it.
func (n *node) unresolved() []Unresolved {
	if n.optional && (n.reason == ReasonNoPackage || n.reason == ReasonNoVersion) {
		return nil
	}
	var out []Unresolved
	for _, e := range n.in {
		out = append(out, Unresolved{From: e.from.path(), Name: e.name, Spec: e.text, Reason: n.reason, Detail: detail(n)})
	}
	return out
}

func detail(n *node) string {
	if n.reason == ReasonNoVersion || n.reason == ReasonUnreadable {
		return n.err.Error()
	}
	return ""
}

// inside says what only the package's tarball could tell.
func (n *node) inside() []Unresolved {
	if n.m.Shrinkwrap && n.link == nil {
		return []Unresolved{{From: n.path(), Name: n.m.Name, Spec: n.m.Version, Reason: ReasonShrinkwrap}}
	}
	if n.bundled {
		return n.missingInside()
	}
	var out []Unresolved
	for _, e := range n.out.all() {
		if n.m.bundles(e.name) && (e.to == nil || !e.to.bundled || !e.valid()) {
			out = append(out, Unresolved{From: n.path(), Name: e.name, Spec: e.text, Reason: ReasonBundled, Detail: n.closed})
		}
	}
	return out
}

// refused is the closure where npm installs nothing at all: what the launch names
// is known all the same.
func (b *builder) refused(conflict *conflictError) *Closure {
	c := &Closure{Unresolved: b.refusals, Roots: make([]string, len(b.roots))}
	for i, m := range b.roots {
		if m == nil {
			continue
		}
		c.Roots[i] = "node_modules/" + m.Name
		n := &node{name: m.Name, m: m, parent: b.root, reached: true}
		if p := n.installed(); !slices.ContainsFunc(c.Packages, func(x Package) bool { return x.Path == p.Path }) {
			c.Packages = append(c.Packages, p)
		}
	}
	e := conflict.edge
	c.Unresolved = append(c.Unresolved, Unresolved{Name: e.name, Spec: e.text, Reason: ReasonConflict, Detail: conflict.Error()})
	c.sort()
	return c
}
