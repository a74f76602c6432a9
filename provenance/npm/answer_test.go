package npm

import (
	"bytes"
	"encoding/json"
	"testing"
)

// An answer that is accepted holds every bundle as it was sent, and says one
// thing to every reader: no key of its own occurs twice.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"attestations":[{"predicateType":"x","bundle":{"a":1}}]}`, `{"attestations":[],"attestations":[]}`,
		`{"attestations":[{"bundle":null}]}`, `[]`, `{"keys":[{"keyid":"a","key":"b"}]}`, `{"keys":null} x`,
		"{\"a\":1,\"\\u0061\":2}", `{"dist":{},"dist":{}}`, `{`, `{"a"`, `{"a":}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		found, err := parseAttestations(body, "here")
		if err == nil && !json.Valid(body) {
			t.Fatalf("accepted broken JSON: %q", body)
		}
		for _, a := range found {
			if a.From != "here" || !json.Valid(a.Bundle) || a.Bundle[0] != '{' || !bytes.Contains(body, a.Bundle) {
				t.Fatalf("bundle %q of %q", a.Bundle, body)
			}
		}
		if has, err := hasKeys(body); has && (err != nil || !bytes.Contains(body, []byte("key")) && !bytes.Contains(body, []byte(`\u`))) {
			t.Fatalf("keys in %q", body)
		}
	})
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "A": true, "lodash.get": true, "JSONStream": true, "@a/b": true, "@-x/s": true, "@a/_b": true, "a~b!'()*": true, "a_b": true, "0": true,
		".a": false, "_a": false, "-a": false, "@a": false, "@/a": false, "@a/": false, "@.a/b": false, "@a/.b": false, "node_modules": false, "favicon.ico": false,
		"a\n": false, "a%": false, `a\b`: false, "@a/b@c": false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
