package mcp

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"
	"countermark/sbom/node"
)

// launchesIn are what the scripts of a tree launch, as "name: launcher kind spec
// pin", in the order of the files and lines, with nested ones behind "+".
func launchesIn(t testing.TB, files map[string]string) (out []string, inv *sbom.Inventory) {
	t.Helper()
	tree := fstest.MapFS{}
	for name, data := range files {
		tree[name] = &fstest.MapFile{Data: []byte(data)}
	}
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{node.Reader{}, Reader{}, Scripts{}}})
	if err != nil {
		t.Fatal(err)
	}
	var servers []*sbom.Server
	for _, c := range inv.Components {
		if c.Server != nil && c.Server.Script {
			servers = append(servers, c.Server)
		}
	}
	slices.SortStableFunc(servers, func(x, y *sbom.Server) int {
		return strings.Compare(fmt.Sprintf("%s %6d", x.File, x.Line), fmt.Sprintf("%s %6d", y.File, y.Line))
	})
	for _, s := range servers {
		line := fmt.Sprintf("%d %s: %s %s %s %s", s.Line, s.Name, s.Launcher, s.Kind, cmp.Or(s.Spec, "?"), s.Pin)
		nested := []string{line}
		for _, l := range s.Launches[1:] {
			nested = append(nested, fmt.Sprintf("%s %s %s", l.Kind, l.Spec, l.Pin))
		}
		out = append(out, strings.Join(nested, " + "))
	}
	return out, inv
}

func checkLaunches(t *testing.T, name, data string, want ...string) {
	t.Helper()
	got, inv := launchesIn(t, map[string]string{name: data})
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\n got  %q\n want %q", name, data, got, want)
	}
	for _, in := range inv.Inputs {
		for _, p := range in.Problems {
			if p.Code != sbom.NoLockfile {
				t.Errorf("%s: line %d: %s", in.Path, p.Line, p.Message)
			}
		}
	}
}

func TestShellScripts(t *testing.T) {
	for _, tc := range []struct {
		script string
		want   []string
	}{
		{"npm ci\nnode x.js\nnpm run build && npm test\ndocker build . && docker compose up\nuv pip install x\n", nil},
		{"#!/bin/bash\nset -e\nnpx eslint . | tee log\n", []string{"3 npx: npx npm eslint unversioned"}},
		{"npx --version; uvx --version; command -v npx uvx; echo npx foo; which npx bunx", nil},
		{"apt-get install -y npm docker nodejs\npip install uvx foo", nil},
		{"if ! npx a@1.2.3; then\n  X=$(uvx b)\nfi\nfor i in 1; do docker run --rm c:1; done",
			[]string{"1 npx: npx npm a@1.2.3 exact", "2 uvx: uvx pypi b unversioned", "4 docker run: docker run oci c:1 tag"}},
		{"npx $PKG\nnpx foo@$V\nnpx \"$PKG\"", []string{"1 npx: npx unknown ? unknown", "2 npx: npx unknown ? unknown", "3 npx: npx unknown ? unknown"}},
		{"sudo -E npx a\nbash -c 'cd x && npx b; bunx c'\nxargs npx d\ntime timeout 5 npx e@2",
			[]string{"1 npx: npx npm a unversioned", "2 bunx: bunx npm c unversioned", "2 npx: npx npm b unversioned", "3 npx: npx npm d unversioned", "4 npx: npx npm e@2 range"}},
		{"concurrently \"npx a\" 'uvx b'\ndocker run node:22 npx c", []string{"1 npx: npx npm a unversioned + pypi b unversioned", "2 docker run: docker run oci node:22 tag + npm c unversioned"}},
		{"npx a \\\n  --b c && \\\n  npx d", []string{"1 npx: npx npm a unversioned", "3 npx: npx npm d unversioned"}},
		{"cat <<EOF\nnpx not-run\nEOF\n# npx nor this\nf() { pipx run g==1.0; }", []string{"5 pipx run: pipx run pypi g==1.0 exact"}},
		{"deno run -A npm:a@1\ndnx P@1.0.0\ngo run example.com/m/cmd/x@v1.2.3\ngo run ./cmd/x\npnpm dlx p\nyarn dlx q\nnpm exec -- r\nnpm x s",
			[]string{"1 deno run: deno run npm a@1 range", "2 dnx: dnx nuget P@1.0.0 exact", "3 go run: go run go example.com/m/cmd/x@v1.2.3 exact",
				"5 pnpm dlx: pnpm dlx npm p unversioned", "6 yarn dlx: yarn dlx npm q unversioned", "7 npm exec: npm exec npm r unversioned", "8 npm x: npm x npm s unversioned"}},
		{"trap 'docker run --rm a:1' EXIT\ntrap - INT\ntrap \"npx b\" EXIT INT", []string{"1 docker run: docker run oci a:1 tag", "3 npx: npx npm b unversioned"}},
		{"bash <<EOF\nnpx a\nEOF\nsudo sh -e <<-'E'\n\tuvx b\n\tE\nsh <<< 'npx c'\nssh host <<E\nnpx d\nE\ndocker exec -i x bash -s <<E\nnpx e\nE\nbash run.sh <<E\nnpx not-run\nE\npython <<E\nnpx nor this\nE",
			[]string{"2 npx: npx npm a unversioned", "5 uvx: uvx pypi b unversioned", "7 npx: npx npm c unversioned", "9 npx: npx npm d unversioned", "12 npx: npx npm e unversioned"}},
		{"env A=$B npx a\ncross-env A=$B npx b\ntimeout $T npx c\nnice -n $N npx d\ncommand -v npx uvx",
			[]string{"1 npx: npx npm a unversioned", "2 npx: npx npm b unversioned", "3 npx: npx npm c unversioned", "4 npx: npx npm d unversioned"}},
		{"np\\\nx a", []string{"1 npx: npx npm a unversioned"}},
		{"n''px a", []string{"1 npx: npx npm a unversioned"}},
		{"npx mcp-remote@0.1.16 https://a.example/mcp", []string{"1 npx: npx npm mcp-remote@0.1.16 exact + remote https://a.example/mcp n/a"}},
	} {
		checkLaunches(t, "run.sh", tc.script, tc.want...)
	}
}

// Hooks need not say which shell they are for: those of husky do not.
func TestHooksWithoutAFirstLine(t *testing.T) {
	checkLaunches(t, ".husky/pre-commit", "npx a\n", "1 npx: npx npm a unversioned")
	checkLaunches(t, "sub/.githooks/pre-push", "\nuvx b\n", "2 uvx: uvx pypi b unversioned")
	for _, name := range []string{".husky/README", "scripts/pre-commit", ".husky/pre-commit.md"} {
		checkLaunches(t, name, "npx a\n")
	}
	checkLaunches(t, ".husky/pre-commit", "#!/usr/bin/env python3\n# npx a\n")
	checkLaunches(t, ".husky/pre-commit", "\x00npx a\n")
}

// What make runs beside the lines that begin with a tab.
func TestMakefileLines(t *testing.T) {
	checkLaunches(t, "Makefile",
		"V := $(shell npx a --x $(shell true)) # npx not-run\nW != uvx b\n# $(shell npx nor-this) ; npx nor-this\nall: v w; @npx c \\\n  --y\nx: V := npx; npx nor-this\ny: # ; npx nor-this\n\techo $$(npx d) ${shell npx e}\n",
		"1 variables: npx npm a unversioned", "2 variables: uvx pypi b unversioned", "4 all: npx npm c unversioned",
		"8 variables: npx npm e unversioned", "8 y: npx npm d unversioned")
}

// What an image is for: the project builds on it or runs in it, or it is run for
// its own sake.
func TestBaseImages(t *testing.T) {
	_, inv := launchesIn(t, map[string]string{
		"Dockerfile":              "FROM a:1 AS x\nCOPY --from=b:1 /a /b\nRUN --mount=from=c:1,target=/x true\nRUN docker run d:1\n",
		".gitlab-ci.yml":          "image: e:1\nservices: ['f:1']\njob:\n  image: {name: 'g:1'}\n  script: [podman run h:1]\n",
		".github/workflows/x.yml": "jobs:\n  a:\n    container: {image: 'i:1'}\n    services: {s: {image: 'j:1'}}\n    steps: [{uses: 'docker://k:1'}]\n",
		".devcontainer.json":      `{"image": "l:1", "features": {"ghcr.example/x/m:1": {}}}`,
	})
	want := map[string]sbom.Origin{}
	for base := range strings.FieldsSeq("a b c e f g i j l") {
		want[base] = sbom.OriginDirect
	}
	for run := range strings.FieldsSeq("d h k m") {
		want[run] = sbom.OriginScript
	}
	got := map[string]sbom.Origin{}
	for _, c := range inv.Components {
		if c.Ecosystem == sbom.OCI {
			got[path.Base(c.Name)] = c.Origin
		}
		if c.Server != nil && !c.Server.Script {
			t.Errorf("%s is no script", c.Ref)
		}
	}
	if !maps.Equal(want, got) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDockerfiles(t *testing.T) {
	checkLaunches(t, "Dockerfile", `# syntax=docker/dockerfile:1
ARG V=22
FROM --platform=linux/amd64 node:${V} AS build
ENV A=1
RUN --mount=type=bind,from=example/tool:1,target=/x \
    # a comment
    npm ci && \

    npx a@1.0.0
RUN ["npx", "b"]
RUN <<EOF
set -e
uvx c
EOF
RUN cat <<EOT > f
npx not-run
EOT
FROM build
COPY --from=build /a /b
COPY --from=example/copied:2 /a /b
ONBUILD RUN npx d
ENTRYPOINT ["npx"]
CMD ["e"]
FROM scratch
HEALTHCHECK --interval=5s CMD npx f
ENTRYPOINT npx g
CMD npx never
FROM ${UNKNOWN}
`, "3 FROM: FROM oci node:22 tag", "5 RUN: RUN --from oci example/tool:1 tag", "9 RUN: npx npm a@1.0.0 exact", "10 RUN: npx npm b unversioned",
		"13 RUN: uvx pypi c unversioned", "20 COPY: COPY --from oci example/copied:2 tag", "21 RUN: npx npm d unversioned", "22 ENTRYPOINT: npx npm e unversioned",
		"25 HEALTHCHECK: npx npm f unversioned", "26 ENTRYPOINT: npx npm g unversioned", "28 FROM: FROM unknown ? unknown")
	checkLaunches(t, "win.Dockerfile", "# escape=`\nFROM a:1\nSHELL [\"powershell\", \"-Command\"]\nRUN Write-Host x; `\n  npx b\n",
		"2 FROM: FROM oci a:1 tag", "5 RUN: npx npm b unversioned")
}

func TestDevContainersAndMakefiles(t *testing.T) {
	checkLaunches(t, ".devcontainer/devcontainer.json", `{ // c
  "image": "mcr.example/base:1",
  "features": {"ghcr.example/f/node:1": {}, "./local": {}},
  "postCreateCommand": {"a": "npm ci && npx a", "b": ["npx", "b"]},
  "postStartCommand": "uvx c",
}`, "2 image: image oci mcr.example/base:1 tag", "3 features: features oci ghcr.example/f/node:1 tag",
		"4 postCreateCommand/a: npx npm a unversioned", "4 postCreateCommand/b: npx npm b unversioned", "5 postStartCommand: uvx pypi c unversioned")
	checkLaunches(t, "Makefile", "V := 1\nlint: deps\n\t@npx a@$(V) \\\n\t  $(FILES)\n\tfor i in x; do npx b $$i; done\n\nbuild:\n\tgo build ./...\n",
		"3 lint: npx unknown ? unknown", "5 lint: npx npm b unversioned")
}

func TestComposeFiles(t *testing.T) {
	checkLaunches(t, "compose.yaml", `x-base: &base
  image: node:22
  environment: {A: "1"}
services:
  tool:
    <<: *base
    command: npx -y a@1.0.0 --port $$PORT
  list:
    image: example/x@sha256:`+strings.Repeat("a", 64)+`
    entrypoint: ["uvx", "b"]
    command: ["--flag"]
  shell:
    build: .
    command: sh -c "cd /x && npx c"
    environment: ["B=1"]
    healthcheck: {test: ["CMD", "npx", "d"]}
    post_start: [{command: [bunx, e]}]
  check:
    image: ${REGISTRY:-r.example}/f:1
    healthcheck: {test: ["CMD-SHELL", "uvx g || exit 1"]}
  inline:
    build:
      dockerfile_inline: |
        FROM h:1
        RUN npx i
    healthcheck: {test: npx j}
  own: {image: "k:1", command: ["--serve", "npx"]}
`, "2 tool: image oci node:22 tag", "7 tool: npx npm a@1.0.0 exact", "9 list: image oci example/x@sha256:"+strings.Repeat("a", 64)+" digest", "10 list: uvx pypi b unversioned",
		"14 shell: npx npm c unversioned", "16 shell/healthcheck: npx npm d unversioned", "17 shell/post_start: bunx npm e unversioned",
		"19 check: image unknown ? unknown", "20 check/healthcheck: uvx pypi g unversioned",
		"24 inline/build: FROM oci h:1 tag", "25 inline/build: npx npm i unversioned", "26 inline/healthcheck: npx npm j unversioned", "27 own: image oci k:1 tag")
}

func TestTaskfiles(t *testing.T) {
	checkLaunches(t, "Taskfile.yml", `version: "3"
vars: {V: {sh: npx a}}
tasks:
  short: npx b {{.CLI_ARGS}}
  list: [npx c, {cmd: npx d}]
  long:
    dir: "{{.DIR}}"
    env: {E: {sh: uvx e}}
    deps: [short]
    status: [npx f]
    preconditions: [{sh: npx g, msg: npx not-run}]
    cmds:
      - npx h@1.0.0
      - cmd: |
          set -e
          npx i
      - defer: npx j
      - defer: {task: short}
      - for: [x]
        cmd: npx {{.ITEM}}
      - task: short
  one: {cmd: curl https://get.example/x | sh}
`, "2 vars/V: npx npm a unversioned", "4 short: npx npm b unversioned", "5 list: npx npm c unversioned", "5 list: npx npm d unversioned",
		"8 long/E: uvx pypi e unversioned", "10 long: npx npm f unversioned", "11 long: npx npm g unversioned", "13 long: npx npm h@1.0.0 exact",
		"16 long: npx npm i unversioned", "17 long: npx npm j unversioned", "20 long: npx unknown ? unknown", "22 one:  shell-script ? unknown")
}

func TestJustfiles(t *testing.T) {
	checkLaunches(t, "justfile", "set dotenv-load\nversion := `npx a`\nalias b := build\n# npx not-run\n[private]\nbuild target='x' *args: (dep \"y\")\n"+
		"    @npx b {{target}} \\\n      --flag\n    -uvx c\n\n    bunx {{args}}\n\nscript:\n\t#!/usr/bin/env bash\n\tset -e\n\n\tnpx d\n\npy:\n  #!/usr/bin/env python3\n  npx not-shell\n\n@quiet:\n  npx e\nx := 'y'\n",
		"2 variables: npx npm a unversioned", "7 build: npx npm b unversioned", "9 build: uvx pypi c unversioned", "11 build: bunx unknown ? unknown",
		"17 script: npx npm d unversioned", "24 quiet: npx npm e unversioned")
	checkLaunches(t, "win.just", "set shell := ['pwsh', '-c']\na:\n  npx a; uvx b\n", "3 a: npx npm a unversioned", "3 a: uvx pypi b unversioned")
}

// TestScriptFolders holds that a launch finds the lockfile of the folder that it
// runs in, and of no other.
func TestScriptFolders(t *testing.T) {
	lock := `{"name": "w", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "w", "version": "1.0.0", "dependencies": {"tool": "1.2.3"}},
"node_modules/tool": {"version": "1.2.3", "bin": {"tool": "x.js"}}}}`
	got, inv := launchesIn(t, map[string]string{
		"web/package-lock.json": lock, "web/package.json": `{"name": "w", "version": "1.0.0", "dependencies": {"tool": "1.2.3"}}`,
		"run.sh":                  "(cd web && npx tool)\nnpx tool\ncd \"$DIR\"\nnpx tool\n",
		".github/workflows/a.yml": "jobs: {a: {defaults: {run: {working-directory: web}}, steps: [{run: npx tool}, {run: npx tool, working-directory: .}]}}",
		"web/run.sh":              "env A=$B npx tool\nls | xargs npx tool\nenv -C $D npx tool\nssh h npx tool\nchroot $R npx tool\nfind / -execdir npx tool \\;\nenv npm_config_package=$X npx tool\n",
		"web/Dockerfile":          "FROM a:1\nRUN npx tool\nRUN npm ci\nRUN npx tool\n",
	})
	want := []string{"1 a/step 1: npx npm tool lockfile", "1 a/step 2: npx npm tool unversioned",
		"1 npx: npx npm tool lockfile", "2 npx: npx npm tool unversioned", "4 npx: npx npm tool unversioned",
		"1 FROM: FROM oci a:1 tag", "2 RUN: npx npm tool unversioned", "4 RUN: npx npm tool lockfile",
		"1 npx: npx npm tool lockfile", "2 npx: npx npm tool lockfile", "3 npx: npx npm tool unversioned", "4 npx: npx npm tool unversioned",
		"5 npx: npx npm tool unversioned", "6 npx: npx npm tool unversioned", "7 npx: npx npm tool lockfile"}
	if !slices.Equal(got, want) {
		t.Errorf("\n got  %q\n want %q", got, want)
	}
	altered := slices.ContainsFunc(inv.Components, func(c *sbom.Component) bool {
		return c.Server != nil && c.Server.Line == 7 && slices.ContainsFunc(c.Server.Risks, func(r sbom.Risk) bool { return r.Code == sbom.RiskAltered })
	})
	if !altered {
		t.Error("nobody hears that a variable changes what npx runs")
	}
}

// TestBrokenScripts holds that what cannot be read is named with its line, and
// only where it may launch something.
func TestBrokenScripts(t *testing.T) {
	for name, data := range map[string]string{
		"a.sh":                    "echo\nif npx a; then\n",
		".github/workflows/a.yml": "jobs:\n  a: [\n",
		".gitlab-ci.yml":          "a:\n  script: 'npx a\n",
		".devcontainer.json":      `{"postCreateCommand": "npx a", `,
		"Dockerfile":              "FROM a:1\nRUN if npx a; then\n",
		"docker-compose.dev.yml":  "services:\n  a: [\n",
		"Taskfile.dist.yaml":      "tasks: {a: 'if npx a; then'}\n",
		".justfile":               "a:\n  if npx a; then\n",
		"b.sh":                    strings.Repeat("npx a\n", maxLaunches+1),
		"c.sh":                    strings.Repeat("npm x\n", maxSteps+2),
	} {
		_, inv := launchesIn(t, map[string]string{name: data})
		if len(inv.Inputs) != 1 || !inv.Incomplete() {
			t.Errorf("%s: nobody hears that it is broken: %+v", name, inv.Inputs)
		}
	}
	for name, data := range map[string]string{"a.sh": "if x; then\n", "bin/tool": "#!/usr/bin/python\nnpx a\n", "scripts/README": "npx a", "Makefile": "\tnpm ci\n"} {
		if _, inv := launchesIn(t, map[string]string{name: data}); len(inv.Inputs) != 0 {
			t.Errorf("%s: it launches nothing, and is an input: %+v", name, inv.Inputs[0])
		}
	}
}

// TestScriptSecrets holds that no value of a script leaves it.
func TestScriptSecrets(t *testing.T) {
	const secret = "hush-hush-9f8e7d6c5b4a"
	_, inv := launchesIn(t, map[string]string{
		"a.sh":                    "export KEY=" + secret + "\nTOKEN=" + secret + " npx a --token " + secret + " https://u:" + secret + "@h.example/" + "\ndocker run -e K=" + secret + " x:1 npx b " + secret + "\n",
		".github/workflows/a.yml": "env: {A: " + secret + "}\njobs: {a: {env: {B: " + secret + "}, steps: [{name: s, env: {C: " + secret + "}, run: 'npx a " + secret + "'}]}}",
		"Dockerfile":              "FROM a:1\nENV A=" + secret + "\nRUN A=" + secret + " npx b\n",
		"package.json":            `{"scripts": {"a": "npx a --key ` + secret + `", "b": "npx -y https://h.example/a.tgz?token=` + secret + `"}}`,
	})
	for _, c := range inv.Components {
		if text := fmt.Sprintf("%+v %+v", *c, c.Server); strings.Contains(text, secret) {
			t.Errorf("%s holds a secret: %s", c.Ref, text)
		}
	}
	for _, in := range inv.Inputs {
		if strings.Contains(fmt.Sprintf("%+v", in.Problems), secret) {
			t.Errorf("%s: a problem quotes a secret", in.Path)
		}
	}
}

func TestWorkflows(t *testing.T) {
	checkLaunches(t, ".github/workflows/ci.yml", `on: push
env: {NPM_CONFIG_LOGLEVEL: warn}
jobs:
  build:
    runs-on: ubuntu-latest
    container: node:22
    services:
      db: {image: "postgres@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
    steps:
      - uses: actions/checkout@v4
      - uses: docker://example/lint:1
      - name: Lint
        run: |
          npm ci
          npx eslint@9.1.0 .
      - run: npx a@${{ matrix.v }}
      - {id: x, run: "print('npx no')", shell: python}
  win:
    runs-on: [self-hosted, windows-latest]
    steps:
      - run: |
          $x = 1; npx b `+"`"+`
            --c
          if ($x) { uvx d }
      - {shell: cmd, run: "cd web && call npx e@1.0.0 & rem npx f"}
`, "6 build: container oci node:22 tag", "8 build/db: services oci postgres@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa digest",
		"11 build/step 2: uses oci example/lint:1 tag", "15 build/Lint: npx npm eslint@9.1.0 exact", "16 build/step 4: npx unknown ? unknown",
		"22 win/step 1: npx npm b unversioned", "24 win/step 1: uvx pypi d unversioned", "25 win/step 2: npx npm e@1.0.0 exact")
	checkLaunches(t, "tools/action.yml", "runs:\n  using: composite\n  steps:\n    - {shell: bash, run: pipx run a}\n",
		"4 runs/step 1: pipx run pypi a unversioned")
	checkLaunches(t, "action.yml", "runs:\n  using: docker\n  image: docker://example/a:1\n", "3 runs: uses oci example/a:1 tag")
}

func TestPipelines(t *testing.T) {
	got, _ := launchesIn(t, map[string]string{
		".gitlab-ci.yml": `spec:
  inputs: {v: {default: "1"}}
---
include:
  - local: /ci/more.yml
  - https://ci.example/x.yml
default:
  image: {name: "node:22", entrypoint: [""]}
.base: &base
  before_script: [npm ci]
build:
  <<: *base
  services: [docker:dind]
  script:
    - npx a@$[[ inputs.v ]]
    - - cd web
      - |
        npx b
  after_script: uvx c==1
`, "ci/more.yml": "test:\n  script: npx d\n"})
	want := []string{"8 default: image oci node:22 tag", "13 build: services oci docker:dind tag", "15 build: npx unknown ? unknown",
		"18 build: npx npm b unversioned", "19 build: uvx pypi c==1 exact", "2 test: npx npm d unversioned"}
	if !slices.Equal(got, want) {
		t.Errorf("\n got  %q\n want %q", got, want)
	}
}

// TestCrushScript holds that Crush's configuration as a shell script is parsed.
func TestCrushScript(t *testing.T) {
	inv := read(t, map[string]string{"crushrc": `# servers
if true; then
  mcp add files --command npx --args -y files@1.0.0 --verbose --env TOKEN="$(secret get)" --disabled
fi
mcp add hub --type http --url https://h.example/mcp --header "Authorization: Bearer $T"
mcp list
`})
	var got []string
	for _, s := range serversOf(inv) {
		got = append(got, fmt.Sprintf("%d %s %s %s %s %v %v", s.Line, s.Name, s.Transport, s.Kind, s.Spec, s.Disabled, s.Env))
	}
	want := []string{"3 files stdio npm files@1.0.0 true [TOKEN]", "5 hub http remote https://h.example/mcp false []"}
	if !slices.Equal(got, want) || inv.Incomplete() {
		t.Errorf("\n got  %q\n want %q", got, want)
	}
	for name, data := range map[string]string{"broken": "mcp add a --command npx (", "unknown": "mcp add a --what x --command npx --args a"} {
		if inv := read(t, map[string]string{".crushrc": data}); !inv.Incomplete() {
			t.Errorf("%s: nobody hears of it", name)
		}
	}
}

// TestShellsByOtherNames: what runs a step need not be called like a shell.
func TestShellsByOtherNames(t *testing.T) {
	for shell, want := range map[string]string{
		"msys2 {0}": "3 j/step 1: npx npm a unversioned", "wsl-bash {0}": "3 j/step 1: npx npm a unversioned", "alpine.sh {0}": "3 j/step 1: npx npm a unversioned",
		"micromamba-shell {0}": "3 j/step 1: npx npm a unversioned", "/usr/bin/env bash -e {0}": "3 j/step 1: npx npm a unversioned", "nix develop -c bash -e {0}": "3 j/step 1: npx npm a unversioned",
		"python {0}": "", "npx -y b {0}": "3 j/step 1: npx npm b unversioned",
	} {
		var wants []string
		if want != "" {
			wants = []string{want}
		}
		checkLaunches(t, ".github/workflows/a.yml", "jobs:\n  j: {steps: [{shell: '"+shell+"',\n    run: npx a}]}\n", wants...)
	}
	checkLaunches(t, "Dockerfile", "FROM scratch\nSHELL [\"/usr/bin/env\", \"bash\", \"-c\"]\nARG R=npx\nENV U uvx\nRUN $R a\nRUN ${U} b\n", "5 RUN: npx npm a unversioned", "6 RUN: uvx pypi b unversioned")
}

// TestTokensAsNames: what a step, task or target is called may be a credential.
func TestTokensAsNames(t *testing.T) {
	const token = "ghp_MARKERmarker0123456789MARKERmarker01"
	for name, data := range map[string]string{
		".github/workflows/a.yml": "jobs: {a: {steps: [{name: " + token + ", run: npx a}]}}",
		".vscode/tasks.json":      `{"tasks": [{"label": "` + token + `", "command": "npx a"}]}`,
		"Taskfile.yml":            "version: '3'\ntasks:\n  " + token + ": npx a\n",
		"Procfile":                token + ": npx a\n",
		"package.json":            `{"scripts": {"` + token + `": "npx a"}}`,
	} {
		got, inv := launchesIn(t, map[string]string{name: data})
		if len(got) != 1 || strings.Contains(dump(t, inv), token) {
			t.Errorf("%s: %q, and the inventory holds the token: %v", name, got, strings.Contains(dump(t, inv), token))
		}
	}
}
