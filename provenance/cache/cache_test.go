package cache

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const key = "https://registry.example/ @acme/tool@1.0.0"

func open(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, dir
}

func put(t *testing.T, s *Store, e Entry) {
	t.Helper()
	if err := s.Put(key, e); err != nil {
		t.Fatal(err)
	}
}

func TestKeeps(t *testing.T) {
	s, dir := open(t)
	if _, ok := s.Get(key); ok {
		t.Error("an empty store has an entry")
	}
	for _, e := range []Entry{{ETag: `W/"1"`, Body: []byte("one\ntwo")}, {Body: nil}, {ETag: `"2"`, Body: []byte("later")}} {
		put(t, s, e)
		got, ok := s.Get(key)
		if !ok || got.ETag != e.ETag || !bytes.Equal(got.Body, e.Body) {
			t.Errorf("put %+v, got %+v, %v", e, got, ok)
		}
	}
	if _, ok := s.Get(key + "1"); ok {
		t.Error("another key has the entry")
	}
	_, name := place(key)
	for path, want := range map[string]os.FileMode{dir: folderMode, filepath.Join(dir, name): fileMode} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	s.Remove(key)
	if _, ok := s.Get(key); ok {
		t.Error("a removed entry is there")
	}
}

func TestWhatIsNotKept(t *testing.T) {
	s, _ := open(t)
	put(t, s, Entry{Body: make([]byte, MaxBody+1)})
	if _, ok := s.Get(key); ok {
		t.Error("an answer that is too large was kept")
	}
	put(t, s, Entry{ETag: "\"a\r\nX: y\"", Body: []byte("{}")})
	if e, ok := s.Get(key); !ok || e.ETag != "" {
		t.Errorf("an ETag with a line break was kept: %+v", e)
	}
	var none *Store
	if err := none.Put(key, Entry{}); err != nil {
		t.Error(err)
	}
	if _, ok := none.Get(key); ok {
		t.Error("no store has an entry")
	}
}

// TestForeignFiles: what somebody else put in an entry's place is no entry, and
// is gone afterwards.
func TestForeignFiles(t *testing.T) {
	s, dir := open(t)
	put(t, s, Entry{ETag: `"1"`, Body: []byte(`{"a":1}`)})
	_, name := place(key)
	name = filepath.Join(dir, name)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string][]byte{
		"empty":           {},
		"cut":             good[:len(good)-1],
		"longer":          append(bytes.Clone(good), ' '),
		"other bytes":     bytes.Replace(good, []byte(`{"a":1}`), []byte(`{"a":2}`), 1),
		"another's entry": bytes.Replace(good, []byte(digest([]byte(key))), []byte(digest([]byte("other"))), 1),
		"header in ETag":  bytes.Replace(good, []byte(`\"1\"`), []byte(`\r\nX:`), 1),
		"no JSON":         []byte("nothing\n{}"),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, s, name, what)
	}
	if err := os.Symlink(outside, name); err != nil {
		t.Fatal(err)
	}
	refused(t, s, name, "symlink")
	if kept, err := os.ReadFile(outside); err != nil || !bytes.Equal(kept, good) {
		t.Errorf("what the link led to was touched: %v", err)
	}
}

func refused(t *testing.T, s *Store, name, what string) {
	t.Helper()
	if e, ok := s.Get(key); ok {
		t.Errorf("%s: is taken for an entry: %q", what, e.Body)
	}
	if _, err := os.Lstat(name); err == nil {
		t.Errorf("%s: is still there", what)
	}
}

func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := Open(dir); err == nil {
			t.Errorf("%s was opened", dir)
		}
	}
}

// TestOthersFolders: who may write to the folder could change what is in it.
func TestOthersFolders(t *testing.T) {
	if os.Getuid() < 0 {
		t.Skip("a folder of Windows has no mode that says who may write")
	}
	for _, mode := range []os.FileMode{0o777, 0o770, 0o722, 0o1777, 0o755, 0o700} {
		dir := filepath.Join(t.TempDir(), "cache")
		if err := os.Mkdir(dir, folderMode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if want := mode&0o022 != 0; want != (err != nil) || want && !strings.Contains(err.Error(), "others may write to it") {
			t.Errorf("%o: %v", mode, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTogether: who reads while others write sees a whole entry.
func TestTogether(t *testing.T) {
	_, dir := open(t)
	var group sync.WaitGroup
	for i := range 8 {
		s, err := Open(dir) // as another process would
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		group.Go(func() {
			body := bytes.Repeat(fmt.Append(nil, i), 10_000)
			for range 50 {
				if err := s.Put(key, Entry{Body: body}); err != nil {
					t.Error(err)
				}
				e, ok := s.Get(key)
				if !ok || len(e.Body) != 10_000 || bytes.Count(e.Body, e.Body[:1]) != 10_000 {
					t.Errorf("%d bytes, %v", len(e.Body), ok)
				}
			}
		})
	}
	group.Wait()
}

func FuzzParse(f *testing.F) {
	s, err := Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	if err := s.Put(key, Entry{ETag: `"1"`, Body: []byte("{}")}); err != nil {
		f.Fatal(err)
	}
	_, name := place(key)
	good, err := s.root.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parse(key, data)
		if err == nil && (!bytes.HasSuffix(data, e.Body) || !validETag(e.ETag)) {
			t.Errorf("%q became %+v", data, e)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	s, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	body := make([]byte, 20<<10) // npm's answers have about that
	if err := s.Put(key, Entry{Body: body}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, ok := s.Get(key); !ok {
			b.Fatal("no entry")
		}
	}
}

// TestTrim: the oldest entries of a folder make room, and those of others stay.
func TestTrim(t *testing.T) {
	s, dir := open(t)
	folder, _ := place(key)
	keys := []string{key}
	for i := 0; len(keys) < 4; i++ {
		if k := fmt.Sprint(i); strings.HasPrefix(digest([]byte(k)), folder) {
			keys = append(keys, k)
		}
	}
	body := bytes.Repeat([]byte("a"), maxFolder/3-1<<10)
	age := func(name string, days int) {
		t.Helper()
		at := time.Date(2020, time.January, days, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	left := folder + "/new-LEFTBEHIND"
	if err := s.root.Mkdir(folder, folderMode); err != nil {
		t.Fatal(err)
	}
	if err := s.root.WriteFile(left, body, fileMode); err != nil {
		t.Fatal(err)
	}
	age(left, 1)
	if err := s.Put("another folder's", Entry{Body: body}); err != nil {
		t.Fatal(err)
	}
	_, elsewhere := place("another folder's")
	age(elsewhere, 1)
	for i, k := range keys {
		if err := s.Put(k, Entry{Body: body}); err != nil {
			t.Fatal(err)
		}
		_, name := place(k)
		age(name, 2+i)
	}
	if _, err := s.root.Stat(left); err == nil {
		t.Error("what a crashed process left is still there")
	}
	for i, k := range keys {
		if _, ok := s.Get(k); ok != (i > 0) {
			t.Errorf("entry %d is there: %t; all but the oldest fit", i, ok)
		}
	}
	if _, ok := s.Get("another folder's"); !ok {
		t.Error("another folder's entry is gone")
	}
}
