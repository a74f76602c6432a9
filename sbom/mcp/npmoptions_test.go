package mcp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNPMParse holds lines that npm 11 reads otherwise than one would think.
// Each is written with what npm makes of it: the packages that it installs, the
// command of --call, the arguments. "?" is a line of which npm makes something
// that no other reader would, and which is not guessed at here.
func TestNPMParse(t *testing.T) {
	tests := []struct{ line, want string }{
		{"npx a b", "args a b"},
		{"npx -y a --package=b", "args a --package=b"},
		{"npx -- a --package=b", "args a --package=b"},
		{"npx -p a b -p c", "packages a args b -p c"},
		{"npx --package=a --package b c", "packages a b args c"},
		{"npx -p a -c b", "packages a call b"},
		{"npx --call=b", "call b"},
		{"npx -q a", "args a"},           // --loglevel warn
		{"npx -dd --silent a", "args a"}, // two more of those
		{"npx -ws --iwr a", "args a"},
		{"npx --reg r a", "args a"},
		{"npx --enjoy-by d a", "args a"},
		{"npx --yes=false a", "args a"},
		{"npx --no-install a --package=b", "args a --package=b"},
		{"npx --@s:registry=r a", "args a"},
		// npx does not know --no-NAME as a switch and skips the word behind it, so
		// that its options do not end there.
		{"npx --no a --package=b", "packages b args a"},
		{"npx --no-color a -p b", "packages b args a"},
		{"npx --no-yes -y a -p b", "args a -p b"},
		{"npm exec a --package=b", "packages b args exec a"},
		{"npm exec -- a --package=b", "args exec a --package=b"},
		{"npm exec -p a", "args exec a"}, // --parseable
		{"npm --tag t exec a", "args exec a"},

		{"npx --min-release-age=7 a", "args a"},
		{"npx --min-release-age b a", "?"}, // npm 10 runs b
		{"npx --packages-all b -p c", "?"}, // npm 10 installs c
		{"npx --yes=b a", "?"},             // runs b
		{"npx -y=true a", "?"},             // runs true
		{"npx -y true a", "?"},             // runs true
		{"npm exec -y true a", "?"},        // runs a
		{"npx --color always a", "?"},
		{"npx --browser a --package=b", "?"}, // installs b
		{"npx --zz b a", "?"},                // runs b
		{"npx --pack=b a", "?"},
		{"npx --cal=b", "?"},      // three letters
		{"npx -package=b a", "?"}, // --package=b
		{"npx ---package=b a", "?"},
		{"npx --no-no-package=b a", "?"},
		{"npx --no-package b a", "?"}, // installs b
		{"npx -yp=b a", "?"},
		{"npx -yc b", "?"},
		{"npx -n b a", "?"}, // both are removed
		{"npx --node-arg b a", "?"},
		{"npx --loglevel -y a", "?"},
		{"npx --loglevel=-y a", "?"},
		{"npx --loglevel= a", "?"},
		{"npx --loglevel", "?"},
		{"npx --loglevel -- a", "?"},
		{"npx --loglevel $X a", "?"},
		{"npx --@s:registry r a", "?"}, // runs r
		{"npx - a", "?"},
		{"npx --- a", "?"},
	}
	for _, tt := range tests {
		words := strings.Split(tt.line, " ")
		args := make([]word, 0, len(words))
		for _, w := range words[1:] {
			args = append(args, word{text: w})
		}
		p := npmParse(args, words[0] == "npx")
		got := "?"
		if p.unclear == nil {
			got = strings.TrimSpace(texts("packages", p.values("--package")) + texts("call", p.values("--call")) + texts("args", p.rest))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.line, diff)
		}
	}
}

func texts(title string, words []word) string {
	if len(words) == 0 {
		return ""
	}
	out := []string{title}
	for _, w := range words {
		out = append(out, w.text)
	}
	return strings.Join(out, " ") + " "
}

// TestNPMNames: no key is in two tables, and every shorthand stands for one.
func TestNPMNames(t *testing.T) {
	for name := range npmSwitches {
		if npmValues[name] {
			t.Errorf("%s is a switch and takes a value", name)
		}
	}
	for short, long := range npmShort {
		name, whole := strings.CutSuffix(long, "=")
		name = strings.TrimPrefix(name, "no-")
		if whole && !npmValues[name] || !npmSwitches[name] && !npmValues[name] {
			t.Errorf("%s stands for %s, which is no key", short, long)
		}
	}
}
