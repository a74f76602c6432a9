package goproxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// module is what a proxy of ours has of one: the answers by the end of their URL.
type module map[string]string

func serve(t *testing.T, modules map[string]module) (url string, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		for name, m := range modules {
			if rest, ok := strings.CutPrefix(r.URL.Path, "/"+name+"/"); ok {
				if body, ok := m[rest]; ok {
					_, _ = w.Write([]byte(body)) // a client that goes away is its own business
					return
				}
			}
		}
		if strings.Contains(r.URL.Path, "/broken/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func client(proxies string) *Client {
	return &Client{Proxies: proxies, Transport: http.DefaultTransport, Sleep: func(context.Context, time.Duration) error { return nil }}
}

func TestSelect(t *testing.T) {
	url, _ := serve(t, map[string]module{
		"go.example/m": {
			"@v/list":              "v1.0.0\nv1.10.0\nv1.9.0\nv2.0.0-rc.1\nv0.0.0-20240101000000-aaaaaaaaaaaa\n",
			"@v/v1.10.0.mod":       "module go.example/m\n\nretract v1.10.0 // oops\n\nretract (\n\t[v1.8.0, v1.8.9]\n)\n",
			"@v/main.info":         `{"Version": "v1.10.1-0.20250101000000-bbbbbbbbbbbb"}`,
			"@v/aaaaaaaaaaaa.info": `{"Version": "v1.9.1-0.20250101000000-aaaaaaaaaaaa", "Time": "2025-01-01T00:00:00Z"}`,
		},
		"go.example/!upper":    {"@v/list": "v0.1.0\n", "@v/v0.1.0.mod": "module x\n"},
		"go.example/tip":       {"@v/list": "", "@latest": `{"Version": "v0.0.0-20250101000000-cccccccccccc"}`},
		"go.example/early":     {"@v/list": "v1.0.0-a\nv1.0.0-b\n", "@v/v1.0.0-b.mod": ""},
		"go.example/old":       {"@v/list": "v2.0.0+incompatible\nv3.0.0+incompatible\n"},
		"go.example/mixed":     {"@v/list": "v1.0.0\nv3.0.0+incompatible\n", "@v/v1.0.0.mod": ""},
		"go.example/m/cmd/own": {"@v/list": "v9.0.0\n", "@v/v9.0.0.mod": "retract v9.0.0\n"},
		"go.example/lies":      {"@v/list": "v1.0.0\n"},
		"go.example/bad":       {"@v/list": "<html>\n", "@v/main.info": `{"Version": "latest"}`},
	})
	for _, tc := range []struct{ pkg, query, want, why string }{
		{"go.example/m/cmd/x", "latest", "v1.9.0", ""}, // the newest one is retracted
		{"go.example/m", "upgrade", "v1.9.0", ""},
		{"go.example/m", "v1", "v1.10.0", ""},
		{"go.example/m", "v1.9", "v1.9.0", ""},
		{"go.example/m", "v2", "v2.0.0-rc.1", ""},
		{"go.example/m/cmd/x", "main", "v1.10.1-0.20250101000000-bbbbbbbbbbbb", ""},
		{"go.example/m", "aaaaaaaaaaaa", "v1.9.1-0.20250101000000-aaaaaaaaaaaa", ""},
		{"go.example/Upper/cmd", "latest", "v0.1.0", ""},
		{"go.example/tip", "latest", "v0.0.0-20250101000000-cccccccccccc", ""},
		{"go.example/early", "latest", "v1.0.0-b", ""},
		{"go.example/old", "latest", "v3.0.0+incompatible", ""},
		{"go.example/mixed", "latest", "", "only go itself decides whether they count"},
		{"go.example/m", "v7", "", "no module proxy of GOPROXY knows such a version of it"},
		{"go.example/none/cmd", "latest", "", "no module proxy of GOPROXY knows such a version of it"},
		{"go.example/tip", "v1", "", "no module proxy of GOPROXY knows such a version of it"},
		{"go.example/lies", "latest", "", "the proxy lists a version that it does not have"},
		{"go.example/bad", "latest", "", "lists a version that is none"},
		{"go.example/bad", "main", "", "the module proxy names no version"},
		{"go.example/m", ">=v1.0.0", "", "a query that compares versions is not asked for"},
		{"go.example/broken/x", "latest", "", "answered 403 Forbidden"},
		{"go.example" + strings.Repeat("/a", maxElements), "latest", "", "its path is too long"},
	} {
		got, err := client(url+",direct").Select(t.Context(), tc.pkg, tc.query)
		if tc.why == "" && (err != nil || got != tc.want) || tc.why != "" && (err == nil || !strings.Contains(err.Error(), tc.why)) {
			t.Errorf("%s@%s: %q, %v", tc.pkg, tc.query, got, err)
		}
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Hint == "") {
			t.Errorf("%s@%s: no hint: %v", tc.pkg, tc.query, err)
		}
	}
}

// TestProxies holds who is asked, and in which order.
func TestProxies(t *testing.T) {
	empty, askedEmpty := serve(t, nil)
	full, _ := serve(t, map[string]module{"go.example/m": {"@v/list": "v1.0.0\n", "@v/v1.0.0.mod": ""}})
	for proxies, want := range map[string]string{
		empty + "," + full:                       "v1.0.0",
		empty + "|" + full:                       "v1.0.0",
		"direct," + full:                         "no module proxy is named",
		"off":                                    "no module proxy is named",
		"":                                       "no module proxy is named",
		"http://proxy.example," + full:           "no module proxy is named",
		"file:///x," + full:                      "no module proxy is named",
		empty + ",direct," + full:                "no module proxy of GOPROXY knows",
		"https://:0/x|" + full:                   "v1.0.0",
		strings.Replace(full, "//", "//u:p@", 1): "v1.0.0",
	} {
		got, err := client(proxies).Select(t.Context(), "go.example/m", "latest")
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s", proxies, got)
		}
	}
	*askedEmpty = nil
	for private, asks := range map[string]bool{"go.example": false, "*.example/m": false, "go.example/m/x": true, "other.example,go.*": false, "go.example/[": false, "": true} {
		c := client(empty)
		c.Private = private
		_, err := c.Select(t.Context(), "go.example/m", "latest")
		if asked := len(*askedEmpty) > 0; err == nil || asked != asks {
			t.Errorf("%q: asked %v, %v", private, asked, err)
		}
		*askedEmpty = nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(full).Select(ctx, "go.example/m", "latest"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	env := map[string]string{"GOPROXY": "a", "GOPRIVATE": "b", "GONOPROXY": "c"}
	if c := Named(func(name string) string { return env[name] }); c.Proxies != "a" || c.Private != "c" {
		t.Errorf("%+v", c)
	}
}
