package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"countermark/policy/report"
	"countermark/sbom/visible/visibletest"
)

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

// requireHarmless fails where the text holds what a terminal, a reader or a CI
// system would take for more than text.
func requireHarmless(t *testing.T, text string) {
	t.Helper()
	if err := visibletest.Check(text); err != nil {
		t.Error(err)
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range visibletest.Names() {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
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
