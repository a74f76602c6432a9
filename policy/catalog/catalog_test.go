package catalog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

func load(t testing.TB) *Catalog {
	t.Helper()
	c, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shared opens a file of the shared test data, or skips the test.
func shared(t *testing.T, name string) *os.File {
	t.Helper()
	root := os.Getenv("COUNTERMARK_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(root, "data", filepath.FromSlash(name)))
	if err != nil {
		t.Skipf("shared data is absent: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestEmbedded(t *testing.T) {
	c := load(t)
	var all []Entry
	for e := range c.All() {
		all = append(all, e)
	}
	if len(all) < 30 {
		t.Fatalf("only %d entries", len(all))
	}
	if !slices.IsSortedFunc(all, byName) {
		t.Error("entries are not sorted")
	}
	for i, b := range servers {
		if b >= 0x80 {
			t.Fatalf("byte %d is not ASCII", i)
		}
	}
	for _, e := range all {
		u, err := url.Parse(e.Documented)
		if err != nil || u.Scheme != "https" {
			t.Errorf("%s: documented %q", e.Name, e.Documented)
		}
		// Whoever publishes a package writes its page in the registry, so such a
		// page documents nothing.
		for _, host := range []string{"npm", "pypi", "hub.docker", "registry", "packages."} {
			if strings.Contains(u.Host, host) {
				t.Errorf("%s: %q is a registry's page", e.Name, e.Documented)
			}
		}
		if !e.Published() {
			continue
		}
		if got, ok := c.Source(e.Ecosystem, e.Package); !ok || got.Name != e.Name {
			t.Errorf("%s: Source(%s, %s) = %q, %v", e.Name, e.Ecosystem, e.Package, got.Name, ok)
		}
	}
	if len(c.SHA256()) != 64 || c.AsOf().Year() < 2026 {
		t.Errorf("SHA256 %q, AsOf %v", c.SHA256(), c.AsOf())
	}
}

// TestRepositoryIDs compares the ids with the registry's listing, from which
// they are.
func TestRepositoryIDs(t *testing.T) {
	ids := map[string]string{}
	lines := bufio.NewScanner(shared(t, "catalog/mcp-registry-2025-05.jsonl"))
	for lines.Scan() {
		var r struct {
			Repository string `json:"repository"`
			ID         string `json:"repository_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		ids[strings.ToLower(r.Repository)] = r.ID
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for e := range load(t).All() {
		listed := ids[strings.ToLower(e.Repository)]
		if e.RepositoryID != "" && e.RepositoryID != listed || e.Basis == BasisMCPRegistry && listed == "" {
			t.Errorf("%s: id %q and basis %s, but the listing says %q", e.Name, e.RepositoryID, e.Basis, listed)
		}
	}
}

func TestSource(t *testing.T) {
	c := load(t)
	for _, x := range []struct {
		eco  sbom.Ecosystem
		name string
		want string
	}{
		{sbom.NPM, "@playwright/mcp", "https://github.com/microsoft/playwright-mcp"},
		{sbom.NPM, "@Playwright/mcp", ""},
		{sbom.NPM, "playwright", "https://github.com/microsoft/playwright"},
		{sbom.NPM, "stripe", ""}, // an alias
		{sbom.PyPI, "@playwright/mcp", ""},
		{sbom.PyPI, "MCP_server.Git", "https://github.com/modelcontextprotocol/servers"},
		{sbom.PyPI, "awslabs.core-mcp-server", "https://github.com/awslabs/mcp"},
		{sbom.NPM, "mcp-server-git", ""},
		{sbom.NPM, "postmark-mcp", ""},
		// Named by the vendor, but free to be taken.
		{sbom.NPM, "@activecampaign/postmark-mcp", ""},
		{sbom.NPM, "@github/github-mcp-server", ""},
		{sbom.NPM, "", ""},
	} {
		if got, _ := c.Source(x.eco, x.name); got.Repository != x.want {
			t.Errorf("Source(%s, %q) = %q, want %q", x.eco, x.name, got.Repository, x.want)
		}
	}
}

func TestPostmark(t *testing.T) {
	found := load(t).Find("postMARK")
	if len(found) != 1 {
		t.Fatalf("found %d entries", len(found))
	}
	e := found[0]
	if e.Repository != "https://github.com/ActiveCampaign/postmark-mcp" || e.Package != "@activecampaign/postmark-mcp" || !e.Unreleased || e.Published() {
		t.Errorf("%+v", e)
	}
}

func TestFind(t *testing.T) {
	c := load(t)
	all := slices.Concat(slices.Collect(c.All()), slices.Collect(c.Packages()))
	if got := c.Find(""); len(got) != len(all) {
		t.Errorf("an empty query finds %d of %d", len(got), len(all))
	}
	if got := c.Find("no such server"); got != nil {
		t.Errorf("found %v", got)
	}
	if got := c.Find("Microsoft"); len(got) < 3 {
		t.Errorf("a vendor's name finds %d entries", len(got))
	}
}

const valid = `as_of: 2026-01-02
servers:
  - name: A
    vendor: V
    ecosystem: npm
    package: "@a/mcp"
    repository: https://github.com/a/mcp
    documented: https://github.com/a/mcp
    basis: vendor
  - name: B
    vendor: V
    package: not published
    repository: https://github.com/b/mcp
    documented: https://github.com/b/mcp
    basis: docker-catalog
`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(valid), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.entries) != 2 || c.entries[1].Package != "" {
		t.Errorf("%+v", c.entries)
	}
	for _, x := range []struct{ name, old, replacement, want string }{
		{"unknown key", "    basis: vendor", "    basis: vendor\n    base: x", "base"},
		{"duplicate key", "    basis: vendor", "    basis: vendor\n    basis: vendor", "basis"},
		{"no date", "2026-01-02", "soon", "as_of"},
		{"basis", "basis: vendor", "basis: hearsay", "hearsay"},
		{"no documentation", "documented: https://github.com/a/mcp", "note: x", "documented"},
		{"plain http", "documented: https://github.com/a", "documented: http://github.com/a", "https"},
		{"repository with a path", "repository: https://github.com/a/mcp", "repository: https://github.com/a/mcp/tree/main", "owner/name"},
		{"repository with .git", "repository: https://github.com/a/mcp", "repository: https://github.com/a/mcp.git", "owner/name"},
		{"repository with a user", "repository: https://github.com/a/mcp", "repository: https://u:p@github.com/a/mcp", "repository"},
		{"order", "name: A", "name: C", "sorted"},
		{"twice", "name: B", "name: A", "once"},
		{"no ecosystem", "    ecosystem: npm\n", "", "ecosystem"},
		{"package of nobody", "package: not published", "package: not published\n    ecosystem: npm", "not published"},
		{"package name", `"@a/mcp"`, `"@A/mcp"`, "package name"},
		{"package taken", "package: not published", "ecosystem: npm\n    package: \"@a/mcp\"", "another entry"},
		{"id", "basis: vendor", "basis: vendor\n    repository_id: \"x1\"", "x1"},
		{"registry's date", "basis: vendor", "basis: vendor\n    registry_checked: soon", "registry's day"},
		{"registry of nothing", "package: not published", "package: not published\n    registry_checked: 2026-01-02", "not published"},
		{"registry of nobody's", "basis: vendor", "basis: vendor\n    unreleased: true\n    registry_checked: 2026-01-02", "not published"},
		{"scope", "basis: vendor", "basis: vendor\n    scopes: [a]", "scope"},
		{"entry", "name: B", "name: ''", "entry 2"},
		{"second document", "as_of", "---\nas_of: 2026-01-02\n---\nas_of", "document"},
	} {
		t.Run(x.name, func(t *testing.T) {
			data := strings.Replace(valid, x.old, x.replacement, 1)
			if data == valid {
				t.Fatal("nothing was replaced")
			}
			if _, err := Parse([]byte(data), nil); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want one with %q", err, x.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(valid))
	f.Add(bytes.Replace([]byte(valid), []byte("as_of"), []byte("&a as_of"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, nil)
		if err != nil {
			return
		}
		for e := range c.All() {
			if e.Documented == "" || e.Basis == "" || !strings.HasPrefix(e.Repository, "https://") {
				t.Errorf("%+v", e)
			}
		}
	})
}
