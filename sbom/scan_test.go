package sbom

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// textReader takes *.txt and remembers what it got.
type textReader struct{ got *[]string }

func (textReader) Recognize(p string) string {
	if path.Ext(p) == ".txt" {
		return "text"
	}
	return ""
}

func (textReader) Sniff(data []byte) string {
	if strings.HasPrefix(string(data), "text:") {
		return "text"
	}
	return ""
}

func (r textReader) Read(_ context.Context, files []*File, _ *Builder) error {
	for _, f := range files {
		*r.got = append(*r.got, f.Path)
	}
	return nil
}

func scan(t *testing.T, trees []Tree, exclude func(string) bool) (inv *Inventory, found []bool, got []string) {
	t.Helper()
	inv, found, err := Scan(t.Context(), trees, Options{Readers: []Reader{textReader{&got}}, Exclude: exclude})
	if err != nil {
		t.Fatal(err)
	}
	return inv, found, got
}

func TestScanWalk(t *testing.T) {
	tree := fstest.MapFS{
		"b.txt": {Data: []byte("x")}, "a/c.txt": {}, "a/node_modules/d.txt": {}, ".git/e.txt": {},
		"skip/f.txt": {}, "g.md": {},
	}
	inv, found, got := scan(t, []Tree{{FS: tree}, {FS: fstest.MapFS{"x.md": {}}, Prefix: "two/"}},
		func(p string) bool { return p == "skip" })
	if d := cmp.Diff([]string{"a/c.txt", "b.txt"}, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]bool{true, false}, found); d != "" {
		t.Error(d)
	}
	if in := inv.Inputs[1]; in.Path != "b.txt" || in.SHA256 != "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" {
		t.Errorf("input is %+v", in)
	}
}

func TestScanNamedFile(t *testing.T) {
	tree := fstest.MapFS{"odd.json": {Data: []byte("text: by its content")}, "no.json": {Data: []byte("{}")}, "y.txt": {}}
	for name, want := range map[string]bool{"odd.json": true, "no.json": false, "y.txt": true} {
		_, found, got := scan(t, []Tree{{FS: tree, File: name}}, nil)
		if found[0] != want || slices.Contains(got, name) != want {
			t.Errorf("%s: found %v, read %v", name, found, got)
		}
	}
}

func TestScanOfWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret.txt")
	for name, content := range map[string]string{outside: "s", filepath.Join(dir, "ok.txt"): "x"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.txt")); err != nil {
		t.Skip("no symbolic links here: " + err.Error())
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	inv, _, got := scan(t, []Tree{{FS: root.FS()}}, nil)
	if d := cmp.Diff([]string{"ok.txt"}, got); d != "" {
		t.Error(d)
	}
	broken := map[string]bool{}
	for _, in := range inv.Inputs {
		broken[in.Path] = in.Broken()
		for _, p := range in.Problems {
			if strings.Contains(p.Message, dir) {
				t.Errorf("%s: a path of this machine in %q", in.Path, p.Message)
			}
		}
	}
	if d := cmp.Diff(map[string]bool{"ok.txt": false, "link.txt": true}, broken); d != "" {
		t.Error(d)
	}
	if !inv.Incomplete() {
		t.Error("an unreadable file leaves the inventory incomplete")
	}
}

// clientReader takes .client/x.txt only: what a file means depends on its folder.
type clientReader struct{ textReader }

func (clientReader) Recognize(p string) string {
	if path.Base(p) == "mcp.json" && path.Base(path.Dir(p)) == ".outside" {
		return "client"
	}
	if path.Base(p) == "x.txt" && path.Base(path.Dir(p)) == ".client" {
		return "client"
	}
	return ""
}

// A folder of a client may be a link: the client follows it.
func TestScanFollowsFolders(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"conf/deep", "node_modules/m/.client", "real/.client", "excluded/e/.client"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, d, "x.txt"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "conf", "x.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{
		".client": "conf", "conf/deep/.client": "..", "again": "real", "loop": ".", "conf/loop": "../conf",
		"shown": "node_modules/m", "away": "/", "broken": "none", ".outside": "../elsewhere", "unhidden": "excluded/e",
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Skip("no symbolic links here: " + err.Error())
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	var got []string
	inv, _, err := Scan(t.Context(), []Tree{{FS: root.FS()}}, Options{
		Readers: []Reader{clientReader{textReader{&got}}},
		Exclude: func(p string) bool { return p == "excluded" || strings.HasPrefix(p, "excluded/") },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(inv.Inputs, func(in *Input) bool { return in.Path == ".outside" && in.Broken() }) {
		t.Error("a client's folder that leads out of the tree is no problem")
	}
	if slices.ContainsFunc(inv.Inputs, func(in *Input) bool { return in.Path == "away" || in.Path == "broken" }) {
		t.Error("a link of no client that leads out of the tree is a problem")
	}
	for _, want := range []string{".client/x.txt", "conf/deep/.client/x.txt", "real/.client/x.txt", "shown/.client/x.txt", "unhidden/.client/x.txt"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s was not read; got %q", want, got)
		}
	}
	for _, name := range got {
		if strings.HasPrefix(name, "again/") || strings.Count(name, "loop") > 1 {
			t.Errorf("%s was read once more", name)
		}
	}
}

func TestScanStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := Scan(ctx, []Tree{{FS: fstest.MapFS{"a.txt": {}}}}, Options{Readers: []Reader{textReader{new([]string)}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestScanDepth(t *testing.T) {
	deep := strings.Repeat("d/", MaxTreeDepth+2) + "a.txt"
	inv, found, got := scan(t, []Tree{{FS: fstest.MapFS{deep: {}}}}, nil)
	if !found[0] || len(got) != 0 || !inv.Incomplete() {
		t.Errorf("found %v, read %v, inputs %+v", found, got, inv.Inputs)
	}
}

func TestSibling(t *testing.T) {
	f := File{FS: fstest.MapFS{"a/x.json": {Data: []byte("1")}}, Name: "a/lock.json"}
	if data, err := f.Sibling("x.json"); err != nil || string(data) != "1" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := f.Sibling("../../etc/passwd"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if _, err := f.Sibling("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// hugeFS has one file that claims a size, and that nobody may open.
type hugeFS struct{ fstest.MapFS }

func (h hugeFS) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(h.MapFS, name)
	return hugeInfo{info}, err
}

func (h hugeFS) Open(name string) (fs.File, error) {
	if name != "." {
		return nil, errors.New("it is opened")
	}
	return h.MapFS.Open(name)
}

type hugeInfo struct{ fs.FileInfo }

func (hugeInfo) Size() int64 { return MaxFileSize + 1 }

// TestHugeFile: a file beyond the limit is refused by its size, before it is read.
func TestHugeFile(t *testing.T) {
	tree := hugeFS{fstest.MapFS{"a.txt": {}}}
	inv, _, err := Scan(t.Context(), []Tree{{FS: tree}}, Options{Readers: []Reader{textReader{new([]string)}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "cannot be read: larger than 128 MiB"
	if len(inv.Inputs) != 1 || len(inv.Inputs[0].Problems) != 1 || inv.Inputs[0].Problems[0].Message != want || !inv.Incomplete() {
		t.Errorf("%+v, want %q", *inv.Inputs[0], want)
	}
}
