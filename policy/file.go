package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// FileName is the name under which a policy is looked for.
const FileName = "countermark.yaml"

// BuiltIn is the name of the policy that applies without a file.
const BuiltIn = "built-in"

// Profile is a named table of severities.
type Profile string

// The profiles. Baseline fails on what is wrong; strict also on what is not
// proven.
const (
	Baseline Profile = "baseline"
	Strict   Profile = "strict"
)

// Policy is what the user demands. It comes from [Parse] or [Default].
type Policy struct {
	Name         string // path of the file as given, or BuiltIn
	SHA256       string // of the file, hex; empty without one
	Profile      Profile
	Attestations []string // files and folders with local evidence, slash-separated, relative to the policy's folder
	Offline      bool     // nothing may be fetched
	Registries   []string // trusted beside those of the user's own configuration

	sourcePatterns []pattern
	sources        []provenance.Expectation // parallel to sourcePatterns
	internal       []pattern
	exclude        []pathGlob
	settings       map[string]setting
	custom         []string // names of x-… rules, sorted
	exceptions     []exception
}

// setting is what the policy file says about one rule.
type setting struct {
	severity Severity // empty: the profile's
	selector selector
	minimum  time.Duration // of release-age
	assert   string        // of a custom rule: CEL
	message  string        // of a custom rule
}

// Default returns the built-in policy: profile baseline and nothing else.
func Default() *Policy { return &Policy{Name: BuiltIn, Profile: Baseline} }

// Parse reads a policy file. path is how messages and the verdict name it. Every
// error is a *FileError.
func Parse(path string, data []byte) (*Policy, error) {
	d := &document{path: path}
	root, err := d.parse(data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	r := &fileReader{document: d, policy: &Policy{
		Name: path, SHA256: hex.EncodeToString(sum[:]), Profile: Baseline, settings: map[string]setting{},
	}}
	if err := r.read(root); err != nil {
		return nil, err
	}
	return r.policy, nil
}

// Expectation returns where a package should come from, and whether the policy
// says so.
func (p *Policy) Expectation(ecosystem sbom.Ecosystem, name string) (provenance.Expectation, bool) {
	i := best(p.sourcePatterns, ecosystem, name)
	if i < 0 {
		return provenance.Expectation{}, false
	}
	return p.sources[i], true
}

// namesExactly reports whether the policy names the source of this very package,
// not of a pattern that it falls under.
func (p *Policy) namesExactly(ecosystem sbom.Ecosystem, name string) bool {
	i := best(p.sourcePatterns, ecosystem, name)
	return i >= 0 && p.sourcePatterns[i].exact()
}

// Internal reports whether the npm package of that name is never to be asked of
// a public registry.
func (p *Policy) Internal(name string) bool { return best(p.internal, sbom.NPM, name) >= 0 }

// InternalProject reports whether the Python project of that name is only to be
// asked of an index that the policy lists under registries.
func (p *Policy) InternalProject(name string) bool {
	return best(p.internal, sbom.PyPI, name) >= 0
}

// Excludes reports whether a slash-separated path relative to the checked folder
// is not to be read, because the policy excludes it or a folder that it is in.
func (p *Policy) Excludes(path string) bool {
	return slices.ContainsFunc(p.exclude, func(g pathGlob) bool { return g.matches(path) })
}

// fileReader fills a policy from a document.
type fileReader struct {
	*document
	policy *Policy
	later  []func() error // checks that need the whole file
}

func (r *fileReader) read(root ast.Node) error {
	if err := r.keys(root); err != nil {
		return err
	}
	for _, check := range r.later {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *fileReader) keys(root ast.Node) error {
	p := r.policy
	return r.mapping(root, "the policy", []field{
		{name: "version", required: true, read: r.version},
		{name: "profile", read: r.profile},
		{name: "attestations", read: r.list("attestations", func(s string) error {
			p.Attestations = append(p.Attestations, s)
			return checkRelative(s)
		})},
		{name: "offline", read: r.flag(&p.Offline, "offline")},
		{name: "sources", read: r.sources},
		{name: "registries", read: r.list("registries", func(s string) error {
			p.Registries = append(p.Registries, s)
			return checkRegistry(s)
		})},
		{name: "internal", read: r.list("internal", func(s string) error {
			pattern, err := parsePattern(s)
			p.internal = append(p.internal, pattern)
			return err
		})},
		{name: "exclude", read: r.list("exclude", func(s string) error {
			glob, err := parsePathGlob(s)
			p.exclude = append(p.exclude, glob)
			return err
		})},
		{name: "rules", read: r.rules},
		{name: "exceptions", read: r.exceptions},
	})
}

func (r *fileReader) version(n ast.Node) error {
	if i, ok := n.(*ast.IntegerNode); !ok || i.GetToken().Value != "1" {
		return r.wrong(n, "write version: 1; a newer version of the file needs a newer countermark", "the version of the policy file is %q, expected 1", n.GetToken().Value)
	}
	return nil
}

func (r *fileReader) profile(n ast.Node) error {
	var name string
	if err := r.text(&name, "profile", oneOf("profile", string(Baseline), string(Strict)))(n); err != nil {
		return err
	}
	r.policy.Profile = Profile(name)
	return nil
}

func (r *fileReader) sources(n ast.Node) error {
	entries, err := r.entries(n, "sources")
	if err != nil {
		return err
	}
	sharing := map[string][]int{} // literal prefix → indexes of the patterns that have it
	for _, e := range entries {
		pattern, err := parsePattern(e.name)
		if err != nil {
			return r.invalid(e.key, err)
		}
		prefix := fmt.Sprint(pattern.ecosystem, ":", pattern.literal(), pattern.exact())
		for _, other := range sharing[prefix] {
			if q := r.policy.sourcePatterns[other]; pattern.ties(q) {
				return r.wrong(e.key, "make one of them longer before its first *, or name the package exactly",
					"%q and %q match the same packages, and neither is the more exact", e.name, entries[other].name)
			}
		}
		if len(sharing[prefix]) >= maxPatternsOfPrefix {
			return r.wrong(e.key, "use fewer patterns, or longer ones", "more than %d patterns begin with %q", maxPatternsOfPrefix, pattern.literal())
		}
		source, err := r.source(e)
		if err != nil {
			return err
		}
		sharing[prefix] = append(sharing[prefix], len(r.policy.sources))
		r.policy.sourcePatterns = append(r.policy.sourcePatterns, pattern)
		r.policy.sources = append(r.policy.sources, source)
	}
	return nil
}

func (r *fileReader) source(e entry) (provenance.Expectation, error) {
	x := provenance.Expectation{From: "policy"}
	err := r.mapping(e.value, fmt.Sprintf("source %q", e.name), []field{
		{name: "repo", required: true, read: r.text(&x.Repo, "repo", checkRepo)},
		{name: "ref", read: r.text(&x.Ref, "ref", checkRef)},
		{name: "workflow", read: r.text(&x.Workflow, "workflow", checkRelative)},
		{name: "builder", read: r.text(&x.Builder, "builder", checkHTTPS)},
		{name: "issuer", read: r.text(&x.Issuer, "issuer", checkHTTPS)},
		{name: "trigger", read: r.text(&x.Trigger, "trigger", checkTrigger)},
		{name: "repository_id", read: r.numericID(&x.RepositoryID, "repository_id")},
		{name: "owner_id", read: r.numericID(&x.OwnerID, "owner_id")},
		{name: "deny_self_hosted", read: r.flag(&x.DenySelfHosted, "deny_self_hosted")},
	})
	return x, err
}

var numericIDForm = lazyregexp.New(`^[1-9][0-9]{0,18}$`)

// numericID reads an id that is written as a number or as text.
func (r *fileReader) numericID(into *string, what string) func(ast.Node) error {
	return func(n ast.Node) error {
		var s string
		switch n := n.(type) {
		case *ast.IntegerNode:
			s = n.GetToken().Value
		case *ast.StringNode:
			s = n.Value
		default:
			return r.wrong(n, "the host's API shows it", "%s is a whole number, not %s", what, kindOf(n))
		}
		if !numericIDForm.MatchString(s) {
			return r.wrong(n, "write the decimal number that the host's API shows", "%s is %q, expected a number", what, s)
		}
		*into = s
		return nil
	}
}

var customRule = lazyregexp.New(`^x-[a-z0-9]+(-[a-z0-9]+)*$`)

func (r *fileReader) rules(n ast.Node) error {
	entries, err := r.entries(n, "rules")
	if err != nil {
		return err
	}
	for _, e := range entries {
		read := r.setting
		if strings.HasPrefix(e.name, "x-") {
			read = r.customSetting
		}
		s, err := read(e)
		if err != nil {
			return err
		}
		r.policy.settings[e.name] = s
	}
	slices.Sort(r.policy.custom)
	return nil
}

func (r *fileReader) setting(e entry) (setting, error) {
	rule := ruleNamed(e.name)
	if rule == nil {
		return setting{}, r.wrong(e.key, suggest(e.name, ruleNames(), "rules of your own are named x-…"), "there is no rule %q", e.name)
	}
	var s setting
	fields := []field{
		{name: "severity", read: r.severity(&s.severity)},
		{name: "for", read: r.selector(&s.selector)},
	}
	if rule.hasMinimum {
		fields = append(fields, field{name: "minimum", read: r.duration(&s.minimum)})
	}
	what := fmt.Sprintf("rule %q", e.name)
	if err := r.mapping(e.value, what, fields); err != nil {
		return setting{}, err
	}
	switch {
	case s.severity == "" && !s.selector.everything():
		return setting{}, r.wrong(e.value, "add severity: error, warn, info or off", `%s has "for" without a severity`, what)
	case s.severity == "" && s.minimum == 0:
		return setting{}, r.wrong(e.value, "add severity: error, warn, info or off", "%s says nothing", what)
	case !s.selector.everything() && rule.Target != Packages:
		return setting{}, r.wrong(e.value, `remove "for"`, `%s judges %s, among which "for" cannot select`, what, rule.Target)
	}
	return s, nil
}

func (r *fileReader) customSetting(e entry) (setting, error) {
	if !customRule.MatchString(e.name) {
		return setting{}, r.wrong(e.key, "use lower-case words and hyphens: x-no-gpl", "%q is no name for a rule", e.name)
	}
	s := setting{severity: Error}
	err := r.mapping(e.value, fmt.Sprintf("rule %q", e.name), []field{
		{name: "severity", read: r.severity(&s.severity)},
		{name: "for", read: r.selector(&s.selector)},
		{name: "assert", required: true, read: r.text(&s.assert, "assert", nil)},
		{name: "message", required: true, read: r.text(&s.message, "message", nil)},
	})
	r.policy.custom = append(r.policy.custom, e.name)
	return s, err
}

func (r *fileReader) severity(into *Severity) func(ast.Node) error {
	return func(n ast.Node) error {
		var s string
		err := r.text(&s, "severity", oneOf("severity", string(Error), string(Warn), string(Info), string(Off)))(n)
		*into = Severity(s)
		return err
	}
}

var durationForm = lazyregexp.New(`^([1-9][0-9]{0,3})([hdw])$`)

var durationUnits = map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

func (r *fileReader) duration(into *time.Duration) func(ast.Node) error {
	return func(n ast.Node) error {
		s, err := r.string(n, "minimum")
		if err != nil {
			return err
		}
		m := durationForm.FindStringSubmatch(s)
		if m == nil {
			return r.wrong(n, "write a number and h, d or w: 14d", "%q is no duration", s)
		}
		count := 0
		for _, digit := range m[1] {
			count = count*10 + int(digit-'0')
		}
		*into = time.Duration(count) * durationUnits[m[2]]
		return nil
	}
}

func (r *fileReader) exceptions(n ast.Node) error {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		return r.wrong(n, "begin each with a dash: - {rule: …, package: …, reason: …, expires: …}", "exceptions is a list, not %s", kindOf(n))
	}
	for _, item := range sequence.Values {
		x, err := r.exception(item)
		if err != nil {
			return err
		}
		r.policy.exceptions = append(r.policy.exceptions, x)
	}
	return nil
}

func (r *fileReader) exception(n ast.Node) (exception, error) {
	var x exception
	x.line, x.column = r.position(start(n))
	err := r.mapping(n, "an exception", []field{
		{name: "rule", required: true, read: r.text(&x.rule, "rule", checkExceptedRule)},
		{name: "package", read: func(n ast.Node) error {
			s, err := r.string(n, "package")
			if err != nil {
				return err
			}
			if x.pkg, err = parseExceptedPackage(s); err != nil {
				return r.invalid(n, err)
			}
			return nil
		}},
		{name: "server", read: r.text(&x.server, "server", nil)},
		{name: "reason", required: true, read: r.text(&x.reason, "reason", nil)},
		{name: "owner", read: r.text(&x.owner, "owner", nil)},
		{name: "expires", required: true, read: r.date(&x.expires)},
	})
	if err != nil {
		return x, err
	}
	if x.pkg == nil && x.server == "" {
		return x, r.wrong(n, "add package: pkg:npm/name@1.2.3, or server: name", "an exception for neither a package nor a server would cover everything")
	}
	r.later = append(r.later, func() error {
		if err := r.policy.checkCustomRule(x.rule); err != nil {
			return r.invalid(n, err)
		}
		return nil
	})
	return x, nil
}

func (r *fileReader) date(into *time.Time) func(ast.Node) error {
	return func(n ast.Node) error {
		s, err := r.string(n, "expires")
		if err != nil {
			return err
		}
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return r.wrong(n, "write year-month-day of a day that exists: 2027-01-31", "%q is no date", s)
		}
		*into = t
		return nil
	}
}

func oneOf(what string, words ...string) func(string) error {
	return func(s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		return &hinted{
			message: fmt.Sprintf("%s is %q, expected %s", what, s, strings.Join(words, ", ")),
			hint:    suggest(s, words, "write one of them, in lower case"),
		}
	}
}

func checkRelative(s string) error {
	hint := "write a path with /, relative to the policy's folder and inside of it"
	if strings.ContainsAny(s, `\:*`) || path.IsAbs(s) || slices.Contains(strings.Split(s, "/"), "..") {
		return &hinted{fmt.Sprintf("%q is no path below the policy's folder", s), hint}
	}
	return nil
}

var (
	repoHost    = lazyregexp.New(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)
	repoSegment = lazyregexp.New(`^[A-Za-z0-9_.-]+$`)
)

// checkRepo accepts https://host/owner/name with GitLab's subgroups. Letters
// outside of ASCII are refused: two of them can look the same. An owner alone is
// accepted, and met by no repository.
func checkRepo(s string) error {
	hint := "write https://host/owner/name, as the browser shows it, with nothing before, behind or between"
	rest, ok := strings.CutPrefix(s, "https://")
	segments := strings.Split(rest, "/")
	switch {
	case !ok || len(segments) < 2 || !repoHost.MatchString(segments[0]):
		return &hinted{fmt.Sprintf("%q is no https URL of a repository", sbom.RedactURL(s)), hint}
	case strings.HasSuffix(s, ".git") || strings.HasSuffix(s, "/"):
		return &hinted{fmt.Sprintf("%q has an ending that is not part of the repository's name", sbom.RedactURL(s)), "leave out the / or .git at the end"}
	case strings.Contains(segments[1], "*"):
		return &hinted{fmt.Sprintf("%q leaves the owner open, so anybody's repository would do", sbom.RedactURL(s)), "name the owner; a * may stand for the segments after it"}
	}
	for _, segment := range segments[1:] {
		if segment == "*" {
			continue
		}
		if strings.Contains(segment, "*") {
			return &hinted{fmt.Sprintf("%q: a * is one whole segment of the path, not a part of one", sbom.RedactURL(s)), "write https://host/owner/*, or name the repository"}
		}
		if !repoSegment.MatchString(segment) || segment == "." || segment == ".." {
			return &hinted{fmt.Sprintf("%q is no https URL of a repository", sbom.RedactURL(s)), hint}
		}
	}
	return nil
}

var refForm = lazyregexp.New(`^refs/(heads|tags|pull|merge-requests)/[\x21-\x7e]+$`)

func checkRef(s string) error {
	if !refForm.MatchString(s) {
		return &hinted{fmt.Sprintf("%q is no full ref", s), "write refs/tags/v*, or refs/heads/main"}
	}
	return nil
}

func checkHTTPS(s string) error {
	if u, err := parseURL(s); err != nil || u.Scheme != "https" {
		return &hinted{fmt.Sprintf("%q is no https URL", sbom.RedactURL(s)), "write the whole URL, without user name and query"}
	}
	return nil
}

var errNotPlain = errors.New("a URL with a host and nothing secret was expected")

// parseURL parses an absolute URL that holds no credential, query or fragment.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.User != nil || strings.ContainsAny(s, "?#") {
		return nil, errNotPlain
	}
	return u, nil
}

// checkRegistry demands https, since whoever is between could otherwise answer
// in the registry's name; this machine itself is excused.
func checkRegistry(s string) error {
	u, err := parseURL(s)
	if err == nil && (u.Scheme == "https" || (u.Scheme == "http" && loopback(u.Hostname()))) {
		return nil
	}
	return &hinted{fmt.Sprintf("%q is no https URL of a registry", sbom.RedactURL(s)), "write https://host/path/, without user name and query"}
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

var triggerForm = lazyregexp.New(`^[a-z][a-z_]*$`)

func checkTrigger(s string) error {
	if !triggerForm.MatchString(s) {
		return &hinted{fmt.Sprintf("%q is no event that starts a workflow", s), "write push, release, workflow_dispatch or the like"}
	}
	return nil
}

// target is what a selector is asked about.
type target struct {
	ecosystem   sbom.Ecosystem // empty for servers and files
	name        string
	development bool
	origin      sbom.Origin // one
}

// selector is the value of "for". An empty group selects everything.
type selector struct {
	origins  sbom.Origin
	scopes   []string
	packages []pattern
}

var selectorOrigins = map[string]sbom.Origin{
	"mcp": sbom.OriginMCP, "script": sbom.OriginScript, "direct": sbom.OriginDirect, "transitive": sbom.OriginTransitive,
}

const (
	production  = "production"
	development = "development"
)

func (s *selector) everything() bool {
	return s.origins == 0 && len(s.scopes) == 0 && len(s.packages) == 0
}

// matches is "or" within a group and "and" between groups.
func (s *selector) matches(t target) bool {
	scope := production
	if t.development {
		scope = development
	}
	return (s.origins == 0 || s.origins&t.origin != 0) &&
		(len(s.scopes) == 0 || slices.Contains(s.scopes, scope)) &&
		(len(s.packages) == 0 || best(s.packages, t.ecosystem, t.name) >= 0)
}

func (r *fileReader) selector(into *selector) func(ast.Node) error {
	read := r.list("for", into.add)
	return func(n ast.Node) error {
		if err := read(n); err != nil {
			return err
		}
		if into.everything() {
			return r.wrong(n, `name mcp, script, direct, transitive, production, development or a package pattern, or remove "for"`, `"for" selects nothing`)
		}
		return nil
	}
}

func (s *selector) add(word string) error {
	if origin, ok := selectorOrigins[word]; ok {
		s.origins |= origin
		return nil
	}
	if word == production || word == development {
		s.scopes = append(s.scopes, word)
		return nil
	}
	// A bare word is more often a slip than a package.
	if !strings.ContainsAny(word, ":@/*") {
		words := []string{"mcp", "script", "direct", "transitive", production, development}
		return &hinted{
			message: fmt.Sprintf(`"for" knows no %q; expected %s or a package pattern`, word, strings.Join(words, ", ")),
			hint:    cmp.Or(suggest(word, words, ""), fmt.Sprintf("write npm:%s if it is a package", word)),
		}
	}
	pattern, err := parsePattern(word)
	s.packages = append(s.packages, pattern)
	return err
}
