package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"countermark/sbom"
)

// scan reads a tree of files, given as path → content.
func scan(t testing.TB, files map[string]string) *sbom.Inventory {
	t.Helper()
	tree := fstest.MapFS{}
	for name, content := range files {
		tree[name] = &fstest.MapFile{Data: []byte(content)}
	}
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// lock returns a lockfile with these entries, one a line from line 2 on.
func lock(entries ...string) string {
	return `{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {` + "\n" +
		strings.Join(entries, ",\n") + "\n}}\n"
}

// problems returns all problems, each as "path:line: code: message".
func problems(inv *sbom.Inventory) []string {
	var out []string
	for _, in := range inv.Inputs {
		for _, p := range in.Problems {
			out = append(out, fmt.Sprintf("%s:%d: %s: %s", in.Path, p.Line, p.Code, p.Message))
		}
	}
	return out
}

// wantProblems demands exactly these problems; each want is a prefix, or a prefix
// and a part of the message with "…" between.
func wantProblems(t *testing.T, inv *sbom.Inventory, want ...string) {
	t.Helper()
	got := problems(inv)
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		head, part, _ := strings.Cut(want[i], "…")
		ok = strings.HasPrefix(got[i], head) && strings.Contains(got[i], part)
	}
	if !ok {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func edges(inv *sbom.Inventory) []string {
	var out []string
	for _, from := range slices.Sorted(maps.Keys(inv.Edges)) {
		for _, to := range inv.Edges[from] {
			out = append(out, from+" -> "+to)
		}
	}
	return out
}

func wantEdges(t *testing.T, inv *sbom.Inventory, want ...string) {
	t.Helper()
	if diff := gocmp.Diff(want, edges(inv)); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func component(t *testing.T, inv *sbom.Inventory, ref string) *sbom.Component {
	t.Helper()
	c := inv.Component(ref)
	if c == nil {
		var refs []string
		for _, c := range inv.Components {
			refs = append(refs, c.Ref)
		}
		t.Fatalf("no component %s among %s", ref, strings.Join(refs, ", "))
	}
	return c
}

const (
	sri    = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
	sriHex = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
)

func TestReadPackage(t *testing.T) {
	inv := scan(t, map[string]string{"package-lock.json": lock(
		`"": {"name": "app", "version": "1.0.0", "license": "MIT", "dependencies": {"@s/old": "npm:@s/real@^1"}}`,
		`  "node_modules/@s/old": {"name": "@s/real", "version": "1.2.3", "resolved": "https://user:hunter2@registry.example/@s/real/-/real-1.2.3.tgz?token=hunter2", "integrity": "`+sri+`", "license": "ISC", "optional": true}`,
	)})
	wantProblems(t, inv)
	want := &sbom.Component{
		Ref: "pkg:npm/%40s/real@1.2.3", Type: sbom.Library, Ecosystem: sbom.NPM, Name: "@s/real", Version: "1.2.3",
		PURL: "pkg:npm/%40s/real@1.2.3", Scope: sbom.Optional, Source: sbom.FromRegistry,
		Hashes:   []sbom.Hash{{Algorithm: "sha512", Value: sriHex}},
		Resolved: "https://registry.example/@s/real/-/real-1.2.3.tgz", License: "ISC",
		Distribution: sbom.Distribution{
			Host: "https://registry.example", Name: "@s/real", Version: "1.2.3", Doubt: "a user name stands before its host",
		},
		Coverage: sbom.CompleteCoverage, Origin: sbom.OriginDirect,
		Occurrences: []sbom.Occurrence{{Path: "package-lock.json", Line: 3, Column: 3, Install: "node_modules/@s/old"}},
		Properties: []sbom.Property{
			{Name: "cdx:npm:package:path", Value: "node_modules/@s/old"},
			{Name: "countermark:npm:alias", Value: "@s/old"},
		},
	}
	if diff := gocmp.Diff([]*sbom.Component{want}, inv.Components); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	root := &sbom.Component{
		Ref: "pkg:npm/app@1.0.0", Type: sbom.Application, Ecosystem: sbom.NPM, Name: "app", Version: "1.0.0",
		PURL: "pkg:npm/app@1.0.0", Scope: sbom.Required, Source: sbom.FromProject, License: "MIT", Coverage: sbom.CompleteCoverage,
		Occurrences: []sbom.Occurrence{{Path: "package-lock.json", Line: 2, Column: 1}},
	}
	if diff := gocmp.Diff(root, inv.Root); diff != "" {
		t.Errorf("root (-want +got):\n%s", diff)
	}
}

func TestResolution(t *testing.T) {
	for _, tc := range []struct {
		name     string
		entries  []string
		edges    []string
		problems []string
	}{
		{
			name: "the nearest copy wins",
			entries: []string{
				`"": {"dependencies": {"a": "1", "b": "1"}}`,
				`"node_modules/a": {"version": "1.0.0", "dependencies": {"b": "2", "c": "1"}}`,
				`"node_modules/a/node_modules/b": {"version": "2.0.0", "dependencies": {"c": "1"}}`,
				`"node_modules/b": {"version": "1.0.0", "dependencies": {"c": "1"}}`,
				`"node_modules/c": {"version": "1.0.0"}`,
			},
			edges: []string{
				"pkg:npm/a@1.0.0 -> pkg:npm/b@2.0.0", "pkg:npm/a@1.0.0 -> pkg:npm/c@1.0.0",
				"pkg:npm/b@1.0.0 -> pkg:npm/c@1.0.0", "pkg:npm/b@2.0.0 -> pkg:npm/c@1.0.0",
				"project -> pkg:npm/a@1.0.0", "project -> pkg:npm/b@1.0.0",
			},
		},
		{
			name: "only the project's own packages have development dependencies",
			entries: []string{
				`"": {"devDependencies": {"a": "1"}}`,
				`"node_modules/a": {"version": "1.0.0", "devDependencies": {"gone": "1"}}`,
			},
			edges: []string{"project -> pkg:npm/a@1.0.0"},
		},
		{
			name: "what may miss and what may not",
			entries: []string{
				`"": {"dependencies": {"a": "1"}}`,
				`"node_modules/a": {"version": "1.0.0", "optionalDependencies": {"o": "1"}, "peerDependencies": {"p": "1", "q": "1"}, "peerDependenciesMeta": {"q": {"optional": true}, "r": {"optional": true}},` + "\n" +
					` "dependencies": {"o": "1", "d": "1"}}`,
			},
			edges: []string{"project -> pkg:npm/a@1.0.0"},
			problems: []string{
				`package-lock.json:3: warning: "node_modules/a" needs the peer "p"`,
				`package-lock.json:4: invalid: "node_modules/a" depends on "d"`,
			},
		},
		{
			name: "peers resolve upwards",
			entries: []string{
				`"": {"dependencies": {"a": "1"}}`,
				`"node_modules/a": {"version": "1.0.0", "peerDependencies": {"p": "1"}}`,
				`"node_modules/p": {"version": "1.0.0", "peer": true}`,
			},
			edges: []string{"pkg:npm/a@1.0.0 -> pkg:npm/p@1.0.0", "project -> pkg:npm/a@1.0.0"},
		},
		{
			name: "links resolve from where their target stands",
			entries: []string{
				`"": {"workspaces": ["packages/*"], "dependencies": {"out": "file:../out"}}`,
				`"../out": {"version": "3.0.0", "dependencies": {"b": "3"}, "devDependencies": {"b": "3"}}`,
				`"../out/node_modules/b": {"version": "3.0.0"}`,
				`"node_modules/@acme/a": {"resolved": "packages/a", "link": true}`,
				`"node_modules/b": {"version": "1.0.0"}`,
				`"node_modules/out": {"resolved": "../out", "link": true}`,
				`"packages/a": {"name": "@acme/a", "version": "1.0.0", "dependencies": {"b": "2", "out": "*"}, "devDependencies": {"c": "1"}}`,
				`"packages/a/node_modules/b": {"version": "2.0.0"}`,
				`"node_modules/c": {"version": "1.0.0", "dev": true, "dependencies": {"b": "1"}}`,
			},
			edges: []string{
				"pkg:npm/%40acme/a@1.0.0 -> pkg:npm/b@2.0.0", "pkg:npm/%40acme/a@1.0.0 -> pkg:npm/c@1.0.0", "pkg:npm/%40acme/a@1.0.0 -> pkg:npm/out@3.0.0",
				"pkg:npm/c@1.0.0 -> pkg:npm/b@1.0.0", "pkg:npm/out@3.0.0 -> pkg:npm/b@3.0.0",
				"project -> pkg:npm/%40acme/a@1.0.0", "project -> pkg:npm/out@3.0.0",
			},
		},
		{
			name: "a link below a link, and a link to the project itself",
			entries: []string{
				`"": {"dependencies": {"self": "file:.", "b": "1"}}`,
				`"node_modules/self": {"resolved": "", "link": true}`,
				`"node_modules/self/node_modules/b": {"version": "2.0.0"}`,
				`"node_modules/b": {"version": "1.0.0", "dependencies": {"self": "*"}}`,
			},
			edges:    []string{"pkg:npm/b@1.0.0 -> project", "project -> pkg:npm/b@1.0.0"},
			problems: []string{`package-lock.json:4: warning: nothing asks for "node_modules/self/node_modules/b" (one of 1 such packages)`},
		},
		{
			name: "links that lead nowhere",
			entries: []string{
				`"": {"dependencies": {"a": "file:a", "b": "file:b"}}`,
				`"node_modules/a": {"resolved": "a", "link": true}`,
				`"node_modules/b": {"link": true}`,
			},
			problems: []string{
				`package-lock.json:3: invalid: the target of the link "node_modules/a"`,
				`package-lock.json:4: invalid: the link "node_modules/b" has no target`,
			},
		},
		{
			name: "names differ by case",
			entries: []string{
				`"": {"dependencies": {"jsonstream": "1"}}`,
				`"node_modules/JSONStream": {"version": "1.0.0"}`,
				`"node_modules/jsonstream": {"version": "2.0.0"}`,
				`"node_modules/jsonstream/node_modules/B": {"version": "1.0.0"}`,
			},
			edges:    []string{"project -> pkg:npm/jsonstream@2.0.0"},
			problems: []string{`package-lock.json:4: invalid: "node_modules/JSONStream" and "node_modules/jsonstream" are the same folder`, `package-lock.json:3: warning: nothing asks for "node_modules/JSONStream" (one of 2 `},
		},
		{
			name: "asked for by another case",
			entries: []string{
				`"": {"dependencies": {"jsonstream": "1"}}`,
				`"node_modules/JSONStream": {"version": "1.0.0"}`,
			},
			edges:    []string{"project -> pkg:npm/JSONStream@1.0.0"},
			problems: []string{`package-lock.json:2: invalid: the project asks for "jsonstream" and would get "node_modules/JSONStream"`},
		},
		{
			name: "a member that its link does not lead to",
			entries: []string{
				`"": {"workspaces": {"packages": ["a", "b", "c"]}}`,
				`"a": {"version": "1.0.0"}`,
				`"b": {"version": "1.0.0"}`,
				`"c": {"name": "a", "version": "2.0.0"}`,
				`"node_modules/b": {"resolved": "a", "link": true}`,
				`"node_modules/a": {"resolved": "a", "link": true}`,
			},
			edges: []string{"project -> pkg:npm/a@1.0.0"},
			problems: []string{
				`package-lock.json:5: invalid: two workspace members are named "a"`,
				`package-lock.json:4: invalid: the workspace member "b" is not what "node_modules/b" leads to`,
			},
		},
		{
			name: "a package with a lockfile of its own",
			entries: []string{
				`"": {"dependencies": {"a": "1"}}`,
				`"node_modules/a": {"version": "1.0.0", "hasShrinkwrap": true, "dependencies": {"b": "1"}}`,
			},
			edges:    []string{"project -> pkg:npm/a@1.0.0"},
			problems: []string{`package-lock.json:3: unsupported: "node_modules/a" brings an npm-shrinkwrap.json`},
		},
		{
			name: "names of JavaScript's own",
			entries: []string{
				`"": {"dependencies": {"__proto__": "1", "constructor": "1"}}`,
				`"node_modules/__proto__": {"version": "1.0.0", "dependencies": {"toString": "1"}}`,
				`"node_modules/constructor": {"version": "1.0.0"}`,
			},
			edges:    []string{"project -> pkg:npm/__proto__@1.0.0", "project -> pkg:npm/constructor@1.0.0"},
			problems: []string{`package-lock.json:3: invalid: "node_modules/__proto__" depends on "toString"`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inv := scan(t, map[string]string{"package-lock.json": lock(tc.entries...), "package.json": rootManifest(tc.entries[0])})
			wantProblems(t, inv, tc.problems...)
			wantEdges(t, inv, tc.edges...)
		})
	}
}

// rootManifest makes a package.json that agrees with the lockfile's first entry.
func rootManifest(entry string) string { return strings.TrimPrefix(entry, `"": `) }

func TestSources(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	inv := scan(t, map[string]string{"package-lock.json": lock(
		`"": {"dependencies": {"git": "o/git", "url": "https://host.example/url.tgz", "file": "file:f.tgz", "dir": "file:dir", "plain": "1", "p": "1"}, "bundleDependencies": ["plain"], "devDependencies": {"p2": "1"}}`,
		`"dir": {"version": "1.0.0", "license": {"type": "MIT"}}`,
		`"node_modules/dir": {"resolved": "dir", "link": true}`,
		`"node_modules/git": {"version": "1.0.0", "resolved": "git+ssh://git:hunter2@host.example/o/git.git#`+commit+`", "devOptional": true}`,
		`"node_modules/url": {"version": "1.0.0", "resolved": "https://hunter2@host.example/url.tgz?hunter2", "integrity": "`+sri+`"}`,
		`"node_modules/file": {"version": "1.0.0", "resolved": "file:f.tgz", "integrity": "`+sri+`", "license": ["MIT", {"type": "BSD"}]}`,
		`"node_modules/plain": {"version": "v1.0.0", "inBundle": true, "license": [{"type": "ISC"}]}`,
		`"node_modules/p": {"version": "1.0.0", "bundleDependencies": ["in"], "dependencies": {"in": "1"}}`,
		`"node_modules/p/node_modules/in": {"version": "1.0.0", "inBundle": true, "dependencies": {"in2": "1", "plain": "1"}}`,
		`"node_modules/p/node_modules/in2": {"version": "1.0.0", "inBundle": true}`,
		`"node_modules/p2": {"version": "1.0.0", "dev": true, "dependencies": {"liar": "1"}}`,
		`"node_modules/p2/node_modules/liar": {"version": "1.0.0", "dev": true, "inBundle": true}`,
		`"node_modules/nobody": {"version": "1.0.0", "extraneous": true}`,
		`"src/node_modules/stray": {"version": "1.0.0"}`,
	)})
	wantProblems(t, inv, `package-lock.json:13: warning: "node_modules/p2/node_modules/liar" is marked as bundled`,
		`package-lock.json:14: warning: nothing asks for "node_modules/nobody" (one of 2 such packages)`)
	for _, tc := range []struct {
		ref     string
		source  sbom.Source
		scope   sbom.Scope
		license string
	}{
		{"pkg:npm/dir@1.0.0", sbom.FromLink, sbom.Required, "MIT"},
		{"pkg:npm/git@1.0.0?vcs_url=git%2Bssh:%2F%2Fhost.example%2Fo%2Fgit.git%23" + commit, sbom.FromGit, sbom.Optional, ""},
		{"pkg:npm/url@1.0.0?download_url=https:%2F%2Fhost.example%2Furl.tgz", sbom.FromTarball, sbom.Required, ""},
		{"pkg:npm/file@1.0.0", sbom.FromFile, sbom.Required, "(MIT OR BSD)"},
		{"pkg:npm/plain@1.0.0", sbom.FromRegistry, sbom.Required, "ISC"},
		{"pkg:npm/in@1.0.0", sbom.FromParent, sbom.Required, ""},
		{"pkg:npm/in2@1.0.0", sbom.FromParent, sbom.Required, ""},
		{"pkg:npm/liar@1.0.0", sbom.FromRegistry, sbom.Excluded, ""},
		{"pkg:npm/stray@1.0.0", sbom.FromRegistry, sbom.Required, ""},
	} {
		c := component(t, inv, tc.ref)
		if c.Source != tc.source || c.Scope != tc.scope || c.License != tc.license || c.PURL != tc.ref || c.Bundled != (tc.source == sbom.FromParent) {
			t.Errorf("%s: source %s, scope %s, licence %q, bundled %v", tc.ref, c.Source, c.Scope, c.License, c.Bundled)
		}
	}
	if !component(t, inv, "pkg:npm/nobody@1.0.0").Extraneous {
		t.Error("nobody asks for nobody, and it is not extraneous")
	}
	if text := dump(t, inv); strings.Contains(text, "hunter2") {
		t.Errorf("a password is in the inventory:\n%s", text)
	}
}

func TestBundles(t *testing.T) {
	for form, want := range map[string]struct {
		bundled  bool
		problems []string
	}{
		`["in"]`:       {true, nil},
		`{"in": true}`: {true, nil},
		`true`:         {true, nil},
		`false`:        {false, []string{`package-lock.json:4: warning: "node_modules/p/node_modules/in" is marked`}},
		`null`:         {false, []string{`package-lock.json:4: warning: "node_modules/p/node_modules/in" is marked`}},
		`["other"]`:    {false, []string{`package-lock.json:4: warning: "node_modules/p/node_modules/in" is marked`}},
		`7`: {false, []string{
			`package-lock.json:3: invalid: "bundleDependencies" must be an array, not a number`,
			`package-lock.json:4: warning: "node_modules/p/node_modules/in" is marked`,
		}},
	} {
		inv := scan(t, map[string]string{"package-lock.json": lock(
			`"": {"dependencies": {"p": "1"}}`,
			`"node_modules/p": {"version": "1.0.0", "dependencies": {"in": "1"}, "bundleDependencies": `+form+`}`,
			`"node_modules/p/node_modules/in": {"version": "1.0.0", "inBundle": true}`,
		)})
		wantProblems(t, inv, want.problems...)
		if c := component(t, inv, "pkg:npm/in@1.0.0"); c.Bundled != want.bundled {
			t.Errorf("%s: bundled %v", form, c.Bundled)
		}
	}
	// The integrity of a bundled package protects nothing: it must not be shown
	// as if it did, nor contradict that of a copy from the registry.
	inv := scan(t, map[string]string{"package-lock.json": lock(
		`"": {"dependencies": {"p": "1", "in": "1"}}`,
		`"node_modules/p": {"version": "1.0.0", "dependencies": {"in": "1"}, "bundleDependencies": ["in"]}`,
		`"node_modules/p/node_modules/in": {"version": "1.0.0", "inBundle": true, "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}`,
		`"node_modules/in": {"version": "1.0.0", "integrity": "`+sri+`"}`,
	)})
	wantProblems(t, inv, `package-lock.json:4: warning: "node_modules/p/node_modules/in" comes inside of another package`)
	if c := component(t, inv, "pkg:npm/in@1.0.0"); c.Bundled || len(c.Hashes) != 1 || len(c.Occurrences) != 2 {
		t.Errorf("in = %+v", c)
	}
}

func dump(t testing.TB, inv *sbom.Inventory) string {
	t.Helper()
	text, err := json.Marshal(inv)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLockfileProblems(t *testing.T) {
	const root = `"": {"name": "app", "version": "1.0.0", "dependencies": {"a": "1"}}`
	a := func(more string) string { return `"node_modules/a": {"version": "1.0.0"` + more + `}` }
	for name, tc := range map[string]struct {
		lock     string
		problems []string
	}{
		"fine":                  {lock(root, a("")), nil},
		"byte order mark":       {"\ufeff" + lock(root, a("")), nil},
		"version as 3.0":        {strings.Replace(lock(root, a("")), `n": 3,`, `n": 3.0,`, 1), nil},
		"empty":                 {"", []string{`package-lock.json:1: invalid: invalid JSON: the file ends too early`}},
		"array":                 {"[]", []string{`package-lock.json:1: invalid: a lockfile must be an object, not an array`}},
		"merge conflict":        {lock(root, "<<<<<<< HEAD\n"+a("")), []string{`package-lock.json:3: invalid: invalid JSON: expected a name`}},
		"version 1":             {"{\n\"lockfileVersion\": 1, \"dependencies\": {}}", []string{`package-lock.json:1: unsupported: without "requires"`, `package-lock.json:0: unsupported: there is no package.json`}},
		"version 9":             {`{"lockfileVersion": 9, "packages": {}}`, []string{`package-lock.json:1: unsupported: this lockfileVersion`}},
		"huge version":          {`{"lockfileVersion": 1e999, "packages": {}}`, []string{`package-lock.json:1: unsupported: this lockfileVersion`}},
		"version as text":       {`{"lockfileVersion": "3", "packages": {}}`, []string{`package-lock.json:1: invalid: "lockfileVersion" must be a number, not a string`}},
		"no version":            {`{"packages": {}}`, []string{`package-lock.json:1: invalid: no lockfileVersion`}},
		"no packages":           {`{"lockfileVersion": 2, "dependencies": {}}`, []string{`package-lock.json:1: invalid: no object "packages"`}},
		"packages as array":     {`{"lockfileVersion": 2, "packages": []}`, []string{`package-lock.json:1: invalid: no object "packages"`}},
		"no root":               {lock(a("")), []string{`package-lock.json:1: invalid: no entry ""`}},
		"entry as text":         {lock(root, a(""), `"node_modules/b": "1"`), []string{`package-lock.json:4: invalid: "node_modules/b" must be an object, not a string`}},
		"version as number":     {lock(root, `"node_modules/a": {"version": 1}`), []string{`package-lock.json:3: invalid: "version" must be a string, not a number`, `package-lock.json:3: invalid: "node_modules/a" has no version`}},
		"no version of entry":   {lock(root, `"node_modules/a": {"optional": true}`), []string{`package-lock.json:3: invalid: "node_modules/a" has no version`}},
		"version that is a URL": {lock(root, `"node_modules/a": {"version": "git+https://hunter2@host.example/a"}`), []string{`package-lock.json:3: invalid: the version is not`, `package-lock.json:3: invalid: "node_modules/a" has no version`}},
		"flag as text":          {lock(root, a(`, "dev": "yes"`)), []string{`package-lock.json:3: invalid: "dev" must be a boolean, not a string`}},
		"resolved as boolean":   {lock(root, a(`, "resolved": true`)), []string{`package-lock.json:3: invalid: "resolved" must be a string, not a boolean`}},
		"resolved as nonsense":  {lock(root, a(`, "resolved": "a b"`)), []string{`package-lock.json:3: invalid: the URL from which "node_modules/a" is resolved is of no known form`}},
		"dependencies as text":  {lock(root, a(`, "dependencies": "x"`)), []string{`package-lock.json:3: invalid: "dependencies" must be an object, not a string`}},
		"dependencies as []":    {lock(root, a(`, "dependencies": [], "peerDependencies": null`)), nil},
		"spec as number":        {lock(root, a(`, "dependencies": {"x": 1}`)), []string{`package-lock.json:3: invalid: the dependency "x" must be a string, not a number`}},
		"integrity":             {lock(root, a(",\n\"integrity\": \"sha512-AAAA\"")), []string{`package-lock.json:4: invalid: the integrity of "node_modules/a": not a sha512 digest`}},
		"unknown integrity":     {lock(root, a(`, "integrity": "md5-AAAA"`)), []string{`package-lock.json:3: invalid: the integrity of "node_modules/a": unknown algorithm`}},
		"licence":               {lock(root, a(`, "license": {}`)), []string{`package-lock.json:3: warning: "license" names no licence`}},
		"workspaces as text":    {lock(`"": {"workspaces": "a"}`), []string{`package-lock.json:2: invalid: "workspaces" must be an array, not a string`}},
		"workspace no glob":     {lock(`"": {"workspaces": ["a[z-a]"]}`), []string{`package-lock.json:2: invalid: the workspaces cannot be understood`}},
		"workspace as number":   {lock(`"": {"workspaces": [1]}`), []string{`package-lock.json:2: invalid: "workspaces" must hold strings, not a number`}},
		"duplicate entry":       {lock(root, `"node_modules/a": {"version": "6.6.6"}`, a("")), []string{`package-lock.json:4: invalid: "node_modules/a" stands twice`}},
		"duplicate field":       {lock(root, a(",\n\"version\": \"1.0.0\"")), []string{`package-lock.json:4: invalid: "version" stands twice`}},
		"duplicate at the top":  {`{"lockfileVersion": 3, "packages": {}, "packages": {}}`, []string{`package-lock.json:1: invalid: "packages" stands twice`}},
		"duplicate in legacy":   {`{"lockfileVersion": 2, "packages": {}, "dependencies": {"a": {"a": 1, "a": 2}}}`, []string{`package-lock.json:1: warning: "a" stands twice`}},
		"absolute path":         {lock(root, a(""), `"/etc/b": {}`), []string{`package-lock.json:4: invalid: the path "/etc/b" must be relative`}},
		"drive":                 {lock(root, a(""), `"C:/b": {}`), []string{`package-lock.json:4: invalid: the path "C:/b" must be relative`}},
		"backslash":             {lock(root, a(""), `"node_modules\\b": {}`), []string{`package-lock.json:4: invalid: the path "node_modules\\b" must be written with forward`}},
		"climbing path":         {lock(root, a(""), `"node_modules/../b": {}`), []string{`package-lock.json:4: invalid: the path "node_modules/../b" is not in its shortest`}},
		"dot":                   {lock(root, a(""), `".": {}`), []string{`package-lock.json:4: invalid: the path "." is not`}},
		"no name in path":       {lock(root, a(""), `"node_modules": {}`), []string{`package-lock.json:4: invalid: the path "node_modules" names no package`}},
		"scope without name":    {lock(root, a(""), `"node_modules/@b": {"version": "1.0.0"}`), []string{`package-lock.json:4: warning: nothing asks for "node_modules/@b"`, `package-lock.json:4: invalid: "@b" is no name`}},
		"name with a path":      {lock(root, a(`, "name": "../x"`)), []string{`package-lock.json:3: invalid: "../x" is no name`}},
		"name with a secret":    {lock(root, a(`, "name": "https://hunter2@host.example/"`)), []string{`package-lock.json:3: invalid: "https://host.example/" is no name`}},
		"long path":             {lock(root, a(""), `"`+strings.Repeat("x", maxKey)+`y": {}`), []string{`package-lock.json:4: invalid: …is too long`}},
		"many slashes":          {lock(root, a(""), `"`+strings.Repeat("x/", maxSegments)+`x/y": {}`), []string{`package-lock.json:4: invalid: …is too long`}},
	} {
		t.Run(name, func(t *testing.T) {
			inv := scan(t, map[string]string{"package-lock.json": tc.lock})
			wantProblems(t, inv, tc.problems...)
			if strings.Contains(dump(t, inv), "hunter2") {
				t.Error("a password is in the inventory")
			}
			for _, in := range inv.Inputs {
				for _, p := range in.Problems {
					if p.Hint == "" && p.Code != sbom.Warning {
						t.Errorf("%s: no hint", p.Message)
					}
				}
			}
		})
	}
}

// TestVersion2: beside "packages" the legacy section means nothing, even where it
// contradicts.
func TestVersion2(t *testing.T) {
	inv := scan(t, map[string]string{"package-lock.json": `{"lockfileVersion": 2, "requires": true,
"packages": {"": {"dependencies": {"a": "1"}}, "node_modules/a": {"version": "1.0.0"}},
"dependencies": {"a": {"version": "6.6.6", "requires": {"evil": "1"}}, "evil": {"version": "1.0.0"}}}`})
	wantProblems(t, inv)
	wantEdges(t, inv, "project -> pkg:npm/a@1.0.0")
}

func TestNesting(t *testing.T) {
	var entries []string
	key := ""
	for range maxNesting + 20 {
		key += "node_modules/a"
		entries = append(entries, `"`+key+`": {"version": "1.0.0"}`)
		key += "/"
	}
	entries = append(entries, `"": {"dependencies": {"a": "1"}}`)
	inv := scan(t, map[string]string{"package-lock.json": lock(entries...)})
	if !inv.Incomplete() {
		t.Error("a limit was reached, and the inventory calls itself complete")
	}
}

func TestProblemsAreBounded(t *testing.T) {
	entries := []string{`"": {}`}
	for i := range 3 * maxProblems {
		entries = append(entries, fmt.Sprintf(`"node_modules/a%d": {"version": "1.0.0", "peerDependencies": {"x": "1"}, "dependencies": {"y": "1"}}`, i))
	}
	inv := scan(t, map[string]string{"package-lock.json": lock(entries...)})
	count := map[sbom.ProblemCode]int{}
	for _, p := range inv.Inputs[0].Problems {
		count[p.Code]++
	}
	want := map[sbom.ProblemCode]int{sbom.Invalid: maxProblems + 1, sbom.Warning: maxProblems + 1}
	if diff := gocmp.Diff(want, count); diff != "" {
		t.Error(diff)
	}
}

func TestTruncatedLockfile(t *testing.T) {
	whole := lock(
		`"": {"name": "app", "version": "1.0.0", "dependencies": {"a": "1", "b": "1"}}`,
		`"node_modules/a": {"version": "1.0.0", "dependencies": {"b": "1"}}`,
		`"node_modules/b": {"version": "1.0.0", "integrity": "`+sri+`"}`,
	)
	for cut := range len(whole) - 2 {
		inv := scan(t, map[string]string{"package-lock.json": whole[:cut], "other/package.json": `{"name": "other"}`})
		if !inv.Incomplete() {
			t.Fatalf("cut after %d bytes: the inventory calls itself complete", cut)
		}
		if p := inv.Inputs[1].Problems; len(p) == 0 || p[0].Code != sbom.Invalid || p[0].Line == 0 || p[0].Column == 0 || p[0].Hint == "" {
			t.Fatalf("cut after %d bytes: %+v", cut, p)
		}
	}
	head, _, _ := strings.Cut(whole, `"integrity"`)
	inv := scan(t, map[string]string{"package-lock.json": head})
	wantProblems(t, inv, "package-lock.json:4: invalid: invalid JSON: the file ends too early")
	if c := component(t, inv, "pkg:npm/a@1.0.0"); c.Coverage != sbom.IncompleteCoverage {
		t.Errorf("what a depends on is said to be %s", c.Coverage)
	}
	if len(inv.Components) != 1 {
		t.Errorf("%d components, want the whole one only", len(inv.Components))
	}
}

func TestOtherLockfiles(t *testing.T) {
	for name := range unread {
		t.Run(name, func(t *testing.T) {
			inv := scan(t, map[string]string{
				name:                      "anything",
				"package.json":            `{"name": "app", "version": "1.0.0", "workspaces": ["packages/*"], "dependencies": {"a": "^1"}}`,
				"packages/b/package.json": `{"name": "b", "dependencies": {"c": "1"}}`,
			})
			wantProblems(t, inv, name+":0: unsupported: …not read by this version")
			for _, in := range inv.Inputs {
				if in.Kind == "bun.lockb" && !strings.Contains(in.Problems[0].Hint, "`bun install --save-text-lockfile --frozen-lockfile --lockfile-only`") {
					t.Errorf("hint: %s", in.Problems[0].Hint)
				}
			}
			if inv.Root.PURL != "pkg:npm/app@1.0.0" || inv.Root.Coverage != sbom.IncompleteCoverage || len(inv.Components) != 0 {
				t.Errorf("root %+v, components %v", inv.Root, inv.Components)
			}
		})
	}
}

func TestShrinkwrapWins(t *testing.T) {
	a := lock(`"": {"dependencies": {"a": "1"}}`, `"node_modules/a": {"version": "1.0.0"}`)
	b := lock(`"": {"dependencies": {"b": "1"}}`, `"node_modules/b": {"version": "1.0.0"}`)
	inv := scan(t, map[string]string{"package-lock.json": a, "npm-shrinkwrap.json": b})
	wantProblems(t, inv, "package-lock.json:0: warning: npm ignores this file")
	wantEdges(t, inv, "project -> pkg:npm/b@1.0.0")

	inv = scan(t, map[string]string{"package-lock.json": a, "npm-shrinkwrap.json": ""})
	wantProblems(t, inv, "npm-shrinkwrap.json:0: invalid: the file is empty")
	wantEdges(t, inv, "project -> pkg:npm/a@1.0.0")
}

func TestStaleLockfile(t *testing.T) {
	locked := lock(
		`"": {"name": "app", "version": "1.0.0", "dependencies": {"a": "^1.0.0"}, "optionalDependencies": {"o": "1"}}`,
		`"node_modules/a": {"version": "1.2.0"}`,
		`"node_modules/h": {"version": "1.0.0"}`,
	)
	const o = `, "optionalDependencies": {"o": "1"}`
	for manifest, want := range map[string][]string{
		`{"dependencies": {"a": "^1.0.0"}` + o + `}`:                      nil,
		`{"dependencies": {"a": "^1.0.0", "o": "2"}` + o + `}`:            nil,
		`{"dependencies": {"a": "^1.1.0"}` + o + `}`:                      {`package.json:1: warning: "a" differs`},
		`{"devDependencies": {"a": "^1.0.0"}` + o + `}`:                   {`package.json:1: warning: "a" differs`},
		`{"dependencies": {"a": "^2.0.0"}` + o + `}`:                      {`package.json:1: invalid: "a" does not fit`},
		`{"dependencies": {"a": "latest"}` + o + `}`:                      {`package.json:1: invalid: "a" does not fit`},
		`{"dependencies": {"a": "npm:b@1.2.0"}` + o + `}`:                 {`package-lock.json:3: invalid: "node_modules/a" is another package`, `package.json:1: invalid: "a" does not fit`},
		`{"dependencies": {"a": "^1.0.0",` + "\n" + `"n": "1"}` + o + `}`: {`package.json:2: invalid: "n" does not fit`},
		`{"dependencies": {"a": "^1.0.0", "h": "1"}` + o + `}`:            {`package.json:1: warning: "h" differs`},
		`{"optionalDependencies": {"o": "1", "n": "1"}}`:                  {`package-lock.json:2: warning: "a" is no longer`, `package.json:1: warning: "n" is not known`},
		`{`: {`package.json:1: invalid: invalid JSON`},
		`7`: {`package.json:1: invalid: a package.json must be an object`},
	} {
		inv := scan(t, map[string]string{"package-lock.json": locked, "package.json": manifest})
		wantProblems(t, inv, append([]string{`package-lock.json:4: warning: nothing asks for "node_modules/h"`}, want...)...)
		component(t, inv, "pkg:npm/a@1.2.0")
	}
}

func TestNoLockfile(t *testing.T) {
	inv := scan(t, map[string]string{"package.json": `{"name": "app", "version": "1.0.0", "private": true,
"dependencies": {"a": "^1", "b": "=2.0.0", "alias": "npm:@s/c@3.0.0", "g": "https://hunter2@github.com/o/g.git#main", "t": "https://host.example/t.tgz"},
"devDependencies": {"d": "*"}, "optionalDependencies": {"o": ""}, "peerDependencies": {"p": "1", "q": "1"}, "peerDependenciesMeta": {"q": {"optional": true}}}`})
	wantProblems(t, inv, "package.json:2: no-lockfile: ")
	wantEdges(t, inv,
		"pkg:npm/app@1.0.0 -> pkg:npm/%40s/c@3.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/a",
		"pkg:npm/app@1.0.0 -> pkg:npm/b@2.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/d",
		"pkg:npm/app@1.0.0 -> pkg:npm/g?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fg.git",
		"pkg:npm/app@1.0.0 -> pkg:npm/o",
		"pkg:npm/app@1.0.0 -> pkg:npm/p",
		"pkg:npm/app@1.0.0 -> pkg:npm/t?download_url=https:%2F%2Fhost.example%2Ft.tgz",
	)
	if !inv.Root.Private || inv.Root.Coverage != sbom.IncompleteCoverage {
		t.Errorf("root = %+v", inv.Root)
	}
	c := component(t, inv, "pkg:npm/%40s/c@3.0.0")
	want := []sbom.Property{{Name: PropertyAlias, Value: "alias"}, {Name: PropertyRequest, Value: "npm:@s/c@3.0.0"}}
	if diff := gocmp.Diff(want, c.Properties); diff != "" || c.Origin != sbom.OriginDirect {
		t.Errorf("origin %s, properties %s", c.Origin, diff)
	}
	if d := component(t, inv, "pkg:npm/d"); d.Scope != sbom.Excluded {
		t.Errorf("scope of d is %s", d.Scope)
	}
	if strings.Contains(dump(t, inv), "hunter2") {
		t.Error("a password is in the inventory")
	}

	inv = scan(t, map[string]string{"package.json": `{"name": "app"}`, "docs/package.json": `{"type": "module"}`})
	wantProblems(t, inv)
	if inv.Root.Name != "app" || len(inv.Components) != 0 || inv.Root.Coverage != sbom.CompleteCoverage {
		t.Errorf("root %+v, components %v", inv.Root, inv.Components)
	}
}

func TestSeveralProjects(t *testing.T) {
	const entry = `"": {"name": "app", "version": "1.0.0", "dependencies": {"a": "1"}}`
	one := lock(entry, `"node_modules/a": {"version": "1.0.0"}`)
	files := map[string]string{
		"package.json": `{"name": "root", "version": "1.0.0", "workspaces": ["packages/*"]}`,
		"package-lock.json": lock(
			`"": {"name": "root", "version": "1.0.0", "workspaces": ["packages/*"]}`,
			`"node_modules/m": {"resolved": "packages/m", "link": true}`,
			`"packages/m": {"version": "1.0.0", "dependencies": {"a": "1"}}`,
			`"node_modules/a": {"version": "1.0.0"}`),
		"packages/m/package.json":      `{"name": "m", "version": "1.0.0", "private": true, "dependencies": {"a": "1"}}`,
		"packages/m/package-lock.json": lock(`"": {"dependencies": {"evil": "1"}}`, `"node_modules/evil": {"version": "1.0.0"}`),
		"packages/new/package.json":    `{"name": "new", "dependencies": {"b": "1"}}`,
		"x/package-lock.json":          one,
		"y/package-lock.json":          one,
		"z/npm-shrinkwrap.json":        `{"lockfileVersion": 3, "packages": {}}`,
	}
	inv := scan(t, files)
	wantProblems(t, inv,
		"packages/m/package-lock.json:0: warning: npm ignores this lockfile, since the folder is a workspace member",
		"packages/new/package.json:1: no-lockfile: ",
	)
	wantEdges(t, inv,
		"npm:packages/new -> pkg:npm/b",
		"npm:y -> pkg:npm/a@1.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/a@1.0.0",
		"pkg:npm/m@1.0.0 -> pkg:npm/a@1.0.0",
		"pkg:npm/root@1.0.0 -> npm:packages/new",
		"pkg:npm/root@1.0.0 -> npm:y",
		"pkg:npm/root@1.0.0 -> npm:z",
		"pkg:npm/root@1.0.0 -> pkg:npm/app@1.0.0",
		"pkg:npm/root@1.0.0 -> pkg:npm/m@1.0.0",
	)
	m := component(t, inv, "pkg:npm/m@1.0.0")
	if m.Source != sbom.FromProject || m.Type != sbom.Application || !m.Private || len(m.Occurrences) != 2 {
		t.Errorf("member = %+v", m)
	}
	y := component(t, inv, "npm:y")
	if y.Name != "app" || y.PURL != "" || y.Conflict != "" || y.Source != sbom.FromProject {
		t.Errorf("y = %+v", y)
	}
	if a := component(t, inv, "pkg:npm/a@1.0.0"); a.Origin != sbom.OriginDirect || len(a.Occurrences) != 3 {
		t.Errorf("a = %+v", a)
	}
	if diff := gocmp.Diff(inv, scan(t, files)); diff != "" {
		t.Errorf("a second run differs:\n%s", diff)
	}

	files["packages/m/package.json"] = `{"name": "m", "dependencies": {"a": "2"}}`
	wantProblems(t, scan(t, files),
		"packages/m/package-lock.json:0: warning: ",
		`packages/m/package.json:1: invalid: "a" does not fit`,
		"packages/new/package.json:1: no-lockfile: ",
	)
}

// TestLinkedProject: a folder that one project links to and that is a project by
// itself is seen twice, since npm resolves its dependencies twice.
func TestLinkedProject(t *testing.T) {
	lib := `{"name": "lib", "version": "1.0.0", "dependencies": {"a": "1"}}`
	uses := func(to, modules string) string {
		return lock(`"": {"dependencies": {"lib": "file:`+to+`"}}`,
			`"node_modules/lib": {"resolved": "`+to+`", "link": true}`,
			`"`+to+`": {"version": "1.0.0", "dependencies": {"a": "1"}}`,
			`"`+modules+`/a": {"version": "1.0.1"}`)
	}
	inv := scan(t, map[string]string{
		"package-lock.json":     uses("lib", "node_modules"),
		"lib/package.json":      lib,
		"lib/package-lock.json": lock(`"": `+lib, `"node_modules/a": {"version": "1.0.2"}`),
		"x/package-lock.json":   uses("../lib", "../lib/node_modules"),
	})
	wantProblems(t, inv)
	wantEdges(t, inv,
		"npm:lib -> pkg:npm/a@1.0.2",
		"npm:x -> pkg:npm/lib@1.0.0",
		"pkg:npm/lib@1.0.0 -> pkg:npm/a@1.0.1",
		"project -> npm:lib", "project -> npm:x", "project -> pkg:npm/lib@1.0.0",
	)
	if c := component(t, inv, "pkg:npm/lib@1.0.0"); c.Source != sbom.FromLink || c.Conflict != "" || len(c.Occurrences) != 4 {
		t.Errorf("lib = %+v", c)
	}
}

// TestLinkOutside: npm writes such lockfiles. They are complete only together
// with that of the other project.
func TestLinkOutside(t *testing.T) {
	files := map[string]string{"x/package-lock.json": lock(
		`"": {"dependencies": {"lib": "file:../lib"}}`,
		`"../lib": {"version": "1.0.0", "dependencies": {"a": "1", "b": "1"}, "devDependencies": {"c": "1"}}`,
		`"node_modules/lib": {"resolved": "../lib", "link": true}`)}
	wantProblems(t, scan(t, files), `x/package-lock.json:3: unsupported: "../lib" lies outside of the project`)

	files["lib/package-lock.json"] = lock(`"": {"dependencies": {"a": "1"}}`, `"node_modules/a": {"version": "1.0.0"}`)
	inv := scan(t, files)
	wantProblems(t, inv)
	wantEdges(t, inv, "npm:lib -> pkg:npm/a@1.0.0", "npm:x -> pkg:npm/lib@1.0.0", "project -> npm:lib", "project -> npm:x")
	if c := component(t, inv, "pkg:npm/lib@1.0.0"); c.Coverage != sbom.IncompleteCoverage {
		t.Errorf("what lib depends on is said to be %s", c.Coverage)
	}
}

func TestNamedFile(t *testing.T) {
	tree := fstest.MapFS{
		"dir/locked.txt":        {Data: []byte(lock(`"": {"dependencies": {"a": "1"}}`, `"node_modules/a": {"version": "1.0.0"}`))},
		"dir/package-lock.json": {Data: []byte(lock(`"": {"dependencies": {"a": "1"}}`, `"node_modules/a": {"version": "1.0.0"}`))},
		"dir/package.json":      {Data: []byte(`{"name": "beside", "version": "2.0.0", "dependencies": {"a": "2"}}`)},
		"dir/other.json":        {Data: []byte(`{"packages": {}}`)},
	}
	read := func(name string) (*sbom.Inventory, bool) {
		dir, err := tree.Sub("dir")
		if err != nil {
			t.Fatal(err)
		}
		inv, found, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: dir, File: name}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
		if err != nil {
			t.Fatal(err)
		}
		return inv, found[0]
	}
	inv, found := read("package-lock.json")
	if !found || inv.Root.PURL != "pkg:npm/beside@2.0.0" {
		t.Errorf("found %v, root %s", found, inv.Root.Ref)
	}
	wantProblems(t, inv, `package-lock.json:0: invalid: package.json, line 1: "a" does not fit`)
	if inv, found = read("locked.txt"); !found || inv.Inputs[0].Kind != PackageLock || len(inv.Components) != 1 {
		t.Errorf("a lockfile under another name: found %v, %+v", found, inv.Inputs)
	}
	if _, found = read("other.json"); found {
		t.Error("any JSON is taken for a lockfile")
	}
}

func TestRecognize(t *testing.T) {
	for name, want := range map[string]string{
		"a/b/package-lock.json": PackageLock, "npm-shrinkwrap.json": Shrinkwrap, "package.json": Manifest,
		"yarn.lock": "yarn.lock", "x/pnpm-lock.yaml": "pnpm-lock.yaml", "bun.lock": "bun.lock", "bun.lockb": "bun.lockb", "deno.lock": "deno.lock",
		"package-lock.json.bak": "", "Package.json": Manifest, "NPM-Shrinkwrap.JSON": Shrinkwrap, "pac\u212aage.json": Manifest, "YARN.lock": "yarn.lock", "lock": "",
	} {
		if got := (Reader{}).Recognize(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
