package sbom

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Limits of a scan. What goes beyond them is a problem of the input, which
// leaves the answer unknown; it is never read in part and called whole.
const (
	MaxFileSize    = 128 << 20 // bytes of one input
	MaxTreeEntries = 2_000_000 // files and folders of one tree
	MaxTreeDepth   = 200       // folders below the root
)

// Reader reads one family of files into an inventory.
type Reader interface {
	// Recognize returns the kind of the file at that slash-separated path, by
	// its name alone, or "".
	Recognize(path string) string
	// Sniff returns the kind of a file that the user named and that no reader
	// recognises by its name, by its content, or "".
	Sniff(data []byte) string
	// Read adds what the files hold to b. It gets all files of its family at
	// once, by path, since what one of them means can depend on another. What is
	// wrong with a file goes to File.Problem; an error ends the whole scan and
	// is returned only for a cancelled context.
	Read(ctx context.Context, files []*File, b *Builder) error
}

// Chooser is a Reader that needs the content of some files to tell whether they
// are its own, since other programs have files of that name, too.
type Chooser interface {
	Reader
	// Knows reports whether a kind is one of the reader's.
	Knows(kind string) bool
	// Holds reports whether a file that Recognize knows by its path is one that
	// the reader reads. It says true for what is broken and may be one.
	Holds(path string, data []byte) bool
}

// Guesser is a Reader that recognises some files by so little of their path that
// most of them are something else. What of those cannot be read is left out, where
// any other file would be a problem.
type Guesser interface {
	Reader
	// Guesses reports whether Recognize says no more than that a file may be one.
	Guesses(path string) bool
}

// FolderReader is a Reader that reads whole folders which a search does not enter:
// it gets a File without bytes for each of them.
type FolderReader interface {
	Reader
	// RecognizeFolder returns the kind of what lies at that slash-separated path
	// and has the name of such a folder, or "". It need not be a folder, and may be
	// a link.
	RecognizeFolder(path string) string
}

// File is a recognised file. Its bytes have been read once, within MaxFileSize.
type File struct {
	Path string // in the inventory: relative to the scanned PATH, with a prefix where there are several
	Kind string // what its reader recognised it as
	Data []byte // not to be changed: texts in the inventory are parts of it

	// FS and Name lead to the files around it: FS is the tree, Name the path of
	// this file in it. FS refuses to leave the tree.
	FS   fs.FS
	Name string

	// Place is where the tree is on this machine, to be compared with what files say of
	// places, and never to be written; empty where nobody knows.
	Place string

	input *Input
}

// Problem records something that is wrong with the file.
func (f *File) Problem(p Problem) { f.input.Problems = append(f.input.Problems, p) }

// NoPeers says that the file does not tell which of its packages are only there
// because somebody asks for a peer, so that nobody can leave these out.
func (f *File) NoPeers() { f.input.NoPeers = true }

// Digest gives a folder the digest of what was read in it.
func (f *File) Digest(sum string) { f.input.SHA256 = sum }

// Sibling returns the bytes of another file of the same tree, with name
// relative to the folder of f. The error is fs.ErrNotExist where it does not
// exist; every other error means that it is there and could not be read.
func (f *File) Sibling(name string) ([]byte, error) {
	p := path.Join(path.Dir(f.Name), name)
	if !fs.ValidPath(p) {
		return nil, fmt.Errorf("%s: outside of the scanned folder: %w", name, fs.ErrInvalid)
	}
	return readFile(f.FS, p)
}

// Tree is one PATH.
type Tree struct {
	FS     fs.FS
	Prefix string   // put before every path, "" or ending in "/"
	File   string   // the one file to read, where PATH is a file; else the whole tree is searched
	Files  []string // the files to read, and no others; nil for all that are recognised
	Closed []string // folders in which Files could not be looked for, since they are too large
	Kind   string   // of File or Files, whatever their names; "" to tell by name and content
	Input  string   // kind of the inputs, where their place says more than what their reader recognises; "" for the reader's
	Folder string   // name of the folder that the tree is, by which some files are known (.vscode/mcp.json)
	Dir    string   // where the tree is on this machine, for who writes beside what was read; empty where nobody can
	Place  string   // the same without links, as programs remember it; empty where nobody knows
}

// Options steer a scan. The zero value searches everything.
type Options struct {
	Readers []Reader
	Exclude func(path string) bool // paths that are not entered

	// Resolve adds what the launches that the readers found would fetch today; nil
	// adds nothing. An error ends the scan.
	Resolve func(ctx context.Context, b *Builder) error

	// Each gets an inventory of its own for every project below the trees, the root
	// included, by folder; nil where nobody wants them. See [Builder.Project].
	Each func(folder string, inv *Inventory)
}

// Scan reads the trees into one inventory. It returns an error only where there
// can be no inventory at all: a cancelled context, or a broken root. Found
// reports, for each tree, whether anything in it was recognised.
func Scan(ctx context.Context, trees []Tree, opts Options) (inv *Inventory, found []bool, err error) {
	b := NewBuilder()
	files := make([][]*File, len(opts.Readers))
	found = make([]bool, len(trees))
	for i, t := range trees {
		ok, err := collect(ctx, t, opts, b, files)
		if err != nil {
			return nil, nil, err
		}
		found[i] = ok
	}
	for i, r := range opts.Readers {
		sort.SliceStable(files[i], func(x, y int) bool { return files[i][x].Path < files[i][y].Path })
		if err := r.Read(ctx, files[i], b); err != nil {
			return nil, nil, err
		}
	}
	if opts.Resolve != nil {
		if err := opts.Resolve(ctx, b); err != nil {
			return nil, nil, err
		}
	}
	if opts.Each != nil {
		for _, p := range b.split() {
			opts.Each(p.folder, p.b.Inventory())
		}
	}
	return b.Inventory(), found, nil
}

// ScanBytes reads one file of a tree as if these were its bytes: before somebody
// writes them, so that what is wrong with them is seen first.
func ScanBytes(ctx context.Context, r Reader, t Tree, name, kind string, data []byte) (*Inventory, error) {
	b := NewBuilder()
	in := b.input(t.Prefix+name, kind)
	err := r.Read(ctx, []*File{{Path: in.Path, Kind: kind, Data: data, FS: t.FS, Name: name, input: in}}, b)
	return b.Inventory(), err
}

// collector gathers the files of one tree for the readers.
type collector struct {
	Tree
	Options
	b       *Builder
	files   [][]*File // for each reader
	entries int
	found   bool
}

func collect(ctx context.Context, t Tree, opts Options, b *Builder, files [][]*File) (found bool, err error) {
	c := &collector{Tree: t, Options: opts, b: b, files: files}
	if t.File != "" {
		c.named(t.File)
		return c.found, nil
	}
	if t.Files != nil {
		c.listed(t.Files)
		return c.found, ctx.Err()
	}
	err = fs.WalkDir(t.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if cerr := ctx.Err(); cerr != nil {
			return cerr
		}
		return c.visit(name, d, err)
	})
	return c.found, err
}

// named takes the one file that the user named: whatever its name, its content
// decides in the end.
func (c *collector) named(name string) {
	if c.taken(name) {
		return
	}
	data, err := readFile(c.FS, name)
	if reader, ok := c.forced(); ok {
		c.take(reader, name, c.Kind, data, err)
		return
	}
	by := c.recognize(name)
	if err != nil {
		c.broken(name, append(by, match{kind: "unknown"})[0].kind, unreadable(err))
		return
	}
	for _, m := range by {
		if c.holds(m.reader, name, data) {
			c.take(m.reader, name, m.kind, data, nil)
		}
	}
	if c.taken(name) {
		return
	}
	for i, r := range c.Readers {
		if kind := r.Sniff(data); kind != "" {
			c.take(i, name, kind, data, nil)
			return
		}
	}
}

// listed takes the files that the caller looked up.
func (c *collector) listed(names []string) {
	for _, folder := range c.Closed {
		c.broken(folder, "folder", limit("too large or deep to be searched"))
	}
	for _, name := range names {
		if c.Exclude != nil && c.Exclude(c.Prefix+name) {
			continue
		}
		if reader, ok := c.forced(); ok && !c.taken(name) {
			data, err := readFile(c.FS, name)
			c.take(reader, name, c.Kind, data, err)
			continue
		}
		c.choose(name, c.recognize(name))
	}
}

// forced returns the reader of the kind that the caller says the files have.
func (c *collector) forced() (reader int, ok bool) {
	if c.Kind == "" {
		return 0, false
	}
	reader = slices.IndexFunc(c.Readers, func(r Reader) bool {
		chooser, ok := r.(Chooser)
		return ok && chooser.Knows(c.Kind)
	})
	return reader, reader >= 0
}

func (c *collector) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		if name == "." {
			return err
		}
		c.broken(name, "folder", unreadable(err))
		if d != nil && d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if c.full() {
		return fs.SkipAll
	}
	excluded := name != "." && c.Exclude != nil && c.Exclude(c.Prefix+name)
	switch {
	case d.IsDir() && excluded:
		return fs.SkipDir
	case excluded:
		return nil
	case hidden[path.Base(name)]:
		c.takeFolder(name)
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	case d.IsDir() && strings.Count(name, "/") >= MaxTreeDepth:
		c.broken(name, "folder", limit("deeper than %d folders", MaxTreeDepth))
		return fs.SkipDir
	case d.IsDir():
		return nil
	case d.Type()&fs.ModeSymlink != 0 && c.folder(name):
		return c.follow(name, name, nil)
	case d.Type()&fs.ModeSymlink != 0 && c.leaves(name):
		return nil
	}
	c.choose(name, c.recognize(name))
	return nil
}

// takeFolder gives a folder that is not entered to the readers that want it whole.
func (c *collector) takeFolder(name string) {
	for i, r := range c.Readers {
		fr, ok := r.(FolderReader)
		if !ok || c.taken(name) {
			continue
		}
		if kind := fr.RecognizeFolder(name); kind != "" {
			c.found = true
			in := c.b.input(c.Prefix+name, kind)
			c.files[i] = append(c.files[i], &File{Path: in.Path, Kind: kind, FS: c.FS, Name: name, Place: c.Place, input: in})
		}
	}
}

// match is a reader that knows a file by its name.
type match struct {
	reader int
	kind   string
}

// choose reads a file that readers know by its name, and gives it to each of them
// unless it turns out to be another program's. The input has the kind that the
// first one says.
func (c *collector) choose(name string, by []match) {
	if len(by) == 0 || c.taken(name) {
		return
	}
	data, err := readFile(c.FS, name)
	for _, m := range by {
		if err != nil && c.guesses(m.reader, name) {
			continue
		}
		if err != nil || c.holds(m.reader, name, data) {
			c.take(m.reader, name, m.kind, data, err)
		}
		if err != nil {
			return
		}
	}
}

// taken reports whether the file was read before: by two PATHs, one of them in
// the other.
func (c *collector) taken(name string) bool {
	taken := c.b.inputs[c.Prefix+name] != nil
	c.found = c.found || taken
	return taken
}

func (c *collector) guesses(reader int, name string) bool {
	guesser, ok := c.Readers[reader].(Guesser)
	return ok && guesser.Guesses(path.Join(c.Folder, name))
}

func (c *collector) holds(reader int, name string, data []byte) bool {
	chooser, ok := c.Readers[reader].(Chooser)
	return !ok || chooser.Holds(path.Join(c.Folder, name), data)
}

// hidden are the folders that are not entered.
var hidden = map[string]bool{"node_modules": true, ".git": true}

// full counts one more entry, and reports whether that was too many.
func (c *collector) full() bool {
	c.entries++
	if c.entries > MaxTreeEntries {
		c.broken(".", "folder", limit("more than %d files and folders", MaxTreeEntries))
		return true
	}
	return false
}

// folder reports whether a link leads to a folder of the tree.
func (c *collector) folder(name string) bool {
	info, err := fs.Stat(c.FS, name)
	return err == nil && info.IsDir()
}

// insideClients are where clients keep their configurations in their folders.
var insideClients = []string{"mcp.json", "settings.json", "settings/mcp.json", "mcp/mcp.json", "mcp-config.json"}

// leaves notes a link out of the tree that is called like a client's folder: the
// client would follow it, and nobody here knows where to.
func (c *collector) leaves(name string) bool {
	_, err := fs.Stat(c.FS, name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	for _, inside := range insideClients {
		if len(c.recognize(path.Join(name, inside))) > 0 {
			c.broken(name, "folder", unreadable(err))
			return true
		}
	}
	return false
}

// follow goes through a link to a folder, since a client does so too: a link
// .vscode makes a configuration of conf/mcp.json. A file is taken only where its
// name behind the link says more than its own name, which the walk has seen.
// real is the folder's own name as far as known; through holds the folders on
// the way, so that no circle is gone round.
func (c *collector) follow(name, real string, through []string) error {
	real, err := c.target(name, real)
	if err != nil {
		c.broken(name, "folder", unreadable(err))
		return nil
	}
	if slices.Contains(through, real) {
		return nil
	}
	return c.behind(name, real, append(slices.Clip(through), real))
}

// target resolves one link, without leaving the tree.
func (c *collector) target(name, real string) (string, error) {
	to, err := fs.ReadLink(c.FS, name)
	if err != nil {
		return "", err
	}
	target := path.Join(path.Dir(real), filepath.ToSlash(to))
	if path.IsAbs(filepath.ToSlash(to)) || !fs.ValidPath(target) {
		return name, nil // it is inside all the same, or it could not be read
	}
	return target, nil
}

func (c *collector) behind(name, real string, through []string) error {
	entries, err := fs.ReadDir(c.FS, name)
	if err != nil {
		c.broken(name, "folder", unreadable(err))
		return nil
	}
	for _, d := range entries {
		if c.full() {
			return fs.SkipAll
		}
		child, own := path.Join(name, d.Name()), path.Join(real, d.Name())
		if hidden[d.Name()] || c.Exclude != nil && c.Exclude(c.Prefix+child) {
			continue
		}
		switch {
		case strings.Count(child, "/") >= MaxTreeDepth:
			c.broken(child, "folder", limit("deeper than %d folders", MaxTreeDepth))
			continue
		case d.IsDir():
			err = c.behind(child, own, through)
		case d.Type()&fs.ModeSymlink != 0 && c.folder(child):
			err = c.follow(child, own, through)
		case d.Type()&fs.ModeSymlink != 0 && c.leaves(child):
		default:
			c.takeBehind(child, own)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) takeBehind(name, own string) {
	by := c.recognize(name)
	walked := !slices.ContainsFunc(strings.Split(own, "/"), func(s string) bool { return hidden[s] }) &&
		(c.Exclude == nil || !c.Exclude(c.Prefix+own))
	if walked {
		seen := c.recognize(own)
		by = slices.DeleteFunc(by, func(m match) bool { return slices.Contains(seen, m) })
	}
	c.choose(name, by)
}

// recognize returns the readers that know a file by its name, each once. Inside of
// the folder that the tree is, it may have another meaning than alone.
func (c *collector) recognize(name string) []match {
	var out []match
	for i, r := range c.Readers {
		kind := r.Recognize(path.Join(c.Folder, name))
		if kind == "" && c.Folder != "" {
			kind = r.Recognize(name)
		}
		if kind != "" {
			out = append(out, match{i, kind})
		}
	}
	return out
}

func (c *collector) take(reader int, name, kind string, data []byte, err error) {
	c.found = true
	if err != nil {
		c.broken(name, kind, unreadable(err))
		return
	}
	in := c.b.input(c.Prefix+name, cmp.Or(c.Input, kind))
	in.SHA256 = Sum(data)
	c.files[reader] = append(c.files[reader], &File{Path: in.Path, Kind: kind, Data: data, FS: c.FS, Name: name, Place: c.Place, input: in})
}

// Sum is what [Input] has as the SHA-256 of a file's bytes.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// broken records what cannot be read. It counts as found: nobody knows what is
// in it.
func (c *collector) broken(name, kind string, p Problem) {
	c.found = true
	in := c.b.input(c.Prefix+name, kind)
	in.Problems = append(in.Problems, p)
}

// readFile reads a regular file of bounded size. It asks for the type first,
// since opening a pipe that nobody writes to would wait forever.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	if info.Size() > MaxFileSize {
		return nil, errTooLarge
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	data.Grow(int(info.Size()) + bytes.MinRead)
	if _, err := data.ReadFrom(io.LimitReader(f, MaxFileSize+1)); err != nil {
		return nil, err
	}
	if data.Len() > MaxFileSize {
		return nil, errTooLarge
	}
	return data.Bytes(), nil
}

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = fmt.Errorf("larger than %d MiB", MaxFileSize>>20)
)

// unreadable words an error without the path that the operating system put into
// it: a path of this machine does not belong into an inventory.
func unreadable(err error) Problem {
	return Problem{Code: Invalid, Message: "cannot be read: " + Pathless(err).Error(), Hint: "make it a readable file inside of the checked folder, or exclude it in the policy"}
}

func limit(format string, args ...any) Problem {
	return Problem{Code: Invalid, Message: fmt.Sprintf(format, args...), Hint: "check a smaller folder, or exclude what is not to be read in the policy"}
}
