// Package jsonstream reads large JSON documents of strangers in pieces, such as the
// metadata that a registry has of a package: only what its user keeps is ever in
// memory.
//
// In flows an [io.Reader], whose size its user bounds. Out flow the values that
// functions of its user ask for. A value of another type than is asked for is read
// over: what it would say is not said. A key that occurs twice in an object that is
// read is refused, since readers differ in which one they take. Errors quote nothing
// of the document.
package jsonstream

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// What is wrong with a document.
var (
	ErrSyntax   = errors.New("no JSON") // or it ends too early
	ErrObject   = errors.New("no JSON object")
	ErrTwice    = errors.New("a key occurs twice")
	ErrTrailing = errors.New("text behind the JSON")
	ErrLimit    = errors.New("limit reached")
)

// Reader reads one document.
type Reader struct{ decoder *jsontext.Decoder }

// New returns a reader of a document.
func New(r io.Reader) Reader {
	// Lone surrogates are in many a readme; nothing that is kept is one. Repeated
	// keys are looked for here, since the decoder would remember every key of a
	// document, and a hostile one has millions.
	return Reader{jsontext.NewDecoder(r, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))}
}

// Kind returns how the next value begins, as in [jsontext.Kind]; 0 where there is
// none.
func (r Reader) Kind() jsontext.Kind { return r.decoder.PeekKind() }

// Object reads an object of at most limit members, whose values member reads by
// their names. Another value has no members; as the whole document it is refused.
func (r Reader) Object(limit int, member func(name string) error) error {
	if r.Kind() != '{' {
		switch {
		case r.decoder.StackDepth() > 0:
			return r.Skip()
		case r.Kind() == 0:
			return ErrSyntax
		default:
			return ErrObject
		}
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return ErrSyntax
	}
	seen := map[string]struct{}{}
	for r.Kind() != '}' {
		token, err := r.decoder.ReadToken()
		if err != nil {
			return ErrSyntax
		}
		name := token.String()
		if _, twice := seen[name]; twice {
			return ErrTwice
		}
		if len(seen) == limit {
			return fmt.Errorf("%w: more than %d members", ErrLimit, limit)
		}
		seen[name] = struct{}{}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := r.decoder.ReadToken()
	return syntax(err)
}

// List reads an array of at most limit elements, which element reads. Another value
// has none.
func (r Reader) List(limit int, element func() error) error {
	if r.Kind() != '[' {
		return r.Skip()
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return ErrSyntax
	}
	for n := 0; r.Kind() != ']'; n++ {
		if n == limit {
			return fmt.Errorf("%w: a list of more than %d", ErrLimit, limit)
		}
		if err := element(); err != nil {
			return err
		}
	}
	_, err := r.decoder.ReadToken()
	return syntax(err)
}

// Text reads a string, of which it returns at most limit bytes; ok is false for any
// other value.
func (r Reader) Text(limit int) (text string, ok bool, err error) {
	if r.Kind() != '"' {
		return "", false, r.Skip()
	}
	token, err := r.decoder.ReadToken()
	if err != nil {
		return "", false, ErrSyntax
	}
	text = token.String()
	return strings.Clone(text[:min(len(text), limit)]), true, nil
}

// Skip reads over a value.
func (r Reader) Skip() error { return syntax(r.decoder.SkipValue()) }

// End demands that nothing follows.
func (r Reader) End() error {
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return ErrTrailing
	}
	return nil
}

// syntax words the decoder's errors, which would quote the document. What its reader
// failed with is remembered by who gave it.
func syntax(err error) error {
	if err != nil {
		return ErrSyntax
	}
	return nil
}
