package mcp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"
)

// steered are the servers of files as "path#name", with "off" for a disabled one,
// and what approves which tool where.
func steered(t *testing.T, files map[string]string) []string {
	t.Helper()
	var trees []sbom.Tree
	for _, prefix := range []string{"", "~/", "/"} {
		tree := fstest.MapFS{}
		names := []string{}
		for name, data := range files {
			if rest, ok := strings.CutPrefix(name, prefix); ok && (prefix != "" || !strings.HasPrefix(name, "~/") && !strings.HasPrefix(name, "/")) {
				tree[rest] = &fstest.MapFile{Data: []byte(data)}
				names = append(names, rest)
			}
		}
		slices.Sort(names)
		trees = append(trees, sbom.Tree{FS: tree, Prefix: prefix, Files: names})
	}
	inv, _, err := sbom.Scan(t.Context(), trees, sbom.Options{Readers: []sbom.Reader{Reader{}}})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range serversOf(inv) {
		line := []string{s.File + "#" + s.Name}
		if s.Disabled {
			line = append(line, "off")
		}
		for _, a := range s.Approvals {
			line = append(line, fmt.Sprintf("%s:%d:%d %s=%s", a.File, a.Line, a.Column, a.Setting, a.Tool))
		}
		out = append(out, strings.Join(line, " "))
	}
	for _, in := range inv.Inputs {
		for _, p := range in.Problems {
			if p.Code == sbom.Invalid {
				out = append(out, fmt.Sprintf("%s:%d broken", in.Path, p.Line))
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestSettingsSteer(t *testing.T) {
	const two = `{"mcpServers": {"a": {"command": "npx", "args": ["-y", "foo"]}, "b": {"command": "npx", "args": ["-y", "bar"]}}}`
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"turned off by the project", map[string]string{".mcp.json": two, ".claude/settings.json": `{"disabledMcpjsonServers": ["b"]}`},
			[]string{".mcp.json#a", ".mcp.json#b off"}},
		{"turned off by one who works on it", map[string]string{"p/.mcp.json": two, "p/.claude/settings.local.json": `{"disabledMcpjsonServers": ["a", 1, null]}`},
			[]string{"p/.mcp.json#a off", "p/.mcp.json#b"}},
		{"another project's settings", map[string]string{"p/.mcp.json": two, "q/.claude/settings.json": `{"disabledMcpjsonServers": ["a"], "enableAllProjectMcpServers": true, "permissions": {"allow": ["mcp__a"]}}`},
			[]string{"p/.mcp.json#a", "p/.mcp.json#b"}},
		{"turned off by the user, in every project", map[string]string{"p/.mcp.json": two, "~/.claude/settings.json": `{"disabledMcpjsonServers": ["a"]}`, "~/.claude.json": two},
			[]string{"p/.mcp.json#a off", "p/.mcp.json#b", "~/.claude.json#a", "~/.claude.json#b"}},
		{"denied on the machine", map[string]string{"p/.mcp.json": two, "~/.claude.json": two, "/etc/claude-code/managed-settings.json": `{"deniedMcpServers": [{"serverName": "a"}]}`},
			[]string{"p/.mcp.json#a off", "p/.mcp.json#b", "~/.claude.json#a off", "~/.claude.json#b"}},
		{"allowed on the machine", map[string]string{"p/.mcp.json": two, "/etc/claude-code/managed-settings.json": `{"allowedMcpServers": [{"serverName": "a"}]}`, "/etc/claude-code/managed-settings.d/1.json": `{"allowedMcpServers": [{"serverName": "c"}]}`},
			[]string{"p/.mcp.json#a", "p/.mcp.json#b off"}},
		{"allowed by a command that nobody compares", map[string]string{"p/.mcp.json": two, "/etc/claude-code/managed-settings.json": `{"allowedMcpServers": [{"serverName": "a"}, {"serverCommand": ["npx", "-y", "bar"]}]}`},
			[]string{"p/.mcp.json#a", "p/.mcp.json#b"}},
		{"all start without asking", map[string]string{".mcp.json": two, ".claude/settings.json": "{\n  \"enableAllProjectMcpServers\": true, \"disabledMcpjsonServers\": [\"b\"]}", ".cursor/mcp.json": two},
			[]string{".cursor/mcp.json#a", ".cursor/mcp.json#b", ".mcp.json#a .claude/settings.json:2:3 enableAllProjectMcpServers=", ".mcp.json#b off"}},
		{"named servers are a decision", map[string]string{".mcp.json": two, ".claude/settings.json": `{"enabledMcpjsonServers": ["a"], "enableAllProjectMcpServers": false}`},
			[]string{".mcp.json#a", ".mcp.json#b"}},
		{"permissions", map[string]string{".mcp.json": `{"mcpServers": {"a": {"command": "x"}, "a b": {"command": "x"}, "a_": {"command": "x"}}}`,
			".claude/settings.json": `{"permissions": {"allow": ["Bash(ls)", "mcp__a__read", "mcp__a__write", "mcp__a__read", "mcp__a_b", "mcp__a___x"]}}`},
			[]string{".mcp.json#a .claude/settings.json:1:18 permissions.allow=read .claude/settings.json:1:18 permissions.allow=write .claude/settings.json:1:18 permissions.allow=_x", ".mcp.json#a b .claude/settings.json:1:18 permissions.allow=*", ".mcp.json#a_ .claude/settings.json:1:18 permissions.allow=x"}},
		{"permissions for all", map[string]string{"p/.mcp.json": two, "~/.claude/settings.json": `{"permissions": {"allow": ["mcp__*"], "defaultMode": "bypassPermissions"}}`},
			[]string{"p/.mcp.json#a ~/.claude/settings.json:1:18 permissions.allow=*", "p/.mcp.json#b ~/.claude/settings.json:1:18 permissions.allow=*"}},
		{"another mode", map[string]string{".mcp.json": two, ".claude/settings.json": `{"permissions": {"defaultMode": "acceptEdits"}}`},
			[]string{".mcp.json#a", ".mcp.json#b"}},
		{"VS Code approves everything", map[string]string{".vscode/mcp.json": `{"servers": {"a": {"command": "x"}}}`, ".vscode/settings.json": "{ // c\n\"chat.tools.autoApprove\": true,}"},
			[]string{".vscode/mcp.json#a .vscode/settings.json:2:1 chat.tools.autoApprove=*"}},
		{"Gemini CLI", map[string]string{".gemini/settings.json": `{"mcp": {"excluded": ["a"], "allowed": ["a", "b"]}, "mcpServers": {"a": {"command": "x"}, "b": {"command": "x"}, "c": {"command": "x", "trust": true}}}`},
			[]string{".gemini/settings.json#a off", ".gemini/settings.json#b", ".gemini/settings.json#c off :1:136 trust=*"}},
		{"Zed", map[string]string{".zed/settings.json": "{\"agent\": {\n\"always_allow_tool_actions\": true}, \"context_servers\": {\"a\": {\"command\": \"x\"}}}"},
			[]string{".zed/settings.json#a :2:1 agent.always_allow_tool_actions=*"}},
		{"the entry itself", map[string]string{".cursor/mcp.json": "{\"mcpServers\": {\"a\": {\"command\": \"x\",\n  \"autoApprove\": [\"r\",\n  \"w\", 1]}}}", ".roo/mcp.json": "{\"mcpServers\": {\"a\": {\"command\": \"x\",\n\"alwaysAllow\": true}}}",
			".codex/config.toml": "[mcp_servers.a]\ncommand = \"x\"\n[mcp_servers.a.tools.t]\napproval_mode = \"approve\"\n"},
			[]string{".codex/config.toml#a :4:1 approval_mode=t", ".cursor/mcp.json#a :2:19 autoApprove=r :3:3 autoApprove=w", ".roo/mcp.json#a :2:1 alwaysAllow=*"}},
		{"broken settings that may steer", map[string]string{".mcp.json": two, ".claude/settings.json": `{"disabledMcpjsonServers": ["b"`},
			[]string{".claude/settings.json:1 broken", ".mcp.json#a", ".mcp.json#b"}},
		{"broken settings that do not", map[string]string{".mcp.json": two, ".claude/settings.json": `{"model": "x"`}, []string{".mcp.json#a", ".mcp.json#b"}},
	}
	var many strings.Builder
	for i := range maxRuled + 1 {
		fmt.Fprintf(&many, ", \"mcp__a__%d\"", i)
	}
	for name, files := range map[string]map[string]string{
		"too many permissions":    {".mcp.json": two, ".claude/settings.json": `{"permissions": {"allow": ["x"` + many.String() + `]}}`},
		"too many approved tools": {".mcp.json": `{"mcpServers": {"a": {"command": "x", "autoApprove": ["x"` + many.String() + `]}}}`},
	} {
		if got := steered(t, files); !slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, " broken") }) {
			t.Errorf("%s: nobody hears of it", name)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := steered(t, tt.files); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestChoicesOfProjects holds that what a user chose for one project counts for the
// servers of that project, wherever it is, and for no others.
func TestChoicesOfProjects(t *testing.T) {
	const two = `{"mcpServers": {"a": {"command": "npx", "args": ["-y", "foo"]}, "b": {"command": "npx", "args": ["-y", "bar"]}}}`
	state := `{"projects": {
"/home/me/p": {"disabledMcpjsonServers": ["a"], "enabledMcpjsonServers": ["b"], "allowedTools": ["Bash", "mcp__b__run"]},
"/home/me/p/sub/": {"disabledMcpServers": ["b"], "enableAllProjectMcpServers": true},
"C:\\Users\\me\\W": {"disabledMcpjsonServers": ["b"]},
"/home/me": {"disabledMcpServers": ["user"]},
"/other": {"disabledMcpjsonServers": ["b"], "allowedTools": ["mcp__a"]}},
"mcpServers": {"user": {"command": "npx", "args": ["-y", "baz"]}}}`
	for dir, want := range map[string]string{
		"/home/me/p":       "sub/.mcp.json#a ~/.claude.json:3:50 enableAllProjectMcpServers=|sub/.mcp.json#b off|.mcp.json#a off|.mcp.json#b ~/.claude.json:2:81 allowedTools=run",
		"c:\\users\\me\\w": "sub/.mcp.json#a|sub/.mcp.json#b|.mcp.json#a|.mcp.json#b off",
		"/elsewhere":       "sub/.mcp.json#a|sub/.mcp.json#b|.mcp.json#a|.mcp.json#b",
		"":                 "sub/.mcp.json#a|sub/.mcp.json#b|.mcp.json#a|.mcp.json#b",
	} {
		inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{
			{FS: fstest.MapFS{".mcp.json": {Data: []byte(two)}, "sub/.mcp.json": {Data: []byte(two)}}, Place: dir},
			{FS: fstest.MapFS{".claude.json": {Data: []byte(state)}}, Prefix: "~/", Place: "/home/me"},
		}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range serversOf(inv) {
			line := []string{s.File + "#" + s.Name}
			if s.Disabled {
				line = append(line, "off")
			}
			for _, a := range s.Approvals {
				line = append(line, fmt.Sprintf("%s:%d:%d %s=%s", a.File, a.Line, a.Column, a.Setting, a.Tool))
			}
			got = append(got, strings.Join(line, " "))
		}
		wanted := append(strings.Split(want, "|"), "~/.claude.json#user")
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s:\n got  %q\n want %q", dir, got, wanted)
		}
	}
}
