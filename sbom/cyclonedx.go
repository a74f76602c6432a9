package sbom

import (
	"bytes"
	"cmp"
	"crypto/sha1" //nolint:gosec // of which version 5 of UUIDs are made
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/github/go-spdx/v2/spdxexp"
	"github.com/google/uuid"

	"countermark/sbom/bom"
	"countermark/sbom/visible"
)

// Document says how an inventory is written. The zero value is CycloneDX 1.6 in
// JSON without a timestamp.
type Document struct {
	SpecVersion string    // "1.4" to "1.7"; "" is DefaultSpecVersion
	Format      string    // "json" or "xml"; "" is "json"
	Timestamp   time.Time // metadata.timestamp; absent where zero
	ToolVersion string    // of countermark
	Authors     []Contact // who had the document made: metadata.authors
	Supplier    *Contact  // who supplies what it describes: metadata.supplier
	// Manufacturer is the organisation that makes the document: metadata.manufacturer,
	// since 1.6.
	Manufacturer *Contact
}

// DefaultSpecVersion is the newest CycloneDX version that common readers know.
const DefaultSpecVersion = "1.6"

var specVersions = map[string]cdx.SpecVersion{
	"1.4": cdx.SpecVersion1_4, "1.5": cdx.SpecVersion1_5, "1.6": cdx.SpecVersion1_6, "1.7": cdx.SpecVersion1_7,
}

// serialSpace is the namespace of our serial numbers (RFC 9562, section 5.5): a
// document's serial is made of its own bytes, so the same content has the same
// serial on every machine.
var serialSpace = uuid.MustParse("6f0b1b52-38a5-4f4d-9c29-6f1a3c5de7c1")

// noSerial stands for the serial number while the document's bytes, of which it
// is made, are not known. Encoding takes most of the time, so it is done once.
const noSerial = "urn:uuid:00000000-0000-0000-0000-000000000000"

// WriteCycloneDX writes the inventory as one CycloneDX document
// (https://cyclonedx.org/docs/1.6/json/).
//
// The mapping: Root is metadata.component; components and services keep their
// refs as bom-ref; an npm scope is the group; Occurrences are
// evidence.occurrences, with the install path as additionalContext; hashes stand
// on the component and on its distribution reference, since readers look at
// either; Edges are dependencies, with an empty entry where it is known that
// there are none; Coverage becomes compositions. What a Server says are
// properties named countermark:mcp:*, and npm's facts those of the official
// taxonomy, cdx:npm:package:*.
//
// Names are foreign text: what a terminal or a CI log would obey, or a reader could
// not see, stands as escapes of the format, which mean the same to a parser.
func WriteCycloneDX(w io.Writer, inv *Inventory, doc Document) error {
	version, err := doc.version()
	if err != nil {
		return err
	}
	format, escape := cmp.Or(doc.Format, "json"), visible.JSON
	if format == "xml" {
		escape = visible.XML
	}
	document := newBOM(inv, doc)
	leaveOut(document, version)
	document.SerialNumber = noSerial
	blocks, err := bom.Encode(document, version.String(), format)
	if err != nil {
		return fmt.Errorf("encode cyclonedx: %w", err)
	}
	if buffer, ok := w.(interface{ Grow(n int) }); ok { // a few times the length, if it grew with each block
		length := 0
		for _, block := range blocks {
			length += len(block.Text)
		}
		buffer.Grow(length)
	}
	// The serial number stands before everything that the inventory says.
	if at := bytes.Index(blocks[0].Text, []byte(noSerial)); at >= 0 {
		copy(blocks[0].Text[at:], serial(blocks))
	}
	for _, block := range blocks {
		text := block.Text
		if !block.Plain {
			text = escape(text)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// serial is the serial number of a document that has noSerial in its place.
func serial(blocks []bom.Block) string {
	sum := sha1.New() //nolint:gosec // as RFC 9562 has it; nobody trusts it for anything
	sum.Write(serialSpace[:])
	for _, block := range blocks {
		sum.Write(block.Text)
	}
	var id uuid.UUID
	copy(id[:], sum.Sum(nil))
	const version, variant = 0x50, 0x80 // 5, and that of RFC 9562
	id[6] = id[6]&0x0F | version
	id[8] = id[8]&0x3F | variant
	return id.URN()
}

// Validate reports whether there is such a document.
func (d Document) Validate() error {
	_, err := d.version()
	return err
}

func (d Document) version() (cdx.SpecVersion, error) {
	version, ok := specVersions[cmp.Or(d.SpecVersion, DefaultSpecVersion)]
	if !ok {
		return 0, fmt.Errorf("cyclonedx %s is not supported: expected 1.4, 1.5, 1.6 or 1.7", d.SpecVersion)
	}
	if f := cmp.Or(d.Format, "json"); f != "json" && f != "xml" {
		return 0, fmt.Errorf("format %q is not supported: expected json or xml", d.Format)
	}
	return version, nil
}

func newBOM(inv *Inventory, doc Document) *cdx.BOM {
	out := cdx.NewBOM()
	out.Dependencies, out.Compositions = newDependencies(inv), newCompositions(inv)
	w := writer{digests: map[string]string{}, licenses: map[string]*cdx.Licenses{}}
	for _, in := range inv.Inputs {
		w.digests[in.Path] = in.SHA256
	}
	root := w.component(inv.Root)
	out.Metadata = &cdx.Metadata{
		Component: &root,
		Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{
			Type: cdx.ComponentTypeApplication, Name: "countermark", Version: cmp.Or(doc.ToolVersion, "unknown"),
		}}},
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhasePreBuild}},
	}
	if inv.Installed {
		out.Metadata.Lifecycles = &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhasePostBuild}}
	}
	if !doc.Timestamp.IsZero() {
		out.Metadata.Timestamp = doc.Timestamp.UTC().Format(time.RFC3339)
	}
	for _, a := range doc.Authors {
		out.Metadata.Authors = appendTo(out.Metadata.Authors, cdx.OrganizationalContact{Name: a.Name, Email: a.Email})
	}
	out.Metadata.Supplier, out.Metadata.Manufacturer = newOrganization(doc.Supplier), newOrganization(doc.Manufacturer)
	if len(inv.Components) > 0 {
		components := make([]cdx.Component, 0, len(inv.Components))
		for _, c := range inv.Components {
			components = append(components, w.component(c))
		}
		out.Components = &components
	}
	if len(inv.Services) > 0 {
		services := make([]cdx.Service, 0, len(inv.Services))
		for _, s := range inv.Services {
			services = append(services, newService(s))
		}
		out.Services = &services
	}
	return out
}

func newOrganization(s *Contact) *cdx.OrganizationalEntity {
	if s == nil {
		return nil
	}
	out := &cdx.OrganizationalEntity{Name: s.Name}
	if iri(s.URL) {
		out.URL = &[]string{s.URL}
	}
	if s.Email != "" {
		out.Contact = &[]cdx.OrganizationalContact{{Email: s.Email}}
	}
	return out
}

func appendTo[T any](list *[]T, v T) *[]T {
	if list == nil {
		return &[]T{v}
	}
	out := append(*list, v)
	return &out
}

// writer is what the components of a document have in common.
type writer struct {
	digests  map[string]string        // of the inputs, by path
	licenses map[string]*cdx.Licenses // by what is declared: thousands of packages have a few dozen
}

func (w *writer) component(c *Component) cdx.Component {
	group, name := "", c.Name
	if c.Ecosystem == NPM && strings.HasPrefix(name, "@") {
		if scope, bare, ok := strings.Cut(name, "/"); ok {
			group, name = scope, bare
		}
	}
	out := cdx.Component{
		BOMRef: c.Ref, Type: cdx.ComponentType(c.Type), Group: group, Name: name, Version: c.Version,
		PackageURL: c.PURL, Licenses: w.license(c.License),
	}
	// The project and the files that were read are not parts whose presence has
	// a scope.
	if c.Scope != "" && c.Source != FromProject && c.Type != FileType {
		out.Scope = cdx.Scope(c.Scope)
	}
	hashes := newHashes(c.Hashes)
	if c.Type == FileType && w.digests[c.Name] != "" {
		hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: w.digests[c.Name]}}
	}
	out.Hashes = hashes
	out.ExternalReferences = newReferences(c)
	out.Properties = newProperties(c)
	out.Pedigree = newPedigree(c.Patches)
	if len(c.Occurrences) > 0 {
		occurrences := make([]cdx.EvidenceOccurrence, 0, len(c.Occurrences))
		for _, o := range c.Occurrences {
			e := cdx.EvidenceOccurrence{Location: o.Path, AdditionalContext: o.Install}
			if o.Line > 0 {
				e.Line = &o.Line
			}
			occurrences = append(occurrences, e)
		}
		out.Evidence = &cdx.Evidence{Occurrences: &occurrences}
	}
	return out
}

var hashNames = map[string]cdx.HashAlgorithm{
	"md5": cdx.HashAlgoMD5, "sha1": cdx.HashAlgoSHA1, "sha256": cdx.HashAlgoSHA256,
	"sha384": cdx.HashAlgoSHA384, "sha512": cdx.HashAlgoSHA512,
}

func newHashes(hashes []Hash) *[]cdx.Hash {
	var out []cdx.Hash
	for _, h := range hashes {
		if name, ok := hashNames[h.Algorithm]; ok {
			out = append(out, cdx.Hash{Algorithm: name, Value: h.Value})
		}
	}
	if out == nil {
		return nil
	}
	return &out
}

func newReferences(c *Component) *[]cdx.ExternalReference {
	var out []cdx.ExternalReference
	if iri(c.Resolved) {
		out = append(out, cdx.ExternalReference{Type: cdx.ERTypeDistribution, URL: c.Resolved, Hashes: newHashes(c.Hashes)})
	}
	if iri(c.Repository) {
		out = append(out, cdx.ExternalReference{Type: cdx.ERTypeVCS, URL: c.Repository})
	}
	if out == nil {
		return nil
	}
	return &out
}

func newPedigree(patches []Patch) *cdx.Pedigree {
	if len(patches) == 0 {
		return nil
	}
	var out []cdx.Patch
	for _, p := range patches {
		patch := cdx.Patch{Type: cdx.PatchTypeUnofficial}
		if iri(p.Path) {
			patch.Diff = &cdx.Diff{URL: p.Path}
		}
		out = append(out, patch)
	}
	return &cdx.Pedigree{Patches: &out}
}

// iri reports whether s can stand where CycloneDX wants an IRI.
func iri(s string) bool {
	if s == "" || strings.ContainsAny(s, " \t\r\n<>\"{}|\\^`") {
		return false
	}
	if plainURL(s) {
		return true
	}
	_, err := url.Parse(s)
	return err == nil
}

// plainURL reports whether s is a URL of https with nothing in it that net/url could
// refuse: a host without a port, and a path without escapes.
func plainURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	host, path, _ := strings.Cut(rest, "/")
	plain := ok && host != ""
	for i := 0; plain && i < len(host); i++ {
		plain = isLetter(host[i]) || isDigit(host[i]) || host[i] == '.' || host[i] == '-'
	}
	for i := 0; plain && i < len(path); i++ {
		plain = path[i] > ' ' && path[i] < '\x7f' && path[i] != '%' && path[i] != '#' && path[i] != '?'
	}
	return plain
}

// maxExpression is up to which length a licence is looked at as an SPDX expression,
// which takes time that grows with its square. Packages have a tenth of that; what is
// longer is written as a name, in full.
const maxExpression = 1024

func (w *writer) license(text string) *cdx.Licenses {
	known, ok := w.licenses[text]
	if !ok {
		known = newLicenses(text)
		w.licenses[text] = known
	}
	return known
}

// newLicenses writes an SPDX expression as such, and any other text as a name.
func newLicenses(text string) *cdx.Licenses {
	if text == "" {
		return nil
	}
	declared := cdx.LicenseAcknowledgementDeclared
	if IsExpression(text) {
		return &cdx.Licenses{{Expression: text, Acknowledgement: &declared}}
	}
	return &cdx.Licenses{{License: &cdx.License{Name: text, Acknowledgement: declared}}}
}

// IsExpression reports whether a licence is an SPDX expression, and none of a length
// that nothing but an attack has.
func IsExpression(text string) bool {
	if len(text) > maxExpression {
		return false
	}
	ok, _ := spdxexp.ValidateLicenses([]string{text})
	return ok
}

// leaveOut takes out what a version does not have yet: in which line something
// occurs and how a licence is known came with 1.6, where it occurs, the phase of a
// lifecycle and tools as components with 1.5.
func leaveOut(document *cdx.BOM, version cdx.SpecVersion) {
	if version < cdx.SpecVersion1_6 {
		document.Metadata.Manufacturer = nil
		older(document.Metadata.Component, version)
		if document.Components != nil {
			for i := range *document.Components {
				older(&(*document.Components)[i], version)
			}
		}
	}
	if version < cdx.SpecVersion1_5 {
		document.Metadata.Lifecycles = nil
		tools := []cdx.Tool{} //nolint:staticcheck // the only form until 1.4
		for _, t := range *document.Metadata.Tools.Components {
			tools = append(tools, cdx.Tool{Name: t.Name, Version: t.Version}) //nolint:staticcheck // as above
		}
		document.Metadata.Tools = &cdx.ToolsChoice{Tools: &tools}
	}
}

func older(c *cdx.Component, version cdx.SpecVersion) {
	if c.Licenses != nil {
		for i := range *c.Licenses {
			l := &(*c.Licenses)[i]
			l.Acknowledgement = nil
			if l.License != nil {
				l.License.Acknowledgement = ""
			}
		}
	}
	switch {
	case c.Evidence == nil:
	case version < cdx.SpecVersion1_5:
		c.Evidence = nil
	default:
		var out []cdx.EvidenceOccurrence
		for _, o := range *c.Evidence.Occurrences { // sorted by location
			if len(out) == 0 || out[len(out)-1].Location != o.Location {
				out = append(out, cdx.EvidenceOccurrence{Location: o.Location})
			}
		}
		c.Evidence.Occurrences = &out
	}
}

func newProperties(c *Component) *[]cdx.Property {
	var out []cdx.Property
	add := func(name, value string) {
		if value != "" {
			out = append(out, cdx.Property{Name: name, Value: value})
		}
	}
	flag := func(name string, set bool) {
		if set {
			add(name, "true")
		}
	}
	switch s := c.Server; {
	case s != nil && s.Script:
		add("countermark:script:file-kind", s.Client)
		add("countermark:script:name", s.Name)
		add("countermark:script:launcher", s.Launcher)
		add("countermark:script:kind", string(s.Kind))
		add("countermark:script:spec", s.Spec)
		add("countermark:script:pin", string(s.Pin))
		add("countermark:script:reason", s.Reason)
		for _, name := range s.Env {
			add("countermark:script:env", name)
		}
		for _, name := range s.Credentials {
			add("countermark:script:credential", name)
		}
	case s != nil:
		add("countermark:mcp:client", s.Client)
		add("countermark:mcp:server", s.Name)
		add("countermark:mcp:transport", s.Transport)
		add("countermark:mcp:launcher", s.Launcher)
		add("countermark:mcp:kind", string(s.Kind))
		add("countermark:mcp:spec", s.Spec)
		add("countermark:mcp:pin", string(s.Pin))
		add("countermark:mcp:disabled", strconv.FormatBool(s.Disabled))
		add("countermark:mcp:reason", s.Reason)
		for _, name := range s.Env {
			add("countermark:mcp:env", name)
		}
		for _, name := range s.Credentials {
			add("countermark:mcp:credential", name)
		}
		for _, tool := range s.AutoApprove {
			add("countermark:mcp:auto-approve", tool)
		}
	}
	if c.Ecosystem == NPM {
		flag("cdx:npm:package:bundled", c.Bundled)
		flag("cdx:npm:package:development", c.Development)
		flag("cdx:npm:package:extraneous", c.Extraneous)
		flag("cdx:npm:package:private", c.Private)
	}
	for _, p := range c.Properties {
		add(p.Name, p.Value)
	}
	if out == nil {
		return nil
	}
	slices.SortStableFunc(out, func(x, y cdx.Property) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Value, y.Value))
	})
	return &out
}

func newService(s *Service) cdx.Service {
	out := cdx.Service{BOMRef: s.Ref, Name: s.Name}
	if iri(s.Endpoint) {
		out.Endpoints = &[]string{s.Endpoint}
		return out
	}
	out.Properties = &[]cdx.Property{{Name: "countermark:mcp:url", Value: cmp.Or(s.URL, s.Endpoint)}}
	return out
}

// newDependencies writes an entry for whatever has edges, and for whatever is
// known to have none: a missing entry says that nobody knows.
func newDependencies(inv *Inventory) *[]cdx.Dependency {
	var out []cdx.Dependency
	for _, c := range everything(inv) {
		edges := inv.Edges[c.Ref]
		switch {
		case len(edges) > 0:
			out = append(out, cdx.Dependency{Ref: c.Ref, Dependencies: &edges})
		case inv.aggregate(c) == cdx.CompositionAggregateComplete:
			out = append(out, cdx.Dependency{Ref: c.Ref})
		}
	}
	if out == nil {
		return nil
	}
	return &out
}

// newCompositions says of which components all dependencies are known. A broken
// input makes the root incomplete: nobody knows what else it would have held.
func newCompositions(inv *Inventory) *[]cdx.Composition {
	refs := map[cdx.CompositionAggregate][]cdx.BOMReference{}
	for _, c := range everything(inv) {
		aggregate := inv.aggregate(c)
		refs[aggregate] = append(refs[aggregate], cdx.BOMReference(c.Ref))
	}
	for _, s := range inv.Services {
		refs[cdx.CompositionAggregateUnknown] = append(refs[cdx.CompositionAggregateUnknown], cdx.BOMReference(s.Ref))
	}
	var out []cdx.Composition
	for _, aggregate := range []cdx.CompositionAggregate{
		cdx.CompositionAggregateComplete, cdx.CompositionAggregateIncomplete, cdx.CompositionAggregateUnknown,
	} {
		if list := refs[aggregate]; len(list) > 0 {
			out = append(out, cdx.Composition{Aggregate: aggregate, Dependencies: &list})
		}
	}
	return &out
}

// aggregate says how much of what c depends on is known.
func (inv *Inventory) aggregate(c *Component) cdx.CompositionAggregate {
	switch {
	case c == inv.Root && inv.Incomplete(), c.Coverage == IncompleteCoverage:
		return cdx.CompositionAggregateIncomplete
	case c.Coverage == CompleteCoverage:
		return cdx.CompositionAggregateComplete
	default:
		return cdx.CompositionAggregateUnknown
	}
}

func everything(inv *Inventory) []*Component {
	return append([]*Component{inv.Root}, inv.Components...)
}
