package node

import (
	"cmp"
	"net/url"
	"path"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// peersSuffix returns where the part of a key begins that tells instances of the
// same package apart: "(react@18.2.0)(vite@5.0.0(terser@5.1.0))", or a patch's
// hash. A URL may hold parentheses too, but only the groups at the end count.
func peersSuffix(key string) int {
	if !strings.HasSuffix(key, ")") {
		return len(key)
	}
	open := 1
	for i := len(key) - 2; i >= 0; i-- {
		switch {
		case key[i] == '(':
			open--
		case key[i] == ')':
			open++
		case open == 0:
			return i + 1
		}
	}
	return len(key)
}

// pnpmKey returns the key of the instance that a reference leads to, by the rule
// of the lockfile's version.
func pnpmKey(major int, name, ref string) string {
	if strings.HasPrefix(ref, "file:") && major < 9 {
		return ref
	}
	if major < 9 {
		bare, _, _ := strings.Cut(ref, "(")
		switch {
		case strings.Contains(bare, "/"):
			return ref
		case major == 5:
			return "/" + name + "/" + ref
		default:
			return "/" + name + "@" + ref
		}
	}
	at := strings.IndexByte(ref, '@')
	if at == 0 {
		return ref
	}
	before := func(c byte) bool { i := strings.IndexByte(ref, c); return i < 0 || at < i }
	if at > 0 && before(':') && before('(') {
		return ref
	}
	return name + "@" + ref
}

// parsePNPMKey takes the name and the version out of a key, or whatever stands in
// place of the version: a URL, "file:…". host is a registry that is not the
// configured one. All are empty for keys that say neither, of git repositories
// and archives in older lockfiles.
func parsePNPMKey(major int, key string) (name, version, host string) {
	if strings.HasPrefix(key, "file:") {
		return "", "", ""
	}
	if major == 9 {
		return cutVersion(key[:peersSuffix(key)], "@")
	}
	rest, own := strings.CutPrefix(key, "/")
	if !own {
		host, rest, _ = strings.Cut(rest, "/")
		if !strings.Contains(host, ".") || strings.ContainsAny(host, "@+") {
			return "", "", ""
		}
	}
	separator := "@"
	if major == 5 {
		separator = "/"
	} else {
		rest, _, _ = strings.Cut(rest, "(")
	}
	name, version, _ = cutVersion(rest, separator)
	if major == 5 {
		version, _, _ = strings.Cut(version, "_")
	}
	if !own && plainVersion(version) == "" {
		return "", "", ""
	}
	return name, version, host
}

// cutVersion cuts at the separator behind the name, whose scope may hold it too.
func cutVersion(s, separator string) (name, version, host string) {
	scope := ""
	if strings.HasPrefix(s, "@") {
		first, rest, ok := strings.Cut(s, "/")
		if !ok {
			return "", "", ""
		}
		scope, s = first+"/", rest
	}
	name, version, _ = strings.Cut(s, separator)
	return scope + name, version, ""
}

// describe fills in what an instance is, and reports whether it can be a
// component.
func (d *pnpmDocument) describe(pkg *pnpmPackage, v *value) bool {
	name, version, host := parsePNPMKey(d.major, pkg.key)
	registry := plainVersion(version) != ""
	if text, ok := d.text(v, "name"); ok {
		name = text
	}
	if text, ok := d.text(v, "version"); ok {
		version = text
	}
	pkg.name = name
	pkg.version = plainVersion(version)
	pkg.runtime = strings.HasPrefix(version, "runtime:") || strings.Contains(pkg.key, "@runtime:")
	if pkg.runtime && pkg.version == "" {
		pkg.version = plainVersion(strings.TrimPrefix(version, "runtime:"))
	}
	if !validName(name) {
		d.invalid(pkg.off, hintPNPM, "the key %s and what stands below it give no name of a package", quote(pkg.key))
		return false
	}
	if pkg.version == "" && registry {
		d.invalid(pkg.infoOff(), hintPNPM, "the version of %s is not of the form 1.2.3", quote(pkg.key))
	}
	c := &pkg.c
	*c = sbom.Component{Type: sbom.Library, Ecosystem: sbom.NPM, Name: name, Version: pkg.version}
	d.readResolution(pkg, v, registry, host)
	d.readFacts(pkg, v)
	if pkg.runtime {
		*c = sbom.Component{
			Type: sbom.Application, Name: name, Version: pkg.version, Source: sbom.FromTarball,
			Ref: "runtime:" + name + "@" + pkg.version, Properties: c.Properties,
		}
	}
	return true
}

func (d *pnpmDocument) readFacts(pkg *pnpmPackage, v *value) {
	c := &pkg.c
	if text, ok := d.text(v, "deprecated"); ok {
		c.Properties = append(c.Properties, sbom.Property{Name: PropertyDeprecated, Value: cmp.Or(redact(text), "true")})
	}
	if d.flag(v, "requiresBuild") {
		c.Properties = append(c.Properties, sbom.Property{Name: PropertyInstallScript, Value: "true"})
	}
	for _, key := range []string{"bundledDependencies", "bundleDependencies"} {
		m := v.get(key)
		if m == nil || m.value.kind == arrayKind && len(m.value.elems()) == 0 || m.value.kind == boolKind && m.value.text == "false" {
			continue
		}
		pkg.incomplete = true
		d.warn(m.off, "", "%s brings packages along inside of its tarball, and pnpm does not lock which versions", quote(pkg.key))
	}
	base := pkg.name + "@" + pkg.version
	patch, ok := d.patches[base]
	if !ok && (v.get("patched") != nil || strings.HasPrefix(pkg.key[peersSuffix(pkg.key):], "(patch_hash=")) {
		patch = d.patches[pkg.name]
		ok = true
	}
	if ok {
		c.Patches = []sbom.Patch{patch}
	}
}

// gitArchives are the tarballs that pnpm fetches in place of a repository, in the
// one form of each host that it writes.
var gitArchives = []struct {
	pattern lazyregexp.Regexp
	host    string
}{
	{lazyregexp.New(`^https://codeload\.github\.com/([\w.-]+/[\w.-]+)/tar\.gz/([0-9a-f]{40})$`), "github.com"},
	{lazyregexp.New(`^https://gitlab\.com/api/v4/projects/([\w.-]+%2F[\w.-]+)/repository/archive\.tar\.gz\?(?:ref|sha)=([0-9a-f]{40})$`), "gitlab.com"},
	{lazyregexp.New(`^https://bitbucket\.org/([\w.-]+/[\w.-]+)/get/([0-9a-f]{40})\.tar\.gz$`), "bitbucket.org"},
}

// gitArchive returns the repository and commit that a tarball's URL stands for,
// or "".
func gitArchive(tarball string) string {
	for _, g := range gitArchives {
		if m := g.pattern.FindStringSubmatch(tarball); m != nil {
			return "git+https://" + g.host + "/" + strings.Replace(m[1], "%2F", "/", 1) + ".git#" + m[2]
		}
	}
	return ""
}

// readResolution reads from where an instance comes.
func (d *pnpmDocument) readResolution(pkg *pnpmPackage, v *value, registry bool, host string) {
	c := &pkg.c
	c.Source = sbom.FromRegistry
	m := d.member(v, "resolution", objectKind)
	if m == nil {
		if v != nil && !d.cut {
			d.invalid(pkg.infoOff(), hintPNPM, "%s has no resolution, so nothing says where it comes from", quote(pkg.key))
		}
		d.identify(pkg, "")
		return
	}
	r := &m.value
	if integrity := d.member(r, "integrity", stringKind); integrity != nil {
		hashes, err := sbom.ParseIntegrity(integrity.value.text)
		if err != nil {
			d.invalid(integrity.off, hintPNPM, "the integrity of %s: %v", quote(pkg.key), err)
		}
		c.Hashes = hashes
	}
	kind, _ := d.text(r, "type")
	switch {
	case kind == "":
		d.readArchive(pkg, m, registry, host)
	case kind == "git":
		repo, _ := d.text(r, "repo")
		commit, _ := d.text(r, "commit")
		c.Source = sbom.FromGit
		_, c.Distribution = Distribution(repo)
		d.identify(pkg, vcsURL(repo+"#"+commit))
	case kind == "directory":
		dir, ok := d.text(r, "directory")
		if !ok || path.IsAbs(dir) || strings.ContainsAny(dir, "\\\x00:") {
			d.invalid(m.off, "use a relative path", "the folder of %s is no relative path", quote(pkg.key))
		}
		c.Source, pkg.directory = sbom.FromFile, path.Clean(cmp.Or(dir, "."))
		d.identify(pkg, "")
	case pkg.runtime && (kind == "variations" || kind == "binary"):
	default:
		d.problem(sbom.Unsupported, m.off, hintPNPM, "%s comes in a way that this version does not know", quote(pkg.key))
		c.Source = ""
		d.identify(pkg, "")
	}
}

// readArchive reads a resolution m to a tarball.
func (d *pnpmDocument) readArchive(pkg *pnpmPackage, m *member, registry bool, host string) {
	c := &pkg.c
	tarball, _ := d.text(&m.value, "tarball")
	server, _ := d.text(&m.value, "registry")
	switch {
	case strings.HasPrefix(tarball, "file:"):
		c.Source = sbom.FromFile
		d.identify(pkg, "")
	case gitArchive(tarball) != "":
		c.Source = sbom.FromGit
		d.identify(pkg, gitArchive(tarball))
	case tarball != "":
		d.readTarball(pkg, tarball, server, registry)
	case server != "" || host != "":
		// pnpm makes the URL itself, by the registry's rule.
		if server == "" {
			server = "https://" + host
		}
		bare := pkg.name[strings.IndexByte(pkg.name, '/')+1:]
		version, _, _ := strings.Cut(pkg.version, "+")
		d.readTarball(pkg, pkg.name+"/-/"+bare+"-"+version+".tgz", server, registry)
	case !registry && len(c.Hashes) == 0:
		d.invalid(m.off, hintPNPM, "the resolution of %s is of no known form", quote(pkg.key))
		fallthrough
	default:
		d.identify(pkg, "")
	}
}

// readTarball reads the URL of a tarball, which older lockfiles have relative to
// a registry. Which one that is, they do not always say.
func (d *pnpmDocument) readTarball(pkg *pnpmPackage, tarball, server string, registry bool) {
	c := &pkg.c
	if !registry {
		c.Source = sbom.FromTarball
	}
	switch {
	case schemeOf(tarball) != "":
		c.Resolved, c.Distribution = Distribution(tarball)
	case server != "":
		c.Resolved, c.Distribution = Distribution(strings.TrimRight(server, "/") + "/" + strings.TrimLeft(tarball, "/"))
	default:
		_, c.Distribution = Distribution("https://relative.invalid/" + strings.TrimLeft(tarball, "/"))
		c.Distribution.Host = ""
	}
	if _, err := url.Parse(tarball); err != nil && c.Distribution.Doubt == "" {
		c.Distribution.Doubt = "it is no URL"
	}
	d.identify(pkg, c.Resolved)
}

// identify gives the component its purl, with the URL where it comes from one
// that is no registry's.
func (d *pnpmDocument) identify(pkg *pnpmPackage, from string) {
	c := &pkg.c
	switch c.Source {
	case sbom.FromGit:
		c.Resolved = from
		c.PURL = purl(pkg.name, pkg.version, "vcs_url", from)
	case sbom.FromTarball:
		c.PURL = purl(pkg.name, pkg.version, "download_url", from)
	default:
		c.PURL = purl(pkg.name, pkg.version, "", "")
	}
}
