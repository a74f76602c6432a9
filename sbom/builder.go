package sbom

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ID is an instance in a Builder. It means nothing outside of it.
type ID int

// Root is the instance of the project itself, which every builder has.
const Root ID = 0

// Use says for what an instance is installed.
type Use struct {
	Development bool // only for development
	Optional    bool // its absence is no error (npm's devOptional included)
	DevOptional bool // of what is optional: needed for development, and optional else
	Peer        bool // only there for a peer that somebody asks for
	Member      bool // of an edge: it only says that a project is a member of another one
	Locked      bool // a lockfile has it, though not in which folder it will lie
}

// Builder collects instances, the edges between them and services, and merges
// them into an Inventory: one component for each purl, where nothing
// contradicts that.
type Builder struct {
	instances []instance
	edges     []link
	projects  map[ID]string // folders of the user's own projects
	services  map[string]*Service
	inputs    map[string]*Input

	installed bool // something was read where it is installed

	places   []place                    // that are in none of these yet: most often nobody asks
	placed   map[string]ID              // by the folder that the package manager fills
	commands map[string]map[string][]ID // by the folder of packages, then by the command
}

// place is a folder that a package manager fills.
type place struct {
	folder   string
	id       ID
	commands []string
}

type instance struct {
	c   Component
	use Use
	at  []Occurrence

	service  string // ref of the service that this instance stands for
	launched []ID   // what the server of c launches
	own      []ID   // of these, what a lockfile installs, for a script
}

// NewBuilder returns a builder that holds a root named "project".
func NewBuilder() *Builder {
	b := &Builder{services: map[string]*Service{}, inputs: map[string]*Input{}}
	b.instances = append(b.instances, instance{c: Component{
		Ref: "project", Type: Application, Name: "project", Source: FromProject, Coverage: CompleteCoverage,
	}})
	return b
}

// DescribeRoot replaces what is known of the project. A component without a Ref
// gets its purl, else "project".
func (b *Builder) DescribeRoot(c Component, at ...Occurrence) {
	c.Source = FromProject
	c.Ref = cmp.Or(c.Ref, c.PURL, "project")
	b.instances[Root] = instance{c: c, at: at}
}

// Add adds one instance: an installed copy, or one mention in a configuration.
// Instances with the same purl become one component. A component without a purl
// needs a Ref of its own. Origin, Occurrences, Conflict and Extraneous of c are
// the builder's to fill.
func (b *Builder) Add(c Component, use Use, at ...Occurrence) ID {
	b.instances = append(b.instances, instance{c: c, use: use, at: at})
	return ID(len(b.instances) - 1)
}

// Reserve makes room for so many more instances, edges between them, and places.
func (b *Builder) Reserve(instances, edges, places int) {
	b.instances, b.edges, b.places = slices.Grow(b.instances, instances), slices.Grow(b.edges, edges), slices.Grow(b.places, places)
}

// AddService adds a remote service, merging those of the same Ref.
func (b *Builder) AddService(s Service, at ...Occurrence) ID {
	known := b.services[s.Ref]
	if known == nil {
		known = &s
		b.services[s.Ref] = known
	}
	known.Occurrences = append(known.Occurrences, at...)
	b.instances = append(b.instances, instance{service: s.Ref})
	return ID(len(b.instances) - 1)
}

// Link says that from depends on to.
func (b *Builder) Link(from, to ID) { b.LinkFor(from, to, Use{}) }

// LinkFor says that from depends on to, and for what alone: for its development,
// optionally, or as a peer.
func (b *Builder) LinkFor(from, to ID, use Use) { b.edges = append(b.edges, link{from, to, use}) }

// link is an edge between instances.
type link struct {
	from, to ID
	use      Use
}

// Project says that an instance is a project of the user's own in that folder, a path
// in the inventory: one that has, with what it depends on, an inventory of its own.
func (b *Builder) Project(id ID, folder string) {
	if b.projects == nil {
		b.projects = map[ID]string{}
	}
	b.projects[id] = folder
}

// Place says that the package manager puts an instance into that folder, a path
// in the inventory such as "web/node_modules/@s/n", and which commands it provides
// there. Readers of lockfiles call it; who looks for a package by its folder or its
// command (a launch) finds the very instance that is locked.
func (b *Builder) Place(folder string, id ID, commands ...string) {
	b.places = append(b.places, place{folder, id, commands})
}

// index makes places findable.
func (b *Builder) index() {
	if b.placed == nil {
		b.placed, b.commands = make(map[string]ID, len(b.places)), map[string]map[string][]ID{}
	}
	for _, p := range b.places {
		b.placed[p.folder] = p.id
		i := strings.LastIndex("/"+p.folder, "/node_modules/")
		if i < 0 {
			continue
		}
		modules := p.folder[:i+len("node_modules")]
		for _, command := range p.commands {
			if b.commands[modules] == nil {
				b.commands[modules] = map[string][]ID{}
			}
			b.commands[modules][command] = append(b.commands[modules][command], p.id)
		}
	}
	b.places = nil
}

// Placed returns the instance that a lockfile puts into that folder.
func (b *Builder) Placed(folder string) (Component, ID, bool) {
	b.index()
	id, ok := b.placed[folder]
	if !ok {
		return Component{}, NoID, false
	}
	return b.instances[id].c, id, true
}

// Providers returns the instances in a folder of packages (…/node_modules) that
// provide a command.
func (b *Builder) Providers(modules, command string) []ID {
	b.index()
	return b.commands[modules][command]
}

// Instance returns what was added, or placed, under that id.
func (b *Builder) Instance(id ID) Component { return b.instances[id].c }

// Instance is what one Add added.
type Instance struct {
	Component Component
	Use       Use
	At        []Occurrence
}

// Instances returns what was added so far, the root first, for who wants to know
// what one file says before instances are merged into components.
func (b *Builder) Instances() []Instance {
	out := make([]Instance, 0, len(b.instances))
	for i := range b.instances {
		if in := &b.instances[i]; in.service == "" {
			out = append(out, Instance{in.c, in.use, in.at})
		}
	}
	return out
}

// Installed says that packages were added as they lie on the disk.
func (b *Builder) Installed() { b.installed = true }

// Mention adds a place where an instance is named, such as a launch of it.
func (b *Builder) Mention(id ID, at Occurrence) {
	b.instances[id].at = append(b.instances[id].at, at)
}

// Launches says what the server launches, the outermost first, and links it. ids
// runs parallel to launches; NoID stands for a launch that has no component of
// its own (a local path, a bare binary).
func (b *Builder) Launches(server ID, launches []Launch, ids []ID) {
	b.instances[server].c.Server.Launches = launches
	b.instances[server].launched = ids
	for i, id := range ids {
		if id == NoID {
			continue
		}
		b.Link(server, id)
		// A script that runs what the lockfile has adds nothing to it.
		if launches[i].Pin == PinLockfile && b.instances[server].c.Server.Script {
			b.instances[server].own = append(b.instances[server].own, id)
		}
	}
}

// Launched is a server with the instances of what it launches, parallel to its
// Launches.
type Launched struct {
	ID     ID // of the server
	Server *Server
	IDs    []ID
}

// Launched returns the servers that were added, in that order.
func (b *Builder) Launched() []Launched {
	var out []Launched
	for id, in := range b.instances {
		if in.c.Server != nil {
			out = append(out, Launched{ID(id), in.c.Server, slices.Clone(in.launched)})
		}
	}
	return out
}

// Note adds facts to an instance, and how much is known of what it depends on.
func (b *Builder) Note(id ID, coverage Coverage, facts ...Property) {
	c := &b.instances[id].c
	c.Coverage = coverage
	c.Properties = append(slices.Clip(c.Properties), facts...)
}

// Problem records something that is wrong with a file that was read.
func (b *Builder) Problem(file string, p Problem) {
	if in := b.inputs[file]; in != nil {
		in.Problems = append(in.Problems, p)
	}
}

// NoID is the instance of what has no component.
const NoID ID = -1

func (b *Builder) input(path, kind string) *Input {
	in := b.inputs[path]
	if in == nil {
		in = &Input{Path: path, Kind: kind}
		b.inputs[path] = in
	}
	return in
}

// Inventory merges what was added. The builder must not be used afterwards.
func (b *Builder) Inventory() *Inventory {
	groups := b.group()
	g := &graph{nodes: make([]node, 0, len(groups)+len(b.services)), of: make([]int, len(b.instances))}
	inv := &Inventory{Installed: b.installed, Omissions: map[string]Omission{}}
	for _, group := range groups {
		c := b.merge(group)
		g.add(node{ref: c.Ref, c: c}, group.ids...)
		if out := b.leftOut(group); out != 0 {
			inv.Omissions[c.Ref] = out
		}
	}
	inv.Root = g.nodes[0].c
	services := map[string]int{}
	for ref, s := range b.services {
		sortOccurrences(&s.Occurrences)
		services[ref] = g.add(node{ref: ref, s: s})
	}
	for id := range b.instances {
		if in := &b.instances[id]; in.service != "" {
			g.of[id] = services[in.service]
		}
	}
	g.sort()
	inv.Components = make([]*Component, 0, len(groups)-1)
	for i := range g.nodes {
		switch n := &g.nodes[i]; {
		case n.s != nil:
			inv.Services = append(inv.Services, n.s)
		case n.c != inv.Root:
			inv.Components = append(inv.Components, n.c)
		}
	}
	for _, in := range b.inputs {
		inv.Inputs = append(inv.Inputs, in)
	}
	slices.SortFunc(inv.Inputs, func(x, y *Input) int { return cmp.Compare(x.Path, y.Path) })

	b.connect(inv, g)
	b.nameLaunches(g)
	countComponents(inv)
	return inv
}

// graph is the components and services of an inventory, by ref. Edges are counted and
// sorted by their numbers: refs are long, and alike for most of their length.
type graph struct {
	nodes []node
	of    []int // for each instance its node
}

type node struct {
	ref string
	c   *Component // nil for a service
	s   *Service   // nil for a component
}

func (g *graph) add(n node, ids ...ID) int {
	for _, id := range ids {
		g.of[id] = len(g.nodes)
	}
	g.nodes = append(g.nodes, n)
	return len(g.nodes) - 1
}

// sort orders the nodes by ref.
func (g *graph) sort() {
	order := make([]int, len(g.nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int { return cmp.Compare(g.nodes[x].ref, g.nodes[y].ref) })
	sorted, rank := make([]node, len(order)), make([]int, len(order))
	for i, old := range order {
		sorted[i], rank[old] = g.nodes[old], i
	}
	g.nodes = sorted
	for id, old := range g.of {
		g.of[id] = rank[old]
	}
}

// group is the instances that make one component.
type group struct {
	ids      []ID
	ref      string
	conflict string // ref of the first group of the same purl, where the two cannot be the same bytes

	// Of the first one of a purl only.
	known bool   // among the grouping's same
	fetch *group // the first of that purl that comes from a registry: what a launch fetches
}

// grouping puts the instances of one purl together, except those that record
// different bytes or a different place to get them from: each of those has to be
// judged for itself.
type grouping struct {
	b      *Builder
	all    []*group
	first  map[string]*group // of each purl, but for the user's own code
	same   map[string]*group // by purl, source, place and bytes
	bytes  map[string]*group // by purl, source, place and one strong hash: see alike
	taken  map[string]bool   // refs
	counts map[string]int    // how often a ref was asked for
}

// group makes the groups. What has no purl (servers, files, projects without a
// version) is never merged: two servers of one name are two servers. Neither is
// the user's own code, or a project that calls itself like a package would hide
// it.
func (b *Builder) group() []*group {
	n := len(b.instances)
	g := &grouping{
		b: b, all: make([]*group, 0, n), first: make(map[string]*group, n),
		same: map[string]*group{}, bytes: map[string]*group{}, taken: make(map[string]bool, n), counts: map[string]int{},
	}
	for ref := range b.services {
		g.taken[ref] = true
	}
	// The root goes first, so that it keeps its ref. Those that record nothing
	// come last, so that they find whom to join.
	g.place(Root)
	for _, mention := range []bool{false, true} {
		for id := 1; id < len(b.instances); id++ {
			if in := &b.instances[id]; in.service == "" && in.mention() == mention {
				g.place(ID(id))
			}
		}
	}
	return g.all
}

func (g *grouping) place(id ID) {
	in := &g.b.instances[id]
	purl := in.c.PURL
	if purl == "" || in.c.Source == FromProject {
		g.add(id)
		return
	}
	first := g.first[purl]
	if known := first.home(in); known != nil {
		known.ids = append(known.ids, id)
		return
	}
	if first == nil { // most purls have one instance, whose identity nobody asks for
		first = g.add(id)
		g.first[purl] = first
		first.mayFetch(first, in)
		return
	}
	example := &g.b.instances[first.ids[0]]
	if in.same(example) {
		first.ids = append(first.ids, id)
		return
	}
	if !first.known {
		first.known = true
		g.same[example.identity()] = first
		g.remember(first, example)
	}
	key := in.identity()
	if known := g.same[key]; known != nil {
		known.ids = append(known.ids, id)
		return
	}
	if known := g.alike(in); known != nil {
		known.ids = append(known.ids, id)
		g.same[key] = known
		g.remember(known, in)
		return
	}
	added := g.add(id)
	first.mayFetch(added, in)
	g.same[key] = added
	g.remember(added, in)
	if contradict(&example.c, &in.c) {
		added.conflict = first.ref
	}
}

// alike is the group of the same bytes, where the lockfiles of different package
// managers record different things of one package: one has a further hash, one no
// address. Two different addresses stay apart, since each has to be judged.
func (g *grouping) alike(in *instance) *group {
	places := []string{in.place(), ""}
	if places[0] == "" {
		places = []string{anyPlace}
	}
	for _, h := range in.c.Hashes {
		for _, place := range places {
			if known := g.bytes[in.strong(place, h)]; known != nil && agree(g.b.instances[known.ids[0]].c.Hashes, in.c.Hashes) {
				return known
			}
		}
	}
	return nil
}

// remember lets others join a group by the hashes of one of its instances.
func (g *grouping) remember(known *group, in *instance) {
	for _, h := range in.c.Hashes {
		if h.Algorithm == "sha1" {
			continue // two packages can have the same
		}
		for _, place := range []string{in.place(), anyPlace} {
			if key := in.strong(place, h); g.bytes[key] == nil {
				g.bytes[key] = known
			}
		}
		if in.place() != "" { // one with another address must not join it
			if key := in.strong("", h); g.bytes[key] == known {
				delete(g.bytes, key)
			}
		}
	}
}

const anyPlace = "*"

func (in *instance) strong(place string, h Hash) string {
	return strings.Join([]string{in.c.PURL, string(in.c.Source), place, h.Algorithm, h.Value}, "\x00")
}

// place is from where an instance comes, "" where nobody recorded that.
func (in *instance) place() string {
	d := in.c.Distribution
	if in.c.Resolved == "" && d == (Distribution{}) {
		return ""
	}
	return strings.Join([]string{in.c.Resolved, d.Host, d.Name, d.Version, d.Doubt}, "\x00")
}

// agree reports whether two have the same values in every algorithm that both have.
// Of several values each would do, so that a set is weaker than one of them.
func agree(x, y []Hash) bool {
	within := func(x, y []Hash) bool {
		for _, h := range x {
			if slices.ContainsFunc(y, func(o Hash) bool { return o.Algorithm == h.Algorithm }) && !slices.Contains(y, h) {
				return false
			}
		}
		return true
	}
	return within(x, y) && within(y, x)
}

// mayFetch notes a further group of a purl, which others can join.
func (first *group) mayFetch(added *group, in *instance) {
	if in.c.Source == FromRegistry && first.fetch == nil {
		first.fetch = added
	}
}

// home is the group of a purl that an instance joins which records nothing itself. A
// launch fetches from a registry, whatever folder or link of that name and version lies
// about; what is bundled has no way of its own to arrive.
func (first *group) home(in *instance) *group {
	switch {
	case first == nil || !in.mention():
		return nil
	case in.c.Source == FromParent:
		return first
	default:
		return first.fetch
	}
}

// add makes a group of its own, with #2, #3, … behind its ref where that is
// taken.
func (g *grouping) add(id ID) *group {
	c := &g.b.instances[id].c
	base := cmp.Or(c.Ref, c.PURL, c.Name)
	ref := base
	for n := max(2, g.counts[base]); g.taken[ref]; n++ {
		ref = fmt.Sprintf("%s#%d", base, n)
		g.counts[base] = n + 1
	}
	g.taken[ref] = true
	added := &group{ids: []ID{id}, ref: ref}
	g.all = append(g.all, added)
	return added
}

// mention reports whether the instance only names a package: a launch that
// fetches it, or a copy inside another package's tarball. An installed copy of
// which nothing is recorded is none: it would hide behind one that has a hash.
func (in *instance) mention() bool {
	if len(in.c.Hashes) > 0 || in.c.Resolved != "" {
		return false
	}
	if in.c.Source == FromParent {
		return true
	}
	installed := in.use.Locked || slices.ContainsFunc(in.at, func(o Occurrence) bool { return o.Install != "" })
	return !installed && (in.c.Source == "" || in.c.Source == FromRegistry)
}

// same reports whether two instances of one purl have the same identity, at a glance:
// it may say no of two that list the same hashes in different orders.
func (in *instance) same(other *instance) bool {
	x, y := &in.c, &other.c
	return x.Source == y.Source && x.Resolved == y.Resolved && x.Distribution == y.Distribution && slices.Equal(x.Hashes, y.Hashes)
}

// identity is what two instances share that are the same bytes from the same
// place.
func (in *instance) identity() string {
	d := in.c.Distribution
	parts := []string{in.c.PURL, string(in.c.Source), in.c.Resolved, d.Host, d.Name, d.Version, d.Doubt}
	fixed := len(parts)
	for _, h := range in.c.Hashes {
		parts = append(parts, h.Algorithm+":"+h.Value)
	}
	slices.Sort(parts[fixed:])
	return strings.Join(parts, "\x00")
}

// contradict reports whether two instances of one purl cannot be the same
// bytes: they come in different ways, or have hashes of which none is common to
// both. One without any hash contradicts nothing; that it has none is said
// elsewhere.
func contradict(x, y *Component) bool {
	if x.Source != y.Source && x.Source != FromParent && y.Source != FromParent {
		return true
	}
	if len(x.Hashes) == 0 || len(y.Hashes) == 0 {
		return false
	}
	return !slices.ContainsFunc(x.Hashes, func(h Hash) bool { return slices.Contains(y.Hashes, h) })
}

// merge makes the component of a group out of its first instance.
func (b *Builder) merge(g *group) *Component {
	first := &b.instances[g.ids[0]]
	c := &first.c
	c.Ref, c.Conflict = g.ref, g.conflict
	c.Bundled, c.Development = c.Source == FromParent, first.use.Development
	c.Occurrences = slices.Clip(first.at)
	c.Properties = slices.Clip(c.Properties)
	optional := first.use.Optional
	for _, id := range g.ids[1:] {
		in := &b.instances[id]
		c.Occurrences = append(c.Occurrences, in.at...)
		c.Properties = append(c.Properties, in.c.Properties...)
		c.Bundled = c.Bundled && in.c.Source == FromParent
		c.Development = c.Development && in.use.Development
		c.Answered = c.Answered && in.c.Answered
		optional = optional && in.use.Optional
		c.Private = c.Private || in.c.Private
		c.Hashes = union(c.Hashes, in.c.Hashes)
		for _, patch := range in.c.Patches {
			if !slices.Contains(c.Patches, patch) {
				c.Patches = append(slices.Clip(c.Patches), patch)
			}
		}
		if c.Source == "" || (c.Source == FromParent && in.c.Source != "") {
			c.Source = in.c.Source
		}
		if c.Resolved == "" {
			c.Resolved, c.Distribution = in.c.Resolved, in.c.Distribution
		}
		c.Repository = cmp.Or(c.Repository, in.c.Repository)
		c.License = cmp.Or(c.License, in.c.License)
		if c.Coverage == UnknownCoverage {
			c.Coverage = in.c.Coverage
		}
	}
	switch {
	case c.Development:
		c.Scope = Excluded
	case optional:
		c.Scope = Optional
	default:
		c.Scope = Required
	}
	c.Occurrences, c.Properties = sorted(c.Occurrences, compareOccurrences), sorted(c.Properties, compareProperties)
	c.Hashes = union(c.Hashes, nil)
	slices.SortFunc(c.Patches, func(x, y Patch) int { return cmp.Compare(x.Path, y.Path) })
	return c
}

// sorted returns what a list holds, in order and each once. A list of one, as most
// are, is returned itself; a longer one may be shared with the builder of a project.
func sorted[T comparable](list []T, compare func(x, y T) int) []T {
	if len(list) < 2 {
		return list
	}
	list = slices.Clone(list)
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}

func compareProperties(x, y Property) int {
	return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Value, y.Value))
}

func union(have, more []Hash) []Hash {
	if len(have) < 2 && len(more) == 0 {
		return have
	}
	out := slices.Clone(have)
	for _, h := range more {
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(x, y Hash) int {
		return cmp.Or(cmp.Compare(x.Algorithm, y.Algorithm), cmp.Compare(x.Value, y.Value))
	})
	return out
}

func sortOccurrences(at *[]Occurrence) { *at = sorted(*at, compareOccurrences) }

func compareOccurrences(x, y Occurrence) int {
	return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Line, y.Line),
		cmp.Compare(x.Column, y.Column), cmp.Compare(x.Install, y.Install))
}

// connect turns edges between instances into edges between refs, and derives
// from them who asks for each component and what nobody reaches.
func (b *Builder) connect(inv *Inventory, g *graph) {
	next := g.next(b.edges)
	for _, e := range b.edges {
		from, to := g.of[e.from], g.of[e.to]
		if from == to {
			continue
		}
		next[from] = append(next[from], to)
		if c := g.nodes[to].c; c != nil && c.Source != FromProject && c.Type != FileType && c.Server == nil {
			c.Origin |= b.origin(e, g.nodes[from].c)
		}
	}
	inv.Edges = make(map[string][]string, len(g.nodes))
	refs := make([]string, 0, len(b.edges))
	for from := range next {
		if len(next[from]) == 0 {
			continue
		}
		slices.Sort(next[from])
		next[from] = slices.Compact(next[from])
		start := len(refs)
		for _, to := range next[from] {
			refs = append(refs, g.nodes[to].ref)
		}
		inv.Edges[g.nodes[from].ref] = slices.Clip(refs[start:])
	}
	reached := reachable(next, g.of[Root])
	for i := range g.nodes {
		if c := g.nodes[i].c; c != nil && c != inv.Root {
			c.Extraneous = !reached[i]
		}
	}
}

// next makes for each node an empty list, with room for its edges.
func (g *graph) next(edges []link) [][]int {
	next, room := make([][]int, len(g.nodes)), make([]int, len(edges))
	degree := make([]int, len(g.nodes))
	for _, e := range edges {
		degree[g.of[e.from]]++
	}
	for i, n := range degree {
		next[i], room = room[:0:n], room[n:]
	}
	return next
}

func reachable(next [][]int, root int) []bool {
	reached := make([]bool, len(next))
	reached[root] = true
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, to := range next[queue[0]] {
			if !reached[to] {
				reached[to] = true
				queue = append(queue, to)
			}
		}
	}
	return reached
}

// origin says by which edge something is asked for. A script belongs to the
// project, so that what it runs of the lockfile is a direct dependency; so is an
// image that the project builds on.
func (b *Builder) origin(e link, asker *Component) Origin {
	switch {
	case asker == nil:
		return 0
	case slices.Contains(b.instances[e.from].own, e.to):
		return OriginDirect
	case asker.Server != nil && asker.Server.Image:
		return OriginDirect
	case asker.Server != nil && asker.Server.Script:
		return OriginScript
	case asker.Server != nil:
		return OriginMCP
	case asker.Source == FromProject:
		return OriginDirect
	default:
		return OriginTransitive
	}
}

func (b *Builder) nameLaunches(g *graph) {
	for id := range b.instances {
		in := &b.instances[id]
		if in.c.Server == nil {
			continue
		}
		for i, launched := range in.launched {
			if launched != NoID {
				in.c.Server.Launches[i].Ref = g.nodes[g.of[launched]].ref
			}
		}
	}
}

// packagesFolder is the outermost node_modules that holds a file, else the file.
func packagesFolder(name string) string {
	if i := strings.Index("/"+name, "/node_modules/"); i >= 0 {
		return name[:i+len("node_modules")]
	}
	return name
}

// countComponents tells each input how many components occur in it.
func countComponents(inv *Inventory) {
	n := map[string]int{}
	for _, in := range inv.Inputs {
		n[in.Path] = 0
	}
	count := func(at []Occurrence) {
		last, path := "", ""
		for i := range at { // sorted by path
			p := at[i].Path
			if p == path {
				continue
			}
			path = p
			if _, ok := n[p]; !ok {
				p = packagesFolder(p)
			}
			if p != last {
				n[p]++
				last = p
			}
		}
	}
	for _, c := range inv.Components {
		count(c.Occurrences)
	}
	for _, in := range inv.Inputs {
		in.Components = n[in.Path]
	}
}
