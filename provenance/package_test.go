package provenance

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
	"countermark/sbom"
)

// instance is the tests' own sigstore: one for all tests, since making its keys
// takes longer than most of them.
var instance = sync.OnceValues(func() (*testInstance, error) {
	s, err := provenancetest.New()
	if err != nil {
		return nil, err
	}
	rootJSON, err := s.TrustedRoot()
	if err != nil {
		return nil, err
	}
	keysJSON, err := s.NPMKeys()
	if err != nil {
		return nil, err
	}
	m := &trust.Material{}
	if m.Root, err = trust.LoadRoot(rootJSON, "root"); err != nil {
		return nil, err
	}
	m.Keys, err = trust.LoadNPMKeys(keysJSON, "keys")
	return &testInstance{Sigstore: s, material: m}, err
})

type testInstance struct {
	*provenancetest.Sigstore

	material *trust.Material
}

func ours(t testing.TB) *testInstance {
	t.Helper()
	s, err := instance()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// must takes a result that has to be there; a fixture that cannot be made ends
// all tests.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const someSHA512 = "aa176ffa33808b54602c7c35de5c6e9a4deb96066dba6533f50ac234f4f1f4c6b3527515dc17c06fbe2860030f410eee69ea20079bd3a2c6f3dcf3b329b10751"

// honest is a release as it should be; the cases change it.
func honest() provenancetest.Build {
	return provenancetest.Build{Package: "@acme/tool", Version: "1.2.3", SHA512: someSHA512, Repository: "https://github.com/acme/tool"}
}

func honestSubject() Subject {
	return Subject{
		Ref: "pkg:npm/%40acme/tool@1.2.3", Ecosystem: sbom.NPM, Name: "@acme/tool", Version: "1.2.3",
		Digests: []Digest{{Algorithm: "sha512", Value: someSHA512}}, DigestFrom: "lockfile",
	}
}

func honestExpectation() Expectation {
	return Expectation{
		From: "policy", Repo: "https://github.com/acme/tool", Ref: "refs/tags/v*", Workflow: ".github/workflows/release.yml",
		RepositoryID: "1001", OwnerID: "2002", Trigger: "push", DenySelfHosted: true,
	}
}

// signed signs a build's set, with the statements or signers changed.
func signed(t testing.TB, b provenancetest.Build) Set {
	t.Helper()
	s := ours(t)
	publish, provenance, err := s.Set(b)
	if err != nil {
		t.Fatal(err)
	}
	return setOf(t, publish, provenance)
}

func setOf(t testing.TB, bundles ...[]byte) Set {
	t.Helper()
	set := Set{Availability: Found, Registry: provenancetest.Registry}
	for _, b := range bundles {
		set.Attestations = append(set.Attestations, Attestation{ClaimedType: typeOf(t, b), Bundle: b})
	}
	return set
}

func typeOf(t testing.TB, bundle []byte) string {
	t.Helper()
	predicateType, err := provenancetest.PredicateType(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return predicateType
}

// attack is one way to deceive: what it changes, and the checks that have to
// notice.
type attack struct {
	name   string
	set    func(t testing.TB) Set
	honest func(t testing.TB) Set // where set is nil; nil for an honest npm package
	expect func(e *Expectation)
	s      func(s *Subject)
	root   func(t testing.TB) *trust.Material // what is trusted; nil for our instance
	state  State
	check  string // the first that fails
	note   string // part of the reason

	// off are the checks that refuse it, each alone: with all of them switched
	// off, the attack succeeds. Nil for the one that fails first. Among them,
	// trusted is what the trusted root says, switched off by believing duped.
	off   []string
	duped func(t testing.TB) *trust.Material
}

// unpublished and unbuilt are the checks that refuse a set in which one of the two
// attestations is missing. Nothing holds of what is not there.
var (
	unpublished = []string{
		checkPublishCount, checkOneSignature, checkOneSubject, checkPublishKey, checkPublishSigned, library, checkPublishSubject,
		checkAgreement, checkDigest, checkPublishName, checkPublishVersion, checkPublishRegistry,
	}
	unbuilt = append([]string{
		checkProvenanceCount, checkOneSignature, checkOneSubject, checkProvenanceSigned, library, checkProvSubject, checkAgreement,
	}, uncertified...)
	// uncertified are those that refuse what no certificate speaks for.
	uncertified = []string{
		checkCertificate, checkIssuer, checkRepository, checkRepositoryID, checkOwnerID, checkRef, checkTrigger, checkWorkflow, checkSigner, checkRunner,
	}
)

func build(change func(b *provenancetest.Build)) func(testing.TB) Set {
	return func(t testing.TB) Set {
		t.Helper()
		b := honest()
		change(&b)
		return signed(t, b)
	}
}

// claiming is a provenance whose predicate says other than its certificate.
func claiming(change func(b *provenancetest.Build)) func(testing.TB) Set {
	return build(func(b *provenancetest.Build) { b.Claim = change })
}

// statements signs the honest set with its statements rewritten.
func statements(publish, provenance func(string) string) func(testing.TB) Set {
	return func(t testing.TB) Set {
		t.Helper()
		b := honest()
		p := must(b.PublishStatement())
		q := must(b.ProvenanceStatement())
		if publish != nil {
			p = []byte(publish(string(p)))
		}
		if provenance != nil {
			q = []byte(provenance(string(q)))
		}
		return setOf(t,
			must(ours(t).Sign(p, provenancetest.Signer{Key: true})),
			must(ours(t).Sign(q, b.Identity())))
	}
}

func swap(old, replacement string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			panic("nothing to replace: " + old)
		}
		return strings.Replace(s, old, replacement, 1)
	}
}

func attacks() []attack {
	otherSHA512 := strings.Replace(someSHA512, "aa", "bb", 1)
	return []attack{
		// The set.
		{name: "publish attestation missing", state: Invalid, check: checkPublishCount, off: unpublished, set: func(t testing.TB) Set {
			set := signed(t, honest())
			set.Attestations = set.Attestations[1:]
			return set
		}},
		{name: "provenance missing", state: Invalid, check: checkProvenanceCount, off: unbuilt, set: func(t testing.TB) Set {
			set := signed(t, honest())
			set.Attestations = set.Attestations[:1]
			return set
		}},
		{name: "provenance twice", state: Invalid, check: checkProvenanceCount, set: func(t testing.TB) Set {
			set := signed(t, honest())
			set.Attestations = append(set.Attestations, set.Attestations[1])
			return set
		}},
		{name: "publish attestation twice", state: Invalid, check: checkPublishCount, set: func(t testing.TB) Set {
			set := signed(t, honest())
			set.Attestations = append(set.Attestations, set.Attestations[0])
			return set
		}},
		{name: "provenance of both versions", state: Invalid, check: checkProvenanceCount, set: func(t testing.TB) Set {
			set, b := signed(t, honest()), honest()
			b.SLSA02 = true
			set.Attestations = append(set.Attestations, signed(t, b).Attestations[1])
			return set
		}},
		{name: "too many attestations", state: Invalid, check: checkSetSize, off: []string{checkSetSize, checkPublishCount}, set: func(t testing.TB) Set {
			set := signed(t, honest())
			for range MaxAttestations {
				set.Attestations = append(set.Attestations, set.Attestations[0])
			}
			return set
		}},
		{name: "wrapper calls the publish attestation a provenance", state: Invalid, check: checkClaimedType, set: func(t testing.TB) Set {
			set := signed(t, honest())
			set.Attestations[0].ClaimedType = typeSLSA1
			return set
		}},
		{name: "wrapper calls something else a provenance", state: Invalid, check: checkClaimedType, off: append([]string{checkClaimedType}, unbuilt...), set: func(t testing.TB) Set {
			set := statements(nil, swap(typeSLSA1, "https://example.com/other"))(t)
			set.Attestations[1].ClaimedType = typeSLSA1
			return set
		}},
		{name: "garbage beside the set", state: Invalid, check: checkReadable, set: func(t testing.TB) Set {
			set := signed(t, honest())
			set.Attestations = append(set.Attestations, Attestation{Bundle: []byte("{}")})
			return set
		}},

		// Keys.
		{name: "publish attestation signed by a workflow", state: Invalid, check: checkPublishKey, off: []string{checkPublishKey, demandKey}, set: func(t testing.TB) Set {
			b := honest()
			return setOf(t, must(ours(t).Sign(must(b.PublishStatement()), b.Identity())), must(ours(t).Provenance(b)))
		}},
		{name: "provenance signed by the registry's key", state: Invalid, check: checkProvenanceCert, off: append([]string{checkProvenanceCert}, uncertified...), set: func(t testing.TB) Set {
			b := honest()
			return setOf(t, must(ours(t).Publish(b)), must(ours(t).Sign(must(b.ProvenanceStatement()), provenancetest.Signer{Key: true})))
		}},
		{name: "provenance's signature names a key", state: Invalid, check: checkProvenanceCert, off: []string{checkProvenanceCert, librarySignature}, set: func(t testing.TB) Set {
			b := honest()
			as := b.Identity()
			as.KeyID = "SHA256:other"
			return setOf(t, must(ours(t).Publish(b)), must(ours(t).Sign(must(b.ProvenanceStatement()), as)))
		}},
		{name: "bundle and signature name different keys", state: Invalid, check: checkPublishKey, off: []string{checkPublishKey, librarySignature}, set: func(t testing.TB) Set {
			b := honest()
			return setOf(t, must(ours(t).Sign(must(b.PublishStatement()), provenancetest.Signer{Key: true, KeyID: "SHA256:other"})), must(ours(t).Provenance(b)))
		}},
		{name: "unknown key", state: Invalid, check: checkPublishKey, off: []string{checkPublishKey, library}, set: func(t testing.TB) Set {
			b := honest()
			return setOf(t, must(ours(t).Sign(must(b.PublishStatement()), provenancetest.Signer{Key: true, KeyID: "SHA256:x", Hint: "SHA256:x"})), must(ours(t).Provenance(b)))
		}},
		{name: "key used before its validity", state: Invalid, check: checkPublishSigned, off: []string{trusted}, duped: timeless, note: "validity", set: func(t testing.TB) Set {
			b := honest()
			return setOf(t, must(ours(t).Sign(must(b.PublishStatement()), provenancetest.Signer{Key: true, Seen: provenancetest.Now.AddDate(-2, 0, 0)})), must(ours(t).Provenance(b)))
		}},
		{name: "certificate expired when it was logged", state: Invalid, check: checkProvenanceSigned, off: []string{demandLog, trusted}, duped: timeless, set: func(t testing.TB) Set {
			b := honest()
			as := b.Identity()
			as.Seen = provenancetest.Now.Add(time.Hour)
			as.Timestamps = []time.Time{as.Seen}
			return setOf(t, must(ours(t).Sign(must(b.PublishStatement()), provenancetest.Signer{Key: true, Timestamps: []time.Time{provenancetest.Now}})), must(ours(t).Sign(must(b.ProvenanceStatement()), as)))
		}},
		{name: "certificate unknown to the certificate log", state: Invalid, check: checkProvenanceSigned, off: []string{demandPromise}, set: func(t testing.TB) Set {
			b := honest()
			as := b.Identity()
			as.NoSCT = true
			return setOf(t, must(ours(t).Publish(b)), must(ours(t).Sign(must(b.ProvenanceStatement()), as)))
		}},

		// The subject.
		{name: "another package's set", state: Invalid, check: checkPublishSubject, off: []string{checkPublishSubject, checkProvSubject, checkPublishName}, set: build(func(b *provenancetest.Build) { b.Package = "@acme/other" })},
		{name: "another version's set", state: Invalid, check: checkPublishSubject, off: []string{checkPublishSubject, checkProvSubject, checkPublishVersion}, set: build(func(b *provenancetest.Build) { b.Version = "1.2.4" })},
		{name: "publish attestation names another package", state: Invalid, check: checkPublishSubject, set: statements(swap("%40acme/tool", "%40acme/t00l"), nil)},
		{name: "provenance of another package", state: Invalid, check: checkProvSubject, set: statements(nil, swap("%40acme/tool", "acme-tool"))},
		{name: "provenance of the package under an escaped name", state: Invalid, check: checkProvSubject, set: statements(nil, swap("%40acme/tool", "%40acme%2Ftool"))},
		{name: "provenance with another digest", state: Invalid, check: checkAgreement, set: statements(nil, swap(someSHA512, otherSHA512))},
		{name: "tarball swapped", state: Invalid, check: checkDigest, s: func(s *Subject) { s.Digests[0].Value = otherSHA512 }},
		{name: "second sha512 in the lockfile", state: Invalid, check: checkDigest, s: func(s *Subject) { s.Digests = append(s.Digests, Digest{"sha512", otherSHA512}) }},
		{name: "two subjects in the provenance", state: Invalid, check: checkOneSubject, set: statements(nil, swap(`"subject":[`, `"subject":[{"name":"pkg:npm/%40acme/tool@1.2.3","digest":{"sha512":"`+someSHA512+`"}},`))},
		{name: "two subjects in the publish attestation", state: Invalid, check: checkOneSubject, set: statements(swap(`"subject":[`, `"subject":[{"name":"pkg:npm/%40acme/tool@1.2.3","digest":{"sha512":"`+someSHA512+`"}},`), nil)},
		{name: "no subject", state: Invalid, check: checkOneSubject, off: []string{checkOneSubject, checkProvenanceSigned, librarySignature, checkProvSubject, checkAgreement}, set: statements(nil, func(string) string {
			return `{"_type":"https://in-toto.io/Statement/v1","predicateType":"` + typeSLSA1 + `","subject":[],"predicate":{}}`
		})},
		{name: "no sha512", state: Invalid, check: checkProvenanceSigned, off: []string{checkProvenanceSigned, librarySignature, checkAgreement}, set: statements(nil, swap(`"sha512"`, `"sha256"`))},
		{name: "published under another name", state: Invalid, check: checkPublishName, set: statements(swap(`"name":"@acme/tool"`, `"name":"@acme/t00l"`), nil)},
		{name: "published as another version", state: Invalid, check: checkPublishVersion, set: statements(swap(`"version":"1.2.3"`, `"version":"1.2.30"`), nil)},
		{name: "published by another registry", state: Invalid, check: checkPublishRegistry, set: build(func(b *provenancetest.Build) { b.Registry = "https://registry.example.com" })},

		// Documents that can be read in two ways.
		{name: "repeated key in the statement", state: Invalid, check: checkReadable, set: statements(nil, swap(`"subject":`, `"subject":[],"subject":`))},
		{name: "repeated key in the predicate", state: Invalid, check: checkReadable, set: statements(nil, swap(`"ref":`, `"ref":"refs/heads/x","ref":`))},
		{name: "keys of another case", state: Invalid, check: checkOneSubject, off: []string{checkOneSubject, checkProvenanceSigned, librarySignature, checkProvSubject, checkAgreement}, set: statements(nil, swap(`"subject":`, `"Subject":`))},
		{name: "something behind the statement", state: Invalid, check: checkReadable, off: []string{checkReadable, librarySignature}, set: func(t testing.TB) Set {
			b := honest()
			bundle := must(ours(t).Sign(append(must(b.ProvenanceStatement()), "{}"...), b.Identity()))
			set := setOf(t, must(ours(t).Publish(b)))
			set.Attestations = append(set.Attestations, Attestation{Bundle: bundle})
			return set
		}},
		{name: "deep nesting", state: Invalid, check: checkReadable, set: statements(nil, swap(`"predicate":{`, `"predicate":{"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+","))},
		{name: "no statement", state: Invalid, check: checkReadable, set: statements(nil, swap("https://in-toto.io/Statement/v1", "https://example.com/Statement/v1"))},

		// The predicate contradicts the certificate.
		{name: "predicate names another repository", state: Invalid, check: checkClaimRepository, set: claiming(func(b *provenancetest.Build) { b.Repository = "https://github.com/other/tool" }), off: []string{checkClaimRepository, checkClaimRun}},
		{name: "predicate names another ref", state: Invalid, check: checkClaimRef, set: claiming(func(b *provenancetest.Build) { b.Ref = "refs/tags/v1.2.2" })},
		{name: "predicate names another commit", state: Invalid, check: checkClaimCommit, set: claiming(func(b *provenancetest.Build) { b.Commit = strings.Repeat("1", 40) })},
		{name: "predicate names another workflow", state: Invalid, check: checkClaimWorkflow, set: claiming(func(b *provenancetest.Build) { b.Workflow = ".github/workflows/other.yml" })},
		{name: "predicate names another trigger", state: Invalid, check: checkClaimTrigger, set: claiming(func(b *provenancetest.Build) { b.Trigger = "release" })},
		{name: "predicate names another repository id", state: Invalid, check: checkClaimRepoID, set: claiming(func(b *provenancetest.Build) { b.RepositoryID = "3" })},
		{name: "predicate names another owner id", state: Invalid, check: checkClaimOwnerID, set: claiming(func(b *provenancetest.Build) { b.OwnerID = "3" })},
		{name: "predicate names another run", state: Invalid, check: checkClaimRun, set: statements(nil, swap("actions/runs/42", "actions/runs/43"))},
		{name: "predicate names another runner", state: Invalid, check: checkClaimBuilder, set: claiming(func(b *provenancetest.Build) { b.Builder = builderSelfHosted })},
		{name: "predicate names a builder that did not sign", state: Invalid, check: checkClaimBuilder, set: claiming(func(b *provenancetest.Build) {
			b.Builder = "https://github.com/builders/b/.github/workflows/build.yml@refs/tags/v1"
		})},

		// Genuine, but not what is expected.
		{name: "fork", state: Mismatch, check: checkRepository, note: "https://github.com/evil/tool", set: build(func(b *provenancetest.Build) { b.Repository = "https://github.com/evil/tool" })},
		{name: "name is a prefix", state: Mismatch, check: checkRepository, expect: func(e *Expectation) { e.Repo = "https://github.com/acme/too" }},
		{name: "name is longer", state: Mismatch, check: checkRepository, expect: func(e *Expectation) { e.Repo = "https://github.com/acme/tool2" }},
		{name: "only the owner", state: Mismatch, check: checkRepository, note: "owner and name", expect: func(e *Expectation) { e.Repo = "https://github.com/acme" }},
		{name: "part of a segment", state: Mismatch, check: checkRepository, expect: func(e *Expectation) { e.Repo = "https://github.com/acme/to*" }},
		{name: "other case", state: Mismatch, check: checkRepository, note: "upper and lower case", expect: func(e *Expectation) { e.Repo = "https://github.com/Acme/tool" }},
		{name: "renamed", state: Mismatch, check: checkRepository, note: "renamed", expect: func(e *Expectation) { e.Repo = "https://github.com/acme/tool-old" }},
		{name: "transferred", state: Mismatch, check: checkRepository, note: "renamed or transferred", off: []string{checkRepository, checkOwnerID}, set: build(func(b *provenancetest.Build) {
			b.Repository, b.OwnerID = "https://github.com/evil/tool", "666"
		})},
		{name: "transferred, its owner's name taken over", state: Mismatch, check: checkOwnerID, set: build(func(b *provenancetest.Build) { b.OwnerID = "666" })},
		{name: "transferred, any of its owner's repositories expected", state: Mismatch, check: checkRepository, off: []string{checkRepository, checkOwnerID}, set: build(func(b *provenancetest.Build) {
			b.Repository, b.OwnerID = "https://github.com/evil/tool", "666"
		}), expect: func(e *Expectation) { e.Repo, e.RepositoryID = "https://github.com/acme/*", "" }},
		{name: "re-registered", state: Mismatch, check: checkRepositoryID, set: build(func(b *provenancetest.Build) { b.RepositoryID = "666" })},
		{name: "other look-alike letters expected", state: Mismatch, check: checkRepository, note: "ASCII", expect: func(e *Expectation) { e.Repo = "https://github.com/\u0430cme/tool" }},
		{name: "other branch", state: Mismatch, check: checkRef, set: build(func(b *provenancetest.Build) { b.Ref = "refs/heads/main" })},
		{name: "tag with a slash", state: Mismatch, check: checkRef, set: build(func(b *provenancetest.Build) { b.Ref = "refs/tags/v1/x" })},
		{name: "pull request's ref", state: Mismatch, check: checkRef, set: build(func(b *provenancetest.Build) { b.Ref = "refs/pull/1/merge" })},
		{name: "pull request's ref, none expected", state: Mismatch, check: checkRef, note: "pull request", expect: func(e *Expectation) { e.Ref = "" }, set: build(func(b *provenancetest.Build) { b.Ref = "refs/pull/1/merge" })},
		{name: "merge request's ref, none expected", state: Mismatch, check: checkRef, expect: func(e *Expectation) { e.Ref = "" }, set: build(func(b *provenancetest.Build) { b.Ref = "refs/merge-requests/1/merge" })},
		{name: "certificate says two repositories", state: Invalid, check: checkCertificate, set: provenanceBy(func(as *provenancetest.Signer) { as.Extensions.GithubWorkflowRepository = "evil/tool" }, nil)},
		{name: "certificate says two refs", state: Invalid, check: checkCertificate, set: provenanceBy(func(as *provenancetest.Signer) { as.Extensions.GithubWorkflowRef = "refs/heads/main" }, nil)},
		{name: "certificate says two commits", state: Invalid, check: checkCertificate, set: provenanceBy(func(as *provenancetest.Signer) { as.Extensions.GithubWorkflowSHA = strings.Repeat("1", 40) }, nil)},
		{name: "pull request", state: Mismatch, check: checkTrigger, set: build(func(b *provenancetest.Build) { b.Trigger = "pull_request_target" })},
		{name: "a stranger's pull request, no trigger expected", state: Mismatch, check: checkTrigger, note: "whoever opens a pull request", expect: func(e *Expectation) { e.Trigger = "" }, set: build(func(b *provenancetest.Build) { b.Trigger = "pull_request_target" })},
		{name: "self-hosted runner", state: Mismatch, check: checkRunner, set: build(func(b *provenancetest.Build) { b.Runner = "self-hosted" })},
		{name: "other workflow", state: Mismatch, check: checkWorkflow, off: []string{checkWorkflow, checkSigner}, set: build(func(b *provenancetest.Build) { b.Workflow = ".github/workflows/evil.yml" })},
		{name: "foreign reusable workflow", state: Mismatch, check: checkSigner, set: build(func(b *provenancetest.Build) {
			b.Signer = "https://github.com/evil/ci/.github/workflows/release.yml@refs/heads/main"
		})},
		{name: "foreign reusable workflow, hosted builder", state: Mismatch, check: checkSigner, set: build(func(b *provenancetest.Build) {
			b.Signer = "https://github.com/evil/ci/.github/workflows/release.yml@refs/heads/main"
		}), expect: func(e *Expectation) { e.Builder = builderGitHubHosted }},
		{name: "other signer workflow", state: Mismatch, check: checkSigner, expect: func(e *Expectation) {
			e.SignerWorkflow = "evil/evil/.github/workflows/release.yml"
		}},
		{name: "signer workflow at another tag", state: Mismatch, check: checkSigner, expect: func(e *Expectation) {
			e.SignerWorkflow = "acme/tool/.github/workflows/release.yml@refs/tags/v1.2.4"
		}},
		{name: "foreign reusable workflow, own one expected to sign", state: Mismatch, check: checkSigner, set: build(func(b *provenancetest.Build) {
			b.Signer = "https://github.com/evil/ci/.github/workflows/release.yml@refs/heads/main"
		}), expect: func(e *Expectation) {
			e.Workflow, e.SignerWorkflow = "", "acme/tool/.github/workflows/release.yml"
		}},
		{name: "workflow's file name goes on behind an @", state: Mismatch, check: checkWorkflow, off: []string{checkWorkflow, checkSigner}, set: build(func(b *provenancetest.Build) {
			b.Workflow = ".github/workflows/release.yml@evil.yml"
		})},
		{name: "workflow's file name and the predicate's differ behind an @", state: Invalid, check: checkClaimWorkflow, off: []string{checkClaimWorkflow, checkWorkflow, checkSigner}, set: build(func(b *provenancetest.Build) {
			b.Workflow = ".github/workflows/release.yml@evil.yml"
			b.Claim = func(b *provenancetest.Build) { b.Workflow = ".github/workflows/release.yml" }
		})},
		{name: "signer's file name goes on behind an @", state: Mismatch, check: checkSigner, set: build(func(b *provenancetest.Build) {
			b.Signer = "https://github.com/acme/tool/.github/workflows/release.yml@evil.yml@refs/tags/v1.2.3"
		}), expect: func(e *Expectation) {
			e.Workflow, e.SignerWorkflow = "", "acme/tool/.github/workflows/release.yml"
		}},
		{name: "workflow's ref can be read in two ways", state: Mismatch, check: checkWorkflow, off: []string{checkWorkflow, checkSigner}, expect: func(e *Expectation) { e.Ref = "" }, set: build(func(b *provenancetest.Build) {
			b.Ref = "refs/heads/x@refs/tags/v1"
		})},
		{name: "reusable builder's tag goes on behind an @", state: Mismatch, check: checkSigner, set: build(func(b *provenancetest.Build) {
			reusable(b)
			b.Signer = "https://github.com/builders/generator/.github/workflows/delegator.yml@refs/tags/v1.6.0@refs/heads/x"
		}), expect: func(e *Expectation) { e.Builder = reusableBuilder }},
		{name: "self-hosted under the short builder id, v0.2", state: Mismatch, check: checkBuilderRunner, set: build(func(b *provenancetest.Build) {
			b.SLSA02, b.Runner, b.Builder = true, "self-hosted", builderRunner
		}), expect: func(e *Expectation) { e.Builder, e.DenySelfHosted = builderRunner, false }},
		{name: "self-hosted under the short builder id, v1", state: Mismatch, check: checkBuilderRunner, set: build(func(b *provenancetest.Build) {
			b.Runner, b.Builder = "self-hosted", builderRunner
		}), expect: func(e *Expectation) { e.Builder, e.DenySelfHosted = builderRunner, false }},
		{name: "builder that no certificate confirms", state: Mismatch, check: checkBuilderRunner, set: build(func(b *provenancetest.Build) {
			b.Builder = "https://github.com/npm/cli@9.x"
		}), expect: func(e *Expectation) { e.Builder = "https://github.com/npm/cli@9.x" }},
		{name: "other commit", state: Mismatch, check: checkCommit, expect: func(e *Expectation) { e.Digest = strings.Repeat("2", 40) }},
		{name: "other builder", state: Mismatch, check: checkBuilder, off: []string{checkBuilder, checkBuilderRunner}, expect: func(e *Expectation) { e.Builder = "https://github.com/actions/runner/other" }},
		{name: "other issuer for the host", state: Mismatch, check: checkIssuer, set: build(func(b *provenancetest.Build) { b.Issuer = "https://token.example" })},
		{name: "host without a known issuer", state: Mismatch, check: checkIssuer, set: build(func(b *provenancetest.Build) { b.Repository = "https://git.example/acme/tool" }), expect: func(e *Expectation) { e.Repo = "https://git.example/acme/tool" }},
		{name: "ids that an early certificate does not have", state: Mismatch, check: checkRepositoryID, note: "not certified", off: []string{checkRepositoryID, checkOwnerID, checkRunner}, set: build(func(b *provenancetest.Build) { b.Early = true })},
		{name: "runner that an early certificate does not have", state: Mismatch, check: checkRunner, note: "not certified", set: build(func(b *provenancetest.Build) { b.Early = true }), expect: func(e *Expectation) { e.RepositoryID, e.OwnerID = "", "" }},
	}
}

func TestAttacks(t *testing.T) {
	for _, a := range slices.Concat(attacks(), contradictions(), bundleAttacks()) {
		t.Run(a.name, func(t *testing.T) { a.run(t, honestSubject(), honestExpectation(), (*Verifier).Package) })
	}
}

// run judges the attack on a subject, of which much is expected.
func (a attack) run(t *testing.T, s Subject, e Expectation, judge func(*Verifier, Subject, Expectation, Set) Result) {
	t.Helper()
	if a.s != nil {
		a.s(&s)
	}
	if a.expect != nil {
		a.expect(&e)
	}
	if a.set == nil {
		a.set = a.honest
	}
	if a.set == nil {
		a.set = build(func(*provenancetest.Build) {})
	}
	if a.off == nil {
		a.off = []string{a.check}
	}
	material := ours(t).material
	if a.root != nil {
		material = a.root(t)
	}
	set := a.set(t)
	got := judge(verifier(t, material), s, e, set)
	if got.State != a.state {
		t.Fatalf("got %s (%s), want %s", got.State, got.Reason, a.state)
	}
	if first := firstFailed(got); first != a.check {
		t.Errorf("the first check that failed is %s (%s), want %s", first, got.Reason, a.check)
	}
	if !strings.Contains(got.Reason, a.note) || got.Reason == "" || got.Hint == "" {
		t.Errorf("reason %q, hint %q; want %q in it", got.Reason, got.Hint, a.note)
	}
	decides(t, a.off, func(off []string) Result {
		m := material
		if slices.Contains(off, trusted) {
			m = a.duped(t)
		}
		return judge(blinded(t, m, off), s, e, set)
	})
}

// TestHonest is the other half of the attacks: the same sets, unchanged, pass.
func TestHonest(t *testing.T) {
	v := verifier(t, ours(t).material)
	for name, c := range map[string]struct {
		build  func(b *provenancetest.Build)
		expect func(e *Expectation)
		state  State
	}{
		"as it should be":   {state: Verified},
		"SLSA v0.2":         {build: func(b *provenancetest.Build) { b.SLSA02 = true }, state: Verified},
		"nobody vouches":    {expect: func(e *Expectation) { *e = Expectation{} }, state: Unvouched},
		"git address":       {expect: func(e *Expectation) { e.Repo = "git+ssh://git@GitHub.com/acme/tool.git" }, state: Verified},
		"scp-like address":  {expect: func(e *Expectation) { e.Repo = "git@github.com:acme/tool.git" }, state: Verified},
		"any repository":    {expect: func(e *Expectation) { e.Repo = "https://github.com/acme/*" }, state: Verified},
		"ref over slashes":  {build: func(b *provenancetest.Build) { b.Ref = "refs/tags/v1/x" }, expect: func(e *Expectation) { e.Ref = "refs/**" }, state: Verified},
		"builder":           {expect: func(e *Expectation) { e.Builder = builderGitHubHosted }, state: Verified},
		"early certificate": {build: func(b *provenancetest.Build) { b.Early, b.SLSA02 = true, true }, expect: func(e *Expectation) { e.RepositoryID, e.OwnerID, e.DenySelfHosted = "", "", false }, state: Verified},
		"early, short builder": {build: func(b *provenancetest.Build) { b.Early, b.SLSA02, b.Builder = true, true, builderRunner }, expect: func(e *Expectation) {
			e.RepositoryID, e.OwnerID, e.DenySelfHosted, e.Builder = "", "", false, builderGitHubHosted
		}, state: Verified},
		"self-hosted builder": {build: func(b *provenancetest.Build) { b.Runner = "self-hosted" }, expect: func(e *Expectation) {
			e.DenySelfHosted, e.Builder = false, builderSelfHosted
		}, state: Verified},
		"signer workflow": {expect: func(e *Expectation) { e.SignerWorkflow = "acme/tool/.github/workflows/release.yml" }, state: Verified},
		"signer workflow with ref": {expect: func(e *Expectation) {
			e.SignerWorkflow = "github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1.2.3"
		}, state: Verified},
		"reusable signer workflow": {build: reusable, expect: func(e *Expectation) {
			e.SignerWorkflow = "https://github.com/builders/generator/.github/workflows/delegator.yml"
		}, state: Verified},
		"reusable, pinned by commit": {build: func(b *provenancetest.Build) {
			b.Signer = "https://github.com/acme/ci/.github/workflows/x.yml@" + strings.Repeat("0a", 20)
		}, expect: func(e *Expectation) { e.SignerWorkflow = "acme/ci/.github/workflows/x.yml" }, state: Verified},
		"tag with @":             {build: func(b *provenancetest.Build) { b.Ref = "refs/tags/@acme/tool@1.2.3" }, expect: func(e *Expectation) { e.Ref = "refs/tags/@acme/tool@*" }, state: Verified},
		"short builder, v0.2":    {build: func(b *provenancetest.Build) { b.SLSA02, b.Builder = true, builderRunner }, expect: func(e *Expectation) { e.Builder = builderGitHubHosted }, state: Verified},
		"GitHub builder, v0.2":   {build: func(b *provenancetest.Build) { b.SLSA02 = true }, expect: func(e *Expectation) { e.Builder = builderRunner }, state: Verified},
		"short builder, v1":      {build: func(b *provenancetest.Build) { b.Builder = builderRunner }, expect: func(e *Expectation) { e.Builder = builderGitHubHosted }, state: Mismatch},
		"reusable workflow":      {build: reusable, expect: func(e *Expectation) { e.Builder = reusableBuilder }, state: Verified},
		"reusable, other tag":    {build: reusable, expect: func(e *Expectation) { e.Builder = strings.Replace(reusableBuilder, "v1.6.0", "v1.6.1", 1) }, state: Mismatch},
		"GitLab":                 {build: gitlab, expect: gitlabExpected, state: Verified},
		"self-hosted is allowed": {build: func(b *provenancetest.Build) { b.Runner = "self-hosted" }, expect: func(e *Expectation) { e.DenySelfHosted = false }, state: Verified},
	} {
		t.Run(name, func(t *testing.T) {
			b, e := honest(), honestExpectation()
			if c.build != nil {
				c.build(&b)
			}
			if c.expect != nil {
				c.expect(&e)
			}
			got := v.Package(honestSubject(), e, signed(t, b))
			if got.State != c.state {
				t.Errorf("got %s (%s), want %s", got.State, got.Reason, c.state)
			}
		})
	}
}

const reusableBuilder = "https://github.com/builders/generator/.github/workflows/builder_nodejs.yml@refs/tags/v1.6.0"

func reusable(b *provenancetest.Build) {
	b.Builder = reusableBuilder
	b.Signer = "https://github.com/builders/generator/.github/workflows/delegator.yml@refs/tags/v1.6.0"
}

func gitlab(b *provenancetest.Build) {
	b.Repository, b.Issuer, b.Runner = "https://gitlab.com/acme/group/tool", IssuerGitLab, "gitlab-hosted"
	b.Workflow = "/.gitlab-ci.yml" // GitLab writes a second slash before the path
	b.SLSA02, b.Builder = true, "https://gitlab.com/acme/group/tool/-/runners/12"
}

func gitlabExpected(e *Expectation) {
	e.Repo, e.Workflow = "https://gitlab.com/acme/group/tool", ".gitlab-ci.yml"
}

func firstFailed(r Result) string {
	for _, c := range r.Checks {
		if !c.OK {
			return c.Name
		}
	}
	return ""
}

// TestImpostor: a stranger's package with flawless provenance from his own
// repository. Nothing in it is wrong, so only somebody else's word can help.
func TestImpostor(t *testing.T) {
	b := provenancetest.Build{Package: "postmark-mcp", Version: "1.0.16", SHA512: someSHA512, Repository: "https://github.com/stranger/postmark-mcp"}
	s := Subject{Ecosystem: sbom.NPM, Name: b.Package, Version: b.Version}
	v := verifier(t, ours(t).material)
	got := v.Package(s, Expectation{}, signed(t, b))
	if got.State != Unvouched || got.Source.URI != b.Repository || firstFailed(got) != "" {
		t.Errorf("without an expectation: %s (%s), source %q", got.State, got.Reason, got.Source.URI)
	}
	if got.DigestFrom != "publish-attestation" {
		t.Errorf("digest from %q", got.DigestFrom)
	}
	got = v.Package(s, Expectation{From: "catalog", Repo: "https://github.com/ActiveCampaign/postmark-mcp"}, signed(t, b))
	if got.State != Mismatch {
		t.Errorf("with the vendor's repository expected: %s (%s)", got.State, got.Reason)
	}
}

func TestOtherAttestations(t *testing.T) {
	set := signed(t, honest())
	other := statements(nil, swap(typeSLSA1, "https://example.com/review/v1"))(t)
	set.Attestations = append(set.Attestations, other.Attestations[1])
	got := verifier(t, ours(t).material).Package(honestSubject(), honestExpectation(), set)
	named := slices.ContainsFunc(got.Checks, func(c Check) bool {
		return c.Name == checkOther && c.OK && c.Actual == "https://example.com/review/v1"
	})
	if got.State != Verified || !named {
		t.Errorf("got %s (%s); other attestation recorded: %t", got.State, got.Reason, named)
	}
}

func TestWithoutAttestations(t *testing.T) {
	v := verifier(t, ours(t).material)
	nothing := statements(nil, swap(typeSLSA1, "https://example.com/review/v1"))(t)
	nothing.Attestations = nothing.Attestations[1:]
	half := signed(t, honest())
	half.Attestations = half.Attestations[:1]
	weak := func(s *Subject) { s.Digests = []Digest{{Algorithm: "sha1", Value: "00"}} }
	for _, c := range []struct {
		name  string
		s     func(*Subject)
		set   Set
		state State
	}{
		{"none", nil, Set{Availability: None}, Absent},
		{"nothing of the set", nil, nothing, Absent},
		{"found, but empty", nil, Set{Availability: Found}, Absent},
		{"unreachable", nil, Set{Availability: Unreachable, Reason: "no network"}, Unavailable},
		{"no support", nil, Set{Availability: NoSupport}, Stripped},
		{"unknown word", nil, Set{Availability: "perhaps"}, Unavailable},
		{"zero set", nil, Set{}, Unavailable},
		{"unsupported", func(s *Subject) { s.Unsupported = "a local path" }, Set{Availability: Found}, Unsupported},
		{"other ecosystem", func(s *Subject) { s.Ecosystem = sbom.PyPI }, signed(t, honest()), Unsupported},
		{"no version", func(s *Subject) { s.Version = "" }, signed(t, honest()), Unsupported},
		{"sha1 only", weak, signed(t, honest()), Unsupported},
		{"sha1 only, other source", weak, build(func(b *provenancetest.Build) { b.Repository = "https://github.com/evil/tool" })(t), Mismatch},
		{"sha1 only, half a set", weak, half, Invalid},
		{"sha1 only, unreachable", weak, Set{Availability: Unreachable}, Unavailable},
		{"sha1 only, none", weak, Set{Availability: None}, Absent},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := honestSubject()
			if c.s != nil {
				c.s(&s)
			}
			got := v.Package(s, honestExpectation(), c.set)
			if got.State != c.state || got.Reason == "" || got.Hint == "" {
				t.Errorf("got %s (%q, hint %q), want %s", got.State, got.Reason, got.Hint, c.state)
			}
		})
	}
}

// TestForeignTextIsBounded: nothing that a stranger signed makes a result grow.
func TestForeignTextIsBounded(t *testing.T) {
	long := strings.Repeat("é", 4000)
	b := honest()
	b.Ref, b.Trigger, b.Builder, b.RepositoryID = "refs/heads/"+long, long, long, long
	b.Registry = "https://" + long
	got := verifier(t, ours(t).material).Package(honestSubject(), honestExpectation(), signed(t, b))
	if got.State != Invalid {
		t.Fatalf("got %s (%s)", got.State, got.Reason)
	}
	text := must(json.Marshal(got))
	for field := range strings.SplitSeq(string(text), `"`) {
		if len(field) > MaxText {
			t.Errorf("a field has %d bytes: %.60s…", len(field), field)
		}
	}
}
