package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countermark/policy"
	"countermark/provenance/provenancetest"
	"countermark/provenance/pypi"
	"countermark/provenance/pypi/pypitest"
)

// pythonWorld is an index of our own beside the sigstore of our own.
type pythonWorld struct {
	*world

	index *pypitest.Index
	url   string
	env   []string

	transport http.RoundTripper
}

func newPythonWorld(t *testing.T) *pythonWorld {
	t.Helper()
	w := &pythonWorld{world: newWorld(t), index: &pypitest.Index{}, transport: http.DefaultTransport}
	server := httptest.NewServer(w.index)
	t.Cleanup(server.Close)
	w.url = server.URL + "/simple/"
	return w
}

// publish adds a file to a project, and keeps its bytes and provenance object.
func (w *pythonWorld) publish(project, file, repository string) {
	w.t.Helper()
	f, err := pypitest.Publish(w.sigstore, provenancetest.Build{Package: project, Version: "1.0", SHA512: "00", Repository: repository}, file, file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.index.Add(project, f)
	w.write("dist/"+file, []byte(file))
	w.write("dist/"+file+".provenance", f.Provenance)
}

// run runs a command line, in which @ is the folder, and returns what it wrote.
func (w *pythonWorld) run(code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	var out, messages bytes.Buffer
	p := &program{
		stdin: strings.NewReader(""), stdout: &out, stderr: &messages, environ: w.env,
		home: func() (string, error) { return w.dir, nil }, here: os.Getwd,
		now: func() time.Time { return provenancetest.Now }, transport: w.transport, version: "test",
	}
	line := []string{args[0], "--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json")}
	for _, arg := range args[1:] {
		if rest, ok := strings.CutPrefix(arg, "@"); ok {
			arg = filepath.Join(w.dir, filepath.FromSlash(rest))
		}
		line = append(line, arg)
	}
	if got := p.run(w.t.Context(), line); got != code {
		w.t.Errorf("%s\nexit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, &out, &messages)
	}
	return out.String(), messages.String()
}

// TestUvxServers shows every state of what uvx launches.
func TestUvxServers(t *testing.T) {
	w := newPythonWorld(t)
	const acme, mallory = "https://github.com/acme/tools", "https://github.com/mallory/tools"
	w.publish("good", "good-1.0-py3-none-any.whl", acme)
	w.publish("good", "good-1.0.tar.gz", acme)
	w.publish("moved", "moved-1.0-py3-none-any.whl", mallory)
	w.publish("impostor", "impostor-1.0-py3-none-any.whl", mallory)
	w.publish("partly", "partly-1.0-py3-none-any.whl", acme)
	w.index.Add("partly", pypitest.File{Name: "partly-1.0.tar.gz", SHA256: pypitest.Sum("added later")})
	w.publish("local", "local-1.0-py3-none-any.whl", acme)
	w.index.Add("local", pypitest.File{Name: "local-1.0+better.tar.gz", SHA256: pypitest.Sum("preferred to 1.0")})
	w.index.Add("plain", pypitest.File{Name: "plain-1.0-py3-none-any.whl", SHA256: pypitest.Sum("plain")})
	w.index.Add("promised", pypitest.File{Name: "promised-1.0-py3-none-any.whl", SHA256: pypitest.Sum("promised"), Missing: true})
	w.publish("elsewhere", "elsewhere-1.0-py3-none-any.whl", acme)
	servers := map[string]any{}
	for _, name := range []string{"good", "moved", "impostor", "partly", "local", "plain", "promised", "unknown"} {
		servers[name] = map[string]any{"command": "uvx", "args": []any{name + "==1.0"}}
	}
	servers["floating"] = map[string]any{"command": "uvx", "args": []any{"floating"}}
	servers["elsewhere"] = map[string]any{"command": "uvx", "args": []any{"--index-url", "https://index.example/simple/", "elsewhere==1.0"}}
	config, err := json.Marshal(map[string]any{"mcpServers": servers})
	if err != nil {
		t.Fatal(err)
	}
	w.write("project/.mcp.json", config)
	w.write("project/countermark.yaml", []byte(`
version: 1
sources:
  "pypi:good": {repo: https://github.com/acme/tools, workflow: .github/workflows/release.yml}
  "pypi:moved": {repo: https://github.com/acme/tools}
  "pypi:partly": {repo: https://github.com/acme/tools}
  "pypi:local": {repo: https://github.com/acme/tools}
  "pypi:elsewhere": {repo: https://github.com/acme/tools}
`))
	got := func(code int, args ...string) map[string]string {
		t.Helper()
		stdout, _ := w.run(code, append([]string{"check", "@project", "--format", "json"}, args...)...)
		var v policy.Verdict
		if err := json.Unmarshal([]byte(stdout), &v); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, c := range v.Components {
			if c.Provenance != nil {
				out[strings.TrimSuffix(strings.TrimPrefix(c.PURL, "pkg:pypi/"), "@1.0")] = c.Provenance.State
			}
			if c.PURL == "pkg:pypi/good@1.0" && c.Provenance.DigestFrom != "index" && c.Provenance.State == "verified" {
				t.Errorf("the digest is from %q", c.Provenance.DigestFrom)
			}
		}
		return out
	}
	want := map[string]string{
		"good": "verified", "moved": "mismatch", "impostor": "unvouched", "partly": "invalid", "local": "invalid", "plain": "absent", "promised": "stripped",
		"unknown": "unavailable", "floating": "unsupported", "elsewhere": "unsupported",
	}
	equal := func(what string, got map[string]string) {
		t.Helper()
		for name, state := range want {
			if got[name] != state {
				t.Errorf("%s: %s is %q, want %q", what, name, got[name], state)
			}
		}
	}
	equal("by flag", got(exitFail, "--pypi-index", w.url))
	for _, name := range pypi.IndexVariables {
		w.env = []string{name + "=" + w.url}
		equal(name, got(exitFail))
	}
	w.env = []string{"UV_DEFAULT_INDEX=internal=" + w.url}
	equal("a named index", got(exitFail))
	w.env = nil
	before := len(w.index.Requests())
	for name := range want {
		if want[name] != "unsupported" {
			want[name] = "unavailable"
		}
	}
	equal("no index", got(exitFail))
	equal("offline", got(exitFail, "--offline", "--pypi-index", w.url))
	// What the launches in the project name is asked by nobody.
	w.write("project/.mcp.json", bytes.ReplaceAll(config, []byte("https://index.example/simple/"), []byte(w.url)))
	equal("an index of the project's", got(exitFail))
	if n := len(w.index.Requests()); n != before {
		t.Errorf("the index was asked %d times although nobody named it", n-before)
	}
}

func TestVerifyPython(t *testing.T) {
	w := newPythonWorld(t)
	const acme = "https://github.com/acme/tools"
	w.publish("acme-tool", "acme_tool-1.0-py3-none-any.whl", acme)
	w.publish("acme-tool", "acme_tool-1.0.tar.gz", acme)
	w.write("dist/other-1.0-py3-none-any.whl", []byte("other"))
	w.write("changed/acme_tool-1.0-py3-none-any.whl", []byte("changed"))
	const wheel = "@dist/acme_tool-1.0-py3-none-any.whl"
	all := []string{"--attestations", "@dist", "--source-uri", acme}
	tests := []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{name: "a package", args: []string{"pypi:acme-tool@1.0", "--pypi-index", w.url, "--source-uri", acme}, stdout: "VERIFIED"},
		{name: "as uv writes it", args: []string{"pypi:Acme_Tool==1.0.0", "--pypi-index", w.url, "--source-uri", acme}, stdout: "VERIFIED"},
		{name: "a package URL", args: []string{"pkg:pypi/acme-tool@1.0", "--pypi-index", w.url, "--source-uri", acme, "-v"}, stdout: "release-file"},
		{name: "another source", args: []string{"pypi:acme-tool@1.0", "--pypi-index", w.url, "--source-uri", acme + "2"}, code: exitFail, stdout: "MISMATCH"},
		{name: "nobody's source", args: []string{"pypi:acme-tool@1.0", "--pypi-index", w.url}, code: exitFail, stdout: "UNVOUCHED"},
		{name: "another version", args: []string{"pypi:acme-tool@1.1", "--pypi-index", w.url, "--source-uri", acme}, code: exitUnknown, stdout: "UNAVAILABLE"},
		{name: "no index", args: []string{"pypi:acme-tool@1.0", "--source-uri", acme}, code: exitUnknown, stdout: "--pypi-index URL"},
		{name: "what is at hand is not known to be all", args: append([]string{"pypi:acme-tool@1.0", "--offline"}, all...), code: exitUnknown, stdout: "only its index"},

		{name: "a wheel", args: append([]string{wheel}, all...), stdout: "VERIFIED"},
		{name: "a source distribution", args: append([]string{"@dist/acme_tool-1.0.tar.gz"}, all...), stdout: "VERIFIED"},
		{name: "by its own object", args: []string{wheel, "--attestations", wheel + ".provenance", "--source-uri", acme}, stdout: "VERIFIED"},
		{name: "another source of a wheel", args: []string{wheel, "--attestations", "@dist", "--source-uri", acme + "2"}, code: exitFail, stdout: "MISMATCH"},
		{name: "another file's object", args: []string{wheel, "--attestations", "@dist/acme_tool-1.0.tar.gz.provenance", "--source-uri", acme}, code: exitFail, stdout: "ABSENT"},
		{name: "a file of another project", args: append([]string{"@dist/other-1.0-py3-none-any.whl"}, all...), code: exitFail, stdout: "ABSENT"},
		{name: "other bytes", args: append([]string{"@changed/acme_tool-1.0-py3-none-any.whl"}, all...), code: exitFail, stdout: "INVALID"},
		{name: "another version of a wheel", args: append([]string{wheel, "--package-version", "1.1"}, all...), code: exitFail, stdout: "ABSENT"},

		{name: "an index that is none", args: []string{"pypi:acme-tool@1.0", "--pypi-index", "index.example"}, code: exitUsage, stderr: "--pypi-index"},
		{name: "a range", args: []string{"pypi:acme-tool@>=1.0"}, code: exitUsage, stderr: "exact version"},
		{name: "no version", args: []string{"pypi:acme-tool"}, code: exitUsage, stderr: "exact version"},
		{name: "no name", args: []string{"pypi:../x@1.0"}, code: exitUsage, stderr: "no name"},
		{name: "qualifiers", args: []string{"pkg:pypi/acme-tool@1.0?file_name=x"}, code: exitUsage, stderr: "qualifiers"},
		{name: "no source", args: []string{wheel, "--attestations", "@dist"}, code: exitUsage, stderr: "--source-uri"},
		{name: "a demand that means nothing", args: append([]string{wheel, "--registry", "https://registry.example/"}, all...), code: exitUsage, stderr: "--registry means nothing"},
		{name: "a wheel that is not there", args: append([]string{"@dist/none-1.0-py3-none-any.whl"}, all...), code: exitUsage, stderr: "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			stdout, stderr := w.run(tt.code, append([]string{"verify"}, tt.args...)...)
			if !strings.Contains(strings.Join(strings.Fields(stdout), " "), tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("standard output %q, want %q\nstandard error %q, want %q", stdout, tt.stdout, stderr, tt.stderr)
			}
		})
	}
}
