package mcp

import "testing"

func TestCommandMembers(t *testing.T) {
	for _, tc := range []struct {
		name, data string
		want       []string
	}{
		{".claude/settings.json", `{"hooks": {"PostToolUse": [{"matcher": "Edit", "hooks": [{"type": "command", "command": "npx a"}]}]},
"statusLine": {"command": "npx b"}, "apiKeyHelper": "uvx c", "env": {"X": "npx no"}}`,
			[]string{"1 PostToolUse/1/1: npx npm a unversioned", "2 apiKeyHelper: uvx pypi c unversioned", "2 command: npx npm b unversioned"}},
		{".cursor/hooks.json", `{"hooks": {"afterFileEdit": [{"command": "npx a"}]}}`, []string{"1 afterFileEdit/1: npx npm a unversioned"}},
		{"deno.jsonc", "{ // tasks\n\"tasks\": {\"a\": \"deno run -A npm:a@1.0.0\", \"b\": {\"description\": \"npx no\", \"command\": \"npx b\"}}}",
			[]string{"2 a: deno run npm a@1.0.0 exact", "2 b: npx npm b unversioned"}},
		{"mise.toml", "[tasks]\na = 'npx a'\n[tasks.b]\nrun = ['npx b', 'uvx c==1']\ndescription = 'npx no'\n[tasks.d]\nrun = '''\nnpm ci\nnpx d\n'''\n[hooks]\nenter = 'npx e {{arch()}}'\n",
			[]string{"2 a: npx npm a unversioned", "4 b: npx npm b unversioned", "4 b: uvx pypi c==1 exact", "9 d: npx npm d unversioned", "12 enter: npx npm e unversioned"}},
		{"pyproject.toml", "[project]\ndescription = 'npx no'\n[tool.poe.tasks]\na = 'npx a'\nb = {cmd = 'uvx b', help = 'npx no'}\n[tool.hatch.envs.x.scripts]\nc = ['npx c']\n",
			[]string{"4 a: npx npm a unversioned", "5 b: uvx pypi b unversioned", "7 x/c: npx npm c unversioned"}},
		{"Pipfile", "[scripts]\na = \"npx a\"\n", []string{"2 a: npx npm a unversioned"}},
		{"composer.json", `{"scripts": {"a": ["npx a", "@php x"], "b": "npx b"}}`, []string{"1 a: npx npm a unversioned", "1 b: npx npm b unversioned"}},
		{"project.json", `{"targets": {"a": {"command": "npx a"}, "b": {"options": {"commands": ["npx b", {"command": "npx c"}]}}}}`,
			[]string{"1 a: npx npm a unversioned", "1 b: npx npm b unversioned", "1 b/2: npx npm c unversioned"}},
		{"netlify.toml", "[build]\ncommand = \"npx a\"\n[context.x]\ncommand = \"npx b\"\n", []string{"2 command: npx npm a unversioned", "4 x: npx npm b unversioned"}},
		{"vercel.json", `{"buildCommand": "npx a && npx b", "name": "npx no"}`, []string{"1 buildCommand: npx npm a unversioned", "1 buildCommand: npx npm b unversioned"}},
		{"nodemon.json", `{"exec": "npx a", "execMap": {"ts": "npx b"}}`, []string{"1 exec: npx npm a unversioned", "1 ts: npx npm b unversioned"}},
		{"render.yaml", "services:\n- name: a\n  buildCommand: npx a\n", []string{"3 1: npx npm a unversioned"}},
		{"src-tauri/tauri.conf.json", `{"build": {"beforeDevCommand": {"script": "npx a", "cwd": ".."}}}`, []string{"1 script: npx npm a unversioned"}},
		{"buildspec.yml", "phases:\n  build:\n    commands:\n      - npx a\n", []string{"4 phases/build: npx npm a unversioned"}},
	} {
		checkLaunches(t, tc.name, tc.data, tc.want...)
	}
	for name, data := range map[string]string{"deno.json": `{"tasks": {"a": "npx b"`, "mise.toml": "[tasks\na = 'npx a'", "netlify.toml": "[build]\ncommand = \"if npx a; then\"\n"} {
		if _, inv := launchesIn(t, map[string]string{name: data}); len(inv.Inputs) != 1 || !inv.Incomplete() {
			t.Errorf("%s: nobody hears that it is broken: %+v", name, inv.Inputs)
		}
	}
	for name, data := range map[string]string{"deno.json": "{", "project.json": `{"name": "x"}`, "pyproject.toml": "[project]\ndescription = 'npx no'\n", "composer.json": `{"description": "npx x"}`} {
		if _, inv := launchesIn(t, map[string]string{name: data}); len(inv.Inputs) != 0 {
			t.Errorf("%s: it launches nothing, and is an input: %+v", name, inv.Inputs[0])
		}
	}
}
