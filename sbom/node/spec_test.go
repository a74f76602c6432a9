package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

// namedByURL is what the URL of a registry's tarball says that is in it.
func namedByURL(resolved string) (name, version string) {
	if a, ok := parseAddress(resolved); ok && a.host != "" {
		return a.names()
	}
	return "", ""
}

func TestTarballName(t *testing.T) {
	for _, tc := range []struct{ url, name, version string }{
		{"https://registry.example/debug/-/debug-4.3.4.tgz", "debug", "4.3.4"},
		{"https://registry.example/@scope/name/-/name-1.2.3.tgz", "@scope/name", "1.2.3"},
		{"https://registry.example/@scope%2fname/-/name-1.2.3.tgz", "@scope/name", "1.2.3"},
		{"https://registry.example/%40scope%2Fname/-/name-1.2.3.tgz", "@scope/name", "1.2.3"},
		{"https://registry.example/api/npm/all/@scope/name/-/@scope/name-1.2.3.tgz", "@scope/name", "1.2.3"},
		{"https://registry.example/repository/npm/JSONStream/-/JSONStream-1.3.5.tgz?x=1#y", "JSONStream", "1.3.5"},
		{"http://registry.example/a/-/a-1.0.0-beta.1+b.tgz", "a", "1.0.0-beta.1+b"},
		{"https://registry.example/a-1/-/a-1-2.0.0.tgz", "a-1", "2.0.0"},
		{"https://registry.example/api/packages/o/npm/%40scope%2Fname/-/1.2.3/name-1.2.3.tgz", "@scope/name", "1.2.3"},
		{"https://registry.example/download/@scope/name/1.2.3/0123456789abcdef0123456789abcdef01234567", "@scope/name", "1.2.3"},
		{"https://registry.example/~/11/@jsr/std__path/1.0.8.tgz", "@jsr/std__path", "1.0.8"},
		{"https://registry.example/a/download/a-1.0.0.tgz", "a", "1.0.0"},
		{"https://registry.example/@scope/a/download/@scope/a-1.0.0.tgz", "@scope/a", "1.0.0"},

		{"https://registry.example/good/-/evil-1.0.0.tgz", "", ""},
		{"https://registry.example/evil/-/good/-/good-1.0.0.tgz", "", ""},
		{"https://registry.example/a/-/2.0.0/a-1.0.0.tgz", "", ""},
		{"https://registry.example/x/download/@scope/name/1.2.3/0123456789abcdef0123456789abcdef01234567", "", ""},
		{"https://registry.example/@scope/good/-/@other/good-1.0.0.tgz", "", ""},
		{"https://registry.example/a/-/a-latest.tgz", "", ""},
		{"https://registry.example/a/-/a-1.0.0.zip", "", ""},
		{"https://registry.example/a/-/x/a-1.0.0.tgz", "", ""},
		{"https://registry.example/download/@scope/name/1.2.3/0123456789abcdef", "", ""},
		{"https://registry.example/a-1.0.0.tgz", "", ""},
		{"git+https://registry.example/a/-/a-1.0.0.tgz", "", ""},
		{"file:a/-/a-1.0.0.tgz", "", ""},
		{"", "", ""},
		{"https://registry.example/a/-/a-%zz.tgz", "", ""},
	} {
		if name, version := namedByURL(tc.url); name != tc.name || version != tc.version {
			t.Errorf("%s: %q %q, want %q %q", tc.url, name, version, tc.name, tc.version)
		}
	}
}

func TestParseSpec(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, tc := range []struct {
		spec string
		want request
	}{
		{"^1.0.0", request{name: "x"}},
		{"1.2.3", request{name: "x", version: "1.2.3"}},
		{"=v1.2.3-rc.1", request{name: "x", version: "1.2.3-rc.1"}},
		{"", request{name: "x"}},
		{"latest", request{name: "x"}},
		{"1.2.3 || 2", request{name: "x"}},
		{"npm:@scope/real@1.0.0", request{name: "@scope/real", version: "1.0.0"}},
		{"npm:@scope/real", request{name: "@scope/real"}},
		{"owner/repo#" + commit, request{name: "x", source: sbom.FromGit, url: "git+https://github.com/owner/repo.git#" + commit}},
		{"gitlab:owner/repo#main", request{name: "x", source: sbom.FromGit, url: "git+https://gitlab.com/owner/repo.git"}},
		{"github:user:hunter2@owner/repo", request{name: "x", source: sbom.FromGit, url: "git+https://github.com/owner/repo.git"}},
		{"git+https://user:hunter2@host.example/r.git#" + commit, request{name: "x", source: sbom.FromGit, url: "git+https://host.example/r.git#" + commit}},
		{"git@host.example:owner/r.git", request{name: "x", source: sbom.FromGit, url: "host.example:owner/r.git"}},
		{"https://github.com/owner/repo", request{name: "x", source: sbom.FromGit, url: "git+https://github.com/owner/repo"}},
		{"https://user:hunter2@host.example/x.tgz?token=hunter2", request{name: "x", source: sbom.FromTarball, url: "https://host.example/x.tgz"}},
		{"file:../x", request{name: "x", source: sbom.FromFile}},
		{"./x.tgz", request{name: "x", source: sbom.FromFile}},
		{"link:../x", request{name: "x", source: sbom.FromLink}},
		{"workspace:*", request{name: "x"}},
		{"catalog:", request{name: "x"}},
	} {
		if got := parseSpec("x", tc.spec); got != tc.want {
			t.Errorf("%q: %+v, want %+v", tc.spec, got, tc.want)
		}
		if shown := redactSpec(tc.spec); strings.Contains(shown, "hunter2") {
			t.Errorf("%q is shown as %q", tc.spec, shown)
		}
	}
	for spec, want := range map[string]string{
		"^1.0.0 || >=2 <3":            "^1.0.0 || >=2 <3",
		"npm:@a/b@^1":                 "npm:@a/b@^1",
		"npm:a:hunter2@h/x@1":         "npm:REDACTED",
		"user:hunter2@owner/repo":     "owner/repo",
		"workspace:@a/b@^1":           "workspace:@a/b@^1",
		"git@host.example:o/r.git#v1": "host.example:o/r.git",
		"owner/repo#semver:^1":        "owner/repo",
	} {
		if got := redactSpec(spec); got != want {
			t.Errorf("redactSpec(%q) = %q, want %q", spec, got, want)
		}
	}
}

func TestWorkspacePatterns(t *testing.T) {
	for _, tc := range []struct {
		patterns []string
		yes, no  string
	}{
		{[]string{"packages/*"}, "packages/a packages/b.c", "packages packages/.a packages/a/b packages/a/node_modules/b xpackages/a"},
		{[]string{"./packages/*/"}, "packages/a", "packages/a/b"},
		{[]string{"packages/**"}, "packages/a packages/a/b", "packages packages/node_modules/a"},
		{[]string{"**/lib"}, "lib a/lib a/b/lib", "a/libx node_modules/lib"},
		{[]string{"apps/{web,api-*}", "one"}, "apps/web apps/api-x one", "apps/api one/two"},
		{[]string{"packages/*", "!packages/skip"}, "packages/a", "packages/skip"},
		{[]string{"!packages/skip", "packages/*", "packages/skip"}, "packages/a packages/skip", "x"},
		{[]string{"packages/[a-c]?"}, "packages/ax packages/c1", "packages/d1 packages/a"},
		{[]string{"packages/[!a]"}, "packages/b", "packages/a"},
		{[]string{"../out/*"}, "../out/a", "out/a"},
		{[]string{"a+b.c"}, "a+b.c", "aab.c a+bxc"},
	} {
		members, err := compileWorkspaces(tc.patterns)
		if err != nil {
			t.Errorf("%q: %v", tc.patterns, err)
			continue
		}
		for p := range strings.FieldsSeq(tc.yes) {
			if !members.match(p) {
				t.Errorf("%q does not match %s", tc.patterns, p)
			}
		}
		for p := range strings.FieldsSeq(tc.no) {
			if members.match(p) {
				t.Errorf("%q matches %s", tc.patterns, p)
			}
		}
	}
	many := make([]string, maxGlobs+1)
	for i := range many {
		many[i] = "a/*"
	}
	for _, bad := range [][]string{{"a[z-a]"}, many} {
		if _, err := compileWorkspaces(bad); err == nil {
			t.Errorf("%.40q is accepted", bad)
		}
	}
}

// A hundred patterns that look everywhere are held against so many folders only that
// it takes seconds, in total; then nobody knows which are members.
func TestWorkspacesThatTakeTooLong(t *testing.T) {
	members, err := compileWorkspaces([]string{"**/*a*b", "!c/*", "plain"})
	if err != nil {
		t.Fatal(err)
	}
	if want := len("**/*a*b") + len("c/*"); members.left != maxMatching || members.size != want {
		t.Errorf("left %d, want %d; size %d, want %d", members.left, maxMatching, members.size, want)
	}
	if members.match("node_modules/a"); members.left != maxMatching {
		t.Error("what is no member anyway costs something")
	}
	if !members.match("aab") || members.exhausted() {
		t.Error("aab is no member")
	}
	members.left = 0
	if members.match("plain") || !members.exhausted() {
		t.Error("there is no end of it")
	}
	many := make([]string, maxGlobs)
	for i := range many {
		many[i] = "**/" + strings.Repeat("*a", maxGlob/2-2)
	}
	root := `"": {"name": "app", "workspaces": ["` + strings.Join(many, `","`) + `"]}`
	var folders []string
	for i := range maxMatching/(maxGlobs*(maxGlob-1)*maxKey*9/10) + 2 {
		folders = append(folders, fmt.Sprintf(`"%s%03d": {"version": "1.0.0"}`, strings.Repeat("b/", 100)+strings.Repeat("c", maxKey-300), i))
	}
	want := func(files map[string]string, problem string) {
		t.Helper()
		if got := problems(scan(t, files)); !slices.Contains(got, problem) {
			t.Errorf("no problem %q, but %d others", problem, len(got))
		}
	}
	want(map[string]string{PackageLock: lock(append([]string{root}, folders...)...)}, "package-lock.json:2: invalid: "+tooManyMembers)
	manifest := `{"name": "app", "private": true, "workspaces": ["` + strings.Join(many, `","`) + `"]}`
	files := map[string]string{YarnLock: "# yarn lockfile v1\n\n\n", Manifest: manifest}
	for i := range 60 {
		files[fmt.Sprintf("%s%03d/package.json", strings.Repeat("c", maxKey-300), i)] = "{}"
	}
	want(files, "package.json:1: invalid: "+tooManyMembers)
}
