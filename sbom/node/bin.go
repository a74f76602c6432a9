package node

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
)

// bins returns the commands that a package.json, or an entry of a lockfile,
// provides, as npm normalises their names, sorted. npx prefers a command of the
// project to a package, by the whole argument: a command named "name@1.0.0" runs
// instead of that version, whatever the registry has. No honest command is
// called so.
func (s *source) bins(obj *value, name string) []string {
	m := obj.get("bin")
	if m == nil {
		return nil
	}
	var raw []string
	switch m.value.kind {
	case nullKind, boolKind, numberKind: // npm takes these for none
	case stringKind:
		raw = []string{name}
	case objectKind:
		for i := range m.value.members {
			raw = append(raw, m.value.members[i].name)
		}
	case arrayKind:
		for i := range m.value.elems() {
			raw = append(raw, m.value.elems()[i].text)
		}
	}
	return s.commands(m, raw)
}

// commands normalises the names of commands that the member m declares.
func (s *source) commands(m *member, raw []string) []string {
	var out []string
	for _, name := range raw {
		base := path.Base(strings.NewReplacer(`\`, "/", ":", "/").Replace(name))
		if strings.Contains(base, "@") {
			shown := base
			if strings.Contains(name, "://") { // whose end may be a password, and could not be redacted alone
				shown = name
			}
			s.invalid(m.off, "give the command a plain name", "the command %s is called like a version of a package, and would run in its place", quote(shown))
		}
		if base != "." && base != "/" {
			out = append(out, base)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// maxBins bounds the files and folders below a folder of commands.
const maxBins = 10_000

// binsBelow returns the commands of "directories": every file below that folder
// is one.
func (m *manifest) binsBelow(root *value) []string {
	directories := root.get("directories")
	if directories == nil || m.file.FS == nil {
		return nil
	}
	bin := directories.value.get("bin")
	if bin == nil || bin.value.kind != stringKind {
		return nil
	}
	top := path.Join(path.Dir(m.file.Name), path.Join("/", bin.value.text))
	var raw []string
	entries := 0
	err := fs.WalkDir(m.file.FS, top, func(name string, d fs.DirEntry, err error) error {
		entries++
		switch {
		case err != nil:
			return err
		case entries > maxBins:
			return errTooMany
		case !d.IsDir():
			raw = append(raw, name)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.invalid(bin.off, "name the commands in \"bin\"", "the folder of commands cannot be read")
	}
	return m.commands(bin, raw)
}

var errTooMany = errors.New("too many files")

func (m *manifest) binProperties() []sbom.Property {
	var out []sbom.Property
	for _, name := range m.bins {
		out = append(out, sbom.Property{Name: PropertyBin, Value: redactSpec(name)})
	}
	return out
}

// rawName is the name as it stands in a package.json, which need not be valid.
func rawName(root *value) string {
	if m := root.get("name"); m != nil && m.value.kind == stringKind {
		return m.value.text
	}
	return ""
}
