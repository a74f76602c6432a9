package npm

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExpand(t *testing.T) {
	e := readEnviron([]string{"A=v", "EMPTY=", "npm_config_init_author_name=x", "NPM_CONFIG__AUTH=y", "npm_config_cache="})
	for _, tt := range []struct {
		text, want string
		unset      []string
		has        bool
	}{
		{"plain", "plain", nil, false},
		{"$A {A} ${}", "$A {A} ${}", nil, false},
		{"${A}", "v", nil, true},
		{"x${A}y${A}z", "xvyvz", nil, true},
		{`\${A}`, "${A}", nil, false},
		{`\\${A}`, `\v`, nil, true},
		{`\\\${A}`, `\${A}`, nil, false},
		{"x${B}", "x${B}", []string{"B"}, true},
		{"x${B?}", "x", nil, true},
		{"${A?}", "v", nil, true},
		{"${EMPTY}", "", nil, true},
		{`${A}${B?}\${A}${C}${D}`, "v${A}${C}${D}", []string{"C", "D"}, true},
	} {
		got, unset := e.expand(tt.text)
		if got != tt.want || !cmp.Equal(unset, tt.unset) || hasVariable(tt.text) != tt.has {
			t.Errorf("%s: %q, unset %v, variable %v", tt.text, got, unset, hasVariable(tt.text))
		}
	}
	if diff := cmp.Diff(map[string]string{"init-author-name": "x", "_auth": "y"}, e.npm); diff != "" {
		t.Errorf("npm_config_* (-want +got):\n%s", diff)
	}
}

func TestCredentialsPrintNothing(t *testing.T) {
	c := Credentials{"Bearer secret"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(format, c); got != "REDACTED" && got != `"REDACTED"` {
			t.Errorf("%s prints %s", format, got)
		}
	}
	if got := c.LogValue().String(); got != "REDACTED" {
		t.Errorf("logs %s", got)
	}
}
