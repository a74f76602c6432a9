package node

import (
	"strings"

	"countermark/sbom"
)

// asked sums up the dependencies that lead to an entry.
type asked struct {
	anybody, fits    bool // there is one; one asks for what the entry is
	project, fitsOwn bool // one is the project's own; one of it or its members asks for what the entry is
}

// judgeAsked holds every entry against what is asked for under its name. npm
// takes a lockfile's word for which package lies in a folder and where it comes
// from, as long as the version fits: a copy from a git repository, a link or
// another package's tarball stands in for what the registry has under the name.
//
// One dependency that asks for what the entry is suffices, since npm lets others
// share that copy: a fork that the project asks for by git also satisfies the
// peers that name a range. Of what the project asks for itself, only its own
// files can say that it is something else. The package.json of all folders must
// have been compared before.
func (l *lockfile) judgeAsked(m *manifest) {
	if l.cut {
		return
	}
	all := make([]asked, len(l.entries))
	for i := range l.entries {
		e := &l.entries[i]
		own := i == 0 || e.workspace && e.own != nil // nobody has seen the files of other members
		for _, d := range l.wants(i) {
			if d.to == none || l.entries[d.to].folder != d.name {
				continue // which is a problem already
			}
			a := &all[d.to]
			fits := d.kind == workspaceEdge || l.fits(d.to, d.name, d.spec)
			a.anybody = true
			a.fits = a.fits || fits
			a.project = a.project || i == 0
			a.fitsOwn = a.fitsOwn || own && fits
		}
	}
	var replaced map[string][]string
	switch {
	case l.bun != nil:
		replaced = l.bun.replaced
	case m != nil && !l.legacy: // npm 6 knows no overrides
		replaced = m.replacements()
	}
	for i := range all {
		e, a := &l.entries[i], all[i]
		if !a.anybody || a.fitsOwn || a.fits && !a.project || l.fitsAny(i, replaced[e.folder]) || !validName(e.name) {
			continue
		}
		if m == nil && !a.project {
			l.warn(e.off, "check the folder together with its package.json",
				"%s is another package, or from elsewhere, than what asks for it says, and no package.json is there whose overrides could have replaced it", l.label(e))
			continue
		}
		l.invalid(e.off, "find out who changed the entry; to have it written anew, delete it and "+l.hint(),
			"%s is another package, or from elsewhere, than what is asked for under this name", l.label(e))
	}
}

// wants returns what an entry asks for, and where it leads. What the lockfile
// alone claims of a package.json that was read does not count.
func (l *lockfile) wants(i int) []edge {
	e := &l.entries[i]
	if e.own == nil {
		return e.edges
	}
	var out []edge
	for _, d := range e.edges {
		if d.kind == workspaceEdge {
			out = append(out, d)
		}
	}
	for _, d := range e.own.deps {
		out = append(out, edge{d, l.find(i, d.name)})
	}
	return out
}

// replacements returns what overrides put in place of a name, wherever below the
// project; where exactly they hold is judged by compareOverrides.
func (m *manifest) replacements() map[string][]string {
	out := map[string][]string{}
	var visit func(o *override)
	visit = func(o *override) {
		if o.value != "" && o.value != o.in {
			out[o.name] = append(out[o.name], m.reference(o.value))
		}
		for _, same := range o.children {
			for _, child := range same {
				visit(child)
			}
		}
	}
	if m.overrides != nil {
		visit(m.overrides)
	}
	return out
}

func (l *lockfile) fitsAny(i int, specs []string) bool {
	for _, spec := range specs {
		if l.fits(i, l.entries[i].folder, spec) {
			return true
		}
	}
	return false
}

// fits reports whether an entry is of the kind that a spec asks for: where it
// comes from and, of what a registry has, the name. Versions are not compared.
// A spec of a form that this version does not know fits everything.
func (l *lockfile) fits(i int, name, spec string) bool {
	e := &l.entries[i]
	to := l.instance(i)
	if to == none || e.bundled && !e.hasResolved {
		return true // reported already; comes inside of a package that is judged itself
	}
	source := sbom.FromRegistry
	if e.link {
		source = sbom.FromLink
	} else if e.hasResolved {
		var known bool
		if source, known = lockedSource(e.resolved); !known {
			return true // reported already
		}
	}
	if e.source != "" && !e.link {
		source = e.source
	}
	spec = strings.TrimSpace(spec)
	if l.bun != nil {
		var ok bool
		if spec, ok = l.bun.catalog(name, spec); !ok {
			return false
		}
		if strings.HasPrefix(spec, "workspace:") {
			return l.entries[to].workspace
		}
	}
	if !strings.ContainsAny(spec, `/:\`) && spec != "." && spec != ".." { // a version or a tag
		return isArchive(spec) || l.isPackage(to, e, source, name)
	}
	r := parseSpec(name, spec)
	http := strings.HasPrefix(strings.ToLower(spec), "http")
	switch r.source {
	case sbom.FromGit, sbom.FromTarball: // a web address may be either, depending on the host
		if source == sbom.FromTarball {
			return http
		}
		return source == sbom.FromGit && (r.source == sbom.FromGit || http) || source == sbom.FromRegistry && http
	case sbom.FromFile, sbom.FromLink:
		return source == sbom.FromFile || source == sbom.FromLink
	default:
	}
	alias := strings.HasPrefix(strings.ToLower(spec), "npm:")
	return !alias || l.isPackage(to, e, source, r.name)
}

// isPackage reports whether an entry, which leads to another where it is a link, is the
// package of that name that the registry or the workspace has.
func (l *lockfile) isPackage(to int, e *entry, source sbom.Source, name string) bool {
	if source == sbom.FromLink {
		return l.entries[to].workspace && l.entries[to].name == name
	}
	return source == sbom.FromRegistry && e.name == name
}
