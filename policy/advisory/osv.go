package advisory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// The part of the OSV format that is read. Other fields are allowed.
type (
	osvRecord struct {
		ID         string         `json:"id"`
		Modified   string         `json:"modified"`
		Published  string         `json:"published"`
		Withdrawn  string         `json:"withdrawn"`
		Aliases    []string       `json:"aliases"`
		Summary    string         `json:"summary"`
		Affected   []osvAffected  `json:"affected"`
		References []osvReference `json:"references"`
	}
	osvAffected struct {
		Package  *osvPackage `json:"package"`
		Versions []string    `json:"versions"`
		Ranges   []osvRange  `json:"ranges"`
	}
	osvPackage struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	}
	osvRange struct {
		Type   string     `json:"type"`
		Events []osvEvent `json:"events"`
	}
	osvEvent struct {
		Introduced   *string `json:"introduced"`
		Fixed        *string `json:"fixed"`
		LastAffected *string `json:"last_affected"`
		Limit        *string `json:"limit"`
	}
	osvReference struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
)

// ecosystems maps the format's names to ours.
var ecosystems = map[string]sbom.Ecosystem{
	"npm":       sbom.NPM,
	"PyPI":      sbom.PyPI,
	"NuGet":     sbom.NuGet,
	"Go":        sbom.Golang,
	"crates.io": sbom.Cargo,
}

// maxDepth bounds how deeply a document may nest. Real records have less than
// ten levels.
const maxDepth = 64

func decode(data []byte) ([]osvRecord, error) {
	var records []osvRecord
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		var doc json.RawMessage
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, fmt.Errorf("advisories: byte %d: %w", dec.InputOffset(), err)
		}
		docs := []json.RawMessage{doc}
		if doc[0] == '[' {
			if err := json.Unmarshal(doc, &docs); err != nil {
				return nil, fmt.Errorf("advisories: %w", err)
			}
		}
		for _, raw := range docs {
			r, err := decodeRecord(raw)
			if err != nil {
				return nil, fmt.Errorf("advisories: record %d (%q): %w", len(records)+1, r.ID, err)
			}
			records = append(records, r)
		}
	}
}

func decodeRecord(raw json.RawMessage) (osvRecord, error) {
	var r osvRecord
	if len(raw) == 0 || raw[0] != '{' {
		return r, errors.New("is no JSON object")
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	return r, uniqueKeys(dec, 0)
}

// uniqueKeys reads one value and refuses an object with a key that it has
// already, in whatever case: which of the two counts would depend on the reader.
func uniqueKeys(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nests deeper than %d levels", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	keys := map[string]bool{}
	for dec.More() {
		if open == '{' {
			t, err := dec.Token()
			if err != nil {
				return err
			}
			key, _ := t.(string)
			folded := strings.ToLower(key)
			if keys[folded] {
				return fmt.Errorf("has the key %q twice", key)
			}
			keys[folded] = true
		}
		if err := uniqueKeys(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token() // the closing bracket
	return err
}

var idForm = lazyregexp.New(`^[A-Za-z][A-Za-z0-9]*-[A-Za-z0-9._:-]+$`)

// advisory checks the fields about the advisory itself.
func (r osvRecord) advisory() (Advisory, error) {
	a := Advisory{ID: r.ID, Summary: r.Summary, Aliases: r.Aliases, Malicious: strings.HasPrefix(r.ID, "MAL-")}
	if !idForm.MatchString(r.ID) {
		return a, errors.New("id is missing or not of the form PREFIX-NAME")
	}
	for _, field := range []struct {
		name, value string
		needed      bool
		into        *time.Time
	}{
		{"modified", r.Modified, true, &a.Modified},
		{"published", r.Published, false, &a.Published},
		{"withdrawn", r.Withdrawn, false, new(time.Time)},
	} {
		if field.value == "" && !field.needed {
			continue
		}
		t, err := time.Parse(time.RFC3339, field.value)
		if err != nil {
			return a, fmt.Errorf("%s %q is no RFC 3339 time", field.name, field.value)
		}
		*field.into = t
	}
	a.URL = "https://osv.dev/vulnerability/" + r.ID
	for _, ref := range r.References {
		if ref.Type == "ADVISORY" && strings.HasPrefix(ref.URL, "https://") {
			a.URL = ref.URL
			break
		}
	}
	return a, nil
}

// read returns what the entry says, under no ecosystem where the inventory does
// not know it.
func (o osvAffected) read() (packageKey, affected, error) {
	if o.Package == nil || o.Package.Ecosystem == "" || o.Package.Name == "" {
		return packageKey{}, affected{}, errors.New("package, its ecosystem or its name is missing")
	}
	eco := ecosystems[o.Package.Ecosystem]
	if eco == "" {
		return packageKey{}, affected{}, nil
	}
	aff := affected{
		versions: o.Versions,
		all:      len(o.Versions) == 0 && len(o.Ranges) == 0,
	}
	for i, r := range o.Ranges {
		switch r.Type {
		case "SEMVER", "ECOSYSTEM":
		case "GIT":
			continue // commits; the versions that they mean are listed
		default:
			return packageKey{}, affected{}, fmt.Errorf("ranges[%d]: type %q is none of SEMVER, ECOSYSTEM, GIT", i, r.Type)
		}
		span, err := r.read(orderOf(eco, r.Type))
		if err != nil {
			return packageKey{}, affected{}, fmt.Errorf("ranges[%d]: %w", i, err)
		}
		aff.ranges = append(aff.ranges, span)
	}
	return packageKey{eco, normalize(eco, o.Package.Name)}, aff, nil
}

func (r osvRange) read(o order) (versionRange, error) {
	span := versionRange{order: o}
	introduced := false
	for i, e := range r.Events {
		ev, err := e.read(o)
		if err != nil {
			return span, fmt.Errorf("events[%d]: %w", i, err)
		}
		if ev.kind == limit {
			span.limits = append(span.limits, ev)
			continue
		}
		introduced = introduced || ev.kind == introduction
		span.events = append(span.events, ev)
	}
	if !introduced {
		return span, errors.New("no event says where it was introduced")
	}
	sortEvents(span.events)
	return span, nil
}

func (e osvEvent) read(o order) (event, error) {
	var ev event
	count := 0
	for _, f := range []struct {
		kind  eventKind
		value *string
	}{
		{introduction, e.Introduced},
		{fix, e.Fixed},
		{lastAffected, e.LastAffected},
		{limit, e.Limit},
	} {
		if f.value == nil {
			continue
		}
		count++
		ev = event{kind: f.kind, text: *f.value}
	}
	if count != 1 {
		return ev, fmt.Errorf("has %d of introduced, fixed, last_affected and limit, not one", count)
	}
	switch {
	case ev.kind == introduction && ev.text == "0":
		ev.lowest = true
		return ev, nil
	case ev.kind == limit && ev.text == "*":
		ev.highest = true
		return ev, nil
	}
	v, ok := o.parse(ev.text)
	if !ok {
		return ev, fmt.Errorf("%q is no version", ev.text)
	}
	ev.version = v
	return ev, nil
}
