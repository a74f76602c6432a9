package provenance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"countermark/provenance/provenancetest"
)

// write puts files into a new folder.
func write(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func compact(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpenLocal(t *testing.T) {
	publish, provenance := read(t, "sigstore-1.3.0", "bundle-publish.json"), read(t, "sigstore-1.3.0", "bundle-provenance.json")
	answer := must(provenancetest.Answer(publish, provenance))
	lines := bytes.Join([][]byte{compact(t, publish), {}, compact(t, provenance), nil}, []byte("\n"))
	half := write(t, map[string][]byte{"p.json": publish})
	for _, c := range []struct {
		name     string
		dir      string
		paths    []string // of dir; by default dir itself
		warnings int
		found    int
		state    State
	}{
		{name: "folder", dir: write(t, map[string][]byte{"a/p.json": publish, "b/q.sigstore": provenance, "README.md": []byte("no JSON")}), found: 2, state: Verified},
		{name: "answer", dir: write(t, map[string][]byte{"x": answer}), paths: []string{"x"}, found: 2, state: Verified},
		{name: "lines", dir: write(t, map[string][]byte{"x.jsonl": lines}), paths: []string{"x.jsonl"}, found: 2, state: Verified},
		{name: "two files", dir: write(t, map[string][]byte{"p": publish, "q": provenance}), paths: []string{"p", "q"}, found: 2, state: Verified},
		{name: "one file twice", dir: write(t, map[string][]byte{"p.json": publish, "q.json": provenance}), paths: []string{"p.json", ".", "q.json"}, found: 2, state: Verified},
		{name: "garbage beside", dir: write(t, map[string][]byte{"p.json": publish, "q.json": provenance, "bad.json": []byte(`{"a":`), "none.json": []byte(`{}`)}), warnings: 2, found: 2, state: Verified},
		{name: "half", dir: half, found: 1, state: Invalid},
		{name: "of others", dir: write(t, map[string][]byte{"q.json": read(t, "sigstore-2.0.0", "bundle-provenance.json")}), state: Absent},
		{name: "empty folder", dir: write(t, nil), state: Absent},
	} {
		t.Run(c.name, func(t *testing.T) {
			paths := []string{c.dir}
			if c.paths != nil {
				paths = nil
			}
			for _, p := range c.paths {
				paths = append(paths, filepath.Join(c.dir, p))
			}
			l, warnings, err := OpenLocal(paths)
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) != c.warnings {
				t.Errorf("warnings: %v", warnings)
			}
			set := must(l.Attestations(t.Context(), realSubject()))
			if len(set.Attestations) != c.found {
				t.Errorf("found %d, want %d", len(set.Attestations), c.found)
			}
			got := verifier(t, embedded(t)).Package(realSubject(), realExpectation(), set)
			if got.State != c.state {
				t.Errorf("got %s (%s), want %s", got.State, got.Reason, c.state)
			}
		})
	}
}

func TestOpenLocalNamedFiles(t *testing.T) {
	dir := write(t, map[string][]byte{
		"garbage.json": []byte("{\n\n\"a\": tru"),
		"second.jsonl": append(compact(t, read(t, "sigstore-1.3.0", "bundle-publish.json")), "\n{\"mediaType\":\"x\"}\n"...),
		"empty.json":   nil,
		"list.json":    []byte("[]"),
		"twice.json":   []byte(`{"attestations":[],"attestations":[]}`),
	})
	for name, line := range map[string]int{"garbage.json": 1, "second.jsonl": 2, "empty.json": 0, "list.json": 1, "twice.json": 1, "missing.json": 0} {
		_, _, err := OpenLocal([]string{filepath.Join(dir, name)})
		e, ok := errors.AsType[*EvidenceError](err)
		if !ok {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if e.Line != line || e.Hint == "" || !strings.Contains(e.Error(), name) {
			t.Errorf("%s: line %d, want %d; hint %q; %v", name, e.Line, line, e.Hint, e)
		}
	}
}

// TestOpenLocalLinks: a link in a folder of evidence must not lead out of it.
func TestOpenLocalLinks(t *testing.T) {
	outside := write(t, map[string][]byte{"p.json": read(t, "sigstore-1.3.0", "bundle-publish.json")})
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(outside, "p.json"), filepath.Join(dir, "p.json")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "folder.json")); err != nil {
		t.Fatal(err)
	}
	l, warnings, err := OpenLocal([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if l.Len() != 0 || len(warnings) != 2 {
		t.Errorf("%d packages, warnings %v", l.Len(), warnings)
	}
}

func TestChain(t *testing.T) {
	publish, provenance := read(t, "sigstore-1.3.0", "bundle-publish.json"), read(t, "sigstore-1.3.0", "bundle-provenance.json")
	open := func(files map[string][]byte) *Local {
		l, _, err := OpenLocal([]string{write(t, files)})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	both := open(map[string][]byte{"p.json": publish, "q.json": provenance})
	half := open(map[string][]byte{"p.json": publish})
	registry := sourceFunc(func(context.Context, Subject) (Set, error) {
		return Set{Availability: None, Registry: "https://registry.example/"}, nil
	})
	offline := Offline{Registry: func(Subject) string { return "https://registry.example/" }}
	for _, c := range []struct {
		name  string
		local *Local
		next  Source
		state State
	}{
		{"complete, registry", both, registry, Verified},
		{"complete, offline", both, Offline{}, Verified},
		{"complete, offline, other registry configured", both, offline, Invalid},
		{"half, registry", half, registry, Absent},
		{"half, offline", half, Offline{}, Invalid},
		{"nothing, registry", &Local{}, registry, Absent},
		{"nothing, offline", &Local{}, Offline{}, Unavailable},
		{"none given, offline", nil, Offline{}, Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := must(Chain(c.local, c.next).Attestations(t.Context(), realSubject()))
			got := verifier(t, embedded(t)).Package(realSubject(), realExpectation(), set)
			if got.State != c.state || got.State != Verified && got.Hint == "" {
				t.Errorf("got %s (%s; %s), want %s", got.State, got.Reason, got.Hint, c.state)
			}
		})
	}
}

func FuzzReadBundles(f *testing.F) {
	f.Add([]byte(`{"attestations":[{"predicateType":"x","bundle":{}}]}`))
	f.Add([]byte("{}\n{}\n"))
	f.Add([]byte(`{"a":[1,{"b":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ReadBundles(bytes.NewReader(data), "f")
		if err == nil && len(list) == 0 {
			t.Error("neither a bundle nor an error")
		}
		for _, a := range list {
			if _, err := open(a.Bundle); err == nil && len(a.Bundle) < 100 {
				t.Errorf("a bundle of %d bytes", len(a.Bundle))
			}
		}
	})
}
