package policy

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"countermark/policy/advisory"
	"countermark/policy/catalog"
	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/sbom"
	"countermark/sbom/bom"
	"countermark/sbom/lazyregexp"
	"countermark/sbom/node"
)

// manifestRequests returns the requests of manifests that are not one version.
func manifestRequests(c *sbom.Component) []string {
	var out []string
	for _, p := range c.Properties {
		if p.Name == node.PropertyRequest && !exactVersion(p.Value) {
			out = append(out, p.Value)
		}
	}
	return out
}

// https://semver.org, with the "=" and "v" that npm ignores.
var exactForm = lazyregexp.New(`^[=v]{0,2}\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

func exactVersion(request string) bool { return exactForm.MatchString(strings.TrimSpace(request)) }

// title is a component's name and version for a message.
func title(c *sbom.Component) string {
	if c.Version == "" {
		return named(nameOf(c))
	}
	return named(nameOf(c)) + " " + named(c.Version)
}

func withoutAdvisories(e *evaluation) string {
	if e.facts.Advisories == nil {
		return "no list of malicious versions is loaded"
	}
	return ""
}

func withoutCatalog(e *evaluation) string {
	if e.facts.Catalog == nil {
		return "no catalogue of official sources is loaded"
	}
	return ""
}

// revoke comes before replacing a malicious package: what it could read is gone.
const revoke = "treat every credential that it could reach as stolen"

func findMalicious(e *evaluation, _ *Rule, report func(hit)) {
	for _, c := range e.packages {
		if c.Version != "" {
			if found := malicious(e.facts.Advisories.Affecting(c.Ecosystem, c.Name, c.Version)); len(found) > 0 {
				report(hit{
					component: c, first: revoke,
					message: fmt.Sprintf("%s is known to be malicious (%s)", title(c), advisoryIDs(found)),
				})
			}
			continue
		}
		e.findSelectable(c, report)
	}
}

// findSelectable judges each request for a package of which no version is
// pinned, where it stands.
func (e *evaluation) findSelectable(c *sbom.Component, report func(hit)) {
	requests := e.requests[c.Ref]
	if len(requests) == 0 {
		requests = []request{{}}
	}
	seen := map[string]bool{}
	for _, r := range requests {
		found := malicious(e.facts.Advisories.Selectable(c.Ecosystem, c.Name, r.text))
		if len(found) == 0 || seen[r.text] {
			continue
		}
		seen[r.text] = true
		report(hit{
			component: c, server: r.server, first: revoke, detail: r.text,
			message: fmt.Sprintf("%s could select a version of %s that is known to be malicious (%s)", requestWords(r.text), named(c.Name), advisoryIDs(found)),
		})
	}
}

// malicious leaves out vulnerabilities, which are another rule's.
func malicious(found []advisory.Advisory) []advisory.Advisory {
	return slices.DeleteFunc(found, func(a advisory.Advisory) bool { return !a.Malicious })
}

func requestWords(request string) string {
	if request == "" {
		return "a launch without a version"
	}
	return fmt.Sprintf("the request %q", request)
}

func advisoryIDs(found []advisory.Advisory) string {
	ids := make([]string, len(found))
	for i, a := range found {
		ids[i] = a.ID
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ", ")
}

// isSubject reports whether provenance can be asked of the package itself. What
// is bundled is part of another package's tarball, and proven with it.
func (e *evaluation) isSubject(c *sbom.Component) bool {
	return e.results[c.Ref] != nil || !c.Bundled
}

func findUnvouched(e *evaluation, _ *Rule, report func(hit)) {
	for _, c := range e.packages {
		if c.Source == sbom.FromFile || !e.isSubject(c) || e.vouched(c) {
			continue
		}
		h := hit{component: c, message: fmt.Sprintf("nobody but %s itself says where it should come from", title(c))}
		if r := e.results[c.Ref]; r != nil {
			h.actual = r.Source.URI
		}
		if name := nameOf(c); plainName(name) && patternForm.MatchString(name) {
			if prefix, ok := patternPrefix(c.Ecosystem); ok {
				h.fix = fmt.Sprintf(`find out who should publish it, then name the repository under sources in %s: "%s:%s": {repo: https://HOST/OWNER/NAME}`, FileName, prefix, name)
			}
		}
		report(h)
	}
}

// vouched reports whether the policy or the catalogue names the source of a
// package. What comes straight from a repository is vouched for by whoever names
// that repository, under whichever name.
func (e *evaluation) vouched(c *sbom.Component) bool {
	if e.expect(subjectOf(c)).Repo != "" {
		return true // findMismatch compares it
	}
	if c.Source != sbom.FromGit {
		return false
	}
	for i := range e.policy.sources {
		if fetches(c.Resolved, e.policy.sources[i].Repo) {
			return true
		}
	}
	if e.facts.Catalog == nil {
		return false
	}
	for entry := range e.facts.Catalog.All() {
		if fetches(c.Resolved, entry.Repository) {
			return true
		}
	}
	return false
}

func patternPrefix(ecosystem sbom.Ecosystem) (string, bool) {
	for prefix, e := range patternEcosystems {
		if e == ecosystem {
			return prefix, true
		}
	}
	return "", false
}

func subjectOf(c *sbom.Component) provenance.Subject {
	return provenance.Subject{Ref: c.Ref, PURL: c.PURL, Ecosystem: c.Ecosystem, Name: c.Name, Version: c.Version}
}

// ruleOf says by which rule a state is judged; Unvouched and Verified have
// none of their own. A state that is not listed is judged like Invalid.
var ruleOf = map[provenance.State]string{
	provenance.Invalid:     "provenance-invalid",
	provenance.Mismatch:    "source-mismatch",
	provenance.Unavailable: "provenance-unavailable",
	provenance.Stripped:    "provenance-unavailable",
	provenance.Lost:        "provenance-lost",
	provenance.Absent:      "provenance-missing",
	provenance.Unsupported: "provenance-unsupported",
	provenance.Unvouched:   "",
	provenance.Verified:    "",
}

// findState finds the packages whose state belongs to the rule. A package that
// nobody asked about is as unknown as one about which nobody could be asked.
func findState(e *evaluation, rule *Rule, report func(hit)) {
	for _, c := range e.packages {
		r := e.results[c.Ref]
		if r == nil {
			if unasked(c) == rule.Name {
				report(hit{component: c, message: title(c) + ": its provenance was not checked"})
			}
			continue
		}
		name, known := ruleOf[r.State]
		if !known {
			name = ruleOf[provenance.Invalid]
		}
		if name != rule.Name || r.SignatureAlone() {
			continue // what only the registry's signature says is signature-invalid
		}
		h := hit{component: c, message: title(c) + ": " + cmp.Or(r.Reason, rule.Summary), fix: r.Hint, expected: r.ExpectedRepo, actual: r.Source.URI}
		if i := slices.IndexFunc(r.Checks, func(c provenance.Check) bool { return !c.OK }); i >= 0 {
			h.expected, h.actual = r.Checks[i].Expected, r.Checks[i].Actual
		}
		report(h)
	}
}

// findMismatch finds the packages in that state, and those that are fetched from
// another repository than the expected one: nothing is signed there, but the
// address itself says it.
func findMismatch(e *evaluation, rule *Rule, report func(hit)) {
	findState(e, rule, report)
	for _, c := range e.packages {
		want := e.expect(subjectOf(c)).Repo
		if c.Source != sbom.FromGit || want == "" || fetches(c.Resolved, want) {
			continue
		}
		report(hit{
			component: c, expected: want, actual: c.Resolved, detail: "git",
			message: fmt.Sprintf("%s is fetched from another repository than the expected %s", title(c), want),
		})
	}
}

// unasked is the rule for a package without a result.
func unasked(c *sbom.Component) string {
	switch {
	case c.Bundled:
		return ""
	case c.Ecosystem != sbom.NPM || c.Version == "" || c.Source == sbom.FromFile || c.Source == sbom.FromGit:
		return "provenance-unsupported"
	default:
		return "provenance-unavailable"
	}
}

// findImpersonation reports what findOfficial found.
func findImpersonation(e *evaluation, _ *Rule, report func(hit)) {
	for _, c := range e.packages {
		entry, ok := e.official[c.Ref]
		if !ok {
			continue
		}
		h := hit{
			component: c, expected: entry.Repository,
			message: fmt.Sprintf("%s looks like %s of %s, whose official source is %s; nothing proves that it comes from there", title(c), entry.Name, entry.Vendor, entry.Repository),
		}
		if r := e.results[c.Ref]; r != nil {
			h.actual = r.Source.URI
		}
		report(h)
	}
}

// resembles returns the entry of the catalogue that a package could be mistaken
// for, unless it is proven to come from that entry's source, or from one that
// the policy names for this very package.
func (e *evaluation) resembles(c *sbom.Component) (catalog.Entry, bool) {
	entries := e.facts.Catalog.Lookalikes(c.Ecosystem, nameOf(c), c.Origin.Has(sbom.OriginMCP) || c.Origin.Has(sbom.OriginScript))
	if len(entries) == 0 {
		return catalog.Entry{}, false
	}
	r := e.results[c.Ref]
	verified := r != nil && r.State == provenance.Verified
	if verified && r.ExpectedFrom == "policy" && e.policy.namesExactly(c.Ecosystem, nameOf(c)) {
		return catalog.Entry{}, false
	}
	for _, entry := range entries {
		if verified && fetches(r.Source.URI, entry.Repository) {
			return catalog.Entry{}, false
		}
		if c.Source == sbom.FromGit && fetches(c.Resolved, entry.Repository) {
			return catalog.Entry{}, false
		}
	}
	return entries[0], true
}

// nameOf is the name that patterns and the catalogue know.
func nameOf(c *sbom.Component) string { return packageName(c.Ecosystem, c.Name, c.PURL) }

// fetches reports whether a git URL, over a transport that proves the host, is
// that of a repository https://host/owner/name, in which a * is one segment.
// Letter case is no difference on the hosts that people use.
func fetches(git, repository string) bool {
	git, _, _ = strings.Cut(git, "#")
	scheme, rest, ok := strings.Cut(strings.TrimPrefix(git, "git+"), "://")
	if !ok || (scheme != "https" && scheme != "ssh") {
		return false
	}
	host, repo, _ := strings.Cut(rest, "/")
	host = host[strings.LastIndex(host, "@")+1:]
	repo, _, _ = strings.Cut(repo, "@") // pip writes the ref behind it
	have := strings.Split(host+"/"+strings.TrimSuffix(strings.TrimSuffix(repo, "/"), ".git"), "/")
	want := strings.Split(strings.TrimPrefix(repository, "https://"), "/")
	return slices.EqualFunc(have, want, func(h, w string) bool {
		return repoSegment.MatchString(strings.ReplaceAll(h, ":", "")) && h != ".." && (w == "*" || strings.EqualFold(h, w))
	})
}

// officialFix says what to use instead of an impostor. It never names another
// version of the impostor.
func officialFix(entry catalog.Entry) string {
	use := fmt.Sprintf("%s's own repository, %s (nothing of it is published as a package)", entry.Vendor, entry.Repository)
	if entry.Published() {
		use = fmt.Sprintf("the official package %s:%s of %s", entry.Ecosystem, entry.Package, entry.Repository)
	}
	return fmt.Sprintf("remove it and use %s; only if you know who publishes this package, name its repository under sources in %s", use, FileName)
}

func findNoIntegrity(e *evaluation, _ *Rule, report func(hit)) {
	documents := e.documents()
	for _, c := range e.packages {
		// A version that nothing names has no bytes to record: that is
		// version-floating.
		if c.Ecosystem != sbom.NPM || c.Version == "" || len(c.Hashes) > 0 || c.Bundled || heldByYarn(c, documents) {
			continue
		}
		h := hit{component: c, message: fmt.Sprintf("nothing records which bytes %s has", title(c))}
		if says(c, node.PropertyYarnConditions) {
			h.fix = "list its system under supportedArchitectures in .yarnrc.yml and run `yarn install`, which then records its checksum"
		}
		switch c.Source {
		case sbom.FromLink, sbom.FromParent:
			continue // a folder has no bytes to record; what is in a tarball is covered by that one's hash
		case sbom.FromFile:
			if !tarballFile(c.Resolved) {
				continue // a folder, too
			}
		case sbom.FromGit:
			h.what = CaseGit
			h.fix = "use a published version where there is one; a git dependency is held only by its commit"
		default:
			if describedOnly(c, documents) {
				h.message = fmt.Sprintf("no lockfile records which bytes %s has, and the hashes of a bill of materials are claims", title(c))
				h.fix = "check the lockfile from which the document was made, instead of the document; to judge what only a document says, set this rule to warn in " + FileName
			}
		}
		if c.Origin == sbom.OriginMCP && h.fix == "" {
			h.fix = "install the server into a project with a lockfile, and start it from there"
		}
		report(h)
	}
}

// heldByYarn reports whether yarn has a checksum of the archive into which it packs the
// package again, and so installs no other bytes. What a document says of that is a claim.
func heldByYarn(c *sbom.Component, documents map[string]bool) bool {
	return says(c, node.PropertyYarnChecksum) && !slices.ContainsFunc(c.Occurrences, func(o sbom.Occurrence) bool { return documents[o.Path] })
}

func says(c *sbom.Component, property string) bool {
	return slices.ContainsFunc(c.Properties, func(p sbom.Property) bool { return p.Name == property })
}

// documents are the paths of the bills of materials among the inputs.
func (e *evaluation) documents() map[string]bool {
	paths := map[string]bool{}
	for _, in := range e.facts.Inventory.Inputs {
		if in.Kind == bom.KindCycloneDXJSON || in.Kind == bom.KindCycloneDXXML {
			paths[in.Path] = true
		}
	}
	return paths
}

// describedOnly reports whether nothing but documents tells of a component.
func describedOnly(c *sbom.Component, documents map[string]bool) bool {
	return len(c.Occurrences) > 0 && !slices.ContainsFunc(c.Occurrences, func(o sbom.Occurrence) bool { return !documents[o.Path] })
}

// tarballFile reports whether a local dependency is a tarball, as npm tells by
// its name.
func tarballFile(resolved string) bool {
	resolved = strings.ToLower(resolved)
	return strings.HasSuffix(resolved, ".tgz") || strings.HasSuffix(resolved, ".tar.gz") || strings.HasSuffix(resolved, ".tar")
}

func findConflict(e *evaluation, _ *Rule, report func(hit)) {
	for _, c := range e.packages {
		other := e.components[c.Conflict]
		// Two requests that no lockfile pins are not two records of one version.
		if c.Conflict == "" || c.Version == "" && len(c.Hashes) == 0 {
			continue
		}
		h := hit{component: c, message: fmt.Sprintf("%s is recorded elsewhere with different bytes or another source", title(c)), actual: originOf(c)}
		if other != nil {
			h.expected = originOf(other)
			if len(other.Occurrences) > 0 {
				h.message = fmt.Sprintf("%s is recorded in %s with different bytes or another source", title(c), named(other.Occurrences[0].Path))
			}
		}
		report(h)
	}
}

// originOf is what tells two components of one purl apart.
func originOf(c *sbom.Component) string {
	parts := []string{string(c.Source)}
	if c.Resolved != "" {
		parts = append(parts, c.Resolved)
	}
	for _, h := range c.Hashes {
		parts = append(parts, h.Algorithm+":"+h.Value)
	}
	return strings.Join(parts, " ")
}

func findOtherName(e *evaluation, _ *Rule, report func(hit)) {
	trusted := e.registries()
	for _, c := range e.packages {
		if c.Ecosystem != sbom.NPM || c.Resolved == "" || (c.Source != sbom.FromRegistry && c.Source != sbom.FromTarball) {
			continue
		}
		d := distribution(c)
		h := hit{component: c, expected: c.Name + "@" + c.Version, actual: c.Resolved}
		switch {
		case d.Name == c.Name && (c.Version == "" || withoutBuild(d.Version) == withoutBuild(c.Version)):
			continue
		case d.Name != "":
			h.actual = d.Name + "@" + d.Version
			h.message = fmt.Sprintf("the entry of %s would install %s %s", title(c), named(d.Name), named(d.Version))
		case c.Source == sbom.FromRegistry && trusted.hold(c.Resolved):
			h.message = fmt.Sprintf("the URL of %s has no form that registries use, so that nobody can tell which package it names", title(c))
		default:
			continue // that nobody trusts where it comes from is another finding
		}
		report(h)
	}
	e.findOwnCommands(report)
}

// findOwnCommands finds launches of packages that would run a command of the
// project itself: npx prefers it, whatever the registry has.
func (e *evaluation) findOwnCommands(report func(hit)) {
	own := map[string]*sbom.Component{}
	for _, c := range append([]*sbom.Component{e.facts.Inventory.Root}, e.facts.Inventory.Components...) {
		for _, p := range c.Properties {
			if p.Name == node.PropertyBin {
				own[p.Value] = c
			}
		}
	}
	for _, s := range e.servers {
		for _, l := range launches(s.Server) {
			c := own[l.Spec]
			if l.Kind != sbom.KindNPM || c == nil {
				continue
			}
			h := hit{
				component: e.components[l.Ref], server: s, detail: l.Spec, expected: l.Spec, actual: "the command of " + c.Name,
				message: fmt.Sprintf("%s asks for %s, but %s provides a command of that name, which runs in its place", launcher(s.Server), named(l.Spec), named(c.Name)),
				fix:     "rename the command in bin of package.json, or start it from there by its path",
			}
			if c.Name == l.Spec {
				h.actual = "the project's own " + c.Name
				h.message = fmt.Sprintf("%s runs the project's own %s where that is installed, and elsewhere whatever the registry has under this name", launcher(s.Server), named(c.Name))
				h.fix = "start it by its path, or by the package manager, which asks no registry: pnpm exec, yarn run, npm run"
			}
			report(h)
		}
	}
}

// distribution is what the URL of a package says. Where the reader kept no more
// than the redacted one, that has to do.
func distribution(c *sbom.Component) sbom.Distribution {
	if c.Distribution != (sbom.Distribution{}) {
		return c.Distribution
	}
	_, d := node.Distribution(c.Resolved)
	return d
}

// withoutBuild drops build metadata, which npm does not keep.
func withoutBuild(version string) string {
	version, _, _ = strings.Cut(version, "+")
	return version
}

func findRegistry(e *evaluation, _ *Rule, report func(hit)) {
	trusted := e.registries()
	for _, c := range e.packages {
		e.findConfiguredRegistry(c, trusted, report)
		if c.Resolved == "" {
			continue
		}
		h := hit{component: c, expected: trusted.String(), actual: c.Resolved}
		d := distribution(c)
		fetched := c.Source == sbom.FromRegistry || c.Source == sbom.FromTarball
		switch {
		case fetched && !trusted.hold(asFetched(c.Resolved)) && (d.Host != "" || d.Doubt == ""):
			h.message = fmt.Sprintf("%s comes from %s, which is no trusted registry", title(c), hostOf(c.Resolved))
		case d.Doubt != "":
			h.message = fmt.Sprintf("nobody can tell from where %s comes, since its URL can be read in two ways: %s", title(c), d.Doubt)
		default:
			continue
		}
		report(h)
	}
	for _, s := range e.servers {
		for _, r := range s.Server.Risks {
			if r.Code != sbom.RiskRegistry || trusted.hold(r.URL) {
				continue
			}
			report(hit{
				server: s, at: riskPlace(s, r), detail: r.Where + " " + r.URL, expected: trusted.String(), actual: r.URL,
				message: fmt.Sprintf("%s fetches what it runs from a registry of its own choice, named in %s", launcher(s.Server), r.Where),
				fix:     "remove the registry from the launch, or add it to registries in " + FileName + " if you trust it",
			})
		}
	}
}

// asFetched is the URL that npm contacts for one of a lockfile: it puts the
// configured registry in the place of the public one, whatever the scheme.
func asFetched(resolved string) string {
	if rest, ok := strings.CutPrefix(resolved, "http://"); ok && npm.OnPublicRegistry(resolved) {
		return "https://" + rest
	}
	return resolved
}

// findConfiguredRegistry judges the registry that a configuration inside the
// project chooses. npm asks it for whatever names no URL, and for whatever names
// one of the public registry, which in a lockfile stands for the configured one.
func (e *evaluation) findConfiguredRegistry(c *sbom.Component, trusted registries, report func(hit)) {
	if e.facts.ProjectRegistries == nil || c.Ecosystem != sbom.NPM || c.Bundled || (c.Resolved != "" && !npm.OnPublicRegistry(c.Resolved)) {
		return
	}
	switch c.Source {
	case sbom.FromRegistry, sbom.FromTarball, "":
	default:
		return
	}
	seen := map[string]bool{}
	for _, o := range c.Occurrences {
		for _, r := range e.facts.ProjectRegistries(o.Path, c.Name) {
			if seen[r] || trusted.hold(r) {
				continue
			}
			seen[r] = true
			report(hit{
				component: c, expected: trusted.String(), actual: r, detail: r,
				message: fmt.Sprintf("%s would be fetched from %s, which only a configuration inside the project names", title(c), hostOf(r)),
				fix:     "remove the registry from the project's .npmrc, or add it to registries in " + FileName + " if you trust it",
			})
		}
	}
}

// registries are those that the policy and the user's own configuration trust.
func (e *evaluation) registries() registries {
	return parseRegistries(slices.Concat(e.policy.Registries, e.facts.Registries))
}

type registries []*url.URL

func parseRegistries(list []string) registries {
	var out registries
	for _, s := range list {
		if u, err := parseURL(s); err == nil {
			out = append(out, u)
		}
	}
	return out
}

func (rs registries) String() string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.String()
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

// hold reports whether the URL is below one of the registries: same scheme, host
// and port, and below its path as a client would resolve it.
func (rs registries) hold(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(rs, func(r *url.URL) bool {
		return u.Scheme == r.Scheme && hostPort(u) == hostPort(r) && strings.HasPrefix(folder(u), folder(r))
	})
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port
}

// folder is the path as browsers and package managers read it: \ is /, and ..
// goes up.
func folder(u *url.URL) string {
	return strings.TrimSuffix(path.Clean("/"+strings.ReplaceAll(u.Path, `\`, "/")), "/") + "/"
}

func hostOf(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return named(u.Host)
	}
	return "an unreadable URL"
}
