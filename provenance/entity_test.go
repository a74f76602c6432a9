package provenance

import (
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// TestEntityIsSigstores holds what is read here to what sigstore-go reads: a
// bundle that it refuses is refused.
func TestEntityIsSigstores(t *testing.T) {
	// It is of early 2023: version 0.1, with a promise and without a proof.
	genuine := string(read(t, "sigstore-1.3.0", "bundle-provenance.json"))
	material := func(change func(m map[string]any)) func(string) string {
		return func(s string) string {
			return string(alter([]byte(s), func(tree map[string]any) { change(as[map[string]any](tree["verificationMaterial"])) }))
		}
	}
	entry := func(key string) func(string) string {
		return func(s string) string {
			return string(alter([]byte(s), func(tree map[string]any) { delete(logged(tree), key) }))
		}
	}
	version := func(v string) func(string) string {
		return func(s string) string {
			return string(alter([]byte(s), func(tree map[string]any) { tree["mediaType"] = v }))
		}
	}
	both := func(first, second func(string) string) func(string) string {
		return func(s string) string { return second(first(s)) }
	}
	const (
		v01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
		v02 = "application/vnd.dev.sigstore.bundle+json;version=0.2"
		v03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
	)
	for name, c := range map[string]struct {
		change func(string) string
		ok     bool
	}{
		"as it is":                {func(s string) string { return s }, true},
		"0.1 with its promise":    {version(v01), true},
		"0.1 without its promise": {both(version(v01), entry("inclusionPromise")), false},
		"0.1 without a proof":     {both(version(v01), entry("inclusionProof")), true},
		"0.2 without its proof":   {both(version(v02), entry("inclusionProof")), false},
		"0.2 without a proof":     {version(v02), false},
		"0.3 with a chain":        {version(v03), false},
		"0.4":                     {version("application/vnd.dev.sigstore.bundle.v0.4+json"), false},
		"no version":              {version(""), false},
		"no log entries":          {material(func(m map[string]any) { delete(m, "tlogEntries") }), true},
		"too many log entries":    {material(func(m map[string]any) { m["tlogEntries"] = make([]struct{}, 33) }), false},
		"an empty log entry":      {material(func(m map[string]any) { m["tlogEntries"] = make([]struct{}, 1) }), false},
		"no certificate":          {material(func(m map[string]any) { delete(m, "x509CertificateChain") }), false},
		"an empty chain":          {material(func(m map[string]any) { m["x509CertificateChain"] = map[string]any{} }), false},
		"no material": {func(s string) string {
			return string(alter([]byte(s), func(tree map[string]any) { delete(tree, "verificationMaterial") }))
		}, false},
		"no content": {func(s string) string {
			return string(alter([]byte(s), func(tree map[string]any) { delete(tree, "dsseEnvelope") }))
		}, false},
		"a repeated key":           {func(s string) string { return strings.Replace(s, "{", `{"mediaType":"`+v01+`",`, 1) }, false},
		"a repeated key, in snake": {func(s string) string { return strings.Replace(s, "{", `{"media_type":"`+v01+`",`, 1) }, false},
		"an unknown key":           {func(s string) string { return strings.Replace(s, "{", `{"more":{},`, 1) }, false},
		"something behind it":      {func(s string) string { return s + "{}" }, false},
		"no object":                {func(string) string { return "[]" }, false},
		"nothing":                  {func(string) string { return "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			data := []byte(c.change(genuine))
			theirs := new(bundle.Bundle).UnmarshalJSON(data)
			_, ours := unmarshal(data)
			if (ours == nil) != c.ok {
				t.Errorf("got %v, want ok %t", ours, c.ok)
			}
			if ours == nil && theirs != nil {
				t.Errorf("it is read, but sigstore-go refuses it: %v", theirs)
			}
		})
	}
}
