package catalog

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"countermark/sbom"
)

// maxName bounds what is compared. npm and PyPI know no longer names, so longer
// ones are no packages.
const maxName = 255

// Lookalikes returns the servers for which a package could be mistaken although
// it is not theirs, the likeliest first. Launched says that an MCP server
// launches it: then less is enough. The package comment says what looks alike.
func (c *Catalog) Lookalikes(eco sbom.Ecosystem, name string, launched bool) []Entry {
	namespace, base := split(eco, name)
	if base == "" || len(name) > maxName || c.belongsToVendor(eco, name, namespace) {
		return nil
	}
	s := newShape(namespace, base)
	type match struct {
		index, likeness int
	}
	var matches []match
	for i := range c.entries { // an entry is large, and every package is asked about
		if ownsNamespace(eco, &c.entries[i], namespace) {
			return nil
		}
		if l := c.models[i].compare(s, launched); l != unlike {
			matches = append(matches, match{i, l})
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return cmp.Compare(a.likeness, b.likeness) })
	var entries []Entry
	for _, m := range matches {
		entries = append(entries, c.entries[m.index])
	}
	return entries
}

// belongsToVendor reports whether a package is known to be a vendor's: an
// entry's own, an alias, or one in a scope of his, where nobody else can publish.
func (c *Catalog) belongsToVendor(eco sbom.Ecosystem, name, namespace string) bool {
	if _, ok := c.own[packageKey{eco, normalize(eco, name)}]; ok {
		return true
	}
	return eco == sbom.NPM && c.scopes[namespace]
}

// split parts a name into who publishes it, where names say so, and the rest.
func split(eco sbom.Ecosystem, name string) (namespace, base string) {
	switch eco {
	case sbom.NPM:
		if rest, ok := strings.CutPrefix(name, "@"); ok {
			namespace, base, ok = strings.Cut(rest, "/")
			if ok {
				return namespace, base
			}
			return "", rest
		}
		return "", name
	case sbom.OCI, sbom.Golang:
		path := strings.Split(name, "/")
		if len(path) > 1 && strings.ContainsAny(path[0], ".:") {
			path = path[1:] // the host
		}
		if len(path) == 1 {
			return "", path[0]
		}
		return path[0], strings.Join(path[1:], "/")
	default:
		return "", name
	}
}

// ownsNamespace reports whether an image or module is published by the owner of
// the entry's repository. Images of Docker's "mcp" namespace are built by Docker
// from the sources of its catalogue, so they imitate nobody.
func ownsNamespace(eco sbom.Ecosystem, e *Entry, namespace string) bool {
	if eco != sbom.OCI && eco != sbom.Golang {
		return false
	}
	if eco == sbom.OCI && namespace == "mcp" {
		return true
	}
	u, err := url.Parse(e.Repository)
	if err != nil {
		return false
	}
	owner, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return strings.EqualFold(owner, namespace)
}

// The likenesses, the surest first.
const (
	sameName = iota
	nearName
	nearScope
	brandOnly
	nearBrand
	brandAmongWords
	bareBrand
	unlike
)

// model is an entry, prepared for comparisons.
type model struct {
	names    []*shape // its package, and the forms in which people write it
	brands   []string // folded
	scopes   []vendorScope
	distinct []string // folded
}

// vendorScope is an npm scope of the vendor, or his name as one.
type vendorScope struct {
	name, folded string // without @
}

func newModel(e Entry) *model {
	m := &model{}
	for _, b := range e.Brands {
		for _, spelling := range spellings(b) {
			m.brands = append(m.brands, fold(spelling))
		}
	}
	for _, d := range e.Distinct {
		m.distinct = append(m.distinct, fold(d))
	}
	for _, s := range e.Scopes {
		for _, spelling := range spellings(s) {
			m.scopes = append(m.scopes, vendorScope{strings.TrimPrefix(s, "@"), fold(spelling)})
		}
	}
	if !strings.Contains(e.Vendor, " ") {
		m.scopes = append(m.scopes, vendorScope{strings.ToLower(e.Vendor), fold(e.Vendor)})
	}
	if e.Package != "" {
		m.names = append(m.names, newShape(split(e.Ecosystem, e.Package)))
	}
	return m
}

// compare tells how much a package that is not the vendor's looks like the entry.
func (m *model) compare(s *shape, launched bool) int {
	for _, n := range m.names {
		if l := n.compare(s, m.distinct); l != unlike {
			return l
		}
		if launched && n.lostScope(s) {
			return sameName
		}
	}
	if m.imitatesScope(s, launched) {
		return nearScope
	}
	best := unlike
	for _, b := range m.brands {
		best = min(best, m.compareBrand(b, s, launched))
	}
	return best
}

// imitatesScope reports whether the scope is nearly, but not exactly, one of the
// vendor's.
func (m *model) imitatesScope(s *shape, launched bool) bool {
	if s.scope == "" || slices.Contains(m.distinct, s.folded) {
		return false
	}
	for _, own := range m.scopes {
		switch {
		case own.name == s.scope:
		case launched || s.mcp:
			if near(own.folded, s.folded) {
				return true
			}
		default:
			if own.confusedWith(s) {
				return true
			}
		}
	}
	return false
}

// confusedWith reports whether a scope imitates the vendor's even for an
// ordinary dependency, where a hyphen makes another scope, and only the longest
// names have no honest neighbours.
func (v vendorScope) confusedWith(s *shape) bool {
	if strings.Count(v.name, "-") != strings.Count(s.scope, "-") {
		return false
	}
	limit := 0
	if len(v.name) >= longWord {
		limit = 1
	}
	return distance(v.folded, s.folded, limit) <= limit
}

func (m *model) compareBrand(brand string, s *shape, launched bool) int {
	spells := func(word string) int {
		switch {
		case word == brand:
			return brandOnly
		case slices.Contains(m.distinct, word):
			return unlike
		case near(brand, word):
			return nearBrand
		default:
			return unlike
		}
	}
	if s.mcp {
		// The scope says who publishes: a stranger's does not make his package
		// the vendor's, and the vendor's name as a scope is no excuse either.
		if l := min(spells(s.rest), spells(s.local)); l != unlike {
			return l
		}
	}
	if !launched {
		return unlike
	}
	if !s.mcp {
		// A scope that is not the vendor's makes another name of it.
		if l := spells(s.rest); l == brandOnly || l == nearBrand && s.scope == "" {
			return bareBrand
		}
	}
	// Shorter brands are parts of ordinary names.
	if (s.mcp || len(brand) >= ownWord) && (s.hasRun(brand) || s.extends(brand)) {
		return brandAmongWords
	}
	return unlike
}

// ownWord is how many letters a brand has that is no ordinary word.
const ownWord = 7

// extends reports whether a word of the name begins with the brand, where that
// is long: postmarkapp.
func (s *shape) extends(brand string) bool {
	return s.mcp && len(brand) >= ownWord && slices.ContainsFunc(s.words, func(w string) bool { return strings.HasPrefix(w, brand) })
}

// shape is a package name, prepared for comparisons.
type shape struct {
	scope  string   // as written, without @
	folded string   // the scope, folded
	words  []string // of scope and name, folded, without those that distinguish nothing
	rest   string   // words, joined
	local  string   // rest without the scope's
	sorted string   // words in alphabetical order, joined
	mcp    bool     // it names MCP
	filler string   // which of the words that distinguish nothing it has, sorted
	whole  string   // scope and name, folded, without separators
	base   string   // name, folded, without separators
}

func newShape(namespace, base string) *shape {
	s := &shape{
		scope:  strings.ToLower(namespace),
		folded: fold(namespace),
		whole:  fold(namespace + base),
		base:   fold(base),
	}
	var fillers []string
	take := func(text string) {
		for _, w := range words(text) {
			switch {
			case isMCP(w):
				s.mcp = true
				fillers = append(fillers, "mcp")
			case isServer(w):
				fillers = append(fillers, "server")
			case empty[w]:
			default:
				s.words = append(s.words, fold(w))
			}
		}
	}
	take(namespace)
	scoped := len(s.words)
	take(base)
	s.rest = strings.Join(s.words, "")
	s.local = strings.Join(s.words[scoped:], "")
	s.sorted = strings.Join(slices.Sorted(slices.Values(s.words)), "")
	slices.Sort(fillers)
	s.filler = strings.Join(slices.Compact(fillers), " ")
	return s
}

// hasRun reports whether neighbouring words, joined, are the brand.
func (s *shape) hasRun(brand string) bool {
	for i := range s.words {
		left := brand
		for _, w := range s.words[i:] {
			rest, ok := strings.CutPrefix(left, w)
			if !ok {
				break
			}
			if left = rest; left == "" {
				return true
			}
		}
	}
	return false
}

// compare tells whether other is this package's name in another spelling.
func (s *shape) compare(other *shape, distinct []string) int {
	if s.whole == other.whole {
		return sameName
	}
	same := s.rest == other.rest || s.sorted == other.sorted
	if same && s.filler == other.filler && s.filler != "" {
		return sameName
	}
	if limit := typos(s.whole); distance(s.whole, other.whole, limit) > limit {
		return unlike
	}
	// The error may stand in a word such as "server". In the word that
	// distinguishes the package it is an error only where the word is long.
	switch {
	case same:
		return nearName
	case slices.Contains(distinct, other.rest) || slices.Contains(distinct, other.local):
		return unlike
	case near(s.rest, other.rest):
		return nearName
	default:
		return unlike
	}
}

// minBase is how long a name without its scope has to be to be anybody's: mcp
// and mcp-server are nobody's.
const minBase = 12

// lostScope reports whether other is this package's name without its scope,
// which anybody can register.
func (s *shape) lostScope(other *shape) bool {
	return s.scope != "" && other.scope == "" && s.base == other.base && len(s.base) >= minBase
}

// In words of so many letters two errors still leave no other word.
const longWord = 12

// typos says how many errors leave a word of that length recognisable.
func typos(word string) int {
	switch {
	case len(word) < 6:
		return 0
	case len(word) < longWord:
		return 1
	default:
		return 2
	}
}

// near reports whether a word is another with typing errors. The first letter
// has to stand, or to be swapped with the second: people seldom mistype it, and
// without it there are too many neighbours. A swap is an error even in words that
// are too short for any other.
func near(word, other string) bool {
	if word == other {
		return true
	}
	if len(word) < 5 || len(other) < 2 {
		return false
	}
	swapped := word[0] == other[1] && word[1] == other[0]
	if word[0] != other[0] && !swapped {
		return false
	}
	if limit := typos(word); limit > 0 {
		return distance(word, other, limit) <= limit
	}
	return distance(word, other, 1) == 1 && sameLetters(word, other)
}

func sameLetters(a, b string) bool {
	return slices.Equal(slices.Sorted(slices.Values([]byte(a))), slices.Sorted(slices.Values([]byte(b))))
}

// empty holds words that distinguish nothing when they stand beside "mcp".
var empty = map[string]bool{
	"official": true, "the": true, "model": true, "protocol": true,
	"js": true, "ts": true, "node": true, "nodejs": true, "npm": true, "py": true, "python": true,
	"ai": true, "api": true, "app": true, "io": true, "hq": true, "inc": true, "labs": true, "stdio": true, "local": true,
}

func isMCP(w string) bool {
	w = strings.TrimRight(w, "0123456789")
	return w == "mcp" || w == "mpc" || w == "cmp" || w == "mcps" || distance(w, "modelcontextprotocol", 2) <= 2
}

func isServer(w string) bool {
	return w == "srv" || len(w) > 4 && distance(w, "server", 1) <= 1
}

// words parts a name at its separators, and from what is glued to "mcp".
func words(text string) []string {
	fields := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	var out []string
	for i := 0; i < len(fields); i++ {
		if i+2 < len(fields) && fields[i] == "model" && fields[i+1] == "context" && fields[i+2] == "protocol" {
			out = append(out, "mcp")
			i += 2
			continue
		}
		out = append(out, unglue(fields[i])...)
	}
	return out
}

// unglue parts words such as kagimcp and mcpserver. Three letters have to
// remain, since shorter rests (tmcp) are names of their own.
func unglue(w string) []string {
	if rest, ok := strings.CutPrefix(w, "mcp"); ok && len(rest) > 2 {
		return append([]string{"mcp"}, unserver(rest)...)
	}
	for _, tail := range []string{"mcp", "mcpserver"} {
		if rest, ok := strings.CutSuffix(w, tail); ok && len(rest) > 2 {
			return append(unserver(rest), "mcp")
		}
	}
	return []string{w}
}

func unserver(w string) []string {
	if rest, ok := strings.CutPrefix(w, "server"); ok && len(rest) > 2 {
		return []string{"server", rest}
	}
	if rest, ok := strings.CutSuffix(w, "server"); ok && len(rest) > 2 {
		return []string{rest, "server"}
	}
	return []string{w}
}

// alike are letters that are read as others, by the eye or aloud. They make
// other spellings of a brand, and are no part of fold, where they would hide
// typing errors.
var alike = [][2]string{{"m", "rn"}, {"w", "vv"}, {"ight", "ite"}, {"ph", "f"}}

// spellings returns the word, and how somebody else could write it.
func spellings(word string) []string {
	all := []string{word}
	for _, s := range alike {
		if strings.Contains(word, s[0]) {
			all = append(all, strings.ReplaceAll(word, s[0], s[1]))
		}
	}
	return all
}

// confusable are letters that look like each other. What they become means
// nothing: both sides of a comparison go through it.
var confusable = strings.NewReplacer("0", "o", "1", "l", "i", "l", "3", "e", "4", "a", "5", "s")

// fold reduces a name to what it looks like.
func fold(name string) string {
	letters := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
	return confusable.Replace(letters)
}

// distance is the number of letters that have to be put in, left out, replaced
// or swapped with a neighbour (optimal string alignment) to make b of a, or
// limit+1 where it is above limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if max(len(a), len(b)) >= maxName {
		return limit + 1
	}
	var rows [3][maxName + 1]uint8 // on the stack: this runs for every name and entry
	before, last, row := rows[0][:len(b)+1], rows[1][:len(b)+1], rows[2][:len(b)+1]
	for j := range last {
		last[j] = uint8(j)
	}
	for i := 1; i <= len(a); i++ {
		row[0] = uint8(i)
		least := row[0]
		for j := 1; j <= len(b); j++ {
			cost := uint8(1)
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if int(least) > limit {
			// Even a swap, which reaches back two rows, ends above limit then:
			// a row is never better by more than one than the row after it.
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return min(int(last[len(b)]), limit+1)
}
