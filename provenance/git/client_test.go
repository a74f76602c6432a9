package git

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countermark/provenance/git/gittest"
)

const (
	a = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	b = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	c = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)

func client() *Client {
	return &Client{Transport: http.DefaultTransport, Sleep: func(context.Context, time.Duration) error { return nil }}
}

func TestCommit(t *testing.T) {
	host := &gittest.Host{}
	for ref, commit := range map[string]string{
		"HEAD": a, "refs/heads/main": a, "refs/heads/dev": b, "refs/tags/v1": b, "refs/tags/v2": c, "refs/tags/v2^{}": a,
		"refs/heads/both": a, "refs/tags/both": b, "refs/heads/same": a, "refs/tags/same": a, "refs/pull/1/head": b,
	} {
		host.Set("/o/r", ref, commit)
	}
	host.Set("/o/wide", "HEAD", c)
	host.Set("/o/bare", "refs/heads/x", a)
	server := httptest.NewServer(host)
	defer server.Close()
	for _, tc := range []struct{ path, ref, want, why string }{
		{"/o/r", "", a, ""},
		{"/o/r.git", "", a, ""},
		{"/o/r/", "main", a, ""},
		{"/o/r", "dev", b, ""},
		{"/o/r", "v1", b, ""},
		{"/o/r", "v2", a, ""}, // the commit that the tag is about
		{"/o/r", "tags/v2", a, ""},
		{"/o/r", "heads/dev", b, ""},
		{"/o/r", "refs/pull/1/head", b, ""},
		{"/o/r", "same", a, ""},
		{"/o/r", "both", "", "has a branch and a tag of that name, with different commits"},
		{"/o/r", "pull/1/head", "", "has no branch or tag of that name"},
		{"/o/r", "ma", "", "has no branch or tag of that name"},
		{"/o/r", "aaaaaaa", "", "has no branch or tag of that name"},
		{"/o/bare", "", "", "has no default branch"},
		{"/o/wide", "", c, ""},
		{"/o/none", "", "", "is no repository, or does not show itself to everybody"},
	} {
		got, err := client().Commit(t.Context(), "git+"+server.URL+tc.path, tc.ref)
		if tc.why == "" && (err != nil || got != tc.want) || tc.why != "" && (err == nil || !strings.HasSuffix(err.Error(), tc.why)) {
			t.Errorf("%s %q: %q, %v", tc.path, tc.ref, got, err)
		}
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Hint == "") {
			t.Errorf("%s %q: no hint: %v", tc.path, tc.ref, err)
		}
	}
}

// TestNotAsked holds that nobody is asked who could be somebody else.
func TestNotAsked(t *testing.T) {
	for url, why := range map[string]string{
		"git+ssh://git@git.example/o/r": "it is reached by ssh, which is not asked",
		"git://git.example/o/r":         "it is reached by git, which is not asked",
		"git+file:///o/r":               "its URL is none",
		"http://git.example/o/r":        "its URL is not encrypted, so that anybody on the way could answer",
		"git+https://%zz/":              "its URL is none",
		"https://git.example/o/r?t=x":   "its URL has a query, which is no part of the repository that would be asked",
	} {
		silent := &Client{Transport: dials(func(*http.Request) (*http.Response, error) {
			t.Errorf("%s was asked", url)
			return nil, errors.New("no")
		})}
		if _, err := silent.Commit(t.Context(), url, ""); err == nil || err.Error() != why {
			t.Errorf("%s: %v", url, err)
		}
	}
}

type dials func(*http.Request) (*http.Response, error)

func (d dials) RoundTrip(r *http.Request) (*http.Response, error) { return d(r) }

// TestBadLists holds that no answer is believed that is not whole and of the form.
func TestBadLists(t *testing.T) {
	const service = "001e# service=git-upload-pack\n0000"
	for name, tc := range map[string]struct{ kind, body, why string }{
		"page":        {"text/html", "<html>", errNoList.Error()},
		"old":         {"text/plain", a + "\trefs/heads/main\n", errNoList.Error()},
		"empty":       {advertisement, "", "ends too early (4 attempts)"},
		"cut":         {advertisement, service + "003f" + a, "ends too early (4 attempts)"},
		"no end":      {advertisement, service + "0032" + a + " HEAD\n", "ends too early (4 attempts)"},
		"no length":   {advertisement, service + "zzzz", errList.Error()},
		"too short":   {advertisement, service + "0003", errList.Error()},
		"no service":  {advertisement, "000aHELLO\n0000", errList.Error()},
		"no commit":   {advertisement, service + "0010xxxxxxx HEAD0000", errList.Error()},
		"empty repo":  {advertisement, service + "003f0000000000000000000000000000000000000000 capabilities^{}\x00x\n0000", "has no default branch"},
		"twice":       {advertisement, service + "0032" + a + " HEAD\n0032" + b + " HEAD\n0000", "has two commits under one name"},
		"other lines": {advertisement, service + "000fERR hidden\n0000", "has no default branch"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tc.kind)
			_, _ = w.Write([]byte(tc.body)) // a client that goes away is its own business
		}))
		_, err := client().Commit(t.Context(), server.URL+"/o/r", "")
		if err == nil || !strings.HasSuffix(err.Error(), tc.why) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}

// TestRedirects: whom a host redirects to is asked, unless anybody on the way there
// could answer.
func TestRedirects(t *testing.T) {
	host := &gittest.Host{}
	host.Set("/o/r", "HEAD", a)
	there := httptest.NewServer(host)
	defer there.Close()
	to := there.URL
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to+r.URL.RequestURI(), http.StatusFound)
	}))
	defer here.Close()
	if got, err := client().Commit(t.Context(), here.URL+"/o/r", ""); err != nil || got != a {
		t.Errorf("%q, %v", got, err)
	}
	to = "http://git.example"
	if _, err := client().Commit(t.Context(), here.URL+"/o/r", ""); err == nil || !strings.HasSuffix(err.Error(), "redirects to another machine without encryption; that is not followed") {
		t.Errorf("%v", err)
	}
}

// TestPrivate holds that a host which wants credentials is told apart from one that
// fails.
func TestPrivate(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("credentials of the URL were sent")
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	_, err := client().Commit(t.Context(), strings.Replace(server.URL, "://", "://me:hush@", 1)+"/o/r", "")
	if e := (*Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Hint, "not for everybody") || strings.Contains(e.Reason+e.Hint, "hush") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client().Commit(ctx, server.URL, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func FuzzReferences(f *testing.F) {
	f.Add([]byte("001e# service=git-upload-pack\n00000032" + a + " HEAD\n0000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := take(strings.NewReader(string(data)), []string{"HEAD"})
		if err != nil {
			return
		}
		if commit, why := choose(lines, []string{"HEAD"}); why == "" && !isCommit(commit) {
			t.Fatalf("a commit that is none: %q", commit)
		}
	})
}
