package npm_test

import (
	"net/http"
	"strings"
	"testing"

	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/npm/npmtest"
	"countermark/sbom"
)

// TestTarballHosts: the bytes are asked of whom somebody else than the lockfile
// and the packument vouches for, and of nobody else.
func TestTarballHosts(t *testing.T) {
	other := npmtest.New()
	elsewhere := serve(t, other)
	public := npm.PublicRegistry
	for name, c := range map[string]struct {
		resolved, tarball string
		internal, trusted bool
		asked             string // at the configured registry; "elsewhere" there; empty: nobody
	}{
		"the lockfile's":              {resolved: "SELF/l.tgz", tarball: "SELF/p.tgz", asked: "/l.tgz"},
		"the packument's":             {tarball: "SELF/p.tgz", asked: "/p.tgz"},
		"the lockfile's has a secret": {resolved: "SELF/" + sbom.Redacted + "/l.tgz", tarball: "SELF/p.tgz", asked: "/p.tgz"},
		"public, as in a mirror":      {resolved: public + "a/-/a.tgz", asked: "/a/-/a.tgz"},
		"public and internal":         {resolved: public + "a/-/a.tgz", internal: true, trusted: true, asked: "/a/-/a.tgz"},
		"a stranger's":                {resolved: elsewhere + "l.tgz", tarball: "SELF/p.tgz"},
		"a stranger's packument":      {tarball: elsewhere + "p.tgz"},
		"trusted":                     {resolved: elsewhere + "l.tgz", trusted: true, asked: "elsewhere"},
		"userinfo":                    {tarball: strings.Replace(elsewhere, "://", "://SELF@", 1), trusted: true},
		"another scheme":              {tarball: strings.Replace(elsewhere, "http:", "ftp:", 1) + "p.tgz", trusted: true},
		"a file":                      {tarball: "file:///etc/passwd"},
		"the machine's own services":  {tarball: "http://169.254.169.254/latest/meta-data"},
		"nowhere":                     {},
	} {
		t.Run(name, func(t *testing.T) {
			r := npmtest.New()
			url := serve(t, r)
			self := strings.NewReplacer("SELF", strings.TrimSuffix(url, "/"))
			r.Describe("a", "1.0.0", npmtest.Details{Tarball: self.Replace(c.tarball)})
			for _, path := range []string{"/l.tgz", "/p.tgz", "/a/-/a.tgz"} {
				r.FailAlways(path, npmtest.Body("a"))
			}
			other.FailAlways("/l.tgz", npmtest.Body("a"))
			client, _ := newClient(t, url, npm.Sources{})
			client.Internal = func(string) bool { return c.internal }
			if c.trusted {
				client.Registries = []string{elsewhere}
			}
			before := len(other.Requests())
			s := provenance.Subject{Ecosystem: sbom.NPM, Name: "a", Version: "1.0.0", Resolved: self.Replace(c.resolved)}
			set, err := npm.Tarballs{Client: client, Source: client}.Attestations(t.Context(), s)
			if err != nil || set.Tarball == nil {
				t.Fatalf("%+v, %v", set, err)
			}
			var asked string
			for _, q := range r.Requests() {
				if strings.HasSuffix(q.Path, ".tgz") {
					asked = q.Path
				}
			}
			if len(other.Requests()) > before {
				asked = "elsewhere"
			}
			if asked != c.asked || (len(set.Tarball.Digests) > 0) != (c.asked != "") {
				t.Errorf("asked %q, want %q: %+v", asked, c.asked, set.Tarball)
			}
			if c.asked == "" && (set.Tarball.Reason == "" || set.Tarball.Hint == "") {
				t.Errorf("no reason or hint: %+v", set.Tarball)
			}
		})
	}
}

// TestTarballIsBounded: by its promised length at once, by its bytes at the latest.
func TestTarballIsBounded(t *testing.T) {
	r := npmtest.New()
	url := serve(t, r)
	r.Describe("a", "1.0.0", npmtest.Details{Tarball: url + "a.tgz"})
	client, _ := newClient(t, url, npm.Sources{})
	client.MaxTarball = 1 << 10
	ask := func(f npmtest.Fault) *provenance.Tarball {
		t.Helper()
		r.Fail("/a.tgz", f)
		set, err := npm.Tarballs{Client: client, Source: client}.Attestations(t.Context(), provenance.Subject{Ecosystem: sbom.NPM, Name: "a", Version: "1.0.0"})
		if err != nil || set.Tarball == nil {
			t.Fatal(set, err)
		}
		return set.Tarball
	}
	if got := ask(npmtest.Body(strings.Repeat("a", 1<<10))); len(got.Digests) != 1 {
		t.Errorf("as large as may be: %+v", got)
	}
	for name, f := range map[string]npmtest.Fault{
		"one more": npmtest.Body(strings.Repeat("a", 1<<10+1)),
		"endless":  npmtest.Endless(),
		"status":   npmtest.Status(http.StatusUnauthorized),
	} {
		if got := ask(f); len(got.Digests) > 0 || got.Reason == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
