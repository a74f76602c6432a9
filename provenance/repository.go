package provenance

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"countermark/sbom/lazyregexp"
)

// The OIDC issuers whose certificates may speak for a host's repositories.
// Fulcio takes tokens of many issuers and copies their claims, so a repository
// counts only together with its own host's issuer.
const (
	IssuerGitHub = "https://token.actions.githubusercontent.com"
	IssuerGitLab = "https://gitlab.com"
)

// issuers says which issuer speaks for a host unless the expectation names one.
var issuers = map[string]string{
	"github.com": IssuerGitHub,
	"gitlab.com": IssuerGitLab,
}

// errOwnerOnly means that a URL names an owner and no repository. As an
// expectation it is well-formed, but no repository meets it.
var errOwnerOnly = errors.New("a repository is owner and name: https://host/owner/name was expected")

// Repository is a source repository in its normal form.
type Repository struct {
	Host string   // lower-case, with its port if it has one
	Path []string // owner, name; GitLab's groups may nest
}

// String returns the normal form, https://host/owner/name.
func (r Repository) String() string { return "https://" + r.Host + "/" + strings.Join(r.Path, "/") }

// ParseRepository brings a repository's URL into its normal form: https, http,
// git and ssh URLs, with or without "git+" in front, scp-like addresses
// (git@host:owner/name), host/owner/name without a scheme, as slsa-verifier takes
// it, a ".git" or slash at the end. It refuses what could be
// taken for another repository than it is: anything but ASCII, escapes, a query,
// a fragment, userinfo, and empty or dotted path segments.
func ParseRepository(raw string) (Repository, error) {
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f {
			return Repository{}, errors.New("a repository's URL is plain ASCII without blanks; other characters can look like it")
		}
	}
	s := strings.TrimPrefix(raw, "git+")
	if rest, ok := strings.CutPrefix(s, "git@"); ok && !strings.Contains(s, "://") {
		host, path, ok := strings.Cut(rest, ":")
		if !ok {
			return Repository{}, errors.New("no repository URL: https://host/owner/name was expected")
		}
		s = "ssh://git@" + host + "/" + path
	}
	if host, _, _ := strings.Cut(s, "/"); bareHost.MatchString(host) {
		s = "https://" + s
	}
	if strings.ContainsAny(s, `%\?#`) {
		return Repository{}, errors.New("a repository's URL has no escapes, query or fragment")
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return Repository{}, errors.New("no repository URL: https://host/owner/name was expected")
	}
	switch u.Scheme {
	case "https", "http", "git", "ssh":
	default:
		return Repository{}, fmt.Errorf("the scheme %q names no repository: https://host/owner/name was expected", clip(u.Scheme))
	}
	if u.User != nil && (u.Scheme != "ssh" || u.User.String() != "git") {
		return Repository{}, errors.New("a repository's URL has no user name")
	}
	path := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/"), ".git")
	r := Repository{Host: strings.ToLower(u.Host), Path: strings.Split(path, "/")}
	for _, segment := range r.Path {
		if segment == "" || segment == "." || segment == ".." {
			return Repository{}, errors.New("a repository's URL has no empty or dotted path segments")
		}
	}
	if len(r.Path) < 2 {
		return Repository{}, errOwnerOnly
	}
	if r.Host == "github.com" && len(r.Path) != 2 {
		return Repository{}, errors.New("a repository of github.com is https://github.com/owner/name, without more")
	}
	return r, nil
}

// bareHost is a host without a scheme before it. The dot tells it from an owner.
var bareHost = lazyregexp.New(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)

// CheckExpected returns an error for a URL that cannot say where something should
// come from: no repository, or one whose owner is left open, which anybody's
// repository would meet. An owner alone is accepted, and met by nothing.
func CheckExpected(repo string) error {
	r, err := ParseRepository(repo)
	switch {
	case errors.Is(err, errOwnerOnly):
		return nil
	case err == nil && strings.Contains(r.Path[0], "*"):
		return errors.New("it leaves the owner open, so anybody's repository would do")
	default:
		return err
	}
}

// matches compares a certified repository with an expected one, in which a * is
// one whole path segment. The note names a near miss for people; a near miss is
// a miss.
func (r Repository) matches(want Repository) (ok bool, note string) {
	if r.Host != want.Host || len(r.Path) != len(want.Path) {
		return false, ""
	}
	folded := false
	for i, w := range want.Path {
		switch {
		case w == "*" || w == r.Path[i]:
		case strings.EqualFold(w, r.Path[i]):
			folded = true
		default:
			return false, ""
		}
	}
	if folded {
		return false, "they differ only in upper and lower case"
	}
	return true, ""
}

// matchRef reports whether ref matches the pattern, in which * stops at a slash
// and ** does not. It takes time in proportion to both lengths, whatever the
// pattern.
func matchRef(pattern, ref string) bool {
	// reach[i]: the pattern so far can match the first i bytes of ref.
	reach := make([]bool, len(ref)+1)
	reach[0] = true
	for len(pattern) > 0 {
		next := make([]bool, len(ref)+1)
		star := len(pattern) - len(strings.TrimLeft(pattern, "*"))
		for i := range next {
			if star == 0 {
				next[i] = i > 0 && reach[i-1] && ref[i-1] == pattern[0]
			} else {
				next[i] = reach[i] || i > 0 && next[i-1] && (star > 1 || ref[i-1] != '/')
			}
		}
		reach = next
		pattern = pattern[max(star, 1):]
	}
	return reach[len(ref)]
}
