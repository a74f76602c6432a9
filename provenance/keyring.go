package provenance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"

	"countermark/provenance/trust"
)

// keyring is what is trusted of one registry: its pinned keys, beside the root.
type keyring struct {
	registry  string // as [registryOrigin] writes it; empty where the keys are those of any
	keys      *trust.Keys
	roots     []root.TrustedMaterial // the trusted roots, each with the attestation keys by id
	signature map[string]signature.Verifier
}

func newKeyring(keys *trust.Keys, roots []root.TrustedMaterial) (*keyring, error) {
	r := &keyring{keys: keys, signature: map[string]signature.Verifier{}}
	if keys.Registry != "" {
		r.registry = registryOrigin(keys.Registry)
	}
	attestation := map[string]*root.ExpiringKey{}
	for _, k := range keys.All() {
		switch k.Usage {
		case trust.Attestations:
			v, err := signature.LoadDefaultVerifier(k.Public)
			if err != nil {
				return nil, fmt.Errorf("npm key %s: %w", clip(k.ID), err)
			}
			attestation[k.ID] = root.NewExpiringKey(v, k.Start, k.End)
		case trust.Signatures:
			public, ok := k.Public.(*ecdsa.PublicKey)
			if !ok || public.Curve != elliptic.P256() {
				continue // npm signs with no other kind; what names this key is signed by an unknown one
			}
			v, err := signature.LoadECDSAVerifier(public, crypto.SHA256)
			if err != nil {
				return nil, fmt.Errorf("npm key %s: %w", clip(k.ID), err)
			}
			r.signature[k.ID] = v
		}
	}
	r.roots = withKeys(roots, root.NewTrustedPublicKeyMaterialFromMapping(attestation))
	return r, nil
}

// signs reports whether keys are pinned with which the registry signs versions,
// those of a kind that is not verified among them: they are no leave to sign nothing.
func (r *keyring) signs() bool {
	return slices.ContainsFunc(r.keys.All(), func(k trust.Key) bool { return k.Usage == trust.Signatures })
}

// withKeys puts the keys beside each of the trusted roots.
func withKeys(roots []root.TrustedMaterial, keys root.TrustedMaterial) []root.TrustedMaterial {
	out := make([]root.TrustedMaterial, len(roots))
	for i, r := range roots {
		out[i] = root.TrustedMaterialCollection{r, keys}
	}
	return out
}

// ring returns the keys that are pinned for a registry, and never those of
// another: no registry vouches for what a second one serves under the same names.
// Where none are pinned, the ring is empty. Where no registry is known, the keys
// are the material's first.
func (v *Verifier) ring(registry string) *keyring {
	if registry == "" {
		return v.rings[0]
	}
	origin := registryOrigin(registry)
	for _, r := range v.rings {
		if r.registry == origin {
			return r
		}
	}
	for _, r := range v.rings {
		if r.registry == "" {
			return r
		}
	}
	return &keyring{registry: origin, keys: &trust.Keys{}, roots: v.roots}
}
