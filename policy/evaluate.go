package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"countermark/policy/catalog"
	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/mcp/lock"
)

// The exit codes that a verdict can have; the others belong to the command.
const (
	exitPass    = 0
	exitFail    = 1
	exitUnknown = 3
	exitNothing = 4
)

// evaluation is one run of the rules over the facts.
type evaluation struct {
	policy *Policy
	facts  Facts
	rules  []Rule // the table, which its own functions cannot name

	packages   []*sbom.Component // packages and images; what has no purl and the user's own parts are not among them
	servers    []*sbom.Component
	components map[string]*sbom.Component
	results    map[string]*provenance.Result
	launchers  map[string][]*sbom.Component // ref → the servers that launch it, by file and line, then the scripts
	requests   map[string][]request         // ref → what is asked of the registry for it, where that is not one version
	expect     func(provenance.Subject) provenance.Expectation
	official   map[string]catalog.Entry // ref → what it looks like without being it
	drift      *lock.Comparison         // with the locks; nil while nobody asked
	used       []bool                   // parallel to policy.exceptions
}

// request is what is asked of a registry for a package.
type request struct {
	text   string          // "", "latest", "^1.0.0"
	server *sbom.Component // that asks; nil for a manifest
}

// hit is what a rule's function found. Only a component, server or place, and
// the message are needed.
type hit struct {
	component *sbom.Component // the package in question
	server    *sbom.Component // the server in question, where it is not the package's first
	at        *Location       // where it is neither the package's nor the server's place
	what      Case
	message   string
	expected  string
	actual    string
	fix       string // better than the rule's own
	first     string // what has to be done before anything else, also about an impostor
	detail    string // tells findings of one rule about one thing apart
}

// Evaluate applies the policy to the facts. A nil policy is the built-in one.
// Lists of the verdict are sorted and never nil; it quotes foreign text as it
// is.
func Evaluate(p *Policy, f Facts) *Verdict {
	if p == nil {
		p = Default()
	}
	e := newEvaluation(p, f)
	v := &Verdict{
		SchemaVersion: SchemaVersion,
		EvaluatedAt:   f.Now.UTC().Format(time.RFC3339),
		Mode:          "enforce",
		Offline:       f.Offline,
		Tool:          f.Tool,
		Subject:       e.subject(),
		Policy:        PolicyFacts{Name: p.Name, Profile: string(p.Profile), SHA256: p.SHA256},
		Trust:         f.Trust,
		Inputs:        e.inputs(),
		Components:    e.componentVerdicts(),
	}
	var asked bool
	v.Findings = e.findings()
	v.NotEvaluated, asked = e.notEvaluated()
	v.Summary = e.summary(v)
	v.Verdict, v.ExitCode = answer(v.Findings, asked)
	return v
}

// answer is fail before unknown before pass.
func answer(findings []Finding, asked bool) (Answer, int) {
	unknown := asked
	for i := range findings {
		f := &findings[i]
		if f.Severity != Error || f.Exception != nil {
			continue
		}
		if !ruleNamed(f.Rule).LeavesUnknown {
			return Fail, exitFail
		}
		unknown = true
	}
	if unknown {
		return Unknown, exitUnknown
	}
	return Pass, exitPass
}

func newEvaluation(p *Policy, f Facts) *evaluation {
	if f.Inventory == nil {
		f.Inventory = sbom.NewBuilder().Inventory()
	}
	e := &evaluation{
		policy: p, facts: f, rules: rules,
		components: map[string]*sbom.Component{},
		results:    map[string]*provenance.Result{},
		launchers:  map[string][]*sbom.Component{},
		requests:   map[string][]request{},
		expect:     Expect(p, f.Catalog),
		official:   map[string]catalog.Entry{},
		used:       make([]bool, len(p.exceptions)),
	}
	for i := range f.Provenance {
		e.results[f.Provenance[i].Subject.Ref] = &f.Provenance[i]
	}
	for _, c := range f.Inventory.Components {
		e.components[c.Ref] = c
		switch {
		case c.Server != nil:
			e.servers = append(e.servers, c)
		case c.Type != sbom.FileType && c.PURL != "" && c.Source != sbom.FromProject && c.Source != sbom.FromLink:
			e.packages = append(e.packages, c)
		}
	}
	slices.SortStableFunc(e.servers, func(a, b *sbom.Component) int {
		if a.Server.Script != b.Server.Script {
			return map[bool]int{false: -1, true: 1}[a.Server.Script]
		}
		return cmp.Or(cmp.Compare(a.Server.File, b.Server.File), cmp.Compare(a.Server.Line, b.Server.Line), cmp.Compare(a.Ref, b.Ref))
	})
	for _, s := range e.servers {
		for _, l := range s.Server.Launches {
			if s.Server.Script && l.Pin == sbom.PinLockfile {
				continue // it is the lockfile's, which is the place to look
			}
			if known := e.launchers[l.Ref]; l.Ref != "" && (len(known) == 0 || known[len(known)-1] != s) {
				e.launchers[l.Ref] = append(known, s)
			}
			if c := e.components[l.Ref]; c != nil && c.Version == "" {
				e.requests[l.Ref] = append(e.requests[l.Ref], request{l.Request, s})
			}
		}
	}
	for _, c := range e.packages {
		for _, text := range manifestRequests(c) {
			e.requests[c.Ref] = append(e.requests[c.Ref], request{text: text})
		}
	}
	e.findOfficial()
	return e
}

// findOfficial notes which packages look like an entry of the catalogue, before
// any rule runs: whatever is found about an impostor, the way out is the official
// source.
func (e *evaluation) findOfficial() {
	if e.facts.Catalog == nil {
		return
	}
	for _, c := range e.packages {
		if entry, ok := e.resembles(c); ok {
			e.official[c.Ref] = entry
		}
	}
}

func (e *evaluation) findings() []Finding {
	out := []Finding{}
	seen := map[string]int{}
	for i := range e.rules {
		if rule := &e.rules[i]; rule.find != nil && rule.Target != PolicyFile {
			e.run(rule, &out, seen)
		}
	}
	// What the policy's exceptions covered is known only now.
	for i := range e.rules {
		if rule := &e.rules[i]; rule.find != nil && rule.Target == PolicyFile {
			e.run(rule, &out, seen)
		}
	}
	slices.SortFunc(out, compareFindings)
	return out
}

func (e *evaluation) run(rule *Rule, out *[]Finding, seen map[string]int) {
	if rule.missing != nil && rule.missing(e) != "" {
		return
	}
	rule.find(e, rule, func(h hit) {
		severity := e.severity(rule, h)
		if severity == Off {
			return
		}
		f := e.finding(rule, h)
		f.Severity = severity
		seen[f.Fingerprint]++
		if n := seen[f.Fingerprint]; n > 1 {
			f.Fingerprint = digest(f.Fingerprint, strconv.Itoa(n))
		}
		*out = append(*out, f)
	})
}

// severity is the strictest that any origin of the hit has.
func (e *evaluation) severity(rule *Rule, h hit) Severity {
	t, origins := target{}, []sbom.Origin{sbom.OriginDirect}
	switch {
	case h.component != nil:
		t = target{ecosystem: h.component.Ecosystem, name: nameOf(h.component), development: h.component.Development}
		origins = originsOf(h.component)
	case h.server != nil && h.server.Server.Image && rule.Target == Packages:
		origins = []sbom.Origin{sbom.OriginDirect}
	case h.server != nil && h.server.Server.Script:
		origins = []sbom.Origin{sbom.OriginScript}
	case h.server != nil:
		origins = []sbom.Origin{sbom.OriginMCP}
	}
	strictest := Off
	for _, t.origin = range origins {
		if s := e.severityFor(rule, t, h.what); rank(s) > rank(strictest) {
			strictest = s
		}
	}
	return strictest
}

func (e *evaluation) severityFor(rule *Rule, t target, what Case) Severity {
	set, ok := e.policy.settings[rule.Name]
	if ok && set.severity != "" && set.selector.matches(t) {
		return set.severity
	}
	return rule.Levels.of(t.origin, what).in(e.policy.Profile)
}

// originsOf returns the origins one by one. What nobody asks for is installed
// all the same, and nothing says that it is further away than a direct
// dependency.
func originsOf(c *sbom.Component) []sbom.Origin {
	var out []sbom.Origin
	for _, o := range []sbom.Origin{sbom.OriginMCP, sbom.OriginScript, sbom.OriginDirect, sbom.OriginTransitive} {
		if c.Origin.Has(o) {
			out = append(out, o)
		}
	}
	if len(out) == 0 {
		return []sbom.Origin{sbom.OriginDirect}
	}
	return out
}

func rank(s Severity) int {
	switch s {
	case Error:
		return 3
	case Warn:
		return 2
	case Info:
		return 1
	default:
		return 0
	}
}

func (e *evaluation) finding(rule *Rule, h hit) Finding {
	f := Finding{
		Rule: rule.Name, Message: cmp.Or(h.message, rule.Summary), Expected: h.expected, Actual: h.actual,
		Fix: cmp.Or(h.fix, rule.Fix),
	}
	if h.component != nil {
		f.Ref, f.PURL = h.component.Ref, h.component.PURL
		if entry, ok := e.official[f.Ref]; ok {
			f.Fix = officialFix(entry)
			if h.first != "" {
				f.Fix = h.first + "; " + f.Fix
			}
		}
	}
	servers := e.serversOf(h)
	server := ""
	if h.server != nil {
		server = h.server.Ref
	}
	if len(servers) > 0 {
		if !servers[0].Server.Script {
			f.Server = servers[0].Server.Name
		}
		f.Ref = cmp.Or(f.Ref, servers[0].Ref)
	}
	f.Location = place(h, servers)
	f.Exception = e.except(&f, servers)
	where := ""
	if f.Location != nil {
		where = f.Location.Path
	}
	f.Fingerprint = digest(rule.Name, where, f.Ref, server, h.detail)
	return f
}

// serversOf returns the servers that a hit concerns: the one that it is about,
// else all that launch its package.
func (e *evaluation) serversOf(h hit) []*sbom.Component {
	switch {
	case h.server != nil:
		return []*sbom.Component{h.server}
	case h.component != nil:
		return e.launchers[h.component.Ref]
	default:
		return nil
	}
}

// place is where a reader should look: the server that launches the package,
// else the first line of a file that names it.
func place(h hit, servers []*sbom.Component) *Location {
	if h.at != nil {
		return h.at
	}
	if len(servers) > 0 {
		s := servers[0].Server
		return &Location{Path: s.File, Line: s.Line, Column: s.Column}
	}
	if h.component == nil || len(h.component.Occurrences) == 0 {
		return nil
	}
	at := h.component.Occurrences[0]
	for _, o := range h.component.Occurrences {
		if o.Line > 0 {
			at = o
			break
		}
	}
	return &Location{Path: at.Path, Line: at.Line, Column: at.Column}
}

// except returns the first exception that covers the finding, and notes every
// one that does as used.
func (e *evaluation) except(f *Finding, servers []*sbom.Component) *Excepted {
	names := make([]string, len(servers))
	for i, s := range servers {
		names[i] = s.Server.Name
		if s.Server.Script {
			names[i] = "script:" + s.Server.Name
		}
	}
	var covering *Excepted
	for i := range e.policy.exceptions {
		x := &e.policy.exceptions[i]
		if x.expired(e.facts.Now) || !x.covers(f.Rule, f.PURL, names) {
			continue
		}
		e.used[i] = true
		if covering == nil {
			covering = &Excepted{Reason: x.reason, Owner: x.owner, Expires: x.expires.Format(time.DateOnly)}
		}
	}
	return covering
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// compareFindings puts the gravest first, then goes by place.
func compareFindings(a, b Finding) int {
	var x, y Location
	if a.Location != nil {
		x = *a.Location
	}
	if b.Location != nil {
		y = *b.Location
	}
	return cmp.Or(
		cmp.Compare(rank(b.Severity), rank(a.Severity)),
		cmp.Compare(x.Path, y.Path), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column),
		cmp.Compare(a.Ref, b.Ref), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Message, b.Message), cmp.Compare(a.Fingerprint, b.Fingerprint),
	)
}

// notEvaluated lists the rules that were not, or not fully, judged, and reports
// whether the policy file itself asks for one of them.
func (e *evaluation) notEvaluated() (list []NotEvaluated, asked bool) {
	list = []NotEvaluated{}
	for i := range e.rules {
		rule := &e.rules[i]
		reason := rule.pending
		if rule.missing != nil {
			reason = cmp.Or(reason, rule.missing(e))
		}
		if rule.partly != nil {
			reason = cmp.Or(reason, rule.partly(e))
		}
		set, named := e.policy.settings[rule.Name]
		if reason == "" || !e.applies(rule, set) {
			continue
		}
		decides := named && rank(e.strongest(rule, set)) >= rank(Warn)
		list = append(list, NotEvaluated{Rule: rule.Name, Reason: reason, Decides: decides})
		asked = asked || decides
	}
	for _, name := range e.policy.custom {
		severity := e.policy.settings[name].severity
		if severity == Off {
			continue
		}
		decides := rank(severity) >= rank(Warn)
		list = append(list, NotEvaluated{Rule: name, Reason: "custom rules are not evaluated by this version", Decides: decides})
		asked = asked || decides
	}
	slices.SortFunc(list, func(a, b NotEvaluated) int { return cmp.Compare(a.Rule, b.Rule) })
	return list, asked
}

// judged reports whether a rule was evaluated in full. It takes the name of a
// custom rule, too.
func (e *evaluation) judged(name string) bool {
	i := slices.IndexFunc(e.rules, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		return false
	}
	rule := &e.rules[i]
	return rule.pending == "" && (rule.missing == nil || rule.missing(e) == "") && (rule.partly == nil || rule.partly(e) == "")
}

// applies reports whether the rule could find anything at a severity but off.
func (e *evaluation) applies(rule *Rule, set setting) bool {
	if set.severity == Off && set.selector.everything() {
		return false
	}
	return rank(set.severity) > 0 || rank(e.profileSeverity(rule)) > 0
}

// strongest is the severity that the policy file gives the rule, or lets it have.
func (e *evaluation) strongest(rule *Rule, set setting) Severity {
	if set.severity != "" {
		return set.severity
	}
	return e.profileSeverity(rule)
}

// profileSeverity is the strictest severity of the rule in the profile.
func (e *evaluation) profileSeverity(rule *Rule) Severity {
	strictest := Off
	for _, level := range []Level{rule.Levels.MCP, rule.Levels.Direct, rule.Levels.Transitive} {
		if s := level.in(e.policy.Profile); rank(s) > rank(strictest) {
			strictest = s
		}
	}
	return strictest
}

func (e *evaluation) subject() VerdictSubject {
	root := e.facts.Inventory.Root
	parts := make([]string, 0, 2*len(e.facts.Inventory.Inputs))
	for _, in := range e.facts.Inventory.Inputs {
		parts = append(parts, in.Path, in.SHA256)
	}
	return VerdictSubject{Name: root.Name, Version: root.Version, Commit: e.facts.Commit, Digest: "sha256:" + digest(parts...)}
}

func (e *evaluation) inputs() []InputFacts {
	out := make([]InputFacts, 0, len(e.facts.Inventory.Inputs))
	for _, in := range e.facts.Inventory.Inputs {
		problems := make([]InputProblem, 0, len(in.Problems))
		for _, p := range in.Problems {
			problems = append(problems, InputProblem{Code: string(p.Code), Line: p.Line, Column: p.Column, Message: p.Message, Hint: p.Hint})
		}
		out = append(out, InputFacts{Path: in.Path, Kind: in.Kind, SHA256: in.SHA256, Components: in.Components, Problems: problems})
	}
	return out
}

// componentVerdicts lists packages, images and the project's own members;
// servers and configuration files are in the inventory and in findings.
func (e *evaluation) componentVerdicts() []ComponentVerdict {
	out := make([]ComponentVerdict, 0, len(e.facts.Inventory.Components))
	for _, c := range e.facts.Inventory.Components {
		if c.Server != nil || c.Type == sbom.FileType {
			continue
		}
		cv := ComponentVerdict{Ref: c.Ref, PURL: c.PURL, Scope: string(c.Scope), Origin: c.Origin.String()}
		if r := e.results[c.Ref]; r != nil {
			cv.Provenance = provenanceVerdict(r)
		}
		out = append(out, cv)
	}
	return out
}

func provenanceVerdict(r *provenance.Result) *ProvenanceVerdict {
	v := &ProvenanceVerdict{
		State: string(r.State), Reason: r.Reason, ExpectedFrom: r.ExpectedFrom, DigestFrom: r.DigestFrom,
		Workflow: r.Workflow, Builder: r.Builder, Issuer: r.Issuer, Runner: r.Runner,
		LogIndex: r.LogIndex, IntegratedTime: timestamp(r.Integrated),
		RegistrySignature: "notEvaluated",
	}
	if r.Registry != nil && r.Registry.Signature != "" {
		v.RegistrySignature = string(r.Registry.Signature)
	}
	if r.Source != (provenance.SourceFacts{}) {
		v.Source = &SourceVerdict{
			URI: r.Source.URI, Ref: r.Source.Ref, Digest: r.Source.Digest,
			RepositoryID: r.Source.RepositoryID, OwnerID: r.Source.OwnerID,
		}
	}
	if r.Publish != nil {
		v.Publish = &PublishVerdict{Registry: r.Publish.Registry, KeyID: r.Publish.KeyID, IntegratedTime: timestamp(r.Publish.Integrated)}
	}
	for _, c := range r.Checks {
		v.Checks = append(v.Checks, CheckVerdict(c))
	}
	return v
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (e *evaluation) summary(v *Verdict) Summary {
	scripts := 0
	for _, s := range e.servers {
		if s.Server.Script {
			scripts++
		}
	}
	s := Summary{Components: len(v.Components), Servers: len(e.servers) - scripts, Scripts: scripts, Provenance: map[string]int{}}
	for i := range v.Components {
		if p := v.Components[i].Provenance; p != nil {
			s.Provenance[p.State]++
		}
	}
	for i := range v.Findings {
		f := &v.Findings[i]
		switch {
		case f.Exception != nil:
			s.Excepted++
		case f.Severity == Error:
			s.Findings.Error++
		case f.Severity == Warn:
			s.Findings.Warn++
		case f.Severity == Info:
			s.Findings.Info++
		}
	}
	return s
}

// plainName matches names that mean nothing to a shell, to YAML in quotes and to
// a terminal.
func plainName(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._/-", r) {
			return false
		}
	}
	return name != "" && name[0] != '-' && len(name) <= maxPatternLength
}

// named is a foreign name for a message: as it is where it is harmless, else
// quoted.
func named(name string) string {
	if plainName(name) {
		return name
	}
	return strconv.Quote(name)
}
