package layout

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/in-toto/in-toto-golang/in_toto"

	"countermark/provenance"
)

// understoodRules refuses rules that in-toto-golang does not know, or would pass
// over.
func understoodRules(rules [][]string) error {
	if len(rules) > maxRules {
		return fmt.Errorf("more than %d rules", maxRules)
	}
	for _, rule := range rules {
		if len(rule) == 0 {
			return errors.New("a rule is empty")
		}
		parts, err := in_toto.UnpackRule(rule)
		if err != nil {
			return fmt.Errorf("the rule %s is none that in-toto has", shown(rule))
		}
		if to := parts["dstType"]; parts["type"] == "match" && to != "materials" && to != "products" {
			return fmt.Errorf("the rule %s compares with neither materials nor products", shown(rule))
		}
		if !readable(path.Clean(parts["pattern"])) {
			return fmt.Errorf("the rule %s has a pattern that cannot be read, so it would forbid nothing", shown(rule))
		}
	}
	return nil
}

func shown(rule []string) string { return `"` + provenance.Clip(strings.Join(rule, " ")) + `"` }

// readable reports whether in-toto-golang can read a pattern. It only prints what
// is wrong with one, and goes on as if the rule were not there. Patterns are those
// of path.Match, except that ! negates a class instead of ^.
func readable(pattern string) bool {
	for pattern != "" {
		ok := true
		switch {
		case pattern[0] == '[':
			pattern, ok = class(pattern[1:])
		case pattern[0] == '\\' && len(pattern) == 1:
			ok = false
		case pattern[0] == '\\':
			pattern = pattern[2:]
		default:
			pattern = pattern[1:]
		}
		if !ok {
			return false
		}
	}
	return true
}

// class reads a character class behind its bracket, and returns what follows it.
func class(s string) (rest string, ok bool) {
	s = strings.TrimPrefix(s, "!")
	for first := true; ; first = false {
		if !first && strings.HasPrefix(s, "]") {
			return s[1:], true
		}
		if s, ok = character(s); !ok {
			return "", false
		}
		if strings.HasPrefix(s, "-") {
			if s, ok = character(s[1:]); !ok {
				return "", false
			}
		}
	}
}

// character reads one character of a class.
func character(s string) (rest string, ok bool) {
	if s == "" || s[0] == '-' || s[0] == ']' {
		return "", false
	}
	s = strings.TrimPrefix(s, `\`)
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size <= 1 {
		return "", false
	}
	return s[size:], len(s) > size // the class has to end behind it
}

// maxNamed bounds for how many artifacts of a step it is found out which of them
// violates a rule.
const maxNamed = 1_000

// violation returns why a step's link does not keep the step's rules, or "". The
// library decides; it names artifacts in the order of a map, so that which of
// them it was is asked for one by one.
func violation(step in_toto.Step, links map[string]in_toto.Metadata) string {
	holds := func(materials, products [][]string) bool {
		step := step
		step.ExpectedMaterials, step.ExpectedProducts = materials, products
		return in_toto.VerifyArtifacts([]any{step}, links) == nil
	}
	if holds(step.ExpectedMaterials, step.ExpectedProducts) {
		return ""
	}
	link, _ := links[step.Name].GetPayload().(in_toto.Link)
	check := func(rules [][]string) bool { return holds(rules, nil) }
	if why := broken("material", step.ExpectedMaterials, link.Materials, check); why != "" {
		return why
	}
	check = func(rules [][]string) bool { return holds(nil, rules) }
	if why := broken("product", step.ExpectedProducts, link.Products, check); why != "" {
		return why
	}
	return "its link does not keep the layout's rules"
}

// broken names the first rule that does not hold, and the first artifact for
// which it does not. Where the first rules do not hold together, no more of them
// do: so both are found by halving, which matters where there are many.
func broken(kind string, rules [][]string, artifacts map[string]in_toto.HashObj, holds func([][]string) bool) string {
	i := sort.Search(len(rules), func(i int) bool { return !holds(rules[:i+1]) })
	if i == len(rules) {
		return ""
	}
	rule := rules[i]
	if len(artifacts) <= maxNamed {
		matching := in_toto.NewSet(sortedKeys(artifacts)...).Filter(path.Clean(rule[1]))
		names := sortedKeys(matching)
		forbidding := slices.Clone(rules[:i])
		for _, name := range names {
			forbidding = append(forbidding, []string{"DISALLOW", literal.Replace(name)})
		}
		n := sort.Search(len(names), func(n int) bool { return !holds(forbidding[:i+n+1]) })
		if n < len(names) {
			return fmt.Sprintf("the %s %s breaks the rule %s", kind, provenance.Clip(names[n]), shown(rule))
		}
	}
	return fmt.Sprintf("its %ss break the rule %s", kind, shown(rule))
}

// literal makes a pattern of a name, for that name alone.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
