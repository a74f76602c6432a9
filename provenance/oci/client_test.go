package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"countermark/provenance"
	"countermark/provenance/oci/ocitest"
	"countermark/sbom"
)

const repository = "acme/server"

// world is a registry with one image.
type world struct {
	*ocitest.Registry

	host   string
	digest string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Registry: ocitest.New()}
	server := httptest.NewServer(w.Registry)
	t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	w.digest = w.Image("server")
	return w
}

func (w *world) subject() provenance.Subject {
	return provenance.Subject{
		Ecosystem: sbom.OCI, Name: "server", Version: w.digest,
		PURL: "pkg:oci/server@" + url.QueryEscape(w.digest) + "?repository_url=" + url.QueryEscape(w.host+"/"+repository) + "&tag=1",
	}
}

func client() *Client {
	return &Client{wait: func(int, *http.Response) time.Duration { return time.Millisecond }}
}

func bundle(n int) []byte { return fmt.Appendf(nil, `{"bundle":%d}`, n) }

func ask(t *testing.T, c *Client, w *world) provenance.Set {
	t.Helper()
	set, err := c.Attestations(t.Context(), w.subject())
	if err != nil {
		t.Fatal(err)
	}
	if set.Availability != provenance.Found && (set.Reason == "" || set.Hint == "") && set.Availability != provenance.None {
		t.Errorf("%s without reason or hint: %+v", set.Availability, set)
	}
	return set
}

// TestAttestations: what a registry that works has, in each of its forms.
func TestAttestations(t *testing.T) {
	for _, c := range []struct {
		name  string
		push  func(w *world)
		want  provenance.Availability
		found int
	}{
		{"one", func(w *world) { w.Attest(repository, w.digest, bundle(1)) }, provenance.Found, 1},
		{"two referrers, three bundles", func(w *world) {
			w.Attest(repository, w.digest, bundle(1), bundle(2))
			w.Attest(repository, w.digest, bundle(3))
		}, provenance.Found, 3},
		{"pages", func(w *world) {
			w.PageSize = 2
			for i := range 7 {
				w.Attest(repository, w.digest, bundle(i))
			}
		}, provenance.Found, 7},
		{"listed twice", func(w *world) { w.Refer(repository, w.digest, w.Attest(repository, w.digest, bundle(1))) }, provenance.Found, 1},
		{"a list without types", func(w *world) {
			d := w.Attest(repository, "sha256:"+strings.Repeat("0", 64), bundle(1))
			d = w.Manifest(d.MediaType, must(json.Marshal(map[string]any{
				"schemaVersion": 2, "subject": ocitest.Descriptor{Digest: w.digest}, "layers": []any{w.Blob("application/vnd.dev.sigstore.bundle+json;version=0.1", bundle(1))},
			})))
			w.Refer(repository, w.digest, d)
		}, provenance.Found, 1},
		{"the tag in the API's place", func(w *world) {
			w.NoReferrers = true
			w.Attest(repository, w.digest, bundle(1))
			w.Attest(repository, w.digest, bundle(2))
		}, provenance.Found, 2},
		{"none", func(*world) {}, provenance.None, 0},
		{"none, the tag names only others", func(w *world) {
			w.NoReferrers = true
			d := w.Blob("application/vnd.oci.image.manifest.v1+json", []byte("{}"))
			d.ArtifactType = "application/vnd.example.other"
			w.Refer(repository, w.digest, d)
		}, provenance.None, 0},
		{"only others", func(w *world) {
			d := w.Blob("application/vnd.oci.image.manifest.v1+json", []byte("{}"))
			d.ArtifactType = "application/vnd.example.other"
			w.Refer(repository, w.digest, d)
		}, provenance.None, 0},
		{"neither API nor tag", func(w *world) { w.NoReferrers = true }, provenance.NoSupport, 0},
		{"older cosign's attestation", func(w *world) {
			w.Tag(repository, strings.Replace(w.digest, ":", "-", 1)+".att", w.Image("old"))
		}, provenance.Unread, 0},
		{"older cosign's signature", func(w *world) {
			w.NoReferrers = true
			w.Tag(repository, strings.Replace(w.digest, ":", "-", 1)+".sig", w.Image("old"))
		}, provenance.Unread, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.push(w)
			set := ask(t, client(), w)
			if set.Availability != c.want || len(set.Attestations) != c.found || set.Incomplete != "" {
				t.Errorf("got %s with %d (%s; %s), want %s with %d", set.Availability, len(set.Attestations), set.Reason, set.Incomplete, c.want, c.found)
			}
			for _, a := range set.Attestations {
				if !strings.HasPrefix(a.From, w.host+"/"+repository+"@sha256:") {
					t.Errorf("it comes from %q", a.From)
				}
			}
		})
	}
}

// TestHostile: whatever a registry does, there is an answer, and it is not that
// there is nothing.
func TestHostile(t *testing.T) {
	kind := func(r *http.Request, kind string) bool { return strings.Contains(r.URL.Path, "/"+kind+"/") }
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(code); return true }
	}
	for _, c := range []struct {
		name   string
		before func(w http.ResponseWriter, r *http.Request) bool
		push   func(w *world)
		reason string
	}{
		{name: "500", before: status(500), reason: "answered 500"},
		{name: "429 for ever", before: func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(429)
			return true
		}, reason: "answered 429"},
		{name: "401 without a challenge", before: status(401), reason: "answered 401"},
		{name: "403", before: status(403), reason: "answered 403"},
		{name: "no such repository", before: func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"errors":[{"code":"NAME_UNKNOWN"}]}`)
			return true
		}, reason: "knows no repository"},
		{name: "garbage list", before: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			_, _ = io.WriteString(w, `{"manifests":[{]`)
			return true
		}, reason: "cannot be read"},
		{name: "endless list", before: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			return endless(w, `{"manifests":[`, `{"mediaType":"x"},`)
		}, reason: "cut off"}, // by us
		{name: "endless pages", before: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Link", "<"+r.URL.Path+">; rel=next")
			_, _ = io.WriteString(w, `{"manifests":[]}`)
			return true
		}, reason: "pages"},
		{name: "next page at another host", before: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Link", "<http://registry.example/v2/>; rel=next")
			_, _ = io.WriteString(w, `{"manifests":[]}`)
			return true
		}, reason: "cannot be read"},
		{name: "thousands of referrers", push: func(w *world) {
			for i := range MaxBundles + 1 {
				w.Attest(repository, w.digest, bundle(i))
			}
		}, reason: "more than 256"},
		{name: "as many of other types as nobody reads", push: func(w *world) {
			for range MaxReferrers + 1 {
				w.Refer(repository, w.digest, ocitest.Descriptor{MediaType: "x", Digest: w.digest})
			}
		}, reason: "more than 256"},
		{name: "wrong digest of a bundle", before: func(w http.ResponseWriter, r *http.Request) bool {
			if kind(r, "blobs") {
				_, _ = io.WriteString(w, `{"bundle":2}`)
				return true
			}
			return false
		}, reason: "other bytes"},
		{name: "wrong length of a bundle", before: func(w http.ResponseWriter, r *http.Request) bool {
			if kind(r, "blobs") {
				_, _ = io.WriteString(w, `{"bundle":1} and more`)
				return true
			}
			return false
		}, reason: "cannot be read"},
		{name: "endless bundle", before: func(w http.ResponseWriter, r *http.Request) bool {
			return kind(r, "blobs") && endless(w, `{"bundle":1}`, " ")
		}, reason: "more bytes"},
		{name: "endless manifest", before: func(w http.ResponseWriter, r *http.Request) bool {
			if !kind(r, "manifests") {
				return false
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			return endless(w, "{", " ")
		}, reason: "more bytes"},
		{name: "cut off", before: func(w http.ResponseWriter, r *http.Request) bool {
			if !kind(r, "blobs") {
				return false
			}
			w.Header().Set("Content-Length", "12")
			_, _ = io.WriteString(w, `{"bun`)
			return true
		}, reason: "cut off"},
		{name: "bundle missing", before: func(w http.ResponseWriter, r *http.Request) bool {
			return kind(r, "blobs") && status(404)(w, r)
		}, reason: "does not have"},
		{name: "redirects in a circle", before: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}, reason: "redirects more than"},
		{name: "redirects with a password", before: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://me:secret@"+r.Host+r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}, reason: "credentials in it"},
		{name: "attestation of another image", push: func(w *world) {
			w.Refer(repository, w.digest, w.Attest(repository, w.Image("other"), bundle(1)))
		}, reason: "another image's"},
		{name: "garbage manifest", push: func(w *world) {
			w.Refer(repository, w.digest, w.Manifest("application/vnd.oci.image.manifest.v1+json", []byte(`{"layers":7}`)))
		}, reason: "no manifest"},
		{name: "layer without a digest", push: func(w *world) {
			w.Refer(repository, w.digest, w.Manifest("application/vnd.oci.image.manifest.v1+json",
				fmt.Appendf(nil, `{"subject":{"digest":%q},"layers":[{"mediaType":%q,"size":4}]}`, w.digest, ocitest.BundleType)))
		}, reason: "no manifest"},
		{name: "layer without end", push: func(w *world) {
			w.Refer(repository, w.digest, w.Manifest("application/vnd.oci.image.manifest.v1+json",
				fmt.Appendf(nil, `{"subject":{"digest":%q},"layers":[{"mediaType":%q,"size":9223372036854775807,"digest":%q}]}`, w.digest, ocitest.BundleType, w.digest)))
		}, reason: "larger than is read"},
		{name: "manifest of negative size", push: func(w *world) {
			w.Refer(repository, w.digest, ocitest.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: w.digest, Size: -1})
		}, reason: ""},
		{name: "reference without a digest", push: func(w *world) {
			w.Refer(repository, w.digest, ocitest.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: "../../secret", Size: 1})
		}, reason: "no manifest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.Before = c.before
			if c.push == nil {
				w.Attest(repository, w.digest, bundle(1))
			} else {
				c.push(w)
			}
			set := ask(t, client(), w)
			if set.Availability != provenance.Unreachable || len(set.Attestations) != 0 || !strings.Contains(set.Reason, c.reason) {
				t.Errorf("got %s with %d: %q, want %q", set.Availability, len(set.Attestations), set.Reason, c.reason)
			}
			if strings.Contains(set.Reason, "secret") {
				t.Errorf("the reason quotes what the registry sent: %s", set.Reason)
			}
		})
	}
}

// endless writes until nobody listens.
func endless(w io.Writer, first, then string) bool {
	if _, err := io.WriteString(w, first); err != nil {
		return true
	}
	block := strings.Repeat(then, 4096)
	for range 1 << 14 {
		if _, err := io.WriteString(w, block); err != nil {
			return true
		}
	}
	return true
}

// TestPartly: what could not be fetched takes nothing from the rest.
func TestPartly(t *testing.T) {
	w := newWorld(t)
	w.Refer(repository, w.digest, ocitest.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: ocitest.Digest([]byte("missing")), Size: 7})
	w.Attest(repository, w.digest, bundle(1))
	set := ask(t, client(), w)
	if set.Availability != provenance.Found || len(set.Attestations) != 1 || !strings.Contains(set.Incomplete, "does not have") {
		t.Errorf("got %+v", set)
	}
}

// TestRetries: a registry that recovers has answered.
func TestRetries(t *testing.T) {
	w := newWorld(t)
	w.Attest(repository, w.digest, bundle(1))
	failures := map[string]int{}
	w.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		if failures[r.URL.Path]++; failures[r.URL.Path] < 3 {
			rw.WriteHeader([]int{0, 429, 503}[failures[r.URL.Path]])
			return true
		}
		return false
	}
	if set := ask(t, client(), w); len(set.Attestations) != 1 {
		t.Errorf("got %+v", set)
	}
}

func TestCancelled(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.Before = func(http.ResponseWriter, *http.Request) bool { cancel(); <-ctx.Done(); return false }
	if _, err := client().Attestations(ctx, w.subject()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestCredentials: the user's, for the registry and its token server, and for
// nobody else.
func TestCredentials(t *testing.T) {
	config := func(w *world) func() (*Credentials, error) {
		return func() (*Credentials, error) {
			return parseDockerConfig(must(json.Marshal(map[string]any{
				"auths": map[string]any{w.host: map[string]any{"username": "me", "password": "s3cret"}}, "credsStore": "never-run",
			})))
		}
	}
	other := ocitest.New()
	elsewhere := httptest.NewServer(other)
	defer elsewhere.Close()
	for _, c := range []struct {
		name   string
		setUp  func(w *world)
		login  bool
		found  bool
		reason string
	}{
		{"anonymous token", func(w *world) { w.Realm = "http://" + w.host + "/token" }, false, true, ""},
		{"token for credentials", func(w *world) {
			w.Realm, w.User, w.Password = "http://"+w.host+"/token", "me", "s3cret"
		}, true, true, ""},
		{"token without credentials", func(w *world) {
			w.Realm, w.User, w.Password = "http://"+w.host+"/token", "me", "s3cret"
		}, false, false, "answered 401"},
		{"basic", func(w *world) { w.User, w.Password = "me", "s3cret" }, true, true, ""},
		{"basic without credentials", func(w *world) { w.User, w.Password = "me", "s3cret" }, false, false, "wants credentials"},
		{"wrong password", func(w *world) { w.User, w.Password = "me", "other" }, true, false, "answered 401"},
		{"token server of another host", func(w *world) { w.Realm, w.User = elsewhere.URL+"/token", "me" }, true, false, "another host"},
		{"redirect of a bundle to another host", func(w *world) {
			w.User, w.Password = "me", "s3cret"
			w.Before = func(rw http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/blobs/") {
					other.Blob("", bundle(1))
					http.Redirect(rw, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
					return true
				}
				return false
			}
		}, true, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.Attest(repository, w.digest, bundle(1))
			c.setUp(w)
			asking := client()
			if c.login {
				asking.Credentials = config(w)
			}
			set := ask(t, asking, w)
			if (len(set.Attestations) == 1) != c.found || !strings.Contains(set.Reason, c.reason) || strings.Contains(set.Reason, "s3cret") {
				t.Errorf("got %+v", set)
			}
			for _, r := range other.Requests() {
				if got := r.Header.Get("Authorization"); got != "" {
					t.Errorf("%s %s of another host was told %q", r.Method, r.URL, got)
				}
			}
		})
	}
}

// TestBrokenCredentials: what cannot be read is told when it is needed.
func TestBrokenCredentials(t *testing.T) {
	w := newWorld(t)
	w.User = "me"
	asking := client()
	asking.Credentials = func() (*Credentials, error) { return parseDockerConfig([]byte(`{"auths":{"a":{"auth":"s3cret!"}}}`)) }
	set := ask(t, asking, w)
	if set.Availability != provenance.Unreachable || !strings.Contains(set.Reason, "configuration of Docker") || strings.Contains(set.Reason, "s3cret") {
		t.Errorf("got %+v", set)
	}
}

func TestDockersOwnName(t *testing.T) {
	c, err := parseDockerConfig([]byte(`{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6czNjcmV0"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.of(t.Context(), dockerHost); got.Username != "me" || got.Password != "s3cret" {
		t.Error("Docker's own registry goes by another name in its configuration")
	}
	if printed := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(printed, "me") || strings.Contains(printed, "s3cret") {
		t.Errorf("credentials are printed: %s", printed)
	}
	if got := (*Credentials)(nil).of(t.Context(), "registry.example"); got.Username != "" {
		t.Errorf("got %v", got)
	}
}

func TestSameSite(t *testing.T) {
	for _, c := range []struct {
		registry, url string
		want          bool
	}{
		{"registry.example", "https://registry.example/token", true},
		{"registry.example:5000", "http://registry.example:5000/token", true},
		{"registry.example:5000", "https://registry.example/token", true},
		{"registry.example", "http://registry.example:80/token", false},
		{"hub.registry.example", "https://registry.example/token", true},
		{"registry.example", "https://auth.registry.example/token", true},
		{"hub-1.registry.example", "https://auth.registry.example/token", true},
		{"registry.example", "https://other.example/token", false},
		{"registry.example", "https://example/token", false},
		{"a.registry.example", "https://b.other.example/token", false},
		{"registry.example", "https://evilregistry.example/token", false},
		{"localhost:5000", "https://localhost.example/token", false},
		{"10.0.0.1", "https://10.0.0.2/token", false},
		{"1.2.3.4:5000", "https://4.2.3.4/token", false},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameSite(c.registry, u); got != c.want {
			t.Errorf("%s and %s: %t", c.registry, c.url, got)
		}
	}
}

// TestDowngrade: an answer from https: may not lead to http:.
func TestDowngrade(t *testing.T) {
	to := func(s string) *http.Request { return must(http.NewRequest(http.MethodGet, s, nil)) }
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"https://registry.example/a", "http://registry.example/a", errDowngrade},
		{"https://registry.example/a", "https://me:secret@registry.example/a", errUserinfo},
		{"https://registry.example/a", "https://blobs.example/a", nil},
		{"http://localhost/a", "https://registry.example/a", nil},
	} {
		if err := checkRedirect(to(c.to), []*http.Request{to(c.from)}); !errors.Is(err, c.want) {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
}

// TestNotAsked: nobody is asked for what is no image with a registry and digest.
func TestNotAsked(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	asking := &Client{Transport: refuse{t}}
	for _, s := range []provenance.Subject{
		{},
		{Ecosystem: sbom.NPM, Name: "a", Version: "1.0.0", PURL: "pkg:npm/a@1.0.0"},
		{Ecosystem: sbom.OCI, Name: "a", Version: digest, PURL: "pkg:oci/a@" + digest},
		{Ecosystem: sbom.OCI, Name: "a", Version: digest, PURL: "pkg:oci/a@" + digest + "?repository_url=a"},
		{Ecosystem: sbom.OCI, Name: "a", Version: digest, PURL: "pkg:oci/a@" + digest + "?repository_url=registry.example/b"},
		{Ecosystem: sbom.OCI, Name: "a", Version: digest, PURL: "pkg:oci/a@" + digest + "?repository_url=me:pw@registry.example/a"},
		{Ecosystem: sbom.OCI, Name: "a", Version: digest, PURL: "pkg:oci/a@" + digest + "?repository_url=registry.example/../a"},
		{Ecosystem: sbom.OCI, Name: "a", Version: digest, PURL: "pkg:oci/a@" + digest + "?repository_url=registry.example/a:tag"},
		{Ecosystem: sbom.OCI, Name: "a", Version: "latest", PURL: "pkg:oci/a@latest?repository_url=registry.example/a"},
		{Ecosystem: sbom.OCI, Name: "a", Version: "sha256:00", PURL: "pkg:oci/a@sha256:00?repository_url=registry.example/a"},
	} {
		set, err := asking.Attestations(t.Context(), s)
		if err != nil || set.Availability != provenance.Unreachable || set.Reason == "" || set.Hint == "" {
			t.Errorf("%s: %+v, %v", s.PURL, set, err)
		}
	}
}

type refuse struct{ t *testing.T }

func (r refuse) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("%s was asked", req.URL)
	return nil, errors.New("refused")
}

func FuzzManifest(f *testing.F) {
	f.Add(`{"subject":{"digest":"sha256:0a"},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":3,"digest":"sha256:0b"}]}`)
	f.Add(`{"subject":null,"layers":[{}]}`)
	want := ocitest.Digest(nil)
	f.Add(fmt.Sprintf(`{"subject":{"digest":%q},"layers":[{"mediaType":%q,"size":3,"digest":%q}]}`, want, ocitest.BundleType, want))
	subject := provenance.Subject{Ecosystem: sbom.OCI, Name: "a", Version: want, PURL: "pkg:oci/a@" + want + "?repository_url=registry.example/a"}
	q, err := (&Client{}).question(subject)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		layers, err := parseManifest([]byte(text), q.subject.Digest)
		if err != nil && layers != nil {
			t.Error("layers beside an error")
		}
		for _, l := range layers {
			if l.Size <= 0 || l.Digest.Validate() != nil || !strings.HasPrefix(l.MediaType, bundleTypes) {
				t.Errorf("took %+v", l)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
