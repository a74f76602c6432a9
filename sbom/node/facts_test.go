package node

import (
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

// TestFacts says for each format which facts about a package come out of it, where the
// file holds all that its package manager writes. What a format cannot say is not made
// up. (The package.json beside it says what yarn leaves out, whether a is for
// development.)
func TestFacts(t *testing.T) {
	const (
		manifest = `{"name": "app", "version": "1.0.0", "dependencies": {"a": "1", "p": "1"}, "devDependencies": {"d": "1"}}`
		patched  = `{"name": "app", "version": "1.0.0", "dependencies": {"a": "patch:a@npm%3A1#./a.patch", "p": "1"}, "devDependencies": {"d": "1"}}`
		url      = "https://registry.example/a/-/a-1.0.0.tgz"
	)
	pnpmEntry := func(key, more string) string {
		return "\n  " + key + ":\n    resolution: {integrity: " + sri + ", tarball: " + url + "}\n    deprecated: old\n" + more
	}
	for _, tt := range []struct{ name, file, lock, manifest, want string }{
		{"npm 5 and 6", PackageLock, legacyLock(
			`"a": {"version": "1.0.0", "resolved": "`+url+`", "integrity": "`+sri+`", "requires": {"in": "1"}, "dependencies": {"in": {"version": "1.0.0", "bundled": true}}}`,
			`"d": {"version": "1.0.0", "dev": true}`, `"p": {"version": "1.0.0"}`),
			manifest, "hash url scope bundled line"},
		{"npm 7 and newer", PackageLock, lock(
			`"": {"name": "app", "version": "1.0.0", "dependencies": {"a": "1", "p": "1"}, "devDependencies": {"d": "1"}}`,
			`"node_modules/a": {"version": "1.0.0", "resolved": "`+url+`", "integrity": "`+sri+`", "license": "MIT", "deprecated": "old", "hasInstallScript": true, "dependencies": {"in": "1"}, "bundleDependencies": ["in"], "peerDependencies": {"p": "1"}}`,
			`"node_modules/a/node_modules/in": {"version": "1.0.0", "inBundle": true}`, `"node_modules/d": {"version": "1.0.0", "dev": true}`, `"node_modules/p": {"version": "1.0.0"}`),
			manifest, "hash url scope licence deprecated script peers bundled line"},
		{"yarn 1", YarnLock, classicLock("a@1:\n  version \"1.0.0\"\n  resolved \""+url+"#"+hundred+"\"\n  integrity "+sri+"\n", "d@1:\n  version \"1.0.0\"\n", "p@1:\n  version \"1.0.0\"\n"),
			manifest, "hash url scope line"},
		{"yarn 2 and newer", YarnLock, berryLock(berryRoot("a: \"patch:a@npm%3A1#./a.patch\"", "d: \"npm:1\"", "p: \"npm:1\""),
			berryEntry("a@npm:1", "1.0.0", "a@npm:1.0.0::__archiveUrl="+strings.NewReplacer(":", "%3A", "/", "%2F").Replace(url), "peerDependencies:\n    p: 1", "checksum: 10c0/"+sriHex),
			berryEntry("a@patch:a@npm%3A1#./a.patch::locator=app%40workspace%3A.", "1.0.0", "a@patch:a@npm%3A1.0.0%3A%3A__archiveUrl="+strings.NewReplacer(":", "%253A", "/", "%252F").Replace(url)+"#./a.patch::version=1.0.0&hash=0&locator=app%40workspace%3A."),
			berryEntry("d@npm:1", "1.0.0", "d@npm:1.0.0"), berryEntry("p@npm:1", "1.0.0", "p@npm:1.0.0")),
			patched, "url scope patch line"},
		{"pnpm 5", PNPMLock, "lockfileVersion: 5.4\nspecifiers: {a: '1', d: '1', p: '1'}\ndependencies: {a: 1.0.0_p@1.0.0, p: 1.0.0}\ndevDependencies: {d: 1.0.0}\npatchedDependencies:\n  a@1.0.0: {hash: x, path: a.patch}\npackages:" +
			pnpmEntry("/a/1.0.0_p@1.0.0", "    requiresBuild: true\n    patched: true\n    peerDependencies: {p: '1'}\n    dependencies: {p: 1.0.0}\n") +
			"  /d/1.0.0: {resolution: {integrity: " + sri + "}, dev: true}\n  /p/1.0.0: {resolution: {integrity: " + sri + "}}\n",
			manifest, "hash url scope deprecated script patch peers line"},
		{"pnpm 6", PNPMLock, "lockfileVersion: '6.0'\ndependencies:\n  a: {specifier: '1', version: 1.0.0(patch_hash=x)(p@1.0.0)}\n  p: {specifier: '1', version: 1.0.0}\ndevDependencies:\n  d: {specifier: '1', version: 1.0.0}\npatchedDependencies:\n  a@1.0.0: {hash: x, path: a.patch}\npackages:" +
			pnpmEntry("/a@1.0.0(patch_hash=x)(p@1.0.0)", "    requiresBuild: true\n    patched: true\n    peerDependencies: {p: '1'}\n    dependencies: {p: 1.0.0}\n") +
			"  /d@1.0.0: {resolution: {integrity: " + sri + "}, dev: true}\n  /p@1.0.0: {resolution: {integrity: " + sri + "}}\n",
			manifest, "hash url scope deprecated script patch peers line"},
		{"pnpm 9", PNPMLock, "lockfileVersion: '9.0'\npatchedDependencies:\n  a@1.0.0: {hash: x, path: a.patch}\nimporters:\n  .:\n    dependencies:\n      a: {specifier: '1', version: 1.0.0(patch_hash=x)(p@1.0.0)}\n      p: {specifier: '1', version: 1.0.0}\n    devDependencies:\n      d: {specifier: '1', version: 1.0.0}\npackages:" +
			pnpmEntry("a@1.0.0", "    peerDependencies: {p: '1'}\n") + "  d@1.0.0: {resolution: {integrity: " + sri + "}}\n  p@1.0.0: {resolution: {integrity: " + sri +
			"}}\nsnapshots:\n  a@1.0.0(patch_hash=x)(p@1.0.0):\n    dependencies: {p: 1.0.0}\n  d@1.0.0: {}\n  p@1.0.0: {}\n",
			manifest, "hash url scope deprecated patch peers line"},
		{"Bun", BunLock, strings.Replace(bunLock(`"dependencies": {"a": "1", "p": "1"}, "devDependencies": {"d": "1"}`,
			`"a": ["a@1.0.0", "`+url+`", {"dependencies": {"in": "1"}, "peerDependencies": {"p": "1"}}, "`+sri+`"]`, `"d": ["d@1.0.0", "", {}, "`+sri+`"]`, `"p": ["p@1.0.0", "", {}, "`+sri+`"]`, `"a/in": ["in@1.0.0", "", {"bundled": true}, "`+sri+`"]`),
			`"packages"`, "\"patchedDependencies\": {\"a@1.0.0\": \"a.patch\"},\n  \"packages\"", 1),
			manifest, "hash url scope patch peers bundled line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inv := scan(t, map[string]string{tt.file: tt.lock, Manifest: tt.manifest})
			if inv.Incomplete() {
				t.Fatal(problems(inv))
			}
			if got := facts(t, inv); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// facts names what is known of a, and of what it brings along and asks for.
func facts(t *testing.T, inv *sbom.Inventory) string {
	t.Helper()
	a := component(t, inv, "pkg:npm/a@1.0.0")
	has := func(name string) bool {
		return slices.ContainsFunc(a.Properties, func(p sbom.Property) bool { return p.Name == name })
	}
	in := inv.Component("pkg:npm/in@1.0.0")
	var out []string
	for _, fact := range []struct {
		name  string
		known bool
	}{
		{"hash", len(a.Hashes) > 0},
		{"url", a.Resolved != ""},
		{"scope", a.Scope == sbom.Required && component(t, inv, "pkg:npm/d@1.0.0").Scope == sbom.Excluded},
		{"licence", a.License != ""},
		{"deprecated", has(PropertyDeprecated)},
		{"script", has(PropertyInstallScript)},
		{"patch", len(a.Patches) > 0},
		{"peers", slices.Contains(inv.Edges[a.Ref], "pkg:npm/p@1.0.0")},
		{"bundled", in != nil && in.Source == sbom.FromParent},
		{"line", len(a.Occurrences) > 0 && a.Occurrences[0].Line > 0},
	} {
		if fact.known {
			out = append(out, fact.name)
		}
	}
	return strings.Join(out, " ")
}
