package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
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
