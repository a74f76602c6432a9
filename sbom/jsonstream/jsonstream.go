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

// MaxToken bounds, in bytes, a string, a number, or the blanks before one: a token
// is in memory as a whole, several times over while it grows. The longest real ones
// are readmes, of which npm's registry keeps 64 KiB.
const MaxToken = 8 << 20

// Reader reads one document.
type Reader struct {
	decoder *jsontext.Decoder
	input   *input
}

// input is a document on its way to its decoder, which has to keep up with it.
type input struct {
	r       io.Reader
	decoder *jsontext.Decoder
	read    int64
	long    bool // a token is too long
}

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	// More is asked for only where what is there is no whole token.
	left := MaxToken + 1 - (in.read - in.decoder.InputOffset())
	if left <= 0 {
		in.long = true
		return 0, ErrLimit
	}
	n, err := in.r.Read(p[:min(int64(len(p)), left)])
	in.read += int64(n)
	return n, err
}

// New returns a reader of a document.
func New(r io.Reader) Reader {
	// Lone surrogates are in many a readme; nothing that is kept is one. Repeated
	// keys are looked for here, since the decoder would remember every key of a
	// document, and a hostile one has millions.
	in := &input{r: r}
	in.decoder = jsontext.NewDecoder(in, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	return Reader{in.decoder, in}
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
			return r.broken()
		default:
			return ErrObject
		}
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return r.broken()
	}
	seen := map[string]struct{}{}
	for r.Kind() != '}' {
		token, err := r.decoder.ReadToken()
		if err != nil {
			return r.broken()
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
	return r.syntax(err)
}

// List reads an array of at most limit elements, which element reads. Another value
// has none.
func (r Reader) List(limit int, element func() error) error {
	if r.Kind() != '[' {
		return r.Skip()
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return r.broken()
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
	return r.syntax(err)
}

// Text reads a string, of which it returns at most limit bytes; ok is false for any
// other value.
func (r Reader) Text(limit int) (text string, ok bool, err error) {
	if r.Kind() != '"' {
		return "", false, r.Skip()
	}
	token, err := r.decoder.ReadToken()
	if err != nil {
		return "", false, r.broken()
	}
	text = token.String()
	return strings.Clone(text[:min(len(text), limit)]), true, nil
}

// Skip reads over a value.
func (r Reader) Skip() error { return r.syntax(r.decoder.SkipValue()) }

// End demands that nothing follows.
func (r Reader) End() error {
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return ErrTrailing
	}
	return nil
}

// syntax words the decoder's errors, which would quote the document. What its reader
// failed with is remembered by who gave it.
func (r Reader) syntax(err error) error {
	if err != nil {
		return r.broken()
	}
	return nil
}

// broken is why a document cannot be read on.
func (r Reader) broken() error {
	if r.input.long {
		return fmt.Errorf("%w: a value of more than %d bytes", ErrLimit, MaxToken)
	}
	return ErrSyntax
}
