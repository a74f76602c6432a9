package mcp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"countermark/sbom"

	"github.com/tailscale/hujson"
)

// entry is one configured server, before its command is looked at.
type entry struct {
	doc      *document
	client   string
	name     string
	key      *hujson.Value // the name, or the entry itself where it has none
	value    *hujson.Value
	disabled bool // by another part of the file
	form     form
}

// form is what an entry is, beyond a server as clients write it.
type form int

const (
	clientServer   form = iota
	bareCommand         // the value is a command line
	bundleServer        // the manifest of a bundle
	packageServer       // an element of "packages" in server.json
	remoteServer        // an element of "remotes" in server.json
	dockerServer        // an entry of Docker's catalogue
	smitheryServer      // smithery.yaml
	ownServer           // the project's own package
	missingServer       // the value says where the server is, and it is not there
)

// decisive is the member of a document that is one server which says what it runs.
var decisive = map[form]string{bundleServer: "server", dockerServer: "image", smitheryServer: "startCommand", ownServer: "mcpName"}

// whole reports whether an entry can be told, although its document may break off.
func (e entry) whole() bool {
	if e.doc.whole(e.value) {
		return true
	}
	o := object(e.value)
	if o == nil || e.value != &e.doc.root || decisive[e.form] == "" {
		return false
	}
	f := member(quietFields(o), decisive[e.form])
	return f != nil && e.doc.whole(f.value)
}

const tooLong = " is too long to be analysed"

const hintShape = `an entry is an object with "command" and "args", or with "url"`

// entries finds the servers of a document, and reports whether it could tell
// them all.
func (d *document) entries(c client) ([]entry, bool) {
	root := object(&d.root)
	if root == nil {
		if d.cut == 0 && (!c.settings || !isNull(&d.root)) {
			d.problem(sbom.Invalid, &d.root, "the configuration is no object", `put the servers into an object under "`+cmp.Or(strings.Join(c.keys, `" or "`), mcpServers)+`"`)
			return nil, false
		}
		return nil, d.cut == 0
	}
	top := d.fields(root)
	out, complete := d.shaped(c, top)
	if len(out) > maxServers {
		d.problem(sbom.Invalid, &d.root, fmt.Sprintf("more than %d servers", maxServers), "split the configuration, or exclude the file in the policy")
		return out[:maxServers], false
	}
	return out, complete
}

// keyed reads the members that hold servers.
func (d *document) keyed(c client, top []field) ([]entry, bool) {
	var out []entry
	complete, keyed := true, false
	read := map[*hujson.Value]bool{}
	for _, key := range c.keys {
		for _, f := range d.lookup(top, key) {
			keyed = true
			if read[f.value] {
				continue // by another key
			}
			read[f.value] = true
			if c.shape == pluginFile && isText(f.value) {
				continue // the path of a file: see elsewhere
			}
			name := c.name
			if name == "claude-code" && key == servers {
				name = "visual-studio"
			}
			found, ok := d.servers(f.value, name)
			if c.shape == pluginFile || c.shape == frontMatter {
				// The paths of files, and the names of servers that stand elsewhere.
				found = slices.DeleteFunc(found, func(e entry) bool { return array(f.value) != nil && isText(e.value) })
			}
			out, complete = append(out, found...), complete && ok
		}
	}
	if c.shape == projectFolders {
		if f := member(top, "projects"); f != nil {
			found, ok := d.projects(f.value, c.name)
			out, complete = append(out, found...), complete && ok
		}
	}
	for _, key := range c.commands {
		out = append(out, d.commandLines(top, key, c.name)...)
	}
	if !keyed && !c.settings {
		out = d.unkeyed(c, top)
	}
	return out, complete
}

// lookup finds a member by its path. Settings may write "a": {"b": …} as "a.b",
// and both at once.
func (d *document) lookup(top []field, key string) []*field {
	var out []*field
	if end, ok := strings.CutPrefix(key, "*"); ok {
		for i := range top {
			if strings.HasSuffix(top[i].name, end) {
				out = append(out, &top[i])
			}
		}
		return out
	}
	if f := member(top, key); f != nil {
		out = append(out, f)
	}
	for i := range key {
		if key[i] != '.' {
			continue
		}
		f := member(top, key[:i])
		if f != nil && object(f.value) != nil {
			out = append(out, d.lookup(d.fields(object(f.value)), key[i+1:])...)
		}
	}
	return out
}

// servers reads an object of servers by name, or a list of servers with names.
func (d *document) servers(v *hujson.Value, client string) ([]entry, bool) {
	var out []entry
	switch {
	case isNull(v):
		return nil, true
	case object(v) != nil:
		for _, f := range d.fields(object(v)) {
			out = append(out, d.dotted(entry{doc: d, client: client, name: f.name, key: f.key, value: f.value}, 0)...)
		}
		return out, true
	case array(v) != nil:
		for i := range array(v).Elements {
			out = append(out, d.listed(&array(v).Elements[i], client))
		}
		return out, true
	default:
		d.problem(sbom.Invalid, v, "the servers are neither an object nor a list", hintShape)
		return nil, false
	}
}

// listed is a server that stands in a list, with its name in it or before it.
func (d *document) listed(element *hujson.Value, client string) entry {
	e := entry{doc: d, client: client, key: element, value: element}
	o := object(element)
	if o == nil {
		return e
	}
	fields := quietFields(o)
	for _, key := range []string{"name", hubBlock} {
		if name := member(fields, key); name != nil && isText(name.value) {
			e.name, e.key = text(name.value), name.value
			return e
		}
	}
	if len(fields) == 1 && object(fields[0].value) != nil && fields[0].name != "transport" {
		e.name, e.key, e.value = fields[0].name, fields[0].key, fields[0].value
	}
	return e
}

// hubBlock is the member by which Continue takes a server from its hub.
const hubBlock = "uses"

// dotted takes apart what TOML makes of a name with dots that is not quoted:
// [mcp_servers.a.b] is a server "a" that has nothing but a member "b". No client
// starts it, but it is what somebody meant to configure.
func (d *document) dotted(e entry, depth int) []entry {
	o := object(e.value)
	if !d.toml || o == nil || len(o.Members) == 0 || depth > maxUnwrap {
		return []entry{e}
	}
	var out []entry
	for _, f := range quietFields(o) {
		inner := object(f.value)
		if inner == nil {
			return []entry{e}
		}
		found := d.dotted(entry{doc: d, client: e.client, name: e.name + "." + f.name, key: f.key, value: f.value}, depth+1)
		if !meansServer(quietFields(object(found[0].value))) {
			return []entry{e}
		}
		out = append(found, out...) // quietFields begins with the last
	}
	if depth == 0 {
		d.problem(sbom.Warning, e.key, "the name of the server has dots and no quotes, so that its client sees a server without a command", `write it in quotes: [mcp_servers."a.b"]`)
	}
	return out
}

// commandLines reads members that are a command line of their own, such as
// mcp.serverCommand of Gemini CLI.
func (d *document) commandLines(top []field, key, client string) []entry {
	var out []entry
	for _, f := range d.lookup(top, key) {
		if isText(f.value) && strings.TrimSpace(text(f.value)) != "" {
			out = append(out, entry{doc: d, client: client, name: key, key: f.key, value: f.value, form: bareCommand})
		}
	}
	return out
}

// projects reads the servers that Claude Code keeps for each folder.
func (d *document) projects(v *hujson.Value, client string) ([]entry, bool) {
	o := object(v)
	if o == nil {
		if !isNull(v) {
			d.problem(sbom.Invalid, v, "projects is no object", `it holds an object for each folder, with "mcpServers" in it`)
		}
		return nil, isNull(v)
	}
	var out []entry
	complete := true
	for _, project := range d.fields(o) {
		po := object(project.value)
		if po == nil {
			continue
		}
		members := d.fields(po)
		f := member(members, mcpServers)
		if f == nil {
			continue
		}
		found, ok := d.servers(f.value, client)
		off := namesIn(member(members, "disabledMcpServers"))
		for i := range found {
			found[i].disabled = slices.Contains(off, found[i].name)
		}
		out, complete = append(out, found...), complete && ok
	}
	return out, complete
}

func namesIn(f *field) []string {
	if f == nil || array(f.value) == nil {
		return nil
	}
	var out []string
	for i := range array(f.value).Elements {
		if e := &array(f.value).Elements[i]; isText(e) {
			out = append(out, text(e))
		}
	}
	return out
}

// unkeyed reads a document that has none of the usual keys: servers at the top
// level, as plugins write them, or a single server.
func (d *document) unkeyed(c client, top []field) []entry {
	if looksLikeServer(top) {
		e := entry{doc: d, client: c.name, name: "server", key: &d.root, value: &d.root}
		if name := member(top, "name"); name != nil && isText(name.value) {
			e.name, e.key = text(name.value), name.value
		}
		return []entry{e}
	}
	var out []entry
	if c.flat {
		for _, f := range top {
			if o := object(f.value); o != nil && meansServer(quietFields(o)) {
				out = append(out, entry{doc: d, client: c.name, name: f.name, key: f.key, value: f.value})
			}
		}
	}
	if len(out) == 0 && len(top) > 0 && d.cut == 0 {
		d.problem(sbom.Warning, &d.root, "it configures no servers", `clients look for them under "`+strings.Join(c.keys, `" or "`)+`"`)
	}
	return out
}

// commandKeys are the members that hold the program, with its arguments or
// without. Goose calls it "cmd".
var commandKeys = []string{"command", "cmd"}

// looksLikeServer reports whether an object names a program or a URL.
func looksLikeServer(fields []field) bool {
	return slices.ContainsFunc(fields, func(f field) bool {
		return (slices.Contains(commandKeys, f.name) || slices.Contains(urlKeys, f.name)) && isText(f.value)
	})
}

// meansServer is looksLikeServer where the value may have the wrong type.
func meansServer(fields []field) bool {
	return slices.ContainsFunc(fields, func(f field) bool {
		return f.name == "args" || slices.Contains(commandKeys, f.name) || slices.Contains(urlKeys, f.name) || slices.Contains(baseURLs, f.name) ||
			f.name == "transport" && object(f.value) != nil
	})
}

// quietFields is fields without warnings, for a look ahead.
func quietFields(o *hujson.Object) []field {
	out := make([]field, 0, len(o.Members))
	for i := len(o.Members) - 1; i >= 0; i-- {
		m := &o.Members[i]
		out = append(out, field{name: text(&m.Name), key: &m.Name, value: &m.Value})
	}
	return out
}

// urlKeys are the members that hold the URL of a remote server. Gemini CLI, which
// knows three of them, prefers httpUrl; Goose writes "uri".
var urlKeys = []string{"httpUrl", "url", "serverUrl", "uri", "tcp"}

// baseURLs are those of mcporter. Other documents have them for other things, so
// that they make no server of what is not told to be one.
var baseURLs = []string{"baseUrl", "base_url"}

// analyzed collects what is found out about one server.
type analyzed struct {
	entry
	file   *sbom.File
	run    *run
	server *sbom.Server
	wrong  string // why the entry cannot be understood

	approved approvals
}

// analyze returns the server and what it would run, the outermost first. There
// is always at least one subject.
func (e entry) analyze(f *sbom.File, r *run) (*sbom.Server, []subject) {
	line, column := e.doc.position(e.key.StartOffset)
	a := analyzed{entry: e, file: f, run: r, server: &sbom.Server{
		File: f.Path, Name: e.name, Client: e.client, Line: line, Column: column, Disabled: e.disabled,
	}}
	a.approved.server = a.server
	subjects := a.subjects()
	if a.wrong != "" {
		// The entry stays visible as what nobody can understand; what it
		// seems to name is judged all the same.
		for i := range subjects {
			subjects[i].launch.Nested = true
		}
		subjects = append([]subject{unknown(place{line: line, column: column}, a.wrong)}, subjects...)
	}
	first := subjects[0]
	s := a.server
	s.Launcher, s.Kind, s.Spec, s.Pin = first.launcher, first.launch.Kind, first.launch.Spec, first.launch.Pin
	s.Reason = first.reason
	slices.Sort(s.Env)
	s.Env = slices.Compact(s.Env)
	return s, subjects
}

// misfit says that a member has the wrong type.
func (a *analyzed) misfit(v *hujson.Value, what string) {
	a.wrong = cmp.Or(a.wrong, what)
	a.doc.problem(sbom.Invalid, v, what, hintShape)
}

func (a *analyzed) subjects() []subject {
	if a.form == bareCommand {
		return a.commandOnly()
	}
	if a.form == missingServer {
		return []subject{unknown(a.doc.at(a.key, ""), "what describes it is not there")}
	}
	o := object(a.value)
	if o == nil {
		a.misfit(a.value, "the entry is no object")
		return nil
	}
	fields := a.doc.fields(o)
	look := &scan{file: a.file, builder: a.run.builder, manifests: a.run.manifests, listed: a.run.listed}
	var out []subject
	if described := a.described(); described != nil {
		out = described(fields, look)
	} else {
		out = a.configured(fields, look)
	}
	a.server.Env = append(a.server.Env, look.env...)
	a.server.Credentials = look.credentials()
	a.server.Risks = look.sortedRisks()
	return out
}

// configured analyses a server as clients write it.
func (a *analyzed) configured(fields []field, look *scan) []subject {
	fields = a.flattened(fields)
	a.flags(fields)
	words, hasCommand := a.commandLine(fields)
	urls := a.urls(fields)
	a.server.Command = a.fingerprint(fields, words, urls)
	a.folder(fields, look)
	a.environment(fields, look)
	a.headers(fields, look)
	a.rest(fields, look)

	var out []subject
	if hasCommand {
		look.words(words)
		out = look.settle(look.command(words, 0))
	}
	var remotes []subject
	for _, url := range urls {
		remotes = append(remotes, look.remote(url))
	}
	if len(out) > 0 && len(remotes) > 0 || len(remotes) > 1 {
		a.doc.problem(sbom.Warning, a.key, "the entry names more than one of command and URLs, and clients differ in which one they use", "leave one of them")
	}
	if a.server.Transport == "" || a.server.Transport == "stdio" {
		out = append(out, remotes...)
	} else {
		out = append(remotes, out...)
	}
	a.settleTransport(hasCommand, urls)
	out = append(out, a.helpers(fields, look)...)
	if len(out) == 0 && a.wrong == "" {
		out = a.inside(fields)
	}
	return out
}

// inside are the servers that name neither a command nor a URL: parts of the
// client, and code that stands in the configuration.
func (a *analyzed) inside(fields []field) []subject {
	kind := ""
	for _, name := range []string{"type", "source"} {
		if f := member(fields, name); f != nil && isText(f.value) {
			kind = cmp.Or(kind, strings.ToLower(text(f.value)))
		}
	}
	at := a.doc.at(a.key, "")
	settings, block := member(fields, "settings"), member(fields, hubBlock)
	switch {
	case block != nil && isText(block.value):
		out := unknown(at, "a block of a hub says what runs")
		out.launch.Spec = redact(text(block.value))
		return []subject{out}
	case kind == "inline_python":
		return a.inlinePython(fields)
	case slices.Contains(builtins, kind), kind == "" && settings != nil && object(settings.value) != nil:
		return []subject{{at: at, launch: sbom.Launch{Kind: sbom.KindBuiltin, Pin: sbom.PinNA}}}
	default:
		return []subject{unknown(at, "the entry has neither a command nor a URL")}
	}
}

// builtins are the types of what a client brings along: Goose's own extensions,
// and what an extension of Zed provides.
var builtins = []string{"builtin", "platform", "frontend", "extension"}

// inlinePython is code that Goose runs by uvx, with packages beside it.
func (a *analyzed) inlinePython(fields []field) []subject {
	out := []subject{opaque(a.doc.at(a.key, ""), "uvx", "it runs code that stands in the configuration")}
	if f := member(fields, "dependencies"); f != nil && array(f.value) != nil {
		for i := range array(f.value).Elements {
			e := &array(f.value).Elements[i]
			if len(out) == maxSubjects {
				a.misfit(f.value, fmt.Sprintf("more than %d dependencies", maxSubjects))
				break
			}
			out = append(out, named("uvx", nested([]subject{pypi(word{text: text(e), at: a.doc.at(e, fmt.Sprintf("dependency %d", i+1))})}))...)
		}
	}
	return out
}

// helpers are the programs that a client runs beside the server: Claude Code's
// headersHelper prints the headers of a remote one.
func (a *analyzed) helpers(fields []field, look *scan) []subject {
	f := member(fields, "headersHelper")
	if f == nil || !isText(f.value) || strings.TrimSpace(text(f.value)) == "" || len(text(f.value)) > maxText {
		return nil
	}
	line := word{text: text(f.value), at: a.doc.at(f.value, "headersHelper")}
	look.words(fieldsOf(line))
	return nested(look.command([]word{line}, 0))
}

// commandOnly analyses an entry that is nothing but a command line.
func (a *analyzed) commandOnly() []subject {
	if len(text(a.value)) > maxText {
		a.misfit(a.value, "command"+tooLong)
		return nil
	}
	line := word{text: text(a.value), at: a.doc.at(a.value, "command")}
	look := &scan{file: a.file, builder: a.run.builder, manifests: a.run.manifests, listed: a.run.listed}
	look.words(fieldsOf(line))
	out := look.settle(look.command([]word{line}, 0))
	a.server.Command = a.fingerprint(nil, []word{line}, nil)
	a.server.Transport, a.server.Env, a.server.Risks = "stdio", look.env, look.sortedRisks()
	a.server.Credentials = look.credentials()
	return out
}

// transports are the words of the clients.
var transports = map[string]string{
	"stdio": "stdio", "local": "stdio", "inline_python": "stdio",
	"builtin": "builtin", "platform": "platform", "frontend": "frontend",
	"http": "http", "streamable-http": "http", "streamablehttp": "http", "streamable_http": "http", "remote": "http",
	"sse": "sse", "ws": "ws", "websocket": "ws",
}

// flattened reads members of a member as if they stood in the entry: Cline's
// command line tool writes the transport as an object that holds command or URL,
// old versions of Zed a command with path, args and env, Continue the headers in
// requestOptions, Copilot for other editors in requestInit. It notes the declared transport on the way.
func (a *analyzed) flattened(fields []field) []field {
	for _, name := range []string{"command", "requestOptions", "requestInit"} {
		f := member(fields, name)
		if f == nil || object(f.value) == nil {
			continue
		}
		for _, inner := range a.doc.fields(object(f.value)) {
			if name == "command" && inner.name == "path" {
				inner.name, inner.key = "command", f.key
				*f = inner
			} else if member(fields, inner.name) == nil {
				fields = append(fields, inner)
			}
		}
	}
	return a.transport(fields)
}

func (a *analyzed) transport(fields []field) []field {
	var declared *hujson.Value
	for _, name := range []string{"transportType", "transport", "type"} {
		f := member(fields, name)
		switch {
		case f == nil || isNull(f.value):
		case name == "transport" && object(f.value) != nil:
			for _, inner := range a.doc.fields(object(f.value)) {
				if inner.name == "type" {
					declared = inner.value
				}
				if member(fields, inner.name) == nil {
					fields = append(fields, inner)
				}
			}
		case isText(f.value):
			declared = f.value
		default:
			a.misfit(f.value, "the transport is no text")
		}
	}
	if declared == nil || !isText(declared) {
		return fields
	}
	a.server.Transport = transports[strings.ToLower(text(declared))]
	if a.server.Transport == "" {
		a.doc.problem(sbom.Warning, declared, "the transport is none of those known", "stdio, http, sse and ws are")
	}
	return fields
}

// settleTransport fills in what the entry leaves to the client.
func (a *analyzed) settleTransport(hasCommand bool, urls []word) {
	s := a.server
	remote := s.Transport != "" && s.Transport != "stdio"
	switch {
	case hasCommand && (len(urls) == 0 || !remote):
		s.Transport = "stdio"
	case len(urls) == 0:
	case s.Transport == "" || s.Transport == "stdio":
		s.Transport = transportOf(urls[0].text)
		if s.Transport == "http" && urls[0].at.where == "url" && (s.Client == "gemini-cli" || s.Client == "qwen-code") {
			s.Transport = "sse" // there, "httpUrl" is the other one
		}
	}
}

// flags reads what the client does with the server.
func (a *analyzed) flags(fields []field) {
	for _, f := range fields {
		value, isBool := boolean(f.value)
		switch f.name {
		case "disabled", "enabled":
			if !isBool {
				if !isNull(f.value) {
					a.doc.problem(sbom.Warning, f.value, f.name+" is neither true nor false; the server is read as enabled", "write true or false")
				}
				continue
			}
			a.server.Disabled = a.server.Disabled || value == (f.name == "disabled")
		case "autoApprove", "alwaysAllow":
			if isBool && value {
				a.approve("*", f)
			}
			a.approvedList(f)
		case "trust":
			if value {
				a.approve("*", f)
			}
		case "default_tools_approval_mode":
			if text(f.value) == "approve" {
				a.approve("*", f)
			}
		case "tools":
			a.approvedTools(f)
		}
	}
}

// approvedList reads a list of tools.
func (a *analyzed) approvedList(f field) {
	tools := elements(f.value)
	if len(tools) > maxRuled {
		a.doc.problem(sbom.Invalid, f.value, tooManyNames, hintTooManyNames)
		tools = tools[:maxRuled]
	}
	for _, tool := range tools {
		if isText(tool) {
			a.approve(text(tool), field{name: f.name, key: tool})
		}
	}
}

// approvedTools reads tools.<tool>.approval_mode of Codex.
func (a *analyzed) approvedTools(f field) {
	if object(f.value) == nil {
		return
	}
	for _, tool := range quietFields(object(f.value)) {
		if o := object(tool.value); o != nil {
			if mode := member(quietFields(o), "approval_mode"); mode != nil && text(mode.value) == "approve" {
				a.approve(tool.name, *mode)
			}
		}
	}
}

// approve notes that a tool runs without asking, and which member says so.
func (a *analyzed) approve(tool string, by field) {
	line, column := a.doc.position(by.key.StartOffset)
	a.approved.add(tool, sbom.Approval{Setting: by.name, Line: line, Column: column})
}

// commandLine returns the words of the command, the program first, and whether
// there is one.
func (a *analyzed) commandLine(fields []field) ([]word, bool) {
	var out []word
	var command *field
	for _, name := range commandKeys {
		if f := member(fields, name); command == nil && f != nil && !isNull(f.value) {
			command = f
		}
	}
	switch {
	case command == nil:
	case array(command.value) != nil && len(array(command.value).Elements) > 0:
		// opencode writes the program and its arguments as one list.
		out = a.list(command.value, "command", nil)
	case !isText(command.value):
		a.misfit(command.value, "command is no text")
	case strings.TrimSpace(text(command.value)) == "":
		a.misfit(command.value, "command is empty")
	case len(text(command.value)) > maxText:
		a.misfit(command.value, "command"+tooLong)
	default:
		out = append(out, word{text: text(command.value), at: a.doc.at(command.value, "command")})
	}
	args := member(fields, "args")
	if args == nil || isNull(args.value) {
		return out, out != nil
	}
	if isText(args.value) {
		a.misfit(args.value, "args is a text, not a list")
		if len(text(args.value)) > maxText {
			return out, out != nil
		}
		return append(out, fieldsOf(word{text: text(args.value), at: a.doc.at(args.value, "args")})...), out != nil
	}
	if array(args.value) == nil {
		a.misfit(args.value, "args is no list")
		return out, out != nil
	}
	hasCommand := out != nil
	return a.list(args.value, "args", out), hasCommand
}

// list adds the words of a list to out. The first of a command is the program.
func (a *analyzed) list(v *hujson.Value, what string, out []word) []word {
	list := array(v)
	if len(list.Elements) > maxArgs {
		a.misfit(v, fmt.Sprintf("%s holds more than %d arguments", what, maxArgs))
		return out
	}
	for i := range list.Elements {
		v := &list.Elements[i]
		at := a.doc.at(v, fmt.Sprintf("argument %d", i+1))
		if what == "command" {
			at.where = "command"
			if i > 0 {
				at.where = fmt.Sprintf("argument %d", i)
			}
		}
		if object(v) != nil || array(v) != nil {
			a.misfit(v, at.where+" is no text")
			return out
		}
		if len(text(v)) > maxText {
			a.misfit(v, at.where+tooLong)
			return out
		}
		if !isText(v) {
			a.doc.problem(sbom.Warning, v, at.where+" is no text; it is read as if it stood in quotes", "put it into quotes")
		}
		out = append(out, word{text: text(v), at: at})
	}
	return out
}

func (a *analyzed) urls(fields []field) []word {
	var out []word
	for _, key := range slices.Concat(urlKeys, baseURLs) {
		f := member(fields, key)
		switch {
		case f == nil || isNull(f.value):
		case slices.Contains(baseURLs, key) && len(out) > 0:
		case !isText(f.value):
			a.misfit(f.value, key+" is no text")
		case strings.TrimSpace(text(f.value)) == "":
			a.misfit(f.value, key+" is empty")
		case len(text(f.value)) > maxText:
			a.misfit(f.value, key+tooLong)
		default:
			out = append(out, word{text: text(f.value), at: a.doc.at(f.value, key)})
		}
	}
	return out
}

func (a *analyzed) environment(fields []field, look *scan) {
	for _, key := range []string{"env", "environment", "envs", "sandboxEnv"} {
		f := member(fields, key)
		if f == nil || isNull(f.value) {
			continue
		}
		o := object(f.value)
		if o == nil {
			a.misfit(f.value, key+" is no object")
			continue
		}
		for _, v := range a.doc.fields(o) {
			look.variable(v.name, text(v.value), a.doc.at(v.key, ""))
			if object(v.value) != nil || array(v.value) != nil {
				a.misfit(v.value, "the value of an environment variable is no text")
			}
		}
	}
	a.passed(fields, look)
}

// passed reads the variables that the server is given by name: Codex and Goose
// pass those of their own environment on.
func (a *analyzed) passed(fields []field, look *scan) {
	for _, key := range []string{"env_keys", "env_vars", "env_http_headers", "bearer_token_env_var", "bearerTokenEnv"} {
		f := member(fields, key)
		switch {
		case f == nil:
		case isText(f.value):
			look.name(text(f.value))
		case object(f.value) != nil:
			for _, v := range a.doc.fields(object(f.value)) {
				look.name(text(v.value))
			}
		case array(f.value) != nil:
			for i := range array(f.value).Elements {
				v := &array(f.value).Elements[i]
				if o := object(v); o != nil {
					if name := member(quietFields(o), "name"); name != nil {
						v = name.value
					}
				}
				if isText(v) {
					look.name(text(v))
				}
			}
		}
	}
}

// folder reads where the client starts the server, and which file of variables
// it gives it (VS Code's envFile).
func (a *analyzed) folder(fields []field, look *scan) {
	for _, key := range []string{"cwd", "working_directory", "workingDirectory", "envFile"} {
		f := member(fields, key)
		switch {
		case f == nil || isNull(f.value):
		case !isText(f.value):
			a.misfit(f.value, key+" is no text")
		case key != "envFile":
			look.chdir(word{text: text(f.value), at: a.doc.at(f.value, key)})
		default:
			look.envFile(word{text: text(f.value), at: a.doc.at(f.value, key)})
		}
	}
}

func (a *analyzed) headers(fields []field, look *scan) {
	for _, key := range []string{"headers", "http_headers"} {
		f := member(fields, key)
		if f == nil || isNull(f.value) {
			continue
		}
		o := object(f.value)
		if o == nil {
			a.misfit(f.value, key+" is no object")
			continue
		}
		for _, v := range a.doc.fields(o) {
			at := a.doc.at(v.key, fmt.Sprintf("header %q", safeName(v.name)))
			if headerPlain.MatchString(v.name) {
				look.credential("header ", v.name, text(v.value))
			}
			if headerSecret(v.name, text(v.value)) {
				look.risk(sbom.RiskSecret, at)
			}
		}
	}
}

// understood are the members that are read above, or hold nothing but names and
// numbers.
var understood = []string{
	"command", "cmd", "args", "url", "httpUrl", "serverUrl", "uri", "tcp", "env", "environment", "envs", "sandboxEnv", "headers", "http_headers",
	"env_keys", "env_vars", "env_http_headers", "bearer_token_env_var", "bearerTokenEnv", "headersHelper", "type", "transport",
	"transportType", "disabled", "enabled", "autoApprove", "alwaysAllow", "trust", "name", "description", "display_name", "cwd",
	"working_directory", "workingDirectory", "envFile", "tools", "disabledTools", "includeTools", "excludeTools", "available_tools",
	"enabled_tools", "disabled_tools",
}

// rest looks for credentials in members that are not read, such as "oauth".
func (a *analyzed) rest(fields []field, look *scan) {
	for _, f := range fields {
		if !slices.Contains(understood, f.name) {
			a.search(f, look)
		}
	}
}

func (a *analyzed) search(f field, look *scan) {
	if o := object(f.value); o != nil {
		for _, inner := range quietFields(o) {
			a.search(inner, look)
		}
		return
	}
	if list := array(f.value); list != nil {
		for i := range list.Elements {
			a.search(field{name: f.name, key: f.key, value: &list.Elements[i]}, look)
		}
		return
	}
	if isText(f.value) && namedSecret(f.name, text(f.value)) {
		look.risk(sbom.RiskSecret, a.doc.at(f.key, fmt.Sprintf("field %q", safeName(f.name))))
	}
}
