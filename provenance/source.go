package provenance

import (
	"bytes"
	"context"
	"sync/atomic"

	"countermark/sbom"
)

// Attestation is one bundle as it was found, not yet believed.
type Attestation struct {
	// ClaimedType is the predicate type that an unsigned wrapper (npm's answer)
	// gives it; empty where there was no wrapper. Only the signed type counts.
	ClaimedType string
	Bundle      []byte // the sigstore bundle's JSON
	From        string // where it was found, for messages: a file name, or a redacted URL
	// File is the file of a release that it was served for; empty where nobody says.
	File string
	// Publisher is who an index says that signed it; nil where it says nothing.
	Publisher *TrustedPublisher

	ready *ready // nil where nobody has parsed the bundle yet
}

// Equal reports whether the same bundle was found at the same place.
func (a Attestation) Equal(b Attestation) bool {
	return a.ClaimedType == b.ClaimedType && bytes.Equal(a.Bundle, b.Bundle) && a.From == b.From && a.File == b.File
}

// ready holds a bundle that was parsed to find out what it is of.
type ready struct{ first atomic.Pointer[opened] }

// open parses the bundle. What was parsed before serves once: whoever verifies it
// must not share it.
func (a Attestation) open() (*opened, error) {
	if a.ready != nil {
		if o := a.ready.first.Swap(nil); o != nil {
			return o, nil
		}
	}
	return open(a.Bundle)
}

// Availability says what the lack of an attestation means.
type Availability string

// The answers that a source can give.
const (
	Found       Availability = "found"       // Set.Attestations is everything that there is
	None        Availability = "none"        // the registry answered that there is none
	Unreachable Availability = "unreachable" // nobody could be asked, or the answer was no answer
	Unread      Availability = "unread"      // there is something, in a form that is not read
	NoSupport   Availability = "no-support"  // the registry is no npm-like one with attestations
)

// Set is what a source has for one subject.
type Set struct {
	Availability Availability
	Attestations []Attestation
	Reason       string // for people, where Availability is not Found; may quote foreign data
	Hint         string // what to do next, where Availability is not Found
	// Incomplete says what is missing in Attestations, where Availability is Found
	// and something could not be fetched; only images have that.
	Incomplete string
	// Files are all files of a Python release; nil where nobody says which there are.
	Files []File
	// Registry is the URL of the registry that is configured for the subject,
	// with which the publish attestation has to agree; empty where unknown.
	Registry string
	// Metadata is what that registry says of the version; nil where it was not
	// asked, or knows no such version. Of a subject without a version it holds the
	// other releases only.
	Metadata *Metadata
	// Tarball is what became of fetching the bytes themselves; nil where nobody
	// wanted them.
	Tarball *Tarball
	// UnknownPackage says that the registry has no package of that name.
	UnknownPackage bool
	// Remembered are other versions of the package that an archive has seen.
	Remembered []Release
}

// Tarball is a package's bytes as they were fetched.
type Tarball struct {
	Digests []Digest // of all its bytes, SHA-512 among them; empty where it could not be had
	Reason  string   // why not; may quote foreign data
	Hint    string   // what to do next, where it could not be had
}

// File is one file of a release, as an index lists it.
type File struct {
	Name    string
	Digests []Digest
}

// Source has attestations: a local folder, a registry, or one behind the other.
type Source interface {
	// Attestations returns what the source has for the subject. What went wrong
	// is in the set (Unreachable): an error is returned only for a cancelled
	// context. Of a subject without a version only Metadata and UnknownPackage
	// are wanted: whether there is such a package.
	Attestations(ctx context.Context, s Subject) (Set, error)
}

// Sources asks each subject's own ecosystem. It implements [Source] and
// [Registrar].
type Sources map[sbom.Ecosystem]Source

// Attestations returns what the source of the subject's ecosystem has.
func (m Sources) Attestations(ctx context.Context, s Subject) (Set, error) {
	if src := m[s.Ecosystem]; src != nil {
		return src.Attestations(ctx, s)
	}
	return Set{Availability: Unreachable, Reason: unread(s.Ecosystem), Hint: "give them with --attestations"}, ctx.Err()
}

// ConfiguredRegistry returns what that source says.
func (m Sources) ConfiguredRegistry(s Subject) (string, error) {
	if r, ok := m[s.Ecosystem].(Registrar); ok {
		return r.ConfiguredRegistry(s)
	}
	return "", nil
}
