package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"errors"
	"net/http"
	"strings"
	"testing"

	"countermark/provenance/npm/npmtest"
)

// bundling is a tarball with the package inner inside.
func bundling(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	archive := tar.NewWriter(z)
	for name, content := range map[string]string{
		"package/package.json":                    `{"name": "outer", "version": "1.0.0"}`,
		"package/node_modules/inner/package.json": `{"name": "inner", "version": "2.3.4", "license": "MIT"}`,
	} {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBundled: only the tarball says what comes inside of it. Where tarballs may be
// fetched, and hold the bytes that the registry names, that is known; else it is not.
func TestBundled(t *testing.T) {
	tarball := bundling(t)
	const unknown = "inner: arrives inside of the package's tarball"
	for name, test := range map[string]struct {
		fault npmtest.Fault
		flags []string
		known bool
		why   string
	}{
		"fetched":     {npmtest.Body(string(tarball)), []string{"--fetch-tarballs"}, true, ""},
		"not fetched": {npmtest.Body(string(tarball)), nil, false, "--fetch-tarballs looks into it"},
		"other bytes": {npmtest.Body(string(append(bytes.Clone(tarball), 0))), []string{"--fetch-tarballs"}, false, "has other bytes than the registry says"},
		"no tarball":  {npmtest.Body("<html>"), []string{"--fetch-tarballs"}, false, "is no gzip file"},
		"cut":         {npmtest.Cut(string(tarball[:len(tarball)/2])), []string{"--fetch-tarballs"}, false, "tar"},
		"not there":   {npmtest.Status(http.StatusNotFound), []string{"--fetch-tarballs"}, false, "404"},
		"hangs up":    {npmtest.HangUp(), []string{"--fetch-tarballs"}, false, "broke"},
	} {
		t.Run(name, func(t *testing.T) {
			w := faultyWorld(t)
			w.describe("outer", sha512.Sum512(tarball), func(d *npmtest.Details) {
				d.Tarball = w.url + "outer/-/outer-1.0.0.tgz"
				d.More = map[string]any{"bin": "x.js", "dependencies": map[string]string{"inner": "^2"}, "bundleDependencies": []string{"inner"}}
			})
			w.registry.FailAlways("/outer/-/outer-1.0.0.tgz", test.fault)
			w.write("project/.mcp.json", []byte(`{"mcpServers": {"bad": {"command": "npx", "args": ["outer@1.0.0"]}}}`))
			want := map[bool]int{true: exitPass, false: exitUnknown}[test.known]
			code, _, stderr := w.command(append([]string{"lock"}, test.flags...)...)
			if code != want || test.known == strings.Contains(stderr, unknown) || test.known != strings.Contains(w.locked(), `"inner@2.3.4": ""`) {
				t.Errorf("lock: exit code %d\n%s\n%s", code, stderr, w.locked())
			}
			if !strings.Contains(stderr, test.why) {
				t.Errorf("it does not say %q: %s", test.why, stderr)
			}
			_, stdout, stderr := w.command(append([]string{"check", "--resolve", "--format", "json"}, test.flags...)...)
			if strings.Contains(stdout, "pkg:npm/inner@2.3.4") != test.known || test.known == strings.Contains(stdout, unknown) {
				t.Errorf("check: %s%s", stdout, stderr)
			}
			code, stdout, stderr = w.command(append([]string{"lock", "--write", "--vendor"}, test.flags...)...)
			if code != want || test.known != strings.Contains(stdout, ".mcp/bad/package-lock.json: 2 packages, written") {
				t.Errorf("lock --write --vendor: exit code %d\n%s%s", code, stdout, stderr)
			}
			if !test.known {
				return
			}
			if got := w.read(".mcp/bad/package-lock.json"); !strings.Contains(got, `"inBundle": true`) || !strings.Contains(got, `"bundleDependencies": [`) {
				t.Errorf("the lockfile does not say that it is bundled:\n%s", got)
			}
			if code, stdout, stderr := w.command("lock", "--check"); code != exitPass {
				t.Errorf("lock --check: exit code %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}
