package node

import (
	"slices"

	"deps.dev/util/semver"
)

// manifest is a package.json (npm's documentation, "package.json").
type manifest struct {
	*source
	name    string
	version string
	private bool
	license string
	deps    []dependency
	depsOff int // of the first object of dependencies that holds one

	workspaces []string // patterns
	overrides  *override
	bins       []string // commands that it provides
}

// readManifest returns nil where the file is not even an object.
func readManifest(s *source) *manifest {
	m := &manifest{source: s}
	const hint = "correct package.json"
	root := &m.doc.root
	if err := m.doc.err; err != nil {
		m.invalid(err.off, hint, "invalid JSON: %s", err.msg)
	}
	if root.kind != objectKind {
		if m.doc.err == nil {
			m.invalid(root.off, hint, "a package.json must be an object, not %s", root.kind)
		}
		return nil
	}
	for _, d := range m.doc.duplicates {
		m.warn(d.off, "keep one of them", "%s stands twice in the same object; the last one counts", quote(d.name))
	}
	if name, ok := m.text(root, "name"); ok && name != "" {
		if validName(name) {
			m.name = name
		} else {
			m.warn(root.get("name").off, hint, "the project's name is none that npm accepts")
		}
	}
	if version, ok := m.text(root, "version"); ok && version != "" {
		if m.version = plainVersion(version); m.version == "" {
			m.warn(root.get("version").off, hint, "the project's version is not of the form 1.2.3")
		}
	}
	m.private = m.isPrivate(root)
	m.license = m.source.license(root)
	m.deps = m.dependencies(root, true)
	m.depsOff = firstDependencies(root)
	m.workspaces = m.workspacePatterns(root)
	m.bins = slices.Concat(m.source.bins(root, rawName(root)), m.binsBelow(root))
	return m
}

// isPrivate reads "private" as package managers do, which take any text for true.
func (m *manifest) isPrivate(root *value) bool {
	if text := root.get("private"); text != nil && text.value.kind == stringKind {
		return text.value.text != ""
	}
	return m.flag(root, "private")
}

func firstDependencies(root *value) int {
	for i := range root.members {
		m := &root.members[i]
		switch m.name {
		case "dependencies", "devDependencies", "optionalDependencies", "peerDependencies":
			if len(m.value.members) > 0 {
				return m.off
			}
		}
	}
	return none
}

// compare holds a package.json against what the lockfile says of the same
// folder. `npm ci` installs what the lockfile has while that still satisfies
// package.json, which is a warning here, and refuses otherwise: then the
// lockfile is not what would be installed, and the inventory would be wrong.
func (l *lockfile) compare(i int, m *manifest) {
	if m == nil || l.cut || m.doc.err != nil {
		return
	}
	e := &l.entries[i]
	if e.installed() {
		return // Bun copies a folder, and leaves out what it needs for development
	}
	e.own = m
	if l.legacy {
		return // what the project asks for was taken from package.json
	}
	locked := map[string]edge{}
	for _, d := range e.edges {
		locked[fold(d.name)] = d
	}
	for _, d := range m.deps {
		have, ok := locked[fold(d.name)]
		delete(locked, fold(d.name))
		switch {
		case ok && (have.kind == workspaceEdge || have.spec == d.spec && have.kind == d.kind):
		case ok && have.spec == d.spec, l.satisfied(i, d):
			m.warn(d.off, l.hint(), "%s differs from what %s says of it, which still satisfies it", quote(d.name), l.quotePath())
		case !ok && d.kind.mayMiss():
			m.warn(d.off, l.hint(), "%s is not known to %s", quote(d.name), l.quotePath())
		default:
			m.invalid(d.off, l.hint(), "%s does not fit %s, so %s would refuse to install", quote(d.name), l.quotePath(), l.strictInstall())
		}
	}
	switch {
	case i == 0 && l.bun != nil:
		l.compareBunRules(m)
	case i == 0:
		l.compareOverrides(m)
	}
	for _, d := range e.edges { // in file order
		if left, ok := locked[fold(d.name)]; ok && left.kind != workspaceEdge {
			l.warn(d.off, l.hint(), "%s is no longer in package.json of %s", quote(d.name), l.label(e))
		}
	}
}

// strictInstall is the command that refuses a lockfile which does not fit
// package.json.
func (l *lockfile) strictInstall() string {
	if l.bun != nil {
		return "`bun install --frozen-lockfile`"
	}
	return "`npm ci`"
}

func (l *lockfile) quotePath() string { return quote(l.file.Path) }

// satisfied reports whether the copy that the folder would get is what a range
// asks for. Whatever is no range (a tag, a URL) is not known to be.
func (l *lockfile) satisfied(i int, d dependency) bool {
	to := l.instance(l.find(i, d.name))
	if to == none || l.entries[to].version == "" {
		return false
	}
	r := parseSpec(d.name, d.spec)
	if r.source != "" || r.name != l.entries[to].name || r.name != d.name {
		return false
	}
	constraint, err := semver.NPM.ParseConstraint(d.spec)
	return err == nil && constraint.Match(l.entries[to].version)
}
