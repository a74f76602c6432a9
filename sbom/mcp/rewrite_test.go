package mcp

import (
	"strings"
	"testing"
)

// at finds the line and column of a mark in a text, which is removed.
func at(t *testing.T, text string) (string, int, int) {
	t.Helper()
	before, after, ok := strings.Cut(text, "§")
	if !ok {
		t.Fatalf("no mark in %q", text)
	}
	return before + after, strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}

func TestRewrite(t *testing.T) {
	for name, test := range map[string]struct {
		file, text, old, new, want, refused string

		git bool
	}{
		"array":             {"mcp.json", "{ // c\n \"args\": [\"-y\", §\"tool\", /* d */ ],\n}", "tool", "tool@1.0.0", "{ // c\n \"args\": [\"-y\", \"tool@1.0.0\", /* d */ ],\n}", "", false},
		"command line":      {"mcp.json", `{"command": §"npx -y tool --tool=x"}`, "tool", "tool@1.0.0", `{"command": "npx -y tool@1.0.0 --tool=x"}`, "", false},
		"option":            {"mcp.json", `[§"--package=tool"]`, "tool", "tool@1.0.0", `["--package=tool@1.0.0"]`, "", false},
		"alias":             {"mcp.json", `[§"a@npm:@s/tool@latest"]`, "@s/tool@latest", "@s/tool@1.0.0", `["a@npm:@s/tool@1.0.0"]`, "", false},
		"quoted in a shell": {"mcp.json", `[§"exec npx \"tool\" x"]`, "tool", "tool@1.0.0", `["exec npx \"tool@1.0.0\" x"]`, "", false},
		"windows":           {"mcp.json", "\xef\xbb\xbf{\r\n  \"a\": §\"tool\"\r\n}\r\n", "tool", "tool@1.0.0", "\xef\xbb\xbf{\r\n  \"a\": \"tool@1.0.0\"\r\n}\r\n", "", false},
		"yaml":              {"config.yaml", "a:\n  - §tool # why\n", "tool", "tool@1.0.0", "a:\n  - tool@1.0.0 # why\n", "", false},
		"yaml in quotes":    {"config.yaml", "a: [§'tool', b]\n", "tool", "tool@1.0.0", "a: ['tool@1.0.0', b]\n", "", false},
		"yaml in brackets":  {"config.yaml", "a: [§tool, tool]\n", "tool", "tool@1.0.0", "a: [tool@1.0.0, tool]\n", "", false},
		"toml":              {"config.toml", "args = [§\"tool\"] # why\n", "tool", "tool@1.0.0", "args = [\"tool@1.0.0\"] # why\n", "", false},
		"toml literal":      {"config.toml", "args = [§'tool']\n", "tool", "tool@1.0.0", "args = ['tool@1.0.0']\n", "", false},
		"image":             {"mcp.json", `[§"ghcr.io/a/b:1"]`, "ghcr.io/a/b:1", "ghcr.io/a/b:1@sha256:0", `["ghcr.io/a/b:1@sha256:0"]`, "", false},

		"twice":           {"mcp.json", `{"command": §"npx tool tool"}`, "tool", "tool@1.0.0", "", "more than once", false},
		"escaped":         {"mcp.json", `[§"\u0074ool"]`, "tool", "tool@1.0.0", "", "plain letters", false},
		"only a part":     {"mcp.json", `[§"toolbox"]`, "tool", "tool@1.0.0", "", "plain letters", false},
		"with a version":  {"mcp.json", `[§"tool@2.0.0"]`, "tool", "tool@1.0.0", "", "plain letters", false},
		"another version": {"mcp.json", `[§"tool@1"]`, "tool@2", "tool@1.0.0", "", "plain letters", false},
		"block":           {"config.yaml", "a: §|\n  npx tool\n", "tool", "tool@1.0.0", "", "more than one line", false},
		"folded quotes":   {"config.yaml", "a: §\"npx\n  tool\"\n", "tool", "tool@1.0.0", "", "more than one line", false},
		"toml block":      {"config.toml", "a = §\"\"\"tool\"\"\"\n", "tool", "tool@1.0.0", "", "more than one line", false},
		"a number":        {"mcp.json", `[§12]`, "12", "tool@1.0.0", "", "no text", false},
		"repository":      {"mcp.json", `[§"github:o/r"]`, "github:o/r", "github:o/r#c", `["github:o/r#c"]`, "", true},
		"short form":      {"mcp.json", `[§"o/r"]`, "github:o/r", "github:o/r#c", `["github:o/r#c"]`, "", true},
		"a part of it":    {"mcp.json", `[§"git+https://h/r#subdirectory=x"]`, "git+https://h/r", "git+https://h/r@c", `["git+https://h/r@c#subdirectory=x"]`, "", true},
		"no repository":   {"mcp.json", `[§"tool#x"]`, "tool", "tool@1", "", "plain letters", false},
		"nothing":         {"mcp.json", `[§"tool"]`, "", "tool@1.0.0", "", "nobody knows", false},
	} {
		text, line, column := at(t, test.text)
		out, refused := Rewrite(test.file, []byte(text), []Replacement{{Line: line, Column: column, Old: test.old, New: test.new, Repository: test.git}})
		want := test.want
		if want == "" {
			want = text
		}
		if string(out) != want || (refused[0] == "") != (test.refused == "") || !strings.Contains(refused[0], test.refused) {
			t.Errorf("%s: %q, refused %q", name, out, refused[0])
		}
	}
}

func TestRewriteSeveral(t *testing.T) {
	text := `["a","b","a b"]`
	out, refused := Rewrite("mcp.json", []byte(text), []Replacement{
		{Line: 1, Column: 10, Old: "b", New: "b@2"}, {Line: 1, Column: 2, Old: "a", New: "a@1"}, {Line: 1, Column: 10, Old: "a", New: "a@1"},
		{Line: 1, Column: 2, Old: "a", New: "a@1"}, {Line: 9, Column: 1, Old: "x", New: "y"}, {Line: 1, Column: 99, Old: "x", New: "y"},
	})
	if string(out) != `["a@1","b","a@1 b@2"]` {
		t.Errorf("%s", out)
	}
	for i, want := range []bool{false, false, false, false, true, true} {
		if (refused[i] != "") != want {
			t.Errorf("%d: %q", i, refused[i])
		}
	}
}
