package provenance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"runtime"
	"sync"
	"testing"
	"time"
)

// A floor is what the signatures of bundles cost alone, on fresh keys of the
// curves that the public instance uses: the envelope's, the log's promise and
// checkpoint and the certificate's promise on P-256, the intermediate
// certificate's over the leaf on P-384. The root's over the intermediate, P-384
// again, is in the uncached floor only (see authority.go).
type floor struct {
	p384, p256 probe
	n384, n256 int // signatures
}

type probe struct {
	key         *ecdsa.PublicKey
	digest, sig []byte
}

func newFloor(b *testing.B, bundles ...Attestation) floor {
	b.Helper()
	sign := func(curve elliptic.Curve, digest []byte) probe {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
		if err != nil {
			b.Fatal(err)
		}
		return probe{&key.PublicKey, digest, sig}
	}
	d384, d256 := sha512.Sum384(nil), sha256.Sum256(nil)
	f := floor{p384: sign(elliptic.P384(), d384[:]), p256: sign(elliptic.P256(), d256[:])}
	for _, a := range bundles {
		o, err := open(a.Bundle)
		if err != nil {
			b.Fatal(err)
		}
		f.n256++
		for _, entry := range o.bundle.entries {
			for _, has := range []bool{entry.HasInclusionPromise(), entry.HasInclusionProof()} {
				if has {
					f.n256++
				}
			}
		}
		if !o.keyed {
			f.n256++
			f.n384++
		}
	}
	return f
}

func (f floor) cached() { f.verify(f.n384) }

func (f floor) uncached() { f.verify(2 * f.n384) }

func (f floor) verify(n384 int) {
	for range n384 {
		ecdsa.VerifyASN1(f.p384.key, f.p384.digest, f.p384.sig)
	}
	for range f.n256 {
		ecdsa.VerifyASN1(f.p256.key, f.p256.digest, f.p256.sig)
	}
}

// against measures op and the floor in turn, so that a machine whose speed drifts
// gives the same ratio, and reports op's time as multiples of both floors.
func against(b *testing.B, cached, uncached, op func()) {
	b.Helper()
	op() // what is done once a run
	b.ReportAllocs()
	var sums [3]time.Duration
	for b.Loop() {
		for i, f := range []func(){op, cached, uncached} {
			start := time.Now() //nolint:forbidigo // it is what a benchmark measures
			f()
			sums[i] += time.Since(start) //nolint:forbidigo // likewise
		}
	}
	b.ReportMetric(float64(sums[0])/float64(b.N), "ns/op")
	b.ReportMetric(float64(sums[0])/float64(sums[1]), "x-cached-floor")
	b.ReportMetric(float64(sums[0])/float64(sums[2]), "x-uncached-floor")
}

// BenchmarkProvenance has one bundle: one with everything (of 2.0.0, with
// promise and proof), and an early one.
func BenchmarkProvenance(b *testing.B) {
	for version, sha512 := range map[string]string{"1.3.0": realSHA512, "2.0.0": real200SHA512} {
		b.Run(version, func(b *testing.B) {
			bundles := []Attestation{{Bundle: read(b, "sigstore-"+version, "bundle-provenance.json")}}
			f, v := newFloor(b, bundles...), verifier(b, embedded(b))
			artifact := Artifact{Digest: Digest{Algorithm: "sha512", Value: sha512}}
			identity := Identity{Source: Expectation{Repo: realRepo}}
			against(b, f.cached, f.uncached, func() {
				if r, err := v.Artifact(artifact, bundles, identity); err != nil || r.State != Verified {
					b.Fatal(r.State, r.Reason, err)
				}
			})
		})
	}
}

func BenchmarkSet(b *testing.B) {
	subject, expected, set := realSubject(), realExpectation(), realSet(b)
	f, v := newFloor(b, set.Attestations...), verifier(b, embedded(b))
	against(b, f.cached, f.uncached, func() {
		if r := v.Package(subject, expected, set); r.State != Verified {
			b.Fatal(r.State, r.Reason)
		}
	})
}

// BenchmarkRun has 500 sets in one process, on all processors.
func BenchmarkRun(b *testing.B) {
	const sets = 500
	source := sameSet{realSet(b)}
	f, v := newFloor(b, source.set.Attestations...), verifier(b, embedded(b))
	subjects := make([]Subject, sets)
	for i := range subjects {
		subjects[i] = realSubject()
	}
	everywhere := func(one func()) func() {
		return func() {
			var all sync.WaitGroup
			for range runtime.GOMAXPROCS(0) {
				all.Go(func() {
					for range sets / runtime.GOMAXPROCS(0) {
						one()
					}
				})
			}
			all.Wait()
		}
	}
	against(b, everywhere(f.cached), everywhere(f.uncached), func() {
		results, err := Run{Subjects: subjects, Expect: func(Subject) Expectation { return realExpectation() }, Source: source, Verifier: v}.Results(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range results {
			if r.State != Verified {
				b.Fatal(r.State, r.Reason)
			}
		}
	})
}

// sameSet is a source that has one set for every subject.
type sameSet struct{ set Set }

// Attestations implements Source.
func (s sameSet) Attestations(context.Context, Subject) (Set, error) { return s.set, nil }
