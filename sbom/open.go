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

// Open opens PATHs, each a folder or a file, for Scan. No tree can be left
// through a link. The error is a *PathError; close releases the trees.
//
// Where there is one PATH, what is found below it is named relative to it, so
// that the inventory does not depend on where the tree stands. Several PATHs are
// told apart by their place relative to here, the current folder.
func Open(here string, paths []string) (trees []Tree, closeAll func(), err error) {
	var roots []*os.Root
	closeAll = func() {
		for _, r := range roots {
			_ = r.Close() // it was only read from
		}
	}
	for _, p := range paths {
		dir, file, err := split(p)
		if err != nil {
			closeAll()
			return nil, nil, &PathError{Path: p, Err: bare(err)}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			closeAll()
			return nil, nil, &PathError{Path: p, Err: bare(err)}
		}
		roots = append(roots, root)
		t := Tree{FS: root.FS(), File: file}
		if len(paths) > 1 {
			if t.Prefix, err = prefix(here, p, file != ""); err != nil {
				closeAll()
				return nil, nil, &PathError{Path: p, Err: bare(err)}
			}
		}
		trees = append(trees, t)
	}
	return trees, closeAll, nil
}

// split returns the folder to open, and the file in it if PATH is one. A link
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

// prefix names the folder of a PATH relative to the current one, so that two
// different folders never have the same name.
func prefix(here, p string, isFile bool) (string, error) {
	dir := filepath.Clean(p)
	if filepath.IsAbs(p) {
		rel, err := filepath.Rel(here, p)
		if err != nil {
			return "", err
		}
		dir = rel
	}
	if isFile {
		dir = filepath.Dir(dir)
	}
	if dir == "." {
		return "", nil
	}
	return filepath.ToSlash(dir) + "/", nil
}

// bare takes the path out of an error: the caller names it as the user did.
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
