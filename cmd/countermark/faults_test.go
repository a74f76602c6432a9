package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countermark/provenance/npm"
	"countermark/provenance/npm/npmtest"

	"github.com/google/go-cmp/cmp"
)

// TestFaultsOfARegistry: whatever a registry does instead of answering gives the
// package its right state, never verified, and all others are still judged. Each
// fault meets a package whose honest answer would be verified.
func TestFaultsOfARegistry(t *testing.T) {
	w := newWorld(t)
	other := npmtest.New()
	elsewhere := httptest.NewServer(other)
	t.Cleanup(elsewhere.Close)
	expired := w.expired()

	// Two faults each: of the packument, and of the attestations.
	always := map[string]struct {
		fault npmtest.Fault
		want  string
	}{
		"busy":     {npmtest.Status(http.StatusTooManyRequests, "Retry-After", "9"), "unavailable"},
		"patience": {npmtest.Status(http.StatusServiceUnavailable, "Retry-After", "86400"), "unavailable"},
		"broken":   {npmtest.Status(http.StatusInternalServerError), "unavailable"},
		"denied":   {npmtest.Status(http.StatusForbidden), "unavailable"},
		"same":     {npmtest.Status(http.StatusNotModified), "unavailable"},
		"hang":     {npmtest.Hang(), "unavailable"},
		"drip":     {npmtest.Drip(), "unavailable"},
		"cut":      {npmtest.Cut(`{"attestations":[`), "unavailable"},
		"short":    {npmtest.Short(`{"attestations":[]}`), "unavailable"},
		"garbage":  {npmtest.Body("<html>welcome to our hotel</html>"), "unavailable"},
		"endless":  {npmtest.Endless(), "unavailable"},
		"bomb":     {npmtest.Bomb(), "unavailable"},
		"hangup":   {npmtest.HangUp(), "unavailable"},
		"loop":     {npmtest.Redirect("/loop"), "unavailable"},
		"moved":    {npmtest.Redirect(elsewhere.URL + "/elsewhere"), "unavailable"},
	}
	want := map[string]string{"good": "verified", "slow": "verified", "later": "verified", "foreign": "invalid", "%40expired/tls": "unavailable"}
	publish := func(name string) { w.release(name, "https://github.com/acme/"+name, w.lock(name)) }
	for _, name := range []string{"good", "slow", "later"} {
		publish(name)
	}
	for _, name := range slices.Sorted(maps.Keys(always)) {
		for _, at := range []string{"-packument", "-attestations"} {
			publish(name + at)
			want[name+at] = always[name].want
		}
		w.registry.FailAlways("/"+name+"-packument", always[name].fault)
		w.registry.FailAlways("/-/npm/v1/attestations/"+name+"-attestations@1.0.0", always[name].fault)
	}
	want["moved-attestations"] = "stripped" // the other host has none
	w.registry.FailAlways("/loop", npmtest.Redirect("/loop"))
	w.lock("@expired/tls")
	w.lock("foreign")
	w.releaseAs("foreign", "good", "https://github.com/acme/good", sha512.Sum512([]byte("good")))
	w.registry.Fail("/slow", pieces(w.registry))
	w.registry.Fail("/later",
		npmtest.Status(http.StatusTooManyRequests, "Retry-After", "3"), npmtest.Status(http.StatusInternalServerError))

	const token = "npm_0123456789abcdefghijklmnopqrstuvwxyz"
	w.registry.RequireToken(token)
	w.write(".npmrc", fmt.Appendf(nil, "%s:_authToken=%s\n@expired:registry=%s\ncafile=%s\n",
		strings.TrimPrefix(w.url, "http:"), token, expired, filepath.Join(w.dir, "ca.pem")))
	var mu sync.Mutex
	var slept time.Duration
	w.adjust = func(p *program) {
		p.transport = nil // what the .npmrc says
		p.client = func(c *npm.Client) {
			c.Timeout = time.Second
			c.Jitter = func() float64 { return 0 }
			c.Sleep = func(ctx context.Context, d time.Duration) error {
				mu.Lock()
				defer mu.Unlock()
				slept = max(slept, d)
				return ctx.Err()
			}
		}
	}
	v := w.check(exitFail, `
version: 1
sources:
  foreign: {repo: https://github.com/acme/good}
  "*": {repo: https://github.com/acme/*}
`, "--registry", w.url)
	if d := cmp.Diff(want, states(v)); d != "" {
		t.Error(d)
	}
	if slept != 9*time.Second {
		t.Errorf("the longest pause was %s: Retry-After says 9s, and a day is not waited for", slept)
	}
	for _, c := range v.Components {
		if c.Provenance != nil && c.Provenance.State == "unavailable" && c.Provenance.Reason == "" {
			t.Errorf("%s: no reason", c.PURL)
		}
	}
	asked := other.Requests()
	if len(asked) == 0 {
		t.Error("the redirect was not followed")
	}
	for _, r := range asked {
		if len(r.Header["Authorization"]) > 0 || strings.Contains(fmt.Sprint(r), token) {
			t.Errorf("credentials followed a redirect to another host: %s", r.Path)
		}
	}
}

// pieces answers honestly, a few bytes at a time.
func pieces(honest http.Handler) npmtest.Fault {
	return func(out http.ResponseWriter, q *http.Request) {
		whole := httptest.NewRecorder()
		honest.ServeHTTP(whole, q)
		for piece := range slices.Chunk(whole.Body.Bytes(), 7) {
			_, _ = out.Write(piece)
			_ = http.NewResponseController(out).Flush()
		}
	}
}

// expired serves with a certificate that is over, signed by an authority that
// the file ca.pem makes trusted. It returns the server's URL.
func (w *world) expired() string {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	server := httptest.NewUnstartedServer(w.registry)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	w.t.Cleanup(server.Close)
	return server.URL + "/"
}
