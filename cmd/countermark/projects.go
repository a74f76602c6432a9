package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"countermark/policy/report"
	"countermark/sbom"
)

// perProjectFlags ask for a document of every project.
type perProjectFlags struct {
	each bool
	dir  string
}

func (f perProjectFlags) validate(list, output bool) error {
	switch {
	case !f.each && f.dir != "":
		return usageError("give --per-project, too", "--output-dir is for --per-project")
	case !f.each:
		return nil
	case f.dir == "":
		return usageError("give --output-dir, too", "--per-project writes several documents, which need a folder")
	case f.dir == "-":
		return usageError("name a folder", "--output-dir is -: several documents cannot go to standard output")
	case output:
		return usageError("leave --output out", "--output and --per-project contradict each other")
	case list:
		return usageError("leave one of them out", "--list-clients and --per-project contradict each other")
	default:
		return nil
	}
}

// projectInventory is what one project depends on.
type projectInventory struct {
	folder string
	inv    *sbom.Inventory
}

// writeProjects writes a document of every project into a folder, and names the files
// on standard output. Nothing is written unless every document could be made.
func (p *program) writeProjects(dir string, all []projectInventory, kinds []string, doc sbom.Document) error {
	if len(all) == 0 {
		return nil
	}
	folders, texts := make([]string, len(all)), make([]bytes.Buffer, len(all))
	for i, project := range all {
		folders[i] = project.folder
		if err := project.inv.Omit(kinds...); err != nil {
			return err
		}
		if err := sbom.WriteCycloneDX(&texts[i], project.inv, doc); err != nil {
			return usageError("run `countermark sbom --help`", "%v", err)
		}
	}
	names := sbom.DocumentNames(folders)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return usageError("name a folder that you may write to", "%s: cannot be made: %v", dir, sbom.Pathless(err))
	}
	for i := range names {
		names[i] += ".cdx." + doc.Format
		if err := p.output(filepath.Join(dir, names[i]), func(w io.Writer) error { _, err := w.Write(texts[i].Bytes()); return err }); err != nil {
			return err
		}
	}
	out := report.NewPlain(p.stdout, report.Options{}).Lines()
	for _, name := range names {
		if _, err := fmt.Fprintln(out, name); err != nil {
			return err
		}
	}
	return nil
}

// noProjects ends a command for which there was nothing to write.
func noProjects(all []projectInventory) error {
	if len(all) > 0 {
		return nil
	}
	return &exitError{code: exitNothing, message: "there is no project to write a document of", hints: []string{"leave --per-project out, or name a folder with a package.json"}}
}
