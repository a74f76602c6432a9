package mcp

import (
	"path"
	"strings"

	"countermark/sbom"

	"github.com/tailscale/hujson"
)

// What a Compose file lets its services do to the machine is what docker run lets a
// container do, under other names: it is judged by the same table.

// composeRights are the members of a service and the options of docker run that they
// stand for.
var composeRights = map[string]string{
	"privileged": "--privileged", "use_api_socket": "--use-api-socket", "network_mode": "--network", "pid": "--pid", "ipc": "--ipc", "uts": "--uts",
	"userns_mode": "--userns", "cgroup": "--cgroupns", "cap_add": "--cap-add", "security_opt": "--security-opt", "devices": "--device",
	"device_cgroup_rules": "--device-cgroup-rule", "volumes": "--volume",
}

// rights are the options that a service has, with those of the services of the same
// file that it extends.
func (y yamlFile) rights(v *hujson.Value, depth int) []option {
	var out []option
	for _, m := range members(v) {
		name, ok := composeRights[m.name]
		switch {
		case ok && array(m.value) == nil:
			out = append(out, y.right(name, m.name, m.value)...)
		case ok:
			for _, e := range elements(m.value) {
				out = append(out, y.right(name, m.name, e)...)
			}
		case m.name == "extends" && depth < maxUnwrap && get(m.value, "file") == nil:
			base := textOf(m.value)
			if base == "" {
				base = textOf(get(m.value, "service"))
			}
			out = append(out, y.rights(get(&y.document.root, "services", base), depth+1)...)
		}
	}
	return out
}

// right is one option. A folder may be written as an object, and a volume of the file
// may be a folder of the machine.
func (y yamlFile) right(name, member string, v *hujson.Value) []option {
	at := y.document.at(v, member)
	value := text(v)
	if object(v) != nil {
		value = textOf(get(v, "source"))
		if target := textOf(get(v, "target")); target != "" {
			value += ":" + target
		}
	}
	source, target := splitVolume(value)
	if device := get(&y.document.root, "volumes", source, "driver_opts", "device"); name == "--volume" && device != nil {
		value = text(device) + ":" + target
	}
	return []option{{name: name, value: &word{text: value, at: at}, at: at}}
}

// built is an image that is made of what a service names: a folder of the project, or
// a repository elsewhere, which is a launch of its own.
func (y yamlFile) built(name string, v *hujson.Value, rights []option) {
	build := get(v, "build")
	if context := get(build, "context"); context != nil {
		build = context
	}
	if textOf(build) == "" {
		return
	}
	where := y.word(build, "build")
	s := step{name: name, words: []word{where}, rights: rights}
	if strings.Contains(where.text, "://") || strings.HasPrefix(where.text, "git@") {
		s.subjects = named("compose build", []subject{buildContext(where)})
	} else {
		s.subjects = []subject{local(where, "compose build")}
		s.rightsOnly = true
	}
	y.add(s)
}

// buildContext is a repository, whose folder may stand behind a colon, or an archive.
func buildContext(w word) subject {
	if isGit(w.text) {
		base, ref, _ := strings.Cut(w.text, "#")
		if ref, _, _ = strings.Cut(ref, ":"); ref != "" {
			base += "#" + ref
		}
		return gitSubject(w, base)
	}
	return subject{at: w.at, launch: sbom.Launch{Kind: sbom.KindUnknown, Pin: sbom.PinUnknown, Spec: redactURL(w.text)}, reason: "an image is built of what is at a URL"}
}

// elsewhere reads the Compose files that this one is put together from and that are
// not called like one.
func (y yamlFile) elsewhere(v *hujson.Value) {
	for _, e := range append(elements(v), v) {
		ref := e
		if e != nil && object(e) != nil {
			if ref = get(e, "file"); ref == nil {
				ref = get(e, "path")
			}
		}
		for _, one := range append(elements(ref), ref) {
			name := textOf(one)
			if name == "" || strings.Contains(name, "://") || strings.ContainsAny(name, "$") {
				continue
			}
			if y.finder.follows = true; y.finder.file != nil {
				y.included(path.Join(path.Dir(y.finder.file.Name), name), y.line(one))
			}
		}
	}
}
