package mcp

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/tailscale/hujson"
)

// What is written out by hand because expressions are slow says the same as the
// expression that it stands for.

func TestNameParts(t *testing.T) {
	camel, nonWords := regexp.MustCompile(`([a-z0-9])([A-Z])`), regexp.MustCompile(`[^A-Za-z0-9]+`)
	for _, name := range []string{"", "API_KEY", "apiKey", "APIKey", "a1B2cD", "x-api-key", "_", "__A__b", "ключAPIKey", "\u212aey", "clé-API", "İD", "token\x00", "\xff\xfeKEY", "ſECRET"} {
		want := strings.Fields(nonWords.ReplaceAllString(strings.ToLower(camel.ReplaceAllString(name, "$1 $2")), " "))
		if got := nameParts(name); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestSpeaks(t *testing.T) {
	for _, text := range []string{
		"your-key", "YOUR_KEY", "insert it", "Replace", "enter", "PUT", "paste", "changeme", "change-me", "change_me", "changeit", "redacted",
		"<masked>", "placeholder", "an example", "dummy", "sample", "todo", "TBD", "fixme", "goes-here", "goes here", "here", "my-api-key",
		"test_token", "fakesecret", "example pat", "key-here", "value_here",
	} {
		if !spoken.MatchString(text) {
			t.Errorf("%q is no placeholder any more: drop it from this test", text)
		}
		if !speaks(text) {
			t.Errorf("%q: holds none of the words, and is a placeholder", text)
		}
	}
}

func TestRepeats(t *testing.T) {
	for _, text := range []string{"xxxx", "aXxxXb", "sk-****", "•••", "a*•*b", "...", "key…", "####"} {
		if !masked.MatchString(text) {
			t.Errorf("%q is masked no more: drop it from this test", text)
		}
		if !repeats(text) {
			t.Errorf("%q: nothing is repeated, and it is masked", text)
		}
	}
}

func TestFold(t *testing.T) {
	for _, name := range []string{"", "abc", "MCP.json", ".Cursor/MCP.JSON", "\x00\x7f", "ſettings.json", "se\u00adttings.json", "\u212ailo.json", "İ"} {
		want := strings.ToLower(strings.ToUpper(strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) {
				return -1
			}
			return r
		}, name)))
		if got := fold(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{`""`, ""}, {`"a b"`, "a b"}, {`"\u0061"`, "a"}, {`"\\"`, `\`}, {`"é"`, "é"}, {`"a\"b"`, `a"b`}, {"\"a\xffb\"", "a\ufffdb"}, {`12`, "12"}, {`true`, "true"}, {`[]`, ""},
	} {
		v, err := hujson.Parse([]byte(tt.src))
		if err != nil {
			t.Fatalf("%s: %v", tt.src, err)
		}
		if got := text(&v); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.src, got, tt.want)
		}
	}
}
