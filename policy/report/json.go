package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"countermark/policy"
	"countermark/sbom/visible"
)

// JSON writes the verdict in the form of schemas/verdict.schema.json, indented, with
// a line break at the end. Lists are never null.
//
// The document may be printed to a terminal or a CI log: in its strings, everything
// that a reader cannot see and everything that could begin a CI command stands as
// \u escapes, which mean the same to a parser. The characters <, > and & stand as
// they are.
func JSON(w io.Writer, v *policy.Verdict) error {
	if err := Indented(w, withLists(*v)); err != nil {
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

// Indented writes a result as JSON that is harmless to whatever shows it as text.
func Indented(w io.Writer, document any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return err
	}
	_, err := w.Write(visible.JSON(b.Bytes()))
	return err
}
