package main

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"countermark/provenance/npm/npmtest"

	"github.com/google/go-cmp/cmp"
)

// installable publishes name@1.0.0 so that npm could install it.
func (w *world) installable(name string, more map[string]any) {
	w.t.Helper()
	sum := sha512.Sum512([]byte(name))
	w.describe(name, sum, func(d *npmtest.Details) {
		d.Tarball = "https://registry.example/" + name + "/-/" + name[strings.LastIndex(name, "/")+1:] + "-1.0.0.tgz"
		d.More = more
	})
}

// vendorWorld has a server with a dependency, as two configurations launch it.
func vendorWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.installable("@acme/tool", map[string]any{
		"bin": map[string]string{"tool": "./dist/index.js", "admin": "dist/admin.js", "native": "bin/native.exe"}, "license": "MIT",
		"dependencies": map[string]string{"dep": "^1"}, "engines": map[string]string{"node": ">=18"},
	})
	w.installable("dep", map[string]any{"hasInstallScript": true})
	w.write("project/.mcp.json", []byte(vendorConfig))
	w.write("project/countermark.yaml", []byte("version: 1\n"))
	return w
}

const vendorConfig = `{
  // ours
  "mcpServers": {
    "tool": {
      "command": "npx",
      "args": ["-y", /* newest */ "@acme/tool", "--root", "."],
      "env": {"K": "v"}
    }
  }
}
`

func (w *world) read(name string) string {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, "project", filepath.FromSlash(name)))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// lockOn runs lock on the project, or on a path in it.
func (w *world) lockOn(at string, code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	var out, errs strings.Builder
	p := w.program(&out, &errs)
	p.here = func() (string, error) { return filepath.Join(w.dir, "project"), nil }
	args = append([]string{
		"lock", "--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
		"--registry", w.url, filepath.Join(w.dir, "project", filepath.FromSlash(at)),
	}, args...)
	if got := p.run(w.t.Context(), args); got != code {
		w.t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// findings are what check says of the project, in one line.
func (w *world) findings(at string) string {
	w.t.Helper()
	var out, errs strings.Builder
	w.program(&out, &errs).run(w.t.Context(), []string{
		"check", "--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
		"--registry", w.url, filepath.Join(w.dir, "project", filepath.FromSlash(at)), "-v",
	})
	return strings.Join(strings.Fields(out.String()+errs.String()), " ")
}

// TestVendor: the server's packages are locked in a folder, node starts it from
// there, and the lock, its comparison and check take that very lockfile for what
// runs.
func TestVendor(t *testing.T) {
	w := vendorWorld(t)
	w.lockAgain(0, "--approve-as", "Ann")
	if out := w.lockAgain(0, "--write", "--vendor", "--dry-run"); !strings.Contains(out, "2 packages, to be written") || w.read(".mcp.json") != vendorConfig {
		t.Errorf("--dry-run: %s\n%s", out, w.read(".mcp.json"))
	}
	if _, err := os.Lstat(filepath.Join(w.dir, "project", ".mcp")); err == nil {
		t.Error("--dry-run writes a folder")
	}
	stdout, stderr := w.lockOn("", 0, "--write", "--vendor")
	for _, want := range []string{
		".mcp/tool/package-lock.json: 2 packages, written\n", "  next  npm ci --ignore-scripts --prefix .mcp/tool\n",
		"  note  @acme/tool says that it needs Node.js >=18\n",
		"  note  they have install scripts, which --ignore-scripts leaves out: dep@1.0.0\n",
		".mcp.json:6:35: @acme/tool → .mcp/tool/node_modules/@acme/tool/dist/index.js\n", "mcp.lock.json: 1 server, written\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
	if !strings.Contains(stderr, "server tool has changed, so that its approval ended") {
		t.Errorf("the approval of npx is taken for one of node:\n%s", stderr)
	}
	for name, want := range map[string]string{
		".mcp.json":                   strings.NewReplacer(`"npx"`, `"node"`, `"-y", `, "", `"@acme/tool"`, `".mcp/tool/node_modules/@acme/tool/dist/index.js"`).Replace(vendorConfig),
		".mcp/tool/package.json":      "{\n  \"name\": \"mcp-tool\",\n  \"private\": true,\n  \"dependencies\": {\n    \"@acme/tool\": \"1.0.0\"\n  }\n}\n",
		".mcp/tool/package-lock.json": goldenLock(t),
	} {
		if diff := cmp.Diff(want, w.read(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, want := range []string{
		`"launcher": "node"`, `"pin": "lockfile"`, `"version": "1.0.0"`, `"vendored": ".mcp/tool"`, `"dep@1.0.0": "sha512-`,
		`"integrity": "` + integrityOf("@acme/tool") + `"`,
	} {
		if !strings.Contains(w.locked(), want) {
			t.Errorf("the lock does not say %s:\n%s", want, w.locked())
		}
	}
	w.lockAgain(0, "--check")
	w.lockOn(".mcp.json", 0, "--check") // with the folder beside the named file
	if out, _ := w.lockOn("", 0, "--write", "--vendor"); !strings.Contains(out, "mcp.lock.json: 1 server, nothing has changed") || strings.Contains(out, ".mcp/") {
		t.Errorf("the second time changes something:\n%s", out)
	}
	for _, at := range []string{"", ".mcp.json"} {
		out := w.findings(at)
		if strings.Contains(out, "launch-drift") || strings.Contains(out, "version-floating") || !strings.Contains(out, "dep 1.0.0") {
			t.Errorf("check %q does not join the folder:\n%s", at, out)
		}
	}
}

func integrityOf(name string) string {
	sum := sha512.Sum512([]byte(name))
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// goldenLock is the lockfile as npm 11.19.1 writes it.
func goldenLock(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "vendor", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestVendorDrift: whoever changes the folder or the launch behind the lock's back
// is found, by lock --check and by check.
func TestVendorDrift(t *testing.T) {
	const lockfile, config = ".mcp/tool/package-lock.json", ".mcp.json"
	cut := func(from, to string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, from) {
				t.Fatalf("%q is not there:\n%s", from, s)
			}
			return strings.Replace(s, from, to, 1)
		}
	}
	for name, test := range map[string]struct {
		file   string
		change func(string) string // nil: the file is removed
		want   string
	}{
		"another version":        {lockfile, cut(`"node_modules/dep": {`+"\n      "+`"version": "1.0.0"`, `"node_modules/dep": {`+"\n      "+`"version": "1.0.1"`), "other packages come with it"},
		"another server":         {lockfile, cut(`"node_modules/@acme/tool": {`+"\n      "+`"version": "1.0.0"`, `"node_modules/@acme/tool": {`+"\n      "+`"version": "1.0.2"`), "selects another version"},
		"other bytes":            {lockfile, cut(integrityOf("dep"), integrityOf("evil")), "other packages come with it"},
		"other bytes of its own": {lockfile, cut(integrityOf("@acme/tool"), integrityOf("evil")), "has other bytes"},
		"no digest":              {lockfile, cut(`"integrity": "`+integrityOf("dep")+`",`, ""), "other packages come with it"},
		"no digest of its own":   {lockfile, cut(`"integrity": "`+integrityOf("@acme/tool")+`",`, ""), "has other bytes"},
		"one more":               {lockfile, cut(`"node_modules/dep": {`, `"node_modules/evil": {"version": "6.6.6"}, "node_modules/dep": {`), "other packages come with it"},
		"no lockfile":            {lockfile, nil, "starts other things than the lock says"},
		"another file":           {config, cut("dist/index.js", "dist/evil.js"), "where the lock has"},
		"another package":        {config, cut("@acme/tool/dist/index.js", "dep/x.js"), "where the lock has"},
		"another folder":         {config, cut(".mcp/tool/", ".mcp/other/"), "starts other things than the lock says"},
		"another argument":       {config, cut(`"--root"`, `"--danger"`), "has other arguments"},
		"back to npx":            {config, func(string) string { return vendorConfig }, "is started in another way"},
	} {
		t.Run(name, func(t *testing.T) {
			w := vendorWorld(t)
			w.lockAgain(0, "--write", "--vendor")
			if test.change == nil {
				if err := os.Remove(filepath.Join(w.dir, "project", test.file)); err != nil {
					t.Fatal(err)
				}
			} else {
				w.write("project/"+test.file, []byte(test.change(w.read(test.file))))
			}
			if out, _ := w.lockOn("", 1, "--check"); !strings.Contains(out, test.want) {
				t.Errorf("lock --check does not say %q:\n%s", test.want, out)
			}
			if out := w.findings(""); !strings.Contains(out, "launch-drift") || !strings.Contains(out, test.want) {
				t.Errorf("check does not say %q:\n%s", test.want, out)
			}
		})
	}
}

// TestVendorInstalled: what lies in the folder has to be what its lockfile says.
func TestVendorInstalled(t *testing.T) {
	w := vendorWorld(t)
	w.lockAgain(0, "--write", "--vendor")
	install := func(version string) {
		w.write("project/.mcp/tool/node_modules/@acme/tool/package.json", []byte(`{"name": "@acme/tool", "version": "`+version+`"}`))
	}
	install("1.0.0")
	w.lockAgain(0, "--check")
	install("6.6.6")
	if out, _ := w.lockOn("", 1, "--check"); !strings.Contains(out, "selects another version") {
		t.Errorf("another version in the folder: %s", out)
	}
	// Nor is a folder written behind which another version runs.
	w.write("project/.mcp.json", []byte(vendorConfig))
	if _, stderr := w.lockOn("", 3, "--write", "--vendor"); !strings.Contains(stderr, "another version is installed in .mcp/tool; remove its node_modules") {
		t.Errorf("%s", stderr)
	}
}

// TestVendorRefuses: what can have no folder is named, and stays as it is.
func TestVendorRefuses(t *testing.T) {
	server := func(text string) string { return `{"mcpServers": {"tool": ` + text + `}}` }
	for name, test := range map[string]struct {
		file, text string
		setUp      func(w *world)
		want       string
	}{
		"git":                 {".mcp.json", server(`{"command": "npx", "args": ["git+ssh://git@git.example/acme/tool.git"]}`), nil, "it is reached by ssh, which is not asked"},
		"several":             {".mcp.json", server(`{"command": "npx", "args": ["-p", "@acme/tool", "-p", "dep", "tool"]}`), nil, "it is not one package"},
		"no such program":     {".mcp.json", server(`{"command": "npx", "args": ["-p", "@acme/tool", "evil"]}`), nil, "the package has no program of the name"},
		"no script":           {".mcp.json", server(`{"command": "npx", "args": ["-p", "@acme/tool", "native"]}`), nil, "its program is no script that node starts"},
		"no program":          {".mcp.json", server(`{"command": "npx", "args": ["dep"]}`), nil, "does not say which of its programs is started"},
		"its own registry":    {".mcp.json", server(`{"command": "npx", "args": ["--registry", "https://evil.example/", "@acme/tool"]}`), nil, "a registry that the launch itself chooses"},
		"an option":           {".mcp.json", server(`{"command": "npx", "args": ["--fetch-timeout=9", "@acme/tool"]}`), nil, "node has nothing for its option --fetch-timeout"},
		"unknown":             {".mcp.json", server(`{"command": "npx", "args": ["no-such-tool"]}`), nil, "no-such-tool"},
		"a folder of its own": {".mcp.json", server(`{"command": "npx", "args": ["@acme/tool"], "cwd": "web"}`), nil, "would be read otherwise"},
		"of no project":       {"claude_desktop_config.json", server(`{"command": "npx", "args": ["@acme/tool"]}`), nil, "claude-desktop does not start its servers in the folder of a project"},
		"a strange file": {".mcp.json", server(`{"command": "npx", "args": ["strange"]}`), func(w *world) {
			w.installable("strange", map[string]any{"bin": "dist/$(touch x).js"})
		}, "has letters that mean something to a shell"},
		"a git dependency": {".mcp.json", server(`{"command": "npx", "args": ["gitty"]}`), func(w *world) {
			w.installable("gitty", map[string]any{"bin": "x.js", "dependencies": map[string]string{"b": "github:acme/b"}})
		}, "b: comes from a git repository"},
		"no digest": {".mcp.json", server(`{"command": "npx", "args": ["bare"]}`), func(w *world) {
			w.registry.Describe("bare", "1.0.0", npmtest.Details{Tarball: "https://registry.example/bare.tgz", More: map[string]any{"bin": "x.js"}})
		}, "the registry names no digest of bare@1.0.0"},
		"somebody else's folder": {".mcp.json", server(`{"command": "npx", "args": ["@acme/tool"]}`), func(w *world) {
			w.write("project/.mcp/tool/notes.txt", []byte("mine"))
		}, "its folder .mcp/tool holds something else"},
		"another project": {".mcp.json", server(`{"command": "npx", "args": ["@acme/tool"]}`), func(w *world) {
			w.write("project/.mcp/tool/package.json", []byte(`{"name": "mine"}`))
		}, "is not as it was written, or somebody else's"},
		"a lockfile alone": {".mcp.json", server(`{"command": "npx", "args": ["@acme/tool"]}`), func(w *world) {
			w.write("project/.mcp/tool/package-lock.json", []byte(`{"lockfileVersion": 3, "packages": {}}`))
		}, "is not as it was written, or somebody else's"},
		"a file": {".mcp.json", server(`{"command": "npx", "args": ["@acme/tool"]}`), func(w *world) {
			w.write("project/.mcp", []byte("mine"))
		}, "would be a link or a file"},
		"a link": {".mcp.json", server(`{"command": "npx", "args": ["@acme/tool"]}`), func(w *world) {
			w.write("elsewhere/x", nil)
			if err := os.Symlink(filepath.Join(w.dir, "elsewhere"), filepath.Join(w.dir, "project", ".mcp")); err != nil {
				w.t.Skip(err)
			}
		}, "would be a link or a file"},
		"a link in it": {".mcp.json", server(`{"command": "npx", "args": ["@acme/tool"]}`), func(w *world) {
			w.write("elsewhere/x", nil)
			w.write("project/.mcp/x", nil)
			if err := os.Symlink(filepath.Join(w.dir, "elsewhere"), filepath.Join(w.dir, "project", ".mcp", "tool")); err != nil {
				w.t.Skip(err)
			}
		}, "would be a link or a file"},
	} {
		t.Run(name, func(t *testing.T) {
			w := vendorWorld(t)
			if err := os.Remove(filepath.Join(w.dir, "project", ".mcp.json")); err != nil {
				t.Fatal(err)
			}
			w.write("project/"+test.file, []byte(test.text))
			if test.setUp != nil {
				test.setUp(w)
			}
			_, stderr := w.lockOn("", 3, "--write", "--vendor")
			if !strings.Contains(stderr, test.want) || !strings.Contains(stderr, " stays as it is: ") {
				t.Errorf("it does not say %q:\n%s", test.want, stderr)
			}
			if got := w.read(test.file); got != test.text {
				t.Errorf("the configuration changed: %s", got)
			}
			if entries, _ := os.ReadDir(filepath.Join(w.dir, "elsewhere")); len(entries) > 1 {
				t.Error("something was written outside of the project")
			}
		})
	}
}

// TestVendorNested: what another launch starts is pinned to its version, and named,
// since what comes with it stays as it will be.
func TestVendorNested(t *testing.T) {
	w := vendorWorld(t)
	w.installable("supergateway", map[string]any{"bin": "dist/index.js"})
	w.write("project/.mcp.json", []byte(`{"mcpServers": {"a": {"command": "npx", "args": ["supergateway", "--stdio", "npx -y @acme/tool"]}, "b": {"command": "npx", "args": ["-p", "@acme/tool", "-c", "tool | tee x"]}}}`))
	_, stderr := w.lockOn("", 3, "--write", "--vendor")
	if strings.Count(stderr, "@acme/tool is in no folder of its own: another launch starts it") != 2 {
		t.Error(stderr)
	}
	const want = `{"mcpServers": {"a": {"command": "node", "args": [".mcp/a/node_modules/supergateway/dist/index.js", "--stdio", "npx -y @acme/tool@1.0.0"]}, "b": {"command": "npx", "args": ["-p", "@acme/tool@1.0.0", "-c", "tool | tee x"]}}}`
	if diff := cmp.Diff(want, w.read(".mcp.json")); diff != "" {
		t.Error(diff)
	}
	w.lockOn("", 0, "--check")
}

// TestVendorNames: no name of a server leads anywhere else, two servers of one name
// share a folder only where they install the same, and what can be vendored is,
// whatever stands beside it.
func TestVendorNames(t *testing.T) {
	w := vendorWorld(t)
	config, err := json.Marshal(map[string]any{"mcpServers": map[string]any{
		"../../../evil": map[string]any{"command": "npx", "args": []string{"@acme/tool"}},
		"CON":           map[string]any{"command": "npx", "args": []string{"@acme/tool"}},
		"node_modules":  map[string]any{"command": "npx", "args": []string{"@acme/tool"}},
		"a/b\u202e":     map[string]any{"command": "npx", "args": []string{"@acme/tool"}},
		"tool":          map[string]any{"command": "npx", "args": []string{"@acme/tool"}},
		"admin":         map[string]any{"command": "npx", "args": []string{"-p", "@acme/tool", "admin"}},
		"image":         map[string]any{"command": "uvx", "args": []string{"some-tool==1.0"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.write("project/.mcp.json", config)
	w.write("project/.cursor/mcp.json", []byte(`{"mcpServers": {"tool": {"command": "npx", "args": ["@acme/tool"]}, "admin": {"command": "bunx", "args": ["other"]}}}`))
	w.installable("other", map[string]any{"bin": "cli.mjs"})
	stdout, _ := w.lockOn("", 0, "--write", "--vendor")
	entries, err := os.ReadDir(filepath.Join(w.dir, "project", ".mcp"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) != 7 {
		t.Errorf("folders: %q\n%s", names, stdout)
	}
	for _, want := range []string{"${workspaceFolder}/.mcp/tool/node_modules/@acme/tool/dist/index.js", "${workspaceFolder}/.mcp/admin/node_modules/other/cli.mjs"} {
		if !strings.Contains(w.read(".cursor/mcp.json"), want) {
			t.Errorf("no %s in\n%s", want, w.read(".cursor/mcp.json"))
		}
	}
	w.lockOn("", 0, "--check")
	if outside, _ := filepath.Glob(filepath.Join(w.dir, "evil*")); outside != nil {
		t.Errorf("written outside: %q", outside)
	}
}

// TestVendorUsers: a user's own clients start their servers in no project.
func TestVendorUsers(t *testing.T) {
	w := vendorWorld(t)
	w.write("home/.cursor/mcp.json", []byte(vendorConfig))
	_, stderr := w.lockOn("", 3, "--write", "--vendor", "--home", filepath.Join(w.dir, "home"))
	if !strings.Contains(stderr, "it is started in the folder of no project") {
		t.Error(stderr)
	}
	if entries, _ := os.ReadDir(filepath.Join(w.dir, "home")); len(entries) != 1 {
		t.Errorf("something was written into the home: %v", entries)
	}
	if _, stderr := w.lockOn("", exitUsage, "--vendor"); !strings.Contains(stderr, "hint: give --write as well") {
		t.Error(stderr)
	}
	w.write("project/.mcp.json", []byte(vendorConfig))
	w.write("project/mcp.lock.json", []byte(`{"lockVersion": 1, "configurations": {}}`))
	if _, stderr := w.lockOn("", 3, "--write", "--vendor", "--offline"); !strings.Contains(stderr, "@acme/tool stays as it is: no registry was asked") {
		t.Error(stderr)
	}
}
