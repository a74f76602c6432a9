package visible_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"countermark/sbom/visible"
	"countermark/sbom/visible/visibletest"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"plain text, 1.2.3 (äöü 日本語 😀)", "plain text, 1.2.3 (äöü 日本語 😀)"},
		{"a\x1b[31mb", `a\x1b[31mb`},
		{"a\r\n\tb", `a\r\n\tb`},
		{"\x00\x7f", `\x00\x7f`},
		{"\u0085\u009b", `\u0085\u009b`},
		{"\xff\xc3", `\xff\xc3`},
		{"\ufffd", "\ufffd"},
		{"\u202eabc\u2069", `\u202eabc\u2069`},
		{"a\u200bb\u00adc\ufeff", `a\u200bb\u00adc\ufeff`},
		{"\u2028\u2029", `\u2028\u2029`},
		{"\u00a0\u3000", `\u00a0\u3000`},
		{"\u115f\u1160\u3164\uffa0\u2800", `\u115f\u1160\u3164\uffa0\u2800`},
		{"a\ufe0f\U000e0100\U000e0041", `a\ufe0f\U000e0100\U000e0041`},
		{"\ufdd0\uffff\U0010ffff", `\ufdd0\uffff\U0010ffff`},
		{"\ue000", `\ue000`},
		{"e\u0301", "e\u0301"},
		{"\u0301", `\u0301`},
		{"e\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301" + `\u0301`},
		{`C:\x1b`, `C:\\x1b`},
		{"::error::x", `:\x3aerror::x`},
		{"  ::error::x", `  :\x3aerror::x`},
		{"std::string", "std::string"},
		{"##[error]x", `#\x23[error]x`},
		{"a ##vso[x]", `a #\x23vso[x]`},
		{"###[x]", `#\x23#[x]`},
		{"a#readme", "a#readme"},
		{"section_start:1:x", `section_start\x3a1:x`},
		{"x section_end:1:x", `x section_end\x3a1:x`},
		{"--- x", `--\x2d x`},
		{"a --- x", "a --- x"},
		{"^^^ +++", `^^\x5e +++`},
	} {
		if got := visible.Text(test.in); got != test.want {
			t.Errorf("Text(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestTextIsCut(t *testing.T) {
	fits := strings.Repeat("ä", visible.MaxText)
	if got := visible.Text(fits); got != fits {
		t.Errorf("text of the limit's length was changed")
	}
	if got, want := visible.Text(fits+"äöü"), fits+"…[+6 bytes]"; got != want {
		t.Errorf("got … %q, want … %q", got[len(fits):], want[len(fits):])
	}
	if got, want := visible.Escape("::ab", 3), "::a…[+1 bytes]"; got != want {
		t.Errorf("Escape cuts to %q, want %q", got, want)
	}
}

// A command is not pieced together from several calls either, and our own line
// breaks and colours pass.
func TestGuardOverCalls(t *testing.T) {
	for want, parts := range map[string][]string{
		"\n" + ` :\x3aerror::x` + "\n":  {"\n", " ", ":", "", ":", "error::x", "\n"},
		`a#\x23[x]`:                     {"a", "#", "", "#[x]"},
		`section_start\x3a1`:            {"section_", "start", ":1"},
		"a:\n" + `--\x2d`:               {"a:\n", "--", "-"},
		"\x1b[1m:" + `\x3a` + "\x1b[0m": {"\x1b[1m", ":", ":\x1b[0m"},
		"a ::":                          {"a ", "::"},
		strings.Repeat("x", 99) + "section_end" + `\x3a`: {strings.Repeat("x", 99), "section_end", ":"},
	} {
		var g visible.Guard
		var got []byte
		for _, part := range parts {
			got = g.Append(got, part)
		}
		if string(got) != want {
			t.Errorf("%q gives %q, want %q", parts, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range visibletest.Names() {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		shown := visible.Text(s)
		if err := visibletest.Check(shown); err != nil {
			t.Error(err)
		}
		if strings.Contains(shown, "\n") {
			t.Errorf("a line break in %q", shown)
		}
		if utf8.RuneCountInString(s) <= visible.MaxText {
			if back := original(t, shown); back != s {
				t.Errorf("%q is shown as %q, which reads as %q", s, shown, back)
			}
		}

		// In two parts, on two lines.
		cut = min(max(cut, 0), len(s))
		var g visible.Guard
		var out []byte
		for _, part := range []string{visible.Escape(s[:cut], 20), visible.Escape(s[cut:], 20), "\n  #", visible.Escape(s, 20)} {
			out = g.Append(out, part)
		}
		if err := visibletest.Check(string(out)); err != nil {
			t.Error(err)
		}
	})
}

// original undoes Text, so that the fuzz test can show that nothing is lost.
func original(t *testing.T, shown string) string {
	t.Helper()
	var b strings.Builder
	for shown != "" {
		// A byte that was no UTF-8 has the form of a control character's escape.
		if strings.HasPrefix(shown, `\x`) && len(shown) >= 4 {
			n, err := strconv.ParseUint(shown[2:4], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteByte(byte(n))
			shown = shown[4:]
			continue
		}
		r, _, tail, err := strconv.UnquoteChar(shown, 0)
		if err != nil {
			t.Fatalf("%q: %v", shown, err)
		}
		b.WriteRune(r)
		shown = tail
	}
	return b.String()
}
