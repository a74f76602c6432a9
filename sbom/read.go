package sbom

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"countermark/sbom/bom"
)

// ReadCycloneDX reads a CycloneDX document of any tool, version 1.2 to 1.7, into an
// inventory, and says how it was written. Components inside of others stand beside
// them; packages get canonical purls. The error is a *bom.Error.
//
// A document that [WriteCycloneDX] wrote is read without loss: written again, as
// the Document says, it has the same bytes. What only ever was in memory (columns,
// who asks for a component, what is wrong with an input) is not there.
//
// Everything in the inventory is a claim of the document. problems say what in it
// cannot be true, or was not read; they leave the answer unknown, but for warnings.
func ReadCycloneDX(data []byte) (inv *Inventory, doc Document, problems []Problem, err error) {
	read, err := bom.Read(data)
	if err != nil {
		return nil, Document{}, nil, err
	}
	r := documentReader{inv: &Inventory{Edges: map[string][]string{}}, at: map[string]*Component{}}
	for _, l := range read.Unread {
		r.problem(Warning, l.Line, "the document's "+l.String()+": it is no field that is read", "validate the document with the schema of its version")
	}
	r.read(read.BOM)
	return r.inv, r.document(read), r.problems, nil
}

// documentReader turns a document into an inventory.
type documentReader struct {
	inv      *Inventory
	at       map[string]*Component
	services map[string]bool
	problems []Problem
}

func (r *documentReader) problem(code ProblemCode, line int, message, hint string) {
	r.problems = append(r.problems, Problem{Code: code, Line: line, Message: message, Hint: hint})
}

func (r *documentReader) document(read *bom.Document) Document {
	doc := Document{SpecVersion: read.Version, Format: read.Format}
	m := read.BOM.Metadata
	if m == nil {
		return doc
	}
	doc.Timestamp, _ = time.Parse(time.RFC3339, m.Timestamp) // what is no time is none
	if m.Tools != nil && m.Tools.Components != nil && len(*m.Tools.Components) > 0 {
		doc.ToolVersion = (*m.Tools.Components)[0].Version
	}
	if m.Tools != nil && m.Tools.Tools != nil && len(*m.Tools.Tools) > 0 {
		doc.ToolVersion = (*m.Tools.Tools)[0].Version
	}
	for _, a := range elements(m.Authors) {
		doc.Authors = append(doc.Authors, Contact{Name: a.Name, Email: a.Email})
	}
	doc.Supplier, doc.Manufacturer = organization(m.Supplier), organization(m.Manufacturer)
	return doc
}

func organization(in *cdx.OrganizationalEntity) *Contact {
	if in == nil {
		return nil
	}
	out := &Contact{Name: in.Name}
	if urls := elements(in.URL); len(urls) > 0 {
		out.URL = urls[0]
	}
	if contacts := elements(in.Contact); len(contacts) > 0 {
		out.Email = contacts[0].Email
	}
	return out
}

func (r *documentReader) read(document *cdx.BOM) {
	root := &Component{Ref: "project", Type: Application, Name: "project"}
	if m := document.Metadata; m != nil && len(elements(m.Lifecycles)) == 1 {
		r.inv.Installed = (*m.Lifecycles)[0].Phase == cdx.LifecyclePhasePostBuild
	}
	if m := document.Metadata; m != nil && m.Component != nil {
		root = r.component(m.Component)
		r.nested(m.Component.Components)
	}
	root.Source, root.Scope = FromProject, ""
	r.inv.Root = root
	r.at[root.Ref] = root
	r.nested(document.Components)
	r.services = map[string]bool{}
	r.remotes(document.Services)
	r.edges(document)
	r.coverage(document)
}

// nested reads components and those inside of them.
func (r *documentReader) nested(list *[]cdx.Component) {
	for i := range elements(list) {
		c := r.component(&(*list)[i])
		for n := 2; r.at[c.Ref] != nil || r.inv.Root != nil && r.inv.Root.Ref == c.Ref; n++ {
			c.Ref = fmt.Sprintf("%s#%d", cmp.Or((*list)[i].BOMRef, c.PURL, c.Name), n)
		}
		r.at[c.Ref] = c
		r.inv.Components = append(r.inv.Components, c)
		r.nested((*list)[i].Components)
	}
}

func (r *documentReader) component(in *cdx.Component) *Component {
	c := &Component{
		Type: Type(in.Type), Name: in.Name, Version: in.Version, PURL: in.PackageURL, Scope: Scope(in.Scope),
		License: license(in.Licenses), Hashes: hashes(in.Hashes),
	}
	r.identify(c, in)
	c.Ref = cmp.Or(in.BOMRef, c.PURL, c.Name)
	for _, ref := range elements(in.ExternalReferences) {
		switch {
		case ref.Type == cdx.ERTypeDistribution && c.Resolved == "":
			c.Resolved = RedactURL(ref.URL)
			if len(c.Hashes) == 0 {
				c.Hashes = hashes(ref.Hashes)
			}
		case ref.Type == cdx.ERTypeVCS && c.Repository == "":
			c.Repository = RedactURL(ref.URL)
		}
	}
	if in.Pedigree != nil {
		for _, p := range elements(in.Pedigree.Patches) {
			patch := Patch{}
			if p.Diff != nil {
				patch.Path = p.Diff.URL
			}
			c.Patches = append(c.Patches, patch)
		}
	}
	if in.Evidence != nil {
		for _, o := range elements(in.Evidence.Occurrences) {
			at := Occurrence{Path: o.Location, Install: o.AdditionalContext}
			if o.Line != nil {
				at.Line = *o.Line
			}
			c.Occurrences = append(c.Occurrences, at)
		}
	}
	properties(c, elements(in.Properties))
	return c
}

// identify says which package a component is. The purl decides, but for its case:
// npm has packages with capitals, whose purls many tools write in lower case, and
// those are other packages.
func (r *documentReader) identify(c *Component, in *cdx.Component) {
	scoped := strings.HasPrefix(in.Group, "@")
	switch {
	case scoped:
		c.Ecosystem, c.Name = NPM, in.Group+"/"+in.Name
	case in.Group != "" && !strings.HasPrefix(in.Name, in.Group+"/"):
		c.Name = in.Group + "/" + in.Name
	}
	if in.PackageURL == "" {
		return
	}
	p, err := packageurl.FromString(in.PackageURL)
	if err != nil {
		r.problem(Invalid, 0, fmt.Sprintf("the purl %q of %s is none: %v", in.PackageURL, c.Name, err), "have the tool that wrote the document mend it")
		return
	}
	c.Ecosystem = Ecosystem(p.Type)
	for i, q := range p.Qualifiers {
		p.Qualifiers[i].Value = redactQualifier(q)
	}
	if c.Ecosystem != NPM {
		c.PURL = p.ToString()
		return
	}
	name := p.Name
	if p.Namespace != "" {
		name = p.Namespace + "/" + p.Name
	}
	if !scoped && in.Group != "" && strings.EqualFold(name, "@"+in.Group+"/"+in.Name) {
		c.Name = "@" + in.Group + "/" + in.Name // some write the scope without its sign
	}
	if name != c.Name && strings.EqualFold(name, c.Name) {
		name = c.Name
	}
	if name != c.Name {
		r.problem(Warning, 0, fmt.Sprintf("the component %q says by its purl that it is %s", c.Name, name), "the purl is taken; have the tool that wrote the document mend it")
	}
	version := cmp.Or(p.Version, in.Version)
	if in.Version != "" && p.Version != "" && in.Version != p.Version {
		r.problem(Warning, 0, fmt.Sprintf("the component %s is version %q, and %q by its purl", name, in.Version, p.Version), "the purl is taken; have the tool that wrote the document mend it")
	}
	c.Name, c.Version = name, version
	namespace, bare := splitScope(name)
	c.PURL = packageurl.NewPackageURL(packageurl.TypeNPM, namespace, bare, p.Version, p.Qualifiers, p.Subpath).ToString()
}

// redactQualifier takes what could be a credential out of the URL in a qualifier.
func redactQualifier(q packageurl.Qualifier) string {
	if q.Key == "vcs_url" || strings.HasSuffix(q.Key, "_url") {
		return RedactURL(q.Value)
	}
	return q.Value
}

func hashes(in *[]cdx.Hash) []Hash {
	var out []Hash
	for _, h := range elements(in) {
		for name, algorithm := range hashNames {
			if algorithm == h.Algorithm {
				out = append(out, Hash{Algorithm: name, Value: h.Value})
			}
		}
	}
	return out
}

// license is what the component declares: one expression, or all its licences.
func license(in *cdx.Licenses) string {
	if in == nil {
		return ""
	}
	var all []string
	for _, l := range *in {
		switch {
		case l.Expression != "":
			all = append(all, l.Expression)
		case l.License != nil:
			all = append(all, cmp.Or(l.License.ID, l.License.Name))
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	for i, text := range all {
		if strings.ContainsAny(text, " ") {
			all[i] = "(" + text + ")"
		}
	}
	return strings.Join(all, " AND ")
}

// properties reads those that have a field of their own.
func properties(c *Component, in []cdx.Property) {
	if slices.ContainsFunc(in, func(p cdx.Property) bool {
		return strings.HasPrefix(p.Name, "countermark:mcp:") && p.Name != "countermark:mcp:url"
	}) {
		c.Server = &Server{}
	}
	for _, p := range in {
		if p.Value == "" || c.Server != nil && serverProperty(c.Server, p) || c.Ecosystem == NPM && p.Value == "true" && mark(c, p.Name) {
			continue
		}
		c.Properties = append(c.Properties, Property(p))
	}
	if c.Server != nil && len(c.Occurrences) > 0 {
		c.Server.File, c.Server.Line = c.Occurrences[0].Path, c.Occurrences[0].Line
	}
}

func mark(c *Component, name string) bool {
	switch name {
	case "cdx:npm:package:bundled":
		c.Bundled = true
	case "cdx:npm:package:development":
		c.Development = true
	case "cdx:npm:package:extraneous":
		c.Extraneous = true
	case "cdx:npm:package:private":
		c.Private = true
	default:
		return false
	}
	return true
}

func serverProperty(s *Server, p cdx.Property) bool {
	name, ours := strings.CutPrefix(p.Name, "countermark:mcp:")
	if !ours {
		return false
	}
	switch name {
	case "client":
		s.Client = p.Value
	case "server":
		s.Name = p.Value
	case "transport":
		s.Transport = p.Value
	case "launcher":
		s.Launcher = p.Value
	case "kind":
		s.Kind = Kind(p.Value)
	case "spec":
		s.Spec = p.Value
	case "pin":
		s.Pin = Pin(p.Value)
	case "disabled":
		s.Disabled = p.Value == "true"
	case "reason":
		s.Reason = p.Value
	case "env":
		s.Env = append(s.Env, p.Value)
	case "credential":
		s.Credentials = append(s.Credentials, p.Value)
	case "auto-approve":
		s.AutoApprove = append(s.AutoApprove, p.Value)
	default:
		return false
	}
	return true
}

func (r *documentReader) remotes(list *[]cdx.Service) {
	for _, s := range elements(list) {
		out := &Service{Ref: cmp.Or(s.BOMRef, s.Name), Name: s.Name}
		if endpoints := elements(s.Endpoints); len(endpoints) > 0 {
			out.Endpoint = RedactURL(endpoints[0])
		}
		for _, p := range elements(s.Properties) {
			if p.Name == "countermark:mcp:url" {
				out.URL = p.Value
			}
		}
		r.services[out.Ref] = true
		r.inv.Services = append(r.inv.Services, out)
		r.remotes(s.Services)
	}
}

func (r *documentReader) edges(document *cdx.BOM) {
	missing := func(ref string) bool { return r.at[ref] == nil && !r.services[ref] }
	for _, d := range elements(document.Dependencies) {
		if missing(d.Ref) {
			r.problem(Invalid, 0, fmt.Sprintf("the dependencies of %q are given, which the document does not have", d.Ref), "have the tool that wrote the document mend it")
			continue
		}
		for _, to := range elements(d.Dependencies) {
			if missing(to) {
				r.problem(Invalid, 0, fmt.Sprintf("%q depends on %q, which the document does not have", d.Ref, to), "have the tool that wrote the document mend it")
				continue
			}
			r.inv.Edges[d.Ref] = append(r.inv.Edges[d.Ref], to)
		}
	}
	for from, to := range r.inv.Edges {
		slices.Sort(to)
		r.inv.Edges[from] = slices.Compact(to)
	}
}

func (r *documentReader) coverage(document *cdx.BOM) {
	for _, composition := range elements(document.Compositions) {
		coverage := UnknownCoverage
		switch {
		case composition.Aggregate == cdx.CompositionAggregateComplete:
			coverage = CompleteCoverage
		case strings.HasPrefix(string(composition.Aggregate), "incomplete"):
			coverage = IncompleteCoverage
		}
		for _, ref := range elements(composition.Dependencies) {
			if c := r.at[string(ref)]; c != nil {
				c.Coverage = coverage
			}
		}
	}
}

func elements[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}
