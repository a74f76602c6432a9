package sbom

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// PathError is a PATH that cannot be opened.
type PathError struct {
	Path string
	Err  error
}

// Error says what is wrong in one line.
func (e *PathError) Error() string {
	if errors.Is(e.Err, fs.ErrNotExist) {
		return fmt.Sprintf("%s: there is no such file or folder", e.Path)
	}
	return fmt.Sprintf("%s: cannot be opened: %v", e.Path, e.Err)
}

// Unwrap returns what the operating system said.
func (e *PathError) Unwrap() error { return e.Err }

// Open opens PATHs, each a folder or a file, for Scan; here is the current
// folder. No tree can be left through a link. The error is a *PathError; closeAll
// releases the trees.
//
// What is found below one PATH is named relative to it, and below several
// relative to the nearest folder that holds them all, so that the inventory does
// not depend on where they stand or from where they are read.
func Open(here string, paths []string) (trees []Tree, closeAll func(), err error) {
	var roots []*os.Root
	closeAll = func() {
		for _, r := range roots {
			_ = r.Close() // it was only read from
		}
	}
	dirs := make([]string, len(paths))
	trees = make([]Tree, len(paths))
	for i, p := range paths {
		if !filepath.IsAbs(p) {
			p = filepath.Join(here, p)
		}
		dir, file, err := split(p)
		var root *os.Root
		if err == nil {
			root, err = os.OpenRoot(dir)
		}
		if err != nil {
			closeAll()
			return nil, nil, &PathError{Path: paths[i], Err: Pathless(err)}
		}
		roots = append(roots, root)
		dirs[i] = dir
		trees[i] = Tree{FS: root.FS(), File: file, Folder: filepath.Base(dir), Dir: dir, Place: dir}
	}
	for i, name := range fromCommon(dirs) {
		trees[i].Prefix = name
	}
	return trees, closeAll, nil
}

// fromCommon names each folder relative to the nearest one that holds them all,
// "" for that one itself, else ending in a slash. Folders that have nothing in
// common (two volumes) keep their whole names.
func fromCommon(dirs []string) []string {
	common := dirs[0]
	for _, dir := range dirs[1:] {
		for !within(common, dir) && common != filepath.Dir(common) {
			common = filepath.Dir(common)
		}
	}
	names := make([]string, len(dirs))
	for i, dir := range dirs {
		rel, err := filepath.Rel(common, dir)
		if err != nil {
			rel = dir
		}
		if rel != "." {
			names[i] = filepath.ToSlash(rel) + "/"
		}
	}
	return names
}

func within(parent, dir string) bool {
	rel, err := filepath.Rel(parent, dir)
	return err == nil && filepath.IsLocal(rel)
}

// split returns the folder to open, without links in its path, and the file in it if PATH is one. A link
// that the user names is followed, since the user named it.
func split(p string) (dir, file string, err error) {
	resolved, err := filepath.EvalSymlinks(p)
	if err != nil {
		return "", "", err
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return "", "", err
	}
	if info.IsDir() {
		return resolved, "", nil
	}
	return filepath.Dir(resolved), filepath.Base(resolved), nil
}

// Pathless takes the path out of an error of the operating system: messages name it
// as the user did.
func Pathless(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
