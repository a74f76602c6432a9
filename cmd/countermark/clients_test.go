package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// dials fails the test on every request.
type dials struct{ t *testing.T }

func (d dials) RoundTrip(r *http.Request) (*http.Response, error) {
	d.t.Errorf("a request to %s", r.URL.Host)
	return nil, http.ErrServerClosed
}

// TestInventoryContactsNobody: remote servers are listed, not asked.
func TestInventoryContactsNobody(t *testing.T) {
	home := t.TempDir()
	for name, data := range map[string]string{
		".cursor/mcp.json":    `{"mcpServers": {"a": {"url": "http://127.0.0.1:9/mcp"}, "b": {"command": "npx", "args": ["-y", "mcp-remote", "http://127.0.0.1:9/sse"]}}}`,
		".codex/config.toml":  "[mcp_servers.a]\nurl = \"http://127.0.0.1:9/mcp\"\n",
		".zed/settings.json":  `{"context_servers": {"a": {"url": "http://127.0.0.1:9/mcp", "headersHelper": "curl http://127.0.0.1:9"}}}`,
		"project/server.json": `{"name": "n", "packages": [{"registryType": "npm", "identifier": "foo", "version": "1.0.0"}], "remotes": [{"type": "sse", "url": "http://127.0.0.1:9"}]}`,
	} {
		file := filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	project := filepath.Join(home, "project")
	for _, args := range [][]string{
		{"sbom", "--user", project},
		{"sbom", "--home", home, project},
		{"sbom", "--list-clients", "--home", home, project},
		{"check", "--offline", "--home", home, project},
	} {
		var stdout, stderr bytes.Buffer
		p := &program{
			stdout: &stdout, stderr: &stderr, home: func() (string, error) { return home, nil }, here: os.Getwd,
			now: func() time.Time { return time.Unix(1_780_000_000, 0) }, transport: dials{t}, version: "test",
		}
		if code := p.run(t.Context(), args); code == exitUsage || stdout.Len() == 0 {
			t.Errorf("%v: exit code %d: %s", args, code, stderr.String())
		}
	}
}
