package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxJSONDepth is how deep objects and arrays may nest in a bundle, statement or
// predicate. Real ones stay below 10.
const MaxJSONDepth = 64

// Limits of how many values one JSON document may hold: each costs many times
// its one byte in memory. Real bundles and statements have some hundreds.
const (
	maxJSONValues     = 100_000
	maxEvidenceValues = 2_000_000 // of a registry's answer in a file, around its bundles
)

// object is a JSON object with its keys as they were written. encoding/json's
// structs take keys of any case and keep the last of several, so that two
// readers can read two things in one signed document; this form does neither.
type object map[string]any

// parseObject parses one JSON object, and nothing behind it. It refuses repeated
// keys at any depth.
func parseObject(data []byte) (object, error) { return parseBounded(data, maxJSONValues) }

// CheckJSON returns an error for what is not one JSON object, or repeats a key at
// any depth, or goes beyond the limits of signed documents in size and depth:
// what encoding/json would read in one of several ways.
func CheckJSON(data []byte) error {
	_, err := parseBounded(data, maxEvidenceValues)
	return err
}

func parseBounded(data []byte, values int) (object, error) {
	p := &parser{Decoder: jsontext.NewDecoder(bytes.NewBuffer(data)), max: values}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("no JSON object")
	}
	return o, nil
}

// parser reads strict JSON (RFC 8259): its decoder also refuses repeated keys and
// what is no UTF-8.
type parser struct {
	*jsontext.Decoder

	values, max int
}

func (p *parser) value(depth int) (any, error) {
	if depth > MaxJSONDepth {
		return nil, fmt.Errorf("JSON is nested deeper than %d", MaxJSONDepth)
	}
	if p.values++; p.values > p.max {
		return nil, fmt.Errorf("JSON has more than %d values", p.max)
	}
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case jsontext.KindBeginObject:
		return p.members(depth)
	case jsontext.KindBeginArray:
		return p.elements(depth)
	case jsontext.KindString:
		return t.String(), nil
	case jsontext.KindNumber:
		return json.Number(t.String()), nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return t.Bool(), nil
	default:
		return nil, nil //nolint:nilnil // the value null
	}
}

func (p *parser) members(depth int) (object, error) {
	o := object{}
	for p.PeekKind() != jsontext.KindEndObject {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		key := t.String()
		if o[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := p.token()
	return o, err
}

func (p *parser) elements(depth int) ([]any, error) {
	var list []any
	for p.PeekKind() != jsontext.KindEndArray {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := p.token()
	return list, err
}

func (p *parser) token() (jsontext.Token, error) {
	t, err := p.ReadToken()
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return t, fmt.Errorf("a JSON key is repeated at %s", clip(string(p.StackPointer())))
	case err != nil:
		return t, fmt.Errorf("no JSON: %w", err)
	default:
		return t, nil
	}
}

// text returns the string at that path of keys, or "".
func (o object) text(path ...string) string {
	v, _ := o.at(path...).(string)
	return v
}

// list returns the array at that path of keys, or nil.
func (o object) list(path ...string) []any {
	v, _ := o.at(path...).([]any)
	return v
}

// object returns the object at that path of keys, or nil.
func (o object) object(path ...string) object {
	v, _ := o.at(path...).(object)
	return v
}

func (o object) at(path ...string) any {
	var v any = o
	for _, key := range path {
		next, ok := v.(object)
		if !ok {
			return nil
		}
		v = next[key]
	}
	return v
}
