package bom

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"countermark/sbom/visible"
	"countermark/sbom/visible/visibletest"
)

// byLibrary is what the library itself writes.
func byLibrary(t *testing.T, bom *cdx.BOM) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := cdx.NewBOMEncoder(&buf, cdx.BOMFileFormatJSON)
	enc.SetPretty(true)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(bom); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// requireBlocks checks that blocks are whole lines of a document, and plain only where
// nothing in them has to be escaped.
func requireBlocks(t *testing.T, blocks []Block, want []byte) {
	t.Helper()
	var got []byte
	for _, block := range blocks {
		got = append(got, block.Text...)
		if !bytes.HasSuffix(block.Text, []byte("\n")) {
			t.Errorf("a block ends within a line: %.100q", block.Text[max(len(block.Text)-100, 0):])
		}
		if block.Plain && !bytes.Equal(visible.JSON(block.Text), block.Text) {
			t.Errorf("a block is called plain: %.3000q", block.Text)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%.3000s\nwant\n%.3000s", got, want)
	}
}

// TestEncode: in parts, a document has the bytes that the library gives it as a whole.
func TestEncode(t *testing.T) {
	documents := map[string]*cdx.BOM{"empty": cdx.NewBOM()}
	for _, n := range []int{0, 1, blockLength, blockLength + 1, 3*blockLength - 1} {
		bom := cdx.NewBOM()
		bom.Metadata = &cdx.Metadata{Component: &cdx.Component{Name: "\n  \"components\": []", Components: &[]cdx.Component{}}}
		bom.Components, bom.Dependencies = &[]cdx.Component{}, &[]cdx.Dependency{}
		for i := range n {
			ref := fmt.Sprintf("pkg:npm/a@%d.0.0?a=<&>\"\\", i)
			*bom.Components = append(*bom.Components, cdx.Component{BOMRef: ref, Name: "a", Components: &[]cdx.Component{}})
			*bom.Dependencies = append(*bom.Dependencies, cdx.Dependency{Ref: ref, Dependencies: &[]string{ref, "b"}})
		}
		documents[fmt.Sprint(n)] = bom
	}
	names, err := filepath.Glob(filepath.Join("..", "testdata", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := Read(text); err == nil {
			documents[name] = d.BOM
		}
	}
	for name, document := range documents {
		t.Run(name, func(t *testing.T) {
			setVersion(document, cdx.SpecVersion1_7)
			want := byLibrary(t, document)
			blocks, err := Encode(document, "1.7", "json")
			if err != nil {
				t.Fatal(err)
			}
			requireBlocks(t, blocks, want)
		})
	}
}

// FuzzLines: whatever the texts, and whichever of its fields a component has, its bytes
// are those that the library gives it.
func FuzzLines(f *testing.F) {
	for _, name := range visibletest.Names() {
		f.Add(name, "x"+name, uint32(1<<30-1))
	}
	f.Add("pkg:npm/%40s/a@1.0.0", `"\`, uint32(0))
	f.Add("a", "<&>\u2028\x7f\xff", uint32(5))
	f.Fuzz(func(t *testing.T, x, y string, fields uint32) {
		for bit := range 33 {
			document := cdx.NewBOM()
			setVersion(document, cdx.SpecVersion1_7)
			document.Components = &[]cdx.Component{{Name: y}, fuzzComponent(x, y, fields^1<<bit), {}}
			document.Dependencies = &[]cdx.Dependency{{Ref: x, Dependencies: &[]string{x, y, ""}}, {Ref: y, Provides: &[]string{x}}, {Dependencies: new([]string)}}
			blocks, err := Encode(document, "1.7", "json")
			if err != nil {
				t.Fatal(err)
			}
			requireBlocks(t, blocks, byLibrary(t, document))
		}
	})
}

// fuzzComponent sets each field of a component that we write ourselves, and some of
// those that we leave to the library, by a bit.
func fuzzComponent(x, y string, fields uint32) (c cdx.Component) {
	line, declared := len(x), cdx.LicenseAcknowledgement(y)
	hashes := &[]cdx.Hash{{Algorithm: cdx.HashAlgorithm(x), Value: y}, {}}
	occurrence := cdx.EvidenceOccurrence{Location: x, AdditionalContext: y}
	reference := cdx.ExternalReference{URL: x, Type: cdx.ExternalReferenceType(y)}
	license := cdx.LicenseChoice{Expression: x}
	evidence := cdx.Evidence{}
	for i, set := range []func(){
		func() { c.BOMRef = x }, func() { c.Type = cdx.ComponentType(y) }, func() { c.Group = x }, func() { c.Name = y },
		func() { c.Version = x }, func() { c.Scope = cdx.Scope(y) }, func() { c.PackageURL = x },
		func() { c.Hashes = hashes }, func() { c.Hashes = &[]cdx.Hash{} }, func() { c.Hashes = new([]cdx.Hash) },
		func() { reference.Hashes = hashes }, func() { reference.Comment = y }, func() { c.ExternalReferences = &[]cdx.ExternalReference{reference, {}} },
		func() { c.Properties = &[]cdx.Property{{Name: x, Value: y}, {}} },
		func() { license.Acknowledgement = &declared }, func() { license.BOMRef = y }, func() { c.Licenses = &cdx.Licenses{license, {}} },
		func() { c.Licenses = &cdx.Licenses{{License: &cdx.License{Name: "n" + x}}} },
		func() { occurrence.Line = &line }, func() { occurrence.Offset = &line }, func() { occurrence.Symbol = y },
		func() { evidence.Occurrences = &[]cdx.EvidenceOccurrence{occurrence, {}} }, func() { evidence.Copyright = &[]cdx.Copyright{} },
		func() { c.Evidence = &evidence }, func() { c.Description = x }, func() { c.Components = &[]cdx.Component{{Name: x}} },
		func() { c.Pedigree = &cdx.Pedigree{Notes: y} }, func() { c.Tags = &[]string{x} },
	} {
		if fields&(1<<i) != 0 {
			set()
		}
	}
	return c
}
