package node

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"countermark/sbom"
)

// legacyLock returns a lockfile of npm 6 with these dependencies, one a line from
// line 2 on.
func legacyLock(entries ...string) string {
	return `{"name": "app", "version": "1.0.0", "lockfileVersion": 1, "requires": true, "dependencies": {` + "\n" +
		strings.Join(entries, ",\n") + "\n}}\n"
}

func legacyProject(t testing.TB) map[string]string {
	t.Helper()
	manifest, err := os.ReadFile("testdata/legacy/package.json")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		PackageLock: string(gunzip(t, "legacy/package-lock.json.gz")), "package.json": string(manifest),
		"vendor/left/package.json": `{"name":"left","version":"0.1.0","dependencies":{"ms":"^2.1.0","isarray":"1.0.0"}}`,
	}
}

// TestSameFoldersAsNPM6 compares the lockfile that npm 6 wrote for a real project
// with what npm 11 makes of it: every folder, and where everything in it leads.
// npm 6 does not tell optional dependencies of packages from others, and resolves
// no peers.
func TestSameFoldersAsNPM6(t *testing.T) {
	files := legacyProject(t)
	wantProblems(t, scan(t, files))
	m := readManifest(newSource(&sbom.File{Path: "package.json", Data: []byte(files["package.json"])}))
	l := readLockfile(&sbom.File{Path: PackageLock, Data: []byte(files[PackageLock])}, m)
	var got []string
	for i := range l.entries {
		e := &l.entries[i]
		if e.link {
			continue
		}
		folder := "folder " + e.key
		if e.version != "" && i > 0 {
			folder += " " + e.name + "@" + e.version
		}
		if e.bundled {
			folder += " bundled"
		}
		got = append(got, folder)
		for _, d := range e.edges {
			to := "-"
			if d.to != none {
				to = l.entries[d.to].key
			}
			got = append(got, fmt.Sprintf("resolve %s %s %s", e.key, d.name, to))
		}
	}
	var want []string
	unversioned := map[string]bool{"": true, "node_modules/tarball": true, "vendor/left": true}
	for line := range strings.Lines(string(gunzip(t, "legacy/npm.txt.gz"))) {
		words := strings.Fields(line)
		key := strings.TrimPrefix(words[1], ".")
		switch {
		case words[0] == "folder" && unversioned[key]:
			want = append(want, "folder "+key)
		case words[0] == "folder":
			want = append(want, strings.Join(words, " "))
		case words[0] == "resolve" && !strings.HasPrefix(words[2], "peer") && words[4] != "-":
			want = append(want, fmt.Sprintf("resolve %s %s %s", key, words[3], words[4]))
		}
	}
	// npm 11 asks the registry what npm@6 depends on, which lists less than its own
	// package.json does.
	unlisted := regexp.MustCompile(`^(folder|resolve) node_modules/npm(/node_modules/| )(debuglog|imurmurhash|lodash\._(baseindexof|bindcallback|cacheindexof|createcache|getnative)|lodash\.restparam)( |$)`)
	got = slices.DeleteFunc(got, unlisted.MatchString)
	want = slices.DeleteFunc(want, unlisted.MatchString)
	slices.Sort(got)
	slices.Sort(want)
	if len(want) < 3000 {
		t.Errorf("only %d lines", len(want))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-npm 11 +countermark):\n%s", diff)
	}
}

func TestReadLegacy(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	entries := []string{
		`"a": {"version": "1.0.0", "resolved": "https://registry.example/a/-/a-1.0.0.tgz", "integrity": "SRI", "requires": {"b": "^2.0.0", "c": "1"}, "dependencies": {"b": {"version": "2.0.0", "integrity": "SRI"}}}`,
		`"alias": {"version": "npm:@s/real@2.0.0", "integrity": "SRI"}`,
		`"b": {"version": "1.0.0", "integrity": "SRI", "dev": true}`,
		`"c": {"version": "1.0.0", "integrity": "SRI", "optional": true, "requires": {"b": "1"}}`,
		`"g": {"version": "git+https://user:hunter2@host.example/g.git#COMMIT", "from": "git+https://user:hunter2@host.example/g.git"}`,
		`"h": {"version": "github:o/h#COMMIT", "from": "github:o/h"}`,
		`"t": {"version": "https://files.example/t.tgz", "integrity": "SRI", "bundled": true}`,
		`"arc": {"version": "file:vendor/arc.tgz", "integrity": "SRI"}`,
		`"dir": {"version": "file:dir", "requires": {"a": "1"}, "dependencies": {"a": {"version": "1.1.0", "integrity": "SRI"}}}`,
		`"p": {"version": "1.0.0", "integrity": "SRI", "requires": {"q": "1"}, "dependencies": {"q": {"version": "1.0.0", "bundled": true, "requires": {"r": "1"}}, "r": {"version": "1.0.0", "bundled": true}}}`,
	}
	locked := strings.NewReplacer("SRI", sri, "COMMIT", commit).Replace(legacyLock(entries...))
	manifest := `{"name": "app", "version": "1.0.0", "dependencies": {"a": "^1.0.0", "alias": "npm:@s/real@2", "g": "git+https://user:hunter2@host.example/g.git", "h": "github:o/h", "t": "https://files.example/t.tgz", "arc": "file:vendor/arc.tgz", "dir": "file:dir", "p": "1"}, "devDependencies": {"b": "1"}, "optionalDependencies": {"c": "1", "gone": "1"}, "peerDependencies": {"peer": "1"}}`
	inv := scan(t, map[string]string{PackageLock: locked, "package.json": manifest, "dir/package.json": `{"name": "dir", "dependencies": {"a": "1"}}`})
	wantProblems(t, inv)
	const root = "pkg:npm/app@1.0.0 -> "
	wantEdges(t, inv,
		"pkg:npm/a@1.0.0 -> pkg:npm/b@2.0.0", "pkg:npm/a@1.0.0 -> pkg:npm/c@1.0.0",
		root+"npm:vendor/arc.tgz#arc", root+"pkg:npm/%40s/real@2.0.0", root+"pkg:npm/a@1.0.0", root+"pkg:npm/b@1.0.0", root+"pkg:npm/c@1.0.0", root+"pkg:npm/dir",
		root+"pkg:npm/g?vcs_url=git%2Bhttps:%2F%2Fhost.example%2Fg.git%23"+commit, root+"pkg:npm/h?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fh.git%23"+commit,
		root+"pkg:npm/p@1.0.0", root+"pkg:npm/t?download_url=https:%2F%2Ffiles.example%2Ft.tgz",
		"pkg:npm/c@1.0.0 -> pkg:npm/b@1.0.0", "pkg:npm/dir -> pkg:npm/a@1.1.0", "pkg:npm/p@1.0.0 -> pkg:npm/q@1.0.0", "pkg:npm/q@1.0.0 -> pkg:npm/r@1.0.0",
	)
	for ref, want := range map[string]sbom.Scope{"pkg:npm/b@1.0.0": sbom.Excluded, "pkg:npm/c@1.0.0": sbom.Optional, "pkg:npm/b@2.0.0": sbom.Required} {
		if c := component(t, inv, ref); c.Scope != want {
			t.Errorf("%s is %s, want %s", ref, c.Scope, want)
		}
	}
	for ref, want := range map[string]bool{"pkg:npm/q@1.0.0": true, "pkg:npm/r@1.0.0": true, "pkg:npm/p@1.0.0": false} {
		if c := component(t, inv, ref); c.Bundled != want {
			t.Errorf("%s: bundled %t", ref, c.Bundled)
		}
	}
	if strings.Contains(dump(t, inv), "hunter2") {
		t.Error("a password comes out")
	}
}

func TestLegacyProblems(t *testing.T) {
	one := legacyLock(`"a": {"version": "1.0.0", "integrity": "` + sri + `"}`)
	edit := func(old, with string) string { return strings.Replace(one, old, with, 1) }
	const manifest = `{"name": "app", "dependencies": {"a": "^1.0.0"}}`
	for name, tt := range map[string]struct {
		locked, manifest string
		want             []string
	}{
		"fine":         {one, manifest, nil},
		"no requires":  {edit(`"requires": true, `, ""), manifest, []string{`package-lock.json:1: unsupported: without "requires"`}},
		"no manifest":  {one, "", []string{"package-lock.json:0: unsupported: there is no package.json"}},
		"workspaces":   {one, `{"name": "app", "workspaces": ["p"], "dependencies": {"a": "^1.0.0"}}`, []string{"package-lock.json:0: unsupported: npm 6 knows no workspaces"}},
		"stale":        {one, `{"name": "app", "dependencies": {"a": "^2.0.0"}}`, []string{"package.json:1: invalid: \"a\" does not fit"}},
		"missing":      {one, `{"name": "app", "dependencies": {"a": "^1.0.0", "b": "1"}}`, []string{`package-lock.json:1: invalid: the project depends on "b"`}},
		"requires":     {edit(`"integrity"`, `"requires": {"b": "1"}, "integrity"`), manifest, []string{`package-lock.json:2: invalid: "node_modules/a" depends on "b"`}},
		"spec":         {edit(`"integrity"`, `"requires": {"a": 1}, "integrity"`), manifest, []string{`package-lock.json:2: invalid: "a" must be a string`}},
		"type":         {edit(`"requires": true, "dependencies": {`, `"requires": true, "dependencies": [`), manifest, []string{`package-lock.json:2: invalid: invalid JSON: `, `package-lock.json:1: invalid: "dependencies" must be an object`}},
		"dependencies": {legacyLock(`"a": {"version": "1.0.0", "dependencies": []}`), manifest, []string{`package-lock.json:2: invalid: "dependencies" must be an object`}},
		"entry":        {legacyLock(`"a": 1`), manifest, []string{`package-lock.json:2: invalid: "a" must be an object`, `package-lock.json:1: invalid: the project depends on "a"`}},
		"version":      {edit("1.0.0\", \"integrity", "one\", \"integrity"), manifest, []string{`package-lock.json:2: invalid: "node_modules/a" has no version`, `package.json:1: invalid: "a" does not fit`}},
		"integrity":    {edit(sri, "sha512-AAAA"), manifest, []string{`package-lock.json:2: invalid: the integrity of "a"`}},
		"name":         {legacyLock(`"../a": {"version": "1.0.0"}`), "{}", []string{`package-lock.json:2: invalid: "../a" is no name`}},
		"twice":        {legacyLock(`"a": {"version": "1.0.0"}`, `"a": {"version": "1.0.1"}`), manifest, []string{`package-lock.json:3: invalid: "a" stands twice`}},
		"git instead":  {legacyLock(`"a": {"version": "git+https://evil.example/a.git#0123456789abcdef0123456789abcdef01234567"}`), manifest, []string{`package-lock.json:2: invalid: "node_modules/a" is another package`, `package.json:1: invalid: "a" does not fit`}},
		"link":         {legacyLock(`"a": {"version": "file:/etc"}`), `{"dependencies": {"a": "file:/etc"}}`, []string{`package-lock.json:2: invalid: the link "a" leads to no relative path`, `package-lock.json:1: invalid: the project depends on "a"`}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{PackageLock: tt.locked}
			if tt.manifest != "" {
				files["package.json"] = tt.manifest
			}
			wantProblems(t, scan(t, files), tt.want...)
		})
	}
}

// TestLegacyWild has what lockfiles of npm 6 and older hold in the wild.
func TestLegacyWild(t *testing.T) {
	const app = `{"name": "app", "version": "1.0.0", "dependencies": {"a": "file:lib", "lib": "file:lib"}}`
	linked := `{"version": "file:lib", "requires": {"deep": "1"}, "dependencies": {"deep": {"version": "VERSION", "resolved": "https://registry.example/deep/-/deep-1.0.0.tgz", "integrity": "` + sri + `"}}}`
	one, other := strings.Replace(linked, "VERSION", "1.0.0", 1), strings.Replace(linked, "VERSION", "1.0.1", 1)

	inv := scan(t, map[string]string{"package.json": app, PackageLock: legacyLock(`"a": `+one, `"lib": `+one)})
	wantProblems(t, inv)
	wantEdges(t, inv, "pkg:npm/a -> pkg:npm/deep@1.0.0", "pkg:npm/app@1.0.0 -> pkg:npm/a")

	inv = scan(t, map[string]string{"package.json": app, PackageLock: legacyLock(`"a": `+one, `"lib": `+other)})
	wantProblems(t, inv, "package-lock.json:3: invalid: …are the same folder", `package-lock.json:2: warning: nothing asks for "lib/node_modules/deep"`)

	// npm 4 and older say neither by which version of the format they write, nor what a
	// package depends on.
	inv = scan(t, map[string]string{"package.json": `{"name": "app", "version": "1.0.0", "dependencies": {"a": "1"}}`, Shrinkwrap: `{"name": "app", "version": "1.0.0", "dependencies": {
"a": {"version": "1.0.0", "from": "a@1", "resolved": "https://registry.example/a/-/a-1.0.0.tgz"}}}`})
	wantProblems(t, inv, "npm-shrinkwrap.json:1: invalid: no lockfileVersion", "npm-shrinkwrap.json:1: unsupported: without \"requires\"")
	wantEdges(t, inv, "pkg:npm/app@1.0.0 -> pkg:npm/a@1.0.0")
	if !inv.Incomplete() {
		t.Error("complete")
	}
}
