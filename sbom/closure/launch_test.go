package closure

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"countermark/sbom"
	"countermark/sbom/mcp"
)

var when = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// scan reads one configuration and resolves it.
func scan(t *testing.T, config string, source Source) *sbom.Inventory {
	t.Helper()
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: fstest.MapFS{".mcp.json": {Data: []byte(config)}}}}, sbom.Options{
		Readers: []sbom.Reader{mcp.Reader{}},
		Resolve: Launches{Source: source, At: when}.Resolve,
	})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func properties(c *sbom.Component) []string {
	out := []string{}
	for _, p := range c.Properties {
		out = append(out, strings.TrimPrefix(p.Name, "countermark:resolved:")+"="+p.Value)
	}
	return out
}

func TestLaunches(t *testing.T) {
	inv := scan(t, `{"mcpServers": {
		"a": {"command": "npx", "args": ["-y", "tool"]},
		"b": {"command": "npx", "args": ["tool@1.0.0"]},
		"c": {"command": "pnpm", "args": ["dlx", "other@^1"]}}}`, newShelf(t, `
		tool@1.0.0 dep@1
		tool@1.1.0 dep@1 ?some@1
		dep@1.0.0
		some@1.0.0
		other@1.0.0 dep@1`))
	for _, tt := range []struct {
		ref      string
		origin   sbom.Origin
		scope    sbom.Scope
		coverage sbom.Coverage
		hashes   bool
		answered bool
		facts    []string
		edges    []string
	}{
		{"pkg:npm/tool", sbom.OriginMCP, sbom.Required, sbom.CompleteCoverage, false, false,
			[]string{"at=2026-01-02T03:04:05Z", "version=1.1.0"}, []string{"pkg:npm/tool@1.1.0"}},
		{"pkg:npm/tool@1.1.0", sbom.OriginMCP | sbom.OriginTransitive, sbom.Required, sbom.CompleteCoverage, false, true,
			[]string{"at=2026-01-02T03:04:05Z", "request=*"}, []string{"pkg:npm/dep@1.0.0", "pkg:npm/some@1.0.0"}},
		{"pkg:npm/tool@1.0.0", sbom.OriginMCP, sbom.Required, sbom.CompleteCoverage, false, false,
			[]string{"at=2026-01-02T03:04:05Z", "integrity=sha512-tool@1.0.0", "version=1.0.0"}, []string{"pkg:npm/dep@1.0.0"}},
		{"pkg:npm/some@1.0.0", sbom.OriginTransitive, sbom.Optional, sbom.CompleteCoverage, false, true, []string{"at=2026-01-02T03:04:05Z"}, nil},
		{"pkg:npm/other@1.0.0", sbom.OriginMCP | sbom.OriginTransitive, sbom.Required, sbom.IncompleteCoverage, false, true,
			[]string{"at=2026-01-02T03:04:05Z", "request=^1", "unresolved=what comes with it is decided by another program than npm"}, nil},
	} {
		c := inv.Component(tt.ref)
		if c == nil {
			t.Errorf("%s is missing", tt.ref)
			continue
		}
		if c.Origin != tt.origin || c.Scope != tt.scope || c.Coverage != tt.coverage || (len(c.Hashes) > 0) != tt.hashes || c.Answered != tt.answered {
			t.Errorf("%s: %+v", tt.ref, c)
		}
		if diff := cmp.Diff(tt.facts, properties(c)); diff != "" {
			t.Errorf("%s: facts (-want +got)\n%s", tt.ref, diff)
		}
		if diff := cmp.Diff(tt.edges, inv.Edges[tt.ref]); diff != "" {
			t.Errorf("%s: edges (-want +got)\n%s", tt.ref, diff)
		}
	}
}

type down struct{}

func (down) Packument(context.Context, string) (*Packument, error) {
	return nil, errors.New("the registry does not answer")
}

// What nobody could say leaves the answer unknown, and the rest stays.
func TestLaunchesUnknown(t *testing.T) {
	inv := scan(t, "{\"mcpServers\": {\n\"a\": {\"command\": \"npx\", \"args\": [\"tool@1.0.0\"]}}}", down{})
	want := []sbom.Problem{{
		Code: sbom.Unresolved, Line: 2, Column: 1,
		Message: "what tool@1.0.0 would be today is not known: tool: the registry does not answer",
		Hint:    "try again later, or give a recorded snapshot",
	}}
	if diff := cmp.Diff(want, inv.Inputs[0].Problems); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if c := inv.Component("pkg:npm/tool@1.0.0"); c == nil || c.Coverage != sbom.UnknownCoverage || !inv.Incomplete() {
		t.Errorf("got %+v", c)
	}
}

// A cancelled resolution is no answer.
func TestLaunchesCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := sbom.NewBuilder()
	id := b.Add(sbom.Component{Name: "tool", PURL: "pkg:npm/tool", Ecosystem: sbom.NPM}, sbom.Use{})
	server := b.Add(sbom.Component{Ref: "s", Server: &sbom.Server{}}, sbom.Use{})
	b.Launches(server, []sbom.Launch{{Kind: sbom.KindNPM, Pin: sbom.PinUnversioned}}, []sbom.ID{id})
	if err := (Launches{Source: down{}}).Resolve(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
