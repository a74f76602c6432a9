package npm

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"countermark/provenance"
	"countermark/provenance/cache"
	"countermark/provenance/fetch"
	"countermark/sbom"
)

// Client asks the configured registries for attestations. It implements
// provenance.Source, may be used by many goroutines, and must not be copied. The
// zero value asks the public registry; fields must not change after the first
// call.
type Client struct {
	// Config decides registries and credentials; nil stands for the zero Config.
	Config *Config
	// Transport sends the requests and holds the connections; it must neither add
	// credentials nor follow redirects. Nil stands for Config.Transport with
	// os.ReadFile, whose error then is the answer to every question: a command
	// that has to tell it apart calls Config.Transport itself.
	Transport http.RoundTripper
	// Certificates are the client certificates that registries of the user's get;
	// nil stands for none. Another Transport than an *http.Transport sends none.
	Certificates *Certificates
	// Version is the program's, for the User-Agent header.
	Version string
	// Internal reports whether a package is internal; nil stands for none. Its
	// name is told to no registry but those that the user's own configuration or
	// Registries name, and never to the public one.
	Internal func(name string) bool
	// Registries are the URLs of the registries that the policy trusts.
	Registries []string
	// Cache keeps answers; nil keeps none.
	Cache *cache.Store
	// MaxTarball bounds a tarball that is fetched, in bytes; 0 stands for 1 GiB.
	MaxTarball int64
	// Timeout bounds one request with its body; 0 stands for fetch.DefaultTimeout,
	// and for more where a tarball is fetched.
	Timeout time.Duration

	// Sleep waits between attempts, and returns early with an error when the
	// context ends; nil stands for a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter spreads the attempts of many programs: from 0 up to 1, by default at
	// random.
	Jitter func() float64

	once      sync.Once
	http      fetch.Client
	broken    error // why it has no transport
	certified map[*tls.Certificate]http.RoundTripper
	own       []*url.URL // registries that may be asked for internal packages

	packuments packuments

	mu   sync.Mutex
	keys map[string]*keyring // by registry
}

// keyring remembers for a run whether a registry publishes signing keys.
type keyring struct {
	turn chan struct{} // holds one token; whoever takes it may ask
	done bool
	has  bool
	fail *failure
}

var _ provenance.Source = (*Client)(nil)

func (c *Client) start() {
	if c.Config == nil {
		c.Config = &Config{}
	}
	c.keys = map[string]*keyring{}
	for _, raw := range slices.Concat(c.Config.Trusted(), c.Registries) {
		if u, err := parseRegistry(raw); err == nil && !isPublic(u) {
			c.own = append(c.own, u)
		}
	}
	c.http.Transport = c.Transport
	if c.Transport == nil {
		c.http.Transport, c.broken = c.Config.Transport(os.ReadFile)
	}
	c.http.Version, c.http.Timeout, c.http.Sleep, c.http.Jitter, c.http.Words = c.Version, c.Timeout, c.Sleep, c.Jitter, words(c.Config)
	c.certified = certifiedPools(c.Certificates, c.http.Transport)
}

// Attestations asks the subject's registry. The error is that of the context.
func (c *Client) Attestations(ctx context.Context, s provenance.Subject) (provenance.Set, error) {
	c.once.Do(c.start)
	q, fail := c.question(s)
	if fail != nil {
		return c.unreachable(fail, nil), nil
	}
	set := c.ask(ctx, q)
	if err := ctx.Err(); err != nil {
		return provenance.Set{}, err
	}
	return set, nil
}

// question is a subject that may be asked, and whom.
type question struct {
	name, version string
	registry      *url.URL
	internal      bool
}

// question refuses what must not be asked.
func (c *Client) question(s provenance.Subject) (*question, *failure) {
	switch {
	case c.broken != nil:
		return nil, &failure{Reason: c.broken.Error(), Hint: "correct the configuration"}
	case s.Ecosystem != sbom.NPM:
		return nil, &failure{Reason: "no npm package: npm registries have nothing on it", Hint: "check the subject"}
	case !ValidName(s.Name):
		return nil, &failure{Reason: fmt.Sprintf("%q is no name of an npm package; nobody was asked", s.Name), Hint: "correct the name"}
	case s.Version != "" && !ValidVersion(s.Version):
		return nil, &failure{Reason: fmt.Sprintf("%q is no version of an npm package; nobody was asked", s.Version), Hint: "pin an exact version"}
	}
	q := &question{name: s.Name, version: s.Version, internal: c.Internal != nil && c.Internal(s.Name)}
	var err error
	q.registry, err = Registrar{c.Config, c.Registries}.registry(s)
	switch {
	case err != nil:
		refused := registryError(err)
		return nil, &failure{Reason: refused.Reason, Hint: refused.Hint}
	case q.internal && isPublic(q.registry):
		return nil, &failure{
			Reason: "the policy says that the package is internal, and its registry is the public one; nobody was asked",
			Hint:   "name the package's registry in .npmrc: @scope:registry=https://registry.example/",
		}
	case q.internal && !c.owns(q.registry):
		return nil, &failure{
			Reason: "the policy says that the package is internal, and only the project's own .npmrc names its registry " + c.Config.shown(q.registry) + "; nobody was asked",
			Hint:   "name the registry under registries in the policy, in the user's own .npmrc, or with --registry",
		}
	}
	return q, nil
}

// owns reports whether a registry may be asked for internal packages: one that
// the user or the policy names, or one below it. Both are compared as they are
// shown, since that is how the configuration tells them.
func (c *Client) owns(registry *url.URL) bool {
	u, err := parseRegistry(c.Config.shown(registry))
	return err == nil && slices.ContainsFunc(c.own, func(own *url.URL) bool {
		return u.Scheme == own.Scheme && u.Host == own.Host && strings.HasPrefix(u.EscapedPath(), own.EscapedPath())
	})
}

// path returns the URL of a document below the registry.
func (q *question) path(escaped string) *url.URL {
	u, err := url.Parse(q.registry.String() + escaped)
	if err != nil {
		panic(err) // both parts were checked
	}
	return u
}

// ask asks two things at most. The packument comes first: it says whether there
// are attestations, so that those of most packages, which have none, need not be
// asked for. It is asked for in full, once for all versions of the package that
// the run knows, although a single version's manifest or the abbreviated form
// would be smaller: only the full one says when each version was published and by
// whom, and which earlier ones were attested. With an ETag it is sent once.
func (c *Client) ask(ctx context.Context, q *question) provenance.Set {
	p, fail := c.packument(ctx, q)
	if fail != nil {
		return c.unreachable(fail, q.registry)
	}
	if p == nil {
		set := c.unknown(q, "knows no package of this name")
		set.UnknownPackage = true
		return set
	}
	if q.version == "" {
		return provenance.Set{
			Availability: provenance.Unreachable, Registry: c.Config.shown(q.registry), Metadata: &provenance.Metadata{Others: p.others("")},
			Reason: "no version is named, so there is nothing to look up", Hint: "pin an exact version",
		}
	}
	m, err := p.metadata(q.version)
	switch {
	case err != nil:
		return c.unreachable(c.http.BadAnswer(q.packument(), err), q.registry)
	case m == nil:
		return c.unknown(q, "knows the package, but not this version")
	}
	var set provenance.Set
	if m.Attested {
		set = c.attestations(ctx, q)
	} else {
		set = c.absent(ctx, q)
	}
	set.Metadata = m
	return set
}

func (q *question) packument() *url.URL { return q.path(escapeName(q.name)) }

func (q *question) attestations() *url.URL {
	return q.path("-/npm/v1/attestations/" + escapeName(q.name) + "@" + escapeVersion(q.version))
}

// unknown is the answer about what the registry does not have: there is nothing
// that could have no attestations.
func (c *Client) unknown(q *question, reason string) provenance.Set {
	fail := &failure{
		Reason: "the registry " + c.Config.shown(q.registry) + " " + reason,
		Hint:   "check the name and the registry; a package that was taken down, or that needs credentials, looks the same",
	}
	return c.unreachable(fail, q.registry)
}

// packument returns the package's metadata, nil where the registry has no such
// package.
func (c *Client) packument(ctx context.Context, q *question) (*packument, *failure) {
	return c.packuments.get(ctx, q.packument().String(), func() (*packument, *failure) {
		return c.fetchPackument(ctx, q)
	})
}

// attestations asks for those that the packument promises.
func (c *Client) attestations(ctx context.Context, q *question) provenance.Set {
	u := q.attestations()
	a, fail := c.attestationAnswer(ctx, q, u)
	if fail != nil {
		return c.unreachable(fail, q.registry)
	}
	var found []provenance.Attestation
	switch a.status {
	case http.StatusOK:
		var err error
		if found, err = parseAttestations(a.body, c.Config.shown(u)); err != nil {
			return c.unreachable(c.http.BadAnswer(u, err), q.registry)
		}
	case http.StatusNotFound, http.StatusGone:
	default:
		return c.unreachable(c.http.BadStatus(u, a.status), q.registry)
	}
	if slices.ContainsFunc(found, mayBeOfSet) {
		c.keep(u, a)
		return provenance.Set{Availability: provenance.Found, Attestations: found, Registry: c.Config.shown(q.registry)}
	}
	// Others' attestations in the place of npm's are as good as none.
	return provenance.Set{
		Availability: provenance.NoSupport, Registry: c.Config.shown(q.registry),
		Reason: "the registry " + c.Config.shown(q.registry) + " promises attestations in the package's metadata, but does not serve them",
		Hint:   "ask the registry that the package was published to (--registry), or give the attestations with --attestations",
	}
}

// mayBeOfSet judges by the type that the registry gives an attestation: it says
// what the registry means to serve. What is signed is the verifier's business.
func mayBeOfSet(a provenance.Attestation) bool {
	return a.ClaimedType == "" || provenance.OfNPMSet(a.ClaimedType)
}

// absent finds out what it means that a registry promises no attestations.
func (c *Client) absent(ctx context.Context, q *question) provenance.Set {
	has, fail := c.hasKeys(ctx, q)
	if fail != nil {
		return c.unreachable(fail, q.registry)
	}
	if !has {
		return provenance.Set{
			Availability: provenance.NoSupport, Registry: c.Config.shown(q.registry),
			Reason: "the registry " + c.Config.shown(q.registry) + " publishes no signing keys, so it may drop the attestations that a package has",
			Hint:   "ask the registry that the package was published to (--registry), or give the attestations with --attestations",
		}
	}
	return provenance.Set{
		Availability: provenance.None, Registry: c.Config.shown(q.registry),
		Reason: "the registry " + c.Config.shown(q.registry) + " has no attestations for this version",
		Hint:   "use a version that was published with provenance, or ask the maintainers to publish with it",
	}
}

// hasKeys reports whether the registry publishes signing keys. It is asked once
// a run, whatever the answer; only a cancelled caller leaves the question open.
func (c *Client) hasKeys(ctx context.Context, q *question) (bool, *failure) {
	k := c.keyring(q.registry.String())
	select {
	case <-k.turn:
		defer func() { k.turn <- struct{}{} }()
	case <-ctx.Done():
		return false, fetch.Cancelled(ctx.Err())
	}
	if !k.done {
		k.has, k.fail = c.fetchKeys(ctx, q)
		k.done = ctx.Err() == nil
	}
	return k.has, k.fail
}

func (c *Client) keyring(registry string) *keyring {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.keys[registry]
	if k == nil {
		k = &keyring{turn: make(chan struct{}, 1)}
		k.turn <- struct{}{}
		c.keys[registry] = k
	}
	return k
}

func (c *Client) fetchKeys(ctx context.Context, q *question) (bool, *failure) {
	u := q.path("-/npm/v1/keys")
	// The keys are nobody's secret, but an internal package's question must not
	// make the client talk to the public registry either.
	a, fail := c.get(ctx, u, wholeJSON(maxKeyBytes), q.internal)
	if fail != nil {
		return false, fail
	}
	if a.status != http.StatusOK {
		return false, nil
	}
	has, err := hasKeys(a.body)
	if err != nil {
		return false, c.http.BadAnswer(u, err)
	}
	return has, nil
}
