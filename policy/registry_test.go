package policy

import (
	"strings"
	"testing"
	"time"

	"countermark/provenance"
	"countermark/sbom"
)

// known is a package of which the registry says something.
func known(origin sbom.Origin, change func(*provenance.RegistryFacts, *provenance.Result)) func() Facts {
	return func() Facts {
		c := library("harmless-tool", "1.2.3", origin)
		r := result(c, provenance.Unvouched)
		r.Registry = &provenance.RegistryFacts{Registry: registry, Signature: provenance.SignatureValid, Published: now.Add(-30 * day)}
		change(r.Registry, &r)
		return facts([]provenance.Result{r}, c)
	}
}

const day = 24 * time.Hour

func registryCases() []ruleCase {
	signed := func(state provenance.SignatureState) func(*provenance.RegistryFacts, *provenance.Result) {
		return func(f *provenance.RegistryFacts, r *provenance.Result) {
			f.Signature, r.State, r.Hint = state, provenance.Invalid, "ask"
			r.Checks = []provenance.Check{{Name: "registry-signature"}}
		}
	}
	aged := func(d time.Duration) func(*provenance.RegistryFacts, *provenance.Result) {
		return func(f *provenance.RegistryFacts, _ *provenance.Result) { f.Published = now.Add(-d) }
	}
	missing := func(f *provenance.RegistryFacts, _ *provenance.Result) {
		*f = provenance.RegistryFacts{Registry: registry, UnknownPackage: true}
	}
	changed := func(f *provenance.RegistryFacts, _ *provenance.Result) {
		f.PublisherChanged, f.Publisher = true, provenance.Publisher{Name: "mallory"}
		f.Previous = &provenance.Release{Version: "1.2.2", Publisher: provenance.Publisher{Name: "GitHub Actions", Trusted: "github"}}
	}
	moved := func(state provenance.State) func(*provenance.RegistryFacts, *provenance.Result) {
		return func(f *provenance.RegistryFacts, r *provenance.Result) {
			f.SourceBefore, r.State = "https://github.com/acme/tool", state
		}
	}
	return []ruleCase{
		{"signature-invalid", "invalid", known(transitive, signed(provenance.SignatureInvalid)), "error", "error"},
		{"signature-invalid", "missing", known(direct, signed(provenance.SignatureMissing)), "error", "error"},
		{"signature-invalid", "valid", known(mcp, func(*provenance.RegistryFacts, *provenance.Result) {}), "", ""},
		{"signature-invalid", "no keys", known(mcp, func(f *provenance.RegistryFacts, _ *provenance.Result) { f.Signature = provenance.SignatureUnpinned }), "", ""},
		{"provenance-invalid", "the registry's signature alone", known(direct, signed(provenance.SignatureInvalid)), "", ""},
		{"provenance-invalid", "the registry's signature and more", known(direct, func(f *provenance.RegistryFacts, r *provenance.Result) {
			signed(provenance.SignatureInvalid)(f, r)
			r.Checks = append(r.Checks, provenance.Check{Name: "registry-integrity"})
		}), "error", "error"},

		{"registry-unknown-package", "server", known(mcp, missing), "error", "error"},
		{"registry-unknown-package", "dependency", known(transitive, missing), "warn", "error"},
		{"registry-unknown-package", "known", known(mcp, aged(30*day)), "", ""},
		{"registry-unknown-package", "server without a version", func() Facts {
			c := library("harmless-tool", "", mcp)
			r := result(c, provenance.Unsupported)
			r.Registry = &provenance.RegistryFacts{UnknownPackage: true}
			return facts([]provenance.Result{r}, c, starting("s", nil, unpinned(c)))
		}, "error", "error"},

		{"publisher-changed", "server", known(mcp, changed), "error", "error"},
		{"publisher-changed", "dependency", known(direct, changed), "warn", "error"},
		{"publisher-changed", "another source", known(direct, moved(provenance.Unvouched)), "warn", "error"},
		{"publisher-changed", "another source, which the policy names", known(direct, moved(provenance.Verified)), "", ""},
		{"publisher-changed", "another source, which is judged already", known(direct, moved(provenance.Mismatch)), "", ""},

		{"release-age", "server of 13 days", known(mcp, aged(14*day-time.Second)), "error", "error"},
		{"release-age", "server of 14 days", known(mcp, aged(14*day)), "", ""},
		{"release-age", "dependency of 2 days", known(transitive, aged(3*day-time.Second)), "warn", "error"},
		{"release-age", "dependency of 3 days", known(direct, aged(3*day)), "", "error"},
		{"release-age", "dependency of 7 days", known(direct, aged(7*day)), "", ""},
		{"release-age", "of tomorrow", known(direct, aged(-day)), "warn", "error"},
		{"release-age", "server and dependency of 13 days", known(mcp|direct, aged(13*day)), "error", "error"},
		{"release-age", "nobody knows when", known(mcp, func(f *provenance.RegistryFacts, _ *provenance.Result) { f.Published = time.Time{} }), "", ""},
		{"release-age", "the log counts before the registry", known(direct, func(f *provenance.RegistryFacts, r *provenance.Result) {
			r.Publish = &provenance.PublishFacts{Integrated: now.Add(-time.Hour)}
		}), "warn", "error"},
	}
}

func TestMinimumAge(t *testing.T) {
	for text, want := range map[string]int{
		"rules: {release-age: {minimum: 48h}}": 0, "rules: {release-age: {minimum: 6d}}": 1,
		"rules: {release-age: {severity: warn, minimum: 6d, for: [mcp]}}":    0,
		"rules: {release-age: {severity: warn, minimum: 6d, for: [direct]}}": 1,
		"rules: {release-age: {severity: off}}":                              0,
	} {
		v := Evaluate(policyOf(t, text), known(direct, func(f *provenance.RegistryFacts, _ *provenance.Result) { f.Published = now.Add(-5 * day) })())
		if got := byRule(v, "release-age"); len(got) != want || want > 0 && !strings.Contains(got[0].Fix, "until 2026-11-24") {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// What the registry did not say leaves its rules partly judged, and names how much.
func TestPartlyEvaluated(t *testing.T) {
	reasons := func(f Facts) map[string]string {
		out := map[string]string{}
		for _, n := range Evaluate(nil, f).NotEvaluated {
			out[n.Rule] = n.Reason
		}
		return out
	}
	all := reasons(known(direct, func(*provenance.RegistryFacts, *provenance.Result) {})())
	some := known(direct, func(f *provenance.RegistryFacts, _ *provenance.Result) {
		f.Signature, f.Published = provenance.SignatureUnpinned, time.Time{}
	})()
	mute := library("mute", "1.0.0", direct)
	some.Inventory.Components = append(some.Inventory.Components, mute)
	some.Provenance = append(some.Provenance, result(mute, provenance.Unavailable))
	some.Offline = true
	partly := reasons(some)
	for rule, want := range map[string]string{
		"provenance-lost": "1 of 2", "publisher-changed": "1 of 2", "registry-unknown-package": "1 of 2",
		"release-age": "2 of 2", "signature-invalid": "--npm-keys",
	} {
		if all[rule] != "" || !strings.Contains(partly[rule], want) || !strings.Contains(partly[rule], "no registry may be asked") {
			t.Errorf("%s: %q where all is known, %q where not", rule, all[rule], partly[rule])
		}
	}
}
