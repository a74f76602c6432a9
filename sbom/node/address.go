package node

import (
	"cmp"
	"encoding/hex"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// address is a URL of http or https as npm contacts it. npm reads URLs by the
// WHATWG's rules (https://url.spec.whatwg.org/#url-parsing), under which a
// backslash is a slash and tabs vanish; by those of RFC 3986 the same text can
// name another host. Whoever judges one reading while npm follows the other
// trusts the wrong server.
type address struct {
	raw    string
	scheme string
	host   string // host[:port] without the scheme's own port; "" where there is none
	path   string // begins with a slash; without dot segments
	rest   string // query and fragment
	doubt  string // why it is not of the one form that every reader understands alike
}

// cutWeb cuts the scheme, in lower case, and the slashes of any kind behind it off a
// URL of http or https; the scheme is "" where it is none.
func cutWeb(s string) (scheme, slashes, rest string) {
	scheme, ok := strings.CutSuffix(schemeOf(s), ":")
	if !ok || scheme != "http" && scheme != "https" {
		return "", "", s
	}
	s = s[len(scheme)+len(":"):]
	rest = strings.TrimLeft(s, `\/`)
	return scheme, s[:len(s)-len(rest)], rest
}

// parseAddress reads a URL; ok is false where it is none of http or https.
func parseAddress(raw string) (a address, ok bool) {
	doubt := func(is bool, why string) {
		if is {
			a.doubt = cmp.Or(a.doubt, why)
		}
	}
	a.raw = raw
	text := raw
	if !every(raw, func(c byte) bool { return c > ' ' && c <= '~' }) {
		text = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
		text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
		doubt(true, "it holds blanks, control characters or letters that no URL has")
	}
	scheme, slashes, text := cutWeb(text)
	if scheme == "" {
		return a, false
	}
	a.scheme = scheme
	doubt(slashes != "//", "its scheme is not followed by two slashes")

	end := strings.IndexAny(text, `\/?#`)
	if end < 0 {
		end = len(text)
	}
	authority := text[:end]
	path, rest := text[end:], ""
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path, rest = path[:i], path[i:]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		doubt(true, "a user name stands before its host")
		authority = authority[at+1:]
	}
	a.host = strings.ToLower(authority)
	if !validHost(a.host) {
		doubt(true, "it names no host")
		a.host = ""
		return a, true
	}
	a.host = withoutDefaultPort(a.scheme, a.host)
	doubt(strings.Contains(path, `\`), "a backslash stands in its path")
	doubt(needlessEscape(path), "its path hides letters or slashes behind escapes")
	var dots bool
	a.path, dots = withoutDots(strings.ReplaceAll(path, `\`, "/"))
	doubt(dots, "its path goes up or in circles")
	a.rest = rest
	return a, true
}

func withoutDefaultPort(scheme, host string) string {
	port := ":80"
	if scheme == "https" {
		port = ":443"
	}
	if bare, ok := strings.CutSuffix(host, port); ok {
		return bare
	}
	return strings.TrimSuffix(host, ":")
}

// scopeSlash is the one slash that registries' own URLs escape, or not: the one
// between a scope and a name.
var scopeSlash = lazyregexp.New(`(?i)(^|/)((?:@|%40)[^/%]+)%2f`)

// needlessEscape reports whether a percent sign hides what stands for itself in
// a path (RFC 3986, section 6.2.2.2), or what would structure it: servers differ
// in whether they see it.
func needlessEscape(path string) bool {
	if !strings.Contains(path, "%") {
		return false
	}
	path = scopeSlash.ReplaceAllString(path, "$1$2/")
	for i := 0; ; i += len("%") {
		at := strings.IndexByte(path[i:], '%')
		if at < 0 {
			return false
		}
		i += at
		c, ok := unhex(path[i+1:])
		switch {
		case !ok, c < ' ', c == 0x7f, strings.IndexByte(`/\%.-_~?#`, c) >= 0,
			c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z':
			return true
		}
	}
}

func unhex(s string) (c byte, ok bool) {
	if len(s) < 2 {
		return 0, false
	}
	b, err := hex.DecodeString(s[:2])
	if err != nil {
		return 0, false
	}
	return b[0], true
}

// withoutDots resolves the segments . and .., escaped or not, and reports
// whether there were any. Empty segments are kept, as they are in requests.
func withoutDots(path string) (clean string, dots bool) {
	if strings.HasPrefix(path, "/") && !strings.Contains(path, "/.") && !strings.Contains(path, "%") {
		return path, false
	}
	return withoutSegments(path)
}

func withoutSegments(path string) (clean string, dots bool) {
	var out []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(s), "%2e", ".") {
		case "..":
			out = out[:max(len(out)-1, 0)]
		case ".":
		default:
			out = append(out, s)
			continue
		}
		dots = true
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/"), dots
}

// nestedUser matches the user of another URL within a path, which is a mistake of
// whoever wrote it, with a password all the same.
var nestedUser = lazyregexp.New(`//[^/@]+@`)

// String is the URL as npm would contact it, redacted.
func (a address) String() string {
	if a.host == "" {
		return a.scheme + "://" + sbom.Redacted // nobody can tell what in it is a password
	}
	if strings.Contains(a.path, "//") && nestedUser.MatchString(a.path) {
		return a.scheme + "://" + a.host + "/" + sbom.Redacted
	}
	return sbom.RedactURL(sbom.Joined(a.raw, a.scheme, "://", a.host, a.path, a.rest))
}

// Distribution reads the URL of a distribution, before anything in it is
// redacted, as the package manager does. It also returns the URL that would be
// contacted, redacted. Of a git remote, it only says whether there is doubt.
func Distribution(resolved string) (url string, d sbom.Distribution) {
	a, ok := parseAddress(resolved)
	if !ok {
		return sbom.RedactURL(resolved), sbom.Distribution{Doubt: gitDoubt(resolved)}
	}
	d.Doubt = a.doubt
	if a.host != "" {
		d.Host = sbom.Joined(a.raw, a.scheme, "://", a.host)
		d.Name, d.Version = a.names()
	}
	return a.String(), d
}

// gitUser is what may stand before the host of a git remote without making it
// another one: a user name, and the token of a private one.
var gitUser = lazyregexp.New(`^[A-Za-z0-9_.+~-]*(:[A-Za-z0-9_.+~-]*)?@`)

// gitDoubt says why git and npm could take a git remote for two different ones.
func gitDoubt(resolved string) string {
	remote, _, _ := strings.Cut(resolved, "#")
	_, rest, ok := strings.Cut(remote, "://")
	if !ok {
		rest = remote
	}
	rest = rest[len(gitUser.FindString(rest)):]
	host, _, _ := strings.Cut(rest, "/")
	switch scheme := schemeOf(resolved); {
	case strings.HasSuffix(scheme, "file:"):
		return ""
	case strings.IndexFunc(remote, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) >= 0:
		return "it holds blanks, backslashes or letters that no URL has"
	case strings.ContainsAny(host, "@%?"), ok && host == "":
		return "something that is no plain user name stands before its host"
	}
	return ""
}
