package mcp

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Client describes one MCP client, or another kind of file that says how servers
// are launched.
type Client struct {
	Name    string
	Home    []string // paths below a user's home; <config> and <code> stand for several folders
	Machine []string // paths that are the same for all users, below the root or drive
	Project []string // last segments of paths below any folder
	Moved   []string // "$VARIABLE/rest": files that an environment variable names
}

// Clients returns what is known, by name. Segments of paths may hold path.Match
// patterns, and ** stands for any number of folders.
func Clients() []Client {
	known := map[string]*Client{}
	for _, c := range clients {
		if known[c.name] == nil {
			known[c.name] = &Client{Name: c.kind()}
		}
		k := known[c.name]
		k.Home = append(k.Home, c.home...)
		k.Machine = append(k.Machine, c.machine...)
		k.Project = append(k.Project, c.project...)
		for _, p := range c.moved {
			k.Moved = append(k.Moved, "$"+p)
		}
	}
	var out []Client
	for _, k := range known {
		out = append(out, *k)
	}
	slices.SortFunc(out, func(x, y Client) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// Moved returns the files that environment variables name instead of those in the
// usual places, with the client that each is of. Only absolute paths count, since
// nobody knows from where a client is started.
func Moved(environ func(name string) string) []MovedFile {
	var out []MovedFile
	for _, c := range clients {
		for _, p := range c.moved {
			variable, rest, _ := strings.Cut(p, "/")
			if value := environ(variable); filepath.IsAbs(value) {
				out = append(out, MovedFile{Client: c.kind(), Variable: variable, Path: filepath.Join(value, filepath.FromSlash(rest)), Rest: rest})
			}
		}
	}
	return out
}

// MovedFile is a file that an environment variable names, or that stands below a
// folder which it names.
type MovedFile struct {
	Client   string
	Variable string
	Path     string // of the file, on this machine
	Rest     string // below the folder; "" where the variable names the file
}

// Limits of the search below the known folders of a home.
const (
	maxPluginDepth   = 8      // folders below one that holds plugins
	maxPluginEntries = 50_000 // files and folders in it
)

// InHome returns the files of all clients that stand in a user's home, sorted.
// Only the known places are looked at. Whether a file can be read, and holds
// servers, a scan tells. The second result names folders that were too large to
// be searched whole.
func InHome(home fs.FS) (files, unsearched []string) {
	s := search{fsys: home}
	for _, c := range clients {
		for _, p := range c.home {
			for _, whole := range spread(p) {
				s.find(whole)
			}
		}
	}
	return s.sorted()
}

// OnMachine is InHome for the files that are the same for all users; root is the
// root of the file system, or a drive.
func OnMachine(root fs.FS) (files, unsearched []string) {
	s := search{fsys: root}
	for _, c := range clients {
		for _, p := range c.machine {
			s.find(p)
		}
	}
	return s.sorted()
}

// search looks for files in folders that it lists once: most that the table names
// are not there, and many have a folder in common.
type search struct {
	fsys              fs.FS
	files, unsearched []string
	entries           int
	listed            map[string][]fs.DirEntry
}

func (s *search) sorted() (files, unsearched []string) {
	slices.Sort(s.files)
	slices.Sort(s.unsearched)
	return slices.Compact(s.files), slices.Compact(s.unsearched)
}

// find looks for one path of the table, folder by folder.
func (s *search) find(pattern string) {
	s.entries = 0
	s.below(".", strings.Split(pattern, "/"), 0)
}

func (s *search) below(folder string, want []string, depth int) {
	for len(want) > 1 && want[0] != "**" && !strings.ContainsAny(want[0], "*?[") {
		folder, want = path.Join(folder, want[0]), want[1:]
	}
	switch {
	case want[0] == "**":
		s.below(folder, want[1:], depth)
		if depth == maxPluginDepth {
			s.unsearched = append(s.unsearched, folder)
			return
		}
		for _, d := range s.list(folder) {
			if d.IsDir() && d.Name() != "node_modules" && d.Name() != ".git" {
				s.below(path.Join(folder, d.Name()), want, depth+1)
			}
		}
	case strings.ContainsAny(want[0], "*?["):
		for _, d := range s.list(folder) {
			if ok, err := path.Match(want[0], d.Name()); err != nil || !ok {
				continue
			}
			if len(want) == 1 {
				s.file(path.Join(folder, d.Name()))
				continue
			}
			s.below(path.Join(folder, d.Name()), want[1:], depth)
		}
	default:
		s.file(path.Join(folder, want[0]))
	}
}

// list returns what is in a folder; one that is not there holds nothing.
func (s *search) list(folder string) []fs.DirEntry {
	if s.listed == nil {
		s.listed = map[string][]fs.DirEntry{}
	}
	entries, known := s.listed[folder]
	if known {
		return entries
	}
	if folder == "." || s.entry(folder) != nil {
		var err error
		if entries, err = fs.ReadDir(s.fsys, folder); err != nil {
			entries = nil
			if !errors.Is(err, fs.ErrNotExist) && !s.isFile(folder) {
				s.unsearched = append(s.unsearched, folder)
			}
		}
	}
	if s.entries += len(entries); s.entries > maxPluginEntries {
		s.unsearched = append(s.unsearched, folder)
		entries = nil
	}
	s.listed[folder] = entries
	return entries
}

func (s *search) isFile(name string) bool {
	info, err := fs.Stat(s.fsys, name)
	return err == nil && !info.IsDir()
}

// entry returns what stands under a name, nil for nothing. As on file systems
// that do not tell the cases apart, it may be written in others.
func (s *search) entry(name string) fs.DirEntry {
	entries := s.list(path.Dir(name))
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), path.Base(name)) })
	if i < 0 {
		return nil
	}
	return entries[i]
}

// file notes a file that is there, be it unreadable.
func (s *search) file(name string) {
	e := s.entry(name)
	if e == nil || e.IsDir() || e.Type()&fs.ModeSymlink != 0 && s.isFolder(name) {
		return
	}
	s.files = append(s.files, path.Join(path.Dir(name), e.Name()))
}

func (s *search) isFolder(name string) bool {
	info, err := fs.Stat(s.fsys, name)
	return err == nil && info.IsDir()
}
