package visible

import (
	"bytes"
	"fmt"
	"strings"
)

// A Guard watches what goes out, byte by byte and over all calls, and escapes the
// character that would complete the beginning of a CI command:
//
//	::            first in a line, after any white space   GitHub Actions
//	##            anywhere: ##[ ##vso[ ##teamcity[         GitHub, Azure, TeamCity
//	section_start: section_end:  anywhere                  GitLab
//	--- +++ ~~~ ^^^  first in a line                       Buildkite
//
// The zero value stands at the beginning of a line. A stream has one Guard, which is
// not safe for concurrent use.
type Guard struct {
	head []byte // the first bytes of the line that are no white space, as many as matter
	tail []byte // its last bytes, as many as matter
}

const (
	headLength = len("---")
	tailLength = len("section_start")
)

// Append appends text to dst, with what completes the beginning of a command as \x
// escapes. The text's line breaks and escape sequences are ours and stay: what is
// foreign in it went through [Escape].
func (g *Guard) Append(dst []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case b == '\n':
			g.head, g.tail = g.head[:0], g.tail[:0]
			dst = append(dst, b)
		case b == '\x1b': // a colour of ours: it is no text
			end := strings.IndexByte(text[i:], 'm')
			if end < 0 {
				end = len(text) - i - 1
			}
			dst = append(dst, text[i:i+end+1]...)
			i += end
		case g.completes(b):
			dst = g.emit(dst, fmt.Sprintf(`\x%02x`, b))
		default:
			dst = g.emit(dst, text[i:i+1])
		}
	}
	return dst
}

func (g *Guard) completes(b byte) bool { return completes(g.head, g.tail, b) }

// completes reports whether b is the last character of the beginning of a command:
// head are the first bytes of the line that are no white space, as many as matter,
// and tail are its last.
func completes(head, tail []byte, b byte) bool {
	switch b {
	case ':':
		return string(head) == ":" || bytes.HasSuffix(tail, []byte("section_start")) || bytes.HasSuffix(tail, []byte("section_end"))
	case '#':
		return bytes.HasSuffix(tail, []byte("#"))
	case '-', '+', '~', '^':
		return len(head) == 2 && head[0] == b && head[1] == b
	default:
		return false
	}
}

func (g *Guard) emit(dst []byte, text string) []byte {
	for i := range len(text) {
		b := text[i]
		blank := len(g.head) == 0 && (b == ' ' || b == '\t')
		if len(g.head) < headLength && !blank {
			g.head = append(g.head, b)
		}
		if len(g.tail) == cap(g.tail) && len(g.tail) > tailLength { // forget, now and then
			g.tail = append(g.tail[:0], g.tail[len(g.tail)-tailLength:]...)
		}
		g.tail = append(g.tail, b)
	}
	return append(dst, text...)
}
