package bom

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"countermark/sbom/visible"
)

// lines writes the elements of a document's long lists, each member on a line of its
// own. What nearly all of them are made of it writes itself, in a third of the time
// that encoding/json needs by reflection; one that holds anything else is left to that
// as a whole, so that its bytes are always what the library gives it.
type lines struct {
	out     []byte
	depth   int
	first   bool // of what is open, nothing is written yet
	other   bool // there is something that only the library writes
	strange bool // there is a text that visible.JSON has to look at
}

// writeElements writes some elements of a list of the document.
func writeElements[T any](l *lines, values []T, write func(*lines, *T), last bool) error {
	const depth = 2
	for i := range values {
		l.out = append(l.out, "    "...)
		start := len(l.out)
		l.depth, l.other = depth, false
		write(l, &values[i])
		if l.other {
			l.strange = true
			l.out = l.out[:start]
			text, err := compact(&values[i])
			if err != nil {
				return err
			}
			l.out = indent(l.out, text, depth)
		}
		if i < len(values)-1 || !last {
			l.out = append(l.out, ',')
		}
		l.out = append(l.out, '\n')
	}
	return nil
}

// compact is what encoding/json writes of a value.
func compact(value any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func (l *lines) open(bracket byte) {
	l.out = append(l.out, bracket)
	l.depth++
	l.first = true
}

func (l *lines) close(bracket byte) {
	l.depth--
	if !l.first {
		l.out = newLine(l.out, l.depth)
	}
	l.out = append(l.out, bracket)
	l.first = false
}

func (l *lines) next() {
	if !l.first {
		l.out = append(l.out, ',')
	}
	l.out = newLine(l.out, l.depth)
	l.first = false
}

func (l *lines) key(name string) {
	l.next()
	l.out = append(l.out, '"')
	l.out = append(l.out, name...)
	l.out = append(l.out, `": `...)
}

func (l *lines) text(name, value string) {
	l.key(name)
	l.quote(value)
}

// filled writes a text that is left out where it is empty.
func (l *lines) filled(name, value string) {
	if value != "" {
		l.text(name, value)
	}
}

func (l *lines) quote(value string) {
	if !visible.Plain(value) {
		l.strange = true
		text, err := compact(value)
		l.other = l.other || err != nil
		l.out = append(l.out, text...)
		return
	}
	l.out = append(l.out, '"')
	if strings.IndexByte(value, '"') < 0 && strings.IndexByte(value, '\\') < 0 {
		l.out = append(l.out, value...)
	} else {
		for i := range len(value) {
			if value[i] == '"' || value[i] == '\\' {
				l.out = append(l.out, '\\')
			}
			l.out = append(l.out, value[i])
		}
	}
	l.out = append(l.out, '"')
}

// writeList writes a list that is left out where there is none.
func writeList[T any](l *lines, name string, values *[]T, write func(*lines, *T)) {
	if values == nil {
		return
	}
	l.other = l.other || *values == nil
	l.key(name)
	l.open('[')
	for i := range *values {
		l.next()
		write(l, &(*values)[i])
	}
	l.close(']')
}

func (l *lines) component(c *cdx.Component) {
	l.other = l.other || *c != cdx.Component{
		BOMRef: c.BOMRef, Type: c.Type, Group: c.Group, Name: c.Name, Version: c.Version, Scope: c.Scope, Hashes: c.Hashes,
		Licenses: c.Licenses, PackageURL: c.PackageURL, ExternalReferences: c.ExternalReferences, Properties: c.Properties,
		Evidence: c.Evidence,
	}
	l.open('{')
	l.filled("bom-ref", c.BOMRef)
	l.text("type", string(c.Type))
	l.filled("group", c.Group)
	l.text("name", c.Name)
	l.filled("version", c.Version)
	l.filled("scope", string(c.Scope))
	writeList(l, "hashes", c.Hashes, (*lines).hash)
	writeList(l, "licenses", (*[]cdx.LicenseChoice)(c.Licenses), (*lines).license)
	l.filled("purl", c.PackageURL)
	writeList(l, "externalReferences", c.ExternalReferences, (*lines).reference)
	writeList(l, "properties", c.Properties, (*lines).property)
	if e := c.Evidence; e != nil {
		l.other = l.other || *e != cdx.Evidence{Occurrences: e.Occurrences}
		l.key("evidence")
		l.open('{')
		writeList(l, "occurrences", e.Occurrences, (*lines).occurrence)
		l.close('}')
	}
	l.close('}')
}

func (l *lines) hash(h *cdx.Hash) {
	l.open('{')
	l.text("alg", string(h.Algorithm))
	l.text("content", h.Value)
	l.close('}')
}

// license writes an expression. That of a single licence has a form of its own.
func (l *lines) license(c *cdx.LicenseChoice) {
	l.other = l.other || *c != cdx.LicenseChoice{Expression: c.Expression, Acknowledgement: c.Acknowledgement}
	l.open('{')
	l.filled("expression", c.Expression)
	if c.Acknowledgement != nil {
		l.text("acknowledgement", string(*c.Acknowledgement))
	}
	l.close('}')
}

func (l *lines) reference(r *cdx.ExternalReference) {
	l.other = l.other || *r != cdx.ExternalReference{URL: r.URL, Hashes: r.Hashes, Type: r.Type}
	l.open('{')
	l.text("url", r.URL)
	writeList(l, "hashes", r.Hashes, (*lines).hash)
	l.text("type", string(r.Type))
	l.close('}')
}

func (l *lines) property(p *cdx.Property) {
	l.open('{')
	l.text("name", p.Name)
	l.text("value", p.Value)
	l.close('}')
}

func (l *lines) occurrence(o *cdx.EvidenceOccurrence) {
	l.other = l.other || *o != cdx.EvidenceOccurrence{Location: o.Location, Line: o.Line, AdditionalContext: o.AdditionalContext}
	l.open('{')
	l.filled("location", o.Location)
	if o.Line != nil {
		l.key("line")
		l.out = strconv.AppendInt(l.out, int64(*o.Line), 10)
	}
	l.filled("additionalContext", o.AdditionalContext)
	l.close('}')
}

func (l *lines) dependency(d *cdx.Dependency) {
	l.other = l.other || *d != cdx.Dependency{Ref: d.Ref, Dependencies: d.Dependencies}
	l.open('{')
	l.text("ref", d.Ref)
	writeList(l, "dependsOn", d.Dependencies, func(l *lines, ref *string) { l.quote(*ref) })
	l.close('}')
}
