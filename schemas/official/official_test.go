package official_test

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"countermark/schemas/official"
)

func TestCycloneDX(t *testing.T) {
	const component = `{"bomFormat":"CycloneDX","specVersion":"VERSION","version":1,"components":[{"type":"library","name":"a"EXTRA}]}`
	tests := []struct {
		name, extra string
		valid       bool
	}{
		{"plain", ``, true},
		{"known licence id, by reference into the SPDX schema", `,"licenses":[{"license":{"id":"Apache-2.0"}}]`, true},
		{"unknown licence id", `,"licenses":[{"license":{"id":"No-Such-License"}}]`, false},
		{"signature, by reference into the JSF schema", `,"signature":{"algorithm":"ES256","value":"AA=="}`, true},
		{"signature without a value", `,"signature":{"algorithm":"ES256"}`, false},
		{"unknown key", `,"nonsense":1`, false},
		{"IRI", `,"externalReferences":[{"type":"website","url":"https://example.com/ä?b=%20c#d"}]`, true},
		{"IRI with a space", `,"externalReferences":[{"type":"website","url":"https://example.com/a b"}]`, false},
		{"IRI with a brace", `,"externalReferences":[{"type":"website","url":"https://example.com/${A}"}]`, false},
		{"IRI with half an escape", `,"externalReferences":[{"type":"website","url":"https://example.com/%2"}]`, false},
		{"IRI with a false escape", `,"externalReferences":[{"type":"website","url":"https://example.com/%zz"}]`, false},
		{"IRI with two fragments", `,"externalReferences":[{"type":"website","url":"https://example.com/#a#b"}]`, false},
		{"hash", `,"hashes":[{"alg":"SHA-1","content":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}]`, true},
		{"short hash", `,"hashes":[{"alg":"SHA-1","content":"da39"}]`, false},
		{"email", `,"supplier":{"name":"x","contact":[{"email":"a@example.com"}]}`, true},
		{"no email", `,"supplier":{"name":"x","contact":[{"email":"example.com"}]}`, false},
	}
	for _, version := range []string{"1.4", "1.5", "1.6", "1.7"} {
		schema, err := official.CycloneDX(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range tests {
			t.Run(version+"/"+test.name, func(t *testing.T) {
				check(t, schema, strings.NewReplacer("VERSION", version, "EXTRA", test.extra).Replace(component), test.valid)
			})
		}
	}
}

// Cryptography definitions came with 1.7, in a file of their own.
func TestCycloneDXCryptography(t *testing.T) {
	schema, err := official.CycloneDX("1.7")
	if err != nil {
		t.Fatal(err)
	}
	const doc = `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"type":"cryptographic-asset","name":"a",
		"cryptoProperties":{"assetType":"algorithm","algorithmProperties":{"algorithmFamily":"FAMILY"}}}]}`
	check(t, schema, strings.Replace(doc, "FAMILY", "AES", 1), true)
	check(t, schema, strings.Replace(doc, "FAMILY", "ROT13", 1), false)
}

func TestCycloneDXUnknownVersion(t *testing.T) {
	for _, version := range []string{"", "1.3", "2.0"} {
		if _, err := official.CycloneDX(version); err == nil {
			t.Errorf("CycloneDX(%q): no error", version)
		}
	}
}

func TestCompiledOnce(t *testing.T) {
	first, err := official.CycloneDX("1.6")
	if err != nil {
		t.Fatal(err)
	}
	second, err := official.CycloneDX("1.6")
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Error("the schema was compiled twice")
	}
}

func TestSARIF(t *testing.T) {
	schema, err := official.SARIF()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, doc string
		valid     bool
	}{
		{"smallest", `{"version":"2.1.0","runs":[]}`, true},
		{"with a result", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"message":{"text":"a"}}]}]}`, true},
		{"other version", `{"version":"2.0.0","runs":[]}`, false},
		{"no driver", `{"version":"2.1.0","runs":[{"tool":{}}]}`, false},
		{"line 0", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"message":{"text":"a"},
			"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a"},"region":{"startLine":0}}}]}]}]}`, false},
		{"bad URI", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","informationUri":"not a uri"}}}]}`, false},
	} {
		t.Run(test.name, func(t *testing.T) { check(t, schema, test.doc, test.valid) })
	}
}

func check(t *testing.T, schema *jsonschema.Schema, doc string, valid bool) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	err = schema.Validate(v)
	if valid && err != nil {
		t.Errorf("refused: %v\n%s", err, doc)
	}
	if !valid && err == nil {
		t.Errorf("accepted: %s", doc)
	}
}
