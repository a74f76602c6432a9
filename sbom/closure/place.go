package closure

import (
	"fmt"
	"slices"
)

// verdict says what placing a package at a place would mean.
type verdict uint8

const (
	unknown  verdict = iota
	conflict         // somebody would get what does not satisfy him
	fits             // nothing is there
	replaces         // what is there can go, or can go deeper
	keeps            // what is there does as well
)

// check is the question whether a package can stand below target, with all its
// peers there or above.
type check struct {
	dep    *node // in a virtual tree, with its peers beside it
	edge   *edge
	target *node
	parent *check // of a peer: that of the package which brings it
	dedupe bool   // prefer what is there, even where it is newer
	asked  bool   // the user asked for it
	path   []*node

	current    *node // what stands at the place
	override   bool  // the set of peers already overrode what the edge asks for
	all, alone verdict
	children   []*check
	peersDone  bool
	peers      verdict
}

func canPlace(c check) *check {
	c.dedupe = c.dedupe || c.edge.kind.peer()
	c.current = c.target.children.get(c.edge.name)
	c.override = !c.edge.satisfiedBy(c.dep)
	c.all = c.judge()
	if c.alone == unknown {
		c.alone = c.all
	}
	return &c
}

func (c *check) judge() verdict {
	if c.dep.err != nil { // it will be no part of the result
		if c.current != nil {
			return replaces
		}
		return fits
	}
	asks := c.target.out.get(c.edge.name)
	if asks != nil && asks.kind.peer() && !c.target.isTop() {
		return conflict
	}
	if c.current == nil {
		if asks != nil && asks != c.edge && !asks.satisfiedBy(c.dep) {
			return conflict
		}
		return c.judgeFree()
	}
	return c.judgeTaken()
}

// judgeFree asks who below the target gets the package from further up now, and
// would get this one then.
func (c *check) judgeFree() verdict {
	if c.target == c.first().edge.from {
		return c.withPeers(fits)
	}
	if shadowed := c.target.resolve(c.edge.name); shadowed != nil {
		for _, e := range shadowed.in {
			if e.from.below(c.target) && e.valid() && !e.satisfiedBy(c.dep) {
				return conflict
			}
		}
	}
	return c.withPeers(fits)
}

func (c *check) judgeTaken() verdict {
	if c.dep.matches(c.current) && (c.edge.satisfiedBy(c.current) || c.override) {
		if c.asked {
			return replaces
		}
		return keeps
	}
	upgrade := c.current.version != nil && c.dep.version != nil && c.dep.version.Compare(c.current.version) >= 0
	if upgrade && c.dep.canReplace(c.current, nil) {
		if v := c.withPeers(replaces); v != conflict {
			return v
		}
	}
	if c.edge.satisfiedBy(c.current) && (!c.asked || c.dedupe) {
		return keeps
	}
	if c.dedupe && !upgrade && c.dep.canReplace(c.current, nil) {
		if v := c.withPeers(replaces); v != conflict {
			return v
		}
	}
	return c.judgeLowest()
}

// judgeLowest decides whether what is there has to give way: only where the
// package can stand nowhere deeper, and what is there can.
func (c *check) judgeLowest() verdict {
	switch {
	case c.target != c.lowest():
		return conflict
	case !c.edge.kind.peer() && c.target == c.edge.from:
		return c.withPeers(replaces)
	case c.parent == nil && !c.edge.kind.peer():
		return conflict
	}
	for _, way := range c.current.entries() {
		if way.edge == c.edge || way.edge == c.first().edge || c.clobbers(way.edge.to) {
			continue
		}
		if !c.nests(way) {
			return conflict
		}
	}
	return c.withPeers(replaces)
}

// clobbers reports whether the new set of peers can stand in for an old one.
func (c *check) clobbers(entry *node) bool {
	set := c.dep.parent
	if instead := set.children.get(entry.name); instead != nil {
		return instead.canReplace(entry, set)
	}
	walk, has := []*node{entry}, map[*node]bool{entry: true}
	for i := 0; i < len(walk); i++ {
		for _, e := range walk[i].out.all() {
			if !e.kind.peer() || !e.valid() {
				continue
			}
			instead := set.children.get(e.name)
			switch {
			case instead != nil && !e.satisfiedBy(instead):
				return false
			case instead == nil && e.to != nil && !has[e.to]:
				has[e.to] = true
				walk = append(walk, e.to)
			}
		}
	}
	return true
}

// nests reports whether an old set of peers can go deeper.
func (c *check) nests(way entry) bool {
	for _, peer := range way.peers {
		lowest := lowestPlace(way.edge.from, peer.name)
		if lowest == c.target || c.target.below(lowest) {
			return false
		}
	}
	return true
}

// withPeers returns the verdict where the peers can go with the package.
func (c *check) withPeers(v verdict) verdict {
	c.alone = v
	if c.peersDone {
		return c.peers
	}
	path := append(append([]*node{}, c.path...), c.dep)
	c.peersDone, c.peers = true, v
	for _, e := range c.dep.out.all() {
		if !e.kind.peer() || e.to == nil || slices.Contains(path, e.to) {
			continue
		}
		child := canPlace(check{
			dep: e.to, edge: e, target: lowestPlace(c.target, e.to.name),
			parent: c, dedupe: true, path: path,
		})
		c.children = append(c.children, child)
		if child.all == conflict {
			c.peers = conflict
		}
	}
	return c.peers
}

func (c *check) lowest() *node {
	from := c.edge.from
	if c.parent != nil {
		from = c.parent.lowest()
	}
	return lowestPlace(from, c.edge.name)
}

func (c *check) first() *check {
	for c.parent != nil {
		c = c.parent
	}
	return c
}

// placement puts a package, and then its peers, into the tree.
type placement struct {
	b      *builder
	dep    *node
	edge   *edge
	parent *placement // of a peer
	asked  bool

	can        *check
	placed     *node
	evaluate   []*node // whose dependencies have to be looked at again
	placements []*placement
}

// conflictError says that npm refuses to go on (ERESOLVE).
type conflictError struct{ edge *edge }

func (e *conflictError) Error() string {
	return fmt.Sprintf("%s of %s conflicts with another", e.edge.name, e.edge.from.label())
}

func (n *node) label() string {
	if n.standsFor != nil {
		n = n.standsFor
	}
	if n.m == nil {
		return "the launch"
	}
	return n.m.Name + "@" + n.m.Version
}

func (p *placement) place() error {
	if p.edge.to != nil && p.edge.valid() && !p.asked {
		return nil
	}
	var alone *check
	for target := p.start(); target != nil; target = target.parent {
		if e := target.out.get(p.edge.name); !target.isTop() && e != nil && e.kind.peer() {
			continue
		}
		c := check{dep: p.dep, edge: p.edge, target: target, asked: p.asked}
		if p.parent != nil {
			c.parent = p.parent.can
		}
		can := canPlace(c)
		if can.alone != conflict {
			alone = can
		}
		if can.all == conflict {
			break
		}
		p.can = can
		if p.dep.err != nil {
			break
		}
	}
	if p.can == nil {
		if p.mine() {
			return &conflictError{p.first().edge}
		}
		if alone == nil {
			p.edge.overridden = true
			return nil
		}
		p.can = alone
	}
	return p.carryOut()
}

func (p *placement) carryOut() error {
	target, what := p.can.target, p.can.all
	if what == conflict {
		what = p.can.alone
	}
	if what == keeps {
		if p.edge.kind.peer() && !p.edge.valid() {
			p.edge.overridden = true
		}
		p.prune(target, true)
		return nil
	}
	// A circle that could only be nested forever ends in a link.
	for up := target; up != nil; up = up.parent {
		if !up.isTop() && up.matches(p.dep) {
			p.placed = &node{name: up.name, m: up.m, version: up.version, link: up}
			p.placed.attach(target)
			return nil
		}
	}
	if target.depth() >= maxDepth {
		return fmt.Errorf("%w: more than %d packages inside of each other", ErrLimit, maxDepth)
	}
	set := p.dep.parent
	p.placed = &node{name: p.dep.name, m: p.dep.m, version: p.dep.version, err: p.dep.err, reason: p.dep.reason}
	p.placed.depend(p.b.ranges)
	if old := target.children.get(p.edge.name); old != nil {
		p.replaceOld(old)
	} else {
		p.placed.attach(target)
	}
	if p.edge.kind.peer() && !p.edge.satisfiedBy(p.placed) {
		p.edge.overridden = true
	}
	if p.edge.to != nil && p.edge.valid() && p.edge.to != p.placed {
		p.prune(p.edge.to, false)
	}
	p.pruneBelow(target)
	return p.placePeers(set)
}

// pruneBelow removes deeper copies that are not needed any more.
func (p *placement) pruneBelow(target *node) {
	for _, n := range target.named(p.edge.name, nil) {
		if n.isTop() || !n.below(target) {
			continue // it went with another
		}
		p.prune(n, false)
		if n.below(target) {
			for _, c := range n.children.all() {
				p.prune(c, false)
			}
		}
	}
}

// named returns all nodes of a name below a node.
func (n *node) named(name string, into []*node) []*node {
	for _, c := range n.children.all() {
		if c.name == name {
			into = append(into, c)
		}
		into = c.named(name, into)
	}
	return into
}

// placePeers places the peers of what was placed, those that nothing meets yet.
func (p *placement) placePeers(set *node) error {
	for _, e := range p.placed.out.all() {
		if e.valid() || !e.kind.peer() || e.overridden || set == nil {
			continue
		}
		peer := set.children.get(e.name)
		if peer == nil || !e.satisfiedBy(peer) {
			continue // an optional one, or one that the set overrides
		}
		child := &placement{b: p.b, dep: peer, edge: e, parent: p, asked: p.asked}
		p.placements = append(p.placements, child)
		if err := child.place(); err != nil {
			return err
		}
	}
	return nil
}

// replaceOld puts the new package into the place of an old one, and removes what
// only that needed.
func (p *placement) replaceOld(old *node) {
	target := old.parent
	var orphans []*node
	for _, e := range old.out.all() {
		if to := e.to; p.placed.out.get(e.name) == nil && to != nil {
			orphans = append(orphans, dependents([]*node{to}, func(x *edge) bool { return x.to != to })...)
		}
	}
	var sets []*node
	for _, e := range append([]*edge{}, old.in...) {
		if e.satisfiedBy(p.placed) || !e.kind.peer() || e.from.parent != target || e.overridden {
			continue
		}
		for _, way := range e.from.entries() {
			in := way.edge.to
			if lowestPlace(in, "") != target && way.edge.from != p.b.root {
				sets = append(sets, dependents([]*node{in}, func(x *edge) bool { return x.to != in && !x.overridden })...)
			} else {
				e.overridden = true
			}
		}
	}
	p.placed.replace(old)
	p.pruneReplaced(orphans)
	for _, n := range sets {
		for _, e := range n.in {
			p.evaluate = append(p.evaluate, e.from)
		}
		n.detach()
	}
}

func (p *placement) pruneReplaced(orphans []*node) {
	var junk []*node
	for _, e := range p.placed.out.all() {
		if e.to != nil && !e.valid() {
			junk = append(junk, e.to)
		}
	}
	for _, o := range orphans {
		junk = append(junk, dependents([]*node{o}, func(e *edge) bool { return e.to != o && e.valid() })...)
	}
	for _, n := range dependents(junk, func(e *edge) bool { return e.from != p.placed && e.to != p.placed && e.valid() }) {
		n.detach()
	}
}

// prune removes a node that can be deduplicated, with what only it needs, and
// else looks below it.
func (p *placement) prune(n *node, descend bool) {
	if n.canDedupe(p.asked) {
		for _, x := range dependents([]*node{n}, func(e *edge) bool { return e.to != n && e.valid() }) {
			x.detach()
		}
		return
	}
	if descend {
		for _, c := range sorted(n.children.all()) {
			p.prune(c, true)
		}
	}
}

// mine reports whether the user's own request is behind it: then npm refuses what
// it otherwise only warns of.
func (p *placement) mine() bool {
	e := p.first().edge
	switch {
	case e.from == p.b.root:
		return true
	case !e.kind.peer():
		return false
	}
	peers := false
	for _, in := range e.from.in {
		if in.kind.peer() {
			peers = true
		} else if in.from == p.b.root {
			return true
		}
	}
	if !peers {
		return false
	}
	for _, way := range e.from.entries() {
		if way.edge.from == p.b.root {
			return true
		}
	}
	return false
}

func (p *placement) first() *placement {
	for p.parent != nil {
		p = p.parent
	}
	return p
}

// start is the deepest place where the package could stand.
func (p *placement) start() *node {
	from := p.edge.from
	if p.parent != nil {
		from = p.parent.start()
	}
	return lowestPlace(from, p.edge.name)
}
