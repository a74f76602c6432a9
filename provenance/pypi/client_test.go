package pypi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countermark/provenance"
	"countermark/provenance/provenancetest"
	"countermark/provenance/pypi/pypitest"
	"countermark/provenance/trust"
	"countermark/sbom"
)

const (
	repository = "https://github.com/acme/tool"
	wheel      = "acme_tool-1.0-py3-none-any.whl"
	sdist      = "acme_tool-1.0.tar.gz"
)

// world is an index and a sigstore of our own.
type world struct {
	t        *testing.T
	index    *pypitest.Index
	url      string
	sigstore *provenancetest.Sigstore
	verifier *provenance.Verifier
	client   *Client
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, index: &pypitest.Index{}}
	server := httptest.NewServer(w.index)
	t.Cleanup(server.Close)
	w.url = server.URL
	var err error
	w.sigstore, err = provenancetest.New()
	w.ok(err)
	data, err := w.sigstore.TrustedRoot()
	w.ok(err)
	root, err := trust.LoadRoot(data, "root.json")
	w.ok(err)
	data, err = w.sigstore.NPMKeys()
	w.ok(err)
	keys, err := trust.LoadNPMKeys(data, "keys.json")
	w.ok(err)
	w.verifier, err = provenance.NewVerifier(&trust.Material{Root: root, Keys: keys})
	w.ok(err)
	w.client = &Client{
		Index: server.URL + "/simple/", Transport: http.DefaultTransport,
		Sleep:  func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Jitter: func() float64 { return 0 },
	}
	return w
}

func build() provenancetest.Build {
	return provenancetest.Build{Package: "acme-tool", Version: "1.0", SHA512: "00", Repository: repository}
}

// published is a file that the build published, changed by tests.
func (w *world) published(b provenancetest.Build, name string) pypitest.File {
	w.t.Helper()
	f, err := pypitest.Publish(w.sigstore, b, name, "content of "+name)
	w.ok(err)
	return f
}

// signed is a bundle of the build for a statement.
func (w *world) signed(b provenancetest.Build, statement any) []byte {
	w.t.Helper()
	data, err := json.Marshal(statement)
	w.ok(err)
	bundle, err := w.sigstore.Sign(data, b.Identity())
	w.ok(err)
	return bundle
}

func statement(file, predicateType string, predicate any) map[string]any {
	return map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": predicateType, "predicate": predicate,
		"subject": []any{map[string]any{"name": file, "digest": map[string]any{"sha256": pypitest.Sum("content of " + file)}}},
	}
}

func (w *world) judge(e provenance.Expectation, digests ...provenance.Digest) provenance.Result {
	w.t.Helper()
	s := provenance.Subject{PURL: "pkg:pypi/acme-tool@1.0", Ecosystem: sbom.PyPI, Name: "acme-tool", Version: "1.0", Digests: digests}
	if len(digests) > 0 {
		s.DigestFrom = "lockfile"
	}
	results, err := provenance.Run{Subjects: []provenance.Subject{s}, Jobs: 1, Expect: func(provenance.Subject) provenance.Expectation { return e }, Source: w.client, Verifier: w.verifier}.Results(w.t.Context())
	w.ok(err)
	return results[0]
}

var expected = provenance.Expectation{From: "policy", Repo: repository}

func TestRelease(t *testing.T) {
	const publishType, slsaType = "https://docs.pypi.org/attestations/publish/v1", "https://slsa.dev/provenance/v1"
	evil := build()
	evil.Repository = "https://github.com/evil/tool"
	object := func(w *world, publisher any, bundles ...[]byte) []byte {
		t.Helper()
		p, _ := publisher.(map[string]any)
		data, err := pypitest.Provenance(p, bundles...)
		w.ok(err)
		return data
	}
	tests := []struct {
		name   string
		files  func(w *world)
		expect provenance.Expectation
		digest []provenance.Digest
		want   provenance.State
		reason string
	}{
		{name: "every file attested", files: func(w *world) {
			w.index.Add("acme-tool", w.published(build(), wheel))
			w.index.Add("acme-tool", w.published(build(), sdist))
		}, expect: expected, want: provenance.Verified},
		{name: "names spelled in another way", files: func(w *world) {
			f := w.published(build(), "Acme.Tool-1.0.0-py3-none-any.whl")
			f.Name = wheel
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Verified},
		{name: "other versions do not matter", files: func(w *world) {
			w.index.Add("acme-tool", w.published(build(), wheel))
			w.index.Add("acme-tool", pypitest.File{Name: "acme_tool-0.9.tar.gz", SHA256: pypitest.Sum("old")})
			w.index.Add("acme-tool", pypitest.File{Name: "acme_tool-1.0.exe", SHA256: pypitest.Sum("exe")})
		}, expect: expected, want: provenance.Verified},
		{name: "a provenance beside it", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, pypitest.Publisher(build()), w.signed(build(), statement(wheel, publishType, nil)), w.signed(build(), w.slsa(build(), wheel)))
			w.index.Add("acme-tool", f)
		}, expect: provenance.Expectation{From: "policy", Repo: repository, Builder: "https://github.com/actions/runner/github-hosted"}, want: provenance.Verified},
		{name: "an attestation of another kind", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, pypitest.Publisher(build()), w.signed(build(), statement(wheel, publishType, nil)), w.signed(evil, statement(wheel, "https://other.example", nil)))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Verified},
		{name: "a publisher of a kind that is new", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, map[string]any{"kind": "New"}, w.signed(build(), statement(wheel, publishType, nil)))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Verified},
		{name: "pinned by digest", files: func(w *world) {
			w.index.Add("acme-tool", w.published(build(), wheel))
			w.index.Add("acme-tool", pypitest.File{Name: sdist, SHA256: pypitest.Sum("not attested")})
		}, expect: expected, digest: []provenance.Digest{{Algorithm: "sha256", Value: pypitest.Sum("content of " + wheel)}}, want: provenance.Verified},

		{name: "nobody says where it should come from", files: func(w *world) { w.index.Add("acme-tool", w.published(build(), wheel)) }, want: provenance.Unvouched},
		{name: "another repository", files: func(w *world) { w.index.Add("acme-tool", w.published(evil, wheel)) }, expect: expected, want: provenance.Mismatch, reason: "evil/tool"},
		{name: "one file of another repository", files: func(w *world) {
			w.index.Add("acme-tool", w.published(build(), wheel))
			w.index.Add("acme-tool", w.published(evil, sdist))
		}, expect: expected, want: provenance.Mismatch, reason: sdist},
		{name: "another ref", files: func(w *world) { w.index.Add("acme-tool", w.published(build(), wheel)) }, expect: provenance.Expectation{From: "policy", Repo: repository, Ref: "refs/heads/main"}, want: provenance.Mismatch},
		{name: "a builder that nobody names", files: func(w *world) { w.index.Add("acme-tool", w.published(build(), wheel)) }, expect: provenance.Expectation{From: "policy", Repo: repository, Builder: "https://github.com/actions/runner/github-hosted"}, want: provenance.Mismatch},
		{name: "one file not attested", files: func(w *world) {
			w.index.Add("acme-tool", w.published(build(), wheel))
			w.index.Add("acme-tool", pypitest.File{Name: sdist, SHA256: pypitest.Sum("sdist")})
		}, expect: expected, want: provenance.Invalid, reason: sdist},
		{name: "a yanked file not attested", files: func(w *world) {
			w.index.Add("acme-tool", w.published(build(), wheel))
			w.index.Add("acme-tool", pypitest.File{Name: sdist, SHA256: pypitest.Sum("sdist"), Yanked: true})
		}, expect: expected, want: provenance.Invalid, reason: sdist},
		{name: "only a provenance", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, pypitest.Publisher(build()), w.signed(build(), w.slsa(build(), wheel)))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "publish attestations"},
		{name: "an empty object", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, pypitest.Publisher(build()))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Absent},
		{name: "other bytes", files: func(w *world) {
			f := w.published(build(), wheel)
			f.SHA256 = pypitest.Sum("evil")
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "attested sha256"},
		{name: "the attestation of another file", files: func(w *world) {
			f := w.published(build(), sdist)
			f.Name = wheel
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "attested file"},
		{name: "the attestation of another version", files: func(w *world) {
			f := w.published(build(), "acme_tool-0.9-py3-none-any.whl")
			f.Name = wheel
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "attested file"},
		{name: "the attestation of another project", files: func(w *world) {
			f := w.published(build(), "other-1.0-py3-none-any.whl")
			f.Name = wheel
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "attested file"},
		{name: "somebody else's beside the right one", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, nil, w.signed(build(), statement(wheel, publishType, nil)), w.signed(evil, statement(wheel, publishType, nil)))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Mismatch, reason: "evil/tool"},
		{name: "a publisher who lies about his repository", files: func(w *world) {
			f := w.published(evil, wheel)
			f.Provenance = object(w, pypitest.Publisher(build()), w.signed(evil, statement(wheel, publishType, nil)))
			w.index.Add("acme-tool", f)
		}, expect: provenance.Expectation{From: "policy", Repo: evil.Repository}, want: provenance.Invalid, reason: "the publisher's repository"},
		{name: "a publisher who lies about his workflow", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, map[string]any{"kind": "GitHub", "repository": "acme/tool", "workflow": "other.yml"}, w.signed(build(), statement(wheel, publishType, nil)))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "the publisher's workflow"},
		{name: "a publisher who lies about his kind", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, map[string]any{"kind": "Google", "email": "me@acme.example"}, w.signed(build(), statement(wheel, publishType, nil)))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "the publisher's issuer"},
		{name: "signed by another sigstore", files: func(w *world) {
			other, err := provenancetest.New()
			w.ok(err)
			f, err := pypitest.Publish(other, build(), wheel, "content of "+wheel)
			w.ok(err)
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "does not verify"},
		{name: "a predicate that contradicts its certificate", files: func(w *world) {
			f := w.published(build(), wheel)
			f.Provenance = object(w, pypitest.Publisher(build()), w.signed(build(), statement(wheel, publishType, nil)), w.signed(build(), w.slsa(evil, wheel)))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "evil/tool"},
		{name: "two subjects", files: func(w *world) {
			f := w.published(build(), wheel)
			st := statement(wheel, publishType, nil)
			st["subject"] = []any{
				map[string]any{"name": wheel, "digest": map[string]any{"sha256": pypitest.Sum("content of " + wheel)}},
				map[string]any{"name": sdist, "digest": map[string]any{"sha256": pypitest.Sum("content of " + sdist)}},
			}
			f.Provenance = object(w, pypitest.Publisher(build()), w.signed(build(), st))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "subjects"},
		{name: "no sha256", files: func(w *world) {
			f := w.published(build(), wheel)
			st := statement(wheel, publishType, nil)
			st["subject"] = []any{map[string]any{"name": wheel, "digest": map[string]any{"md5": "00"}}}
			f.Provenance = object(w, pypitest.Publisher(build()), w.signed(build(), st))
			w.index.Add("acme-tool", f)
		}, expect: expected, want: provenance.Invalid, reason: "no sha256"},
		{name: "pinned by another digest", files: func(w *world) { w.index.Add("acme-tool", w.published(build(), wheel)) },
			expect: expected, digest: []provenance.Digest{{Algorithm: "sha256", Value: pypitest.Sum("x")}}, want: provenance.Invalid, reason: "no file of the release"},
		{name: "pinned by a digest of another kind", files: func(w *world) { w.index.Add("acme-tool", w.published(build(), wheel)) },
			expect: expected, digest: []provenance.Digest{{Algorithm: "sha512", Value: "00"}}, want: provenance.Unsupported, reason: "no sha256"},

		{name: "none attested", files: func(w *world) {
			w.index.Add("acme-tool", pypitest.File{Name: wheel, SHA256: pypitest.Sum("wheel")})
		}, expect: expected, want: provenance.Absent, reason: "has no attestations"},
		{name: "an index without attestations", files: func(w *world) {
			w.index.API = "1.0"
			w.index.Add("acme-tool", pypitest.File{Name: wheel, SHA256: pypitest.Sum("wheel")})
		}, expect: expected, want: provenance.Stripped, reason: "without attestations"},
		{name: "promised and not served", files: func(w *world) {
			w.index.Add("acme-tool", pypitest.File{Name: wheel, SHA256: pypitest.Sum("wheel"), Missing: true})
		}, expect: expected, want: provenance.Stripped, reason: "does not serve"},
		{name: "no such project", files: func(*world) {}, expect: expected, want: provenance.Unavailable, reason: "no project"},
		{name: "no such version", files: func(w *world) { w.index.Add("acme-tool", w.published(build(), "acme_tool-2.0.tar.gz")) }, expect: expected, want: provenance.Unavailable, reason: "no file of this version"},
		{name: "an object that is garbage", files: func(w *world) {
			w.index.Add("acme-tool", pypitest.File{Name: wheel, SHA256: pypitest.Sum("wheel"), Provenance: []byte(`{"version": 1}`)})
		}, expect: expected, want: provenance.Unavailable, reason: "is not what an index answers"},
		{name: "an object of a version to come", files: func(w *world) {
			w.index.Add("acme-tool", pypitest.File{Name: wheel, SHA256: pypitest.Sum("wheel"), Provenance: []byte(`{"version": 2, "attestation_bundles": []}`)})
		}, expect: expected, want: provenance.Unavailable, reason: "version 1"},
		{name: "a file twice", files: func(w *world) {
			w.index.Add("acme-tool", w.published(build(), wheel))
			w.index.Add("acme-tool", w.published(build(), wheel))
		}, expect: expected, want: provenance.Unavailable, reason: "twice"},
		{name: "a file without a digest", files: func(w *world) { w.index.Add("acme-tool", pypitest.File{Name: wheel}) }, expect: expected, want: provenance.Unavailable, reason: "no sha256"},
		{name: "an object at a place that is none", files: func(w *world) {
			w.index.Add("acme-tool", pypitest.File{Name: wheel, SHA256: pypitest.Sum("wheel"), URL: "file:///etc/passwd"})
		}, expect: expected, want: provenance.Unavailable, reason: "is not what an index answers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.files(w)
			r := w.judge(tt.expect, tt.digest...)
			if r.State != tt.want || !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("got %s: %s\nwant %s: …%s…\n%+v", r.State, r.Reason, tt.want, tt.reason, r.Checks)
			}
			if r.State != provenance.Verified && (r.Reason == "" || r.Hint == "") {
				t.Errorf("no reason (%q) or no hint (%q)", r.Reason, r.Hint)
			}
			want := "index"
			if len(tt.digest) > 0 {
				want = "lockfile"
			}
			if r.State == provenance.Verified && (r.Source.URI != repository || r.DigestFrom != want || r.Workflow == "" || r.Integrated.IsZero()) {
				t.Errorf("the facts are not there: %+v", r)
			}
		})
	}
}

// slsa is the provenance of a file of that build.
func (w *world) slsa(b provenancetest.Build, file string) map[string]any {
	w.t.Helper()
	data, err := b.ProvenanceStatement()
	w.ok(err)
	var st map[string]any
	w.ok(json.Unmarshal(data, &st))
	st["subject"] = statement(file, "", nil)["subject"]
	return st
}

func TestHostileIndex(t *testing.T) {
	tests := []struct {
		name   string
		answer func(w *world) http.HandlerFunc
		want   provenance.State
		reason string
		asked  int // 0: it does not matter
	}{
		{name: "500, then as it should be", answer: func(w *world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if len(w.index.Requests()) == 1 {
					rw.WriteHeader(http.StatusInternalServerError)
					return
				}
				w.index.Serve(rw, r)
			}
		}, want: provenance.Verified, asked: 3},
		{name: "429 with Retry-After, then as it should be", answer: func(w *world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if len(w.index.Requests()) == 1 {
					rw.Header().Set("Retry-After", "2")
					rw.WriteHeader(http.StatusTooManyRequests)
					return
				}
				w.index.Serve(rw, r)
			}
		}, want: provenance.Verified, asked: 3},
		// More than any number holds, and no number.
		{name: "429 with a Retry-After that says nothing", answer: func(w *world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if len(w.index.Requests()) == 1 {
					rw.Header().Set("Retry-After", "18700000000000000000A")
					rw.WriteHeader(http.StatusTooManyRequests)
					return
				}
				w.index.Serve(rw, r)
			}
		}, want: provenance.Verified, asked: 3},
		{name: "garbage, then as it should be", answer: func(w *world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if n := len(w.index.Requests()); n == 1 || n == 3 {
					rw.Header().Set("Content-Type", map[int]string{1: acceptSimple, 3: "application/vnd.pypi.integrity.v1+json"}[n])
					_, _ = rw.Write([]byte("{"))
					return
				}
				w.index.Serve(rw, r)
			}
		}, want: provenance.Verified, asked: 4},
		{name: "429 for an hour", answer: func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Retry-After", "3600")
				rw.WriteHeader(http.StatusTooManyRequests)
			}
		}, want: provenance.Unavailable, reason: "asks to wait", asked: 1},
		{name: "always 500", answer: status(http.StatusInternalServerError), want: provenance.Unavailable, reason: "4 attempts", asked: 4},
		{name: "401", answer: status(http.StatusUnauthorized), want: provenance.Unavailable, reason: "401", asked: 1},
		{name: "HTML", answer: text("text/html", "<a href=x>x</a>"), want: provenance.Stripped, reason: "no JSON"},
		{name: "no type", answer: text("", "{}"), want: provenance.Stripped, reason: "no JSON"},
		{name: "garbage", answer: text(acceptSimple, "{"), want: provenance.Unavailable, reason: "no JSON"},
		{name: "a list", answer: text(acceptSimple, "[]"), want: provenance.Unavailable, reason: "no JSON"},
		{name: "a key twice", answer: text(acceptSimple, `{"files":[],"files":[]}`), want: provenance.Unavailable, reason: "repeated"},
		{name: "another project", answer: text(acceptSimple, `{"meta":{"api-version":"1.3"},"name":"other","files":[]}`), want: provenance.Unavailable, reason: "another project"},
		{name: "another version of the API", answer: text(acceptSimple, `{"meta":{"api-version":"2.0"},"name":"acme-tool","files":[]}`), want: provenance.Unavailable, reason: "version"},
		// Keys in another case are other keys: no reader may take them for these.
		{name: "files in another case", answer: text(acceptSimple, `{"meta":{"api-version":"1.3"},"name":"acme-tool","Files":[{"filename":"acme_tool-1.0.tar.gz","hashes":{"sha256":"`+strings.Repeat("0", 64)+`"}}]}`), want: provenance.Unavailable, reason: "no file of this version"},
		{name: "a version in another case", answer: text(acceptSimple, `{"meta":{"API-version":"1.3"},"name":"acme-tool","files":[]}`), want: provenance.Unavailable, reason: "version"},
		{name: "a key twice", answer: text(acceptSimple, `{"meta":{"api-version":"1.3"},"name":"acme-tool","name":"acme-tool","files":[]}`), want: provenance.Unavailable, reason: "repeated"},
		{name: "types that are none", answer: text(acceptSimple, `{"meta":{"api-version":"1.3"},"name":"acme-tool","files":{}}`), want: provenance.Unavailable, reason: "is not what an index answers"},
		{name: "cut off", answer: func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", acceptSimple)
				rw.Header().Set("Content-Length", "1000")
				_, _ = rw.Write([]byte("{"))
			}
		}, want: provenance.Unavailable, reason: "cut off"},
		{name: "endless", answer: func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Type", acceptSimple)
				blanks := []byte(strings.Repeat(" ", 1<<20))
				for r.Context().Err() == nil {
					if _, err := rw.Write(blanks); err != nil {
						return
					}
				}
			}
		}, want: provenance.Unavailable, reason: "larger than"},
		{name: "in a circle", answer: func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/simple/x/", http.StatusFound) }
		}, want: provenance.Unavailable, reason: "redirects more than"},
		{name: "to a file", answer: func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "file:///etc/passwd", http.StatusFound)
			}
		}, want: provenance.Unavailable, reason: "not followed"},
		{name: "to credentials of its choice", answer: func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "http://a:b@index.example/", http.StatusFound)
			}
		}, want: provenance.Unavailable, reason: "credentials"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.index.Add("acme-tool", w.published(build(), wheel))
			w.index.Break(tt.answer(w))
			r := w.judge(expected)
			if r.State != tt.want || !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("got %s: %s\nwant %s: …%s…", r.State, r.Reason, tt.want, tt.reason)
			}
			if n := len(w.index.Requests()); tt.asked > 0 && n != tt.asked {
				t.Errorf("asked %d times, want %d", n, tt.asked)
			}
		})
	}
}

func status(code int) func(*world) http.HandlerFunc {
	return func(*world) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) }
	}
}

func text(kind, body string) func(*world) http.HandlerFunc {
	return func(*world) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header()["Content-Type"] = []string{kind}
			_, _ = rw.Write([]byte(body))
		}
	}
}

// Credentials are for the index, whomever it sends to.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	other := newWorld(t)
	for _, x := range []*world{w, other} {
		x.index.Add("acme-tool", w.published(build(), wheel))
	}
	w.client.Index = strings.Replace(w.client.Index, "http://", "http://me:secret@", 1)
	if r := w.judge(expected); r.State != provenance.Verified {
		t.Fatalf("got %s: %s", r.State, r.Reason)
	}
	for _, r := range w.index.Requests() {
		if r.Header.Get("Authorization") != pypitest.Basic("me", "secret") {
			t.Errorf("%s was asked with %q", r.URL, r.Header.Get("Authorization"))
		}
	}
	w.index.Break(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, other.url+r.URL.Path, http.StatusFound)
	})
	if r := w.judge(expected); r.State != provenance.Verified {
		t.Fatalf("got %s: %s", r.State, r.Reason)
	}
	if len(other.index.Requests()) == 0 {
		t.Error("the redirect was not followed")
	}
	for _, r := range other.index.Requests() {
		if r.Header.Get("Authorization") != "" {
			t.Error("another host was sent the credentials")
		}
	}
	w.index.Break(status(http.StatusForbidden)(w))
	if r := w.judge(expected); strings.Contains(r.Reason+r.Hint, "secret") {
		t.Errorf("the password is told: %s %s", r.Reason, r.Hint)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestRetryAfterPausesTheIndex: while one request waits because the index said so,
// no other is sent to it.
func TestRetryAfterPausesTheIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now() //nolint:forbidigo // the clock is that of the bubble
		var mu sync.Mutex   // both are asked again at the same moment
		var asked []string
		c := &Client{Index: "https://index.example/simple/", Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, r.URL.Path)
			res := &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody}
			if len(asked) == 1 {
				res.StatusCode = http.StatusTooManyRequests
				res.Header.Set("Retry-After", "7")
			} else if waited := time.Since(begin); waited < 7*time.Second { //nolint:forbidigo // the clock is that of the bubble
				t.Errorf("%s is asked after %s", r.URL.Path, waited)
			}
			return res, nil
		})}
		var asking sync.WaitGroup
		for _, name := range []string{"a", "b"} {
			asking.Go(func() {
				if _, err := c.Attestations(t.Context(), provenance.Subject{Ecosystem: sbom.PyPI, Name: name, Version: "1.0"}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		asking.Wait()
		if len(asked) != 3 {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestNobodyIsAsked(t *testing.T) {
	w := newWorld(t)
	w.client.Internal = func(name string) bool { return name == "acme-tool" }
	w.client.Registries = []string{"https://index.example/", w.url + "/other/"}
	if r := w.judge(expected); r.State != provenance.Unavailable || !strings.Contains(r.Reason, "internal") {
		t.Errorf("got %s: %s", r.State, r.Reason)
	}
	for _, s := range []provenance.Subject{
		{Ecosystem: sbom.PyPI, Name: "../x", Version: "1.0"},
		{Ecosystem: sbom.PyPI, Name: "a/b", Version: "1.0"},
		{Ecosystem: sbom.PyPI, Name: "a", Version: "1.0/.."},
		{Ecosystem: sbom.NPM, Name: "a", Version: "1.0.0"},
	} {
		set, err := w.client.Attestations(t.Context(), s)
		if err != nil || set.Availability != provenance.Unreachable {
			t.Errorf("%+v: %+v, %v", s, set, err)
		}
	}
	if n := len(w.index.Requests()); n != 0 {
		t.Errorf("the index was asked %d times", n)
	}
	listed := newWorld(t)
	listed.index.Add("acme-tool", listed.published(build(), wheel))
	listed.client.Internal, listed.client.Registries = w.client.Internal, []string{listed.url + "/"}
	if r := listed.judge(expected); r.State != provenance.Verified {
		t.Errorf("an index that the policy lists is not asked: %s: %s", r.State, r.Reason)
	}
	for _, index := range []string{"", "index.example", "file:///x", "https://index.example/?q", "ftp://x/"} {
		c := &Client{Index: index}
		set, err := c.Attestations(t.Context(), provenance.Subject{Ecosystem: sbom.PyPI, Name: "a", Version: "1"})
		if err != nil || set.Availability != provenance.Unreachable || set.Hint == "" {
			t.Errorf("%q: %+v, %v", index, set, err)
		}
	}
}

func FuzzReadProject(f *testing.F) {
	f.Add([]byte(`{"meta":{"api-version":"1.3"},"name":"acme-tool","files":[{"filename":"acme_tool-1.0.tar.gz","hashes":{"sha256":"` + strings.Repeat("0", 64) + `"},"provenance":"x"}]}`))
	f.Add([]byte(`{"files":null}`))
	s := provenance.Subject{Ecosystem: sbom.PyPI, Name: "acme-tool", Version: "1.0"}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := readProject(body, s)
		if err != nil {
			return
		}
		for _, file := range p.files {
			if !provenance.OfRelease(file.name, s.Name, s.Version) || len(file.sha256) != 64 {
				t.Errorf("%+v is of another release, or has no digest", file)
			}
		}
	})
}
