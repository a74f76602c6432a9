package node

import (
	"regexp"
	"strings"
	"testing"

	"countermark/sbom"
)

// marked matches a password where one belongs: in the userinfo of a URL.
var marked = regexp.MustCompile(`[a-z]://hunter2@`)

// FuzzReader feeds a lockfile and a package.json of a stranger. Nothing panics,
// two runs say the same, a file that is no JSON is never called complete, and no
// password of a URL comes out again.
func FuzzReader(f *testing.F) {
	f.Add(lock(`"": {"name": "app", "version": "1.0.0", "workspaces": ["p/*"], "dependencies": {"a": "git+https://hunter2@host.example/a.git", "b": "npm:c@1"}}`,
		`"node_modules/a": {"version": "1.0.0", "resolved": "git+https://hunter2@host.example/a.git#0123456789abcdef0123456789abcdef01234567", "license": "https://hunter2@host.example/"}`,
		`"node_modules/b": {"name": "c", "version": "1.0.0", "integrity": "`+sri+`", "bundleDependencies": ["d"]}`,
		`"node_modules/b/node_modules/d": {"version": "1.0.0", "inBundle": true}`,
		`"p/m": {"version": "1.0.0"}`,
		`"node_modules/m": {"resolved": "p/m", "link": true}`), `{"name": "app", "dependencies": {"a": "https://hunter2@host.example/a.tgz"}}`)
	f.Add("", `{"dependencies": {"a": "https://hunter2@host.example/a.tgz", "b": "git+ssh://hunter2@host.example/b", "https://hunter2@host.example": "1"}, "license": [{"type": "x"}]}`)
	f.Add("\ufeff{\"lockfileVersion\": 2, \"packages\": {\"../a\": {}, \"\": []", `[`)
	for _, seed := range realSeeds(f, PackageLock, "monorepo/package-lock.json.gz") {
		f.Add(seed, `{"name": "app", "dependencies": {"a": "^1.0.0"}}`)
	}
	f.Fuzz(func(t *testing.T, locked, manifest string) {
		files := map[string]string{"sub/package.json": manifest}
		if locked != "" {
			files["package-lock.json"], files["package.json"] = locked, manifest
		}
		inv := scan(t, files)
		text := dump(t, inv)
		if dump(t, scan(t, files)) != text {
			t.Error("two runs differ")
		}
		if locked != "" && parseJSON([]byte(locked)).err != nil && !inv.Incomplete() {
			t.Error("a broken lockfile is called complete")
		}
		for _, c := range inv.Components {
			if c.Ref == "" || c.Source == sbom.FromRegistry && c.Version == "" && !inv.Incomplete() {
				t.Errorf("%+v", c)
			}
		}
		input := locked + "\n" + manifest
		if strings.Count(input, "hunter2") == len(marked.FindAllString(input, -1)) && strings.Contains(text, "hunter2") {
			t.Errorf("a password comes out again:\n%s", text)
		}
	})
}

// FuzzLegacy feeds a stranger's lockfile of npm 6, as FuzzReader does one of a
// newer npm.
func FuzzLegacy(f *testing.F) {
	f.Add(legacyLock(`"a": {"version": "git+https://hunter2@host.example/a.git#0123456789abcdef0123456789abcdef01234567", "requires": {"b": "1"}, "dependencies": {"b": {"version": "1.0.0", "bundled": true}}}`,
		`"c": {"version": "npm:d@1.0.0", "resolved": "https://hunter2@host.example/d.tgz", "integrity": "`+sri+`", "dev": true}`,
		`"e": {"version": "file:e", "requires": {"c": "*"}, "dependencies": {"c": {"version": "https://hunter2@host.example/c.tgz"}}}`), `{"dependencies": {"a": "https://hunter2@host.example/a.tgz", "e": "file:e"}}`)
	for _, seed := range []string{string(gunzip(f, "legacy/package-lock.json.gz")[:seedSize]), `{"lockfileVersion": 1, "requires": true, "dependencies": {"a": {"version": "1.0.0", "dependencies": {"a"`} {
		f.Add(seed, `{"dependencies": {"a": "^1.0.0"}}`)
	}
	f.Fuzz(func(t *testing.T, locked, manifest string) {
		checkFuzzed(t, map[string]string{PackageLock: locked, Manifest: manifest}, locked+"\n"+manifest, parseJSON([]byte(locked)).err != nil)
	})
}

// FuzzBun feeds a stranger's bun.lock.
func FuzzBun(f *testing.F) {
	f.Add(bunLock(`"dependencies": {"a": "^1.0.0", "g": "git+https://hunter2@host.example/g.git"}`,
		`"a": ["a@1.0.0", "https://hunter2@host.example/a.tgz", {"dependencies": {"b": "1"}, "peerDependencies": {"c": "*"}, "optionalPeers": ["c"]}, "`+sri+`"]`,
		`"a/b": ["b@1.0.0", "", {"bundled": true, "os": "linux"}, ""]`,
		`"g": ["g@git+https://hunter2@host.example/g.git#0123456", {}, "tag"]`,
		`"t": ["t@https://hunter2@host.example/t.tgz", {}]`), `{"dependencies": {"a": "^1.0.0"}}`)
	for _, seed := range realSeeds(f, BunLock, "bun/bun.lock.gz") {
		f.Add(seed, `{"name": "app", "dependencies": {"a": "^1.0.0"}, "overrides": {"a": "1"}, "catalog": {"a": "2"}}`)
	}
	f.Fuzz(func(t *testing.T, locked, manifest string) {
		checkFuzzed(t, map[string]string{BunLock: locked, Manifest: manifest}, locked+"\n"+manifest, parseJSONC([]byte(locked)).err != nil)
	})
}

// checkFuzzed: two runs say the same, a broken file is never called complete, and
// no password of a URL comes out again.
func checkFuzzed(t *testing.T, files map[string]string, input string, broken bool) {
	t.Helper()
	inv := scan(t, files)
	text := dump(t, inv)
	if dump(t, scan(t, files)) != text {
		t.Error("two runs differ")
	}
	if broken && !inv.Incomplete() {
		t.Error("a broken lockfile is called complete")
	}
	for _, c := range inv.Components {
		if c.Ref == "" || c.Source == sbom.FromRegistry && c.Version == "" && !inv.Incomplete() {
			t.Errorf("%+v", c)
		}
	}
	if strings.Count(input, "hunter2") == len(marked.FindAllString(input, -1)) && strings.Contains(text, "hunter2") {
		t.Errorf("a password comes out again:\n%s", text)
	}
}
