package mcp

import (
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"
)

// How npm 11 reads its command line, which decides what npx runs. The names and
// types are those of npm's configuration ("npm help config", and the shorthands
// of the same page). npm guesses at everything else: it completes abbreviations,
// takes letters apart, and makes an argument of the value of a switch. What is
// not exactly one of these options with a plain value is therefore ambiguous
// here: a guess that differs from npm's would name the wrong package.
var (
	// npmSwitches take no value but true or false.
	npmSwitches = names(`all allow-same-version allow-scripts-pending allow-scripts-pin audit bin-links
		bypass-2fa color commit-hooks dangerously-allow-all-scripts description dev diff-ignore-all-space
		diff-name-only diff-no-prefix diff-text dry-run engine-strict expect-results force foreground-scripts
		format-package-lock fund git-tag-version global global-style if-present ignore-scripts
		include-attestations include-staged include-workspace-root init-private install-links json
		legacy-bundling legacy-peer-deps link long offline omit-lockfile-registry-resolved optional
		package-lock package-lock-only packages-all parseable prefer-dedupe prefer-offline prefer-online
		production progress provenance read-only rebuild-bundle save save-bundle save-dev save-exact
		save-optional save-peer save-prod shrinkwrap sign-git-commit sign-git-tag strict-allow-scripts
		strict-peer-deps strict-ssl timing unicode update-notifier usage version versions workspaces
		workspaces-update yes`)
	// npmValues take the next word. Missing is --browser: it is a switch and takes
	// a value, and swallows the "--" behind which npx puts the package.
	npmValues = names(`_auth access allow-directory allow-file allow-git allow-remote allow-scripts also
		audit-level auth-type before ca cache cache-max cache-min cafile call cert cidr cpu depth diff
		diff-dst-prefix diff-src-prefix diff-unified editor expect-result-count expires fetch-retries
		fetch-retry-factor fetch-retry-maxtimeout fetch-retry-mintimeout fetch-timeout git globalconfig
		heading https-proxy include init-author-email init-author-name init-author-url init-license
		init-module init-type init-version init.author.email init.author.name init.author.url init.license
		init.module init.version install-strategy key libc local-address location lockfile-version loglevel
		logs-dir logs-max maxsockets message min-release-age min-release-age-exclude name node-gyp
		node-options noproxy omit only orgs orgs-permission os otp pack-destination package packages
		packages-and-scopes-permission password prefix preid provenance-file proxy registry
		replace-registry-host save-prefix sbom-format sbom-type scope scopes script-shell searchexclude
		searchlimit searchopts searchstaleness shell tag tag-version-prefix token-description umask
		user-agent userconfig viewer which workspace`)
	// npm11Only are those of them that npm 10 does not know. It makes an argument of
	// the value of such an option, which npm 11 swallows, so the package is
	// certain only where the value stands behind a "=".
	npm11Only = names(`allow-directory allow-file allow-git allow-remote allow-scripts allow-scripts-pending
		allow-scripts-pin bypass-2fa dangerously-allow-all-scripts expires include-attestations init-private
		init-type min-release-age min-release-age-exclude name node-gyp orgs orgs-permission packages
		packages-all packages-and-scopes-permission password scopes strict-allow-scripts token-description`)
	// npmShort are the shorthands; those with a value of their own end in "=".
	npmShort = map[string]string{
		"a": "all", "c": "call", "f": "force", "g": "global", "L": "location", "l": "long", "m": "message",
		"p": "parseable", "C": "prefix", "S": "save", "B": "save-bundle", "D": "save-dev", "E": "save-exact",
		"O": "save-optional", "P": "save-prod", "?": "usage", "H": "usage", "h": "usage", "v": "version",
		"w": "workspace", "y": "yes", "desc": "description", "help": "usage", "porcelain": "parseable",
		"readonly": "read-only", "reg": "registry", "iwr": "include-workspace-root", "ws": "workspaces",
		"enjoy-by": "before", "n": "no-yes", "no": "no-yes", "local": "no-global",
		"d": "loglevel=", "dd": "loglevel=", "ddd": "loglevel=", "quiet": "loglevel=", "q": "loglevel=",
		"s": "loglevel=", "silent": "loglevel=", "verbose": "loglevel=",
	}
	// npmScoped are the keys that hold a scope or a registry in their name. npm
	// knows none of them as an option, so it reads their value only behind a "=".
	npmScoped = lazyregexp.New(`^(@[^:=]+:registry|//[^=]+:[A-Za-z_]+)$`)
	// npmWords are values that npm gives to a switch in front of them.
	npmWords = set("true false null always")
)

func names(list string) map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(list) {
		out[name] = true
	}
	return out
}

// npmKey is one word of a command line that begins with a dash, as npm takes it.
type npmKey struct {
	name     string // of the configuration key; "" where it is none
	value    string // behind a "="
	hasValue bool
	negated  bool // --no-NAME
	whole    bool // a shorthand that has its value already
}

// keyOf reads an option exactly: two dashes and a name, or a shorthand.
func keyOf(text string, npx bool) npmKey {
	head, value, hasValue := strings.Cut(text, "=")
	name := strings.TrimLeft(head, "-")
	dashes := len(head) - len(name)
	k := npmKey{name: name, value: value, hasValue: hasValue}
	if npx {
		// npx replaces these before npm sees them.
		switch name {
		case "p":
			k.name = "package"
			return k.dashed(dashes, len(name) == 1)
		case "shell":
			k.name = "script-shell"
			return k.dashed(dashes, false)
		case "no-install":
			k.name, k.negated = "yes", true
			return k.dashed(dashes, false)
		case "always-spawn", "ignore-existing":
			k.name, k.whole = "usage", true // removed, and never with a value
			return k.dashed(dashes, false)
		case "n":
			return npmKey{} // removed together with the word behind it
		}
	}
	if long, ok := npmShort[name]; ok {
		if hasValue {
			return npmKey{} // npx makes two words of it
		}
		k.name, k.whole = strings.CutSuffix(long, "=")
		k.name, k.negated = strings.CutPrefix(k.name, "no-")
		return k.dashed(dashes, true)
	}
	if npmSwitches[name] || npmValues[name] || npmScoped.MatchString(name) {
		return k.dashed(dashes, false)
	}
	if rest, ok := strings.CutPrefix(name, "no-"); ok && npmSwitches[rest] {
		k.name, k.negated = rest, true
		return k.dashed(dashes, false)
	}
	return npmKey{}
}

// dashed holds the key to its usual dashes: two, or one where it is short.
func (k npmKey) dashed(n int, short bool) npmKey {
	if n == 2 || n == 1 && short {
		return k
	}
	return npmKey{}
}

// takesNext reports whether the option has its value in the next word.
func (k npmKey) takesNext() bool {
	return !k.hasValue && !k.whole && !k.negated && npmValues[k.name]
}

// plain reports whether the option, with next behind it, means the same to every
// reader of the command line.
func (k npmKey) plain(next *word) bool {
	switch {
	case k.name == "", npm11Only[k.name] && !k.hasValue:
		return false
	case k.takesNext():
		return next != nil && plainValue(next.text) && !next.open
	case k.hasValue && (k.whole || k.negated): // npx makes no sense of it
		return false
	case k.hasValue && npmSwitches[k.name]:
		return k.value == "true" || k.value == "false"
	case k.hasValue:
		return plainValue(k.value) || k.name == "node-options" && harmlessForNode(k.value)
	case npmScoped.MatchString(k.name):
		return false
	default:
		return k.whole || next == nil || !slices.Contains(npmWords, next.text)
	}
}

// plainValue reports whether a value is taken for one: not for an option, and
// not for something else once a variable in it is replaced.
func plainValue(value string) bool {
	return value != "" && value[0] != '-' && !strings.ContainsAny(value, "${%`")
}

// npmParse takes the arguments of npm apart, or those of npx, whose own options
// end at the package.
func npmParse(args []word, npx bool) parsed {
	p := parsed{dashes: -1}
	end := len(args)
	if npx {
		end = npxEnd(args)
	}
	for i := 0; i < end; i++ {
		w := args[i]
		if w.open {
			return p.stop(args, i)
		}
		if w.text == "--" {
			p.dashes = len(p.rest)
			p.rest = append(p.rest, args[i+1:]...)
			return p
		}
		if !strings.HasPrefix(w.text, "-") {
			p.rest = append(p.rest, w)
			continue
		}
		var next *word
		if i+1 < len(args) {
			next = &args[i+1]
		}
		k := keyOf(w.text, npx)
		if !k.plain(next) {
			return p.stop(args, i)
		}
		o := option{name: "--" + k.name, at: w.at}
		switch {
		case k.takesNext():
			o.value = next
			i++
		case k.hasValue && !npmSwitches[k.name]:
			o.value = &word{text: k.value, at: w.at}
		case k.negated || k.value == "false":
			o.name = "--no-" + k.name
		case npmAltering[k.name]:
			o.value = &w // a switch, of which origin wants to know the place
		}
		p.options = append(p.options, o)
	}
	p.rest = append(p.rest, args[end:]...)
	return p
}

// stop ends the parsing at an option that cannot be told. What follows is kept,
// to be named but not relied on.
func (p parsed) stop(args []word, i int) parsed {
	p.unclear = &args[i]
	p.behind = args[i+1:]
	return p
}

// npxEnd is where npx itself takes a word for the package, so that everything
// from there on belongs to the package. It skips the word behind every option
// that it does not know as a switch, and it does not know --no-NAME.
func npxEnd(args []word) int {
	for i := 0; i < len(args); i++ {
		text := args[i].text
		if text == "--" {
			return len(args)
		}
		if !strings.HasPrefix(text, "-") {
			return i
		}
		k := keyOf(text, true)
		installs := strings.TrimLeft(text, "-") == "no-install"
		if k.hasValue || k.whole || installs || k.name != "" && !k.negated && npmSwitches[k.name] {
			continue
		}
		if i+1 < len(args) && !strings.HasPrefix(args[i+1].text, "-") {
			i++
		}
	}
	return len(args)
}
