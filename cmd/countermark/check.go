package main

import (
	"cmp"
	"context"
	"io"
	"path/filepath"
	"slices"

	"countermark/policy"
	"countermark/policy/advisory"
	"countermark/policy/catalog"
	"countermark/policy/report"
	"countermark/provenance"
	"countermark/sbom"

	"github.com/spf13/cobra"
)

// checkFlags are those of check alone.
type checkFlags struct {
	evidenceFlags
	sourceFlags
	resolveFlags

	installed bool

	policy  string
	format  formatFlag
	verdict string
	sarif   string
	sbom    string
	quiet   bool
	verbose bool
}

func (p *program) checkCommand() *cobra.Command {
	var flags checkFlags
	cmd := &cobra.Command{
		Use:   "check [PATH…]",
		Short: "inventory, provenance and policy: pass or fail",
		Long: `Reads lockfiles and MCP client configurations below each PATH (a folder or a
file; the current folder by default), proves where each package was built,
compares that with the source that the policy or the catalogue expects, and
answers pass or fail.

With --installed the packages are those that lie in node_modules. What differs from
the lockfile beside it makes the answer unknown (3). The lockfile's hashes are taken
where name and version agree; the installed files are not compared with them.

Exit codes: 0 pass; 1 the policy says no; 2 wrong usage, or an invalid file that
steers us; 3 unknown: an input is unreadable, or evidence that the policy needs
could not be had; 4 a PATH holds nothing that is read. Where several apply, 2 wins
over 1 over 3 over 4 over 0.`,
		Example: `  countermark check
  countermark check --verdict verdict.json --sarif countermark.sarif path/to/project
  countermark check --offline --attestations attestations .`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.check(cmd.Context(), flags, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.policy, "policy", "", policyUsage)
	flags.evidenceFlags.add(f)
	flags.sourceFlags.add(f)
	flags.resolveFlags.add(f)
	f.BoolVar(&flags.installed, "installed", false, installedUsage)
	flags.format.add(f, "text", "json", "sarif")
	f.StringVar(&flags.verdict, "verdict", "", "write the verdict as JSON to `FILE`; - is standard output")
	f.StringVar(&flags.sarif, "sarif", "", "write the findings as SARIF 2.1.0 to `FILE`; - is standard output")
	f.StringVar(&flags.sbom, "sbom", "", "write the inventory as CycloneDX to `FILE`; - is standard output")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "show only what is wrong")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "show every finding and every check")
	return cmd
}

// outputs are the files that check writes beside its text.
func (f checkFlags) outputs() []string { return []string{f.verdict, f.sarif, f.sbom} }

func (p *program) check(ctx context.Context, flags checkFlags, args []string) error {
	paths := paths(args)
	toStdout := slices.DeleteFunc(flags.outputs(), func(name string) bool { return name != "-" })
	if err := flags.format.validate(); err != nil {
		return err
	}
	switch {
	case len(toStdout) > 1:
		return usageError("write all but one to files", "%d outputs cannot share standard output", len(toStdout))
	case len(toStdout) == 1 && flags.format.value != "text":
		return usageError("leave --format out", "--format %s and - cannot share standard output", flags.format.value)
	}
	if err := cmp.Or(flags.evidenceFlags.validate(), flags.resolveFlags.validate(flags.offline), flags.distinctOutputs(), noEmptyPaths(paths), onlyFolders(flags.installed, paths)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, flags.timeout)
	defer cancel()

	// The verdict is unknown until it is known: no crash leaves an old pass.
	if err := p.forgetVerdict(flags.verdict); err != nil {
		return err
	}
	verdict, inventory, err := p.judge(ctx, flags, args)
	if err != nil {
		return err
	}
	if err := p.writeOutputs(flags, policy.FromRepository(paths), verdict, inventory); err != nil {
		return err
	}
	return done(verdict.ExitCode)
}

// distinctOutputs refuses two outputs in one file.
func (f checkFlags) distinctOutputs() error {
	seen := map[string]bool{}
	for _, name := range f.outputs() {
		if !isFile(name) {
			continue
		}
		if abs, err := filepath.Abs(name); err == nil {
			name = abs
		}
		if seen[name] {
			return usageError("write each output to a file of its own", "two outputs go to one file")
		}
		seen[name] = true
	}
	return nil
}

func isFile(output string) bool { return output != "" && output != "-" }

func (p *program) forgetVerdict(name string) error {
	if !isFile(name) {
		return nil
	}
	at, _, err := p.instant()
	if err != nil {
		return err
	}
	pending := policy.Pending(at, policy.Tool{Name: report.Program, Version: p.version})
	return p.output(name, func(w io.Writer) error { return report.JSON(w, pending) })
}

// judge is the whole way: files → inventory → results → verdict.
func (p *program) judge(ctx context.Context, flags checkFlags, args []string) (*policy.Verdict, *sbom.Inventory, error) {
	now, _, err := p.instant()
	if err != nil {
		return nil, nil, err
	}
	paths := paths(args)
	pol, err := policy.Locate(flags.policy, paths)
	if err != nil {
		return nil, nil, err
	}
	resolver, err := p.resolver(flags.resolveFlags, flags.evidenceFlags, pol, paths)
	if err != nil {
		return nil, nil, err
	}
	project, err := p.readLocked(ctx, reading{
		args: args, sources: flags.sourceFlags, policy: pol,
		options: sbom.Options{Readers: readers(flags.installed), Resolve: resolver},
	})
	if err != nil {
		return nil, nil, err
	}
	ev, err := p.openEvidence(ctx, flags.evidenceFlags, pol, project)
	if err != nil {
		return nil, nil, err
	}
	known, err := catalog.Embedded()
	if err != nil {
		return nil, nil, err
	}
	advisories, err := advisory.Embedded()
	if err != nil {
		return nil, nil, err
	}
	p.warnStale(ev.material, now)

	subjects := provenance.Subjects(project.inventory)
	results, err := ev.run(ctx, subjects, flags.workers(), policy.Expect(pol.Policy, known), p.watch(len(subjects), flags.quiet))
	if err != nil {
		return nil, nil, err
	}
	verdict := policy.Evaluate(pol.Policy, policy.Facts{
		Inventory: project.inventory, Provenance: results, Catalog: known, Advisories: advisories, Locks: project.locks,
		ConfigIssues: ev.issues, Registries: ev.trusted, ProjectRegistries: ev.projects.Registries, Now: now, Offline: ev.offline, Commit: policy.Commit(paths[0]),
		Tool:  policy.Tool{Name: report.Program, Version: p.version},
		Trust: policy.TrustOf(ev.material, known, advisories),
	})
	p.judgeEmptyPaths(project, verdict)
	return verdict, project.inventory, nil
}

// judgeEmptyPaths names the PATHs that hold nothing.
func (p *program) judgeEmptyPaths(project *project, verdict *policy.Verdict) {
	for i, found := range project.found {
		if found {
			continue
		}
		p.message(nothing(project.paths[i]))
		verdict.LookedAtNothing()
	}
}

func (p *program) writeOutputs(flags checkFlags, base string, verdict *policy.Verdict, inventory *sbom.Inventory) error {
	timestamp, err := p.timestamp(false)
	if err != nil {
		return err
	}
	sarif := func(w io.Writer) error { return report.SARIF(w, report.Below(base, verdict), ruleDocs()) }
	asJSON := func(w io.Writer) error { return report.JSON(w, verdict) }
	shown := func(io.Writer) error { return p.show(flags, verdict, asJSON, sarif) }
	outputs := []struct {
		name  string
		write func(io.Writer) error
	}{
		{flags.sbom, func(w io.Writer) error {
			return sbom.WriteCycloneDX(w, inventory, sbom.Document{ToolVersion: p.version, Timestamp: timestamp})
		}},
		{flags.sarif, sarif},
		{"-", shown},
		{flags.verdict, asJSON}, // last: where it says pass, everything else is there
	}
	for _, o := range outputs {
		if o.name == "" {
			continue
		}
		if err := p.output(o.name, o.write); err != nil {
			return err
		}
	}
	return nil
}

// show writes the result in the format that was asked for. Text goes to standard
// error where another output has standard output.
func (p *program) show(flags checkFlags, verdict *policy.Verdict, asJSON, sarif func(io.Writer) error) error {
	options := report.TextOptions{Quiet: flags.quiet, Verbose: flags.verbose, Rules: ruleDocs()}
	switch {
	case flags.format.value == "json":
		return asJSON(p.stdout)
	case flags.format.value == "sarif":
		return sarif(p.stdout)
	case slices.Contains(flags.outputs(), "-"):
		return report.Text(report.NewPlain(p.stderr, report.Options{}), verdict, options)
	default:
		return report.Text(p.plainOut(), verdict, options)
	}
}

func ruleDocs() []report.RuleDoc {
	var out []report.RuleDoc
	for _, r := range policy.Rules() {
		out = append(out, report.RuleDoc{Name: r.Name, Summary: r.Summary, Help: r.Help})
	}
	return out
}
