package mcp

import (
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/package-url/packageurl-go"
)

var (
	gitScheme = lazyregexp.New(`^(git(\+(ssh|https?|file|rsync|ftp))?://|git@[^/:]+:|ssh://)`)
	// npm and uv take a web address of a repository of these hosts for the
	// repository.
	hostedURL = lazyregexp.New(`^https?://([^/@]*@)?(www\.)?(github\.com|gitlab\.com|bitbucket\.org)/[^/?#]+/[^/?#]+?(\.git)?/?([#?].*)?$`)
	scpLike   = lazyregexp.New(`^git@([^/:]+):([^/].*)$`)
	dotGit    = lazyregexp.New(`^https?://[^?#]+\.git([#@].*)?$`)
	github    = lazyregexp.New(`^[a-z+]+://(?:www\.)?github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?$`)
	commit    = lazyregexp.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	// gitRef is the name of a branch or tag, or npm's range of versions.
	gitRef = lazyregexp.New(`^([A-Za-z0-9][A-Za-z0-9._/+-]{0,200}|semver:[A-Za-z0-9.^~*<>=| -]{1,100})$`)
)

// isGit reports whether a spec names a git repository by URL.
func isGit(spec string) bool {
	return gitScheme.MatchString(spec) || hostedURL.MatchString(spec) || dotGit.MatchString(spec)
}

// hosts are the short forms of npm.
var hosts = map[string]string{
	"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org", "gist": "gist.github.com",
}

// gitSubject is a repository in npm's form, where the ref follows a "#".
func gitSubject(w word, spec string) subject {
	base, ref, _ := strings.Cut(spec, "#")
	if host, rest, ok := strings.Cut(base, ":"); ok && hosts[host] != "" {
		// Credentials may stand before the owner: github:user:token@owner/name.
		rest = rest[strings.LastIndex(rest, "@")+1:]
		return repository(w, spec, "git+https://"+hosts[host]+"/"+strings.TrimPrefix(rest, "/"), ref)
	}
	if m := scpLike.FindStringSubmatch(base); m != nil {
		base = "git+ssh://" + m[1] + "/" + m[2]
	}
	return repository(w, spec, base, ref)
}

// pipGit is a repository in the form of pip and uv, where the ref follows an "@"
// in the path, and the fragment holds more.
func pipGit(w word, spec string) subject {
	base, _, _ := strings.Cut(spec, "#")
	ref := ""
	start := strings.Index(base, "://") + 3
	if slash := strings.Index(base[start:], "/"); slash >= 0 {
		if at := strings.LastIndex(base[start+slash:], "@"); at >= 0 {
			base, ref = base[:start+slash+at], base[start+slash+at+1:]
		}
	}
	return repository(w, spec, base, ref)
}

func repository(w word, spec, base, ref string) subject {
	out := subject{at: w.at, launch: sbom.Launch{Kind: sbom.KindGit}}
	if template.MatchString(base) {
		return unknown(w.at, "the repository is named by a variable")
	}
	url := redactURL(base)
	shown := ""
	switch {
	case ref == "":
		out.launch.Pin = sbom.PinGitUnpinned
	case commit.MatchString(strings.ToLower(ref)):
		out.launch.Pin, shown = sbom.PinGitCommit, strings.ToLower(ref)
	case template.MatchString(ref):
		out.launch.Pin, shown = sbom.PinUnknown, redact(ref)
	default:
		out.launch.Pin, shown = sbom.PinGitRef, sbom.Redacted
		if gitRef.MatchString(ref) && !looksSecretPart(ref) {
			shown = ref
		}
	}
	out.launch.Spec = url
	if shown != sbom.Redacted {
		out.launch.Request = shown
	}
	switch {
	case shown == "":
	case strings.Contains(spec, "#"+ref):
		out.launch.Spec += "#" + shown
	default:
		out.launch.Spec += "@" + shown
	}
	if prefix, _, ok := strings.Cut(spec, ":"); ok && hosts[prefix] != "" {
		out.launch.Spec = prefix + ":" + strings.TrimPrefix(out.launch.Spec, "git+https://"+hosts[prefix]+"/")
	}

	out.component = urlComponent(vcs(url), sbom.FromGit)
	if shown != "" {
		out.component = urlComponent(vcs(url)+"@"+shown, sbom.FromGit)
		out.component.Name = urlComponent(vcs(url), sbom.FromGit).Name
		out.component.PURL = packageurl.NewPackageURL("generic", "", out.component.Name, "", packageurl.QualifiersFromMap(map[string]string{"vcs_url": vcs(url) + "@" + shown}), "").ToString()
	}
	if out.launch.Pin != sbom.PinGitCommit {
		return out
	}
	out.component.Version = shown
	if m := github.FindStringSubmatch(url); m != nil {
		out.component.PURL = packageurl.NewPackageURL("github", strings.ToLower(m[1]), strings.ToLower(m[2]), shown, nil, "").ToString()
	}
	return out
}

// vcs writes the URL of a repository as the vcs_url of a purl: with "git+".
func vcs(url string) string {
	switch {
	case strings.HasPrefix(url, "git+"), strings.HasPrefix(url, "git://"):
		return url
	default:
		return "git+" + url
	}
}
