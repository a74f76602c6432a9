// Package report writes a verdict for its readers: people ([Text]), programs
// ([JSON]) and code scanning ([SARIF]).
//
// In flows a finished [policy.Verdict], which no report changes, judges or adds to:
// every number that a report shows is in the verdict's JSON. Out flow bytes, the
// same for the same verdict: no clock, no environment, no terminal width.
//
// A verdict quotes foreign data: names of servers, paths, what a registry or a
// certificate says. Each format encodes it for its own sink, and [Plain] is the one
// writer of everything that people read on terminals and in CI logs, the program's
// own errors included. [WriteFile] puts a report into a file, whole or not at all.
package report

// Program is the name before every message to people.
const Program = "countermark"

// RuleDoc describes a rule to a reader, in plain text.
type RuleDoc struct {
	Name    string // "source-mismatch"
	Summary string // one line: what the rule finds
	Help    string // what it means and what to do
}
