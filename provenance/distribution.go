package provenance

import (
	"slices"
	"strings"

	"countermark/sbom/lazyregexp"

	"deps.dev/util/semver"
)

// distribution is one file of a Python release, as its name tells.
type distribution struct {
	version *semver.Version
	// kind is what tells the files of one version apart: the tags of a wheel in
	// order, or how a source distribution is packed.
	kind string
}

// sdistSuffixes are those that Python's installers take for source distributions.
var sdistSuffixes = []string{
	".tar.gz", ".zip", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar.lzma", ".tlz", ".tar.lz", ".tar.zst",
}

var separators = lazyregexp.New(`[-_.]+`)

// PyPIName is the form of a project's name in which names are compared
// (PEP 503).
func PyPIName(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// OfRelease reports whether a file is one that an installer would take for that
// project and version.
func OfRelease(file, project, version string) bool {
	d, ok := parseDistribution(file, project)
	want, err := semver.PyPI.Parse(version)
	return ok && err == nil && SatisfiesPin(d.version, want)
}

// SatisfiesPin reports whether an installer that is asked for == of a version takes
// another: where no local label is asked for, one with any is taken, and even
// preferred. Upper and lower case are the same (PEP 440).
func SatisfiesPin(v, pin *semver.Version) bool {
	have, asked := strings.ToLower(v.String()), strings.ToLower(pin.String())
	if !strings.Contains(asked, "+") {
		have, _, _ = strings.Cut(have, "+")
	}
	x, errX := semver.PyPI.Parse(have)
	y, errY := semver.PyPI.Parse(asked)
	return errX == nil && errY == nil && x.Compare(y) == 0
}

// VersionOf returns the version of a file that an installer would take for the
// project, as it stands in its name.
func VersionOf(file, project string) (version *semver.Version, ok bool) {
	d, ok := parseDistribution(file, project)
	return d.version, ok
}

// SplitDistribution returns the project and version that the name of a wheel or
// source distribution tells, as they stand there.
func SplitDistribution(file string) (project, version string, ok bool) {
	stem, suffix := cutSuffix(file)
	at := strings.LastIndexByte(stem, '-')
	if suffix == ".whl" {
		at = strings.IndexByte(stem, '-')
	}
	if at <= 0 {
		return "", "", false
	}
	project, version = stem[:at], stem[at+1:]
	if suffix == ".whl" {
		version, _, _ = strings.Cut(version, "-")
	}
	_, ok = parseDistribution(file, project)
	return project, version, ok
}

func cutSuffix(file string) (stem, suffix string) {
	for _, s := range append([]string{".whl"}, sdistSuffixes...) {
		if stem, ok := strings.CutSuffix(file, s); ok {
			return stem, s
		}
	}
	return file, ""
}

// parseDistribution reads the name of a project's file: a wheel's (PEP 491), or
// that of a source distribution (PEP 625, and older ones, in which the project's
// own name may hold hyphens).
func parseDistribution(file, project string) (distribution, bool) {
	stem, suffix := cutSuffix(file)
	if suffix == "" || strings.ContainsAny(file, `/\`) {
		return distribution{}, false
	}
	if suffix == ".whl" {
		parts := strings.Split(stem, "-")
		if len(parts) != 5 && len(parts) != 6 || PyPIName(parts[0]) != PyPIName(project) {
			return distribution{}, false
		}
		version, err := semver.PyPI.Parse(parts[1])
		tags := parts[2:]
		for i, tag := range tags {
			set := strings.Split(tag, ".")
			slices.Sort(set)
			tags[i] = strings.Join(set, ".")
		}
		return distribution{version: version, kind: "wheel " + strings.Join(tags, "-")}, err == nil
	}
	for at := range len(stem) {
		if stem[at] != '-' || PyPIName(stem[:at]) != PyPIName(project) {
			continue
		}
		if version, err := semver.PyPI.Parse(stem[at+1:]); err == nil {
			return distribution{version: version, kind: "sdist " + suffix}, true
		}
	}
	return distribution{}, false
}

// sameDistribution reports whether two names are of one file: they may differ in
// how name and version are spelled (PEP 740, verification).
func sameDistribution(a, b, project string) bool {
	x, ok := parseDistribution(a, project)
	y, ok2 := parseDistribution(b, project)
	return ok && ok2 && x.kind == y.kind && x.version.Compare(y.version) == 0
}

// releaseName is the package URL under which local evidence of a release is kept.
func releaseName(project, version string) string {
	if v, err := semver.PyPI.Parse(version); err == nil {
		version = v.Canon(true)
	}
	return "pkg:pypi/" + PyPIName(project) + "@" + version
}
