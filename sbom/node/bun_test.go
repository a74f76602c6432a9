package node

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"countermark/sbom"
)

// bunLock returns a bun.lock: what stands in the project's own entry, in line 4,
// and the packages, one a line from line 7 on.
func bunLock(project string, packages ...string) string {
	return "{\n  \"lockfileVersion\": 1, // of Bun 1.2\n  \"workspaces\": {\n    \"\": {\"name\": \"app\", " + project + ",},\n  },\n  \"packages\": {\n" +
		strings.Join(packages, ",\n") + ",\n  },\n}\n"
}

func bunProject(t testing.TB) map[string]string {
	return with(archive(t, "bun/workspace.txtar"), BunLock, string(gunzip(t, "bun/bun.lock.gz")))
}

// TestSameAsBun compares the inventory of a real workspace with what Bun itself
// says: the folders of its lockfile by `bun pm ls --all`, and the edges as Node.js
// finds them in what it installed.
func TestSameAsBun(t *testing.T) {
	inv := scan(t, bunProject(t))
	wantProblems(t, inv, `bun.lock:791: warning: "node_modules/npm" brings packages along`)
	says := strings.Split(strings.TrimSpace(string(gunzip(t, "bun/bun.txt.gz"))), "\n")
	var folders, edges []string
	installed := map[string]bool{}
	for _, line := range says {
		word, rest, _ := strings.Cut(line, " ")
		if word == "folder" {
			folders = append(folders, rest)
			continue
		}
		edges = append(edges, rest)
		for id := range strings.FieldsSeq(rest) {
			installed[id] = true
		}
	}
	if len(folders) < 700 || len(edges) < 900 {
		t.Fatalf("%d folders, %d edges", len(folders), len(edges))
	}
	id := func(c *sbom.Component) string { return c.Name + "@" + c.Version }
	var gotEdges []string
	for from, to := range inv.Edges {
		for _, to := range to {
			from, to := inv.Component(from), inv.Component(to)
			if from == inv.Root && to.Source == sbom.FromProject {
				continue
			}
			// What is for other systems only was not installed.
			if from.Bundled || to.Bundled || from.Name == "npm" {
				continue // what npm's tarball holds is not what Bun locks
			}
			if installed[id(from)] && installed[id(to)] {
				gotEdges = append(gotEdges, id(from)+" "+id(to))
			}
		}
	}
	slices.Sort(gotEdges)
	// Bun's lockfile does not say which version an archive holds.
	all := len(edges)
	edges = slices.DeleteFunc(edges, func(e string) bool {
		return e == "webapp@1.0.0 ms@2.1.1" || e == "webapp@1.0.0 is-number@7.0.0"
	})
	if len(edges) != all-2 {
		t.Errorf("%d edges to archives", all-len(edges))
	}
	if diff := gocmp.Diff(edges, gotEdges); diff != "" {
		t.Errorf("edges (-bun +countermark):\n%s", diff)
	}
	if diff := gocmp.Diff(folders, bunFolders(inv)); diff != "" {
		t.Errorf("folders (-bun +countermark):\n%s", diff)
	}
	for _, c := range inv.Components {
		if c.Extraneous || c.Conflict != "" || (c.Coverage != sbom.CompleteCoverage) != (c.Name == "npm") || len(c.Occurrences) == 0 {
			t.Errorf("%+v", c)
		}
	}
}

// bunFolders names the folder of each package as `bun pm ls --all` does.
func bunFolders(inv *sbom.Inventory) (out []string) {
	shown := map[string]string{} // by path
	for _, c := range inv.Components {
		for _, o := range c.Occurrences {
			if o.Install == "" {
				continue
			}
			version := c.Version
			switch {
			case c.Source == sbom.FromProject:
				for _, p := range c.Properties {
					if p.Name == PropertyPath && !strings.HasPrefix(p.Value, "node_modules/") {
						version = "workspace:" + p.Value
					}
				}
			case c.Name == "left":
				version = "vendor/left"
			case c.Name == "ms" && version == "":
				version = "./vendor/ms.tgz"
			case c.Source == sbom.FromTarball:
				version = c.Resolved
			}
			shown[o.Install] = folderName(o.Install) + "@" + version
		}
	}
	for path := range shown {
		if !strings.HasPrefix("/"+path, "/node_modules/") && !strings.Contains(path, "/node_modules/") {
			continue
		}
		var names []string
		for at := path; at != ""; {
			i := strings.LastIndex("/"+at, "/node_modules/")
			if i < 0 { // the folder of a member
				for link, text := range shown {
					if strings.HasPrefix(link, "node_modules/") && strings.HasSuffix(text, "workspace:"+at) {
						names = append([]string{text}, names...)
					}
				}
				break
			}
			names = append([]string{shown[at]}, names...)
			at = at[:max(i-1, 0)]
		}
		out = append(out, strings.Join(names, " > "))
	}
	slices.Sort(out)
	return out
}

// TestReadBun reads every shape of an entry.
func TestReadBun(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	locked := `{
  "lockfileVersion": 1,
  "configVersion": 1,
  "workspaces": {
    "": {
      "name": "app",
      "dependencies": {"a": "^1.0.0", "alias": "npm:@s/real@2", "g": "git+https://user:hunter2@host.example/g.git", "h": "github:o/h#main", "t": "https://files.example/t.tgz", "arc": "./vendor/arc.tgz", "dir": "file:dir", "cat": "catalog:", "cat2": "catalog:old"},
      "devDependencies": {"d": "1", "m": "workspace:*"},
      "optionalDependencies": {"native": "1"},
      "peerDependencies": {"p": "*", "gone": "*"},
      "optionalPeers": ["gone"],
    },
    "pkg/m": {"name": "m", "version": "0.1.0", "bin": {"em": "x.js"}, "dependencies": {"a": "^2.0.0"}},
  },
  "trustedDependencies": ["native"],
  "patchedDependencies": {"a@1.0.0": "patches/a.patch"},
  "overrides": {"b": "3.0.0"},
  "catalog": {"cat": "1.0.0"},
  "catalogs": {"old": {"cat2": "2.0.0"}},
  "packages": {
    "a": ["a@1.0.0", "", {"dependencies": {"b": "1"}, "peerDependencies": {"p": "*", "q": "*"}, "optionalPeers": ["q"], "bin": "x.js"}, "SRI"],
    "alias": ["@s/real@2.0.0", "https://registry.example/@s/real/-/real-2.0.0.tgz", {"dependencies": {"inner": "1"}}, "SRI"],
    "arc": ["arc@./vendor/arc.tgz", {}, "SRI"],
    "b": ["b@3.0.0", "", {}, "SRI"],
    "cat": ["cat@1.0.0", "", {}, "SRI"],
    "cat2": ["cat2@2.0.0", "", {}, "SRI"],
    "d": ["d@1.0.0", "", {"optionalDependencies": {"e": "1"}}, "SRI"],
    "dir": ["dir@file:dir", {"dependencies": {"a": "1"}}],
    "e": ["e@1.0.0", "", {"os": ["darwin", "linux"], "cpu": "arm64"}, "SRI"],
    "g": ["g@git+https://user:hunter2@host.example/g.git#COMMIT", {}, "COMMIT"],
    "h": ["h@github:o/h#0123456", {}, "o-h-0123456", "SRI"],
    "m": ["m@workspace:pkg/m"],
    "native": ["native@1.0.0", "", {}, ""],
    "p": ["p@1.0.0", "", {}, "SRI"],
    "t": ["t@https://files.example/t.tgz", {}, "SRI"],
    "alias/inner": ["inner@1.0.0", "", {"bundled": true, "dependencies": {"b": "1"}}, "SRI"],
    "alias/inner/b": ["b@1.0.0", "", {}, "SRI"],
    "m/a": ["a@2.0.0", "", {}, "SRI"],
  },
}
`
	manifest := `{"name": "app", "version": "1.0.0", "workspaces": {"packages": ["pkg/*"], "catalog": {"cat": "1.0.0"}, "catalogs": {"old": {"cat2": "2.0.0"}}},
"dependencies": {"a": "^1.0.0", "alias": "npm:@s/real@2", "g": "git+https://user:hunter2@host.example/g.git", "h": "github:o/h#main", "t": "https://files.example/t.tgz", "arc": "./vendor/arc.tgz", "dir": "file:dir", "cat": "catalog:", "cat2": "catalog:old"},
"devDependencies": {"d": "1", "m": "workspace:*"}, "optionalDependencies": {"native": "1"}, "peerDependencies": {"p": "*", "gone": "*"}, "peerDependenciesMeta": {"gone": {"optional": true}},
"overrides": {"b": "3.0.0"}}`
	files := map[string]string{
		BunLock:              strings.NewReplacer("SRI", sri, "COMMIT", commit).Replace(locked),
		"package.json":       manifest,
		"pkg/m/package.json": `{"name": "m", "version": "0.1.0", "bin": {"em": "x.js"}, "dependencies": {"a": "^2.0.0"}}`,
		"dir/package.json":   `{"name": "dir", "version": "4.0.0", "dependencies": {"a": "1"}, "devDependencies": {"elsewhere": "1"}}`,
	}
	inv := scan(t, files)
	wantProblems(t, inv, `bun.lock:22: warning: "node_modules/alias" brings packages along`)
	const (
		git  = "pkg:npm/g?vcs_url=git%2Bhttps:%2F%2Fhost.example%2Fg.git%23" + commit
		hub  = "pkg:npm/h?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fh.git%230123456"
		file = "pkg:npm/t?download_url=https:%2F%2Ffiles.example%2Ft.tgz"
	)
	root := "pkg:npm/app@1.0.0 -> "
	wantEdges(t, inv,
		"pkg:npm/%40s/real@2.0.0 -> pkg:npm/inner@1.0.0",
		"pkg:npm/a@1.0.0 -> pkg:npm/b@3.0.0", "pkg:npm/a@1.0.0 -> pkg:npm/p@1.0.0",
		root+"npm:vendor/arc.tgz#arc", root+"pkg:npm/%40s/real@2.0.0", root+"pkg:npm/a@1.0.0", root+"pkg:npm/cat2@2.0.0", root+"pkg:npm/cat@1.0.0",
		root+"pkg:npm/d@1.0.0", root+"pkg:npm/dir@4.0.0", root+git, root+hub, root+"pkg:npm/m@0.1.0", root+"pkg:npm/native@1.0.0", root+"pkg:npm/p@1.0.0", root+file,
		"pkg:npm/d@1.0.0 -> pkg:npm/e@1.0.0",
		"pkg:npm/dir@4.0.0 -> pkg:npm/a@1.0.0",
		"pkg:npm/inner@1.0.0 -> pkg:npm/b@1.0.0",
		"pkg:npm/m@0.1.0 -> pkg:npm/a@2.0.0",
	)
	for ref, want := range map[string]struct {
		scope  sbom.Scope
		source sbom.Source
		hashes int
	}{
		"pkg:npm/a@1.0.0": {sbom.Required, sbom.FromRegistry, 1}, "pkg:npm/d@1.0.0": {sbom.Excluded, sbom.FromRegistry, 1},
		"pkg:npm/e@1.0.0": {sbom.Excluded, sbom.FromRegistry, 1}, "pkg:npm/native@1.0.0": {sbom.Optional, sbom.FromRegistry, 0},
		"pkg:npm/inner@1.0.0": {sbom.Required, sbom.FromParent, 0}, "pkg:npm/b@1.0.0": {sbom.Required, sbom.FromParent, 0},
		git: {sbom.Required, sbom.FromGit, 0}, hub: {sbom.Required, sbom.FromGit, 1}, file: {sbom.Required, sbom.FromTarball, 1},
		"npm:vendor/arc.tgz#arc": {sbom.Required, sbom.FromFile, 1}, "pkg:npm/dir@4.0.0": {sbom.Required, sbom.FromFile, 0},
		"pkg:npm/m@0.1.0": {sbom.Required, sbom.FromProject, 0}, "pkg:npm/p@1.0.0": {sbom.Required, sbom.FromRegistry, 1},
	} {
		c := component(t, inv, ref)
		if c.Scope != want.scope || c.Source != want.source || len(c.Hashes) != want.hashes {
			t.Errorf("%s: %s, %s, %d hashes, want %+v", ref, c.Scope, c.Source, len(c.Hashes), want)
		}
	}
	if got := component(t, inv, "pkg:npm/a@1.0.0").Patches; len(got) != 1 || got[0].Path != "patches/a.patch" {
		t.Errorf("patches %+v", got)
	}
	for ref, want := range map[string]sbom.Property{
		"pkg:npm/native@1.0.0": {Name: PropertyBunTrusted, Value: "true"}, "pkg:npm/e@1.0.0": {Name: PropertyBunOS, Value: "darwin"},
		"pkg:npm/%40s/real@2.0.0": {Name: PropertyAlias, Value: "alias"}, "pkg:npm/m@0.1.0": {Name: PropertyBin, Value: "em"},
	} {
		if c := component(t, inv, ref); !slices.Contains(c.Properties, want) {
			t.Errorf("%s lacks %+v: %+v", ref, want, c.Properties)
		}
	}
	if text := dump(t, inv); strings.Contains(text, "hunter2") {
		t.Error("a password comes out")
	}
}

func TestBunProblems(t *testing.T) {
	one := bunLock(`"dependencies": {"a": "^1.0.0"}`, `"a": ["a@1.0.0", "", {}, "`+sri+`"]`)
	edit := func(old, with string) string { return strings.Replace(one, old, with, 1) }
	const manifest = `{"name": "app", "dependencies": {"a": "^1.0.0"}}`
	for name, tt := range map[string]struct {
		locked, manifest string
		want             []string
	}{
		"fine":           {one, manifest, nil},
		"empty":          {"", manifest, []string{"bun.lock:1: invalid: invalid JSON: the file ends too early"}},
		"list":           {"[]", manifest, []string{"bun.lock:1: invalid: a lockfile must be an object, not an array"}},
		"no version":     {edit(`"lockfileVersion": 1,`, ""), manifest, []string{"bun.lock:1: invalid: no lockfileVersion"}},
		"odd version":    {edit(`"lockfileVersion": 1`, `"lockfileVersion": "1"`), manifest, []string{`bun.lock:2: invalid: "lockfileVersion" must be a number`}},
		"new version":    {edit(`"lockfileVersion": 1`, `"lockfileVersion": 4`), manifest, []string{"bun.lock:2: unsupported: this lockfileVersion"}},
		"half a version": {edit(`"lockfileVersion": 1`, `"lockfileVersion": 1.5`), manifest, []string{"bun.lock:2: unsupported: this lockfileVersion"}},
		"version 2":      {edit(`"lockfileVersion": 1`, `"lockfileVersion": 2`), manifest, nil},
		"version 3":      {edit(`"lockfileVersion": 1`, `"lockfileVersion": 3`), manifest, nil},
		"no project":     {edit(`"": {`, `"x": {`), manifest, []string{`bun.lock:1: invalid: no entry "" among the workspaces`}},
		"no packages":    {edit(`"packages"`, `"package"`), manifest, []string{`bun.lock:6: invalid: "package" stands where "packages" is expected`, `bun.lock:4: invalid: the project depends on "a"`}},
		"twice":          {bunLock(`"dependencies": {"a": "^1.0.0"}`, `"a": ["a@1.0.0", "", {}, ""]`, `"a": ["a@1.0.1", "", {}, ""]`), manifest, []string{`bun.lock:8: invalid: "a" stands twice`}},
		"conflict":       {edit(`    "": {`, "<<<<<<< HEAD\n    \"\": {"), manifest, []string{"bun.lock:4: invalid: invalid JSON: expected a name"}},
		"key":            {edit(`"a": [`, `"a//b": [`), manifest, []string{`bun.lock:7: invalid: the key "a//b"`, `bun.lock:4: invalid: the project depends on "a"`}},
		"around":         {edit(`"a": [`, `"x/a": [`), manifest, []string{`bun.lock:7: invalid: the package around "x/a"`, `bun.lock:4: invalid: the project depends on "a"`}},
		"no array":       {edit(`["a@1.0.0", "", {}, "`+sri+`"]`, `{}`), manifest, []string{`bun.lock:7: invalid: "a" must be an array`, `bun.lock:4: invalid: the project depends`}},
		"empty array":    {edit(`["a@1.0.0", "", {}, "`+sri+`"]`, `[]`), manifest, []string{`bun.lock:7: invalid: "a" does not begin with`, `bun.lock:4: invalid: the project depends`}},
		"no registry":    {edit(`"a@1.0.0", ""`, `"a@1.0.0"`), manifest, []string{`bun.lock:7: invalid: "a" does not say from which registry`, `bun.lock:4: invalid: the project depends`}},
		"no info":        {edit(`"", {}`, `""`), manifest, []string{`bun.lock:7: invalid: "a" does not say what it depends on`, `bun.lock:4: invalid: the project depends`}},
		"no integrity":   {edit(`, "`+sri+`"]`, `]`), manifest, []string{`bun.lock:7: invalid: "a" ends without its integrity`}},
		"integrity":      {edit(sri, "sha512-AAAA"), manifest, []string{`bun.lock:7: invalid: the integrity of "a": not a sha512`}},
		"no tag":         {edit(`["a@1.0.0", "", {}, "`+sri+`"]`, `["a@git+https://h.example/a.git#0", {}]`), manifest, []string{`bun.lock:7: invalid: "a" does not say which commit`, `bun.lock:4: invalid: the project depends`}},
		"resolution":     {edit("a@1.0.0", "a"), manifest, []string{`bun.lock:7: invalid: "a" is not resolved`, `bun.lock:4: invalid: the project depends`}},
		"unknown way":    {edit("a@1.0.0", "a@magic:1"), manifest, []string{`bun.lock:7: unsupported: "a" is resolved in a way`, `bun.lock:4: invalid: the project depends`}},
		"workspace":      {edit(`["a@1.0.0", "", {}, "`+sri+`"]`, `["a@workspace:gone"]`), manifest, []string{`bun.lock:7: invalid: the target of the link`}},
		"stale":          {one, `{"name": "app", "dependencies": {"a": "^2.0.0"}}`, []string{"package.json:1: invalid: \"a\" does not fit \"bun.lock\", so `bun install --frozen-lockfile`"}},
		"from elsewhere": {edit(`["a@1.0.0", "", {}, "`+sri+`"]`, `["a@https://evil.example/a.tgz", {}]`), manifest, []string{`bun.lock:7: invalid: "node_modules/a" is another package, or from elsewhere`}},
		"another":        {edit("a@1.0.0", "b@1.0.0"), manifest, []string{`bun.lock:7: invalid: "node_modules/a" is another package, or from elsewhere`}},
		"override":       {one, `{"name": "app", "dependencies": {"a": "^1.0.0"}, "overrides": {"b": "1"}}`, []string{`package.json:1: invalid: the override of "b" is not`}},
		"undeclared":     {edit(`"packages"`, "\"overrides\": {\"b\": \"1\"},\n  \"packages\""), manifest, []string{`bun.lock:6: invalid: package.json declares no override of "b"`}},
		"catalog":        {edit(`"packages"`, "\"catalog\": {\"b\": \"1\"},\n  \"packages\""), `{"name": "app", "dependencies": {"a": "^1.0.0"}, "catalog": {"b": "2"}}`, []string{`package.json:1: invalid: "b" has another range in the catalog`}},
		"no patch":       {edit(`"packages"`, "\"patchedDependencies\": {\"b@1.0.0\": \"../b.patch\"},\n  \"packages\""), manifest, []string{`bun.lock:6: invalid: the patch of "b@1.0.0" is no file`, `bun.lock:6: warning: the patch of "b@1.0.0" is for no package`}},
		"member outside": {edit(`  },`, "    \"../m\": {\"name\": \"m\"},\n  },"), manifest, []string{`bun.lock:5: invalid: the folder "../m" of a workspace member lies outside`}},
		"member's name":  {edit(`  },`, "    \"m\": {},\n  },"), manifest, []string{`bun.lock:5: invalid: the workspace member in "m" has no name`}},
		"peer":           {bunLock(`"dependencies": {"a": "^1.0.0"}`, `"a": ["a@1.0.0", "", {"peerDependencies": {"p": "1"}}, ""]`), manifest, []string{`bun.lock:7: invalid: "node_modules/a" depends on "p"`}},
		"comment":        {edit("// of", "/* of"), manifest, []string{"bun.lock:2: invalid: invalid JSON: "}},
	} {
		t.Run(name, func(t *testing.T) {
			wantProblems(t, scan(t, map[string]string{BunLock: tt.locked, "package.json": tt.manifest}), tt.want...)
		})
	}
}

// TestSharedBun reads lockfiles that others have written.
func TestSharedBun(t *testing.T) {
	for name, want := range map[string]int{"bun-alias": 4, "bun-commits": 18, "bun-workspaces": 4} {
		t.Run(name, func(t *testing.T) {
			locked := shared(t, "lockfiles/"+name+"/bun.lock")
			inv := scan(t, map[string]string{BunLock: string(locked)})
			wantProblems(t, inv)
			if len(inv.Components) != want || bytes.Count(locked, []byte(`": ["`)) < want {
				t.Errorf("%d components, want %d", len(inv.Components), want)
			}
			for _, c := range inv.Components {
				if c.Extraneous || len(inv.Edges) == 0 {
					t.Errorf("%+v", c)
				}
			}
		})
	}
	inv := scan(t, map[string]string{BunLock: string(shared(t, "lockfiles/bun-alias/bun.lock"))})
	wantEdges(t, inv, "pkg:npm/supports-color@6.1.0 -> pkg:npm/has-flag@3.0.0", "pkg:npm/supports-color@7.2.0 -> pkg:npm/has-flag@4.0.0",
		"project -> pkg:npm/supports-color@6.1.0", "project -> pkg:npm/supports-color@7.2.0")
}

func TestBunKey(t *testing.T) {
	for key, want := range map[string][]string{
		"a": {"a"}, "a/b": {"a", "b"}, "@s/a": {"@s/a"}, "@s/a/b/@t/c": {"@s/a", "b", "@t/c"},
		"": nil, "a/": nil, "/a": nil, "@s": nil, "a/@s": nil, "a//b": nil, "../a": nil, "a/../b": nil,
	} {
		if got := bunKey(key); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

// TestBunOverrides has overrides as Bun 1.4 reads them, and what it writes of them.
func TestBunOverrides(t *testing.T) {
	none := []string(nil)
	for _, tt := range []struct {
		declared string // in package.json
		version  int    // of the lockfile
		locked   string // its overrides
		want     []string
	}{
		{`"overrides": {"a": {"b": "1.0.2"}}`, 3, `{"a": {"b": "1.0.2"}}`, none},
		{`"overrides": {"a>b": "1.0.2"}`, 3, `{"a": {"b": "1.0.2"}}`, none},
		{`"overrides": {"a": {".": "1.0.2", "b@2": "$a"}}`, 3, `{"a": {".": "1.0.2", "b@2": "^1.0.0"}}`, none},
		{`"overrides": {"a": {".": "1.0.2"}}`, 2, `{"a": "1.0.2"}`, none},
		{`"overrides": {"@s/a@>=1 <2": "1.0.2"}`, 3, `{"@s/a@>=1 <2": {".": "1.0.2"}}`, none},
		{`"resolutions": {"@s/a@1/**/b@npm:2": "1.0.2", "**/a": "1"}`, 3, `{"@s/a@1": {"b@2": "1.0.2"}, "a": "1"}`, none},
		{`"overrides": {}, "resolutions": {"b": "1.0.2"}`, 2, `{}`, none},
		{`"overrides": {"c": "1"}, "resolutions": {"b": "1.0.2"}`, 2, `{"c": "1"}`, none},
		{`"overrides": {"a": {"b": "1.0.2"}}`, 3, `{"a": {"b": "1.0.3"}}`, []string{`package.json:2: invalid: the override of "a>b" is not`}},
		{`"overrides": {"a": {"b": "1.0.2"}}`, 3, `{}`, []string{`package.json:2: invalid: the override of "a>b" is not`}},
		{`"name": "x"`, 3, `{"a": {"b": "1.0.2"}}`, []string{`bun.lock:6: invalid: package.json declares no override of "a>b"`}},
		{`"overrides": {"a": {"b": "1.0.2"}}`, 2, `{}`, []string{`package.json:2: warning: the Bun that wrote "bun.lock" ignores the override of "b"`}},
		{`"overrides": {"a": {"b": {"c": "1"}}}`, 3, `{}`, []string{`package.json:2: warning: …ignores the override of "b"`}},
		{`"overrides": {"a/b/c": "1", "a@latest": "1", "d": ""}`, 3, `{}`, []string{`package.json:2: warning: …of "a/b/c"`, `package.json:2: warning: …of "a@latest"`, `package.json:2: warning: …of "d"`}},
		{`"overrides": {"b": "1"}`, 3, `{"b": [1]}`, []string{`bun.lock:6: invalid: "b" must be a string`, `package.json:2: invalid: the override of "b"`}},
	} {
		locked := strings.Replace(bunLock(`"dependencies": {"a": "^1.0.0"}`, `"a": ["a@1.0.0", "", {}, "`+sri+`"]`), `"packages"`, `"overrides": `+tt.locked+",\n  \"packages\"", 1)
		locked = strings.Replace(locked, `"lockfileVersion": 1`, fmt.Sprintf(`"lockfileVersion": %d`, tt.version), 1)
		t.Run(tt.declared, func(t *testing.T) {
			inv := scan(t, map[string]string{BunLock: locked, Manifest: `{"dependencies": {"a": "^1.0.0"},` + "\n" + tt.declared + "}"})
			wantProblems(t, inv, tt.want...)
		})
	}
}
