package pypi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"countermark/provenance"

	"deps.dev/util/semver"
)

// Selected is the release that a requirement gets from the index.
type Selected struct {
	Version string
	// Files are the SHA-256 digests in hex of its files, by their names, without
	// those that are yanked.
	Files map[string]string
	// Python is the range of Python versions that all of them say they need; empty
	// where they say none, or not the same.
	Python string
}

// SelectError is why nobody knows what a requirement gets.
type SelectError struct{ failure }

// Error returns the reason.
func (e *SelectError) Error() string { return e.Reason }

// Hint says what to do about it.
func (e *SelectError) Hint() string { return e.failure.Hint }

// Select finds out which release of a project a requirement gets today: a range such
// as ">=1,<2", an exact version, or "" and "latest" for any. It is the newest one of
// which not every file is yanked (PEP 592), as uv and pip take it on a machine whose
// Python fits. Pre-releases count where the requirement names one, or where the
// project has nothing else. An error is a [*SelectError], or the context's.
func (c *Client) Select(ctx context.Context, project, request string) (Selected, error) {
	c.once.Do(c.start)
	fail := func(f failure) (Selected, error) {
		if err := ctx.Err(); err != nil {
			return Selected{}, err
		}
		return Selected{}, &SelectError{f}
	}
	if no := c.refuse(project); no != nil {
		return fail(*no)
	}
	wanted, err := parseRequest(request)
	if err != nil {
		return fail(failure{Reason: "it asks in a way that is not understood: " + err.Error(), Hint: "name a version: " + project + "==VERSION"})
	}
	u := c.base.JoinPath(provenance.PyPIName(project), "/")
	a, problem := c.get(ctx, u, acceptSimple, maxProjectBytes)
	switch {
	case problem != nil:
		return fail(*problem)
	case a.Status != http.StatusOK:
		return fail(failure{Reason: "the index " + shown(c.base) + " knows no project of this name", Hint: hintUnknown})
	case !isJSON(a.Kind):
		return fail(failure{Reason: "the index " + shown(c.base) + " answers no JSON", Hint: "name an index that speaks it with --pypi-index"})
	}
	d, err := readDetails(a.Body, project)
	if err != nil {
		return fail(*c.http.BadAnswer(u, err))
	}
	selected, err := d.newest(project, wanted)
	if errors.Is(err, errAnswer) {
		return fail(*c.http.BadAnswer(u, err))
	}
	if err != nil {
		return fail(failure{Reason: "the index " + shown(c.base) + " has no such release: " + err.Error(), Hint: hintUnknown})
	}
	return selected, nil
}

// requirement is what a request allows.
type requirement struct {
	allowed *semver.Constraint // nil for any
	exact   *semver.Version    // nil where there is none; then yanked files count
}

func parseRequest(request string) (r requirement, err error) {
	request = strings.TrimSpace(request)
	if request == "" || request == "latest" {
		return requirement{}, nil
	}
	if strings.Contains(request, "===") {
		return r, errors.New("=== compares texts")
	}
	if r.exact, err = semver.PyPI.Parse(strings.TrimLeft(request, "= ")); err == nil && !r.exact.IsWildcard() && !strings.ContainsAny(request, ",<>~!*") {
		return r, nil
	}
	r.exact = nil
	if r.allowed, err = semver.PyPI.ParseConstraint(request); err != nil {
		return r, errors.New("it is no range of versions")
	}
	return r, nil
}

// release is a version with its files.
type release struct {
	version *semver.Version
	public  *semver.Version // without what is local to an index, which ranges do not look at
	early   bool            // it is a pre-release, or one of development
	files   map[string]string
	python  []string
}

func newRelease(v *semver.Version) *release {
	text, _, _ := strings.Cut(v.String(), "+")
	r := &release{version: v, public: v, early: v.IsPrerelease() || strings.Contains(text, "dev"), files: map[string]string{}}
	if public, err := semver.PyPI.Parse(text); err == nil {
		r.public = public
	}
	return r
}

// fits reports whether a release may be picked; early ones only where the requirement
// names one, or where there is nothing else and any release will do.
func (w requirement) fits(r *release, onlyEarly bool) (fits, passed bool) {
	switch {
	case w.exact != nil:
		return provenance.SatisfiesPin(r.version, w.exact), false
	case w.allowed == nil:
		return !r.early || onlyEarly, r.early
	case !r.early:
		return w.allowed.MatchVersion(r.public), false
	case !w.allowed.HasPrerelease():
		return false, w.allowed.MatchVersionPrerelease(r.public)
	default:
		return w.allowed.MatchVersion(r.public), false
	}
}

// newest picks the release.
func (d *details) newest(project string, wanted requirement) (Selected, error) {
	releases, err := d.releases(project, wanted.exact)
	if err != nil {
		return Selected{}, err
	}
	onlyEarly := !slices.ContainsFunc(releases, func(r *release) bool { return !r.early })
	var best *release
	passed := false
	for _, r := range releases {
		fits, early := wanted.fits(r, onlyEarly)
		passed = passed || early
		if fits && (best == nil || best.version.Compare(r.version) < 0) {
			best = r
		}
	}
	switch {
	case best == nil && passed:
		return Selected{}, errors.New("only pre-releases satisfy it")
	case best == nil:
		return Selected{}, errors.New("no version satisfies it")
	case best.early && wanted.allowed != nil && strings.Contains(strings.ReplaceAll(wanted.allowed.String(), "<=", ""), "<"):
		return Selected{}, errors.New("installers differ in whether its upper bound allows pre-releases")
	case len(best.files) > provenance.MaxReleaseFiles:
		return Selected{}, fmt.Errorf("it has more than %d files", provenance.MaxReleaseFiles)
	}
	out := Selected{Version: best.version.String(), Files: best.files}
	if python := slices.Compact(slices.Sorted(slices.Values(best.python))); len(python) == 1 {
		out.Python = python[0]
	}
	return out, nil
}

// maxReleases bounds the versions of one project.
const maxReleases = 50_000

// releases are those of which something is not yanked, or, of the exact version that
// is asked for, anything at all.
func (d *details) releases(project string, exact *semver.Version) ([]*release, error) {
	byVersion := map[string]*release{}
	var out []*release
	for _, f := range d.Files {
		v, ok := provenance.VersionOf(f.Name, project)
		if !ok || isYanked(f.Yanked) && (exact == nil || !provenance.SatisfiesPin(v, exact)) {
			continue
		}
		sum := strings.ToLower(f.Hashes["sha256"])
		r := byVersion[v.Canon(true)]
		if r == nil {
			if len(out) == maxReleases {
				return nil, fmt.Errorf("%w: more than %d versions", errAnswer, maxReleases)
			}
			r = newRelease(v)
			byVersion[v.Canon(true)] = r
			out = append(out, r)
		}
		switch {
		case !isSHA256.MatchString(sum):
			return nil, fmt.Errorf("%w: a file has no sha256", errAnswer)
		case r.files[f.Name] != "":
			return nil, fmt.Errorf("%w: it lists a file twice", errAnswer)
		}
		r.files[f.Name] = sum
		python := ""
		if f.Python != nil {
			python = *f.Python
		}
		r.python = append(r.python, python)
	}
	return out, nil
}

// isYanked reads what may be true, or a reason (PEP 592: even an empty one yanks).
func isYanked(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return true
	default:
		return false
	}
}
