// Package subject reads what people name to be verified.
//
// In flows one word of a command line or a script: a package URL
// (https://github.com/package-url/purl-spec) of npm, PyPI or an image, one of the
// shorthands npm:@scope/name@1.2.3 and pypi:name==1.2.3, or the digest of a file.
// Out flows a [provenance.Subject], of which nothing is known but what the word
// says, or an [*Error] that says how it is written. A subject is always one exact
// version or digest: what a range or tag selects is another question.
//
// No message quotes the qualifiers of a package URL, where a password may stand.
package subject

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/oci"
	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Error says what is wrong with a word that was to name a package.
type Error struct {
	Name    string // the word, as it may be shown
	Problem string
	Hint    string // how it is written
}

func (e *Error) Error() string { return e.Name + ": " + e.Problem }

// Prefixes of what is no npm package. All other package URLs are read as npm's, and
// refused where they are none.
const (
	imagePrefix   = "pkg:oci/"
	projectPrefix = "pkg:pypi/"
	projectShort  = "pypi:"
	packageShort  = "npm:"
)

// Ecosystem says by its beginning whose package a word is meant to name; "" where
// it names none, but a file or a digest.
func Ecosystem(word string) sbom.Ecosystem {
	switch {
	case strings.HasPrefix(word, imagePrefix):
		return sbom.OCI
	case strings.HasPrefix(word, projectPrefix), strings.HasPrefix(word, projectShort):
		return sbom.PyPI
	case strings.HasPrefix(word, "pkg:"), strings.HasPrefix(word, packageShort):
		return sbom.NPM
	default:
		return ""
	}
}

// IsDigest reports whether a word is meant to be the digest of a file, which
// [provenance.ParseDigest] reads.
func IsDigest(word string) bool {
	return strings.HasPrefix(word, "sha256:") || strings.HasPrefix(word, "sha384:") || strings.HasPrefix(word, "sha512:")
}

// Parse reads a package URL or one of the shorthands. The error is an [*Error].
func Parse(word string) (provenance.Subject, error) {
	var s provenance.Subject
	var err error
	var hint string
	switch Ecosystem(word) {
	case sbom.OCI:
		s, err = parseImage(word)
		hint = "write pkg:oci/name@sha256:<64 hex digits>?repository_url=host/path/name"
	case sbom.PyPI:
		s, err = parsePyPI(word)
		hint = "write pypi:name@1.2.3 or pkg:pypi/name@1.2.3"
	default:
		s, err = parseNPM(word)
		hint = "write npm:@scope/name@1.2.3 or pkg:npm/%40scope/name@1.2.3"
	}
	if err != nil {
		return provenance.Subject{}, &Error{Name: shown(word), Problem: err.Error(), Hint: hint}
	}
	return s, nil
}

// shown is a word in a message.
func shown(word string) string {
	before, _, found := strings.Cut(word, "?")
	if found {
		before += "?…"
	}
	return before
}

// NPM is an npm package of which nothing but name and version is known.
func NPM(name, version string) provenance.Subject {
	return provenance.Subject{PURL: sbom.NPMPackageURL(name, version), Ecosystem: sbom.NPM, Name: name, Version: version}
}

// PyPI is a Python package of which nothing but name and version is known.
func PyPI(name, version string) provenance.Subject {
	return provenance.Subject{
		PURL:      packageurl.NewPackageURL(packageurl.TypePyPi, "", strings.ToLower(strings.ReplaceAll(name, "_", "-")), version, nil, "").ToString(),
		Ecosystem: sbom.PyPI, Name: name, Version: version,
	}
}

var (
	errPackageURL = errors.New("no package URL (https://github.com/package-url/purl-spec)") // the library's own error quotes all of it
	errVersion    = errors.New("an exact version is needed")
)

func parseNPM(word string) (provenance.Subject, error) {
	name, version, err := splitNPM(word)
	switch {
	case err != nil:
		return provenance.Subject{}, err
	case !npm.ValidVersion(version):
		return provenance.Subject{}, errVersion
	case !npm.ValidName(name):
		return provenance.Subject{}, errors.New("no name of an npm package")
	}
	return NPM(name, version), nil
}

func splitNPM(word string) (name, version string, err error) {
	if spec, ok := strings.CutPrefix(word, packageShort); ok {
		at := strings.LastIndex(spec, "@")
		if at <= 0 {
			return spec, "", nil
		}
		return spec[:at], spec[at+1:], nil
	}
	purl, err := packageurl.FromString(word)
	switch {
	case err != nil:
		return "", "", errPackageURL
	case purl.Type != packageurl.TypeNPM:
		return "", "", errors.New("only packages of npm and PyPI and container images are verified by name")
	case len(purl.Qualifiers) > 0 || purl.Subpath != "":
		return "", "", errors.New("qualifiers and paths of a package URL are not judged")
	case purl.Namespace != "":
		return purl.Namespace + "/" + purl.Name, purl.Version, nil
	}
	return purl.Name, purl.Version, nil
}

var (
	projectName    = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	projectVersion = lazyregexp.New(`^([0-9]+!)?[0-9][A-Za-z0-9.+_-]*$`)
)

// parsePyPI takes == for the @ of the shorthand, too.
func parsePyPI(word string) (provenance.Subject, error) {
	spec, short := strings.CutPrefix(word, projectShort)
	name, version, _ := strings.Cut(strings.Replace(spec, "==", "@", 1), "@")
	if !short {
		purl, err := packageurl.FromString(word)
		switch {
		case err != nil:
			return provenance.Subject{}, errPackageURL
		case len(purl.Qualifiers) > 0 || purl.Subpath != "" || purl.Namespace != "":
			return provenance.Subject{}, errors.New("namespaces, qualifiers and paths of a package URL are not judged")
		}
		name, version = purl.Name, purl.Version
	}
	switch {
	case !projectName.MatchString(name):
		return provenance.Subject{}, errors.New("no name of a Python package")
	case !projectVersion.MatchString(version):
		return provenance.Subject{}, errVersion
	}
	return PyPI(name, version), nil
}

// parseImage parses the package URL of a container image, which has to say by
// its digest which, and where it is.
func parseImage(word string) (provenance.Subject, error) {
	purl, err := packageurl.FromString(word)
	if err != nil {
		return provenance.Subject{}, errPackageURL
	}
	digest, err := provenance.ParseDigest(purl.Version)
	if err != nil {
		return provenance.Subject{}, fmt.Errorf("an image is pinned by its digest: %w", err)
	}
	qualifiers := purl.Qualifiers.Map()
	for name := range qualifiers {
		// A tag and a platform are remarks: the digest says what is meant.
		if !slices.Contains([]string{"repository_url", "tag", "arch"}, name) {
			return provenance.Subject{}, fmt.Errorf("the qualifier %s of a package URL is not judged", name)
		}
	}
	if purl.Namespace != "" || purl.Subpath != "" {
		return provenance.Subject{}, errors.New("an image's package URL has neither namespace nor path: where it is, repository_url says")
	}
	qualifiers["repository_url"] = provenance.ImageRepository(qualifiers["repository_url"])
	version := digest.Algorithm + ":" + digest.Value
	s := provenance.Subject{
		PURL:      packageurl.NewPackageURL(packageurl.TypeOCI, "", purl.Name, version, packageurl.QualifiersFromMap(qualifiers), "").ToString(),
		Ecosystem: sbom.OCI, Name: purl.Name, Version: version,
		Digests: []provenance.Digest{digest}, DigestFrom: "argument",
	}
	if _, err := oci.Reference(s); err != nil {
		return provenance.Subject{}, err
	}
	return s, nil
}
