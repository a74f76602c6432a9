package visible

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// JSON returns a JSON document (RFC 8259) with everything in its strings that cannot
// be seen, or that would complete the beginning of a CI command, as \u escapes
// (section 7). The characters <, > and & stand as they are.
//
// The document must be valid: then there is nothing to escape outside of strings,
// and no part of an escape sequence is escaped again.
func JSON(document []byte) []byte { return shown(document, jsonEscape) }

func jsonEscape(r rune) string {
	if r > 0xFFFF {
		const surrogates, low = 0x10000, 0x3FF
		r -= surrogates
		return fmt.Sprintf(`\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// XML returns an XML 1.0 document with everything in its text and attributes that
// cannot be seen, or that would complete the beginning of a CI command, as character
// references (section 4.1).
//
// The document must be well-formed, and have foreign text only where a reference can
// stand: in none of its names, comments, CDATA sections and processing instructions.
// That is what encoding/xml writes of a value. Control characters below U+0020 do not
// exist in XML, not even as references: the encoder replaced them by U+FFFD.
func XML(document []byte) []byte { return shown(document, xmlReference) }

func xmlReference(r rune) string { return fmt.Sprintf("&#x%x;", r) }

// shown writes the document with those characters as escapes of its format. White
// space below U+0020 stands between tokens: a string of the format holds none.
func shown(document []byte, escape func(rune) string) []byte {
	out := make([]byte, 0, len(document))
	var g Guard
	var m marks
	for i := 0; i < len(document); {
		r, size := utf8.DecodeRune(document[i:])
		overpaints := m.next(r)
		switch {
		case r == '\n' || r == '\r' && !bytes.HasPrefix(document[i+1:], []byte("\n")):
			out = g.Append(out, "\n") // XML 1.0, section 2.11: a line break, however it is written
		case r == '\r':
		case r == '\t' || seen(r) && !overpaints && !g.completes(document[i]):
			out = g.emit(out, string(r))
		default:
			out = g.emit(out, escape(r))
		}
		i += size
	}
	return out
}
