package npm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"countermark/provenance"
	"countermark/provenance/fetch"
)

// maxAttestations bounds what one answer may hold; npm serves two.
const maxAttestations = 64

// Limits of what is kept of an answer: each part costs many times its one byte
// in memory.
const (
	maxMembers = 10_000 // of one object
	maxKeys    = 1_000
)

var (
	// errAnswer is an answer that is not what was asked for.
	errAnswer = errors.New("is not what npm registries answer")
	// errNoJSON is one that may be whole the next time.
	errNoJSON = fetch.BrokenError{Err: fmt.Errorf("%w: no JSON", errAnswer)}
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
