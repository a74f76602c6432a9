package lock

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"countermark/sbom"
)

// Integrity returns the sha512 among hashes in the form of npm, or "". A package
// that records several has them all in it, separated by blanks.
func Integrity(hashes []sbom.Hash) string {
	var out []string
	for _, h := range hashes {
		if h.Algorithm != "sha512" {
			continue
		}
		if raw, err := hex.DecodeString(h.Value); err == nil {
			out = append(out, "sha512-"+base64.StdEncoding.EncodeToString(raw))
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

// SHA512 returns the sha512 of an integrity in the form of npm (Subresource
// Integrity), as [Integrity] writes it, or "" where it has none: weaker digests
// say nothing about bytes.
func SHA512(integrity string) string {
	var hashes []sbom.Hash
	for text := range strings.FieldsSeq(integrity) {
		text, _, _ = strings.Cut(text, "?")
		encoded, ok := strings.CutPrefix(text, "sha512-")
		if raw, err := base64.StdEncoding.DecodeString(encoded); ok && err == nil && len(raw) == sha512.Size {
			hashes = append(hashes, sbom.Hash{Algorithm: "sha512", Value: hex.EncodeToString(raw)})
		}
	}
	return Integrity(hashes)
}
