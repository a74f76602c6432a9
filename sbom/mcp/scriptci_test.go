package mcp

import (
	"slices"
	"testing"
)

func TestPipelinesOfOtherSystems(t *testing.T) {
	for _, tc := range []struct {
		name, data string
		want       []string
	}{
		{".circleci/config.yml", `executors:
  n: {docker: [{image: "example/node:22.1"}]}
commands:
  lint:
    steps:
      - run: npx -y a@<< parameters.v >>
      - run:
          name: Two
          working_directory: web
          command: |
            npm ci
            npx b@1.0.0 | tee x
jobs:
  build:
    docker:
      - image: example/node:20
        command: ["npx", "no"]
    machine: {image: ubuntu-2204:current}
    environment: {CMD: npx c}
    steps:
      - when: {steps: [{run: "$CMD"}]}
      - run: {shell: powershell.exe, command: "if (1) { npx d }"}
`, []string{"2 executors/n: image oci example/node:22.1 tag", "6 lint/step 1: npx unknown ? unknown", "12 lint/step 2/Two: npx npm b@1.0.0 exact",
			"16 build: image oci example/node:20 tag", "21 build/step 1/step 1: npx npm c unversioned", "22 build/step 2: npx npm d unversioned"}},
		{"azure-pipelines.yml", `pool: {vmImage: windows-latest, image: not-one}
variables:
- {name: T, value: npx a}
resources:
  containers:
  - {container: linux, image: "example/ci:1"}
stages:
- stage: Build
  jobs:
  - job: A
    container: linux
    steps:
    - script: |
        call npx b ^
          --c
        echo npx no
    - {bash: npx d@1.0.0, displayName: Bash, workingDirectory: web}
    - pwsh: iex $T; npx e
    - {task: Bash@3, inputs: {script: uvx f}}
    - {task: PowerShell@2, inputs: {script: "if (1) { npx g }"}}
    - ${{ if eq(1, 1) }}:
      - script: npx h
  - {job: B, container: "node:22", pool: {vmImage: ubuntu-latest}, steps: [{script: "if true; then npx i; fi"}]}
`, []string{"6 image: image oci example/ci:1 tag", "14 Build/A/step 1: npx npm b unversioned", "17 Build/A/Bash: npx npm d@1.0.0 exact", "18 Build/A/step 3: npx npm a unversioned",
			"18 Build/A/step 3: npx npm e unversioned", "19 Build/A/step 4: uvx pypi f unversioned", "20 Build/A/step 5: npx npm g unversioned",
			"22 Build/A/step 6: npx npm h unversioned", "23 Build/B: image oci node:22 tag", "23 Build/B/step 1: npx npm i unversioned"}},
		{"bitbucket-pipelines.yml", `image: node:22
definitions:
  steps:
    - step: &b
        name: Build
        image: {name: "example/b:1"}
        script:
          - npx a
          - pipe: docker://example/pipe:1
          - pipe: example/other:1
        after-script: [npx b]
pipelines:
  default: [{step: *b}, {parallel: [{step: {script: [cd web, npx c]}}]}]
`, []string{"1 image: image oci node:22 tag", "6 step 1: image oci example/b:1 tag", "8 step 1: npx npm a unversioned", "9 step 1: uses oci example/pipe:1 tag",
			"11 step 1: npx npm b unversioned", "13 default: npx npm c unversioned"}},
		{".drone.yml", "steps:\n- {name: a, image: 'node:22', commands: [npx a]}\n- {name: p, image: 'example/plugin', settings: {x: y}}\n---\nplatform: {os: windows}\nsteps: [{name: w, commands: ['if ($x) { npx b }']}]\n",
			[]string{"2 a: image oci node:22 tag", "2 a: npx npm a unversioned", "3 p: uses oci example/plugin tag", "6 w: npx npm b unversioned"}},
		{".woodpecker/a.yml", "steps:\n  lint: {image: 'node:1', commands: [npx a]}\n", []string{"2 lint: image oci node:1 tag", "2 lint: npx npm a unversioned"}},
		{".travis.yml", "install: skip\nscript: [npx a, 'npm test']\njobs: {include: [{stage: x, script: npx b}]}\n", []string{"2 script: npx npm a unversioned", "3 x: npx npm b unversioned"}},
		{"appveyor.yml", "install: [ps: npx a, cmd: call npx b, 'npx c & npx d']\n", []string{"1 install: npx npm a unversioned", "1 install: npx npm b unversioned", "1 install: npx npm c unversioned", "1 install: npx npm d unversioned"}},
		{".buildkite/pipeline.yml", "steps:\n- {label: lint, command: npx a}\n- {commands: [npx b], env: {A: b}}\n", []string{"2 lint: npx npm a unversioned", "3 step 2: npx npm b unversioned"}},
		{".gitpod.yml", "image: example/w:1\ntasks: [{name: a, init: npx a, command: npx b}]\n", []string{"1 image: image oci example/w:1 tag", "2 a: npx npm a unversioned", "2 a: npx npm b unversioned"}},
		{"lefthook.yml", "pre-commit:\n  commands:\n    lint: {run: 'npx a {staged_files}', root: web}\n  jobs: [{name: j, run: npx b}, {group: {jobs: [{run: 'npx {0}'}]}}]\n",
			[]string{"3 pre-commit/lint: npx npm a unversioned", "4 pre-commit: npx unknown ? unknown", "4 pre-commit/j: npx npm b unversioned"}},
		{".pre-commit-config.yaml", "repos:\n- repo: local\n  hooks:\n  - {id: a, entry: npx a, language: system, args: [--x]}\n  - {id: b, entry: 'example/hook:1 --x', language: docker_image}\n  - {id: c, entry: npx no, language: pygrep}\n",
			[]string{"4 a: npx npm a unversioned", "5 b: docker_image oci example/hook:1 tag"}},
		{".pre-commit-hooks.yaml", "- {id: a, entry: npx a, language: node}\n", []string{"1 a: npx npm a unversioned"}},
		{".lintstagedrc", "{\"*.ts\": [\"npx a\", \"eslint\"]}", []string{"1 *.ts: npx npm a unversioned"}},
		{".lintstagedrc.yaml", "'*.ts':\n- npx a\n", []string{"2 *.ts: npx npm a unversioned"}},
		{"Procfile", "# web: npx no\nweb: npx a --port $PORT\nworker: node x.js\n", []string{"2 web: npx npm a unversioned"}},
	} {
		checkLaunches(t, tc.name, tc.data, tc.want...)
	}
	checkLaunches(t, "package.json", `{"scripts": {"a": "npx a"}, "husky": {"hooks": {"pre-commit": "npx b"}}, "simple-git-hooks": {"pre-push": "npx c"},
"lint-staged": {"*.js": ["npx d", "eslint"], "x": "npx e"}}`, "1 a: npx npm a unversioned", "1 husky/pre-commit: npx npm b unversioned",
		"1 simple-git-hooks/pre-push: npx npm c unversioned", "2 lint-staged/*.js: npx npm d unversioned", "2 lint-staged/x: npx npm e unversioned")
}

// TestIncludedPipelines holds that files of the project are read which a pipeline is
// put together from, and none twice.
func TestIncludedPipelines(t *testing.T) {
	got, inv := launchesIn(t, map[string]string{
		"azure-pipelines.yml": "steps:\n- template: ci/steps.yml\n- template: /ci/steps.yml\n- template: x.yml@other\n- template: missing.yml\n",
		"ci/steps.yml":        "steps: [{bash: npx a}, {template: deep/b.yml}]\n", "ci/deep/b.yml": "steps: [{bash: npx b}]\n", "ci/no.yml": "steps: [{bash: npx no}]\n",
		".gitlab-ci.yml": "include: {local: /lab/a.yml}\n", "lab/a.yml": "include: /lab/b.yml\n", "lab/b.yml": "c: {script: npx c}\n",
	})
	want := []string{"1 step 1: npx npm a unversioned", "1 step 1: npx npm b unversioned", "1 c: npx npm c unversioned"}
	if !slices.Equal(got, want) || inv.Incomplete() {
		t.Errorf("\n got  %q\n want %q", got, want)
	}
}

func TestEditorFiles(t *testing.T) {
	checkLaunches(t, ".vscode/tasks.json", `{ // tasks
  "version": "2.0.0", "windows": {"options": {"shell": {"executable": "cmd.exe"}}},
  "tasks": [
    {"label": "one", "type": "shell", "command": "npx -y a && npx b"},
    {"label": "two", "type": "process", "command": "npx", "args": ["-y", "c", "&&", "npx"], "options": {"cwd": "${workspaceFolder}/web"}},
    {"label": "three", "type": "shell", "command": "npx", "args": ["d", {"value": "a b", "quoting": "strong"}, "${input:what}"],
     "windows": {"command": "call npx.cmd e & npx f"}, "osx": {"options": {"env": {"A": "b"}}}},
    {"label": "four", "type": "shell", "command": "npx ${config:x.y}"},
    {"label": "five", "type": "npm", "script": "npx"},
  ],
}`, "4 one: npx npm a unversioned", "4 one: npx npm b unversioned", "5 two: npx npm c unversioned", "6 three: npx npm d unversioned",
		"7 three: npx npm e unversioned", "7 three: npx npm f unversioned", "8 four: npx unknown ? unknown")
	checkLaunches(t, ".vscode/tasks.json", `{"windows": {"tasks": [{"label": "w", "type": "shell", "command": "npx a"}]}, "tasks": [
  {"label": "b", "command": "npx b", "options": {"shell": {"executable": "C:\\Program Files\\Git\\bin\\bash.exe", "args": ["-c"]}}},
  {"label": "p", "command": "n`+"`"+`px c", "options": {"shell": {"executable": "C:\\Program Files\\PowerShell\\7\\pwsh.exe"}}},
  {"label": "n", "command": "x", "options": {"shell": {"executable": "npx", "args": ["-y", "d"]}}}
]}`, "1 w: npx npm a unversioned", "2 b: npx npm b unversioned", "3 p: npx npm c unversioned", "4 n: npx npm d unversioned")
	checkLaunches(t, ".vscode/launch.json", `{"configurations": [
  {"name": "L", "type": "node", "runtimeExecutable": "npx", "runtimeArgs": ["-y", "a"], "args": ["x"], "windows": {"runtimeExecutable": "npx.cmd", "runtimeArgs": ["b"]}},
  {"name": "T", "type": "node-terminal", "command": "npx c && npx d"},
  {"name": "P", "type": "node", "program": "${workspaceFolder}/x.js", "args": ["npx", "no"]}
]}`, "2 L: npx npm a unversioned", "2 L: npx npm b unversioned", "3 T: npx npm c unversioned", "3 T: npx npm d unversioned")
	checkLaunches(t, "w.code-workspace", `{"tasks": {"tasks": [{"label": "w", "command": "npx a"}]}, "launch": {"configurations": [{"name": "l", "runtimeExecutable": "uvx", "runtimeArgs": ["b"]}]}}`,
		"1 l: uvx pypi b unversioned", "1 w: npx npm a unversioned")
}

func TestJenkinsfiles(t *testing.T) {
	checkLaunches(t, "Jenkinsfile", `// sh 'npx no'
/* sh 'npx no' */
def cmd = 'npx kept --x'
agent { docker { label 'x'; image 'node:22' } }
stage('npx no') {
  sh 'npx a'
  sh "npx b@${params.V}"
  sh(script: "npx c@1.0.0", returnStdout: true)
  sh returnStdout: true, label: 'x', script: 'uvx d'
  sh '''
    npm ci
    npx e
  '''
  bat "call npx f"
  powershell """npx g; npx h"""
  echo "npx no"
  docker.image('example/j:1').inside { sh "\${X} npx no" }
}
`, "3 variables: npx npm kept unversioned", "4 docker: image oci node:22 tag", "6 sh: npx npm a unversioned", "7 sh: npx unknown ? unknown", "8 sh: npx npm c@1.0.0 exact",
		"9 sh: uvx pypi d unversioned", "12 sh: npx npm e unversioned", "14 bat: npx npm f unversioned", "15 powershell: npx npm g unversioned", "15 powershell: npx npm h unversioned",
		"17 docker: image oci example/j:1 tag", "17 sh: npx npm no unversioned")
}

// TestBrokenPipelines holds that what cannot be read is named where it may launch
// something.
func TestBrokenPipelines(t *testing.T) {
	for name, data := range map[string]string{
		".circleci/config.yml": "jobs:\n  a: [\n# npx a", "azure-pipelines.yml": "a: [\n# npx", ".vscode/tasks.json": `{"tasks": [{"command": "npx a"`, ".lintstagedrc": `{"a": "npx b"`,
		".pre-commit-config.yaml": "repos: [\n# npx", "Jenkinsfile": "sh 'if npx a; then'", "Procfile": "a: if npx a; then", "lefthook.yml": "a: {run: 'if npx a; then'}",
	} {
		if _, inv := launchesIn(t, map[string]string{name: data}); len(inv.Inputs) != 1 || !inv.Incomplete() {
			t.Errorf("%s: nobody hears that it is broken: %+v", name, inv.Inputs)
		}
	}
	for name, data := range map[string]string{
		".circleci/config.yml": "jobs: [", ".vscode/tasks.json": "{", ".vscode/launch.json": "[]", ".lintstagedrc": "{", ".pre-commit-config.yaml": "[", "Jenkinsfile": "sh 'npm ci", "Procfile": "web: node x",
		"a.bat": "npm ci", "a.ps1": "npm ci", "w.code-workspace": "{}", ".travis.yml": "script: npm test",
	} {
		if _, inv := launchesIn(t, map[string]string{name: data}); len(inv.Inputs) != 0 {
			t.Errorf("%s: it launches nothing, and is an input: %+v", name, inv.Inputs[0])
		}
	}
}
