package provenance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countermark/sbom"
)

// The facts of the real set in testdata, as the registry and the repository's
// host show them to this day.
const (
	realRepo      = "https://github.com/sigstore/sigstore-js"
	realRepoID    = "495574555"
	realOwnerID   = "71096353"
	realRef       = "refs/heads/main"
	realCommit    = "dae8bd8eb433a4147b4655c00fe73e0f22bc0fb1"
	realWorkflow  = ".github/workflows/release.yml"
	realSHA512    = "76176ffa33808b54602c7c35de5c6e9a4deb96066dba6533f50ac234f4f1f4c6b3527515dc17c06fbe2860030f410eee69ea20079bd3a2c6f3dcf3b329b10751"
	real200SHA512 = "46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c"
)

func read(t testing.TB, name ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func realSubject() Subject {
	return Subject{
		Ref: "pkg:npm/sigstore@1.3.0", PURL: "pkg:npm/sigstore@1.3.0", Ecosystem: sbom.NPM,
		Name: "sigstore", Version: "1.3.0",
		Digests: []Digest{{Algorithm: "sha512", Value: realSHA512}}, DigestFrom: "lockfile",
	}
}

func realExpectation() Expectation {
	return Expectation{From: "policy", Repo: realRepo, RepositoryID: realRepoID, OwnerID: realOwnerID}
}

func realSet(t testing.TB) Set {
	t.Helper()
	return Set{Availability: Found, Attestations: []Attestation{
		{ClaimedType: typePublish, Bundle: read(t, "sigstore-1.3.0", "bundle-publish.json"), From: "bundle-publish.json"},
		{ClaimedType: typeSLSA02, Bundle: read(t, "sigstore-1.3.0", "bundle-provenance.json"), From: "bundle-provenance.json"},
	}}
}

func TestRealSet(t *testing.T) {
	v := verifier(t, embedded(t))
	got := v.Package(realSubject(), realExpectation(), realSet(t))
	if got.State != Verified || got.Reason != "" || got.Hint != "" {
		t.Fatalf("got %s: %s (%s)", got.State, got.Reason, got.Hint)
	}
	for _, c := range got.Checks {
		if !c.OK {
			t.Errorf("verified, but %s failed", c.Name)
		}
	}
	want := Result{
		Subject: realSubject(), State: Verified, ExpectedFrom: "policy", ExpectedRepo: realRepo, DigestFrom: "lockfile",
		Source:   SourceFacts{URI: realRepo, Ref: realRef, Digest: realCommit, RepositoryID: realRepoID, OwnerID: realOwnerID},
		Workflow: realWorkflow, Signer: realRepo + "/" + realWorkflow + "@" + realRef, Builder: builderRunner, Issuer: IssuerGitHub,
		Runner: "github-hosted", Trigger: "push", LogIndex: 18300934, Integrated: time.Unix(1681839912, 0).UTC(),
		Publish: &PublishFacts{Registry: got.Publish.Registry, KeyID: "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA", Integrated: time.Unix(1681839916, 0).UTC()},
		Checks:  got.Checks,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRealSetElsewhere changes what is asked about the real set.
func TestRealSetElsewhere(t *testing.T) {
	v := verifier(t, embedded(t))
	set := realSet(t)
	genuine := v.Package(realSubject(), realExpectation(), set)
	other := strings.Repeat("0", 128)
	for _, c := range []struct {
		name   string
		change func(s *Subject, e *Expectation, set *Set)
		state  State
		check  string
	}{
		{"as it is", func(*Subject, *Expectation, *Set) {}, Verified, ""},
		{"nobody vouches", func(_ *Subject, e *Expectation, _ *Set) { *e = Expectation{} }, Unvouched, ""},
		{"every demand", func(_ *Subject, e *Expectation, _ *Set) {
			e.Ref, e.Workflow, e.Builder, e.Issuer = realRef, realWorkflow, builderRunner, IssuerGitHub
			e.Trigger, e.Digest, e.DenySelfHosted = "push", realCommit, true
		}, Verified, ""},
		{"prefix", func(_ *Subject, e *Expectation, _ *Set) { e.Repo = "https://github.com/sigstore/sigstore-j" }, Mismatch, checkRepository},
		{"longer", func(_ *Subject, e *Expectation, _ *Set) { e.Repo = realRepo + "2" }, Mismatch, checkRepository},
		{"owner only", func(_ *Subject, e *Expectation, _ *Set) { e.Repo = "https://github.com/sigstore" }, Mismatch, checkRepository},
		{"other owner", func(_ *Subject, e *Expectation, _ *Set) { e.Repo = "https://github.com/stranger/sigstore-js" }, Mismatch, checkRepository},
		{"other host", func(_ *Subject, e *Expectation, _ *Set) { e.Repo = "https://gitlab.com/sigstore/sigstore-js" }, Mismatch, checkIssuer},
		{"other id", func(_ *Subject, e *Expectation, _ *Set) { e.RepositoryID = "495574556" }, Mismatch, checkRepositoryID},
		{"other version", func(s *Subject, _ *Expectation, _ *Set) { s.Version = "1.3.1" }, Invalid, checkPublishSubject},
		{"other name", func(s *Subject, _ *Expectation, _ *Set) { s.Name = "sigstor" }, Invalid, checkPublishSubject},
		{"other digest", func(s *Subject, _ *Expectation, _ *Set) { s.Digests = []Digest{{"sha512", other}} }, Invalid, checkDigest},
		{"no digest", func(s *Subject, _ *Expectation, _ *Set) { s.Digests = nil }, Verified, ""},
		{"no publish attestation", func(_ *Subject, _ *Expectation, set *Set) { set.Attestations = set.Attestations[1:] }, Invalid, checkPublishCount},
		{"no provenance", func(_ *Subject, _ *Expectation, set *Set) { set.Attestations = set.Attestations[:1] }, Invalid, checkProvenanceCount},
		{"its registry", func(_ *Subject, _ *Expectation, set *Set) { set.Registry = genuine.Publish.Registry + "/" }, Verified, ""},
		{"other registry", func(_ *Subject, _ *Expectation, set *Set) { set.Registry = "https://registry.example" }, Invalid, checkPublishRegistry},
		{"type lies", func(_ *Subject, _ *Expectation, set *Set) {
			set.Attestations[0].ClaimedType, set.Attestations[1].ClaimedType = set.Attestations[1].ClaimedType, set.Attestations[0].ClaimedType
		}, Invalid, checkClaimedType},
		{"provenance of another version", func(_ *Subject, _ *Expectation, set *Set) {
			set.Attestations[1] = Attestation{ClaimedType: typeSLSA1, Bundle: read(t, "sigstore-2.0.0", "bundle-provenance.json")}
		}, Invalid, checkProvSubject},
		{"key hint swapped", func(_ *Subject, _ *Expectation, set *Set) {
			set.Attestations[0].Bundle = []byte(strings.ReplaceAll(string(set.Attestations[0].Bundle), `"hint":"SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA"`, `"hint":"SHA256:DhQ8wR5APBvFHLF/+Tc+AYvPOdTpcIDqOhxsBHRwC7U"`))
		}, Invalid, checkPublishKey},
		{"key swapped in hint and signature", func(_ *Subject, _ *Expectation, set *Set) {
			set.Attestations[0].Bundle = []byte(strings.ReplaceAll(string(set.Attestations[0].Bundle), "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA", "SHA256:DhQ8wR5APBvFHLF/+Tc+AYvPOdTpcIDqOhxsBHRwC7U"))
		}, Invalid, checkPublishSigned},
		{"signed twice", func(_ *Subject, _ *Expectation, set *Set) {
			set.Attestations[1].Bundle = twice(t, set.Attestations[1].Bundle)
		}, Invalid, checkOneSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, e, set := realSubject(), realExpectation(), realSet(t)
			c.change(&s, &e, &set)
			got := v.Package(s, e, set)
			if got.State != c.state || firstFailed(got) != c.check {
				t.Errorf("got %s, failed %q (%s), want %s, %q", got.State, firstFailed(got), got.Reason, c.state, c.check)
			}
		})
	}
}

// twice repeats a bundle's signature in its envelope.
func twice(t testing.TB, bundle []byte) []byte {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(bundle, &tree); err != nil {
		t.Fatal(err)
	}
	envelope, ok := tree["dsseEnvelope"].(map[string]any)
	if !ok {
		t.Fatal("no envelope")
	}
	list, ok := envelope["signatures"].([]any)
	if !ok {
		t.Fatal("no signatures")
	}
	envelope["signatures"] = append(list, list[0])
	return must(json.Marshal(tree))
}

// TestEveryBit changes one bit at many places of everything that is signed or
// logged, in each of the two real bundles.
func TestEveryBit(t *testing.T) {
	v := verifier(t, embedded(t))
	for i, fields := range []map[string]int{
		{ // the publish attestation
			"dsseEnvelope.payload": 24, "dsseEnvelope.signatures.0.sig": 24,
			"verificationMaterial.tlogEntries.0.canonicalizedBody":                     24,
			"verificationMaterial.tlogEntries.0.inclusionPromise.signedEntryTimestamp": 16,
			"verificationMaterial.tlogEntries.0.logId.keyId":                           8,
		},
		{ // the provenance
			"dsseEnvelope.payload": 24, "dsseEnvelope.signatures.0.sig": 24,
			"verificationMaterial.x509CertificateChain.certificates.0.rawBytes":        48,
			"verificationMaterial.x509CertificateChain.certificates.1.rawBytes":        8,
			"verificationMaterial.x509CertificateChain.certificates.2.rawBytes":        8,
			"verificationMaterial.tlogEntries.0.canonicalizedBody":                     24,
			"verificationMaterial.tlogEntries.0.inclusionPromise.signedEntryTimestamp": 16,
			"verificationMaterial.tlogEntries.0.logId.keyId":                           8,
		},
	} {
		for path, n := range fields {
			for at, bundle := range flips(t, realSet(t).Attestations[i].Bundle, path, n) {
				set := realSet(t)
				set.Attestations[i].Bundle = bundle
				got := v.Package(realSubject(), realExpectation(), set)
				if got.State != Invalid || got.Reason == "" {
					t.Errorf("attestation %d, %s, place %d of %d: %s (%s)", i, path, at, n, got.State, got.Reason)
				}
			}
		}
	}
}

// TestLoggedTime changes the numbers that a log signs.
func TestLoggedTime(t *testing.T) {
	v := verifier(t, embedded(t))
	for _, c := range []struct{ old, replacement string }{
		{`"integratedTime":"1681839912"`, `"integratedTime":"1681839913"`},
		{`"integratedTime":"1681839912"`, `"integratedTime":"0"`},
		{`"logIndex":"18300934"`, `"logIndex":"18300935"`},
		{`"inclusionPromise":{`, `"inclusionPromise":null,"x":{`},
	} {
		set := realSet(t)
		old := string(set.Attestations[1].Bundle)
		if !strings.Contains(old, c.old) {
			t.Fatalf("%s is not in the bundle", c.old)
		}
		set.Attestations[1].Bundle = []byte(strings.Replace(old, c.old, c.replacement, 1))
		if got := v.Package(realSubject(), realExpectation(), set); got.State != Invalid {
			t.Errorf("%s: %s (%s)", c.replacement, got.State, got.Reason)
		}
	}
}

// TestConcurrent uses one verifier from many goroutines; the race detector is
// the judge.
func TestConcurrent(t *testing.T) {
	v := verifier(t, embedded(t))
	set := realSet(t)
	src := sourceFunc(func(context.Context, Subject) (Set, error) { return set, nil })
	subjects := slices.Repeat([]Subject{realSubject()}, 64)
	results := must(Run{Subjects: subjects, Jobs: 16, Expect: func(Subject) Expectation { return realExpectation() }, Source: src, Verifier: v}.Results(t.Context()))
	for i, r := range results {
		if r.State != Verified {
			t.Errorf("%d: %s (%s)", i, r.State, r.Reason)
		}
	}
}

// FuzzMutatedBundles feeds pieces of changed bundles: none may be accepted that
// does not say, in all that was signed and logged, what the genuine one says.
func FuzzMutatedBundles(f *testing.F) {
	v := verifier(f, embedded(f))
	genuine := realSet(f)
	for i := range genuine.Attestations {
		size := len(genuine.Attestations[i].Bundle)
		for at := 0; at < size; at += size / 16 {
			f.Add(i == 0, uint(at), []byte("A"))
		}
	}
	f.Fuzz(func(t *testing.T, publish bool, at uint, piece []byte) {
		i := 1
		if publish {
			i = 0
		}
		set := Set{Availability: Found, Attestations: slices.Clone(genuine.Attestations)}
		old := set.Attestations[i].Bundle
		changed := slices.Clone(old)
		copy(changed[at%uint(len(changed)):], piece)
		set.Attestations[i].Bundle = changed
		got := v.Package(realSubject(), realExpectation(), set)
		// The last digit of a text in base64 may have bits that are of no byte.
		if got.State == Verified && !cmp.Equal(provenOf(old), provenOf(changed)) {
			t.Errorf("accepted with %q at %d", piece, at)
		}
	})
}

// flips returns the bundle with one bit changed at n places of the base64 field
// that path leads to.
func flips(t testing.TB, bundle []byte, path string, n int) [][]byte {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(bundle, &tree); err != nil {
		t.Fatal(err)
	}
	keys := strings.Split(path, ".")
	raw := must(base64.StdEncoding.DecodeString(field(t, tree, keys, nil)))
	var out [][]byte
	for i := range n {
		at := i * (len(raw) - 1) / max(n-1, 1)
		changed := bytes.Clone(raw)
		changed[at] ^= 1 << (i % 8)
		encoded := base64.StdEncoding.EncodeToString(changed)
		field(t, tree, keys, &encoded)
		out = append(out, must(json.Marshal(tree)))
	}
	return out
}

// field reads the string at the path, and replaces it where set is given. A key
// of digits is an index.
func field(t testing.TB, v any, keys []string, set *string) string {
	t.Helper()
	switch node := v.(type) {
	case map[string]any:
		if len(keys) == 1 {
			old, ok := node[keys[0]].(string)
			if !ok {
				t.Fatalf("no text at %s", keys[0])
			}
			if set != nil {
				node[keys[0]] = *set
			}
			return old
		}
		return field(t, node[keys[0]], keys[1:], set)
	case []any:
		return field(t, node[must(strconv.Atoi(keys[0]))], keys[1:], set)
	default:
		t.Fatalf("no field at %v", keys)
		return ""
	}
}
