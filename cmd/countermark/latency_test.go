package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkCheckThousand is check with 1,000 attested packages and a registry
// that holds each answer for 20 ms. Beside the time it gives the ideal, which is
// requests × latency / concurrency + the cryptography of all signatures / cores,
// and how many times that it took:
//
//	go test -run '^$' -bench CheckThousand -benchtime 3x ./cmd/countermark
func BenchmarkCheckThousand(b *testing.B) {
	const packages, latency = 1000, 20 * time.Millisecond
	w := newWorld(b)
	var requests atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, q *http.Request) {
		requests.Add(1)
		<-time.After(latency)
		w.registry.ServeHTTP(out, q)
	}))
	b.Cleanup(slow.Close)
	w.url = slow.URL + "/"
	for i := range packages {
		name := fmt.Sprintf("package-%04d", i)
		w.release(name, "https://github.com/acme/"+name, w.lock(name))
	}
	w.adjust = func(p *program) { p.transport = nil }
	signatures := signatureTime(b)
	b.ResetTimer()
	for b.Loop() {
		v := w.check(exitPass, "version: 1\nsources: {\"*\": {repo: \"https://github.com/acme/*\"}}\n", "--registry", w.url)
		for name, state := range states(v) {
			if state != "verified" {
				b.Fatalf("%s is %s", name, state)
			}
		}
	}
	took := b.Elapsed() / time.Duration(b.N)
	each := float64(requests.Load()) / float64(b.N)
	waiting := each * latency.Seconds() / float64((&evidenceFlags{}).workers())
	ideal := waiting + packages*signatures.Seconds()/float64(runtime.GOMAXPROCS(0))
	b.ReportMetric(ideal, "ideal-s")
	b.ReportMetric(took.Seconds()/ideal, "x-ideal")
	b.ReportMetric(each, "requests/op")
}

// signatureTime is what the signatures of one npm set cost on one core: for the
// bundle with a certificate 1 of P-384 and 4 of P-256, for the keyed one 3 of
// P-256.
func signatureTime(b *testing.B) time.Duration {
	b.Helper()
	return verifyTime(b, elliptic.P384()) + 7*verifyTime(b, elliptic.P256())
}

func verifyTime(b *testing.B, curve elliptic.Curve) time.Duration {
	b.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("message"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	const times = 200
	begin := time.Now()
	for range times {
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], signature) {
			b.Fatal("a good signature does not hold")
		}
	}
	return time.Since(begin) / times
}
