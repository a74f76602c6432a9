package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
	taken := map[string]bool{}
	names, texts := make([]string, len(all)), make([]bytes.Buffer, len(all))
	for i, project := range all {
		if err := project.inv.Omit(kinds...); err != nil {
			return err
		}
		if err := sbom.WriteCycloneDX(&texts[i], project.inv, doc); err != nil {
			return usageError("run `countermark sbom --help`", "%v", err)
		}
		base := documentName(project.folder)
		name := base
		for n := 2; taken[strings.ToLower(name)]; n++ { // file names need not tell letters by their case
			name = fmt.Sprintf("%s~%d", base, n)
		}
		taken[strings.ToLower(name)] = true
		names[i] = name + ".cdx." + doc.Format
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return usageError("name a folder that you may write to", "%s: cannot be made: %v", dir, sbom.Pathless(err))
	}
	for i, name := range names {
		if err := p.output(filepath.Join(dir, name), func(w io.Writer) error { _, err := w.Write(texts[i].Bytes()); return err }); err != nil {
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

// maxDocumentName bounds the name of a file, which file systems do as well.
const maxDocumentName = 200

// documentName is the name of a project's document without its end: the path of the
// project's folder with + for the slashes, and every character that some system would
// not have in a name as its number. The project at the top is called sbom.
func documentName(folder string) string {
	if folder == "" {
		return "sbom"
	}
	var b strings.Builder
	for i, c := range []byte(folder) {
		switch {
		case c == '/':
			b.WriteByte('+')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '@', c == '.' && i > 0 && folder[i-1] != '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	if len(name) > maxDocumentName {
		sum := sha256.Sum256([]byte(folder))
		name = fmt.Sprintf("%s~%x", name[:maxDocumentName], sum[:8])
	}
	return name
}
