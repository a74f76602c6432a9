package mcp

import (
	"bytes"
	"strings"

	"github.com/tailscale/hujson"
)

// Hooks that run commands, and processes that a platform starts.

// packageHooks are the members of package.json in which hooks stand, as the files that
// hold nothing else have them.
var packageHooks = [][]string{{"husky", "hooks"}, {"gitHooks"}, {"simple-git-hooks"}, {"lint-staged"}}

// hooks reads commands by the name of a hook, or of the files that they are for.
func (y yamlFile) hooks(name string, v *hujson.Value, depth int) {
	switch {
	case v == nil || depth > maxUnwrap:
	case isText(v):
		line, _ := y.document.position(v.StartOffset)
		y.oneLine(scriptText{name: name, body: text(v), line: line}, line)
	default:
		for _, e := range elements(v) {
			y.hooks(name, e, depth+1)
		}
		for _, m := range members(v) {
			y.hooks(strings.TrimPrefix(name+"/"+m.name, "/"), m.value, depth+1)
		}
	}
}

// hookFile reads a file of lint-staged, husky 4 or simple-git-hooks.
func (f *finder) hookFile() {
	if !tells(string(unescaped(f.data))) {
		return
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(f.data, byteOrderMark))
	if !bytes.HasPrefix(text, []byte("{")) {
		for _, d := range f.documents(f.data) {
			yamlFile{f, d, bytes.TrimPrefix(f.data, byteOrderMark)}.hooks("", &d.root, 0)
		}
		return
	}
	d, problem := parse(jsonNotation, f.data)
	if problem != nil {
		f.bad(problem.Line, problem.Message, problem.Hint)
	}
	if d != nil {
		yamlFile{f, d, nil}.hooks("", &d.root, 0)
	}
}

// preCommit reads the hooks of pre-commit (pre-commit.com, "Creating new hooks"): what
// a hook enters is split into words and given to no shell.
func (f *finder) preCommit() {
	if plain := string(f.data); !tells(plain) && !strings.Contains(plain, "docker_image") {
		return
	}
	for _, d := range f.documents(f.data) {
		y := yamlFile{f, d, bytes.TrimPrefix(f.data, byteOrderMark)}
		for _, hook := range elements(&d.root) { // .pre-commit-hooks.yaml
			y.preCommitHook(hook)
		}
		for _, repo := range elements(get(&d.root, "repos")) {
			for _, hook := range elements(get(repo, "hooks")) {
				y.preCommitHook(hook)
			}
		}
	}
}

func (y yamlFile) preCommitHook(hook *hujson.Value) {
	entry := get(hook, "entry")
	if textOf(entry) == "" {
		return
	}
	words := fieldsOf(y.word(entry, "entry"))
	for _, a := range elements(get(hook, "args")) {
		words = append(words, y.word(a, "args"))
	}
	name := textOf(get(hook, "id"))
	switch textOf(get(hook, "language")) {
	case "pygrep", "fail": // a pattern, and a message
	case "docker_image":
		if len(words) > 0 {
			y.add(step{name: name, image: "docker_image", words: words[:1]})
		}
	default:
		if len(words) > 0 {
			y.command(step{name: name, words: words})
		}
	}
}

// procfile reads processes, each a line: name: command.
func (f *finder) procfile() {
	if wide(f.data) {
		f.bad(1, "the file is no plain text", "save it as UTF-8, or exclude it in the policy")
		return
	}
	for i, raw := range strings.Split(string(bytes.TrimPrefix(f.data, byteOrderMark)), "\n") {
		name, command, ok := strings.Cut(raw, ":")
		if ok && !strings.HasPrefix(strings.TrimSpace(name), "#") && tells(command) {
			f.shell(scriptText{name: strings.TrimSpace(name), body: command, line: i + 1})
		}
	}
}
