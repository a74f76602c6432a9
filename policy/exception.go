package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/package-url/packageurl-go"
)

// exception covers findings of one rule about one package, one server, or one
// package of one server, until a date.
type exception struct {
	rule    string
	pkg     *packageurl.PackageURL // nil: any
	server  string                 // as configured; empty: any
	reason  string
	owner   string
	expires time.Time // the last day on which it covers anything, 00:00 UTC

	line, column int
}

// expired reports whether the day after expires has begun.
func (x *exception) expired(now time.Time) bool {
	return !now.Before(x.expires.AddDate(0, 0, 1))
}

// covers reports whether the exception is about this finding. servers are those
// that launch the package in question: one exception for one of them does not
// excuse the others.
func (x *exception) covers(rule, purl string, servers []string) bool {
	if x.rule != rule {
		return false
	}
	if x.server != "" && (len(servers) == 0 || slices.ContainsFunc(servers, func(s string) bool { return s != x.server })) {
		return false
	}
	return x.pkg == nil || x.coversPackage(purl)
}

// coversPackage compares what the exception's purl says: without a version it
// covers every version, without qualifiers every origin.
func (x *exception) coversPackage(purl string) bool {
	if purl == "" {
		return false
	}
	found, err := packageurl.FromString(purl)
	if err != nil || found.Type != x.pkg.Type || found.Namespace != x.pkg.Namespace || found.Name != x.pkg.Name {
		return false
	}
	if x.pkg.Version != "" && x.pkg.Version != found.Version {
		return false
	}
	have := found.Qualifiers.Map()
	for key, value := range x.pkg.Qualifiers.Map() {
		if have[key] != value {
			return false
		}
	}
	return true
}

func parseExceptedPackage(s string) (*packageurl.PackageURL, error) {
	hint := "write the purl of the finding: pkg:npm/name@1.2.3, or without @version for every version"
	if !strings.HasPrefix(s, "pkg:") {
		return nil, &hinted{fmt.Sprintf("%q is no package URL", s), hint}
	}
	purl, err := packageurl.FromString(s)
	if err != nil || purl.Name == "" || strings.Contains(s, "*") {
		return nil, &hinted{fmt.Sprintf("%q is no package URL", s), hint}
	}
	return &purl, nil
}

// checkExceptedRule accepts rules whose findings have a package or a server.
func checkExceptedRule(name string) error {
	if customRule.MatchString(name) {
		return nil // checked when all rules have been read
	}
	rule := ruleNamed(name)
	if rule == nil {
		return &hinted{fmt.Sprintf("there is no rule %q", name), suggest(name, ruleNames(), "schemas/policy.schema.json lists the rules")}
	}
	if rule.Target == Files || rule.Target == PolicyFile {
		return &hinted{
			fmt.Sprintf("rule %q judges %s, so no package or server of it can be excepted", name, rule.Target),
			"exclude the file, or set the rule's severity",
		}
	}
	return nil
}

// checkCustomRule accepts a custom rule that the policy defines, wherever in the
// file that is.
func (p *Policy) checkCustomRule(name string) error {
	if !customRule.MatchString(name) || slices.Contains(p.custom, name) {
		return nil
	}
	return &hinted{fmt.Sprintf("there is no rule %q", name), suggest(name, p.custom, "define it under rules")}
}

// about names what is excepted.
func (x *exception) about() string {
	switch {
	case x.pkg == nil:
		return "server " + named(x.server)
	case x.server == "":
		return x.pkg.ToString()
	default:
		return x.pkg.ToString() + " in server " + named(x.server)
	}
}
