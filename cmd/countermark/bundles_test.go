package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countermark/provenance/provenancetest"
)

const (
	spdxType      = "https://spdx.dev/Document/v2.3"
	cycloneDXType = "https://cyclonedx.org/bom"
	slsaType      = "https://slsa.dev/provenance/v1"
)

// TestVerifyBundles: whatever in-toto statements there are of a file or digest,
// in each form in which bundles are handed around.
func TestVerifyBundles(t *testing.T) {
	w := newImageWorld(t)
	content := []byte("the program")
	w.write("app", content)
	sum := sha256.Sum256(content)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	build := provenancetest.Build{Version: "1.0.0", Repository: "https://github.com/acme/app"}
	signed := func(predicateType, sha string, as provenancetest.Signer) []byte {
		t.Helper()
		statement, err := json.Marshal(map[string]any{
			"_type": "https://in-toto.io/Statement/v1", "predicateType": predicateType, "predicate": map[string]any{"name": "app"},
			"subject": []any{map[string]any{"name": "app", "digest": map[string]any{"sha256": sha}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := w.sigstore.Sign(statement, as)
		if err != nil {
			t.Fatal(err)
		}
		return bundle
	}
	hexSum := hex.EncodeToString(sum[:])
	provenance, err := w.sigstore.ProvenanceOf(build, "app", hexSum)
	if err != nil {
		t.Fatal(err)
	}
	spdx := signed(spdxType, hexSum, build.Identity())
	cycloneDX := signed(cycloneDXType, strings.Repeat("0a", 32), build.Identity()) // of another file
	keyed := signed(spdxType, hexSum, provenancetest.Signer{Key: true})
	private := build.Identity()
	private.Entry, private.NoSCT, private.Timestamps = provenancetest.NoEntry, true, []time.Time{provenancetest.Now}
	stamped := signed(spdxType, hexSum, private)
	unstamped := build.Identity()
	unstamped.Entry, unstamped.NoSCT = provenancetest.NoEntry, true

	lines := func(bundles ...[]byte) []byte {
		var b bytes.Buffer
		for _, bundle := range bundles {
			if err := json.Compact(&b, bundle); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
		}
		return b.Bytes()
	}
	answer := func(bundles ...[]byte) []byte {
		var list []string
		for i, bundle := range bundles {
			list = append(list, fmt.Sprintf(`{"repository_id":%d,"bundle_url":"https://blobs.example/%d","initiator":"user","bundle":%s}`, 1001, i, bundle))
		}
		return []byte(`{"attestations":[` + strings.Join(list, ",") + `]}`)
	}
	w.write("one.json", provenance)
	w.write("download.jsonl", lines(provenance, cycloneDX, spdx)) // as gh attestation download
	w.write("answer.json", answer(cycloneDX, provenance, spdx))   // as GitHub's API
	w.write("urls.json", []byte(`{"attestations":[{"repository_id":1,"bundle":null,"bundle_url":"https://blobs.example/1"}]}`))
	w.write("keyed.json", keyed)
	w.write("mixed.jsonl", lines(provenance, keyed))
	w.write("private.json", stamped)
	w.write("timeless.json", signed(spdxType, hexSum, unstamped))
	root, err := w.sigstore.TrustedRoot(provenancetest.Fulcio, provenancetest.Timestamp)
	if err != nil {
		t.Fatal(err)
	}
	w.write("private-root.json", root)
	key, err := w.sigstore.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	w.write("key.pem", key)
	other, err := w.sigstore.Impostor(provenancetest.NPM)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = other.PublicKey(); err != nil {
		t.Fatal(err)
	}
	w.write("other.pem", key)

	const source = "--source-uri=https://github.com/acme/app"
	for _, c := range []struct {
		name    string
		subject string // the file, by default
		bundle  string
		args    []string
		private bool
		code    int
		want    string
	}{
		{name: "one", bundle: "one.json", args: []string{source}, want: "verified"},
		{name: "by digest", subject: digest, bundle: "one.json", args: []string{source}, want: "verified"},
		{name: "another source", bundle: "one.json", args: []string{"--source-uri=https://github.com/mallory/app"}, code: exitFail, want: "mismatch"},
		{name: "downloaded lines, provenance", bundle: "download.jsonl", args: []string{source, "--predicate-type=" + slsaType}, want: "verified"},
		{name: "downloaded lines, an SBOM", bundle: "download.jsonl", args: []string{source, "--predicate-type=" + spdxType}, want: "verified"},
		{name: "downloaded lines, an SBOM of another file", bundle: "download.jsonl", args: []string{source, "--predicate-type=" + cycloneDXType}, code: exitFail, want: "none of its subjects is this file"},
		{name: "downloaded lines, no such type", bundle: "download.jsonl", args: []string{source, "--predicate-type=https://example.com/none"}, code: exitFail, want: "none of 3 bundles holds"},
		{name: "GitHub's answer, an SBOM", subject: digest, bundle: "answer.json", args: []string{source, "--predicate-type=" + spdxType}, want: "verified"},
		{name: "GitHub's answer, any type", subject: digest, bundle: "answer.json", args: []string{source}, want: "verified"},
		{name: "GitHub's answer without bundles", bundle: "urls.json", args: []string{source}, code: exitUsage, want: "bundle_url"},
		{name: "keyed", bundle: "keyed.json", args: []string{"--key", "key.pem"}, want: "verified"},
		{name: "keyed, among others", bundle: "mixed.jsonl", args: []string{"--key", "key.pem", "--predicate-type=" + spdxType}, want: "verified"},
		{name: "another key", bundle: "keyed.json", args: []string{"--key", "other.pem"}, code: exitFail, want: "invalid"},
		{name: "keyed, and no key given", bundle: "keyed.json", args: []string{source}, code: exitFail, want: "no key is given"},
		{name: "private instance", subject: digest, bundle: "private.json", private: true, args: []string{source, "--predicate-type=" + spdxType}, want: "verified"},
		{name: "private instance, another root", bundle: "private.json", args: []string{source}, code: exitFail, want: "invalid"},
		{name: "private instance, nobody saw when", bundle: "timeless.json", private: true, args: []string{source}, code: exitFail, want: "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			subject := filepath.Join(w.dir, "app")
			if c.subject != "" {
				subject = c.subject
			}
			args := []string{"verify", subject, "--bundle", filepath.Join(w.dir, c.bundle)}
			for _, a := range c.args {
				if strings.HasSuffix(a, ".pem") {
					a = filepath.Join(w.dir, a)
				}
				args = append(args, a)
			}
			root := "root.json"
			if c.private {
				root = "private-root.json"
			}
			out, errs := w.runWith(root, c.code, args...)
			if !strings.Contains(strings.ToLower(out+errs), c.want) {
				t.Errorf("got %s%s, want %q", out, errs, c.want)
			}
		})
	}
}
