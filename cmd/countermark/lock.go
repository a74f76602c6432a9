package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"countermark/policy"
	"countermark/policy/catalog"
	"countermark/policy/report"
	"countermark/provenance"
	"countermark/provenance/selection"
	"countermark/sbom"
	"countermark/sbom/mcp/lock"

	"github.com/spf13/cobra"
)

// lockFlags are those of lock alone.
type lockFlags struct {
	evidenceFlags
	sourceFlags

	policy    string
	check     bool
	write     bool
	vendor    bool
	dryRun    bool
	approveAs string
	servers   []string
	quiet     bool
}

func (p *program) lockCommand() *cobra.Command {
	var flags lockFlags
	cmd := &cobra.Command{
		Use:   "lock [PATH…]",
		Short: "keep what MCP configurations would launch, and find what has changed",
		Long: `Writes mcp.lock.json beside the MCP client configurations below each PATH: what
every server would launch, the version or digest that this selects today, the
source that the policy or the catalogue expects, whether it is attested, and who
approved it. The same facts give the same bytes.

With --check nothing is written: it says what differs from the lock. Does a server
name something else, has a tag another digest, is something not attested any more,
is there a server that nobody locked? The same is found by check, as the rule
launch-drift, as far as configurations, attestations and exact versions tell it;
what a floating version or tag selects is asked for here only: of npm's registry, of
a container registry, of the index of Python packages that --pypi-index or uv's own
variables name, of the module proxies that GOPROXY names, or of the very repository that
a launch names, over https and without git. What comes with a Python package, a Go
module or a repository is not resolved.

With --write the configurations themselves are pinned to what the lock then holds:
an exact version in the place of a range or tag, a digest behind the name of an
image, the commit in the place of a branch or behind the URL of a repository.
Everything else in them stays byte for byte, comments and layout too. What cannot be
pinned safely is named, and left as it is; --dry-run shows what would be written, and
writes nothing.

With --vendor, packages that npx, npm exec, bunx, pnpm dlx or yarn dlx would fetch get
a folder in the project instead, .mcp/NAME: a package.json and a package-lock.json that
holds exactly what was resolved, as npm writes them. The configuration then starts
the program by node from there, with the same arguments, and what was checked is
what starts, once npm ci --ignore-scripts has filled the folder. Everything else is
pinned as by --write alone. What has no such folder is named, and left as it is: what
more than npm's registry knows of, a script or several packages at once, and servers
of clients that start them in the folder of no project. No file of anybody else is
replaced.

A lock only makes answers stricter. It vouches for no source, and an approval in it
is for people to read: whoever can change a configuration can change the lock in
the same commit. Have changes of mcp.lock.json reviewed. It holds no argument and no
value of a header or variable, only a digest over what is no credential of them.

Exit codes: 0 written in full, or no drift; 1 something drifted; 2 wrong usage, or
an invalid file that steers us; 3 unknown: an input or lock is unreadable, or what a
server launches could not be found out, is not in the lock or, with --write, was not
pinned; 4 a PATH holds nothing that is read.`,
		Example: `  countermark lock --approve-as "Ann Example"
  countermark lock --approve-as "Ann Example" --server github
  countermark lock --check
  countermark lock --check --user
  countermark lock --write --dry-run
  countermark lock --write
  countermark lock --write --vendor`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.lock(cmd.Context(), flags, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.policy, "policy", "", policyUsage)
	f.BoolVar(&flags.check, "check", false, "write nothing, and say what differs from the lock")
	f.BoolVar(&flags.write, "write", false, "pin the configurations themselves to what they select today")
	f.BoolVar(&flags.vendor, "vendor", false, "with --write: keep what npm servers install in a folder of the project, "+lock.VendorRoot+"/NAME, and start them from there by node")
	f.BoolVar(&flags.dryRun, "dry-run", false, "with --write: show what would change in the configurations, and write nothing")
	f.StringVar(&flags.approveAs, "approve-as", "", "record that `NAME` approves the servers")
	f.StringArrayVar(&flags.servers, "server", nil, "approve only the server `NAME`, or FILE#NAME; may be given several times")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "show only what is wrong")
	flags.evidenceFlags.add(f)
	flags.sourceFlags.add(f)
	return cmd
}

// maxApprover is how long the name of who approves may be, in bytes.
const maxApprover = 200

func (f *lockFlags) validate() error {
	control := strings.ContainsFunc(f.approveAs, func(r rune) bool { return !unicode.IsPrint(r) })
	switch {
	case f.check && f.approveAs != "":
		return usageError("leave one of them out", "--check writes nothing, so nothing can be approved with it")
	case f.check && f.write:
		return usageError("leave one of them out", "--check writes nothing, and --write does")
	case f.vendor && !f.write:
		return usageError("give --write as well", "--vendor is a way of pinning the configurations")
	case f.dryRun && !f.write:
		return usageError("give --write as well", "--dry-run shows what --write would do")
	case f.dryRun && f.approveAs != "":
		return usageError("leave one of them out", "--dry-run writes nothing, so nothing can be approved with it")
	case len(f.servers) > 0 && f.approveAs == "":
		return usageError("say who approves them with --approve-as", "--server chooses what is approved")
	case control || len(f.approveAs) > maxApprover || f.approveAs != strings.TrimSpace(f.approveAs):
		return usageError("give a name", "--approve-as is no name of at most %d printable bytes", maxApprover)
	}
	return f.evidenceFlags.validate()
}

func (p *program) lock(ctx context.Context, flags lockFlags, args []string) error {
	if err := errors.Join(flags.validate(), noEmptyPaths(paths(args))); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, flags.timeout)
	defer cancel()
	pol, err := policy.Locate(flags.policy, paths(args))
	if err != nil {
		return err
	}
	run := lockRun{program: p, flags: flags, args: args, policy: pol}
	if err := run.read(ctx); err != nil {
		return err
	}
	if flags.check {
		return run.end(p.checkLocks(run.project, run.selection, run.today))
	}
	if !flags.write {
		return run.end(p.writeLocks(flags, run.project, run.selection, run.today))
	}
	run.today = p.carryOver(run.project, run.today)
	written, left := p.pinConfigurations(ctx, flags, run.project, run.selection, run.today)
	if e, ok := errors.AsType[*exitError](left); left != nil && (!ok || e.code != exitUnknown) || flags.dryRun {
		return run.end(left)
	}
	if len(written) > 0 {
		before := run.today
		if err := run.read(ctx); err != nil {
			return err
		}
		// What was found out before is what today's take facts over from. Approvals are
		// those of the lock that was read: a pin changes what was approved.
		run.project.locks = lock.Replace(run.project.locks, before)
		left = worse(left, run.joined(written))
	}
	return worse(run.end(p.writeLocks(flags, run.project, run.selection, run.today)), left)
}

// lockRun is what one run of lock has read.
type lockRun struct {
	*program
	flags     lockFlags
	args      []string
	policy    policy.Located
	project   *project
	selection *selection.Selection
	today     []*lock.Lock
}

// read reads the configurations, and finds out what they select.
func (r *lockRun) read(ctx context.Context) error {
	var err error
	if r.project, err = r.readLocked(ctx, reading{
		args: r.args, sources: r.flags.sourceFlags, policy: r.policy, options: sbom.Options{Readers: launchReaders()},
	}); err != nil {
		return err
	}
	known, err := catalog.Embedded()
	if err != nil {
		return err
	}
	ev, err := r.openEvidence(ctx, r.flags.evidenceFlags, r.policy, r.project)
	if err != nil {
		return err
	}
	prove := func(ctx context.Context, subjects []provenance.Subject) (selection.Facts, error) {
		results, err := ev.run(ctx, subjects, r.flags.workers(), policy.Expect(r.policy.Policy, known), r.watch(0, r.flags.quiet))
		return policy.LockFacts(results), err
	}
	asking := selection.Asking{
		Inventory: r.project.inventory, NPM: ev.npm, Python: ev.python, Images: ev.images, Git: ev.git, Modules: ev.modules,
		Offline: ev.offline, Tarballs: ev.tarballs, Prove: prove,
	}
	if r.selection, err = asking.Find(ctx); err != nil {
		return err
	}
	r.today = lock.Make(r.project.inventory, r.selection.Known)
	return nil
}

// end says what was wrong with the inputs, which is said in any case, and ends with
// the code that wins.
func (r *lockRun) end(err error) error {
	inputs := r.reportInputs(r.project, r.flags.quiet)
	return worse(err, inputs)
}

// worse returns the error whose exit code wins: usage, which every error without a
// code is, over fail over unknown over nothing over pass.
func worse(a, b error) error {
	rank := func(err error) int {
		e, ok := errors.AsType[*exitError](err)
		if !ok {
			return 5
		}
		return slices.Index([]int{exitNothing, exitUnknown, exitFail, exitUsage}, e.code) + 1
	}
	switch {
	case a == nil:
		return b
	case b == nil || rank(a) >= rank(b):
		return a
	default:
		return b
	}
}

// checkLocks says what differs from the locks.
func (p *program) checkLocks(project *project, s *selection.Selection, today []*lock.Lock) error {
	c := lock.Compare(project.locks, today, project.inventory)
	out := p.plainOut()
	drifted := false
	for _, file := range c.Unlocked {
		drifted = true
		out.Printf("%s: no %s is about it\n  fix  look at its servers, then run: countermark lock --approve-as NAME\n", file, lock.FileName)
	}
	for _, d := range c.Drifts {
		if project.partly(d) {
			continue
		}
		drifted = drifted || d.Change != lock.ServerRemoved
		p.showDrift(out, d)
	}
	for _, g := range c.Gaps {
		what := g.Subject + ": the lock has its " + g.What + ", which could not be found out today"
		p.message(&exitError{message: where(g.Server) + what, hints: []string{s.Hint(g.Server, g.Subject)}})
	}
	servers := count(len(project.inventory.Servers()), "server")
	// What the lock does not say may be another today, and nobody can tell.
	unlocked := p.incomplete(project, s, project.locks, today, true)
	switch {
	case drifted:
		return worse(out.Err(), done(exitFail))
	case len(c.Gaps) > 0, unlocked != nil:
		return worse(out.Err(), done(exitUnknown))
	case project.unreadableLock():
		return out.Err() // nobody knows what it says, which the problem of the input tells
	default:
		out.Printf("%s as locked\n", servers)
		return out.Err()
	}
}

// unreadableLock reports whether a lock is there and cannot be read.
func (pr *project) unreadableLock() bool {
	return slices.ContainsFunc(pr.inventory.Inputs, func(in *sbom.Input) bool { return path.Base(in.Path) == lock.FileName && in.Broken() })
}

// partly reports whether a drift is only that the configuration was not among the
// files that the user named.
func (pr *project) partly(d lock.Drift) bool {
	return d.Change == lock.ServerRemoved && slices.Contains(pr.named, d.Lock.Path) &&
		!slices.ContainsFunc(pr.inventory.Inputs, func(in *sbom.Input) bool { return in.Path == d.File })
}

func (p *program) showDrift(out *report.Plain, d lock.Drift) {
	at := where(d.Server)
	if d.Server == nil {
		at = place(d.Lock.Path, d.Lock.Line(path.Base(d.File), d.Name), 0)
	}
	out.Printf("%s%s\n", at, policy.DriftMessage(d))
	if d.Was != "" {
		out.Printf("  was  %s\n", d.Was)
	}
	if d.Is != "" {
		out.Printf("  is   %s\n", d.Is)
	}
	out.Printf("  fix  %s\n", policy.DriftFix(d.Change))
}

// where is the beginning of a message about a server.
func where(c *sbom.Component) string {
	if c == nil {
		return ""
	}
	return place(c.Server.File, c.Server.Line, c.Server.Column)
}

// writeLocks writes every lock that differs from what is there.
func (p *program) writeLocks(flags lockFlags, project *project, s *selection.Selection, today []*lock.Lock) error {
	at, _, err := p.instant()
	if err != nil {
		return err
	}
	today = p.carryOver(project, today)
	if err := flags.approve(today, at); err != nil {
		return err
	}
	out := p.plainOut()
	for _, now := range today {
		if err := p.writeLock(out, project, now); err != nil {
			return err
		}
	}
	if err := out.Err(); err != nil {
		return err
	}
	return p.incomplete(project, s, today, today, flags.quiet)
}

// carryOver adds to the locks of today what those that were read know and they do
// not, and says whose approval ended.
func (p *program) carryOver(project *project, today []*lock.Lock) []*lock.Lock {
	all, ended := lock.CarryOver(project.locks, today, project.inventory, project.named)
	for _, e := range ended {
		p.warn("review it, then approve it again (--approve-as NAME)", "%s: server %s has changed, so that its approval ended", e.Lock.Path, e.Server)
	}
	return all
}

// approve records who approves, and refuses to approve what is not there.
func (f *lockFlags) approve(today []*lock.Lock, at time.Time) error {
	if f.approveAs == "" {
		return nil
	}
	a := lock.Approval{By: f.approveAs, At: at.UTC().Format(time.RFC3339)}
	if unknown := lock.Approve(today, a, f.servers); len(unknown) > 0 {
		return usageError("run `countermark sbom --list-clients` to see what is found", "--server %s: no such server is configured", unknown[0])
	}
	return nil
}

func (p *program) writeLock(out *report.Plain, project *project, now *lock.Lock) error {
	if lock.Unreadable(project.inventory, now.Path) {
		return nil // reportInputs says why; what nobody can read is not overwritten
	}
	var buf bytes.Buffer
	if err := now.Write(&buf); err != nil {
		return err
	}
	name, err := project.places.File(now.Path)
	if err != nil {
		return err
	}
	n := 0
	for _, c := range now.Configurations {
		n += len(c.Servers)
	}
	if have, err := os.ReadFile(name); err == nil && bytes.Equal(have, buf.Bytes()) {
		out.Printf("%s: %s, nothing has changed\n", now.Path, count(n, "server"))
		return nil
	}
	if err := p.output(name, func(w io.Writer) error { _, err := w.Write(buf.Bytes()); return err }); err != nil {
		return err
	}
	out.Printf("%s: %s, written\n", now.Path, count(n, "server"))
	return nil
}

// incomplete says what the locks do not hold. What today's do hold only has to be
// written.
func (p *program) incomplete(project *project, s *selection.Selection, locks, today []*lock.Lock, quiet bool) error {
	missing := false
	for _, m := range lock.Silences(project.inventory, locks, today, s.Incomplete) {
		if m.Dependencies && !quiet {
			p.warn("", "%sserver %s: what comes with %s is not known: the dependencies of Python packages are not resolved by this version", where(m.Server), m.Server.Server.Name, m.Spec)
		}
		if len(m.What) == 0 {
			continue
		}
		missing = true
		hint := s.Hint(m.Server, m.Spec)
		if m.Known {
			hint = "write the lock again (countermark lock)"
		}
		p.message(&exitError{
			message: fmt.Sprintf("%sserver %s: the lock does not say the %s of %s", where(m.Server), m.Server.Server.Name, strings.Join(m.What, " and "), m.Spec),
			hints:   []string{hint},
		})
	}
	if missing {
		return done(exitUnknown)
	}
	return nil
}
