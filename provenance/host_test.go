package provenance

import (
	"testing"

	"countermark/provenance/provenancetest"
)

// TestOwnHosts says that a source host of one's own counts only together with
// its own issuer: Fulcio copies what any issuer that it trusts claims.
func TestOwnHosts(t *testing.T) {
	const (
		enterprise = "https://acme.ghe.example"
		ownIssuer  = "https://token.actions.acme.ghe.example"
		gitlab     = "https://gitlab.acme.example"
	)
	for name, c := range map[string]struct {
		repo, issuer string // as they are certified
		expect, from string // as they are expected
		state        State
		check        string
	}{
		"enterprise":                    {repo: enterprise, issuer: ownIssuer, expect: enterprise, from: ownIssuer, state: Verified},
		"enterprise, host in capitals":  {repo: enterprise, issuer: ownIssuer, expect: "https://ACME.ghe.example", from: ownIssuer, state: Verified},
		"enterprise, no issuer named":   {repo: enterprise, issuer: ownIssuer, expect: enterprise, state: Mismatch, check: checkIssuer},
		"enterprise by the public one":  {repo: enterprise, issuer: IssuerGitHub, expect: enterprise, from: ownIssuer, state: Mismatch, check: checkIssuer},
		"the public host by enterprise": {repo: "https://github.com", issuer: ownIssuer, expect: "https://github.com", state: Mismatch, check: checkIssuer},
		"another host, its own issuer":  {repo: "https://acme.ghe.evil.example", issuer: ownIssuer, expect: enterprise, from: ownIssuer, state: Mismatch, check: checkRepository},
		"gitlab of one's own":           {repo: gitlab, issuer: gitlab, expect: gitlab, from: gitlab, state: Verified},
		"gitlab by the public one":      {repo: gitlab, issuer: IssuerGitLab, expect: gitlab, from: gitlab, state: Mismatch, check: checkIssuer},
		"the public gitlab by one's own": {
			repo: "https://gitlab.com", issuer: gitlab, expect: "https://gitlab.com", state: Mismatch, check: checkIssuer,
		},
		"no gitlab named issuer": {repo: gitlab, issuer: gitlab, expect: gitlab, state: Mismatch, check: checkIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			set := build(func(b *provenancetest.Build) { b.Repository, b.Issuer = c.repo+"/acme/tool", c.issuer })(t)
			e := Expectation{From: "policy", Repo: c.expect + "/acme/tool", Issuer: c.from}
			got := verifier(t, ours(t).material).Package(honestSubject(), e, set)
			if got.State != c.state {
				t.Fatalf("got %s (%s), want %s", got.State, got.Reason, c.state)
			}
			for _, check := range got.Checks {
				if c.check != "" && !check.OK && check.Name != c.check {
					t.Errorf("%s failed, want %s", check.Name, c.check)
				}
			}
		})
	}
}
