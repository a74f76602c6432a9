package lock

import (
	"strings"
	"testing"
)

func TestSHA512(t *testing.T) {
	a, b := "sha512-"+strings.Repeat("A", 86)+"==", "sha512-"+strings.Repeat("B", 85)+"A=="
	for text, want := range map[string]string{
		"":                                       "",
		a:                                        a,
		a + "?foo":                               a,
		"sha1-lR7v5z3fA2t2V3G5x6mJ2Wc3b0E=":      "",
		"sha1-lR7v5z3fA2t2V3G5x6mJ2Wc3b0E= " + a: a,
		b + " " + a + " " + b:                    a + " " + b,
		"sha512-AAAA":                            "",
		"sha512-!":                               "",
	} {
		if got := SHA512(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
