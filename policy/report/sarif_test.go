package report_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"countermark/policy"
	"countermark/policy/report"
	"countermark/sbom/visible/visibletest"
)

// sarifRun is what the tests read of a SARIF log, written down apart from the code
// under test.
type sarifRun struct {
	Tool struct {
		Driver struct {
			Rules []struct {
				ID   string
				Help struct{ Text, Markdown string }
			}
		}
	}
	Invocations []struct {
		ExecutionSuccessful            bool
		ExitCode                       int
		ToolExecutionNotifications     []struct{ Message struct{ Text string } }
		ToolConfigurationNotifications []struct {
			Message        struct{ Text string }
			AssociatedRule struct {
				ID    string
				Index int
			}
		}
	}
	Results []struct {
		RuleID    string
		RuleIndex int
		Level     string
		Message   struct{ Text string }
		Locations []struct {
			PhysicalLocation struct {
				ArtifactLocation struct{ URI, URIBaseID string }
				Region           struct{ StartLine int }
			}
		}
		PartialFingerprints map[string]string
		Suppressions        []struct{ Kind, Status, Justification string }
	}
}

func readSARIF(t *testing.T, v *policy.Verdict) sarifRun {
	t.Helper()
	document := write(t, sarif, v)
	validate(t, "sarif", document)
	var log struct{ Runs []sarifRun }
	if err := json.Unmarshal([]byte(document), &log); err != nil {
		t.Fatal(err)
	}
	if len(log.Runs) != 1 {
		t.Fatalf("%d runs", len(log.Runs))
	}
	return log.Runs[0]
}

// Every result has what GitHub refuses a file without.
func TestSARIFForGitHub(t *testing.T) {
	v := failing()
	run := readSARIF(t, v)
	if len(run.Results) != len(v.Findings) {
		t.Fatalf("%d results for %d findings", len(run.Results), len(v.Findings))
	}
	levels := map[policy.Severity]string{policy.Error: "error", policy.Warn: "warning", policy.Info: "note"}
	for i, r := range run.Results {
		f := v.Findings[i]
		if r.RuleID != f.Rule || run.Tool.Driver.Rules[r.RuleIndex].ID != f.Rule {
			t.Errorf("result %d: rule %q, index %d; want %q", i, r.RuleID, r.RuleIndex, f.Rule)
		}
		if r.Level != levels[f.Severity] {
			t.Errorf("result %d: level %q for severity %q", i, r.Level, f.Severity)
		}
		if len(r.Locations) != 1 || r.Locations[0].PhysicalLocation.ArtifactLocation.URI == "" || r.Locations[0].PhysicalLocation.Region.StartLine < 1 {
			t.Errorf("result %d: locations %+v", i, r.Locations)
		}
		if r.PartialFingerprints["primaryLocationLineHash"] != f.Fingerprint {
			t.Errorf("result %d: fingerprints %q", i, r.PartialFingerprints)
		}
		if excepted := len(r.Suppressions) == 1 && r.Suppressions[0].Kind == "external" && strings.Contains(r.Suppressions[0].Justification, "goes away in March"); excepted != (f.Exception != nil) {
			t.Errorf("result %d: suppressions %+v, exception %+v", i, r.Suppressions, f.Exception)
		}
	}
	for _, rule := range run.Tool.Driver.Rules {
		if rule.Help.Text == "" || rule.Help.Markdown == "" {
			t.Errorf("rule %s has no help", rule.ID)
		}
	}
}

func TestSARIFInvocation(t *testing.T) {
	run := readSARIF(t, unknown())
	inv := run.Invocations[0]
	if inv.ExecutionSuccessful || inv.ExitCode != 3 {
		t.Errorf("unknown: successful %t, exit code %d", inv.ExecutionSuccessful, inv.ExitCode)
	}
	if len(inv.ToolExecutionNotifications) != 1 || !strings.Contains(inv.ToolExecutionNotifications[0].Message.Text, "unexpected end of file") {
		t.Errorf("unknown: %+v", inv.ToolExecutionNotifications)
	}
	if n := inv.ToolConfigurationNotifications; len(n) != 1 || run.Tool.Driver.Rules[n[0].AssociatedRule.Index].ID != "release-age" {
		t.Errorf("unknown: %+v", n)
	}
	for _, v := range []*policy.Verdict{failing(), passing()} {
		inv := readSARIF(t, v).Invocations[0]
		for _, n := range inv.ToolExecutionNotifications {
			if strings.Contains(n.Message.Text, "findings are in this file") {
				t.Errorf("%s: a notice, though nothing is missing: %s", v.Verdict, n.Message.Text)
			}
		}
		if !inv.ExecutionSuccessful || inv.ExitCode != v.ExitCode {
			t.Errorf("%s: successful %t, exit code %d", v.Verdict, inv.ExecutionSuccessful, inv.ExitCode)
		}
	}
}

// A finding without a place of its own still gets one.
func TestSARIFPlace(t *testing.T) {
	nowhere := policy.Finding{Rule: "x-a", Severity: policy.Error, Message: "m", Fix: "f", Fingerprint: sum}
	for _, test := range []struct {
		name   string
		change func(v *policy.Verdict)
		want   string
	}{
		{"first input", func(*policy.Verdict) {}, ".mcp.json"},
		{"policy file", func(v *policy.Verdict) { v.Inputs = nil }, "countermark.yaml"},
		{"nothing", func(v *policy.Verdict) {
			v.Inputs, v.Policy = nil, policy.PolicyFacts{Name: "built-in", Profile: "baseline"}
		}, "."},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := passing()
			v.Findings = []policy.Finding{nowhere}
			test.change(v)
			got := readSARIF(t, v).Results[0].Locations[0].PhysicalLocation
			if got.ArtifactLocation.URI != test.want || got.Region.StartLine != 1 {
				t.Errorf("at %s:%d, want %s:1", got.ArtifactLocation.URI, got.Region.StartLine, test.want)
			}
		})
	}
}

// A path is a relative reference, whatever it is named.
func TestSARIFPaths(t *testing.T) {
	for path, want := range map[string]string{
		"a/b.json":            "a/b.json",
		"a b/c#d?e%20":        "a%20b/c%23d%3Fe%2520",
		"javascript:alert(1)": "javascript%3Aalert%281%29",
		"//evil.example/x":    "evil.example/x",
		"ünïcode":             "%C3%BCn%C3%AFcode",
		`c:\x`:                "c%3A%5Cx",
		"\xff\n":              "%FF%0A",
		"/":                   ".",
	} {
		v := passing()
		v.Findings = []policy.Finding{{Rule: "x-a", Severity: policy.Error, Message: "m", Fix: "f", Fingerprint: sum, Location: &policy.Location{Path: path, Line: 1}}}
		got := readSARIF(t, v).Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI
		if got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
		if u, err := url.Parse(got); err != nil || u.IsAbs() || u.Host != "" {
			t.Errorf("%q: %q is no relative reference: %v", path, got, err)
		}
	}
}

func TestSARIFText(t *testing.T) {
	for in, want := range map[string]string{
		"plain <2.0.0 (a|b) https://a.example/b": "plain <2.0.0 (a|b) https://a.example/b.",
		"[click](http://evil.example)":           `\[click\]\x28http://evil.example).`,
		"<script>alert(1)</script>":              `\x3cscript>alert(1)\x3c/script>.`,
		"{0} ${A} {}":                            `\x7b0\x7d ${A} {}.`,
		"a\nb":                                   `a\nb.`,
		`back\slash`:                             `back\\slash.`,
	} {
		v := passing()
		v.Findings = []policy.Finding{{Rule: "x-a", Severity: policy.Error, Message: in, Fingerprint: sum}}
		if got := readSARIF(t, v).Results[0].Message.Text; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Nothing that a viewer could render as a link, an image or a tag is left.
func TestSARIFHoldsNoMarkup(t *testing.T) {
	markup := regexp.MustCompile(`\]\(|<[A-Za-z/!]`)
	for _, name := range visibletest.Names() {
		if found := markup.FindString(write(t, sarif, hostileVerdict(name))); found != "" {
			t.Errorf("%q leaves %q", name, found)
		}
	}
}

// A custom rule's help is the policy author's text.
func TestSARIFHelp(t *testing.T) {
	var b strings.Builder
	err := report.SARIF(&b, passing(), []report.RuleDoc{{Name: "x-a", Summary: "s", Help: "see [this](http://x.example)\n*now* <b>"}})
	if err != nil {
		t.Fatal(err)
	}
	var log struct{ Runs []sarifRun }
	if err := json.Unmarshal([]byte(b.String()), &log); err != nil {
		t.Fatal(err)
	}
	help := log.Runs[0].Tool.Driver.Rules[0].Help
	if want := "see \\\\\\[this\\\\\\]\\\\x28http"; strings.Contains(help.Text, want) {
		t.Errorf("help.text is Markdown: %q", help.Text)
	}
	if want := "see \\[this\\]\\(http\\://x.example\\)\n\\*now\\* \\<b\\>"; help.Markdown != want {
		t.Errorf("help.markdown = %q, want %q", help.Markdown, want)
	}
	if strings.Count(help.Text, "\n") != 1 {
		t.Errorf("help.text lost its line break: %q", help.Text)
	}
}
