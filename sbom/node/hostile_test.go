package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"countermark/sbom"
)

// hostileFormat is one format of lockfiles: the same project in each, in which a
// and b ask for each other.
type hostileFormat struct {
	name, file, text string
	entry            func(i int) string // one more package, for large files
	head, tail       string             // around such
	deep             string             // 10,000 levels; of yarn 1, where these would be 100 MB of blanks, 1,000
}

const hostileManifest = `{"name": "app", "version": "1.0.0", "dependencies": {"a": "^1.0.0"}}`

func hostileFormats() []hostileFormat {
	const levels = 10_000
	deepJSON := strings.Repeat(`{"x": `, levels)
	npm3 := `{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "app", "version": "1.0.0", "dependencies": {"a": "^1.0.0"}}`
	npm1 := `{"name": "app", "version": "1.0.0", "lockfileVersion": 1, "requires": true, "dependencies": {`
	bun := `{"lockfileVersion": 1, "workspaces": {"": {"name": "app", "dependencies": {"a": "^1.0.0"}}}, "packages": {`
	entry := func(format string) func(int) string {
		return func(i int) string { return fmt.Sprintf(strings.ReplaceAll(format, "SRI", sri), i) }
	}
	pnpm5 := "lockfileVersion: 5.4\nspecifiers:\n  a: ^1.0.0\ndependencies:\n  a: 1.0.0\npackages:\n"
	pnpm6 := "lockfileVersion: '6.0'\ndependencies:\n  a:\n    specifier: ^1.0.0\n    version: 1.0.0\npackages:\n"
	pnpm9 := "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: ^1.0.0\n        version: 1.0.0\n"
	deepYAML := "x: " + strings.Repeat("[", levels) + "\n"
	res := "    resolution: {integrity: " + sri + "}\n"
	berry := berryLock(berryEntry("app@workspace:.", "0.0.0-use.local", "app@workspace:.", "dependencies:\n    a: \"npm:^1.0.0\"")) + "\n"
	return []hostileFormat{
		{
			"npm 3", PackageLock,
			npm3 + `, "node_modules/a": {"version": "1.0.0", "integrity": "` + sri + `", "dependencies": {"b": "^1.0.0"}}, "node_modules/b": {"version": "1.0.0", "integrity": "` + sri + `", "dependencies": {"a": "^1.0.0"}}}}` + "\n",
			entry(`, "node_modules/p%d": {"version": "1.0.0", "integrity": "SRI"}`), npm3, "}}", deepJSON,
		},
		{
			"npm 1", PackageLock,
			npm1 + `"a": {"version": "1.0.0", "integrity": "` + sri + `", "requires": {"b": "^1.0.0"}}, "b": {"version": "1.0.0", "integrity": "` + sri + `", "requires": {"a": "^1.0.0"}}}}` + "\n",
			entry(`"p%d": {"version": "1.0.0", "integrity": "SRI"}, `), npm1, `"a": {"version": "1.0.0"}}}`, npm1 + strings.Repeat(`"x": {"version": "1.0.0", "dependencies": {`, levels),
		},
		{
			"yarn 1", YarnLock,
			classicLock("a@^1.0.0:\n  version \"1.0.0\"\n  integrity "+sri+"\n  dependencies:\n    b \"^1.0.0\"\n", "b@^1.0.0:\n  version \"1.0.0\"\n  integrity "+sri+"\n  dependencies:\n    a \"^1.0.0\"\n"),
			entry("p%d@^1.0.0:\n  version \"1.0.0\"\n  integrity SRI\n\n"), classicStart, "", classicStart + deepLines(levels/10),
		},
		{
			"yarn 4", YarnLock,
			berry + berryEntry("a@npm:^1.0.0", "1.0.0", "a@npm:1.0.0", "dependencies:\n    b: \"npm:^1.0.0\"") + "\n" + berryEntry("b@npm:^1.0.0", "1.0.0", "b@npm:1.0.0", "dependencies:\n    a: \"npm:^1.0.0\""),
			func(i int) string {
				return berryEntry(fmt.Sprintf("p%d@npm:^1.0.0", i), "1.0.0", fmt.Sprintf("p%d@npm:1.0.0", i)) + "\n"
			}, berry, "", berry + deepYAML,
		},
		{
			"pnpm 5", PNPMLock,
			pnpm5 + "  /a/1.0.0:\n" + res + "    dependencies:\n      b: 1.0.0\n  /b/1.0.0:\n" + res + "    dependencies:\n      a: 1.0.0\n",
			entry("  /p%d/1.0.0:\n    resolution: {integrity: SRI}\n"), pnpm5, "", pnpm5 + deepYAML,
		},
		{
			"pnpm 6", PNPMLock,
			pnpm6 + "  /a@1.0.0:\n" + res + "    dependencies:\n      b: 1.0.0\n  /b@1.0.0:\n" + res + "    dependencies:\n      a: 1.0.0\n",
			entry("  /p%d@1.0.0:\n    resolution: {integrity: SRI}\n"), pnpm6, "", pnpm6 + deepYAML,
		},
		{
			"pnpm 9", PNPMLock,
			pnpm9 + "packages:\n  a@1.0.0:\n" + res + "  b@1.0.0:\n" + res + "snapshots:\n  a@1.0.0:\n    dependencies:\n      b: 1.0.0\n  b@1.0.0:\n    dependencies:\n      a: 1.0.0\n",
			entry("  p%d@1.0.0:\n    resolution: {integrity: SRI}\n"), pnpm9 + "packages:\n", "", pnpm9 + deepYAML,
		},
		{
			"bun", BunLock,
			bun + `"a": ["a@1.0.0", "", {"dependencies": {"b": "^1.0.0"}}, "` + sri + `"], "b": ["b@1.0.0", "", {"dependencies": {"a": "^1.0.0"}}, "` + sri + `"]}}` + "\n",
			entry(`"p%[1]d": ["p@1.0.%[1]d", "", {}, "SRI"],`), bun, "}}", deepJSON,
		},
	}
}

// deepLines are lines of which each stands deeper than the one before.
func deepLines(levels int) string {
	var b strings.Builder
	for i := range levels {
		fmt.Fprintf(&b, "%sx:\n", strings.Repeat("  ", i))
	}
	return b.String()
}

// large is a lockfile of n packages.
func (f hostileFormat) large(n int) string {
	var text strings.Builder
	text.WriteString(f.head)
	for i := range n {
		text.WriteString(f.entry(i))
	}
	text.WriteString(f.tail)
	return text.String()
}

func (f hostileFormat) scan(t testing.TB, text string) *sbom.Inventory {
	return scan(t, map[string]string{f.file: text, "package.json": hostileManifest})
}

// graph is the packages and the edges of an inventory.
func graph(inv *sbom.Inventory) []string {
	out := edges(inv)
	for _, c := range inv.Components {
		out = append(out, c.Ref)
	}
	return out
}

// wantPlaced demands a problem that leaves the answer unknown, with its line.
func wantPlaced(t *testing.T, inv *sbom.Inventory, what string) {
	t.Helper()
	for _, in := range inv.Inputs {
		for _, p := range in.Problems {
			if p.Code != sbom.Warning && p.Line > 0 {
				return
			}
		}
	}
	t.Errorf("%s: no error with its line: %q", what, problems(inv))
}

// TestHostile: whatever is wrong with a lockfile of any format, there is an error
// with its line, and never an inventory that is called whole and is not.
func TestHostile(t *testing.T) {
	t.Parallel()
	for _, f := range hostileFormats() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			whole := f.scan(t, f.text)
			wantProblems(t, whole)
			want := graph(whole)
			root := whole.Root.Ref
			for _, edge := range []string{root + " -> pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0 -> pkg:npm/b@1.0.0", "pkg:npm/b@1.0.0 -> pkg:npm/a@1.0.0"} {
				if !slices.Contains(want, edge) {
					t.Errorf("the circle lacks %s: %q", edge, want)
				}
			}
			wantPlaced(t, f.scan(t, ""), "empty")
			wantPlaced(t, f.scan(t, "\n"), "blank")
			wantPlaced(t, f.scan(t, f.deep), "deep")
			for at := 1; at < len(strings.TrimSpace(f.text)); at++ {
				inv := f.scan(t, f.text[:at])
				if inv.Incomplete() {
					continue
				}
				// Of a format of lines, nobody can tell that whole lines are
				// missing which nothing before them promises.
				if f.file == PackageLock || f.file == BunLock || f.text[at-1] != '\n' && f.text[at] != '\n' {
					t.Errorf("cut at %d, and called complete: %q", at, f.text[:at])
				}
				for _, part := range graph(inv) {
					if !slices.Contains(want, part) {
						t.Errorf("cut at %d, %s is new", at, part)
					}
				}
			}
		})
	}
}

// TestWrongTypes replaces every value of every format by one of each other type.
// Where the graph is another one then, it is not called complete.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	others := []any{true, 1, "x", []any{}, map[string]any{}}
	for _, f := range hostileFormats() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			want := graph(f.scan(t, f.text))
			judge := func(text, what string) {
				inv := f.scan(t, text)
				if !inv.Incomplete() && !slices.Equal(graph(inv), want) {
					t.Errorf("%s: called complete with %q", what, graph(inv))
				}
			}
			if f.name == "yarn 1" {
				wrongLines(f.text, judge)
				return
			}
			var doc any
			if err := yaml.Unmarshal([]byte(f.text), &doc); err != nil {
				t.Fatal(err)
			}
			if got := graph(f.scan(t, asJSON(t, doc))); !slices.Equal(got, want) {
				t.Fatalf("written anew it is another one: %q", got)
			}
			mutate(doc, "", func(now any, put func(any), path string) {
				for _, other := range others {
					if fmt.Sprintf("%T", other) == fmt.Sprintf("%T", now) {
						continue
					}
					if list, ok := other.([]any); ok && f.name == "npm 3" && len(list) == 0 && strings.HasSuffix(path, "/dependencies") {
						continue // as old packages write that there are none
					}
					put(other)
					judge(asJSON(t, doc), fmt.Sprintf("%s = %v", path, other))
					put(now)
				}
			})
		})
	}
}

// asJSON writes a document with each key of its top on a line of its own: YAML is
// a superset of JSON.
func asJSON(t *testing.T, doc any) string {
	t.Helper()
	top, ok := doc.(map[string]any)
	if !ok {
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		return string(data) + "\n"
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(top)) {
		value, err := json.Marshal(top[key])
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%q: %s", key, value))
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n}\n"
}

// mutate visits every value below a document.
func mutate(doc any, path string, visit func(now any, put func(any), path string)) {
	switch doc := doc.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(doc)) {
			now := doc[key]
			mutate(now, path+"/"+key, visit)
			visit(now, func(v any) { doc[key] = v }, path+"/"+key)
		}
	case []any:
		for i, now := range doc {
			mutate(now, fmt.Sprintf("%s/%d", path, i), visit)
			visit(now, func(v any) { doc[i] = v }, fmt.Sprintf("%s/%d", path, i))
		}
	}
}

// wrongLines turns every line of yarn 1's form from a value into a block, and the
// other way round.
func wrongLines(text string, judge func(text, what string)) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" || word == "#" {
			continue
		}
		for _, with := range []string{indent + strings.TrimSuffix(word, ":") + ":", indent + strings.TrimSuffix(word, ":") + " x", indent + word, indent + `"`} {
			changed := slices.Clone(lines)
			if changed[i] == with {
				continue
			}
			changed[i] = with
			judge(strings.Join(changed, "\n"), fmt.Sprintf("line %d: %s", i+1, with))
		}
	}
}

// TestLimits: what holds more values than any lockfile is refused by name, before
// it needs more memory. The limits themselves would cost a minute to reach: what is
// counted here is a hundred, and how many it is otherwise is looked up.
func TestLimits(t *testing.T) {
	const few = 100
	p := newParser([]byte("[" + strings.Repeat("0,", few) + "0]"))
	if p.most != maxValues {
		t.Errorf("JSON: %d values are read, want %d", p.most, maxValues)
	}
	for most, want := range map[int]string{few + 2: "", few + 1: "more than 101 values"} {
		p := newParser([]byte("[" + strings.Repeat("0,", few) + "0]"))
		p.most = most
		if err := p.document(nil).err; want == "" && err != nil || want != "" && (err == nil || err.msg != want) {
			t.Errorf("JSON: %v", err)
		}
	}
	if c := newClassicParser(nil); c.most != maxYarnLines {
		t.Errorf("yarn 1: %d lines are read, want %d", c.most, maxYarnLines)
	}
	for most, want := range map[int]string{few: "", few - 1: "more than 99 lines"} {
		c := newClassicParser([]byte(strings.Repeat("a b\n", few)))
		c.most = most
		if _, err := c.read(); want == "" && err != nil || want != "" && (err == nil || err.msg != want) {
			t.Errorf("yarn 1: %v", err)
		}
	}
	if _, err := parseBerry([]byte("__metadata:\n"+strings.Repeat("a:\n", maxYAMLMarks)), newLines(nil), false); err == nil || err.msg != fmt.Sprintf("more than %d values", maxYAMLMarks) {
		t.Errorf("yarn 4: %v", err)
	}
}

// TestGrowth: what a lockfile of any format costs grows with its size and no faster,
// so that the limits of size and number bound it. What is allocated is counted, which
// no other program on the machine can disturb.
func TestGrowth(t *testing.T) {
	const few, times, perByte = 1000, 8, 128 * moreMemory
	for _, f := range hostileFormats() {
		cost := func(n int) (allocated uint64, size int) {
			text := f.large(n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f.scan(t, text)
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc, len(text)
		}
		cost(few) // what is made once
		small, _ := cost(few)
		large, size := cost(few * times)
		if large > small*times*3/2 {
			t.Errorf("%s: %d packages cost %d bytes, and %d cost %d", f.name, few, small, few*times, large)
		}
		if large > uint64(size)*perByte {
			t.Errorf("%s: %d bytes of memory for %d of the file", f.name, large, size)
		}
		t.Logf("%s: %d bytes of memory for each of the file, %.1f times as many for %d times the packages", f.name, large/uint64(size), float64(large)/float64(small), times)
	}
}

// TestSameBytes: line ends, the folder and the number of processors make no
// difference to what is read out of a lockfile.
func TestSameBytes(t *testing.T) {
	projects := map[string]map[string]string{
		"npm 11": {PackageLock: string(gunzip(t, "monorepo/package-lock.json.gz"))},
		"npm 6":  legacyProject(t),
		"bun":    bunProject(t),
		"yarn 1": with(yarnClassicProject, YarnLock, string(gunzip(t, "yarn/classic.lock.gz"))),
		"yarn 4": with(yarnBerryProject, YarnLock, string(gunzip(t, "yarn/berry.lock.gz"))),
	}
	for _, v := range []string{"7", "8", "9"} {
		files := "7"
		if v == "9" {
			files = v
		}
		projects["pnpm "+v] = pnpmWorkspaceFiles(t, v, files)
	}
	for _, f := range hostileFormats() {
		projects["made up "+f.name] = map[string]string{f.file: f.text, "package.json": hostileManifest}
	}
	maps.Copy(projects, sharedProjects(t))
	bare := func(inv *sbom.Inventory) string {
		for _, in := range inv.Inputs {
			in.SHA256 = "" // of the bytes, line ends included
		}
		return dump(t, inv)
	}
	for name, files := range projects {
		t.Run(name, func(t *testing.T) {
			inv := scan(t, files)
			want := bare(inv)
			crlf := map[string]string{}
			for name, text := range files {
				crlf[name] = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
			}
			if got := bare(scan(t, crlf)); got != want {
				t.Errorf("other line ends, another inventory:\n%.2000s", firstDifference(want, got))
			}
			moved := map[string]string{}
			for name, text := range files {
				moved["else/where/"+name] = text
			}
			if got, want := paths(scan(t, moved)), paths(inv); !slices.Equal(got, want) {
				t.Errorf("in another folder it is another inventory:\n%q\n%q", got, want)
			}
			old := runtime.GOMAXPROCS(0)
			defer runtime.GOMAXPROCS(old)
			for _, n := range []int{1, 2 * old} {
				runtime.GOMAXPROCS(n)
				if bare(scan(t, files)) != want {
					t.Errorf("with %d processors it is another inventory", n)
				}
			}
		})
	}
}

// paths lists where the packages of an inventory stand, but for the folder of all.
func paths(inv *sbom.Inventory) (out []string) {
	for _, c := range inv.Components {
		for _, o := range c.Occurrences {
			if c.Source == sbom.FromRegistry {
				out = append(out, fmt.Sprint(c.Ref, " ", c.Scope, " ", strings.TrimPrefix(o.Path, "else/where/"), o.Line, o.Column, o.Install))
			}
		}
	}
	return out
}

func firstDifference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	from := max(i-100, 0)
	return a[from:min(i+100, len(a))] + "\n--\n" + b[from:min(i+100, len(b))]
}

// sharedProjects are the lockfiles of the shared test data, each with the files
// around it; none where there is no such data.
func sharedProjects(t *testing.T) map[string]map[string]string {
	t.Helper()
	dir := os.Getenv("COUNTERMARK_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "data", "lockfiles")
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Logf("no shared data: %v", err)
	}
	out := map[string]map[string]string{}
	for _, d := range found {
		files := map[string]string{}
		err := filepath.WalkDir(filepath.Join(dir, d.Name()), func(p string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(p) //nolint:gosec // test data that nobody moves
			rel, _ := filepath.Rel(filepath.Join(dir, d.Name()), p)
			files[filepath.ToSlash(rel)] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		out[d.Name()] = files
	}
	return out
}

// benchmarkFormat reads a generated lockfile of n packages.
func benchmarkFormat(b *testing.B, name string, n int) {
	b.Helper()
	for _, f := range hostileFormats() {
		if f.name != name {
			continue
		}
		text := f.large(n)
		tree := fstest.MapFS{f.file: {Data: []byte(text)}, "package.json": {Data: []byte(hostileManifest)}}
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			inv, _, err := sbom.Scan(b.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
			if err != nil || len(inv.Components) < n && f.file != PNPMLock {
				b.Fatal(err, len(inv.Components), problems(inv)[:1])
			}
		}
	}
}

func BenchmarkNPM(b *testing.B)     { benchmarkFormat(b, "npm 3", 20_000) }
func BenchmarkNPM6(b *testing.B)    { benchmarkFormat(b, "npm 1", 20_000) }
func BenchmarkClassic(b *testing.B) { benchmarkFormat(b, "yarn 1", 20_000) }
func BenchmarkBerry(b *testing.B)   { benchmarkFormat(b, "yarn 4", 20_000) }
func BenchmarkPNPM5(b *testing.B)   { benchmarkFormat(b, "pnpm 5", 20_000) }
func BenchmarkPNPM6(b *testing.B)   { benchmarkFormat(b, "pnpm 6", 20_000) }
func BenchmarkBun(b *testing.B)     { benchmarkFormat(b, "bun", 20_000) }

// TestDamagedKeys: a letter that is another, missing or too many in a key that says what
// depends on what would lose edges in silence.
func TestDamagedKeys(t *testing.T) {
	damaged := func(key string) []string {
		return []string{key[:3] + string(key[3]^1) + key[4:], key[:3] + key[4:], key[:3] + "x" + key[3:]}
	}
	root := `"": {"dependencies": {"a": "1"}, "devDependencies": {"b": "1"}}`
	for _, tt := range []struct {
		file, lock string
		keys       []string
	}{
		{PackageLock, lock(root, `"node_modules/a": {"version": "1.0.0", "optionalDependencies": {"b": "1"}, "peerDependencies": {"b": "1"}}`, `"node_modules/b": {"version": "1.0.0"}`),
			[]string{"dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "packages"}},
		{PackageLock, legacyLock(`"a": {"version": "1.0.0", "requires": {"b": "1"}, "dependencies": {"c": {"version": "1.0.0"}}}`, `"b": {"version": "1.0.0"}`), []string{`"requires": {`, `"dependencies": {"c`}},
		{BunLock, bunLock(`"dependencies": {"a": "^1.0.0"}, "devDependencies": {"b": "1"}`, `"a": ["a@1.0.0", "", {"dependencies": {"b": "1"}}, "`+sri+`"]`, `"b": ["b@1.0.0", "", {}, "`+sri+`"]`), []string{"dependencies", "devDependencies", "packages"}},
		{PNPMLock, "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: '1'\n        version: 1.0.0\n    devDependencies:\n      b:\n        specifier: '1'\n        version: 1.0.0\npackages:\n  a@1.0.0:\n    resolution: {integrity: " + sri +
			"}\n  b@1.0.0:\n    resolution: {integrity: " + sri + "}\nsnapshots:\n  a@1.0.0:\n    optionalDependencies:\n      b: 1.0.0\n  b@1.0.0: {}\n", []string{"importers", "dependencies", "devDependencies", "optionalDependencies", "packages", "snapshots"}},
		{YarnLock, classicLock("a@1:\n  version \"1.0.0\"\n  dependencies:\n    b \"1\"\n  optionalDependencies:\n    b \"1\"\n", "b@1:\n  version \"1.0.0\"\n"), []string{"dependencies", "optionalDependencies"}},
		{YarnLock, berryLock(berryRoot("a: \"npm:1\"", "b: \"npm:1\""), berryEntry("a@npm:1", "1.0.0", "a@npm:1.0.0", "dependencies:\n    b: \"npm:1\""), berryEntry("b@npm:1", "1.0.0", "b@npm:1.0.0")), []string{"dependencies"}},
	} {
		for _, key := range tt.keys {
			if !strings.Contains(tt.lock, key) {
				t.Fatalf("%s: no %s", tt.file, key)
			}
			for _, bad := range damaged(key) {
				inv := scan(t, map[string]string{tt.file: strings.Replace(tt.lock, key, bad, 1), Manifest: `{"name": "app", "version": "1.0.0", "dependencies": {"a": "1"}, "devDependencies": {"b": "1"}}`})
				if !inv.Incomplete() {
					t.Errorf("%s: nothing is wrong with %s for %s: %v", tt.file, bad, key, problems(inv))
				}
			}
		}
	}
}

// TestCutLast: a file that ends with a whole line, but in the middle of an entry, is
// known by what every other entry has.
func TestCutLast(t *testing.T) {
	const manifest = `{"name": "app", "version": "1.0.0", "dependencies": {"a": "1", "b": "1"}}`
	classic := classicLock(
		"a@1:\n  version \"1.0.0\"\n  resolved \"https://registry.example/a/-/a-1.0.0.tgz#"+hundred+"\"\n  integrity "+sri+"\n",
		"b@1:\n  version \"1.0.0\"\n  resolved \"https://registry.example/b/-/b-1.0.0.tgz#"+hundred+"\"\n  integrity "+sri+"\n")
	pnpm := "lockfileVersion: '6.0'\ndependencies:\n  a: {specifier: '1', version: 1.0.0}\n  b: {specifier: '1', version: 1.0.0}\npackages:\n" +
		"  /a@1.0.0:\n    resolution: {integrity: " + sri + "}\n    dev: false\n  /b@1.0.0:\n    resolution: {integrity: " + sri + "}\n    dependencies:\n      a: 1.0.0\n    dev: false\n"
	for _, tt := range []struct {
		file, lock string
		lines      int // of the last entry that are cut
	}{{YarnLock, classic, 2}, {PNPMLock, pnpm, 3}} {
		lines := strings.SplitAfter(strings.TrimSuffix(tt.lock, "\n"), "\n")
		for n := range tt.lines + 1 {
			text := strings.TrimSuffix(strings.Join(lines[:len(lines)-n], ""), "\n") + "\n"
			inv := scan(t, map[string]string{tt.file: text, Manifest: manifest})
			if inv.Incomplete() != (n > 0) {
				t.Errorf("%s without its last %d lines: %v", tt.file, n, problems(inv))
			}
		}
	}
}
