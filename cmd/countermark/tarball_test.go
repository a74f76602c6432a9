package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countermark/provenance/provenancetest"
)

// pack makes an npm tarball of one package.json.
func pack(t *testing.T, name, version string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	archive := tar.NewWriter(zipped)
	manifest := `{"name":"` + name + `","version":"` + version + `"}`
	if err := archive.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(manifest)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write([]byte(manifest)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestVerifyTarball judges a tarball by its bytes in a closed world.
func TestVerifyTarball(t *testing.T) {
	w := newWorld(t)
	tgz := pack(t, "@acme/tool", "1.0.0")
	sum := sha512.Sum512(tgz)
	publish, provenance, err := w.sigstore.Set(provenancetest.Build{
		Package: "@acme/tool", Version: "1.0.0", SHA512: hex.EncodeToString(sum[:]), Registry: w.url, Repository: "https://github.com/acme/tool",
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := provenancetest.Answer(publish, provenance)
	if err != nil {
		t.Fatal(err)
	}
	half, err := provenancetest.Answer(publish)
	if err != nil {
		t.Fatal(err)
	}
	w.write("tool.tgz", tgz)
	w.write("swapped.tgz", append(pack(t, "@acme/tool", "1.0.0"), 0))
	w.write("other.tgz", pack(t, "@acme/other", "1.0.0"))
	w.write("plain.tgz", []byte("no tarball"))
	w.write("answer.json", answer)
	w.write("half.json", half)

	const repo = "https://github.com/acme/tool"
	tests := []struct {
		name  string
		args  []string
		code  int
		shown string
	}{
		{"genuine", []string{"tool.tgz", "--attestations", "answer.json", "--source-uri", repo}, exitPass, "VERIFIED"},
		{"with name and version", []string{"tool.tgz", "--attestations", "answer.json", "--source-uri", repo, "--package-name", "@acme/tool", "--package-version", "1.0.0"}, exitPass, "VERIFIED"},
		{"with its builder", []string{"tool.tgz", "--attestations", "answer.json", "--source-uri", repo, "--builder-id", "https://github.com/actions/runner/github-hosted"}, exitPass, "VERIFIED"},
		{"another name", []string{"tool.tgz", "--attestations", "answer.json", "--source-uri", repo, "--package-name", "@acme/other"}, exitFail, ""},
		{"another version", []string{"tool.tgz", "--attestations", "answer.json", "--source-uri", repo, "--package-version", "1.0.1"}, exitFail, ""},
		{"another repository", []string{"tool.tgz", "--attestations", "answer.json", "--source-uri", repo + "s"}, exitFail, "MISMATCH"},
		{"another builder", []string{"tool.tgz", "--attestations", "answer.json", "--source-uri", repo, "--builder-id", "https://github.com/actions/runner/self-hosted"}, exitFail, "MISMATCH"},
		{"one byte more", []string{"swapped.tgz", "--attestations", "answer.json", "--source-uri", repo}, exitFail, "INVALID"},
		{"another package", []string{"other.tgz", "--attestations", "answer.json", "--source-uri", repo}, exitFail, "ABSENT"},
		{"half a set", []string{"tool.tgz", "--attestations", "half.json", "--source-uri", repo}, exitFail, "INVALID"},
		{"no tarball", []string{"plain.tgz", "--attestations", "answer.json", "--source-uri", repo}, exitUsage, ""},
		{"no source", []string{"tool.tgz", "--attestations", "answer.json"}, exitUsage, ""},
		{"no attestations", []string{"tool.tgz", "--source-uri", repo}, exitUsage, ""},
		{"a key", []string{"tool.tgz", "--attestations", "answer.json", "--source-uri", repo, "--key", "keys.json"}, exitUsage, ""},
		{"no such file", []string{"none.tgz", "--attestations", "answer.json", "--source-uri", repo}, exitUsage, ""},
	}
	t.Chdir(w.dir)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			p := &program{
				stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
				home: func() (string, error) { return filepath.Join(w.dir, "home"), nil }, here: os.Getwd,
				now: func() time.Time { return provenancetest.Now }, version: "test",
			}
			args := append([]string{"verify", "--registry", w.url, "--trusted-root", "root.json", "--npm-keys", "keys.json"}, tt.args...)
			code := p.run(t.Context(), args)
			if code != tt.code || !strings.Contains(stdout.String(), tt.shown) {
				t.Errorf("exit code %d, want %d with %q\n%s%s", code, tt.code, tt.shown, &stdout, &stderr)
			}
			if code == exitUsage && !strings.Contains(stderr.String(), "hint: ") {
				t.Errorf("no hint:\n%s", &stderr)
			}
		})
	}
}

// TestTarballKeysArePinned: the keys of --npm-keys are those of the configured
// registry, and of no other that a scope names.
func TestTarballKeysArePinned(t *testing.T) {
	w := newWorld(t)
	tgz := pack(t, "@acme/tool", "1.0.0")
	sum := sha512.Sum512(tgz)
	publish, provenance, err := w.sigstore.Set(provenancetest.Build{
		Package: "@acme/tool", Version: "1.0.0", SHA512: hex.EncodeToString(sum[:]), Registry: w.url, Repository: ourRepo,
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := provenancetest.Answer(publish, provenance)
	if err != nil {
		t.Fatal(err)
	}
	w.write("tool.tgz", tgz)
	w.write("answer.json", answer)
	t.Chdir(w.dir)
	verify := []string{"verify", "tool.tgz", "--attestations", "answer.json", "--source-uri", ourRepo, "--trusted-root", "root.json", "--npm-keys", "keys.json"}
	const foreign = "the key of the publish attestation is SHA256:"
	const advice = "-> if the registry has a new key, give its keys with --npm-keys; if it is a mirror, configure the registry that published it"
	for npmrc, want := range map[string]struct {
		code int
		says []string
	}{
		"registry=" + w.url: {exitPass, []string{"VERIFIED tool.tgz"}},
		"registry=https://registry.example/\n@acme:registry=" + w.url: {exitFail, []string{"INVALID tool.tgz", foreign, advice}},
		"@acme:registry=" + w.url:                                     {exitFail, []string{"INVALID tool.tgz", foreign, advice}},
		"registry=https://registry.example/":                          {exitFail, []string{"INVALID tool.tgz", "the registry of the publication is"}},
	} {
		w.write(".npmrc", []byte(npmrc+"\n"))
		w.says(want.code, want.says, verify...)
	}
	w.says(exitPass, []string{"VERIFIED tool.tgz"}, append(verify, "--registry", w.url)...)
	w.says(exitFail, []string{"INVALID tool.tgz", foreign, advice}, verify[:len(verify)-2]...)
}
