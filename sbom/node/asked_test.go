package node

import (
	"slices"
	"strings"
	"testing"
)

// npm takes each of these locks for one that fits: it compares versions only.
func TestEntriesThatAreNotWhatIsAskedFor(t *testing.T) {
	const (
		git  = `"resolved": "git+https://git.example/evil/evil.git#0123456789abcdef0123456789abcdef01234567"`
		s    = `"node_modules/s": {"version": "7.8.6", `
		evil = `"node_modules/s": {"name": "evil", "version": "7.8.6", "resolved": "https://registry.example/evil/-/evil-7.8.6.tgz"}`
	)
	gitCopy, fileCopy := s+git+`}`, s+`"resolved": "file:evil.tgz"}`
	link := `"node_modules/s": {"link": true, "resolved": "packages/s"}, "packages/s": {"name": "s", "version": "7.8.6"}`
	const fork = `"node_modules/f": {"version": "1.0.0", "dependencies": {"s": "git+https://git.example/evil/evil.git"}}`
	for name, tc := range map[string]struct {
		manifest string // beside "a"
		root     string // of the lockfile, where it lies
		entries  []string
		bad      bool
	}{
		"registry":                   {entries: []string{s + `"resolved": "https://registry.example/s/-/s-7.8.6.tgz"}`}},
		"no URL":                     {entries: []string{s + `"license": "ISC"}`}},
		"git":                        {entries: []string{gitCopy}, bad: true},
		"file":                       {entries: []string{fileCopy}, bad: true},
		"another name":               {entries: []string{evil}, bad: true},
		"link":                       {entries: []string{link}, bad: true},
		"workspace member":           {manifest: `"workspaces": ["packages/*"]`, entries: []string{link}},
		"member of another name":     {manifest: `"workspaces": ["packages/*"]`, entries: []string{strings.Replace(link, `"name": "s"`, `"name": "x"`, 1), `"node_modules/x": {"link": true, "resolved": "packages/s"}`}, bad: true},
		"shared fork":                {entries: []string{gitCopy}, manifest: `"devDependencies": {"s": "evil/evil#a/branch"}`},
		"shared alias":               {entries: []string{evil}, manifest: `"optionalDependencies": {"s": "npm:evil@^7"}`},
		"shared link":                {entries: []string{link}, manifest: `"devDependencies": {"s": "file:packages/s"}`},
		"shared file":                {entries: []string{fileCopy}, manifest: `"devDependencies": {"s": "evil.tgz"}`},
		"fork of a package":          {entries: []string{gitCopy, fork}},
		"own range, fork elsewhere":  {entries: []string{gitCopy, fork}, manifest: `"devDependencies": {"s": "^7.0.0"}`, bad: true},
		"what the lockfile claims":   {entries: []string{gitCopy}, root: `"devDependencies": {"s": "evil/evil"}`, manifest: `"devDependencies": {"s": "^7.0.0"}`, bad: true},
		"and package.json does not":  {entries: []string{gitCopy}, root: `"devDependencies": {"s": "evil/evil"}`, manifest: `"private": true`, bad: true},
		"git asked, registry locked": {entries: []string{s + `"license": "ISC"}`}, manifest: `"devDependencies": {"s": "git+ssh://git@git.example/s/s.git"}`, bad: true},
		"file asked, git locked":     {entries: []string{gitCopy}, manifest: `"devDependencies": {"s": "file:s"}`, bad: true},
		"alias asked, name locked":   {entries: []string{s + `"license": "ISC"}`}, manifest: `"devDependencies": {"s": "npm:x@^7"}`, bad: true},
		"tarball by URL":             {entries: []string{evil}, manifest: `"devDependencies": {"s": "https://registry.example/evil/-/evil-7.8.6.tgz"}`},
		"override to an alias":       {entries: []string{evil}, manifest: `"overrides": {"a": {"s@7": "npm:evil@7.8.6"}}`, root: `"private": true`},
		"override to git":            {entries: []string{gitCopy}, manifest: `"overrides": {"s": "git+https://git.example/evil/evil.git"}`, root: `"private": true`},
		"override to another":        {entries: []string{gitCopy}, manifest: `"overrides": {"s": "^7.0.0"}`, root: `"private": true`, bad: true},
		"override by reference":      {entries: []string{gitCopy}, manifest: `"devDependencies": {"e": "git+https://git.example/evil/evil.git"}, "overrides": {"s": "$e"}`},
		"tag":                        {entries: []string{evil}, manifest: `"devDependencies": {"s": "latest"}`, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			entry := func(more string) string {
				if more != "" {
					more = ", " + more
				}
				return `{"name": "app", "dependencies": {"a": "^1.0.0"}` + more + `}`
			}
			root := tc.root
			if root == "" {
				root = tc.manifest
			}
			entries := slices.Concat([]string{
				`"": ` + entry(root),
				`"node_modules/a": {"version": "1.0.0", "dependencies": {"s": "^7.3.5"}, "peerDependencies": {"s": "*"}}`,
				`"node_modules/e": {"version": "7.8.6", ` + git + `}`,
			}, tc.entries)
			inv := scan(t, map[string]string{"package-lock.json": lock(entries...), "package.json": entry(tc.manifest)})
			got := strings.Join(problems(inv), "\n")
			if told := strings.Contains(got, `invalid: "node_modules/s" is another package`); told != tc.bad || !tc.bad && strings.Contains(got, "invalid") {
				t.Errorf("problems:\n%s", got)
			}
		})
	}
}

// What a member's package.json asks for, what comes inside of a package, and a
// lockfile whose package.json nobody knows.
func TestAskedByOthers(t *testing.T) {
	const odd = `"node_modules/s": {"name": "evil", "version": "7.8.6"}`
	files := map[string]string{
		"package.json": `{"name": "app", "workspaces": ["m"], "dependencies": {"s": "^7.0.0"}}`,
		"package-lock.json": lock(`"": {"name": "app", "workspaces": ["m"], "dependencies": {"s": "^7.0.0"}}`,
			`"m": {"name": "m", "version": "1.0.0", "dependencies": {"s": "npm:evil@^7"}}`,
			`"node_modules/m": {"link": true, "resolved": "m"}`, odd),
		"m/package.json": `{"name": "m", "version": "1.0.0", "dependencies": {"s": "npm:evil@^7"}}`,
	}
	wantProblems(t, scan(t, files))
	delete(files, "m/package.json")
	wantProblems(t, scan(t, files), `package-lock.json:5: invalid: "node_modules/s" is another package`)

	wantProblems(t, scan(t, map[string]string{"package-lock.json": lock(`"": {"dependencies": {"p": "1"}}`,
		`"node_modules/p": {"version": "1.0.0", "dependencies": {"in": "1"}, "bundleDependencies": ["in"]}`,
		`"node_modules/p/node_modules/in": {"name": "fork-of-in", "version": "1.0.0", "inBundle": true}`)}))

	wantProblems(t, scan(t, map[string]string{"package-lock.json": lock(`"": {"dependencies": {"a": "1"}}`,
		`"node_modules/a": {"version": "1.0.0", "dependencies": {"s": "7"}}`, odd)}),
		`package-lock.json:4: warning: "node_modules/s" is another package`)
	wantProblems(t, scan(t, map[string]string{"package-lock.json": lock(`"": {"dependencies": {"s": "7"}}`, odd)}),
		`package-lock.json:3: invalid: "node_modules/s" is another package`)
}
