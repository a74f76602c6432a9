package main

import (
	"bytes"
	"context"
	"io"
	"time"

	"countermark/policy"
	"countermark/sbom"
	"countermark/sbom/mcp"
	"countermark/sbom/node"

	"github.com/spf13/cobra"
)

func (p *program) sbomCommand() *cobra.Command {
	var policyFile, output, specVersion, format string
	var timestamp, quiet bool
	cmd := &cobra.Command{
		Use:   "sbom [PATH…]",
		Short: "write what is there as a CycloneDX SBOM",
		Long: `Reads lockfiles and MCP client configurations below each PATH (a folder or a
file; the current folder by default) and writes them as one CycloneDX document.
The same input gives the same bytes on every machine. It reaches no network.

Exit codes: 0 written in full; 2 wrong usage; 3 written, but an input could not
be read, which the document says too; 4 a PATH holds nothing that is read.`,
		Example: `  countermark sbom
  countermark sbom --output sbom.cdx.json path/to/project`,
		RunE: func(cmd *cobra.Command, args []string) error {
			doc := sbom.Document{SpecVersion: specVersion, Format: format, ToolVersion: p.version}
			var err error
			if doc.Timestamp, err = p.timestamp(timestamp); err != nil {
				return err
			}
			if err := noEmptyPaths(paths(args)); err != nil {
				return err
			}
			pol, err := policy.Locate(policyFile, paths(args))
			if err != nil {
				return err
			}
			project, err := p.readProject(cmd.Context(), paths(args), pol)
			if err != nil {
				return err
			}
			var buf bytes.Buffer
			if err := sbom.WriteCycloneDX(&buf, project.inventory, doc); err != nil {
				return usageError("run `countermark sbom --help`", "%v", err)
			}
			if err := p.output(output, func(w io.Writer) error { _, err := w.Write(buf.Bytes()); return err }); err != nil {
				return err
			}
			return p.reportInputs(project, quiet)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&policyFile, "policy", "", policyUsage)
	flags.StringVarP(&output, "output", "o", "-", "write to `FILE`; - is standard output")
	flags.StringVar(&specVersion, "spec-version", sbom.DefaultSpecVersion, "CycloneDX `VERSION`: 1.4, 1.5, 1.6 or 1.7")
	flags.StringVar(&format, "format", "json", "json or xml")
	flags.BoolVar(&timestamp, "timestamp", false, "write the time into the document (SOURCE_DATE_EPOCH does so too)")
	flags.BoolVarP(&quiet, "quiet", "q", false, "do not show warnings")
	return cmd
}

// timestamp is what metadata.timestamp gets: nothing, unless asked for.
func (p *program) timestamp(wanted bool) (time.Time, error) {
	at, fixed, err := p.instant()
	if err != nil || (!fixed && !wanted) {
		return time.Time{}, err
	}
	return at, nil
}

// project is what was read below the PATHs.
type project struct {
	inventory *sbom.Inventory // nil where nothing was read
	paths     []string
	prefixes  []string // for each path, what the inventory puts before the names below it
	found     []bool   // for each path, whether it holds anything that we read
}

func (p *program) readProject(ctx context.Context, paths []string, pol policy.Located) (*project, error) {
	here, err := p.here()
	if err != nil {
		return nil, err
	}
	trees, closeAll, err := sbom.Open(here, paths)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	inv, found, err := sbom.Scan(ctx, trees, sbom.Options{
		Readers: []sbom.Reader{node.Reader{}, mcp.Reader{}},
		Exclude: pol.Excludes,
	})
	if err != nil {
		return nil, err
	}
	pr := &project{inventory: inv, paths: paths, found: found}
	for _, t := range trees {
		pr.prefixes = append(pr.prefixes, t.Prefix)
	}
	return pr, nil
}

// inputs are the paths of everything that was recognised.
func (pr *project) inputs() []string {
	if pr.inventory == nil {
		return nil
	}
	var out []string
	for _, in := range pr.inventory.Inputs {
		out = append(out, in.Path)
	}
	return out
}

// reportInputs says what was wrong with the inputs and ends the command with the
// code that follows from it.
func (p *program) reportInputs(pr *project, quiet bool) error {
	broken := false
	for _, in := range pr.inventory.Inputs {
		for _, problem := range in.Problems {
			message := place(in.Path, problem.Line, problem.Column) + problem.Message
			if problem.Code == sbom.Warning {
				if !quiet {
					p.warn(problem.Hint, "%s", message)
				}
				continue
			}
			broken = true
			p.message(&exitError{message: message, hints: []string{problem.Hint}})
		}
	}
	if broken {
		return done(exitUnknown)
	}
	for i, found := range pr.found {
		if !found {
			return nothing(pr.paths[i])
		}
	}
	return nil
}

func nothing(path string) *exitError {
	return &exitError{
		code:    exitNothing,
		message: path + ": holds nothing to check",
		hints:   []string{"expected a package-lock.json, an npm-shrinkwrap.json or an MCP client configuration such as .mcp.json"},
	}
}
