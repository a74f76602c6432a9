package provenance

import (
	"regexp"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
)

// certified is what a Fulcio certificate says of the build, in one form for old
// and new certificates. Empty fields are not certified. The object ids of
// https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md stand behind
// each, below 1.3.6.1.4.1.57264.
type certified struct {
	issuer       string // 1.8, else 1.1
	signer       string // the subject alternative name: the workflow that signed
	repository   string // 1.12, else 1.5
	repositoryID string // 1.15
	ownerID      string // 1.17
	ref          string // 1.14, else 1.6
	commit       string // 1.13, else 1.3
	workflow     string // path in the repository: 1.18, else the signer where it is of that repository
	trigger      string // 1.20, else 1.2
	runner       string // 1.11
	run          string // 1.21
	early        bool   // only the extensions of early 2023 are there
}

// readCertificate brings a certificate's extensions into one form. Certificates
// of early 2023 have only 1.1 to 1.6, in which GitHub's names stand without a
// host: they count for GitHub's issuer only.
func readCertificate(s *certificate.Summary) certified {
	c := certified{
		issuer:       s.Issuer,
		signer:       s.SubjectAlternativeName,
		repository:   s.SourceRepositoryURI,
		repositoryID: s.SourceRepositoryIdentifier,
		ownerID:      s.SourceRepositoryOwnerIdentifier,
		ref:          s.SourceRepositoryRef,
		commit:       s.SourceRepositoryDigest,
		trigger:      s.BuildTrigger,
		runner:       s.RunnerEnvironment,
		run:          s.RunInvocationURI,
	}
	if c.repository == "" && s.GithubWorkflowRepository != "" && c.issuer == IssuerGitHub {
		c.early = true
		c.repository = "https://github.com/" + s.GithubWorkflowRepository
		c.ref = s.GithubWorkflowRef
		c.commit = s.GithubWorkflowSHA
		c.trigger = s.GithubWorkflowTrigger
	}
	config := s.BuildConfigURI
	if config == "" {
		config = c.signer
	}
	if path, ok := workflowOf(config, c.repository); ok {
		c.workflow = path
	}
	return c
}

// workflowOf returns the path of a workflow in its repository, given its URI:
// https://host/owner/name/PATH@ref at GitHub, and with a second slash before the
// path at GitLab. A workflow of another repository has no path in this one.
func workflowOf(uri, repository string) (path string, ok bool) {
	if repository == "" {
		return "", false
	}
	rest, ok := strings.CutPrefix(uri, repository+"/")
	if !ok {
		return "", false
	}
	path, _, ok = splitWorkflow(strings.TrimPrefix(rest, "/"))
	return path, ok
}

// splitWorkflow splits a workflow's URI or path from the ref behind it:
// PATH@refs/tags/v1, or PATH@ and a commit. Whoever signs chooses the names of
// his files and refs, and both may hold an @. So what could be split in two ways
// is refused.
func splitWorkflow(uri string) (path, ref string, ok bool) {
	const mark = "@refs/"
	at := strings.Index(uri, mark)
	if at < 0 {
		at = strings.LastIndex(uri, "@")
		if at < 0 || !commitID.MatchString(uri[at+1:]) {
			return "", "", false
		}
	}
	if at == 0 || strings.Contains(uri[at+1:], mark) {
		return "", "", false
	}
	return uri[:at], uri[at+1:], true
}

// commitID is a git commit's name, in SHA-1 or SHA-256.
var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// claimed is what a provenance predicate says of the build. The workflow wrote
// it, so it is worth less than the certificate: where both say something, they
// have to agree.
type claimed struct {
	builder      string
	repository   string
	ref          string
	commit       string
	workflow     string
	trigger      string
	repositoryID string
	ownerID      string
	run          string
}

// The predicate types of npm's set.
const (
	typePublish = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
	typeSLSA02  = "https://slsa.dev/provenance/v0.2"
	typeSLSA1   = "https://slsa.dev/provenance/v1"
)

// OfNPMSet reports whether a predicate type is one of npm's set: a publish
// attestation or a provenance.
func OfNPMSet(predicateType string) bool {
	switch predicateType {
	case typePublish, typeSLSA02, typeSLSA1:
		return true
	}
	return false
}

// readPredicate reads a SLSA provenance predicate of either version
// (https://slsa.dev/spec/v0.2/provenance, https://slsa.dev/spec/v1.0/provenance)
// with the parameters that npm's command line and GitHub's builders put into it.
func readPredicate(predicateType string, p object) claimed {
	if predicateType == typeSLSA02 {
		return readSLSA02(p)
	}
	workflow := p.object("buildDefinition", "externalParameters", "workflow")
	github := p.object("buildDefinition", "internalParameters", "github")
	c := claimed{
		builder:      p.text("runDetails", "builder", "id"),
		repository:   workflow.text("repository"),
		ref:          workflow.text("ref"),
		workflow:     workflow.text("path"),
		trigger:      github.text("event_name"),
		repositoryID: github.text("repository_id"),
		ownerID:      github.text("repository_owner_id"),
		run:          p.text("runDetails", "metadata", "invocationId"),
	}
	if deps := p.list("buildDefinition", "resolvedDependencies"); len(deps) > 0 {
		source, _ := deps[0].(object)
		c.commit = source.text("digest", "gitCommit")
		if uri, ref := splitRef(source.text("uri")); c.repository == "" {
			c.repository, c.ref = uri, ref
		}
	}
	return c
}

func readSLSA02(p object) claimed {
	source := p.object("invocation", "configSource")
	environment := p.object("invocation", "environment")
	repository, ref := splitRef(source.text("uri"))
	c := claimed{
		builder:      p.text("builder", "id"),
		repository:   repository,
		ref:          ref,
		commit:       source.text("digest", "sha1"),
		workflow:     source.text("entryPoint"),
		trigger:      environment.text("GITHUB_EVENT_NAME"),
		repositoryID: environment.text("GITHUB_REPOSITORY_ID"),
		ownerID:      environment.text("GITHUB_REPOSITORY_OWNER_ID"),
	}
	if id, attempt := environment.text("GITHUB_RUN_ID"), environment.text("GITHUB_RUN_ATTEMPT"); id != "" && attempt != "" {
		c.run = repository + "/actions/runs/" + id + "/attempts/" + attempt
	}
	return c
}

// splitRef splits git+https://host/owner/name@refs/heads/main.
func splitRef(uri string) (repository, ref string) {
	at := strings.LastIndex(uri, "@")
	if at < 0 || !strings.HasPrefix(uri[at+1:], "refs/") {
		return strings.TrimPrefix(uri, "git+"), ""
	}
	return strings.TrimPrefix(uri[:at], "git+"), uri[at+1:]
}
