package report

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"countermark/sbom/visible/visibletest"
)

// Inside the package, because through a whole log they would be slow.

func FuzzSARIFText(f *testing.F) {
	for _, name := range visibletest.Names() {
		f.Add(name)
	}
	f.Add(`\[{12}](<!--`)
	f.Fuzz(func(t *testing.T, s string) {
		got := sarifText(s)
		if err := visibletest.Check(got); err != nil || strings.Contains(got, "\n") {
			t.Errorf("%q became %q: %v", s, got, err)
		}
		if strings.Contains(got, "](") || tag.MatchString(got) || placeholder.MatchString(got) {
			t.Errorf("%q became %q, which holds markup", s, got)
		}
		// Without the pairs that are escapes, no bracket is left.
		bare := strings.NewReplacer(`\\`, "", `\[`, "", `\]`, "").Replace(got)
		if strings.ContainsAny(bare, "[]") {
			t.Errorf("%q became %q, with a bracket of a link", s, got)
		}
	})
}

func FuzzRelativeURI(f *testing.F) {
	for _, name := range visibletest.Names() {
		f.Add(name)
	}
	for _, name := range []string{"", "/", "..", "//evil.example/x", "javascript:alert(1)", "a b/c#d?e%20", `c:\x`} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, file string) {
		got := relativeURI(file)
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q became %q: %v", file, got, err)
		}
		if got == "" || u.IsAbs() || u.Host != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasPrefix(got, "/") {
			t.Errorf("%q became %q, which is no relative path", file, got)
		}
		if strings.ContainsAny(got, ":'()#?\\\" <>") {
			t.Errorf("%q became %q, with a character that can mean more", file, got)
		}
		// It names the same file, seen from the root.
		if want := path.Clean("/" + file); path.Clean("/"+u.Path) != want {
			t.Errorf("%q became %q, which is %q", file, got, u.Path)
		}
	})
}
