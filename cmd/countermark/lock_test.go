package main

import (
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"countermark/provenance/git/gittest"
	"countermark/provenance/npm/npmtest"
	"countermark/provenance/pypi/pypitest"
)

// lockAgain runs lock on the project of a world and returns the result that it
// wrote.
func (w *world) lockAgain(code int, args ...string) string {
	w.t.Helper()
	var out, errs strings.Builder
	p := w.program(&out, &errs)
	args = append([]string{
		"lock", "--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
		"--registry", w.url, filepath.Join(w.dir, "project"),
	}, args...)
	if got := p.run(w.t.Context(), args); got != code {
		w.t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	return out.String()
}

func (w *world) locked() string {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, "project", "mcp.lock.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// TestLockFindsWhatTheRegistryChanged: other bytes under the same version, and an
// attestation that is gone.
func TestLockFindsWhatTheRegistryChanged(t *testing.T) {
	w := newWorld(t)
	sum := sha512.Sum512([]byte("tool"))
	w.release("tool", "https://github.com/acme/tool", sum)
	w.describe("tool", sum, func(d *npmtest.Details) { d.Tarball = w.url + "tool/-/tool-1.0.0.tgz" })
	w.write("project/.mcp.json", []byte(`{"mcpServers": {"t": {"command": "npx", "args": ["-y", "tool@1.0.0"]}}}`))
	w.write("project/countermark.yaml", []byte("version: 1\nsources: {tool: {repo: https://github.com/acme/tool}}\n"))
	w.lockAgain(0)
	before := w.locked()
	for _, want := range []string{`"attested": true`, `"integrity": "sha512-` + base64.StdEncoding.EncodeToString(sum[:]), `"repository": "https://github.com/acme/tool"`, `"from": "policy"`} {
		if !strings.Contains(before, want) {
			t.Errorf("the lock does not say %s:\n%s", want, before)
		}
	}
	w.lockAgain(0, "--check")

	// Somebody published it anew: another world with the same project.
	other := newWorld(t)
	again := sha512.Sum512([]byte("other bytes"))
	other.describe("tool", again, func(d *npmtest.Details) {
		d.Signatures = other.sign(other.sigstore, "tool", d.Integrity)
	})
	for _, name := range []string{".mcp.json", "mcp.lock.json", "countermark.yaml"} {
		data, err := os.ReadFile(filepath.Join(w.dir, "project", name))
		if err != nil {
			t.Fatal(err)
		}
		other.write("project/"+name, data)
	}
	stdout := other.lockAgain(1, "--check")
	for _, want := range []string{"has other bytes than the lock says", "is not attested any more"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
	var out, errs strings.Builder
	code := other.program(&out, &errs).run(t.Context(), []string{
		"check", "--trusted-root", filepath.Join(other.dir, "root.json"), "--npm-keys", filepath.Join(other.dir, "keys.json"),
		"--registry", other.url, filepath.Join(other.dir, "project"),
	})
	if code != exitFail || !strings.Contains(out.String(), "provenance-lost") || !strings.Contains(out.String(), "launch-drift") {
		t.Errorf("check: exit code %d\n%s%s", code, &out, &errs)
	}
}

// TestLockOfImages: a tag is asked for its digest, which is what --write pins.
func TestLockOfImages(t *testing.T) {
	w := newImageWorld(t)
	w.images.Tag(imageRepository, "1", w.digest)
	w.launch(w.host + "/" + imageRepository + ":1")
	project := filepath.Join(w.dir, "project")
	w.run(0, "lock", project)
	if !strings.Contains(w.locked(), fmt.Sprintf("%q: %q", "digest", w.digest)) {
		t.Errorf("the lock does not say the digest:\n%s", w.locked())
	}
	w.run(0, "lock", "--check", project)
	moved := w.images.Image("another")
	w.images.Tag(imageRepository, "1", moved)
	if stdout, _ := w.run(1, "lock", "--check", project); !strings.Contains(stdout, "has other bytes than the lock says, under the same name") || !strings.Contains(stdout, moved) {
		t.Errorf("it does not say that the tag moved:\n%s", stdout)
	}
	if stdout, _ := w.run(0, "lock", "--write", project); !strings.Contains(stdout, ":1@"+moved) {
		t.Errorf("it does not say what it pinned:\n%s", stdout)
	}
	data, err := os.ReadFile(filepath.Join(project, ".mcp.json"))
	if err != nil || !strings.Contains(string(data), imageRepository+":1@"+moved+`"`) {
		t.Errorf("%s %v", data, err)
	}
	w.run(0, "lock", "--check", project)

	w.launch(w.host + "/" + imageRepository + ":none")
	if _, stderr := w.run(3, "lock", project); !strings.Contains(stderr, "has no image "+imageRepository+" with the tag none") {
		t.Errorf("it does not say that there is no such tag:\n%s", stderr)
	}
}

// TestLockOfAFloatingLaunch: the registry says which version it gets now, that is
// judged and pinned, and another version later is drift.
func TestLockOfAFloatingLaunch(t *testing.T) {
	w := newWorld(t)
	sum := sha512.Sum512([]byte("tool"))
	w.release("tool", "https://github.com/acme/tool", sum)
	w.describe("tool", sum, func(d *npmtest.Details) { d.Tarball = w.url + "tool/-/tool-1.0.0.tgz" })
	w.write("project/.mcp.json", []byte(`{"mcpServers": {"t": {"command": "npx", "args": ["-y", "tool"]}}}`))
	w.write("project/countermark.yaml", []byte("version: 1\nsources: {tool: {repo: https://github.com/acme/tool}}\n"))
	w.lockAgain(0)
	for _, want := range []string{
		`"version": "1.0.0"`, `"attested": true`, `"integrity": "sha512-` + base64.StdEncoding.EncodeToString(sum[:]),
		`"repository": "https://github.com/acme/tool"`, `"closure": {`,
	} {
		if !strings.Contains(w.locked(), want) {
			t.Errorf("the lock does not say %s:\n%s", want, w.locked())
		}
	}
	w.lockAgain(0, "--check")

	was := w.locked()
	w.write("project/mcp.lock.json", []byte(strings.Replace(was, `"version": "1.0.0"`, `"version": "0.9.0"`, 1)))
	if stdout := w.lockAgain(1, "--check"); !strings.Contains(stdout, "0.9.0") {
		t.Errorf("another version is no drift:\n%s", stdout)
	}
	w.write("project/mcp.lock.json", []byte(was))

	w.lockAgain(0, "--write")
	pinned, err := os.ReadFile(filepath.Join(w.dir, "project", ".mcp.json"))
	if err != nil || !strings.Contains(string(pinned), `"tool@1.0.0"`) {
		t.Errorf("not pinned: %v\n%s", err, pinned)
	}
	w.lockAgain(0, "--check")
}

// A launch of a name that the registry does not know is unknown, and says so.
func TestLockOfAPhantom(t *testing.T) {
	w := newWorld(t)
	w.write("project/.mcp.json", []byte(`{"mcpServers": {"t": {"command": "npx", "args": ["-y", "nobody-has-this"]}}}`))
	var out, errs strings.Builder
	code := w.program(&out, &errs).run(t.Context(), []string{
		"lock", "--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
		"--registry", w.url, filepath.Join(w.dir, "project"),
	})
	if code != 3 || !strings.Contains(errs.String(), "nobody-has-this") || !strings.Contains(errs.String(), "check the name") {
		t.Errorf("exit code %d\n%s", code, &errs)
	}
}

// TestLockWithoutAClosure: what comes with a launch is not known, and a lock without it
// is never written as if it were whole.
func TestLockWithoutAClosure(t *testing.T) {
	w := newWorld(t)
	sum := sha512.Sum512([]byte("tool"))
	w.release("tool", "https://github.com/acme/tool", sum) // its metadata names no tarball, so npm could not install it
	w.write("project/.mcp.json", []byte(`{"mcpServers": {"t": {"command": "npx", "args": ["-y", "tool@1.0.0"]}}}`))
	w.write("project/countermark.yaml", []byte("version: 1\nsources: {tool: {repo: https://github.com/acme/tool}}\n"))
	var out, errs strings.Builder
	code := w.program(&out, &errs).run(t.Context(), []string{
		"lock", "--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
		"--registry", w.url, filepath.Join(w.dir, "project"),
	})
	if code != 3 || !strings.Contains(errs.String(), "the lock does not say the closure of tool@1.0.0") || !strings.Contains(errs.String(), "hint: tool: the metadata") {
		t.Errorf("exit code %d\n%s", code, &errs)
	}
}

// TestLockOfPython: the index says which release a floating launch gets, and which
// files that has; another release, or one more file in the same, is drift.
func TestLockOfPython(t *testing.T) {
	w := newPythonWorld(t)
	w.publish("some-tool", "some_tool-1.0-py3-none-any.whl", "https://github.com/acme/tools")
	w.index.Add("some-tool", pypitest.File{Name: "some_tool-0.9.tar.gz", SHA256: pypitest.Sum("old")})
	w.index.Add("some-tool", pypitest.File{Name: "some_tool-1.1.tar.gz", SHA256: pypitest.Sum("yanked"), Yanked: true})
	w.index.Add("some-tool", pypitest.File{Name: "some_tool-2.0a1.tar.gz", SHA256: pypitest.Sum("early")})
	w.index.Add("other", pypitest.File{Name: "other-3.1.tar.gz", SHA256: pypitest.Sum("other"), Python: ">=3.11"})
	config := func(text string) { w.write("project/.mcp.json", []byte(`{"mcpServers": {`+text+`}}`)) }
	config(`"a": {"command": "uvx", "args": ["some_tool"]}, "b": {"command": "pipx", "args": ["run", "--spec", "other>=3", "x"]}, "c": {"command": "uvx", "args": ["some-tool==0.9"]}`)
	w.write("project/countermark.yaml", []byte("version: 1\nsources: {\"pypi:some-tool\": {repo: https://github.com/acme/tools}}\n"))

	_, stderr := w.run(3, "lock", "@project")
	if !strings.Contains(stderr, "server a: the lock does not say the version of some_tool") || !strings.Contains(stderr, "no index of Python packages is named; name it with --pypi-index") {
		t.Errorf("without an index: %s", stderr)
	}
	w.env = []string{"UV_DEFAULT_INDEX=" + w.url}
	_, stderr = w.run(0, "lock", "@project")
	if strings.Count(stderr, "the dependencies of Python packages are not resolved") != 3 {
		t.Errorf("it does not say what is missing: %s", stderr)
	}
	for _, want := range []string{
		`"version": "1.0"`, `"some_tool-1.0-py3-none-any.whl": "sha256:` + pypitest.Sum("some_tool-1.0-py3-none-any.whl"), `"attested": true`,
		`"repository": "https://github.com/acme/tools"`, `"version": "3.1"`, `"requiresPython": "\u003e=3.11"`, `"some_tool-0.9.tar.gz": "sha256:`,
	} {
		if want = strings.ReplaceAll(want, `\u003e`, ">"); !strings.Contains(w.locked(), want) {
			t.Errorf("the lock does not say %s:\n%s", want, w.locked())
		}
	}
	w.run(0, "lock", "--check", "@project")

	w.index.Add("other", pypitest.File{Name: "other-3.1-py3-none-any.whl", SHA256: pypitest.Sum("added later")})
	if stdout, _ := w.run(1, "lock", "--check", "@project"); !strings.Contains(stdout, "has other bytes than the lock says") || !strings.Contains(stdout, "other-3.1-py3-none-any.whl") {
		t.Errorf("a file that was added: %s", stdout)
	}
	w.index.Add("some-tool", pypitest.File{Name: "some_tool-1.2.tar.gz", SHA256: pypitest.Sum("new")})
	if stdout, _ := w.run(1, "lock", "--check", "@project"); !strings.Contains(stdout, "selects another version than the lock says") || !strings.Contains(stdout, "1.2") {
		t.Errorf("another release: %s", stdout)
	}
	w.run(0, "lock", "--write", "@project")
	data, err := os.ReadFile(filepath.Join(w.dir, "project", ".mcp.json"))
	if err != nil || !strings.Contains(string(data), `"some_tool@1.2"`) || !strings.Contains(string(data), `"other==3.1"`) {
		t.Errorf("not pinned: %s %v", data, err)
	}
	w.run(0, "lock", "--check", "@project")
}

// TestLockOfModules: the proxy that the user names in GOPROXY says which version of a Go
// module a query selects; another one is drift, and --write pins it.
func TestLockOfModules(t *testing.T) {
	versions := "v1.0.0\n"
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]string{"/go.example/m/@v/list": versions, "/go.example/m/@v/v1.0.0.mod": "module m\n", "/go.example/m/@v/v1.1.0.mod": "module m\n"}[r.URL.Path]
		if answer == "" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer)) // a client that goes away is its own business
	}))
	t.Cleanup(proxy.Close)
	w := newPythonWorld(t)
	w.env = []string{"GOPROXY=" + proxy.URL + ",direct", "GOPRIVATE=private.example"}
	w.write("project/.mcp.json", []byte(`{"mcpServers": {"a": {"command": "go", "args": ["run", "go.example/m/cmd/a@latest", "--x"]}}}`))
	w.run(0, "lock", "@project")
	if !strings.Contains(w.locked(), `"version": "v1.0.0"`) {
		t.Errorf("the lock does not say the version: %s", w.locked())
	}
	w.run(0, "lock", "--check", "@project")
	versions += "v1.1.0\n"
	if stdout, _ := w.run(1, "lock", "--check", "@project"); !strings.Contains(stdout, "v1.1.0") {
		t.Errorf("another version: %s", stdout)
	}
	w.run(0, "lock", "--write", "@project")
	data, err := os.ReadFile(filepath.Join(w.dir, "project", ".mcp.json"))
	if err != nil || !strings.Contains(string(data), `"go.example/m/cmd/a@v1.1.0", "--x"`) {
		t.Errorf("not pinned: %s %v", data, err)
	}
	w.run(0, "lock", "--check", "@project")
	w.write("project/.mcp.json", []byte(`{"mcpServers": {"p": {"command": "go", "args": ["run", "private.example/m@latest"]}}}`))
	if _, stderr := w.run(3, "lock", "@project"); !strings.Contains(stderr, "it is private by GOPRIVATE or GONOPROXY, so that no proxy is asked for it") {
		t.Errorf("a private module: %s", stderr)
	}
}

// TestLockOfRepositories: the host that a launch names says which commit a branch, a
// tag or the default branch is; another one is drift, and --write pins it in place.
func TestLockOfRepositories(t *testing.T) {
	const first, second = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	host := &gittest.Host{}
	host.Set("/acme/tool", "HEAD", first)
	host.Set("/acme/tool", "refs/heads/main", first)
	host.Set("/acme/py", "refs/tags/v1", second)
	host.Set("/acme/py", "refs/tags/v1^{}", first)
	server := httptest.NewServer(host)
	t.Cleanup(server.Close)
	w := newPythonWorld(t)
	w.transport = repositories(server.URL)
	config := `{"mcpServers": {"a": {"command": "npx", "args": ["-y", "github:acme/tool"]}, "b": {"command": "npx", "args": ["-y", "acme/tool#main"]},
"c": {"command": "uvx", "args": ["--from", "git+https://git.example/acme/py@v1#subdirectory=x", "tool"]}}}`
	w.write("project/.mcp.json", []byte(config))

	_, stderr := w.run(3, "lock", "--offline", "@project")
	if !strings.Contains(stderr, "the lock does not say the commit of") || len(host.Requests()) > 0 {
		t.Errorf("offline: %s %v", stderr, host.Requests())
	}
	w.run(0, "lock", "@project")
	if n := strings.Count(w.locked(), `"commit": "`+first+`"`); n != 3 {
		t.Errorf("%d commits are locked, want 3:\n%s", n, w.locked())
	}
	for _, url := range host.Requests() {
		if !strings.HasPrefix(url, "github.com/acme/tool/info/refs?") && !strings.HasPrefix(url, "git.example/acme/py/info/refs?") {
			t.Errorf("%s was asked, and no launch names it", url)
		}
	}
	w.run(0, "lock", "--check", "@project")

	host.Set("/acme/tool", "refs/heads/main", second)
	if stdout, _ := w.run(1, "lock", "--check", "@project"); !strings.Contains(stdout, "server b") || !strings.Contains(stdout, "is   "+second) {
		t.Errorf("a branch that moved: %s", stdout)
	}
	w.run(0, "lock", "--write", "@project")
	want := strings.NewReplacer("github:acme/tool", "github:acme/tool#"+first, "acme/tool#main", "github:acme/tool#"+second, "py@v1", "py@"+first).Replace(config)
	data, err := os.ReadFile(filepath.Join(w.dir, "project", ".mcp.json"))
	if err != nil || string(data) != want {
		t.Errorf("not pinned: %s %v", data, err)
	}
	w.run(0, "lock", "--check", "@project")
	if stdout, _ := w.run(1, "check", "--offline", "@project"); strings.Contains(stdout, "version-floating") {
		t.Errorf("a commit floats: %s", stdout)
	}

	w.write("project/.mcp.json", []byte(`{"mcpServers": {"gone": {"command": "npx", "args": ["acme/gone"]}, "branch": {"command": "npx", "args": ["acme/tool#none"]}}}`))
	_, stderr = w.run(3, "lock", "@project")
	for _, want := range []string{"git+https://github.com/acme/gone is no repository, or does not show itself to everybody", "git+https://github.com/acme/tool has no branch or tag of that name", "write the full commit"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q: %s", want, stderr)
		}
	}
}

// repositories sends what is asked of any host to one of our own.
func repositories(to string) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		out := r.Clone(r.Context())
		out.Host, out.URL.Scheme, out.URL.Host = r.URL.Host, "http", strings.TrimPrefix(to, "http://")
		return http.DefaultTransport.RoundTrip(out)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestLockOfWhatNobodyIsAsked: what the launch itself or git decides is not known, is
// said with what to do, and never borrowed from another server's launch.
func TestLockOfWhatNobodyIsAsked(t *testing.T) {
	w := newPythonWorld(t)
	w.env = []string{"UV_DEFAULT_INDEX=" + w.url}
	w.index.Add("tool", pypitest.File{Name: "tool-1.0.tar.gz", SHA256: pypitest.Sum("tool")})
	for text, want := range map[string]string{
		`"uvx", "args": ["--prerelease", "allow", "tool"]`:              "the option --prerelease changes what it selects",
		`"uvx", "args": ["--exclude-newer=2020-01-01", "tool"]`:         "the option --exclude-newer changes what it selects",
		`"uvx", "args": ["tool"], "env": {"UV_EXCLUDE_NEWER": "2020"}`:  "the variable UV_EXCLUDE_NEWER changes what it selects",
		`"uvx", "args": ["--index", "https://own.example/", "tool"]`:    "changes what it selects",
		`"uvx", "args": ["--default-index=https://a.example/", "tool"]`: "a registry that the launch itself chooses",
		`"npx", "args": ["--before=2020-01-01", "tool"]`:                "the option --before changes what it selects",
		`"npx", "args": ["tool"], "env": {"npm_config_tag": "next"}`:    "the variable NPM_CONFIG_TAG changes what it selects",
		`"uvx", "args": ["git+ssh://git@git.example/acme/tool@main"]`:   "it is reached by ssh, which is not asked; write git+https:",
		`"npx", "args": ["git+http://git.example/acme/tool"]`:           "its URL is not encrypted",
		`"uvx", "args": ["gone"]`:                                       "knows no project of this name",
		`"go", "args": ["run", "example.com/tool@latest"]`:              "no module proxy is named; name it in GOPROXY",
		`"dnx", "args": ["Some.Tool"]`:                                  "a spec of the kind nuget selects is not asked for",
	} {
		w.write("project/.mcp.json", []byte(`{"mcpServers": {"a": {"command": "uvx", "args": ["tool"]}, "odd": {"command": `+text+`}, "z": {"command": "uvx", "args": ["tool"]}}}`))
		_, stderr := w.run(3, "lock", "--registry", w.world.url, "@project")
		if !strings.Contains(stderr, "server odd: the lock does not say the ") || !strings.Contains(stderr, want) || strings.Contains(stderr, "server a: the lock") || strings.Contains(stderr, "server z: the lock") {
			t.Errorf("%s: it does not say %q:\n%s", text, want, stderr)
		}
		if err := os.Remove(filepath.Join(w.dir, "project", "mcp.lock.json")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLockOfACopy: of a copy that is installed on the machine no registry can say
// anything; as with a local program, its path is what is locked.
func TestLockOfACopy(t *testing.T) {
	w := newPythonWorld(t)
	config := func(file string) {
		w.write("project/.mcp.json", []byte(`{"mcpServers": {"a": {"command": "node", "args": ["`+file+`"]}}}`))
	}
	for _, file := range []string{"/opt/x/node_modules/@acme/tool/dist/a.js", `C:\\x\\node_modules\\tool\\a.js`, "/usr/lib/node_modules/tool/a.js", "./node_modules/tool/a.js"} {
		config(file)
		w.run(0, "lock", "@project")
		if strings.Contains(w.locked(), `"version": "`) {
			t.Errorf("%s: it says a version:\n%s", file, w.locked())
		}
		w.run(0, "lock", "--check", "@project")
		config(strings.Replace(file, "a.js", "b.js", 1))
		w.run(1, "lock", "--check", "@project")
		if err := os.Remove(filepath.Join(w.dir, "project", "mcp.lock.json")); err != nil {
			t.Fatal(err)
		}
	}
}
