package closure

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// The servers in testdata are real ones, as npm installed them on 2026-11-24. To
// refresh them, let npm write a lockfile for each server into a folder of its own,
// with the options --package-lock-only --ignore-scripts, record at the same time
// what the registry says of them all (countermark sbom --resolve --record), and run
//
//	go test ./sbom/closure -run TestServers -locks FOLDERS -snapshot RECORDED
//
// which keeps of the packuments the versions that the ranges allow.
var (
	locksDir    = flag.String("locks", "", "folder of folders with npm's lockfiles, to take anew what is expected")
	snapshotDir = flag.String("snapshot", "", "folder of full packuments that fit the lockfiles")
)

const (
	serversFile    = "testdata/servers.txt"
	packumentsFile = "testdata/packuments.json.gz"
)

// npmMachine ran npm when the lockfiles were written.
var npmMachine = Options{NodeVersion: "20.20.2", NPMVersion: "11.19.1"}

// serverLock is what npm's lockfile says of one server.
type serverLock struct {
	request  Request
	packages []string // as line writes them
}

// line is what is compared of an installed package.
func line(path, name, version, integrity string, flags ...bool) string {
	words := []string{path, name + "@" + version, integrity[:min(len(integrity), 24)]}
	for i, word := range []string{"optional", "peer", "extraneous"} {
		if flags[i] {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// TestServers holds the resolver against npm itself: for every server the same
// packages at the same places, with the same digests and flags.
func TestServers(t *testing.T) {
	if *locksDir != "" {
		takeServers(t)
	}
	source := readShelf(t)
	servers := readServers(t)
	if len(servers) < 20 {
		t.Fatalf("%d servers are too few", len(servers))
	}
	for _, s := range servers {
		t.Run(s.request.Name, func(t *testing.T) {
			c, err := Resolve(t.Context(), source, []Request{s.request}, npmMachine)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(s.packages, c.lines()); diff != "" {
				t.Errorf("npm's lockfile and ours differ (-npm +ours)\n%s", diff)
			}
			if !c.Complete() {
				t.Errorf("unresolved: %v", c.Unresolved)
			}
			for _, e := range c.Edges {
				if c.Package(e.To) == nil || e.From != "" && c.Package(e.From) == nil {
					t.Errorf("the edge %v leads nowhere", e)
				}
			}
		})
	}
}

func (c *Closure) lines() []string {
	out := []string{}
	for _, p := range c.Packages {
		out = append(out, line(p.Path, p.Name, p.Version, p.Integrity, p.Optional, p.Peer, p.Extraneous))
	}
	slices.Sort(out)
	return out
}

func readServers(t *testing.T) []serverLock {
	t.Helper()
	f, err := os.Open(serversFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []serverLock
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text := lines.Text()
		if name, ok := strings.CutPrefix(text, "# "); ok {
			out = append(out, serverLock{request: Request{Name: name}})
			continue
		}
		last := &out[len(out)-1]
		last.packages = append(last.packages, text)
	}
	return out
}

func readShelf(t *testing.T) shelf {
	t.Helper()
	data, err := os.ReadFile(packumentsFile)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var docs map[string]json.RawMessage
	if err := json.NewDecoder(z).Decode(&docs); err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	for name, doc := range docs {
		if s[name], err = ReadPackument(bytes.NewReader(doc), name); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return s
}

// takeServers writes testdata anew.
func takeServers(t *testing.T) {
	t.Helper()
	locks, err := filepath.Glob(filepath.Join(*locksDir, "*", "package-lock.json"))
	if err != nil || len(locks) == 0 {
		t.Fatal("no lockfiles", err)
	}
	kept := &keeper{source: Snapshot{FS: os.DirFS(*snapshotDir)}, asked: map[string]*Packument{}}
	wanted, chosen := map[string][]spec{}, map[string]bool{}
	var text bytes.Buffer
	for _, file := range locks {
		s := readLock(t, file)
		fmt.Fprintf(&text, "# %s\n%s\n", s.request.Name, strings.Join(s.packages, "\n"))
		c, err := Resolve(t.Context(), kept, []Request{s.request}, npmMachine)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Packages {
			chosen[p.Name+"@"+p.Version] = true
		}
		for _, e := range c.Edges {
			w := parseSpec(e.Name, e.Spec)
			wanted[w.name] = append(wanted[w.name], w)
		}
	}
	if err := os.WriteFile(serversFile, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, p := range kept.asked {
		p.trim(wanted[name], chosen)
	}
	data, err := json.Marshal(kept.asked)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	_, err = z.Write(data)
	if err := errors.Join(err, z.Close(), os.WriteFile(packumentsFile, packed.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// trim leaves of a packument the versions that somebody allows, and what chooses
// between them. Digests stay where they are compared; URLs name no real host.
func (p *Packument) trim(wanted []spec, chosen map[string]bool) {
	for key, m := range p.Versions {
		used := chosen[p.Name+"@"+key]
		v := parseVersion(key)
		allowed := v != nil && slices.ContainsFunc(wanted, func(s spec) bool { return s.kind == rangeSpec && s.selects(v) })
		if !used && !allowed && p.Tags["latest"] != key {
			delete(p.Versions, key)
			continue
		}
		m.Tarball = "https://registry.example/" + p.Name + "/-/" + key + ".tgz"
		if m.Deprecated != "" {
			m.Deprecated = "deprecated"
		}
		if !used {
			m.Integrity = ""
		}
	}
	maps.DeleteFunc(p.Tags, func(tag, _ string) bool {
		return tag != "latest" && !slices.ContainsFunc(wanted, func(s spec) bool { return s.kind == tagSpec && s.text == tag })
	})
}

// keeper remembers what it was asked for.
type keeper struct {
	source Source
	mu     sync.Mutex
	asked  map[string]*Packument
}

func (k *keeper) Packument(ctx context.Context, name string) (*Packument, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.asked[name]; p != nil {
		return p, nil
	}
	p, err := k.source.Packument(ctx, name)
	if err == nil {
		k.asked[name] = p
	}
	return p, err
}

func readLock(t *testing.T, file string) serverLock {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct {
			Name, Version, Integrity   string
			Optional, Peer, Extraneous bool
			Dependencies               map[string]string
		}
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		t.Fatal(err)
	}
	var s serverLock
	for name := range lock.Packages[""].Dependencies {
		s.request.Name = name
	}
	for path, p := range lock.Packages {
		if path != "" {
			name := cmp.Or(p.Name, path[strings.LastIndex(path, "node_modules/")+len("node_modules/"):])
			s.packages = append(s.packages, line(path, name, p.Version, p.Integrity, p.Optional, p.Peer, p.Extraneous))
		}
	}
	slices.Sort(s.packages)
	return s
}
