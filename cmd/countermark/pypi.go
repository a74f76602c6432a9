package main

import (
	"cmp"
	"context"
	"net/http"
	"path/filepath"
	"strings"

	"countermark/policy"
	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/pypi"
	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/package-url/packageurl-go"
)

// indexVariables are those in which uv and pip take the index of the user's
// choice. The program itself knows no index.
var indexVariables = []string{"UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"}

// pypiIndex is the index that the user names; "" where he names none.
func (p *program) pypiIndex(flag string) (string, error) {
	index, from := flag, "--pypi-index"
	for _, name := range indexVariables {
		if index == "" {
			index, from = p.env(name), name
		}
	}
	if index == "" {
		return "", nil
	}
	// uv takes NAME=URL.
	if name, url, ok := strings.Cut(index, "="); ok && !strings.Contains(name, "/") {
		index = url
	}
	if _, err := pypi.ParseIndex(index); err != nil {
		return "", usageError("write https://host/simple/", "%s: %v", from, err)
	}
	return index, nil
}

// pypiSource is the index of Python packages, or one that can never be reached.
func (p *program) pypiSource(flag string, offline bool, pol policy.Located, transport http.RoundTripper) (provenance.Source, error) {
	index, err := p.pypiIndex(flag)
	switch {
	case err != nil:
		return nil, err
	case offline:
		return provenance.Offline{}, nil
	case index == "":
		return provenance.Offline{
			Reason: "no index of Python packages is named",
			Hint:   "name it with --pypi-index URL, or in " + strings.Join(indexVariables, ", ") + "; or give the attestations with --attestations",
		}, nil
	}
	return &pypi.Client{Index: index, Transport: transport, Version: p.version, Internal: pol.InternalProject, Registries: pol.Registries}, nil
}

// pypiSubject is a Python package of which nothing but name and version is known.
func pypiSubject(name, version string) provenance.Subject {
	return provenance.Subject{
		PURL:      packageurl.NewPackageURL(packageurl.TypePyPi, "", strings.ToLower(strings.ReplaceAll(name, "_", "-")), version, nil, "").ToString(),
		Ecosystem: sbom.PyPI, Name: name, Version: version,
	}
}

// isProject reports whether a subject is a Python package.
func isProject(arg string) bool {
	return strings.HasPrefix(arg, "pypi:") || strings.HasPrefix(arg, "pkg:pypi/")
}

var (
	projectName    = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	projectVersion = lazyregexp.New(`^([0-9]+!)?[0-9][A-Za-z0-9.+_-]*$`)
)

// parseProject parses pkg:pypi/name@1.2.3 or the shorthand pypi:name@1.2.3, in
// which == may stand for the @.
func parseProject(arg string) (provenance.Subject, error) {
	refuse := func(why string) (provenance.Subject, error) {
		return provenance.Subject{}, usageError("write pypi:name@1.2.3 or pkg:pypi/name@1.2.3", "%s: %s", shownArgument(arg), why)
	}
	spec, short := strings.CutPrefix(arg, "pypi:")
	name, version, _ := strings.Cut(strings.Replace(spec, "==", "@", 1), "@")
	if !short {
		purl, err := packageurl.FromString(arg)
		switch {
		case err != nil:
			return refuse(errPackageURL.Error())
		case len(purl.Qualifiers) > 0 || purl.Subpath != "" || purl.Namespace != "":
			return refuse("namespaces, qualifiers and paths of a package URL are not judged")
		}
		name, version = purl.Name, purl.Version
	}
	switch {
	case !projectName.MatchString(name):
		return refuse("no name of a Python package")
	case !projectVersion.MatchString(version):
		return refuse("an exact version is needed")
	}
	return pypiSubject(name, version), nil
}

// verifyDistribution judges a wheel or source distribution by its bytes. The world
// is closed: nobody is asked for what the given attestations do not hold.
func (p *program) verifyDistribution(ctx context.Context, flags *verifyFlags, arg, project, version string) (provenance.Result, error) {
	none := provenance.Result{}
	expected, err := flags.source()
	if err != nil {
		return none, err
	}
	if expected.Repo == "" {
		return none, usageError("name the repository with --source-uri", "nobody is named from whom %s has to come", arg)
	}
	artifact, err := namedArtifact(arg)
	if err != nil {
		return none, err
	}
	digests, err := artifact.Digests()
	if err != nil {
		return none, usageError("name a readable file", "%s: cannot be read: %v", arg, bare(err))
	}
	subject := pypiSubject(cmp.Or(flags.packageName, project), cmp.Or(flags.packageVersion, version))
	subject.Digests, subject.DigestFrom = digests, "file"
	local, warnings, err := provenance.OpenEvidence(ctx, flags.evidence())
	if err != nil {
		return none, err
	}
	for _, w := range warnings {
		p.warn("", "%v", w)
	}
	verifier, err := p.verifier(flags.trust)
	if err != nil {
		return none, err
	}
	set, err := local.File(ctx, subject, provenance.File{Name: filepath.Base(arg), Digests: digests})
	if err != nil {
		return none, err
	}
	return verifier.Judge(subject, expected, set), nil
}

// isDistribution reports whether a file is a wheel or source distribution of
// Python, whose name then says of which project. Both worlds pack some in gzipped
// tar files; npm's hold a package.json.
func isDistribution(name string) (project, version string, ok bool) {
	project, version, ok = provenance.SplitDistribution(filepath.Base(name))
	if !ok || strings.HasSuffix(name, ".whl") {
		return project, version, ok
	}
	if !strings.HasSuffix(name, ".tgz") && !strings.HasSuffix(name, ".tar.gz") {
		return project, version, true
	}
	f, err := openNamed(name)
	if err != nil {
		return "", "", false
	}
	defer f.Close()
	_, err = npm.ReadTarball(f)
	return project, version, err != nil
}
