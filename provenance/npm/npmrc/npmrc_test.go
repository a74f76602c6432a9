package npmrc

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countermark/provenance/npm"
	"countermark/sbom"
)

// lay writes files below a new folder.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func user(home string) User {
	return User{Home: home, Read: func(name string, _ int64) ([]byte, error) {
		data, err := os.ReadFile(name)
		return data, sbom.Pathless(err)
	}}
}

func TestConfig(t *testing.T) {
	home := lay(t, map[string]string{".npmrc": "@acme:registry=https://npm.acme.example/\n"})
	dir := lay(t, map[string]string{"a/.npmrc": "registry=https://a.example/\n", "b/.npmrc": "\n", "c/package.json": "{}"})
	at := func(names ...string) []string {
		for i, n := range names {
			names[i] = filepath.Join(dir, n)
		}
		return names
	}
	for name, tt := range map[string]struct {
		folders  []string
		registry string
		want     string // the registry of a package; empty where the run is refused
	}{
		"a project's":        {at("a"), "", "https://a.example/"},
		"one of two folders": {at("c", "a"), "", "https://a.example/"},
		"the flag's":         {at("a"), "https://flag.example/", "https://flag.example/"},
		"two projects'":      {at("a", "b"), "", ""},
		"no folder":          {at("nowhere"), "", ""},
	} {
		config, err := user(home).Config(tt.registry, tt.folders...)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := config.Registry("web")
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: %v, %v, want %s", name, got, err, tt.want)
		}
		if scoped, err := config.Registry("@acme/web"); err != nil || scoped.String() != "https://npm.acme.example/" {
			t.Errorf("%s: the user's own scope leads to %v, %v", name, scoped, err)
		}
	}
}

// TestProjects: what could govern a file is read, and nothing else.
func TestProjects(t *testing.T) {
	dir := lay(t, map[string]string{
		".npmrc":                       "registry=https://top.example/\n",
		"shop/web/.NPMRC":              "registry=https://web.example/\nstrict-ssl=false\n",
		"shop/web/package-lock.json":   "{}",
		"shop/other/.npmrc":            "registry=https://unread.example/\n",
		"shop/package.json":            "{}",
		"shop/web/node_modules/.npmrc": "registry=https://unread.example/\n",
	})
	shop := filepath.Join(dir, "shop")
	tree := Tree{Dir: shop, Above: dir, Prefix: "shop/", Files: []string{"shop/web/package-lock.json", "else/package-lock.json"}}
	projects, err := user("").Projects([]Tree{tree})
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(projects)); !slices.Equal(got, []string{"shop", "shop/web"}) {
		t.Errorf("files are read in %q", got)
	}
	for file, want := range map[string]string{
		"shop/web/package-lock.json": "https://web.example/ https://top.example/",
		"shop/package-lock.json":     "https://top.example/",
		"else/package-lock.json":     "",
	} {
		if got := strings.Join(projects.Registries(file, "web"), " "); got != want {
			t.Errorf("%s: the registries are %q, want %q", file, got, want)
		}
	}
	issues := projects.Issues()
	if len(issues) != 1 || issues[0].Key != "strict-ssl" || issues[0].Path != "shop/web/.NPMRC" || issues[0].Line != 2 {
		t.Errorf("the issues are %+v", issues)
	}
	own, err := user(dir).Projects([]Tree{{Dir: dir, Above: dir}})
	if err != nil || len(own) != 0 {
		t.Errorf("the user's own file is taken for a project's: %v, %v", own, err)
	}
}

// A file that leads out of the project, or is none, is named and refused.
func TestRefused(t *testing.T) {
	outside := lay(t, map[string]string{"secret": "registry=https://outside.example/\n"})
	for name, prepare := range map[string]func(file string) error{
		"a link out of it": func(file string) error { return os.Symlink(filepath.Join(outside, "secret"), file) },
		"a folder":         func(file string) error { return os.Mkdir(file, 0o755) },
		"too large":        func(file string) error { return os.WriteFile(file, make([]byte, maxSize+1), 0o644) },
		"no text":          func(file string) error { return os.WriteFile(file, []byte("a\x00=b\n"), 0o644) },
	} {
		dir := t.TempDir()
		if err := prepare(filepath.Join(dir, fileName)); err != nil {
			t.Fatal(err)
		}
		_, err := user("").Config("", dir)
		if e, ok := errors.AsType[*npm.ConfigError](err); !ok || e.Path != fileName || e.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
		_, err = user("").Projects([]Tree{{Dir: dir, Above: dir, Prefix: "p/"}})
		if e, ok := errors.AsType[*npm.ConfigError](err); !ok || e.Path != "p/"+fileName {
			t.Errorf("%s: %v", name, err)
		}
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, fileName), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := user(home).Config("")
	if e, ok := errors.AsType[*npm.ConfigError](err); !ok || !strings.Contains(e.Hint, "NPM_CONFIG_USERCONFIG") {
		t.Errorf("the user's own is a folder: %v", err)
	}
}
