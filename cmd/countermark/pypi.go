package main

import (
	"cmp"
	"context"
	"net/http"
	"path/filepath"
	"strings"

	"countermark/policy"
	"countermark/provenance"
	"countermark/provenance/pypi"
	"countermark/provenance/subject"
	"countermark/sbom"
)

// pypiSource is the index of Python packages, or one that can never be reached.
func (p *program) pypiSource(flag string, offline bool, pol policy.Located, transport http.RoundTripper) (provenance.Source, error) {
	index, err := pypi.NamedIndex("--pypi-index", flag, p.env)
	switch {
	case err != nil:
		return nil, usageError("write https://host/simple/", "%v", err)
	case offline:
		return provenance.Offline{}, nil
	case index == "":
		return provenance.Offline{
			Reason: "no index of Python packages is named",
			Hint:   "name it with --pypi-index URL, or in " + strings.Join(pypi.IndexVariables, ", ") + "; or give the attestations with --attestations",
		}, nil
	}
	return &pypi.Client{Index: index, Transport: transport, Version: p.version, Internal: pol.InternalProject, Registries: pol.Registries}, nil
}

// verifyDistribution judges a wheel or source distribution by its bytes. The world
// is closed: nobody is asked for what the given attestations do not hold.
func (p *program) verifyDistribution(ctx context.Context, flags *verifyFlags, arg, project, version string) (provenance.Result, error) {
	none := provenance.Result{}
	expected, err := flags.demanded(arg)
	if err != nil {
		return none, err
	}
	artifact, err := namedArtifact(arg)
	if err != nil {
		return none, err
	}
	digests, err := artifact.Digests()
	if err != nil {
		return none, usageError("name a readable file", "%s: cannot be read: %v", arg, sbom.Pathless(err))
	}
	s := subject.PyPI(cmp.Or(flags.packageName, project), cmp.Or(flags.packageVersion, version))
	s.Digests, s.DigestFrom = digests, "file"
	local, err := p.openLocal(ctx, flags.evidence())
	if err != nil {
		return none, err
	}
	verifier, err := p.verifier(flags.trust)
	if err != nil {
		return none, err
	}
	set, err := local.File(ctx, s, provenance.File{Name: filepath.Base(arg), Digests: digests})
	if err != nil {
		return none, err
	}
	return verifier.Judge(s, expected, set), nil
}
