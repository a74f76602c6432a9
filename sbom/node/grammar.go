package node

import "strings"

// The smallest grammars, which are asked of every package and every dependency of a
// lockfile. The test has them as the regular expressions that they are; by hand they
// take a tenth of the time.

// every reports whether every byte of s is in a class.
func every(s string, class func(byte) bool) bool {
	for i := range len(s) {
		if !class(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isNameByte(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("~_.!'()*-", c) >= 0
}

// validName reports whether s is a name that a package can have. Nothing else gets
// into a purl or a URL (npm's documentation, "package.json", name; with the
// capitals and characters that old packages still have).
func validName(s string) bool {
	if len(s) > maxName {
		return false
	}
	if rest, scoped := strings.CutPrefix(s, "@"); scoped {
		scope, name, ok := strings.Cut(rest, "/")
		if !ok || scope == "" || !every(scope, isNameByte) {
			return false
		}
		s = name
	}
	return s != "" && s[0] != '.' && every(s, isNameByte)
}

const maxName = 214 // npm's limit; a scope included

// plainVersion returns an exact version without "v" or "=", or "".
func plainVersion(s string) string {
	for s != "" && (s[0] == 'v' || s[0] == '=') {
		s = s[1:]
	}
	rest := s
	for i := range 3 {
		if i > 0 {
			if rest == "" || rest[0] != '.' {
				return ""
			}
			rest = rest[1:]
		}
		n := 0
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n == 0 {
			return ""
		}
		rest = rest[n:]
	}
	if !every(rest, func(c byte) bool { return isDigit(c) || isLetter(c) || c == '.' || c == '+' || c == '-' }) {
		return ""
	}
	return s
}

// schemeOf returns the scheme that a text begins with (RFC 3986, section 3.1), in
// lower case and with its colon, or "".
func schemeOf(s string) string {
	for i := range len(s) {
		switch c := s[i]; {
		case isLetter(c):
		case i > 0 && (isDigit(c) || c == '+' || c == '.' || c == '-'):
		case i > 0 && c == ':':
			return strings.ToLower(s[:i+1])
		default:
			return ""
		}
	}
	return ""
}

// oneLetterOff reports whether two words differ in one letter that is another, missing
// or too many.
func oneLetterOff(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	same := 0
	for same < len(a) && a[same] == b[same] {
		same++
	}
	return a[min(same+1-(len(b)-len(a)), len(a)):] == b[same+1:]
}

// isArchive reports whether a spec names a tarball in the project's folder, which
// needs no "file:".
func isArchive(spec string) bool {
	if spec == "" || isDigit(spec[len(spec)-1]) { // a version, as nearly all are
		return false
	}
	spec = strings.ToLower(spec)
	return strings.HasSuffix(spec, ".tgz") || strings.HasSuffix(spec, ".tar.gz") || strings.HasSuffix(spec, ".tar")
}

// isChecksum reports whether s is what yarn writes as a checksum: a digest in hex, behind the key of the cache that it
// is for, if any.
func isChecksum(s string) bool {
	if key, digest, keyed := strings.Cut(s, "/"); keyed {
		if key == "" || !every(key, func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' }) {
			return false
		}
		s = digest
	}
	const shortest, longest = 32, 128
	return len(s) >= shortest && len(s) <= longest && every(s, func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' })
}

// validHost reports whether s is a host in lower case, perhaps with a port.
func validHost(s string) bool {
	host, port := s, ""
	if colon := strings.IndexByte(s, ':'); colon >= 0 {
		host, port = s[:colon], s[colon:]
	}
	valid := validLabels(strings.TrimSuffix(host, "."))
	if inside, ok := strings.CutPrefix(s, "["); ok {
		host, port, valid = strings.Cut(inside, "]")
		valid = valid && host != "" && every(host, func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c == ':' || c == '.' })
	}
	const longest = len(":65535")
	return valid && (port == "" || len(port) <= longest && port[0] == ':' && every(port[1:], isDigit))
}

func validLabels(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || !every(label, func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' || c == '_' || c == '-' }) {
			return false
		}
	}
	return true
}
