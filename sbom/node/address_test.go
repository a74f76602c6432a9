package node

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countermark/sbom"
)

// The readings are those of new URL(…) in Node, which npm uses.
func TestDistribution(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	registry := func(name, version, doubt string) sbom.Distribution {
		return sbom.Distribution{Host: "https://registry.example", Name: name, Version: version, Doubt: doubt}
	}
	for _, tc := range []struct {
		raw, url string
		want     sbom.Distribution // Doubt is a part of the text
	}{
		{"https://registry.example/a/-/a-1.0.0.tgz", "https://registry.example/a/-/a-1.0.0.tgz", registry("a", "1.0.0", "")},
		{"HTTPS://Registry.Example:443/@s%2fa/-/a-1.0.0.tgz?x=1#y", "https://registry.example/@s%2fa/-/a-1.0.0.tgz", registry("@s/a", "1.0.0", "")},
		{"https://registry.example/My%20Feed/npm/registry/a/-/a-1.0.0%2Bb.tgz", "https://registry.example/My%20Feed/npm/registry/a/-/a-1.0.0%2Bb.tgz", registry("a", "1.0.0+b", "")},
		{"http://[::1]:4873/a/-/a-1.0.0.tgz", "http://[::1]:4873/a/-/a-1.0.0.tgz", sbom.Distribution{Host: "http://[::1]:4873", Name: "a", Version: "1.0.0"}},
		{"https://registry.example", "https://registry.example/", registry("", "", "")},

		{`https://evil.example\@registry.example/a/-/a-1.0.0.tgz`, "https://evil.example/@registry.example/a/-/a-1.0.0.tgz", sbom.Distribution{Host: "https://evil.example", Name: "@registry.example/a", Version: "1.0.0", Doubt: "backslash"}},
		{`https://evil.example:443\x/@registry.example/a/-/a-1.0.0.tgz`, "https://evil.example/x/@registry.example/a/-/a-1.0.0.tgz", sbom.Distribution{Host: "https://evil.example", Name: "@registry.example/a", Version: "1.0.0", Doubt: "backslash"}},
		{"https://registry.example@evil.example/a/-/a-1.0.0.tgz", "https://evil.example/a/-/a-1.0.0.tgz", sbom.Distribution{Host: "https://evil.example", Name: "a", Version: "1.0.0", Doubt: "user name"}},
		{"https://a@b@registry.example/a/-/a-1.0.0.tgz", "https://registry.example/a/-/a-1.0.0.tgz", registry("a", "1.0.0", "user name")},
		{"https://evil.example#@registry.example/a/-/a-1.0.0.tgz", "https://evil.example/", sbom.Distribution{Host: "https://evil.example"}},
		{"https://evil.example?@registry.example/a/-/a-1.0.0.tgz", "https://evil.example/", sbom.Distribution{Host: "https://evil.example"}},
		{"ht\ttps://registry\n.example/a/-/a-1.0.0.tgz", "https://registry.example/a/-/a-1.0.0.tgz", registry("a", "1.0.0", "control characters")},
		{" https://registry.example/a/-/a-1.0.0.tgz", "https://registry.example/a/-/a-1.0.0.tgz", registry("a", "1.0.0", "blanks")},
		{"https:/registry.example/a/-/a-1.0.0.tgz", "https://registry.example/a/-/a-1.0.0.tgz", registry("a", "1.0.0", "two slashes")},
		{`https:\\registry.example/a/-/a-1.0.0.tgz`, "https://registry.example/a/-/a-1.0.0.tgz", registry("a", "1.0.0", "two slashes")},
		{"https://registry%2eexample/a/-/a-1.0.0.tgz", "https://REDACTED", sbom.Distribution{Doubt: "no host"}},
		{"https://registry。example/a/-/a-1.0.0.tgz", "https://REDACTED", sbom.Distribution{Doubt: "letters"}},
		{"https://", "https://REDACTED", sbom.Distribution{Doubt: "no host"}},

		{"https://registry.example/evil/-/x/../evil-6.6.6.tgz", "https://registry.example/evil/-/evil-6.6.6.tgz", registry("evil", "6.6.6", "goes up")},
		{"https://registry.example/evil/-/x/.%2E/evil-6.6.6.tgz", "https://registry.example/evil/-/evil-6.6.6.tgz", registry("evil", "6.6.6", "escapes")},
		{`https://registry.example/evil/-\\evil-6.6.6.tgz`, "https://registry.example/evil/-//evil-6.6.6.tgz", registry("evil", "6.6.6", "backslash")},
		{`https://registry.example/evil/-\evil-6.6.6.tgz`, "https://registry.example/evil/-/evil-6.6.6.tgz", registry("evil", "6.6.6", "backslash")},
		{"https://registry.example/evil/-/%65vil-6.6.6.tgz", "https://registry.example/evil/-/%65vil-6.6.6.tgz", registry("evil", "6.6.6", "escapes")},
		{"https://registry.example/a%2f-%2fa/-/a-1.0.0.tgz", "https://registry.example/a%2f-%2fa/-/a-1.0.0.tgz", registry("", "", "escapes")},
		{"https://registry.example/a%5c/-/a-1.0.0.tgz", "https://registry.example/a%5c/-/a-1.0.0.tgz", registry("", "", "escapes")},
		{"https://registry.example/a%252f/-/a-1.0.0.tgz", "https://registry.example/a%252f/-/a-1.0.0.tgz", registry("", "", "escapes")},
		{"https://registry.example/a%/-/a-1.0.0.tgz", "https://registry.example/a%/-/a-1.0.0.tgz", registry("", "", "escapes")},
		{"https://registry.example/evil/-/a-1.0.0.tgz", "https://registry.example/evil/-/a-1.0.0.tgz", registry("", "", "")},

		{"https:///u:hunter2@registry.example/a/-/a-1.0.0.tgz", "https://registry.example/a/-/a-1.0.0.tgz", registry("a", "1.0.0", "two slashes")},
		{"https:u:hunter2@registry.example/a/-/a-1.0.0.tgz", "https://registry.example/a/-/a-1.0.0.tgz", registry("a", "1.0.0", "two slashes")},
		{"https://u:hun/ter2@registry.example/a.tgz", "https://REDACTED", sbom.Distribution{Doubt: "no host"}},

		{"git+ssh://git@git.example/o/r.git#" + commit, "git+ssh://git.example/o/r.git#" + commit, sbom.Distribution{}},
		{"git+https://x-access-token:hunter2@git.example/o/r.git#" + commit, "git+https://git.example/o/r.git#" + commit, sbom.Distribution{}},
		{"git@git.example:o/r.git#" + commit, "git.example:o/r.git#" + commit, sbom.Distribution{}},
		{"file:../a.tgz", "file:../a.tgz", sbom.Distribution{}},
	} {
		url, got := Distribution(tc.raw)
		if tc.want.Doubt != "" && strings.Contains(got.Doubt, tc.want.Doubt) {
			tc.want.Doubt = got.Doubt
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || url != tc.url {
			t.Errorf("%q: %s, want %s\n%s", tc.raw, url, tc.url, diff)
		}
	}
}

func TestDoubtfulRemotes(t *testing.T) {
	for _, raw := range []string{
		`git+https://evil.example\@git.example/o/r.git`, "git+https://u:hun%40ter2@git.example/o/r.git", "git+https://a@b@git.example/o/r.git",
		"github:u:hunter2@o/r", "git+ssh:///o/r.git", "git+https://git%2eexample/o/r.git", "git@git.example:o /r.git",
	} {
		if _, d := Distribution(raw); d.Doubt == "" {
			t.Errorf("%s: no doubt", raw)
		}
	}
}

// What a lockfile hides in a URL stays in the lockfile.
func TestLockfileSecrets(t *testing.T) {
	for _, resolved := range []string{
		"github:user:hunter2@o/r#0123456789abcdef0123456789abcdef01234567", "github:hunter2:x/r#v1", "github:o/r#hunter2",
		"https:///u:hunter2@registry.example/x.tgz", `https:\\u:hunter2@registry.example/x.tgz`, "https://u:x/hunter2@registry.example/x.tgz",
		"https://u:hunter2/x.tgz", "https://registry.example/x.tgz?token=hunter2", "git+https://u:hunter2@git.example/o/r.git#hunter2",
	} {
		inv := scan(t, map[string]string{"package-lock.json": lock(
			`"": {"dependencies": {"a": "1"}}`, `"node_modules/a": {"version": "1.0.0", "resolved": `+quoteJSON(t, resolved)+`, "license": "https:/u:hunter2@x"}`,
		)})
		for _, c := range inv.Components {
			for _, text := range []string{c.Ref, c.PURL, c.Resolved, c.License, c.Distribution.Host, c.Distribution.Doubt, strings.Join(problems(inv), "\n")} {
				if strings.Contains(text, "hunter2") {
					t.Errorf("%s: %q", resolved, text)
				}
			}
		}
		if len(inv.Components) != 1 {
			t.Errorf("%s: %d components", resolved, len(inv.Components))
		}
	}
}

func TestManifestSecrets(t *testing.T) {
	for _, spec := range []string{
		"https://u:hunter2/x.tgz", "https:///u:hunter2@h/x.tgz", `https:\\u:hunter2@h/x.tgz`, "https://u:x/hunter2@h/x.tgz", "https://h/x.git#hunter2",
		"github:user:hunter2@o/r#v1", "user:hunter2@o/r", "git+https:///u:hunter2@h/o/r.git", "npm:u:hunter2@1",
	} {
		inv := scan(t, map[string]string{"package.json": `{"name": "app", "dependencies": {"a": ` + quoteJSON(t, spec) + `}}`})
		for _, c := range inv.Components {
			text := []string{c.Ref, c.Resolved, strings.Join(problems(inv), "\n")}
			for _, p := range c.Properties {
				text = append(text, p.Value)
			}
			if all := strings.Join(text, "\n"); strings.Contains(all, "hunter2") {
				t.Errorf("%s: %s", spec, all)
			}
		}
	}
}

func FuzzDistribution(f *testing.F) {
	f.Add(`https://evil.example\@registry.example/a/-/a-1.0.0.tgz`)
	f.Add("https://registry.example/evil/-/x/../evil-1.0.0.tgz")
	f.Add("git@git.example:o/r")
	f.Fuzz(func(t *testing.T, raw string) {
		url, d := Distribution(raw)
		if d.Host == "" {
			return
		}
		// What it returns is plain: read again, it says the same.
		again, e := Distribution(url)
		if e.Host != d.Host || e.Doubt != "" && d.Doubt == "" {
			t.Errorf("%q: %s %+v, then %s %+v", raw, url, d, again, e)
		}
	})
}
