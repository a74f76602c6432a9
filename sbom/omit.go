package sbom

import (
	"fmt"
	"slices"
)

// OmittedProperty is the property of the root that names a kind of packages that was
// left out.
const OmittedProperty = "countermark:omitted"

// The kinds of packages that can be left out, by npm's names.
const (
	OmitDev      = "dev"
	OmitOptional = "optional"
	OmitPeer     = "peer"
)

// OmitError says why packages cannot be left out.
type OmitError struct {
	Path string // the input that does not tell which packages they are
	Kind string
}

// Error says what is wrong in one line.
func (e *OmitError) Error() string {
	return fmt.Sprintf("%s: does not say which packages are only there as peers, so they cannot be left out", e.Path)
}

// Omit leaves out packages of some kinds, as npm's --omit does: "dev", those that are
// there for development only; "optional", those that nobody needs; "peer", those that
// are only there because somebody asks for a peer. What is needed for development and
// optional else (npm's devOptional) goes with both of the first, and a component goes
// where every instance of it does. Edges to them go, too. That something is
// missing stays visible: whoever lost an edge, and the root in any case, has
// incomplete coverage, and the root says which kinds were left out.
//
// The project's own parts, configuration files, MCP servers and what they launch are
// never left out. The inventory is changed, unless there is an error, which is an
// *OmitError: not every lockfile tells who is a peer.
func (inv *Inventory) Omit(kinds ...string) error {
	if len(kinds) == 0 {
		return nil
	}
	if slices.Contains(kinds, OmitPeer) {
		for _, in := range inv.Inputs {
			if in.NoPeers {
				return &OmitError{Path: in.Path, Kind: OmitPeer}
			}
		}
	}
	gone := map[string]bool{}
	inv.Components = slices.DeleteFunc(inv.Components, func(c *Component) bool {
		gone[c.Ref] = mayGo(c) && inv.Omissions[c.Ref]&(1<<kindSet(kinds)) != 0
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
	return nil
}

// mayGo reports whether something is a package that is installed, and not one that
// a server launches.
func mayGo(c *Component) bool {
	return c.Source != FromProject && c.Type != FileType && c.Server == nil && !c.Origin.Has(OriginMCP)
}

// Omission is a set of sets of kinds: those that leave out every instance of something. Of two
// instances of a package one may go with "dev" and the other with "optional", so
// that the package goes only with both; no mark of the package alone says that.
type Omission uint8

const everySet Omission = 0xff

// The bits of a set of kinds.
const (
	devBit uint = 1 << iota
	optionalBit
	peerBit
	kindSets // how many sets there are
)

func kindSet(kinds []string) (set uint) {
	for _, kind := range kinds {
		set |= map[string]uint{OmitDev: devBit, OmitOptional: optionalBit, OmitPeer: peerBit}[kind]
	}
	return set
}

// leftOut is by which sets of kinds npm leaves out an instance.
func (u Use) leftOut() (out Omission) {
	for set := range kindSets {
		dev, optional := set&devBit != 0, set&optionalBit != 0
		if u.Development && dev || u.Optional && optional && (dev || !u.DevOptional) || u.Peer && set&peerBit != 0 {
			out |= 1 << set
		}
	}
	return out
}

// leftOut is by which sets of kinds every instance of a group is left out.
func (b *Builder) leftOut(g *group) Omission {
	out := everySet
	for _, id := range g.ids {
		out &= b.instances[id].use.leftOut()
	}
	return out
}
