package policy

import (
	"strings"
	"testing"

	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/mcp/lock"

	"github.com/google/go-cmp/cmp"
)

// lockedFacts is a project with one server, and the lock that was written of it
// before change changed something.
func lockedFacts(change func(l *lock.Lock, f *Facts)) func() Facts {
	return func() Facts {
		c := library("harmless-tool", "1.2.3", sbom.OriginMCP)
		file := &sbom.Component{Ref: "mcp:.mcp.json", Type: sbom.FileType, Name: ".mcp.json"}
		f := facts([]provenance.Result{result(c, provenance.Absent)}, c, file, starting("s", nil, pinned(c)))
		f.Inventory.Edges = map[string][]string{"mcp:.mcp.json": {"mcp:.mcp.json#s"}}
		f.Locks = lock.Make(f.Inventory, LockFacts(f.Provenance))
		change(f.Locks[0], &f)
		return f
	}
}

func lockedServer(l *lock.Lock) *lock.Server { return l.Configurations[".mcp.json"].Servers["s"] }

func lockCases() []ruleCase {
	drift := func(name, severity string, change func(l *lock.Lock, f *Facts)) ruleCase {
		return ruleCase{"launch-drift", name, lockedFacts(change), severity, severity}
	}
	return []ruleCase{
		drift("as locked", "", func(*lock.Lock, *Facts) {}),
		drift("no lock", "", func(_ *lock.Lock, f *Facts) { f.Locks = nil }),
		drift("another spec", "error", func(l *lock.Lock, _ *Facts) { lockedServer(l).Launches[0].Spec = "harmless-tool@1.2.2" }),
		drift("more than one change", "error"+" error", func(l *lock.Lock, _ *Facts) {
			lockedServer(l).Launcher, lockedServer(l).Env = "bunx", []string{"A"}
		}),
		drift("attestation lost", "error", func(l *lock.Lock, _ *Facts) { lockedServer(l).Launches[0].Attested = new(true) }),
		drift("attestation not known", "", func(l *lock.Lock, f *Facts) {
			lockedServer(l).Launches[0].Attested = new(true)
			f.Provenance[0].State = provenance.Unavailable
		}),
		drift("a server that nobody locked", "error", func(l *lock.Lock, _ *Facts) { delete(l.Configurations[".mcp.json"].Servers, "s") }),
		drift("a file that nobody locked", "error", func(l *lock.Lock, _ *Facts) {
			l.Path = "other/" + lock.FileName
			l.Configurations = map[string]lock.Configuration{}
		}),
		drift("one that is gone", "info", func(l *lock.Lock, _ *Facts) {
			l.Configurations[".mcp.json"].Servers["gone"] = &lock.Server{}
		}),
		drift("not approved beside one that is, and gone", "error info", func(l *lock.Lock, _ *Facts) {
			l.Configurations["mcp.json"] = lock.Configuration{Servers: map[string]*lock.Server{"t": {Approved: &lock.Approval{By: "Ann", At: "2026-11-24T12:00:00Z"}}}}
		}),
	}
}

// TestDriftNotEvaluated: a policy that asks for drift is not met without a lock.
func TestDriftNotEvaluated(t *testing.T) {
	asks := policyOf(t, "rules: {launch-drift: {severity: error}, provenance-missing: {severity: off}, source-unvouched: {severity: off}}")
	without := lockedFacts(func(_ *lock.Lock, f *Facts) { f.Locks = nil })
	if v := Evaluate(asks, without()); v.Verdict != Unknown || v.ExitCode != 3 {
		t.Errorf("without a lock: %s", v.Verdict)
	}
	if v := Evaluate(asks, lockedFacts(func(*lock.Lock, *Facts) {})()); v.Verdict != Pass {
		t.Errorf("as locked: %s: %+v", v.Verdict, v.Findings)
	}
	elsewhere := lockedFacts(func(l *lock.Lock, _ *Facts) { l.Path = "~/" + lock.FileName })
	if got := severities(Evaluate(nil, elsewhere()), "launch-drift"); got != "info" {
		t.Errorf("a lock of the user's own files only: %q", got)
	}
	v := Evaluate(asks, elsewhere()) // where the policy sets a severity, it is that of all drift
	if got := severities(v, "launch-drift"); got != "error" || len(v.NotEvaluated) == 0 || v.NotEvaluated[0].Rule == "" {
		t.Errorf("a lock of the user's own files only: %q %+v", got, v.NotEvaluated)
	}
}

func TestDriftMessages(t *testing.T) {
	at := &lock.Lock{Path: lock.FileName}
	for _, change := range []lock.Change{
		lock.ServerAdded, lock.ServerRemoved, lock.Unapproved, lock.LauncherChanged, lock.LaunchesChanged, lock.SpecChanged, lock.HostChanged,
		lock.CommandChanged, lock.EnvChanged, lock.VersionChanged, lock.BytesChanged, lock.SourceChanged, lock.AttestationLost, lock.ClosureChanged,
	} {
		d := lock.Drift{Change: change, Lock: at, File: ".mcp.json", Name: "s", Was: "a", Is: "b"}
		message := DriftMessage(d)
		if !strings.HasPrefix(message, "server s ") || strings.HasSuffix(message, " ") || len(message) < 20 {
			t.Errorf("%s: %q", change, message)
		}
		if DriftFix(change) == "" {
			t.Errorf("%s: nothing to do", change)
		}
	}
	d := lock.Drift{Change: lock.BytesChanged, Lock: at, Name: "s", Subject: "tool@1.0.0"}
	if got := DriftMessage(d); got != "server s starts tool@1.0.0, and that has other bytes than the lock says, under the same name" {
		t.Error(got)
	}
}

// TestAttestedReleases: a lock reminds of what was attested, and of nothing else.
func TestAttestedReleases(t *testing.T) {
	launch := func(kind sbom.Kind, name, version string, attested *bool) lock.Launch {
		return lock.Launch{Kind: kind, Name: name, Known: lock.Known{Version: version, Attested: attested}}
	}
	l := &lock.Lock{Configurations: map[string]lock.Configuration{".mcp.json": {Servers: map[string]*lock.Server{"s": {Launches: []lock.Launch{
		launch(sbom.KindNPM, "tool", "1.1.0", new(true)), launch(sbom.KindNPM, "tool", "1.0.0", new(true)), launch(sbom.KindNPM, "tool", "1.0.0", new(true)),
		launch(sbom.KindNPM, "tool", "0.9.0", new(false)), launch(sbom.KindNPM, "tool", "0.8.0", nil), launch(sbom.KindNPM, "tool", "", new(true)),
		launch(sbom.KindNPM, "more", "1.0.0", new(true)), launch(sbom.KindPyPI, "tool", "7.0.0", new(true)),
	}}}}}}
	got, err := Attested{[]*lock.Lock{l}}.Releases(t.Context(), provenance.Subject{Ecosystem: sbom.NPM, Name: "tool", Version: "1.2.0"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]provenance.Release{{Version: "1.0.0", Attested: true}, {Version: "1.1.0", Attested: true}}, got); diff != "" {
		t.Error(diff)
	}
}
