package npm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
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
		if got := validName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

// Whatever a registry writes into Retry-After, it is a time to wait: never
// negative, seconds as they are written, and dates from the answer's own.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range [][2]string{
		{"7", ""}, {"-7", ""}, {"+7", ""}, {"0x7", ""}, {"7.5", ""}, {" 7", ""}, {"007", ""}, {"99999999999999999999999", ""}, {"", ""}, {"soon", ""}, {"18700000000000000000A", "0"},
		{"Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:58 GMT"}, {"Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 01 Jan 2000 00:00:00 GMT"},
		{"Fri, 31 Dec 1999 23:59:59 GMT", ""}, {"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, after, date string) {
		got := retryAfter(http.Header{"Retry-After": {after}, "Date": {date}})
		if got < 0 {
			t.Fatalf("%q after %q: %s", after, date, got)
		}
		if n, err := strconv.ParseInt(after, 10, 31); err == nil && n >= 0 && after[0] != '+' && after[0] != '-' && got != time.Duration(n)*time.Second {
			t.Errorf("%q seconds are %s", after, got)
		}
		if _, err := http.ParseTime(date); err != nil && got > 0 && strings.Trim(after, "0123456789") != "" {
			t.Errorf("%q without a date is %s", after, got)
		}
	})
}
