package lock

import (
	"context"
	"errors"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/mcp"
)

// Pin is a floating spec and what takes its place.
type Pin struct {
	Server *sbom.Component
	Launch int // index of the launch
	Old    string
	New    string // empty where Why says why there is none
	Why    string
}

// Pins are what would have to be written into the configurations of an inventory
// so that they name what its locks hold. Launches that float and cannot be pinned
// are among them, with the reason.
func Pins(inv *sbom.Inventory, locks []*Lock) []Pin {
	var out []Pin
	for _, c := range inv.Components {
		if c.Server == nil {
			continue
		}
		s := Find(locks, c.Ref)
		for i, l := range c.Server.Launches {
			if !l.Pin.Floating() {
				continue
			}
			p := Pin{Server: c, Launch: i, Old: l.Spec}
			if s == nil || i >= len(s.Launches) {
				p.Why = "it is not in the lock"
			} else {
				p.New, p.Why = pinned(l, &s.Launches[i])
			}
			out = append(out, p)
		}
	}
	return out
}

const notKnown = "what it selects is not known"

// pinned returns the spec that names exactly what the lock has of it.
func pinned(l sbom.Launch, locked *Launch) (spec, why string) {
	if strings.Contains(l.Spec, sbom.Redacted) {
		return "", "a part of it looks like a credential"
	}
	switch l.Kind {
	case sbom.KindNPM:
		if locked.Version == "" || locked.Name == "" {
			return "", notKnown
		}
		return locked.Name + "@" + locked.Version, ""
	case sbom.KindPyPI:
		if locked.Version == "" {
			return "", notKnown
		}
		return pinnedPython(l.Spec, locked.Version), ""
	case sbom.KindOCI:
		if locked.Digest == "" {
			return "", notKnown
		}
		return l.Spec + "@" + locked.Digest, ""
	default:
		return "", "a spec of the kind " + string(l.Kind) + " is not pinned by this version"
	}
}

// pinnedPython writes name@version where nothing but the name stands, which uvx
// wants in the place of a command, and name==version where there was a range.
func pinnedPython(spec, version string) string {
	name, _, _ := strings.Cut(spec, "@")
	if i := strings.IndexAny(name, "=<>~!("); i >= 0 {
		return name[:i] + "==" + version
	}
	return name + "@" + version
}

// Edit is what pinning makes of one configuration.
type Edit struct {
	File        string // in the inventory
	Before      []byte
	After       []byte
	Written     []Pin
	Left        []Pin // with the reason
	tree        sbom.Tree
	name, kind  string
	expectation map[string]map[int]string // ref → launch → spec
}

// Write makes the pins of one configuration, name below the tree, read as kind. It
// reads the result again: unless that has the very servers of before, with nothing
// changed but the pins, nothing is written and every pin is left.
func Write(ctx context.Context, t sbom.Tree, name, kind string, data []byte, pins []Pin) (Edit, error) {
	e := Edit{File: t.Prefix + name, Before: data, After: data, tree: t, name: name, kind: kind, expectation: map[string]map[int]string{}}
	var doable []Pin
	var list []mcp.Replacement
	for _, p := range pins {
		if p.New == "" {
			e.Left = append(e.Left, p)
			continue
		}
		l := p.Server.Server.Launches[p.Launch]
		doable = append(doable, p)
		list = append(list, mcp.Replacement{Line: l.Line, Column: l.Column, Old: p.Old, New: p.New})
	}
	after, refused := mcp.Rewrite(e.File, data, list)
	for i, p := range doable {
		if p.Why = refused[i]; p.Why != "" {
			e.Left = append(e.Left, p)
			continue
		}
		e.Written = append(e.Written, p)
		if e.expectation[p.Server.Ref] == nil {
			e.expectation[p.Server.Ref] = map[int]string{}
		}
		e.expectation[p.Server.Ref][p.Launch] = p.New
	}
	if len(e.Written) == 0 {
		return e, nil
	}
	err := e.verify(ctx, after)
	if errors.Is(err, errOtherwise) {
		for _, p := range e.Written {
			p.Why = "the configuration would be read otherwise then"
			e.Left = append(e.Left, p)
		}
		e.Written = nil
		return e, nil
	}
	if err == nil {
		e.After = after
	}
	return e, err
}

var errOtherwise = errors.New("it is read otherwise")

// verify reads both texts and compares.
func (e *Edit) verify(ctx context.Context, after []byte) error {
	was, err := sbom.ScanBytes(ctx, mcp.Reader{}, e.tree, e.name, e.kind, e.Before)
	if err != nil {
		return err
	}
	is, err := sbom.ScanBytes(ctx, mcp.Reader{}, e.tree, e.name, e.kind, after)
	if err != nil {
		return err
	}
	then, now := servers(was), servers(is)
	if was.Incomplete() != is.Incomplete() || len(then) != len(now) {
		return errOtherwise
	}
	for i, c := range then {
		if now[i].Ref != c.Ref || !e.same(c.Ref, c.Server, now[i].Server) {
			return errOtherwise
		}
	}
	return nil
}

func servers(inv *sbom.Inventory) []*sbom.Component {
	return slices.DeleteFunc(slices.Clone(inv.Components), func(c *sbom.Component) bool { return c.Server == nil })
}

// same reports whether a server is the one of before, but for the pins. Columns
// move behind a pin, lines do not.
func (e *Edit) same(ref string, was, is *sbom.Server) bool {
	texts := func(s *sbom.Server) []string {
		out := []string{s.File, s.Name, s.Client, s.Transport, s.Launcher, string(s.Kind), s.Reason}
		for _, r := range s.Risks {
			out = append(out, string(r.Code)+" "+r.Where+" "+r.URL+" "+r.What)
		}
		for _, list := range [][]string{s.Env, s.Credentials, s.AutoApprove} {
			out = append(append(out, list...), "")
		}
		return out
	}
	if !slices.Equal(texts(was), texts(is)) || was.Disabled != is.Disabled || was.Line != is.Line || len(was.Launches) != len(is.Launches) {
		return false
	}
	pinned := e.expectation[ref]
	if len(pinned) == 0 && was.Command != is.Command {
		return false
	}
	for i, l := range was.Launches {
		now := is.Launches[i]
		if spec, ok := pinned[i]; ok {
			l.Spec = spec
			if now.Pin != sbom.PinExact && now.Pin != sbom.PinDigest {
				return false
			}
		} else if l.Pin != now.Pin {
			return false
		}
		if l.Spec != now.Spec || l.Kind != now.Kind || l.Nested != now.Nested || l.Line != now.Line {
			return false
		}
	}
	return true
}
