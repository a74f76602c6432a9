package node

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// FuzzGrammar holds the grammars that are read by hand against what they are.
func FuzzGrammar(f *testing.F) {
	var (
		name    = regexp.MustCompile(`^(@[A-Za-z0-9~_.!'()*-]+/)?[A-Za-z0-9~_!'()*-][A-Za-z0-9~_.!'()*-]*$`)
		version = regexp.MustCompile(`^[v=]*([0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*)$`)
		scheme  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
		archive = regexp.MustCompile(`(?i)\.(tgz|tar\.gz|tar)$`)
		host    = regexp.MustCompile(`^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(:[0-9]{0,5})?$`)
		word    = regexp.MustCompile(`^(?:[A-Za-z/.-][^ :,\r\n]*|[0-9]+)`)
		boolean = regexp.MustCompile(`^(?:true|false).`)
		digest  = regexp.MustCompile(`^([0-9a-z]+/)?[0-9a-f]{32,128}$`)
		address = regexp.MustCompile(`^([Hh][Tt][Tt][Pp][Ss]?):([\\/]*)`)
	)
	for _, s := range []string{
		"", "@", "@a", "@a/", "@/a", "@a/b", "@a/.b", ".a", "a.b", "(a)*!'~_-", "a b", "a/b", "ä", strings.Repeat("a", maxName), strings.Repeat("a", maxName+1),
		"1.2.3", "v1.2.3", "=v=1.2.3-x.1+y", "1.2", "1.2.", "1.2.3_", "1..3", "v", "1.2.3x",
		"http:", "https://a", "git+ssh://x", "a.b-c+1:x", "1a:", ":", "a", "HTTPS:\\/\\a", "httpſ://x", "http:a", "https",
		"x.tgz", "x.TAR.GZ", "x.tar", "tar", ".tar", "x.tgzz",
		"a.example", "a.example.", "a..b", ".", "a:80", "a:123456", "a:", "[::1]:8", "[]", "[g]", "[::1", "[::1]x", "a]", "a_b-c:x", "A",
		"true", "false", "truex", "false1", "12a", "a,b", "-a b", "/a\rb", ".\xff", "äa",
		strings.Repeat("0", 32), "10c0/" + strings.Repeat("f", 128), "/" + strings.Repeat("0", 32), "a/" + strings.Repeat("0", 129), "a/b/" + strings.Repeat("0", 64),
		"node_modules/@s/a", "@s/a", "a/@s", "node_modules/a", "~/x", "x:\\", "..", "u@h:x", "o/r",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := validName(s), len(s) <= maxName && name.MatchString(s); got != want {
			t.Errorf("validName(%q) = %v", s, got)
		}
		want := ""
		if m := version.FindStringSubmatch(s); m != nil {
			want = m[1]
		}
		if got := plainVersion(s); got != want {
			t.Errorf("plainVersion(%q) = %q", s, got)
		}
		if got, want := schemeOf(s), strings.ToLower(scheme.FindString(s)); got != want {
			t.Errorf("schemeOf(%q) = %q, want %q", s, got, want)
		}
		if got, want := isArchive(s), archive.MatchString(s); got != want {
			t.Errorf("isArchive(%q) = %v", s, got)
		}
		if got, want := isChecksum(s), digest.MatchString(s); got != want {
			t.Errorf("isChecksum(%q) = %v", s, got)
		}
		if !strings.ContainsAny(s, `/:\`) && s != "." && s != ".." && (specSCP.MatchString(s) || specLocal.MatchString(s) || specHosted.MatchString(s)) {
			t.Errorf("parseSpec takes %q for a version or a tag", s)
		}
		if folder := path.Base(s); path.Clean(s) == s && folder != "/" {
			if scope := path.Base(path.Dir(s)); strings.Contains(s, "/") && strings.HasPrefix(scope, "@") {
				folder = scope + "/" + folder
			}
			if got := folderName(s); got != folder {
				t.Errorf("folderName(%q) = %q, want %q", s, got, folder)
			}
		}
		if got, want := validHost(s), host.MatchString(s); got != want {
			t.Errorf("validHost(%q) = %v", s, got)
		}
		if got, want := classicWord(s), word.FindString(s); got != want {
			t.Errorf("classicWord(%q) = %q, want %q", s, got, want)
		}
		if w := classicWord(s); classicBoolean(w) != boolean.MatchString(w) {
			t.Errorf("classicBoolean(%q) = %v", w, classicBoolean(w))
		}
		web, slashes, rest := cutWeb(s)
		m := address.FindStringSubmatch(s)
		if m == nil {
			m = []string{"", "", ""}
		}
		if web != strings.ToLower(m[1]) || slashes != m[2] || web != "" && rest != s[len(m[0]):] {
			t.Errorf("cutWeb(%q) = %q, %q, %q", s, web, slashes, rest)
		}
		if path := "/" + s; !strings.ContainsAny(path, `\`) {
			clean, dots := withoutDots(path)
			wantClean, wantDots := withoutSegments(path)
			if clean != wantClean || dots != wantDots {
				t.Errorf("withoutDots(%q) = %q, %v, want %q, %v", path, clean, dots, wantClean, wantDots)
			}
		}
	})
}
