package provenancetest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// TestForged: a forged bundle is wrong in its signature, and an honest one is not.
func TestForged(t *testing.T) {
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	build := Build{Package: "tool", Version: "1.0.0", SHA512: "00", Repository: "https://github.com/acme/tool"}
	for _, forged := range []bool{false, true} {
		as := build.Identity()
		as.Forged = forged
		statement, err := build.ProvenanceStatement()
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.Sign(statement, as)
		if err != nil {
			t.Fatal(err)
		}
		var b struct {
			Material struct {
				Certificate struct{ RawBytes []byte }
			} `json:"verificationMaterial"`
			Envelope struct {
				Payload    []byte
				Signatures []struct{ Sig []byte }
			} `json:"dsseEnvelope"`
		}
		if err := json.Unmarshal(data, &b); err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(b.Material.Certificate.RawBytes)
		if err != nil {
			t.Fatal(err)
		}
		key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
		digest := sha256.Sum256(dsse.PAE(payloadType, b.Envelope.Payload))
		if !ok || ecdsa.VerifyASN1(key, digest[:], b.Envelope.Signatures[0].Sig) == forged {
			t.Errorf("forged %t: the signature says otherwise", forged)
		}
	}
}
