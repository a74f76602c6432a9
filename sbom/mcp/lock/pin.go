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
	Vendor *Vendor // of what is to be started by node; then New is filled where it is written
}

// Pins are what would have to be written into the configurations of an inventory
// so that they name what its locks hold. Launches that float and cannot be pinned
// are among them, with the reason.
func Pins(inv *sbom.Inventory, locks []*Lock) []Pin {
	var out []Pin
	for _, c := range inv.Servers() {
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
	case sbom.KindGit:
		if locked.Commit == "" {
			return "", notKnown
		}
		return pinnedRepository(l, locked.Commit), ""
	case sbom.KindGo:
		name, _, ok := strings.Cut(l.Spec, "@")
		if locked.Version == "" || !ok {
			return "", notKnown
		}
		return name + "@" + locked.Version, ""
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

// pinnedRepository puts the commit in the place of a branch or tag, or behind the URL as
// uv and pipx, or npm, take it.
func pinnedRepository(l sbom.Launch, commit string) string {
	program, _, _ := strings.Cut(l.Launcher, " ")
	switch {
	case l.Request != "":
		return strings.TrimSuffix(l.Spec, l.Request) + commit
	case program == "uvx" || program == "uv" || program == "pipx":
		return l.Spec + "@" + commit
	default:
		return l.Spec + "#" + commit
	}
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
	expectation map[string]map[int]Pin // by the server's ref and the launch
}

// Write makes the pins of one configuration, name below the tree, read as kind. It
// reads the result again: unless that has the very servers of before, with nothing
// changed but the pins, nothing is written and every pin is left.
func Write(ctx context.Context, t sbom.Tree, name, kind string, data []byte, pins []Pin) (Edit, error) {
	e := Edit{File: t.Prefix + name, Before: data, After: data, tree: t, name: name, kind: kind, expectation: map[string]map[int]Pin{}}
	var doable []Pin
	var list []mcp.Replacement
	for _, p := range pins {
		if p.Vendor != nil {
			continue
		}
		if p.New == "" {
			e.Left = append(e.Left, p)
			continue
		}
		l := p.Server.Server.Launches[p.Launch]
		doable = append(doable, p)
		list = append(list, mcp.Replacement{Line: l.Line, Column: l.Column, Old: p.Old, New: p.New, Repository: l.Kind == sbom.KindGit})
	}
	after, refused := mcp.Rewrite(e.File, data, list)
	for i, p := range doable {
		if p.Why = refused[i]; p.Why != "" {
			e.Left = append(e.Left, p)
			continue
		}
		e.Written = append(e.Written, p)
	}
	after, err := e.vendor(ctx, after, pins)
	if err != nil || len(e.Written) == 0 {
		return e, err
	}
	for _, p := range e.Written {
		if e.expectation[p.Server.Ref] == nil {
			e.expectation[p.Server.Ref] = map[int]Pin{}
		}
		e.expectation[p.Server.Ref][p.Launch] = p
	}
	err = e.verify(ctx, after)
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

// vendor lets node start what is vendored, in a text whose specs are pinned already.
func (e *Edit) vendor(ctx context.Context, data []byte, pins []Pin) ([]byte, error) {
	pins = slices.DeleteFunc(slices.Clone(pins), func(p Pin) bool { return p.Vendor == nil })
	list := make([]mcp.Relaunch, len(pins))
	for i, p := range pins {
		list[i] = mcp.Relaunch{Ref: p.Server.Ref, File: p.Vendor.file}
	}
	after, done, err := mcp.StartByNode(ctx, e.tree, e.name, e.kind, data, list)
	if err != nil {
		return data, err
	}
	for i, p := range pins {
		p.New, p.Why = done[i].File, done[i].Why
		if p.Why != "" {
			e.Left = append(e.Left, p)
		} else {
			e.Written = append(e.Written, p)
		}
	}
	return after, nil
}

var errOtherwise = errors.New("it is read otherwise")

// verify reads both texts and compares.
func (e *Edit) verify(ctx context.Context, after []byte) error {
	was, err := sbom.ScanBytes(ctx, mcp.Reader{}, e.tree, e.name, e.kind, e.Before)
	if err != nil {
		return err
	}
	vendors := vendoring{}
	for _, p := range e.Written {
		if p.Vendor != nil {
			vendors.folders = append(vendors.folders, p.Vendor)
		}
	}
	is, err := sbom.ScanBytes(ctx, vendors, e.tree, e.name, e.kind, after)
	if err != nil {
		return err
	}
	then, now := was.Servers(), is.Servers()
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

// same reports whether a server is the one of before, but for the pins. Columns
// move behind a pin, and lines behind what is started by node.
func (e *Edit) same(ref string, was, is *sbom.Server) bool {
	pinned := e.expectation[ref]
	moved := slices.ContainsFunc(e.Written, func(p Pin) bool { return p.Vendor != nil })
	byNode := pinned[0].Vendor != nil
	texts := func(s *sbom.Server) []string {
		out := []string{s.File, s.Name, s.Client, s.Transport, string(s.Kind), s.Reason}
		if !byNode {
			out = append(out, s.Launcher)
		}
		for _, r := range s.Risks {
			out = append(out, string(r.Code)+" "+r.URL+" "+r.What)
			if !byNode { // whose arguments have other numbers
				out = append(out, r.Where)
			}
		}
		for _, list := range [][]string{s.Env, s.Credentials, s.AutoApprove} {
			out = append(append(out, list...), "")
		}
		return out
	}
	if !slices.Equal(texts(was), texts(is)) || was.Disabled != is.Disabled || was.Line != is.Line && !moved || len(was.Launches) != len(is.Launches) {
		return false
	}
	if len(pinned) == 0 && was.Command != is.Command {
		return false
	}
	for i, l := range was.Launches {
		if !pinned[i].fits(l, is.Launches[i]) || l.Line != is.Launches[i].Line && !moved {
			return false
		}
	}
	return true
}

// fits reports whether a launch is what the pin, if it is one, was to make of it.
func (p Pin) fits(was, is sbom.Launch) bool {
	switch {
	case p.Vendor != nil:
		return was.Nested == is.Nested && p.Vendor.asVendored(is, p.New)
	case p.New != "":
		return is.Spec == p.New && is.Kind == was.Kind && is.Nested == was.Nested && (is.Pin == sbom.PinExact || is.Pin == sbom.PinDigest || is.Pin == sbom.PinGitCommit)
	default:
		return is.Spec == was.Spec && is.Kind == was.Kind && is.Nested == was.Nested && is.Pin == was.Pin
	}
}
