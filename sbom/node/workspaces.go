package node

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxGlobs bounds the patterns of one project that are no plain paths, since
// each of them is held against every folder, and the length of each in bytes.
const (
	maxGlobs = 100
	maxGlob  = 256
)

// maxMatching bounds the time that all matching together takes, in the bytes of the
// patterns times the bytes of the folders that are held against them: some seconds. A
// hundred patterns and five thousand members take a third of it.
const maxMatching = 1 << 30

// compileWorkspaces returns whether a path is one of the workspaces that the
// patterns describe. As in npm they are globs; one with an exclamation mark takes
// away what others matched, unless a later pattern brings exactly it back, and
// nothing inside of node_modules is ever a member.
func compileWorkspaces(patterns []string) (*membership, error) {
	var yes, no []*regexp.Regexp
	plain := map[string]bool{}
	globs, size := 0, 0
	for _, p := range patterns {
		bare := strings.TrimLeft(p, "!")
		negated := (len(p)-len(bare))%2 == 1
		bare = strings.TrimRight(strings.TrimLeft(strings.TrimPrefix(bare, "."), "/"), "/")
		if strings.HasPrefix(p, ".") && !strings.HasPrefix(p, "./") {
			bare = strings.TrimRight(p, "/") // ".config/*" or "../*"
		}
		if !negated {
			no = slices.DeleteFunc(no, func(re *regexp.Regexp) bool { return re.MatchString(bare) })
			if !strings.ContainsAny(bare, "*?[{") {
				plain[bare] = true
				continue
			}
		}
		if globs++; globs > maxGlobs || len(bare) > maxGlob {
			return nil, fmt.Errorf("more than %d patterns, or one of more than %d bytes", maxGlobs, maxGlob)
		}
		size += len(bare)
		re, err := regexp.Compile(globExpression(bare))
		if err != nil {
			return nil, fmt.Errorf("pattern %s is no glob", quote(p))
		}
		if negated {
			no = append(no, re)
		} else {
			yes = append(yes, re)
		}
	}
	return &membership{plain: plain, yes: yes, no: no, size: size, left: maxMatching}, nil
}

// membership tells the workspace members among folders.
type membership struct {
	plain   map[string]bool
	yes, no []*regexp.Regexp
	size    int // of the globs
	left    int // of maxMatching
}

// match reports whether a path is one of the workspaces. Where that takes too long,
// it reports false, and exhausted says so from then on.
func (m *membership) match(path string) bool {
	switch {
	case path == "" || throughModules(path):
		return false
	case len(m.yes) == 0 && !m.plain[path]:
		return false
	}
	if m.left -= m.size * len(path); m.exhausted() {
		return false
	}
	matches := func(re *regexp.Regexp) bool { return re.MatchString(path) }
	return (m.plain[path] || slices.ContainsFunc(m.yes, matches)) && !slices.ContainsFunc(m.no, matches)
}

func (m *membership) exhausted() bool { return m.left < 0 }

const hintWorkspaces = "correct \"workspaces\" in package.json"

// tooManyMembers is what to say where nobody knows which folders are members.
const tooManyMembers = "the workspaces take too long to find: the patterns, or the folders, are too many or too long"

// throughModules reports whether a path leads through a folder of packages, or to
// one.
func throughModules(path string) bool {
	const modules = "node_modules"
	rest, ok := strings.CutPrefix(path, modules)
	return ok && (rest == "" || rest[0] == '/') || strings.Contains(path, "/"+modules+"/") || strings.HasSuffix(path, "/"+modules)
}

// globExpression translates a glob of the kind that npm knows: * and ? within a
// folder name, ** for any number of folders, [a-z], {a,b}. A star does not match
// the dot of a hidden folder. A regular expression of Go needs time that grows with
// pattern and path, which maxMatching bounds.
func globExpression(glob string) string {
	var b strings.Builder
	b.WriteString("^")
	braces := 0
	start := true // of a folder name
	for i := 0; i < len(glob); i++ {
		c := glob[i]
		hidden := ""
		if start {
			hidden = "[^/.]"
		}
		start = c == '/'
		switch {
		case strings.HasPrefix(glob[i:], "**/") && hidden != "":
			b.WriteString(`(?:[^/.][^/]*/)*`)
			i += 2
			start = true
		case glob[i:] == "**" && hidden != "":
			b.WriteString(`[^/.][^/]*(?:/[^/.][^/]*)*`)
			i++
		case c == '*':
			for i+1 < len(glob) && glob[i+1] == '*' {
				i++
			}
			b.WriteString(hidden + "[^/]*")
		case c == '?':
			if hidden == "" {
				hidden = "[^/]"
			}
			b.WriteString(hidden)
		case c == '[' && strings.IndexByte(glob[i:], ']') > 1:
			end := i + strings.IndexByte(glob[i:], ']')
			class := strings.NewReplacer(`\`, `\\`, "[", `\[`, "&&", `&\&`).Replace(glob[i+1 : end])
			if strings.HasPrefix(class, "!") {
				class = "^/" + class[1:]
			}
			b.WriteString("[" + class + "]")
			i = end
		case c == '{' && strings.IndexByte(glob[i:], '}') > 0:
			braces++
			b.WriteString("(?:")
			start = hidden != ""
		case c == '}' && braces > 0:
			braces--
			b.WriteString(")")
		case c == ',' && braces > 0:
			b.WriteString("|")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString("$")
	return b.String()
}
