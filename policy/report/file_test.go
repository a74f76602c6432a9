package report_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"countermark/policy/report"
)

func contents(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// requireFile holds the folder to exactly one file of that content: nothing is
// left over.
func requireFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", path, got, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files: %v", len(entries), entries)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verdict.json")
	for _, content := range []string{"a longer first", "second"} {
		if err := report.WriteFile(path, contents(content)); err != nil {
			t.Fatal(err)
		}
		requireFile(t, path, content)
	}
}

func TestWriteFileKeepsTheOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verdict.json")
	if err := report.WriteFile(path, contents("old")); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("stopped in the middle")
	err := report.WriteFile(path, func(w io.Writer) error {
		return errors.Join(contents("half")(w), failure)
	})
	if !errors.Is(err, failure) {
		t.Errorf("%v, want %v", err, failure)
	}
	requireFile(t, path, "old")
}

func TestWriteFilePermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "verdict.json")
	if err := report.WriteFile(path, contents("a")); err != nil {
		t.Fatal(err)
	}
	// Whatever the umask is, nobody else may write, and the owner may.
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o133 != 0 || info.Mode().Perm()&0o600 != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteFile(path, contents("b")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want 0600", info.Mode(), err)
	}
}

func TestWriteFileRefuses(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := report.WriteFile(link, contents("evil")); !errors.Is(err, report.ErrSymlink) {
		t.Errorf("link: %v, want %v", err, report.ErrSymlink)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "precious" {
		t.Errorf("the target holds %q, %v", got, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info.Mode(), err)
	}
	if err := report.WriteFile(dir, contents("a")); err == nil {
		t.Error("wrote over a folder")
	}
	if err := report.WriteFile(filepath.Join(dir, "missing", "a"), contents("a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v, want %v", err, fs.ErrNotExist)
	}
}

func TestWriteFileDevice(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NUL is no path of a folder on Windows")
	}
	if err := report.WriteFile(os.DevNull, contents("a")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s was replaced: %v, %v", os.DevNull, info.Mode(), err)
	}
}
