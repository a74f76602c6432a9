package node

import (
	"strings"

	"deps.dev/util/semver"

	"countermark/sbom"
)

// override is one key of package.json's "overrides", or the whole of it (npm's
// documentation, "package.json", overrides): below the packages that its parents
// name, whoever asks for name in a version of the range gets value. npm does not
// copy them into the lockfile, so a lockfile can look untouched while npm would
// fetch something else.
type override struct {
	parent   *override
	children map[string][]*override // by name, in file order

	name  string
	in    string // range of what is asked for, "" for every
	value string // what is asked for instead; "" where nothing is replaced
	off   int
}

// maxOverridden bounds how often a dependency is judged: once for every override
// that can govern the package which asks.
const maxOverridden = 5_000_000

// readOverrides returns nil where there are none.
func (m *manifest) readOverrides(root *value) *override {
	found := m.member(root, "overrides", objectKind)
	if found == nil || len(found.value.members) == 0 {
		return nil
	}
	o := &override{off: found.off}
	m.readOverride(&found.value, o)
	return o
}

func (m *manifest) readOverride(v *value, into *override) {
	for i := range v.members {
		key := &v.members[i]
		if key.name == "." && key.value.kind == stringKind && into.parent != nil {
			into.value = emptyIsAny(key.value.text)
			continue
		}
		name, in := key.name, ""
		if at := strings.LastIndexByte(name, '@'); at > 0 {
			name, in = name[:at], name[at+1:]
		}
		if in == "*" {
			in = ""
		}
		o := &override{parent: into, name: name, in: in, value: in, off: key.off}
		switch {
		case !validName(name):
			m.invalid(key.off, "correct \"overrides\"", "%s is no name of a package", quote(key.name))
		case key.value.kind == stringKind:
			o.value = emptyIsAny(key.value.text)
		case key.value.kind == objectKind:
			m.readOverride(&key.value, o)
		default:
			m.invalid(key.off, "correct \"overrides\"", "the override %s must be a string or an object, not %s", quote(key.name), key.value.kind)
		}
		if into.children == nil {
			into.children = map[string][]*override{}
		}
		into.children[name] = append(into.children[name], o)
	}
}

func emptyIsAny(spec string) string {
	if spec == "" {
		return "*"
	}
	return spec
}

// rule returns the override that governs a dependency of something that o
// governs: the innermost that fits, itself and its parents included, else o.
func (o *override) rule(d dependency) *override {
	for set := o; set != nil; set = set.parent {
		for _, child := range set.children[d.name] {
			if child.concerns(d) {
				return child
			}
		}
		if set.parent != nil && set.concerns(d) {
			return set
		}
	}
	return o
}

// concerns reports whether the override is about the dependency. Where nobody
// can say what a tag or a URL asks for, it is.
func (o *override) concerns(d dependency) bool {
	if o.name != d.name {
		return false
	}
	spec := d.spec
	if rest, ok := strings.CutPrefix(spec, "npm:"); ok {
		spec = ""
		if at := strings.LastIndexByte(rest, '@'); at > 0 {
			spec = rest[at+1:]
		}
	}
	if o.in == "" || spec == "" {
		return true
	}
	asked, err := semver.NPM.ParseConstraint(spec)
	governed, err2 := semver.NPM.ParseConstraint(o.in)
	if err != nil || err2 != nil {
		return true
	}
	both := asked.Set()
	return both.Intersect(governed.Set()) != nil || !both.Empty()
}

// compareOverrides holds the overrides of the project against what the lockfile
// has. Every package passes the override that it was asked under on to what it
// asks for itself.
func (l *lockfile) compareOverrides(m *manifest) {
	if m.overrides == nil {
		return
	}
	type governed struct {
		entry int
		by    *override
	}
	seen := map[governed]bool{{0, m.overrides}: true}
	told := map[*override]bool{}
	queue := []governed{{0, m.overrides}}
	judged := 0
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if judged += len(l.entries[at.entry].edges); judged > maxOverridden {
			m.invalid(m.overrides.off, "simplify the overrides", "they govern more than %d dependencies", maxOverridden)
			return
		}
		for _, d := range l.entries[at.entry].edges {
			to := l.instance(d.to)
			if to == none {
				continue
			}
			by := at.by
			if d.kind != workspaceEdge {
				by = by.rule(d.dependency)
			}
			if by.name == d.name && !told[by] && !l.meets(to, d.name, m.reference(by.value)) {
				told[by] = true
				m.invalid(by.off, l.hint(), "the override of %s does not fit %s, so npm would install something else", quote(d.name), l.quotePath())
			}
			if next := (governed{to, by}); !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
}

// reference resolves "$name", which stands for what the project itself asks for
// under that name.
func (m *manifest) reference(spec string) string {
	name, ok := strings.CutPrefix(spec, "$")
	if !ok {
		return spec
	}
	for _, d := range m.deps {
		if d.name == name {
			return d.spec
		}
	}
	return spec // which nothing meets
}

// meets reports whether an entry is what a spec asks for, as npm would judge it.
func (l *lockfile) meets(i int, name, spec string) bool {
	e := &l.entries[i]
	spec = strings.TrimSpace(spec)
	if spec == "" || spec == "*" {
		return true // replaces nothing
	}
	r := parseSpec(name, spec)
	source, _ := lockedSource(e.resolved)
	switch r.source {
	case sbom.FromTarball:
		return e.resolved == spec
	case sbom.FromGit:
		return source == sbom.FromGit && remote(vcsURL(e.resolved)) == remote(r.url)
	case sbom.FromFile, sbom.FromLink:
		return source == sbom.FromFile || !e.installed()
	default:
	}
	if rest, ok := strings.CutPrefix(spec, "npm:"); ok {
		spec = "*"
		if at := strings.LastIndexByte(rest, '@'); at > 0 {
			spec = rest[at+1:]
		}
	}
	if r.name != e.name || source == sbom.FromGit || source == sbom.FromFile {
		return false
	}
	constraint, err := semver.NPM.ParseConstraint(spec)
	if err != nil {
		return specTag.MatchString(spec) // the registry alone knows what a tag means
	}
	return constraint.Match(e.version)
}

// remote is a git URL without what does not change which repository it is.
func remote(url string) string {
	url, _, _ = strings.Cut(url, "#")
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	return strings.ToLower(strings.TrimSuffix(strings.Replace(url, ":", "/", 1), ".git"))
}
