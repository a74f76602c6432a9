package trust

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"countermark/provenance/provenancetest"
)

func TestEmbedded(t *testing.T) {
	m, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	s := m.Summary()
	if s.TrustedRoot.Source != SourceEmbedded || s.TrustedRoot.AsOf != AsOf || len(s.TrustedRoot.SHA256) != 64 || len(s.NPMKeys.SHA256) != 64 {
		t.Errorf("files: %+v, %+v", s.TrustedRoot, s.NPMKeys)
	}
	if len(s.CertificateAuthorities) != 2 || len(s.TransparencyLogs) != 2 || len(s.CertificateLogs) != 2 || len(s.TimestampAuthorities) != 1 || len(s.Keys) != 4 {
		t.Errorf("summary: %+v", s)
	}
	for _, list := range [][]Authority{s.CertificateAuthorities, s.TransparencyLogs, s.CertificateLogs, s.TimestampAuthorities} {
		for _, a := range list {
			if a.URL == "" || a.Start.IsZero() {
				t.Errorf("authority: %+v", a)
			}
		}
	}
	if old := s.CertificateAuthorities[0]; old.End.Year() != 2022 || !s.CertificateAuthorities[1].End.IsZero() {
		t.Errorf("the first authority ended at %s, and the second has no end: %s", old.End, s.CertificateAuthorities[1].End)
	}
	key, ok := m.Keys.Find("SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA", Attestations)
	if !ok || key.End.IsZero() || key.Start.Year() != 2022 {
		t.Errorf("key: %+v", key)
	}
	if _, ok := m.Keys.Find("SHA256:other", Attestations); ok {
		t.Error("an unknown key was found")
	}
	// What a caller changes is the caller's own.
	m.Root = nil
	if again, err := Embedded(); err != nil || again.Root == nil {
		t.Errorf("the embedded root is gone: %v", err)
	}
}

func TestStale(t *testing.T) {
	m, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	asOf, err := time.Parse(time.DateOnly, AsOf)
	if err != nil {
		t.Fatal(err)
	}
	if w := m.Stale(asOf.Add(MaxEmbeddedAge)); len(w) != 0 {
		t.Errorf("at the limit: %v", w)
	}
	w := m.Stale(asOf.Add(MaxEmbeddedAge + time.Hour))
	if len(w) != 2 || !strings.Contains(w[0].Message, "180 days") || !strings.Contains(w[0].Hint, "--trusted-root") || !strings.Contains(w[1].Hint, "--npm-keys") {
		t.Errorf("past it: %v", w)
	}
	file := *m.Keys
	file.AsOf, file.keys = "", file.keys[:0]
	if w := (&Material{Root: m.Root, Keys: &file}).Stale(asOf); len(w) != 1 || !strings.Contains(w[0].Message, "no npm key") || !strings.Contains(w[0].Hint, "countermark trust update") {
		t.Errorf("no key: %v", w)
	}
	// The embedded root twice: both are in use long after, and neither before.
	twice, err := LoadRoot(slices.Concat(embeddedRoot, embeddedRoot), "twice")
	if err != nil {
		t.Fatal(err)
	}
	w = (&Material{Root: twice, Keys: m.Keys}).Stale(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	if len(w) != 3 || !strings.Contains(w[1].Message, "of trusted root 2 is") || !strings.Contains(w[1].Hint, "countermark trust update") {
		t.Errorf("nobody is valid: %v", w)
	}
}

func TestLoadRoot(t *testing.T) {
	s, err := provenancetest.New()
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.TrustedRoot()
	if err != nil {
		t.Fatal(err)
	}
	r, err := LoadRoot(data, "root.json")
	if err != nil {
		t.Fatal(err)
	}
	if r.Source != SourceFile || r.AsOf != "" || len(r.Instances) != 1 || len(r.Instances[0].RekorLogs()) != 2 {
		t.Errorf("got %+v", r)
	}
	const empty = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`
	for _, bad := range []string{"", "{}", "[]", "null", "x", empty, empty[:len(empty)-1], strings.Repeat(" ", MaxFileSize+1)} {
		_, err := LoadRoot([]byte(bad), "root.json")
		e, ok := errors.AsType[*FileError](err)
		if !ok || e.Hint == "" || !strings.HasPrefix(e.Error(), "root.json:") || strings.Contains(e.Error(), "proto:") {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

// TestLoadRoots reads several trusted roots from one file, and says which of them
// cannot be read.
func TestLoadRoots(t *testing.T) {
	var lines []string
	for range 2 {
		s, err := provenancetest.New()
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.TrustedRoot()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(data))
	}
	for _, between := range []string{"\n", "\r\n\r\n", " ", ""} {
		r, err := LoadRoot([]byte(lines[0]+between+lines[1]+between), "roots.jsonl")
		if err != nil || len(r.Instances) != 2 || r.Instances[0].SHA256 != sum([]byte(lines[0])) || r.SHA256 == r.Instances[0].SHA256 {
			t.Fatalf("%q: %+v, %v", between, r, err)
		}
		s := (&Material{Root: r, Keys: &Keys{}}).Summary()
		if len(s.TrustedRoot.Instances) != 2 || len(s.CertificateAuthorities) != 2 || len(s.TransparencyLogs) != 4 || s.TransparencyLogs[1].Instance != 1 || s.TransparencyLogs[2].Instance != 2 {
			t.Errorf("%q: %+v", between, s)
		}
	}
	for bad, want := range map[string]string{
		lines[0] + "\n\n{}":              "roots:3: trusted root 2: ",
		lines[0] + "\n" + lines[1][:100]: "roots:2: trusted root 2: no trusted root: it ends within its JSON",
		lines[0] + "\n]":                 "roots:2: trusted root 2: no trusted root: JSON was expected",
		lines[0] + "\nnull":              "roots:2: trusted root 2: ",
		lines[0] + "\n" + strings.Replace(lines[1], "{", `{"x":1,`, 1): "roots:2: trusted root 2: no trusted root: a TrustedRoot of sigstore in JSON was expected: unknown field \"x\"",
		strings.Repeat(lines[0], MaxInstances+1):                       "more than 32 trusted roots",
	} {
		if _, err := LoadRoot([]byte(bad), "roots"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q…: %v, want %q", bad, err, want)
		}
	}
}

func TestLoadNPMKeys(t *testing.T) {
	m, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	raw := embeddedPublic(t)
	registry := `{"keys":[
		{"expires":"2025-01-29T00:00:00.000Z","keyid":"SHA256:a","keytype":"ecdsa-sha2-nistp256","scheme":"ecdsa-sha2-nistp256","key":"` + raw + `"},
		{"expires":null,"keyid":"SHA256:b","keytype":"ecdsa-sha2-nistp256","scheme":"ecdsa-sha2-nistp256","key":"` + raw + `"}]}`
	keys, err := LoadNPMKeys([]byte(registry), "keys.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(keys.All()) != 4 || keys.Source != SourceFile {
		t.Errorf("got %+v", keys.All())
	}
	a, _ := keys.Find("SHA256:a", Attestations)
	b, ok := keys.Find("SHA256:b", Signatures)
	if a.End.Year() != 2025 || !ok || !b.End.IsZero() || b.Public == nil {
		t.Errorf("got %+v, %+v", a, b)
	}
	if len(m.Keys.All()) != 4 {
		t.Errorf("embedded: %+v", m.Keys.All())
	}
	for _, bad := range []string{
		"", "{}", "[]", `{"keys":[]}`, `{"keys":[{}]}`,
		`{"keys":[{"keyid":"a"}]}`, `{"keys":[{"keyid":"a","key":"!"}]}`, `{"keys":[{"keyid":"a","key":"AAAA"}]}`,
		`{"keys":[{"key":"` + raw + `"}]}`,
		// Keys in another case are other keys, and none stands twice.
		`{"Keys":[{"keyid":"a","key":"` + raw + `"}]}`, `{"keys":[{"keyID":"a","key":"` + raw + `"}]}`,
		`{"keys":[{"keyid":"a","Key":"` + raw + `"}]}`, `{"keys":[{"keyid":"a","keyid":"b","key":"` + raw + `"}]}`,
		`{"keys":[{"keyid":"a","keyUsage":"npm:signatures","publicKey":{"rawBytes":"` + raw + `"}}]}`,
		`{"keys":[{"keyId":"a","keyUsage":"npm:signatures","publicKey":{"rawbytes":"` + raw + `"}}]}`,
		`{"keys":[{"keyid":"a","key":"` + raw + `"},{"keyid":"a","key":"` + raw + `"}]}`,
		`{"keys":[{"keyId":"a","keyUsage":"npm:other","publicKey":{"rawBytes":"` + raw + `"}}]}`,
		`{"keys":[{"keyid":"a","expires":"soon","key":"` + raw + `"}]}`,
	} {
		_, err := LoadNPMKeys([]byte(bad), "keys.json")
		e, ok := errors.AsType[*FileError](err)
		if !ok || e.Hint == "" || !strings.HasPrefix(e.Error(), "keys.json:") || strings.Contains(e.Error(), "asn1") || strings.Contains(e.Error(), "cannot unmarshal") {
			t.Errorf("%.60q: %v", bad, err)
		}
	}
}

func embeddedPublic(t *testing.T) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(embeddedKeys), `"rawBytes": "`)
	raw, _, _ := strings.Cut(rest, `"`)
	if _, err := base64.StdEncoding.DecodeString(raw); !ok || err != nil {
		t.Fatal("no key in the embedded file")
	}
	return raw
}

func FuzzLoadNPMKeys(f *testing.F) {
	f.Add(embeddedKeys)
	f.Add([]byte(`{"keys":[{"keyid":"a","key":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := LoadNPMKeys(data, "f")
		if err == nil && len(keys.All()) == 0 {
			t.Error("neither keys nor an error")
		}
	})
}

func FuzzLoadRoot(f *testing.F) {
	f.Add(embeddedRoot)
	f.Fuzz(func(_ *testing.T, data []byte) {
		r, err := LoadRoot(data, "f")
		if err != nil {
			return
		}
		m := Material{Root: r, Keys: &Keys{}}
		m.Summary()
	})
}

// TestErrorsAreForPeople: where it is, what was expected, and no word of a parser's
// own.
func TestErrorsAreForPeople(t *testing.T) {
	for data, want := range map[string]string{
		"{\n\"keys\": 1}":                                  "f:2: no npm keys: keys is a JSON number, which it may not be",
		"{\n\"keys\": x}":                                  "f:2: no npm keys: JSON was expected: ",
		`{"keys":[{"keyid":"a","key":"!"}]}`:               "f: no npm keys: key 1: base64 of a public key in DER was expected, and it is no base64",
		`{"keys":[{"keyid":"a","key":"AAAA"}]}`:            "f: no npm keys: key 1: a public key in DER (SubjectPublicKeyInfo) was expected, and it is none that can be read",
		`{"keys":[{"keyid":"a","expires":"x","key":"!"}]}`: "f: no npm keys: x is no time as in RFC 3339: 2030-01-31T00:00:00Z was expected",
	} {
		if _, err := LoadNPMKeys([]byte(data), "f"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
	for data, want := range map[string]string{
		" \n":                  "f: no trusted root: the file is empty",
		"{\n\"x\": 1}":         "f:2: no trusted root: a TrustedRoot of sigstore in JSON was expected: unknown field \"x\"",
		"\n\n{\n\"tlogs\": 1}": "f:4: no trusted root: a TrustedRoot of sigstore in JSON was expected: ",
		"{\n\"tlogs\":":        "f:2: no trusted root: it ends within its JSON",
	} {
		if _, err := LoadRoot([]byte(data), "f"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
}
