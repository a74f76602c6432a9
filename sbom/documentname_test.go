package sbom

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDocumentName(t *testing.T) {
	for folder, want := range map[string]string{
		"":                       "sbom",
		"packages/web":           "packages+web",
		"packages+web":           "packages%2Bweb",
		"../outside":             "%2E.+outside",
		"a/.hidden":              "a+%2Ehidden",
		"a b%\x1b[31mü":          "a%20b%25%1B%5B31m%C3%BC",
		`a\b:c*?"<>|`:            "a%5Cb%3Ac%2A%3F%22%3C%3E%7C",
		strings.Repeat("x", 300): strings.Repeat("x", 200),
	} {
		got := documentName(folder)
		if got != want && len(folder) < 300 || len(got) > maxDocumentName+20 || !filepath.IsLocal(got) || strings.ContainsAny(got, `/\`) {
			t.Errorf("%q: %q, want %q", folder, got, want)
		}
	}
	if documentName(strings.Repeat("x", 300)) == documentName(strings.Repeat("x", 301)) {
		t.Error("long names that differ have one document")
	}
}

func TestDocumentNames(t *testing.T) {
	got := DocumentNames([]string{"", "web", "Web", "WEB", "sbom"})
	if want := []string{"sbom", "web", "Web~2", "WEB~3", "sbom~2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
