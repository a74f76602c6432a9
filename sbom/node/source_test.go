package node

import "testing"

// What stands in a message may be a URL, whatever it was meant to be.
func TestQuoteRedacts(t *testing.T) {
	for in, want := range map[string]string{
		"//s3cret@host/x":         `"//host/x"`,
		"git::https://u:p@host/x": `"git::https://host/x"`,
		"github:s3cret@owner/x":   `"github:owner/x"`,
		"@scope/name":             `"@scope/name"`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
	if got := licenseName(&value{kind: stringKind, text: "//s3cret@host/x"}); got != "//host/x" {
		t.Errorf("a licence is %q", got)
	}
}
