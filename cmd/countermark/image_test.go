package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countermark/policy"
	"countermark/provenance/oci/ocitest"
	"countermark/provenance/provenancetest"
)

// imageWorld is a container registry of our own, a sigstore of our own, and a
// project whose MCP server is an image.
type imageWorld struct {
	*world

	images  *ocitest.Registry
	host    string
	digest  string
	environ []string
}

const imageRepository = "acme/server"

func newImageWorld(t *testing.T) *imageWorld {
	t.Helper()
	w := &imageWorld{world: newWorld(t), images: ocitest.New()}
	server := httptest.NewServer(w.images)
	t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	w.digest = w.images.Image("server")
	w.launch(w.host + "/" + imageRepository + "@" + w.digest)
	w.write("project/countermark.yaml", fmt.Appendf(nil, `version: 1
sources:
  "oci:%s/%s": {repo: https://github.com/acme/server}
`, w.host, imageRepository))
	return w
}

// launch makes the project's server that image.
func (w *imageWorld) launch(image string) {
	w.write("project/.mcp.json", fmt.Appendf(nil, `{"mcpServers":{"server":{"command":"docker","args":["run","-i","--rm",%q]}}}`, image))
}

// attest pushes a provenance for the digest.
func (w *imageWorld) attest(digest, repository string) []byte {
	w.t.Helper()
	bundle, err := w.sigstore.ProvenanceOf(provenancetest.Build{Version: "1.0.0", Repository: repository}, w.host+"/"+imageRepository, strings.TrimPrefix(digest, "sha256:"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.images.Attest(imageRepository, w.digest, bundle)
	return bundle
}

func (w *imageWorld) purl() string {
	return "pkg:oci/server@" + w.digest + "?repository_url=" + w.host + "/" + imageRepository
}

// run runs one command line and returns its standard output and error.
func (w *imageWorld) run(code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	return w.runWith("root.json", code, args...)
}

// runWith trusts another root.
func (w *imageWorld) runWith(root string, code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	var out, errs bytes.Buffer
	p := &program{
		stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: w.environ,
		home: func() (string, error) { return w.dir, nil }, here: func() (string, error) { return w.dir, nil },
		now: func() time.Time { return provenancetest.Now }, transport: http.DefaultTransport, version: "test",
	}
	args = append(args, "--trusted-root", filepath.Join(w.dir, root), "--npm-keys", filepath.Join(w.dir, "keys.json"))
	if got := p.run(w.t.Context(), args); got != code {
		w.t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// TestCheckImage: a server that docker runs is judged like any package.
func TestCheckImage(t *testing.T) {
	for _, c := range []struct {
		name  string
		setUp func(w *imageWorld)
		args  []string
		code  int
		state string
		rule  string // of a finding about the image
	}{
		{name: "verified", setUp: func(w *imageWorld) { w.attest(w.digest, "https://github.com/acme/server") }, state: "verified"},
		{name: "by the tag in the API's place", setUp: func(w *imageWorld) {
			w.images.NoReferrers = true
			w.attest(w.digest, "https://github.com/acme/server")
		}, state: "verified"},
		{name: "mismatch", setUp: func(w *imageWorld) { w.attest(w.digest, "https://github.com/mallory/server") }, code: exitFail, state: "mismatch", rule: "source-mismatch"},
		{name: "of another image", setUp: func(w *imageWorld) { w.attest(w.images.Image("other"), "https://github.com/acme/server") }, code: exitFail, state: "invalid", rule: "provenance-invalid"},
		{name: "absent", setUp: func(*imageWorld) {}, state: "absent", rule: "provenance-missing"},
		{name: "stripped", setUp: func(w *imageWorld) { w.images.NoReferrers = true }, state: "stripped", rule: "provenance-unavailable"},
		{name: "unavailable", setUp: func(w *imageWorld) {
			w.images.Before = func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(http.StatusForbidden); return true }
		}, state: "unavailable", rule: "provenance-unavailable"},
		{name: "unvouched", setUp: func(w *imageWorld) {
			w.attest(w.digest, "https://github.com/acme/server")
			w.write("project/countermark.yaml", []byte("version: 1\n"))
		}, code: exitFail, state: "unvouched", rule: "source-unvouched"},
		{name: "offline", setUp: func(w *imageWorld) { w.attest(w.digest, "https://github.com/acme/server") }, args: []string{"--offline"}, state: "unavailable", rule: "provenance-unavailable"},
		{name: "offline with its attestation", setUp: func(w *imageWorld) {
			w.write("a.json", w.attest(w.digest, "https://github.com/acme/server"))
		}, args: []string{"--offline", "--attestations", "DIR/a.json"}, state: "verified"},
		{name: "a tag floats", setUp: func(w *imageWorld) { w.launch(w.host + "/" + imageRepository + ":latest") }, code: exitFail, state: "unsupported", rule: "version-floating"},
		{name: "with the user's credentials", setUp: func(w *imageWorld) {
			w.attest(w.digest, "https://github.com/acme/server")
			w.images.User, w.images.Password = "me", "s3cret"
			w.write(".docker/config.json", fmt.Appendf(nil, `{"auths":{%q:{"auth":"bWU6czNjcmV0"}}}`, w.host))
		}, state: "verified"},
		{name: "the project's own credentials are none", setUp: func(w *imageWorld) {
			w.attest(w.digest, "https://github.com/acme/server")
			w.images.User, w.images.Password = "me", "s3cret"
			w.write("project/.docker/config.json", fmt.Appendf(nil, `{"auths":{%q:{"auth":"bWU6czNjcmV0"}}}`, w.host))
		}, state: "unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newImageWorld(t)
			c.setUp(w)
			args := []string{"check", "--format", "json", filepath.Join(w.dir, "project")}
			for _, a := range c.args {
				args = append(args, strings.Replace(a, "DIR", w.dir, 1))
			}
			out, _ := w.run(c.code, args...)
			v := &policy.Verdict{}
			if err := json.Unmarshal([]byte(out), v); err != nil {
				t.Fatal(err)
			}
			state, rules := "", []string{}
			for _, component := range v.Components {
				if strings.HasPrefix(component.PURL, "pkg:oci/") && component.Provenance != nil {
					state = component.Provenance.State
				}
			}
			for _, f := range v.Findings {
				rules = append(rules, f.Rule)
			}
			if state != c.state || c.rule != "" && !strings.Contains(strings.Join(rules, " "), c.rule) {
				t.Errorf("got %s with %v, want %s with %s", state, rules, c.state, c.rule)
			}
			if strings.Contains(out, "s3cret") || strings.Contains(out, "bWU6") {
				t.Error("a password stands in the verdict")
			}
		})
	}
}

// TestContainerCredentials: podman's files are read before Docker's, in its order,
// and one that is named stands alone.
func TestContainerCredentials(t *testing.T) {
	const right, wrong = "bWU6czNjcmV0", "bWU6d3Jvbmc="
	for _, c := range []struct {
		name    string
		files   map[string]string // credentials by file
		environ []string
		code    int
	}{
		{"Docker's", map[string]string{".docker/config.json": right}, nil, exitPass},
		{"podman's", map[string]string{".config/containers/auth.json": right}, nil, exitPass},
		{"podman's before Docker's", map[string]string{".config/containers/auth.json": right, ".docker/config.json": wrong}, nil, exitPass},
		{"of the session before the lasting ones", map[string]string{"run/containers/auth.json": right, ".config/containers/auth.json": wrong}, []string{"XDG_RUNTIME_DIR=@/run"}, exitPass},
		{"of another folder", map[string]string{"xdg/containers/auth.json": right, ".config/containers/auth.json": wrong}, []string{"XDG_CONFIG_HOME=@/xdg"}, exitPass},
		{"the named one alone", map[string]string{"named.json": right, ".config/containers/auth.json": wrong}, []string{"REGISTRY_AUTH_FILE=@/named.json"}, exitPass},
		{"no other beside the named one", map[string]string{".docker/config.json": right}, []string{"REGISTRY_AUTH_FILE=@/named.json"}, exitUnknown},
		{"the first that knows the registry counts", map[string]string{".config/containers/auth.json": wrong, ".docker/config.json": right}, nil, exitUnknown},
		{"none", nil, nil, exitUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newImageWorld(t)
			w.attest(w.digest, "https://github.com/acme/server")
			w.images.User, w.images.Password = "me", "s3cret"
			for name, auth := range c.files {
				w.write(name, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, w.host, auth))
			}
			for _, kv := range c.environ {
				w.environ = append(w.environ, strings.Replace(kv, "@", w.dir, 1))
			}
			w.run(c.code, "verify", w.purl(), "--source-uri", "https://github.com/acme/server")
		})
	}
}

// TestVerifyImage: an image is a subject of verify, by its package URL.
func TestVerifyImage(t *testing.T) {
	w := newImageWorld(t)
	w.attest(w.digest, "https://github.com/acme/server")
	source := []string{"--source-uri", "https://github.com/acme/server"}
	for _, c := range []struct {
		name string
		arg  string
		args []string
		code int
		want string
	}{
		{"verified", w.purl(), source, exitPass, "verified"},
		{"with its tag", w.purl() + "&tag=1.0", source, exitPass, "verified"},
		{"mismatch", w.purl(), []string{"--source-uri", "https://github.com/acme/other"}, exitFail, "mismatch"},
		{"nobody vouches", w.purl(), nil, exitFail, "unvouched"},
		{"another registry", strings.Replace(w.purl(), w.host, "127.0.0.1:1", 1), source, exitUnknown, "unavailable"},
		{"a tag", "pkg:oci/server@latest?repository_url=" + w.host + "/" + imageRepository, source, exitUsage, "pinned by its digest"},
		{"no registry", "pkg:oci/server@" + w.digest, source, exitUsage, "no repository_url"},
		{"another name", strings.Replace(w.purl(), "pkg:oci/server", "pkg:oci/other", 1), source, exitUsage, "another image's"},
		{"unknown qualifier", w.purl() + "&x=y", source, exitUsage, "qualifier x"},
		{"a namespace", strings.Replace(w.purl(), "pkg:oci/server", "pkg:oci/acme/server", 1), source, exitUsage, "neither namespace nor path"},
		{"npm's registry", w.purl(), append([]string{"--registry", "https://registry.example/"}, source...), exitUsage, "--registry means nothing for an image"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			out, errs := w.run(c.code, append([]string{"verify", c.arg}, c.args...)...)
			if !strings.Contains(strings.ToLower(out+errs), c.want) {
				t.Errorf("got %s%s, want %q", out, errs, c.want)
			}
		})
	}
}
