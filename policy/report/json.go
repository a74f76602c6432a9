package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"countermark/policy"
)

// JSON writes the verdict in the form of schemas/verdict.schema.json, indented, with
// a line break at the end. Lists are never null.
//
// The document may be printed to a terminal or a CI log: in its strings, everything
// that a reader cannot see and everything that could begin a CI command stands as
// \u escapes, which mean the same to a parser. The characters <, > and & stand as
// they are.
func JSON(w io.Writer, v *policy.Verdict) error {
	if err := encodeJSON(w, withLists(*v)); err != nil {
		return fmt.Errorf("write the verdict: %w", err)
	}
	return nil
}

// withLists returns the verdict with empty lists for missing ones.
func withLists(v policy.Verdict) policy.Verdict {
	v.Inputs = append([]policy.InputFacts{}, v.Inputs...)
	for i := range v.Inputs {
		v.Inputs[i].Problems = list(v.Inputs[i].Problems)
	}
	v.NotEvaluated = list(v.NotEvaluated)
	v.Components = list(v.Components)
	v.Findings = list(v.Findings)
	if v.Summary.Provenance == nil {
		v.Summary.Provenance = map[string]int{}
	}
	return v
}

func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// encodeJSON writes a document that is harmless to whatever shows it as text.
func encodeJSON(w io.Writer, document any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(b.Bytes()))
	return err
}

// escapeJSON writes the characters of strings that cannot be seen, or that would
// complete the beginning of a CI command, as \u escapes. The encoder writes none of
// them outside of strings, and none as part of an escape sequence.
func escapeJSON(document []byte) []byte {
	out := make([]byte, 0, len(document))
	var g guard
	var m marks
	for i := 0; i < len(document); {
		r, size := utf8.DecodeRune(document[i:])
		overpaints := m.next(r)
		switch {
		case r == '\n' || r < utf8.RuneSelf && seen(r) && !g.completes(document[i]):
			out = g.append(out, string(r))
		case r >= utf8.RuneSelf && seen(r) && !overpaints:
			out = g.emit(out, string(r))
		default:
			out = g.emit(out, jsonEscape(r))
		}
		i += size
	}
	return out
}

func jsonEscape(r rune) string {
	if r > 0xFFFF {
		const surrogates, low = 0x10000, 0x3FF
		r -= surrogates
		return fmt.Sprintf(`\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
