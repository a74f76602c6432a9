package provenance

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"countermark/sbom/lazyregexp"

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

// certify reads the certificate of a verified bundle. One that says a thing twice
// and differently could be read as either, so it holds for neither.
// A bundle without one certifies nothing.
func (v *verdict) certify(o *opened, s *certificate.Summary) certified {
	if s == nil {
		s = &certificate.Summary{}
	}
	if err := o.consistent(s); err != nil {
		v.hold(check{name: checkCertificate, actual: oneLine(err), what: "the certificate cannot be read in one way", hint: hintPublish})
	}
	return readCertificate(s)
}

// consistent compares what a certificate says in its early extensions with what
// it says in the later ones. Fulcio takes both from one token.
func (o *opened) consistent(s *certificate.Summary) error {
	content, err := o.bundle.VerificationContent()
	if err != nil {
		return err
	}
	leaf := content.Certificate()
	if leaf == nil {
		return errors.New("it is missing")
	}
	if n := len(leaf.URIs) + len(leaf.EmailAddresses) + len(leaf.DNSNames) + len(leaf.IPAddresses); n > 1 {
		return fmt.Errorf("it has %d subject alternative names", n)
	}
	if issuer, ok := otherIssuer(leaf, s.Issuer); ok {
		return fmt.Errorf("its issuer is %q and %q", clip(issuer), clip(s.Issuer))
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(s.SourceRepositoryURI, "https://"), "/")
	pairs := []struct{ what, early, later string }{
		{"trigger", s.GithubWorkflowTrigger, s.BuildTrigger},
		{"commit", s.GithubWorkflowSHA, s.SourceRepositoryDigest},
		{"ref", s.GithubWorkflowRef, s.SourceRepositoryRef},
		{"repository", s.GithubWorkflowRepository, path},
	}
	if s.Issuer == IssuerGitHub || s.Issuer == IssuerGitLab {
		pairs = append(pairs, struct{ what, early, later string }{"signer", s.SubjectAlternativeName, s.BuildSignerURI})
	}
	for _, p := range pairs {
		if p.early != "" && p.later != "" && p.early != p.later {
			return fmt.Errorf("its %s is %q and %q", p.what, clip(p.early), clip(p.later))
		}
	}
	return nil
}

// otherIssuer returns an issuer of the certificate that is not the given one: 1.1
// holds it as it is, 1.8 as a DER string.
func otherIssuer(leaf *x509.Certificate, issuer string) (string, bool) {
	for _, x := range leaf.Extensions {
		found := issuer
		switch {
		case x.Id.Equal(certificate.OIDIssuer): //nolint:staticcheck // early certificates have no other
			found = string(x.Value)
		case x.Id.Equal(certificate.OIDIssuerV2):
			if err := certificate.ParseDERString(x.Value, &found); err != nil {
				return "", true
			}
		}
		if found != issuer {
			return found, true
		}
	}
	return "", false
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
var commitID = lazyregexp.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

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
	runs         []string // as URLs, or as the run's number with that of its attempt
	material     source   // the first thing that went into the build
}

// source is a repository at a commit, as a predicate names what was built from.
type source struct{ repository, ref, commit string }

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
		runs:         []string{p.text("runDetails", "metadata", "invocationId")},
		material:     readMaterial(p.list("buildDefinition", "resolvedDependencies"), "gitCommit"),
	}
	if deps := p.list("buildDefinition", "resolvedDependencies"); len(deps) > 0 {
		first, _ := deps[0].(object)
		c.commit = first.text("digest", "gitCommit")
		if uri, ref := splitRef(first.text("uri")); c.repository == "" {
			c.repository, c.ref = uri, ref
		}
	}
	return c
}

func readSLSA02(p object) claimed {
	config := p.object("invocation", "configSource")
	environment := p.object("invocation", "environment")
	gitlab := p.object("invocation", "parameters") // where npm puts GitLab's variables
	repository, ref := splitRef(config.text("uri"))
	c := claimed{
		builder:      p.text("builder", "id"),
		repository:   repository,
		ref:          ref,
		commit:       config.text("digest", "sha1"),
		workflow:     entryPoint(config.text("entryPoint"), repository, ref),
		trigger:      cmp.Or(environment.text("GITHUB_EVENT_NAME"), gitlab.text("CI_PIPELINE_SOURCE")),
		repositoryID: cmp.Or(environment.text("GITHUB_REPOSITORY_ID"), gitlab.text("CI_PROJECT_ID")),
		ownerID:      environment.text("GITHUB_REPOSITORY_OWNER_ID"),
		runs:         []string{p.text("metadata", "buildInvocationId"), p.text("metadata", "buildInvocationID")},
		material:     readMaterial(p.list("materials"), "sha1"),
	}
	if id, attempt := environment.text("GITHUB_RUN_ID"), environment.text("GITHUB_RUN_ATTEMPT"); id != "" && attempt != "" {
		c.runs = append(c.runs, id+"-"+attempt)
	}
	return c
}

// entryPoint returns the path of a workflow. npm 9.4 wrote it as the certificate
// does, OWNER/NAME/PATH@REF; what is around the path has to be the very repository
// and ref of the source, else all of it stays and matches no certificate.
func entryPoint(text, repository, ref string) string {
	u, err := url.Parse(repository)
	if err != nil || ref == "" || strings.Trim(u.Path, "/") == "" {
		return text
	}
	path, own := strings.CutPrefix(text, strings.Trim(u.Path, "/")+"/")
	path, same := strings.CutSuffix(path, "@"+ref)
	if !own || !same {
		return text
	}
	return path
}

// readMaterial reads the first of a build's materials, which is its source where
// it is a git repository.
func readMaterial(list []any, algorithm string) source {
	if len(list) == 0 {
		return source{}
	}
	first, _ := list[0].(object)
	if !strings.HasPrefix(first.text("uri"), "git+") {
		return source{}
	}
	repository, ref := splitRef(first.text("uri"))
	return source{repository, ref, first.text("digest", algorithm)}
}

// runURL returns the address of a run at GitHub, for which SLSA v0.2 and GitHub's
// builders write its number and that of its attempt. Other names of runs are
// compared with nothing.
func runURL(repository, run string) string {
	if strings.HasPrefix(run, "https://") {
		return run
	}
	if m := numberedRun.FindStringSubmatch(run); m != nil {
		return repository + "/actions/runs/" + m[1] + "/attempts/" + m[2]
	}
	return ""
}

var numberedRun = lazyregexp.New(`^([0-9]+)-([0-9]+)$`)

// splitRef splits git+https://host/owner/name@refs/tags/v1. A tag may hold another
// @, as those of @scope/name@1.2.3 do; a repository holds none before refs. Some
// builders write the ref as a fragment, #refs/tags/v1 or #v1, as git URLs of npm
// have it.
func splitRef(uri string) (repository, ref string) {
	uri = strings.TrimPrefix(uri, "git+")
	if repository, ref, ok := strings.Cut(uri, "@refs/"); ok {
		return repository, "refs/" + ref
	}
	repository, ref, _ = strings.Cut(uri, "#")
	return repository, ref
}

// fullRef writes out a predicate's ref that is short, or names the commit, where
// that is what the certificate says.
func (c certified) fullRef(claim string) string {
	switch {
	case strings.HasPrefix(claim, "refs/"):
	case claim != "" && claim == c.commit, "refs/tags/"+claim == c.ref, "refs/heads/"+claim == c.ref:
		return c.ref
	}
	return claim
}
