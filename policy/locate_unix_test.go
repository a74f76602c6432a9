//go:build unix

package policy

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe in the place of what git keeps waits for somebody who writes, and a file
// may be without end: neither is read. Whoever packed the folder chose them.
func TestCommitReadsNoPipe(t *testing.T) {
	tree(t, map[string]string{
		"git/a": "", "head/.git/a": "", "ref/.git/HEAD": "ref: refs/heads/main\n", "ref/.git/refs/heads/a": "",
		"packed/.git/HEAD": "ref: refs/heads/main\n", "huge/.git/HEAD": "0123456789abcdef0123456789abcdef01234567",
	})
	for _, name := range []string{"git/.git", "head/.git/HEAD", "ref/.git/refs/heads/main", "packed/.git/packed-refs"} {
		if err := syscall.Mkfifo(filepath.FromSlash(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.FromSlash("huge/.git/HEAD"), maxGitFile+1); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"git", "head", "ref", "packed", "huge"} {
		if got := Commit(path); got != "" {
			t.Errorf("%s: got %q", path, got)
		}
	}
}
