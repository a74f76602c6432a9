// Package cache keeps what registries answered, so that a run that was
// interrupted, or the next one, need not ask again.
//
// Into it go an answer's bytes under a key that names what was asked; out of it
// come the same bytes, or nothing. An entry holds the digest of its bytes, and what
// no longer fits is dropped and asked for anew. Whoever takes an entry verifies it
// again like what comes from the network: what is signed needs no more.
//
// Of a package's metadata the registry signs little, and only says that what is kept
// is still the same. Who could write here could so give a package another history,
// as the registry itself could. So a folder into which others may write is not used.
// One that is carried from machine to machine, as CI services do, is as good as who
// may write to it there.
//
// Each entry is a file of its own, written beside its place and then renamed, so
// that several processes can use one folder: a reader sees a whole entry or none.
package cache

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Limits of an entry and of them all.
const (
	// maxFolder bounds each of the 256 folders among which the keys are spread, in
	// bytes, and with them the cache: 4 GiB, of which a project of a thousand
	// packages fills a tenth.
	maxFolder = 16 << 20

	MaxBody   = 16 << 20 // bytes of an answer; larger ones are not kept
	maxHeader = 8 << 10  // of the line before it
	maxETag   = 1 << 10
)

const (
	folderMode = 0o700 // what somebody depends on is nobody else's concern
	fileMode   = 0o600
)

// Store is a folder with answers. It may be used by many goroutines and
// processes. A nil Store keeps nothing.
type Store struct{ root *os.Root }

// Entry is an answer as it was kept.
type Entry struct {
	ETag string // what the registry calls this state of the document; may be empty
	Body []byte
}

// header is the first line of a file.
type header struct {
	Key    string `json:"key"` // its SHA-256: a registry's URL may hold a token
	ETag   string `json:"etag,omitempty"`
	SHA256 string `json:"sha256"` // of the body
}

// Open returns the store in that folder, which it makes where there is none. One
// that others may write to is an error.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("the cache folder cannot be made: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the cache folder cannot be opened: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil {
		err = private(info)
	}
	if err != nil {
		_ = root.Close() // the error in hand is the one to report
		return nil, fmt.Errorf("the cache folder cannot be used: %w", err)
	}
	return &Store{root}, nil
}

// Close closes the folder.
func (s *Store) Close() error {
	if s == nil {
		return nil
	}
	return s.root.Close()
}

// place is where the entry with that key stands: keys hold what no file name may.
func place(key string) (folder, name string) {
	text := digest([]byte(key))
	return text[:2], path.Join(text[:2], text[2:])
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Get returns the entry with that key. What cannot be read, or is not what was
// put there, is as good as none, and is removed.
func (s *Store) Get(key string) (Entry, bool) {
	if s == nil {
		return Entry{}, false
	}
	_, name := place(key)
	e, err := s.read(key, name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			_ = s.root.Remove(name) // what stays is refused again
		}
		return Entry{}, false
	}
	return e, true
}

var errEntry = errors.New("no entry of this cache")

func (s *Store) read(key, name string) (Entry, error) {
	// Looked at before it is opened: to open a pipe waits for its other end.
	if info, err := s.root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return Entry{}, errors.Join(err, errEntry)
	}
	f, err := s.root.Open(name)
	if err != nil {
		return Entry{}, err
	}
	defer func() { _ = f.Close() }() // it was only read from
	data, err := io.ReadAll(io.LimitReader(f, maxHeader+MaxBody+1))
	if err != nil {
		return Entry{}, err
	}
	return parse(key, data)
}

// parse reads a file's bytes: a line of JSON, and the body.
func parse(key string, data []byte) (Entry, error) {
	line, body, ok := bytes.Cut(data, []byte("\n"))
	var h header
	if !ok || len(line) > maxHeader || len(body) > MaxBody || json.Unmarshal(line, &h) != nil {
		return Entry{}, errEntry
	}
	if h.Key != digest([]byte(key)) || h.SHA256 != digest(body) || !validETag(h.ETag) {
		return Entry{}, errEntry
	}
	return Entry{ETag: h.ETag, Body: body}, nil
}

// validETag reports whether the text can stand in a header (RFC 9110, section
// 8.8.3): quoted, and nothing in it that ends the line.
func validETag(s string) bool {
	if len(s) > maxETag {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// Put keeps an answer. What is too large, or has no usable ETag, is kept without
// it or not at all; that is no error.
func (s *Store) Put(key string, e Entry) error {
	if s == nil || len(e.Body) > MaxBody {
		return nil
	}
	if !validETag(e.ETag) {
		e.ETag = ""
	}
	line, err := json.Marshal(header{Key: digest([]byte(key)), ETag: e.ETag, SHA256: digest(e.Body)})
	if err != nil || len(line) > maxHeader {
		return err
	}
	folder, name := place(key)
	if err := s.root.Mkdir(folder, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	temporary := path.Join(folder, "new-"+rand.Text())
	f, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(append(append(line, '\n'), e.Body...))
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.root.Rename(temporary, name)
	}
	if err != nil {
		_ = s.root.Remove(temporary) // the error in hand is the one to report
		return err
	}
	s.trim(folder, name)
	return nil
}

// trim drops a folder's oldest files, what crashed processes left behind among
// them, until it is small enough. The newest stays, whatever its size. It looks
// at one folder only, so that it costs little each time, and no process has to
// sweep all of them.
func (s *Store) trim(folder, newest string) {
	entries, err := fs.ReadDir(s.root.FS(), folder)
	if err != nil {
		return // the next that is put there tries again
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // another process has removed it
		}
		total += info.Size()
		if e.Name() != path.Base(newest) {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range files {
		if total <= maxFolder {
			return
		}
		if s.root.Remove(path.Join(folder, info.Name())) == nil {
			total -= info.Size()
		}
	}
}

// Remove forgets an entry.
func (s *Store) Remove(key string) {
	if s == nil {
		return
	}
	_, name := place(key)
	_ = s.root.Remove(name) // what is not there need not go
}
