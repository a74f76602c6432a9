package closure

import (
	"errors"
	"fmt"
	"strings"

	"deps.dev/util/semver"
)

// engines are the versions of Node.js and npm that would run; nil for unknown.
type engines struct{ node, npm *semver.Version }

// satisfy reports whether a version of a package runs with them. As for npm, what
// is no range is satisfied by nothing, and a prerelease of Node.js counts as the
// number that it has.
func (e engines) satisfy(m *Manifest) bool {
	return engine(e.node, m.Node) && engine(e.npm, m.NPM)
}

func engine(v *semver.Version, want string) bool {
	if v == nil || want == "" || want == "*" {
		return true
	}
	allowed, err := semver.NPM.ParseConstraint(strings.TrimSpace(want))
	return err == nil && allowed.MatchVersionPrerelease(v)
}

// pick chooses a version as npm does it (npm's documentation, "npm install"): a
// tag and an exact version get what they name. A range gets what the tag latest
// names where that satisfies it, is not deprecated and runs on the machine; else
// the best of those that satisfy: what runs and is not deprecated, then what runs,
// then what is not deprecated, then the highest.
func pick(p *Packument, s spec, e engines) (*Manifest, error) {
	switch s.kind {
	case tagSpec:
		return p.named(p.Tags[s.text], "the tag "+s.text)
	case versionSpec:
		return p.named(cleanVersion(s.text), "the version "+s.text)
	default:
	}
	latest := p.Tags["latest"]
	if m := p.Versions[latest]; m != nil && s.satisfiedBy(parseVersion(latest)) && m.Deprecated == "" && e.satisfy(m) {
		return m, nil
	}
	var best *Manifest
	var bestVersion *semver.Version
	bestRank := 0
	for text, m := range p.Versions {
		v := m.parsed()
		if v == nil || !s.selects(v) {
			continue
		}
		rank := rank(m, e)
		if best == nil || rank > bestRank || rank == bestRank && higher(v, bestVersion, text, best.Version) {
			best, bestVersion, bestRank = m, v, rank
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no version satisfies %s", s.text)
	}
	return best, nil
}

// named returns a version by its name.
func (p *Packument) named(version, what string) (*Manifest, error) {
	if m := p.Versions[version]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%s does not exist", what)
}

// selects is satisfiedBy for picking, where even * takes no prerelease.
func (s spec) selects(v *semver.Version) bool {
	if s.allowed == nil {
		return !v.IsPrerelease()
	}
	return s.satisfiedBy(v)
}

func rank(m *Manifest, e engines) int {
	rank := 0
	if e.satisfy(m) {
		rank += 2
	}
	if m.Deprecated == "" {
		rank++
	}
	return rank
}

// higher orders versions; those that differ in their build only by their text, so
// that the answer does not depend on the order of a map.
func higher(a, b *semver.Version, aText, bText string) bool {
	if c := a.Compare(b); c != 0 {
		return c > 0
	}
	return aText > bText
}

// cleanVersion is an exact version as packuments name it: without v, = and build.
func cleanVersion(text string) string {
	text = strings.TrimLeft(strings.TrimSpace(text), "v= \t")
	text, _, _ = strings.Cut(text, "+")
	return text
}

// CheckVersion reports whether a text is a version that Options take.
func CheckVersion(text string) error {
	if parseVersion(text) == nil {
		return errors.New("not a version")
	}
	return nil
}
