package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// packageFields is the number of columns of packages.tsv.
const packageFields = 9

// addPackages takes in the lines of packages.tsv. The form is not YAML because
// the file is read in every run that judges, and holds many lines of one shape.
func (c *Catalog) addPackages(data []byte) error {
	c.sources = make(map[packageKey]int, bytes.Count(data, []byte("\n")))
	number, last := 0, ""
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := parsePackage(line)
		if err != nil {
			return fmt.Errorf("catalogue: packages.tsv:%d: %w", number, err)
		}
		spec := string(e.Ecosystem) + ":" + e.Package
		if spec <= last {
			return fmt.Errorf("catalogue: packages.tsv:%d: %q stands after %q: lines are sorted, and each package is there once", number, spec, last)
		}
		last = spec
		key := packageKey{e.Ecosystem, e.Package}
		if i, taken := c.own[key]; taken && c.entries[i].Package == e.Package {
			return fmt.Errorf("catalogue: packages.tsv:%d: %q is the package of the server %q already", number, spec, c.entries[i].Name)
		}
		c.sources[key] = len(c.packages)
		c.packages = append(c.packages, e)
		c.checkedOn(e.Checked)
	}
	return nil
}

func parsePackage(line string) (Entry, error) {
	f := strings.Split(line, "\t")
	if len(f) != packageFields {
		return Entry{}, fmt.Errorf("%d columns, want %d, parted by tabs", len(f), packageFields)
	}
	for i, s := range f {
		switch s {
		case "":
			return Entry{}, errors.New("an empty column: write - for what is unknown")
		case "-":
			f[i] = ""
		}
	}
	ecosystem, name, _ := strings.Cut(f[0], ":")
	e := Entry{
		Name: name, Ecosystem: sbom.Ecosystem(ecosystem), Package: name,
		Repository: f[1], RepositoryID: f[2], OwnerID: f[3], Workflow: f[4],
		Basis: f[5], Checked: f[6], RegistryChecked: f[7], Documented: f[8],
	}
	if err := validRepository(e.Repository); err != nil {
		return Entry{}, err
	}
	e.Vendor = owner(e.Repository)
	return e, e.validate()
}

// owner returns the first segment of a repository's path.
func owner(repository string) string {
	_, rest, _ := strings.Cut(repository, "://")
	_, path, _ := strings.Cut(rest, "/")
	owner, _, _ := strings.Cut(path, "/")
	return owner
}

// Packages yields the packages and images of which only the source is listed,
// by ecosystem and name. Nothing is compared with them by likeness.
func (c *Catalog) Packages() iter.Seq[Entry] { return slices.Values(c.packages) }

// checkedOn keeps the earliest day.
func (c *Catalog) checkedOn(day string) {
	if t, err := time.Parse(time.DateOnly, day); err == nil && t.Before(c.asOf) {
		c.asOf = t
	}
}

// dockerHub is the host of images that are named without one.
const dockerHub = "docker.io"

// image returns the name of an image with its host, as
// https://github.com/distribution/reference normalises it.
func image(name string) string {
	host, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, rest = dockerHub, name
	}
	host = strings.ToLower(host)
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = dockerHub
	}
	if host == dockerHub && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	return host + "/" + rest
}

var (
	imageName = lazyregexp.New(`^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`)
	workflow  = lazyregexp.New(`^\.github/workflows/[A-Za-z0-9._-]+\.ya?ml$`)
)
