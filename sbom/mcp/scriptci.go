package mcp

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"

	"github.com/tailscale/hujson"
)

// Pipelines of other systems than GitHub's and GitLab's, and hooks: YAML in which
// some members hold scripts and others name images, at whatever depth. Each system is
// a row that says which.

// scriptKeys say what the members of a kind of file are.
type scriptKeys struct {
	scripts    map[string]string          // those that hold a script: the shell that it is for, "" for the usual one
	images     []string                   // those that name an image; "a/b" is b in a
	variables  []string                   // those that hold variables for what is in the same object
	folder     string                     // the one that names the folder of a script beside it
	parameters *lazyregexp.Regexp         // what the system puts into a script
	shell      func(*hujson.Value) string // which shell is the usual one in an object; "" where that says nothing
	include    string                     // the one that names another file, from the folder of this one
}

// usualShell are scripts for the shell that is the usual one.
func usualShell(members string) map[string]string {
	out := map[string]string{}
	for _, m := range set(members) {
		out[m] = ""
	}
	return out
}

var (
	circleParameters   = lazyregexp.New(`(?s)<<\s*(?:parameters|pipeline|matrix)\b.*?>>`)
	lefthookParameters = lazyregexp.New(`\{(?:[a-z_]+|[0-9]+)\}`)
)

// circleKeys are from circleci.com/docs, "Configuration reference".
var circleKeys = scriptKeys{
	scripts: usualShell("run command"), images: []string{"docker/image"}, variables: []string{"environment"},
	folder: "working_directory", parameters: &circleParameters, shell: namedShell,
}

// azureKeys are from learn.microsoft.com, "YAML schema reference for Azure Pipelines".
var azureKeys = scriptKeys{
	scripts: map[string]string{"script": "", "inlineScript": "", "Inline": "", "bash": "bash", "pwsh": "pwsh", "powershell": "powershell"},
	images:  []string{"container", "containers/image"}, variables: []string{"env", "variables"}, folder: "workingDirectory", shell: azureShell, include: "template",
}

// bitbucketKeys are from support.atlassian.com, "Bitbucket Pipelines configuration
// reference".
var bitbucketKeys = scriptKeys{scripts: usualShell("script after-script"), images: []string{"image", "pipe"}}

// droneKeys are from docs.drone.io, "YAML reference"; Woodpecker's are the same.
var droneKeys = scriptKeys{scripts: usualShell("commands"), images: []string{"image"}, variables: []string{"environment"}, shell: droneShell}

// travisKeys are from docs.travis-ci.com, "Job lifecycle".
var travisKeys = scriptKeys{scripts: usualShell(`before_install install before_script script before_cache after_success after_failure
	before_deploy after_deploy after_script`)}

// appveyorKeys are from appveyor.com/docs, "appveyor.yml reference".
var appveyorKeys = scriptKeys{variables: []string{"environment"}, scripts: map[string]string{
	"cmd": "cmd", "ps": "pwsh", "pwsh": "pwsh", "sh": "sh", "init": "cmd", "install": "cmd", "before_build": "cmd", "build_script": "cmd",
	"after_build": "cmd", "before_test": "cmd", "test_script": "cmd", "after_test": "cmd", "before_deploy": "cmd", "deploy_script": "cmd",
	"after_deploy": "cmd", "on_success": "cmd", "on_failure": "cmd", "on_finish": "cmd", "before_package": "cmd",
}}

// buildkiteKeys are from buildkite.com/docs, "Defining your pipeline steps".
var buildkiteKeys = scriptKeys{scripts: usualShell("command commands"), images: []string{"image"}, variables: []string{"env"}}

// gitpodKeys are from gitpod.io/docs, ".gitpod.yml".
var gitpodKeys = scriptKeys{scripts: usualShell("before init prebuild command"), images: []string{"image"}, variables: []string{"env"}}

// codebuildKeys are from docs.aws.amazon.com, "Build specification reference".
var codebuildKeys = scriptKeys{scripts: usualShell("commands")}

// lefthookKeys are from lefthook.dev, "Configuration".
var lefthookKeys = scriptKeys{scripts: usualShell("run"), variables: []string{"env"}, folder: "root", parameters: &lefthookParameters}

func namedShell(v *hujson.Value) string { return textOf(get(v, "shell")) }

// azureShell is cmd.exe on machines with Windows, and what a task is for.
func azureShell(v *hujson.Value) string {
	task, _, _ := strings.Cut(textOf(get(v, "task")), "@")
	switch task {
	case "PowerShell", "AzurePowerShell", "PSPowerShell":
		return "pwsh"
	case "CmdLine", "BatchScript":
		return "cmd"
	case "Bash", "ShellScript":
		return "sh"
	case "AzureCLI":
		if kind := textOf(get(v, "inputs", "scriptType")); kind == "ps" || kind == "pscore" {
			return "pwsh"
		}
	}
	pool := get(v, "pool")
	switch {
	case pool == nil:
		return ""
	case windowsRunner(get(pool, "vmImage")) || windowsRunner(pool):
		return "cmd"
	default:
		return "sh"
	}
}

func droneShell(v *hujson.Value) string {
	if textOf(get(v, "platform", "os")) == "windows" {
		return "pwsh"
	}
	return ""
}

// find reads a file with such members.
func (k scriptKeys) find(f *finder) {
	plain := unescaped(f.data)
	if !tells(string(plain)) && !slices.ContainsFunc(k.images, func(i string) bool { return bytes.Contains(plain, []byte(path.Base(i)+":")) }) && k.include == "" {
		return
	}
	for _, d := range f.documents(f.data) {
		w := keyWalk{yamlFile{f, d, bytes.TrimPrefix(f.data, byteOrderMark)}, k, map[int]bool{}}
		w.value(&d.root, keyScope{}, 0)
	}
}

// keyWalk goes through one document.
type keyWalk struct {
	yamlFile
	keys scriptKeys
	read map[int]bool // the texts that were read, by where they stand: YAML repeats them by an alias
}

// again reports whether a text was read before.
func (w keyWalk) again(v *hujson.Value) bool {
	had := w.read[v.StartOffset]
	w.read[v.StartOffset] = true
	return had
}

// keyScope is what holds for a part of a document.
type keyScope struct {
	name  string // of the step, as far as it is known
	under string // the nearest member that it is in
	shell string
	given []given
	where where
}

// structural are members that say nothing about which script it is.
var structural = set(`jobs job steps step stages stage pipelines pipeline tasks commands command run parallel script scripts strategy runOnce rolling canary
	inputs definitions hooks group matrix when unless include plugins docker containers resources`)

// named adds a part to the name of a step.
func (s keyScope) named(part string) keyScope {
	if part != "" && !strings.Contains(part, "{{") {
		s.name = strings.TrimPrefix(s.name+"/"+part, "/")
	}
	return s
}

// nameOf is what an object calls itself.
func nameOf(v *hujson.Value) string {
	for _, key := range []string{"name", "displayName", "label", "id", "key", "job", "stage", "deployment"} {
		if name := textOf(get(v, key)); name != "" {
			return name
		}
	}
	return ""
}

func (w keyWalk) value(v *hujson.Value, s keyScope, depth int) {
	if v == nil || depth > maxDepth {
		return
	}
	for i, e := range elements(v) {
		name := nameOf(e)
		if name == "" && object(e) != nil && s.under == "steps" {
			name = fmt.Sprint("step ", i+1)
		}
		w.value(e, s.named(name), depth+1)
	}
	if object(v) != nil {
		w.object(v, s, depth)
	}
}

func (w keyWalk) object(v *hujson.Value, s keyScope, depth int) {
	for _, key := range w.keys.variables {
		s.given = append(slices.Clip(s.given), w.environment(get(v, key))...)
	}
	if w.keys.shell != nil {
		if shell := w.keys.shell(v); shell != "" {
			s.shell = shell
		}
	}
	s.where = where{}
	if folder := get(v, w.keys.folder); folder != nil && isText(folder) {
		s.where = where{}.cd(w.finder, w.word(folder, w.keys.folder))
	}
	for _, m := range members(v) {
		inner := s
		inner.under = m.name
		if !slices.Contains(structural, m.name) {
			inner = inner.named(m.name)
		}
		shell, isScript := w.keys.scripts[m.name]
		switch {
		case m.name == w.keys.include && isText(m.value):
			w.template(m.value)
		case isScript:
			if shell != "" {
				inner.shell = shell
			}
			if inner.name = s.name; inner.name == "" {
				inner.name = m.name
			}
			w.script(m.value, inner, depth)
		case slices.Contains(w.keys.images, m.name) || slices.Contains(w.keys.images, s.under+"/"+m.name):
			w.named(m.value, v, m.name, s.name)
		case !slices.Contains(w.keys.variables, m.name):
			w.value(m.value, inner, depth+1)
		}
	}
}

// script is a text, a list of texts that one shell runs, or holds more of them.
func (w keyWalk) script(v *hujson.Value, s keyScope, depth int) {
	switch {
	case isText(v):
		w.text(v, s)
	case array(v) != nil:
		for _, e := range elements(v) {
			if isText(e) {
				s.where = w.text(e, s)
			} else {
				w.value(e, s, depth+1)
			}
		}
	default:
		w.value(v, s.named(nameOf(v)), depth+1)
	}
}

func (w keyWalk) text(v *hujson.Value, s keyScope) where {
	if w.again(v) {
		return s.where
	}
	body := text(v)
	if w.keys.parameters != nil {
		body = w.keys.parameters.ReplaceAllString(body, "$"+expressionVariable)
	}
	return w.finder.script(s.shell, scriptText{name: s.name, body: body, line: w.line(v), given: s.given, where: s.where})
}

// named is an image: one to run in where the object has scripts, else one that is run
// for its own sake, as the plugins of Drone are.
func (w keyWalk) named(v, in *hujson.Value, key, name string) {
	ref := textOf(v)
	switch {
	case w.again(v):
		return
	case key == "pipe":
		if strings.HasPrefix(ref, "docker://") {
			w.image(name, "uses", v)
		}
		return
	case key == "container" && !strings.ContainsAny(ref, ":/"):
		return // what the file calls an image
	}
	keyword := "image"
	if get(in, "settings") != nil && get(in, "commands") == nil {
		keyword = "uses"
	}
	w.image(name, keyword, v, "name", "image")
}

// template is another file of the project that is put into this one.
func (w keyWalk) template(v *hujson.Value) {
	name := text(v)
	if strings.ContainsAny(name, "@$") || name == "" {
		return
	}
	if w.finder.follows = true; w.finder.file == nil {
		return
	}
	line, _ := w.document.position(v.StartOffset)
	folder := path.Dir(w.finder.file.Name)
	if strings.HasPrefix(name, "/") {
		folder = "."
	}
	w.included(path.Join(folder, name), line)
}
