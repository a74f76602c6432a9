package npm

import (
	"strings"

	"countermark/sbom/lazyregexp"
)

const (
	maxNameBytes    = 214 // npm's own limit
	maxVersionBytes = 256 // npm's own limit
)

// Names that npm accepted at any time: the characters that encodeURIComponent
// leaves alone, with a scope or without. What could leave its place in a URL (a
// leading dot, a second slash, an escape) is no name.
var (
	namePattern = lazyregexp.New(`^(@[A-Za-z0-9_~!*'()-][A-Za-z0-9_~!*'().-]*/[A-Za-z0-9_~!*'()-]|[A-Za-z0-9~!*'()])[A-Za-z0-9_~!*'().-]*$`)

	// Semantic Versioning 2.0.0, https://semver.org
	versionPattern = lazyregexp.New(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)` +
		`(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
)

// ValidName reports whether npm accepted a name at any time.
func ValidName(name string) bool {
	return len(name) <= maxNameBytes && namePattern.MatchString(name) && name != "node_modules" && name != "favicon.ico"
}

// ValidVersion reports whether a version is an exact one that npm accepts.
func ValidVersion(version string) bool {
	return len(version) <= maxVersionBytes && versionPattern.MatchString(version)
}

// escapeName writes a valid name as npm does in URLs.
func escapeName(name string) string { return strings.Replace(name, "/", "%2f", 1) }

// escapeVersion writes a valid version. A plus may be read as a blank.
func escapeVersion(version string) string { return strings.Replace(version, "+", "%2B", 1) }
