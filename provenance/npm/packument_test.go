package npm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countermark/provenance"
)

const wholePackument = `{
	"_id": "@acme/tool", "_rev": "7-x", "name": "@acme/tool", "dist-tags": {"latest": "1.1.0"},
	"versions": {
		"1.0.0": {"name": "@acme/tool", "version": "1.0.0", "_npmUser": {"name": "ann", "email": "ann@registry.example"}, "repository": "acme/tool",
			"dist": {"shasum": "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"}},
		"1.1.0": {"name": "@acme/tool", "version": "1.1.0", "readme": "\ud83d", "scripts": {"name": "x"},
			"_npmUser": {"name": "GitHub Actions", "trustedPublisher": {"id": "github", "oidcConfigId": "oidc:1"}},
			"maintainers": [{"name": "ann", "email": "x"}, "bob <bob@registry.example>"], "deprecated": "use another",
			"repository": {"type": "git", "url": "git+https://github.com/acme/tool.git"},
			"dist": {"integrity": "sha512-AAEC?x sha256-Aw==", "shasum": "00ff", "tarball": "https://registry.example/t.tgz", "fileCount": 3,
				"signatures": [{"keyid": "SHA256:k", "sig": "AQI="}, {"keyid": "SHA256:l", "sig": "?"}],
				"attestations": {"url": "https://registry.example/a", "provenance": {"predicateType": "https://slsa.dev/provenance/v1"}}}},
		"2.0.0": {"name": "@acme/tool", "version": "2.0.0", "deprecated": false, "_npmUser": null, "dist": {"attestations": null, "signatures": {}}}
	},
	"time": {"created": "2020-01-01T00:00:00.000Z", "modified": "x", "1.0.0": "2020-01-02T03:04:05.678Z", "1.1.0": "2021-01-01T01:00:00+01:00", "2.0.0": 7},
	"readme": "# tool", "maintainers": [{"name": "ann"}]
}`

func TestPackument(t *testing.T) {
	p, err := readPackument(strings.NewReader(wholePackument), "@acme/tool")
	if err != nil {
		t.Fatal(err)
	}
	first, second := time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	ann, actions := provenance.Publisher{Name: "ann"}, provenance.Publisher{Name: "GitHub Actions", Trusted: "github"}
	releases := []provenance.Release{
		{Version: "1.0.0", Published: first, Publisher: ann, Repository: "acme/tool"},
		{Version: "1.1.0", Published: second, Attested: true, Publisher: actions, Repository: "git+https://github.com/acme/tool.git"},
		{Version: "2.0.0"},
	}
	others := func(without int) []provenance.Release {
		return slices.Delete(slices.Clone(releases), without, without+1)
	}
	for version, want := range map[string]*provenance.Metadata{
		"1.0.0": {
			Digests:   []provenance.Digest{{Algorithm: "sha1", Value: "da39a3ee5e6b4b0d3255bfef95601890afd80709"}},
			Published: first, Publisher: ann, Repository: "acme/tool", Others: others(0),
		},
		"1.1.0": {
			Integrity:  "sha512-AAEC?x sha256-Aw==",
			Digests:    []provenance.Digest{{Algorithm: "sha512", Value: "000102"}, {Algorithm: "sha256", Value: "03"}, {Algorithm: "sha1", Value: "00ff"}},
			Signatures: []provenance.RegistrySignature{{KeyID: "SHA256:k", Signature: []byte{1, 2}}, {KeyID: "SHA256:l", Signature: []byte{}}},
			Attested:   true, Published: second, Publisher: actions, Maintainers: []string{"ann", "bob <bob@registry.example>"},
			Repository: "git+https://github.com/acme/tool.git", Tarball: "https://registry.example/t.tgz", Deprecated: "use another", Others: others(1),
		},
		"2.0.0": {Others: others(2)},
		"3.0.0": nil,
	} {
		got, err := p.metadata(version)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", version, d)
		}
	}
}

// However a packument is cut into pieces, it is read as the same.
func TestPackumentInPieces(t *testing.T) {
	whole, err := readPackument(strings.NewReader(wholePackument), "@acme/tool")
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := readPackument(oneByte{strings.NewReader(wholePackument)}, "@acme/tool")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(whole, pieces, cmp.AllowUnexported(packument{}, release{})); d != "" {
		t.Error(d)
	}
	for n := range wholePackument[:len(wholePackument)-1] {
		if _, err := readPackument(strings.NewReader(wholePackument[:n]), "@acme/tool"); !errors.Is(err, errAnswer) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// What is accepted is JSON, is of the package that was asked for, and says one
// thing to every reader.
func FuzzPackument(f *testing.F) {
	f.Add([]byte(wholePackument))
	for _, s := range []string{
		`{"name":"@acme/tool","versions":{"1.1.0":{"name":"@acme/tool","version":"1.1.0","dist":{}}}}`,
		`{"name":"@acme/tool","versions":{"1.1.0":{"dist":{},"dist":{}}}}`, `{"name":"@acme/tool","versions":[],"time":[1]}`,
		`{"name":"@acme/tool","versions":{"1.1.0":null,"\u0031.1.0":{}}}`, `{`, `[`, `{"name":1}`, `{"versions":{"a":{"dist":{"signatures":[[`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := readPackument(bytes.NewReader(body), "@acme/tool")
		if err != nil {
			if !errors.Is(err, errAnswer) {
				t.Fatalf("an error that the client does not know: %v", err)
			}
			return
		}
		var loose struct {
			Name     string                     `json:"name"`
			Versions map[string]json.RawMessage `json:"versions"`
		}
		if !json.Valid(body) {
			t.Fatalf("accepted broken JSON: %q", body)
		}
		m, err := p.metadata("1.1.0")
		if err != nil || m == nil {
			return
		}
		if json.Unmarshal(body, &loose) == nil && (loose.Name == "@acme/tool" && loose.Versions["1.1.0"] == nil) {
			t.Fatalf("a version that is not there in %q", body)
		}
		if len(m.Signatures) > maxSignatures || len(m.Others) >= len(p.releases) {
			t.Fatalf("%+v", m)
		}
	})
}

// BenchmarkPackument reads real packuments where COUNTERMARK_PACKUMENTS names a
// folder of them, by the name of the package with _ for /; else one that is made
// up.
func BenchmarkPackument(b *testing.B) {
	bench := func(name string, data []byte) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := readPackument(bytes.NewReader(data), name); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("@acme/tool", []byte(wholePackument))
	dir := os.Getenv("COUNTERMARK_PACKUMENTS")
	if dir == "" {
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		data, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil {
			b.Fatal(err)
		}
		bench(strings.ReplaceAll(name, "_", "/"), data)
	}
}

// A key in another case is another key. Readers that fold them would take what
// this one does not see.
func TestLetterCase(t *testing.T) {
	const whole = `{"name":"a","versions":{"1.0.0":{"name":"a","version":"1.0.0","dist":{"integrity":"sha512-AAEC","attestations":{},"signatures":[{"keyid":"k","sig":"AQI="}]},"_npmUser":{"name":"ann"}}},"time":{"1.0.0":"2020-01-01T00:00:00Z"}}`
	of := func(text string) provenance.Metadata {
		p, err := readPackument(strings.NewReader(text), "a")
		if err != nil {
			return provenance.Metadata{}
		}
		m, err := p.metadata("1.0.0")
		if err != nil || m == nil {
			return provenance.Metadata{}
		}
		return *m
	}
	full := of(whole)
	for _, key := range []string{"name", "versions", "version", "dist", "integrity", "attestations", "signatures", "keyid", "sig", "_npmUser", "time"} {
		changed := strings.ReplaceAll(whole, `"`+key+`":`, `"`+strings.ToUpper(key)+`":`)
		if key == "_npmUser" {
			changed = strings.ReplaceAll(whole, `"_npmUser":`, `"_npmuser":`)
		}
		if changed == whole || cmp.Equal(of(changed), full) {
			t.Errorf("%s is read in another case too", key)
		}
	}
	if found, err := parseAttestations([]byte(`{"Attestations":[{"bundle":{}}]}`), ""); err == nil {
		t.Errorf("attestations in another case: %v", found)
	}
	if found, err := parseAttestations([]byte(`{"attestations":[{"Bundle":{}}]}`), ""); err == nil {
		t.Errorf("a bundle in another case: %v", found)
	}
	for _, keys := range []string{`{"Keys":[{"keyid":"a","key":"b"}]}`, `{"keys":[{"keyId":"a","key":"b"}]}`, `{"keys":[{"keyid":"a","Key":"b"}]}`} {
		if has, _ := hasKeys([]byte(keys)); has {
			t.Errorf("keys in another case: %s", keys)
		}
	}
}
