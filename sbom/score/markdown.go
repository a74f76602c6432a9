package score

import (
	"fmt"
	"strings"

	"countermark/sbom/visible"
)

// maxCell bounds what is shown of one value, in characters.
const maxCell = 300

// Markdown is the result for a comment or a job summary (GitHub Flavored Markdown).
// Names of files and components are foreign text, and stand as text.
func (r *Result) Markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "### %s\n\nCycloneDX %s, %d components\n\n| standard | score | met |\n|---|---|---|\n",
		visible.Markdown(r.File, maxCell), visible.Markdown(r.SpecVersion, maxCell), r.Components)
	for _, s := range r.Standards {
		fmt.Fprintf(&out, "| %s | %d%% | %d of %d |\n", s.Title, s.Score, s.Met, s.Required)
	}
	out.WriteString("\n| requirement | met by | missing in | fix |\n|---|---|---|---|\n")
	for _, m := range r.Requirements {
		fmt.Fprintf(&out, "| %s | %d of %d | %s | %s |\n", m.ID, m.Have, m.Of, visible.Markdown(m.Missed(), maxCell), visible.Markdown(m.Fix, maxCell))
	}
	out.WriteString("\n")
	return out.String()
}
