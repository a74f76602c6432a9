package node

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Limits of a JSON document: its nesting, of which a lockfile needs six levels,
// and its values, each of which needs some hundred bytes of memory. The largest
// lockfiles that are known have a tenth of that.
const (
	maxDepth  = 100
	maxValues = 4 << 20
)

// The kinds of JSON values (RFC 8259, section 3).
type kind uint8

const (
	nullKind kind = iota
	boolKind
	numberKind
	stringKind
	arrayKind
	objectKind
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// value is a JSON value that knows where it stands, which encoding/json cannot
// tell: every problem and every occurrence needs its line.
//
// A lockfile has 70,000 of them, and to fill memory that was never used takes longer
// than to parse them: hence the length in a gap, and one word for the list that few
// have.
type value struct {
	kind    kind
	cut     bool   // the document ends or breaks inside of it
	length  int32  // in bytes; files have MaxFileSize at most
	off     int    // in bytes
	text    string // of strings, decoded; of numbers and booleans, as written
	members []member
	array   *[]value
}

// elems are the elements of an array.
func (v *value) elems() []value {
	if v.array == nil {
		return nil
	}
	return *v.array
}

type member struct {
	name  string
	off   int // of the name's opening quote
	value value
}

// get returns the member of an object with that name, or nil. Of several the
// last wins, as in ECMAScript's JSON.parse and thus in npm.
func (v *value) get(name string) *member {
	if v == nil {
		return nil
	}
	for i := len(v.members) - 1; i >= 0; i-- {
		if v.members[i].name == name {
			return &v.members[i]
		}
	}
	return nil
}

// duplicate is a name that stands in one object more than once.
type duplicate struct {
	name  string
	off   int // of the later one
	depth int // 1: in the outermost object
}

type syntaxError struct {
	off   int
	msg   string
	limit bool // a limit of ours is reached, and nothing may be wrong with the file
}

func (e *syntaxError) Error() string { return e.msg }

// hint is what to do about it, where anew has the file written anew.
func (e *syntaxError) hint(anew string) string {
	if e.limit {
		return hintSplit
	}
	return "resolve merge conflicts and restore the rest of the file, or " + anew
}

// hintSplit is what to do about a limit, which no package manager's own file reaches.
const hintSplit = "find out what wrote such a file; split the project, or exclude the file in the policy"

func syntaxAt(off int, msg string) *syntaxError { return &syntaxError{off: off, msg: msg} }

func tooMuch(off int, format string, args ...any) *syntaxError {
	return &syntaxError{off: off, msg: fmt.Sprintf(format, args...), limit: true}
}

// document is a parsed JSON text. After a syntax error root still holds what
// stands before it: complete values, and the containers around the error marked
// as cut.
type document struct {
	root       value
	duplicates []duplicate
	err        *syntaxError
	lines      lines
}

// parseJSON parses strict JSON (RFC 8259) with an optional byte order mark,
// which npm skips as well.
func parseJSON(data []byte) *document { return newParser(data).document(data) }

// parseJSONC parses JSON in which comments may stand, and a comma behind the last
// element, as in the files that Bun writes.
func parseJSONC(data []byte) *document {
	p := newParser(data)
	p.loose = true
	return p.document(data)
}

// newParser makes one copy of the bytes: every text of the document is a part of it.
func newParser(data []byte) *parser {
	return &parser{s: string(data), most: maxValues}
}

func (p *parser) document(data []byte) *document {
	doc := &document{lines: newLines(data)}
	if !utf8.ValidString(p.s) {
		// What is before the first bad byte may still be read.
		p.s = p.s[:validPrefix(p.s)]
		p.invalidUTF8 = true
	}
	p.i = len(p.s) - len(strings.TrimPrefix(p.s, "\ufeff"))
	p.space()
	root, err := p.value(0)
	if err == nil {
		p.space()
		if p.i < len(p.s) || p.invalidUTF8 {
			err = p.fail("expected the end of the file")
		}
	}
	doc.root, doc.err, doc.duplicates = root, err, inOrder(p.duplicates)
	return doc
}

func validPrefix(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return len(s)
}

type parser struct {
	s           string
	i           int
	loose       bool // comments and trailing commas are allowed
	invalidUTF8 bool
	values      int
	most        int // values that are read
	duplicates  []duplicate
	members     []member // of all objects that are open
	block       []member // of those that are closed: see keep
	elems       []value  // of all arrays that are open
}

func (p *parser) fail(format string, args ...any) *syntaxError {
	if p.i >= len(p.s) {
		if p.invalidUTF8 {
			return syntaxAt(p.i, "invalid UTF-8")
		}
		return syntaxAt(p.i, "the file ends too early")
	}
	return syntaxAt(p.i, fmt.Sprintf(format, args...))
}

func (p *parser) failLimit(format string, args ...any) *syntaxError {
	err := p.fail(format, args...)
	err.limit = p.i < len(p.s)
	return err
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		case '/':
			if !p.loose || !p.comment() {
				return
			}
		default:
			return
		}
	}
}

// comment skips a comment, and reports whether a whole one stands here.
func (p *parser) comment() bool {
	rest := p.s[p.i:]
	end, length := "\n", len("\n")
	switch {
	case strings.HasPrefix(rest, "/*"):
		end, length = "*/", len("*/")
	case !strings.HasPrefix(rest, "//"):
		return false
	}
	n := strings.Index(rest[len("//"):], end)
	if n < 0 {
		if end == "\n" {
			p.i = len(p.s)
		}
		return end == "\n"
	}
	p.i += len("//") + n + length
	return true
}

// last reports whether a comma was the last one, behind which nothing follows.
func (p *parser) last(closing byte) bool {
	if !p.loose || p.peek() != closing {
		return false
	}
	p.i++
	return true
}

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) value(depth int) (v value, err *syntaxError) {
	v.off = p.i
	if p.values++; p.values > p.most {
		return v, p.failLimit("more than %d values", p.most)
	}
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if depth == maxDepth {
			return v, p.failLimit("nested deeper than %d levels", maxDepth)
		}
		if c == '{' {
			err = p.object(&v, depth+1)
		} else {
			err = p.array(&v, depth+1)
		}
		v.cut = err != nil
	case c == '"':
		v.kind = stringKind
		v.text, err = p.str()
	case c == '-' || c >= '0' && c <= '9':
		v.kind = numberKind
		v.text, err = p.number()
	default:
		err = p.literal(&v)
	}
	v.length = int32(p.i - v.off) //nolint:gosec // see value
	return v, err
}

func (p *parser) literal(v *value) *syntaxError {
	for _, l := range []struct {
		text string
		kind kind
	}{{"null", nullKind}, {"true", boolKind}, {"false", boolKind}} {
		if strings.HasPrefix(p.s[p.i:], l.text) {
			v.kind, v.text = l.kind, l.text
			p.i += len(l.text)
			return nil
		}
	}
	return p.fail("expected a value")
}

// object reads an object. Its members are gathered on a stack of all that are open,
// so that each object gets one list of the right length.
func (p *parser) object(v *value, depth int) *syntaxError {
	v.kind = objectKind
	start := len(p.members)
	err := p.readMembers(depth)
	v.members = p.keep(p.members[start:])
	p.members = p.members[:start]
	p.duplicates = appendDuplicates(p.duplicates, v.members, depth)
	return err
}

// keep copies members into a block that many objects share: most have a few, and an
// allocation of its own for each costs more than reading it.
func (p *parser) keep(members []member) []member {
	if len(members) == 0 {
		return nil
	}
	start := len(p.block)
	if start+len(members) > cap(p.block) {
		const most, perMember = 400, 32 // 32 KiB; bytes of a document for one member, at least
		start, p.block = 0, make([]member, 0, max(len(members), min(most, len(p.s)/perMember)))
	}
	p.block = append(p.block, members...)
	return slices.Clip(p.block[start:])
}

func (p *parser) readMembers(depth int) *syntaxError {
	p.i++
	p.space()
	if p.peek() == '}' {
		p.i++
		return nil
	}
	for {
		off := p.i
		if p.peek() != '"' {
			return p.fail("expected a name in double quotes")
		}
		name, err := p.str()
		if err != nil {
			return err
		}
		p.space()
		if p.peek() != ':' {
			return p.fail("expected a colon")
		}
		p.i++
		p.space()
		val, err := p.value(depth)
		// A container that breaks off is kept, for what is complete in it; a
		// string or number that does is not: its rest may have said the opposite.
		if err != nil && val.kind < arrayKind {
			return err
		}
		if len(p.members) == cap(p.members) {
			p.members = slices.Grow(p.members, len(p.members)+1) // twice as many, which append would not do
		}
		p.members = append(p.members, member{name, off, val})
		if err != nil {
			return err
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
			if p.last('}') {
				return nil
			}
		case '}':
			p.i++
			return nil
		default:
			return p.fail("expected a comma or a closing brace")
		}
	}
}

// appendDuplicates appends the names that occur again. Small objects are searched,
// which is cheaper than a map; large ones get one, so that time stays linear.
func appendDuplicates(duplicates []duplicate, members []member, depth int) []duplicate {
	const small = 12
	var seen map[string]struct{}
	if len(members) > small {
		seen = make(map[string]struct{}, len(members))
	}
	for i := range members {
		if m := &members[i]; again(members[:i], m.name, seen) {
			duplicates = append(duplicates, duplicate{m.name, m.off, depth})
		}
	}
	return duplicates
}

// inOrder sorts names as they stand in the document: an object is judged when it ends,
// after those in it.
func inOrder(duplicates []duplicate) []duplicate {
	slices.SortFunc(duplicates, func(x, y duplicate) int { return cmp.Compare(x.off, y.off) })
	return duplicates
}

func again(before []member, name string, seen map[string]struct{}) bool {
	if seen == nil {
		return slices.ContainsFunc(before, func(m member) bool { return m.name == name })
	}
	n := len(seen)
	seen[name] = struct{}{}
	return len(seen) == n
}

func (p *parser) array(v *value, depth int) *syntaxError {
	v.kind = arrayKind
	start := len(p.elems)
	err := p.readElems(depth)
	list := slices.Clone(p.elems[start:])
	v.array = &list
	p.elems = p.elems[:start]
	return err
}

func (p *parser) readElems(depth int) *syntaxError {
	p.i++
	p.space()
	if p.peek() == ']' {
		p.i++
		return nil
	}
	for {
		val, err := p.value(depth)
		if err != nil {
			return err
		}
		p.elems = append(p.elems, val)
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
			if p.last(']') {
				return nil
			}
		case ']':
			p.i++
			return nil
		default:
			return p.fail("expected a comma or a closing bracket")
		}
	}
}

func (p *parser) str() (string, *syntaxError) {
	start := p.i
	escaped := false
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			if !escaped {
				return p.s[start+1 : p.i-1], nil
			}
			var out string
			if json.Unmarshal([]byte(p.s[start:p.i]), &out) != nil {
				p.i = start
				return "", p.fail("invalid escape in a string")
			}
			return out, nil
		case c == '\\':
			escaped = true
			p.i++
		case c < 0x20:
			return "", p.fail("control character in a string")
		}
	}
	p.i = len(p.s)
	return "", p.fail("string without an end")
}

func (p *parser) number() (string, *syntaxError) {
	start := p.i
	if p.peek() == '-' {
		p.i++
	}
	switch c := p.peek(); {
	case c == '0':
		p.i++
	case c >= '1' && c <= '9':
		p.digits()
	default:
		return "", p.fail("expected a digit")
	}
	if p.peek() == '.' {
		p.i++
		if !p.digits() {
			return "", p.fail("expected a digit")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		if !p.digits() {
			return "", p.fail("expected a digit")
		}
	}
	return p.s[start:p.i], nil
}

func (p *parser) digits() bool {
	start := p.i
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.i++
	}
	return p.i > start
}

// lines holds the offset of each line's first byte.
type lines []int

func newLines(data []byte) lines {
	l := make(lines, 1, 1+bytes.Count(data, []byte{'\n'}))
	for i := 0; ; {
		n := bytes.IndexByte(data[i:], '\n')
		if n < 0 {
			return l
		}
		i += n + 1
		l = append(l, i)
	}
}

// position returns line and column, both from 1, the column in bytes.
func (l lines) position(off int) (line, column int) {
	line = sort.SearchInts(l, off+1)
	return line, off - l[line-1] + 1
}
