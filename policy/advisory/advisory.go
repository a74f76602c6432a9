package advisory

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Advisory is one report about a package.
type Advisory struct {
	ID        string
	Summary   string // may quote the feed
	Aliases   []string
	Malicious bool      // the id is one of a malicious package (MAL-…), not of a vulnerability
	Published time.Time // zero where the record does not say
	Modified  time.Time
	URL       string // where to read on
	// Note says why the advisory is given although no version of it was
	// recognised; empty otherwise.
	Note string
}

// DB is a set of advisories. It is safe for use by several goroutines.
type DB struct {
	packages map[packageKey][]record // by id
	size     int
	asOf     time.Time
	sum      string
}

type packageKey struct {
	ecosystem sbom.Ecosystem
	name      string
}

// record is what one advisory says of one package.
type record struct {
	Advisory
	affected affected
}

//go:embed advisories.json
var list []byte

// listed is the day on which the embedded list was last compared with its
// origin.
var listed = time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC)

var embedded = sync.OnceValues(func() (*DB, error) { return Parse(list, listed) })

// Embedded returns the list of this build. It is read on the first call.
func Embedded() (*DB, error) { return embedded() }

// Parse reads OSV records: one or several JSON documents, each a record or an
// array of records. AsOf is the day of the feed. The error for a record that
// does not fit the format names its position and, where it has one, its id.
// Records about other ecosystems than those of the inventory are checked, but
// not kept.
func Parse(data []byte, asOf time.Time) (*DB, error) {
	records, err := decode(data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	db := &DB{
		packages: map[packageKey][]record{},
		asOf:     asOf,
		sum:      hex.EncodeToString(sum[:]),
	}
	seen := map[string]int{}
	for i, r := range records {
		if err := db.add(r); err != nil {
			return nil, fmt.Errorf("advisories: record %d (%q): %w", i+1, r.ID, err)
		}
		if first, ok := seen[r.ID]; ok {
			return nil, fmt.Errorf("advisories: record %d (%q): the id is that of record %d", i+1, r.ID, first)
		}
		seen[r.ID] = i + 1
	}
	for _, rs := range db.packages {
		slices.SortStableFunc(rs, func(a, b record) int { return cmp.Compare(a.ID, b.ID) })
	}
	return db, nil
}

// add checks a record and takes in what it says of each package.
func (db *DB) add(r osvRecord) error {
	a, err := r.advisory()
	if err != nil {
		return err
	}
	for i, osv := range r.Affected {
		key, aff, err := osv.read()
		if err != nil {
			return fmt.Errorf("affected[%d]: %w", i, err)
		}
		if key.ecosystem == "" || r.Withdrawn != "" {
			continue
		}
		db.packages[key] = append(db.packages[key], record{a, aff})
	}
	db.size++
	return nil
}

// Affecting returns the advisories about one version, by id. A version that
// cannot be compared counts as affected by all of its package; Note says so.
func (db *DB) Affecting(eco sbom.Ecosystem, name, version string) []Advisory {
	return db.match(eco, name, func(aff affected) (bool, string) { return aff.contains(eco, version) })
}

// Selectable returns the advisories about any version that a request could
// select, by id. An empty request, a dist-tag, and a request that is not
// understood could select every version, so they match all advisories about the
// package. A range of npm (https://github.com/npm/node-semver#ranges) or of
// PyPI (https://packaging.python.org/en/latest/specifications/version-specifiers/)
// matches those with which it has a version in common.
func (db *DB) Selectable(eco sbom.Ecosystem, name, request string) []Advisory {
	return db.match(eco, name, newRequest(eco, request).selects)
}

func (db *DB) match(eco sbom.Ecosystem, name string, matches func(affected) (bool, string)) []Advisory {
	var found []Advisory
	for _, r := range db.packages[packageKey{eco, normalize(eco, name)}] {
		ok, note := matches(r.affected)
		if !ok {
			continue
		}
		if n := len(found); n > 0 && found[n-1].ID == r.ID {
			continue // the record names the package twice
		}
		a := r.Advisory
		a.Note = note
		found = append(found, a)
	}
	return found
}

// Len returns the number of records, the withdrawn ones included.
func (db *DB) Len() int { return db.size }

// SHA256 returns the digest of what was parsed, in hex.
func (db *DB) SHA256() string { return db.sum }

// AsOf returns the day of the feed.
func (db *DB) AsOf() time.Time { return db.asOf }

var pypiSeparators = lazyregexp.New(`[-_.]+`)

// normalize gives the form of a name in which the ecosystem compares names.
func normalize(eco sbom.Ecosystem, name string) string {
	switch eco {
	case sbom.PyPI:
		return pypiSeparators.ReplaceAllString(strings.ToLower(name), "-")
	case sbom.NuGet:
		return strings.ToLower(name)
	default:
		return name
	}
}
