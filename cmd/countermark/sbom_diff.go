package main

import (
	"cmp"
	"io"

	"countermark/policy/report"
	"countermark/sbom/diff"

	"github.com/spf13/cobra"
)

func (p *program) sbomDiffCommand() *cobra.Command {
	var format formatFlag
	var output string
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "what differs between two CycloneDX documents",
		Long: `Compares two CycloneDX documents of any tool, version and format: components and
services that were added or removed, that changed (version, hashes, licences,
dependencies, references, properties…), and that moved from one scope into another.
Components are the same by their purl without the version, else by type, group and
name; bom-refs, serial numbers and timestamps mean nothing.

Exit codes: 0 compared, whatever differs; 1 they differ, with --exit-code; 2 wrong
usage; 3 a file is no document that can be read.`,
		Example: `  countermark sbom diff old.cdx.json new.cdx.json
  countermark sbom diff --format markdown --exit-code old.cdx.xml new.cdx.json`,
		Args: arguments(2, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := cmp.Or(format.validate(), onceFromStdin(args)); err != nil {
				return err
			}
			write := map[string]func(io.Writer, *diff.Result) error{
				"text":     p.diffText,
				"json":     func(w io.Writer, r *diff.Result) error { return report.Indented(w, r) },
				"markdown": func(w io.Writer, r *diff.Result) error { return r.Markdown(w) },
			}[format.value]
			older, err := p.readDocument(args[0])
			if err != nil {
				return err
			}
			newer, err := p.readDocument(args[1])
			if err != nil {
				return err
			}
			result := diff.Compare(older, newer)
			if err := p.output(output, func(w io.Writer) error { return write(w, result) }); err != nil {
				return err
			}
			if exitCode && !result.Empty() {
				return done(exitFail)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	format.add(flags, "text", "json", "markdown")
	addOutput(flags, &output)
	flags.BoolVar(&exitCode, "exit-code", false, "exit with 1 where the documents differ")
	return cmd
}

func (p *program) diffText(w io.Writer, r *diff.Result) error {
	out := report.NewPlain(w, report.Options{Color: p.color && w == p.stdout})
	for _, e := range r.Added {
		out.Printf("+ %s (%s)\n", e.String(), e.Kind())
	}
	for _, e := range r.Removed {
		out.Printf("- %s (%s)\n", e.String(), e.Kind())
	}
	for _, m := range r.Moved {
		out.Printf("> %s (%s → %s)\n", m.String(), m.From, m.To)
	}
	for _, c := range r.Changed {
		out.Printf("~ %s\n", c.Name)
		for _, f := range c.Fields {
			out.Printf("    %s\n", f.String())
		}
	}
	out.Printf("%d added, %d removed, %d changed, %d moved between scopes\n", len(r.Added), len(r.Removed), len(r.Changed), len(r.Moved))
	return out.Err()
}
