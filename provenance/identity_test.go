package provenance

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"countermark/provenance/provenancetest"
)

// TestBuilderIDs judges builder ids as slsa-verifier does.
func TestBuilderIDs(t *testing.T) {
	const (
		workflow  = "https://github.com/builders/generator/.github/workflows/builder_nodejs.yml"
		delegator = "https://github.com/builders/generator/.github/workflows/delegator.yml"
	)
	hosted := func(slsa02 bool, builder string) func(*provenancetest.Build) {
		return func(b *provenancetest.Build) { b.SLSA02, b.Builder = slsa02, builder }
	}
	at := func(ref string) func(*provenancetest.Build) {
		return func(b *provenancetest.Build) { b.Builder, b.Signer = workflow+"@"+ref, delegator+"@"+ref }
	}
	commit := strings.Repeat("0a", 20)
	for _, c := range []struct {
		name  string
		build func(*provenancetest.Build)
		want  string
		check string // that refuses it; empty where it is verified
	}{
		{"v0.2, short is hosted", hosted(true, builderRunner), builderGitHubHosted, ""},
		{"v0.2, hosted is short", hosted(true, builderGitHubHosted), builderRunner, ""},
		{"v0.2, short", hosted(true, builderRunner), builderRunner, ""},
		{"v0.2, hosted", hosted(true, builderGitHubHosted), builderGitHubHosted, ""},
		{"v0.2, self-hosted", hosted(true, builderGitHubHosted), builderSelfHosted, checkBuilder},
		{"v0.2, longer", hosted(true, builderRunner), builderRunner + "2", checkBuilder},
		{"v0.2, slash", hosted(true, builderRunner), builderRunner + "/", checkBuilder},
		{"v1, hosted", hosted(false, builderGitHubHosted), builderGitHubHosted, ""},
		{"v1, hosted is not short", hosted(false, builderGitHubHosted), builderRunner, checkBuilder},
		{"v1, short is not hosted", hosted(false, builderRunner), builderGitHubHosted, checkBuilder},
		{"v1, longer", hosted(false, builderGitHubHosted), builderGitHubHosted + "2", checkBuilder},
		{"v1, with a tag", hosted(false, builderGitHubHosted), builderGitHubHosted + "@v1", checkBuilder},
		{"unknown", hosted(false, "https://builder.example/"), "https://builder.example/", checkBuilderRunner},
		{"npm's command line", hosted(true, "https://github.com/npm/cli@9.5.0"), "https://github.com/npm/cli@9.5.0", checkBuilderRunner},
		{"a reusable one is not the runner", at("refs/tags/v1.6.0"), builderGitHubHosted, checkBuilder},

		{"tag", at("refs/tags/v1.6.0"), workflow + "@refs/tags/v1.6.0", ""},
		{"tag's name", at("refs/tags/v1.6.0"), workflow + "@v1.6.0", ""},
		{"no tag", at("refs/tags/v1.6.0"), workflow, ""},
		{"commit", at(commit), workflow + "@" + commit, ""},
		{"branch", at("refs/heads/main"), workflow + "@refs/heads/main", ""},
		{"another tag", at("refs/tags/v1.6.0"), workflow + "@refs/tags/v1.6.1", checkBuilder},
		{"another tag's name", at("refs/tags/v1.6.0"), workflow + "@v1.6", checkBuilder},
		{"branch as a tag's name", at("refs/heads/v1.6.0"), workflow + "@v1.6.0", checkBuilder},
		{"no tag, branch", at("refs/heads/main"), workflow, checkBuilder},
		{"no tag, commit", at(commit), workflow, checkBuilder},
		{"no tag, pre-release", at("refs/tags/v1.6.0-rc.1"), workflow, checkBuilder},
		{"no tag, moving tag", at("refs/tags/v1"), workflow, checkBuilder},
		{"empty tag", at("refs/tags/v1.6.0"), workflow + "@", checkBuilder},
		{"another workflow", at("refs/tags/v1.6.0"), strings.Replace(workflow, "nodejs", "node", 1), checkBuilder},
		{"another owner", at("refs/tags/v1.6.0"), strings.Replace(workflow, "builders", "builder", 1), checkBuilder},
		{"signed at another tag", func(b *provenancetest.Build) {
			b.Builder, b.Signer = workflow+"@refs/tags/v1.6.0", delegator+"@refs/tags/v1.5.0"
		}, workflow, checkSigner},
		{"signed by its caller", func(b *provenancetest.Build) {
			b.Builder = strings.Replace(workflow, "builders/generator", "acme/tool", 1) + "@refs/tags/v1.6.0"
		}, strings.Replace(workflow, "builders/generator", "acme/tool", 1), checkSigner},
		{"on a self-hosted runner", func(b *provenancetest.Build) {
			at("refs/tags/v1.6.0")(b)
			b.Runner = "self-hosted"
		}, workflow, checkBuilderRunner},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := honest()
			c.build(&b)
			e := honestExpectation()
			e.Builder, e.Workflow, e.DenySelfHosted = c.want, "", false
			got := verifier(t, ours(t).material).Package(honestSubject(), e, signed(t, b))
			want := Verified
			if c.check != "" {
				want = Mismatch
			}
			if got.State != want || firstFailed(got) != c.check {
				t.Errorf("got %s, failed %q (%s)", got.State, firstFailed(got), got.Reason)
			}
		})
	}
}

// TestForeignProvenance has a provenance that its signer wrote of a build that is
// not its own. Who asks for the signer gets an answer; who asks where it was
// built, and takes the statement for it, must not.
func TestForeignProvenance(t *testing.T) {
	b := honest()
	b.Claim = func(b *provenancetest.Build) {
		b.Repository, b.Builder = "https://github.com/evil/tool", "https://github.com/evil/tool/.github/workflows/x.yml@refs/heads/x"
	}
	bundle := []Attestation{{Bundle: must(ours(t).Provenance(b))}}
	signer := b.Identity()
	named := Identity{Certificate: signer.SAN, Issuer: IssuerGitHub}
	sourced, typed, worked := named, named, named
	sourced.Source.Repo = b.Repository
	typed.PredicateType = typeSLSA1
	worked.SignerWorkflow = "acme/tool/.github/workflows/release.yml"
	for name, c := range map[string]struct {
		id    Identity
		state State
	}{
		"signer":             {named, Verified},
		"source":             {sourced, Invalid},
		"kind of provenance": {typed, Invalid},
		"signer's workflow":  {worked, Invalid},
	} {
		got := must(verifier(t, ours(t).material).Artifact(Artifact{Digest: Digest{"sha512", someSHA512}}, bundle, c.id))
		if got.State != c.state || got.State == Verified && got.Builder != "" {
			t.Errorf("%s: got %s (%s), builder %q", name, got.State, got.Reason, got.Builder)
		}
	}
}

// TestClaims has predicates that say something else than the certificate in a
// place where not every builder says it.
func TestClaims(t *testing.T) {
	gitlab := func(b *provenancetest.Build) { gitlab(b); b.Ref = "refs/heads/main" }
	slsa02 := func(b *provenancetest.Build) { b.SLSA02 = true }
	for _, c := range []struct {
		name     string
		build    func(*provenancetest.Build)
		old, new string // in the statement
		check    string // that refuses it; empty where nothing does
	}{
		{"v1, unchanged", nil, "", "", ""},
		{"v1, material of another repository", nil, "git+https://github.com/acme/tool@", "git+https://github.com/evil/tool@", checkClaimRepository},
		{"v1, material at another ref", nil, "tool@refs/tags/v1.2.3", "tool@refs/heads/evil", checkClaimRef},
		{"v1, material without a ref", nil, "tool@refs/tags/v1.2.3", "tool", ""},
		{"v1, material that is no repository", nil, "git+https://github.com/acme/tool@refs/tags/v1.2.3", "pkg:docker/debian@12", ""},
		{"v1, run by its numbers", nil, "https://github.com/acme/tool/actions/runs/42/attempts/1", "42-1", ""},
		{"v1, another attempt by its numbers", nil, "https://github.com/acme/tool/actions/runs/42/attempts/1", "42-2", checkClaimRun},
		{"v1, run of another form", nil, "https://github.com/acme/tool/actions/runs/42/attempts/1", "some build", ""},
		{"v0.2, unchanged", slsa02, "", "", ""},
		{"v0.2, material of another repository", slsa02, `"materials":[{"digest":{"sha1":"` + claimedCommit + `"},"uri":"git+https://github.com/acme/`, `"materials":[{"digest":{"sha1":"` + claimedCommit + `"},"uri":"git+https://github.com/evil/`, checkClaimRepository},
		{"v0.2, material at another commit", slsa02, `"materials":[{"digest":{"sha1":"c`, `"materials":[{"digest":{"sha1":"0`, checkClaimCommit},
		{"v0.2, another attempt", slsa02, `"GITHUB_RUN_ATTEMPT":"1"`, `"GITHUB_RUN_ATTEMPT":"2"`, checkClaimRun},
		{"v0.2, another run", slsa02, `"invocation":{`, `"metadata":{"buildInvocationId":"43-1"},"invocation":{`, checkClaimRun},
		{"v0.2, another run, spelt as in-toto does", slsa02, `"invocation":{`, `"metadata":{"buildInvocationID":"43-1"},"invocation":{`, checkClaimRun},
		{"v0.2, the same run", slsa02, `"invocation":{`, `"metadata":{"buildInvocationId":"42-1"},"invocation":{`, ""},
		{"v0.2, a tag with @", func(b *provenancetest.Build) { b.SLSA02, b.Ref = true, "refs/tags/@acme/tool@1.2.3" }, "", "", ""},
		{"GitLab, unchanged", gitlab, "", "", ""},
		{"GitLab, runner of another project", gitlab, "https://gitlab.com/acme/group/tool/-/runners", "https://gitlab.com/evil/tool/-/runners", checkClaimBuilder},
		{"GitLab, another job", gitlab, `"invocation":{`, `"metadata":{"buildInvocationId":"https://gitlab.com/acme/group/tool/-/jobs/1"},"invocation":{`, checkClaimRun},
		{"GitLab, another trigger", gitlab, `"environment":{"GITHUB_EVENT_NAME":"push",`, `"parameters":{"CI_PIPELINE_SOURCE":"merge_request_event"},"environment":{`, checkClaimTrigger},
		{"GitLab, the same trigger", gitlab, `"environment":{"GITHUB_EVENT_NAME":"push",`, `"parameters":{"CI_PIPELINE_SOURCE":"push"},"environment":{`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := honest()
			if c.build != nil {
				c.build(&b)
			}
			statement := must(b.ProvenanceStatement())
			if !bytes.Contains(statement, []byte(c.old)) {
				t.Fatalf("%s is not in %s", c.old, statement)
			}
			statement = bytes.Replace(statement, []byte(c.old), []byte(c.new), 1)
			set := setOf(t, must(ours(t).Publish(b)), must(ours(t).Sign(statement, b.Identity())))
			got := verifier(t, ours(t).material).Package(honestSubject(), Expectation{Repo: b.Repository}, set)
			want := Verified
			if c.check != "" {
				want = Invalid
			}
			if got.State != want || firstFailed(got) != c.check {
				t.Errorf("got %s, failed %q (%s)", got.State, firstFailed(got), got.Reason)
			}
		})
	}
}

var claimedCommit = strings.Repeat("c0ffee00", 5)

// TestStrangersTrigger has a build that a stranger's pull request started, at the
// ref of a release.
func TestStrangersTrigger(t *testing.T) {
	for trigger, want := range map[string]State{"": Mismatch, "pull_request_target": Verified, "push": Mismatch} {
		b := honest()
		b.Trigger = "pull_request_target"
		got := verifier(t, ours(t).material).Package(honestSubject(), Expectation{Repo: b.Repository, Trigger: trigger}, signed(t, b))
		if got.State != want || want == Mismatch && firstFailed(got) != checkTrigger {
			t.Errorf("expected %q: got %s (%s)", trigger, got.State, got.Reason)
		}
	}
}

// TestPullRequests has builds of what nobody merged. They are no source unless
// somebody asks for them.
func TestPullRequests(t *testing.T) {
	for _, c := range []struct {
		ref, want string
		state     State
	}{
		{"refs/pull/7/merge", "", Mismatch},
		{"refs/pull/7/head", "refs/tags/**", Mismatch},
		{"refs/merge-requests/7/head", "", Mismatch},
		{"refs/pull/7/merge", "refs/pull/*/merge", Verified},
		{"refs/heads/refs/pull/7", "", Verified},
	} {
		b := honest()
		b.Ref = c.ref
		got := verifier(t, ours(t).material).Package(honestSubject(), Expectation{Repo: b.Repository, Ref: c.want}, signed(t, b))
		if got.State != c.state || c.state == Mismatch && firstFailed(got) != checkRef {
			t.Errorf("%s, expected %q: got %s (%s)", c.ref, c.want, got.State, got.Reason)
		}
	}
}

// TestContradictions has certificates whose early and later extensions differ.
func TestContradictions(t *testing.T) {
	v := verifier(t, ours(t).material)
	for name, change := range map[string]func(e *certificate.Extensions){
		"repository":       func(e *certificate.Extensions) { e.GithubWorkflowRepository = "evil/tool" },
		"repository's end": func(e *certificate.Extensions) { e.GithubWorkflowRepository = "tool" },
		"ref":              func(e *certificate.Extensions) { e.GithubWorkflowRef = "refs/heads/main" },
		"commit":           func(e *certificate.Extensions) { e.GithubWorkflowSHA = strings.Repeat("1", 40) },
		"trigger":          func(e *certificate.Extensions) { e.GithubWorkflowTrigger = "release" },
		"signer": func(e *certificate.Extensions) {
			e.BuildSignerURI = "https://github.com/evil/tool/.github/workflows/x.yml@refs/heads/x"
		},
	} {
		b := honest()
		as := b.Identity()
		change(&as.Extensions)
		provenance := must(ours(t).Sign(must(b.ProvenanceStatement()), as))
		got := v.Package(honestSubject(), honestExpectation(), setOf(t, must(ours(t).Publish(b)), provenance))
		if got.State != Invalid || firstFailed(got) != checkCertificate {
			t.Errorf("%s: got %s, failed %q (%s)", name, got.State, firstFailed(got), got.Reason)
		}
		id := Identity{Certificate: as.SAN, Issuer: IssuerGitHub}
		got = must(v.Artifact(Artifact{Digest: Digest{"sha512", someSHA512}}, []Attestation{{Bundle: provenance}}, id))
		if got.State != Invalid || firstFailed(got) != checkCertificate {
			t.Errorf("%s, as a file: got %s, failed %q (%s)", name, got.State, firstFailed(got), got.Reason)
		}
		blind := must(NewVerifier(ours(t).material))
		blind.skip = map[string]bool{checkCertificate: true}
		if got := blind.Package(honestSubject(), honestExpectation(), setOf(t, must(ours(t).Publish(b)), provenance)); name != "repository" && got.State != Verified {
			t.Errorf("%s, without the check: got %s (%s)", name, got.State, got.Reason)
		}
	}
}

func TestOtherIssuer(t *testing.T) {
	der := must(asn1.MarshalWithParams("https://issuer.example", "utf8"))
	for name, c := range map[string]struct {
		raw   string
		der   []byte
		other bool
	}{
		"both":         {"https://issuer.example", der, false},
		"none":         {"", nil, false},
		"early":        {"https://issuer.example", nil, false},
		"later":        {"", der, false},
		"early other":  {"https://evil.example", der, true},
		"DER as early": {string(der), der, true},
		"raw as later": {"https://issuer.example", []byte("https://issuer.example"), true},
	} {
		leaf := &x509.Certificate{}
		for id, value := range map[string][]byte{"1": []byte(c.raw), "8": c.der} {
			if len(value) > 0 {
				oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, int(id[0] - '0')}
				leaf.Extensions = append(leaf.Extensions, pkix.Extension{Id: oid, Value: value})
			}
		}
		if found, other := otherIssuer(leaf, "https://issuer.example"); other != c.other {
			t.Errorf("%s: got %q, %t", name, found, other)
		}
	}
}

// TestRefAsFragment: some builders of SLSA v0.2 write the ref behind a #.
func TestRefAsFragment(t *testing.T) {
	b := honest()
	b.SLSA02 = true
	for fragment, state := range map[string]State{
		"@refs/tags/v1.2.3": Verified, "#refs/tags/v1.2.3": Verified, "#v1.2.3": Verified, "": Verified, "#": Verified,
		"#" + strings.Repeat("c0ffee00", 5): Verified,
		"#refs/tags/v1.2.4":                 Invalid, "#v1.2.4": Invalid, "#main": Invalid, "#refs/heads/v1.2.3": Invalid, "#" + strings.Repeat("1", 40): Invalid,
		"#v1.2.3#v1.2.3": Invalid, "#refs/heads/x@refs/tags/v1.2.3": Invalid, "@refs/tags/v1.2.3#v1.2.3": Invalid,
	} {
		statement := strings.ReplaceAll(string(must(b.ProvenanceStatement())), "@refs/tags/v1.2.3", fragment)
		set := setOf(t, must(ours(t).Publish(b)), must(ours(t).Sign([]byte(statement), b.Identity())))
		if got := verifier(t, ours(t).material).Package(honestSubject(), honestExpectation(), set); got.State != state {
			t.Errorf("%q: %s (%s), want %s", fragment, got.State, got.Reason, state)
		}
	}
	statement := strings.ReplaceAll(string(must(b.ProvenanceStatement())), "https://github.com/acme/tool@refs", "https://github.com/evil/tool#refs")
	set := setOf(t, must(ours(t).Publish(b)), must(ours(t).Sign([]byte(statement), b.Identity())))
	if got := verifier(t, ours(t).material).Package(honestSubject(), honestExpectation(), set); got.State != Invalid || firstFailed(got) != checkClaimRepository {
		t.Errorf("another repository before the fragment: %s (%s)", got.State, got.Reason)
	}
}

// npm 9.4 wrote the entry point as the certificate has it. Only the repository and
// ref of the source itself may stand around the path.
func TestEntryPoint(t *testing.T) {
	const repository, ref, path = "https://github.com/acme/tool", "refs/tags/v1.0.0", ".github/workflows/publish.yml"
	tests := []struct{ name, text, repository, ref, want string }{
		{"a path", path, repository, ref, path},
		{"as the certificate has it", "acme/tool/" + path + "@" + ref, repository, ref, path},
		{"another repository", "evil/tool/" + path + "@" + ref, repository, ref, "evil/tool/" + path + "@" + ref},
		{"a repository of another case", "Acme/tool/" + path + "@" + ref, repository, ref, "Acme/tool/" + path + "@" + ref},
		{"another ref", "acme/tool/" + path + "@refs/heads/main", repository, ref, "acme/tool/" + path + "@refs/heads/main"},
		{"no ref", "acme/tool/" + path, repository, ref, "acme/tool/" + path},
		{"a path and a ref", path + "@" + ref, repository, ref, path + "@" + ref},
		{"a source without ref", "acme/tool/" + path + "@", repository, "", "acme/tool/" + path + "@"},
		{"a source without path", "/" + path + "@" + ref, "https://github.com", ref, "/" + path + "@" + ref},
	}
	for _, tt := range tests {
		if got := entryPoint(tt.text, tt.repository, tt.ref); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
