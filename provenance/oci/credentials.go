package oci

import (
	"context"
	"errors"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Credentials are the user's own, for registries. The zero value has none. They
// are never printed.
type Credentials struct {
	stores []credentials.Store // the first that knows a registry counts
}

// ParseDockerConfig reads what stands under auths in Docker's config.json, which
// podman's auth.json repeats
// (https://docs.docker.com/reference/cli/docker/#configuration-files). Credential
// helpers that it names are not run. The error quotes nothing of the file.
func ParseDockerConfig(data []byte) (*Credentials, error) {
	store, err := credentials.NewMemoryStoreFromDockerConfig(data)
	if err != nil {
		return nil, errors.New("it is no configuration of Docker, or credentials in it cannot be read")
	}
	return &Credentials{stores: []credentials.Store{store}}, nil
}

// Add puts more behind those that are there.
func (c *Credentials) Add(more *Credentials) { c.stores = append(c.stores, more.stores...) }

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
