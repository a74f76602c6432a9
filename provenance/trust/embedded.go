package trust

import (
	_ "embed"
	"fmt"
	"sync"
	"time"
)

// AsOf is the date on which the embedded files were the newest ones.
const AsOf = "2026-11-23"

// MaxEmbeddedAge is how old the embedded files may be before Stale says so. The
// public instance rotates a log or a key about twice a year.
const MaxEmbeddedAge = 180 * 24 * time.Hour

//go:embed trusted_root.json
var embeddedRoot []byte

//go:embed npm-keys.json
var embeddedKeys []byte

// Parsing takes a millisecond, so it happens once, and only when asked for.
var embedded = sync.OnceValues(func() (*Material, error) {
	root, err := LoadRoot(embeddedRoot, "embedded trusted root")
	if err != nil {
		return nil, fmt.Errorf("this build is broken: %w", err)
	}
	keys, err := LoadNPMKeys(embeddedKeys, "embedded npm keys")
	if err != nil {
		return nil, fmt.Errorf("this build is broken: %w", err)
	}
	root.Source, root.AsOf = SourceEmbedded, AsOf
	keys.Source, keys.AsOf = SourceEmbedded, AsOf
	return &Material{Root: root, Keys: keys}, nil
})

// Embedded returns the material that this program was built with. It is parsed
// once; the returned value is the caller's own, so that a file can replace
// either half of it.
func Embedded() (*Material, error) {
	m, err := embedded()
	if err != nil {
		return nil, err
	}
	own := *m
	return &own, nil
}
