package npm

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"

	"countermark/provenance/fetch"
	"countermark/sbom"
)

// Sources is everything that npm would take its configuration from. Whatever is
// absent stays zero.
type Sources struct {
	Project  *File    // the project's .npmrc: untrusted
	User     *File    // the user's .npmrc, see UserConfig
	Global   *File    // the machine's npmrc
	Environ  []string // "NAME=value", as os.Environ gives them
	Registry string   // --registry
	Home     string   // what ~/ stands for in paths
}

// Issue is something in a configuration that is not followed. In the project's
// file it is a finding of the rule npmrc-unsafe; in the user's a warning.
type Issue struct {
	Path    string // of the file, or the variable's name
	Line    int    // from 1; 0 where there are no lines
	Key     string // redacted; values are never quoted
	Message string
	Fix     string
}

// Config is the merged configuration. The zero value asks the public registry
// for everything, without credentials.
type Config struct {
	registries map[string]registry // by key: "registry", "@scope:registry"
	scope      string              // the configured scope, whose registry npm also uses for what has none
	nerf       map[string]string   // credentials by key: "//host/path/:_authToken"
	tls        map[string]setting  // client certificates by key: "//host/path/:certfile"
	network    map[string]setting  // proxies, authorities
	folded     map[string]string   // environment by lower-case name, for the proxy variables
	concealed  []*url.URL          // registries that the project's file made of environment variables
	home       string
	trusted    []string
	issues     []Issue
	warnings   []Issue
}

// registry is a configured registry, or the reason why it is not asked.
type registry struct {
	url     *url.URL
	refused *Issue
	project string // redacted; empty where the user's own configuration names it
}

// setting is a value with the place that set it.
type setting struct {
	values  []string
	array   bool
	path    string
	line    int
	refused *Issue
	project bool // set by the project's file
	// expanded says that it holds environment variables of the project's choice.
	expanded bool
}

func (s setting) value() string {
	if len(s.values) == 0 {
		return ""
	}
	v := trim(s.values[len(s.values)-1])
	if v == "null" || v == "undefined" {
		return ""
	}
	return v
}

func (s setting) errorf(hint, format string, args ...any) *ConfigError {
	return &ConfigError{Path: s.path, Line: s.line, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// settings is one layer: the last line wins, arrays collect.
type settings map[string]setting

func (s settings) set(key, value, path string, line int, array bool) {
	have, ok := s[key]
	if array || ok && have.array {
		s[key] = setting{values: append(slices.Clone(have.values), value), array: true, path: path, line: line}
		return
	}
	s[key] = setting{values: []string{value}, path: path, line: line}
}

// The names of credentials that stand behind "//host/:".
var credentialNames = map[string]bool{"_authToken": true, "_auth": true, "_password": true, "username": true}

// networkKeys say how the network is reached. Only the user may set them.
var networkKeys = map[string]bool{
	"proxy": true, "https-proxy": true, "noproxy": true, "ca": true, "cafile": true, "strict-ssl": true,
	"cert": true, "key": true,
}

// NewConfig merges the sources: global file, user's file, project's file,
// npm_config_* variables and --registry, the last one wins. The error is a
// *ConfigError.
func NewConfig(s Sources) (*Config, error) {
	b := &configBuilder{
		c:       &Config{registries: map[string]registry{}, nerf: map[string]string{}, tls: map[string]setting{}, network: map[string]setting{}, home: s.Home},
		env:     readEnviron(s.Environ),
		known:   map[string]bool{},
		trusted: map[string]bool{publicURL().String(): true},
		basic:   map[string]string{},
	}
	b.c.folded = b.env.folded
	global, err := b.ownFile(s.Global)
	if err != nil {
		return nil, err
	}
	user, err := b.ownFile(s.User)
	if err != nil {
		return nil, err
	}
	environ, err := b.ownEnviron(s.Project)
	if err != nil {
		return nil, err
	}
	flag := settings{}
	if s.Registry != "" {
		flag.set("registry", s.Registry, "--registry", 0, false)
	}
	for _, own := range []settings{global, user, environ, flag} {
		if err := b.learn(own); err != nil {
			return nil, err
		}
	}
	project, err := b.projectFile(s.Project)
	if err != nil {
		return nil, err
	}
	merged := settings{}
	for _, layer := range []settings{global, user, project, environ, flag} {
		maps.Copy(merged, layer)
	}
	if err := b.merge(merged); err != nil {
		return nil, err
	}
	b.loneCertificates()
	b.c.trusted = slices.Sorted(maps.Keys(b.trusted))
	return b.c, nil
}

// configBuilder holds what is needed only while a Config is built.
type configBuilder struct {
	c       *Config
	env     environment
	known   map[string]bool   // hosts that the user's own configuration names
	trusted map[string]bool   // registries that it names, redacted
	basic   map[string]string // credentials from the userinfo of the user's registry URLs, by nerf key
}

// ownFile reads a file of the user.
func (b *configBuilder) ownFile(f *File) (settings, error) {
	layer := settings{}
	if f == nil {
		return layer, nil
	}
	section := ""
	for _, e := range f.Entries {
		if e.Section != "" {
			if e.Section != section {
				b.warn(Issue{
					Path: f.Path, Line: e.Line, Key: redactKey(e.Key), Message: "stands in a [section], where npm's settings have no effect",
					Fix: "move it above the first [section]",
				})
			}
			section = e.Section
			continue
		}
		if err := b.own(layer, e.Key, e.Value, f.Path, e.Line, e.Array); err != nil {
			return nil, err
		}
	}
	return layer, nil
}

// ownEnviron reads the npm_config_* variables.
func (b *configBuilder) ownEnviron(project *File) (settings, error) {
	layer := settings{}
	for _, key := range b.env.ordered {
		name := npmConfigPrefix + key
		if b.env.echoes(key, project) {
			if key == "registry" || networkKeys[key] {
				b.warn(Issue{
					Path: name, Key: key, Message: "is ignored: npm runs this program and sets the variable from the project's .npmrc",
					Fix: "use --registry, or the user's .npmrc, or run the program outside of npm",
				})
			}
			continue
		}
		if err := b.own(layer, key, b.env.npm[key], name, 0, false); err != nil {
			return nil, err
		}
	}
	return layer, nil
}

// own puts one setting of the user into the layer, variables expanded.
func (b *configBuilder) own(layer settings, key, value, path string, line int, array bool) error {
	key, unset := b.env.expand(key)
	if len(unset) > 0 {
		b.warn(Issue{
			Path: path, Line: line, Key: "${" + unset[0] + "}", Message: "names an environment variable that is not set; the line has no effect",
			Fix: "set it, or remove the line",
		})
		return nil
	}
	_, prefix, name, nerf := nerfKey(key)
	if text := unsupported(key, name, nerf, value); text != "" {
		b.warn(Issue{Path: path, Line: line, Key: redactKey(key), Message: text, Fix: "remove the line, or do not rely on it here"})
	}
	if !nerf && !networkKeys[key] && key != "registry" && key != "scope" && !scopedRegistry(key) {
		return nil
	}
	value, unset = b.env.expand(value)
	at := setting{path: path, line: line}
	switch {
	case len(unset) > 0 && nerf:
		b.warn(Issue{
			Path: path, Line: line, Key: redactKey(key), Message: fmt.Sprintf("the environment variable %s is not set; no such credential is sent", unset[0]),
			Fix: "set the variable, or remove the line",
		})
		return nil
	case len(unset) > 0:
		return at.errorf("set the variable, or write ${"+unset[0]+"?} if it may be empty", "%s: the environment variable %s is not set", redactKey(key), unset[0])
	case nerf && name == "_password" && value != "":
		if _, err := decodeBase64(value); err != nil {
			return at.errorf("write the password in base64, as npm does", "%s: is no base64", redactKey(key))
		}
	case nerf && prefix == "//":
		return nil
	}
	layer.set(key, value, path, line, array)
	return nil
}

// unsupported says why a setting of the user that touches what this package does
// is not followed; "" where it is, or has nothing to do with it.
func unsupported(key, name string, nerf bool, value string) string {
	switch {
	case nerf && !credentialNames[name] && !certificateNames[name] && name != "email" && name != "always-auth":
		return "is not supported yet, and is ignored"
	case key == "strict-ssl" && isFalse(value):
		return "is not followed: TLS certificates are always verified; name the registry's authority with cafile"
	case bareCredentials[key]:
		return "is bound to no registry, so it is never sent (npm refuses it too); write //host/:" + key
	}
	switch key {
	case "local-address", "maxsockets", "fetch-retries", "fetch-retry-factor",
		"fetch-retry-mintimeout", "fetch-retry-maxtimeout", "fetch-timeout", "offline", "replace-registry-host":
		return "is not supported yet, and is ignored"
	}
	return ""
}

func isFalse(value string) bool {
	value = trim(value)
	return value == "false" || value == "null" || value != "" && strings.Trim(value, "0.") == ""
}

// learn collects which hosts and registries the user's own configuration names.
func (b *configBuilder) learn(own settings) error {
	for _, key := range slices.Sorted(maps.Keys(own)) {
		s := own[key]
		if host, _, _, ok := nerfKey(key); ok {
			b.known[host] = true
			continue
		}
		if key != "registry" && !scopedRegistry(key) || s.value() == "" {
			continue
		}
		u, err := b.parse(key, s)
		if err != nil {
			return err
		}
		if u.User != nil {
			password, _ := u.User.Password()
			prefix := "//" + u.Host + u.EscapedPath()
			b.basic[prefix+":_auth"] = base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
			u.User = nil
		}
		if plain(u) {
			b.warn(Issue{
				Path: s.path, Line: s.line, Key: redactKey(key), Message: "is an http: URL: everybody on the way can read the credentials and change the answers",
				Fix: "use https:",
			})
		}
		b.known[u.Host] = true
		b.trusted[sbom.RedactURL(u.String())] = true
	}
	return nil
}

func (b *configBuilder) parse(key string, s setting) (*url.URL, error) {
	if s.array {
		return nil, s.errorf("write "+redactKey(key)+"=URL, once", "%s: takes one value, not a list", redactKey(key))
	}
	u, err := parseRegistry(s.value())
	if err != nil {
		return nil, s.errorf("write "+redactKey(key)+"=https://registry.example/", "%s: %v", redactKey(key), err)
	}
	return u, nil
}

// merge turns the merged layers into the configuration.
func (b *configBuilder) merge(merged settings) error {
	for _, key := range slices.Sorted(maps.Keys(merged)) {
		s := merged[key]
		_, _, name, nerf := nerfKey(key)
		switch {
		case nerf && certificateNames[name]:
			b.c.tls[key] = s
		case nerf:
			b.c.nerf[key] = s.value()
		case networkKeys[key]:
			b.c.network[key] = s
		case key == "scope" && s.value() == "":
		case key == "scope":
			b.c.scope = "@" + strings.TrimPrefix(s.value(), "@")
		case s.refused != nil:
			b.c.registries[key] = registry{refused: s.refused, project: sbom.RedactURL(s.value())}
		case s.value() != "":
			u, err := b.parse(key, s)
			if err != nil {
				return err
			}
			u.User = nil
			if s.expanded {
				b.c.concealed = append(b.c.concealed, u)
			}
			b.c.registries[key] = registry{url: u}
			if s.project {
				b.c.registries[key] = registry{url: u, project: b.c.shown(u)}
			}
		}
	}
	for key, value := range b.basic {
		if b.c.nerf[key] == "" {
			b.c.nerf[key] = value
		}
	}
	return nil
}

func (b *configBuilder) warn(i Issue) { b.c.warnings = append(b.c.warnings, i) }

// Issues are the lines of the project's file that are unsafe, in file order. None
// of them was obeyed.
func (c *Config) Issues() []Issue { return slices.Clone(c.issues) }

// Warnings are the settings of the user that are not followed.
func (c *Config) Warnings() []Issue { return slices.Clone(c.warnings) }

// Trusted are the registries that the user vouches for, sorted and redacted:
// those of the flag, the environment, the user's and the machine's file, and the
// public one. What only the project's file names is never among them.
func (c *Config) Trusted() []string {
	if len(c.trusted) == 0 {
		return []string{publicURL().String()}
	}
	return slices.Clone(c.trusted)
}

// RefusedError says that the project's .npmrc names a registry for the package
// that must not be asked.
type RefusedError struct{ Issue Issue }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s:%d: the registry that this line names is not asked: it %s", e.Issue.Path, e.Issue.Line, e.Issue.Message)
}

// Registry returns the URL of the package's registry, which ends in a slash and
// holds no userinfo: that of its scope, else that of the configured scope, else
// the default one. The error is a *RefusedError.
func (c *Config) Registry(name string) (*url.URL, error) {
	for _, key := range c.registryKeys(name) {
		r, ok := c.registries[key]
		switch {
		case !ok:
		case r.refused != nil:
			return nil, &RefusedError{Issue: *r.refused}
		default:
			u := *r.url
			return &u, nil
		}
	}
	return publicURL(), nil
}

// registryKeys are the settings that name a registry for the package, the most
// specific first.
func (c *Config) registryKeys(name string) []string {
	var keys []string
	if scope, _, ok := strings.Cut(name, "/"); ok && strings.HasPrefix(scope, "@") {
		keys = append(keys, scope+":registry")
	}
	if c.scope != "" {
		keys = append(keys, c.scope+":registry")
	}
	return append(keys, "registry")
}

// ProjectRegistries returns the registries, redacted, from which npm could fetch
// the package only because the project's file says so, those that are refused
// here included, since npm would obey. It is more than Registry's answer: where a
// lockfile names the public registry, npm puts the default registry in its place,
// whatever the scope.
func (c *Config) ProjectRegistries(name string) []string {
	var out []string
	for _, key := range c.registryKeys(name) {
		if r := c.registries[key].project; r != "" {
			out = append(out, r)
		}
	}
	return out
}

// shown is a URL for people and results. A registry's path may be a token; where a
// project's file made it of environment variables, it is whatever that would have
// us print.
func (c *Config) shown(u *url.URL) string {
	text := u.String()
	for _, hidden := range c.concealed {
		if rest, ok := strings.CutPrefix(text, hidden.String()); ok {
			text = hidden.Scheme + "://" + hidden.Host + "/" + sbom.Redacted + "/" + rest
			break
		}
	}
	return sbom.RedactURL(text)
}

func publicURL() *url.URL {
	u, err := url.Parse(PublicRegistry)
	if err != nil {
		panic(err) // a constant
	}
	return u
}

// Credentials are what is sent to a registry. They print as REDACTED.
type Credentials struct{ header string }

// Authorization returns the header's value, "" where nothing is to be sent.
func (c Credentials) Authorization() string { return c.header }

// String hides the value.
func (c Credentials) String() string {
	if c.header == "" {
		return ""
	}
	return sbom.Redacted
}

// GoString hides the value.
func (c Credentials) GoString() string { return c.String() }

// LogValue hides the value.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// holder returns the most specific //host/path/ key for the URL that has
// credentials, the way npm looks: segment by segment up to the host, with and
// without the slash; "" where none has.
func (c *Config) holder(u *url.URL) string {
	for key := "//" + fetch.Host(u) + u.EscapedPath(); len(key) > len("//"); {
		if c.nerf[key+":_authToken"] != "" || c.nerf[key+":_auth"] != "" ||
			c.nerf[key+":username"] != "" && c.nerf[key+":_password"] != "" || c.certified(key) {
			return key
		}
		shorter, ok := strings.CutSuffix(key, "/")
		if !ok {
			shorter = key[:strings.LastIndexByte(key, '/')+1]
		}
		key = shorter
	}
	return ""
}

// Credentials returns those of the URL's [Config.holder]. In one place a token
// beats _auth, and that beats username and password. Where a client certificate
// alone stands there, there are none: a less specific token is not meant for this
// path.
func (c *Config) Credentials(u *url.URL) Credentials {
	key := c.holder(u)
	token, auth, name := c.nerf[key+":_authToken"], c.nerf[key+":_auth"], c.nerf[key+":username"]
	switch {
	case key == "":
	case token != "":
		return Credentials{"Bearer " + token}
	case auth != "":
		return Credentials{"Basic " + auth}
	case name != "" && c.nerf[key+":_password"] != "":
		if plain, err := decodeBase64(c.nerf[key+":_password"]); err == nil {
			return Credentials{"Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+plain))}
		}
	}
	return Credentials{}
}

// decodeBase64 takes both alphabets, with or without padding.
func decodeBase64(s string) (string, error) {
	s = strings.TrimRight(trim(s), "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	b, err := base64.RawStdEncoding.DecodeString(s)
	return string(b), err
}

// redactKey returns the key as it may be shown: the path of a registry can hold
// a token, and a line without = is all key.
func redactKey(key string) string {
	if _, prefix, name, ok := nerfKey(key); ok && !sbom.LooksSecret(name) {
		return strings.TrimPrefix(sbom.RedactURL("https:"+prefix), "https:") + ":" + name
	}
	if sbom.LooksSecret(key) || len(key) > 100 {
		return sbom.Redacted
	}
	return key
}
