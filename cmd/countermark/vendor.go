package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"countermark/provenance/selection"
	"countermark/sbom"
	"countermark/sbom/closure"
	"countermark/sbom/lazyregexp"
	"countermark/sbom/mcp"
	"countermark/sbom/mcp/lock"
)

// vendors are the folders that --vendor writes, one for each npm server.
type vendors struct {
	project   *project
	selection *selection.Selection

	folders  map[string]vendorFolder // by their paths in the inventory
	pins     []lock.Pin
	attached []lock.Pin // what another launch starts, with the reason why it is in no folder
}

// vendorFolder is what a folder is to hold.
type vendorFolder struct {
	closure.Folder
	closure *closure.Closure
}

// planVendors puts a folder into the place of every pin of a package that a
// launcher fetches from npm's registry. What cannot have one keeps its spec, with
// the reason.
func planVendors(project *project, s *selection.Selection, pins []lock.Pin) *vendors {
	v := &vendors{project: project, selection: s, folders: map[string]vendorFolder{}, pins: pins}
	for _, c := range project.inventory.Servers() {
		for i, l := range c.Server.Launches {
			if c.Server.Script || l.Kind != sbom.KindNPM || !closure.Fetched(l.Pin) {
				continue
			}
			p := lock.Pin{Server: c, Launch: i, Old: l.Spec}
			if l.Nested {
				p.Why = "another launch starts it"
				v.attached = append(v.attached, p)
				continue
			}
			v.pins = slices.DeleteFunc(v.pins, func(old lock.Pin) bool { return old.Server == c && old.Launch == i })
			if p.Why = "it is one of several packages that are installed together"; i == 0 {
				p.Vendor, p.Why = v.plan(c, l)
			}
			v.pins = append(v.pins, p)
		}
	}
	return v
}

// plan finds the folder of one server.
func (v *vendors) plan(c *sbom.Component, l sbom.Launch) (_ *lock.Vendor, why string) {
	got := v.selection.Closure(c, l)
	switch {
	case selection.OwnRegistry(c.Server):
		return nil, selection.ErrOwnRegistry.Error()
	case slices.ContainsFunc(v.project.outside, func(prefix string) bool { return strings.HasPrefix(c.Server.File, prefix) }):
		return nil, "it is started in the folder of no project"
	case got == nil:
		return nil, cmp.Or(v.selection.Reason(c, l), "what it selects is not known")
	}
	root := got.Package(got.Roots[0])
	tree, name := v.project.treeOf(c.Server.File)
	home, before, why := mcp.ProjectFolder(c.Server.Client, name)
	if why != "" {
		return nil, why
	}
	if home == "." && strings.HasPrefix(filepath.Base(tree.Dir), ".") {
		return nil, "the folder of its project is not the one that is read; name that as PATH"
	}
	out := &lock.Vendor{Before: before, Package: root.Name, Version: root.Version, Bin: func(name string) (string, string) { return startable(root.Manifest, name) }}
	within := strings.TrimPrefix(c.Server.File, tree.Prefix)
	if rel, err := filepath.Rel(filepath.FromSlash(home), filepath.FromSlash(within)); err == nil {
		within = filepath.ToSlash(rel)
	}
	for _, base := range lock.FolderNames(within, strings.TrimPrefix(c.Ref, "mcp:"+c.Server.File+"#")) {
		out.Folder = path.Join(tree.Prefix+home, lock.VendorRoot, base)
		folder, err := got.Folder(lock.ProjectName(base))
		if err != nil {
			return nil, strings.TrimPrefix(err.Error(), closure.ErrUnlocked.Error()+": ")
		}
		other, taken := v.folders[out.Folder]
		if taken && !bytes.Equal(other.Lockfile, folder.Lockfile) {
			continue // another server of that name has another package
		}
		if why = v.blocked(out.Folder, root); why == "" {
			v.folders[out.Folder] = vendorFolder{folder, got}
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
func (v *vendors) blocked(folder string, root *closure.Package) string {
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
	if len(entries) > 0 && (err != nil || !closure.Replaceable(manifest, lock.ProjectName(path.Base(name)))) {
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
func (v *vendors) open(folder string) (at *os.Root, name string, err error) {
	tree, name := v.project.treeOf(folder)
	if tree.Dir == "" || !fs.ValidPath(name) {
		return nil, "", fs.ErrInvalid
	}
	at, err = os.OpenRoot(tree.Dir)
	return at, name, err
}

// write writes the folders of what the configurations start from them.
func (v *vendors) write(p *program, out interface{ Printf(string, ...any) }, written []lock.Pin, dryRun bool) error {
	var done []string
	for _, pin := range written {
		if pin.Vendor == nil || slices.Contains(done, pin.Vendor.Folder) {
			continue
		}
		folder := pin.Vendor.Folder
		done = append(done, folder)
		files := v.folders[folder]
		state := "written"
		switch same, err := v.put(folder, files, dryRun); {
		case err != nil:
			return usageError("make it a folder that you may write to", "%s: cannot be written: %v", folder, sbom.Pathless(err))
		case same:
			state = "nothing has changed"
		case dryRun:
			state = "to be written"
		}
		out.Printf("%s: %s, %s\n", path.Join(folder, "package-lock.json"), count(len(files.closure.Packages), "package"), state)
		v.next(p, out, folder)
	}
	return nil
}

// put writes one folder, and reports whether it was there already.
func (v *vendors) put(folder string, files vendorFolder, dryRun bool) (same bool, err error) {
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

// plainPath is a path that means nothing else to any shell.
var plainPath = lazyregexp.New(`^[A-Za-z0-9_/.][A-Za-z0-9_/.+-]*$`)

// next says how the folder is filled, and what would run on the way.
func (v *vendors) next(p *program, out interface{ Printf(string, ...any) }, folder string) {
	command := "npm ci --ignore-scripts"
	dir, err := v.project.onDisk(folder)
	if here, herr := p.here(); err == nil && herr == nil {
		if rel, err := filepath.Rel(here, dir); err == nil {
			dir = rel
		}
	}
	if plainPath.MatchString(filepath.ToSlash(dir)) {
		out.Printf("  next  %s --prefix %s\n", command, filepath.ToSlash(dir))
	} else {
		out.Printf("  next  run %s in that folder\n", command)
	}
	var scripts []string
	for _, x := range v.folders[folder].closure.Packages {
		if name := x.Name + "@" + x.Version; x.InstallScript && !slices.Contains(scripts, name) {
			scripts = append(scripts, name)
		}
	}
	if root := v.folders[folder].closure.Package(v.folders[folder].closure.Roots[0]); root.Engines != "" {
		out.Printf("  note  %s says that it needs Node.js %s\n", root.Name, root.Engines)
	}
	if len(scripts) > 0 {
		out.Printf("  note  they have install scripts, which --ignore-scripts leaves out: %s\n", strings.Join(scripts, ", "))
	}
}

// joined says which of the servers that were vendored are, read again, not started
// from their folders.
func (r *lockRun) joined(written []lock.Pin) error {
	missing := false
	for _, pin := range written {
		s := lock.Find(r.today, pin.Server.Ref)
		if pin.Vendor == nil || s != nil && len(s.Launches) > 0 && s.Launches[0].Vendored != "" {
			continue
		}
		missing = true
		r.message(&exitError{
			message: fmt.Sprintf("%sserver %s: it is started from %s, whose lockfile is not read with it", where(pin.Server), pin.Server.Server.Name, pin.Vendor.Folder),
			hints:   []string{"name the folder of the project as PATH, and exclude " + lock.VendorRoot + " in no policy"},
		})
	}
	if missing {
		return done(exitUnknown)
	}
	return nil
}
