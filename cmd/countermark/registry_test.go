package main

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countermark/policy"
	"countermark/provenance/npm/npmtest"
	"countermark/provenance/provenancetest"

	"github.com/google/go-cmp/cmp"
)

// world is a registry of our own, a sigstore of our own, and a project that
// depends on what the registry serves.
type world struct {
	t        testing.TB
	dir      string
	url      string
	registry *npmtest.Registry
	sigstore *provenancetest.Sigstore
	packages map[string]any // entries of the lockfile
	adjust   func(*program) // nil: nothing
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), registry: npmtest.New(), packages: map[string]any{"": map[string]any{"name": "project", "version": "1.0.0"}}}
	server := httptest.NewServer(w.registry)
	t.Cleanup(server.Close)
	w.url = server.URL + "/"
	var err error
	if w.sigstore, err = provenancetest.New(); err != nil {
		t.Fatal(err)
	}
	root, err := w.sigstore.TrustedRoot()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := w.sigstore.NPMKeys()
	if err != nil {
		t.Fatal(err)
	}
	w.write("root.json", root)
	w.write("keys.json", keys)
	return w
}

func (w *world) write(name string, data []byte) {
	w.t.Helper()
	name = filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// lock adds name@1.0.0 to the lockfile and returns its digest.
func (w *world) lock(name string) [sha512.Size]byte {
	sum := sha512.Sum512([]byte(name))
	w.packages["node_modules/"+name] = map[string]any{
		"version": "1.0.0", "resolved": w.url + name + "/-/" + name[strings.LastIndex(name, "/")+1:] + "-1.0.0.tgz",
		"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
	}
	return sum
}

// describe publishes name@1.0.0, old and signed by the registry, with what change
// makes of it.
func (w *world) describe(name string, sum [sha512.Size]byte, change func(*npmtest.Details)) {
	w.t.Helper()
	d := npmtest.Details{
		Integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:]), Published: "2020-01-02T00:00:00Z", Publisher: "ann",
	}
	d.Signatures = w.sign(w.sigstore, name, d.Integrity)
	if change != nil {
		change(&d)
	}
	w.registry.Describe(name, "1.0.0", d)
}

// sign signs name@1.0.0 with the registry's key of a sigstore.
func (w *world) sign(by *provenancetest.Sigstore, name, integrity string) []npmtest.Signature {
	w.t.Helper()
	sig, err := by.SignRelease(name, "1.0.0", integrity)
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := by.KeyID()
	if err != nil {
		w.t.Fatal(err)
	}
	return []npmtest.Signature{{KeyID: id, Sig: base64.StdEncoding.EncodeToString(sig)}}
}

// release publishes name@1.0.0 with npm's set of attestations for that digest.
func (w *world) release(name, repository string, sum [sha512.Size]byte) {
	w.t.Helper()
	w.releaseAs(name, name, repository, sum)
}

// releaseAs serves for name what is signed for another.
func (w *world) releaseAs(name, signed, repository string, sum [sha512.Size]byte) {
	w.t.Helper()
	publish, provenance, err := w.sigstore.Set(provenancetest.Build{
		Package: signed, Version: "1.0.0", SHA512: hex.EncodeToString(sum[:]), Registry: w.url, Repository: repository,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.describe(name, sum, nil)
	for _, bundle := range [][]byte{publish, provenance} {
		predicate, err := provenancetest.PredicateType(bundle)
		if err != nil {
			w.t.Fatal(err)
		}
		w.registry.Attest(name, "1.0.0", predicate, bundle)
	}
}

// project writes the lockfile and the policy.
func (w *world) project(policyText string) {
	w.t.Helper()
	lock, err := json.Marshal(map[string]any{"name": "project", "version": "1.0.0", "lockfileVersion": 3, "packages": w.packages})
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("project/package-lock.json", lock)
	w.write("project/countermark.yaml", []byte(policyText))
}

// program is one run of the program in this world.
func (w *world) program(stdout, stderr io.Writer) *program {
	return &program{
		stdin: strings.NewReader(""), stdout: stdout, stderr: stderr,
		home: func() (string, error) { return w.dir, nil }, here: os.Getwd,
		now: func() time.Time { return provenancetest.Now }, transport: http.DefaultTransport, version: "test",
	}
}

// check runs check on the project with that policy and returns its verdict.
func (w *world) check(code int, policyText string, args ...string) *policy.Verdict {
	w.t.Helper()
	got, stdout, stderr := w.run(w.t.Context(), policyText, args...)
	if got != code {
		w.t.Errorf("exit code %d, want %d\n%s%s", got, code, stdout, stderr)
	}
	v := &policy.Verdict{}
	if code != exitUsage {
		if err := json.Unmarshal([]byte(stdout), v); err != nil {
			w.t.Fatalf("%v\n%s", err, stderr)
		}
	}
	return v
}

// run runs check on the project with that policy.
func (w *world) run(ctx context.Context, policyText string, args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	w.project(policyText)
	var out, messages bytes.Buffer
	p := w.program(&out, &messages)
	args = append([]string{
		"check", "--format", "json", "--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
		filepath.Join(w.dir, "project"),
	}, args...)
	if w.adjust != nil {
		w.adjust(p)
	}
	code = p.run(ctx, args)
	return code, out.String(), messages.String()
}

func states(v *policy.Verdict) map[string]string {
	out := map[string]string{}
	for _, c := range v.Components {
		if c.Provenance != nil {
			out[strings.TrimSuffix(strings.TrimPrefix(c.PURL, "pkg:npm/"), "@1.0.0")] = c.Provenance.State
		}
	}
	return out
}

// TestStatesFromARegistry shows every state from what a registry serves over HTTP.
func TestStatesFromARegistry(t *testing.T) {
	w := newWorld(t)
	const acme, mallory = "https://github.com/acme/", "https://github.com/mallory/"
	w.release("good", acme+"good", w.lock("good"))
	w.release("@acme/scoped", acme+"scoped", w.lock("@acme/scoped"))
	w.release("moved", mallory+"moved", w.lock("moved"))
	w.release("impostor", mallory+"impostor", w.lock("impostor"))
	swapped := w.lock("swapped")
	w.release("swapped", acme+"swapped", sha512.Sum512([]byte("other bytes")))
	w.describe("swapped", swapped, nil)
	w.describe("plain", w.lock("plain"), nil)
	w.describe("promised", w.lock("promised"), nil)
	w.registry.Promise("promised", "1.0.0")
	w.describe("no-loss", w.lock("no-loss"), nil)
	w.registry.Promise("no-loss", "1.0.0-rc.1")
	w.registry.Promise("no-loss", "1.0.0-rc.2")
	w.registry.Promise("no-loss", "0.9.0")
	w.describe("lost", w.lock("lost"), nil)
	w.registry.Describe("lost", "1.0.1", npmtest.Details{Published: "2020-01-01T00:00:00Z"})
	w.registry.Promise("lost", "1.0.1")
	w.lock("unknown")
	w.packages["node_modules/git"] = map[string]any{"version": "1.0.0", "resolved": "git+ssh://git@github.com/acme/git.git#0123456789abcdef0123456789abcdef01234567"}

	v := w.check(exitFail, `
version: 1
sources:
  good: {repo: https://github.com/acme/good}
  "@acme/*": {repo: https://github.com/acme/*, owner_id: 2002, ref: refs/tags/v*, workflow: .github/workflows/release.yml}
  moved: {repo: https://github.com/acme/moved}
  swapped: {repo: https://github.com/acme/swapped}
registries: ["`+w.url+`"]
`, "--registry", w.url)
	want := map[string]string{
		"good": "verified", "%40acme/scoped": "verified", "moved": "mismatch", "impostor": "unvouched", "swapped": "invalid",
		"plain": "absent", "promised": "stripped", "no-loss": "absent", "lost": "lost", "unknown": "unavailable",
		"git@1.0.0?vcs_url=git%2Bssh:%2F%2Fgithub.com%2Facme%2Fgit.git%230123456789abcdef0123456789abcdef01234567": "unsupported",
	}
	if d := cmp.Diff(want, states(v)); d != "" {
		t.Error(d)
	}
	for _, f := range v.Findings {
		if f.Rule == "registry-untrusted" {
			t.Errorf("the flag's registry is trusted: %+v", f)
		}
	}
}

// TestUnavailableIsUnknown: what the policy needs and cannot have makes the
// verdict unknown, never pass.
func TestUnavailableIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.describe("a", w.lock("a"), nil)
	w.registry.RequireToken("secret")
	const demand = `
version: 1
sources: {a: {repo: https://github.com/acme/a}}
rules:
  provenance-unavailable: {severity: error}
`
	v := w.check(exitUnknown, demand, "--registry", w.url)
	if s := states(v)["a"]; s != "unavailable" || v.Verdict != policy.Unknown {
		t.Errorf("state %s, verdict %s", s, v.Verdict)
	}
	w.check(exitUnknown, demand, "--registry", w.url, "--offline")
	// With the token from the user's own .npmrc the registry answers.
	w.write(".npmrc", fmt.Appendf(nil, "%s:_authToken=secret\n", strings.TrimPrefix(w.url, "http:")))
	v = w.check(exitPass, demand, "--registry", w.url)
	if s := states(v)["a"]; s != "absent" {
		t.Errorf("state %s", s)
	}
}

// TestProjectNpmrcIsAnAttackers: the project's own .npmrc chooses a registry and
// no more, and what it tries beyond that is a finding.
func TestProjectNpmrcIsAnAttackers(t *testing.T) {
	w := newWorld(t)
	w.describe("a", w.lock("a"), nil)
	host := strings.TrimPrefix(w.url, "http:")
	w.write("project/.npmrc", fmt.Appendf(nil, "registry=%s\n%s:_authToken=${HOME}\nstrict-ssl=false\n", w.url, host))
	v := w.check(exitFail, "version: 1\n")
	rules := map[string]int{}
	for _, f := range v.Findings {
		rules[f.Rule]++
	}
	if rules["npmrc-unsafe"] < 2 {
		t.Errorf("npmrc-unsafe is found %d times", rules["npmrc-unsafe"])
	}
	if rules["registry-untrusted"] != 1 {
		t.Error("a registry that only the project names satisfies registry-untrusted")
	}
	for _, r := range w.registry.Requests() {
		if r.Header.Get("Authorization") != "" {
			t.Error("the project's file sent a variable of ours to its registry")
		}
	}
	w.write("project/.npmrc", []byte("registry\x00=\n[oops\n\"unterminated"))
	w.write(".npmrc", []byte("registry = not a url\n"))
	w.check(exitUsage, "version: 1\n")
}
