package pypi

import (
	"strings"
	"testing"
)

func TestNamedIndex(t *testing.T) {
	const index = "https://index.example/simple/"
	for name, tt := range map[string]struct {
		value string
		env   map[string]string
		want  string
		wrong string // how the error begins
	}{
		"nobody names one":      {},
		"the flag":              {value: index, env: map[string]string{"UV_DEFAULT_INDEX": "https://other.example/"}, want: index},
		"the first variable":    {env: map[string]string{"PIP_INDEX_URL": "https://other.example/", "UV_INDEX_URL": index}, want: index},
		"with a name":           {env: map[string]string{"UV_DEFAULT_INDEX": "internal=" + index}, want: index},
		"no URL by the flag":    {value: "simple", wrong: "--pypi-index: "},
		"no URL by a variable":  {env: map[string]string{"PIP_INDEX_URL": "file:///simple"}, wrong: "PIP_INDEX_URL: "},
		"a password is no text": {env: map[string]string{"UV_INDEX_URL": "ftp://me:hunter2@index.example/"}, wrong: "UV_INDEX_URL: "},
	} {
		got, err := NamedIndex("--pypi-index", tt.value, func(name string) string { return tt.env[name] })
		if got != tt.want || (err != nil) != (tt.wrong != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), tt.wrong) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %s", name, err, tt.wrong)
		}
	}
}
