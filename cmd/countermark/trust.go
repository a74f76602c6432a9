package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"countermark/policy/report"
	"countermark/provenance/trust"
	"countermark/sbom"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (p *program) trustCommand() *cobra.Command {
	return parent("trust", "the trusted root and npm keys in use", p.trustShowCommand(), p.trustUpdateCommand())
}

func (p *program) trustShowCommand() *cobra.Command {
	var flags trustFlags
	var format formatFlag
	cmd := &cobra.Command{
		Use:   "show",
		Short: "show the trusted root and npm keys in use",
		Long: `Shows whom every proof rests on: the certificate authorities, transparency logs
and timestamp authorities of the sigstore trusted root, and npm's keys, each with
its validity. Without flags these are what the last "trust update" brought, while
that is valid, else the embedded ones.`,
		Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if err := cmp.Or(flags.validate(), format.validate()); err != nil {
				return err
			}
			now, _, err := p.instant()
			if err != nil {
				return err
			}
			material, err := p.loadTrust(flags)
			if err != nil {
				return err
			}
			p.warnStale(material, now)
			if format.value == "json" {
				return report.Indented(p.stdout, material.Summary())
			}
			return trustText(p.plainOut(), material.Summary())
		},
	}
	cmd.Flags().StringVar(&flags.root, "trusted-root", "", "show this trusted root `FILE`, or several as JSON lines")
	cmd.Flags().StringArrayVar(&flags.keys, "npm-keys", nil, "show these npm keys `FILE`, or URL=FILE; may be given several times")
	flags.addCache(cmd.Flags())
	format.add(cmd.Flags(), "text", "json")
	return cmd
}

// trustFlags say whom to trust. They mean the same in every command.
type trustFlags struct {
	root     string
	keys     []string // FILE or URL=FILE
	cacheDir string
}

func (f *trustFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.root, "trusted-root", "", "sigstore trusted root `FILE`, or several as JSON lines, instead of the updated or embedded one")
	flags.StringArrayVar(&f.keys, "npm-keys", nil, "keys `FILE` of the configured npm registry, or URL=FILE of that one; may be given several times; the updated or embedded ones are the public registry's")
	f.addCache(flags)
}

func (f *trustFlags) addCache(flags *pflag.FlagSet) {
	flags.StringVar(&f.cacheDir, "cache-dir", "", "folder `DIR` of what was fetched before (default: countermark in the user's cache folder)")
}

// validate refuses a named cache folder that can be none. One that is not there
// yet is made when something is kept in it.
func (f *trustFlags) validate() error {
	if f.cacheDir == "" {
		return nil
	}
	info, err := os.Stat(f.cacheDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usageError("name a folder that you may write to", "--cache-dir %s: cannot be used: %v", f.cacheDir, sbom.Pathless(err))
	case !info.IsDir():
		return usageError("name a folder; it is made where there is none", "--cache-dir %s: is not a folder", f.cacheDir)
	}
	return nil
}

// cacheFolder returns where what was fetched is kept; empty where there is none.
func (p *program) cacheFolder(f trustFlags) string {
	if f.cacheDir != "" || p.cache == nil {
		return f.cacheDir
	}
	user, err := p.cache()
	if err != nil {
		return ""
	}
	return filepath.Join(user, "countermark")
}

// updater returns what refreshes trust, nil where there is no folder to keep it.
func (p *program) updater(f trustFlags) *trust.Updater {
	dir := p.cacheFolder(f)
	if dir == "" {
		return nil
	}
	return &trust.Updater{Dir: dir, Transport: p.transport, Version: p.version}
}

// loadTrust takes what a flag names, else what the last update brought, else what
// is embedded, for root and keys each. The error is a *trust.FileError.
func (p *program) loadTrust(f trustFlags) (*trust.Material, error) {
	material, err := trust.Embedded()
	if err != nil {
		return nil, err
	}
	if f.root == "" || !slices.ContainsFunc(f.keys, ofConfigured) {
		if err := p.loadUpdated(f, material); err != nil {
			return nil, err
		}
	}
	if f.root != "" {
		data, err := readNamed(f.root, trust.MaxFileSize)
		if err != nil {
			return nil, usageError("name a readable trusted_root.json", "%s: cannot be read: %v", f.root, err)
		}
		if material.Root, err = trust.LoadRoot(data, f.root); err != nil {
			return nil, err
		}
	}
	for i, arg := range f.keys {
		keys, err := loadKeys(arg)
		switch {
		case err != nil:
			return nil, err
		case keys.Registry != "":
			material.OtherKeys = append(material.OtherKeys, keys)
		case slices.ContainsFunc(f.keys[:i], ofConfigured):
			return nil, usageError("name the registry of every other file as URL=FILE", "--npm-keys gives the configured registry's keys twice")
		default:
			material.Keys = keys
		}
	}
	return material, nil
}

// ofConfigured reports whether an --npm-keys is a FILE alone: those are the keys of
// the registry that npm's configuration names.
func ofConfigured(arg string) bool {
	return !strings.HasPrefix(arg, "https://") && !strings.HasPrefix(arg, "http://")
}

// loadKeys reads what an --npm-keys names: URL=FILE, or a FILE alone.
func loadKeys(arg string) (*trust.Keys, error) {
	registry, file := "", arg
	if !ofConfigured(arg) {
		registry, file, _ = strings.Cut(arg, "=")
		u, err := url.Parse(registry)
		// What is wrong with it may be a secret, so it is not shown.
		if file == "" || err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
			return nil, usageError("give both as https://host/path=FILE, without password and query", "--npm-keys is no registry's URL with a file of its keys")
		}
	}
	data, err := readNamed(file, trust.MaxFileSize)
	if err != nil {
		return nil, usageError("name a readable keys file", "%s: cannot be read: %v", file, err)
	}
	keys, err := trust.LoadNPMKeys(data, file)
	if err != nil {
		return nil, err
	}
	keys.Registry = registry
	return keys, nil
}

// loadUpdated puts what the last update brought in place of what is embedded,
// where it is not older and still holds.
func (p *program) loadUpdated(f trustFlags, material *trust.Material) error {
	now, _, err := p.instant()
	if err != nil {
		return err
	}
	updater := p.updater(f)
	if updater == nil {
		return nil
	}
	updated, err := updater.Cached(p.public, now)
	if errors.Is(err, trust.ErrNoUpdate) {
		return nil
	}
	if err != nil {
		p.warn("run `countermark trust update`", "the updated trusted root is not used, but the embedded one of %s: %v", trust.AsOf, err)
		return nil
	}
	if updated.Root.AsOf >= trust.AsOf {
		*material = updated.Material
	}
	return nil
}

func (p *program) warnStale(m *trust.Material, now time.Time) {
	for _, w := range m.Stale(now) {
		p.warn(w.Hint, "%s", w.Message)
	}
}

func trustText(out *report.Plain, s trust.Summary) error {
	file := func(name string, f trust.File) {
		asOf := ""
		if f.AsOf != "" {
			asOf = ", as of " + f.AsOf
		}
		out.Printf("%-13s %s%s\n              sha256 %s\n", name, f.Source, asOf, f.SHA256)
	}
	file("trusted root", s.TrustedRoot)
	for i, sum := range s.TrustedRoot.Instances {
		out.Printf("  instance %-3d sha256 %s\n", i+1, sum)
	}
	file("npm keys", s.NPMKeys)
	for _, keys := range s.OtherKeys {
		file("other keys", keys)
		out.Printf("              of %s\n", keys.Registry)
	}
	group := func(title string, list []trust.Authority) {
		out.Printf("\n%s\n", title)
		for _, a := range list {
			of := ""
			if a.Instance > 0 {
				of = fmt.Sprintf("  instance %d", a.Instance)
			}
			out.Printf("  %s  %s%s\n", validity(a.Start, a.End), a.URL, of)
			if a.Name != "" {
				out.Printf("  %24s %s\n", "", a.Name)
			}
			if a.ID != "" {
				out.Printf("  %24s id %s\n", "", a.ID)
			}
		}
		if len(list) == 0 {
			out.Printf("  none\n")
		}
	}
	group("certificate authorities", s.CertificateAuthorities)
	group("transparency logs", s.TransparencyLogs)
	group("certificate transparency logs", s.CertificateLogs)
	group("timestamp authorities", s.TimestampAuthorities)
	out.Printf("\nnpm keys\n")
	for _, k := range s.Keys {
		of := ""
		if k.Registry != "" {
			of = "  of " + k.Registry
		}
		out.Printf("  %s  %s  %s%s\n", validity(k.Start, k.End), k.ID, k.Usage, of)
	}
	return out.Err()
}

func validity(start, end time.Time) string {
	day := func(t time.Time) string {
		if t.IsZero() {
			return "…         "
		}
		return t.UTC().Format(time.DateOnly)
	}
	return day(start) + " – " + day(end)
}

// readNamed reads a file that the user named, which is regular and of bounded
// size. The error does not name it again.
func readNamed(name string, limit int64) ([]byte, error) {
	f, err := openNamed(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read from
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, sbom.Pathless(err)
	}
	if int64(len(data)) > limit {
		return nil, errTooLarge
	}
	return data, nil
}

// openNamed opens a file that the user names. A pipe to which nobody writes would be
// waited for without end, and a device be read without end, whatever --timeout says.
func openNamed(name string) (*os.File, error) {
	if info, err := os.Stat(name); err != nil {
		return nil, sbom.Pathless(err)
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(name)
	return f, sbom.Pathless(err)
}

// openFolder opens a folder that the user names. os.OpenRoot alone would wait at a
// pipe for somebody to write, whatever --timeout says.
func openFolder(name string) (*os.Root, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, errors.New("it is not a folder")
	}
	return os.OpenRoot(name)
}
