package mcp

import (
	"bytes"
	"fmt"
	"strings"

	"countermark/sbom/lazyregexp"

	"github.com/tailscale/hujson"
)

// Compose files, justfiles and Taskfiles: what people start a project by.

// compose reads a Compose file (docs.docker.com, "Compose file reference") with those
// that it includes or extends. A service's image is there to run in, as that of a job
// is; what its command fetches is a launch.
func (f *finder) compose() {
	for _, d := range f.documents(f.data) {
		y := yamlFile{f, d, bytes.TrimPrefix(f.data, byteOrderMark)}
		y.elsewhere(get(&d.root, "include"))
		for _, s := range members(get(&d.root, "services")) {
			y.service(s.name, s.value)
		}
	}
}

func (y yamlFile) service(name string, v *hujson.Value) {
	rights := y.rights(v, 0)
	if ref := get(v, "image"); textOf(ref) != "" && get(v, "build") == nil {
		y.add(step{name: name, image: "image", words: []word{y.word(ref, "image")}, rights: rights})
	} else {
		y.image(name, "image", ref)
		y.built(name, v, rights)
	}
	if extended := get(v, "extends"); get(extended, "file") != nil {
		y.elsewhere(extended)
	}
	given := y.environment(get(v, "environment"))
	// An image without an entry point of its own runs the command.
	words := append(y.commandWords(get(v, "entrypoint"), "entrypoint"), y.commandWords(get(v, "command"), "command")...)
	y.inContainer(name, words, given)
	for _, hook := range []string{"post_start", "pre_stop"} {
		for _, h := range elements(get(v, hook)) {
			y.inContainer(name+"/"+hook, y.commandWords(get(h, "command"), hook), given)
		}
	}
	for _, watched := range elements(get(v, "develop", "watch")) {
		y.inContainer(name+"/develop", y.commandWords(get(watched, "exec", "command"), "develop"), given)
	}
	y.healthcheck(name+"/healthcheck", get(v, "healthcheck", "test"), given)
	y.inlineBuild(name+"/build", get(v, "build", "dockerfile_inline"))
}

// inContainer is a command that runs in an image, where the project is not.
func (y yamlFile) inContainer(name string, words []word, given []given) {
	if len(words) > 0 {
		y.command(step{name: name, words: words, given: given, where: where{away: true}})
	}
}

// commandWords are those of a command, which is a list, or a text that is split as a
// shell splits it and given to none.
func (y yamlFile) commandWords(v *hujson.Value, what string) []word {
	var out []word
	if v != nil && isText(v) {
		out = fieldsOf(y.word(v, what))
	}
	for i, e := range elements(v) {
		if isText(e) {
			out = append(out, y.word(e, fmt.Sprintf("argument %d", i)))
		}
	}
	for i := range out {
		out[i].text = strings.ReplaceAll(out[i].text, "$$", "$")
	}
	return out
}

// environment are the variables of a service or step: an object, or a list of
// NAME=value or of objects with both.
func (y yamlFile) environment(v *hujson.Value) []given {
	out := y.variables(nil, v)
	for _, e := range elements(v) {
		if name, value := textOf(get(e, "name")), get(e, "value"); name != "" && value != nil {
			out = append(out, given{name: name, value: text(value), at: place{line: y.line(value), column: 1}})
		}
		if name, value, ok := strings.Cut(textOf(e), "="); ok {
			out = append(out, given{name: name, value: value, at: place{line: y.line(e), column: 1}})
		}
	}
	return out
}

// healthcheck is a text for a shell, or a list that says which of both it is.
func (y yamlFile) healthcheck(name string, v *hujson.Value, given []given) {
	list := elements(v)
	switch {
	case v != nil && isText(v):
		y.shell(scriptText{name: name, body: strings.ReplaceAll(text(v), "$$", "$"), line: y.line(v), given: given, where: where{away: true}})
	case len(list) > 1 && textOf(list[0]) == "CMD-SHELL":
		y.shell(scriptText{name: name, body: strings.ReplaceAll(textOf(list[1]), "$$", "$"), line: y.line(list[1]), given: given, where: where{away: true}})
	case len(list) > 1 && textOf(list[0]) == "CMD":
		y.inContainer(name, y.commandWords(v, "healthcheck")[1:], given)
	}
}

// inlineBuild is a Dockerfile that stands in the Compose file.
func (y yamlFile) inlineBuild(name string, v *hujson.Value) {
	if textOf(v) == "" {
		return
	}
	inner := &finder{row: y.row, name: y.finder.name, data: []byte(text(v)), file: y.finder.file, run: y.run, problem: y.finder.problem}
	inner.dockerfile()
	first := y.line(v)
	for _, s := range inner.steps {
		s.name = name
		for i := range s.words {
			s.words[i].at.line += first - 1
		}
		y.add(s)
	}
	y.finder.troubled = y.troubled || inner.troubled
}

// taskTemplate is what Task puts into a command before a shell sees it.
var taskTemplate = lazyregexp.New(`(?s)\{\{.*?\}\}`)

func (y yamlFile) task(name string, v *hujson.Value, at where) {
	if v != nil && isText(v) {
		y.shell(scriptText{name: name, body: taskTemplate.ReplaceAllString(text(v), "$"+expressionVariable), line: y.line(v), where: at})
	}
}

// taskfile reads a Taskfile (taskfile.dev, "Schema").
func (f *finder) taskfile() {
	for _, d := range f.documents(f.data) {
		y := yamlFile{f, d, bytes.TrimPrefix(f.data, byteOrderMark)}
		y.taskVariables("vars", &d.root, where{})
		for _, t := range members(get(&d.root, "tasks")) {
			at := where{}
			if dir := get(t.value, "dir"); dir != nil && isText(dir) {
				at = at.cd(f, word{text: taskTemplate.ReplaceAllString(text(dir), "$"+expressionVariable), at: place{line: y.line(dir), column: 1}})
			}
			y.taskVariables(t.name, t.value, at)
			y.taskCommands(t.name, t.value, at) // a text alone is its command
			for _, key := range []string{"cmds", "status", "preconditions"} {
				for _, c := range elements(get(t.value, key)) {
					y.taskCommands(t.name, c, at)
				}
			}
			for _, c := range elements(t.value) {
				y.taskCommands(t.name, c, at)
			}
		}
	}
}

// taskCommands is one command: a text, or an object that holds it in a member.
func (y yamlFile) taskCommands(name string, v *hujson.Value, at where) {
	if v == nil || object(v) == nil {
		y.task(name, v, at)
		return
	}
	for _, key := range []string{"cmd", "sh", "defer"} {
		y.task(name, get(v, key), at)
		y.task(name, get(v, key, "cmd"), at)
	}
}

// taskVariables are those whose value a command prints.
func (y yamlFile) taskVariables(name string, v *hujson.Value, at where) {
	for _, key := range []string{"vars", "env"} {
		for _, m := range members(get(v, key)) {
			y.task(name+"/"+m.name, get(m.value, "sh"), at)
		}
	}
}

var (
	justRecipe   = lazyregexp.New(`^@?([A-Za-z_][A-Za-z0-9_-]*)(\s.*?)?:([^=]|$)`)
	justShell    = lazyregexp.New(`^set\s+shell\s*:=\s*\[\s*["']([^"']+)["']`)
	justBacktick = lazyregexp.New("`([^`]+)`")
)

// justfile reads recipes of just (just.systems/man): lines that are indented, each
// for a shell of its own, or a whole script where the first one says so.
func (f *finder) justfile() {
	if wide(f.data) {
		f.bad(1, "the file is no plain text", "save it as UTF-8, or exclude it in the policy")
		return
	}
	lines := strings.SplitAfter(string(bytes.TrimPrefix(f.data, byteOrderMark)), "\n")
	shell, recipe := "sh", ""
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case !indented:
			if m := justShell.FindStringSubmatch(line); m != nil {
				shell = m[1]
			}
			for _, m := range justBacktick.FindAllStringSubmatch(line, -1) {
				f.script(shell, scriptText{name: "variables", body: m[1], line: i + 1})
			}
			recipe = ""
			if m := justRecipe.FindStringSubmatch(line); m != nil {
				recipe = m[1]
			}
		case recipe != "":
			i = f.justLines(lines, i, recipe, shell)
		}
	}
}

// justLines reads one line of a recipe with those in which it goes on, or its whole
// script. It returns the last line that it read.
func (f *finder) justLines(lines []string, i int, recipe, shell string) int {
	start, parts := i, []string{strings.TrimLeft(lines[i], " \t")}
	script := strings.HasPrefix(parts[0], "#!")
	for i+1 < len(lines) {
		next := lines[i+1]
		if script && !strings.HasPrefix(next, " ") && !strings.HasPrefix(next, "\t") && strings.TrimSpace(next) != "" {
			break
		}
		if !script && !strings.HasSuffix(strings.TrimRight(lines[i], "\r\n"), `\`) {
			break
		}
		parts = append(parts, strings.TrimLeft(next, " \t"))
		i++
	}
	body := strings.Join(parts, "")
	t := scriptText{name: recipe, body: taskTemplate.ReplaceAllString(body, "$"+expressionVariable), line: start + 1}
	switch {
	case script && !shebang.MatchString(body):
	case script:
		f.shell(t)
	default:
		t.body = strings.TrimLeft(t.body, "@-")
		f.script(shell, t)
	}
	return i
}
