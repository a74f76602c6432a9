package npm

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"countermark/provenance/fetch"
)

// parseRegistry returns a registry's URL in the one form that is compared and
// asked: lower-case host, no default port, a path that ends in a slash.
// Userinfo is kept for the caller to take out.
func parseRegistry(raw string) (*url.URL, error) {
	u, err := url.Parse(trim(raw))
	if err != nil {
		return nil, errors.New("is no URL") // the parser's own error quotes it
	}
	u.Host = strings.ToLower(u.Host)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("is no https URL")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("names no host")
	case strings.IndexFunc(u.Host, func(r rune) bool { return r > '~' || r <= ' ' || r == '%' || r == '\\' }) >= 0:
		return nil, errors.New("has a host that is not plain ASCII")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("has a query or fragment")
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." || strings.ContainsAny(segment, "\\") {
			return nil, errors.New("has a path that leads elsewhere")
		}
	}
	u.Host = fetch.Host(u)
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
		if u.RawPath != "" {
			u.RawPath += "/"
		}
	}
	return u, nil
}

func isLoopback(u *url.URL) bool {
	host := u.Hostname()
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// plain reports whether the URL is read by everybody on the way.
func plain(u *url.URL) bool { return u.Scheme == "http" && !isLoopback(u) }

// OnPublicRegistry reports whether a lockfile's URL is on the public registry's
// host. npm puts the configured registry in its place (replace-registry-host).
func OnPublicRegistry(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && isPublic(u)
}

// isPublic reports whether the URL is the public registry's, whatever its
// scheme, port and path.
func isPublic(u *url.URL) bool {
	public, err := url.Parse(PublicRegistry)
	return err == nil && strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), public.Hostname())
}

// authority returns what stands between the scheme and the path of a URL that
// may still hold variables; "" where it has no scheme.
func authority(raw string) string {
	_, rest, ok := strings.Cut(trim(raw), "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		rest = rest[:i]
	}
	return strings.ToLower(rest)
}

// withoutDefaultPort drops the port that a registry's scheme implies.
func withoutDefaultPort(raw, host string) string {
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return host
	}
	name := strings.TrimSuffix(host, ":"+port) // an IPv6 address keeps its brackets
	scheme, _, _ := strings.Cut(trim(raw), "://")
	if strings.EqualFold(scheme, "https") && port == "443" || strings.EqualFold(scheme, "http") && port == "80" {
		return name
	}
	return host
}

// nerfKey takes a key that is bound to a registry apart: "//host/path/:_auth" is
// the host, everything before the last colon, and the name behind it.
func nerfKey(key string) (host, prefix, name string, ok bool) {
	i := strings.LastIndexByte(key, ':')
	if !strings.HasPrefix(key, "//") || i < 0 {
		return "", "", "", false
	}
	prefix, name = key[:i], key[i+1:]
	host, _, _ = strings.Cut(prefix[len("//"):], "/")
	return strings.ToLower(host), prefix, name, host != ""
}

// scopedRegistry reports whether the key is of the form @scope:registry.
func scopedRegistry(key string) bool {
	scope, ok := strings.CutSuffix(key, ":registry")
	return ok && len(scope) > 1 && scope[0] == '@' && !strings.Contains(scope, "/")
}
