package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"countermark/sbom"
	"countermark/sbom/mcp"

	"github.com/spf13/pflag"
)

// sourceFlags say which MCP configurations are read besides those below the
// PATHs, and how.
type sourceFlags struct {
	user   bool
	home   string
	client string
}

// users reports whether files of a user are read.
func (f *sourceFlags) users() bool { return f.user || f.home != "" }

func (f *sourceFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.user, "user", false, "also read the MCP clients of this user, and those of the machine")
	flags.StringVar(&f.home, "home", "", "read the MCP clients of the user whose home is `DIR`, instead of this user's")
	flags.StringVar(&f.client, "client", "", "read each PATH, a file, as a configuration of the client `NAME` (see sbom --list-clients)")
}

// force makes every PATH a configuration of the client that the user names.
func (f *sourceFlags) force(trees []sbom.Tree, paths []string) error {
	if f.client == "" {
		return nil
	}
	if !(mcp.Reader{}).Knows(f.client) {
		return usageError("run `countermark sbom --list-clients`", "--client is %q: no client of that name is known", f.client)
	}
	for i := range trees {
		if trees[i].File == "" {
			return usageError("name the file of the client", "%s: --client says what a file is, and this is a folder", paths[i])
		}
		trees[i].Kind = f.client
	}
	return nil
}

// atHome reports whether the current folder is the home that is read, or holds it.
func (p *program) atHome(here string, f sourceFlags) bool {
	home := f.home
	if home == "" {
		var err error
		if home, err = p.home(); err != nil {
			return false
		}
	}
	if !filepath.IsAbs(home) {
		home = filepath.Join(here, home)
	}
	rel, err := filepath.Rel(resolved(here), resolved(home))
	return err == nil && filepath.IsLocal(rel)
}

func resolved(name string) string {
	if out, err := filepath.EvalSymlinks(name); err == nil {
		return out
	}
	return name
}

// userTrees are the files of the user's clients. What they are called in the
// inventory does not tell where the home is.
func (p *program) userTrees(f sourceFlags) (trees []sbom.Tree, closeAll func(), err error) {
	closeAll = func() {}
	switch {
	case f.home != "":
		// The home of somebody else: no link leads out of it.
		root, err := openFolder(f.home)
		if err != nil {
			return nil, closeAll, &sbom.PathError{Path: f.home, Err: sbom.Pathless(err)}
		}
		closeAll = func() { _ = root.Close() } // it was only read from
		home := sbom.Listing(root.FS())
		return append(clientTrees("~/", f.home, home, mcp.InHome), ranTrees(home)...), closeAll, nil
	case f.user:
		home, err := p.home()
		if err != nil {
			return nil, closeAll, usageError("name it with --home", "the home of this user is not known: %v", err)
		}
		files := sbom.Listing(os.DirFS(home))
		trees = clientTrees("~/", home, files, mcp.InHome)
		trees = append(trees, ranTrees(files)...)
		if cache := p.npmCache(); cache != "" {
			npx, unsearched := mcp.CacheIn(os.DirFS(cache))
			trees = append(trees, ranTree("$npm_config_cache/", os.DirFS(cache), npx, unsearched)...)
		}
		machine := machineRoot(home)
		trees = append(trees, clientTrees("/", machine, os.DirFS(machine), mcp.OnMachine)...)
		for _, m := range mcp.Moved(p.env) {
			trees = append(trees, moved(m)...)
		}
		return trees, closeAll, nil
	default:
		return nil, closeAll, nil
	}
}

// machineRoot is the root of the file system that holds the home.
func machineRoot(home string) string {
	return filepath.VolumeName(home) + string(filepath.Separator)
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
	npx, global, unsearched := mcp.RanIn(home)
	trees := ranTree("~/", home, npx, unsearched)
	if len(global) > 0 {
		trees = append(trees, sbom.Tree{FS: home, Prefix: "~/", Files: global, Kind: mcp.Global})
	}
	return trees
}

func ranTree(prefix string, fsys fs.FS, npx, unsearched []string) []sbom.Tree {
	if len(npx)+len(unsearched) == 0 {
		return nil
	}
	return []sbom.Tree{{FS: fsys, Prefix: prefix, Files: append([]string{}, npx...), Closed: unsearched, Input: mcp.RanByNPX}}
}

// npmCache is the folder of npm's cache where a variable moves it. npm takes the
// variable in any letter case.
func (p *program) npmCache() string {
	for _, kv := range p.environ {
		name, value, _ := strings.Cut(kv, "=")
		if strings.EqualFold(name, "npm_config_cache") && filepath.IsAbs(value) {
			return value
		}
	}
	return ""
}

// moved is the tree of a file that an environment variable names, which is called
// by the variable.
func moved(m mcp.MovedFile) []sbom.Tree {
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

// apart refuses a project whose folders are called like those of the user: in the
// inventory nobody could tell one from the other.
func apart(trees, users []sbom.Tree, paths []string) error {
	for i, t := range trees {
		for _, u := range users {
			name := strings.TrimSuffix(u.Prefix, "/")
			if t.Prefix != "" || name == "" {
				continue
			}
			if _, err := fs.Lstat(t.FS, name); err == nil {
				return usageError("check it without --user", "%s: it holds a folder %q, which reads as one of the user's", paths[i], name)
			}
		}
	}
	return nil
}

// listClients shows the clients that are known, and what was found of each.
func (p *program) listClients(pr *project) error {
	servers := map[string]int{}
	for _, c := range pr.inventory.Servers() {
		servers[c.Server.File]++
	}
	out := p.plainOut()
	total, files := 0, 0
	for _, c := range mcp.Clients() {
		out.Printf("%s\n", c.Name)
		for _, in := range pr.inventory.Inputs {
			if in.Kind != c.Name {
				continue
			}
			note := count(servers[in.Path], "server")
			if in.Broken() {
				note += ", not read in full"
			}
			out.Printf("  found    %s: %s\n", in.Path, note)
			files, total = files+1, total+servers[in.Path]
		}
		for _, list := range []struct {
			name, before string
			paths        []string
		}{{"home", "~/", c.Home}, {"system", "/", c.Machine}, {"project", "", c.Project}, {"moved", "", c.Moved}} {
			if len(list.paths) > 0 {
				out.Printf("  %-8s %s%s\n", list.name, list.before, strings.Join(list.paths, ", "+list.before))
			}
		}
	}
	out.Printf("\n<config> is ~/.config, ~/Library/Application Support or ~/AppData/Roaming; <code> is the\n" +
		"User folder of VS Code, and of the editors made from it, below <config>. Files that are\n" +
		"named are recognised by their content, too.\n")
	out.Printf("%s with %s\n", count(files, "file"), count(total, "server"))
	return out.Err()
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
