// Tally reads the events of `go test -json` on standard input and shows what a
// person wants of them: the closing line of every package, the whole output of
// what failed or was skipped, and last a line "N passed, N failed, N skipped"
// that counts tests and subtests.
//
// It exits with 1 if anything failed, if anything was skipped (unless
// -allow-skips is given), or if no test ran at all.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of `go test -json` (go doc test2json); the output of a
// failed build has ImportPath instead of Package.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type tally struct {
	passed, failed, skipped int

	output map[[2]string]*strings.Builder // of a running test, by package and name
	broken map[string]bool                // packages in which a test failed
}

func main() {
	allowSkips := flag.Bool("allow-skips", false, "do not fail because of skipped tests")
	flag.Parse()

	t := tally{output: map[[2]string]*strings.Builder{}, broken: map[string]bool{}}
	err := t.read(os.Stdin, os.Stdout)
	fmt.Printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "tally: %v\n", err)
	case t.passed == 0:
		fmt.Fprintln(os.Stderr, "tally: no test passed")
	case t.failed == 0 && (t.skipped == 0 || *allowSkips):
		return
	case t.failed == 0:
		fmt.Fprintln(os.Stderr, "tally: no test may be skipped here: each proves something")
	}
	os.Exit(1)
}

func (t *tally) read(r io.Reader, w io.Writer) error {
	for dec := json.NewDecoder(r); ; {
		var e event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("standard input is not the output of go test -json: %w", err)
		}
		if _, err := io.WriteString(w, t.take(e)); err != nil {
			return err
		}
	}
}

// take counts an event, and returns what is to be shown because of it.
func (t *tally) take(e event) string {
	id := [2]string{e.Package, e.Test}
	switch {
	case e.Action == "build-output":
		return e.Output
	case e.Test == "":
		return t.takePackage(e)
	case e.Action == "run":
		t.output[id] = &strings.Builder{}
	case e.Action == "output":
		if out := t.output[id]; out != nil {
			out.WriteString(e.Output)
			return ""
		}
		return e.Output
	case e.Action == "pass":
		t.passed++
		delete(t.output, id)
	case e.Action == "skip":
		t.skipped++
		return t.close(id)
	case e.Action == "fail":
		t.failed++
		t.broken[e.Package] = true
		return t.close(id)
	}
	return ""
}

// takePackage is take for events of a whole package. One that fails without a
// failing test (it does not build, it exits early, it races at its end) counts
// as one failure.
func (t *tally) takePackage(e event) string {
	switch {
	case e.Action == "fail" && !t.broken[e.Package]:
		t.failed++
	case e.Action == "output" && e.Output != "PASS\n" && e.Output != "FAIL\n":
		return e.Output
	}
	return ""
}

func (t *tally) close(id [2]string) string {
	out := t.output[id]
	delete(t.output, id)
	if out == nil {
		return ""
	}
	return out.String()
}
