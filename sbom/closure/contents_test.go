package closure

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// packed is a tarball of files by name and content; a content of "->" is a link.
func packed(t testing.TB, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	archive := tar.NewWriter(z)
	for file := range slices.Chunk(files, 2) {
		name, content := file[0], file[1]
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if content == "->" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "/etc/passwd", 0
		}
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := archive.Write([]byte(content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(archive.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadContents(t *testing.T) {
	one := func(name, version string) string { return fmt.Sprintf(`{"name": %q, "version": %q}`, name, version) }
	for name, test := range map[string]struct {
		files []string
		want  string // paths with their packages; or why there are none
	}{
		"none":            {[]string{"package/package.json", one("a", "1.0.0")}, ""},
		"one":             {[]string{"package/node_modules/b/package.json", one("b", "1.0.0")}, "node_modules/b b@1.0.0"},
		"of a scope":      {[]string{"a/node_modules/@s/b/package.json", one("@s/b", "1.0.0")}, "node_modules/@s/b @s/b@1.0.0"},
		"in one another":  {[]string{"p/node_modules/b/node_modules/c/package.json", one("c", "2.0.0"), "p/node_modules/b/package.json", one("b", "1.0.0")}, "node_modules/b b@1.0.0, node_modules/b/node_modules/c c@2.0.0"},
		"the last counts": {[]string{"p/node_modules/b/package.json", one("b", "1.0.0"), "./p/node_modules/b/package.json", one("b", "2.0.0")}, "node_modules/b b@2.0.0"},
		"not deeper":      {[]string{"p/node_modules/b/package.json", one("b", "1.0.0"), "p/node_modules/b/lib/package.json", "{}", "p/lib/node_modules/c/package.json", one("c", "1.0.0"), "p/node_modules/b/lib/node_modules/d/package.json", "{"}, "node_modules/b b@1.0.0"},
		"no commands":     {[]string{"p/node_modules/.bin/b", "->", "p/node_modules/b/package.json", one("b", "1.0.0")}, "node_modules/b b@1.0.0"},
		"leads nowhere":   {[]string{"p/../../../node_modules/b/package.json", one("b", "1.0.0")}, ""},
		"a link":          {[]string{"p/node_modules/b", "->"}, "something in it leads elsewhere"},
		"a link inside":   {[]string{"p/node_modules/b/package.json", one("b", "1.0.0"), "p/node_modules/b/x.js", "->"}, "something in it leads elsewhere"},
		"no JSON":         {[]string{"p/node_modules/b/package.json", "{"}, "a package.json in it is none"},
		"more than one":   {[]string{"p/node_modules/b/package.json", one("b", "1.0.0") + one("c", "1.0.0")}, "a package.json in it is none"},
		"keys twice":      {[]string{"p/node_modules/b/package.json", `{"name": "b", "name": "c", "version": "1.0.0"}`}, "a package.json in it is none"},
		"no version":      {[]string{"p/node_modules/b/package.json", `{"name": "b"}`}, "cannot be understood"},
		"no name":         {[]string{"p/node_modules/b/package.json", one("../b", "1.0.0")}, "cannot be understood"},
		"too large":       {[]string{"p/node_modules/b/package.json", `{"name": "b", "version": "1.0.0", "x": "` + strings.Repeat("x", maxInner) + `"}`}, "too large"},
	} {
		list, err := ReadContents(bytes.NewReader(packed(t, test.files...)))
		var got []string
		for _, c := range list {
			got = append(got, c.Path+" "+c.Manifest.Name+"@"+c.Manifest.Version)
		}
		text := strings.Join(got, ", ")
		if err != nil {
			text = err.Error()
		}
		if text != test.want && (err == nil || !strings.Contains(text, test.want) || test.want == "") {
			t.Errorf("%s: %q, want %q", name, text, test.want)
		}
	}
	whole := packed(t, "p/node_modules/b/package.json", one("b", "1.0.0"))
	for _, n := range []int{0, 5, len(whole) / 2} {
		if list, err := ReadContents(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("half a tarball holds %v", list)
		}
	}
}

func FuzzReadContents(f *testing.F) {
	f.Add(packed(f, "p/node_modules/b/package.json", `{"name": "b", "version": "1.0.0", "dependencies": {"c": "1"}}`))
	f.Add(packed(f, "p/node_modules/@s/b/node_modules/c/package.json", `{"name": "c", "version": "1.0.0", "bin": "x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ReadContents(bytes.NewReader(data))
		if err != nil && list != nil {
			t.Error("packages of what cannot be read")
		}
		for _, c := range list {
			if strings.Contains("/"+c.Path+"/", "/../") || !strings.HasPrefix(c.Path, "node_modules/") {
				t.Errorf("%q leads elsewhere", c.Path)
			}
		}
	})
}

// inside resolves a package that bundles, with what its tarball holds.
func inside(t *testing.T, manifest string, files ...string) *Closure {
	t.Helper()
	source := shelf{}
	for name, version := range map[string]string{"a": manifest, "free": `"dependencies": {"b": "2"}, `, "b": ""} {
		v := map[string]string{"a": "1.0.0", "free": "1.0.0", "b": "2.0.0"}[name]
		p, err := ReadPackument(strings.NewReader(`{"name": "`+name+`", "dist-tags": {"latest": "`+v+`"}, "versions": {"`+v+`": {`+version+`"name": "`+name+`", "version": "`+v+`", "dist": {"tarball": "https://registry.example/`+name+`.tgz", "integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="}}}}`), name)
		if err != nil {
			t.Fatal(err)
		}
		source[name] = p
	}
	c, err := Resolve(t.Context(), source, []Request{{Name: "a"}}, Options{Contents: func(_ context.Context, m *Manifest) ([]Content, error) {
		if m.Name != "a" {
			t.Errorf("the tarball of %s was asked for", m.Name)
		}
		return ReadContents(bytes.NewReader(packed(t, files...)))
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBundled: what a tarball holds is used from there, and nothing of it comes from
// the registry; what it should hold and does not is unresolved.
func TestBundled(t *testing.T) {
	b := []string{"p/node_modules/b/package.json", `{"name": "b", "version": "1.0.0", "dependencies": {"c": "^1"}}`}
	c := []string{"p/node_modules/c/package.json", `{"name": "c", "version": "1.1.0"}`}
	both := append(append([]string{}, b...), c...)
	for name, test := range map[string]struct {
		manifest string
		files    []string
		want     string // the packages; then what is unresolved
	}{
		"all is there":      {`"dependencies": {"b": "1", "free": "1"}, "bundleDependencies": ["b"], `, both, "a, a/b*, a/c*, b, free"},
		"all are bundled":   {`"dependencies": {"b": "1"}, "bundleDependencies": true, `, both, "a, a/b*, a/c*"},
		"one is missing":    {`"dependencies": {"b": "1", "x": "1"}, "bundleDependencies": ["b", "x"], `, both, "a, a/b*, a/c*; x"},
		"the inner one is":  {`"dependencies": {"b": "1"}, "bundleDependencies": ["b"], `, b, "a, a/b*; c"},
		"another version":   {`"dependencies": {"b": "3"}, "bundleDependencies": ["b"], `, both, "a, a/b*, a/c*; b"},
		"nothing is":        {`"dependencies": {"b": "1"}, "bundleDependencies": ["b"], `, nil, "a; b"},
		"it cannot be read": {`"dependencies": {"b": "1"}, "bundleDependencies": ["b"], `, []string{"p/node_modules/b", "->"}, "a; b"},
	} {
		closure := inside(t, test.manifest, test.files...)
		var packages, unresolved []string
		for _, p := range closure.Packages {
			short := strings.ReplaceAll(strings.ReplaceAll(p.Path, "/node_modules/", "/"), "node_modules/", "")
			if p.Bundled {
				short += "*"
			}
			if p.Bundled != (p.Integrity == "" && p.Tarball == "") {
				t.Errorf("%s: %s has bytes of its own", name, p.Path)
			}
			packages = append(packages, short)
		}
		for _, u := range closure.Unresolved {
			unresolved = append(unresolved, u.Name)
		}
		got := strings.TrimSuffix(strings.Join(packages, ", ")+"; "+strings.Join(unresolved, ", "), "; ")
		if diff := gocmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		folder, err := closure.Folder("x")
		if complete := len(unresolved) == 0; complete != (err == nil) || complete && !strings.Contains(string(folder.Lockfile), `"inBundle": true`) {
			t.Errorf("%s: %v\n%s", name, err, folder.Lockfile)
		}
	}
}
