package policy

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Limits of patterns. The first is the longest name that npm allows, with room
// for image names; the second bounds the search for ties.
const (
	maxPatternLength    = 256
	maxPatternsOfPrefix = 100
)

// pattern selects packages of one ecosystem by name.
type pattern struct {
	ecosystem sbom.Ecosystem
	glob      string // * stops at /
}

var patternEcosystems = map[string]sbom.Ecosystem{"npm": sbom.NPM, "pypi": sbom.PyPI, "oci": sbom.OCI}

var patternForm = lazyregexp.New(`^[A-Za-z0-9@*][A-Za-z0-9@._~*/:+-]*$`)

func parsePattern(text string) (pattern, error) {
	p := pattern{ecosystem: sbom.NPM, glob: text}
	if prefix, rest, ok := strings.Cut(text, ":"); ok {
		ecosystem, known := patternEcosystems[prefix]
		if !known {
			return pattern{}, fmt.Errorf("%q begins with no known ecosystem, which are npm, pypi and oci", text)
		}
		p = pattern{ecosystem: ecosystem, glob: rest}
	}
	switch {
	case len(p.glob) > maxPatternLength:
		return pattern{}, fmt.Errorf("the pattern is longer than %d characters", maxPatternLength)
	case !patternForm.MatchString(p.glob):
		return pattern{}, fmt.Errorf("%q is no package name or pattern", text)
	case strings.Contains(p.glob, "**"):
		return pattern{}, fmt.Errorf("%q: ** means nothing in a package pattern; * stops at /", text)
	}
	if p.ecosystem == sbom.PyPI {
		p.glob = pypiName(p.glob)
	}
	if p.ecosystem == sbom.OCI {
		p.glob = imageName(p.glob)
	}
	return p, nil
}

var pypiSeparators = lazyregexp.New(`[-_.]+`)

// pypiName normalises as PEP 503 says.
func pypiName(name string) string {
	return strings.ToLower(pypiSeparators.ReplaceAllString(name, "-"))
}

// imageName leaves out what Docker's registry is known by, as its users do:
// docker.io/library/node is node.
func imageName(repository string) string {
	rest, ok := strings.CutPrefix(repository, "docker.io/")
	if !ok {
		return repository
	}
	return strings.TrimPrefix(rest, "library/")
}

// packageName returns the name that a pattern is compared with. The name of an
// image in a purl is only its last segment; the rest is a qualifier
// (https://github.com/package-url/purl-spec, type oci).
func packageName(ecosystem sbom.Ecosystem, name, purl string) string {
	if ecosystem != sbom.OCI {
		return name
	}
	p, err := packageurl.FromString(purl)
	if err != nil {
		return name
	}
	return imageName(cmp.Or(p.Qualifiers.Map()["repository_url"], name))
}

func (p pattern) exact() bool { return !strings.Contains(p.glob, "*") }

// literal returns what stands before the first *.
func (p pattern) literal() string {
	prefix, _, _ := strings.Cut(p.glob, "*")
	return prefix
}

func (p pattern) matches(ecosystem sbom.Ecosystem, name string) bool {
	if ecosystem != p.ecosystem {
		return false
	}
	if ecosystem == sbom.PyPI {
		name = pypiName(name)
	}
	return matchSegment(p.glob, name)
}

// beats reports whether p is the more exact of two patterns that match the same
// name.
func (p pattern) beats(q pattern) bool {
	if p.exact() != q.exact() {
		return p.exact()
	}
	return len(p.literal()) > len(q.literal())
}

// ties reports whether some name matches both, and neither is the more exact.
func (p pattern) ties(q pattern) bool {
	return p.ecosystem == q.ecosystem && p.exact() == q.exact() && p.literal() == q.literal() && intersect(p.glob, q.glob)
}

// matchSegment matches text with a glob whose * matches any run of characters
// but "/". It goes back only to the last *, so it cannot be made slow.
func matchSegment(glob, text string) bool {
	g, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, mark = g, t
			g++
		case g < len(glob) && glob[g] == text[t]:
			g++
			t++
		case star >= 0 && text[mark] != '/':
			mark++
			g, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}

// intersect reports whether some text matches both globs.
func intersect(a, b string) bool {
	// reach[j] says whether a[:i] and b[:j] can have matched the same text.
	reach := make([]bool, len(b)+1)
	reach[0] = true
	next := make([]bool, len(b)+1)
	for i := 0; i <= len(a); i++ {
		clear(next)
		for j := 0; j <= len(b); j++ {
			if !reach[j] {
				continue
			}
			aStar, bStar := i < len(a) && a[i] == '*', j < len(b) && b[j] == '*'
			if i == len(a) && j == len(b) {
				return true
			}
			if aStar {
				next[j] = true // it matches nothing more
			}
			if bStar {
				reach[j+1] = true
			}
			if aStar && j < len(b) && b[j] != '/' {
				reach[j+1] = true
			}
			if bStar && i < len(a) && a[i] != '/' {
				next[j] = true
			}
			if i < len(a) && j < len(b) && a[i] == b[j] {
				next[j+1] = true
			}
		}
		reach, next = next, reach
	}
	return false
}

// best returns the index of the most exact pattern that matches, or -1.
func best(patterns []pattern, ecosystem sbom.Ecosystem, name string) int {
	found := -1
	for i, p := range patterns {
		if p.matches(ecosystem, name) && (found < 0 || p.beats(patterns[found])) {
			found = i
		}
	}
	return found
}

// pathGlob selects paths: * and ? stop at /, ** is any number of folders.
type pathGlob []string

func parsePathGlob(text string) (pathGlob, error) {
	trimmed := strings.TrimSuffix(strings.TrimPrefix(text, "./"), "/")
	switch {
	case trimmed == "" || strings.HasPrefix(trimmed, "/"):
		return nil, fmt.Errorf("%q is no path below the checked folder", text)
	case strings.Contains(trimmed, `\`):
		return nil, fmt.Errorf("%q has a backslash; paths are written with /", text)
	}
	segments := strings.Split(trimmed, "/")
	for _, s := range segments {
		switch {
		case s == "" || s == "." || s == "..":
			return nil, fmt.Errorf("%q is no path below the checked folder", text)
		case s != "**" && strings.Contains(s, "**"):
			return nil, fmt.Errorf("%q: ** stands for whole folders and needs a / on each side", text)
		}
		if _, err := path.Match(s, ""); err != nil {
			return nil, fmt.Errorf("%q: %w", text, errBracket)
		}
	}
	// Only ** means the same twice as once.
	return slices.CompactFunc(segments, func(a, b string) bool { return a == "**" && b == "**" }), nil
}

var errBracket = errors.New("a [ is not closed")

// matches reports whether the glob selects the path, or a folder that it is in.
func (g pathGlob) matches(name string) bool {
	// at[i] says whether g[:i] has matched the segments so far.
	at := make([]bool, len(g)+1)
	at[0] = true
	g.skip(at)
	for segment := range strings.SplitSeq(name, "/") {
		next := make([]bool, len(g)+1)
		for i, ok := range at[:len(g)] {
			if !ok {
				continue
			}
			if g[i] == "**" {
				next[i] = true
				continue
			}
			if ok, err := path.Match(g[i], segment); ok && err == nil {
				next[i+1] = true
			}
		}
		g.skip(next)
		if next[len(g)] {
			return true
		}
		at = next
	}
	return false
}

// skip lets each ** match no folder at all.
func (g pathGlob) skip(at []bool) {
	for i, s := range g {
		if at[i] && s == "**" {
			at[i+1] = true
		}
	}
}
