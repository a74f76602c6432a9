package mcp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
	"github.com/package-url/packageurl-go"
)

// read scans a tree of the given files.
func read(t testing.TB, files map[string]string) *sbom.Inventory {
	t.Helper()
	tree := fstest.MapFS{}
	for name, data := range files {
		tree[name] = &fstest.MapFile{Data: []byte(data)}
	}
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// readFile scans one file by its name, as if the user had named it.
func readFile(t testing.TB, name, data string) *sbom.Inventory {
	t.Helper()
	tree := fstest.MapFS{name: {Data: []byte(data)}}
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree, File: name}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// readAs scans one file as that of a client.
func readAs(t testing.TB, client, name, data string) *sbom.Inventory {
	t.Helper()
	tree := fstest.MapFS{name: {Data: []byte(data)}}
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree, File: name, Kind: client}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func serversOf(inv *sbom.Inventory) []*sbom.Server {
	var out []*sbom.Server
	for _, c := range inv.Components {
		if c.Server != nil {
			out = append(out, c.Server)
		}
	}
	slices.SortStableFunc(out, func(x, y *sbom.Server) int { return x.Line*1000 + x.Column - y.Line*1000 - y.Column })
	return out
}

func TestRecognize(t *testing.T) {
	for path, want := range map[string]string{
		".continue/mcpServers/mcp.lock.json": "", "a/MCP.lock.json": "",
		"claude_desktop_config.json":     "claude-desktop",
		"a/b/claude_desktop_config.json": "claude-desktop",
		".mcp.json":                      "claude-code",
		"plugins/x/.mcp.json":            "claude-code",
		".cursor/mcp.json":               "cursor",
		"sub/.vscode/mcp.json":           "vscode",
		"conf/my_mcp_servers.json":       "mcp", "mcpServers.json": "mcp", "claude_desktop_config.windows.json": "mcp", "claude_desktop_config_test.json": "mcp",
		"mcp.json":                        "mcp",
		".vscode/mcp.json.bak":            "",
		"x.cursor/mcp.json":               "mcp",
		".warp/.mcp.json":                 "warp",
		".vs/mcp.json":                    "visual-studio",
		".continue/mcpServers/a.json":     "continue",
		".continue/mcpServers/sub/a.json": "",
		".codex/config.toml":              "codex",
		"settings.json":                   "",
		".gemini/settings.json":           "gemini-cli",
		"x/kilocode.kilo-code/settings/mcp_settings.json":         "kilo-code",
		"x/rooveterinaryinc.roo-cline/settings/mcp_settings.json": "roo-code",
	} {
		if got := (Reader{}).Recognize(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestSniff(t *testing.T) {
	for data, want := range map[string]string{
		`{"mcpServers": {"a": {"command": "x"}}}`:                                     "mcp",
		"\xef\xbb\xbf// c\n{\"servers\": {\"a\": {\"url\": \"https://a.example\"}},}": "mcp",
		`{"mcpServers": {}}`:              "mcp",
		`{"servers": {}}`:                 "",
		`{"servers": {"a": {"port": 1}}}`: "",
		`{"servers": [1]}`:                "",
		`{"command": "x", "args": []}`:    "mcp",
		`{"command": "x"}`:                "",
		`[]`:                              "",
		`{"mcpServers": `:                 "mcp", // nobody knows what follows
		`{"servers": `:                    "",
		``:                                "",
	} {
		if got := (Reader{}).Sniff([]byte(data)); got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
}

// TestInventory holds the whole shape once: components, services, edges,
// positions.
func TestInventory(t *testing.T) {
	inv := read(t, map[string]string{".vscode/mcp.json": "\xef\xbb\xbf" + `{ // servers of the team
  "servers": {
    "files": {
      "command": "npx",
      "args": ["-y", "mcp-remote@0.1.29", "https://a.example/mcp?key=v", "--header", "Authorization: Bearer ${TOKEN}"],
      "env": {"B": "${input:b}", "A": "1",},
    },
    /* remote */ "hub": {"type": "http", "url": "https://${input:host}/mcp"},
  },
}`})
	const file = ".vscode/mcp.json"
	pkg := inv.Component("pkg:npm/mcp-remote@0.1.29")
	if pkg == nil {
		t.Fatal("the package is missing")
	}
	wantPkg := &sbom.Component{
		Ref: "pkg:npm/mcp-remote@0.1.29", Type: sbom.Library, Ecosystem: sbom.NPM, Name: "mcp-remote", Version: "0.1.29",
		PURL: "pkg:npm/mcp-remote@0.1.29", Scope: sbom.Required, Source: sbom.FromRegistry, Origin: sbom.OriginMCP,
		Occurrences: []sbom.Occurrence{{Path: file, Line: 5, Column: 22}},
	}
	if diff := cmp.Diff(wantPkg, pkg); diff != "" {
		t.Errorf("package: -want +got:\n%s", diff)
	}
	wantServer := &sbom.Server{
		File: file, Name: "files", Client: "vscode", Transport: "stdio", Launcher: "npx", Kind: sbom.KindNPM,
		Spec: "mcp-remote@0.1.29", Pin: sbom.PinExact, Env: []string{"A", "B"}, Credentials: []string{"header Authorization"}, Line: 3, Column: 5,
		Launches: []sbom.Launch{
			{Ref: "pkg:npm/mcp-remote@0.1.29", Kind: sbom.KindNPM, Launcher: "npx", Spec: "mcp-remote@0.1.29", Pin: sbom.PinExact, Request: "0.1.29", Line: 5, Column: 22},
			{Ref: "service:https://a.example/mcp", Kind: sbom.KindRemote, Spec: "https://a.example/mcp", Pin: sbom.PinNA, Nested: true, Line: 5, Column: 43},
		},
		Risks: nil,
	}
	server := inv.Component("mcp:" + file + "#files")
	if server == nil {
		t.Fatal("the server is missing")
	}
	if len(server.Server.Command) != 64 {
		t.Errorf("the command has no digest: %q", server.Server.Command)
	}
	wantServer.Command = server.Server.Command // see TestFingerprint
	if diff := cmp.Diff(wantServer, server.Server); diff != "" {
		t.Errorf("server: -want +got:\n%s", diff)
	}
	if server.Type != sbom.Application || server.Name != "files" || !slices.Equal(server.Occurrences, []sbom.Occurrence{{Path: file, Line: 3, Column: 5}}) {
		t.Errorf("server component %+v", server)
	}
	if f := inv.Component("mcp:" + file); f == nil || f.Type != sbom.FileType || f.Coverage != sbom.CompleteCoverage {
		t.Errorf("file component %+v", f)
	}
	wantEdges := map[string][]string{
		"project":                {"mcp:" + file},
		"mcp:" + file:            {"mcp:" + file + "#files", "mcp:" + file + "#hub"},
		"mcp:" + file + "#files": {"pkg:npm/mcp-remote@0.1.29", "service:https://a.example/mcp"},
		"mcp:" + file + "#hub":   {"service:https://${input:host}/mcp"},
	}
	if diff := cmp.Diff(wantEdges, inv.Edges); diff != "" {
		t.Errorf("edges: -want +got:\n%s", diff)
	}
	wantServices := []*sbom.Service{
		{Ref: "service:https://${input:host}/mcp", Name: "${input:host}", URL: "https://${input:host}/mcp", Occurrences: []sbom.Occurrence{{Path: file, Line: 8, Column: 49}}},
		{Ref: "service:https://a.example/mcp", Name: "a.example", Endpoint: "https://a.example/mcp", Occurrences: []sbom.Occurrence{{Path: file, Line: 5, Column: 43}}},
	}
	if diff := cmp.Diff(wantServices, inv.Services); diff != "" {
		t.Errorf("services: -want +got:\n%s", diff)
	}
	if inv.Incomplete() {
		t.Errorf("problems: %v", inv.Inputs[0].Problems)
	}
}

func TestShapes(t *testing.T) {
	tests := []struct {
		name, file, data string
		want             []string // client name transport kind, with "off" where disabled
	}{
		{"both keys", ".mcp.json", `{"mcpServers": {"a": {"command": "x"}}, "servers": {"b": {"url": "https://b.example"}}}`,
			[]string{"claude-code a stdio binary", "visual-studio b http remote"}},
		{"flat", ".mcp.json", `{"a": {"command": "npx", "args": ["x"]}, "version": 1, "b": {"type": "sse", "url": "https://b.example"}}`,
			[]string{"claude-code a stdio npm", "claude-code b sse remote"}},
		{"two URLs", ".gemini/settings.json", `{"mcpServers": {"a": {"url": "https://a.example", "httpUrl": "https://b.example"}}}`, []string{"gemini-cli a http remote"}},
		{"not flat elsewhere", ".cursor/mcp.json", `{"a": {"command": "npx"}}`, nil},
		{"one server", ".mcp.json", `{"name": "n", "command": "x", "args": []}`, []string{"claude-code n stdio binary"}},
		{"list", ".continue/config.json", `{"mcpServers": [{"name": "n", "command": "x"}, {"url": "https://b.example"}]}`,
			[]string{"continue n stdio binary", "continue  http remote"}},
		{"projects", ".claude.json", `{"mcpServers": {"a": {"command": "x"}}, "projects": {"/p": {"mcpServers": {"a": {"command": "y"}, "b": {"command": "z"}}, "disabledMcpServers": ["b"]}}}`,
			[]string{"claude-code a stdio binary", "claude-code a stdio binary", "claude-code b stdio binary off"}},
		{"nested transport", "cline_mcp_settings.json", `{"mcpServers": {"a": {"transport": {"type": "streamableHttp", "url": "https://a.example"}, "disabled": true}}}`,
			[]string{"cline a http remote off"}},
		{"legacy transport", "cline_mcp_settings.json", `{"mcpServers": {"a": {"transportType": "stdio", "command": "x"}}}`, []string{"cline a stdio binary"}},
		{"gemini", ".gemini/settings.json", `{"theme": "x", "mcpServers": {"a": {"url": "https://a.example"}, "b": {"httpUrl": "https://b.example"}}}`,
			[]string{"gemini-cli a sse remote", "gemini-cli b http remote"}},
		{"gemini without servers", ".gemini/settings.json", `{"theme": "x"}`, nil},
		{"gemini server command", ".gemini/settings.json", `{"mcp": {"serverCommand": "npx -y foo --token hunter2"}}`, []string{"gemini-cli mcp.serverCommand stdio npm"}},
		{"windsurf", "mcp_config.json", `{"mcpServers": {"a": {"serverUrl": "https://a.example"}}}`, []string{"windsurf a http remote"}},
		{"enabled false", ".mcp.json", `{"mcpServers": {"a": {"command": "x", "enabled": false}}}`, []string{"claude-code a stdio binary off"}},
		{"websocket", ".mcp.json", `{"mcpServers": {"a": {"url": "wss://a.example"}}}`, []string{"claude-code a ws remote"}},
		{"command and url", ".mcp.json", `{"mcpServers": {"a": {"command": "x", "url": "https://a.example"}}}`, []string{"claude-code a stdio binary"}},
		{"url and command", ".mcp.json", `{"mcpServers": {"a": {"type": "http", "command": "x", "url": "https://a.example"}}}`, []string{"claude-code a http remote"}},
		{"no servers", ".mcp.json", `{"mcpServers": {}}`, nil},
		{"null", ".mcp.json", `{"mcpServers": null}`, nil},
		{"null args", ".mcp.json", `{"mcpServers": {"a": {"command": "x", "args": null, "env": null}}}`, []string{"claude-code a stdio binary"}},
		{"empty entry", ".mcp.json", `{"mcpServers": {"a": {}}}`, []string{"claude-code a  unknown"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			inv := read(t, map[string]string{tt.file: tt.data})
			for _, s := range serversOf(inv) {
				line := fmt.Sprintf("%s %s %s %s", s.Client, s.Name, s.Transport, s.Kind)
				if s.Disabled {
					line += " off"
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if inv.Incomplete() {
				t.Errorf("problems: %v", inv.Inputs[0].Problems)
			}
		})
	}
}

func TestAutoApprove(t *testing.T) {
	inv := read(t, map[string]string{".roo/mcp.json": `{"mcpServers": {
		"a": {"command": "x", "alwaysAllow": ["t2", "t1"], "autoApprove": ["t1"]},
		"b": {"command": "x", "trust": true},
		"c": {"command": "x", "trust": false, "autoApprove": false, "alwaysAllow": []}}}`})
	want := map[string][]string{"a": {"t2", "t1"}, "b": {"*"}, "c": nil}
	for _, s := range serversOf(inv) {
		if !slices.Equal(s.AutoApprove, want[s.Name]) {
			t.Errorf("%s: %v, want %v", s.Name, s.AutoApprove, want[s.Name])
		}
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name, data string
		want       string // code line:column
		servers    int
	}{
		{"syntax", "{\n  \"mcpServers\": {\n    \"a\": {\"command\": \"x\"}\n    \"b\": {}\n  }\n}", "invalid 4:5", 1},
		{"cut off", `{"mcpServers": {"a": {"command": "x`, "invalid 1:36", 0},
		{"bare word", "{\n\"mcpServers\": hunter2secret}", "invalid 2:15", 0},
		{"empty", "", "invalid 1:1", 0},
		{"byte order mark", "\xef\xbb\xbf{x", "invalid 1:5", 0},
		{"UTF-16", "\xff\xfe{\x00}\x00", "invalid 1:1", 0},
		{"too deep", strings.Repeat("[", maxDepth+1), "invalid 0:0", 0},
		{"no object", `[1]`, "invalid 1:1", 0},
		{"servers no object", `{"mcpServers": "x"}`, "invalid 1:16", 0},
		{"nothing in it", `{"x": 1}`, "warning 1:1", 0},
		{"entry no object", `{"mcpServers": {"a": "x"}}`, "invalid 1:22", 1},
		{"entry null", `{"mcpServers": {"a": null}}`, "invalid 1:22", 1},
		{"command number", `{"mcpServers": {"a": {"command": 1}}}`, "invalid 1:34", 1},
		{"command empty", `{"mcpServers": {"a": {"command": " "}}}`, "invalid 1:34", 1},
		{"args text", `{"mcpServers": {"a": {"command": "npx", "args": "-y foo"}}}`, "invalid 1:49", 1},
		{"args object", `{"mcpServers": {"a": {"command": "npx", "args": {}}}}`, "invalid 1:49", 1},
		{"arg object", `{"mcpServers": {"a": {"command": "npx", "args": [{}]}}}`, "invalid 1:50", 1},
		{"arg number", `{"mcpServers": {"a": {"command": "npx", "args": ["foo", 1]}}}`, "warning 1:57", 1},
		{"arg too long", `{"mcpServers": {"a": {"command": "npx", "args": ["foo", "` + strings.Repeat("ab1A$", maxText) + `"]}}}`, "invalid 1:57", 1},
		{"url too long", `{"mcpServers": {"a": {"url": "https://` + strings.Repeat("ab1A/", maxText) + `"}}}`, "invalid 1:30", 1},
		{"env list", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"], "env": []}}}`, "invalid 1:65", 1},
		{"headers text", `{"mcpServers": {"a": {"url": "https://a.example", "headers": "x"}}}`, "invalid 1:62", 1},
		{"url number", `{"mcpServers": {"a": {"url": 1}}}`, "invalid 1:30", 1},
		{"type unknown", `{"mcpServers": {"a": {"type": "x", "command": "x"}}}`, "warning 1:31", 1},
		{"two names", "{\"mcpServers\": {\"a\": {\"command\": \"x\"},\n\"a\": {\"command\": \"y\"}}}", "warning 1:17", 1},
		{"two commands", `{"mcpServers": {"a": {"command": "x", "comm\u0061nd": "y"}}}`, "warning 1:23", 1},
		{"disabled text", `{"mcpServers": {"a": {"command": "x", "disabled": "true"}}}`, "warning 1:51", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inv := read(t, map[string]string{".mcp.json": tt.data})
			problems := inv.Inputs[0].Problems
			if len(problems) != 1 {
				t.Fatalf("%d problems: %v", len(problems), problems)
			}
			p := problems[0]
			if got := fmt.Sprintf("%s %d:%d", p.Code, p.Line, p.Column); got != tt.want {
				t.Errorf("problem %s, want %s (%s)", got, tt.want, p.Message)
			}
			if p.Message == "" || p.Hint == "" {
				t.Errorf("problem without message or hint: %+v", p)
			}
			if strings.Contains(fmt.Sprint(p), "hunter2") {
				t.Errorf("the problem quotes the file: %+v", p)
			}
			found := serversOf(inv)
			if len(found) != tt.servers {
				t.Fatalf("%d servers, want %d", len(found), tt.servers)
			}
			for _, s := range found {
				if unknown := s.Kind == sbom.KindUnknown && s.Reason != ""; unknown != (p.Code == sbom.Invalid) && tt.name != "syntax" {
					t.Errorf("kind %s, reason %q", s.Kind, s.Reason)
				}
			}
			if f := inv.Component("mcp:.mcp.json"); p.Code == sbom.Invalid && tt.servers == 0 && f.Coverage != sbom.IncompleteCoverage {
				t.Errorf("the coverage of a broken file is %q", f.Coverage)
			}
		})
	}
}

// TestWrongTypesHideNothing holds that an entry that no client would accept is
// still judged by what it names.
func TestWrongTypesHideNothing(t *testing.T) {
	for _, data := range []string{
		`{"mcpServers": {"a": {"command": "npx", "args": "-y postmark-mcp"}}}`,
		`{"mcpServers": {"a": {"command": "npx", "args": ["-y", "postmark-mcp"], "env": ["A=b"]}}}`,
	} {
		if inv := read(t, map[string]string{".mcp.json": data}); inv.Component("pkg:npm/postmark-mcp") == nil {
			t.Errorf("the package is missing: %s", data)
		}
	}
}

// TestEveryURLIsNamed holds that an entry with several targets shows all of them.
func TestEveryURLIsNamed(t *testing.T) {
	inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {"command": "npx", "args": ["foo"], "url": "https://a.example", "serverUrl": "https://b.example"}}}`})
	var got []string
	for _, l := range serversOf(inv)[0].Launches {
		got = append(got, l.Ref)
	}
	if want := []string{"pkg:npm/foo", "service:https://a.example", "service:https://b.example"}; !slices.Equal(got, want) {
		t.Errorf("launches %v, want %v", got, want)
	}
	if n := len(inv.Inputs[0].Problems); n != 1 {
		t.Errorf("%d problems", n)
	}
}

func TestFlatEntryOfWrongType(t *testing.T) {
	inv := read(t, map[string]string{".mcp.json": `{"a": {"command": "x"}, "b": {"command": 5}}`})
	if got := serversOf(inv); len(got) != 2 || got[1].Kind != sbom.KindUnknown || !inv.Incomplete() {
		t.Errorf("got %+v", got)
	}
}

func TestLastOfTwoNamesCounts(t *testing.T) {
	inv := read(t, map[string]string{".mcp.json": "{\"mcpServers\": {\"a\": {\"command\": \"npx\", \"args\": [\"one\"]},\n \"a\": {\"command\": \"npx\", \"args\": [\"two\"]}}}"})
	got := serversOf(inv)
	if len(got) != 1 || got[0].Spec != "two" || got[0].Line != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestRefsAreUnique(t *testing.T) {
	inv := read(t, map[string]string{
		".mcp.json": `{"mcpServers": {"a": {"command": "x"}, "a~2": {"command": "x"}}, "servers": {"a": {"command": "y"}}}`,
		// The ref of file "x" and server "y#z" reads as that of file "x#y" and "z".
		"f/.mcp.json":               `{"b#c/.mcp.json#d": {"command": "x"}}`,
		"f/.mcp.json#b#c/.mcp.json": `{"mcpServers": {"d": {"command": "x"}}}`,
	})
	var refs []string
	for _, c := range inv.Components {
		if c.Server != nil {
			refs = append(refs, c.Ref)
		}
	}
	if len(refs) != 5 {
		t.Errorf("%d servers: %v", len(refs), refs)
	}
	if inv.Component("mcp:.mcp.json#a~3") == nil {
		t.Errorf("the second a is missing: %v", refs)
	}
}

func TestSamePackageTwice(t *testing.T) {
	inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {
		"a": {"command": "npx", "args": ["foo"]},
		"b": {"command": "npx", "args": ["-y", "foo@latest"]}}}`})
	c := inv.Component("pkg:npm/foo")
	if c == nil || len(c.Occurrences) != 2 || c.Conflict != "" {
		t.Errorf("got %+v", c)
	}
}

func TestInstalledCopy(t *testing.T) {
	inv := read(t, map[string]string{
		".cursor/mcp.json":               `{"mcpServers": {"a": {"command": "node", "args": ["./node_modules/@s/n/dist/index.js"]}, "b": {"command": "node", "args": ["node_modules/gone/index.js"]}}}`,
		"node_modules/@s/n/package.json": `{"name": "@s/n", "version": "1.2.3"}`,
	})
	got := serversOf(inv)
	if a := got[0]; a.Kind != sbom.KindNPM || a.Pin != sbom.PinInstalled || a.Launches[0].Ref != "pkg:generic/%40s/n@1.2.3#node_modules/%40s/n" {
		t.Errorf("installed: %+v", a)
	}
	if b := got[1]; b.Kind != sbom.KindLocal || b.Pin != sbom.PinNA {
		t.Errorf("not installed: %+v", b)
	}
}

func TestLimits(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"mcpServers": {`)
	for i := range maxServers + 1 {
		fmt.Fprintf(&b, `"s%d": {"command": "x"},`, i)
	}
	b.WriteString("}}")
	inv := read(t, map[string]string{".mcp.json": b.String()})
	if n := len(serversOf(inv)); n != maxServers || !inv.Incomplete() {
		t.Errorf("%d servers, incomplete %v", n, inv.Incomplete())
	}

	args := strings.Repeat(`"-p", "a",`, maxArgs/2+1)
	inv = read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {"command": "npx", "args": [` + args + `]}}}`})
	if s := serversOf(inv)[0]; s.Kind != sbom.KindUnknown || !inv.Incomplete() {
		t.Errorf("kind %s, incomplete %v", s.Kind, inv.Incomplete())
	}

	args = strings.Repeat(`"-p", "a",`, maxSubjects+1)
	inv = read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {"command": "npx", "args": [` + args + `]}}}`})
	launches := serversOf(inv)[0].Launches
	if len(launches) != maxSubjects || launches[maxSubjects-1].Kind != sbom.KindUnknown {
		t.Errorf("%d launches, the last %+v", len(launches), launches[len(launches)-1])
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Reader{}).Read(ctx, []*sbom.File{{Name: ".mcp.json"}}, sbom.NewBuilder()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestNoValueLeaks plants a marker in every place of a configuration that can
// hold a value, and looks for it in everything that comes out.
func TestNoValueLeaks(t *testing.T) {
	const plain = "hunter2"
	const token = "ghp_MARKERmarker0123456789MARKERmarker01"
	commands := []string{
		`"command": "npx", "args": ["--//x:_authToken=%s", "-y", "foo", "%s", "--api-key", "%s", "--token=%s", "KEY=%s", "https://u:%s@a.example/?k=%s#%s"]`,
		`"command": "npx -y foo %s --key=%s"`,
		`"command": "A=%s npx foo %s"`,
		`"command": "npx", "args": ["--userconfig", "%s", "-p", "foo", "bin", "%s"]`,
		`"command": "npx", "args": ["-y", "mcp-remote", "https://u:%s@a.example/mcp?x=%s#%s", "--header", "Authorization: Bearer %s"]`,
		`"command": "npx", "args": ["supergateway", "--oauth2Bearer", "%s", "--stdio", "npx -y foo --x %s"]`,
		`"command": "npx", "args": ["github:o/r#%[1]s-x-` + token + `"]`,
		`"command": "npx", "args": ["git+https://x:%s@github.com/o/r.git"]`,
		`"command": "npx", "args": ["https://x:%s@files.example/a.tgz?t=%s"]`,
		`"command": "npx", "args": ["foo@${V:-%s}"]`,
		`"command": "uvx", "args": ["--index-url", "https://x:%s@pypi.example", "--from", "git+https://x:%s@github.com/o/r@main", "r", "%s"]`,
		`"command": "docker", "args": ["run", "-e", "K=%s", "--env=T=%s", "-eX=%s", "-v", "%s", "mcp/x", "--pw", "%s"]`,
		`"command": "docker", "args": ["run", "--what", "%s", "mcp/x"]`,
		`"command": "docker", "args": ["exec", "-e", "K=%s", "name", "%s"]`,
		`"command": "env", "args": ["K=%s", "sudo", "L=%s", "npx", "foo"]`,
		`"command": "env", "args": ["-S", "K=%s npx foo %s"]`,
		`"command": "bash", "args": ["-lc", "export K=%s && L=%s npx foo --t %s"]`,
		`"command": "bash", "args": ["-c", "curl -H 'X: %s' https://u:%s@a.example | npx foo %s; K=%s"]`,
		`"command": "bash", "args": ["-c", "npx foo %s ("]`,
		`"command": "cmd", "args": ["/c", "set", "K=%s", "&&", "npx", "foo", "%s"]`,
		`"command": "cmd", "args": ["/c", "npx foo %s & x %s"]`,
		`"command": "powershell", "args": ["-Command", "$env:K='%s'; npx foo %s"]`,
		`"command": "powershell", "args": ["-Command", "npx foo %s | x %s"]`,
		`"command": "node", "args": ["x.js", "%s", "--env-file", "%s"]`,
		`"command": "node", "args": ["-e", "%s"]`,
		`"command": "python", "args": ["-m", "x", "%s"]`,
		`"command": "/opt/server --token %s"`,
		`"command": "/opt/server --token %s", "args": ["x"]`,
		`"command": "server --token %s", "args": ["x"]`,
		`"command": "C:\\x\\server.exe --token %s", "args": ["x"]`,
		`"command": "npx", "args": ["github:x:%s@o/r"]`,
		`"command": "npx", "args": ["mcp-remote", "https:/u:%s@a.example"]`,
		`"url": "https:\\\\u:%s@a.example/mcp"`,
		`"url": "ht\ntps://u:%s@a.example/mcp"`,
		`"url": "https:u:%s@a.example/mcp"`,
		`"command": "server", "args": ["%s"]`,
		`"command": "npx", "args": "-y foo %s"`,
		`"command": "npx", "args": ["foo", {"x": "%s"}]`,
		`"command": ["server", "%s", "--token", "%s"]`,
		`"type": "%s", "command": "x"`,
		`"url": "https://u:%s@a.example/mcp?k=%s#%s"`,
		`"url": "https://a.example/${K:-%s}/mcp"`,
		`"url": "wss://%s@a.example"`,
	}
	rest := `, "env": {"API_KEY": "%s", "PLAIN": "%s", "N": ["%s"]}, "headers": {"Authorization": "Bearer %s", "X": "%s"},
		"oauth": {"clientSecret": "%s"}, "cwd": "%s", "timeout": "%s", "disabled": "%s", "transportType": 1, "description": "%s"`
	for _, marker := range []string{plain, token} {
		for i, command := range commands {
			entry := strings.NewReplacer("%[1]s", marker, "%s", marker).Replace(command + rest)
			data := `{"mcpServers": {"a": {` + entry + `}, "b": "` + marker + `"}, "inputs": ["` + marker + `"]}`
			inv := read(t, map[string]string{".mcp.json": data})
			if len(serversOf(inv)) != 2 {
				t.Fatalf("command %d: %d servers: %v", i, len(serversOf(inv)), inv.Inputs[0].Problems)
			}
			if out := dump(t, inv); strings.Contains(out, marker) || marker == token && strings.Contains(out, "MARKER") {
				t.Errorf("command %s leaks:\n%s", command, out)
			}
		}
	}
	// Where a spec or a name is expected, a credential in its usual form does
	// not show either.
	for _, entry := range []string{
		`"command": "TOKEN"`, `"command": "/opt/TOKEN/x"`, `"command": "npx", "args": ["TOKEN"]`, `"command": "npx", "args": ["@s/TOKEN"]`,
		`"command": "npx", "args": ["foo@TOKEN"]`, `"command": "uvx", "args": ["TOKEN"]`, `"command": "uvx", "args": ["foo@TOKEN"]`,
		`"command": "docker", "args": ["run", "x:TOKEN"]`, `"command": "docker", "args": ["exec", "TOKEN"]`,
		`"command": "docker", "args": ["run", "-e", "TOKEN", "x"]`, `"command": "node", "args": ["TOKEN"]`,
		`"command": "npx", "args": ["@smithery/cli", "run", "TOKEN"]`, `"url": "https://a.example/TOKEN/mcp"`, `"url": "TOKEN"`,
		`"command": "x", "env": {"TOKEN": "1"}`, `"command": "x", "headers": {"TOKEN": "abc"}`, `"command": "x", "autoApprove": ["TOKEN"]`,
	} {
		inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {` + strings.ReplaceAll(entry, "TOKEN", token) + `}}}`})
		if out := dump(t, inv); strings.Contains(out, token) {
			t.Errorf("%s leaks:\n%s", entry, out)
		}
	}
}

func dump(t testing.TB, inv *sbom.Inventory) string {
	t.Helper()
	out, err := json.Marshal(inv)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func FuzzReader(f *testing.F) {
	f.Add(`{"mcpServers": {"a": {"command": "npx", "args": ["-y", "foo"], "env": {"A": "b"}}}}`)
	f.Add(`{"servers": {"a": {"type": "http", "url": "https://a.example/mcp", "headers": {"Authorization": "x"}}},}`)
	f.Add("\xef\xbb\xbf// c\n{\"a\": {\"command\": \"x\"}}")
	f.Add(`{"mcpServers": [{"name": 1}, null]}`)
	f.Add(`{"projects": {"p": {"mcpServers": {"a": {}}}}}`)
	f.Add("mcpServers:\n  - &a {name: a, command: npx, args: [foo]}\n  - {<<: *a, name: b}\n---\n")
	f.Add("extensions:\n  a: {type: inline_python, code: x, dependencies: [y]}\n  a: {cmd: [x]}\n")
	f.Add("[mcp_servers.a.b]\ncommand = \"npx\"\nargs = [\"foo\"] # c\n[[mcp_servers.c]]\nx.y = {z = 1}\n")
	f.Add(`{"manifest_version": "0.3", "server": {"mcp_config": {"command": "npx", "platform_overrides": {"win32": {"args": ["x"]}}}}}`)
	f.Add(`{"name": "n", "packages": [{"registryType": "npm", "identifier": "a", "environmentVariables": [{"name": "K"}]}], "remotes": [{"url": "x"}]}`)
	f.Add("startCommand:\n  commandFunction: \"() => ({command: 'npx', args: ['x']})\"\n")
	f.Fuzz(func(t *testing.T, data string) {
		(Reader{}).Sniff([]byte(data))
		const marker = "hunter2hunter2"
		if strings.Contains(data, marker) {
			return
		}
		for _, name := range []string{
			".mcp.json", ".claude.json", ".continue/mcpServers/a.yaml", ".config/goose/config.yaml", ".codex/config.toml", ".vibe/config.toml",
			"manifest.json", "server.json", "catalog.yaml", "smithery.yaml", ".claude-plugin/plugin.json",
		} {
			inv := read(t, map[string]string{name: data})
			if again := read(t, map[string]string{name: data}); !cmp.Equal(inv, again) {
				t.Errorf("differs: %s", cmp.Diff(inv, again))
			}
			for _, s := range serversOf(inv) {
				if len(s.Launches) == 0 || s.Line < 1 || s.Column < 1 {
					t.Errorf("server %+v", s)
				}
			}
		}
		// The same file with a value of env in it says nothing of that value.
		inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {"m": {"command": "npx", "args": ["foo", "--token", "` + marker + `"], "env": {"K": "` + marker + `"}, "x": ` + data + `}}}`})
		if strings.Contains(dump(t, inv), marker) {
			t.Error("a value shows")
		}
	})
}

var update = flag.Bool("update", false, "write the golden file anew")

// TestProject reads a small project of configurations whole.
func TestProject(t *testing.T) {
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: os.DirFS(filepath.Join("testdata", "project"))}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(inv, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "project.golden.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// shared returns the folder of real configurations, which is not part of the
// repository.
func shared(t *testing.T) string {
	t.Helper()
	root := os.Getenv("COUNTERMARK_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", "mcp-configs")
	if _, err := os.Stat(filepath.Join(dir, "manifest.jsonl")); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no real configurations: set COUNTERMARK_SHARED to a folder with data/mcp-configs")
	}
	return dir
}

// sample is a line of the manifest: a real file and what it configures.
type sample struct {
	File, Client, Format, Path string
	Expected                   []expected
}

type expected struct {
	Name       string
	Disabled   bool
	Transport  string
	Launcher   string
	Kind       string
	Package    string
	Version    string
	Pin        string
	URL        string
	Path       string
	Extras     string
	ProxiedURL string `json:"proxied_url"`
	FileSHA256 string
	Nested     *struct{ Kind, Package, Pin string }
}

// kinds and pins translate the words of the manifest.
var (
	kinds          = map[string]string{"python-module": "local", "npm-local": "npm", "bundle-local": "mcpb", "extension-settings-only": "builtin", "npm-via-cdn": "npm", "jbang-alias": "unknown", "smithery": "unknown"}
	transportWords = map[string]string{"remote": "http", "streamable-http": "http"}
	pins           = map[string]string{"sha256": "digest", "tag-latest": "tag", "untagged": "tag", "template": "unknown", "global-install": "unknown", "installed-copy": "installed"}
)

func translate(words map[string]string, word string) string {
	if w, ok := words[word]; ok {
		return w
	}
	return word
}

func TestRealConfigurations(t *testing.T) {
	dir := shared(t)
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(manifest))
	lines.Buffer(nil, 1<<20)
	files, servers := 0, 0
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(s.File)))
		if err != nil {
			t.Fatal(err)
		}
		files++
		servers += len(s.Expected)
		// By its own name, by a name that says nothing, and by its client.
		t.Run(s.File, func(t *testing.T) { compare(t, s, readFile(t, s.Path, string(data)), false) })
		t.Run("content/"+s.File, func(t *testing.T) {
			compare(t, s, readFile(t, path.Base(s.File), string(data)), true)
			compare(t, s, readFile(t, "x", string(data)), true)
		})
		if (Reader{}).Knows(s.Client) {
			t.Run("client/"+s.File, func(t *testing.T) { compare(t, s, readAs(t, s.Client, path.Base(s.File), string(data)), false) })
		}
	}
	if files != 110 || servers != 278 {
		t.Errorf("%d files with %d servers were read", files, servers)
	}
}

// compare holds an inventory against what the manifest expects. A file that
// configures nothing need not be recognised by its content.
func compare(t *testing.T, s sample, inv *sbom.Inventory, byContent bool) {
	t.Helper()
	if len(inv.Inputs) == 0 && byContent && len(s.Expected) == 0 && s.Format != "yaml" {
		return
	}
	if len(inv.Inputs) != 1 {
		t.Fatalf("%d inputs", len(inv.Inputs))
	}
	broken := 0
	for _, p := range inv.Inputs[0].Problems {
		if p.Code != sbom.Warning {
			broken = p.Line
			t.Logf("problem: %+v", p)
		}
	}
	if want := map[string]int{"continue/01-PierrunoYT-ai-fact-checker.yaml": 9}[s.File]; broken != want {
		t.Errorf("broken in line %d, want %d", broken, want)
	}
	left := serversOf(inv)
	for _, want := range s.Expected {
		i := slices.IndexFunc(left, func(have *sbom.Server) bool { return have.Name == want.Name })
		if i < 0 {
			t.Errorf("%s: not found", want.Name)
			continue
		}
		compareServer(t, want, left[i])
		left = slices.Delete(left, i, i+1)
	}
	for _, have := range left {
		t.Errorf("%s: not expected", have.Name)
	}
}

func compareServer(t *testing.T, want expected, have *sbom.Server) {
	t.Helper()
	equal := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s %q, want %q", have.Name, what, got, want)
		}
	}
	if have.Disabled != want.Disabled {
		t.Errorf("%s: disabled %v", have.Name, have.Disabled)
	}
	if want.Transport != "unspecified" && have.Kind != sbom.KindBuiltin {
		equal("transport", have.Transport, translate(transportWords, want.Transport))
	}
	equal("kind", string(have.Kind), translate(kinds, want.Kind))
	if !strings.HasPrefix(want.Launcher, "(implied") {
		equal("launcher", have.Launcher, want.Launcher)
	}
	if want.Pin != "" {
		equal("pin", string(have.Pin), translate(pins, want.Pin))
	}
	if want.URL != "" {
		equal("url", have.Spec, sbom.RedactURL(want.URL))
	}
	nested := 0
	if want.ProxiedURL != "" {
		nested++
		if len(have.Launches) < 2 || have.Launches[1].Spec != sbom.RedactURL(want.ProxiedURL) {
			t.Errorf("%s: launches %+v, want %s", have.Name, have.Launches, want.ProxiedURL)
		}
	}
	if want.Nested != nil {
		nested++
		if len(have.Launches) < 2 || string(have.Launches[1].Kind) != translate(kinds, want.Nested.Kind) ||
			!strings.Contains(have.Launches[1].Spec, want.Nested.Package) {
			t.Errorf("%s: launches %+v, want %+v", have.Name, have.Launches, want.Nested)
		}
	}
	if len(have.Launches) != 1+nested {
		t.Errorf("%s: %d launches, want %d: %+v", have.Name, len(have.Launches), 1+nested, have.Launches)
	}
	ref := have.Launches[0].Ref
	if want.Pin == "template" {
		equal("ref", ref, "")
		equal("spec", have.Spec, want.Package+"@"+want.Version)
		return
	}
	switch have.Kind {
	case sbom.KindMCPB:
		p, err := packageurl.FromString(ref)
		if err != nil {
			t.Errorf("%s: ref %q: %v", have.Name, ref, err)
			return
		}
		equal("version", p.Version, want.Version)
		equal("checksum", strings.TrimPrefix(p.Qualifiers.Map()["checksum"], "sha256:"), want.FileSHA256)
		if want.FileSHA256 != "" {
			equal("spec", have.Spec, want.Package)
			return
		}
		equal("package", p.Name, want.Package)
		equal("path", have.Spec, want.Path)
	case sbom.KindNPM, sbom.KindPyPI:
		p, err := packageurl.FromString(ref)
		if err != nil {
			t.Errorf("%s: ref %q: %v", have.Name, ref, err)
			return
		}
		name := strings.TrimPrefix(p.Namespace+"/"+p.Name, "/")
		version := want.Version
		if want.Pin != "exact" {
			equal("request", have.Launches[0].Request, version)
			version = "" // a tag is none
		}
		wantName := want.Package
		if have.Kind == sbom.KindPyPI {
			wantName = normalizePyPI(wantName)
		}
		equal("package", name, wantName)
		equal("version", p.Version, version)
	case sbom.KindOCI:
		if !strings.Contains(ref, strings.ReplaceAll(want.Package, "/", "%2F")) {
			t.Errorf("%s: ref %q, want %s", have.Name, ref, want.Package)
		}
	case sbom.KindGit:
		equal("spec", have.Spec, want.Package)
	case sbom.KindLocal:
		if want.Package == "" && want.Path != "" && want.Launcher != "bun run" && have.Launcher != "dotnet" {
			equal("path", have.Spec, want.Path)
		}
	}
}
