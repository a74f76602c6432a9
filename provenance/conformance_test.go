package provenance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
)

// The identity of sigstore's conformance suite, where a case names no other.
const (
	conformanceIdentity = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
	conformanceIssuer   = IssuerGitHub
)

// sharedData returns a folder of the data that is shared between checkouts.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	shared := os.Getenv("COUNTERMARK_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "shared")
	}
	dir := filepath.Join(shared, "data", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the shared data is not here: %v", err)
	}
	return dir
}

func optional(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return data
}

// TestConformance runs the cases of sigstore's conformance suite, each for the
// file and for its digest.
func TestConformance(t *testing.T) {
	dir := sharedData(t, "conformance")
	cases, err := os.ReadDir(filepath.Join(dir, "bundle-verify"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range cases {
		if !c.IsDir() {
			continue
		}
		ran++
		t.Run(c.Name(), func(t *testing.T) { conformanceCase(t, dir, filepath.Join(dir, "bundle-verify", c.Name())) })
	}
	if ran == 0 {
		t.Error("no case was found")
	}
}

func conformanceCase(t *testing.T, dir, c string) {
	t.Helper()
	fails := strings.HasSuffix(c, "_fail")
	content := conformanceContent(t, dir, c)
	rootFile := filepath.Join(c, "trusted_root.json")
	rootJSON := optional(t, rootFile)
	if rootJSON == nil {
		rootJSON = optional(t, filepath.Join(dir, "public-good-trusted_root.json"))
	}
	root, err := trust.LoadRoot(rootJSON, rootFile)
	if err != nil {
		if !fails {
			t.Error(err)
		}
		return
	}
	alone, beside := embedded(t), embedded(t)
	alone.Root = root
	// A stranger's root before and after changes no answer.
	stranger := must(must(provenancetest.New()).TrustedRoot())
	beside.Root = must(trust.LoadRoot(slices.Concat(stranger, rootJSON, stranger), rootFile))

	id := Identity{Certificate: conformanceIdentity, Issuer: conformanceIssuer}
	if name := optional(t, filepath.Join(c, "identity")); name != nil {
		id.Certificate = strings.TrimSpace(string(name))
	}
	if issuer := optional(t, filepath.Join(c, "issuer")); issuer != nil {
		id.Issuer = strings.TrimSpace(string(issuer))
	}
	if key := optional(t, filepath.Join(c, "key.pub")); key != nil {
		id = Identity{Key: key}
	}
	sum := sha256.Sum256(content)
	for what, a := range map[string]Artifact{
		"file": {Name: "a.txt", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }},
		"digest": {
			Name:   "sha256:" + hex.EncodeToString(sum[:]),
			Digest: Digest{Algorithm: "sha256", Value: hex.EncodeToString(sum[:])},
		},
	} {
		bundle := Attestation{Bundle: optional(t, filepath.Join(c, "bundle.sigstore.json")), From: "bundle.sigstore.json"}
		for roots, material := range map[string]*trust.Material{"alone": alone, "among three roots": beside} {
			got, err := verifier(t, material).Artifact(a, []Attestation{bundle}, id)
			if ok := err == nil && got.State == Verified; ok == fails {
				t.Errorf("%s, %s: got %s (%s), err %v", what, roots, got.State, got.Reason, err)
			}
			t.Logf("%s, %s: %s %s %v", what, roots, got.State, got.Reason, err)
		}
	}
}

// conformanceContent returns the file that a case is about.
func conformanceContent(t *testing.T, dir, c string) []byte {
	t.Helper()
	artifact := filepath.Join(c, "artifact")
	if _, err := os.Stat(artifact); err != nil {
		artifact = filepath.Join(dir, "a.txt")
		if _, err := os.Stat(filepath.Join(dir, "bundle-verify", "a.txt")); err == nil {
			artifact = filepath.Join(dir, "bundle-verify", "a.txt")
		}
	}
	content, err := os.ReadFile(artifact)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func embedded(t testing.TB) *trust.Material {
	t.Helper()
	m, err := trust.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func verifier(t testing.TB, m *trust.Material) *Verifier {
	t.Helper()
	v, err := NewVerifier(m)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
