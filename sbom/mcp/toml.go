package mcp

import (
	"bytes"
	"errors"

	"countermark/sbom"

	"github.com/pelletier/go-toml/v2/unstable"
	"github.com/tailscale/hujson"
)

// parseTOML reads a document up to the first place that is no TOML.
func (d *document) parseTOML(text []byte) *sbom.Problem {
	if p := boundedTOML(text); p != nil {
		return p
	}
	d.toml = true
	root := &hujson.Object{}
	t := tomlTree{doc: d, members: map[*hujson.Object]map[string]int{}, headers: map[*hujson.Object]bool{}}
	t.parser.Reset(text)
	table := root
	for t.parser.NextExpression() {
		e := t.parser.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = t.header(root, e)
		case unstable.KeyValue:
			t.keyValue(table, e, 0)
		default: // comments
		}
	}
	d.root = hujson.Value{Value: root}
	err := t.parser.Error()
	if err == nil {
		return t.problem
	}
	p := &sbom.Problem{Code: sbom.Invalid, Line: 1, Message: "the file is no valid TOML: something stands here that TOML does not allow", Hint: "mend the syntax (a missing quote or bracket is the usual cause)"}
	at := len(text)
	if syntaxErr, ok := errors.AsType[*unstable.ParserError](err); ok && len(syntaxErr.Highlight) > 0 {
		at = int(t.parser.Range(syntaxErr.Highlight).Offset)
	}
	p.Line, p.Column = d.position(at)
	// The table that breaks off is not read whole.
	d.cut = max(1, at)
	v := &d.root
	for _, name := range t.path {
		v.EndOffset = len(text) + 1
		if v = t.member(object(v), name); v != nil && array(v) != nil {
			v.EndOffset = len(text) + 1
			v = lastIn(v)
		}
		if v == nil || object(v) == nil {
			return p
		}
	}
	v.EndOffset = len(text) + 1
	return p
}

// boundedTOML is bounded for TOML, whose parser goes as deep as the brackets do.
func boundedTOML(text []byte) *sbom.Problem {
	depth, values := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '#':
			end := bytes.IndexByte(text[i:], '\n')
			if end < 0 {
				return nil
			}
			i += end
			values++
		case '"', '\'':
			i = skipTOMLString(text, i)
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '=', ',', '\n':
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

// skipTOMLString returns the index of the last byte of the string that begins at i.
func skipTOMLString(text []byte, i int) int {
	quote := text[i]
	triple := i+2 < len(text) && text[i+1] == quote && text[i+2] == quote
	if triple {
		i += 3
	} else {
		i++
	}
	for ; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote && !triple, text[i] == '\n' && !triple:
			return i
		case text[i] == quote && i+2 < len(text) && text[i+1] == quote && text[i+2] == quote:
			return i + 2
		}
	}
	return i
}

// tomlTree makes the tree of a document.
type tomlTree struct {
	doc     *document
	parser  unstable.Parser
	members map[*hujson.Object]map[string]int // where a member stands in its object
	headers map[*hujson.Object]bool           // tables that had a header of their own
	path    []string                          // names of the table that is open
	problem *sbom.Problem                     // the first
}

// header opens the table that a line in brackets names.
func (t *tomlTree) header(o *hujson.Object, e *unstable.Node) *hujson.Object {
	names, offsets := t.key(e)
	t.path = names
	for i, name := range names {
		if i < len(names)-1 {
			o = t.open(o, name, offsets[i])
			continue
		}
		if e.Kind == unstable.ArrayTable {
			return t.element(o, name, offsets[i])
		}
		o = t.open(o, name, offsets[i])
		if t.headers[o] {
			t.twice(offsets[i])
		}
		t.headers[o] = true
	}
	return o
}

func (t *tomlTree) key(e *unstable.Node) (names []string, offsets []int) {
	for it := e.Key(); it.Next(); {
		names = append(names, string(it.Node().Data))
		offsets = append(offsets, int(it.Node().Raw.Offset))
	}
	if len(names) > maxDepth {
		t.problem = tooBig("nested deeper", maxDepth)
		names, offsets = names[:1], offsets[:1]
	}
	return names, offsets
}

// twice notes what TOML forbids: clients refuse such a file.
func (t *tomlTree) twice(at int) {
	if t.problem == nil {
		line, column := t.doc.position(at)
		t.problem = &sbom.Problem{Code: sbom.Invalid, Line: line, Column: column, Message: "this name is defined twice, which TOML does not allow", Hint: "remove one of the two"}
	}
}

// open returns the table of that name, or of the last element where it is a list.
func (t *tomlTree) open(o *hujson.Object, name string, at int) *hujson.Object {
	if v := t.member(o, name); v != nil {
		if inner := object(v); inner != nil {
			return inner
		}
		if list := array(v); list != nil && len(list.Elements) > 0 {
			if inner := object(&list.Elements[len(list.Elements)-1]); inner != nil {
				return inner
			}
		}
		t.twice(at)
	}
	inner := &hujson.Object{}
	t.add(o, name, at, hujson.Value{StartOffset: at, EndOffset: at, Value: inner})
	return inner
}

// element adds a table to the list of that name.
func (t *tomlTree) element(o *hujson.Object, name string, at int) *hujson.Object {
	inner := &hujson.Object{}
	v := t.member(o, name)
	if v == nil || array(v) == nil {
		if v != nil {
			t.twice(at)
		}
		t.add(o, name, at, hujson.Value{StartOffset: at, EndOffset: at, Value: &hujson.Array{}})
		v = t.member(o, name)
	}
	list := array(v)
	list.Elements = append(list.Elements, hujson.Value{StartOffset: at, EndOffset: at, Value: inner})
	return inner
}

func (t *tomlTree) member(o *hujson.Object, name string) *hujson.Value {
	if i, ok := t.members[o][name]; ok {
		return &o.Members[i].Value
	}
	return nil
}

func (t *tomlTree) add(o *hujson.Object, name string, at int, v hujson.Value) {
	if t.members[o] == nil {
		t.members[o] = map[string]int{}
	}
	t.members[o][name] = len(o.Members)
	o.Members = append(o.Members, hujson.ObjectMember{Name: hujson.Value{StartOffset: at, EndOffset: at, Value: hujson.String(name)}, Value: v})
}

func (t *tomlTree) keyValue(o *hujson.Object, e *unstable.Node, depth int) {
	names, offsets := t.key(e)
	last := len(names) - 1
	for i := range last {
		o = t.open(o, names[i], offsets[i])
	}
	if t.member(o, names[last]) != nil {
		t.twice(offsets[last])
	}
	t.add(o, names[last], offsets[last], t.value(e.Value(), offsets[last], depth))
}

func (t *tomlTree) value(n *unstable.Node, at, depth int) hujson.Value {
	if n.Raw.Length > 0 {
		at = int(n.Raw.Offset)
	}
	out := hujson.Value{StartOffset: at, EndOffset: at, Value: hujson.String(string(n.Data))}
	if depth > maxDepth {
		return out
	}
	switch n.Kind {
	case unstable.Array:
		list := &hujson.Array{}
		for it := n.Children(); it.Next(); {
			if it.Node().Kind != unstable.Comment {
				list.Elements = append(list.Elements, t.value(it.Node(), at, depth+1))
			}
		}
		out.Value = list
	case unstable.InlineTable:
		o := &hujson.Object{}
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				t.keyValue(o, it.Node(), depth+1)
			}
		}
		out.Value = o
	case unstable.Bool:
		out.Value = hujson.Bool(string(n.Data) == "true")
	case unstable.Integer, unstable.Float:
		if l := hujson.Literal(n.Data); l.IsValid() && l.Kind() == '0' {
			out.Value = hujson.Literal(string(n.Data))
		}
	default: // a text, or a date, which is read as one
	}
	return out
}
