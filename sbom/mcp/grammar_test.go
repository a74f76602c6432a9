package mcp

import (
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
)

// launchCase is a command line, its words apart by " | ", and what it launches:
// the launcher, then a line for each subject.
type launchCase struct {
	line string
	want []string
}

// holdLaunches runs a table of one launcher in a project with the given files.
func holdLaunches(t *testing.T, files fstest.MapFS, tests []launchCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			s := &scan{}
			if files != nil {
				s.file = &sbom.File{Path: ".mcp.json", Name: ".mcp.json", FS: files}
			}
			words := argv(strings.Split(tt.line, " | ")...)
			s.words(words)
			got := s.settle(s.command(words, 0))
			if diff := cmp.Diff(tt.want, shown(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			first := got[0]
			opaque := first.launch.Kind == sbom.KindUnknown || first.launch.Kind == sbom.KindShellScript
			if opaque != (first.reason != "") {
				t.Errorf("kind %s with reason %q", first.launch.Kind, first.reason)
			}
		})
	}
}

const (
	unknownLine = "unknown||unknown"
	pypiA       = "pypi|a|unversioned|pkg:pypi/a"
	npmA        = "npm|a|unversioned|pkg:npm/a"
	npmB        = "npm|b|unversioned|pkg:npm/b"
)

func TestNPXGrammar(t *testing.T) {
	holdLaunches(t, nil, []launchCase{
		{"npx | -y | a | -p | b", []string{"npx", npmA}},
		{"npx | -p | a | -p | b | -c | a --x", []string{"npx", npmA, npmB}},
		{"npx | -p | a | -c | node x.js", []string{"node", "local|x.js|n/a", "  " + npmA}},
		{"npx | -c | a --x", []string{"path-binary", "binary|a|unknown"}},
		{"npx | -c | a | -c | npx b", []string{"npx", npmB}},
		{"npx | --call=npx b", []string{"npx", npmB}},
		{"npx | -p | a@1.0.0 | -- | bin | -p | b", []string{"npx", "npm|a@1.0.0|exact|pkg:npm/a@1.0.0"}},
		{"npx | -y | a@npm:b@1.0.0", []string{"npx", "npm|b@1.0.0|exact|pkg:npm/b@1.0.0"}},
		{"npx | -y | a@npm:@s/b", []string{"npx", "npm|@s/b|unversioned|pkg:npm/%40s/b"}},
		{"npx | a@1.0.0 - 2.0.0", []string{"npx", "npm|a@1.0.0 - 2.0.0|range|pkg:npm/a"}},
		{"npx | a@1.0.0 || 2", []string{"npx", "npm|a@1.0.0 || 2|range|pkg:npm/a"}},
		{"npx | a.tgz", []string{"npx", "local|a.tgz|n/a"}},
		{"npx | a@b.tar.gz", []string{"npx", "local|b.tar.gz|n/a"}},
		{"npx | @s/a@1.0.0.TGZ", []string{"npx", "local|1.0.0.TGZ|n/a"}},
		{"npx | @s/a.tgz", []string{"npx", "npm|@s/a.tgz|unversioned|pkg:npm/%40s/a.tgz"}},
		{"npx | a.tgz@1.0.0", []string{"npx", "npm|a.tgz@1.0.0|exact|pkg:npm/a.tgz@1.0.0"}},
		{"npx | o/r.tgz", []string{"npx", "git|github:o/r.tgz|git-unpinned|pkg:generic/r.tgz?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr.tgz"}},
		{"npx | a@../r", []string{"npx", "local|../r|n/a"}},
		{"npx | a@o/r#main", []string{"npx", "git|github:o/r#main|git-ref|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr%40main"}},
		{"npx | a@~1.2.3", []string{"npx", "npm|a@~1.2.3|range|pkg:npm/a"}},
		{"npx | a@1.2", []string{"npx", "npm|a@1.2|range|pkg:npm/a"}},
		{"npx | a@1.2.3.4", []string{"npx", "npm|a@1.2.3.4|dist-tag|pkg:npm/a"}},
		{"npx | gist:11081aaa281", []string{"npx", "git|gist:11081aaa281|git-unpinned|pkg:generic/11081aaa281?vcs_url=git%2Bhttps:%2F%2Fgist.github.com%2F11081aaa281"}},
		{"npx | gitlab:o/r#" + commitA, []string{"npx", "git|gitlab:o/r#" + commitA + "|git-commit|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgitlab.com%2Fo%2Fr%40" + commitA}},
		{"npx | a@github:o/r", []string{"npx", "git|github:o/r|git-unpinned|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr"}},
		{"npx | a@https://files.example/a.tgz", []string{"npx", "npm|https://files.example/a.tgz|unversioned|pkg:generic/a.tgz?download_url=https:%2F%2Ffiles.example%2Fa.tgz"}},
		{`npx | C:\x\y`, []string{"npx", `local|C:\x\y|n/a`}},
		{"npx | ~/x", []string{"npx", "local|~/x|n/a"}},
		{"npx | @s/${input:x}@1.0.0", []string{"npx", unknownLine}},
		{"npx | a@${input:v}", []string{"npx", "npm|a@${input:v}|unknown|pkg:npm/a"}},
		{"npx | -y | --yes | -y | a | a", []string{"npx", npmA}},
		{"npx | -q | --loglevel | silent | -y | a", []string{"npx", npmA}},
		{"npx | --", []string{"npx", unknownLine}},
		{"npx", []string{"npx", unknownLine}},
		{"npx | ", []string{"npx", unknownLine}},
		// Launchers that are fetched, and packages that run what follows.
		{"npx | -y | pnpm | dlx | a", []string{"npx", "npm|pnpm|unversioned|pkg:npm/pnpm", "  " + npmA}},
		{"npx | npm@10 | exec | -- | a", []string{"npx", "npm|npm@10|range|pkg:npm/npm", "  " + npmA}},
		{"npx | some-wrapper | npx | -y | a", []string{"npx", "npm|some-wrapper|unversioned|pkg:npm/some-wrapper", "  " + npmA}},
		{"npx | some-wrapper | --x | -- | npx | -y | a", []string{"npx", "npm|some-wrapper|unversioned|pkg:npm/some-wrapper", "  " + npmA}},
		{"npx | some-wrapper | --with | npx | a", []string{"npx", "npm|some-wrapper|unversioned|pkg:npm/some-wrapper"}},
		{"npx | -p | a | wrap | -- | uvx | b", []string{"npx", npmA, "  pypi|b|unversioned|pkg:pypi/b"}},
		{`node | C:\Program Files\nodejs\node_modules\npm\bin\npx-cli.js | -y | a`, []string{"npx", npmA}},
		{"node | /usr/lib/node_modules/npm/bin/npm-cli.js | exec | a", []string{"npm exec", npmA}},
		{"node | ./node_modules/npm/bin/npx-cli.js | a", []string{"node", "npm|./node_modules/npm/bin/npx-cli.js|installed|pkg:generic/npm#node_modules/npm", "  " + unknownLine}},
		{"node | /usr/../x/node_modules/npm/bin/npx-cli.js | a", []string{"node", "local|/usr/../x/node_modules/npm/bin/npx-cli.js|n/a"}},
	})
}

func TestOtherNPMLaunchers(t *testing.T) {
	holdLaunches(t, nil, []launchCase{
		{"bunx | --bun | -p | a | bin | -p | b", []string{"bunx", npmA}},
		{"bunx | --package=a | bin", []string{"bunx", npmA}},
		{"bunx | a@^1", []string{"bunx", "npm|a@^1|range|pkg:npm/a"}},
		{"bun | x | --verbose | a | --x", []string{"bun x", npmA}},
		{"bun | run | a", []string{"bun run", "local|a|n/a"}},
		{"bunx | -pa | b", []string{"bunx", unknownLine, "  " + npmB}},
		{"pnpm | --reporter | silent | --package=a | dlx | bin", []string{"pnpm dlx", npmA}},
		{"pnpm | dlx | -c | a --x", []string{"path-binary", "binary|a|unknown"}},
		{"pnpm | --package=a | --package | b | dlx | -c | a && b", []string{"pnpm dlx", "shell-script||unknown", "  " + npmA, "  " + npmB}},
		{"pnpm | dlx | --allow-build=x | a", []string{"pnpm dlx", npmA}},
		{"pnpm | -C | d | dlx | a", []string{"pnpm dlx", unknownLine, "  " + npmA}},
		{"pnpx | a@latest", []string{"pnpx", "npm|a@latest|dist-tag|pkg:npm/a"}},
		{"pnpm | dlx | github:o/r#v1", []string{"pnpm dlx", "git|github:o/r#v1|git-ref|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr%40v1"}},
		{"yarn | dlx | -p | a | -p | b | bin", []string{"yarn dlx", npmA, npmB}},
		{"yarn | dlx | --package=a | -q | bin", []string{"yarn dlx", npmA}},
		{"yarn | dlx | a@npm:b@1.0.0", []string{"yarn dlx", "npm|b@1.0.0|exact|pkg:npm/b@1.0.0"}},
		{"yarnpkg | dlx | a", []string{"yarn dlx", npmA}},
		{"yarn | dlx | --zz | a", []string{"yarn dlx", unknownLine, "  " + npmA}},
		{"yarn | add | a", []string{"yarn", unknownLine}},
	})
}

func TestDenoGrammar(t *testing.T) {
	exact := "npm|@s/n@1.2.3|exact|pkg:npm/%40s/n@1.2.3"
	holdLaunches(t, nil, []launchCase{
		{"deno | run | -A | npm:@s/n@1.2.3/bin | --x", []string{"deno run", exact}},
		{"deno | run | -RWNE | -q | --no-prompt | npm:/@s/n@1.2.3", []string{"deno run", exact}},
		{"deno | run | --allow-net=a.example | --lock=deno.lock | --frozen | npm:@s/n@1.2.3", []string{"deno run", exact}},
		{"deno | run | --lock | deno.lock | npm:a", []string{"deno run", npmA}},
		{"deno | run | --lock | npm:a | npm:b", []string{"deno run", unknownLine, "  " + npmA, "  " + npmB}},
		{"deno | run | --zz | x | npm:a", []string{"deno run", unknownLine, "  " + npmA}},
		{"deno | run | -c | x.json | npm:a", []string{"deno run", unknownLine, "  " + npmA}},
		{"deno | run | --ext | ts | -L | debug | server.ts", []string{"deno run", "local|server.ts|n/a"}},
		{"deno | run | jsr:@s/n@1", []string{"deno run", "unknown|jsr:@s/n@1|unknown"}},
		{"deno | run | https://esm.sh/@s/n@1.2.3/x", []string{"deno run", "npm|https://esm.sh/@s/n@1.2.3/x|exact|pkg:npm/%40s/n@1.2.3"}},
		{"deno | run | https://u:pw@x.example/a.ts", []string{"deno run", unknownLine}},
		{"deno | run | ${X}", []string{"deno run", unknownLine}},
		{"deno | npm:a", []string{"deno", npmA}},
		{"deno | -A | npm:a", []string{"deno", npmA}},
		{"deno | x | -y | a | b", []string{"deno x", npmA}},
		{"deno | x | -p | npm:a | bin", []string{"deno x", npmA}},
		{"deno | x | --package=a | bin", []string{"deno x", npmA}},
		{"dx | @s/n@1.2.3", []string{"deno x", exact}},
		{"deno | task | start", []string{"deno task", "local|start|n/a"}},
		{"deno | eval | code", []string{"deno eval", unknownLine}},
		{"deno | install | npm:a", []string{"deno", unknownLine}},
		{"deno | run", []string{"deno run", unknownLine}},
	})
}

func TestCDNs(t *testing.T) {
	for url, want := range map[string]string{
		"https://esm.sh/n@1.2.3":                                  "pkg:npm/n@1.2.3",
		"https://esm.sh/v135/@s/n@1.2.3/a?bundle":                 "pkg:npm/%40s/n@1.2.3",
		"https://esm.sh/*n@1.2.3&no-check/x":                      "pkg:npm/n@1.2.3",
		"https://esm.sh/stable/n@1.2.3":                           "pkg:npm/n@1.2.3",
		"https://unpkg.com/n@latest/x.js":                         "pkg:npm/n",
		"https://cdn.jsdelivr.net/npm/@s/n@1.2.3/+esm":            "pkg:npm/%40s/n@1.2.3",
		"https://cdn.skypack.dev/n@1.2.3":                         "pkg:npm/n@1.2.3",
		"https://ga.jspm.io/npm:n@1.2.3/x.js":                     "pkg:npm/n@1.2.3",
		"https://esm.sh/gh/o/r@v1":                                "",
		"https://esm.sh/jsr/@s/n@1":                               "",
		"https://esm.sh/pr/o/r@1":                                 "",
		"https://cdn.jsdelivr.net/gh/o/r@v1/x.js":                 "",
		"https://esm.sh.evil.example/n@1.2.3":                     "",
		"https://evil.example/https://esm.sh/n@1.2.3":             "",
		"http://esm.sh/n@1.2.3":                                   "",
		"https://esm.sh@evil.example/n@1.2.3":                     "",
		"https://deno.land/x/n@1.2.3/mod.ts":                      "",
		"https://raw.githubusercontent.com/o/r/main/x.js":         "",
		"https://esm.sh/ghp_MARKERmarker0123456789MARKERmarker01": "",
	} {
		got := ""
		if c := module(word{text: url}).component; c != nil {
			got = c.PURL
		}
		if got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestUVGrammar(t *testing.T) {
	a := "pypi|a|unversioned|pkg:pypi/a"
	exact := "pypi|a==1.2.3|exact|pkg:pypi/a@1.2.3"
	holdLaunches(t, nil, []launchCase{
		{"uvx | --from | a==1.2.3 | bin", []string{"uvx", exact}},
		{"uvx | --from | x | --from=a==1.2.3 | bin", []string{"uvx", exact}},
		{"uvx | a==1.2.3", []string{"uvx", exact}},
		{"uvx | a@1.2.3", []string{"uvx", "pypi|a@1.2.3|exact|pkg:pypi/a@1.2.3"}},
		{"uvx | a~=1.2", []string{"uvx", "pypi|a~=1.2|range|pkg:pypi/a"}},
		{"uvx | a===1.2.3", []string{"uvx", "pypi|a===1.2.3|exact|pkg:pypi/a@1.2.3"}},
		{"uvx | a!=1.2.3", []string{"uvx", "pypi|a!=1.2.3|range|pkg:pypi/a"}},
		{"uvx | a==1.2.3,!=1.2.4", []string{"uvx", "pypi|a==1.2.3,!=1.2.4|range|pkg:pypi/a"}},
		{"uvx | A.b_C", []string{"uvx", "pypi|A.b_C|unversioned|pkg:pypi/a.b-c"}},
		{"uvx | --with | x>=1 | --python | 3.12 | --prerelease | allow | --exclude-newer | 2026-01-01 | a", []string{"uvx", a, "pypi|x>=1|range|pkg:pypi/x"}},
		{"uvx | -c | evil.txt | a", []string{"uvx", unknownLine, "  " + a}},
		{"uvx | -b | evil.txt | a", []string{"uvx", unknownLine, "  " + a}},
		{"uvx | --constraints=evil.txt | a", []string{"uvx", unknownLine, "  " + a}},
		{"uvx | --from | git+https://github.com/o/r@" + commitA + " | bin", []string{"uvx", "git|git+https://github.com/o/r@" + commitA + "|git-commit|pkg:github/o/r@" + commitA}},
		{"uvx | --from | a @ git+https://github.com/o/r | bin", []string{"uvx", "git|git+https://github.com/o/r|git-unpinned|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr"}},
		{"uvx | --from | https://files.example/a-1.0-py3-none-any.whl | a", []string{"uvx", "pypi|https://files.example/a-1.0-py3-none-any.whl|unversioned|pkg:generic/a-1.0-py3-none-any.whl?download_url=https:%2F%2Ffiles.example%2Fa-1.0-py3-none-any.whl"}},
		{"uvx | --from | . | a", []string{"uvx", "local|.|n/a"}},
		{"uvx | --from | ./a.whl | a", []string{"uvx", "local|./a.whl|n/a"}},
		{"uvx | ${input:pkg}", []string{"uvx", unknownLine}},
		{"uvx | a@${input:v}", []string{"uvx", "pypi|a@${input:v}|unknown|pkg:pypi/a"}},
		{"uvx | python | -m | x", []string{"python -m", "local|x|unknown"}},
		{"uvx | pipx | run | a", []string{"uvx", "pypi|pipx|unversioned|pkg:pypi/pipx", "  " + a}},
		{"uv | tool | run | --from | a==1.2.3 | bin", []string{"uv tool run", exact}},
		{"uv | --offline | tool | run | a", []string{"uv tool run", a}},
		{"uv | run | --locked | server", []string{"uv run", "local|server|n/a"}},
		{"uv | run | --with | a==1.2.3 | server.py", []string{"uv run", "local|server.py|n/a", exact}},
		{"uv | run | uvx | a", []string{"uv run", a}},
		{"uv | pip | install | a", []string{"uv", unknownLine}},
		{"uvx", []string{"uvx", unknownLine}},
	})
}

func TestPipxGrammar(t *testing.T) {
	a := "pypi|a|unversioned|pkg:pypi/a"
	holdLaunches(t, nil, []launchCase{
		{"pipx | run | a | --x", []string{"pipx run", a}},
		{"pipx | run | a==1.0", []string{"pipx run", "pypi|a==1.0|exact|pkg:pypi/a@1.0"}},
		{"pipx | run | --spec=a==1.0 | bin", []string{"pipx run", "pypi|a==1.0|exact|pkg:pypi/a@1.0"}},
		{"pipx | --verbose | run | --python | 3.12 | --no-cache | a", []string{"pipx run", a}},
		{"pipx | run | --spec | git+https://github.com/o/r@v1 | bin", []string{"pipx run", "git|git+https://github.com/o/r@v1|git-ref|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr%40v1"}},
		{"pipx | run | https://x.example/a.py", []string{"pipx run", unknownLine}},
		{"pipx | run | ./a.py", []string{"pipx run", "local|./a.py|n/a"}},
		{"pipx | run | --pypackages | a", []string{"pipx run", "local|a|n/a"}},
		{"pipx | run | --zz | a", []string{"pipx run", unknownLine, "  " + pypiA}},
		{"pipx | install | a", []string{"pipx", unknownLine}},
		{"python3 | -m | pipx | run | a", []string{"pipx run", a}},
		{"python | -mpipx | run | a", []string{"pipx run", a}},
		{"py | -3.12 | -m | uv | tool | run | a", []string{"uv tool run", a}},
		{"python | -m | mcp_server_time | --x", []string{"python -m", "local|mcp_server_time|unknown"}},
	})
	holdLaunches(t, fstest.MapFS{"pipx.py": {}}, []launchCase{
		{"python3 | -m | pipx | run | a", []string{"python -m", "local|pipx|unknown"}},
	})
}

func TestDotnetGrammar(t *testing.T) {
	exact := "nuget|My.Server@1.2.3|exact|pkg:nuget/My.Server@1.2.3"
	holdLaunches(t, nil, []launchCase{
		{"dnx | My.Server@1.2.3 | --yes", []string{"dnx", exact}},
		{"dnx | --yes | My.Server@1.2.3 | -- | --version | 9", []string{"dnx", exact}},
		{"dnx | -y | My.Server | --version | 1.2.3", []string{"dnx", exact}},
		{"dnx | --version:1.2.3 | My.Server", []string{"dnx", exact}},
		{"dnx.cmd | My.Server@1.2.3 | --some-tool-option | x", []string{"dnx", exact}},
		{"dotnet | tool | exec | -y | My.Server@1.2.3", []string{"dotnet tool exec", exact}},
		{"dotnet | dnx | My.Server@1.2.3", []string{"dotnet dnx", exact}},
		{"dnx | My.Server", []string{"dnx", "nuget|My.Server|unversioned|pkg:nuget/My.Server"}},
		{"dnx | My.Server | --prerelease", []string{"dnx", "nuget|My.Server|unversioned|pkg:nuget/My.Server"}},
		{"dnx | My.Server@1.*", []string{"dnx", "nuget|My.Server@1.*|range|pkg:nuget/My.Server"}},
		{"dnx | My.Server@1.2.3-*", []string{"dnx", "nuget|My.Server@1.2.3-*|range|pkg:nuget/My.Server"}},
		{"dnx | My.Server@[1.0,2.0)", []string{"dnx", "nuget|My.Server@[1.0,2.0)|range|pkg:nuget/My.Server"}},
		{"dnx | My.Server@[1.2.3]", []string{"dnx", "nuget|My.Server@[1.2.3]|exact|pkg:nuget/My.Server@1.2.3"}},
		{"dnx | My.Server@1.2.3-beta.1+build", []string{"dnx", "nuget|My.Server@1.2.3-beta.1+build|exact|pkg:nuget/My.Server@1.2.3-beta.1"}},
		{"dnx | My.Server@latest", []string{"dnx", unknownLine}},
		{"dnx | My.Server@${input:v}", []string{"dnx", "nuget|My.Server@${input:v}|unknown|pkg:nuget/My.Server"}},
		{"dnx | ${input:x}", []string{"dnx", unknownLine}},
		{"dnx | My.Server@1.2.3 | --version | 2.0.0", []string{"dnx", unknownLine}},
		{"dnx | --configfile | ./nuget.config | My.Server@1.2.3", []string{"dnx", unknownLine, "  " + exact}},
		{"dnx | My.Server@1.2.3 | --configfile | ./nuget.config", []string{"dnx", unknownLine, "  " + exact}},
		{"dnx | --zz | My.Server@1.2.3", []string{"dnx", unknownLine, "  " + exact}},
		{"dnx | @args.rsp", []string{"dnx", unknownLine}},
		{"dnx", []string{"dnx", unknownLine}},
		{"dotnet | tool | install | x", []string{"dotnet", unknownLine}},
		{"dotnet | tool | run | x", []string{"dotnet tool run", "nuget|x|unknown"}},
		{"dotnet | run | --project | x", []string{"dotnet", "local|x|n/a"}},
		{"dotnet | x.dll | --a", []string{"dotnet", "local|x.dll|n/a"}},
	})
	locked := fstest.MapFS{".config/dotnet-tools.json": {Data: []byte(`{"version": 1, "isRoot": true, "tools": {"my.server": {"version": "4.5.6", "commands": ["srv"]}}}`)}}
	holdLaunches(t, locked, []launchCase{
		{"dnx | My.Server", []string{"dnx", "nuget|My.Server|lockfile|pkg:nuget/My.Server@4.5.6"}},
		{"dnx | My.Server@1.2.3", []string{"dnx", exact}},
		{"dotnet | tool | run | srv", []string{"dotnet tool run", "nuget|srv|lockfile|pkg:nuget/my.server@4.5.6"}},
		{"dotnet | tool | run | --tool-manifest | x.json | srv", []string{"dotnet tool run", unknownLine, "  nuget|srv|lockfile|pkg:nuget/my.server@4.5.6"}},
	})
}

func TestGoGrammar(t *testing.T) {
	exact := "go|github.com/o/r/cmd/x@v1.2.3|exact|pkg:golang/github.com/o/r@v1.2.3#cmd/x"
	holdLaunches(t, nil, []launchCase{
		{"go | run | github.com/o/r/cmd/x@v1.2.3 | --a", []string{"go run", exact}},
		{"go | run | -mod=mod | --race | -tags | a,b | github.com/o/r/cmd/x@v1.2.3", []string{"go run", exact}},
		{"go | run | github.com/O/R/v2@v2.0.0", []string{"go run", "go|github.com/O/R/v2@v2.0.0|exact|pkg:golang/github.com/o/r/v2@v2.0.0"}},
		{"go | run | go.example/x/y@v0.0.0-20260102030405-0123456789ab", []string{"go run", "go|go.example/x/y@v0.0.0-20260102030405-0123456789ab|exact|pkg:golang/go.example/x/y@v0.0.0-20260102030405-0123456789ab"}},
		{"go | run | github.com/o/r@v2.0.0+incompatible", []string{"go run", "go|github.com/o/r@v2.0.0+incompatible|exact|pkg:golang/github.com/o/r@v2.0.0%2Bincompatible"}},
		{"go | run | github.com/o/r@latest", []string{"go run", "go|github.com/o/r@latest|dist-tag|pkg:golang/github.com/o/r"}},
		{"go | run | github.com/o/r@v1", []string{"go run", "go|github.com/o/r@v1|range|pkg:golang/github.com/o/r"}},
		{"go | run | github.com/o/r@<v1.2.3", []string{"go run", "go|github.com/o/r@<v1.2.3|range|pkg:golang/github.com/o/r"}},
		{"go | run | github.com/o/r@main", []string{"go run", "go|github.com/o/r@main|git-ref|pkg:golang/github.com/o/r"}},
		{"go | run | github.com/o/r@" + commitA, []string{"go run", "go|github.com/o/r@" + commitA + "|git-commit|pkg:golang/github.com/o/r"}},
		{"go | run | github.com/o/r@${V}", []string{"go run", "go|github.com/o/r@${V}|unknown|pkg:golang/github.com/o/r"}},
		{"go | run | github.com/o/r", []string{"go run", "local|github.com/o/r|unknown"}},
		{"go | run | ./cmd/x", []string{"go run", "local|./cmd/x|n/a"}},
		{"go | run | .", []string{"go run", "local|.|n/a"}},
		{"go | run | main.go", []string{"go run", "local|main.go|n/a"}},
		{"go | run | -exec | evil | github.com/o/r/cmd/x@v1.2.3", []string{"go run", unknownLine, "  " + exact}},
		{"go | run | -modfile=evil.mod | github.com/o/r/cmd/x@v1.2.3", []string{"go run", unknownLine, "  " + exact}},
		{"go | run | -zz | github.com/o/r/cmd/x@v1.2.3", []string{"go run", unknownLine, "  " + exact}},
		{"go | run | ${X}@v1.0.0", []string{"go run", unknownLine}},
		{"go | run | github.com/o/../r@v1.0.0", []string{"go run", unknownLine}},
		{"go | tool | x", []string{"go tool", "local|x|n/a"}},
		{"go | install | x@latest", []string{"go", unknownLine}},
		{"env | GOFLAGS=-toolexec=evil | go | run | github.com/o/r/cmd/x@v1.2.3", []string{"go run", unknownLine, "  " + exact}},
		{"env | GOFLAGS=-trimpath | go | run | github.com/o/r/cmd/x@v1.2.3", []string{"go run", exact}},
	})
	module := fstest.MapFS{"go.mod": {Data: []byte("module me.example/x\n\ngo 1.26\n\nrequire (\n\tgithub.com/o/r v1.2.3\n\tgo.example/deep/er v0.1.0 // indirect\n)\n")}}
	holdLaunches(t, module, []launchCase{
		{"go | run | github.com/o/r/cmd/x", []string{"go run", "go|github.com/o/r/cmd/x|lockfile|pkg:golang/github.com/o/r@v1.2.3#cmd/x"}},
		{"go | run | go.example/deep/er", []string{"go run", "go|go.example/deep/er|lockfile|pkg:golang/go.example/deep/er@v0.1.0"}},
		{"go | run | me.example/x/cmd/y", []string{"go run", "local|me.example/x/cmd/y|n/a"}},
	})
}

func TestContainerGrammar(t *testing.T) {
	image := "oci|mcp/x|tag|pkg:oci/x?repository_url=docker.io%2Fmcp%2Fx"
	holdLaunches(t, nil, []launchCase{
		{"docker | run | -i | --rm | -e | A | --env=B=c | -eD=e | mcp/x", []string{"docker run", image}},
		{"docker | run | -itv | /a:/b | mcp/x", []string{"docker run", image}},
		{"docker | run | -itv=/a:/b | mcp/x", []string{"docker run", image}},
		{"docker | run | -itw/x | mcp/x", []string{"docker run", image}},
		{"docker | run | -ieA | mcp/x", []string{"docker run", image}},
		{"docker | run | -it=true | mcp/x", []string{"docker run", image}},
		{"docker | run | --rm=true | --init | --name | a | -- | mcp/x", []string{"docker run", image}},
		{"docker | run | --zz | mcp/x", []string{"docker run", unknownLine}},
		{"docker | run | --zz=1 | mcp/x", []string{"docker run", image}},
		{"docker | run | -iZ | mcp/x", []string{"docker run", unknownLine}},
		{"docker | --context | c | --log-level=debug | run | mcp/x", []string{"docker run", image}},
		{"docker | container | run | mcp/x", []string{"docker run", image}},
		{"docker.exe | run | mcp/x", []string{"docker run", image}},
		{"podman | run | --secret | s | --replace | --arch | arm64 | mcp/x", []string{"podman run", image}},
		{"podman | run | docker://docker.io/mcp/x", []string{"podman run", "oci|docker.io/mcp/x|tag|pkg:oci/x?repository_url=docker.io%2Fmcp%2Fx"}},
		{"podman | run | --rootfs | / | npx | a", []string{"podman run", unknownLine, "  " + npmA}},
		{"nerdctl | --namespace | n | run | mcp/x", []string{"nerdctl run", image}},
		{"finch | run | mcp/x", []string{"finch run", image}},
		{"docker | run | index.docker.io/mcp/x", []string{"docker run", "oci|index.docker.io/mcp/x|tag|pkg:oci/x?repository_url=docker.io%2Fmcp%2Fx"}},
		{"docker | run | a.example:5000/b/x:v1@" + digestA, []string{"docker run", "oci|a.example:5000/b/x:v1@" + digestA + "|digest|pkg:oci/x@" + digestA + "?repository_url=a.example:5000%2Fb%2Fx&tag=v1"}},
		{"docker | run | mcp/x@sha256:abc", []string{"docker run", unknownLine}},
		{"docker | run | ${IMAGE}", []string{"docker run", unknownLine}},
		{"docker | run | mcp/x:${input:tag}", []string{"docker run", "oci|mcp/x:${input:tag}|unknown|pkg:oci/x?repository_url=docker.io%2Fmcp%2Fx"}},
		{"docker | run | mcp/x | npx | -y | a", []string{"docker run", image, "  " + npmA}},
		{"docker | run | mcp/x | sh | -c | npx -y a", []string{"docker run", image, "  " + npmA}},
		{"docker | run | --entrypoint | sh | mcp/x | -c | npx -y a && npx b", []string{"docker run", image, "  shell-script||unknown", "  " + npmA, "  " + npmB}},
		{"docker | run | --entrypoint= | mcp/x | a", []string{"docker run", image}},
		{"docker | run | mcp/x | mcp-remote | https://a.example", []string{"docker run", image, "  remote|https://a.example|n/a|service:https://a.example"}},
		{"docker | exec | -i | -u | me | c | npx | -y | a", []string{"docker exec", "container-exec|c|unknown", "  " + npmA}},
		{"docker | exec | -it | c | sh | -c | npx a; npx b", []string{"docker exec", "container-exec|c|unknown", "  shell-script||unknown", "  " + npmA, "  " + npmB}},
		{"docker | exec | --zz | c | npx | a", []string{"docker exec", unknownLine}},
		{"docker | compose | run | s", []string{"docker compose", unknownLine}},
		{"docker | compose | -f | x.yml | run | --rm | s | npx | a", []string{"docker compose", unknownLine, "  " + npmA}},
		{"docker | run | -i | o/supergateway | --sse | https://a.example", []string{"docker run", "oci|o/supergateway|tag|pkg:oci/supergateway?repository_url=docker.io%2Fo%2Fsupergateway", "  remote|https://a.example|n/a|service:https://a.example"}},
		{"docker-compose | run | s", []string{"docker-compose", unknownLine}},
		{"podman-compose | -f | x.yml | up", []string{"podman-compose", unknownLine}},
		{"docker | start | -ai | c", []string{"docker start", unknownLine}},
		{"docker | run", []string{"docker run", unknownLine}},
		{"docker", []string{"docker", unknownLine}},
		{"kubectl | exec | -i | pod | -- | npx | a", []string{"kubectl", unknownLine, "  " + npmA}},
		{"ssh | host | npx | -y | a", []string{"ssh", unknownLine, "  " + npmA}},
		{"ssh | host | cd /srv && npx -y a", []string{"ssh", unknownLine, "  " + npmA}},
		{"ssh | host | /srv/start.sh --x", []string{"ssh", unknownLine}},
	})
}

func TestWrapperGrammar(t *testing.T) {
	for _, line := range []string{
		"cmd | /c | npx | a", "cmd.exe | /D | /S | /C | npx a", "cmd | /k | call | npx | a", `C:\Windows\System32\cmd.exe | /c | npx | -y | a`,
		"powershell.exe | -NoProfile | -ExecutionPolicy | Bypass | -Command | npx a", "pwsh | -NoLogo | -c | & npx a",
		"bash | -lc | npx a", "zsh | -ic | exec npx a", "dash | -ec | npx a", "fish | -c | npx a", "bash | -c | A=b npx a", "busybox | sh | -c | npx a",
		"env | -i | A=b | npx | a", "env | -u | X | npx | a", "env | -S | npx a", "/usr/bin/env | npx | a", "genv | A=b | npx | a",
		"sudo | -E | npx | a", "nice | -n5 | npx | a", "time | -p | npx | a", "timeout | -k | 5 | 10 | npx | a", "stdbuf | -oL | npx | a", "nohup | npx | a",
		"doppler | run | -- | npx | a", "op | run | --env-file=.env | -- | npx | a", "dotenv | -- | npx | a", "dotenvx | run | -f | x | -- | npx | a",
		"mise | -C | /srv | exec | -- | npx | a", "mise | -q | x | -- | npx | a", "mise | x | node@22 | --command | npx a", "mise | exec | --command=npx a",
		"doppler | --token | x | run | -- | npx | a", "doppler | run | --project | p | --command | npx a", "op | --account | x | run | --no-masking | -- | npx | a",
		"infisical | run | --env=dev | --command | npx a", "dotenv | -f | x | run | -- | npx | a", "dotenv | -f | x | run | npx | a", "dotenv | -e | x | npx | a",
		"fnm | exec | --using=22 | -- | npx | a", "fnm | exec | --using | 22 | npx | a", "volta | run | --node | 22 | npx | a", "nodenv | exec | npx | a", "pyenv | exec | npx | a",
		"n | exec | 22 | npx | a", "devbox | run | -- | npx | a", "devenv | shell | -- | npx | a", "flox | activate | -- | npx | a", "bws | run | -- | npx a",
		"sops | exec-env | s.yaml | npx a", "envchain | x | npx | a", "flatpak-spawn | --host | npx | a", "host-spawn | npx | a", "berglas | exec | -- | npx | a",
		"direnv | exec | . | npx | a", "mise | x | node@22 | -- | npx | a", "wsl | -d | Ubuntu | -u | me | --cd | ~ | -e | npx | a",
		"wsl.exe | --exec | npx | a", "wsl | -- | npx | a", "arch | -arm64 | npx | a", "aws-vault | exec | p | -- | npx | a", "winpty | npx | a",
		"taskset | -c | 0 | npx | a", "bash | -c | cd /srv && export A=b && source ~/.profile && npx a",
		`sh | -c | "npx" 'a'`, "npx a", "  npx   a  ", "/usr/bin/npx a", "env | bash | -c | cmd /c npx a",
	} {
		t.Run(line, func(t *testing.T) {
			s := &scan{}
			got := s.settle(s.command(argv(strings.Split(line, " | ")...), 0))
			if diff := cmp.Diff([]string{"npx", npmA}, shown(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	holdLaunches(t, nil, []launchCase{
		{"bash | -c | npx a || npx b", []string{"bash -c", "shell-script||unknown", "  " + npmA, "  " + npmB}},
		{"bash | -c | npx a > out.log", []string{"npx", npmA}},
		{"bash | -c | npx $(cat x)", []string{"bash -c", "shell-script||unknown", "  " + unknownLine}},
		{"bash | -c | npx `cat x`", []string{"bash -c", "shell-script||unknown", "  " + unknownLine}},
		{"bash | -c | (npx a)", []string{"bash -c", "shell-script||unknown", "  " + npmA}},
		{"bash | -c | npx 'a", []string{"bash -c", "shell-script||unknown", "  " + npmA}},
		{"bash | -c | ", []string{"bash -c", "shell-script||unknown"}},
		{"cmd | /c | npx a & npx b", []string{"cmd /c", "shell-script||unknown", "  " + npmA, "  " + npmB}},
		{"cmd | /d /s /c npx -y a", []string{"cmd", unknownLine, "  " + npmA}},
		{"runas | /user:Administrator | npx a", []string{"runas", unknownLine, "  " + npmA}},
		{"runas | /user:Administrator | npx | a", []string{"runas", unknownLine, "  " + npmA}},
		{"timeout | npx", []string{"timeout", unknownLine}},
		{"doppler | run | --command", []string{"doppler", unknownLine}},
		{"doppler | --zz | run | -- | npx | a", []string{"doppler", unknownLine, "  npm|a|unversioned|pkg:npm/a"}},
		{"doppler | secrets", []string{"doppler", unknownLine}},
		{"infisical | mcp", []string{"path-binary", "binary|infisical|unknown"}},
		{"mise | mcp", []string{"path-binary", "binary|mise|unknown"}},
		{"mise | x | -- | a-server", []string{"path-binary", "binary|a-server|unknown"}},
		{"wsl | --zz | npx | a", []string{"wsl", unknownLine, "  npm|a|unversioned|pkg:npm/a"}},
	})
}

// TestRunnerGrammar: programs that run a command in the environment of a project.
func TestRunnerGrammar(t *testing.T) {
	holdLaunches(t, nil, []launchCase{
		{"poetry | run | a-server | --x", []string{"poetry run", "local|a-server|n/a"}},
		{"poetry | --directory | /srv/p | run | python | -m | a.server", []string{"poetry run", "local|a.server|unknown"}},
		{"poetry | -C | /srv/p | run | python | app/s.py", []string{"poetry run", "local|app/s.py|n/a"}},
		{"poetry | run | python | -c | code", []string{"poetry run", unknownLine}},
		{"poetry | run | --zz | a", []string{"poetry run", "local||n/a"}},
		{"poetry | --zz | run | a", []string{"poetry", unknownLine}},
		{"poetry | install", []string{"poetry", unknownLine}},
		{"conda | run | --no-capture-output | -n | e | python | /srv/s.py", []string{"conda run", "local|/srv/s.py|n/a"}},
		{"mamba | run | -n | e | a-server", []string{"mamba run", "local|a-server|n/a"}},
		{`micromamba | run | -p | F:\v | python | F:\s.py | stdio`, []string{"micromamba run", `local|F:\s.py|n/a`}},
		{"conda | run | -n | e | uvx | a", []string{"conda", "unknown|conda|unknown", "  " + pypiA}},
		{"hatch | run | a-server", []string{"hatch run", "local|a-server|n/a"}},
		{"hatch | -e | dev | run | python | -m | a", []string{"hatch run", "local|a|unknown"}},
		{"hatch | mcp", []string{"path-binary", "binary|hatch|unknown"}},
		{"pixi | run | --manifest-path | /srv/pixi.toml | python | s.py", []string{"pixi run", "local|s.py|n/a"}},
		{"pdm | run | -p | /srv | s.py", []string{"pdm run", "local|s.py|n/a"}},
		{"rye | run | a-server", []string{"rye run", "local|a-server|n/a"}},
		{"pipenv | run | python | s.py", []string{"pipenv run", "local|s.py|n/a"}},
		{"bundle | exec | rails | mcp", []string{"bundle exec", "local|rails|n/a"}},
		{"dart | run | bin/s.dart", []string{"dart run", "local|bin/s.dart|n/a"}},
		{"dart | mcp-server", []string{"path-binary", "binary|dart|unknown"}},
		{"cargo | +nightly | run | -q", []string{"cargo run", "local||n/a"}},
		{"mise | run | serve", []string{"mise run", "local||n/a"}},
		{"mise | --cd | /srv | run | serve", []string{"mise run", "local||n/a"}},
		{"uv | run | python | -m | a.server", []string{"uv run", "local|a.server|unknown"}},
		{"uv | run | --with | a | --python | 3.13 | a | --x", []string{"uv run", pypiA}},
		{"uv | run | --with | b,a_server | a-server", []string{"uv run", "pypi|a_server|unversioned|pkg:pypi/a-server", "pypi|b|unversioned|pkg:pypi/b"}},
		{"uv | run | --with | mcp | mcp | run | s.py", []string{"uv run", "local|mcp|n/a", "pypi|mcp|unversioned|pkg:pypi/mcp"}},
		{"julia | --project=. | s.jl", []string{"julia", "local|s.jl|n/a"}},
		{"R | --no-save | -e | code", []string{"r", unknownLine}},
		{"dotnet | run", []string{"dotnet", "local|.|n/a"}},
		{"dotnet | watch | run | --project | src/S | -- | x.cs", []string{"dotnet", "local|src/S|n/a"}},
		{"dotnet | run | s.cs", []string{"dotnet", "local|s.cs|n/a"}},
		{"jbang | run | --quiet | a@b", []string{"jbang", "unknown|a@b|unknown"}},
		{"jbang | org.example:a:1.0.0", []string{"jbang", "unknown|org.example:a:1.0.0|unknown"}},
		{"jbang | s.java | --x", []string{"jbang", "local|s.java|n/a"}},
	})
}

// TestProgramPath: a launcher is known by the path of where programs get installed,
// with blanks in it or not.
func TestProgramPath(t *testing.T) {
	for _, program := range []string{
		"C:/Program Files/nodejs/npx.cmd", `D:\Program Files\nodejs\npx.cmd`, `C:\PROGRA~1\nodejs\npx.cmd`, `%ProgramFiles(x86)%\nodejs\npx.cmd`, "/c/Program Files/nodejs/npx",
		"/mnt/c/Program Files/nodejs/npx", "/Users/me/Library/Application Support/a/node/bin/npx", "~/Library/Application Support/a/node/bin/npx",
		"/data/data/com.termux/files/usr/bin/npx", "/Users/me/.pixi/bin/npx", "/path/to/npx", "{env:HOME}/.local/bin/npx",
	} {
		s := &scan{}
		got := s.settle(s.command(argv(program, "-y", "a"), 0))
		if diff := cmp.Diff([]string{"npx", npmA}, shown(got)); diff != "" {
			t.Errorf("%s -want +got:\n%s", program, diff)
		}
	}
	holdLaunches(t, nil, []launchCase{
		{"/Users/me/My Project/npx | a", []string{"path", "local|/Users/me/My|n/a"}},
		{"/Applications/My App.app/Contents/MacOS/server | --x", []string{"path", "local|/Applications/My App.app/Contents/MacOS/server|n/a"}},
		{"~/Library/Application Support/a/server | --x", []string{"path", "local|~/Library/Application Support/a/server|n/a"}},
		{"/opt/My Tools/server | --x", []string{"path", "local|/opt/My|n/a"}},
		{"/usr/local/bin/server pg://u:p@h/db | --x", []string{"path", "local|/usr/local/bin/server|n/a"}},
	})
}

// TestInitializers: npm init NAME and its like run a package of another name.
func TestInitializers(t *testing.T) {
	holdLaunches(t, nil, []launchCase{
		{"npm | init | a", []string{"npm init", "npm|create-a|unversioned|pkg:npm/create-a"}},
		{"npm | create | a@1.0.0 | x | -- | --y", []string{"npm create", "npm|create-a@1.0.0|exact|pkg:npm/create-a@1.0.0"}},
		{"npm | init | -y | @s", []string{"npm init", "npm|@s/create|unversioned|pkg:npm/%40s/create"}},
		{"npm | init | @s@2.0.0", []string{"npm init", "npm|@s/create@2.0.0|exact|pkg:npm/%40s/create@2.0.0"}},
		{"pnpm | create | @s/a", []string{"pnpm create", "npm|@s/create-a|unversioned|pkg:npm/%40s/create-a"}},
		{"yarn | create | a", []string{"yarn create", "npm|create-a|unversioned|pkg:npm/create-a"}},
		{"bun | create | a", []string{"bun create", "npm|create-a|unversioned|pkg:npm/create-a"}},
	})
	checkLaunches(t, "run.sh", "npm init -y\nnpm init\nnpm create a@latest x -- --template y\n", "3 npm create: npm create npm create-a@latest dist-tag")
}

// TestCopyByPath: the path of an installed copy names its package, where nobody sees
// the project.
func TestCopyByPath(t *testing.T) {
	holdLaunches(t, nil, []launchCase{
		{"node | node_modules/@s/n/dist/index.js", []string{"node", "npm|node_modules/@s/n/dist/index.js|installed|pkg:generic/%40s/n#node_modules/%40s/n"}},
		{"bun | ./node_modules/a/x.js", []string{"bun", "npm|./node_modules/a/x.js|installed|pkg:generic/a#node_modules/a"}},
		{"node | ${workspaceFolder}/node_modules/a/x.js", []string{"node", "npm|${workspaceFolder}/node_modules/a/x.js|installed|pkg:generic/a#%24%7BworkspaceFolder%7D/node_modules/a"}},
		{"node | node_modules/a/node_modules/b/x.js", []string{"node", "npm|node_modules/a/node_modules/b/x.js|installed|pkg:generic/b#node_modules/a/node_modules/b"}},
		{"node | /usr/local/lib/node_modules/@s/n/x.js", []string{"node", "npm|/usr/local/lib/node_modules/@s/n/x.js|unknown|pkg:generic/%40s/n#usr/local/lib/node_modules/%40s/n"}},
		{"node | /Users/me/.nvm/versions/node/v22.1.0/lib/node_modules/a/x.js", []string{"node", "npm|/Users/me/.nvm/versions/node/v22.1.0/lib/node_modules/a/x.js|unknown|pkg:generic/a#Users/me/.nvm/versions/node/v22.1.0/lib/node_modules/a"}},
		{`node | C:\Users\me\AppData\Roaming\npm\node_modules\a\x.js`, []string{"node", `npm|C:\Users\me\AppData\Roaming\npm\node_modules\a\x.js|unknown|pkg:generic/a#C:/Users/me/AppData/Roaming/npm/node_modules/a`}},
		{"node | /srv/p/node_modules/mcp-remote/x.js | https://a.example", []string{"node", "npm|/srv/p/node_modules/mcp-remote/x.js|installed|pkg:generic/mcp-remote#srv/p/node_modules/mcp-remote", "  remote|https://a.example|n/a|service:https://a.example"}},
		{"node | node_modules/.bin/a", []string{"node", "local|node_modules/.bin/a|n/a"}},
		{"node | node_modules/a/../../x.js", []string{"node", "local|node_modules/a/../../x.js|n/a"}},
		{"node | node_modules/${P}/x.js", []string{"node", "local|node_modules/${P}/x.js|n/a"}},
		{"node | node_modules/a", []string{"node", "local|node_modules/a|n/a"}},
	})
	holdLaunches(t, fstest.MapFS{"package.json": {Data: []byte("{}")}}, []launchCase{
		{"node | node_modules/a/x.js", []string{"node", "local|node_modules/a/x.js|n/a"}},
	})
}

// TestScriptNames: pnpm and yarn run a script of the project by its name alone.
func TestScriptNames(t *testing.T) {
	holdLaunches(t, nil, []launchCase{
		{"pnpm | dev | mcp", []string{"pnpm run", "local|dev|n/a"}},
		{"pnpm | --silent | --dir | x | serve", []string{"pnpm run", "local|serve|n/a"}},
		{"pnpm | add | a", []string{"pnpm", unknownLine}},
		{"yarn | --silent | mcp", []string{"yarn run", "local|mcp|n/a"}},
		{"yarn | workspace | @a/b | mcp", []string{"yarn run", "local|mcp|n/a"}},
		{"yarn | workspace | @a/b | dlx | a", []string{"yarn dlx", npmA}},
		{"yarn | workspace | @a/b", []string{"yarn", unknownLine}},
		{"yarn | global | add | a", []string{"yarn", unknownLine}},
		{"corepack | pnpm | dlx | a", []string{"pnpm dlx", npmA}},
		{"corepack | pnpm@9.1.0 | dlx | a", []string{"pnpm dlx", npmA}},
		{"corepack | yarn | start", []string{"yarn run", "local|start|n/a"}},
		{"corepack | enable", []string{"corepack", unknownLine}},
		{"bun | --watch | run | src/s.ts", []string{"bun run", "local|src/s.ts|n/a"}},
		{"bun | --cwd | x | x | a", []string{"bun x", npmA}},
	})
	holdLaunches(t, fstest.MapFS{"package.json": {Data: []byte(`{"scripts": {"serve": "node s.js"}}`)}}, []launchCase{
		{"pnpm | serve", []string{"pnpm run", "local|serve|n/a"}},
		{"pnpm | other", []string{"pnpm", unknownLine}},
	})
}

func TestNixGrammar(t *testing.T) {
	repository := "|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr"
	holdLaunches(t, nil, []launchCase{
		{"nix | run | github:o/r#a | -- | --stdio", []string{"nix run", "git|github:o/r|git-unpinned" + repository}},
		{"nix | run | github:o/r/v1?dir=x#a", []string{"nix run", "git|github:o/r@v1|git-ref" + repository + "%40v1"}},
		{"nix | run | github:o/r/" + commitA, []string{"nix run", "git|github:o/r@" + commitA + "|git-commit|pkg:github/o/r@" + commitA}},
		{"nix | run | git+https://git.example/o/r?ref=main&rev=" + commitA, []string{"nix run", "git|git+https://git.example/o/r@" + commitA + "|git-commit|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgit.example%2Fo%2Fr%40" + commitA}},
		{"nix | --extra-experimental-features | nix-command flakes | run | .#a", []string{"nix run", "local|.|n/a"}},
		{"nix | run | /srv/p#a", []string{"nix run", "local|/srv/p|n/a"}},
		{"nix | run", []string{"nix run", "local|.|n/a"}},
		{"nix | run | nixpkgs#uv | -- | tool | run | a", []string{"uv tool run", pypiA}},
		{"nix | run | nixpkgs#a-server", []string{"nix run", "unknown|nixpkgs#a-server|unknown"}},
		{"nix | run | https://a.example/x.tar.gz", []string{"nix run", "unknown|https://a.example/x.tar.gz|unknown"}},
		{"nix | run | --zz | .#a", []string{"nix run", unknownLine}},
		{"nix | build | .", []string{"nix", unknownLine}},
		{"nix | --quiet | shell | nixpkgs#nodejs | -c | npx | a", []string{"npx", npmA}},
	})
}

func TestProxyGrammar(t *testing.T) {
	remote := "  remote|https://a.example/mcp|n/a|service:https://a.example/mcp"
	mcpRemote := "npm|mcp-remote|unversioned|pkg:npm/mcp-remote"
	gateway := "npm|supergateway|unversioned|pkg:npm/supergateway"
	pyProxy := "pypi|mcp-proxy|unversioned|pkg:pypi/mcp-proxy"
	inspector := "npm|@modelcontextprotocol/inspector|unversioned|pkg:npm/%40modelcontextprotocol/inspector"
	holdLaunches(t, nil, []launchCase{
		{"npx | -y | mcp-remote | https://a.example/mcp | 3334 | --transport | sse-only | --debug", []string{"npx", mcpRemote, remote}},
		{"npx | mcp-remote | --header | A: b | --resource | x | https://a.example/mcp", []string{"npx", mcpRemote, remote}},
		{"npx | -p | mcp-remote | mcp-remote-client | https://a.example/mcp", []string{"npx", mcpRemote, remote}},
		{"npx | supergateway | --streamableHttp | https://a.example/mcp", []string{"npx", gateway, remote}},
		{"npx | supergateway | --stdio=npx -y a | --port | 1", []string{"npx", gateway, "  " + npmA}},
		{"npx | supergateway | --stdio | npx a | --stdio | npx b", []string{"npx", gateway, "  " + npmA, "  " + npmB}},
		{"uvx | mcp-proxy | https://a.example/mcp", []string{"uvx", pyProxy, remote}},
		{"uvx | mcp-proxy | --port | 1 | -- | npx | a", []string{"uvx", pyProxy, "  " + npmA}},
		{"uvx | mcp-proxy | --named-server | x | npx a | --named-server | y | npx b", []string{"uvx", pyProxy, "  " + npmA, "  " + npmB}},
		{"uvx | mcp-proxy | --named-server-config | x.json", []string{"uvx", pyProxy, "  " + unknownLine}},
		{"uvx | mcpo | --config | x.json", []string{"uvx", "pypi|mcpo|unversioned|pkg:pypi/mcpo", "  " + unknownLine}},
		{"npx | @modelcontextprotocol/inspector | -e | K=v | -- | npx | a", []string{"npx", inspector, "  " + npmA}},
		{"npx | @modelcontextprotocol/inspector | --config | x.json | --server | y", []string{"npx", inspector, "  " + unknownLine}},
		{"npx | @modelcontextprotocol/inspector | --cli | https://a.example/mcp", []string{"npx", inspector, remote}},
		{"uvx | fastmcp | run | https://a.example/mcp", []string{"uvx", "pypi|fastmcp|unversioned|pkg:pypi/fastmcp", remote}},
		{"uvx | fastmcp | run | server.py", []string{"uvx", "pypi|fastmcp|unversioned|pkg:pypi/fastmcp"}},
		{"npx | concurrently | -k | npx a | npx b", []string{"npx", "npm|concurrently|unversioned|pkg:npm/concurrently", "  " + npmA, "  " + npmB}},
		{"npx | nodemon | --exec | npx a", []string{"npx", "npm|nodemon|unversioned|pkg:npm/nodemon", "  " + npmA}},
		{"npx | env-cmd | -f | .env | npx | a", []string{"npx", "npm|env-cmd|unversioned|pkg:npm/env-cmd", "  " + npmA}},
		{"npx | @smithery/cli | run | @o/s | --key | k", []string{"npx", "npm|@smithery/cli|unversioned|pkg:npm/%40smithery/cli", "  unknown|@o/s|unknown"}},
		{"toolbase-runner | -m=https://esm.sh/a@0.6.2 | -c={}", []string{"path-binary", "binary|toolbase-runner|unknown", "  npm|https://esm.sh/a@0.6.2|exact|pkg:npm/a@0.6.2"}},
		{"mcp-context-protector | --url | https://a.example/mcp", []string{"path-binary", "binary|mcp-context-protector|unknown", remote}},
	})
}

func TestAllowHTTP(t *testing.T) {
	for line, want := range map[string]bool{
		"npx | mcp-remote | http://localhost:3000/mcp | --allow-http":            false,
		"npx | mcp-remote | http://127.0.0.1:3000/mcp | --allow-http":            false,
		"npx | mcp-remote | http://[::1]/mcp | --allow-http":                     false,
		"npx | mcp-remote | http://localhost:3000/mcp":                           false,
		"npx | mcp-remote | http://a.example/mcp | --allow-http":                 true,
		"npx | mcp-remote | http://a.example/mcp":                                true,
		"npx | mcp-remote | https://a.example/mcp | --allow-http":                true,
		"npx | mcp-remote | ${URL} | --allow-http":                               true,
		"npx | mcp-remote | --allow-http":                                        true,
		"npx | mcp-remote | http://localhost@a.example/mcp | --allow-http":       true,
		"npx | mcp-remote | http://localhost.a.example/mcp | --allow-http":       true,
		"npx | mcp-remote | http://localhost/ | http://a.example | --allow-http": true,
		"npx | mcp-remote | http://${HOST}/mcp":                                  true,
	} {
		s := &scan{}
		words := argv(strings.Split(line, " | ")...)
		s.words(words)
		s.command(words, 0)
		got := false
		for _, r := range s.risks {
			got = got || r.Code == sbom.RiskInsecureRemote
		}
		if got != want {
			t.Errorf("%s: insecure %v, want %v", line, got, want)
		}
	}
}
