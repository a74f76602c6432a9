package selection

import (
	"context"
	"errors"
	"strings"
	"testing"

	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/mcp/lock"
)

// starting is an inventory of one server that starts one thing.
func starting(c sbom.Component, l sbom.Launch, risks ...sbom.Risk) (*sbom.Inventory, *sbom.Component) {
	l.Ref = c.Ref
	server := &sbom.Component{Ref: "mcp:.mcp.json#s", Server: &sbom.Server{Name: "s", Launches: []sbom.Launch{l}, Risks: risks}}
	return &sbom.Inventory{Root: &sbom.Component{Ref: "project"}, Components: []*sbom.Component{server, &c}}, server
}

func nothingProven(context.Context, []provenance.Subject) (Facts, error) {
	return func(*sbom.Component, sbom.Launch) lock.Known { return lock.Known{} }, nil
}

// TestReasons: where nobody can be asked, it is said why, and how to go on.
func TestReasons(t *testing.T) {
	npm := sbom.Component{Ref: "pkg:npm/tool", PURL: "pkg:npm/tool", Ecosystem: sbom.NPM, Name: "tool"}
	python := sbom.Component{Ref: "pkg:pypi/tool", PURL: "pkg:pypi/tool", Ecosystem: sbom.PyPI, Name: "tool"}
	image := sbom.Component{Ref: "pkg:oci/tool", PURL: "pkg:oci/tool", Ecosystem: sbom.OCI, Name: "tool"}
	git := sbom.Component{Ref: "pkg:github/acme/tool", PURL: "pkg:github/acme/tool", Name: "tool"}
	floating := func(kind sbom.Kind, pin sbom.Pin) sbom.Launch { return sbom.Launch{Kind: kind, Pin: pin, Spec: "tool"} }
	steered := floating(sbom.KindNPM, sbom.PinUnversioned)
	steered.Steered = "the option --before"
	for name, tt := range map[string]struct {
		asking    Asking
		component sbom.Component
		launch    sbom.Launch
		risks     []sbom.Risk
		want      string
	}{
		"offline":               {Asking{Offline: true}, npm, floating(sbom.KindNPM, sbom.PinUnversioned), nil, "run again without --offline"},
		"steered":               {Asking{}, npm, steered, nil, "the option --before changes what it selects"},
		"a registry of its own": {Asking{}, npm, floating(sbom.KindNPM, sbom.PinRange), []sbom.Risk{{Code: sbom.RiskRegistry}}, ErrOwnRegistry.Error()},
		"no registry":           {Asking{}, npm, floating(sbom.KindNPM, sbom.PinRange), nil, "a spec of the kind npm"},
		"no index": {Asking{Python: provenance.Offline{Reason: "no index is named", Hint: "name it"}}, python,
			floating(sbom.KindPyPI, sbom.PinUnversioned), nil, "no index is named; name it"},
		"no registry of images": {Asking{Images: provenance.Offline{}}, image, floating(sbom.KindOCI, sbom.PinTag), nil, "no registry was asked"},
		"no repository":         {Asking{}, git, floating(sbom.KindGit, sbom.PinGitRef), nil, "a spec of the kind git"},
	} {
		t.Run(name, func(t *testing.T) {
			inv, server := starting(tt.component, tt.launch, tt.risks...)
			tt.asking.Inventory, tt.asking.Prove = inv, nothingProven
			s, err := tt.asking.Find(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			l := server.Server.Launches[0]
			if got := s.Reason(server, l); !strings.Contains(got, tt.want) {
				t.Errorf("the reason is %q, want %q", got, tt.want)
			}
			if got := s.Hint(server, "tool"); !strings.Contains(got, tt.want) {
				t.Errorf("the hint is %q, want %q", got, tt.want)
			}
			if got := s.Known(server, l); got.Version != "" || got.Digest != "" || s.Closure(server, l) != nil {
				t.Errorf("something is known: %+v", got)
			}
			if got := s.Incomplete(server, "tool"); got != (tt.launch.Kind == sbom.KindNPM) {
				t.Errorf("something that comes with it is missing: %v", got)
			}
		})
	}
}

// TestExact: an exact version is proven, and what is proven of it is known.
func TestExact(t *testing.T) {
	c := sbom.Component{Ref: "pkg:npm/tool@1.0.0", PURL: "pkg:npm/tool@1.0.0", Ecosystem: sbom.NPM, Name: "tool", Version: "1.0.0", Source: sbom.FromRegistry}
	inv, server := starting(c, sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinExact, Spec: "tool@1.0.0", Request: "1.0.0"})
	var asked []string
	s, err := Asking{Inventory: inv, Offline: true, Prove: func(_ context.Context, subjects []provenance.Subject) (Facts, error) {
		for _, subject := range subjects {
			asked = append(asked, subject.Ref)
		}
		return func(_ *sbom.Component, l sbom.Launch) lock.Known { return lock.Known{Integrity: "of " + l.Ref} }, nil
	}}.Find(t.Context())
	if err != nil || strings.Join(asked, " ") != c.Ref {
		t.Fatalf("asked about %q, %v", asked, err)
	}
	if got := s.Known(server, server.Server.Launches[0]); got.Integrity != "of "+c.Ref || got.Closure != nil {
		t.Errorf("known is %+v", got)
	}
	if got := s.Hint(nil, "tool@1.0.0"); got != "" {
		t.Errorf("of no server there is a hint: %s", got)
	}
}

func TestCancelled(t *testing.T) {
	inv, _ := starting(sbom.Component{Ref: "x"}, sbom.Launch{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Asking{Inventory: inv, Prove: nothingProven}).Find(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	failing := func(context.Context, []provenance.Subject) (Facts, error) { return nil, context.DeadlineExceeded }
	if _, err := (Asking{Inventory: inv, Prove: failing}).Find(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
