package official_test

import (
	"strings"
	"testing"

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
		for _, test := range tests {
			t.Run(version+"/"+test.name, func(t *testing.T) {
				document := strings.NewReplacer("VERSION", version, "EXTRA", test.extra).Replace(component)
				check(t, document, official.CycloneDX(version, []byte(document)), test.valid)
			})
		}
	}
}

// Cryptography definitions came with 1.7, in a file of their own.
func TestCycloneDXCryptography(t *testing.T) {
	const doc = `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"type":"cryptographic-asset","name":"a",
		"cryptoProperties":{"assetType":"algorithm","algorithmProperties":{"algorithmFamily":"FAMILY"}}}]}`
	for family, valid := range map[string]bool{"AES": true, "ROT13": false} {
		document := strings.Replace(doc, "FAMILY", family, 1)
		check(t, document, official.CycloneDX("1.7", []byte(document)), valid)
	}
}

func TestCycloneDXUnknownVersion(t *testing.T) {
	for _, version := range []string{"", "1.3", "2.0"} {
		if err := official.CycloneDX(version, []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "no CycloneDX schema") {
			t.Errorf("CycloneDX(%q): %v", version, err)
		}
	}
}

func TestSARIF(t *testing.T) {
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
		t.Run(test.name, func(t *testing.T) { check(t, test.doc, official.SARIF([]byte(test.doc)), test.valid) })
	}
}

func check(t *testing.T, document string, err error, valid bool) {
	t.Helper()
	if valid && err != nil {
		t.Errorf("refused: %v\n%s", err, document)
	}
	if !valid && err == nil {
		t.Errorf("accepted: %s", document)
	}
}

func TestNoJSON(t *testing.T) {
	if official.CycloneDX("1.6", []byte(`{`)) == nil || official.SARIF([]byte(`{`)) == nil {
		t.Error("what is no JSON is accepted")
	}
}
