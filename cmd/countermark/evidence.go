package main

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"

	"countermark/policy"
	"countermark/provenance"
	"countermark/provenance/cache"
	"countermark/provenance/git"
	"countermark/provenance/goproxy"
	"countermark/provenance/npm"
	"countermark/provenance/npm/npmrc"
	"countermark/provenance/trust"
	"countermark/sbom"
)

// evidence is what proofs are made of: whom to trust, and where attestations
// are. It is put together from flags, policy and npm's configuration.
type evidence struct {
	material *trust.Material
	verifier *provenance.Verifier
	source   provenance.Source
	npm      *npm.Client       // nil where no registry is asked
	python   provenance.Source // *pypi.Client where an index is asked
	images   provenance.Source
	git      *git.Client     // nil where no repository is asked
	modules  *goproxy.Client // the same for Go's modules
	offline  bool
	tarballs bool     // they may be fetched
	trusted  []string // registries that the user vouches for
	issues   []policy.ConfigIssue
	projects npmrc.Projects
}

func (p *program) openEvidence(ctx context.Context, flags evidenceFlags, pol policy.Located, pr *project) (*evidence, error) {
	ev := &evidence{offline: flags.offline || pol.Offline, tarballs: flags.tarballs}
	config, err := p.npmConfig(flags.registry, pr.paths)
	if err != nil {
		return nil, err
	}
	if ev.material, ev.verifier, err = p.pinnedVerifier(flags.trust, config); err != nil {
		return nil, err
	}
	ev.trusted = config.Trusted()
	if ev.projects, err = p.projectConfigs(pr); err != nil {
		return nil, err
	}
	ev.issues = configIssues(ev.projects)
	for _, w := range config.Warnings() {
		p.warn(w.Fix, "%s%s", place(w.Path, w.Line, 0), w.Message)
	}
	local, err := p.openLocal(ctx, slices.Concat(flags.evidence(), pol.Evidence()))
	if err != nil {
		return nil, err
	}
	sources, err := p.sources(ev, config, flags, pol)
	if err != nil {
		return nil, err
	}
	for ecosystem, next := range sources {
		sources[ecosystem] = provenance.Chain(local, next)
	}
	if flags.tarballs {
		if ev.npm == nil {
			return nil, usageError("leave it out, or offline out of the policy", "--fetch-tarballs asks registries, and the policy says offline")
		}
		sources[sbom.NPM] = npm.Tarballs{Client: ev.npm, Source: sources[sbom.NPM]}
	}
	ev.source = provenance.Remember(sources, policy.Attested{Locks: pr.locks})
	return ev, nil
}

// openLocal opens the attestations that are files, and names those that are left out.
func (p *program) openLocal(ctx context.Context, paths []provenance.EvidencePath) (*provenance.Local, error) {
	local, warnings, err := provenance.OpenEvidence(ctx, paths)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		p.warn("", "%v", w)
	}
	return local, nil
}

// sources are the registries of all ecosystems, or, offline, ones that can never be
// reached. Those that more than attestations are asked of are kept in ev.
func (p *program) sources(ev *evidence, config *npm.Config, flags evidenceFlags, pol policy.Located) (provenance.Sources, error) {
	transport, err := p.pool(config, ev.offline)
	if err != nil {
		return nil, err
	}
	if ev.python, err = p.pypiSource(flags.pypiIndex, ev.offline, pol, transport); err != nil {
		return nil, err
	}
	if ev.images, err = p.imageSource(config, ev.offline); err != nil {
		return nil, err
	}
	out := provenance.Sources{sbom.PyPI: ev.python, sbom.OCI: ev.images}
	if ev.offline {
		out[sbom.NPM] = provenance.Offline{Registry: npm.Registrar{Config: config, Trusted: pol.Registries}.ConfiguredRegistry}
		return out, nil
	}
	ev.git = &git.Client{Transport: transport, Version: p.version}
	ev.modules = goproxy.Named(p.env)
	ev.modules.Transport, ev.modules.Version = transport, p.version
	ev.npm = p.npmClient(config, flags, pol, transport)
	if ev.npm.Certificates, err = config.Certificates(readAuthority); err != nil {
		return nil, err
	}
	out[sbom.NPM] = ev.npm
	return out, nil
}

// pool holds the connections to registries of packages: proxies and authorities
// are those of the user's npm configuration for Python's too. Offline there are
// none.
func (p *program) pool(config *npm.Config, offline bool) (http.RoundTripper, error) {
	if offline || p.transport != nil {
		return p.transport, nil
	}
	return config.Transport(readAuthority)
}

// maxAuthority bounds a file of certificates or keys, in bytes.
const maxAuthority = 8 << 20

// readAuthority reads a file that npm's configuration names.
func readAuthority(name string) ([]byte, error) { return readNamed(name, maxAuthority) }

// npmClient asks npm's registries.
func (p *program) npmClient(config *npm.Config, flags evidenceFlags, pol policy.Located, transport http.RoundTripper) *npm.Client {
	client := &npm.Client{
		Config: config, Transport: transport, Version: p.version,
		Internal: pol.Internal, Registries: pol.Registries, Cache: p.openCache(flags),
	}
	if p.client != nil {
		p.client(client)
	}
	return client
}

// openCache returns where answers are kept. A folder that cannot be used is no
// reason not to judge; the default one is not even worth a warning, since a build
// machine often has none.
func (p *program) openCache(flags evidenceFlags) *cache.Store {
	dir := p.cacheFolder(flags.trust)
	if flags.noCache || dir == "" {
		return nil
	}
	store, err := cache.Open(filepath.Join(dir, "registry"))
	if err != nil && flags.trust.cacheDir != "" {
		p.warn("name a folder that you, and nobody else, may write to, or give --no-cache", "%s: nothing is kept there: %v", dir, sbom.Pathless(err))
	}
	return store
}

// run judges the subjects. What a registry answered and did not hold is not kept:
// the next run asks anew.
func (ev *evidence) run(ctx context.Context, subjects []provenance.Subject, jobs int, expect func(provenance.Subject) provenance.Expectation, watch *progress) ([]provenance.Result, error) {
	results, err := provenance.Run{Subjects: subjects, Jobs: jobs, Expect: expect, Source: ev.source, Verifier: ev.verifier, Judged: watch.step}.Results(ctx)
	watch.clear()
	for i, r := range results {
		if r.State == provenance.Invalid && ev.npm != nil {
			ev.npm.Forget(subjects[i])
		}
	}
	return results, err
}

// npmUser is who npm's configuration on this machine belongs to.
func (p *program) npmUser() npmrc.User {
	return npmrc.User{Environ: p.environ, Home: p.homeFolder(), Read: readNamed}
}

// npmConfig merges npm's configuration as npm would in the folders of the PATHs.
func (p *program) npmConfig(registry string, paths []string) (*npm.Config, error) {
	var folders []string
	for _, path := range paths {
		folders = append(folders, policy.NPMFolder(path))
	}
	return p.npmUser().Config(registry, folders...)
}

// projectConfigs reads every .npmrc that can govern an input.
func (p *program) projectConfigs(pr *project) (npmrc.Projects, error) {
	var trees []npmrc.Tree
	for i, root := range pr.paths {
		trees = append(trees, npmrc.Tree{Dir: policy.Folder(root), Above: policy.NPMFolder(root), Prefix: pr.prefixes[i], Files: pr.inputs()})
	}
	return p.npmUser().Projects(trees)
}

// configIssues are what projects' files say that they must not.
func configIssues(projects npmrc.Projects) []policy.ConfigIssue {
	var out []policy.ConfigIssue
	for _, i := range projects.Issues() {
		out = append(out, policy.ConfigIssue{Path: i.Path, Line: i.Line, Message: i.Key + ": " + i.Message, Fix: i.Fix})
	}
	return out
}
