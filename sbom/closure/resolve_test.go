package closure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shelf is a source written down as lines: "a@1.0.0 b@^1 ?c@1 peer:d@1 peer?e@1",
// where ? is optional. Words with a colon and no @ say other things of the
// version: "deprecated:", "node:>=20", "bundles:b", "shrinkwrap:", "invalid:". A
// line "a#next 1.0.0" sets a tag; latest is the last version that is listed.
type shelf map[string]*Packument

func newShelf(t *testing.T, text string) shelf {
	t.Helper()
	s := shelf{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if name, tag, ok := strings.Cut(words[0], "#"); ok {
			s[name].Tags[tag] = words[1]
			continue
		}
		at := strings.LastIndexByte(words[0], '@')
		name, version := words[0][:at], words[0][at+1:]
		m := &Manifest{
			Name: name, Version: version,
			Integrity: "sha512-" + words[0], Tarball: "https://registry.example/" + name + "-" + version + ".tgz",
		}
		for _, w := range words[1:] {
			m.say(t, w)
		}
		p := s[name]
		if p == nil {
			p = &Packument{Name: name, Tags: map[string]string{}, Versions: map[string]*Manifest{}}
			s[name] = p
		}
		m.check(name, version)
		p.Versions[version] = m
		p.Tags["latest"] = version
	}
	return s
}

func (m *Manifest) say(t *testing.T, word string) {
	t.Helper()
	if key, value, ok := strings.Cut(word, ":"); ok && key != "peer" && !strings.Contains(key, "@") {
		switch key {
		case "deprecated":
			m.Deprecated = "old"
		case "node":
			m.Node = strings.ReplaceAll(value, "_", " ")
		case "bundles":
			m.Bundled = append(m.Bundled, value)
		case "shrinkwrap":
			m.Shrinkwrap = true
		case "invalid":
			m.Invalid = "it is broken"
		default:
			t.Fatalf("unknown word %q", word)
		}
		return
	}
	kind, rest := "", word
	for _, k := range []string{"peer?", "peer:", "?"} {
		if after, ok := strings.CutPrefix(word, k); ok {
			kind, rest = k, after
			break
		}
	}
	at := 1 + strings.IndexByte(rest[1:], '@')
	d := Dependency{rest[:at], strings.ReplaceAll(rest[at+1:], "_", " ")}
	switch kind {
	case "peer?":
		if m.OptionalPeer == nil {
			m.OptionalPeer = map[string]bool{}
		}
		m.OptionalPeer[d.Name] = true
		m.Peers = append(m.Peers, d)
	case "peer:":
		m.Peers = append(m.Peers, d)
	case "?":
		m.Optional = append(m.Optional, d)
	default:
		m.Dependencies = append(m.Dependencies, d)
	}
}

func (s shelf) Packument(_ context.Context, name string) (*Packument, error) {
	if p := s[name]; p != nil {
		return p, nil
	}
	return nil, ErrNotFound
}

// show writes a closure down as lines.
func (c *Closure) show() []string {
	out := []string{}
	for _, p := range c.Packages {
		words := []string{strings.ReplaceAll(strings.TrimPrefix(p.Path, "node_modules/"), "/node_modules/", " > "), p.Version}
		for _, f := range []struct {
			set  bool
			word string
		}{{p.Optional, "optional"}, {p.Peer, "peer"}, {p.Extraneous, "extraneous"}, {p.Link != "", "link"}} {
			if f.set {
				words = append(words, f.word)
			}
		}
		out = append(out, strings.Join(words, " "))
	}
	for _, u := range c.Unresolved {
		line := fmt.Sprintf("! %s: %s@%s %s", u.From, u.Name, u.Spec, u.Reason)
		if u.Detail != "" {
			line += ": " + u.Detail
		}
		out = append(out, line)
	}
	return out
}

// What npm makes of small registries.
func TestResolve(t *testing.T) {
	tests := []struct {
		name  string
		shelf string
		want  []string
	}{
		{"one package", "x@1.0.0", []string{"x 1.0.0"}},
		{"the first takes the place, the other goes deeper", `
			x@1.0.0 a@1 b@2
			a@1.0.0 b@1
			b@1.0.0
			b@2.0.0`,
			[]string{"a > b 1.0.0", "a 1.0.0", "b 2.0.0", "x 1.0.0"}},
		{"a higher version takes the place", `
			x@1.0.0 a@1
			a@1.0.0 b@1 c@1
			b@1.0.0 c@=1.0.0
			c@1.0.0
			c@1.1.0`,
			[]string{"a 1.0.0", "b > c 1.0.0", "b 1.0.0", "c 1.1.0", "x 1.0.0"}},
		{"peers come along", `
			x@1.0.0 a@1
			a@1.0.0 peer:p@1 peer?q@1
			p@1.0.0
			q@1.0.0`,
			[]string{"a 1.0.0", "p 1.0.0 peer", "x 1.0.0"}},
		{"a peer decides over a wider range", `
			x@1.0.0 a@1 p@*
			a@1.0.0 peer:p@1
			p@1.0.0
			p@2.0.0`,
			[]string{"a 1.0.0", "p 1.0.0", "x 1.0.0"}},
		{"what is optional and missing is left out", `
			x@1.0.0 ?gone@1 ?a@1
			a@1.0.0 b@1
			b@1.0.0`,
			[]string{"a 1.0.0 optional", "b 1.0.0 optional", "x 1.0.0"}},
		{"a circle", `
			x@1.0.0 a@1
			a@1.0.0 b@1
			b@1.0.0 a@1`,
			[]string{"a 1.0.0", "b 1.0.0", "x 1.0.0"}},
		{"an alias", `
			x@1.0.0 one@npm:a@1 two@npm:a@2
			a@1.0.0
			a@2.0.0`,
			[]string{"one 1.0.0", "two 2.0.0", "x 1.0.0"}},
		{"what comes from elsewhere", `
			x@1.0.0 g@github:o/r t@https://h.example/t.tgz f@file:../f w@workspace:*
			`,
			[]string{"x 1.0.0",
				"! node_modules/x: f@file:../f comes from a local file or folder",
				"! node_modules/x: g@github:o/r comes from a git repository",
				"! node_modules/x: t@https://h.example/t.tgz comes from a URL",
				"! node_modules/x: w@workspace:* asks in a way that npm refuses"}},
		{"what does not exist", `
			x@1.0.0 a@1 gone@1
			a@2.0.0`,
			[]string{"x 1.0.0",
				"! node_modules/x: a@1 the registry has no version that satisfies it: no version satisfies 1",
				"! node_modules/x: gone@1 the registry has no package of this name"}},
		{"inside of the tarball", `
			x@1.0.0 a@1 s@1 bundles:a
			a@1.0.0
			s@1.0.0 a@1 shrinkwrap:`,
			[]string{"s 1.0.0", "x 1.0.0",
				"! node_modules/s: s@1.0.0 is fixed by an npm-shrinkwrap.json inside of the package's tarball",
				"! node_modules/x: a@1 arrives inside of the package's tarball"}},
		{"peers that nobody can satisfy together", `
			x@1.0.0 peer:p@1 peer:q@1
			p@1.0.0 peer:r@1
			q@1.0.0 peer:r@2
			r@1.0.0
			r@2.0.0`,
			[]string{"x 1.0.0", "! : r@2 npm refuses to install it: the peers conflict (ERESOLVE): r of q@1.0.0 conflicts with another"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Resolve(t.Context(), newShelf(t, tt.shelf), []Request{{Name: "x"}}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := c.show()
			if diff := cmp.Diff(slices.Sorted(slices.Values(tt.want)), slices.Sorted(slices.Values(got))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

type failing struct{ Source }

func (f failing) Packument(ctx context.Context, name string) (*Packument, error) {
	if name == "a" {
		return nil, errors.New("the registry does not answer")
	}
	return f.Source.Packument(ctx, name)
}

func TestResolveFails(t *testing.T) {
	deep := strings.Builder{}
	for i := range 20 {
		fmt.Fprintf(&deep, "n%d@1.0.0 n%d@1\n", i, i+1)
	}
	deep.WriteString("n20@1.0.0\nx@1.0.0 n0@1\n")
	tests := []struct {
		name     string
		source   Source
		requests []Request
		opts     Options
		want     string
	}{
		{"the source", failing{newShelf(t, "x@1.0.0 a@1")}, []Request{{Name: "x"}}, Options{}, "a: the registry does not answer"},
		{"too many packages", newShelf(t, deep.String()), []Request{{Name: "x"}}, Options{MaxPackages: 10}, "limit reached: more than 10 packages"},
		{"nothing asked for", shelf{}, nil, Options{}, "limit reached: 0 packages are asked for at once, not 1 to 64"},
		{"no version of Node.js", shelf{}, []Request{{Name: "x"}}, Options{NodeVersion: "lts"}, "the version of Node.js or npm is no version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Resolve(t.Context(), tt.source, tt.requests, tt.opts)
			if err == nil || err.Error() != tt.want || c != nil {
				t.Errorf("got %v, %v; want error %q", c, err, tt.want)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Resolve(ctx, newShelf(t, "x@1.0.0 a@1\na@1.0.0"), []Request{{Name: "x"}}, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
