package node

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"countermark/sbom"
)

func gunzip(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// npmSays returns the lines of npm's own resolution that begin with that word.
func npmSays(t *testing.T, word string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(string(gunzip(t, "monorepo/npm.txt.gz"))) {
		if strings.HasPrefix(line, word+" ") {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}

// TestSameAsNPM compares the inventory of a real lockfile of more than a thousand
// packages with what npm itself says of it: the same packages, the same edges.
func TestSameAsNPM(t *testing.T) {
	inv := scan(t, map[string]string{"package-lock.json": string(gunzip(t, "monorepo/package-lock.json.gz"))})
	wantProblems(t, inv)
	id := func(c *sbom.Component) string { return c.Name + "@" + c.Version }
	packages := []string{"package " + id(inv.Root)}
	for _, c := range inv.Components {
		packages = append(packages, "package "+id(c))
		if c.Extraneous || c.Conflict != "" || c.Coverage != sbom.CompleteCoverage {
			t.Errorf("%s: extraneous %v, conflict %q, coverage %q", c.Ref, c.Extraneous, c.Conflict, c.Coverage)
		}
	}
	tarballs := 0
	for _, c := range inv.Components {
		if c.Source != sbom.FromRegistry || c.Resolved == "" {
			continue
		}
		tarballs++
		if name, version := namedByURL(c.Resolved); name != c.Name || version != c.Version {
			t.Errorf("%s: the tarball's URL says %s %s", c.Ref, name, version)
		}
		if len(c.Hashes) == 0 {
			t.Errorf("%s has no hash", c.Ref)
		}
	}
	if tarballs < 1000 {
		t.Errorf("only %d packages with a tarball's URL", tarballs)
	}
	var edges []string
	for from, to := range inv.Edges {
		for _, to := range to {
			edges = append(edges, "edge "+id(inv.Component(from))+" "+id(inv.Component(to)))
		}
	}
	slices.Sort(packages)
	slices.Sort(edges)
	if len(packages) < 1000 {
		t.Errorf("only %d packages", len(packages))
	}
	if diff := gocmp.Diff(npmSays(t, "package"), packages); diff != "" {
		t.Errorf("packages (-npm +countermark):\n%s", diff)
	}
	if diff := gocmp.Diff(npmSays(t, "edge"), edges); diff != "" {
		t.Errorf("edges (-npm +countermark):\n%s", diff)
	}
}

// TestSameFoldersAsNPM compares what lies below the inventory: every folder, and
// where every single dependency of it leads.
func TestSameFoldersAsNPM(t *testing.T) {
	l := readLockfile(&sbom.File{Path: "package-lock.json", Data: gunzip(t, "monorepo/package-lock.json.gz")}, nil)
	words := map[edgeKind]string{
		prodEdge: "prod", optionalEdge: "optional", peerEdge: "peer", peerOptionalEdge: "peerOptional", devEdge: "dev", workspaceEdge: "workspace",
	}
	var folders, resolved []string
	for i := range l.entries {
		e := &l.entries[i]
		if e.link {
			continue
		}
		key := e.key
		if key == "" {
			key = "."
		}
		folder := fmt.Sprintf("folder %s %s@%s", key, e.name, e.version)
		if e.bundled {
			folder += " bundled"
		}
		folders = append(folders, folder)
		for _, d := range e.edges {
			to := "-"
			if d.to != none {
				to = l.entries[d.to].key
			}
			resolved = append(resolved, fmt.Sprintf("resolve %s %s %s %s", key, words[d.kind], d.name, to))
		}
	}
	slices.Sort(folders)
	slices.Sort(resolved)
	if diff := gocmp.Diff(npmSays(t, "folder"), folders); diff != "" {
		t.Errorf("folders (-npm +countermark):\n%s", diff)
	}
	if diff := gocmp.Diff(npmSays(t, "resolve"), resolved); diff != "" {
		t.Errorf("resolved (-npm +countermark):\n%s", diff)
	}
}

// shared returns a file of the shared test data, and skips where there is none.
func shared(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("COUNTERMARK_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, "data", filepath.FromSlash(name)))
	if err != nil {
		t.Skipf("no shared data: %v", err)
	}
	return data
}

// TestBrokenLink: a link to the project itself under another name, which npm
// accepts, and a folder whose dependency is nowhere, which it does not.
func TestBrokenLink(t *testing.T) {
	inv := scan(t, map[string]string{"package-lock.json": string(shared(t, "lockfiles/npm-v3-broken-link/package-lock.json"))})
	wantProblems(t, inv, `package-lock.json:16: invalid: "functions/func1" depends on "debug", which is not in the lockfile`,
		`package-lock.json:12: warning: nothing asks for "functions/func1" (one of 1 such packages)`)
	c := component(t, inv, "pkg:npm/func1@1.0.0")
	if !c.Extraneous || c.Source != sbom.FromLink || c.Coverage != sbom.IncompleteCoverage {
		t.Errorf("func1 = %+v", c)
	}
}

// synthetic makes a lockfile of about n entries with nested copies.
func synthetic(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {` + "\n" + `"": {"name": "app", "version": "1.0.0", "dependencies": {"p0": "^1.0.0"}}`)
	entry := func(key string, i int, version string) {
		fmt.Fprintf(&b, ",\n  %q: {\n    \"version\": %q,\n    \"resolved\": \"https://registry.example/p%d/-/p%d-%s.tgz\",\n    \"integrity\": %q,\n    \"license\": \"MIT\",\n    \"dependencies\": {\n", key, version, i, i, version, sri)
		for d := 1; d <= 3; d++ {
			if d > 1 {
				b.WriteString(",\n")
			}
			fmt.Fprintf(&b, "      \"p%d\": \"^1.0.0\"", (i*3+d)%(n/2))
		}
		b.WriteString("\n    },\n    \"engines\": {\n      \"node\": \">=18\"\n    }\n  }")
	}
	for i := range n / 2 {
		key := fmt.Sprintf("node_modules/p%d", i)
		entry(key, i, "1.0.0")
		entry(fmt.Sprintf("%s/node_modules/p%d", key, (i*3+1)%(n/2)), (i*3+1)%(n/2), "1.1.0")
	}
	b.WriteString("\n}}\n")
	return b.Bytes()
}

func benchmark(b *testing.B, data []byte) {
	b.Helper()
	tree := fstest.MapFS{"package-lock.json": {Data: data}}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		inv, _, err := sbom.Scan(b.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
		if err != nil || inv.Incomplete() {
			b.Fatal(err, problems(inv))
		}
	}
}

func BenchmarkMonorepo(b *testing.B)  { benchmark(b, gunzip(b, "monorepo/package-lock.json.gz")) }
func BenchmarkSynthetic(b *testing.B) { benchmark(b, synthetic(6000)) }
