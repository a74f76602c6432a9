package mcp

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"countermark/sbom"

	"github.com/tailscale/hujson"
)

// shaped finds the servers by the shape of the document.
func (d *document) shaped(c client, top []field) ([]entry, bool) {
	whole := func(form form, name string) []entry {
		e := entry{doc: d, client: c.name, name: name, key: &d.root, value: &d.root, form: form}
		for _, key := range []string{"mcpName", "name"} {
			if f := member(top, key); f != nil && isText(f.value) && (key == "name" || form == ownServer) {
				e.name, e.key = text(f.value), f.key
				break
			}
		}
		return []entry{e}
	}
	switch c.shape {
	case bundleFile:
		return whole(bundleServer, "server"), true
	case dockerFile:
		return whole(dockerServer, "server"), true
	case smitheryFile:
		return whole(smitheryServer, "smithery"), true
	case packageFile:
		return whole(ownServer, "server"), true
	case registryFile:
		return d.published(c, top)
	case dockerCatalog:
		out, complete := d.keyed(c, top)
		for i := range out {
			out[i].form = dockerServer
		}
		return out, complete
	case dockerEnabled:
		return d.enabled(c, top)
	default:
		return d.keyed(c, top)
	}
}

// describes reports whether the document is one of the row, by its content alone.
func (d *document) describes(c client) bool {
	root := object(&d.root)
	if root == nil {
		return false
	}
	if len(d.rulings(c, nil)) > 0 {
		return true
	}
	top := quietFields(root)
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return member(top, name) != nil })
	}
	isObject := func(name string) bool { f := member(top, name); return f != nil && object(f.value) != nil }
	isTextual := func(name string) bool { f := member(top, name); return f != nil && isText(f.value) }
	switch c.shape {
	case bundleFile:
		return (isTextual("manifest_version") || has("dxt_version")) && isObject("server")
	case registryFile:
		return isTextual("name") && d.isRegistry(top)
	case dockerFile:
		return isTextual("name") && (isTextual("image") || isObject("remote") || isTextual("type") && text(member(top, "type").value) == "poci") && has("about", "meta", "source", "type")
	case smitheryFile:
		return isObject("startCommand") || isTextual("runtime") && has("build", "env", "target") && len(top) <= 6
	case packageFile:
		return isTextual("mcpName")
	case dockerCatalog:
		return d.anyEntry(c, top, func(o []field) bool { return member(o, "image") != nil || member(o, "remote") != nil })
	case pluginFile:
		return has(c.keys...)
	default:
	}
	if d.anyEntry(c, top, func(o []field) bool { return meansServer(o) || d.isBuiltin(o) }) {
		return true
	}
	if f := member(top, mcpServers); f != nil && slices.Contains(c.keys, mcpServers) && object(f.value) != nil && len(object(f.value).Members) == 0 {
		return true
	}
	if !c.flat {
		return false
	}
	if command := member(top, "command"); command != nil && isText(command.value) && has("args") {
		return true
	}
	return d.isFlat(top)
}

// anyEntry reports whether one of the servers that the row finds is like that.
func (d *document) anyEntry(c client, top []field, like func([]field) bool) bool {
	quiet := &document{toml: d.toml}
	for _, key := range c.keys {
		for _, f := range quiet.lookup(top, key) {
			found, _ := quiet.servers(f.value, "")
			for _, e := range found {
				if o := object(e.value); o != nil && like(quietFields(o)) {
					return true
				}
			}
		}
	}
	return false
}

func (d *document) isBuiltin(fields []field) bool {
	kind := member(fields, "type")
	if kind != nil && isText(kind.value) && (slices.Contains(builtins, text(kind.value)) || text(kind.value) == "inline_python") {
		return true
	}
	settings := member(fields, "settings")
	return settings != nil && object(settings.value) != nil
}

// isFlat reports whether all members are servers. Some are not enough: many a
// document has a "repository" with a "url".
func (d *document) isFlat(top []field) bool {
	n := 0
	for _, f := range top {
		switch o := object(f.value); {
		case o == nil && (strings.HasPrefix(f.name, "$") || strings.HasPrefix(f.name, "_")):
		case o == nil || !looksLikeServer(quietFields(o)):
			return false
		default:
			n++
		}
	}
	return n > 0
}

// matter is the YAML between the two lines of "---" at the beginning of a text,
// with the lines where they are.
func matter(data []byte) []byte {
	text := bytes.TrimPrefix(data, byteOrderMark)
	first, rest, ok := bytes.Cut(text, []byte("\n"))
	if !ok || string(bytes.TrimSpace(first)) != "---" {
		return nil
	}
	out := []byte("\n")
	for line := range bytes.Lines(rest) {
		if s := string(bytes.TrimSpace(line)); s == "---" || s == "..." {
			return out
		}
		out = append(out, line...)
	}
	return nil
}

// elsewhere reads the files that a plugin names instead of servers.
func (r *run) elsewhere(f *sbom.File, d *document, c client) ([]entry, bool) {
	top := []field{}
	if root := object(&d.root); root != nil {
		top = quietFields(root)
	}
	var out []entry
	complete := true
	for _, key := range c.keys {
		m := member(top, key)
		if m == nil {
			continue
		}
		values := []*hujson.Value{m.value}
		if list := array(m.value); list != nil {
			values = nil
			for i := range list.Elements {
				values = append(values, &list.Elements[i])
			}
		}
		for _, v := range values {
			if !isText(v) {
				continue
			}
			found, ok := r.named(f, d, v, c.name)
			out, complete = append(out, found...), complete && ok
		}
	}
	return out, complete
}

// plugins is how the file is read that a plugin names for its servers.
var plugins = client{keys: both, flat: true}

// named reads the file that a value names, unless it is read anyway. Its path
// counts from the folder of the plugin.
func (r *run) named(f *sbom.File, d *document, v *hujson.Value, client string) ([]entry, bool) {
	name := slashed(text(v))
	name = strings.TrimPrefix(strings.TrimPrefix(name, projectFolder.FindString(name)), "./")
	bad := func(message string) ([]entry, bool) {
		d.problem(sbom.Invalid, v, message, "name a file of the plugin")
		return nil, false
	}
	// The description of a plugin stands in its folder, or in a hidden one there.
	root := "."
	if strings.HasPrefix(path.Base(path.Dir(f.Name)), ".") && path.Dir(f.Name) != "." {
		root = ".."
	}
	data, err := f.Sibling(root + "/" + name)
	if err != nil {
		return bad("the file that it names for its servers cannot be read")
	}
	other := *f
	other.Name = path.Join(path.Dir(f.Name), root, name)
	other.Path = strings.TrimSuffix(f.Path, f.Name) + other.Name
	if r.files[other.Path] {
		return nil, true
	}
	r.files[other.Path] = true
	c := plugins
	c.name = client
	doc, problem := parse(c.notation(other.Name, data), data)
	if problem != nil || doc == nil {
		return bad("the file that it names for its servers is broken")
	}
	doc.file = &other
	return doc.entries(c)
}
