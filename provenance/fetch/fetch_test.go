package fetch

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Whatever a server writes into Retry-After, it is a time to wait: never
// negative, seconds as they are written, and dates from the answer's own.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range [][2]string{
		{"7", ""}, {"-7", ""}, {"+7", ""}, {"0x7", ""}, {"7.5", ""}, {" 7", ""}, {"007", ""}, {"99999999999999999999999", ""}, {"", ""}, {"soon", ""}, {"18700000000000000000A", "0"},
		{"Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:58 GMT"}, {"Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 01 Jan 2000 00:00:00 GMT"},
		{"Fri, 31 Dec 1999 23:59:59 GMT", ""}, {"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, after, date string) {
		got := retryAfter(http.Header{"Retry-After": {after}, "Date": {date}})
		if got < 0 {
			t.Fatalf("%q after %q: %s", after, date, got)
		}
		if n, err := strconv.ParseInt(after, 10, 31); err == nil && n >= 0 && after[0] != '+' && after[0] != '-' && got != time.Duration(n)*time.Second {
			t.Errorf("%q seconds are %s", after, got)
		}
		if _, err := http.ParseTime(date); err != nil && got > 0 && strings.Trim(after, "0123456789") != "" {
			t.Errorf("%q without a date is %s", after, got)
		}
	})
}

func parsed(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestProxyRefuses: a proxy that opens no connection is named, in words of our own.
func TestProxyRefuses(t *testing.T) {
	for _, tt := range []struct {
		status, asked int
		reason, hint  string
	}{
		{http.StatusProxyAuthRequired, 1, "the proxy answered 407 Proxy Authentication Required", "the credentials in the proxy's URL"},
		{http.StatusBadGateway, maxAttempts, "the proxy answered 502 Bad Gateway (4 attempts)", "try again later"},
	} {
		asked := 0
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(tt.status)
		}))
		t.Cleanup(proxy.Close)
		c := &Client{
			Transport: &http.Transport{Proxy: http.ProxyURL(parsed(t, strings.Replace(proxy.URL, "//", "//me:s3cret@", 1))), OnProxyConnectResponse: CheckProxy},
			Sleep:     func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
			Words:     Words{What: "registry", Named: "--registry"},
		}
		_, fail := c.Get(t.Context(), Request{URL: parsed(t, "https://registry.example/a"), Max: 1, Take: func(_ string, r io.Reader) ([]byte, error) { return io.ReadAll(r) }})
		if fail == nil || !strings.Contains(fail.Reason, "registry.example: "+tt.reason) || !strings.Contains(fail.Hint, tt.hint) || strings.Contains(fail.Reason+fail.Hint, "s3cret") {
			t.Errorf("%d: %+v", tt.status, fail)
		}
		if asked != tt.asked {
			t.Errorf("%d: the proxy was asked %d times", tt.status, asked)
		}
	}
}

// TestCredentialsStay: they are for the first host, even if the way leads back.
func TestCredentialsStay(t *testing.T) {
	var told []string
	var here, there *httptest.Server
	there = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told = append(told, "there "+r.Header.Get("Authorization"))
		http.Redirect(w, r, here.URL+"/back", http.StatusFound)
	}))
	defer there.Close()
	here = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told = append(told, "here "+r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/own", http.StatusFound)
		case "/own":
			http.Redirect(w, r, there.URL, http.StatusFound)
		}
	}))
	defer here.Close()
	c := &Client{Transport: http.DefaultTransport}
	_, fail := c.Get(t.Context(), Request{URL: parsed(t, here.URL+"/"), Authorization: "s3cret", Max: 1, Take: func(_ string, r io.Reader) ([]byte, error) { return io.ReadAll(r) }})
	if got, want := strings.Join(told, ","), "here s3cret,here s3cret,there ,here "; fail != nil || got != want {
		t.Errorf("told %q, want %q; %+v", got, want, fail)
	}
}
