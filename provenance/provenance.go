// Package provenance proves where a package was built.
//
// In flow a [Subject] (what the lockfile or configuration names), an
// [Expectation] (where somebody other than the package says that it comes from)
// and the attestations that a [Source] has for it. Out flows a [Result]: one
// [State], and every [Check] that was made, each with what was expected and what
// was found. Signatures, certificates, transparency logs and timestamps are
// verified by sigstore-go; what this package adds is what npm's set of two
// attestations must say together, and the comparison with the expectation.
//
// npm refuses to publish provenance whose repository differs from the package's
// own "repository" field, so that field proves nothing: an impostor with a
// repository and a workflow of his own has flawless provenance. Only an
// expectation from a policy, the catalogue or the command line leads to
// [Verified]; without one, flawless provenance is [Unvouched].
package provenance

import (
	"time"

	"countermark/sbom"
)

// State is the answer for one subject. The first that applies wins, in the order
// of the constants.
type State string

// The states of DESIGN.md, section 4.
const (
	Invalid     State = "invalid"     // something signed, logged or hashed does not hold, or half of npm's set is missing
	Mismatch    State = "mismatch"    // genuine, but from another source, workflow, ref or builder than expected
	Unavailable State = "unavailable" // the attestations could not be fetched
	Stripped    State = "stripped"    // the registry carries no attestation data, so absence proves nothing
	Lost        State = "lost"        // absent here, although an earlier version had it
	Absent      State = "absent"      // the registry says that there is none
	Unsupported State = "unsupported" // nothing of this kind can be attested
	Unvouched   State = "unvouched"   // genuine, but nobody except the package says where it should come from
	Verified    State = "verified"    // everything holds, and the source is the expected one
)

// States lists all states, in the order in which they win.
func States() []State {
	return []State{Invalid, Mismatch, Unavailable, Stripped, Lost, Absent, Unsupported, Unvouched, Verified}
}

// Subject is what is to be proven.
type Subject struct {
	Ref       string // of the component in the inventory; empty outside of one
	PURL      string
	Ecosystem sbom.Ecosystem
	Name      string
	Version   string
	Digests   []Digest // of the distribution, as somebody other than the attestations says; may be empty
	// DigestFrom names who said so: "lockfile", "configuration", "tarball", "file",
	// "argument", "registry".
	DigestFrom string
	// Resolved is from where a lockfile has it fetched, redacted; empty where
	// nobody says.
	Resolved string
	// Registries are those that its launches name, redacted, as `npx --registry`
	// does; "" among them stands for the configured one. Empty where that alone is
	// meant.
	Registries []string
	// Unsupported says why nothing can be attested for this subject ("a local
	// path", "a floating spec: ^1.0.0"); empty where it can be.
	Unsupported string
}

// Digest is a digest of a subject's bytes, in lower-case hex.
type Digest struct {
	Algorithm string // "sha256", "sha384", "sha512", "sha1"
	Value     string
}

// Expectation is where a subject should come from. Empty fields demand nothing,
// except that an empty Repo means that nobody named a source.
type Expectation struct {
	From     string // who expects it: "policy", "catalog", "flag"; empty where nobody does
	Repo     string // https://host/owner/name; in a policy a * is one whole path segment
	Ref      string // refs/tags/v*; * stops at /, ** does not
	Workflow string // path in the repository, .github/workflows/release.yml
	// Builder is a builder id, exact, but for two: a reusable workflow without its
	// ref is any release of it, and in SLSA v0.2 GitHub's runner has two names.
	Builder string
	// SignerWorkflow is the workflow that has to have signed, as
	// [https://][host/]owner/name/path, with @ref to pin that too. It may be one of
	// another repository; Workflow then says only which workflow was started.
	SignerWorkflow string
	Issuer         string // OIDC issuer; by default that of Repo's host
	Trigger        string // "push", "release", …
	RepositoryID   string // numeric, survives renames
	OwnerID        string // numeric, survives renames
	Digest         string // commit id of the source

	DenySelfHosted bool
}

// Result is what was found out about one subject.
type Result struct {
	Subject      Subject
	State        State
	Reason       string // one sentence; why the state is not Verified. May quote foreign data.
	Hint         string // what to do next; empty for Verified
	ExpectedFrom string // Expectation.From
	ExpectedRepo string // Expectation.Repo
	DigestFrom   string // who gave the digest that was bound: Subject.DigestFrom, "tarball", or "publish-attestation"
	Source       SourceFacts
	Workflow     string // path of the workflow in the source repository
	Signer       string // the certificate's subject alternative name: the workflow, or the mail address, that signed
	Builder      string
	Issuer       string
	Runner       string // "github-hosted", "self-hosted", or what the certificate says
	Trigger      string
	LogIndex     int64     // of the provenance in the transparency log; 0 where there is none
	Integrated   time.Time // when the log or a timestamp authority saw it; zero where none did
	Publish      *PublishFacts
	Registry     *RegistryFacts // nil where the registry was not asked, or did not answer
	Evidence     string         // of several bundles, the one that was judged: a file name with its line, or a URL
	Checks       []Check
}

// SourceFacts are what the signing certificate says of the source, never what
// the package says of itself.
type SourceFacts struct {
	URI          string
	Ref          string
	Digest       string
	RepositoryID string
	OwnerID      string
}

// PublishFacts are what the registry attests about the publication.
type PublishFacts struct {
	Registry   string
	KeyID      string
	Integrated time.Time
}

// Check is one comparison that was made.
type Check struct {
	Name     string // "subject-digest", "source-repository", …; never changes its meaning
	OK       bool
	Expected string
	Actual   string
}
