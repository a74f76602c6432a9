package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sort"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/tailscale/hujson"
)

// Limits of one configuration. What goes beyond them makes the file invalid.
const (
	maxFileSize = 32 << 20 // bytes; client state files hold history as well
	maxDepth    = 200      // nested objects and arrays
	maxValues   = 250_000  // members and elements
	maxServers  = 2_000    // configured servers of one file
	maxArgs     = 4_096    // arguments of one server
	maxText     = 1 << 16  // bytes of a command, argument or URL, and of any other value that is looked at
)

// document is a parsed configuration that knows where everything stands. YAML and
// TOML become the tree that JSON makes, with offsets of their own text.
type document struct {
	file  *sbom.File // nil for a look that nobody hears of
	root  hujson.Value
	shift int   // bytes before the parsed text: a byte order mark
	lines []int // offset of the first byte of each line
	cut   int   // where a broken document was cut off; 0 where it is whole
	toml  bool
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// notation is how a document is written.
type notation int

const (
	jsonNotation notation = iota // with comments and trailing commas
	yamlNotation
	tomlNotation
)

// notations are told by the last part of a name.
var notations = map[string]notation{
	".json": jsonNotation, ".jsonc": jsonNotation, ".code-workspace": jsonNotation,
	".yaml": yamlNotation, ".yml": yamlNotation, ".md": yamlNotation, ".toml": tomlNotation,
}

// notation tells how a file of the client is written: by its name, else as all
// files of the client are, else by how the text begins. JSON is YAML as well, but
// the JSON parser is the faster one, and what has no name may be anything.
func (c client) notation(name string, data []byte) notation {
	if n, ok := notations[strings.ToLower(path.Ext(name))]; ok {
		return n
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(data, byteOrderMark))
	if name == "" && bytes.HasPrefix(text, []byte("{")) {
		return jsonNotation
	}
	var all []notation
	for _, p := range slices.Concat(c.project, c.home, c.machine) {
		all = append(all, notations[path.Ext(p)])
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 1 {
		return all[0]
	}
	if bytes.HasPrefix(text, []byte("{")) || bytes.HasPrefix(text, []byte("//")) || bytes.HasPrefix(text, []byte("/*")) || len(text) == 0 {
		return jsonNotation
	}
	if tomlLine.Match(text) {
		return tomlNotation
	}
	if yamlLine.Match(text) {
		return yamlNotation
	}
	return jsonNotation
}

var (
	tomlLine = lazyregexp.New(`(?m)^\s*(\[\[?[A-Za-z0-9_."' -]+\]\]?\s*(#.*)?|[A-Za-z0-9_."-]+\s*=\s*\S.*)$`)
	yamlLine = lazyregexp.New(`(?m)^(---|[^\s:#\[{][^:]*:(\s.*)?)$`)
)

// parse reads a document. The problem is non-nil where that is impossible, and
// never quotes the file. There may be both: the part before the place that cannot
// be read.
func parse(n notation, data []byte) (*document, *sbom.Problem) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, &sbom.Problem{Code: sbom.Invalid, Line: 1, Column: 1, Message: "the file is encoded as UTF-16", Hint: "save it as UTF-8"}
	}
	d := &document{}
	text := bytes.TrimPrefix(data, byteOrderMark)
	d.shift = len(data) - len(text)
	if len(text) > maxFileSize {
		return nil, tooBig("more bytes", maxFileSize)
	}
	d.lines = append(d.lines, 0)
	for i, c := range text {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	var p *sbom.Problem
	switch n {
	case yamlNotation:
		p = d.parseYAML(text)
	case tomlNotation:
		p = d.parseTOML(text)
	default:
		p = d.parseJSON(text)
	}
	if d.root.Value == nil {
		return nil, p
	}
	return d, p
}

func (d *document) parseJSON(text []byte) *sbom.Problem {
	if p := bounded(text); p != nil {
		return p
	}
	root, err := hujson.Parse(text)
	if err == nil {
		d.root = root
		return nil
	}
	p := syntaxProblem(err)
	if p.Line > 0 && p.Line <= len(d.lines) {
		d.salvage(text[:min(len(text), d.lines[p.Line-1]+p.Column-1)])
	}
	if p.Line == 1 {
		p.Column += d.shift
	}
	return p
}

// salvage reads what stands before the place that is no JSON: up to the last
// comma or bracket, with the open brackets closed.
func (d *document) salvage(text []byte) {
	var open, closed []byte // the brackets to close: now, and at the cut
	cut := -1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			continue
		case '/':
			i = skipComment(text, i)
			continue
		case '{', '[':
			open = append(open, c+2)
			cut = i + 1
		case '}', ']':
			if len(open) == 0 {
				return
			}
			open = open[:len(open)-1]
			cut = i + 1
		case ',':
			cut = i
		default:
			continue
		}
		closed = append(closed[:0], open...)
	}
	if cut < 0 {
		return
	}
	slices.Reverse(closed)
	root, err := hujson.Parse(slices.Concat(text[:cut], closed))
	if err == nil {
		d.root, d.cut = root, cut
	}
}

// whole reports whether a value stands before the place where the document
// breaks off.
func (d *document) whole(v *hujson.Value) bool { return d.cut == 0 || v.EndOffset <= d.cut }

func tooBig(what string, limit int) *sbom.Problem {
	return &sbom.Problem{Code: sbom.Invalid, Message: fmt.Sprintf("%s than %d", what, limit), Hint: "no MCP client needs a configuration of this size; exclude the file in the policy if it is none"}
}

// bounded refuses what would exhaust memory or the stack before the real parser
// sees it: that one recurses and keeps a node for each value.
func bounded(text []byte) *sbom.Problem {
	depth, values := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '/':
			i = skipComment(text, i)
		case '{', '[':
			depth++
			values++
		case '}', ']':
			depth--
		case ',':
			values++
		}
		if depth > maxDepth {
			return tooBig("nested deeper", maxDepth)
		}
		if values > maxValues {
			return tooBig("more values", maxValues)
		}
	}
	return nil
}

// skipComment returns the index of the last byte of the comment at i, or i where
// there is none.
func skipComment(text []byte, i int) int {
	var end string
	extra := 0
	switch {
	case bytes.HasPrefix(text[i:], []byte("//")):
		end = "\n"
	case bytes.HasPrefix(text[i:], []byte("/*")):
		end, extra = "*/", 2
	default:
		return i
	}
	n := bytes.Index(text[i+extra:], []byte(end))
	if n < 0 {
		return len(text)
	}
	return i + extra + n + len(end) - 1
}

func syntaxProblem(err error) *sbom.Problem {
	p := &sbom.Problem{Code: sbom.Invalid, Message: "the file is no valid JSON: something stands here that JSON does not allow", Hint: "mend the syntax (a missing comma, quote or brace is the usual cause); comments and trailing commas are fine"}
	// The parser offers the place in its text only. Its own words are dropped,
	// since they quote the file.
	if _, scanErr := fmt.Sscanf(err.Error(), "hujson: line %d, column %d:", &p.Line, &p.Column); scanErr != nil {
		p.Line, p.Column = 0, 0
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		p.Message = "the file is no valid JSON: it ends too early"
	}
	return p
}

// position returns line and column, both from 1, the column in bytes.
func (d *document) position(offset int) (line, column int) {
	if len(d.lines) == 0 {
		return 1, 1 // a look that nobody hears of
	}
	line = sort.SearchInts(d.lines, offset+1)
	column = offset - d.lines[line-1] + 1
	if line == 1 {
		column += d.shift
	}
	return line, column
}

func (d *document) at(v *hujson.Value, where string) place {
	line, column := d.position(v.StartOffset)
	return place{where: where, line: line, column: column}
}

func (d *document) problem(code sbom.ProblemCode, v *hujson.Value, message, hint string) {
	if d.file == nil {
		return
	}
	line, column := d.position(v.StartOffset)
	d.file.Problem(sbom.Problem{Code: code, Line: line, Column: column, Message: message, Hint: hint})
}

// field is a member of an object.
type field struct {
	name  string
	key   *hujson.Value
	value *hujson.Value
}

// fields returns the members of an object in file order. Of members with the
// same name only the last counts, as for every client; the others are warned of.
func (d *document) fields(o *hujson.Object) []field {
	last := map[string]int{}
	for i := range o.Members {
		last[text(&o.Members[i].Name)] = i
	}
	out := make([]field, 0, len(last))
	for i := range o.Members {
		m := &o.Members[i]
		name := text(&m.Name)
		if last[name] != i {
			line, _ := d.position(o.Members[last[name]].Name.StartOffset)
			d.problem(sbom.Warning, &m.Name, fmt.Sprintf("the name stands again in line %d, and the last one counts", line), "remove one of the two")
			continue
		}
		out = append(out, field{name: name, key: &m.Name, value: &m.Value})
	}
	return out
}

func member(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

func object(v *hujson.Value) *hujson.Object {
	o, _ := v.Value.(*hujson.Object)
	return o
}

func array(v *hujson.Value) *hujson.Array {
	a, _ := v.Value.(*hujson.Array)
	return a
}

func isText(v *hujson.Value) bool { return v.Value.Kind() == '"' }
func isNull(v *hujson.Value) bool { return v.Value.Kind() == 'n' }

// text returns a string decoded, any other literal as it is written, and "" for
// what is no literal.
func text(v *hujson.Value) string {
	lit, ok := v.Value.(hujson.Literal)
	switch {
	case !ok:
		return ""
	case plainString(lit):
		return string(lit[1 : len(lit)-1])
	case lit.Kind() == '"':
		return lit.String()
	default:
		return string(lit)
	}
}

// plainString reports whether a literal is a string of printable ASCII without
// escapes, as nearly all are: it says what is written, and nothing decodes faster
// than that.
func plainString(lit hujson.Literal) bool {
	return len(lit) > 1 && lit[0] == '"' && !slices.ContainsFunc(lit[1:len(lit)-1], func(c byte) bool { return c == '\\' || c < ' ' || c > '~' || c == '"' })
}

// boolean returns the value of a JSON boolean.
func boolean(v *hujson.Value) (value, ok bool) {
	kind := v.Value.Kind()
	return kind == 't', kind == 't' || kind == 'f'
}
