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
