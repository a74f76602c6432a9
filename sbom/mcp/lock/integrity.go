package lock

import (
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
	hashes, _ := sbom.ParseIntegrity(integrity)
	return Integrity(hashes)
}
