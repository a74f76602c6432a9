package provenance

import (
	"strings"
	"unicode/utf8"
)

// MaxText bounds every foreign text in a Result, in bytes. Repository URLs,
// workflow references and key ids stay far below.
const MaxText = 512

// clip shortens foreign text to MaxText, at a rune, and makes it valid UTF-8.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxText {
		return s
	}
	const more = "…"
	end := MaxText - len(more)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}

// Clip is the form in which foreign text goes into a [Result]: shortened to
// MaxText, and valid UTF-8.
func Clip(s string) string { return clip(s) }

// oneLine words an error of a library in one line: some spread over several, and
// protobuf's hold a kind of blank that differs from build to build.
func oneLine(err error) string {
	// sigstore-go formats an error that is not there.
	return strings.TrimSuffix(strings.Join(strings.Fields(err.Error()), " "), "; error: %!w(<nil>)")
}
