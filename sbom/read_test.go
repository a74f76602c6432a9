package sbom_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"countermark/sbom"
	"countermark/sbom/bom"
	"countermark/schemas/official"

	"github.com/google/go-cmp/cmp"
)

var documents = []sbom.Document{
	{SpecVersion: "1.4"}, {SpecVersion: "1.4", Format: "xml"}, {SpecVersion: "1.5"}, {SpecVersion: "1.5", Format: "xml"},
	{SpecVersion: "1.6"}, {SpecVersion: "1.6", Format: "xml"}, {SpecVersion: "1.7"}, {SpecVersion: "1.7", Format: "xml"},
}

func validate(t *testing.T, doc sbom.Document, texts ...[]byte) {
	t.Helper()
	if doc.Format == "xml" {
		err := official.CycloneDXXML(t.Context(), t.TempDir(), doc.SpecVersion, texts...)
		if err != nil && !errors.Is(err, official.ErrNoValidator) { // without one, reading back has to do
			t.Error(err)
		}
		return
	}
	for _, text := range texts {
		if err := official.CycloneDX(doc.SpecVersion, text); err != nil {
			t.Error(err)
		}
	}
}

// again reads a document and writes it as it says it was written.
func again(t *testing.T, text []byte) []byte {
	t.Helper()
	inv, doc, problems, err := sbom.ReadCycloneDX(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) > 0 {
		t.Errorf("problems in a document of our own: %v", problems)
	}
	return write(t, inv, doc)
}

func TestReadBackLosesNothing(t *testing.T) {
	t.Parallel()
	inventories := map[string]*sbom.Inventory{"every kind": everyKind(), "nothing": sbom.NewBuilder().Inventory()}
	for seed := range uint64(20) {
		inventories[fmt.Sprint("random ", seed)] = randomInventory(rand.New(rand.NewPCG(seed, 1))) //nolint:gosec // the same inventories every time
	}
	for _, doc := range documents {
		t.Run(doc.SpecVersion+doc.Format, func(t *testing.T) {
			t.Parallel()
			var texts [][]byte
			for name, inv := range inventories {
				doc := doc
				doc.ToolVersion = "1.0.0"
				if name == "every kind" {
					doc.Timestamp = time.Unix(1764000000, 0)
					doc.Authors = []sbom.Contact{{Name: "Release <&> team", Email: "release@acme.example"}, {Name: "B"}}
					doc.Supplier = &sbom.Contact{Name: "Acme", URL: "https://acme.example", Email: "sbom@acme.example"}
					doc.Manufacturer = &sbom.Contact{Name: "Acme Tools", Email: "tools@acme.example"}
				}
				first := write(t, inv, doc)
				texts = append(texts, first)
				if d := cmp.Diff(string(first), string(again(t, first))); d != "" {
					t.Errorf("%s: -written +written after it was read: %s", name, d)
				}
			}
			validate(t, doc, texts...)
		})
	}
}

// randomInventory has names, texts and marks of every sort.
func randomInventory(r *rand.Rand) *sbom.Inventory {
	words := []string{"a", "B", "@s/p", "ünï", "x y", "<&>\"'", "1.0.0", "::error::", "\u202e", "tab\tand\nline", "MIT", "(MIT OR GPL-3.0-only)", "https://h.example/p", "https://h.example/{t}", "true"}
	word := func() string { return words[r.IntN(len(words))] }
	maybe := func(s string) string {
		if r.IntN(2) == 0 {
			return ""
		}
		return s
	}
	b := sbom.NewBuilder()
	if r.IntN(2) == 0 {
		b.DescribeRoot(sbom.Component{Type: sbom.Application, Ecosystem: sbom.NPM, Name: "@acme/" + word(), Version: maybe("2.0.0"), Private: r.IntN(2) == 0,
			Coverage: []sbom.Coverage{"", sbom.CompleteCoverage, sbom.IncompleteCoverage}[r.IntN(3)]}, sbom.Occurrence{Path: word(), Line: r.IntN(3)})
	}
	ids := []sbom.ID{sbom.Root}
	for i := range r.IntN(12) {
		name := fmt.Sprintf("p%d", i)
		if r.IntN(2) == 0 {
			name = "@s/" + name
		}
		c := sbom.Component{
			Type: sbom.Library, Ecosystem: sbom.NPM, Name: name, Version: "1.0.0", PURL: "pkg:npm/" + strings.Replace(name, "@", "%40", 1) + "@1.0.0",
			License: maybe(word()), Repository: maybe("https://github.com/a/b"), Resolved: maybe("https://registry.example/p/-/p-1.0.0.tgz"),
			Coverage: []sbom.Coverage{"", sbom.CompleteCoverage, sbom.IncompleteCoverage}[r.IntN(3)],
			Source:   []sbom.Source{sbom.FromRegistry, sbom.FromParent, sbom.FromProject, ""}[r.IntN(4)],
		}
		if r.IntN(2) == 0 {
			c.Hashes = []sbom.Hash{{Algorithm: "sha1", Value: strings.Repeat("ab", 20)}, {Algorithm: "sha512", Value: strings.Repeat("cd", 64)}}
		}
		if r.IntN(3) == 0 {
			c.Patches = []sbom.Patch{{Path: maybe("patches/a.patch")}}
		}
		if r.IntN(3) == 0 {
			c.Properties = []sbom.Property{{Name: "cdx:npm:package:path", Value: word()}, {Name: word(), Value: word()}}
		}
		ids = append(ids, b.Add(c, sbom.Use{Development: r.IntN(2) == 0, Optional: r.IntN(2) == 0, Locked: true},
			sbom.Occurrence{Path: word(), Line: r.IntN(4), Install: maybe(word())}, sbom.Occurrence{Path: word(), Line: r.IntN(4)}))
	}
	for range r.IntN(20) {
		b.Link(ids[r.IntN(len(ids))], ids[r.IntN(len(ids))])
	}
	return b.Inventory()
}

func TestReadOtherTools(t *testing.T) {
	const document = `{"bomFormat":"CycloneDX","specVersion":"1.7","metadata":{"component":{"type":"application","bom-ref":"root","name":"app"}},
	"components":[
		{"type":"library","bom-ref":"1","group":"@scope","name":"a","version":"1.0.0","purl":"pkg:npm/%40scope/a@1.0.0","licenses":[{"license":{"id":"MIT"}},{"expression":"A OR B"}],
		 "components":[{"type":"library","bom-ref":"2","name":"b","version":"1.0.0","purl":"pkg:npm/b@1.0.0","scope":"excluded"}]},
		{"type":"library","bom-ref":"3","name":"JSONStream","version":"1.3.5","purl":"pkg:npm/jsonstream@1.3.5","hashes":[{"alg":"SHA-1","content":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}]},
		{"type":"library","bom-ref":"4","group":"scope","name":"c","version":"1.0.0","purl":"PKG:NPM/%40scope/c@1.0.0"},
		{"type":"library","bom-ref":"5","name":"g","version":"2.0.0","purl":"pkg:npm/g@2.0.0?vcs_url=git%2Bhttps://user:secret@git.example/g.git%230123456789abcdef0123456789abcdef01234567"}],
	"dependencies":[{"ref":"root","dependsOn":["1","3"]},{"ref":"1","dependsOn":["2"]},{"ref":"2"}]}`
	inv, doc, problems, err := sbom.ReadCycloneDX([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) > 0 || doc.SpecVersion != "1.7" || doc.Format != "json" || inv.Root.Name != "app" {
		t.Errorf("%v %+v %+v", problems, doc, inv.Root)
	}
	var got []string
	for _, c := range inv.Components {
		got = append(got, strings.Join([]string{c.Ref, c.Name, c.PURL, string(c.Scope), c.License}, " "))
	}
	want := []string{
		"1 @scope/a pkg:npm/%40scope/a@1.0.0  MIT AND (A OR B)",
		"2 b pkg:npm/b@1.0.0 excluded ",
		"3 JSONStream pkg:npm/JSONStream@1.3.5  ",
		"4 @scope/c pkg:npm/%40scope/c@1.0.0  ",
		"5 g pkg:npm/g@2.0.0?vcs_url=git%2Bhttps:%2F%2Fgit.example%2Fg.git%230123456789abcdef0123456789abcdef01234567  ",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got: %s", d)
	}
	if d := cmp.Diff(map[string][]string{"root": {"1", "3"}, "1": {"2"}}, inv.Edges); d != "" {
		t.Errorf("-want +got: %s", d)
	}
}

func TestReadSaysWhatCannotBeTrue(t *testing.T) {
	for _, test := range []struct {
		name, rest, want string
		code             sbom.ProblemCode
	}{
		{"edge to nowhere", `,"dependencies":[{"ref":"r","dependsOn":["x"]}]`, `"r" depends on "x"`, sbom.Invalid},
		{"edges of nobody", `,"dependencies":[{"ref":"x","dependsOn":["r"]}]`, `dependencies of "x"`, sbom.Invalid},
		{"no purl", `,"components":[{"type":"library","name":"a","purl":"npm/a"}]`, `the purl "npm/a"`, sbom.Invalid},
		{"another name", `,"components":[{"type":"library","name":"a","version":"1","purl":"pkg:npm/b@1"}]`, `says by its purl that it is b`, sbom.Warning},
		{"another version", `,"components":[{"type":"library","name":"a","version":"1","purl":"pkg:npm/a@2"}]`, `version "1", and "2"`, sbom.Warning},
		{"unknown field", `,"nonsense":1`, `nonsense is left out`, sbom.Warning},
	} {
		_, _, problems, err := sbom.ReadCycloneDX([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"application","bom-ref":"r","name":"r"}}` + test.rest + `}`))
		if err != nil || len(problems) != 1 || problems[0].Code != test.code || !strings.Contains(problems[0].Message, test.want) || problems[0].Hint == "" {
			t.Errorf("%s: %v, %v", test.name, problems, err)
		}
	}
	_, _, _, err := sbom.ReadCycloneDX([]byte(`{`))
	if e, ok := errors.AsType[*bom.Error](err); !ok || e.Line != 1 {
		t.Errorf("%v", err)
	}
}

// Whatever is read and written once is written the same ever after.
func FuzzReadCycloneDX(f *testing.F) {
	golden, err := os.ReadFile("testdata/every-kind.cdx.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	for _, doc := range documents {
		var buf bytes.Buffer
		if err := sbom.WriteCycloneDX(&buf, everyKind(), doc); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, doc, _, err := sbom.ReadCycloneDX(data)
		if err != nil || doc.SpecVersion < "1.4" {
			return
		}
		var first bytes.Buffer
		if err := sbom.WriteCycloneDX(&first, inv, doc); err != nil {
			t.Fatal(err)
		}
		inv, doc, _, err = sbom.ReadCycloneDX(first.Bytes())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, first.Bytes())
		}
		var second bytes.Buffer
		if err := sbom.WriteCycloneDX(&second, inv, doc); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(first.String(), second.String()); d != "" {
			t.Error(d)
		}
	})
}
