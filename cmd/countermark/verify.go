package main

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"countermark/policy"
	"countermark/policy/catalog"
	"countermark/policy/report"
	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/subject"
	"countermark/provenance/trust"
	"countermark/sbom"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// verifyFlags are those of verify alone.
type verifyFlags struct {
	evidenceFlags

	policy         string
	bundle         string
	key            string
	packageName    string
	packageVersion string
	layout         string
	layoutKeys     []string
	linkDir        string
	format         formatFlag
	quiet          bool
	verbose        bool

	identity provenance.Identity
	given    []string // names of the flags that were given
}

func (p *program) verifyCommand() *cobra.Command {
	var flags verifyFlags
	cmd := &cobra.Command{
		Use:   "verify SUBJECT…",
		Short: "prove where packages, files or digests come from",
		Long: `Verifies the provenance of each SUBJECT against an expected source.

SUBJECT is one of
  pkg:npm/%40scope/name@1.2.3, npm:@scope/name@1.2.3
      a package: its attestations come from --attestations, then from the registry.
      Without --source-uri the policy and the catalogue say where it should come
      from; where they do not either, it is "unvouched".
  pkg:pypi/name@1.2.3, pypi:name@1.2.3
      a Python package in the same way: every wheel and source distribution of the
      release has to be attested (PEP 740). The index is that of --pypi-index,
      UV_DEFAULT_INDEX, UV_INDEX_URL or PIP_INDEX_URL.
  pkg:oci/name@sha256:HEX?repository_url=host/path/name
      a container image, by the digest that is pinned: its attestations come from
      --attestations, then from the registry's referrers (GitHub's and cosign's).
  FILE with --bundle, sha256:HEX or sha512:HEX with --bundle
      any file or digest with its sigstore bundle, a message signature or a DSSE
      envelope.
  FILE.tgz with --attestations
      an npm tarball with both of npm's attestations; what is not in the given
      ones is absent.
  FILE.whl or FILE.tar.gz with --attestations
      a Python distribution with its provenance object or attestations.
  --layout FILE with --layout-keys and --link-dir, and FILE or digest or nothing
      an in-toto layout with the links of its steps; every SUBJECT has to be a
      product of its last step. Inspections, which are commands, are never run: a
      layout that demands them is "unsupported".

Who must have signed is a key (--key), a certificate's identity with its issuer
(--certificate-identity and --certificate-oidc-issuer), or a source repository
(--source-uri; the issuer is then that of its host).

Exit codes: 0 every subject is verified; 1 one is not; 2 wrong usage, or a file
that cannot be used; 3 the attestations of one could not be had.`,
		Example: `  countermark verify npm:sigstore@1.3.0 --source-uri https://github.com/sigstore/sigstore-js
  countermark verify pypi:acme-tool@1.2.3 --pypi-index https://index.example/simple/ --source-uri https://github.com/acme/tool
  countermark verify app.tar.gz --bundle app.sigstore.json --source-uri https://github.com/acme/app
  countermark verify sha256:… --bundle b.json --key release.pub
  countermark verify app.tar.gz --layout root.layout --layout-keys owner.pub --link-dir links`,
		Args: func(cmd *cobra.Command, args []string) error {
			if flags.layout != "" {
				return nil // it is a subject of its own
			}
			return arguments(1, unlimited)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.validate(); err != nil {
				return err
			}
			cmd.Flags().Visit(func(f *pflag.Flag) { flags.given = append(flags.given, f.Name) })
			ctx, cancel := context.WithTimeout(cmd.Context(), flags.timeout)
			defer cancel()
			return p.verify(ctx, &flags, args)
		},
	}
	f := cmd.Flags()
	flags.add(f)
	flags.addIdentity(f)
	f.StringVar(&flags.policy, "policy", "", "policy `FILE` (default: countermark.yaml in the current folder, or in the nearest parent up to the git root)")
	f.StringVar(&flags.bundle, "bundle", "", "sigstore bundle `FILE` of a file or digest; JSON lines (gh attestation download) or the answer of GitHub's attestation API may hold several")
	f.StringVar(&flags.packageName, "package-name", "", "`NAME` of the package in an npm tarball or Python distribution")
	f.StringVar(&flags.packageVersion, "package-version", "", "`VERSION` of the package in an npm tarball or Python distribution")
	f.StringVar(&flags.layout, "layout", "", "in-toto layout `FILE`, whose last step has to have made every SUBJECT")
	f.StringArrayVar(&flags.layoutKeys, "layout-keys", nil, "public key `FILE` in PEM that has to have signed the layout; may be given several times, and then all have to")
	f.StringVar(&flags.linkDir, "link-dir", ".", "`FOLDER` with the links of the layout's steps")
	flags.format.add(f, "text", "json")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "show only what is not verified")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "show every check")
	return cmd
}

func (f *verifyFlags) addIdentity(flags *pflag.FlagSet) {
	id := &f.identity
	flags.StringVar(&f.key, "key", "", "public key `FILE` in PEM that has to have signed")
	flags.StringVar(&id.Certificate, "certificate-identity", "", "`IDENTITY` that the certificate has to name")
	flags.StringVar(&id.CertificateRegexp, "certificate-identity-regexp", "", "`PATTERN` that the certificate's whole identity has to match")
	flags.StringVar(&id.Issuer, "certificate-oidc-issuer", "", "`URL` of the OIDC issuer that has to have vouched for the identity")
	flags.StringVar(&id.IssuerRegexp, "certificate-oidc-issuer-regexp", "", "`PATTERN` that the whole issuer has to match")
	flags.StringVar(&id.Source.Repo, "source-uri", "", "`URL` of the source repository, https://host/owner/name or host/owner/name")
	flags.StringVar(&id.Source.Ref, "source-ref", "", "git `REF` of the source, refs/tags/v*")
	flags.StringVar(&id.Source.Digest, "source-digest", "", "`COMMIT` of the source")
	flags.StringVar(&id.SignerWorkflow, "signer-workflow", "", "`WORKFLOW` that signed, owner/name/.github/workflows/release.yml")
	flags.StringVar(&id.Source.Builder, "builder-id", "", "`ID` of the builder; a reusable workflow without its ref is any release vX.Y.Z of it")
	flags.StringVar(&id.PredicateType, "predicate-type", "", "`TYPE` of the statement; of several bundles, those of that type count")
	flags.BoolVar(&id.Source.DenySelfHosted, "deny-self-hosted-runners", false, "refuse builds on runners that are not the host's")
}

func (p *program) verify(ctx context.Context, flags *verifyFlags, args []string) error {
	if err := flags.format.validate(); err != nil {
		return err
	}
	if flags.identity.Source != (provenance.Expectation{}) {
		flags.identity.Source.From = "flag"
	}
	if flags.key != "" {
		key, err := readNamed(flags.key, maxKeySize)
		if err != nil {
			return usageError("name a public key in PEM", "%s: cannot be read: %v", flags.key, err)
		}
		flags.identity.Key, flags.identity.KeyFile = key, flags.key
	}
	for _, arg := range args {
		if subject.Ecosystem(arg) == "" && strings.Contains(arg, "://") {
			return usageError("download it, and name the file", "%s: a URL is no SUBJECT", sbom.RedactURL(arg))
		}
	}
	if flags.layout != "" {
		return p.verifyLayout(ctx, flags, args)
	}
	if slices.ContainsFunc(flags.given, func(name string) bool { return name == "layout-keys" || name == "link-dir" }) {
		return usageError("name the layout with --layout", "--layout-keys and --link-dir mean nothing without a layout")
	}
	results, err := p.verifyAll(ctx, flags, args)
	if err != nil {
		return err
	}
	if err := p.writeResults(flags, args, results); err != nil {
		return err
	}
	return done(exitOf(results))
}

// maxKeySize bounds a public key file, in bytes.
const maxKeySize = 64 << 10

// exitOf is fail before unknown before pass.
func exitOf(results []provenance.Result) int {
	code := exitPass
	for _, r := range results {
		switch r.State {
		case provenance.Verified:
		case provenance.Unavailable, provenance.Stripped:
			code = max(code, exitUnknown)
		default:
			return exitFail
		}
	}
	return code
}

// verifyAll judges all packages at once, and each file or digest by itself. The
// results stand in the order of the subjects.
func (p *program) verifyAll(ctx context.Context, flags *verifyFlags, args []string) ([]provenance.Result, error) {
	results := make([]provenance.Result, len(args))
	var packages []string
	var at []int
	for i, arg := range args {
		if subject.Ecosystem(arg) != "" {
			packages, at = append(packages, arg), append(at, i)
			continue
		}
		var err error
		if results[i], err = p.verifyFile(ctx, flags, arg); err != nil {
			return nil, err
		}
	}
	if len(packages) == 0 {
		return results, nil
	}
	if err := flags.only(kindsOf(packages)); err != nil {
		return nil, err
	}
	judged, err := p.verifyPackages(ctx, flags, packages)
	for i, r := range judged {
		results[at[i]] = r
	}
	return results, err
}

// kindsOf says of what kinds the packages are, and what means something for one
// of them.
func kindsOf(packages []string) (kind string, known []string) {
	found := map[string]bool{}
	for _, arg := range packages {
		switch subject.Ecosystem(arg) {
		case sbom.OCI:
			kind, known = "an image", append(known, imageFlags...)
		case sbom.PyPI:
			kind, known = "a Python package", append(known, projectFlags...)
		default:
			kind, known = "a package", append(known, packageFlags...)
		}
		found[kind] = true
	}
	if len(found) > 1 {
		kind = "these packages"
	}
	return kind, known
}

// verifyFile judges one file or digest by what goes with it.
func (p *program) verifyFile(ctx context.Context, flags *verifyFlags, arg string) (provenance.Result, error) {
	none := provenance.Result{}
	switch {
	case flags.bundle != "":
		if err := flags.only("a file or digest with a bundle", artifactFlags); err != nil {
			return none, err
		}
		return p.verifyArtifact(flags, arg) //nolint:contextcheck // one file of bounded size
	case subject.IsDigest(arg):
		return none, usageError("give the sigstore bundle of the digest with --bundle", "%s has no attestations of its own", arg)
	case len(flags.attestations) > 0:
		open := func() (io.ReadCloser, error) { return openNamed(arg) }
		if project, version, ok := subject.Distribution(arg, open); ok {
			if err := flags.only("a Python distribution", distributionFlags); err != nil {
				return none, err
			}
			return p.verifyDistribution(ctx, flags, arg, project, version)
		}
		if err := flags.only("an npm tarball", tarballFlags); err != nil {
			return none, err
		}
		return p.verifyTarball(ctx, flags, arg)
	}
	if _, err := os.Stat(arg); err != nil {
		return none, usageError("a package is written npm:name@1.2.3, pypi:name@1.2.3 or as a package URL", "%s: there is no such file", arg)
	}
	return none, usageError("give its sigstore bundle with --bundle, or an npm tarball's attestations with --attestations", "%s has no attestations of its own", arg)
}

// The flags that mean something for each kind of subject. One that means nothing
// is refused: it is a demand that nobody would make good.
var (
	everywhereFlags = []string{
		"source-uri", "source-ref", "source-digest", "signer-workflow", "builder-id", "deny-self-hosted-runners",
		"certificate-oidc-issuer", "trusted-root", "npm-keys", "cache-dir", "offline", "jobs", "timeout", "format", "quiet", "verbose",
	}
	packageFlags      = append([]string{"attestations", "registry", "policy", "no-cache", "fetch-tarballs"}, everywhereFlags...)
	projectFlags      = append([]string{"attestations", "pypi-index", "policy"}, everywhereFlags...)
	imageFlags        = append([]string{"attestations", "policy"}, everywhereFlags...)
	tarballFlags      = append([]string{"attestations", "registry", "package-name", "package-version"}, everywhereFlags...)
	distributionFlags = append([]string{"attestations", "package-name", "package-version"}, everywhereFlags...)
	artifactFlags     = append([]string{
		"bundle", "key", "certificate-identity", "certificate-identity-regexp", "certificate-oidc-issuer-regexp", "predicate-type",
	}, everywhereFlags...)
)

func (f *verifyFlags) only(kind string, known []string) error {
	for _, name := range f.given {
		if !slices.Contains(known, name) {
			return usageError("leave it out, or run `countermark verify --help` for what goes together", "--%s means nothing for %s", name, kind)
		}
	}
	return nil
}

// verifyPackages asks local attestations, then the registry.
func (p *program) verifyPackages(ctx context.Context, flags *verifyFlags, args []string) ([]provenance.Result, error) {
	var subjects []provenance.Subject
	for _, arg := range args {
		s, err := subject.Parse(arg)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, s)
	}
	pol, err := policy.Locate(flags.policy, []string{"."})
	if err != nil {
		return nil, err
	}
	ev, err := p.openEvidence(ctx, flags.evidenceFlags, pol, &project{paths: []string{"."}, prefixes: []string{""}})
	if err != nil {
		return nil, err
	}
	for _, issue := range ev.issues {
		p.warn(issue.Fix, "%s%s", place(issue.Path, issue.Line, 0), issue.Message)
	}
	expect, err := flags.expectation(pol)
	if err != nil {
		return nil, err
	}
	return ev.run(ctx, subjects, flags.workers(), expect, p.watch(len(subjects), flags.quiet))
}

// expectation is what the flags name, else what policy and catalogue expect.
func (f *verifyFlags) expectation(pol policy.Located) (func(provenance.Subject) provenance.Expectation, error) {
	e, err := f.source()
	if err != nil {
		return nil, err
	}
	if e.Repo != "" {
		return func(provenance.Subject) provenance.Expectation { return e }, nil
	}
	if e != (provenance.Expectation{}) {
		return nil, usageError("name the repository with --source-uri", "nobody is named who has to have signed")
	}
	known, err := catalog.Embedded()
	if err != nil {
		return nil, err
	}
	return policy.Expect(pol.Policy, known), nil
}

// source is the expectation that the flags name for an npm package.
func (f *verifyFlags) source() (provenance.Expectation, error) {
	e := f.identity.Source
	e.Issuer = f.identity.Issuer
	e.SignerWorkflow = f.identity.SignerWorkflow
	if e != (provenance.Expectation{}) {
		e.From = "flag"
	}
	if e.Repo == "" {
		return e, nil
	}
	if err := provenance.CheckExpected(e.Repo); err != nil {
		return e, usageError("write it as https://host/owner/name", "--source-uri: %v", err)
	}
	return e, nil
}

// demanded is the source that a file of no registry has to come from. Nobody else
// says it.
func (f *verifyFlags) demanded(arg string) (provenance.Expectation, error) {
	e, err := f.source()
	if err == nil && e.Repo == "" {
		err = usageError("name the repository with --source-uri", "nobody is named from whom %s has to come", arg)
	}
	return e, err
}

// verifyArtifact judges a file or digest by its bundle.
func (p *program) verifyArtifact(flags *verifyFlags, arg string) (provenance.Result, error) {
	none := provenance.Result{}
	artifact, err := namedArtifact(arg)
	if err != nil {
		return none, err
	}
	data, err := readNamed(flags.bundle, provenance.MaxEvidenceFile)
	if err != nil {
		return none, usageError("name a sigstore bundle", "%s: cannot be read: %v", flags.bundle, err)
	}
	bundles, err := provenance.ReadBundles(bytes.NewReader(data), flags.bundle)
	if err != nil {
		return none, err
	}
	verifier, err := p.verifier(flags.trust)
	if err != nil {
		return none, err
	}
	result, err := verifier.Artifact(artifact, bundles, flags.identity)
	if err != nil {
		return none, err
	}
	return result, nil
}

// namedArtifact is a file or digest as the user names it.
func namedArtifact(arg string) (provenance.Artifact, error) {
	artifact := provenance.Artifact{Name: arg}
	if subject.IsDigest(arg) {
		digest, err := provenance.ParseDigest(arg)
		if err != nil {
			return artifact, usageError("write sha256:<64 hex digits> or sha512:<128 hex digits>", "%s: %v", arg, err)
		}
		artifact.Digest = digest
		return artifact, nil
	}
	artifact.Open = func() (io.ReadCloser, error) { return openNamed(arg) }
	if info, err := os.Stat(arg); err != nil {
		return artifact, usageError("name an existing file, or a digest", "%s: there is no such file", arg)
	} else if info.IsDir() {
		return artifact, usageError("name a file in it", "%s is a folder", arg)
	} else if !info.Mode().IsRegular() {
		return artifact, usageError("name a file that holds the bytes; give those of a pipe one first", "%s is not a regular file", arg)
	}
	return artifact, nil
}

// pinnedVerifier trusts each registry's own keys, as npm's configuration names the
// registries.
func (p *program) pinnedVerifier(flags trustFlags, config *npm.Config) (*trust.Material, *provenance.Verifier, error) {
	material, err := p.loadTrust(flags)
	if err != nil {
		return nil, nil, err
	}
	if err := config.PinKeys(material); err != nil {
		return nil, nil, err
	}
	verifier, err := provenance.NewVerifier(material)
	return material, verifier, err
}

func (p *program) verifier(flags trustFlags) (*provenance.Verifier, error) {
	material, err := p.loadTrust(flags)
	if err != nil {
		return nil, err
	}
	return provenance.NewVerifier(material)
}

// verifyTarball judges an npm tarball by its bytes. The world is closed: nobody
// is asked for what the given attestations do not hold.
func (p *program) verifyTarball(ctx context.Context, flags *verifyFlags, arg string) (provenance.Result, error) {
	none := provenance.Result{}
	expected, err := flags.demanded(arg)
	if err != nil {
		return none, err
	}
	f, err := openNamed(arg)
	if err != nil {
		return none, usageError("name an existing npm tarball", "%s: cannot be read: %v", arg, err)
	}
	defer func() { _ = f.Close() }() // it was only read from
	tarball, err := npm.ReadTarball(f)
	if err != nil {
		return none, usageError("name an npm tarball", "%s: %v", arg, err)
	}
	s := subject.NPM(cmp.Or(flags.packageName, tarball.Name), cmp.Or(flags.packageVersion, tarball.Version))
	s.Digests = []provenance.Digest{{Algorithm: "sha512", Value: tarball.SHA512}}
	s.DigestFrom = "tarball"
	// A tarball belongs to no project: the user's own configuration names its
	// registry.
	config, err := p.npmConfig(flags.registry, nil)
	if err != nil {
		return none, err
	}
	_, verifier, err := p.pinnedVerifier(flags.trust, config)
	if err != nil {
		return none, err
	}
	local, err := p.openLocal(ctx, flags.evidence())
	if err != nil {
		return none, err
	}
	set, err := local.Attestations(ctx, s)
	if err != nil {
		return none, err
	}
	if set.Registry, err = config.ConfiguredRegistry(s); err != nil {
		return none, err
	}
	return verifier.Judge(s, expected, set), nil
}

// verifyReport is the JSON form of verify's results.
type verifyReport struct {
	SchemaVersion string                    `json:"schemaVersion"`
	ExitCode      int                       `json:"exitCode"`
	Tool          policy.Tool               `json:"tool"`
	Results       []policy.ComponentVerdict `json:"results"`
}

func (p *program) writeResults(flags *verifyFlags, args []string, results []provenance.Result) error {
	if flags.format.value == "text" {
		out := p.plainOut()
		for i := range results {
			if flags.quiet && results[i].State == provenance.Verified {
				continue
			}
			report.Provenance(out, args[i], policy.ProvenanceOf(&results[i]), results[i].Hint, flags.verbose)
		}
		return out.Err()
	}
	doc := verifyReport{
		SchemaVersion: policy.SchemaVersion, ExitCode: exitOf(results),
		Tool: policy.Tool{Name: report.Program, Version: p.version}, Results: []policy.ComponentVerdict{},
	}
	for i := range results {
		doc.Results = append(doc.Results, policy.ComponentVerdict{
			Ref: args[i], PURL: results[i].Subject.PURL, Provenance: policy.ProvenanceOf(&results[i]),
		})
	}
	return report.Indented(p.stdout, doc)
}
