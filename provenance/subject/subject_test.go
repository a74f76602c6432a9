package subject

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"countermark/sbom"
)

func TestParse(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	image := "pkg:oci/server@sha256:" + digest + "?repository_url="
	tests := []struct {
		word      string
		ecosystem sbom.Ecosystem
		purl      string // what is read; empty where it is refused
		problem   string
	}{
		{"npm:debug@4.3.4", sbom.NPM, "pkg:npm/debug@4.3.4", ""},
		{"npm:@acme/web@1.2.3-rc.1+b", sbom.NPM, "pkg:npm/%40acme/web@1.2.3-rc.1%2Bb", ""},
		{"pkg:npm/%40acme/web@1.2.3", sbom.NPM, "pkg:npm/%40acme/web@1.2.3", ""},
		{"npm:JSONStream@1.3.5", sbom.NPM, "pkg:npm/JSONStream@1.3.5", ""},
		{"npm:@acme/web", sbom.NPM, "", "an exact version is needed"},
		{"npm:debug", sbom.NPM, "", "an exact version is needed"},
		{"npm:debug@latest", sbom.NPM, "", "an exact version is needed"},
		{"npm:debug@^4", sbom.NPM, "", "an exact version is needed"},
		{"npm:../debug@4.3.4", sbom.NPM, "", "no name of an npm package"},
		{"npm:@acme/web/x@1.2.3", sbom.NPM, "", "no name of an npm package"},
		{"pkg:npm/debug", sbom.NPM, "", "an exact version is needed"},
		{"pkg:npm/debug@4.3.4?password=hunter2", sbom.NPM, "", "qualifiers"},
		{"pkg:npm/debug@4.3.4#src", sbom.NPM, "", "paths"},
		{"pkg:gem/rails@7.0.0", sbom.NPM, "", "only packages of npm and PyPI and container images"},
		{"pkg:%zz?password=hunter2", sbom.NPM, "", "no package URL"},

		{"pypi:Acme_Tool@1.2.3", sbom.PyPI, "pkg:pypi/acme-tool@1.2.3", ""},
		{"pypi:acme-tool==1.2.3", sbom.PyPI, "pkg:pypi/acme-tool@1.2.3", ""},
		{"pypi:acme-tool@1!2.0rc1", sbom.PyPI, "pkg:pypi/acme-tool@1%212.0rc1", ""},
		{"pkg:pypi/acme-tool@1.2.3", sbom.PyPI, "pkg:pypi/acme-tool@1.2.3", ""},
		{"pypi:acme-tool", sbom.PyPI, "", "an exact version is needed"},
		{"pypi:acme-tool@>=1", sbom.PyPI, "", "an exact version is needed"},
		{"pypi:-tool@1.2.3", sbom.PyPI, "", "no name of a Python package"},
		{"pkg:pypi/acme/tool@1.2.3", sbom.PyPI, "", "namespaces"},
		{"pkg:pypi/tool@1.2.3?index=https://me:hunter2@index.example", sbom.PyPI, "", "qualifiers"},

		{image + "registry.example/acme/server", sbom.OCI, image + "registry.example%2Facme%2Fserver", ""},
		{"pkg:oci/server@sha256:" + strings.ToUpper(digest) + "?repository_url=acme/server&tag=v1&arch=arm64", sbom.OCI,
			"pkg:oci/server@sha256:" + digest + "?arch=arm64&repository_url=docker.io%2Facme%2Fserver&tag=v1", ""},
		{"pkg:oci/server@v1?repository_url=registry.example/acme/server", sbom.OCI, "", "an image is pinned by its digest"},
		{image, sbom.OCI, "", "no repository_url"},
		{image + "registry.example/acme/other", sbom.OCI, "", "another image's"},
		{image + "registry.example/acme/server&password=hunter2", sbom.OCI, "", "the qualifier password"},
		{"pkg:oci/acme/server@sha256:" + digest + "?repository_url=registry.example/acme/server", sbom.OCI, "", "namespace"},
	}
	for _, tt := range tests {
		got, err := Parse(tt.word)
		if is := Ecosystem(tt.word); is != tt.ecosystem {
			t.Errorf("%s: the ecosystem is %q, want %q", tt.word, is, tt.ecosystem)
		}
		if tt.problem == "" {
			if err != nil || got.PURL != tt.purl || got.Ecosystem != tt.ecosystem {
				t.Errorf("%s: got %s (%s), %v, want %s", tt.word, got.PURL, got.Ecosystem, err, tt.purl)
			}
			continue
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || !strings.Contains(e.Problem, tt.problem) || !strings.HasPrefix(e.Hint, "write ") || got.PURL != "" {
			t.Errorf("%s: got %v, %v, want an error about %s", tt.word, got, err, tt.problem)
		}
		if ok && strings.Contains(e.Error(), "hunter2") {
			t.Errorf("%s: the message quotes the password: %v", tt.word, e)
		}
	}
}

func TestNoPackage(t *testing.T) {
	for word, digest := range map[string]bool{
		"app.tgz": false, "": false, "sha256": false, "md5:00": false, "./pkg": false,
		"sha256:00": true, "sha384:00": true, "sha512:00": true,
	} {
		if got := Ecosystem(word); got != "" {
			t.Errorf("%s is taken for a package of %s", word, got)
		}
		if got := IsDigest(word); got != digest {
			t.Errorf("%s is a digest: %v", word, got)
		}
	}
}

func TestDistribution(t *testing.T) {
	var empty bytes.Buffer
	z := gzip.NewWriter(&empty)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	readable := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(empty.Bytes())), nil }
	unreadable := func() (io.ReadCloser, error) { return nil, errors.New("no such file") }
	for _, tt := range []struct {
		name string
		open func() (io.ReadCloser, error)
		want string // project and version; empty where it is none
	}{
		{"dist/acme_tool-1.0-py3-none-any.whl", unreadable, "acme_tool 1.0"},
		{"acme-tool-1.0.zip", unreadable, "acme-tool 1.0"},
		{"acme_tool-1.0.tar.gz", readable, "acme_tool 1.0"}, // no package.json is in it
		{"acme_tool-1.0.tar.gz", unreadable, ""},
		{"app.bin", readable, ""},
	} {
		project, version, ok := Distribution(tt.name, tt.open)
		if got := project + " " + version; ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%s: got %s %v, want %s", tt.name, got, ok, tt.want)
		}
	}
}
