package mcp

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// LockName is the name of the file that says what configurations launched when
// somebody looked at them. It stands among them, and is none.
const LockName = "mcp.lock.json"

// Reader implements [sbom.Reader] for MCP client configurations. The zero value
// is ready to use.
type Reader struct{}

var (
	_ sbom.Reader  = Reader{}
	_ sbom.Chooser = Reader{}
)

// Recognize returns the client whose configuration is at that path, such as
// "claude-desktop", or "".
func (Reader) Recognize(path string) string {
	c, ok := clientOf(path)
	if !ok || fold(path[strings.LastIndexByte(path, '/')+1:]) == LockName {
		return ""
	}
	return c.kind()
}

// Holds reports whether a file that has the name of a configuration is one. Many
// files are called manifest.json, server.json or settings.json.
func (Reader) Holds(path string, data []byte) bool {
	c, ok := clientOf(path)
	return !ok || !c.shared || c.in(path, data)
}

// Knows reports whether a kind is that of a client in the table.
func (Reader) Knows(kind string) bool {
	return slices.ContainsFunc(clients, func(c client) bool { return c.kind() == kind })
}

// Sniff returns the client whose form a document has, whatever its name: "mcp"
// where it holds servers under "mcpServers" or "servers", or is one server itself.
func (Reader) Sniff(data []byte) string {
	c, ok := sniff(data)
	if !ok {
		return ""
	}
	return c.kind()
}

// sniffed is the client of a file that only its content tells to be a
// configuration.
var sniffed = client{name: unnamed, keys: both, flat: true}

// sniff looks for the row that a document belongs to.
func sniff(data []byte) (client, bool) {
	l := newLook(data)
	if matter(data) != nil {
		for _, c := range clients {
			if c.shape == frontMatter && c.seen("", l) {
				return c, true
			}
		}
	}
	if sniffed.seen("", l) {
		return sniffed, true
	}
	for _, c := range clients {
		if c.telling && c.seen("", l) {
			return c, true
		}
	}
	return client{}, false
}

// look is a file that rows are sought for: it is searched and parsed once for all
// of them.
type look struct {
	data   []byte
	plain  []byte // without escapes, for the search of words
	parsed map[notation]reading
}

// reading is what parse makes of a document.
type reading struct {
	document *document
	problem  *sbom.Problem
}

func newLook(data []byte) *look {
	return &look{data: data, plain: unescaped(data), parsed: map[notation]reading{}}
}

func (l *look) has(word string) bool { return bytes.Contains(l.plain, []byte(word)) }

func (l *look) parse(n notation) reading {
	r, ok := l.parsed[n]
	if !ok {
		r.document, r.problem = parse(n, l.data)
		l.parsed[n] = r
	}
	return r
}

// in reports whether a document is one that the row describes; name is empty
// where it tells nothing. Of one that cannot be parsed the part that can decides,
// or its words: nobody knows what is in the rest.
func (c client) in(name string, data []byte) bool {
	return c.seen(name, newLook(data))
}

func (c client) seen(name string, l *look) bool {
	if c.shape == frontMatter {
		l = newLook(matter(l.data))
	}
	if wide(l.data) {
		return name != ""
	}
	if !slices.ContainsFunc(c.words(), l.has) {
		return false
	}
	r := l.parse(c.notation(name, l.data))
	if r.document != nil && r.document.describes(c) {
		return true
	}
	return r.problem != nil && slices.ContainsFunc(c.marks(name), l.has)
}

// words are those of which every document of the row holds at least one.
func (c client) words() []string {
	if words, ok := shapeWords[c.shape]; ok {
		return words
	}
	var out []string
	for _, key := range c.keys {
		out = append(out, key[strings.LastIndex(key, ".")+1:])
	}
	if c.flat {
		out = append(out, "command", "url", "serverUrl")
	}
	for _, s := range c.steers {
		out = append(out, cmp.Or(s.word, s.member[strings.LastIndex(s.member, ".")+1:]))
	}
	return out
}

var shapeWords = map[shape][]string{
	bundleFile:   {"mcp_config", "dxt_version", "manifest_version"},
	registryFile: {"packages", "remotes"},
	dockerFile:   {"image", "remote", "poci"},
	smitheryFile: {"startCommand", "runtime"},
	packageFile:  {"mcpName"},
}

// marks are those words that no other kind of document holds.
func (c client) marks(name string) []string {
	switch c.shape {
	case bundleFile:
		return []string{"mcp_config", "dxt_version"}
	case registryFile:
		return []string{"registryType", "registry_type", "registry_name", "modelcontextprotocol"}
	case dockerFile, dockerCatalog:
		return []string{"mcp/"}
	case smitheryFile:
		return []string{"startCommand"}
	case packageFile:
		return []string{"mcpName"}
	default:
	}
	words := c.words()
	if name == "" {
		words = slices.DeleteFunc(words, func(w string) bool {
			return !strings.Contains(strings.ToLower(w), "mcp") && w != "context_servers" || w == "mcp"
		})
	}
	return words
}

// row returns how a file of that kind is read.
func row(f *sbom.File) client {
	c, ok := clientOf(f.Name)
	if ok && c.kind() == f.Kind && (!c.shared || c.in(f.Name, f.Data)) {
		return c
	}
	var first *client
	for i, c := range clients {
		if c.kind() != f.Kind || c.name == unnamed {
			continue
		}
		if c.in(f.Name, f.Data) {
			return c
		}
		if first == nil {
			first = &clients[i]
		}
	}
	if first == nil {
		return sniffed
	}
	return *first
}

// Read adds the servers of every configuration to b.
func (Reader) Read(ctx context.Context, files []*sbom.File, b *sbom.Builder) error {
	return readAll(ctx, files, b, nil)
}

// readAll is Read. started, where it is not nil, hears how each server is started,
// by the server's ref.
func readAll(ctx context.Context, files []*sbom.File, b *sbom.Builder, started func(ref string, s *start)) error {
	run := run{started: started, builder: b, refs: map[string]bool{}, manifests: map[string]manifest{}, listed: map[string]map[string]bool{}, files: map[string]bool{}}
	for _, f := range files {
		run.files[f.Path] = true
	}
	rows := make([]client, len(files))
	for i, f := range files {
		rows[i] = row(f)
		run.learn(rows[i], f)
	}
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		run.read(ctx, f, rows[i])
	}
	return ctx.Err()
}

// run is one call of Read.
type run struct {
	builder *sbom.Builder
	files   map[string]bool // that are read, by path in the inventory
	refs    map[string]bool // of servers, used in any file
	rulings []ruling        // what any file says of servers
	parsed  map[*sbom.File]reading

	started   func(ref string, s *start)
	listed    map[string]map[string]bool // the names in folders, by path
	manifests map[string]manifest        // the package.json files that were looked at, by their path
}

// learn takes from a file what it says of servers. What is broken in it, read says.
func (r *run) learn(c client, f *sbom.File) {
	if len(c.steers)+len(c.choices) == 0 {
		return
	}
	if d, _ := r.parse(c, f, f.Data); d != nil {
		r.rulings = append(r.rulings, d.rulings(c, f)...)
	}
}

// parse reads a file, or the part of it that is a document, once.
func (r *run) parse(c client, f *sbom.File, data []byte) (*document, *sbom.Problem) {
	if known, ok := r.parsed[f]; ok {
		return known.document, known.problem
	}
	d, problem := parse(c.notation(f.Name, data), data)
	if r.parsed == nil {
		r.parsed = map[*sbom.File]reading{}
	}
	r.parsed[f] = reading{d, problem}
	return d, problem
}

func (r *run) read(ctx context.Context, f *sbom.File, c client) {
	coverage := sbom.CompleteCoverage
	entries, ok := r.entriesOf(f, c)
	if !ok {
		coverage = sbom.IncompleteCoverage
	}
	file := r.builder.Add(sbom.Component{
		Ref: "mcp:" + f.Path, Type: sbom.FileType, Name: f.Path, Coverage: coverage,
	}, sbom.Use{}, sbom.Occurrence{Path: f.Path})
	r.builder.Link(sbom.Root, file)
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		r.add(file, f, e)
	}
}

// entriesOf returns what the file configures, and whether that is all of it.
func (r *run) entriesOf(f *sbom.File, c client) ([]entry, bool) {
	if c.shape == crushFile {
		return (&document{file: f}).crushScript(c.name, f.Data)
	}
	data := f.Data
	if c.shape == frontMatter {
		data = matter(data)
	}
	d, problem := r.parse(c, f, data)
	delete(r.parsed, f) // nobody asks again
	if problem != nil {
		f.Problem(*problem)
	}
	if d == nil {
		return nil, false
	}
	d.file = f
	entries, complete := d.entries(c)
	if c.shape == pluginFile {
		more, ok := r.elsewhere(f, d, c)
		entries, complete = append(entries, more...), complete && ok
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { return !e.whole() })
	if problem == nil && isMistaken(f, c) {
		d.problem(sbom.Invalid, &d.root, "it holds servers where "+c.name+" does not look for any", "name the client whose file it is, or leave --client out")
		complete = false
	}
	return entries, complete && problem == nil
}

// isMistaken reports whether the user said that a file is of a client that reads
// nothing of it, while another one would.
func isMistaken(f *sbom.File, c client) bool {
	if known, ok := clientOf(f.Name); ok && known.kind() == f.Kind || c.in("", f.Data) {
		return false
	}
	_, ok := sniff(f.Data)
	return ok
}

// escapes are the ways of JSON, YAML and TOML to write a letter of a key by its
// number, and YAML's of going on in the next line.
var escapes = lazyregexp.New(`\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2}))|\\\r?\n[ \t]*`)

// unescaped decodes the escapes of a text, wherever they stand.
func unescaped(data []byte) []byte {
	return escapes.ReplaceAllFunc(data, func(e []byte) []byte {
		if e[1] == '\r' || e[1] == '\n' {
			return nil
		}
		n, err := strconv.ParseUint(string(e[2:]), 16, 32)
		if err != nil {
			return e
		}
		return utf8.AppendRune(nil, rune(n)) //nolint:gosec // what is no rune becomes the one for errors
	})
}

// wide reports whether a text is in UTF-16 or UTF-32, where none of our words is
// found.
func wide(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.IndexByte(data, 0) >= 0
}

func (r *run) add(file sbom.ID, read *sbom.File, e entry) {
	f := e.doc.file // another one where the configuration names it
	server, subjects := e.analyze(f, r)
	r.steer(f, server)
	r.place(file, fmt.Sprintf("mcp:%s#%s", read.Path, server.Name), server, subjects)
}

// place adds a server with what it launches.
func (r *run) place(file sbom.ID, ref string, server *sbom.Server, subjects []subject) {
	ref = r.unique(ref)
	if r.started != nil && subjects[0].start != nil {
		r.started(ref, subjects[0].start)
	}
	id := r.builder.Add(sbom.Component{
		Ref: ref, Type: sbom.Application, Name: server.Name, Server: server,
	}, sbom.Use{}, sbom.Occurrence{Path: server.File, Line: server.Line, Column: server.Column})
	r.builder.Link(file, id)

	launches := make([]sbom.Launch, len(subjects))
	ids := make([]sbom.ID, len(subjects))
	for i, s := range subjects {
		at := sbom.Occurrence{Path: server.File, Line: s.at.line, Column: s.at.column}
		launches[i], ids[i] = s.launch, sbom.NoID
		launches[i].Launcher = s.launcher
		launches[i].Line, launches[i].Column = at.Line, at.Column
		switch {
		case s.locked != nil:
			ids[i] = *s.locked
			r.builder.Mention(ids[i], at)
		case s.component != nil:
			ids[i] = r.builder.Add(*s.component, sbom.Use{}, at)
		case s.service != nil:
			ids[i] = r.builder.AddService(*s.service, at)
		}
	}
	r.builder.Launches(id, launches, ids)
}

// unique makes the ref of a server differ from all others: the second one of a
// name gets ~2.
func (r *run) unique(ref string) string {
	out := ref
	for n := 2; r.refs[out]; n++ {
		out = fmt.Sprintf("%s~%d", ref, n)
	}
	r.refs[out] = true
	return out
}
