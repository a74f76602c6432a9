package mcp

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"countermark/sbom/lazyregexp"
)

// The reader of BuildKit would have been the one to take, but it raises two dozen
// modules that belong to sigstore. What is needed of the grammar is small
// (docs.docker.com, "Dockerfile reference"): lines that go on, comments among them,
// flags, words as a list, documents inside of the file.

// instruction is one of a Dockerfile.
type instruction struct {
	name  string // upper-case
	flags []string
	body  string // behind the flags, with the line ends that it has in the file
	start int    // its line
	line  int    // of body
	docs  []hereDocument
}

type hereDocument struct {
	body string
	line int
}

var (
	dockerDirective = lazyregexp.New(`(?i)^#\s*(escape|syntax|check)\s*=\s*(\S+)\s*$`)
	hereMarker      = lazyregexp.New(`<<(-?)(["']?)([A-Za-z_][A-Za-z0-9_]*)(["']?)`)
	dockerFlag      = lazyregexp.New(`^(--[a-z][a-z-]*(=("[^"]*"|\S*))?)\s+`)
	dockerStart     = lazyregexp.New(`^\s*([A-Za-z]+)(\s|$)`)
	dockerVariable  = lazyregexp.New(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))`)
)

// instructions cuts a Dockerfile.
func instructions(data []byte) []instruction {
	lines := strings.SplitAfter(string(bytes.ReplaceAll(bytes.TrimPrefix(data, byteOrderMark), []byte("\r\n"), []byte("\n"))), "\n")
	escape := `\`
	i := 0
	for ; i < len(lines); i++ {
		m := dockerDirective.FindStringSubmatch(strings.TrimSpace(lines[i]))
		if m == nil {
			break
		}
		if strings.EqualFold(m[1], "escape") {
			escape = m[2]
		}
	}
	var out []instruction
	for ; i < len(lines); i++ {
		m := dockerStart.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		in := instruction{name: strings.ToUpper(m[1]), start: i + 1, line: i + 1}
		var b strings.Builder
		for first := true; i < len(lines); i++ {
			line := strings.TrimRight(lines[i], " \t\n")
			blank := strings.TrimSpace(line)
			if !first && (blank == "" || blank[0] == '#') {
				b.WriteString("\\\n") // neither ends the instruction
				continue
			}
			first = false
			if !strings.HasSuffix(line, escape) {
				b.WriteString(line)
				break
			}
			b.WriteString(strings.TrimSuffix(line, escape) + "\\\n")
		}
		in.body = strings.TrimLeft(b.String(), " \t")[len(m[1]):]
		in.cutFlags()
		i = in.documents(lines, i)
		out = append(out, in)
	}
	return out
}

// cutFlags takes --mount=… and its likes off, and counts the lines on the way.
func (in *instruction) cutFlags() {
	trim := func() {
		for {
			rest := strings.TrimLeft(in.body, " \t")
			if next, ok := strings.CutPrefix(rest, "\\\n"); ok {
				in.line++
				in.body = next
				continue
			}
			in.body = rest
			return
		}
	}
	trim()
	for in.name != "ENTRYPOINT" && in.name != "CMD" {
		m := dockerFlag.FindStringSubmatch(in.body)
		if m == nil {
			return
		}
		in.flags = append(in.flags, m[1])
		in.body = in.body[len(m[1]):]
		trim()
	}
}

// documents takes those that the instruction begins, and returns the last line
// that belongs to it.
func (in *instruction) documents(lines []string, i int) int {
	if !oneOf("RUN COPY ADD", in.name) {
		return i
	}
	for _, m := range hereMarker.FindAllStringSubmatch(in.body, -1) {
		doc := hereDocument{line: i + 2}
		for i++; i < len(lines); i++ {
			line := strings.TrimSuffix(lines[i], "\n")
			if m[1] != "" {
				line = strings.TrimLeft(line, "\t")
			}
			if line == m[3] {
				break
			}
			doc.body += lines[i]
		}
		in.docs = append(in.docs, doc)
	}
	return i
}

// words returns those of the form that is a list: ["npx", "a"].
func (in *instruction) words(f *finder) []word {
	body := strings.ReplaceAll(in.body, "\\\n", " ")
	var list []string
	if !strings.HasPrefix(strings.TrimSpace(body), "[") || json.Unmarshal([]byte(body), &list) != nil {
		return nil
	}
	out := make([]word, len(list))
	for i, text := range list {
		out[i] = word{text: text, at: f.at(in.line)}
		out[i].at.where = "argument " + strconv.Itoa(i)
	}
	return out
}

// stage is one FROM with what follows it.
type stage struct {
	name      string
	shell     string
	given     []given
	installed bool // the project's own packages are in it
	entry     *instruction
	cmd       *instruction
}

// dockerBuild is a Dockerfile that is read.
type dockerBuild struct {
	*finder
	args   map[string]string // of those before the first FROM
	stages []stage
}

func (f *finder) dockerfile() {
	if wide(f.data) {
		f.bad(1, "the Dockerfile is no plain text", "save it as UTF-8, or exclude it in the policy")
		return
	}
	b := dockerBuild{finder: f, args: map[string]string{}}
	for _, in := range instructions(f.data) {
		b.instruction(in, 0)
	}
	b.finish()
}

func (b *dockerBuild) at() *stage {
	if len(b.stages) == 0 {
		return nil
	}
	return &b.stages[len(b.stages)-1]
}

func (b *dockerBuild) instruction(in instruction, depth int) {
	if in.name == "FROM" {
		b.finish()
		b.from(in)
		return
	}
	if in.name == "ARG" && b.at() == nil {
		for _, w := range fieldsOf(word{text: in.body}) {
			if name, value, ok := strings.Cut(w.text, "="); ok {
				b.args[name] = value
			}
		}
	}
	if in.name == "ONBUILD" && depth == 0 {
		if inner := instructions([]byte(in.body)); len(inner) == 1 {
			inner[0].start, inner[0].line = in.start, inner[0].line+in.line-1
			inner[0].docs = in.docs
			b.instruction(inner[0], depth+1)
		}
		return
	}
	s := b.at()
	if s == nil {
		return // none that Docker would build
	}
	switch in.name {
	case "RUN":
		b.run(in, s)
	case "COPY", "ADD":
		for _, flag := range in.flags {
			b.otherImage(flag, "--from=", in)
		}
	case "SHELL":
		if words := in.words(b.finder); len(words) > 0 {
			s.shell = textOfWords(words)
		}
	case "ENV", "ARG": // both are variables of what RUN starts
		words := fieldsOf(word{text: strings.ReplaceAll(in.body, "\\\n", " ")})
		if len(words) > 1 && in.name == "ENV" && !strings.Contains(words[0].text, "=") {
			words = []word{{text: words[0].text + "=" + textOfWords(words[1:])}} // ENV NAME VALUE
		}
		for _, w := range words {
			if name, value, ok := strings.Cut(w.text, "="); ok {
				s.given = append(s.given, given{name: name, value: value, at: place{line: in.line, column: 1}})
			}
		}
	case "CMD":
		s.cmd = &in
	case "ENTRYPOINT":
		s.entry = &in
	case "HEALTHCHECK":
		if rest, ok := strings.CutPrefix(in.body, "CMD"); ok {
			in.body = strings.TrimLeft(rest, " \t")
			b.runs(in, s, "HEALTHCHECK")
		}
	}
}

// from begins a stage, on an image or on an earlier stage.
func (b *dockerBuild) from(in instruction) {
	words := fieldsOf(word{text: strings.ReplaceAll(in.body, "\\\n", " "), at: b.finder.at(in.line)})
	if len(words) == 0 {
		return
	}
	next := stage{}
	if len(words) > 2 && strings.EqualFold(words[1].text, "AS") {
		next.name = strings.ToLower(words[2].text)
	}
	ref := words[0]
	ref.text = b.expand(ref.text)
	if base := b.stage(ref.text); base != nil {
		next.shell, next.given, next.installed = base.shell, slices.Clip(base.given), base.installed
	} else if ref.text != "scratch" {
		b.add(step{name: "FROM", image: "FROM", words: []word{ref}})
	}
	b.stages = append(b.stages, next)
}

// expand puts the defaults of arguments into the name of an image. Who builds can
// choose others, but these are what is written.
func (b *dockerBuild) expand(s string) string {
	return dockerVariable.ReplaceAllStringFunc(s, func(v string) string {
		m := dockerVariable.FindStringSubmatch(v)
		if value, ok := b.args[m[1]+m[3]]; ok && value != "" {
			return strings.Trim(value, `"'`)
		}
		if m[2] != "" {
			return m[2]
		}
		return v
	})
}

func (b *dockerBuild) stage(name string) *stage {
	for i := range b.stages {
		if b.stages[i].name != "" && b.stages[i].name == strings.ToLower(name) || strconv.Itoa(i) == name {
			return &b.stages[i]
		}
	}
	return nil
}

// otherImage is one that only files are taken from: COPY --from=, --mount=…,from=.
func (b *dockerBuild) otherImage(flag, prefix string, in instruction) {
	name, ok := strings.CutPrefix(flag, prefix)
	name = b.expand(strings.Trim(name, `"`))
	if !ok || name == "" || b.stage(name) != nil {
		return
	}
	if prefix == "--from=" && path.Base(name) == name && !strings.ContainsAny(name, ":@") {
		return // a context that is given to the build by name, as often as an image
	}
	b.add(step{name: in.name, image: in.name + " --from", words: []word{{text: name, at: b.finder.at(in.start)}}})
}

// installs matches what puts the project's packages into an image.
var installs = lazyregexp.New(`\b(npm\s+(ci|i|install|clean-install|install-clean)|pnpm\s+(i|install)|bun\s+(i|install)|yarn\s+install)\b|\byarn\s*($|&&|;|--)`)

func (b *dockerBuild) run(in instruction, s *stage) {
	for _, flag := range in.flags {
		for part := range strings.SplitSeq(strings.TrimPrefix(flag, "--mount="), ",") {
			b.otherImage(part, "from=", in)
		}
	}
	b.runs(in, s, "RUN")
	s.installed = s.installed || installs.MatchString(in.body)
}

// runs is the command of an instruction, in the shell of the stage or as words.
// The project is in the image only where its packages were installed there.
func (b *dockerBuild) runs(in instruction, s *stage, name string) {
	at := where{away: !s.installed}
	if words := in.words(b.finder); words != nil {
		if len(words) > 0 {
			b.command(step{name: name, words: words, given: s.given, where: at})
		}
		return
	}
	t := scriptText{name: name, body: in.body, line: in.line, given: s.given, where: at}
	before := strings.TrimSpace(hereMarker.ReplaceAllString(in.body, ""))
	switch {
	case len(in.docs) > 0 && (before == "" || slices.Contains(shells, program(strings.Fields(before)[0])) && !strings.Contains(before, "-c")):
		for _, doc := range in.docs {
			if strings.HasPrefix(doc.body, "#!") && !shebang.MatchString(doc.body) {
				continue // of another language
			}
			t.body, t.line = doc.body, doc.line
			b.script(s.shell, t)
		}
	case len(in.docs) > 0:
		t.body = hereMarker.ReplaceAllString(in.body, "") // the documents are what it reads
		b.script(s.shell, t)
	default:
		b.script(s.shell, t)
	}
}

// finish adds what the image of a stage starts.
func (b *dockerBuild) finish() {
	s := b.at()
	if s == nil {
		return
	}
	entry, cmd := s.entry, s.cmd
	s.entry, s.cmd = nil, nil
	if entry == nil {
		if cmd != nil {
			b.runs(*cmd, s, "CMD")
		}
		return
	}
	words := entry.words(b.finder)
	if words != nil && cmd != nil {
		words = append(words, cmd.words(b.finder)...)
	}
	if words == nil {
		b.runs(*entry, s, "ENTRYPOINT")
		return
	}
	if len(words) > 0 {
		b.command(step{name: "ENTRYPOINT", words: words, given: s.given, where: where{away: !s.installed}})
	}
}

// makeVariable is what make replaces before a shell sees a recipe.
var makeVariable = lazyregexp.New(`\$(\([^()]*(\([^()]*\)[^()]*)*\)|\{[^{}]*\}|[A-Za-z@<^*?%])`)

// makefile reads recipes, each line for a shell of its own: lines that begin with a
// tab, and what stands behind the ";" of a rule; and what $(shell …) runs.
func (f *finder) makefile() {
	if !tells(string(f.data)) {
		return
	}
	lines := strings.SplitAfter(string(f.data), "\n")
	given := f.makeVariables()
	target := ""
	for i := 0; i < len(lines); i++ {
		start := i
		for strings.HasSuffix(strings.TrimRight(lines[i], "\r\n"), `\`) && i+1 < len(lines) {
			i++
		}
		line := strings.Join(lines[start:i+1], "")
		recipe, isRecipe := strings.CutPrefix(line, "\t")
		recipe = strings.ReplaceAll(recipe, "\n\t", "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if !isRecipe {
			name, inline, ok := makeRule(line)
			if ok {
				target = name
			}
			recipe = inline
		}
		if m := makeBang.FindStringSubmatch(line); m != nil && !isRecipe {
			f.makeText("variables", m[1], start+1, given)
		}
		for _, command := range makeShells(line) {
			f.makeText("variables", command, start+1, given)
		}
		f.makeText(target, recipe, start+1, given)
	}
}

// makeText is one line of a recipe.
func (f *finder) makeText(name, recipe string, line int, given []given) {
	recipe = strings.TrimLeft(recipe, " \t@+-")
	const dollar = "\x00"
	recipe = strings.ReplaceAll(recipe, "$$", dollar)
	held := false
	recipe = makeVariable.ReplaceAllStringFunc(recipe, func(v string) string {
		for _, g := range given {
			if g.name == strings.Trim(v, "$(){}") {
				held = true
				return "${" + g.name + "}"
			}
		}
		return "${MAKE_VARIABLE}"
	})
	recipe = strings.ReplaceAll(recipe, dollar, "$")
	if held || tells(recipe) {
		f.shell(scriptText{name: name, body: recipe, line: line, given: given})
	}
}

// makeVariables are those that are set to something that names a launcher.
func (f *finder) makeVariables() []given {
	var out []given
	for i, line := range strings.Split(string(f.data), "\n") {
		m := makeSet.FindStringSubmatch(strings.TrimRight(line, "\r"))
		if m == nil || len(out) == maxHeld {
			continue
		}
		value := m[2]
		for _, g := range out {
			value = strings.NewReplacer("$("+g.name+")", g.value, "${"+g.name+"}", g.value).Replace(value)
		}
		if len(heldText(value)) > 0 {
			out = append(out, given{name: m[1], value: value, at: place{line: i + 1, column: 1}})
		}
	}
	return out
}

// makeRule is the target of a rule, and the recipe in the same line.
func makeRule(line string) (target, recipe string, ok bool) {
	name, rest, ok := strings.Cut(line, ":")
	if !ok || strings.Contains(name, "=") || strings.TrimSpace(line) == "" || line[0] == ' ' {
		return "", "", false
	}
	target = strings.TrimSpace(name)
	if prerequisites, inline, ok := strings.Cut(rest, ";"); ok && !strings.ContainsAny(prerequisites, "=#") {
		return target, inline, true
	}
	return target, "", true
}

// makeShells are the commands of every $(shell …) in a line.
func makeShells(line string) []string {
	var out []string
	for _, m := range makeShell.FindAllStringIndex(line, -1) {
		opens, closes := line[m[0]+1], byte(')')
		if opens == '{' {
			closes = '}'
		}
		for i, depth := m[1], 1; i < len(line); i++ {
			switch line[i] {
			case opens:
				depth++
			case closes:
				depth--
			}
			if depth == 0 {
				out = append(out, line[m[1]:i])
				break
			}
		}
	}
	return out
}

var (
	makeShell = lazyregexp.New(`\$[({]shell\s+`)
	makeSet   = lazyregexp.New(`^ *(?:export +|override +)*([A-Za-z_][A-Za-z0-9_]*)\s*(?:[:?+]|::)?=\s*(.*?)\s*(?:#.*)?$`)
	makeBang  = lazyregexp.New(`(?s)^ *[A-Za-z0-9_.-]+\s*!=\s*(.*)`) // a variable that gets what a command prints
)
