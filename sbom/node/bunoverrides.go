package node

import (
	"maps"
	"slices"
	"strings"

	"deps.dev/util/semver"
)

// overridePath parts the key of an override or a resolution into the packages that it
// names, each with the range that it is for: "asker@1>name@>=2 <3" as pnpm writes it,
// "asker/**/name@npm:2" as yarn does. A > behind a blank, | or @ belongs to a range.
func overridePath(key string) (path []string) {
	key = strings.ReplaceAll(strings.TrimPrefix(key, "**/"), "/**/", "/")
	for key != "" {
		end := 0
		if key[0] == '@' {
			end = strings.IndexByte(key, '/') + 1
		}
		for end < len(key) && key[end] != '/' && (key[end] != '>' || end > 0 && strings.IndexByte(" |@", key[end-1]) >= 0) {
			end++
		}
		path = append(path, strings.Replace(key[:end], "@npm:", "@", 1))
		key = key[min(end+1, len(key)):]
	}
	return path
}

// overridden returns the name that the last step of a path replaces.
func overridden(path []string) string {
	if len(path) == 0 {
		return ""
	}
	name, _, _ := cutVersion(path[len(path)-1], "@")
	return name
}

// bunOverrides calls each for what an object of overrides says, with the package that
// is replaced behind those below which it is.
func bunOverrides(group *value, each func(path []string, o *member)) {
	for i := range group.members {
		o := &group.members[i]
		path := overridePath(o.name)
		if o.value.kind != objectKind {
			each(path, o)
			continue
		}
		for j := range o.value.members {
			below := &o.value.members[j]
			if below.name == "." {
				each(path, below)
			} else {
				each(slices.Concat(path, overridePath(below.name)), below)
			}
		}
	}
}

// bunKnows reports whether the Bun that wrote the lockfile heeds an override: one of a
// package, or of one below another, each in any version or in those of a range.
func (r *bunRules) bunKnows(path []string, o *member) bool {
	if o.value.kind != stringKind || o.value.text == "" || len(path) == 0 || len(path) > 2 || len(path) == 2 && r.version < 3 {
		return false
	}
	return !slices.ContainsFunc(path, func(step string) bool {
		_, in, _ := cutVersion(step, "@")
		_, err := semver.NPM.ParseConstraint(in)
		return in != "" && err != nil
	})
}

// compareBunRules holds the overrides and catalogs of the project against the
// lockfile's copy of them, by which Bun resolves. Where there are overrides, Bun does
// not look at resolutions.
func (l *lockfile) compareBunRules(m *manifest) {
	group := m.doc.root.get("overrides")
	if group == nil {
		group = m.doc.root.get("resolutions")
	}
	declared := map[string]string{}
	where := map[string]int{}
	if group != nil && group.value.kind == objectKind {
		bunOverrides(&group.value, func(path []string, o *member) {
			if !l.bun.bunKnows(path, o) {
				m.warn(o.off, "", "the Bun that wrote %s ignores the override of %s", l.quotePath(), quote(o.name))
				return
			}
			key := strings.Join(path, ">")
			declared[key], where[key] = m.reference(o.value.text), o.off
		})
	}
	for _, key := range slices.Sorted(maps.Keys(declared)) {
		if locked, ok := l.bun.overrides[key]; !ok || m.reference(locked) != declared[key] {
			m.invalid(where[key], hintBun, "the override of %s is not the one of %s", quote(key), l.quotePath())
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.bun.overrides)) {
		if _, ok := declared[key]; !ok {
			l.invalid(l.doc.root.get("overrides").off, hintBun, "package.json declares no override of %s", quote(key))
		}
	}
	l.compareCatalogs(m)
}
