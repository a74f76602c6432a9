package lock

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"countermark/sbom"
)

// Ended is an approval that does not hold any more, because its server has changed.
type Ended struct {
	Lock   *Lock
	Server string // its name in the lock
}

// CarryOver adds to the locks of today what those that were read know and they do
// not: of configurations that were not read, or not in full, too. A lock of whose
// configurations none is left stays, with nothing in it. partly are the locks, by
// path, of which the user named only some configurations.
func CarryOver(read, today []*Lock, inv *sbom.Inventory, partly []string) (all []*Lock, ended []Ended) {
	all = today
	for _, was := range read {
		if find(today, was.Path) == nil {
			all = append(all, &Lock{Version: FormatVersion, Path: was.Path, Configurations: map[string]Configuration{}})
		}
	}
	slices.SortFunc(all, func(a, b *Lock) int { return strings.Compare(a.Path, b.Path) })
	for _, now := range all {
		was := find(read, now.Path)
		if was == nil {
			continue
		}
		for _, name := range now.carry(was, func(configuration string) bool { return unread(inv, now, configuration, partly) }) {
			ended = append(ended, Ended{now, name})
		}
	}
	return all, ended
}

// find returns the lock at a path, nil where none is there.
func find(locks []*Lock, path string) *Lock {
	if i := slices.IndexFunc(locks, func(l *Lock) bool { return l.Path == path }); i >= 0 {
		return locks[i]
	}
	return nil
}

// unread reports whether nobody looked into a configuration of a lock, or not into
// all of it.
func unread(inv *sbom.Inventory, l *Lock, configuration string, partly []string) bool {
	file := l.Folder() + configuration
	i := slices.IndexFunc(inv.Inputs, func(in *sbom.Input) bool { return in.Path == file })
	if i < 0 {
		return slices.Contains(partly, l.Path)
	}
	return inv.Inputs[i].Broken()
}

// Replace returns the locks with others in the places of those of the same paths.
func Replace(locks, others []*Lock) []*Lock {
	out := slices.Clone(locks)
	for _, l := range others {
		if i := slices.IndexFunc(out, func(was *Lock) bool { return was.Path == l.Path }); i >= 0 {
			out[i] = l
		} else {
			out = append(out, l)
		}
	}
	return out
}

// carry takes over from an earlier lock what the new one does not know: who
// approved a server that has not changed, facts of a spec that nobody could ask for
// today, and all servers of configurations that were not read. It returns the
// servers whose approval ended.
func (l *Lock) carry(was *Lock, unread func(configuration string) bool) (ended []string) {
	for configuration, c := range was.Configurations {
		if !unread(configuration) {
			continue
		}
		if l.Configurations[configuration].Servers == nil {
			l.Configurations[configuration] = Configuration{Servers: map[string]*Server{}}
		}
		for name, s := range c.Servers {
			if l.server(configuration, name) == nil {
				l.Configurations[configuration].Servers[name] = s
			}
		}
	}
	for _, configuration := range slices.Sorted(maps.Keys(l.Configurations)) {
		servers := l.Configurations[configuration].Servers
		for _, name := range slices.Sorted(maps.Keys(servers)) {
			before := was.server(configuration, name)
			if before == nil || before == servers[name] {
				continue
			}
			same := servers[name].carry(before)
			switch {
			case before.Approved == nil:
			case same:
				servers[name].Approved = before.Approved
			default:
				ended = append(ended, name)
			}
		}
	}
	return ended
}

// carry takes over facts that are not known today, and reports whether nothing
// else is different.
func (s *Server) carry(was *Server) (same bool) {
	c := comparison{}
	if shape(was) == shape(s) {
		for i := range s.Launches {
			s.Launches[i].carry(&was.Launches[i])
		}
	}
	c.server(Drift{Lock: &Lock{}}, was, s)
	return len(c.Drifts) == 0
}

// carry takes over what is not known today of the same spec, or of the same version
// of the same package, by whatever spec it is named.
func (l *Launch) carry(was *Launch) {
	if l.Kind != was.Kind || l.Spec != was.Spec && !l.names(was) {
		return
	}
	l.Version, l.Commit = cmp.Or(l.Version, was.Version), cmp.Or(l.Commit, was.Commit)
	l.Digest = cmp.Or(l.Digest, was.Digest)
	if l.Version != was.Version || l.Commit != was.Commit || l.Digest != was.Digest {
		return
	}
	l.Integrity = cmp.Or(l.Integrity, was.Integrity)
	if l.Files == nil {
		l.Files, l.RequiresPython = was.Files, was.RequiresPython
	}
	if l.Attested == nil {
		l.Attested = was.Attested
	}
	if l.Closure == nil {
		l.Closure = was.Closure
	}
}

// names reports whether a launch names what another one selected.
func (l *Launch) names(was *Launch) bool {
	return l.Name != "" && l.Name == was.Name && (l.Version != "" && l.Version == was.Version || l.Digest != "" && l.Digest == was.Digest)
}
