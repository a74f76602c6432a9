// Package provenancetest is a small sigstore instance for tests: a certificate
// authority that writes Fulcio's extensions, a certificate transparency log, a
// transparency log, and a registry's key for publish attestations.
//
// In flows a [Build], which says what was built from where; out flow the two
// bundles of npm's set, or any statement signed in the same way, and the trusted
// root and keys with which they verify. Everything is made in memory with fresh
// keys at a fixed time, so that tests need neither network nor clock. Nothing
// outside of tests may import it.
package provenancetest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"time"

	ct "github.com/google/certificate-transparency-go"
	cttls "github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
)

// Now is the time at which everything is signed and logged.
var Now = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// Host of the log, as its checkpoints name it.
const logHost = "rekor.example"

// Sigstore is the instance. It is safe for concurrent use.
type Sigstore struct {
	rootCert, intermediate *x509.Certificate
	intermediateKey        *ecdsa.PrivateKey
	ctKey, logKey          *ecdsa.PrivateKey
	registryKey            *ecdsa.PrivateKey
}

// New makes an instance with fresh keys.
func New() (*Sigstore, error) {
	s := &Sigstore{}
	var rootKey *ecdsa.PrivateKey
	for _, key := range []**ecdsa.PrivateKey{&rootKey, &s.intermediateKey, &s.ctKey, &s.logKey, &s.registryKey} {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		*key = k
	}
	authority := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"sigstore.example"}},
			NotBefore: Now.AddDate(-1, 0, 0), NotAfter: Now.AddDate(9, 0, 0),
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
		}
	}
	template := authority("test root")
	var err error
	if s.rootCert, err = certify(template, template, rootKey.Public(), rootKey); err != nil {
		return nil, err
	}
	template = authority("test intermediate")
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	s.intermediate, err = certify(template, s.rootCert, s.intermediateKey.Public(), rootKey)
	return s, err
}

func certify(template, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// TrustedRoot returns the instance's trusted root as JSON.
func (s *Sigstore) TrustedRoot() ([]byte, error) {
	log := func(key *ecdsa.PrivateKey) (map[string]*root.TransparencyLog, error) {
		id, err := keyID(key.Public())
		if err != nil {
			return nil, err
		}
		return map[string]*root.TransparencyLog{hex.EncodeToString(id): {
			BaseURL: "https://" + logHost, ID: id, ValidityPeriodStart: Now.AddDate(-5, 0, 0),
			HashFunc: crypto.SHA256, PublicKey: key.Public(), SignatureHashFunc: crypto.SHA256,
		}}, nil
	}
	logs, err := log(s.logKey)
	if err != nil {
		return nil, err
	}
	certificateLogs, err := log(s.ctKey)
	if err != nil {
		return nil, err
	}
	ca := &root.FulcioCertificateAuthority{
		URI: "https://fulcio.example", Root: s.rootCert, Intermediates: []*x509.Certificate{s.intermediate}, ValidityPeriodStart: Now.AddDate(-1, 0, 0),
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{ca}, certificateLogs, nil, logs)
	if err != nil {
		return nil, err
	}
	return r.MarshalJSON()
}

// Authorities returns the certificates above the signers', in DER, the root last.
func (s *Sigstore) Authorities() [][]byte {
	return [][]byte{s.intermediate.Raw, s.rootCert.Raw}
}

// KeyID returns the id of the registry's key: its fingerprint as SSH writes it,
// which DSSE demands of a signature's key id.
func (s *Sigstore) KeyID() (string, error) { return dsse.SHA256KeyID(s.registryKey.Public()) }

func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	id := sha256.Sum256(der)
	return id[:], err
}

// NPMKeys returns the registry's key in the form of sigstore's TUF target, for
// attestations and signatures.
func (s *Sigstore) NPMKeys() ([]byte, error) {
	id, err := s.KeyID()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(s.registryKey.Public())
	if err != nil {
		return nil, err
	}
	var keys []any
	for _, usage := range []string{"npm:signatures", "npm:attestations"} {
		keys = append(keys, map[string]any{"keyId": id, "keyUsage": usage, "publicKey": map[string]any{
			"rawBytes": der, "keyDetails": "PKIX_ECDSA_P256_SHA_256",
			"validFor": map[string]any{"start": Now.AddDate(-1, 0, 0)},
		}})
	}
	return json.Marshal(map[string]any{"keys": keys})
}

// PublicKey returns the registry's key in PEM.
func (s *Sigstore) PublicKey() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(s.registryKey.Public())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

// Signer signs one statement.
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
	// NoSCT leaves out the certificate transparency log's promise.
	NoSCT bool
}

// Sign signs an in-toto statement, logs it, and returns the bundle's JSON
// (version 0.3).
func (s *Sigstore) Sign(statement []byte, as Signer) ([]byte, error) {
	key := s.registryKey
	var material map[string]any
	var verifier []byte
	var keyName string
	if as.Key {
		id, err := s.KeyID()
		if err != nil {
			return nil, err
		}
		if verifier, err = s.PublicKey(); err != nil {
			return nil, err
		}
		hint := either(as.Hint, id)
		keyName = either(as.KeyID, id)
		material = map[string]any{"publicKey": map[string]any{"hint": hint}}
	} else {
		var leaf *x509.Certificate
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
		if leaf, err = s.leaf(key, as); err != nil {
			return nil, err
		}
		keyName = as.KeyID
		material = map[string]any{"certificate": map[string]any{"rawBytes": leaf.Raw}}
		verifier = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	}
	const payloadType = "application/vnd.in-toto+json"
	digest := sha256.Sum256(dsse.PAE(payloadType, statement))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return nil, err
	}
	seen := as.Seen
	if seen.IsZero() {
		seen = Now
	}
	entry, err := s.log(statement, sig, verifier, seen)
	if err != nil {
		return nil, err
	}
	material["tlogEntries"] = []any{entry}
	return json.Marshal(map[string]any{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": material,
		"dsseEnvelope": map[string]any{
			"payload": statement, "payloadType": payloadType,
			"signatures": []any{map[string]any{"sig": sig, "keyid": keyName}},
		},
	})
}

func either(given, standard string) string {
	if given != "" {
		return given
	}
	return standard
}

// log writes a "dsse" 0.0.1 entry into a log of one leaf, with the promise and
// the proof of Rekor v1.
func (s *Sigstore) log(statement, sig, verifier []byte, seen time.Time) (map[string]any, error) {
	payload := sha256.Sum256(statement)
	// encoding/json sorts a map's keys, and nothing in here needs escaping: this
	// is the canonical form that the log signs.
	body, err := json.Marshal(map[string]any{
		"apiVersion": "0.0.1", "kind": "dsse",
		"spec": map[string]any{
			"envelopeHash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(payload[:])},
			"payloadHash":  map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(payload[:])},
			"signatures":   []any{map[string]any{"signature": sig, "verifier": verifier}},
		},
	})
	if err != nil {
		return nil, err
	}
	id, err := keyID(s.logKey.Public())
	if err != nil {
		return nil, err
	}
	const index = 0
	promise, err := json.Marshal(map[string]any{"body": body, "integratedTime": seen.Unix(), "logID": hex.EncodeToString(id), "logIndex": index})
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(promise)
	set, err := ecdsa.SignASN1(rand.Reader, s.logKey, digest[:])
	if err != nil {
		return nil, err
	}
	leaf := sha256.Sum256(append([]byte{0}, body...))
	signer, err := signature.LoadECDSASignerVerifier(s.logKey, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	checkpoint, err := util.CreateAndSignCheckpoint(context.Background(), logHost, 1, 1, leaf[:], signer)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"logIndex": strconv.Itoa(index), "logId": map[string]any{"keyId": id},
		"kindVersion":       map[string]any{"kind": "dsse", "version": "0.0.1"},
		"integratedTime":    strconv.FormatInt(seen.Unix(), 10),
		"inclusionPromise":  map[string]any{"signedEntryTimestamp": set},
		"inclusionProof":    map[string]any{"logIndex": "0", "rootHash": leaf[:], "treeSize": "1", "hashes": []any{}, "checkpoint": map[string]any{"envelope": string(checkpoint)}},
		"canonicalizedBody": body,
	}, nil
}

// leaf issues a certificate of ten minutes, with the promise of the certificate
// transparency log in it (RFC 6962, section 3.3).
func (s *Sigstore) leaf(key *ecdsa.PrivateKey, as Signer) (*x509.Certificate, error) {
	san, err := url.Parse(as.SAN)
	if err != nil {
		return nil, err
	}
	extensions, err := render(as.Extensions, as.Early)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: Now.Add(-5 * time.Minute), NotAfter: Now.Add(5 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		URIs: []*url.URL{san}, ExtraExtensions: extensions,
	}
	bare, err := certify(template, s.intermediate, key.Public(), s.intermediateKey)
	if err != nil || as.NoSCT {
		return bare, err
	}
	sct, err := s.promise(bare.RawTBSCertificate)
	if err != nil {
		return nil, err
	}
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier(ctx509.OIDExtensionCTSCT), Value: sct})
	return certify(template, s.intermediate, key.Public(), s.intermediateKey)
}

// promise signs the certificate as it is without the promise in it, which is
// what a verifier reconstructs.
func (s *Sigstore) promise(tbs []byte) ([]byte, error) {
	id, err := keyID(s.ctKey.Public())
	if err != nil {
		return nil, err
	}
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: uint64(Now.UnixMilli())}
	copy(sct.LogID.KeyID[:], id)
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{TimestampedEntry: &ct.TimestampedEntry{
		EntryType:    ct.PrecertLogEntryType,
		PrecertEntry: &ct.PreCert{IssuerKeyHash: sha256.Sum256(s.intermediate.RawSubjectPublicKeyInfo), TBSCertificate: tbs},
	}}})
	if err != nil {
		return nil, err
	}
	signed, err := cttls.CreateSignature(*s.ctKey, cttls.SHA256, input)
	if err != nil {
		return nil, err
	}
	sct.Signature = ct.DigitallySigned(signed)
	list, err := x509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&sct})
	if err != nil {
		return nil, err
	}
	raw, err := cttls.Marshal(*list)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(raw)
}

// render writes Fulcio's extensions: the early ones as raw strings, the later
// ones as DER strings.
func render(e certificate.Extensions, early bool) ([]pkix.Extension, error) {
	var out []pkix.Extension
	for i, value := range []string{
		e.Issuer, e.GithubWorkflowTrigger, e.GithubWorkflowSHA, e.GithubWorkflowName, e.GithubWorkflowRepository, e.GithubWorkflowRef,
	} {
		if value != "" {
			id := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, i + 1}
			out = append(out, pkix.Extension{Id: id, Value: []byte(value)})
		}
	}
	if early {
		return out, nil
	}
	for _, x := range []struct {
		id    asn1.ObjectIdentifier
		value string
	}{
		{certificate.OIDIssuerV2, e.Issuer},
		{certificate.OIDBuildSignerURI, e.BuildSignerURI},
		{certificate.OIDRunnerEnvironment, e.RunnerEnvironment},
		{certificate.OIDSourceRepositoryURI, e.SourceRepositoryURI},
		{certificate.OIDSourceRepositoryDigest, e.SourceRepositoryDigest},
		{certificate.OIDSourceRepositoryRef, e.SourceRepositoryRef},
		{certificate.OIDSourceRepositoryIdentifier, e.SourceRepositoryIdentifier},
		{certificate.OIDSourceRepositoryOwnerIdentifier, e.SourceRepositoryOwnerIdentifier},
		{certificate.OIDBuildConfigURI, e.BuildConfigURI},
		{certificate.OIDBuildTrigger, e.BuildTrigger},
		{certificate.OIDRunInvocationURI, e.RunInvocationURI},
	} {
		if x.value == "" {
			continue
		}
		der, err := asn1.MarshalWithParams(x.value, "utf8")
		if err != nil {
			return nil, err
		}
		out = append(out, pkix.Extension{Id: x.id, Value: der})
	}
	return out, nil
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
