package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"countermark/sbom"

	"github.com/tailscale/hujson"
	"go.yaml.in/yaml/v3"
)

// maxYAML bounds a YAML document, in bytes. Its parser takes far more memory than
// the others.
const maxYAML = 4 << 20

// maxCuts is how many ends of a broken YAML document are tried.
const maxCuts = 64

// parseYAML reads the first document of a stream, as clients do; of a broken one
// the lines before the place that cannot be read.
func (d *document) parseYAML(text []byte) *sbom.Problem {
	if len(text) > maxYAML {
		return tooBig("more bytes", maxYAML)
	}
	node, more, err := decodeYAML(text)
	if err == nil {
		c := yamlTree{doc: d, text: text}
		d.root = c.value(node, 0)
		if c.problem == nil && more {
			line, column := d.position(d.root.StartOffset)
			return &sbom.Problem{Code: sbom.Invalid, Line: line, Column: column, Message: "the file holds more than one YAML document, and only the first is read", Hint: "leave one document in the file"}
		}
		return c.problem
	}
	p := yamlProblem(err)
	last := min(p.Line-1, len(d.lines)-1)
	for cut := last; cut > 0 && cut > last-maxCuts; cut-- {
		node, _, err := decodeYAML(text[:d.lines[cut]])
		if err != nil {
			continue
		}
		c := yamlTree{doc: d, text: text}
		d.root, d.cut = c.value(node, 0), d.lines[cut]
		indent := indentation(text[d.lines[cut]:])
		for v := &d.root; v != nil; v = lastIn(v) {
			if _, column := d.position(v.StartOffset); column-1 > indent {
				break
			}
			v.EndOffset = len(text) + 1 // it may go on behind the cut
		}
		return p
	}
	return p
}

// indentation counts the blanks before the first text.
func indentation(text []byte) int {
	n := 0
	for _, c := range text {
		switch c {
		case ' ':
			n++
		case '\n', '\r':
			n = 0
		default:
			return n
		}
	}
	return n
}

// lastIn is the value that stands last in an object or list.
func lastIn(v *hujson.Value) *hujson.Value {
	if o := object(v); o != nil && len(o.Members) > 0 {
		return &o.Members[len(o.Members)-1].Value
	}
	if a := array(v); a != nil && len(a.Elements) > 0 {
		return &a.Elements[len(a.Elements)-1]
	}
	return nil
}

func decodeYAML(text []byte) (node *yaml.Node, more bool, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := dec.Decode(&first); err != nil {
		if errors.Is(err, io.EOF) {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: 1, Column: 1}, false, nil
		}
		return nil, false, err
	}
	return &first, dec.Decode(&second) == nil && second.Kind != 0, nil
}

// yamlProblem keeps the line of an error and drops its words, since they may
// quote the file.
func yamlProblem(err error) *sbom.Problem {
	p := &sbom.Problem{Code: sbom.Invalid, Line: 1, Message: "the file is no valid YAML: something stands here that YAML does not allow", Hint: "mend the syntax (indentation, a missing quote or colon are the usual causes)"}
	if _, scanErr := fmt.Sscanf(err.Error(), "yaml: line %d:", &p.Line); scanErr != nil {
		p.Line = 1
	}
	if strings.Contains(err.Error(), "did not find expected") {
		p.Line++ // the parser counts from 0, the scanner from 1
	}
	if strings.Contains(err.Error(), "cannot start any token") {
		p.Message, p.Hint = "the file is no valid YAML: a value begins with a character that YAML keeps for itself", "put values that begin with @, ` or % into quotes"
	}
	return p
}

// yamlTree makes the tree of a document. Aliases are followed, but not without
// bound.
type yamlTree struct {
	doc     *document
	text    []byte
	values  int
	problem *sbom.Problem

	lineMarks map[int][]int // see marks
}

func (c *yamlTree) value(n *yaml.Node, depth int) hujson.Value {
	out := hujson.Value{StartOffset: c.offset(n), Value: hujson.Literal("null")}
	out.EndOffset = out.StartOffset
	switch c.values++; {
	case depth > maxDepth:
		c.problem = tooBig("nested deeper", maxDepth)
		return out
	case c.values > maxValues:
		c.problem = tooBig("more values", maxValues)
		return out
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) > 0 {
			return c.value(n.Content[0], depth)
		}
	case yaml.AliasNode:
		out.Value = c.value(n.Alias, depth+1).Value
	case yaml.MappingNode:
		o := &hujson.Object{}
		c.members(o, n, depth, nil)
		out.Value = o
	case yaml.SequenceNode:
		a := &hujson.Array{}
		for _, e := range n.Content {
			a.Elements = append(a.Elements, c.value(e, depth+1))
		}
		out.Value = a
	case yaml.ScalarNode:
		out.Value = scalar(n)
	}
	return out
}

// members adds those of a mapping. What "<<" merges in stands before them, since
// of two members with the same name the last one counts; have says which names
// need no merging.
func (c *yamlTree) members(o *hujson.Object, n *yaml.Node, depth int, have map[string]bool) {
	own := map[string]bool{}
	for name := range have {
		own[name] = true
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		own[n.Content[i].Value] = true
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; key.ShortTag() == "!!merge" {
			c.merge(o, n.Content[i+1], depth, own)
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" || have[key.Value] {
			continue
		}
		at := c.offset(key)
		o.Members = append(o.Members, hujson.ObjectMember{
			Name:  hujson.Value{StartOffset: at, EndOffset: at, Value: hujson.String(key.Value)},
			Value: c.value(value, depth+1),
		})
	}
}

func (c *yamlTree) merge(o *hujson.Object, n *yaml.Node, depth int, own map[string]bool) {
	if depth > maxDepth || c.values > maxValues {
		c.problem = tooBig("nested deeper", maxDepth)
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		c.merge(o, n.Alias, depth+1, own)
	case yaml.MappingNode:
		c.values++
		c.members(o, n, depth+1, own)
	case yaml.SequenceNode:
		for _, e := range n.Content {
			c.merge(o, e, depth+1, own)
		}
	default: // nothing to merge
	}
}

// scalar is a literal of JSON where YAML's core schema has the same, else a text.
func scalar(n *yaml.Node) hujson.Literal {
	switch n.ShortTag() {
	case "!!null":
		return hujson.Literal("null")
	case "!!bool":
		return hujson.Bool(strings.EqualFold(n.Value, "true"))
	case "!!int", "!!float":
		if l := hujson.Literal(n.Value); l.IsValid() && l.Kind() == '0' {
			return l
		}
	}
	return hujson.String(n.Value)
}

// offset finds the bytes of a node, whose column counts characters.
func (c *yamlTree) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(c.doc.lines) || n.Column < 1 {
		return 0
	}
	marks := c.marks(n.Line)
	step := min((n.Column-1)/markEvery, len(marks)-1)
	at := marks[step]
	for i := step * markEvery; i < n.Column-1 && at < len(c.text); i++ {
		_, size := utf8.DecodeRune(c.text[at:])
		at += size
	}
	return at
}

// markEvery is how many characters of a line are counted again for each node on
// it. A whole document may stand on one line.
const markEvery = 256

// marks are the offsets of every so many characters of a line.
func (c *yamlTree) marks(line int) []int {
	if marks, ok := c.lineMarks[line]; ok {
		return marks
	}
	at, end := c.doc.lines[line-1], len(c.text)
	if line < len(c.doc.lines) {
		end = c.doc.lines[line]
	}
	marks := []int{at}
	for i := 1; at < end; i++ {
		_, size := utf8.DecodeRune(c.text[at:end])
		at += size
		if i%markEvery == 0 {
			marks = append(marks, at)
		}
	}
	if c.lineMarks == nil {
		c.lineMarks = map[int][]int{}
	}
	c.lineMarks[line] = marks
	return marks
}
