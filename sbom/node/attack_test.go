package node

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"
)

func quoteJSON(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const smallLock = `{"name": "app", "lockfileVersion": 3, "packages": {"": {"name": "app"}}}`

// Two files whose names differ by case are two files here and one elsewhere.
func TestNamesThatDifferByCase(t *testing.T) {
	inv := scan(t, map[string]string{"package.json": `{}`, "NPM-shrinkwrap.json": smallLock, "package-lock.json": lock(`"": {}`, `"node_modules/a": {"version": "1.0.0"}`)})
	wantProblems(t, inv, "NPM-shrinkwrap.json:0: warning: …ignore the case", "package-lock.json:0: warning: npm ignores this file")
	if len(inv.Components) != 0 {
		t.Error("the lockfile that macOS and Windows ignore is read")
	}
	for _, odd := range []string{"Package-Lock.json", "package-lock.JSON"} { // before and after the exact name
		inv = scan(t, map[string]string{odd: smallLock, "package-lock.json": lock(`"": {}`, `"node_modules/a": {"version": "1.0.0"}`)})
		if got := strings.Join(problems(inv), "\n"); !strings.Contains(got, odd+":0: invalid: there is another package-lock.json") {
			t.Errorf("problems: %s", got)
		}
		if len(inv.Components) != 1 {
			t.Errorf("%s counts before the exact name", odd)
		}
	}
}

// A lockfile cannot say of itself that it covers another folder: npm asks
// package.json.
func TestWorkspacesOfTheLockfileAlone(t *testing.T) {
	files := func(root string) map[string]string {
		return map[string]string{
			"package-lock.json": lock(
				`"": {"name": "app", "workspaces": ["sub"]}`,
				`"sub": {"name": "sub", "version": "1.0.0", "dependencies": {"a": "1.0.0"}}`,
				`"node_modules/sub": {"resolved": "sub", "link": true}`,
				`"node_modules/a": {"version": "1.0.0"}`),
			"sub/package.json":      `{"name": "sub", "version": "1.0.0", "dependencies": {"a": "1.0.0"}}`,
			"sub/package-lock.json": lock(`"": {"name": "sub", "dependencies": {"a": "1.0.0"}}`, `"node_modules/a": {"version": "6.6.6"}`),
			"package.json":          root,
		}
	}
	const hidden = "pkg:npm/a@6.6.6"
	inv := scan(t, files(`{"name": "app"}`))
	if got := problems(inv); len(got) == 0 || !strings.HasPrefix(got[0], "package-lock.json:3: invalid: package.json and the lockfile differ in whether") {
		t.Errorf("problems: %s", got)
	}
	component(t, inv, hidden)

	none := files("")
	delete(none, "package.json")
	component(t, scan(t, none), hidden)

	inv = scan(t, files(`{"name": "app", "workspaces": {"packages": ["s*"]}}`))
	wantProblems(t, inv, "sub/package-lock.json:0: warning: npm ignores this lockfile")
	if inv.Component(hidden) != nil {
		t.Error("a lockfile that npm ignores is read")
	}
}

func TestNamedLockfileBesideShrinkwrap(t *testing.T) {
	for file, want := range map[string]int{"package-lock.json": 1, "npm-Shrinkwrap.json": 1, "copy.json": 0} {
		tree := fstest.MapFS{"package-lock.json": {Data: []byte(smallLock)}, "npm-Shrinkwrap.json": {Data: []byte(smallLock)}, "copy.json": {Data: []byte(smallLock)}}
		inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree, File: file}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := problems(inv); len(got) != want {
			t.Errorf("%s: %s", file, got)
		}
	}
}

// The verdicts are those of `npm ci`.
func TestOverrides(t *testing.T) {
	const git = "0123456789abcdef0123456789abcdef01234567"
	lockfile := lock(
		`"": {"name": "app", "dependencies": {"a": "^1.0.0", "b": "^1.0.0", "g": "o/g", "t": "https://files.example/t.tgz"}}`,
		`"node_modules/a": {"version": "1.2.0", "dependencies": {"c": "^1.0.0"}}`,
		`"node_modules/b": {"version": "1.0.0", "dependencies": {"c": "^2.0.0", "x": "npm:real@1.0.0"}}`,
		`"node_modules/c": {"version": "1.5.0", "dependencies": {"d": "*"}}`,
		`"node_modules/d": {"version": "1.0.0"}`,
		`"node_modules/x": {"name": "real", "version": "1.0.0"}`,
		`"node_modules/g": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/o/g.git#`+git+`"}`,
		`"node_modules/t": {"version": "1.0.0", "resolved": "https://files.example/t.tgz"}`,
		`"node_modules/b/node_modules/c": {"version": "2.0.0", "dependencies": {"d": "*"}}`,
	)
	for _, tc := range []struct {
		overrides string
		fits      bool
	}{
		{`{}`, true},
		{`{"c": "npm:evil@1.5.0"}`, false},
		{`{"c": "1.5.0"}`, false}, // and b's copy is another
		{`{"c@1": "1.5.0"}`, true},
		{`{"c@1": "1.5.1"}`, false},
		{`{"c@9": "1.5.1"}`, true},
		{`{"d": "1.0.0"}`, true},
		{`{"d": ""}`, true},
		{`{"d": "*"}`, true},
		{`{"d": "latest"}`, true},
		{`{"d": "https://evil.example/d.tgz"}`, false},
		{`{"d": "evil/d"}`, false},
		{`{"d": "file:./evil"}`, false},
		{`{"t": "https://files.example/t.tgz"}`, true},
		{`{"t": "https://files.example/evil.tgz"}`, false},
		{`{"g": "github:o/g"}`, true},
		{`{"g": "github:evil/g"}`, false},
		{`{"x": "npm:real@^1"}`, true},
		{`{"x": "npm:evil@1.0.0"}`, false},
		{`{"x": "1.0.0"}`, false},
		{`{"a": "$a"}`, true},
		{`{"a": "$b"}`, true}, // both ask for ^1.0.0
		{`{"a": "$nothing"}`, false},
		{`{"a": {"d": "2.0.0"}}`, false},
		{`{"a": {"c": "2.0.0"}}`, false},
		{`{"b": {"c": "2.0.0"}}`, true},
		{`{"b": {"c": "2.0.0"}, "c": "1.5.0"}`, true},
		{`{"a": {".": "1.2.0", "c": {"d": "1.0.0"}}, "gone": {"d": "9.9.9"}}`, true},
		{`{"a": {".": "1.1.0"}}`, false},
		{`{"a@^1": {"c": "1.5.0"}}`, true},
		{`{"a": 1}`, false},
		{`{"a b": "1"}`, false},
		{`["a"]`, false},
	} {
		inv := scan(t, map[string]string{
			"package.json":      `{"name": "app", "dependencies": {"a": "^1.0.0", "b": "^1.0.0", "g": "o/g", "t": "https://files.example/t.tgz"}, "overrides": ` + tc.overrides + `}`,
			"package-lock.json": lockfile,
		})
		if got := problems(inv); (len(got) == 0) != tc.fits {
			t.Errorf("%s: problems %s", tc.overrides, got)
		}
	}
}

// npx runs a command of the project before it asks the registry.
func TestCommandsCalledLikeVersions(t *testing.T) {
	for _, tc := range []struct {
		manifest string
		bad      bool
		commands string
	}{
		{`{"name": "app", "bin": {"b": "x.js", "app": "x.js"}}`, false, "app b"},
		{`{"name": "@s/app", "bin": "x.js"}`, false, "app"},
		{`{"name": "app", "bin": {"@s/tool": "x.js"}}`, false, "tool"},
		{`{"name": "app", "bin": {"sigstore@1.3.0": "evil.js"}}`, true, ""},
		{`{"name": "app", "bin": {"x\\sigstore@1.3.0": "evil.js"}}`, true, ""},
		{`{"name": "app", "bin": ["./sigstore@1.3.0"]}`, true, ""},
		{`{"name": "sigstore@1.3.0", "bin": "evil.js"}`, true, ""},
		{`{"name": "app", "directories": {"bin": "../cmd"}}`, true, ""},
		{`{"name": "app", "directories": {"bin": "good"}}`, false, "run"},
		{`{"name": "app", "directories": {"bin": "gone"}}`, false, ""},
	} {
		inv := scan(t, map[string]string{"package.json": tc.manifest, "cmd/deep/sigstore@1.3.0": "", "good/run": ""})
		invalid := strings.Contains(strings.Join(problems(inv), "\n"), "invalid: the command")
		if invalid != tc.bad {
			t.Errorf("%s: problems %s", tc.manifest, problems(inv))
		}
		var commands []string
		for _, p := range inv.Root.Properties {
			commands = append(commands, p.Value)
		}
		if got := strings.Join(commands, " "); !tc.bad && got != tc.commands {
			t.Errorf("%s: commands %s", tc.manifest, got)
		}
	}
	inv := scan(t, map[string]string{"package-lock.json": lock(`"": {"dependencies": {"a": "1"}}`, `"node_modules/a": {"version": "1.0.0", "bin": {"sigstore@1.3.0": "evil.js"}}`)})
	wantProblems(t, inv, "package-lock.json:3: invalid: the command …")
}
