package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"countermark/provenance/selection"
	"countermark/sbom"
	"countermark/sbom/closure"
	"countermark/sbom/mcp/lock"
)

// pinConfigurations writes what the locks hold into the configurations, or only
// shows what it would write: the specs alone, since the line of a configuration
// around one can hold a credential. What could not be pinned is said; written reports whether
// anything was.
func (p *program) pinConfigurations(ctx context.Context, flags lockFlags, project *project, s *selection.Selection, locks []*lock.Lock) (written []lock.Pin, err error) {
	out := p.plainOut()
	plan := &lock.Folders{Pins: lock.Pins(project.inventory, locks)}
	if flags.vendor {
		selected := func(server *sbom.Component, l sbom.Launch) (*closure.Closure, string) {
			if selection.OwnRegistry(server.Server) {
				return nil, selection.ErrOwnRegistry.Error()
			}
			return s.Closure(server, l), s.Reason(server, l)
		}
		plan = lock.Vendoring{Inventory: project.inventory, Places: project.places, Outside: project.outside, Selected: selected}.Plan(plan.Pins)
	}
	left := len(plan.Attached) > 0
	for _, pin := range plan.Attached {
		p.message(&exitError{
			message: fmt.Sprintf("%sserver %s: %s is in no folder of its own: %s", where(pin.Server), pin.Server.Server.Name, pin.Old, pin.Why),
			hints:   []string{"configure it as a server of its own, or know that what comes with it is chosen anew at every start"},
		})
	}
	byFile := map[string][]lock.Pin{}
	var files []string
	for _, pin := range plan.Pins {
		file := pin.Server.Server.File
		if byFile[file] == nil {
			files = append(files, file)
		}
		byFile[file] = append(byFile[file], pin)
	}
	slices.Sort(files)
	var edits []lock.Edit
	for _, file := range files {
		edit, err := project.edit(ctx, file, byFile[file])
		if err != nil {
			return nil, err
		}
		edits = append(edits, edit)
		for _, pin := range edit.Left {
			left = true
			p.message(&exitError{
				message: fmt.Sprintf("%sserver %s: %s stays as it is: %s", where(pin.Server), pin.Server.Server.Name, pin.Old, pin.Why),
				hints:   []string{pinHint(s, pin, flags)},
			})
		}
	}
	for _, edit := range edits {
		if len(edit.Written) == 0 {
			continue
		}
		if err := p.writeFolders(out, project, plan, edit.Written, flags.dryRun); err != nil {
			return written, err
		}
		if !flags.dryRun {
			if err := p.writeEdit(project, edit); err != nil {
				return written, err
			}
			written = append(written, edit.Written...)
		}
		for _, pin := range edit.Written {
			l := pin.Server.Server.Launches[pin.Launch]
			out.Printf("%s%s → %s\n", place(edit.File, l.Line, l.Column), pin.Old, pin.New)
		}
	}
	if left {
		return written, worse(out.Err(), done(exitUnknown))
	}
	return written, out.Err()
}

// pinHint says what to do about a pin that was not made.
func pinHint(s *selection.Selection, pin lock.Pin, flags lockFlags) string {
	l := pin.Server.Server.Launches[pin.Launch]
	if flags.vendor && l.Kind == sbom.KindNPM {
		return "leave out --vendor to pin its version alone"
	}
	if reason := s.Reason(pin.Server, l); reason != "" && pin.New == "" {
		return reason
	}
	return "pin it by hand, then run this again"
}

// edit makes the pins of one file, without writing it.
func (pr *project) edit(ctx context.Context, file string, pins []lock.Pin) (lock.Edit, error) {
	leave := func(why string) (lock.Edit, error) {
		for i := range pins {
			pins[i].Why = why
		}
		return lock.Edit{File: file, Left: pins}, nil
	}
	i := slices.IndexFunc(pr.inventory.Inputs, func(in *sbom.Input) bool { return in.Path == file })
	if i < 0 {
		return leave("it stands in a file that another one names")
	}
	in := pr.inventory.Inputs[i]
	name, err := pr.places.File(file)
	if err != nil {
		return leave("nobody knows where its file is")
	}
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return leave("its file cannot be read any more")
	case !info.Mode().IsRegular():
		return leave("its file is a link; name the file that it leads to")
	case info.Mode().Perm()&0o200 == 0:
		return leave("its file may not be written to")
	}
	tree, below := pr.places.Tree(file)
	data, err := os.ReadFile(name)
	if err != nil || len(data) > sbom.MaxFileSize || sbom.Sum(data) != in.SHA256 {
		return leave("its file has changed in the meantime")
	}
	root, err := os.OpenRoot(tree.Dir)
	if err != nil {
		return leave("its folder cannot be opened any more")
	}
	defer func() { _ = root.Close() }() // it was only read from
	tree.FS = root.FS()
	return lock.Write(ctx, tree, below, in.Kind, data, pins)
}

// writeEdit replaces a configuration, whole or not at all. Permissions stay.
func (p *program) writeEdit(project *project, edit lock.Edit) error {
	name, err := project.places.File(edit.File)
	if err != nil {
		return err
	}
	return p.output(name, func(w io.Writer) error { _, err := w.Write(edit.After); return err })
}
