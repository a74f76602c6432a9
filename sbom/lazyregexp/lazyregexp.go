// Package lazyregexp holds regular expressions that are compiled when they are
// first used.
//
// There are some two hundred in countermark, and a run needs few of them. To
// compile them all took a third of the time in which the program starts, also where
// it only prints its version. No package of countermark compiles one when it is
// initialised (a test of the house holds that), so that each is declared like this:
//
//	var commitID = lazyregexp.New(`^[0-9a-f]{40}$`)
//
// The same test compiles every expression that is declared, since one that is wrong
// would be found out only by the input that needs it.
package lazyregexp

import (
	"regexp"
	"sync"
)

// Regexp is a [regexp.Regexp] that is not compiled yet. It can be used by several
// goroutines at once.
type Regexp struct{ compiled func() *regexp.Regexp }

// New returns the expression. One that is wrong panics when it is first used.
func New(expression string) Regexp {
	return Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })}
}

// String returns the expression.
func (r Regexp) String() string { return r.compiled().String() }

// Match is [regexp.Regexp.Match].
func (r Regexp) Match(b []byte) bool {
	return r.compiled().Match(b)
}

// MatchString is [regexp.Regexp.MatchString].
func (r Regexp) MatchString(s string) bool {
	return r.compiled().MatchString(s)
}

// FindString is [regexp.Regexp.FindString].
func (r Regexp) FindString(s string) string {
	return r.compiled().FindString(s)
}

// FindStringSubmatch is [regexp.Regexp.FindStringSubmatch].
func (r Regexp) FindStringSubmatch(s string) []string {
	return r.compiled().FindStringSubmatch(s)
}

// FindAllSubmatch is [regexp.Regexp.FindAllSubmatch].
func (r Regexp) FindAllSubmatch(b []byte, n int) [][][]byte {
	return r.compiled().FindAllSubmatch(b, n)
}

// FindAllStringIndex is [regexp.Regexp.FindAllStringIndex].
func (r Regexp) FindAllStringIndex(s string, n int) [][]int {
	return r.compiled().FindAllStringIndex(s, n)
}

// FindAllStringSubmatch is [regexp.Regexp.FindAllStringSubmatch].
func (r Regexp) FindAllStringSubmatch(s string, n int) [][]string {
	return r.compiled().FindAllStringSubmatch(s, n)
}

// FindAllStringSubmatchIndex is [regexp.Regexp.FindAllStringSubmatchIndex].
func (r Regexp) FindAllStringSubmatchIndex(s string, n int) [][]int {
	return r.compiled().FindAllStringSubmatchIndex(s, n)
}

// ReplaceAllString is [regexp.Regexp.ReplaceAllString].
func (r Regexp) ReplaceAllString(s, with string) string {
	return r.compiled().ReplaceAllString(s, with)
}

// ReplaceAllStringFunc is [regexp.Regexp.ReplaceAllStringFunc].
func (r Regexp) ReplaceAllStringFunc(s string, with func(string) string) string {
	return r.compiled().ReplaceAllStringFunc(s, with)
}

// ReplaceAllFunc is [regexp.Regexp.ReplaceAllFunc].
func (r Regexp) ReplaceAllFunc(s []byte, with func([]byte) []byte) []byte {
	return r.compiled().ReplaceAllFunc(s, with)
}
