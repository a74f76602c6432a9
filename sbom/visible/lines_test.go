package visible

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"countermark/sbom/visible/visibletest"
)

// FuzzLines: what is written line by line, with most lines as they are, is what a
// [Guard] would let through that saw every character.
func FuzzLines(f *testing.F) {
	for _, name := range visibletest.Names() {
		f.Add([]byte("{\n  \"a\": \"" + name + "\",\n" + name + "\r\n \t" + name + "\n"))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		for _, escape := range []func(rune) string{jsonEscape, xmlReference} {
			want := guarded(document, escape)
			if got := shown(bytes.Clone(document), escape); !bytes.Equal(got, want) {
				t.Errorf("%q became %q, and guarded %q", document, got, want)
			}
		}
	})
}

func guarded(document []byte, escape func(rune) string) (out []byte) {
	var g Guard
	var m marks
	for i := 0; i < len(document); {
		r, size := utf8.DecodeRune(document[i:])
		overpaints := m.next(r)
		switch {
		case r == '\n' || r == '\r' && !bytes.HasPrefix(document[i+1:], []byte("\n")):
			out = g.Append(out, "\n")
		case r == '\r':
		case r == '\t' || seen(r) && !overpaints && !g.completes(document[i]):
			out = g.emit(out, string(r))
		default:
			out = g.emit(out, escape(r))
		}
		i += size
	}
	return out
}

// TestPlain: a document with nothing to escape is not copied.
func TestPlain(t *testing.T) {
	document := []byte("{\n\t\"a#b\": \"str::x --- part\"\n}\n")
	if got := JSON(document); &got[0] != &document[0] {
		t.Error("the document was copied")
	}
}
