package policy

import (
	"strings"
	"testing"

	"countermark/sbom"
)

func TestMatchSegment(t *testing.T) {
	tests := []struct {
		glob, text string
		want       bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "a", true},
		{"*", "", true},
		{"*", "a/b", false},
		{"@a/*", "@a/b", true},
		{"@a/*", "@a/b/c", false},
		{"@*/x", "@a/x", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-b-b", false},
		{"a*/*b", "ax/yb", true},
		{"a*b", "a/b", false},
		{"*a*a*a*a*b", strings.Repeat("a", 200), false},
	}
	for _, test := range tests {
		if got := matchSegment(test.glob, test.text); got != test.want {
			t.Errorf("%q on %q is %v", test.glob, test.text, got)
		}
	}
}

func TestIntersect(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a*", "*b", true},
		{"a*x", "a*y", false},
		{"@a/*-x", "@a/*-y", false},
		{"@a/*-x", "@a/*-x*", true},
		{"@a/*-x", "@a/*z*", true},
		{"a*", "a*/b", false},
		{"a*/b", "a*/*", true},
		{"*", "", true},
		{"**", "*", true},
	}
	for _, test := range tests {
		if got := intersect(test.a, test.b); got != test.want {
			t.Errorf("%q and %q: %v", test.a, test.b, got)
		}
		if got := intersect(test.b, test.a); got != test.want {
			t.Errorf("%q and %q: %v", test.b, test.a, got)
		}
	}
}

func TestExactBeatsPatternAndLongerPrefixWins(t *testing.T) {
	var patterns []pattern
	for _, text := range []string{"@a/*", "@a/tool*", "@a/tool", "*", "npm:@*/x", "pypi:tool*"} {
		p, err := parsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, p)
	}
	tests := []struct {
		ecosystem sbom.Ecosystem
		name      string
		want      int
	}{
		{sbom.NPM, "@a/tool", 2},
		{sbom.NPM, "@a/tools", 1},
		{sbom.NPM, "@a/x", 0},
		{sbom.NPM, "@b/x", 4},
		{sbom.NPM, "plain", 3},
		{sbom.NPM, "@b/y", -1},
		{sbom.PyPI, "Tool_Box", 5},
		{sbom.PyPI, "plain", -1},
		{sbom.OCI, "plain", -1},
	}
	for _, test := range tests {
		if got := best(patterns, test.ecosystem, test.name); got != test.want {
			t.Errorf("%s %s: pattern %d, want %d", test.ecosystem, test.name, got, test.want)
		}
	}
}

func TestImagesAreNamedByTheirRepository(t *testing.T) {
	tests := []struct{ name, purl, want string }{
		{"node", "pkg:oci/node?repository_url=docker.io/library/node&tag=22", "node"},
		{"sqlite", "pkg:oci/sqlite?repository_url=docker.io/mcp/sqlite", "mcp/sqlite"},
		{"server", "pkg:oci/server?repository_url=ghcr.io/acme/server", "ghcr.io/acme/server"},
		{"server", "pkg:oci/server", "server"},
	}
	for _, test := range tests {
		if got := packageName(sbom.OCI, test.name, test.purl); got != test.want {
			t.Errorf("%s is %s, want %s", test.purl, got, test.want)
		}
	}
	p, err := parsePattern("oci:docker.io/library/node")
	if err != nil || !p.matches(sbom.OCI, "node") || p.matches(sbom.OCI, "ghcr.io/acme/node") {
		t.Errorf("the pattern is %+v, %v", p, err)
	}
}

func TestSuggestions(t *testing.T) {
	for word, want := range map[string]string{
		"malicous": "malicious", "maliciuos": "malicious", "source-missmatch": "source-mismatch",
		"Malicious": "malicious", "xyzzy": "", "provenance": "",
	} {
		if got := closest(word, ruleNames()); got != want {
			t.Errorf("%q suggests %q, want %q", word, got, want)
		}
	}
}
