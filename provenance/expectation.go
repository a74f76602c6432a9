package provenance

import (
	"cmp"
	"strings"

	"countermark/sbom/lazyregexp"
)

const (
	hintSource  = "if the new source is right, change it in the policy; if you do not know it, do not install this version"
	hintPublish = "do not install this version; compare it with the registry's page, and report it to the registry if it differs"
)

// compare compares what is certified with what is expected.
func (v *verdict) compare(e Expectation, c certified, builders []string) {
	v.compareRepository(e, c)
	equal := func(name, what, want, have string) {
		if want != "" {
			v.demand(check{name: name, ok: want == have, expected: want, actual: have, what: what, hint: hintSource})
		}
	}
	numbered := func(name, what, want, have, note string) {
		if have == "" {
			note = ""
		}
		if want != "" {
			v.demand(check{name: name, ok: want == have, expected: want, actual: have, what: what, note: note, hint: hintSource})
		}
	}
	numbered(checkRepositoryID, "the source repository's id", e.RepositoryID, c.repositoryID, "an id survives renames, so it is another repository, whatever its name")
	numbered(checkOwnerID, "the source repository owner's id", e.OwnerID, c.ownerID, "an id survives renames, so it is another owner, whatever its name")
	switch {
	case e.Ref == "" && e.Repo != "" && ofRequest(c.ref):
		v.demand(check{
			name: checkRef, expected: "a branch or tag", actual: c.ref, what: "the source ref", note: "a pull request holds what nobody merged",
			hint: "name the ref if it is right: refs/pull/*/merge",
		})
	case e.Ref != "":
		v.demand(check{name: checkRef, ok: c.ref != "" && matchRef(e.Ref, c.ref), expected: e.Ref, actual: c.ref, what: "the source ref", hint: hintSource})
	}
	equal(checkCommit, "the source commit", strings.ToLower(e.Digest), strings.ToLower(c.commit))
	if e.Trigger == "" && e.Repo != "" && c.trigger == triggerStranger {
		v.demand(check{
			name: checkTrigger, expected: "another one", actual: c.trigger, what: "the build's trigger",
			note: "whoever opens a pull request starts such a build, at the base branch and with the right to sign for the repository",
			hint: "if it is right, name it in the policy (trigger: " + triggerStranger + "), or name who has to have signed with --certificate-identity",
		})
	}
	equal(checkTrigger, "the build's trigger", e.Trigger, c.trigger)
	v.compareWorkflow(e, c)
	if e.Builder != "" {
		v.compareBuilder(e, c, builders)
	}
	if e.DenySelfHosted {
		v.demand(check{
			name: checkRunner, ok: c.runner == "github-hosted" || c.runner == "gitlab-hosted", expected: "a hosted runner", actual: c.runner,
			what: "the build's runner", hint: "a self-hosted runner can be changed by whoever owns it; allow it only for a publisher that you trust with that",
		})
	}
}

// triggerStranger is GitHub's only trigger with which a stranger's pull request is
// built with the repository's own rights. Its ref is that of the base branch, so
// that no ref tells it from a release.
const triggerStranger = "pull_request_target"

// ofRequest reports whether a ref is of a pull request at GitHub or a merge
// request at GitLab: the repository certifies it, but others wrote what it holds.
func ofRequest(ref string) bool {
	return strings.HasPrefix(ref, "refs/pull/") || strings.HasPrefix(ref, "refs/merge-requests/")
}

func (v *verdict) compareRepository(e Expectation, c certified) {
	if e.Repo == "" {
		if e.Issuer != "" {
			v.demand(check{name: checkIssuer, ok: e.Issuer == c.issuer, expected: e.Issuer, actual: c.issuer, what: "the certificate's issuer", hint: hintSource})
		}
		return
	}
	want, err := ParseRepository(e.Repo)
	if err != nil {
		v.demand(check{name: checkRepository, expected: e.Repo, actual: c.repository, what: "the source repository", note: "the expected one cannot be used: " + err.Error(), hint: "write it as https://host/owner/name"})
		return
	}
	issuer := cmp.Or(e.Issuer, issuers[want.Host])
	if issuer == "" {
		v.demand(check{name: checkIssuer, expected: "an issuer for " + want.Host, actual: c.issuer, what: "the certificate's issuer", note: "only github.com and gitlab.com have one by default", hint: "name the OIDC issuer of that host beside the repository"})
	} else {
		v.demand(check{name: checkIssuer, ok: issuer == c.issuer, expected: issuer, actual: c.issuer, what: "the certificate's issuer", hint: hintSource})
	}
	found := check{name: checkRepository, expected: want.String(), actual: c.repository, what: "the source repository", hint: hintSource}
	have, err := ParseRepository(c.repository)
	switch {
	case c.repository == "":
	case err != nil:
		found.note = "the certified one cannot be compared: " + err.Error()
	default:
		found.ok, found.note = have.matches(want)
		found.actual = have.String()
	}
	// A pinned id says whether a difference is a rename. It is still a
	// difference: whoever pinned the name has to see it and write the new one.
	switch {
	case found.ok || found.note != "" || e.RepositoryID == "" || c.repositoryID == "":
	case e.RepositoryID == c.repositoryID:
		found.note = "the id " + e.RepositoryID + " is the same, so the repository was renamed or transferred"
		found.hint = "if the new name is right, write it into the policy"
	}
	v.demand(found)
}

// compareWorkflow compares the workflow that was started, and the one that
// signed. A workflow that is expected has to have signed by itself: a reusable
// one of somebody else signs only where the expectation names it, as the signer
// or as the builder.
func (v *verdict) compareWorkflow(e Expectation, c certified) {
	if want := e.SignerWorkflow; want != "" {
		v.demand(check{name: checkSigner, ok: signedBy(c.signer, want), expected: want, actual: c.signer, what: "the workflow that signed", hint: hintSource})
	}
	if e.Workflow == "" {
		return
	}
	v.demand(check{name: checkWorkflow, ok: c.workflow == e.Workflow, expected: e.Workflow, actual: c.workflow, what: "the build's workflow", hint: hintSource})
	if _, signs := workflowRepository(e.Builder); signs || e.SignerWorkflow != "" {
		return
	}
	path, _ := workflowOf(c.signer, c.repository)
	v.demand(check{
		name: checkSigner, ok: path == e.Workflow, expected: e.Workflow, actual: cmp.Or(path, c.signer), what: "the workflow that signed",
		hint: "if a reusable workflow may sign for it, name that as the builder",
	})
}

// signedBy compares a workflow as people write it with a certificate's signer,
// whose ref it need not name.
func signedBy(signer, want string) bool {
	want = strings.TrimPrefix(want, "https://")
	if strings.Count(strings.SplitN(want, "/.", 2)[0], "/") == 1 { // owner/name/.github/…
		want = "github.com/" + want
	}
	signer = strings.TrimPrefix(signer, "https://")
	if strings.Contains(want, "@") {
		return signer == want
	}
	path, _, ok := splitWorkflow(signer)
	return ok && path == want
}

// The builder ids of GitHub's runners. SLSA v0.2 provenance of npm's command
// line has the short one, which meant GitHub-hosted runners only.
const (
	builderRunner       = "https://github.com/actions/runner"
	builderGitHubHosted = "https://github.com/actions/runner/github-hosted"
	builderSelfHosted   = "https://github.com/actions/runner/self-hosted"
)

// builderNames returns the ids under which the builder of a predicate may be
// expected.
func builderNames(predicateType string, p claimed, c certified) []string {
	names := []string{p.builder}
	if predicateType == typeSLSA02 && c.runner != "self-hosted" {
		switch p.builder {
		case builderRunner:
			names = append(names, builderGitHubHosted)
		case builderGitHubHosted:
			names = append(names, builderRunner)
		}
	}
	return names
}

func (v *verdict) compareBuilder(e Expectation, c certified, names []string) {
	found := check{name: checkBuilder, expected: e.Builder, what: "the builder", hint: hintSource}
	for _, name := range names {
		found.actual = cmp.Or(found.actual, name)
		found.ok = found.ok || builderIs(name, e.Builder)
	}
	v.demand(found)
	// The predicate's builder is the build's own word, so it counts only as far as
	// the certificate confirms it.
	if repository, ok := workflowRepository(e.Builder); ok {
		v.compareReusable(repository, c, found.actual)
		return
	}
	runner, known := builderRunners[e.Builder]
	if !known {
		v.demand(check{
			name: checkBuilderRunner, expected: e.Builder, what: "the builder", note: "a certificate confirms GitHub's runners and reusable workflows only",
			hint: "name the workflow that has to have signed in place of the builder",
		})
		return
	}
	v.demand(check{
		name: checkBuilderRunner, ok: c.runner == runner || c.runner == "" && c.early && runner == "github-hosted",
		expected: runner, actual: c.runner, what: "the runner of the builder", hint: hintSource,
	})
}

// builderIs compares a builder id with the expected one, as slsa-verifier does: a
// reusable workflow may be expected without its ref, and is then any release of
// it, or with a tag's bare name.
func builderIs(name, want string) bool {
	if name == want {
		return true
	}
	if _, ok := workflowRepository(want); !ok {
		return false
	}
	path, ref, ok := splitWorkflow(name)
	if !ok {
		return false
	}
	if path == want {
		return releaseTag.MatchString(ref)
	}
	tag, tagged := strings.CutPrefix(ref, "refs/tags/")
	return tagged && path+"@"+tag == want
}

// releaseTag is a full version. Only such a tag stands for a release of a builder
// that is expected without its ref; a branch could be anything.
var releaseTag = lazyregexp.New(`^refs/tags/v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$`)

// compareReusable compares the signer with a builder that is a reusable workflow.
// It may sign by another workflow of its repository, at the same ref, and never
// on a machine that somebody else can change.
func (v *verdict) compareReusable(repository string, c certified, builder string) {
	_, ref, _ := splitWorkflow(builder)
	_, signedAt, _ := splitWorkflow(c.signer)
	v.demand(check{
		name: checkSigner, ok: ref != "" && strings.HasPrefix(c.signer, repository+"/") && signedAt == ref,
		expected: "a workflow of " + repository + " at " + cmp.Or(ref, "its ref"), actual: c.signer, what: "the workflow that signed", hint: hintSource,
	})
	v.demand(check{
		name: checkBuilderRunner, ok: c.runner != "self-hosted", expected: "a hosted runner", actual: c.runner, what: "the runner of the builder",
		hint: "a self-hosted runner can change what a reusable workflow does; name the workflow that signs in place of the builder if you trust its owner with that",
	})
}

// builderRunners says which runner a certificate has to name for a builder id.
// Early certificates name none, and their builds nothing but the short id.
var builderRunners = map[string]string{
	builderRunner:       "github-hosted",
	builderGitHubHosted: "github-hosted",
	builderSelfHosted:   "self-hosted",
}

// workflowRepository returns the repository of a GitHub workflow's URI.
func workflowRepository(uri string) (string, bool) {
	repository, _, ok := strings.Cut(uri, "/.github/workflows/")
	return repository, ok
}

// agree compares what the predicate claims with what the certificate says,
// where both say something.
func (v *verdict) agree(p claimed, c certified) {
	both := func(name, what, claim, certificate string) {
		if claim != "" && certificate != "" {
			v.hold(check{name: name, ok: claim == certificate, expected: certificate, actual: claim, what: what + " in the predicate", note: "the certificate says otherwise", hint: hintPublish})
		}
	}
	both(checkClaimRepository, "the source repository", normalRepository(p.repository, c.repository), normalRepository(c.repository, ""))
	both(checkClaimRef, "the source ref", c.fullRef(p.ref), c.ref)
	both(checkClaimCommit, "the source commit", p.commit, c.commit)
	if c.issuer == IssuerGitHub { // GitLab's entry point is the name of a job
		both(checkClaimWorkflow, "the workflow", p.workflow, c.workflow)
	}
	both(checkClaimTrigger, "the trigger", p.trigger, c.trigger)
	both(checkClaimRepoID, "the repository id", p.repositoryID, c.repositoryID)
	both(checkClaimOwnerID, "the owner id", p.ownerID, c.ownerID)
	for _, run := range p.runs {
		both(checkClaimRun, "the run", runURL(c.repository, run), c.run)
	}
	both(checkClaimRepository, "the first material", normalRepository(p.material.repository, c.repository), normalRepository(c.repository, ""))
	both(checkClaimRef, "the first material's ref", c.fullRef(p.material.ref), c.ref)
	both(checkClaimCommit, "the first material's commit", p.material.commit, c.commit)
	switch p.builder {
	case builderGitHubHosted:
		both(checkClaimBuilder, "the builder's runner", "github-hosted", c.runner)
	case builderSelfHosted:
		both(checkClaimBuilder, "the builder's runner", "self-hosted", c.runner)
	default:
		if repository, ok := workflowRepository(p.builder); ok {
			signer, _ := workflowRepository(c.signer)
			both(checkClaimBuilder, "the builder's repository", repository, signer)
		}
		if project, _, ok := strings.Cut(p.builder, "/-/runners/"); ok { // GitLab's
			both(checkClaimBuilder, "the builder's project", normalRepository(project, ""), normalRepository(c.repository, ""))
		}
	}
}

// normalRepository returns a repository in the form in which it is compared. A
// predicate may name it without its host, which is then that of the certified
// one. What is no repository stays as it is, and equals nothing else.
func normalRepository(raw, certified string) string {
	if raw == "" {
		return ""
	}
	if host, err := ParseRepository(certified); err == nil && strings.Count(raw, "/") == 1 && !strings.Contains(raw, ":") {
		raw = "https://" + host.Host + "/" + raw
	}
	r, err := ParseRepository(raw)
	if err != nil {
		return raw
	}
	return r.String()
}
