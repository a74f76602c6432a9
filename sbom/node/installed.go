package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"countermark/sbom"
)

// NodeModules is the folder of installed packages, and the kind of that input.
const NodeModules = "node_modules"

// Limits of what is read of installed packages in one PATH. They lie far above
// what any project has.
const (
	maxInstalledEntries  = 2_000_000 // names in folders of packages
	maxInstalledPackages = maxEntries
	maxInstalledFile     = 16 << 20 // bytes of one package.json
	maxInstalledBytes    = 2 << 30  // bytes of all of them
	maxLinks             = 64       // links on the way to one folder
)

const (
	hintReinstall = "delete node_modules and install again from the lockfile"
	hintMissing   = "install again from the lockfile; to check a member of a workspace, name the folder of the whole workspace"
	hintInside    = "check the folder that holds what the link leads to, too, or install again"
)

// installation is what is installed in one file system: one PATH.
//
// A package is a folder with a package.json; it is the same one by whichever links
// it is reached. What it asks for is found as Node.js finds it, from its real folder
// upwards through every node_modules (Node.js's documentation, "Modules: loading
// from node_modules folders"). Only of peers in a package manager's own store
// nothing counts that lies outside of the folder which the manager made for the
// package with its peers.
type installation struct {
	p      *projects
	fs     fs.FS
	prefix string                // of the names in it, in the inventory
	inputs map[string]*sbom.File // folders of packages that are inputs, by name
	first  *sbom.File            // who is told what belongs to none of them
	owns   map[string]*folder    // the user's own folders, by name

	real    map[string]bool     // folders that are reached by no link
	modules map[string]*modules // by the folder that holds the node_modules; nil where there is none
	byDir   map[string]*unit
	units   []*unit

	entries           int
	bytes             int64
	full              bool              // a limit was reached
	sums              map[string]string // of each package.json, and where each link leads
	problems, warning int
	left              map[string]bool // folders of packages, with the kinds that are not there
}

// modules is one node_modules.
type modules struct {
	dir   string // its real name
	slots map[string]*slot
	names []string // of the slots, sorted
}

// slot is one name in a node_modules.
type slot struct {
	name string
	at   string // where it lies
	link bool
	to   *unit // nil where it holds nothing that can be read, which is a problem already
}

// unit is one folder with a package.json.
type unit struct {
	dir string
	own *folder // of the user's own code, where the scan has it
	out bool    // it lies in no node_modules

	name, version, license, repository string

	private    bool
	optionals  []string // peers that it can do without
	deps       []dependency
	place      sbom.Occurrence // of what lies in no folder
	bundles    []string
	bins       []string
	properties []sbom.Property
	edges      []unitEdge
	asked      []unitEdge // what leads to it, from whatever unit
	links      []*slot    // to it, in folders of packages that are no store
	incomplete bool
	missing    []dependency

	broken  bool // its package.json says nothing
	bare    bool // nothing is installed for it
	project bool // the root, a project of its own or a member of one
	bundled bool
	use     sbom.Use
	lock    []sbom.Instance // what a lockfile says of the very same
	id      sbom.ID
}

// inFile reports whether a package lies in no folder, but in an archive of which
// Plug'n'Play knows.
func (u *unit) inFile() bool { return u.place != (sbom.Occurrence{}) }

type unitEdge struct {
	dependency
	from, to *unit
	by       *slot
}

// addInstalled adds what is installed, once the lockfiles have been read.
func (p *projects) addInstalled(ctx context.Context, b *sbom.Builder) error {
	b.Installed()
	locks := p.locks()
	p.b, p.purls = b, map[string]string{}
	disks := map[string]*installation{}
	for _, dir := range slices.Sorted(maps.Keys(p.folders)) {
		at := p.folders[dir]
		at.added = false
		f := at.anyFile()
		if f == nil {
			continue
		}
		prefix := strings.TrimSuffix(f.Path, f.Name)
		t := disks[prefix]
		if t == nil {
			t = &installation{
				p: p, fs: f.FS, prefix: prefix, inputs: map[string]*sbom.File{}, owns: map[string]*folder{},
				real: map[string]bool{}, modules: map[string]*modules{}, byDir: map[string]*unit{}, left: map[string]bool{}, sums: map[string]string{},
			}
			disks[prefix] = t
		}
		t.owns[inDir(f.Name)] = at
		if at.modules != nil {
			t.inputs[at.modules.Name] = at.modules
		}
		if t.first == nil || t.first.Kind != NodeModules && at.modules != nil {
			t.first = f
			if at.modules != nil {
				t.first = at.modules
			}
		}
	}
	for _, prefix := range slices.Sorted(maps.Keys(disks)) {
		if err := disks[prefix].read(ctx, locks); err != nil {
			return err
		}
	}
	return nil
}

func (at *folder) anyFile() *sbom.File {
	files := slices.Concat([]*sbom.File{at.modules, at.pkg, at.lock, at.shrink, at.yarnFile, at.bunFile}, at.otherFiles, slices.Collect(maps.Values(at.pnp)))
	for _, f := range files {
		if f != nil {
			return f
		}
	}
	return nil
}

func (t *installation) read(ctx context.Context, locks map[string][]*lockSays) error {
	t.findOwn()
	for _, dir := range slices.Sorted(maps.Keys(t.owns)) {
		t.modulesOf(dir)
	}
	for _, u := range slices.Clone(t.units) {
		if u.own != nil && len(u.own.pnp) > 0 {
			t.readPnP(u, locks[strings.TrimSuffix(t.prefix+u.dir, "/")])
		}
	}
	for done := 0; done < len(t.units); { // which grow
		if err := ctx.Err(); err != nil {
			return err
		}
		u := t.units[done]
		done++
		if !u.inFile() && !t.plugged(u) {
			t.modulesOf(u.dir)
			t.connect(u)
		}
	}
	slices.SortFunc(t.units, func(x, y *unit) int { return strings.Compare(x.dir, y.dir) })
	t.findProjects()
	t.mark()
	t.findBundled()
	t.compare(locks)
	t.judge()
	t.add()
	t.sum()
	return nil
}

// sum gives every folder of packages a digest: of all package.json files in it, and
// of the links, by name.
func (t *installation) sum() {
	text := map[*sbom.File]*strings.Builder{}
	for _, name := range slices.Sorted(maps.Keys(t.sums)) {
		f := t.inputs[outermost(name)]
		if f == nil {
			continue
		}
		if text[f] == nil {
			text[f] = &strings.Builder{}
		}
		fmt.Fprintf(text[f], "%s %s\n", t.sums[name], quote(name))
	}
	for f, b := range text {
		f.Digest(sbom.Sum([]byte(b.String())))
	}
}

// problem tells something about a name of the file system.
func (t *installation) problem(code sbom.ProblemCode, name, hint, format string, args ...any) {
	t.tell(name, sbom.Problem{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (t *installation) tell(name string, p sbom.Problem) {
	n := &t.problems
	if p.Code == sbom.Warning {
		n = &t.warning
	}
	*n++
	switch {
	case *n > maxProblems+1:
		return
	case *n > maxProblems:
		p.Message, p.Hint = fmt.Sprintf("more than %d problems of this weight: the rest is not listed", maxProblems), ""
	}
	f := t.inputs[outermost(name)]
	for dir := name; f == nil; dir = inDir(dir) {
		if at := t.owns[dir]; at != nil {
			f = at.pnp[PnPData]
		}
		if f == nil && dir == "" {
			f = t.first
		}
	}
	f.Problem(p)
}

// outermost is the first node_modules on the way to a name, or "".
func outermost(name string) string {
	if i := strings.Index("/"+name+"/", "/"+NodeModules+"/"); i >= 0 {
		return name[:i+len(NodeModules)]
	}
	return ""
}

// over tells of a limit, once. What lies beyond it is unknown.
func (t *installation) over(name, format string, args ...any) {
	if !t.full {
		t.problem(sbom.Invalid, name, "check a smaller folder, or exclude what is not to be read in the policy", format, args...)
	}
	t.full = true
}

// findOwn makes units of the user's own folders.
func (t *installation) findOwn() {
	for _, dir := range slices.Sorted(maps.Keys(t.owns)) {
		at := t.owns[dir]
		if at.manifest == nil && at.modules == nil && len(at.pnp) == 0 {
			continue
		}
		t.newUnit(&unit{dir: dir, own: at, out: true})
	}
}

func (t *installation) newUnit(u *unit) *unit {
	t.byDir[u.dir] = u
	t.units = append(t.units, u)
	if u.own != nil && u.own.manifest != nil {
		m := u.own.manifest
		u.name, u.version, u.license, u.private, u.deps, u.properties = m.name, m.version, m.license, m.private, m.deps, m.binProperties()
		u.bins = m.bins
	}
	return u
}

var (
	errOutside   = errors.New("it leads out of the checked folder")
	errCircle    = errors.New("links lead in a circle")
	errNoFolder  = errors.New("it is no folder")
	errNoFile    = errors.New("it is no file")
	errFileSize  = fmt.Errorf("it is larger than %d bytes", maxInstalledFile)
	errAllLimits = errors.New("a limit was reached")
)

// resolve returns the real name of a folder or file, with every link followed, as
// Node.js has it.
func (t *installation) resolve(name string) (string, error) {
	rest, cur, links := strings.Split(name, "/"), "", 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if cur == "" {
				return "", errOutside
			}
			cur = inDir(cur)
			continue
		}
		next := path.Join(cur, part)
		if t.real[next] {
			cur = next
			continue
		}
		info, err := fs.Lstat(t.fs, next)
		if err != nil {
			return "", sbom.Pathless(err)
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return "", errCircle
			}
			target, err := fs.ReadLink(t.fs, next)
			if err != nil {
				return "", sbom.Pathless(err)
			}
			if filepath.IsAbs(target) || path.IsAbs(filepath.ToSlash(target)) {
				return "", errOutside
			}
			rest = slices.Concat(strings.Split(filepath.ToSlash(target), "/"), rest)
			if len(rest) > maxSegments {
				return "", errCircle
			}
			continue
		case info.IsDir():
			t.real[next] = true
		case len(rest) > 0:
			return "", errNoFolder
		}
		cur = next
	}
	return cur, nil
}

// list returns what lies in a real folder, by name.
func (t *installation) list(dir string) ([]fs.DirEntry, error) {
	if t.full {
		return nil, errAllLimits
	}
	f, err := t.fs.Open(rooted(dir))
	if err != nil {
		return nil, sbom.Pathless(err)
	}
	defer f.Close()
	folder, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, errNoFolder
	}
	var out []fs.DirEntry
	for {
		const some = 1024
		entries, err := folder.ReadDir(some)
		out = append(out, entries...)
		if t.entries += len(entries); t.entries > maxInstalledEntries {
			t.over(dir, "more than %d files and folders are installed", maxInstalledEntries)
			return nil, errAllLimits
		}
		if len(entries) == 0 || err != nil {
			if err != nil && !isEOF(err) {
				return nil, sbom.Pathless(err)
			}
			break
		}
	}
	slices.SortFunc(out, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	return out, nil
}

// plugged reports whether a folder of the user's own is part of a project that has
// no node_modules, but the data of Plug'n'Play.
func (t *installation) plugged(u *unit) bool {
	if u.own == nil || u.own.modules != nil {
		return false
	}
	for dir := u.dir; ; dir = inDir(dir) {
		if at := t.owns[dir]; at != nil && len(at.pnp) > 0 && (dir == u.dir || t.owner(u) != nil) {
			return true
		}
		if dir == "" {
			return false
		}
	}
}

// rooted is a name as a file system wants it.
func rooted(name string) string {
	if name == "" {
		return "."
	}
	return name
}
