package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/package-url/packageurl-go"

	"countermark/policy"
	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/visible"
)

// TextOptions say how much [Text] shows.
type TextOptions struct {
	Verbose bool      // everything that is folded otherwise
	Quiet   bool      // only the answer and the errors
	Rules   []RuleDoc // for a line about each rule that found something
}

const (
	textWidth = 100 // columns, where words can be parted
	maxName   = 120 // characters of a name, path or package URL

	// How many of the same kind are listed without -v.
	maxSubjects = 10 // that have the same error
	maxBrief    = 3  // that have the same warning
	maxFolds    = 20 // different findings of one rule
	maxProven   = 20
	maxInputs   = 10

	shortAdvice = 120 // characters of a fix that is repeated all the same
)

// Text writes the verdict for people, as it stands in a CI log: the answer, then
// what stands in the way with the next step, then what could be better, what was
// proven, and the figures. Findings that differ only in what they are about are
// shown as one. An error is that of the Plain's writer.
func Text(p *Plain, v *policy.Verdict, o TextOptions) error {
	t := &text{p: p, v: v, o: o, summaries: map[string]string{}, advised: map[string]string{}}
	for _, rule := range o.Rules {
		t.summaries[rule.Name] = rule.Summary
	}
	t.headline()
	t.findings(policy.Error)
	if o.Quiet {
		return p.Err()
	}
	t.findings(policy.Warn)
	t.proven()
	t.excepted()
	t.infos()
	t.problems()
	t.notEvaluated()
	t.summary()
	return p.Err()
}

type text struct {
	p         *Plain
	v         *policy.Verdict
	o         TextOptions
	summaries map[string]string
	advised   map[string]string // fix → the rule for which it was written
}

func (t *text) headline() {
	style := map[policy.Answer]style{policy.Pass: styleGood, policy.Fail: styleBad}[t.v.Verdict]
	if style == "" {
		style = styleWarn
	}
	n := t.v.Summary.Findings
	counts := []string{count(n.Error, "error"), count(n.Warn, "warning"), count(n.Info, "info")}
	if t.v.Summary.Excepted > 0 {
		counts = append(counts, fmt.Sprintf("%d excepted", t.v.Summary.Excepted))
	}
	if broken := t.broken(); broken > 0 {
		counts = append(counts, count(broken, "incomplete input"))
	}
	if rules := len(t.v.NotEvaluated); rules > 0 {
		counts = append(counts, count(rules, "rule")+" not evaluated")
	}
	answer := strings.ToUpper(visible.Text(string(t.v.Verdict)))
	t.p.Printf("%s  %s\n", t.p.paint(style, answer), clean(strings.Join(counts, ", ")))
	if t.v.Summary.Components > 0 {
		t.p.Printf("provenance is verified for %d of %s\n", t.v.Summary.Provenance[string(provenance.Verified)], clean(count(t.v.Summary.Components, "component")))
	}
	switch {
	case t.v.Verdict == policy.Pass || t.v.Verdict == policy.Fail:
	case len(t.v.Inputs) == 0:
		t.p.Printf("nothing was found here that can be judged: this is no pass\n")
	default:
		t.p.Printf("something that the answer needs could not be read or fetched: this is no pass\n")
		t.undecided()
	}
}

// undecided names the rules that leave the answer unknown because the policy asks
// for them and they were not judged. Those that found that something cannot be
// known follow as errors.
func (t *text) undecided() {
	for _, n := range t.v.NotEvaluated {
		if n.Decides {
			t.paragraph("", "the policy asks for "+n.Rule+", which is not evaluated: "+n.Reason)
		}
	}
}

// broken counts the inputs with a hole.
func (t *text) broken() int {
	n := 0
	for _, in := range t.v.Inputs {
		if slices.ContainsFunc(in.Problems, func(p policy.InputProblem) bool { return p.Code != string(sbom.Warning) }) {
			n++
		}
	}
	return n
}

// A fold is one finding about one or more subjects.
type fold struct {
	policy.Finding
	subjects []clean
	listed   map[clean]bool
}

// A group is what one rule found.
type group struct {
	rule  string
	folds []*fold
	count int
}

// groups returns the findings that select wants, by rule, both in the order of the
// verdict.
func (t *text) groups(want func(policy.Finding) bool) []*group {
	type key struct{ rule, message, expected, actual, fix string }
	var groups []*group
	rules := map[string]*group{}
	folds := map[key]*fold{}
	for _, f := range t.v.Findings {
		if !want(f) {
			continue
		}
		g := rules[f.Rule]
		if g == nil {
			g = &group{rule: f.Rule}
			rules[f.Rule] = g
			groups = append(groups, g)
		}
		g.count++
		k := key{f.Rule, f.Message, f.Expected, f.Actual, f.Fix}
		if folds[k] == nil {
			folds[k] = &fold{Finding: f, listed: map[clean]bool{}}
			g.folds = append(g.folds, folds[k])
		}
		if s := subject(f); !folds[k].listed[s] {
			folds[k].listed[s] = true
			folds[k].subjects = append(folds[k].subjects, s)
		}
	}
	return groups
}

// findings writes what the rules found at that severity.
func (t *text) findings(severity policy.Severity) {
	label := map[policy.Severity]clean{
		policy.Error: t.p.paint(styleBad, "ERROR"),
		policy.Warn:  t.p.paint(styleWarn, "WARN"),
		policy.Info:  t.p.paint(styleStrong, "INFO"),
	}[severity]
	for _, g := range t.groups(func(f policy.Finding) bool { return f.Exception == nil && f.Severity == severity }) {
		t.p.Printf("\n%s %s", label, name(g.rule))
		if summary := t.summaries[g.rule]; summary != "" {
			t.p.Printf(": %s", summary)
		}
		t.p.Printf("\n")
		for i, f := range g.folds {
			if i == maxFolds && !t.o.Verbose {
				t.more(2, len(g.folds)-i)
				break
			}
			t.finding(f, severity == policy.Error)
		}
	}
}

func (t *text) finding(f *fold, full bool) {
	limit := maxBrief
	if full {
		limit = maxSubjects
	}
	for i, s := range f.subjects {
		if i == limit && !t.o.Verbose {
			t.more(2, len(f.subjects)-i)
			break
		}
		t.p.Printf("  %s\n", s)
	}
	t.paragraph("", f.Message)
	if full || t.o.Verbose {
		t.paragraph("expected: ", f.Expected)
		t.paragraph("found:    ", f.Actual)
	}
	t.advice(f.Rule, f.Fix)
}

// advice writes what to do next, and the second time that it stands above: one
// remedy often serves several findings.
func (t *text) advice(rule, fix string) {
	first, written := t.advised[fix]
	switch {
	case !written || len(fix) <= shortAdvice:
		t.advised[fix] = rule
		t.paragraph("-> ", fix)
	case first == rule:
		t.paragraph("-> ", "as above")
	default:
		t.paragraph("-> ", "as above, for "+first)
	}
}

// more says that the list goes on.
func (t *text) more(indent, n int) {
	t.p.Printf("%s... and %d more (-v lists them)\n", clean(strings.Repeat(" ", indent)), n)
}

// paragraph writes indented text, parted between words, after a label of ours.
// Empty text is left out.
func (t *text) paragraph(label clean, text string) {
	if text == "" {
		return
	}
	const indent = "    "
	hanging := indent + strings.Repeat(" ", len(label))
	line := ""
	flush := func() {
		t.p.Printf("%s\n", clean(line))
	}
	for word := range strings.FieldsSeq(visible.Escape(text, visible.MaxText)) {
		switch {
		case line == "":
			line = indent + string(label) + word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > textWidth:
			flush()
			line = hanging + word
		default:
			line += " " + word
		}
	}
	flush()
}

// infos says how many remarks each rule has, or all of them with -v.
func (t *text) infos() {
	if t.o.Verbose {
		t.findings(policy.Info)
		return
	}
	groups := t.groups(func(f policy.Finding) bool { return f.Exception == nil && f.Severity == policy.Info })
	if len(groups) == 0 {
		return
	}
	t.heading("INFO", " (-v lists them)")
	for _, g := range groups {
		t.p.Printf("  %5d  %s", g.count, name(g.rule))
		if summary := t.summaries[g.rule]; summary != "" {
			t.p.Printf(": %s", summary)
		}
		t.p.Printf("\n")
	}
}

func (t *text) excepted() {
	headed := false
	for _, f := range t.v.Findings {
		if f.Exception == nil {
			continue
		}
		if !headed {
			t.heading("EXCEPTED", "")
			headed = true
		}
		t.p.Printf("  %s: %s\n", name(f.Rule), subject(f))
		t.paragraph("because: ", f.Exception.Reason)
		if f.Exception.Owner != "" {
			t.paragraph("owner:   ", f.Exception.Owner)
		}
		if f.Exception.Expires != "" {
			t.paragraph("expires: ", f.Exception.Expires)
		}
	}
}

func (t *text) problems() {
	headed := false
	for _, in := range t.v.Inputs {
		for _, problem := range in.Problems {
			if !headed {
				t.heading("INPUTS WITH PROBLEMS", "")
				headed = true
			}
			t.p.Printf("  %s (%s)\n", at(policy.Location{Path: in.Path, Line: problem.Line, Column: problem.Column}), name(problem.Code))
			t.paragraph("", problem.Message)
			t.paragraph("-> ", problem.Hint)
		}
	}
}

func (t *text) notEvaluated() {
	if len(t.v.NotEvaluated) == 0 {
		return
	}
	t.heading("NOT EVALUATED", "")
	var reasons []string
	rules := map[string][]string{}
	for _, n := range t.v.NotEvaluated {
		if rules[n.Reason] == nil {
			reasons = append(reasons, n.Reason)
		}
		rules[n.Reason] = append(rules[n.Reason], n.Rule)
	}
	for _, reason := range reasons {
		t.paragraph("", strings.Join(rules[reason], ", ")+": "+reason)
	}
}

// proven writes what was proven, what servers launch first.
func (t *text) proven() {
	var proven []policy.ComponentVerdict
	for _, c := range t.v.Components {
		if c.Provenance != nil && c.Provenance.State == string(provenance.Verified) {
			proven = append(proven, c)
		}
	}
	if len(proven) == 0 {
		return
	}
	origins := []string{sbom.OriginMCP.String(), sbom.OriginScript.String(), sbom.OriginDirect.String(), sbom.OriginTransitive.String()}
	slices.SortStableFunc(proven, func(a, b policy.ComponentVerdict) int {
		return rankOf(origins, a.Origin) - rankOf(origins, b.Origin)
	})
	t.heading("PROVEN", "")
	for i, c := range proven {
		if i == maxProven && !t.o.Verbose {
			t.more(2, len(proven)-i)
			return
		}
		t.provenComponent(c)
	}
}

// rankOf returns the place in the list, with everything else behind it.
func rankOf(list []string, s string) int {
	if i := slices.Index(list, s); i >= 0 {
		return i
	}
	return len(list)
}

func (t *text) provenComponent(c policy.ComponentVerdict) {
	pr := c.Provenance
	source := policy.SourceVerdict{}
	if pr.Source != nil {
		source = *pr.Source
	}
	t.p.Printf("  %s <- %s", t.p.paint(styleGood, string(packageName(c))), name(source.URI))
	if source.Ref != "" {
		t.p.Printf(" @ %s", name(source.Ref))
	}
	t.p.Printf("\n")
	t.facts([]fact{{"workflow", pr.Workflow}, {"commit", short(source.Digest)}, {"runner", pr.Runner}})
	t.facts([]fact{{"digest from", pr.DigestFrom}, {"source expected by", pr.ExpectedFrom}, {"logged", pr.IntegratedTime}})
}

type fact struct {
	label clean
	value string
}

// facts writes those that there are, on one line.
func (t *text) facts(facts []fact) {
	var parts []string
	for _, f := range facts {
		if f.value != "" {
			parts = append(parts, string(f.label+" "+name(f.value)))
		}
	}
	if len(parts) > 0 {
		t.p.Printf("    %s\n", clean(strings.Join(parts, ", ")))
	}
}

func (t *text) summary() {
	t.heading("SUMMARY", "")
	s := t.v.Summary
	project := t.v.Subject.Name
	if t.v.Subject.Version != "" {
		project += "@" + t.v.Subject.Version
	}
	t.row("project", name(project))
	t.row("policy", t.policyFacts())
	found := fmt.Sprintf("%d, and %s", s.Components, count(s.Servers, "MCP server"))
	if s.Scripts > 0 {
		found += fmt.Sprintf("; scripts launch %d", s.Scripts)
	}
	t.row("components", clean(found))
	t.row("provenance", t.states())
	t.row("findings", clean(fmt.Sprintf("%s, %s, %s, %d excepted",
		count(s.Findings.Error, "error"), count(s.Findings.Warn, "warning"), count(s.Findings.Info, "info"), s.Excepted)))
	for i, in := range t.v.Inputs {
		label := clean("inputs")
		if i > 0 {
			label = ""
		}
		if i == maxInputs && !t.o.Verbose {
			t.more(14, len(t.v.Inputs)-i)
			break
		}
		t.row(label, name(in.Path)+clean(fmt.Sprintf(" (%s)", count(in.Components, "component"))))
	}
	trust := t.v.Trust
	t.row("trust", "trusted root "+t.trust(trust.TrustedRoot)+", npm keys "+t.trust(trust.NPMKeys))
	t.row("", "catalogue "+t.trust(trust.Catalog)+", advisories "+t.trust(trust.Advisories))
	network := clean("allowed")
	if t.v.Offline {
		network = "off"
	}
	t.row("network", network)
	t.row("judged at", name(t.v.EvaluatedAt)+" by "+name(t.v.Tool.Name)+" "+name(t.v.Tool.Version))
}

func (t *text) row(label, value clean) {
	t.p.Printf("  %s%s%s\n", label, clean(strings.Repeat(" ", max(1, 12-len(label)))), value)
}

func (t *text) heading(title string, note clean) {
	t.p.Printf("\n%s%s\n", t.p.paint(styleStrong, title), note)
}

func (t *text) policyFacts() clean {
	p := t.v.Policy
	facts := name(p.Name) + " (profile " + name(p.Profile)
	if t.v.Mode != "enforce" {
		facts += ", mode " + name(t.v.Mode)
	}
	if t.o.Verbose && p.SHA256 != "" {
		facts += ", sha256 " + name(p.SHA256)
	}
	return facts + ")"
}

// states counts the components in each state of provenance, the strongest first.
func (t *text) states() clean {
	counts := t.v.Summary.Provenance
	if len(counts) == 0 {
		return "nothing to prove"
	}
	known := provenance.States()
	slices.Reverse(known)
	order := make([]string, len(known))
	for i, s := range known {
		order[i] = string(s)
	}
	states := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if d := rankOf(order, a) - rankOf(order, b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, s := range states {
		parts = append(parts, fmt.Sprintf("%s %d", name(s), counts[s]))
	}
	return clean(strings.Join(parts, ", "))
}

func (t *text) trust(f policy.TrustFact) clean {
	if f.SHA256 == "" {
		return "none"
	}
	facts := name(f.Source)
	if f.Source == "" {
		facts = clean("sha256:") + name(short(f.SHA256))
	}
	if n := len(f.Instances); n > 0 {
		facts += clean(fmt.Sprintf(" with %d instances", n))
	}
	if f.AsOf != "" {
		facts += " (" + name(f.AsOf) + ")"
	}
	if t.o.Verbose && f.Source != "" {
		facts += " sha256:" + name(f.SHA256)
	}
	return facts
}

// subject says what a finding is about and where, as far as it knows.
func subject(f policy.Finding) clean {
	var parts []string
	if f.PURL != "" {
		parts = append(parts, string(name(f.PURL)))
	}
	if f.Server != "" {
		parts = append(parts, "server "+string(quoted(f.Server)))
	}
	if f.Location != nil && f.Location.Path != "" {
		parts = append(parts, string("at "+at(*f.Location)))
	}
	if len(parts) == 0 {
		return "the project"
	}
	return clean(strings.Join(parts, ", "))
}

// at writes a place as editors and terminals understand it.
func at(l policy.Location) clean {
	place := name(l.Path)
	if l.Line > 0 {
		place += clean(fmt.Sprintf(":%d", l.Line))
	}
	if l.Line > 0 && l.Column > 0 {
		place += clean(fmt.Sprintf(":%d", l.Column))
	}
	return place
}

// packageName returns name@version, with the ecosystem for all but npm.
func packageName(c policy.ComponentVerdict) clean {
	p, err := packageurl.FromString(c.PURL)
	if err != nil {
		return name(c.Ref)
	}
	full := p.Name
	if p.Namespace != "" {
		full = p.Namespace + "/" + full
	}
	if p.Version != "" {
		full += "@" + p.Version
	}
	if p.Type != string(sbom.NPM) {
		full = p.Type + ":" + full
	}
	return name(full)
}

// name makes a foreign name, path or URL visible, and cuts it to a name's length.
func name(s string) clean { return clean(visible.Escape(s, maxName)) }

func quoted(s string) clean {
	return `"` + clean(strings.ReplaceAll(string(name(s)), `"`, `\"`)) + `"`
}

// short abbreviates a hexadecimal digest.
func short(digest string) string {
	const shown = 12
	if len(digest) <= shown || strings.Trim(digest, "0123456789abcdefABCDEF") != "" {
		return digest
	}
	return digest[:shown]
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
