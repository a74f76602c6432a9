package mcp

import (
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// grammar of an interpreter: what it runs is the first positional word, unless
// an option says otherwise.
type grammar struct {
	options options
	code    []string // options whose value is code
	module  []string // options whose value is a module on the search path
	skip    []string // words between the options and the file: "run"
}

// interpreters run a file. An option that a table does not hold makes the file
// ambiguous, except where the interpreter takes values only with "=".
var interpreters = map[string]grammar{
	"node": {
		options: options{value: set("-r --require --import --loader --experimental-loader -C --conditions --env-file --env-file-if-exists --inspect-port --title --icu-data-dir --openssl-config --max-old-space-size --stack-trace-limit --disable-warning --input-type --unhandled-rejections"),
			boolean: set("--no-warnings --inspect --inspect-brk --enable-source-maps --experimental-modules --experimental-strip-types --experimental-transform-types --trace-warnings --trace-deprecation --no-deprecation --preserve-symlinks --harmony --expose-gc --watch --use-system-ca --use-openssl-ca --insecure-http-parser --experimental-vm-modules --experimental-specifier-resolution --experimental-sqlite --experimental-fetch --throw-deprecation --pending-deprecation --abort-on-uncaught-exception -i --interactive --permission --experimental-permission")},
		code: set("-e --eval -p --print -pe"),
	},
	"bun": {options: options{value: set("-r --preload --require --import --cwd --env-file -c --config --port --tsconfig-override -d --define -l --loader"), boolean: set("--silent --watch --hot --smol --bun -b --no-install -i --prefer-offline --no-env-file")},
		code: set("-e --eval -p --print")},
	"tsx":     {options: options{value: set("--tsconfig --env-file -r --require --import --conditions -C"), boolean: set("--no-cache --no-warnings --inspect --inspect-brk")}, code: set("-e --eval -p --print"), skip: set("watch")},
	"ts-node": {options: options{value: set("-P --project -r --require -O --compiler-options -C --compiler -I --ignore --cwd --scope-dir"), boolean: set("-T --transpile-only --transpileOnly --esm --files -H --compiler-host --swc --pretty --skip-project --prefer-ts-exts --log-error --emit")}, code: set("-e --eval -p --print")},
	"python": {options: options{value: set("-W -X --check-hash-based-pycs"), boolean: set("-u -B -I -E -s -S -O -OO -q -v -b -d -i -x -P -bb"), cluster: true},
		code: set("-c"), module: set("-m")},
	"php":     {options: options{value: set("-c -d -z --define"), boolean: set("-n -q -C")}, code: set("-r -B -R -E"), skip: nil},
	"ruby":    {options: options{value: set("-I -r -C -E"), boolean: set("-w -W -v --yjit --jit"), cluster: true}, code: set("-e")},
	"perl":    {options: options{value: set("-I -M"), boolean: set("-w -T -t"), cluster: true}, code: set("-e -E")},
	"rscript": {options: options{boolean: set("--vanilla --no-save --no-restore --slave --no-echo --verbose")}, code: set("-e")},
	"lua":     {options: options{value: set("-l"), boolean: set("-i -v -E -W")}, code: set("-e")},
	"java":    {options: options{value: set("-cp -classpath --class-path -p --module-path --add-modules --add-opens --add-exports"), loose: true}, module: set("-m --module")},
	"dotnet":  {options: options{boolean: set("-d --diagnostics"), value: set("--runtimeconfig --depsfile --additionalprobingpath --fx-version --roll-forward")}, skip: set("exec")},
	"mono":    {options: options{boolean: set("--debug")}},
	"r":       {options: options{value: set("-f --file"), boolean: set("--vanilla --no-save --no-restore --slave --no-echo --quiet -q --verbose"), loose: true}, code: set("-e")},
	"julia":   {options: options{value: set("-L --load -t --threads -J --sysimage -p --procs -C --cpu-target -H --home"), boolean: set("-q --quiet -i --startup-file --project --compile --banner"), loose: true}, code: set("-e --eval -E --print")},
	"elixir":  {options: options{value: set("-r -pr -pa -pz --name --sname --cookie --erl --app"), boolean: set("--no-halt")}, code: set("-e --eval --rpc-eval")},
}

// versionFlag is how the launcher of Windows is told which Python to start.
var versionFlag = lazyregexp.New(`^-[0-9]`)

var numbered = lazyregexp.New(`^(python|pypy|node|nodejs|ruby|php|lua|perl|ts-node)(-?[0-9][0-9.]*)?(w|-esm|-script|-transpile-only)?$`)

// interpreter returns the entry of interpreters for a program such as python3.12.
func interpreter(p string) string {
	switch p {
	case "py":
		return "python"
	case "ts-node-esm", "ts-node-script":
		return "ts-node"
	}
	m := numbered.FindStringSubmatch(p)
	switch {
	case m == nil:
		return p
	case m[1] == "pypy":
		return "python"
	case m[1] == "nodejs":
		return "node"
	default:
		return m[1]
	}
}

// interpret finds the file that an interpreter runs.
func interpret(s *scan, p string, command word, args []word, depth int) []subject {
	g := interpreters[interpreter(p)]
	if p == "py" && len(args) > 0 && versionFlag.MatchString(args[0].text) {
		args = args[1:] // the version that the Windows launcher is to choose
	}
	opts := g.options
	opts.value = slices.Concat(opts.value, g.code, g.module)
	if interpreter(p) == "java" {
		opts.value = append(opts.value, "-jar")
	}
	// An option that ends the options: what follows belongs to the program.
	parsed := options.parseUntil(opts, args, slices.Concat(g.code, g.module, []string{"-jar"}))
	launcher := p
	for _, o := range parsed.options {
		switch {
		case o.value == nil:
		case slices.Contains(g.code, o.name):
			return named(launcher, []subject{unknown(o.value.at, "it runs code given as an argument")})
		case slices.Contains(g.module, o.name):
			if out := s.launcherModule(p, *o.value, args, depth); out != nil {
				return out
			}
			out := local(*o.value, interpreter(p)+" "+o.name)
			out.launch.Pin = sbom.PinUnknown
			return []subject{out}
		case o.name == "-jar":
			return []subject{local(*o.value, launcher)}
		}
	}
	if parsed.unclear != nil {
		return named(launcher, []subject{ambiguous(*parsed.unclear)})
	}
	rest := parsed.rest
	if len(rest) > 1 && slices.Contains(g.skip, rest[0].text) {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return named(launcher, []subject{unknown(command.at, "no file is named")})
	}
	for _, file := range parsed.values("--env-file", "--env-file-if-exists") {
		s.envFile(file)
	}
	s.loads(parsed)
	if out := s.launcherScript(rest, depth); out != nil {
		return out
	}
	return s.interpreted(launcher, rest, depth)
}

// launcherModule is a launcher that is run as a module: python -m pipx run …. A
// file of the project may have that name, too.
func (s *scan) launcherModule(p string, module word, args []word, depth int) []subject {
	i := slices.IndexFunc(args, func(a word) bool { return a.at == module.at && strings.HasSuffix(a.text, module.text) })
	if interpreter(p) != "python" || !oneOf("uv pipx", module.text) || i < 0 {
		return nil
	}
	// Words of one shell string have one place, so that the index may be wrong.
	if args[i].text != module.text && args[i].text != "-m"+module.text {
		return nil
	}
	for _, folder := range s.folders() {
		if s.present(path.Join(folder, module.text+".py")) || s.present(path.Join(folder, module.text)) {
			return nil
		}
	}
	return s.command(append([]word{module}, args[i+1:]...), depth+1)
}

// launcherFile matches the scripts by which npm and others start.
var launcherFile = lazyregexp.New(`(?i)/node_modules/(?:npm/bin/(np[mx])-cli|pnpm/bin/(pnpm|pnpx)|yarn/bin/(yarn)|corepack/dist/(np[mx]|pnp[mx]|yarn))\.c?js$`)

// launcherScript is a launcher that is run by the path of its script, where
// programs get installed: node …/node_modules/npm/bin/npx-cli.js -y ….
func (s *scan) launcherScript(rest []word, depth int) []subject {
	m := launcherFile.FindStringSubmatch(slashed(rest[0].text))
	if m == nil || !systemPath(rest[0].text) || rest[0].open {
		return nil
	}
	name := strings.ToLower(strings.Join(m[1:], ""))
	return s.command(append([]word{{text: name, at: rest[0].at}}, rest[1:]...), depth+1)
}

// loaders are the options of interpreters that run another file first.
var loaders = set("-r --require --import --loader --experimental-loader --preload")

func (s *scan) loads(p parsed) {
	for _, o := range p.options {
		if slices.Contains(loaders, o.name) && o.value != nil {
			s.alter("the option "+o.name, o.value.at)
		}
	}
}

func (s *scan) interpreted(launcher string, rest []word, depth int) []subject {
	file := rest[0]
	switch {
	case strings.Contains(file.text, "://"):
		return named(launcher, []subject{unknown(file.at, "it runs code from a URL")})
	case file.text == "-":
		return named(launcher, []subject{unknown(file.at, "it runs what its input says")})
	}
	var byNode *start
	if interpreter(launcher) == "node" {
		byNode = &start{file: file.text, kept: rest[1:]}
	}
	own, ok := s.installed(file)
	if !ok {
		own, ok = s.copied(file)
	}
	if ok && !file.open {
		own.launcher, own.start = launcher, byNode
		out := []subject{own}
		if own.component != nil {
			out = append(out, nested(s.carried(own.component.Name, rest[1:], depth))...)
		}
		return out
	}
	out := local(file, launcher)
	out.start = byNode
	return []subject{out}
}

// parseUntil is parse, but stops behind the first of the options in last.
func (g options) parseUntil(args []word, last []string) parsed {
	for i, a := range args {
		name, _, hasValue := strings.Cut(a.text, "=")
		if !slices.Contains(last, name) {
			continue
		}
		end := min(i+2, len(args))
		if hasValue {
			end = i + 1
		}
		p := g.parse(args[:end])
		if len(p.rest) == 0 && len(p.options) > 0 && p.options[len(p.options)-1].name == name {
			return p
		}
		break // it stands behind the file
	}
	return g.parse(args)
}

// runner is a program that builds and runs the project's own code.
type runner struct {
	sub     []string // the word that has to come first; none where that is the name of what it runs
	options options  // before that word and behind it
	command bool     // behind these stands a command, for the environment of the project
}

// runners run a program or script of the project.
var runners = map[string]runner{
	"poetry": {sub: set("run"), command: true, options: options{value: set("-C --directory -P --project"), boolean: set("-q --quiet -v -vv -vvv --verbose -n --no-interaction --no-plugins --no-cache --ansi --no-ansi")}},
	"pdm":    {sub: set("run"), command: true, options: options{value: set("-p --project -c --config --venv"), boolean: set("-q --quiet -v --verbose -s --site-packages --no-self --recreate -I --ignore-python")}},
	"hatch":  {sub: set("run"), command: true, options: options{value: set("-e --env -p --project --data-dir --cache-dir --config"), boolean: set("-q --quiet -v --verbose --color --no-color --interactive --no-interactive")}},
	"rye":    {sub: set("run"), command: true, options: options{value: set("--pyproject"), boolean: set("-q --quiet -v --verbose")}},
	"pixi":   {sub: set("run"), command: true, options: options{value: set("--manifest-path -m -e --environment --color --platform"), boolean: set("-q --quiet -v -vv --verbose --frozen --locked --as-is --clean-env --skip-deps --no-progress --no-install --no-lockfile-update --executable -x")}},
	"pipenv": {sub: set("run"), command: true, options: options{value: set("--python --pypi-mirror"), boolean: set("-q --quiet -v --verbose --site-packages")}},
	"conda":  {sub: set("run"), command: true, options: condaRun}, "mamba": {sub: set("run"), command: true, options: condaRun},
	"micromamba": {sub: set("run"), command: true, options: condaRun},
	"bundle":     {sub: set("exec"), command: true, options: options{value: set("--gemfile"), boolean: set("--keep-file-descriptors --verbose")}},
	"dart":       {sub: set("run"), command: true, options: options{boolean: set("--enable-asserts --no-pub --verbosity=error")}},
	"cargo":      {sub: set("run r"), options: options{value: set("-C -Z --config --color"), boolean: set("-q --quiet -v --verbose --locked --offline --frozen")}},
	"swift":      {sub: set("run")}, "mise": {sub: set("run r"), options: miseGlobal}, "rtx": {sub: set("run r"), options: miseGlobal},
	"make": {}, "just": {}, "task": {}, "gradle": {}, "gradlew": {}, "mvn": {}, "mvnw": {}, "sbt": {}, "rake": {}, "composer": {}, "mix": {},
	"clojure": {}, "clj": {}, "lein": {},
}

var condaRun = options{
	value:   set("-n --name -p --prefix --cwd -r --root-prefix --rc-file -e --env"),
	boolean: set("--no-capture-output --live-stream --dev --debug-wrapper-scripts -v --verbose -q --quiet --clean-env"),
}

// project is a command that builds and runs the project's own code.
func project(s *scan, p string, command word, args []word, depth int) []subject {
	if out := s.stranger(command, args, depth); out != nil {
		return out // a launcher that it runs in its environment
	}
	r, launcher := runners[p], p
	if len(args) > 0 && p == "cargo" && strings.HasPrefix(args[0].text, "+") {
		args = args[1:] // the toolchain
	}
	if r.sub != nil {
		before := r.options.parse(args)
		if before.unclear != nil || len(before.rest) == 0 || !slices.Contains(r.sub, before.rest[0].text) {
			return nil
		}
		launcher, args = p+" "+r.sub[0], before.rest[1:]
	}
	if r.command {
		if inner := r.options.parse(args); inner.unclear == nil && len(inner.rest) > 0 && !inner.rest[0].open {
			return inEnvironment(s.command(inner.rest, depth+1), launcher)
		}
	}
	return []subject{{at: command.at, launcher: launcher, launch: sbom.Launch{Kind: sbom.KindLocal, Pin: sbom.PinNA}}}
}

// inEnvironment is a command that runs in the environment of the project, whose
// own its programs and files are. Of a module nobody says where it comes from.
func inEnvironment(inner []subject, launcher string) []subject {
	first := inner[0].launch
	if first.Kind == sbom.KindBinary || first.Kind == sbom.KindLocal {
		inner[0] = local(word{text: first.Spec, at: inner[0].at}, "")
		if first.Kind == sbom.KindLocal {
			inner[0].launch.Pin = first.Pin
		}
	}
	inner[0].launcher = launcher
	return inner
}

// jbangGrammar holds the options of `jbang run` (jbang.dev, "jbang run").
var jbangGrammar = options{
	value: set(`--repos --deps --java -j --main -m --cp --class-path --module --source-type --files --sources --build-dir
		--manifest --runtime-option -R --compile-option -C --debug -d --jfr --javaagent --catalog --config --title`),
	boolean: set("-q --quiet -v --verbose -o --offline --fresh --native -n --enable-preview --enableassertions --ea -i --interactive --cds --no-cds --preview"),
	loose:   true,
}

// jbang runs a file, an alias of a catalogue, or a package of Maven. What the last
// two are is not known here.
func jbang(_ *scan, p string, command word, args []word, _ int) []subject {
	parsed := jbangGrammar.parse(args)
	if len(parsed.rest) > 1 && parsed.rest[0].text == "run" {
		parsed = jbangGrammar.parse(parsed.rest[1:])
	}
	if len(parsed.rest) == 0 {
		return nil
	}
	target := parsed.rest[0]
	if jbangFile.MatchString(target.text) {
		return []subject{local(target, p)}
	}
	out := unknown(target.at, "what jbang runs by that name is not known to this version")
	out.launch.Spec = redact(target.text)
	return named(p, []subject{out})
}

var jbangFile = lazyregexp.New(`(?i)^[^:@]*\.(java|jsh|kt|groovy|jar)$`)

var inNodeModules = lazyregexp.New(`^((?:[^/$]+/)*?node_modules/(?:[^/]+/(?:[^/]+/)*?node_modules/)*(?:@[^/]+/)?[^/@.][^/]*)/`)

// installed is the installed copy of a package that a path leads into, known by
// its package.json. The path counts from the folder that the launch runs in.
func (s *scan) installed(file word) (subject, bool) {
	name := slashed(file.text)
	name = strings.TrimPrefix(name, projectFolder.FindString(name))
	name = strings.TrimPrefix(name, "./")
	m := inNodeModules.FindStringSubmatch(name)
	if m == nil || slices.Contains(strings.Split(name, "/"), "..") {
		return subject{}, false // a path that turns back may lead out of the copy
	}
	for _, folder := range s.folders() {
		copied := path.Join(folder, m[1])
		if own, ok := s.lockedCopy(file, copied); ok {
			return own, true
		}
		if own := s.copy(file.at, copied, file.text); own.component != nil {
			return own, true
		}
		if s.present(copied) {
			continue
		}
		if own, ok := s.locked(file, copied); ok {
			return own, true
		}
	}
	return subject{}, false
}

// bases are the folders that the relative paths of a configuration may count
// from, relative to its own.
func bases(name string) []string {
	out := []string{"."}
	up := "."
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		up = path.Join(up, "..")
		out = append(out, up)
		if strings.HasPrefix(path.Base(dir), ".") {
			return out
		}
	}
	return out[:1]
}
