package mcp

import (
	"fmt"
	"strings"

	"github.com/tailscale/hujson"
)

// Files in which a few members are command lines, and everything else is settings:
// what task runners and hosts of JavaScript and Python projects are told.

// commandMembers are the paths of members that hold a command line, or a list of them;
// "*" is any member or element.
type commandMembers []string

// find reads a file with such members, in whichever notation its name has.
func (paths commandMembers) find(f *finder) {
	if !tells(string(unescaped(f.data))) {
		return
	}
	d, problem := parse(client{}.notation(f.name, f.data), f.data)
	if problem != nil {
		f.bad(problem.Line, problem.Message, problem.Hint)
	}
	if d == nil {
		return
	}
	d.file = nil // who the file is for says what is wrong with its names
	y := yamlFile{f, d, f.data[d.shift:]}
	for _, path := range paths {
		y.commandsAt("", strings.Split(path, "."), &d.root)
	}
}

func (y yamlFile) commandsAt(name string, path []string, v *hujson.Value) {
	switch {
	case v == nil:
	case len(path) == 0:
		y.commandLine(name, v)
	case path[0] != "*":
		last := len(path) == 1 && name == ""
		if v = get(v, path[0]); last {
			name = path[0]
		}
		y.commandsAt(name, path[1:], v)
	default:
		for _, m := range members(v) {
			y.commandsAt(strings.TrimPrefix(name+"/"+m.name, "/"), path[1:], m.value)
		}
		for i, e := range elements(v) {
			y.commandsAt(strings.TrimPrefix(fmt.Sprint(name, "/", i+1), "/"), path[1:], e)
		}
	}
}

// commandLine is a text of one line or more, or a list of them.
func (y yamlFile) commandLine(name string, v *hujson.Value) {
	for _, e := range append(elements(v), v) {
		if !isText(e) {
			continue
		}
		line := y.line(e)
		if strings.Contains(text(e), "\n") {
			y.shell(scriptText{name: name, body: taskTemplate.ReplaceAllString(text(e), "$"+expressionVariable), line: line})
			continue
		}
		y.oneLine(scriptText{name: name, body: taskTemplate.ReplaceAllString(text(e), "$"+expressionVariable), line: line}, line)
	}
}

// memberFiles are such files by their kind.
var memberFiles = []struct {
	kind, names string
	members     commandMembers
}{
	{"agent-hooks", ".claude/settings.json .claude/settings.local.json hooks/hooks.json .cursor/hooks.json .gemini/settings.json .qwen/settings.json", commandMembers{
		"hooks.*.*.command", "hooks.*.*.hooks.*.command", "statusLine.command", "apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "otelHeadersHelper",
	}},
	{"deno-tasks", "deno.json deno.jsonc", commandMembers{"tasks.*", "tasks.*.command"}},
	{"mise-tasks", "mise.toml .mise.toml .config/mise.toml .config/mise/config.toml", commandMembers{"tasks.*", "tasks.*.run", "hooks.*"}},
	{"python-tasks", "pyproject.toml", commandMembers{
		"tool.poe.tasks.*", "tool.poe.tasks.*.cmd", "tool.poe.tasks.*.shell", "tool.poe.tasks.*.sequence", "tool.poe.tasks.*.sequence.*.cmd", "tool.poe.tasks.*.sequence.*.shell",
		"tool.pdm.scripts.*", "tool.pdm.scripts.*.cmd", "tool.pdm.scripts.*.shell", "tool.taskipy.tasks.*", "tool.taskipy.tasks.*.cmd",
		"tool.hatch.envs.*.scripts.*", "tool.pixi.tasks.*", "tool.pixi.tasks.*.cmd",
	}},
	{"pixi-tasks", "pixi.toml", commandMembers{"tasks.*", "tasks.*.cmd", "feature.*.tasks.*", "feature.*.tasks.*.cmd"}},
	{"pipfile", "Pipfile", commandMembers{"scripts.*"}},
	{"composer", "composer.json", commandMembers{"scripts.*"}},
	{"nx", "project.json", commandMembers{"targets.*.command", "targets.*.options.command", "targets.*.options.commands", "targets.*.options.commands.*.command"}},
	{"netlify", "netlify.toml", commandMembers{"build.command", "build.ignore", "dev.command", "context.*.command"}},
	{"vercel", "vercel.json", commandMembers{"buildCommand", "installCommand", "devCommand", "ignoreCommand"}},
	{"wrangler", "wrangler.toml wrangler.json wrangler.jsonc", commandMembers{"build.command"}},
	{"tauri", "tauri.conf.json", commandMembers{
		"build.beforeDevCommand", "build.beforeBuildCommand", "build.beforeBundleCommand",
		"build.beforeDevCommand.script", "build.beforeBuildCommand.script", "build.beforeBundleCommand.script",
	}},
	{"nodemon", "nodemon.json", commandMembers{"exec", "execMap.*", "events.*"}},
	{"railway", "railway.json railway.toml", commandMembers{"build.buildCommand", "deploy.startCommand", "deploy.preDeployCommand"}},
	{"render", "render.yaml", commandMembers{"services.*.buildCommand", "services.*.startCommand", "services.*.preDeployCommand"}},
}
