package mcp

import (
	"bytes"
	"slices"
	"strings"

	"countermark/sbom"

	"github.com/tailscale/hujson"
	"mvdan.cc/sh/v3/syntax"
)

// crushFlags are the options of "mcp add" in Crush's crushrc, a shell script that
// is its configuration, by the member that they are in crush.json. Those of lists
// and objects may stand more than once.
var crushFlags = map[string]string{
	"--command": "command", "--type": "type", "--url": "url", "--cwd": "cwd", "--args": "args", "--arg": "args",
	"--env": "env", "--header": "headers", "--headers": "headers", "--disabled": "disabled",
	"--timeout": "timeout", "--disabled-tools": "disabled_tools", "--enabled-tools": "enabled_tools",
}

// crushScript finds the servers that a crushrc adds. It is parsed and never run, so
// that what stands in a branch is listed all the same. It reports false where not
// all of them can be told.
func (d *document) crushScript(client string, data []byte) ([]entry, bool) {
	text := bytes.TrimPrefix(data, byteOrderMark)
	d.shift = len(data) - len(text)
	d.lines = []int{0}
	for i, c := range text {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	here := &hujson.Value{}
	if len(text) > maxScriptFile {
		d.problem(sbom.Invalid, here, "the script is too long", "split it, or exclude it in the policy")
		return nil, false
	}
	file := parseShell(string(text))
	if file == nil {
		d.problem(sbom.Invalid, here, "the script cannot be parsed, so which servers it adds is not known", "mend its syntax")
		return nil, false
	}
	var out []entry
	complete := true
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) < 2 || len(out) >= maxServers {
			return true
		}
		sh := shellString{text: string(text)}
		words := make([]hujson.Value, len(call.Args))
		for i, a := range call.Args {
			at := int(a.Pos().Offset())
			words[i] = hujson.Value{StartOffset: at, EndOffset: at, Value: hujson.String(sh.render(a))}
		}
		if wordText(&words[0]) == "mcp" && wordText(&words[1]) == "add" {
			e, ok := d.crushServer(client, words[1:])
			out, complete = append(out, e), complete && ok
		}
		return true
	})
	if len(out) == maxServers {
		d.problem(sbom.Invalid, here, "it adds too many servers", "split the configuration, or exclude the file in the policy")
		complete = false
	}
	return out, complete
}

func wordText(v *hujson.Value) string {
	text, ok := v.Value.(hujson.Literal)
	if !ok {
		return ""
	}
	return text.String()
}

// crushServer makes of the words behind "mcp" the entry that crush.json would hold.
func (d *document) crushServer(client string, words []hujson.Value) (entry, bool) {
	o := &hujson.Object{}
	e := entry{doc: d, client: client, key: &words[0], value: &hujson.Value{StartOffset: words[0].StartOffset, Value: o}}
	lists := map[string]*hujson.Array{}
	objects := map[string]*hujson.Object{}
	add := func(o *hujson.Object, name string, at *hujson.Value, v hujson.Value) {
		o.Members = append(o.Members, hujson.ObjectMember{Name: hujson.Value{StartOffset: at.StartOffset, Value: hujson.String(name)}, Value: v})
	}
	complete := true
	for i := 1; i < len(words); i++ {
		w := &words[i]
		flag, value, joined := strings.Cut(wordText(w), "=")
		name, known := crushFlags[flag]
		switch {
		case !strings.HasPrefix(flag, "-"):
			if e.name == "" {
				e.name, e.key = wordText(w), w
			}
			continue
		case !known:
			d.problem(sbom.Invalid, w, "an option of mcp add that this version does not know, so its server is not known in full", "exclude the file in the policy if its servers are not used here")
			complete = false
			continue
		case name == "disabled":
			add(o, name, w, hujson.Value{StartOffset: w.StartOffset, Value: hujson.Bool(value != "false")})
			continue
		}
		v := hujson.Value{StartOffset: w.StartOffset, Value: hujson.String(value)}
		if !joined && i+1 < len(words) {
			i++
			v = words[i]
		}
		switch name {
		case "args", "disabled_tools", "enabled_tools":
			if lists[name] == nil {
				lists[name] = &hujson.Array{}
				add(o, name, w, hujson.Value{StartOffset: w.StartOffset, Value: lists[name]})
			}
			lists[name].Elements = append(lists[name].Elements, v)
			// --args takes all words up to the next option.
			for flag == "--args" && !joined && i+1 < len(words) && !slices.Contains(knownFlags(), wordText(&words[i+1])) {
				i++
				lists[name].Elements = append(lists[name].Elements, words[i])
			}
		case "env", "headers":
			if objects[name] == nil {
				objects[name] = &hujson.Object{}
				add(o, name, w, hujson.Value{StartOffset: w.StartOffset, Value: objects[name]})
			}
			key, text, _ := strings.Cut(wordText(&v), map[string]string{"env": "=", "headers": ":"}[name])
			add(objects[name], strings.TrimSpace(key), &v, hujson.Value{StartOffset: v.StartOffset, Value: hujson.String(strings.TrimSpace(text))})
		default:
			add(o, name, w, v)
		}
	}
	return e, complete
}

func knownFlags() []string {
	out := make([]string, 0, len(crushFlags))
	for flag := range crushFlags {
		out = append(out, flag)
	}
	return out
}
