package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"countermark/provenance"
	"countermark/sbom"
)

// registryOf returns what the registry says of a package. It is nil where that is
// not known; of packages that come from no npm registry nothing is asked.
func (e *evaluation) registryOf(c *sbom.Component) (facts *provenance.RegistryFacts, asked bool) {
	if c.Ecosystem != sbom.NPM || c.Source != sbom.FromRegistry || !e.isSubject(c) {
		return nil, false
	}
	if r := e.results[c.Ref]; r != nil {
		facts = r.Registry
	}
	return facts, true
}

// lacking counts the packages of a registry for which a rule lacks a fact, and
// puts them into words; "" for none.
func (e *evaluation) lacking(lacks func(c *sbom.Component, facts *provenance.RegistryFacts) bool, words string) string {
	lack, all := 0, 0
	for _, c := range e.packages {
		facts, asked := e.registryOf(c)
		if !asked {
			continue
		}
		all++
		if lacks(c, facts) {
			lack++
		}
	}
	switch {
	case lack == 0:
		return ""
	case e.facts.Offline:
		words += ", and no registry may be asked: run again with network access"
	}
	return fmt.Sprintf("%d of %d packages: %s", lack, all, words)
}

// withoutRegistry says of how many versions the registry's history is not known.
func withoutRegistry(e *evaluation) string {
	return e.lacking(func(c *sbom.Component, facts *provenance.RegistryFacts) bool {
		return c.Version != "" && (facts == nil || facts.UnknownPackage)
	}, "what the registry says of them and of their earlier versions is not known")
}

func withoutRegistryNames(e *evaluation) string {
	return e.lacking(func(_ *sbom.Component, facts *provenance.RegistryFacts) bool { return facts == nil },
		"whether the registry has them is not known")
}

func withoutKeys(e *evaluation) string {
	unread := withoutRegistry(e)
	unpinned := e.lacking(func(_ *sbom.Component, facts *provenance.RegistryFacts) bool {
		return facts != nil && facts.Signature == provenance.SignatureUnpinned
	}, "nobody has named the keys of their registry; give them with --npm-keys")
	if unread != "" && unpinned != "" {
		return unread + "; " + unpinned
	}
	return unread + unpinned
}

func withoutTimes(e *evaluation) string {
	return e.lacking(func(c *sbom.Component, _ *provenance.RegistryFacts) bool {
		return c.Version != "" && published(e.results[c.Ref]).IsZero()
	}, "when they were published is not known")
}

// published is when a version came out. The log's time is signed, so it counts
// before the registry's own word.
func published(r *provenance.Result) time.Time {
	switch {
	case r == nil:
		return time.Time{}
	case r.Publish != nil && !r.Publish.Integrated.IsZero():
		return r.Publish.Integrated
	case r.Registry != nil:
		return r.Registry.Published
	default:
		return time.Time{}
	}
}

func findSignature(e *evaluation, _ *Rule, report func(hit)) {
	for _, c := range e.packages {
		facts, _ := e.registryOf(c)
		if facts == nil || facts.Signature != provenance.SignatureInvalid && facts.Signature != provenance.SignatureMissing {
			continue
		}
		r := e.results[c.Ref]
		h := hit{component: c, message: title(c) + ": the registry's signature does not hold"}
		if i := slices.IndexFunc(r.Checks, provenance.Check.FailedSignature); i >= 0 {
			h.expected, h.actual = r.Checks[i].Expected, r.Checks[i].Actual
		}
		if r.SignatureAlone() {
			h.message, h.fix = title(c)+": "+r.Reason, r.Hint
		}
		report(h)
	}
}

func findUnknownPackage(e *evaluation, _ *Rule, report func(hit)) {
	for _, c := range e.packages {
		facts, _ := e.registryOf(c)
		if facts == nil || !facts.UnknownPackage {
			continue
		}
		report(hit{
			component: c, actual: facts.Registry,
			message: fmt.Sprintf("the registry %s has no package %s; whoever publishes it first is run in its place", cmp.Or(facts.Registry, "that is configured"), named(c.Name)),
			fix:     "correct the name, name its registry in .npmrc, or remove the entry; a package that needs credentials, or that was taken down, looks the same",
		})
	}
}

// findPublisher judges what changed since the version before. Where the policy or
// the catalogue names the source, the comparison with that has decided already.
func findPublisher(e *evaluation, _ *Rule, report func(hit)) {
	for _, c := range e.packages {
		facts, _ := e.registryOf(c)
		if facts == nil {
			continue
		}
		if facts.PublisherChanged && facts.Previous != nil {
			before := facts.Previous
			report(hit{
				component: c, detail: "publisher", expected: before.Publisher.String(), actual: facts.Publisher.String(),
				message: fmt.Sprintf("%s was published by %s, the version before, %s, by %s", title(c), named(facts.Publisher.String()), named(before.Version), named(before.Publisher.String())),
				fix:     fmt.Sprintf("stay on %s until the project confirms that the account is theirs", named(before.Version)),
			})
		}
		if r := e.results[c.Ref]; facts.SourceBefore != "" && r.State == provenance.Unvouched {
			report(hit{
				component: c, detail: "source", expected: facts.SourceBefore, actual: r.Source.URI,
				message: fmt.Sprintf("%s was built from another repository than the last attested version before it", title(c)),
				fix:     "ask the project whether it has moved; then name the right repository under sources in " + FileName,
			})
		}
	}
}

// The ages that a version needs where the policy names none.
const (
	minimumAgeOfServers  = 14 * 24 * time.Hour
	minimumAge           = 3 * 24 * time.Hour
	minimumAgeWhenStrict = 7 * 24 * time.Hour
)

func findYoung(e *evaluation, rule *Rule, report func(hit)) {
	for _, c := range e.packages {
		if _, asked := e.registryOf(c); !asked || c.Version == "" {
			continue
		}
		at := published(e.results[c.Ref])
		minimum := e.minimumAge(rule, c)
		if at.IsZero() || e.facts.Now.Sub(at) >= minimum {
			continue
		}
		enough := at.Add(minimum)
		report(hit{
			component: c, expected: "published before " + timestamp(e.facts.Now.Add(-minimum)), actual: timestamp(at),
			message: fmt.Sprintf("%s was published on %s; the policy wants %s to pass first", title(c), at.UTC().Format(time.DateOnly), days(minimum)),
			fix:     fmt.Sprintf("use an older version until %s, or make an exception if you have read this one", enough.UTC().Format(time.DateOnly)),
		})
	}
}

// minimumAge is the longest that any origin of a package demands.
func (e *evaluation) minimumAge(rule *Rule, c *sbom.Component) time.Duration {
	set := e.policy.settings[rule.Name]
	t := target{ecosystem: c.Ecosystem, name: nameOf(c), development: c.Development}
	longest := time.Duration(0)
	for _, t.origin = range originsOf(c) {
		minimum := minimumAge
		switch {
		case set.minimum > 0 && set.selector.matches(t):
			minimum = set.minimum
		case t.origin == sbom.OriginMCP, t.origin == sbom.OriginScript:
			minimum = minimumAgeOfServers
		case e.policy.Profile == Strict:
			minimum = minimumAgeWhenStrict
		}
		longest = max(longest, minimum)
	}
	return longest
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return fmt.Sprintf("%d hours", d/time.Hour)
}
