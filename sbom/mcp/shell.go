package mcp

import (
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"mvdan.cc/sh/v3/syntax"
)

// shell analyses a string that a POSIX-like shell would run. Assignments, cd,
// export, source, exec and one simple command are unwrapped; everything else is
// a script, which cannot be analysed. launcher names what runs the string.
func (s *scan) shell(w word, launcher string, depth int) []subject {
	return s.hidden(s.shellText(w, launcher, depth), w, launcher, (*finder).shell, depth)
}

// hidden adds to what a shell string runs what it launches as a script does, where
// nothing that it says plainly is fetched: by a variable, an alias, a document.
func (s *scan) hidden(out []subject, w word, launcher string, read func(*finder, scriptText) where, depth int) []subject {
	says := func(o subject) bool { return fetches(o.launch.Kind) || o.launch.Kind == sbom.KindRemote }
	if slices.ContainsFunc(out, says) || depth > maxUnwrap || len(w.text) > maxScript || !tells(w.text) {
		return out
	}
	f := &finder{problem: func(sbom.Problem) {}}
	read(f, scriptText{body: w.text, line: w.at.line, where: where{folder: s.folder, away: s.away}})
	var found []subject
	for _, step := range f.steps {
		if step.download == "" && len(found) < maxSubjects {
			found = append(found, nested(fetching(s.command(step.words, depth+1)))...)
		}
	}
	if slices.ContainsFunc(out, func(o subject) bool { return fetchesIn(o.launcher) }) && !slices.ContainsFunc(found, says) {
		return out // which says already that nobody knows what it fetches
	}
	if len(found) > 0 && isPlain(out[0]) {
		out = []subject{opaque(w.at, launcher, "it runs commands that stand in a text")}
	}
	return limited(append(out, found...))
}

func (s *scan) shellText(w word, launcher string, depth int) []subject {
	if depth > maxUnwrap {
		return named(launcher, []subject{unknown(w.at, "it is wrapped too deeply")})
	}
	if len(w.text) > maxScript {
		return []subject{opaque(w.at, launcher, "the shell string is too long to be analysed")}
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(w.text), "")
	if err != nil {
		words := fieldsOf(w)
		s.words(words)
		return s.script(w.at, launcher, words, "the shell string cannot be parsed", depth)
	}
	sh := shellString{scan: s, text: w.text, at: w.at}
	reason := substitution(file)
	if reason == "" {
		reason = sh.list(file.Stmts)
	}
	if reason != "" {
		return s.shellScript(sh, file, launcher, reason, depth)
	}
	if sh.command == nil {
		return []subject{opaque(w.at, launcher, "the shell string runs no program")}
	}
	s.words(sh.command)
	return s.command(sh.command, depth)
}

// shellString is what is known of a shell string so far.
type shellString struct {
	scan    *scan
	text    string
	at      place
	command []word // the one simple command
}

const moreThanOne = "it is more than one simple command"

// list takes the statements one by one. It returns why they are a script, or "".
func (sh *shellString) list(stmts []*syntax.Stmt) string {
	for _, st := range stmts {
		if reason := sh.statement(st); reason != "" {
			return reason
		}
	}
	return ""
}

func (sh *shellString) statement(st *syntax.Stmt) string {
	switch {
	case st.Background || st.Coprocess || st.Disown:
		return "it runs something in the background"
	case st.Negated:
		return moreThanOne
	}
	switch cmd := st.Cmd.(type) {
	case *syntax.BinaryCmd:
		if cmd.Op != syntax.AndStmt {
			return "it is a pipeline or has an alternative"
		}
		return sh.list([]*syntax.Stmt{cmd.X, cmd.Y})
	case *syntax.DeclClause:
		if cmd.Variant.Value != "export" {
			return moreThanOne
		}
		sh.assignments(cmd.Args)
		return ""
	case *syntax.CallExpr:
		sh.assignments(cmd.Assigns)
		return sh.call(cmd)
	default:
		return "it is a compound command"
	}
}

// substitution reports commands inside of words and redirections, and words that
// only a shell can decode.
func substitution(node syntax.Node) string {
	reason := ""
	syntax.Walk(node, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst:
			reason = "it runs a command inside of a word"
		case *syntax.SglQuoted:
			if n.Dollar && strings.Contains(n.Value, `\`) {
				reason = "it writes characters of a word as escapes"
			}
		}
		return reason == ""
	})
	return reason
}

func (sh *shellString) call(cmd *syntax.CallExpr) string {
	if len(cmd.Args) == 0 {
		return ""
	}
	words := make([]word, len(cmd.Args))
	for i, a := range cmd.Args {
		words[i] = sh.word(a)
	}
	switch words[0].text {
	case "cd":
		return sh.cd(words[1:])
	case "source", ".":
		// The machine's own, such as ~/.bashrc, is as good as its programs.
		if len(words) < 2 || !systemPath(words[1].text) && !homeFile.MatchString(words[1].text) {
			sh.scan.alter("a file of commands that it reads first", sh.at)
		}
		return ""
	}
	if sh.command != nil {
		return moreThanOne
	}
	sh.command = words
	return ""
}

// cd takes one folder, behind options that do not change which it is.
func (sh *shellString) cd(args []word) string {
	for len(args) > 0 && oneOf("-L -P --", args[0].text) {
		args = args[1:]
	}
	switch len(args) {
	case 0: // the home
		sh.scan.away = true
	case 1:
		sh.scan.chdir(args[0])
	default:
		return "its cd has more than one argument, which shells read differently"
	}
	return ""
}

func (sh *shellString) assignments(assigns []*syntax.Assign) {
	for _, a := range assigns {
		if a.Name == nil {
			if a.Value != nil {
				sh.operand(a.Value)
			}
			continue
		}
		value := ""
		if a.Value != nil {
			value = sh.render(a.Value)
		}
		sh.scan.variable(a.Name.Value, value, sh.at)
	}
}

// operand is one of export that is no plain assignment, such as "NAME=value" in
// quotes.
func (sh *shellString) operand(w *syntax.Word) {
	text := sh.render(w)
	left, _, assigns := strings.Cut(text, "=")
	name, value, ok := assignment(text)
	switch {
	case open(w.Parts) || template.MatchString(left) || assigns && !ok:
		sh.scan.alter("a variable of unknown name", sh.at)
	case ok:
		sh.scan.variable(name, value, sh.at)
	}
}

// word renders a word, and notes whether the shell may make several of it.
func (sh *shellString) word(w *syntax.Word) word {
	return word{text: sh.render(w), at: sh.at, open: open(w.Parts)}
}

// unquoted are the characters that make a shell look for files, or for braces,
// where no backslash stands before them.
var unquoted = lazyregexp.New(`(^|[^\\])(\\\\)*[*?\[{]`)

func open(parts []syntax.WordPart) bool {
	return slices.ContainsFunc(parts, func(part syntax.WordPart) bool {
		switch p := part.(type) {
		case *syntax.Lit:
			return unquoted.MatchString(p.Value)
		case *syntax.SglQuoted:
			return false
		case *syntax.DblQuoted:
			// "$@" and "${a[@]}" are several words even in quotes.
			return slices.ContainsFunc(p.Parts, func(inner syntax.WordPart) bool {
				exp, ok := inner.(*syntax.ParamExp)
				return ok && (exp.Param == nil || exp.Param.Value == "@" || exp.Index != nil)
			})
		default:
			return true
		}
	})
}

// render returns a word without its quotes; expansions stay as they are written,
// so that they read as variables.
func (sh *shellString) render(w *syntax.Word) string {
	var b strings.Builder
	sh.parts(&b, w.Parts)
	return b.String()
}

func (sh *shellString) parts(b *strings.Builder, parts []syntax.WordPart) {
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			b.WriteString(unescape(p.Value))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			for _, inner := range p.Parts {
				if lit, ok := inner.(*syntax.Lit); ok {
					b.WriteString(unescapeQuoted(lit.Value))
					continue
				}
				sh.parts(b, []syntax.WordPart{inner})
			}
		default:
			from, to := int(part.Pos().Offset()), int(part.End().Offset())
			if from <= to && to <= len(sh.text) {
				b.WriteString(sh.text[from:to])
			}
		}
	}
}

// unescape removes the backslashes of an unquoted literal.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unescapeQuoted removes the backslashes that mean something in double quotes.
func unescapeQuoted(s string) string {
	return strings.NewReplacer("\\\n", "", `\\`, `\`, `\"`, `"`, "\\`", "`", `\$`, `$`).Replace(s)
}

// shellScript lists what the simple commands of a script name plainly.
func (s *scan) shellScript(sh shellString, file *syntax.File, launcher, reason string, depth int) []subject {
	out := []subject{opaque(sh.at, launcher, reason)}
	if downloads(file) {
		s.risk(sbom.RiskDownload, sh.at)
	}
	var hints []string
	syntax.Walk(file, func(n syntax.Node) bool {
		if decl, ok := n.(*syntax.DeclClause); ok {
			sh.assignments(decl.Args)
		}
		cmd, ok := n.(*syntax.CallExpr)
		if !ok || len(out) >= maxSubjects {
			return true
		}
		sh.assignments(cmd.Assigns)
		words := make([]word, len(cmd.Args))
		for i, a := range cmd.Args {
			words[i] = sh.word(a)
		}
		if len(words) == 0 {
			return true
		}
		s.words(words)
		inner := s.command(words, depth+1)
		if l := inner[0].launcher; !isPlain(inner[0]) && l != "" {
			hints = append(hints, l)
		}
		out = append(out, nested(worthNaming(inner))...)
		return true
	})
	out[0].reason = withHints(reason, hints)
	return out
}

// isPlain reports whether a subject is nothing but a program on this machine.
func isPlain(s subject) bool { return len(worthNaming([]subject{s})) == 0 }
