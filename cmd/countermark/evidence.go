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
	var err error
	if ev.material, err = p.loadTrust(flags.trust); err != nil {
		return nil, err
	}
	config, err := p.npmConfig(flags.registry, pr.paths)
	if err != nil {
		return nil, err
	}
	if err := config.PinKeys(ev.material); err != nil {
		return nil, err
	}
	if ev.verifier, err = provenance.NewVerifier(ev.material); err != nil {
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
	local, warnings, err := provenance.OpenEvidence(ctx, slices.Concat(flags.evidence(), pol.Evidence()))
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		p.warn("", "%v", w)
	}
	transport, err := p.pool(config, ev.offline)
	if err != nil {
		return nil, err
	}
	certificates, err := clientCertificates(config, ev.offline)
	if err != nil {
		return nil, err
	}
	index, err := p.pypiSource(flags.pypiIndex, ev.offline, pol, transport)
	if err != nil {
		return nil, err
	}
	ev.python = index
	if !ev.offline {
		ev.git = &git.Client{Transport: transport, Version: p.version}
		ev.modules = goproxy.Named(p.env)
		ev.modules.Transport, ev.modules.Version = transport, p.version
	}
	imageSource, err := p.imageSource(config, ev.offline)
	if err != nil {
		return nil, err
	}
	ev.images = imageSource
	npmSource := provenance.Chain(local, p.npmSource(ev, config, flags, pol, transport, certificates))
	if flags.tarballs {
		if ev.npm == nil {
			return nil, usageError("leave it out, or offline out of the policy", "--fetch-tarballs asks registries, and the policy says offline")
		}
		npmSource = npm.Tarballs{Client: ev.npm, Source: npmSource}
	}
	ev.source = provenance.Remember(provenance.Sources{
		sbom.NPM:  npmSource,
		sbom.PyPI: provenance.Chain(local, index),
		sbom.OCI:  provenance.Chain(local, imageSource),
	}, policy.Attested{Locks: pr.locks})
	return ev, nil
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

// clientCertificates are those that the user's npm configuration names for
// registries; offline none is needed.
func clientCertificates(config *npm.Config, offline bool) (*npm.Certificates, error) {
	if offline {
		return nil, nil //nolint:nilnil // nobody is asked, so nobody gets one
	}
	return config.Certificates(readAuthority)
}

// npmSource is npm's registry, or, offline, one that can never be reached.
func (p *program) npmSource(ev *evidence, config *npm.Config, flags evidenceFlags, pol policy.Located, transport http.RoundTripper, certificates *npm.Certificates) provenance.Source {
	if ev.offline {
		return provenance.Offline{Registry: npm.Registrar{Config: config, Trusted: pol.Registries}.ConfiguredRegistry}
	}
	client := &npm.Client{Config: config, Transport: transport, Certificates: certificates, Version: p.version, Internal: pol.Internal, Registries: pol.Registries, Cache: p.openCache(flags)}
	ev.npm = client
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
