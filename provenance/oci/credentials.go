package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Credentials are the user's own, for registries. The zero value has none. They
// are never printed.
type Credentials struct {
	stores []credentials.Store // the first that knows a registry counts
}

// maxConfigSize bounds a file with credentials, in bytes. Real ones hold a few lines.
const maxConfigSize = 1 << 20

// ConfigFiles are those in which podman and Docker keep a user's credentials, in the
// order in which podman reads them (containers-auth.json(5)): that of
// REGISTRY_AUTH_FILE alone where it is set. home is "" where there is none.
func ConfigFiles(env func(name string) string, home string) []string {
	if named := env("REGISTRY_AUTH_FILE"); named != "" {
		return []string{named}
	}
	var out []string
	add := func(variable, below string, rest ...string) {
		dir := env(variable)
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

// ReadCredentials reads those of the files that are there. Of a registry that several
// know, the first counts.
func ReadCredentials(files []string, read func(name string, limit int64) ([]byte, error)) (*Credentials, error) {
	all := &Credentials{}
	for _, name := range files {
		data, err := read(name, maxConfigSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: cannot be read: %w", name, err)
		}
		found, err := parseDockerConfig(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all.stores = append(all.stores, found.stores...)
	}
	return all, nil
}

// parseDockerConfig reads what stands under auths in Docker's config.json, which
// podman's auth.json repeats
// (https://docs.docker.com/reference/cli/docker/#configuration-files). Credential
// helpers that it names are not run. The error quotes nothing of the file.
func parseDockerConfig(data []byte) (*Credentials, error) {
	store, err := credentials.NewMemoryStoreFromDockerConfig(data)
	if err != nil {
		return nil, errors.New("it is no configuration of Docker, or credentials in it cannot be read")
	}
	return &Credentials{stores: []credentials.Store{store}}, nil
}

// GoString hides them from %#v too.
func (c *Credentials) GoString() string { return c.String() }

// String says nothing of them.
func (c *Credentials) String() string { return "credentials" }

// of returns the credentials for a registry's host and port.
func (c *Credentials) of(ctx context.Context, host string) auth.Credential {
	if c == nil {
		return auth.EmptyCredential
	}
	names := []string{host}
	if host == dockerHost {
		names = append(names, "index.docker.io", "docker.io")
	}
	for _, store := range c.stores {
		for _, name := range names {
			// The store is in memory and knows no errors.
			if found, err := store.Get(ctx, name); err == nil && found != auth.EmptyCredential {
				return found
			}
		}
	}
	return auth.EmptyCredential
}

// dockerHost is where docker.io is asked; Docker keeps its credentials under
// other names of it.
const dockerHost = "registry-1.docker.io"
