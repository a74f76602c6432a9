package provenance

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
)

// TestForms verifies every form that sigstore's bundles have had, each against
// the root of the instance that would have written it.
func TestForms(t *testing.T) {
	const (
		all = iota
		logged
		private
	)
	roots := map[int][]provenancetest.Part{
		all:     nil,
		logged:  {provenancetest.Fulcio, provenancetest.CTLog, provenancetest.Log},
		private: {provenancetest.Fulcio, provenancetest.Timestamp}, // as GitHub's for private repositories
	}
	stamped := []time.Time{provenancetest.Now}
	for name, c := range map[string]struct {
		as    provenancetest.Signer // form only
		root  int
		fails string // the check; empty where it verifies
	}{
		"0.1, intoto":                         {as: provenancetest.Signer{Version: "0.1", Entry: provenancetest.Intoto}, root: logged},
		"0.1, intoto, no proof":               {as: provenancetest.Signer{Version: "0.1", Entry: provenancetest.Intoto, NoProof: true}, root: logged},
		"0.2, dsse":                           {as: provenancetest.Signer{Version: "0.2"}, root: logged},
		"0.3, dsse":                           {as: provenancetest.Signer{Version: "0.3"}, root: logged},
		"0.3, intoto":                         {as: provenancetest.Signer{Entry: provenancetest.Intoto}, root: all},
		"0.3, timestamp beside the log":       {as: provenancetest.Signer{Timestamps: stamped}, root: all},
		"0.3, Rekor v2":                       {as: provenancetest.Signer{Entry: provenancetest.Record2, Timestamps: stamped}, root: all},
		"0.3, private":                        {as: provenancetest.Signer{Entry: provenancetest.NoEntry, NoSCT: true, Timestamps: stamped}, root: private},
		"0.3, private, logged all the same":   {as: provenancetest.Signer{NoSCT: true, Timestamps: stamped}, root: private},
		"0.1, promise missing":                {as: provenancetest.Signer{Version: "0.1", NoPromise: true}, root: logged, fails: checkReadable},
		"0.2, proof missing":                  {as: provenancetest.Signer{Version: "0.2", NoProof: true}, root: logged, fails: checkReadable},
		"0.3, promise missing, nobody's time": {as: provenancetest.Signer{NoPromise: true}, root: logged, fails: checkProvenanceSigned},
		"0.3, Rekor v2, nobody's time":        {as: provenancetest.Signer{Entry: provenancetest.Record2}, root: all, fails: checkProvenanceSigned},
		"0.3, private, nobody's time":         {as: provenancetest.Signer{Entry: provenancetest.NoEntry, NoSCT: true}, root: private, fails: checkProvenanceSigned},
		"0.3, not logged":                     {as: provenancetest.Signer{Entry: provenancetest.NoEntry, Timestamps: stamped}, root: all, fails: checkProvenanceSigned},
		"0.3, unknown log":                    {as: provenancetest.Signer{Entry: provenancetest.Record2, Timestamps: stamped}, root: logged, fails: checkProvenanceSigned},
	} {
		t.Run(name, func(t *testing.T) {
			s := ours(t)
			material := &trust.Material{Keys: s.material.Keys}
			material.Root = must(trust.LoadRoot(must(s.TrustedRoot(roots[c.root]...)), "root"))
			b := honest()
			publisher, builder := c.as, c.as
			publisher.Key = true
			identity := b.Identity()
			builder.SAN, builder.Extensions = identity.SAN, identity.Extensions
			if c.fails != "" {
				publisher = provenancetest.Signer{Key: true, Timestamps: stamped}
			}
			set := setOf(t, must(s.Sign(must(b.PublishStatement()), publisher)), must(s.Sign(must(b.ProvenanceStatement()), builder)))
			got := verifier(t, material).Package(honestSubject(), honestExpectation(), set)
			if firstFailed(got) != c.fails || (got.State == Verified) != (c.fails == "") {
				t.Errorf("got %s, failed %q (%s), want %q", got.State, firstFailed(got), got.Reason, c.fails)
			}
		})
	}
}

// TestFileForms does the same for the signature of a file.
func TestFileForms(t *testing.T) {
	s := ours(t)
	stamped := []time.Time{provenancetest.Now}
	content := []byte("a file\n")
	sum := sha256.Sum256(content)
	a := Artifact{Name: "f", Digest: Digest{"sha256", hex.EncodeToString(sum[:])}}
	for name, c := range map[string]struct {
		as    provenancetest.Signer
		state State
	}{
		"0.1":                 {provenancetest.Signer{Version: "0.1"}, Verified},
		"0.2":                 {provenancetest.Signer{Version: "0.2"}, Verified},
		"0.3":                 {provenancetest.Signer{}, Verified},
		"Rekor v2":            {provenancetest.Signer{Entry: provenancetest.Record2, Timestamps: stamped}, Verified},
		"Rekor v2, no time":   {provenancetest.Signer{Entry: provenancetest.Record2}, Invalid},
		"entry for statement": {provenancetest.Signer{Entry: provenancetest.DSSE}, Invalid},
	} {
		identity := honest().Identity()
		as := c.as
		as.SAN, as.Extensions = identity.SAN, identity.Extensions
		bundle := []Attestation{{Bundle: must(s.SignFile(content, as))}}
		id := Identity{Source: Expectation{Repo: "https://github.com/acme/tool"}}
		if got := must(verifier(t, s.material).Artifact(a, bundle, id)); got.State != c.state {
			t.Errorf("%s: %s (%s), want %s", name, got.State, got.Reason, c.state)
		}
		as.Key, as.Timestamps = true, nil
		bundle[0].Bundle = must(s.SignFile(content, as))
		id = Identity{Key: must(s.PublicKey())}
		want := c.state
		if as.Entry == provenancetest.Record2 {
			want = Verified // a user's key needs no time
		}
		if got := must(verifier(t, s.material).Artifact(a, bundle, id)); got.State != want {
			t.Errorf("%s, with a key: %s (%s), want %s", name, got.State, got.Reason, want)
		}
	}
}
