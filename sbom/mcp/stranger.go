package mcp

import (
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"
)

// stranger looks for a launcher among the arguments of a program that nobody here
// knows: ./run.sh npx …, conda run -n x uvx …. What such a
// program does with the rest cannot be told, so the launch is unknown; what the
// rest plainly names is judged all the same. It returns nil where there is none.
func (s *scan) stranger(head word, args []word, depth int) []subject {
	if oneOf("echo printf", program(head.text)) {
		return nil // prints them
	}
	for i, w := range args {
		if isTold(args, i) {
			return append([]subject{s.strange(head)}, nested(worthNaming(s.shell(w, program(head.text), depth+1)))...)
		}
		if i+1 == len(args) || !slices.Contains(registryLaunchers, program(w.text)) || ownFile(w.text) {
			continue
		}
		away := s.away
		s.away = away || movesAway(head, args[:i])                                         //nolint:gosec // i is an index of args
		out := append([]subject{s.strange(head)}, nested(s.command(args[i:], depth+1))...) //nolint:gosec // i is an index of args
		s.away = away
		return out
	}
	return nil
}

// movesAway reports whether such a program plainly runs the rest in another folder.
func movesAway(head word, before []word) bool {
	return oneOf("chroot nsenter git", program(head.text)) || slices.ContainsFunc(before, func(w word) bool {
		name, _, _ := strings.Cut(w.text, "=")
		return oneOf("-execdir -okdir --cwd --wd --workdir --chdir --cd --working-directory --directory", name)
	})
}

// strange is a launch by a program that nobody here knows.
func (s *scan) strange(head word) subject {
	outer := unknown(head.at, "it is started by a program that is not known, and how that changes it cannot be told")
	outer.launcher = safeName(redactPath(program(head.text)))
	outer.launch.Spec = redact(head.text)
	return outer
}

// takesCommand matches the options behind which programs expect a command line as
// one word: nix-shell --run "npx …", su -c "npx …".
var takesCommand = lazyregexp.New(`^(-[A-Za-z]*c|--?(run|exec|command|cmd|call|stdio|start|shell))$`)

// isTold reports whether the word at i is a command line, told by the option before
// it and by what it begins with. Of prose that names a launcher neither is true.
func isTold(args []word, i int) bool {
	first, _, several := strings.Cut(strings.TrimSpace(args[i].text), " ")
	return i > 0 && several && slices.Contains(registryLaunchers, program(first)) && !ownFile(first) && takesCommand.MatchString(args[i-1].text)
}

// holdsLauncher reports whether a word is a command line that runs a launcher: ssh
// hands its words to a shell.
func holdsLauncher(w word) bool {
	words := fieldsOf(w)
	return len(words) > 1 && slices.ContainsFunc(words[:len(words)-1], func(w word) bool {
		return slices.Contains(registryLaunchers, program(w.text)) && !ownFile(w.text)
	})
}

// mentioned is what the words of a program that is known, and not analysed,
// plainly name: ssh host npx …, kubectl exec pod -- uvx …. What runs elsewhere does
// not see the folder of the project.
func (s *scan) mentioned(args []word, elsewhere bool, depth int) []subject {
	for i, w := range args {
		if isTold(args, i) || holdsLauncher(w) {
			return nested(worthNaming(s.shell(w, "", depth+1)))
		}
		if i+1 == len(args) || !slices.Contains(registryLaunchers, program(w.text)) || ownFile(w.text) {
			continue
		}
		away := s.away
		s.away = away || elsewhere
		out := nested(worthNaming(s.command(args[i:], depth+1)))
		s.away = away
		return out
	}
	return nil
}
