package main

import (
	"time"

	"countermark/policy/catalog"
	"countermark/policy/report"

	"github.com/spf13/cobra"
)

func (p *program) catalogCommand() *cobra.Command {
	var format formatFlag
	cmd := &cobra.Command{
		Use:   "catalog [NAME]",
		Short: "show the official sources that are known",
		Long: `Shows the catalogue: for each well-known MCP server, package or image the
repository that it officially comes from, with its numeric ids where they are
known, the package under which it is published, if any, the place that documents
it with the day on which that was checked, and whether and when the package's
registry was seen to name the same repository. With NAME, those that hold it in their
name, vendor, package, repository or brand.

The catalogue only tightens: it gives a source to what your policy names none for,
and tells impostors of servers by likeness; it never excuses a finding.

Exit codes: 0 shown; 1 nothing of that name is known; 2 wrong usage.`,
		Args: arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := format.validate(); err != nil {
				return err
			}
			known, err := catalog.Embedded()
			if err != nil {
				return err
			}
			entries := known.Find("")
			if len(args) == 1 {
				entries = known.Find(args[0])
			}
			if len(entries) == 0 {
				return &exitError{code: exitFail, message: "the catalogue knows nothing of the name " + args[0],
					hints: []string{"run `countermark catalog` for everything that it knows"}}
			}
			if format.value == "json" {
				return report.Indented(p.stdout, entries)
			}
			return p.catalogText(known, entries)
		},
	}
	format.add(cmd.Flags(), "text", "json")
	return cmd
}

func (p *program) catalogText(known *catalog.Catalog, entries []catalog.Entry) error {
	out := p.plainOut()
	for _, e := range entries {
		out.Printf("%s (%s)\n", e.Name, e.Vendor)
		switch {
		case e.Published():
			out.Printf("  package     %s:%s\n", e.Ecosystem, e.Package)
		case e.Unreleased:
			out.Printf("  package     not published; the vendor names %s:%s for it\n", e.Ecosystem, e.Package)
		default:
			out.Printf("  package     not published\n")
		}
		out.Printf("  repository  %s", e.Repository)
		if e.RepositoryID != "" {
			out.Printf("  id %s", e.RepositoryID)
		}
		if e.OwnerID != "" {
			out.Printf("  owner %s", e.OwnerID)
		}
		if e.Workflow != "" {
			out.Printf("\n  workflow    %s", e.Workflow)
		}
		out.Printf("\n  documented  %s (%s, checked %s)\n", e.Documented, e.Basis, e.Checked)
		switch {
		case e.RegistryChecked != "":
			out.Printf("  registry    named the same repository on %s\n", e.RegistryChecked)
		case e.Published():
			out.Printf("  registry    not asked\n")
		}
		if e.Note != "" {
			out.Printf("  note        %s\n", e.Note)
		}
		out.Printf("\n")
	}
	out.Printf("%d of %d entries, all checked on %s or later, sha256 %s\n",
		len(entries), len(known.Find("")), known.AsOf().Format(time.DateOnly), known.SHA256())
	return out.Err()
}
