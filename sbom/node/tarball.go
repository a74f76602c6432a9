package node

import (
	"net/url"
	"strings"

	"countermark/sbom/lazyregexp"
)

// The forms of registries in which the file's name does not repeat the package's.
var (
	// GitHub Packages: …/download/@scope/name/1.2.3/<hash>.
	githubTarball = lazyregexp.New(`^/download/(@[^/]+/[^/]+)/([^/]+)/(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
	// JSR for npm: /~/11/@jsr/scope__name/1.2.3.tgz.
	jsrTarball = lazyregexp.New(`^/~/[0-9]+/(@jsr/[^/]+)/([^/]+)\.tgz$`)
)

// names returns the package and the version that the URL of a registry's tarball
// names, or "": …/name/-/name-1.2.3.tgz, …/@scope/name/-/name-1.2.3.tgz, with
// the scope's slash escaped or not, below any prefix; with the scope or the
// version repeated before the file's name, as some registries have it; and the
// forms in which a few well-known registries differ. It answers only what is
// surely of such a form: folder and file must name the same package.
func (a address) names() (name, version string) {
	path, err := url.PathUnescape(a.path) // makes %2f and %40 plain
	if err != nil {
		return "", ""
	}
	if strings.HasPrefix(path, "/download/") || strings.HasPrefix(path, "/~/") {
		m := githubTarball.FindStringSubmatch(path)
		if m == nil {
			m = jsrTarball.FindStringSubmatch(path)
		}
		if m != nil {
			return checkedName(m[1], m[2])
		}
	}
	for _, middle := range []string{"/-/", "/download/"} { // the latter is that of cnpm's mirrors
		if before, after, ok := strings.Cut(path, middle); ok {
			return tarballName(before, after)
		}
	}
	return "", ""
}

// tarballName takes the folder, whose last elements are the package's name, and
// what follows it.
func tarballName(folder, rest string) (name, version string) {
	folder = strings.TrimPrefix(folder, "/")
	name = folderName(folder)
	base, scope := name, ""
	if strings.HasPrefix(name, "@") && strings.Contains(name, "/") {
		scope, base, _ = strings.Cut(name, "/")
	}
	repeated, file := "", rest
	if slash := strings.LastIndexByte(rest, '/'); slash >= 0 {
		repeated, file = rest[:slash], rest[slash+1:]
	}
	file, isTarball := strings.CutSuffix(file, ".tgz")
	version, isSame := strings.CutPrefix(file, base+"-")
	if !isTarball || !isSame || repeated != "" && repeated != scope && repeated != version {
		return "", ""
	}
	return checkedName(name, version)
}

func checkedName(name, version string) (string, string) {
	if !validName(name) || version == "" || plainVersion(version) != version {
		return "", ""
	}
	return name, version
}
