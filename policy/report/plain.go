package report

// The rules of the user interface.
//
//   - The result goes to standard output, everything else to standard error. No
//     text reaches a person but through a Plain.
//   - The format strings are ours and trusted. Every argument is foreign: names,
//     paths, URLs, and errors, because errors quote what they could not read.
//   - Foreign text stays on its line, and what it holds can be seen: control
//     characters, escape sequences, line breaks, bidirectional and invisible
//     characters and invalid UTF-8 stand as Go writes them in a string (\x1b,
//     \u202e), and a backslash is doubled, so that no two texts look the same.
//   - No line begins a command of a CI system, not even one that is pieced
//     together from several arguments or calls. The character that would complete
//     it stands as its escape. Package visible does this and the above.
//   - Long foreign text is cut, and says by how much.
//   - Errors are lower-case, without a full stop: "countermark: error: …". What to
//     do next follows as "hint: …". Further lines of an error stand behind a bar,
//     so that no foreign line passes for one of ours.
//   - Colour is only ours, only where it was asked for, and says nothing that the
//     words do not say.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"countermark/sbom/visible"
)

// Options say how a [Plain] writes.
type Options struct {
	Color bool // standard output is a terminal, and NO_COLOR is not set
}

// Plain writes text for people. Its first error stays and is returned by
// [Plain.Err]; after it nothing more is written. It is not safe for concurrent use.
type Plain struct {
	w     io.Writer
	color bool
	guard visible.Guard
	err   error
}

// NewPlain returns a Plain that writes to w.
func NewPlain(w io.Writer, o Options) *Plain {
	return &Plain{w: w, color: o.Color}
}

// Err returns the first error of the underlying writer.
func (p *Plain) Err() error { return p.err }

// Printf writes as [fmt.Printf] does, with every argument but numbers and booleans
// made visible. The format must be a constant of the program. In %q the quotation
// mark is escaped too; widths count characters as shown.
func (p *Plain) Printf(format string, args ...any) {
	wrapped := make([]any, len(args))
	for i, arg := range args {
		wrapped[i] = asForeign(arg)
	}
	p.write(fmt.Sprintf(format, wrapped...))
}

// Error writes an error and what can be done about it: the hints given, then that
// of the first error in its chain that has one (a method Hint() string).
func (p *Plain) Error(err error, hints ...string) {
	p.message("error", styleBad, err, hints)
}

// Warning is [Plain.Error] for what does not stop the program.
func (p *Plain) Warning(err error, hints ...string) {
	p.message("warning", styleWarn, err, hints)
}

func (p *Plain) message(level string, s style, err error, hints []string) {
	for i, line := range lines(err.Error()) {
		if i == 0 {
			p.Printf("%s: %s: %s\n", clean(Program), p.paint(s, level), line)
			continue
		}
		p.Printf("  | %s\n", line)
	}
	var hinter interface{ Hint() string }
	if errors.As(err, &hinter) {
		hints = append(slices.Clip(hints), hinter.Hint())
	}
	for _, hint := range hints {
		if hint != "" {
			p.Printf("%s: %s\n", p.paint(styleAdvice, "hint"), hint)
		}
	}
}

// Lines returns a writer for text that others wrote and laid out, such as a command
// line library's usage and errors: its line breaks stay, everything else is treated
// as foreign.
func (p *Plain) Lines() io.Writer { return foreignLines{p} }

type foreignLines struct{ p *Plain }

func (l foreignLines) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		content, ended := bytes.CutSuffix(line, []byte("\n"))
		l.p.Printf("%s", content)
		if ended {
			l.p.write("\n")
		}
	}
	if l.p.err != nil {
		return 0, l.p.err
	}
	return len(text), nil
}

// write writes text that holds nothing foreign any more, in one piece, so that
// lines of several writers do not mix.
func (p *Plain) write(text string) {
	if p.err != nil {
		return
	}
	_, p.err = p.w.Write(p.guard.Append(nil, text))
}

// A style is a colour of ours: the parameters of an SGR sequence.
type style string

const (
	styleGood   style = "1;32"
	styleBad    style = "1;31"
	styleWarn   style = "1;33"
	styleStrong style = "1"
	styleAdvice style = "36"
)

// paint returns one of our own words in a colour, where colour is wanted.
func (p *Plain) paint(s style, word string) clean {
	if !p.color {
		return clean(word)
	}
	return clean("\x1b[" + string(s) + "m" + word + "\x1b[0m")
}

// clean is text that holds nothing foreign, or foreign text that was made visible.
type clean string

// asForeign wraps an argument so that it is made visible when it is printed.
func asForeign(arg any) any {
	switch arg := arg.(type) {
	case clean:
		return string(arg)
	case nil, bool, int, int64:
		return arg
	default:
		return foreign{arg}
	}
}

type foreign struct{ value any }

// Format implements [fmt.Formatter].
func (f foreign) Format(s fmt.State, verb rune) {
	text := f.text(s, verb)
	width, _ := s.Width()
	padding := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	if s.Flag('-') {
		text += padding
	} else {
		text = padding + text
	}
	// A fmt.State cannot fail: it is a buffer.
	_, _ = io.WriteString(s, text)
}

func (f foreign) text(s fmt.State, verb rune) string {
	quoted := verb == 'q'
	if quoted {
		verb = 's'
	}
	format := []byte("%")
	for _, flag := range []byte("+#") {
		if s.Flag(int(flag)) {
			format = append(format, flag)
		}
	}
	if precision, ok := s.Precision(); ok {
		format = strconv.AppendInt(append(format, '.'), int64(precision), 10)
	}
	format = utf8.AppendRune(format, verb)
	text := visible.Escape(fmt.Sprintf(string(format), f.value), visible.MaxText)
	if quoted {
		return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
	}
	return text
}

// lines splits text at its line breaks, and leaves out empty lines.
func lines(text string) []string {
	split := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	if len(split) == 0 {
		return []string{""}
	}
	return split
}
