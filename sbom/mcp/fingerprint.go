package mcp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"countermark/sbom"

	"github.com/tailscale/hujson"
)

// fingerprint is a digest of how the client starts the server, by which a lock
// notices that somebody changed an argument. Whoever has the digest and all words
// but one can try the last one, so it is made of what is no credential: the values
// of environment variables and headers are not in it, nor is what is a credential
// by its name, by its form or by its place; URLs are in it as they are shown.
func (a *analyzed) fingerprint(fields []field, words, urls []word) string {
	h := sha256.New()
	add := func(kind string, parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(h, "%s %d:%s\n", kind, len(p), p)
		}
	}
	add("command", withoutCredentials(textsOf(words))...)
	for _, url := range urls {
		add("url", redactRemote(url.text))
	}
	for _, key := range []string{"cwd", "working_directory", "workingDirectory", "envFile"} {
		if f := member(fields, key); f != nil && isText(f.value) {
			add(key, redact(clipped(f.value)))
		}
	}
	for _, key := range []string{"headers", "http_headers"} {
		if f := member(fields, key); f != nil && object(f.value) != nil {
			add("header", headerNames(object(f.value))...)
		}
	}
	if f := member(fields, "headersHelper"); f != nil && isText(f.value) {
		add("helper", withoutCredentials([]string{clipped(f.value)})...)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func clipped(v *hujson.Value) string {
	s := text(v)
	return s[:min(len(s), maxText)]
}

func textsOf(words []word) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w.text
	}
	return out
}

func headerNames(o *hujson.Object) []string {
	var out []string
	for _, f := range quietFields(o) {
		out = append(out, strings.ToLower(f.name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// withoutCredentials returns the words of a command line with what may be a
// credential left out. A word with blanks in it is a command line of its own.
func withoutCredentials(words []string) []string {
	out := make([]string, len(words))
	before := ""
	for i, w := range words {
		parts := textsOf(fieldsOf(word{text: w}))
		if strings.ContainsFunc(strings.TrimSpace(w), unicode.IsSpace) && len(parts) > 1 && !givesValue(before) {
			out[i] = strings.Join(withoutCredentials(parts), "\x00")
		} else {
			out[i] = withoutCredential(before, w)
		}
		before = w
	}
	return out
}

// valueOptions are the options whose value is a variable or header with its value.
var valueOptions = set("-e --env -H --header --headers")

// givesValue reports whether what follows an option is a value that has a name:
// that of the option, or one inside of it.
func givesValue(option string) bool {
	name, _, hasValue := strings.Cut(option, "=")
	return !hasValue && strings.HasPrefix(name, "-") && (slices.Contains(valueOptions, name) || nameStrength(name) >= weak)
}

// withoutCredential returns a word that follows another one, without its value
// where that has the name of a credential, or is that of a variable or header.
func withoutCredential(before, w string) string {
	if givesValue(before) && !strings.HasPrefix(w, "-") {
		return nameOfValue(before, w)
	}
	name, value, assigns := strings.Cut(w, "=")
	switch {
	case assigns && slices.Contains(valueOptions, name):
		return name + "=" + nameOfValue(name, value)
	case assigns && strings.HasPrefix(name, "-e") && variableName.MatchString(name[2:]):
		return name
	case assigns && (variableName.MatchString(name) || strings.HasPrefix(name, "-") && nameStrength(name) >= weak):
		return name
	case strings.Contains(w, "://"):
		if assigns && strings.HasPrefix(name, "-") {
			return name + "=" + redactURL(value)
		}
		return redactURL(w)
	case wordSecret(w) || optionSecret(before, w):
		return sbom.Redacted
	}
	return redact(w)
}

// nameOfValue returns the name of the variable or header that an option gives.
func nameOfValue(option, value string) string {
	if !slices.Contains(valueOptions, option) {
		return sbom.Redacted
	}
	if i := strings.IndexAny(value, "=:"); i >= 0 {
		return strings.TrimSpace(value[:i])
	}
	if variableName.MatchString(value) && !sbom.LooksSecret(value) {
		return value // passed on from the client's own environment
	}
	return sbom.Redacted
}
