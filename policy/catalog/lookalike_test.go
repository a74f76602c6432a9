package catalog

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

func names(es []Entry) string {
	var out []string
	for _, e := range es {
		out = append(out, e.Name)
	}
	return strings.Join(out, ", ")
}

// The first name is the likeliest; "" is none.
func TestLookalikes(t *testing.T) {
	c := load(t)
	for _, x := range []struct {
		eco      sbom.Ecosystem
		name     string
		launched string
		ordinary string
	}{
		// The incident, and its relatives.
		{sbom.NPM, "postmark-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "mcp-postmark", "Postmark", "Postmark"},
		{sbom.NPM, "post-mark-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "postmark_mcp", "Postmark", "Postmark"},
		{sbom.NPM, "postmarkmcp", "Postmark", "Postmark"},
		{sbom.NPM, "mcppostmark", "Postmark", "Postmark"},
		{sbom.NPM, "postmark-mcp-server", "Postmark", "Postmark"},
		{sbom.NPM, "postmarkmcpserver", "Postmark", "Postmark"},
		{sbom.NPM, "mcppostmarkserver", "Postmark", "Postmark"},
		{sbom.NPM, "postmarkservermcp", "Postmark", "Postmark"},
		{sbom.NPM, "postmark-mcp-official", "Postmark", "Postmark"},
		{sbom.NPM, "p0stmark-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "postrnark-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "postmrak-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "postmarc-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "postmark-email-mcp", "Postmark", ""},
		{sbom.NPM, "@postmark/mcp", "Postmark", "Postmark"},
		{sbom.NPM, "@evil/postmark-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "@activecampaign/postmark-mpc", "Postmark", "Postmark"},
		{sbom.NPM, "@activecampain/postmark-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "@activecampaign/postmark-mcp", "", ""},
		{sbom.NPM, "postmark", "Postmark", ""},
		{sbom.PyPI, "postmark-mcp", "Postmark", "Postmark"},
		{sbom.NPM, "postmarkapp-mcp", "Postmark", ""},
		{sbom.NPM, "postmark-mcp2", "Postmark", "Postmark"},
		{sbom.NPM, "postmark-tools", "Postmark", ""},
		{sbom.NPM, "postmark-agent", "Postmark", ""},
		{sbom.NPM, "postmark-model-context-protocol", "Postmark", "Postmark"},
		{sbom.NPM, "bookmark-mcp", "", ""},

		// Another vendor's name with a hyphen or a word moved.
		{sbom.NPM, "chromedevtools-mcp", "Chrome DevTools", "Chrome DevTools"},
		{sbom.NPM, "mcp-chrome-devtools", "Chrome DevTools", "Chrome DevTools"},
		{sbom.NPM, "chrome-dev-tools-mcp", "Chrome DevTools", "Chrome DevTools"},
		{sbom.NPM, "fire-crawl-mcp", "Firecrawl", "Firecrawl"},
		{sbom.NPM, "mongodb-mcp-sever", "MongoDB", "MongoDB"},
		{sbom.NPM, "mongo-db-mcp-server", "MongoDB", "MongoDB"},
		{sbom.NPM, "mcp-server-mongodb", "MongoDB", "MongoDB"},
		{sbom.NPM, "taviliy-mcp", "Tavily", "Tavily"},
		{sbom.NPM, "tavily-mpc", "Tavily", "Tavily"},
		{sbom.NPM, "exa-mcp", "Exa", "Exa"},
		{sbom.NPM, "exam-mcp", "", ""},
		{sbom.NPM, "chrome-mcp", "", ""},
		{sbom.NPM, "context-mcp", "", ""},

		// Scopes.
		{sbom.NPM, "@playwrite/mcp", "Playwright", "Playwright"},
		{sbom.NPM, "@playwrigth/mcp", "Playwright", "Playwright"},
		{sbom.NPM, "@playwright/other-mcp", "", ""},
		{sbom.NPM, "playwright", "", ""},
		{sbom.NPM, "@micros0ft/agent-mcp", "Azure", "Azure"},
		{sbom.NPM, "@micros0ft/tslib", "Azure", "Azure"},
		{sbom.NPM, "@microsoft/playwright-mcp", "Playwright", "Playwright"},
		{sbom.NPM, "@github/github-mcp-server", "GitHub", "GitHub"},
		{sbom.NPM, "@anthropic/github-mcp-server", "GitHub", "GitHub"},
		{sbom.NPM, "@github/copilot", "", ""},
		{sbom.NPM, "@modelcontextprotocl/server-memory", "Memory", "Memory"},
		{sbom.NPM, "@modelcontextprotocl/sdk", "Everything", "Everything"},
		{sbom.NPM, "@modelcontextprotocol/server-git", "", ""},
		{sbom.NPM, "@sentry/anything-mcp", "", ""},

		// Servers that are named by an ordinary word.
		{sbom.NPM, "mcp-server-filesystem", "Filesystem", "Filesystem"},
		{sbom.NPM, "server-filesystem", "Filesystem", ""},
		{sbom.NPM, "@someone/filesystem-mcp-server", "", ""},
		{sbom.NPM, "mcp-server-git", "Git", "Git"},
		{sbom.PyPI, "mcp-server-git", "", ""},
		{sbom.PyPI, "MCP.Server_Git", "", ""},
		{sbom.PyPI, "mcp-sever-git", "Git", "Git"},
		{sbom.PyPI, "mcp-server-gif", "", ""},
		{sbom.PyPI, "kagi-mcp", "Kagi", "Kagi"},
		{sbom.PyPI, "mcp-neo4j-memory", "", ""},

		// Images and modules carry their owner.
		{sbom.OCI, "ghcr.io/github/github-mcp-server", "", ""},
		{sbom.OCI, "mcp/notion", "", ""},
		{sbom.OCI, "someone/github-mcp-server", "GitHub", "GitHub"},
		{sbom.OCI, "github-mcp-server", "GitHub", "GitHub"},
		{sbom.Golang, "github.com/grafana/mcp-grafana/cmd/mcp-grafana", "", ""},
		{sbom.Golang, "github.com/someone/mcp-grafana", "Grafana", "Grafana"},

		{sbom.NPM, "", "", ""},
		{sbom.NPM, "@", "", ""},
		{sbom.NPM, "@postmark", "Postmark", ""},
		{sbom.NPM, "mcp", "", ""},
		{sbom.NPM, "mcp-server", "", ""},
		{sbom.NPM, "@someone/mcp", "", ""},
		{sbom.NPM, strings.Repeat("a-", 10000) + "postmark-mcp", "", ""},
	} {
		for _, how := range []struct {
			launched bool
			want     string
		}{{true, x.launched}, {false, x.ordinary}} {
			got, _, _ := strings.Cut(names(c.Lookalikes(x.eco, x.name, how.launched)), ", ")
			if got != how.want {
				t.Errorf("%s %.60q, launched %v: %q, want %q", x.eco, x.name, how.launched, got, how.want)
			}
		}
	}
}

// TestNoFalseAlarm asks about names that everybody depends on.
func TestNoFalseAlarm(t *testing.T) {
	c := load(t)
	f, err := os.Open("testdata/common-npm-names.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		if got := c.Lookalikes(sbom.NPM, lines.Text(), false); got != nil {
			t.Errorf("%s looks like %s", lines.Text(), names(got))
		}
	}
	if n < 300 {
		t.Errorf("only %d names were asked", n)
	}
}

// TestOwnPackages asks about what the catalogue itself says is genuine.
func TestOwnPackages(t *testing.T) {
	c := load(t)
	for e := range c.All() {
		for _, name := range append([]string{e.Package}, e.Aliases...) {
			if got := c.Lookalikes(e.Ecosystem, name, true); name != "" && got != nil {
				t.Errorf("%s, genuine %s, looks like %s", name, e.Name, names(got))
			}
		}
	}
}

// TestTypos makes one typing error in every published name.
func TestTypos(t *testing.T) {
	c := load(t)
	for e := range c.All() {
		if e.Package == "" || len(newShape(split(e.Ecosystem, e.Package)).rest) < 5 {
			continue // too many words are one swap away
		}
		for i := 1; i < len(e.Package)-1; i++ {
			a, b := e.Package[i], e.Package[i+1]
			if letter := func(c byte) bool { return 'a' <= c && c <= 'z' }; a == b || !letter(a) || !letter(b) {
				continue
			}
			swapped := e.Package[:i] + string([]byte{b, a}) + e.Package[i+2:]
			namespace, _ := split(e.Ecosystem, swapped)
			if c.belongsToVendor(e.Ecosystem, swapped, namespace) {
				continue // in the vendor's own scope
			}
			if got := c.Lookalikes(e.Ecosystem, swapped, true); !slices.ContainsFunc(got, func(l Entry) bool { return l.Vendor == e.Vendor }) {
				t.Errorf("%s is not taken for %s, but for %q", swapped, e.Name, names(got))
			}
		}
	}
}

// TestRealConfigurations lists what is found in configurations of real projects.
// People judge the list; what is genuine must not be on it.
func TestRealConfigurations(t *testing.T) {
	c := load(t)
	asked := map[string]bool{}
	lines := bufio.NewScanner(shared(t, "mcp-configs/manifest.jsonl"))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var file struct {
			Expected []struct{ Kind, Package string }
		}
		if err := json.Unmarshal(lines.Bytes(), &file); err != nil {
			t.Fatal(err)
		}
		for _, s := range file.Expected {
			if (s.Kind != "npm" && s.Kind != "pypi") || s.Package == "" || asked[s.Kind+s.Package] {
				continue
			}
			asked[s.Kind+s.Package] = true
			eco := sbom.Ecosystem(s.Kind)
			got := c.Lookalikes(eco, s.Package, true)
			if _, ok := c.Source(eco, s.Package); ok && got != nil {
				t.Errorf("%s is genuine, but looks like %s", s.Package, names(got))
			}
			if got != nil {
				t.Logf("%s %s looks like %s", s.Kind, s.Package, names(got))
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(asked) < 50 {
		t.Errorf("only %d packages were asked", len(asked))
	}
	t.Logf("%d packages asked", len(asked))
}

func TestDistance(t *testing.T) {
	for _, x := range []struct {
		a, b        string
		limit, want int
	}{
		{"", "", 2, 0}, {"abc", "abc", 2, 0}, {"abc", "acb", 2, 1}, {"abc", "ab", 2, 1}, {"abc", "xabc", 2, 1}, {"abc", "axc", 2, 1},
		{"abcd", "badc", 2, 2}, {"abcdef", "abdcfe", 2, 2}, {"abc", "xyz", 2, 3}, {"abc", "abcdefg", 2, 3}, {"ca", "abc", 3, 3},
		{"abcdef", "badcfe", 1, 2},
	} {
		if got := distance(x.a, x.b, x.limit); got != x.want {
			t.Errorf("distance(%q, %q, %d) = %d, want %d", x.a, x.b, x.limit, got, x.want)
		}
		if got := distance(x.b, x.a, x.limit); got != x.want {
			t.Errorf("distance(%q, %q, %d) = %d, want %d", x.b, x.a, x.limit, got, x.want)
		}
	}
}

func FuzzLookalikes(f *testing.F) {
	for _, seed := range []string{"postmark-mcp", "@playwrite/mcp", "@/", "mcp", "ghcr.io/a/b", "sérvér-mcp", "\x00"} {
		f.Add(seed)
	}
	c := load(f)
	f.Fuzz(func(t *testing.T, name string) {
		for _, eco := range []sbom.Ecosystem{sbom.NPM, sbom.PyPI, sbom.OCI, sbom.Golang, sbom.Cargo} {
			ordinary := c.Lookalikes(eco, name, false)
			launched := c.Lookalikes(eco, name, true)
			if len(launched) < len(ordinary) {
				t.Errorf("%s %q: launching it makes it look less alike: %s, then %s", eco, name, names(ordinary), names(launched))
			}
			if _, ok := c.Source(eco, name); ok && launched != nil {
				t.Errorf("%s %q is genuine, but looks like %s", eco, name, names(launched))
			}
		}
	})
}

func BenchmarkLookalikes(b *testing.B) {
	c := load(b)
	for b.Loop() {
		c.Lookalikes(sbom.NPM, "@babel/plugin-transform-modules-commonjs", false)
	}
}
