package lock

import (
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"
)

// selected is what every floating package selects.
func selected(_ *sbom.Component, l sbom.Launch) Known {
	switch {
	case !l.Pin.Floating():
		return Known{}
	case l.Kind == sbom.KindOCI:
		return Known{Digest: digestA}
	case l.Kind == sbom.KindGo:
		return Known{Version: "v9.8.7"}
	case l.Kind == sbom.KindGit:
		return Known{Commit: commitA}
	default:
		return Known{Version: "9.8.7", Integrity: sri}
	}
}

const commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// pin pins one configuration.
func pin(t testing.TB, name, text string) Edit {
	t.Helper()
	fsys := fstest.MapFS{name: {Data: []byte(text)}}
	inv := inventory(t, map[string]string{name: text})
	e, err := Write(t.Context(), sbom.Tree{FS: fsys}, name, kindOf(inv, name), []byte(text), Pins(inv, Make(inv, selected)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func kindOf(inv *sbom.Inventory, name string) string {
	for _, in := range inv.Inputs {
		if in.Path == name {
			return in.Kind
		}
	}
	return ""
}

func TestWrite(t *testing.T) {
	for name, test := range map[string]struct{ file, was, is, left string }{
		"npx":              {".mcp.json", one(`{"command":"npx","args":["-y","tool"]}`), one(`{"command":"npx","args":["-y","tool@9.8.7"]}`), ""},
		"a tag":            {".mcp.json", one(`{"command":"npx","args":["@s/tool@latest"]}`), one(`{"command":"npx","args":["@s/tool@9.8.7"]}`), ""},
		"a range":          {".mcp.json", one(`{"command":"npx","args":["tool@^1.2"]}`), one(`{"command":"npx","args":["tool@9.8.7"]}`), ""},
		"cmd":              {".mcp.json", one(`{"command":"cmd","args":["/c","npx","-y","tool"]}`), one(`{"command":"cmd","args":["/c","npx","-y","tool@9.8.7"]}`), ""},
		"package and bin":  {".mcp.json", one(`{"command":"npx","args":["-p","tool","tool-bin"]}`), one(`{"command":"npx","args":["-p","tool@9.8.7","tool-bin"]}`), ""},
		"package=":         {".mcp.json", one(`{"command":"npx","args":["--package=tool","bin"]}`), one(`{"command":"npx","args":["--package=tool@9.8.7","bin"]}`), ""},
		"command line":     {".mcp.json", one(`{"command":"npx -y tool --x"}`), one(`{"command":"npx -y tool@9.8.7 --x"}`), ""},
		"shell":            {".mcp.json", one(`{"command":"sh","args":["-c","cd x && npx -y tool"]}`), one(`{"command":"sh","args":["-c","cd x && npx -y tool@9.8.7"]}`), ""},
		"bunx":             {".mcp.json", one(`{"command":"bunx","args":["tool"]}`), one(`{"command":"bunx","args":["tool@9.8.7"]}`), ""},
		"pnpm":             {".mcp.json", one(`{"command":"pnpm","args":["dlx","tool"]}`), one(`{"command":"pnpm","args":["dlx","tool@9.8.7"]}`), ""},
		"uvx":              {".mcp.json", one(`{"command":"uvx","args":["tool"]}`), one(`{"command":"uvx","args":["tool@9.8.7"]}`), ""},
		"uvx latest":       {".mcp.json", one(`{"command":"uvx","args":["tool@latest"]}`), one(`{"command":"uvx","args":["tool@9.8.7"]}`), ""},
		"uvx range":        {".mcp.json", one(`{"command":"uvx","args":["--from","tool[x]>=1","bin"]}`), one(`{"command":"uvx","args":["--from","tool[x]==9.8.7","bin"]}`), ""},
		"docker":           {".mcp.json", one(`{"command":"docker","args":["run","-i","a/b:1"]}`), one(`{"command":"docker","args":["run","-i","a/b:1@` + digestA + `"]}`), ""},
		"image and inner":  {".mcp.json", one(`{"command":"docker","args":["run","node","npx","-y","tool"]}`), one(`{"command":"docker","args":["run","node@` + digestA + `","npx","-y","tool@9.8.7"]}`), ""},
		"proxy":            {".mcp.json", one(`{"command":"npx","args":["supergateway@3.0.0","--stdio","npx -y tool"]}`), one(`{"command":"npx","args":["supergateway@3.0.0","--stdio","npx -y tool@9.8.7"]}`), ""},
		"opencode":         {"opencode.json", "{\n  // ours\n  \"mcp\": {\"s\": {\"type\": \"local\", \"command\": [\"npx\", \"-y\", \"tool\",],},},\n}\n", "{\n  // ours\n  \"mcp\": {\"s\": {\"type\": \"local\", \"command\": [\"npx\", \"-y\", \"tool@9.8.7\",],},},\n}\n", ""},
		"continue":         {".continue/mcpServers/a.yaml", "name: a\nmcpServers:\n  - name: s # ours\n    command: npx\n    args:\n      - -y\n      - tool   # floats\n", "name: a\nmcpServers:\n  - name: s # ours\n    command: npx\n    args:\n      - -y\n      - tool@9.8.7   # floats\n", ""},
		"yaml, shared":     {".continue/mcpServers/a.yaml", "name: a\nmcpServers:\n  - name: s\n    command: npx\n    args: &a [-y, tool]\n  - name: t\n    command: npx\n    args: *a\n", "name: a\nmcpServers:\n  - name: s\n    command: npx\n    args: &a [-y, tool@9.8.7]\n  - name: t\n    command: npx\n    args: *a\n", ""},
		"codex":            {".codex/config.toml", "# ours\n[mcp_servers.s]\ncommand = 'npx'\nargs = [\n  \"-y\",\n  \"tool\", # floats\n]\n", "# ours\n[mcp_servers.s]\ncommand = 'npx'\nargs = [\n  \"-y\",\n  \"tool@9.8.7\", # floats\n]\n", ""},
		"vibe":             {".vibe/config.toml", "[[mcp_servers]]\nname = \"s\"\ntransport = \"stdio\"\ncommand = \"npx\"\nargs = [\"tool\"]\n", "[[mcp_servers]]\nname = \"s\"\ntransport = \"stdio\"\ncommand = \"npx\"\nargs = [\"tool@9.8.7\"]\n", ""},
		"windows and mark": {".mcp.json", "\xef\xbb\xbf{\r\n\"mcpServers\": {\"s\": {\"command\":\"npx\",\r\n\"args\":[\"tool\"]}}}\r\n", "\xef\xbb\xbf{\r\n\"mcpServers\": {\"s\": {\"command\":\"npx\",\r\n\"args\":[\"tool@9.8.7\"]}}}\r\n", ""},
		"go":               {".mcp.json", one(`{"command":"go","args":["run","go.example/m/cmd/x@latest","--y"]}`), one(`{"command":"go","args":["run","go.example/m/cmd/x@v9.8.7","--y"]}`), ""},
		"go branch":        {".mcp.json", one(`{"command":"go","args":["run","go.example/m/cmd/x@main"]}`), one(`{"command":"go","args":["run","go.example/m/cmd/x@v9.8.7"]}`), ""},
		"git":              {".mcp.json", one(`{"command":"npx","args":["github:a/b"]}`), one(`{"command":"npx","args":["github:a/b#` + commitA + `"]}`), ""},
		"git, short":       {".mcp.json", one(`{"command":"npx","args":["-y","a/b#main"]}`), one(`{"command":"npx","args":["-y","github:a/b#` + commitA + `"]}`), ""},
		"git branch":       {".mcp.json", one(`{"command":"npx","args":["git+https://git.example/a/b.git#main"]}`), one(`{"command":"npx","args":["git+https://git.example/a/b.git#` + commitA + `"]}`), ""},
		"git of uvx":       {".mcp.json", one(`{"command":"uvx","args":["--from","git+https://git.example/a/b","bin"]}`), one(`{"command":"uvx","args":["--from","git+https://git.example/a/b@` + commitA + `","bin"]}`), ""},
		"git tag of uvx":   {".mcp.json", one(`{"command":"uvx","args":["--from","git+https://git.example/a/b@v1","bin"]}`), one(`{"command":"uvx","args":["--from","git+https://git.example/a/b@` + commitA + `","bin"]}`), ""},
		"git folder":       {".mcp.json", one(`{"command":"uvx","args":["--from","git+https://git.example/a/b#subdirectory=c","bin"]}`), one(`{"command":"uvx","args":["--from","git+https://git.example/a/b@` + commitA + `#subdirectory=c","bin"]}`), ""},
		"git of pipx":      {".mcp.json", one(`{"command":"pipx","args":["run","--spec","git+https://git.example/a/b","bin"]}`), one(`{"command":"pipx","args":["run","--spec","git+https://git.example/a/b@` + commitA + `","bin"]}`), ""},
		"git by name":      {".mcp.json", one(`{"command":"uvx","args":["--from","x @ git+https://git.example/a/b@main","bin"]}`), one(`{"command":"uvx","args":["--from","x @ git+https://git.example/a/b@` + commitA + `","bin"]}`), ""},
		"nothing floats":   {".mcp.json", one(`{"command":"npx","args":["tool@1.0.0"]}`), "", ""},

		"twice in one text": {".mcp.json", one(`{"command":"npx tool tool"}`), "", "more than once"},
		"escaped":           {".mcp.json", one(`{"command":"npx","args":["\u0074ool"]}`), "", "plain letters"},
		"gone":              {".mcp.json", one(`{"command":"dnx","args":["Some.Tool"]}`), "", "kind nuget"},
		"block of YAML":     {".continue/mcpServers/a.yaml", "name: a\nmcpServers:\n  - name: s\n    command: |\n      npx -y tool\n", "", "more than one line"},
		"a variable":        {".mcp.json", one(`{"command":"npx","args":["tool@${V:-1}"]}`), "", ""},
	} {
		e := pin(t, test.file, test.was)
		want := test.is
		if want == "" {
			want = test.was
		}
		if string(e.After) != want {
			t.Errorf("%s: %s\nleft: %+v", name, e.After, e.Left)
		}
		if (len(e.Left) > 0) != (test.left != "") || len(e.Left) > 0 && !strings.Contains(e.Left[0].Why, test.left) {
			t.Errorf("%s: left %+v", name, e.Left)
		}
	}
}

// TestWriteLeavesWhatReadsOtherwise: a pin that would make something else of the
// configuration is not written.
func TestWriteLeavesWhatReadsOtherwise(t *testing.T) {
	text := one(`{"command":"npx","args":["tool"]}`)
	fsys := fstest.MapFS{".mcp.json": {Data: []byte(text)}}
	inv := inventory(t, map[string]string{".mcp.json": text})
	pins := Pins(inv, Make(inv, selected))
	for _, wrong := range []string{"--tool", "tool@latest", `tool@9.8.7","x`, "other@9.8.7 x", `tool"`} {
		pins[0].New = wrong
		e, err := Write(t.Context(), sbom.Tree{FS: fsys}, ".mcp.json", "claude-code", []byte(text), pins)
		if err != nil {
			t.Fatal(err)
		}
		if string(e.After) != text || len(e.Written) != 0 || len(e.Left) != 1 || e.Left[0].Why == "" {
			t.Errorf("%s: %+v", wrong, e)
		}
	}
	if got := Pins(inv, nil); got[0].Why != "it is not in the lock" {
		t.Errorf("%+v", got)
	}
	if got := Pins(inv, Make(inv, nothing)); got[0].Why != notKnown {
		t.Errorf("%+v", got)
	}
}

// FuzzWrite: whatever a configuration holds, what is written reads as before but
// for the pins, and nothing floats any more that was not left.
func FuzzWrite(f *testing.F) {
	for _, text := range []string{
		one(`{"command":"npx","args":["-y","tool"]}`), one(`{"command":"docker","args":["run","a:1","npx","tool"]}`), "{\n// c\n\"mcpServers\":{\"a\":{\"command\":\"npx tool\"},},}",
	} {
		f.Add(".mcp.json", text)
	}
	f.Add(".continue/mcpServers/a.yaml", "name: a\nmcpServers:\n  - name: s\n    command: npx\n    args: [-y, tool]\n")
	f.Add(".codex/config.toml", "[mcp_servers.s]\ncommand = 'npx'\nargs = ['tool', \"x\"]\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		switch name {
		case ".mcp.json", ".continue/mcpServers/a.yaml", ".codex/config.toml":
		default:
			return
		}
		if len(text) > 10_000 {
			return
		}
		e := pin(t, name, text)
		if len(e.Written) == 0 {
			if string(e.After) != text {
				t.Fatal("nothing was pinned, and something was written")
			}
			return
		}
		was, is := inventory(t, map[string]string{name: text}), inventory(t, map[string]string{name: string(e.After)})
		floats := func(inv *sbom.Inventory) (n int) {
			for _, c := range inv.Servers() {
				for _, l := range c.Server.Launches {
					if l.Pin.Floating() {
						n++
					}
				}
			}
			return n
		}
		if len(was.Servers()) != len(is.Servers()) || floats(was)-floats(is) != len(e.Written) {
			t.Errorf("%d pins: %d floated, and %d do now", len(e.Written), floats(was), floats(is))
		}
	})
}
