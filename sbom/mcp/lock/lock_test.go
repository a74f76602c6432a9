package lock

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"
	"countermark/sbom/mcp"
	"countermark/sbom/node"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden file anew")

// inventory reads files as a project.
func inventory(t testing.TB, files map[string]string) *sbom.Inventory {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: fsys}}, sbom.Options{Readers: []sbom.Reader{node.Reader{}, mcp.Reader{}}})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func nothing(*sbom.Component, sbom.Launch) Known { return Known{} }

func written(t testing.TB, l *Lock) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := l.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

const (
	sri   = "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
	other = "sha512-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=="
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

// golden is a project with a server of every kind, and what was found out of each.
func golden(t testing.TB) []*Lock {
	t.Helper()
	inv := inventory(t, map[string]string{
		".mcp.json": `{"mcpServers": {
  "exact": {"command": "npx", "args": ["-y", "tool@1.2.3", "--token", "hunter2"], "env": {"B": "hunter2", "A": "1"}},
  "floating": {"command": "cmd", "args": ["/c", "npx", "-y", "@acme/tool@latest"]},
  "python": {"command": "uvx", "args": ["--from", "tool[x]>=1", "tool"]},
  "image": {"command": "docker", "args": ["run", "-i", "--rm", "-e", "KEY=hunter2", "ghcr.io/acme/tool:1", "npx", "inner@2.0.0"]},
  "git": {"command": "uvx", "args": ["--from", "git+https://me:hunter2@git.example/acme/tool@0123456789abcdef0123456789abcdef01234567", "tool"]},
  "remote": {"url": "https://me:hunter2@hub.example/mcp?key=hunter2", "headers": {"Authorization": "Bearer hunter2"}},
  "opaque": {"command": "sh", "args": ["-c", "a | b"]},
  "local": {"command": "./bin/tool", "args": ["--password=hunter2"]}
}}`,
		".vscode/mcp.json": `{"servers": {"tool": {"command": "node", "args": ["node_modules/own/index.js"]}}}`,
		"package.json":     `{"name": "p", "version": "1.0.0", "dependencies": {"own": "1.0.0"}}`,
		"package-lock.json": `{"name": "p", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "p", "version": "1.0.0", "dependencies": {"own": "1.0.0"}},
  "node_modules/own": {"version": "1.0.0", "resolved": "https://registry.example/own/-/own-1.0.0.tgz", "integrity": "` + sri + `"}}}`,
	})
	locks := Make(inv, func(_ *sbom.Component, l sbom.Launch) Known {
		switch l.Spec {
		case "tool@1.2.3":
			return Known{Integrity: sri, Attested: new(true), Source: &Source{Repository: "https://github.com/acme/tool", From: "policy"},
				Closure: &Closure{Packages: map[string]string{"b@1.0.0": sri, "@a/b@2.0.0": ""}}}
		case "@acme/tool@latest":
			return Known{Version: "3.0.0", Integrity: sri, Attested: new(false)}
		case "ghcr.io/acme/tool:1":
			return Known{Digest: digestA}
		default:
			return Known{}
		}
	})
	locks[1].approve(Approval{By: "Ann", At: "2026-11-24T12:00:00Z"}, func(_, name string, _ *Server) bool { return name == "exact" })
	return locks
}

func TestGolden(t *testing.T) {
	for i, name := range []string{"vscode.mcp.lock.json", "mcp.lock.json"} {
		got := written(t, golden(t)[i])
		if *update {
			if err := os.WriteFile("testdata/"+name, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if bytes.Contains(got, []byte("hunter2")) {
			t.Errorf("%s holds a secret", name)
		}
	}
	if got := golden(t); got[0].Path != ".vscode/"+FileName || got[1].Path != FileName {
		t.Errorf("the locks stand at %s and %s", got[0].Path, got[1].Path)
	}
}

// broken are files that are no lock: what is wrong, and where.
var broken = map[string]struct {
	text, message string
	line          int
}{
	"no JSON":          {"{\n \"lockVersion\": 1,,", "no valid JSON", 2},
	"empty":            {"", "ends too early", 1},
	"a list":           {"[]", "no JSON object", 1},
	"cut off":          {`{"lockVersion": 1, "configurations": {`, "ends too early", 1},
	"more behind":      {`{"lockVersion": 1, "configurations": {}} {}`, "", 1},
	"no version":       {`{"configurations": {}}`, "lockVersion", 1},
	"version as text":  {`{"lockVersion": "1", "configurations": {}}`, "lockVersion", 1},
	"newer":            {`{"lockVersion": 2, "configurations": {}}`, "version is 2", 0},
	"nothing":          {`{"lockVersion": 1}`, "no configurations", 0},
	"twice":            {"{\"lockVersion\": 1, \"configurations\": {\".mcp.json\": {\"servers\": {\"a\": {\"launches\": []},\n\"a\": {\"launches\": []}}}}}", "twice", 2},
	"unknown member":   {"{\"lockVersion\": 1,\n\"more\": 1, \"configurations\": {}}", "does not have", 2},
	"other case":       {`{"lockVersion": 1, "Configurations": {}, "configurations": {}}`, "does not have", 1},
	"misplaced member": {`{"lockVersion": 1, "kind": 1, "configurations": {}}`, "does not have", 0},
	"wrong type":       {"{\"lockVersion\": 1, \"configurations\":\n[]}", "another type", 2},
	"a path":           {`{"lockVersion": 1, "configurations": {"../.mcp.json": {"servers": {}}}}`, "no file of the lock's folder", 0},
	"null server":      {"{\"lockVersion\": 1, \"configurations\": {\"a\": {\"servers\": {\n\"s\": null}}}}", "null", 2},
	"no kind":          {serverText(`{"launches": [{"spec": "a"}]}`), "no kind", 1},
	"digest":           {serverText(`{"launches": [{"kind": "oci", "digest": "sha256:12"}]}`), "digest", 1},
	"command":          {serverText(`{"command": "sha256:12", "launches": []}`), "command", 1},
	"integrity":        {serverText(`{"launches": [{"kind": "npm", "integrity": "12"}]}`), "integrity", 1},
	"commit":           {serverText(`{"launches": [{"kind": "git", "commit": "main"}]}`), "commit", 1},
	"source":           {serverText(`{"launches": [{"kind": "npm", "source": {"repository": "", "from": "policy"}}]}`), "source", 1},
	"closure":          {serverText(`{"launches": [{"kind": "npm", "closure": {"packages": {"a": ""}}}]}`), "closure", 1},
	"approval":         {serverText(`{"launches": [], "approved": {"by": "me", "at": "yesterday"}}`), "approval", 1},
	"nobody":           {serverText(`{"launches": [], "approved": {"by": "", "at": "2026-11-24T12:00:00Z"}}`), "approval", 1},
	"unsorted names":   {serverText(`{"launches": [], "env": ["B", "A"]}`), "sorted", 1},
	"too deep":         {`{"lockVersion": 1, "configurations": ` + strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20) + `}`, "", 1},
	"long text":        {serverText(`{"launches": [], "transport": "` + strings.Repeat("x", maxText+1) + `"}`), "bytes", 1},
}

func serverText(server string) string {
	return `{"lockVersion": 1, "configurations": {".mcp.json": {"servers": {"s": ` + server + `}}}}`
}

func TestParseRefuses(t *testing.T) {
	for name, test := range broken {
		_, err := Parse([]byte(test.text))
		e, ok := err.(*FormatError) //nolint:errorlint // that is the promise
		if !ok {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(e.Message, test.message) || e.Line != test.line || e.Newer != (name == "newer") {
			t.Errorf("%s: line %d: %s", name, e.Line, e.Message)
		}
	}
	if _, err := Parse(make([]byte, maxFileSize+1)); err == nil {
		t.Error("too large a file is read")
	}
}

// TestReader: a broken lock is a problem of the file, and the others are read.
func TestReader(t *testing.T) {
	good := written(t, golden(t)[0])
	fsys := fstest.MapFS{FileName: {Data: []byte("{")}, "a/" + FileName: {Data: good}, "b/" + FileName: {Data: []byte(`{"lockVersion": 9}`)}}
	r := &Reader{}
	inv, found, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: fsys}}, sbom.Options{Readers: []sbom.Reader{r}})
	if err != nil || !found[0] {
		t.Fatal(found, err)
	}
	if len(r.Locks) != 1 || r.Locks[0].Path != "a/"+FileName || r.Locks[0].Folder() != "a/" {
		t.Errorf("%d locks are read", len(r.Locks))
	}
	codes := map[string]sbom.ProblemCode{}
	for _, in := range inv.Inputs {
		if len(in.Problems) > 0 {
			codes[in.Path] = in.Problems[0].Code
		}
	}
	if diff := cmp.Diff(map[string]sbom.ProblemCode{FileName: sbom.Invalid, "b/" + FileName: sbom.Unsupported}, codes); diff != "" {
		t.Error(diff)
	}
	if r.Locks[0].Line("mcp.json", "tool") != 6 || r.Locks[0].Line("mcp.json", "none") != 0 {
		t.Errorf("the server stands in line %d", r.Locks[0].Line("mcp.json", "tool"))
	}
}

func FuzzParse(f *testing.F) {
	for _, l := range golden(f) {
		f.Add(written(f, l))
	}
	for _, test := range broken {
		if len(test.text) < 1000 {
			f.Add([]byte(test.text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(written(t, l))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !bytes.Equal(written(t, l), written(t, again)) {
			t.Error("it is written otherwise the second time")
		}
		if !json.Valid(written(t, again)) {
			t.Error("no JSON is written")
		}
	})
}
