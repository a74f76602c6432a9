package main

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"countermark/policy/report"
	"countermark/sbom"
	"countermark/sbom/closure"
	"countermark/sbom/lazyregexp"
	"countermark/sbom/mcp/lock"
)

// writeFolders writes those that configurations start something from.
func (p *program) writeFolders(out *report.Plain, project *project, folders *lock.Folders, written []lock.Pin, dryRun bool) error {
	var done []string
	for _, pin := range written {
		if pin.Vendor == nil || slices.Contains(done, pin.Vendor.Folder) {
			continue
		}
		folder := pin.Vendor.Folder
		done = append(done, folder)
		state := "written"
		switch same, err := folders.Put(folder, dryRun); {
		case err != nil:
			return usageError("make it a folder that you may write to", "%s: cannot be written: %v", folder, sbom.Pathless(err))
		case same:
			state = "nothing has changed"
		case dryRun:
			state = "to be written"
		}
		out.Printf("%s: %s, %s\n", path.Join(folder, "package-lock.json"), count(len(folders.Closure(folder).Packages), "package"), state)
		p.nextStep(out, project, folder, folders.Closure(folder))
	}
	return nil
}

// plainPath is a path that means nothing else to any shell.
var plainPath = lazyregexp.New(`^[A-Za-z0-9_/.][A-Za-z0-9_/.+-]*$`)

// nextStep says how the folder is filled, and what would run on the way.
func (p *program) nextStep(out *report.Plain, project *project, folder string, installed *closure.Closure) {
	command := "npm ci --ignore-scripts"
	dir, err := project.places.File(folder)
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
	for _, x := range installed.Packages {
		if name := x.Name + "@" + x.Version; x.InstallScript && !slices.Contains(scripts, name) {
			scripts = append(scripts, name)
		}
	}
	if root := installed.Package(installed.Roots[0]); root.Engines != "" {
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
