package mcp

import "slices"

// stranger looks for a launcher among the arguments of a program that nobody here
// knows: volta run npx …, ./run.sh npx …, conda run -n x uvx …. What such a
// program does with the rest cannot be told, so the launch is unknown; what the
// rest plainly names is judged all the same. It returns nil where there is none.
func (s *scan) stranger(head word, args []word, depth int) []subject {
	for i, w := range args {
		if i+1 == len(args) || !slices.Contains(registryLaunchers, program(w.text)) || ownFile(w.text) {
			continue
		}
		outer := unknown(head.at, "it is started by a program that is not known, and how that changes it cannot be told")
		outer.launcher = safeName(redactPath(program(head.text)))
		outer.launch.Spec = redact(head.text)
		return append([]subject{outer}, nested(s.command(args[i:], depth+1))...) //nolint:gosec // i is an index of args
	}
	return nil
}

// mentioned is what the words of a program that is known, and not analysed,
// plainly name: ssh host npx …, kubectl exec pod -- uvx ….
func (s *scan) mentioned(args []word, depth int) []subject {
	for i, w := range args {
		if i+1 == len(args) || !slices.Contains(registryLaunchers, program(w.text)) || ownFile(w.text) {
			continue
		}
		// What runs elsewhere does not see the folder of the project.
		away := s.away
		s.away = true
		out := nested(worthNaming(s.command(args[i:], depth+1)))
		s.away = away
		return out
	}
	return nil
}
