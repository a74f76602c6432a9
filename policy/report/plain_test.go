package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"countermark/policy/report"
)

func TestVisible(t *testing.T) {
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
		if got := report.Visible(test.in); got != test.want {
			t.Errorf("Visible(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestVisibleIsCut(t *testing.T) {
	fits := strings.Repeat("ä", report.MaxForeign)
	if got := report.Visible(fits); got != fits {
		t.Errorf("text of the limit's length was changed")
	}
	if got, want := report.Visible(fits+"äöü"), fits+"…[+6 bytes]"; got != want {
		t.Errorf("got … %q, want … %q", got[len(fits):], want[len(fits):])
	}
}

func TestPrintf(t *testing.T) {
	for _, test := range []struct {
		format string
		args   []any
		want   string
	}{
		{"%s|%v|%q\n", []any{"a\n", errors.New("b\x1b"), `c"\`}, `a\n|b\x1b|"c\"\\"` + "\n"},
		{"%-5s|%5s|%.2s|\n", []any{"\n", "é", "abc"}, `\n   |    é|ab|` + "\n"},
		{"%d %t %x %04d\n", []any{7, true, "ab", 7}, "7 true 6162 0007\n"},
		{"%s %v\n", []any{[]byte("a\tb"), []string{"c\r", "d"}}, `a\tb [c\r d]` + "\n"},
		{"%v\n", []any{stringer("\u202e")}, `\u202e` + "\n"},
		{"%s%s\n", []any{":", ":error::x"}, `:\x3aerror::x` + "\n"},
		{"%s:%s:%s\n", []any{"", "", "error::x"}, `:\x3aerror::x` + "\n"},
		{"#%s\n", []any{"#[error]"}, `#\x23[error]` + "\n"},
		{"a%s%s%s\n", []any{"#", "", "#[error]"}, `a#\x23[error]` + "\n"},
		{"%s%s\n", []any{"section_", "start:1"}, `section_start\x3a1` + "\n"},
		{"ok\n  %s\n", []any{"::error::x"}, "ok\n  " + `:\x3aerror::x` + "\n"},
		{"%s\n", []any{named("x\x1b")}, `x\x1b` + "\n"},
		{"%v %v\n", []any{nil, struct{ A string }{"\n"}}, `<nil> {\n}` + "\n"},
	} {
		var b bytes.Buffer
		p := report.NewPlain(&b, report.Options{})
		p.Printf(test.format, test.args...)
		if got := b.String(); got != test.want || p.Err() != nil {
			t.Errorf("Printf(%q, %q) = %q, %v; want %q", test.format, test.args, got, p.Err(), test.want)
		}
	}
}

type named string

type stringer string

func (s stringer) String() string { return string(s) }

// A command is not pieced together from several calls either.
func TestPrintfOverCalls(t *testing.T) {
	var b bytes.Buffer
	p := report.NewPlain(&b, report.Options{})
	for _, part := range []string{" ", ":", "", ":", "error::x", "\n"} {
		p.Printf("%s", part)
	}
	if got, want := b.String(), ` :\x3aerror::x\n`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestError(t *testing.T) {
	for _, test := range []struct {
		name  string
		color bool
		err   error
		hints []string
		want  string
	}{
		{"plain", false, errors.New("x: no such file"), []string{"name another"}, "countermark: error: x: no such file\nhint: name another\n"},
		{"several lines", false, errors.New("a\n::error::b\n\nhint: do evil"), nil, "countermark: error: a\n  | ::error::b\n  | hint: do evil\n"},
		{"foreign", false, errors.New("unknown flag: --\x1b[2J"), nil, `countermark: error: unknown flag: --\x1b[2J` + "\n"},
		{"hint in the chain", false, fmt.Errorf("a: %w", hinted{errors.New("b")}), []string{"first", ""}, "countermark: error: a: b\nhint: first\nhint: second\\n\n"},
		{"empty", false, errors.New(""), nil, "countermark: error: \n"},
		{"colour", true, errors.New("a\x1b[0m"), []string{"b"}, "countermark: \x1b[1;31merror\x1b[0m: a\\x1b[0m\n\x1b[36mhint\x1b[0m: b\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			report.NewPlain(&b, report.Options{Color: test.color}).Error(test.err, test.hints...)
			if got := b.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

type hinted struct{ error }

func (hinted) Hint() string { return "second\n" }

func TestWarning(t *testing.T) {
	var b bytes.Buffer
	report.NewPlain(&b, report.Options{}).Warning(errors.New("the root is old"), "renew it")
	if got, want := b.String(), "countermark: warning: the root is old\nhint: renew it\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLines(t *testing.T) {
	var b bytes.Buffer
	w := report.NewPlain(&b, report.Options{}).Lines()
	const in = "Error: unknown command \"\x1b[2J\"\n::error::x\n\n  -q, --quiet"
	n, err := io.WriteString(w, in)
	if n != len(in) || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	if got, want := b.String(), `Error: unknown command "\x1b[2J"`+"\n"+`:\x3aerror::x`+"\n\n  -q, --quiet"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

var errFull = errors.New("disk full")

// fullDisk takes one write.
type fullDisk struct{ writes int }

func (d *fullDisk) Write(p []byte) (int, error) {
	d.writes++
	if d.writes > 1 {
		return 0, errFull
	}
	return len(p), nil
}

func TestFirstErrorStays(t *testing.T) {
	d := &fullDisk{}
	p := report.NewPlain(d, report.Options{})
	for range 5 {
		p.Printf("a\n")
	}
	if !errors.Is(p.Err(), errFull) || d.writes != 2 {
		t.Errorf("Err() = %v after %d writes; want %v after 2", p.Err(), d.writes, errFull)
	}
	if _, err := io.WriteString(p.Lines(), "b"); !errors.Is(err, errFull) {
		t.Errorf("Lines().Write = %v, want %v", err, errFull)
	}
	if err := report.Text(p, passing(), report.TextOptions{}); !errors.Is(err, errFull) {
		t.Errorf("Text = %v, want %v", err, errFull)
	}
}

// What CI systems read in a log, written down apart from the code under test.
// GitHub trims white space and reads "::" first in a line, and "##[" anywhere.
var commands = regexp.MustCompile(`(?m)^\s*::|##\[|##vso\[|##teamcity\[|section_(start|end):|^(---|\+\+\+|~~~|\^\^\^)`)

// requireHarmless fails where the text holds what a terminal, a reader or a CI
// system would take for more than text.
func requireHarmless(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("invalid UTF-8 in %q", text)
	}
	for _, r := range text {
		switch {
		case r == '\n':
		case unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point),
			unicode.Is(unicode.Zs, r) && r != ' ', !unicode.IsPrint(r), strings.ContainsRune("\u2800\u3164\u115f\u1160\uffa0\u034f", r):
			t.Errorf("%U in %q", r, text)
		}
	}
	if command := commands.FindString(text); command != "" {
		t.Errorf("%q begins a command in:\n%s", command, text)
	}
	if strings.Contains(text, "\u0300\u0300\u0300\u0300") {
		t.Errorf("too many combining marks in %q", text)
	}
}

// original undoes Visible, so that the fuzz test can show that nothing is lost.
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

func FuzzVisible(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		shown := report.Visible(s)
		requireHarmless(t, shown)
		if strings.Contains(shown, "\n") {
			t.Errorf("a line break in %q", shown)
		}
		if utf8.RuneCountInString(s) <= report.MaxForeign {
			if back := original(t, shown); back != s {
				t.Errorf("%q is shown as %q, which reads as %q", s, shown, back)
			}
		}

		// In two arguments, behind our own text, and as lines.
		cut = min(max(cut, 0), len(s))
		var b bytes.Buffer
		p := report.NewPlain(&b, report.Options{})
		p.Printf("%s%s\n%q %s\n#%s:%s\n", s[:cut], s[cut:], s, s, s[:cut], s[cut:])
		p.Error(errors.New(s), s)
		if _, err := io.WriteString(p.Lines(), s); err != nil {
			t.Error(err)
		}
		requireHarmless(t, b.String())
	})
}
