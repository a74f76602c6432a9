package sbom_test

import (
	"bytes"
	"slices"
	"testing"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
)

func TestOmit(t *testing.T) {
	build := func() *sbom.Inventory {
		b := sbom.NewBuilder()
		add := func(name string, use sbom.Use) sbom.ID {
			return b.Add(sbom.Component{Type: sbom.Library, Ecosystem: sbom.NPM, Name: name, Version: "1.0.0", PURL: "pkg:npm/" + name + "@1.0.0",
				Source: sbom.FromRegistry, Resolved: "https://registry.example/" + name, Coverage: sbom.CompleteCoverage}, use)
		}
		prod, dev, optional, both := add("prod", sbom.Use{}), add("dev", sbom.Use{Development: true}), add("optional", sbom.Use{Optional: true}), add("both", sbom.Use{Development: true})
		add("both", sbom.Use{})
		server := b.Add(sbom.Component{Ref: "mcp:x#s", Type: sbom.Application, Name: "s", Server: &sbom.Server{Name: "s"}}, sbom.Use{})
		launched := add("launched", sbom.Use{Development: true})
		for _, edge := range [][2]sbom.ID{{sbom.Root, prod}, {sbom.Root, dev}, {prod, optional}, {dev, both}, {prod, both}, {server, launched}} {
			b.Link(edge[0], edge[1])
		}
		return b.Inventory()
	}
	for _, test := range []struct {
		kinds, want []string
		edges       map[string][]string
	}{
		{nil, []string{"both", "dev", "launched", "optional", "prod", "s"}, build().Edges},
		{[]string{"dev"}, []string{"both", "launched", "optional", "prod", "s"}, map[string][]string{
			"project": {"pkg:npm/prod@1.0.0"}, "pkg:npm/prod@1.0.0": {"pkg:npm/both@1.0.0", "pkg:npm/optional@1.0.0"}, "mcp:x#s": {"pkg:npm/launched@1.0.0"},
		}},
		{[]string{"optional", "dev", "dev"}, []string{"both", "launched", "prod", "s"}, map[string][]string{
			"project": {"pkg:npm/prod@1.0.0"}, "pkg:npm/prod@1.0.0": {"pkg:npm/both@1.0.0"}, "mcp:x#s": {"pkg:npm/launched@1.0.0"},
		}},
	} {
		inv := build()
		inv.Omit(test.kinds...)
		var names, noted []string
		for _, c := range inv.Components {
			names = append(names, c.Name)
		}
		slices.Sort(names)
		if d := cmp.Diff(test.want, names); d != "" {
			t.Errorf("%v: %s", test.kinds, d)
		}
		if d := cmp.Diff(test.edges, inv.Edges); d != "" {
			t.Errorf("%v: %s", test.kinds, d)
		}
		for _, p := range inv.Root.Properties {
			noted = append(noted, p.Name+"="+p.Value)
		}
		if len(test.kinds) > 0 && (inv.Root.Coverage != sbom.IncompleteCoverage || noted[0] != "countermark:omitted=dev") {
			t.Errorf("%v: not noted: %v %v", test.kinds, inv.Root.Coverage, noted)
		}
		doc := sbom.Document{SpecVersion: "1.6"}
		text := write(t, inv, doc)
		validate(t, doc, text)
		if !bytes.Equal(text, again(t, text)) {
			t.Error("reading back loses something")
		}
	}
}
