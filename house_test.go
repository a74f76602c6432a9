package countermark

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the module path, and with that the import path of this package.
const module = "countermark"

// arrow is a ban: no package in from may import one in to, be it through others.
// Both name a package and everything below it.
type arrow struct {
	from   string
	except []string // packages below from that may
	to     []string
	skip   []string // packages that may, and that no program contains
	why    string
}

var arrows = []arrow{
	{from: "countermark/sbom", to: []string{"countermark/provenance", "countermark/policy"},
		why: "sbom imports no other room; what it needs of one it takes as a small interface of its own"},
	{from: "countermark/sbom", to: launching, skip: []string{"countermark/schemas/official"}, // for tests: it starts xmllint
		why: "an inventory starts nothing and contacts nobody"},
	{from: "countermark/provenance", to: []string{"countermark/policy"},
		why: "imports go one way: cmd → policy → provenance → sbom"},
	{from: "countermark", except: []string{"countermark/cmd"}, to: []string{"countermark/cmd"},
		why: "nothing imports cmd"},
	{from: "countermark", except: []string{"countermark/cmd"}, to: commandLines,
		why: "a library knows no command line"},
	{from: "countermark/policy", except: []string{"countermark/policy/audit"}, to: databases,
		why: "policy judges what it is given; only policy/audit asks a database"},
	{from: "countermark/provenance", to: databases,
		why: "provenance judges what it is given"},
}

var (
	commandLines = []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/urfave/cli", "github.com/alecthomas/kong"}
	launching    = []string{"os/exec", "plugin", "net/http", "net/rpc"}
	databases    = []string{"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx", "go.etcd.io/bbolt", "github.com/mattn/go-sqlite3"}
)

// drivers is what database drivers and types of other libraries share; it opens
// nothing.
const drivers = "database/sql/driver"

func TestImportDirections(t *testing.T) {
	imports := importGraph(t)
	if len(imports["countermark/sbom"]) == 0 {
		t.Fatal("go list does not know countermark/sbom: this test would pass for nothing")
	}
	for _, pkg := range modulePackages(imports) {
		for _, a := range arrows {
			if chain := a.violation(imports, pkg); chain != nil {
				t.Errorf("%s\n\t(%s)", strings.Join(chain, "\n\t→ "), a.why)
			}
		}
	}
}

// A ban that finds nothing in a tree made to violate it would hold nothing.
func TestImportDirectionsAreSeen(t *testing.T) {
	tests := []struct {
		name    string
		imports map[string][]string
		start   string
		want    string // the chain; empty where nothing is wrong
	}{
		{"direct", map[string][]string{"countermark/sbom/node": {"countermark/policy"}}, "countermark/sbom/node",
			"countermark/sbom/node countermark/policy"},
		{"through another", map[string][]string{
			"countermark/policy": {"fmt", "countermark/sbom"},
			"countermark/sbom":   {"example.com/cli"},
			"example.com/cli":    {"github.com/spf13/pflag"},
		}, "countermark/policy", "countermark/policy countermark/sbom example.com/cli github.com/spf13/pflag"},
		{"below a banned one", map[string][]string{"countermark/policy": {"github.com/jackc/pgx/v5"}}, "countermark/policy",
			"countermark/policy github.com/jackc/pgx/v5"},
		{"audit may", map[string][]string{"countermark/policy/audit": {"database/sql"}}, "countermark/policy/audit", ""},
		{"policy may not through audit", map[string][]string{
			"countermark/policy":       {"countermark/policy/audit"},
			"countermark/policy/audit": {"database/sql"},
		}, "countermark/policy", "countermark/policy countermark/policy/audit database/sql"},
		{"nothing imports cmd", map[string][]string{"countermark/provenance/npm": {"countermark/cmd/countermark"}}, "countermark/provenance/npm",
			"countermark/provenance/npm countermark/cmd/countermark"},
		{"a driver's types are no database", map[string][]string{"countermark/policy": {"database/sql/driver"}}, "countermark/policy", ""},
		{"a name that only begins alike", map[string][]string{"countermark/sbom": {"countermark/policyfile"}}, "countermark/sbom", ""},
		{"the right way", map[string][]string{
			"countermark/policy":     {"countermark/provenance"},
			"countermark/provenance": {"countermark/sbom"},
		}, "countermark/policy", ""},
		{"a configuration starts nothing", map[string][]string{
			"countermark/sbom/mcp": {"example.com/shell"},
			"example.com/shell":    {"os/exec"},
		}, "countermark/sbom/mcp", "countermark/sbom/mcp example.com/shell os/exec"},
		{"cmd may", map[string][]string{"countermark/cmd/countermark": {"github.com/spf13/cobra", "countermark/policy"}}, "countermark/cmd/countermark", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			for _, a := range arrows {
				if chain := a.violation(tt.imports, tt.start); chain != nil {
					got = strings.Join(chain, " ")
					break
				}
			}
			if got != tt.want {
				t.Errorf("got chain %q, want %q", got, tt.want)
			}
		})
	}
}

// violation returns the shortest chain of imports from pkg to a banned package,
// nil where there is none.
func (a arrow) violation(imports map[string][]string, pkg string) []string {
	if !within(pkg, a.from) || slices.ContainsFunc(a.except, func(e string) bool { return within(pkg, e) }) {
		return nil
	}
	seen := map[string]bool{pkg: true}
	for queue := [][]string{{pkg}, {pkg + tests}}; len(queue) > 0; queue = queue[1:] {
		chain := queue[0]
		for _, next := range imports[chain[len(chain)-1]] {
			if seen[next] || slices.Contains(a.skip, next) {
				continue
			}
			seen[next] = true
			longer := append(slices.Clone(chain), next)
			if next != drivers && slices.ContainsFunc(a.to, func(to string) bool { return within(next, to) }) {
				return longer
			}
			queue = append(queue, longer)
		}
	}
	return nil
}

func within(pkg, parent string) bool {
	return pkg == parent || strings.HasPrefix(pkg, parent+"/")
}

// tests ends the names of what the tests of a package import, which is no concern
// of those who import the package.
const tests = " (tests)"

// importGraph returns what each package of the module, and each that it depends
// on, imports, and apart what the tests of the module's own packages do.
func importGraph(t *testing.T) map[string][]string {
	t.Helper()
	out := run(t, "go", "list", "-deps", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	graph := map[string][]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return graph
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		graph[p.ImportPath] = p.Imports
		if within(p.ImportPath, module) {
			graph[p.ImportPath+tests] = slices.Concat(p.TestImports, p.XTestImports)
		}
	}
}

func modulePackages(imports map[string][]string) []string {
	var own []string
	for pkg := range imports {
		if within(pkg, module) && !strings.HasSuffix(pkg, tests) {
			own = append(own, pkg)
		}
	}
	slices.Sort(own)
	return own
}

// hosts are those of public package registries. Written in two halves, so that
// this file does not hold what it looks for.
var hosts = []string{
	"registry.npm" + "js.org", "registry.npm" + "js.com",
	"registry.yarn" + "pkg.com",
	"py" + "pi.org", "files.python" + "hosted.org",
	"npm.js" + "r.io", "https://js" + "r.io",
	"//crates" + ".io", "index.crates" + ".io", "static.crates" + ".io", // the bare name is an ecosystem in OSV
}

// predicateType is what publishers sign of a Python package by (PEP 740). It is a
// name that nobody fetches.
const predicateType = "https://docs.py" + "pi.org/attestations/publish/v1"

// publicRegistry is the one line of the one file that may name a registry: a
// user may have configured none.
var publicRegistry = regexp.MustCompile(`^(const )?PublicRegistry +(string )?= "https://[a-z.]+/?"( //.*)?$`)

// A test that reaches a public registry by accident, or an example that teaches
// its address, is found here: fixtures and documents say registry.example.
func TestRegistryHosts(t *testing.T) {
	constants := 0
	eachLine(t, func(file string, n int, line string) {
		line = strings.ReplaceAll(line, predicateType, "")
		for _, host := range hosts {
			if !strings.Contains(strings.ToLower(line), host) {
				continue
			}
			if path.Dir(file) == "provenance/npm" && publicRegistry.MatchString(strings.TrimSpace(line)) {
				constants++
				continue
			}
			t.Errorf("%s:%d: names %s: refer to npm.PublicRegistry, or write registry.example", file, n, host)
		}
	})
	if constants != 1 {
		t.Errorf("the public registry stands in %d constants, want one: provenance/npm.PublicRegistry", constants)
	}
}

// hostPath matches the path of a file on the machine of somebody who works on
// this. People in examples are called me, you, user, alice...
var (
	hostPath = regexp.MustCompile(`(?:^|[^A-Za-z0-9_.~}\])*-])/(?:(?:wo` + `rk|fa` + `rm|ro` + `ot|t` + `mp)/[A-Za-z0-9_.-]|(?:home|Users)/([A-Za-z0-9_.-]+))` +
		`|[A-Za-z]:(?:\\+|/)Users(?:\\+|/)([A-Za-z0-9_.-]+)`)
	people = []string{"me", "you", "user", "username", "name", "alice", "bob", "dev", "runner", "node", "x"}
)

// hostPaths returns the paths of one machine that a line holds.
func hostPaths(line string) []string {
	var found []string
	for _, m := range hostPath.FindAllStringSubmatch(line, -1) {
		if !slices.Contains(people, m[1]+m[2]) {
			found = append(found, m[0])
		}
	}
	return found
}

// What reads well on one machine is noise, or a leak, on every other.
func TestNoHostPaths(t *testing.T) {
	eachLine(t, func(file string, n int, line string) {
		for _, found := range hostPaths(line) {
			t.Errorf("%s:%d: a path of one machine: %s", file, n, found)
		}
	})
}

func TestHostPathPattern(t *testing.T) {
	tests := map[string]bool{
		`open /wo` + `rk/main/x.go`:            true,
		`"/ro` + `ot/.npmrc"`:                  true,
		`dir = /t` + `mp/x`:                    true,
		`/ho` + `me/jane/src`:                  true,
		`"/Us` + `ers/jane/Library"`:           true,
		`C:\Us` + `ers\jane\src`:               true,
		`"C:\\Us` + `ers\\jane"`:               true,
		`C:\Users\me\src`:                      false,
		`"/Users/me/Library"`:                  false,
		`https://git.example/ro` + `ot/x`:      false,
		`$HOME/wo` + `rk/x and ${D}/t` + `mp/`: false,
		`.github/wo` + `rkflows/release.yml`:   false,
		`GET /wo` + `rks/1`:                    false,
	}
	for line, want := range tests {
		if found := hostPaths(line); (len(found) > 0) != want {
			t.Errorf("%q: found %q, want something: %v", line, found, want)
		}
	}
}

// running are the functions of in-toto-golang that start what a layout names.
var running = regexp.MustCompile(`\bin_toto\.(InTotoVerify|InTotoVerifyWithDirectory|VerifySublayouts|RunInspections|InTotoRun|InTotoRecordSt\w+|RunCommand)\b`)

// Countermark starts nothing of what it reads. The linker would take the code that
// does out of the library into the program if one of these were called.
func TestNothingIsRun(t *testing.T) {
	for _, file := range goFiles(t) {
		if found := running.Find(read(t, file)); found != nil && file != "house_test.go" {
			t.Errorf("%s: %s runs commands that stand in a layout", file, found)
		}
	}
}

// slow are the functions that a package does not call when it is initialised, in
// every start of the program and whatever it is started for. What is behind a
// function literal, as with [sync.OnceValue], is called later.
var slow = regexp.MustCompile(`^(regexp\.(Must)?Compile(POSIX)?|template\.Must|(json|yaml|toml|hujson|semver)\.\w+|jsonschema\.\w+|cel\.\w+|time\.LoadLocation)$`)

// A program that is started for each file of a hook, or a thousand times in a
// build, must start at once. To measure that would fail on a busy machine.
func TestStart(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, call := range initialCalls(parsed(t, file)) {
			if slow.MatchString(call) {
				t.Errorf("%s: %s is called whenever the program starts: declare a lazyregexp.Regexp, or use sync.OnceValue", file, call)
			}
		}
	}
}

func TestInitialCalls(t *testing.T) {
	tests := map[string]string{
		"var x = regexp.MustCompile(`a`)":                                               "regexp.MustCompile",
		"var ( a = 1; x = []any{f(regexp.MustCompile(`a`))} )":                          "f regexp.MustCompile",
		"func init() { x = json.Unmarshal(nil, nil) }":                                  "json.Unmarshal",
		"var x = sync.OnceValue(func() any { return regexp.MustCompile(`a`) })":         "sync.OnceValue",
		"var x = func() any { return regexp.MustCompile(`a`) }()":                       "regexp.MustCompile",
		"func f() { _ = regexp.MustCompile(`a`) }":                                      "",
		"type t struct{}; func (t) init() { _ = regexp.MustCompile(`a`) }":              "",
		"const c = len(`a`); var x = lazyregexp.New(`a`); var y = struct{ a int }{ 1 }": "lazyregexp.New",
	}
	for src, want := range tests {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+src, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(initialCalls(file), " "); got != want {
			t.Errorf("%s: got the calls %q, want %q", src, got, want)
		}
	}
}

// initialCalls returns the functions that a file calls when its package is
// initialised, by the names that they have there.
func initialCalls(file *ast.File) []string {
	var calls []string
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			if lit, ok := n.Fun.(*ast.FuncLit); ok { // func() {…}()
				calls = append(calls, callsIn(lit.Body)...)
			}
			if name := called(n); name != "" {
				calls = append(calls, name)
			}
		}
		return true
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				ast.Inspect(d, visit)
			}
		case *ast.FuncDecl:
			if d.Name.Name == "init" && d.Recv == nil {
				calls = append(calls, callsIn(d.Body)...)
			}
		}
	}
	return calls
}

// callsIn returns all calls below a node.
func callsIn(n ast.Node) []string {
	var calls []string
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && called(call) != "" {
			calls = append(calls, called(call))
		}
		return true
	})
	return calls
}

// called is the function of a call as it is written: "f" or "package.F".
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// An expression that is compiled late is found to be wrong late, too: here it is
// found at once.
func TestExpressionsCompile(t *testing.T) {
	packages := map[string][]*ast.File{}
	for _, file := range goFiles(t) {
		packages[path.Dir(file)] = append(packages[path.Dir(file)], parsed(t, file))
	}
	n := 0
	for dir, files := range packages {
		known := constants(files)
		for _, file := range files {
			ast.Inspect(file, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok || called(call) != "lazyregexp.New" {
					return true
				}
				n++
				if expression, ok := known.value(call.Args[0]); !ok {
					t.Errorf("%s: an expression is no constant, so that no test knows it", dir)
				} else if _, err := regexp.Compile(expression); err != nil {
					t.Errorf("%s: %v", dir, err)
				}
				return true
			})
		}
	}
	if n < 100 {
		t.Errorf("only %d expressions were found", n)
	}
}

// textConstants are the constants of a package by name.
type textConstants map[string]ast.Expr

func constants(files []*ast.File) textConstants {
	known := textConstants{}
	for _, file := range files {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, spec := range g.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for i, value := range v.Values {
						known[v.Names[i].Name] = value
					}
				}
			}
		}
	}
	return known
}

// value is that of a string constant, which may be pieced together.
func (known textConstants) value(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		x, ok := known.value(e.X)
		y, also := known.value(e.Y)
		return x + y, ok && also
	case *ast.ParenExpr:
		return known.value(e.X)
	case *ast.Ident:
		return known.value(known[e.Name])
	default:
		return "", false
	}
}

func parsed(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, read(t, file), 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// vague are names of packages that say nothing of what is in them.
var vague = regexp.MustCompile(`^(utils?|commons?|helpers?|base|managers?|misc|shared|libs?)$`)

func TestPackages(t *testing.T) {
	dirs := map[string][]string{}
	for _, file := range goFiles(t) {
		dirs[path.Dir(file)] = append(dirs[path.Dir(file)], file)
	}
	for dir, files := range dirs {
		for elem := range strings.SplitSeq(dir, "/") {
			if vague.MatchString(elem) {
				t.Errorf("%s: a package is named by what is in it, not %s", dir, elem)
			}
		}
		checkComment(t, dir, files)
	}
}

// checkComment wants one package comment, in the form that go doc knows.
func checkComment(t *testing.T, dir string, files []string) {
	t.Helper()
	var name string
	var comments []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		name = f.Name.Name
		if ast.IsGenerated(f) || f.Doc == nil {
			continue
		}
		comments = append(comments, f.Doc.Text())
	}
	if vague.MatchString(name) {
		t.Errorf("%s: package %s is not named by what is in it", dir, name)
	}
	want := "Package " + name + " "
	if name == "main" { // a command's comment starts with its name, as in a sentence
		want = strings.ToUpper(path.Base(dir)[:1]) + path.Base(dir)[1:] + " "
	}
	switch {
	case name == "": // only tests
	case len(comments) != 1:
		t.Errorf("%s: has %d package comments, want one: what flows in, what flows out, what is promised", dir, len(comments))
	case !strings.HasPrefix(comments[0], want):
		t.Errorf("%s: the package comment starts with %.40q, want %q", dir, comments[0], want)
	}
}

func TestFormat(t *testing.T) {
	for _, file := range goFiles(t) {
		src := read(t, file)
		out, err := format.Source(src)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		} else if !bytes.Equal(src, out) {
			t.Errorf("%s: gofmt would change it", file)
		}
	}
}

func goFiles(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, file := range tracked(t) {
		if strings.HasSuffix(file, ".go") && !strings.Contains(file, "testdata/") {
			list = append(list, file)
		}
	}
	return list
}

// eachLine calls f for every line of every text file of the repository.
func eachLine(t *testing.T, f func(file string, n int, line string)) {
	t.Helper()
	for _, file := range tracked(t) {
		text := read(t, file)
		if bytes.IndexByte(text, 0) >= 0 {
			continue // no text
		}
		n := 0
		for line := range bytes.Lines(text) {
			n++
			f(file, n, string(bytes.TrimRight(line, "\r\n")))
		}
	}
}

// tracked returns the files that are, or would be, committed, with slashes.
func tracked(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat(".git"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("no git checkout, so nobody knows which files belong to it")
	}
	out := run(t, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	var list []string
	for file := range strings.SplitSeq(string(out), "\x00") {
		// A file may be deleted and not yet committed; a link has no text of its own.
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			list = append(list, file)
		}
	}
	if len(list) == 0 {
		t.Fatal("git ls-files lists nothing: this test would pass for nothing")
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// run returns the standard output of a command that has to succeed.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.Bytes()))
	}
	return out
}
