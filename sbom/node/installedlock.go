package node

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
)

// lockSays is what one lockfile says, before it is merged with anything.
type lockSays struct {
	file      *sbom.File
	dir       string // its folder in the inventory
	instances []sbom.Instance
}

// locks returns the lockfiles that were read, by folder.
func (p *projects) locks() map[string][]*lockSays {
	byPath := map[string]*lockSays{}
	out := map[string][]*lockSays{}
	for _, dir := range slices.Sorted(maps.Keys(p.folders)) {
		at := p.folders[dir]
		var files []*sbom.File
		if at.lockfile != nil {
			files = append(files, at.lockfile.file)
		}
		if at.yarn != nil {
			files = append(files, at.yarnFile)
		}
		if len(at.others) > 0 {
			files = append(files, at.otherFiles...)
		}
		for _, f := range files {
			l := &lockSays{file: f, dir: dir}
			byPath[f.Path] = l
			out[dir] = append(out[dir], l)
		}
	}
	for _, in := range p.b.Instances() {
		for _, at := range in.At {
			if l := byPath[at.Path]; l != nil {
				l.instances = append(l.instances, in)
				break
			}
		}
	}
	return out
}

// byFolder reports whether the lockfile says in which folder a package lies.
func (l *lockSays) byFolder() bool { return l.file.Kind == PackageLock || l.file.Kind == Shrinkwrap }

// hint is the command that installs what the lockfile has.
func (l *lockSays) hint() string {
	command := map[string]string{
		PNPMLock: "pnpm install --frozen-lockfile", BunLock: "bun install --frozen-lockfile", YarnLock: "yarn install --frozen-lockfile (--immutable since yarn 2)",
	}[l.file.Kind]
	return "install what the lockfile has: `" + cmp.Or(command, "npm ci") + "`"
}

// comparison holds one lockfile against what is installed for its project.
//
// Nothing is said of what may be absent on this system. Where nothing at all is
// installed that only development needs, the project was installed without it, as
// for production; the same holds for peers.
type comparison struct {
	t     *installation
	lock  *lockSays
	dir   string // of the lockfile, in the file system
	units []*unit

	development, peers bool // something is installed that only these need
	absent             map[string]bool
	without            map[string]int // how many packages are left out, by npm's word for the kind
	differences        []difference
}

type difference struct{ name, message string }

func (c *comparison) differs(name, format string, args ...any) {
	c.differences = append(c.differences, difference{name, fmt.Sprintf(format, args...)})
}

// compare holds every lockfile against what is installed, and takes from them what
// the disk does not say of the very same packages.
func (t *installation) compare(locks map[string][]*lockSays) {
	here := map[string]*comparison{}
	for dir, all := range locks {
		if strings.HasPrefix(dir+"/", t.prefix) && t.owns[nameIn(dir, t.prefix)] != nil {
			name := nameIn(dir, t.prefix)
			here[name] = &comparison{t: t, lock: all[0], dir: name, absent: map[string]bool{}, without: map[string]int{}}
		}
	}
	nearest := func(name string) *comparison {
		for dir := name; ; dir = inDir(dir) {
			if c := here[dir]; c != nil || dir == "" {
				return c
			}
		}
	}
	for _, u := range t.units {
		if c := nearest(u.dir); c != nil {
			c.units = append(c.units, u)
			c.development = c.development || u.use.Development
			c.peers = c.peers || u.use.Peer
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(here)) {
		c := here[dir]
		if c.empty() {
			continue
		}
		if c.lock.byFolder() && !c.stored() {
			c.byFolder(nearest)
		} else {
			c.byName()
		}
		c.tell()
	}
}

func nameIn(dir, prefix string) string { return strings.Trim(strings.TrimPrefix(dir+"/", prefix), "/") }

// empty reports whether nothing is installed, which is told where it is a problem.
func (c *comparison) empty() bool {
	if u := c.t.byDir[c.dir]; u != nil && u.bare || c.t.inputs[path.Join(c.dir, NodeModules)] != nil && c.t.modules[c.dir] == nil {
		return true
	}
	for _, u := range c.units {
		if !u.out {
			return false
		}
	}
	own := c.t.owns[c.dir]
	if len(own.pnp) > 0 {
		return true // its problem is told
	}
	for _, in := range c.lock.instances {
		if in.Component.Source == sbom.FromProject || in.Component.Source == sbom.FromLink || in.Use.Optional || in.Use.Development {
			continue
		}
		if own.manifest == nil {
			c.lock.file.Problem(sbom.Problem{Code: sbom.Invalid, Message: "nothing of this is installed: there is no node_modules beside it", Hint: c.lock.hint()})
		}
		return true
	}
	return false
}

// stored reports whether the packages lie in a store, or somewhere else to where a
// link leads, and not in folders that a lockfile of npm could know.
func (c *comparison) stored() bool {
	if m := c.t.modules[c.dir]; m != nil && m.dir != path.Join(c.dir, NodeModules) {
		return true
	}
	return slices.ContainsFunc(c.units, func(u *unit) bool { return !u.out && inStore(u.dir) != "" })
}

func (c *comparison) byFolder(nearest func(string) *comparison) {
	known := map[string]bool{}
	for i := range c.lock.instances {
		in := &c.lock.instances[i]
		target := ""
		for _, at := range in.At {
			if at.Path != c.lock.file.Path || at.Install == "" {
				continue
			}
			name := path.Join(c.dir, at.Install)
			if outermost(at.Install) == "" || !strings.Contains("/"+at.Install, "/"+NodeModules+"/") {
				target = name
				continue
			}
			known[name] = true
			c.folder(in, name, target)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(c.t.modules)) {
		m := c.t.modules[dir]
		if m == nil {
			continue
		}
		for _, name := range m.names {
			s := m.slots[name]
			if !known[s.at] && s.to != nil && nearest(s.at) == c {
				c.differs(s.at, "%s (%s) is installed, and not in %s", quote(s.at), s.to.label(), c.file())
			}
		}
	}
}

// folder compares one folder of which the lockfile speaks. target is where a link
// has to lead, which stands before the links to it.
func (c *comparison) folder(in *sbom.Instance, name, target string) {
	s := c.t.slotAt(name)
	own := in.Component.Source == sbom.FromProject || in.Component.Source == sbom.FromLink
	switch {
	case s == nil && own && target == "":
		return // a link out of the project, of which the lockfile says no more
	case s == nil:
		c.misses(in, name)
	case s.to == nil || s.to.broken: // a problem already
	case own && !s.link:
		c.differs(name, "%s is a folder, where %s has a link to %s", quote(name), c.file(), quote(target))
	case own && target != "" && s.to.dir != target:
		c.differs(name, "%s leads to %s, where %s has %s", quote(name), quote(s.to.dir), c.file(), quote(target))
	case own:
	case s.link:
		c.differs(name, "%s is a link to %s, where %s has %s", quote(name), quote(s.to.dir), c.file(), labelOf(in))
	case s.to.name != in.Component.Name || in.Component.Version != "" && s.to.version != in.Component.Version:
		c.differs(name, "%s is %s, where %s has %s", quote(name), s.to.label(), c.file(), labelOf(in))
	default:
		s.to.lock = append(s.to.lock, *in)
	}
}

// slotAt returns what lies at a name such as a/node_modules/b.
func (t *installation) slotAt(name string) *slot {
	i := strings.LastIndex("/"+name, "/"+NodeModules+"/")
	if i < 0 {
		return nil
	}
	m := t.modules[strings.TrimSuffix(name[:i], "/")]
	if m == nil {
		return nil
	}
	return m.slots[name[i+len(NodeModules)+1:]]
}

func (c *comparison) file() string { return quote(c.lock.file.Path) }

func (u *unit) label() string { return quote(u.name + "@" + cmp.Or(u.version, "?")) }

func labelOf(in *sbom.Instance) string {
	return quote(in.Component.Name + "@" + cmp.Or(in.Component.Version, "?"))
}

// misses judges a package of the lockfile that is not installed.
func (c *comparison) misses(in *sbom.Instance, name string) {
	switch {
	case in.Use.Optional && !in.Use.Development || in.Use.Optional && c.development:
	case in.Use.Development && !c.development:
		c.without[sbom.OmitDev]++
	case in.Use.Peer && !c.peers:
		c.without[sbom.OmitPeer]++
	case name == "":
		c.absent[in.Component.Name] = true
		c.differs(in.Component.Name, "%s is in %s, and not installed", labelOf(in), c.file())
	default:
		c.absent[in.Component.Name] = true
		c.differs(name, "%s (%s) is in %s, and not installed", quote(name), labelOf(in), c.file())
	}
}

// byName compares the packages of a lockfile that does not say where they lie.
func (c *comparison) byName() {
	locked, installed := c.identify()
	missing, extra := map[string][]string{}, map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(locked)) {
		if installed[id] == nil {
			name := locked[id][0].Component.Name
			missing[name] = append(missing[name], id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(installed)) {
		if locked[id] == nil {
			extra[installed[id].name] = append(extra[installed[id].name], id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if len(missing[name]) == 1 && len(extra[name]) == 1 {
			u := installed[extra[name][0]]
			c.differs(name, "%s is %s, where %s has %s", quote(u.dir), u.label(), c.file(), quote(missing[name][0]))
			delete(extra, name)
			continue
		}
		for _, id := range missing[name] {
			c.misses(leastLeftOut(locked[id]), "")
		}
	}
	for _, ids := range extra {
		for _, id := range ids {
			u := installed[id]
			c.differs(u.name, "%s (%s) is installed, and not in %s", quote(u.dir), u.label(), c.file())
		}
	}
}

// identify returns the packages of the lockfile and what is installed, by name and
// version, and joins what is the same. Copies of the user's own folders have no
// version in a lockfile, and what is bundled is in few.
func (c *comparison) identify() (locked map[string][]*sbom.Instance, installed map[string]*unit) {
	locked, installed = map[string][]*sbom.Instance{}, map[string]*unit{}
	anyVersion := map[string]bool{}
	for i := range c.lock.instances {
		in := &c.lock.instances[i]
		p := &in.Component
		if p.Source == sbom.FromProject || p.Source == sbom.FromLink || p.Version == "" {
			anyVersion[p.Name] = true
		} else {
			locked[p.Name+"@"+p.Version] = append(locked[p.Name+"@"+p.Version], in)
		}
	}
	for _, u := range c.units {
		if u.out {
			continue
		}
		if u.version == "" { // of which no reference of Plug'n'Play says it
			u.version = onlyVersion(c.lock.instances, u.name)
		}
		id := u.name + "@" + u.version
		same := locked[id]
		for _, in := range same {
			u.lock = append(u.lock, *in)
		}
		if same != nil && u.inFile() { // which does not say which dependencies are optional
			u.use = leastLeftOut(same).Use
		}
		if same != nil || !u.bundled && !anyVersion[u.name] {
			installed[id] = cmp.Or(installed[id], u)
		}
	}
	return locked, installed
}

// onlyVersion is the version that a lockfile has of a package, or "" where it has
// none or several.
func onlyVersion(all []sbom.Instance, name string) (version string) {
	for i := range all {
		c := &all[i].Component
		if c.Name != name || c.Version == version {
			continue
		}
		if version != "" {
			return ""
		}
		version = c.Version
	}
	return version
}

// leastLeftOut returns the instance that is the most needed.
func leastLeftOut(all []*sbom.Instance) *sbom.Instance {
	return slices.MinFunc(all, func(x, y *sbom.Instance) int { return cmp.Compare(weakness(x.Use), weakness(y.Use)) })
}

func weakness(u sbom.Use) (n int) {
	if u.Development {
		n += 4
	}
	if u.Optional {
		n += 2
	}
	if u.Peer {
		n++
	}
	return n
}

// tell reports what differs, by name.
func (c *comparison) tell() {
	slices.SortStableFunc(c.differences, func(x, y difference) int {
		return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.message, y.message))
	})
	at := path.Join(c.dir, NodeModules)
	if c.t.inputs[at] == nil && len(c.t.owns[c.dir].pnp) > 0 {
		at = path.Join(c.dir, PnPData)
	}
	for _, d := range c.differences {
		c.t.problem(sbom.Invalid, at, c.lock.hint(), "%s", d.message)
	}
	for _, kind := range slices.Sorted(maps.Keys(c.without)) {
		c.t.omitted(at, kind)
	}
	for _, u := range c.units {
		u.missing = slices.DeleteFunc(u.missing, func(d dependency) bool { return c.absent[d.name] && !d.kind.mayMiss() })
	}
}
