package bom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/go-json-experiment/json/jsontext"
)

// sniffJSON looks at the keys of the outermost object, as far as they stand before
// the first list: bomFormat is the first in practice.
func sniffJSON(data []byte) string {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	if _, err := dec.ReadToken(); err != nil {
		return ""
	}
	for range sniffed {
		key, err := dec.ReadToken()
		if err != nil || key.Kind() != '"' {
			return ""
		}
		switch name := key.String(); {
		case name == "bomFormat":
			return KindCycloneDXJSON
		case strings.HasPrefix(name, "spdx"), name == "SPDXID", name == "@context" && bytes.Contains(data[:min(len(data), sniffed)], []byte("spdx.org")):
			return KindSPDXJSON
		}
		if err := dec.SkipValue(); err != nil {
			return ""
		}
	}
	return ""
}

// jsonScanner walks over a JSON document (RFC 8259) once: it refuses what parsers
// could read differently, and gathers the facts.
type jsonScanner struct {
	data   []byte
	dec    *jsontext.Decoder
	facts  facts
	refs   references
	values int
	paths  map[[2]string]string

	// place counts lines from where it was asked last.
	at    int64
	lines int

	format, version string
	numbered        bool
	strange         *Error // the first component of an unknown type
}

func scanJSON(data []byte) (*jsonScanner, error) {
	s := &jsonScanner{
		data: data, dec: jsontext.NewDecoder(bytes.NewBuffer(data)), facts: facts{}, refs: references{},
		paths: map[[2]string]string{}, lines: 1,
	}
	if err := s.value("", "", 0); err != nil {
		return nil, s.problem(err)
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, s.problem(cmpError(err, errors.New("something follows the document")))
	}
	return s, nil
}

func cmpError(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// line is the line of the token that was read last.
func (s *jsonScanner) line() int {
	at := min(max(s.dec.InputOffset(), s.at), int64(len(s.data)))
	s.lines += bytes.Count(s.data[s.at:at], []byte("\n"))
	s.at = at
	return s.lines
}

func (s *jsonScanner) problem(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	const hint = "have the document written again; it may have been cut off"
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		line, column := place(s.data, e.ByteOffset)
		message := "no valid JSON: " + e.Err.Error()
		if errors.Is(err, jsontext.ErrDuplicateName) {
			message = fmt.Sprintf("the key %q stands twice", shorten(e.JSONPointer.LastToken()))
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			message = "no valid JSON: it ends in the middle"
		}
		return &Error{Line: line, Column: column, Message: message, Hint: hint}
	}
	return &Error{Line: s.line(), Message: "no valid JSON: " + err.Error(), Hint: hint}
}

func (s *jsonScanner) value(path, key string, depth int) error {
	if depth > MaxDepth {
		return tooDeep(s.line())
	}
	tok, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	if s.values++; s.values > MaxValues {
		return tooMany()
	}
	switch tok.Kind() {
	case '{':
		return s.object(path, depth)
	case '[':
		path = s.join(path, "[]")
		for s.dec.PeekKind() != ']' {
			if err := s.value(path, "", depth+1); err != nil {
				return err
			}
		}
		_, err = s.dec.ReadToken()
		return err
	case '"':
		return s.leaf(path, key, tok.String(), true)
	default:
		return s.leaf(path, key, number(tok.String()), false)
	}
}

func (s *jsonScanner) object(path string, depth int) error {
	for s.dec.PeekKind() != '}' {
		tok, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		key := tok.String()
		if known, ok := jsonNames()[strings.ToLower(key)]; ok && !known[key] {
			return &Error{
				Line: s.line(), Message: fmt.Sprintf("the key %q differs from CycloneDX's only in case: some read it, and some do not", key),
				Hint: "have the document written with the names of the specification",
			}
		}
		if err := s.value(s.join(path, key), key, depth+1); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

// join makes the name of a field. Names are kept, since a few of them are all
// there are.
func (s *jsonScanner) join(path, key string) string {
	at := [2]string{path, key}
	if known, ok := s.paths[at]; ok {
		return known
	}
	joined := path + key
	if key == "[]" && strings.HasSuffix(path, "evidence.identity") {
		joined = path // one, or a list: both mean the same
	}
	if path != "" && key != "[]" {
		joined = path + "." + key
	}
	s.paths[at] = joined
	return joined
}

func (s *jsonScanner) leaf(path, key, value string, text bool) error {
	switch {
	case path == "$schema":
		return nil
	case path == "bomFormat":
		s.format = value
		return nil
	case path == "specVersion":
		s.version = value
		return nil
	case path == "version":
		s.numbered = true
	case key == "type" && s.strange == nil && ofComponent(path):
		s.strange = strangeType(value, s.line())
	case key == "bom-ref" && text && value != "":
		if err := s.refs.define(value, s.line(), circleOf(path)); err != nil {
			return err
		}
	}
	s.facts.add(path, value, s.line)
	return nil
}

// ofComponent reports whether a field "type" is that of a component.
func ofComponent(path string) bool {
	for _, end := range []string{"components[].type", ".component.type", ".ancestors[].type", ".descendants[].type", ".variants[].type"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}

func circleOf(path string) circle {
	switch {
	case strings.HasPrefix(path, "metadata.tools."), strings.HasPrefix(path, "annotations[].annotator."):
		return makers
	case strings.HasPrefix(path, "formulation[].") && !strings.HasPrefix(path, "formulation[].components[]") && !strings.HasPrefix(path, "formulation[].services[]"):
		return process
	default:
		return alone
	}
}

// number writes a number in one way, whatever its notation.
func number(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || text == "true" || text == "false" || text == "null" {
		return text
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// jsonError says where decoding failed.
func jsonError(data []byte, err error) *Error {
	e := &Error{Message: "no valid CycloneDX: " + err.Error(), Hint: "validate it with the schema of its version"}
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		e.Line, e.Column = place(data, typeErr.Offset)
		e.Message = fmt.Sprintf("no valid CycloneDX: %s is a %s", typeErr.Field, typeErr.Value)
		if typeErr.Field == "" {
			e.Message = "no valid CycloneDX: a " + typeErr.Value + " where something else is expected"
		}
	}
	return e
}

// jsonNames are the keys that CycloneDX has, as they are written, by what they are
// in lower case. encoding/json takes either for the other.
var jsonNames = sync.OnceValue(func() map[string]map[string]bool {
	names := map[string]map[string]bool{}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		seen[t] = true
		for field := range t.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "" && name != "-" {
				lower := strings.ToLower(name)
				if names[lower] == nil {
					names[lower] = map[string]bool{}
				}
				names[lower][name] = true
			}
			walk(field.Type)
		}
	}
	walk(reflect.TypeFor[cdx.BOM]())
	// These have JSON names of their own, in a type that the library hides.
	for _, name := range []string{"ref", "components", "services"} {
		names[name] = map[string]bool{name: true}
	}
	return names
})
