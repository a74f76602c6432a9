// Package diff says what differs between two CycloneDX documents of any tool: in
// flow two documents as sbom/bom reads them, out flows a [Result].
//
// Components and services are compared, those inside of others included. One is the
// same in both documents where its purl without the version is the same, or, without
// a purl, its type, group and name. Then the versions are looked at: a version that
// both have is compared field by field; where one version is left on either side, it
// is a change of version; whatever else is left was added or removed. bom-refs mean
// nothing, since they are any text that a tool likes, and dependencies are compared
// by what the refs stand for, without versions, so that an upgrade is not reported
// again by everything that depends on it.
package diff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"countermark/sbom/bom"
)

// Result is the difference. Every list is sorted.
type Result struct {
	SchemaVersion int      `json:"schemaVersion"` // 1
	Old           Side     `json:"old"`
	New           Side     `json:"new"`
	Added         []Entry  `json:"added"`
	Removed       []Entry  `json:"removed"`
	Changed       []Change `json:"changed"`
	Moved         []Move   `json:"moved"` // between scopes
}

// Side describes one of the documents.
type Side struct {
	Subject     string `json:"subject"` // name@version of metadata.component; empty where there is none
	SpecVersion string `json:"specVersion"`
	Components  int    `json:"components"`
	Services    int    `json:"services"`
}

// Entry names a component or a service.
type Entry struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
	Type    string `json:"type"` // of the component, or "service"
	Scope   string `json:"scope,omitempty"`
}

// Change is a component that both have.
type Change struct {
	Entry          // as it is in the new document
	Fields []Field `json:"fields"`
}

// Field is one thing that differs. Of lists, Old has what is gone and New what is
// new.
type Field struct {
	Name string   `json:"name"` // "version", "licenses", "hashes", "dependencies", …
	Old  []string `json:"old"`
	New  []string `json:"new"`
}

// Move is a component that went from one scope into another.
type Move struct {
	Entry
	From string `json:"from"`
	To   string `json:"to"`
}

// Empty reports whether nothing differs.
func (r *Result) Empty() bool {
	return len(r.Added)+len(r.Removed)+len(r.Changed)+len(r.Moved) == 0
}

// Compare compares two documents.
func Compare(older, newer *bom.Document) *Result {
	x, y := sideOf(older), sideOf(newer)
	r := &Result{SchemaVersion: 1, Old: x.Side, New: y.Side, Added: []Entry{}, Removed: []Entry{}, Changed: []Change{}, Moved: []Move{}}
	keys := maps.Clone(x.by)
	maps.Copy(keys, y.by)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		r.compare(x.by[key], y.by[key])
	}
	return r
}

// item is one component or service with all that is compared.
type item struct {
	Entry
	fields map[string][]string
}

type side struct {
	Side
	by    map[string][]item
	named map[string]string // what a bom-ref stands for
}

func sideOf(d *bom.Document) side {
	s := side{Side: Side{SpecVersion: d.Version}, by: map[string][]item{}, named: map[string]string{}}
	depends := map[string][]string{}
	for _, dependency := range elements(d.BOM.Dependencies) {
		depends[dependency.Ref] = append(depends[dependency.Ref], elements(dependency.Dependencies)...)
	}
	all := []cdx.Component{}
	if m := d.BOM.Metadata; m != nil && m.Component != nil {
		s.Subject = strings.TrimSuffix(full(m.Component)+"@"+m.Component.Version, "@")
		s.named[m.Component.BOMRef] = "the subject"
		all = flat(elements(m.Component.Components))
	}
	all = append(all, flat(elements(d.BOM.Components))...)
	services := flatServices(elements(d.BOM.Services))
	s.Components, s.Services = len(all), len(services)
	for i := range all {
		s.named[all[i].BOMRef] = key(&all[i])
	}
	for i := range services {
		s.named[services[i].BOMRef] = "service " + services[i].Name
	}
	for i := range all {
		s.add(key(&all[i]), component(&all[i], s.targets(depends[all[i].BOMRef])))
	}
	for i := range services {
		s.add("service "+services[i].Name, service(&services[i], s.targets(depends[services[i].BOMRef])))
	}
	return s
}

func (s *side) add(key string, it item) { s.by[key] = append(s.by[key], it) }

// targets names what refs stand for.
func (s *side) targets(refs []string) []string {
	var out []string
	for _, ref := range refs {
		out = append(out, cmp.Or(s.named[ref], ref))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func flat(list []cdx.Component) []cdx.Component {
	var out []cdx.Component
	for _, c := range list {
		out = append(append(out, c), flat(elements(c.Components))...)
	}
	return out
}

func flatServices(list []cdx.Service) []cdx.Service {
	var out []cdx.Service
	for _, s := range list {
		out = append(append(out, s), flatServices(elements(s.Services))...)
	}
	return out
}

// key is what makes a component the same one in both documents.
func key(c *cdx.Component) string {
	if p, err := packageurl.FromString(c.PackageURL); err == nil {
		p.Version = ""
		return p.ToString()
	}
	return string(c.Type) + " " + full(c)
}

func full(c *cdx.Component) string {
	if c.Group == "" {
		return c.Name
	}
	return c.Group + "/" + c.Name
}

func component(c *cdx.Component, targets []string) item {
	it := item{
		Entry:  Entry{Name: full(c), Version: c.Version, PURL: c.PackageURL, Type: string(c.Type), Scope: string(cmp.Or(c.Scope, cdx.ScopeRequired))},
		fields: map[string][]string{"dependencies": targets, "cpe": text(c.CPE), "publisher": text(c.Publisher), "copyright": text(c.Copyright), "description": text(c.Description)},
	}
	if c.Supplier != nil {
		it.fields["supplier"] = text(c.Supplier.Name)
	}
	for _, h := range elements(c.Hashes) {
		it.fields["hashes"] = append(it.fields["hashes"], string(h.Algorithm)+" "+h.Value)
	}
	if c.Licenses != nil {
		for _, l := range *c.Licenses {
			switch {
			case l.Expression != "":
				it.fields["licenses"] = append(it.fields["licenses"], l.Expression)
			case l.License != nil:
				it.fields["licenses"] = append(it.fields["licenses"], cmp.Or(l.License.ID, l.License.Name))
			}
		}
	}
	for _, r := range elements(c.ExternalReferences) {
		it.fields["externalReferences"] = append(it.fields["externalReferences"], string(r.Type)+" "+r.URL)
	}
	for _, p := range elements(c.Properties) {
		it.fields["properties"] = append(it.fields["properties"], p.Name+"="+p.Value)
	}
	if c.Pedigree != nil {
		if data, err := json.Marshal(c.Pedigree); err == nil {
			it.fields["pedigree"] = []string{string(data)}
		}
	}
	return it
}

func service(s *cdx.Service, targets []string) item {
	it := item{
		Entry:  Entry{Name: s.Name, Version: s.Version, Type: "service"},
		fields: map[string][]string{"dependencies": targets, "endpoints": slices.Clone(elements(s.Endpoints))},
	}
	for _, p := range elements(s.Properties) {
		it.fields["properties"] = append(it.fields["properties"], p.Name+"="+p.Value)
	}
	return it
}

func text(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// compare compares all versions of one component.
func (r *Result) compare(older, newer []item) {
	older, newer = sorted(older), sorted(newer)
	var gone, fresh []item
	for _, version := range versions(older, newer) {
		x, y := of(older, version), of(newer, version)
		n := min(len(x), len(y))
		for i := range n {
			r.change(x[i], y[i])
		}
		gone, fresh = append(gone, x[n:]...), append(fresh, y[n:]...)
	}
	if len(gone) == 1 && len(fresh) == 1 {
		r.change(gone[0], fresh[0])
		return
	}
	for _, it := range gone {
		r.Removed = append(r.Removed, it.Entry)
	}
	for _, it := range fresh {
		r.Added = append(r.Added, it.Entry)
	}
}

func sorted(items []item) []item {
	return slices.SortedStableFunc(slices.Values(items), func(x, y item) int {
		return cmp.Or(cmp.Compare(x.Version, y.Version), cmp.Compare(x.PURL, y.PURL), slices.Compare(x.fields["hashes"], y.fields["hashes"]))
	})
}

func versions(lists ...[]item) []string {
	var out []string
	for _, it := range slices.Concat(lists...) {
		out = append(out, it.Version)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func of(items []item, version string) []item {
	return slices.DeleteFunc(slices.Clone(items), func(it item) bool { return it.Version != version })
}

func (r *Result) change(x, y item) {
	if x.Scope != y.Scope {
		r.Moved = append(r.Moved, Move{Entry: y.Entry, From: x.Scope, To: y.Scope})
	}
	var fields []Field
	if x.Version != y.Version {
		fields = append(fields, Field{Name: "version", Old: text(x.Version), New: text(y.Version)})
	}
	if x.Type != y.Type {
		fields = append(fields, Field{Name: "type", Old: text(x.Type), New: text(y.Type)})
	}
	names := maps.Clone(x.fields)
	maps.Copy(names, y.fields)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, fresh := without(x.fields[name], y.fields[name]), without(y.fields[name], x.fields[name])
		if len(old)+len(fresh) > 0 {
			fields = append(fields, Field{Name: name, Old: old, New: fresh})
		}
	}
	if len(fields) == 0 {
		return
	}
	for i := range fields {
		fields[i].Old, fields[i].New = none(fields[i].Old), none(fields[i].New)
	}
	r.Changed = append(r.Changed, Change{Entry: y.Entry, Fields: fields})
}

// none is an empty list where there is none, which JSON tells apart.
func none(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// without is what x has and y has not, sorted.
func without(x, y []string) []string {
	known := map[string]bool{}
	for _, s := range y {
		known[s] = true
	}
	var out []string
	for _, s := range x {
		if !known[s] {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// String names an entry for people.
func (e Entry) String() string {
	if e.Version == "" {
		return e.Name
	}
	return e.Name + "@" + e.Version
}

// String says a field's change in a line.
func (f Field) String() string {
	switch {
	case len(f.Old) == 0:
		return fmt.Sprintf("%s: + %s", f.Name, strings.Join(f.New, ", "))
	case len(f.New) == 0:
		return fmt.Sprintf("%s: - %s", f.Name, strings.Join(f.Old, ", "))
	default:
		return fmt.Sprintf("%s: %s → %s", f.Name, strings.Join(f.Old, ", "), strings.Join(f.New, ", "))
	}
}

func elements[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}
