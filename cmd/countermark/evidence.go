package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"countermark/policy"
	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/trust"
)

// evidence is what proofs are made of: whom to trust, and where attestations
// are. It is put together from flags, policy and npm's configuration.
type evidence struct {
	material *trust.Material
	verifier *provenance.Verifier
	source   provenance.Source
	offline  bool
	trusted  []string // registries that the user vouches for
	issues   []policy.ConfigIssue
}

func (p *program) openEvidence(flags evidenceFlags, pol policy.Located, paths, inputs []string) (*evidence, error) {
	ev := &evidence{offline: flags.offline || pol.Offline}
	var err error
	if ev.material, err = loadTrust(flags.trustedRoot, flags.npmKeys); err != nil {
		return nil, err
	}
	if ev.verifier, err = provenance.NewVerifier(ev.material, provenance.Options{}); err != nil {
		return nil, err
	}
	config, err := p.npmConfig(flags.registry, paths)
	if err != nil {
		return nil, err
	}
	ev.trusted = config.Trusted()
	if ev.issues, err = p.npmIssues(paths, inputs); err != nil {
		return nil, err
	}
	for _, w := range config.Warnings() {
		p.warn(w.Fix, "%s%s", place(w.Path, w.Line, 0), w.Message)
	}
	local, warnings, err := provenance.OpenLocal(slices.Concat(flags.attestations, pol.LocalAttestations()))
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		p.warn("", "%v", w)
	}
	ev.source, err = p.registrySource(config, ev.offline, pol)
	if err != nil {
		return nil, err
	}
	ev.source = provenance.Chain(local, ev.source)
	return ev, nil
}

// registrySource is the registry, or, offline, one that can never be reached.
func (p *program) registrySource(config *npm.Config, offline bool, pol policy.Located) (provenance.Source, error) {
	if offline {
		return provenance.Offline{Registry: config.ConfiguredRegistry}, nil
	}
	transport := p.transport
	if transport == nil {
		pool, err := config.Transport(os.ReadFile)
		if err != nil {
			return nil, err
		}
		transport = pool
	}
	return &npm.Client{Config: config, Transport: transport, Version: p.version, Internal: pol.Internal}, nil
}

// npmConfig merges npm's configuration as npm would in the folder of PATH. Two
// projects' files cannot both govern one run.
func (p *program) npmConfig(registry string, paths []string) (*npm.Config, error) {
	var project *npm.File
	for _, path := range paths {
		file, err := readNpmrc(folderOf(path), npmrcName)
		if err != nil {
			return nil, err
		}
		if file == nil {
			continue
		}
		if project != nil {
			return nil, usageError("check the folders one by one", "more than one .npmrc governs these paths")
		}
		project = file
	}
	sources, err := p.npmSources(project)
	if err != nil {
		return nil, err
	}
	sources.Registry = registry
	return npm.NewConfig(sources)
}

const (
	npmrcName    = ".npmrc"
	maxNpmrcSize = 1 << 20 // bytes; real ones hold a few lines
)

// npmSources are the sources that are the user's own, beside the project's file.
func (p *program) npmSources(project *npm.File) (npm.Sources, error) {
	home, err := p.home()
	if err != nil {
		home = "" // a machine without a home has no user's .npmrc either
	}
	s := npm.Sources{Project: project, Environ: p.environ, Home: home}
	name := npm.UserConfig(p.environ, home, project)
	if name == "" {
		return s, nil
	}
	data, err := readNamed(name, maxNpmrcSize)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, usageError("make it readable, or name another file with NPM_CONFIG_USERCONFIG", "%s: cannot be read: %v", name, err)
	}
	s.User, err = npm.ParseNpmrc(name, bytes.NewReader(data))
	return s, err
}

// npmIssues judges every .npmrc that governs a lockfile: that of each PATH, and
// those beside the lockfiles below it.
func (p *program) npmIssues(paths, inputs []string) ([]policy.ConfigIssue, error) {
	var out []policy.ConfigIssue
	for _, root := range paths {
		names := []string{npmrcName}
		for _, in := range inputs {
			if name := path.Join(path.Dir(in), npmrcName); len(paths) == 1 && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		for _, name := range names {
			file, err := readNpmrc(folderOf(root), name)
			if err != nil {
				return nil, err
			}
			if file == nil {
				continue
			}
			sources, err := p.npmSources(file)
			if err != nil {
				return nil, err
			}
			config, err := npm.NewConfig(sources)
			if err != nil {
				return nil, err
			}
			for _, i := range config.Issues() {
				out = append(out, policy.ConfigIssue{Path: i.Path, Line: i.Line, Message: i.Key + ": " + i.Message, Fix: i.Fix})
			}
		}
	}
	return out, nil
}

// readNpmrc reads a project's .npmrc, which may not lead out of the project. It
// returns nil where there is none.
func readNpmrc(dir, name string) (*npm.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, bare(err))
	}
	defer func() { _ = root.Close() }() // it was only read from
	info, err := root.Stat(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no file is no error, and no configuration
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxNpmrcSize {
		return nil, usageError("make it a readable file inside of the project", "%s: cannot be read", name)
	}
	data, err := root.ReadFile(filepath.FromSlash(name))
	if err != nil {
		return nil, usageError("make it a readable file inside of the project", "%s: cannot be read: %v", name, bare(err))
	}
	return npm.ParseNpmrc(name, bytes.NewReader(data))
}

// folderOf is the folder that a PATH is or stands in.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}
