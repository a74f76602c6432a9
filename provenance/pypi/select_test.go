package pypi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countermark/provenance/pypi/pypitest"
)

// selectIndex serves one project with the versions, of which "-" yanks and "@…"
// says which Python it needs.
func selectIndex(t *testing.T, versions ...string) (*pypitest.Index, *Client) {
	t.Helper()
	index := &pypitest.Index{}
	for _, v := range versions {
		version, python, _ := strings.Cut(v, "@")
		version, yanked := strings.CutSuffix(version, "-")
		for _, name := range []string{"a_tool-" + version + "-py3-none-any.whl", "a_tool-" + version + ".tar.gz"} {
			index.Add("a-tool", pypitest.File{Name: name, SHA256: pypitest.Sum(name), Yanked: yanked, Python: python})
		}
	}
	server := httptest.NewServer(index)
	t.Cleanup(server.Close)
	return index, &Client{
		Index: server.URL + "/simple/", Transport: http.DefaultTransport,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

func TestSelect(t *testing.T) {
	for name, test := range map[string]struct {
		versions string
		request  string
		want     string // the version; or why there is none
	}{
		"the newest":               {"1.0 1.10 1.9", "", "1.10"},
		"latest":                   {"1.0 2.0", "latest", "2.0"},
		"a range":                  {"1.0 1.5 2.0", ">=1,<2", "1.5"},
		"a compatible release":     {"1.4.2 1.4.9 1.5.0", "~=1.4.2", "1.4.9"},
		"a wildcard":               {"1.4 1.5 2.0", "==1.*", "1.5"},
		"not this one":             {"1.4 1.5", "!=1.5", "1.4"},
		"exactly":                  {"1.0 1.5", "1.0", "1.0"},
		"exactly, in other words":  {"1.0.0 1.5", "==1.0", "1.0.0"},
		"post-releases":            {"1.0 1.0.post1", "", "1.0.post1"},
		"epochs":                   {"2024.1 1!1.0", "", "1!1.0"},
		"local ones":               {"1.0 1.0+cu12", ">=1", "1.0+cu12"},
		"a local one, exactly":     {"1.0 1.0+cu12 1.1+cu12", "==1.0", "1.0+cu12"},
		"that local one":           {"1.0 1.0+cu12 1.0+cu13", "==1.0+CU12", "1.0+cu12"},
		"no yanked ones":           {"1.0 2.0-", "", "1.0"},
		"a yanked one by name":     {"1.0 2.0-", "2.0", "2.0"},
		"only yanked ones":         {"1.0-", "", "no version satisfies it"},
		"no early ones":            {"1.0 2.0a1 2.0.dev3 2.0rc1", "", "1.0"},
		"only early ones":          {"0.1a1 0.1b2", "", "0.1b2"},
		"only development":         {"0.1.dev1 0.1.dev2", "", "0.1.dev2"},
		"an early one by name":     {"1.0 2.0a1", "2.0a1", "2.0a1"},
		"an early one is named":    {"1.0 2.0a1 2.0a2", ">=2.0a1", "2.0a2"},
		"early ones, but not said": {"1.0 2.0a1", ">=1.5", "only pre-releases satisfy it"},
		"an early upper bound":     {"1.0 2.0a1", ">=2.0a1,<2.5", "installers differ"},
		"nothing satisfies":        {"1.0", ">=3", "no version satisfies it"},
		"no such version":          {"1.0", "2.0", "no version satisfies it"},
		"compares texts":           {"1.0", "===1.0", "it asks in a way that is not understood"},
		"no range":                 {"1.0", ">=x", "it asks in a way that is not understood"},
	} {
		_, c := selectIndex(t, strings.Fields(test.versions)...)
		got, err := c.Select(t.Context(), "A.Tool", test.request)
		if err == nil {
			if got.Version != test.want || len(got.Files) != 2 {
				t.Errorf("%s: %+v, want %s", name, got, test.want)
			}
			continue
		}
		if e, ok := errors.AsType[*SelectError](err); !ok || e.Hint() == "" || !strings.Contains(e.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestSelectedFiles(t *testing.T) {
	index, c := selectIndex(t, "1.0@>=3.9")
	index.Add("a-tool", pypitest.File{Name: "a_tool-1.0-py3-none-win32.whl", SHA256: pypitest.Sum("x"), Yanked: true})
	index.Add("a-tool", pypitest.File{Name: "other-2.0.tar.gz", SHA256: pypitest.Sum("x")})
	got, err := c.Select(t.Context(), "a_tool", "")
	want := Selected{Version: "1.0", Python: ">=3.9", Files: map[string]string{}}
	for _, name := range []string{"a_tool-1.0-py3-none-any.whl", "a_tool-1.0.tar.gz"} {
		want.Files[name] = pypitest.Sum(name)
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	index.Add("a-tool", pypitest.File{Name: "a_tool-1.0-py2-none-any.whl", SHA256: pypitest.Sum("x"), Python: "<3"})
	if got, err := c.Select(t.Context(), "a_tool", ""); err != nil || got.Python != "" {
		t.Errorf("files that differ in what they need: %q %v", got.Python, err)
	}
}

// TestSelectFaults: what is no answer selects nothing.
func TestSelectFaults(t *testing.T) {
	text := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
		}
	}
	file := func(more string) string {
		return `{"meta": {"api-version": "1.1"}, "name": "a-tool", "files": [{"filename": "a_tool-1.0.tar.gz", "hashes": {"sha256": "` + pypitest.Sum("a") + `"}}` + more + `]}`
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"not found":    {http.NotFound, "knows no project of this name"},
		"broken":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "answered 500"},
		"HTML":         {text("text/html", "<a href=x>x</a>"), "answers no JSON"},
		"garbage":      {text(acceptSimple, "{"), "no JSON"},
		"another":      {text(acceptSimple, strings.Replace(file(""), `"a-tool"`, `"b-tool"`, 1)), "it is of another project"},
		"other API":    {text(acceptSimple, strings.Replace(file(""), `"1.1"`, `"2.0"`, 1)), "another version than 1"},
		"no digest":    {text(acceptSimple, file(`, {"filename": "a_tool-1.1.tar.gz", "hashes": {}}`)), "a file has no sha256"},
		"a file twice": {text(acceptSimple, file(`, {"filename": "a_tool-1.0.tar.gz", "hashes": {"sha256": "`+pypitest.Sum("b")+`"}}`)), "it lists a file twice"},
		"keys twice":   {text(acceptSimple, `{"name": "a-tool", "name": "a-tool"}`), "no JSON"},
	} {
		index, c := selectIndex(t)
		index.Break(test.answer)
		got, err := c.Select(t.Context(), "a-tool", "")
		if e, ok := errors.AsType[*SelectError](err); !ok || !strings.Contains(e.Error(), test.want) || e.Hint() == "" || got.Version != "" {
			t.Errorf("%s: %+v %v, want %s", name, got, err, test.want)
		}
	}
	index, c := selectIndex(t, "1.0")
	for _, name := range []string{"../simple", "a/b", "", "-"} {
		if _, err := c.Select(t.Context(), name, ""); err == nil || len(index.Requests()) > 0 {
			t.Errorf("%q was asked for: %v", name, err)
		}
	}
	c.Internal = func(string) bool { return true }
	if _, err := c.Select(t.Context(), "a-tool", ""); err == nil || len(index.Requests()) > 0 {
		t.Errorf("an internal project was asked for: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Select(ctx, "a-tool", ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
