package provenance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
	"countermark/sbom"
)

var imageDigest = strings.Repeat("1a", 32)

func imageSubject() Subject {
	return Subject{
		Ecosystem: sbom.OCI, Name: "server", Version: "sha256:" + imageDigest, DigestFrom: "configuration",
		PURL:    "pkg:oci/server@sha256%3A" + imageDigest + "?repository_url=registry.example/acme/server",
		Digests: []Digest{{Algorithm: "sha256", Value: imageDigest}},
	}
}

func imageBuild() provenancetest.Build {
	return provenancetest.Build{Version: "1.0.0", Repository: "https://github.com/acme/server"}
}

// otherStatement signs a statement that says nothing of the origin.
func otherStatement(t *testing.T, predicateType string, as provenancetest.Signer) []byte {
	t.Helper()
	statement := must(json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": predicateType, "predicate": map[string]any{"spdxVersion": "SPDX-2.3"},
		"subject": []any{map[string]any{"name": "server", "digest": map[string]any{"sha256": imageDigest}}},
	}))
	return must(ours(t).Sign(statement, as))
}

func TestImage(t *testing.T) {
	s := ours(t)
	of := func(change func(b *provenancetest.Build)) []byte {
		b := imageBuild()
		if change != nil {
			change(&b)
		}
		return must(s.ProvenanceOf(b, "registry.example/acme/server", imageDigest))
	}
	good := of(nil)
	stranger := of(func(b *provenancetest.Build) { b.Repository = "https://github.com/mallory/server" })
	elsewhere := must(s.ProvenanceOf(imageBuild(), "registry.example/acme/server", strings.Repeat("2b", 32)))
	keyed := must(s.Sign(must(imageBuild().ProvenanceStatement()), provenancetest.Signer{Key: true}))
	impostor := must(must(s.Impostor(provenancetest.Fulcio)).ProvenanceOf(imageBuild(), "registry.example/acme/server", imageDigest))
	sbomOnly := otherStatement(t, "https://spdx.dev/Document/v2.3", imageBuild().Identity())
	signature := otherStatement(t, "https://sigstore.dev/cosign/sign/v1", imageBuild().Identity())
	plain := must(s.SignFile([]byte("server"), imageBuild().Identity()))
	expected := Expectation{From: "policy", Repo: "https://github.com/acme/server"}
	with := func(change func(e *Expectation)) Expectation {
		e := expected
		change(&e)
		return e
	}
	found := func(bundles ...[]byte) Set {
		set := Set{Availability: Found}
		for i, b := range bundles {
			set.Attestations = append(set.Attestations, Attestation{Bundle: b, From: fmt.Sprintf("registry.example/acme/server@%d", i)})
		}
		return set
	}
	partly := found(stranger)
	partly.Incomplete = "the registry lists an attestation that it does not have"
	partlyGood := found(good)
	partlyGood.Incomplete = partly.Incomplete
	nothingYet := found(sbomOnly)
	nothingYet.Incomplete = partly.Incomplete
	lied := found(good)
	lied.Attestations[0].ClaimedType = "https://spdx.dev/Document/v2.3"

	for _, c := range []struct {
		name   string
		set    Set
		e      Expectation
		change func(s *Subject)
		want   State
		reason string
		check  string // that has to have failed
	}{
		{name: "verified", set: found(good), e: expected, want: Verified},
		{name: "SLSA v0.2", set: found(of(func(b *provenancetest.Build) { b.SLSA02 = true })), e: expected, want: Verified},
		{name: "nobody vouches", set: found(good), want: Unvouched},
		{name: "every demand", set: found(good), want: Verified, e: with(func(e *Expectation) {
			e.Ref, e.Workflow, e.RepositoryID, e.OwnerID, e.Trigger, e.DenySelfHosted = "refs/tags/v*", ".github/workflows/release.yml", "1001", "2002", "push", true
		})},
		{name: "another source", set: found(stranger), e: expected, want: Mismatch, check: checkRepository},
		{name: "re-registered repository", set: found(good), e: with(func(e *Expectation) { e.RepositoryID = "7" }), want: Mismatch, check: checkRepositoryID},
		{name: "another ref", set: found(of(func(b *provenancetest.Build) { b.Ref = "refs/pull/1/merge" })), e: with(func(e *Expectation) { e.Ref = "refs/tags/v*" }), want: Mismatch, check: checkRef},
		{name: "another trigger", set: found(of(func(b *provenancetest.Build) { b.Trigger = "pull_request_target" })), e: with(func(e *Expectation) { e.Trigger = "push" }), want: Mismatch, check: checkTrigger},
		{name: "self-hosted", set: found(of(func(b *provenancetest.Build) { b.Runner = "self-hosted" })), e: with(func(e *Expectation) { e.DenySelfHosted = true }), want: Mismatch, check: checkRunner},
		{name: "foreign workflow", set: found(of(func(b *provenancetest.Build) {
			b.Signer = "https://github.com/mallory/x/.github/workflows/release.yml@refs/heads/main"
		})), e: with(func(e *Expectation) { e.Workflow = ".github/workflows/release.yml" }), want: Mismatch, check: checkSigner},
		{name: "predicate contradicts certificate", set: found(of(func(b *provenancetest.Build) {
			b.Claim = func(b *provenancetest.Build) { b.Commit = strings.Repeat("bad0", 10) }
		})), e: expected, want: Invalid, check: checkClaimCommit},
		{name: "another image", set: found(elsewhere), e: expected, want: Invalid, check: checkDigest},
		{name: "signed with a key", set: found(keyed), e: expected, want: Invalid, check: checkProvenanceCert},
		{name: "untrusted certificate", set: found(impostor), e: expected, want: Invalid, check: checkProvenanceSigned},
		{name: "changed", set: found(changed(t, good)), e: expected, want: Invalid},
		{name: "garbage", set: found([]byte("{")), e: expected, want: Invalid, check: checkReadable},
		{name: "the wrapper lies", set: lied, e: expected, want: Invalid, check: checkClaimedType},
		{name: "garbage beside", set: found([]byte("{"), impostor, elsewhere, good), e: expected, want: Verified},
		{name: "a stranger beside", set: found(stranger, good), e: expected, want: Verified},
		{name: "a stranger and garbage", set: found([]byte("{"), stranger), e: expected, want: Mismatch, reason: "none of 2 provenances holds; the nearest is registry.example/acme/server@1"},
		{name: "garbage, nobody vouches", set: found([]byte("{"), good), want: Unvouched},
		{name: "only an SBOM", set: found(sbomOnly), e: expected, want: Absent, reason: "https://spdx.dev/Document/v2.3"},
		{name: "only a signature", set: found(signature, plain), e: expected, want: Absent, reason: "https://sigstore.dev/cosign/sign/v1, a message signature"},
		{name: "an SBOM beside", set: found(sbomOnly, good), e: expected, want: Verified},
		{name: "partly fetched, a stranger", set: partly, e: expected, want: Mismatch, check: checkComplete},
		{name: "partly fetched, and enough", set: partlyGood, e: expected, want: Verified},
		{name: "partly fetched, nothing of the origin", set: nothingYet, e: expected, want: Unavailable, reason: "does not have"},
		{name: "nothing", set: Set{Availability: None}, e: expected, want: Absent, reason: "no attestations"},
		{name: "found nothing", set: Set{Availability: Found}, e: expected, want: Absent},
		{name: "no API", set: Set{Availability: NoSupport}, e: expected, want: Stripped},
		{name: "older form", set: Set{Availability: Unread}, e: expected, want: Unsupported},
		{name: "unreachable", set: Set{Availability: Unreachable}, e: expected, want: Unavailable},
		{name: "zero set", e: expected, want: Unavailable},
		{name: "a tag", set: found(good), e: expected, change: func(s *Subject) { s.Version, s.Digests = "latest", nil }, want: Unsupported},
		{name: "an npm package", set: found(good), e: expected, change: func(s *Subject) { s.Ecosystem = sbom.NPM }, want: Unsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			subject := imageSubject()
			if c.change != nil {
				c.change(&subject)
			}
			got := verifier(t, s.material).Image(subject, c.e, c.set)
			if got.State != c.want || !strings.Contains(got.Reason, c.reason) {
				t.Fatalf("got %s (%s), want %s (%s)", got.State, got.Reason, c.want, c.reason)
			}
			if got.State != Verified && (got.Reason == "" || got.Hint == "") {
				t.Errorf("%s without reason or hint: %+v", got.State, got)
			}
			if got.State == Verified && (got.Source.URI != "https://github.com/acme/server" || got.DigestFrom != "configuration" || got.LogIndex == 0) {
				t.Errorf("got %+v", got)
			}
			failed := false
			for _, check := range got.Checks {
				failed = failed || check.Name == c.check && !check.OK
			}
			if c.check != "" && !failed {
				t.Errorf("%s did not fail: %+v", c.check, got.Checks)
			}
		})
	}
}

// changed flips a letter of what is signed.
func changed(t *testing.T, bundle []byte) []byte {
	t.Helper()
	var b map[string]any
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	envelope, _ := b["dsseEnvelope"].(map[string]any)
	payload, _ := envelope["payload"].(string)
	envelope["payload"] = strings.Replace(payload, "a", "b", 1)
	return must(json.Marshal(b))
}

// imageExpectation is everything that can be expected of an image.
func imageExpectation() Expectation {
	e := honestExpectation()
	e.Repo, e.Digest, e.Builder = "https://github.com/acme/server", strings.Repeat("c0ffee00", 5), builderGitHubHosted
	return e
}

// imageSet is an image with one attestation.
func imageSet(bundle []byte) Set {
	return Set{Availability: Found, Attestations: []Attestation{{Bundle: bundle, From: "registry.example/acme/server"}}}
}

// imageOf builds the image otherwise.
func imageOf(change func(b *provenancetest.Build)) func(testing.TB) Set {
	return imageBy(change, nil, nil)
}

// imageBy builds, signs and alters it otherwise.
func imageBy(change func(b *provenancetest.Build), sign func(as *provenancetest.Signer), rewrite func(string) string) func(testing.TB) Set {
	return func(t testing.TB) Set {
		t.Helper()
		b := imageBuild()
		if change != nil {
			change(&b)
		}
		as := b.Identity()
		if sign != nil {
			sign(&as)
		}
		statement := must(b.StatementOf("registry.example/acme/server", imageDigest))
		if rewrite != nil {
			statement = []byte(rewrite(string(statement)))
		}
		return imageSet(must(ours(t).Sign(statement, as)))
	}
}

// TestImageAttacks does the same as TestAttacks for images.
func TestImageAttacks(t *testing.T) {
	if got := verifier(t, ours(t).material).Image(imageSubject(), imageExpectation(), imageOf(nil)(t)); got.State != Verified {
		t.Fatalf("the honest image is %s (%s)", got.State, got.Reason)
	}
	for _, a := range imageAttacks() {
		t.Run(a.name, func(t *testing.T) { a.run(t, imageSubject(), imageExpectation(), (*Verifier).Image) })
	}
}

func imageAttacks() []attack {
	keyed := slices.Concat([]string{checkProvenanceCert, library, checkBuilderRunner, checkCommit}, uncertified)
	list := []attack{
		// The attestation.
		{name: "another image's provenance", state: Invalid, check: checkDigest, off: []string{checkDigest, librarySignature}, set: func(t testing.TB) Set {
			t.Helper()
			return imageSet(must(ours(t).ProvenanceOf(imageBuild(), "registry.example/acme/server", strings.Repeat("2b", 32))))
		}},
		{name: "the pinned digest is another", state: Invalid, check: checkDigest, off: []string{checkDigest, librarySignature}, s: func(s *Subject) {
			s.Digests = []Digest{{"sha256", strings.Repeat("2b", 32)}}
		}},
		{name: "wrapper calls the provenance something else", state: Invalid, check: checkClaimedType, set: func(t testing.TB) Set {
			t.Helper()
			set := imageOf(nil)(t)
			set.Attestations[0].ClaimedType = "https://spdx.dev/Document/v2.3"
			return set
		}},
		{name: "repeated key in the statement", state: Invalid, check: checkReadable, set: imageBy(nil, nil, swap(`"subject":`, `"subject":[],"subject":`))},
		{name: "signed twice", state: Invalid, check: checkOneSignature, off: []string{checkOneSignature, librarySignature}, set: func(t testing.TB) Set {
			t.Helper()
			return imageSet(twice(t, imageOf(nil)(t).Attestations[0].Bundle))
		}},
		{name: "signed with the registry's key", state: Invalid, check: checkProvenanceCert, off: keyed, set: imageBy(nil, func(as *provenancetest.Signer) {
			*as = provenancetest.Signer{Key: true}
		}, nil)},
		{name: "signature names a key", state: Invalid, check: checkProvenanceCert, off: []string{checkProvenanceCert, librarySignature}, set: imageBy(nil, func(as *provenancetest.Signer) {
			as.KeyID = "SHA256:other"
		}, nil)},
		{name: "signature is by another key", state: Invalid, check: checkProvenanceSigned, off: []string{librarySignature}, set: imageBy(nil, func(as *provenancetest.Signer) { as.Forged = true }, nil)},
		{name: "not logged", state: Invalid, check: checkProvenanceSigned, off: []string{demandLog}, set: imageBy(nil, func(as *provenancetest.Signer) {
			stamped(as)
			as.Entry = provenancetest.NoEntry
		}, nil)},
		{name: "certificate unknown to the certificate log", state: Invalid, check: checkProvenanceSigned, off: []string{demandPromise}, set: imageBy(nil, func(as *provenancetest.Signer) { as.NoSCT = true }, nil)},
		{name: "stranger's certificate authority", state: Invalid, check: checkProvenanceSigned, off: []string{trusted}, set: func(t testing.TB) Set {
			t.Helper()
			return imageSet(must(impostor(t, provenancetest.Fulcio).ProvenanceOf(imageBuild(), "registry.example/acme/server", imageDigest)))
		}, duped: func(t testing.TB) *trust.Material {
			t.Helper()
			return believing(t, impostor(t, provenancetest.Fulcio))
		}},
		{name: "certificate says two refs", state: Invalid, check: checkCertificate, set: imageBy(nil, func(as *provenancetest.Signer) { as.Extensions.GithubWorkflowRef = "refs/heads/other" }, nil)},

		// Genuine, but not what is expected.
		{name: "fork", state: Mismatch, check: checkRepository, set: imageOf(func(b *provenancetest.Build) { b.Repository = "https://github.com/evil/server" })},
		{name: "renamed", state: Mismatch, check: checkRepository, note: "renamed", expect: func(e *Expectation) { e.Repo = "https://github.com/acme/old" }},
		{name: "re-registered", state: Mismatch, check: checkRepositoryID, set: imageOf(func(b *provenancetest.Build) { b.RepositoryID = "666" })},
		{name: "transferred", state: Mismatch, check: checkOwnerID, set: imageOf(func(b *provenancetest.Build) { b.OwnerID = "666" })},
		{name: "pull request's ref", state: Mismatch, check: checkRef, set: imageOf(func(b *provenancetest.Build) { b.Ref = "refs/pull/1/merge" })},
		{name: "pull request's ref, none expected", state: Mismatch, check: checkRef, expect: func(e *Expectation) { e.Ref = "" }, set: imageOf(func(b *provenancetest.Build) { b.Ref = "refs/pull/1/merge" })},
		{name: "pull request's trigger", state: Mismatch, check: checkTrigger, set: imageOf(func(b *provenancetest.Build) { b.Trigger = "pull_request_target" })},
		{name: "other commit", state: Mismatch, check: checkCommit, set: imageOf(func(b *provenancetest.Build) { b.Commit = strings.Repeat("1", 40) })},
		{name: "self-hosted runner", state: Mismatch, check: checkBuilder, off: []string{checkBuilder, checkBuilderRunner, checkRunner}, set: imageOf(func(b *provenancetest.Build) { b.Runner = "self-hosted" })},
		{name: "other workflow", state: Mismatch, check: checkWorkflow, off: []string{checkWorkflow, checkSigner}, set: imageOf(func(b *provenancetest.Build) { b.Workflow = ".github/workflows/evil.yml" })},
		{name: "foreign reusable workflow", state: Mismatch, check: checkSigner, set: imageOf(func(b *provenancetest.Build) {
			b.Signer = "https://github.com/evil/ci/.github/workflows/release.yml@refs/heads/main"
		})},
		{name: "other builder", state: Mismatch, check: checkBuilder, set: imageOf(func(b *provenancetest.Build) { b.Builder = "https://builder.example/" })},
		{name: "other issuer for the host", state: Mismatch, check: checkIssuer, set: imageOf(func(b *provenancetest.Build) { b.Issuer = "https://token.example" })},
	}
	for _, c := range contradicting {
		list = append(list, attack{
			name: "predicate contradicts the certificate: " + c.field, state: Invalid, check: c.off[0], off: c.off, set: imageOf(func(b *provenancetest.Build) { b.Claim = c.change }),
			expect: func(e *Expectation) { e.Builder = "" }, // only the predicate names it
		})
	}
	for i := range list {
		list[i].honest = imageOf(nil)
	}
	return list
}

// TestImageMany: one image's attestations are tried up to a limit, and then
// nothing is known.
func TestImageMany(t *testing.T) {
	set := Set{Availability: Found, Attestations: make([]Attestation, MaxArtifactBundles+1)}
	if got := verifier(t, ours(t).material).Image(imageSubject(), Expectation{}, set); got.State != Unavailable {
		t.Errorf("got %s", got.State)
	}
}

// TestLocalImage: local evidence is of an image by the digest that it signs.
func TestLocalImage(t *testing.T) {
	s := ours(t)
	good := must(s.ProvenanceOf(imageBuild(), "any-name", imageDigest))
	e := Expectation{From: "policy", Repo: "https://github.com/acme/server"}
	asked := sourceFunc(func(context.Context, Subject) (Set, error) { return Set{Availability: None}, nil })
	for _, c := range []struct {
		name  string
		files map[string][]byte
		next  Source
		want  State
	}{
		{"complete", map[string][]byte{"a.json": good}, asked, Verified},
		{"beside others", map[string][]byte{"a.json": good, "b.json": otherStatement(t, "https://spdx.dev/Document/v2.3", imageBuild().Identity())}, Offline{}, Verified},
		{"of another image", map[string][]byte{"a.json": must(s.ProvenanceOf(imageBuild(), "any-name", strings.Repeat("2b", 32)))}, Offline{}, Unavailable},
		{"no provenance, so the registry is asked", map[string][]byte{"b.json": otherStatement(t, "https://spdx.dev/Document/v2.3", imageBuild().Identity())}, asked, Absent},
		{"broken", map[string][]byte{"a.json": retyped(good)}, Offline{}, Invalid},
		{"broken beside a good one", map[string][]byte{"a.json": retyped(good), "b.json": good}, Offline{}, Verified},
	} {
		t.Run(c.name, func(t *testing.T) {
			local, _, err := openLocal([]string{write(t, c.files)})
			if err != nil {
				t.Fatal(err)
			}
			results := must(Run{Subjects: []Subject{imageSubject()}, Expect: func(Subject) Expectation { return e }, Source: Sources{sbom.OCI: Chain(local, c.next)}, Verifier: verifier(t, s.material)}.Results(t.Context()))
			if got := results[0]; got.State != c.want {
				t.Errorf("got %s (%s), want %s", got.State, got.Reason, c.want)
			}
		})
	}
}

// retyped makes a bundle that says of its statement that it is none.
func retyped(bundle []byte) []byte {
	return []byte(strings.Replace(string(bundle), "application/vnd.in-toto+json", "text/plain", 1))
}

func TestImageRepository(t *testing.T) {
	for _, raw := range []string{"node", "docker.io/node", "docker.io/library/node", "library/node", "index.docker.io/node", "registry-1.docker.io/library/node", "Docker.io/node"} {
		if got := ImageRepository(raw); got != "docker.io/library/node" {
			t.Errorf("%s is %s", raw, got)
		}
	}
	for raw, want := range map[string]string{
		"": "", "acme/tool": "docker.io/acme/tool", "docker.io/acme/tool": "docker.io/acme/tool", "ghcr.io/acme/tool": "ghcr.io/acme/tool",
		"localhost/tool": "localhost/tool", "localhost:5000/tool": "localhost:5000/tool", "registry.example/node": "registry.example/node",
	} {
		if got := ImageRepository(raw); got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
}
