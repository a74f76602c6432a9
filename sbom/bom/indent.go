package bom

import "slices"

// indent appends compact JSON, as encoding/json gives it, with each member and element
// on a line of its own, two blanks deeper than what holds it. json.Indent does the
// same with any JSON, and takes four times as long for it: it validates once more.
// What is written stands in something of that depth.
func indent(out, compact []byte, depth int) []byte {
	out = slices.Grow(out, len(compact)+len(compact)*3/4)
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; c {
		case '"':
			end := i + stringLength(compact[i:])
			out = append(out, compact[i:end]...)
			i = end - 1
		case '{', '[':
			out = append(out, c)
			if next := compact[min(i+1, len(compact)-1)]; next == c+2 { // the closing one, in ASCII
				out = append(out, next)
				i++
				continue
			}
			depth++
			out = newLine(out, depth)
		case '}', ']':
			depth--
			out = append(newLine(out, depth), c)
		case ',':
			out = newLine(append(out, c), depth)
		case ':':
			out = append(out, ':', ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}

// stringLength is the length of the string that text begins with, quotes included.
func stringLength(text []byte) int {
	i := 1
	for i < len(text) {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
	return len(text)
}

const indents = "\n                                                                "

func newLine(out []byte, depth int) []byte {
	n := 2 * depth
	out = append(out, indents[:1+min(n, len(indents)-1)]...)
	for n -= len(indents) - 1; n > 0; n-- {
		out = append(out, ' ')
	}
	return out
}
