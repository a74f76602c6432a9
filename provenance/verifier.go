package provenance

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"countermark/provenance/trust"
)

// Verifier verifies attestations against one trusted material, which it parses
// once. It is safe for concurrent use.
type Verifier struct {
	material *trust.Material
	root     root.TrustedMaterial // the trusted root, with a memory
	rings    []*keyring           // of the registries whose keys are pinned; never empty

	// skip switches checks off by their names, so that tests can show that an
	// attack is refused by that check and by no luck.
	skip map[string]bool
}

// The names under which tests switch off what the engine demands. In results
// they all stand as the signature's check.
const (
	demandLog     = "transparency-log"
	demandTime    = "observer-timestamp"
	demandStamps  = "signed-timestamps"
	demandPromise = "signed-certificate-timestamp"
	demandWhole   = "bundle-whole"
	demandKey     = "publish-by-key"
)

// NewVerifier returns a verifier that trusts the material and nothing else.
func NewVerifier(m *trust.Material) (*Verifier, error) {
	if m == nil || m.Root == nil || m.Keys == nil {
		return nil, errors.New("a verifier needs a trusted root and npm keys")
	}
	v := &Verifier{material: m, root: newChained(m.Root)}
	for _, keys := range append([]*trust.Keys{m.Keys}, m.OtherKeys...) {
		ring, err := newKeyring(keys, v.root)
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

// verifyWith verifies signature, certificate, log and time of a bundle.
func (v *Verifier) verifyWith(o *opened, material root.TrustedMaterial, timeless bool, artifact verify.ArtifactPolicyOption, policies ...verify.PolicyOption) (result *verify.VerificationResult, err error) {
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
	if result, err = engine.Verify(o.bundle, verify.NewPolicy(artifact, policies...)); err != nil {
		return nil, err
	}
	if err := o.whole(material); err != nil && !v.skip[demandWhole] {
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
func witness(material root.TrustedMaterial, o *opened, result *verify.VerificationResult) seen {
	var s seen
	logs := material.RekorLogs()
	for _, entry := range o.bundle.GetVerificationMaterial().GetTlogEntries() {
		if logs[hex.EncodeToString(entry.GetLogId().GetKeyId())] != nil {
			s.index = entry.GetLogIndex()
			break
		}
	}
	for _, t := range result.VerifiedTimestamps {
		if s.at.IsZero() || t.Timestamp.Before(s.at) {
			s.at = t.Timestamp.UTC()
		}
	}
	return s
}
