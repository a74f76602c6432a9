package mcp

import (
	"path"
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"
)

// wrapper is a program that only runs another one.
type wrapper struct {
	options  options
	global   options  // before the sub command
	sub      []string // sub commands, one of which must come first
	maybe    string   // a sub command that may stand behind the options, and may be left out
	skip     int      // words before the command (a duration, a folder)
	assigns  bool     // NAME=value may stand before the command
	after    []string // words behind which the command stands, such as "--"
	script   []string // options whose value is a command line, to be split at its blanks
	shell    []string // options whose value is a shell string, instead of what stands behind after
	folder   []string // options whose value is the folder to run in
	alters   []string // options that change which programs are found
	settings []string // files of the project that change which programs are found
}

// wrappers holds those that name the inner command as words of their own.
var wrappers = map[string]wrapper{
	"env":        {assigns: true, script: set("-S --split-string"), folder: set("-C --chdir"), options: options{value: set("-u --unset -C --chdir -S --split-string"), boolean: set("-i --ignore-environment -0 --null -v --debug"), cluster: true}},
	"sudo":       {assigns: true, folder: set("-D --chdir"), alters: set("-R --chroot"), options: options{value: set("-u --user -g --group -h --host -p --prompt -C --close-from -T --command-timeout -R --chroot -D --chdir -r --role -t --type -U --other-user"), boolean: set("-E --preserve-env -n --non-interactive -H --set-home -A --askpass -b --background -S --stdin -k --reset-timestamp -i --login -s --shell -P"), cluster: true}},
	"gsudo":      {options: options{value: set("-u --user -i --integrity --loglevel"), boolean: set("-n --new -w --wait -s --system --ti -k --reset-timestamp --copyNS --copyEV -d --direct --keepShell --keepWindow --debug"), cluster: true}},
	"pkexec":     {options: options{value: set("-u --user"), boolean: set("--disable-internal-agent --keep-cwd")}},
	"run0":       {folder: set("-D --chdir"), options: options{value: set("-u --user -g --group --nice -D --chdir --unit --slice --description --setenv --background -M --machine"), boolean: set("--pty --pipe --no-ask-password --via-shell -i")}},
	"doas":       {options: options{value: set("-u -C"), boolean: set("-n -s"), cluster: true}},
	"nice":       {options: options{value: set("-n --adjustment"), boolean: set("-0 -1 -2 -3 -4 -5 -6 -7 -8 -9"), cluster: true}},
	"ionice":     {options: options{value: set("-c --class -n --classdata"), boolean: set("-t --ignore"), cluster: true}},
	"time":       {options: options{value: set("-f --format -o --output"), boolean: set("-p --portability -a --append -v --verbose -q --quiet"), cluster: true}},
	"timeout":    {skip: 1, options: options{value: set("-s --signal -k --kill-after"), boolean: set("--foreground -f --preserve-status -p -v --verbose"), cluster: true}},
	"gtimeout":   {skip: 1, options: options{value: set("-s --signal -k --kill-after"), boolean: set("--foreground -f --preserve-status -p -v --verbose"), cluster: true}},
	"stdbuf":     {options: options{value: set("-i --input -o --output -e --error"), cluster: true}},
	"nohup":      {},
	"setsid":     {options: options{boolean: set("-c --ctty -f --fork -w --wait"), cluster: true}},
	"exec":       {options: options{value: set("-a"), boolean: set("-c -l"), cluster: true}},
	"command":    {options: options{boolean: set("-p")}},
	"caffeinate": {options: options{value: set("-t -w"), boolean: set("-d -i -m -s -u"), cluster: true}},
	"xvfb-run":   {options: options{value: set("-e --error-file -f --auth-file -n --server-num -p --xauth-protocol -s --server-args -w --wait"), boolean: set("-a --auto-servernum -l --listen-tcp"), cluster: true}},
	"cross-env":  {assigns: true},
	"arch":       {options: options{value: set("-d -e"), boolean: set("-x86_64 -arm64 -arm64e -i386 -32 -64 -h -c")}},
	"taskset":    {skip: 1, options: options{boolean: set("-a --all-tasks -c --cpu-list"), cluster: true}},
	"winpty":     {options: options{boolean: set("-Xallow-non-tty -Xplain -Xcolor --mouse")}},
	"unbuffer":   {options: options{boolean: set("-p")}},
	"aws-vault":  {sub: set("exec"), after: set("--")},
	"chamber":    {sub: set("exec"), after: set("--")},
	"teller":     {sub: set("run"), after: set("--")},
	"varlock":    {sub: set("run"), after: set("--")},
	"phase":      {sub: set("run"), after: set("--")},
	"fnox":       {sub: set("exec"), after: set("--")},
	"secretspec": {sub: set("run"), after: set("--")},
	"vault-env":  {},
	"gtime":      {options: options{value: set("-f --format -o --output"), boolean: set("-p --portability -a --append -v --verbose -q --quiet"), cluster: true}},
	"gnice":      {options: options{value: set("-n --adjustment"), cluster: true}},
	"genv":       {assigns: true, script: set("-S --split-string"), folder: set("-C --chdir"), options: options{value: set("-u --unset -C --chdir -S --split-string"), boolean: set("-i --ignore-environment -0 --null -v --debug"), cluster: true}},
	"gstdbuf":    {options: options{value: set("-i --input -o --output -e --error"), cluster: true}},
	"gnohup":     {},
	"busybox":    {},
	"bws":        {sub: set("run"), after: set("--"), global: options{value: set("-t --access-token -c --config-file -p --profile -u --server-url"), boolean: set("-q --quiet")}},
	"berglas":    {sub: set("exec"), after: set("--")},
	"sops":       {sub: set("exec-env"), skip: 1, options: options{value: set("--user"), boolean: set("--background --pristine --same-process")}},
	"envchain":   {skip: 1},
	"doppler":    {sub: set("run"), after: set("--"), shell: set("--command"), global: options{value: set("-t --token --scope --configuration --config-dir --api-host --dashboard-host --dns-resolver-address --attempts --timeout"), boolean: set("--silent --no-check-version --no-timeout --no-read-env --print-config --debug --json --no-verify-tls")}},
	"op":         {sub: set("run"), after: set("--"), global: options{value: set("--account --config --encoding --format --session"), boolean: set("--cache --debug --iso-timestamps --no-color")}},
	"infisical":  {sub: set("run"), after: set("--"), shell: set("--command -c"), global: options{value: set("--domain --log-level -l"), boolean: set("--silent --telemetry")}},
	"dotenv":     {maybe: "run", options: options{value: set("-e -c -v -p -f --file"), boolean: set("-o --override --debug --quiet")}},
	"dotenvx":    {sub: set("run"), after: set("--")},
	"direnv":     {sub: set("exec"), skip: 1},
	"mise":       {sub: set("x exec"), after: set("--"), shell: set("-c --command"), folder: set("-C --cd"), global: miseGlobal, settings: miseSettings},
	"rtx":        {sub: set("x exec"), after: set("--"), shell: set("-c --command"), folder: set("-C --cd"), global: miseGlobal, settings: miseSettings},
	"asdf":       {sub: set("exec")},
	"fnm":        {sub: set("exec"), alters: set("--fnm-dir --node-dist-mirror"), options: options{value: set("--using --version-file-strategy --fnm-dir --node-dist-mirror --log-level --arch"), boolean: set("--corepack-enabled --resolve-engines")}},
	"volta":      {sub: set("run"), alters: set("--env"), options: options{value: set("--node --npm --pnpm --yarn --env"), boolean: set("--bundled-npm --no-pnpm --no-yarn --verbose --very-verbose --quiet")}},
	"nodenv":     {sub: set("exec")},
	"pyenv":      {sub: set("exec")},
	"rbenv":      {sub: set("exec")},
	"jenv":       {sub: set("exec")},
	"goenv":      {sub: set("exec")},
	"n":          {sub: set("exec"), skip: 1},
	"devbox":     {sub: set("run"), after: set("--"), settings: set("devbox.json")},
	"devenv":     {sub: set("shell"), after: set("--"), settings: set("devenv.nix devenv.yaml")},
	"flox":       {sub: set("activate"), after: set("--"), settings: set(".flox")},
	"host-spawn": {options: options{value: set("-env -cwd"), boolean: set("-pty -no-pty")}, folder: set("-cwd"), alters: set("-env")},
	// VS Code and other editors that run inside of a Flatpak start programs by it.
	"flatpak-spawn": {folder: set("--directory"), alters: set("--env"), options: options{value: set("--env --directory --forward-fd --unset-env"), boolean: set("--host --clear-env --watch-bus --latest-version --no-network --sandbox --verbose")}},
	"wsl":           {folder: set("--cd"), options: options{value: set("-d --distribution --distribution-id -u --user --cd --shell-type"), boolean: set("-e --exec --system ~")}},
	"nix":           {sub: set("develop shell"), after: set("-c --command"), global: nixOptions}, // see fromFlakes
}

var (
	miseGlobal   = options{value: set("-C --cd -E --env -j --jobs"), boolean: set("-q --quiet -v --verbose -y --yes --silent --raw --locked --no-config --no-env --no-hooks")}
	miseSettings = set("mise.toml .mise.toml .config/mise.toml mise.local.toml .tool-versions")
)

var shells = set("sh bash zsh dash ash ksh fish")

// isWrapper reports whether a program is unwrapped.
func isWrapper(p string) bool {
	_, ok := wrappers[p]
	return ok || slices.Contains(shells, p) || p == "cmd" || p == "powershell" || p == "pwsh"
}

// unwrap analyses what a wrapper runs. It returns nil where the command is none.
func (s *scan) unwrap(head word, args []word, depth int) []subject {
	p := program(head.text)
	if ownFile(head.text) || len(args) == 0 {
		return nil
	}
	switch {
	case slices.Contains(shells, p):
		return s.shellProgram(p, head, args, depth)
	case p == "cmd":
		return s.cmd(head, args, depth)
	case p == "powershell" || p == "pwsh":
		return s.powershell(p, head, args, depth)
	}
	w, ok := wrappers[p]
	if !ok {
		return nil
	}
	return s.wrapped(w, p, head, args, depth)
}

func (s *scan) wrapped(w wrapper, p string, head word, args []word, depth int) []subject {
	words := args
	cannot := func(reason string) []subject { return named(p, []subject{unknown(head.at, reason)}) }
	// What the words plainly name is judged, also where nobody can tell how the wrapper reads them.
	unclear := func(one subject) []subject {
		moves := slices.ContainsFunc(words, func(a word) bool {
			return slices.ContainsFunc(w.folder, func(option string) bool { return strings.HasPrefix(a.text, option) })
		})
		for _, a := range words {
			if name, value, ok := assignment(a.text); ok && w.assigns {
				s.variable(name, value, a.at)
			} else if slices.Contains(registryLaunchers, program(a.text)) {
				break
			}
		}
		return append(named(p, []subject{one}), s.mentioned(words, moves, depth)...)
	}
	if slices.ContainsFunc(args, func(a word) bool { return a.open && strings.HasPrefix(a.text, "$") && w.sub != nil }) {
		return unclear(unknown(head.at, "a variable stands among the words of the wrapper"))
	}
	if w.sub != nil {
		before := w.global.parse(args)
		switch {
		case before.unclear != nil:
			return unclear(ambiguous(*before.unclear))
		case len(before.rest) == 0:
			return cannot("the wrapper is known, but not used in this way")
		case !slices.Contains(w.sub, before.rest[0].text) && (launchersOf(p) != nil || servesItself(before.rest[0])):
			return nil
		case !slices.Contains(w.sub, before.rest[0].text):
			return cannot("the wrapper is known, but not used in this way")
		}
		for _, folder := range before.values(w.folder...) {
			s.chdir(folder)
		}
		args = before.rest[1:]
	}
	for _, name := range w.settings {
		s.settingsIn(name, word{text: ".", at: head.at})
	}
	if line, i := w.told(args); i >= 0 {
		s.before(p, head, args[:i])
		return s.shell(line, p+" "+args[i].text, depth+1)
	}
	args, wrong := s.behindOptions(w, p, head, args)
	if wrong != nil {
		return unclear(*wrong)
	}
	for w.assigns && len(args) > 0 {
		name, value, ok := assignment(args[0].text)
		if !ok {
			break
		}
		if args[0].open {
			return unclear(unknown(head.at, "a shell makes several words of what is assigned"))
		}
		s.variable(name, value, args[0].at)
		args = args[1:]
		words = args
	}
	if len(args) <= w.skip {
		return cannot("no command follows the wrapper")
	}
	for _, skipped := range args[:w.skip] {
		if skipped.open {
			return unclear(unknown(head.at, "a shell makes several words of what stands before the command"))
		}
	}
	if p == "direnv" {
		s.settingsIn(".envrc", args[0])
	}
	return s.command(args[w.skip:], depth+1)
}

// servesItself reports whether a program that usually runs others is asked to
// serve MCP by the word that follows it: mise mcp, hatch mcp, dart mcp-server.
func servesItself(w word) bool { return w.text == "mcp" || strings.HasPrefix(w.text, "mcp-") }

// told returns the shell string that an option of the wrapper has, with the index
// of the option; -1 where there is none before the command.
func (w wrapper) told(args []word) (line word, i int) {
	for i, a := range args {
		name, value, joined := strings.Cut(a.text, "=")
		switch {
		case slices.Contains(w.after, a.text):
			return word{}, -1
		case !slices.Contains(w.shell, name):
		case joined:
			return word{text: value, at: a.at}, i
		case i+1 < len(args):
			return args[i+1], i
		}
	}
	return word{}, -1
}

// behindOptions returns the words behind the options of a wrapper, or why they
// cannot be told.
func (s *scan) behindOptions(w wrapper, p string, head word, args []word) (rest []word, wrong *subject) {
	cannot := func(out subject) ([]word, *subject) { return nil, &out }
	if w.after != nil {
		i := slices.IndexFunc(args, func(a word) bool { return slices.Contains(w.after, a.text) })
		if i < 0 {
			return cannot(unknown(head.at, "the wrapper does not say where its command begins"))
		}
		s.before(p, head, args[:i])
		return args[i+1:], nil
	}
	parsed := w.options.parse(args)
	s.asAdministrator(p, head, parsed)
	if parsed.unclear != nil {
		return cannot(ambiguous(*parsed.unclear))
	}
	if p == "dotenv" {
		s.before(p, head, args[:len(args)-len(parsed.rest)])
	}
	if w.maybe != "" && parsed.dashes < 0 && len(parsed.rest) > 1 && parsed.rest[0].text == w.maybe {
		parsed.rest = parsed.rest[1:]
		if parsed.rest[0].text == "--" {
			parsed.rest = parsed.rest[1:]
		}
	}
	for _, folder := range parsed.values(w.folder...) {
		s.chdir(folder)
	}
	for _, changed := range parsed.values(w.alters...) {
		s.alter("an option of "+p, changed.at)
	}
	if scripts := parsed.values(w.script...); len(scripts) > 0 {
		if strings.ContainsAny(scripts[0].text, `\$`) {
			return cannot(unknown(head.at, "the text that it splits holds escapes or variables"))
		}
		inner := fieldsOf(scripts[0])
		s.words(inner)
		return append(inner, parsed.rest...), nil
	}
	return parsed.rest, nil
}

// before looks at the words of a wrapper that stand before its command: files of
// variables, and where the programs come from.
func (s *scan) before(p string, head word, words []word) {
	if p == "nix" {
		s.fromFlakes(head, words)
		return
	}
	files := 0
	for i, w := range words {
		name, value, hasValue := strings.Cut(w.text, "=")
		switch {
		case !oneOf("-e -f --file --env-file --env-files --env", name):
			continue
		case hasValue:
			s.envFile(word{text: value, at: w.at})
		case i+1 < len(words):
			s.envFile(words[i+1])
		}
		files++
	}
	if files == 0 && strings.HasPrefix(p, "dotenv") {
		s.envFile(word{text: ".env", at: head.at})
	}
}

// fromFlakes judges the flakes that nix takes programs from. Only the registry's
// own collection has the programs that their names promise.
func (s *scan) fromFlakes(head word, words []word) {
	known := false
	for _, w := range words {
		isCollection := nixpkgs.MatchString(w.text)
		known = known || isCollection
		if !isCollection && !slices.Contains(nixFlags, w.text) {
			known = false
			break
		}
	}
	if !known {
		s.alter("the flake that nix takes its programs from", head.at)
	}
}

var (
	nixpkgs  = lazyregexp.New(`^nixpkgs(/[A-Za-z0-9.-]+)?#[A-Za-z0-9._-]+$`)
	nixFlags = set("-i --ignore-environment --impure --quiet --no-write-lock-file --pure-eval")
)

// settingsIn notes a file of settings that comes with the project, which can
// change what a program's name means.
func (s *scan) settingsIn(file string, folder word) {
	for _, f := range upwards(s.folders()) {
		if !template.MatchString(folder.text) && s.present(path.Join(f, slashed(folder.text), file)) {
			s.alter("the project's "+file, folder.at)
			return
		}
	}
}

var assignmentPattern = lazyregexp.New(`^([A-Za-z_][A-Za-z0-9_]*)=(?s:(.*))$`)

func assignment(text string) (name, value string, ok bool) {
	m := assignmentPattern.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// shellProgram is `sh [options] -c STRING` or `sh FILE`.
func (s *scan) shellProgram(p string, head word, args []word, depth int) []subject {
	for i := 0; i < len(args); i++ {
		a := args[i].text
		switch {
		case a == "--command" && i+1 < len(args):
			return s.shell(args[i+1], p+" -c", depth+1)
		case strings.HasPrefix(a, "--command="):
			return s.shell(word{text: strings.TrimPrefix(a, "--command="), at: args[i].at}, p+" -c", depth+1)
		case args[i].open:
			return named(p, []subject{ambiguous(args[i])})
		case shellStart.MatchString(a):
			s.alter("a file or command that "+p+" runs first", args[i].at)
			if !strings.Contains(a, "=") {
				i++
			}
		case slices.Contains(shellFlagsLong, a):
		case strings.HasPrefix(a, "--"):
			return named(p, []subject{ambiguous(args[i])})
		case len(a) > 1 && (a[0] == '-' || a[0] == '+'):
			if strings.Contains(a, "c") && a[0] == '-' {
				return s.shellString(p+" "+safeFlag(a), args[i+1:], head, depth)
			}
			if strings.HasSuffix(a, "o") || strings.HasSuffix(a, "O") {
				i++
			}
		default:
			return named(p, []subject{local(args[i], p)})
		}
	}
	return nil
}

// shellString takes the string after -c; further options may stand before it.
func (s *scan) shellString(launcher string, rest []word, head word, depth int) []subject {
	for len(rest) > 1 && len(rest[0].text) > 1 && (rest[0].text[0] == '-' || rest[0].text[0] == '+') {
		if !shellFlags.MatchString(rest[0].text) && rest[0].text != "--" || strings.HasSuffix(rest[0].text, "o") {
			return named(launcher, []subject{ambiguous(rest[0])})
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return named(launcher, []subject{unknown(head.at, "no shell string follows -c")})
	}
	return s.shell(rest[0], launcher, depth+1)
}

var (
	shellStart     = lazyregexp.New(`^(--rcfile|--init-file|--init-command|-C)(=|$)`)
	shellFlagsLong = set("--login --noprofile --norc --posix --restricted --verbose --noediting --interactive --private --no-config")
)

var shellFlags = lazyregexp.New(`^-[a-z]{1,6}$`)

// safeFlag is a cluster of shell flags as the launcher shows it.
func safeFlag(flag string) string {
	if shellFlags.MatchString(flag) {
		return flag
	}
	return "-c"
}

var cmdFlag = lazyregexp.New(`(?i)^/[a-z](:[a-z]+)?$`)

// cmd is `cmd /c COMMAND…`. cmd.exe joins the words and reads its own operators
// in them.
func (s *scan) cmd(head word, args []word, depth int) []subject {
	run := false
	for len(args) > 0 && cmdFlag.MatchString(args[0].text) {
		flag := strings.ToLower(args[0].text)
		run = run || flag == "/c" || flag == "/k"
		args = args[1:]
	}
	if !run || len(args) == 0 {
		out := named("cmd", []subject{unknown(head.at, "no command follows cmd /c")})
		var words []word
		for _, a := range args {
			words = append(words, fieldsOf(a)...)
		}
		return append(out, s.mentioned(words, true, depth)...)
	}
	text := word{text: textOfWords(args), at: args[0].at}
	return s.hidden(s.cmdWords(head, args, depth), text, "cmd /c", (*finder).batch, depth)
}

// cmdWords are what cmd.exe runs.
func (s *scan) cmdWords(head word, args []word, depth int) []subject {
	if strings.ContainsFunc(args[0].text, func(r rune) bool { return r == ' ' || r == '\t' }) && windowsProgram.FindString(args[0].text) != args[0].text {
		inner := fieldsOf(args[0])
		s.words(inner)
		args = append(inner, args[1:]...)
	}
	for {
		i := slices.IndexFunc(args, func(a word) bool { return a.text == "&&" })
		if i < 1 || !oneOf("cd chdir pushd set chcp", program(args[0].text)) ||
			slices.ContainsFunc(args[:i], func(a word) bool { return strings.ContainsAny(a.text, cmdActive) }) {
			break
		}
		switch program(args[0].text) {
		case "cd", "chdir", "pushd":
			s.chdir(args[i-1])
		case "set":
			if name, value, ok := assignment(args[1].text); i == 2 && ok {
				s.variable(name, value, args[1].at)
			} else {
				s.alter("a variable that cmd sets", args[0].at)
			}
		}
		args = args[i+1:]
	}
	if len(args) > 0 && program(args[0].text) == "call" {
		args = args[1:]
	}
	if len(args) == 0 {
		return named("cmd", []subject{unknown(head.at, "no command follows cmd /c")})
	}
	if slices.ContainsFunc(args, func(a word) bool { return strings.ContainsAny(a.text, cmdActive) && !filledIn.MatchString(a.text) }) {
		return s.script(args[0].at, "cmd /c", apart(args), "it is more than one simple command for cmd.exe", depth)
	}
	return s.command(args, depth+1)
}

// cmdActive are the characters to which cmd.exe gives a meaning, some of them
// even in quotes, before the program sees its words. What the client quotes, and
// how, is not known.
const cmdActive = "|&<>^%\"!\r\n"

// filledIn is a word with a place that somebody is to fill in: --key=<YOUR_KEY>.
var filledIn = lazyregexp.New(`^(--?[A-Za-z0-9-]+=)?<[A-Za-z0-9_ -]+>$`)

var cmdOperator = lazyregexp.New(`[|&<>]+`)

// shellOperator is what ends a command for PowerShell or a POSIX shell.
var shellOperator = lazyregexp.New(`[|&<>;(){}]+`)

// ended splits words where a command ends inside of them, for shells of which the
// rest is not known.
func ended(words []word) []word {
	out := cutAt(shellOperator, words)
	for i := range out {
		if shellOperator.FindString(out[i].text) == out[i].text {
			out[i].text = ";"
		}
	}
	return out
}

// apart splits words at the operators of cmd.exe inside of them.
func apart(words []word) []word { return cutAt(cmdOperator, words) }

func cutAt(operators lazyregexp.Regexp, words []word) []word {
	var out []word
	for _, w := range words {
		start := 0
		for _, at := range operators.FindAllStringIndex(w.text, -1) {
			out = append(out, word{text: w.text[start:at[0]], at: w.at}, word{text: w.text[at[0]:at[1]], at: w.at})
			start = at[1]
		}
		out = append(out, word{text: w.text[start:], at: w.at})
	}
	return slices.DeleteFunc(out, func(w word) bool { return w.text == "" })
}

var powershellGrammar = options{
	value:   set("-executionpolicy -ep -ex -windowstyle -w -version -inputformat -outputformat -workingdirectory -wd"),
	boolean: set("-noprofile -nop -nologo -noninteractive -noni -noexit -sta -mta -login -l"),
}

// powershell is `powershell -Command WORDS…`, where everything that is no plain
// list of words is a script.
func (s *scan) powershell(p string, head word, args []word, depth int) []subject {
	for i := 0; i < len(args); i++ {
		flag := strings.ToLower(args[i].text)
		if strings.HasPrefix(flag, "/") {
			flag = "-" + flag[1:]
		}
		switch {
		case oneOf("-command -c", flag):
			return s.powershellCommand(p+" -Command", head, args[i+1:], depth)
		case oneOf("-file -f", flag) && i+1 < len(args):
			return []subject{local(args[i+1], p)}
		case strings.HasPrefix(flag, "-e") && flag != "-executionpolicy" && flag != "-ep" && flag != "-ex":
			return []subject{opaque(head.at, p+" -EncodedCommand", "the command is encoded")}
		case slices.Contains(powershellGrammar.value, flag):
			i++
			if i < len(args) && oneOf("-workingdirectory -wd", flag) {
				s.chdir(args[i])
			}
		case slices.Contains(powershellGrammar.boolean, flag):
		case strings.HasPrefix(flag, "-"):
			return named(p, []subject{ambiguous(args[i])})
		case p == "pwsh" || strings.HasSuffix(flag, ".ps1"):
			return []subject{local(args[i], p)}
		default:
			return s.powershellCommand(p+" -Command", head, args[i:], depth)
		}
	}
	return nil
}

var powershellCd = lazyregexp.New(`(?i)^(?:cd|set-location)\s+(\S+|'[^']*'|"[^"]*")$`)

// powershellActive are the characters to which PowerShell gives a meaning; it
// takes typographic quotes and dashes for plain ones.
var powershellActive = lazyregexp.New("[;|(){}`&<>$,\\r\\n]|[^\\x00-\\x7f]")

var powershellAssign = lazyregexp.New(`(?i)^\$env:([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?s:(.*))$`)

func (s *scan) powershellCommand(launcher string, head word, args []word, depth int) []subject {
	if len(args) == 0 {
		return named(launcher, []subject{unknown(head.at, "no command follows -Command")})
	}
	text := word{text: textOfWords(args), at: args[0].at}
	return s.hidden(s.powershellText(launcher, head, text, depth), text, launcher, (*finder).powershell, depth)
}

func (s *scan) powershellText(launcher string, head, text word, depth int) []subject {
	all, at := strings.TrimSpace(text.text), text.at
	for {
		first, rest, more := strings.Cut(all, ";")
		first = strings.TrimSpace(first)
		m := powershellAssign.FindStringSubmatch(first)
		switch {
		case m != nil && more:
			s.variable(m[1], strings.Trim(m[2], `"'`), at)
		case more && powershellCd.MatchString(first):
			s.chdir(word{text: strings.Trim(powershellCd.FindStringSubmatch(first)[1], `"'`), at: at})
		default:
			more = false
		}
		if !more {
			break
		}
		all = strings.TrimSpace(rest)
	}
	all = strings.TrimSpace(strings.TrimPrefix(all, "& "))
	words := fieldsOf(word{text: all, at: at})
	s.words(words)
	if powershellActive.MatchString(all) {
		return s.script(at, launcher, ended(words), "it is more than one simple command for PowerShell", depth)
	}
	if len(words) == 0 {
		return named(launcher, []subject{unknown(head.at, "no command follows -Command")})
	}
	return s.command(words, depth+1)
}

// script is a shell string that is more than one simple command. Its launchers
// are named in the reason and analysed as far as they stand there plainly, so
// that a known-bad package is not hidden by a semicolon.
func (s *scan) script(at place, launcher string, words []word, reason string, depth int) []subject {
	out := []subject{opaque(at, launcher, reason)}
	s.downloadWords(at, words)
	var hints []string
	for i, w := range words {
		p := program(w.text)
		if administrators[p] != nil && p != "wsl" && (i == 0 || operator(words[i-1].text)) {
			s.asAdministrator(p, w, parsed{})
		}
		if !slices.Contains(registryLaunchers, p) {
			continue
		}
		end := i + 1
		for end < len(words) && !operator(words[end].text) {
			end++
		}
		hints = append(hints, p)
		out = append(out, nested(worthNaming(s.command(words[i:end], depth+1)))...)
	}
	out[0].reason = withHints(reason, hints)
	return out
}

func operator(text string) bool {
	return oneOf("& && | || ; > >> < 2>&1", text)
}

// registryLaunchers fetch what they run.
var registryLaunchers = set("npx npm bunx bun pnpm pnpx yarn uvx uv pipx docker podman nerdctl deno dx dnx")

func withHints(reason string, launchers []string) string {
	slices.Sort(launchers)
	launchers = slices.Compact(launchers)
	if len(launchers) == 0 {
		return reason
	}
	return reason + "; launchers in it: " + strings.Join(launchers, ", ")
}
