package bom_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"countermark/sbom/bom"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

const web = `{"bomFormat":"CycloneDX","specVersion":"1.4","metadata":{"timestamp":"2026-01-01T00:00:00Z","tools":[{"vendor":"v","name":"old","version":"1"}],"component":{"type":"application","bom-ref":"app","name":"web"}},
"components":[
 {"type":"library","bom-ref":"1","name":"same","version":"1.0.0","purl":"pkg:npm/same@1.0.0","scope":"excluded","properties":[{"name":"cdx:npm:package:development","value":"true"},{"name":"x","value":"web"}],"licenses":[{"license":{"id":"MIT"}}]},
 {"type":"library","bom-ref":"2","name":"other","version":"1.0.0","purl":"pkg:npm/other@1.0.0","externalReferences":[{"type":"distribution","url":"https://a.example/other.tgz"}]}],
"dependencies":[{"ref":"app","dependsOn":["1","2"]},{"ref":"1","dependsOn":["2"]}],
"compositions":[{"aggregate":"complete","dependencies":["app"]}],
"vulnerabilities":[{"id":"CVE-1","affects":[{"ref":"2"}]}]}`

const api = `{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"timestamp":"2026-02-01T00:00:00Z","tools":{"components":[{"type":"application","name":"new"}]},"component":{"type":"application","bom-ref":"app","name":"api"}},
"components":[
 {"type":"library","bom-ref":"x","name":"same","version":"1.0.0","purl":"pkg:npm/same@1.0.0","properties":[{"name":"x","value":"api"}],"licenses":[{"license":{"id":"MIT","acknowledgement":"declared"}}],"hashes":[{"alg":"MD5","content":"d41d8cd98f00b204e9800998ecf8427e"}]},
 {"type":"library","bom-ref":"2","name":"other","version":"1.0.0","purl":"pkg:npm/other@1.0.0","externalReferences":[{"type":"distribution","url":"https://b.example/other.tgz"}]}],
"dependencies":[{"ref":"app","dependsOn":["x"]},{"ref":"x","dependsOn":["2"]}],
"compositions":[{"aggregate":"incomplete","dependencies":["app"]}],
"vulnerabilities":[{"id":"CVE-1","affects":[{"ref":"2"}]}]}`

func documentsOf(t *testing.T, texts ...string) []*bom.Document {
	t.Helper()
	var out []*bom.Document
	for _, text := range texts {
		d, err := bom.Read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

func mergeOf(t *testing.T, how bom.Merging, texts ...string) (*cdx.BOM, []string) {
	t.Helper()
	merged, conflicts, err := bom.Merge(documentsOf(t, texts...), how)
	if err != nil {
		t.Fatal(err)
	}
	text, losses, err := merged.Write("", "")
	if err != nil || len(losses) > 0 {
		t.Fatal(err, losses)
	}
	valid(t, merged.Version, text)
	again, _, err := bom.Merge(documentsOf(t, texts...), how)
	if err != nil {
		t.Fatal(err)
	}
	if second, _, err := again.Write("", ""); err != nil || !bytes.Equal(text, second) {
		t.Error("a second run gives other bytes")
	}
	return merged.BOM, conflicts
}

func TestMergeFlat(t *testing.T) {
	got, conflicts := mergeOf(t, bom.Merging{Root: &cdx.Component{Type: cdx.ComponentTypeApplication, BOMRef: "shop", Name: "shop"}}, web, api)
	if d := cmp.Diff([]string{"pkg:npm/other@1.0.0 differs in externalReferences: both stay"}, conflicts); d != "" {
		t.Error(d)
	}
	var refs []string
	for _, c := range *got.Components {
		refs = append(refs, c.BOMRef+" "+c.Name)
	}
	if d := cmp.Diff([]string{"1 same", "2 other", "2#2 other", "app web", "app#2 api"}, refs); d != "" {
		t.Error(d)
	}
	same := (*got.Components)[0]
	if same.Scope != "" || len(*same.Properties) != 2 || same.Hashes == nil {
		t.Errorf("not joined: %+v", same)
	}
	edges := map[string]string{}
	for _, d := range *got.Dependencies {
		edges[d.Ref] = strings.Join(*d.Dependencies, " ")
	}
	want := map[string]string{"shop": "app app#2", "app": "1 2", "app#2": "1", "1": "2 2#2"}
	if d := cmp.Diff(want, edges); d != "" {
		t.Error(d)
	}
	var affected []string
	for _, v := range *got.Vulnerabilities {
		affected = append(affected, (*v.Affects)[0].Ref)
	}
	if d := cmp.Diff([]string{"2", "2#2"}, affected); d != "" {
		t.Error(d)
	}
	if got.Metadata.Timestamp != "2026-02-01T00:00:00Z" || len(*got.Metadata.Tools.Components) != 2 {
		t.Errorf("%+v", got.Metadata)
	}
}

func TestMergeHierarchical(t *testing.T) {
	if _, _, err := bom.Merge(documentsOf(t, web, api), bom.Merging{Hierarchical: true}); !errors.Is(err, bom.ErrNoRoot) {
		t.Error(err)
	}
	got, conflicts := mergeOf(t, bom.Merging{Hierarchical: true, Root: &cdx.Component{Type: cdx.ComponentTypeApplication, BOMRef: "shop", Name: "shop"}}, web, api)
	if len(conflicts) > 0 {
		t.Error(conflicts)
	}
	if n := len(*got.Components); n != 2 {
		t.Fatalf("%d components, want the two subjects", n)
	}
	for i, want := range []string{"1 2", "x 2#2"} {
		var refs []string
		for _, c := range *(*got.Components)[i].Components {
			refs = append(refs, c.BOMRef)
		}
		if strings.Join(refs, " ") != want {
			t.Errorf("%v, want %s", refs, want)
		}
	}
}

func TestMergeNamesWhatCannotBeJoined(t *testing.T) {
	_, conflicts := mergeOf(t, bom.Merging{},
		`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"supplier":{"name":"A"}}}`,
		`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"supplier":{"name":"B"}}}`)
	if d := cmp.Diff([]string{"metadata.supplier.name is A and B: the first stays"}, conflicts); d != "" {
		t.Error(d)
	}
}

// FuzzMerge feeds two documents of strangers. Nothing panics, and two runs say the
// same.
func FuzzMerge(f *testing.F) {
	f.Add(web, api)
	f.Add(full, web)
	f.Fuzz(func(t *testing.T, one, two string) {
		run := func() string {
			var documents []*bom.Document
			for _, text := range []string{one, two} {
				d, err := bom.Read([]byte(text))
				if err != nil {
					return ""
				}
				documents = append(documents, d)
			}
			merged, conflicts, err := bom.Merge(documents, bom.Merging{})
			if err != nil {
				return err.Error()
			}
			text, _, err := merged.Write("", "")
			return fmt.Sprint(string(text), conflicts, err)
		}
		if first := run(); run() != first {
			t.Error("two runs differ")
		}
	})
}
