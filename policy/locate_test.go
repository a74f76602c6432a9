package policy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countermark/provenance"
)

// tree makes files below a temporary folder and goes there. A name that ends in
// a slash is a folder.
func tree(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if content == "" {
			if err := os.MkdirAll(name, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

const (
	strictPolicy   = "version: 1\nprofile: strict\nexclude: [\"app/fixtures/**\"]\nattestations: [proofs]\n"
	baselinePolicy = "version: 1\nprofile: baseline\n"
)

func TestLocate(t *testing.T) {
	tree(t, map[string]string{
		"repo/.git":                     "",
		"repo/countermark.yaml":         strictPolicy,
		"repo/app/sub":                  "",
		"repo/app/.mcp.json":            "{}",
		"repo/own/countermark.yaml":     baselinePolicy,
		"repo/own/dep/countermark.yaml": strictPolicy,
		"loose/countermark.yaml":        strictPolicy,
		"loose/inner":                   "",
	})
	tests := []struct {
		name    string
		named   string
		paths   []string
		profile Profile
		shown   string // Name, as the verdict has it
		err     string
	}{
		{"in the folder", "", []string{"repo"}, Strict, "countermark.yaml", ""},
		{"in a parent", "", []string{"repo/app/sub"}, Strict, "../../countermark.yaml", ""},
		{"for a file", "", []string{"repo/app/.mcp.json"}, Strict, "../countermark.yaml", ""},
		{"the nearest wins", "", []string{"repo/own"}, Baseline, "countermark.yaml", ""},
		{"nested ones are never read", "", []string{"repo/own"}, Baseline, "countermark.yaml", ""},
		{"no parent outside of a repository", "", []string{"loose/inner"}, Baseline, BuiltIn, ""},
		{"named", "repo/countermark.yaml", []string{"loose"}, Strict, "countermark.yaml", ""},
		{"one for both", "", []string{"repo/app", "repo/app/sub"}, Strict, "countermark.yaml", ""},
		{"two different ones", "", []string{"repo", "repo/own"}, "", "", "one answer has one policy"},
		{"one has none", "", []string{"repo", "loose/inner"}, "", "", "one answer has one policy"},
		{"the other way round", "", []string{"loose/inner", "repo"}, "", "", "one answer has one policy"},
		{"named, but not there", "none.yaml", []string{"repo"}, "", "", "none.yaml: cannot be read"},
		{"a folder", "repo", []string{"repo"}, "", "", "not a regular file"},
		{"a PATH that does not exist is somebody else's error", "", []string{"none"}, Baseline, BuiltIn, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Locate(tt.named, tt.paths)
			if tt.err != "" {
				if _, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Profile != tt.profile || got.Name != tt.shown {
				t.Errorf("got profile %s of %s, want %s of %s", got.Profile, got.Name, tt.profile, tt.shown)
			}
		})
	}
}

func TestLocatedIsRelativeToItsFile(t *testing.T) {
	tree(t, map[string]string{"repo/.git": "", "repo/countermark.yaml": strictPolicy, "repo/app": ""})
	got, err := Locate("", []string{"repo/app"})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Excludes("fixtures/x.json") || got.Excludes("app/fixtures/x.json") {
		t.Error("globs are relative to the policy's folder")
	}
	want := []provenance.EvidencePath{{Path: "proofs", Within: "repo"}}
	if a := got.Evidence(); !slices.Equal(a, want) {
		t.Errorf("attestations in %q, want %q", a, want)
	}
}

func TestFromRepository(t *testing.T) {
	tree(t, map[string]string{"repo/.git": "", "repo/app/sub": "", "repo/app/.mcp.json": "{}", "loose/inner": ""})
	for path, want := range map[string]string{
		"repo": "", "repo/app": "app", "repo/app/sub": "app/sub", "repo/app/.mcp.json": "app", "loose/inner": "",
	} {
		if got := FromRepository([]string{path}); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	t.Chdir(filepath.Join("repo", "app"))
	if got := FromRepository([]string{"sub", "."}); got != "app" {
		t.Errorf("several: got %q", got)
	}
}

func TestCommit(t *testing.T) {
	const id, other = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"
	tree(t, map[string]string{
		"detached/.git/HEAD":         id + "\n",
		"loose/.git/HEAD":            "ref: refs/heads/main\n",
		"loose/.git/refs/heads/main": id + "\n",
		"loose/sub":                  "",
		"packed/.git/HEAD":           "ref: refs/heads/main\n",
		"packed/.git/packed-refs":    "# pack-refs with: peeled\n" + other + " refs/heads/x\n" + id + " refs/heads/main\n",
		"odd/.git/HEAD":              "ref: ../../outside\n",
		"outside":                    "",
		"empty/.git":                 "",
		"none":                       "",
	})
	for path, want := range map[string]string{
		"detached": id, "loose": id, "loose/sub": id, "packed": id, "odd": "", "empty": "", "none": "",
	} {
		if got := Commit(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// An exclude takes out what it says and no more: only ** means the same twice.
func TestExcludeRepeatedNames(t *testing.T) {
	p, err := Parse("countermark.yaml", []byte("version: 1\nexclude: [\"fix/fix/**\", \"**/**/gen\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"fix/fix/a": true, "fix/real/a": false, "a/b/gen": true, "gen": true} {
		if got := p.Excludes(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestNPMFolder(t *testing.T) {
	tree(t, map[string]string{
		"repo/.git": "", "repo/package.json": "{}", "repo/conf/deep": "", "repo/app/node_modules": "", "repo/app/conf": "",
		"loose/package.json": "{}", "loose/conf": "",
	})
	for path, want := range map[string]string{
		"repo": "repo", "repo/conf": "repo", "repo/conf/deep": "repo", "repo/app": "repo/app", "repo/app/conf": "repo/app", "loose/conf": "loose/conf",
	} {
		if got := NPMFolder(path); filepath.ToSlash(filepath.Clean(got)) != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}
