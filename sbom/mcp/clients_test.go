package mcp

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
)

// lines shows servers as "client/name transport kind spec", with "off" where
// disabled and nested launches behind "+".
func lines(inv *sbom.Inventory) []string {
	var out []string
	for _, s := range serversOf(inv) {
		parts := []string{fmt.Sprintf("%s/%s %s %s %s", s.Client, s.Name, s.Transport, s.Kind, s.Spec)}
		for _, l := range s.Launches[1:] {
			parts = append(parts, fmt.Sprintf("+ %s %s", l.Kind, l.Spec))
		}
		if s.Disabled {
			parts = append(parts, "off")
		}
		out = append(out, strings.Join(parts, " "))
	}
	return out
}

// TestClients has the forms that no public file shows, and every notation.
func TestClients(t *testing.T) {
	tests := []struct {
		name, file, data string
		want             []string
	}{
		{"Claude Code, other folder", ".claude/.claude.json", `{"projects": {"/p": {"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}}}`, []string{"claude-code/a stdio npm foo"}},
		{"Claude Code, managed settings", "etc/claude-code/managed-settings.d/10.json", `{"managedMcpServers": {"a": {"type": "http", "url": "https://a.example"}}}`, []string{"claude-code/a http remote https://a.example"}},
		{"Claude Code, headers by a program", ".mcp.json", `{"mcpServers": {"a": {"url": "https://a.example", "headersHelper": "npx -y foo"}}}`, []string{"claude-code/a http remote https://a.example + npm foo"}},
		{"plugin with its servers", "p/.claude-plugin/plugin.json", `{"name": "p", "mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"claude-code/a stdio npm foo"}},
		{"plugin of Codex", "p/.codex-plugin/plugin.json", `{"name": "p", "mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"codex/a stdio npm foo"}},
		{"plugin of Copilot CLI", "p/plugin.json", `{"name": "p", "mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"copilot-cli/a stdio npm foo"}},
		{"agent of Codex", ".codex/agents/a.toml", "name = \"a\"\n[mcp_servers.b]\nurl = \"https://a.example\"\n", []string{"codex/b http remote https://a.example"}},
		{"plugin that is flat", "plugins/p/.mcp.json", `{"a": {"command": "npx", "args": ["foo"]}}`, []string{"claude-code/a stdio npm foo"}},
		{"Cursor", ".cursor/mcp.json", `{"mcpServers": {"a": {"url": "https://a.example"}}}`, []string{"cursor/a http remote https://a.example"}},
		{"VS Code, settings", ".vscode/settings.json", `{"editor.tabSize": 2, "mcp": {"servers": {"a": {"command": "npx", "args": ["foo"]}}}}`, []string{"vscode/a stdio npm foo"}},
		{"VS Code, settings with dots", ".vscode/settings.json", `{"mcp.servers": {"a": {"command": "npx", "args": ["foo"]}}, // c
			"augment.advanced": {"mcpServers": [{"name": "b", "command": "uvx", "args": ["bar"]}]}}`, []string{"vscode/a stdio npm foo", "vscode/b stdio pypi bar"}},
		{"VS Code, extensions", ".vscode/settings.json", `{"amp.mcpServers": {"a": {"command": "npx", "args": ["foo"]}}, "some.thing.mcpServers": {"b": {"url": "https://a.example"}}}`, []string{"vscode/a stdio npm foo", "vscode/b http remote https://a.example"}},
		{"VS Code, extension by both names", ".vscode/settings.json", `{"augment.advanced.mcpServers": [{"name": "a", "command": "npx", "args": ["foo"]}]}`, []string{"vscode/a stdio npm foo"}},
		{"VS Code, in a Flatpak", ".var/app/com.visualstudio.code/config/Code/User/mcp.json", `{"servers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"vscode/a stdio npm foo"}},
		{"Windsurf as an editor", "Library/Application Support/Windsurf - Next/User/mcp.json", `{"servers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"vscode/a stdio npm foo"}},
		{"Trae", "AppData/Roaming/Trae CN/User/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"trae/a stdio npm foo"}},
		{"Trae, with Roo Code", ".config/Trae/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"roo-code/a stdio npm foo"}},
		{"Amp", ".amp/settings.jsonc", `{"amp.mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"amp/a stdio npm foo"}},
		{"Factory", ".factory/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"factory/a stdio npm foo"}},
		{"fast-agent", "fastagent.config.yaml", "default_model: x\nmcp:\n  servers:\n    a:\n      command: npx\n      args: [foo]\n", []string{"fast-agent/a stdio npm foo"}},
		{"LibreChat", "librechat.yaml", "version: 1\nmcpServers:\n  a:\n    type: sse\n    url: https://a.example\n", []string{"librechat/a sse remote https://a.example"}},
		{"Continue, from the hub and without names", ".continue/config.yaml", "mcpServers:\n  - uses: o/block\n    with: {K: x}\n  - transport: {type: stdio, command: npx, args: [foo]}\n  - command: uvx\n    args: [bar]\n", []string{"continue/o/block  unknown o/block", "continue/ stdio npm foo", "continue/ stdio pypi bar"}},
		{"Antigravity in a project", ".agents/mcp_config.json", `{"mcpServers": {"a": {"serverUrl": "https://a.example"}}}`, []string{"antigravity/a http remote https://a.example"}},
		{"Amazon Q, default agent", ".amazonq/default.json", `{"mcpServers": {"a": {"command": "uvx", "args": ["foo"]}}}`, []string{"amazon-q/a stdio pypi foo"}},
		{"Copilot for Xcode", ".config/github-copilot/xcode/mcp.json", `{"servers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"copilot-xcode/a stdio npm foo"}},
		{"JetBrains AI Assistant", ".ai/mcp/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"jetbrains-ai/a stdio npm foo"}},
		{"Goose, recipe", "review.recipe.yaml", "version: 1.0.0\ntitle: x\nextensions:\n  - type: stdio\n    name: a\n    cmd: uvx\n    args: [foo]\n  - type: builtin\n    name: developer\n", []string{"goose/a stdio pypi foo", "goose/developer " + strings.Repeat("builtin ", 2)}},
		{"Kimi", ".kimi-code/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"kimi/a stdio npm foo"}},
		{"Rovo Dev", ".rovodev/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"rovo-dev/a stdio npm foo"}},
		{"Devin", ".devin/mcp_config.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"devin/a stdio npm foo"}},
		{"Deep Agents", ".deepagents/.mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"deepagents/a stdio npm foo"}},
		{"Grok", ".grok/config.toml", "[mcp_servers.a]\ncommand = \"npx\"\nargs = [\"foo\"]\n", []string{"grok/a stdio npm foo"}},
		{"Hermes", ".hermes/config.yaml", "mcp_servers:\n  a:\n    command: npx\n    args: [foo]\n", []string{"hermes/a stdio npm foo"}},
		{"Ruler", ".ruler/ruler.toml", "[mcp_servers.a]\ncommand = \"npx\"\nargs = [\"foo\"]\n", []string{"ruler/a stdio npm foo"}},
		{"mcporter", "mcporter.json", `{"mcpServers": {"a": {"baseUrl": "https://a.example/mcp", "bearerTokenEnv": "A_TOKEN"}, "b": {"url": "https://b.example", "baseUrl": "https://c.example"}}}`, []string{"mcporter/a http remote https://a.example/mcp", "mcporter/b http remote https://b.example"}},
		{"Claude Code, subagent", ".claude/agents/x/a.md", "---\nname: a\nmcpServers:\n  - elsewhere\n  - b:\n      type: stdio\n      command: npx\n      args: [foo]\n---\ntext\n", []string{"claude-code/b stdio npm foo"}},
		{"VS Code, profile", ".config/Code/User/profiles/x1/mcp.json", `{"servers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"vscode/a stdio npm foo"}},
		{"VS Code, workspace", "x.code-workspace", `{"folders": [], "settings": {"mcp": {"servers": {"a": {"command": "npx", "args": ["foo"]}}}}}`, []string{"vscode/a stdio npm foo"}},
		{"VS Code, dev container", ".devcontainer/go/devcontainer.json", `{"image": "x", "customizations": {"vscode": {"mcp": {"servers": {"a": {"command": "npx", "args": ["foo"]}}}}}}`, []string{"vscode/a stdio npm foo"}},
		{"VS Code, dev container in one file", ".devcontainer.json", `{"customizations": {"vscode": {"mcp": {"servers": {"a": {"command": "npx", "args": ["foo"]}}}}}}`, []string{"vscode/a stdio npm foo"}},
		{"Visual Studio", "sln/.mcp.json", `{"servers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"visual-studio/a stdio npm foo"}},
		{"Windsurf", ".codeium/windsurf/mcp_config.json", `{"mcpServers": {"a": {"serverUrl": "https://a.example/sse", "disabled": true}}}`, []string{"windsurf/a http remote https://a.example/sse off"}},
		{"Cline, new place", ".cline/data/settings/cline_mcp_settings.json", `{"mcpServers": {"a": {"transport": {"type": "stdio", "command": "npx", "args": ["foo"], "env": {"K": "v"}}}}}`, []string{"cline/a stdio npm foo"}},
		{"Roo", ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"roo-code/a stdio npm foo"}},
		{"Kilo, new", ".kilo/kilo.jsonc", `{"mcp": {"a": {"type": "local", "command": ["npx", "-y", "foo"], "enabled": false, "environment": {"K": "v"}}, // c
			"b": {"type": "remote", "url": "https://b.example"}}}`, []string{"kilo-code/a stdio npm foo off", "kilo-code/b http remote https://b.example"}},
		{"Kilo, old", ".kilocode/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"kilo-code/a stdio npm foo"}},
		{"Continue, list", ".continue/mcpServers/x.yaml", "name: x\nschema: v1\nmcpServers:\n  - name: a\n    command: npx\n    args: [-y, foo]\n  - {name: b, type: sse, url: https://b.example, requestOptions: {headers: {A: b}}}\n",
			[]string{"continue/a stdio npm foo", "continue/b sse remote https://b.example"}},
		{"Continue, oldest", ".continue/config.json", `{"experimental": {"modelContextProtocolServers": [{"transport": {"type": "stdio", "command": "npx", "args": ["foo"]}}]}}`, []string{"continue/ stdio npm foo"}},
		{"Zed, old command", ".zed/settings.json", `{"context_servers": {"a": {"command": {"path": "npx", "args": ["foo"], "env": {"K": "v"}}, "settings": {}}}}`, []string{"zed/a stdio npm foo"}},
		{"Zed", ".zed/settings.json", `{"context_servers": {"a": {"source": "custom", "command": "npx", "args": ["foo"]}, "b": {"source": "extension", "settings": {}}}}`, []string{"zed/a stdio npm foo", "zed/b  builtin "}},
		{"Qwen Code", ".qwen/settings.json", `{"mcpServers": {"a": {"httpUrl": "https://a.example", "trust": true}}}`, []string{"qwen-code/a http remote https://a.example"}},
		{"Codex", ".codex/config.toml", "model = 'x'\n[mcp_servers.a]\ncommand = \"npx\"\nargs = [\"-y\", \"foo\"] # c\nenabled = false\n[mcp_servers.a.env]\nK = \"v\"\n[mcp_servers.\"b.c\"]\nurl = 'https://b.example'\n",
			[]string{"codex/a stdio npm foo off", "codex/b.c http remote https://b.example"}},
		{"Codex, inline and dotted", ".codex/config.toml", "mcp_servers = { a = { command = \"npx\", args = [\"foo\"] } }\n", []string{"codex/a stdio npm foo"}},
		{"Codex, dotted keys", ".codex/config.toml", "mcp_servers.a.command = \"npx\"\nmcp_servers.a.args = [\n \"foo\",\n]\n", []string{"codex/a stdio npm foo"}},
		{"Codex, names without quotes", ".codex/config.toml", "[mcp_servers.x.y.z]\ncommand = \"npx\"\nargs = [\"foo\"]\n", []string{"codex/x.y.z stdio npm foo"}},
		{"Codex, a server of nothing but tables", ".codex/config.toml", "[mcp_servers.x.env]\nK = \"v\"\n", []string{"codex/x  unknown "}},
		{"Mistral Vibe", ".vibe/config.toml", "[[mcp_servers]]\nname = \"a\"\ntransport = \"streamable-http\"\nurl = \"https://a.example\"\n[mcp_servers.auth]\ntype = \"static\"\n[[mcp_servers]]\nname = \"b\"\ncommand = \"npx\"\nargs = [\"foo\"]\n",
			[]string{"mistral-vibe/a http remote https://a.example", "mistral-vibe/b stdio npm foo"}},
		{"Amazon Q, agent", ".amazonq/cli-agents/x.json", `{"name": "x", "mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"amazon-q/a stdio npm foo"}},
		{"Kiro, agent", ".kiro/agents/x.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"kiro/a stdio npm foo"}},
		{"Junie", ".junie/mcp/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"junie/a stdio npm foo"}},
		{"LM Studio", ".lmstudio/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"lm-studio/a stdio npm foo"}},
		{"Goose", ".config/goose/config.yaml", "extensions:\n  a: {type: stdio, cmd: npx, args: [foo], envs: {K: v}, env_keys: [L], enabled: true}\n  b: {type: streamable_http, uri: 'https://b.example'}\n  x: {type: builtin, enabled: false}\n  d:\n    type: inline_python\n    code: |\n      print(1)\n    dependencies: [bar==1.0]\n",
			[]string{"goose/a stdio npm foo", "goose/b http remote https://b.example", "goose/x builtin " + "builtin  off", "goose/d stdio shell-script  + pypi bar==1.0"}},
		{"Goose, aliases", ".config/goose/config.yaml", "x: &x\n  cmd: npx\n  args: [foo]\nextensions:\n  a: *x\n  b:\n    <<: *x\n    args: [bar]\n", []string{"goose/a stdio npm foo", "goose/b stdio npm bar"}},
		{"opencode", "sub/opencode.jsonc", `{"mcp": {"a": {"type": "local", "command": ["npx", "-y", "foo"]}},}`, []string{"opencode/a stdio npm foo"}},
		{"Warp", ".warp/.mcp.json", `{"a": {"command": "npx", "args": ["foo"], "working_directory": "x"}}`, []string{"warp/a stdio npm foo"}},
		{"Copilot CLI", ".github/mcp.json", `{"mcpServers": {"a": {"type": "local", "command": "npx", "args": ["foo"], "tools": ["*"]}}}`, []string{"copilot-cli/a stdio npm foo"}},
		{"Copilot coding agent", ".github/agents/x.agent.md", "---\nname: x\nmcp-servers:\n  a:\n    type: local\n    command: npx\n    args: ['foo']\n---\n# Text: [\n", []string{"copilot-agent/a stdio npm foo"}},
		{"Crush", ".crush.json", `{"mcp": {"a": {"type": "stdio", "command": "npx", "args": ["foo"], "disabled": true}}}`, []string{"crush/a stdio npm foo off"}},
		{"Trae", ".trae/mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"trae/a stdio npm foo"}},
		{"Augment", ".augment/settings.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"augment/a stdio npm foo"}},
		{"Antigravity", ".gemini/antigravity/mcp_config.json", `{"mcpServers": {"a": {"serverUrl": "https://a.example"}}}`, []string{"antigravity/a http remote https://a.example"}},
		{"any mcp.json", "x/mcp.json", `{"servers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"unknown/a stdio npm foo"}},
		{"any *.mcp.json", "x/dev.mcp.json", `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`, []string{"unknown/a stdio npm foo"}},

		{"Docker, catalogue", "catalog.yaml", "registry:\n  a: {type: server, image: 'mcp/a@sha256:" + strings.Repeat("ab", 32) + "', secrets: [{name: a.k, env: K}]}\n  b: {type: remote, remote: {url: 'https://b.example/mcp', transport_type: sse}}\n  c: {type: poci, tools: [{name: t, container: {image: 'x/y:1'}}]}\n",
			[]string{"docker-catalog/a stdio oci mcp/a@sha256:" + strings.Repeat("ab", 32), "docker-catalog/b sse remote https://b.example/mcp", "docker-catalog/c  oci x/y:1"}},
		{"bundle of files", "manifest.json", `{"manifest_version": "0.3", "name": "n", "version": "1.0.0", "server": {"type": "node", "entry_point": "server/index.js", "mcp_config": {"command": "node", "args": ["${__dirname}/server/index.js"], "platform_overrides": {"win32": {"command": "node.exe"}}}}}`,
			[]string{"mcpb/n stdio mcpb server/index.js"}},
		{"bundle, first key", "manifest.json", `{"dxt_version": "0.1", "name": "n", "version": "1.0.0", "server": {"type": "python", "entry_point": "main.py"}}`, []string{"mcpb/n stdio mcpb main.py"}},
		{"bundle that uv resolves", "manifest.json", `{"manifest_version": "0.4", "name": "n", "version": "1.0.0", "server": {"type": "uv", "entry_point": "src/main.py"}}`, []string{"mcpb/n stdio mcpb src/main.py"}},
		{"bundle that launches a package", "manifest.json", `{"manifest_version": "0.2", "name": "n", "version": "1.0.0", "server": {"type": "node", "entry_point": "x.js", "mcp_config": {"command": "npx", "args": ["-y", "foo"]}}}`,
			[]string{"mcpb/n stdio npm foo + mcpb x.js"}},
		{"bundle that launches a package on one system", "manifest.json", `{"manifest_version": "0.2", "name": "n", "version": "1.0.0", "server": {"type": "node", "entry_point": "x.js", "mcp_config": {"command": "node", "args": ["${__dirname}/x.js"], "platform_overrides": {"win32": {"command": "npx", "args": ["foo"]}}}}}`,
			[]string{"mcpb/n stdio mcpb x.js + npm foo"}},
		{"registry, first schema", "server.json", `{"$schema": "https://static.example/schemas/2025-07-09/server.schema.json", "name": "io.example/n", "packages": [
			{"registry_type": "npm", "identifier": "foo", "version": "1.2.3", "runtime_hint": "npx"},
			{"registry_type": "mcpb", "identifier": "https://files.example/x.mcpb", "version": "1.0.0", "file_sha256": "` + strings.Repeat("ab", 32) + `"}]}`,
			[]string{"registry-server-json/io.example/n stdio npm foo@1.2.3", "registry-server-json/io.example/n stdio mcpb https://files.example/x.mcpb"}},
		{"registry, before that", "server.json", `{"name": "io.example/n", "packages": [{"registry_name": "pypi", "name": "foo", "version": "1.2.3"}]}`, []string{"registry-server-json/io.example/n stdio pypi foo==1.2.3"}},
		{"registry, newest schema", "server.json", `{"$schema": "https://static.example/schemas/2025-12-11/server.schema.json", "name": "io.example/n", "packages": [
			{"registryType": "oci", "identifier": "ghcr.io/x/y:1.0", "transport": {"type": "streamable-http", "url": "http://localhost/mcp"}},
			{"registryType": "nuget", "identifier": "Foo.Bar", "version": "1.2.3"}, {"registryType": "cargo", "identifier": "foo", "version": "1.2.3"},
			{"registryType": "maven", "identifier": "x:y", "version": "1"}],
			"remotes": [{"type": "sse", "url": "https://a.example/sse", "headers": [{"name": "X", "isSecret": true}]}]}`,
			[]string{"registry-server-json/io.example/n http oci ghcr.io/x/y:1.0", "registry-server-json/io.example/n stdio nuget Foo.Bar@1.2.3", "registry-server-json/io.example/n stdio cargo foo@1.2.3",
				"registry-server-json/io.example/n stdio unknown ", "registry-server-json/io.example/n sse remote https://a.example/sse"}},
		{"registry, its answer", "server.json", `{"server": {"name": "io.example/n", "packages": [{"registryType": "npm", "identifier": "foo", "version": "1.2.3"}]}, "name": "x", "_meta": {}}`, []string{"registry-server-json/io.example/n stdio npm foo@1.2.3"}},
		{"Smithery, a literal", "smithery.yaml", "startCommand:\n  type: stdio\n  configSchema: {}\n  commandFunction: |-\n    (config) => ({ command: 'npx', args: ['-y', 'foo'], env: { K: config.k } })\n", []string{"smithery/smithery stdio npm foo"}},
		{"Smithery, with values of the user", "smithery.yaml", "startCommand:\n  type: stdio\n  commandFunction: |-\n    config => ({\n      command: 'npx',\n      args: ['-y', 'foo', '--key', config.apiKey, `--port=${config.port}`],\n      env: {}\n    })\n", []string{"smithery/smithery stdio npm foo"}},
		{"Smithery, a package of the user's", "smithery.yaml", "startCommand:\n  type: stdio\n  commandFunction: |-\n    (config) => ({ command: 'npx', args: [`${config.name}`, 'foo'] })\n", []string{"smithery/smithery stdio unknown "}},
		{"Smithery, a whole function", "smithery.yaml", "startCommand:\n  type: stdio\n  commandFunction: |-\n    (config) => { return { command: 'uvx', args: ['foo'] }; }\n", []string{"smithery/smithery stdio pypi foo"}},
		{"Smithery, more than a literal", "smithery.yaml", "startCommand:\n  type: stdio\n  commandFunction: |-\n    (config) => { const a = f(); return { command: 'uvx', args: ['foo'] }; }\n", []string{"smithery/smithery stdio unknown  + pypi foo"}},
		{"Smithery, JavaScript", "smithery.yaml", "startCommand:\n  type: stdio\n  commandFunction: |-\n    (config) => { let args = ['a']; return { command: config.x ? 'node' : 'npx', args } }\n", []string{"smithery/smithery stdio unknown "}},
		{"Smithery, hosted", "smithery.yaml", "runtime: typescript\nenv: {}\n", []string{"smithery/smithery stdio local ."}},
		{"package that is a server", "package.json", `{"name": "@s/n", "version": "1.0.0", "mcpName": "io.example/n"}`, []string{"package-json/io.example/n stdio local ."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inv := read(t, map[string]string{tt.file: tt.data})
			if diff := cmp.Diff(tt.want, lines(inv)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if inv.Incomplete() {
				t.Errorf("problems: %v", inv.Inputs[0].Problems)
			}
			// Below another name the content tells, if anything does.
			byContent := readFile(t, "file", tt.data)
			if got := lines(byContent); len(got) > 0 && len(got) != len(tt.want) {
				t.Errorf("by content: %v", got)
			}
		})
	}
}

// TestNotOurs: files of the same name that other programs have.
func TestNotOurs(t *testing.T) {
	for name, data := range map[string]string{
		"manifest.json":                   `{"manifest_version": 3, "name": "extension", "version": "1", "background": {"service_worker": "x.js"}}`,
		"server.json":                     `{"port": 80, "packages": ["a"]}`,
		"package.json":                    `{"name": "x", "repository": {"url": "https://a.example"}}`,
		".vscode/settings.json":           `{"editor.tabSize": 2}`,
		"x.code-workspace":                `{"folders": []}`,
		".devcontainer/devcontainer.json": `{"image": "x"}`,
		"catalog.yaml":                    "registry: https://a.example\n",
		"server.yaml":                     "name: x\nport: 80\n",
		"mcp.json":                        `{"a": 1}`,
		"smithery.yaml":                   "a: b\n",
		".github/agents/x.md":             "# no front matter\n",
		".claude/agents/x.md":             "---\nname: a\ntools: Read\n---\nmcpServers\n",
		"recipe.yaml":                     "title: soup\nextensions: [salt]\n",
		"plugin.json":                     `{"type": "datasource", "name": "x", "servers": ["x"]}`,
		"tsconfig.json":                   `{"compilerOptions": {"baseUrl": "."}}`,
	} {
		if inv := read(t, map[string]string{name: data}); len(inv.Inputs) != 0 {
			t.Errorf("%s is taken for a configuration: %+v", name, inv.Inputs[0])
		}
	}
}

// TestBroken: what stands before the error is listed, what it cuts in two is not.
func TestBroken(t *testing.T) {
	tests := []struct {
		name, file, data string
		line             int
		want             []string
	}{
		{"JSON", ".mcp.json", "{\"mcpServers\": {\n\"a\": {\"command\": \"x\"},\n\"b\": {\"command\": \"npx\", \"args\": [foo]}}}", 3, []string{"a"}},
		{"JSON, comments", ".vscode/mcp.json", "{\"servers\": { // {\n\"a\": {\"command\": \"x\"},\n\"b\": {", 3, []string{"a"}},
		{"JSON, list", ".continue/config.json", "{\"mcpServers\": [{\"name\": \"a\", \"command\": \"x\"},\n{\"name\": \"b\" \"command\"}]}", 2, []string{"a"}},
		{"YAML", ".continue/mcpServers/a.yaml", "mcpServers:\n  - name: a\n    command: x\n  - name: b\n    args:\n      - @s/n\n", 6, []string{"a"}},
		{"YAML, flow", ".config/goose/config.yaml", "extensions:\n  a: {cmd: x}\n  b: {cmd: y\n", 3, []string{"a"}},
		{"YAML, two documents", ".config/goose/config.yaml", "extensions:\n  a: {cmd: x}\n---\nextensions:\n  b: {cmd: y}\n", 1, []string{"a"}},
		{"TOML", ".codex/config.toml", "[mcp_servers.a]\ncommand = \"x\"\n[other]\nx = 1\n[mcp_servers.b]\ncommand = npx\n", 6, []string{"a"}},
		{"TOML, twice", ".codex/config.toml", "[mcp_servers.a]\ncommand = \"x\"\n[mcp_servers.a]\nargs = []\n", 3, []string{"a"}},
		{"TOML, list", ".vibe/config.toml", "[[mcp_servers]]\nname = \"a\"\ncommand = \"x\"\n[[mcp_servers]]\nname = \"b\"\ncommand = \n", 6, []string{"a"}},
		{"bundle", "manifest.json", "{\"dxt_version\": \"0.1\",\n\"name\": \"a\",,}", 2, nil},
		{"bundle, behind its server", "manifest.json", "{\"dxt_version\": \"0.1\", \"name\": \"a\", \"server\": {\"type\": \"node\", \"entry_point\": \"x.js\"},\n\"tools\": [{\"name\": \"t\"}{}]}", 2, []string{"a"}},
		{"bundle, in its server", "manifest.json", "{\"dxt_version\": \"0.1\", \"name\": \"a\",\n\"server\": {\"type\": \"node\" \"entry_point\": \"x.js\"}}", 2, nil},
		{"Docker", "server.yaml", "name: a\nimage: mcp/a\ntype: server\nconfig:\n  - @x\n", 5, []string{"a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inv := read(t, map[string]string{tt.file: tt.data})
			if len(inv.Inputs) != 1 || !inv.Incomplete() {
				t.Fatalf("inputs %+v", inv.Inputs)
			}
			p := inv.Inputs[0].Problems[0]
			if p.Line != tt.line || p.Message == "" || p.Hint == "" {
				t.Errorf("problem %+v, want line %d", p, tt.line)
			}
			var got []string
			for _, s := range serversOf(inv) {
				got = append(got, s.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("servers %v, want %v", got, tt.want)
			}
			if f := inv.Component("mcp:" + tt.file); f == nil || f.Coverage != sbom.IncompleteCoverage {
				t.Errorf("file %+v", f)
			}
		})
	}
}

// TestNotationLimits: neither YAML's aliases nor TOML's brackets exhaust anything.
func TestNotationLimits(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	bomb.WriteString("extensions: {a: {cmd: x}}\n")
	for name, data := range map[string]string{
		".config/goose/config.yaml":  bomb.String(),
		".continue/config.yaml":      "mcpServers: " + strings.Repeat("[", 5_000),
		".continue/mcpServers/a.yml": "mcpServers:\n- &a\n  name: x\n  env: &b {<<: *b}\n",
		".codex/config.toml":         "mcp_servers = " + strings.Repeat("[", 100_000),
		".vibe/config.toml":          "mcp_servers." + strings.Repeat("a.", 10_000) + "b = 1\n",
	} {
		if inv := read(t, map[string]string{name: data}); !inv.Incomplete() {
			t.Errorf("%s: no problem", name)
		}
	}
}

// TestOneLongLine: a whole document on one line takes no time that grows with the
// square of its length (this one would not end), and columns are right behind
// characters of several bytes.
func TestOneLongLine(t *testing.T) {
	head := "{x: [" + strings.Repeat("é, ", 200_000) + "é], extensions: {a: "
	inv := read(t, map[string]string{".config/goose/config.yaml": head + "{cmd: npx, args: [foo]}}}\n"})
	servers := serversOf(inv)
	if len(servers) != 1 || inv.Incomplete() {
		t.Fatalf("%d servers, inputs %+v", len(servers), inv.Inputs)
	}
	if want := len(head) - len("a: ") + 1; servers[0].Column != want {
		t.Errorf("column %d, want %d", servers[0].Column, want)
	}
}

func TestPluginNamesAFile(t *testing.T) {
	plugin := func(value string) string { return `{"name": "p", "mcpServers": ` + value + `}` }
	const config = `{"mcpServers": {"a": {"command": "npx", "args": ["foo"]}}}`
	inv := read(t, map[string]string{
		"p/.claude-plugin/plugin.json": plugin(`"./conf/servers.json"`), "p/conf/servers.json": config,
		"q/.claude-plugin/plugin.json": plugin(`["./.mcp.json"]`), "q/.mcp.json": config,
		"r/plugin.json": plugin(`"./conf/servers.json"`), "r/conf/servers.json": config,
	})
	var got []string
	for _, s := range serversOf(inv) {
		got = append(got, s.File+" "+s.Name)
	}
	slices.Sort(got)
	if want := []string{"p/conf/servers.json a", "q/.mcp.json a", "r/conf/servers.json a"}; !slices.Equal(got, want) || inv.Incomplete() {
		t.Errorf("got %v, want %v, inputs %+v", got, want, inv.Inputs)
	}
	for _, value := range []string{`"./gone.json"`, `"../../../etc/passwd"`, `"./broken.json"`} {
		inv := read(t, map[string]string{"p/.claude-plugin/plugin.json": plugin(value), "p/broken.json": "{"})
		if !inv.Incomplete() {
			t.Errorf("%s is missed in silence", value)
		}
	}
}

func TestDockerEnabled(t *testing.T) {
	inv := read(t, map[string]string{
		".docker/mcp/registry.yaml":            "registry:\n  a:\n    ref: \"\"\n  gone:\n    ref: \"\"\n",
		".docker/mcp/catalogs/docker-mcp.yaml": "registry:\n  a: {type: server, image: 'mcp/a:1'}\n  b: {type: server, image: 'mcp/b:1'}\n",
	})
	want := []string{"docker-catalog/gone  unknown ", "docker-catalog/a stdio oci mcp/a:1"}
	got := lines(inv)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTrust(t *testing.T) {
	for name, data := range map[string]string{
		".zed/settings.json": `{"agent": {"always_allow_tool_actions": true}, "context_servers": {"a": {"command": "x"}}}`,
		".codex/config.toml": "[mcp_servers.a]\ncommand = \"x\"\ndefault_tools_approval_mode = \"approve\"\n",
	} {
		if s := serversOf(read(t, map[string]string{name: data}))[0]; !slices.Equal(s.AutoApprove, []string{"*"}) {
			t.Errorf("%s: %v", name, s.AutoApprove)
		}
	}
	s := serversOf(read(t, map[string]string{".codex/config.toml": "[mcp_servers.a]\ncommand = \"x\"\nenv_vars = [\"K\", {name = \"L\"}]\n[mcp_servers.a.tools.t]\napproval_mode = \"approve\"\n"}))[0]
	if !slices.Equal(s.AutoApprove, []string{"t"}) || !slices.Equal(s.Env, []string{"K", "L"}) {
		t.Errorf("got %v %v", s.AutoApprove, s.Env)
	}
}

// TestInHome: every place of the table is found, on every system, and nothing else.
func TestInHome(t *testing.T) {
	home := fstest.MapFS{}
	for _, c := range clients {
		for _, p := range c.home {
			for _, whole := range spread(p) {
				home[strings.NewReplacer("**", "x/y", "*", "x").Replace(whole)] = &fstest.MapFile{Data: []byte("{}")}
			}
		}
	}
	want := len(home)
	home["Documents/project/.mcp.json"] = &fstest.MapFile{}
	home[".claude/plugins/cache/x/node_modules/y/.mcp.json"] = &fstest.MapFile{}
	files, unsearched := InHome(home)
	if len(files) != want || len(unsearched) != 0 {
		t.Errorf("%d files, want %d; unsearched %v", len(files), want, unsearched)
	}
	for _, name := range files {
		if c, ok := clientOf(name); !ok {
			t.Errorf("%s is not recognised", name)
		} else if c.kind() != sniffedKind && !strings.Contains(strings.ToLower(fmt.Sprint(c.home)), strings.ToLower(path.Base(name))) && !strings.Contains(fmt.Sprint(c.home), "*") {
			t.Errorf("%s is held for one of %s", name, c.name)
		}
	}
	deep := fstest.MapFS{".claude/plugins/cache/" + strings.Repeat("a/", maxPluginDepth+2) + ".mcp.json": {}}
	if _, unsearched := InHome(deep); len(unsearched) == 0 {
		t.Error("a folder that is too deep is left out in silence")
	}
	machine := fstest.MapFS{"etc/codex/config.toml": {}, "etc/claude-code/managed-settings.d/a.json": {}, "etc/passwd": {}}
	if files, _ := OnMachine(machine); len(files) != 2 {
		t.Errorf("on the machine: %v", files)
	}
}

func TestMoved(t *testing.T) {
	environ := map[string]string{"CODEX_HOME": "/x/codex", "OPENCODE_CONFIG": "/x/o.json", "CLAUDE_CONFIG_DIR": "relative"}
	var got []string
	for _, m := range Moved(func(name string) string { return environ[name] }) {
		got = append(got, m.Client+"/"+m.Variable+" "+m.Rest)
	}
	if want := []string{"codex/CODEX_HOME config.toml", "opencode/OPENCODE_CONFIG "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNoSecretAnywhere plants a credential in every place of every notation where
// a text can stand.
func TestNoSecretAnywhere(t *testing.T) {
	const secret = "ghp_MARKERmarker0123456789MARKERmarker01"
	for name, data := range map[string]string{
		".continue/config.yaml":     "mcpServers:\n  - {name: SECRET, command: npx, args: [foo, SECRET], env: {K: SECRET, SECRET: x}, apiKey: SECRET, cwd: SECRET, requestOptions: {headers: {A: SECRET}}, requestInit: {headers: {B: SECRET}}}\n  - {name: b, url: 'https://u:SECRET@a.example/SECRET?k=SECRET#SECRET', apiKey: SECRET}\nSECRET: SECRET\n",
		".config/goose/config.yaml": "extensions:\n  a: {type: inline_python, code: SECRET, dependencies: [SECRET, 'foo==SECRET']}\n  b: {cmd: SECRET, args: [SECRET], env_keys: [SECRET], envs: {K: SECRET}, uri: SECRET}\n  c: {type: SECRET}\n",
		".codex/config.toml":        "[mcp_servers.a]\ncommand = \"npx\"\nargs = [\"SECRET\", \"--token\", \"SECRET\"]\nenv = {K = \"SECRET\"}\nenv_vars = [\"SECRET\", {name = \"SECRET\", source = \"SECRET\"}]\nbearer_token_env_var = \"SECRET\"\nhttp_headers = {A = \"SECRET\"}\nenv_http_headers = {A = \"SECRET\"}\n[mcp_servers.a.tools.SECRET]\napproval_mode = \"approve\"\n",
		"opencode.json":             `{"mcp": {"a": {"type": "SECRET", "command": ["npx", "foo", "SECRET"], "environment": {"K": "SECRET"}, "headers": {"A": "SECRET"}}, "b": {"command": ["SECRET"]}}}`,
		".zed/settings.json":        `{"context_servers": {"a": {"settings": {"token": "SECRET"}}, "b": {"command": {"path": "SECRET", "args": ["SECRET"], "env": {"K": "SECRET"}}}}}`,
		"server.json": `{"name": "n", "version": "SECRET", "packages": [{"registryType": "npm", "identifier": "foo", "version": "SECRET", "registryBaseUrl": "https://u:SECRET@r.example", "runtimeHint": "SECRET",
			"runtimeArguments": [{"value": "SECRET"}], "packageArguments": [{"name": "--token", "value": "SECRET"}], "environmentVariables": [{"name": "K", "value": "SECRET", "default": "SECRET"}]},
			{"registryType": "SECRET", "identifier": "SECRET"}, {"registryType": "oci", "identifier": "x/y:SECRET"}, {"registryType": "nuget", "identifier": "SECRET", "version": "SECRET"},
			{"registryType": "mcpb", "identifier": "https://u:SECRET@a.example/x?k=SECRET", "version": "SECRET", "fileSha256": "SECRET"}],
			"remotes": [{"type": "SECRET", "url": "https://u:SECRET@a.example/?k=SECRET", "headers": [{"name": "A", "value": "SECRET"}]}]}`,
		"manifest.json": `{"manifest_version": "0.3", "name": "n", "version": "SECRET", "server": {"type": "SECRET", "entry_point": "SECRET", "mcp_config": {"command": "node", "args": ["x", "SECRET"], "env": {"K": "SECRET"},
			"platform_overrides": {"win32": {"command": "SECRET", "args": ["SECRET"], "env": {"K": "SECRET"}}}}}}`,
		"catalog.yaml":  "registry:\n  a: {type: server, image: 'mcp/a:SECRET', command: [SECRET], env: [{name: K, value: SECRET}], secrets: [{name: SECRET, env: SECRET}]}\n  b: {remote: {url: 'https://u:SECRET@a.example/?k=SECRET', headers: {A: SECRET}}}\n",
		"smithery.yaml": "startCommand:\n  type: SECRET\n  commandFunction: |-\n    (config) => ({ command: 'npx', args: ['foo', 'SECRET'], env: { K: 'SECRET' } })\n",
		"x.agent.md":    "---\nmcp-servers:\n  a: {command: npx, args: [foo, SECRET], env: {K: SECRET}}\n---\nSECRET\n",
		".mcp.json":     `{"mcpServers": {"a": {"url": "https://a.example", "headersHelper": "SECRET --token SECRET", "headers": {"A": "SECRET"}}, "b": {"transport": {"type": "stdio", "command": "npx", "args": ["foo", "SECRET"]}}}}`,
	} {
		for _, broken := range []string{"", "\n{[\"SECRET"} {
			text := strings.ReplaceAll(data+broken, "SECRET", secret)
			inv := read(t, map[string]string{name: text})
			for _, s := range serversOf(inv) {
				s.Name = "" // a name is what people call it, and shown as it is
			}
			for i := range inv.Components {
				if inv.Components[i].Server != nil {
					inv.Components[i].Name, inv.Components[i].Ref = "", ""
				}
			}
			inv.Edges = nil
			if broken == "" && len(inv.Inputs) == 0 {
				t.Errorf("%s: not read", name)
			}
			if out := dump(t, inv); strings.Contains(out, "MARKER") {
				i := strings.Index(out, "MARKER")
				t.Errorf("%s leaks: …%s…", name, out[max(0, i-300):i+40])
			}
		}
	}
}

// TestHeadersElsewhere: some clients keep the headers in a member of their own.
func TestHeadersElsewhere(t *testing.T) {
	for _, key := range []string{"requestOptions", "requestInit"} {
		inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {"url": "https://a.example", "` + key + `": {"headers": {"Authorization": "Bearer ghp_MARKERmarker0123456789MARKERmarker01"}}}}}`})
		s := serversOf(inv)[0]
		if len(s.Risks) == 0 || s.Risks[0].Code != sbom.RiskSecret || !slices.Equal(s.Credentials, []string{"header Authorization"}) {
			t.Errorf("%s: risks %+v, credentials %q", key, s.Risks, s.Credentials)
		}
	}
}
