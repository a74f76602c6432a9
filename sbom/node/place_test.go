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
