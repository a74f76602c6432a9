package npm

import (
	"path/filepath"
	"strings"

	"countermark/sbom/lazyregexp"
)

// environment is what the process environment says, as data.
type environment struct {
	vars    map[string]string // as written
	npm     map[string]string // npm_config_*: the key as a .npmrc has it → value
	folded  map[string]string // by lower-case name, for the proxy variables
	inside  bool              // we run inside npm (npm run, npx), which exports its whole configuration
	ordered []string          // keys of npm, for a stable order of messages
}

const npmConfigPrefix = "npm_config_"

// readEnviron takes "NAME=value" strings, as os.Environ gives them.
func readEnviron(environ []string) environment {
	e := environment{vars: map[string]string{}, npm: map[string]string{}, folded: map[string]string{}}
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			continue
		}
		e.vars[name] = value
		lower := strings.ToLower(name)
		e.folded[lower] = value
		if value == "" || !strings.HasPrefix(lower, npmConfigPrefix) {
			continue
		}
		key := name[len(npmConfigPrefix):]
		if key == "" {
			continue
		}
		if !strings.HasPrefix(key, "//") {
			// A leading underscore belongs to the key; all others stand for hyphens.
			key = strings.ToLower(key[:1] + strings.ReplaceAll(key[1:], "_", "-"))
		}
		if _, seen := e.npm[key]; !seen {
			e.ordered = append(e.ordered, key)
		}
		e.npm[key] = value
	}
	e.inside = e.vars["npm_execpath"] != ""
	return e
}

// echoes reports whether npm_config_<key> may be nothing but the project's own
// .npmrc: npm exports the merged configuration to what it runs, so inside of npx
// an attacker's line would come back as if the user had written it.
func (e environment) echoes(key string, project *File) bool {
	if !e.inside || project == nil {
		return false
	}
	for _, entry := range project.Entries {
		if entry.Section != "" {
			continue
		}
		name := entry.Key
		if hasVariable(name) {
			name, _ = e.expand(name)
		}
		if name == key {
			return true
		}
	}
	return false
}

// UserConfig returns the path of the user's .npmrc: what NPM_CONFIG_USERCONFIG
// says, else .npmrc in the home folder (empty without one). A userconfig that the
// project's own file tries to set is not followed, even if npm exported it.
func UserConfig(environ []string, home string, project *File) string {
	e := readEnviron(environ)
	if path := e.npm["userconfig"]; path != "" && !e.echoes("userconfig", project) {
		path, _ = e.expand(path)
		return inHome(path, home)
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".npmrc")
}

func inHome(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	return path
}

// variable matches ${NAME} and ${NAME?} with the backslashes before it. An odd
// number of them makes it plain text; without the ?, an unset variable stays as
// written.
var variable = lazyregexp.New(`(\\*)\$\{([^${}?]+)(\?)?\}`)

func hasVariable(s string) bool {
	for _, m := range variable.FindAllStringSubmatch(s, -1) {
		if len(m[1])%2 == 0 {
			return true
		}
	}
	return false
}

// expand replaces variables as npm does, and returns the names of those that
// are demanded but not set.
func (e environment) expand(s string) (expanded string, unset []string) {
	var b strings.Builder
	end := 0
	for _, m := range variable.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(s[end:m[0]])
		end = m[1]
		slashes, name, optional := m[3]-m[2], s[m[4]:m[5]], m[6] >= 0
		if slashes%2 == 1 {
			b.WriteString(s[m[0]+(slashes+1)/2 : m[1]])
			continue
		}
		b.WriteString(strings.Repeat(`\`, slashes/2))
		value, ok := e.vars[name]
		switch {
		case ok:
			b.WriteString(value)
		case !optional:
			b.WriteString("${" + name + "}")
			unset = append(unset, name)
		}
	}
	b.WriteString(s[end:])
	return b.String(), unset
}
