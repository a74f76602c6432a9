package mcp

import (
	"encoding/json"
	"testing"
	"testing/fstest"

	"countermark/sbom"
)

// TestStranger: a launcher is found behind programs that are not known, and what it
// names is judged.
func TestStranger(t *testing.T) {
	tests := []struct {
		command string
		args    []string
		kind    sbom.Kind
		ref     string // of a nested launch
	}{
		{"some-runner", []string{"run", "npx", "-y", "postmark-mcp"}, sbom.KindUnknown, "pkg:npm/postmark-mcp"},
		{"some-runner", []string{"pnpm", "dlx", "postmark-mcp"}, sbom.KindUnknown, "pkg:npm/postmark-mcp"},
		{"conda", []string{"run", "-n", "x", "uvx", "some-server"}, sbom.KindUnknown, "pkg:pypi/some-server"},
		{"./run.sh", []string{"npx", "-y", "postmark-mcp"}, sbom.KindUnknown, "pkg:npm/postmark-mcp"},
		{"some-server", []string{"--tool", "npx"}, sbom.KindBinary, ""},
		{"some-server", []string{"--name", "npm-helper", "x"}, sbom.KindBinary, ""},
	}
	for _, tt := range tests {
		data, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"a": map[string]any{"command": tt.command, "args": tt.args}}})
		if err != nil {
			t.Fatal(err)
		}
		inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: fstest.MapFS{".mcp.json": {Data: data}}}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
		if err != nil {
			t.Fatal(err)
		}
		s := inv.Component("mcp:.mcp.json#a").Server
		found := tt.ref == ""
		for _, l := range s.Launches {
			found = found || l.Nested && l.Ref == tt.ref
		}
		if s.Kind != tt.kind || !found {
			t.Errorf("%s %q: %s, %+v", tt.command, tt.args, s.Kind, s.Launches)
		}
	}
}
