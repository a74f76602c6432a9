package mcp

import (
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"

	"github.com/tailscale/hujson"
)

// Tasks and launches of VS Code and of the editors made from it (code.visualstudio.com
// /docs, "Tasks appendix", "Launch configuration attributes").

// systems are the members that say what holds on one system instead.
var systems = set("windows osx linux")

// editorFile reads a document whose tasks and launches stand under these members.
func (f *finder) editorFile(tasks, launches []string) {
	if !tells(string(unescaped(f.data))) {
		return
	}
	d, problem := parse(jsonNotation, f.data)
	if problem != nil {
		f.bad(problem.Line, problem.Message, problem.Hint)
	}
	if d == nil || object(&d.root) == nil {
		return
	}
	e := editorText{yamlFile{f, d, nil}}
	if top := get(&d.root, tasks...); tasks != nil && top != nil {
		e.task(top, nil)
		for _, t := range elements(get(top, "tasks")) {
			e.task(t, top)
		}
		for _, system := range systems {
			for _, t := range elements(get(top, system, "tasks")) {
				e.task(t, top)
			}
		}
	}
	if top := get(&d.root, launches...); launches != nil && top != nil {
		for _, c := range elements(get(top, "configurations")) {
			e.launch(c)
		}
	}
}

func (f *finder) editorTasks()     { f.editorFile([]string{}, nil) }
func (f *finder) editorLaunches()  { f.editorFile(nil, []string{}) }
func (f *finder) editorWorkspace() { f.editorFile([]string{"tasks"}, []string{"launch"}) }

type editorText struct{ yamlFile }

// task reads one task for every system that has a command line of its own. top is the
// document, whose options hold for all tasks.
func (e editorText) task(v, top *hujson.Value) {
	name := textOf(get(v, "label"))
	if name == "" {
		name = textOf(get(v, "taskName"))
	}
	if name == "" {
		name = "task"
	}
	e.taskOn(name, v, v, top, "")
	for _, system := range systems {
		if on := get(v, system); get(on, "command") != nil || get(on, "args") != nil {
			e.taskOn(name, v, on, top, system)
		}
	}
}

// taskOn is the command line of a task on a system, "" for all that say nothing else.
func (e editorText) taskOn(name string, v, on, top *hujson.Value, system string) {
	pick := func(path ...string) *hujson.Value {
		for _, from := range []*hujson.Value{on, v, get(top, system), top} {
			if found := get(from, path...); found != nil {
				return found
			}
		}
		return nil
	}
	command := e.unquoted(pick("command"))
	if command == nil {
		return
	}
	at := where{}
	if folder := pick("options", "cwd"); folder != nil && isText(folder) {
		at = at.cd(e.finder, e.word(folder, "cwd"))
	}
	given := e.environment(pick("options", "env"))
	words := []word{e.word(command, "command")}
	for _, a := range elements(pick("args")) {
		if a = e.unquoted(a); a != nil {
			words = append(words, e.word(a, "args"))
		}
	}
	if textOf(pick("type")) == "process" {
		e.command(step{name: name, words: words, given: given, where: at})
		return
	}
	shell := textOf(pick("options", "shell", "executable"))
	if shell == "" && system == "windows" {
		shell = "powershell"
	}
	line := []string{shell}
	for _, a := range elements(pick("options", "shell", "args")) {
		line = append(line, textOf(a))
	}
	t := scriptText{name: name, body: editorLine(words), line: words[0].at.line, given: given, where: at}
	from := len(e.finder.steps)
	e.finder.script(strings.Join(line, " "), t)
	e.onOneLine(from, t.line)
}

// unquoted is a text, also one that says how it is to be quoted.
func (e editorText) unquoted(v *hujson.Value) *hujson.Value {
	if inner := get(v, "value"); inner != nil {
		v = inner
	}
	if v == nil || textOf(v) == "" {
		return nil
	}
	return v
}

// editorVariable is what an editor puts into a command line, such as ${input:name}.
var editorVariable = lazyregexp.New(`\$\{[A-Za-z]+:[^{}]*\}`)

// editorLine is what an editor gives a shell: it puts quotes around arguments with
// blanks.
func editorLine(words []word) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = editorVariable.ReplaceAllString(w.text, "$"+expressionVariable)
		if i > 0 && strings.ContainsAny(out[i], " \t") && !strings.ContainsAny(out[i][:1], `"'`) {
			out[i] = "'" + strings.ReplaceAll(out[i], "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// launch reads what a debugger starts, where that is not a file of the project.
func (e editorText) launch(v *hujson.Value) {
	name := textOf(get(v, "name"))
	if name == "" {
		name = "launch"
	}
	for _, system := range slices.Concat([]string{""}, systems) {
		on := v
		if system != "" {
			on = get(v, system)
		}
		own := func(key string) bool { return on != nil && get(on, key) != nil }
		if !own("runtimeExecutable") && !own("runtimeArgs") && !own("command") {
			continue
		}
		pick := func(key string) *hujson.Value {
			if found := get(on, key); found != nil {
				return found
			}
			return get(v, key)
		}
		at := where{}
		if folder := pick("cwd"); folder != nil && isText(folder) {
			at = at.cd(e.finder, e.word(folder, "cwd"))
		}
		given := e.environment(pick("env"))
		if command := pick("command"); own("command") && textOf(command) != "" {
			line := e.line(command)
			e.oneLine(scriptText{name: name, body: editorLine([]word{e.word(command, "command")}), line: line, given: given, where: at}, line)
			continue
		}
		var words []word
		if run := pick("runtimeExecutable"); textOf(run) != "" {
			words = append(words, e.word(run, "runtimeExecutable"))
		}
		for _, key := range []string{"runtimeArgs", "args"} {
			for _, a := range elements(pick(key)) {
				words = append(words, e.word(a, key))
			}
		}
		if len(words) > 0 {
			e.command(step{name: name, words: words, given: given, where: at})
		}
	}
}
