package provenancetest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
)

// SignRelease signs what a registry signs of each version that it serves, with
// the registry's key: the signature of dist.signatures in DER.
func (s *Sigstore) SignRelease(name, version, integrity string) ([]byte, error) {
	digest := sha256.Sum256([]byte(name + "@" + version + ":" + integrity))
	return ecdsa.SignASN1(rand.Reader, s.registryKey, digest[:])
}
