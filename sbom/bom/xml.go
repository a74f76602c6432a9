package bom

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// xmlScanner is the stream of tokens of an XML document (XML 1.0), for the
// decoder. It refuses document type declarations, and with them every entity but
// the five of XML itself; it takes out what is of another namespace than
// CycloneDX's, since the library looks at local names only; and it gathers the
// facts on the way.
type xmlScanner struct {
	data   []byte
	dec    *xml.Decoder
	facts  facts
	refs   references
	values int

	path    []string
	text    [][]byte // of each open element
	depth   int
	foreign int // how deep it is in elements of another namespace
	done    bool
	err     error // what ended the stream, but for its end
	pending []xml.Token

	version  string
	numbered bool
	strange  *Error // the first component of an unknown type
}

func newXMLScanner(data []byte) *xmlScanner {
	return &xmlScanner{data: data, dec: xml.NewDecoder(bytes.NewReader(data)), facts: facts{}, refs: references{}}
}

// Token implements xml.TokenReader.
func (s *xmlScanner) Token() (xml.Token, error) {
	if len(s.pending) > 0 {
		tok := s.pending[0]
		s.pending = s.pending[1:]
		return tok, nil
	}
	tok, err := s.next()
	if start, ok := tok.(xml.StartElement); ok && s.occurrence() {
		return start, s.hold(&start)
	}
	return tok, err
}

// occurrence reports whether the innermost element is a component's occurrence.
func (s *xmlScanner) occurrence() bool {
	return s.depth > 3 && s.path[s.depth-1] == "occurrence" && s.path[s.depth-2] == "occurrences" && s.path[s.depth-3] == "evidence"
}

// details are what the schema has as elements of an occurrence, in this order, and
// the library as attributes.
var details = []string{"line", "offset", "symbol", "additionalContext"}

// hold reads the rest of an occurrence, and makes attributes of its details.
func (s *xmlScanner) hold(start *xml.StartElement) error {
	inside := s.depth
	detail, text := "", ""
	for s.depth >= inside {
		tok, err := s.next()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if s.depth == inside+1 && slices.Contains(details, t.Name.Local) {
				detail, text = t.Name.Local, ""
				continue
			}
		case xml.CharData:
			if detail != "" {
				text += string(t)
				continue
			}
		case xml.EndElement:
			if detail != "" && s.depth == inside {
				start.Attr = append(start.Attr, xml.Attr{Name: xml.Name{Local: detail}, Value: text})
				detail = ""
				continue
			}
		}
		s.pending = append(s.pending, tok)
	}
	return nil
}

// withElements turns the details of occurrences, which the library wrote as
// attributes, into the elements of the schema. The library escapes <, > and quotes
// in values, in a way that means the same in text.
func withElements(text []byte) []byte {
	const open, closing = "<occurrence ", "</location>"
	var out []byte
	for {
		before, rest, ok := bytes.Cut(text, []byte(open))
		out = append(out, before...)
		if !ok {
			return out
		}
		attributes, rest, _ := bytes.Cut(rest, []byte(">"))
		var kept, elements []byte
		for _, a := range bytes.SplitAfter(attributes, []byte(`"`+" ")) {
			name, value, _ := bytes.Cut(bytes.TrimSpace(a), []byte("="))
			if !slices.Contains(details, string(name)) {
				kept = fmt.Appendf(kept, " %s=%s", name, value)
				continue
			}
			elements = fmt.Appendf(elements, "<%s>%s</%s>", name, bytes.Trim(value, `"`), name)
		}
		out = append(append(append(out, "<occurrence"...), kept...), '>')
		location, rest, ok := bytes.Cut(rest, []byte(closing))
		if ok {
			out = append(append(out, location...), closing...)
		}
		out = append(out, elements...)
		text = rest
	}
}

// next returns the next token of what is not left out.
func (s *xmlScanner) next() (xml.Token, error) {
	for {
		tok, err := s.dec.Token()
		if err == nil {
			tok, err = s.accept(tok)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.err = err
			}
			return nil, err
		}
		if tok != nil {
			return tok, nil
		}
	}
}

func (s *xmlScanner) accept(tok xml.Token) (xml.Token, error) {
	switch tok := tok.(type) {
	case xml.StartElement:
		return s.start(tok.Copy())
	case xml.EndElement:
		return s.end(tok), nil
	case xml.CharData:
		if s.depth > 0 {
			s.text[s.depth-1] = append(s.text[s.depth-1], tok...)
		}
		if s.foreign > 0 || s.depth == 0 {
			return nil, nil
		}
		return tok.Copy(), nil
	case xml.Directive:
		return nil, &Error{Line: s.line(), Message: "it has a document type declaration, which is not read: such can define entities", Hint: "have the document written without <!DOCTYPE …>"}
	default:
		return nil, nil // comments, processing instructions
	}
}

func (s *xmlScanner) start(e xml.StartElement) (xml.Token, error) {
	line := s.line()
	if s.depth >= MaxDepth {
		return nil, tooDeep(line)
	}
	if s.values += 1 + len(e.Attr); s.values > MaxValues {
		return nil, tooMany()
	}
	if s.depth == 0 {
		if err := s.root(e, line); err != nil {
			return nil, err
		}
	}
	own := e.Name.Space == namespace+s.version
	name := e.Name.Local
	if !own {
		name = "{" + e.Name.Space + "}" + name
	}
	s.push(name)
	if !own || s.foreign > 0 {
		s.foreign++
	}
	seen := map[xml.Name]bool{}
	attrs := e.Attr[:0]
	for _, a := range e.Attr {
		if seen[a.Name] {
			return nil, &Error{Line: line, Message: fmt.Sprintf("the attribute %q stands twice", shorten(a.Name.Local)), Hint: "have the document written again"}
		}
		seen[a.Name] = true
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			continue
		}
		if err := s.attribute(a, line); err != nil {
			return nil, err
		}
		if a.Name.Space == "" {
			attrs = append(attrs, a)
		}
	}
	e.Attr = attrs
	if s.depth == 1 {
		e.Attr = append(e.Attr, xml.Attr{Name: xml.Name{Local: "xmlns"}, Value: namespace + s.version})
	}
	if s.foreign > 0 {
		return nil, nil
	}
	return e, nil
}

func (s *xmlScanner) root(e xml.StartElement, line int) error {
	if s.done {
		return &Error{Line: line, Message: "something follows the document", Hint: "have the document written again"}
	}
	version, ok := strings.CutPrefix(e.Name.Space, namespace)
	if e.Name.Local != "bom" || !ok {
		return &Error{
			Line: line, Message: fmt.Sprintf("the document is <%s> of namespace %q: expected <bom> of %s1.x", shorten(e.Name.Local), shorten(e.Name.Space), namespace),
			Hint: "name a CycloneDX document",
		}
	}
	if _, ok := specVersion(version); !ok {
		return unsupported(shorten(version))
	}
	s.version = version
	return nil
}

func (s *xmlScanner) attribute(a xml.Attr, line int) error {
	name := "@" + a.Name.Local
	if a.Name.Space != "" {
		name = "@{" + a.Name.Space + "}" + a.Name.Local
	}
	if s.foreign == 0 {
		switch {
		case s.depth == 1 && name == "@version":
			s.numbered = true
		case name == "@type" && s.strange == nil && s.path[s.depth-1] == "component":
			s.strange = strangeType(a.Value, line)
		case name == "@bom-ref" && a.Value != "":
			at := strings.Join(s.path, "/") + "/"
			if err := s.refs.define(a.Value, line, circleOfElement(at)); err != nil {
				return err
			}
		}
	}
	if bare := name[1:]; s.occurrence() && slices.Contains(details, bare) {
		name = bare
	}
	s.facts.add(strings.Join(s.path, "/")+"/"+name, a.Value, func() int { return line })
	return nil
}

// circleOfElement knows makers only: the XML schemas have every other bom-ref once.
func circleOfElement(path string) circle {
	if strings.HasPrefix(path, "bom/metadata/tools/") || strings.HasPrefix(path, "bom/annotations/annotation/annotator/") {
		return makers
	}
	return alone
}

func (s *xmlScanner) end(e xml.EndElement) xml.Token {
	text := string(bytes.TrimSpace(s.text[s.depth-1]))
	s.facts.add(strings.Join(s.path, "/"), text, s.line)
	s.path, s.text = s.path[:s.depth-1], s.text[:s.depth-1]
	s.depth--
	s.done = s.depth == 0
	if s.foreign > 0 {
		s.foreign--
		return nil
	}
	return e
}

func (s *xmlScanner) push(name string) {
	s.path = append(s.path, name)
	s.text = append(s.text, nil)
	s.depth++
}

func (s *xmlScanner) line() int {
	line, _ := s.dec.InputPos()
	return line
}

// rest reads what follows the document, which must be nothing.
func (s *xmlScanner) rest() error {
	for {
		if _, err := s.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func (s *xmlScanner) problem(err error) *Error {
	if s.err != nil {
		err = s.err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	const hint = "have the document written again; it may have been cut off"
	if e, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return &Error{Line: e.Line, Message: "no valid XML: " + e.Msg, Hint: hint}
	}
	if errors.Is(err, io.EOF) {
		return &Error{Line: s.line(), Message: "no valid XML: it ends in the middle", Hint: hint}
	}
	return &Error{Line: s.line(), Message: "no valid CycloneDX: " + err.Error(), Hint: "validate it with the schema of its version"}
}
