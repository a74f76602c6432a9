package sbom

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// DocumentNames are names of files, without their ends, for the documents of
// projects, by the projects' folders. No two are one file on any system.
func DocumentNames(folders []string) []string {
	names := make([]string, len(folders))
	taken := map[string]bool{}
	for i, folder := range folders {
		base := documentName(folder)
		names[i] = base
		for n := 2; taken[strings.ToLower(names[i])]; n++ { // file names need not tell letters by their case
			names[i] = fmt.Sprintf("%s~%d", base, n)
		}
		taken[strings.ToLower(names[i])] = true
	}
	return names
}

// maxDocumentName bounds the name of a file, which file systems do as well.
const maxDocumentName = 200

// documentName is the name of a project's document without its end: the path of the
// project's folder with + for the slashes, and every character that some system would
// not have in a name as its number. The project at the top is called sbom.
func documentName(folder string) string {
	if folder == "" {
		return "sbom"
	}
	var b strings.Builder
	for i, c := range []byte(folder) {
		switch {
		case c == '/':
			b.WriteByte('+')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '@', c == '.' && i > 0 && folder[i-1] != '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	if len(name) > maxDocumentName {
		sum := sha256.Sum256([]byte(folder))
		name = fmt.Sprintf("%s~%x", name[:maxDocumentName], sum[:8])
	}
	return name
}
