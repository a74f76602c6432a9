package npm_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/npm/npmtest"
	"countermark/sbom"
)

const (
	predicate = "https://slsa.dev/provenance/v1"
	bundle    = `{"mediaType":"x","a": [1,  2]}`
	attPath   = "/-/npm/v1/attestations/@acme%2ftool@1.2.3"
	keysPath  = "/-/npm/v1/keys"
	packPath  = "/@acme%2ftool"
	secret    = "npm_abcdefghijklmnopqrstuvwxyz0123456789"
)

var tool = provenance.Subject{Ecosystem: sbom.NPM, Name: "@acme/tool", Version: "1.2.3"}

// clock records what the client would have slept.
type clock struct {
	mu    sync.Mutex
	slept []time.Duration
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept = append(c.slept, d)
	return ctx.Err()
}

// newClient returns a client of that registry that never sleeps.
func newClient(t *testing.T, registry string, s npm.Sources) (*npm.Client, *clock) {
	t.Helper()
	s.Registry = registry
	cfg, err := npm.NewConfig(s)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := cfg.Transport(os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	c := &clock{}
	return &npm.Client{
		Config: cfg, Transport: transport, Version: "1.0.0-test",
		Sleep: c.sleep, Jitter: func() float64 { return 0 },
	}, c
}

func serve(t *testing.T, r http.Handler) string {
	t.Helper()
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func ask(t *testing.T, c *npm.Client, s provenance.Subject) provenance.Set {
	t.Helper()
	set, err := c.Attestations(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if set.Availability != provenance.Found && (set.Reason == "" || set.Hint == "") {
		t.Errorf("%s without reason or hint: %+v", set.Availability, set)
	}
	return set
}

func TestFound(t *testing.T) {
	r := npmtest.New()
	r.Attest("@acme/tool", "1.2.3", predicate, []byte(bundle))
	r.Attest("@acme/tool", "1.2.3", "publish", []byte(`{}`))
	r.Attest("plain", "1.0.0-rc.1+build.5", "", []byte(`{}`))
	url := serve(t, r)
	c, _ := newClient(t, url, npm.Sources{})

	want := provenance.Set{
		Availability: provenance.Found,
		Registry:     url,
		Metadata:     &provenance.Metadata{Attested: true, Others: []provenance.Release{}},
		Attestations: []provenance.Attestation{
			// The server's encoder compacts; the client passes on what was sent.
			{ClaimedType: predicate, Bundle: []byte(`{"mediaType":"x","a":[1,2]}`), From: strings.TrimSuffix(url, "/") + attPath},
			{ClaimedType: "publish", Bundle: []byte(`{}`), From: strings.TrimSuffix(url, "/") + attPath},
		},
	}
	if diff := cmp.Diff(want, ask(t, c, tool)); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	if set := ask(t, c, provenance.Subject{Ecosystem: sbom.NPM, Name: "plain", Version: "1.0.0-rc.1+build.5"}); set.Availability != provenance.Found {
		t.Errorf("plain: %+v", set)
	}
	q := r.Requests()
	if len(q) != 4 || q[0].Path != packPath || q[1].Path != attPath || q[2].Path != "/plain" || q[3].Path != "/-/npm/v1/attestations/plain@1.0.0-rc.1%2Bbuild.5" {
		t.Errorf("requests: %+v", q)
	}
	h := q[0].Header
	if h.Get("Accept") != "application/json" || h.Get("User-Agent") != "countermark/1.0.0-test" || h.Get("Authorization") != "" || h.Get("Referer") != "" {
		t.Errorf("headers: %v", h)
	}
}

// absence is what a registry without attestations has to say.
type absence struct {
	name    string
	prepare func(*npmtest.Registry)
	want    provenance.Availability
	reason  string
}

// packument is a registry that serves this as the package's metadata.
func packument(name, body string, want provenance.Availability, reason string) absence {
	return absence{"packument: " + name, func(r *npmtest.Registry) { r.FailAlways(packPath, npmtest.Body(body)) }, want, reason}
}

// version is a registry that serves this as the version's metadata.
func version(name, body, reason string) absence {
	return packument("a version "+name, `{"name":"@acme/tool","versions":{"1.2.3":`+body+`}}`, provenance.Unreachable, reason)
}

func TestAbsence(t *testing.T) {
	const (
		foreign  = `{"attestations":[{"predicateType":"https://example.com/review/v1","bundle":{}}]}`
		manifest = `{"name":"@acme/tool","version":"1.2.3","dist":{}}`
	)
	var manyMembers strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&manyMembers, `"%d":0,`, i)
	}
	for _, tt := range []absence{
		{"none", func(r *npmtest.Registry) { r.Publish("@acme/tool", "1.2.3") }, provenance.None, "has no attestations"},
		{"promised", func(r *npmtest.Registry) { r.Promise("@acme/tool", "1.2.3") }, provenance.NoSupport, "promises"},
		{"promised, no such endpoint", func(r *npmtest.Registry) {
			r.Promise("@acme/tool", "1.2.3")
			r.FailAlways(attPath, npmtest.Status(404))
		}, provenance.NoSupport, "promises"},
		{"promised, empty list", func(r *npmtest.Registry) {
			r.Promise("@acme/tool", "1.2.3")
			r.FailAlways(attPath, npmtest.Body(`{"attestations":[]}`))
		}, provenance.NoSupport, "promises"},
		{"promised, others' attestations only", func(r *npmtest.Registry) {
			r.Promise("@acme/tool", "1.2.3")
			r.FailAlways(attPath, npmtest.Body(foreign))
		}, provenance.NoSupport, "promises"},
		{"no keys endpoint", func(r *npmtest.Registry) {
			r.Publish("@acme/tool", "1.2.3")
			r.NoKeys()
		}, provenance.NoSupport, "no signing keys"},
		{"no keys in it", func(r *npmtest.Registry) {
			r.Publish("@acme/tool", "1.2.3")
			r.FailAlways(keysPath, npmtest.Body(`{"keys":[]}`))
		}, provenance.NoSupport, "no signing keys"},
		{"empty keys", func(r *npmtest.Registry) {
			r.Publish("@acme/tool", "1.2.3")
			r.FailAlways(keysPath, npmtest.Body(`{"keys":[{"keyid":"","key":"x"},{"keyid":"x"}]}`))
		}, provenance.NoSupport, "no signing keys"},
		{"endpoint refused, though it is promised", func(r *npmtest.Registry) {
			r.Promise("@acme/tool", "1.2.3")
			r.FailAlways(attPath, npmtest.Status(400))
		}, provenance.Unreachable, "400"},
		{"no such package", func(*npmtest.Registry) {}, provenance.Unreachable, "no package of this name"},
		{"no such version", func(r *npmtest.Registry) { r.Publish("@acme/tool", "1.2.4") }, provenance.Unreachable, "not this version"},
		{"keys are garbage", func(r *npmtest.Registry) {
			r.Publish("@acme/tool", "1.2.3")
			r.FailAlways(keysPath, npmtest.Body(`<html>`))
		}, provenance.Unreachable, "no JSON"},
		{"keys forbidden", func(r *npmtest.Registry) {
			r.Publish("@acme/tool", "1.2.3")
			r.FailAlways(keysPath, npmtest.Status(403))
		}, provenance.Unreachable, "403"},
		version("of another package", `{"name":"@acme/tools","version":"1.2.3","dist":{}}`, "another package or version"),
		version("of another version", `{"name":"@acme/tool","version":"1.2.30","dist":{}}`, "another package or version"),
		version("without dist", `{"name":"@acme/tool","version":"1.2.3"}`, "nothing of the version's distribution"),
		version("with a list for a dist", `{"name":"@acme/tool","version":"1.2.3","dist":[]}`, "nothing of the version's distribution"),
		version("with two dists", `{"name":"@acme/tool","version":"1.2.3","dist":{"attestations":{}},"dist":{}}`, "occurs twice"),
		version("with two integrities", `{"name":"@acme/tool","version":"1.2.3","dist":{"integrity":"","integrity":""}}`, "occurs twice"),
		version("with an escaped second name", `{"name":"@acme/tool","\u006eame":"x","version":"1.2.3","dist":{}}`, "occurs twice"),
		version("with a dist in capitals", `{"name":"@acme/tool","version":"1.2.3","DIST":{}}`, "nothing of the version's distribution"),
		version("with too many signatures", `{"name":"@acme/tool","version":"1.2.3","dist":{"signatures":[`+strings.Repeat("{},", 16)+`{}]}}`, "more than 16"),
		version("that is null", `null`, "another package or version"),
		{"too many members", func(r *npmtest.Registry) {
			r.FailAlways(packPath, npmtest.Body(`{`+manyMembers.String()+`"name":"@acme/tool"}`))
		}, provenance.Unreachable, "more than 10000 members"},
		{"too many keys", func(r *npmtest.Registry) {
			r.Publish("@acme/tool", "1.2.3")
			r.FailAlways(keysPath, npmtest.Body(`{"keys":[`+strings.Repeat("{},", 1000)+`{}]}`))
		}, provenance.Unreachable, "more than 1000 keys"},
		packument("another package", `{"name":"x","versions":{}}`, provenance.Unreachable, "another package"),
		packument("its name last", `{"versions":{"1.2.3":`+manifest+`},"x":[{},[[1]]],"name":"@acme/tool"}`, provenance.None, "has no attestations"),
		packument("no name", `{"versions":{"1.2.3":`+manifest+`}}`, provenance.Unreachable, "another package"),
		packument("no versions", `{"name":"@acme/tool"}`, provenance.Unreachable, "no versions"),
		packument("versions twice", `{"name":"@acme/tool","versions":{"1.2.3":`+manifest+`},"versions":{}}`, provenance.Unreachable, "occurs twice"),
		packument("the version twice", `{"name":"@acme/tool","versions":{"1.2.3":`+manifest+`,"1.2.3":{}}}`, provenance.Unreachable, "occurs twice"),
		packument("the name twice", `{"name":"@acme/tool","versions":{"1.2.3":`+manifest+`},"name":"x"}`, provenance.Unreachable, "occurs twice"),
		packument("cut off", `{"name":"@acme/tool","versions":{"1.2.3":`+manifest, provenance.Unreachable, "no JSON"),
		packument("more behind it", `{"name":"@acme/tool","versions":{"1.2.3":`+manifest+`}} {}`, provenance.Unreachable, "text behind"),
		packument("deep", `{"x":`+strings.Repeat("[", 20_000), provenance.Unreachable, "no JSON"),
		packument("not an object", `[{"name":"@acme/tool"}]`, provenance.Unreachable, "no JSON object"),
		packument("versions in a list", `{"name":"@acme/tool","versions":[]}`, provenance.Unreachable, "not this version"),
		packument("a lone surrogate in a readme", `{"name":"@acme/tool","versions":{"1.2.3":`+manifest+`},"readme":"\ud83d"}`, provenance.None, "has no attestations"),
		{"an endless packument", func(r *npmtest.Registry) {
			r.FailAlways(packPath, endless(`{"x":[`, `"`+strings.Repeat("a", 4<<10)+`",`))
		}, provenance.Unreachable, "larger than 67108864"},
		{"an endless text in a packument", func(r *npmtest.Registry) { r.FailAlways(packPath, endless(`{"x":"`, "aa")) }, provenance.Unreachable, "a value of more than 8388608 bytes"},
		{"a bomb", func(r *npmtest.Registry) { r.FailAlways(packPath, npmtest.Bomb()) }, provenance.Unreachable, "a value of more than 8388608 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := npmtest.New()
			tt.prepare(r)
			url := serve(t, r)
			c, _ := newClient(t, url, npm.Sources{})
			set := ask(t, c, tool)
			if set.Availability != tt.want || !strings.Contains(set.Reason, tt.reason) {
				t.Errorf("got %s: %s; want %s: …%s…", set.Availability, set.Reason, tt.want, tt.reason)
			}
			if set.Registry != url {
				t.Errorf("registry %q, want %q", set.Registry, url)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	good := `{"attestations":[{"predicateType":"` + predicate + `","bundle":{}}]}`
	four := func(f npmtest.Fault) []npmtest.Fault { return []npmtest.Fault{f, f, f, f} }
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	date := now.Format(http.TimeFormat)
	half, one, two := 250*time.Millisecond, 500*time.Millisecond, time.Second
	for _, tt := range []struct {
		name   string
		faults []npmtest.Fault
		want   provenance.Availability
		reason string
		slept  []time.Duration
	}{
		{"500 then 200", []npmtest.Fault{npmtest.Status(500)}, provenance.Found, "", []time.Duration{half}},
		{"503 forever", four(npmtest.Status(503)), provenance.Unreachable, "answered 503 Service Unavailable (4 attempts)", []time.Duration{half, one, two}},
		{"429 with seconds", []npmtest.Fault{npmtest.Status(429, "Retry-After", "7")}, provenance.Found, "", []time.Duration{7 * time.Second}},
		{"429 with a date", []npmtest.Fault{npmtest.Status(429, "Retry-After", now.Add(9*time.Second).Format(http.TimeFormat), "Date", date)}, provenance.Found, "", []time.Duration{9 * time.Second}},
		{"429 with a date gone by", []npmtest.Fault{npmtest.Status(429, "Retry-After", now.Add(-time.Hour).Format(http.TimeFormat), "Date", date)}, provenance.Found, "", []time.Duration{half}},
		{"429 with nonsense", []npmtest.Fault{npmtest.Status(429, "Retry-After", "soon")}, provenance.Found, "", []time.Duration{half}},
		{"429 that wants too much", []npmtest.Fault{npmtest.Status(429, "Retry-After", "3600")}, provenance.Unreachable, "asks to wait for 1h0m0s", nil},
		{"429 that overflows", []npmtest.Fault{npmtest.Status(429, "Retry-After", "99999999999999999999999")}, provenance.Unreachable, "asks to wait", nil},
		{"401", []npmtest.Fault{npmtest.Status(401)}, provenance.Unreachable, "401", nil},
		{"403", []npmtest.Fault{npmtest.Status(403)}, provenance.Unreachable, "403", nil},
		{"418", []npmtest.Fault{npmtest.Status(418)}, provenance.Unreachable, "418", nil},
		{"204", []npmtest.Fault{npmtest.Status(204)}, provenance.Unreachable, "204", nil},
		// The transport itself asks again when a connection that was used before breaks.
		{"hung up twice", []npmtest.Fault{npmtest.HangUp(), npmtest.HangUp()}, provenance.Found, "", []time.Duration{half}},
		{"cut once", []npmtest.Fault{npmtest.Cut(good)}, provenance.Found, "", []time.Duration{half}},
		{"cut forever", four(npmtest.Cut(good)), provenance.Unreachable, "cut off (4 attempts)", []time.Duration{half, one, two}},
		{"wrong length", four(npmtest.Short(good)), provenance.Unreachable, "no JSON (4 attempts)", []time.Duration{half, one, two}},
		{"garbage", four(npmtest.Body("<html>hello")), provenance.Unreachable, "no JSON (4 attempts)", []time.Duration{half, one, two}},
		{"empty", four(npmtest.Body("")), provenance.Unreachable, "no JSON", []time.Duration{half, one, two}},
		{"endless", []npmtest.Fault{npmtest.Endless()}, provenance.Unreachable, "larger than 4194304 bytes", nil},
		{"compressed bomb", []npmtest.Fault{npmtest.Bomb()}, provenance.Unreachable, "larger than 4194304 bytes", nil},
		{"another document", []npmtest.Fault{npmtest.Body(`{"keys":[]}`)}, provenance.Unreachable, "no list", nil},
		{"a list", []npmtest.Fault{npmtest.Body(`[]`)}, provenance.Unreachable, "no JSON object", nil},
		{"null", []npmtest.Fault{npmtest.Body(`{"attestations":null}`)}, provenance.Unreachable, "no list", nil},
		{"duplicate lists", []npmtest.Fault{npmtest.Body(`{"attestations":[],"attestations":[]}`)}, provenance.Unreachable, "occurs twice", nil},
		{"duplicate bundles", []npmtest.Fault{npmtest.Body(`{"attestations":[{"bundle":{},"bundle":{}}]}`)}, provenance.Unreachable, "occurs twice", nil},
		{"a list of numbers", []npmtest.Fault{npmtest.Body(`{"attestations":[` + strings.Repeat("1,", 1_000_000) + `1]}`)}, provenance.Unreachable, "more than 64", nil},
		{"no bundle", []npmtest.Fault{npmtest.Body(`{"attestations":[{"predicateType":"x"}]}`)}, provenance.Unreachable, "without a bundle", nil},
		{"null bundle", []npmtest.Fault{npmtest.Body(`{"attestations":[{"bundle":null}]}`)}, provenance.Unreachable, "without a bundle", nil},
		{"too many", []npmtest.Fault{npmtest.Body(`{"attestations":[` + strings.Repeat(`{"bundle":{}},`, 64) + `{"bundle":{}}]}`)}, provenance.Unreachable, "more than 64", nil},
		{"redirected in circles", []npmtest.Fault{npmtest.Redirect(attPath), npmtest.Redirect(attPath), npmtest.Redirect(attPath), npmtest.Redirect(attPath), npmtest.Redirect(attPath), npmtest.Redirect(attPath)}, provenance.Unreachable, "more than 5 times", nil},
		{"redirected within", []npmtest.Fault{npmtest.Redirect(attPath)}, provenance.Found, "", nil},
		{"redirected nowhere", []npmtest.Fault{npmtest.Status(302)}, provenance.Unreachable, "to no URL", nil},
		{"redirected to nonsense", []npmtest.Fault{npmtest.Redirect("http://%zz/")}, provenance.Unreachable, "to no URL", nil},
		{"redirected to a file", []npmtest.Fault{npmtest.Redirect("file:///etc/passwd")}, provenance.Unreachable, "to no URL", nil},
		{"redirected to another scheme", []npmtest.Fault{npmtest.Redirect("gopher://127.0.0.1/")}, provenance.Unreachable, "neither https: nor http:", nil},
		{"redirected with credentials", []npmtest.Fault{npmtest.Redirect("http://a:b@127.0.0.1/")}, provenance.Unreachable, "with credentials", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := npmtest.New()
			r.Attest("@acme/tool", "1.2.3", predicate, []byte(bundle))
			r.Fail(attPath, tt.faults...)
			c, clock := newClient(t, serve(t, r), npm.Sources{})
			set := ask(t, c, tool)
			if set.Availability != tt.want || !strings.Contains(set.Reason, tt.reason) {
				t.Errorf("got %s: %s; want %s: …%s…", set.Availability, set.Reason, tt.want, tt.reason)
			}
			if diff := cmp.Diff(tt.slept, clock.slept); diff != "" {
				t.Errorf("slept (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	for name, fault := range map[string]npmtest.Fault{"hang": npmtest.Hang(), "drip": npmtest.Drip()} {
		t.Run(name, func(t *testing.T) {
			r := npmtest.New()
			r.FailAlways("", fault)
			c, clock := newClient(t, serve(t, r), npm.Sources{})
			c.Timeout = 10 * time.Millisecond
			set := ask(t, c, tool)
			if set.Availability != provenance.Unreachable || !strings.Contains(set.Reason, "did not answer in time") {
				t.Errorf("got %s: %s", set.Availability, set.Reason)
			}
			if len(clock.slept) != 3 {
				t.Errorf("slept %v", clock.slept)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	r := npmtest.New()
	r.FailAlways("", npmtest.Status(503))
	c, _ := newClient(t, serve(t, r), npm.Sources{})
	ctx, cancel := context.WithCancel(t.Context())
	c.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	if _, err := c.Attestations(ctx, tool); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// A caller that gives up while the keys are fetched leaves the question open for
// the next one.
func TestCancelledKeysAreAskedAgain(t *testing.T) {
	r := npmtest.New()
	r.Publish("@acme/tool", "1.2.3")
	ctx, cancel := context.WithCancel(t.Context())
	r.Fail(keysPath, func(_ http.ResponseWriter, q *http.Request) { cancel(); <-q.Context().Done() })
	c, _ := newClient(t, serve(t, r), npm.Sources{})
	if _, err := c.Attestations(ctx, tool); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	if set := ask(t, c, tool); set.Availability != provenance.None {
		t.Errorf("got %s: %s", set.Availability, set.Reason)
	}
}

func TestKeysAreAskedOnce(t *testing.T) {
	r := npmtest.New()
	c, _ := newClient(t, serve(t, r), npm.Sources{})
	var wg sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("p%d", i)
		r.Publish(name, "1.0.0")
		wg.Go(func() {
			set, err := c.Attestations(t.Context(), provenance.Subject{Ecosystem: sbom.NPM, Name: name, Version: "1.0.0"})
			if err != nil || set.Availability != provenance.None {
				t.Errorf("%s: %+v, %v", name, set, err)
			}
		})
	}
	wg.Wait()
	asked := 0
	for _, q := range r.Requests() {
		if q.Path == keysPath {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("keys were asked %d times", asked)
	}
}

func TestNeverAsked(t *testing.T) {
	var asked []string
	transport := roundTripper(func(q *http.Request) (*http.Response, error) {
		asked = append(asked, q.URL.String())
		return nil, errors.New("no network in this test")
	})
	internal := func(name string) bool { return strings.HasPrefix(name, "@acme/") }
	subject := func(name, version string) provenance.Subject {
		return provenance.Subject{Ecosystem: sbom.NPM, Name: name, Version: version}
	}
	for name, s := range map[string]provenance.Subject{
		"internal":          tool,
		"not npm":           {Ecosystem: sbom.PyPI, Name: "requests", Version: "2.0.0"},
		"no name":           subject("", "1.0.0"),
		"range":             subject("a", "^1.0.0"),
		"tag":               subject("a", "latest"),
		"parent":            subject("..", "1.0.0"),
		"parent in scope":   subject("@a/..", "1.0.0"),
		"parent as scope":   subject("@../a", "1.0.0"),
		"two slashes":       subject("@a/b/c", "1.0.0"),
		"slash":             subject("a/b", "1.0.0"),
		"escaped slash":     subject("a%2fb", "1.0.0"),
		"query":             subject("a?b", "1.0.0"),
		"fragment":          subject("a#b", "1.0.0"),
		"at":                subject("a@b", "1.0.0"),
		"api":               subject("-", "1.0.0"),
		"blank":             subject("a b", "1.0.0"),
		"line break":        subject("a\r\nHost: x", "1.0.0"),
		"not ascii":         subject("аcme", "1.0.0"),
		"long":              subject(strings.Repeat("a", 215), "1.0.0"),
		"version with path": subject("a", "1.0.0/../../b"),
		"version with dots": subject("a", "1.0.0-a..b"),
		"version with v":    subject("a", "v1.0.0"),
		"version at end":    subject("a", "1.0.0\n"),
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			c := &npm.Client{Transport: transport, Internal: internal, Sleep: (&clock{}).sleep}
			if set := ask(t, c, s); set.Availability != provenance.Unreachable || asked != nil {
				t.Errorf("got %+v, asked %v", set, asked)
			}
		})
	}
	t.Run("others are", func(t *testing.T) {
		asked = nil
		c := &npm.Client{Transport: transport, Internal: internal, Sleep: (&clock{}).sleep}
		ask(t, c, subject("@other/a", "1.0.0"))
		if len(asked) != 4 || asked[0] != npm.PublicRegistry+"@other%2fa" {
			t.Errorf("asked %v", asked)
		}
	})
	t.Run("internal by redirect", func(t *testing.T) {
		r := npmtest.New()
		r.FailAlways("", npmtest.Redirect(npm.PublicRegistry+"@acme%2ftool"))
		c, _ := newClient(t, serve(t, r), npm.Sources{})
		c.Internal = internal
		set := ask(t, c, tool)
		if set.Availability != provenance.Unreachable || !strings.Contains(set.Reason, "internal package") {
			t.Errorf("got %+v", set)
		}
	})
	t.Run("internal at its own registry", func(t *testing.T) {
		r := npmtest.New()
		r.Publish("@acme/tool", "1.2.3")
		c, _ := newClient(t, serve(t, r), npm.Sources{})
		c.Internal = internal
		if set := ask(t, c, tool); set.Availability != provenance.None {
			t.Errorf("got %+v", set)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func TestCredentialsStayAtHome(t *testing.T) {
	home, away := npmtest.New(), npmtest.New()
	home.RequireToken(secret)
	home.Attest("@acme/tool", "1.2.3", predicate, []byte(bundle))
	away.Attest("@acme/tool", "1.2.3", predicate, []byte(bundle))
	homeURL, awayURL := serve(t, home), serve(t, away)
	user := npmrc(t, "user", strings.TrimPrefix(homeURL, "http:")+":_authToken="+secret)

	t.Run("sent", func(t *testing.T) {
		c, _ := newClient(t, homeURL, npm.Sources{User: user})
		if set := ask(t, c, tool); set.Availability != provenance.Found {
			t.Errorf("got %+v", set)
		}
	})
	t.Run("not sent without", func(t *testing.T) {
		c, _ := newClient(t, homeURL, npm.Sources{})
		set := ask(t, c, tool)
		if set.Availability != provenance.Unreachable || !strings.Contains(set.Hint, "_authToken") {
			t.Errorf("got %+v", set)
		}
	})
	t.Run("kept on the same host", func(t *testing.T) {
		home.Fail(attPath, npmtest.Redirect(attPath))
		c, _ := newClient(t, homeURL, npm.Sources{User: user})
		if set := ask(t, c, tool); set.Availability != provenance.Found {
			t.Errorf("got %+v", set)
		}
	})
	t.Run("dropped on another", func(t *testing.T) {
		home.Fail(attPath, npmtest.Redirect(strings.TrimSuffix(awayURL, "/")+attPath))
		c, _ := newClient(t, homeURL, npm.Sources{User: user})
		if set := ask(t, c, tool); set.Availability != provenance.Found {
			t.Errorf("got %+v", set)
		}
		if len(away.Requests()) == 0 {
			t.Fatal("the redirect was not followed")
		}
	})
	t.Run("dropped for good", func(t *testing.T) {
		home.Fail(attPath, npmtest.Redirect(strings.TrimSuffix(awayURL, "/")+attPath))
		away.Fail(attPath, npmtest.Redirect(strings.TrimSuffix(homeURL, "/")+attPath))
		c, _ := newClient(t, homeURL, npm.Sources{User: user})
		if set := ask(t, c, tool); !strings.Contains(set.Reason, "401") {
			t.Errorf("got %+v", set)
		}
	})
	for _, q := range away.Requests() {
		for name, values := range q.Header {
			if name == "Authorization" || name == "Referer" || strings.Contains(strings.Join(values, " "), secret) {
				t.Errorf("the other host was sent %s", name)
			}
		}
	}
}

func TestTLS(t *testing.T) {
	r, plain := npmtest.New(), npmtest.New()
	r.Attest("@acme/tool", "1.2.3", predicate, []byte(bundle))
	plain.Attest("@acme/tool", "1.2.3", predicate, []byte(bundle))
	server := httptest.NewUnstartedServer(r)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // refused handshakes are the point
	server.StartTLS()
	t.Cleanup(server.Close)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	cafile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(cafile, []byte(authority), 0o600); err != nil {
		t.Fatal(err)
	}
	quoted := `"` + strings.ReplaceAll(authority, "\n", `\n`) + `"`

	for name, user := range map[string]string{"cafile": "cafile=" + cafile, "ca": "ca=" + quoted, "ca[]": "ca[]=" + quoted} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, server.URL, npm.Sources{User: npmrc(t, "user", user)})
			if set := ask(t, c, tool); set.Availability != provenance.Found {
				t.Errorf("got %+v", set)
			}
		})
	}
	for name, s := range map[string]npm.Sources{
		"unknown authority":   {},
		"project's authority": {Project: npmrc(t, ".npmrc", "cafile="+cafile+"\nca[]="+quoted+"\nstrict-ssl=false")},
		"not verified":        {User: npmrc(t, "user", "strict-ssl=false")},
	} {
		t.Run(name, func(t *testing.T) {
			c, clock := newClient(t, server.URL, s)
			set := ask(t, c, tool)
			if set.Availability != provenance.Unreachable || !strings.Contains(set.Reason, "nobody who is trusted has signed it") || clock.slept != nil {
				t.Errorf("got %+v, slept %v", set, clock.slept)
			}
		})
	}
	t.Run("downgrade", func(t *testing.T) {
		r.Fail(attPath, npmtest.Redirect(strings.TrimSuffix(serve(t, plain), "/")+attPath))
		c, _ := newClient(t, server.URL, npm.Sources{User: npmrc(t, "user", "cafile="+cafile)})
		set := ask(t, c, tool)
		if set.Availability != provenance.Unreachable || !strings.Contains(set.Reason, "from https: to http:") || len(plain.Requests()) != 0 {
			t.Errorf("got %+v", set)
		}
	})
	t.Run("no certificate in it", func(t *testing.T) {
		cfg, err := npm.NewConfig(npm.Sources{User: npmrc(t, "user", "\nca=nothing")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cfg.Transport(os.ReadFile); err == nil || err.Error() != "user:2: ca: holds no certificate" {
			t.Errorf("error %v", err)
		}
	})
}

func TestProxy(t *testing.T) {
	proxy := func(t *testing.T, s npm.Sources, url string) string {
		t.Helper()
		cfg, err := npm.NewConfig(s)
		if err != nil {
			t.Fatal(err)
		}
		transport, err := cfg.Transport(os.ReadFile)
		if err != nil {
			t.Fatal(err)
		}
		u, err := transport.Proxy(httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))
		if err != nil {
			t.Fatal(err)
		}
		if u == nil {
			return ""
		}
		return u.String()
	}
	const https, http = "https://registry.example/x", "http://registry.example/x"
	env := []string{"HTTPS_PROXY=http://p1:1", "http_proxy=http://p2:2", "NO_PROXY=no.example, .never.example"}
	exempt := func(list string) []string { return []string{"HTTPS_PROXY=http://p1:1", "NO_PROXY=" + list} }
	for _, tt := range []struct {
		name    string
		sources npm.Sources
		url     string
		want    string
	}{
		{"none", npm.Sources{}, https, ""},
		{"environment", npm.Sources{Environ: env}, https, "http://p1:1"},
		{"environment serves http too", npm.Sources{Environ: env}, http, "http://p1:1"},
		{"http only", npm.Sources{Environ: env[1:]}, https, ""},
		{"http", npm.Sources{Environ: env[1:]}, http, "http://p2:2"},
		{"exempt", npm.Sources{Environ: env}, "https://a.no.example/", ""},
		{"exempt by suffix", npm.Sources{Environ: env}, "https://never.example/", ""},
		{"not exempt by text", npm.Sources{Environ: env}, "https://ano.example/", "http://p1:1"},
		{"proxy", npm.Sources{User: npmrc(t, "u", "proxy=http://p3:3"), Environ: env}, https, "http://p3:3"},
		{"https-proxy", npm.Sources{User: npmrc(t, "u", "proxy=http://p3:3\nhttps-proxy=http://p4:4")}, http, "http://p4:4"},
		{"npm_config", npm.Sources{User: npmrc(t, "u", "proxy=http://p3:3"), Environ: []string{"npm_config_proxy=http://p5:5"}}, https, "http://p5:5"},
		{"noproxy", npm.Sources{User: npmrc(t, "u", "proxy=http://p3:3\nnoproxy[]=x.example\nnoproxy[]=registry.example"), Environ: env}, https, ""},
		{"not the project's", npm.Sources{Project: npmrc(t, "p", "proxy=http://evil.example:1\nhttps-proxy=http://evil.example:1")}, https, ""},
		{"a host is exempt with all below", npm.Sources{Environ: exempt("example")}, https, ""},
		{"only what is below", npm.Sources{Environ: exempt("*.registry.example")}, https, "http://p1:1"},
		{"dots mean nothing", npm.Sources{Environ: exempt(".registry.example.")}, https, ""},
		{"case means nothing", npm.Sources{Environ: exempt("REGISTRY.example")}, https, ""},
		{"everybody", npm.Sources{Environ: exempt("*")}, https, ""},
		{"a port", npm.Sources{Environ: exempt("registry.example:443")}, https, ""},
		{"another port", npm.Sources{Environ: exempt("registry.example:8443")}, https, "http://p1:1"},
		{"an address", npm.Sources{Environ: exempt("192.0.2.7")}, "https://192.0.2.7:8443/", ""},
		{"a network", npm.Sources{Environ: exempt("192.0.2.0/24")}, "https://192.0.2.7/", ""},
		{"another network", npm.Sources{Environ: exempt("192.0.3.0/24")}, "https://192.0.2.7/", "http://p1:1"},
		{"no part of an address", npm.Sources{Environ: exempt("2.7")}, "https://192.0.2.7/", "http://p1:1"},
		{"an IPv6 address", npm.Sources{Environ: exempt("2001:db8::7")}, "https://[2001:db8:0::7]/", ""},
		{"one in brackets", npm.Sources{Environ: exempt("[2001:db8::7]")}, "https://[2001:db8::7]:8443/", ""},
		{"one with a port", npm.Sources{Environ: exempt("[2001:db8::7]:8443")}, "https://[2001:db8::7]/", "http://p1:1"},
		{"an IPv6 network", npm.Sources{Environ: exempt("2001:db8::/32")}, "https://[2001:db8::7]/", ""},
		{"this machine", npm.Sources{Environ: env}, "http://[::1]:4873/", ""},
		{"nothing", npm.Sources{Environ: exempt(" , .,")}, https, "http://p1:1"},
		{"not the project's exemption", npm.Sources{Project: npmrc(t, "p", "noproxy=registry.example"), Environ: env}, https, "http://p1:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := proxy(t, tt.sources, tt.url); got != tt.want {
				t.Errorf("proxy %q, want %q", got, tt.want)
			}
		})
	}
}

// What the registry echoes and what credentials look like must not come back in
// any text.
func TestNoSecretInSets(t *testing.T) {
	echo := func(w http.ResponseWriter, q *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buf.WriteString("HTTP/1.1 nonsense " + q.Header.Get("Authorization") + "\r\n\r\n")
		_ = buf.Flush()
		_ = conn.Close()
	}
	for name, fault := range map[string]npmtest.Fault{
		"malformed": echo,
		"status": func(w http.ResponseWriter, q *http.Request) {
			http.Error(w, q.Header.Get("Authorization"), http.StatusInternalServerError)
		},
		"location": func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Location", "ftp://x/"+q.Header.Get("Authorization"))
			w.WriteHeader(http.StatusFound)
		},
		"body":  func(w http.ResponseWriter, q *http.Request) { _ = q.Header.Write(w) },
		"404":   npmtest.Status(404),
		"found": npmtest.Body(`{"attestations":[{"bundle":{}}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			r := npmtest.New()
			r.FailAlways("", fault)
			url := serve(t, r) + secret + "/"
			user := npmrc(t, "user", strings.TrimPrefix(url, "http:")+":_authToken="+secret)
			c, _ := newClient(t, url, npm.Sources{User: user})
			set := ask(t, c, tool)
			if text := fmt.Sprintf("%+v", set); strings.Contains(text, secret) {
				t.Errorf("the secret is in %s", text)
			}
			if got := r.Requests()[0].Header.Get("Authorization"); got != "Bearer "+secret {
				t.Errorf("the test is void: the registry was sent %q", got)
			}
		})
	}
}

func TestBasicCredentialsReachTheRegistry(t *testing.T) {
	r := npmtest.New()
	url := serve(t, r)
	c, _ := newClient(t, strings.Replace(url, "http://", "http://me:pass@", 1), npm.Sources{})
	set := ask(t, c, tool)
	if got, want := r.Requests()[0].Header.Get("Authorization"), "Basic "+base64.StdEncoding.EncodeToString([]byte("me:pass")); got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	if set.Registry != url {
		t.Errorf("registry %q", set.Registry)
	}
}

// An internal package's name is told to no registry that only the project's own
// configuration names: that may be an attacker's.
func TestInternalNames(t *testing.T) {
	theirs, ours := npmtest.New(), npmtest.New()
	theirsURL, oursURL := serve(t, theirs), serve(t, ours)
	project := npmrc(t, ".npmrc", "@acme:registry="+theirsURL)
	for _, tt := range []struct {
		name       string
		sources    npm.Sources
		registries []string
		asked      bool
	}{
		{"named by the project", npm.Sources{Project: project}, nil, false},
		{"the project's default", npm.Sources{Project: npmrc(t, ".npmrc", "registry="+theirsURL)}, nil, false},
		{"another is the user's", npm.Sources{Project: project, User: npmrc(t, "user", "registry="+oursURL)}, []string{oursURL}, false},
		{"the user names it too", npm.Sources{Project: project, User: npmrc(t, "user", "@other:registry="+theirsURL)}, nil, true},
		{"the policy names it", npm.Sources{Project: project}, []string{strings.ToUpper(theirsURL[:4]) + theirsURL[4:]}, true},
		{"the policy names one above it", npm.Sources{Project: npmrc(t, ".npmrc", "@acme:registry="+theirsURL+"npm/")}, []string{theirsURL}, true},
		{"the policy names one below it", npm.Sources{Project: project}, []string{theirsURL + "npm/"}, false},
		{"the policy names a like one", npm.Sources{Project: npmrc(t, ".npmrc", "@acme:registry="+theirsURL+"npmx/")}, []string{theirsURL + "npm"}, false},
		{"the flag", npm.Sources{Registry: theirsURL}, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := npm.NewConfig(tt.sources)
			if err != nil {
				t.Fatal(err)
			}
			c := &npm.Client{Config: cfg, Registries: tt.registries, Internal: func(string) bool { return true }, Sleep: (&clock{}).sleep}
			before := len(theirs.Requests())
			set := ask(t, c, tool)
			asked := len(theirs.Requests()) > before
			if asked != tt.asked || !asked && (set.Availability != provenance.Unreachable || !strings.Contains(set.Reason, "nobody was asked")) {
				t.Errorf("asked %t; %s: %s", asked, set.Availability, set.Reason)
			}
		})
	}
	t.Run("redirected", func(t *testing.T) {
		for name, registries := range map[string][]string{"to a stranger": nil, "to one of the policy": {oursURL}} {
			theirs.Fail(packPath, npmtest.Redirect(strings.TrimSuffix(oursURL, "/")+packPath))
			c, _ := newClient(t, theirsURL, npm.Sources{})
			c.Internal, c.Registries = func(string) bool { return true }, registries
			before := len(ours.Requests())
			ask(t, c, tool)
			if asked := len(ours.Requests()) > before; asked != (registries != nil) {
				t.Errorf("%s: asked %t", name, asked)
			}
		}
	})
}

// What a project's file makes of environment variables goes to a host that the
// user names, and into no output: a stranger's pull request chooses the variable.
func TestVariablesOfTheProjectAreNotShown(t *testing.T) {
	r := npmtest.New()
	u := serve(t, r)
	r.FailAlways("/hunter2/broken", npmtest.Status(http.StatusForbidden))
	r.FailAlways("/hunter2/garbage", npmtest.Body("{}"))
	r.FailAlways("/hunter2/away", npmtest.Redirect("https://user:password@registry.example/"))
	r.FailAlways("/hunter2/bare", npmtest.Body(`{"name":"bare","versions":{"1.2.3":{"name":"bare","version":"1.2.3","dist":{}}}}`))
	cfg, err := npm.NewConfig(npm.Sources{
		User: npmrc(t, "user", "@other:registry="+u), Project: npmrc(t, ".npmrc", "registry="+u+"${DB_PASSWORD}"), Environ: []string{"DB_PASSWORD=hunter2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &npm.Client{Config: cfg, Sleep: (&clock{}).sleep}
	for _, name := range []string{"none", "broken", "garbage", "away", "bare"} {
		before := len(r.Requests())
		set := ask(t, c, provenance.Subject{Ecosystem: sbom.NPM, Name: name, Version: "1.2.3"})
		if len(r.Requests()) == before || r.Requests()[before].Path != "/hunter2/"+name {
			t.Errorf("%s: nobody was asked", name)
		}
		if all := fmt.Sprintf("%+v", set); strings.Contains(all, "hunter2") || !strings.Contains(set.Reason, u+sbom.Redacted+"/") || set.Registry != u+sbom.Redacted+"/" {
			t.Errorf("%s: %s", name, all)
		}
	}
	if got := strings.Join(cfg.ProjectRegistries("a"), " "); got != u+sbom.Redacted+"/" {
		t.Errorf("the project's registries: %s", got)
	}
}

// endless begins an answer and repeats what follows until the client leaves.
func endless(first, then string) npmtest.Fault {
	block := []byte(strings.Repeat(then, 1+(64<<10)/len(then)))
	return func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, first)
		for err == nil {
			_, err = w.Write(block)
		}
	}
}

// A hostile registry that sends large answers to all workers must not fill the
// memory: few of them are read at a time.
func TestLargeAnswersTakeTurns(t *testing.T) {
	var reading, most atomic.Int32
	blank := bytes.Repeat([]byte(" "), 64<<10)
	transport := roundTripper(func(*http.Request) (*http.Response, error) {
		body := &largeBody{blank: blank, left: 2 << 20, reading: &reading, most: &most}
		return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
	})
	c := &npm.Client{Transport: transport, Sleep: (&clock{}).sleep}
	var workers sync.WaitGroup
	for i := range 8 {
		s := tool
		s.Name = fmt.Sprint("a", i)
		workers.Go(func() { _, _ = c.Attestations(t.Context(), s) })
	}
	workers.Wait()
	if most.Load() > 2 || most.Load() == 0 {
		t.Errorf("%d large answers were read at a time", most.Load())
	}
}

// largeBody counts how many of its kind are read beyond what a small answer has.
type largeBody struct {
	blank         []byte
	left, read    int
	large         bool
	reading, most *atomic.Int32
}

func (b *largeBody) Read(p []byte) (int, error) {
	if !b.large && b.read > 1<<20 {
		b.large = true
		if n := b.reading.Add(1); n > b.most.Load() {
			b.most.Store(n)
		}
		runtime.Gosched()
	}
	if b.left == 0 {
		b.reading.Add(-1)
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), b.left)], b.blank)
	b.left, b.read = b.left-n, b.read+n
	return n, nil
}

func (b *largeBody) Close() error { return nil }
