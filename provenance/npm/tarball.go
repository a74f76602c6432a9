package npm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of a tarball. It is read as a stream and never unpacked.
const (
	maxTarballBytes     = 1 << 30 // compressed
	maxUnpackedBytes    = 4 << 30
	maxPackageJSONBytes = 4 << 20
	maxTarEntries       = 1_000_000
)

// Tarball is what an npm tarball says of itself, and its digest.
type Tarball struct {
	Name    string // of its package.json
	Version string
	SHA512  string // of all its bytes, lower-case hex
}

// ReadTarball reads an npm tarball to its end. Name and version are those of the
// package.json that npm would install, the last one in the first folder level:
// entries of a tar file overwrite earlier ones of the same name.
func ReadTarball(r io.Reader) (Tarball, error) {
	sum := sha512.New()
	limited := &io.LimitedReader{R: r, N: maxTarballBytes + 1}
	whole := io.TeeReader(limited, sum)
	t, err := readManifest(whole)
	if err != nil {
		return Tarball{}, err
	}
	if _, err := io.Copy(io.Discard, whole); err != nil {
		return Tarball{}, err
	}
	if limited.N == 0 {
		return Tarball{}, fmt.Errorf("it is larger than %d bytes", maxTarballBytes)
	}
	t.SHA512 = hex.EncodeToString(sum.Sum(nil))
	return t, nil
}

func readManifest(r io.Reader) (Tarball, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return Tarball{}, errors.New("it is no gzip file")
	}
	limited := &io.LimitedReader{R: unzipped, N: maxUnpackedBytes}
	archive := tar.NewReader(limited)
	var manifest []byte
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || entries > maxTarEntries || limited.N == 0 {
			return Tarball{}, errors.New("it is no whole tar file, or too large")
		}
		_, name, ok := strings.Cut(strings.TrimPrefix(header.Name, "./"), "/")
		if !ok || name != "package.json" || header.Typeflag != tar.TypeReg {
			continue
		}
		if manifest, err = io.ReadAll(io.LimitReader(archive, maxPackageJSONBytes+1)); err != nil || len(manifest) > maxPackageJSONBytes {
			return Tarball{}, errors.New("its package.json cannot be read")
		}
	}
	if manifest == nil {
		return Tarball{}, errors.New("it holds no package.json: no npm tarball")
	}
	return parseManifest(manifest)
}

// parseManifest reads a package.json as npm does: keys are as they are written, of
// one that occurs twice the last counts, and a byte order mark before it means
// nothing. A struct would take "Name" for "name".
func parseManifest(data []byte) (Tarball, error) {
	var members map[string]json.RawMessage
	err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &members)
	t := Tarball{Name: str(members, "name"), Version: strings.TrimLeft(str(members, "version"), "v=")}
	if err != nil || t.Name == "" || t.Version == "" {
		return Tarball{}, errors.New("its package.json has no name and version")
	}
	return t, nil
}
