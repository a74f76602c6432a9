package provenancetest

import (
	"encoding/json"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
)

// Registry is the registry that publishes, unless a Build names another.
const Registry = "https://registry.example/"

// Build is a package, and where it was built. Empty fields take what an honest
// release on GitHub would have; see [Build.Defaults].
type Build struct {
	Package  string // with its scope; mandatory
	Version  string // mandatory
	SHA512   string // of the tarball, in hex; mandatory
	Registry string

	Repository   string // https://host/owner/name; mandatory
	RepositoryID string
	OwnerID      string
	Ref          string
	Commit       string
	Workflow     string // path in the repository
	Trigger      string
	Runner       string
	Issuer       string
	Signer       string // URI of the workflow that signs; by default the build's own
	Builder      string // builder id in the predicate
	Run          string // number of the run
	SLSA02       bool   // SLSA v0.2 in place of v1
	Early        bool   // a certificate as in early 2023

	// Claim changes what the predicate says, after everything else is filled in.
	Claim func(b *Build)
}

// Defaults returns b with every empty field filled in.
func (b Build) Defaults() Build {
	set := func(field *string, value string) { *field = either(*field, value) }
	set(&b.Registry, Registry)
	set(&b.RepositoryID, "1001")
	set(&b.OwnerID, "2002")
	set(&b.Ref, "refs/tags/v"+b.Version)
	set(&b.Commit, strings.Repeat("c0ffee00", 5))
	set(&b.Workflow, ".github/workflows/release.yml")
	set(&b.Trigger, "push")
	set(&b.Runner, "github-hosted")
	set(&b.Issuer, "https://token.actions.githubusercontent.com")
	set(&b.Signer, b.workflowURI())
	set(&b.Run, "42")
	set(&b.Builder, "https://github.com/actions/runner/"+b.Runner)
	return b
}

func (b Build) workflowURI() string { return b.Repository + "/" + b.Workflow + "@" + b.Ref }

func (b Build) run() string { return b.Repository + "/actions/runs/" + b.Run + "/attempts/1" }

// Set signs npm's set for the build: the publish attestation and the provenance.
func (s *Sigstore) Set(b Build) (publish, provenance []byte, err error) {
	if publish, err = s.Publish(b); err != nil {
		return nil, nil, err
	}
	provenance, err = s.Provenance(b)
	return publish, provenance, err
}

// Publish signs the registry's publish attestation.
func (s *Sigstore) Publish(b Build) ([]byte, error) {
	statement, err := b.PublishStatement()
	if err != nil {
		return nil, err
	}
	return s.Sign(statement, Signer{Key: true})
}

// Provenance signs the build's provenance with a certificate for its workflow.
func (s *Sigstore) Provenance(b Build) ([]byte, error) {
	statement, err := b.ProvenanceStatement()
	if err != nil {
		return nil, err
	}
	return s.Sign(statement, b.Identity())
}

// ProvenanceOf signs the build's provenance of something that is no npm package:
// a file or a container image, with its SHA-256 in hex.
func (s *Sigstore) ProvenanceOf(b Build, name, sha256 string) ([]byte, error) {
	statement, err := b.StatementOf(name, sha256)
	if err != nil {
		return nil, err
	}
	return s.Sign(statement, b.Identity())
}

// StatementOf returns the statement of the provenance of something that is no npm
// package, with its SHA-256 in hex.
func (b Build) StatementOf(name, sha256 string) ([]byte, error) {
	statement, err := b.ProvenanceStatement()
	if err != nil {
		return nil, err
	}
	var parts map[string]any
	if err := json.Unmarshal(statement, &parts); err != nil {
		return nil, err
	}
	parts["subject"] = []any{map[string]any{"name": name, "digest": map[string]any{"sha256": sha256}}}
	return json.Marshal(parts)
}

// Identity returns the signer that the build's workflow is.
func (b Build) Identity() Signer {
	b = b.Defaults()
	as := Signer{SAN: b.Signer, Early: b.Early, Extensions: certificate.Extensions{
		Issuer: b.Issuer, BuildSignerURI: b.Signer, RunnerEnvironment: b.Runner,
		SourceRepositoryURI: b.Repository, SourceRepositoryDigest: b.Commit, SourceRepositoryRef: b.Ref,
		SourceRepositoryIdentifier: b.RepositoryID, SourceRepositoryOwnerIdentifier: b.OwnerID,
		BuildConfigURI: b.workflowURI(), BuildTrigger: b.Trigger, RunInvocationURI: b.run(),
	}}
	if name, ok := strings.CutPrefix(b.Repository, "https://github.com/"); ok {
		as.Extensions.GithubWorkflowRepository = name
		as.Extensions.GithubWorkflowRef = b.Ref
		as.Extensions.GithubWorkflowSHA = b.Commit
		as.Extensions.GithubWorkflowTrigger = b.Trigger
		as.Extensions.GithubWorkflowName = "Release"
	}
	return as
}

// PublishStatement returns the statement of the publish attestation.
func (b Build) PublishStatement() ([]byte, error) {
	b = b.Defaults()
	return b.statement("https://in-toto.io/Statement/v0.1", "https://github.com/npm/attestation/tree/main/specs/publish/v0.1",
		map[string]any{"name": b.Package, "version": b.Version, "registry": b.Registry})
}

// ProvenanceStatement returns the statement of the provenance.
func (b Build) ProvenanceStatement() ([]byte, error) {
	b = b.Defaults()
	if b.Claim != nil {
		b.Claim(&b)
	}
	source := "git+" + b.Repository + "@" + b.Ref
	if b.SLSA02 {
		return b.statement("https://in-toto.io/Statement/v0.1", "https://slsa.dev/provenance/v0.2", map[string]any{
			"buildType": "https://github.com/npm/cli/gha/v2",
			"builder":   map[string]any{"id": b.Builder},
			"invocation": map[string]any{
				"configSource": map[string]any{"uri": source, "digest": map[string]any{"sha1": b.Commit}, "entryPoint": b.Workflow},
				"environment": map[string]any{
					"GITHUB_EVENT_NAME": b.Trigger, "GITHUB_REPOSITORY_ID": b.RepositoryID, "GITHUB_REPOSITORY_OWNER_ID": b.OwnerID,
					"GITHUB_RUN_ID": b.Run, "GITHUB_RUN_ATTEMPT": "1",
				},
			},
			"materials": []any{map[string]any{"uri": source, "digest": map[string]any{"sha1": b.Commit}}},
		})
	}
	return b.statement("https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1", map[string]any{
		"buildDefinition": map[string]any{
			"buildType":            "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
			"externalParameters":   map[string]any{"workflow": map[string]any{"ref": b.Ref, "repository": b.Repository, "path": b.Workflow}},
			"internalParameters":   map[string]any{"github": map[string]any{"event_name": b.Trigger, "repository_id": b.RepositoryID, "repository_owner_id": b.OwnerID}},
			"resolvedDependencies": []any{map[string]any{"uri": source, "digest": map[string]any{"gitCommit": b.Commit}}},
		},
		"runDetails": map[string]any{"builder": map[string]any{"id": b.Builder}, "metadata": map[string]any{"invocationId": b.run()}},
	})
}

func (b Build) statement(statementType, predicateType string, predicate any) ([]byte, error) {
	return json.Marshal(map[string]any{
		"_type": statementType, "predicateType": predicateType, "predicate": predicate,
		"subject": []any{map[string]any{"name": b.PURL(), "digest": map[string]any{"sha512": b.SHA512}}},
	})
}

// PURL returns the package URL under which npm attests the build.
func (b Build) PURL() string {
	return "pkg:npm/" + strings.Replace(b.Package, "@", "%40", 1) + "@" + b.Version
}
