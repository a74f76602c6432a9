package report_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countermark/policy"
	"countermark/policy/report"
	"countermark/sbom/visible/visibletest"
	"countermark/schemas"
	"countermark/schemas/official"
)

var update = flag.Bool("update", false, "write the golden files")

var rules = []report.RuleDoc{
	{Name: "malicious", Summary: "the version is known to be malicious", Help: "An advisory lists this version.\nRemove it, and rotate what it could read."},
	{Name: "source-unvouched", Summary: "nobody vouches for the source", Help: "Name the expected repository in `sources:`."},
	{Name: "provenance-unavailable", Summary: "the attestations could not be had", Help: "Allow the network, or give them with --attestations."},
	{Name: "version-floating", Summary: "the version is not pinned", Help: "Write an exact version: name@1.2.3."},
}

var sum = strings.Repeat("0123456789abcdef", 4)

func verdict(answer policy.Answer, code int) *policy.Verdict {
	fact := policy.TrustFact{SHA256: sum, Source: "embedded", AsOf: "2026-11-01"}
	return &policy.Verdict{
		SchemaVersion: policy.SchemaVersion,
		Verdict:       answer,
		ExitCode:      code,
		EvaluatedAt:   "2026-11-23T00:00:00Z",
		Mode:          "enforce",
		Tool:          policy.Tool{Name: "countermark", Version: "0.1.0"},
		Subject:       policy.VerdictSubject{Name: "app", Version: "1.0.0", Digest: "sha256:" + sum},
		Policy:        policy.PolicyFacts{Name: "countermark.yaml", Profile: "baseline", SHA256: sum},
		Trust:         policy.TrustFacts{TrustedRoot: fact, NPMKeys: fact, Catalog: policy.TrustFact{SHA256: sum}, Advisories: fact},
	}
}

// failing has errors, warnings and remarks, folded and not, an exception, and
// something proven.
func failing() *policy.Verdict {
	v := verdict(policy.Fail, 1)
	v.Inputs = []policy.InputFacts{
		{Path: "claude_desktop_config.json", Kind: "claude-desktop", SHA256: sum, Components: 3},
		{Path: "package-lock.json", Kind: "package-lock.json", SHA256: sum, Components: 4,
			Problems: []policy.InputProblem{{Code: "warning", Line: 7, Message: "the key \"a\" is there twice: the last one counts", Hint: "remove one"}}},
	}
	v.Summary = policy.Summary{Components: 7, Servers: 2, Provenance: map[string]int{"unavailable": 3, "verified": 1, "unsupported": 1},
		Findings: policy.FindingCounts{Error: 4, Warn: 1, Info: 3}, Excepted: 1}
	v.Components = []policy.ComponentVerdict{
		{Ref: "pkg:npm/debug@4.3.4", PURL: "pkg:npm/debug@4.3.4", Scope: "required", Origin: "direct", Provenance: &policy.ProvenanceVerdict{State: "unavailable"}},
		{Ref: "pkg:npm/%40acme/tool@1.0.0", PURL: "pkg:npm/%40acme/tool@1.0.0", Scope: "required", Origin: "direct", Provenance: proven("https://github.com/acme/tool", "policy")},
		{Ref: "pkg:npm/sigstore@1.3.0", PURL: "pkg:npm/sigstore@1.3.0", Scope: "required", Origin: "mcp", Provenance: proven("https://github.com/sigstore/sigstore-js", "catalog")},
		{Ref: "pkg:pypi/server@2.0", PURL: "pkg:pypi/server@2.0", Origin: "mcp", Provenance: proven("https://github.com/acme/server", "policy")},
	}
	mail := policy.Finding{Rule: "malicious", Severity: policy.Error, Ref: "pkg:npm/postmark-mcp", PURL: "pkg:npm/postmark-mcp", Server: "postmark",
		Message: "the floating spec could select postmark-mcp 1.0.16, which MAL-2025-47604 lists: it sends a blind copy of every mail to its author",
		Actual:  "no version is pinned", Expected: "a version that no advisory lists",
		Location: &policy.Location{Path: "claude_desktop_config.json", Line: 5, Column: 7},
		Fix:      "replace the server by the vendor's own, https://github.com/ActiveCampaign/postmark-mcp, and rotate the credentials in its environment", Fingerprint: sum}
	again := mail
	again.Location = &policy.Location{Path: ".mcp.json", Line: 3}
	v.Findings = []policy.Finding{mail, again}
	for _, p := range []string{"pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0"} {
		v.Findings = append(v.Findings, policy.Finding{Rule: "x-no-gpl", Severity: policy.Error, Ref: p, PURL: p, Message: "copyleft", Fix: "take another package", Fingerprint: sum,
			Location: &policy.Location{Path: "package-lock.json", Line: 9}})
	}
	v.Findings = append(v.Findings,
		policy.Finding{Rule: "version-floating", Severity: policy.Warn, Server: "files", Message: "npx would run whatever is newest", Expected: "an exact version", Actual: "latest", Fix: "pin it", Fingerprint: sum,
			Location: &policy.Location{Path: "a folder/ünïcode#1.json", Line: 2}},
		policy.Finding{Rule: "version-floating", Severity: policy.Warn, Server: "legacy", Message: "npx would run whatever is newest", Fix: "pin it", Fingerprint: sum,
			Exception: &policy.Excepted{Reason: "goes away in March", Owner: "ops@example.com", Expires: "2027-01-31"}},
	)
	for _, p := range []string{"pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0", "pkg:npm/debug@4.3.4"} {
		v.Findings = append(v.Findings, policy.Finding{Rule: "provenance-unavailable", Severity: policy.Info, Ref: p, PURL: p, Message: "no attestations are at hand", Fix: "allow the network", Fingerprint: sum})
	}
	return v
}

func proven(repo, by string) *policy.ProvenanceVerdict {
	return &policy.ProvenanceVerdict{State: "verified", ExpectedFrom: by, DigestFrom: "lockfile",
		Source:   &policy.SourceVerdict{URI: repo, Ref: "refs/tags/v1.3.0", Digest: "9c1ac5d8e05a1a7bce9d8f9c0e9b1a2d3c4e5f60"},
		Workflow: ".github/workflows/release.yml", Runner: "github-hosted", LogIndex: 7, IntegratedTime: "2023-04-18T13:11:25Z"}
}

func passing() *policy.Verdict {
	v := verdict(policy.Pass, 0)
	v.Offline = true
	v.Inputs = []policy.InputFacts{{Path: ".mcp.json", Kind: "mcp", SHA256: sum, Components: 1}}
	v.Summary = policy.Summary{Components: 1, Servers: 1, Provenance: map[string]int{"verified": 1}}
	v.Components = []policy.ComponentVerdict{{Ref: "pkg:npm/sigstore@1.3.0", PURL: "pkg:npm/sigstore@1.3.0", Origin: "mcp", Provenance: proven("https://github.com/sigstore/sigstore-js", "policy")}}
	return v
}

func unknown() *policy.Verdict {
	v := verdict(policy.Unknown, 3)
	v.Inputs = []policy.InputFacts{{Path: "package-lock.json", Kind: "package-lock.json", Problems: []policy.InputProblem{
		{Code: "invalid", Line: 12, Column: 3, Message: "unexpected end of file", Hint: "write the lockfile again with npm install --package-lock-only"}}}}
	v.Summary = policy.Summary{Provenance: map[string]int{}, Findings: policy.FindingCounts{Error: 1}}
	v.NotEvaluated = []policy.NotEvaluated{{Rule: "release-age", Reason: "the registry was not asked (offline)"}}
	v.Findings = []policy.Finding{{Rule: "input-invalid", Severity: policy.Error, Message: "package-lock.json could not be read in full", Fix: "mend the file", Fingerprint: sum,
		Location: &policy.Location{Path: "package-lock.json", Line: 12, Column: 3}}}
	return v
}

// nothing stands for a verdict before anything was read.
func nothing() *policy.Verdict { return verdict(policy.Unknown, 4) }

// hostileVerdict has that name wherever foreign text can be.
func hostileVerdict(name string) *policy.Verdict {
	v := verdict(policy.Fail, 1)
	v.Subject.Name, v.Subject.Version, v.Policy.Name, v.Policy.Profile = name, name, name, name
	v.Tool.Version = name
	v.Inputs = []policy.InputFacts{{Path: name, Kind: name, Problems: []policy.InputProblem{{Code: "invalid", Line: 1, Message: name, Hint: name}}}}
	v.NotEvaluated = []policy.NotEvaluated{{Rule: "x-a", Reason: name}}
	v.Components = []policy.ComponentVerdict{{Ref: name, Provenance: &policy.ProvenanceVerdict{State: "verified", ExpectedFrom: name, DigestFrom: name,
		Source: &policy.SourceVerdict{URI: name, Ref: name, Digest: name}, Workflow: name, Runner: name, IntegratedTime: "2023-04-18T13:11:25Z"}}}
	finding := policy.Finding{Rule: "malicious", Severity: policy.Error, Ref: name, Server: name, Message: name, Expected: name, Actual: name, Fix: name, Fingerprint: sum,
		Location: &policy.Location{Path: name, Line: 1}}
	excepted := finding
	excepted.Exception = &policy.Excepted{Reason: name, Owner: name}
	warning := finding
	warning.Severity, warning.Rule = policy.Warn, "version-floating"
	v.Findings = []policy.Finding{finding, excepted, warning}
	v.Summary = policy.Summary{Components: 1, Servers: 1, Provenance: map[string]int{"verified": 1}, Findings: policy.FindingCounts{Error: 1, Warn: 1}, Excepted: 1}
	return v
}

func text(o report.TextOptions) func(io.Writer, *policy.Verdict) error {
	return func(w io.Writer, v *policy.Verdict) error {
		return report.Text(report.NewPlain(w, report.Options{}), v, o)
	}
}

func sarif(w io.Writer, v *policy.Verdict) error { return report.SARIF(w, v, rules) }

var formats = []struct {
	name  string
	write func(io.Writer, *policy.Verdict) error
}{
	{"txt", text(report.TextOptions{Rules: rules})},
	{"verbose.txt", text(report.TextOptions{Rules: rules, Verbose: true})},
	{"quiet.txt", text(report.TextOptions{Quiet: true})},
	{"json", report.JSON},
	{"sarif", sarif},
}

func TestGolden(t *testing.T) {
	for name, v := range map[string]*policy.Verdict{"fail": failing(), "pass": passing(), "unknown": unknown(), "nothing": nothing()} {
		for _, format := range formats {
			t.Run(name+"."+format.name, func(t *testing.T) {
				got := write(t, format.write, v)
				file := filepath.Join("testdata", name+"."+format.name)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("%s (-want +got); go test -update writes it anew:\n%s", file, diff)
				}
				validate(t, format.name, got)
			})
		}
	}
}

func write(t *testing.T, format func(io.Writer, *policy.Verdict) error, v *policy.Verdict) string {
	t.Helper()
	var b bytes.Buffer
	if err := format(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// validate holds JSON and SARIF against their schemas.
func validate(t *testing.T, format, document string) {
	t.Helper()
	var err error
	switch format {
	case "json":
		err = schemas.Validate("verdict.schema.json", []byte(document))
	case "sarif":
		err = official.SARIF([]byte(document))
	}
	if err != nil {
		t.Errorf("against the schema: %v", err)
	}
}

// Whatever others named their things, no format shows it as more than a name.
func TestHostileNames(t *testing.T) {
	for _, name := range visibletest.Names() {
		v := hostileVerdict(name)
		for _, format := range formats {
			t.Run(format.name, func(t *testing.T) {
				got := write(t, format.write, v)
				requireHarmless(t, got)
				validate(t, format.name, got)
			})
		}
	}
}

// A hostile name adds no line to the text: it has as many as with a harmless one.
func TestHostileNamesStayOnTheirLine(t *testing.T) {
	want := strings.Count(write(t, text(report.TextOptions{}), hostileVerdict("a")), "\n")
	for _, name := range visibletest.Names() {
		if strings.Count(name, " ") > 0 {
			continue // words may be wrapped
		}
		got := write(t, text(report.TextOptions{}), hostileVerdict(name))
		if n := strings.Count(got, "\n"); n != want {
			t.Errorf("%q: %d lines, want %d:\n%s", name, n, want, got)
		}
	}
}

// TestUndecided: of the rules that were not evaluated, those that the policy asks
// for leave the answer unknown, and are named beside it, however little is shown.
func TestUndecided(t *testing.T) {
	v := unknown()
	v.Findings = nil
	v.NotEvaluated = []policy.NotEvaluated{
		{Rule: "launch-drift", Reason: "the lock is not read"},
		{Rule: "release-age", Reason: "the registry was not asked (offline)", Decides: true},
	}
	var b strings.Builder
	if err := report.Text(report.NewPlain(&b, report.Options{}), v, report.TextOptions{Quiet: true}); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(b.String()), " ")
	if want := "the policy asks for release-age, which is not evaluated: the registry was not asked (offline)"; !strings.Contains(got, want) || strings.Contains(got, "launch-drift") {
		t.Errorf("%s", b.String())
	}
}
