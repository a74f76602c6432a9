package mcp

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// Replacement is a spec in a configuration that is to become another one.
type Replacement struct {
	Line, Column int // of the text that holds it, as [sbom.Launch] has them
	Old, New     string
	// Repository says that Old names a repository, which may stand there in npm's
	// shortest form, owner/name, and with a part of the repository behind it.
	Repository bool
}

// Rewrite returns a configuration in which specs are replaced, and every other byte
// is as it was: comments, layout, line breaks, a byte order mark. name is the
// file's, which tells its notation as it does when it is read. refused says of each
// replacement why it was not made, and is empty where it was; whoever calls has to
// read the result again, and to find in it what it expects.
func Rewrite(name string, data []byte, list []Replacement) (out []byte, refused []string) {
	refused = make([]string, len(list))
	n, ok := notationOf(name, data)
	if !ok {
		for i := range refused {
			refused[i] = "the notation of the file is not known"
		}
		return data, refused
	}
	var edits []edit
	for i, r := range list {
		from, why := locate(n, data, r)
		if short, ok := strings.CutPrefix(r.Old, "github:"); why == notThere && r.Repository && ok {
			r.Old = short
			from, why = locate(n, data, r)
		}
		if why != "" {
			refused[i] = why
			continue
		}
		edits = append(edits, edit{from, from + len(r.Old), r.New})
	}
	out, ok = apply(data, edits)
	if !ok {
		return data, slices.Repeat([]string{"two specs overlap"}, len(list))
	}
	return out, refused
}

type edit struct {
	from, to int
	text     string
}

// notationOf tells how a file is written, as reading it does.
func notationOf(name string, data []byte) (notation, bool) {
	if n, ok := notations[strings.ToLower(path.Ext(name))]; ok {
		return n, true
	}
	c, ok := clientOf(name)
	if !ok {
		c = sniffed
	}
	return c.notation(name, data), ok || c.name == unnamed
}

// locate finds the one place of a spec in the text that begins at a place.
func locate(n notation, data []byte, r Replacement) (from int, why string) {
	start, ok := offsetOf(data, r.Line, r.Column)
	if !ok || r.Old == "" {
		return 0, "nobody knows where it stands"
	}
	begin, end, ok := characters(n, data, start)
	if !ok {
		return 0, "it stands in a text of more than one line, or in no text at all"
	}
	found := -1
	for at := begin; ; {
		i := bytes.Index(data[at:end], []byte(r.Old))
		if i < 0 {
			break
		}
		at += i
		part := r.Repository && !strings.Contains(r.Old, "#") && at+len(r.Old) < end && data[at+len(r.Old)] == '#' // #subdirectory=…
		if alone(data[begin:end], at-begin, len(r.Old)) || part {
			if found >= 0 {
				return 0, "it stands there more than once"
			}
			found = at
		}
		at++
	}
	if found < 0 {
		return 0, notThere
	}
	return found, ""
}

const notThere = "it does not stand there in plain letters"

func offsetOf(data []byte, line, column int) (int, bool) {
	at := 0
	for range line - 1 {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return 0, false
		}
		at += i + 1
	}
	at += column - 1
	return at, line > 0 && column > 0 && at < len(data)
}

// alone reports whether a spec is a word of its own: what stands around it cannot
// be a part of it.
func alone(text []byte, at, n int) bool {
	before := at == 0 || strings.IndexByte(" \t\"'=,:(", text[at-1]) >= 0
	after := at+n == len(text) || strings.IndexByte(" \t\"'\\,);&|", text[at+n]) >= 0
	return before && after
}

// characters returns where the text that begins at an offset has its characters,
// without its quotes. It is not ok for what has more than one line.
func characters(n notation, data []byte, start int) (begin, end int, ok bool) {
	rest := data[start:]
	if i := bytes.IndexAny(rest, "\r\n"); i >= 0 {
		rest = rest[:i]
	}
	switch {
	case len(rest) == 0:
		return 0, 0, false
	case bytes.HasPrefix(rest, []byte(`"""`)) || bytes.HasPrefix(rest, []byte(`'''`)):
		return 0, 0, false
	case rest[0] == '"':
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return start + 1, start + i, true
			}
		}
		return 0, 0, false
	case rest[0] == '\'' && n != jsonNotation:
		// YAML doubles a quote inside; no spec has one.
		i := bytes.IndexByte(rest[1:], '\'')
		return start + 1, start + 1 + i, i >= 0
	case n != yamlNotation || strings.IndexByte("|>&*!{[", rest[0]) >= 0:
		return 0, 0, false
	}
	// A plain text of YAML ends before a comment, and in a list in brackets before
	// what ends an element.
	if i := bytes.Index(rest, []byte(" #")); i >= 0 {
		rest = rest[:i]
	}
	if i := bytes.IndexAny(rest, ",]}"); i >= 0 {
		rest = rest[:i]
	}
	return start, start + len(bytes.TrimRight(rest, " \t")), true
}
