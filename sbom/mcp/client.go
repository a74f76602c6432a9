package mcp

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// client says where the files of one MCP client stand and how they hold servers.
// It is all that there is to a client: a new one is a new row of the table.
type client struct {
	name string // kind of the input and Client of its servers

	// Where its files stand. home is below a user's home and may begin with one
	// of the folders of places; machine is the same for all users; project is
	// below any folder; moved is "VARIABLE/rest", a file that an environment
	// variable names. A segment may hold path.Match patterns, and ** is any number
	// of folders. Every path but moved is recognised by its last segments in a
	// project too: people keep their home's files in repositories.
	home, machine, project, moved []string

	keys  []string // members that hold servers; "a.b" is b in a, or the member "a.b"; "*.b" any member that ends in ".b"
	shape shape    // how they hold them, or what the document is instead

	flat     bool     // servers may also stand at the top level, as in plugins
	settings bool     // the file need not hold servers
	shared   bool     // files of this name serve other programs too: it is ours only if it holds servers
	telling  bool     // its keys tell what a file is that was named by the user, whatever its name
	commands []string // members that hold a command line of their own
	steers   []steer  // members that say of servers, also those in other files, whether they run and whether anybody is asked

	choices []steer // the same for one project, in projects.<path>, where the user chose for that project

	roams     bool   // it starts its servers in no folder of a project, whatever folder the file is in
	workspace string // what has to stand before a path in the project; empty where relative paths count from there
}

// workspaceFolder is how VS Code and Cursor write the folder of the project.
const workspaceFolder = "${workspaceFolder}/"

// shape is the form of a document, beyond an object or a list of servers.
type shape int

const (
	clientFile     shape = iota
	projectFolders       // projects.<path>.mcpServers holds servers too
	bundleFile           // the manifest of an MCPB or DXT bundle
	registryFile         // server.json of the MCP registry
	dockerFile           // server.yaml of Docker's registry: one server
	dockerCatalog        // registry.<name> with images and remotes
	dockerEnabled        // registry.<name> that refer to catalogues
	smitheryFile         // smithery.yaml
	packageFile          // package.json that says which server the package is
	pluginFile           // mcpServers may be the path of another file
	crushFile            // a shell script that adds servers
	frontMatter          // YAML between two lines of "---"
)

const (
	mcpServers = "mcpServers"
	servers    = "servers"
	unnamed    = "unknown" // Client of servers whose file does not tell

	// extensionServers is how extensions of VS Code call theirs: amp.mcpServers,
	// augment.advanced.mcpServers.
	extensionServers = "*.mcpServers"
)

// both is for files that clients of both families share: Visual Studio reads
// "servers" where Claude Code reads "mcpServers".
var both = []string{mcpServers, servers}

// clients is the table. Of the rows that match a path the one with the longest
// path counts, and of equal ones the first.
var clients = []client{
	{name: "claude-desktop", roams: true, keys: both,
		home:    []string{"<config>/Claude/claude_desktop_config.json", ".config/claude/claude_desktop_config.json"},
		project: []string{"claude_desktop_config.json"}},
	{name: "mcpb", roams: true, shape: bundleFile, shared: true, telling: true,
		home:    []string{"<config>/Claude/Claude Extensions/*/manifest.json"},
		project: []string{"manifest.json"}},

	{name: "claude-code", roams: true, keys: both, shape: projectFolders, settings: true, choices: claudeChoices,
		home: []string{".claude.json", ".claude/.claude.json"}, project: []string{".claude.json"}, moved: []string{"CLAUDE_CONFIG_DIR/.claude.json"}},
	{name: "claude-code", keys: both, flat: true,
		home:    []string{".claude/plugins/cache/**/.mcp.json"},
		project: []string{".mcp.json"}},
	{name: "claude-code", roams: true, keys: both, shape: pluginFile, settings: true, shared: true,
		home:    []string{".claude/plugins/cache/**/.claude-plugin/plugin.json"},
		project: []string{".claude-plugin/plugin.json"}},
	{name: "claude-code", keys: []string{mcpServers}, shape: frontMatter, settings: true, shared: true,
		home: []string{".claude/agents/**/*.md"}},
	{name: "claude-code", roams: true, keys: both,
		machine: []string{"Library/Application Support/ClaudeCode/managed-mcp.json", "etc/claude-code/managed-mcp.json", "Program Files/ClaudeCode/managed-mcp.json"},
		project: []string{"managed-mcp.json"}},
	{name: "claude-code", settings: true, shared: true, steers: claudeSettings,
		home: []string{".claude/settings.json", ".claude/settings.local.json"}, moved: []string{"CLAUDE_CONFIG_DIR/settings.json"}},
	{name: "claude-code", roams: true, keys: []string{"managedMcpServers"}, settings: true, shared: true, telling: true, steers: claudeSettings,
		machine: []string{
			"Library/Application Support/ClaudeCode/managed-settings.json", "Library/Application Support/ClaudeCode/managed-settings.d/*.json",
			"etc/claude-code/managed-settings.json", "etc/claude-code/managed-settings.d/*.json",
			"Program Files/ClaudeCode/managed-settings.json", "Program Files/ClaudeCode/managed-settings.d/*.json",
		},
		project: []string{"managed-settings.json", "managed-settings.d/*.json"}},

	{name: "cursor", workspace: workspaceFolder, keys: both,
		home: []string{".cursor/mcp.json"}},
	{name: "cursor", keys: both, flat: true,
		home: []string{".cursor/plugins/cache/**/mcp.json", ".cursor/plugins/cache/**/.mcp.json", ".cursor/plugins/local/**/mcp.json", ".cursor/plugins/local/**/.mcp.json"}},

	{name: "trae", keys: both,
		home:    []string{"<config>/Trae/User/mcp.json", "<config>/Trae CN/User/mcp.json"},
		project: []string{".trae/mcp.json"}},
	{name: "vscode", workspace: workspaceFolder, keys: both,
		home:    []string{"<code>/mcp.json", "<code>/profiles/*/mcp.json"},
		project: []string{".vscode/mcp.json"}, moved: []string{"VSCODE_PORTABLE/user-data/User/mcp.json"}},
	{name: "vscode", workspace: workspaceFolder, keys: []string{"mcp.servers", extensionServers, "augment.advanced.mcpServers"}, settings: true, shared: true, telling: true, steers: codeSettings,
		home:    []string{"<code>/settings.json", "<code>/profiles/*/settings.json"},
		project: []string{".vscode/settings.json"}},
	{name: "vscode", keys: []string{"settings.mcp.servers", "settings." + extensionServers, "settings.augment.advanced.mcpServers"}, settings: true, shared: true, telling: true,
		project: []string{"*.code-workspace"}},
	{name: "vscode", keys: []string{"customizations.vscode.mcp.servers", "customizations.vscode.settings.mcp.servers"}, settings: true, shared: true, telling: true,
		project: []string{".devcontainer/devcontainer.json", ".devcontainer/*/devcontainer.json", ".devcontainer.json"}},
	{name: "visual-studio", keys: both, flat: true,
		project: []string{".vs/mcp.json"}},

	{name: "windsurf", roams: true, keys: both,
		home:    []string{".codeium/windsurf/mcp_config.json", ".codeium/windsurf-next/mcp_config.json", ".codeium/mcp_config.json"},
		project: []string{"mcp_config.json"}},
	{name: "antigravity", roams: true, keys: both,
		home:    []string{".gemini/antigravity/mcp_config.json", ".gemini/antigravity-cli/mcp_config.json", ".gemini/config/mcp_config.json"},
		project: []string{".agents/mcp_config.json"}},

	{name: "cline", roams: true, keys: both,
		home: []string{
			".cline/data/settings/cline_mcp_settings.json", "<code>/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
			"Documents/Cline/MCP/cline_mcp_settings.json",
		},
		project: []string{"cline_mcp_settings.json"},
		moved:   []string{"CLINE_MCP_SETTINGS_PATH", "CLINE_DATA_DIR/settings/cline_mcp_settings.json", "CLINE_DIR/data/settings/cline_mcp_settings.json"}},
	{name: "roo-code", keys: both,
		home:    []string{"<code>/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"},
		project: []string{".roo/mcp.json", "mcp_settings.json"}},
	{name: "kilo-code", keys: both,
		home:    []string{"<code>/globalStorage/kilocode.kilo-code/settings/mcp_settings.json"},
		project: []string{".kilocode/mcp.json", "kilocode.kilo-code/settings/mcp_settings.json"}},
	{name: "kilo-code", keys: []string{"mcp"}, settings: true,
		home:    []string{".config/kilo/kilo.json", ".config/kilo/kilo.jsonc", ".config/kilo/opencode.json", ".config/kilo/opencode.jsonc", ".config/kilo/config.json"},
		project: []string{"kilo.json", "kilo.jsonc", ".kilo/kilo.json", ".kilo/kilo.jsonc", ".kilo/opencode.json", ".kilo/opencode.jsonc"}},

	{name: "continue", keys: []string{mcpServers, "experimental.modelContextProtocolServers"}, settings: true,
		home: []string{".continue/config.yaml", ".continue/config.yml", ".continue/config.json"}},
	{name: "continue", keys: both, flat: true,
		project: []string{".continue/mcpServers/*.yaml", ".continue/mcpServers/*.yml", ".continue/mcpServers/*.json"}},

	{name: "zed", keys: []string{"context_servers"}, settings: true, telling: true, steers: []steer{{"agent.always_allow_tool_actions", approvesAll, ""}},
		home:    []string{".config/zed/settings.json", "AppData/Roaming/Zed/settings.json"},
		project: []string{".zed/settings.json"}},

	{name: "gemini-cli", keys: []string{mcpServers}, settings: true, commands: []string{"mcp.serverCommand"}, steers: geminiSettings,
		home:    []string{".gemini/settings.json"},
		machine: []string{"etc/gemini-cli/settings.json", "Library/Application Support/GeminiCli/settings.json", "ProgramData/gemini-cli/settings.json"},
		moved:   []string{"GEMINI_CLI_SYSTEM_SETTINGS_PATH"}},
	{name: "gemini-cli", roams: true, keys: []string{mcpServers}, settings: true,
		home:    []string{".gemini/extensions/*/gemini-extension.json"},
		project: []string{"gemini-extension.json"}},
	{name: "qwen-code", keys: []string{mcpServers}, settings: true, commands: []string{"mcp.serverCommand"}, steers: geminiSettings,
		home:    []string{".qwen/settings.json"},
		project: []string{"qwen-extension.json"}},

	{name: "codex", keys: []string{"mcp_servers"}, settings: true, telling: true,
		home:    []string{".codex/config.toml", ".codex/*.config.toml"},
		machine: []string{"etc/codex/config.toml", "ProgramData/OpenAI/Codex/config.toml"},
		moved:   []string{"CODEX_HOME/config.toml"}},
	{name: "codex", keys: both, flat: true,
		home: []string{".codex/plugins/**/.mcp.json"}},
	{name: "codex", keys: []string{"mcp_servers"}, settings: true, shared: true,
		home: []string{".codex/agents/*.toml"}},
	{name: "codex", roams: true, keys: []string{mcpServers}, shape: pluginFile, settings: true, shared: true,
		project: []string{".codex-plugin/plugin.json"}},
	{name: "cursor", roams: true, keys: []string{mcpServers}, shape: pluginFile, settings: true, shared: true,
		project: []string{".cursor-plugin/plugin.json"}},
	{name: "copilot-cli", roams: true, keys: []string{mcpServers}, shape: pluginFile, settings: true, shared: true,
		project: []string{"plugin.json"}},
	{name: "mistral-vibe", keys: []string{"mcp_servers"}, settings: true,
		home: []string{".vibe/config.toml"}, moved: []string{"VIBE_HOME/config.toml"}},

	{name: "amazon-q", keys: both,
		home:    []string{".aws/amazonq/mcp.json"},
		project: []string{".amazonq/mcp.json"}},
	{name: "amazon-q", keys: both, settings: true,
		home:    []string{".aws/amazonq/default.json", ".aws/amazonq/cli-agents/*.json", ".aws/amazonq/agents/*.json"},
		project: []string{".amazonq/default.json", ".amazonq/cli-agents/*.json", ".amazonq/agents/*.json"}},
	{name: "kiro", keys: both,
		home:    []string{".kiro/settings/mcp.json", ".kiro/powers/installed/*/mcp.json"},
		project: []string{"kiro_power/mcp.json"}},
	{name: "kiro", keys: both, settings: true,
		home: []string{".kiro/agents/*.json"}},
	{name: "junie", keys: both,
		home: []string{".junie/mcp/mcp.json"}},
	{name: "copilot-jetbrains", roams: true, keys: both,
		home: []string{".config/github-copilot/intellij/mcp.json", "AppData/Local/github-copilot/intellij/mcp.json"}},
	{name: "copilot-xcode", roams: true, keys: both, home: []string{".config/github-copilot/xcode/mcp.json"}},
	{name: "jetbrains-ai", keys: both, home: []string{".ai/mcp/mcp.json"}},
	{name: "lm-studio", roams: true, keys: both,
		home: []string{".lmstudio/mcp.json", ".cache/lm-studio/mcp.json"}},

	{name: "goose", roams: true, keys: []string{"extensions"}, settings: true, telling: true,
		home: []string{".config/goose/config.yaml", "AppData/Roaming/Block/goose/config/config.yaml"}},
	{name: "goose", roams: true, keys: []string{"extensions"}, settings: true, shared: true,
		home:    []string{".config/goose/recipes/*.yaml", ".config/goose/recipes/*.yml"},
		project: []string{".goose/recipes/*.yaml", ".goose/recipes/*.yml", "recipe.yaml", "recipe.yml", "*.recipe.yaml", "*-recipe.yaml"}},
	{name: "opencode", keys: []string{"mcp"}, settings: true, telling: true,
		home:    []string{".config/opencode/opencode.json", ".config/opencode/opencode.jsonc", ".config/opencode/config.json", ".opencode/opencode.json", ".opencode/opencode.jsonc"},
		machine: []string{"etc/opencode/opencode.json", "etc/opencode/opencode.jsonc", "Library/Application Support/opencode/opencode.json", "Library/Application Support/opencode/opencode.jsonc", "ProgramData/opencode/opencode.json", "ProgramData/opencode/opencode.jsonc"},
		project: []string{"opencode.json", "opencode.jsonc"},
		moved:   []string{"OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR/opencode.json", "OPENCODE_CONFIG_DIR/opencode.jsonc"}},
	{name: "crush", keys: []string{"mcp"}, settings: true,
		home:    []string{".config/crush/crush.json", "AppData/Local/crush/crush.json"},
		project: []string{".crush.json", "crush.json"}, moved: []string{"CRUSH_GLOBAL_CONFIG/crush.json"}},
	{name: "crush", roams: true, shape: crushFile, settings: true,
		home: []string{".config/crush/crushrc"}, project: []string{".crushrc", "crushrc"}},

	{name: "warp", keys: both, flat: true,
		home: []string{".warp/.mcp.json"}},
	{name: "copilot-cli", keys: both, flat: true,
		home:    []string{".copilot/mcp-config.json"},
		project: []string{".github/mcp.json"}},
	{name: "copilot-agent", keys: []string{"mcp-servers", mcpServers}, shape: frontMatter, settings: true, shared: true,
		home: []string{".copilot/agents/*.md"}, project: []string{".github/agents/*.md", "*.agent.md"}},
	{name: "augment", keys: []string{mcpServers, "augment.advanced.mcpServers"}, settings: true, telling: true,
		home: []string{".augment/settings.json"}},

	{name: "amp", keys: []string{"amp.mcpServers"}, settings: true, telling: true,
		home:    []string{".config/amp/settings.json", ".config/amp/settings.jsonc"},
		machine: []string{"Library/Application Support/ampcode/managed-settings.json", "etc/ampcode/managed-settings.json", "ProgramData/ampcode/managed-settings.json"},
		project: []string{".amp/settings.json", ".amp/settings.jsonc"}},
	{name: "factory", keys: both, home: []string{".factory/mcp.json", "<config>/Factory Bridge/mcp.json"}},
	{name: "kimi", keys: both, home: []string{".kimi/mcp.json", ".kimi-code/mcp.json"}},
	{name: "rovo-dev", keys: both, home: []string{".rovodev/mcp.json"}},
	{name: "devin", keys: both,
		home:    []string{".config/devin/mcp_config.json"},
		project: []string{".devin/mcp_config.json", ".devin/mcp_config.local.json"}},
	{name: "deepagents", keys: both, flat: true, home: []string{".deepagents/.mcp.json"}},
	{name: "grok", keys: []string{"mcp_servers"}, settings: true, home: []string{".grok/config.toml"}},
	{name: "hermes", roams: true, keys: []string{"mcp_servers"}, settings: true,
		home: []string{".hermes/config.yaml", "AppData/Local/hermes/config.yaml"}},
	{name: "fast-agent", keys: []string{"mcp.servers"}, settings: true,
		project: []string{"fastagent.config.yaml", "fastagent.config.yml", "mcp_agent.config.yaml", "mcp_agent.config.yml"}},
	{name: "librechat", roams: true, keys: []string{mcpServers}, settings: true, project: []string{"librechat.yaml", "librechat.yml"}},

	{name: "rulesync", keys: both,
		project: []string{".rulesync/.mcp.json", ".rulesync/mcp.json", ".rulesync/mcp.jsonc"}},
	{name: "ruler", keys: both, project: []string{".ruler/mcp.json"}},
	{name: "ruler", keys: []string{"mcp_servers"}, settings: true, project: []string{".ruler/ruler.toml"}},
	{name: "omp", keys: both, home: []string{".omp/agent/mcp.json"}, project: []string{".omp/mcp.json"}},
	{name: "mcporter", keys: both, home: []string{".mcporter/mcporter.json"}, project: []string{"mcporter.json", "mcporter.jsonc"}},
	{name: unnamed, keys: both, flat: true, home: []string{".config/mcp/mcp.json"}},
	// Claude Code and Visual Studio read .mcp.json, others *.mcp.json of all kinds;
	// only the content tells.
	{name: unnamed, keys: both, flat: true, shared: true, telling: true,
		project: []string{"mcp.json", "mcp.jsonc", "*mcp*.json", "*mcp*.jsonc", "claude_desktop_config*.json"}},

	{name: "docker-catalog", roams: true, keys: []string{"registry"}, shape: dockerEnabled, settings: true,
		home: []string{".docker/mcp/registry.yaml"}},
	{name: "docker-catalog", roams: true, keys: []string{"registry"}, shape: dockerCatalog, shared: true, telling: true,
		project: []string{"catalog.yaml", "catalog.yml"}},
	{name: "docker-catalog", roams: true, shape: dockerFile, shared: true, telling: true,
		project: []string{"server.yaml", "server.yml"}},
	{name: "registry-server-json", roams: true, shape: registryFile, shared: true, telling: true,
		project: []string{"server.json", "*.server.json"}},
	{name: "smithery", roams: true, shape: smitheryFile, shared: true, telling: true,
		project: []string{"smithery.yaml", "smithery.yml"}},
	{name: "package-json", roams: true, shape: packageFile, shared: true, telling: true,
		project: []string{"package.json"}},
}

// places are the folders of a home that differ by system, or by program.
var places = map[string][]string{
	"<config>": {"Library/Application Support", ".config", "AppData/Roaming"},
	"<code>":   codeFolders(),
}

// codeProducts are VS Code and the editors made from it, as their settings folders
// are called.
var codeProducts = []string{
	"Code", "Code - Insiders", "Code - Exploration", "Code - OSS", "VSCodium", "VSCodium - Insiders", "Cursor", "Cursor Nightly",
	"Windsurf", "Windsurf - Next", "Devin", "Devin - Next", "Kiro", "Antigravity", "Antigravity IDE", "Trae", "Trae CN", "Qoder", "Positron", "Void",
}

// codeServers are where these keep their settings on a machine that somebody works
// on from another one, and in a Flatpak.
var codeServers = []string{
	".vscode-server/data", ".vscode-server-insiders/data", ".vscode-remote/data", ".cursor-server/data", ".windsurf-server/data",
	".vscodium-server/data", ".trae-server/data", ".kiro-server/data", ".openvscode-server/data", ".local/share/code-server",
	".var/app/com.visualstudio.code/config/Code", ".var/app/com.visualstudio.code.insiders/config/Code - Insiders",
	".var/app/com.vscodium.codium/config/VSCodium",
}

// codeFolders are the settings folders of VS Code and of the editors made from it.
func codeFolders() []string {
	var out []string
	for _, data := range codeServers {
		out = append(out, data+"/User")
	}
	for _, root := range []string{"Library/Application Support", ".config", "AppData/Roaming"} {
		for _, product := range codeProducts {
			out = append(out, root+"/"+product+"/User")
		}
	}
	return out
}

// spread writes a path of the table out for every system.
func spread(p string) []string {
	head, rest, _ := strings.Cut(p, "/")
	folders, ok := places[head]
	if !ok {
		return []string{p}
	}
	out := make([]string, len(folders))
	for i, f := range folders {
		out[i] = f + "/" + rest
	}
	return out
}

// kind is that of an input which the row recognises.
func (c client) kind() string {
	if c.name == unnamed {
		return sniffedKind
	}
	return c.name
}

// sniffedKind is the kind of a file that is a configuration of nobody knows whom.
const sniffedKind = "mcp"

// tablePath is a path of the table, cut into folded segments.
type tablePath struct {
	segments []string
	row      int
}

// tablePaths are those of the table by their last segment; those whose last
// segment is a pattern stand under "".
var tablePaths = sync.OnceValue(func() map[string][]tablePath {
	out := map[string][]tablePath{}
	for row, c := range clients {
		for _, p := range slices.Concat(c.project, c.home, c.machine) {
			for _, whole := range spread(p) {
				segments := strings.Split(fold(whole), "/")
				last := segments[len(segments)-1]
				if strings.ContainsAny(last, "*?[") {
					last = ""
				}
				out[last] = append(out[last], tablePath{segments, row})
			}
		}
	}
	return out
})

// clientOf compares names as file systems do that do not tell the cases apart:
// there the client opens the file under any of them.
func clientOf(name string) (client, bool) {
	p, ok := tablePathOf(name)
	if !ok {
		return client{}, false
	}
	return clients[p.row], true
}

// tablePathOf is the path of the table by which clientOf knows a file.
func tablePathOf(name string) (tablePath, bool) {
	segments := strings.Split(fold(name), "/")
	for i := range segments {
		segments[i] = strings.TrimRight(segments[i], ". ") // Windows drops them
	}
	known := tablePaths()
	var found []tablePath
	for _, last := range []string{segments[len(segments)-1], ""} {
		for _, p := range known[last] {
			if p.matches(segments) {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		return tablePath{}, false
	}
	return slices.MinFunc(found, func(x, y tablePath) int {
		return cmp.Or(cmp.Compare(len(y.segments), len(x.segments)), cmp.Compare(x.wild(), y.wild()), cmp.Compare(x.row, y.row))
	}), true
}

// wild is 1 for a pattern whose last segment is one.
func (p tablePath) wild() int {
	if strings.ContainsAny(p.segments[len(p.segments)-1], "*?[") {
		return 1
	}
	return 0
}

// matches reports whether a path ends in the pattern.
func (p tablePath) matches(have []string) bool {
	if !slices.Contains(p.segments, "**") {
		from := len(have) - len(p.segments)
		return from >= 0 && matchSegments(p.segments, have[from:])
	}
	for i := range have {
		if matchSegments(p.segments, have[i:]) {
			return true
		}
	}
	return false
}

func matchSegments(want, have []string) bool {
	for i, segment := range want {
		if segment == "**" {
			return slices.ContainsFunc(starts(have, i), func(rest []string) bool { return matchSegments(want[i+1:], rest) })
		}
		if i >= len(have) {
			return false
		}
		if !strings.ContainsAny(segment, `*?[\`) {
			if segment != have[i] {
				return false
			}
			continue
		}
		if ok, err := path.Match(segment, have[i]); err != nil || !ok {
			return false
		}
	}
	return len(want) == len(have)
}

// starts are all ends of a path from segment i on.
func starts(have []string, i int) [][]string {
	var out [][]string
	for ; i <= len(have); i++ {
		out = append(out, have[i:])
	}
	return out
}

// fold maps names to one that are the same on macOS or Windows. There and back,
// since letters such as the long s have a capital only; and macOS looks past the
// marks that join or part letters.
func fold(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return strings.ToLower(name)
	}
	name = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, name)
	return strings.ToLower(strings.ToUpper(name))
}
