package sbom

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"countermark/sbom/bom"
)

// DocumentReader is the Reader of bills of materials of other tools, and of our own.
// It takes only what the user names: no search finds one.
//
// What a document says is a claim: components keep their purls, edges, scopes and
// marks, but no hash of it counts as integrity, and nothing in it as provenance. A
// configured MCP server is only described in it, so that what it would launch stays
// unknown until its configuration is read. SPDX is recognised and not read.
type DocumentReader struct{}

// Recognize knows no path.
func (DocumentReader) Recognize(string) string { return "" }

// Sniff knows CycloneDX and SPDX.
func (DocumentReader) Sniff(data []byte) string { return bom.Sniff(data) }

// Read adds what the documents hold.
func (DocumentReader) Read(ctx context.Context, files []*File, b *Builder) error {
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		inv, _, problems, err := ReadCycloneDX(f.Data)
		if e, ok := errors.AsType[*bom.Error](err); ok {
			code := Invalid
			if strings.HasPrefix(f.Kind, "spdx") {
				code = Unsupported
			}
			f.Problem(Problem{Code: code, Line: e.Line, Column: e.Column, Message: e.Message, Hint: e.Hint})
			continue
		}
		if err != nil {
			return err
		}
		for _, p := range problems {
			f.Problem(p)
		}
		addDocument(f, inv, b, len(files) == 1)
	}
	return nil
}

func addDocument(f *File, inv *Inventory, b *Builder, only bool) {
	f.NoPeers()
	here := Occurrence{Path: f.Path}
	ids := map[string]ID{}
	root := Component{
		Type: Application, Ecosystem: inv.Root.Ecosystem, Name: inv.Root.Name, Version: inv.Root.Version,
		PURL: inv.Root.PURL, Source: FromProject, License: inv.Root.License, Coverage: inv.Root.Coverage,
	}
	if only {
		b.DescribeRoot(root, here)
		ids[inv.Root.Ref] = Root
	} else {
		root.Ref = "sbom:" + f.Path
		ids[inv.Root.Ref] = b.Add(root, Use{}, here)
		b.Link(Root, ids[inv.Root.Ref])
	}
	for _, s := range inv.Services {
		ids[s.Ref] = b.AddService(Service{Ref: s.Ref, Name: s.Name, Endpoint: s.Endpoint, URL: s.URL}, here)
	}
	for _, c := range inv.Components {
		if c.Server != nil {
			f.Problem(Problem{
				Code: Unsupported, Message: fmt.Sprintf("the MCP server %q is only described here, and cannot be judged by that", c.Server.Name),
				Hint: "check the configuration that starts it, too",
			})
		}
		ids[c.Ref] = b.Add(claimed(c), Use{
			Development: c.Development || c.Scope == Excluded, Optional: c.Scope == Optional, Locked: true,
		}, here)
	}
	for from, targets := range inv.Edges {
		for _, to := range targets {
			b.Link(ids[from], ids[to])
		}
	}
}

// claimed is a component of a document as far as it is believed: without what would
// count as integrity.
func claimed(c *Component) Component {
	out := Component{
		Type: c.Type, Ecosystem: c.Ecosystem, Name: c.Name, Version: c.Version, PURL: c.PURL, Source: source(c),
		Resolved: c.Resolved, Repository: c.Repository, License: c.License, Coverage: c.Coverage, Private: c.Private, Patches: c.Patches,
	}
	if out.PURL == "" {
		out.Ref = c.Ref
	}
	return out
}

// source is by which way a package arrives, as its purl says (purl-spec, vcs_url and
// download_url), which can make it suspicious, and never trusted.
func source(c *Component) Source {
	switch {
	case strings.Contains(c.PURL, "vcs_url="):
		return FromGit
	case strings.Contains(c.PURL, "download_url="):
		return FromTarball
	case c.Ecosystem == NPM && c.Version != "":
		return FromRegistry
	default:
		return ""
	}
}
