package sbom

import "strings"

// tokenStarts is with what knownToken's credentials begin, but for those that are
// all digits before ":AA", by their first character.
var tokenStarts = func() (by [256][]string) {
	for _, start := range []string{
		"gh", "github_pat_", "glpat-", "npm_", "pypi-", "sk-", "sk_", "rk_", "pk_", "xox", "xapp-", "AKIA", "ASIA", "AIza",
		"ya29.", "eyJ", "hf_", "lin_api_", "secret_", "ntn_", "pat", "bb_live_", "fc-", "tvly-", "dop_v1_", "sbp_", "SG.", "bot",
	} {
		by[start[0]] = append(by[start[0]], start)
	}
	return by
}()

// mayHoldToken reports whether knownToken can match, which takes a hundred times as
// long to find out: every path segment of every URL is asked.
func mayHoldToken(s string) bool {
	inside := false // of a word
	for i := range len(s) {
		if !inside {
			for _, start := range tokenStarts[s[i]] {
				if strings.HasPrefix(s[i:], start) {
					return true
				}
			}
		}
		inside = isDigit(s[i]) || isLetter(s[i])
	}
	return strings.Contains(s, ":AA")
}

// isHexRun reports whether s is a hex string of the length of a secret.
func isHexRun(s string) bool {
	const shortest = 24
	if len(s) < shortest {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// isTokenRun reports whether s is a run of the characters of a token.
func isTokenRun(s string) bool {
	const shortest = 20
	if len(s) < shortest {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && !isLetter(c) && strings.IndexByte("_~+=.-", c) < 0 {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
