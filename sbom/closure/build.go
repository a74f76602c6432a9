package closure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// builder grows the tree. It visits packages from the top down, in a dictionary's
// order, and looks at what they depend on. What is missing is put into a virtual
// tree first, together with its peers, and then placed. A package whose place
// changes hands is looked at again.
type builder struct {
	ctx      context.Context //nolint:containedctx // of one call of Resolve
	opts     Options
	fetch    *fetcher
	ranges   ranges
	engines  engines
	root     *node
	roots    []*Manifest // of the requests; nil for what is unresolved
	refusals []Unresolved

	virtual  map[*node]*node // the latest virtual tree for a node
	queue    []*node
	queued   map[*node]bool
	seen     map[*node]bool
	explicit map[*edge]bool // what the launch names
	failures map[*node]bool
	placed   int
	steps    int
}

// start asks for what the launch names. npx finds out first which version that is,
// and then installs exactly this one, under the package's own name.
func (b *builder) start(requests []Request) error {
	b.engines = engines{parseVersion(b.opts.NodeVersion), parseVersion(b.opts.NPMVersion)}
	if b.opts.NodeVersion != "" && b.engines.node == nil || b.opts.NPMVersion != "" && b.engines.npm == nil {
		return errors.New("the version of Node.js or npm is no version")
	}
	top := &Manifest{}
	b.root = &node{m: top}
	for _, r := range requests {
		if validName(r.Name) {
			b.fetch.ahead(r.Name)
		}
	}
	for _, r := range requests {
		n, err := b.fromSpec(r.Name, b.ranges.parse(r.Name, r.Spec))
		if err != nil {
			return err
		}
		b.roots = append(b.roots, n.m)
		if n.err != nil {
			b.refusals = append(b.refusals, Unresolved{Name: r.Name, Spec: r.Spec, Reason: n.reason, Detail: detail(n)})
			continue
		}
		top.Dependencies = append(top.Dependencies, Dependency{n.m.Name, n.m.Version})
	}
	b.root.depend(b.ranges)
	for _, e := range b.root.out.all() {
		b.explicit[e] = true
	}
	b.push(b.root)
	return nil
}

func (b *builder) push(n *node) {
	if !b.queued[n] {
		b.queued[n] = true
		b.queue = append(b.queue, n)
	}
}

// next takes the highest package off the queue, of these the first by its path.
func (b *builder) next() *node {
	type item struct {
		depth int
		path  string
	}
	best, first := -1, item{}
	for i, n := range b.queue {
		x := item{n.depth(), n.path()}
		if best < 0 || cmp.Or(cmp.Compare(x.depth, first.depth), collate(x.path, first.path)) < 0 {
			best, first = i, x
		}
	}
	n := b.queue[best]
	b.queue = slices.Delete(b.queue, best, best+1)
	delete(b.queued, n)
	return n
}

func (b *builder) again(n *node) {
	delete(b.seen, n)
	b.push(n)
}

func (b *builder) run() error {
	for len(b.queue) > 0 {
		n := b.next()
		if b.seen[n] || n.top() != b.root || n.m != nil && n.m.Shrinkwrap {
			continue
		}
		b.seen[n] = true
		if err := b.visit(n); err != nil {
			return err
		}
	}
	return nil
}

// task is a package that was found for a dependency.
type task struct {
	edge *edge
	dep  *node
}

func (b *builder) visit(n *node) error {
	if err := b.open(b.ctx, n); err != nil {
		return err
	}
	var tasks []task
	for _, e := range b.problems(n) {
		if e.overridden {
			continue
		}
		if err := b.step(); err != nil {
			return err
		}
		dep, err := b.find(n, e)
		if err != nil {
			return err
		}
		tasks = append(tasks, task{e, dep})
	}
	slices.SortStableFunc(tasks, func(x, y task) int { return collate(x.edge.name, y.edge.name) })
	for _, t := range tasks {
		p := &placement{b: b, dep: t.dep, edge: t.edge, asked: b.explicit[t.edge]}
		if err := p.place(); err != nil {
			return err
		}
		if err := b.follow(p); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) step() error {
	if b.steps++; b.steps > maxSteps {
		return fmt.Errorf("%w: more than %d dependencies to look at", ErrLimit, maxSteps)
	}
	return b.ctx.Err()
}

// problems returns the dependencies that nothing meets, and what the launch names.
func (b *builder) problems(n *node) []*edge {
	var out []*edge
	for _, e := range n.out.all() {
		switch {
		case n.m.bundles(e.name), e.to != nil && b.failures[e.to]:
		case e.to == nil && e.kind == PeerOptional:
		case e.to == nil || !e.valid() || b.explicit[e]:
			out = append(out, e)
		}
	}
	return out
}

// find returns a package for a dependency. Peers of the same package are found in
// one virtual tree, so that they fit together.
func (b *builder) find(n *node, e *edge) (*node, error) {
	set := b.virtual[n]
	if set == nil {
		set = b.newVirtual(n)
	}
	if v := set.out.get(e.name); v != nil && v.to != nil && v.valid() && e.satisfiedBy(v.to) {
		return v.to, nil
	}
	if e.kind == PeerOptional && !b.explicit[e] {
		above := e.from.parent
		if above == nil {
			above = e.from
		}
		if there := above.nearest(e); there != nil {
			return there, nil
		}
	}
	if !e.kind.peer() {
		set = nil
	}
	return b.fromEdge(e, set, nil, map[*node]bool{e.from: true}, 0)
}

// nearest returns the highest node below n that meets a dependency, or nil.
func (n *node) nearest(e *edge) *node {
	for queue := n.children.all(); len(queue) > 0; queue = queue[1:] {
		if queue[0].name == e.name && e.satisfiedBy(queue[0]) {
			return queue[0]
		}
		queue = append(queue, queue[0].children.all()...)
	}
	return nil
}

func (b *builder) newVirtual(n *node) *node {
	top := &node{m: n.m, standsFor: n}
	top.depend(b.ranges)
	b.virtual[n] = top
	return top
}

// fromEdge puts a package for a dependency into a virtual tree, with its peers.
// second is a further dependency on it, whose wish is taken where it pleases both.
func (b *builder) fromEdge(e *edge, set *node, second *edge, required map[*node]bool, depth int) (*node, error) {
	if depth > maxPeerDepth {
		return nil, fmt.Errorf("%w: more than %d peers of peers", ErrLimit, maxPeerDepth)
	}
	if err := b.step(); err != nil {
		return nil, err
	}
	if set == nil {
		set = b.newVirtual(e.from)
	}
	n, err := b.fromSpec(e.name, e.want)
	if err != nil {
		return nil, err
	}
	n.attach(set)
	if second != nil && !second.valid() {
		other, err := b.fromSpec(e.name, second.want)
		if err != nil {
			return nil, err
		}
		other.attach(set)
		if e.valid() {
			n = other
		}
	}
	n.attach(set)
	if required[e.from] && e.kind != PeerOptional || second != nil && required[second.from] && second.kind != PeerOptional {
		required[n] = true
	}
	return n, b.loadPeers(n, required, depth)
}

// loadPeers puts a package's peers beside it, and theirs.
func (b *builder) loadPeers(n *node, required map[*node]bool, depth int) error {
	peers := slices.DeleteFunc(n.out.all(), func(e *edge) bool { return !e.kind.peer() || e.to != nil && e.valid() })
	slices.SortStableFunc(peers, func(x, y *edge) int { return collate(x.name, y.name) })
	for _, e := range peers {
		if n.parent == nil {
			return nil // a better one took its place
		}
		if e.to != nil && e.valid() {
			continue
		}
		if err := b.loadPeer(n, e, required, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) loadPeer(n *node, e *edge, required map[*node]bool, depth int) error {
	set := n.parent
	above := set.out.get(e.name)
	tolerant := set.standsFor != b.root // only for the launch itself does npm insist
	if e.to == nil && above == nil {
		_, err := b.fromEdge(e, set, nil, required, depth)
		return err
	}
	if e.to == nil {
		dep, err := b.fromEdge(above, set, e, required, depth)
		switch {
		case err != nil || e.valid():
			return err
		case tolerant || !required[dep]:
			e.overridden = true
			return nil
		case n.parent == nil:
			return nil
		default:
			return &conflictError{e}
		}
	}
	current := e.to
	dep, err := b.fromEdge(e, nil, nil, required, depth)
	if err != nil {
		return err
	}
	if dep.canReplace(current, nil) {
		_, err := b.fromEdge(e, n.parent, nil, required, depth)
		return err
	}
	if tolerant || !required[e.from] {
		return nil
	}
	return &conflictError{e}
}

// fromSpec asks for a package and picks the version. What cannot be had is a
// failure, which matters only if it gets a place and nothing makes it optional.
func (b *builder) fromSpec(name string, s spec) (*node, error) {
	fail := func(reason Reason, err error) (*node, error) {
		n := &node{name: name, err: err, reason: reason}
		b.failures[n] = true
		return n, nil
	}
	if reason := s.reason(); reason != "" {
		return fail(reason, errors.New(string(reason)))
	}
	if !validName(s.name) || len(s.text) > maxSpec {
		return fail(ReasonSpec, errors.New(string(ReasonSpec)))
	}
	p, err := b.fetch.get(s.name)
	if errors.Is(err, ErrNotFound) {
		return fail(ReasonNoPackage, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	m, err := pick(p, s, b.engines)
	if err != nil {
		return fail(ReasonNoVersion, err)
	}
	if m.Invalid != "" {
		return fail(ReasonUnreadable, errors.New(m.Invalid))
	}
	n := &node{name: name, m: m, version: m.parsed()}
	n.depend(b.ranges)
	b.askAhead(n)
	return n, nil
}

// askAhead has the packuments fetched that a package will need.
func (b *builder) askAhead(n *node) {
	for _, e := range n.out.all() {
		if e.kind != PeerOptional && e.want.reason() == "" && validName(e.want.name) && !n.m.bundles(e.name) && !n.m.Shrinkwrap {
			b.fetch.ahead(e.want.name)
		}
	}
}

// follow queues everybody whose dependencies what was placed has changed.
func (b *builder) follow(p *placement) error {
	if n := p.placed; n != nil {
		if b.placed++; b.placed > b.opts.MaxPackages {
			return fmt.Errorf("%w: more than %d packages", ErrLimit, b.opts.MaxPackages)
		}
		if n.err != nil {
			b.failures[n] = true
		}
		for _, e := range n.in {
			if e != p.edge && !e.valid() && !e.overridden {
				b.again(e.from)
			}
		}
		b.push(n)
		for _, x := range p.evaluate {
			b.again(x)
		}
	}
	for _, child := range p.placements {
		if err := b.follow(child); err != nil {
			return err
		}
	}
	return nil
}

// sorted orders nodes by their path.
func sorted(nodes []*node) []*node {
	slices.SortFunc(nodes, func(a, b *node) int { return collate(a.path(), b.path()) })
	return nodes
}
