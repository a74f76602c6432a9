package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"countermark/policy/report"
	"countermark/provenance"
	"countermark/sbom"

	"github.com/spf13/pflag"
)

// formatFlag is how a command writes its result.
type formatFlag struct {
	value string
	known []string
}

// add adds --format with the formats that the command knows; the first of them is
// taken where nobody gives one.
func (f *formatFlag) add(flags *pflag.FlagSet, known ...string) {
	f.known = known
	flags.StringVar(&f.value, "format", known[0], "write as `FORMAT`: "+alternatives(known))
}

func (f *formatFlag) validate() error {
	if slices.Contains(f.known, f.value) {
		return nil
	}
	return usageError("use one of them", "--format is %q: expected %s", f.value, alternatives(f.known))
}

// alternatives are some words as people list them: text, json or markdown.
func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func addOutput(flags *pflag.FlagSet, into *string) {
	flags.StringVarP(into, "output", "o", "-", "write to `FILE`; - is standard output")
}

func addTimeout(flags *pflag.FlagSet, into *time.Duration, otherwise time.Duration) {
	flags.DurationVar(into, "timeout", otherwise, "give up after `DURATION`")
}

const policyUsage = "policy `FILE` (default: countermark.yaml in PATH's folder, or in the nearest parent up to the git root)"

const (
	registryUsage  = "npm registry `URL`, instead of the default one of .npmrc; as in npm, a scope's own registry stays"
	noCacheUsage   = "neither keep registry answers nor use kept ones"
	defaultTimeout = 5 * time.Minute
)

// evidenceFlags say what proofs are made of. They mean the same in every command
// that has them.
type evidenceFlags struct {
	offline      bool
	registry     string
	pypiIndex    string
	attestations []string
	trust        trustFlags
	jobs         jobs
	timeout      time.Duration
	noCache      bool
	tarballs     bool
}

func (f *evidenceFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.offline, "offline", false, "ask no registry")
	flags.StringVar(&f.registry, "registry", "", registryUsage)
	flags.StringVar(&f.pypiIndex, "pypi-index", "", "index `URL` of Python packages, https://host/simple/ (default: UV_DEFAULT_INDEX, UV_INDEX_URL or PIP_INDEX_URL; without one none is asked)")
	flags.StringArrayVar(&f.attestations, "attestations", nil, "local attestations in `PATH`: a bundle, JSONL, an npm answer, a provenance object of PEP 740, or a folder of these; may be given several times")
	f.trust.add(flags)
	flags.BoolVar(&f.noCache, "no-cache", false, noCacheUsage)
	flags.BoolVar(&f.tarballs, "fetch-tarballs", false, "fetch the tarballs of npm packages too, compare their bytes with every digest that is named, and list what lies inside of those that bundle others")
	flags.Var(&f.jobs, "jobs", fmt.Sprintf("verify `N` packages at once, 1 to %d (default: as many as the processors allow)", maxJobs))
	addTimeout(flags, &f.timeout, defaultTimeout)
}

// addRegistry adds those flags alone that say how npm's registry is asked.
func (f *evidenceFlags) addRegistry(flags *pflag.FlagSet) {
	flags.StringVar(&f.registry, "registry", "", registryUsage)
	f.trust.addCache(flags)
	flags.BoolVar(&f.noCache, "no-cache", false, noCacheUsage)
	addTimeout(flags, &f.timeout, defaultTimeout)
}

// evidence is where the user says that attestations are.
func (f *evidenceFlags) evidence() []provenance.EvidencePath {
	var out []provenance.EvidencePath
	for _, path := range f.attestations {
		out = append(out, provenance.EvidencePath{Path: path})
	}
	return out
}

// validate refuses values that mean nothing.
func (f *evidenceFlags) validate() error {
	if f.tarballs && f.offline {
		return usageError("leave one of them out", "--fetch-tarballs and --offline contradict each other")
	}
	if f.noCache && f.trust.cacheDir != "" {
		return usageError("leave one of them out", "--no-cache and --cache-dir contradict each other")
	}
	return cmp.Or(checkTimeout(f.timeout), f.trust.validate())
}

// maxTimeout is longer than any run takes, and shorter than a slip of the hand
// that would let one hang for ever.
const maxTimeout = 24 * time.Hour

func checkTimeout(d time.Duration) error {
	if d <= 0 || d > maxTimeout {
		return usageError("give a time such as 90s, up to 24h", "--timeout is %s", d)
	}
	return nil
}

// maxJobs bounds how many packages are verified at once. Each needs a bundle's
// memory, and no registry is asked by more connections than a few dozen.
const maxJobs = 1024

// jobs is the number that --jobs gives; 0 where it is not given.
type jobs int

// Set implements pflag.Value.
func (j *jobs) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxJobs {
		return fmt.Errorf("expected a number from 1 to %d", maxJobs)
	}
	*j = jobs(n)
	return nil
}

// String implements pflag.Value.
func (j *jobs) String() string {
	if *j == 0 {
		return ""
	}
	return strconv.Itoa(int(*j))
}

// Type implements pflag.Value.
func (*jobs) Type() string { return "int" }

// requestsPerProcessor is how many registry requests may wait at once for each
// processor: they cost time, not work.
const requestsPerProcessor = 8

func (f *evidenceFlags) workers() int {
	if f.jobs > 0 {
		return int(f.jobs)
	}
	if f.offline {
		return runtime.GOMAXPROCS(0)
	}
	return requestsPerProcessor * runtime.GOMAXPROCS(0)
}

// paths are the PATH arguments, or the current folder.
func paths(args []string) []string {
	if len(args) == 0 {
		return []string{"."}
	}
	return args
}

func noEmptyPaths(paths []string) error {
	if slices.Contains(paths, "") {
		return usageError("name an existing folder or file", "a PATH is empty")
	}
	return nil
}

// place is the beginning of a message about a place in a file.
func place(path string, line, column int) string {
	switch {
	case line == 0:
		return path + ": "
	case column == 0:
		return fmt.Sprintf("%s:%d: ", path, line)
	default:
		return fmt.Sprintf("%s:%d:%d: ", path, line, column)
	}
}

// count is a number of things, in words.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// output writes a result whole or not at all; "-" is standard output.
func (p *program) output(name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(p.stdout)
	}
	if err := report.WriteFile(name, write); err != nil {
		return usageError("name a file in an existing folder that you may write to", "%s: cannot be written: %v", name, sbom.Pathless(err))
	}
	return nil
}

var errTooLarge = errors.New("it is too large")
