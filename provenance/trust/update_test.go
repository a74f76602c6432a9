package trust

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"countermark/provenance/trust/tuftest"
)

var now = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

const keysName = "registry.example/keys.json"

// mirror is a TUF repository of our own with the embedded material in it.
func mirror(t *testing.T) (*tuftest.Repository, Instance, *Updater) {
	t.Helper()
	repo, err := tuftest.New(now.AddDate(0, 0, 7))
	if err != nil {
		t.Fatal(err)
	}
	publish(t, repo)
	server := httptest.NewServer(repo)
	t.Cleanup(server.Close)
	in := Instance{Name: "public", Mirror: server.URL, Root: repo.Root(), KeysTarget: keysName}
	return repo, in, &Updater{Dir: t.TempDir(), Version: "test"}
}

func publish(t *testing.T, repo *tuftest.Repository) {
	t.Helper()
	if err := repo.Publish(map[string][]byte{rootTarget: embeddedRoot, keysName: embeddedKeys}); err != nil {
		t.Fatal(err)
	}
}

func TestUpdate(t *testing.T) {
	repo, in, u := mirror(t)
	if _, err := u.Cached(in, now); !errors.Is(err, ErrNoUpdate) {
		t.Fatalf("before: %v", err)
	}
	got, err := u.Update(t.Context(), in, now)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.RootJSON, embeddedRoot) || got.Root.Source != SourceTUF || got.Keys.Source != SourceTUF || got.Root.AsOf != "2027-03-01" || len(got.Keys.All()) != 4 {
		t.Errorf("got %+v", got.Summary())
	}
	// A new root, new keys, and new metadata; twice, so that nothing changes.
	if err := repo.Rotate(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		publish(t, repo)
		for range 2 {
			if _, err := u.Update(t.Context(), in, now.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	cached, err := u.Cached(in, now.AddDate(0, 0, 6))
	if err != nil || cached.Root.SHA256 != got.Root.SHA256 || cached.Keys.SHA256 != got.Keys.SHA256 {
		t.Fatalf("cached: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Join(u.Dir, "trust")); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	// What another root vouches for is not ours.
	other, err := tuftest.New(now.AddDate(0, 0, 7))
	if err != nil {
		t.Fatal(err)
	}
	foreign := in
	foreign.Root = other.Root()
	if _, err := u.Cached(foreign, now); err == nil {
		t.Error("another instance's answers were taken")
	}
}

// What is kept is verified from the embedded root on, at every load.
func TestCachedIsNeverTrusted(t *testing.T) {
	_, in, u := mirror(t)
	if _, err := u.Update(t.Context(), in, now); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Cached(in, now.AddDate(0, 0, 8)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired: %v", err)
	}
	file := u.file(in)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kept record
	if err := json.Unmarshal(good, &kept); err != nil {
		t.Fatal(err)
	}
	if len(kept.Answers) != 5 {
		t.Errorf("kept: %d answers", len(kept.Answers))
	}
	for name, answer := range kept.Answers {
		changed := record{Refreshed: kept.Refreshed, Answers: maps.Clone(kept.Answers)}
		for what, bad := range map[string][]byte{
			"bit":     append([]byte{answer[0] ^ 1}, answer[1:]...),
			"letter":  bytes.Replace(answer, []byte("a"), []byte("b"), 1),
			"missing": nil,
			"longer":  append(bytes.Clone(answer), ' '),
		} {
			changed.Answers[name] = bad
			if what == "longer" && !strings.HasPrefix(name, "targets/") {
				continue // white space around signed JSON means nothing
			}
			if what == "missing" {
				delete(changed.Answers, name)
			}
			if err := u.write(in, &changed); err != nil {
				t.Fatal(err)
			}
			if _, err := u.Cached(in, now); err == nil {
				t.Errorf("%s: %s was taken", name, what)
			}
		}
	}
	for _, garbage := range []string{"", "{}", "[]", "{", `{"answers":{"timestamp.json":"e30="}}`, strings.Repeat("x", 2*maxAnswers+2)} {
		if err := os.WriteFile(file, []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := u.Cached(in, now)
		if err == nil || errors.Is(err, ErrNoUpdate) || strings.Contains(err.Error(), "download") {
			t.Errorf("%.20q: %v", garbage, err)
		}
		// The next update mends it.
		if _, err := u.Update(t.Context(), in, now); err != nil {
			t.Errorf("%.20q: not mended: %v", garbage, err)
		}
	}
	// A pipe would be waited for, a device be read without end.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.DevNull, file); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Cached(in, now); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a device: %v", err)
	}
	if _, err := u.Update(t.Context(), in, now); err != nil {
		t.Errorf("a device: not mended: %v", err)
	}
}

func TestUpdateFails(t *testing.T) {
	answer := func(f func(http.ResponseWriter)) func(*testing.T, *tuftest.Repository) {
		return func(_ *testing.T, r *tuftest.Repository) {
			r.Fault(func(w http.ResponseWriter, _ *http.Request) bool { f(w); return true })
		}
	}
	endless := func(name string) func(*testing.T, *tuftest.Repository) {
		return func(_ *testing.T, r *tuftest.Repository) {
			r.Fault(func(w http.ResponseWriter, req *http.Request) bool {
				if !strings.HasSuffix(req.URL.Path, name) {
					return false
				}
				for chunk := bytes.Repeat([]byte("x"), 1<<16); ; {
					if _, err := w.Write(chunk); err != nil {
						return true
					}
				}
			})
		}
	}
	set := func(name, data string) func(*testing.T, *tuftest.Repository) {
		return func(_ *testing.T, r *tuftest.Repository) { r.Set(name, []byte(data)) }
	}
	tests := []struct {
		name   string
		breaks func(*testing.T, *tuftest.Repository)
		want   string
	}{
		{"server error", answer(func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }), "502"},
		{"garbage", answer(func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) }), "invalid character"},
		{"garbage metadata", set("timestamp.json", "{}"), "metadata"},
		{"no timestamp", func(_ *testing.T, r *tuftest.Repository) { r.Set("timestamp.json", nil) }, "404"},
		{"endless timestamp", endless("timestamp.json"), "larger than"},
		{"endless root", endless(".root.json"), "larger than"},
		{"endless target", endless(rootTarget), "larger than"},
		{"cut", answer(func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		}), "was cut off"},
		{"expired", func(t *testing.T, r *tuftest.Repository) {
			t.Helper()
			r.Expires = now.AddDate(0, 0, -1)
			publish(t, r)
		}, "expired"},
		{"somebody else's", func(t *testing.T, r *tuftest.Repository) {
			t.Helper()
			other, err := tuftest.New(now.AddDate(0, 0, 7))
			if err != nil {
				t.Fatal(err)
			}
			publish(t, other)
			publish(t, other)
			publish(t, other)
			root := r.Root()
			r.Restore(other.Files())
			r.Set("1.root.json", root)
		}, "signatures"},
		{"a root that the old one did not sign", func(t *testing.T, r *tuftest.Repository) {
			t.Helper()
			other, err := tuftest.New(now.AddDate(0, 0, 7))
			if err != nil {
				t.Fatal(err)
			}
			if err := other.Rotate(); err != nil {
				t.Fatal(err)
			}
			r.Set("2.root.json", other.File("2.root.json"))
		}, "signatures"},
		{"another target", func(t *testing.T, r *tuftest.Repository) {
			t.Helper()
			for name, data := range r.Files() {
				if strings.HasSuffix(name, rootTarget) {
					r.Set(name, bytes.Replace(data, []byte("2022"), []byte("2021"), 1))
				}
			}
		}, "not what its metadata say"},
		{"no trusted root in it", func(t *testing.T, r *tuftest.Repository) {
			t.Helper()
			if err := r.Publish(nil); err != nil {
				t.Fatal(err)
			}
		}, "not found"},
		{"no keys in it", func(t *testing.T, r *tuftest.Repository) {
			t.Helper()
			if err := r.Publish(map[string][]byte{rootTarget: embeddedRoot}); err != nil {
				t.Fatal(err)
			}
		}, "not found"},
		{"a signed root of no use", func(t *testing.T, r *tuftest.Repository) {
			t.Helper()
			if err := r.Publish(map[string][]byte{rootTarget: []byte("{}"), keysName: embeddedKeys}); err != nil {
				t.Fatal(err)
			}
		}, "of no use"},
		{"signed keys of no use", func(t *testing.T, r *tuftest.Repository) {
			t.Helper()
			if err := r.Publish(map[string][]byte{rootTarget: embeddedRoot, keysName: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
		}, "of no use"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repo, in, u := mirror(t)
			if _, err := u.Update(t.Context(), in, now); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(u.file(in))
			if err != nil {
				t.Fatal(err)
			}
			tt.breaks(t, repo)
			_, err = u.Update(t.Context(), in, now)
			e, ok := errors.AsType[*UpdateError](err)
			if !ok || e.Hint == "" || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), in.Mirror) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if after, err := os.ReadFile(u.file(in)); err != nil || !bytes.Equal(before, after) {
				t.Errorf("what was known before is gone: %v", err)
			}
			if _, err := u.Cached(in, now); err != nil {
				t.Errorf("what was known before does not hold: %v", err)
			}
		})
	}
}

// An honest repository's own past is refused, be it signed.
func TestRollback(t *testing.T) {
	repo, in, u := mirror(t)
	past := repo.Files()
	publish(t, repo)
	if _, err := u.Update(t.Context(), in, now); err != nil {
		t.Fatal(err)
	}
	repo.Restore(past)
	if _, err := u.Update(t.Context(), in, now); err == nil || !strings.Contains(err.Error(), "older than what was known") {
		t.Errorf("rolled back: %v", err)
	}
	// Somebody who never saw the newer one cannot know.
	if _, err := (&Updater{Dir: t.TempDir()}).Update(t.Context(), in, now); err != nil {
		t.Error(err)
	}
	// Long after, the memory is expired, but it still is one.
	repo.Expires = now.AddDate(2, 0, 0)
	repo.Restore(past)
	if _, err := u.Update(t.Context(), in, now.AddDate(0, 0, 6)); err == nil {
		t.Error("rolled back later")
	}
}

// A root that revoked keys is not forgotten: whoever stole those keys, and holds the
// newer root back, brings nothing.
func TestRollbackOfTheRoot(t *testing.T) {
	repo, in, u := mirror(t)
	past := repo.Files()
	if err := repo.Rotate(); err != nil {
		t.Fatal(err)
	}
	publish(t, repo)
	if _, err := u.Update(t.Context(), in, now); err != nil {
		t.Fatal(err)
	}
	present := repo.Files()
	repo.Restore(past)
	_, err := u.Update(t.Context(), in, now)
	if e, ok := errors.AsType[*UpdateError](err); !ok || !strings.Contains(err.Error(), "signatures do not hold") || e.Hint == "" {
		t.Errorf("rolled back: %v", err)
	}
	if _, err := u.Cached(in, now); err != nil {
		t.Errorf("what was known before does not hold: %v", err)
	}
	// It goes on from the last root, through those that follow.
	repo.Restore(present)
	for range 2 {
		if err := repo.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, repo)
	if _, err := u.Update(t.Context(), in, now); err != nil {
		t.Error(err)
	}
	if _, err := u.Cached(in, now); err != nil {
		t.Error(err)
	}
}

func TestUpdateEndsWithItsContext(t *testing.T) {
	repo, in, u := mirror(t)
	ctx, cancel := context.WithCancel(t.Context())
	repo.Fault(func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done() // a mirror that never answers
		return true
	})
	if _, err := u.Update(ctx, in, now); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := u.Cached(in, now); !errors.Is(err, ErrNoUpdate) {
		t.Errorf("something was kept: %v", err)
	}
}

// Several processes, each with an Updater of its own, update and read at once.
func TestUpdateAtOnce(t *testing.T) {
	_, in, u := mirror(t)
	if _, err := u.Update(t.Context(), in, now); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			own := &Updater{Dir: u.Dir}
			for range 3 {
				if _, err := own.Update(t.Context(), in, now); err != nil {
					t.Error(err)
				}
				if _, err := own.Cached(in, now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestUpdateCannotBeKept(t *testing.T) {
	_, in, u := mirror(t)
	u.Dir = filepath.Join(u.Dir, "file")
	if err := os.WriteFile(u.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := u.Update(t.Context(), in, now)
	if e, ok := errors.AsType[*UpdateError](err); !ok || !strings.Contains(e.Hint, "--cache-dir") {
		t.Errorf("got %v", err)
	}
}

func TestUpdateWithoutTemporaryFolder(t *testing.T) {
	_, in, u := mirror(t)
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, filepath.Join(u.Dir, "none"))
	}
	_, err := u.Update(t.Context(), in, now)
	if e, ok := errors.AsType[*UpdateError](err); !ok || !strings.Contains(e.Hint, "TMPDIR") {
		t.Errorf("got %v", err)
	}
}

func TestInstances(t *testing.T) {
	public, github := Public("https://registry.example/"), GitHub()
	if public.KeysTarget != keysName || github.KeysTarget != "" || public.Name == github.Name {
		t.Errorf("got %+v, %+v", public, github)
	}
	for _, in := range []Instance{public, github} {
		// The embedded roots are roots: what fails is that nobody answers.
		in.Mirror = "http://127.0.0.1:1"
		_, err := (&Updater{Dir: t.TempDir()}).Update(t.Context(), in, now)
		if _, ok := errors.AsType[*UpdateError](err); !ok {
			t.Errorf("%s: %v", in.Name, err)
		}
	}
	for _, bad := range []string{"", "{}", "x", string(embeddedRoot)} {
		_, err := Own("https://tuf.example", []byte(bad), "root.json")
		if e, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(e.Hint, "--root") {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	a, err := Own("https://tuf.example", public.Root, "root.json")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Own("https://tuf.example", github.Root, "root.json"); err != nil || a.Name == b.Name || a.Name == public.Name {
		t.Errorf("names: %q, %q, %v", a.Name, b.Name, err)
	}
	for mirror, ok := range map[string]bool{
		"https://tuf.example": true, "http://127.0.0.1:8080/a/": true, "": false, "tuf.example": false, "file:///etc": false,
		"https://u:p@tuf.example": false, "https://tuf.example/?a": false, "https://tuf.example/../x": false, "https://": false, ":": false,
	} {
		if err := CheckMirror(mirror); (err == nil) != ok {
			t.Errorf("%q: %v", mirror, err)
		}
	}
}

func FuzzCached(f *testing.F) {
	repo, err := tuftest.New(now.AddDate(0, 0, 7))
	if err != nil {
		f.Fatal(err)
	}
	in := Instance{Name: "public", Mirror: "https://tuf.example", Root: repo.Root(), KeysTarget: keysName}
	honest, err := json.Marshal(record{Refreshed: now, Answers: repo.Files()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(honest)
	f.Fuzz(func(t *testing.T, data []byte) {
		var r record
		if json.Unmarshal(data, &r) != nil {
			return
		}
		// The repository never signed a trusted root.
		if _, err := r.replay(in, now); err == nil {
			t.Error("taken without a signature")
		}
	})
}
