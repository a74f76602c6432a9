package provenance

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/verify"

	"countermark/sbom"
)

// MaxReleaseFiles is how many files of one release are judged. With more it is
// Unavailable: the one that is installed might be among those that were not.
const MaxReleaseFiles = 1_000

// typePyPIPublish is the statement of the publisher of a file (PEP 740).
const typePyPIPublish = "https://docs.pypi.org/attestations/publish/v1"

// issuerGoogle is the OIDC issuer of Google Cloud's service accounts.
const issuerGoogle = "https://accounts.google.com"

const (
	hintPyPIPublisher = "ask its publisher to publish from a trusted publisher, which attests what it uploads"
	hintPyPIFile      = "do not install this version; compare it with the index's page, and report it to the index if it differs"
)

// Release judges the files of a Python release by PEP 740: each has to have at
// least one publish attestation, and every publish attestation and provenance of
// each has to hold, be of this very file, and come from where e expects it. Which
// file an installer takes depends on the machine, so one that is not attested
// spoils the release: it may have been added by somebody who could upload and
// nothing more. Where the subject has a digest, only the file with that digest
// counts.
//
// Nothing in the set is an error: what does not hold is in the result.
func (v *Verifier) Release(s Subject, e Expectation, set Set) Result {
	r := &verdict{Result: newResult(s, e), skip: v.skip}
	if reason, hint := unattestable(s, s.Ecosystem == sbom.PyPI); reason != "" {
		return r.end(Unsupported, reason, hint)
	}
	if result, ok := r.unattested(set, hintPyPIPublisher); ok {
		return result
	}
	pinned := digest(s.Digests, "sha256")
	if len(s.Digests) > 0 && pinned == "" {
		return r.end(Unsupported, "its digest is no sha256, and attestations of Python packages bind no other", "pin it by sha256")
	}
	rel := v.release(s, set)
	if len(rel.files) > MaxReleaseFiles {
		return r.end(Unavailable, fmt.Sprintf("the release has more than %d files", MaxReleaseFiles), "pin one of its files by sha256")
	}
	for _, why := range rel.broken {
		r.hold(check{name: checkReadable, actual: why, what: "an attestation cannot be read", hint: hintPyPIFile})
	}
	r.DigestFrom = cmp.Or(s.DigestFrom, rel.digestFrom)
	if pinned != "" {
		rel.files = slices.DeleteFunc(rel.files, func(f *releaseFile) bool { return f.sha256 != pinned })
		r.hold(check{
			name: checkDigest, ok: len(rel.files) > 0, expected: pinned, what: "the digest of the " + cmp.Or(s.DigestFrom, "subject"),
			note: "no file of the release has it", hint: "the bytes are not the published ones: find out who changed them",
		})
	}
	r.releaseFiles(v, rel.files, s, e)
	result := r.conclude(e.Repo != "")
	if rel.open && pinned == "" && (result.State == Verified || result.State == Unvouched) {
		return r.end(Unavailable, "its attestations at hand hold, but which files the release has, only its index can say", "run without --offline, and name the index with --pypi-index")
	}
	return result
}

// releaseFile is one file with what is attested of it.
type releaseFile struct {
	name, sha256 string
	attested     []attested
}

type attested struct {
	*opened

	publisher *TrustedPublisher
}

var errNoFile = errors.New("it names no file")

// release is a set, sorted by files.
type release struct {
	files      []*releaseFile
	open       bool // nobody said which files there are
	digestFrom string
	broken     []string // why attestations cannot be read
}

func (v *Verifier) release(s Subject, set Set) release {
	rel := release{open: set.Files == nil, digestFrom: "index"}
	if rel.open {
		rel.digestFrom = "publish-attestation"
	}
	for _, f := range set.Files {
		rel.files = append(rel.files, &releaseFile{name: f.Name, sha256: strings.ToLower(digest(f.Digests, "sha256"))})
	}
	for _, a := range set.Attestations {
		o, err := v.open(a)
		switch {
		case err == nil && o.statement == nil:
			err = errUnattested
		case err == nil && len(o.subjects) == 0:
			err = errNoFile
		}
		if err != nil {
			rel.broken = append(rel.broken, oneLine(err))
			continue
		}
		f := rel.file(s, a, o)
		f.attested = append(f.attested, attested{opened: o, publisher: a.Publisher})
	}
	return rel
}

// file returns the file that an attestation was served for, else the one that it
// names itself.
func (rel *release) file(s Subject, a Attestation, o *opened) *releaseFile {
	name := cmp.Or(a.File, o.subjects[0].name)
	for _, f := range rel.files {
		if f.name == name || a.File == "" && sameDistribution(f.name, name, s.Name) {
			return f
		}
	}
	f := &releaseFile{name: name}
	if rel.open {
		f.sha256 = o.subjects[0].digestOf("sha256")
	}
	rel.files = append(rel.files, f)
	return f
}

// releaseFiles judges the files one by one. Of what holds, the first tells all;
// of what does not, every file does.
func (v *verdict) releaseFiles(engine *Verifier, files []*releaseFile, s Subject, e Expectation) {
	slices.SortFunc(files, func(a, b *releaseFile) int { return cmp.Compare(a.name, b.name) })
	for i, f := range files {
		one := &verdict{Result: newResult(s, e), skip: v.skip}
		ok := engine.releaseFile(one, f, s, e)
		v.Checks = append(v.Checks, Check{Name: checkFile, OK: ok, Expected: clip("sha256:" + f.sha256), Actual: clip(f.name)})
		if i == 0 {
			v.Source, v.Workflow, v.Signer, v.Issuer = one.Source, one.Workflow, one.Signer, one.Issuer
			v.Builder, v.Runner, v.Trigger, v.LogIndex, v.Integrated = one.Builder, one.Runner, one.Trigger, one.LogIndex, one.Integrated
		}
		for _, c := range one.Checks {
			if i == 0 || !c.OK {
				v.Checks = append(v.Checks, c)
			}
		}
		v.invalid = firstOf(v.invalid, one.invalid, f.name)
		v.mismatch = firstOf(v.mismatch, one.mismatch, f.name)
	}
}

// firstOf keeps the first failure, and names the file of it.
func firstOf(known, next *failure, file string) *failure {
	if known != nil || next == nil {
		return known
	}
	return &failure{reason: clip(file + ": " + next.reason), hint: next.hint}
}

// releaseFile judges one file and reports whether everything of it holds.
func (v *Verifier) releaseFile(r *verdict, f *releaseFile, s Subject, e Expectation) bool {
	publications, builds := 0, 0
	for _, a := range f.attested {
		switch a.types.predicate {
		case typePyPIPublish:
			publications++
		case typeSLSA1, typeSLSA02:
			builds++
		default:
			// It says nothing about the origin, and nothing of it is believed.
			r.hold(check{name: checkOther, ok: true, actual: a.types.predicate})
		}
	}
	r.hold(check{name: checkSetSize, ok: len(f.attested) <= MaxAttestations, expected: fmt.Sprintf("at most %d", MaxAttestations), actual: fmt.Sprint(len(f.attested)), what: "the number of attestations"})
	r.hold(check{
		name: checkFileAttested, ok: publications > 0, expected: "at least 1", actual: fmt.Sprint(publications), what: "the number of publish attestations",
		note: "every file of a release has to have one", hint: "do not install this version unless the publisher says why that file is not attested",
	})
	if r.invalid != nil {
		return false
	}
	for _, a := range f.attested {
		if a.types.predicate != typePyPIPublish && a.types.predicate != typeSLSA1 && a.types.predicate != typeSLSA02 {
			continue
		}
		demanded := e
		if a.types.predicate == typePyPIPublish && builds > 0 {
			demanded.Builder = "" // the provenance beside it has to name the builder
		}
		v.releaseAttestation(r, f, a, s, demanded)
	}
	return r.invalid == nil && r.mismatch == nil
}

// releaseAttestation judges one attestation of a file.
func (v *Verifier) releaseAttestation(r *verdict, f *releaseFile, a attested, s Subject, e Expectation) {
	r.hold(check{name: checkOneSignature, ok: a.signatures == 1, expected: "exactly 1", actual: fmt.Sprint(a.signatures), what: "the number of signatures", hint: hintPyPIFile})
	r.hold(check{name: checkOneSubject, ok: len(a.subjects) == 1, expected: "exactly 1", actual: fmt.Sprint(len(a.subjects)), what: "the number of subjects", hint: hintPyPIFile})
	r.hold(check{name: checkFileCertificate, ok: !a.keyed && a.keyID == "", expected: "a certificate", actual: describeKey(a.opened), what: "the key of the attestation", hint: hintPyPIFile})
	claimed, err := hex.DecodeString(a.subject().digestOf("sha256"))
	if err != nil || len(claimed) != 32 {
		r.hold(check{name: checkSigned, actual: "it names no sha256", what: "the attestation does not verify", hint: hintPyPIFile})
	}
	if r.invalid != nil {
		return
	}
	result, err := v.verifyWith(a.opened, v.roots, false, verify.WithArtifactDigest("sha256", claimed), verify.WithoutIdentitiesUnsafe())
	c := check{name: checkSigned, ok: err == nil, what: "the attestation does not verify", hint: hintPyPIFile}
	if err != nil {
		c.actual = oneLine(err)
	}
	if !r.hold(c) || err != nil {
		r.refuse()
		return
	}
	name, have := a.subjects[0].name, a.subjects[0].digestOf("sha256")
	r.hold(check{name: checkFileName, ok: sameDistribution(name, f.name, s.Name) && OfRelease(f.name, s.Name, s.Version), expected: f.name, actual: name, what: "the attested file", hint: hintPyPIFile})
	r.hold(check{
		name: checkDigest, ok: have == f.sha256, expected: f.sha256, actual: have, what: "the attested sha256",
		note: "that of the file counts", hint: "the bytes are not the published ones: find out who changed the file or the index",
	})
	identity := r.certify(a.opened, result.certificate())
	seen := result.witness(a.opened)
	if r.Integrated.IsZero() {
		r.LogIndex, r.Integrated = seen.index, seen.at
		r.fill(identity)
	}
	r.publisher(a.publisher, identity)
	var builders []string
	if t := a.types.predicate; t == typeSLSA1 || t == typeSLSA02 {
		claims := readPredicate(t, a.predicate)
		r.Builder = clip(claims.builder)
		r.agree(claims, identity)
		builders = builderNames(t, claims, identity)
	}
	r.compare(e, identity, builders)
}

// publisher holds what the index says of the publisher against the certificate.
// Of a kind that is not known it says nothing that could be held against it.
func (v *verdict) publisher(p *TrustedPublisher, c certified) {
	if p == nil {
		return
	}
	equal := func(what, want, have string, ok bool) {
		v.hold(check{name: checkPublisher, ok: ok, expected: have, actual: want, what: what, note: "the index says so, and the certificate otherwise", hint: hintPyPIFile})
	}
	exact := func(what, said, certified string) { equal(what, said, certified, said == certified) }
	switch p.Kind {
	case "GitHub":
		// GitHub's names are the same in upper and lower case.
		exact("the publisher's issuer", IssuerGitHub, c.issuer)
		equal("the publisher's repository", "https://github.com/"+p.Repository, c.repository, strings.EqualFold("https://github.com/"+p.Repository, c.repository))
		exact("the publisher's workflow", ".github/workflows/"+p.Workflow, c.workflow)
	case "GitLab":
		exact("the publisher's issuer", IssuerGitLab, c.issuer)
		exact("the publisher's repository", "https://gitlab.com/"+p.Repository, c.repository)
		exact("the publisher's workflow", p.Workflow, c.workflow)
	case "Google":
		exact("the publisher's issuer", issuerGoogle, c.issuer)
		exact("the publisher's address", p.Email, c.signer)
	default:
		v.hold(check{name: checkPublisher, ok: true, actual: cmp.Or(p.Kind, "of no kind")})
	}
}
