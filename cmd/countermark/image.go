package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/oci"
	"countermark/sbom"

	"github.com/package-url/packageurl-go"
)

const imagePrefix = "pkg:oci/"

// hintImage is how an image is written.
const hintImage = "write pkg:oci/name@sha256:<64 hex digits>?repository_url=host/path/name"

// parseImage parses the package URL of a container image, which has to say by
// its digest which, and where it is.
func parseImage(arg string) (provenance.Subject, error) {
	refuse := func(format string, args ...any) (provenance.Subject, error) {
		return provenance.Subject{}, usageError(hintImage, "%s: %s", shownArgument(arg), fmt.Sprintf(format, args...))
	}
	purl, err := packageurl.FromString(arg)
	if err != nil {
		return refuse("%v", errPackageURL)
	}
	digest, err := provenance.ParseDigest(purl.Version)
	if err != nil {
		return refuse("an image is pinned by its digest: %v", err)
	}
	qualifiers := purl.Qualifiers.Map()
	for name := range qualifiers {
		// A tag and a platform are remarks: the digest says what is meant.
		if !slices.Contains([]string{"repository_url", "tag", "arch"}, name) {
			return refuse("the qualifier %s of a package URL is not judged", name)
		}
	}
	if purl.Namespace != "" || purl.Subpath != "" {
		return refuse("an image's package URL has neither namespace nor path: where it is, repository_url says")
	}
	qualifiers["repository_url"] = provenance.ImageRepository(qualifiers["repository_url"])
	version := digest.Algorithm + ":" + digest.Value
	subject := provenance.Subject{
		PURL:      packageurl.NewPackageURL(packageurl.TypeOCI, "", purl.Name, version, packageurl.QualifiersFromMap(qualifiers), "").ToString(),
		Ecosystem: sbom.OCI, Name: purl.Name, Version: version,
		Digests: []provenance.Digest{digest}, DigestFrom: "argument",
	}
	if _, err := oci.Reference(subject); err != nil {
		return refuse("%v", err)
	}
	return subject, nil
}

// imageSource is the images' registries, or, offline, nobody. They are reached
// by the user's proxy; certificates are those that the system trusts, as for
// Docker.
func (p *program) imageSource(config *npm.Config, offline bool) (provenance.Source, error) {
	if offline {
		return provenance.Offline{}, nil
	}
	client := &oci.Client{Transport: p.transport, Version: p.version, Credentials: sync.OnceValues(p.containerCredentials)}
	if client.Transport == nil {
		pool, err := config.Transport(readAuthority)
		if err != nil {
			return nil, err
		}
		pool.TLSClientConfig.RootCAs = nil
		client.Transport = pool
	}
	return client, nil
}

const maxDockerConfigSize = 1 << 20 // bytes; real ones hold a few lines

// containerConfigs are the files in which podman and Docker keep credentials, in
// the order in which podman reads them (containers-auth.json(5)): that of
// REGISTRY_AUTH_FILE alone where it is set.
func (p *program) containerConfigs() []string {
	if named := p.env("REGISTRY_AUTH_FILE"); named != "" {
		return []string{named}
	}
	home, err := p.home()
	if err != nil {
		home = "" // a machine without a home has no configuration either
	}
	var out []string
	add := func(variable, below string, rest ...string) {
		dir := p.env(variable)
		if dir == "" && home != "" && below != "" {
			dir = filepath.Join(home, below)
		}
		if dir != "" {
			out = append(out, filepath.Join(append([]string{dir}, rest...)...))
		}
	}
	add("XDG_RUNTIME_DIR", "", "containers", "auth.json")
	add("XDG_CONFIG_HOME", ".config", "containers", "auth.json")
	add("DOCKER_CONFIG", ".docker", "config.json")
	return out
}

// containerCredentials are those of the user's own configuration of podman and
// Docker. No project can name another file: the environment is the user's.
func (p *program) containerCredentials() (*oci.Credentials, error) {
	all := &oci.Credentials{}
	for _, name := range p.containerConfigs() {
		data, err := readNamed(name, maxDockerConfigSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: cannot be read: %w", name, err)
		}
		found, err := oci.ParseDockerConfig(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all.Add(found)
	}
	return all, nil
}
