package sbom

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"countermark/sbom/lazyregexp"
)

// Redacted stands where a part of a URL looked like a credential.
const Redacted = "REDACTED"

// RedactURL returns the URL without what can carry a credential: userinfo,
// query, fragment, parameters of the path, and path segments that look like tokens
// (the private part of a capability URL). Of a fragment it keeps a git commit id, which is public and
// the identity of a git dependency; of a path it keeps the commit id that
// follows a word such as "commit" or "tar.gz". It takes anything, also what
// net/url refuses (templates, scp-like git remotes), and never returns more than
// it was given.
func RedactURL(raw string) string {
	raw = PlainURL(raw)
	scheme := webScheme(raw)
	if scheme == "" {
		scheme = authority.FindString(raw)
	}
	if scheme == "" {
		head, fragment := splitPath(raw)
		return redactPath(withoutUser(head)) + keepCommit(fragment)
	}
	host, rest := splitHost(raw[len(scheme):])
	// The userinfo ends at the last @: a password may hold more of them. One may
	// also hold what ends an authority unescaped, so look for an @ behind that where
	// the part before it has a colon but is no host:port.
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:]
	} else if at := strings.LastIndex(rest, "@"); at >= 0 && strings.Contains(host, ":") && !hostPort.MatchString(host) {
		host, rest = splitHost(rest[at+1:])
	}
	path, fragment := splitPath(rest)
	return Joined(raw, scheme, host, redactPath(path), keepCommit(fragment))
}

// Joined joins parts. Where a text begins with just these it returns that much of it,
// as for nearly every URL: nothing in it is redacted, and there are thousands.
func Joined(text string, parts ...string) string {
	rest := text
	for _, part := range parts {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, part); !ok {
			return strings.Join(parts, "")
		}
	}
	return text[:len(text)-len(rest)]
}

// splitHost parts an authority from what follows it: a slash or, as browsers and
// Node read it, a backslash, a query or a fragment.
func splitHost(s string) (host, rest string) {
	if i := strings.IndexAny(s, `/\?#`); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// splitPath takes a query off, and returns a fragment apart.
func splitPath(s string) (path, fragment string) {
	path, fragment, _ = strings.Cut(s, "#")
	path, _, _ = strings.Cut(path, "?")
	return path, fragment
}

var looseScheme = lazyregexp.New(`(?i)^((?:git\+)?(?:https?|wss?|ssh|git|ftp)):[\\/]+`)

// PlainURL writes a URL as the parsers of browsers and Node understand it: they
// skip line breaks and tabs, and take "https:/host" and "https:\\host" as well.
// A form that only they understand would hide a credential.
func PlainURL(raw string) string {
	raw = strings.TrimSpace(raw)
	if strings.ContainsAny(raw, "\t\n\r") || !utf8.ValidString(raw) {
		raw = strings.Map(func(r rune) rune {
			if r == '\t' || r == '\n' || r == '\r' {
				return -1
			}
			return r
		}, raw)
	}
	if webScheme(raw) != "" {
		return raw // as nearly all are
	}
	return looseScheme.ReplaceAllString(raw, "$1://")
}

// webScheme returns "https://" where exactly that is before the host, or "".
func webScheme(s string) string {
	const scheme = "https://"
	if len(s) > len(scheme) && s[:len(scheme)] == scheme && s[len(scheme)] != '/' && s[len(scheme)] != '\\' {
		return scheme
	}
	return ""
}

// withoutUser takes the userinfo off what has no scheme: user@host:path, as scp
// writes it, and user:password@owner/name, a shorthand that npm takes. Names and
// versions are left alone: @scope/name@1.0.0, npm:name@1.0.0.
func withoutUser(s string) string {
	first, _, _ := strings.Cut(s, "/")
	if strings.HasPrefix(first, "npm:") || strings.Contains(first, "@npm:") {
		return s
	}
	if word, rest, ok := strings.Cut(s, ":"); ok && hosted[word] {
		owner, _, _ := strings.Cut(rest, "/")
		return word + ":" + rest[strings.LastIndexByte(owner, '@')+1:] // a token may stand there alone
	}
	at := strings.LastIndex(first, "@")
	if at < 0 {
		return s
	}
	user, password, _ := strings.Cut(first[:at], ":")
	scp := strings.Contains(first[at:], ":")
	login := user != "" && password != "" && !protocols[user]
	if scp || login {
		return s[at+1:]
	}
	return s
}

// hosted are npm's shorthands for git hosts.
var hosted = map[string]bool{"github": true, "gitlab": true, "bitbucket": true, "gist": true}

// protocols are the words before a colon that are no user names.
var protocols = map[string]bool{
	"npm": true, "jsr": true, "file": true, "link": true, "workspace": true, "portal": true, "patch": true,
}

var (
	// authority is what stands before user and host. It is wider than RFC 3986
	// allows, so that no odd scheme, nor a word before it such as npm: or git::,
	// hides what follows it.
	authority = lazyregexp.New(`^([A-Za-z0-9+._-]*:)*(//|\\\\)`)
	hostPort  = lazyregexp.New(`^(\[[0-9A-Fa-f:.]*\]|[^:@]*):([0-9]*|\$\{?[A-Za-z_][^/]*)$`)
)

func keepCommit(fragment string) string {
	fragment = strings.TrimPrefix(fragment, "commit=")
	if isCommit(fragment) {
		return "#" + fragment
	}
	return ""
}

// isCommit reports whether s is the id of a git commit, by SHA-1 or SHA-256.
func isCommit(s string) bool {
	const sha1, sha256 = 40, 64
	if len(s) != sha1 && len(s) != sha256 {
		return false
	}
	for i := range len(s) {
		if !isDigit(s[i]) && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}

// beforeCommit are the path segments that a commit id follows in the URLs of
// git hosts.
var beforeCommit = map[string]bool{
	"commit": true, "commits": true, "tar.gz": true, "tarball": true, "zip": true,
	"zipball": true, "archive": true, "tree": true, "blob": true, "raw": true, "-": true,
}

// pathParameter matches the parameters of a path's segment, which carry what a query
// does (RFC 3986, section 3.3): ";jsessionid=…".
var pathParameter = lazyregexp.New(`;[^/;=]*=[^/]*`)

func redactPath(path string) string {
	if strings.Contains(path, ";") {
		path = pathParameter.ReplaceAllString(path, "")
	}
	var segments []string // once one of them is redacted
	before := ""
	i := 0
	for s := range strings.SplitSeq(path, "/") {
		bare := strings.TrimSuffix(strings.TrimSuffix(s, ".tar.gz"), ".zip")
		commit := isCommit(bare) && beforeCommit[before]
		before = s
		if !commit && LooksSecret(s) {
			if segments == nil {
				segments = strings.Split(path, "/")
			}
			segments[i] = Redacted
		}
		i++
	}
	if segments == nil {
		return path
	}
	return strings.Join(segments, "/")
}

// knownToken matches credentials that tell by their form whose they are.
var knownToken = lazyregexp.New(`(?i:^|[^a-z0-9])(` +
	`gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|` +
	`npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|` +
	`sk-[A-Za-z0-9_-]{16,}|[srp]k_(live|test)_[A-Za-z0-9]{10,}|` +
	`xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|` +
	`AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,}|ya29\.[0-9A-Za-z_-]{10,}|` +
	`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}|` +
	`hf_[A-Za-z0-9]{20,}|lin_api_[A-Za-z0-9]{20,}|secret_[A-Za-z0-9]{20,}|ntn_[A-Za-z0-9]{20,}|` +
	`pat[A-Za-z0-9]{14}\.[0-9a-f]{40,}|bb_live_[A-Za-z0-9_-]{10,}|fc-[0-9a-f]{24,}|tvly-[A-Za-z0-9-]{16,}|` +
	`dop_v1_[0-9a-f]{20,}|sbp_[0-9a-f]{20,}|SG\.[A-Za-z0-9_-]{16,}|` +
	`bot[0-9]{6,}:[A-Za-z0-9_-]{20,}|[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}` +
	`)`)

var uuidPattern = lazyregexp.New(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

const (
	shortestToken = 15 // below that length none of the patterns can match
	uuidLength    = 36
)

// LooksSecret reports whether the text has the form of a credential: a known
// prefix, a UUID, a long hex string, or a long run of letters and digits that no
// name has. It prefers one false alarm to a leak.
func LooksSecret(s string) bool {
	if len(s) < shortestToken {
		return false
	}
	if u, err := url.PathUnescape(s); err == nil {
		s = u
	}
	switch {
	case mayHoldToken(s) && knownToken.MatchString(s),
		len(s) == uuidLength && uuidPattern.MatchString(s),
		isHexRun(s):
		return true
	default:
		return isTokenRun(s) && randomLooking(s)
	}
}

// randomLooking reports whether a run of at least 20 token characters is mixed
// as names are not: one unbroken word of 16 or more characters with digits among
// letters, or with capitals scattered in it.
func randomLooking(s string) bool {
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && !breaksWord(s[i]) {
			continue
		}
		if i-start >= 16 && mixed(s[start:i]) {
			return true
		}
		start = i + 1
	}
	return false
}

func breaksWord(c byte) bool {
	switch c {
	case '-', '_', '.', '~', '+', '=':
		return true
	default:
		return false
	}
}

func mixed(word string) bool {
	var digits, upper, lower, turns int
	for i := range len(word) {
		switch c := word[i]; {
		case c >= '0' && c <= '9':
			digits++
			if i > 0 && !isDigit(word[i-1]) {
				turns++
			}
		case c >= 'A' && c <= 'Z':
			upper++
		default:
			lower++
		}
	}
	return digits > 0 && upper > 0 && lower > 0 || turns >= 3
}
