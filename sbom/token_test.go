package sbom

import (
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
)

// shortest returns a shortest text for each way through a pattern.
func shortest(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= min(re.Rune[i+1], 'z'); r++ {
				out = append(out, string(r))
			}
		}
		return out
	case syntax.OpRepeat, syntax.OpPlus:
		return []string{strings.Repeat(shortest(re.Sub[0])[0], max(re.Min, 1))}
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			var longer []string
			for _, head := range out {
				for _, tail := range shortest(sub) {
					longer = append(longer, head+tail)
				}
			}
			out = longer
		}
		return out
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			out = append(out, shortest(sub)...)
		}
		return out
	case syntax.OpCapture:
		return shortest(re.Sub[0])
	default:
		return []string{""}
	}
}

// tokens are examples of every credential that knownToken knows.
func tokens(t testing.TB) []string {
	t.Helper()
	_, pattern, ok := strings.Cut(knownToken.String(), "(?i:^|[^a-z0-9])")
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || !ok {
		t.Fatal(err, pattern)
	}
	return shortest(re)
}

// TestTokens: what is asked before knownToken knows every beginning that it has.
func TestTokens(t *testing.T) {
	all := tokens(t)
	if len(all) < 40 {
		t.Errorf("only %d tokens: %q", len(all), all)
	}
	for _, token := range all {
		for _, s := range []string{token, "x-" + token, "ä" + token, "_" + token + "/x"} {
			if !knownToken.MatchString(s) || !mayHoldToken(s) {
				t.Errorf("%q: %v, %v", s, knownToken.MatchString(s), mayHoldToken(s))
			}
		}
	}
}

func FuzzLooksSecret(f *testing.F) {
	var (
		commit   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
		hexRun   = regexp.MustCompile(`(?i)^[0-9a-f]{24,}$`)
		tokenRun = regexp.MustCompile(`^[A-Za-z0-9_~+=.-]{20,}$`)
	)
	for _, token := range tokens(f) {
		f.Add(token)
	}
	for _, s := range []string{strings.Repeat("a1", 20), strings.Repeat("aF", 12), strings.Repeat("a", 64), "ſk-0123456789abcdef", "path-to-a-file-1.0.0.tgz", "https://a/b", "https:///", `https://\`,
		"aB0aB0aB0aB0aB0a.x", "-aB0aB0aB0aB0aB0", "a1b2c3d4e5f6g7h8", "é0Aaaaaaaaaaaaaa="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("-_.~+=", r) })
		if want := slices.ContainsFunc(words, func(word string) bool { return len(word) >= 16 && mixed(word) }); randomLooking(s) != want {
			t.Errorf("randomLooking(%q) = %v", s, !want)
		}
		if knownToken.MatchString(s) && !mayHoldToken(s) {
			t.Errorf("%q is a token that was not looked for", s)
		}
		if isHexRun(s) != hexRun.MatchString(s) || isTokenRun(s) != tokenRun.MatchString(s) || isCommit(s) != commit.MatchString(s) {
			t.Errorf("%q: hex %v, token %v, commit %v", s, isHexRun(s), isTokenRun(s), isCommit(s))
		}
		if scheme := webScheme(s); scheme != "" && (authority.FindString(s) != scheme || looseScheme.ReplaceAllString(s, "$1://") != s) {
			t.Errorf("%q has another scheme", s)
		}
	})
}

func FuzzPlainURL(f *testing.F) {
	for _, s := range []string{"https://registry.example/@scope/name/-/name-1.0.0.tgz", "https://a", "https://", "https:///", "https://a:b/", "https://a/%", "https://a/\x01", "https://a/[]:@!$&'()*+,;="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := url.Parse(s); err != nil && plainURL(s) {
			t.Error(err)
		}
		want := strings.Map(func(r rune) rune {
			if r == '\t' || r == '\n' || r == '\r' {
				return -1
			}
			return r
		}, strings.TrimSpace(s))
		if got := PlainURL(s); got != looseScheme.ReplaceAllString(want, "$1://") {
			t.Errorf("PlainURL(%q) = %q", s, got)
		}
	})
}
