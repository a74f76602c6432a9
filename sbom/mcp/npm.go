package mcp

import (
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"deps.dev/util/semver"
	"github.com/package-url/packageurl-go"
)

// npx runs the first positional word as a package, or what --package names.
// Everything from that word on belongs to the package.
func npx(s *scan, _ string, command word, args []word, depth int) []subject {
	return s.npmExec("npx", command, npmParse(args, true), depth)
}

func npm(s *scan, _ string, command word, args []word, depth int) []subject {
	// Options stand anywhere: npm itself reads all of them up to a "--".
	p := npmParse(args, false)
	if len(p.rest) == 0 {
		if p.unclear != nil {
			return s.ambiguous("npm", p)
		}
		return nil
	}
	sub := p.rest[0]
	p.rest = p.rest[1:]
	switch sub.text {
	case "exec", "x":
		return s.npmExec("npm "+sub.text, command, p, depth)
	case "init", "create", "innit":
		return s.create("npm "+sub.text, command, p, depth)
	case "run", "run-script", "rum", "urn", "start", "test", "t":
		if len(p.rest) > 0 && (sub.text == "run" || sub.text == "run-script") {
			sub = p.rest[0]
		}
		s.origin(p)
		return named("npm run", []subject{local(sub, "")})
	default:
		return nil
	}
}

// create is `npm init NAME` and its like, which run the package that NAME stands for.
// Without a name nothing is fetched.
func (s *scan) create(launcher string, command word, p parsed, depth int) []subject {
	if p.unclear == nil && len(p.rest) == 0 {
		return nil
	}
	if len(p.rest) > 0 {
		p.rest = slices.Clone(p.rest)
		p.rest[0].text = initializer.ReplaceAllStringFunc(p.rest[0].text, func(text string) string {
			m := initializer.FindStringSubmatch(text)
			if m[1] == "" || m[2] != "" {
				return strings.TrimPrefix(m[1]+"/create-"+m[2]+m[3], "/")
			}
			return m[1] + "/create" + m[3]
		})
	}
	return s.npmExec(launcher, command, p, depth)
}

// initializer is a name behind npm init (docs.npmjs.com, "npm init"): foo stands for
// create-foo, @s for @s/create, and @s/foo for @s/create-foo.
var initializer = lazyregexp.New(`^(?:(@[^/@:]+)/?)?([^/@:.][^/@:]*)?(@[^/:]*)?$`)

// ambiguous is a command line with an option that cannot be told. The words that
// may well be the package are named all the same.
func (s *scan) ambiguous(launcher string, p parsed) []subject {
	s.origin(p)
	s.composed(*p.unclear)
	for _, w := range append([]word{*p.unclear}, p.behind...) {
		if k := keyOf(w.text, true); strings.HasPrefix(w.text, "-") && npmAltering[k.name] {
			s.alter("the option --"+k.name, w.at)
		}
	}
	out := []subject{ambiguous(*p.unclear)}
	words := append(p.values("--package", "-p"), p.rest...)
	words = append(words, p.guesses()...)
	for _, w := range words[:min(len(words), maxGuesses)] {
		if strings.HasPrefix(w.text, "-") || w.open {
			continue
		}
		out = append(out, nested(slices.DeleteFunc(s.npmSpec(w), func(o subject) bool { return o.component == nil }))...)
	}
	return named(launcher, out)
}

// guesses are the words that may be a package because of an option that cannot be
// told: its value, and what stands behind it. That of an option which is called like
// a credential is one rather than a package.
func (p parsed) guesses() []word {
	behind := p.behind
	option, value, hasValue := strings.Cut(p.unclear.text, "=")
	if !strings.HasPrefix(option, "-") {
		return behind
	}
	credential := nameStrength(option) >= weak
	switch {
	case hasValue && !credential:
		return append([]word{{text: value, at: p.unclear.at}}, behind...)
	case !hasValue && credential && len(behind) > 0:
		return behind[1:]
	default:
		return behind
	}
}

// composed notes an option that only a variable or a shell makes complete: it may
// be any option, and nobody writes one so by chance.
func (s *scan) composed(w word) {
	if w.open || strings.HasPrefix(w.text, "-") && template.MatchString(w.text) && plainName.FindString(w.text) == "" {
		s.alter("an option that is put together when it runs", w.at)
	}
}

// plainName is the name of an option that has no variable in it.
var plainName = lazyregexp.New(`^-+[A-Za-z0-9@:/._-]+(=|$)`)

// maxGuesses bounds the words that are taken for a package behind an option that
// cannot be told.
const maxGuesses = 8

// npmExec is steps 2 to 6 of npx: --package names what to install, -c a shell
// string that runs with it, else the first positional word is both.
func (s *scan) npmExec(launcher string, command word, p parsed, depth int) []subject {
	if p.unclear != nil {
		return s.ambiguous(launcher, p)
	}
	s.origin(p)
	specs := p.values("--package", "-p")
	var packages []subject
	for _, spec := range specs {
		packages = append(packages, s.preferred(launcher, spec, false)...)
	}
	if calls := p.values("--call", "-c"); len(calls) > 0 {
		// The last one counts, as for every npm option.
		return s.beside(packages, s.shell(calls[len(calls)-1], launcher, depth+1))
	}
	switch {
	case len(p.rest) == 0 && len(packages) == 0:
		return named(launcher, []subject{unknown(command.at, "no package is named")})
	case len(p.rest) == 0:
		return packages
	case len(packages) == 0:
		out := s.npmPackage(launcher, p.rest[0], p.rest[1:], depth)
		out[0].starts(p, "", p.rest[1:])
		return out
	case s.foreignProgram(p.rest[0], packages):
		return s.beside(packages, s.command(p.rest, depth+1))
	default:
		if len(packages) == 1 {
			packages[0].starts(p, p.rest[0].text, p.rest[1:])
		}
		return append(packages, nested(s.carried(p.rest[0].text, p.rest[1:], depth))...)
	}
}

// beside is what runs in an environment with further packages. A program without
// a path is taken for one of theirs; anything else is what runs, and they only
// come with it.
func (s *scan) beside(packages, inner []subject) []subject {
	if len(packages) == 0 {
		return inner
	}
	if inner[0].launch.Kind == sbom.KindBinary && !s.hasProgram(inner[0].launch.Spec) {
		return append(packages, nested(worthNaming(inner))...)
	}
	if inner[0].launch.Kind == sbom.KindBinary {
		inner[0].launch.Kind, inner[0].launch.Pin = sbom.KindLocal, sbom.PinNA
	}
	return append(inner, nested(packages)...)
}

// foreignProgram reports whether the program that is to run with some packages
// comes from none of them: a path, an interpreter, a shell, another launcher, a
// program of the project.
func (s *scan) foreignProgram(bin word, packages []subject) bool {
	name := bin.text
	for _, p := range packages {
		if p.component != nil && (p.component.Name == name || path.Base(p.component.Name) == name) {
			return false
		}
	}
	known := launchersOf(program(name)) != nil || isWrapper(program(name))
	return known || isPath(name) || bin.open || template.MatchString(name) || s.hasProgram(name)
}

// preferred is a package as npx, bunx and deno find it: the project's own under that name, if
// it has one, and the registry's behind it.
func (s *scan) preferred(launcher string, spec word, byName bool) []subject {
	out := s.npmSpec(spec)
	if launcher == "npx" || strings.HasPrefix(launcher, "npm ") || launcher == "bunx" || launcher == "bun x" || strings.HasPrefix(launcher, "deno ") {
		switch own, ok := s.own(spec, out[0], byName); {
		case ok && own.launch.Pin == sbom.PinLockfile:
			out = []subject{own}
		case ok:
			out = append([]subject{own}, nested(out)...)
		}
	}
	return named(launcher, out)
}

// npmPackage is a package with its arguments.
func (s *scan) npmPackage(launcher string, spec word, args []word, depth int) []subject {
	if spec.open {
		// It may turn into options, or into nothing.
		return s.ambiguous(launcher, parsed{unclear: &spec, behind: args})
	}
	out := s.preferred(launcher, spec, true)
	name := spec.text
	if i := slices.IndexFunc(out, func(o subject) bool { return o.component != nil }); i >= 0 {
		name = out[i].component.Name
	}
	return append(out, nested(s.carried(name, args, depth))...)
}

// carried is what a package runs in turn: a proxy what it is told, a launcher
// that is itself fetched (npx pnpm dlx …) as ever, and any other what stands
// where a command would: first, or behind a "--". How that changes it cannot be
// told, but what it plainly names is judged.
func (s *scan) carried(name string, args []word, depth int) []subject {
	if out := s.proxied(name, args, depth); len(out) > 0 || len(args) == 0 || depth >= maxUnwrap {
		return out
	}
	if slices.Contains(registryLaunchers, name) {
		return worthNaming(s.command(append([]word{{text: name, at: args[0].at}}, args...), depth+1))
	}
	if i := slices.IndexFunc(args, func(a word) bool { return a.text == "--" }); i >= 0 && i+1 < len(args) && !slices.Contains(registryLaunchers, program(args[0].text)) {
		args = args[i+1:]
	}
	for i, a := range args {
		switch {
		case isTold(args, i):
			return worthNaming(s.shell(a, "", depth+1))
		case i > 0 && oneOf("&& || | ; &", args[i-1].text) && slices.Contains(registryLaunchers, program(a.text)):
			return worthNaming(s.command(args[i:], depth+1)) // for clients that join the words for a shell
		}
	}
	if len(args) < 2 || !slices.Contains(registryLaunchers, program(args[0].text)) || ownFile(args[0].text) {
		return nil
	}
	return worthNaming(s.command(args, depth+1))
}

// corepack runs the package manager that its first word names, with or without a
// version.
func corepack(s *scan, _ string, command word, args []word, depth int) []subject {
	if len(args) == 0 {
		return nil
	}
	manager, _, _ := strings.Cut(args[0].text, "@")
	if args[0].open || !oneOf("npm npx pnpm pnpx yarn yarnpkg", manager) {
		return nil
	}
	return s.command(append([]word{{text: manager, at: args[0].at}}, args[1:]...), depth+1)
}

func bunx(s *scan, _ string, command word, args []word, depth int) []subject {
	return s.bunPackage("bunx", command, args, depth)
}

func (s *scan) bunPackage(launcher string, command word, args []word, depth int) []subject {
	p := options{value: set("-p --package"), boolean: set("--bun --no-install --verbose --silent -y --yes -b"), exact: true}.parse(args)
	return s.dlx(launcher, command, p, depth)
}

// dlx is the common rest of bunx, pnpm dlx and yarn dlx.
func (s *scan) dlx(launcher string, command word, p parsed, depth int) []subject {
	if p.has("-c", "--shell-mode") && len(p.rest) > 0 {
		call := p.rest[0]
		p.rest = nil
		p.options = append(p.options, option{"--call", &call, call.at})
		p.options = slices.DeleteFunc(p.options, func(o option) bool { return o.name == "-c" })
	}
	return s.npmExec(launcher, command, p, depth)
}

func bun(s *scan, p string, command word, args []word, depth int) []subject {
	if before := interpreters["bun"].options.parse(args); before.unclear == nil && len(before.rest) > 1 && oneOf("x run", before.rest[0].text) {
		for _, folder := range before.values("--cwd") {
			s.chdir(folder)
		}
		for _, file := range before.values("--env-file") {
			s.envFile(file)
		}
		s.loads(before)
		args = before.rest
	}
	if len(args) > 0 {
		switch args[0].text {
		case "x":
			return s.bunPackage("bun x", command, args[1:], depth)
		case "run":
			return s.bunRun(command, args[1:], depth)
		case "create", "c":
			return s.create("bun create", command, options{exact: true}.parse(args[1:]), depth)
		case "install", "i", "add", "init", "build", "test", "upgrade", "pm", "link", "remove", "update":
			return nil
		}
	}
	return interpret(s, p, command, args, depth)
}

// bunRun runs a script of the project, or a file.
func (s *scan) bunRun(command word, args []word, depth int) []subject {
	p := options{
		value:   set("--cwd --config -c --filter -F --env-file --preload -r --require --import --port --tsconfig-override --define -d --loader -l --conditions --inspect --elide-lines"),
		boolean: set("--silent --bun -b --watch --hot --smol --shell --if-present --no-install --install -i --prefer-offline --no-clear-screen"),
	}.parse(args)
	switch {
	case p.unclear != nil:
		return named("bun run", []subject{ambiguous(*p.unclear)})
	case len(p.rest) == 0:
		return named("bun run", []subject{unknown(command.at, "no script is named")})
	case isPath(p.rest[0].text) || s.hasScript(p.rest[0].text):
		if own, ok := s.installed(p.rest[0]); ok {
			return named("bun run", []subject{own})
		}
	default:
		if out := s.byName("bun", p.rest[0], p.rest[1:], depth); out != nil {
			return out
		}
	}
	return named("bun run", []subject{local(p.rest[0], "")})
}

// projectBinary runs a program that the project's own packages install. Its name
// is not the name of a package: the lockfile says whose it is.
func (s *scan) projectBinary(launcher string, command word, rest []word, depth int) []subject {
	if len(rest) == 0 {
		return named(launcher, []subject{unknown(command.at, "no program is named")})
	}
	if rest[0].open {
		return named(launcher, []subject{ambiguous(rest[0])})
	}
	p := program(rest[0].text)
	if own, ok := s.projectProgram(rest[0]); ok {
		out := named(launcher, []subject{own})
		if own.component != nil {
			out = append(out, nested(s.carried(own.component.Name, rest[1:], depth))...)
		}
		return out
	}
	if _, ok := interpreters[interpreter(p)]; ok || launchersOf(p) != nil || isWrapper(p) {
		return s.command(rest, depth+1) // not the project's, and so the machine's
	}
	return []subject{{at: rest[0].at, launcher: launcher, launch: sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinUnknown, Spec: redact(rest[0].text)}}}
}

func pnpm(s *scan, p string, command word, args []word, depth int) []subject {
	grammar := options{exact: true,
		value:   set("--package --allow-build -C --dir --reporter --registry --filter -F --store-dir --loglevel --config"),
		boolean: set("-c --shell-mode --silent -s -w --workspace-root -r --recursive --parallel --stream --ignore-scripts --offline --prefer-offline --color --no-color --yes -y"),
	}
	if p == "pnpx" {
		return s.dlx("pnpx", command, grammar.parse(args), depth)
	}
	before := grammar.parse(args)
	if before.unclear != nil {
		return s.ambiguous("pnpm", before)
	}
	if len(before.rest) == 0 {
		return nil
	}
	sub, rest := before.rest[0], before.rest[1:]
	switch sub.text {
	case "dlx":
		after := grammar.parse(rest)
		after.options = append(slices.Clone(before.options), after.options...)
		return s.dlx("pnpm dlx", command, after, depth)
	case "create":
		return s.create("pnpm create", command, grammar.parse(rest), depth)
	case "exec":
		return s.projectBinary("pnpm exec", command, grammar.parse(rest).rest, depth)
	case "run", "run-script":
		return named("pnpm run", []subject{local(append(grammar.parse(rest).rest, sub)[0], "")})
	case "start", "test", "t":
		return named("pnpm run", []subject{local(sub, "")})
	default:
		return s.byName("pnpm", sub, rest, depth)
	}
}

// managerCommands are the commands of pnpm and yarn that run nothing of the
// project ("pnpm help -a", "yarn --help"). Any other word is a script or program
// of it.
var managerCommands = set(`add approve-builds audit autoclean bin c cache cat-file cat-index check completion config
	constraints create dedupe deploy dlx doctor env exec explain fetch find-hash generate-lock-entry get global help i
	ignored-builds import info init install install-test it licenses link list ll ln logout login ls npm outdated owner
	pack patch patch-commit patch-remove plugin policies prefix prune publish rb rebuild remove rm root search
	self-update server set setup stage store tag team un uninstall unlink unplug up update upgrade upgrade-interactive
	version versions why workspace workspaces`)

// byName is a script of the project, or else a program of its packages, which
// some package managers run by its name alone. It returns nil for what is neither.
// Where the project is not there to be asked, it is one of both.
func (s *scan) byName(launcher string, name word, args []word, depth int) []subject {
	if s.hasScript(name.text) {
		return named(launcher+" run", []subject{local(name, "")})
	}
	if _, ok := s.projectProgram(name); ok {
		return s.projectBinary(launcher+" exec", name, append([]word{name}, args...), depth)
	}
	if s.hasProject() || name.open || slices.Contains(managerCommands, name.text) {
		return nil
	}
	return named(launcher+" run", []subject{local(name, "")})
}

func yarn(s *scan, _ string, command word, args []word, depth int) []subject {
	before := options{value: set("--cwd --use-yarnrc"), boolean: set("--silent -s --offline --non-interactive")}.parse(args)
	if before.unclear != nil || len(before.rest) == 0 {
		return nil
	}
	for _, folder := range before.values("--cwd") {
		s.chdir(folder)
	}
	for _, file := range before.values("--use-yarnrc") {
		s.alter("a configuration file of its own", file.at)
	}
	sub, rest := before.rest[0], before.rest[1:]
	switch sub.text {
	case "dlx":
		p := options{value: set("-p --package"), boolean: set("-q --quiet")}.parse(rest)
		return s.dlx("yarn dlx", command, p, depth)
	case "create":
		return s.create("yarn create", command, options{exact: true}.parse(rest), depth)
	case "exec":
		return s.projectBinary("yarn exec", command, rest, depth)
	case "run":
		if len(rest) > 0 {
			if out := s.byName("yarn", rest[0], rest[1:], depth); out != nil {
				return out
			}
		}
		return named("yarn run", []subject{local(append(slices.Clone(rest), sub)[0], "")})
	case "node":
		return s.command(append([]word{{text: "node", at: sub.at}}, rest...), depth+1)
	case "start":
		return named("yarn run", []subject{local(sub, "")})
	case "workspace":
		if len(rest) < 2 {
			return nil
		}
		// Which folder the member has, its name does not tell.
		away := s.away
		s.away = true
		out := s.command(append([]word{{text: "yarn", at: sub.at}}, rest[1:]...), depth+1)
		s.away = away
		return out
	default:
		return s.byName("yarn", sub, rest, depth)
	}
}

// denoAltering are the options of deno that load other files, or map names to
// them.
var denoAltering = set("-c --config --import-map --cert --env-file --preload --import --require")

// denoGrammar holds the options of `deno run` and `deno x` (docs.deno.com, "deno
// run"). All others that take a value take it behind a "=".
var denoGrammar = options{cluster: true,
	value: set("-c --config --import-map --lock -L --log-level --cert --ext --location --seed --preload --import --require --minimum-dependency-age"),
	boolean: set(`-A --allow-all -R --allow-read -W --allow-write -N --allow-net -E --allow-env --allow-run -S --allow-sys
		--allow-ffi -I --allow-import --allow-hrtime --allow-scripts --deny-read --deny-write --deny-net --deny-env
		--deny-run --deny-sys --deny-ffi --deny-import --ignore-read --ignore-env -P --permission-set --no-prompt
		-r --reload -q --quiet --cached-only --frozen --no-lock --no-npm --no-remote --no-config --node-modules-dir
		--vendor --check --no-check --watch --watch-hmr --watch-exclude --no-clear-screen --no-code-cache
		--inspect --inspect-brk --inspect-wait --trace-leaks --tunnel -t --connected --coverage --env-file --v8-flags
		--conditions --unstable --unstable-bare-node-builtins --unstable-broadcast-channel --unstable-byonm
		--unstable-cron --unstable-detect-cjs --unstable-ffi --unstable-fs --unstable-http --unstable-kv
		--unstable-lazy-dynamic-imports --unstable-net --unstable-no-legacy-abort --unstable-node-globals
		--unstable-npm-lazy-caching --unstable-otel --unstable-process --unstable-raw-imports
		--unstable-sloppy-imports --unstable-subdomain-wildcards --unstable-temporal --unstable-unsafe-proto
		--unstable-vsock --unstable-webgpu --unstable-worker-options`),
}

// denoExec are the options that `deno x` has beside those.
var denoExec = options{cluster: true,
	value:   append(set("-p --package"), denoGrammar.value...),
	boolean: append(set("-y --yes --ignore-scripts"), denoGrammar.boolean...),
}

func deno(s *scan, _ string, command word, args []word, depth int) []subject {
	switch {
	case len(args) == 0:
		return nil
	case args[0].text == "run" || args[0].text == "x" || args[0].text == "serve":
		return s.denoRun("deno "+args[0].text, command, args[1:], depth)
	case args[0].text == "task":
		return named("deno task", []subject{local(append(slices.Clone(args[1:]), args[0])[0], "")})
	case args[0].text == "eval":
		return named("deno eval", []subject{unknown(args[0].at, "it runs code given as an argument")})
	case strings.HasPrefix(args[0].text, "-") || strings.Contains(args[0].text, ":") || strings.Contains(args[0].text, "."):
		return s.denoRun("deno", command, args, depth) // "run" may be left out
	default:
		return nil
	}
}

func (s *scan) denoRun(launcher string, command word, args []word, depth int) []subject {
	grammar := denoGrammar
	if launcher == "deno x" {
		grammar = denoExec
	}
	p := grammar.parse(args)
	for _, o := range p.options {
		switch {
		case slices.Contains(denoAltering, o.name):
			s.alter("the option "+o.name, o.at)
		case o.name == "--lock" && o.value != nil && denoTarget.MatchString(o.value.text):
			p.unclear = o.value // its value may be left out, and then this is the program
		}
	}
	for _, file := range p.values("--env-file") {
		s.envFile(file)
	}
	switch {
	case p.unclear != nil:
		s.composed(*p.unclear)
		out := []subject{ambiguous(*p.unclear)}
		for _, w := range append([]word{*p.unclear}, p.rest[:min(len(p.rest), maxGuesses)]...) {
			if spec, ok := strings.CutPrefix(w.text, "npm:"); ok && !w.open {
				out = append(out, nested(s.npmSpec(word{text: cutPath(spec), at: w.at}))...)
			}
		}
		return named(launcher, out)
	case len(p.values("-p", "--package")) > 0:
		packages := p.values("-p", "--package")
		out := s.denoTarget(launcher, packages[len(packages)-1], nil, depth)
		if len(p.rest) > 0 {
			out = append(out, nested(s.proxied(p.rest[0].text, p.rest[1:], depth))...)
		}
		return out
	case len(p.rest) == 0:
		return named(launcher, []subject{unknown(command.at, "no program is named")})
	case p.rest[0].open:
		return named(launcher, []subject{ambiguous(p.rest[0])})
	}
	return s.denoTarget(launcher, p.rest[0], p.rest[1:], depth)
}

var denoTarget = lazyregexp.New(`^(npm:|jsr:|https?:)`)

// denoTarget is what deno runs: a package, a URL, a file.
func (s *scan) denoTarget(launcher string, target word, args []word, depth int) []subject {
	spec, isNPM := strings.CutPrefix(target.text, "npm:")
	switch {
	case isNPM, launcher == "deno x" && !strings.Contains(target.text, ":") && !fileSpec.MatchString(target.text):
		return s.npmPackage(launcher, word{text: cutPath(strings.TrimPrefix(spec, "/")), at: target.at}, args, depth)
	case strings.HasPrefix(target.text, "jsr:"):
		out := unknown(target.at, "packages of JSR are not judged by this version")
		out.launch.Spec = redact(target.text)
		return named(launcher, []subject{out})
	case strings.Contains(target.text, "://"):
		return named(launcher, []subject{module(target)})
	case isVariable(target.text) && !isPath(target.text):
		return named(launcher, []subject{unknown(target.at, "the program is named by a variable")})
	default:
		return []subject{local(target, launcher)}
	}
}

// cutPath removes what follows name and version: npm:@s/n@1.2.3/bin.
func cutPath(spec string) string {
	start := 0
	if strings.HasPrefix(spec, "@") {
		start = strings.Index(spec, "/") + 1
	}
	if i := strings.Index(spec[start:], "/"); i >= 0 {
		return spec[:start+i]
	}
	return spec
}

var (
	npmName       = lazyregexp.New(`^(@[A-Za-z0-9~*!'()_-][A-Za-z0-9~*!'()._-]*/)?[A-Za-z0-9~*!'()-][A-Za-z0-9~*!'()._-]*$`)
	npmExact      = lazyregexp.New(`^[v=\s]*((0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)(\+[0-9A-Za-z.-]+)?$`)
	npmTag        = lazyregexp.New(`^[A-Za-z0-9~*!'()._-]+$`)
	hostedPrefix  = lazyregexp.New(`^(github|gitlab|bitbucket|gist):`)
	ownerRepo     = lazyregexp.New(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+(#.*)?$`)
	windowsDrive  = lazyregexp.New(`^[A-Za-z]:[\\/]`)
	fileSpec      = lazyregexp.New(`^(\.{1,2}([\\/]|$)|[\\/]|~[\\/]|file:|link:)`)
	maxNameLength = 214
)

// npmSpec reads a package as npm-package-arg does: a name with a version, range
// or tag, an alias, a repository, a tarball, a folder.
func (s *scan) npmSpec(w word) []subject {
	spec := strings.TrimSpace(w.text)
	if alias, real, ok := strings.Cut(spec, "@npm:"); ok && npmName.MatchString(alias) {
		return []subject{npmRegistry(w, real)}
	}
	spec = strings.TrimPrefix(spec, "npm:")
	switch {
	case fileSpec.MatchString(spec) || windowsDrive.MatchString(spec) || isTarballName(spec):
		return []subject{local(word{text: spec, at: w.at}, "")}
	case hostedPrefix.MatchString(spec) || isGit(spec):
		return []subject{gitSubject(w, spec)}
	case strings.HasPrefix(spec, "https://") || strings.HasPrefix(spec, "http://"):
		return []subject{tarball(w, spec)}
	case !strings.HasPrefix(spec, "@") && ownerRepo.MatchString(spec):
		return []subject{gitSubject(w, "github:"+spec)}
	}
	name, rest := spec, ""
	if i := strings.Index(spec[min(1, len(spec)):], "@"); i >= 0 {
		name, rest = spec[:i+1], spec[i+2:]
	}
	if npmName.MatchString(name) && !strings.HasPrefix(name, "@") || strings.Contains(name, "/") {
		if isGit(rest) || hostedPrefix.MatchString(rest) {
			return []subject{gitSubject(w, rest)}
		}
		if strings.HasPrefix(rest, "https://") || strings.HasPrefix(rest, "http://") {
			return []subject{tarball(w, rest)}
		}
		if fileSpec.MatchString(rest) || isTarballName(rest) {
			return []subject{local(word{text: rest, at: w.at}, "")}
		}
		if ownerRepo.MatchString(rest) {
			return []subject{gitSubject(w, "github:"+rest)}
		}
	}
	return []subject{npmRegistry(w, spec)}
}

// isTarballName reports whether npm takes a word for a file because of how it ends.
// A name before an "@" is none, but of a scope.
func isTarballName(spec string) bool {
	return tarballName.MatchString(spec) && !strings.HasPrefix(spec, "@") && !strings.Contains(spec, ":")
}

var tarballName = lazyregexp.New(`(?i)^[^@/]*\.(tgz|tar\.gz|tar)$`)

// npmRegistry is name, name@version, name@range or name@tag.
func npmRegistry(w word, spec string) subject {
	name, request := spec, ""
	if i := strings.LastIndex(spec, "@"); i > 0 {
		// A range may hold no @, so the last one ends the name.
		name, request = spec[:i], strings.TrimSpace(spec[i+1:])
	}
	switch {
	case name == "":
		return unknown(w.at, "no package is named")
	case isVariable(name) || template.MatchString(name):
		return unknown(w.at, "the package is named by a variable")
	case !npmName.MatchString(name) || len(name) > maxNameLength:
		return unknown(w.at, "what stands for the package is no name that npm allows")
	case slices.ContainsFunc(strings.Split(name, "/"), sbom.LooksSecret):
		return unknown(w.at, "what stands for the package looks like a credential")
	}
	out := subject{at: w.at, launch: sbom.Launch{Kind: sbom.KindNPM, Spec: name}}
	version := ""
	switch {
	case request == "":
		out.launch.Pin = sbom.PinUnversioned
	case template.MatchString(request) || isVariable(request) && request[0] != '<': // <1.0.5 is a range
		out.launch.Pin = sbom.PinUnknown
	case npmExact.MatchString(request):
		version = npmExact.FindStringSubmatch(request)[1]
		out.launch.Pin = sbom.PinExact
	case isNPMRange(request):
		out.launch.Pin = sbom.PinRange
	case npmTag.MatchString(request):
		out.launch.Pin = sbom.PinDistTag
	default:
		return unknown(w.at, "what stands for the version is none that npm allows")
	}
	shown := redact(request)
	if version != "" {
		shown = request // a build or pre-release may look random, but is public
	}
	if request != "" {
		out.launch.Spec += "@" + shown
		out.launch.Request = shown
	}
	if version != "" {
		out.launch.Request = version
	}
	out.component = &sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.NPM, Name: name, Version: version, Source: sbom.FromRegistry,
		PURL: sbom.NPMPackageURL(name, version),
	}
	return out
}

// isNPMRange reports whether npm reads a request as a range. A range holds a
// digit or is a wildcard; everything else is a tag.
func isNPMRange(request string) bool {
	if _, err := semver.NPM.ParseConstraint(request); err == nil {
		return true
	}
	return strings.ContainsAny(request, "<>|^ ") && strings.ContainsAny(request, "0123456789")
}

// tarball is a package by the URL of its tarball: nothing says which version
// that is, nor that it stays the same.
func tarball(w word, spec string) subject {
	url := redactURL(spec)
	out := subject{at: w.at, launch: sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinUnversioned, Spec: url}}
	out.component = urlComponent(url, sbom.FromTarball)
	return out
}

// urlComponent is a package that only a URL names.
func urlComponent(url string, source sbom.Source) *sbom.Component {
	name := strings.TrimSuffix(path.Base(strings.TrimRight(url, "/")), ".git")
	if name == "" || name == "." {
		name = "unknown"
	}
	qualifier := "download_url"
	if source == sbom.FromGit {
		qualifier = "vcs_url"
	}
	return &sbom.Component{
		Type: sbom.Library, Name: name, Source: source, Resolved: url,
		PURL: packageurl.NewPackageURL("generic", "", name, "", packageurl.QualifiersFromMap(map[string]string{qualifier: url}), "").ToString(),
	}
}
