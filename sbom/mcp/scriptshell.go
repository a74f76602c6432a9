package mcp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"

	"github.com/tailscale/hujson"
	"mvdan.cc/sh/v3/syntax"
)

// scriptText is a piece of script as it stands in its file.
type scriptText struct {
	name  string // what the script is called
	body  string
	line  int // of the first byte of body
	given []given
	where where
}

// expression is what GitHub and GitLab put into a script before any shell sees it.
// It is written as a variable, which it is to whoever reads the file.
var expression = lazyregexp.New(`(?s)\$\{\{.*?\}\}|\$\[\[.*?\]\]`)

const expressionVariable = "${EXPRESSION}"

// mentions reports whether a text holds the name of a launcher that fetches.
func mentions(body string) bool {
	return slices.ContainsFunc(registryLaunchers, func(l string) bool { return strings.Contains(body, l) }) ||
		strings.Contains(body, "go run") || strings.Contains(body, "dotnet")
}

// tells reports whether a script can hold anything that is looked for.
func tells(body string) bool {
	return mentions(body) || fetchesText(body) || mentions(unbroken.Replace(body))
}

// unbroken takes out what shells read over inside of a word: an end of line behind
// a backslash or caret, quotes, and marks before a letter, as in n^px.
var unbroken = strings.NewReplacer("\\\n", "", "\\\r\n", "", "^\n", "", "^\r\n", "", "\\", "", "^", "", "`", "", "'", "", `"`, "")

// mentioned reports whether a word can be or hold a launcher that fetches.
func mentioned(w word) bool { return mentions(w.text) || program(w.text) == "go" }

// enter begins a script, also one that stands in a text of another, and reports
// whether it is to be read.
func (f *finder) enter(t scriptText) bool {
	if len(t.body) > maxScriptFile {
		f.bad(t.line, "the script is too long", "split it")
		return false
	}
	if f.texts <= maxSteps && (f.texts == maxSteps || f.depth == maxTexts) {
		f.bad(t.line, "too many scripts stand in texts of it", "split the file, or exclude it in the policy")
		f.texts = maxSteps + 1 // said once
	}
	if f.texts > maxSteps {
		return false
	}
	f.texts++
	f.depth++
	return true
}

func (f *finder) leave() { f.depth-- }

// shell finds the simple commands of a shell script, wherever in it they stand. It
// returns where the shell is behind it.
func (f *finder) shell(t scriptText) where {
	if !f.enter(t) {
		return t.where
	}
	defer f.leave()
	t.body = expression.ReplaceAllString(t.body, "$"+expressionVariable)
	file := parseShell(t.body)
	if file == nil {
		if mentions(t.body) || pipedText.MatchString(t.body) {
			f.bad(t.line, "the script cannot be parsed, so what it launches is not known in full", "mend its syntax, or exclude the file in the policy")
			f.plain(t, nil)
		}
		return where{folder: t.where.folder, away: t.where.away || strings.Contains(t.body, "cd ")}
	}
	w := &shellWalk{finder: f, text: t, where: t.where, given: slices.Clip(t.given)}
	syntax.Walk(file, w.visit)
	return w.where
}

// parseShell reads a script as one of the shells, the commonest first.
func parseShell(body string) *syntax.File {
	for _, variant := range []syntax.LangVariant{syntax.LangBash, syntax.LangPOSIX, syntax.LangZsh} {
		if file, err := syntax.NewParser(syntax.Variant(variant)).Parse(strings.NewReader(body), ""); err == nil {
			return file
		}
	}
	return nil
}

// shellWalk goes through a script in the order in which it stands.
type shellWalk struct {
	finder *finder
	text   scriptText
	where  where
	given  []given
	held   map[string][]held
	nodes  []syntax.Node
	fetch  downloadSearch
	saved  []shellState // at the subshells that are open
}

type shellState struct {
	where where
	given []given
}

func (w *shellWalk) visit(n syntax.Node) bool {
	if n == nil {
		last := w.nodes[len(w.nodes)-1]
		w.nodes = w.nodes[:len(w.nodes)-1]
		if isSubshell(last) {
			state := w.saved[len(w.saved)-1]
			w.saved = w.saved[:len(w.saved)-1]
			w.where, w.given = state.where, state.given
		}
		return true
	}
	w.nodes = append(w.nodes, n)
	if isSubshell(n) {
		w.saved = append(w.saved, shellState{w.where, slices.Clip(w.given)})
	}
	if way := w.fetch.command(n); way != "" {
		w.finder.download(w.text.name, w.at(n), way)
	}
	switch n := n.(type) {
	case *syntax.Stmt:
		w.fed(n)
	case *syntax.BinaryCmd:
		w.printed(n)
	case *syntax.CallExpr:
		w.read(n)
		w.call(n)
	case *syntax.DeclClause:
		w.hold(n.Args)
		w.given = append(slices.Clip(w.given), w.assigned(n.Args, w.at(n), false)...)
	}
	return true
}

// fed reads what a shell gets as its input: bash <<EOF, sh <<< "npx a".
func (w *shellWalk) fed(n *syntax.Stmt) {
	call, ok := n.Cmd.(*syntax.CallExpr)
	if ok && len(n.Redirs) > 0 && readsCommands(call) {
		w.input(n)
	}
}

// input reads the documents of a command as a script.
func (w *shellWalk) input(n *syntax.Stmt) {
	for _, r := range n.Redirs {
		text := r.Hdoc
		if r.Op == syntax.WordHdoc {
			text = r.Word
		}
		if text == nil {
			continue
		}
		sh := shellString{text: w.text.body, at: w.at(n)}
		w.finder.shell(scriptText{name: w.text.name, body: w.inside(sh.render(text)), line: w.at(text).line, given: w.given, where: w.where})
	}
}

// readsCommands reports whether a program takes shell commands from its input: a
// shell that is given none otherwise, also inside of a container or on another
// machine.
func readsCommands(call *syntax.CallExpr) bool {
	for i := range call.Args {
		if slices.Contains(shells, program(literal(call.Args, i))) {
			return operandless(program(literal(call.Args, i)), call.Args[i+1:])
		}
	}
	return oneOf("ssh su", program(literal(call.Args, calleeAt(call))))
}

func isSubshell(n syntax.Node) bool {
	switch n.(type) {
	case *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst:
		return true
	default:
		return false
	}
}

func (w *shellWalk) at(n syntax.Node) place {
	line := int(n.Pos().Line())
	return w.finder.at(w.text.line + line - 1)
}

func (w *shellWalk) assigned(assigns []*syntax.Assign, at place, own bool) []given {
	sh := shellString{text: w.text.body, at: at}
	var out []given
	for _, a := range assigns {
		if a.Name != nil && a.Value != nil {
			out = append(out, given{name: a.Name.Value, value: sh.render(a.Value), at: place{line: at.line, column: at.column}, own: own})
		}
	}
	return out
}

func (w *shellWalk) call(n *syntax.CallExpr) {
	at := w.at(n)
	if len(n.Args) == 0 {
		w.hold(n.Assigns)
		w.given = append(slices.Clip(w.given), w.assigned(n.Assigns, at, false)...)
		return
	}
	sh := shellString{text: w.text.body, at: at}
	words := make([]word, len(n.Args))
	for i, a := range n.Args {
		words[i] = sh.word(a)
		words[i].at.where = fmt.Sprintf("argument %d", i)
		words[i].at.line = w.at(a).line
	}
	words[0].at.where = "the command"
	switch words[0].text {
	case "cd", "pushd":
		to := slices.DeleteFunc(slices.Clone(words[1:]), func(a word) bool { return oneOf("-L -P --", a.text) })
		if len(to) == 1 {
			w.where = w.where.cd(w.finder, to[0])
			return
		}
		w.where.away = true
		return
	case "popd":
		w.where.away = true
		return
	case "trap": // runs its first operand, later
		if len(words) > 2 {
			w.finder.shell(scriptText{name: w.text.name, body: words[1].text, line: words[1].at.line, given: w.given, where: w.where})
		}
		return
	case "alias": // names a command, for later
		for _, a := range words[1:] {
			if _, command, ok := strings.Cut(a.text, "="); ok {
				w.program(w.inside(command), a.at.line)
			}
		}
		return
	}
	for _, line := range w.variants(words) {
		if line[0].text == "eval" && substitution(n) == "" {
			w.program(textOfWords(line[1:]), at.line)
			continue
		}
		w.finder.command(step{name: w.text.name, words: line, where: w.where, given: append(slices.Clip(w.given), w.assigned(n.Assigns, at, true)...)})
	}
}

func textOfWords(words []word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	return strings.Join(texts, " ")
}

// inert are programs that print, look up or install their arguments, and never run
// them.
var inert = set(`echo printf : true false which whence type hash grep egrep fgrep rg rm cp mv ln mkdir rmdir ls touch chmod chown
	cat sed awk test [ read return exit alias unalias unset trap export local declare apt apt-get apk yum dnf microdnf zypper pacman
	brew port choco scoop winget pip pip3 gem rem set title log git gh
	where goto setlocal endlocal del copy move md rd findstr write-host write-output write-error write-warning write-verbose write-debug
	write-information out-file get-command gcm throw`)

// command adds a simple command, and those that stand as text in its arguments:
// concurrently "npx a" "npx b".
func (f *finder) command(s step) {
	head := program(s.words[0].text)
	if !slices.ContainsFunc(s.words, mentioned) && slices.ContainsFunc(s.words, func(w word) bool { return fetchesText(w.text) }) &&
		slices.ContainsFunc(s.words, func(w word) bool { return isShell(program(w.text)) }) {
		f.inner(s) // sudo sh -c "curl … | sh"
	}
	if !slices.ContainsFunc(s.words, mentioned) || slices.Contains(inert, head) || len(s.words) == 2 && oneOf("--version -v -V --help -h version help", s.words[1].text) {
		return
	}
	if head == "command" && oneOf("-v -V", s.words[min(1, len(s.words)-1)].text) {
		return // looks programs up
	}
	_, isProxy := proxies[head]
	told := false
	for i, a := range s.words {
		first, _, several := strings.Cut(strings.TrimSpace(a.text), " ")
		if i == 0 || !several || !slices.Contains(registryLaunchers, program(first)) || isShell(head) || isProxy {
			continue
		}
		if file := parseShell(a.text); file != nil && !slices.Contains(registryLaunchers, head) {
			f.shell(scriptText{name: s.name, body: a.text, line: a.at.line, given: s.given, where: s.where})
			told = told || isTold(s.words, i)
		}
	}
	if told || isShell(head) && f.inner(s) {
		return
	}
	f.add(s)
}

func isShell(program string) bool {
	return slices.Contains(shells, program) || oneOf("cmd powershell pwsh", program)
}

// inner reads the text that a shell gets as a word: sh -c "…", cmd /c ….
func (f *finder) inner(s step) bool {
	head := program(s.words[0].text)
	read, takes := f.shell, func(option string) bool {
		return strings.HasPrefix(option, "-") && !strings.HasPrefix(option, "--") && strings.HasSuffix(option, "c")
	}
	switch head {
	case "cmd":
		read, takes = f.batch, func(option string) bool { return strings.EqualFold(option, "/c") || strings.EqualFold(option, "/k") }
	case "powershell", "pwsh":
		read, takes = f.powershell, func(option string) bool {
			return strings.EqualFold(option, "-c") || strings.EqualFold(option, "-Command")
		}
	}
	for i := 1; i < len(s.words); i++ {
		if !takes(s.words[i-1].text) {
			continue
		}
		t := scriptText{name: s.name, body: s.words[i].text, line: s.words[i].at.line, given: s.given, where: s.where}
		if !slices.Contains(shells, head) {
			t.body = textOfWords(s.words[i:]) // the rest is its script
		}
		read(t)
		return true
	}
	return false
}

// plain finds commands in a text of which no grammar is at hand: line by line, cut
// at operators. joined is what a line ends in that goes on in the next.
func (f *finder) plain(t scriptText, joined *string) where {
	body := expression.ReplaceAllString(t.body, "$"+expressionVariable)
	at, line := t.where, t.line
	for raw := range strings.Lines(body) {
		number := line
		line++
		raw = strings.TrimSpace(raw)
		if joined != nil {
			raw = strings.TrimSuffix(raw, *joined)
		}
		if raw == "" || raw[0] == '#' || strings.HasPrefix(raw, "::") {
			continue
		}
		words := apart(fieldsOf(word{text: strings.ReplaceAll(raw, ";", " ; "), at: f.at(number)}))
		if downloadLine(words) {
			f.download(t.name, f.at(number), byPipe)
		}
		for len(words) > 0 {
			end := slices.IndexFunc(words, func(w word) bool { return operator(w.text) })
			rest := []word(nil)
			if end >= 0 {
				words, rest = words[:end], words[end+1:]
			}
			if len(words) > 0 && oneOf("cd chdir pushd set-location", program(words[0].text)) {
				at = at.cd(f, words[len(words)-1])
			} else if len(words) > 0 {
				f.command(step{name: t.name, words: words, where: at, given: t.given})
			}
			words = rest
		}
	}
	return at
}

// shellIn is the shell that a command line starts: /usr/bin/env bash {0}, wsl-bash {0},
// C:\Program Files\Git\bin\bash.exe. Where none is known, it is what the first word
// names.
func shellIn(line string) string {
	words := strings.Fields(line + " sh")
	for _, w := range words[:max(1, len(words)-1)] {
		name := program(w)
		if i := strings.LastIndexAny(name, "-."); i >= 0 && slices.Contains(shells, name[i+1:]) {
			name = name[i+1:] // wsl-bash, alpine.sh
		}
		if isShell(name) {
			return name
		}
	}
	return program(words[0])
}

// script runs a text by the shell of that name. It returns where that is behind it.
func (f *finder) script(shell string, t scriptText) where {
	if mentions(shell) { // run by what a registry has
		f.command(step{name: t.name, words: fieldsOf(word{text: shell, at: f.at(t.line)}), given: t.given, where: t.where})
	}
	switch program := shellIn(shell); {
	case slices.Contains(shells, program) && program != "fish", strings.HasSuffix(program, "-shell"), oneOf("msys2 cygwin", program):
		return f.shell(t)
	case program == "pwsh" || program == "powershell":
		return f.powershell(t)
	case program == "cmd":
		return f.batch(t)
	case program == "fish":
		return f.plain(t, new(`\`))
	default: // code of another language
		return t.where
	}
}

var shebang = lazyregexp.New(`^(\xef\xbb\xbf)?#!\s*\S*/(?:env\s+(?:-S\s+)?(?:\S+=\S*\s+)*)?(sh|bash|dash|ash|zsh|ksh)\b`)

// shellFile is a shell script. Hooks may have no first line that names the shell.
func (f *finder) shellFile() {
	first, _, _ := bytes.Cut(f.data, []byte("\n"))
	if bytes.HasPrefix(first, []byte("#!")) && !shebang.Match(f.data) {
		return // of another language
	}
	if wide(f.data) {
		f.bad(1, "the script is no plain text", "save it as UTF-8, or exclude it in the policy")
		return
	}
	if !tells(string(f.data)) {
		return
	}
	f.shell(scriptText{body: string(bytes.TrimPrefix(f.data, byteOrderMark)), line: 1})
}

// packageScripts are those of package.json.
func (f *finder) packageScripts() {
	if !tells(string(unescaped(f.data))) {
		return
	}
	d, problem := parse(jsonNotation, f.data)
	if problem != nil {
		f.troubled = true // the reader of package.json says why
	}
	if d == nil || object(&d.root) == nil {
		return
	}
	y := yamlFile{f, d, nil}
	scripts := get(&d.root, "scripts")
	if scripts == nil || object(scripts) == nil {
		scripts = &hujson.Value{Value: &hujson.Object{}}
	}
	for _, m := range d.fields(object(scripts)) {
		if isText(m.value) {
			y.hooks(m.name, m.value, 0)
		}
	}
	for _, path := range packageHooks {
		y.hooks(path[0], get(&d.root, path...), 0)
	}
}

// oneLine is a script whose lines are not those of the file.
func (f *finder) oneLine(t scriptText, line int) {
	from := len(f.steps)
	f.shell(t)
	f.onOneLine(from, line)
}

// onOneLine puts the steps from one on into a line.
func (f *finder) onOneLine(from, line int) {
	for i := from; i < len(f.steps); i++ {
		for j := range f.steps[i].words {
			f.steps[i].words[j].at.line = line
		}
	}
}
