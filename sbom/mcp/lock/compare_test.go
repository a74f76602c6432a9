package lock

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

// drifted reads both texts as .mcp.json, locks the first and compares the second.
func drifted(t *testing.T, was, is string, then, now func(*sbom.Component, sbom.Launch) Known) Comparison {
	t.Helper()
	locks := Make(inventory(t, map[string]string{".mcp.json": was}), then)
	inv := inventory(t, map[string]string{".mcp.json": is})
	return Compare(locks, Make(inv, now), inv)
}

func one(entry string) string { return `{"mcpServers": {"s": ` + entry + `}}` }

func changes(c Comparison) string {
	var out []string
	for _, d := range c.Drifts {
		out = append(out, string(d.Change))
	}
	for _, g := range c.Gaps {
		out = append(out, "no "+g.What)
	}
	return strings.Join(out, " ")
}

func always(k Known) func(*sbom.Component, sbom.Launch) Known {
	return func(*sbom.Component, sbom.Launch) Known { return k }
}

func TestDriftOfConfigurations(t *testing.T) {
	const npx = `{"command":"npx","args":["-y","tool@1.0.0","--dir","a"],"env":{"A":"1"}}`
	const copyOfTool = `{"command":"node","args":["/opt/x/node_modules/@acme/tool/dist/a.js","--ro"]}`
	for name, test := range map[string]struct{ was, is, want string }{
		"nothing":             {one(npx), one(npx), ""},
		"layout and comments": {one(npx), "// c\n" + one(strings.ReplaceAll(npx, ",", ",\n  ")), ""},
		"value of a variable": {one(npx), one(strings.Replace(npx, `"1"`, `"2"`, 1)), ""},
		"version":             {one(npx), one(strings.Replace(npx, "1.0.0", "1.0.1", 1)), "spec-changed"},
		"package":             {one(npx), one(strings.Replace(npx, "tool@", "to0l@", 1)), "spec-changed"},
		"no version":          {one(npx), one(strings.Replace(npx, "@1.0.0", "", 1)), "spec-changed"},
		"argument":            {one(npx), one(strings.Replace(npx, `"a"`, `"/"`, 1)), "command-changed"},
		"both":                {one(npx), one(`{"command":"npx","args":["-y","tool@2.0.0","--dir","/"],"env":{"A":"1"}}`), "spec-changed"},
		"launcher":            {one(npx), one(strings.Replace(npx, `"npx"`, `"bunx"`, 1)), "launcher-changed"},
		"variables":           {one(npx), one(strings.Replace(npx, `"A"`, `"NODE_ENV"`, 1)), "env-changed"},
		"remote instead":      {one(npx), one(`{"url":"https://a.example/mcp"}`), "launcher-changed launches-changed env-changed"},
		"one launch more":     {one(`{"command":"docker","args":["run","i@` + digestA + `"]}`), one(`{"command":"docker","args":["run","i@` + digestA + `","npx","tool@1.0.0"]}`), "launches-changed"},
		"path":                {one(`{"url":"https://a.example/mcp"}`), one(`{"url":"https://a.example/other"}`), "spec-changed"},
		"host":                {one(`{"url":"https://a.example/mcp"}`), one(`{"url":"https://b.example/mcp"}`), "host-changed"},
		"scheme":              {one(`{"url":"https://a.example/mcp"}`), one(`{"url":"http://a.example/mcp"}`), "host-changed"},
		"digest":              {one(`{"command":"docker","args":["run","i:1@` + digestA + `"]}`), one(`{"command":"docker","args":["run","i:1@` + digestB + `"]}`), "spec-changed"},
		"new server":          {one(npx), `{"mcpServers": {"s": ` + npx + `, "t": ` + npx + `}}`, "server-added"},
		"removed server":      {`{"mcpServers": {"s": ` + npx + `, "t": ` + npx + `}}`, one(npx), "server-removed"},
		"renamed server":      {one(npx), `{"mcpServers": {"t": ` + npx + `}}`, "server-removed server-added"},
		"second of a name":    {one(npx), `{"mcpServers": {"s": ` + npx + `}, "servers": {"s": ` + npx + `}}`, "server-added"},
		"switched off":        {one(npx), one(strings.Replace(npx, "{", `{"disabled":true,`, 1)), ""},
		"copy":                {one(copyOfTool), one(copyOfTool), ""},
		"file of a copy":      {one(copyOfTool), one(strings.Replace(copyOfTool, "dist/a.js", "dist/b.js", 1)), "spec-changed"},
		"argument of a copy":  {one(copyOfTool), one(strings.Replace(copyOfTool, `"--ro"`, `"--rw"`, 1)), "command-changed"},
		"copy instead":        {one(npx), one(strings.Replace(copyOfTool, `}`, `,"env":{"A":"1"}}`, 1)), "launcher-changed launches-changed"},
		"script":              {one(`{"command":"sh","args":["-c","a | b"]}`), one(`{"command":"sh","args":["-c","a | c"]}`), "command-changed"},
	} {
		if got := changes(drifted(t, test.was, test.is, nothing, nothing)); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestDriftOfFacts(t *testing.T) {
	source := func(repo string) *Source { return &Source{Repository: repo, From: "catalog"} }
	closure := func(list ...string) *Closure {
		c := &Closure{Packages: map[string]string{}}
		for pair := range slices.Chunk(list, 2) {
			c.Packages[pair[0]] = pair[1]
		}
		return c
	}
	for name, test := range map[string]struct {
		was, is Known
		want    string
	}{
		"nothing known":      {Known{}, Known{}, ""},
		"known only now":     {Known{}, Known{Version: "1.0.0", Integrity: sri, Attested: new(true), Closure: closure("a@1.0.0", sri)}, ""},
		"another version":    {Known{Version: "1.0.0", Integrity: sri}, Known{Version: "1.0.1", Integrity: other}, "version-changed"},
		"version unknown":    {Known{Version: "1.0.0", Integrity: sri}, Known{}, "no version"},
		"other bytes":        {Known{Version: "1.0.0", Integrity: sri}, Known{Version: "1.0.0", Integrity: other}, "bytes-changed"},
		"one digest of two":  {Known{Version: "1.0.0", Integrity: sri}, Known{Version: "1.0.0", Integrity: other + " " + sri}, ""},
		"bytes unknown":      {Known{Version: "1.0.0", Integrity: sri}, Known{Version: "1.0.0"}, "no bytes"},
		"other digest":       {Known{Digest: digestA}, Known{Digest: digestB}, "bytes-changed"},
		"digest unknown":     {Known{Digest: digestA}, Known{}, "no bytes"},
		"other commit":       {Known{Commit: strings.Repeat("a", 40)}, Known{Commit: strings.Repeat("b", 40)}, "version-changed"},
		"attestation lost":   {Known{Attested: new(true)}, Known{Attested: new(false)}, "attestation-lost"},
		"attestation gained": {Known{Attested: new(false)}, Known{Attested: new(true)}, ""},
		"attestation open":   {Known{Attested: new(true)}, Known{}, "no attestation"},
		"other source":       {Known{Source: source("https://a.example/a")}, Known{Source: source("https://a.example/b")}, "source-changed"},
		"no source":          {Known{Source: source("https://a.example/a")}, Known{}, "source-changed"},
		"new source":         {Known{}, Known{Source: source("https://a.example/a")}, ""},
		"more comes with it": {Known{Closure: closure("a@1.0.0", sri)}, Known{Closure: closure("a@1.0.0", sri, "b@1.0.0", sri)}, "closure-changed"},
		"other bytes come":   {Known{Closure: closure("a@1.0.0", sri)}, Known{Closure: closure("a@1.0.0", other)}, "closure-changed"},
		"same comes":         {Known{Closure: closure("a@1.0.0", sri)}, Known{Closure: closure("a@1.0.0", sri)}, ""},
		"closure unknown":    {Known{Closure: closure("a@1.0.0", sri)}, Known{}, "no closure"},
	} {
		text := one(`{"command":"npx","args":["-y","tool"]}`)
		if got := changes(drifted(t, text, text, always(test.was), always(test.is))); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	many := closure()
	for i := range 10 {
		many.Packages[fmt.Sprintf("p%d@1.0.0", i)] = ""
	}
	c := drifted(t, one(`{"command":"npx","args":["tool"]}`), one(`{"command":"npx","args":["tool"]}`), always(Known{Closure: closure()}), always(Known{Closure: many}))
	if got := c.Drifts[0].Is; got != "p0@1.0.0, p1@1.0.0, p2@1.0.0, p3@1.0.0, p4@1.0.0 and 5 more" {
		t.Errorf("it names %q", got)
	}
}

func TestApprovals(t *testing.T) {
	two := `{"mcpServers": {"a": {"command":"npx","args":["tool@1.0.0"]}, "b": {"command":"npx","args":["more@1.0.0"]}}}`
	inv := inventory(t, map[string]string{".mcp.json": two})
	locks := Make(inv, nothing)
	if got := changes(Compare(locks, Make(inv, nothing), inv)); got != "" {
		t.Errorf("nobody approved anything: %q", got)
	}
	ann := Approval{By: "Ann", At: "2026-11-24T12:00:00Z"}
	locks[0].approve(ann, func(_, name string, _ *Server) bool { return name == "a" })
	if got := changes(Compare(locks, Make(inv, nothing), inv)); got != "unapproved" {
		t.Errorf("one of two is approved: %q", got)
	}
	locks[0].approve(Approval{By: "Ann", At: "2026-11-25T12:00:00Z"}, func(_, _ string, s *Server) bool { return s.Approved == nil })
	if at := locks[0].server(".mcp.json", "a").Approved.At; at != ann.At {
		t.Errorf("a was approved at %s", at)
	}

	// What changed has to be approved anew; what did not change stays approved, with
	// what was known of it.
	locks[0].server(".mcp.json", "a").Launches[0].Integrity = sri
	now := Make(inventory(t, map[string]string{".mcp.json": strings.Replace(two, "more@1.0.0", "more@2.0.0", 1)}), nothing)[0]
	ended := now.carry(locks[0], func(string) bool { return false })
	if !slices.Equal(ended, []string{"b"}) || now.server(".mcp.json", "b").Approved != nil {
		t.Errorf("the approvals of %q ended", ended)
	}
	a := now.server(".mcp.json", "a")
	if a.Approved == nil || a.Approved.By != "Ann" || a.Launches[0].Integrity != sri {
		t.Errorf("a is now %+v", a)
	}
}

// TestCarryUnread: a configuration that was not read keeps what was locked.
func TestCarryUnread(t *testing.T) {
	was := Make(inventory(t, map[string]string{
		".mcp.json": one(`{"command":"npx","args":["tool@1.0.0"]}`), "mcp.json": one(`{"command":"npx","args":["more@1.0.0"]}`),
	}), nothing)[0]
	now := Make(inventory(t, map[string]string{".mcp.json": one(`{"command":"npx","args":["tool@1.0.0"]}`)}), nothing)[0]
	now.carry(was, func(c string) bool { return c == "mcp.json" })
	if got := slices.Sorted(maps.Keys(now.Configurations)); !slices.Equal(got, []string{".mcp.json", "mcp.json"}) {
		t.Errorf("it is about %q", got)
	}
}

// TestAreas: once something is locked, a further configuration may not stand
// beside it; but a project's lock says nothing of the user's own files.
func TestAreas(t *testing.T) {
	entry := one(`{"command":"npx","args":["tool@1.0.0"]}`)
	locks := Make(inventory(t, map[string]string{".mcp.json": entry}), nothing)
	inv := inventory(t, map[string]string{".mcp.json": entry, ".cursor/mcp.json": entry, "a/b/.mcp.json": entry})
	c := Compare(locks, Make(inv, nothing), inv)
	if len(c.Drifts) != 2 || len(c.Unlocked) != 0 {
		t.Errorf("%q %q", changes(c), c.Unlocked)
	}
	for _, d := range c.Drifts {
		if d.Change != ServerAdded || d.Lock != nil || d.Server == nil {
			t.Errorf("%+v", d)
		}
	}
	c = Compare(nil, Make(inv, nothing), inv)
	if len(c.Drifts) != 0 || !slices.Equal(c.Unlocked, []string{".cursor/mcp.json", ".mcp.json", "a/b/.mcp.json"}) {
		t.Errorf("without a lock: %q %q", changes(c), c.Unlocked)
	}
	for name, want := range map[string]string{"a/mcp.lock.json": "", "~/mcp.lock.json": "~", "/etc/x/mcp.lock.json": "/", "$CODEX_HOME/mcp.lock.json": "$CODEX_HOME"} {
		if area(name) != want {
			t.Errorf("%s is in %q", name, area(name))
		}
	}
}
