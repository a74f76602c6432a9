package sbom

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// counted counts how often each folder is listed.
type counted struct {
	fs.FS
	lists map[string]int
}

func (c counted) ReadDir(name string) ([]fs.DirEntry, error) {
	c.lists[name]++
	return fs.ReadDir(c.FS, name)
}

func TestListing(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.json", "sub/b.json"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.json", filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	under := counted{os.DirFS(dir), map[string]int{}}
	fsys := Listing(under)
	for range 3 {
		if err := fstest.TestFS(Listing(os.DirFS(dir)), "a.json", "sub/b.json", "link.json"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{".", "sub", "none"} {
			if _, err := fs.ReadDir(fsys, name); (err != nil) != (name == "none") || err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, name := range []string{"a.json", "sub/b.json", "link.json"} {
			info, err := fs.Stat(fsys, name)
			if err != nil || !info.Mode().IsRegular() || info.Size() != 2 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		if _, err := fs.Stat(fsys, "none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("none: %v", err)
		}
	}
	if got := fmt.Sprint(under.lists); got != "map[.:1 none:1 sub:1]" {
		t.Errorf("listed %s, want each once", got)
	}
	fsys = Listing(os.DirFS(dir))
	if to, err := fs.ReadLink(fsys, "link.json"); err != nil || to != "a.json" {
		t.Errorf("link: %q, %v", to, err)
	}
	if info, err := fs.Lstat(fsys, "link.json"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("link: %v, %v", info, err)
	}
}

// What a caller does to the entries that it got is none of the next one's concern.
func TestListingIsACopy(t *testing.T) {
	fsys := Listing(fstest.MapFS{"a": {}, "b": {}})
	first, err := fs.ReadDir(fsys, ".")
	if err != nil || len(first) != 2 {
		t.Fatal(first, err)
	}
	first[0] = nil
	second, err := fs.ReadDir(fsys, ".")
	if err != nil || second[0] == nil {
		t.Error(second, err)
	}
}
