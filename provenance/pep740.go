package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The objects of PEP 740 (https://peps.python.org/pep-0740/), version 1.
const (
	mediaTypeBundle03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
	pep740Version     = "1"

	// MaxProvenanceObject bounds the provenance object of one file, in bytes.
	MaxProvenanceObject = 8 << 20
)

// TrustedPublisher is who an index says that published a file. Nobody signed that: it has
// to agree with the certificate.
type TrustedPublisher struct {
	Kind       string // "GitHub", "GitLab", "Google", …
	Repository string // owner/name
	Workflow   string // GitHub: the file's name in .github/workflows; GitLab: its path
	Email      string // Google: the service account
}

// ReadPEP740 reads the provenance object of one file as an index serves it, or one
// attestation alone as publishers keep it beside the file. It makes a sigstore
// bundle of each attestation, and believes nothing.
func ReadPEP740(data []byte, from string) ([]Attestation, error) {
	if len(data) > MaxProvenanceObject {
		return nil, fmt.Errorf("the provenance object is larger than %d bytes", MaxProvenanceObject)
	}
	o, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	return readPEP740(o, from)
}

// isPEP740 reports whether the object is one of the two forms.
func isPEP740(o object) bool {
	_, provenance := o["attestation_bundles"]
	_, attestation := o["verification_material"]
	return provenance || attestation
}

func readPEP740(o object, from string) ([]Attestation, error) {
	if _, alone := o["verification_material"]; alone {
		a, err := bundlePEP740(o)
		a.From = from
		return []Attestation{a}, err
	}
	if err := versionPEP740(o); err != nil {
		return nil, err
	}
	groups, ok := o["attestation_bundles"].([]any)
	if !ok {
		return nil, errors.New("attestation_bundles is no list")
	}
	var out []Attestation
	for _, g := range groups {
		group, ok := g.(object)
		if !ok {
			return nil, errors.New("one of the attestation_bundles is no object")
		}
		list, ok := group["attestations"].([]any)
		if !ok {
			return nil, errors.New("one of the attestation_bundles has no attestations")
		}
		publisher := readPublisher(group.object("publisher"))
		for _, raw := range list {
			attestation, ok := raw.(object)
			if !ok {
				return nil, errors.New("an attestation is no object")
			}
			if len(out) == MaxAttestations {
				return nil, fmt.Errorf("more than %d attestations", MaxAttestations)
			}
			a, err := bundlePEP740(attestation)
			if err != nil {
				return nil, err
			}
			a.From, a.Publisher = from, publisher
			out = append(out, a)
		}
	}
	return out, nil
}

// versionPEP740 refuses versions that do not exist yet: what they mean is unknown.
func versionPEP740(o object) error {
	if v, ok := o["version"].(json.Number); !ok || v.String() != pep740Version {
		return errors.New("it is not of version " + pep740Version + " of PEP 740")
	}
	return nil
}

func readPublisher(o object) *TrustedPublisher {
	p := &TrustedPublisher{Kind: o.text("kind"), Repository: o.text("repository"), Workflow: o.text("workflow"), Email: o.text("email")}
	if p.Workflow == "" {
		p.Workflow = o.text("workflow_filepath")
	}
	return p
}

// bundlePEP740 puts an attestation's parts into a sigstore bundle, which has other
// places for the same things.
func bundlePEP740(o object) (Attestation, error) {
	if err := versionPEP740(o); err != nil {
		return Attestation{}, err
	}
	entries := o.list("verification_material", "transparency_entries")
	certificate := o.text("verification_material", "certificate")
	statement, signature := o.text("envelope", "statement"), o.text("envelope", "signature")
	if len(entries) == 0 || certificate == "" || statement == "" || signature == "" {
		return Attestation{}, errors.New("an attestation lacks its certificate, its log entry, its statement or its signature")
	}
	bundle, err := json.Marshal(object{
		"mediaType":            mediaTypeBundle03,
		"verificationMaterial": object{"certificate": object{"rawBytes": certificate}, "tlogEntries": entries},
		"dsseEnvelope":         object{"payload": statement, "payloadType": payloadInToto, "signatures": []any{object{"sig": signature}}},
	})
	return Attestation{Bundle: bundle}, err
}
