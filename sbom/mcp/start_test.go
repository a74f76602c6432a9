package mcp

import (
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"
)

const byNode = ".mcp/s/node_modules/tool/x.js"

// TestStartByNode: the launcher with its own words becomes node with a file, and
// everything else stays byte for byte.
func TestStartByNode(t *testing.T) {
	one := func(entry string) string { return `{"mcpServers": {"s": ` + entry + `}}` }
	for name, test := range map[string]struct{ file, was, is, why string }{
		"npx":                {".mcp.json", one(`{"command": "npx", "args": ["-y", "tool", "--x", "-y"], "env": {"K": "v"}}`), one(`{"command": "node", "args": ["` + byNode + `", "--x", "-y"], "env": {"K": "v"}}`), ""},
		"its own dashes":     {".mcp.json", one(`{"command": "npx", "args": ["tool", "--", "x"]}`), one(`{"command": "node", "args": ["` + byNode + `", "--", "x"]}`), ""},
		"args first":         {".mcp.json", one(`{"args": ["-y", "tool@1.0.0"], "command": "npx"}`), one(`{"args": ["` + byNode + `"], "command": "node"}`), ""},
		"package and bin":    {".mcp.json", one(`{"command": "npx", "args": ["-y", "-p", "tool@latest", "BIN", "a"]}`), one(`{"command": "node", "args": ["` + byNode + `~BIN", "a"]}`), ""},
		"package=":           {".mcp.json", one(`{"command": "npx", "args": ["--package=tool", "BIN"]}`), one(`{"command": "node", "args": ["` + byNode + `~BIN"]}`), ""},
		"lines":              {".mcp.json", one("{\n  \"command\": \"npx\",\n  \"args\": [\n    \"-y\",\n    // which one\n    \"tool\",\n    \"a\"\n  ]\n}"), one("{\n  \"command\": \"node\",\n  \"args\": [\n    // which one\n    \"" + byNode + "\",\n    \"a\"\n  ]\n}"), ""},
		"a comment behind":   {".mcp.json", one("{\"command\": \"npx\", \"args\": [\n  \"-y\", // yes\n  \"tool\"]}"), one("{\"command\": \"node\", \"args\": [\n  // yes\n  \"" + byNode + "\"]}"), ""},
		"a comment between":  {".mcp.json", one(`{"command": "npx", "args": ["-y" /* yes, */, "tool"]}`), one(`{"command": "node", "args": [ /* yes, */ "` + byNode + `"]}`), ""},
		"windows line ends":  {".mcp.json", "\xef\xbb\xbf" + one("{\"command\": \"npx\", \"args\": [\r\n  \"-y\",\r\n  \"tool\"\r\n]}"), "\xef\xbb\xbf" + one("{\"command\": \"node\", \"args\": [\r\n  \""+byNode+"\"\r\n]}"), ""},
		"cmd":                {".mcp.json", one(`{"command": "cmd", "args": ["/c", "npx", "-y", "tool", "a"]}`), one(`{"command": "cmd", "args": ["/c", "node", "` + byNode + `", "a"]}`), ""},
		"suffix":             {".mcp.json", one(`{"command": "npx.cmd", "args": ["tool"]}`), one(`{"command": "node", "args": ["` + byNode + `"]}`), ""},
		"a path":             {".mcp.json", one(`{"command": "/usr/local/bin/npx", "args": ["tool"]}`), one(`{"command": "/usr/local/bin/node", "args": ["` + byNode + `"]}`), ""},
		"a path of Windows":  {".mcp.json", one(`{"command": "C:\\Program Files\\nodejs\\npx.cmd", "args": ["tool"]}`), one(`{"command": "C:\\Program Files\\nodejs\\node.exe", "args": ["` + byNode + `"]}`), ""},
		"escapes":            {".mcp.json", one(`{"command": "npx", "args": ["\u002dy", "\u0074ool"]}`), one(`{"command": "node", "args": ["` + byNode + `"]}`), ""},
		"wrapped":            {".mcp.json", one(`{"command": "env", "args": ["A=b", "npx", "tool", "tool"]}`), one(`{"command": "env", "args": ["A=b", "node", "` + byNode + `", "tool"]}`), ""},
		"command line":       {".mcp.json", one(`{"command": "npx -y tool --x tool"}`), one(`{"command": "node ` + byNode + ` --x tool"}`), ""},
		"half a line":        {".mcp.json", one(`{"command": "npx -y", "args": ["tool", "a"]}`), one(`{"command": "node", "args": ["` + byNode + `", "a"]}`), ""},
		"args as a text":     {".mcp.json", one(`{"command": "npx", "args": "-y tool a"}`), "", "it is not one package"},
		"shell":              {".mcp.json", one(`{"command": "sh", "args": ["-c", "exec npx -y 'tool' \"a b\""]}`), one(`{"command": "sh", "args": ["-c", "exec node '` + byNode + `' \"a b\""]}`), ""},
		"bunx":               {".mcp.json", one(`{"command": "bunx", "args": ["tool"]}`), one(`{"command": "node", "args": ["` + byNode + `"]}`), ""},
		"pnpm":               {".mcp.json", one(`{"command": "pnpm", "args": ["--silent", "dlx", "tool", "a"]}`), one(`{"command": "node", "args": ["` + byNode + `", "a"]}`), ""},
		"yarn":               {".mcp.json", one(`{"command": "yarn", "args": ["dlx", "-q", "tool", "a"]}`), one(`{"command": "node", "args": ["` + byNode + `", "a"]}`), ""},
		"npm exec":           {".mcp.json", one(`{"command": "npm", "args": ["exec", "-y", "tool", "--", "a", "--b"]}`), one(`{"command": "node", "args": ["` + byNode + `", "a", "--b"]}`), ""},
		"npm x":              {".mcp.json", one(`{"command": "npm", "args": ["x", "tool", "a", "-y", "b"]}`), one(`{"command": "node", "args": ["` + byNode + `", "a", "b"]}`), ""},
		"opencode":           {"opencode.json", "{\n  // ours\n  \"mcp\": {\"s\": {\"type\": \"local\", \"command\": [\"npx\", \"-y\", \"tool\", \"a\",],},},\n}\n", "{\n  // ours\n  \"mcp\": {\"s\": {\"type\": \"local\", \"command\": [\"node\", \"" + byNode + "\", \"a\",],},},\n}\n", ""},
		"continue":           {".continue/mcpServers/a.yaml", "mcpServers:\n  - name: s # ours\n    command: npx\n    args:\n      - -y # yes\n      - '-q'\n      - tool   # floats\n      - a\n", "mcpServers:\n  - name: s # ours\n    command: node\n    args:\n      # yes\n      - " + byNode + "   # floats\n      - a\n", ""},
		"yaml in brackets":   {".continue/mcpServers/a.yaml", "mcpServers:\n  - name: s\n    command: \"npx\"\n    args: [-y, tool, a]\n", "mcpServers:\n  - name: s\n    command: \"node\"\n    args: [" + byNode + ", a]\n", ""},
		"codex":              {".codex/config.toml", "[mcp_servers.s]\ncommand = 'npx'\nargs = [\n  \"-y\", # yes\n  \"tool\", # floats\n  'a',\n]\n", "[mcp_servers.s]\ncommand = 'node'\nargs = [\n  # yes\n  \"" + byNode + "\", # floats\n  'a',\n]\n", ""},
		"vibe":               {".vibe/config.toml", "[[mcp_servers]]\nname = \"s\"\ntransport = \"stdio\"\ncommand = \"npx\"\nargs = [\"tool\"]\n", "[[mcp_servers]]\nname = \"s\"\ntransport = \"stdio\"\ncommand = \"node\"\nargs = [\"" + byNode + "\"]\n", ""},
		"cline's new form":   {"cline_mcp_settings.json", one(`{"transport": {"type": "stdio", "command": "npx", "args": ["tool"]}}`), one(`{"transport": {"type": "stdio", "command": "node", "args": ["` + byNode + `"]}}`), ""},
		"zed's old form":     {".zed/settings.json", `{"context_servers": {"s": {"command": {"path": "npx", "args": ["-y", "tool"], "env": {}}}}}`, `{"context_servers": {"s": {"command": {"path": "node", "args": ["` + byNode + `"], "env": {}}}}}`, ""},
		"an option is lost":  {".mcp.json", one(`{"command": "npx", "args": ["--node-options=--x", "tool"]}`), "", "node has nothing for its option --node-options"},
		"a setting is lost":  {".mcp.json", one(`{"command": "npx", "args": ["--loglevel", "error", "--fetch-timeout", "9", "tool"]}`), "", "node has nothing for its option --fetch-timeout"},
		"bun is lost":        {".mcp.json", one(`{"command": "bunx", "args": ["--bun", "tool"]}`), "", "node has nothing for its option --bun"},
		"two packages":       {".mcp.json", one(`{"command": "npx", "args": ["-p", "tool", "-p", "b", "tool"]}`), "", "it is not one package"},
		"a script":           {".mcp.json", one(`{"command": "npx", "args": ["-p", "tool", "-c", "tool a | b"]}`), "", "it is not one package"},
		"git":                {".mcp.json", one(`{"command": "npx", "args": ["github:a/b"]}`), "", "it is not one package"},
		"a tarball":          {".mcp.json", one(`{"command": "npx", "args": ["https://registry.example/a.tgz"]}`), "", "it is not one package"},
		"no program":         {".mcp.json", one(`{"command": "npx", "args": ["-p", "tool"]}`), "", "it is not one package"},
		"another launcher":   {".mcp.json", one(`{"command": "uvx", "args": ["tool"]}`), "", "it is not one package"},
		"in a container":     {".mcp.json", one(`{"command": "docker", "args": ["run", "node", "npx", "tool"]}`), "", "it is not one package"},
		"node already":       {".mcp.json", one(`{"command": "node", "args": ["x.js"]}`), "", "it is not one package"},
		"deno":               {".mcp.json", one(`{"command": "deno", "args": ["run", "npm:tool"]}`), "", "it is not one package"},
		"bun by its path":    {".mcp.json", one(`{"command": "/usr/local/bin/bunx", "args": ["tool"]}`), "", "where node is beside bunx is not known"},
		"a block of YAML":    {".continue/mcpServers/a.yaml", "mcpServers:\n  - name: s\n    command: |\n      npx -y tool\n", "", "more than one line"},
		"escapes in a shell": {".mcp.json", one(`{"command": "\u006epx -y tool"}`), "", "plain letters"},
	} {
		ref := "mcp:" + test.file + "#s"
		tree := sbom.Tree{FS: fstest.MapFS{}}
		out, done, err := StartByNode(t.Context(), tree, test.file, Reader{}.Recognize(test.file), []byte(test.was), []Relaunch{{Ref: ref, File: func(bin string) (string, string) {
			if bin != "" {
				return byNode + "~" + bin, ""
			}
			return byNode, ""
		}}})
		want := test.is
		if want == "" {
			want = test.was
		}
		if err != nil || string(out) != want || (done[0].Why == "") != (test.why == "") || !strings.Contains(done[0].Why, test.why) {
			t.Errorf("%s: %v, refused %q\n%s\nwant\n%s", name, err, done[0].Why, out, want)
		}
	}
}

// FuzzStartByNode: whatever stands in a configuration, it either stays byte for byte
// or node gets what the package got.
func FuzzStartByNode(f *testing.F) {
	for _, text := range []string{
		`{"mcpServers": {"s": {"command": "npx", "args": ["-y", /* a */ "tool", "--x"]}}}`,
		`{"mcpServers": {"s": {"command": "sh", "args": ["-c", "exec npx -y 'tool' \"a b\""]}}}`,
		"mcpServers:\n  - name: s\n    command: npx\n    args:\n      - -y # yes\n      - tool\n",
		"[mcp_servers.s]\ncommand = 'npx'\nargs = [\n  \"-y\", # yes\n  'tool',\n]\n",
	} {
		f.Add(text, uint8(0))
		f.Add(text, uint8(1))
		f.Add(text, uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		name := []string{".mcp.json", ".continue/mcpServers/a.yaml", ".codex/config.toml"}[which%3]
		tree := sbom.Tree{FS: fstest.MapFS{}}
		kind := Reader{}.Recognize(name)
		starts, err := startsIn(t.Context(), tree, name, kind, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var list []Relaunch
		for ref := range starts {
			list = append(list, Relaunch{Ref: ref, File: func(string) (string, string) { return byNode, "" }})
		}
		out, done, err := StartByNode(t.Context(), tree, name, kind, []byte(text), list)
		if err != nil {
			t.Fatal(err)
		}
		changed := false
		for _, d := range done {
			changed = changed || d.Why == ""
		}
		if !changed && string(out) != text {
			t.Errorf("nothing is said to have changed: %q", out)
		}
	})
}
