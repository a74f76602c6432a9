package npm

import (
	"fmt"

	"countermark/sbom/lazyregexp"
)

// bareCredentials are bound to no registry. npm refuses them since version 9.
var bareCredentials = map[string]bool{
	"_authToken": true, "_auth": true, "_password": true, "_authtoken": true, "-authtoken": true, "password": true,
}

// unsafeKeys are settings that a project has no business with, and why: those
// that steer the network, the programs that run, which package is fetched or run,
// from where, and whether the lockfile counts. How a tree is laid out, what is
// printed, and what npm writes when somebody adds a package is the project's own
// affair (npm's documentation, "config"). Some are harmless in one value, see
// harmlessValue.
var unsafeKeys = map[string]string{
	"proxy":         "sends all requests through another host",
	"https-proxy":   "sends all requests through another host",
	"http-proxy":    "sends all requests through another host",
	"noproxy":       "takes hosts off the user's proxy",
	"no-proxy":      "takes hosts off the user's proxy",
	"local-address": "chooses the network interface",

	"ca":         "replaces the authorities of TLS",
	"cafile":     "replaces the authorities of TLS",
	"cert":       "chooses the client certificate of TLS",
	"key":        "chooses the client certificate of TLS",
	"certfile":   "chooses the client certificate of TLS",
	"keyfile":    "chooses the client certificate of TLS",
	"strict-ssl": "changes the verification of TLS certificates",

	"userconfig":   "replaces the user's own configuration",
	"globalconfig": "replaces the machine's configuration",
	"prefix":       "moves the machine's configuration and global packages",
	"global":       "makes commands act on the machine instead of the project",
	"location":     "makes commands act on the machine instead of the project",
	"cache":        "moves the cache",
	"tmp":          "moves the temporary files",
	"logs-dir":     "moves the logs",

	"package":               "replaces what npx fetches and runs",
	"call":                  "replaces what npx runs",
	"workspace":             "chooses in which folder commands run",
	"workspaces":            "chooses in which folders commands run",
	"yes":                   "answers npx's question whether to run something new",
	"package-lock":          "makes npm ignore the lockfile",
	"shrinkwrap":            "makes npm ignore the lockfile",
	"replace-registry-host": "replaces the hosts that the lockfile names",

	"dangerously-allow-all-scripts": "lets every package run code when it is installed",

	"git":          "chooses a program that npm runs",
	"shell":        "chooses a program that npm runs",
	"script-shell": "chooses a program that npm runs",
	"editor":       "chooses a program that npm runs",
	"viewer":       "chooses a program that npm runs",
	"browser":      "chooses a program that npm runs",
	"node-gyp":     "chooses a program that npm runs",
	"python":       "chooses a program that npm runs",
	"init-module":  "chooses a program that npm runs",
	"init.module":  "chooses a program that npm runs",
	"node-options": "changes how every Node program runs",
	"nodedir":      "chooses the headers that native code is built with",
	"disturl":      "chooses from where native code gets its headers",
	"dist-url":     "chooses from where native code gets its headers",

	"user-agent": "changes what every registry is told",
	"otp":        "sends a one-time password to every registry",
}

// binaryHost matches the settings by which the install scripts of well-known
// packages are told from where to download programs. npm knows none of them, and
// hands them all to those scripts.
var binaryHost = lazyregexp.New(`(?i)[_-](mirror|binary[_-](host|site)([_-]mirror)?|download[_-](host|base[_-]?url)|cdnurl)$`)

// unsafe says why a setting is unsafe, "" where it is not.
func unsafe(key, value string) string {
	if harmlessValue(key, trim(value)) {
		return ""
	}
	if why := unsafeKeys[key]; why != "" {
		return why
	}
	if binaryHost.MatchString(key) {
		return "chooses from where install scripts download programs"
	}
	return ""
}

// harmlessValue reports whether the value only says what npm does by itself, or
// less.
func harmlessValue(key, value string) bool {
	switch key {
	case "package-lock", "shrinkwrap":
		return value == "true"
	case "global", "yes", "workspaces", "dangerously-allow-all-scripts":
		return isFalse(value)
	case "location":
		return value == "project"
	case "replace-registry-host":
		return value == "npmjs" || value == "never"
	case "node-options": // memory limits and the like change nothing of what runs
		return !loadsCode.MatchString(value)
	}
	return false
}

// loadsCode finds the options of Node that load code or another configuration.
// Quotes and underscores are taken for what Node takes them for.
var loadsCode = lazyregexp.New(`(?i)["'\\]|(^|\s)(-r|--(require|import|(experimental[-_])?loader|experimental[-_](default[-_])?config[-_]file|env[-_]file|openssl[-_]config|inspect))`)

const (
	fixMove   = "remove the line; what it is for belongs into the user's own .npmrc"
	fixSecret = "revoke the credential, remove it from the file and its history, and put the new one into the user's own .npmrc or the CI's secrets"
	fixHost   = "move the line into the user's own .npmrc, or name the host there (or with --registry)"
	fixHTTPS  = "use https:"
)

// projectFile reads the project's file: registries and scopes, and credentials
// by variable for hosts that the user's own configuration names. All else that
// steers is an issue.
func (b *configBuilder) projectFile(f *File) (settings, error) {
	layer := settings{}
	if f == nil {
		return layer, nil
	}
	for _, e := range f.Entries {
		p := projectEntry{configBuilder: b, path: f.Path, Entry: e}
		if err := p.read(layer); err != nil {
			return nil, err
		}
	}
	return layer, nil
}

// projectEntry is one line under suspicion.
type projectEntry struct {
	*configBuilder
	path string
	Entry
}

func (p *projectEntry) read(layer settings) error {
	_, _, name, nerf := nerfKey(p.Key)
	switch {
	case p.Section != "":
		// npm gives it no effect. A secret in it is one all the same.
		if (bareCredentials[p.Key] || credentialNames[name] && name != "username") && p.literal() {
			p.issue(p.Key, "holds a literal credential", fixSecret)
		}
	case hasVariable(p.Key):
		p.issue(variable.FindString(p.Key), "has an environment variable in the key", fixMove)
	case p.Key == "registry" || scopedRegistry(p.Key):
		return p.registry(layer)
	case p.Key == "scope" && hasVariable(p.Value):
		p.issue(p.Key, "has an environment variable in the scope", fixMove)
	case p.Key == "scope":
		layer.set(p.Key, p.Value, p.path, p.Line, p.Array)
	case nerf:
		p.bound(layer, name)
	case bareCredentials[p.Key] && p.literal():
		p.issue(p.Key, "holds a literal credential", fixSecret)
	case bareCredentials[p.Key]:
		p.issue(p.Key, "sends a credential to whatever registry is configured", fixMove)
	case unsafe(p.Key, p.Value) != "":
		p.issue(p.Key, unsafe(p.Key, p.Value), fixMove)
	}
	return nil
}

// registry reads a registry line. One that is refused stays in the layer as
// refused: its packages belong to it, so no other registry may be asked for them.
func (p *projectEntry) registry(layer settings) error {
	s := setting{values: []string{p.Value}, array: p.Array, path: p.path, line: p.Line, project: true}
	if s.value() == "" {
		return nil
	}
	refuse := func(message, fix string) {
		s.refused = p.issue(p.Key, message, fix)
		layer[p.Key] = s
	}
	if hasVariable(p.Value) {
		// A known authority holds no variable, so what is expanded below stands
		// behind it and cannot change the host.
		if !p.known[withoutDefaultPort(p.Value, authority(p.Value))] {
			refuse("sends an environment variable to a host that the user's own configuration does not name", fixHost)
			return nil
		}
		expanded, unset := p.env.expand(p.Value)
		if len(unset) > 0 {
			return s.errorf("set the variable, or remove the line", "%s: the environment variable %s is not set", redactKey(p.Key), unset[0])
		}
		s.values, s.expanded = []string{expanded}, true
	}
	u, err := p.parse(p.Key, s)
	switch {
	case err != nil:
		return err
	case u.User != nil:
		refuse("holds a literal credential", fixSecret)
	case plain(u):
		refuse("is an http: URL, whose answers everybody on the way can change", fixHTTPS)
	default:
		layer[p.Key] = s
	}
	return nil
}

// bound reads a setting that is bound to a host: //host/:name.
func (p *projectEntry) bound(layer settings, name string) {
	host, _, _, _ := nerfKey(p.Key)
	switch {
	case name == "email" || name == "always-auth" || trim(p.Value) == "":
	case !credentialNames[name]:
		p.issue(p.Key, "changes how a registry is reached", fixMove)
	case name != "username" && p.literal():
		p.issue(p.Key, "holds a literal credential", fixSecret)
	case !hasVariable(p.Value):
		layer.set(p.Key, p.Value, p.path, p.Line, p.Array)
	case !p.known[host] && host == publicURL().Host && name == "_authToken":
		// The line that the public registry's own documentation recommends. It
		// sends the token where it belongs, so it is no attack; but the public
		// registry needs none to be asked.
		p.warn(Issue{
			Path: p.path, Line: p.Line, Key: redactKey(p.Key), Fix: fixHost,
			Message: "is not followed: a project's configuration does not hand out environment variables; no such credential is sent",
		})
	case !p.known[host]:
		p.issue(p.Key, "sends an environment variable to a host that the user's own configuration does not name", fixHost)
	default:
		value, unset := p.env.expand(p.Value)
		if len(unset) > 0 {
			p.warn(Issue{
				Path: p.path, Line: p.Line, Key: redactKey(p.Key), Fix: "set the variable, or remove the line",
				Message: fmt.Sprintf("the environment variable %s is not set; no such credential is sent", unset[0]),
			})
			return
		}
		if _, err := decodeBase64(value); name == "_password" && err != nil {
			p.warn(Issue{
				Path: p.path, Line: p.Line, Key: redactKey(p.Key), Fix: "write the password in base64, as npm does",
				Message: "is no base64; no such credential is sent",
			})
			return
		}
		layer.set(p.Key, value, p.path, p.Line, p.Array)
	}
}

// literal reports whether the value holds more than variables.
func (p *projectEntry) literal() bool {
	if trim(p.Value) == "" {
		return false
	}
	rest := variable.ReplaceAllStringFunc(p.Value, func(v string) string {
		if hasVariable(v) {
			return ""
		}
		return v
	})
	return trim(rest) != ""
}

func (p *projectEntry) issue(key, message, fix string) *Issue {
	i := Issue{Path: p.path, Line: p.Line, Key: redactKey(key), Message: message, Fix: fix}
	p.c.issues = append(p.c.issues, i)
	return &i
}
