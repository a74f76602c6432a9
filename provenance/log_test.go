package provenance

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
)

// logged returns the first log entry of a bundle that was read as JSON.
func logged(tree map[string]any) map[string]any {
	return as[map[string]any](as[[]any](as[map[string]any](tree["verificationMaterial"])["tlogEntries"])[0])
}

// as is a value of JSON as what it has to be; another ends all tests.
func as[T any](v any) T {
	t, ok := v.(T)
	if !ok {
		panic("the fixture has another form")
	}
	return t
}

// alter changes a bundle's JSON.
func alter(bundle []byte, change func(tree map[string]any)) []byte {
	var tree map[string]any
	if err := json.Unmarshal(bundle, &tree); err != nil {
		panic(err)
	}
	change(tree)
	return must(json.Marshal(tree))
}

// TestEntryIsWhole changes what an entry says of itself beside its signed body.
func TestEntryIsWhole(t *testing.T) {
	s := ours(t)
	v := verifier(t, s.material)
	b := honest()
	b.Ref = "refs/tags/v1.2.4"
	other := must(s.Provenance(b))
	for name, c := range map[string]struct {
		change func(tree map[string]any)
		state  State
	}{
		"nothing":      {func(map[string]any) {}, Verified},
		"kind":         {func(tree map[string]any) { as[map[string]any](logged(tree)["kindVersion"])["kind"] = "intoto" }, Invalid},
		"version":      {func(tree map[string]any) { as[map[string]any](logged(tree)["kindVersion"])["version"] = "0.0.2" }, Invalid},
		"tree size":    {func(tree map[string]any) { as[map[string]any](logged(tree)["inclusionProof"])["treeSize"] = "3" }, Invalid},
		"proof's root": {func(tree map[string]any) { as[map[string]any](logged(tree)["inclusionProof"])["rootHash"] = "AAAA" }, Invalid},
		"checkpoint": {func(tree map[string]any) {
			checkpoint := as[map[string]any](as[map[string]any](logged(tree)["inclusionProof"])["checkpoint"])
			checkpoint["envelope"] = strings.SplitN(as[string](checkpoint["envelope"]), "\n", 2)[0]
		}, Invalid},
		"a second entry, of an unknown log": {func(tree map[string]any) {
			material := as[map[string]any](tree["verificationMaterial"])
			second := alter(must(json.Marshal(logged(tree))), func(entry map[string]any) {
				entry["logId"] = map[string]any{"keyId": "AAAA"}
			})
			material["tlogEntries"] = append(as[[]any](material["tlogEntries"]), json.RawMessage(second))
		}, Invalid},
		"a second entry, of another bundle": {func(tree map[string]any) {
			material := as[map[string]any](tree["verificationMaterial"])
			var second map[string]any
			alter(other, func(tree map[string]any) { second = logged(tree) })
			second["logIndex"] = "1"
			material["tlogEntries"] = append(as[[]any](material["tlogEntries"]), second)
		}, Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			set := signed(t, honest())
			set.Attestations[1].Bundle = alter(set.Attestations[1].Bundle, c.change)
			got := v.Package(honestSubject(), honestExpectation(), set)
			if got.State != c.state {
				t.Errorf("got %s (%s), want %s", got.State, got.Reason, c.state)
			}
		})
	}
}

// TestChainIsWhole puts certificates above the signer's, as bundles of version
// 0.1 have them.
func TestChainIsWhole(t *testing.T) {
	s := ours(t)
	v := verifier(t, s.material)
	authorities := s.Authorities()
	strangers := must(provenancetest.New()).Authorities()
	changed := append([]byte(nil), authorities[0]...)
	changed[len(changed)-1] ^= 1
	for name, c := range map[string]struct {
		above [][]byte
		state State
	}{
		"nothing":              {nil, Verified},
		"the trusted ones":     {authorities, Verified},
		"one bit is changed":   {[][]byte{changed, authorities[1]}, Invalid},
		"another instance's":   {[][]byte{authorities[0], strangers[1]}, Invalid},
		"no certificate":       {[][]byte{[]byte("certificate")}, Invalid},
		"the trusted root's 1": {authorities[1:], Verified},
	} {
		t.Run(name, func(t *testing.T) {
			set := signed(t, honest())
			set.Attestations[1].Bundle = alter(set.Attestations[1].Bundle, func(tree map[string]any) {
				tree["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
				material := as[map[string]any](tree["verificationMaterial"])
				chain := []any{material["certificate"]}
				for _, raw := range c.above {
					chain = append(chain, map[string]any{"rawBytes": raw})
				}
				delete(material, "certificate")
				material["x509CertificateChain"] = map[string]any{"certificates": chain}
			})
			got := v.Package(honestSubject(), honestExpectation(), set)
			if got.State != c.state {
				t.Errorf("got %s (%s), want %s", got.State, got.Reason, c.state)
			}
		})
	}
}

// TestEntryOfRekor2IsWhole changes entries of Rekor v2, of which sigstore-go
// verifies what it writes anew from the bundle.
func TestEntryOfRekor2IsWhole(t *testing.T) {
	dir := sharedData(t, "conformance")
	for _, name := range []string{"rekor2-happy-path", "rekor2-dsse-happy-path"} {
		c := filepath.Join(dir, "bundle-verify", name)
		bundle := must(os.ReadFile(filepath.Join(c, "bundle.sigstore.json")))
		material := embedded(t)
		material.Root = must(trust.LoadRoot(must(os.ReadFile(filepath.Join(c, "trusted_root.json"))), "root"))
		v := verifier(t, material)
		content := conformanceContent(t, dir, c)
		a := Artifact{Name: "a.txt", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
		id := Identity{CertificateRegexp: ".*", IssuerRegexp: ".*"}
		judge := func(bundle []byte) Result { return must(v.Artifact(a, []Attestation{{Bundle: bundle}}, id)) }
		if got := judge(bundle); got.State != Verified {
			t.Fatalf("%s: %s (%s)", name, got.State, got.Reason)
		}
		for path, n := range map[string]int{
			"verificationMaterial.tlogEntries.0.canonicalizedBody":       24,
			"verificationMaterial.tlogEntries.0.inclusionProof.rootHash": 8,
			"verificationMaterial.tlogEntries.0.logId.keyId":             8,
		} {
			for at, changed := range flips(t, bundle, path, n) {
				if got := judge(changed); got.State != Invalid {
					t.Errorf("%s, %s, place %d of %d: %s", name, path, at, n, got.State)
				}
			}
		}
		for what, change := range map[string]func(entry map[string]any){
			"tree size":     func(entry map[string]any) { as[map[string]any](entry["inclusionProof"])["treeSize"] = "5000000" },
			"proof's index": func(entry map[string]any) { as[map[string]any](entry["inclusionProof"])["logIndex"] = "1" },
			"index":         func(entry map[string]any) { entry["logIndex"] = "1" },
			"kind":          func(entry map[string]any) { as[map[string]any](entry["kindVersion"])["kind"] = "dsse" },
		} {
			if got := judge(alter(bundle, func(tree map[string]any) { change(logged(tree)) })); got.State != Invalid {
				t.Errorf("%s, %s: %s", name, what, got.State)
			}
		}
	}
}
