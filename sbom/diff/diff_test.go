package diff_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"countermark/sbom/bom"
	"countermark/sbom/diff"
	"countermark/schemas"

	"github.com/google/go-cmp/cmp"
)

func document(t *testing.T, components, dependencies string) *bom.Document {
	t.Helper()
	d, err := bom.Read([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[` + components + `],"dependencies":[` + dependencies + `],
		"services":[{"bom-ref":"s","name":"s","endpoints":["https://` + strings.Repeat("x", len(components)%7+1) + `.example/"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCompare(t *testing.T) {
	older := document(t, `
		{"type":"library","bom-ref":"1","name":"kept","version":"1.0.0","purl":"pkg:npm/kept@1.0.0"},
		{"type":"library","bom-ref":"2","name":"up","version":"1.0.0","purl":"pkg:npm/up@1.0.0"},
		{"type":"library","bom-ref":"3","name":"two","version":"1.0.0","purl":"pkg:npm/two@1.0.0"},
		{"type":"library","bom-ref":"4","name":"two","version":"2.0.0","purl":"pkg:npm/two@2.0.0"},
		{"type":"library","bom-ref":"5","name":"dev","version":"1.0.0","purl":"pkg:npm/dev@1.0.0","scope":"excluded"},
		{"type":"library","bom-ref":"6","name":"nested","version":"1.0.0","components":[{"type":"library","bom-ref":"7","name":"inner","version":"1.0.0"}]}`,
		`{"ref":"1","dependsOn":["2"]}`)
	newer := document(t, `
		{"type":"library","bom-ref":"a","name":"kept","version":"1.0.0","purl":"pkg:npm/kept@1.0.0","licenses":[{"license":{"id":"MIT"}}]},
		{"type":"library","bom-ref":"b","name":"up","version":"1.1.0","purl":"pkg:npm/up@1.1.0"},
		{"type":"library","bom-ref":"c","name":"two","version":"2.0.0","purl":"pkg:npm/two@2.0.0"},
		{"type":"library","bom-ref":"d","name":"two","version":"3.0.0","purl":"pkg:npm/two@3.0.0"},
		{"type":"library","bom-ref":"d2","name":"two","version":"4.0.0","purl":"pkg:npm/two@4.0.0"},
		{"type":"library","bom-ref":"e","name":"dev","version":"1.0.0","purl":"pkg:npm/dev@1.0.0"},
		{"type":"library","bom-ref":"f","name":"nested","version":"1.0.0"}`,
		`{"ref":"a","dependsOn":["b","e"]}`)
	r := diff.Compare(older, newer)
	var got []string
	for _, e := range r.Added {
		got = append(got, "+ "+e.String())
	}
	for _, e := range r.Removed {
		got = append(got, "- "+e.String())
	}
	for _, c := range r.Changed {
		for _, f := range c.Fields {
			got = append(got, "~ "+c.Name+" "+f.String())
		}
	}
	for _, m := range r.Moved {
		got = append(got, "> "+m.String()+" "+m.From+" "+m.To)
	}
	want := []string{
		"+ two@3.0.0", "+ two@4.0.0", "- inner@1.0.0", "- two@1.0.0",
		"~ kept dependencies: + pkg:npm/dev", "~ kept licenses: + MIT",
		"~ up version: 1.0.0 → 1.1.0", "> dev@1.0.0 excluded required",
	}
	got = without(got, "~ s endpoints")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got: %s", d)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	valid(t, text)
	if empty := diff.Compare(older, older); !empty.Empty() {
		t.Errorf("a document differs from itself: %+v", empty)
	}
}

func without(list []string, prefix string) []string {
	var out []string
	for _, s := range list {
		if !strings.HasPrefix(s, prefix) {
			out = append(out, s)
		}
	}
	return out
}

func valid(t *testing.T, text []byte) {
	t.Helper()
	if err := schemas.Validate("sbom-diff.schema.json", text); err != nil {
		t.Error(err)
	}
}

func TestMarkdownIsText(t *testing.T) {
	older := document(t, ``, ``)
	newer := document(t, `{"type":"library","name":"[x](javascript:y) <img> @me #1 |\n::error::","version":"1"}`, ``)
	var out bytes.Buffer
	if err := diff.Compare(older, newer).Markdown(&out); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"](", "<img", "@me", "#1", "\n::", "javascript:"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q is in\n%s", bad, out.String())
		}
	}
}

// A section without lines has no heading.
func TestMarkdownOfNothing(t *testing.T) {
	text := func(older, newer *bom.Document) string {
		var out bytes.Buffer
		if err := diff.Compare(older, newer).Markdown(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	empty, one := document(t, ``, ``), document(t, `{"type":"library","name":"a","version":"1"}`, ``)
	if got := text(empty, empty); strings.Contains(got, "### ") {
		t.Errorf("nothing differs, and there is a heading:\n%s", got)
	}
	if got := text(empty, one); !strings.Contains(got, "### Added\n") || strings.Contains(got, "### Removed") {
		t.Errorf("one component was added, and none removed:\n%s", got)
	}
}

// FuzzCompare feeds two documents of strangers. Nothing panics, two runs say the same,
// and a document does not differ from itself.
func FuzzCompare(f *testing.F) {
	const begin = `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","bom-ref":"a","name":"a","version":"1","purl":"pkg:npm/a@1"`
	f.Add(begin+`}]}`, begin+`,"scope":"excluded"}],"dependencies":[{"ref":"a","dependsOn":["a"]}]}`)
	f.Fuzz(func(t *testing.T, one, two string) {
		older, err := bom.Read([]byte(one))
		if err != nil {
			return
		}
		if r := diff.Compare(older, older); !r.Empty() {
			t.Errorf("a document differs from itself: %+v", r)
		}
		newer, err := bom.Read([]byte(two))
		if err != nil {
			return
		}
		first, again := diff.Compare(older, newer), diff.Compare(older, newer)
		if !reflect.DeepEqual(first, again) {
			t.Errorf("two runs differ:\n%+v\n%+v", first, again)
		}
	})
}
