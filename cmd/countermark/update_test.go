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
	"countermark/provenance/trust"
	"countermark/provenance/trust/tuftest"
)

// person runs commands at a fixed time, with a cache of their own.
type person struct {
	t      *testing.T
	dir    string
	now    time.Time
	public trust.Instance
	stdout bytes.Buffer
	stderr bytes.Buffer
	env    []string
}

func newPerson(t *testing.T, now time.Time) *person {
	t.Helper()
	p := &person{t: t, dir: t.TempDir(), now: now}
	t.Chdir(p.dir)
	return p
}

func (p *person) run(code int, args ...string) {
	p.t.Helper()
	p.stdout.Reset()
	p.stderr.Reset()
	folder := func() (string, error) { return p.dir, nil }
	program := &program{
		stdin: strings.NewReader(""), stdout: &p.stdout, stderr: &p.stderr, version: "test", environ: p.env,
		home: folder, here: folder, now: func() time.Time { return p.now },
		public: p.public,
		cache:  func() (string, error) { return filepath.Join(p.dir, "cache"), nil },
	}
	if got := program.run(p.t.Context(), args); got != code {
		p.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, &p.stdout, &p.stderr)
	}
}

func (p *person) write(name string, data []byte, err error) {
	p.t.Helper()
	if err == nil {
		err = os.WriteFile(filepath.Join(p.dir, name), data, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) said(parts ...string) {
	p.t.Helper()
	for _, part := range parts {
		if !strings.Contains(p.stderr.String(), part) {
			p.t.Errorf("stderr has no %q:\n%s", part, &p.stderr)
		}
	}
}

// A company's own sigstore: its root is fetched by TUF, and files signed with it
// verify with that root alone.
func TestTrustUpdateOwnInstance(t *testing.T) {
	own, err := provenancetest.New()
	if err != nil {
		t.Fatal(err)
	}
	at := provenancetest.Now
	root, err := own.TrustedRoot()
	if err != nil {
		t.Fatal(err)
	}
	repo, err := tuftest.New(at.AddDate(0, 0, 7))
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Publish(map[string][]byte{"trusted_root.json": root}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(repo)
	t.Cleanup(server.Close)

	p := newPerson(t, at)
	p.write("tuf.json", repo.Root(), nil)
	build := provenancetest.Build{Package: "app", Version: "1.0.0", Repository: "https://github.com/acme/app"}
	bundle, err := own.SignFile([]byte("content"), build.Identity())
	p.write("app.sigstore.json", bundle, err)
	p.write("app", []byte("content"), nil)

	update := []string{"trust", "update", "--mirror", server.URL, "--root", "tuf.json", "--output", "acme.json"}
	p.run(0, update...)
	if got, err := os.ReadFile("acme.json"); err != nil || !bytes.Equal(got, root) {
		t.Errorf("the root is another: %v", err)
	}
	if !strings.Contains(p.stdout.String(), "valid until 2026-01-22") {
		t.Errorf("stdout: %s", &p.stdout)
	}
	verify := []string{"verify", "app", "--bundle", "app.sigstore.json", "--source-uri", "https://github.com/acme/app"}
	p.run(0, append(verify, "--trusted-root", "acme.json")...)
	p.run(1, verify...) // the embedded root knows nothing of it, updated or not

	p.run(0, append(update[:len(update)-1], "-")...)
	if !bytes.Equal(p.stdout.Bytes(), root) {
		t.Errorf("stdout: %s", &p.stdout)
	}

	p.env = []string{"SOURCE_DATE_EPOCH=1768478400"} // not long before it expires
	p.run(0, update...)
	p.said("is judged as of 2026-01-15T12:00:00Z, which SOURCE_DATE_EPOCH says", "hint: unset SOURCE_DATE_EPOCH")
	p.env = nil

	repo.Fault(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	p.run(3, update...)
	p.said("could not be updated", "503", "hint: check the network and --mirror")
	for location, words := range map[string]string{
		"http://127.0.0.1:1/?token=s3cret":                   "the connection to 127.0.0.1:1 broke",
		"http://me:s3cret@127.0.0.1:1/":                      "redirects to a URL with credentials in it",
		server.URL + "/s3cret/1.root.json":                   "redirects more than 5 times",
		"https://" + server.URL[len("http://"):] + "/s3cret": "broke",
	} {
		repo.Fault(func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, location, http.StatusFound)
			return true
		})
		p.run(3, update...)
		p.said("could not be updated", words)
		if strings.Contains(p.stderr.String(), "s3cret") {
			t.Errorf("a secret is told: %s", &p.stderr)
		}
	}
	repo.Fault(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	p.run(3, append(update, "--timeout", "50ms")...)
	p.said("it took longer than --timeout allows")
	server.Close()
	p.run(3, update...)
	p.said("could not be updated", "hint:")
}

// What the public instance's repository brought is used in place of what is
// embedded, until it expires.
func TestTrustUpdateIsUsed(t *testing.T) {
	at, err := time.Parse(time.DateOnly, trust.AsOf)
	if err != nil {
		t.Fatal(err)
	}
	at = at.Add(12 * time.Hour)
	own, err := provenancetest.New()
	if err != nil {
		t.Fatal(err)
	}
	root, err := own.TrustedRoot()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := own.NPMKeys()
	if err != nil {
		t.Fatal(err)
	}
	repo, err := tuftest.New(at.AddDate(0, 0, 7))
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Publish(map[string][]byte{"trusted_root.json": root, "registry.example/keys.json": keys}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(repo)
	t.Cleanup(server.Close)
	p := newPerson(t, at)
	p.public = trust.Instance{Name: "public", Mirror: server.URL, Root: repo.Root(), KeysTarget: "registry.example/keys.json"}
	p.write("root.json", root, nil)
	p.write("package-lock.json", []byte(`{"name":"a","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"a","version":"1.0.0"}}}`), nil)

	used := func(source, asOf string, args ...string) {
		t.Helper()
		p.run(0, append([]string{"trust", "show", "--format", "json"}, args...)...)
		var s trust.Summary
		if err := json.Unmarshal(p.stdout.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if s.TrustedRoot.Source != source || s.TrustedRoot.AsOf != asOf {
			t.Errorf("show: %+v, want %s as of %s", s.TrustedRoot, source, asOf)
		}
		p.run(0, append([]string{"check", "--offline", "--format", "json"}, args...)...)
		var v policy.Verdict
		if err := json.Unmarshal(p.stdout.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if v.Trust.TrustedRoot.Source != source || v.Trust.TrustedRoot.AsOf != asOf {
			t.Errorf("verdict: %+v, want %s as of %s", v.Trust.TrustedRoot, source, asOf)
		}
	}
	quiet := func() {
		t.Helper()
		if p.stderr.Len() > 0 {
			t.Errorf("stderr: %s", &p.stderr)
		}
	}
	used(trust.SourceEmbedded, trust.AsOf)
	quiet()
	p.run(0, "trust", "update")
	used(trust.SourceTUF, trust.AsOf)
	quiet()
	p.run(0, "trust", "show")
	if !strings.Contains(p.stdout.String(), "trusted root  tuf, as of "+trust.AsOf) {
		t.Errorf("stdout: %s", &p.stdout)
	}
	used(trust.SourceFile, "", "--trusted-root", "root.json")
	used(trust.SourceEmbedded, trust.AsOf, "--cache-dir", "another")

	p.now = at.AddDate(0, 0, 8)
	used(trust.SourceEmbedded, trust.AsOf)
	p.said("is not used, but the embedded one of "+trust.AsOf, "expired", "hint: run `countermark trust update`")

	// One from before this program was built is not newer than what is embedded.
	p.now = at.AddDate(0, 0, -2)
	p.run(0, "trust", "update")
	used(trust.SourceEmbedded, trust.AsOf)
	quiet()

	if err := os.WriteFile(filepath.Join(p.dir, "cache", "countermark", "trust", "public.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	used(trust.SourceEmbedded, trust.AsOf)
	p.said("cannot be read", "hint: run `countermark trust update`")
}
