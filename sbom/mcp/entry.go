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
	bare     bool // value is a command line, not an object
}

const tooLong = " is too long to be analysed"

const hintShape = `an entry is an object with "command" and "args", or with "url"`

// entries finds the servers of a document, and reports whether it could tell
// them all.
func (d *document) entries(c client) ([]entry, bool) {
	root := object(&d.root)
	if root == nil {
		d.problem(sbom.Invalid, &d.root, "the configuration is no JSON object", `put the servers into an object under "`+c.keys[0]+`"`)
		return nil, false
	}
	var out []entry
	complete, keyed := true, false
	top := d.fields(root)
	for _, key := range c.keys {
		f := member(top, key)
		if f == nil {
			continue
		}
		keyed = true
		name := c.name
		if name == "claude-code" && key == servers {
			name = "visual-studio"
		}
		found, ok := d.servers(f.value, name)
		out, complete = append(out, found...), complete && ok
	}
	if c.projects {
		if f := member(top, "projects"); f != nil {
			keyed = true
			found, ok := d.projects(f.value, c.name)
			out, complete = append(out, found...), complete && ok
		}
	}
	switch {
	case c.settings:
		out = append(out, d.serverCommand(top, c.name)...)
	case !keyed:
		out = d.unkeyed(c, top)
	}
	if len(out) > maxServers {
		d.problem(sbom.Invalid, &d.root, fmt.Sprintf("more than %d servers", maxServers), "split the configuration, or exclude the file in the policy")
		return out[:maxServers], false
	}
	return out, complete
}

// servers reads an object of servers by name, or a list of servers with names.
func (d *document) servers(v *hujson.Value, client string) ([]entry, bool) {
	var out []entry
	switch {
	case isNull(v):
		return nil, true
	case object(v) != nil:
		for _, f := range d.fields(object(v)) {
			out = append(out, entry{doc: d, client: client, name: f.name, key: f.key, value: f.value})
		}
		return out, true
	case array(v) != nil:
		for i := range array(v).Elements {
			element := &array(v).Elements[i]
			e := entry{doc: d, client: client, key: element, value: element}
			if o := object(element); o != nil {
				if name := member(quietFields(o), "name"); name != nil && isText(name.value) {
					e.name, e.key = text(name.value), name.value
				}
			}
			out = append(out, e)
		}
		return out, true
	default:
		d.problem(sbom.Invalid, v, "the servers are neither an object nor a list", hintShape)
		return nil, false
	}
}

// serverCommand reads mcp.serverCommand of Gemini CLI, a command line of its own.
func (d *document) serverCommand(top []field, client string) []entry {
	f := member(top, "mcp")
	if f == nil || object(f.value) == nil {
		return nil
	}
	command := member(d.fields(object(f.value)), "serverCommand")
	if command == nil || !isText(command.value) || strings.TrimSpace(text(command.value)) == "" {
		return nil
	}
	return []entry{{doc: d, client: client, name: "mcp.serverCommand", key: command.key, value: command.value, bare: true}}
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
	if len(out) == 0 && len(top) > 0 {
		d.problem(sbom.Warning, &d.root, "it configures no servers", `clients look for them under "mcpServers" or "servers"`)
	}
	return out
}

// looksLikeServer reports whether an object names a program or a URL.
func looksLikeServer(fields []field) bool {
	return slices.ContainsFunc(fields, func(f field) bool {
		return (f.name == "command" || slices.Contains(urlKeys, f.name)) && isText(f.value)
	})
}

// meansServer is looksLikeServer where the value may have the wrong type.
func meansServer(fields []field) bool {
	return slices.ContainsFunc(fields, func(f field) bool {
		return f.name == "command" || f.name == "args" || slices.Contains(urlKeys, f.name)
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
// knows two of them, prefers httpUrl.
var urlKeys = []string{"httpUrl", "url", "serverUrl"}

// analyzed collects what is found out about one server.
type analyzed struct {
	entry
	file   *sbom.File
	run    *run
	server *sbom.Server
	wrong  string // why the entry cannot be understood
}

// analyze returns the server and what it would run, the outermost first. There
// is always at least one subject.
func (e entry) analyze(f *sbom.File, r *run) (*sbom.Server, []subject) {
	line, column := e.doc.position(e.key.StartOffset)
	a := analyzed{entry: e, file: f, run: r, server: &sbom.Server{
		File: f.Path, Name: e.name, Client: e.client, Line: line, Column: column, Disabled: e.disabled,
	}}
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
	if a.bare {
		return a.commandOnly()
	}
	o := object(a.value)
	if o == nil {
		a.misfit(a.value, "the entry is no object")
		return nil
	}
	fields := a.doc.fields(o)
	fields = a.transport(fields)
	a.flags(fields)
	words, hasCommand := a.commandLine(fields)
	urls := a.urls(fields)
	look := &scan{file: a.file, manifests: a.run.manifests}
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
	if len(out) == 0 && a.wrong == "" {
		out = []subject{unknown(a.doc.at(a.key, ""), "the entry has neither a command nor a URL")}
	}
	a.server.Env = append(a.server.Env, look.env...)
	a.server.Risks = look.sortedRisks()
	return out
}

// commandOnly analyses an entry that is nothing but a command line.
func (a *analyzed) commandOnly() []subject {
	if len(text(a.value)) > maxText {
		a.misfit(a.value, "command"+tooLong)
		return nil
	}
	line := word{text: text(a.value), at: a.doc.at(a.value, "command")}
	look := &scan{file: a.file, manifests: a.run.manifests}
	look.words(fieldsOf(line))
	out := look.settle(look.command([]word{line}, 0))
	a.server.Transport, a.server.Env, a.server.Risks = "stdio", look.env, look.sortedRisks()
	return out
}

// transports are the words of the clients.
var transports = map[string]string{
	"stdio": "stdio", "local": "stdio",
	"http": "http", "streamable-http": "http", "streamablehttp": "http", "streamable_http": "http", "remote": "http",
	"sse": "sse", "ws": "ws", "websocket": "ws",
}

// transport reads the declared transport. Cline's command line tool writes it as
// an object that holds command or URL as well; its members are then read as if
// they stood in the entry.
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
				a.approve("*")
			}
			for _, tool := range namesIn(&f) {
				a.approve(tool)
			}
		case "trust":
			if value {
				a.approve("*")
			}
		}
	}
}

func (a *analyzed) approve(tool string) {
	tool = safeName(tool)
	if !slices.Contains(a.server.AutoApprove, tool) {
		a.server.AutoApprove = append(a.server.AutoApprove, tool)
	}
}

// commandLine returns the words of the command, the program first, and whether
// there is one.
func (a *analyzed) commandLine(fields []field) ([]word, bool) {
	var out []word
	command := member(fields, "command")
	switch {
	case command == nil || isNull(command.value):
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
	list := array(args.value)
	if list == nil {
		a.misfit(args.value, "args is no list")
		return out, out != nil
	}
	if len(list.Elements) > maxArgs {
		a.misfit(args.value, fmt.Sprintf("args holds more than %d arguments", maxArgs))
		return out, out != nil
	}
	for i := range list.Elements {
		v := &list.Elements[i]
		at := a.doc.at(v, fmt.Sprintf("argument %d", i+1))
		if object(v) != nil || array(v) != nil {
			a.misfit(v, at.where+" is no text")
			return out, out != nil
		}
		if len(text(v)) > maxText {
			a.misfit(v, at.where+tooLong)
			return out, out != nil
		}
		if !isText(v) {
			a.doc.problem(sbom.Warning, v, at.where+" is no text; it is read as if it stood in quotes", "put it into quotes")
		}
		out = append(out, word{text: text(v), at: at})
	}
	return out, command != nil && len(out) > 0 && out[0].at.where == "command"
}

func (a *analyzed) urls(fields []field) []word {
	var out []word
	for _, key := range urlKeys {
		f := member(fields, key)
		switch {
		case f == nil || isNull(f.value):
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
	for _, key := range []string{"env", "environment"} {
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
}

// folder reads where the client starts the server, and which file of variables
// it gives it (VS Code's envFile).
func (a *analyzed) folder(fields []field, look *scan) {
	for _, key := range []string{"cwd", "envFile"} {
		f := member(fields, key)
		switch {
		case f == nil || isNull(f.value):
		case !isText(f.value):
			a.misfit(f.value, key+" is no text")
		case key == "cwd":
			look.chdir(word{text: text(f.value), at: a.doc.at(f.value, key)})
		default:
			look.envFile(word{text: text(f.value), at: a.doc.at(f.value, key)})
		}
	}
}

func (a *analyzed) headers(fields []field, look *scan) {
	f := member(fields, "headers")
	if f == nil || isNull(f.value) {
		return
	}
	o := object(f.value)
	if o == nil {
		a.misfit(f.value, "headers is no object")
		return
	}
	for _, v := range a.doc.fields(o) {
		at := a.doc.at(v.key, fmt.Sprintf("header %q", safeName(v.name)))
		if headerSecret(v.name, text(v.value)) {
			look.risk(sbom.RiskSecret, at)
		}
	}
}

// understood are the members that are read above, or hold nothing but names and
// numbers.
var understood = []string{
	"command", "args", "url", "httpUrl", "serverUrl", "env", "environment", "headers", "type", "transport",
	"transportType", "disabled", "enabled", "autoApprove", "alwaysAllow", "trust", "name", "description", "cwd", "envFile",
	"tools", "disabledTools", "includeTools", "excludeTools",
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
