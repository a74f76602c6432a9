package visible

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// JSON returns a JSON document (RFC 8259) with everything in its strings that cannot
// be seen, or that would complete the beginning of a CI command, as \u escapes
// (section 7). The characters <, > and & stand as they are.
//
// The document must be valid: then there is nothing to escape outside of strings,
// and no part of an escape sequence is escaped again. Where there is nothing to escape
// it is the document itself that is returned.
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
// exist in XML, not even as references: the encoder replaced them by U+FFFD. Where there
// is nothing to escape it is the document itself that is returned.
func XML(document []byte) []byte { return shown(document, xmlReference) }

func xmlReference(r rune) string { return fmt.Sprintf("&#x%x;", r) }

// shown writes the document with those characters as escapes of its format. What a
// CI command begins with stands in one line, so each line is looked at by itself, and
// most have nothing to escape: these are copied as they are, and a document of only
// such lines is returned itself.
func shown(document []byte, escape func(rune) string) []byte {
	var out []byte
	copied := 0 // how much of the document is in out
	for start := 0; start < len(document); {
		end := len(document)
		if n := bytes.IndexByte(document[start:], '\n'); n >= 0 {
			end = start + n + 1
		}
		if !plain(document[start:end]) {
			if out == nil {
				out = make([]byte, 0, len(document)+len(document)/64)
			}
			out = append(out, document[copied:start]...)
			out = appendShown(out, document[start:end], escape)
			copied = end
		}
		start = end
	}
	if out == nil {
		return document
	}
	return append(out, document[copied:]...)
}

// plain reports whether a line is of printable ASCII, and holds nothing that could be
// a part of what a [Guard] looks for. It may say no of a line that is harmless.
func plain(line []byte) bool {
	line = bytes.TrimSuffix(line, []byte("\n"))
	first := 0
	for first < len(line) && (line[first] == ' ' || line[first] == '\t') {
		first++
	}
	if first < len(line) && strings.IndexByte(":-+~^", line[first]) >= 0 {
		return false
	}
	return ordinary(line[first:], '\t')
}

// Plain reports whether a text of a document has nothing that [JSON] or [XML] would
// show as escapes, if it stands behind the beginning of a line. It may say no of one
// that is harmless.
func Plain(text string) bool { return ordinary(text, ' ') }

// harmless are the characters that mean nothing, whatever stands before them.
var harmless = func() (set [256]bool) {
	for b := ' '; b < '\x7f'; b++ {
		set[b] = b != '#' && b != ':'
	}
	return set
}()

// ordinary reports whether a text is of printable ASCII, and blank, and completes no
// beginning of a command that can stand within a line.
func ordinary[T string | []byte](text T, blank byte) bool {
	for i := range len(text) {
		b := text[i]
		if harmless[b] {
			continue // as nearly all are
		}
		before := text[max(i-1, 0)]
		switch {
		case b >= '\x7f', b < ' ' && b != blank:
			return false
		case b == '#' && before == '#' && i > 0:
			return false
		case b == ':' && (before == 't' || before == 'd'): // section_start:, section_end:
			return false
		}
	}
	return true
}

// appendShown writes one line, or more. White space below U+0020 stands between
// tokens: a string of the format holds none.
func appendShown(out, document []byte, escape func(rune) string) []byte {
	start := len(out) // of the line, behind its white space
	var m marks
	for i := 0; i < len(document); {
		r, size := utf8.DecodeRune(document[i:])
		overpaints := m.next(r)
		line := out[start:]
		switch {
		case r == '\n' || r == '\r' && !bytes.HasPrefix(document[i+1:], []byte("\n")):
			out = append(out, '\n') // XML 1.0, section 2.11: a line break, however it is written
			start = len(out)
		case r == '\r':
		case len(line) == 0 && (r == ' ' || r == '\t'):
			out = append(out, document[i])
			start = len(out)
		case r == '\t' || seen(r) && !overpaints && !completes(line[:min(len(line), headLength)], line, document[i]):
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, escape(r)...)
		}
		i += size
	}
	return out
}
