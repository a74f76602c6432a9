package bom

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Limits of one document. What goes beyond them is refused, never read in part.
const (
	MaxSize   = 64 << 20  // bytes
	MaxDepth  = 256       // objects, arrays or elements in each other
	MaxValues = 4_000_000 // of keys, values, elements and attributes
)

// Document is a CycloneDX document that was read.
type Document struct {
	BOM     *cdx.BOM
	Format  string // "json" or "xml"
	Version string // "1.2" to "1.7"
	// Unread are the fields that are not in BOM, since CycloneDX has no such field
	// there or since its library does not know it.
	Unread []Loss

	strange *Error // a component of no type that CycloneDX has
}

// Writable says why no valid document can be made of this one. It can be read all the
// same: what a component is called does not depend on its type.
func (d *Document) Writable() error {
	if d.strange != nil {
		return d.strange
	}
	return nil
}

// Loss names a field that did not come along.
type Loss struct {
	Field   string // "components[].evidence.occurrences[].line", as JSON names it
	Count   int    // how many values
	Line    int    // of the first one in the file that was read; 0 where unknown
	Changed bool   // values came along, but others
}

// String says the loss in a few words.
func (l Loss) String() string {
	what := "is left out"
	if l.Changed {
		what = "is changed"
	}
	if l.Count > 1 {
		return fmt.Sprintf("%s %s %d times", l.Field, what, l.Count)
	}
	return l.Field + " " + what
}

// Error is a document that cannot be read.
type Error struct {
	Line    int // from 1; 0 where unknown
	Column  int // from 1, in bytes; 0 where unknown
	Message string
	Hint    string
}

// Error says what is wrong in one line, with the place.
func (e *Error) Error() string {
	switch {
	case e.Line > 0 && e.Column > 0:
		return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message)
	case e.Line > 0:
		return fmt.Sprintf("%d: %s", e.Line, e.Message)
	default:
		return e.Message
	}
}

// The kinds of bills of materials that Sniff tells apart.
const (
	KindCycloneDXJSON = "cyclonedx-json"
	KindCycloneDXXML  = "cyclonedx-xml"
	KindSPDXJSON      = "spdx-json"
	KindSPDXText      = "spdx-tag-value"
	KindSPDXXML       = "spdx-xml"
)

// sniffed is how much of a file is looked at to tell its kind.
const sniffed = 4096

// Sniff returns the kind of a bill of materials by its content, or "". It looks at
// the beginning only, and says nothing about the rest.
func Sniff(data []byte) string {
	data = withoutMark(data)
	text := bytes.TrimSpace(data[:min(len(data), sniffed)])
	switch {
	case bytes.HasPrefix(text, []byte("SPDXVersion:")):
		return KindSPDXText
	case bytes.HasPrefix(text, []byte("<")):
		return sniffXML(text)
	case bytes.HasPrefix(text, []byte("{")):
		return sniffJSON(data)
	default:
		return ""
	}
}

func sniffXML(text []byte) string {
	if bytes.Contains(text, []byte(namespace)) {
		return KindCycloneDXXML
	}
	if bytes.Contains(text, []byte("spdx.org/rdf")) {
		return KindSPDXXML
	}
	return ""
}

// Versions returns the versions that can be read and written.
func Versions() []string { return slices.Clone(versionNames) }

var versionNames = []string{"1.2", "1.3", "1.4", "1.5", "1.6", "1.7"}

func specVersion(name string) (cdx.SpecVersion, bool) {
	i := slices.Index(versionNames, name)
	return cdx.SpecVersion1_2 + cdx.SpecVersion(i), i >= 0
}

// namespace is what the XML namespaces of all versions begin with.
const namespace = "http://cyclonedx.org/schema/bom/"

// Read reads a document, whatever its format. The error is an *Error.
func Read(data []byte) (*Document, error) {
	if len(data) > MaxSize {
		return nil, &Error{Message: fmt.Sprintf("larger than %d bytes", MaxSize), Hint: "split the document into several"}
	}
	text := withoutMark(data)
	switch kind := Sniff(data); kind {
	case KindCycloneDXXML:
		return readXML(text)
	case KindCycloneDXJSON:
		return readJSON(text)
	case "":
		// It may be a broken one: then the parser says where.
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
			return readJSON(text)
		}
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
			return readXML(text)
		}
		return nil, &Error{Message: "no CycloneDX document: it is neither JSON nor XML", Hint: "name a CycloneDX document in JSON or XML"}
	default:
		return nil, &Error{Message: "an SPDX document (" + kind + "), which is not read", Hint: "convert it to CycloneDX with the tool that wrote it, or have that tool write CycloneDX"}
	}
}

func withoutMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

func readJSON(data []byte) (*Document, error) {
	in, err := scanJSON(data)
	if err != nil {
		return nil, err
	}
	if in.format != cdx.BOMFormat {
		return nil, &Error{Line: 1, Message: fmt.Sprintf("bomFormat is %q: expected %q", in.format, cdx.BOMFormat), Hint: "name a CycloneDX document"}
	}
	version, ok := specVersion(in.version)
	if !ok {
		return nil, unsupported(in.version)
	}
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		return nil, jsonError(data, err)
	}
	bom.BOMFormat = cdx.BOMFormat
	if !in.numbered {
		bom.Version = 1 // its default
	}
	doc, err := finish(bom, "json", version, in.facts)
	if err != nil {
		return nil, err
	}
	doc.strange = in.strange
	return doc, nil
}

func readXML(data []byte) (*Document, error) {
	s := newXMLScanner(data)
	bom := new(cdx.BOM)
	if err := xml.NewTokenDecoder(s).Decode(bom); err != nil {
		return nil, s.problem(err)
	}
	if err := s.rest(); err != nil {
		return nil, s.problem(err)
	}
	version, ok := specVersion(s.version)
	if !ok {
		return nil, unsupported(s.version)
	}
	bom.BOMFormat = cdx.BOMFormat
	if !s.numbered {
		bom.Version = 1
	}
	doc, err := finish(bom, "xml", version, s.facts)
	if err != nil {
		return nil, err
	}
	doc.strange = s.strange
	return doc, nil
}

func unsupported(version string) *Error {
	return &Error{
		Message: fmt.Sprintf("CycloneDX %q is not read: expected %s to %s", version, versionNames[0], versionNames[len(versionNames)-1]),
		Hint:    "have the tool that wrote it write CycloneDX 1.6",
	}
}

// finish compares what was read with what it would be written as.
func finish(bom *cdx.BOM, format string, version cdx.SpecVersion, in facts) (*Document, error) {
	setVersion(bom, version)
	repair(bom, version, format)
	doc := &Document{BOM: bom, Format: format, Version: version.String()}
	again, err := encode(bom, format)
	if err != nil {
		return nil, &Error{Message: "no valid CycloneDX: " + err.Error(), Hint: "have the document written again, and validate it with the schema of its version"}
	}
	out, err := factsOf(again, format)
	if err != nil {
		return nil, &Error{Message: "cannot be written again: " + err.Error(), Hint: "have the document written again"}
	}
	doc.Unread = in.lost(out)
	return doc, nil
}

// setVersion makes a document one of that version, without changing what it holds.
func setVersion(bom *cdx.BOM, version cdx.SpecVersion) {
	bom.SpecVersion = version
	bom.XMLNS = namespace + version.String()
	bom.JSONSchema = fmt.Sprintf("http://cyclonedx.org/schema/bom-%s.schema.json", version)
	bom.BOMFormat = cdx.BOMFormat
}

func factsOf(data []byte, format string) (facts, error) {
	if format == "json" {
		s, err := scanJSON(data)
		if err != nil {
			return nil, err
		}
		return s.facts, nil
	}
	s := newXMLScanner(data)
	for {
		if _, err := s.Token(); err != nil {
			if s.depth == 0 && s.err == nil {
				return s.facts, nil
			}
			return nil, s.problem(err)
		}
	}
}

// facts are the values of a document, by field. They are counted and summed, not
// kept: two documents with the same facts hold the same values in the same fields,
// in whatever order.
type facts map[string]*fact

type fact struct {
	n    int
	sum  uint64 // of the values' hashes
	line int    // of the first
}

// add counts a value. An empty string, false and null say no more than a field
// that is absent.
func (f facts) add(field, value string, line func() int) {
	if value == "" || value == "false" || value == "null" {
		return
	}
	known := f[field]
	if known == nil {
		known = &fact{line: line()}
		f[field] = known
	}
	known.n++
	known.sum += hash(value)
}

// lost names what is in f and not in out.
func (f facts) lost(out facts) []Loss {
	var losses []Loss
	for field, in := range f {
		there := out[field]
		if there == nil {
			there = &fact{}
		}
		switch {
		case in.n > there.n:
			losses = append(losses, Loss{Field: field, Count: in.n - there.n, Line: in.line})
		case in.n == there.n && in.sum != there.sum:
			losses = append(losses, Loss{Field: field, Count: 1, Line: in.line, Changed: true})
		}
	}
	slices.SortFunc(losses, func(x, y Loss) int { return cmp.Compare(x.Field, y.Field) })
	return losses
}

// hash is FNV-1a, 64 bits.
func hash(s string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return h
}

// place returns line and column of an offset, from 1.
func place(data []byte, offset int64) (line, column int) {
	before := data[:min(max(offset, 0), int64(len(data)))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

func tooMany() *Error {
	return &Error{Message: fmt.Sprintf("more than %d values", MaxValues), Hint: "split the document into several"}
}

func tooDeep(line int) *Error {
	return &Error{Line: line, Message: fmt.Sprintf("deeper than %d levels", MaxDepth), Hint: "flatten the document"}
}

// strangeType returns what is wrong with the type of a component, or nil.
func strangeType(name string, line int) *Error {
	if _, ok := componentTypes[cdx.ComponentType(name)]; ok || name == "" {
		return nil
	}
	return &Error{
		Line: line, Message: fmt.Sprintf("no version of CycloneDX has components of type %q", shorten(name)),
		Hint: "correct the type, or have the document written again",
	}
}

// references notes where each bom-ref is defined.
type references map[string]definition

type definition struct {
	line  int
	where circle
}

// circle is where a bom-ref may be defined more than once.
type circle string

// The makers of a document, tools and annotators, may be named more than once: cdxgen
// names itself as both, with one bom-ref. So may the parts of how something was made,
// as they are in the specification's own examples: a workspace stands in a workflow and
// in its tasks.
const (
	alone   circle = ""
	makers  circle = "makers"
	process circle = "formulation"
)

// define takes a bom-ref. No two components, services or other parts of a document
// share one.
func (r references) define(ref string, line int, where circle) *Error {
	first, ok := r[ref]
	if !ok {
		r[ref] = definition{line, where}
		return nil
	}
	if where != alone && first.where == where {
		return nil
	}
	return &Error{
		Line:    line,
		Message: fmt.Sprintf("the bom-ref %q is already that of line %d", shorten(ref), first.line),
		Hint:    "every bom-ref of a document must be unique; have it written again",
	}
}

// shorten keeps messages readable.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
