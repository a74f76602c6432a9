package sbom

import (
	"cmp"
	"slices"
)

// split returns a builder for each project of the user's own, by folder. It holds
// what that project depends on: through its dependencies of every kind, those for
// development included, and through those of others that are not for development,
// since nobody installs these for it. A member of a workspace that another one
// depends on is a part of it; that the root knows its members makes them no
// dependencies of it. Configurations belong to the root. What nothing asks for is in
// none.
func (b *Builder) split() []projectBuilder {
	next := make([][]link, len(b.instances))
	for _, e := range b.edges {
		next[e.from] = append(next[e.from], e)
	}
	var out []projectBuilder
	if _, known := b.projects[Root]; !known && slices.ContainsFunc(next[Root], func(e link) bool { return !e.use.Member }) {
		out = append(out, projectBuilder{"", Root, nil}) // configurations at the top of what is no project
	}
	for id, folder := range b.projects {
		out = append(out, projectBuilder{folder, id, nil})
	}
	slices.SortFunc(out, func(x, y projectBuilder) int { return cmp.Or(cmp.Compare(x.folder, y.folder), cmp.Compare(x.id, y.id)) })
	for i := range out {
		out[i].b = b.project(out[i].id, next)
	}
	return out
}

type projectBuilder struct {
	folder string
	id     ID
	b      *Builder
}

// project returns a builder of what one project depends on.
func (b *Builder) project(id ID, next [][]link) *Builder {
	reach := func(follow func(Use) bool) map[ID]bool {
		seen := map[ID]bool{id: true}
		for queue := []ID{id}; len(queue) > 0; queue = queue[1:] {
			for _, e := range next[queue[0]] {
				if !seen[e.to] && counts(id, e) && follow(e.use) {
					seen[e.to] = true
					queue = append(queue, e.to)
				}
			}
		}
		return seen
	}
	reached := reach(func(Use) bool { return true })
	shipped := reach(func(u Use) bool { return !u.Development })
	required := reach(func(u Use) bool { return !u.Development && !u.Optional })
	needed := reach(func(u Use) bool { return !u.Optional })
	unasked := reach(func(u Use) bool { return !u.Peer })

	out := NewBuilder()
	out.installed = b.installed
	ids := map[ID]ID{id: Root}
	own := b.instances[id]
	out.DescribeRoot(own.c, own.at...)
	for old := range b.instances {
		old := ID(old)
		if !reached[old] || old == id {
			continue
		}
		in := b.instances[old].copied()
		in.use = UseOf(true, shipped[old], required[old], needed[old])
		in.use.Locked, in.use.Peer = b.instances[old].use.Locked, !unasked[old]
		ids[old] = ID(len(out.instances))
		out.instances = append(out.instances, in)
	}
	for old := range ids {
		for _, e := range next[old] {
			if to, ok := ids[e.to]; ok && counts(id, e) {
				out.LinkFor(ids[old], to, e.use)
			}
		}
	}
	for i := range out.instances {
		in := &out.instances[i]
		in.launched, in.own = moved(in.launched, ids), moved(in.own, ids)
		if s := b.services[in.service]; s != nil {
			service := *s
			service.Occurrences = slices.Clone(s.Occurrences)
			out.services[in.service] = &service
		}
		b.inputsOf(in, out)
	}
	return out
}

// counts reports whether an edge is one by which a project needs something.
func counts(project ID, e link) bool {
	return !e.use.Member && (e.from == project || !e.use.Development)
}

// copied is an instance that shares nothing that an inventory changes.
func (in *instance) copied() instance {
	out := *in
	if in.c.Server != nil {
		server := *in.c.Server
		server.Launches = slices.Clone(server.Launches)
		out.c.Server = &server
	}
	return out
}

func moved(old []ID, ids map[ID]ID) []ID {
	if old == nil {
		return nil
	}
	out := make([]ID, len(old))
	for i, id := range old {
		out[i] = NoID
		if to, ok := ids[id]; ok {
			out[i] = to
		}
	}
	return out
}

// inputsOf adds the files in which an instance was found.
func (b *Builder) inputsOf(in *instance, out *Builder) {
	for _, o := range in.at {
		for _, name := range []string{o.Path, packagesFolder(o.Path)} {
			if file := b.inputs[name]; file != nil && out.inputs[name] == nil {
				input := *file
				out.inputs[name] = &input
			}
		}
	}
}

// UseOf says for what something is installed, by npm's rule, from how the user's own
// projects lead to it: at all; by edges that are not for development, be they optional
// (shipped); by such as are not optional (required); by any edges that are not
// optional (needed).
func UseOf(reached, shipped, required, needed bool) Use {
	return Use{
		Development: reached && !shipped,
		Optional:    reached && (!needed || shipped && !required),
		DevOptional: shipped && needed && !required,
	}
}
