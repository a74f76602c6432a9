package sbom

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Places says where the files of an inventory are on this machine.
type Places []Place

// Place is a folder on this machine, and what the inventory puts before the names
// of the files below it.
type Place struct{ Prefix, Dir string }

// Tree returns the tree, without its file system, that holds a file of the
// inventory, and the file's name in it. The tree is empty where nobody knows.
func (p Places) Tree(name string) (Tree, string) {
	best := -1
	for i, place := range p {
		if strings.HasPrefix(name, place.Prefix) && (best < 0 || len(place.Prefix) > len(p[best].Prefix)) {
			best = i
		}
	}
	if best < 0 {
		return Tree{}, name
	}
	return Tree{Prefix: p[best].Prefix, Dir: p[best].Dir}, strings.TrimPrefix(name, p[best].Prefix)
}

// File returns where a file of the inventory is on this machine.
func (p Places) File(name string) (string, error) {
	t, rest := p.Tree(name)
	if t.Dir == "" || !fs.ValidPath(rest) {
		return "", fmt.Errorf("%s: nobody knows where it is", name)
	}
	return filepath.Join(t.Dir, filepath.FromSlash(rest)), nil
}
