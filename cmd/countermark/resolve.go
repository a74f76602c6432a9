package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"countermark/policy"
	"countermark/policy/report"
	"countermark/provenance/npm"
	"countermark/sbom"
	"countermark/sbom/closure"

	"github.com/spf13/pflag"
)

// resolveFlags ask what launches would fetch today.
type resolveFlags struct {
	on     bool
	from   string
	record string
	node   string
}

func (f *resolveFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.on, "resolve", false, "ask the npm registry what the launches of MCP servers resolve to now, with everything that npx would install for them")
	flags.StringVar(&f.from, "resolve-from", "", "resolve from the snapshot in `DIR`, which --record wrote, and ask no registry")
	flags.StringVar(&f.record, "record", "", "with --resolve: keep what the registry answers as a snapshot in `DIR`, which must be new or empty")
	flags.StringVar(&f.node, "node-version", "", "with --resolve: `VERSION` of Node.js on the machine that launches, where npm avoids packages whose engines exclude it (default: none is excluded)")
}

func (f *resolveFlags) wanted() bool { return f.on || f.from != "" }

func (f *resolveFlags) validate(offline bool) error {
	switch {
	case f.from != "" && f.record != "":
		return usageError("leave one of them out", "--resolve-from and --record contradict each other")
	case !f.wanted() && f.record != "":
		return usageError("give --resolve too", "--record keeps what --resolve asks for")
	case !f.wanted() && f.node != "":
		return usageError("give --resolve too", "--node-version is for --resolve")
	case f.on && f.from == "" && offline:
		return usageError("leave one of them out, or give a snapshot with --resolve-from", "--resolve asks registries, and --offline forbids it")
	default:
		return nil
	}
}

// resolver returns what a scan calls to resolve launches; nil where nobody wants it.
func (p *program) resolver(f resolveFlags, ev evidenceFlags, pol policy.Located, paths []string) (func(context.Context, *sbom.Builder) error, error) {
	if !f.wanted() {
		return nil, nil //nolint:nilnil // a scan without it resolves nothing
	}
	if err := f.validate(ev.offline || pol.Offline); err != nil {
		return nil, err
	}
	at, _, err := p.instant()
	if err != nil {
		return nil, err
	}
	launches := closure.Launches{At: at, Options: closure.Options{NodeVersion: f.node}}
	if f.node != "" {
		if err := closure.CheckVersion(f.node); err != nil {
			return nil, usageError("give a version such as 22.11.0", "--node-version is %q: %v", f.node, err)
		}
	}
	if f.from != "" {
		launches.Source, launches.At, err = openSnapshot(f.from)
	} else {
		launches.Source, err = p.registrySource(ev, pol, paths)
	}
	if err != nil {
		return nil, err
	}
	if client, ok := launches.Source.(*npm.Client); ok && ev.tarballs {
		launches.Options.Contents = client.Contents
	}
	if f.record != "" {
		if launches.Source, err = record(launches.Source, f.record, at); err != nil {
			return nil, err
		}
	}
	return launches.Resolve, nil
}

// registrySource asks as npm would in the folder of PATH.
func (p *program) registrySource(ev evidenceFlags, pol policy.Located, paths []string) (closure.Source, error) {
	config, err := p.npmConfig(ev.registry, paths)
	if err != nil {
		return nil, err
	}
	transport, err := p.pool(config, false)
	if err != nil {
		return nil, err
	}
	return p.npmClient(config, ev, pol, transport), nil
}

func openSnapshot(dir string) (closure.Source, time.Time, error) {
	const hint = "name a folder that --record wrote"
	root, err := openFolder(dir)
	if err != nil {
		return nil, time.Time{}, usageError(hint, "%s: cannot be opened: %v", dir, sbom.Pathless(err))
	}
	snapshot, at, err := closure.OpenSnapshot(root.FS())
	if err != nil {
		return nil, time.Time{}, usageError(hint, "%s: is no snapshot: %v", dir, err)
	}
	return snapshot, at, nil
}

// record keeps every answer in a folder of its own: what an old snapshot had must
// not be taken for an answer of today.
func record(source closure.Source, dir string, at time.Time) (closure.Source, error) {
	wrong := func(err error) error {
		return usageError("name a new or empty folder that you may write to", "%s: cannot hold a snapshot: %v", dir, sbom.Pathless(err))
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, wrong(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, wrong(err)
	}
	if len(entries) > 0 {
		return nil, wrong(errors.New("it is not empty"))
	}
	recording, err := closure.Record(source, at, func(name string, data []byte) error {
		if err := report.WriteFile(filepath.Join(dir, name), func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
			return &fs.PathError{Op: "write", Path: dir, Err: sbom.Pathless(err)}
		}
		return nil
	})
	if err != nil {
		return nil, wrong(err)
	}
	return recording, nil
}
