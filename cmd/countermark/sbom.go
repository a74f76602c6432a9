package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"countermark/policy"
	"countermark/sbom"
	"countermark/sbom/mcp"
	"countermark/sbom/mcp/lock"
	"countermark/sbom/node"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const sbomLong = `Reads lockfiles and MCP client configurations below each PATH (a folder or a
file; the current folder by default) and writes them as one CycloneDX document.
The same input gives the same bytes on every machine. It reaches no network, but
with --resolve: then the npm registry is asked what each MCP server's launch gets
now, with everything that npx would install for it. That is written beside what
is configured, with the time; without it the document says that it is unknown.

With --omit, --exclude-dev or --only the document leaves packages out, as npm does
with these words; it says so itself, by a property and by incomplete compositions.
Only the lockfiles of npm and Bun tell which packages are there for a peer, so with
another one --omit peer is refused.

With --installed the packages are those that lie in node_modules (of npm, pnpm, yarn
or Bun; of yarn's Plug'n'Play what .pnp.data.json says), with the edges that Node.js
would follow. A lockfile beside it is compared: what is missing, there without being
in it, of another version or name, or linked elsewhere is told, and the exit code is
3. Packages that are not for this system, or of which the project was installed
without the whole kind (dev, peer), are none of these. A hash of the lockfile stands
at a package where name and version agree; the installed files are not compared with
it.

With --per-project every project and every member of a workspace gets a document of
its own in --output-dir, which holds just what that project depends on; other members
are in it where it depends on them, without what only their development needs. The
file is called after the project's folder, packages+web.cdx.json, and the one at the
top sbom.cdx.json, which the MCP configurations belong to. What nothing asks for is
in none of them, and documents of projects that are gone are left alone.

With --list-clients it shows the MCP clients that are known instead, and which of
their files are there, below each PATH and in the user's home.

Exit codes: 0 written in full; 2 wrong usage; 3 written, but an input could not
be read or resolved, which the document says too; 4 a PATH holds nothing that is read.`

// sbomFlags are those of sbom alone.
type sbomFlags struct {
	ownFlags
	sourceFlags
	resolveFlags
	evidenceFlags

	policy, output         string
	quiet, list, installed bool
	leaveOut               omitFlags
	projects               perProjectFlags
}

func (p *program) sbomCommand() *cobra.Command {
	var f sbomFlags
	cmd := &cobra.Command{
		Use:   "sbom [PATH…]",
		Short: "write what is there as a CycloneDX SBOM",
		Long:  sbomLong,
		Example: `  countermark sbom
  countermark sbom --output sbom.cdx.json path/to/project
  countermark sbom --installed path/to/project
  countermark sbom --per-project --output-dir sboms
  countermark sbom --user
  countermark sbom --list-clients`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.projects.validate(f.list, cmd.Flags().Changed("output")); err != nil {
				return err
			}
			if err := listsOnly(f.list, cmd.Flags()); err != nil {
				return err
			}
			return p.sbom(cmd.Context(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", policyUsage)
	addOutput(flags, &f.output)
	flags.StringVar(&f.format, "format", "json", "write as `FORMAT`: json or xml")
	f.ownFlags.add(flags)
	f.leaveOut.add(flags)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "do not show warnings")
	flags.BoolVar(&f.projects.each, "per-project", false, "write a document for every project and workspace member, into --output-dir")
	flags.StringVar(&f.projects.dir, "output-dir", "", "with --per-project: the folder `DIR` for the documents")
	flags.BoolVar(&f.installed, "installed", false, installedUsage)
	flags.BoolVar(&f.list, "list-clients", false, "show the MCP clients that are known, and which of their files were found")
	f.sourceFlags.add(flags)
	f.resolveFlags.add(flags)
	f.addRegistry(flags)
	cmd.AddCommand(p.sbomConvertCommand(), p.sbomMergeCommand(), p.sbomDiffCommand(), p.sbomScoreCommand())
	return cmd
}

// listsOnly refuses with --list-clients, which writes no document, what would be for
// one.
func listsOnly(list bool, flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "list-clients", "home", "user", "client", "policy", "quiet", "timeout":
			return
		}
		if list && err == nil {
			err = usageError("leave one of them out", "--list-clients and --%s contradict each other", f.Name)
		}
	})
	return err
}

func (p *program) sbom(ctx context.Context, f sbomFlags, args []string) error {
	doc, err := f.document(p)
	if err != nil {
		return err
	}
	kinds, err := f.leaveOut.kinds()
	if err != nil {
		return err
	}
	f.user = f.user || f.list && f.home == ""
	var each []projectInventory
	project, err := p.inventory(ctx, f, args, &each)
	if err != nil {
		return err
	}
	if f.list {
		if err := p.listClients(project); err != nil {
			return err
		}
		return p.reportInputs(project, f.quiet)
	}
	if f.projects.each {
		if err := p.writeProjects(f.projects.dir, each, kinds, doc); err != nil {
			return err
		}
		return cmp.Or(p.reportInputs(project, f.quiet), noProjects(each))
	}
	if err := project.inventory.Omit(kinds...); err != nil {
		return err
	}
	if err := p.writeInventory(f.output, project.inventory, doc); err != nil {
		return err
	}
	return p.reportInputs(project, f.quiet)
}

// inventory reads what the flags ask for, and adds the inventories of projects to
// each, where these are asked for.
func (p *program) inventory(ctx context.Context, f sbomFlags, args []string, each *[]projectInventory) (*project, error) {
	paths := paths(args)
	if err := cmp.Or(noEmptyPaths(paths), f.evidenceFlags.validate(), f.resolveFlags.validate(false), onlyFolders(f.installed, paths)); err != nil {
		return nil, err
	}
	pol, err := policy.Locate(f.policy, paths)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	resolver, err := p.resolver(f.resolveFlags, f.evidenceFlags, pol, paths)
	if err != nil {
		return nil, err
	}
	options := sbom.Options{Readers: readers(f.installed), Resolve: resolver}
	if f.projects.each {
		options.Each = func(folder string, inv *sbom.Inventory) { *each = append(*each, projectInventory{folder, inv}) }
	}
	return p.read(ctx, reading{args: args, sources: f.sourceFlags, policy: pol, options: options})
}

// writeInventory writes a document whole, or not at all.
func (p *program) writeInventory(name string, inv *sbom.Inventory, doc sbom.Document) error {
	return p.output(name, func(w io.Writer) error { return sbom.WriteCycloneDX(w, inv, doc) })
}

// omitFlags leave packages out, in npm's words. Only sbom has them: what check leaves
// out would still be installed, and run, where software is built. A policy's rules
// can be restricted to production instead.
type omitFlags struct {
	omit       []string
	excludeDev bool
	only       string
}

func (o *omitFlags) add(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.omit, "omit", nil, "leave out packages of a `KIND`: dev, optional or peer; may be given several times")
	flags.BoolVar(&o.excludeDev, "exclude-dev", false, "the same as --omit dev")
	flags.StringVar(&o.only, "only", "", "`KIND` prod or production: the same as --omit dev")
}

func (o *omitFlags) kinds() ([]string, error) {
	kinds := slices.Clone(o.omit)
	for _, kind := range kinds {
		switch kind {
		case sbom.OmitDev, sbom.OmitOptional, sbom.OmitPeer:
		default:
			return nil, usageError("use one of them", "--omit is %q: expected dev, optional or peer", kind)
		}
	}
	switch o.only {
	case "", "prod", "production":
	default:
		return nil, usageError("use one of them", "--only is %q: expected prod or production", o.only)
	}
	if o.excludeDev || o.only != "" {
		kinds = append(kinds, sbom.OmitDev)
	}
	return kinds, nil
}

// ownFlags say how a document of ours is written.
type ownFlags struct {
	version, format        string
	timestamp              bool
	authors                []string
	manufacturer, supplier string
}

func (o *ownFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.version, "spec-version", sbom.DefaultSpecVersion, "CycloneDX `VERSION`: 1.4, 1.5, 1.6 or 1.7")
	flags.BoolVar(&o.timestamp, "timestamp", false, "write the time into the document (SOURCE_DATE_EPOCH does so too)")
	flags.StringArrayVar(&o.authors, "author", nil, "who has the document made, as `NAME` or 'NAME <EMAIL>'; may be given several times")
	flags.StringVar(&o.manufacturer, "manufacturer", "", "the organisation that makes the document, as `NAME` or 'NAME <EMAIL or URL>' (CycloneDX 1.6)")
	flags.StringVar(&o.supplier, "supplier", "", "who supplies the project, as `NAME` or 'NAME <EMAIL or URL>'")
}

func (o *ownFlags) document(p *program) (sbom.Document, error) {
	doc := sbom.Document{SpecVersion: o.version, Format: o.format, ToolVersion: p.version}
	if err := doc.Validate(); err != nil {
		return doc, usageError("run `countermark sbom --help`", "%v", err)
	}
	var err error
	if doc.Timestamp, err = p.timestamp(o.timestamp); err != nil {
		return doc, err
	}
	for _, a := range o.authors {
		c, err := contact("author", a)
		if err != nil {
			return doc, err
		}
		if c.URL != "" {
			return doc, usageError("give an email address", "--author is %q: a person has no URL there", a)
		}
		doc.Authors = append(doc.Authors, c)
	}
	for _, f := range []struct {
		name, value string
		into        **sbom.Contact
	}{{"manufacturer", o.manufacturer, &doc.Manufacturer}, {"supplier", o.supplier, &doc.Supplier}} {
		if f.value == "" {
			continue
		}
		c, err := contact(f.name, f.value)
		if err != nil {
			return doc, err
		}
		*f.into = &c
	}
	return doc, nil
}

// contact reads who a flag names.
func contact(flag, value string) (sbom.Contact, error) {
	c, err := sbom.ParseContact(value)
	if err != nil {
		return c, usageError("write it as 'NAME' or 'NAME <ADDRESS>'", "--%s is %q: %v", flag, value, err)
	}
	return c, nil
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
	prefixes  []string    // for each path, what the inventory puts before the names below it
	found     []bool      // for each path, whether it holds anything that we read
	outside   []string    // what the inventory puts before the names of files that are below no path
	places    sbom.Places // where all of it is on this machine

	locks []*lock.Lock // only where they were asked for
	named []string     // locks of which only some configurations were read, by path
}

// launchReaders read the servers of a project, and the lockfiles that they join.
func launchReaders() []sbom.Reader { return []sbom.Reader{node.Reader{}, mcp.Reader{}} }

// readers read everything that a project's files can tell, and with installed what
// is installed for it.
func readers(installed bool) []sbom.Reader {
	return []sbom.Reader{node.Reader{Installed: installed}, mcp.Reader{}, mcp.Scripts{}, mcp.Installed{}, sbom.DocumentReader{}}
}

const installedUsage = "read what is installed (node_modules), and compare it with the lockfile, whose hashes are taken where both agree"

// onlyFolders refuses what cannot be combined with --installed: a file has nothing
// installed beside it that was named, and a node_modules nobody who asks for it.
func onlyFolders(installed bool, paths []string) error {
	if !installed {
		return nil
	}
	for _, name := range paths {
		info, err := os.Stat(name)
		switch {
		case err != nil: // told by who opens it
		case !info.IsDir():
			return usageError("name the folder of the project", "%s: --installed reads folders, and this is a file", name)
		case filepath.Base(filepath.Clean(name)) == node.NodeModules:
			return usageError("name the folder that holds it", "%s: --installed needs the project that the packages are installed for", name)
		}
	}
	return nil
}

// reading is what is to be read, and how.
type reading struct {
	args    []string // the PATHs that the user named, if any
	sources sourceFlags
	policy  policy.Located
	options sbom.Options
	besides func([]sbom.Tree) []sbom.Tree // trees beside those that are found; nil: none
}

// read reads what is below the paths.
func (p *program) read(ctx context.Context, r reading) (*project, error) {
	here, err := p.here()
	if err != nil {
		return nil, err
	}
	paths := paths(r.args)
	trees, closeAll, err := sbom.Open(here, paths)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	if err := r.sources.force(trees, paths); err != nil {
		return nil, err
	}
	users, closeUsers, err := p.userTrees(r.sources)
	if err != nil {
		return nil, err
	}
	defer closeUsers()
	if err := apart(trees, users, paths); err != nil {
		return nil, err
	}
	n := len(trees)
	if len(r.args) == 0 && r.sources.users() && p.atHome(here, r.sources) {
		trees[0].Files = []string{} // the home is not a project
	}
	trees = append(trees, users...)
	all := trees
	if r.besides != nil {
		all = slices.Concat(trees, r.besides(trees))
	}
	r.options.Exclude = r.policy.Excludes
	inv, found, err := sbom.Scan(ctx, all, r.options)
	if err != nil {
		return nil, err
	}
	pr := &project{inventory: inv, paths: paths, found: found[:n]}
	for i, t := range trees {
		pr.places = append(pr.places, sbom.Place{Prefix: t.Prefix, Dir: t.Dir})
		if i < n {
			pr.prefixes = append(pr.prefixes, t.Prefix)
			continue
		}
		pr.outside = append(pr.outside, t.Prefix)
		if len(r.args) == 0 {
			pr.found[0] = pr.found[0] || found[i] // nobody named the current folder
		}
	}
	return pr, nil
}

// inputs are the paths of everything that was recognised below the paths.
func (pr *project) inputs() []string {
	if pr.inventory == nil {
		return nil
	}
	var out []string
	for _, in := range pr.inventory.Inputs {
		if !slices.ContainsFunc(pr.outside, func(prefix string) bool { return strings.HasPrefix(in.Path, prefix) }) {
			out = append(out, in.Path)
		}
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
		hints:   []string{"expected a lockfile of npm, pnpm, yarn or Bun, an MCP client configuration such as .mcp.json, or a CycloneDX document"},
	}
}
