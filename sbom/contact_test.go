package sbom

import "testing"

func TestParseContact(t *testing.T) {
	for text, want := range map[string]Contact{
		"Ann Example":                          {Name: "Ann Example"},
		" Ann Example <ann@acme.example> ":     {Name: "Ann Example", Email: "ann@acme.example"},
		"Acme <https://acme.example/security>": {Name: "Acme", URL: "https://acme.example/security"},
		"<ann@acme.example>":                   {},
		"":                                     {},
		"Ann <":                                {},
		"Ann <ann@acme.example":                {},
		"Ann <>":                               {},
		"Ann <ann>":                            {},
		"Ann <http://acme.example>":            {},
		"Ann <https://acme.example/%zz>":       {},
		"Ann <Ann <ann@acme.example>>":         {},
	} {
		got, err := ParseContact(text)
		if got != want || (err != nil) != (want == Contact{}) {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
}
