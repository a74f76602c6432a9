package pypi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"countermark/provenance"
	"countermark/provenance/fetch"
	"countermark/sbom/lazyregexp"
)

const acceptSimple = "application/vnd.pypi.simple.v1+json"

var (
	// errAnswer is an answer that is not what was asked for.
	errAnswer = errors.New("is not what an index answers")
	// errNoJSON is one that may be whole the next time.
	errNoJSON = fetch.BrokenError{Err: fmt.Errorf("%w: no JSON", errAnswer)}
)

// project is what an index says of the files of one release.
type project struct {
	attests bool // the index knows of attestations at all
	files   []file
}

type file struct {
	name, sha256 string
	provenance   string // URL; empty where there is none
}

// details is the answer for a project (PEP 691, PEP 700, PEP 740). It is read
// by a decoder that takes keys as they are written: encoding/json would take
// those of any case.
type details struct {
	Meta struct {
		Version string `json:"api-version"`
	} `json:"meta"`
	Name  string `json:"name"`
	Files []struct {
		Name       string            `json:"filename"`
		Hashes     map[string]string `json:"hashes"`
		Provenance *string           `json:"provenance"`
		Python     *string           `json:"requires-python"`
		Yanked     any               `json:"yanked"` // true, or the reason
	} `json:"files"`
}

var isSHA256 = lazyregexp.New(`^[0-9a-f]{64}$`)

// readDetails reads the answer for a project.
func readDetails(body []byte, name string) (d details, err error) {
	if err := provenance.CheckJSON(body); err != nil {
		return d, fmt.Errorf("%w: %w", errNoJSON, err)
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return d, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if provenance.PyPIName(d.Name) != provenance.PyPIName(name) {
		return d, fmt.Errorf("%w: it is of another project", errAnswer)
	}
	if major, _, _ := strings.Cut(d.Meta.Version, "."); major != "1" {
		return d, fmt.Errorf("%w: its API has another version than 1", errAnswer)
	}
	return d, nil
}

// readProject takes the files of one release out of the answer for its project,
// yanked ones too: a pin of the exact version still installs those (PEP 592).
func readProject(body []byte, s provenance.Subject) (project, error) {
	d, err := readDetails(body, s.Name)
	if err != nil {
		return project{}, err
	}
	_, minor, _ := strings.Cut(d.Meta.Version, ".")
	n, err := strconv.Atoi(minor)
	p := project{attests: err == nil && n >= 3}
	seen := map[string]bool{}
	for _, f := range d.Files {
		if !provenance.OfRelease(f.Name, s.Name, s.Version) {
			continue
		}
		sum := strings.ToLower(f.Hashes["sha256"])
		switch {
		case !isSHA256.MatchString(sum):
			return project{}, fmt.Errorf("%w: a file has no sha256", errAnswer)
		case seen[f.Name]:
			return project{}, fmt.Errorf("%w: it lists a file twice", errAnswer)
		}
		seen[f.Name] = true
		one := file{name: f.Name, sha256: sum}
		if f.Provenance != nil {
			p.attests = true
			one.provenance = *f.Provenance
		}
		p.files = append(p.files, one)
	}
	return p, nil
}
