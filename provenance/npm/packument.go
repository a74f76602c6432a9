package npm

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"countermark/provenance"
	"countermark/sbom/jsonstream"
)

// Limits of what is kept of a packument.
const (
	maxReleases    = 50_000  // the most that a package has are some 10,000
	maxSignatures  = 16      // of one version; npm makes one
	maxMaintainers = 1_000   // of one version
	maxMetaText    = 4 << 10 // bytes of any text that is kept
)

// packument is what is kept of a package's metadata: little of each version, and
// nothing of what fills it (manifests, readmes).
type packument struct {
	name     string
	releases []*release // in the document's order
	times    map[string]time.Time
}

// release is one version in a packument.
type release struct {
	key           string // under which it stands there
	name, version string // as its manifest says
	dist          bool   // it has one
	provenance.Metadata
}

// metadata returns what the packument says of a version; nil where it holds no
// such version.
func (p *packument) metadata(version string) (*provenance.Metadata, error) {
	i := slices.IndexFunc(p.releases, func(r *release) bool { return r.key == version })
	if i < 0 {
		return nil, nil //nolint:nilnil // no such version is an answer
	}
	r := p.releases[i]
	if r.name != p.name || r.version != version {
		return nil, fmt.Errorf("%w: the metadata is of another package or version", errAnswer)
	}
	if !r.dist {
		return nil, fmt.Errorf("%w: the metadata says nothing of the version's distribution", errAnswer)
	}
	m := r.Metadata
	m.Published = p.times[version]
	m.Others = p.others(version)
	return &m, nil
}

// others returns the releases but that of a version.
func (p *packument) others(version string) []provenance.Release {
	out := make([]provenance.Release, 0, len(p.releases))
	for _, x := range p.releases {
		if x.key != version {
			out = append(out, provenance.Release{
				Version: x.key, Published: p.times[x.key], Attested: x.Attested, Publisher: x.Publisher, Repository: x.Repository,
			})
		}
	}
	return out
}

// readPackument reads a packument as a stream, of which the largest have some
// 50 MB: only what is kept of it is ever in memory at once. Keys that occur twice
// are refused in all objects of which something is kept: readers differ in which
// one they take.
func readPackument(r io.Reader, name string) (*packument, error) {
	p := &packument{times: map[string]time.Time{}}
	s := stream{jsonstream.New(r)}
	versions := false
	err := s.Object(maxMembers, func(key string) (err error) {
		switch key {
		case "name":
			p.name, err = s.text()
		case "versions":
			versions = true
			err = s.Object(maxReleases, func(version string) error { return p.version(s, version) })
		case "time":
			err = s.Object(maxReleases+2, func(version string) error { return p.time(s, version) })
		default:
			err = s.Skip()
		}
		return err
	})
	if err == nil {
		err = s.End()
	}
	switch {
	case errors.Is(err, jsonstream.ErrSyntax):
		return nil, errNoJSON
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	case p.name != name:
		return nil, fmt.Errorf("%w: the metadata is of another package", errAnswer)
	case !versions:
		return nil, fmt.Errorf("%w: no versions", errAnswer)
	}
	return p, nil
}

func (p *packument) version(s stream, version string) error {
	r := &release{key: version}
	p.releases = append(p.releases, r)
	return s.Object(maxMembers, func(key string) (err error) {
		switch key {
		case "name":
			r.name, err = s.text()
		case "version":
			r.version, err = s.text()
		case "deprecated":
			r.Deprecated, err = s.text()
		case "repository":
			r.Repository, err = s.textOr("url")
		case "_npmUser":
			err = s.publisher(&r.Publisher)
		case "maintainers":
			err = s.List(maxMaintainers, func() error {
				name, err := s.textOr("name")
				r.Maintainers = append(r.Maintainers, name)
				return err
			})
		case "dist":
			r.dist = s.Kind() == '{'
			err = s.dist(&r.Metadata)
		default:
			err = s.Skip()
		}
		return err
	})
}

// time reads when a version was published. What is no time is as good as none.
func (p *packument) time(s stream, version string) error {
	text, err := s.text()
	if at, bad := time.Parse(time.RFC3339, text); bad == nil {
		p.times[version] = at.UTC()
	}
	return err
}

// stream reads a packument in pieces.
type stream struct{ jsonstream.Reader }

// text reads a string, cut where it is longer than any that means something, ""
// for any other value.
func (s stream) text() (string, error) {
	text, _, err := s.Text(maxMetaText)
	return text, err
}

// textOr reads a string, or that member of an object.
func (s stream) textOr(member string) (text string, err error) {
	if s.Kind() != '{' {
		return s.text()
	}
	err = s.Object(maxMembers, func(key string) (err error) {
		if key != member {
			return s.Skip()
		}
		text, err = s.text()
		return err
	})
	return text, err
}

func (s stream) publisher(p *provenance.Publisher) error {
	return s.Object(maxMembers, func(key string) (err error) {
		switch key {
		case "name":
			p.Name, err = s.text()
		case "trustedPublisher":
			p.Trusted, err = s.textOr("id")
		default:
			err = s.Skip()
		}
		return err
	})
}

func (s stream) dist(m *provenance.Metadata) error {
	shasum := ""
	err := s.Object(maxMembers, func(key string) (err error) {
		switch key {
		case "integrity":
			m.Integrity, err = s.text()
		case "shasum":
			shasum, err = s.text()
		case "tarball":
			m.Tarball, err = s.text()
		case "attestations":
			m.Attested = s.Kind() != 'n'
			err = s.Skip()
		case "signatures":
			err = s.List(maxSignatures, func() error { return s.signature(m) })
		default:
			err = s.Skip()
		}
		return err
	})
	m.Digests = digests(m.Integrity, shasum)
	return err
}

func (s stream) signature(m *provenance.Metadata) error {
	var x provenance.RegistrySignature
	err := s.Object(maxMembers, func(key string) (err error) {
		switch key {
		case "keyid":
			x.KeyID, err = s.text()
		case "sig":
			var text string
			text, err = s.text()
			x.Signature, _ = base64.StdEncoding.DecodeString(text) // what is none verifies nothing
		default:
			err = s.Skip()
		}
		return err
	})
	m.Signatures = append(m.Signatures, x)
	return err
}

// digests reads dist.integrity, subresource integrity of one or more digests
// (https://www.w3.org/TR/SRI/), and dist.shasum, SHA-1 in hex.
func digests(integrity, shasum string) []provenance.Digest {
	var out []provenance.Digest
	for word := range strings.FieldsSeq(integrity) {
		word, _, _ = strings.Cut(word, "?") // options
		algorithm, value, _ := strings.Cut(word, "-")
		if raw, err := base64.StdEncoding.DecodeString(value); err == nil && len(raw) > 0 {
			out = append(out, provenance.Digest{Algorithm: strings.ToLower(algorithm), Value: hex.EncodeToString(raw)})
		}
	}
	if _, err := hex.DecodeString(shasum); err == nil && shasum != "" {
		out = append(out, provenance.Digest{Algorithm: "sha1", Value: strings.ToLower(shasum)})
	}
	return out
}
