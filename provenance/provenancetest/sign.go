package provenancetest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
)

// Form is how a transparency log writes down what was signed.
type Form string

// The forms of log entries.
const (
	DSSE    Form = "dsse"    // Rekor v1, dsse 0.0.1
	Intoto  Form = "intoto"  // Rekor v1, intoto 0.0.2
	Record  Form = "record"  // Rekor v1, hashedrekord 0.0.1; what files get
	Record2 Form = "record2" // Rekor v2, hashedrekord 0.0.2, without a time of its own
	NoEntry Form = "none"    // nothing is logged
)

// Signer signs one statement or file.
type Signer struct {
	// Key signs with the registry's key instead of a certificate.
	Key bool
	// Hint and KeyID replace the names of the registry's key in the bundle and
	// in the signature.
	Hint, KeyID string
	// SAN and Extensions are what the certificate says.
	SAN        string
	Extensions certificate.Extensions
	// Early writes only the extensions of early 2023, 1.1 to 1.6.
	Early bool
	// Seen is when the log saw it; Now where it is zero. The certificate is
	// valid for ten minutes around Now.
	Seen time.Time
	// NoSCT leaves out the certificate transparency log's promise; OtherSCT puts
	// in one for another certificate.
	NoSCT, OtherSCT bool

	// Version is the bundle's: "0.1", "0.2" or "0.3"; "0.3" where it is empty.
	// The certificate stands with its authorities in a chain below 0.3.
	Version string
	// Entry is the form of the log's entry. Where it is empty, it is DSSE for a
	// statement and Record for a file.
	Entry Form
	// NoPromise and NoProof leave out the half of Rekor v1's entry that signs
	// the time, or the one that proves its place.
	NoPromise, NoProof bool
	// Timestamps are the times that the timestamp authority signs.
	Timestamps []time.Time
	// Forged signs with another key than the one that the bundle names. All else
	// is as it should be: log and timestamp authority do not look at signatures.
	Forged bool
}

const payloadType = "application/vnd.in-toto+json"

// Sign signs an in-toto statement, logs it, and returns the bundle's JSON.
func (s *Sigstore) Sign(statement []byte, as Signer) ([]byte, error) {
	if as.Entry == "" {
		as.Entry = DSSE
	}
	signed := logged{message: dsse.PAE(payloadType, statement), payload: statement}
	return s.bundle(signed, as, func(sig []byte, keyName string) (string, any) {
		return "dsseEnvelope", map[string]any{
			"payload": statement, "payloadType": payloadType,
			"signatures": []any{map[string]any{"sig": sig, "keyid": keyName}},
		}
	})
}

// SignFile signs a file's SHA-256, logs it, and returns the bundle's JSON.
func (s *Sigstore) SignFile(content []byte, as Signer) ([]byte, error) {
	if as.Entry == "" {
		as.Entry = Record
	}
	digest := sha256.Sum256(content)
	return s.bundle(logged{message: content}, as, func(sig []byte, _ string) (string, any) {
		return "messageSignature", map[string]any{
			"messageDigest": map[string]any{"algorithm": "SHA2_256", "digest": digest[:]}, "signature": sig,
		}
	})
}

// bundle signs the message and puts a bundle around it.
func (s *Sigstore) bundle(signed logged, as Signer, content func(sig []byte, keyName string) (string, any)) ([]byte, error) {
	key, material, keyName, err := s.signer(&signed, as)
	if err != nil {
		return nil, err
	}
	if as.Forged {
		if key, err = newKey(); err != nil {
			return nil, err
		}
	}
	digest := sha256.Sum256(signed.message)
	if signed.signature, err = ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
		return nil, err
	}
	if as.Entry != NoEntry {
		entry, err := s.log(signed, as)
		if err != nil {
			return nil, err
		}
		material["tlogEntries"] = []any{entry}
	}
	var stamps []any
	for _, at := range as.Timestamps {
		stamp, err := s.Stamp(signed.signature, at)
		if err != nil {
			return nil, err
		}
		stamps = append(stamps, map[string]any{"signedTimestamp": stamp})
	}
	if stamps != nil {
		material["timestampVerificationData"] = map[string]any{"rfc3161Timestamps": stamps}
	}
	kind, body := content(signed.signature, keyName)
	return json.Marshal(map[string]any{"mediaType": as.mediaType(), "verificationMaterial": material, kind: body})
}

func (as Signer) mediaType() string {
	if as.Version == "0.1" || as.Version == "0.2" {
		return "application/vnd.dev.sigstore.bundle+json;version=" + as.Version
	}
	return "application/vnd.dev.sigstore.bundle.v" + either(as.Version, "0.3") + "+json"
}

// signer returns the key that signs, what the bundle says of it, and the name
// that the signature gives it.
func (s *Sigstore) signer(signed *logged, as Signer) (*ecdsa.PrivateKey, map[string]any, string, error) {
	if as.Key {
		id, err := s.KeyID()
		if err != nil {
			return nil, nil, "", err
		}
		if signed.verifier, err = s.PublicKey(); err != nil {
			return nil, nil, "", err
		}
		block, _ := pem.Decode(signed.verifier)
		signed.rekor2 = map[string]any{"publicKey": map[string]any{"rawBytes": block.Bytes}}
		return s.registryKey, map[string]any{"publicKey": map[string]any{"hint": either(as.Hint, id)}}, either(as.KeyID, id), nil
	}
	key, err := newKey()
	if err != nil {
		return nil, nil, "", err
	}
	leaf, err := s.leaf(key, as)
	if err != nil {
		return nil, nil, "", err
	}
	one := map[string]any{"rawBytes": leaf.Raw}
	signed.verifier = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	signed.rekor2 = map[string]any{"x509Certificate": one}
	material := map[string]any{"certificate": one}
	if as.Version == "0.1" || as.Version == "0.2" {
		chain := []any{one}
		for _, raw := range s.Authorities() {
			chain = append(chain, map[string]any{"rawBytes": raw})
		}
		material = map[string]any{"x509CertificateChain": map[string]any{"certificates": chain}}
	}
	return key, material, as.KeyID, nil
}

// Stamp returns the timestamp authority's response for a signature (RFC 3161).
func (s *Sigstore) Stamp(sig []byte, at time.Time) ([]byte, error) {
	digest := sha256.Sum256(sig)
	stamp := timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Time: at,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, // the trusted root has its certificate
	}
	return stamp.CreateResponseWithOpts(s.timeCert, s.timeKey, crypto.SHA256)
}

func either(given, standard string) string {
	if given != "" {
		return given
	}
	return standard
}

// Answer wraps bundles as a registry's attestation endpoint does: each with the
// predicate type that its own statement has.
func Answer(bundles ...[]byte) ([]byte, error) {
	var list []any
	for _, b := range bundles {
		predicateType, err := PredicateType(b)
		if err != nil {
			return nil, err
		}
		list = append(list, map[string]any{"predicateType": predicateType, "bundle": json.RawMessage(bytes.Clone(b))})
	}
	return json.Marshal(map[string]any{"attestations": list})
}

// PredicateType returns the type that a bundle's statement has.
func PredicateType(bundle []byte) (string, error) {
	var b struct {
		Envelope struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		return "", err
	}
	if err := json.Unmarshal(b.Envelope.Payload, &statement); err != nil {
		return "", fmt.Errorf("the payload: %w", err)
	}
	if statement.PredicateType == "" {
		return "", errors.New("the statement has no predicate type")
	}
	return statement.PredicateType, nil
}
