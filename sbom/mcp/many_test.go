package mcp

import (
	"fmt"
	"strings"
	"testing"

	"countermark/sbom"
)

// TestManyOfOneServer reads a server with tens of thousands of credentials, which
// takes minutes where each is compared with all the others: the time limit of the
// test run is what would tell.
func TestManyOfOneServer(t *testing.T) {
	const n = 40_000
	var env, args strings.Builder
	for i := range n {
		fmt.Fprintf(&env, ",\n\"TOKEN_%d\": \"sk-%032x\"", i, i)
		fmt.Fprintf(&args, ", \"--token=sk-%032x\"", i)
	}
	inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {"command": "x", "env": {"A": ""` + env.String() + `}, "b": ["x"` + args.String() + `]}}}`})
	s := serversOf(inv)[0]
	if len(s.Credentials) != n || len(s.Env) != n+1 || len(s.Risks) < n {
		t.Errorf("%d credentials, %d variables and %d risks, want %d of each", len(s.Credentials), len(s.Env), len(s.Risks), n)
	}
	for _, r := range s.Risks {
		if r.Code != sbom.RiskSecret {
			t.Fatalf("risk %+v", r)
		}
	}
}
