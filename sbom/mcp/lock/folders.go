package lock

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/closure"
	"countermark/sbom/mcp"
)

// Vendoring is what has to be known to keep what servers install in folders of the
// project.
type Vendoring struct {
	Inventory *sbom.Inventory
	Places    sbom.Places
	Outside   []string // what the inventory puts before the names of files that belong to no project
	// Selected returns what npm would install for a launch; nil, and perhaps why, where
	// nobody knows.
	Selected func(server *sbom.Component, l sbom.Launch) (got *closure.Closure, why string)
}

// Folders are those that are to be written, one for each package and server.
type Folders struct {
	Pins     []Pin // all that there are to make, those of the folders among them
	Attached []Pin // what another launch starts, with the reason why it is in no folder

	vendoring Vendoring
	byPath    map[string]vendorFolder // by their paths in the inventory
}

// vendorFolder is what a folder is to hold.
type vendorFolder struct {
	closure.Folder
	closure *closure.Closure
}

// Plan puts a folder into the place of every pin of a package that a launcher fetches
// from npm's registry. What cannot have one keeps its spec, with the reason. Nothing
// is written.
func (vendoring Vendoring) Plan(pins []Pin) *Folders {
	v := &Folders{vendoring: vendoring, byPath: map[string]vendorFolder{}, Pins: pins}
	for _, c := range vendoring.Inventory.Servers() {
		for i, l := range c.Server.Launches {
			if c.Server.Script || l.Kind != sbom.KindNPM || !closure.Fetched(l.Pin) {
				continue
			}
			p := Pin{Server: c, Launch: i, Old: l.Spec}
			if l.Nested {
				p.Why = "another launch starts it"
				v.Attached = append(v.Attached, p)
				continue
			}
			v.Pins = slices.DeleteFunc(v.Pins, func(old Pin) bool { return old.Server == c && old.Launch == i })
			if p.Why = "it is one of several packages that are installed together"; i == 0 {
				p.Vendor, p.Why = v.plan(c, l)
			}
			v.Pins = append(v.Pins, p)
		}
	}
	return v
}

// plan finds the folder of one server.
func (v *Folders) plan(c *sbom.Component, l sbom.Launch) (_ *Vendor, why string) {
	got, unknown := v.vendoring.Selected(c, l)
	switch {
	case slices.ContainsFunc(v.vendoring.Outside, func(prefix string) bool { return strings.HasPrefix(c.Server.File, prefix) }):
		return nil, "it is started in the folder of no project"
	case got == nil:
		return nil, cmp.Or(unknown, notKnown)
	}
	root := got.Package(got.Roots[0])
	tree, name := v.vendoring.Places.Tree(c.Server.File)
	home, before, why := mcp.ProjectFolder(c.Server.Client, name)
	if why != "" {
		return nil, why
	}
	if home == "." && strings.HasPrefix(filepath.Base(tree.Dir), ".") {
		return nil, "the folder of its project is not the one that is read; name that as PATH"
	}
	out := &Vendor{Before: before, Package: root.Name, Version: root.Version, Bin: func(name string) (string, string) { return startable(root.Manifest, name) }}
	within := strings.TrimPrefix(c.Server.File, tree.Prefix)
	if rel, err := filepath.Rel(filepath.FromSlash(home), filepath.FromSlash(within)); err == nil {
		within = filepath.ToSlash(rel)
	}
	for _, base := range FolderNames(within, strings.TrimPrefix(c.Ref, "mcp:"+c.Server.File+"#")) {
		out.Folder = path.Join(tree.Prefix+home, VendorRoot, base)
		folder, err := got.Folder(ProjectName(base))
		if err != nil {
			return nil, strings.TrimPrefix(err.Error(), closure.ErrUnlocked.Error()+": ")
		}
		other, taken := v.byPath[out.Folder]
		if taken && !bytes.Equal(other.Lockfile, folder.Lockfile) {
			continue // another server of that name has another package
		}
		if why = v.blocked(out.Folder, root); why == "" {
			v.byPath[out.Folder] = vendorFolder{folder, got}
			return out, ""
		}
		return nil, why
	}
	return nil, "another server has its folder"
}

// scripts of node, by the ends of their names: npm's programs often have none.
var scriptEnds = []string{"", ".js", ".cjs", ".mjs"}

// startable is the file of a program, if node can start it.
func startable(m *closure.Manifest, name string) (file, why string) {
	b, ok := m.Bin(name)
	if name == "" {
		b, ok = m.Launched()
	}
	switch {
	case !ok && name != "":
		return "", "the package has no program of the name that the launch wants"
	case !ok:
		return "", "its package does not say which of its programs is started"
	case !slices.Contains(scriptEnds, strings.ToLower(path.Ext(b.File))):
		return "", "its program is no script that node starts"
	}
	return b.File, ""
}

// ownFiles are what may stand in a folder that is written anew.
var ownFiles = []string{"package.json", "package-lock.json", "node_modules", ".gitignore"}

// blocked says why a folder cannot be written: nothing of anybody else is replaced.
func (v *Folders) blocked(folder string, root *closure.Package) string {
	at, name, err := v.open(folder)
	if err != nil {
		return "its folder cannot be opened any more"
	}
	defer func() { _ = at.Close() }() // it was only read from
	for _, dir := range []string{path.Dir(name), name} {
		info, err := at.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return ""
		}
		if err != nil || !info.IsDir() {
			return "its folder " + folder + " would be a link or a file"
		}
	}
	entries, err := fs.ReadDir(at.FS(), name)
	if err != nil {
		return "its folder " + folder + " cannot be read"
	}
	for _, e := range entries {
		if !slices.Contains(ownFiles, e.Name()) || e.Type()&fs.ModeSymlink != 0 {
			return "its folder " + folder + " holds something else; move that away"
		}
	}
	manifest, err := fs.ReadFile(at.FS(), path.Join(name, "package.json"))
	if len(entries) > 0 && (err != nil || !closure.Replaceable(manifest, ProjectName(path.Base(name)))) {
		return "its folder " + folder + " is not as it was written, or somebody else's; move it away"
	}
	if other, there := installedIn(at, path.Join(name, "node_modules", root.Name)); there && other != root.Version {
		return "another version is installed in " + folder + "; remove its node_modules"
	}
	return ""
}

// installedIn is the version of the package in a folder.
func installedIn(at *os.Root, folder string) (version string, there bool) {
	if _, err := at.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	var m struct{ Version string }
	data, err := fs.ReadFile(at.FS(), path.Join(folder, "package.json"))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return "", true
	}
	return m.Version, true
}

// open opens the tree of a folder.
func (v *Folders) open(folder string) (at *os.Root, name string, err error) {
	tree, name := v.vendoring.Places.Tree(folder)
	if tree.Dir == "" || !fs.ValidPath(name) {
		return nil, "", fs.ErrInvalid
	}
	at, err = os.OpenRoot(tree.Dir)
	return at, name, err
}

// Closure is what is installed in a folder.
func (v *Folders) Closure(folder string) *closure.Closure { return v.byPath[folder].closure }

// Put writes one folder, unless it is a dry run, and reports whether it was there
// already.
func (v *Folders) Put(folder string, dryRun bool) (same bool, err error) {
	files := v.byPath[folder]
	at, name, err := v.open(folder)
	if err != nil {
		return false, err
	}
	defer func() { _ = at.Close() }() // every file of it is closed by then
	same = true
	for _, f := range []struct {
		name    string
		content []byte
	}{{"package-lock.json", files.Lockfile}, {"package.json", files.Manifest}} {
		file := path.Join(name, f.name)
		have, err := fs.ReadFile(at.FS(), file)
		if err == nil && bytes.Equal(have, f.content) {
			continue
		}
		same = false
		if dryRun {
			continue
		}
		if err := at.MkdirAll(name, 0o755); err != nil {
			return false, err
		}
		if err := replaceIn(at, file, f.content); err != nil {
			return false, err
		}
	}
	return same, nil
}

// replaceIn writes a file below a folder, whole or not at all.
func replaceIn(at *os.Root, name string, content []byte) error {
	beside := path.Join(path.Dir(name), "."+path.Base(name)+"."+rand.Text()+".tmp")
	f, err := at.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = at.Rename(beside, name)
	}
	if err != nil {
		_ = at.Remove(beside) // the first error is the one to know
	}
	return err
}
