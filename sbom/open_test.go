package sbom

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"here/sub", "sub"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, d, "a.txt"), []byte(d), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here := filepath.Join(dir, "here")
	t.Chdir(here)
	tests := []struct {
		name  string
		paths []string
		want  []string // prefix + file
	}{
		{"one folder has no prefix", []string{"sub"}, []string{""}},
		{"nor has one file", []string{filepath.Join(dir, "sub", "a.txt")}, []string{"a.txt"}},
		{"several are named from the folder that holds them all", []string{".", "sub", "../sub"}, []string{"here/", "here/sub/", "sub/"}},
		{"files too", []string{"sub/a.txt", "../sub/a.txt"}, []string{"here/sub/a.txt", "sub/a.txt"}},
		{"one inside of the other", []string{"..", "sub"}, []string{"", "here/sub/"}},
		{"however they are called", []string{filepath.Join(dir, "sub"), "sub"}, []string{"sub/", "here/sub/"}},
		{"twice the same", []string{"sub", "sub"}, []string{"", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trees, closeAll, err := Open(here, tt.paths)
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll()
			var got []string
			for _, tree := range trees {
				got = append(got, tree.Prefix+tree.File)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	_, _, err := Open(here, []string{"sub", "none"})
	if pe, ok := errors.AsType[*PathError](err); !ok || pe.Path != "none" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
