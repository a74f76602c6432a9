package npm

import (
	"context"
	"crypto/sha1" //nolint:gosec // old lockfiles name no other digest; nothing is verified with it alone
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"countermark/provenance"
	"countermark/provenance/fetch"
	"countermark/sbom"
)

// tarballTimeout bounds one request for a tarball with its body.
const tarballTimeout = 3 * time.Minute

// Tarballs is a [provenance.Source] that also fetches the bytes of what it is
// asked about and hashes them, so that they have to agree with all who name a
// digest of them. They are read as a stream, and neither kept nor unpacked.
type Tarballs struct {
	Client *Client
	Source provenance.Source // of the attestations
}

var _ provenance.Registrar = Tarballs{}

// Attestations returns what Source has, with the digests of the tarball.
func (t Tarballs) Attestations(ctx context.Context, s provenance.Subject) (provenance.Set, error) {
	set, err := t.Source.Attestations(ctx, s)
	if err != nil || s.Version == "" || set.Availability == provenance.Unreachable {
		return set, err // without an answer there is nothing that the bytes could better
	}
	t.Client.once.Do(t.Client.start)
	digests, fail := t.Client.hashTarball(ctx, s, set.Metadata)
	set.Tarball = &provenance.Tarball{Digests: digests}
	if fail != nil {
		set.Tarball = &provenance.Tarball{Reason: "the tarball could not be had: " + fail.Reason, Hint: fail.Hint}
	}
	return set, ctx.Err()
}

// ConfiguredRegistry implements provenance.Registrar.
func (t Tarballs) ConfiguredRegistry(s provenance.Subject) (string, error) {
	return t.Client.ConfiguredRegistry(s)
}

// hashTarball returns the digests of a version's tarball, of every kind that
// anybody names.
func (c *Client) hashTarball(ctx context.Context, s provenance.Subject, m *provenance.Metadata) ([]provenance.Digest, *failure) {
	q, fail := c.question(s)
	if fail != nil {
		return nil, fail
	}
	if m == nil { // the attestations are local
		if m, fail = c.metadata(ctx, q); fail != nil {
			return nil, fail
		}
	}
	u, fail := c.tarballURL(q, s, m)
	if fail != nil {
		return nil, fail
	}
	var sums map[string]hash.Hash
	a, fail := c.get(ctx, u, document{
		max: c.tarballLimit(), accept: "*/*", timeout: tarballTimeout, streamed: true,
		take: func(r io.Reader) ([]byte, error) {
			var all io.Writer
			sums, all = hashes(slices.Concat(s.Digests, m.Digests)) // anew for each attempt
			_, err := io.Copy(all, r)
			return nil, err
		},
	}, q.internal)
	switch {
	case fail != nil:
		return nil, fail
	case a.status != http.StatusOK:
		return nil, c.http.BadStatus(u, a.status)
	}
	var out []provenance.Digest
	for _, algorithm := range slices.Sorted(maps.Keys(sums)) {
		out = append(out, provenance.Digest{Algorithm: algorithm, Value: hex.EncodeToString(sums[algorithm].Sum(nil))})
	}
	return out, nil
}

func (c *Client) tarballLimit() int64 {
	if c.MaxTarball > 0 {
		return c.MaxTarball
	}
	return maxTarballBytes
}

// hashes returns a hash of each kind that is named and known, SHA-512 always, and
// what writes to all of them.
func hashes(named []provenance.Digest) (map[string]hash.Hash, io.Writer) {
	known := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}
	sums := map[string]hash.Hash{"sha512": sha512.New()}
	for _, d := range named {
		if newHash := known[d.Algorithm]; newHash != nil && sums[d.Algorithm] == nil {
			sums[d.Algorithm] = newHash()
		}
	}
	writers := make([]io.Writer, 0, len(sums))
	for _, sum := range sums {
		writers = append(writers, sum)
	}
	return sums, io.MultiWriter(writers...)
}

// metadata returns what the packument says of the version.
func (c *Client) metadata(ctx context.Context, q *question) (*provenance.Metadata, *failure) {
	p, fail := c.packument(ctx, q)
	if fail != nil {
		return nil, fail
	}
	if p == nil {
		return nil, &failure{Reason: "the registry " + c.Config.shown(q.registry) + " knows no package of this name", Hint: "check the name and the registry"}
	}
	m, err := p.metadata(q.version)
	if err != nil {
		return nil, c.http.BadAnswer(q.packument(), err)
	}
	if m == nil {
		return nil, &failure{Reason: "the registry " + c.Config.shown(q.registry) + " knows the package, but not this version", Hint: "check the version and the registry"}
	}
	return m, nil
}

// tarballURL returns from where npm would fetch the tarball: what the lockfile
// names, else what the registry does. Both may be an attacker's, who would have
// us ask whom only we can reach: so it is a host that somebody else vouches for,
// or it is nobody.
func (c *Client) tarballURL(q *question, s provenance.Subject, m *provenance.Metadata) (*url.URL, *failure) {
	who, raw := "the lockfile", s.Resolved
	if raw == "" || strings.Contains(raw, sbom.Redacted) { // an inventory holds no whole URL with a secret in it
		who, raw = "the registry", m.Tarball
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, &failure{Reason: who + " names no usable URL of it", Hint: "check the registry, or leave --fetch-tarballs out"}
	case isPublic(u) && !isPublic(q.registry):
		// As npm does (replace-registry-host): the configured registry stands in.
		u = q.path(strings.TrimPrefix(u.EscapedPath(), "/"))
	}
	u.Fragment, u.RawFragment = "", ""
	if !c.mayFetch(q, u) {
		return nil, &failure{
			Reason: who + " names " + c.Config.shown(u) + ", which is neither on the configured registry's host nor below a registry that the user or the policy trusts; nobody was asked",
			Hint:   "name that registry under registries in the policy, or in the user's own .npmrc, if it is right",
		}
	}
	return u, nil
}

func (c *Client) mayFetch(q *question, u *url.URL) bool {
	if u.Scheme == q.registry.Scheme && fetch.Host(u) == fetch.Host(q.registry) {
		return true
	}
	return c.owns(u) || !q.internal && isPublic(u) && u.Scheme == "https" && u.Port() == ""
}
