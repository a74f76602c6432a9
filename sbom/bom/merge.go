package bom

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Merging says how documents become one.
type Merging struct {
	// Root describes what the merged document is about. Its dependencies are the
	// subjects of the documents. Without one the document has no subject.
	Root *cdx.Component
	// Hierarchical keeps the components of each document inside of its subject, as
	// they are, where otherwise all stand beside each other, once. It needs Root.
	Hierarchical bool
}

// Subject is a component that a merged document can be about. Group and version may
// be empty.
func Subject(group, name, version string) *cdx.Component {
	ref := name
	if group != "" {
		ref = group + "/" + ref
	}
	if version != "" {
		ref += "@" + version
	}
	return &cdx.Component{Type: cdx.ComponentTypeApplication, Group: group, Name: name, Version: version, BOMRef: ref}
}

// ErrNoRoot is a hierarchical merge without a subject.
var ErrNoRoot = errors.New("a hierarchical merge needs a subject")

// Merge makes one document of several, in the newest version among them, 1.5 at the
// least, and the format of the first. It says in conflicts what could not be joined.
//
// Components of one purl (without one: of one type, group, name and version) become
// one where they do not contradict each other: what only one says is taken, lists of
// places, references and properties are joined, and the strictest scope stays. A
// hash of the same algorithm with another value, another distribution, another
// licence is a contradiction: then both stay, and it is named. A bom-ref that two
// documents use for different things gets "#2". All else is joined list by list; of
// two single values that differ the first stays, and it is named. Signatures and
// serial numbers are of the documents that were merged, and stay behind.
//
// The order of components and dependencies is that of their bom-refs, so that it
// does not depend on how the documents were ordered, contradictions aside.
func Merge(documents []*Document, how Merging) (merged *Document, conflicts []string, err error) {
	if how.Hierarchical && how.Root == nil {
		return nil, nil, ErrNoRoot
	}
	m := merger{how: how, index: map[string][]*part{}, taken: map[string]bool{}, whole: map[string]any{}, depends: map[string]map[string]bool{}}
	if how.Root != nil {
		m.taken[how.Root.BOMRef] = true
	}
	version := documents[0].Version
	for i, d := range documents {
		version = max(version, d.Version)
		if err := m.add(i, d); err != nil {
			return nil, nil, err
		}
	}
	out, err := m.result()
	if err != nil {
		return nil, nil, err
	}
	target, _ := specVersion(max(version, "1.5")) // of which the tools are, see asComponents
	version = target.String()
	setVersion(out, target)
	out.Version = 1
	return &Document{BOM: out, Format: documents[0].Format, Version: version}, m.conflicts, nil
}

type merger struct {
	how       Merging
	taken     map[string]bool // bom-refs
	parts     []*part
	index     map[string][]*part // by identity
	services  []any
	subjects  []string
	depends   map[string]map[string]bool
	whole     map[string]any // the rest of the documents, in the terms of JSON
	conflicts []string
}

// part is a component of the result.
type part struct {
	identity string
	fields   map[string]any
}

func (m *merger) conflict(format string, args ...any) {
	m.conflicts = append(m.conflicts, fmt.Sprintf(format, args...))
}

func (m *merger) add(i int, d *Document) error {
	document, err := duplicate(d.BOM)
	if err != nil {
		return err
	}
	subject := subjectOf(document, i)
	all := append([]cdx.Component{}, elements(document.Components)...)
	if m.how.Hierarchical {
		subject.Components = joined(subject.Components, all)
		all = nil
	}
	all = append([]cdx.Component{*subject}, all...)
	rename, parts, err := m.place(all, document)
	if err != nil {
		return err
	}
	m.subjects = append(m.subjects, cmp.Or(rename[subject.BOMRef], subject.BOMRef))
	if document.Metadata != nil {
		document.Metadata.Component = nil
		document.Metadata.Tools = asComponents(document.Metadata.Tools)
	}
	services := document.Services
	dependencies := document.Dependencies
	document.Components, document.Services, document.Dependencies = nil, nil, nil
	document.SerialNumber, document.Signature = "", nil
	refs(reflect.ValueOf(document).Elem(), rename)
	refs(reflect.ValueOf(&services).Elem(), rename)
	refs(reflect.ValueOf(&dependencies).Elem(), rename)
	m.connect(elements(dependencies))
	m.parts = append(m.parts, parts...)
	for _, p := range parts {
		m.index[p.identity] = append(m.index[p.identity], p)
	}
	for _, s := range elements(services) {
		fields, err := tree(s)
		if err != nil {
			return err
		}
		m.services = union(m.services, []any{fields})
	}
	rest, err := tree(document)
	if err != nil {
		return err
	}
	for _, key := range []string{"$schema", "bomFormat", "specVersion", "version"} {
		delete(rest, key)
	}
	m.whole = m.join("", m.whole, rest)
	return nil
}

// asComponents gives tools the form that they have since 1.5, so that those of two
// documents can stand in one list. Written as an older version, they get the older
// form again.
func asComponents(tools *cdx.ToolsChoice) *cdx.ToolsChoice {
	if tools == nil || tools.Tools == nil {
		return tools
	}
	out := &cdx.ToolsChoice{}
	for _, t := range *tools.Tools {
		out.Components = joined(out.Components, []cdx.Component{{
			Type: cdx.ComponentTypeApplication, Publisher: t.Vendor, Name: t.Name, Version: t.Version, Hashes: t.Hashes, ExternalReferences: t.ExternalReferences,
		}})
	}
	return out
}

func joined[T any](list *[]T, more []T) *[]T {
	out := append(slices.Clone(elements(list)), more...)
	if len(out) == 0 {
		return nil
	}
	return &out
}

// subjectOf is what a document is about, with a bom-ref.
func subjectOf(document *cdx.BOM, i int) *cdx.Component {
	if document.Metadata != nil && document.Metadata.Component != nil {
		subject := *document.Metadata.Component
		subject.BOMRef = cmp.Or(subject.BOMRef, subject.PackageURL, fmt.Sprintf("document-%d", i+1))
		return &subject
	}
	ref := fmt.Sprintf("document-%d", i+1)
	return &cdx.Component{Type: cdx.ComponentTypeApplication, BOMRef: ref, Name: ref}
}

// place finds for each component of a document the part that it is, or makes one,
// and says which bom-refs have other names in the result.
func (m *merger) place(all []cdx.Component, document *cdx.BOM) (rename map[string]string, added []*part, err error) {
	rename = map[string]string{}
	merged := map[string]bool{}
	own := map[string]bool{}
	for _, c := range all {
		fields, err := tree(c)
		if err != nil {
			return nil, nil, err
		}
		p := &part{identity: identity(&c), fields: fields}
		if into := m.same(p); into != nil {
			if ref := text(into.fields["bom-ref"]); c.BOMRef != "" && ref != c.BOMRef {
				rename[c.BOMRef] = ref
			}
			merged[c.BOMRef] = true
			continue
		}
		added = append(added, p)
		defined(reflect.ValueOf(c), own)
	}
	defined(reflect.ValueOf(document.Services), own)
	if document.Metadata != nil {
		// A supplier's bom-ref and the like count as well.
		without := *document.Metadata
		without.Component = nil
		defined(reflect.ValueOf(without), own)
	}
	for _, ref := range slices.Sorted(maps.Keys(own)) {
		if merged[ref] {
			continue
		}
		name := ref
		for n := 2; m.taken[name] || name != ref && own[name]; n++ {
			name = fmt.Sprintf("%s#%d", ref, n)
		}
		if name != ref {
			rename[ref] = name
		}
		m.taken[name] = true
	}
	for _, p := range added {
		if err := p.rename(rename); err != nil {
			return nil, nil, err
		}
	}
	return rename, added, nil
}

func (p *part) rename(names map[string]string) error {
	var c cdx.Component
	if err := untree(p.fields, &c); err != nil {
		return err
	}
	refs(reflect.ValueOf(&c).Elem(), names)
	fields, err := tree(c)
	p.fields = fields
	return err
}

// same returns the part of an earlier document that p can be joined with.
func (m *merger) same(p *part) *part {
	for _, other := range m.index[p.identity] {
		if differ := contradiction(other.fields, p.fields); differ != "" {
			m.conflict("%s differs in %s: both stay", p.identity, differ)
			continue
		}
		other.take(p)
		return other
	}
	return nil
}

func identity(c *cdx.Component) string {
	if c.PackageURL != "" {
		return c.PackageURL
	}
	return strings.Trim(fmt.Sprintf("%s %s/%s@%s", c.Type, c.Group, c.Name, c.Version), "/@")
}

// lists are the fields of a component that say where and how it was found, or more
// about it: they add up.
var lists = []string{"properties", "externalReferences", "hashes", "tags", "components", "evidence"}

// contradiction names the first field by which two components cannot be one.
func contradiction(x, y map[string]any) string {
	for _, key := range slices.Sorted(maps.Keys(x)) {
		other, both := y[key]
		if !both || key == "bom-ref" || key == "scope" || slices.Contains(lists, key) {
			continue
		}
		if key == "licenses" && slices.Equal(licenses(x), licenses(y)) {
			continue // how they are known may differ
		}
		if !reflect.DeepEqual(x[key], other) {
			return key
		}
	}
	if clash(x["hashes"], y["hashes"], "alg", "content") {
		return "hashes"
	}
	if clash(distributions(x), distributions(y), "type", "url") {
		return "externalReferences"
	}
	if !reflect.DeepEqual(x["components"], y["components"]) {
		return "components"
	}
	return ""
}

func licenses(fields map[string]any) []string {
	var out []string
	for _, l := range list(fields["licenses"]) {
		license, _ := l["license"].(map[string]any)
		out = append(out, cmp.Or(text(l["expression"]), text(license["id"]), text(license["name"])))
	}
	slices.Sort(out)
	return out
}

func distributions(fields map[string]any) any {
	all, _ := fields["externalReferences"].([]any)
	return slices.DeleteFunc(slices.Clone(all), func(v any) bool {
		ref, _ := v.(map[string]any)
		return ref["type"] != string(cdx.ERTypeDistribution)
	})
}

// clash reports whether a value of one list has, under the same key, none of the
// values of the other.
func clash(x, y any, key, value string) bool {
	values := map[string]map[string]bool{}
	for _, v := range list(y) {
		k := text(v[key])
		if values[k] == nil {
			values[k] = map[string]bool{}
		}
		values[k][text(v[value])] = true
	}
	for _, v := range list(x) {
		if known := values[text(v[key])]; known != nil && !known[text(v[value])] {
			return true
		}
	}
	return false
}

func list(v any) []map[string]any {
	all, _ := v.([]any)
	var out []map[string]any
	for _, e := range all {
		if fields, ok := e.(map[string]any); ok {
			out = append(out, fields)
		}
	}
	return out
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// everyInstance are marks that hold only where they hold for every copy.
var everyInstance = []string{"cdx:npm:package:development", "cdx:npm:package:bundled", "cdx:npm:package:extraneous"}

// take joins what another document says of the same component.
func (p *part) take(other *part) {
	scope := strictest(text(p.fields["scope"]), text(other.fields["scope"]))
	mine, theirs := list(p.fields["properties"]), list(other.fields["properties"])
	has := func(all []map[string]any, name string) bool {
		return slices.ContainsFunc(all, func(v map[string]any) bool { return v["name"] == name })
	}
	var gone []string
	for _, name := range everyInstance {
		if has(mine, name) != has(theirs, name) {
			gone = append(gone, name)
		}
	}
	for key, value := range other.fields {
		if key == "licenses" && p.fields[key] != nil {
			continue // the same, as there is no contradiction
		}
		p.fields[key] = joinedValue(p.fields[key], value)
	}
	delete(p.fields, "scope")
	if scope != "" {
		p.fields["scope"] = scope
	}
	if all, ok := p.fields["properties"].([]any); ok {
		all = slices.DeleteFunc(all, func(v any) bool {
			property, _ := v.(map[string]any)
			return slices.Contains(gone, text(property["name"]))
		})
		p.fields["properties"] = all
		if len(all) == 0 {
			delete(p.fields, "properties")
		}
	}
}

// strictest is the scope of what is there twice. A component without a scope is
// required (CycloneDX, components[].scope).
func strictest(x, y string) string {
	for _, scope := range []string{"", "required", "optional"} {
		if x == scope || y == scope {
			return scope
		}
	}
	return x
}

func joinedValue(x, y any) any {
	switch known := x.(type) {
	case nil:
		return y
	case []any:
		more, _ := y.([]any)
		return union(known, more)
	case map[string]any:
		more, _ := y.(map[string]any)
		for key, value := range more {
			known[key] = joinedValue(known[key], value)
		}
		return known
	default:
		return x
	}
}

func union(x, y []any) []any {
	seen := map[string]bool{}
	var out []any
	for _, v := range slices.Concat(x, y) {
		key, err := json.Marshal(v)
		if err != nil || seen[string(key)] {
			continue
		}
		seen[string(key)] = true
		out = append(out, v)
	}
	return out
}

// join joins the rest of two documents, field by field.
func (m *merger) join(path string, x, y map[string]any) map[string]any {
	for _, key := range slices.Sorted(maps.Keys(y)) {
		at, have, more := strings.TrimPrefix(path+"."+key, "."), x[key], y[key]
		if at == "metadata.timestamp" {
			x[key] = max(text(have), text(more)) // the newest of them; there is no clock here
			continue
		}
		switch known := have.(type) {
		case nil:
			x[key] = more
		case []any:
			if list, ok := more.([]any); ok {
				x[key] = union(known, list)
				continue
			}
			m.conflict("%s has two forms: the first stays", at)
		case map[string]any:
			if fields, ok := more.(map[string]any); ok {
				x[key] = m.join(at, known, fields)
				continue
			}
			m.conflict("%s has two forms: the first stays", at)
		default:
			if !reflect.DeepEqual(have, more) {
				m.conflict("%s is %v and %v: the first stays", at, have, more)
			}
		}
	}
	return x
}

func (m *merger) connect(dependencies []cdx.Dependency) {
	for _, d := range dependencies {
		if m.depends[d.Ref] == nil {
			m.depends[d.Ref] = map[string]bool{}
		}
		for _, to := range elements(d.Dependencies) {
			m.depends[d.Ref][to] = true
		}
		for _, to := range elements(d.Provides) {
			m.depends[d.Ref]["\x00"+to] = true
		}
	}
}

func (m *merger) result() (*cdx.BOM, error) {
	if root := m.how.Root; root != nil {
		m.depends[root.BOMRef] = map[string]bool{}
		for _, subject := range m.subjects {
			m.depends[root.BOMRef][subject] = true
		}
	}
	m.whole["specVersion"] = cdx.SpecVersion1_7.String()
	out := new(cdx.BOM)
	if err := untree(m.whole, out); err != nil {
		return nil, err
	}
	var components []cdx.Component
	for _, p := range m.parts {
		var c cdx.Component
		if err := untree(p.fields, &c); err != nil {
			return nil, err
		}
		components = append(components, c)
	}
	slices.SortStableFunc(components, func(x, y cdx.Component) int {
		return cmp.Or(cmp.Compare(x.BOMRef, y.BOMRef), cmp.Compare(identity(&x), identity(&y)))
	})
	out.Components = joined(nil, components)
	var services []cdx.Service
	if err := untree(m.services, &services); err != nil {
		return nil, err
	}
	out.Services = joined(nil, services)
	if m.how.Root != nil {
		if out.Metadata == nil {
			out.Metadata = &cdx.Metadata{}
		}
		out.Metadata.Component = m.how.Root
	}
	for _, ref := range slices.Sorted(maps.Keys(m.depends)) {
		d := cdx.Dependency{Ref: ref}
		for _, to := range slices.Sorted(maps.Keys(m.depends[ref])) {
			if provided, ok := strings.CutPrefix(to, "\x00"); ok {
				d.Provides = joined(d.Provides, []string{provided})
			} else {
				d.Dependencies = joined(d.Dependencies, []string{to})
			}
		}
		out.Dependencies = joined(out.Dependencies, []cdx.Dependency{d})
	}
	return out, nil
}

func elements[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}

func duplicate(document *cdx.BOM) (*cdx.BOM, error) {
	var out cdx.BOM
	fields, err := tree(document)
	if err != nil {
		return nil, err
	}
	return &out, untree(fields, &out)
}

// tree is a value in the terms of JSON; numbers keep their digits.
func tree(v any) (map[string]any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode cyclonedx: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var out map[string]any
	return out, dec.Decode(&out)
}

func untree(fields, into any) error {
	data, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("encode cyclonedx: %w", err)
	}
	return json.Unmarshal(data, into)
}

// defined gathers the bom-refs that are defined in a value.
func defined(v reflect.Value, into map[string]bool) {
	visitRefs(v, func(ref reflect.Value, definition bool) {
		if definition && ref.String() != "" {
			into[ref.String()] = true
		}
	})
}

// refs gives bom-refs their new names, wherever they stand below v.
func refs(v reflect.Value, rename map[string]string) {
	if len(rename) == 0 {
		return
	}
	visitRefs(v, func(ref reflect.Value, _ bool) {
		if name, ok := rename[ref.String()]; ok && ref.CanSet() {
			ref.SetString(name)
		}
	})
}

// visitRefs finds all bom-refs below v: fields of their own type, fields named
// BOMRef, which define one, and the few that are plain text.
func visitRefs(v reflect.Value, visit func(ref reflect.Value, definition bool)) {
	switch v.Kind() { //nolint:exhaustive // nothing else holds references
	case reflect.Pointer:
		if !v.IsNil() {
			visitRefs(v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visitRefs(v.Index(i), visit)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[cdx.BOMReference]() {
			visit(v, false)
		}
	case reflect.Struct:
		visitFields(v, visit)
	}
}

func visitFields(v reflect.Value, visit func(ref reflect.Value, definition bool)) {
	if d, ok := reflect.TypeAssert[cdx.Dependency](v); ok {
		visit(v.FieldByName("Ref"), false)
		for _, list := range []*[]string{d.Dependencies, d.Provides} {
			for i := range elements(list) {
				visit(reflect.ValueOf(list).Elem().Index(i), false)
			}
		}
		return
	}
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		switch {
		case f.Kind() == reflect.String && name == "BOMRef":
			visit(f, true)
		case f.Kind() == reflect.String && name == "Ref":
			visit(f, false)
		case v.Type().Field(i).IsExported():
			visitRefs(f, visit)
		}
	}
}
