package provenance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"countermark/provenance/provenancetest"
	"countermark/sbom"
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

// openLocal is [OpenEvidence] for paths that the user names.
func openLocal(paths []string) (*Local, []Warning, error) {
	var list []EvidencePath
	for _, p := range paths {
		list = append(list, EvidencePath{Path: p})
	}
	return OpenEvidence(context.Background(), list)
}

func TestOpenEvidence(t *testing.T) {
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
			l, warnings, err := openLocal(paths)
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

func TestOpenEvidenceNamedFiles(t *testing.T) {
	dir := write(t, map[string][]byte{
		"garbage.json": []byte("{\n\n\"a\": tru"),
		"second.jsonl": append(compact(t, read(t, "sigstore-1.3.0", "bundle-publish.json")), "\n{\"mediaType\":\"x\"}\n"...),
		"empty.json":   nil,
		"list.json":    []byte("[]"),
		"twice.json":   []byte(`{"attestations":[],"attestations":[]}`),
	})
	for name, line := range map[string]int{"garbage.json": 1, "second.jsonl": 2, "empty.json": 0, "list.json": 1, "twice.json": 1, "missing.json": 0} {
		_, _, err := openLocal([]string{filepath.Join(dir, name)})
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

// TestSameBundle: the same bundle in two files is one bundle. Twice in one answer it
// is two, and a set has exactly one of each type.
func TestSameBundle(t *testing.T) {
	b := honest()
	publish, provenance := must(ours(t).Publish(b)), must(ours(t).Provenance(b))
	good, twice := must(provenancetest.Answer(publish, provenance)), must(provenancetest.Answer(publish, provenance, provenance))
	line := string(compact(t, publish)) + "\n" + string(compact(t, provenance)) + "\n"
	for _, c := range []struct {
		name  string
		files map[string][]byte
		state State
		check string
	}{
		{"one answer", map[string][]byte{"a.json": good}, Verified, ""},
		{"the answer in two files", map[string][]byte{"a.json": good, "b.json": good}, Verified, ""},
		{"the answer and its bundles", map[string][]byte{"a.json": good, "p.json": publish, "q.json": provenance}, Verified, ""},
		{"lines of two runs in one file", map[string][]byte{"a.jsonl": []byte(line + line)}, Verified, ""},
		{"twice in one answer", map[string][]byte{"a.json": twice}, Invalid, checkProvenanceCount},
		{"twice in one answer, once in another", map[string][]byte{"a.json": good, "b.json": twice, "c.json": good}, Invalid, checkProvenanceCount},
		{"publish attestation twice in one answer", map[string][]byte{"a.json": must(provenancetest.Answer(publish, publish, provenance))}, Invalid, checkPublishCount},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _, err := openLocal([]string{write(t, c.files)})
			if err != nil {
				t.Fatal(err)
			}
			got := verifier(t, ours(t).material).Package(honestSubject(), honestExpectation(), must(l.Attestations(t.Context(), honestSubject())))
			if got.State != c.state || firstFailed(got) != c.check {
				t.Errorf("got %s by %q (%s), want %s by %q", got.State, firstFailed(got), got.Reason, c.state, c.check)
			}
		})
	}
}

// TestByteOrderMark: one before the first value of a file is no part of it; one
// anywhere else is no JSON.
func TestByteOrderMark(t *testing.T) {
	const mark = "\ufeff"
	b := honest()
	publish, provenance := string(compact(t, must(ours(t).Publish(b)))), string(compact(t, must(ours(t).Provenance(b))))
	answer := string(must(provenancetest.Answer([]byte(publish), []byte(provenance))))
	for content, found := range map[string]int{
		mark + publish:                            1,
		mark + answer:                             2,
		mark + publish + "\r\n" + provenance:      2,
		mark + "\n" + publish:                     1,
		mark + mark + publish:                     0,
		publish + "\n" + mark + provenance:        0,
		" " + mark + publish:                      0,
		mark:                                      0,
		strings.Replace(answer, ":", ":"+mark, 1): 0,
	} {
		list, err := ReadBundles(strings.NewReader(content), "a.jsonl")
		if len(list) != found || (err == nil) != (found > 0) {
			t.Errorf("%.40q…: %d bundles, %v; want %d", content, len(list), err, found)
		}
		if found == 2 && strings.Contains(content, "\r\n") && list[1].From != "a.jsonl:2" {
			t.Errorf("the second is said to be at %s", list[1].From)
		}
	}
}

// TestFieldsOfAnotherCase: encoding/json takes a field of another case for the
// field, and the last of two. Nothing here may.
func TestFieldsOfAnotherCase(t *testing.T) {
	b := honest()
	publish, provenance := must(ours(t).Publish(b)), must(ours(t).Provenance(b))
	answer := string(must(provenancetest.Answer(publish, provenance)))
	foreign := string(must(json.Marshal(string(publish))))
	for name, content := range map[string]string{
		"Attestations":            swap(`"attestations"`, `"Attestations"`)(answer),
		"Bundle":                  swap(`"bundle"`, `"Bundle"`)(answer),
		"verificationmaterial":    swap(`"verificationMaterial"`, `"verificationmaterial"`)(string(publish)),
		"DsseEnvelope":            swap(`"dsseEnvelope"`, `"DsseEnvelope"`)(string(publish)),
		"Payload beside payload":  swap(`"payload":`, `"Payload":`+foreign+`,"payload":`)(string(publish)),
		"Attestation_bundles":     `{"version":1,"Attestation_bundles":[]}`,
		"attestations is no list": `{"attestations":{"bundle":{}}}`,
		"predicateType is a list": `{"attestations":[{"predicateType":[],"bundle":{}}]}`,
	} {
		list, err := ReadBundles(strings.NewReader(content), "a.json")
		if err != nil {
			continue
		}
		for _, a := range list {
			if _, err := open(a.Bundle); err == nil {
				t.Errorf("%s is read", name)
			}
		}
	}
	// Beside the right ones they say nothing.
	list, err := ReadBundles(strings.NewReader(swap(`"predicateType":"`+typePublish+`"`, `"predicateType":"`+typePublish+`","PredicateType":"x","Bundle":{}`)(answer)), "a.json")
	if err != nil || len(list) != 2 || list[0].ClaimedType != typePublish || string(list[0].Bundle) == "{}" {
		t.Errorf("fields of another case beside: %v, %v", list, err)
	}
	// In what is signed, too.
	for _, field := range []string{"predicateType", "subject", "digest", "predicate", "buildDefinition", "externalParameters"} {
		other := strings.ToUpper(field[:1]) + field[1:]
		set := statements(nil, swap(`"`+field+`"`, `"`+other+`"`))
		if field == "digest" { // that of the subject
			set = statements(nil, swap(`"digest":{"sha512"`, `"Digest":{"sha512"`))
		}
		if field == "predicateType" { // typeOf, too, takes it for the field
			set = func(t testing.TB) Set {
				t.Helper()
				s := signed(t, honest())
				statement := swap(`"predicateType"`, `"PredicateType"`)(string(must(honest().ProvenanceStatement())))
				s.Attestations[1].Bundle = must(ours(t).Sign([]byte(statement), honest().Identity()))
				return s
			}
		}
		s := set(t)
		o := must(open(s.Attestations[1].Bundle))
		if got := verifier(t, ours(t).material).Package(honestSubject(), honestExpectation(), s); field != "predicate" && field[0] != 'b' && field[0] != 'e' && got.State != Invalid {
			t.Errorf("%s in the statement: %s", other, got.State)
		}
		c := readPredicate(o.types.predicate, o.predicate)
		if (field == "predicate" || field == "buildDefinition" || field == "externalParameters") && c.workflow != "" {
			t.Errorf("%s is read as the field", other)
		}
	}
}

// TestOpenLocalLinks: a link in a folder of evidence must not lead out of it.
func TestOpenEvidenceLinks(t *testing.T) {
	outside := write(t, map[string][]byte{"p.json": read(t, "sigstore-1.3.0", "bundle-publish.json")})
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(outside, "p.json"), filepath.Join(dir, "p.json")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "folder.json")); err != nil {
		t.Fatal(err)
	}
	l, warnings, err := openLocal([]string{dir})
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
		l, _, err := openLocal([]string{write(t, files)})
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
	offline := Offline{Registry: func(Subject) (string, error) { return "https://registry.example/", nil }}
	refused := Offline{Registry: func(Subject) (string, error) { return "", &RegistryError{Reason: "refused", Hint: "correct it"} }}
	for _, c := range []struct {
		name  string
		local *Local
		next  Source
		state State
	}{
		{"complete, registry", both, registry, Verified},
		{"complete, offline", both, Offline{}, Verified},
		{"complete, offline, other registry configured", both, offline, Invalid},
		{"complete, offline, the configured registry is refused", both, refused, Unavailable},
		{"nothing, offline, the configured registry is refused", nil, refused, Unavailable},
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

// TestBrokenEvidence changes what keeps a bundle from being opened: it must not
// be as if the bundle were not there.
func TestBrokenEvidence(t *testing.T) {
	b := honest()
	publish, provenance := must(ours(t).Publish(b)), must(ours(t).Provenance(b))
	v := verifier(t, ours(t).material)
	broken := map[string][]byte{
		"payload's first bit": flips(t, provenance, "dsseEnvelope.payload", 1)[0],
		"payload's type":      alter(provenance, func(tree map[string]any) { as[map[string]any](tree["dsseEnvelope"])["payloadType"] = "text/plain" }),
		"payload's encoding": alter(provenance, func(tree map[string]any) {
			envelope := as[map[string]any](tree["dsseEnvelope"])
			payload := as[string](envelope["payload"])
			envelope["payload"] = payload[:100] + "*" + payload[101:]
		}),
		"no subject":  must(ours(t).Sign([]byte(swap(`"subject":`, `"Subject":`)(string(must(b.ProvenanceStatement())))), b.Identity())),
		"log's start": flips(t, provenance, "verificationMaterial.tlogEntries.0.canonicalizedBody", 1)[0],
	}
	for name, bundle := range broken {
		t.Run(name, func(t *testing.T) {
			for what, c := range map[string]struct {
				files map[string][]byte
				s     Subject
				state State
			}{
				"alone":                        {map[string][]byte{"q.json": bundle}, honestSubject(), Invalid},
				"beside its other half":        {map[string][]byte{"p.json": publish, "q.json": bundle}, honestSubject(), Invalid},
				"beside all that is needed":    {map[string][]byte{"p.json": publish, "q.json": provenance, "r.json": bundle}, honestSubject(), Verified},
				"for a package that is not in": {map[string][]byte{"q.json": bundle}, Subject{Ecosystem: sbom.NPM, Name: "@acme/other", Version: "1.2.3"}, Unavailable},
			} {
				dir := write(t, c.files)
				var named []string
				for file := range c.files {
					named = append(named, filepath.Join(dir, file))
				}
				for how, paths := range map[string][]string{"named": named, "in a folder": {dir}} {
					l, warnings, err := openLocal(paths)
					if err != nil {
						t.Fatalf("%s, %s: %v", what, how, err)
					}
					got := v.Package(c.s, honestExpectation(), must(Chain(l, Offline{}).Attestations(t.Context(), c.s)))
					if got.State != c.state || len(warnings) != 1 {
						t.Errorf("%s, %s: %s (%s), warnings %v; want %s", what, how, got.State, got.Reason, warnings, c.state)
					}
				}
			}
		})
	}
}

// TestSameBundleTwice gives the same evidence in several files and forms.
func TestSameBundleTwice(t *testing.T) {
	b := honest()
	publish, provenance := must(ours(t).Publish(b)), must(ours(t).Provenance(b))
	answer := must(provenancetest.Answer(publish, provenance))
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, provenance, "", "  "); err != nil {
		t.Fatal(err)
	}
	v := verifier(t, ours(t).material)
	for name, c := range map[string]struct {
		files map[string][]byte
		found int
		state State
	}{
		"twice":                 {map[string][]byte{"a.json": publish, "b.json": provenance, "c.json": provenance, "d.json": publish}, 2, Verified},
		"with other blanks":     {map[string][]byte{"a.json": publish, "b.json": provenance, "c.json": pretty.Bytes()}, 2, Verified},
		"and in an answer":      {map[string][]byte{"a.json": publish, "b.json": answer}, 2, Verified},
		"two answers":           {map[string][]byte{"a.json": answer, "b.json": answer}, 2, Verified},
		"signed twice":          {map[string][]byte{"a.json": answer, "b.json": must(ours(t).Provenance(b))}, 3, Invalid},
		"called something else": {map[string][]byte{"a.json": answer, "b.json": bytes.ReplaceAll(answer, []byte(`"predicateType":"`+typeSLSA1), []byte(`"predicateType":"`+typeSLSA02))}, 3, Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			l, _, err := openLocal([]string{write(t, c.files)})
			if err != nil {
				t.Fatal(err)
			}
			set := must(l.Attestations(t.Context(), honestSubject()))
			got := v.Package(honestSubject(), honestExpectation(), set)
			if len(set.Attestations) != c.found || got.State != c.state {
				t.Errorf("%d attestations, %s (%s); want %d, %s", len(set.Attestations), got.State, got.Reason, c.found, c.state)
			}
		})
	}
}

// TestEvidenceWithin opens paths that a project names.
func TestEvidenceWithin(t *testing.T) {
	b := honest()
	files := map[string][]byte{"set/p.json": must(ours(t).Publish(b)), "set/q.json": must(ours(t).Provenance(b))}
	outside, project := write(t, files), write(t, files)
	for link, to := range map[string]string{"out": outside, "out.json": filepath.Join(outside, "set", "p.json"), "root": "/"} {
		if err := os.Symlink(to, filepath.Join(project, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	if err := os.Symlink("set", filepath.Join(project, "inside")); err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{
		"set": true, "inside": true, ".": true, "set/p.json": true, "./set/../set": true,
		"out": false, "out/set": false, "out.json": false, "root": false, "..": false, "missing": false,
		"../" + filepath.Base(outside): false, outside: false,
	} {
		l, _, err := OpenEvidence(t.Context(), []EvidencePath{{Path: path, Within: project}})
		if e, refused := errors.AsType[*EvidenceError](err); ok != (err == nil) || !ok && (!refused || e.Hint == "") {
			t.Errorf("%s: got %v, want it opened: %t", path, err, ok)
		}
		if ok && l.Len() != 1 {
			t.Errorf("%s: %d packages", path, l.Len())
		}
	}
	// The user may follow links of his own.
	if l, _, err := openLocal([]string{filepath.Join(project, "out")}); err != nil || l.Len() != 1 {
		t.Errorf("named by the user: %v", err)
	}
}

// TestWarningsAreBrief: a folder of foreign files is not read out.
func TestWarningsAreBrief(t *testing.T) {
	files := map[string][]byte{}
	for i := range 50 {
		files[fmt.Sprintf("a%d.json", i)] = []byte(`topsecret`)
		files[fmt.Sprintf("b%d.json", i)] = []byte(`{"topsecret":1}`)
		files[fmt.Sprintf("c%d.json", i)] = []byte(`{"attestations":["topsecret"]}`)
		files[fmt.Sprintf("d%d.json", i)] = []byte(`{"a":{"topsecret":1,"topsecret":2}}`)
	}
	_, warnings, err := openLocal([]string{write(t, files)})
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != maxWarnings+1 || !strings.Contains(warnings[maxWarnings].Message, "180 more") {
		t.Errorf("%d warnings, the last %v", len(warnings), warnings[len(warnings)-1])
	}
	for name, content := range files {
		_, warnings, err := openLocal([]string{write(t, map[string][]byte{name: content})})
		if err != nil || len(warnings) != 1 || warnings[0].Message == "" || strings.Contains(warnings[0].Message, "secret") {
			t.Errorf("%s: %v, %v", name, warnings, err)
		}
	}
}

// TestEvidenceIsBounded: answers that hold nothing count too, and counting lines
// takes no longer with every line.
func TestEvidenceIsBounded(t *testing.T) {
	empty := strings.Repeat("{\"attestations\":[]}\n", MaxEvidenceBundles+2)
	_, err := ReadBundles(strings.NewReader(empty), "f")
	e, ok := errors.AsType[*EvidenceError](err)
	if !ok || !strings.Contains(err.Error(), "more than 100000 values") || e.Line < MaxEvidenceBundles {
		t.Errorf("got %v", err)
	}
	for name, content := range map[string]string{
		"numbers": `{"x":[` + strings.Repeat("1,", maxJSONValues) + `1]}`,
		"objects": `{"x":[` + strings.Repeat("{},", maxJSONValues) + `{}]}`,
	} {
		if _, err := parseObject([]byte(content)); err == nil || !strings.Contains(err.Error(), "values") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := write(t, map[string][]byte{"a.json": []byte(empty)})
	for _, path := range []string{dir, filepath.Join(dir, "a.json")} {
		if _, _, err := OpenEvidence(ctx, []EvidencePath{{Path: path}}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
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

// TestReadyServesOnce says that a bundle parsed while it was indexed is parsed
// by nobody else, and shared by nobody.
func TestReadyServesOnce(t *testing.T) {
	local, _, err := openLocal([]string{filepath.Join("testdata", "sigstore-1.3.0")})
	if err != nil {
		t.Fatal(err)
	}
	set := must(local.Attestations(t.Context(), realSubject()))
	for _, a := range set.Attestations {
		if a.ready == nil {
			t.Fatalf("%s is not kept parsed", a.From)
		}
		kept := a.ready.first.Load()
		first, second := must(a.open()), must(a.open())
		if first != kept || second == kept || second == nil {
			t.Errorf("%s: what is kept serves once: got it first %t, second %t", a.From, first == kept, second == kept)
		}
	}
}

// TestAnswerIsExact: in a registry's answer a key in another case is another key,
// and none stands twice.
func TestAnswerIsExact(t *testing.T) {
	for _, text := range []string{
		`{"attestations":[{"Bundle":{}}]}`, `{"attestations":[{"BUNDLE":{},"predicateType":"x"}]}`,
		`{"attestations":[{"bundle":{},"bundle":{}}]}`, `{"attestations":[],"attestations":[{"bundle":{}}]}`,
	} {
		if found, err := ReadBundles(strings.NewReader(text), "f"); err == nil {
			t.Errorf("%s: %v", text, found)
		}
	}
	found, err := ReadBundles(strings.NewReader(`{"attestations":[{"predicatetype":"x","bundle":{}}]}`), "f")
	if err != nil || len(found) != 1 || found[0].ClaimedType != "" {
		t.Errorf("a type in another case: %v, %v", found, err)
	}
}
