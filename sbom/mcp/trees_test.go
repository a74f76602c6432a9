package mcp

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

func TestUserTrees(t *testing.T) {
	home, codex, cache := t.TempDir(), t.TempDir(), t.TempDir()
	for _, file := range []string{
		filepath.Join(home, ".cursor", "mcp.json"),
		filepath.Join(codex, "config.toml"),
		filepath.Join(cache, "_npx", "0123456789abcdef", "package-lock.json"),
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	named := func(trees []sbom.Tree) string {
		var out []string
		for _, tree := range trees {
			for _, file := range tree.Files {
				if tree.Prefix != "/" { // whatever this machine has
					out = append(out, strings.TrimSpace(tree.Prefix+file+" "+tree.Kind+tree.Input))
				}
			}
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	if got, want := named(HomeTrees(home, os.DirFS(home))), "~/.cursor/mcp.json"; got != want {
		t.Errorf("below a home there are %s, want %s", got, want)
	}
	environ := []string{"CODEX_HOME=" + codex, "NPM_CONFIG_CACHE=" + cache, "OPENCODE_CONFIG=" + filepath.Join(home, "nowhere.json")}
	want := "$CODEX_HOME/config.toml codex, $npm_config_cache/_npx/0123456789abcdef/package-lock.json " + RanByNPX + ", ~/.cursor/mcp.json"
	if got := named(UserTrees(home, environ)); got != want {
		t.Errorf("a user has %s, want %s", got, want)
	}
	for _, tree := range UserTrees(home, []string{"CODEX_HOME=" + codex}) {
		if tree.Prefix == "~/" && tree.Dir != home || tree.Prefix == "$CODEX_HOME/" && filepath.Clean(tree.Dir) != codex {
			t.Errorf("%s is in %s", tree.Prefix, tree.Dir)
		}
	}
}
