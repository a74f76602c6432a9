package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countermark/policy/advisory"
	"countermark/policy/catalog"
	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/bom"
	"countermark/sbom/node"
)

// twoErrors are the severities of two findings.
const twoErrors = "error" + " " + "error"

var (
	now = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	sum = strings.Repeat("ab", 64)
)

const (
	mcp        = sbom.OriginMCP
	direct     = sbom.OriginDirect
	transitive = sbom.OriginTransitive
	registry   = "https://registry.example/"
)

// library is an npm package with which nothing is wrong, except that nobody
// vouches for it.
func library(name, version string, origin sbom.Origin, change ...func(*sbom.Component)) *sbom.Component {
	purl := "pkg:npm/" + strings.Replace(name, "@", "%40", 1)
	if version != "" {
		purl += "@" + version
	}
	c := &sbom.Component{
		Ref: purl, PURL: purl, Type: sbom.Library, Ecosystem: sbom.NPM, Name: name, Version: version,
		Source: sbom.FromRegistry, Hashes: []sbom.Hash{{Algorithm: "sha512", Value: sum}}, Origin: origin, Scope: sbom.Required,
		Occurrences: []sbom.Occurrence{{Path: "package-lock.json", Line: 7, Column: 5}},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// launchedFromGit is what a server launches from a repository: no package of any
// registry.
func launchedFromGit(url string) *sbom.Component {
	purl := "pkg:generic/tool?vcs_url=" + url
	return &sbom.Component{
		Ref: purl, PURL: purl, Type: sbom.Library, Name: "harmless-tool", Source: sbom.FromGit, Resolved: url, Origin: mcp,
		Occurrences: []sbom.Occurrence{{Path: ".mcp.json", Line: 3}},
	}
}

// starting is a server that launches something.
func starting(name string, change func(*sbom.Server), what ...sbom.Launch) *sbom.Component {
	s := &sbom.Server{File: ".mcp.json", Name: name, Client: "claude-code", Line: 3, Column: 5, Launches: what}
	if len(what) > 0 {
		s.Kind, s.Spec, s.Pin = what[0].Kind, what[0].Spec, what[0].Pin
	}
	if change != nil {
		change(s)
	}
	return &sbom.Component{Ref: "mcp:.mcp.json#" + name, Type: sbom.Application, Name: name, Server: s}
}

func pinned(c *sbom.Component) sbom.Launch {
	return sbom.Launch{Ref: c.Ref, Kind: sbom.KindNPM, Spec: c.Name + "@" + c.Version, Pin: sbom.PinExact, Request: c.Version}
}

func unpinned(c *sbom.Component) sbom.Launch {
	return sbom.Launch{Ref: c.Ref, Kind: sbom.KindNPM, Spec: c.Name, Pin: sbom.PinUnversioned}
}

func result(c *sbom.Component, state provenance.State) provenance.Result {
	return provenance.Result{Subject: subjectOf(c), State: state, Reason: "because of the test"}
}

// facts puts components into a project. Packages without a result of their own
// are unvouched, which has no rule but source-unvouched.
func facts(results []provenance.Result, components ...*sbom.Component) Facts {
	known, err := catalog.Embedded()
	if err != nil {
		panic(err) // a broken build, which no test can say anything about
	}
	bad, err := advisory.Embedded()
	if err != nil {
		panic(err)
	}
	root := &sbom.Component{Ref: "project", Name: "project", Type: sbom.Application, Source: sbom.FromProject}
	for _, c := range components {
		if c.Ecosystem == "" || slices.ContainsFunc(results, func(r provenance.Result) bool { return r.Subject.Ref == c.Ref }) {
			continue
		}
		results = append(results, result(c, provenance.Unvouched))
	}
	slices.SortFunc(components, func(a, b *sbom.Component) int { return strings.Compare(a.Ref, b.Ref) })
	return Facts{
		Inventory:  &sbom.Inventory{Root: root, Components: components, Inputs: []*sbom.Input{{Path: "package-lock.json", Kind: "package-lock.json", SHA256: sum[:64]}}},
		Provenance: results, Catalog: known, Advisories: bad, Registries: []string{registry}, Now: now,
		Tool: Tool{Name: "countermark", Version: "test"},
	}
}

func policyOf(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse("countermark.yaml", []byte("version: 1\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func byRule(v *Verdict, rule string) []Finding {
	return slices.DeleteFunc(slices.Clone(v.Findings), func(f Finding) bool { return f.Rule != rule })
}

func severities(v *Verdict, rule string) string {
	var out []string
	for _, f := range byRule(v, rule) {
		out = append(out, string(f.Severity))
	}
	return strings.Join(out, " ")
}

// ruleCase is one situation, and what one rule says of it in both profiles. ""
// is no finding.
type ruleCase struct {
	rule, name       string
	facts            func() Facts
	baseline, strict string
}

func ofPackage(origin sbom.Origin, change func(*sbom.Component)) func() Facts {
	return func() Facts { return facts(nil, library("harmless-tool", "1.2.3", origin, change)) }
}

func ofState(state provenance.State, origin sbom.Origin) func() Facts {
	return func() Facts {
		c := library("harmless-tool", "1.2.3", origin)
		return facts([]provenance.Result{result(c, state)}, c)
	}
}

func ofLaunch(l sbom.Launch) func() Facts {
	return func() Facts { return facts(nil, starting("s", nil, l)) }
}

func ofLaunched(l sbom.Launch, change func(*sbom.Server)) func() Facts {
	return func() Facts { return facts(nil, starting("s", change, l)) }
}

// image makes a launch that of an image that the project builds on.
func image(s *sbom.Server) {
	s.Script, s.Image, s.Client, s.Launcher = true, true, "dockerfile", "FROM"
}

func ofServer(change func(*sbom.Server)) func() Facts {
	return func() Facts {
		return facts(nil, starting("s", change, sbom.Launch{Kind: sbom.KindBuiltin, Pin: sbom.PinNA}))
	}
}

func ofProblem(code sbom.ProblemCode) func() Facts {
	return func() Facts {
		f := facts(nil)
		f.Inventory.Inputs[0].Problems = []sbom.Problem{{Code: code, Line: 4, Column: 2, Message: "it is wrong", Hint: "mend it"}}
		return f
	}
}

func stateCases() []ruleCase {
	var out []ruleCase
	rows := []struct {
		rule                    string
		states                  []provenance.State
		mcp, direct, transitive [2]string
	}{
		{"provenance-invalid", []provenance.State{provenance.Invalid, "a state of the future"}, [2]string{"error", "error"}, [2]string{"error", "error"}, [2]string{"error", "error"}},
		{"source-mismatch", []provenance.State{provenance.Mismatch}, [2]string{"error", "error"}, [2]string{"error", "error"}, [2]string{"error", "error"}},
		{"provenance-missing", []provenance.State{provenance.Absent}, [2]string{"warn", "error"}, [2]string{"info", "warn"}, [2]string{"info", "info"}},
		{"provenance-unavailable", []provenance.State{provenance.Unavailable, provenance.Stripped}, [2]string{"warn", "error"}, [2]string{"info", "warn"}, [2]string{"info", "info"}},
		{"provenance-unsupported", []provenance.State{provenance.Unsupported}, [2]string{"warn", "error"}, [2]string{"info", "warn"}, [2]string{"info", "info"}},
		{"provenance-lost", []provenance.State{provenance.Lost}, [2]string{"error", "error"}, [2]string{"error", "error"}, [2]string{"warn", "error"}},
	}
	for _, row := range rows {
		for _, state := range row.states {
			for origin, want := range map[sbom.Origin][2]string{mcp: row.mcp, direct: row.direct, transitive: row.transitive, 0: row.direct, mcp | transitive: row.mcp, direct | transitive: row.direct} {
				out = append(out, ruleCase{row.rule, fmt.Sprintf("%s %s", state, origin), ofState(state, origin), want[0], want[1]})
			}
		}
		for _, state := range []provenance.State{provenance.Verified, provenance.Unvouched} {
			out = append(out, ruleCase{row.rule, string(state), ofState(state, mcp), "", ""})
		}
	}
	return out
}

func TestRules(t *testing.T) {
	request := func(value string) func(*sbom.Component) {
		return func(c *sbom.Component) {
			c.Properties = []sbom.Property{{Name: "countermark:npm:request", Value: value}}
		}
	}
	source := func(s sbom.Source) func(*sbom.Component) {
		return func(c *sbom.Component) { c.Source, c.Hashes, c.Bundled = s, nil, s == sbom.FromParent }
	}
	resolved := func(url string) func(*sbom.Component) { return func(c *sbom.Component) { c.Resolved = url } }
	noHash := func(c *sbom.Component) { c.Hashes = nil }
	yarnSays := func(property, file string) func(*sbom.Component) {
		return func(c *sbom.Component) {
			c.Hashes, c.Occurrences = nil, []sbom.Occurrence{{Path: file, Line: 1}}
			c.Properties = []sbom.Property{{Name: property, Value: "x"}}
		}
	}
	cases := stateCases()
	cases = append(cases, []ruleCase{
		{"malicious", "listed version", func() Facts { return facts(nil, library("postmark-mcp", "1.0.16", transitive)) }, "error", "error"},
		{"malicious", "version before", func() Facts { return facts(nil, library("postmark-mcp", "1.0.15", mcp)) }, "", ""},
		{"malicious", "launched without version", func() Facts {
			c := library("postmark-mcp", "", mcp)
			return facts(nil, c, starting("s", nil, unpinned(c)))
		}, "error", "error"},
		{"malicious", "range that cannot reach it", func() Facts {
			c := library("postmark-mcp", "", mcp)
			return facts(nil, c, starting("s", nil, sbom.Launch{Ref: c.Ref, Kind: sbom.KindNPM, Pin: sbom.PinRange, Request: "<1.0.16"}))
		}, "", ""},
		{"malicious", "range of a manifest", func() Facts {
			return facts(nil, library("postmark-mcp", "", direct, request("^1.0.0")))
		}, "error", "error"},
		{"malicious", "version that nobody knows", func() Facts { return facts(nil, library("postmark-mcp", "", mcp)) }, "error", "error"},
		{"malicious", "bundled", func() Facts {
			return facts(nil, library("postmark-mcp", "1.0.16", transitive, source(sbom.FromParent)))
		}, "error", "error"},
		{"malicious", "own project of that name", func() Facts {
			return facts(nil, library("postmark-mcp", "1.0.16", 0, source(sbom.FromProject)))
		}, "", ""},

		{"source-unvouched", "launched", ofPackage(mcp, noHash), "error", "error"},
		{"source-unvouched", "direct", ofPackage(direct, noHash), "info", "warn"},
		{"source-unvouched", "transitive", ofPackage(transitive, noHash), "info", "warn"},
		{"source-unvouched", "beside another state", ofState(provenance.Absent, mcp), "error", "error"},
		{"source-unvouched", "git dependency", ofPackage(direct, source(sbom.FromGit)), "info", "warn"},
		{"source-unvouched", "local folder", ofPackage(direct, source(sbom.FromFile)), "", ""},
		{"source-unvouched", "linked folder", ofPackage(direct, source(sbom.FromLink)), "", ""},
		{"source-unvouched", "own member", ofPackage(0, source(sbom.FromProject)), "", ""},
		{"source-unvouched", "of the catalogue", func() Facts {
			return facts(nil, library("@modelcontextprotocol/server-filesystem", "1.0.0", mcp))
		}, "", ""},
		{"source-unvouched", "remote", ofLaunch(sbom.Launch{Kind: sbom.KindRemote, Pin: sbom.PinNA}), "", ""},
		{"source-unvouched", "binary", ofLaunch(sbom.Launch{Kind: sbom.KindBinary, Pin: sbom.PinNA}), "", ""},

		{"impersonation", "launched", func() Facts { return facts(nil, library("postmark-mcp", "1.0.12", mcp)) }, "error", "error"},
		{"impersonation", "direct", func() Facts { return facts(nil, library("postmark-mcp", "1.0.12", direct)) }, "warn", "error"},
		{"impersonation", "itself", func() Facts {
			return facts(nil, library("@modelcontextprotocol/server-filesystem", "1.0.0", mcp))
		}, "", ""},
		{"impersonation", "nothing alike", ofPackage(mcp, noHash), "", ""},
		{"impersonation", "verified from the official source", func() Facts {
			c := library("postmark-mcp", "2.0.0", mcp)
			r := result(c, provenance.Verified)
			r.Source.URI = "https://github.com/ActiveCampaign/postmark-mcp"
			return facts([]provenance.Result{r}, c)
		}, "", ""},
		{"impersonation", "verified from elsewhere, without the policy's word", func() Facts {
			c := library("postmark-mcp", "2.0.0", mcp)
			r := result(c, provenance.Verified)
			r.Source.URI, r.ExpectedFrom = "https://github.com/ActiveCampaign2/postmark-mcp", "policy"
			return facts([]provenance.Result{r}, c)
		}, "error", "error"},
		{"impersonation", "commit of the official repository", func() Facts {
			return facts(nil, library("postmark-mcp", "1.0.0", mcp, source(sbom.FromGit), resolved("git+ssh://github.com/activecampaign/postmark-mcp.git#"+strings.Repeat("a", 40))))
		}, "", ""},
		{"impersonation", "commit of a fork", func() Facts {
			return facts(nil, library("postmark-mcp", "1.0.0", mcp, source(sbom.FromGit), resolved("git+ssh://github.com/somebody/postmark-mcp.git#"+strings.Repeat("a", 40))))
		}, "error", "error"},

		{"version-floating", "exact", ofLaunch(sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinExact}), "", ""},
		{"version-floating", "unversioned", ofLaunch(sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinUnversioned}), "error", "error"},
		{"version-floating", "tag of an image", ofLaunch(sbom.Launch{Kind: sbom.KindOCI, Pin: sbom.PinTag}), "error", "error"},
		{"version-floating", "digest", ofLaunch(sbom.Launch{Kind: sbom.KindOCI, Pin: sbom.PinDigest}), "", ""},
		{"version-floating", "default branch", ofLaunch(sbom.Launch{Kind: sbom.KindGit, Pin: sbom.PinGitUnpinned}), "error", "error"},
		{"version-floating", "template", ofLaunch(sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinUnknown}), "error", "error"},
		{"version-floating", "local file", ofLaunch(sbom.Launch{Kind: sbom.KindLocal, Pin: sbom.PinUnknown}), "", ""},
		{"version-floating", "nested", func() Facts {
			return facts(nil, starting("s", nil,
				sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinExact, Spec: "gateway@1.0.0"},
				sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinDistTag, Spec: "tool@latest", Nested: true}))
		}, "error", "error"},
		{"version-floating", "tag of an image that a script runs", ofLaunched(sbom.Launch{Kind: sbom.KindOCI, Pin: sbom.PinTag}, func(s *sbom.Server) { s.Script = true }), "error", "error"},
		{"version-floating", "tag of an image to build on", ofLaunched(sbom.Launch{Kind: sbom.KindOCI, Pin: sbom.PinTag}, image), "warn", "error"},
		{"version-floating", "digest of an image to build on", ofLaunched(sbom.Launch{Kind: sbom.KindOCI, Pin: sbom.PinDigest}, image), "", ""},
		{"launch-opaque", "image to build on that nobody can tell", ofLaunched(sbom.Launch{Kind: sbom.KindUnknown, Pin: sbom.PinUnknown}, image), "warn", "error"},
		{"provenance-unsupported", "image to build on without a name", ofLaunched(sbom.Launch{Kind: sbom.KindOCI, Pin: sbom.PinDigest}, image), "info", "warn"},
		{"version-floating", "manifest without lockfile", ofPackage(direct, request("^1.0.0")), "error", "error"},
		{"version-floating", "exact manifest without lockfile", ofPackage(direct, request("1.0.0-rc.1+b")), "", ""},

		{"launch-opaque", "unknown", ofLaunch(sbom.Launch{Kind: sbom.KindUnknown, Pin: sbom.PinUnknown}), "warn", "error"},
		{"launch-opaque", "shell script", ofLaunch(sbom.Launch{Kind: sbom.KindShellScript, Pin: sbom.PinUnknown}), "warn", "error"},
		{"launch-opaque", "container exec", ofLaunch(sbom.Launch{Kind: sbom.KindContainerExec, Pin: sbom.PinNA}), "warn", "error"},
		{"launch-opaque", "kind of the future", ofServer(func(s *sbom.Server) { s.Launches, s.Kind = nil, "" }), "warn", "error"},
		{"launch-opaque", "known only to the server", ofServer(func(s *sbom.Server) { s.Launches, s.Kind = nil, sbom.KindUnknown }), "warn", "error"},
		{"launch-opaque", "downloaded", ofServer(func(s *sbom.Server) {
			s.Launches, s.Kind, s.Risks = nil, sbom.KindShellScript, []sbom.Risk{{Code: sbom.RiskDownload, Where: "argument 2"}}
		}), "error", "error"},
		{"launch-opaque", "builtin", ofLaunch(sbom.Launch{Kind: sbom.KindBuiltin, Pin: sbom.PinNA}), "", ""},
		{"launch-opaque", "binary", ofLaunch(sbom.Launch{Kind: sbom.KindBinary, Pin: sbom.PinNA}), "", ""},
		{"provenance-unsupported", "binary", ofLaunch(sbom.Launch{Kind: sbom.KindBinary, Pin: sbom.PinNA}), "warn", "error"},
		{"provenance-unsupported", "local", ofLaunch(sbom.Launch{Kind: sbom.KindLocal, Pin: sbom.PinNA}), "warn", "error"},
		{"provenance-unsupported", "opaque", ofLaunch(sbom.Launch{Kind: sbom.KindUnknown}), "", ""},
		{"provenance-unsupported", "builtin", ofLaunch(sbom.Launch{Kind: sbom.KindBuiltin, Pin: sbom.PinNA}), "", ""},
		{"provenance-unsupported", "remote", ofLaunch(sbom.Launch{Kind: sbom.KindRemote, Pin: sbom.PinNA}), "", ""},

		{"source-unvouched", "commit of an official repository", func() Facts {
			return facts(nil, launchedFromGit("git+https://github.com/ActiveCampaign/postmark-mcp.git@v1"))
		}, "", ""},
		{"source-unvouched", "commit of an official repository, without encryption", func() Facts {
			return facts(nil, launchedFromGit("git://github.com/ActiveCampaign/postmark-mcp"))
		}, "error", "error"},
		{"source-unvouched", "commit of a fork", func() Facts {
			return facts(nil, launchedFromGit("git+https://evil.example/@github.com/ActiveCampaign/postmark-mcp"))
		}, "error", "error"},
		{"source-mismatch", "commit of a fork under a name of the catalogue", func() Facts {
			return facts(nil, library("@modelcontextprotocol/server-filesystem", "1.0.0", direct, source(sbom.FromGit), resolved("git+ssh://github.com/evil/servers.git#"+strings.Repeat("a", 40))))
		}, "error", "error"},
		{"source-mismatch", "commit of the catalogue's repository", func() Facts {
			return facts(nil, library("@modelcontextprotocol/server-filesystem", "1.0.0", direct, source(sbom.FromGit), resolved("git+ssh://github.com/modelcontextprotocol/servers.git#"+strings.Repeat("a", 40))))
		}, "", ""},

		{"integrity-missing", "direct", ofPackage(direct, noHash), "error", "error"},
		{"integrity-missing", "transitive", ofPackage(transitive, noHash), "error", "error"},
		{"integrity-missing", "launched and pinned", ofPackage(mcp, noHash), "warn", "error"},
		{"integrity-missing", "launched and locked", ofPackage(mcp|direct, noHash), "error", "error"},
		{"integrity-missing", "launched and floating", func() Facts { return facts(nil, library("harmless-tool", "", mcp, noHash)) }, "", ""},
		{"integrity-missing", "there", ofPackage(direct, func(*sbom.Component) {}), "", ""},
		{"integrity-missing", "git", ofPackage(direct, source(sbom.FromGit)), "warn", "error"},
		{"integrity-missing", "tarball", ofPackage(direct, source(sbom.FromTarball)), "error", "error"},
		{"integrity-missing", "unknown source", ofPackage(direct, source("")), "error", "error"},
		{"integrity-missing", "bundled", ofPackage(transitive, source(sbom.FromParent)), "", ""},
		{"integrity-missing", "link", ofPackage(direct, source(sbom.FromLink)), "", ""},
		{"integrity-missing", "local folder", ofPackage(direct, source(sbom.FromFile)), "", ""},
		{"integrity-missing", "member", ofPackage(0, source(sbom.FromProject)), "", ""},

		{"integrity-missing", "yarn's checksum", ofPackage(direct, yarnSays(node.PropertyYarnChecksum, "yarn.lock")), "", ""},
		{"integrity-missing", "yarn's checksum, by a document", func() Facts {
			f := facts(nil, library("harmless-tool", "1.2.3", direct, yarnSays(node.PropertyYarnChecksum, "bom.json")))
			f.Inventory.Inputs = append(f.Inventory.Inputs, &sbom.Input{Path: "bom.json", Kind: bom.KindCycloneDXJSON})
			return f
		}, "error", "error"},
		{"integrity-missing", "for another system of yarn's", ofPackage(direct, yarnSays(node.PropertyYarnConditions, "yarn.lock")), "error", "error"},

		{"integrity-mismatch", "conflict", func() Facts {
			a := library("harmless-tool", "1.2.3", direct)
			b := library("harmless-tool", "1.2.3", transitive, func(c *sbom.Component) { c.Ref, c.Conflict = a.Ref+"#2", a.Ref })
			return facts(nil, a, b)
		}, "error", "error"},
		{"integrity-mismatch", "two requests without a lockfile", func() Facts {
			a := library("harmless-tool", "", direct, noHash)
			b := library("harmless-tool", "", direct, noHash, func(c *sbom.Component) { c.Ref, c.Conflict = a.Ref+"#2", a.Ref })
			return facts(nil, a, b)
		}, "", ""},
		{"integrity-mismatch", "two archives without a version", func() Facts {
			a := library("harmless-tool", "", direct)
			b := library("harmless-tool", "", direct, func(c *sbom.Component) { c.Ref, c.Conflict = a.Ref+"#2", a.Ref })
			return facts(nil, a, b)
		}, "error", "error"},
		{"integrity-mismatch", "none", ofPackage(direct, noHash), "", ""},

		{"resolved-name-mismatch", "other name", ofPackage(transitive, resolved(registry+"other/-/other-1.2.3.tgz")), "error", "error"},
		{"resolved-name-mismatch", "other version", ofPackage(transitive, resolved(registry+"harmless-tool/-/harmless-tool-1.2.4.tgz")), "error", "error"},
		{"resolved-name-mismatch", "same", ofPackage(transitive, resolved(registry+"harmless-tool/-/harmless-tool-1.2.3.tgz")), "", ""},
		{"resolved-name-mismatch", "no registry's form", ofPackage(transitive, resolved("https://files.example/x.tgz")), "", ""},

		{"registry-untrusted", "trusted", ofPackage(direct, resolved(registry+"harmless-tool/-/harmless-tool-1.2.3.tgz")), "", ""},
		{"registry-untrusted", "trusted, port and case spelled out", ofPackage(direct, resolved("https://REGISTRY.example:443/x.tgz")), "", ""},
		{"registry-untrusted", "other host", ofPackage(transitive, resolved("https://registry.example.evil.example/x.tgz")), "error", "error"},
		{"registry-untrusted", "other scheme", ofPackage(direct, resolved("http://registry.example/x.tgz")), "error", "error"},
		{"registry-untrusted", "other port", ofPackage(direct, resolved("https://registry.example:8443/x.tgz")), "error", "error"},
		{"registry-untrusted", "host in the user name", ofPackage(direct, resolved("https://registry.example@evil.example/x.tgz")), "error", "error"},
		{"registry-untrusted", "no URL", ofPackage(direct, resolved(":")), "error", "error"},
		{"registry-untrusted", "nothing recorded", ofPackage(direct, resolved("")), "", ""},
		{"registry-untrusted", "tarball elsewhere", ofPackage(direct, func(c *sbom.Component) {
			c.Source, c.Resolved = sbom.FromTarball, "https://files.example/x.tgz"
		}), "error", "error"},
		{"registry-untrusted", "git", ofPackage(direct, func(c *sbom.Component) {
			c.Source, c.Resolved = sbom.FromGit, "git+https://git.example/a/b.git"
		}), "", ""},

		{"npmrc-unsafe", "issue", func() Facts {
			f := facts(nil)
			f.ConfigIssues = []ConfigIssue{{Path: ".npmrc", Line: 2, Message: "it sends ${TOKEN} to registry.example", Fix: "remove the line"}}
			return f
		}, "error", "error"},
		{"npmrc-unsafe", "none", func() Facts { return facts(nil) }, "", ""},

		{"secret-in-config", "two", ofServer(func(s *sbom.Server) {
			s.Risks = []sbom.Risk{{Code: sbom.RiskSecret, Where: `env "KEY"`, Line: 9}, {Code: sbom.RiskSecret, Where: "argument 2"}, {Code: sbom.RiskInsecureRemote, Where: "url"}}
		}), twoErrors, twoErrors},
		{"secret-in-config", "none", ofServer(nil), "", ""},
		{"remote-insecure", "one", ofServer(func(s *sbom.Server) {
			s.Risks = []sbom.Risk{{Code: sbom.RiskInsecureRemote, Where: "url"}, {Code: sbom.RiskSecret, Where: "url"}}
		}), "error", "error"},

		{"privileged-launch", "all rights", ofServer(func(s *sbom.Server) {
			s.Risks = []sbom.Risk{{Code: sbom.RiskPrivileged, Where: "argument 2", What: "shares the machine's network with a container", Line: 4}}
		}), "warn", "error"},
		{"privileged-launch", "engine's socket", ofServer(func(s *sbom.Server) {
			s.Risks = []sbom.Risk{{Code: sbom.RiskEngine, Where: "argument 2", Line: 4}}
		}), "error", "error"},
		{"privileged-launch", "fetched script", ofServer(func(s *sbom.Server) {
			s.Risks = []sbom.Risk{{Code: sbom.RiskDownload, Where: "argument 2", Line: 4}}
		}), "error", "error"},
		{"privileged-launch", "none", ofServer(nil), "", ""},
		{"auto-approve", "everything", ofServer(func(s *sbom.Server) { s.AutoApprove = []string{"*"} }), "warn", "error"},
		{"auto-approve", "many tools", ofServer(func(s *sbom.Server) {
			s.AutoApprove = []string{"a", "b c", "\x1b[31m", "d", "e", "f", "g"}
		}), "warn", "error"},
		{"auto-approve", "start", ofServer(func(s *sbom.Server) {
			s.Approvals = []sbom.Approval{{Setting: "enableAllProjectMcpServers", File: ".claude/settings.json", Line: 2, Column: 3}}
		}), "warn", "error"},
		{"auto-approve", "none", ofServer(nil), "", ""},

		{"lockfile-missing", "manifest alone", ofProblem(sbom.NoLockfile), "error", "error"},
		{"lockfile-missing", "broken", ofProblem(sbom.Invalid), "", ""},
		{"input-invalid", "broken", ofProblem(sbom.Invalid), "error", "error"},
		{"input-invalid", "not read yet", ofProblem(sbom.Unsupported), "error", "error"},
		{"input-invalid", "code of the future", ofProblem("strange"), "error", "error"},
		{"input-invalid", "odd", ofProblem(sbom.Warning), "", ""},
		{"input-invalid", "manifest alone", ofProblem(sbom.NoLockfile), "", ""},

		{"provenance-unavailable", "nobody asked", func() Facts {
			f := facts(nil, library("harmless-tool", "1.2.3", mcp))
			f.Provenance = nil
			return f
		}, "warn", "error"},
		{"provenance-unsupported", "nobody asked about a floating spec", func() Facts {
			f := facts(nil, library("harmless-tool", "", mcp))
			f.Provenance = nil
			return f
		}, "warn", "error"},
		{"provenance-unavailable", "nobody asked about a bundled package", func() Facts {
			f := facts(nil, library("harmless-tool", "1.2.3", transitive, source(sbom.FromParent)))
			f.Provenance = nil
			return f
		}, "", ""},
	}...)

	cases = append(cases, registryCases()...)
	cases = append(cases, lockCases()...)

	covered := map[string]bool{"exception-expired": true, "exception-unused": true}
	for _, c := range cases {
		covered[c.rule] = covered[c.rule] || c.baseline != ""
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			for profile, want := range map[Profile]string{Baseline: c.baseline, Strict: c.strict} {
				v := Evaluate(policyOf(t, "profile: "+string(profile)), c.facts())
				if got := severities(v, c.rule); got != want {
					t.Errorf("%s: %q, want %q", profile, got, want)
				}
				for _, f := range v.Findings {
					checkFinding(t, f)
				}
			}
		})
	}
	for _, rule := range Rules() {
		if rule.pending == "" && !covered[rule.Name] {
			t.Errorf("no case finds %s", rule.Name)
		}
	}
}

var (
	fingerprint = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sentence    = regexp.MustCompile(`^[^A-Z].*[^.\s]$`)
)

// checkFinding holds what every finding promises.
func checkFinding(t *testing.T, f Finding) {
	t.Helper()
	if f.Fix == "" || f.Message == "" || !fingerprint.MatchString(f.Fingerprint) || f.Severity == Off || f.Severity == "" {
		t.Errorf("incomplete: %+v", f)
	}
	if !sentence.MatchString(f.Message) {
		t.Errorf("%q is no lower-case sentence without a full stop", f.Message)
	}
	if f.Location == nil || f.Location.Path == "" {
		t.Errorf("no location: %+v", f)
	}
}

func TestPolicyVouchesForRepositories(t *testing.T) {
	p := policyOf(t, `sources: {"@acme/*": {repo: https://git.example/acme/*}, tool: {repo: https://git.example/other/group/tool}}`)
	for url, want := range map[string]string{
		"git+https://git.example/acme/anything.git":       "",
		"git+ssh://git@git.example/other/group/tool":      "",
		"https://git.example/acme/anything":               "",
		"git+https://git.example/acme/group/anything.git": "error",
		"git+https://git.example/acme":                    "error",
		"git+http://git.example/acme/anything.git":        "error",
		"git+https://git.example.evil/acme/x.git":         "error",
		"git@git.example:acme/x.git":                      "error",
		"git+https://git.example/acme/..":                 "error",
		"git+https://git.example/acme/%2e%2e":             "error",
		"git+https://git.example/acme//":                  "error",
	} {
		if got := severities(Evaluate(p, facts(nil, launchedFromGit(url))), "source-unvouched"); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// A clone of the incident that no list knows fails, and the way out is the
// vendor's own source, never another version of the impostor.
func TestCloneOfTheIncidentFails(t *testing.T) {
	official := "https://github.com/ActiveCampaign/postmark-mcp"
	tests := []struct{ name, version, want string }{
		{"postmark-mcp", "1.0.12", official},
		{"postmark-mcp", "", official},
		{"post-mark-mcp", "1.0.0", official},
		{"@impostor/postmark-mcp", "1.0.0", official},
		{"@modelcontextprotocol-/server-filesystem", "1.0.0", "https://github.com/modelcontextprotocol/servers"},
		{"mongo-db-mcp-server", "", "https://github.com/mongodb-js/mongodb-mcp-server"},
	}
	for _, test := range tests {
		t.Run(test.name+"@"+test.version, func(t *testing.T) {
			c := library(test.name, test.version, mcp)
			launch := pinned(c)
			if test.version == "" {
				launch = unpinned(c)
			}
			// The impostor's own provenance is flawless.
			r := result(c, provenance.Unvouched)
			r.Source.URI = "https://github.com/impostor/" + test.name
			v := Evaluate(Default(), facts([]provenance.Result{r}, c, starting("mail", nil, launch)))
			if v.Verdict != Fail || v.ExitCode != 1 {
				t.Errorf("%s, exit %d", v.Verdict, v.ExitCode)
			}
			for _, rule := range []string{"source-unvouched", "impersonation"} {
				found := byRule(v, rule)
				if len(found) != 1 || found[0].Severity != Error {
					t.Fatalf("%s: %+v", rule, found)
				}
				f := found[0]
				if f.Server != "mail" || f.PURL != c.PURL || f.Location.Path != ".mcp.json" || f.Location.Line != 3 {
					t.Errorf("%s is about %q, %q at %+v", rule, f.Server, f.PURL, f.Location)
				}
				if !strings.Contains(f.Fix, test.want) {
					t.Errorf("%s: the fix does not name %s: %s", rule, test.want, f.Fix)
				}
			}
			if m := byRule(v, "impersonation")[0].Message; !strings.Contains(m, test.want) {
				t.Errorf("the message does not name the official source: %s", m)
			}
			for _, f := range v.Findings {
				if f.PURL == c.PURL && (strings.Contains(f.Fix, "VERSION") || strings.Contains(f.Fix, "1.0.1")) {
					t.Errorf("%s advises a version of the impostor: %s", f.Rule, f.Fix)
				}
			}
		})
	}
}

func TestMaliciousImpostorIsReplacedNotDowngraded(t *testing.T) {
	c := library("postmark-mcp", "1.0.16", mcp)
	v := Evaluate(nil, facts(nil, c, starting("mail", nil, pinned(c))))
	found := byRule(v, "malicious")
	if len(found) != 1 {
		t.Fatalf("%+v", found)
	}
	for _, part := range []string{"credential", "https://github.com/ActiveCampaign/postmark-mcp"} {
		if !strings.Contains(found[0].Fix, part) {
			t.Errorf("the fix does not hold %q: %s", part, found[0].Fix)
		}
	}
	if !strings.Contains(found[0].Message, "MAL-2025-47604") {
		t.Error(found[0].Message)
	}
}

func TestAnswerPrecedence(t *testing.T) {
	unavailable := func() Facts {
		c := library("harmless-tool", "1.2.3", direct)
		return facts([]provenance.Result{result(c, provenance.Unavailable)}, c)
	}
	failing := func() Facts {
		c := library("harmless-tool", "1.2.3", direct)
		return facts([]provenance.Result{result(c, provenance.Invalid)}, c)
	}
	both := func() Facts {
		f := failing()
		f.Inventory.Inputs[0].Problems = []sbom.Problem{{Code: sbom.Invalid, Message: "broken"}}
		return f
	}
	excuse := func(rule string) string {
		return "exceptions: [{rule: " + rule + ", package: pkg:npm/harmless-tool@1.2.3, reason: r, owner: o, expires: 2026-11-23}]"
	}
	tests := []struct {
		name, policy string
		facts        func() Facts
		want         Answer
		exit         int
	}{
		{"nothing wrong", "", func() Facts { return facts(nil) }, Pass, 0},
		{"only info", "", unavailable, Pass, 0},
		{"fail", "", failing, Fail, 1},
		{"unknown", "rules: {provenance-unavailable: {severity: error}}", unavailable, Unknown, 3},
		{"unreadable input", "", ofProblem(sbom.Invalid), Unknown, 3},
		{"unsupported input", "", ofProblem(sbom.Unsupported), Unknown, 3},
		{"no lockfile", "", ofProblem(sbom.NoLockfile), Unknown, 3},
		{"fail before unknown", "", both, Fail, 1},
		{"unknown after an exception", excuse("provenance-invalid"), both, Unknown, 3},
		{"excepted", excuse("provenance-invalid"), failing, Pass, 0},
		{"excepted unknown", "rules: {provenance-unavailable: {severity: error}}\n" + excuse("provenance-unavailable"), unavailable, Pass, 0},
		{"lowered", "rules: {provenance-invalid: {severity: warn}}", failing, Pass, 0},
		{"off", "rules: {provenance-invalid: {severity: off}}", failing, Pass, 0},
		{"custom rule", "rules: {x-a: {assert: 'true', message: m}}", func() Facts { return facts(nil) }, Unknown, 3},
		{"custom rule at warn", "rules: {x-a: {severity: warn, assert: 'true', message: m}}", func() Facts { return facts(nil) }, Unknown, 3},
		{"custom rule at info", "rules: {x-a: {severity: info, assert: 'true', message: m}}", func() Facts { return facts(nil) }, Pass, 0},
		{"custom rule that is off", "rules: {x-a: {severity: off, assert: 'true', message: m}}", func() Facts { return facts(nil) }, Pass, 0},
		{"custom rule beside a failure", "rules: {x-a: {assert: 'true', message: m}}", failing, Fail, 1},
		{"rule of later, asked for", "rules: {capability-added: {severity: error}}", func() Facts { return facts(nil) }, Unknown, 3},
		{"rule of later, as information", "rules: {capability-added: {severity: info}}", func() Facts { return facts(nil) }, Pass, 0},
		{"rule without facts, asked for", "rules: {release-age: {minimum: 14d}}", unavailable, Unknown, 3},
		{"rule without facts, as information", "rules: {release-age: {severity: info}}", unavailable, Pass, 0},
		{"rule without facts, of nothing", "rules: {release-age: {minimum: 14d}}", func() Facts { return facts(nil) }, Pass, 0},
		{"strict does not ask by itself", "profile: strict", func() Facts { return facts(nil) }, Pass, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := Evaluate(policyOf(t, test.policy), test.facts())
			if v.Verdict != test.want || v.ExitCode != test.exit {
				t.Errorf("%s, exit %d; want %s, %d: %+v %+v", v.Verdict, v.ExitCode, test.want, test.exit, v.Findings, v.NotEvaluated)
			}
		})
	}
}

func TestLookedAtNothing(t *testing.T) {
	for _, tt := range []struct {
		was, want Answer
		code      int
	}{{Pass, Unknown, exitNothing}, {Fail, Fail, exitFail}, {Unknown, Unknown, exitUnknown}} {
		v := &Verdict{Verdict: tt.was, ExitCode: map[Answer]int{Pass: exitPass, Fail: exitFail, Unknown: exitUnknown}[tt.was]}
		v.LookedAtNothing()
		if v.Verdict != tt.want || v.ExitCode != tt.code {
			t.Errorf("%s became %s, exit code %d", tt.was, v.Verdict, v.ExitCode)
		}
	}
}

func TestNotEvaluated(t *testing.T) {
	names := func(v *Verdict) []string {
		var out []string
		for _, n := range v.NotEvaluated {
			if n.Reason == "" {
				t.Errorf("%s has no reason", n.Rule)
			}
			out = append(out, n.Rule)
		}
		return out
	}
	base := names(Evaluate(nil, facts(nil, library("harmless-tool", "1.2.3", direct))))
	if !slices.IsSorted(base) || !slices.Contains(base, "release-age") || !slices.Contains(base, "provenance-lost") || slices.Contains(base, "malicious") {
		t.Errorf("baseline: %q", base)
	}
	for _, rule := range Rules() {
		if rule.pending != "" && !slices.Contains(base, rule.Name) {
			t.Errorf("%s is not listed", rule.Name)
		}
	}
	off := names(Evaluate(policyOf(t, "rules: {release-age: {severity: off}, launch-drift: {severity: off}}"), facts(nil, library("harmless-tool", "1.2.3", direct))))
	if slices.Contains(off, "release-age") || slices.Contains(off, "launch-drift") {
		t.Errorf("what is off is listed: %q", off)
	}
	bare := Evaluate(nil, Facts{Now: now})
	if got := names(bare); !slices.Contains(got, "malicious") || !slices.Contains(got, "impersonation") {
		t.Errorf("without lists: %q", got)
	}
	if v := Evaluate(policyOf(t, "rules: {malicious: {severity: error}}"), Facts{Now: now}); v.Verdict != Unknown {
		t.Errorf("asked for without a list: %s", v.Verdict)
	}
}

func TestForSelects(t *testing.T) {
	tests := []struct {
		selector string
		want     map[string]Severity // of provenance-missing, which is info/info/warn otherwise
	}{
		{"[mcp, direct]", map[string]Severity{"launched": Error, "needed": Error, "deep": Info, "tested": Error, "@acme/both": Error}},
		{"[transitive]", map[string]Severity{"launched": Warn, "needed": Info, "deep": Error, "tested": Info, "@acme/both": Error}},
		{"[production]", map[string]Severity{"launched": Error, "needed": Error, "deep": Error, "tested": Info, "@acme/both": Error}},
		{"[development, direct]", map[string]Severity{"launched": Warn, "needed": Info, "deep": Info, "tested": Error, "@acme/both": Info}},
		{"[production, development]", map[string]Severity{"launched": Error, "needed": Error, "deep": Error, "tested": Error, "@acme/both": Error}},
		{`["@acme/*", "npm:deep"]`, map[string]Severity{"launched": Warn, "needed": Info, "deep": Error, "tested": Info, "@acme/both": Error}},
		{`["@acme/*", transitive]`, map[string]Severity{"launched": Warn, "needed": Info, "deep": Info, "tested": Info, "@acme/both": Error}},
		{`["pypi:deep"]`, map[string]Severity{"launched": Warn, "needed": Info, "deep": Info, "tested": Info, "@acme/both": Info}},
	}
	for _, test := range tests {
		t.Run(test.selector, func(t *testing.T) {
			packages := []*sbom.Component{
				library("launched", "1.0.0", mcp), library("needed", "1.0.0", direct), library("deep", "1.0.0", transitive),
				library("tested", "1.0.0", direct, func(c *sbom.Component) { c.Development = true }),
				library("@acme/both", "1.0.0", direct|transitive),
			}
			var results []provenance.Result
			for _, c := range packages {
				results = append(results, result(c, provenance.Absent))
			}
			v := Evaluate(policyOf(t, "rules: {provenance-missing: {severity: error, for: "+test.selector+"}}"), facts(results, packages...))
			got := map[string]Severity{}
			for _, f := range byRule(v, "provenance-missing") {
				for _, c := range packages {
					if c.PURL == f.PURL {
						got[c.Name] = f.Severity
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExceptions(t *testing.T) {
	tool := library("harmless-tool", "1.2.3", mcp|direct)
	first, second := starting("first", nil, pinned(tool)), starting("second", nil, pinned(tool))
	secret := starting("third", func(s *sbom.Server) { s.Risks = []sbom.Risk{{Code: sbom.RiskSecret, Where: "argument 1"}} }, sbom.Launch{Kind: sbom.KindBuiltin})
	all := []*sbom.Component{tool, first, second, secret}
	one := []*sbom.Component{tool, first}
	tests := []struct {
		name, exception string
		components      []*sbom.Component
		rule            string
		covered         bool
		unused          bool
		expired         bool
	}{
		{"exact", "rule: source-unvouched, package: pkg:npm/harmless-tool@1.2.3, expires: 2027-01-31", all, "source-unvouched", true, false, false},
		{"every version", "rule: source-unvouched, package: pkg:npm/harmless-tool, expires: 2027-01-31", all, "source-unvouched", true, false, false},
		{"other version", "rule: source-unvouched, package: pkg:npm/harmless-tool@1.2.4, expires: 2027-01-31", all, "source-unvouched", false, true, false},
		{"other scope", "rule: source-unvouched, package: pkg:npm/%40a/harmless-tool@1.2.3, expires: 2027-01-31", all, "source-unvouched", false, true, false},
		{"other type", "rule: source-unvouched, package: pkg:pypi/harmless-tool@1.2.3, expires: 2027-01-31", all, "source-unvouched", false, true, false},
		{"other rule", "rule: impersonation, package: pkg:npm/harmless-tool@1.2.3, expires: 2027-01-31", all, "source-unvouched", false, true, false},
		{"last day", "rule: source-unvouched, package: pkg:npm/harmless-tool@1.2.3, expires: 2026-11-23", all, "source-unvouched", true, false, false},
		{"day before", "rule: source-unvouched, package: pkg:npm/harmless-tool@1.2.3, expires: 2026-11-22", all, "source-unvouched", false, false, true},
		{"one of two servers", "rule: source-unvouched, server: first, expires: 2027-01-31", all, "source-unvouched", false, true, false},
		{"the only server", "rule: source-unvouched, server: first, expires: 2027-01-31", one, "source-unvouched", true, false, false},
		{"package and other server", "rule: source-unvouched, package: pkg:npm/harmless-tool@1.2.3, server: second, expires: 2027-01-31", one, "source-unvouched", false, true, false},
		{"server without package", "rule: secret-in-config, server: third, expires: 2027-01-31", all, "secret-in-config", true, false, false},
		{"package does not cover a server", "rule: secret-in-config, package: pkg:npm/harmless-tool, expires: 2027-01-31", all, "secret-in-config", false, true, false},
		{"rule that is not evaluated", "rule: release-age, package: pkg:npm/harmless-tool, expires: 2027-01-31", all, "source-unvouched", false, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := policyOf(t, "exceptions:\n  - {reason: known, owner: team, "+test.exception+"}")
			v := Evaluate(p, facts(nil, slices.Clone(test.components)...))
			found := byRule(v, test.rule)
			if len(found) != 1 {
				t.Fatalf("%+v", found)
			}
			if got := found[0].Exception != nil; got != test.covered {
				t.Errorf("covered is %v", got)
			}
			if test.covered {
				if x := found[0].Exception; x.Reason != "known" || x.Owner != "team" || !strings.HasPrefix(x.Expires, "202") {
					t.Errorf("%+v", x)
				}
				if v.Summary.Excepted != 1 {
					t.Errorf("excepted is %d", v.Summary.Excepted)
				}
			}
			unused, expired := byRule(v, "exception-unused"), byRule(v, "exception-expired")
			if got := len(unused) == 1; got != test.unused {
				t.Errorf("unused: %+v", unused)
			}
			if got := len(expired) == 1; got != test.expired {
				t.Errorf("expired: %+v", expired)
			}
			for _, f := range append(unused, expired...) {
				checkFinding(t, f)
				if diff := cmp.Diff(&Location{Path: "countermark.yaml", Line: 3, Column: 5}, f.Location); diff != "" {
					t.Error(diff)
				}
			}
			if test.expired && (v.Verdict != Fail || expired[0].Severity != Error) {
				t.Errorf("expired, but %s", v.Verdict)
			}
			if test.unused && unused[0].Severity != Warn {
				t.Errorf("unused is %s", unused[0].Severity)
			}
		})
	}
}

// The policy's own, exact word and a proof against it is what clears a package of
// looking like another.
func TestPolicyClearsAnExactNameOnly(t *testing.T) {
	for text, want := range map[string]string{
		`sources: {postmark-mcp: {repo: https://github.com/acme/postmark-mcp}}`: "",
		`sources: {"postmark-*": {repo: https://github.com/acme/*}}`:            "error",
	} {
		c := library("postmark-mcp", "1.0.12", mcp)
		r := result(c, provenance.Verified)
		r.ExpectedFrom, r.Source.URI = "policy", "https://github.com/acme/postmark-mcp"
		v := Evaluate(policyOf(t, text), facts([]provenance.Result{r}, c))
		if got := severities(v, "impersonation"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if got := severities(v, "source-unvouched"); got != "" {
			t.Errorf("%s: unvouched %q", text, got)
		}
		r.State = provenance.Absent
		v = Evaluate(policyOf(t, text), facts([]provenance.Result{r}, c))
		if got := severities(v, "impersonation"); got != "error" {
			t.Errorf("%s, nothing proven: %q", text, got)
		}
	}
}

func TestExpectAsksThePolicyFirst(t *testing.T) {
	f := facts(nil)
	p := policyOf(t, `sources: {"@modelcontextprotocol/*": {repo: https://github.com/acme/fork}, "oci:mcp/*": {repo: https://github.com/docker/mcp}}`)
	subject := provenance.Subject{Ecosystem: sbom.NPM, Name: "@modelcontextprotocol/server-filesystem"}
	if got := Expect(p, f.Catalog)(subject); got.From != "policy" || got.Repo != "https://github.com/acme/fork" {
		t.Errorf("%+v", got)
	}
	if got := Expect(Default(), f.Catalog)(subject); got.From != "catalog" || got.Repo != "https://github.com/modelcontextprotocol/servers" {
		t.Errorf("%+v", got)
	}
	image := provenance.Subject{Ecosystem: sbom.OCI, Name: "sqlite", PURL: "pkg:oci/sqlite?repository_url=docker.io/mcp/sqlite"}
	if got := Expect(p, f.Catalog)(image); got.From != "policy" {
		t.Errorf("%+v", got)
	}
	image.PURL = "pkg:oci/sqlite?repository_url=evil.example/mcp/sqlite"
	if got := Expect(p, f.Catalog)(image); got != (provenance.Expectation{}) {
		t.Errorf("%+v", got)
	}
	if got := Expect(Default(), nil)(subject); got != (provenance.Expectation{}) {
		t.Errorf("%+v", got)
	}
}

func TestRegistriesOfThePolicyAreTrustedBelowTheirPath(t *testing.T) {
	p := policyOf(t, "registries: [https://npm.acme.example/npm]")
	for url, want := range map[string]string{
		"https://npm.acme.example/npm/a/-/a-1.0.0.tgz":            "",
		"https://npm.acme.example/npm/../evil/a.tgz":              "error",
		"https://npm.acme.example/npm/%2e%2e/evil/a.tgz":          "error",
		`https://npm.acme.example/npm/..\evil/a.tgz`:              "error",
		"https://npm.acme.example/npm2/a/-/a-1.0.0.tgz":           "error",
		"https://npm.acme.example/a/-/a-1.0.0.tgz":                "error",
		"https://npm.acme.example.:443/npm/a/-/a-1.0.0.tgz":       "",
		"https://evil.example/https://npm.acme.example/npm/a.tgz": "error",
	} {
		c := library("a", "1.0.0", direct, func(c *sbom.Component) { c.Resolved = url })
		if got := severities(Evaluate(p, facts(nil, c)), "registry-untrusted"); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// Foreign names cannot smuggle a command or a key into advice that is pasted.
func TestNamesInAdviceAreHarmless(t *testing.T) {
	for _, name := range []string{"a; rm -rf $HOME", "a`id`", "$(id)", "a\nb", "\x1b[2J", "-rf", "a\": {repo: x}", "~root"} {
		c := library(name, "", mcp)
		v := Evaluate(nil, facts(nil, c, starting(name, nil, sbom.Launch{Ref: c.Ref, Kind: sbom.KindNPM, Spec: name, Pin: sbom.PinUnversioned})))
		if len(v.Findings) == 0 {
			t.Errorf("%q: nothing found", name)
		}
		for _, f := range v.Findings {
			if strings.Contains(f.Fix, name) {
				t.Errorf("%s: the fix holds %q: %s", f.Rule, name, f.Fix)
			}
			if strings.ContainsAny(f.Message, "\n\x1b") {
				t.Errorf("%s: the message holds control characters: %q", f.Rule, f.Message)
			}
		}
	}
}

func TestFingerprintsAreStableAndUnique(t *testing.T) {
	build := func(line int) Facts {
		tool := library("harmless-tool", "", mcp)
		tool.Occurrences[0].Line = line
		risks := []sbom.Risk{{Code: sbom.RiskSecret, Where: "argument 1", Line: line}, {Code: sbom.RiskSecret, Where: "argument 1", Line: line + 1}}
		s := starting("s", func(s *sbom.Server) { s.Risks, s.Line = risks, line }, unpinned(tool), unpinned(tool))
		f := facts(nil, tool, s, starting("t", nil, unpinned(tool)))
		f.Inventory.Inputs[0].Problems = []sbom.Problem{{Code: sbom.Invalid, Line: line, Message: "a"}, {Code: sbom.Invalid, Line: line, Message: "a"}}
		return f
	}
	prints := func(v *Verdict) []string {
		var out []string
		for _, f := range v.Findings {
			out = append(out, f.Fingerprint)
		}
		slices.Sort(out)
		return out
	}
	a, b := prints(Evaluate(nil, build(3))), prints(Evaluate(nil, build(30)))
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("they change when lines move: %s", diff)
	}
	if got := slices.Compact(slices.Clone(a)); len(got) != len(a) {
		t.Errorf("%d of %d are the same", len(a)-len(got), len(a))
	}
}

// The first of several findings that are alike keeps its fingerprint: whoever
// knows it already must not be told anew because another one came.
func TestFingerprintOfTheFirstStays(t *testing.T) {
	prints := func(n int) (out []string) {
		f := facts(nil)
		for range n {
			f.Inventory.Inputs[0].Problems = append(f.Inventory.Inputs[0].Problems, sbom.Problem{Code: sbom.Invalid, Line: 1, Message: "a"})
		}
		for _, found := range byRule(Evaluate(nil, f), "input-invalid") {
			out = append(out, found.Fingerprint)
		}
		return out
	}
	one, three := prints(1), prints(3)
	if len(one) != 1 || len(three) != 3 || !slices.Contains(three, one[0]) {
		t.Errorf("%q is not among %q", one, three)
	}
	slices.Sort(three)
	if len(slices.Compact(three)) != 3 {
		t.Errorf("some are the same: %q", three)
	}
}

// TestSourceIsShown: a finding about where a package comes from says where the
// attestations say that it does.
func TestSourceIsShown(t *testing.T) {
	const source = "https://github.com/somebody/postmark-mcp"
	c := library("postmark-mcp", "2.0.0", mcp)
	r := result(c, provenance.Unvouched)
	r.Source.URI = source
	v := Evaluate(nil, facts([]provenance.Result{r}, c))
	for _, rule := range []string{"impersonation", "source-unvouched"} {
		if found := byRule(v, rule); len(found) != 1 || found[0].Actual != source {
			t.Errorf("%s: %+v", rule, found)
		}
	}
}

// The pattern that is suggested for the policy is of the package's own ecosystem.
func TestUnvouchedSuggestsAPattern(t *testing.T) {
	for prefix, ecosystem := range patternEcosystems {
		c := library("harmless-tool", "1.0.0", mcp)
		c.Ecosystem = ecosystem
		c.PURL = strings.Replace(c.PURL, "npm", prefix, 1)
		found := byRule(Evaluate(nil, facts(nil, c)), "source-unvouched")
		if len(found) != 1 || !strings.Contains(found[0].Fix, `"`+prefix+`:harmless-tool": {repo: `) {
			t.Errorf("%s: %+v", ecosystem, found)
		}
	}
}

// A finding about what a launch could select names what the launch asks for.
func TestMaliciousNamesTheRequest(t *testing.T) {
	for request, want := range map[string]string{"": "a launch without a version could select", "^1": `the request "^1" could select`} {
		c := library("postmark-mcp", "", mcp)
		l := unpinned(c)
		l.Request = request
		found := byRule(Evaluate(nil, facts(nil, c, starting("s", nil, l))), "malicious")
		if len(found) != 1 || !strings.HasPrefix(found[0].Message, want) {
			t.Errorf("%q: %+v", request, found)
		}
	}
}

func TestApprovedToolsAreCounted(t *testing.T) {
	for n, want := range map[int]string{
		maxTools:     fmt.Sprintf("tool%02d", maxTools),
		maxTools + 2: "and 2 more",
	} {
		f := ofServer(func(s *sbom.Server) {
			for i := range n {
				s.AutoApprove = append(s.AutoApprove, fmt.Sprintf("tool%02d", i+1))
			}
		})()
		found := byRule(Evaluate(nil, f), "auto-approve")
		if len(found) != 1 || !strings.HasSuffix(found[0].Message, want) {
			t.Errorf("%d tools: %+v", n, found)
		}
	}
}

func TestVerdictIsDeterministicAndWhole(t *testing.T) {
	build := func(reverse bool) Facts {
		a, b := library("a", "1.0.0", direct), library("b", "1.0.0", transitive)
		floating := library("c", "", mcp)
		results := []provenance.Result{result(a, provenance.Absent), result(b, provenance.Verified), result(floating, provenance.Unsupported)}
		results[1].Checks = []provenance.Check{{Name: "subject-digest", OK: true, Expected: "x", Actual: "x"}}
		results[1].Publish = &provenance.PublishFacts{Registry: registry, Integrated: now}
		if reverse {
			slices.Reverse(results)
		}
		f := facts(results, a, b, floating, starting("s", nil, unpinned(floating)), starting("r", nil, unpinned(floating)))
		f.Commit = "abc"
		return f
	}
	x, err := json.MarshalIndent(Evaluate(nil, build(false)), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.MarshalIndent(Evaluate(nil, build(true)), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Error(cmp.Diff(string(x), string(y)))
	}
	v := Evaluate(nil, build(false))
	want := Summary{Components: 3, Servers: 2, Provenance: map[string]int{"absent": 1, "verified": 1, "unsupported": 1}}
	for _, f := range v.Findings {
		switch f.Severity {
		case Error:
			want.Findings.Error++
		case Warn:
			want.Findings.Warn++
		case Info:
			want.Findings.Info++
		}
	}
	if diff := cmp.Diff(want, v.Summary); diff != "" {
		t.Error(diff)
	}
	if v.EvaluatedAt != "2026-11-23T12:00:00Z" || v.Policy.Name != "built-in" || v.Policy.Profile != "baseline" || v.Subject.Commit != "abc" {
		t.Errorf("%+v", v)
	}
	empty, err := json.Marshal(Evaluate(nil, Facts{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{`"inputs":[]`, `"components":[]`, `"findings":[]`, `"provenance":{}`} {
		if !bytes.Contains(empty, []byte(list)) {
			t.Errorf("no %s in %s", list, empty)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	var all []*sbom.Component
	for i := range 1000 {
		all = append(all, library(fmt.Sprintf("some-library-%d", i), "1.0.0", transitive))
	}
	f := facts(nil, all...)
	for b.Loop() {
		Evaluate(nil, f)
	}
}

func TestTableIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.Name] {
			t.Errorf("%s is there twice", r.Name)
		}
		seen[r.Name] = true
		if r.Summary == "" || r.Help == "" || r.Fix == "" || r.Target == "" {
			t.Errorf("%s is not documented", r.Name)
		}
		if r.find == nil && r.pending == "" {
			t.Errorf("%s is neither found nor pending", r.Name)
		}
		if !sentence.MatchString(r.Summary) {
			t.Errorf("%s: %q is no lower-case sentence", r.Name, r.Summary)
		}
	}
}

// TestCatalogOnlyTightens compares verdicts with the catalogue and without: what
// it adds are findings and proven sources, and it takes away nothing but the
// complaint that nobody named the source, which it then compares.
func TestCatalogOnlyTightens(t *testing.T) {
	known := facts(nil).Catalog
	p := policyOf(t, `sources: {chalk: {repo: https://github.com/acme/fork, workflow: .github/workflows/x.yml}, "@sigstore/*": {repo: https://github.com/acme/*}}`)
	n := 0
	for e := range known.Packages() {
		n++
		s := provenance.Subject{Ecosystem: e.Ecosystem, Name: e.Package}
		if e.Ecosystem == sbom.OCI {
			s.PURL = "pkg:oci/x?repository_url=" + e.Package
		}
		got, alone := Expect(p, known)(s), Expect(p, nil)(s)
		if alone.Repo != "" && got != alone {
			t.Errorf("%s: the catalogue changes what the policy expects to %+v", e.Package, got)
		}
		if alone.Repo != "" {
			continue
		}
		want := provenance.Expectation{
			From: "catalog", Repo: e.Repository, RepositoryID: e.RepositoryID, OwnerID: e.OwnerID, Workflow: e.Workflow,
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", e.Package, got, want)
		}
		// An owner alone would make verified of any repository of his.
		if r, err := provenance.ParseRepository(got.Repo); err != nil || strings.Contains(r.String(), "*") {
			t.Errorf("%s: %s is not one repository: %v", e.Package, got.Repo, err)
		}
	}
	if n < 150 {
		t.Errorf("only %d packages", n)
	}

	for _, state := range []provenance.State{
		provenance.Invalid, provenance.Mismatch, provenance.Unavailable, provenance.Stripped,
		provenance.Lost, provenance.Absent, provenance.Unsupported, provenance.Unvouched,
	} {
		c := library("chalk", "5.0.0", sbom.OriginDirect)
		with := facts([]provenance.Result{result(c, state)}, c)
		without := with
		without.Catalog = nil
		after := rulesFound(Evaluate(Default(), with))
		for _, rule := range rulesFound(Evaluate(Default(), without)) {
			if !slices.Contains(after, rule) && rule != "source-unvouched" {
				t.Errorf("%v: the catalogue excuses %s", state, rule)
			}
		}
	}
}

func rulesFound(v *Verdict) []string {
	var names []string
	for _, f := range v.Findings {
		names = append(names, f.Rule)
	}
	return names
}
