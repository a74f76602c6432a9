// Recheck compares the catalogue with the npm registry, for maintainers:
//
//	go run ./policy/catalog/recheck [flags] [NAME…]
//
// For each npm package of the catalogue (or each that is named) it asks which
// repository the metadata of the latest version names, and, where that version is
// attested, verifies it against the entry, ids and workflow included. Of a package
// that its vendor has not published it asks whether somebody has by now. It prints
// one line an entry: agrees, differs, or not checked with the reason, which is also
// the line of what has no place in an npm registry. With --stamp the day is written
// into the files of the catalogue, into the entries that agree and no others.
//
// It asks a few packages at a time (--jobs), and nobody any more once the registry
// says that it is too many. Registry and credentials are npm's own: the user's
// .npmrc, the environment, --registry.
//
// It exits 0 when all that could be asked agree, 1 when one differs, 2 when it was
// called wrongly, 3 when one could not be asked.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag" //nolint:depguard // a command of its own
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"countermark/policy/catalog"
	"countermark/provenance"
	"countermark/provenance/fetch"
	"countermark/provenance/npm"
	"countermark/provenance/trust"
)

// The exit codes.
const (
	exitAgree   = 0
	exitDiffer  = 1
	exitUsage   = 2
	exitUnasked = 3
)

const (
	defaultJobs = 2
	maxJobs     = 8 // more would be no way to treat a registry
)

func main() {
	home, _ := os.UserHomeDir()                                                              // without one there is no .npmrc
	code := run(context.Background(), os.Args[1:], os.Environ(), home, os.Stdout, os.Stderr) //nolint:forbidigo // a command of its own
	os.Exit(code)                                                                            //nolint:forbidigo // a command of its own
}

// options are the flags.
type options struct {
	registry string
	jobs     int
	stamp    string
	day      string
	names    []string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("recheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.registry, "registry", "", "ask the registry at `URL`")
	flags.IntVar(&o.jobs, "jobs", defaultJobs, "ask so many packages at a time, 1 to 8")
	flags.StringVar(&o.stamp, "stamp", "", "write --day into the catalogue in `DIR`, where the registry agrees")
	flags.StringVar(&o.day, "day", "", "today, for --stamp, as 2006-01-02")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	o.names = flags.Args()
	if o.jobs < 1 || o.jobs > maxJobs {
		return options{}, fmt.Errorf("--jobs %d: from 1 to %d", o.jobs, maxJobs)
	}
	if (o.stamp == "") != (o.day == "") {
		return options{}, errors.New("--stamp and --day go together")
	}
	if _, err := time.Parse(time.DateOnly, o.day); o.day != "" && err != nil {
		return options{}, fmt.Errorf("--day %q is no date: write 2006-01-02", o.day)
	}
	return o, nil
}

func run(ctx context.Context, args, environ []string, home string, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		_, _ = fmt.Fprintln(stderr, err) // nobody is left to tell
		return exitUsage
	}
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitAgree
	}
	if err != nil {
		return fail(err)
	}
	known, err := catalog.Embedded()
	if err != nil {
		return fail(err)
	}
	entries, err := named(slices.Concat(slices.Collect(known.All()), slices.Collect(known.Packages())), o.names)
	if err != nil {
		return fail(err)
	}
	config, err := configuration(environ, home, o.registry)
	if err != nil {
		return fail(err)
	}
	material, err := trust.Embedded()
	if err != nil {
		return fail(err)
	}
	c, err := newChecker(config, material)
	if err != nil {
		return fail(err)
	}
	answers := c.all(ctx, entries, o.jobs)
	code, err := report(stdout, answers)
	if err != nil {
		return fail(err)
	}
	if o.stamp != "" {
		if err := stampFiles(o.stamp, o.day, answers); err != nil {
			return fail(err)
		}
	}
	return code
}

// named returns the entries of these packages, or all.
func named(all []catalog.Entry, names []string) ([]catalog.Entry, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []catalog.Entry
	for _, name := range names {
		i := slices.IndexFunc(all, func(e catalog.Entry) bool { return e.Package == name })
		if i < 0 {
			return nil, fmt.Errorf("the catalogue has no package %q", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// configuration is npm's of this user.
func configuration(environ []string, home, registry string) (*npm.Config, error) {
	sources := npm.Sources{Environ: environ, Registry: registry, Home: home}
	if path := npm.UserConfig(environ, home, nil); path != "" {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if sources.User, err = npm.ParseNpmrc(path, bytes.NewReader(data)); err != nil {
			return nil, err
		}
	}
	return npm.NewConfig(sources)
}

// newChecker asks registries as the configuration says, and believes the material.
func newChecker(config *npm.Config, material *trust.Material) (*checker, error) {
	verifier, err := provenance.NewVerifier(material)
	if err != nil {
		return nil, err
	}
	transport, err := config.Transport(os.ReadFile)
	if err != nil {
		return nil, err
	}
	return &checker{
		config:       config,
		http:         &http.Client{Transport: transport, Timeout: fetch.DefaultTimeout, CheckRedirect: stay},
		attestations: &npm.Client{Config: config, Transport: transport, Version: "recheck"},
		verifier:     verifier,
	}, nil
}

// stay follows no redirect, so that no credential can.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// report prints the answers, and returns the exit code that they deserve.
func report(w io.Writer, answers []answer) (int, error) {
	var out bytes.Buffer
	count := map[outcome]int{}
	for _, a := range answers {
		count[a.outcome]++
		fmt.Fprintf(&out, "%-11s  %s: %s\n", a.outcome, spec(a.entry), a.detail)
	}
	fmt.Fprintf(&out, "%d agree, %d differ, %d could not be asked, %d are not for an npm registry\n",
		count[agrees], count[differs], count[unasked], count[elsewhere])
	code := exitAgree
	switch {
	case count[differs] > 0:
		code = exitDiffer
	case count[unasked] > 0:
		code = exitUnasked
	}
	_, err := w.Write(out.Bytes())
	return code, err
}

func spec(e catalog.Entry) string {
	if e.Package == "" {
		return e.Name
	}
	return string(e.Ecosystem) + ":" + e.Package
}

// stampFiles writes the day into the catalogue in dir.
func stampFiles(dir, day string, answers []answer) error {
	agreed := map[string]bool{}
	for _, a := range answers {
		agreed[a.entry.Package] = a.outcome == agrees && a.entry.Published()
	}
	for name, stamp := range map[string]func(data []byte, day string, agreed map[string]bool) []byte{
		"packages.tsv": stampPackages, "servers.yaml": stampServers,
	} {
		name = filepath.Join(dir, name)
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, stamp(data, day, agreed), 0o644); err != nil {
			return err
		}
	}
	return nil
}
