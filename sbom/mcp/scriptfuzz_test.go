package mcp

import (
	"testing"
	"testing/fstest"

	"countermark/sbom"
)

// FuzzScripts holds that no script of any kind stops the scan, that a part that
// Holds does not know is none that Read finds, and that the bounds hold.
func FuzzScripts(f *testing.F) {
	names := []string{"package.json", "a.sh", "bin/x", ".github/workflows/a.yml", "action.yml", ".gitlab-ci.yml", ".devcontainer.json", "Dockerfile", "Makefile", "compose.yaml", "Taskfile.yml", "justfile",
		"a.bat", "a.ps1", ".circleci/config.yml", "azure-pipelines.yml", "Jenkinsfile", ".vscode/tasks.json", ".vscode/launch.json", ".pre-commit-config.yaml", ".lintstagedrc", "Procfile", "mise.toml", "project.json", "render.yaml"}
	for i, seed := range []string{
		`{"scripts": {"a": "npx a && (cd b; uvx c@1) | docker run -e K=v d:1 npx e"}}`,
		"#!/bin/sh\ncd \"$X\" && npx a@${V:-1} \\\n --b\nfor i in *; do pipx run c; done\n",
		"#!/bin/bash\nbash -c 'npx a; npx b'\ncat <<E\nnpx\nE\n",
		"env: {A: b}\njobs: {a: {runs-on: windows-latest, container: {image: x}, steps: [{run: 'npx a@${{ b }}', shell: pwsh}, {uses: docker://x}]}}",
		"runs: {using: composite, steps: [{run: |\n  npx a\n}]}",
		"a: &a\n  image: x\n---\ninclude: [{local: '*.yml'}]\nb:\n  <<: *a\n  script: [[npx a], 'npx $[[ x ]]']\n",
		`{"features": {"ghcr.example/a/b:1": {}}, "postCreateCommand": {"a": ["npx", "b"], "c": "npx d"}}`,
		"# escape=`\nARG V=1\nFROM a:$V AS b\nRUN --mount=from=x,type=bind <<E bash\nnpx a\nE\nCOPY --from=b:1 c d\nENTRYPOINT [\"npx\"]\nCMD [\"x\"]\n",
		"a:\n\t@-npx $(X) $$y \\\n\t b\n",
		"services: {a: {image: 'b:1', command: 'npx c $$D', environment: [E=1], healthcheck: {test: [CMD-SHELL, 'curl x | sh']}, build: {dockerfile_inline: \"FROM f\\nRUN npx g\\n\"}}}",
		"vars: {A: {sh: npx a}}\ntasks: {b: {dir: c, cmds: [npx d, {cmd: 'curl e > f; sh f'}, {defer: {cmd: npx g}}]}, h: npx i}\n",
		"@cd /d %~dp0 & set X=npx ^\n a\nif exist b (call %X%) else for /f %%i in ('npx c') do start \"\" npx d\n",
		"$x = @'\nnpx\n'@\n<# a #> if ($y) { & npx \"b `\" c\" } # d\niex 'npx e'; Start-Process npx -ArgumentList 'f',\"g\"\n",
		"jobs: {a: {docker: [{image: b}], steps: [{run: npx << parameters.x >>}, {run: {command: npx c, shell: cmd}}]}}",
		"pool: {vmImage: windows}\nsteps: [{script: npx a}, {template: b.yml}, {task: Bash@3, inputs: {script: npx c}}]",
		"sh 'npx a'; sh(script: \"\"\"npx ${b}\"\"\")\ndocker.image('c') // d\nx = 'npx e'",
		`{"windows": {"command": "npx"}, "tasks": [{"command": {"value": "npx a"}, "args": ["b c", {"value": "d"}], "windows": {"args": ["e"]}}]}`,
		`{"configurations": [{"runtimeExecutable": "npx", "runtimeArgs": ["a"], "osx": {"command": "npx b"}}]}`,
		"repos: [{hooks: [{id: a, entry: npx b, args: [c]}, {entry: d, language: docker_image}]}]", `{"a": ["npx b"]}`, "a: npx b\n", "[tasks.a]\nrun = ['npx b', '''\nuvx c\n''']\n", `{"targets": {"a": {"options": {"commands": [{"command": "npx b"}, "npx c"]}}}}`, "services: [{startCommand: npx a}]\n",
		"set shell := ['bash', '-c']\nx := `npx a`\nb c='d': e\n  @npx {{f}} \\\n   g\nh:\n  #!/bin/sh\n  wget i; sh i\n",
	} {
		f.Add(i, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, kind int, data []byte) {
		if len(data) > 1<<14 || kind < 0 || kind >= len(names) {
			return
		}
		name := names[kind]
		held := Scripts{}.Holds(name, data)
		tree := fstest.MapFS{name: {Data: data}}
		inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{Scripts{}}})
		if err != nil {
			t.Fatal(err)
		}
		if held != (len(inv.Inputs) > 0) {
			t.Fatalf("it is held to be a script: %v, and is an input: %v", held, len(inv.Inputs) > 0)
		}
		for _, c := range inv.Components {
			if c.Server == nil {
				continue
			}
			if c.Server.Line < 1 || len(c.Server.Launches) == 0 || c.Server.Launches[0].Nested {
				t.Fatalf("a launch without a place, or none: %+v", c.Server)
			}
		}
	})
}

// FuzzGlobal holds that no package.json of an installed package stops the scan.
func FuzzGlobal(f *testing.F) {
	f.Add([]byte(`{"name": "@a/b", "version": "1.0.0"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree := fstest.MapFS{"x/package.json": {Data: data}}
		inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree, Files: []string{"x/package.json"}, Kind: Global}}, sbom.Options{Readers: []sbom.Reader{Installed{}}})
		if err != nil || len(inv.Inputs) != 1 {
			t.Fatal(err, inv.Inputs)
		}
		if !inv.Incomplete() && len(inv.Components) != 3 {
			t.Fatalf("neither a problem nor a package: %+v", inv.Components)
		}
	})
}

// FuzzCrush holds that no crushrc stops the scan.
func FuzzCrush(f *testing.F) {
	f.Add([]byte("mcp add a --command npx --args -y b@1.0.0 --env K=v --header 'A: b' --disabled\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		tree := fstest.MapFS{"crushrc": {Data: data}}
		inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
		if err != nil || len(inv.Inputs) != 1 {
			t.Fatal(err, inv.Inputs)
		}
	})
}
