package npm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxNpmrcBytes bounds a configuration file. Real ones hold a few lines, and at
// most a certificate chain.
const maxNpmrcBytes = 1 << 20

// File is a .npmrc as written: nothing is expanded yet.
type File struct {
	Path    string  // as given to ParseNpmrc, for messages
	Entries []Entry // in file order
}

// Entry is one line that sets something.
type Entry struct {
	Line    int    // from 1
	Section string // of a [section]; npm gives such entries no effect
	Key     string // without the [] of an array
	Value   string // "true" for a key that stands alone
	Array   bool   // key[] = value
}

// ConfigError is a configuration that cannot be followed. Nothing may go on with
// a part of it: commands exit with 2. It never quotes a value.
type ConfigError struct {
	Path    string // of the file, or the flag's or variable's name
	Line    int    // from 1; 0 where there are no lines
	Message string
	Hint    string
}

func (e *ConfigError) Error() string {
	if e.Line == 0 {
		return e.Path + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Message)
}

// ParseNpmrc reads a .npmrc in the dialect of npm's own parser: ; and # start a
// comment, also behind an unquoted value; double quotes hold a JSON string and
// single quotes anything; \; \# and \\ are escapes; key[] appends to an array; a
// key alone is true. It is stricter in what npm skips or garbles: lines without
// a key, unclosed section headers, control characters, text that is no UTF-8 and
// oversized files are a *ConfigError, as is a failure of r.
func ParseNpmrc(path string, r io.Reader) (*File, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxNpmrcBytes+1))
	if err != nil {
		return nil, &ConfigError{Path: path, Message: "cannot be read: " + err.Error(), Hint: "check the file's permissions"}
	}
	if len(data) > maxNpmrcBytes {
		return nil, &ConfigError{
			Path: path, Message: fmt.Sprintf("is larger than %d bytes", maxNpmrcBytes),
			Hint: "this is no .npmrc; check what the file is",
		}
	}
	f := &File{Path: path}
	section := ""
	for n, line := range lines(data) {
		e, header, err := parseLine(line)
		switch {
		case err != nil:
			err.Path, err.Line = path, n
			return nil, err
		case header != nil:
			section = *header
		case e != nil:
			e.Line, e.Section = n, section
			f.Entries = append(f.Entries, *e)
		}
	}
	return f, nil
}

// lines yields the lines with their numbers; \n, \r\n and \r end one.
func lines(data []byte) func(func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for n := 1; len(data) > 0; n++ {
			line, rest := data, []byte(nil)
			if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
				line, rest = data[:i], data[i+1:]
				if data[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
					rest = rest[1:]
				}
			}
			if !yield(n, line) {
				return
			}
			data = rest
		}
	}
}

// parseLine returns an entry, a section's name, an error, or nothing of these
// for blank lines and comments.
func parseLine(raw []byte) (*Entry, *string, *ConfigError) {
	if !utf8.Valid(raw) {
		return nil, nil, &ConfigError{Message: "is no UTF-8 text", Hint: "save the file as UTF-8"}
	}
	line := string(raw)
	if strings.IndexFunc(line, isControl) >= 0 {
		return nil, nil, &ConfigError{Message: "holds a control character", Hint: "remove it; npm would skip or garble the line"}
	}
	bare := trim(line)
	if bare == "" || bare[0] == ';' || bare[0] == '#' {
		return nil, nil, nil
	}
	key, value, assigned := strings.Cut(line, "=")
	if strings.HasPrefix(bare, "[") && !assigned {
		name, closed := strings.CutSuffix(strings.TrimPrefix(bare, "["), "]")
		if !closed || strings.Contains(name, "]") {
			return nil, nil, &ConfigError{Message: "a section header that is not closed", Hint: "write [name], or remove the line: npm's settings stand in no section"}
		}
		name = unquote(name)
		return nil, &name, nil
	}
	e := Entry{Key: unquote(key), Value: "true"}
	if assigned {
		e.Value = unquote(value)
	}
	if name, ok := strings.CutSuffix(e.Key, "[]"); ok && name != "" {
		e.Key, e.Array = name, true
	}
	if e.Key == "" {
		return nil, nil, &ConfigError{Message: "a line without a key", Hint: "write key=value, or start the line with # for a comment"}
	}
	return &e, nil, nil
}

// isSpace is JavaScript's white space, which npm trims. It holds the byte order
// mark.
func isSpace(r rune) bool {
	switch r {
	case '\t', '\v', '\f', ' ', 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// isControl includes the two line separators of Unicode: npm skips a line that
// holds one behind its "=".
func isControl(r rune) bool {
	return r < ' ' && r != '\t' && r != '\f' && r != '\v' || r == 0x7F || r == 0x2028 || r == 0x2029
}

func trim(s string) string { return strings.TrimFunc(s, isSpace) }

// unquote resolves quotes, escapes and trailing comments of a key or value.
func unquote(s string) string {
	s = trim(s)
	if strings.HasPrefix(s, `"`) && strings.HasSuffix(s, `"`) {
		return fromJSON(s)
	}
	if strings.HasPrefix(s, "'") && strings.HasSuffix(s, "'") {
		return fromJSON(strings.TrimSuffix(s[1:], "'"))
	}
	var b strings.Builder
	escaped := false
	for i := range len(s) {
		c := s[i]
		special := c == ';' || c == '#' || c == '\\'
		switch {
		case escaped && !special:
			b.WriteByte('\\')
			b.WriteByte(c)
			escaped = false
		case escaped:
			b.WriteByte(c)
			escaped = false
		case c == '\\':
			escaped = true
		case special:
			return trim(b.String())
		default:
			b.WriteByte(c)
		}
	}
	if escaped {
		b.WriteByte('\\')
	}
	return trim(b.String())
}

// fromJSON returns the text of a JSON string, and everything else as it is.
func fromJSON(s string) string {
	var text string
	if json.Unmarshal([]byte(s), &text) != nil || trim(s) == "null" {
		return s
	}
	return text
}
