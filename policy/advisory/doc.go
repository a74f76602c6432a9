// Package advisory knows which versions of packages are reported as malicious.
//
// In flow records in the form of the Open Source Vulnerability format
// (https://ossf.github.io/osv-schema/): the small list embedded here, read by
// [Embedded] on first use, or a feed given to [Parse]. Out flow two answers,
// each found by name in constant time: [DB.Affecting], the advisories about one
// version, and [DB.Selectable], those about any version that a floating request
// could select.
//
// Versions are compared as the format's evaluation algorithm says, by the order
// of the ecosystem. Where that is not possible (a version that is none), the
// answer is the advisory, with a note: it is better to look at one package too
// many. Withdrawn records never match. A record that cannot be read in full is
// an error that names it, never left out, since what it says is then unknown.
//
// The embedded list is short by intent: it holds incidents of MCP servers and
// of packages that they depend on. Its sentences are this project's; ids,
// versions and dates are those of github.com/ossf/malicious-packages.
package advisory
