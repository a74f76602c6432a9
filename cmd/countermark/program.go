package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"countermark/policy"
	"countermark/policy/report"
	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/subject"
	"countermark/provenance/trust"
	"countermark/sbom"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// program is the whole of countermark with everything that it needs of the
// outside, so that a test can run it in its own process.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // as os.Environ gives it
	home           func() (string, error)
	cache          func() (string, error) // the user's cache folder; nil: none
	public         trust.Instance         // whose updates replace what is embedded
	here           func() (string, error) // the current folder
	now            func() time.Time
	transport      http.RoundTripper // nil: what npm's configuration asks for
	client         func(*npm.Client) // changes what asks the registries; nil: nothing
	terminal       bool              // standard error is a terminal
	color          bool              // standard output is a terminal that shows colour
	version        string
}

// The exit codes of every command. Where several apply, usage wins over fail
// over unknown over nothing over pass.
const (
	exitPass    = 0 // the policy is met
	exitFail    = 1 // the policy says no
	exitUsage   = 2 // wrong usage, or an invalid file that steers us
	exitUnknown = 3 // an input is unreadable, or needed evidence could not be had
	exitNothing = 4 // a named PATH holds nothing that we read
)

// run runs one command line and returns its exit code. It is the only place
// where an error becomes a message and a code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.command() //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(report.NewPlain(p.stderr, report.Options{}).Lines())
	takeOnce(root)
	parsed := false
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		parsed = true
		return cmp.Or(noEmptyValues(cmd.Flags()), noSecondValues(cmd.Flags()))
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitPass
	}
	exit := classify(err)
	if !parsed && exit.code != exitUsage {
		// What cobra itself refuses has no type.
		exit = &exitError{code: exitUsage, message: lower(err.Error()), hints: []string{"run `countermark --help`"}}
	}
	if exit.code == exitUsage {
		dropVerdict(args)
	}
	p.message(exit)
	return exit.code
}

// noEmptyValues refuses a flag with an empty value: most often it is a variable
// of a script that was never set, and a demand that nobody makes.
func noEmptyValues(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(f *pflag.Flag) {
		list, isList := f.Value.(pflag.SliceValue)
		empty := f.Value.String() == "" || isList && (len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), ""))
		if err == nil && empty {
			err = usageError("give it a value, or leave it out", "--%s is empty", f.Name)
		}
	})
	return err
}

// takeOnce makes the flags of all commands remember whether they were given with
// two values.
func takeOnce(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, isList := f.Value.(pflag.SliceValue); !isList {
			f.Value = &once{Value: f.Value}
		}
	})
	for _, below := range cmd.Commands() {
		takeOnce(below)
	}
}

// once is a flag that takes one value.
type once struct {
	pflag.Value

	given  bool
	first  string
	second bool // it was given with another value, too
}

// Set implements pflag.Value.
func (o *once) Set(text string) error {
	o.second = o.second || o.given && text != o.first
	o.given, o.first = true, text
	return o.Value.Set(text)
}

// IsBoolFlag is how pflag asks whether a value may be left out.
func (o *once) IsBoolFlag() bool {
	b, ok := o.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// noSecondValues refuses a flag that takes one value and was given two: the last
// would count, and what the first demands would be dropped.
func noSecondValues(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(f *pflag.Flag) {
		if o, ok := f.Value.(*once); ok && o.second && err == nil {
			err = usageError("give it once", "--%s takes one value, and is given two", f.Name)
		}
	})
	return err
}

// dropVerdict removes the file that --verdict names. With wrong usage there is
// no verdict, and an old one must not be taken for it. It looks at the words
// themselves, since they may be what could not be parsed.
func dropVerdict(args []string) {
	if len(args) == 0 || args[0] != "check" {
		return
	}
	for i, arg := range args {
		name, ok := strings.CutPrefix(arg, "--verdict=")
		if arg == "--verdict" && i+1 < len(args) {
			name, ok = args[i+1], true
		}
		if !ok {
			continue
		}
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() { //nolint:gosec // the user names the file that is to be written
			_ = os.Remove(name) //nolint:gosec // as above; the error in hand is the one to report
		}
	}
}

// lower makes a library's message one of ours, which begin in lower case.
func lower(s string) string { return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):] }

// exitError is an error with the code that the program ends with.
type exitError struct {
	code    int
	message string // empty where the result itself has been shown
	hints   []string
}

func (e *exitError) Error() string { return e.message }

func usageError(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, message: fmt.Sprintf(format, args...), hints: []string{hint}}
}

// done ends a command that has shown its result.
func done(code int) error {
	if code == exitPass {
		return nil
	}
	return &exitError{code: code}
}

// classify gives every error its exit code. What nobody classified is unknown,
// which a gate never takes for a pass.
func classify(err error) *exitError {
	steering := func(hint string) *exitError {
		return &exitError{code: exitUsage, message: err.Error(), hints: []string{hint}}
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*policy.FileError](err); ok {
		return steering(e.Hint)
	}
	if e, ok := errors.AsType[*trust.FileError](err); ok {
		return steering(e.Hint)
	}
	if e, ok := errors.AsType[*trust.UpdateError](err); ok {
		return updateFailed(e)
	}
	if e, ok := errors.AsType[*npm.ConfigError](err); ok {
		return steering(e.Hint)
	}
	if e, ok := errors.AsType[*provenance.EvidenceError](err); ok {
		return steering(e.Hint)
	}
	if e, ok := errors.AsType[*provenance.IdentityError](err); ok {
		return steering(e.Hint)
	}
	if e, ok := errors.AsType[*subject.Error](err); ok {
		return steering(e.Hint)
	}
	if _, ok := errors.AsType[*sbom.OmitError](err); ok {
		return steering("leave --omit peer out, or name only projects with a lockfile of npm or Bun")
	}
	if _, ok := errors.AsType[*sbom.PathError](err); ok {
		return steering("name an existing folder or file")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &exitError{code: exitUnknown, message: "it took longer than --timeout allows", hints: []string{"raise --timeout"}}
	}
	if errors.Is(err, context.Canceled) {
		return &exitError{code: exitUnknown, message: "interrupted before there was an answer"}
	}
	return &exitError{code: exitUnknown, message: err.Error()}
}

// message says an error to the person at the terminal, or in the CI log.
func (p *program) message(e *exitError) {
	if e.message != "" {
		report.NewPlain(p.stderr, report.Options{}).Error(e, e.hints...)
	}
}

// warn says what does not change the answer.
func (p *program) warn(hint, format string, args ...any) {
	report.NewPlain(p.stderr, report.Options{}).Warning(fmt.Errorf(format, args...), hint)
}

// plainOut writes results for people.
func (p *program) plainOut() *report.Plain {
	return report.NewPlain(p.stdout, report.Options{Color: p.color})
}

// env looks a variable up in the environment that the program was given.
func (p *program) env(name string) string {
	for _, kv := range p.environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// homeFolder is the user's, "" on a machine that has none.
func (p *program) homeFolder() string {
	home, err := p.home()
	if err != nil {
		return ""
	}
	return home
}

// instant is the time at which everything is judged: SOURCE_DATE_EPOCH
// (https://reproducible-builds.org/specs/source-date-epoch/) where it is set.
// fixed reports whether it is.
func (p *program) instant() (at time.Time, fixed bool, err error) {
	text := p.env("SOURCE_DATE_EPOCH")
	if text == "" {
		return p.now().UTC(), false, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 || seconds > maxEpoch {
		return time.Time{}, false, usageError("set it to seconds since 1970, or unset it", "SOURCE_DATE_EPOCH is %q: expected a whole number of seconds", text)
	}
	return time.Unix(seconds, 0).UTC(), true, nil
}

// maxEpoch is the end of the year 9999, behind which RFC 3339 has no dates.
const maxEpoch = 253402300799

// command is the tree of all commands.
func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "countermark",
		Short: "prove where packages and MCP servers come from, and say pass or fail",
		Long: `countermark reads what a Node project and the AI agents around it would run
(lockfiles and MCP client configurations), proves by npm provenance and sigstore
attestations where each package was built, compares that with the source
repository that you expect, and answers pass or fail.`,
		Version:           p.version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args:              knownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("countermark {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(fmt.Sprintf("run `%s --help` for its flags", cmd.CommandPath()), "%v", err)
	})
	root.AddCommand(p.checkCommand(), p.sbomCommand(), p.verifyCommand(), p.lockCommand(), p.policyCommand(), p.catalogCommand(), p.trustCommand())
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "show the help of a command",
		RunE: func(help *cobra.Command, args []string) error {
			cmd, rest, err := help.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(help.Root(), args...)
			}
			return cmd.Help()
		},
	})
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			describeCompletion(cmd)
		}
	}
	return root
}
