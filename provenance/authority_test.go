package provenance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"countermark/provenance/provenancetest"
)

// family is a root, an intermediate certificate and a leaf, each signed by the
// one before.
type family struct{ top, below, leaf *x509.Certificate }

// issue makes a family whose templates are changed before they are signed.
func issue(t *testing.T, change func(top, below, leaf *x509.Certificate)) family {
	t.Helper()
	at := provenancetest.Now
	ca := func(name string, years int) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(int64(years)), Subject: pkix.Name{CommonName: name}, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(years, 0, 0),
			KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		}
	}
	top, below := ca("root", 9), ca("intermediate", 8)
	below.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: at, NotAfter: at.Add(10 * time.Minute), EmailAddresses: []string{"me@signer.example"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	change(top, below, leaf)
	var keys [3]*ecdsa.PrivateKey
	for i := range keys {
		keys[i] = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
	sign := func(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
		return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by))))
	}
	f := family{top: sign(top, top, keys[0], keys[0])}
	f.below = sign(below, f.top, keys[1], keys[0])
	f.leaf = sign(leaf, f.below, keys[2], keys[1])
	return f
}

// TestAuthority holds the authority that remembers to sigstore-go's, which does
// not: whatever a certificate limits, the two give the same answer.
func TestAuthority(t *testing.T) {
	at := provenancetest.Now
	stranger := issue(t, func(_, _, _ *x509.Certificate) {})
	for name, c := range map[string]struct {
		change func(top, below, leaf *x509.Certificate)
		ca     func(ca *root.FulcioCertificateAuthority)
		at     time.Time
		ok     bool
		short  bool // the intermediate is taken as the anchor
	}{
		"as it should be":          {at: at, ok: true, short: true},
		"before the leaf":          {at: at.Add(-time.Minute), short: true},
		"after the leaf":           {at: at.Add(time.Hour), short: true},
		"after the root":           {change: func(top, _, _ *x509.Certificate) { top.NotAfter = at.Add(-time.Second) }, at: at, short: true},
		"before the root":          {change: func(top, _, _ *x509.Certificate) { top.NotBefore = at.Add(time.Second) }, at: at},
		"after the intermediate":   {change: func(_, below, _ *x509.Certificate) { below.NotAfter = at.Add(-time.Second) }, at: at, short: true},
		"the root ends its chains": {change: func(top, _, _ *x509.Certificate) { top.MaxPathLenZero = true }, at: at},
		"the root allows two":      {change: func(top, _, _ *x509.Certificate) { top.MaxPathLen = 2 }, at: at, ok: true, short: true},
		"the root limits names": {change: func(top, _, _ *x509.Certificate) {
			top.PermittedEmailAddresses, top.PermittedDNSDomainsCritical = []string{"other.example"}, true
		}, at: at},
		"the root permits the name": {change: func(top, _, _ *x509.Certificate) {
			top.PermittedEmailAddresses, top.PermittedDNSDomainsCritical = []string{"signer.example"}, true
		}, at: at, ok: true},
		"the root is for servers": {change: func(top, _, _ *x509.Certificate) {
			top.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, at: at},
		"the intermediate is for servers": {change: func(_, below, _ *x509.Certificate) {
			below.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, at: at},
		"the leaf is for servers": {change: func(_, _, leaf *x509.Certificate) {
			leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, at: at, short: true},
		"another root":            {ca: func(ca *root.FulcioCertificateAuthority) { ca.Root = stranger.top }, at: at},
		"another intermediate":    {ca: func(ca *root.FulcioCertificateAuthority) { ca.Intermediates[0] = stranger.below }, at: at},
		"another family":          {ca: func(ca *root.FulcioCertificateAuthority) { ca.Root, ca.Intermediates[0] = stranger.top, stranger.below }, at: at, short: true},
		"no intermediate":         {ca: func(ca *root.FulcioCertificateAuthority) { ca.Intermediates = nil }, at: at},
		"two intermediates":       {ca: func(ca *root.FulcioCertificateAuthority) { ca.Intermediates = append(ca.Intermediates, stranger.below) }, at: at, ok: true},
		"the authority has ended": {ca: func(ca *root.FulcioCertificateAuthority) { ca.ValidityPeriodEnd = at.Add(-time.Second) }, at: at, short: true},
		"it has not begun":        {ca: func(ca *root.FulcioCertificateAuthority) { ca.ValidityPeriodStart = at.Add(time.Second) }, at: at, short: true},
	} {
		t.Run(name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(_, _, _ *x509.Certificate) {}
			}
			f := issue(t, change)
			full := &root.FulcioCertificateAuthority{Root: f.top, Intermediates: []*x509.Certificate{f.below}}
			if c.ca != nil {
				c.ca(full)
			}
			remembers := &authority{full: full}
			for range 2 {
				_, err := full.Verify(f.leaf, c.at)
				chains, got := remembers.Verify(f.leaf, c.at)
				if (err == nil) != c.ok || (got == nil) != c.ok {
					t.Fatalf("got %v, sigstore-go %v, want ok %t", got, err, c.ok)
				}
				if c.ok && !chains[0][1].Equal(f.below) {
					t.Error("the certificate above the leaf is not the one that signed it")
				}
			}
			if (remembers.short != nil) != c.short {
				t.Errorf("the intermediate is the anchor: %t, want %t", remembers.short != nil, c.short)
			}
		})
	}
}

// TestAuthorityIsUsed says that the memory serves the authorities for which it
// was made, at the same time by many.
func TestAuthorityIsUsed(t *testing.T) {
	v := verifier(t, embedded(t))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got := v.Package(realSubject(), realExpectation(), realSet(t)); got.State != Verified {
				t.Error(got.State, got.Reason)
			}
		})
	}
	all.Wait()
	used := 0
	for _, ca := range v.roots[0].FulcioCertificateAuthorities() {
		if a, ok := ca.(*authority); ok && a.short != nil {
			used++
		}
	}
	if used == 0 {
		t.Error("every bundle verifies the intermediate certificate anew")
	}
}
