package provenance

import "time"

// Metadata is what a registry says of one version in the package's metadata (its
// packument). All of it is the registry's own word, except for what its
// signatures cover: name, version and integrity.
type Metadata struct {
	Integrity  string   // dist.integrity as it stands there, which the signatures cover; may be empty
	Digests    []Digest // those in it, and dist.shasum
	Signatures []RegistrySignature
	Attested   bool      // it announces attestations (dist.attestations)
	Published  time.Time // zero where the registry does not say when
	Publisher  Publisher
	// Maintainers are the accounts that may publish, by name.
	Maintainers []string
	Repository  string // as the package declares it
	Tarball     string // URL; may be any
	Deprecated  string // the message; empty where it is not
	// Others are the package's other versions, in no particular order.
	Others []Release
}

// RegistrySignature is one element of dist.signatures, not yet believed.
type RegistrySignature struct {
	KeyID     string
	Signature []byte // ASN.1 DER; empty where the registry sends no base64
}

// Release is what history needs to know of a version.
type Release struct {
	Version    string
	Published  time.Time // zero where nobody says when
	Attested   bool      // attestations were announced or seen
	Publisher  Publisher
	Repository string // as declared; npm lets nobody attest another one
}

// Publisher is the account that published a version.
type Publisher struct {
	Name string // empty where the registry does not say
	// Trusted is the kind of trusted publisher ("github", "gitlab"): a workflow
	// published, without anybody's token. Empty where an account did.
	Trusted string
}

// String names the publisher for people.
func (p Publisher) String() string {
	if p.Trusted != "" {
		return p.Trusted + "'s trusted publishing"
	}
	return p.Name
}
