package mcp

import (
	"fmt"
	"strings"
	"testing"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
)

// argv makes words of a command line as a configuration would hold it.
func argv(words ...string) []word {
	out := make([]word, len(words))
	for i, w := range words {
		where := "command"
		if i > 0 {
			where = fmt.Sprintf("argument %d", i)
		}
		out[i] = word{text: w, at: place{where: where, line: 1, column: i + 1}}
	}
	return out
}

// shown writes subjects as tests compare them: launcher, then kind, spec, pin
// and purl of each.
func shown(subjects []subject) []string {
	out := []string{subjects[0].launcher}
	for _, s := range subjects {
		line := fmt.Sprintf("%s|%s|%s", s.launch.Kind, s.launch.Spec, s.launch.Pin)
		switch {
		case s.component != nil:
			line += "|" + s.component.PURL
		case s.service != nil:
			line += "|" + s.service.Ref
		}
		if s.launch.Nested {
			line = "  " + line
		}
		out = append(out, line)
	}
	return out
}

const commitA = "0123456789abcdef0123456789abcdef01234567"

var digestA = "sha256:" + strings.Repeat("ab", 32)

func TestCommand(t *testing.T) {
	npmFoo := "npm|foo|unversioned|pkg:npm/foo"
	tests := []struct {
		argv []string
		want []string // launcher, then a line for each subject
	}{
		// npx: the first positional word.
		{[]string{"npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"npx", "-y", "foo", "--yes", "-p", "other"}, []string{"npx", npmFoo}},
		{[]string{"/usr/local/bin/npx", "-y", "foo"}, []string{"npx", npmFoo}},
		{[]string{`C:\Program Files\nodejs\npx.CMD`, "foo"}, []string{"npx", npmFoo}},
		{[]string{"NPX.exe", "foo"}, []string{"npx", npmFoo}},
		{[]string{"./npx", "foo"}, []string{"path", "local|./npx|n/a"}},
		{[]string{"npx", "@s/n@1.2.3"}, []string{"npx", "npm|@s/n@1.2.3|exact|pkg:npm/%40s/n@1.2.3"}},
		{[]string{"npx", "foo@v1.2.3"}, []string{"npx", "npm|foo@v1.2.3|exact|pkg:npm/foo@1.2.3"}},
		{[]string{"npx", "foo@=1.2.3"}, []string{"npx", "npm|foo@=1.2.3|exact|pkg:npm/foo@1.2.3"}},
		{[]string{"npx", "foo@1.2.3-rc.1+build.5"}, []string{"npx", "npm|foo@1.2.3-rc.1+build.5|exact|pkg:npm/foo@1.2.3-rc.1"}},
		{[]string{"npx", "foo@latest"}, []string{"npx", "npm|foo@latest|dist-tag|pkg:npm/foo"}},
		{[]string{"npx", "foo@canary-2"}, []string{"npx", "npm|foo@canary-2|dist-tag|pkg:npm/foo"}},
		{[]string{"npx", "foo@^1.2"}, []string{"npx", "npm|foo@^1.2|range|pkg:npm/foo"}},
		{[]string{"npx", "foo@1"}, []string{"npx", "npm|foo@1|range|pkg:npm/foo"}},
		{[]string{"npx", "foo@1.x"}, []string{"npx", "npm|foo@1.x|range|pkg:npm/foo"}},
		{[]string{"npx", "foo@*"}, []string{"npx", "npm|foo@*|range|pkg:npm/foo"}},
		{[]string{"npx", "foo@>=1 <2"}, []string{"npx", "npm|foo@>=1 <2|range|pkg:npm/foo"}},
		{[]string{"npx", "foo@"}, []string{"npx", npmFoo}},
		{[]string{"npx", "foo@${VERSION}"}, []string{"npx", "npm|foo@${VERSION}|unknown|pkg:npm/foo"}},
		{[]string{"npx", "${PACKAGE}"}, []string{"npx", "unknown||unknown"}},
		{[]string{"npx", "alias@npm:@real/one@2.0.0"}, []string{"npx", "npm|@real/one@2.0.0|exact|pkg:npm/%40real/one@2.0.0"}},
		{[]string{"npx", "npm:foo@1.0.0"}, []string{"npx", "npm|foo@1.0.0|exact|pkg:npm/foo@1.0.0"}},
		{[]string{"npx", "./dir"}, []string{"npx", "local|./dir|n/a"}},
		{[]string{"npx", "file:../dir"}, []string{"npx", "local|file:../dir|n/a"}},
		{[]string{"npx", "no/such/name"}, []string{"npx", "unknown||unknown"}},
		// npx: options before it.
		{[]string{"npx", "--yes", "--quiet", "--prefer-online", "foo"}, []string{"npx", npmFoo}},
		{[]string{"npx", "--unknown", "bar", "foo"}, []string{"npx", "unknown||unknown", "  npm|bar|unversioned|pkg:npm/bar", "  " + npmFoo}},
		{[]string{"npx", "--unknown", "-y", "foo"}, []string{"npx", "unknown||unknown", "  " + npmFoo}},
		{[]string{"npx", "--unknown=bar", "foo"}, []string{"npx", "unknown||unknown", "  npm|bar|unversioned|pkg:npm/bar", "  " + npmFoo}},
		{[]string{"npx", "--no-unknown", "foo"}, []string{"npx", "unknown||unknown", "  " + npmFoo}},
		{[]string{"npx", "--registry", "https://registry.example/", "foo"}, []string{"npx", npmFoo}},
		{[]string{"npx", "--cache", "/c", "--tag", "p", "-L", "user", "foo"}, []string{"npx", npmFoo}},
		{[]string{"npx", "--prefix", "p", "foo"}, []string{"npx", "unknown||unknown", "  " + npmFoo}},
		{[]string{"npx", "--no-install", "foo"}, []string{"npx", npmFoo}},
		{[]string{"npx", "-y", "--", "foo", "--x"}, []string{"npx", npmFoo}},
		{[]string{"npx", "-y"}, []string{"npx", "unknown||unknown"}},
		// npx: --package and --call.
		{[]string{"npx", "-p", "foo@1.0.0", "bin", "arg"}, []string{"npx", "npm|foo@1.0.0|exact|pkg:npm/foo@1.0.0"}},
		{[]string{"npx", "--package=foo", "--package", "@a/b@2", "bin"}, []string{"npx", npmFoo, "npm|@a/b@2|range|pkg:npm/%40a/b"}},
		{[]string{"npx", "-p", "foo", "-c", "foo --x"}, []string{"npx", npmFoo}},
		{[]string{"npx", "-p", "foo", "-c", "foo && npx bar"}, []string{"npx", "shell-script||unknown", "  npm|bar|unversioned|pkg:npm/bar", "  " + npmFoo}},
		{[]string{"npx", "-c", "npx foo"}, []string{"npx", npmFoo}},
		{[]string{"npx", "-y", "-p", "mcp-remote@1.0.0", "mcp-remote", "https://a.example/mcp"}, []string{"npx", "npm|mcp-remote@1.0.0|exact|pkg:npm/mcp-remote@1.0.0", "  remote|https://a.example/mcp|n/a|service:https://a.example/mcp"}},
		{[]string{"npx", "-yp", "foo", "bar"}, []string{"npx", "unknown||unknown", "  " + npmFoo, "  npm|bar|unversioned|pkg:npm/bar"}},
		// npm.
		{[]string{"npm", "exec", "foo"}, []string{"npm exec", npmFoo}},
		{[]string{"npm", "x", "-y", "--", "foo", "--package=bar"}, []string{"npm x", npmFoo}},
		{[]string{"npm", "exec", "bin", "--package=foo"}, []string{"npm exec", npmFoo}},
		{[]string{"npm", "--prefix", "d", "exec", "--yes", "foo", "--flag"}, []string{"npm exec", "unknown||unknown", "  " + npmFoo}},
		{[]string{"npm", "exec", "-p", "foo"}, []string{"npm exec", npmFoo}},
		{[]string{"npm", "--prefix", "/srv/app", "run", "start"}, []string{"npm run", "local|start|n/a"}},
		{[]string{"npm", "install", "foo"}, []string{"npm", "unknown||unknown"}},
		// Repositories and tarballs.
		{[]string{"npx", "owner/repo"}, []string{"npx", "git|github:owner/repo|git-unpinned|pkg:generic/repo?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fowner%2Frepo"}},
		{[]string{"npx", "github:Owner/Repo#" + commitA}, []string{"npx", "git|github:Owner/Repo#" + commitA + "|git-commit|pkg:github/owner/repo@" + commitA}},
		{[]string{"npx", "github:owner/repo#v1.0"}, []string{"npx", "git|github:owner/repo#v1.0|git-ref|pkg:generic/repo?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fowner%2Frepo%40v1.0"}},
		{[]string{"npx", "git+ssh://git@github.com/o/r.git#semver:^1"}, []string{"npx", "git|git+ssh://github.com/o/r.git#semver:^1|git-ref|pkg:generic/r?vcs_url=git%2Bssh:%2F%2Fgithub.com%2Fo%2Fr.git%40semver:%5E1"}},
		{[]string{"npx", "git@github.com:o/r.git#" + commitA}, []string{"npx", "git|git+ssh://github.com/o/r.git#" + commitA + "|git-commit|pkg:github/o/r@" + commitA}},
		{[]string{"npx", "https://github.com/o/r"}, []string{"npx", "git|https://github.com/o/r|git-unpinned|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr"}},
		{[]string{"npx", "https://u:pw@files.example/p-1.0.0.tgz?x=1"}, []string{"npx", "npm|https://files.example/p-1.0.0.tgz|unversioned|pkg:generic/p-1.0.0.tgz?download_url=https:%2F%2Ffiles.example%2Fp-1.0.0.tgz"}},
		// Other runners of npm packages.
		{[]string{"bunx", "-y", "--bun", "foo"}, []string{"bunx", npmFoo}},
		{[]string{"bun", "x", "foo"}, []string{"bun x", npmFoo}},
		{[]string{"bunx", "--what", "foo"}, []string{"bunx", "unknown||unknown", "  " + npmFoo}},
		{[]string{"pnpm", "dlx", "foo"}, []string{"pnpm dlx", npmFoo}},
		{[]string{"pnpm", "--package=foo", "dlx", "bin"}, []string{"pnpm dlx", npmFoo}},
		{[]string{"pnpm", "--silent", "dlx", "--package", "foo", "--package", "bar", "bin"}, []string{"pnpm dlx", npmFoo, "npm|bar|unversioned|pkg:npm/bar"}},
		{[]string{"pnpx", "foo"}, []string{"pnpx", npmFoo}},
		{[]string{"pnpm", "exec", "--", "chrome"}, []string{"pnpm exec", "npm|chrome|unknown"}},
		{[]string{"yarn", "dlx", "-q", "-p", "foo", "bin"}, []string{"yarn dlx", npmFoo}},
		{[]string{"yarn", "dlx", "foo"}, []string{"yarn dlx", npmFoo}},
		{[]string{"bun", "run", "--cwd", "${X}", "--shell=bun", "--silent", "start"}, []string{"bun run", "local|start|n/a"}},
		{[]string{"deno", "run", "-A", "--allow-net=x", "npm:@s/n@1.2.3/bin"}, []string{"deno run", "npm|@s/n@1.2.3|exact|pkg:npm/%40s/n@1.2.3"}},
		{[]string{"deno", "run", "https://x.example/a.ts"}, []string{"deno run", "unknown||unknown"}},
		// Python.
		{[]string{"uvx", "mcp-server-git", "--repository", "."}, []string{"uvx", "pypi|mcp-server-git|unversioned|pkg:pypi/mcp-server-git"}},
		{[]string{"uvx", "Awslabs.Core_MCP@latest"}, []string{"uvx", "pypi|Awslabs.Core_MCP@latest|dist-tag|pkg:pypi/awslabs.core-mcp"}},
		{[]string{"uvx", "ruff@0.3"}, []string{"uvx", "pypi|ruff@0.3|exact|pkg:pypi/ruff@0.3"}},
		{[]string{"uvx", "--from", "semble[mcp]", "semble"}, []string{"uvx", "pypi|semble[mcp]|unversioned|pkg:pypi/semble"}},
		{[]string{"uvx", "--from=a[x]==1.2.3", "a"}, []string{"uvx", "pypi|a[x]==1.2.3|exact|pkg:pypi/a@1.2.3"}},
		{[]string{"uvx", "--from", "a==1.*", "a"}, []string{"uvx", "pypi|a==1.*|range|pkg:pypi/a"}},
		{[]string{"uvx", "--from", "a>=1,<2 ; python_version>'3'", "a"}, []string{"uvx", "pypi|a>=1,<2|range|pkg:pypi/a"}},
		{[]string{"uvx", "-p", "3.12", "--index-url", "https://pypi.example", "--isolated", "a"}, []string{"uvx", "pypi|a|unversioned|pkg:pypi/a"}},
		{[]string{"uvx", "--with", "b==1.0,c", "a"}, []string{"uvx", "pypi|a|unversioned|pkg:pypi/a", "pypi|b==1.0|exact|pkg:pypi/b@1.0", "pypi|c|unversioned|pkg:pypi/c"}},
		{[]string{"uvx", "--from", "git+https://github.com/o/r", "r"}, []string{"uvx", "git|git+https://github.com/o/r|git-unpinned|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr"}},
		{[]string{"uvx", "--from", "git+https://tok:x@github.com/o/r@" + commitA, "r"}, []string{"uvx", "git|git+https://github.com/o/r@" + commitA + "|git-commit|pkg:github/o/r@" + commitA}},
		{[]string{"uvx", "--from", "git+https://github.com/o/r@main#subdirectory=x", "r"}, []string{"uvx", "git|git+https://github.com/o/r@main|git-ref|pkg:generic/r?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr%40main"}},
		{[]string{"uvx", "--what", "a"}, []string{"uvx", "unknown||unknown", "  pypi|a|unversioned|pkg:pypi/a"}},
		{[]string{"uv", "tool", "run", "a"}, []string{"uv tool run", "pypi|a|unversioned|pkg:pypi/a"}},
		{[]string{"uv", "--directory", "/srv", "run", "server.py"}, []string{"uv run", "local|server.py|n/a"}},
		{[]string{"uv", "run", "--with", "mcp[cli]", "mcp", "run", "s.py"}, []string{"uv run", "local|mcp|n/a", "pypi|mcp[cli]|unversioned|pkg:pypi/mcp"}},
		{[]string{"pipx", "run", "--spec", "a==2.0", "b"}, []string{"pipx run", "pypi|a==2.0|exact|pkg:pypi/a@2.0"}},
		{[]string{"python3.12", "-u", "-m", "pkg.server", "--port", "1"}, []string{"python -m", "local|pkg.server|unknown"}},
		{[]string{"python", "server.py", "-m", "x"}, []string{"python", "local|server.py|n/a"}},
		{[]string{"python", "-c", "print(1)"}, []string{"python", "unknown||unknown"}},
		// Containers.
		{[]string{"docker", "run", "-i", "--rm", "mcp/fetch"}, []string{"docker run", "oci|mcp/fetch|tag|pkg:oci/fetch?repository_url=docker.io%2Fmcp%2Ffetch"}},
		{[]string{"docker", "run", "-itv", "/a:/b", "-e", "K", "-eX=1", "--network=host", "node:22", "npx", "-y", "foo"}, []string{"docker run", "oci|node:22|tag|pkg:oci/node?repository_url=docker.io%2Flibrary%2Fnode&tag=22", "  " + npmFoo}},
		{[]string{"podman", "container", "run", "ghcr.io/O/x:1@" + digestA}, []string{"podman run", "unknown||unknown"}},
		{[]string{"podman", "container", "run", "GHCR.io/o/x:1@" + digestA}, []string{"podman run", "oci|GHCR.io/o/x:1@" + digestA + "|digest|pkg:oci/x@" + digestA + "?repository_url=ghcr.io%2Fo%2Fx&tag=1"}},
		{[]string{"docker", "--context", "c", "run", "localhost:5000/x"}, []string{"docker run", "oci|localhost:5000/x|tag|pkg:oci/x?repository_url=localhost:5000%2Fx"}},
		{[]string{"docker", "run", "x:${TAG:-1}"}, []string{"docker run", "oci|x:${TAG}|unknown|pkg:oci/x?repository_url=docker.io%2Flibrary%2Fx"}},
		{[]string{"docker", "run", "--what", "x"}, []string{"docker run", "unknown||unknown"}},
		{[]string{"docker", "run", "--entrypoint", "npx", "node", "foo"}, []string{"docker run", "oci|node|tag|pkg:oci/node?repository_url=docker.io%2Flibrary%2Fnode", "  " + npmFoo}},
		{[]string{"docker", "exec", "-i", "name", "node", "x.js"}, []string{"docker exec", "container-exec|name|unknown"}},
		{[]string{"docker", "compose", "run", "svc"}, []string{"docker compose", "unknown||unknown"}},
		{[]string{"docker", "mcp", "gateway", "run"}, []string{"docker mcp", "unknown||unknown"}},
		// Files and programs.
		{[]string{"node", "--no-warnings", "-r", "x", "dist/index.js", "--token", "t"}, []string{"node", "local|dist/index.js|n/a"}},
		{[]string{"node", "-e", "code"}, []string{"node", "unknown||unknown"}},
		{[]string{"node", "--mystery", "a", "b.js"}, []string{"node", "unknown||unknown"}},
		{[]string{"tsx", "watch", "src/a.ts"}, []string{"tsx", "local|src/a.ts|n/a"}},
		{[]string{"./venv/bin/python", "-m", "x"}, []string{"python -m", "local|x|unknown"}},
		{[]string{"java", "-Xmx1g", "-jar", "a.jar", "x"}, []string{"java", "local|a.jar|n/a"}},
		{[]string{"php", "artisan", "boost:mcp"}, []string{"php", "local|artisan|n/a"}},
		{[]string{"dotnet", "tool", "exec", "x"}, []string{"dotnet tool exec", "nuget|x|unversioned|pkg:nuget/x"}},
		{[]string{"cargo", "run", "-q"}, []string{"cargo run", "local||n/a"}},
		{[]string{"my-server", "--x"}, []string{"path-binary", "binary|my-server|unknown"}},
		{[]string{`C:\MCP\run me.bat`}, []string{"path", `local|C:\MCP\run me.bat|n/a`}},
		{[]string{"/opt/My Tools/server"}, []string{"path", "local|/opt/My|n/a"}},
		{[]string{"${SERVER}"}, []string{"", "unknown||unknown"}},
		{[]string{"https://x.example/a"}, []string{"", "unknown||unknown"}},
		{[]string{"dnx", "X"}, []string{"dnx", "nuget|X|unversioned|pkg:nuget/X"}},
		// Wrappers.
		{[]string{"cmd", "/c", "npx", "-y", "foo"}, []string{"npx", npmFoo}},
		{[]string{"cmd.exe", "/d", "/s", "/c", "npx -y foo"}, []string{"npx", npmFoo}},
		{[]string{"cmd", "/C", "cd", "/d", "x", "&&", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"cmd", "/c", "npx", "foo&calc"}, []string{"cmd /c", "shell-script||unknown", "  " + npmFoo}},
		{[]string{"powershell", "-NoProfile", "-ExecutionPolicy", "Bypass", "-Command", "npx -y @s/n@1.0.0"}, []string{"npx", "npm|@s/n@1.0.0|exact|pkg:npm/%40s/n@1.0.0"}},
		{[]string{"pwsh", "-c", "$env:A='b'; & npx foo"}, []string{"npx", npmFoo}},
		{[]string{"pwsh", "-c", "npx foo | x"}, []string{"pwsh -Command", "shell-script||unknown", "  " + npmFoo}},
		{[]string{"powershell", "-EncodedCommand", "x"}, []string{"powershell -EncodedCommand", "shell-script||unknown"}},
		{[]string{"pwsh", "-File", "a.ps1"}, []string{"pwsh", "local|a.ps1|n/a"}},
		{[]string{"bash", "-c", "npx -y foo@1.0.0"}, []string{"npx", "npm|foo@1.0.0|exact|pkg:npm/foo@1.0.0"}},
		{[]string{"sh", "-lc", "cd /x && export A=b; . ~/.env && C=d exec npx 'foo' 2>/dev/null"}, []string{"npx", npmFoo}},
		{[]string{"zsh", "-l", "-c", `"npx" f\oo`}, []string{"npx", npmFoo}},
		{[]string{"bash", "-c", "npx foo; npx bar"}, []string{"bash -c", "shell-script||unknown", "  " + npmFoo, "  npm|bar|unversioned|pkg:npm/bar"}},
		{[]string{"bash", "-c", "npx foo | tee x"}, []string{"bash -c", "shell-script||unknown", "  " + npmFoo}},
		{[]string{"bash", "-c", "npx foo &"}, []string{"bash -c", "shell-script||unknown", "  " + npmFoo}},
		{[]string{"bash", "-c", "npx $(cat name)"}, []string{"bash -c", "shell-script||unknown", "  unknown||unknown"}},
		{[]string{"bash", "-c", "if true; then npx foo; fi"}, []string{"bash -c", "shell-script||unknown", "  " + npmFoo}},
		{[]string{"bash", "-c", "npx foo ("}, []string{"bash -c", "shell-script||unknown", "  " + npmFoo}},
		{[]string{"bash", "-c", "$RUN foo"}, []string{"", "unknown||unknown"}},
		{[]string{"bash", "run.sh"}, []string{"bash", "local|run.sh|n/a"}},
		{[]string{"env", "-i", "-u", "X", "A=b", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"env", "-S", "A=b npx foo"}, []string{"npx", npmFoo}},
		{[]string{"sudo", "-E", "-u", "me", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"nice", "-n", "10", "timeout", "-k", "5", "30s", "nohup", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"stdbuf", "-oL", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"doppler", "run", "-p", "x", "--", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"op", "run", "npx", "foo"}, []string{"op", "unknown||unknown", "  " + npmFoo}},
		{[]string{"sh", "-c", "env A=$B npx foo"}, []string{"env", "unknown||unknown", "  " + npmFoo}},
		{[]string{"direnv", "exec", ".", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"mise", "x", "node@20", "--", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"wsl.exe", "-d", "Ubuntu", "--", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"wsl", "-e", "npx", "foo"}, []string{"npx", npmFoo}},
		{[]string{"nix", "develop", ".", "-c", "npx", "foo"}, []string{"npx", "unknown||unknown", "  " + npmFoo}},
		{[]string{"env", "env", "env", "env", "env", "env", "npx", "foo"}, []string{"", "unknown||unknown"}},
		// A whole command line as the command.
		{[]string{"npx -y foo --x"}, []string{"npx", npmFoo}},
		{[]string{"npx -y", "foo"}, []string{"npx", npmFoo}},
		{[]string{"A=b npx foo"}, []string{"npx", npmFoo}},
		{[]string{"npx foo && rm x"}, []string{"command", "shell-script||unknown", "  " + npmFoo}},
		{[]string{`C:\Program Files\nodejs\node.exe server.js --x`}, []string{"node", "local|server.js|n/a"}},
		{[]string{`C:\Program Files\nodejs\node.exe`, "server.js"}, []string{"node", "local|server.js|n/a"}},
		{[]string{"/opt/server --token abc"}, []string{"path", "local|/opt/server|n/a"}},
		// Proxies.
		{[]string{"npx", "mcp-remote", "https://u:p@a.example/mcp?k=v", "3334", "--header", "A: b"}, []string{"npx", "npm|mcp-remote|unversioned|pkg:npm/mcp-remote", "  remote|https://a.example/mcp|n/a|service:https://a.example/mcp"}},
		{[]string{"npx", "mcp-remote", "--header", "X: y", "${URL}"}, []string{"npx", "npm|mcp-remote|unversioned|pkg:npm/mcp-remote", "  remote|${URL}|n/a|service:${URL}"}},
		{[]string{"npx", "mcp-remote", "--new-flag", "https://a.example"}, []string{"npx", "npm|mcp-remote|unversioned|pkg:npm/mcp-remote", "  remote|https://a.example|n/a|service:https://a.example"}},
		{[]string{"npx", "supergateway", "--cors", "--stdio", "npx foo"}, []string{"npx", "npm|supergateway|unversioned|pkg:npm/supergateway", "  " + npmFoo}},
		{[]string{"npx", "-y", "supergateway", "--port", "8000", "--stdio", "npx -y foo"}, []string{"npx", "npm|supergateway|unversioned|pkg:npm/supergateway", "  " + npmFoo}},
		{[]string{"npx", "supergateway", "--sse", "http://a.example"}, []string{"npx", "npm|supergateway|unversioned|pkg:npm/supergateway", "  remote|http://a.example|n/a|service:http://a.example"}},
		{[]string{"uvx", "mcp-proxy", "--transport", "streamablehttp", "https://a.example"}, []string{"uvx", "pypi|mcp-proxy|unversioned|pkg:pypi/mcp-proxy", "  remote|https://a.example|n/a|service:https://a.example"}},
		{[]string{"mcp-proxy", "-H", "Authorization", "Bearer ${T}", "--port=1", "--", "uvx", "a"}, []string{"path-binary", "binary|mcp-proxy|unknown", "  pypi|a|unversioned|pkg:pypi/a"}},
		{[]string{"uvx", "mcpo", "--port", "8000", "--", "npx", "foo"}, []string{"uvx", "pypi|mcpo|unversioned|pkg:pypi/mcpo", "  " + npmFoo}},
		{[]string{"npx", "@modelcontextprotocol/inspector", "uvx", "mcp-server-git"}, []string{"npx", "npm|@modelcontextprotocol/inspector|unversioned|pkg:npm/%40modelcontextprotocol/inspector", "  pypi|mcp-server-git|unversioned|pkg:pypi/mcp-server-git"}},
		{[]string{"npx", "@smithery/cli@latest", "run", "@a/b", "--key", "k"}, []string{"npx", "npm|@smithery/cli@latest|dist-tag|pkg:npm/%40smithery/cli", "  unknown|@a/b|unknown"}},
		{[]string{"npx", "cross-env", "A=b", "npx", "foo"}, []string{"npx", "npm|cross-env|unversioned|pkg:npm/cross-env", "  " + npmFoo}},
		{[]string{"mcp-context-protector", "--command", "npx", "--command-args", "-y", "foo"}, []string{"path-binary", "binary|mcp-context-protector|unknown", "  " + npmFoo}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.argv, " "), func(t *testing.T) {
			s := &scan{}
			words := argv(tt.argv...)
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

func TestScriptNamesItsLaunchers(t *testing.T) {
	s := &scan{}
	got := s.command(argv("bash", "-c", "sleep 1; uvx a; npx b"), 0)
	if want := moreThanOne + "; launchers in it: npx, uvx"; got[0].reason != want {
		t.Errorf("reason %q, want %q", got[0].reason, want)
	}
}

func TestRequest(t *testing.T) {
	for spec, want := range map[string]string{"a": "", "a@latest": "latest", "a@^1.2.0": "^1.2.0", "a@v1.2.3": "1.2.3"} {
		if got := npmRegistry(word{text: spec}, spec).launch.Request; got != want {
			t.Errorf("%s: request %q, want %q", spec, got, want)
		}
	}
	for spec, want := range map[string]string{"a": "", "a@latest": "latest", "a == 1.0": "1.0", "a>=1,<2": ">=1,<2"} {
		if got := pypi(word{text: spec}).launch.Request; got != want {
			t.Errorf("%s: request %q, want %q", spec, got, want)
		}
	}
	for spec, want := range map[string]string{"a": "", "a:1": "1", "a:1@" + digestA: digestA} {
		if got := image(word{text: spec}).launch.Request; got != want {
			t.Errorf("%s: request %q, want %q", spec, got, want)
		}
	}
}

// FuzzCommand holds that every command line gets an answer, the same each time,
// and that arguments which are no specs never show.
func FuzzCommand(f *testing.F) {
	f.Add("npx\x00-y\x00foo@1\x00--token\x00x")
	f.Add("bash\x00-lc\x00cd x && A=b npx foo")
	f.Add("docker\x00run\x00-e\x00A=b\x00node:22\x00npx\x00mcp-remote\x00https://a.example")
	f.Add("cmd\x00/c\x00npx\x00-p\x00a\x00-c\x00b")
	f.Add("powershell\x00-c\x00$env:A='b'; npx foo")
	f.Add("uvx\x00--from\x00git+https://a:b@github.com/o/r@main\x00x")
	f.Add("npx supergateway --stdio \"npx -y foo\"")
	f.Add("npx\x00mcp-remote\x00https://user:hunter2@a.example")
	f.Add("docker\x00run\x00https://user:hunter2@a.example")
	for _, line := range everyLaunch {
		f.Add(strings.ReplaceAll(line, " | ", "\x00"))
	}
	f.Add("docker\x00run\x00-itv=/:/x\x00--mount\x00type=bind,\"src=/\"\x00x")
	f.Add("dnx\x00--version:1.0\x00A.B\x00--\x00x")
	f.Add("go\x00run\x00--C\x00d\x00github.com/o/r/v2/x@v2.0.0")
	f.Add("python\x00-mpipx\x00run\x00a")
	f.Add("uvx\x00--from\x00https://user:hunter2@a.example\x00x")
	f.Fuzz(func(t *testing.T, line string) {
		words := argv(strings.Split(line, "\x00")...)
		if len(words) > 64 {
			return
		}
		run := func() string {
			s := &scan{}
			s.words(words)
			got := s.settle(s.command(words, 0))
			if len(got) == 0 || len(got) > maxSubjects {
				t.Fatalf("%d subjects", len(got))
			}
			return fmt.Sprintf("%v %v %v", shown(got), s.env, s.risks)
		}
		first := run()
		if again := run(); again != first {
			t.Errorf("differs:\n%s\n%s", first, again)
		}
		for _, w := range words {
			if w.text == "https://user:hunter2@a.example" && strings.Contains(first, "hunter2") {
				t.Errorf("a password shows: %s", first)
			}
		}
	})
}
