package report

import (
	"strings"
	"testing"

	"countermark/policy"
)

// Inside the package, because the real limit takes long to reach.
func TestSARIFLimit(t *testing.T) {
	finding := func(rule string, s policy.Severity) policy.Finding {
		return policy.Finding{Rule: rule, Severity: s, Message: "m", Fix: "f"}
	}
	excepted := finding("x-excepted", policy.Error)
	excepted.Exception = &policy.Excepted{Reason: "r"}
	v := &policy.Verdict{Verdict: policy.Fail, Findings: []policy.Finding{
		excepted, finding("x-info", policy.Info), finding("x-warn", policy.Warn), finding("x-error", policy.Error),
	}}
	for _, test := range []struct {
		limit  int
		rules  string
		notice string
	}{
		{4, "x-excepted x-info x-warn x-error", ""},
		{3, "x-error x-warn x-info", "3 of 4 findings are in this file"},
		{1, "x-error", "1 of 4 findings are in this file"},
	} {
		run := newSARIF(v, nil, test.limit).Runs[0]
		var kept []string
		for _, r := range run.Results {
			kept = append(kept, r.RuleID)
		}
		if got := strings.Join(kept, " "); got != test.rules {
			t.Errorf("limit %d keeps %s, want %s", test.limit, got, test.rules)
		}
		var notices strings.Builder
		for _, n := range run.Invocations[0].ExecutionNotifications {
			notices.WriteString(n.Message.Text)
		}
		if got := notices.String(); !strings.HasPrefix(got, test.notice) || (got == "") != (test.notice == "") {
			t.Errorf("limit %d: notice %q, want %q", test.limit, got, test.notice)
		}
	}
}
