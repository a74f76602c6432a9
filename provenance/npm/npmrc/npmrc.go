// Package npmrc finds the files of npm's configuration that govern a run.
//
// In flow the folders that are checked, and whose run it is. Out flow the
// [npm.Config] that npm would have there, and what the files inside of the
// projects would make of it (Projects), which may be a stranger's. Only files
// that npm itself would read are read: the user's own, that of the project in
// whose folder npm is started, and those of the folders below it, where npm could
// be started next. A project's file may not lead out of the project. Every error
// is an [*npm.ConfigError], but those of opening a folder.
package npmrc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"countermark/provenance/npm"
	"countermark/sbom"
)

const (
	fileName = ".npmrc"
	maxSize  = 1 << 20 // bytes; real ones hold a few lines
)

// User is whose run it is.
type User struct {
	Environ []string // "NAME=value", as os.Environ gives them
	Home    string   // "" on a machine without one, where there is no user's file either
	// Read reads a file of bounded size, which is nobody's but the user's. Its error
	// does not name the file.
	Read func(name string, limit int64) ([]byte, error)
}

// Config merges npm's configuration as npm would in the folders. Two projects' files
// cannot both govern one run.
func (u User) Config(registry string, folders ...string) (*npm.Config, error) {
	var project *npm.File
	for _, dir := range folders {
		file, err := ofFolder(dir)
		if err != nil {
			return nil, err
		}
		if file == nil {
			continue
		}
		if project != nil {
			return nil, &npm.ConfigError{Path: fileName, Message: "more than one .npmrc governs these paths", Hint: "check the folders one by one"}
		}
		project = file
	}
	sources, err := u.sources(project)
	if err != nil {
		return nil, err
	}
	sources.Registry = registry
	return npm.NewConfig(sources)
}

// sources are the user's own, beside the project's file.
func (u User) sources(project *npm.File) (npm.Sources, error) {
	s := npm.Sources{Project: project, Environ: u.Environ, Home: u.Home}
	name := npm.UserConfig(u.Environ, u.Home, project)
	if name == "" {
		return s, nil
	}
	data, err := u.Read(name, maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, &npm.ConfigError{Path: name, Message: "cannot be read: " + err.Error(), Hint: "make it readable, or name another file with NPM_CONFIG_USERCONFIG"}
	}
	s.User, err = npm.ParseNpmrc(name, bytes.NewReader(data))
	return s, err
}

// Tree is a folder that is checked.
type Tree struct {
	Dir    string   // on this machine
	Above  string   // the folder at or above it in which npm would look for the project's file
	Prefix string   // what the inventory puts before the names of its files
	Files  []string // that were found in it, by their names in the inventory
}

// folders are those in which a file that was found stands, and all above up to the
// tree's own.
func (t Tree) folders() []string {
	all := map[string]bool{".": true}
	for _, file := range t.Files {
		name, below := strings.CutPrefix(file, t.Prefix)
		for dir := path.Dir(name); below && fs.ValidPath(dir) && !all[dir]; dir = path.Dir(dir) {
			all[dir] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Projects are what the .npmrc files inside of projects would make of npm's
// configuration, by folder as the inventory names it.
type Projects map[string][]*npm.Config

// Projects reads every .npmrc that can govern a file of the trees: those of its
// folder and of all above, up to the tree's, and the one further up that npm would
// find from there.
func (u User) Projects(trees []Tree) (Projects, error) {
	out := Projects{}
	for _, t := range trees {
		if err := u.read(t.Dir, t.Prefix, t.folders(), out); err != nil {
			return nil, err
		}
		if t.Above == t.Dir {
			continue
		}
		if err := u.read(t.Above, t.Prefix, []string{"."}, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Issues are what the files say that they must not.
func (p Projects) Issues() []npm.Issue {
	var out []npm.Issue
	for _, dir := range slices.Sorted(maps.Keys(p)) {
		for _, config := range p[dir] {
			out = append(out, config.Issues()...)
		}
	}
	return out
}

// Registries returns the registries that only these files name for a package of
// that file. Where npm is started decides which of them it reads, so those of all
// folders above count.
func (p Projects) Registries(file, name string) []string {
	var out []string
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		for _, config := range p[dir] {
			out = append(out, config.ProjectRegistries(name)...)
		}
		if dir == "." || dir == "/" || path.Base(dir) == ".." {
			return out
		}
	}
}

func (u User) read(dir, prefix string, folders []string, into Projects) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, sbom.Pathless(err))
	}
	defer func() { _ = root.Close() }() // it was only read from
	for _, folder := range folders {
		names, err := namesIn(root, folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			if u.owns(filepath.Join(dir, filepath.FromSlash(name))) {
				continue // npm reads it once, as the user's
			}
			config, err := u.project(root, name, prefix+name)
			if err != nil {
				return err
			}
			at := path.Dir(prefix + name)
			into[at] = append(into[at], config)
		}
	}
	return nil
}

// project is the configuration with one project's file.
func (u User) project(root *os.Root, name, shown string) (*npm.Config, error) {
	file, err := parse(root, name, shown)
	if err != nil {
		return nil, err
	}
	sources, err := u.sources(file)
	if err != nil {
		return nil, err
	}
	return npm.NewConfig(sources)
}

// owns reports whether a file is the user's own .npmrc, as it is where somebody
// checks the home folder.
func (u User) owns(name string) bool {
	if u.Home == "" {
		return false
	}
	own, err := os.Stat(npm.UserConfig(u.Environ, u.Home, nil))
	if err != nil {
		return false
	}
	info, err := os.Stat(name)
	return err == nil && os.SameFile(own, info)
}

// namesIn returns the files of a folder that some system takes for .npmrc.
func namesIn(root *os.Root, folder string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), folder)
	if err != nil {
		return nil, &npm.ConfigError{Path: folder, Message: fmt.Sprintf("cannot be read: %v", sbom.Pathless(err)), Hint: "make it a readable folder"}
	}
	var out []string
	for _, e := range entries {
		if strings.EqualFold(e.Name(), fileName) {
			out = append(out, path.Join(folder, e.Name()))
		}
	}
	return out, nil
}

// ofFolder reads the .npmrc of a folder. It returns nil where there is none.
func ofFolder(dir string) (*npm.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, sbom.Pathless(err))
	}
	defer func() { _ = root.Close() }() // it was only read from
	if _, err := root.Lstat(fileName); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no file is no error, and no configuration
	}
	return parse(root, fileName, fileName)
}

// parse reads a project's file, which may not lead out of the project.
func parse(root *os.Root, name, shown string) (*npm.File, error) {
	const hint = "make it a readable file inside of the project"
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
		return nil, &npm.ConfigError{Path: shown, Message: "cannot be read", Hint: hint}
	}
	data, err := root.ReadFile(filepath.FromSlash(name))
	if err != nil {
		return nil, &npm.ConfigError{Path: shown, Message: fmt.Sprintf("cannot be read: %v", sbom.Pathless(err)), Hint: hint}
	}
	return npm.ParseNpmrc(shown, bytes.NewReader(data))
}
