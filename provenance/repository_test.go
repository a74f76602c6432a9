package provenance

import (
	"strings"
	"testing"
)

func TestParseRepository(t *testing.T) {
	const want = "https://github.com/Acme/tool.js"
	for _, raw := range []string{
		"https://github.com/Acme/tool.js", "https://GITHUB.com/Acme/tool.js/", "https://github.com/Acme/tool.js.git",
		"git+https://github.com/Acme/tool.js.git", "git://github.com/Acme/tool.js.git", "git+ssh://git@github.com/Acme/tool.js.git",
		"ssh://git@github.com/Acme/tool.js", "git@github.com:Acme/tool.js.git", "http://github.com/Acme/tool.js",
		"github.com/Acme/tool.js", "GitHub.com/Acme/tool.js.git", "git+https://github.com/Acme/tool.js", "git+github.com/Acme/tool.js",
	} {
		r, err := ParseRepository(raw)
		if err != nil || r.String() != want {
			t.Errorf("%s: %v, %v", raw, r, err)
		}
	}
	for _, raw := range []string{
		"", "acme/tool", "github.com", "github.com/acme", "github.com/acme/tool/x", "github.com:x@evil.example/acme/tool", "user@github.com/acme/tool", ".github.com/acme/tool", "https://github.com", "https://github.com/acme", "https://github.com/acme/", "https://github.com/acme/tool/tree/main",
		"https://github.com/acme//tool", "https://github.com/../tool", "https://github.com/acme/tool?x", "https://github.com/acme/tool#x",
		"https://github.com/acme/to%6fl", "https://user@github.com/acme/tool", "https://github.com@evil.example/acme/tool", "https://github.com/acme/tool ",
		"https://github.com/\u0430cme/tool", "https://g\u0456thub.com/acme/tool", "https://github.com\\acme/tool", "file:///acme/tool", "javascript://a/b/c", "git@github.com/acme/tool",
	} {
		if r, err := ParseRepository(raw); err == nil {
			t.Errorf("%q was taken for %s", raw, r)
		}
	}
}

func TestMatchRepository(t *testing.T) {
	for _, c := range []struct {
		want, have string
		ok         bool
		note       string
	}{
		{"https://github.com/acme/tool", "https://github.com/acme/tool", true, ""},
		{"https://github.com/acme/*", "https://github.com/acme/tool", true, ""},
		{"https://github.com/*/*", "https://github.com/acme/tool", true, ""},
		{"https://github.com/*/*", "https://gitlab.com/acme/tool", false, ""},
		{"https://gitlab.com/acme/*", "https://gitlab.com/acme/group/tool", false, ""},
		{"https://github.com/acme/t*", "https://github.com/acme/tool", false, ""},
		{"https://github.com/acme/tool", "https://github.com/ACME/tool", false, "case"},
		{"https://github.com/acme/*", "https://github.com/ACME/tool", false, "case"},
	} {
		ok, note := must(ParseRepository(c.have)).matches(must(ParseRepository(c.want)))
		if ok != c.ok || !strings.Contains(note, c.note) || note != "" && c.note == "" {
			t.Errorf("%s, %s: %t %q", c.want, c.have, ok, note)
		}
	}
}

func TestMatchRef(t *testing.T) {
	for _, c := range []struct {
		pattern, ref string
		want         bool
	}{
		{"refs/tags/v1", "refs/tags/v1", true},
		{"refs/tags/v1", "refs/tags/v10", false},
		{"refs/tags/v*", "refs/tags/v1.2.3", true},
		{"refs/tags/v*", "refs/tags/v", true},
		{"refs/tags/v*", "refs/tags/v1/x", false},
		{"refs/tags/*", "refs/heads/main", false},
		{"refs/*/main", "refs/heads/main", true},
		{"refs/*/main", "refs/heads/x/main", false},
		{"refs/**", "refs/heads/x/main", true},
		{"refs/**/main", "refs/heads/x/main", true},
		{"refs/**/main", "refs/main", false},
		{"*", "refs", true},
		{"*", "refs/x", false},
		{"**", "refs/x", true},
		{"**", "", true},
		{"", "", true},
		{"", "x", false},
		{"v*.*.*", "v1.2.3", true},
		{"v*.*.*", "v1.2", false},
		{"refs/tags/v.", "refs/tags/vx", false},
		{strings.Repeat("*a", 50) + "b", strings.Repeat("a", 2000), false},
	} {
		if got := matchRef(c.pattern, c.ref); got != c.want {
			t.Errorf("%.40q, %.40q: %t", c.pattern, c.ref, got)
		}
	}
}

func TestClip(t *testing.T) {
	if got := clip("short"); got != "short" {
		t.Errorf("got %q", got)
	}
	if got := clip("\xff"); got != "\uFFFD" {
		t.Errorf("got %q", got)
	}
	for n := range 8 {
		got := clip(strings.Repeat("x", n) + strings.Repeat("é", MaxText))
		if len(got) > MaxText || !strings.HasSuffix(got, "é…") {
			t.Errorf("%d bytes, ends in %q", len(got), got[len(got)-8:])
		}
	}
}

func TestParseObject(t *testing.T) {
	o := must(parseObject([]byte(`{"a":{"b":[{"c":"d"}],"e":1}}`)))
	first, ok := o.list("a", "b")[0].(object)
	if !ok || first.text("c") != "d" || o.text("a", "e") != "" || o.text("A", "b") != "" || o.text("a", "b", "c") != "" {
		t.Errorf("got %v", o)
	}
	for _, bad := range []string{
		``, `{`, `[]`, `null`, `"x"`, `{"a":1,"a":2}`, `{"x":[{"a":1,"a":2}]}`, `{"a":1,"\u0061":2}`, `{} {}`, `{}x`, `{"a"}`, `{"a":}`,
		`{"a":` + strings.Repeat(`[`, MaxJSONDepth+1) + strings.Repeat(`]`, MaxJSONDepth+1) + `}`, strings.Repeat(`{"a":`, 1e5),
	} {
		if o, err := parseObject([]byte(bad)); err == nil {
			t.Errorf("%.40s was taken for %v", bad, o)
		}
	}
}

func FuzzParseRepository(f *testing.F) {
	for _, s := range []string{"https://github.com/a/b", "git@github.com:a/b.git", "git+ssh://git@h/a/b/", "https://h:1/a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := ParseRepository(raw)
		if err != nil {
			return
		}
		again, err := ParseRepository(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q: %s, then %s (%v)", raw, r, again, err)
		}
	})
}
