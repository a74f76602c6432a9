package mcp

import (
	"path"
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"

	"mvdan.cc/sh/v3/syntax"
)

// Scripts fetch for many reasons, and pipe what they fetch into many programs. What
// they run as a program is told apart here from what they only read: curl | sh from
// curl | python -m json.tool, and a file that is saved and started from one that is
// saved. A server's command has no such excuse: see downloads.

// scriptFetchers are the fetchers that scripts use by these names for nothing else.
var scriptFetchers = set("curl wget aria2c iwr irm invoke-webrequest invoke-restmethod")

// checkers compare what was fetched with something that is known.
var checkers = set("sha1sum sha256sum sha512sum shasum b2sum md5sum openssl gpg gpgv cosign minisign signify slsa-verifier")

// The ways of running what is fetched.
const (
	byPipe         = "a pipe"
	bySubstitution = "a substitution"
	bySavedFile    = "a saved file"
)

// fetchesText reports whether a text may fetch something.
func fetchesText(body string) bool {
	lower := strings.ToLower(body)
	return slices.ContainsFunc(scriptFetchers, func(f string) bool { return strings.Contains(lower, f) })
}

// downloadSearch looks through the commands of a script in their order.
type downloadSearch struct {
	saved map[string]bool // the files that were fetched, and not compared with anything
}

// command tells by which way a node runs what is fetched; empty where it does not.
func (d *downloadSearch) command(n syntax.Node) string {
	switch n := n.(type) {
	case *syntax.BinaryCmd:
		if (n.Op == syntax.Pipe || n.Op == syntax.PipeAll) && calls(n.X, scriptFetchers) && readsProgram(n.Y) {
			return byPipe
		}
	case *syntax.Stmt:
		d.redirected(n)
	case *syntax.CallExpr:
		return d.call(n)
	}
	return ""
}

func (d *downloadSearch) call(n *syntax.CallExpr) string {
	i := calleeAt(n)
	name := program(literal(n.Args, i))
	args := n.Args[min(i+1, len(n.Args)):]
	switch {
	case slices.Contains(scriptFetchers, name):
		d.save(savedFiles(name, args)...)
	case slices.Contains(checkers, name):
		d.saved = nil
	case slices.Contains(runsText, name) && name != "xargs":
		if programWord(name, args, func(w *syntax.Word) bool { return substitutes(w) && calls(w, scriptFetchers) }) {
			return bySubstitution
		}
		if programWord(name, args, func(w *syntax.Word) bool { return d.isSaved(w.Lit()) }) {
			return bySavedFile
		}
	case strings.Contains(literal(n.Args, i), "/") && d.isSaved(literal(n.Args, i)):
		return bySavedFile
	}
	return ""
}

func (d *downloadSearch) isSaved(file string) bool {
	return file != "" && d.saved[path.Clean(file)]
}

func (d *downloadSearch) save(files ...string) {
	if d.saved == nil {
		d.saved = map[string]bool{}
	}
	for _, f := range files {
		d.saved[f] = true
	}
}

// redirected notes the file that a fetcher's output goes to.
func (d *downloadSearch) redirected(s *syntax.Stmt) {
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || !slices.Contains(scriptFetchers, callee(call)) {
		return
	}
	for _, r := range s.Redirs {
		if (r.Op == syntax.RdrOut || r.Op == syntax.AppOut || r.Op == syntax.RdrClob) && r.N == nil && r.Word != nil && r.Word.Lit() != "" {
			d.save(path.Clean(r.Word.Lit()))
		}
	}
}

// substitutes reports whether a word is nothing but the output of a command.
func substitutes(w *syntax.Word) bool {
	if len(w.Parts) != 1 {
		return false
	}
	switch p := w.Parts[0].(type) {
	case *syntax.CmdSubst, *syntax.ProcSubst:
		return true
	case *syntax.DblQuoted:
		return len(p.Parts) == 1 && substitutes(&syntax.Word{Parts: p.Parts})
	default:
		return false
	}
}

// takesCode are the options with which an interpreter gets its program as a word.
var takesCode = set("-c -e -E -m -p -n -ne -pe -lc -ic -ec -euxc -exc -xc --eval --print -Command -command")

// programWord reports whether the word that a program is in is like that: what
// follows the option that takes code, else the first operand; for eval, any word.
func programWord(name string, args []*syntax.Word, like func(*syntax.Word) bool) bool {
	if name == "eval" || name == "iex" || name == "invoke-expression" {
		return slices.ContainsFunc(args, like)
	}
	for i := 0; i < len(args); i++ {
		switch text := args[i].Lit(); {
		case slices.Contains(takesCode, text) && (!slices.Contains(shells, name) || clusterHolds(text, "c")):
			return i+1 < len(args) && like(args[i+1])
		case setsOption(name, text):
			i++
		case strings.HasPrefix(text, "-"):
		default:
			return like(args[i])
		}
	}
	return false
}

// readsProgram reports whether what a pipe ends in takes its program from it: a
// shell or interpreter that is given no other.
func readsProgram(n syntax.Node) bool {
	found := false
	syntax.Walk(n, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok {
			return !found
		}
		i := calleeAt(call)
		if name := program(literal(call.Args, i)); slices.Contains(runsText, name) && !oneOf("xargs eval source . exec", name) {
			found = found || operandless(name, call.Args[i+1:])
		}
		return !found
	})
	return found
}

// operandless reports whether an interpreter with these arguments reads its program
// from its input: no code, no file, or a sign that it does.
func operandless(name string, args []*syntax.Word) bool {
	shell := slices.Contains(shells, name)
	for i := 0; i < len(args); i++ {
		switch text := args[i].Lit(); {
		case text == "-", text == "/dev/stdin", shell && clusterHolds(text, "s"):
			return true
		case slices.Contains(takesCode, text) && (!shell || clusterHolds(text, "c")):
			return false
		case setsOption(name, text):
			i++
		case strings.HasPrefix(text, "-"), strings.HasPrefix(text, "+"):
		default:
			return false
		}
	}
	return true
}

// setsOption reports whether an option of a shell takes the next word: -o pipefail,
// -euo pipefail.
func setsOption(name, text string) bool { return slices.Contains(shells, name) && clustered(text, 'o') }

// clusterHolds reports whether a word is a group of short options with one of these.
func clusterHolds(text, options string) bool {
	return len(text) > 1 && text[0] == '-' && text[1] != '-' && strings.ContainsAny(text, options)
}

// savedFiles are those that a fetcher writes, by its arguments.
func savedFiles(name string, args []*syntax.Word) []string {
	var out []string
	remote := name == "wget"
	for i, a := range args {
		text := a.Lit()
		option, value, given := strings.Cut(text, "=")
		switch {
		case given && oneOf("--output --output-document --out", option):
			return []string{path.Clean(value)}
		case text == "--remote-name", clustered(text, 'O') && name == "curl":
			remote = true
		case oneOf("--output --output-document --out -OutFile -outfile", text), clustered(text, 'o') && name != "wget", clustered(text, 'O') && name == "wget":
			if i+1 < len(args) && args[i+1].Lit() != "" {
				return []string{path.Clean(args[i+1].Lit())}
			}
		case strings.Contains(text, "://"):
			file, _, _ := strings.Cut(text, "?")
			out = append(out, path.Base(file))
		}
	}
	if !remote {
		return nil
	}
	return out
}

// clustered reports whether a word is a group of short options that ends in one.
func clustered(text string, option byte) bool {
	return len(text) > 1 && text[0] == '-' && text[1] != '-' && text[len(text)-1] == option
}

// pipedText matches curl | sh where no grammar is at hand.
var pipedText = lazyregexp.New(`(?i)\b(curl|wget)\b[^\n|;&]*\|\s*(sudo\s+(-\S+\s+)*)?(/\S*/)?(ba|z|da|k|a)?sh\b`)

// downloadLine is the same for a line that no POSIX shell reads: iwr … | iex.
func downloadLine(words []word) bool {
	s := scan{}
	s.downloadWords(place{}, words)
	return len(s.risks) > 0 && slices.ContainsFunc(words, func(w word) bool {
		p := program(strings.Trim(w.text, `(){};|"'&`))
		return slices.Contains(shells, p) || p == "iex" || p == "invoke-expression"
	})
}

// download adds a place in which a script runs what it fetches.
func (f *finder) download(name string, at place, way string) {
	f.add(step{name: name, download: way, words: []word{{at: at}}})
}
