package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/tailscale/hujson"
	"go.yaml.in/yaml/v3"
)

// maxDocuments bounds the documents of one YAML file.
const maxDocuments = 32

// documents reads all documents of a YAML file: GitLab's may begin with one that
// says what the file takes.
func (f *finder) documents(data []byte) []*document {
	text := bytes.TrimPrefix(data, byteOrderMark)
	if wide(data) || len(text) > maxYAML {
		f.bad(1, "the file is too large, or no plain text", "save it as UTF-8, or exclude it in the policy")
		return nil
	}
	lines := []int{0}
	for i, c := range text {
		if c == '\n' {
			lines = append(lines, i+1)
		}
	}
	var out []*document
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err == nil && len(out) == maxDocuments {
			err = errors.New("too many documents")
		}
		if err != nil {
			p := yamlProblem(err)
			f.bad(p.Line, p.Message, p.Hint)
			return out
		}
		d := &document{lines: lines}
		tree := yamlTree{doc: d, text: text}
		d.root = tree.value(&node, 0)
		if tree.problem != nil {
			f.bad(tree.problem.Line, tree.problem.Message, tree.problem.Hint)
			return out
		}
		out = append(out, d)
	}
}

// yamlFile walks one YAML file.
type yamlFile struct {
	*finder
	*document
	text []byte
}

// line is where the text of a scalar begins: a block of YAML or TOML begins below its
// sign.
func (y yamlFile) line(v *hujson.Value) int {
	line, _ := y.document.position(v.StartOffset)
	if at := v.StartOffset; at < len(y.text) && blockSign.Match(y.text[at:min(len(y.text), at+5)]) {
		line++
	}
	return line
}

var blockSign = lazyregexp.New("^(?:[|>]|'''\\r?\\n|\"\"\"\\r?\\n)")

func (y yamlFile) word(v *hujson.Value, what string) word {
	return word{text: expression.ReplaceAllString(text(v), "$"+expressionVariable), at: place{where: what, line: y.line(v), column: 1}}
}

// get returns a member of an object, nil where there is none.
func get(v *hujson.Value, names ...string) *hujson.Value {
	for _, name := range names {
		if v == nil || object(v) == nil {
			return nil
		}
		f := member(quietFields(object(v)), name)
		if f == nil {
			return nil
		}
		v = f.value
	}
	return v
}

func textOf(v *hujson.Value) string {
	if v == nil || !isText(v) {
		return ""
	}
	return text(v)
}

// members are those of an object in file order.
func members(v *hujson.Value) []field {
	if v == nil || object(v) == nil {
		return nil
	}
	return (&document{}).fields(object(v))
}

func elements(v *hujson.Value) []*hujson.Value {
	if v == nil || array(v) == nil {
		return nil
	}
	out := make([]*hujson.Value, len(array(v).Elements))
	for i := range out {
		out[i] = &array(v).Elements[i]
	}
	return out
}

// image adds an image that a file names, as a text or under one of the names.
func (y yamlFile) image(name, keyword string, v *hujson.Value, under ...string) {
	if v != nil && object(v) != nil {
		for _, u := range under {
			if inner := get(v, u); inner != nil {
				y.image(name, keyword, inner)
				return
			}
		}
	}
	if v == nil || !isText(v) || strings.TrimSpace(text(v)) == "" {
		return
	}
	y.add(step{name: name, image: keyword, words: []word{y.word(v, keyword)}})
}

// variables are those that a workflow gives to its steps.
func (y yamlFile) variables(have []given, v *hujson.Value) []given {
	out := slices.Clip(have)
	for _, m := range members(v) {
		value := m.value
		if inner := get(value, "value"); inner != nil {
			value = inner // GitLab: {value: …, description: …}
		}
		out = append(out, given{name: m.name, value: text(value), at: place{line: y.line(value), column: 1}})
	}
	return out
}

// workflow reads a workflow of GitHub Actions (docs.github.com, "Workflow syntax"),
// which Gitea and Forgejo have too.
func (f *finder) workflow() {
	for _, d := range f.documents(f.data) {
		y := yamlFile{f, d, bytes.TrimPrefix(f.data, byteOrderMark)}
		given := y.variables(nil, get(&d.root, "env"))
		for _, job := range members(get(&d.root, "jobs")) {
			y.image(job.name, "container", get(job.value, "container"), "image")
			for _, s := range members(get(job.value, "services")) {
				y.image(job.name+"/"+s.name, "services", s.value, "image")
			}
			defaults := []*hujson.Value{get(job.value, "defaults", "run"), get(&d.root, "defaults", "run")}
			shell := ""
			if windowsRunner(get(job.value, "runs-on")) {
				shell = "pwsh"
			}
			y.steps(job.name, get(job.value, "steps"), shell, defaults, y.variables(given, get(job.value, "env")))
		}
	}
}

func windowsRunner(v *hujson.Value) bool {
	if v == nil {
		return false
	}
	if isText(v) {
		return strings.Contains(strings.ToLower(text(v)), "windows")
	}
	return slices.ContainsFunc(append(elements(v), elements(get(v, "labels"))...), windowsRunner) || windowsRunner(get(v, "labels"))
}

// action reads a composite or container action (docs.github.com, "Metadata
// syntax").
func (f *finder) action() {
	for _, d := range f.documents(f.data) {
		y := yamlFile{f, d, bytes.TrimPrefix(f.data, byteOrderMark)}
		runs := get(&d.root, "runs")
		if ref := get(runs, "image"); strings.HasPrefix(textOf(ref), "docker://") {
			y.image("runs", "uses", ref)
		}
		y.steps("runs", get(runs, "steps"), "", nil, nil)
	}
}

// steps are those of a job or action. The shell is that of the step, of the
// defaults, of the runner.
func (y yamlFile) steps(job string, list *hujson.Value, shell string, defaults []*hujson.Value, given []given) {
	folder := where{}
	for _, d := range slices.Backward(defaults) {
		if s := textOf(get(d, "shell")); s != "" {
			shell = s
		}
		if w := get(d, "working-directory"); w != nil {
			folder = where{}.cd(y.finder, y.word(w, "working-directory"))
		}
	}
	for i, s := range elements(list) {
		name := textOf(get(s, "id"))
		if name == "" {
			name = textOf(get(s, "name"))
		}
		if name == "" {
			name = fmt.Sprint("step ", i+1)
		}
		name = job + "/" + name
		if uses := get(s, "uses"); strings.HasPrefix(textOf(uses), "docker://") {
			y.image(name, "uses", uses)
		}
		run := get(s, "run")
		if textOf(run) == "" {
			continue
		}
		at, by := folder, shell
		if w := get(s, "working-directory"); w != nil {
			at = where{}.cd(y.finder, y.word(w, "working-directory"))
		}
		if own := textOf(get(s, "shell")); own != "" {
			by = own
		}
		if strings.Contains(by, "{{") {
			by = ""
		}
		y.script(by, scriptText{name: name, body: text(run), line: y.line(run), given: y.variables(given, get(s, "env")), where: at})
	}
}

// notJobs are the keys of a pipeline of GitLab that are no jobs.
var notJobs = set("default include stages variables workflow spec image services cache before_script after_script pages:deploy")

// pipeline reads a pipeline of GitLab (docs.gitlab.com, "CI/CD YAML syntax") with
// what it includes of the same repository.
func (f *finder) pipeline() {
	for _, d := range f.documents(f.data) {
		y := yamlFile{f, d, bytes.TrimPrefix(f.data, byteOrderMark)}
		given := y.variables(nil, get(&d.root, "variables"))
		y.job("default", &d.root, given)
		y.job("default", get(&d.root, "default"), given)
		for _, job := range members(&d.root) {
			if !slices.Contains(notJobs, job.name) {
				y.job(job.name, job.value, y.variables(given, get(job.value, "variables")))
			}
		}
		y.include(get(&d.root, "include"), 0)
	}
}

func (y yamlFile) job(name string, job *hujson.Value, given []given) {
	y.image(name, "image", get(job, "image"), "name")
	for _, s := range elements(get(job, "services")) {
		y.image(name, "services", s, "name")
	}
	at := where{}
	for _, key := range []string{"before_script", "script", "after_script"} {
		if key == "after_script" {
			at = where{} // a shell of its own
		}
		at = y.lines(name, get(job, key), given, at, 0)
	}
	y.lines(name, get(job, "hooks", "pre_get_sources_script"), given, where{}, 0)
}

// lines are a text, or a list of texts and of such lists, that one shell runs.
func (y yamlFile) lines(name string, v *hujson.Value, given []given, at where, depth int) where {
	if v == nil || depth > maxUnwrap {
		return at
	}
	if isText(v) {
		return y.shell(scriptText{name: name, body: text(v), line: y.line(v), given: given, where: at})
	}
	for _, e := range elements(v) {
		at = y.lines(name, e, given, at, depth+1)
	}
	return at
}

// include reads the files of the repository that a pipeline is put together from.
// What is included from elsewhere is not part of the project.
func (y yamlFile) include(v *hujson.Value, depth int) {
	if v == nil || depth > maxUnwrap {
		return
	}
	for _, e := range elements(v) {
		y.include(e, depth+1)
	}
	ref := v
	if object(v) != nil {
		ref = get(v, "local")
	}
	name := textOf(ref)
	if name == "" || strings.Contains(name, "://") || strings.ContainsAny(name, "$") {
		return
	}
	if y.finder.follows = true; y.finder.file == nil {
		return
	}
	line, _ := y.document.position(ref.StartOffset)
	name = strings.TrimPrefix(name, "/")
	root := path.Dir(y.finder.name)
	names := []string{path.Join(root, name)}
	if strings.Contains(name, "*") {
		var err error
		if names, err = fs.Glob(y.finder.file.FS, strings.ReplaceAll(path.Join(root, name), "**", "*")); err != nil {
			y.bad(line, "the files that it includes cannot be found", "write the path of a file of the repository")
			return
		}
	}
	for _, n := range names {
		y.included(n, line)
	}
}

func (y yamlFile) included(name string, line int) {
	full := strings.TrimSuffix(y.finder.file.Path, y.finder.file.Name) + name
	if y.run == nil || y.known(name) || y.run.files[full] {
		return // read anyway, or already
	}
	if y.finder.includes++; y.finder.includes > maxIncludes {
		y.bad(line, fmt.Sprintf("it includes more than %d files", maxIncludes), "exclude it in the policy")
		return
	}
	data, err := (&sbom.File{FS: y.finder.file.FS, Name: "."}).Sibling(name)
	if errors.Is(err, fs.ErrNotExist) {
		return // the pipeline is refused
	}
	if err != nil || len(data) > maxScriptFile {
		y.bad(line, "a file that it includes cannot be read", "make it a readable file inside of the project")
		return
	}
	y.run.files[full] = true
	other := *y.finder.file
	other.Name, other.Path = name, full
	inner := &finder{row: y.row, name: y.finder.name, data: data, file: &other, run: y.run, known: y.known, includes: y.finder.includes,
		problem: func(p sbom.Problem) {
			p.Message = "in a file that it includes: " + p.Message
			p.Line, p.Column = line, 0
			y.finder.problem(p)
		}}
	inner.row.find(inner)
	for _, s := range inner.steps {
		s.file = full
		y.add(s)
	}
	y.finder.includes, y.finder.troubled = inner.includes, y.troubled || inner.troubled
}

// devContainer reads devcontainer.json and a feature's own file (containers.dev,
// "Dev Container metadata reference").
func (f *finder) devContainer() {
	d, problem := parse(jsonNotation, f.data)
	if problem != nil {
		f.bad(problem.Line, problem.Message, problem.Hint)
	}
	if d == nil || object(&d.root) == nil {
		return
	}
	y := yamlFile{f, d, nil}
	y.image("image", "image", get(&d.root, "image"))
	for _, key := range []string{"features", "dependsOn"} {
		for _, feature := range members(get(&d.root, key)) {
			y.feature(feature)
		}
	}
	for _, key := range []string{"initializeCommand", "onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand"} {
		y.lifecycle(key, get(&d.root, key), true)
	}
}

// feature is an image of a registry that is unpacked and run as root, or a folder
// of the project.
func (y yamlFile) feature(f field) {
	w := word{text: f.name, at: y.document.at(f.key, "features")}
	switch {
	case fileSpec.MatchString(f.name):
		return
	case strings.HasPrefix(f.name, "https://"), strings.HasPrefix(f.name, "http://"):
		y.add(step{name: "features", image: "features", words: []word{w}})
	case strings.Contains(f.name, "/"):
		y.add(step{name: "features", image: "features", words: []word{w}})
	default:
		// The first features had names of their own: "node": "lts".
	}
}

// lifecycle is a command of a dev container: a text for a shell, a list of words,
// or several of these by name, which run at once.
func (y yamlFile) lifecycle(name string, v *hujson.Value, several bool) {
	switch {
	case v == nil:
	case isText(v):
		line, _ := y.document.position(v.StartOffset)
		y.oneLine(scriptText{name: name, body: text(v), line: line}, line)
	case array(v) != nil:
		var words []word
		for i, e := range elements(v) {
			words = append(words, word{text: text(e), at: y.document.at(e, fmt.Sprintf("argument %d", i))})
		}
		if len(words) > 0 {
			y.command(step{name: name, words: words})
		}
	case several:
		for _, m := range members(v) {
			y.lifecycle(name+"/"+m.name, m.value, false)
		}
	}
}
