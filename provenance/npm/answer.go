package npm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"countermark/provenance"
)

// maxAttestations bounds what one answer may hold; npm serves two.
const maxAttestations = 64

// errAnswer is an answer that is not what was asked for.
var errAnswer = errors.New("is not what npm registries answer")

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
			return nil, fmt.Errorf("%w: a key occurs twice", errAnswer)
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

// list returns the elements of a JSON array.
func list(raw []byte) ([]json.RawMessage, error) {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil || elements == nil {
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
	entries, err := list(answer["attestations"])
	if err != nil {
		return nil, err
	}
	if len(entries) > maxAttestations {
		return nil, fmt.Errorf("%w: more than %d attestations", errAnswer, maxAttestations)
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
	keys, err := list(answer["keys"])
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
// no such version.
func versionOf(packument []byte, name, version string) (json.RawMessage, error) {
	doc, err := fields(packument)
	if err != nil {
		return nil, err
	}
	if str(doc, "name") != name {
		return nil, fmt.Errorf("%w: the metadata is of another package", errAnswer)
	}
	versions, err := fields(doc["versions"])
	if err != nil {
		return nil, err
	}
	return versions[version], nil
}
