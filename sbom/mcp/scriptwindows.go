package mcp

import (
	"bytes"
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"
)

// Batch files and PowerShell scripts. Neither grammar is small, and no parser of them
// is at hand. What is needed is where a command begins and ends, and how its words are
// put together: cmd.exe ("cmd /?", "for /?", "if /?"), and PowerShell's language
// specification, chapter 2.

// windowsFile is a script that Windows runs.
func (f *finder) windowsFile(read func(scriptText) where) {
	if wide(f.data) {
		f.bad(1, "the script is no plain text", "save it as UTF-8, or exclude it in the policy")
		return
	}
	body := string(bytes.TrimPrefix(f.data, byteOrderMark))
	if lower := strings.ToLower(body); tells(lower) || strings.Contains(lower, "downloadstring") {
		read(scriptText{body: body, line: 1})
	}
}

func (f *finder) batchFile()      { f.windowsFile(f.batch) }
func (f *finder) powershellFile() { f.windowsFile(f.powershell) }

// windowsScript is one that is being read, command by command.
type windowsScript struct {
	*finder
	text  scriptText
	where where
	held  map[string]string // variables with a value that names a launcher
}

func (f *finder) windows(t scriptText) *windowsScript {
	s := &windowsScript{finder: f, text: t, where: t.where, held: map[string]string{}}
	for _, g := range t.given {
		s.hold(g.name, g.value)
	}
	s.downloads()
	return s
}

var windowsComment = lazyregexp.New(`(?i)^\s*(#|@?rem\s|::)`)

// webClient is how PowerShell runs what it fetches by way of .NET.
var webClient = lazyregexp.New(`(?i)\b(iex|invoke-expression)\b.*\.downloadstring\(|\.downloadstring\(.*\|\s*(iex|invoke-expression)\b`)

// downloads looks for lines that run what they fetch: iwr … | iex.
func (s *windowsScript) downloads() {
	for i, raw := range strings.Split(s.text.body, "\n") {
		at := s.at(s.text.line + i)
		switch {
		case windowsComment.MatchString(raw):
		case webClient.MatchString(raw), fetchesText(raw) && downloadLine(apart(fieldsOf(word{text: strings.ReplaceAll(raw, ";", " ; "), at: at}))):
			s.download(s.text.name, at, byPipe)
		}
	}
}

func (s *windowsScript) hold(name, value string) {
	if len(value) <= maxScript && mentioned(word{text: value}) {
		s.held[strings.ToLower(name)] = value
	}
}

func (s *windowsScript) run(words []word) {
	if len(words) == 0 {
		return
	}
	s.command(step{name: s.text.name, words: words, where: s.where, given: s.text.given})
}

// batchLine is one command of cmd.exe as it is written.
type batchLine struct {
	text string
	at   int
}

// batch reads a text for cmd.exe.
func (f *finder) batch(t scriptText) where {
	if !f.enter(t) {
		return t.where
	}
	defer f.leave()
	s := f.windows(t)
	t.body = expression.ReplaceAllString(t.body, "$"+expressionVariable)
	for _, l := range batchLines(t.body) {
		s.batchCommand(strings.TrimSpace(l.text), t.line+l.at, 0)
	}
	return s.where
}

// batchLines cuts a text where cmd.exe ends a command: at the end of a line that does
// not go on, at & and |, and at the brackets of a block.
func batchLines(body string) []batchLine {
	var out []batchLine
	var b strings.Builder
	number, start, quoted, depth := 0, 0, false, 0
	flush := func() {
		if strings.TrimSpace(b.String()) != "" {
			out = append(out, batchLine{b.String(), start})
		}
		b.Reset()
		start = number
	}
	for i := 0; i < len(body); i++ {
		c := body[i]
		comment := c != '\n' && batchComment.MatchString(b.String())
		switch {
		case c == '\n':
			number++
			quoted = false
			flush()
		case comment:
		case c == '^' && !quoted:
			rest := strings.TrimPrefix(body[i+1:], "\r")
			if strings.HasPrefix(rest, "\n") {
				number++
				i = len(body) - len(rest)
			} else if i+1 < len(body) {
				i++
				b.WriteByte(body[i])
			}
		case c == '"':
			quoted = !quoted
			b.WriteByte(c)
		case quoted:
			b.WriteByte(c)
		case c == '&' && strings.HasSuffix(b.String(), ">"):
			b.WriteByte(c) // 2>&1
		case c == '&', c == '|':
			flush()
		case c == '(' && batchOpens.MatchString(b.String()):
			depth++
			flush()
		case c == '(' && batchFor.MatchString(b.String()):
			end := strings.IndexByte(body[i:], ')') // what is gone through
			if end < 0 {
				end = len(body) - i - 1
			}
			number += strings.Count(body[i:i+end+1], "\n")
			b.WriteString(strings.ReplaceAll(body[i:i+end+1], "\n", " "))
			i += end
		case c == ')' && depth > 0:
			depth--
			flush()
		default:
			b.WriteByte(c)
		}
	}
	flush()
	return out
}

var (
	batchComment = lazyregexp.New(`(?i)^[\s@]*(rem(\s|$)|::)`)
	batchOpens   = lazyregexp.New(`(?i)^[\s@]*$|^[\s@]*(?:else\s+)?if\s[^()]*\s$|(^|\s)(do|else)\s*$`)
	batchFor     = lazyregexp.New(`(?i)^[\s@]*for\s.*\sin\s*$`)

	// What stands before a command.
	batchIf    = lazyregexp.New(`(?i)^if\s+(?:/i\s+)?(?:not\s+)?(?:(?:errorlevel|defined|cmdextversion)\s+\S+|exist\s+(?:"[^"]*"|\S+)|(?:"[^"]*"|[^\s=]+)\s*(?:==|\s(?:equ|neq|lss|leq|gtr|geq)\s)\s*(?:"[^"]*"|\S+))(\s+|$)`)
	batchElse  = lazyregexp.New(`(?i)^else(\s+|$)`)
	batchDo    = lazyregexp.New(`(?i)^for\s.*?\sin\s*\((.*?)\)\s*do(\s+|$)`)
	batchCall  = lazyregexp.New(`(?i)^call\s+`)
	batchStart = lazyregexp.New(`(?i)^start(?:\s+"[^"]*"|\s+/(?:d\s*(?:"[^"]*"|\S+)|(?:node|affinity)\s+\S+|[a-z]+))*\s+`)
	batchSet   = lazyregexp.New(`(?i)^set\s+"?([A-Za-z_][A-Za-z0-9_]*)=([^"]*)"?\s*$`)
	batchValue = lazyregexp.New(`%([A-Za-z_][A-Za-z0-9_]*)%|!([A-Za-z_][A-Za-z0-9_]*)!`)
	// batchHere is the folder of the batch file, as nearly all of them begin.
	batchHere = lazyregexp.New(`(?i)^"?%~dp0[\\/.]*"?$`)
)

func (s *windowsScript) batchCommand(text string, number, depth int) {
	text = strings.TrimLeft(text, "@ \t(,;=")
	if text == "" || depth > maxUnwrap || batchComment.MatchString(text) || strings.HasPrefix(text, ":") {
		return
	}
	for _, prefix := range []lazyregexp.Regexp{batchIf, batchElse, batchCall, batchStart} {
		if m := prefix.FindString(text); m != "" {
			s.batchCommand(text[len(m):], number, depth+1)
			return
		}
	}
	if m := batchDo.FindStringSubmatch(text); m != nil {
		if in := strings.TrimSpace(m[1]); len(in) > 1 && (in[0] == '\'' || in[0] == '`') {
			s.batchCommand(in[1:len(in)-1], number, depth+1) // whose output it goes through
		}
		s.batchCommand(text[len(m[0]):], number, depth+1)
		return
	}
	if m := batchSet.FindStringSubmatch(text); m != nil {
		s.hold(m[1], s.batchValues(m[2]))
		return
	}
	words := batchWords(s.batchValues(text), s.at(number))
	if len(words) == 0 {
		return
	}
	if oneOf("cd chdir pushd", program(words[0].text)) {
		to := slices.DeleteFunc(words[1:], func(w word) bool { return strings.EqualFold(w.text, "/d") })
		switch {
		case len(to) == 1 && batchHere.MatchString(to[0].text):
			s.where = s.text.where
		case len(to) == 1:
			s.where = s.where.cd(s.finder, to[0])
		}
		return
	}
	s.run(words)
}

// batchValues puts the values of variables into a text that name a launcher.
func (s *windowsScript) batchValues(text string) string {
	if len(text) > maxScript {
		return text
	}
	return batchValue.ReplaceAllStringFunc(text, func(v string) string {
		if value, ok := s.held[strings.ToLower(strings.Trim(v, "%!"))]; ok {
			return value
		}
		return v
	})
}

// batchWords splits at blanks outside of double quotes, and leaves redirections out.
func batchWords(text string, at place) []word {
	var out []word
	text = batchRedirect.ReplaceAllString(text, " ")
	for _, m := range batchWord.FindAllStringIndex(text, -1) {
		out = append(out, word{text: strings.ReplaceAll(text[m[0]:m[1]], `"`, ""), at: at})
	}
	return out
}

var (
	batchWord     = lazyregexp.New(`(?:"[^"]*(?:"|$)|[^\s"])+`)
	batchRedirect = lazyregexp.New(`(?:^|\s)[012]?(?:>>?|<)\s*(?:&\d|"[^"]*"|[^\s"]+)`)
)

// powershell reads a text for PowerShell.
func (f *finder) powershell(t scriptText) where {
	if !f.enter(t) {
		return t.where
	}
	defer f.leave()
	s := f.windows(t)
	t.body = expression.ReplaceAllString(t.body, "$"+expressionVariable)
	l := powershellText{body: t.body, line: t.line, at: s.finder.at}
	for !l.ended() {
		words, value := l.command()
		s.powershellCommand(words, value)
		for _, inner := range l.inside {
			if tells(inner.text) {
				s.powershell(scriptText{name: t.name, body: inner.text, line: inner.at.line, given: t.given, where: s.where})
			}
		}
		l.inside = nil
	}
	return s.where
}

// powershellText is cut into commands.
type powershellText struct {
	body string
	i    int
	line int
	at   func(line int) place

	inside []word // commands in double quotes: "$(npx a)"
}

func (p *powershellText) ended() bool { return p.i >= len(p.body) }

// command returns the words of the next one. quoted says of each whether it is a text.
func (p *powershellText) command() (words []word, quoted []bool) {
	listed := false
	for !p.ended() {
		rest := p.body[p.i:]
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "<#"):
			p.skipTo("#>")
		case c == '#':
			p.i += strings.IndexByte(rest+"\n", '\n')
		case c == ' ', c == '\t', c == '\r', c == ',':
			p.i++
		case strings.HasPrefix(rest, "`\r\n"), strings.HasPrefix(rest, "`\n"):
			p.i += strings.IndexByte(rest, '\n') + 1
			p.line++
		case c == '\n':
			p.i++
			p.line++
			if last := len(words) - 1; listed && (quoted[last] || strings.HasPrefix(words[last].text, "-")) {
				continue // the next text of a list
			}
			return words, quoted
		case strings.IndexByte(";|&{}()", c) >= 0:
			p.i++
			if c == '&' && len(words) == 0 {
				continue // runs what follows
			}
			return words, quoted
		case strings.HasPrefix(rest, "@(") && len(words) > 0 && strings.HasPrefix(words[len(words)-1].text, "-"):
			p.i += 2 // -ArgumentList @("-y", "a")
			listed = true
		case strings.HasPrefix(rest, "@("), strings.HasPrefix(rest, "@{"), strings.HasPrefix(rest, "$("):
			p.i += 2
			return words, quoted
		default:
			at := p.at(p.line)
			text, whole := p.word()
			words, quoted = append(words, word{text: text, at: at, open: splatted.MatchString(text)}), append(quoted, whole)
		}
	}
	return words, quoted
}

// splatted is an array that becomes several words.
var splatted = lazyregexp.New(`^@[A-Za-z_][A-Za-z0-9_]*$`)

func (p *powershellText) skipTo(end string) {
	n := strings.Index(p.body[p.i:], end)
	if n < 0 {
		n = len(p.body) - p.i - len(end)
	}
	behind := min(len(p.body), p.i+n+len(end))
	p.line += strings.Count(p.body[p.i:behind], "\n")
	p.i = behind
}

// word takes one, and reports whether it is nothing but a text in quotes.
func (p *powershellText) word() (text string, whole bool) {
	var b strings.Builder
	start := p.i
	for !p.ended() {
		rest := p.body[p.i:]
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "@'"), strings.HasPrefix(rest, `@"`):
			from := p.i + 2
			p.i += 2
			p.skipTo("\n" + string(rest[1]) + "@")
			b.WriteString(strings.TrimLeft(strings.TrimSuffix(p.body[from:p.i], "\n"+string(rest[1])+"@"), "\r\n"))
			whole = start+2 == from
		case c == '=' && p.i == start:
			p.i++
			return "=", false
		case c == '=' && powershellVariable.MatchString(b.String()):
			return b.String(), false // $x="npx"
		case c == '\'' || c == '"':
			whole = p.i == start
			p.quoted(&b, c)
		case c == '`' && len(rest) > 1 && rest[1] != '\n' && rest[1] != '\r':
			b.WriteByte(rest[1])
			p.i += 2
			whole = false
		case strings.IndexByte(" \t\r\n;|&{}(),`", c) >= 0:
			return b.String(), whole
		default:
			b.WriteByte(c)
			p.i++
			whole = false
		}
	}
	return b.String(), whole
}

// quoted takes a text in quotes, in which the same quote twice is one.
func (p *powershellText) quoted(b *strings.Builder, quote byte) {
	for p.i++; !p.ended(); p.i++ {
		c := p.body[p.i]
		switch {
		case c == quote && p.i+1 < len(p.body) && p.body[p.i+1] == quote:
			p.i++
		case c == quote:
			p.i++
			return
		case c == '`' && quote == '"' && p.i+1 < len(p.body):
			p.i++
			c = p.body[p.i]
		case c == '$' && quote == '"':
			p.subexpression()
		}
		if c == '\n' {
			p.line++
		}
		b.WriteByte(c)
	}
}

// subexpression notes the command that stands at $( in a text.
func (p *powershellText) subexpression() {
	text, depth := p.body[p.i:], 0
	for i, c := range text {
		switch {
		case i == 1 && c != '(':
			return
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				p.inside = append(p.inside, word{text: text[2:i], at: place{line: p.line}})
				return
			}
		}
	}
}

var powershellVariable = lazyregexp.New(`(?i)^\$\{?(?:env:|script:|global:|local:)?([A-Za-z_][A-Za-z0-9_]*)\}?$`)

func (s *windowsScript) powershellCommand(words []word, quoted []bool) {
	if len(words) > 2 && words[1].text == "=" && powershellVariable.MatchString(words[0].text) {
		name := powershellVariable.FindStringSubmatch(words[0].text)[1]
		if quoted[2] {
			s.hold(name, textOfWords(words[2:]))
			return
		}
		words, quoted = words[2:], quoted[2:] // gets what a command prints
	}
	var line []word
	for i, w := range words {
		text := ""
		if m := powershellVariable.FindStringSubmatch(w.text); len(m) > 1 {
			text = s.held[strings.ToLower(m[1])]
		}
		if text == "" {
			if oneOf(". return exit throw", strings.ToLower(w.text)) && len(line) == 0 {
				continue
			}
			if quoted[i] && len(words) == 1 {
				return // a text that is printed
			}
			line = append(line, w)
			continue
		}
		value := word{text: text, at: w.at}
		if len(line) == 0 {
			line = append(line, fieldsOf(value)...)
		} else {
			line = append(line, value)
		}
	}
	s.powershellRun(line)
}

// powershellRun is a command with its words, of which some run others.
func (s *windowsScript) powershellRun(words []word) {
	if len(words) == 0 {
		return
	}
	switch program(words[0].text) {
	case "cd", "chdir", "pushd", "set-location", "push-location":
		to := slices.DeleteFunc(words[1:], func(w word) bool { return strings.HasPrefix(w.text, "-") })
		switch {
		case len(to) == 1 && strings.EqualFold(to[0].text, "$PSScriptRoot"):
			s.where = s.text.where
		case len(to) == 1:
			s.where = s.where.cd(s.finder, to[0])
		}
		return
	case "iex", "invoke-expression":
		text := textOfWords(slices.DeleteFunc(words[1:], func(w word) bool { return strings.EqualFold(w.text, "-Command") }))
		if tells(text) {
			s.powershell(scriptText{name: s.text.name, body: text, line: words[0].at.line, given: s.text.given, where: s.where})
		}
		return
	case "start-process", "saps", "start":
		words = startProcess(words)
	case "start-job", "start-threadjob", "invoke-command", "icm", "measure-command":
		return // their blocks are read as commands
	}
	s.run(words)
}

// startProcess is the command line that Start-Process starts.
func startProcess(words []word) []word {
	var file, args []word
	for i := 1; i < len(words); i++ {
		switch option := strings.ToLower(words[i].text); {
		case oneOf("-filepath -path", option):
		case oneOf("-argumentlist -args", option):
		case oneOf("-nonewwindow -wait -passthru -usenewenvironment -loaduserprofile", option):
		case oneOf("-workingdirectory -verb -windowstyle -redirectstandardoutput -redirectstandarderror -redirectstandardinput -credential", option):
			i++
		case len(file) == 0:
			file = append(file, words[i])
		default:
			args = append(args, fieldsOf(words[i])...)
		}
	}
	return append(file, args...)
}
