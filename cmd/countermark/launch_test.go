package main

import (
	"crypto/sha512"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestLaunchRegistry: what a launch fetches from a registry of its own choice is
// judged by that registry's answer where the user or the policy trusts it, and by
// nobody's where not. Another registry's answer is about another package.
func TestLaunchRegistry(t *testing.T) {
	w := newWorld(t)
	w.release("a", "https://github.com/acme/a", sha512.Sum512([]byte("a")))
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { asked++; rw.WriteHeader(http.StatusNotFound) }))
	t.Cleanup(other.Close)
	launch := func(servers ...string) {
		w.write("project/.mcp.json", []byte(`{"mcpServers":{`+strings.Join(servers, ",")+`}}`))
	}
	chosen := func(name, url string) string {
		return `"` + name + `":{"command":"npx","args":["-y","--registry","` + url + `","a@1.0.0"]}`
	}
	const plain = `"plain":{"command":"npx","args":["-y","a@1.0.0"]}`
	trusted := acmePolicy + "registries: [\"" + w.url + "\"]\n"
	state := func(what string, want, policy string, args ...string) {
		t.Helper()
		before := len(w.registry.Requests())
		_, stdout, stderr := w.run(t.Context(), policy, args...)
		if got := `"state": "` + want + `"`; !strings.Contains(stdout, got) {
			t.Errorf("%s: no %s in\n%s%s", what, got, stdout, stderr)
		}
		if asks := len(w.registry.Requests()) > before; want == "unavailable" && (asks || asked > 0) {
			t.Errorf("%s: somebody was asked", what)
		}
	}
	keys := w.url + "=" + filepath.Join(w.dir, "keys.json")

	launch(chosen("x", w.url))
	state("trusted by the policy", "verified", trusted, "--registry", other.URL, "--npm-keys", keys)
	state("the configured one, named again", "verified", acmePolicy, "--registry", w.url)
	state("trusted by nobody", "unavailable", acmePolicy, "--registry", other.URL, "--npm-keys", keys)
	launch(chosen("x", "https://evil.example/"))
	state("another, trusted by nobody", "unavailable", trusted, "--registry", w.url)
	launch(chosen("x", "https://user:pass@evil.example/"))
	state("with credentials", "unavailable", trusted, "--registry", w.url)
	launch(chosen("x", w.url), plain)
	state("two registries", "unavailable", trusted, "--registry", other.URL, "--npm-keys", keys)
	state("twice the same", "verified", trusted, "--registry", w.url)
	if asked > 0 {
		t.Errorf("the configured registry was asked %d times for what comes from another", asked)
	}
}
