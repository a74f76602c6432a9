package provenance

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"countermark/provenance/provenancetest"
)

func TestRealProvenanceAsBundle(t *testing.T) {
	v := verifier(t, embedded(t))
	bundle := []Attestation{{Bundle: read(t, "sigstore-2.0.0", "bundle-provenance.json"), From: "b.json:1"}}
	a := Artifact{Name: "sigstore-2.0.0.tgz", Digest: Digest{"sha512", real200SHA512}}
	const san = realRepo + "/" + realWorkflow + "@" + realRef
	for _, c := range []struct {
		name  string
		id    Identity
		digit string // of the digest, in place of its first
		state State
		check string
	}{
		{name: "source", id: Identity{Source: Expectation{Repo: realRepo}}, state: Verified},
		{name: "source with all demands", id: Identity{
			PredicateType: typeSLSA1, SignerWorkflow: "sigstore/sigstore-js/" + realWorkflow,
			Source: Expectation{Repo: realRepo, Ref: "refs/heads/*", Workflow: realWorkflow, Builder: builderGitHubHosted, RepositoryID: realRepoID, Digest: "f0b49a04e5a62250e0f60fb128004a73110fe311", DenySelfHosted: true},
		}, state: Verified},
		{name: "identity", id: Identity{Certificate: san, Issuer: IssuerGitHub}, state: Verified},
		{name: "patterns", id: Identity{CertificateRegexp: "https://github.com/sigstore/.*", IssuerRegexp: "https://token[.].*"}, state: Verified},
		{name: "alternatives", id: Identity{CertificateRegexp: "x|" + realRepo + "/.*", Issuer: IssuerGitHub}, state: Verified},
		{name: "signer workflow with ref", id: Identity{Source: Expectation{Repo: realRepo}, SignerWorkflow: san}, state: Verified},

		{name: "other repository", id: Identity{Source: Expectation{Repo: realRepo + "2"}}, state: Mismatch, check: checkRepository},
		{name: "other ref", id: Identity{Source: Expectation{Repo: realRepo, Ref: "refs/tags/*"}}, state: Mismatch, check: checkRef},
		{name: "other identity", id: Identity{Certificate: san + "2", Issuer: IssuerGitHub}, state: Mismatch, check: checkIdentity},
		{name: "other issuer", id: Identity{Certificate: san, Issuer: IssuerGitLab}, state: Mismatch, check: checkIssuer},
		{name: "pattern of a part", id: Identity{CertificateRegexp: "sigstore/sigstore-js", Issuer: IssuerGitHub}, state: Mismatch, check: checkIdentity},
		{name: "pattern of a start", id: Identity{CertificateRegexp: "https://github.com/sigstore/", Issuer: IssuerGitHub}, state: Mismatch, check: checkIdentity},
		{name: "issuer pattern of a part", id: Identity{Certificate: san, IssuerRegexp: "githubusercontent"}, state: Mismatch, check: checkIssuer},
		{name: "an alternative's part", id: Identity{CertificateRegexp: "https|x", Issuer: IssuerGitHub}, state: Mismatch, check: checkIdentity},
		{name: "other signer workflow", id: Identity{Source: Expectation{Repo: realRepo}, SignerWorkflow: "sigstore/sigstore-js/.github/workflows/other.yml"}, state: Mismatch, check: checkSigner},
		{name: "signer workflow at another ref", id: Identity{Source: Expectation{Repo: realRepo}, SignerWorkflow: "sigstore/sigstore-js/" + realWorkflow + "@refs/heads/other"}, state: Mismatch, check: checkSigner},
		{name: "short builder of v1", id: Identity{Source: Expectation{Repo: realRepo, Builder: builderRunner}}, state: Mismatch, check: checkBuilder},
		{name: "other predicate type", id: Identity{PredicateType: typeSLSA02, Source: Expectation{Repo: realRepo}}, state: Invalid, check: checkPredicateType},
		{name: "other digest", digit: "5", id: Identity{Source: Expectation{Repo: realRepo}}, state: Invalid, check: checkSigned},
		{name: "a key, but it has a certificate", id: Identity{Key: must(ours(t).PublicKey())}, state: Invalid, check: checkSigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := a
			if c.digit != "" {
				a.Digest.Value = c.digit + a.Digest.Value[1:]
			}
			got, err := v.Artifact(a, bundle, c.id)
			if err != nil {
				t.Fatal(err)
			}
			if got.State != c.state || firstFailed(got) != c.check || got.Evidence != "b.json:1" {
				t.Errorf("got %s, failed %q (%s), want %s, %q", got.State, firstFailed(got), got.Reason, c.state, c.check)
			}
			if got.State != Verified && (got.Reason == "" || got.Hint == "") {
				t.Errorf("reason %q, hint %q", got.Reason, got.Hint)
			}
		})
	}
}

func TestArtifactIdentities(t *testing.T) {
	v := verifier(t, embedded(t))
	a := Artifact{Digest: Digest{"sha512", real200SHA512}}
	key := must(ours(t).PublicKey())
	for name, id := range map[string]Identity{
		"nobody":                      {},
		"only demands":                {Source: Expectation{Ref: "refs/heads/main"}, PredicateType: typeSLSA1},
		"an identity, no issuer":      {Certificate: "x"},
		"an issuer, no identity":      {Issuer: IssuerGitHub},
		"a key and an identity":       {Key: key, Certificate: "x", Issuer: "y"},
		"a key and a source":          {Key: key, Source: Expectation{Repo: realRepo}},
		"a key and a ref":             {Key: key, Source: Expectation{Ref: "refs/tags/v1"}},
		"no key":                      {Key: []byte("x")},
		"an empty key":                {Key: []byte{}},
		"an empty key and a source":   {Key: []byte{}, Source: Expectation{Repo: realRepo}},
		"two keys":                    {Key: append(bytes.Clone(key), key...)},
		"a private key":               {Key: []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
		"no pattern":                  {CertificateRegexp: "(", Issuer: IssuerGitHub},
		"a pattern that leaves group": {CertificateRegexp: "x)|(.*", Issuer: IssuerGitHub},
		"no issuer pattern":           {Certificate: "x", IssuerRegexp: "["},
		"no repository":               {Source: Expectation{Repo: "sigstore"}},
	} {
		_, err := v.Artifact(a, nil, id)
		e, ok := errors.AsType[*IdentityError](err)
		if !ok || e.Hint == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestArtifactKey verifies a statement that a plain key signed.
func TestArtifactKey(t *testing.T) {
	s := ours(t)
	v := verifier(t, s.material)
	bundle := []Attestation{{Bundle: must(s.Publish(honest()))}}
	a := Artifact{Digest: Digest{"sha512", someSHA512}}
	other := must(must(provenancetest.New()).PublicKey())
	for name, c := range map[string]struct {
		id    Identity
		state State
	}{
		"its key":     {Identity{Key: must(s.PublicKey())}, Verified},
		"another key": {Identity{Key: other}, Invalid},
		"a source":    {Identity{Source: Expectation{Repo: "https://github.com/acme/tool"}}, Invalid},
	} {
		if got := must(v.Artifact(a, bundle, c.id)); got.State != c.state {
			t.Errorf("%s: got %s (%s), want %s", name, got.State, got.Reason, c.state)
		}
	}
	// A key has no log of its own: one that this root does not know proves nothing.
	if got := must(verifier(t, embedded(t)).Artifact(a, bundle, Identity{Key: must(s.PublicKey())})); got.State != Invalid {
		t.Errorf("foreign log: got %s (%s)", got.State, got.Reason)
	}
}

func TestArtifactSeveralBundles(t *testing.T) {
	v := verifier(t, embedded(t))
	right := Attestation{Bundle: read(t, "sigstore-2.0.0", "bundle-provenance.json"), From: "b.jsonl:3"}
	wrong := Attestation{Bundle: read(t, "sigstore-1.3.0", "bundle-provenance.json"), From: "b.jsonl:1"}
	garbage := Attestation{Bundle: []byte("{}"), From: "b.jsonl:2"}
	a := Artifact{Digest: Digest{"sha512", real200SHA512}}
	id := Identity{Source: Expectation{Repo: realRepo}}
	if got := must(v.Artifact(a, []Attestation{wrong, garbage, right}, id)); got.State != Verified || got.Evidence != "b.jsonl:3" {
		t.Errorf("got %s of %q (%s)", got.State, got.Evidence, got.Reason)
	}
	id.Source.Repo += "2"
	got := must(v.Artifact(a, []Attestation{wrong, garbage, right}, id))
	if got.State != Mismatch || got.Evidence != "b.jsonl:3" || !strings.Contains(got.Reason, "none of 3") {
		t.Errorf("got %s of %q (%s)", got.State, got.Evidence, got.Reason)
	}
	if got := must(v.Artifact(a, nil, id)); got.State != Absent || got.Hint == "" {
		t.Errorf("no bundle: got %s", got.State)
	}
}

// TestArtifactTriesAllBundles: the right one may be the last, and where not all
// are tried nobody knows.
func TestArtifactTriesAllBundles(t *testing.T) {
	v := verifier(t, embedded(t))
	right := Attestation{Bundle: read(t, "sigstore-2.0.0", "bundle-provenance.json"), From: "b.jsonl:last"}
	wrong := Attestation{Bundle: []byte("{}"), From: "b.jsonl:1"}
	a := Artifact{Digest: Digest{"sha512", real200SHA512}}
	id := Identity{Source: Expectation{Repo: realRepo}}
	many := append(slices.Repeat([]Attestation{wrong}, MaxArtifactBundles-1), right)
	if got := must(v.Artifact(a, many, id)); got.State != Verified || got.Evidence != right.From {
		t.Errorf("the last of many: %s (%s)", got.State, got.Reason)
	}
	if got := must(v.Artifact(a, append(many, wrong), id)); got.State != Unavailable || got.Reason == "" || got.Hint == "" {
		t.Errorf("too many: %s (%s)", got.State, got.Reason)
	}
}

func TestArtifactFile(t *testing.T) {
	v := verifier(t, embedded(t))
	bundle := []Attestation{{Bundle: read(t, "sigstore-2.0.0", "bundle-provenance.json")}}
	id := Identity{Source: Expectation{Repo: realRepo}}
	file := func(content string) Artifact {
		return Artifact{Name: "f", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
	}
	got := must(v.Artifact(file("other bytes"), bundle, id))
	if got.State != Invalid || len(got.Subject.Digests) != 3 || got.DigestFrom != "file" {
		t.Errorf("got %s, %v", got.State, got.Subject.Digests)
	}
	missing := Artifact{Open: func() (io.ReadCloser, error) { return nil, fs.ErrNotExist }}
	if _, err := v.Artifact(missing, bundle, id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []Digest{{}, {"sha1", "00"}, {"sha512", "00"}, {"sha512", strings.Repeat("x", 128)}} {
		if _, err := v.Artifact(Artifact{Digest: bad}, bundle, id); err == nil {
			t.Errorf("%v was taken for a digest", bad)
		}
	}
}

// TestKeyErrors: a key that is none is named with its file, and what was expected.
func TestKeyErrors(t *testing.T) {
	for key, want := range map[string]string{
		"": "a block in PEM",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n":   `the PEM block is a "PUBLIC KEY" that cannot be read as one`,
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n": `the PEM block is a "CERTIFICATE" that cannot be read as one`,
	} {
		_, err := verifier(t, ours(t).material).Artifact(Artifact{}, nil, Identity{Key: []byte(key), KeyFile: "owner.pub"})
		e, ok := errors.AsType[*IdentityError](err)
		if !ok || !strings.HasPrefix(e.Error(), "owner.pub: no public key: "+want) || !strings.Contains(e.Hint, "openssl") {
			t.Errorf("%q: %v", key, err)
		}
	}
}
