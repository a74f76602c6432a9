package provenance

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
)

// rootsOf writes the trusted roots of instances as JSON lines.
func rootsOf(t *testing.T, parts []provenancetest.Part, instances ...*provenancetest.Sigstore) *trust.Material {
	t.Helper()
	var lines [][]byte
	for _, s := range instances {
		lines = append(lines, must(s.TrustedRoot(parts...)))
	}
	r := must(trust.LoadRoot(bytes.Join(lines, []byte("\n")), "roots.jsonl"))
	return &trust.Material{Root: r, Keys: ours(t).material.Keys}
}

// TestSeveralRoots shows that each instance of a file proves what it signed, and
// that no two of them prove anything together: a bundle for which one instance
// gave all but one part, and another that part, is refused. In one collection of
// all their authorities it would pass.
func TestSeveralRoots(t *testing.T) {
	const file = "an app"
	first := must(provenancetest.New())
	stamped := []time.Time{provenancetest.Now}
	private := []provenancetest.Part{provenancetest.Fulcio, provenancetest.Timestamp}
	for name, c := range map[string]struct {
		foreign provenancetest.Part // what the second instance gives
		roots   []provenancetest.Part
		as      provenancetest.Signer // form only
	}{
		"Rekor v1":            {foreign: provenancetest.Log},
		"Rekor v2":            {foreign: provenancetest.Log2, as: provenancetest.Signer{Entry: provenancetest.Record2, Timestamps: stamped}},
		"CT log":              {foreign: provenancetest.CTLog},
		"timestamp authority": {foreign: provenancetest.Timestamp, as: provenancetest.Signer{Entry: provenancetest.Record2, Timestamps: stamped}},
		"private clock":       {foreign: provenancetest.Timestamp, roots: private, as: provenancetest.Signer{Entry: provenancetest.NoEntry, NoSCT: true, Timestamps: stamped}},
		"private authority":   {foreign: provenancetest.Fulcio, roots: private, as: provenancetest.Signer{Entry: provenancetest.NoEntry, NoSCT: true, Timestamps: stamped}},
	} {
		t.Run(name, func(t *testing.T) {
			chimera := must(first.Impostor(c.foreign))
			var others []provenancetest.Part
			for _, p := range []provenancetest.Part{provenancetest.Fulcio, provenancetest.CTLog, provenancetest.Log, provenancetest.Log2, provenancetest.Timestamp} {
				if p != c.foreign {
					others = append(others, p)
				}
			}
			second := must(chimera.Impostor(others...)) // has that part in common with the chimera
			as := c.as
			identity := honest().Identity()
			as.SAN, as.Extensions = identity.SAN, identity.Extensions
			id := Identity{Certificate: as.SAN, Issuer: identity.Extensions.Issuer}
			judge := func(v *Verifier, by *provenancetest.Sigstore) Result {
				a := Artifact{Digest: Digest{"sha256", sha256Of(file)}}
				return must(v.Artifact(a, []Attestation{{Bundle: must(by.SignFile([]byte(file), as))}}, id))
			}
			v := verifier(t, rootsOf(t, c.roots, first, second))
			for who, s := range map[string]*provenancetest.Sigstore{"first": first, "second": second} {
				if got := judge(v, s); got.State != Verified {
					t.Errorf("%s: %s: %s", who, got.State, got.Reason)
				}
			}
			if got := judge(v, chimera); got.State != Invalid || !strings.Contains(got.Reason, "none of 2 trusted roots proves it; with number ") {
				t.Errorf("chimera: %s: %s", got.State, got.Reason)
			}
			mixed := verifier(t, rootsOf(t, c.roots, first, second))
			mixed.roots = []root.TrustedMaterial{root.TrustedMaterialCollection(mixed.roots)}
			if got := judge(mixed, chimera); got.State != Verified {
				t.Errorf("in one collection: %s: %s; the case proves nothing", got.State, got.Reason)
			}
		})
	}
}

// TestRootsOrder shows that the root a bundle claims to be from is asked first,
// whatever the order of the file: its words are shown, and others cost nothing.
func TestRootsOrder(t *testing.T) {
	first, second := must(provenancetest.New()), must(provenancetest.New())
	late := honest().Identity()
	late.Seen = provenancetest.Now.Add(time.Hour) // after the certificate's validity
	bundle := must(second.SignFile([]byte("x"), late))
	for want, order := range map[string][]*provenancetest.Sigstore{"number 2": {first, second}, "number 1": {second, first}} {
		v := verifier(t, rootsOf(t, nil, order...))
		got := must(v.Artifact(Artifact{Digest: Digest{"sha256", sha256Of("x")}}, []Attestation{{Bundle: bundle}}, Identity{Certificate: late.SAN, Issuer: late.Extensions.Issuer}))
		if got.State != Invalid || !strings.Contains(got.Reason, "with "+want+", the nearest: ") || !strings.Contains(got.Reason, "outside certificate validity") {
			t.Errorf("%s: %s: %s", want, got.State, got.Reason)
		}
	}
}

// TestSetUnderSeveralRoots shows that npm's keys go with each root.
func TestSetUnderSeveralRoots(t *testing.T) {
	stranger := must(provenancetest.New())
	s := ours(t)
	b := honest()
	for name, order := range map[string][]*provenancetest.Sigstore{"first": {s.Sigstore, stranger}, "last": {stranger, s.Sigstore}} {
		if got := verifier(t, rootsOf(t, nil, order...)).Package(honestSubject(), honestExpectation(), signed(t, b)); got.State != Verified || got.LogIndex == 0 || got.Publish.Integrated.IsZero() {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := verifier(t, rootsOf(t, nil, stranger, must(provenancetest.New()))).Package(honestSubject(), honestExpectation(), signed(t, b)); got.State != Invalid {
		t.Errorf("strangers: %s", got.State)
	}
}

// TestMessageUnderSeveralRoots verifies a file under a plain Ed25519 key, which
// signs the message itself: each root reads the file from its start.
func TestMessageUnderSeveralRoots(t *testing.T) {
	content := []byte("an app")
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := must(provenancetest.New())
	sig := ed25519.Sign(key, content)
	digest := sha256.Sum256(content)
	bundle := must(json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{
			"publicKey":                 map[string]any{"hint": "acme"},
			"timestampVerificationData": map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": must(s.Stamp(sig, provenancetest.Now))}}},
		},
		"messageSignature": map[string]any{"messageDigest": map[string]any{"algorithm": "SHA2_256", "digest": digest[:]}, "signature": sig},
	}))
	id := Identity{Key: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(public))})}
	parts := []provenancetest.Part{provenancetest.Fulcio, provenancetest.Timestamp}
	for want, instances := range map[State][]*provenancetest.Sigstore{
		Verified: {must(provenancetest.New()), must(provenancetest.New()), s},
		Invalid:  {must(provenancetest.New()), must(provenancetest.New())},
	} {
		a := Artifact{Name: "app", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
		if got := must(verifier(t, rootsOf(t, parts, instances...)).Artifact(a, []Attestation{{Bundle: bundle}}, id)); got.State != want {
			t.Errorf("got %s (%s), want %s", got.State, got.Reason, want)
		}
	}
}

func sha256Of(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
