package mcp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

// serverOf returns the one server of a configuration in a tree of other files.
func serverOf(t *testing.T, entry map[string]any, files map[string]string) (*sbom.Server, *sbom.Inventory) {
	t.Helper()
	data, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"a": entry}})
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]string{".mcp.json": string(data)}
	maps.Copy(tree, files)
	inv := read(t, tree)
	return inv.Component("mcp:.mcp.json#a").Server, inv
}

func launch(command string, args ...string) map[string]any {
	return map[string]any{"command": command, "args": args}
}

func with(entry map[string]any, key string, value any) map[string]any {
	entry[key] = value
	return entry
}

func altered(s *sbom.Server) bool {
	return slices.ContainsFunc(s.Risks, func(r sbom.Risk) bool { return r.Code == sbom.RiskAltered })
}

// TestDisguise holds launches that name a package and run something else, or of
// which nobody can tell. None may count as a launch of that package, and the
// package stays named where the launch names it plainly.
func TestDisguise(t *testing.T) {
	const spec = "sigstore@1.3.0"
	env := func(name, value string) map[string]any {
		return with(launch("npx", "-y", spec), "env", map[string]string{name: value})
	}
	sh := func(script string) map[string]any { return launch("bash", "-c", script) }
	tests := []struct {
		entry   map[string]any
		reason  string // a part of it
		altered bool
	}{
		// What npm makes of options that are not exactly its own.
		{launch("npx", "--yes=evil-zz", spec), "option in argument 1", false},
		{launch("npx", "-y=false", spec), "option in argument 1", false},
		{launch("npx", "-y", "--zz", "evil-zz", spec), "option in argument 2", false},
		{launch("npx", "--link", "true", spec), "option in argument 1", false},
		{launch("npx", "--browser", spec, "--package=evil-zz"), "option in argument 1", false},
		{launch("npx", "-package=evil-zz", spec), "option in argument 1", false},
		{launch("npx", "---package=evil-zz", spec), "option in argument 1", false},
		{launch("npx", "--no-no-package=evil-zz", spec), "option in argument 1", false},
		{launch("npx", "-yp=evil-zz", spec), "option in argument 1", false},
		{launch("npx", "--cal=evil-zz", spec), "option in argument 1", false},
		{launch("npx", "---call=evil", "-y", spec), "option in argument 1", false},
		{launch("npx", "--loglevel", "--package=evil-zz", spec), "option in argument 1", false},
		{launch("npx", "-n", "x", spec), "option in argument 1", false},
		{launch("npm", "exec", "--yes=evil-zz", spec), "option in argument 2", false},
		{launch("npm", "exec", spec, "--pack=evil-zz"), "option in argument 3", false},
		{launch("pnpm", "--silent=evil-zz", "dlx", spec), "option in argument 1", false},
		{launch("bunx", "--bun=evil-zz", spec), "option in argument 1", false},
		{launch("npx", "-y", "--allow-scripts", "evil-zz", spec), "option in argument 2", false},
		{launch("npx", "--name", "evil-zz", spec), "option in argument 1", false},
		{launch("npx", "--packages-all", spec, "-p", "evil-zz"), "option in argument 1", false},
		// Options that replace what runs.
		{launch("npx", "--script-shell", "./evil.sh", spec), "--script-shell", true},
		{launch("npx", "--shell=./evil.sh", spec), "--script-shell", true},
		{launch("npx", "--node-options", "--require ./evil.js", spec), "option in argument 1", true},
		{launch("npx", "--node-options=max", spec), "--node-options", true},
		{launch("npx", "--node-options=--no-warnings --import ./evil.mjs", spec), "--node-options", true},
		{launch("npx", "--node-options=--no-warnings=${X}", spec), "--node-options", true},
		{launch("npx", "--prefix", "./evil", spec), "--prefix", true},
		{launch("npx", "-C", "evil", spec), "--prefix", true},
		{launch("npx", "--userconfig", "./evil.npmrc", spec), "--userconfig", true},
		{launch("npx", "--git=./evil", spec), "--git", true},
		{launch("npx", "--cache", "./evil", spec), "--cache", true},
		{launch("npx", "-w", "evil", spec), "--workspace", true},
		{launch("npm", "--prefix", "evil", "exec", spec), "--prefix", true},
		{launch("npx", "-p", spec, "-c", "./evil.sh"), "", false},
		{launch("npx", "-p", spec, "node", "evil.js"), "", false},
		{launch("npx", "-p", spec, "./evil"), "", false},
		// Variables that do.
		{env("npm_config_package", "evil-zz"), "NPM_CONFIG_PACKAGE", true},
		{env("NPM_CONFIG_CALL", "evil"), "NPM_CONFIG_CALL", true},
		{env("npm_config_script_shell", "./evil.sh"), "NPM_CONFIG_SCRIPT_SHELL", true},
		{env("NODE_OPTIONS", "--import ./evil.mjs"), "NODE_OPTIONS", true},
		{env("NODE_OPTIONS", "--experimental_loader=./evil.mjs"), "NODE_OPTIONS", true},
		{env("NODE_OPTIONS", `--re""quire ./evil.js`), "NODE_OPTIONS", true},
		{env("NODE_OPTIONS", `--"require" ./evil.js`), "NODE_OPTIONS", true},
		{env("NODE_OPTIONS", `"\--require" ./evil.js`), "NODE_OPTIONS", true},
		{env("NODE_OPTIONS", `"--title=a b --require ./evil.js`), "NODE_OPTIONS", true},
		{env("NODE_OPTIONS", "${X:---require=./evil.js}"), "NODE_OPTIONS", true},
		{env("NODE_EXTRA_CA_CERTS", "./evil.pem"), "NODE_EXTRA_CA_CERTS", true},
		{env("NODE_EXTRA_CA_CERTS", "/./proc/self/cwd/evil.pem"), "NODE_EXTRA_CA_CERTS", true},
		{env("PATH", "./evil:/usr/bin"), "PATH", true},
		{env("PATH", "/usr/bin:"), "PATH", true},
		{env("PATH", "${workspaceFolder}/evil:${PATH}"), "PATH", true},
		{env("Path", `C:\Windows;evil`), "PATH", true},
		{env("PATH", "/usr/../repo/evil"), "PATH", true},
		{env("PATH", "/proc/self/cwd/evil"), "PATH", true},
		{env("HOME", "./evil"), "HOME", true},
		{env("LD_PRELOAD", "./evil.so"), "LD_PRELOAD", true},
		{env("BASH_FUNC_npx%%", "() { evil; }"), "function", true},
		{launch("env", "PATH=./evil:/bin", "npx", spec), "PATH", true},
		{launch("env", "-C", "sub", "PATH=evil", "npx", spec), "PATH", true},
		{sh("PATH=./evil:$PATH npx -y " + spec), "PATH", true},
		{sh("export $X; npx -y " + spec), "unknown name", true},
		{sh(`export "$X"; npx -y ` + spec), "unknown name", true},
		{sh(`export "PATH+=:./evil"; npx -y ` + spec), "unknown name", true},
		{sh(`export "PATH=./evil:$PATH"; npx -y ` + spec), "PATH", true},
		{sh("export 'NODE_OPTIONS=--require ./evil.js'; npx -y " + spec), "NODE_OPTIONS", true},
		{sh(`export "npm_config_package=evil"; npx -y ` + spec), "NPM_CONFIG_PACKAGE", true},
		{sh(`PATH=$'/usr/x\x3a./evil:/usr/bin' npx -y ` + spec), "escapes", true},
		// Folders that only the shell knows, or the kernel.
		{sh("cd ${X:-sub} && npx -y " + spec), "folder", true},
		{sh("cd /${X:-proc/self/cwd} && npx -y " + spec), "folder", true},
		{sh("cd ~+/sub && npx -y " + spec), "folder", true},
		{sh(`cd "${PWD%/}/sub" && npx -y ` + spec), "folder", true},
		{sh("cd sub && cd $PWD/sub && npx -y " + spec), "folder", true},
		{sh("PWD=evil; cd $PWD/sub && npx -y " + spec), "PWD", true},
		{sh("cd $HOME/su? && npx -y " + spec), "folder", true},
		{sh("cd su? && npx -y " + spec), "folder", true},
		{sh("cd - && npx -y " + spec), "folder", true},
		{sh("CDPATH=evil; cd sub && npx -y " + spec), "CDPATH", true},
		{sh("cd sub -- && npx -y " + spec), "more than one argument", false},
		{with(launch("npx", "-y", spec), "cwd", "/proc/self/cwd/sub"), "folder", true},
		{with(launch("npx", "-y", spec), "cwd", "/x/../proc/self/cwd/sub"), "folder", true},
		{launch("env", "-C", "${X}", "npx", "-y", spec), "folder", true},
		{sh(". ./evil && npx -y " + spec), "file of commands", true},
		// Words that a shell makes something else of.
		{sh("npx -y --{yes,package=evil-zz} " + spec), "a shell makes", true},
		{sh("X=package; npx -y --$X=evil-zz " + spec), "a shell makes", true},
		{sh("npx -y $X " + spec), "a shell makes", true},
		{sh(`npx -y "$@" ` + spec), "a shell makes", true},
		{sh("npx -y --loglevel * " + spec), "option in argument 2", false},
		{sh("npx -y $'--pack\\x61ge=evil-zz' " + spec), "escapes", false},
		{sh("timeout $X npx -y " + spec), "a shell makes", false},
		{sh("env A=$X npx -y " + spec), "a shell makes", false},
		{launch("npx", "--${X:-package}=evil-zz", spec), "option in argument 1", true},
		{launch("npx", "--loglevel", "${X:---package=evil-zz}", spec), "option in argument 1", false},
		{launch("env", "-S", `npx\_-y `+spec), "escapes", false},
		{launch("bash", "--rcfile", "./evil.sh", "-ic", "npx -y "+spec), "runs first", true},
		{launch("nix", "shell", "github:evil/flake", "-c", "npx", spec), "flake", true},
		{launch("nix", "develop", "-c", "npx", spec), "flake", true},
		// cmd.exe and PowerShell.
		{launch("cmd", "/c", "npx", "-y", "--pack^age=evil-zz", spec), "cmd.exe", false},
		{launch("cmd", "/c", "npx", "-y", spec, `a" & calc & "`), "cmd.exe", false},
		{launch("cmd", "/c", "npx", "-y", spec, "%X%"), "cmd.exe", false},
		{launch("cmd", "/c", "npx", "-y", spec, "your&calc"), "cmd.exe", false},
		{launch("cmd", "/c", "set", "PATH=evil", "&&", "npx", spec), "PATH", true},
		{launch("pwsh", "-c", "npx --loglevel warn,--package=evil-zz "+spec), "PowerShell", false},
		{launch("pwsh", "-c", "npx "+spec+"\ncalc"), "PowerShell", false},
		// Python.
		{launch("uvx", "--with-requirements", "./evil.txt", "good==1.0"), "--with-requirements", true},
		{launch("uvx", "--python", "./evil", "good==1.0"), "--python", true},
		{launch("uvx", "--with", "./evil", "good==1.0"), "--with", true},
		{with(launch("uvx", "good==1.0"), "env", map[string]string{"PYTHONPATH": "evil"}), "PYTHONPATH", true},
		{launch("pipx", "run", "--pip-args", "x", "good==1.0"), "--pip-args", true},
		{sh("uvx $X good==1.0"), "a shell makes", true},
		{launch("deno", "run", "--import-map=evil.json", "npm:"+spec), "--import-map", true},
	}
	for _, tt := range tests {
		line, err := json.Marshal(tt.entry)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(string(line), func(t *testing.T) {
			s, _ := serverOf(t, tt.entry, nil)
			if fetches(s.Kind) {
				t.Fatalf("it counts as %s %s", s.Kind, s.Spec)
			}
			if !strings.Contains(s.Reason, tt.reason) {
				t.Errorf("reason %q, want %q in it", s.Reason, tt.reason)
			}
			if strings.Contains(s.Reason, "evil") {
				t.Errorf("the reason quotes a value: %q", s.Reason)
			}
			if altered(s) != tt.altered {
				t.Errorf("risks %+v, want altered %v", s.Risks, tt.altered)
			}
			for _, l := range s.Launches[1:] {
				if !l.Nested {
					t.Errorf("%s is not nested", l.Spec)
				}
			}
		})
	}
}

// TestDisguiseStaysNamed: a known-bad package is not hidden by an odd option.
func TestDisguiseStaysNamed(t *testing.T) {
	for _, entry := range []map[string]any{
		launch("npx", "--zz", "postmark-mcp@1.0.16"),
		launch("npx", "--yes=postmark-mcp@1.0.16", "x"),
		launch("npx", "--prefix", "d", "postmark-mcp@1.0.16"),
		launch("npx", "-p", "postmark-mcp@1.0.16", "./evil"),
		launch("bash", "-c", "npx $X postmark-mcp@1.0.16"),
	} {
		if _, inv := serverOf(t, entry, nil); inv.Component("pkg:npm/postmark-mcp@1.0.16") == nil {
			t.Errorf("%v hides the package", entry)
		}
	}
}

// TestPlainLaunch holds everyday launches, which stay what they name.
func TestPlainLaunch(t *testing.T) {
	env := func(name, value string) map[string]any {
		return with(launch("npx", "-y", "foo@1.0.0"), "env", map[string]string{name: value})
	}
	for _, entry := range []map[string]any{
		launch("npx", "-y", "foo@1.0.0", "--zz", "-p", "$X", "%Y%"),
		launch("npx", "--yes=true", "-q", "--silent", "--no", "--no-color", "--loglevel=error", "foo@1.0.0"),
		launch("npx", "--no-install", "foo@1.0.0"),
		launch("npx", "--cache", "/var/cache/npm", "foo@1.0.0"),
		launch("npx", "-p", "@s/foo@1.0.0", "foo", "x"),
		launch("npm", "exec", "-y", "--", "foo@1.0.0", "--zz"),
		launch("/home/me/.nvm/versions/node/v22.1.0/bin/npx", "foo@1.0.0"),
		launch("/opt/homebrew/bin/npx", "foo@1.0.0"),
		launch("/opt/node22/bin/npx", "foo@1.0.0"),
		launch("/opt/hostedtoolcache/node/22.1.0/x64/bin/npx", "foo@1.0.0"),
		launch(`C:\Users\me\AppData\Roaming\npm\npx.cmd`, "foo@1.0.0"),
		launch("bash", "-lc", `source ~/.nvm/nvm.sh && npx -y foo@1.0.0 "$X" $Y *`),
		launch("bash", "-c", `A=b npx -y 'foo@1.0.0'`),
		launch("cmd", "/c", "npx", "-y", "foo@1.0.0", "--key=<YOUR_KEY>", "C:/a b"),
		launch("nix", "shell", "nixpkgs#nodejs", "-c", "npx", "foo@1.0.0"),
		launch("uvx", "-p", "3.12", "foo==1.0.0"),
		launch("uvx", "--python", "cpython-3.12", "foo==1.0.0"),
		env("PATH", "/opt/homebrew/bin:/usr/bin:${PATH}"),
		env("PATH", "/Users/me/.nvm/versions/node/v22/bin:$PATH"),
		env("PATH", `C:/Users/me/AppData/Local/Programs/Python/Python312/Scripts;%PATH%`),
		env("HOME", "/Users/me"),
		env("NODE_OPTIONS", "--max-old-space-size=4096"),
		env("NPM_CONFIG_NODE_OPTIONS", "--max-old-space-size=4096"),
		launch("npx", "--node-options=--experimental-vm-modules --no-warnings", "foo@1.0.0"),
		env("NODE_OPTIONS", `${NODE_OPTIONS} --no-warnings "--title=my server"`),
		env("NODE_EXTRA_CA_CERTS", "/etc/ssl/certs/corporate.pem"),
		launch("npx", "-y", "--min-release-age=7", "foo@1.0.0"),
		launch("bash", "-c", `export "A=b" C; cd -- ~/x && npx -y foo@1.0.0`),
		launch("bash", "-c", `cd "$HOME/x" && npx -y foo@1.0.0`),
		launch("bash", "-c", `cd $HOME/x && npx -y foo@1.0.0`),
		launch("bash", "-c", `cd ${PWD}/sub && npx -y foo@1.0.0`),
		env("CLAUDE_PROJECT_DIR", "${workspaceFolder}"),
		with(launch("npx", "-y", "foo@1.0.0"), "cwd", "${userHome}/x"),
		env("npm_config_yes", "true"),
		env("NPM_CONFIG_CACHE", "/var/cache/npm"),
		env("NODE_ENV", "production"),
		with(launch("npx", "-y", "foo@1.0.0"), "cwd", "${workspaceFolder}"),
		with(launch("npx", "-y", "foo@1.0.0"), "cwd", "/srv/elsewhere"),
		with(launch("npx", "-y", "foo@1.0.0"), "cwd", "sub"),
	} {
		t.Run(fmt.Sprint(entry), func(t *testing.T) {
			s, _ := serverOf(t, entry, map[string]string{"sub/x": "", "package.json": `{"name": "mine", "bin": {"bar": "x.js"}}`})
			if !fetches(s.Kind) || s.Pin != sbom.PinExact || altered(s) {
				t.Errorf("%s %s %s: %s, %+v", s.Kind, s.Spec, s.Pin, s.Reason, s.Risks)
			}
		})
	}
}

// TestLocalStaysLocal: the project's own files may load each other.
func TestLocalStaysLocal(t *testing.T) {
	for _, entry := range []map[string]any{
		launch("node", "-r", "dotenv/config", "server.js"),
		with(launch("node", "server.js"), "env", map[string]string{"NODE_OPTIONS": "--import ./otel.mjs", "PATH": "./bin"}),
		with(launch("python", "-m", "server"), "env", map[string]string{"PYTHONPATH": "src"}),
		launch("npm", "--prefix", "server", "run", "start"),
		launch("uv", "--directory", "/srv", "run", "--python", ".venv/bin/python", "server.py"),
		launch("bash", "-c", "source .venv/bin/activate && python server.py"),
	} {
		if s, _ := serverOf(t, entry, nil); s.Kind != sbom.KindLocal || altered(s) {
			t.Errorf("%v: %s, %s, %+v", entry, s.Kind, s.Reason, s.Risks)
		}
	}
}

// TestUnknownFile: a file that is called like a launcher is none.
func TestUnknownFile(t *testing.T) {
	for _, command := range []string{
		`\\evil\share\npx.cmd`, "//evil/share/npx", "/var/spool/npx", "/proc/self/cwd/npx", "/repo/../evil/npx",
		"/usr/../repo/npx", "/workspaces/repo/npx", "/home/runner/work/repo/repo/npx", `C:\a\repo\npx.cmd`,
		`C:\My Files\repo\npx.cmd`, "${workspaceFolder}/npx", "./npx", "~/repo/npx",
		"/usr/src/app/npx", "/usr/local/src/app/npx", "/home/user/go/src/repo/npx", "/home/user/node/npx", "/home/user/.cursor/worktrees/repo/npx",
		"/opt/buildagent/work/repo/npx", "/opt/npx",
	} {
		if s, _ := serverOf(t, launch(command, "-y", "foo@1.0.0"), nil); s.Kind != sbom.KindLocal {
			t.Errorf("%s: %s %s", command, s.Kind, s.Spec)
		}
	}
	s, _ := serverOf(t, launch("npx", "foo@1.0.0"), map[string]string{"npx.cmd": "evil"})
	if s.Kind != sbom.KindLocal || s.Spec != "npx.cmd" {
		t.Errorf("beside npx.cmd: %s %s", s.Kind, s.Spec)
	}
}

// TestOwnPackage: npx prefers what the project has under the name.
func TestOwnPackage(t *testing.T) {
	const copied = `{"name": "sigstore", "version": "1.3.0"}`
	npx := func(spec string) map[string]any { return launch("npx", "-y", spec) }
	tests := []struct {
		name    string
		entry   map[string]any
		files   map[string]string
		want    string // kind, spec and pin of the outermost
		altered bool
	}{
		{"bin with a version", npx("sigstore@1.3.0"), map[string]string{"package.json": `{"bin": {"sigstore@1.3.0": "evil.js"}}`}, "unknown||unknown", true},
		{"program with a version", npx("sigstore@1.3.0"), map[string]string{"node_modules/.bin/sigstore@1.3.0": "evil"}, "unknown||unknown", true},
		{"bin folder", npx("sigstore@1.3.0"), map[string]string{"package.json": `{"directories": {"bin": "b"}}`, "b/sigstore@1.3.0": "x"}, "unknown||unknown", true},
		{"own program", npx("mine"), map[string]string{"package.json": `{"name": "@me/mine", "bin": "x.js"}`}, "local|mine|n/a", false},
		{"own package", npx("mine@1.0.0"), map[string]string{"package.json": `{"name": "mine", "version": "1.0.0"}`}, "local|mine@1.0.0|n/a", false},
		{"own package from the registry", npx("mine@latest"), map[string]string{"package.json": `{"name": "mine", "version": "1.0.0", "bin": "x.js"}`}, "npm|mine@latest|dist-tag", false},
		{"installed", npx("sigstore@1.3.0"), map[string]string{"node_modules/sigstore/package.json": copied}, "npm|node_modules/sigstore|installed", false},
		{"installed without a manifest", npx("sigstore@1.3.0"), map[string]string{"node_modules/sigstore/x.js": ""}, "local|node_modules/sigstore|installed", false},
		{"installed, --package", launch("npx", "-p", "sigstore@1.3.0", "sigstore"), map[string]string{"node_modules/sigstore/package.json": copied}, "npm|node_modules/sigstore|installed", false},
		{"installed, npm exec", launch("npm", "exec", "sigstore@1.3.0"), map[string]string{"node_modules/sigstore/package.json": copied}, "npm|node_modules/sigstore|installed", false},
		{"another program, --package", launch("npx", "-p", "sigstore@1.3.0", "evil"), map[string]string{"node_modules/.bin/evil": ""}, "local|evil|n/a", false},
		{"another program, --call", launch("npx", "-p", "sigstore@1.3.0", "-c", "evil x"), map[string]string{"node_modules/.bin/evil": ""}, "local|evil|n/a", false},
		{"pnpm dlx looks nowhere", launch("pnpm", "dlx", "sigstore@1.3.0"), map[string]string{"node_modules/sigstore/package.json": copied}, "npm|sigstore@1.3.0|exact", false},
		{"cwd", with(npx("sigstore@1.3.0"), "cwd", "./sub"), map[string]string{"sub/node_modules/sigstore/package.json": copied}, "npm|sub/node_modules/sigstore|installed", false},
		{"cwd by variable", with(npx("sigstore@1.3.0"), "cwd", "${workspaceFolder}/sub"), map[string]string{"sub/node_modules/sigstore/package.json": copied}, "npm|sub/node_modules/sigstore|installed", false},
		{"above cwd", with(npx("sigstore@1.3.0"), "cwd", "sub"), map[string]string{"node_modules/sigstore/package.json": copied}, "npm|node_modules/sigstore|installed", false},
		{"elsewhere", npx("sigstore@1.3.0"), map[string]string{"sub/node_modules/sigstore/package.json": copied}, "npm|sigstore@1.3.0|exact", false},
		{"cd", launch("bash", "-c", "cd sub && npx sigstore@1.3.0"), map[string]string{"sub/node_modules/sigstore/package.json": copied}, "npm|sub/node_modules/sigstore|installed", false},
		{"cmd cd", launch("cmd", "/c", "cd", "sub", "&&", "npx", "sigstore@1.3.0"), map[string]string{"sub/node_modules/sigstore/package.json": copied}, "npm|sub/node_modules/sigstore|installed", false},
		{"env -C", launch("env", "-C", "sub", "npx", "sigstore@1.3.0"), map[string]string{"sub/node_modules/sigstore/package.json": copied}, "npm|sub/node_modules/sigstore|installed", false},
		{"cwd with settings", with(npx("sigstore@1.3.0"), "cwd", "sub"), map[string]string{"sub/.npmrc": "package=evil"}, "unknown||unknown", false},
		{"envFile", with(npx("sigstore@1.3.0"), "envFile", "${workspaceFolder}/.env"), map[string]string{".env": "export npm_config_package='evil'\n"}, "unknown||unknown", true},
		{"dotenv", launch("dotenv", "--", "npx", "sigstore@1.3.0"), map[string]string{".env": "npm_config_package=evil\n"}, "unknown||unknown", true},
		{"dotenv, colon", launch("dotenv", "--", "npx", "sigstore@1.3.0"), map[string]string{".env": "npm_config_package: evil\n"}, "unknown||unknown", true},
		{"envFile without harm", with(npx("sigstore@1.3.0"), "envFile", ".env"), map[string]string{".env": "TOKEN=x\n"}, "npm|sigstore@1.3.0|exact", false},
		{"node", launch("node", "node_modules/sigstore/x.js"), map[string]string{"node_modules/sigstore/package.json": copied}, "npm|node_modules/sigstore/x.js|installed", false},
		{"node, turning back", launch("node", "node_modules/sigstore/../../evil.js"), map[string]string{"node_modules/sigstore/package.json": copied}, "local|node_modules/sigstore/../../evil.js|n/a", false},
		{"node -r", launch("node", "-r", "./evil.js", "node_modules/sigstore/x.js"), map[string]string{"node_modules/sigstore/package.json": copied}, "unknown||unknown", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, inv := serverOf(t, tt.entry, tt.files)
			if got := fmt.Sprintf("%s|%s|%s", s.Kind, s.Spec, s.Pin); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if altered(s) != tt.altered {
				t.Errorf("risks %+v, want altered %v", s.Risks, tt.altered)
			}
			if s.Pin != sbom.PinInstalled || s.Kind != sbom.KindNPM {
				return
			}
			// The copy is a component of its own, which no attestation of the
			// registry's package can prove, nor contradict.
			c := inv.Component(s.Launches[0].Ref)
			if c.Name != "sigstore" || c.Version != "1.3.0" || c.Source != sbom.FromFile || strings.HasPrefix(c.PURL, "pkg:npm/") || c.Conflict != "" {
				t.Errorf("component %+v", c)
			}
		})
	}
}

// TestEnvLines: the readers of files of variables differ, and what one of them
// takes for a variable counts.
func TestEnvLines(t *testing.T) {
	tests := []struct{ data, want string }{
		{"K=v", "K=v"},
		{" export K = v \n", "K=v"},
		{"K: v", "K=v"},
		{"K:v", ""},
		{"export\tK=v", "K=v"},
		{"\ufeffK=v", "K=v"},
		{"A=b\rK=v", "A=b K=v"},
		{"A=b\u2028K\u00a0=\u00a0v", "A=b K=v"},
		{"'K'=v", "K=v"},
		{"A=\nK=v", "A= K=v"},
		{"K\n=v", "K=v"},
		{"K=\n'v'", "K=v"},
		{"K='v' # c", "K=v"},
		{`K="a\"b"`, `K=a\"b`},
		{"K=\"\nA=b\"", `K=" A=b"`},
		{"# K=v", ""},
		{"npm_config_@s:registry=v", "npm_config_@s:registry=v"},
		{"", ""},
	}
	for _, tt := range tests {
		var got []string
		for key, value := range envLines(tt.data) {
			got = append(got, key+"="+value)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.data, got, tt.want)
		}
	}
}

// TestKeysByEscape: a key may be written with escapes.
func TestKeysByEscape(t *testing.T) {
	for name, data := range map[string]string{
		"opencode.json":               `{"m\u0063p": {"a": {"type": "local", "command": ["evil"]}}}`,
		".codex/config.toml":          `["mcp\u005fservers".x]`,
		".vibe/config.toml":           "[[\"mcp\\U0000005fservers\"]]\nname = \"x\"\n",
		".continue/config.yaml":       `"mcp\x53ervers": [{name: x}]`,
		".vscode/settings.json":       `{"m\u0063p.ser\u0076ers": {"a": {"command": "evil"}}}`,
		"sub/.CODEX/Config.TOML":      `[mcp_servers.x]`,
		".continue/MCPSERVERS/a.yaml": "\"mcp\\\n  Servers\": [{name: x}]",
	} {
		inv := read(t, map[string]string{name: data})
		if len(serversOf(inv)) != 1 && !inv.Incomplete() {
			t.Errorf("%s: its servers are missed in silence", name)
		}
	}
	if inv := read(t, map[string]string{".zed/settings.json": "\xff\xfe{\x00"}); !inv.Incomplete() {
		t.Error("UTF-16 is missed in silence")
	}
	if inv := read(t, map[string]string{"opencode.json": `{"theme": "\u0063"}`}); inv.Incomplete() || len(serversOf(inv)) > 0 {
		t.Error("a file without servers is held for one with them")
	}
}

// TestNamesByCase: file systems that do not tell the cases apart open the file
// under any of them.
func TestNamesByCase(t *testing.T) {
	for path, want := range map[string]string{
		".MCP.json": "claude-code", ".Mcp.JSON": "claude-code", "Claude_Desktop_Config.json": "claude-desktop",
		".VSCode/MCP.json": "vscode", ".v\u017fcode/mcp.json": "vscode", ".mcp.json.": "claude-code", ".mc\u200cp.json": "claude-code",
		"mcp.json": "mcp", "mcp.txt": "",
	} {
		if got := (Reader{}).Recognize(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// TestNoSecretInSpecs: forms of URLs and paths that are none in the strict sense.
func TestNoSecretInSpecs(t *testing.T) {
	for _, entry := range []map[string]any{
		{"url": "//u:s3cr3t@h.example/x"}, {"url": "u:s3cr3t@h.example/x"}, {"url": `\\u:s3cr3t@h.example/x`}, {"url": "h.example/x?k=s3cr3t"},
		launch("node", "./x.js?token=s3cr3t"), launch("node", "./x.js#s3cr3t"), launch("./server?token=s3cr3t"),
		launch("npx", "./dir?token=s3cr3t"), launch("npx", "github:o/r#token=s3cr3t"), launch("npx", "git+https://h.example/r.git#a:s3cr3t"),
		with(launch("uvx", "y"), "env", map[string]string{"UV_EXTRA_INDEX_URL": "https://a.example/x https://u:s3cr3t@h.example/x"}),
		with(launch("uvx", "y"), "env", map[string]string{"UV_INDEX": "a=https://a.example/x b=https://u:s3cr3t@h.example/x"}),
		with(launch("uvx", "y"), "env", map[string]string{"PIP_EXTRA_INDEX_URL": "https://u:s3cr3t@h.example/x\thttps://a.example"}),
		with(launch("uvx", "y"), "env", map[string]string{"UV_FIND_LINKS": "https://a.example/x,https://u:s3cr3t@h.example/x"}),
		with(launch("uvx", "y"), "env", map[string]string{"UV_FIND_LINKS": "https://u:1,s3cr3t@h.example/x"}),
		with(launch("npx", "y"), "env", map[string]string{"npm_config_registry": "//u:s3cr3t@h.example"}),
		launch("uvx", "--index", "name=https://u:s3cr3t@h.example/x", "y"), launch("npx", "--registry", "u:s3cr3t@h.example", "y"),
		launch("API_KEY=s3cr3t ./run", "x"), launch("A=b API_KEY='s3cr3t' npx", "y"), launch("API_KEY=s3cr3t", "./run"), launch("API_KEY=s3cr3t"),
		launch("API_KEY=s3cr3t ./run"), launch("API_KEY=a/s3cr3t ./run"),
		launch("uvx", "./x?token=s3cr3t"), launch("node", "node_modules/p/x.js?token=s3cr3t"),
	} {
		_, inv := serverOf(t, entry, map[string]string{"node_modules/p/package.json": `{"name": "p", "version": "1.0.0"}`})
		if out := dump(t, inv); strings.Contains(out, "s3cr3t") {
			t.Errorf("%v leaks:\n%s", entry, out)
		}
	}
	s, _ := serverOf(t, launch("API_KEY=s3cr3t npx", "y"), nil)
	if !slices.Equal(s.Env, []string{"API_KEY"}) || s.Kind != sbom.KindUnknown || len(s.Launches) != 2 {
		t.Errorf("an assignment as the command: %+v", s)
	}
	s, _ = serverOf(t, launch("npx", "github:o/r#main"), nil)
	if s.Spec != "github:o/r#main" {
		t.Errorf("the name of a branch is lost: %s", s.Spec)
	}
	if s, _ := serverOf(t, launch("/srv/C#/server"), nil); s.Spec != "/srv/C#/server" {
		t.Errorf("a folder is lost: %s", s.Spec)
	}
}

// TestToldCommands holds that what a command line plainly names is judged, where it
// stands as one word behind an option, behind an operator or in quotes.
func TestToldCommands(t *testing.T) {
	const foo = "pkg:npm/foo@1.0.0"
	for _, tc := range []struct {
		entry string
		kind  sbom.Kind
		want  []string
	}{
		{`"command": "nix-shell", "args": ["-p", "nodejs", "--run", "npx foo@1.0.0"]`, sbom.KindUnknown, []string{foo}},
		{`"command": "su", "args": ["-c", "npx foo@1.0.0"]`, sbom.KindUnknown, []string{foo}},
		{`"command": "npx", "args": ["proxy@2.0.0", "--stdio", "npx -y foo@1.0.0"]`, sbom.KindNPM, []string{"pkg:npm/proxy@2.0.0", foo}},
		{`"command": "npx", "args": ["proxy@2.0.0", "&&", "npx", "foo@1.0.0"]`, sbom.KindNPM, []string{"pkg:npm/proxy@2.0.0", foo}},
		{`"command": "powershell", "args": ["-Command", "npx foo@1.0.0; uvx bar"]`, sbom.KindShellScript, []string{foo, "pkg:pypi/bar"}},
		{`"command": "npx foo@1.0.0; uvx", "args": ["bar"]`, sbom.KindShellScript, []string{foo, "pkg:pypi/bar"}},
		{`"command": "npx ", "args": ["foo@1.0.0"]`, sbom.KindNPM, []string{foo}},
		{`"command": "\"npx\"", "args": ["foo@1.0.0"]`, sbom.KindNPM, []string{foo}},
		{`"command": "server", "args": ["--description", "npx foo is what it runs", "npx is good"]`, sbom.KindBinary, nil},
		{`"command": "npx", "args": ["proxy@2.0.0", "--help-text", "npx foo starts it"]`, sbom.KindNPM, []string{"pkg:npm/proxy@2.0.0"}},
	} {
		inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {` + tc.entry + `}}}`})
		server := serversOf(inv)[0]
		var got []string
		for _, l := range server.Launches {
			if l.Ref != "" {
				got = append(got, inv.Component(l.Ref).PURL)
			}
		}
		if server.Kind != tc.kind || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %s %q, want %s %q", tc.entry, server.Kind, got, tc.kind, tc.want)
		}
	}
}

// TestHiddenInShellStrings: what a script hides, a shell string hides as well.
func TestHiddenInShellStrings(t *testing.T) {
	for _, tc := range []struct{ command, flag, text string }{
		{"bash", "-c", "sh <<E\nnpx -y foo\nE"}, {"bash", "-c", "sh <<< 'npx -y foo'"}, {"bash", "-c", "X=npx; $X -y foo"}, {"bash", "-c", "alias f='npx -y foo'; f"},
		{"bash", "-c", "trap 'npx -y foo' EXIT; true"}, {"bash", "-c", "echo 'npx -y foo' | sh"}, {"bash", "-c", `a=(npx -y foo); "${a[@]}"`}, {"sh", "-c", "$(which npx) -y foo"},
		{"sh", "-c", "${X:-npx} -y foo"}, {"bash", "-c", "bash <(echo npx -y foo)"}, {"bash", "-c", ". <(printf 'npx -y foo')"}, {"sh", "-c", `c="npx -y foo"; eval "$c"`},
		{"cmd", "/c", "n^px -y foo"}, {"cmd", "/c", "if exist x (echo) else (npx -y foo)"}, {"cmd", "/c", "set X=npx& %X% -y foo"},
		{"pwsh", "-c", "iex 'npx -y foo'"}, {"powershell", "-Command", "n`px -y foo"}, {"powershell", "-c", `Start-Process npx -ArgumentList "-y","foo"`}, {"pwsh", "-c", `$x="npx"; & $x -y foo`},
	} {
		s := &scan{}
		got := shown(s.settle(s.command(argv(tc.command, tc.flag, tc.text), 0)))
		if !slices.Contains(got, "  npm|foo|unversioned|pkg:npm/foo") || !strings.HasSuffix(got[1], "|unknown") {
			t.Errorf("%s: %q", tc.text, got)
		}
	}
	for _, text := range []string{"node x.js --note 'use npx foo'", "echo npx foo; node x.js", "command -v npx; node x.js"} {
		s := &scan{}
		if got := s.settle(s.command(argv("sh", "-c", text), 0)); slices.ContainsFunc(got, func(o subject) bool { return fetches(o.launch.Kind) }) {
			t.Errorf("%s: %q", text, shown(got))
		}
	}
}
