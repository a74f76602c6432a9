package policy

import (
	"strings"
	"testing"

	"countermark/provenance/npm"
	"countermark/sbom"
	"countermark/sbom/node"
)

// from is a lockfile's URL, read as the reader of lockfiles reads it.
func from(raw string) func(*sbom.Component) {
	return func(c *sbom.Component) { c.Resolved, c.Distribution = node.Distribution(raw) }
}

// What a URL hides from a reviewer it does not hide from these two rules.
func TestURLsThatReadTwoWays(t *testing.T) {
	const host = "registry.example"
	for _, tc := range []struct{ raw, untrusted, mismatch string }{
		{"https://" + host + "/a/-/a-1.0.0.tgz", "", ""},
		{"https://" + host + "/prefix/a/-/a-1.0.0.tgz?x#y", "", ""},
		{`https://evil.example\@` + host + `/a/-/a-1.0.0.tgz`, "error", "error"},
		{`https://evil.example:443\x/@` + host + `/a/-/a-1.0.0.tgz`, "error", "error"},
		{"https://u:p@" + host + "/a/-/a-1.0.0.tgz", "error", ""},
		{"https:///" + host + "/a/-/a-1.0.0.tgz", "error", ""},
		{"https://" + host + "/evil/-/x/../evil-6.6.6.tgz", "error", "error"},
		{`https://` + host + `/evil/-\evil-6.6.6.tgz`, "error", "error"},
		{"https://" + host + "/evil/-/evil-6.6.6.tgz", "", "error"},
		{"https://" + host + "/evil/-/a-1.0.0.tgz", "", "error"},
		{"https://" + host + "/evil.tgz", "", "error"},
		{"https://" + host + "/ghp_0123456789abcdefghij0123456789abcdef/-/a-1.0.0.tgz", "", "error"},
		{"https://files.example/x.tgz", "error", ""},
		{"https://", "error", ""},
	} {
		for _, source := range []sbom.Source{sbom.FromRegistry, sbom.FromTarball} {
			c := library("a", "1.0.0", direct, from(tc.raw), func(c *sbom.Component) { c.Source = source })
			v := Evaluate(nil, facts(nil, c))
			if got := severities(v, "registry-untrusted"); got != tc.untrusted {
				t.Errorf("%s, %s: registry-untrusted %q, want %q", tc.raw, source, got, tc.untrusted)
			}
			mismatch := tc.mismatch
			if source == sbom.FromTarball && c.Distribution.Name == "" && c.Distribution.Doubt == "" {
				mismatch = "" // the project asked for this very URL
			}
			if got := severities(v, "resolved-name-mismatch"); got != mismatch {
				t.Errorf("%s, %s: resolved-name-mismatch %q, want %q", tc.raw, source, got, mismatch)
			}
		}
	}
	c := library("a", "1.0.0", direct, from(`git+https://evil.example\@git.example/o/r.git`), func(c *sbom.Component) { c.Source = sbom.FromGit })
	if got := severities(Evaluate(nil, facts(nil, c)), "registry-untrusted"); got != "error" {
		t.Errorf("a git remote that reads two ways: %q", got)
	}
}

// npm puts the configured registry in the place of the public one, also where an
// old lockfile has http.
func TestPublicRegistryByHTTP(t *testing.T) {
	raw := "http" + strings.TrimPrefix(npm.PublicRegistry, "https") + "a/-/a-1.0.0.tgz"
	c := library("a", "1.0.0", direct, from(raw), func(c *sbom.Component) { c.Source = sbom.FromRegistry })
	f := facts(nil, c)
	f.Registries = []string{npm.PublicRegistry}
	if got := severities(Evaluate(nil, f), "registry-untrusted"); got != "" {
		t.Errorf("registry-untrusted: %q", got)
	}
}

// A registry that only the project's own configuration names is asked for what
// names no URL, and for what names the public one.
func TestRegistryOfTheProject(t *testing.T) {
	const mirror = "https://mirror.example/"
	for _, tc := range []struct {
		name, raw string
		source    sbom.Source
		policy    string
		want      string
	}{
		{"no URL", "", sbom.FromRegistry, "", "error"},
		{"launched", "", "", "", "error"},
		{"the public registry", npm.PublicRegistry + "a/-/a-1.0.0.tgz", sbom.FromRegistry, "", "error"},
		{"a tarball of the public registry", npm.PublicRegistry + "a/-/a-1.0.0.tgz", sbom.FromTarball, "", "error"},
		{"another trusted registry", "https://registry.example/a/-/a-1.0.0.tgz", sbom.FromRegistry, "", ""},
		{"trusted by the policy", "", sbom.FromRegistry, "registries: [https://mirror.example/]", ""},
		{"bundled", "", sbom.FromParent, "", ""},
		{"a folder", "", sbom.FromFile, "", ""},
	} {
		p, err := Parse(FileName, []byte("version: 1\n"+tc.policy))
		if err != nil {
			t.Fatal(err)
		}
		f := facts(nil, library("a", "1.0.0", direct, func(c *sbom.Component) {
			c.Resolved, c.Distribution = "", sbom.Distribution{}
			if tc.raw != "" {
				from(tc.raw)(c)
			}
			c.Source, c.Bundled = tc.source, tc.source == sbom.FromParent
		}))
		f.Registries = append(f.Registries, npm.PublicRegistry)
		f.ProjectRegistries = func(file, name string) []string {
			if file != f.Inventory.Components[0].Occurrences[0].Path || name != "a" {
				t.Errorf("%s: asked for %s of %s", tc.name, name, file)
			}
			return []string{mirror, npm.PublicRegistry, mirror}
		}
		v := Evaluate(p, f)
		if got := severities(v, "registry-untrusted"); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		for _, found := range v.Findings {
			if found.Rule == "registry-untrusted" && (found.Actual != mirror || !strings.Contains(found.Fix, ".npmrc")) {
				t.Errorf("%s: %+v", tc.name, found)
			}
		}
	}
}

// npx runs a command of the project itself before it asks a registry. A member of that
// very name says so: elsewhere the same words run what the registry has.
func TestOwnCommands(t *testing.T) {
	for _, tc := range []struct{ name, spec, want, actual string }{
		{"app", "tool", "error", "the command of app"},
		{"app", "tool@1.0.0", "", ""},
		{"app", "other", "", ""},
		{"tool", "tool", "error", "the project's own tool"},
	} {
		own := library(tc.name, "1.0.0", 0, func(c *sbom.Component) {
			c.Source = sbom.FromProject
			c.Properties = []sbom.Property{{Name: node.PropertyBin, Value: "tool"}}
		})
		v := Evaluate(nil, facts(nil, own, starting("s", nil, sbom.Launch{Kind: sbom.KindNPM, Spec: tc.spec, Pin: sbom.PinLockfile})))
		if got := severities(v, "resolved-name-mismatch"); got != tc.want {
			t.Errorf("%s of %s: %q, want %q", tc.spec, tc.name, got, tc.want)
		}
		for _, f := range v.Findings {
			if f.Rule == "resolved-name-mismatch" && f.Actual != tc.actual {
				t.Errorf("%s of %s: %q, want %q", tc.spec, tc.name, f.Actual, tc.actual)
			}
		}
	}
}
