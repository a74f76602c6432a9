package provenance

import (
	"crypto/x509"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// chained is a trusted root whose certificate authorities remember that their
// intermediate certificates are signed by their roots. That is the same in every
// bundle of a run, and with P-384 it costs a third of what a bundle costs.
type chained struct {
	root.TrustedMaterial

	authorities []root.CertificateAuthority
}

func newChained(m root.TrustedMaterial) *chained {
	c := &chained{TrustedMaterial: m}
	for _, ca := range m.FulcioCertificateAuthorities() {
		if fulcio, ok := ca.(*root.FulcioCertificateAuthority); ok {
			ca = &authority{full: fulcio}
		}
		c.authorities = append(c.authorities, ca)
	}
	return c
}

// FulcioCertificateAuthorities returns the authorities in the root's order.
func (c *chained) FulcioCertificateAuthorities() []root.CertificateAuthority { return c.authorities }

// authorities returns the certificates of a trusted root's authorities.
func authorities(material root.TrustedMaterial) iter.Seq[*x509.Certificate] {
	return func(yield func(*x509.Certificate) bool) {
		for _, ca := range material.FulcioCertificateAuthorities() {
			known, ok := ca.(*authority)
			if !ok {
				continue
			}
			for _, c := range append([]*x509.Certificate{known.full.Root}, known.full.Intermediates...) {
				if c != nil && !yield(c) {
					return
				}
			}
		}
	}
}

// authority verifies certificates as full does, but the signature of its root
// over its intermediate certificate once only. It is safe for concurrent use.
type authority struct {
	full  *root.FulcioCertificateAuthority
	once  sync.Once
	short *root.FulcioCertificateAuthority // trusts the intermediate itself; nil where that would not be the same
}

// Verify returns the chains from the certificate to one that is trusted: to the
// root, or to its intermediate where the root's signature over that is known.
func (a *authority) Verify(cert *x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	a.once.Do(a.shorten)
	// The root's validity is the one thing of it that differs from bundle to bundle.
	if a.short != nil && !at.Before(a.full.Root.NotBefore) && !at.After(a.full.Root.NotAfter) {
		if chains, err := a.short.Verify(cert, at); err == nil {
			return chains, nil
		}
	}
	return a.full.Verify(cert, at) // and its words for what is wrong
}

// shorten makes the intermediate an anchor of trust, if the root signed it and
// demands nothing of the certificates below that would be lost with it.
func (a *authority) shorten() {
	if a.full.Root == nil || len(a.full.Intermediates) != 1 || a.full.Intermediates[0] == nil {
		return
	}
	top, below := a.full.Root, a.full.Intermediates[0]
	if demands(top) || below.CheckSignatureFrom(top) != nil {
		return
	}
	// As a certificate of its own, with all that x509 checks of it but the time.
	pool := x509.NewCertPool()
	pool.AddCert(top)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	if _, err := below.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: below.NotBefore, KeyUsages: usage}); err != nil {
		return
	}
	short := *a.full
	short.Root, short.Intermediates = below, nil
	a.short = &short
}

// demands reports whether a root certificate limits the chains or the names
// below it.
func demands(c *x509.Certificate) bool {
	limited := c.MaxPathLen == 0 && c.MaxPathLenZero
	names := slices.Concat(c.PermittedDNSDomains, c.ExcludedDNSDomains, c.PermittedEmailAddresses, c.ExcludedEmailAddresses, c.PermittedURIDomains, c.ExcludedURIDomains)
	return limited || len(names) > 0 || len(c.PermittedIPRanges)+len(c.ExcludedIPRanges) > 0 || len(c.UnhandledCriticalExtensions) > 0
}
