package mcp

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Limits of one command line.
const (
	maxUnwrap   = 5       // wrappers around a launcher, and launches inside of launches
	maxScript   = 1 << 16 // bytes of a shell string
	maxSubjects = 64      // things that one server would run
	maxCommands = 2_000   // command lines looked at for one server
)

// place is where a word stands.
type place struct {
	where        string // "command", "argument 3", "url"
	line, column int
}

// word is one argument with its place. Words that come from inside of a shell
// string have the place of the string.
type word struct {
	text string
	at   place
	open bool // a shell makes several words of it, or other ones: $ARGS, *, {a,b}
}

// subject is one thing that a server would run or speak to.
type subject struct {
	launch    sbom.Launch
	launcher  string
	reason    string // where the kind is unknown or shell-script
	at        place
	component *sbom.Component // nil for what has none
	locked    *sbom.ID        // the instance of a lockfile that component is, nil for what is none
	service   *sbom.Service   // for remotes
	start     *start          // how a package is started; nil where that cannot be done by node as well
}

func unknown(at place, reason string) subject {
	return subject{at: at, reason: reason, launch: sbom.Launch{Kind: sbom.KindUnknown, Pin: sbom.PinUnknown}}
}

func opaque(at place, launcher, reason string) subject {
	return subject{at: at, launcher: launcher, reason: reason, launch: sbom.Launch{Kind: sbom.KindShellScript, Pin: sbom.PinUnknown}}
}

func local(w word, launcher string) subject {
	return subject{at: w.at, launcher: launcher, launch: sbom.Launch{Kind: sbom.KindLocal, Pin: sbom.PinNA, Spec: redactPath(w.text)}}
}

// named puts the launcher on all that have none yet.
func named(launcher string, subjects []subject) []subject {
	for i := range subjects {
		if subjects[i].launcher == "" {
			subjects[i].launcher = launcher
		}
	}
	return subjects
}

func nested(subjects []subject) []subject {
	for i := range subjects {
		subjects[i].launch.Nested = true
	}
	return subjects
}

// worthNaming drops what an outer launch already says: programs and files
// inside of the container or package that it runs.
func worthNaming(subjects []subject) []subject {
	return slices.DeleteFunc(subjects, func(s subject) bool {
		switch s.launch.Kind {
		case sbom.KindLocal, sbom.KindBinary:
			return true
		case sbom.KindUnknown:
			first, _, _ := strings.Cut(s.launcher, " ")
			return s.launch.Spec == "" && !slices.Contains(registryLaunchers, first)
		default:
			return false
		}
	})
}

// program returns by which name a command is known: its base name, lower-case,
// without the suffixes of Windows.
func program(command string) string {
	base := command[strings.LastIndexAny(command, `/\`)+1:]
	base = strings.ToLower(base)
	for _, suffix := range []string{".exe", ".cmd", ".bat", ".ps1"} {
		base = strings.TrimSuffix(base, suffix)
	}
	return base
}

func isPath(command string) bool { return strings.ContainsAny(command, `/\`) }

// ownFile reports whether a command is a path to a file that nobody knows. It
// can have the name of any launcher and be none: a file of the project, of a
// temporary folder, of another machine.
func ownFile(command string) bool { return isPath(command) && !systemPath(command) }

// isVariable reports whether a word starts with something that the client or a
// shell replaces.
func isVariable(s string) bool {
	return strings.HasPrefix(s, "$") || strings.HasPrefix(s, "%") || strings.HasPrefix(s, "{") || strings.HasPrefix(s, "<")
}

var template = lazyregexp.New(`\$\{|\$\(|\$[A-Za-z_]|%[A-Za-z_][A-Za-z0-9_]*%|\{\{|\{[a-z]+:|<[^<>]*>|` + "`")

// launchers take the words after the program. They return nil where the words
// are none that they know.
type launcher func(s *scan, p string, command word, args []word, depth int) []subject

// launchersOf is looked up by program. It is a function because the launchers
// call back into it.
func launchersOf(p string) launcher {
	switch p {
	case "npx":
		return npx
	case "npm":
		return npm
	case "bunx":
		return bunx
	case "bun":
		return bun
	case "pnpm", "pnpx":
		return pnpm
	case "yarn", "yarnpkg":
		return yarn
	case "uvx":
		return uvx
	case "uv":
		return uv
	case "pipx":
		return pipx
	case "docker", "podman", "podman-remote", "nerdctl", "finch", "container":
		return container
	case "deno":
		return deno
	case "dx":
		return func(s *scan, _ string, command word, args []word, depth int) []subject {
			return s.denoRun("deno x", command, args, depth)
		}
	case "dnx":
		return dnx
	case "dotnet":
		return dotnet
	case "go":
		return golang
	case "corepack":
		return corepack
	case "nix":
		return nixRun
	case "jbang":
		return jbang
	}
	if _, ok := interpreters[interpreter(p)]; ok {
		return interpret
	}
	if _, ok := runners[p]; ok {
		return project
	}
	if reason, ok := unsupported[p]; ok {
		return func(s *scan, p string, command word, args []word, depth int) []subject {
			return append(named(p, []subject{unknown(command.at, reason)}), s.mentioned(args, p != "xargs", depth)...)
		}
	}
	return nil
}

// unsupported are launchers that are known and not analysed.
var unsupported = map[string]string{
	"ssh":            "it runs on another machine",
	"docker-compose": "the compose file says what runs",
	"podman-compose": "the compose file says what runs",
	"runas":          "what it starts belongs to another user",
	"su":             "what it starts belongs to another user",
	"crontab":        "it starts programs at other times",
	"eval":           "it runs text as a program",
	"xargs":          "it runs what its input says",
	"start":          "the program that it starts cannot be told",
	"kubectl":        "it runs inside of a cluster",
	"cmd":            "no command follows",
	"curl":           "it fetches what it runs",
	"wget":           "it fetches what it runs",
	"script":         "the program that it starts cannot be told",
	"osascript":      "it runs a script given as text",
}

// command analyses a command line. It returns at least one subject, the
// outermost first.
func (s *scan) command(words []word, depth int) []subject {
	if len(words) == 0 {
		return []subject{unknown(place{}, "there is no command")}
	}
	if depth > maxUnwrap {
		return []subject{unknown(words[0].at, fmt.Sprintf("it is wrapped more than %d times", maxUnwrap))}
	}
	if s.commands++; s.commands > maxCommands {
		return []subject{unknown(words[0].at, fmt.Sprintf("it names more than %d commands", maxCommands))}
	}
	if out := s.assigned(words, depth); out != nil {
		return out
	}
	if out := s.split(words, depth); out != nil {
		return out
	}
	head, args := unquotedHead(words[0]), words[1:]
	if file, ok := s.impostor(head); ok {
		return []subject{file}
	}
	if out := s.unwrap(head, args, depth); out != nil {
		return limited(out)
	}
	p := program(head.text)
	launch := launchersOf(p)
	if launch != nil && ownFile(head.text) {
		if _, ok := interpreters[interpreter(p)]; !ok {
			launch = nil
		}
	}
	if launch != nil {
		if out := launch(s, p, head, args, depth); out != nil {
			out[0].start.complete(head, args)
			return limited(out)
		}
		if len(args) > 0 && servesItself(args[0]) {
			return limited(s.direct(head, args))
		}
		return named(p, []subject{unknown(head.at, "the launcher is known, but not used in this way")})
	}
	if inner := nested(s.proxied(p, args, depth)); len(inner) > 0 {
		return limited(append(s.direct(head, args), inner...))
	}
	if out := s.stranger(head, args, depth); out != nil {
		return limited(out)
	}
	return limited(s.direct(head, args))
}

// unquotedHead takes blanks and quotes off a program that is known without them:
// clients that use a shell start it.
func unquotedHead(w word) word {
	if bare := strings.Trim(w.text, " \t\r\n\"'"); bare != w.text && (launchersOf(program(bare)) != nil || isWrapper(program(bare))) {
		w.text = bare
	}
	return w
}

// limited says in the last place that there is more than one server may have.
func limited(out []subject) []subject {
	if len(out) <= maxSubjects {
		return out
	}
	more := unknown(out[maxSubjects-1].at, fmt.Sprintf("it names more than %d things to run", maxSubjects))
	more.launch.Nested = true
	return append(out[:maxSubjects-1], more)
}

// direct is a command that is no launcher: a path, or a program from PATH.
func (s *scan) direct(head word, _ []word) []subject {
	switch {
	case isVariable(head.text) && !isPath(head.text):
		return []subject{unknown(head.at, "the program is named by a variable")}
	case strings.Contains(head.text, "://"):
		return []subject{unknown(head.at, "the command is a URL")}
	case isPath(head.text):
		if own, ok := s.installed(head); ok {
			return []subject{own}
		}
		out := local(head, "path")
		return []subject{out}
	default:
		return []subject{{at: head.at, launcher: "path-binary", launch: sbom.Launch{Kind: sbom.KindBinary, Pin: sbom.PinUnknown, Spec: redactPath(head.text)}}}
	}
}

var windowsProgram = lazyregexp.New(`(?i)^"?([a-z]:[\\/]|%[a-z_()0-9]+%[\\/]|\\\\)[^"|&<>]*?\.(exe|cmd|bat|ps1|com)"?(\s|$)`)

// assigned is a command that begins with NAME=value. Only clients that join the
// words for a shell take it for a variable, so what is run cannot be told; but
// the value is none to show. It returns nil where there is no such beginning, or
// where the shell string is for split.
func (s *scan) assigned(words []word, depth int) []subject {
	parts := fieldsOf(words[0])
	if len(parts) == 0 || len(words) == 1 && len(parts) > 1 {
		return nil
	}
	if _, _, ok := assignment(parts[0].text); !ok {
		return nil
	}
	rest := slices.Concat(parts, words[1:])
	for len(rest) > 0 {
		name, value, ok := assignment(rest[0].text)
		if !ok {
			break
		}
		s.variable(name, value, rest[0].at)
		rest = rest[1:]
	}
	out := []subject{unknown(words[0].at, "a variable is assigned where the program should stand")}
	if len(rest) == 0 {
		return out
	}
	s.words(rest)
	return limited(append(out, nested(worthNaming(s.command(rest, depth+1)))...))
}

// split takes a whole command line apart that somebody put into "command". It
// returns nil where the first word is one word.
func (s *scan) split(words []word, depth int) []subject {
	head := words[0]
	text := strings.TrimSpace(head.text)
	if !strings.ContainsFunc(text, unicode.IsSpace) {
		return nil
	}
	if m := windowsProgram.FindString(text); m != "" {
		first := word{text: strings.Trim(strings.TrimSpace(m), `"`), at: head.at}
		if len(m) == len(text) {
			return s.whole(first, words[1:], depth) // below "Program Files": one word after all
		}
		rest := fieldsOf(word{text: text[len(m):], at: head.at})
		s.words(rest)
		return s.command(slices.Concat([]word{first}, rest, words[1:]), depth+1)
	}
	if len(words) > 1 && isPath(text) && !strings.ContainsFunc(blankFolder.ReplaceAllString(text, "/"), unicode.IsSpace) {
		return s.whole(word{text: text, at: head.at}, words[1:], depth)
	}
	first := program(strings.Fields(text)[0])
	if len(words) > 1 {
		// Most clients would look for a program with a blank in its name, but
		// those that use a shell join the words.
		if launchersOf(first) == nil && !isWrapper(first) {
			return s.blank(head, words[1:])
		}
		parts := fieldsOf(word{text: text, at: head.at})
		s.words(parts)
		if strings.ContainsAny(text, "|&;<>()$`\n") {
			return s.script(head.at, "command", ended(slices.Concat(parts, words[1:])), "it is more than one simple command", depth)
		}
		return s.command(slices.Concat(parts, words[1:]), depth+1)
	}
	_, _, assigns := assignment(text)
	if !assigns && isPath(strings.Fields(text)[0]) && launchersOf(first) == nil && !isWrapper(first) && !strings.ContainsAny(text, "|&;<>$`\"'") {
		return s.blank(head, nil)
	}
	return s.shell(word{text: text, at: head.at}, "command", depth+1)
}

// blankFolder matches the folders of systems that have blanks in their names. Of
// any other text a blank may end the program, and what follows be nobody's to see.
var blankFolder = lazyregexp.New(`/(Application Support|Mobile Documents|Group Containers|Program Files( \(x86\))?|Common Files)/|^~?/Applications/[^/]+\.app/`)

// whole is a path with blanks that is one word.
func (s *scan) whole(head word, args []word, depth int) []subject {
	if out := s.unwrap(head, args, depth); out != nil {
		return out
	}
	if launchersOf(program(head.text)) == nil {
		return s.direct(head, args)
	}
	return s.known(head, args, depth)
}

// blank is a program with blanks in its name. "/opt/My Tools/server" and
// "/opt/server --flag" look the same, so only the part before the first blank is
// shown, which is in both.
func (s *scan) blank(head word, args []word) []subject {
	s.words(fieldsOf(head))
	return s.direct(word{text: strings.Fields(head.text)[0], at: head.at}, args)
}

// known runs the launcher of a program that is known to have one.
func (s *scan) known(head word, args []word, depth int) []subject {
	p := program(head.text)
	if _, ok := interpreters[interpreter(p)]; ownFile(head.text) && !ok {
		return s.direct(head, args)
	}
	if out := launchersOf(p)(s, p, head, args, depth); out != nil {
		out[0].start.complete(head, args)
		return out
	}
	return named(p, []subject{unknown(head.at, "the launcher is known, but not used in this way")})
}

// fieldsOf splits at blanks as cmd.exe and most clients do: double and single
// quotes hold together, a backslash is a backslash.
func fieldsOf(w word) []word {
	var out []word
	var b strings.Builder
	quote, open := rune(0), false
	flush := func() {
		if open {
			out = append(out, word{text: b.String(), at: w.at, open: w.open})
			b.Reset()
			open = false
		}
	}
	for _, r := range w.text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && unicode.IsSpace(r):
			flush()
		default:
			b.WriteRune(r)
			open = true
		}
	}
	flush()
	return out
}

// options is the grammar of a launcher's options: those that take the next
// word, and those that take none.
type options struct {
	value, boolean []string

	// swallow: an option that neither list has takes the next word, unless that
	// begins with a dash. Else such an option makes the rest ambiguous.
	swallow bool
	// exact: an option is whole only as the lists have it. What has a value and
	// should have none, or a value that may turn into something else, makes the
	// rest ambiguous: so read launchers that share npm's parser.
	exact bool
	// cluster: single letters may stand together (-it), the last one taking the
	// value.
	cluster bool
	// loose: an option that neither list has takes nothing.
	loose bool
	// interspersed: options may stand behind the first positional word.
	interspersed bool
}

type option struct {
	name  string // with its dashes
	value *word
	at    place
}

// parsed is a command line taken apart.
type parsed struct {
	options []option
	rest    []word // from the first positional word on; without the options where they are interspersed
	dashes  int    // index in rest of what follows a "--", -1 where there is none
	unclear *word  // the first word of which one cannot tell what it does
	behind  []word // what follows that one, as far as it was not parsed
}

func (p parsed) values(names ...string) []word {
	var out []word
	for _, o := range p.options {
		if o.value != nil && slices.Contains(names, o.name) {
			out = append(out, *o.value)
		}
	}
	return out
}

func (p parsed) has(names ...string) bool {
	return slices.ContainsFunc(p.options, func(o option) bool { return slices.Contains(names, o.name) })
}

// set returns the spaces-separated words, for the tables of options.
func set(s string) []string { return strings.Fields(s) }

// oneOf reports whether a word is one of those, without making a list of them.
func oneOf(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}

func (g options) parse(args []word) parsed {
	p := parsed{dashes: -1}
	for i := 0; i < len(args); i++ {
		w := args[i]
		if w.open {
			return p.stop(args, i)
		}
		switch {
		case w.text == "--":
			p.dashes = len(p.rest)
			p.rest = append(p.rest, args[i+1:]...)
			return p
		case len(w.text) < 2 || w.text[0] != '-':
			p.rest = append(p.rest, w)
			if !g.interspersed {
				p.rest = append(p.rest, args[i+1:]...)
				return p
			}
		default:
			var next *word
			if i+1 < len(args) {
				next = &args[i+1]
			}
			if g.exact && !g.whole(w, next) {
				return p.stop(args, i)
			}
			if g.option(&p, w, next) {
				if next.open {
					return p.stop(args, i+1)
				}
				i++
			}
		}
	}
	return p
}

// whole reports whether an option is exactly one of the lists.
func (g options) whole(w word, next *word) bool {
	name, value, hasValue := strings.Cut(w.text, "=")
	switch {
	case slices.Contains(g.value, name) && hasValue:
		return plainValue(value)
	case slices.Contains(g.value, name):
		return next != nil && plainValue(next.text)
	case hasValue:
		return slices.Contains(g.boolean, name) && (value == "true" || value == "false")
	default:
		return slices.Contains(g.boolean, name) && (next == nil || !slices.Contains(npmWords, next.text))
	}
}

// option adds one option, and reports whether it took the next word.
func (g options) option(p *parsed, w word, next *word) bool {
	name, value, hasValue := strings.Cut(w.text, "=")
	if hasValue {
		if len(name) > 2 && name[1] != '-' && g.cluster {
			return g.letters(p, w, nil) // -eKEY=value, -itv=/a:/b
		}
		p.options = append(p.options, option{name, &word{text: value, at: w.at}, w.at})
		return false
	}
	switch {
	case slices.Contains(g.value, name):
		p.options = append(p.options, option{name, next, w.at})
		return next != nil
	case slices.Contains(g.boolean, name):
		p.options = append(p.options, option{name, nil, w.at})
		return false
	case g.swallow && (!g.interspersed && name[1] != '-' && len(name) > 2):
		// Letters put together, such as -yp: npm has two ways to read them.
	case g.swallow:
		if next != nil && !strings.HasPrefix(next.text, "-") && !strings.HasPrefix(name, "--no-") {
			p.options = append(p.options, option{name, next, w.at})
			return true
		}
		p.options = append(p.options, option{name, nil, w.at})
		return false
	case g.cluster && name[1] != '-' && len(name) > 2:
		return g.letters(p, w, next)
	case g.loose:
		p.options = append(p.options, option{name, nil, w.at})
		return false
	}
	p.options = append(p.options, option{name, nil, w.at})
	if p.unclear == nil {
		p.unclear = &w
	}
	return false
}

// letters takes -itv apart: the first letter with a value takes the rest of the
// word, or the next word.
func (g options) letters(p *parsed, w word, next *word) bool {
	for i := 1; i < len(w.text); i++ {
		name := "-" + w.text[i:i+1]
		if slices.Contains(g.value, name) {
			if i+1 < len(w.text) {
				// pflag drops a "=" in front of the value: -v=/a:/b.
				value := strings.TrimPrefix(w.text[i+1:], "=")
				p.options = append(p.options, option{name, &word{text: value, at: w.at}, w.at})
				return false
			}
			p.options = append(p.options, option{name, next, w.at})
			return next != nil
		}
		if i+1 < len(w.text) && w.text[i+1] == '=' && slices.Contains(g.boolean, name) {
			p.options = append(p.options, option{name, &word{text: w.text[i+2:], at: w.at}, w.at}) // -it=true
			return false
		}
		p.options = append(p.options, option{name, nil, w.at})
		if !slices.Contains(g.boolean, name) && p.unclear == nil {
			p.unclear = &w
		}
	}
	return false
}

func ambiguous(w word) subject {
	if w.open {
		return unknown(w.at, "a shell makes something else of a word in "+w.at.where+", so what is run cannot be told")
	}
	return unknown(w.at, "the option in "+w.at.where+" is not one that can be told exactly, so neither can what is run")
}
