package sbom

import "slices"

// OmittedProperty is the property of the root that names a kind of packages that was
// left out.
const OmittedProperty = "countermark:omitted"

// Omit leaves out packages of some kinds, as npm's --omit does: "dev", those that are
// there for development only, and "optional", those of which every instance is
// optional (npm's devOptional included). Edges to them go, too. That something is
// missing stays visible: whoever lost an edge, and the root in any case, has
// incomplete coverage, and the root says which kinds were left out.
//
// The project's own parts, configuration files, MCP servers and what they launch are
// never left out. The inventory is changed.
func (inv *Inventory) Omit(kinds ...string) {
	if len(kinds) == 0 {
		return
	}
	gone := map[string]bool{}
	inv.Components = slices.DeleteFunc(inv.Components, func(c *Component) bool {
		gone[c.Ref] = omitted(c, kinds)
		return gone[c.Ref]
	})
	for _, c := range everything(inv) {
		kept := slices.DeleteFunc(slices.Clone(inv.Edges[c.Ref]), func(ref string) bool { return gone[ref] })
		if len(kept) < len(inv.Edges[c.Ref]) {
			c.Coverage = IncompleteCoverage
			inv.Edges[c.Ref] = kept
		}
		if gone[c.Conflict] {
			c.Conflict = ""
		}
	}
	for ref := range inv.Edges {
		if gone[ref] || len(inv.Edges[ref]) == 0 {
			delete(inv.Edges, ref)
		}
	}
	inv.Root.Coverage = IncompleteCoverage
	for _, kind := range slices.Compact(slices.Sorted(slices.Values(kinds))) {
		inv.Root.Properties = append(inv.Root.Properties, Property{Name: OmittedProperty, Value: kind})
	}
}

func omitted(c *Component, kinds []string) bool {
	if c.Source == FromProject || c.Type == FileType || c.Server != nil || c.Origin.Has(OriginMCP) {
		return false
	}
	return c.Scope == Excluded && slices.Contains(kinds, "dev") || c.Scope == Optional && slices.Contains(kinds, "optional")
}
