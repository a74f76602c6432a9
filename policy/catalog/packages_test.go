package catalog

import (
	"bufio"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"countermark/provenance"
	"countermark/sbom"
)

// TestPackages holds the form of the committed file; Parse has refused what is
// out of order, twice there, or no id, date or address.
func TestPackages(t *testing.T) {
	c := load(t)
	all := slices.Concat(slices.Collect(c.All()), slices.Collect(c.Packages()))
	if len(all) < 500 {
		t.Errorf("only %d entries", len(all))
	}
	for i, b := range packages {
		if b >= 0x80 {
			t.Fatalf("byte %d is not ASCII", i)
		}
	}
	kinds := map[sbom.Ecosystem]int{}
	for _, e := range all {
		kinds[e.Ecosystem]++
		if _, err := provenance.ParseRepository(e.Repository); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if strings.Contains(e.Repository, "*") {
			t.Errorf("%s: %s is no single repository", e.Name, e.Repository)
		}
		if e.Workflow != "" && e.Basis != BasisCertificate {
			t.Errorf("%s: a workflow that no certificate names", e.Name)
		}
		day, err := time.Parse(time.DateOnly, e.Checked)
		if err != nil || day.Before(c.AsOf()) {
			t.Errorf("%s: checked %q, before %v", e.Name, e.Checked, c.AsOf())
		}
	}
	for _, eco := range []sbom.Ecosystem{sbom.NPM, sbom.PyPI, sbom.OCI} {
		if kinds[eco] < 50 {
			t.Errorf("only %d of %s", kinds[eco], eco)
		}
	}
	for e := range c.Packages() {
		if !strings.HasPrefix(e.Documented, "https://github.com/") {
			t.Errorf("%s: documented at %s", e.Name, e.Documented)
		}
		if got, ok := c.Source(e.Ecosystem, e.Package); !ok || got.Repository != e.Repository {
			t.Errorf("Source(%s, %s) = %q, %v", e.Ecosystem, e.Package, got.Repository, ok)
		}
	}
}

// TestPackagesAgree compares the file with the listings that it names.
func TestPackagesAgree(t *testing.T) {
	listed := map[string]string{} // image → repository
	lines := bufio.NewScanner(shared(t, "catalog/docker-mcp-2026-07.jsonl"))
	for lines.Scan() {
		var r struct{ Image, Repository string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(r.Image, ":")
		listed[image(name)] = r.Repository
	}
	ids := map[string]string{}
	lines = bufio.NewScanner(shared(t, "catalog/mcp-registry-2025-05.jsonl"))
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
	for e := range load(t).Packages() {
		if e.Basis == BasisDocker && listed[e.Package] != e.Repository {
			t.Errorf("%s: %s, but the listing says %q", e.Package, e.Repository, listed[e.Package])
		}
		if e.Repository == "https://github.com/sigstore/sigstore-js" {
			continue // from a certificate
		}
		if e.RepositoryID != "" && e.RepositoryID != ids[strings.ToLower(e.Repository)] {
			t.Errorf("%s: id %s, but the listing says %q", e.Package, e.RepositoryID, ids[strings.ToLower(e.Repository)])
		}
	}
}

func TestSourceOfPackages(t *testing.T) {
	c := load(t)
	for _, x := range []struct {
		eco  sbom.Ecosystem
		name string
		want string
	}{
		{sbom.NPM, "chalk", "https://github.com/chalk/chalk"},
		{sbom.NPM, "Chalk", ""},
		{sbom.NPM, "@sigstore/sign", "https://github.com/sigstore/sigstore-js"},
		{sbom.PyPI, "chalk", ""},
		{sbom.PyPI, "AWSlabs.EKS_mcp-server", "https://github.com/awslabs/mcp"},
		{sbom.OCI, "mcp/notion", "https://github.com/makenotion/notion-mcp-server"},
		{sbom.OCI, "docker.io/mcp/notion", "https://github.com/makenotion/notion-mcp-server"},
		{sbom.OCI, "index.docker.io/mcp/notion", "https://github.com/makenotion/notion-mcp-server"},
		{sbom.OCI, "ghcr.io/mcp/notion", ""},
		{sbom.OCI, "localhost/mcp/notion", ""},
		{sbom.OCI, "registry.example:5000/mcp/notion", ""},
		{sbom.OCI, "notion", ""},
		{sbom.OCI, "GHCR.io/github/github-mcp-server", "https://github.com/github/github-mcp-server"},
		{sbom.OCI, "github/github-mcp-server", ""},
	} {
		if got, _ := c.Source(x.eco, x.name); got.Repository != x.want {
			t.Errorf("Source(%s, %q) = %q, want %q", x.eco, x.name, got.Repository, x.want)
		}
	}
}

// TestPackagesFreeNobody shows that a name is as suspicious with packages.tsv as
// without it: a community's package of a vendor's name must stay one.
func TestPackagesFreeNobody(t *testing.T) {
	full := load(t)
	bare, err := Parse(servers, nil)
	if err != nil {
		t.Fatal(err)
	}
	for e := range full.Packages() {
		for _, launched := range []bool{true, false} {
			want, got := names(bare.Lookalikes(e.Ecosystem, e.Package, launched)), names(full.Lookalikes(e.Ecosystem, e.Package, launched))
			if got != want {
				t.Errorf("%s looks like %q, and without packages.tsv like %q", e.Package, got, want)
			}
		}
		if got := full.Lookalikes(e.Ecosystem, e.Package, false); got != nil && e.Ecosystem == sbom.NPM {
			t.Errorf("%s of %s looks like %s", e.Package, e.Repository, names(got))
		}
	}
}

func TestParsePackages(t *testing.T) {
	const good = "npm:a\thttps://github.com/a/a\t1\t2\t.github/workflows/release.yml\tcertificate\t2026-01-03\t2026-01-04\thttps://github.com/a/a\n" +
		"oci:ghcr.io/a/b\thttps://github.com/a/b\t-\t-\t-\tdocker-catalog\t2026-01-01\t-\thttps://github.com/a/b\n"
	c, err := Parse([]byte(valid), []byte("# a comment\n\n"+good))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.AsOf().Format(time.DateOnly); got != "2026-01-01" {
		t.Errorf("as of %s, want the earliest day", got)
	}
	e, _ := c.Source(sbom.NPM, "a")
	if e.RepositoryID != "1" || e.OwnerID != "2" || e.Workflow != ".github/workflows/release.yml" || e.Vendor != "a" || e.RegistryChecked != "2026-01-04" {
		t.Errorf("%+v", e)
	}
	for _, x := range []struct{ name, old, replacement, want string }{
		{"columns", "\t1\t", "\t", "packages.tsv:1: 8 columns"},
		{"empty", "\t1\t", "\t\t", "empty column"},
		{"id", "\t1\t", "\tx\t", `id "x" is no number`},
		{"owner id", "\t2\t", "\t02\t", `id "02" is no number`},
		{"no repository", "https://github.com/a/a\t1", "-\t1", "repository"},
		{"an owner only", "https://github.com/a/a\t1", "https://github.com/a\t1", "owner/name"},
		{"http", "\thttps://github.com/a/a\n", "\thttp://github.com/a/a\n", "documented"},
		{"workflow", ".github/workflows/release.yml", "release.yml", "workflow"},
		{"basis", "certificate", "hearsay", "hearsay"},
		{"date", "2026-01-03", "2026-13-03", "date"},
		{"registry's date", "2026-01-04", "2026-13-04", "registry's day"},
		{"ecosystem", "npm:a", "cargo:a", "ecosystem"},
		{"name", "npm:a", "npm:A", "package name"},
		{"no host", "oci:ghcr.io/a/b", "oci:mcp/b", "package name"},
		{"tag", "oci:ghcr.io/a/b", "oci:ghcr.io/a/b:1", "package name"},
		{"pattern", "npm:a", "npm:@a/*", "package name"},
		{"order", "npm:a", "pypi:a", "packages.tsv:2"},
		{"twice", "oci:ghcr.io/a/b", "npm:a", "sorted"},
		{"a server's", "npm:a", "npm:@a/mcp", "server"},
	} {
		t.Run(x.name, func(t *testing.T) {
			data := strings.Replace(good, x.old, x.replacement, 1)
			if data == good {
				t.Fatal("nothing was replaced")
			}
			if _, err := Parse([]byte(valid), []byte(data)); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want one with %q", err, x.want)
			}
		})
	}
}

func FuzzParsePackages(f *testing.F) {
	f.Add([]byte("npm:a\thttps://github.com/a/a\t1\t2\t-\tvendor\t2026-01-03\t-\thttps://github.com/a/a\n"))
	f.Add([]byte("oci:docker.io/a/b\t\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse([]byte(valid), data)
		if err != nil {
			return
		}
		for e := range c.Packages() {
			if got, ok := c.Source(e.Ecosystem, e.Package); !ok || got.Package != e.Package {
				t.Errorf("%+v is not found by its own name", e)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(servers, packages); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseServers is the part of BenchmarkParse that packages.tsv has not.
func BenchmarkParseServers(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(servers, nil); err != nil {
			b.Fatal(err)
		}
	}
}
