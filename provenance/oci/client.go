package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/package-url/packageurl-go"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"

	"countermark/provenance"
	"countermark/sbom"
)

// Limits of what a registry may send for one image, and of how long it is
// listened to. What goes beyond them makes the answer unknown.
const (
	MaxReferrers = 10_000
	MaxBundles   = 256 // that are fetched

	maxListBytes     = 8 << 20
	maxPages         = 100
	maxManifestBytes = 1 << 20
	maxTotalBytes    = 64 << 20 // of all bundles

	requestTimeout = 90 * time.Second // of one request, with what it waits between attempts
	maxAttempts    = 4
	minWait        = 100 * time.Millisecond
	maxWait        = 20 * time.Second
	maxRedirects   = 5
	maxHeaderBytes = 64 << 10
)

// Client asks the registries that the subjects name. It implements
// provenance.Source, may be used by many goroutines, and must not be copied.
// Fields must not change after the first call.
type Client struct {
	// Transport sends the requests and holds the connections; nil stands for one
	// without a proxy.
	Transport http.RoundTripper
	// Version is the program's, for the User-Agent header.
	Version string
	// Credentials returns the user's, and is called when a registry wants some for
	// the first time; nil stands for none. Its error is the answer to the question
	// then.
	Credentials func() (*Credentials, error)

	wait retry.Backoff // between attempts; nil stands for a time that doubles

	mu    sync.Mutex
	hosts map[string]*auth.Client // by host and port of the registry
}

var _ provenance.Source = (*Client)(nil)

// Attestations asks the subject's registry. The error is that of the context.
func (c *Client) Attestations(ctx context.Context, s provenance.Subject) (provenance.Set, error) {
	q, err := c.question(s)
	if err != nil {
		return provenance.Set{Availability: provenance.Unreachable, Reason: err.Error() + "; nobody was asked", Hint: "name the image with its registry and digest"}, ctx.Err()
	}
	set := q.ask(ctx)
	if err := ctx.Err(); err != nil {
		return provenance.Set{}, err
	}
	return set, nil
}

// question is one image, and whom to ask.
type question struct {
	client  *auth.Client
	ref     registry.Reference
	subject ocispec.Descriptor
	plain   bool
}

// question refuses what must not be asked.
func (c *Client) question(s provenance.Subject) (*question, error) {
	if s.Ecosystem != sbom.OCI {
		return nil, errors.New("it is no container image")
	}
	ref, err := Reference(s)
	if err != nil {
		return nil, err
	}
	pinned, err := ref.Digest()
	if err != nil {
		return nil, errors.New("its version is no digest")
	}
	return &question{
		client: c.host(ref.Host()), ref: ref, plain: isLoopback(ref.Host()),
		subject: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: pinned},
	}, nil
}

// Reference returns where an image is, with its digest, from the repository_url
// of its package URL
// (https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md).
func Reference(s provenance.Subject) (registry.Reference, error) {
	ref, err := repositoryOf(s)
	if err != nil {
		return registry.Reference{}, err
	}
	ref.Reference = s.Version
	return ref, ref.ValidateReferenceAsDigest()
}

// repositoryOf returns where an image is, without saying which.
func repositoryOf(s provenance.Subject) (registry.Reference, error) {
	purl, err := packageurl.FromString(s.PURL)
	if err != nil || purl.Type != packageurl.TypeOCI {
		return registry.Reference{}, errors.New("its package URL is no image's")
	}
	repository := purl.Qualifiers.Map()["repository_url"]
	if repository == "" {
		return registry.Reference{}, errors.New("its package URL has no repository_url, so its registry is not known")
	}
	ref, err := registry.ParseReference(repository)
	if err != nil || ref.Reference != "" || strings.Contains(ref.Registry, "@") {
		return registry.Reference{}, errors.New("the repository_url of its package URL is not host/path")
	}
	if last := ref.Repository[strings.LastIndexByte(ref.Repository, '/')+1:]; last != purl.Name {
		return registry.Reference{}, errors.New("the repository_url of its package URL is another image's")
	}
	return ref, nil
}

// isLoopback reports whether a registry is on this machine, where Docker, too,
// asks without TLS.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// host returns the client for one registry, which remembers its tokens.
func (c *Client) host(name string) *auth.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.hosts[name]; known != nil {
		return known
	}
	base := c.Transport
	if base == nil {
		base = &http.Transport{MaxResponseHeaderBytes: maxHeaderBytes}
	}
	policy := &retry.GenericPolicy{Retryable: retry.DefaultPredicate, Backoff: c.wait, MinWait: minWait, MaxWait: maxWait, MaxRetry: maxAttempts - 1}
	if c.wait == nil {
		policy.Backoff = retry.DefaultBackoff
	} else {
		policy.MinWait = 0
	}
	client := &auth.Client{
		Client: &http.Client{
			Transport:     &retry.Transport{Base: guard{base: base, registry: name}, Policy: func() retry.Policy { return policy }},
			CheckRedirect: checkRedirect,
			Timeout:       requestTimeout,
		},
		Cache:      auth.NewCache(),
		Credential: c.credential,
	}
	client.SetUserAgent("countermark/" + cmp.Or(c.Version, "unknown"))
	if c.hosts == nil {
		c.hosts = map[string]*auth.Client{}
	}
	c.hosts[name] = client
	return client
}

func (c *Client) credential(ctx context.Context, host string) (auth.Credential, error) {
	if c.Credentials == nil {
		return auth.EmptyCredential, nil
	}
	known, err := c.Credentials()
	if err != nil {
		return auth.EmptyCredential, &credentialsError{err}
	}
	return known.of(ctx, host), nil
}

// guard keeps a registry's credentials from others: they go to the registry, and
// to a token server of its site, which the registry names itself.
type guard struct {
	base     http.RoundTripper
	registry string
}

var errForeignHost = errors.New("credentials were to be sent to another host")

// RoundTrip implements http.RoundTripper.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	secret := req.Header.Get("Authorization") != "" || req.Method != http.MethodGet && req.Method != http.MethodHead
	if secret && !sameSite(g.registry, req.URL) {
		return nil, errForeignHost
	}
	return g.base.RoundTrip(req)
}

// sameSite reports whether a URL is the registry's, or one of a neighbour whose
// name differs in nothing but its first label: auth.registry.example beside
// registry-1.registry.example, registry.example above hub.registry.example.
func sameSite(registry string, u *url.URL) bool {
	if strings.EqualFold(registry, u.Host) {
		return true
	}
	own := registry
	if name, _, err := net.SplitHostPort(registry); err == nil {
		own = name
	}
	own, other := strings.ToLower(own), strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(other); err == nil || u.Scheme != "https" {
		return false
	}
	_, parent, _ := strings.Cut(own, ".")
	_, beside, _ := strings.Cut(other, ".")
	domain := func(name string) bool { return strings.Contains(name, ".") }
	return domain(own) && domain(other) && (own == other || parent == other || beside == own || parent == beside && domain(parent))
}

var (
	errDowngrade = errors.New("it redirects from https to http")
	errUserinfo  = errors.New("it redirects to a URL with credentials in it")
	errRedirects = fmt.Errorf("it redirects more than %d times", maxRedirects)
)

// checkRedirect is asked before each redirect. That credentials stay behind is
// the library's doing, and guard's.
func checkRedirect(req *http.Request, via []*http.Request) error {
	switch last := via[len(via)-1].URL; {
	case len(via) > maxRedirects:
		return errRedirects
	case last.Scheme == "https" && req.URL.Scheme != "https":
		return errDowngrade
	case req.URL.User != nil:
		return errUserinfo
	}
	return nil
}

// repository returns a new one for each question, because the library writes
// into it what it learns.
func (q *question) repository(api bool) (*remote.Repository, error) {
	r := &remote.Repository{
		Client: q.client, PlainHTTP: q.plain, MaxMetadataBytes: maxListBytes, ReferrerListMaxPages: maxPages,
		Reference: registry.Reference{Registry: q.ref.Registry, Repository: q.ref.Repository},
	}
	return r, r.SetReferrersCapability(api)
}

// bundleTypes are how the media types of sigstore bundles begin: GitHub and
// cosign write application/vnd.dev.sigstore.bundle.v0.3+json, older clients
// application/vnd.dev.sigstore.bundle+json;version=0.1.
const bundleTypes = "application/vnd.dev.sigstore.bundle"

// mayHold reports whether a referrer may hold bundles. Some registries leave the
// type out.
func mayHold(d ocispec.Descriptor) bool {
	return d.MediaType == ocispec.MediaTypeImageManifest && (d.ArtifactType == "" || strings.HasPrefix(d.ArtifactType, bundleTypes))
}

// tag is the one under which a registry without the referrers API has the list.
func (q *question) tag() string {
	return q.subject.Digest.Algorithm().String() + "-" + q.subject.Digest.Encoded()
}

// distinct drops what is listed twice.
func distinct(list []ocispec.Descriptor) []ocispec.Descriptor {
	seen := map[digest.Digest]bool{}
	return slices.DeleteFunc(list, func(d ocispec.Descriptor) bool {
		again := seen[d.Digest]
		seen[d.Digest] = true
		return again
	})
}
