package policy

import (
	"fmt"
	"time"

	"countermark/sbom"
)

func findConfigIssues(e *evaluation, _ *Rule, report func(hit)) {
	for _, issue := range e.facts.ConfigIssues {
		report(hit{at: &Location{Path: issue.Path, Line: issue.Line}, message: issue.Message, fix: issue.Fix, detail: issue.Message})
	}
}

func findNoLockfile(e *evaluation, _ *Rule, report func(hit)) {
	e.findProblems(report, func(code sbom.ProblemCode) bool { return code == sbom.NoLockfile })
}

// findInvalidInput takes every code that is not known to be harmless or another
// rule's.
func findInvalidInput(e *evaluation, _ *Rule, report func(hit)) {
	e.findProblems(report, func(code sbom.ProblemCode) bool { return code != sbom.Warning && code != sbom.NoLockfile })
}

func (e *evaluation) findProblems(report func(hit), wanted func(sbom.ProblemCode) bool) {
	for _, in := range e.facts.Inventory.Inputs {
		for _, p := range in.Problems {
			if wanted(p.Code) {
				report(hit{
					at: &Location{Path: in.Path, Line: p.Line, Column: p.Column}, message: p.Message, fix: p.Hint,
					detail: string(p.Code) + " " + p.Message,
				})
			}
		}
	}
}

func findExpired(e *evaluation, _ *Rule, report func(hit)) {
	for i := range e.policy.exceptions {
		if x := &e.policy.exceptions[i]; x.expired(e.facts.Now) {
			report(e.policyHit(x, fmt.Sprintf("the exception of %s for %s ended on %s", x.rule, x.about(), x.expires.Format(time.DateOnly))))
		}
	}
}

// findUnused leaves out exceptions of rules that were not judged: nobody knows
// what they would cover.
func findUnused(e *evaluation, _ *Rule, report func(hit)) {
	for i := range e.policy.exceptions {
		x := &e.policy.exceptions[i]
		if e.used[i] || x.expired(e.facts.Now) || !e.judged(x.rule) {
			continue
		}
		report(e.policyHit(x, fmt.Sprintf("the exception of %s for %s covers nothing", x.rule, x.about())))
	}
}

func (e *evaluation) policyHit(x *exception, message string) hit {
	return hit{
		at: &Location{Path: e.policy.Name, Line: x.line, Column: x.column}, message: message,
		detail: x.rule + " " + x.about(),
	}
}
