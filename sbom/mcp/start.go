package mcp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// start is how one package is started: by a launcher that fetches it, or by node
// from a file.
type start struct {
	head word   // the launcher
	args []word // everything behind it
	kept []word // those of args that the package gets

	bin  string // the program that the launch names beside the package; "" where the package decides
	lost string // an option that node has nothing for; "" where there is none
	file string // what node runs; "" for a launcher
}

// starts notes how the one package is started that a launcher fetches from npm's
// registry.
func (x *subject) starts(p parsed, bin string, kept []word) {
	if x.component == nil || x.component.Ecosystem != sbom.NPM {
		return
	}
	x.start = &start{bin: bin, kept: kept}
	for _, o := range p.options {
		name := strings.TrimPrefix(strings.TrimLeft(o.name, "-"), "no-")
		if !onlyFetching[name] {
			x.start.lost = cmp.Or(x.start.lost, o.name)
		}
	}
}

// onlyFetching are the options of launchers that mean nothing once the package is
// there: whether to ask, what to say, where to look first.
var onlyFetching = names(`yes y package p quiet q silent s verbose loglevel reporter progress color audit fund
	update-notifier prefer-online prefer-offline offline ignore-scripts install`)

// complete notes the whole command line, where nobody further in has.
func (s *start) complete(head word, args []word) {
	if s != nil && s.args == nil {
		s.head, s.args = head, args
	}
}

// dropped says of each argument whether the launcher keeps it for itself. What the
// package gets stands behind that, but for the options of npm, which may stand
// anywhere.
func (s *start) dropped() []bool {
	out := make([]bool, len(s.args))
	left := len(s.kept) - 1
	for i := len(s.args) - 1; i >= 0; i-- {
		if left >= 0 && s.args[i] == s.kept[left] {
			left--
			continue
		}
		out[i] = true
	}
	return out
}

// startReader reads as Reader does, and keeps how servers are started.
type startReader struct {
	Reader
	starts map[string]*start // by the server's ref
}

// Read implements [sbom.Reader].
func (r startReader) Read(ctx context.Context, files []*sbom.File, b *sbom.Builder) error {
	return readAll(ctx, files, b, func(ref string, s *start) { r.starts[ref] = s })
}

func startsIn(ctx context.Context, t sbom.Tree, name, kind string, data []byte) (map[string]*start, error) {
	r := startReader{starts: map[string]*start{}}
	_, err := sbom.ScanBytes(ctx, r, t, name, kind, data)
	return r.starts, err
}

// Relaunch is a server that node is to start in the place of the launcher that
// fetches its package.
type Relaunch struct {
	Ref string // of the server
	// File returns what node is to run, for the program that the launch names beside
	// the package, "" where the package decides; or why that cannot be.
	File func(bin string) (file, why string)
}

// Relaunched is what became of one [Relaunch].
type Relaunched struct {
	File string
	Why  string // it was left as it is; empty where it was not
}

// StartByNode returns a configuration in which servers are started by node, with
// the arguments that their packages get today. Every other byte is as it was. It
// reads what it wrote: unless each server gets the very same arguments then, nothing
// is changed at all.
func StartByNode(ctx context.Context, t sbom.Tree, name, kind string, data []byte, list []Relaunch) ([]byte, []Relaunched, error) {
	out := make([]Relaunched, len(list))
	before, err := startsIn(ctx, t, name, kind, data)
	if err != nil {
		return data, out, err
	}
	n, known := notationOf(name, data)
	var edits []edit
	for i, r := range list {
		s := before[r.Ref]
		switch {
		case !known:
			out[i].Why = "the notation of the file is not known"
		case s == nil || s.file != "":
			out[i].Why = "it is not one package that its launcher fetches and starts"
		case s.lost != "":
			out[i].Why = "node has nothing for its option " + s.lost
		default:
			out[i].File, out[i].Why = r.File(s.bin)
		}
		if out[i].Why != "" {
			continue
		}
		more, why := s.byNode(n, data, out[i].File)
		if out[i].Why = why; why == "" {
			edits = append(edits, more...)
		}
	}
	after, ok := apply(data, edits)
	if !ok {
		return data, refuseAll(out, "two launches overlap"), nil
	}
	if len(edits) == 0 {
		return data, out, nil
	}
	again, err := startsIn(ctx, t, name, kind, after)
	if err != nil {
		return data, out, err
	}
	for i, r := range list {
		if out[i].Why == "" && !before[r.Ref].becomes(again[r.Ref], out[i].File) {
			return data, refuseAll(out, "the configuration would be read otherwise then"), nil
		}
	}
	return after, out, nil
}

// refuseAll leaves everything that is not refused already.
func refuseAll(list []Relaunched, why string) []Relaunched {
	for i := range list {
		list[i].Why = cmp.Or(list[i].Why, why)
	}
	return list
}

// becomes reports whether a start by node gives the package what it gets.
func (s *start) becomes(now *start, file string) bool {
	return now != nil && now.file == file && slices.EqualFunc(s.kept, now.kept, func(a, b word) bool {
		return a.text == b.text && a.open == b.open
	})
}

// safeFile is what node is told to run: it means the same to JSON, TOML, YAML, every
// shell and every client.
var safeFile = lazyregexp.New(`^(\$\{workspaceFolder\}/)?[A-Za-z0-9@._~+-][A-Za-z0-9@._~+/-]*$`)

// byNode are the edits that put node into the place of the launcher, and the file
// into that of its last own word.
func (s *start) byNode(n notation, data []byte, file string) (edits []edit, why string) {
	if !safeFile.MatchString(file) {
		return nil, "the path of what it runs has letters that mean something to a shell"
	}
	node, why := s.node()
	if why != "" {
		return nil, why
	}
	dropped := s.dropped()
	last := -1
	for i := 0; i < len(dropped) && (dropped[i] || last < 0); i++ {
		if dropped[i] {
			last = i
		}
	}
	if last < 0 {
		return nil, "nobody knows where its package stands"
	}
	l := line{notation: n, data: data}
	l.program(s.head, node)
	for i, w := range s.args {
		switch {
		case i == last:
			l.next(w, file)
		case dropped[i]:
			l.next(w, "")
		default:
			l.pass(w)
		}
	}
	return l.edits, l.why
}

// node is the program beside the launcher: npm and npx come with it.
func (s *start) node() (name, why string) {
	if !isPath(s.head.text) {
		return "node", ""
	}
	p := program(s.head.text)
	if p != "npx" && p != "npm" {
		return "", "where node is beside " + p + " is not known"
	}
	base := s.head.text[strings.LastIndexAny(s.head.text, `/\`)+1:]
	if len(base) > len(p) { // with a suffix of Windows
		return "node.exe", ""
	}
	return "node", ""
}

// line edits the words of one command line, one after another.
type line struct {
	notation notation
	data     []byte
	edits    []edit
	why      string // the first thing that went wrong

	at         place // of the text that the last word stood in
	begin, end int   // its characters
	from       int   // behind the last word
}

// find returns where a word stands: whole says that its text holds nothing else.
func (l *line) find(w word) (from, to int, whole, ok bool) {
	if l.why != "" {
		return 0, 0, false, false
	}
	if l.at != w.at || l.end == 0 {
		start, there := offsetOf(l.data, w.at.line, w.at.column)
		if there {
			l.begin, l.end, there = characters(l.notation, l.data, start)
		}
		if !there {
			l.why = "it stands in a text of more than one line, or in no text at all"
			return 0, 0, false, false
		}
		l.at, l.from = w.at, l.begin
	}
	if l.from == l.begin && l.decoded() == w.text {
		l.from = l.end
		return l.begin, l.end, true, true
	}
	for at := l.from; w.text != "" && at < l.end; at++ {
		i := bytes.Index(l.data[at:l.end], []byte(w.text))
		if i < 0 {
			break
		}
		if at += i; alone(l.data[l.begin:l.end], at-l.begin, len(w.text)) {
			l.from = at + len(w.text)
			return at, l.from, false, true
		}
	}
	l.why = notThere
	return 0, 0, false, false
}

// decoded is the whole text that the last word stands in.
func (l *line) decoded() string {
	raw := string(l.data[l.begin:l.end])
	if l.begin > 0 && l.data[l.begin-1] == '"' {
		var text string
		if json.Unmarshal([]byte(`"`+raw+`"`), &text) == nil {
			return text
		}
	}
	return raw
}

func (l *line) pass(w word) { l.find(w) }

// program replaces the name of a program. The folders before it stay.
func (l *line) program(w word, name string) {
	from, to, _, ok := l.find(w)
	if ok {
		from += bytes.LastIndexAny(l.data[from:to], `/\`) + 1
		l.edits = append(l.edits, edit{from, to, name})
	}
}

// next replaces a word; by nothing where text is empty.
func (l *line) next(w word, text string) {
	from, to, whole, ok := l.find(w)
	switch {
	case !ok:
	case text != "":
		l.edits = append(l.edits, edit{from, to, text})
	case whole:
		l.remove(from, to)
	default:
		l.cut(from, to)
	}
}

// cut takes a word out of a text, with the blanks before it, or behind it where it
// comes first.
func (l *line) cut(from, to int) {
	start := from
	for start > l.begin && isBlank(l.data[start-1]) {
		start--
	}
	for start == l.begin && to < l.end && isBlank(l.data[to]) {
		to++
	}
	l.edits = append(l.edits, edit{start, to, ""})
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// remove takes an element out of its list, whose comments stay. Another element
// follows it.
func (l *line) remove(from, to int) {
	if from > 0 && to < len(l.data) && strings.IndexByte(`"'`, l.data[from-1]) >= 0 {
		from, to = from-1, to+1
	}
	start := from
	for start > 0 && isBlank(l.data[start-1]) {
		start--
	}
	if l.notation == yamlNotation && start > 0 && l.data[start-1] == '-' {
		l.removeItem(start-1, to)
		return
	}
	comma := l.comma(to)
	if comma < 0 {
		l.why = "nobody knows where its argument ends"
		return
	}
	if len(bytes.TrimSpace(l.data[to:comma])) > 0 { // a comment stands between the two
		l.edits = append(l.edits, edit{from, to, ""}, edit{comma, comma + 1, ""})
		return
	}
	l.edits = append(l.edits, l.line(start, from, comma+1))
}

// line is the edit that removes what stands in from to to, and with it the line
// that holds nothing else, or the blanks behind it. start is before the blanks that
// precede it.
func (l *line) line(start, from, to int) edit {
	end := to
	for end < len(l.data) && isBlank(l.data[end]) {
		end++
	}
	rest := l.data[end:]
	fresh := start == 0 || l.data[start-1] == '\n'
	switch {
	case fresh && bytes.HasPrefix(rest, []byte("\r\n")):
		return edit{start, end + 2, ""}
	case fresh && bytes.HasPrefix(rest, []byte("\n")):
		return edit{start, end + 1, ""}
	default:
		return edit{from, end, ""}
	}
}

// removeItem removes an item of a list of YAML, from its dash on.
func (l *line) removeItem(dash, to int) {
	start := dash
	for start > 0 && isBlank(l.data[start-1]) {
		start--
	}
	if start > 0 && l.data[start-1] != '\n' {
		l.why = "its arguments are a list inside of another one"
		return
	}
	l.edits = append(l.edits, l.line(start, dash, to))
}

// comma finds the comma behind an element, past blanks, line ends and comments; -1
// where there is none.
func (l *line) comma(at int) int {
	for ; at < len(l.data); at++ {
		switch c := l.data[at]; {
		case c == ',':
			return at
		case isBlank(c), c == '\r', c == '\n':
		case c == '/' && l.notation == jsonNotation:
			end := skipComment(l.data, at)
			if end == at {
				return -1
			}
			at = end
		case c == '#' && l.notation != jsonNotation:
			end := bytes.IndexByte(l.data[at:], '\n')
			if end < 0 {
				return -1
			}
			at += end
		default:
			return -1
		}
	}
	return -1
}

// apply makes edits, and reports whether none of them overlap.
func apply(data []byte, edits []edit) (out []byte, ok bool) {
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	edits = slices.Compact(edits) // two servers that share a text, by an alias of YAML
	at := 0
	for _, e := range edits {
		if e.from < at {
			return data, false
		}
		out = append(append(out, data[at:e.from]...), e.text...)
		at = e.to
	}
	return append(out, data[at:]...), true
}

// ProjectFolder returns the folder, as the tree of a configuration has it, in which
// its client starts servers, and what has to stand before a path that counts from
// there; or why there is none. program is the Client of the servers, name the
// configuration's path in the tree.
func ProjectFolder(program, name string) (folder, before, why string) {
	row, ok := clientOf(name)
	roams := ok && row.roams
	if !ok || row.name != program {
		rows := slices.DeleteFunc(slices.Clone(clients), func(c client) bool { return c.name != program || c.name == unnamed })
		roams = roams || len(rows) > 0 && !slices.ContainsFunc(rows, func(c client) bool { return !c.roams })
	}
	if roams {
		return "", "", program + " does not start its servers in the folder of a project"
	}
	all := bases(name)
	folder = path.Join(path.Dir(name), all[len(all)-1])
	if !fs.ValidPath(folder) {
		return "", "", "the folder of its project is not the one that is read"
	}
	return folder, row.workspace, ""
}
