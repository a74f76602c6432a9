package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/mcp/lock"
)

// LockFacts returns what proofs say of a launch, in the words of a lock. A lock is
// written with it, and compared with it.
func LockFacts(results []provenance.Result) func(server *sbom.Component, l sbom.Launch) lock.Known {
	byRef := map[string]*provenance.Result{}
	for i := range results {
		byRef[results[i].Subject.Ref] = &results[i]
	}
	return func(_ *sbom.Component, l sbom.Launch) lock.Known {
		if l.Ref == "" {
			return lock.Known{}
		}
		return lockFacts(byRef[l.Ref])
	}
}

func lockFacts(r *provenance.Result) lock.Known {
	var known lock.Known
	if r == nil {
		return known
	}
	if r.ExpectedRepo != "" {
		known.Source = &lock.Source{Repository: r.ExpectedRepo, From: r.ExpectedFrom}
	}
	switch r.State {
	case provenance.Verified, provenance.Unvouched, provenance.Mismatch:
		known.Attested = new(true)
	case provenance.Absent, provenance.Lost:
		known.Attested = new(false)
	default: // it is not known
	}
	if r.Registry != nil && r.Subject.Ecosystem == sbom.NPM {
		var hashes []sbom.Hash
		for _, d := range r.Registry.Digests {
			hashes = append(hashes, sbom.Hash{Algorithm: d.Algorithm, Value: strings.ToLower(d.Value)})
		}
		known.Integrity = lock.Integrity(hashes)
	}
	return known
}

// Attested remembers which packages the locks say were attested. What has no
// attestation today, and had one then, has lost it.
type Attested struct{ Locks []*lock.Lock }

var _ provenance.Archive = Attested{}

// lockKinds are the ecosystems of what a lock can say to have been attested.
var lockKinds = map[sbom.Ecosystem]sbom.Kind{sbom.NPM: sbom.KindNPM, sbom.PyPI: sbom.KindPyPI}

// Releases implements provenance.Archive.
func (a Attested) Releases(_ context.Context, s provenance.Subject) ([]provenance.Release, error) {
	var out []provenance.Release
	for _, l := range a.Locks {
		for launch := range l.Launches() {
			if launch.Attested == nil || !*launch.Attested || launch.Version == "" || launch.Name != s.Name || launch.Kind != lockKinds[s.Ecosystem] {
				continue
			}
			if r := (provenance.Release{Version: launch.Version, Attested: true}); !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	slices.SortFunc(out, func(a, b provenance.Release) int { return cmp.Compare(a.Version, b.Version) })
	return out, nil
}

const hintLock = "write it with `countermark lock`"

// withoutLock says why drift cannot be found. Where no server is configured,
// nothing can drift.
func withoutLock(e *evaluation) string {
	if len(e.facts.Locks) == 0 && len(e.servers) > 0 {
		return "there is no " + lock.FileName + " beside the configurations; " + hintLock
	}
	return ""
}

// withoutSomeLock says of which configurations there is no lock. What a floating
// spec selects at the moment is not asked for here.
func withoutSomeLock(e *evaluation) string {
	if len(e.facts.Locks) == 0 {
		return ""
	}
	if n := len(e.locked().Unlocked); n > 0 {
		return fmt.Sprintf("no %s is about %d of the configurations, such as %s; %s", lock.FileName, n, e.locked().Unlocked[0], hintLock)
	}
	return ""
}

// locked is the comparison with the locks, which is made once.
func (e *evaluation) locked() lock.Comparison {
	if e.drift == nil {
		today := lock.Make(e.facts.Inventory, LockFacts(e.facts.Provenance))
		c := lock.Compare(e.facts.Locks, today, e.facts.Inventory)
		e.drift = &c
	}
	return *e.drift
}

func findDrift(e *evaluation, _ *Rule, report func(hit)) {
	for _, d := range e.locked().Drifts {
		h := hit{server: d.Server, expected: d.Was, actual: d.Is, detail: fmt.Sprint(d.Change, " ", d.File, "#", d.Name, " ", d.Launch)}
		h.message = DriftMessage(d)
		h.fix = DriftFix(d.Change)
		if d.Server == nil {
			h.what = CaseRemoved
			h.at = &Location{Path: d.Lock.Path, Line: d.Lock.Line(base(d.File), d.Name)}
		}
		report(h)
	}
}

func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// DriftMessage says what has changed, without the place. It quotes names of the
// configuration.
func DriftMessage(d lock.Drift) string {
	server := "server " + named(d.Name)
	if d.Subject != "" {
		server += " starts " + named(d.Subject) + ", and"
	}
	switch d.Change {
	case lock.ServerAdded:
		if d.Lock == nil {
			return server + " stands in " + named(d.File) + ", which no lock is about"
		}
		return server + " is not in the lock"
	case lock.ServerRemoved:
		return server + " is in the lock, and not in " + named(d.File)
	case lock.Unapproved:
		return server + " is in the lock, but nobody approved it"
	case lock.SpecChanged, lock.HostChanged:
		return "server " + named(d.Name) + " starts " + named(d.Is) + " where the lock has " + named(d.Was)
	default:
		return server + " " + driftWords[d.Change]
	}
}

var driftWords = map[lock.Change]string{
	lock.LauncherChanged: "is started in another way than the lock says",
	lock.LaunchesChanged: "starts other things than the lock says",
	lock.CommandChanged:  "has other arguments, another folder or other headers than the lock says",
	lock.EnvChanged:      "is given other environment variables than the lock says",
	lock.VersionChanged:  "that selects another version than the lock says",
	lock.BytesChanged:    "that has other bytes than the lock says, under the same name",
	lock.SourceChanged:   "that is expected from another source than the lock says",
	lock.AttestationLost: "that is not attested any more, as it was when the lock was written",
	lock.VendorChanged:   "that is not what the lockfile of its folder says any more",
	lock.ClosureChanged:  "other packages come with it than the lock says",
}

// DriftFix says what to do about a change.
func DriftFix(c lock.Change) string { return cmp.Or(driftFix[c], fixReview) }

const fixReview = "review the change, then write the lock again (countermark lock --approve-as NAME)"

var driftFix = map[lock.Change]string{
	lock.ServerAdded:     "find out who added it; if it belongs here, write the lock again (countermark lock --approve-as NAME)",
	lock.ServerRemoved:   "write the lock again (countermark lock)",
	lock.Unapproved:      "review the server, then approve it (countermark lock --approve-as NAME --server SERVER)",
	lock.BytesChanged:    "do not run it: a version or tag that changes its bytes was published anew by somebody; compare it with what its project names",
	lock.AttestationLost: "do not run it until the project explains why it is not attested any more",
	lock.VendorChanged:   "restore the folder with its package-lock.json; review what else was changed",
	lock.ClosureChanged:  "look at what was added, then write the lock again (countermark lock --approve-as NAME)",
}
