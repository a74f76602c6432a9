package closure

import (
	"cmp"
	"strings"
)

// npm visits packages in the order of a dictionary (English, as in
// Intl.Collator), and the order decides who gets a place. For the characters of
// package names and paths that is: these signs, then digits, then letters
// whatever their case, small ones first only where nothing else differs (Unicode
// Technical Standard 10, the root table of CLDR).
const signs = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"

// collate compares two names in that order.
func collate(a, b string) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(weight(a[i]), weight(b[i])); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	for i := range len(a) {
		if c := cmp.Compare(b[i], a[i]); c != 0 { // small letters come first, and have the larger code
			return c
		}
	}
	return 0
}

func weight(c byte) int {
	if i := strings.IndexByte(signs, c); i >= 0 {
		return i
	}
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return len(signs) + int(c)
}
