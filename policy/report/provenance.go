package report

import (
	"strings"

	"countermark/policy"
	"countermark/provenance"
	"countermark/sbom/visible"
)

// Provenance writes one result for people: the state, why, what to do next, and
// what was proven; every check with verbose. subject is as the user named it.
func Provenance(p *Plain, subject string, v *policy.ProvenanceVerdict, hint string, verbose bool) {
	t := &text{p: p, o: TextOptions{Verbose: verbose}}
	style, known := map[provenance.State]style{
		provenance.Verified: styleGood, provenance.Unavailable: styleWarn, provenance.Stripped: styleWarn,
	}[provenance.State(v.State)]
	if !known {
		style = styleBad
	}
	p.Printf("%s  %s\n", p.paint(style, strings.ToUpper(visible.Text(v.State))), name(subject))
	t.paragraph("", v.Reason)
	t.paragraph("-> ", hint)
	if source := v.Source; source != nil {
		t.facts([]fact{{"source", source.URI}})
		t.facts([]fact{{"ref", source.Ref}, {"commit", short(source.Digest)}})
		t.facts([]fact{{"repository id", source.RepositoryID}, {"owner id", source.OwnerID}})
	}
	t.facts([]fact{{"workflow", v.Workflow}, {"runner", v.Runner}})
	t.facts([]fact{{"builder", v.Builder}})
	t.facts([]fact{{"issuer", v.Issuer}})
	t.facts([]fact{{"logged", v.IntegratedTime}})
	t.facts([]fact{{"digest from", v.DigestFrom}, {"source expected by", v.ExpectedFrom}})
	for _, c := range v.Checks {
		if !verbose && c.OK {
			continue
		}
		mark := p.paint(styleGood, "ok  ")
		if !c.OK {
			mark = p.paint(styleBad, "FAIL")
		}
		p.Printf("    %s %s\n", mark, name(c.Name))
		if !c.OK || verbose {
			t.paragraph("     expected: ", c.Expected)
			t.paragraph("     found:    ", c.Actual)
		}
	}
}
