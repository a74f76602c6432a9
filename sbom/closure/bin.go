package closure

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Bin is a program that a package provides.
type Bin struct {
	Name string // of the command
	File string // in the package, slash-separated and clean
}

// addBin adds a program as npm does when it installs: no name and no file leads
// out of where it belongs.
func (m *Manifest) addBin(name, file string) {
	name = path.Base(strings.NewReplacer(`\`, "/", ":", "/").Replace(name))
	file = strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(file, `\`, "/")), "/")
	if name == "." || name == "/" || name == ".." || file == "" {
		return
	}
	m.Bins = slices.DeleteFunc(m.Bins, func(b Bin) bool { return b.Name == name })
	m.Bins = append(m.Bins, Bin{name, file})
}

// Launched returns the program that npx starts when it is given the package: the
// only one, be it under several names, or else the one that is called like the
// package. ok is false where there is none.
func (m *Manifest) Launched() (b Bin, ok bool) {
	if len(m.Bins) == 0 {
		return Bin{}, false
	}
	if !slices.ContainsFunc(m.Bins, func(b Bin) bool { return b.File != m.Bins[0].File }) {
		return m.Bins[0], true
	}
	return m.Bin(path.Base(m.Name))
}

// Bin returns the program of that name.
func (m *Manifest) Bin(name string) (b Bin, ok bool) {
	i := slices.IndexFunc(m.Bins, func(b Bin) bool { return b.Name == name })
	if i < 0 {
		return Bin{}, false
	}
	return m.Bins[i], true
}

// bins reads the programs of a version: an object, or one file that is called like
// the package.
func (s stream) bins(m *Manifest) error {
	if s.Kind() == '"' {
		file, _, err := s.text()
		m.soleBin = file
		return err
	}
	err := s.Object(maxDependencies, func(name string) error {
		file, ok, err := s.text()
		if ok {
			m.addBin(name, file)
		}
		return err
	})
	slices.SortFunc(m.Bins, func(a, b Bin) int { return cmp.Compare(a.Name, b.Name) })
	return err
}

// license reads a name, or the object with one that old packages have.
func (s stream) license(m *Manifest) (err error) {
	if s.Kind() == '"' {
		m.License, _, err = s.text()
		return err
	}
	return s.Object(maxDependencies, func(key string) error {
		if key != "type" {
			return s.Skip()
		}
		m.License, _, err = s.text()
		return err
	})
}
