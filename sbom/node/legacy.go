package node

import (
	"path"
	"slices"

	"deps.dev/util/semver"

	"countermark/sbom"
)

// readLegacy reads lockfileVersion 1, which npm 5 and 6 wrote (npm's
// documentation of version 6, "package-lock.json"): a tree of "dependencies", of
// which each is a folder in the node_modules of the one around it. "requires"
// names what a package asks for, optional dependencies among it; peers are not
// resolved. What the project asks for stands in package.json only.
func (l *lockfile) readLegacy(root *value, m *manifest) {
	for _, d := range l.doc.duplicates {
		l.invalid(d.off, l.hint(), "%s stands twice in the same object", quote(d.name))
	}
	l.judgeKeys(root, "dependencies", "requires")
	l.name, _ = l.text(root, "name")
	l.entries = []entry{{off: root.off, target: none, parent: none}}
	if root.get("version") != nil {
		l.entries[0].version = l.version(root)
	}
	if requires := root.get("requires"); requires == nil || requires.value.kind != boolKind || requires.value.text != "true" {
		l.entries[0].incomplete = true
		if !l.cut {
			l.problem(sbom.Unsupported, root.off, l.hint(), "without \"requires\" nothing says what the packages depend on")
		}
	}
	l.readTree(root, "", 1)
	if !l.legacyRoot(m) {
		l.deriveRoot()
	}
	l.place()
	l.followLinks()
	l.resolve()
	l.findBundled()
	l.judgeUnasked()
	l.judgeLegacyRoot(m)
}

// readTree adds the dependencies of one folder, and all below these.
func (l *lockfile) readTree(v *value, dir string, depth int) {
	deps := l.member(v, "dependencies", objectKind)
	if deps == nil {
		return
	}
	if depth > maxNesting {
		l.invalid(deps.off, l.hint(), "more than %d packages inside of each other", maxNesting)
		return
	}
	last := map[string]int{} // of duplicate keys, the last one counts
	for i := range deps.value.members {
		last[deps.value.members[i].name] = i
	}
	for i := range deps.value.members {
		m := &deps.value.members[i]
		switch {
		case last[m.name] != i || m.value.cut && len(m.value.members) == 0:
			continue
		case m.value.kind != objectKind:
			l.wrongType(m, objectKind)
			continue
		case !validName(m.name):
			l.invalid(m.off, l.hint(), "%s is no name of a package", quote(m.name))
			continue
		case len(l.entries) > maxEntries:
			if !l.cut {
				l.invalid(m.off, hintSplit, "more than %d packages", maxEntries)
			}
			l.cut = true
			return
		}
		key := path.Join(dir, "node_modules", m.name)
		if l.repeats(key, &m.value) {
			continue
		}
		if why := badKey(key); why != "" {
			l.invalid(m.off, l.hint(), "the path %s %s", quote(key), why)
			continue
		}
		around := l.readLegacyEntry(m, key, dir)
		if around != "" {
			l.readTree(&m.value, around, depth+1)
		}
	}
}

// repeats reports whether the package stands there already, below another link to the
// same folder.
func (l *lockfile) repeats(key string, v *value) bool {
	version, _ := l.text(v, "version")
	known, ok := l.nodes[key]
	return ok && plainVersion(version) != "" && plainVersion(version) == l.entries[known].version
}

// readLegacyEntry adds a package, and returns the folder in which those below it
// lie, or "" where it is broken.
func (l *lockfile) readLegacyEntry(m *member, key, dir string) string {
	v := &m.value
	if v.cut {
		// Only what stands below is whole.
		if v.get("dependencies") != nil {
			return key
		}
		return ""
	}
	l.judgeKeys(v, "dependencies", "requires")
	e := entry{key: key, off: m.off, folder: m.name, name: m.name, target: none, parent: none}
	version, _ := l.text(v, "version")
	e.resolved, _ = l.text(v, "resolved")
	scheme := schemeOf(version)
	target := ""
	switch {
	case scheme == "npm:":
		alias := parseSpec(m.name, version)
		e.name, e.version = alias.name, alias.version
		if !validName(e.name) {
			// The whole text, since half of a URL cannot be redacted.
			l.invalid(m.off, l.hint(), "%s names no package", quote(version))
			return ""
		}
	case scheme == "file:" && !isArchive(version):
		if target = linkedPath(version[len(scheme):]); target == "" {
			l.invalid(m.off, l.hint(), "the link %s leads to no relative path", quote(m.name))
			return ""
		}
	case scheme == "file:":
		e.source, e.local, e.resolved = sbom.FromFile, linkedPath(version[len(scheme):]), ""
	case scheme == "http:", scheme == "https:":
		e.source, e.resolved = sbom.FromTarball, version
	case scheme != "" || specSCP.MatchString(version):
		e.resolved = version
	default:
		e.version = plainVersion(version)
	}
	e.hasResolved = e.resolved != ""
	if integrity := l.member(v, "integrity", stringKind); integrity != nil {
		hashes, err := sbom.ParseIntegrity(integrity.value.text)
		if err != nil {
			l.invalid(integrity.off, l.hint(), "the integrity of %s: %v", quote(m.name), err)
		}
		e.integrity = hashes
	}
	e.use = l.use(v)
	e.markBundled = l.flag(v, "bundled")
	e.deps = l.legacyRequires(v)
	e.properties = l.facts(v)
	if target != "" {
		return l.addLegacyLink(&e, target)
	}
	l.addLegacyEntry(e)
	if e.markBundled && dir != "" {
		if around, ok := l.nodes[dir]; ok {
			l.entries[around].bundles = append(l.entries[around].bundles, m.name)
		}
	}
	return key
}

func (l *lockfile) addLegacyEntry(e entry) {
	l.nodes[e.key] = len(l.entries)
	l.entries = append(l.entries, e)
}

// addLegacyLink adds the link to a folder, and the folder.
func (l *lockfile) addLegacyLink(e *entry, target string) string {
	link := entry{key: e.key, off: e.off, folder: e.folder, name: e.name, link: true, hasResolved: true, resolved: target, target: none, parent: none}
	l.addLegacyEntry(link)
	if why := badKey(target); why != "" {
		l.invalid(e.off, l.hint(), "the folder %s %s", quote(target), why)
		return ""
	}
	if _, ok := l.nodes[target]; !ok {
		e.key, e.folder = target, folderName(target)
		l.addLegacyEntry(*e)
	}
	return target
}

// legacyRequires reads the "requires" of a package.
func (l *lockfile) legacyRequires(v *value) []dependency {
	var deps []dependency
	l.texts(v, "requires", func(name, spec string, d *member) {
		deps = append(deps, dependency{name: name, spec: spec, kind: prodEdge, off: d.off})
	})
	return deps
}

// legacyRoot takes from package.json what the project asks for, and reports
// whether there is one. npm 6 installs no peers.
func (l *lockfile) legacyRoot(m *manifest) bool {
	if m == nil || m.doc.err != nil {
		return false
	}
	if len(m.workspaces) > 0 {
		l.problem(sbom.Unsupported, none, l.hint(), "npm 6 knows no workspaces, so nothing says what the members of this one install")
	}
	root := &l.entries[0]
	root.deps = slices.DeleteFunc(slices.Clone(m.deps), func(d dependency) bool { return d.kind == peerEdge || d.kind == peerOptionalEdge })
	for i := range root.deps {
		root.deps[i].off = root.off // those of m stand in another file
	}
	return true
}

// deriveRoot lets the project ask for what no other package asks for.
func (l *lockfile) deriveRoot() {
	l.entries[0].incomplete = true
	if !l.cut {
		l.problem(sbom.Unsupported, none, "check the folder together with its package.json",
			"there is no package.json that can be read, and a lockfile of npm 6 does not say what the project asks for: here it is what no other package asks for")
	}
	asked := map[string]bool{}
	for i := range l.entries {
		for _, d := range l.entries[i].deps {
			asked[d.name] = true
		}
	}
	for i := range l.entries {
		e := &l.entries[i]
		if e.key != "node_modules/"+e.folder || asked[e.folder] {
			continue
		}
		kind := prodEdge
		switch {
		case e.use.Development:
			kind = devEdge
		case e.use.Optional:
			kind = optionalEdge
		}
		l.entries[0].deps = append(l.entries[0].deps, dependency{name: e.folder, kind: kind, off: e.off})
	}
}

// judgeLegacyRoot: `npm ci` refuses a lockfile that does not hold what
// package.json asks for.
func (l *lockfile) judgeLegacyRoot(m *manifest) {
	if m == nil || m.doc.err != nil || l.cut {
		return
	}
	for _, d := range m.deps {
		to := l.instance(l.find(0, d.name))
		if to == none || d.kind == peerEdge || d.kind == peerOptionalEdge {
			continue // told by resolve
		}
		if _, err := semver.NPM.ParseConstraint(d.spec); err == nil && !l.satisfied(0, d) {
			m.invalid(d.off, l.hint(), "%s does not fit %s, so `npm ci` would refuse to install", quote(d.name), l.quotePath())
		}
	}
}
