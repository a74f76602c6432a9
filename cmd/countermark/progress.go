package main

import (
	"fmt"
	"io"
	"sync"
)

// progress shows a person at a terminal how far a run is, in one line that it
// rewrites. A nil one shows nothing.
type progress struct {
	out   io.Writer
	total int

	mu     sync.Mutex
	judged int
}

// watch returns what shows the progress on standard error: nil where nobody
// looks, or somebody wants to see less.
func (p *program) watch(total int, quiet bool) *progress {
	if !p.terminal || quiet || total == 0 || p.env("NO_COLOR") != "" || p.env("TERM") == "dumb" || p.env("CI") != "" {
		return nil
	}
	w := &progress{out: p.stderr, total: total}
	w.write()
	return w
}

// step says that one more is judged. It is written as often as its percentage
// changes: a large run must not wait for the terminal.
func (w *progress) step() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judged++
	if w.judged*100/w.total != (w.judged-1)*100/w.total {
		w.write()
	}
}

// eraseLine goes to the line's beginning and clears it (ECMA-48, EL).
const eraseLine = "\r\x1b[K"

func (w *progress) write() {
	_, _ = fmt.Fprintf(w.out, "%sjudged %d of %d", eraseLine, w.judged, w.total) // nothing depends on it
}

// clear leaves the line to whoever writes next.
func (w *progress) clear() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = io.WriteString(w.out, eraseLine) // nothing depends on it
}
