package provenance

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countermark/provenance/provenancetest"
	"countermark/provenance/pypi/pypitest"
)

// signedFile is a provenance object and the bundle that it was made of.
func signedFile(t testing.TB) (object, bundle []byte) {
	t.Helper()
	s, err := provenancetest.New()
	if err != nil {
		t.Fatal(err)
	}
	b := provenancetest.Build{Package: "acme-tool", Version: "1.0", SHA512: "00", Repository: "https://github.com/acme/tool"}
	statement, err := pypitest.Statement("acme_tool-1.0.tar.gz", pypitest.Sum("x"))
	if err != nil {
		t.Fatal(err)
	}
	if bundle, err = s.Sign(statement, b.Identity()); err != nil {
		t.Fatal(err)
	}
	if object, err = pypitest.Provenance(pypitest.Publisher(b), bundle); err != nil {
		t.Fatal(err)
	}
	return object, bundle
}

// An attestation says what the bundle says that it was made of.
func TestReadPEP740(t *testing.T) {
	object, bundle := signedFile(t)
	parse := func(data []byte) (v map[string]any) {
		t.Helper()
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		envelope, _ := v["dsseEnvelope"].(map[string]any)
		signatures, _ := envelope["signatures"].([]any)
		for _, s := range signatures {
			if m, ok := s.(map[string]any); ok && m["keyid"] == "" {
				delete(m, "keyid") // an attestation has no place for it
			}
		}
		return v
	}
	found, err := ReadPEP740(object, "x.provenance")
	if err != nil || len(found) != 1 {
		t.Fatalf("got %+v, %v", found, err)
	}
	if d := cmp.Diff(parse(bundle), parse(found[0].Bundle)); d != "" {
		t.Error(d)
	}
	want := &TrustedPublisher{Kind: "GitHub", Repository: "acme/tool", Workflow: "release.yml"}
	if d := cmp.Diff(want, found[0].Publisher); d != "" || found[0].From != "x.provenance" {
		t.Errorf("%s\n%+v", d, found[0])
	}
	alone, err := pypitest.Attestation(bundle)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(alone)
	if err != nil {
		t.Fatal(err)
	}
	single, err := ReadPEP740(data, "x")
	if err != nil || len(single) != 1 || !bytes.Equal(single[0].Bundle, found[0].Bundle) || single[0].Publisher != nil {
		t.Errorf("got %+v, %v", single, err)
	}
}

func TestReadPEP740Broken(t *testing.T) {
	object, _ := signedFile(t)
	good := string(object)
	replace := func(old, with string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("there is no %s", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, data := range map[string]string{
		"nothing":           "",
		"a list":            "[]",
		"no object of ours": "{}",
		"a key twice":       replace(`"version":`, `"version":1,"version":`),
		"version 2":         strings.ReplaceAll(good, `"version":1`, `"version":2`),
		"version as text":   strings.ReplaceAll(good, `"version":1`, `"version":"1"`),
		"version 1.0":       strings.ReplaceAll(good, `"version":1`, `"version":1.0`),
		"no groups":         `{"version":1,"attestation_bundles":{}}`,
		"a group of none":   `{"version":1,"attestation_bundles":[1]}`,
		"no attestations":   `{"version":1,"attestation_bundles":[{"publisher":null}]}`,
		"a number":          `{"version":1,"attestation_bundles":[{"attestations":[1]}]}`,
		"no log entry":      replace(`"transparency_entries":[`, `"transparency_entries":[],"other":[`),
		"no certificate":    replace(`"certificate":`, `"Certificate":`),
		"no signature":      replace(`"signature":`, `"sig":`),
		"no statement":      replace(`"statement":`, `"payload":`),
		"too many":          `{"version":1,"attestation_bundles":[{"attestations":[` + strings.TrimSuffix(strings.Repeat(attestationOf(t, good)+",", MaxAttestations+1), ",") + `]}]}`,
		"too large":         strings.Repeat(" ", MaxProvenanceObject) + good,
	} {
		if found, err := ReadPEP740([]byte(data), "x"); err == nil {
			t.Errorf("%s: got %d attestations", name, len(found))
		}
	}
}

func attestationOf(t *testing.T, object string) string {
	t.Helper()
	var o struct {
		Groups []struct {
			List []json.RawMessage `json:"attestations"`
		} `json:"attestation_bundles"`
	}
	if err := json.Unmarshal([]byte(object), &o); err != nil {
		t.Fatal(err)
	}
	return string(o.Groups[0].List[0])
}

func FuzzReadPEP740(f *testing.F) {
	object, bundle := signedFile(f)
	f.Add(object)
	f.Add(bundle)
	f.Add([]byte(`{"version":1,"attestation_bundles":[{"publisher":{"kind":"GitHub"},"attestations":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := ReadPEP740(data, "x")
		if err != nil {
			return
		}
		for _, a := range found {
			if !json.Valid(a.Bundle) {
				t.Errorf("%q is no JSON", a.Bundle)
			}
			if o, err := open(a.Bundle); err == nil && (o.keyed || o.statement == nil || o.signatures != 1) {
				t.Error("an attestation made something else than a certified statement")
			}
		}
	})
}
