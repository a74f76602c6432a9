package closure

import (
	"errors"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestFolder holds the lockfile against npm's own, byte for byte. testdata/folder
// has what npm 11.19.1 wrote when a registry served its snapshot:
//
//	npm install --package-lock-only --save-exact --omit-lockfile-registry-resolved=false @acme/server
func TestFolder(t *testing.T) {
	source := Snapshot{FS: os.DirFS("testdata/folder/snapshot")}
	c, err := Resolve(t.Context(), source, []Request{{Name: "@acme/server"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Folder("mcp-acme")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/folder/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), string(got.Lockfile)); diff != "" {
		t.Errorf("npm's lockfile and ours differ (-npm +ours)\n%s", diff)
	}
	const manifest = "{\n  \"name\": \"mcp-acme\",\n  \"private\": true,\n  \"dependencies\": {\n    \"@acme/server\": \"1.2.0\"\n  }\n}\n"
	if diff := gocmp.Diff(manifest, string(got.Manifest)); diff != "" {
		t.Error(diff)
	}
}

func TestFolderRefuses(t *testing.T) {
	const sri = `"integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="`
	for name, test := range map[string]struct{ version, want string }{
		"no digest":                    {`"dist": {"tarball": "https://registry.example/a.tgz"}`, "the registry names no digest of a@1.0.0"},
		"no real digest":               {`"dist": {"tarball": "https://registry.example/a.tgz", "integrity": "sha512-AAAA"}`, "the registry names no digest of a@1.0.0"},
		"a password":                   {`"dist": {"tarball": "https://me:hunter2@registry.example/a.tgz", ` + sri + `}`, "the URL of a@1.0.0 may hold a credential"},
		"a token":                      {`"dist": {"tarball": "https://registry.example/a.tgz?token=hunter2", ` + sri + `}`, "the URL of a@1.0.0 may hold a credential"},
		"a file":                       {`"dist": {"tarball": "file:///etc/passwd", ` + sri + `}`, "the URL of a@1.0.0"},
		"a repository":                 {`"dist": {"tarball": "git+ssh://git@registry.example/a.git", ` + sri + `}`, "the URL of a@1.0.0"},
		"a git dependency":             {`"dependencies": {"b": "github:me/b"}, "dist": {"tarball": "https://registry.example/a.tgz", ` + sri + `}`, "b: comes from a git repository"},
		"an optional one that is gone": {`"optionalDependencies": {"b": "1"}, "dist": {"tarball": "https://registry.example/a.tgz", ` + sri + `}`, "b, an optional dependency, is nowhere to be had"},
		"a bundled one":                {`"dependencies": {"b": "1"}, "bundleDependencies": ["b"], "dist": {"tarball": "https://registry.example/a.tgz", ` + sri + `}`, "b: arrives inside of the package's tarball"},
		"a fixed dependency":           {`"_hasShrinkwrap": true, "dist": {"tarball": "https://registry.example/a.tgz", ` + sri + `}`, "npm-shrinkwrap.json"},
	} {
		p, err := ReadPackument(strings.NewReader(`{"name": "a", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "a", "version": "1.0.0", `+test.version+`}}}`), "a")
		if err != nil {
			t.Fatal(err)
		}
		c, err := Resolve(t.Context(), shelf{"a": p}, []Request{{Name: "a"}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Folder("x")
		if !errors.Is(err, ErrUnlocked) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBins(t *testing.T) {
	for name, test := range map[string]struct{ pkg, bin, launched, file string }{
		"one file":            {"@s/tool", `"./dist/x.js"`, "tool", "dist/x.js"},
		"the only one":        {"tool", `{"other": "x.js"}`, "other", "x.js"},
		"one under two names": {"tool", `{"b": "x.js", "a": "./x.js"}`, "a", "x.js"},
		"by its name":         {"@s/tool", `{"other": "y.js", "tool": "x.js"}`, "tool", "x.js"},
		"none of several":     {"tool", `{"a": "x.js", "b": "y.js"}`, "", ""},
		"none":                {"tool", `{}`, "", ""},
		"nothing":             {"tool", `null`, "", ""},
		"no text":             {"tool", `{"tool": ["x.js"]}`, "", ""},
		"leads out":           {"tool", `{"../../tool": "../../../etc/passwd"}`, "tool", "etc/passwd"},
		"of Windows":          {"tool", `{"tool": ".\\dist\\x.js"}`, "tool", "dist/x.js"},
		"the folder itself":   {"tool", `{"tool": "."}`, "", ""},
		"no name":             {"tool", `{"..": "x.js"}`, "", ""},
	} {
		p, err := ReadPackument(strings.NewReader(`{"name": "`+test.pkg+`", "versions": {"1.0.0": {"bin": `+test.bin+`, "name": "`+test.pkg+`", "version": "1.0.0", "dist": {"tarball": "https://registry.example/a.tgz"}}}}`), test.pkg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, ok := p.Versions["1.0.0"].Launched()
		if ok != (test.file != "") || b.Name != test.launched || b.File != test.file {
			t.Errorf("%s: %+v", name, b)
		}
	}
}
