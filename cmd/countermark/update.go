package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"countermark/provenance/trust"

	"github.com/spf13/cobra"
)

// maxTUFRoot bounds a TUF root file, in bytes. The public instance's has 6 KiB.
const maxTUFRoot = 512 << 10

// updateFlags are those of trust update.
type updateFlags struct {
	trustFlags

	instance string
	mirror   string
	tufRoot  string
	output   string
	timeout  time.Duration
}

func (p *program) trustUpdateCommand() *cobra.Command {
	var flags updateFlags
	cmd := &cobra.Command{
		Use:   "update",
		Short: "refresh the trusted root and npm keys by TUF",
		Long: `Fetches the trusted root of a sigstore instance, and npm's keys, from its TUF
repository, verifies them from the embedded TUF root on, and keeps them.

Without flags that is sigstore's public instance: every later command uses what
was fetched in place of what is embedded. It is verified again each time it is
read; when it expires, the embedded one is used, with a warning.

Every other instance is written to a file, to be named with --trusted-root:
  --instance github          GitHub's, for attestations of private repositories
  --mirror URL --root FILE   your own
--mirror alone asks a copy of the repository. Such files joined into one are taken
by --trusted-root as well: each instance then proves by itself, never together with
another.

Exit codes: 0 updated; 2 wrong usage, or an unusable --root; 3 the repository
could not be had, or what it says does not hold. Then everything stays as it was.`,
		Example: `  countermark trust update
  countermark trust update --instance github --output github.json
  countermark trust update --mirror https://tuf.acme.example --root root.json --output acme.json
  countermark verify app.tgz --bundle app.sigstore.json --trusted-root acme.json …
  cat acme.json github.json > both.jsonl`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(checkTimeout(flags.timeout), flags.validate()); err != nil {
				return err
			}
			instance, err := p.instance(flags)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), flags.timeout)
			defer cancel()
			return p.trustUpdate(ctx, flags, instance)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.instance, "instance", "public", "`NAME` of the instance: public or github")
	f.StringVar(&flags.mirror, "mirror", "", "`URL` of the TUF repository, or of a copy of it")
	f.StringVar(&flags.tufRoot, "root", "", "TUF root `FILE` of your own instance, its root.json")
	f.StringVar(&flags.output, "output", "", "write the trusted root to `FILE` as well; - is standard output")
	addTimeout(f, &flags.timeout, time.Minute)
	flags.addCache(f)
	return cmd
}

// instance is the one that the flags name.
func (p *program) instance(f updateFlags) (trust.Instance, error) {
	none := trust.Instance{}
	if f.mirror != "" {
		if err := trust.CheckMirror(f.mirror); err != nil {
			return none, usageError("name the repository as https://host/path", "--mirror: %v", err)
		}
	}
	var in trust.Instance
	switch f.instance {
	case "public":
		in = p.public
	case "github":
		in = trust.GitHub()
	default:
		return none, usageError("name your own with --mirror and --root", "--instance is %q: expected public or github", f.instance)
	}
	public := f.instance == "public"
	if f.tufRoot != "" {
		if f.mirror == "" || !public {
			return none, usageError("name its repository with --mirror, without --instance", "--root is for an instance of your own")
		}
		data, err := readNamed(f.tufRoot, maxTUFRoot)
		if err != nil {
			return none, usageError("name a readable root.json", "%s: cannot be read: %v", f.tufRoot, err)
		}
		if in, err = trust.Own(f.mirror, data, f.tufRoot); err != nil {
			return none, err
		}
		public = false
	}
	if !public && f.output == "" {
		return none, usageError("name a file with --output, then give it to --trusted-root", "only the public instance is used without being named")
	}
	if f.mirror != "" {
		in.Mirror = f.mirror
	}
	return in, nil
}

func (p *program) trustUpdate(ctx context.Context, flags updateFlags, in trust.Instance) error {
	updater := p.updater(flags.trustFlags)
	if updater == nil {
		return usageError("name one with --cache-dir", "there is no folder to keep it in")
	}
	now, fixed, err := p.instant()
	if err != nil {
		return err
	}
	if fixed {
		p.warn(hintPresent, "whether the repository's metadata have expired is judged as of %s, which SOURCE_DATE_EPOCH says", now.Format(time.RFC3339))
	}
	updated, err := updater.Update(ctx, in, now)
	if err != nil {
		return err
	}
	out := p.plainOut()
	if flags.output != "" {
		if err := p.output(flags.output, func(w io.Writer) error {
			_, err := w.Write(updated.RootJSON)
			return err
		}); err != nil {
			return err
		}
		if flags.output == "-" {
			return nil
		}
	}
	out.Printf("trusted root  sha256 %s\n", updated.Root.SHA256)
	if updated.Keys != nil {
		out.Printf("npm keys      sha256 %s\n", updated.Keys.SHA256)
	}
	out.Printf("as of %s from %s, valid until %s\n", updated.Root.AsOf, in.Mirror, updated.Expires.UTC().Format(time.RFC3339))
	return out.Err()
}

// updateFailed gives a failed update its exit code and hint.
func updateFailed(e *trust.UpdateError) *exitError {
	return &exitError{code: exitUnknown, message: fmt.Sprintf("the trusted root could not be updated: %v", e), hints: []string{e.Hint}}
}
