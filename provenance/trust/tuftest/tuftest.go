// Package tuftest is a small TUF repository for tests.
//
// In flow targets and times; out flow signed metadata with fresh keys, over HTTP
// as a mirror serves them: a consistent snapshot, and hashes in front of targets.
// Nothing outside of tests may import it.
package tuftest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

var roles = []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS}

// Repository is a TUF repository that can be asked over HTTP. It is safe for
// concurrent use as a handler.
type Repository struct {
	Expires time.Time // of everything that is signed next

	root    *metadata.Metadata[metadata.RootType]
	keys    map[string]ed25519.PrivateKey
	version int64 // of timestamp, snapshot and targets

	mu    sync.Mutex
	files map[string][]byte
	fault func(http.ResponseWriter, *http.Request) bool
}

// New makes a repository with fresh keys and no targets, all of which expires
// then.
func New(expires time.Time) (*Repository, error) {
	r := &Repository{Expires: expires, root: metadata.Root(expires), keys: map[string]ed25519.PrivateKey{}, files: map[string][]byte{}}
	for _, role := range roles {
		if err := r.addKey(role); err != nil {
			return nil, err
		}
	}
	if err := r.signRoot(r.keys[metadata.ROOT]); err != nil {
		return nil, err
	}
	return r, r.Publish(nil)
}

func (r *Repository) addKey(role string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	key, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		return err
	}
	r.keys[role] = private
	return r.root.Signed.AddKey(key, role)
}

// Rotate signs a new root, with new keys for the root and the timestamp.
func (r *Repository) Rotate() error {
	old := r.keys[metadata.ROOT]
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP} {
		if err := r.root.Signed.RevokeKey(r.root.Signed.Roles[role].KeyIDs[0], role); err != nil {
			return err
		}
		if err := r.addKey(role); err != nil {
			return err
		}
	}
	r.root.Signed.Version++
	r.root.Signed.Expires = r.Expires
	return r.signRoot(old, r.keys[metadata.ROOT])
}

func (r *Repository) signRoot(keys ...ed25519.PrivateKey) error {
	r.root.ClearSignatures()
	data, err := sign(r.root, keys...)
	if err != nil {
		return err
	}
	r.Set(fmt.Sprintf("%d.root.json", r.root.Signed.Version), data)
	return nil
}

func sign[T metadata.Roles](m *metadata.Metadata[T], keys ...ed25519.PrivateKey) ([]byte, error) {
	for _, key := range keys {
		signer, err := signature.LoadSigner(key, crypto.Hash(0))
		if err != nil {
			return nil, err
		}
		if _, err := m.Sign(signer); err != nil {
			return nil, err
		}
	}
	return m.ToBytes(false)
}

// Publish signs new metadata for these targets.
func (r *Repository) Publish(targets map[string][]byte) error {
	r.version++
	list := metadata.Targets(r.Expires)
	list.Signed.Version = r.version
	for name, data := range targets {
		info, err := metadata.TargetFile().FromBytes(name, data, "sha256", "sha512")
		if err != nil {
			return err
		}
		list.Signed.Targets[name] = info
		dir, base := "", name
		if i := strings.LastIndex(name, "/"); i >= 0 {
			dir, base = name[:i+1], name[i+1:]
		}
		for _, hash := range info.Hashes {
			r.Set("targets/"+dir+hex.EncodeToString(hash)+"."+base, data)
		}
	}
	data, err := sign(list, r.keys[metadata.TARGETS])
	if err != nil {
		return err
	}
	r.Set(fmt.Sprintf("%d.targets.json", r.version), data)

	snapshot := metadata.Snapshot(r.Expires)
	snapshot.Signed.Version = r.version
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(r.version)
	if data, err = sign(snapshot, r.keys[metadata.SNAPSHOT]); err != nil {
		return err
	}
	r.Set(fmt.Sprintf("%d.snapshot.json", r.version), data)

	timestamp := metadata.Timestamp(r.Expires)
	timestamp.Signed.Version = r.version
	timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(r.version)
	if data, err = sign(timestamp, r.keys[metadata.TIMESTAMP]); err != nil {
		return err
	}
	r.Set("timestamp.json", data)
	return nil
}

// Root returns the first root, from which everything else is verified.
func (r *Repository) Root() []byte { return r.File("1.root.json") }

// File returns what is served under that path.
func (r *Repository) File(name string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.files[name]
}

// Set serves other bytes under a path, or nothing where they are nil.
func (r *Repository) Set(name string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[name] = data
}

// Files returns all that is served, to be brought back with [Repository.Restore].
func (r *Repository) Files() map[string][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.files)
}

// Restore serves what Files returned before.
func (r *Repository) Restore(files map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = maps.Clone(files)
}

// Fault makes f answer first; it reports whether it did. Nil ends that.
func (r *Repository) Fault(f func(http.ResponseWriter, *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

// ServeHTTP answers as a mirror does, or as the fault does.
func (r *Repository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	fault := r.fault
	data := r.files[strings.TrimPrefix(req.URL.Path, "/")]
	r.mu.Unlock()
	switch {
	case fault != nil && fault(w, req):
	case data == nil:
		http.NotFound(w, req)
	default:
		_, _ = w.Write(data) // the client may have gone
	}
}
