package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

// TestProgress: one line on a terminal, which is gone in the end, and nothing
// anywhere else.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b"} {
		w.describe(name, w.lock(name), nil)
	}
	for name, c := range map[string]struct {
		terminal bool
		environ  string
		args     []string
		shown    bool
	}{
		"a terminal": {terminal: true, environ: "TERM=xterm", shown: true},
		"a file":     {environ: "TERM=xterm"},
		"quiet":      {terminal: true, args: []string{"-q"}},
		"NO_COLOR":   {terminal: true, environ: "NO_COLOR=1"},
		"dumb":       {terminal: true, environ: "TERM=dumb"},
		"CI":         {terminal: true, environ: "CI=true"},
	} {
		var stderr bytes.Buffer
		w.adjust = func(p *program) {
			p.terminal, p.stderr, p.environ = c.terminal, &stderr, []string{c.environ}
		}
		w.check(exitPass, "version: 1\n", append(c.args, "--registry", w.url, "--jobs", "1")...)
		want := ""
		if c.shown {
			want = "judged 0 of 2|judged 1 of 2|judged 2 of 2|"
		}
		if got := strings.TrimPrefix(strings.ReplaceAll(stderr.String(), eraseLine, "|"), "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestProgressIsShort: thousands of packages make no thousands of lines, and many
// may be judged at once.
func TestProgressIsShort(t *testing.T) {
	var out bytes.Buffer
	w := (&program{terminal: true, stderr: &out}).watch(10_000, false)
	var judges sync.WaitGroup
	for range 10_000 {
		judges.Go(w.step)
	}
	judges.Wait()
	if n := strings.Count(out.String(), "judged"); n != 101 || !strings.HasSuffix(out.String(), "judged 10000 of 10000") {
		t.Errorf("%d lines, the last %q", n, out.String()[max(0, out.Len()-30):])
	}
}
