package mcp

import (
	"slices"
	"strings"

	"countermark/sbom"

	"mvdan.cc/sh/v3/syntax"
)

// A script that is fetched and run at once (curl | sh, sh <(curl), curl -o x &&
// sh x) is whatever its server says at the moment, to each client something else.

var (
	fetchers = set(`curl wget fetch aria2c http https certutil bitsadmin iwr irm invoke-webrequest
		invoke-restmethod start-bitstransfer`)
	// runsText take a program as text: from a pipe, a file or a word.
	runsText = set(`sh bash zsh dash ksh fish ash python python3 node bun deno perl ruby php lua pwsh powershell
		iex invoke-expression eval source . exec xargs`)
	// savesTo are the options with which a fetcher writes a file.
	savesTo = set(`-o -O --output --remote-name -OutFile -outfile --output-document --out`)
)

// downloads reports whether the commands of a shell string run what others of
// them fetch.
func downloads(file *syntax.File) bool {
	found := false
	saved := false
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.BinaryCmd:
			piped := n.Op == syntax.Pipe || n.Op == syntax.PipeAll
			found = found || piped && calls(n.X, fetchers) && calls(n.Y, runsText)
		case *syntax.CallExpr:
			name := callee(n)
			switch {
			case slices.Contains(fetchers, name):
				saved = saved || name == "wget" || slices.ContainsFunc(n.Args, savesFile)
			case slices.Contains(runsText, name):
				found = found || saved || fetchedInside(n)
			case saved && isPath(literal(n.Args, 0)):
				found = true
			}
		}
		return !found
	})
	return found
}

// calls reports whether any command below the node is one of these programs.
func calls(node syntax.Node, programs []string) bool {
	found := false
	syntax.Walk(node, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok {
			found = found || slices.Contains(programs, callee(call))
		}
		return !found
	})
	return found
}

// fetchedInside reports whether a word of the call is what a fetcher prints:
// sh <(curl …), eval "$(curl …)".
func fetchedInside(call *syntax.CallExpr) bool {
	return slices.ContainsFunc(call.Args, func(w *syntax.Word) bool { return calls(w, fetchers) })
}

// callee is the program of a call. What stands before it (sudo -E, env A=B) is
// passed over.
func callee(call *syntax.CallExpr) string { return program(literal(call.Args, calleeAt(call))) }

// calleeAt is where the program of a call stands.
func calleeAt(call *syntax.CallExpr) int {
	wrapped := false
	for i := 0; i < len(call.Args); i++ {
		text := literal(call.Args, i)
		name := program(text)
		switch {
		case wrapped && oneOf("-u -g -n -c --user --group", text):
			i++ // with its value
		case wrapped && (strings.HasPrefix(text, "-") || variableName.MatchString(strings.SplitN(text, "=", 2)[0]) && strings.Contains(text, "=")):
		case name == "" || !isWrapper(name) || slices.Contains(runsText, name) || slices.Contains(fetchers, name):
			return i
		default:
			wrapped = true
		}
	}
	return 0
}

// literal is the word as written where it holds nothing to expand.
func literal(args []*syntax.Word, i int) string {
	if i >= len(args) {
		return ""
	}
	return args[i].Lit()
}

func savesFile(w *syntax.Word) bool {
	text := w.Lit()
	name, _, _ := strings.Cut(text, "=")
	// Letters can stand together, as in -fsSLo.
	together := len(text) > 2 && text[0] == '-' && text[1] != '-' && strings.ContainsAny(text, "oO")
	return slices.Contains(savesTo, name) || together
}

// downloadWords is downloads for a command line that no POSIX shell reads: a
// fetcher, a bar, and something that takes a program as text.
func (s *scan) downloadWords(at place, words []word) {
	fetched := false
	for i, w := range words {
		text, glued := strings.CutPrefix(w.text, "|")
		piped := glued || i > 0 && strings.HasSuffix(words[i-1].text, "|")
		p := program(strings.Trim(text, `(){};"'&`))
		switch {
		case slices.Contains(fetchers, p):
			fetched = true
		case fetched && piped && slices.Contains(runsText, p), fetched && (p == "iex" || p == "invoke-expression"):
			s.risk(sbom.RiskDownload, at)
		}
	}
	// iex (iwr …): the other way round.
	if first := slices.IndexFunc(words, func(w word) bool {
		p := program(strings.Trim(w.text, `(){};"'&`))
		return p == "iex" || p == "invoke-expression"
	}); first >= 0 && slices.ContainsFunc(words[first:], func(w word) bool {
		return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(w.text), func(r rune) bool { return strings.ContainsRune(`(){}$;"'`, r) }),
			func(part string) bool { return slices.Contains(fetchers, part) })
	}) {
		s.risk(sbom.RiskDownload, at)
	}
}
