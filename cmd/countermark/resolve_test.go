package main

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"countermark/policy"
	"countermark/provenance/npm"
	"countermark/provenance/npm/npmtest"
	"countermark/sbom/mcp/lock"
)

// lenientPolicy lets what is not about resolving pass.
const lenientPolicy = `version: 1
sources: {"*": {repo: https://github.com/acme/*}}
registries: [https://registry.example/]
rules:
  integrity-missing: {severity: warn}
  registry-unknown-package: {severity: info}
`

// faultyWorld has a server whose packages a registry knows, and one whose
// dependency meets the faults: what is wrong with one is never about the other.
func faultyWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.installable("good", map[string]any{"dependencies": map[string]string{"dep": "1"}})
	w.installable("dep", nil)
	w.installable("bad", map[string]any{"dependencies": map[string]string{"worse": "1"}})
	w.installable("worse", nil)
	w.write("project/.mcp.json", []byte(`{"mcpServers": {
  "bad": {"command": "npx", "args": ["bad@1.0.0"]},
  "good": {"command": "npx", "args": ["good@1.0.0"]}
}}`))
	w.write("project/countermark.yaml", []byte(lenientPolicy))
	w.adjust = func(p *program) {
		p.client = func(c *npm.Client) { c.Sleep = unrested }
	}
	return w
}

// impatient makes the program wait for no answer.
func (w *world) impatient() {
	w.adjust = func(p *program) {
		p.client = func(c *npm.Client) { c.Sleep, c.Timeout = unrested, 300*time.Millisecond }
	}
}

// unrested goes on at once.
func unrested(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// command runs a command of the program on the project.
func (w *world) command(args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	var out, errs strings.Builder
	p := w.program(&out, &errs)
	w.adjust(p)
	code = p.run(w.t.Context(), append(args,
		"--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
		"--registry", w.url, "--no-cache", filepath.Join(w.dir, "project")))
	return code, out.String(), errs.String()
}

// known reports whether a lock has everything of a server but what is named.
func (w *world) known(server string) (version, integrity, closure bool) {
	w.t.Helper()
	l, err := lock.Parse([]byte(w.locked()))
	if err != nil {
		w.t.Fatal(err)
	}
	launch := l.Configurations[".mcp.json"].Servers[server].Launches[0]
	return launch.Version != "", launch.Integrity != "", launch.Closure != nil
}

// TestResolveFaults: whatever a registry does instead of answering, a resolution or a
// lock says what is not known, at the server whose launch asks for it, and is never a
// pass; the other server is resolved, judged and locked all the same.
func TestResolveFaults(t *testing.T) {
	const other = `{"name": "good", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "good", "version": "1.0.0", "dist": {"tarball": "https://registry.example/x.tgz"}}}}`
	version := func(name, more string) string {
		return `{"name": "NAME", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "` + name + `", "version": "1.0.0"` + more + `}}}`
	}
	const tarball = `, "dist": {"tarball": "https://registry.example/x.tgz"}`
	for name, test := range map[string]struct {
		fault func(name string) npmtest.Fault
		want  string
	}{
		"not found":       {status(http.StatusNotFound), "the registry has no package of this name"},
		"forbidden":       {status(http.StatusForbidden), "answered 403 Forbidden"},
		"broken":          {status(http.StatusInternalServerError), "answered 500 Internal Server Error (4 attempts)"},
		"busy":            {status(http.StatusTooManyRequests), "answered 429 Too Many Requests (4 attempts)"},
		"same":            {status(http.StatusNotModified), "304"},
		"cut":             {always(npmtest.Cut(`{"name": "bad", "versions": {`)), "was cut off (4 attempts)"},
		"short":           {always(npmtest.Short(other)), "is no packument: no JSON"},
		"garbage":         {always(npmtest.Body("<html>welcome to our hotel</html>")), "is no packument: no JSON"},
		"a list":          {always(npmtest.Body("[]")), "is no packument: no JSON object"},
		"endless":         {always(npmtest.Endless()), "is too much: limit reached: a value of more than"},
		"bomb":            {always(npmtest.Bomb()), "is too much: limit reached: a value of more than"},
		"silent":          {always(npmtest.Hang()), "did not answer in time (4 attempts)"},
		"drip":            {always(npmtest.Drip()), "did not answer in time (4 attempts)"},
		"hangs up":        {always(npmtest.HangUp()), "broke (4 attempts)"},
		"loop":            {func(name string) npmtest.Fault { return npmtest.Redirect("/" + name) }, "redirects more than"},
		"another package": {always(npmtest.Body(other)), "is no packument: it is of another package"},
		"keys twice":      {body(`{"name": "NAME", "versions": {}, "versions": {}}`), "is no packument: a key occurs twice"},
		"no version":      {body(`{"name": "NAME", "versions": {}}`), "the registry has no version that satisfies it"},
		"another inside":  {body(version("good", tarball)), "the metadata of the version cannot be understood"},
		"no tarball":      {body(version("NAME", "")), "the metadata of the version cannot be understood"},
	} {
		for _, at := range []string{"bad", "worse"} {
			if at == "bad" && slices.Contains([]string{"is too much: limit reached: a value of more than", "did not answer in time (4 attempts)"}, test.want) {
				continue // what takes its time is tried once
			}
			t.Run(name+" of "+at, func(t *testing.T) {
				w := faultyWorld(t)
				if strings.Contains(test.want, "in time") {
					w.impatient()
					t.Parallel() // behind those that pour out data as fast as they can
				}
				w.registry.FailAlways("/"+at, test.fault(at))
				w.resolves(test.want)
				w.locks(test.want)
			})
		}
	}
}

// TestResolveGit: only the repository knows what comes with the one server.
func TestResolveGit(t *testing.T) {
	w := faultyWorld(t)
	w.installable("worse", map[string]any{"dependencies": map[string]string{"x": "github:acme/x"}})
	w.resolves("x: comes from a git repository")
	w.locks("x: comes from a git repository")
}

func always(f npmtest.Fault) func(string) npmtest.Fault {
	return func(string) npmtest.Fault { return f }
}

func status(code int) func(string) npmtest.Fault { return always(npmtest.Status(code)) }

func body(text string) func(string) npmtest.Fault {
	return func(name string) npmtest.Fault { return npmtest.Body(strings.ReplaceAll(text, "NAME", name)) }
}

// resolves holds check --resolve to an unknown verdict with that reason, at the first
// server, and to the closure of the second.
func (w *world) resolves(want string) {
	w.t.Helper()
	code, stdout, stderr := w.command("check", "--resolve", "--format", "json")
	v := &policy.Verdict{}
	if err := json.Unmarshal([]byte(stdout), v); err != nil {
		w.t.Fatalf("%v\n%s", err, stderr)
	}
	if code != exitUnknown || v.Verdict != policy.Unknown || v.ExitCode != code {
		w.t.Errorf("check: exit code %d, verdict %s\n%s", code, v.Verdict, stdout)
	}
	problems := 0
	for _, in := range v.Inputs {
		for _, problem := range in.Problems {
			problems++
			if !strings.Contains(problem.Message, want) || problem.Line != 2 || problem.Hint == "" {
				w.t.Errorf("line %d: %q does not say %q (hint %q)", problem.Line, problem.Message, want, problem.Hint)
			}
		}
	}
	if problems != 1 {
		w.t.Errorf("%d problems", problems)
	}
	have := map[string]bool{}
	for _, c := range v.Components {
		have[c.PURL] = c.Provenance != nil && c.Provenance.State == "absent"
	}
	if !have["pkg:npm/good@1.0.0"] || !have["pkg:npm/dep@1.0.0"] {
		w.t.Errorf("the other server is not judged: %v", have)
	}
}

// locks holds lock to saying the reason, and to the whole truth of the second server.
func (w *world) locks(want string) {
	w.t.Helper()
	code, stdout, stderr := w.command("lock")
	if code != exitUnknown || !strings.Contains(stderr, ".mcp.json:2:3: server bad: the lock does not say the ") || !strings.Contains(stderr, want) {
		w.t.Errorf("lock: exit code %d, not %q\n%s%s", code, want, stdout, stderr)
	}
	if strings.Contains(stderr, "server good") {
		w.t.Errorf("it finds fault with the other server:\n%s", stderr)
	}
	if _, _, closure := w.known("bad"); closure {
		w.t.Error("the lock has a closure that nobody knows")
	}
	if version, integrity, closure := w.known("good"); !version || !integrity || !closure {
		w.t.Errorf("the other server is not locked in full:\n%s", w.locked())
	}
}

// TestResolvePatience: a registry that answers in the end is believed.
func TestResolvePatience(t *testing.T) {
	w := faultyWorld(t)
	for _, at := range []string{"/bad", "/worse"} {
		w.registry.Fail(at, npmtest.Status(http.StatusInternalServerError), npmtest.HangUp(), npmtest.Cut(`{"name": `))
	}
	code, stdout, stderr := w.command("check", "--resolve", "-v")
	if code != exitPass || !strings.Contains(stdout, "worse 1.0.0") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	w.registry.Fail("/worse", npmtest.Status(http.StatusBadGateway))
	if code, _, stderr := w.command("lock"); code != exitPass {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if version, integrity, closure := w.known("bad"); !version || !integrity || !closure {
		t.Errorf("it is not locked in full:\n%s", w.locked())
	}
}

// TestResolveWithoutDigests: a registry that names no digests is one whose bytes
// nobody knows.
func TestResolveWithoutDigests(t *testing.T) {
	w := faultyWorld(t)
	w.registry.Describe("bad", "1.0.0", npmtest.Details{Tarball: "https://registry.example/bad.tgz", Published: "2020-01-02T00:00:00Z"})
	w.write("project/countermark.yaml", []byte(strings.Replace(lenientPolicy, "warn", "error", 1)))
	code, stdout, _ := w.command("check", "--resolve")
	if code != exitFail || !strings.Contains(stdout, "nothing records which bytes bad 1.0.0 has") {
		t.Errorf("check: exit code %d\n%s", code, stdout)
	}
	code, _, stderr := w.command("lock")
	if code != exitUnknown || !strings.Contains(stderr, "server bad: the lock does not say the bytes of bad@1.0.0") || strings.Contains(stderr, "server good") {
		t.Errorf("lock: exit code %d\n%s", code, stderr)
	}
}

// TestResolveWithoutARegistry: nothing is known of anything, in bounded time.
func TestResolveWithoutARegistry(t *testing.T) {
	w := faultyWorld(t)
	w.registry.FailAlways("", npmtest.Status(http.StatusServiceUnavailable))
	code, _, stderr := w.command("lock")
	if code != exitUnknown || strings.Count(stderr, "answered 503 Service Unavailable") != 2 {
		t.Errorf("lock: exit code %d\n%s", code, stderr)
	}
	w.registry.FailAlways("", npmtest.Hang())
	w.adjust = func(*program) {}
	for _, args := range [][]string{{"lock", "--timeout", "300ms"}, {"check", "--resolve", "--timeout", "300ms"}} {
		if code, _, stderr := w.command(args...); code != exitUnknown || !strings.Contains(stderr, "it took longer than --timeout allows") {
			t.Errorf("%v: exit code %d\n%s", args, code, stderr)
		}
	}
}
