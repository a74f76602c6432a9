package main

import (
	"context"
	"time"

	"countermark/provenance"
	"countermark/provenance/layout"
	"countermark/sbom"
)

// hintPresent is for an answer about another time than the present. Build systems
// set SOURCE_DATE_EPOCH to a time at which nothing that expired since had expired.
const hintPresent = "unset SOURCE_DATE_EPOCH to judge it as of now"

// layoutFlags are those that mean something for a layout.
var layoutFlags = []string{"layout", "layout-keys", "link-dir", "timeout", "format", "quiet", "verbose"}

// verifyLayout judges an in-toto layout, and the files and digests that have to be
// products of it.
func (p *program) verifyLayout(ctx context.Context, flags *verifyFlags, args []string) error {
	if err := flags.only("a layout", layoutFlags); err != nil {
		return err
	}
	report, err := p.readLayout(ctx, flags)
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		p.warn("", "%s", w)
	}
	var results []provenance.Result
	for _, arg := range args {
		artifact, err := namedArtifact(arg)
		if err != nil {
			return err
		}
		result, err := report.Artifact(artifact)
		if err != nil {
			return usageError("name a readable file, or a digest", "%s: cannot be read: %v", arg, sbom.Pathless(err))
		}
		results = append(results, result)
	}
	if len(args) == 0 {
		args, results = []string{flags.layout}, []provenance.Result{report.Result}
	}
	if err := p.writeResults(flags, args, results); err != nil {
		return err
	}
	return done(exitOf(results))
}

func (p *program) readLayout(ctx context.Context, flags *verifyFlags) (layout.Report, error) {
	none := layout.Report{}
	if len(flags.layoutKeys) == 0 {
		return none, usageError("name the public key of the layout's owner with --layout-keys", "nobody is named who has to have signed %s", flags.layout)
	}
	now, fixed, err := p.instant()
	if err != nil {
		return none, err
	}
	if fixed {
		p.warn(hintPresent, "whether %s has expired is judged as of %s, which SOURCE_DATE_EPOCH says", flags.layout, now.Format(time.RFC3339))
	}
	l := layout.Layout{Name: flags.layout, Now: now}
	if l.Data, err = readNamed(flags.layout, layout.MaxFileSize); err != nil {
		return none, usageError("name an in-toto layout", "%s: cannot be read: %v", flags.layout, sbom.Pathless(err))
	}
	for _, name := range flags.layoutKeys {
		data, err := readNamed(name, maxKeySize)
		if err != nil {
			return none, usageError("name a public key in PEM", "%s: cannot be read: %v", name, sbom.Pathless(err))
		}
		key, err := layout.ParseKey(data, name)
		if err != nil {
			return none, err
		}
		l.Keys = append(l.Keys, key)
	}
	root, err := openFolder(flags.linkDir)
	if err != nil {
		return none, usageError("name the folder with the links of the layout's steps", "%s: cannot be read: %v", flags.linkDir, sbom.Pathless(err))
	}
	defer func() { _ = root.Close() }() // it was only read from
	l.Links = root.FS()
	return layout.Verify(ctx, l)
}
