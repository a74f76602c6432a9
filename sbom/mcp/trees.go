package mcp

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"countermark/sbom"
)

// HomeTrees are the files of clients below a home, with what npx ran there and what
// is installed globally. What they are called in the inventory does not tell where
// the home is.
func HomeTrees(home string, fsys fs.FS) []sbom.Tree {
	files := sbom.Listing(fsys)
	return append(clientTrees("~/", home, files, InHome), ranTrees(files)...)
}

// UserTrees are those of the user whose environment it is: below the home, of the
// machine, and where variables ("NAME=value") move them to.
func UserTrees(home string, environ []string) []sbom.Tree {
	trees := HomeTrees(home, os.DirFS(home))
	if cache := npmCache(environ); cache != "" {
		npx, unsearched := CacheIn(os.DirFS(cache))
		trees = append(trees, ranTree("$npm_config_cache/", os.DirFS(cache), npx, unsearched)...)
	}
	machine := filepath.VolumeName(home) + string(filepath.Separator)
	trees = append(trees, clientTrees("/", machine, os.DirFS(machine), OnMachine)...)
	env := func(name string) string {
		for _, kv := range environ {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value
			}
		}
		return ""
	}
	for _, m := range Moved(env) {
		trees = append(trees, m.tree()...)
	}
	return trees
}

// clientTrees is the one tree of the files that were found, if there are any.
func clientTrees(prefix, dir string, fsys fs.FS, find func(fs.FS) (files, unsearched []string)) []sbom.Tree {
	files, unsearched := find(fsys)
	if len(files)+len(unsearched) == 0 {
		return nil
	}
	return []sbom.Tree{{FS: fsys, Prefix: prefix, Dir: dir, Files: append([]string{}, files...), Closed: unsearched}}
}

// ranTrees are what npx ran for a user, and what is installed globally.
func ranTrees(home fs.FS) []sbom.Tree {
	npx, global, unsearched := RanIn(home)
	trees := ranTree("~/", home, npx, unsearched)
	if len(global) > 0 {
		trees = append(trees, sbom.Tree{FS: home, Prefix: "~/", Files: global, Kind: Global})
	}
	return trees
}

func ranTree(prefix string, fsys fs.FS, npx, unsearched []string) []sbom.Tree {
	if len(npx)+len(unsearched) == 0 {
		return nil
	}
	return []sbom.Tree{{FS: fsys, Prefix: prefix, Files: append([]string{}, npx...), Closed: unsearched, Input: RanByNPX}}
}

// npmCache is the folder of npm's cache where a variable moves it. npm takes the
// variable in any letter case.
func npmCache(environ []string) string {
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if strings.EqualFold(name, "npm_config_cache") && filepath.IsAbs(value) {
			return value
		}
	}
	return ""
}

// tree is that of a file that an environment variable names, which is called
// by the variable.
func (m MovedFile) tree() []sbom.Tree {
	if _, err := os.Lstat(m.Path); err != nil {
		return nil
	}
	prefix := "$" + m.Variable + "/"
	dir := strings.TrimSuffix(m.Path, filepath.FromSlash(m.Rest))
	name := m.Rest
	if m.Rest == "" {
		dir, name = filepath.Dir(m.Path), filepath.Base(m.Path)
	}
	return []sbom.Tree{{FS: os.DirFS(dir), Prefix: prefix, Dir: dir, Files: []string{name}, Kind: m.Client}}
}
