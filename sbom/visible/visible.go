// Package visible shows foreign text for what it is.
//
// In flows text that somebody else chose (names, paths, URLs, errors that quote
// them), or a document that holds such text. Out flows text that means the same and
// can be shown on a terminal and in a CI log:
//
//	[Text]    one text by itself
//	[Escape]  a text that becomes part of a longer one, which passes a [Guard]
//	[Guard]   a stream of text
//	[JSON]    a document, in the escapes of JSON
//	[XML]     a document, in the character references of XML
//
// Three promises hold for whatever comes out:
//
//   - What it holds can be seen: control characters, escape sequences, line breaks,
//     bidirectional and invisible characters, invalid UTF-8 and a pile of combining
//     marks stand as escapes.
//   - No line begins a command of a CI system; see [Guard] for which.
//   - Nothing is lost. Text is escaped as Go writes it in a string (\x1b, \u202e),
//     with the backslash doubled, so that no two texts look the same; only what is
//     too long is cut, and says so. A document means the same to a parser.
//
// The package imports only the standard library, and nothing in it can fail.
package visible

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is how many characters of one text [Text] shows.
const MaxText = 1000

// Text returns foreign text by itself: on one line, with everything that cannot be
// seen as its escape, unable to begin a CI command, cut to [MaxText] characters.
// Different texts of at most that length never look the same.
func Text(s string) string {
	var g Guard
	return string(g.Append(nil, Escape(s, MaxText)))
}

// Escape returns foreign text as part of a longer one: on one line, with everything
// that cannot be seen as its escape, cut to that many characters. It can still
// begin a CI command, together with what stands before it: the whole has to pass a
// [Guard].
func Escape(s string, limit int) string {
	var b strings.Builder
	shown := 0
	m := marks{maxMarks} // a mark at the start would stand on our own text
	for i, r := range s {
		if shown == limit {
			fmt.Fprintf(&b, "…[+%d bytes]", len(s)-i)
			break
		}
		shown++
		overpaints := m.next(r)
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		case !seen(r) || overpaints:
			b.WriteString(escape(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xFFFF:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// seen reports whether a reader sees the character for what it is.
func seen(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != '\x7f'
	}
	switch r {
	case '\u2800', // braille blank
		'\U00016FE4', // Khitan filler
		'\U0001D159': // musical null notehead
		return false
	}
	return strconv.IsPrint(r) && !unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// maxMarks is how many combining marks may stand on one character: more would
// paint over the lines above and below.
const maxMarks = 3

// marks counts the combining marks since the last character that is none.
type marks struct{ n int }

// next reports whether r is one mark too many.
func (m *marks) next(r rune) bool {
	if r < utf8.RuneSelf || !unicode.Is(unicode.M, r) {
		m.n = 0
		return false
	}
	m.n++
	return m.n > maxMarks
}
