package provenance

import (
	"cmp"
	"fmt"

	"countermark/sbom"
)

// ecosystem is what differs from one world of packages to the next. A new one is
// an entry of the table below and a [Source].
type ecosystem struct {
	judge func(*Verifier, Subject, Expectation, Set) Result
	// floating says why a version that pins nothing is none.
	floating string
	// byDigest: local evidence is of a subject by the digest that it signs, and not
	// by the name.
	byDigest bool
	// complete reports whether local evidence holds all that there can be, so that
	// nobody else has to be asked.
	complete func([]local) bool
}

var ecosystems = map[sbom.Ecosystem]ecosystem{
	sbom.NPM: {judge: (*Verifier).Package, floating: "a floating spec: no version is pinned", complete: completeSet},
	sbom.OCI: {judge: (*Verifier).Image, floating: "a tag, which can name another image at any time: no digest is pinned", byDigest: true, complete: completeImage},
	sbom.PyPI: {
		judge: (*Verifier).Release, floating: "a floating spec: no version is pinned",
		// Which files there are, only the index can say.
		complete: func([]local) bool { return false },
	},
}

// Judge judges a subject by the rules of its ecosystem: see [Verifier.Package]
// for npm's and [Verifier.Image] for those of images.
func (v *Verifier) Judge(s Subject, e Expectation, set Set) Result {
	known, ok := ecosystems[s.Ecosystem]
	if reason, hint := unattestable(s, ok); reason != "" {
		r := &verdict{Result: newResult(s, e), skip: v.skip}
		if s.floating() {
			r.judgeRegistry(s, set, nil)
		}
		return r.end(Unsupported, reason, hint)
	}
	return known.judge(v, s, e, set)
}

// floating reports whether the subject is a package of a registry that no version
// is named of.
func (s Subject) floating() bool {
	known, ok := ecosystems[s.Ecosystem]
	return ok && s.Name != "" && s.Version == "" && s.Unsupported == known.floating
}

// unattestable says why nothing can be looked up for a subject, whose ecosystem
// is a known one or not; "" where it can.
func unattestable(s Subject, known bool) (reason, hint string) {
	switch {
	case s.Unsupported != "":
		return s.Unsupported, "use a version from a registry that attests it, or accept it by an exception in the policy"
	case !known:
		return unread(s.Ecosystem), "pin it by digest meanwhile"
	case s.Name == "" || s.Version == "":
		return "no version is named, so there is nothing to look up", "pin an exact version"
	default:
		return "", ""
	}
}

func unread(e sbom.Ecosystem) string {
	return fmt.Sprintf("attestations of %s packages are not read yet", cmp.Or(e, "such"))
}

// unattested is the answer for a subject of which a source has nothing to judge;
// false where it has something. The hint is what to do where nothing was attested.
func (v *verdict) unattested(set Set, hint string) (Result, bool) {
	switch {
	case set.Availability == None, set.Availability == Found && len(set.Attestations) == 0:
		return v.end(Absent, cmp.Or(set.Reason, "there are no attestations for it"), cmp.Or(set.Hint, hint)), true
	case set.Availability == Unread:
		return v.end(Unsupported, cmp.Or(set.Reason, "its attestations are in a form that is not read"), cmp.Or(set.Hint, hint)), true
	case set.Availability == NoSupport:
		return v.end(Stripped, cmp.Or(set.Reason, "the registry carries no attestations, so their absence proves nothing"), cmp.Or(set.Hint, "ask the registry that published it, or give its attestations with --attestations")), true
	case set.Availability != Found:
		return v.end(Unavailable, cmp.Or(set.Reason, "its attestations could not be fetched"), cmp.Or(set.Hint, "try again, or give its attestations with --attestations")), true
	}
	return Result{}, false
}
