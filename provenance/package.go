package provenance

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/verify"

	"countermark/provenance/trust"
	"countermark/sbom"
)

// Package judges npm's set of attestations for one subject: exactly one publish
// attestation, signed with a key of the registry, and exactly one SLSA
// provenance, signed with a certificate; both for exactly this package, version
// and tarball; and built from the source that e expects. A subject with digests of other kinds
// only is Unsupported at best.
//
// The types of other attestations in the set are recorded, nothing of them is
// believed. Nothing in the set is an error: what does not hold is in the result.
func (v *Verifier) Package(s Subject, e Expectation, set Set) Result {
	r := &verdict{Result: newResult(s, e), skip: v.skip}
	result := v.npmPackage(r, s, e, set)
	if t := set.Tarball; t != nil && len(t.Digests) == 0 && result.State != Invalid && result.State != Mismatch {
		// The bytes were asked for: without them nothing better is known.
		return r.end(Unavailable, t.Reason, t.Hint)
	}
	return result
}

func (v *Verifier) npmPackage(r *verdict, s Subject, e Expectation, set Set) Result {
	if reason, hint := unattestable(s, s.Ecosystem == sbom.NPM); reason != "" {
		return r.end(Unsupported, reason, hint)
	}
	ring := v.ring(set.Registry)
	r.judgeRegistry(s, set, ring)
	r.bindTarball(s, set)
	if r.invalid != nil {
		return r.refuse()
	}
	if result, ok := r.unattested(set, hintNPMPublisher); ok {
		return r.orLost(result, s, set)
	}
	publish, provenance := r.sort(v.open, set.Attestations)
	if r.invalid == nil && publish == nil && provenance == nil {
		return r.orLost(r.end(Absent, "its attestations say nothing of its origin", hintNPMPublisher), s, set)
	}
	if r.invalid != nil {
		return r.refuse()
	}
	certificate, ok := v.verifySet(r, ring, publish, provenance)
	if !ok {
		return r.refuse()
	}
	r.bindSubject(s, set.Tarball, publish, provenance)
	r.bindAttested(set, publish)
	r.bindPublication(s, set, publish.predicate)
	claims := readPredicate(provenance.types.predicate, provenance.predicate)
	r.fill(certificate)
	r.compareSource(s, set)
	r.Builder = clip(claims.builder)
	r.agree(claims, certificate)
	r.compare(e, certificate, builderNames(provenance.types.predicate, claims, certificate))
	result := r.conclude(e.Repo != "")
	if reason, hint := unbindable(s, set.Tarball); reason != "" && (result.State == Verified || result.State == Unvouched) {
		// What was found wrong stays wrong; only what was found right is in doubt.
		return r.end(Unsupported, reason, hint)
	}
	return result
}

const hintNPMPublisher = "ask its publisher to publish with provenance (npm publish --provenance)"

func newResult(s Subject, e Expectation) Result {
	s.Unsupported = clip(s.Unsupported)
	return Result{Subject: s, ExpectedFrom: e.From, ExpectedRepo: e.Repo, DigestFrom: s.DigestFrom}
}

func (v *verdict) end(state State, reason, hint string) Result {
	v.State, v.Reason, v.Hint = state, clip(reason), clip(hint)
	return v.Result
}

// unbindable says why the bytes of a subject cannot be compared with what is
// attested: npm's attestations bind SHA-512 only. Taking theirs instead would
// call a package verified whose bytes nobody compared.
//
// A tarball that was fetched has one, if its bytes are bound to the subject by
// more than SHA-1, of which two files can be made that agree.
func unbindable(s Subject, t *Tarball) (reason, hint string) {
	fetched := t != nil && (digest(s.Digests, "sha256") != "" || digest(s.Digests, "sha384") != "")
	if len(s.Digests) == 0 || digest(s.Digests, "sha512") != "" || fetched {
		return "", ""
	}
	return "its integrity is no sha512, and attestations bind no other", "write the lockfile anew with a current npm"
}

func digest(list []Digest, algorithm string) string {
	for _, d := range list {
		if d.Algorithm == algorithm {
			return strings.ToLower(d.Value)
		}
	}
	return ""
}

// sort opens the attestations and finds the two of npm's set among them, by the
// types that are signed. Of a set without any of them both are nil; else one that
// is missing is an empty one, of which nothing holds.
func (v *verdict) sort(open func(Attestation) (*opened, error), list []Attestation) (publish, provenance *opened) {
	if !v.hold(check{name: checkSetSize, ok: len(list) <= MaxAttestations, expected: fmt.Sprintf("at most %d", MaxAttestations), actual: fmt.Sprint(len(list)), what: "the number of attestations"}) {
		return nil, nil
	}
	var publications, provenances []*opened
	for _, a := range list {
		o, err := open(a)
		if err == nil && o.statement == nil {
			err = errUnattested
		}
		if err != nil {
			v.hold(check{name: checkReadable, actual: oneLine(err), what: "an attestation cannot be read", hint: hintPublish})
			continue
		}
		signed := o.types.predicate
		if a.ClaimedType != "" {
			v.hold(check{name: checkClaimedType, ok: a.ClaimedType == signed, expected: signed, actual: a.ClaimedType, what: "the type that the registry gives an attestation", note: "the signed one counts", hint: hintPublish})
		}
		switch signed {
		case typePublish:
			publications = append(publications, o)
		case typeSLSA02, typeSLSA1:
			provenances = append(provenances, o)
		default:
			// It says nothing about the origin, and nothing of it is believed.
			v.hold(check{name: checkOther, ok: true, actual: signed})
		}
	}
	if v.invalid == nil && len(publications)+len(provenances) == 0 {
		return nil, nil // nothing of npm's set is as if there were none
	}
	one := func(name, what string, list []*opened) *opened {
		v.hold(check{
			name: name, ok: len(list) == 1, expected: "exactly 1", actual: fmt.Sprint(len(list)),
			what: "the number of " + what, note: "a set is one publish attestation and one provenance", hint: hintPublish,
		})
		if len(list) == 0 {
			return missing()
		}
		return list[0]
	}
	publish = one(checkPublishCount, "publish attestations", publications)
	provenance = one(checkProvenanceCount, "provenance attestations", provenances)
	return publish, provenance
}

// errUnattested is a bundle whose signature covers a file instead of a statement.
var errUnattested = fmt.Errorf("it holds no %s statement", payloadInToto)

// verifySet verifies both signatures, each by the kind of key that its type
// demands, and returns what the provenance's certificate says.
func (v *Verifier) verifySet(r *verdict, ring *keyring, publish, provenance *opened) (certified, bool) {
	for _, o := range []*opened{publish, provenance} {
		r.hold(check{name: checkOneSignature, ok: o.signatures == 1, expected: "exactly 1", actual: fmt.Sprint(o.signatures), what: "the number of signatures", hint: hintPublish})
		r.hold(check{name: checkOneSubject, ok: len(o.subjects) == 1, expected: "exactly 1", actual: fmt.Sprint(len(o.subjects)), what: "the number of subjects", hint: hintPublish})
	}
	_, known := ring.keys.Find(publish.keyID, trust.Attestations)
	r.hold(check{
		name: checkPublishKey, ok: known && publish.keyed && publish.keyHint == publish.keyID,
		expected: "a known key of the registry, named the same by bundle and signature",
		actual:   cmp.Or(describeKey(publish), "a certificate"), what: "the key of the publish attestation", hint: "if the registry has a new key, give its keys with --npm-keys; if it is a mirror, configure the registry that published it",
	})
	r.hold(check{
		name: checkProvenanceCert, ok: !provenance.keyed && provenance.keyID == "",
		expected: "a certificate", actual: describeKey(provenance), what: "the key of the provenance", hint: hintPublish,
	})
	if r.invalid != nil {
		return certified{}, false
	}
	byKey := verify.WithKey()
	if v.skip[demandKey] {
		byKey = verify.WithoutIdentitiesUnsafe()
	}
	published, ok := v.verifySigned(r, ring, checkPublishSigned, "the publish attestation", publish, byKey)
	if ok {
		r.Publish = &PublishFacts{Registry: clip(publish.predicate.text("registry")), KeyID: clip(publish.keyHint), Integrated: published.witness(publish).at}
	}
	// Who signed is compared afterwards, check by check.
	proven, ok2 := v.verifySigned(r, ring, checkProvenanceSigned, "the provenance", provenance, verify.WithoutIdentitiesUnsafe())
	if !ok || !ok2 {
		return certified{}, false
	}
	seen := proven.witness(provenance)
	r.LogIndex, r.Integrated = seen.index, seen.at
	return r.certify(provenance, proven.certificate()), true
}

func describeKey(o *opened) string {
	switch {
	case !o.keyed && o.keyID == "":
		return ""
	case o.keyHint == o.keyID:
		return o.keyID
	default:
		return fmt.Sprintf("named %q by the bundle and %q by the signature", o.keyHint, o.keyID)
	}
}

// verifySigned verifies signature, log and time of one attestation over exactly
// the digest that it claims itself; whether that is the subject's is compared
// afterwards, so that the two can be told apart.
func (v *Verifier) verifySigned(r *verdict, ring *keyring, name, what string, o *opened, policy verify.PolicyOption) (*verified, bool) {
	claimed, err := hex.DecodeString(o.subject().digestOf("sha512"))
	if (err != nil || len(claimed) != 64) && !r.hold(check{name: name, actual: "it names no sha512", what: what + " does not verify", hint: hintPublish}) {
		return nil, false
	}
	result, err := v.verifyWith(o, ring.roots, false, verify.WithArtifactDigest("sha512", claimed), policy)
	c := check{name: name, ok: err == nil, what: what + " does not verify", hint: hintPublish}
	if err != nil {
		c.actual = oneLine(err)
	}
	r.hold(c)
	return result, err == nil
}

// bindSubject compares the signed subjects with each other and with the subject.
func (v *verdict) bindSubject(s Subject, t *Tarball, publish, provenance *opened) {
	want := packageURL(s)
	pub, prov := publish.subject(), provenance.subject()
	v.hold(check{name: checkPublishSubject, ok: pub.name == want, expected: want, actual: pub.name, what: "the package of the publish attestation", hint: hintPublish})
	v.hold(check{name: checkProvSubject, ok: prov.name == want, expected: want, actual: prov.name, what: "the package of the provenance", hint: hintPublish})
	have := pub.digestOf("sha512")
	v.hold(check{name: checkAgreement, ok: prov.digestOf("sha512") == have, expected: have, actual: prov.digestOf("sha512"), what: "the sha512 of the provenance", note: "the publish attestation says otherwise", hint: hintPublish})
	if t != nil {
		for _, d := range t.Digests {
			v.compareTarball(d, []Digest{{"sha512", have}}, "the attested sha512")
		}
	}
	if len(s.Digests) == 0 {
		if v.DigestFrom = "publish-attestation"; t != nil && len(t.Digests) > 0 {
			v.DigestFrom = "tarball"
		}
		return
	}
	// An integrity may name several of one kind, and npm installs what matches
	// any of them: so all have to be the attested one.
	for _, d := range s.Digests {
		if d.Algorithm != "sha512" {
			continue
		}
		bound := strings.ToLower(d.Value)
		v.hold(check{
			name: checkDigest, ok: have == bound, expected: bound, actual: have, what: "the attested sha512",
			note: "that of the " + cmp.Or(s.DigestFrom, "subject") + " counts", hint: hintBytes,
		})
	}
}

// bindTarball compares the bytes that were fetched with the digests that the
// subject and the registry name, whether or not anything attests them.
func (v *verdict) bindTarball(s Subject, set Set) {
	if set.Tarball == nil {
		return
	}
	for _, d := range set.Tarball.Digests {
		v.compareTarball(d, s.Digests, "that of the "+cmp.Or(s.DigestFrom, "subject"))
		if set.Metadata != nil {
			v.compareTarball(d, set.Metadata.Digests, "the registry's own")
		}
	}
}

func (v *verdict) compareTarball(d Digest, named []Digest, who string) {
	for _, x := range named {
		if x.Algorithm != d.Algorithm {
			continue
		}
		want := strings.ToLower(x.Value)
		v.hold(check{
			name: checkTarball, ok: d.Value == want, expected: want, actual: d.Value,
			what: "the " + d.Algorithm + " of the tarball that was fetched", note: "expected is " + who, hint: hintBytes,
		})
	}
}

// bindAttested compares what is attested with what the registry names, which may
// be all that says which bytes a package has that no lockfile pins.
func (v *verdict) bindAttested(set Set, publish *opened) {
	if set.Metadata == nil {
		return
	}
	have := publish.subject().digestOf("sha512")
	for _, d := range set.Metadata.Digests {
		if d.Algorithm == "sha512" {
			v.hold(check{name: checkRegistrySubject, ok: d.Value == have, expected: have, actual: d.Value, what: "the registry's sha512", note: "what is attested counts", hint: hintPublish})
		}
	}
}

// packageURL builds the name that npm gives a package in its attestations. It is
// built and compared as a whole, never parsed: decoding would read more than one
// name in it.
func packageURL(s Subject) string {
	name := s.Name
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		name = "%40" + rest
	}
	return "pkg:npm/" + name + "@" + s.Version
}

// bindPublication compares what the registry attests with the subject and with
// the registry that is configured.
func (v *verdict) bindPublication(s Subject, set Set, p object) {
	equal := func(name, what, want, have string) {
		v.hold(check{name: name, ok: want == have, expected: want, actual: have, what: what, hint: hintPublish})
	}
	equal(checkPublishName, "the published name", s.Name, p.text("name"))
	equal(checkPublishVersion, "the published version", s.Version, p.text("version"))
	if set.Registry == "" {
		return
	}
	want, have := set.Registry, p.text("registry")
	v.hold(check{
		name: checkPublishRegistry, ok: have != "" && registryOrigin(want) == registryOrigin(have), expected: want, actual: have,
		what: "the registry of the publication", hint: "configure the registry that published it, or one that attests its own publications",
	})
}

// SameRegistry reports whether two URLs name one registry, whatever the case of its
// host, its default port and a slash at the end.
func SameRegistry(a, b string) bool { return registryOrigin(a) == registryOrigin(b) }

// registryOrigin brings a registry's URL into the form in which it is compared.
func registryOrigin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return raw
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.ToLower(u.Scheme) + "://" + host + strings.TrimRight(u.EscapedPath(), "/")
}

// fill takes over what is certified.
func (v *verdict) fill(c certified) {
	v.Source = SourceFacts{
		URI: clip(c.repository), Ref: clip(c.ref), Digest: clip(c.commit),
		RepositoryID: clip(c.repositoryID), OwnerID: clip(c.ownerID),
	}
	v.Workflow, v.Signer, v.Issuer = clip(c.workflow), clip(c.signer), clip(c.issuer)
	v.Runner, v.Trigger = clip(c.runner), clip(c.trigger)
}
