package main

import (
	"sync"

	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/oci"
)

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

// containerCredentials are those of the user's own configuration of podman and
// Docker. No project can name another file: the environment is the user's.
func (p *program) containerCredentials() (*oci.Credentials, error) {
	return oci.ReadCredentials(oci.ConfigFiles(p.env, p.homeFolder()), readNamed)
}
