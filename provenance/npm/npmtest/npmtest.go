// Package npmtest is an npm registry for tests: packages, versions, signing keys
// and attestations behind a real http.Handler, with the faults that registries
// and the networks before them have.
//
// It knows nothing of package npm, so that a mistake there is not made here
// again. Serve it with httptest.NewServer or httptest.NewTLSServer.
package npmtest

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Registry is a registry. The zero value serves nothing; its methods may be
// called while it serves.
type Registry struct {
	mu       sync.Mutex
	packages map[string]map[string]*version
	keys     []key
	token    string
	faults   map[string][]Fault // by escaped path
	always   map[string]Fault   // by escaped path, or "" for every path
	etags    map[string]string  // by escaped path
	requests []Request
}

type version struct {
	promised     bool
	attestations []attestation
	details      Details
}

// Details are what a packument says of a version beside its name; zero values are
// left out.
type Details struct {
	Integrity   string // dist.integrity
	Shasum      string // dist.shasum
	Signatures  []Signature
	Tarball     string // dist.tarball
	Published   string // in time
	Publisher   string // _npmUser.name
	Trusted     string // _npmUser.trustedPublisher.id
	Maintainers []string
	Repository  string // repository.url
	Deprecated  string
	More        map[string]any // any other member: dependencies, bin, engines
}

// Signature is one element of dist.signatures.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

type attestation struct {
	PredicateType string          `json:"predicateType"`
	Bundle        json.RawMessage `json:"bundle"`
}

type key struct {
	Expires *string `json:"expires"`
	KeyID   string  `json:"keyid"`
	KeyType string  `json:"keytype"`
	Scheme  string  `json:"scheme"`
	Key     string  `json:"key"`
}

// Request is a request that was made.
type Request struct {
	Path   string // escaped, as sent
	Host   string
	Header http.Header
}

// Fault answers a request in the registry's place.
type Fault http.HandlerFunc

// New returns a registry that publishes one signing key, as an npm-like one does.
func New() *Registry {
	r := &Registry{}
	r.AddKey("SHA256:test", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE")
	return r
}

// AddKey publishes a signing key: its id, and its SubjectPublicKeyInfo in base64.
func (r *Registry) AddKey(id, spki string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, key{KeyID: id, KeyType: "ecdsa-sha2-nistp256", Scheme: "ecdsa-sha2-nistp256", Key: spki})
}

// NoKeys makes the registry one that knows no signing keys.
func (r *Registry) NoKeys() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = nil
}

// RequireToken refuses every request without this bearer token.
func (r *Registry) RequireToken(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = token
}

// Describe adds a version, or says more of one.
func (r *Registry) Describe(name, v string, d Details) {
	r.version(name, v, func(x *version) { x.details = d })
}

// Publish adds a version without attestations.
func (r *Registry) Publish(name, v string) { r.version(name, v, func(*version) {}) }

// Promise adds a version whose metadata announces attestations, without serving
// any: what a mirror does that drops them.
func (r *Registry) Promise(name, v string) {
	r.version(name, v, func(x *version) { x.promised = true })
}

// Attest adds an attestation to a version, and announces it. The bundle must be
// JSON.
func (r *Registry) Attest(name, v, predicateType string, bundle []byte) {
	r.version(name, v, func(x *version) {
		x.promised = true
		x.attestations = append(x.attestations, attestation{predicateType, bundle})
	})
}

func (r *Registry) version(name, v string, change func(*version)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.packages == nil {
		r.packages = map[string]map[string]*version{}
	}
	if r.packages[name] == nil {
		r.packages[name] = map[string]*version{}
	}
	if r.packages[name][v] == nil {
		r.packages[name][v] = &version{}
	}
	change(r.packages[name][v])
}

// Fail answers the next requests for an escaped path with these faults, one
// each; then the path works again.
func (r *Registry) Fail(path string, faults ...Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults == nil {
		r.faults = map[string][]Fault{}
	}
	r.faults[path] = append(r.faults[path], faults...)
}

// FailAlways answers all requests for an escaped path with a fault; the empty
// path stands for all of them.
func (r *Registry) FailAlways(path string, f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.always == nil {
		r.always = map[string]Fault{}
	}
	r.always[path] = f
}

// Tag gives the answer at an escaped path an ETag, quotes included. Who has it
// already is told so (RFC 9110, section 13.1.2).
func (r *Registry) Tag(path, etag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.etags == nil {
		r.etags = map[string]string{}
	}
	r.etags[path] = etag
}

// Requests returns all requests so far, in order.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// ServeHTTP answers as an npm registry does.
func (r *Registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	path := q.URL.EscapedPath()
	if f := r.record(path, q); f != nil {
		f(w, q)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.token != "" && q.Header.Get("Authorization") != "Bearer "+r.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	doc := r.document(strings.TrimPrefix(path, "/"))
	if doc == nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"Not found"}`)
		return
	}
	if etag := r.etags[path]; etag != "" {
		w.Header().Set("ETag", etag)
		if q.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(doc)
}

func (r *Registry) record(path string, q *http.Request) Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, Request{Path: path, Host: q.Host, Header: q.Header.Clone()})
	if queue := r.faults[path]; len(queue) > 0 {
		r.faults[path] = queue[1:]
		return queue[0]
	}
	if f := r.always[path]; f != nil {
		return f
	}
	return r.always[""]
}

// document returns what stands at an escaped path without its leading slash, nil
// for nothing.
func (r *Registry) document(path string) any {
	if path == "-/npm/v1/keys" {
		if r.keys == nil {
			return nil
		}
		return map[string]any{"keys": r.keys}
	}
	if spec, ok := strings.CutPrefix(path, "-/npm/v1/attestations/"); ok {
		return r.attestations(spec)
	}
	name, v, single := strings.Cut(path, "/")
	name, v = unescape(name), unescape(v)
	versions := r.packages[name]
	switch {
	case versions == nil || single && versions[v] == nil:
		return nil
	case single:
		return manifest(name, v, versions[v])
	}
	all, times := map[string]any{}, map[string]string{}
	latest := slices.Max(slices.Collect(maps.Keys(versions))) // as texts: enough for the versions of tests
	for v, x := range versions {
		all[v] = manifest(name, v, x)
		if x.details.Published != "" {
			times[v] = x.details.Published
		}
	}
	return map[string]any{"_id": name, "name": name, "dist-tags": map[string]string{"latest": latest}, "versions": all, "time": times, "readme": "Read me"}
}

func (r *Registry) attestations(spec string) any {
	i := strings.LastIndexByte(spec, '@')
	if i < 0 || strings.Contains(spec, "/") {
		return nil
	}
	x := r.packages[unescape(spec[:i])][unescape(spec[i+1:])]
	if x == nil || x.attestations == nil {
		return nil
	}
	return map[string]any{"attestations": x.attestations}
}

func manifest(name, v string, x *version) any {
	dist := map[string]any{}
	m := map[string]any{"name": name, "version": v, "description": "a package", "dist": dist}
	if x.promised {
		dist["attestations"] = map[string]any{"provenance": map[string]any{"predicateType": "https://slsa.dev/provenance/v1"}}
	}
	d := x.details
	if d.Signatures != nil {
		dist["signatures"] = d.Signatures
	}
	put := func(into map[string]any, key, value string) {
		if value != "" {
			into[key] = value
		}
	}
	put(dist, "integrity", d.Integrity)
	put(dist, "shasum", d.Shasum)
	put(dist, "tarball", d.Tarball)
	put(m, "deprecated", d.Deprecated)
	if d.Repository != "" {
		m["repository"] = map[string]string{"type": "git", "url": d.Repository}
	}
	if d.Publisher != "" || d.Trusted != "" {
		user := map[string]any{"name": d.Publisher, "email": "someone@registry.example"}
		if d.Trusted != "" {
			user["trustedPublisher"] = map[string]string{"id": d.Trusted}
		}
		m["_npmUser"] = user
	}
	maps.Copy(m, d.More)
	for _, name := range d.Maintainers {
		list, _ := m["maintainers"].([]any)
		m["maintainers"] = append(list, map[string]string{"name": name})
	}
	return m
}

// unescape returns a name that no package has where the escape is broken.
func unescape(s string) string {
	plain, err := url.PathUnescape(s)
	if err != nil {
		return "\x00"
	}
	return plain
}

// Status answers with a status and headers, given as name, value, name, value….
func Status(code int, headers ...string) Fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		for h := range slices.Chunk(headers, 2) {
			w.Header().Set(h[0], h[1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error":"fault"}`)
	}
}

// Body answers 200 with a body that may be anything.
func Body(body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// Cut promises more bytes than it sends, and hangs up.
func Cut(body string) Fault { return length(body, len(body)+100) }

// Short promises fewer bytes than the body has, so that its end is missing.
func Short(body string) Fault { return length(body, len(body)/2) }

// length writes the response by hand: the standard server would not lie.
func length(body string, promised int) Fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(promised) + "\r\n\r\n" + body)
		_ = buf.Flush()
	}
}

// HangUp closes the connection without an answer.
func HangUp() Fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_ = conn.Close()
	}
}

// Redirect sends the client elsewhere.
func Redirect(location string) Fault { return Status(http.StatusFound, "Location", location) }

// Endless sends JSON white space until the client leaves.
func Endless() Fault {
	return func(w http.ResponseWriter, _ *http.Request) { pour(w) }
}

// Bomb sends the same, compressed a thousandfold.
func Bomb() Fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		pour(gzip.NewWriter(w))
	}
}

func pour(w io.Writer) {
	blank := []byte(strings.Repeat(" ", 64<<10))
	for {
		if _, err := w.Write(blank); err != nil {
			return
		}
	}
}

// Hang answers nothing until the client gives up.
func Hang() Fault {
	return func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }
}

// Drip sends the head of an answer, and then nothing until the client gives up.
func Drip() Fault {
	return func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, `{"attestations":`)
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	}
}
