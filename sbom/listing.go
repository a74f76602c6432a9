package sbom

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// maxKept bounds the entries of folders that a Listing keeps.
const maxKept = 100_000

// Listing returns a file system that asks for what is in a folder once, however
// often it is asked. It is for one run over a tree whose folders are looked into
// many times: to look for the files of clients, and then for what stands around
// them. In a tree that cannot be left, each time costs an open of every folder on
// the way.
func Listing(fsys fs.FS) fs.FS { return &listing{FS: fsys, folders: map[string]folder{}} }

type listing struct {
	fs.FS

	lock    sync.Mutex
	folders map[string]folder
	kept    int
}

// folder is what a folder answered.
type folder struct {
	entries []fs.DirEntry
	err     error
}

var (
	_ fs.ReadDirFS  = (*listing)(nil)
	_ fs.StatFS     = (*listing)(nil)
	_ fs.ReadLinkFS = (*listing)(nil)
)

// ReadDir returns the entries of a folder, sorted.
func (l *listing) ReadDir(name string) ([]fs.DirEntry, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	f, known := l.folders[name]
	if !known {
		f.entries, f.err = fs.ReadDir(l.FS, name)
		if l.kept += len(f.entries); l.kept <= maxKept {
			l.folders[name] = f
		}
	}
	return slices.Clone(f.entries), f.err
}

// Stat asks nobody about a regular file in a folder that is known already.
func (l *listing) Stat(name string) (fs.FileInfo, error) {
	l.lock.Lock()
	f := l.folders[path.Dir(name)]
	l.lock.Unlock()
	i, found := slices.BinarySearchFunc(f.entries, path.Base(name), func(e fs.DirEntry, name string) int { return strings.Compare(e.Name(), name) })
	if found && f.entries[i].Type().IsRegular() {
		return f.entries[i].Info()
	}
	return fs.Stat(l.FS, name)
}

// ReadLink returns where a link leads.
func (l *listing) ReadLink(name string) (string, error) { return fs.ReadLink(l.FS, name) }

// Lstat is Stat for the link itself.
func (l *listing) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(l.FS, name) }
