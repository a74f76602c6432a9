package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"countermark/policy"
	"countermark/provenance"
	"countermark/provenance/cache"
	"countermark/provenance/npm"
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
	offline  bool
	tarballs bool     // they may be fetched
	trusted  []string // registries that the user vouches for
	issues   []policy.ConfigIssue
	projects projectConfigs
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
	if err := pinKeys(ev.material, config); err != nil {
		return nil, err
	}
	if ev.verifier, err = provenance.NewVerifier(ev.material); err != nil {
		return nil, err
	}
	ev.trusted = config.Trusted()
	if ev.projects, err = p.projectConfigs(pr); err != nil {
		return nil, err
	}
	ev.issues = ev.projects.issues()
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

// pinKeys says whose keys the material holds. The embedded ones are the public
// registry's, and nobody else's. Those of --npm-keys are the configured
// registry's; where that is not the public one, that keeps its embedded keys for
// the scopes that name it. URL=FILE pins those of any further registry.
func pinKeys(m *trust.Material, config *npm.Config) error {
	embedded, err := trust.Embedded()
	if err != nil {
		return err
	}
	public, given, others := *embedded.Keys, *m.Keys, slices.Clone(m.OtherKeys)
	filed := given.Source == trust.SourceFile
	if !filed {
		public = given
	}
	public.Registry = npm.PublicRegistry
	if i := slices.IndexFunc(others, func(k *trust.Keys) bool { return npm.OnPublicRegistry(k.Registry) }); i >= 0 {
		public = *others[i]
		others = slices.Delete(others, i, i+1)
	}
	// A project's line that is refused has its packages asked of nobody: the keys are
	// then nobody's, and by no means those of a scope's registry.
	m.Keys = &public
	if filed {
		if registry, err := config.ConfiguredRegistry(provenance.Subject{}); err == nil {
			given.Registry = registry
			m.Keys = &given
		}
	}
	if m.Keys == &given && (!npm.OnPublicRegistry(given.Registry) || public.Source == trust.SourceFile) {
		others = append(others, &public)
	}
	m.OtherKeys = others
	return pinnedOnce(m)
}

// pinnedOnce refuses two sets of keys for one registry: nobody knows which is meant.
func pinnedOnce(m *trust.Material) error {
	all := append([]*trust.Keys{m.Keys}, m.OtherKeys...)
	for i, k := range all {
		if slices.ContainsFunc(all[:i], func(before *trust.Keys) bool { return provenance.SameRegistry(before.Registry, k.Registry) }) {
			return usageError("give each registry's keys once", "--npm-keys gives the keys of %s twice", k.Registry)
		}
	}
	return nil
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
		p.warn("name a folder that you, and nobody else, may write to, or give --no-cache", "%s: nothing is kept there: %v", dir, bare(err))
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

// npmConfig merges npm's configuration as npm would in the folder of PATH. Two
// projects' files cannot both govern one run.
func (p *program) npmConfig(registry string, paths []string) (*npm.Config, error) {
	var project *npm.File
	for _, path := range paths {
		file, err := readNamedNpmrc(policy.NPMFolder(path))
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

// projectConfigs are what the .npmrc files inside the project would make of npm's
// configuration, by folder as the inventory names it.
type projectConfigs map[string][]*npm.Config

// issues are what they say that they must not.
func (pc projectConfigs) issues() []policy.ConfigIssue {
	var out []policy.ConfigIssue
	for _, dir := range slices.Sorted(maps.Keys(pc)) {
		for _, config := range pc[dir] {
			for _, i := range config.Issues() {
				out = append(out, policy.ConfigIssue{Path: i.Path, Line: i.Line, Message: i.Key + ": " + i.Message, Fix: i.Fix})
			}
		}
	}
	return out
}

// registries returns the registries that only these files name for a package of
// that file. Where npm is started decides which of them it reads, so those of all
// folders above count.
func (pc projectConfigs) registries(file, name string) []string {
	var out []string
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		for _, config := range pc[dir] {
			out = append(out, config.ProjectRegistries(name)...)
		}
		if dir == "." || dir == "/" || path.Base(dir) == ".." {
			return out
		}
	}
}

// projectConfigs reads every .npmrc that can govern an input: those of its folder
// and of all above, up to PATH, and the one further up that npm would find from
// there.
func (p *program) projectConfigs(pr *project) (projectConfigs, error) {
	out := projectConfigs{}
	for i, root := range pr.paths {
		prefix, dir := pr.prefixes[i], folderOf(root)
		dirs := map[string]bool{".": true}
		for _, in := range pr.inputs() {
			name, below := strings.CutPrefix(in, prefix)
			for dir := path.Dir(name); below && fs.ValidPath(dir) && !dirs[dir]; dir = path.Dir(dir) {
				dirs[dir] = true
			}
		}
		if err := p.readConfigs(dir, prefix, slices.Sorted(maps.Keys(dirs)), out); err != nil {
			return nil, err
		}
		if above := policy.NPMFolder(root); above != dir {
			if err := p.readConfigs(above, prefix, []string{"."}, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (p *program) readConfigs(dir, prefix string, folders []string, into projectConfigs) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, bare(err))
	}
	defer func() { _ = root.Close() }() // it was only read from
	for _, folder := range folders {
		names, err := npmrcNames(root, folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			if p.isUserConfig(filepath.Join(dir, filepath.FromSlash(name))) {
				continue // npm reads it once, as the user's
			}
			file, err := readNpmrc(root, name, prefix+name)
			if err != nil {
				return err
			}
			sources, err := p.npmSources(file)
			if err != nil {
				return err
			}
			config, err := npm.NewConfig(sources)
			if err != nil {
				return err
			}
			at := path.Dir(prefix + name)
			into[at] = append(into[at], config)
		}
	}
	return nil
}

// isUserConfig reports whether the file is the user's own .npmrc, as it is where
// somebody checks the home folder.
func (p *program) isUserConfig(name string) bool {
	home, err := p.home()
	if err != nil {
		return false
	}
	own, err := os.Stat(npm.UserConfig(p.environ, home, nil))
	if err != nil {
		return false
	}
	info, err := os.Stat(name)
	return err == nil && os.SameFile(own, info)
}

// npmrcNames returns the files of a folder that some system takes for .npmrc.
func npmrcNames(root *os.Root, folder string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), folder)
	if err != nil {
		return nil, usageError("make it a readable folder", "%s: cannot be read: %v", folder, bare(err))
	}
	var out []string
	for _, e := range entries {
		if strings.EqualFold(e.Name(), npmrcName) {
			out = append(out, path.Join(folder, e.Name()))
		}
	}
	return out, nil
}

// readNamedNpmrc reads the .npmrc of a folder. It returns nil where there is none.
func readNamedNpmrc(dir string) (*npm.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, bare(err))
	}
	defer func() { _ = root.Close() }() // it was only read from
	if _, err := root.Lstat(npmrcName); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no file is no error, and no configuration
	}
	return readNpmrc(root, npmrcName, npmrcName)
}

// readNpmrc reads a project's .npmrc, which may not lead out of the project.
func readNpmrc(root *os.Root, name, shown string) (*npm.File, error) {
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxNpmrcSize {
		return nil, usageError("make it a readable file inside of the project", "%s: cannot be read", shown)
	}
	data, err := root.ReadFile(filepath.FromSlash(name))
	if err != nil {
		return nil, usageError("make it a readable file inside of the project", "%s: cannot be read: %v", shown, bare(err))
	}
	return npm.ParseNpmrc(shown, bytes.NewReader(data))
}

// folderOf is the folder that a PATH is or stands in.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}
