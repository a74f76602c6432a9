package policy

import "time"

// Pending is the verdict while there is none: unknown, about nothing. It is
// written before the work begins, so that whatever happens then, nobody reads the
// pass of an earlier run.
func Pending(at time.Time, tool Tool) *Verdict {
	v := Evaluate(nil, Facts{Now: at, Tool: tool})
	v.Verdict, v.ExitCode = Unknown, exitUnknown
	return v
}
