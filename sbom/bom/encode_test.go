package bom

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
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
			if got := bytes.Join(blocks, nil); !bytes.Equal(got, want) {
				t.Errorf("got\n%.3000s\nwant\n%.3000s", got, want)
			}
			for _, block := range blocks {
				if !bytes.HasSuffix(block, []byte("\n")) {
					t.Errorf("a block ends within a line: %.100q", block[max(len(block)-100, 0):])
				}
			}
		})
	}
}
