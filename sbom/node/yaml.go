package node

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"countermark/sbom/lazyregexp"

	"go.yaml.in/yaml/v3"
)

// Limits of one YAML file, which needs some fifty times its size in memory at
// worst. The largest lockfiles that are known have a tenth of this.
const (
	maxYAML      = 48 << 20 // bytes
	maxYAMLMarks = 3 << 20  // characters of which each can begin one more value
)

// parseYAML parses a stream of documents of the kind that package managers
// write: YAML 1.2 without anchors, aliases, tags and merge keys, by which a small
// file could stand for a huge one, or mean different things to two programs.
// There is always one document at least. After a syntax error it holds what
// stands before the last blank line above the error.
func parseYAML(data []byte) []*document {
	if len(data) > maxYAML {
		return []*document{{lines: newLines(nil), err: tooMuch(0, "larger than %d MiB", maxYAML>>20)}}
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	p := &yamlParser{data: data, lines: newLines(data)}
	if err := p.refuse(); err != nil {
		return []*document{{lines: p.lines, err: err}}
	}
	docs, err := p.stream(data)
	if err == nil {
		return docs
	}
	docs = nil
	if end := bytes.LastIndex(data[:err.off], []byte("\n\n")); end > 0 {
		var again *syntaxError
		if docs, again = p.stream(data[:end+1]); again != nil {
			docs = nil
		}
	}
	if len(docs) == 0 {
		docs = []*document{{lines: p.lines}}
	}
	for _, d := range docs {
		d.err = err
	}
	return docs
}

type yamlParser struct {
	data       []byte
	lines      lines
	duplicates []duplicate

	// Where the last node began: most nodes begin a little further on.
	line, column, off int
}

// refuse finds what is not worth parsing, or must not be.
func (p *yamlParser) refuse() *syntaxError {
	if len(bytes.TrimSpace(p.data)) == 0 {
		return syntaxAt(0, "the file is empty")
	}
	if off := conflictMarker(p.data); off >= 0 {
		return syntaxAt(off, "a merge conflict is not resolved")
	}
	if yamlMarks(p.data) > maxYAMLMarks {
		return tooMuch(0, "more than %d values", maxYAMLMarks)
	}
	for i := 0; i < len(p.data); {
		r, n := rune(p.data[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(p.data[i:])
		}
		switch {
		case r == utf8.RuneError && n == 1:
			return syntaxAt(i, "invalid UTF-8")
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0:
			return syntaxAt(i, "a control character")
		case r == '\r', r == '\u2028', r == '\u2029':
			return syntaxAt(i, "a line ends in a way that only some programs know")
		}
		i += n
	}
	return nil
}

// yamlMarks counts the characters of which each can begin one more value.
func yamlMarks(data []byte) (marks int) {
	for i, c := range data {
		switch c {
		case ':', ',', '[', '{', '?', '-':
			// A dash begins an item only before a blank.
			if c != '-' || i+1 == len(data) || data[i+1] <= ' ' {
				marks++
			}
		}
	}
	return marks
}

// conflictMarker returns the offset of a line that git leaves where a merge needs
// a decision, or none.
func conflictMarker(data []byte) int {
	for off := 0; off < len(data); {
		end := len(data)
		if n := bytes.IndexByte(data[off:], '\n'); n >= 0 {
			end = off + n + 1
		}
		for _, mark := range []string{"<<<<<<< ", "||||||| ", ">>>>>>> "} {
			if data[off] == mark[0] && bytes.HasPrefix(data[off:end], []byte(mark)) {
				return off
			}
		}
		off = end
	}
	return none
}

func (p *yamlParser) stream(data []byte) ([]*document, *syntaxError) {
	var docs []*document
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, p.fail(err)
		}
		if len(n.Content) == 0 {
			continue
		}
		p.duplicates, p.line = nil, 0
		root, bad := p.value(n.Content[0], 0)
		if bad != nil {
			return nil, bad
		}
		docs = append(docs, &document{root: root, duplicates: inOrder(p.duplicates), lines: p.lines})
	}
	if len(docs) == 0 {
		return nil, syntaxAt(0, "the file is empty")
	}
	return docs, nil
}

var yamlError = lazyregexp.New(`^yaml: (?:line ([0-9]+): )?(?s:(.*))$`)

// parserError matches what is wrong with the structure, not with a token.
var parserError = lazyregexp.New(`^did not find expected (<|node|key|',|'-)`)

// fail gives an error of the library its place.
func (p *yamlParser) fail(err error) *syntaxError {
	m := yamlError.FindStringSubmatch(err.Error())
	if m == nil {
		return syntaxAt(0, err.Error())
	}
	line, _ := strconv.Atoi(m[1])
	if parserError.MatchString(m[2]) { // of which the library counts lines from 0
		line++
	}
	return syntaxAt(p.lines[min(max(line, 1), len(p.lines))-1], m[2])
}

// offset returns where a node stands. The library counts columns in characters.
func (p *yamlParser) offset(n *yaml.Node) int {
	if n.Line != p.line || n.Column < p.column {
		p.line, p.column = min(max(n.Line, 1), len(p.lines)), 1
		p.off = p.lines[p.line-1]
	}
	for p.column < n.Column && p.off < len(p.data) {
		_, size := utf8.DecodeRune(p.data[p.off:])
		p.off += size
		p.column++
	}
	return p.off
}

func (p *yamlParser) value(n *yaml.Node, depth int) (v value, err *syntaxError) {
	v.off = p.offset(n)
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "":
		return v, syntaxAt(v.off, "an anchor or alias, which no package manager writes")
	case n.Style&yaml.TaggedStyle != 0:
		return v, syntaxAt(v.off, "a tag, which no package manager writes")
	case depth == maxDepth:
		return v, tooMuch(v.off, "nested deeper than %d levels", maxDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		err = p.mapping(&v, n, depth+1)
	case yaml.SequenceNode:
		v.kind = arrayKind
		list := make([]value, 0, len(n.Content))
		for _, item := range n.Content {
			e, bad := p.value(item, depth+1)
			if bad != nil {
				return v, bad
			}
			list = append(list, e)
		}
		v.array = &list
	default:
		v.kind, v.text = scalar(n)
	}
	return v, err
}

func (p *yamlParser) mapping(v *value, n *yaml.Node, depth int) *syntaxError {
	v.kind = objectKind
	v.members = make([]member, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		off := p.offset(key)
		switch {
		case key.Kind != yaml.ScalarNode:
			return syntaxAt(off, "a key that is no plain text")
		case key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 && key.Tag != "!!merge":
			return syntaxAt(off, "an anchor or tag, which no package manager writes")
		case key.Tag == "!!merge":
			return syntaxAt(off, "a merge key, which no package manager writes")
		}
		val, err := p.value(n.Content[i+1], depth)
		if err != nil {
			return err
		}
		v.members = append(v.members, member{key.Value, off, val})
	}
	p.duplicates = appendDuplicates(p.duplicates, v.members, depth)
	return nil
}

// plainBool: YAML 1.2 has fewer booleans than the library, which also knows those
// of YAML 1.1.
var plainBool = map[string]string{"true": "true", "True": "true", "TRUE": "true", "false": "false", "False": "false", "FALSE": "false"}

func scalar(n *yaml.Node) (kind, string) {
	switch n.ShortTag() {
	case "!!null":
		return nullKind, ""
	case "!!bool":
		if text, ok := plainBool[n.Value]; ok {
			return boolKind, text
		}
	case "!!int", "!!float":
		return numberKind, n.Value
	}
	return stringKind, n.Value
}

// scalarText is the text of a value that one version of a program writes as a
// string, and another as a number.
func scalarText(m *member) string {
	if m == nil || m.value.kind != stringKind && m.value.kind != numberKind {
		return ""
	}
	return strings.TrimSpace(m.value.text)
}
