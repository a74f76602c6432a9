package provenance

import (
	"context"
	"slices"
	"strings"
	"time"

	"deps.dev/util/semver"
)

// Archive remembers earlier releases of packages, whatever their registry says of
// them today.
type Archive interface {
	// Releases returns the releases of a package that were seen.
	Releases(ctx context.Context, s Subject) ([]Release, error)
}

// Remember adds to the answers of a source what an archive remembers of a
// package's other versions. A nil archive remembers nothing.
func Remember(src Source, a Archive) Source {
	if a == nil {
		return src
	}
	return remembering{src, a}
}

type remembering struct {
	Source
	archive Archive
}

// Attestations implements Source. What the archive has seen as attested stays so,
// even where the registry does not say it any more.
func (r remembering) Attestations(ctx context.Context, s Subject) (Set, error) {
	set, err := r.Source.Attestations(ctx, s)
	if err != nil {
		return set, err
	}
	seen, err := r.archive.Releases(ctx, s)
	if err != nil {
		return Set{Availability: Unreachable, Registry: set.Registry, Reason: "the archive cannot be asked: " + oneLine(err), Hint: "repair the archive, or leave it out"}, ctx.Err()
	}
	set.Remembered = slices.Concat(set.Remembered, seen)
	return set, nil
}

// history are the other releases of a subject that somebody knows of: what an
// archive remembers comes first.
func (set Set) history() []Release {
	if set.Metadata == nil {
		return set.Remembered
	}
	return slices.Concat(set.Remembered, set.Metadata.Others)
}

// before reports whether x came out before the subject: by the dates where both
// are known and differ, since a stolen token publishes today whatever number it
// chooses, else by the versions. A registry that was filled from another may have
// one date for all.
func (x Release) before(version string, published time.Time) bool {
	if !x.Published.IsZero() && !published.IsZero() && !x.Published.Equal(published) {
		return x.Published.Before(published)
	}
	a, err := semver.NPM.Parse(x.Version)
	if err != nil {
		return false
	}
	b, err := semver.NPM.Parse(version)
	return err == nil && a.Compare(b) < 0
}

// latest returns the last release before the subject that satisfies keep.
func latest(version string, published time.Time, history []Release, keep func(Release) bool) (Release, bool) {
	var found Release
	ok := false
	for _, x := range history {
		if x.Version != version && keep(x) && x.before(version, published) && (!ok || found.before(x.Version, x.Published)) {
			found, ok = x, true
		}
	}
	return found, ok
}

// previous returns the release that came out last before the subject.
func previous(version string, published time.Time, history []Release) (Release, bool) {
	return latest(version, published, history, func(Release) bool { return true })
}

// attestedBefore returns what shows that a version without attestations has lost
// them: its own earlier self, which an archive has seen, or the last release of
// the same major version that was attested. A prerelease counts for prereleases
// only: many projects publish those by a workflow, and the rest by hand.
func attestedBefore(version string, published time.Time, history []Release) (Release, bool) {
	for _, x := range history {
		if x.Version == version && x.Attested {
			return x, true
		}
	}
	return latest(version, published, history, func(x Release) bool {
		return x.Attested && major(x.Version) == major(version) && (!prerelease(x.Version) || prerelease(version))
	})
}

// publisherChanged reports whether somebody else than before published a version:
// not who published the previous one, and either an account that has published no
// earlier version, or an account where a trusted publisher did it before. Two
// maintainers who take turns are no change, and neither is the move from an
// account to a trusted publisher: what that may build is for the provenance to
// say.
func publisherChanged(version string, m Metadata, history []Release) bool {
	last, ok := previous(version, m.Published, history)
	now := m.Publisher
	switch {
	case !ok || now == Publisher{} || last.Publisher == Publisher{}:
		return false // nobody says who, or who before
	case now == last.Publisher:
		return false
	case now.Trusted != "":
		return last.Publisher.Trusted != "" && last.Publisher.Trusted != now.Trusted
	case last.Publisher.Trusted != "":
		return true
	}
	return !slices.ContainsFunc(history, func(x Release) bool {
		return x.Version != version && x.Publisher == now && x.before(version, m.Published)
	})
}

// clipped is a release for a result, in which foreign text is short.
func (x Release) clipped() *Release {
	x.Version, x.Repository = clip(x.Version), clip(x.Repository)
	x.Publisher = Publisher{clip(x.Publisher.Name), clip(x.Publisher.Trusted)}
	return &x
}

func major(version string) string {
	m, _, _ := strings.Cut(version, ".")
	return m
}

func prerelease(version string) bool {
	version, _, _ = strings.Cut(version, "+")
	return strings.Contains(version, "-")
}

// ConfiguredRegistry returns what the source says.
func (r remembering) ConfiguredRegistry(s Subject) (string, error) {
	if x, ok := r.Source.(Registrar); ok {
		return x.ConfiguredRegistry(s)
	}
	return "", nil
}
