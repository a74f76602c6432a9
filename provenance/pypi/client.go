// Package pypi asks an index of Python packages which files a release has, and
// what is attested of them.
//
// In flows the URL of an index, which the user names: no index is built in, and
// none that only the project under test names is asked. A [Client] with it is a
// provenance.Source. Out flow the release's files with their digests, and the
// attestations of each as sigstore bundles, not yet believed, or the reason why
// there are none.
//
// The index speaks the simple repository API as JSON (PEP 691), of which each
// file may name a provenance object (PEP 740; version 1.3 of the API). An index
// that speaks HTML only, or an older version, cannot say that something is not
// attested: the answer is provenance.NoSupport. One that names a provenance
// object and does not serve it is provenance.NoSupport too. Everything else that
// is no answer is provenance.Unreachable.
package pypi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"countermark/provenance"
	"countermark/provenance/fetch"
	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Client asks an index. It implements provenance.Source, may be used by many
// goroutines, and must not be copied; fields must not change after the first call.
type Client struct {
	// Index is the URL of the index, as uv and pip take it (…/simple/); a user name
	// and password in it are sent to its own host only.
	Index string
	// Transport sends the requests; it must neither add credentials nor follow
	// redirects.
	Transport http.RoundTripper
	// Version is the program's, for the User-Agent header.
	Version string
	// Internal reports whether a project is internal; nil stands for none. Its name
	// is told to this index only if Registries list it.
	Internal func(project string) bool
	// Registries are the URLs of the registries and indexes that the policy trusts.
	Registries []string
	// Timeout bounds one request with its body; 0 stands for
	// fetch.DefaultTimeout.
	Timeout time.Duration
	// Sleep waits between attempts, and returns early with an error when the
	// context ends; nil stands for a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter spreads the attempts of many programs: from 0 up to 1, by default at
	// random.
	Jitter func() float64

	once  sync.Once
	base  *url.URL      // of the index, without credentials
	user  *url.Userinfo // its credentials; nil where there are none
	wrong error         // about Index
	http  fetch.Client
}

var _ provenance.Source = (*Client)(nil)

// IndexVariables are those in which uv and pip take the index of the user's choice.
// The program itself knows no index.
var IndexVariables = []string{"UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"}

// NamedIndex is the index that the user names with a flag, else in the first of the
// variables that is set; "" where nobody names one. The error says where it stands.
func NamedIndex(flag, value string, env func(name string) string) (string, error) {
	index, from := value, flag
	for _, name := range IndexVariables {
		if index == "" {
			index, from = env(name), name
		}
	}
	if index == "" {
		return "", nil
	}
	// uv takes NAME=URL.
	if name, url, ok := strings.Cut(index, "="); ok && !strings.Contains(name, "/") {
		index = url
	}
	if _, err := ParseIndex(index); err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	return index, nil
}

// ParseIndex parses the URL of an index.
func ParseIndex(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s is no URL of an index: https://host/simple/ was expected", sbom.RedactURL(raw))
	}
	if !strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath("/")
	}
	return u, nil
}

func (c *Client) start() {
	if c.base, c.wrong = ParseIndex(c.Index); c.wrong == nil {
		// A relative URL would carry them on.
		c.user, c.base.User = c.base.User, nil
	}
	c.http.Transport, c.http.Version, c.http.Timeout = c.Transport, c.Version, c.Timeout
	c.http.Sleep, c.http.Jitter, c.http.Words = c.Sleep, c.Jitter, words
}

// listed reports whether the policy trusts the index, or one above it.
func (c *Client) listed() bool {
	return slices.ContainsFunc(c.Registries, func(raw string) bool {
		u, err := ParseIndex(raw)
		return err == nil && fetch.SameOrigin(u, c.base) && strings.HasPrefix(c.base.EscapedPath(), u.EscapedPath())
	})
}

// ConfiguredRegistry returns the index.
func (c *Client) ConfiguredRegistry(provenance.Subject) (string, error) {
	return sbom.RedactURL(c.Index), nil
}

// Project names are ASCII letters, digits, and . _ - between them (PEP 508).
var (
	validName    = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,254}[A-Za-z0-9])?$`)
	validVersion = lazyregexp.New(`^[A-Za-z0-9.!+_-]{1,128}$`)
)

// Attestations asks for the release. The error is that of the context.
func (c *Client) Attestations(ctx context.Context, s provenance.Subject) (provenance.Set, error) {
	c.once.Do(c.start)
	fail := func(reason, hint string) provenance.Set {
		return provenance.Set{Availability: provenance.Unreachable, Reason: reason, Hint: hint, Registry: sbom.RedactURL(c.Index)}
	}
	if s.Ecosystem != sbom.PyPI || !validVersion.MatchString(s.Version) {
		return fail(fmt.Sprintf("%q in version %q is no release of a Python project; nobody was asked", s.Name, s.Version), "correct the name"), ctx.Err()
	}
	if no := c.refuse(s.Name); no != nil {
		return fail(no.Reason, no.Hint), ctx.Err()
	}
	set, problem := c.release(ctx, s)
	if err := ctx.Err(); err != nil {
		return provenance.Set{}, err
	}
	if problem != nil {
		return fail(problem.Reason, problem.Hint), nil
	}
	set.Registry = sbom.RedactURL(c.Index)
	return set, nil
}

// refuse says why nobody is asked about a project; nil where somebody is.
func (c *Client) refuse(project string) *failure {
	switch {
	case c.wrong != nil:
		return &failure{Reason: c.wrong.Error(), Hint: "correct --pypi-index, or UV_DEFAULT_INDEX"}
	case !validName.MatchString(project):
		return &failure{Reason: fmt.Sprintf("%q is no name of a Python project; nobody was asked", project), Hint: "correct the name"}
	case c.Internal != nil && c.Internal(project) && !c.listed():
		return &failure{
			Reason: "the policy says that the project is internal, and does not list this index; nobody was asked",
			Hint:   "name the project's own index with --pypi-index, and list it under registries in the policy",
		}
	default:
		return nil
	}
}

// release asks for the project's files, and for the provenance object of each of
// the release.
func (c *Client) release(ctx context.Context, s provenance.Subject) (provenance.Set, *failure) {
	none := provenance.Set{}
	u := c.base.JoinPath(provenance.PyPIName(s.Name), "/")
	a, fail := c.get(ctx, u, acceptSimple, maxProjectBytes)
	switch {
	case fail != nil:
		return none, fail
	case a.Status != http.StatusOK:
		return none, &failure{Reason: "the index " + shown(c.base) + " knows no project of this name", Hint: hintUnknown}
	case !isJSON(a.Kind):
		return c.unable("answers no JSON"), nil
	}
	project, err := readProject(a.Body, s)
	switch {
	case err != nil:
		return none, c.http.BadAnswer(u, err)
	case len(project.files) == 0:
		return none, &failure{Reason: "the index " + shown(c.base) + " knows the project, but no file of this version", Hint: hintUnknown}
	case len(project.files) > provenance.MaxReleaseFiles:
		return none, &failure{Reason: fmt.Sprintf("the release has more than %d files", provenance.MaxReleaseFiles), Hint: "pin one of its files by its digest"}
	}
	set := provenance.Set{Availability: provenance.Found}
	for _, f := range project.files {
		set.Files = append(set.Files, provenance.File{Name: f.name, Digests: []provenance.Digest{{Algorithm: "sha256", Value: f.sha256}}})
		if f.provenance == "" {
			continue
		}
		found, missing, fail := c.provenance(ctx, u, f)
		switch {
		case fail != nil:
			return none, fail
		case missing:
			return c.unable("promises attestations for " + f.name + ", but does not serve them"), nil
		}
		set.Attestations = append(set.Attestations, found...)
	}
	switch {
	case len(set.Attestations) > 0:
		return set, nil
	case !project.attests:
		return c.unable("speaks a version of its API without attestations"), nil
	default:
		return provenance.Set{
			Availability: provenance.None, Reason: "the index " + shown(c.base) + " has no attestations for this version",
			Hint: "use a version that was published by a trusted publisher, or ask the maintainers to publish so",
		}, nil
	}
}

const hintUnknown = "check the name, the version and the index; a project that was taken down, or that needs credentials, looks the same"

// unable is the answer of an index whose silence proves nothing.
func (c *Client) unable(why string) provenance.Set {
	return provenance.Set{
		Availability: provenance.NoSupport, Reason: "the index " + shown(c.base) + " " + why,
		Hint: "name the index that the project was published to with --pypi-index, or give the attestations with --attestations",
	}
}

// provenance asks for the provenance object of one file.
func (c *Client) provenance(ctx context.Context, base *url.URL, f file) (found []provenance.Attestation, missing bool, fail *failure) {
	u, err := base.Parse(f.provenance)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || base.Scheme != "http") {
		return nil, false, c.http.BadAnswer(base, errAnswer)
	}
	a, fail := c.get(ctx, u, "application/vnd.pypi.integrity.v1+json, application/json", provenance.MaxProvenanceObject)
	if fail != nil {
		return nil, false, fail
	}
	if a.Status != http.StatusOK {
		return nil, true, nil
	}
	found, err = provenance.ReadPEP740(a.Body, shown(u))
	if err != nil {
		return nil, false, c.http.BadAnswer(u, fmt.Errorf("%w: %w", errAnswer, err))
	}
	for i := range found {
		found[i].File = f.name
	}
	return found, false, nil
}

// shown is a URL for people and results: its path may be a token.
func shown(u *url.URL) string { return sbom.RedactURL(u.String()) }
