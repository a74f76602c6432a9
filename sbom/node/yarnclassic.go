package node

import (
	"cmp"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"strings"

	"deps.dev/util/semver"

	"countermark/sbom"
)

// readClassic reads an entry of yarn 1.
func (l *yarnLock) readClassic(n *yarnNode) (yarnEntry, bool) {
	e := yarnEntry{keys: n.keys, off: n.off()}
	name := ""
	for i := range n.children {
		c := &n.children[i]
		switch c.name() {
		case "version":
			e.version = l.version(c)
		case "resolved":
			e.resolved = l.text(c)
		case "integrity":
			hashes, err := sbom.ParseIntegrity(l.text(c))
			if err != nil {
				l.invalid(c.off(), hintYarn, "the integrity of %s: %v", quote(n.name()), err)
			}
			e.hashes = hashes
		case "name":
			name = l.text(c)
		case "dependencies":
			e.deps = append(l.readRequests(c, prodEdge), e.deps...)
		case "optionalDependencies":
			e.deps = append(e.deps, l.readRequests(c, optionalEdge)...)
		case "uid", "registry", "permissions", "prebuiltVariants": // which say nothing of where it comes from
		default:
			l.judgeKey(c.name(), c.off(), graphKeys)
			l.warn(c.off(), "", "%s is nothing that yarn 1 writes", quote(c.name()))
		}
	}
	e.deps = withoutRepeated(e.deps)
	l.classicSource(&e)
	l.classicName(&e, name)
	if e.version == "" && n.name() != "" && !l.cut {
		l.invalid(e.off, hintYarn, "%s has no version", quote(n.name()))
	}
	return e, validName(e.name)
}

// judgeLast looks whether the last entry lacks what every other one has: the file may
// have been cut off behind any of its lines.
func (l *yarnLock) judgeLast() {
	last, others := len(l.entries)-1, 0
	resolved, hashes := true, math.MaxInt
	for i := range max(last, 0) {
		if e := &l.entries[i]; e.source == sbom.FromRegistry {
			others++
			resolved, hashes = resolved && e.resolved != "", min(hashes, len(e.hashes))
		}
	}
	if l.cut || others == 0 {
		return
	}
	e := &l.entries[last]
	if e.source == sbom.FromRegistry && (resolved && e.resolved == "" || len(e.hashes) < hashes) {
		l.broken(syntaxAt(e.off, "the last entry lacks what every other one has, so that the rest of it may be missing"))
	}
}

// withoutRepeated: what is among dependencies and optionalDependencies is
// optional.
func withoutRepeated(deps []dependency) []dependency {
	last := map[string]int{}
	for i, d := range deps {
		last[d.name] = i
	}
	i := -1
	return slices.DeleteFunc(deps, func(d dependency) bool { i++; return last[d.name] != i })
}

// classicName finds the package's own name: that of its keys, but for aliases
// what these stand for. Of what comes by no registry, the package itself may say
// another one.
func (l *yarnLock) classicName(e *yarnEntry, own string) {
	for _, k := range e.keys {
		key, spec := splitRequest(k.text)
		name := key
		switch r := parseSpec(key, spec); {
		case strings.HasPrefix(spec, "npm:"):
			name = r.name
		case own != "" && r.source != "":
			name = own
		}
		if !validName(name) {
			// The whole key, since half of a URL cannot be redacted.
			l.invalid(k.off, hintYarn, "%s names no package", quote(k.text))
			continue
		}
		if e.name != "" && e.name != name {
			l.invalid(k.off, hintYarn, "%s stands for %s and for %s at once", quote(k.text), quote(e.name), quote(name))
		}
		e.name = cmp.Or(e.name, name)
		if key != name && validName(key) && !slices.Contains(e.aliases, key) {
			e.aliases = append(e.aliases, key)
		}
	}
}

// classicSource says by which way the bytes arrive. The fragment of a tarball's
// URL is its SHA-1.
func (l *yarnLock) classicSource(e *yarnEntry) {
	asked, path := classicRequests(e.keys)
	e.dir = path
	if e.resolved == "" {
		e.source = asked
		if e.source == sbom.FromGit || e.source == sbom.FromTarball {
			l.invalid(e.off, hintYarn, "%s has no line \"resolved\"", quote(e.keys[0].text))
		}
		return
	}
	url, fragment, _ := strings.Cut(e.resolved, "#")
	source, known := lockedSource(e.resolved)
	switch {
	case !known && !strings.ContainsAny(url, `:\`):
		source = sbom.FromFile // of an offline mirror
	case !known:
		l.invalid(e.off, hintYarn, "the URL from which %s is resolved is of no known form", quote(e.keys[0].text))
	case source == sbom.FromGit:
		e.source = source
		return
	case source == sbom.FromRegistry && asked != sbom.FromRegistry:
		source = sbom.FromTarball
	}
	e.source, e.resolved = source, url
	if source == sbom.FromFile {
		e.resolved = ""
	}
	raw, err := hex.DecodeString(fragment)
	if err != nil || len(raw) != sha1Size {
		return
	}
	fragmentHash := sbom.Hash{Algorithm: "sha1", Value: strings.ToLower(fragment)}
	for _, h := range e.hashes {
		if h.Algorithm == fragmentHash.Algorithm && h.Value != fragmentHash.Value {
			l.invalid(e.off, hintYarn, "the URL of %s has another SHA-1 than its integrity", quote(e.keys[0].text))
		}
	}
	if !slices.Contains(e.hashes, fragmentHash) {
		e.hashes = append(e.hashes, fragmentHash)
	}
}

// sha1Size is that of a digest, in bytes.
const sha1Size = 20

// classicRequests says what the keys ask for. One that asks a registry suffices:
// yarn puts those together that lead to the same URL.
func classicRequests(keys []yarnKey) (source sbom.Source, path string) {
	for _, k := range keys {
		name, spec := splitRequest(k.text)
		r := parseSpec(name, spec)
		if r.source == "" {
			return sbom.FromRegistry, ""
		}
		if r.source == sbom.FromLink || r.source == sbom.FromFile && !isArchive(spec) {
			path = linkedPath(strings.TrimPrefix(spec, schemeOf(spec)))
		}
		source = cmp.Or(source, r.source)
	}
	return source, path
}

// readClassicFolders learns from the package.json files what the lockfile of yarn
// 1 leaves out: the project, its members, and what they ask for.
func (p *projects) readClassicFolders(at *folder) {
	l, m := at.yarn, at.manifest
	if m == nil {
		l.rootless = true
		l.invalid(none, "check the folder together with its package.json", "there is no package.json that can be read, and a lockfile of yarn 1 does not say what the project asks for")
		return
	}
	for i := range l.entries {
		p.readLocal(at, &l.entries[i])
	}
	l.entries = append(l.entries, yarnEntry{off: 0, name: m.name, source: sbom.FromProject, own: m, deps: m.ownRequests()})
	l.rules.overrides = m.resolutions()
	if len(m.workspaces) == 0 {
		return
	}
	members, err := compileWorkspaces(m.workspaces)
	if err != nil {
		m.invalid(0, hintWorkspaces, "the workspaces cannot be understood: %v", err)
		return
	}
	if at.pkg == nil {
		l.problem(sbom.Unsupported, none, "check the folder", "the workspace members of the project were not looked at, since the lockfile was named alone")
	}
	prefix := ""
	if at.dir != "" {
		prefix = at.dir + "/"
	}
	names := map[string]bool{}
	for _, dir := range slices.Sorted(maps.Keys(p.folders)) {
		rel, inside := strings.CutPrefix(dir, prefix)
		own := p.folders[dir].manifest
		if !inside || own == nil || dir == at.dir || !members.match(rel) {
			continue
		}
		p.cover(at, rel)
		if own.name == "" {
			own.invalid(own.doc.root.off, "name the workspace member", "a workspace member needs a name")
			continue
		}
		if names[own.name] {
			own.invalid(own.doc.root.off, "give each workspace member a name of its own", "two workspace members are named %s", quote(own.name))
		}
		names[own.name] = true
		l.entries = append(l.entries, yarnEntry{off: none, name: own.name, version: own.version, dir: rel, source: sbom.FromProject, own: own, deps: own.ownRequests()})
	}
	if members.exhausted() {
		m.invalid(0, hintWorkspaces, tooManyMembers)
	}
}

// findClassic: a member of the workspace is taken where its version fits, else
// what the lockfile has for the request, else what the project's resolutions put
// in its place.
func (l *yarnLock) findClassic(d dependency) int {
	if i := l.member(d); i != none {
		return i
	}
	if i := l.find(d.name, d.spec, ""); i != none {
		return i
	}
	for _, o := range l.rules.overrides {
		if o.name == d.name {
			if i := l.find(d.name, o.to, ""); i != none {
				return i
			}
		}
	}
	return none
}

func (l *yarnLock) member(d dependency) int {
	for i := len(l.entries) - 1; i >= 0 && l.entries[i].source == sbom.FromProject; i-- {
		m := &l.entries[i]
		if m.dir == "" || m.name != d.name || m.version == "" {
			continue
		}
		if c, err := semver.NPM.ParseConstraint(d.spec); err == nil && c.Match(m.version) {
			return i
		}
	}
	return none
}
