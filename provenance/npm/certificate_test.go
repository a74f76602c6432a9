package npm_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/npm/npmtest"
)

// clientPair is a new client certificate and its private key, in PEM.
func clientPair(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// tlsRegistry serves over TLS and notes who came with a certificate.
type tlsRegistry struct {
	*httptest.Server

	mu    sync.Mutex
	known []bool // by request: a certificate came with it
}

func serveTLS(t *testing.T, h http.Handler, demand tls.ClientAuthType) *tlsRegistry {
	t.Helper()
	r := &tlsRegistry{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.known = append(r.known, len(req.TLS.PeerCertificates) > 0)
		r.mu.Unlock()
		h.ServeHTTP(w, req)
	}))
	r.TLS = &tls.Config{ClientAuth: demand, MinVersion: tls.VersionTLS12}
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // refused handshakes are the point
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func (r *tlsRegistry) host() string { return "//" + strings.TrimPrefix(r.URL, "https://") + "/" }

// TestClientCertificate: a client certificate goes to the registry that it is
// for, and to nobody else.
func TestClientCertificate(t *testing.T) {
	registry := npmtest.New()
	registry.Attest("@acme/tool", "1.2.3", predicate, []byte(bundle))
	server := serveTLS(t, registry, tls.RequireAnyClientCert)
	curious := serveTLS(t, registry, tls.RequestClientCert)

	cert, key := clientPair(t)
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	quoted := func(data []byte) string { return `"` + strings.ReplaceAll(string(data), "\n", `\n`) + `"` }
	files := "certfile=" + file("c.pem", cert) + "\n%skeyfile=" + file("k.pem", key)
	cafile := "cafile=" + file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})) + "\n"
	bound := func(host string) string { return host + ":" + fmt.Sprintf(files, host+":") }

	client := func(t *testing.T, url, user string, project *npm.File) *npm.Client {
		t.Helper()
		c, _ := newClient(t, url, npm.Sources{User: npmrc(t, "user", cafile+user), Project: project})
		var err error
		if c.Certificates, err = c.Config.Certificates(os.ReadFile); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			if text := fmt.Sprintf(verb, c.Certificates); text != "REDACTED" {
				t.Errorf("%s prints %s", verb, text)
			}
		}
		return c
	}
	for name, c := range map[string]struct {
		user    string
		project *npm.File
		found   bool
	}{
		"files of the host":       {user: bound(server.host()), found: true},
		"texts of the host":       {user: server.host() + ":cert=" + quoted(cert) + "\n" + server.host() + ":key=" + quoted(key), found: true},
		"texts with a literal n":  {user: server.host() + ":cert='" + strings.ReplaceAll(string(cert), "\n", `\n`) + "'\n" + server.host() + ":key='" + strings.ReplaceAll(string(key), "\n", `\n`) + "'", found: true},
		"texts of no host":        {user: "cert=" + quoted(cert) + "\nkey=" + quoted(key), found: true},
		"none":                    {},
		"of another host":         {user: bound(curious.host())},
		"of another path":         {user: bound(server.host() + "other/")},
		"a half":                  {user: server.host() + ":certfile=" + filepath.Join(dir, "c.pem")},
		"of the project, files":   {project: npmrc(t, ".npmrc", bound(server.host()))},
		"of the project, general": {project: npmrc(t, ".npmrc", "cert="+quoted(cert)+"\nkey="+quoted(key))},
	} {
		t.Run(name, func(t *testing.T) {
			set := ask(t, client(t, server.URL, c.user, c.project), tool)
			if found := set.Availability == provenance.Found; found != c.found || !found && set.Availability != provenance.Unreachable {
				t.Errorf("got %+v", set)
			}
		})
	}
	t.Run("a redirect to another host", func(t *testing.T) {
		before := len(curious.known)
		registry.Fail(attPath, npmtest.Redirect(curious.URL+attPath))
		set := ask(t, client(t, server.URL, bound(server.host()), nil), tool)
		if set.Availability != provenance.Found || len(curious.known) == before {
			t.Errorf("the redirect was not followed: %+v", set)
		}
		for _, known := range curious.known[before:] {
			if known {
				t.Error("the certificate followed a redirect")
			}
		}
	})
	t.Run("a redirect from another host", func(t *testing.T) {
		// Another host must not use what is the user's own at this one.
		before := len(server.known)
		registry.Fail(attPath, npmtest.Redirect(server.URL+attPath))
		set := ask(t, client(t, curious.URL, bound(server.host()), nil), tool) // the next attempt is not redirected
		if set.Availability != provenance.Found || len(server.known) > before {
			t.Errorf("the certificate was used for another host's redirect: %+v", set)
		}
	})
	t.Run("files that cannot be used", func(t *testing.T) {
		other, _ := clientPair(t)
		for what, lines := range map[string]string{
			"missing":         "//h.example/:certfile=/nosuch.pem\n//h.example/:keyfile=" + filepath.Join(dir, "k.pem"),
			"a missing key":   "//h.example/:certfile=" + filepath.Join(dir, "c.pem") + "\n//h.example/:keyfile=/nosuch.pem",
			"no certificate":  "//h.example/:certfile=" + filepath.Join(dir, "k.pem") + "\n//h.example/:keyfile=" + filepath.Join(dir, "k.pem"),
			"of another":      "//h.example/:certfile=" + file("o.pem", other) + "\n//h.example/:keyfile=" + filepath.Join(dir, "k.pem"),
			"text of nothing": "cert=abc\nkey=abc",
		} {
			cfg, err := npm.NewConfig(npm.Sources{User: npmrc(t, "user", lines)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = cfg.Certificates(os.ReadFile)
			if e, ok := errors.AsType[*npm.ConfigError](err); !ok || e.Hint == "" || e.Line == 0 {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
