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
		needed := add("needed-for-dev", sbom.Use{Optional: true, DevOptional: true})
		peer, twoWays := add("peer", sbom.Use{Peer: true}), add("two-ways", sbom.Use{Development: true})
		b.Link(prod, peer)
		b.Link(prod, add("two-ways", sbom.Use{Optional: true}))
		b.Link(dev, twoWays)
		b.Link(dev, needed)
		server := b.Add(sbom.Component{Ref: "mcp:x#s", Type: sbom.Application, Name: "s", Server: &sbom.Server{Name: "s"}}, sbom.Use{})
		launched := add("launched", sbom.Use{Development: true})
		for _, edge := range [][2]sbom.ID{{sbom.Root, prod}, {sbom.Root, dev}, {prod, optional}, {dev, both}, {prod, both}, {server, launched}} {
			b.Link(edge[0], edge[1])
		}
		return b.Inventory()
	}
	all := []string{"both", "dev", "launched", "needed-for-dev", "optional", "peer", "prod", "s", "two-ways"}
	for _, test := range []struct {
		kinds, gone []string
	}{
		{nil, nil},
		{[]string{"dev"}, []string{"dev"}},
		{[]string{"optional"}, []string{"optional"}},
		{[]string{"peer"}, []string{"peer"}},
		{[]string{"optional", "dev", "dev"}, []string{"dev", "needed-for-dev", "optional", "two-ways"}},
		{[]string{"dev", "peer", "optional"}, []string{"dev", "needed-for-dev", "optional", "peer", "two-ways"}},
	} {
		inv := build()
		if err := inv.Omit(test.kinds...); err != nil {
			t.Fatal(err)
		}
		isGone := func(ref string) bool {
			return slices.ContainsFunc(test.gone, func(name string) bool { return ref == "pkg:npm/"+name+"@1.0.0" })
		}
		var names, noted []string
		for _, c := range inv.Components {
			names = append(names, c.Name)
		}
		slices.Sort(names)
		want := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(test.gone, name) })
		if d := cmp.Diff(want, names); d != "" {
			t.Errorf("%v: %s", test.kinds, d)
		}
		edges := map[string][]string{}
		for from, to := range build().Edges {
			if kept := slices.DeleteFunc(to, isGone); len(kept) > 0 && !isGone(from) {
				edges[from] = kept
			}
		}
		if d := cmp.Diff(edges, inv.Edges); d != "" {
			t.Errorf("%v: %s", test.kinds, d)
		}
		for _, p := range inv.Root.Properties {
			noted = append(noted, p.Name+"="+p.Value)
		}
		if len(test.kinds) > 0 && (inv.Root.Coverage != sbom.IncompleteCoverage || noted[0] != "countermark:omitted="+slices.Min(test.kinds)) {
			t.Errorf("%v: not noted: %v %v", test.kinds, inv.Root.Coverage, noted)
		}
		inv.Installed = len(test.gone) > 1 // which is read back, too
		doc := sbom.Document{SpecVersion: "1.6"}
		text := write(t, inv, doc)
		validate(t, doc, text)
		if !bytes.Equal(text, again(t, text)) {
			t.Error("reading back loses something")
		}
	}
}
