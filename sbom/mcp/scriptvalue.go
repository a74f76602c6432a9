package mcp

import (
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"

	"mvdan.cc/sh/v3/syntax"
)

// Commands that stand in values. A script that gives a variable a value that names a
// launcher, and runs the variable, launches it: CMD="npx a"; $CMD. So does one that
// prints a command into a shell. All other variables stay what they are to whoever
// reads the file.

// maxHeld bounds the values of one variable that are tried, and the words of one.
const maxHeld = 16

// held is a value that names a launcher.
type held struct {
	text string // of a plain variable
	list []word // of an array
}

// words are those that a shell makes of the value. In quotes a plain one stays whole.
func (h held) words(quoted bool, at place) []word {
	out := slices.Clone(h.list)
	switch {
	case h.list != nil:
	case quoted:
		out = []word{{text: h.text}}
	default:
		out = fieldsOf(word{text: h.text})
	}
	for i := range out {
		out[i].at = at
	}
	return out
}

// heldIn is a word that is one variable, be it an array, with what it falls back to.
var heldIn = lazyregexp.New(`^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:\[[@*]\])?(?::?[-=](?s:(.*)))?\})$`)

// heldBy are the values that name a launcher, of the variable that a word is.
func (w *shellWalk) heldBy(text string) []held {
	m := heldIn.FindStringSubmatch(text)
	switch {
	case m == nil && lookedUp.MatchString(text):
		return heldText(text) // $(command -v npx) a
	case m == nil:
		return nil
	}
	name, out := m[1]+m[2], []held(nil)
	for _, g := range w.text.given {
		if g.name == name {
			out = append(out, heldText(g.value)...)
		}
	}
	out = append(out, w.held[name]...)
	return append(out, heldText(strings.Trim(m[3], `"'`))...)
}

// lookedUp is a program that is looked for: $(command -v npx).
var lookedUp = lazyregexp.New("^(?:\\$\\((?:shell +)?|`) *(?:which|command +-v|type +-P) +([A-Za-z]+)(?: +2>/dev/null)? *[)`]$")

// heldText is a value that names a launcher, or none.
func heldText(text string) []held {
	if m := lookedUp.FindStringSubmatch(text); m != nil {
		text = m[1]
	}
	if len(text) > maxScript || !mentioned(word{text: text}) {
		return nil
	}
	return []held{{text: text}}
}

// hold notes what variables are set to.
func (w *shellWalk) hold(assigns []*syntax.Assign) {
	sh := shellString{text: w.text.body}
	for _, a := range assigns {
		if a.Name == nil {
			continue
		}
		var values []held
		switch {
		case a.Array != nil:
			var list []word
			for _, e := range a.Array.Elems {
				if e.Value != nil && len(list) < maxHeld {
					list = append(list, w.with(sh.word(e.Value))...)
				}
			}
			if slices.ContainsFunc(list, mentioned) {
				values = []held{{list: list}}
			}
		case a.Value != nil:
			value := sh.word(a.Value)
			if values = w.heldBy(value.text); values == nil {
				values = heldText(w.inside(value.text))
			}
		}
		if have := w.held[a.Name.Value]; len(values) > 0 && len(have)+len(values) <= maxHeld {
			if w.held == nil {
				w.held = map[string][]held{}
			}
			w.held[a.Name.Value] = append(slices.Clip(have), values...)
		}
	}
}

// with is a word, or those of the last value that its variable holds.
func (w *shellWalk) with(one word) []word {
	values := w.heldBy(one.text)
	if len(values) == 0 {
		return []word{one}
	}
	return values[len(values)-1].words(!one.open, one.at)
}

var variableInside = lazyregexp.New(`\$(\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z_][A-Za-z0-9_]*)`)

// inside puts the last values of variables into a text.
func (w *shellWalk) inside(text string) string {
	return variableInside.ReplaceAllStringFunc(text, func(v string) string {
		if values := w.heldBy(v); len(values) > 0 && values[len(values)-1].list == nil {
			return values[len(values)-1].text
		}
		return v
	})
}

// variants are the command lines that a command may be: one for each value of the
// first variable in it that holds a launcher.
func (w *shellWalk) variants(words []word) [][]word {
	first := slices.IndexFunc(words, func(one word) bool { return len(w.heldBy(one.text)) > 0 })
	if first < 0 {
		return [][]word{words}
	}
	var rest []word
	for _, one := range words[first+1:] {
		rest = append(rest, w.with(one)...)
	}
	var out [][]word
	for _, value := range w.heldBy(words[first].text) {
		line := slices.Concat(words[:first], value.words(!words[first].open, words[first].at), rest)
		if !slices.ContainsFunc(out, func(have []word) bool { return slices.Equal(have, line) }) {
			out = append(out, line)
		}
	}
	return out
}

// printed reads what one command prints into a shell: echo "npx a" | sh.
func (w *shellWalk) printed(n *syntax.BinaryCmd) {
	if n.Op != syntax.Pipe && n.Op != syntax.PipeAll || !takesCommands(n.Y) {
		return
	}
	call, ok := n.X.Cmd.(*syntax.CallExpr)
	if !ok {
		return
	}
	if callee(call) == "cat" {
		w.input(n.X)
		return
	}
	w.prints(call)
}

// read reads what a command prints into the file that a shell gets: bash <(echo npx a).
func (w *shellWalk) read(call *syntax.CallExpr) {
	if name := callee(call); !slices.Contains(shells, name) && !oneOf("source .", name) {
		return
	}
	for _, a := range call.Args[1:] {
		for _, part := range a.Parts {
			from, ok := part.(*syntax.ProcSubst)
			if !ok || len(from.Stmts) != 1 {
				continue
			}
			if inner, ok := from.Stmts[0].Cmd.(*syntax.CallExpr); ok {
				w.prints(inner)
			}
		}
	}
}

// prints reads as a script what a command prints.
func (w *shellWalk) prints(call *syntax.CallExpr) {
	if !oneOf("echo printf print", callee(call)) || substitution(call) != "" {
		return
	}
	sh := shellString{text: w.text.body, at: w.at(call)}
	var lines []string
	for _, a := range call.Args[1:] {
		lines = append(lines, sh.render(a))
	}
	between := " "
	if callee(call) == "printf" {
		between = "\n"
	}
	w.program(strings.ReplaceAll(strings.Join(lines, between), `\n`, "\n"), w.at(call).line)
}

// takesCommands reports whether the end of a pipe runs what it reads.
func takesCommands(n syntax.Node) bool {
	found := false
	syntax.Walk(n, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		found = found || ok && readsCommands(call)
		return !found
	})
	return found
}

// program reads a text that the script runs as one, all of it at one line.
func (w *shellWalk) program(text string, line int) {
	if tells(text) {
		w.finder.oneLine(scriptText{name: w.text.name, body: text, line: line, given: w.given, where: w.where}, line)
	}
}
