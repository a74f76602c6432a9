package provenance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
	"countermark/sbom"
)

// everybody trusts sigstore's public instance and our own together.
func everybody(t testing.TB) *trust.Material {
	t.Helper()
	public := must(os.ReadFile(filepath.Join("trust", "trusted_root.json")))
	keys := must(os.ReadFile(filepath.Join("trust", "npm-keys.json")))
	return materialOf(
		union([]map[string]any{decoded(public), decoded(must(ours(t).TrustedRoot()))}),
		union([]map[string]any{decoded(keys), decoded(must(ours(t).NPMKeys()))}))
}

// TestConcurrentKinds judges sets, bundles, keys, timestamps, releases and images
// through one verifier from many goroutines, the same ones and different ones at
// the same time. Each gets the answer that it gets alone; the race detector is
// the other judge.
func TestConcurrentKinds(t *testing.T) {
	material := everybody(t)
	jobs := manyKinds(t)
	alone := map[string]Result{}
	for name, job := range jobs {
		alone[name] = job(verifier(t, material))
		if want := wantedOf(name); alone[name].State != want {
			t.Errorf("%s: %s (%s), want %s", name, alone[name].State, alone[name].Reason, want)
		}
	}
	v := verifier(t, material)
	start := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		for name, job := range jobs {
			all.Go(func() {
				<-start // so that none is done before the last one begins
				if d := cmp.Diff(alone[name], job(v)); d != "" {
					t.Errorf("%s is judged otherwise than alone:\n%s", name, d)
				}
			})
		}
	}
	close(start)
	all.Wait()
}

func wantedOf(name string) State {
	switch name {
	case "fork":
		return Mismatch
	case "changed", "stranger":
		return Invalid
	default:
		return Verified
	}
}

// manyKinds are judgements of everything that a verifier judges.
func manyKinds(t *testing.T) map[string]func(v *Verifier) Result {
	t.Helper()
	s := ours(t)
	jobs := map[string]func(v *Verifier) Result{}
	npm := func(name string, subject Subject, e Expectation, set Set) {
		jobs[name] = func(v *Verifier) Result { return v.Package(subject, e, set) }
	}
	npm("real set", realSubject(), realExpectation(), realSet(t))
	npm("own set", honestSubject(), honestExpectation(), signed(t, honest()))
	npm("own set of v0.2", honestSubject(), honestExpectation(), build(func(b *provenancetest.Build) { b.SLSA02 = true })(t))
	npm("stamped", honestSubject(), honestExpectation(), provenanceBy(stamped, nil)(t))
	npm("Rekor v2", honestSubject(), honestExpectation(), provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.Record2 }, nil)(t))
	npm("fork", honestSubject(), honestExpectation(), build(func(b *provenancetest.Build) { b.Repository = "https://github.com/evil/tool" })(t))
	npm("changed", honestSubject(), honestExpectation(), provenanceBy(stamped, func(tree map[string]any) { logged(tree)["logIndex"] = "1002" })(t))
	npm("stranger", honestSubject(), honestExpectation(), provenanceOf(t, impostor(t, provenancetest.Fulcio), stamped, nil))

	// Local evidence is parsed before it is asked for, and shared by all who ask.
	local, _, err := openLocal([]string{filepath.Join("testdata", "sigstore-1.3.0")})
	if err != nil {
		t.Fatal(err)
	}
	jobs["local set"] = func(v *Verifier) Result {
		return v.Package(realSubject(), realExpectation(), must(local.Attestations(t.Context(), realSubject())))
	}

	content := []byte("a file\n")
	sum := sha256.Sum256(content)
	file := Artifact{Name: "f", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
	digest := Artifact{Name: "f", Digest: Digest{"sha256", hex.EncodeToString(sum[:])}}
	artifact := func(name string, a Artifact, bundle []byte, id Identity) {
		list := []Attestation{{Bundle: bundle, From: name}}
		jobs[name] = func(v *Verifier) Result { return must(v.Artifact(a, list, id)) }
	}
	source := Identity{Source: Expectation{Repo: "https://github.com/acme/tool"}}
	key := Identity{Key: must(s.PublicKey())}
	artifact("file", file, must(s.SignFile(content, honest().Identity())), source)
	artifact("digest", digest, must(s.SignFile(content, honest().Identity())), source)
	artifact("file with a key", file, must(s.SignFile(content, provenancetest.Signer{Key: true})), key)
	artifact("file with a key, stamped", file, must(s.SignFile(content, provenancetest.Signer{Key: true, Timestamps: []time.Time{provenancetest.Now}})), key)
	artifact("real provenance", Artifact{Name: "s", Digest: Digest{"sha512", real200SHA512}}, read(t, "sigstore-2.0.0", "bundle-provenance.json"), Identity{Source: Expectation{Repo: realRepo}})

	release := releaseOf(served(sdistName, pypiBuild(), nil, published(t, sdistName, pypiBuild().Identity()))...)
	jobs["release"] = func(v *Verifier) Result { return v.Release(pypiSubject(), source.Source, release) }
	image := Set{Availability: Found, Attestations: []Attestation{{Bundle: must(s.ProvenanceOf(imageBuild(), "server", imageDigest))}}}
	jobs["image"] = func(v *Verifier) Result {
		return v.Image(imageSubject(), Expectation{Repo: "https://github.com/acme/server"}, image)
	}
	many := []Subject{realSubject(), {Ecosystem: sbom.NPM, Name: "nobody", Version: "1.0.0"}, realSubject()}
	jobs["run"] = func(v *Verifier) Result {
		return must(Run{Subjects: many, Jobs: 3, Expect: func(Subject) Expectation { return realExpectation() }, Source: local, Verifier: v}.Results(t.Context()))[2]
	}
	return jobs
}
