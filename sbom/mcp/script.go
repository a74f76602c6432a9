package mcp

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"countermark/sbom"
)

// Scripts implements [sbom.Reader] for files of a project in which launches hide
// that fetch what they run: scripts of shells, pipelines, images, task runners,
// editors and hooks. Every such launch is a component like a configured server, with
// Server.Script set, and is read by the same grammar of launchers. What else a script
// does is nothing to this reader: no line of shell is a finding because it cannot be
// analysed. The zero value is ready to use.
type Scripts struct{}

var (
	_ sbom.Reader  = Scripts{}
	_ sbom.Chooser = Scripts{}
	_ sbom.Guesser = Scripts{}
)

// Limits of one file with scripts.
const (
	maxScriptFile = 4 << 20 // bytes
	maxSteps      = 5_000   // simple commands that may launch something, and images
	maxLaunches   = 2_000   // of which fetch what they run
	maxIncludes   = 100     // files that a pipeline of GitLab includes
	maxTexts      = 20      // scripts that stand in a text of another one
)

// scriptFile is one kind of file with scripts. A new one is a new row.
type scriptFile struct {
	kind  string
	names []string // last segments of paths, as in the table of clients
	guess []string // the same for names that say little
	find  func(*finder)
}

var scriptFiles = sync.OnceValue(func() []scriptFile {
	out := []scriptFile{
		{kind: "package.json", names: []string{"package.json"}, find: (*finder).packageScripts},
		{kind: "shell-script", find: (*finder).shellFile,
			names: []string{"*.sh", "*.bash", "*.zsh", "*.ksh"},
			guess: []string{".husky/*", ".githooks/*", "bin/*", "script/*", "scripts/*", "tools/*", "hack/*", "ci/*", ".ci/*"}},
		{kind: "batch-file", names: []string{"*.bat", "*.cmd"}, find: (*finder).batchFile},
		{kind: "powershell-script", names: []string{"*.ps1", "*.psm1"}, find: (*finder).powershellFile},
		{kind: "github-actions", names: []string{".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitea/workflows/*.yml", ".gitea/workflows/*.yaml", ".forgejo/workflows/*.yml", ".forgejo/workflows/*.yaml"}, find: (*finder).workflow},
		{kind: "github-actions", names: []string{"action.yml", "action.yaml"}, find: (*finder).action},
		{kind: "gitlab-ci", names: []string{".gitlab-ci.yml", ".gitlab-ci.yaml"}, find: (*finder).pipeline},
		{kind: "circleci", names: []string{".circleci/*.yml", ".circleci/*.yaml"}, find: circleKeys.find},
		{kind: "azure-pipelines", find: azureKeys.find,
			names: []string{"azure-pipelines*.yml", "azure-pipelines*.yaml", "azure-pipelines/*.yml", ".azure-pipelines.yml", ".azure-pipelines/*.yml", ".azuredevops/*.yml", ".ado/*.yml"}},
		{kind: "bitbucket-pipelines", names: []string{"bitbucket-pipelines.yml", "bitbucket-pipelines.yaml"}, find: bitbucketKeys.find},
		{kind: "drone", names: []string{".drone.yml", ".drone.yaml"}, find: droneKeys.find},
		{kind: "woodpecker", names: []string{".woodpecker.yml", ".woodpecker.yaml", ".woodpecker/*.yml", ".woodpecker/*.yaml"}, find: droneKeys.find},
		{kind: "travis-ci", names: []string{".travis.yml"}, find: travisKeys.find},
		{kind: "appveyor", names: []string{"appveyor.yml", ".appveyor.yml"}, find: appveyorKeys.find},
		{kind: "buildkite", names: []string{".buildkite/*.yml", ".buildkite/*.yaml"}, find: buildkiteKeys.find},
		{kind: "gitpod", names: []string{".gitpod.yml"}, find: gitpodKeys.find},
		{kind: "lefthook", find: lefthookKeys.find,
			names: []string{"lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", "lefthook-local.yml", ".lefthook-local.yml", ".config/lefthook.yml"}},
		{kind: "pre-commit", names: []string{".pre-commit-config.yaml", ".pre-commit-hooks.yaml"}, find: (*finder).preCommit},
		{kind: "git-hooks", find: (*finder).hookFile,
			names: []string{".lintstagedrc", ".lintstagedrc.json", ".lintstagedrc.yaml", ".lintstagedrc.yml", ".huskyrc", ".huskyrc.json", ".simple-git-hooks.json", "simple-git-hooks.json"}},
		{kind: "procfile", names: []string{"Procfile", "Procfile.*", "*.Procfile"}, find: (*finder).procfile},
		{kind: "jenkinsfile", names: []string{"Jenkinsfile", "Jenkinsfile.*", "*.Jenkinsfile", "vars/*.groovy"}, find: (*finder).jenkinsfile},
		{kind: "vscode-tasks", names: []string{".vscode/tasks.json"}, find: (*finder).editorTasks},
		{kind: "vscode-launch", names: []string{".vscode/launch.json"}, find: (*finder).editorLaunches},
		{kind: "vscode-workspace", names: []string{"*.code-workspace"}, find: (*finder).editorWorkspace},
		{kind: "dev-container", find: (*finder).devContainer,
			names: []string{".devcontainer/devcontainer.json", ".devcontainer/*/devcontainer.json", ".devcontainer.json", "devcontainer-feature.json"}},
		{kind: "dockerfile", find: (*finder).dockerfile,
			names: []string{"Dockerfile", "Dockerfile.*", "*.Dockerfile", "Containerfile", "Containerfile.*", "*.Containerfile"}},
		{kind: "compose", names: []string{"compose.yaml", "compose.yml", "compose.*.yaml", "compose.*.yml", "docker-compose.yaml", "docker-compose.yml",
			"docker-compose.*.yaml", "docker-compose.*.yml", "docker-compose-*.yaml", "docker-compose-*.yml", "podman-compose.yaml", "podman-compose.yml"}, find: (*finder).compose},
		{kind: "taskfile", names: []string{"Taskfile.yml", "Taskfile.yaml", "Taskfile.dist.yml", "Taskfile.dist.yaml"}, find: (*finder).taskfile},
		{kind: "justfile", names: []string{"justfile", ".justfile", "*.just"}, find: (*finder).justfile},
		{kind: "makefile", names: []string{"Makefile", "GNUmakefile", "*.mk"}, find: (*finder).makefile},
		{kind: "codebuild", names: []string{"buildspec.yml", "buildspec.yaml", "amplify.yml"}, find: codebuildKeys.find},
	}
	for _, m := range memberFiles {
		out = append(out, scriptFile{kind: m.kind, names: set(m.names), find: m.members.find})
	}
	return out
})

type scriptPath struct {
	tablePath
	guess bool
}

var scriptPaths = sync.OnceValue(func() []scriptPath {
	var out []scriptPath
	for row, f := range scriptFiles() {
		for _, p := range f.names {
			out = append(out, scriptPath{tablePath{strings.Split(fold(p), "/"), row}, false})
		}
		for _, p := range f.guess {
			out = append(out, scriptPath{tablePath{strings.Split(fold(p), "/"), row}, true})
		}
	}
	return out
})

// scriptOf is the row of a path: the first that names it, else one that guesses.
// What is guessed has no suffix.
func scriptOf(name string) (f scriptFile, guess, ok bool) {
	segments := strings.Split(fold(name), "/")
	for _, p := range scriptPaths() {
		if p.guess && strings.Contains(segments[len(segments)-1], ".") || !p.matches(segments) {
			continue
		}
		if f = scriptFiles()[p.row]; !p.guess {
			return f, false, true
		}
		guess, ok = true, true
	}
	return f, guess, ok
}

// Recognize returns the kind of a file with scripts, such as "dockerfile", or "".
func (Scripts) Recognize(name string) string {
	f, _, ok := scriptOf(name)
	if !ok {
		return ""
	}
	return f.kind
}

// Guesses reports whether only the folder and the missing suffix say that a file
// may be a shell script.
func (Scripts) Guesses(name string) bool {
	_, guess, _ := scriptOf(name)
	return guess
}

// Sniff recognises a shell script by its first line.
func (Scripts) Sniff(data []byte) string {
	if shebang.Match(data) {
		return "shell-script"
	}
	return ""
}

// Knows reports whether a kind is one of the reader's.
func (Scripts) Knows(kind string) bool {
	return slices.ContainsFunc(scriptFiles(), func(f scriptFile) bool { return f.kind == kind })
}

// Holds reports whether the file launches anything, or may do so in a part that
// cannot be read or stands in another file. All others are none of our inputs.
func (Scripts) Holds(name string, data []byte) bool {
	row, guess, ok := scriptOf(name)
	if !ok || guess && !shebang.Match(data) && !isHook(name, data) {
		return false
	}
	f := &finder{row: row, name: name, data: data, problem: func(sbom.Problem) {}}
	launches := f.launches(&run{})
	return len(launches) > 0 || f.troubled || f.follows
}

// hooks are what git calls the scripts that it runs.
var hooks = set(`applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg commit-msg post-commit
	pre-rebase post-checkout post-merge pre-push pre-receive update proc-receive post-receive post-update reference-transaction
	push-to-checkout pre-auto-gc post-rewrite sendemail-validate fsmonitor-watchman`)

// isHook reports whether a file is a hook of git that need not say which shell it is
// for: those of husky have no such line.
func isHook(name string, data []byte) bool {
	return slices.Contains(hooks, path.Base(name)) && oneOf(".husky .githooks", path.Base(path.Dir(name))) &&
		!bytes.HasPrefix(data, []byte("#!")) && !wide(data)
}

// Read adds the launches of every file to b.
func (Scripts) Read(ctx context.Context, files []*sbom.File, b *sbom.Builder) error {
	r := run{builder: b, refs: map[string]bool{}, manifests: map[string]manifest{}, listed: map[string]map[string]bool{}, files: map[string]bool{}}
	for _, f := range files {
		r.files[f.Path] = true
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.readScripts(f)
	}
	return ctx.Err()
}

func (r *run) readScripts(file *sbom.File) {
	row, _, ok := scriptOf(file.Name)
	if !ok || row.kind != file.Kind && file.Kind != "" {
		for _, other := range scriptFiles() {
			if other.kind == file.Kind {
				row = other
			}
		}
	}
	f := &finder{row: row, name: file.Name, data: file.Data, file: file, run: r, problem: file.Problem, known: func(name string) bool { return Scripts{}.Recognize(name) != "" }}
	launches := f.launches(r)
	if len(launches) == 0 && !f.troubled {
		return
	}
	coverage := sbom.CompleteCoverage
	if f.troubled {
		coverage = sbom.IncompleteCoverage
	}
	id := r.builder.Add(sbom.Component{
		Ref: "script:" + file.Path, Type: sbom.FileType, Name: file.Path, Coverage: coverage,
	}, sbom.Use{}, sbom.Occurrence{Path: file.Path})
	r.builder.Link(sbom.Root, id)
	for _, l := range launches {
		r.place(id, fmt.Sprintf("script:%s#%s", file.Path, l.server.Name), l.server, l.subjects)
	}
}

// finder looks for launches in one file.
type finder struct {
	row  scriptFile
	name string
	data []byte
	file *sbom.File // nil for a look that nobody hears of
	run  *run       // nil as well

	problem  func(sbom.Problem)
	troubled bool // something could not be read
	steps    []step
	texts    int // that were read as scripts
	depth    int // of the one that is being read in others
	includes int
	follows  bool                   // other files are part of it
	known    func(name string) bool // whether a file is read for its own sake; nil as well
}

// step is one simple command of a script, or an image that a file names.
type step struct {
	name  string // what the script is called in its file
	words []word
	image string // the keyword of an image, in words[0]

	subjects   []subject // where the file says itself what they are
	rights     []option  // of the container, as docker run has them
	rightsOnly bool      // it is worth naming for those alone

	download string  // the way in which it runs what it fetches, where it does
	given    []given // variables that hold for it
	where    where
	file     string // that holds it, where it is an included one
}

// given is a variable with a value.
type given struct {
	name, value string
	at          place
	own         bool // given to this command alone
}

// where is the folder that a step runs in.
type where struct {
	folder string
	away   bool // nobody knows which, or one outside of the tree
}

// cd is the folder after "cd w".
func (w where) cd(f *finder, to word) where {
	s := scan{folder: w.folder, away: w.away, file: f.file}
	s.chdir(to)
	return where{folder: s.folder, away: s.away || len(s.altered) > 0}
}

// bad names a part of the file that cannot be read.
func (f *finder) bad(line int, message, hint string) {
	f.troubled = true
	f.problem(sbom.Problem{Code: sbom.Invalid, Line: line, Message: message, Hint: hint})
}

func (f *finder) add(s step) {
	if len(f.steps) == maxSteps {
		f.bad(0, fmt.Sprintf("more than %d commands", maxSteps), "split the file, or exclude it in the policy")
	}
	if len(f.steps) <= maxSteps {
		f.steps = append(f.steps, s)
	}
}

// found is a launch of a script.
type found struct {
	server   *sbom.Server
	subjects []subject
}

func (f *finder) launches(r *run) []found {
	if len(f.data) > maxScriptFile {
		f.bad(0, fmt.Sprintf("more bytes than %d", maxScriptFile), "exclude the file in the policy if it is no script")
		return nil
	}
	f.row.find(f)
	var out []found
	for _, s := range f.steps {
		l, ok := f.launch(r, s)
		if !ok {
			continue
		}
		if len(out) == maxLaunches {
			f.bad(0, fmt.Sprintf("more than %d launches", maxLaunches), "split the file, or exclude it in the policy")
			break
		}
		out = append(out, l)
	}
	return out
}

// launch analyses one step. It reports false for all that fetches nothing.
func (f *finder) launch(r *run, s step) (found, bool) {
	look := &scan{file: f.file, builder: r.builder, manifests: r.manifests, listed: r.listed, folder: s.where.folder, away: s.where.away}
	for _, g := range s.given {
		if g.own {
			look.variable(g.name, g.value, g.at)
		} else if !slices.Contains(pathVariables, strings.ToLower(g.name)) {
			look.originVariable(g.name, g.value, g.at)
		}
	}
	var subjects []subject
	look.containerRights(parsed{options: s.rights})
	switch {
	case s.rightsOnly && len(look.risks) == 0:
		return found{}, false
	case s.subjects != nil:
		subjects = s.subjects
	case s.download != "":
		at := place{where: s.download, line: s.words[0].at.line, column: 1}
		subjects = []subject{opaque(at, "", "it runs what it fetches, whatever that is at the moment")}
		look.risk(sbom.RiskDownload, at)
	case s.image != "":
		subjects = named(s.image, []subject{image(s.words[0])})
	default:
		look.words(s.words)
		subjects = fetching(look.settle(look.command(s.words, 0)))
	}
	if len(subjects) == 0 {
		return found{}, false
	}
	first, at := subjects[0], s.words[0].at
	server := &sbom.Server{
		Script: true, Image: slices.Contains(baseImages, s.image), Name: cmp.Or(stepName(s.name), first.launcher, "download"), Client: f.row.kind, Transport: "", Line: at.line, Column: at.column,
		Launcher: first.launcher, Kind: first.launch.Kind, Spec: first.launch.Spec, Pin: first.launch.Pin, Reason: first.reason,
		Env: look.env, Credentials: look.credentials(), Risks: look.sortedRisks(),
	}
	if f.file != nil {
		server.File = cmp.Or(s.file, f.file.Path)
	}
	slices.Sort(server.Env)
	server.Env = slices.Compact(server.Env)
	return found{server, subjects}, true
}

// stepName shows what a script is called, without what looks like a credential in it.
func stepName(name string) string {
	if len(name) > maxName || looksSecretPart(name) {
		return safeName(redact(name))
	}
	return name
}

// baseImages are the keywords of images that a build starts from, takes files
// from, or that a pipeline, hook or development container runs in. What else names an
// image (uses: docker://…, a feature) runs it for its own sake, as a command does.
var baseImages = []string{"FROM", "COPY --from", "ADD --from", "RUN --from", "container", "services", "image"}

// fetchingLaunchers are those that fetch what they run, as they are called in a
// subject; of the engines' only "run" and "create".
var fetchingLaunchers = []string{
	"npx", "npm exec", "npm x", "npm init", "npm create", "npm innit", "pnpm create", "yarn create", "bun create", "bunx", "bun x", "pnpm dlx", "pnpx", "yarn dlx", "uvx", "uv tool run", "uv run", "pipx run",
	"deno", "deno run", "deno x", "deno serve", "dx", "dnx", "dotnet dnx", "dotnet tool exec", "go run",
}

func fetchesIn(launcher string) bool {
	program, sub, _ := strings.Cut(launcher, " ")
	return slices.Contains(fetchingLaunchers, launcher) ||
		oneOf("docker podman podman-remote nerdctl finch container", program) && (sub == "run" || sub == "create")
}

// nothingNamed are the reasons of launchers that run nothing: npx --version.
var nothingNamed = []string{"no package is named", "no image is named", "no program is named", "no command is named", "no tool is named"}

// fetching are the subjects that a script fetches, the outermost of them first.
// What only runs a launcher is left out: the script around it is no server.
func fetching(subjects []subject) []subject {
	var out []subject
	for _, s := range subjects {
		switch {
		case fetches(s.launch.Kind) && fetchesIn(s.launcher),
			fetches(s.launch.Kind) && len(out) > 0,
			s.launch.Kind == sbom.KindUnknown && fetchesIn(s.launcher) && !slices.Contains(nothingNamed, s.reason),
			s.launch.Kind == sbom.KindRemote && len(out) > 0:
			out = append(out, s)
		}
	}
	if len(out) > 0 {
		out[0].launch.Nested = false
	}
	return out
}

// at is a place in the file.
func (f *finder) at(line int) place { return place{where: "a command", line: line, column: 1} }
