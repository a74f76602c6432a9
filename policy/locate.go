package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Located is a policy with the place of its file, to which what it names is
// relative.
type Located struct {
	*Policy
	Dir    string // folder of the file; empty for the built-in policy
	prefix string // what leads from Dir to the one PATH that is checked, "" or ending in a slash
}

// Locate returns the policy that governs the PATHs: the named one, or the nearest
// FileName in a PATH's folder or its parents up to the git root, or the built-in
// one. Policies below a PATH are never read: a dependency that brings its own
// must not judge itself. The error is a *FileError; two different policies for
// one answer are one.
func Locate(named string, paths []string) (Located, error) {
	file := named
	if named == "" {
		var err error
		if file, err = governing(paths); err != nil {
			return Located{}, err
		}
	}
	if file == "" {
		return Located{Policy: Default()}, nil
	}
	data, err := read(file)
	if err != nil {
		return Located{}, &FileError{Path: file, Message: "cannot be read: " + err.Error(), Hint: "name a readable policy file with --policy"}
	}
	p, err := Parse(file, data)
	if err != nil {
		return Located{}, err
	}
	l := Located{Policy: p, Dir: filepath.Dir(file)}
	p.Name = filepath.Base(file)
	if len(paths) == 1 {
		l.prefix = prefix(l.Dir, paths[0])
		p.Name = strings.Repeat("../", strings.Count(l.prefix, "/")) + p.Name
	}
	return l, nil
}

// governing is the one policy file that is nearest to all PATHs, or "". That one
// has a policy and another none is a difference, too: the policy of a folder must
// not govern its neighbours.
func governing(paths []string) (string, error) {
	file, ungoverned := "", ""
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			continue // whoever opens the PATH says that it does not exist
		}
		near, err := nearest(path)
		if err != nil {
			return "", err
		}
		if near == "" {
			ungoverned = path
			continue
		}
		if file != "" && !same(file, near) {
			return "", different(near, file+" governs another of these paths")
		}
		file = near
	}
	if file != "" && ungoverned != "" {
		return "", different(file, fmt.Sprintf("it does not govern %s, which has no policy of its own", ungoverned))
	}
	return file, nil
}

func different(file, why string) *FileError {
	return &FileError{
		Path: file, Message: why + ": one answer has one policy",
		Hint: "check the folders one by one, or name one policy with --policy",
	}
}

// Excludes reports whether the policy takes a path below PATH out. Its globs are
// relative to its own file.
func (l Located) Excludes(path string) bool { return l.Policy.Excludes(l.prefix + path) }

// Evidence is where the policy's own attestations are, within its folder.
func (l Located) Evidence() []provenance.EvidencePath {
	var out []provenance.EvidencePath
	for _, a := range l.Attestations {
		out = append(out, provenance.EvidencePath{Path: filepath.FromSlash(a), Within: l.Dir})
	}
	return out
}

// nearest looks in the folder of PATH, then in its parents up to the root of the
// git repository. Outside of a repository no parent is looked into: a file in a
// folder that everybody can write to must not govern anything.
func nearest(path string) (string, error) {
	for _, dir := range upToGitRoot(Folder(path)) {
		file := filepath.Join(dir, FileName)
		_, err := os.Lstat(file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", &FileError{Path: file, Message: "cannot be read: " + sbom.Pathless(err).Error(), Hint: "make it readable, or name another policy with --policy"}
		}
	}
	return "", nil
}

// upToGitRoot lists the folder and its parents up to the git root, or the folder
// alone outside of a repository. The names stay relative where dir is, since
// they appear in messages.
func upToGitRoot(dir string) []string {
	dirs := []string{dir}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dirs
	}
	for {
		if _, err := os.Lstat(filepath.Join(abs, ".git")); err == nil {
			return dirs
		}
		up := filepath.Dir(abs)
		if up == abs {
			return dirs[:1]
		}
		abs = up
		dirs = append(dirs, filepath.Join(dir, strings.Repeat("../", len(dirs))))
	}
}

// FromRepository returns what leads from the root of the git repository to the
// folder of the one PATH, or to the current folder where there are several;
// slash-separated, "" at the root and outside of a repository.
func FromRepository(paths []string) string {
	dir := "."
	if len(paths) == 1 {
		dir = Folder(paths[0])
	}
	dirs := upToGitRoot(dir)
	return strings.TrimSuffix(prefix(dirs[len(dirs)-1], dir), "/")
}

// Folder is the folder that a PATH is or stands in.
func Folder(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// NPMFolder returns the folder in which npm, started where PATH is, would look for
// the project's .npmrc: the nearest with a package.json or node_modules, up to the
// git root, else PATH's own.
func NPMFolder(path string) string {
	dir := Folder(path)
	for _, up := range upToGitRoot(dir) {
		for _, name := range []string{"package.json", "node_modules"} {
			if _, err := os.Stat(filepath.Join(up, name)); err == nil {
				return up
			}
		}
	}
	return dir
}

// Commit returns the commit that is checked out where PATH is, as the files of
// git say, without asking git; "" where they do not say it plainly.
func Commit(path string) string {
	dirs := upToGitRoot(Folder(path))
	dir := filepath.Join(dirs[len(dirs)-1], ".git")
	// Ask for the type first: opening a pipe would wait for somebody to write.
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	git, err := os.OpenRoot(dir)
	if err != nil {
		return ""
	}
	defer func() { _ = git.Close() }() // it was only read from
	head, err := readGit(git, "HEAD")
	if err != nil {
		return ""
	}
	ref, symbolic := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: ")
	if !symbolic {
		return plainCommit(ref)
	}
	if loose, err := readGit(git, filepath.FromSlash(ref)); err == nil {
		return plainCommit(strings.TrimSpace(string(loose)))
	}
	packed, err := readGit(git, "packed-refs")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(packed)) {
		if id, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == ref {
			return plainCommit(id)
		}
	}
	return ""
}

// maxGitFile bounds a file of git's, in bytes. A hundred thousand packed refs have
// some 8 MB.
const maxGitFile = 64 << 20

// readGit reads a file of git's, which is a file of bounded size and not a pipe.
func readGit(git *os.Root, name string) ([]byte, error) {
	info, err := git.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxGitFile:
		return nil, errors.New("not a file of git's")
	}
	return git.ReadFile(name)
}

var commitID = lazyregexp.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

func plainCommit(s string) string {
	if !commitID.MatchString(s) {
		return ""
	}
	return s
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// read reads a policy, which is a file of bounded size and not a pipe.
func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, sbom.Pathless(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > MaxFileSize {
		return nil, fmt.Errorf("larger than %d bytes", MaxFileSize)
	}
	data, err := os.ReadFile(file)
	return data, sbom.Pathless(err)
}

func prefix(dir, path string) string {
	path = Folder(path)
	absDir, errD := filepath.Abs(dir)
	absPath, errP := filepath.Abs(path)
	if errD != nil || errP != nil {
		return ""
	}
	rel, err := filepath.Rel(absDir, absPath)
	if err != nil || rel == "." || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.ToSlash(rel) + "/"
}
