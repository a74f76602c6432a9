package policy

// SchemaVersion is the version of the verdict's JSON form, schemas/verdict.schema.json.
const SchemaVersion = "1.0"

// Answer is the verdict's one word.
type Answer string

// The answers, and with them the exit codes 0, 1 and 3.
const (
	Pass    Answer = "pass"
	Fail    Answer = "fail"
	Unknown Answer = "unknown"
)

// Severity is what a rule's findings weigh.
type Severity string

// Only Error changes the answer.
const (
	Off   Severity = "off"
	Info  Severity = "info"
	Warn  Severity = "warn"
	Error Severity = "error"
)

// Verdict is the answer with everything that it rests on. Its JSON form is the
// contract with other programs; the text report shows nothing that is not in it.
// Strings in it may quote foreign data: every report encodes for its own sink.
type Verdict struct {
	SchemaVersion string             `json:"schemaVersion"`
	Verdict       Answer             `json:"verdict"`
	ExitCode      int                `json:"exitCode"`
	EvaluatedAt   string             `json:"evaluatedAt"` // RFC 3339, UTC
	Mode          string             `json:"mode"`        // "enforce"
	Offline       bool               `json:"offline"`
	Tool          Tool               `json:"tool"`
	Subject       VerdictSubject     `json:"subject"`
	Policy        PolicyFacts        `json:"policy"`
	Trust         TrustFacts         `json:"trust"`
	Inputs        []InputFacts       `json:"inputs"`
	Summary       Summary            `json:"summary"`
	NotEvaluated  []NotEvaluated     `json:"notEvaluated"`
	Components    []ComponentVerdict `json:"components"`
	Findings      []Finding          `json:"findings"`
}

// Tool names the program that decided.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// VerdictSubject is the project that was judged.
type VerdictSubject struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Commit  string `json:"commit,omitempty"`
	Digest  string `json:"digest"` // sha256 over the inputs' paths and digests
}

// PolicyFacts say which policy was applied.
type PolicyFacts struct {
	Name    string `json:"name"` // path as given or found, relative to PATH; "built-in" without a file
	Profile string `json:"profile"`
	SHA256  string `json:"sha256,omitempty"`
}

// TrustFacts say what the answer trusts.
type TrustFacts struct {
	TrustedRoot TrustFact `json:"trustedRoot"`
	NPMKeys     TrustFact `json:"npmKeys"`
	// OtherKeys are those of further registries.
	OtherKeys  []TrustFact `json:"otherKeys,omitempty"`
	Catalog    TrustFact   `json:"catalog"`
	Advisories TrustFact   `json:"advisories"`
}

// TrustFact is one trusted input.
type TrustFact struct {
	SHA256 string `json:"sha256"`
	Source string `json:"source,omitempty"` // "embedded", "file", or "tuf": the last update
	AsOf   string `json:"asOf,omitempty"`   // date, where it has one
	// Instances are the SHA-256 of each trusted root of a file that has several.
	Instances []string `json:"instances,omitempty"`
	// Registry is the URL of the registry whose keys they are.
	Registry string `json:"registry,omitempty"`
}

// InputFacts is one file that was read.
type InputFacts struct {
	Path       string         `json:"path"`
	Kind       string         `json:"kind"`
	SHA256     string         `json:"sha256,omitempty"`
	Components int            `json:"components"`
	Problems   []InputProblem `json:"problems"`
}

// InputProblem is something that was wrong with a file.
type InputProblem struct {
	Code    string `json:"code"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Summary counts.
type Summary struct {
	Components int            `json:"components"`
	Servers    int            `json:"servers"`
	Scripts    int            `json:"scripts,omitempty"` // launches by scripts of the project
	Provenance map[string]int `json:"provenance"`
	Findings   FindingCounts  `json:"findings"`
	Excepted   int            `json:"excepted"`
}

// FindingCounts counts the findings that no exception covers.
type FindingCounts struct {
	Error int `json:"error"`
	Warn  int `json:"warn"`
	Info  int `json:"info"`
}

// NotEvaluated is a rule that could not be judged.
type NotEvaluated struct {
	Rule   string `json:"rule"`
	Reason string `json:"reason"`

	// Decides says that the policy file asks for the rule, so that the answer is
	// unknown without it.
	Decides bool `json:"decides,omitempty"`
}

// ComponentVerdict is one component and its provenance.
type ComponentVerdict struct {
	Ref        string             `json:"ref"`
	PURL       string             `json:"purl,omitempty"`
	Scope      string             `json:"scope,omitempty"`
	Origin     string             `json:"origin,omitempty"`
	Provenance *ProvenanceVerdict `json:"provenance,omitempty"`
}

// ProvenanceVerdict is a provenance.Result in its JSON form.
type ProvenanceVerdict struct {
	State             string          `json:"state"`
	Reason            string          `json:"reason,omitempty"`
	ExpectedFrom      string          `json:"expectedFrom,omitempty"`
	DigestFrom        string          `json:"digestFrom,omitempty"`
	Source            *SourceVerdict  `json:"source,omitempty"`
	Workflow          string          `json:"workflow,omitempty"`
	Builder           string          `json:"builder,omitempty"`
	Issuer            string          `json:"issuer,omitempty"`
	Runner            string          `json:"runner,omitempty"`
	LogIndex          int64           `json:"logIndex,omitempty"`
	IntegratedTime    string          `json:"integratedTime,omitempty"`
	Publish           *PublishVerdict `json:"publish,omitempty"`
	RegistrySignature string          `json:"registrySignature,omitempty"` // a provenance.SignatureState, or "notEvaluated" where the registry was not read
	Checks            []CheckVerdict  `json:"checks,omitempty"`
}

// SourceVerdict is where a component was built from, as its certificate says.
type SourceVerdict struct {
	URI          string `json:"uri"`
	Ref          string `json:"ref,omitempty"`
	Digest       string `json:"digest,omitempty"`
	RepositoryID string `json:"repositoryId,omitempty"`
	OwnerID      string `json:"ownerId,omitempty"`
}

// PublishVerdict is what the registry attested.
type PublishVerdict struct {
	Registry       string `json:"registry"`
	KeyID          string `json:"keyId,omitempty"`
	IntegratedTime string `json:"integratedTime,omitempty"`
}

// CheckVerdict is one comparison.
type CheckVerdict struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
}

// Finding is one thing that a rule has to say about one component, server or
// input.
type Finding struct {
	Rule        string    `json:"rule"`
	Severity    Severity  `json:"severity"`
	Ref         string    `json:"ref,omitempty"`
	PURL        string    `json:"purl,omitempty"`
	Server      string    `json:"server,omitempty"` // name as configured
	Message     string    `json:"message"`
	Expected    string    `json:"expected,omitempty"`
	Actual      string    `json:"actual,omitempty"`
	Location    *Location `json:"location,omitempty"`
	Fix         string    `json:"fix"`                 // what to do next; never empty
	Exception   *Excepted `json:"exception,omitempty"` // the exception that covers it; it then changes nothing
	Fingerprint string    `json:"fingerprint"`         // sha256 of rule, path and what it is about; stable when lines move
}

// Location is a place in an input.
type Location struct {
	Path   string `json:"path"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// Excepted says by which exception a finding is covered.
type Excepted struct {
	Reason  string `json:"reason"`
	Owner   string `json:"owner,omitempty"`
	Expires string `json:"expires,omitempty"` // date
}

// LookedAtNothing makes a pass unknown where a PATH holds nothing: a gate that
// looked at nothing has no opinion.
func (v *Verdict) LookedAtNothing() {
	if v.ExitCode == exitPass {
		v.Verdict, v.ExitCode = Unknown, exitNothing
	}
}
