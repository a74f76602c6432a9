package sbom

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/package-url/packageurl-go"
)

func TestNPMPackageURL(t *testing.T) {
	for want, got := range map[string]string{
		"pkg:npm/debug@4.3.4":       NPMPackageURL("debug", "4.3.4"),
		"pkg:npm/%40acme/web@1.0.0": NPMPackageURL("@acme/web", "1.0.0"),
		"pkg:npm/%40acme/web":       NPMPackageURL("@acme/web", ""),
		"pkg:npm/web?download_url=https:%2F%2Fregistry.example%2Fweb.tgz": NPMPackageURL("web", "",
			packageurl.Qualifier{Key: "download_url", Value: "https://registry.example/web.tgz"}),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestParseIntegrity(t *testing.T) {
	const (
		sha1   = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="
		hex1   = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
		sha256 = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
		hex256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	)
	for _, tc := range []struct {
		in   string
		want []Hash
		bad  string
	}{
		{in: sha1, want: []Hash{{Algorithm: "sha1", Value: hex1}}},
		{in: "  " + sha1 + "?foo=bar \t" + sha256, want: []Hash{{Algorithm: "sha1", Value: hex1}, {Algorithm: "sha256", Value: hex256}}},
		{in: "", bad: "empty"},
		{in: "md5-1B2M2Y8AsgTpgAmY7PhCfg==", bad: "unknown algorithm"},
		{in: "SHA1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", bad: "unknown algorithm"},
		{in: "sha512-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", bad: "not a sha512 digest"},
		{in: "sha1", bad: "not a sha1 digest"},
		{in: sha1 + "\n", want: []Hash{{Algorithm: "sha1", Value: hex1}}},
		{in: "sha1-2jmj7l5rSw0yVb/vlWAY\nkK/YBwk=", bad: "unknown algorithm"},
		{in: sha1 + "?" + sha256, want: []Hash{{Algorithm: "sha1", Value: hex1}}},
		{in: "sha1-%%%", bad: "not a sha1 digest"},
		{in: sha1 + " sha3-abc", want: []Hash{{Algorithm: "sha1", Value: hex1}}, bad: "unknown algorithm"},
	} {
		got, err := ParseIntegrity(tc.in)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q: %s", tc.in, diff)
		}
		if (err != nil) != (tc.bad != "") || err != nil && !strings.Contains(err.Error(), tc.bad) {
			t.Errorf("%q: error %v, want %q", tc.in, err, tc.bad)
		}
	}
}
