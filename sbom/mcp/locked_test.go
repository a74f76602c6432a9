package mcp

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
)

// lockedPackage is one entry of a lockfile, as a reader of lockfiles adds it.
type lockedPackage struct {
	folder, name, version string
	source                sbom.Source
	commands              []string
}

// locks stands in for the readers of lockfiles.
type locks []lockedPackage

func (locks) Recognize(string) string { return "" }
func (locks) Sniff([]byte) string     { return "" }
func (l locks) Read(_ context.Context, _ []*sbom.File, b *sbom.Builder) error {
	for _, p := range l {
		c := sbom.Component{
			Type: sbom.Library, Ecosystem: sbom.NPM, Name: p.name, Version: p.version, Source: p.source,
			PURL:   "pkg:npm/" + strings.Replace(p.name, "@", "%40", 1) + "@" + p.version,
			Hashes: []sbom.Hash{{Algorithm: "sha512", Value: strings.Repeat("ab", 64)}},
		}
		id := b.Add(c, sbom.Use{}, sbom.Occurrence{Path: "package-lock.json", Line: 1, Install: p.folder})
		b.Link(sbom.Root, id)
		b.Place(p.folder, id, p.commands...)
	}
	return nil
}

// TestLocked: where the project has the package already, its own lockfile says
// which, and the server depends on that very component.
func TestLocked(t *testing.T) {
	const registry = sbom.FromRegistry
	locked := locks{
		{"node_modules/a", "a", "1.2.3", registry, []string{"a", "a-tool"}},
		{"node_modules/@s/n", "@s/n", "2.0.0", registry, []string{"n"}},
		{"node_modules/other", "other", "3.0.0", registry, []string{"shadow", "two"}},
		{"node_modules/shadow", "shadow", "1.0.0", registry, nil},
		{"node_modules/more", "more", "1.0.0", registry, []string{"two"}},
		{"node_modules/fromgit", "fromgit", "1.0.0", sbom.FromGit, []string{"fromgit"}},
		{"node_modules/member", "member", "1.0.0", sbom.FromProject, []string{"member"}},
		{"web/node_modules/a", "a", "9.9.9", registry, []string{"a"}},
	}
	installed := func(name, version string) fstest.MapFS {
		data, err := json.Marshal(map[string]string{"name": name, "version": version})
		if err != nil {
			t.Fatal(err)
		}
		return fstest.MapFS{"node_modules/" + name + "/package.json": {Data: data}}
	}
	scripts := fstest.MapFS{"package.json": {Data: []byte(`{"name": "p", "scripts": {"a-tool": "x", "start": "x"}}`)}}
	const (
		one = "npm/lockfile pkg:npm/a@1.2.3"
		two = "npm/lockfile pkg:npm/%40s/n@2.0.0"
	)
	tests := []struct {
		line  string
		files fstest.MapFS
		want  []string // kind, pin and ref of each launch
	}{
		{"npx | -y | a", nil, []string{one}},
		{"npx | a-tool", nil, []string{one}},
		{"npx | @s/n", nil, []string{two}},
		{"npm | exec | a", nil, []string{one}},
		{"npx | -p | a | a-tool", nil, []string{one}},
		{"npx | a@^1.0.0", nil, []string{one}},
		{"npx | a@^2.0.0", nil, []string{"npm/range pkg:npm/a"}},
		{"npx | a@1.2.3", nil, []string{one}},
		{"npx | a@1.2.4", nil, []string{"npm/exact pkg:npm/a@1.2.4"}},
		{"npx | a@latest", nil, []string{"npm/dist-tag pkg:npm/a"}},
		{"npx | b", nil, []string{"npm/unversioned pkg:npm/b"}},
		{"npx | shadow", nil, []string{"npm/lockfile pkg:npm/other@3.0.0"}},
		{"npx | two", nil, []string{"unknown/unknown ", "npm/unversioned pkg:npm/two"}},
		{"npx | fromgit", nil, []string{"npm/lockfile pkg:npm/fromgit@1.0.0"}},
		{"npx | member", nil, []string{"local/n/a ", "npm/unversioned pkg:npm/member"}},
		{"bunx | a", nil, []string{one}},
		{"pnpm | dlx | a", nil, []string{"npm/unversioned pkg:npm/a"}},
		{"pnpm | exec | a-tool", nil, []string{one}},
		{"pnpm | exec | -- | a-tool", nil, []string{one}},
		{"pnpm | a-tool", nil, []string{one}},
		{"yarn | a-tool", nil, []string{one}},
		{"yarn | run | a-tool", nil, []string{one}},
		{"yarn | exec | a-tool", nil, []string{one}},
		{"bun | run | a-tool", nil, []string{one}},
		{"yarn | a-tool", scripts, []string{"local/n/a "}},
		{"bun | run | a-tool", scripts, []string{"local/n/a "}},
		{"yarn | start", scripts, []string{"local/n/a "}},
		{"pnpm | exec | nobody", nil, []string{"npm/unknown "}},
		{"pnpm | exec | node | x.js", nil, []string{"local/n/a "}},
		{"yarn | nobody", fstest.MapFS{"package.json": {Data: []byte("{}")}}, []string{"unknown/unknown "}},
		{"pnpm | exec | shadow", nil, []string{"npm/lockfile pkg:npm/other@3.0.0"}},
		{"node | node_modules/a/dist/index.js", nil, []string{one}},
		{"node | ${workspaceFolder}/node_modules/@s/n/x.js", nil, []string{two}},
		{"./node_modules/@s/n/x.js", nil, []string{two}},
		{"node | node_modules/a/../evil.js", nil, []string{"local/n/a "}},
		{"node | node_modules/gone/x.js", fstest.MapFS{"package.json": {Data: []byte("{}")}}, []string{"local/n/a "}},
		{"node | node_modules/gone/x.js", fstest.MapFS{"node_modules/other/x.js": {}}, []string{"local/n/a "}},
		{"node | /srv/x/node_modules/a/x.js", nil, []string{"npm/installed pkg:generic/a#srv/x/node_modules/a"}},
		{"node | web/node_modules/a/x.js", nil, []string{"npm/lockfile pkg:npm/a@9.9.9"}},
		{"env | -C | web | npx | a", nil, []string{"npm/lockfile pkg:npm/a@9.9.9"}},
		{"bash | -c | cd web && npx a", nil, []string{"npm/lockfile pkg:npm/a@9.9.9"}},
		{"bash | -c | cd /srv && npx a", nil, []string{"npm/unversioned pkg:npm/a"}},
		{"docker | run | node@" + digestA + " | npx | a", nil, []string{"oci/digest pkg:oci/node@" + digestA + "?repository_url=docker.io%2Flibrary%2Fnode", "npm/unversioned pkg:npm/a"}},
		// An installed copy that says the same is what the lockfile installed; any
		// other was put there by somebody.
		{"npx | a", installed("a", "1.2.3"), []string{one}},
		{"npx | a", installed("a", "6.6.6"), []string{"npm/installed pkg:generic/a@6.6.6#node_modules/a", "npm/unversioned pkg:npm/a"}},
		{"node | node_modules/a/x.js", installed("a", "6.6.6"), []string{"npm/installed pkg:generic/a@6.6.6#node_modules/a"}},
		{"npx | shadow", installed("shadow", "1.0.0"), []string{"unknown/unknown ", "npm/unversioned pkg:npm/shadow"}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			words := strings.Split(tt.line, " | ")
			data, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"s": map[string]any{"command": words[0], "args": words[1:]}}})
			if err != nil {
				t.Fatal(err)
			}
			files := fstest.MapFS{".mcp.json": {Data: data}}
			maps.Copy(files, tt.files)
			inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: files}}, sbom.Options{Readers: []sbom.Reader{locked, Reader{}}})
			if err != nil {
				t.Fatal(err)
			}
			server := inv.Component("mcp:.mcp.json#s")
			var got []string
			for _, l := range server.Server.Launches {
				got = append(got, string(l.Kind)+"/"+string(l.Pin)+" "+l.Ref)
				if l.Pin != sbom.PinLockfile {
					continue
				}
				c := inv.Component(l.Ref)
				if !slices.Contains(inv.Edges[server.Ref], l.Ref) || len(c.Hashes) == 0 || !c.Origin.Has(sbom.OriginMCP|sbom.OriginDirect) {
					t.Errorf("%s is not the locked one: %+v", l.Ref, c)
				}
				if !slices.ContainsFunc(c.Occurrences, func(o sbom.Occurrence) bool { return o.Path == ".mcp.json" && o.Line == 1 }) {
					t.Errorf("%s does not occur in the configuration: %+v", l.Ref, c.Occurrences)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
