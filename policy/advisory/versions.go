package advisory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"deps.dev/util/semver"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// order is the way in which the versions of a range are compared.
type order struct {
	system semver.System
	strict bool // only full semantic versions are versions
	trimV  bool // a leading v means nothing
}

// orderOf returns the order of a range of that type. Ranges of the type SEMVER
// are compared as https://semver.org/spec/v2.0.0.html says, in every ecosystem.
func orderOf(eco sbom.Ecosystem, rangeType string) order {
	switch {
	case eco == sbom.PyPI && rangeType == "ECOSYSTEM":
		return order{system: semver.PyPI}
	case eco == sbom.NuGet && rangeType == "ECOSYSTEM":
		return order{system: semver.NuGet}
	default:
		return order{system: semver.NPM, strict: true, trimV: eco == sbom.Golang}
	}
}

// maxText bounds versions and requests in bytes. npm takes versions of 256; the
// time that it takes to compare ranges grows faster than their length.
const maxText = 1024

var semanticVersion = lazyregexp.New(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?` +
	`(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

func (o order) parse(text string) (*semver.Version, bool) {
	if o.trimV {
		text = strings.TrimPrefix(text, "v")
	}
	if text == "" || len(text) > maxText || o.strict && !semanticVersion.MatchString(text) {
		return nil, false
	}
	v, err := o.system.Parse(text)
	if err != nil || v.IsWildcard() {
		return nil, false
	}
	return v, true
}

// affected is what a record says of the versions of one package.
type affected struct {
	versions []string
	ranges   []versionRange
	all      bool // the record names no version at all
}

type versionRange struct {
	order  order
	events []event // sorted
	limits []event
}

type eventKind int

// The kinds in the order in which they apply at the same version: what is fixed
// and introduced again at one version is there, and what is introduced and last
// affected at one version is there at that version only.
const (
	fix eventKind = iota
	introduction
	lastAffected
	limit
)

type event struct {
	kind    eventKind
	text    string // as in the record
	lowest  bool   // below every version
	highest bool   // above every version
	version *semver.Version
}

// sortEvents puts events into the order in which they are evaluated.
func sortEvents(events []event) {
	slices.SortStableFunc(events, func(a, b event) int {
		switch {
		case a.lowest && b.lowest:
			return 0
		case a.lowest:
			return -1
		case b.lowest:
			return 1
		}
		return cmp.Or(a.version.Compare(b.version), cmp.Compare(a.kind, b.kind))
	})
}

// contains evaluates a version as the format says
// (https://ossf.github.io/osv-schema/#evaluation): it is affected where it is
// listed, or inside of any range. The note is for a version that is none.
func (a affected) contains(eco sbom.Ecosystem, version string) (ok bool, note string) {
	if a.all {
		return true, ""
	}
	own := orderOf(eco, "ECOSYSTEM")
	v, isVersion := own.parse(version)
	for _, listed := range a.versions {
		if listed == version {
			return true, ""
		}
		if l, ok := own.parse(listed); ok && isVersion && l.Compare(v) == 0 {
			return true, ""
		}
	}
	if !isVersion {
		return true, fmt.Sprintf("%q is no version of %s that can be compared, so it counts as affected", version, eco)
	}
	for _, r := range a.ranges {
		v, ok := r.order.parse(version)
		if !ok {
			return true, fmt.Sprintf("%q cannot be compared with the range of the advisory, so it counts as affected", version)
		}
		if r.contains(v) {
			return true, ""
		}
	}
	return false, ""
}

func (r versionRange) contains(v *semver.Version) bool {
	if !r.beforeLimits(v) {
		return false
	}
	inside := false
	for _, e := range r.events {
		switch {
		case e.kind == introduction && (e.lowest || v.Compare(e.version) >= 0):
			inside = true
		case e.kind == fix && v.Compare(e.version) >= 0:
			inside = false
		case e.kind == lastAffected && v.Compare(e.version) > 0:
			inside = false
		}
	}
	return inside
}

func (r versionRange) beforeLimits(v *semver.Version) bool {
	if len(r.limits) == 0 {
		return true
	}
	return slices.ContainsFunc(r.limits, func(l event) bool {
		return l.highest || v.Compare(l.version) < 0
	})
}

// constraints writes the range as constraints of its order's grammar, one for
// each interval. Limits are left out, which can only widen them.
func (r versionRange) constraints() []string {
	and := " "
	if r.order.system == semver.PyPI {
		and = ","
	}
	var out []string
	from := "" // of the interval that is open
	for _, e := range r.events {
		switch {
		case e.kind == introduction && from == "":
			from = r.order.lowest()
			if !e.lowest {
				from = ">=" + r.order.trim(e.text)
			}
		case e.kind == fix && from != "":
			out = append(out, from+and+"<"+r.order.trim(e.text))
			from = ""
		case e.kind == lastAffected && from != "":
			out = append(out, from+and+"<="+r.order.trim(e.text))
			from = ""
		}
	}
	if from != "" {
		out = append(out, from)
	}
	return out
}

func (o order) lowest() string {
	if o.system == semver.PyPI {
		return ">=0.dev0"
	}
	return ">=0.0.0-0"
}

func (o order) trim(text string) string {
	if o.trimV {
		return strings.TrimPrefix(text, "v")
	}
	return text
}

// everything is how package semver writes the set of all versions. It has to be
// known, because the intersection with that set is computed as empty.
const everything = "{}"

// request is what a floating spec asks of a registry.
type request struct {
	ecosystem  sbom.Ecosystem
	exact      string             // one version
	constraint *semver.Constraint // a range; nil where every version could be selected
	system     semver.System
}

func newRequest(eco sbom.Ecosystem, text string) request {
	r := request{ecosystem: eco}
	text = strings.TrimSpace(text)
	if len(text) > maxText {
		return r
	}
	switch eco {
	case sbom.NPM:
		r.system = semver.NPM
		// npm reads v1.2.3 and =1.2.3 as that version.
		if v := strings.TrimLeft(text, "v= "); semanticVersion.MatchString(v) {
			r.exact = v
			return r
		}
	case sbom.PyPI:
		r.system = semver.PyPI
		v := strings.TrimSpace(strings.TrimLeft(text, "="))
		if _, ok := orderOf(eco, "ECOSYSTEM").parse(v); ok && !strings.Contains(v, "*") {
			r.exact = v
			return r
		}
	default:
		if semanticVersion.MatchString(strings.TrimPrefix(text, "v")) {
			r.exact = text
		}
		return r
	}
	if text == "" {
		return r
	}
	// What is no range is a tag, or not understood: it could select anything. So
	// could "*", for which npm takes the tag "latest", be it a prerelease.
	c, err := r.system.ParseConstraint(text)
	if err != nil || c.Set().String() == everything {
		return r
	}
	r.constraint = c
	return r
}

// selects reports whether a version that the request could select is affected.
func (r request) selects(a affected) (ok bool, note string) {
	if r.exact != "" {
		return a.contains(r.ecosystem, r.exact)
	}
	if a.all || r.constraint == nil {
		return true, ""
	}
	for _, listed := range a.versions {
		v, err := r.system.Parse(listed)
		if err != nil {
			return true, fmt.Sprintf("the advisory lists %q, which cannot be compared with the request", listed)
		}
		if r.matches(v) {
			return true, ""
		}
	}
	return slices.ContainsFunc(a.ranges, r.meets), ""
}

// matches reports whether the range selects a version. Installers of PyPI fall
// back to prereleases, npm does not.
func (r request) matches(v *semver.Version) bool {
	if r.system == semver.PyPI {
		return r.constraint.MatchVersionPrerelease(v)
	}
	return r.constraint.MatchVersion(v)
}

// meets reports whether the request and a range have a version in common, and
// true where that cannot be told.
func (r request) meets(span versionRange) bool {
	if span.order.system != r.system {
		return true
	}
	for _, text := range span.constraints() {
		c, err := r.system.ParseConstraint(text)
		if err != nil {
			return true
		}
		if overlap(r.constraint.Set(), c.Set()) && overlap(c.Set(), r.constraint.Set()) {
			return true
		}
	}
	return false
}

// overlap reports whether two sets have a version in common, and true where that
// cannot be told. Package semver sees that intervals only touch, the end of one
// being open, when the lower one is b, so it is asked both ways.
func overlap(a, b semver.Set) bool {
	err := a.Intersect(b)
	return err != nil || !a.Empty()
}
