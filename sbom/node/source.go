package node

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"countermark/sbom"
)

// Limits of one file. They lie far above what npm ever wrote, and keep hostile
// input from costing more than its size.
const (
	maxEntries  = 300_000 // keys of a lockfile's "packages"
	maxKey      = 2048    // bytes of such a key
	maxSegments = 256     // slashes in it
	maxNesting  = 100     // packages inside of each other
	maxProblems = 100     // told one by one
)

// source is a file whose problems are told with their place.
type source struct {
	file *sbom.File
	doc  *document

	regenerate string // how to have it written anew; "" is npm's way

	beside bool   // not a file of the scan itself, but one beside it
	name   string // of that file; "" is package.json
	told   func(sbom.Problem)

	warnings, problems int
}

func newSource(f *sbom.File) *source { return parseSource(f, f.Data) }

func parseSource(f *sbom.File, data []byte) *source {
	return &source{file: f, doc: parseJSON(data)}
}

// problem records a problem at an offset; off < 0 means the whole file. Beyond
// maxProblems there is one last problem of the same weight, for none is dropped
// in silence.
func (s *source) problem(code sbom.ProblemCode, off int, hint, format string, args ...any) {
	n := &s.problems
	if code == sbom.Warning {
		n = &s.warnings
	}
	*n++
	p := sbom.Problem{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
	switch {
	case *n > maxProblems+1:
		return
	case *n > maxProblems:
		p.Message = fmt.Sprintf("more than %d problems of this weight: the rest is not listed", maxProblems)
	}
	if off >= 0 {
		p.Line, p.Column = s.doc.lines.position(off)
	}
	if s.beside {
		p.Message = fmt.Sprintf("%s, line %d: %s", cmp.Or(s.name, Manifest), p.Line, p.Message)
		p.Line, p.Column = 0, 0
	}
	if s.told != nil {
		s.told(p)
		return
	}
	s.file.Problem(p)
}

// hint is how to have the file written anew.
func (s *source) hint() string { return cmp.Or(s.regenerate, hintRegenerate) }

func (s *source) invalid(off int, hint, format string, args ...any) {
	s.problem(sbom.Invalid, off, hint, format, args...)
}

func (s *source) warn(off int, hint, format string, args ...any) {
	s.problem(sbom.Warning, off, hint, format, args...)
}

// occurrence is the place of a key of "packages".
func (s *source) occurrence(off int, install string) sbom.Occurrence {
	line, column := s.doc.lines.position(off)
	return sbom.Occurrence{Path: s.file.Path, Line: line, Column: column, Install: install}
}

// quote quotes a name or key of the file for a message. Something that looks
// like a URL is redacted first, whatever it was meant to be.
func quote(s string) string {
	if mayBeURL(s) {
		s = redact(s)
	}
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}

// wrongType records a member of another type than the format has.
func (s *source) wrongType(m *member, want kind) {
	s.invalid(m.off, s.hint(), "%s must be %s, not %s", quote(m.name), want, m.value.kind)
}

// member returns the member of obj if it has the type. Null counts as absent, as
// in npm; another type is a problem.
func (s *source) member(obj *value, name string, want kind) *member {
	m := obj.get(name)
	if m == nil || m.value.kind == nullKind {
		return nil
	}
	if m.value.kind != want {
		s.wrongType(m, want)
		return nil
	}
	return m
}

func (s *source) text(obj *value, name string) (text string, ok bool) {
	if m := s.member(obj, name, stringKind); m != nil {
		return m.value.text, true
	}
	return "", false
}

// judgeKeys finds keys that are one letter off from those that say what depends on what.
// No program writes such a key, so that the file is damaged, and what stands below it
// would be lost in silence.
func (s *source) judgeKeys(obj *value, names ...string) {
	for i := range obj.members {
		s.judgeKey(obj.members[i].name, obj.members[i].off, names)
	}
}

func (s *source) judgeKey(key string, off int, names []string) {
	if slices.Contains(names, key) {
		return
	}
	for _, name := range names {
		if d := len(key) - len(name); d >= -1 && d <= 1 && oneLetterOff(key, name) {
			s.invalid(off, s.hint(), "%s stands where %s is expected", quote(key), quote(name))
		}
	}
}

// graphKeys are those of an entry that say what it depends on.
var graphKeys = []string{"dependencies", "optionalDependencies", "peerDependencies", "devDependencies"}

func (s *source) flag(obj *value, name string) bool {
	m := s.member(obj, name, boolKind)
	return m != nil && m.value.text == "true"
}

// list returns the strings of an array.
func (s *source) list(m *member) []string {
	var out []string
	for _, e := range m.value.elems() {
		if e.kind != stringKind {
			s.invalid(e.off, s.hint(), "%s must hold strings, not %s", quote(m.name), e.kind)
			continue
		}
		out = append(out, e.text)
	}
	return out
}

// license returns the declared licence. Old packages have objects with a type,
// or arrays of these, whose members the user may choose from; npm copies them
// into its lockfile as they are. A form that says nothing is odd, but hides no
// package.
func (s *source) license(obj *value) string {
	m := obj.get("license")
	if m == nil {
		m = obj.get("licenses")
	}
	if m == nil || m.value.kind == nullKind {
		return ""
	}
	if m.value.kind != arrayKind {
		name := licenseName(&m.value)
		if name == "" {
			s.warn(m.off, "", "%s names no licence", quote(m.name))
		}
		return name
	}
	var names []string
	for i := range m.value.elems() {
		if n := licenseName(&m.value.elems()[i]); n != "" {
			names = append(names, n)
		}
	}
	if len(names) > 1 {
		return "(" + strings.Join(names, " OR ") + ")"
	}
	return strings.Join(names, "")
}

func licenseName(v *value) string {
	name := v.text
	switch v.kind {
	case stringKind:
	case objectKind:
		name = ""
		for _, key := range []string{"type", "name"} {
			if m := v.get(key); m != nil && m.value.kind == stringKind && name == "" {
				name = m.value.text
			}
		}
	default:
		return ""
	}
	if mayBeURL(name) {
		return redact(name)
	}
	return name
}

// mayBeURL reports whether a text could be a URL, be it one without a scheme.
func mayBeURL(s string) bool { return strings.Contains(s, ":") || strings.Contains(s, "//") }

// redact redacts a text that need not be a URL as a whole, such as a sentence
// with one in it.
func redact(s string) string {
	s = sbom.RedactURL(s)
	if at := strings.LastIndexByte(s, '@'); at >= 0 && strings.Contains(s[:at], "://") {
		s = sbom.Redacted + s[at:]
	}
	return s
}

// The kinds of edges, in the order in which npm lets the later ones replace the
// earlier ones of the same name (workspace edges are never replaced).
type edgeKind uint8

const (
	prodEdge edgeKind = iota
	optionalEdge
	peerEdge
	peerOptionalEdge
	devEdge
	workspaceEdge
)

// mayMiss reports whether npm installs a project without the dependency.
func (k edgeKind) mayMiss() bool { return k == optionalEdge || k == peerOptionalEdge }

// dependency is what a package asks for.
type dependency struct {
	name, spec string
	kind       edgeKind
	off        int         // of the name
	instead    *dependency // of a workspace edge: the project's own dependency that it stands for
}

// use says for what alone somebody depends on something.
func (d *dependency) use() sbom.Use {
	if d.instead != nil {
		return d.instead.use()
	}
	return d.kind.use()
}

func (k edgeKind) use() sbom.Use {
	return sbom.Use{
		Development: k == devEdge, Optional: k.mayMiss(), Peer: k == peerEdge || k == peerOptionalEdge, Member: k == workspaceEdge,
	}
}

// dependencies returns what an entry of a lockfile, or a package.json, asks for:
// one dependency for each name, by npm's precedence. Only a project's own
// packages, which are not below another one's node_modules, have
// devDependencies.
func (s *source) dependencies(obj *value, own bool) []dependency {
	groups := []struct {
		kind edgeKind
		m    *member
	}{
		{peerEdge, obj.get("peerDependencies")},
		{prodEdge, obj.get("dependencies")},
		{optionalEdge, obj.get("optionalDependencies")},
		{devEdge, nil},
	}
	if own {
		groups[len(groups)-1].m = obj.get("devDependencies")
	}
	optionalPeer := s.optionalPeers(obj)
	n := 0
	for _, group := range groups {
		if group.m != nil {
			n += len(group.m.value.members)
		}
	}
	deps := requested{list: make([]dependency, 0, n)}
	for _, group := range groups {
		m := group.m
		if m == nil || m.value.kind == nullKind || isEmptyArray(m) {
			continue
		}
		if m.value.kind != objectKind {
			s.wrongType(m, objectKind)
			continue
		}
		for i := range m.value.members {
			dep := &m.value.members[i]
			if dep.value.kind != stringKind {
				s.invalid(dep.off, s.hint(), "the dependency %s must be a string, not %s", quote(dep.name), dep.value.kind)
				continue
			}
			kind := group.kind
			if kind == peerEdge && optionalPeer[dep.name] {
				kind = peerOptionalEdge
			}
			deps.put(dependency{name: dep.name, spec: dep.value.text, kind: kind, off: dep.off})
		}
	}
	return deps.list
}

// requested is a list of dependencies, one for each name.
type requested struct {
	list  []dependency
	first [8]string      // the names of the first ones, folded: most ask for no more
	index map[string]int // and of all, once there are more
}

// put adds a dependency, in place of one of the same name.
func (r *requested) put(d dependency) {
	name, n := fold(d.name), len(r.list)
	at := -1
	if r.index == nil {
		at = slices.Index(r.first[:min(n, len(r.first))], name)
	} else if i, ok := r.index[name]; ok {
		at = i
	}
	switch {
	case at >= 0:
		r.list[at] = d
		return
	case n < len(r.first):
		r.first[n] = name
	case r.index == nil:
		r.index = make(map[string]int, cap(r.list))
		for i, name := range r.first {
			r.index[name] = i
		}
		fallthrough
	default:
		r.index[name] = n
	}
	r.list = append(r.list, d)
}

// isEmptyArray: very old packages declare "no dependencies" as [].
func isEmptyArray(m *member) bool { return m.value.kind == arrayKind && len(m.value.elems()) == 0 }

func (s *source) optionalPeers(obj *value) map[string]bool {
	m := s.member(obj, "peerDependenciesMeta", objectKind)
	if m == nil {
		return nil
	}
	out := map[string]bool{}
	for i := range m.value.members {
		peer := &m.value.members[i]
		if peer.value.kind == objectKind && s.flag(&peer.value, "optional") {
			out[peer.name] = true
		}
	}
	return out
}

// fold maps names that npm keeps apart nowhere, since some file systems cannot.
func fold(name string) string { return strings.ToLower(name) }

const hintRegenerate = "run `npm install --package-lock-only` and commit what it writes"
