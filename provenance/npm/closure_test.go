package npm_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"countermark/provenance/cache"
	"countermark/provenance/npm"
	"countermark/sbom/closure"
)

const doc = `{"name":"@acme/tool","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"@acme/tool","version":"1.0.0","dist":{"tarball":"https://registry.example/t.tgz"}}}}`

func TestPackument(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := []struct {
		name    string
		answer  http.HandlerFunc
		found   bool
		missing bool   // ErrNotFound
		want    string // in any other error
	}{
		{"there", answer(200, doc), true, false, ""},
		{"not there", answer(404, "{}"), false, true, ""},
		{"taken down", answer(410, "{}"), false, true, ""},
		{"refused for another reason", answer(400, "{}"), false, false, "400"},
		{"no access", answer(401, "{}"), false, false, ""},
		{"broken", answer(500, ""), false, false, ""},
		{"garbage", answer(200, "<html>"), false, false, ""},
		{"another package", answer(200, strings.ReplaceAll(doc, "tool", "fool")), false, false, ""},
		{"cut", answer(200, doc[:40]), false, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			c, _ := newClient(t, server.URL, npm.Sources{})
			p, err := c.Packument(t.Context(), "@acme/tool")
			switch {
			case (p != nil) != tt.found, errors.Is(err, closure.ErrNotFound) != tt.missing, tt.found != (err == nil):
				t.Errorf("got %v, %v", p, err)
			case !tt.found && !tt.missing:
				var h interface{ Hint() string }
				if !errors.As(err, &h) || h.Hint() == "" || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("the error has no hint, or says another thing: %v", err)
				}
			}
		})
	}
}

// The abbreviated document is asked for, once: the cache keeps it apart from the
// full one, which has the same URL.
func TestPackumentIsKept(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked = append(asked, fmt.Sprint(strings.HasPrefix(q.Header.Get("Accept"), "application/vnd.npm.install-v1+json"), q.Header.Get("If-None-Match")))
		w.Header().Set("ETag", `"1"`)
		if q.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, doc)
	}))
	defer server.Close()
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, _ := newClient(t, server.URL, npm.Sources{})
		c.Cache = store
		p, err := c.Packument(t.Context(), "@acme/tool")
		if err != nil || p.Versions["1.0.0"] == nil {
			t.Fatal(p, err)
		}
	}
	if got := fmt.Sprint(asked); got != `[true true "1"]` && got != `[true true"1"]` {
		t.Errorf("asked %s", got)
	}
}

// A package that is internal is not asked of a registry that the user does not own.
func TestPackumentOfInternal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	defer server.Close()
	c := &npm.Client{Internal: func(string) bool { return true }}
	if _, err := c.Packument(t.Context(), "@acme/tool"); err == nil || errors.Is(err, closure.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Packument(t.Context(), "../x"); err == nil || errors.Is(err, closure.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
