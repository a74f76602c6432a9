package catalog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// The kinds of source on which an entry can rest.
const (
	BasisVendor      = "vendor"         // the vendor's own repository or documentation
	BasisMCPRegistry = "mcp-registry"   // the first seed of the MCP registry
	BasisDocker      = "docker-catalog" // Docker's MCP catalogue
	BasisCertificate = "certificate"    // provenance whose certificate this program verified
)

// NotPublished stands in the file for the package of a server that has none.
const NotPublished = "not published"

// Entry is one official server, or one package of which the source is known.
type Entry struct {
	Name         string         `json:"name"`                   // of the server, unique; of a package, its own
	Vendor       string         `json:"vendor"`                 // who makes it; of a package, who owns the repository
	Ecosystem    sbom.Ecosystem `json:"ecosystem,omitempty"`    // of Package; empty where there is none
	Package      string         `json:"package,omitempty"`      // as the ecosystem writes it, a scope included; empty where the vendor publishes none
	Unreleased   bool           `json:"unreleased,omitempty"`   // the vendor names Package, but the registry did not have it: it vouches for nothing
	Repository   string         `json:"repository"`             // https://host/owner/name
	RepositoryID string         `json:"repositoryId,omitempty"` // numeric; empty where unknown
	OwnerID      string         `json:"ownerId,omitempty"`      // numeric; empty where unknown
	Workflow     string         `json:"workflow,omitempty"`     // path in the repository; empty unless it is certain
	Documented   string         `json:"documented"`             // the page that says so
	Basis        string         `json:"basis"`                  // one of the Basis constants
	Checked      string         `json:"checked"`                // the day on which Documented was read, 2006-01-02
	// RegistryChecked is the day on which the registry's metadata of the latest
	// version named Repository too; empty where no registry was asked.
	RegistryChecked string `json:"registryChecked,omitempty"`

	Note     string   `json:"note,omitempty"`
	Brands   []string `json:"brands,omitempty"`   // words by which people know it
	Scopes   []string `json:"scopes,omitempty"`   // npm scopes of the vendor, with @
	Aliases  []string `json:"aliases,omitempty"`  // further packages of the vendor in the same ecosystem
	Distinct []string `json:"distinct,omitempty"` // words near to a brand that mean something else
}

// Published reports whether the vendor has a package of the server in a
// registry.
func (e Entry) Published() bool { return e.Package != "" && !e.Unreleased }

// Catalog is a set of entries. It is safe for use by several goroutines.
type Catalog struct {
	entries  []Entry // servers, by name
	packages []Entry // by ecosystem and name
	asOf     time.Time
	sum      string
	own      map[packageKey]int // packages and aliases of servers → entry
	sources  map[packageKey]int // of packages
	scopes   map[string]bool    // of all vendors, without @
	models   []*model           // of each server, for lookalikes
}

type packageKey struct {
	ecosystem sbom.Ecosystem
	name      string
}

//go:embed servers.yaml
var servers []byte

//go:embed packages.tsv
var packages []byte

var embedded = sync.OnceValues(func() (*Catalog, error) { return Parse(servers, packages) })

// Embedded returns the catalogue of this build. It is read on the first call.
func Embedded() (*Catalog, error) { return embedded() }

// Parse reads a catalogue in the forms of servers.yaml and packages.tsv. Unknown
// and duplicate keys, entries that are out of order or twice there, and addresses
// that are not https are errors that name the entry.
func Parse(servers, packages []byte) (*Catalog, error) {
	var f file
	// Not the policy file's YAML library: this file is read in every run that
	// judges, nobody needs its positions, and this one takes a third of the time.
	dec := yaml.NewDecoder(bytes.NewReader(servers))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("catalogue: more than one document")
	}
	asOf, err := time.Parse(time.DateOnly, f.AsOf)
	if err != nil {
		return nil, fmt.Errorf("catalogue: as_of %q is no date: write 2006-01-02", f.AsOf)
	}
	sum := sha256.Sum256(slices.Concat(servers, packages))
	c := &Catalog{
		asOf:   asOf,
		sum:    hex.EncodeToString(sum[:]),
		own:    map[packageKey]int{},
		scopes: map[string]bool{},
	}
	for i, s := range f.Servers {
		if err := c.add(s.entry(f.AsOf)); err != nil {
			return nil, fmt.Errorf("catalogue: entry %d (%q): %w", i+1, s.Name, err)
		}
	}
	for _, e := range c.entries {
		c.models = append(c.models, newModel(e))
	}
	if err := c.addPackages(packages); err != nil {
		return nil, err
	}
	return c, nil
}

// file is the form of servers.yaml.
type file struct {
	AsOf    string   `yaml:"as_of"`
	Servers []server `yaml:"servers"`
}

type server struct {
	Name         string   `yaml:"name"`
	Vendor       string   `yaml:"vendor"`
	Ecosystem    string   `yaml:"ecosystem"`
	Package      string   `yaml:"package"`
	Unreleased   bool     `yaml:"unreleased"`
	Repository   string   `yaml:"repository"`
	RepositoryID string   `yaml:"repository_id"`
	OwnerID      string   `yaml:"owner_id"`
	Documented   string   `yaml:"documented"`
	Registry     string   `yaml:"registry_checked"`
	Basis        string   `yaml:"basis"`
	Brands       []string `yaml:"brands"`
	Scopes       []string `yaml:"scopes"`
	Aliases      []string `yaml:"aliases"`
	Distinct     []string `yaml:"distinct"`
	Note         string   `yaml:"note"`
}

func (s server) entry(checked string) Entry {
	return Entry{
		Name: s.Name, Vendor: s.Vendor,
		Ecosystem: sbom.Ecosystem(s.Ecosystem), Package: s.Package, Unreleased: s.Unreleased,
		Repository: s.Repository, RepositoryID: s.RepositoryID, OwnerID: s.OwnerID,
		Documented: s.Documented, Basis: s.Basis, Checked: checked, RegistryChecked: s.Registry, Note: s.Note,
		Brands: s.Brands, Scopes: s.Scopes, Aliases: s.Aliases, Distinct: s.Distinct,
	}
}

// add checks an entry and takes it in.
func (c *Catalog) add(e Entry) error {
	if err := e.validate(); err != nil {
		return err
	}
	if n := len(c.entries); n > 0 && byName(c.entries[n-1], e) >= 0 {
		return fmt.Errorf("stands after %q: entries are sorted by name, and each is there once", c.entries[n-1].Name)
	}
	if e.Package == NotPublished {
		e.Package = ""
	}
	index := len(c.entries)
	c.entries = append(c.entries, e)
	for _, s := range e.Scopes {
		c.scopes[strings.TrimPrefix(s, "@")] = true
	}
	for _, name := range append([]string{e.Package}, e.Aliases...) {
		if name == "" {
			continue
		}
		key := packageKey{e.Ecosystem, normalize(e.Ecosystem, name)}
		if _, taken := c.own[key]; taken {
			return fmt.Errorf("package %q belongs to another entry already", name)
		}
		c.own[key] = index
	}
	return nil
}

var (
	number  = lazyregexp.New(`^[1-9][0-9]*$`)
	scope   = lazyregexp.New(`^@[a-z0-9][a-z0-9._-]*$`)
	npmName = lazyregexp.New(`^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$`)
)

func (e Entry) validate() error {
	if slices.Contains([]string{e.Name, e.Vendor, e.Package, e.Repository, e.Documented, e.Basis}, "") {
		return errors.New("name, vendor, package, repository, documented and basis are needed")
	}
	switch e.Basis {
	case BasisVendor, BasisMCPRegistry, BasisDocker, BasisCertificate:
	default:
		return fmt.Errorf("basis %q is none of vendor, mcp-registry, docker-catalog, certificate", e.Basis)
	}
	if _, err := time.Parse(time.DateOnly, e.Checked); err != nil {
		return fmt.Errorf("checked %q is no date: write 2006-01-02", e.Checked)
	}
	if _, err := time.Parse(time.DateOnly, e.RegistryChecked); e.RegistryChecked != "" && err != nil {
		return fmt.Errorf("the registry's day %q is no date: write 2006-01-02", e.RegistryChecked)
	}
	if e.RegistryChecked != "" && (e.Package == NotPublished || e.Unreleased) {
		return errors.New("no registry can confirm a package that its vendor has not published")
	}
	if e.Workflow != "" && !workflow.MatchString(e.Workflow) {
		return fmt.Errorf("workflow %q is no .github/workflows/NAME.yml", e.Workflow)
	}
	for _, id := range []string{e.RepositoryID, e.OwnerID} {
		if id != "" && !number.MatchString(id) {
			return fmt.Errorf("id %q is no number", id)
		}
	}
	for _, s := range e.Scopes {
		if !scope.MatchString(s) {
			return fmt.Errorf("scope %q is no npm scope", s)
		}
	}
	if err := validRepository(e.Repository); err != nil {
		return err
	}
	if u, err := url.Parse(e.Documented); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("documented %q is no https address", e.Documented)
	}
	return e.validatePackage()
}

func (e Entry) validatePackage() error {
	if e.Package == NotPublished {
		if e.Ecosystem != "" || e.Unreleased || len(e.Aliases) > 0 {
			return errors.New("a server that is not published has no ecosystem and no aliases, and is not unreleased")
		}
		return nil
	}
	form := npmName
	switch e.Ecosystem {
	case sbom.NPM, sbom.PyPI:
	case sbom.OCI:
		form = imageName
	default:
		return fmt.Errorf("ecosystem %q is none of npm, pypi, oci", e.Ecosystem)
	}
	for _, name := range append([]string{e.Package}, e.Aliases...) {
		if !form.MatchString(name) || name != normalize(e.Ecosystem, name) {
			return fmt.Errorf("%q is no normalised %s package name", name, e.Ecosystem)
		}
	}
	return nil
}

func validRepository(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("repository %q is no https address", raw)
	}
	owner, name, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") || strings.HasSuffix(name, ".git") {
		return fmt.Errorf("repository %q is not https://host/owner/name", raw)
	}
	return nil
}

func byName(a, b Entry) int {
	return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
}

// Source returns the entry whose own package has exactly that name: npm names
// are compared byte for byte, PyPI names in their normal form
// (https://packaging.python.org/en/latest/specifications/name-normalization/),
// images with their host, which is Docker's where none is named.
// Aliases and unreleased packages are no answer, because nothing says that they
// come from the entry's repository.
func (c *Catalog) Source(eco sbom.Ecosystem, name string) (Entry, bool) {
	key := packageKey{eco, normalize(eco, name)}
	if i, ok := c.own[key]; ok && c.entries[i].Published() && c.entries[i].Package == key.name {
		return c.entries[i], true
	}
	if i, ok := c.sources[key]; ok {
		return c.packages[i], true
	}
	return Entry{}, false
}

// All yields the servers, by name.
func (c *Catalog) All() iter.Seq[Entry] { return slices.Values(c.entries) }

// Find returns the entries that a person may mean, by name: those of which the
// name, vendor, package, alias, brand or repository contains the query, in any
// case; servers come before packages. An empty query finds all.
func (c *Catalog) Find(query string) []Entry {
	query = strings.ToLower(strings.TrimSpace(query))
	var found []Entry
	for _, e := range slices.Concat(c.entries, c.packages) {
		texts := slices.Concat([]string{e.Name, e.Vendor, e.Package, e.Repository}, e.Aliases, e.Brands)
		if slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), query) }) {
			found = append(found, e)
		}
	}
	return found
}

// SHA256 returns the digest, in hex, of the two files that were parsed, one
// behind the other: cat servers.yaml packages.tsv | sha256sum.
func (c *Catalog) SHA256() string { return c.sum }

// AsOf returns the day, in UTC, since which every entry was checked.
func (c *Catalog) AsOf() time.Time { return c.asOf }

var pypiSeparators = lazyregexp.New(`[-_.]+`)

func normalize(eco sbom.Ecosystem, name string) string {
	switch eco {
	case sbom.PyPI:
		return pypiSeparators.ReplaceAllString(strings.ToLower(name), "-")
	case sbom.OCI:
		return image(name)
	default:
		return name
	}
}
