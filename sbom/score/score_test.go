package score_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"countermark/sbom/bom"
	"countermark/sbom/score"
	"countermark/schemas"
)

const whole = `{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
"metadata":{"timestamp":"2026-01-01T00:00:00Z","lifecycles":[{"phase":"build"}],"tools":{"components":[{"type":"application","name":"t"}]},
 "authors":[{"name":"A"}],"manufacturer":{"name":"M","contact":[{"email":"m@acme.example"}]}},
"components":[{"type":"library","bom-ref":"a","name":"a","version":"1.0.0","purl":"pkg:npm/a@1.0.0","manufacturer":{"name":"A","url":["https://a.example"]},
 "licenses":[{"license":{"id":"MIT","acknowledgement":"concluded"}}],"hashes":[{"alg":"SHA-1","content":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}],
 "externalReferences":[{"type":"vcs","url":"https://git.example/a"},{"type":"distribution","url":"https://registry.example/a.tgz","hashes":[{"alg":"SHA-512","content":"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"}]}],
 "properties":[{"name":"bsi:component:filename","value":"a.tgz"},{"name":"bsi:component:executable","value":"non-executable"},{"name":"bsi:component:archive","value":"archive"},{"name":"bsi:component:structured","value":"structured"}]}],
"dependencies":[{"ref":"a"}],"compositions":[{"aggregate":"complete","dependencies":["a"]}]}`

func measure(t *testing.T, text string) *score.Result {
	t.Helper()
	d, err := bom.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return score.Measure("a.json", d)
}

func TestWhole(t *testing.T) {
	for _, s := range measure(t, whole).Standards {
		if s.Score != 100 || s.Met != s.Required {
			t.Errorf("%+v", s)
		}
	}
}

func TestNothing(t *testing.T) {
	for _, s := range measure(t, `{"bomFormat":"CycloneDX","specVersion":"1.5"}`).Standards {
		if s.Score != 0 || s.Met != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// Every requirement is found missing where its field is taken away, and only there.
func TestEachRequirement(t *testing.T) {
	for id, cut := range map[string]string{
		"sbom-creator-contact": `,"contact":[{"email":"m@acme.example"}]`, "timestamp": `"timestamp":"2026-01-01T00:00:00Z",`,
		"tool": `"tools":{"components":[{"type":"application","name":"t"}]},`, "generation-context": `"lifecycles":[{"phase":"build"}],`,
		"sbom-uri": `"serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",`, "version": `"version":"1.0.0",`,
		"identifier": `"purl":"pkg:npm/a@1.0.0",`, "creator-contact": `,"url":["https://a.example"]`, "concluded-license": `,"acknowledgement":"concluded"`,
		"filename": `{"name":"bsi:component:filename","value":"a.tgz"},`, "executable": `{"name":"bsi:component:executable","value":"non-executable"},`,
		"archive": `{"name":"bsi:component:archive","value":"archive"},`, "structured": `,{"name":"bsi:component:structured","value":"structured"}`,
		"source-uri": `{"type":"vcs","url":"https://git.example/a"},`, "relationship": `"dependencies":[{"ref":"a"}],`,
	} {
		if !strings.Contains(whole, cut) {
			t.Fatalf("%s: nothing to cut", id)
		}
		var missing []string
		for _, m := range measure(t, strings.Replace(whole, cut, "", 1)).Requirements {
			if m.Have < m.Of && m.ID != "declared-license" {
				missing = append(missing, m.ID)
			}
		}
		if !slices.Equal(missing, []string{id}) {
			t.Errorf("without the field of %s, %v are missing", id, missing)
		}
	}
	old := measure(t, strings.Replace(whole, `"specVersion":"1.6"`, `"specVersion":"1.5"`, 1))
	if i := slices.IndexFunc(old.Requirements, func(m score.Measured) bool { return m.ID == "format" }); old.Requirements[i].Have != 0 {
		t.Error("1.5 meets the BSI's format")
	}
}

// The supplier of the whole counts for its subject, and for nothing else.
func TestSupplierOfTheWhole(t *testing.T) {
	const text = `{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{SUPPLIER"component":{"type":"application","name":"shop"}},"components":[{"type":"library","name":"a"}]}`
	for supplier, want := range map[string]int{``: 0, `"supplier":{"name":"Acme"},`: 1, `"manufacture":{"name":"Acme"},`: 1} {
		r := measure(t, strings.Replace(text, "SUPPLIER", supplier, 1))
		i := slices.IndexFunc(r.Requirements, func(m score.Measured) bool { return m.ID == "supplier" })
		if i < 0 || r.Requirements[i].Have != want || r.Requirements[i].Of != 2 {
			t.Errorf("with %s: %+v", supplier, r.Requirements[i])
		}
	}
}

func TestJSONAndMarkdown(t *testing.T) {
	var many strings.Builder
	for i := range 9 {
		many.WriteString(`,{"type":"library","bom-ref":"<b>` + strings.Repeat("x", i) + `","name":"|"}`)
	}
	r := measure(t, strings.Replace(whole, `],
"dependencies"`, many.String()+`],"dependencies"`, 1))
	text, err := json.Marshal(map[string]any{"schemaVersion": 1, "documents": []*score.Result{r}})
	if err != nil {
		t.Fatal(err)
	}
	if err := schemas.Validate("sbom-score.schema.json", text); err != nil {
		t.Error(err)
	}
	if md := r.Markdown(); strings.Contains(md, "<b>") || !strings.Contains(md, "| version | 1 of 10 |") || !strings.Contains(md, "…") {
		t.Error(md)
	}
	for _, want := range score.Requirements() {
		if want.Field == "" || len(want.Required)+len(want.Recommended) == 0 {
			t.Errorf("%+v", want)
		}
	}
}
