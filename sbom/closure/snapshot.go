package closure

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"time"

	"countermark/sbom"
)

// Snapshot is a folder of recorded packuments. Each is a JSON file, or one that
// gzip has packed, named by the package as a URL would escape it:
// @scope%2Fname.json.gz.
type Snapshot struct{ FS fs.FS }

// snapshotName is the name of a package's file in a snapshot, without ".gz".
func snapshotName(name string) string { return url.PathEscape(name) + ".json" }

// Packument reads a package's file.
func (s Snapshot) Packument(_ context.Context, name string) (*Packument, error) {
	if !validName(name) {
		return nil, ErrNotFound
	}
	file := snapshotName(name)
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

// recordedName is a snapshot's own file. No package is called so.
const recordedName = ".recorded.json"

const maxRecorded = 1 << 16 // bytes

// recorded says of a snapshot when its registry was asked.
type recorded struct {
	At time.Time `json:"recordedAt"`
}

// OpenSnapshot opens a folder that [Record] wrote, and says when its registry was
// asked.
func OpenSnapshot(fsys fs.FS) (Snapshot, time.Time, error) {
	wrong := func(why string) (Snapshot, time.Time, error) {
		return Snapshot{}, time.Time{}, fmt.Errorf("%s%s", recordedName, why)
	}
	// Asked first: to open a pipe waits for somebody to write.
	if info, err := fs.Stat(fsys, recordedName); err == nil && !info.Mode().IsRegular() {
		return wrong(": it is not a regular file")
	}
	f, err := fsys.Open(recordedName)
	if err != nil {
		return wrong(": " + sbom.Pathless(err).Error())
	}
	defer func() { _ = f.Close() }() // it was only read from
	data, err := io.ReadAll(io.LimitReader(f, maxRecorded))
	var r recorded
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil || r.At.IsZero() {
		return wrong(" does not say when it was recorded")
	}
	return Snapshot{FS: fsys}, r.At, nil
}

// Record returns a source that hands every answer to write before it gives it, as a
// file of a snapshot that is recorded at that time. A write that fails ends the
// resolution: half a snapshot would later say that packages do not exist.
func Record(source Source, at time.Time, write func(name string, data []byte) error) (Source, error) {
	data, err := json.Marshal(recorded{at.UTC()})
	if err != nil {
		return nil, err
	}
	return recorder{source, write}, write(recordedName, data)
}

type recorder struct {
	Source
	write func(name string, data []byte) error
}

func (r recorder) Packument(ctx context.Context, name string) (*Packument, error) {
	p, err := r.Source.Packument(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return p, r.write(snapshotName(name)+".gz", packed.Bytes())
}
