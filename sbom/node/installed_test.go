package node

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
)

// disk makes a file system of files; one that begins with "-> " is a link, and one
// that is "pipe" a named pipe.
func disk(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, content := range files {
		target, link := strings.CutPrefix(content, "-> ")
		switch {
		case link:
			tree[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
		case content == "pipe":
			tree[name] = &fstest.MapFile{Mode: fs.ModeNamedPipe | 0o600}
		default:
			tree[name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	return tree
}

func scanInstalled(t testing.TB, fsys fs.FS) *sbom.Inventory {
	t.Helper()
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: fsys}}, sbom.Options{Readers: []sbom.Reader{Reader{Installed: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// npmProject is a small project as npm installs it.
func npmProject() map[string]string {
	return map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","workspaces":["packages/*"],"dependencies":{"a":"^1","nick":"npm:@s/real@2"},
			"devDependencies":{"d":"1"},"optionalDependencies":{"gone":"1"}}`,
		"packages/m/package.json": `{"name":"m","version":"0.1.0","dependencies":{"b":"2"}}`,
		"package-lock.json": lock(
			`"": {"name":"app","version":"1.0.0","workspaces":["packages/*"],"dependencies":{"a":"^1","nick":"npm:@s/real@2"},"devDependencies":{"d":"1"},"optionalDependencies":{"gone":"1"}}`,
			locked("node_modules/a", "1.0.0", `"dependencies":{"b":"1"},"peerDependencies":{"d":"1"}`),
			locked("node_modules/b", "1.0.0", `"hasInstallScript":true`),
			locked("node_modules/d", "1.0.0", `"bundleDependencies":["e"],"dependencies":{"e":"1"}`),
			`"node_modules/d/node_modules/e": {"version":"1.0.0","inBundle":true}`,
			locked("node_modules/gone", "1.0.0", `"optional":true`),
			`"node_modules/m": {"resolved":"packages/m","link":true}`,
			locked("node_modules/nick", "2.0.0", `"name":"@s/real"`),
			`"packages/m": {"version":"0.1.0","dependencies":{"b":"2"}}`,
			locked("packages/m/node_modules/b", "2.0.0", `"license":"MIT"`),
		),
		"node_modules/.package-lock.json":              "{}",
		"node_modules/.bin/a":                          "-> ../a/cli.js",
		"node_modules/a/package.json":                  `{"name":"a","version":"1.0.0","license":"MIT","repository":"github:acme/a","dependencies":{"b":"1"},"peerDependencies":{"d":"1"},"devDependencies":{"never":"1"}}`,
		"node_modules/a/cli.js":                        "",
		"node_modules/b/package.json":                  `{"name":"b","version":"1.0.0","scripts":{"postinstall":"x"}}`,
		"node_modules/d/package.json":                  `{"name":"d","version":"1.0.0","bundleDependencies":["e"],"dependencies":{"e":"1"}}`,
		"node_modules/d/node_modules/e/package.json":   `{"name":"e","version":"1.0.0"}`,
		"node_modules/d/node_modules/e/binding.gyp":    "",
		"node_modules/m":                               "-> ../packages/m",
		"node_modules/nick/package.json":               `{"name":"@s/real","version":"2.0.0"}`,
		"packages/m/node_modules/b/package.json":       `{"name":"b","version":"2.0.0"}`,
		"packages/m/node_modules/left/node_modules/.x": "",
	}
}

func locked(key, version, more string) string {
	name := folderName(key)
	if strings.Contains(more, `"name"`) {
		name = "@s/real"
	}
	return fmt.Sprintf(`%q: {"version":%q,"resolved":"https://registry.example/%s/-/x-%s.tgz","integrity":"sha512-%s",%s}`, key, version, name, version, strings.Repeat("A", 86)+"==", more)
}

func TestInstalledNPM(t *testing.T) {
	files := npmProject()
	inv := scanInstalled(t, disk(files))
	wantProblems(t, inv)
	wantEdges(t, inv,
		"pkg:npm/a@1.0.0 -> pkg:npm/b@1.0.0",
		"pkg:npm/a@1.0.0 -> pkg:npm/d@1.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/%40s/real@2.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/a@1.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/d@1.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/m@0.1.0",
		"pkg:npm/d@1.0.0 -> pkg:npm/e@1.0.0",
		"pkg:npm/m@0.1.0 -> pkg:npm/b@2.0.0",
	)
	if !inv.Installed {
		t.Error("the inventory does not say that it is of what is installed")
	}
	a := component(t, inv, "pkg:npm/a@1.0.0")
	if len(a.Hashes) != 1 || a.Resolved != "https://registry.example/a/-/x-1.0.0.tgz" || a.License != "MIT" || a.Repository != "git+https://github.com/acme/a.git" {
		t.Errorf("a: %+v", a)
	}
	if got := a.Occurrences; len(got) != 2 || got[0].Path != "node_modules/a/package.json" || got[1].Path != "package-lock.json" || got[1].Line == 0 {
		t.Errorf("a stands at %v", got)
	}
	if e := component(t, inv, "pkg:npm/e@1.0.0"); !e.Bundled || !slices.Contains(e.Properties, sbom.Property{Name: PropertyInstallScript, Value: "true"}) {
		t.Errorf("e: %+v", e)
	}
	if b := component(t, inv, "pkg:npm/b@1.0.0"); !slices.Contains(b.Properties, sbom.Property{Name: PropertyInstallScript, Value: "true"}) {
		t.Errorf("b: %+v", b)
	}
	if c := component(t, inv, "pkg:npm/%40s/real@2.0.0"); !slices.Contains(c.Properties, sbom.Property{Name: PropertyAlias, Value: "nick"}) {
		t.Errorf("@s/real: %+v", c)
	}
	for _, in := range inv.Inputs {
		if in.Path == NodeModules && (in.Components != 6 || in.SHA256 == "") {
			t.Errorf("node_modules: %+v", in)
		}
	}
	// The lockfile says the same, but for what is left out on this system.
	before := scan(t, without(files, "node_modules/"))
	var same []string
	for _, e := range edges(before) {
		if !strings.Contains(e, "gone") {
			same = append(same, e)
		}
	}
	if d := cmp.Diff(same, edges(inv)); d != "" {
		t.Errorf("-lockfile +installed:\n%s", d)
	}
	for _, c := range inv.Components {
		if l := component(t, before, c.Ref); l.Scope != c.Scope || !slices.Equal(l.Hashes, c.Hashes) || l.Source != c.Source || l.Bundled != c.Bundled {
			t.Errorf("%s: by the lockfile %+v, installed %+v", c.Ref, l, c)
		}
	}
}

func without(files map[string]string, in string) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		if !strings.Contains(name, in) {
			out[name] = text
		}
	}
	return out
}

// Without a lockfile the disk alone tells.
func TestInstalledAlone(t *testing.T) {
	files := npmProject()
	delete(files, "package-lock.json")
	files["node_modules/extra/package.json"] = `{"name":"extra","version":"1.0.0"}`
	inv := scanInstalled(t, disk(files))
	wantProblems(t, inv)
	if c := component(t, inv, "pkg:npm/extra@1.0.0"); !c.Extraneous {
		t.Error("nobody asks for extra")
	}
	if c := component(t, inv, "pkg:npm/d@1.0.0"); c.Scope != sbom.Required || c.Hashes != nil || c.Source != "" { // a asks for it as a peer
		t.Errorf("d: %+v", c)
	}
}

// TestInstalledDiffers holds what is wrong with a tree.
func TestInstalledDiffers(t *testing.T) {
	tests := []struct {
		name   string
		change map[string]string // "" deletes what lies below
		want   []string
	}{
		{"another version", map[string]string{"node_modules/a/package.json": `{"name":"a","version":"1.0.1","dependencies":{"b":"1"}}`},
			[]string{`node_modules:0: invalid: "node_modules/a" is "a@1.0.1", where "package-lock.json" has "a@1.0.0"`}},
		{"another package", map[string]string{"node_modules/a/package.json": `{"name":"evil","version":"1.0.0"}`}, []string{
			`node_modules:0: invalid: "node_modules/a" is "evil@1.0.0", where "package-lock.json" has "a@1.0.0"`,
			`node_modules:0: invalid: "node_modules/a" holds "evil@1.0.0", which is not what the project asks for under this name`,
		}},
		{"another package under an alias", map[string]string{"node_modules/nick/package.json": `{"name":"nick","version":"2.0.0"}`}, []string{
			`node_modules:0: invalid: "node_modules/nick" is "nick@2.0.0", where "package-lock.json" has "@s/real@2.0.0"`,
			`node_modules:0: invalid: "node_modules/nick" holds "nick@2.0.0", which is not what the project asks for under this name`,
		}},
		{"missing", map[string]string{"node_modules/b": ""},
			[]string{`node_modules:0: invalid: "node_modules/b" ("b@1.0.0") is in "package-lock.json", and not installed`}},
		{"missing, without a lockfile", map[string]string{"node_modules/b": "", "package-lock.json": ""},
			[]string{`node_modules:0: invalid: "node_modules/a" depends on "b", which is not installed`}},
		{"a peer is missing, without a lockfile", map[string]string{"node_modules/d": "", "package-lock.json": ""}, []string{
			`node_modules:0: warning: "node_modules/a" needs the peer "d", which is not installed`,
			`node_modules:0: warning: it was installed without packages of the kind dev, so these are not listed`,
		}},
		{"too many", map[string]string{"node_modules/a/node_modules/b/package.json": `{"name":"b","version":"1.0.0"}`},
			[]string{`node_modules:0: invalid: "node_modules/a/node_modules/b" ("b@1.0.0") is installed, and not in "package-lock.json"`}},
		{"a link where a package should be", map[string]string{"node_modules/b/package.json": "", "node_modules/b": "-> ../packages/m"},
			[]string{`node_modules:0: invalid: "node_modules/b" is a link to "packages/m", where "package-lock.json" has "b@1.0.0"`,
				`node_modules:0: invalid: "packages/m" holds`}},
		{"a link elsewhere", map[string]string{"node_modules/m": "-> ../packages/n", "packages/n/package.json": `{"name":"m","version":"0.1.0"}`}, []string{
			`node_modules:0: invalid: "node_modules/m" leads to "packages/n", where "package-lock.json" has "packages/m"`,
		}},
		{"a folder where a link should be", map[string]string{"node_modules/m": "", "node_modules/m/package.json": `{"name":"m","version":"0.1.0"}`}, []string{
			`node_modules:0: invalid: "node_modules/m" is a folder, where "package-lock.json" has a link to "packages/m"`,
		}},
		{"nothing", map[string]string{"node_modules": "", "packages/m/node_modules": ""}, []string{
			`package.json:1: invalid: nothing is installed for this project: there is no node_modules beside it or above it`,
			`packages/m/package.json:1: invalid: nothing is installed for this project: there is no node_modules beside it or above it`,
		}},
		{"a project of which nobody has installed anything", map[string]string{"example/package.json": `{"name":"x","dependencies":{"a":"1"}}`}, []string{
			`example/package.json:1: invalid: nothing is installed for this project: there is no node_modules beside it or above it`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := npmProject()
			for name, text := range test.change {
				if text == "" {
					for have := range files {
						if have == name || strings.HasPrefix(have, name+"/") {
							delete(files, have)
						}
					}
				}
			}
			for name, text := range test.change {
				if text != "" {
					files[name] = text
				}
			}
			got := problems(scanInstalled(t, disk(files)))
			for _, want := range test.want {
				if !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, want) }) && !strings.HasSuffix(want, "holds") {
					t.Errorf("no problem %q\nbut %s", want, strings.Join(got, "\n"))
				}
			}
			if len(got) > len(test.want) {
				t.Errorf("%d problems: %s", len(got), strings.Join(got, "\n"))
			}
		})
	}
}

// A project that was installed for production is read in full, and says so.
func TestInstalledForProduction(t *testing.T) {
	files := npmProject()
	files["package.json"] = strings.ReplaceAll(files["package.json"], `"d":"1"`, `"d":"1","dev":"1"`)
	files["package-lock.json"] = lock(strings.Split(strings.ReplaceAll(strings.TrimSuffix(strings.SplitN(files["package-lock.json"], "\n", 2)[1], "\n}}\n"), `"d":"1"}`, `"d":"1","dev":"1"}`)+",\n"+
		locked("node_modules/dev", "1.0.0", `"dev":true`), ",\n")...)
	files["package-lock.json"] = strings.ReplaceAll(files["package-lock.json"], `"peerDependencies":{"d":"1","dev":"1"}`, `"peerDependencies":{"d":"1"}`)
	inv := scanInstalled(t, disk(files))
	wantProblems(t, inv, `node_modules:0: warning: it was installed without packages of the kind dev, so these are not listed`)
	if inv.Root.Coverage != sbom.IncompleteCoverage {
		t.Error("the root does not say that something is left out")
	}
}

// pnpm and Bun keep packages in a store, in which links say what each may load.
func TestInstalledStores(t *testing.T) {
	for store, suffix := range map[string]string{".pnpm": "(c@1.0.0)", ".bun": "+0123456789abcdef"} {
		t.Run(store, func(t *testing.T) {
			at := "node_modules/" + store + "/"
			a := at + "a@1.0.0" + suffix + "/node_modules/"
			files := map[string]string{
				"package.json":       `{"name":"app","version":"1.0.0","dependencies":{"a":"1","c":"1"}}`,
				"node_modules/a":     "-> " + store + "/a@1.0.0" + suffix + "/node_modules/a",
				"node_modules/c":     "-> " + store + "/c@1.0.0/node_modules/c",
				a + "a/package.json": `{"name":"a","version":"1.0.0","dependencies":{"@s/b":"1"},"peerDependencies":{"c":"1","other":"1"},"peerDependenciesMeta":{"other":{"optional":true}}}`,
				a + "@s/b":           "-> ../../../@s+b@1.0.0/node_modules/@s/b",
				a + "c":              "-> ../../c@1.0.0/node_modules/c",
				a + "wired":          "-> ../../wired@1.0.0/node_modules/wired",
				at + "@s+b@1.0.0/node_modules/@s/b/package.json":       `{"name":"@s/b","version":"1.0.0","dependencies":{"hoisted":"1"}}`,
				at + "c@1.0.0/node_modules/c/package.json":             `{"name":"c","version":"1.0.0"}`,
				at + "c@2.0.0/node_modules/c/package.json":             `{"name":"c","version":"2.0.0"}`,
				at + "other@1.0.0/node_modules/other/package.json":     `{"name":"other","version":"1.0.0"}`,
				at + "wired@1.0.0/node_modules/wired/package.json":     `{"name":"wired","version":"1.0.0"}`,
				at + "hoisted@1.0.0/node_modules/hoisted/package.json": `{"name":"hoisted","version":"1.0.0"}`,
				at + "node_modules/other":                              "-> ../other@1.0.0/node_modules/other",
				at + "node_modules/hoisted":                            "-> ../hoisted@1.0.0/node_modules/hoisted",
			}
			inv := scanInstalled(t, disk(files))
			wantProblems(t, inv)
			wantEdges(t, inv,
				"pkg:npm/%40s/b@1.0.0 -> pkg:npm/hoisted@1.0.0", // Node.js finds it so
				"pkg:npm/a@1.0.0 -> pkg:npm/%40s/b@1.0.0",
				"pkg:npm/a@1.0.0 -> pkg:npm/c@1.0.0",
				"pkg:npm/a@1.0.0 -> pkg:npm/wired@1.0.0",
				"pkg:npm/app@1.0.0 -> pkg:npm/a@1.0.0",
				"pkg:npm/app@1.0.0 -> pkg:npm/c@1.0.0",
			)
			for ref, extraneous := range map[string]bool{"pkg:npm/c@2.0.0": true, "pkg:npm/other@1.0.0": true, "pkg:npm/c@1.0.0": false} {
				if component(t, inv, ref).Extraneous != extraneous {
					t.Errorf("%s is extraneous: %v", ref, !extraneous)
				}
			}
		})
	}
}

// yarn's pnpm linker has the package itself beside the links to what it asks for.
func TestInstalledByYarnInAStore(t *testing.T) {
	inv := scanInstalled(t, disk(map[string]string{
		"web/package.json":   `{"name":"app","version":"1.0.0","dependencies":{"a":"1"}}`,
		"web/node_modules/a": "-> .store/a-npm-1.0.0-00/package",
		"web/node_modules/.store/a-npm-1.0.0-00/package/package.json": `{"name":"a","version":"1.0.0"}`,
		"web/node_modules/.store/a-npm-1.0.0-00/node_modules/b":       "-> ../../b-npm-1.0.0-00/package",
		"web/node_modules/.store/b-npm-1.0.0-00/package/package.json": `{"name":"b","version":"1.0.0"}`,
	}))
	wantProblems(t, inv)
	wantEdges(t, inv, "pkg:npm/a@1.0.0 -> pkg:npm/b@1.0.0", "pkg:npm/app@1.0.0 -> pkg:npm/a@1.0.0", "project -> pkg:npm/app@1.0.0")
	if c := component(t, inv, "pkg:npm/b@1.0.0"); slices.ContainsFunc(c.Properties, func(p sbom.Property) bool { return p.Name == PropertyAlias }) {
		t.Errorf("b: %v", c.Properties)
	}
}

// A lockfile that does not say where packages lie is compared by name and version.
func TestInstalledByName(t *testing.T) {
	files := map[string]string{
		"package.json":                     `{"name":"app","version":"1.0.0","dependencies":{"a":"1","b":"1","x":"1"},"optionalDependencies":{"o":"1"}}`,
		"yarn.lock":                        "# yarn lockfile v1\n\n" + classicEntry("a", "1.0.0") + classicEntry("b", "1.0.0") + classicEntry("o", "1.0.0") + classicEntry("x", "1.0.0"),
		"node_modules/.yarn-integrity":     "{}",
		"node_modules/a/package.json":      `{"name":"a","version":"1.0.0"}`,
		"node_modules/b/package.json":      `{"name":"b","version":"1.0.7"}`,
		"node_modules/extra/package.json":  `{"name":"extra","version":"1.0.0"}`,
		"node_modules/extra2/package.json": `{"name":"a","version":"1.0.0"}`,
	}
	inv := scanInstalled(t, disk(files))
	wantProblems(t, inv,
		`node_modules:0: invalid: "node_modules/b" is "b@1.0.7", where "yarn.lock" has "b@1.0.0"`,
		`node_modules:0: invalid: "node_modules/extra" ("extra@1.0.0") is installed, and not in "yarn.lock"`,
		`node_modules:0: invalid: "x@1.0.0" is in "yarn.lock", and not installed`,
	)
	if c := component(t, inv, "pkg:npm/a@1.0.0"); len(c.Hashes) != 1 {
		t.Errorf("a: %+v", c)
	}
	if c := component(t, inv, "pkg:npm/b@1.0.7"); len(c.Hashes) != 0 {
		t.Errorf("b has the hash of another version: %+v", c)
	}
}

func classicEntry(name, version string) string {
	return fmt.Sprintf("%s@1:\n  version %q\n  resolved \"https://registry.example/%s/-/%s-%s.tgz\"\n  integrity sha512-%s==\n\n", name, version, name, name, version, strings.Repeat("A", 86))
}

func TestInstalledPnP(t *testing.T) {
	data := `{"packageRegistryData":[
[null,[[null,{"packageLocation":"./","packageDependencies":[["a","virtual:00#npm:1.0.0"],["c",["real","npm:3.0.0"]]]}]]],
["app",[["workspace:.",{"packageLocation":"./","packageDependencies":[["a","virtual:00#npm:1.0.0"],["app","workspace:."],["c",["real","npm:3.0.0"]],["peer",null]]}]]],
["a",[["npm:1.0.0",{"packageLocation":"../cache/a.zip/node_modules/a/","packageDependencies":[["a","npm:1.0.0"]]}],
["virtual:00#npm:1.0.0",{"packageLocation":"./.yarn/__virtual__/a/0/cache/a.zip/node_modules/a/","packageDependencies":[["a","virtual:00#npm:1.0.0"],["b","patch:b@npm%3A1.0.0#x.patch::version=1.0.0&hash=00"]]}]]],
["b",[["patch:b@npm%3A1.0.0#x.patch::version=1.0.0&hash=00",{"packageLocation":"./.yarn/cache/b.zip/node_modules/b/","packageDependencies":[]}]]],
["real",[["npm:3.0.0",{"packageLocation":"./.yarn/cache/real.zip/node_modules/real/","packageDependencies":[]}]]]]}`
	files := map[string]string{
		"package.json":         `{"name":"app","version":"1.0.0","dependencies":{"a":"1","c":"npm:real@3"}}`,
		".pnp.cjs":             "throw new Error()",
		".pnp.data.json":       data,
		".yarn/cache/b.zip":    "",
		".yarn/cache/real.zip": "",
		".yarn/unplugged/x/node_modules/x/package.json": `{"name":"x","version":"1.0.0"}`,
	}
	inv := scanInstalled(t, disk(files))
	wantProblems(t, inv)
	wantEdges(t, inv,
		"pkg:npm/a@1.0.0 -> pkg:npm/b@1.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/a@1.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/real@3.0.0",
	)
	for _, test := range []struct {
		name, file, text, want string
	}{
		{"only a program", ".pnp.data.json", "", `.pnp.cjs:0: unsupported: what is installed stands in a program only, which is never run`},
		{"broken", ".pnp.data.json", data[:300], `.pnp.data.json:3: invalid: invalid JSON: the file ends too early`},
		{"no registry", ".pnp.data.json", "{}", `.pnp.data.json:1: invalid: no array "packageRegistryData", which the data of Plug'n'Play has`},
		{"no archive", ".yarn/cache/b.zip", "", `.pnp.data.json:6: invalid: ".yarn/cache/b.zip" cannot be read: file does not exist`},
		{"a foreign name", ".pnp.data.json", strings.ReplaceAll(data, `["b",[`, `["../b",[`), `.pnp.data.json:6: invalid: "../b" is no name of a package`},
		{"asks for more", "package.json", `{"name":"app","dependencies":{"a":"1","c":"npm:real@3","z":"1"}}`, `.pnp.data.json:0: invalid: the project depends on "z", which is not installed`},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := maps.Clone(files)
			if changed[test.file] = test.text; test.text == "" {
				delete(changed, test.file)
			}
			if got := problems(scanInstalled(t, disk(changed))); !slices.Contains(got, test.want) {
				t.Errorf("no problem %q, but %q", test.want, got)
			}
		})
	}
}

// TestInstalledHostile: whatever lies in a node_modules is told, bounded, and never
// followed out of the folder.
func TestInstalledHostile(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"out", map[string]string{"node_modules/x": "-> ../../x"}, `the link "node_modules/x" cannot be followed: it leads out of the checked folder`},
		{"absolute", map[string]string{"node_modules/x": "-> /etc"}, `the link "node_modules/x" cannot be followed: it leads out of the checked folder`},
		{"a scope out", map[string]string{"node_modules/@s": "-> ../../x"}, `"node_modules/@s" cannot be read: it leads out of the checked folder`},
		{"itself", map[string]string{"node_modules/x": "-> x"}, `the link "node_modules/x" cannot be followed: links lead in a circle`},
		{"two circles", map[string]string{"node_modules/x": "-> y/z", "node_modules/y": "-> x/z"}, `the link "node_modules/x" cannot be followed: links lead in a circle`},
		{"nowhere", map[string]string{"node_modules/x": "-> y"}, `the link "node_modules/x" cannot be followed: file does not exist`},
		{"the project itself", map[string]string{"node_modules/app": "-> .."}, ""},
		{"a file", map[string]string{"node_modules": "x"}, `"node_modules" cannot be read: it is no folder`},
		{"a pipe", map[string]string{"node_modules": "pipe"}, `"node_modules" cannot be read: it is no folder`},
		{"a link to it", map[string]string{"node_modules": "-> nm", "nm/a/package.json": `{"name":"a","version":"1.0.0"}`}, ""},
		{"a circle of it", map[string]string{"node_modules": "-> node_modules"}, `"node_modules" cannot be read: links lead in a circle`},
		{"a pipe in it", map[string]string{"node_modules/x": "pipe"}, `"node_modules/x" is neither a file nor a folder`},
		{"package.json is a pipe", map[string]string{"node_modules/x/package.json": "pipe"}, `"node_modules/x/package.json" cannot be read: it is no file`},
		{"package.json is missing", map[string]string{"node_modules/x/index.js": ""}, `"node_modules/x/package.json" cannot be read: file does not exist`},
		{"package.json is broken", map[string]string{"node_modules/x/package.json": "{\n"}, `"node_modules/x/package.json", line 2: invalid JSON: the file ends too early`},
		{"package.json is a list", map[string]string{"node_modules/x/package.json": "[]"}, `"node_modules/x/package.json", line 1: a package.json must be an object, not an array`},
		{"package.json is large", map[string]string{"node_modules/x/package.json": strings.Repeat(" ", maxInstalledFile+1)}, `"node_modules/x/package.json" cannot be read: it is larger than 16777216 bytes`},
		{"package.json is elsewhere", map[string]string{"node_modules/x/package.json": "-> ../../../x"}, `"node_modules/x/package.json" cannot be read: `},
		{"no name", map[string]string{"node_modules/x/package.json": `{"version":"1.0.0"}`}, `"node_modules/x" says that its name is "", which is no name of a package`},
		{"a strange name", map[string]string{"node_modules/x/package.json": `{"name":"../x\u001b[31m","version":"1.0.0"}`}, `"node_modules/x" says that its name is "../x\x1b[31m", which is no name of a package`},
		{"no version", map[string]string{"node_modules/x/package.json": `{"name":"x"}`}, `"node_modules/x" says no version of the form 1.2.3`},
		{"control characters", map[string]string{"node_modules/a\x1b[2Jb/package.json": `{"name":"x","version":"1.0.0"}`}, `"node_modules/a\x1b[2Jb" is no name of a package`},
		{"case", map[string]string{"node_modules/x/package.json": `{"name":"x","version":"1.0.0"}`, "node_modules/X/package.json": `{"name":"X","version":"1.0.0"}`},
			`"node_modules/X" and "node_modules/x" are the same folder where file names ignore case`},
		{"a file in place of a package", map[string]string{"node_modules/x.js": ""}, `"node_modules/x.js" is a file, which Node.js loads in place of a package`},
		{"a link to a file in place of a package", map[string]string{"node_modules/x": "-> ../package.json"}, `"node_modules/x" is a file, which Node.js loads in place of a package`},
		{"a text", map[string]string{"node_modules/README.md": ""}, ""},
		{"a password in the name of a command", map[string]string{"node_modules/x/package.json": `{"name":"x","version":"1.0.0","bin":{"https://u:sesame@h/":"x"}}`}, `the command "https://h/" is called like a version`},
		{"asks for a path", map[string]string{"node_modules/x/package.json": `{"name":"x","version":"1.0.0","dependencies":{"../../y":"1"}}`}, `"node_modules/x" asks for "../../y", which is no name of a package`},
		{"deep", map[string]string{strings.Repeat("node_modules/x/", maxNesting+1) + "package.json": "{}"}, fmt.Sprintf("more than %d packages inside of each other", maxNesting)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.files["package.json"] = `{"name":"app","version":"1.0.0"}`
			if strings.HasPrefix(test.name, "deep") {
				for n := 1; n <= maxNesting; n++ {
					test.files[strings.Repeat("node_modules/x/", n)+"package.json"] = `{"name":"x","version":"1.0.0"}`
				}
			}
			inv := scanInstalled(t, disk(test.files))
			got := strings.Join(problems(inv), "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("problems %q, want %q", got, test.want)
			}
			if inv.Incomplete() != (test.want != "") {
				t.Errorf("incomplete: %v", inv.Incomplete())
			}
		})
	}
}

// endless is a file system in which one folder never ends.
type endless struct{ fstest.MapFS }

func (e endless) Open(name string) (fs.File, error) {
	f, err := e.MapFS.Open(name)
	if name == NodeModules && err == nil {
		return &endlessFolder{f}, nil
	}
	return f, err
}

type endlessFolder struct{ fs.File }

func (endlessFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		return nil, io.ErrUnexpectedEOF // who asks for everything waits for ever
	}
	return slices.Repeat([]fs.DirEntry{fs.FileInfoToDirEntry(dotFile{})}, n), nil
}

type dotFile struct{}

func (dotFile) Name() string       { return ".x" }
func (dotFile) Size() int64        { return 0 }
func (dotFile) Mode() fs.FileMode  { return 0 }
func (dotFile) ModTime() time.Time { return time.Time{} }
func (dotFile) IsDir() bool        { return false }
func (dotFile) Sys() any           { return nil }

func TestInstalledLimit(t *testing.T) {
	inv := scanInstalled(t, endless{disk(map[string]string{"package.json": `{"name":"app","version":"1.0.0"}`, "node_modules/.x": ""})})
	wantProblems(t, inv, fmt.Sprintf("node_modules:0: invalid: more than %d files and folders are installed", maxInstalledEntries))
	if inv.Root.Coverage != sbom.IncompleteCoverage {
		t.Error("the root does not say that something is unknown")
	}
}

// A node_modules without a package.json is one of what is installed globally.
func TestInstalledGlobally(t *testing.T) {
	inv := scanInstalled(t, disk(map[string]string{
		"lib/node_modules/a/package.json": `{"name":"a","version":"1.0.0","dependencies":{"b":"1"}}`,
		"lib/node_modules/b/package.json": `{"name":"b","version":"1.0.0"}`,
	}))
	wantProblems(t, inv, `lib/node_modules:0: warning: there is no package.json beside it, so everything in it counts as asked for`)
	wantEdges(t, inv, "npm:lib -> pkg:npm/a@1.0.0", "npm:lib -> pkg:npm/b@1.0.0", "pkg:npm/a@1.0.0 -> pkg:npm/b@1.0.0", "project -> npm:lib")
}

// A lockfile with two packages of one name and version cannot say which is there.
func TestInstalledTwice(t *testing.T) {
	files := npmProject()
	files["package-lock.json"] = strings.Replace(files["package-lock.json"], "AAAA", "BBBB", 1) // of a
	inv := scanInstalled(t, disk(files))
	wantProblems(t, inv)
	if a, b := component(t, inv, "pkg:npm/a@1.0.0"), component(t, inv, "pkg:npm/b@1.0.0"); slices.Equal(a.Hashes, b.Hashes) {
		t.Error("a has the hash of b")
	}
}
