package main

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // what old lockfiles have
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countermark/policy"
	"countermark/provenance/npm"
	"countermark/provenance/npm/npmtest"
	"countermark/provenance/provenancetest"

	"github.com/google/go-cmp/cmp"
)

func tarballPath(name string) string { return "/" + name + "/-/" + name + "-1.0.0.tgz" }

// impatient never sleeps, and bounds what it fetches.
func impatient(c *npm.Client) {
	c.MaxTarball = 64 << 10
	c.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
}

// TestFetchTarballs: the bytes that a registry serves have to be those that
// lockfile, packument and both attestations name. Every package but its tarball
// would be verified.
func TestFetchTarballs(t *testing.T) {
	w := newWorld(t)
	other := npmtest.New()
	elsewhere := httptest.NewServer(other)
	t.Cleanup(elsewhere.Close)
	stranger := npmtest.New()
	untrusted := httptest.NewServer(stranger)
	t.Cleanup(untrusted.Close)
	w.adjust = func(p *program) { p.client = impatient }

	gzipped := func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Encoding", "gzip")
		_, _ = out.Write([]byte("zipped"))
	}
	want := map[string]string{}
	publish := func(name, state string, tarball npmtest.Fault) map[string]any {
		w.release(name, "https://github.com/acme/"+name, w.lock(name))
		w.registry.FailAlways(tarballPath(name), tarball)
		want[name] = state
		entry, _ := w.packages["node_modules/"+name].(map[string]any)
		return entry
	}
	publish("good", "verified", npmtest.Body("good"))
	publish("swapped", "invalid", npmtest.Body("evil"))
	publish("cut", "unavailable", npmtest.Cut("cut"))
	publish("endless", "unavailable", npmtest.Endless())
	publish("hangup", "unavailable", npmtest.HangUp())
	publish("gone", "unavailable", npmtest.Status(http.StatusNotFound))
	publish("loop", "unavailable", npmtest.Redirect(tarballPath("loop")))
	publish("zipped", "unavailable", gzipped)
	publish("moved", "verified", npmtest.Redirect(elsewhere.URL+"/moved"))
	other.FailAlways("/moved", npmtest.Body("moved"))
	publish("foreign", "unavailable", npmtest.Body("foreign"))["resolved"] = untrusted.URL + tarballPath("foreign")
	publish("trusted", "verified", npmtest.Body("evil"))["resolved"] = elsewhere.URL + tarballPath("trusted")
	other.FailAlways(tarballPath("trusted"), npmtest.Body("trusted"))
	delete(publish("open", "verified", npmtest.Body("open")), "integrity")

	// Of other digests the bytes make one that attestations bind, but SHA-1 is none.
	s1 := sha1.Sum([]byte("sha1")) //nolint:gosec // as above
	publish("sha1", "unsupported", npmtest.Body("sha1"))["integrity"] = "sha1-" + base64.StdEncoding.EncodeToString(s1[:])
	s256 := sha256.Sum256([]byte("sha256"))
	publish("sha256", "verified", npmtest.Body("sha256"))["integrity"] = "sha256-" + base64.StdEncoding.EncodeToString(s256[:])
	publish("collision", "invalid", npmtest.Body("evil"))["integrity"] = "sha256-" + base64.StdEncoding.EncodeToString(s256[:])

	// What nobody attests has bytes all the same.
	w.describe("plain", w.lock("plain"), nil)
	w.registry.FailAlways(tarballPath("plain"), npmtest.Body("evil"))
	want["plain"] = "invalid"

	const token = "npm_0123456789abcdefghijklmnopqrstuvwxyz"
	w.write(".npmrc", fmt.Appendf(nil, "%s:_authToken=%s\n", strings.TrimPrefix(w.url, "http:"), token))
	pol := "version: 1\nsources: {\"*\": {repo: \"https://github.com/acme/*\"}}\nregistries: [\"" + elsewhere.URL + "/\"]\n"
	v := w.check(exitFail, pol, "--registry", w.url, "--fetch-tarballs")
	if d := cmp.Diff(want, states(v)); d != "" {
		t.Error(d)
	}
	for _, c := range v.Components {
		if c.Provenance == nil {
			continue
		}
		held := 0
		for _, check := range c.Provenance.Checks {
			if check.Name == "tarball-digest" && check.OK {
				held++
			}
		}
		switch name := strings.TrimSuffix(strings.TrimPrefix(c.PURL, "pkg:npm/"), "@1.0.0"); {
		case name == "good" && held != 3:
			t.Errorf("the tarball was compared %d times: lockfile, packument and attestations name a digest", held)
		case name == "open" && c.Provenance.DigestFrom != "tarball":
			t.Errorf("without a lockfile's digest it is from %s", c.Provenance.DigestFrom)
		case c.Provenance.State == "unavailable" && c.Provenance.Reason == "":
			t.Errorf("%s: no reason", name)
		}
	}
	sent := 0
	for _, r := range w.registry.Requests() {
		if r.Path == tarballPath("moved") && r.Header.Get("Authorization") == "Bearer "+token {
			sent++
		}
	}
	if sent != 1 {
		t.Errorf("the registry's own host was sent the credentials %d times", sent)
	}
	for _, r := range other.Requests() {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("credentials followed to another host: %s", r.Path)
		}
	}
	if asked := stranger.Requests(); len(asked) > 0 {
		t.Errorf("a host that only the lockfile names was asked: %v", asked)
	}
	w.check(exitUsage, pol, "--fetch-tarballs", "--offline")
	w.check(exitUsage, pol+"offline: true\n", "--fetch-tarballs")
}

// TestVerifyFetchesTarballs: without a lockfile the tarball's own digest is what
// is verified.
func TestVerifyFetchesTarballs(t *testing.T) {
	w := newWorld(t)
	w.release("a", "https://github.com/acme/a", sha512.Sum512([]byte("a")))
	w.describe("a", sha512.Sum512([]byte("a")), func(d *npmtest.Details) { d.Tarball = w.url + "bytes.tgz" })
	verify := func(code int, state, from string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		p := &program{
			stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, home: func() (string, error) { return w.dir, nil },
			here: os.Getwd, now: func() time.Time { return provenancetest.Now }, transport: http.DefaultTransport, client: impatient,
		}
		args = append([]string{
			"verify", "npm:a@1.0.0", "--source-uri", "https://github.com/acme/a", "--format", "json", "--registry", w.url,
			"--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
		}, args...)
		if got := p.run(t.Context(), args); got != code {
			t.Fatalf("exit code %d, want %d\n%s%s", got, code, &stdout, &stderr)
		}
		var v struct{ Results []policy.ComponentVerdict }
		if err := json.Unmarshal(stdout.Bytes(), &v); err != nil || len(v.Results) != 1 {
			t.Fatal(err, stdout.String())
		}
		if r := v.Results[0].Provenance; r.State != state || r.DigestFrom != from {
			t.Errorf("%v: %s by the digest of %q, want %s of %q", args, r.State, r.DigestFrom, state, from)
		}
	}
	verify(exitPass, "verified", "publish-attestation")
	for _, served := range []string{"a", "b", "a"} {
		w.registry.Fail("/bytes.tgz", npmtest.Body(served))
	}
	verify(exitPass, "verified", "tarball", "--fetch-tarballs")
	verify(exitFail, "invalid", "", "--fetch-tarballs")

	// Local attestations end the search for attestations, not that for the bytes.
	answer := httptest.NewRecorder()
	w.registry.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/-/npm/v1/attestations/a@1.0.0", nil))
	w.write("a.json", answer.Body.Bytes())
	verify(exitPass, "verified", "tarball", "--fetch-tarballs", "--attestations", filepath.Join(w.dir, "a.json"))
	verify(exitUnknown, "unavailable", "publish-attestation", "--fetch-tarballs", "--attestations", filepath.Join(w.dir, "a.json"))
}
