package node

import (
	"net/url"
	"strings"
)

// TarballName returns the package and the version that the URL of a registry's
// tarball names: …/name/-/name-1.2.3.tgz, …/@scope/name/-/name-1.2.3.tgz, with
// the scope's slash escaped or not, below any prefix, and with the scope repeated
// before the file's name, as some mirrors have it. It answers only what is surely
// of that form: folder and file must name the same package.
func TarballName(resolved string) (name string, version string, ok bool) {
	u, err := url.Parse(resolved)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", "", false
	}
	path := u.Path // unescaped, which makes %2f and %40 plain
	at := strings.LastIndex(path, "/-/")
	if at < 0 {
		return "", "", false
	}
	folders := strings.Split(strings.TrimPrefix(path[:at], "/"), "/")
	base := folders[len(folders)-1]
	name = base
	scope := ""
	if len(folders) > 1 && strings.HasPrefix(folders[len(folders)-2], "@") {
		scope = folders[len(folders)-2] + "/"
		name = scope + base
	}
	file := strings.TrimPrefix(path[at+len("/-/"):], scope)
	file, isTarball := strings.CutSuffix(file, ".tgz")
	version, isSame := strings.CutPrefix(file, base+"-")
	if !isTarball || !isSame || !validName(name) || plainVersion(version) != version || version == "" {
		return "", "", false
	}
	return name, version, true
}
