// Package visibletest tests that what is shown to people is harmless.
//
// In flow names that try to get out of their place ([Names]), through whatever the
// test is about; what comes out is held against [Check]. Both are written apart from
// package visible, so that they find its mistakes.
package visibletest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"countermark/sbom/lazyregexp"
)

// Names returns names that somebody else chose: each tries to get out of its place.
func Names() []string {
	return []string{
		"\x1b[2J::error::x",
		"::error file=a::b",
		"  \t::set-output name=a::b",
		"##[command]rm",
		"#",
		"##vso[task.setvariable variable=a]b",
		"##teamcity[buildStatus status='SUCCESS']",
		"section_start:1:a\r\x1b[0K",
		"<script>alert(1)</script>",
		"<img src=x onerror=alert(1)>",
		"[click](http://evil.example)",
		"![x](http://evil.example/a.png)",
		"{0}",
		"abc\u202ecba\u2066",
		"two\nlines\r\n::error::three",
		"\u2028::error::x",
		"\u0085::error::x",
		"zero\u200bwidth\u00ad\ufe0f\U000e0041\u3164\u115f\u2800",
		"bytes\xff\xfe\x80",
		"a\u0300\u0300\u0300\u0300\u0300\u0300\u0300\u0300",
		"\u0336struck",
		"--- group",
		`\x1b[31m`,
		"\x00\x7f\x9b31m",
		strings.Repeat("long ", 400),
	}
}

// What CI systems read in a log. GitHub trims white space and reads "::" first in a
// line, and "##[" anywhere.
var commands = lazyregexp.New(`(?m)^\s*::|##\[|##vso\[|##teamcity\[|section_(start|end):|^(---|\+\+\+|~~~|\^\^\^)`)

// Check returns an error for text that holds what a terminal, a reader or a CI system
// would take for more than text. Line breaks are allowed.
func Check(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("invalid UTF-8 in %q", text)
	}
	for _, r := range text {
		if r != '\n' && hidden(r) {
			return fmt.Errorf("%U in %q", r, text)
		}
	}
	if command := commands.FindString(text); command != "" {
		return fmt.Errorf("%q begins a command in:\n%s", command, text)
	}
	if strings.Contains(text, "\u0300\u0300\u0300\u0300") {
		return fmt.Errorf("too many combining marks in %q", text)
	}
	return nil
}

func hidden(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) ||
		unicode.Is(unicode.Zs, r) && r != ' ' || !unicode.IsPrint(r) || strings.ContainsRune("\u2800\u3164\u115f\u1160\uffa0\u034f", r)
}
