package mcp

import (
	"path"
	"strings"
	"unicode"
)

// client says how the files of one MCP client are recognised and read.
type client struct {
	name   string   // kind of the input and Client of its servers
	suffix string   // trailing path segments; a segment may hold path.Match patterns
	keys   []string // members of the document that hold servers

	flat     bool // servers may also stand at the top level, as in plugins
	projects bool // projects.<path>.mcpServers holds servers too
	settings bool // a file of settings, which need not hold servers; mcp.serverCommand is one

	// unread marks a format that this version recognises but does not read: a
	// file that contains the text is reported, any other holds no servers.
	unread string
}

const (
	mcpServers = "mcpServers"
	servers    = "servers"
)

// both is for files that clients of both families share: Visual Studio reads
// "servers" where Claude Code reads "mcpServers".
var both = []string{mcpServers, servers}

// clients is searched from the top, so longer suffixes stand before the shorter
// ones that they end in.
var clients = []client{
	{name: "claude-desktop", suffix: "claude_desktop_config.json", keys: both},
	{name: "cursor", suffix: ".cursor/mcp.json", keys: both},
	{name: "vscode", suffix: ".vscode/mcp.json", keys: both},
	{name: "warp", suffix: ".warp/.mcp.json", keys: both, flat: true},
	{name: "rulesync", suffix: ".rulesync/.mcp.json", keys: both},
	{name: "claude-code", suffix: ".mcp.json", keys: both, flat: true},
	{name: "claude-code", suffix: ".claude.json", keys: both, projects: true},
	{name: "claude-code", suffix: "managed-mcp.json", keys: both},
	{name: "visual-studio", suffix: ".vs/mcp.json", keys: both},
	{name: "antigravity", suffix: ".gemini/antigravity/mcp_config.json", keys: both},
	{name: "antigravity", suffix: ".gemini/config/mcp_config.json", keys: both},
	{name: "windsurf", suffix: "mcp_config.json", keys: both},
	{name: "cline", suffix: "cline_mcp_settings.json", keys: both},
	{name: "roo-code", suffix: ".roo/mcp.json", keys: both},
	{name: "kilo-code", suffix: "kilocode.kilo-code/settings/mcp_settings.json", keys: both},
	{name: "kilo-code", suffix: ".kilocode/mcp.json", keys: both},
	{name: "roo-code", suffix: "mcp_settings.json", keys: both},
	{name: "kiro", suffix: ".kiro/settings/mcp.json", keys: both},
	{name: "amazon-q", suffix: ".amazonq/mcp.json", keys: both},
	{name: "amazon-q", suffix: ".aws/amazonq/mcp.json", keys: both},
	{name: "junie", suffix: ".junie/mcp/mcp.json", keys: both},
	{name: "trae", suffix: ".trae/mcp.json", keys: both},
	{name: "copilot-cli", suffix: ".copilot/mcp-config.json", keys: both},
	{name: "copilot-cli", suffix: ".github/mcp.json", keys: both},
	{name: "gemini-cli", suffix: ".gemini/settings.json", keys: []string{mcpServers}, settings: true},
	{name: "gemini-cli", suffix: "gemini-extension.json", keys: []string{mcpServers}, settings: true},
	{name: "qwen-code", suffix: ".qwen/settings.json", keys: []string{mcpServers}, settings: true},
	{name: "lm-studio", suffix: ".lmstudio/mcp.json", keys: both},
	{name: "rulesync", suffix: ".rulesync/mcp.json", keys: both},
	{name: "ruler", suffix: ".ruler/mcp.json", keys: both},
	{name: "continue", suffix: ".continue/mcpServers/*.json", keys: both},
	{name: "continue", suffix: ".continue/config.json", keys: []string{mcpServers}, settings: true},

	{name: "continue", suffix: ".continue/mcpServers/*.yaml", unread: mcpServers},
	{name: "continue", suffix: ".continue/mcpServers/*.yml", unread: mcpServers},
	{name: "continue", suffix: ".continue/config.yaml", unread: mcpServers},
	{name: "codex", suffix: ".codex/config.toml", unread: "mcp_servers"},
	{name: "mistral-vibe", suffix: ".vibe/config.toml", unread: "mcp_servers"},
	{name: "zed", suffix: ".zed/settings.json", unread: `"context_servers"`},
	{name: "opencode", suffix: "opencode.json", unread: `"mcp"`},
	{name: "opencode", suffix: "opencode.jsonc", unread: `"mcp"`},
	{name: "kilo-code", suffix: "kilo.json", unread: `"mcp"`},
	{name: "kilo-code", suffix: "kilo.jsonc", unread: `"mcp"`},
	{name: "crush", suffix: ".crush.json", unread: `"mcp"`},
	{name: "crush", suffix: "crush.json", unread: `"mcp"`},
}

// sniffed is the client of a file that only its content tells to be a
// configuration.
var sniffed = client{name: "unknown", keys: both, flat: true}

// sniffedKind is the kind of such a file.
const sniffedKind = "mcp"

// clientOf compares names as file systems do that do not tell the cases apart:
// there the client opens the file under any of them.
func clientOf(name string) (client, bool) {
	segments := strings.Split(fold(name), "/")
	for i := range segments {
		segments[i] = strings.TrimRight(segments[i], ". ") // Windows drops them
	}
	for _, c := range clients {
		if hasSuffix(segments, strings.ToLower(c.suffix)) {
			return c, true
		}
	}
	return client{}, false
}

// hasSuffix reports whether the last segments of a path match those of pattern.
func hasSuffix(have []string, pattern string) bool {
	want := strings.Split(pattern, "/")
	if len(have) < len(want) {
		return false
	}
	for i, segment := range have[len(have)-len(want):] {
		if ok, err := path.Match(want[i], segment); err != nil || !ok {
			return false
		}
	}
	return true
}

// fold maps names to one that are the same on macOS or Windows. There and back,
// since letters such as the long s have a capital only; and macOS looks past the
// marks that join or part letters.
func fold(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, name)
	return strings.ToLower(strings.ToUpper(name))
}
