// Package ocitest is a small container registry for tests: the part of the OCI
// distribution specification 1.1 that is asked for attestations.
//
// In flow images and what refers to them ([Registry.Attest], [Registry.Tag]);
// out flow the answers, as an http.Handler for net/http/httptest. Before speaks
// in the registry's place, for whatever a broken or hostile one would say.
// Nothing outside of tests may import it.
package ocitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"countermark/sbom/lazyregexp"
)

// BundleType is the media type of a sigstore bundle.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// The media types of manifests.
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	emptyType    = "application/vnd.oci.empty.v1+json"
)

// Registry is the registry. Fields must not change while it serves.
type Registry struct {
	// NoReferrers leaves the referrers API out, and puts a tag in its place.
	NoReferrers bool
	// PageSize is how many referrers one answer lists; all where it is 0.
	PageSize int
	// User and Password are wanted from everybody, where User is set.
	User, Password string
	// Realm is the URL of the token server; where it is empty, but User is set,
	// the registry wants basic authentication.
	Realm string
	// Before speaks in the registry's place where it returns true.
	Before func(w http.ResponseWriter, r *http.Request) bool

	mu        sync.Mutex
	requests  []*http.Request
	content   map[string][]byte       // blobs and manifests, by digest
	types     map[string]string       // of manifests, by digest
	tags      map[string]string       // digest by "repository:tag"
	referrers map[string][]Descriptor // by digest of the subject
}

// Descriptor is an OCI descriptor.
type Descriptor struct {
	MediaType    string `json:"mediaType"`
	Digest       string `json:"digest"`
	Size         int64  `json:"size"`
	ArtifactType string `json:"artifactType,omitempty"`
}

// New returns an empty registry.
func New() *Registry {
	return &Registry{content: map[string][]byte{}, types: map[string]string{}, tags: map[string]string{}, referrers: map[string][]Descriptor{}}
}

// Digest returns the digest of content.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Blob stores content.
func (g *Registry) Blob(mediaType string, data []byte) Descriptor {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := Descriptor{MediaType: mediaType, Digest: Digest(data), Size: int64(len(data))}
	g.content[d.Digest] = data
	return d
}

// Manifest stores a manifest as it is.
func (g *Registry) Manifest(mediaType string, data []byte) Descriptor {
	d := g.Blob(mediaType, data)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.types[d.Digest] = mediaType
	return d
}

// Image stores an image that is called by a name, and returns its digest.
func (g *Registry) Image(name string) string {
	data, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "layers": []any{},
		"config": g.Blob("application/vnd.oci.image.config.v1+json", []byte(`{"name":"`+name+`"}`)),
	})
	if err != nil {
		panic(err) // it holds nothing but strings
	}
	return g.Manifest(manifestType, data).Digest
}

// Tag names a manifest in a repository.
func (g *Registry) Tag(repository, tag, digest string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tags[repository+":"+tag] = digest
}

// Attest pushes bundles that refer to a digest, as GitHub and cosign do.
func (g *Registry) Attest(repository, digest string, bundles ...[]byte) Descriptor {
	var layers []Descriptor
	for _, b := range bundles {
		layers = append(layers, g.Blob(BundleType, b))
	}
	data, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "artifactType": BundleType,
		"config": g.Blob(emptyType, []byte("{}")), "layers": layers,
		"subject": Descriptor{MediaType: manifestType, Digest: digest, Size: 1},
	})
	if err != nil {
		panic(err) // it holds nothing but strings and numbers
	}
	d := g.Manifest(manifestType, data)
	d.ArtifactType = BundleType
	g.Refer(repository, digest, d)
	return d
}

// Refer lists a descriptor as one that refers to a digest.
func (g *Registry) Refer(repository, digest string, d Descriptor) {
	g.mu.Lock()
	g.referrers[digest] = append(g.referrers[digest], d)
	list := g.referrers[digest]
	g.mu.Unlock()
	if g.NoReferrers {
		g.Tag(repository, strings.Replace(digest, ":", "-", 1), g.Manifest(indexType, index(list)).Digest)
	}
}

func index(list []Descriptor) []byte {
	if list == nil {
		list = []Descriptor{}
	}
	data, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": list})
	if err != nil {
		panic(err) // it holds nothing but strings and numbers
	}
	return data
}

// Requests returns what was asked so far.
func (g *Registry) Requests() []*http.Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*http.Request(nil), g.requests...)
}

var route = lazyregexp.New(`^/v2/(.+)/(manifests|blobs|referrers)/([^/]+)$`)

// token is what the token server gives to whoever may have it.
const token = "the-token"

// ServeHTTP implements http.Handler.
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.requests = append(g.requests, r.Clone(r.Context()))
	g.mu.Unlock()
	if g.Before != nil && g.Before(w, r) {
		return
	}
	if r.URL.Path == "/token" {
		user, password, _ := r.BasicAuth()
		if user != g.User || password != g.Password {
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
			return
		}
		_, _ = w.Write([]byte(`{"token":"` + token + `"}`))
		return
	}
	if !g.allowed(w, r) {
		return
	}
	part := route.FindStringSubmatch(r.URL.Path)
	if part == nil {
		http.NotFound(w, r)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch repository, kind, name := part[1], part[2], part[3]; kind {
	case "referrers":
		g.list(w, r, name)
	case "manifests":
		if digest := g.tags[repository+":"+name]; digest != "" {
			name = digest
		}
		if g.types[name] == "" {
			fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
			return
		}
		w.Header().Set("Docker-Content-Digest", name)
		send(w, r, g.types[name], g.content[name])
	default:
		if g.content[name] == nil {
			fail(w, http.StatusNotFound, "BLOB_UNKNOWN")
			return
		}
		send(w, r, "application/octet-stream", g.content[name])
	}
}

// allowed asks for credentials or a token, where there has to be one.
func (g *Registry) allowed(w http.ResponseWriter, r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	switch {
	case g.Realm != "" && r.Header.Get("Authorization") != "Bearer "+token:
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+g.Realm+`",service="registry"`)
	case g.Realm == "" && g.User != "" && (user != g.User || password != g.Password):
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
	default:
		return true
	}
	fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
	return false
}

func (g *Registry) list(w http.ResponseWriter, r *http.Request, digest string) {
	if g.NoReferrers {
		http.NotFound(w, r)
		return
	}
	list := g.referrers[digest]
	from, _ := strconv.Atoi(r.URL.Query().Get("from"))
	list = list[min(max(from, 0), len(list)):]
	if g.PageSize > 0 && len(list) > g.PageSize {
		w.Header().Set("Link", "<"+r.URL.Path+"?from="+strconv.Itoa(from+g.PageSize)+`>; rel="next"`)
		list = list[:g.PageSize]
	}
	send(w, r, indexType, index(list))
}

func send(w http.ResponseWriter, r *http.Request, mediaType string, data []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = bytes.NewReader(data).WriteTo(w)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"errors":[{"code":"` + code + `","message":"no"}]}`))
}
