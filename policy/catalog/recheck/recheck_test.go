package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"countermark/policy/catalog"
	"countermark/provenance/npm"
	"countermark/provenance/npm/npmtest"
	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
	"countermark/sbom"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const home = "https://github.com/acme/widget"

// sum is that of each tarball.
var sum = strings.Repeat("ab", 64)

// version is what a registry says of the latest version.
func version(name, repository string, attested bool) string {
	dist := "{}"
	if attested {
		dist = `{"attestations":{"url":"x"}}`
	}
	return fmt.Sprintf(`{"name":%q,"version":"1.0.0","repository":%s,"dist":%s}`, name, repository, dist)
}

// world is a registry and a sigstore of the test's own.
type world struct {
	*checker

	registry *npmtest.Registry
	sigstore *provenancetest.Sigstore
	url      string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{registry: npmtest.New(), sigstore: must(provenancetest.New())}
	server := httptest.NewServer(w.registry)
	t.Cleanup(server.Close)
	w.url = server.URL + "/"
	config := must(npm.NewConfig(npm.Sources{
		Registry: w.url,
		Environ:  []string{"npm_config_" + strings.TrimPrefix(server.URL, "http:") + "/:_authToken=secret"},
	}))
	w.checker = must(newChecker(config, &trust.Material{
		Root: must(trust.LoadRoot(must(w.sigstore.TrustedRoot()), "root")),
		Keys: must(trust.LoadNPMKeys(must(w.sigstore.NPMKeys()), "keys")),
	}))
	return w
}

// serve answers for the latest version of a package.
func (w *world) serve(name, body string) {
	w.registry.FailAlways("/"+strings.Replace(name, "/", "%2f", 1)+"/latest", npmtest.Body(body))
}

// describe publishes a version that the registry signs.
func (w *world) describe(name string) {
	integrity := "sha512-" + base64.StdEncoding.EncodeToString(must(hex.DecodeString(sum)))
	w.registry.Describe(name, "1.0.0", npmtest.Details{Integrity: integrity, Published: "2026-01-15T12:00:00Z", Signatures: []npmtest.Signature{{
		KeyID: must(w.sigstore.KeyID()), Sig: base64.StdEncoding.EncodeToString(must(w.sigstore.SignRelease(name, "1.0.0", integrity))),
	}}})
}

// attest serves a version that was built in a repository with this id.
func (w *world) attest(name, repositoryID string) {
	w.serve(name, version(name, `"`+home+`"`, true))
	w.describe(name)
	build := provenancetest.Build{
		Package: name, Version: "1.0.0", SHA512: sum, Registry: strings.TrimSuffix(w.url, "/"),
		Repository: home, RepositoryID: repositoryID,
	}
	publish, prov, err := w.sigstore.Set(build)
	if err != nil {
		panic(err)
	}
	for _, b := range [][]byte{publish, prov} {
		w.registry.Attest(name, "1.0.0", must(provenancetest.PredicateType(b)), b)
	}
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	plain := `{"type":"git","url":"git+https://github.com/Acme/widget.git"}`
	w.serve("object", version("object", plain, false))
	w.serve("@acme/scoped", version("@acme/scoped", plain, false))
	w.serve("text", version("text", `"git://github.com/acme/widget.git"`, false))
	w.serve("short", version("short", `"acme/widget"`, false))
	w.serve("prefixed", version("prefixed", `"github:acme/widget"`, false))
	w.serve("lab", version("lab", `"gitlab:acme/widget"`, false))
	w.serve("other", version("other", `"https://github.com/stranger/widget"`, false))
	w.serve("longer", version("longer", `"https://github.com/acme/widget2"`, false))
	w.serve("silent", version("silent", `null`, false))
	w.serve("list", version("list", `["https://github.com/acme/widget"]`, false))
	w.serve("renamed", version("another", plain, false))
	w.serve("garbage", `<html>`)
	w.serve("large", `"`+strings.Repeat("x", maxManifest)+`"`)
	w.serve("taken", version("taken", plain, false))
	w.serve("promised", version("promised", plain, true))
	w.registry.Promise("promised", "1.0.0")
	w.describe("promised")
	w.registry.FailAlways("/broken/latest", npmtest.Status(http.StatusInternalServerError))
	w.registry.FailAlways("/moved/latest", npmtest.Redirect("https://elsewhere.example/"))
	w.registry.FailAlways("/cut/latest", npmtest.Cut(version("cut", plain, false)))
	w.attest("attested", "7")
	w.attest("reborn", "8")

	entry := func(name string) catalog.Entry {
		return catalog.Entry{Name: name, Ecosystem: sbom.NPM, Package: name, Repository: home, RepositoryID: "7"}
	}
	unreleased := func(name string) catalog.Entry {
		e := entry(name)
		e.Unreleased = true
		return e
	}
	for _, x := range []struct {
		entry catalog.Entry
		want  outcome
		says  string
	}{
		{entry("object"), agrees, "1.0.0 names " + home},
		{entry("@acme/scoped"), agrees, home},
		{entry("text"), agrees, home},
		{entry("short"), agrees, home},
		{entry("prefixed"), agrees, home},
		{entry("lab"), differs, "https://gitlab.com/acme/widget"},
		{entry("attested"), agrees, "verified to come from " + home + ", repository id 7"},
		{entry("reborn"), differs, "1.0.0 is mismatch"},
		{entry("promised"), unasked, "attestations"},
		{entry("other"), differs, "stranger/widget"},
		{entry("longer"), differs, "widget2"},
		{entry("silent"), differs, `names the repository ""`},
		{entry("list"), differs, `names the repository ""`},
		{entry("renamed"), differs, `"another"`},
		{entry("missing"), differs, "does not have it"},
		{unreleased("missing"), agrees, "nobody's"},
		{unreleased("taken"), differs, "somebody published it"},
		{unreleased("broken"), unasked, "500"},
		{entry("broken"), unasked, "500"},
		{entry("moved"), unasked, "30"},
		{entry("cut"), unasked, "EOF"},
		{entry("garbage"), unasked, "the registry's answer"},
		{entry("large"), unasked, "longer"},
		{catalog.Entry{Name: "none"}, elsewhere, "no package"},
		{catalog.Entry{Name: "snake", Ecosystem: sbom.PyPI, Package: "object"}, elsewhere, "ecosystem"},
	} {
		t.Run(string(x.entry.Ecosystem)+":"+x.entry.Name+" "+string(x.want), func(t *testing.T) {
			got, detail := w.check(t.Context(), x.entry)
			if got != x.want || !strings.Contains(detail, x.says) {
				t.Errorf("%s: %s, want %s: %s", got, detail, x.want, x.says)
			}
			if strings.Contains(detail, "secret") {
				t.Errorf("tells the token: %s", detail)
			}
		})
	}
	for _, r := range w.registry.Requests() {
		if got := r.Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("%s was asked with %q", r.Path, got)
		}
	}
}

// TestTooMany: once a registry says that it is asked too often, nobody asks more.
func TestTooMany(t *testing.T) {
	w := newWorld(t)
	w.serve("a", version("a", `"acme/widget"`, false))
	w.registry.FailAlways("/b/latest", npmtest.Status(http.StatusTooManyRequests))
	var entries []catalog.Entry
	for _, name := range []string{"a", "b", "c", "d"} {
		entries = append(entries, catalog.Entry{Name: name, Ecosystem: sbom.NPM, Package: name, Repository: home})
	}
	answers := w.all(t.Context(), entries, 1)
	for i, want := range []outcome{agrees, unasked, unasked, unasked} {
		if answers[i].outcome != want || answers[i].entry.Name != entries[i].Name {
			t.Errorf("%s: %s (%s), want %s", answers[i].entry.Name, answers[i].outcome, answers[i].detail, want)
		}
	}
	if got := len(w.registry.Requests()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

// TestFewAtATime: no more packages are asked at once than --jobs says.
func TestFewAtATime(t *testing.T) {
	const jobs, packages = 3, 24
	var now, most atomic.Int32
	full := make(chan struct{})
	w := newWorld(t)
	w.http.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
		n := now.Add(1)
		defer now.Add(-1)
		most.Store(max(most.Load(), n))
		if n == jobs {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		<-full // so many are asked at once at least once
		answer := httptest.NewRecorder()
		answer.WriteHeader(http.StatusNotFound)
		return answer.Result(), nil
	})
	entries := make([]catalog.Entry, packages)
	for i := range entries {
		entries[i] = catalog.Entry{Name: "a", Ecosystem: sbom.NPM, Package: "a", Repository: home}
	}
	w.all(t.Context(), entries, jobs)
	if got := most.Load(); got != jobs {
		t.Errorf("%d packages were asked at once, want %d", got, jobs)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestRun asks a registry for the whole catalogue, and stamps a copy of it.
func TestRun(t *testing.T) {
	known := must(catalog.Embedded())
	sources := map[string]catalog.Entry{}
	for _, list := range []func(func(catalog.Entry) bool){known.All(), known.Packages()} {
		for e := range list {
			if e.Ecosystem == sbom.NPM {
				sources[e.Package] = e
			}
		}
	}
	var asked atomic.Int32
	honest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		e, ok := sources[strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/latest")]
		if !ok || e.Unreleased {
			http.NotFound(w, r)
			return
		}
		body := must(json.Marshal(e.Repository))
		_, _ = w.Write([]byte(version(e.Package, string(body), false)))
	})
	dir := t.TempDir()
	for _, name := range []string{"packages.tsv", "servers.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), must(os.ReadFile(filepath.Join("..", name))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(honest)
	defer server.Close()
	for _, x := range []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{"all", []string{"--stamp", dir, "--day", "2030-01-02"}, exitAgree, "0 differ, 0 could not be asked", ""},
		{"one", []string{"chalk"}, exitAgree, "agrees       npm:chalk: 1.0.0 names https://github.com/chalk/chalk\n1 agree,", ""},
		{"a name that is not there", []string{"chalkk"}, exitUsage, "", `no package "chalkk"`},
		{"too many", []string{"--jobs", "9"}, exitUsage, "", "--jobs 9: from 1 to 8"},
		{"none", []string{"--jobs", "0"}, exitUsage, "", "from 1 to 8"},
		{"no day", []string{"--stamp", dir}, exitUsage, "", "go together"},
		{"no folder", []string{"--day", "2030-01-02"}, exitUsage, "", "go together"},
		{"bad day", []string{"--stamp", dir, "--day", "today"}, exitUsage, "", "no date"},
		{"no such folder", []string{"--stamp", filepath.Join(dir, "x"), "--day", "2030-01-02", "chalk"}, exitUsage, "", "no such file"},
		{"unknown flag", []string{"--force"}, exitUsage, "", "force"},
		{"help", []string{"--help"}, exitAgree, "", "-stamp"},
		{"nobody answers", []string{"--registry", "http://127.0.0.1:1/", "chalk"}, exitUnasked, "not checked  npm:chalk: ", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append([]string{"--registry", server.URL}, x.args...)
			code := run(t.Context(), args, nil, t.TempDir(), &stdout, &stderr)
			if code != x.code || !strings.Contains(stdout.String(), x.stdout) || !strings.Contains(stderr.String(), x.stderr) {
				t.Errorf("exit %d, %s%s", code, stdout.String(), stderr.String())
			}
		})
	}
	if got, want := int(asked.Load()), len(sources)+2; got != want {
		t.Errorf("%d packages were asked, want %d", got, want)
	}
	stamped := must(catalog.Parse(must(os.ReadFile(filepath.Join(dir, "servers.yaml"))), must(os.ReadFile(filepath.Join(dir, "packages.tsv")))))
	for _, list := range []func(func(catalog.Entry) bool){stamped.All(), stamped.Packages()} {
		for e := range list {
			if want := e.Ecosystem == sbom.NPM && e.Published(); (e.RegistryChecked == "2030-01-02") != want {
				t.Errorf("%s:%s is stamped %q", e.Ecosystem, e.Package, e.RegistryChecked)
			}
		}
	}
}

// TestReport: one that differs is 1, whatever the others are.
func TestReport(t *testing.T) {
	for _, x := range []struct {
		outcomes []outcome
		code     int
	}{
		{[]outcome{agrees, elsewhere}, exitAgree},
		{[]outcome{agrees, unasked}, exitUnasked},
		{[]outcome{unasked, differs, agrees}, exitDiffer},
	} {
		var answers []answer
		for _, o := range x.outcomes {
			answers = append(answers, answer{entry: catalog.Entry{Name: "a"}, outcome: o, detail: "d"})
		}
		var out bytes.Buffer
		code, err := report(&out, answers)
		if code != x.code || err != nil || strings.Count(out.String(), "\n") != len(answers)+1 {
			t.Errorf("%v: exit %d, %v, %s", x.outcomes, code, err, out.String())
		}
	}
}

// TestStampOnlyWhatAgrees: what differs, or was not asked, keeps the day that it had.
func TestStampOnlyWhatAgrees(t *testing.T) {
	agreed := map[string]bool{"a": true, "b": false}
	packages := "# npm:a\tx\n" +
		"npm:a\tr\t-\t-\t-\tvendor\t2026-01-01\t-\td\n" +
		"npm:b\tr\t-\t-\t-\tvendor\t2026-01-01\t2026-01-01\td\n" +
		"pypi:a\tr\t-\t-\t-\tvendor\t2026-01-01\t-\td\n"
	want := strings.Replace(packages, "\t-\td\n", "\t2030-01-02\td\n", 1)
	if got := string(stampPackages([]byte(packages), "2030-01-02", agreed)); got != want {
		t.Errorf("got %s", got)
	}
	servers := "servers:\n" +
		"  - name: A\n    ecosystem: npm\n    package: \"a\"\n    documented: d\n    registry_checked: 2026-01-01\n    basis: vendor\n" +
		"  - name: B\n    ecosystem: npm\n    package: b\n    documented: d\n    registry_checked: 2026-01-01\n" +
		"  - name: C\n    ecosystem: pypi\n    package: a\n    documented: d\n"
	want = strings.Replace(servers, "2026-01-01", "2030-01-02", 1)
	if got := string(stampServers([]byte(servers), "2030-01-02", agreed)); got != want {
		t.Errorf("got %s", got)
	}
}

func TestContext(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, detail := w.check(ctx, catalog.Entry{Name: "a", Ecosystem: sbom.NPM, Package: "a", Repository: home}); got != unasked || !strings.Contains(detail, "canceled") {
		t.Errorf("%s: %s", got, detail)
	}
}
