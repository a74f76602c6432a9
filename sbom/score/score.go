// Package score measures a CycloneDX document of any tool against what three
// standards want of a software bill of materials: the NTIA's minimum elements
// (2021), CISA's draft of their successor (August 2025), and BSI TR-03183-2 v2.1
// (August 2025). In flows a document as sbom/bom reads it, out flows a [Result].
//
// What is wanted is a table, [Requirements]: which field of CycloneDX holds it, which
// standard demands it, how it is measured, and what mends it in a document of ours.
// A requirement on components is met by a share of them; the subject of the document
// counts as one, and components inside of others do too. A standard's score is the
// mean of the shares of what it requires, in whole percent, rounded down, so that 100
// means that nothing is missing. What a standard only recommends is listed and not
// scored.
//
// Only presence is measured. That a supplier is named does not make him the supplier.
package score

import (
	"cmp"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"countermark/sbom"
	"countermark/sbom/bom"
)

// The standards that are measured.
const (
	NTIA = "ntia-2021"
	CISA = "cisa-2025-draft"
	BSI  = "bsi-tr-03183-2-v2.1"
)

// Standards are their names, by id, in the order of reports.
var Standards = []struct{ ID, Title string }{
	{NTIA, "NTIA minimum elements (2021)"},
	{CISA, "CISA minimum elements (2025 draft)"},
	{BSI, "BSI TR-03183-2 v2.1"},
}

// Requirement is one thing that standards want.
type Requirement struct {
	ID          string
	Field       string   // of CycloneDX, in JSON's terms
	Required    []string // standards that demand it
	Recommended []string // standards that only recommend it
	Fix         string   // what mends it in a document of ours

	document  func(*facts) bool
	component func(*facts, *cdx.Component) bool
}

// Result is the measurement of one document.
type Result struct {
	File         string     `json:"file"`
	SpecVersion  string     `json:"specVersion"`
	Components   int        `json:"components"` // the subject included
	Standards    []Standard `json:"standards"`
	Requirements []Measured `json:"requirements"`
}

// Standard is how far a document meets one standard.
type Standard struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Score    int    `json:"score"`    // percent
	Met      int    `json:"met"`      // requirements that are met in full
	Required int    `json:"required"` // all requirements
}

// Measured is one requirement, measured.
type Measured struct {
	ID          string   `json:"id"`
	Field       string   `json:"field"`
	Required    []string `json:"required"`
	Recommended []string `json:"recommended"`
	Have        int      `json:"have"`
	Of          int      `json:"of"`
	Missing     []string `json:"missing"` // the first few components that lack it
	Fix         string   `json:"fix,omitempty"`
}

// MaxMissing is how many components are named that lack something.
const MaxMissing = 5

// facts are what several requirements look up.
type facts struct {
	*cdx.BOM
	version   string
	metadata  cdx.Metadata
	connected map[string]bool // refs in dependencies, on either side
	stated    map[string]bool // refs whose dependencies are given, be it that there are none
	covered   map[string]bool // refs in compositions
}

// Requirements returns the table.
func Requirements() []Requirement { return slices.Clone(table) }

var table = []Requirement{
	{ID: "sbom-author", Field: "metadata.authors", Required: []string{NTIA, CISA}, Fix: "name who has the document made: --author NAME",
		document: func(f *facts) bool { return len(elements(f.metadata.Authors)) > 0 || f.metadata.Manufacturer != nil }},
	{ID: "sbom-creator-contact", Field: "metadata.manufacturer", Required: []string{BSI}, Fix: "name the organisation with its email address or URL: --manufacturer 'NAME <ADDRESS>'",
		document: func(f *facts) bool { return reachable(f.metadata.Manufacturer) }},
	{ID: "timestamp", Field: "metadata.timestamp", Required: []string{NTIA, CISA, BSI}, Fix: "give --timestamp, or set SOURCE_DATE_EPOCH",
		document: func(f *facts) bool { return f.metadata.Timestamp != "" }},
	{ID: "tool", Field: "metadata.tools", Required: []string{CISA}, document: tools},
	{ID: "generation-context", Field: "metadata.lifecycles", Required: []string{CISA}, Fix: "write CycloneDX 1.5 or newer: --spec-version",
		document: func(f *facts) bool { return len(elements(f.metadata.Lifecycles)) > 0 }},
	{ID: "format", Field: "specVersion", Required: []string{BSI}, Fix: "write CycloneDX 1.6 or newer: --spec-version",
		document: func(f *facts) bool { return f.version >= "1.6" }},
	{ID: "sbom-uri", Field: "serialNumber", Recommended: []string{BSI}, document: func(f *facts) bool { return f.SerialNumber != "" }},

	{ID: "name", Field: "components[].name", Required: []string{NTIA, CISA, BSI}, component: func(_ *facts, c *cdx.Component) bool { return c.Name != "" }},
	{ID: "version", Field: "components[].version", Required: []string{NTIA, CISA, BSI}, Fix: "pin what has no version: the project in its manifest, MCP servers in their configuration",
		component: func(_ *facts, c *cdx.Component) bool { return c.Version != "" }},
	{ID: "supplier", Field: "components[].supplier", Required: []string{NTIA, CISA}, Fix: "lockfiles do not say who supplies a package; --supplier names the supplier of the project",
		component: supplier},
	{ID: "creator-contact", Field: "components[].manufacturer", Required: []string{BSI}, Fix: "lockfiles do not say who made a package",
		component: func(_ *facts, c *cdx.Component) bool { return reachable(c.Manufacturer) }},
	{ID: "identifier", Field: "components[].purl", Required: []string{NTIA, CISA}, Recommended: []string{BSI}, Fix: "give the project a name and a version in its manifest",
		component: func(_ *facts, c *cdx.Component) bool { return c.PackageURL != "" || c.CPE != "" || c.SWID != nil }},
	{ID: "relationship", Field: "dependencies[]", Required: []string{NTIA, CISA, BSI}, component: func(f *facts, c *cdx.Component) bool { return f.connected[c.BOMRef] }},
	{ID: "known-unknowns", Field: "compositions[].aggregate", Required: []string{CISA, BSI}, component: func(f *facts, c *cdx.Component) bool { return f.covered[c.BOMRef] || f.stated[c.BOMRef] }},
	{ID: "hash", Field: "components[].hashes", Required: []string{CISA}, Fix: "create the lockfile again with a current package manager, so that it records the integrity",
		component: hashed},
	{ID: "distribution-hash", Field: "components[].externalReferences[distribution].hashes[SHA-512]", Required: []string{BSI}, Fix: "create the lockfile again with a current package manager, so that it records the integrity and the URL",
		component: distributionHash},
	{ID: "license", Field: "components[].licenses", Required: []string{CISA}, Fix: "package-lock.json and installed trees have licences, other lockfiles do not",
		component: func(_ *facts, c *cdx.Component) bool { return c.Licenses != nil && len(*c.Licenses) > 0 }},
	{ID: "concluded-license", Field: "components[].licenses[acknowledgement=concluded]", Required: []string{BSI}, Fix: "a licence is concluded by somebody who has looked; lockfiles only have what packages declare",
		component: func(_ *facts, c *cdx.Component) bool { return licensed(c, cdx.LicenseAcknowledgementConcluded) }},
	{ID: "declared-license", Field: "components[].licenses[acknowledgement=declared]", Recommended: []string{BSI}, Fix: "package-lock.json and installed trees have licences, other lockfiles do not",
		component: func(_ *facts, c *cdx.Component) bool { return licensed(c, cdx.LicenseAcknowledgementDeclared) }},
	property("filename"), property("executable"), property("archive"), property("structured"),
	{ID: "source-uri", Field: "components[].externalReferences[vcs]", Recommended: []string{BSI}, Fix: "lockfiles seldom say where a package's source is",
		component: func(_ *facts, c *cdx.Component) bool { return refers(c, cdx.ERTypeVCS, "source-distribution") }},
	{ID: "deployable-uri", Field: "components[].externalReferences[distribution]", Recommended: []string{BSI}, Fix: "create the lockfile again with a current package manager, so that it records the URL",
		component: func(_ *facts, c *cdx.Component) bool { return refers(c, cdx.ERTypeDistribution) }},
}

// property is one of the BSI's own properties (TR-03183-2, section 5.2.2).
func property(name string) Requirement {
	full := "bsi:component:" + name
	return Requirement{
		ID: name, Field: "components[].properties[" + full + "]", Required: []string{BSI},
		Fix: "it is a statement about the delivered files, which lockfiles do not describe",
		component: func(_ *facts, c *cdx.Component) bool {
			return slices.ContainsFunc(elements(c.Properties), func(p cdx.Property) bool { return p.Name == full && p.Value != "" })
		},
	}
}

// Measure measures a document; file is what it is called in the result.
func Measure(file string, d *bom.Document) *Result {
	f := factsOf(d)
	all := components(d.BOM)
	r := &Result{File: file, SpecVersion: d.Version, Components: len(all)}
	for _, want := range table {
		r.Requirements = append(r.Requirements, want.measure(f, all))
	}
	for _, s := range Standards {
		r.Standards = append(r.Standards, r.standard(s.ID, s.Title))
	}
	return r
}

func (want *Requirement) measure(f *facts, all []*cdx.Component) Measured {
	m := Measured{ID: want.ID, Field: want.Field, Required: list(want.Required), Recommended: list(want.Recommended), Missing: []string{}, Of: 1}
	if want.document != nil {
		if want.document(f) {
			m.Have = 1
		} else {
			m.Fix = want.Fix
		}
		return m
	}
	m.Of = len(all)
	for _, c := range all {
		switch {
		case want.component(f, c):
			m.Have++
		case len(m.Missing) < MaxMissing:
			m.Missing = append(m.Missing, cmp.Or(c.BOMRef, c.PackageURL, c.Name))
		}
	}
	if m.Have < m.Of {
		m.Fix = want.Fix
	}
	return m
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// standard sums up. A document without components meets nothing that is asked of
// components.
func (r *Result) standard(id, title string) Standard {
	s := Standard{ID: id, Title: title}
	sum := 0.0
	for _, m := range r.Requirements {
		if !slices.Contains(m.Required, id) {
			continue
		}
		s.Required++
		if m.Of > 0 {
			sum += float64(m.Have) / float64(m.Of)
		}
		if m.Of > 0 && m.Have == m.Of {
			s.Met++
		}
	}
	s.Score = int(100 * sum / float64(s.Required))
	if s.Met < s.Required {
		s.Score = min(s.Score, 99)
	}
	return s
}

func factsOf(d *bom.Document) *facts {
	f := &facts{BOM: d.BOM, version: d.Version, connected: map[string]bool{}, stated: map[string]bool{}, covered: map[string]bool{}}
	if d.BOM.Metadata != nil {
		f.metadata = *d.BOM.Metadata
	}
	for _, dep := range elements(d.BOM.Dependencies) {
		f.stated[dep.Ref], f.connected[dep.Ref] = true, true
		for _, to := range elements(dep.Dependencies) {
			f.connected[to] = true
		}
	}
	for _, c := range elements(d.BOM.Compositions) {
		for _, ref := range slices.Concat(elements(c.Dependencies), elements(c.Assemblies)) {
			f.covered[string(ref)] = true
		}
	}
	return f
}

func components(document *cdx.BOM) []*cdx.Component {
	var out []*cdx.Component
	var add func(*cdx.Component)
	add = func(c *cdx.Component) {
		out = append(out, c)
		for i := range elements(c.Components) {
			add(&(*c.Components)[i])
		}
	}
	if document.Metadata != nil && document.Metadata.Component != nil {
		add(document.Metadata.Component)
	}
	for i := range elements(document.Components) {
		add(&(*document.Components)[i])
	}
	return out
}

func tools(f *facts) bool {
	if f.metadata.Tools == nil {
		return false
	}
	return len(elements(f.metadata.Tools.Components))+len(elements(f.metadata.Tools.Services))+len(elements(f.metadata.Tools.Tools)) > 0
}

// supplier looks at whoever may be named for a component; the supplier of the whole
// counts for its subject.
func supplier(f *facts, c *cdx.Component) bool {
	if f.metadata.Component == c && (f.metadata.Supplier != nil || f.metadata.Manufacture != nil) {
		return true
	}
	return c.Supplier != nil && c.Supplier.Name != "" || c.Manufacturer != nil && c.Manufacturer.Name != "" ||
		c.Publisher != "" || c.Author != "" || len(elements(c.Authors)) > 0
}

// reachable reports whether an organisation has an email address or a URL.
func reachable(o *cdx.OrganizationalEntity) bool {
	return o != nil && (slices.ContainsFunc(elements(o.URL), func(s string) bool { return s != "" }) ||
		slices.ContainsFunc(elements(o.Contact), func(c cdx.OrganizationalContact) bool { return c.Email != "" }))
}

func hashed(_ *facts, c *cdx.Component) bool {
	return len(elements(c.Hashes)) > 0 ||
		slices.ContainsFunc(elements(c.ExternalReferences), func(r cdx.ExternalReference) bool {
			return r.Type == cdx.ERTypeDistribution && len(elements(r.Hashes)) > 0
		})
}

func distributionHash(_ *facts, c *cdx.Component) bool {
	return slices.ContainsFunc(elements(c.ExternalReferences), func(r cdx.ExternalReference) bool {
		return r.Type == cdx.ERTypeDistribution &&
			slices.ContainsFunc(elements(r.Hashes), func(h cdx.Hash) bool { return h.Algorithm == cdx.HashAlgoSHA512 })
	})
}

func refers(c *cdx.Component, types ...cdx.ExternalReferenceType) bool {
	return slices.ContainsFunc(elements(c.ExternalReferences), func(r cdx.ExternalReference) bool { return slices.Contains(types, r.Type) })
}

// licensed reports whether a component has an SPDX licence or expression that was
// acknowledged in that way.
func licensed(c *cdx.Component, how cdx.LicenseAcknowledgement) bool {
	if c.Licenses == nil {
		return false
	}
	return slices.ContainsFunc(*c.Licenses, func(l cdx.LicenseChoice) bool {
		if l.License != nil {
			return l.License.ID != "" && l.License.Acknowledgement == how
		}
		return sbom.IsExpression(l.Expression) && l.Acknowledgement != nil && *l.Acknowledgement == how
	})
}

// Share says how much of a requirement is met.
func (m Measured) Share() int {
	if m.Of == 0 {
		return 0
	}
	return 100 * m.Have / m.Of
}

// Missed joins the names of components that lack it.
func (m Measured) Missed() string {
	more := m.Of - m.Have - len(m.Missing)
	names := strings.Join(m.Missing, ", ")
	if len(m.Missing) > 0 && more > 0 {
		return names + ", …"
	}
	return names
}

func elements[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}
