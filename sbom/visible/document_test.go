package visible_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"reflect"
	"strings"
	"testing"

	"countermark/sbom/visible"
	"countermark/sbom/visible/visibletest"
)

func TestJSON(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"{\"a\": \"é ✓ <&> \u200b\u0085\U000e0041 ## ###\"}", `{"a": "é ✓ <&> \u200b\u0085\udb40\udc41 #\u0023 #\u0023#"}`},
		{`{"section_start:1:x": "section_end:"}`, `{"section_start\u003a1:x": "section_end\u003a"}`},
		{`{"section_start":1}`, `{"section_start":1}`},
		{"[\"\x7f\ufdd0\u2800\"]", `["\u007f\ufdd0\u2800"]`},
		{"[\"e\u0301\u0301\u0301\u0301\u0301\"]", "[\"e\u0301\u0301\u0301" + `\u0301\u0301"]`},
		{`["::", "---", "\n::", "\u001b"]`, `["::", "---", "\n::", "\u001b"]`},
		{"[\r\n\t1,\r2\n]", "[\n\t1,\n2\n]"},
	} {
		if got := string(visible.JSON([]byte(test.in))); got != test.want {
			t.Errorf("JSON(%s) = %s, want %s", test.in, got, test.want)
		}
	}
}

func TestXML(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"<a b=\"\u202e\">é ✓ &lt; \u200b\u0085\u009b\U000e0041 ## ###</a>", `<a b="&#x202e;">é ✓ &lt; &#x200b;&#x85;&#x9b;&#xe0041; #&#x23; #&#x23;#</a>`},
		{"<a>section_start:1:x\x7f</a>", "<a>section_start&#x3a;1:x&#x7f;</a>"},
		{"<a>\n::error::x\n--- y</a>", "<a>\n:&#x3a;error::x\n--&#x2d; y</a>"},
		{"<a>#&#34;#</a>", "<a>#&#34;#</a>"},
		{"<a>e\u0301\u0301\u0301\u0301</a>", "<a>e\u0301\u0301\u0301&#x301;</a>"},
		{"<a>\r\n\r</a>", "<a>\n\n</a>"},
	} {
		if got := string(visible.XML([]byte(test.in))); got != test.want {
			t.Errorf("XML(%s) = %s, want %s", test.in, got, test.want)
		}
	}
}

// Every JSON document means the same afterwards.
func FuzzJSON(f *testing.F) {
	for _, name := range visibletest.Names() {
		text, err := json.Marshal(map[string]any{name: []string{name}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add([]byte(`"` + name + `"`))
	}
	f.Add([]byte("[\r\n\t-1e5,\r\"\\ud83d\u200b\", null]"))
	f.Fuzz(func(t *testing.T, document []byte) {
		var want any
		if json.Unmarshal(document, &want) != nil {
			return
		}
		shown := visible.JSON(document)
		var got any
		if err := json.Unmarshal(shown, &got); err != nil {
			t.Fatalf("%q became %q: %v", document, shown, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %q, which means %q", document, shown, got)
		}
		requireHarmless(t, shown)
		if again := visible.JSON(shown); !bytes.Equal(again, shown) {
			t.Errorf("%q changes again, to %q", shown, again)
		}
	})
}

// Every document that encoding/xml writes means the same afterwards.
func FuzzXML(f *testing.F) {
	for _, name := range visibletest.Names() {
		f.Add(name, name)
	}
	f.Add("#", "#[x]")
	f.Fuzz(func(t *testing.T, attribute, text string) {
		type element struct {
			Attribute string   `xml:"attribute,attr"`
			Text      string   `xml:",chardata"`
			Children  []string `xml:"child"`
		}
		document, err := xml.MarshalIndent(element{attribute, text, []string{attribute, text, attribute + text}}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		var want, got element
		if err := xml.Unmarshal(document, &want); err != nil {
			t.Fatal(err)
		}
		shown := visible.XML(document)
		if err := xml.Unmarshal(shown, &got); err != nil {
			t.Fatalf("%q became %q: %v", document, shown, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %q, which means %q", document, shown, got)
		}
		requireHarmless(t, shown)
		if again := visible.XML(shown); !bytes.Equal(again, shown) {
			t.Errorf("%q changes again, to %q", shown, again)
		}
	})
}

// requireHarmless checks a document, in which tabs may indent.
func requireHarmless(t *testing.T, document []byte) {
	t.Helper()
	if err := visibletest.Check(strings.ReplaceAll(string(document), "\t", " ")); err != nil {
		t.Error(err)
	}
}

func BenchmarkJSON(b *testing.B) {
	document := []byte(strings.Repeat(`{"name": "a package", "purl": "pkg:npm/%40scope/name@1.0.0", "words": "ünïcode"},`+"\n", 1000))
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		visible.JSON(document)
	}
}
