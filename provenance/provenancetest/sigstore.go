// Package provenancetest is a small sigstore instance for tests: a certificate
// authority that writes Fulcio's extensions, a certificate transparency log, a
// transparency log in both of Rekor's versions, a timestamp authority (RFC 3161),
// and a registry's key for publish attestations.
//
// In flows a [Build], which says what was built from where; out flow the two
// bundles of npm's set, or any statement or file signed in the same way, and the
// trusted root and keys with which they verify. A [Signer] says in which of the
// forms that bundles have had over the years; [Sigstore.Impostor] makes the
// stranger who has everything but one key. Everything is made in memory with
// fresh keys at a fixed time, so that tests need neither network nor clock.
// Nothing outside of tests may import it.
package provenancetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// Now is the time at which everything is signed and logged.
var Now = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// Hosts of the logs, as their checkpoints name them.
const (
	logHost  = "rekor.example"
	log2Host = "rekor2.example"
)

// Part is one of those on whom a proof rests.
type Part string

// The parts of an instance.
const (
	Fulcio    Part = "certificate authority"
	CTLog     Part = "certificate transparency log"
	Log       Part = "transparency log"             // Rekor v1
	Log2      Part = "transparency log of Rekor v2" // tiles
	Timestamp Part = "timestamp authority"          // RFC 3161
	NPM       Part = "registry key"                 // with which it signs publish attestations
)

// Sigstore is the instance. It is safe for concurrent use.
type Sigstore struct {
	rootCert, intermediate *x509.Certificate   // intermediate issues; where there is none, it is the root itself
	above                  []*x509.Certificate // further ones between the two, the root's own last
	intermediateKey        *ecdsa.PrivateKey
	ctKey, logKey          *ecdsa.PrivateKey
	log2Key                ed25519.PrivateKey
	timeRoot, timeCert     *x509.Certificate
	timeKey                *ecdsa.PrivateKey
	registryKey            *ecdsa.PrivateKey
}

// New makes an instance with fresh keys.
func New() (*Sigstore, error) {
	s := &Sigstore{}
	for _, part := range []Part{Fulcio, CTLog, Log, Log2, Timestamp, NPM} {
		if err := s.renew(part); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Impostor returns an instance that shares everything with s but the keys of the
// parts named: whoever trusts s must not trust what that part of it signs.
func (s *Sigstore) Impostor(parts ...Part) (*Sigstore, error) {
	other := *s
	for _, part := range parts {
		if err := other.renew(part); err != nil {
			return nil, err
		}
	}
	return &other, nil
}

// Chain returns an instance that shares everything with s but its certificate
// authority. That has so many intermediate certificates below its root, and all of
// its certificates end then.
func (s *Sigstore) Chain(intermediates int, until time.Time) (*Sigstore, error) {
	other := *s
	return &other, other.renewFulcio(intermediates, until)
}

// renew gives a part fresh keys.
func (s *Sigstore) renew(part Part) (err error) {
	switch part {
	case Fulcio:
		return s.renewFulcio(1, Now.AddDate(9, 0, 0))
	case CTLog:
		s.ctKey, err = newKey()
	case Log:
		s.logKey, err = newKey()
	case Log2:
		_, s.log2Key, err = ed25519.GenerateKey(rand.Reader)
	case Timestamp:
		return s.renewTimestamp()
	case NPM:
		s.registryKey, err = newKey()
	default:
		return fmt.Errorf("there is no part %q", part)
	}
	return err
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func (s *Sigstore) renewFulcio(intermediates int, until time.Time) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	template := authority("test root")
	template.NotAfter = until
	if s.rootCert, err = certify(template, template, key.Public(), key); err != nil {
		return err
	}
	s.intermediate, s.intermediateKey, s.above = s.rootCert, key, nil
	for i := range intermediates {
		if key, err = newKey(); err != nil {
			return err
		}
		template := authority(fmt.Sprintf("test intermediate %d", i+1))
		template.NotAfter = until
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		issued, err := certify(template, s.intermediate, key.Public(), s.intermediateKey)
		if err != nil {
			return err
		}
		if i > 0 {
			s.above = append([]*x509.Certificate{s.intermediate}, s.above...)
		}
		s.intermediate, s.intermediateKey = issued, key
	}
	return nil
}

// renewTimestamp makes a timestamp authority: its certificate is for that alone,
// and says so in a critical extension (RFC 3161, section 2.3).
func (s *Sigstore) renewTimestamp() error {
	rootKey, err := newKey()
	if err != nil {
		return err
	}
	if s.timeKey, err = newKey(); err != nil {
		return err
	}
	template := authority("test time root")
	if s.timeRoot, err = certify(template, template, rootKey.Public(), rootKey); err != nil {
		return err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return err
	}
	s.timeCert, err = certify(&x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "test time", Organization: []string{"sigstore.example"}},
		NotBefore: Now.AddDate(-1, 0, 0), NotAfter: Now.AddDate(9, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, s.timeRoot, s.timeKey.Public(), rootKey)
	return err
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"sigstore.example"}},
		NotBefore: Now.AddDate(-1, 0, 0), NotAfter: Now.AddDate(9, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
	}
}

func certify(template, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// TrustedRoot returns the instance's trusted root as JSON. It names the parts
// given, or all: an instance such as GitHub's private one has only [Fulcio] and
// [Timestamp].
func (s *Sigstore) TrustedRoot(parts ...Part) ([]byte, error) {
	named := func(part Part) bool { return len(parts) == 0 || slices.Contains(parts, part) }
	logs, certificateLogs := map[string]*root.TransparencyLog{}, map[string]*root.TransparencyLog{}
	for _, l := range []struct {
		part Part
		host string
		key  crypto.PublicKey
		in   map[string]*root.TransparencyLog
	}{
		{Log, logHost, s.logKey.Public(), logs},
		{Log2, log2Host, s.log2Key.Public(), logs},
		{CTLog, "ct.example", s.ctKey.Public(), certificateLogs},
	} {
		if !named(l.part) {
			continue
		}
		id, err := keyID(l.key)
		if err != nil {
			return nil, err
		}
		l.in[hex.EncodeToString(id)] = &root.TransparencyLog{
			BaseURL: "https://" + l.host, ID: id, ValidityPeriodStart: Now.AddDate(-5, 0, 0),
			HashFunc: crypto.SHA256, PublicKey: l.key, SignatureHashFunc: crypto.SHA256,
		}
	}
	var authorities []root.CertificateAuthority
	if named(Fulcio) {
		authorities = append(authorities, &root.FulcioCertificateAuthority{
			URI: "https://fulcio.example", Root: s.rootCert, Intermediates: s.intermediates(), ValidityPeriodStart: Now.AddDate(-1, 0, 0),
		})
	}
	var clocks []root.TimestampingAuthority
	if named(Timestamp) {
		clocks = append(clocks, &root.SigstoreTimestampingAuthority{
			URI: "https://time.example", Root: s.timeRoot, Leaf: s.timeCert, ValidityPeriodStart: Now.AddDate(-1, 0, 0),
		})
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, certificateLogs, clocks, logs)
	if err != nil {
		return nil, err
	}
	return r.MarshalJSON()
}

// Authorities returns the certificates above the signers', in DER, the root last.
func (s *Sigstore) Authorities() [][]byte {
	var out [][]byte
	for _, c := range append(s.intermediates(), s.rootCert) {
		out = append(out, c.Raw)
	}
	return out
}

func (s *Sigstore) intermediates() []*x509.Certificate {
	if s.intermediate == s.rootCert {
		return nil
	}
	return append([]*x509.Certificate{s.intermediate}, s.above...)
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
