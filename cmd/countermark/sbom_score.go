package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"countermark/policy"
	"countermark/policy/report"
	"countermark/sbom"
	"countermark/sbom/bom"
	"countermark/sbom/score"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// scores is the JSON of sbom score (schemas/sbom-score.schema.json).
type scores struct {
	SchemaVersion int             `json:"schemaVersion"`
	Documents     []*score.Result `json:"documents"`
}

func (p *program) sbomScoreCommand() *cobra.Command {
	var format formatFlag
	var output string
	var own ownFlags
	cmd := &cobra.Command{
		Use:   "score [FILE|PATH…]",
		Short: "what an SBOM lacks by NTIA, CISA and BSI TR-03183-2",
		Long: `Measures CycloneDX documents of any tool against NTIA's minimum elements (2021),
CISA's draft of 2025 and BSI TR-03183-2 v2.1: for each requirement the share of
components that meet it, the first that do not, and what mends it. A PATH that is
no document (a folder, a lockfile) is measured as ` + "`countermark sbom`" + ` would write it;
--author, --manufacturer, --supplier, --spec-version and --timestamp are for these.

Exit codes: 0 measured, whatever the score; 2 wrong usage; 3 something could not be
read; 4 a PATH holds nothing that is read.`,
		Example: `  countermark sbom score sbom.cdx.json
  countermark sbom score --format markdown --timestamp --author 'Release team' .`,
		RunE: func(cmd *cobra.Command, args []string) error {
			write := map[string]func(io.Writer, *scores) error{
				"text":     p.scoreText,
				"json":     func(w io.Writer, s *scores) error { return report.Indented(w, s) },
				"markdown": scoreMarkdown,
			}[format.value]
			if err := cmp.Or(format.validate(), noEmptyPaths(paths(args)), ownOnly(paths(args), cmd.Flags())); err != nil {
				return err
			}
			all := &scores{SchemaVersion: 1}
			var incomplete error
			for _, name := range paths(args) {
				d, err := p.documentOf(cmd.Context(), name, own)
				e, ok := errors.AsType[*exitError](err)
				switch {
				case err != nil && (!ok || e.code == exitUsage):
					return err
				case d != nil:
					all.Documents = append(all.Documents, score.Measure(name, d))
				case ok: // the others are measured nevertheless
					p.message(e)
					err = done(e.code)
				}
				incomplete = worse(incomplete, err)
			}
			if len(all.Documents) == 0 {
				return incomplete
			}
			if err := p.output(output, func(w io.Writer) error { return write(w, all) }); err != nil {
				return err
			}
			return incomplete
		},
	}
	flags := cmd.Flags()
	format.add(flags, "text", "json", "markdown")
	addOutput(flags, &output)
	own.add(flags)
	return cmd
}

// ownOnly refuses for a document what says how one of ours is written.
func ownOnly(names []string, flags *pflag.FlagSet) error {
	i := slices.IndexFunc(names, isDocument)
	if i < 0 {
		return nil
	}
	var err error
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "format" && f.Name != "output" && err == nil {
			err = usageError("leave it out, or name the folder that the document is of",
				"--%s is for a document that is written, and %s is one already", f.Name, names[i])
		}
	})
	return err
}

// documentOf reads a document, or makes one of what is below a PATH. With both a
// document and an error, something in it could not be read.
func (p *program) documentOf(ctx context.Context, name string, own ownFlags) (*bom.Document, error) {
	if isDocument(name) {
		return p.readDocument(name)
	}
	pol, err := policy.Locate("", []string{name})
	if err != nil {
		return nil, err
	}
	project, err := p.read(ctx, reading{args: []string{name}, policy: pol, options: sbom.Options{Readers: readers(false)}})
	if err != nil {
		return nil, err
	}
	doc, err := own.document(p)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := sbom.WriteCycloneDX(&buf, project.inventory, doc); err != nil {
		return nil, err
	}
	d, err := bom.Read(buf.Bytes())
	if err != nil {
		return nil, unreadableDocument(name, err)
	}
	return d, p.reportInputs(project, false)
}

// isDocument looks whether a file is a bill of materials; what cannot be looked at
// is left to who reads it.
func isDocument(name string) bool {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	const enough = 64 << 10
	begin, err := io.ReadAll(io.LimitReader(f, enough))
	return err == nil && bom.Sniff(begin) != ""
}

func (p *program) scoreText(w io.Writer, all *scores) error {
	out := report.NewPlain(w, report.Options{Color: p.color && w == p.stdout})
	for i, r := range all.Documents {
		if i > 0 {
			out.Printf("\n")
		}
		out.Printf("%s: CycloneDX %s, %d components\n\n", r.File, r.SpecVersion, r.Components)
		for _, s := range r.Standards {
			out.Printf("  %3d%%  %s: %d of %d requirements met\n", s.Score, s.Title, s.Met, s.Required)
		}
		for _, m := range r.Requirements {
			if m.Have == m.Of && m.Of > 0 {
				continue
			}
			out.Printf("\n  %s (%s): %d of %d\n    wanted by %s\n", m.ID, m.Field, m.Have, m.Of, wantedBy(m))
			if len(m.Missing) > 0 {
				out.Printf("    missing in %s\n", m.Missed())
			}
			if m.Fix != "" {
				out.Printf("    fix: %s\n", m.Fix)
			}
		}
	}
	return out.Err()
}

func wantedBy(m score.Measured) string {
	all := slices.Clone(m.Required)
	for _, id := range m.Recommended {
		all = append(all, id+" (recommended)")
	}
	return strings.Join(all, ", ")
}

func scoreMarkdown(w io.Writer, all *scores) error {
	for _, r := range all.Documents {
		if _, err := fmt.Fprint(w, r.Markdown()); err != nil {
			return err
		}
	}
	return nil
}
