package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestChoicesOfAProject holds that what a user answered Claude Code in a project is
// seen when that project is checked with the user's clients, also by way of a link,
// and that no output says where the project is.
func TestChoicesOfAProject(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	home, project, link := filepath.Join(root, "home"), filepath.Join(root, "project"), filepath.Join(root, "link")
	place, err := json.Marshal(project)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		filepath.Join(project, ".mcp.json"): `{"mcpServers": {"on": {"type": "http", "url": "https://mcp.example/a"}, "off": {"type": "http", "url": "https://mcp.example/b"}}}`,
		filepath.Join(home, ".claude.json"): fmt.Sprintf(`{"projects": {%s: {"disabledMcpjsonServers": ["off"], "allowedTools": ["mcp__on__delete_all"]}}}`, place),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(project, link); err != nil {
		t.Fatal(err)
	}
	run := func(here string, args ...string) string {
		var out bytes.Buffer
		p := &program{home: func() (string, error) { return home, nil }, now: time.Now, stdout: &out, stderr: &out, here: func() (string, error) { return here, nil }}
		p.run(t.Context(), args)
		if strings.Contains(out.String(), root) {
			t.Errorf("%v says where the project is", args)
		}
		return out.String()
	}
	disabled := regexp.MustCompile(`"countermark:mcp:disabled",\s+"value": "true"`)
	for _, here := range []string{project, link} {
		out := run(here, "check", "--offline", "--home", home)
		if !strings.Contains(out, "tools of server on run without asking: delete_all") || !strings.Contains(out, "~/.claude.json:1:") {
			t.Errorf("%s: what the user allowed is not seen:\n%s", here, out)
		}
		if n := len(disabled.FindAllString(run(here, "sbom", "--home", home), -1)); n != 1 {
			t.Errorf("%s: %d servers are disabled, want one", here, n)
		}
	}
	if out := run(project, "check", "--offline"); strings.Contains(out, "delete_all") {
		t.Errorf("without the user's clients nothing is known of them:\n%s", out)
	}
}
