package report

// The mapping to SARIF 2.1.0 (OASIS standard, 27 March 2020; section numbers are
// its). The types below are the subset that is used.
//
// A log has one run, and the run one result for each finding, excepted findings
// too.
//
// Result (3.27)
//   - ruleId, ruleIndex: the finding's rule, and its place in tool.driver.rules.
//   - level: error, warning or note for the severities error, warn and info.
//   - message.text: message, expected, actual and fix, one sentence each.
//   - locations: exactly one, and physical, because GitHub refuses a whole file for
//     one result without. It is the finding's own, else that of the first input,
//     else that of the policy file, else ".": a finding about the whole project is
//     shown beside the first file that says what the project is.
//   - The uri is relative to %SRCROOT%, which readers take for the repository's
//     root: [Below] makes it so where PATH is a folder in it. It is percent-encoded,
//     section 3.4.4.
//   - region.startLine is the finding's line, else 1: GitHub shows nothing without.
//     There is no column: ours count bytes, SARIF's count characters.
//   - logicalLocations: the package URL, and the server, where the finding has them.
//   - partialFingerprints: the finding's fingerprint, under our own name and under
//     primaryLocationLineHash, the only one that GitHub reads; without it, findings
//     of one rule on one line would become one alert.
//   - suppressions: for an excepted finding one, "external" and "accepted", with the
//     exception's reason, owner and expiry as justification.
//
// Invocation (3.20)
//   - exitCode is the verdict's; executionSuccessful is false where the verdict is
//     unknown, since then not everything was looked at.
//   - toolExecutionNotifications: the inputs' problems, and how many results were
//     left out.
//   - toolConfigurationNotifications: the rules that were not evaluated.
//
// Rules (3.49): every rule given, and rules that only findings name (custom ones),
// by name. No help URI: the project has no public home.
//
// Limits: GitHub refuses more than 25,000 results. The most severe are kept, and a
// notification says how many are missing.
//
// Encoding: viewers turn [text](target) in a message into a link, some read it as
// Markdown or HTML, and {0} is a placeholder (3.11.5). All text is made visible as
// everywhere (see package visible) and then escaped so that none of this can happen; see
// sarifText.

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"countermark/policy"
	"countermark/sbom"
	"countermark/sbom/lazyregexp"
	"countermark/sbom/visible"
)

// MaxSARIFResults is how many results a SARIF file holds at most.
const MaxSARIFResults = 25_000

const (
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	sarifVersion = "2.1.0"
	sourceRoot   = "%SRCROOT%"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string          `json:"id"`
	ShortDescription sarifMessage    `json:"shortDescription"`
	Help             sarifMessage    `json:"help"`
	Properties       sarifProperties `json:"properties"`
}

type sarifProperties struct {
	Tags []string `json:"tags"`
}

type sarifMessage struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifInvocation struct {
	ExecutionSuccessful        bool                `json:"executionSuccessful"`
	ExitCode                   int                 `json:"exitCode"`
	ExitCodeDescription        string              `json:"exitCodeDescription"`
	ConfigurationNotifications []sarifNotification `json:"toolConfigurationNotifications,omitempty"`
	ExecutionNotifications     []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level          string           `json:"level"`
	Message        sarifMessage     `json:"message"`
	Locations      []sarifLocation  `json:"locations,omitempty"`
	AssociatedRule *sarifDescriptor `json:"associatedRule,omitempty"`
}

type sarifDescriptor struct {
	ID    string `json:"id"`
	Index int    `json:"index"`
}

type sarifResult struct {
	RuleID              string             `json:"ruleId"`
	RuleIndex           int                `json:"ruleIndex"`
	Level               string             `json:"level"`
	Message             sarifMessage       `json:"message"`
	Locations           []sarifLocation    `json:"locations"`
	PartialFingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions        []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifLocation struct {
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI       string `json:"uri"`
	URIBaseID string `json:"uriBaseId"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifLogical struct {
	FullyQualifiedName string `json:"fullyQualifiedName"`
	Kind               string `json:"kind"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

// SARIF writes the verdict as a SARIF 2.1.0 log. The rules describe those that
// findings may name.
func SARIF(w io.Writer, v *policy.Verdict, rules []RuleDoc) error {
	if err := Indented(w, newSARIF(v, rules, MaxSARIFResults)); err != nil {
		return fmt.Errorf("write SARIF: %w", err)
	}
	return nil
}

// Below returns the verdict with its paths seen from a folder above PATH: base is
// what leads from there to PATH. The verdict given stays as it is.
func Below(base string, v *policy.Verdict) *policy.Verdict {
	if base == "" || base == "." {
		return v
	}
	moved := *v
	moved.Policy.Name = path.Join(base, v.Policy.Name)
	moved.Inputs = slices.Clone(v.Inputs)
	for i := range moved.Inputs {
		moved.Inputs[i].Path = path.Join(base, moved.Inputs[i].Path)
	}
	moved.Findings = slices.Clone(v.Findings)
	for i, f := range moved.Findings {
		if f.Location != nil {
			at := *f.Location
			at.Path = path.Join(base, at.Path)
			moved.Findings[i].Location = &at
		}
	}
	return &moved
}

// newSARIF returns the log with at most that many results.
func newSARIF(v *policy.Verdict, rules []RuleDoc, limit int) sarifLog {
	all := allRules(v, rules)
	index := make(map[string]int, len(all))
	run := sarifRun{Tool: sarifTool{Driver: sarifDriver{Name: sarifText(v.Tool.Name), Version: sarifText(v.Tool.Version)}}, Results: []sarifResult{}}
	for i, rule := range all {
		index[rule.Name] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(rule))
	}
	findings := mostSevere(v.Findings, limit)
	for _, f := range findings {
		run.Results = append(run.Results, sarifResultOf(v, f, index[f.Rule]))
	}
	run.Invocations = []sarifInvocation{invocation(v, len(findings), index)}
	return sarifLog{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{run}}
}

// allRules returns the rules given and those that only the verdict names, by name.
func allRules(v *policy.Verdict, rules []RuleDoc) []RuleDoc {
	all := slices.Clone(rules)
	known := map[string]bool{}
	for _, rule := range rules {
		known[rule.Name] = true
	}
	add := func(name string) {
		if !known[name] {
			known[name] = true
			all = append(all, RuleDoc{Name: name})
		}
	}
	for _, f := range v.Findings {
		add(f.Rule)
	}
	for _, n := range v.NotEvaluated {
		add(n.Rule)
	}
	slices.SortStableFunc(all, func(a, b RuleDoc) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func sarifRuleOf(rule RuleDoc) sarifRule {
	summary := cmp.Or(rule.Summary, "a rule of the policy")
	help := cmp.Or(rule.Help, summary)
	return sarifRule{
		ID:               visible.Text(rule.Name),
		ShortDescription: sarifMessage{Text: sarifText(summary)},
		Help:             sarifMessage{Text: eachLine(help, sarifText), Markdown: eachLine(help, markdown)},
		Properties:       sarifProperties{Tags: []string{"security", "supply-chain"}},
	}
}

// mostSevere returns at most limit findings in their order, leaving out the least
// severe.
func mostSevere(findings []policy.Finding, limit int) []policy.Finding {
	if len(findings) <= limit {
		return findings
	}
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b policy.Finding) int { return cmp.Compare(rank(a), rank(b)) })
	return sorted[:limit]
}

// rank orders findings by what they mean for the answer: errors first, excepted
// ones last.
func rank(f policy.Finding) int {
	if f.Exception != nil {
		return len(severities)
	}
	return slices.Index(severities, f.Severity)
}

var severities = []policy.Severity{policy.Error, policy.Warn, policy.Info}

func level(s policy.Severity) string {
	switch s {
	case policy.Error:
		return "error"
	case policy.Warn:
		return "warning"
	default:
		return "note"
	}
}

func sarifResultOf(v *policy.Verdict, f policy.Finding, rule int) sarifResult {
	where := place(v, f)
	location := physical(where.Path, where.Line)
	if f.PURL != "" {
		location.Logical = append(location.Logical, sarifLogical{FullyQualifiedName: sarifText(f.PURL), Kind: "package"})
	}
	if f.Server != "" {
		location.Logical = append(location.Logical, sarifLogical{FullyQualifiedName: sarifText(f.Server), Kind: "server"})
	}
	return sarifResult{
		RuleID:              visible.Text(f.Rule),
		RuleIndex:           rule,
		Level:               level(f.Severity),
		Message:             sarifMessage{Text: resultText(f)},
		Locations:           []sarifLocation{location},
		PartialFingerprints: map[string]string{Program + "/v1": f.Fingerprint, "primaryLocationLineHash": f.Fingerprint},
		Suppressions:        suppressions(f.Exception),
	}
}

func resultText(f policy.Finding) string {
	parts := []string{sentence(f.Message)}
	if f.Expected != "" {
		parts = append(parts, sentence("Expected: "+f.Expected))
	}
	if f.Actual != "" {
		parts = append(parts, sentence("Found: "+f.Actual))
	}
	if f.Fix != "" {
		parts = append(parts, sentence("What to do: "+f.Fix))
	}
	return strings.Join(parts, " ")
}

func sentence(text string) string {
	text = sarifText(text)
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// place says beside which file a finding is shown.
func place(v *policy.Verdict, f policy.Finding) policy.Location {
	switch {
	case f.Location != nil && f.Location.Path != "":
		return *f.Location
	case len(v.Inputs) > 0:
		return policy.Location{Path: v.Inputs[0].Path}
	case v.Policy.Name != "" && v.Policy.SHA256 != "": // a file, not the built-in policy
		return policy.Location{Path: v.Policy.Name}
	default:
		return policy.Location{Path: "."}
	}
}

func physical(file string, line int) sarifLocation {
	return sarifLocation{Physical: sarifPhysical{
		Artifact: sarifArtifact{URI: relativeURI(file), URIBaseID: sourceRoot},
		Region:   sarifRegion{StartLine: max(line, 1)},
	}}
}

// relativeURI returns a path as a relative reference (RFC 3986, section 4.2): every
// segment percent-encoded, with no scheme, host, query or fragment, whatever the
// name of the file is.
func relativeURI(file string) string {
	segments := strings.Split(cmp.Or(strings.TrimLeft(path.Clean(file), "/"), "."), "/")
	for i, s := range segments {
		// PathEscape leaves what may stand in a segment. But a colon in the first one
		// would make it a scheme, and quotes and parentheses end links in Markdown.
		segments[i] = unsafeInURI.Replace(url.PathEscape(s))
	}
	return strings.Join(segments, "/")
}

func suppressions(e *policy.Excepted) []sarifSuppression {
	if e == nil {
		return nil
	}
	justification := e.Reason
	if e.Owner != "" {
		justification += "; owner: " + e.Owner
	}
	if e.Expires != "" {
		justification += "; expires: " + e.Expires
	}
	return []sarifSuppression{{Kind: "external", Status: "accepted", Justification: sarifText(justification)}}
}

func invocation(v *policy.Verdict, kept int, rules map[string]int) sarifInvocation {
	inv := sarifInvocation{
		ExecutionSuccessful: v.Verdict != policy.Unknown,
		ExitCode:            v.ExitCode,
		ExitCodeDescription: visible.Text(string(v.Verdict)),
	}
	for _, n := range v.NotEvaluated {
		inv.ConfigurationNotifications = append(inv.ConfigurationNotifications, sarifNotification{
			Level:          "note",
			Message:        sarifMessage{Text: sarifText("not evaluated: " + n.Reason)},
			AssociatedRule: &sarifDescriptor{ID: visible.Text(n.Rule), Index: rules[n.Rule]},
		})
	}
	if kept < len(v.Findings) {
		inv.ExecutionNotifications = append(inv.ExecutionNotifications, sarifNotification{
			Level:   "warning",
			Message: sarifMessage{Text: fmt.Sprintf("%d of %d findings are in this file, the most severe ones: code scanning takes no more. All of them are in the verdict.", kept, len(v.Findings))},
		})
	}
	for _, in := range v.Inputs {
		for _, p := range in.Problems {
			inv.ExecutionNotifications = append(inv.ExecutionNotifications, sarifNotification{
				Level:     problemLevel(p),
				Message:   sarifMessage{Text: sarifText(in.Path + ": " + p.Message)},
				Locations: []sarifLocation{physical(in.Path, p.Line)},
			})
		}
	}
	return inv
}

func problemLevel(p policy.InputProblem) string {
	if p.Code == string(sbom.Warning) {
		return "warning"
	}
	return "error"
}

var (
	brackets    = strings.NewReplacer("[", `\[`, "]", `\]`)
	unsafeInURI = strings.NewReplacer(":", "%3A", "'", "%27", "(", "%28", ")", "%29")
	placeholder = lazyregexp.New(`\{(\d+)\}`)
	tag         = lazyregexp.New(`<([A-Za-z/!?])`)
)

// sarifText encodes foreign text for the plain text of a message: brackets are
// escaped as section 3.11.6 asks, and because not every viewer follows it, the
// parenthesis of a link, the bracket of an HTML tag and the braces of a placeholder
// stand as escapes too.
func sarifText(s string) string {
	s = visible.Text(s)
	s = strings.ReplaceAll(s, "](", `]\x28`)
	s = brackets.Replace(s)
	s = tag.ReplaceAllString(s, `\x3c$1`)
	return placeholder.ReplaceAllString(s, `\x7b$1\x7d`)
}

// markdown encodes one line of plain text for Markdown (CommonMark 0.31, section
// 2.4: any ASCII punctuation may be escaped).
func markdown(line string) string {
	var b strings.Builder
	for _, r := range visible.Text(line) {
		if strings.ContainsRune("\\`*_{}[]<>()#+-!|~&@:", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func eachLine(text string, encode func(string) string) string {
	split := strings.Split(text, "\n")
	for i, line := range split {
		split[i] = encode(line)
	}
	return strings.Join(split, "\n")
}
