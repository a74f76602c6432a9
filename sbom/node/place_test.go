package node

import (
	"context"
	"testing"
	"testing/fstest"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
)

// after looks at the builder when the lockfiles have been read.
type after struct{ look func(*sbom.Builder) }

func (after) Recognize(string) string { return "" }
func (after) Sniff([]byte) string     { return "" }
func (a after) Read(_ context.Context, _ []*sbom.File, b *sbom.Builder) error {
	a.look(b)
	return nil
}

// TestPlaced: what a lockfile installs is found by its folder and its commands,
// aliases and links by the folder that they have.
func TestPlaced(t *testing.T) {
	files := fstest.MapFS{
		"web/package.json": {Data: []byte(`{"name": "web", "version": "1.0.0", "workspaces": ["m"], "dependencies": {"a": "1.0.0", "alias": "npm:real@2.0.0"}}`)},
		"web/package-lock.json": {Data: []byte(`{"name": "web", "version": "1.0.0", "lockfileVersion": 3, "packages": {
			"": {"name": "web", "version": "1.0.0", "workspaces": ["m"], "dependencies": {"a": "1.0.0", "alias": "npm:real@2.0.0"}},
			"m": {"version": "0.1.0", "bin": {"mine": "x.js"}},
			"node_modules/m": {"resolved": "m", "link": true},
			"node_modules/a": {"version": "1.0.0", "bin": "x.js", "dependencies": {"b": "1.0.0"}},
			"node_modules/a/node_modules/b": {"version": "1.0.0", "bin": {"inner": "x.js"}},
			"node_modules/alias": {"name": "real", "version": "2.0.0", "bin": {"real": "x.js", "other": "y.js"}}
		}}`)},
	}
	got := map[string]string{}
	_, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: files}}, sbom.Options{Readers: []sbom.Reader{Reader{}, after{func(b *sbom.Builder) {
		for _, folder := range []string{"a", "alias", "m", "a/node_modules/b", "gone"} {
			if c, _, ok := b.Placed("web/node_modules/" + folder); ok {
				got[folder] = c.Name + "@" + c.Version
			}
		}
		for _, command := range []string{"a", "real", "other", "mine", "inner", "alias"} {
			for _, id := range b.Providers("web/node_modules", command) {
				got["run "+command] += b.Instance(id).Name
			}
		}
		for _, id := range b.Providers("web/node_modules/a/node_modules", "inner") {
			got["run inner in a"] = b.Instance(id).Name
		}
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "a@1.0.0", "alias": "real@2.0.0", "m": "m@0.1.0", "a/node_modules/b": "b@1.0.0",
		"run a": "a", "run real": "real", "run other": "real", "run mine": "m", "run inner in a": "b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestPlacedByOthers: the lockfiles of the other package managers say which
// package lies where, too: of what a project asks for itself.
func TestPlacedByOthers(t *testing.T) {
	const manifest = `{"name": "web", "version": "1.0.0", "workspaces": ["m"], "dependencies": {"a": "1.0.0", "alias": "npm:real@2.0.0"}}`
	const member = `{"name": "m", "version": "0.1.0", "dependencies": {"a": "2.0.0"}}`
	resolution := "    resolution: {integrity: " + sri + "}\n"
	for name, tt := range map[string]struct {
		lock, content string
		bins          bool
	}{
		"pnpm": {PNPMLock, "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a: {specifier: 1.0.0, version: 1.0.0}\n      alias: {specifier: 'npm:real@2.0.0', version: real@2.0.0}\n" +
			"  m:\n    dependencies:\n      a: {specifier: 2.0.0, version: 2.0.0}\npackages:\n" +
			"  a@1.0.0:\n" + resolution + "  a@2.0.0:\n" + resolution + "  real@2.0.0:\n" + resolution + "  deep@1.0.0:\n" + resolution +
			"snapshots:\n  a@1.0.0:\n    dependencies:\n      deep: 1.0.0\n  a@2.0.0: {}\n  real@2.0.0: {}\n  deep@1.0.0: {}\n", false},
		"yarn 1": {YarnLock, classicLock("a@1.0.0:\n  version \"1.0.0\"\n  dependencies:\n    deep \"1\"\n", "a@2.0.0:\n  version \"2.0.0\"\n",
			"\"alias@npm:real@2.0.0\":\n  version \"2.0.0\"\n", "deep@1:\n  version \"1.0.0\"\n"), false},
		"yarn 4": {YarnLock, berryLock(
			"\"web@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"web@workspace:.\"\n  dependencies:\n    a: \"npm:1.0.0\"\n    alias: \"npm:real@2.0.0\"\n  languageName: unknown\n  linkType: soft\n",
			"\"m@workspace:m\":\n  version: 0.0.0-use.local\n  resolution: \"m@workspace:m\"\n  dependencies:\n    a: \"npm:2.0.0\"\n  languageName: unknown\n  linkType: soft\n",
			berryEntry("a@npm:1.0.0", "1.0.0", "a@npm:1.0.0", "dependencies:\n    deep: \"npm:1\"", "bin:\n    a-tool: x.js"), berryEntry("a@npm:2.0.0", "2.0.0", "a@npm:2.0.0"),
			berryEntry("alias@npm:real@2.0.0", "2.0.0", "real@npm:2.0.0"), berryEntry("deep@npm:1", "1.0.0", "deep@npm:1.0.0")), true},
		"bun": {BunLock, `{"lockfileVersion": 1, "workspaces": {"": {"name": "web", "dependencies": {"a": "1.0.0", "alias": "npm:real@2.0.0"}}, "m": {"name": "m", "version": "0.1.0", "dependencies": {"a": "2.0.0"}}},
			"packages": {"a": ["a@1.0.0", "", {"dependencies": {"deep": "1"}, "bin": {"a-tool": "x.js"}}, ""], "alias": ["real@2.0.0", "", {}, ""], "deep": ["deep@1.0.0", "", {}, ""], "m": ["m@workspace:m"], "m/a": ["a@2.0.0", "", {}, ""]}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"web/" + tt.lock: {Data: []byte(tt.content)}, "web/package.json": {Data: []byte(manifest)}, "web/m/package.json": {Data: []byte(member)}}
			got := map[string]string{}
			inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: files}}, sbom.Options{Readers: []sbom.Reader{Reader{}, after{func(b *sbom.Builder) {
				for _, folder := range []string{"node_modules/a", "node_modules/alias", "m/node_modules/a", "node_modules/deep", "node_modules/real"} {
					if c, _, ok := b.Placed("web/" + folder); ok {
						got[folder] = c.Name + "@" + c.Version
					}
				}
				for _, id := range b.Providers("web/node_modules", "a-tool") {
					got["run a-tool"] = b.Instance(id).Name
				}
			}}}})
			if err != nil {
				t.Fatal(err)
			}
			wantProblems(t, inv)
			want := map[string]string{"node_modules/a": "a@1.0.0", "node_modules/alias": "real@2.0.0", "m/node_modules/a": "a@2.0.0"}
			if tt.bins {
				want["run a-tool"] = "a"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
