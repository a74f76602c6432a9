package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countermark/policy"
	"countermark/policy/report"
	"countermark/sbom/visible/visibletest"
)

// What is escaped for the eye reads back as it was.
func TestJSONRoundTrip(t *testing.T) {
	for _, name := range visibletest.Names() {
		v := failing()
		v.Subject.Name = name
		v.Findings[0].Server = "<&>" + name + "\U0001F600\U000e0041"
		var got policy.Verdict
		if err := json.Unmarshal([]byte(write(t, report.JSON, v)), &got); err != nil {
			t.Fatal(err)
		}
		// JSON has no invalid UTF-8.
		if want := strings.ToValidUTF8(name, "\ufffd"); strings.ReplaceAll(got.Subject.Name, "\ufffd\ufffd", "\ufffd") != strings.ReplaceAll(want, "\ufffd\ufffd", "\ufffd") && !strings.Contains(want, "\ufffd") {
			t.Errorf("%q came back as %q", name, got.Subject.Name)
		}
		if !strings.HasPrefix(got.Findings[0].Server, "<&>") || !strings.HasSuffix(got.Findings[0].Server, "\U0001F600\U000e0041") {
			t.Errorf("%q came back as %q", v.Findings[0].Server, got.Findings[0].Server)
		}
	}
}

func TestJSONForm(t *testing.T) {
	v := passing()
	v.Subject.Name = "a<b>&c\u202e\U000e0041##[x]"
	got := write(t, report.JSON, v)
	if want := `"name": "a<b>&c\u202e\udb40\udc41#\u0023[x]"`; !strings.Contains(got, want) {
		t.Errorf("no %s in:\n%s", want, got)
	}
	if !strings.HasPrefix(got, "{\n  \"schemaVersion\"") || !strings.HasSuffix(got, "}\n") {
		t.Errorf("form:\n%s", got)
	}
	if strings.Contains(got, "null") {
		t.Errorf("a list is null:\n%s", got)
	}
}

// Writing changes nothing in the verdict.
func TestReportsLeaveTheVerdict(t *testing.T) {
	v := failing()
	for _, format := range formats {
		write(t, format.write, v)
	}
	if diff := cmp.Diff(failing(), v); diff != "" {
		t.Error(diff)
	}
}

func TestWriteErrors(t *testing.T) {
	for _, format := range formats {
		if err := format.write(&fullDisk{writes: 1}, failing()); !errors.Is(err, errFull) {
			t.Errorf("%s: %v, want %v", format.name, err, errFull)
		}
	}
}

// Every number in the text is in the JSON, or counts entries of it.
func TestTextCounts(t *testing.T) {
	v := failing()
	got := write(t, text(report.TextOptions{}), v)
	for _, want := range []string{
		"FAIL  4 errors, 1 warning, 3 infos, 1 excepted\n",
		"7, and 2 MCP servers",
		"verified 1, unsupported 1, unavailable 3",
		"      3  provenance-unavailable",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

// Long lists are cut and say so; -v shows all of them.
func TestTextFolds(t *testing.T) {
	v := failing()
	for i := range 50 {
		v.Findings = append(v.Findings, policy.Finding{Rule: "x-no-gpl", Severity: policy.Error, PURL: "pkg:npm/p" + strings.Repeat("x", i), Message: "copyleft", Fix: "take another package", Fingerprint: sum})
	}
	brief := write(t, text(report.TextOptions{}), v)
	if !strings.Contains(brief, "... and 42 more (-v lists them)") || strings.Count(brief, "copyleft") != 1 {
		t.Errorf("not folded:\n%s", brief)
	}
	full := write(t, text(report.TextOptions{Verbose: true}), v)
	if strings.Contains(full, "more (-v") || strings.Count(full, "pkg:npm/p") < 50 {
		t.Errorf("not in full:\n%s", full)
	}
}

// A long remedy is written once, and then referred to.
func TestTextAdvice(t *testing.T) {
	long := strings.Repeat("do this and that, ", 10) + "and be done"
	v := verdict(policy.Fail, 1)
	for _, f := range []struct{ rule, message, fix string }{
		{"a", "one", long}, {"a", "two", long}, {"a", "three", "pin it"}, {"a", "four", "pin it"}, {"b", "five", long},
	} {
		v.Findings = append(v.Findings, policy.Finding{Rule: f.rule, Severity: policy.Error, Message: f.message, Fix: f.fix, Fingerprint: sum})
	}
	got := write(t, text(report.TextOptions{}), v)
	for _, want := range []string{
		"    one\n    -> do this and that,",
		"    two\n    -> as above\n",
		"    three\n    -> pin it\n",
		"    four\n    -> pin it\n",
		"    five\n    -> as above, for a\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "-> do this"); n != 1 {
		t.Errorf("the long remedy is written %d times:\n%s", n, got)
	}
}

func TestTextColour(t *testing.T) {
	var colour, plain bytes.Buffer
	if err := report.Text(report.NewPlain(&colour, report.Options{Color: true}), failing(), report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := report.Text(report.NewPlain(&plain, report.Options{}), failing(), report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(colour.String(), "\x1b[1;31mFAIL\x1b[0m  ") {
		t.Errorf("no colour: %q", colour.String()[:20])
	}
	var stripped strings.Builder
	for i, part := range strings.Split(colour.String(), "\x1b[") {
		if _, tail, ok := strings.Cut(part, "m"); ok && i > 0 {
			part = tail
		}
		stripped.WriteString(part)
	}
	if diff := cmp.Diff(plain.String(), stripped.String()); diff != "" {
		t.Errorf("colour changes the text:\n%s", diff)
	}
}
