package provenance

import (
	"strings"
	"testing"

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
