package trust

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// Instance is a sigstore instance as its TUF repository shows it
// (https://theupdateframework.github.io/specification/latest/).
type Instance struct {
	Name   string // also of its folder in the cache
	Mirror string // URL of the repository, or of a copy of it
	Root   []byte // the TUF root that everything is verified from
	// KeysTarget names the npm registry's keys in the repository; empty where it
	// has none.
	KeysTarget string
}

// rootTarget is the trusted root's name in every TUF repository of sigstore's.
const rootTarget = "trusted_root.json"

//go:embed github-tuf-root.json
var githubRoot []byte

// Public is sigstore's public-good instance: what public packages are signed
// with. Its repository also holds the keys of the public npm registry, whose URL
// is given.
func Public(registry string) Instance {
	host := strings.TrimSuffix(strings.TrimPrefix(registry, "https://"), "/")
	return Instance{Name: "public", Mirror: tuf.DefaultMirror, Root: tuf.DefaultRoot(), KeysTarget: host + "/keys.json"}
}

// GitHub is the instance that signs in GitHub's private repositories. It has
// timestamps in place of a log.
func GitHub() Instance {
	return Instance{Name: "github", Mirror: "https://tuf-repo.github.com", Root: githubRoot}
}

// Own is an instance of somebody's own. The root's file name is for messages;
// errors are a [*FileError]. Its name is made of the root, so that two instances
// never share a cache.
func Own(mirror string, rootJSON []byte, file string) (Instance, error) {
	if _, err := trustedmetadata.New(rootJSON); err != nil {
		return Instance{}, &FileError{File: file, Err: fmt.Errorf("no TUF root: %w", err), Hint: "give the root.json of the instance's TUF repository with --root"}
	}
	id := sha256.Sum256(rootJSON)
	return Instance{Name: "root-" + hex.EncodeToString(id[:8]), Mirror: mirror, Root: rootJSON}, nil
}

// CheckMirror returns an error for what is not the URL of a TUF repository.
func CheckMirror(mirror string) error {
	u, err := url.Parse(mirror)
	switch {
	case err != nil:
		return errors.New("no URL") // the parser's own error quotes it, with its password
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("no URL of a web server")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("it has a password, query or fragment")
	case strings.Contains(u.Path, ".."):
		return errors.New("its path leads upwards")
	}
	return nil
}
