package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"countermark/sbom/lazyregexp"

	"go.yaml.in/yaml/v3"
)

// Limits of a yarn.lock. The format needs three levels.
const (
	maxYarnDepth = 10
	maxYarnLines = 1 << 20  // that say anything, of yarn 1's form: each becomes a node in memory
	maxYarnBytes = 32 << 20 // of the YAML form, since every word of it becomes a node of YAML's
)

// yarnNode is a line of a yarn.lock, in either of its forms, with the lines that
// belong to it: a block has children, and anything else a value.
type yarnNode struct {
	keys     []yarnKey // several stand for the same entry
	block    bool
	value    string
	children []yarnNode
}

type yarnKey struct {
	text string
	off  int
}

func (n *yarnNode) name() string { return n.keys[0].text }
func (n *yarnNode) off() int     { return n.keys[0].off }

// conflictMarkers are what git leaves in a file that two sides have changed.
var conflictMarkers = []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"}

// lineWith returns the offset of the first line that begins with the prefix, or
// -1.
func lineWith(data []byte, prefix string) int {
	if bytes.HasPrefix(data, []byte(prefix)) {
		return 0
	}
	if at := bytes.Index(data, []byte("\n"+prefix)); at >= 0 {
		return at + 1
	}
	return -1
}

// wholeLine matches the last line of a yarn.lock where nothing can be missing of it.
var wholeLine = lazyregexp.New(`\n  (linkType: (hard|soft)|integrity sha512-[A-Za-z0-9+/]{86}==)$`)

// judgeYarnText finds what is wrong with the text as such, before its grammar
// matters. Yarn ends every line that it writes, so a last one without its end has
// been cut off, unless an editor took the end away.
func judgeYarnText(data []byte) *syntaxError {
	for _, marker := range conflictMarkers {
		if at := lineWith(data, marker); at >= 0 {
			return syntaxAt(at, "a merge conflict is not resolved")
		}
	}
	if !utf8.Valid(data) {
		return syntaxAt(validPrefix(string(data)), "not UTF-8")
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return syntaxAt(i, "a zero byte")
	}
	if len(data) > 0 && data[len(data)-1] != '\n' && !wholeLine.Match(data[max(len(data)-200, 0):]) {
		return syntaxAt(len(data)-1, "the file ends in the middle of a line")
	}
	return nil
}

// classicParser reads the form of yarn 1, which is its own and not YAML:
//
//	# a comment
//	first@^1.0.0, "@scope/first@^1.0.0":
//	  version "1.0.0"
//	  dependencies:
//	    second "^2.0.0"
//
// Two blanks are one level. Words stand in quotes, as in JSON, unless they begin
// with a letter, a dot, a dash or a slash and hold neither blank, colon nor comma.
type classicParser struct {
	s     string
	i     int
	lines int
	most  int // lines that are read
}

func newClassicParser(data []byte) *classicParser {
	return &classicParser{s: string(data), most: maxYarnLines}
}

// parseClassic returns what it could read even with an error.
func parseClassic(data []byte) ([]yarnNode, *syntaxError) { return newClassicParser(data).read() }

func (p *classicParser) read() ([]yarnNode, *syntaxError) {
	if strings.HasPrefix(p.s, "\ufeff") {
		p.i = len("\ufeff")
	}
	return p.block(0)
}

func (p *classicParser) fail(format string, args ...any) *syntaxError {
	return syntaxAt(min(p.i, max(len(p.s)-1, 0)), fmt.Sprintf(format, args...))
}

func (p *classicParser) failLimit(format string, args ...any) *syntaxError {
	err := p.fail(format, args...)
	err.limit = true
	return err
}

// line skips empty lines and comments, and returns the level of the next line, -1
// at the end of the file. It stays at the line's begin.
func (p *classicParser) line() (level int, err *syntaxError) {
	for p.i < len(p.s) {
		rest := p.s[p.i:]
		blanks := len(rest) - len(strings.TrimLeft(rest, " "))
		next := rest[blanks:]
		end := strings.IndexByte(next, '\n')
		if end < 0 {
			end = len(next) - 1
		}
		switch {
		case next == "" || next[0] == '#' || next[0] == '\n' || strings.HasPrefix(next, "\r\n"):
			p.i += blanks + end + 1
		case blanks%2 != 0:
			p.i += blanks
			return 0, p.fail("a line must begin with an even number of blanks")
		default:
			return blanks / 2, nil
		}
	}
	return -1, nil
}

func (p *classicParser) block(level int) ([]yarnNode, *syntaxError) {
	var out []yarnNode
	if level > maxYarnDepth {
		return nil, p.failLimit("more than %d levels", maxYarnDepth)
	}
	for {
		at, err := p.line()
		if err != nil || at < level {
			return out, err
		}
		p.i += 2 * at
		if at > level {
			return out, p.fail("the line stands deeper than what it belongs to")
		}
		n, err := p.node(level)
		if len(n.keys) > 0 && (err == nil || len(n.children) > 0) {
			out = append(out, n)
		}
		if err != nil {
			return out, err
		}
	}
}

func (p *classicParser) node(level int) (n yarnNode, err *syntaxError) {
	if p.lines++; p.lines > p.most {
		return n, p.failLimit("more than %d lines", p.most)
	}
	for {
		off := p.i
		key, err := p.word()
		if err != nil {
			return yarnNode{}, err
		}
		n.keys = append(n.keys, yarnKey{key, off})
		if !strings.HasPrefix(p.s[p.i:], ", ") {
			break
		}
		p.i += len(", ")
	}
	if p.take(":") {
		if err := p.endOfLine(); err != nil {
			return n, err
		}
		n.block = true
		n.children, err = p.block(level + 1)
		if err == nil && len(n.children) == 0 {
			err = syntaxAt(n.off(), fmt.Sprintf("nothing stands below %s", quote(n.name())))
		}
		return n, err
	}
	if len(n.keys) > 1 || !p.take(" ") {
		return yarnNode{}, p.fail("expected a colon or a value")
	}
	if n.value, err = p.word(); err != nil {
		return yarnNode{}, err
	}
	if err := p.endOfLine(); err != nil {
		return yarnNode{}, err
	}
	return n, nil
}

func (p *classicParser) take(s string) bool {
	if !strings.HasPrefix(p.s[p.i:], s) {
		return false
	}
	p.i += len(s)
	return true
}

func (p *classicParser) endOfLine() *syntaxError {
	if p.i == len(p.s) || p.take("\n") || p.take("\r\n") {
		return nil
	}
	return p.fail("expected the end of the line")
}

// classicWord is what a text begins with that stands without quotes: a word, a number
// or a boolean.
func classicWord(s string) string {
	n := 0
	if s != "" && isDigit(s[0]) {
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		return s[:n]
	}
	if s == "" || !isLetter(s[0]) && strings.IndexByte("/.-", s[0]) < 0 {
		return ""
	}
	for n < len(s) && strings.IndexByte(" :,\r\n", s[n]) < 0 {
		n++
	}
	return s[:n]
}

// classicBoolean reports whether a word begins like a boolean: yarn takes the boolean
// and stumbles.
func classicBoolean(word string) bool {
	return word != "true" && strings.HasPrefix(word, "true") || word != "false" && strings.HasPrefix(word, "false")
}

func (p *classicParser) word() (string, *syntaxError) {
	if p.i < len(p.s) && p.s[p.i] == '"' {
		return p.quoted()
	}
	word := classicWord(p.s[p.i:])
	switch {
	case word == "" && p.i == len(p.s):
		return "", p.fail("the file ends too early")
	case word == "":
		return "", p.fail("expected a word or a text in quotes")
	case classicBoolean(word):
		return "", p.fail("a word that begins with true or false must stand in quotes")
	}
	p.i += len(word)
	return word, nil
}

// quoted reads a text as JSON has it (RFC 8259, section 7).
func (p *classicParser) quoted() (string, *syntaxError) {
	for end := p.i + 1; end < len(p.s) && p.s[end] != '\n'; end++ {
		switch p.s[end] {
		case '\\':
			end++
		case '"':
			if text := p.s[p.i+1 : end]; every(text, func(c byte) bool { return c >= ' ' && c <= '~' && c != '\\' }) {
				p.i = end + 1
				return text, nil // as nearly all are
			}
			var text string
			if err := json.Unmarshal([]byte(p.s[p.i:end+1]), &text); err != nil {
				return "", p.fail("not a text in quotes as JSON has it")
			}
			p.i = end + 1
			return text, nil
		}
	}
	return "", p.fail("the text in quotes has no end")
}

var berryLine = lazyregexp.New(`^yaml: (?:line ([0-9]+): )?(.*)`)

// parseBerry reads the form of yarn 2 and newer, which is YAML 1.2 with texts
// only: yarn takes no number and no date for anything else. A loose reading leaves
// out what a lockfile must not have, such as lists.
func parseBerry(data []byte, at lines, loose bool) ([]yarnNode, *syntaxError) {
	if len(data) > maxYarnBytes {
		return nil, tooMuch(0, "larger than %d MiB", maxYarnBytes>>20)
	}
	if yamlMarks(data) > maxYAMLMarks {
		return nil, tooMuch(0, "more than %d values", maxYAMLMarks)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := decodeBerry(dec, &doc); err != nil {
		return nil, berryError(err, at)
	}
	r := &berryParser{lines: at, size: len(data), loose: loose}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, syntaxAt(0, "a lockfile must be a mapping")
	}
	nodes, bad := r.mapping(doc.Content[0], 0)
	var second yaml.Node
	if err := decodeBerry(dec, &second); bad == nil && !errors.Is(err, io.EOF) {
		if err != nil {
			return nodes, berryError(err, at)
		}
		bad = syntaxAt(r.off(&second), "a second document")
	}
	return nodes, bad
}

// decodeBerry turns a panic of the library, of which there have been some for
// hostile input, into an error.
func decodeBerry(dec *yaml.Decoder, into *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return dec.Decode(into)
}

func berryError(err error, at lines) *syntaxError {
	m := berryLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if m == nil {
		return syntaxAt(0, "the file is empty")
	}
	line, _ := strconv.Atoi(m[1])
	return syntaxAt(at[min(max(line, 1), len(at))-1], quotedMessage(m[2]))
}

// quotedMessage keeps what a library says of the file from carrying more of it
// than needed.
func quotedMessage(s string) string {
	if strings.Contains(s, "://") {
		return "invalid YAML"
	}
	return s
}

type berryParser struct {
	lines lines
	size  int
	loose bool
}

func (r *berryParser) off(n *yaml.Node) int {
	line := min(max(n.Line, 1), len(r.lines))
	return min(r.lines[line-1]+max(n.Column, 1)-1, max(r.size-1, 0))
}

func (r *berryParser) mapping(n *yaml.Node, depth int) ([]yarnNode, *syntaxError) {
	if depth > maxYarnDepth {
		return nil, tooMuch(r.off(n), "more than %d levels", maxYarnDepth)
	}
	out := make([]yarnNode, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if r.loose && (key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode && value.Kind != yaml.MappingNode) {
			continue
		}
		if key.Kind != yaml.ScalarNode || key.Anchor != "" {
			return out, syntaxAt(r.off(key), "a key must be a plain text")
		}
		node := yarnNode{}
		off := r.off(key)
		if depth > 0 {
			node.keys = []yarnKey{{key.Value, off}}
		} else {
			for word := range strings.SplitSeq(key.Value, ",") {
				node.keys = append(node.keys, yarnKey{strings.TrimSpace(word), off})
			}
		}
		var err *syntaxError
		switch {
		case value.Anchor != "" || value.Kind == yaml.AliasNode:
			err = syntaxAt(r.off(value), "yarn writes no anchors and no aliases")
		case value.Kind == yaml.MappingNode:
			node.block = true
			node.children, err = r.mapping(value, depth+1)
		case value.Kind == yaml.ScalarNode:
			node.value = value.Value
		default:
			err = syntaxAt(r.off(value), fmt.Sprintf("%s must be a text or a mapping", quote(key.Value)))
		}
		if err != nil {
			return out, err
		}
		out = append(out, node)
	}
	return out, nil
}
