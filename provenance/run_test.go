package provenance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"countermark/sbom"
)

type sourceFunc func(ctx context.Context, s Subject) (Set, error)

func (f sourceFunc) Attestations(ctx context.Context, s Subject) (Set, error) { return f(ctx, s) }

func nobody(Subject) Expectation { return Expectation{} }

func TestRunKeepsOrderAndBound(t *testing.T) {
	v := verifier(t, embedded(t))
	var subjects []Subject
	for i := range 200 {
		s := Subject{Ecosystem: sbom.NPM, Name: fmt.Sprintf("p%d", i), Version: "1.0.0"}
		if i%10 == 0 {
			s.Unsupported = "a local path"
		}
		subjects = append(subjects, s)
	}
	var running, most, asked atomic.Int32
	src := sourceFunc(func(_ context.Context, s Subject) (Set, error) {
		asked.Add(1)
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		if s.Name == "p7" {
			return Set{}, errors.New("broken")
		}
		return Set{Availability: None}, nil
	})
	results, err := Run{Subjects: subjects, Jobs: 3, Expect: nobody, Source: src, Verifier: v}.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		want := Absent
		switch {
		case i%10 == 0:
			want = Unsupported
		case i == 7:
			want = Unavailable
		}
		if r.Subject.Name != subjects[i].Name || r.State != want {
			t.Errorf("%d: %s is %s, want %s", i, r.Subject.Name, r.State, want)
		}
	}
	if most.Load() > 3 {
		t.Errorf("%d at a time, at most 3 were wanted", most.Load())
	}
	if asked.Load() != 180 {
		t.Errorf("%d subjects were asked about, want 180", asked.Load())
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src := sourceFunc(func(ctx context.Context, _ Subject) (Set, error) {
		cancel()
		return Set{}, ctx.Err()
	})
	subjects := make([]Subject, 1000)
	for i := range subjects {
		subjects[i] = Subject{Ecosystem: sbom.NPM, Name: "p", Version: "1.0.0"}
	}
	if _, err := (Run{Subjects: subjects, Jobs: 2, Expect: nobody, Source: src, Verifier: verifier(t, embedded(t))}).Results(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	subjects = subjects[:1]
	if _, err := (Run{Subjects: subjects, Jobs: 1, Expect: nobody, Source: src, Verifier: verifier(t, embedded(t))}).Results(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before it began: %v", err)
	}
	if results, err := (Run{Expect: nobody, Source: src}).Results(t.Context()); err != nil || len(results) != 0 {
		t.Errorf("nothing to do: %v, %v", results, err)
	}
}

// TestRunAfterDeadline: a registry that is slow for one package must not make
// what is known of the others unknown.
func TestRunAfterDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		src := sourceFunc(func(ctx context.Context, s Subject) (Set, error) {
			if s.Name == "slow" {
				<-ctx.Done()
				return Set{}, ctx.Err()
			}
			return Set{Availability: None}, nil
		})
		var subjects []Subject
		for _, name := range []string{"first", "slow", "never asked", "local"} {
			subjects = append(subjects, Subject{Ecosystem: sbom.NPM, Name: name, Version: "1.0.0"})
		}
		subjects[3].Unsupported = "a local path"
		results, err := Run{Subjects: subjects, Jobs: 1, Expect: nobody, Source: src, Verifier: verifier(t, embedded(t))}.Results(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []State{Absent, Unavailable, Unavailable, Unsupported} {
			got := results[i]
			if got.State != want || got.Subject.Name != subjects[i].Name || got.Reason == "" || got.Hint == "" {
				t.Errorf("%s is %s (%s; %s), want %s", subjects[i].Name, got.State, got.Reason, got.Hint, want)
			}
			if want == Unavailable && !strings.Contains(got.Reason, "--timeout") {
				t.Errorf("%s: %s", subjects[i].Name, got.Reason)
			}
		}
	})
}

// TestSources: each ecosystem's source is asked, and what nobody has is unknown.
func TestSources(t *testing.T) {
	src := Sources{sbom.NPM: sourceFunc(func(context.Context, Subject) (Set, error) { return Set{Availability: None}, nil })}
	for ecosystem, want := range map[sbom.Ecosystem]Availability{sbom.NPM: None, sbom.OCI: Unreachable, "": Unreachable} {
		set, err := src.Attestations(t.Context(), Subject{Ecosystem: ecosystem, Name: "a", Version: "1.0.0"})
		if err != nil || set.Availability != want || want == Unreachable && (set.Reason == "" || set.Hint == "") {
			t.Errorf("%q: got %+v, %v, want %s", ecosystem, set, err, want)
		}
	}
	named := Sources{sbom.NPM: Offline{Registry: func(Subject) (string, error) { return "https://registry.example/", nil }}}
	for ecosystem, want := range map[sbom.Ecosystem]string{sbom.NPM: "https://registry.example/", sbom.OCI: ""} {
		if got, err := named.ConfiguredRegistry(Subject{Ecosystem: ecosystem}); err != nil || got != want {
			t.Errorf("%q: the registry is %q, %v, want %q", ecosystem, got, err, want)
		}
	}
}
