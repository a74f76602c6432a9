//go:generate go test . -run TestDocs -update

package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "rewrite the pages in docs/")

// TestDocs holds docs/ to the commands: one page each, made from the command
// itself, and no page of a command that is gone.
func TestDocs(t *testing.T) {
	const dir = "../../docs"
	root := (&program{version: "dev"}).command()
	pages := map[string][]byte{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && cmd.HasParent() {
			return
		}
		var page bytes.Buffer
		if err := doc.GenMarkdown(cmd, &page); err != nil {
			t.Fatal(err)
		}
		pages[strings.ReplaceAll(cmd.CommandPath(), " ", "_")+".md"] = page.Bytes()
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(root)
	if *update {
		rewrite(t, dir, pages)
	}
	have, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil || len(have) != len(pages) {
		t.Errorf("%d pages for %d commands (%v): run `make docs`", len(have), len(pages), err)
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s is stale, run `make docs`: %s", name, d)
		}
	}
}

// TestReadmeShowsRealVerdicts holds every line of the README's verdicts to what
// check says of the examples.
func TestReadmeShowsRealVerdicts(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## What a verdict looks like\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "```")
	if len(blocks) != 5 {
		t.Fatalf("expected two blocks, got %d parts", len(blocks))
	}
	for block, example := range map[string]string{blocks[1]: "postmark-mcp", blocks[3]: "verified"} {
		shown := runOffline(t, []string{"check", filepath.Join("..", "..", "examples", example)})
		for line := range strings.Lines(block) {
			if !strings.Contains(shown, "\n"+line) && !strings.HasPrefix(shown, line) {
				t.Errorf("%s does not say %q", example, line)
			}
		}
	}
}

func rewrite(t *testing.T, dir string, pages map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
