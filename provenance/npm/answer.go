package npm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"countermark/provenance"
)

// maxAttestations bounds what one answer may hold; npm serves two.
const maxAttestations = 64

// Limits of what is kept of an answer: each part costs many times its one byte
// in memory.
const (
	maxMembers = 10_000 // of one object
	maxKeys    = 1_000
	maxDepth   = 1_000 // of what is read over in a packument
)

var (
	// errAnswer is an answer that is not what was asked for.
	errAnswer = errors.New("is not what npm registries answer")
	// errNoJSON is one that may be whole the next time.
	errNoJSON = fmt.Errorf("%w: no JSON", errAnswer)
	errTwice  = fmt.Errorf("%w: a key occurs twice", errAnswer)
)

// fields returns the members of a JSON object by their exact names. Duplicates
// are refused: encoding/json would silently take the last, other readers the
// first.
func fields(raw []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("%w: no JSON object", errAnswer)
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("%w: broken JSON", errAnswer)
		}
		if _, dup := members[name]; dup {
			return nil, errTwice
		}
		if len(members) == maxMembers {
			return nil, fmt.Errorf("%w: more than %d members", errAnswer, maxMembers)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("%w: broken JSON", errAnswer)
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%w: broken JSON", errAnswer)
	}
	if len(bytes.TrimLeft(raw[dec.InputOffset():], " \t\r\n")) > 0 {
		return nil, fmt.Errorf("%w: text behind the JSON", errAnswer)
	}
	return members, nil
}

// list returns the elements of a JSON array, of which there may be limit.
func list(raw []byte, limit int, what string) ([]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('[') {
		return nil, fmt.Errorf("%w: no list", errAnswer)
	}
	var elements []json.RawMessage
	for dec.More() {
		if len(elements) == limit {
			return nil, fmt.Errorf("%w: more than %d %s", errAnswer, limit, what)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("%w: no list", errAnswer)
		}
		elements = append(elements, value)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%w: no list", errAnswer)
	}
	return elements, nil
}

// str returns the string member, "" where it is absent or of another type.
func str(members map[string]json.RawMessage, name string) string {
	var s string
	if json.Unmarshal(members[name], &s) != nil {
		return ""
	}
	return s
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// parseAttestations reads {"attestations":[{"predicateType":"…","bundle":{…}}]}.
// Bundles stay as they were written: what is in them is the verifier's business.
func parseAttestations(body []byte, from string) ([]provenance.Attestation, error) {
	answer, err := fields(body)
	if err != nil {
		return nil, err
	}
	entries, err := list(answer["attestations"], maxAttestations, "attestations")
	if err != nil {
		return nil, err
	}
	var found []provenance.Attestation
	for _, raw := range entries {
		entry, err := fields(raw)
		if err != nil {
			return nil, err
		}
		bundle := entry["bundle"]
		if len(bundle) == 0 || bundle[0] != '{' {
			return nil, fmt.Errorf("%w: an attestation without a bundle", errAnswer)
		}
		found = append(found, provenance.Attestation{ClaimedType: str(entry, "predicateType"), Bundle: bundle, From: from})
	}
	return found, nil
}

// hasKeys reads {"keys":[{"keyid":"…","key":"…"}]}.
func hasKeys(body []byte) (bool, error) {
	answer, err := fields(body)
	if err != nil {
		return false, err
	}
	keys, err := list(answer["keys"], maxKeys, "keys")
	if err != nil {
		return false, err
	}
	for _, raw := range keys {
		key, err := fields(raw)
		if err != nil {
			return false, err
		}
		if str(key, "keyid") != "" && str(key, "key") != "" {
			return true, nil
		}
	}
	return false, nil
}

// promises reads the metadata of one version and reports whether it announces
// attestations.
func promises(body []byte, name, version string) (bool, error) {
	doc, err := fields(body)
	if err != nil {
		return false, err
	}
	if str(doc, "name") != name || str(doc, "version") != version {
		return false, fmt.Errorf("%w: the metadata is of another package or version", errAnswer)
	}
	dist, err := fields(doc["dist"])
	if err != nil {
		return false, err
	}
	return !isNull(dist["attestations"]), nil
}

// versionOf takes one version's metadata out of a packument; nil where it holds
// no such version. It reads a stream and keeps nothing else of it.
func versionOf(r io.Reader, name, version string) (json.RawMessage, error) {
	p := packument{dec: json.NewDecoder(r), version: version}
	if err := p.object(p.member); err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: text behind the JSON", errAnswer)
	}
	switch {
	case p.name != name:
		return nil, fmt.Errorf("%w: the metadata is of another package", errAnswer)
	case !p.versions:
		return nil, fmt.Errorf("%w: no versions", errAnswer)
	case len(p.found) > maxManifestBytes:
		return nil, fmt.Errorf("%w: the version's metadata is larger than %d bytes", errAnswer, maxManifestBytes)
	}
	return p.found, nil
}

// packument is a packument on its way.
type packument struct {
	dec      *json.Decoder
	version  string // that is looked for
	name     string
	versions bool
	found    json.RawMessage
}

// object reads an object, whose values member takes by their names.
func (p *packument) object(member func(name string) error) error {
	open, err := p.dec.Token()
	if err != nil {
		return errNoJSON
	}
	if open != json.Delim('{') {
		return fmt.Errorf("%w: no JSON object", errAnswer)
	}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return errNoJSON
		}
		name, _ := token.(string) // the decoder lets nothing else be a key
		if err := member(name); err != nil {
			return err
		}
	}
	if _, err := p.dec.Token(); err != nil {
		return errNoJSON
	}
	return nil
}

// member reads a member of the packument.
func (p *packument) member(name string) error {
	switch name {
	case "name":
		if p.name != "" {
			return errTwice
		}
		token, err := p.dec.Token()
		if err != nil {
			return errNoJSON
		}
		text, ok := token.(string)
		if !ok || text == "" {
			return fmt.Errorf("%w: the metadata is of another package", errAnswer)
		}
		p.name = text
		return nil
	case "versions":
		if p.versions {
			return errTwice
		}
		p.versions = true
		return p.object(p.entry)
	default:
		return p.skip()
	}
}

// entry reads a member of the packument's versions.
func (p *packument) entry(version string) error {
	if version != p.version {
		return p.skip()
	}
	if p.found != nil {
		return errTwice
	}
	if err := p.dec.Decode(&p.found); err != nil {
		return errNoJSON
	}
	return nil
}

// skip reads over a value.
func (p *packument) skip() error {
	for depth := 0; ; {
		token, err := p.dec.Token()
		if err != nil {
			return errNoJSON
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: nested too deeply", errAnswer)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
