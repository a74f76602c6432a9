// Package goproxy asks module proxies which version of a Go module a query selects at
// the moment.
//
// In flow the proxies that the user names in GOPROXY, and a package with a query such
// as latest, v1 or a branch, as a launch by go run has them; out flows the version, or
// why nobody knows it. No proxy is built in, none that only a project names is asked,
// and no repository: where GOPROXY says direct, the answer is unknown. Modules that
// GOPRIVATE or GONOPROXY name are asked for nowhere.
//
// The protocol is that of go.dev/ref/mod, "GOPROXY protocol", and so are the queries.
// The module of a package is the longest path above it that a proxy knows, as it is the
// first one in which go looks.
package goproxy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"countermark/provenance/fetch"
	"countermark/sbom/lazyregexp"

	"deps.dev/util/semver"
)

// Client asks module proxies. It may be used by many goroutines, and must not be
// copied; fields must not change after the first call.
type Client struct {
	// Proxies, Private are the values of the variables GOPROXY, and of GONOPROXY or else
	// GOPRIVATE.
	Proxies, Private string
	// Transport sends the requests; it must neither add credentials nor follow
	// redirects.
	Transport http.RoundTripper
	// Version is the program's, for the User-Agent header.
	Version string
	// Sleep waits between attempts, and returns early with an error when the context
	// ends; nil stands for a timer.
	Sleep func(ctx context.Context, d time.Duration) error

	once sync.Once
	http fetch.Client
}

// Limits of what a proxy may answer.
const (
	maxAnswer   = 8 << 20 // bytes
	maxVersions = 50_000
	maxElements = 32 // of the path of a package
)

// Error is why nobody knows a version.
type Error struct{ Reason, Hint string }

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

const hintVersion = "name an exact version: PATH@vX.Y.Z"

var words = fetch.Words{What: "module proxy", Named: "GOPROXY", Credentials: func(string) string {
	return "name a proxy in GOPROXY that answers everybody"
}}

// Select returns the version of a package that a query selects. An error is an
// [*Error], or the context's.
func (c *Client) Select(ctx context.Context, pkg, query string) (string, error) {
	c.once.Do(func() {
		c.http.Transport, c.http.Version, c.http.Sleep, c.http.Words = c.Transport, c.Version, c.Sleep, words
	})
	if err := c.refuse(pkg, query); err != nil {
		return "", err
	}
	for _, p := range c.proxies() {
		version, err := c.ask(ctx, p, pkg, query)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err == nil:
			return version, nil
		case !errors.Is(err, errUnknown) && !p.anyError:
			return "", err
		}
	}
	return "", &Error{"no module proxy of GOPROXY knows such a version of it", "check the path and the version, or " + hintVersion}
}

var errUnknown = errors.New("the proxy knows no such module or version")

// refuse says why nobody is asked.
func (c *Client) refuse(pkg, query string) error {
	switch {
	case len(c.proxies()) == 0:
		return &Error{"no module proxy is named", "name it in GOPROXY, or " + hintVersion}
	case strings.ContainsAny(query, "<>"):
		return &Error{"a query that compares versions is not asked for", hintVersion}
	case len(strings.Split(pkg, "/")) > maxElements:
		return &Error{"its path is too long to be asked for", hintVersion}
	}
	for pattern := range strings.SplitSeq(c.Private, ",") {
		n := strings.Count(pattern, "/") + 1
		elements := strings.Split(pkg, "/")
		if ok, err := path.Match(pattern, strings.Join(elements[:min(n, len(elements))], "/")); pattern != "" && (ok || err != nil) {
			return &Error{"it is private by GOPRIVATE or GONOPROXY, so that no proxy is asked for it", hintVersion}
		}
	}
	return nil
}

// proxy is one of GOPROXY.
type proxy struct {
	base     *url.URL
	anyError bool // the next one is asked after any error, and not only where it knows nothing
}

// proxies are those of GOPROXY before it ends in direct or off, or in what is no URL
// that can be asked.
func (c *Client) proxies() []proxy {
	var out []proxy
	rest := c.Proxies
	for rest != "" {
		one, sep := rest, ""
		if i := strings.IndexAny(rest, ",|"); i >= 0 {
			one, sep, rest = rest[:i], rest[i:i+1], rest[i+1:]
		} else {
			rest = ""
		}
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
			return out
		}
		out = append(out, proxy{u, sep == "|"})
	}
	return out
}

// isLoopback reports whether a host is this machine, where nobody is on the way.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// ask asks one proxy.
func (c *Client) ask(ctx context.Context, p proxy, pkg, query string) (string, error) {
	for module := pkg; module != "."; module = path.Dir(module) {
		version, err := c.in(ctx, p, module, query)
		if !errors.Is(err, errUnknown) {
			return version, err
		}
	}
	return "", errUnknown
}

var versionPrefix = lazyregexp.New(`^v[0-9]+(\.[0-9]+)?$`)

// in asks for a version of one module.
func (c *Client) in(ctx context.Context, p proxy, module, query string) (string, error) {
	isLatest := query == "latest" || query == "upgrade" || query == "patch"
	if !isLatest && !versionPrefix.MatchString(query) {
		return c.info(ctx, p, module, "@v/"+escaped(query)+".info")
	}
	data, err := c.get(ctx, p, module, "@v/list")
	if err != nil {
		return "", err
	}
	versions, err := parseList(data)
	if err != nil {
		return "", err
	}
	if len(versions) == 0 {
		if isLatest {
			return c.info(ctx, p, module, "@latest")
		}
		return "", errUnknown
	}
	if !isLatest {
		return newest(slices.DeleteFunc(versions, func(v string) bool { return !strings.HasPrefix(v, query+".") }))
	}
	return c.latest(ctx, p, module, versions)
}

// latest is the newest version that the newest one does not retract.
func (c *Client) latest(ctx context.Context, p proxy, module string, versions []string) (string, error) {
	best, err := newest(versions)
	if err != nil || strings.HasSuffix(best, "+incompatible") {
		return best, err
	}
	data, err := c.get(ctx, p, module, "@v/"+escaped(best)+".mod")
	if errors.Is(err, errUnknown) {
		return "", &Error{"the proxy lists a version that it does not have", "check GOPROXY"}
	}
	if err != nil {
		return "", err
	}
	gone := retracted(string(data))
	return newest(slices.DeleteFunc(versions, func(v string) bool {
		return slices.ContainsFunc(gone, func(r [2]string) bool {
			return semver.Go.Compare(r[0], v) <= 0 && semver.Go.Compare(v, r[1]) <= 0
		})
	}))
}

var (
	isVersion  = lazyregexp.New(`^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+incompatible)?$`)
	isPseudo   = lazyregexp.New(`[.-][0-9]{14}-[0-9a-f]{12}(\+incompatible)?$`)
	retractOne = lazyregexp.New(`^(?:\[\s*(v[^\s,]+)\s*,\s*(v[^\s\]]+)\s*\]|(v[^\s\[\]]+))$`)
)

func parseList(data []byte) ([]string, error) {
	var out []string
	for line := range strings.Lines(string(data)) {
		v := strings.TrimSpace(line)
		switch {
		case v == "" || isPseudo.MatchString(v):
		case !isVersion.MatchString(v):
			return nil, &Error{"the module proxy lists a version that is none", "check GOPROXY"}
		case len(out) == maxVersions:
			return nil, &Error{fmt.Sprintf("the module proxy lists more than %d versions", maxVersions), "check GOPROXY"}
		default:
			out = append(out, v)
		}
	}
	return out, nil
}

// newest is the newest release, else the newest pre-release. Versions from before there
// were modules count only where there are no others.
func newest(versions []string) (string, error) {
	if len(versions) == 0 {
		return "", errUnknown
	}
	rank := func(v string) int {
		text, incompatible := strings.CutSuffix(v, "+incompatible")
		switch {
		case incompatible:
			return 0
		case strings.Contains(text, "-"):
			return 1
		default:
			return 2
		}
	}
	best := slices.MaxFunc(versions, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), semver.Go.Compare(a, b)) })
	if rank(best) > 0 && slices.ContainsFunc(versions, func(v string) bool { return rank(v) == 0 && semver.Go.Compare(v, best) > 0 }) {
		return "", &Error{"newer versions of it are from before there were modules, and only go itself decides whether they count", hintVersion}
	}
	return best, nil
}

// retracted are the ranges that a go.mod takes back.
func retracted(mod string) [][2]string {
	var out [][2]string
	inside := false
	for line := range strings.Lines(mod) {
		line, _, _ = strings.Cut(line, "//")
		line = strings.TrimSpace(line)
		rest, isRetract := strings.CutPrefix(line, "retract")
		rest = strings.TrimSpace(rest)
		switch {
		case inside && line == ")":
			inside = false
			continue
		case isRetract && rest == "(":
			inside = true
			continue
		case inside:
			rest = line
		case !isRetract:
			continue
		}
		if m := retractOne.FindStringSubmatch(rest); m != nil {
			out = append(out, [2]string{cmp.Or(m[1], m[3]), cmp.Or(m[2], m[3])})
		}
	}
	return out
}

// info reads what a proxy says of one version.
func (c *Client) info(ctx context.Context, p proxy, module, name string) (string, error) {
	data, err := c.get(ctx, p, module, name)
	if err != nil {
		return "", err
	}
	var v struct{ Version string }
	if json.NewDecoder(bytes.NewReader(data)).Decode(&v) != nil || !isVersion.MatchString(v.Version) {
		return "", &Error{"the module proxy names no version", "check GOPROXY"}
	}
	return v.Version, nil
}

func (c *Client) get(ctx context.Context, p proxy, module, name string) ([]byte, error) {
	u := *p.base
	u.User = nil
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + escaped(module) + "/" + name
	u.RawPath = ""
	a, fail := c.http.Get(ctx, fetch.Request{URL: &u, Accept: "*/*", Max: maxAnswer, Take: func(_ string, r io.Reader) ([]byte, error) { return io.ReadAll(r) }})
	switch {
	case fail != nil:
		return nil, &Error{fail.Reason, fail.Hint}
	case a.Status != http.StatusOK:
		return nil, errUnknown
	default:
		return a.Body, nil
	}
}

// escaped writes a path or version as proxies have it: an upper-case letter is a "!"
// and the lower-case one.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Named is a client of what the user's variables name. It asks nobody where that is
// nothing.
func Named(env func(name string) string) *Client {
	return &Client{Proxies: env("GOPROXY"), Private: cmp.Or(env("GONOPROXY"), env("GOPRIVATE"))}
}
