package provenance

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/verify"

	"countermark/sbom"
)

const (
	hintImagePublisher = "ask its publisher to attest the digest that is pinned (an index and the images of its platforms have digests of their own), or pin the attested one"
	hintImage          = "do not run this image; compare its digest with what its publisher names"
)

// ImageRepository brings the repository of an image into the form in which it is
// kept, with its registry: what names none is Docker Hub's, and there what names no
// owner is Docker's own. "node", "docker.io/node" and "docker.io/library/node" are
// one. Empty stays empty.
func ImageRepository(repository string) string {
	repository = strings.ToLower(repository)
	host, rest, found := strings.Cut(repository, "/")
	switch {
	case repository == "":
		return ""
	case !found || !strings.ContainsAny(host, ".:") && host != "localhost":
		host, rest = "docker.io", repository
	case host == "index.docker.io" || host == "registry-1.docker.io":
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	return host + "/" + rest
}

// Image judges the attestations of one container image: a SLSA provenance in a
// sigstore bundle, signed with a certificate, whose subject is the pinned digest
// itself, and that was built from the source that e expects. The digest of an
// index is another than those of its platforms' images, and only the pinned one
// counts.
//
// Whoever may push to a registry may add attestations, so one that does not hold
// takes nothing from one that does: the result is that of the best, and its
// checks say how many did not hold. Signatures and other statements say nothing
// of where an image was built, so nothing of them is believed.
func (v *Verifier) Image(s Subject, e Expectation, set Set) Result {
	r := &verdict{Result: newResult(s, e), skip: v.skip}
	if reason, hint := unattestable(s, s.Ecosystem == sbom.OCI); reason != "" {
		return r.end(Unsupported, reason, hint)
	}
	if len(s.Digests) == 0 {
		return r.end(Unsupported, "no digest is pinned, and a tag can name another image at any time", "pin it: name@sha256:…")
	}
	if result, ok := r.unattested(set, hintImagePublisher); ok {
		return result
	}
	if n := len(set.Attestations); n > MaxArtifactBundles {
		return r.end(Unavailable, fmt.Sprintf("there are %d bundles, and no more than %d are tried", n, MaxArtifactBundles), "give only those of this image with --attestations")
	}
	judged := v.images(s, e, set.Attestations)
	if len(judged.provenances) == 0 {
		if set.Incomplete != "" {
			return r.end(Unavailable, set.Incomplete, "try again, or give its attestations with --attestations")
		}
		return r.end(Absent, fmt.Sprintf("nothing attests where it was built; it has %d attestations of other types (%s)", len(set.Attestations), strings.Join(judged.others, ", ")), hintImagePublisher)
	}
	return judged.best(set.Incomplete)
}

// judgedImages are the results of each attestation of one image.
type judgedImages struct {
	provenances []Result
	others      []string // predicate types that say nothing of the origin
}

func (v *Verifier) images(s Subject, e Expectation, list []Attestation) judgedImages {
	var out judgedImages
	for _, a := range list {
		o, err := v.open(a)
		if err == nil && o.types.predicate != typeSLSA02 && o.types.predicate != typeSLSA1 {
			if o.statement == nil {
				o.types.predicate = "a message signature"
			}
			out.others = append(out.others, clip(o.types.predicate))
			continue
		}
		r := v.image(s, e, a, o, err)
		r.Evidence = clip(a.From)
		out.provenances = append(out.provenances, r)
	}
	return out
}

// image judges one provenance, or a bundle that could not be read.
func (v *Verifier) image(s Subject, e Expectation, a Attestation, o *opened, err error) Result {
	r := &verdict{Result: newResult(s, e), skip: v.skip}
	if err != nil {
		r.hold(check{name: checkReadable, actual: oneLine(err), what: "an attestation cannot be read", hint: hintImage})
		return r.refuse()
	}
	if a.ClaimedType != "" {
		r.hold(check{name: checkClaimedType, ok: a.ClaimedType == o.types.predicate, expected: o.types.predicate, actual: a.ClaimedType, what: "the type that the registry gives an attestation", note: "the signed one counts", hint: hintImage})
	}
	r.hold(check{name: checkOneSignature, ok: o.signatures == 1, expected: "exactly 1", actual: fmt.Sprint(o.signatures), what: "the number of signatures", hint: hintImage})
	r.hold(check{name: checkProvenanceCert, ok: !o.keyed && o.keyID == "", expected: "a certificate", actual: describeKey(o), what: "the key of the provenance", hint: hintImage})
	d, err := o.bindable(s.Digests)
	r.hold(check{name: checkDigest, ok: err == nil, expected: digestsOf(s), actual: o.attested(), what: "the attested digest", hint: hintImage})
	if r.invalid != nil {
		return r.refuse()
	}
	raw, err := hex.DecodeString(d.Value)
	if err != nil { // bindable finds no such digest
		return r.refuse()
	}
	// Who signed is compared afterwards, check by check.
	result, err := v.verifyWith(o, v.roots, false, verify.WithArtifactDigest(d.Algorithm, raw), verify.WithoutIdentitiesUnsafe())
	if err != nil {
		r.hold(check{name: checkProvenanceSigned, actual: oneLine(err), what: "the provenance does not verify", hint: hintImage})
		return r.refuse()
	}
	r.hold(check{name: checkProvenanceSigned, ok: true, actual: d.Algorithm})
	seen := result.witness(o)
	r.LogIndex, r.Integrated = seen.index, seen.at
	certificate := r.certify(o, result.certificate())
	claims := readPredicate(o.types.predicate, o.predicate)
	r.fill(certificate)
	r.Builder = clip(claims.builder)
	r.agree(claims, certificate)
	r.compare(e, certificate, builderNames(o.types.predicate, claims, certificate))
	return r.conclude(e.Repo != "")
}

func digestsOf(s Subject) string {
	var list []string
	for _, d := range s.Digests {
		list = append(list, d.Algorithm+":"+d.Value)
	}
	return strings.Join(list, " or ")
}

// attested returns the digest of a statement's first subject, for messages.
func (o *opened) attested() string {
	for _, s := range o.subjects {
		for algorithm := range s.digest {
			if len(s.digest) == 1 || algorithm == "sha256" {
				return algorithm + ":" + s.digestOf(algorithm)
			}
		}
	}
	return "none"
}

// nearness orders the results of several attestations, the best first.
var nearness = []State{Verified, Unvouched, Mismatch, Invalid}

// best returns the best result, with what became of the others.
func (j judgedImages) best(incomplete string) Result {
	n, held := len(j.provenances), 0
	var best Result
	for _, state := range nearness {
		for _, r := range j.provenances {
			if r.State != state {
				continue
			}
			if best.State == "" {
				best = r
			}
			if state == Verified || state == Unvouched {
				held++
			}
		}
	}
	if n > 1 {
		best.Checks = append(best.Checks, Check{Name: checkOneHolds, OK: held > 0, Expected: "at least one provenance that holds", Actual: fmt.Sprintf("%d of %d", held, n)})
		if held == 0 {
			best.Reason = clip(fmt.Sprintf("none of %d provenances holds; the nearest is %s: %s", n, best.Evidence, best.Reason))
		}
	}
	for _, other := range j.others {
		best.Checks = append(best.Checks, Check{Name: checkOther, OK: true, Actual: other})
	}
	if incomplete != "" {
		best.Checks = append(best.Checks, Check{Name: checkComplete, OK: held > 0, Expected: "every attestation", Actual: clip(incomplete)})
	}
	return best
}

// completeImage reports whether a provenance is at hand: more of them could only
// say the same.
func completeImage(list []local) bool {
	for _, a := range list {
		if !a.broken && (a.signed == typeSLSA02 || a.signed == typeSLSA1) {
			return true
		}
	}
	return false
}
