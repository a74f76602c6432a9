package closure

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"countermark/sbom/lazyregexp"

	"deps.dev/util/semver"
)

// npm's names: no path in them, with the capitals and characters that old
// packages still have.
var namePattern = lazyregexp.New(`^(@[A-Za-z0-9~_.!'()*-]+/)?[A-Za-z0-9~_!'()*-][A-Za-z0-9~_.!'()*-]*$`)

const maxName = 214 // npm's limit; a scope included

func validName(name string) bool { return len(name) <= maxName && namePattern.MatchString(name) }

// specKind is what a spec asks for (npm's documentation, "package-spec").
type specKind uint8

const (
	versionSpec specKind = iota // exactly one version
	rangeSpec
	tagSpec
	gitSpec
	urlSpec
	fileSpec
	badSpec
)

// spec is what a dependency asks for.
type spec struct {
	kind    specKind
	name    string // the package; of an alias that which it stands for
	text    string // the version, range or tag
	version *semver.Version
	allowed *semver.Constraint // of rangeSpec; nil where everything satisfies it
}

// reason says why a spec cannot be resolved; empty where a registry can.
func (s spec) reason() Reason {
	switch s.kind {
	case gitSpec:
		return ReasonGit
	case urlSpec:
		return ReasonURL
	case fileSpec:
		return ReasonFile
	case badSpec:
		return ReasonSpec
	default:
		return ""
	}
}

var (
	schemePattern = lazyregexp.New(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	filePattern   = lazyregexp.New(`^(\.{0,2}/|\.{1,2}$|~/|[A-Za-z]:[\\/]|\.{0,2}\\)`)
	tarPattern    = lazyregexp.New(`(?i)\.(tgz|tar\.gz|tar)$`)
	scpPattern    = lazyregexp.New(`^[^/@\s]+@[^/:\s]+:`)
	hostedPattern = lazyregexp.New(`^[^@/:\s][^/:\s]*/[^/\s]+$`)
	gitPattern    = lazyregexp.New(`(?i)^https?://([^/@]*@)?(www\.)?(github\.com|gitlab\.com|bitbucket\.org)/[^/]+/[^/#]+(#.*)?$`)
	tagPattern    = lazyregexp.New(`^[A-Za-z0-9_.!~*'()-]+$`) // what encodeURIComponent leaves alone
)

// parseSpec reads what stands behind a dependency's name.
func parseSpec(name, text string) spec {
	text = strings.TrimSpace(text)
	scheme := strings.ToLower(schemePattern.FindString(text))
	switch {
	case scheme == "npm:":
		return parseAlias(text[len(scheme):])
	case scheme == "file:" || filePattern.MatchString(text):
		return spec{kind: fileSpec, name: name, text: text}
	case scheme == "http:" || scheme == "https:":
		if gitPattern.MatchString(text) || strings.HasSuffix(strings.ToLower(strings.SplitN(text, "#", 2)[0]), ".git") {
			return spec{kind: gitSpec, name: name, text: text}
		}
		return spec{kind: urlSpec, name: name, text: text}
	case scheme == "github:" || scheme == "gitlab:" || scheme == "bitbucket:" || scheme == "gist:" || scheme == "git:" || scheme == "ssh:",
		strings.HasPrefix(scheme, "git+"), scpPattern.MatchString(text):
		return spec{kind: gitSpec, name: name, text: text}
	case scheme != "":
		return spec{kind: badSpec, name: name, text: text}
	case tarPattern.MatchString(text):
		return spec{kind: fileSpec, name: name, text: text}
	case hostedPattern.MatchString(text):
		return spec{kind: gitSpec, name: name, text: text}
	default:
		return registrySpec(name, text)
	}
}

// parseAlias reads what stands behind "npm:", which may not be another alias.
func parseAlias(text string) spec {
	name, wanted := text, ""
	if at := strings.LastIndexByte(text, '@'); at > 0 {
		name, wanted = text[:at], text[at+1:]
	}
	if !validName(name) || schemePattern.MatchString(wanted) || strings.ContainsAny(wanted, `/\`) {
		return spec{kind: badSpec, name: name, text: text}
	}
	return registrySpec(name, wanted)
}

func registrySpec(name, text string) spec {
	s := spec{kind: rangeSpec, name: name, text: text}
	if text == "" || text == "*" {
		s.text = "*"
		return s
	}
	if v := parseVersion(text); v != nil {
		return spec{kind: versionSpec, name: name, text: text, version: v}
	}
	if s.allowed = parseRange(text); s.allowed != nil {
		return s
	}
	if tagPattern.MatchString(text) {
		return spec{kind: tagSpec, name: name, text: text}
	}
	return spec{kind: badSpec, name: name, text: text}
}

// parseRange parses a range, or returns nil. Of alternatives npm leaves out those
// that are none, as in ">=3 || insiders".
func parseRange(text string) *semver.Constraint {
	allowed, err := semver.NPM.ParseConstraint(text)
	if err == nil {
		return allowed
	}
	var valid []string
	for part := range strings.SplitSeq(text, "||") {
		if _, err := semver.NPM.ParseConstraint(part); err == nil {
			valid = append(valid, part)
		}
	}
	if len(valid) == 0 {
		return nil
	}
	allowed, err = semver.NPM.ParseConstraint(strings.Join(valid, "||"))
	if err != nil {
		return nil
	}
	return allowed
}

// satisfiedBy reports whether a version of the package is what is asked for. Any
// version may once have carried a tag.
func (s spec) satisfiedBy(v *semver.Version) bool {
	switch s.kind {
	case tagSpec:
		return true
	case versionSpec:
		return v != nil && s.version.Compare(v) == 0
	case rangeSpec:
		return s.allowed == nil || v != nil && s.allowed.MatchVersion(v)
	default:
		return false
	}
}

var versionPattern = lazyregexp.New(`^[v=\s]*([0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*)$`)

// parseVersion parses an exact version, or returns nil.
func parseVersion(text string) *semver.Version {
	m := versionPattern.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return nil
	}
	v, err := semver.NPM.Parse(m[1])
	if err != nil || v.IsWildcard() {
		return nil
	}
	return v
}

// ranges remembers parsed specs and versions: a tree asks for the same again and
// again.
type ranges map[string]spec

func (r ranges) parse(name, text string) spec {
	key := name + "\x00" + text
	s, ok := r[key]
	if !ok {
		s = parseSpec(name, text)
		r[key] = s
	}
	return s
}

// sha1Integrity is what npm makes of dist.shasum where there is no integrity.
func sha1Integrity(shasum string) string {
	raw, err := hex.DecodeString(shasum)
	if err != nil || len(raw) == 0 {
		return ""
	}
	return "sha1-" + base64.StdEncoding.EncodeToString(raw)
}
