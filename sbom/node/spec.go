package node

import (
	"cmp"
	"strings"

	"github.com/package-url/packageurl-go"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// purl is the package URL of an npm package. At most one of the qualifiers vcs_url
// and download_url says where else than from a registry the package comes.
func purl(name, version, qualifier, value string) string {
	if value == "" {
		return sbom.NPMPackageURL(name, version)
	}
	return sbom.NPMPackageURL(name, version, packageurl.Qualifier{Key: qualifier, Value: value})
}

// request is what a dependency asks for, in a package.json that no lockfile
// resolves (npm's documentation, "package-spec").
type request struct {
	source  sbom.Source // "" where the package manager alone knows it
	name    string      // of an alias: what it stands for
	version string      // where exactly one is asked for
	url     string      // of FromGit and FromTarball, redacted
}

var (
	specGitHost = lazyregexp.New(`^https?://([^/@]*@)?(www\.)?(github\.com|gitlab\.com|bitbucket\.org)/[^/]+/[^/#]+(#.*)?$`)
	specSCP     = lazyregexp.New(`^[^/@\s]+@[^/:\s]+:`)
	specHosted  = lazyregexp.New(`^[^@/:\s][^/:\s]*/[^/\s]+$`)
	specLocal   = lazyregexp.New(`^(\.{0,2}/|\.{1,2}$|~/|[A-Za-z]:[\\/])`)
	specTag     = lazyregexp.New(`^[A-Za-z][A-Za-z0-9._-]*$`)
)

var gitHosts = map[string]string{
	"github:": "github.com", "gitlab:": "gitlab.com", "bitbucket:": "bitbucket.org", "gist:": "gist.github.com",
}

func parseSpec(name, spec string) request {
	spec = strings.TrimSpace(spec)
	if !strings.ContainsAny(spec, `/:\`) && spec != "." && spec != ".." { // as nearly all are
		return request{name: name, version: plainVersion(spec)}
	}
	scheme := schemeOf(spec)
	switch {
	case scheme == "npm:":
		real, version := spec[len(scheme):], ""
		if at := strings.LastIndexByte(real, '@'); at > 0 {
			real, version = real[:at], real[at+1:]
		}
		return request{name: real, version: plainVersion(version)}
	case gitHosts[scheme] != "":
		return request{name: name, source: sbom.FromGit, url: hosted(gitHosts[scheme], spec[len(scheme):])}
	case scheme == "http:" || scheme == "https:":
		url, _ := Distribution(spec)
		path, _, _ := strings.Cut(spec, "#")
		if strings.HasSuffix(path, ".git") || specGitHost.MatchString(spec) {
			return request{name: name, source: sbom.FromGit, url: "git+" + url}
		}
		return request{name: name, source: sbom.FromTarball, url: url}
	case strings.HasPrefix(scheme, "git+") || scheme == "git:" || scheme == "ssh:":
		return request{name: name, source: sbom.FromGit, url: redact(spec)}
	case specSCP.MatchString(spec):
		return request{name: name, source: sbom.FromGit, url: redact(spec)}
	case scheme == "file:" || specLocal.MatchString(spec):
		return request{name: name, source: sbom.FromFile}
	case scheme == "link:" || scheme == "portal:":
		return request{name: name, source: sbom.FromLink}
	case scheme != "":
		return request{name: name} // workspace:, catalog:, patch: and whatever comes
	case specHosted.MatchString(spec):
		return request{name: name, source: sbom.FromGit, url: hosted("github.com", spec)}
	default:
		return request{name: name, version: plainVersion(spec)}
	}
}

// hosted spells out a shorthand such as owner/repository#ref.
func hosted(host, shorthand string) string {
	repository, ref, _ := strings.Cut(shorthand, "#")
	if at := strings.LastIndexByte(repository, '@'); at >= 0 { // user:password@owner/repository
		repository = repository[at+1:]
	}
	if strings.Contains(repository, ":") { // of no known form, and nobody can tell what in it is a password
		repository = sbom.Redacted
	}
	return sbom.RedactURL("git+https://" + host + "/" + strings.TrimSuffix(repository, ".git") + ".git#" + ref)
}

func asksURL(spec string) bool {
	return strings.Contains(spec, "://") && parseSpec("", spec).source == sbom.FromTarball
}

// lockedSource says from where a lockfile's "resolved" brings a package, and
// whether it is of a form that npm writes.
func lockedSource(resolved string) (source sbom.Source, ok bool) {
	scheme := schemeOf(resolved)
	switch {
	case scheme == "http:" || scheme == "https:":
		return sbom.FromRegistry, true
	case strings.HasPrefix(scheme, "git+") || scheme == "git:" || scheme == "ssh:" || gitHosts[scheme] != "" || specSCP.MatchString(resolved):
		return sbom.FromGit, true
	case scheme == "file:":
		return sbom.FromFile, true
	default:
		return "", false
	}
}

// vcsURL is the purl qualifier of a git dependency, redacted; the commit stays.
func vcsURL(resolved string) string {
	scheme := schemeOf(resolved)
	if host := gitHosts[scheme]; host != "" {
		return hosted(host, resolved[len(scheme):])
	}
	url := redact(resolved)
	if strings.HasPrefix(scheme, "git") {
		return url
	}
	return "git+" + cmp.Or(strings.TrimPrefix(url, "git+"), url)
}

// packageManagerSchemes lead to no host, so what follows holds no password, and
// an @ in it belongs to a name.
var packageManagerSchemes = map[string]bool{
	"workspace:": true, "catalog:": true, "patch:": true, "portal:": true, "link:": true, "file:": true,
}

// redactSpec returns the spec as it may be shown.
func redactSpec(spec string) string {
	spec = strings.TrimSpace(spec)
	if a, ok := parseAddress(spec); ok {
		return a.String()
	}
	scheme := schemeOf(spec)
	r := parseSpec("", spec)
	switch {
	case scheme == "npm:" && (!validName(r.name) || strings.Contains(spec, "://")):
		return "npm:" + sbom.Redacted
	case scheme == "npm:" || scheme == "" && r.source == "" && !strings.Contains(spec, "@"):
		if sbom.LooksSecret(spec) {
			return sbom.Redacted
		}
		return spec
	}
	out := redact(spec)
	at := strings.LastIndexByte(out, '@')
	if at < 0 || packageManagerSchemes[scheme] {
		return out
	}
	if r.source == "" { // "user:password@owner/repository"
		scheme = ""
	}
	return scheme + out[at+1:]
}
