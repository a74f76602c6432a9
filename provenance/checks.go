package provenance

import (
	"cmp"
	"fmt"
	"strings"
)

// The names of the checks, as they stand in results. A name never changes its
// meaning.
const (
	// What has to hold of any npm set; a failure is Invalid.
	checkReadable         = "attestation-readable"
	checkClaimedType      = "attestation-type"
	checkSetSize          = "set-size"
	checkPublishCount     = "publish-count"
	checkProvenanceCount  = "provenance-count"
	checkOther            = "other-attestation"
	checkOneHolds         = "one-holds"             // of an image's provenances
	checkComplete         = "attestations-complete" // of an image, as far as they were fetched
	checkOneSignature     = "one-signature"
	checkOneSubject       = "one-subject"
	checkPublishKey       = "publish-key"
	checkPublishSigned    = "publish-signature"
	checkProvenanceCert   = "provenance-certificate"
	checkCertificate      = "certificate-extensions"
	checkProvenanceSigned = "provenance-signature"
	checkPublishSubject   = "publish-subject"
	checkProvSubject      = "provenance-subject"
	checkAgreement        = "subject-agreement"
	checkDigest           = "subject-digest"
	checkPublishName      = "publish-name"
	checkPublishVersion   = "publish-version"
	checkPublishRegistry  = "publish-registry"
	checkClaimRepository  = "predicate-repository"
	checkClaimRef         = "predicate-ref"
	checkClaimCommit      = "predicate-commit"
	checkClaimWorkflow    = "predicate-workflow"
	checkClaimTrigger     = "predicate-trigger"
	checkClaimRepoID      = "predicate-repository-id"
	checkClaimOwnerID     = "predicate-owner-id"
	checkClaimRun         = "predicate-run"
	checkClaimBuilder     = "predicate-builder"

	// What the registry says and signs of a version; a failure is Invalid, of the
	// last one Lost.
	checkRegistryIntegrity = "registry-integrity" // that of the lockfile is the registry's
	checkTarball           = "tarball-digest"     // the fetched bytes are those that are named
	checkRegistrySubject   = "registry-subject"   // what is attested is what the registry names
	checkRegistryPresent   = "registry-signature-present"
	checkRegistryKey       = "registry-signature-key"
	checkRegistrySigned    = "registry-signature"
	checkRegistryKeyTime   = "registry-signature-key-validity"
	checkLost              = "attested-before" // no earlier version was, where this one is not

	// What has to hold of a bundle for a file or digest; a failure is Invalid.
	checkSigned        = "signature"
	checkPredicateType = "predicate-type"

	// What has to hold of every file of a Python release, besides; a failure is
	// Invalid.
	checkFile            = "release-file" // that all that is attested of one file holds
	checkFileAttested    = "file-attested"
	checkFileCertificate = "file-certificate"
	checkFileName        = "file-name"
	checkPublisher       = "publisher"

	// What somebody expects; a failure is Mismatch.
	checkIdentity      = "certificate-identity"
	checkIssuer        = "issuer"
	checkRepository    = "source-repository"
	checkRepositoryID  = "repository-id"
	checkOwnerID       = "owner-id"
	checkRef           = "source-ref"
	checkCommit        = "source-digest"
	checkWorkflow      = "workflow"
	checkSigner        = "signer-workflow"
	checkBuilder       = "builder"
	checkBuilderRunner = "builder-runner" // that the certificate confirms the builder
	checkTrigger       = "trigger"
	checkRunner        = "runner"
)

// verdict collects the checks of one subject into its result.
type verdict struct {
	Result

	skip     map[string]bool
	invalid  *failure // the first check that failed with Invalid
	mismatch *failure // the first check that failed with Mismatch
}

// failure is a check that failed, in words.
type failure struct{ reason, hint string }

// check is one comparison with the words for its failure.
type check struct {
	name     string
	ok       bool
	expected string
	actual   string
	what     string // what was compared, as the subject of a sentence
	note     string // more about the failure; may be empty
	reason   string // the failure as a sentence, in place of all that; may be empty
	hint     string // what to do next
}

// hold records a check that decides between Invalid and the rest, and reports
// whether it held.
func (v *verdict) hold(c check) bool { return v.record(c, &v.invalid) }

// demand records a check of the expectation, which decides between Mismatch and
// the rest.
func (v *verdict) demand(c check) { v.record(c, &v.mismatch) }

func (v *verdict) record(c check, first **failure) bool {
	c.expected, c.actual = clip(c.expected), clip(c.actual)
	c.ok = c.ok || v.skip[c.name]
	v.Checks = append(v.Checks, Check{Name: c.name, OK: c.ok, Expected: c.expected, Actual: c.actual})
	if !c.ok && *first == nil {
		*first = &failure{reason: clip(c.sentence()), hint: cmp.Or(c.hint, hintPublish)}
	}
	return c.ok
}

func (c check) sentence() string {
	var b strings.Builder
	switch {
	case c.reason != "":
		return c.reason
	case c.expected != "" && c.actual != "":
		fmt.Fprintf(&b, "%s is %s, but %s was expected", c.what, c.actual, c.expected)
	case c.expected != "":
		fmt.Fprintf(&b, "%s is not certified, but %s was expected", c.what, c.expected)
	case c.actual != "":
		fmt.Fprintf(&b, "%s: %s", c.what, c.actual)
	default:
		b.WriteString(c.what)
	}
	if c.note != "" {
		b.WriteString("; " + c.note)
	}
	return b.String()
}

// refuse is the answer for what could not be judged to the end: Invalid, whatever
// the checks say that were made.
func (v *verdict) refuse() Result {
	if v.invalid == nil {
		v.invalid = &failure{reason: "its attestations could not be judged", hint: hintPublish}
	}
	return v.conclude(false)
}

// conclude turns the checks into a state.
func (v *verdict) conclude(vouched bool) Result {
	switch {
	case v.invalid != nil:
		v.State, v.Reason, v.Hint = Invalid, v.invalid.reason, v.invalid.hint
	case v.mismatch != nil:
		v.State, v.Reason, v.Hint = Mismatch, v.mismatch.reason, v.mismatch.hint
	case !vouched:
		v.State = Unvouched
		v.Reason = clip("it was built from " + v.Source.URI + ", but nobody except the package itself says that it should be")
		v.Hint = "if that is the right source, name it under sources in the policy; the package's own repository field proves nothing"
	default:
		v.State = Verified
	}
	return v.Result
}
