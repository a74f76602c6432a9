package provenance

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"countermark/provenance/trust"
)

// Verifier verifies attestations against one trusted material, which it parses
// once. It is safe for concurrent use.
type Verifier struct {
	roots []root.TrustedMaterial // the trusted roots, each with a memory; never empty
	rings []*keyring             // of the registries whose keys are pinned; never empty

	switches
}

// switches let the tests of this package switch checks off, so that they can show
// that an attack is refused by that check and by no luck. Nothing outside of the
// package can set them, and nothing but tests does: the zero value checks all.
type switches struct {
	skip map[string]bool // by the names of checks
	// read reads bundles in place of the strict reader.
	read func(a Attestation) (*opened, error)
	// forgive is asked about what sigstore-go refuses.
	forgive func(o *opened, refused error) (*verify.VerificationResult, error)
}

// open reads a bundle.
func (s switches) open(a Attestation) (*opened, error) {
	if s.read != nil {
		return s.read(a)
	}
	return a.open()
}

// The names under which tests switch off what the engine demands. In results
// they all stand as the signature's check.
const (
	demandLog     = "transparency-log"
	demandTime    = "observer-timestamp"
	demandStamps  = "signed-timestamps"
	demandPromise = "signed-certificate-timestamp"
	demandWhole   = "bundle-whole"
	demandLogTime = "log-key-validity"
	demandKey     = "publish-by-key"
	demandSubject = "artifact-subject"
	demandOne     = "artifact-one-signature"
	demandKind    = "artifact-kind-of-key"
)

// NewVerifier returns a verifier that trusts the material and nothing else.
func NewVerifier(m *trust.Material) (*Verifier, error) {
	if m == nil || m.Root == nil || len(m.Root.Instances) == 0 || m.Keys == nil {
		return nil, errors.New("a verifier needs a trusted root and npm keys")
	}
	v := &Verifier{}
	for _, instance := range m.Root.Instances {
		v.roots = append(v.roots, newChained(instance))
	}
	for _, keys := range append([]*trust.Keys{m.Keys}, m.OtherKeys...) {
		ring, err := newKeyring(keys, v.roots)
		if err != nil {
			return nil, err
		}
		v.rings = append(v.rings, ring)
	}
	return v, nil
}

// engine returns sigstore's verifier for a bundle. What it demands follows from
// what the trusted root can prove, never from what a bundle happens to carry:
//
//   - an entry in a transparency log, where the root names a log; else a
//     timestamp of an authority;
//   - a time at which the certificate or key was valid, from the log or an
//     authority;
//   - for certificates, the promise of a certificate transparency log, where the
//     root names one.
//
// On top of that, every timestamp that a bundle does carry must hold, each of
// another authority.
func (v *Verifier) engine(o *opened, material root.TrustedMaterial, timeless bool) (*verify.Verifier, error) {
	opts := []verify.VerifierOption{verify.WithoutStatementPredicate()}
	demand := func(name string, option verify.VerifierOption) {
		if !v.skip[name] {
			opts = append(opts, option)
		}
	}
	logs, authorities := len(material.RekorLogs()) > 0, len(material.TimestampingAuthorities()) > 0
	if logs {
		demand(demandLog, verify.WithTransparencyLog(1))
	}
	if !logs || authorities && o.timestamps > 0 {
		demand(demandStamps, verify.WithSignedTimestamps(max(o.timestamps, 1)))
		timeless = false
	}
	switch {
	case timeless, v.skip[demandTime] && o.keyed && o.timestamps == 0:
		opts = append(opts, verify.WithNoObserverTimestamps())
	case v.skip[demandTime]:
		opts = append(opts, verify.WithCurrentTime())
	default:
		opts = append(opts, verify.WithObserverTimestamps(1))
	}
	if !o.keyed && len(material.CTLogs()) > 0 {
		demand(demandPromise, verify.WithSignedCertificateTimestamps(1))
	}
	return verify.NewVerifier(material, opts...)
}

// verified is a bundle that holds.
type verified struct {
	*verify.VerificationResult

	root root.TrustedMaterial // the trusted root that proves it
}

// certificate returns what the certificate says with which the bundle was signed;
// nil where it was signed with a key.
func (r *verified) certificate() *certificate.Summary {
	if r.Signature == nil {
		return nil
	}
	return r.Signature.Certificate
}

// verifyWith verifies signature, certificate, log and time of a bundle. One of
// the trusted roots has to prove all of it alone: in one collection, a certificate
// of the first would pass with a log entry of the second. If none does, the error
// is that of the nearest.
func (v *Verifier) verifyWith(o *opened, roots []root.TrustedMaterial, timeless bool, artifact verify.ArtifactPolicyOption, policies ...verify.PolicyOption) (*verified, error) {
	var nearest error
	for _, i := range o.nearest(roots) {
		result, err := v.verifyUnder(o, roots[i], timeless, artifact, policies...)
		if err == nil {
			return &verified{result, roots[i]}, nil
		}
		if nearest == nil && len(roots) > 1 {
			err = fmt.Errorf("none of %d trusted roots proves it; with number %d, the nearest: %w", len(roots), i+1, err)
		}
		nearest = cmp.Or(nearest, err)
	}
	return nil, cmp.Or(nearest, errNoRoot)
}

// errNoRoot cannot come from a Verifier that NewVerifier made.
var errNoRoot = errors.New("there is no trusted root")

// nearest returns the places of the trusted roots, those first that the bundle
// claims to be from. That is no proof, but it spares the others' signatures.
func (o *opened) nearest(roots []root.TrustedMaterial) []int {
	order, points := make([]int, len(roots)), make([]int, len(roots))
	if len(roots) == 1 {
		return order
	}
	for i, r := range roots {
		order[i] = i
		if o.issuedBy(r) {
			points[i] += 2
		}
		if o.loggedBy(r) {
			points[i]++
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return points[j] - points[i] })
	return order
}

// issuedBy reports whether the certificate names an authority of the root as its
// issuer.
func (o *opened) issuedBy(r root.TrustedMaterial) bool {
	leaf := o.bundle.content.Certificate()
	if leaf == nil {
		return false
	}
	for c := range authorities(r) {
		if bytes.Equal(c.RawSubject, leaf.RawIssuer) && (len(leaf.AuthorityKeyId) == 0 || bytes.Equal(c.SubjectKeyId, leaf.AuthorityKeyId)) {
			return true
		}
	}
	return false
}

// loggedBy reports whether an entry names a log of the root.
func (o *opened) loggedBy(r root.TrustedMaterial) bool {
	logs := r.RekorLogs()
	return slices.ContainsFunc(o.bundle.GetVerificationMaterial().GetTlogEntries(), func(entry *protorekor.TransparencyLogEntry) bool {
		return logs[hex.EncodeToString(entry.GetLogId().GetKeyId())] != nil
	})
}

func (v *Verifier) verifyUnder(o *opened, material root.TrustedMaterial, timeless bool, artifact verify.ArtifactPolicyOption, policies ...verify.PolicyOption) (result *verify.VerificationResult, err error) {
	// A panic in a parser below is an answer, not a crash: not verified.
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, errors.New("the bundle's parts do not fit together")
		}
	}()
	engine, err := v.engine(o, material, timeless)
	if err != nil {
		return nil, err
	}
	result, err = engine.Verify(o.bundle, verify.NewPolicy(artifact, policies...))
	if err != nil && v.forgive != nil {
		result, err = v.forgive(o, err)
	}
	if err != nil {
		return nil, err
	}
	if err := o.whole(material); err != nil && !v.skip[demandWhole] {
		return nil, err
	}
	if err := o.loggedInTime(material, result.VerifiedTimestamps); err != nil && !v.skip[demandLogTime] {
		return nil, err
	}
	return result, nil
}

// seen is when and where somebody trusted saw the signature.
type seen struct {
	index int64
	at    time.Time
}

// witness returns the trusted log's index of a verified bundle, and the earliest
// time that a log or timestamp authority vouches for.
func (r *verified) witness(o *opened) seen {
	var s seen
	logs := r.root.RekorLogs()
	for _, entry := range o.bundle.GetVerificationMaterial().GetTlogEntries() {
		if logs[hex.EncodeToString(entry.GetLogId().GetKeyId())] != nil {
			s.index = entry.GetLogIndex()
			break
		}
	}
	for _, t := range r.VerifiedTimestamps {
		if s.at.IsZero() || t.Timestamp.Before(s.at) {
			s.at = t.Timestamp.UTC()
		}
	}
	return s
}
