package bom

import (
	"bytes"
	"cmp"
	"fmt"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"countermark/sbom/visible"
)

// Write returns the document in that version and format ("" is its own), and what
// did not come along. An older version leaves out what it cannot hold. Signatures
// cover the document as it was, so they never come along.
func (d *Document) Write(version, format string) (text []byte, losses []Loss, err error) {
	version, format = cmp.Or(version, d.Version), cmp.Or(format, d.Format)
	target, ok := specVersion(version)
	if !ok {
		return nil, nil, fmt.Errorf("cyclonedx %s is not supported: expected one of %v", version, versionNames)
	}
	if format != "json" && format != "xml" {
		return nil, nil, fmt.Errorf("format %q is not supported: expected json or xml", format)
	}
	if err := d.Writable(); err != nil {
		return nil, nil, err
	}
	before, err := jsonFacts(d.BOM)
	if err != nil {
		return nil, nil, err
	}
	out, err := as(d.BOM, target)
	if err != nil {
		return nil, nil, err
	}
	repair(out, target, format)
	text, err = encode(out, format)
	if err != nil {
		return nil, nil, fmt.Errorf("encode cyclonedx: %w", err)
	}
	// What comes along is what a reader of the new document would find.
	again, err := Read(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read what was encoded: %w", err)
	}
	after, err := jsonFacts(again.BOM)
	if err != nil {
		return nil, nil, err
	}
	losses = before.lost(after)
	for i := range losses {
		losses[i].Line = 0 // of what was encoded, not of the file
	}
	if format == "xml" {
		return visible.XML(text), losses, nil
	}
	return visible.JSON(text), losses, nil
}

// jsonFacts are the facts of a document in the terms of JSON, which both formats
// share.
func jsonFacts(bom *cdx.BOM) (facts, error) {
	same := *bom
	setVersion(&same, cdx.SpecVersion1_7)
	text, err := encode(&same, "json")
	if err != nil {
		return nil, fmt.Errorf("encode cyclonedx: %w", err)
	}
	return factsOf(text, "json")
}

// as returns a copy of the document as one of that version. The library's own
// conversion copies the document in a way that loses numbers that are 0, so it is
// asked only where something has to go.
func as(bom *cdx.BOM, version cdx.SpecVersion) (*cdx.BOM, error) {
	var buf bytes.Buffer
	enc := cdx.NewBOMEncoder(&buf, cdx.BOMFileFormatJSON)
	write := enc.Encode
	if version < bom.SpecVersion {
		write = func(bom *cdx.BOM) error { return enc.EncodeVersion(bom, version) }
	}
	if err := write(bom); err != nil {
		return nil, fmt.Errorf("convert to cyclonedx %s: %w", version, err)
	}
	out := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(&buf, cdx.BOMFileFormatJSON).Decode(out); err != nil {
		return nil, fmt.Errorf("convert to cyclonedx %s: %w", version, err)
	}
	setVersion(out, version)
	if version >= cdx.SpecVersion1_6 {
		keepAssets(bom.Components, out.Components)
	}
	return out, nil
}

// keepAssets gives cryptographic assets their type again, which the library takes away
// even where the version has it.
func keepAssets(from, to *[]cdx.Component) {
	if from == nil || to == nil || len(*from) != len(*to) {
		return
	}
	for i := range *from {
		if (*from)[i].Type == cdx.ComponentTypeCryptographicAsset {
			(*to)[i].Type = cdx.ComponentTypeCryptographicAsset
		}
		keepAssets((*from)[i].Components, (*to)[i].Components)
	}
}
