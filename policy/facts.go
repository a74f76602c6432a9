package policy

import (
	"time"

	"countermark/policy/advisory"
	"countermark/policy/catalog"
	"countermark/provenance"
	"countermark/provenance/trust"
	"countermark/sbom"
	"countermark/sbom/mcp/lock"
)

// Facts are everything that a verdict rests on beside the policy.
type Facts struct {
	Inventory  *sbom.Inventory
	Provenance []provenance.Result // by Subject.Ref; a package without one counts as not checked
	Catalog    *catalog.Catalog    // nil: rules that need it are listed as not evaluated
	Advisories *advisory.DB        // nil: rules that need it are listed as not evaluated
	Locks      []*lock.Lock        // what the configurations launched when somebody locked them; none: drift is not evaluated

	// ConfigIssues are what a package manager's configuration inside the project
	// says that it must not say.
	ConfigIssues []ConfigIssue
	// Registries are the registries that the user trusts, the public one
	// included where it is: those of the policy are added, those of a
	// configuration inside the project must not be in it.
	Registries []string
	// ProjectRegistries returns the registries, redacted, that npm could ask for a
	// package which a file of the inventory names, only because a configuration
	// inside the project says so. Nil where there is no such configuration.
	ProjectRegistries func(file, name string) []string

	Now     time.Time // when expiry is judged
	Offline bool
	Tool    Tool
	Trust   TrustFacts
	Commit  string // of the project, where it is known
}

// ConfigIssue is one dangerous setting of a package manager's configuration.
type ConfigIssue struct {
	Path    string // relative to the checked folder
	Line    int    // from 1; 0 where unknown
	Message string // lower-case, without the path and without secrets
	Fix     string // what to do next; empty for the rule's own advice
}

// Expect returns what the verifier should expect of a subject: what the policy
// says, else what the catalogue knows. The policy is asked first because it is
// the user's own word; the catalogue only gives a source to what has none, so
// that it can never make the verdict milder than the policy would.
func Expect(p *Policy, c *catalog.Catalog) func(provenance.Subject) provenance.Expectation {
	return func(s provenance.Subject) provenance.Expectation {
		name := packageName(s.Ecosystem, s.Name, s.PURL)
		if x, ok := p.Expectation(s.Ecosystem, name); ok {
			return x
		}
		if c == nil {
			return provenance.Expectation{}
		}
		entry, ok := c.Source(s.Ecosystem, name)
		if !ok || entry.Repository == "" {
			return provenance.Expectation{}
		}
		return provenance.Expectation{
			From: "catalog", Repo: entry.Repository, RepositoryID: entry.RepositoryID, OwnerID: entry.OwnerID, Workflow: entry.Workflow,
		}
	}
}

// TrustOf says what all proofs of a verdict rest on.
func TrustOf(m *trust.Material, known *catalog.Catalog, advisories *advisory.DB) TrustFacts {
	var others []TrustFact
	for _, k := range m.OtherKeys {
		others = append(others, keysFact(k))
	}
	return TrustFacts{
		OtherKeys:   others,
		TrustedRoot: TrustFact{SHA256: m.Root.SHA256, Source: m.Root.Source, AsOf: m.Root.AsOf, Instances: m.Root.Parts()},
		NPMKeys:     keysFact(m.Keys),
		Catalog:     TrustFact{SHA256: known.SHA256(), Source: trust.SourceEmbedded, AsOf: known.AsOf().Format(time.DateOnly)},
		Advisories:  TrustFact{SHA256: advisories.SHA256(), Source: trust.SourceEmbedded, AsOf: advisories.AsOf().Format(time.DateOnly)},
	}
}

func keysFact(k *trust.Keys) TrustFact {
	return TrustFact{SHA256: k.SHA256, Source: k.Source, AsOf: k.AsOf, Registry: k.Registry}
}
