package closure

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
)

// Snapshot is a folder of recorded packuments. Each is a JSON file, or one that
// gzip has packed, named by the package as a URL would escape it:
// @scope%2Fname.json.gz.
type Snapshot struct{ FS fs.FS }

// SnapshotName is the name of a package's file in a snapshot, without ".gz".
func SnapshotName(name string) string { return url.PathEscape(name) + ".json" }

// Packument reads a package's file.
func (s Snapshot) Packument(_ context.Context, name string) (*Packument, error) {
	if !validName(name) {
		return nil, ErrNotFound
	}
	file := SnapshotName(name)
	f, err := s.FS.Open(file)
	packed := errors.Is(err, fs.ErrNotExist)
	if packed {
		file += ".gz"
		f, err = s.FS.Open(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be opened", file)
	}
	defer func() { _ = f.Close() }() // it was only read from
	var r io.Reader = f
	if packed {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: not packed by gzip", file)
		}
	}
	p, err := ReadPackument(r, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// Record returns a source that hands every answer to write before it gives it. A
// write that fails ends the resolution: half a snapshot would later say that
// packages do not exist.
func Record(source Source, write func(name string, p *Packument) error) Source {
	return recorder{source, write}
}

type recorder struct {
	Source
	write func(name string, p *Packument) error
}

func (r recorder) Packument(ctx context.Context, name string) (*Packument, error) {
	p, err := r.Source.Packument(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := r.write(name, p); err != nil {
		return nil, err
	}
	return p, nil
}
