package sbom

import (
	"path/filepath"
	"testing"
)

func TestPlaces(t *testing.T) {
	places := Places{{"", "here"}, {"~/", "home"}, {"~/.config/", "moved"}, {"$CACHE/", ""}}
	for name, want := range map[string]string{
		".mcp.json":         "here/.mcp.json",
		"sub/.mcp.json":     "here/sub/.mcp.json",
		"~/.mcp.json":       "home/.mcp.json",
		"~/.config/a/b":     "moved/a/b",
		"$CACHE/x":          "",
		"../outside":        "",
		"~/../outside":      "",
		"~/.config/../keys": "",
	} {
		got, err := places.File(name)
		if filepath.ToSlash(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if got, err := (Places{}).File("a"); err == nil {
		t.Errorf("without places it is %s", got)
	}
}
