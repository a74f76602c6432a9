package sbom

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/package-url/packageurl-go"
)

// NPMPackageURL returns the canonical package URL (ECMA-427) of an npm package. Its
// scope is the namespace.
func NPMPackageURL(name, version string, qualifiers ...packageurl.Qualifier) string {
	namespace, base := splitScope(name)
	return packageurl.NewPackageURL(packageurl.TypeNPM, namespace, base, version, qualifiers, "").ToString()
}

// splitScope returns the scope of an npm package's name, if any, and the rest.
func splitScope(name string) (scope, base string) {
	if scope, base, ok := strings.Cut(name, "/"); ok {
		return scope, base
	}
	return "", name
}

// digestSizes are the algorithms of Subresource Integrity that npm has ever
// written, with the size of their digests in bytes.
var digestSizes = map[string]int{"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}

func parseDigest(text string) (Hash, error) {
	algorithm, digest, _ := strings.Cut(text, "-")
	size, known := digestSizes[algorithm]
	if !known {
		return Hash{}, errors.New("unknown algorithm")
	}
	value, ok := digestInHex(digest, size)
	if !ok {
		return Hash{}, fmt.Errorf("not a %s digest in base64", algorithm)
	}
	return Hash{Algorithm: algorithm, Value: value}, nil
}

// digestInHex converts a digest of that size in bytes from base64. A lockfile has
// thousands: only the result is on the heap.
func digestInHex(digest string, size int) (string, bool) {
	var text [88]byte // the longest, in base64
	var raw [66]byte  // what may be decoded from that
	var out [2 * len(raw)]byte
	if len(digest) != base64.StdEncoding.EncodedLen(size) { // which leaves no room for line breaks
		return "", false
	}
	n, err := base64.StdEncoding.Decode(raw[:], text[:copy(text[:], digest)])
	if err != nil || n != size {
		return "", false
	}
	return string(out[:hex.Encode(out[:], raw[:n])]), true
}

// ParseIntegrity parses https://www.w3.org/TR/SRI/ metadata: digests with blanks
// between them, each with options that mean nothing. It returns what it could
// parse even with an error: a browser or npm would skip the rest, and so leave a
// package unprotected that looks protected.
func ParseIntegrity(sri string) ([]Hash, error) {
	if hash, err := parseDigest(sri); err == nil {
		return []Hash{hash}, nil // as nearly all are
	}
	var hashes []Hash
	var bad error
	for field := range strings.FieldsSeq(sri) {
		field, _, _ = strings.Cut(field, "?")
		hash, err := parseDigest(field)
		if err != nil {
			bad = err
			continue
		}
		hashes = append(hashes, hash)
	}
	if len(hashes) == 0 && bad == nil {
		bad = errors.New("empty")
	}
	return hashes, bad
}
