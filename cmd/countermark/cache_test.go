package main

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const acmePolicy = "version: 1\nsources: {\"*\": {repo: \"https://github.com/acme/*\"}}\n"

// TestCache: what was found is not asked for again, is verified again, and never
// makes a verdict better than the registry would.
func TestCache(t *testing.T) {
	w := newWorld(t)
	cached := []string{"--registry", w.url, "--cache-dir", filepath.Join(w.dir, "cache")}
	w.release("a", "https://github.com/acme/a", w.lock("a"))
	const attestations = "/-/npm/v1/attestations/a@1.0.0"
	asked := func() (n int) {
		for _, r := range w.registry.Requests() {
			if r.Path == attestations {
				n++
			}
		}
		return n
	}
	check := func(what string, code int, state string, requests int, args ...string) {
		t.Helper()
		before := asked()
		if got := states(w.check(code, acmePolicy, args...))["a"]; got != state {
			t.Errorf("%s: state %s, want %s", what, got, state)
		}
		if n := asked() - before; n != requests {
			t.Errorf("%s: attestations were asked for %d times, want %d", what, n, requests)
		}
	}
	check("first", exitPass, "verified", 1, cached...)
	check("again", exitPass, "verified", 0, cached...)
	check("--no-cache", exitPass, "verified", 1, "--registry", w.url, "--no-cache")

	// Every file that somebody could have changed is changed.
	entries, err := filepath.Glob(filepath.Join(w.dir, "cache", "registry", "*", "*"))
	if err != nil || len(entries) == 0 {
		t.Fatalf("the cache holds %v, %v", entries, err)
	}
	for _, name := range entries {
		if err := os.WriteFile(name, []byte("{}\n{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check("broken entries", exitPass, "verified", 1, cached...)

	// The lockfile's bytes are others now: what is kept is no proof of them.
	sum := sha512.Sum512([]byte("b"))
	entry, _ := w.packages["node_modules/a"].(map[string]any)
	entry["integrity"] = "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	check("other bytes", exitFail, "invalid", 0, cached...)
	check("what did not hold is asked again", exitFail, "invalid", 1, cached...)
	w.check(exitUsage, acmePolicy, "--no-cache", "--cache-dir", w.dir)
	w.lock("a")
	w.write("cache2/registry", nil)
	check("no folder in it", exitPass, "verified", 1, "--registry", w.url, "--cache-dir", filepath.Join(w.dir, "cache2"))
	if runtime.GOOS == "windows" {
		return // modes say nothing there
	}
	if err := os.Chmod(filepath.Join(w.dir, "cache", "registry"), 0o777); err != nil {
		t.Fatal(err)
	}
	check("others may write to it", exitPass, "verified", 1, cached...)
	check("others still may", exitPass, "verified", 1, cached...)
}

// TestCacheRevalidates: a packument is asked for with its ETag, and an answer to
// credentials is not kept at all.
func TestCacheRevalidates(t *testing.T) {
	w := newWorld(t)
	w.describe("a", w.lock("a"), nil)
	w.registry.Tag("/a", `"1"`)
	args := []string{"--registry", w.url, "--cache-dir", filepath.Join(w.dir, "cache")}
	for range 2 {
		if s := states(w.check(exitPass, "version: 1\n", args...))["a"]; s != "absent" {
			t.Errorf("state %s", s)
		}
	}
	var tags []string
	for _, r := range w.registry.Requests() {
		if r.Path == "/a" {
			tags = append(tags, r.Header.Get("If-None-Match"))
		}
	}
	if got := strings.Join(tags, ","); got != `,"1"` {
		t.Errorf("the ETags sent are %s", got)
	}

	const token = "npm_0123456789abcdefghijklmnopqrstuvwxyz"
	args[3] = filepath.Join(w.dir, "private")
	w.registry.RequireToken(token)
	w.write(".npmrc", fmt.Appendf(nil, "%s:_authToken=%s\n", strings.TrimPrefix(w.url, "http:"), token))
	w.check(exitPass, "version: 1\n", args...)
	if entries, err := os.ReadDir(filepath.Join(args[3], "registry")); err != nil || len(entries) > 0 {
		t.Errorf("an answer to credentials was kept: %v, %v", entries, err)
	}
}

// TestResume: what an interrupted run has found is kept, and the next one asks
// for the rest alone.
func TestResume(t *testing.T) {
	w := newWorld(t)
	names := []string{"a", "b", "c", "d", "e", "f"}
	for _, name := range names {
		w.release(name, "https://github.com/acme/"+name, w.lock(name))
		w.registry.Tag("/"+name, `"1"`)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	w.registry.Fail("/-/npm/v1/attestations/d@1.0.0", func(_ http.ResponseWriter, q *http.Request) {
		interrupt()
		<-q.Context().Done()
	})
	args := []string{"--registry", w.url, "--cache-dir", filepath.Join(w.dir, "cache"), "--jobs", "1"}
	code, stdout, stderr := w.run(ctx, acmePolicy, args...)
	if code != exitUnknown || stdout != "" || !strings.Contains(stderr, "interrupted") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	first := len(w.registry.Requests())
	for name, state := range states(w.check(exitPass, acmePolicy, args...)) {
		if state != "verified" {
			t.Errorf("%s is %s", name, state)
		}
	}
	var asked, fresh []string
	for _, r := range w.registry.Requests()[first:] {
		if spec, ok := strings.CutPrefix(r.Path, "/-/npm/v1/attestations/"); ok {
			asked = append(asked, strings.TrimSuffix(spec, "@1.0.0"))
		} else if r.Header.Get("If-None-Match") == "" {
			fresh = append(fresh, strings.TrimPrefix(r.Path, "/"))
		}
	}
	if got := strings.Join(asked, ","); got != "d,e,f" {
		t.Errorf("attestations were asked for again: %s", got)
	}
	if got := strings.Join(fresh, ","); got != "e,f" {
		t.Errorf("packuments were sent again: %s", got)
	}
}
