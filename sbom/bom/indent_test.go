package bom

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzIndent(f *testing.F) {
	for _, text := range []string{
		`{"a":[],"b":{},"c":[{"d":"e\"f\\"},[1.5e-3,true,null],""],"[{,:":"]}"}`, `[]`, `[[]]`, `0`, `""`, `"\\\\"`,
		strings.Repeat(`[{"a":`, 40) + "1" + strings.Repeat("}]", 40),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var compact, want bytes.Buffer
		if json.Compact(&compact, text) != nil {
			return
		}
		if err := json.Indent(&want, compact.Bytes(), "", "  "); err != nil {
			t.Fatal(err)
		}
		if got := indent(nil, compact.Bytes(), 0); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s became\n%s\nwant\n%s", compact.Bytes(), got, want.Bytes())
		}
	})
}
