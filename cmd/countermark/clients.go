package main

import (
	"io/fs"
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

// userTrees are the files of the user's clients.
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
		return mcp.HomeTrees(f.home, root.FS()), closeAll, nil
	case f.user:
		home, err := p.home()
		if err != nil {
			return nil, closeAll, usageError("name it with --home", "the home of this user is not known: %v", err)
		}
		return mcp.UserTrees(home, p.environ), closeAll, nil
	default:
		return nil, closeAll, nil
	}
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
