package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
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
	client := &npm.Client{Config: config, Transport: transport, Version: p.version, Internal: pol.Internal, Registries: pol.Registries, Cache: p.openCache(ev)}
	if p.client != nil {
		p.client(client)
	}
	return client, nil
}

// recorded is a snapshot's own file. No package is called so.
const recorded = ".recorded.json"

const maxRecorded = 1 << 16 // bytes

// about says of a snapshot when its registry was asked.
type about struct {
	RecordedAt time.Time `json:"recordedAt"`
}

func openSnapshot(dir string) (closure.Source, time.Time, error) {
	wrong := func(format string, args ...any) (closure.Source, time.Time, error) {
		return nil, time.Time{}, usageError("name a folder that --record wrote", format, args...)
	}
	root, err := openFolder(dir)
	if err != nil {
		return wrong("%s: cannot be opened: %v", dir, sbom.Pathless(err))
	}
	// Asked first: to open a pipe waits for somebody to write.
	if info, err := root.Stat(recorded); err == nil && !info.Mode().IsRegular() {
		return wrong("%s: is no snapshot: %s: it is not a regular file", dir, recorded)
	}
	f, err := root.Open(recorded)
	if err != nil {
		return wrong("%s: is no snapshot: %s: %v", dir, recorded, sbom.Pathless(err))
	}
	defer func() { _ = f.Close() }() // it was only read from
	data, err := io.ReadAll(io.LimitReader(f, maxRecorded))
	var a about
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil || a.RecordedAt.IsZero() {
		return wrong("%s: is no snapshot: %s does not say when it was recorded", dir, recorded)
	}
	return closure.Snapshot{FS: root.FS()}, a.RecordedAt, nil
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
	data, err := json.Marshal(about{at.UTC()})
	if err != nil {
		return nil, err
	}
	if err := writeWhole(filepath.Join(dir, recorded), data); err != nil {
		return nil, wrong(err)
	}
	return closure.Record(source, func(name string, doc *closure.Packument) error {
		data, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(data); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		if err := writeWhole(filepath.Join(dir, closure.SnapshotName(name)+".gz"), packed.Bytes()); err != nil {
			return &fs.PathError{Op: "write", Path: dir, Err: sbom.Pathless(err)}
		}
		return nil
	}), nil
}

func writeWhole(name string, data []byte) error {
	return report.WriteFile(name, func(w io.Writer) error { _, err := w.Write(data); return err })
}
