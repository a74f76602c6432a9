package closure

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPick(t *testing.T) {
	const versions = `
		x@1.0.0
		x@1.5.0 deprecated:
		x@1.4.0 node:>=22
		x@1.3.0 node:>=18
		x@2.0.0
		x@3.0.0-rc.1
		x#latest 2.0.0
		x#next 3.0.0-rc.1
		x#old 1.0.0`
	tests := []struct {
		name, shelf, spec, node string
		want                    string // the version, or the error
	}{
		{"no version", versions, "", "", "2.0.0"},
		{"latest, though there is a higher one", versions + "\nx@2.1.0\nx#latest 2.0.0", "^2", "", "2.0.0"},
		{"latest does not satisfy", versions, "1", "", "1.4.0"},
		{"engines", versions, "1", "20.1.0", "1.3.0"},
		{"engines of a prerelease of Node.js", versions, "1", "22.0.0-rc.1", "1.3.0"},
		{"deprecated only where nothing else is", versions, "~1.5.0", "", "1.5.0"},
		{"exact", versions, "=v1.5.0", "", "1.5.0"},
		{"a tag", versions, "next", "", "3.0.0-rc.1"},
		{"no prerelease for a range", versions, ">2", "", "no version satisfies >2"},
		{"a prerelease for a range that names one", versions, ">=3.0.0-0", "", "3.0.0-rc.1"},
		{"latest is a prerelease", "x@1.0.0\nx@2.0.0-rc.1", "*", "", "2.0.0-rc.1"},
		{"latest is deprecated", "x@1.0.0\nx@2.0.0 deprecated:", "*", "", "1.0.0"},
		{"runs, though deprecated, before what does not", "x@1.0.0 deprecated:\nx@1.1.0 node:>=99", "1", "20.0.0", "1.0.0"},
		{"an alternative that is none", versions, ">=2 || insiders", "", "2.0.0"},
		{"a missing tag", versions, "beta", "", "the tag beta does not exist"},
		{"a missing version", versions, "9.9.9", "", "the version 9.9.9 does not exist"},
		{"latest leads nowhere", "x@1.0.0\nx#latest 7.0.0", "*", "", "1.0.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := pick(newShelf(t, tt.shelf)["x"], parseSpec("x", tt.spec), engines{node: parseVersion(tt.node)})
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = m.Version
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseSpec(t *testing.T) {
	tests := []struct {
		spec string
		kind specKind
		name string
	}{
		{"", rangeSpec, "x"}, {" * ", rangeSpec, "x"}, {"^1.2", rangeSpec, "x"}, {"1 - 2", rangeSpec, "x"}, {"1.x || >=2.5.0", rangeSpec, "x"},
		{"1.2.3", versionSpec, "x"}, {"v1.2.3-rc.1+b", versionSpec, "x"}, {"latest", tagSpec, "x"},
		{"npm:y@1", rangeSpec, "y"}, {"npm:@s/y@1.0.0", versionSpec, "@s/y"}, {"npm:@s/y", rangeSpec, "@s/y"}, {"npm:npm:y@1", badSpec, "npm:y"},
		{"o/r", gitSpec, "x"}, {"github:o/r#v1", gitSpec, "x"}, {"git+ssh://git@h.example/r.git", gitSpec, "x"}, {"git@h.example:o/r.git", gitSpec, "x"},
		{"https://github.com/o/r", gitSpec, "x"}, {"https://h.example/r.git#semver:^1", gitSpec, "x"},
		{"https://h.example/x.tgz", urlSpec, "x"}, {"http://h.example/x", urlSpec, "x"},
		{"file:../x", fileSpec, "x"}, {"./x", fileSpec, "x"}, {"~/x", fileSpec, "x"}, {"x-1.0.0.tgz", fileSpec, "x"}, {`C:\x`, fileSpec, "x"},
		{"workspace:^", badSpec, "x"}, {"catalog:", badSpec, "x"}, {"not a tag", badSpec, "x"},
	}
	for _, tt := range tests {
		if got := parseSpec("x", tt.spec); got.kind != tt.kind || got.name != tt.name {
			t.Errorf("%q: got kind %d, name %q; want %d, %q", tt.spec, got.kind, got.name, tt.kind, tt.name)
		}
	}
}

// The order is that of Intl.Collator("en"), of which this was read off.
func TestCollate(t *testing.T) {
	sorted := strings.Fields("_a -a .a @a/a @a/b @a/b-c @a/b.c @ab/a 1 10 2 a A a_b a-b a-c a.b a/b a1 ab aB abc b B ba")
	for i, a := range sorted {
		for j, b := range sorted {
			if got := collate(a, b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("collate(%q, %q) is %d", a, b, got)
			}
		}
	}
}

func TestReadPackument(t *testing.T) {
	full := `{"name": "x", "readme": "long", "time": {"modified": "2026-01-01T00:00:00Z"}, "dist-tags": {"latest": "1.0.0"}, "versions": {
		"1.0.0": {"name": "x", "version": "1.0.0", "scripts": {"postinstall": "node x"}, "dist": {"tarball": "https://registry.example/x.tgz", "shasum": "00"},
			"dependencies": {"b": "1", "a": "2", "o": "1"}, "optionalDependencies": {"o": "1"},
			"peerDependencies": {"p": "*", "q": "*"}, "peerDependenciesMeta": {"q": {"optional": true}, "r": {}},
			"bundledDependencies": ["a"], "engines": {"node": ">=18"}, "os": "linux", "deprecated": true, "_hasShrinkwrap": true},
		"2.0.0": {"name": "y", "version": "2.0.0"},
		"3.0.0": {"name": "x", "version": "3.0.0", "dependencies": {"../x": "1"}, "dist": {"tarball": "t"}},
		"4.0.0": {"name": "x", "version": "4.0.0", "dependencies": {"a": 1}, "dist": {"tarball": "t"}},
		"5.0.0": {"name": "x", "version": "5.0.0", "engines": ["node"], "bundleDependencies": true, "dependencies": {"a": "1"}, "dist": {"tarball": "t"}},
		"6.0.0": 6}}`
	p, err := ReadPackument(strings.NewReader(full), "x")
	if err != nil {
		t.Fatal(err)
	}
	m := p.Versions["1.0.0"]
	m.number = nil
	want := &Manifest{
		Name: "x", Version: "1.0.0", Integrity: "sha1-AA==", Tarball: "https://registry.example/x.tgz",
		Dependencies: []Dependency{{"b", "1"}, {"a", "2"}}, Optional: []Dependency{{"o", "1"}}, Peers: []Dependency{{"p", "*"}, {"q", "*"}},
		OptionalPeer: map[string]bool{"q": true}, Bundled: []string{"a"}, Node: ">=18", OS: []string{"linux"},
		Deprecated: "deprecated", InstallScript: true, Shrinkwrap: true,
	}
	if diff := cmp.Diff(want, m, cmp.AllowUnexported(Manifest{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// A snapshot gives back what was recorded.
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadPackument(bytes.NewReader(text), "x")
	if err != nil {
		t.Fatal(err)
	}
	for version, m := range p.Versions {
		got := again.Versions[version]
		got.number, m.number = nil, nil
		if (got.Invalid == "") != (m.Invalid == "") {
			t.Errorf("%s: read again it is invalid because %q, and was because %q", version, got.Invalid, m.Invalid)
		}
		if diff := cmp.Diff(m, got, cmp.AllowUnexported(Manifest{})); m.Invalid == "" && diff != "" {
			t.Errorf("%s: read again it differs (-was +is)\n%s", version, diff)
		}
	}
	for version, reason := range map[string]string{
		"2.0.0": "it is of another package or version", "3.0.0": "a dependency has no valid name",
		"4.0.0": "a dependency has no usable version", "5.0.0": "", "6.0.0": "it is no object",
	} {
		if got := p.Versions[version].Invalid; got != reason {
			t.Errorf("%s: got %q, want %q", version, got, reason)
		}
	}
	if !p.Versions["5.0.0"].bundles("a") || p.Versions["5.0.0"].bundles("b") {
		t.Error("bundleDependencies: true is all of them")
	}
}

func TestReadPackumentRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                            "is no packument: no JSON",
		`{"name": "x", "versions": {`: "is no packument: no JSON",
		`{"name": "x", "name": "x"}`:  "is no packument: a key occurs twice",
		`{"name": "x", "versions": {"1.0.0": {"dist": {"integrity": "a"}, "dist": {"tarball": "b"}}}}`: "is no packument: a key occurs twice",
		`{"name": "x", "versions": {"1.0.0": {"dependencies": {"a": "1", "a": "2"}}}}`:                 "is no packument: a key occurs twice",
		`[]`:                               "is no packument: no JSON object",
		`{"name": "y", "versions": {}}`:    "is no packument: it is of another package",
		`{"name": "x"}`:                    "is no packument: no versions",
		`{"name": "x", "versions": {}} {}`: "is no packument: text behind the JSON",
		`{"name": "x", "versions": {"1.0.0": {"os": [` + strings.Repeat(`"a",`, maxList) + `"a"]}}}`: "is too much: limit reached: a list of more than 5000",
	} {
		if _, err := ReadPackument(strings.NewReader(text), "x"); err == nil || err.Error() != want {
			t.Errorf("%.60s: got %v, want %s", text, err, want)
		}
	}
}

// What is recorded is read again as the same, and foreign bytes do not break it.
func FuzzReadPackument(f *testing.F) {
	f.Add([]byte(`{"name":"x","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"x","version":"1.0.0","dependencies":{"x":"^1","y":"npm:x@1"},"peerDependencies":{"z":"*"},"dist":{"tarball":"t","integrity":"i"}}}}`))
	f.Add([]byte(`{"name":"x","versions":{"1.0.0":{"bundleDependencies":true,"engines":[],"dist":{"shasum":"00"}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ReadPackument(bytes.NewReader(data), "x")
		if err != nil {
			return
		}
		once, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadPackument(bytes.NewReader(once), "x")
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s\nbecomes\n%s", once, twice)
		}
		c, err := Resolve(t.Context(), shelf{"x": again}, []Request{{Name: "x"}}, Options{MaxPackages: 50})
		if err != nil && !errors.Is(err, ErrLimit) {
			t.Error(err)
		}
		if err == nil && len(c.Packages) == 0 && c.Complete() {
			t.Error("nothing is installed, and nothing is missing")
		}
	})
}
