package schemas_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"countermark/sbom/mcp/lock"
	"countermark/schemas"
)

// TestLock holds the schema of locks to what is written and to what is read.
func TestLock(t *testing.T) {
	validate := func(data []byte) error { return schemas.Validate("mcp-lock.schema.json", data) }
	files, err := filepath.Glob("../sbom/mcp/lock/testdata/*.lock.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("golden files: %q %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := lock.Parse(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	server := `{"lockVersion": 1, "configurations": {".mcp.json": {"servers": {"s": %s}}}}`
	for _, text := range []string{
		`[]`, `{}`, `{"lockVersion": 1}`, `{"lockVersion": 2, "configurations": {}}`, `{"lockVersion": "1", "configurations": {}}`,
		`{"lockVersion": 1, "configurations": {}, "more": 1}`, `{"lockVersion": 1, "configurations": {"a/b": {"servers": {}}}}`,
		`{"lockVersion": 1, "configurations": {"..": {"servers": {}}}}`,
		fmt.Sprintf(server, `null`), fmt.Sprintf(server, `{"launches": [], "command": "sha256:12"}`), fmt.Sprintf(server, `{"launches": [{"spec": "a"}]}`),
		fmt.Sprintf(server, `{"launches": [{"kind": "npm", "integrity": "12"}]}`), fmt.Sprintf(server, `{"launches": [{"kind": "oci", "digest": "12"}]}`),
		fmt.Sprintf(server, `{"launches": [{"kind": "git", "commit": "main"}]}`), fmt.Sprintf(server, `{"launches": [], "approved": {"by": "me", "at": "today"}}`),
		fmt.Sprintf(server, `{"launches": [{"kind": "pypi", "files": {"a.whl": "12"}}]}`), fmt.Sprintf(server, `{"launches": [{"kind": "pypi", "files": {"a/b.whl": "sha256:`+strings.Repeat("0", 64)+`"}}]}`),
		fmt.Sprintf(server, `{"launches": [{"kind": "npm", "vendored": "../x"}]}`), fmt.Sprintf(server, `{"launches": [{"kind": "npm", "vendored": ".mcp/a/../../b"}]}`),
		fmt.Sprintf(server, `{"launches": [{"kind": "npm", "closure": {"packages": {"a": ""}}}]}`),
	} {
		if _, err := lock.Parse([]byte(text)); err == nil {
			t.Errorf("the program reads %s", text)
		}
		if validate([]byte(text)) == nil {
			t.Errorf("the schema allows %s", text)
		}
	}
	vendored := fmt.Sprintf(server, `{"launches": [{"kind": "npm", "vendored": ".mcp/tool-1.x"}]}`)
	if _, err := lock.Parse([]byte(vendored)); err != nil || validate([]byte(vendored)) != nil {
		t.Errorf("a vendored launch is refused: %v", err)
	}
	least := fmt.Sprintf(server, `{"launches": []}`)
	if _, err := lock.Parse([]byte(strings.TrimSpace(least))); err != nil || validate([]byte(least)) != nil {
		t.Errorf("the least of a lock is refused: %v", err)
	}
}
