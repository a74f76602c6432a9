package provenance

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"countermark/provenance/trust"
)

// SignatureState is what became of the signatures that a registry itself makes of
// name, version and integrity. The empty one says that they were not read.
type SignatureState string

// The states of a registry's signatures.
const (
	SignatureValid    SignatureState = "valid"    // there are some, and all hold
	SignatureInvalid  SignatureState = "invalid"  // one of them does not
	SignatureMissing  SignatureState = "missing"  // there is none, although the registry's keys are pinned
	SignatureUnpinned SignatureState = "unpinned" // nobody has named the registry's keys
)

// RegistryFacts are what the configured registry says of a subject. Only what its
// signatures cover is more than its own word.
type RegistryFacts struct {
	Registry       string // URL, redacted; may be empty
	UnknownPackage bool   // it has no package of that name; everything below is zero then
	Signature      SignatureState
	SignatureKeys  []string  // the ids that the signatures name
	Published      time.Time // zero where it does not say when
	Publisher      Publisher
	Digests        []Digest // that it names for the subject's bytes
	// Previous is the release that came out last before the subject; nil where
	// there is none.
	Previous *Release
	// PublisherChanged says that somebody else than before published: see
	// [publisherChanged].
	PublisherChanged bool
	// SourceBefore is the repository of the last release that was attested before
	// this one, where the certificate of this one names another; else empty.
	SourceBefore string
}

// SignatureAlone reports whether the registry's own signature is all that is
// wrong with an Invalid subject.
func (r *Result) SignatureAlone() bool {
	return r.State == Invalid && r.Registry != nil && (r.Registry.Signature == SignatureInvalid || r.Registry.Signature == SignatureMissing) &&
		!slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.OK && !c.FailedSignature() })
}

// FailedSignature reports whether the check is one of the registry's own signature
// that failed.
func (c Check) FailedSignature() bool { return !c.OK && signatureChecks[c.Name] }

// signatureChecks are those that judge the registry's own signature.
var signatureChecks = map[string]bool{
	checkRegistryPresent: true, checkRegistryKey: true, checkRegistrySigned: true, checkRegistryKeyTime: true,
}

// judgeRegistry compares what the registry says with the subject, verifies what
// the registry signed, and takes over the rest as facts.
func (v *verdict) judgeRegistry(s Subject, set Set, ring *keyring) {
	m := set.Metadata
	switch {
	case set.UnknownPackage:
		v.Registry = &RegistryFacts{Registry: set.Registry, UnknownPackage: true}
	case m != nil:
		v.Registry = &RegistryFacts{
			Registry: set.Registry, Published: m.Published, Digests: m.Digests, Publisher: Publisher{clip(m.Publisher.Name), clip(m.Publisher.Trusted)},
		}
	default:
		return
	}
	if m == nil || s.Version == "" {
		return
	}
	v.bindMetadata(s, m)
	v.Registry.Signature = v.verifyRegistry(s, m, ring)
	history := set.history()
	if last, ok := previous(s.Version, m.Published, history); ok {
		v.Registry.Previous = last.clipped()
	}
	v.Registry.PublisherChanged = publisherChanged(s.Version, *m, history)
}

const hintBytes = "the bytes are not the published ones: find out who changed the lockfile or the registry"

// bindMetadata compares the subject's digests with those that the registry names.
// npm installs what matches any digest of an integrity, so every one of a kind
// that both name has to be among the registry's.
func (v *verdict) bindMetadata(s Subject, m *Metadata) {
	for _, d := range s.Digests {
		var known []string
		for _, x := range m.Digests {
			if x.Algorithm == d.Algorithm {
				known = append(known, x.Value)
			}
		}
		if len(known) == 0 {
			continue
		}
		have := strings.ToLower(d.Value)
		v.hold(check{
			name: checkRegistryIntegrity, ok: slices.Contains(known, have), expected: have, actual: strings.Join(known, " "),
			what: "the registry's " + d.Algorithm, note: "that of the " + s.DigestFrom + " counts", hint: hintBytes,
		})
	}
}

// verifyRegistry verifies the registry's signatures of name, version and
// integrity, with the keys that are pinned for it and no others. As for npm every
// one of them has to hold, and where a registry has keys, a version without a
// signature is wrong: a registry signs all that it serves.
func (v *verdict) verifyRegistry(s Subject, m *Metadata, ring *keyring) SignatureState {
	for _, x := range m.Signatures {
		v.Registry.SignatureKeys = append(v.Registry.SignatureKeys, clip(x.KeyID))
	}
	if !ring.signs() {
		return SignatureUnpinned
	}
	if !v.hold(check{
		name: checkRegistryPresent, ok: len(m.Signatures) > 0, expected: "at least 1", actual: fmt.Sprint(len(m.Signatures)),
		what: "the number of the registry's signatures", hint: "do not install this version; ask the registry why it did not sign it, or find out which mirror or proxy answers in its place",
	}) {
		return SignatureMissing
	}
	ok := true
	for _, x := range m.Signatures {
		ok = v.verifyRegistrySignature(s, m, x, ring) && ok
	}
	if !ok {
		return SignatureInvalid
	}
	return SignatureValid
}

func (v *verdict) verifyRegistrySignature(s Subject, m *Metadata, x RegistrySignature, ring *keyring) bool {
	verifier := ring.signature[x.KeyID]
	if !v.hold(check{
		name: checkRegistryKey, ok: verifier != nil, expected: "a key that is pinned for " + cmp.Or(ring.registry, "the registry"), actual: cmp.Or(x.KeyID, "unnamed"),
		what: "the key of the registry's signature", hint: "if the registry has a new key, give its keys with --npm-keys",
	}) {
		return false
	}
	if verifier != nil {
		message := s.Name + "@" + s.Version + ":" + m.Integrity
		err := verifier.VerifySignature(bytes.NewReader(x.Signature), strings.NewReader(message))
		c := check{name: checkRegistrySigned, ok: err == nil, what: "the registry's signature does not verify", hint: hintPublish}
		if err != nil {
			c.actual = "it is not of " + message
		}
		if !v.hold(c) {
			return false
		}
	}
	// The registry's time is not signed: this tells an old signature from a forgotten
	// key, but nothing to a registry that lies. Without a time npm, too, takes the
	// version for an old one.
	key, _ := ring.keys.Find(x.KeyID, trust.Signatures)
	if key.End.IsZero() || m.Published.IsZero() {
		return true
	}
	return v.hold(check{
		name: checkRegistryKeyTime, ok: m.Published.Before(key.End), expected: "a time before " + day(key.End), actual: day(m.Published),
		reason: fmt.Sprintf("the registry's signature is of the key %s, which expired on %s, and the version was published on %s", x.KeyID, day(key.End), day(m.Published)), hint: "do not install this version; if the registry has a new key, ask it to sign the version with that",
	})
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// orLost makes Lost of a result that is Absent, where an earlier version was
// attested.
func (v *verdict) orLost(r Result, s Subject, set Set) Result {
	if r.State != Absent {
		return r
	}
	var published time.Time
	if set.Metadata != nil {
		published = set.Metadata.Published
	}
	before, ok := attestedBefore(s.Version, published, set.history())
	if !ok {
		return r
	}
	which := "version " + before.Version
	if before.Version == s.Version {
		which = "this very version"
	}
	if !before.Published.IsZero() {
		which += " of " + day(before.Published)
	}
	c := check{name: checkLost, expected: "attestations, as " + which + " had", actual: "none", hint: "use a version with attestations until the project explains it: whoever has stolen a token publishes without its workflow"}
	if before.Version != s.Version {
		c.hint = "stay on " + before.Version + " until the project explains it: whoever has stolen a token publishes without its workflow"
	}
	var failed *failure
	if v.record(c, &failed) {
		return r
	}
	return v.end(Lost, "there are no attestations for it, although "+which+" had them", c.hint)
}

// compareSource notes where the last attested release came from, if that was
// another repository. npm lets nobody attest another than the one that a version
// declares, so the declared one of an attested release will do.
func (v *verdict) compareSource(s Subject, set Set) {
	if set.Metadata == nil || v.Source.URI == "" {
		return
	}
	before, ok := latest(s.Version, set.Metadata.Published, set.history(), func(x Release) bool { return x.Attested && x.Repository != "" })
	if !ok {
		return
	}
	want := normalRepository(expandRepository(before.Repository), v.Source.URI)
	if have := normalRepository(v.Source.URI, ""); !strings.EqualFold(want, have) {
		v.Registry.SourceBefore = clip(want)
	}
}

// expandRepository writes out npm's shorthands for hosts
// (https://docs.npmjs.com/cli/configuring-npm/package-json#repository).
func expandRepository(declared string) string {
	for prefix, host := range map[string]string{"github:": "https://github.com/", "gitlab:": "https://gitlab.com/"} {
		if rest, ok := strings.CutPrefix(declared, prefix); ok {
			return host + rest
		}
	}
	return strings.TrimPrefix(declared, "git+")
}
