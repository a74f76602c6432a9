package visible

import "strings"

// Markdown returns foreign text for a cell of a Markdown table or a line of a list:
// on one line, at most limit characters long, without anything that would be markup,
// a link, a mention or HTML there.
func Markdown(s string, limit int) string {
	var out strings.Builder
	for _, r := range Escape(s, limit) {
		switch {
		case r == '<':
			out.WriteString("&lt;")
		case r == '>':
			out.WriteString("&gt;")
		case r == '&':
			out.WriteString("&amp;")
		case r == '@' || r == ':' || r == '#':
			// A backslash does not keep a mention, a bare link or an issue from
			// becoming one.
			out.WriteString(map[rune]string{'@': "&#64;", ':': "&#58;", '#': "&#35;"}[r])
		case r == '.':
			out.WriteString("&#46;") // www.x is a link of its own
		case strings.ContainsRune("\\`*_{}[]()+-!|~", r):
			out.WriteByte('\\')
			out.WriteRune(r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
