package provenancetest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"time"

	ct "github.com/google/certificate-transparency-go"
	cttls "github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
)

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
	promised := bare.RawTBSCertificate
	if as.OtherSCT {
		promised = append(bytes.Clone(promised), 0)
	}
	sct, err := s.promise(promised)
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
