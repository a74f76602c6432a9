package policy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a policy file. The parser's time grows with the square of the
// tokens, so their number is what bounds it; depth bounds its recursion.
const (
	MaxFileSize  = 1 << 20 // bytes
	maxTokens    = 40_000
	maxFlowDepth = 16
	maxColumn    = 200 // of a "-" that begins a list entry; "- - - …" nests with each
)

// FileError says what is wrong with a policy file, and where.
type FileError struct {
	Path    string
	Line    int // from 1; 0 where it is the file as a whole
	Column  int // from 1, in bytes
	Message string
	Hint    string // what to do next
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.Path + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// document reads YAML nodes and turns everything unexpected into a FileError.
type document struct {
	path  string
	lines [][]byte
}

// parse returns the only document's root. It refuses everything of YAML that
// makes a file mean something else than it seems to.
func (d *document) parse(data []byte) (ast.Node, error) {
	if len(data) > MaxFileSize {
		return nil, &FileError{Path: d.path, Message: fmt.Sprintf("the policy is larger than %d bytes", MaxFileSize), Hint: "split what it covers into smaller projects, or use patterns"}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d.lines = bytes.Split(data, []byte("\n"))
	if err := d.checkText(); err != nil {
		return nil, err
	}
	tokens := lexer.Tokenize(string(data))
	if err := d.checkTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, d.syntaxError(err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, &FileError{Path: d.path, Line: 1, Column: 1, Message: "the policy is empty", Hint: "begin with: version: 1"}
	}
	return file.Docs[0].Body, nil
}

// checkText refuses what an editor does not show, or not in its place.
func (d *document) checkText() error {
	for i, line := range d.lines {
		line = bytes.TrimSuffix(line, []byte("\r"))
		for column := 0; column < len(line); {
			r, size := utf8.DecodeRune(line[column:])
			if (r == utf8.RuneError && size == 1) || hidden(r) {
				return &FileError{
					Path: d.path, Line: i + 1, Column: column + 1,
					Message: fmt.Sprintf("the policy holds an invisible or invalid character (%q)", line[column:column+size]),
					Hint:    "save the file as UTF-8 without control and bidirectional characters",
				}
			}
			column += size
		}
	}
	return nil
}

// hidden reports control, format and separator characters other than tab and
// space.
func hidden(r rune) bool {
	return r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp))
}

func (d *document) checkTokens(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return d.at(tokens[maxTokens], "the policy has too many parts", "use patterns instead of many entries")
	}
	depth := 0
	content := false
	for _, t := range tokens {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return d.at(t, "anchors, aliases and merge keys are not allowed in a policy", `write the value out; quote a name or pattern that begins with "*" or "&"`)
		case token.TagType:
			return d.at(t, "tags are not allowed in a policy", "quote a value that begins with !")
		case token.DirectiveType:
			return d.at(t, "directives are not allowed in a policy", "remove the line; quote a value that begins with %")
		case token.MappingKeyType:
			return d.at(t, "keys with ? are not allowed in a policy", "write key: value")
		case token.DocumentHeaderType:
			if content {
				return d.at(t, "a policy is one YAML document", "remove everything from the second --- on")
			}
		case token.DocumentEndType:
			if t.Next != nil && t.Next.Type != token.CommentType {
				return d.at(t, "a policy is one YAML document", "remove the ... and everything after it")
			}
		case token.SequenceStartType, token.MappingStartType:
			if depth++; depth > maxFlowDepth {
				return d.at(t, "nested too deeply", "a policy needs no more than a few levels")
			}
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			if t.Position.Column > maxColumn {
				return d.at(t, "nested too deeply", "a policy needs no more than a few levels")
			}
		}
		content = content || t.Type != token.CommentType
	}
	return nil
}

func (d *document) syntaxError(err error) error {
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		return &FileError{Path: d.path, Message: "this is not YAML: " + err.Error(), Hint: "check the file with any YAML editor"}
	}
	hint := "check the indentation and the quotes of this line"
	if t := syntax.GetToken(); t != nil && strings.ContainsAny(t.Value, "@`") {
		hint = `quote names that begin with "@"`
	}
	return d.at(syntax.GetToken(), "this is not YAML: "+syntax.GetMessage(), hint)
}

// at returns an error at a token. The parser counts columns in characters.
func (d *document) at(t *token.Token, message, hint string) error {
	e := &FileError{Path: d.path, Message: message, Hint: hint}
	if t == nil || t.Position == nil {
		return e
	}
	e.Line, e.Column = d.position(t)
	return e
}

func (d *document) position(t *token.Token) (line, column int) {
	line, column = t.Position.Line, t.Position.Column
	if line < 1 || line > len(d.lines) {
		return max(line, 1), max(column, 1)
	}
	text := d.lines[line-1]
	offset := 0
	for range column - 1 {
		if offset >= len(text) {
			break
		}
		_, size := utf8.DecodeRune(text[offset:])
		offset += size
	}
	return line, offset + 1
}

func (d *document) wrong(n ast.Node, hint, format string, args ...any) error {
	return d.at(start(n), fmt.Sprintf(format, args...), hint)
}

// start is the token with which a node begins. The parser gives a block mapping
// the colon behind its first key.
func start(n ast.Node) *token.Token {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken()
	}
	return n.GetToken()
}

// entry is one key of a mapping.
type entry struct {
	name  string
	key   ast.Node
	value ast.Node
}

// entries returns the keys of a mapping in file order. what names it for errors.
func (d *document) entries(n ast.Node, what string) ([]entry, error) {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return nil, d.wrong(n, "write key: value lines, or {key: value}", "%s is a mapping, not %s", what, kindOf(n))
	}
	out := make([]entry, 0, len(pairs))
	seen := make(map[string]int, len(pairs))
	for _, pair := range pairs {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return nil, d.wrong(pair.Key, "quote it", "a key of %s is text, not %s", what, kindOf(pair.Key))
		}
		if line, dup := seen[key.Value]; dup {
			return nil, d.wrong(key, "remove one of the two", "%q is set twice in %s, first in line %d", key.Value, what, line)
		}
		seen[key.Value] = key.GetToken().Position.Line
		out = append(out, entry{name: key.Value, key: key, value: pair.Value})
	}
	return out, nil
}

// field is a key that a mapping may have.
type field struct {
	name     string
	required bool
	read     func(ast.Node) error
}

// mapping reads a mapping with fixed keys.
func (d *document) mapping(n ast.Node, what string, fields []field) error {
	entries, err := d.entries(n, what)
	if err != nil {
		return err
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	for _, e := range entries {
		i := slices.Index(names, e.name)
		if i < 0 {
			return d.wrong(e.key, suggest(e.name, names, "known keys: "+strings.Join(names, ", ")), "unknown key %q in %s", e.name, what)
		}
		if err := fields[i].read(e.value); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if f.required && !slices.ContainsFunc(entries, func(e entry) bool { return e.name == f.name }) {
			return d.wrong(n, fmt.Sprintf("add %s:", f.name), "%s has no %q", what, f.name)
		}
	}
	return nil
}

// text reads a non-empty string that check accepts.
func (d *document) text(into *string, what string, check func(string) error) func(ast.Node) error {
	return func(n ast.Node) error {
		s, err := d.string(n, what)
		if err != nil {
			return err
		}
		if check != nil {
			if err := check(s); err != nil {
				return d.invalid(n, err)
			}
		}
		*into = s
		return nil
	}
}

func (d *document) string(n ast.Node, what string) (string, error) {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	default:
		return "", d.wrong(n, "quote it if it is meant as text", "%s is text, not %s", what, kindOf(n))
	}
	if strings.TrimSpace(s) == "" {
		return "", d.wrong(n, "give it a value, or remove the key", "%s is empty", what)
	}
	return s, nil
}

// list reads a list of strings, and hands each to add.
func (d *document) list(what string, add func(text string) error) func(ast.Node) error {
	return func(n ast.Node) error {
		sequence, ok := n.(*ast.SequenceNode)
		if !ok {
			return d.wrong(n, "write [first, second]", "%s is a list, not %s", what, kindOf(n))
		}
		for _, item := range sequence.Values {
			s, err := d.string(item, "an entry of "+what)
			if err != nil {
				return err
			}
			if err := add(s); err != nil {
				return d.invalid(item, err)
			}
		}
		return nil
	}
}

func (d *document) flag(into *bool, what string) func(ast.Node) error {
	return func(n ast.Node) error {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			return d.wrong(n, "write true or false", "%s is true or false, not %s", what, kindOf(n))
		}
		*into = b.Value
		return nil
	}
}

// hinted is an error that knows what to do next.
type hinted struct{ message, hint string }

func (h *hinted) Error() string { return h.message }

// invalid turns an error about a value into one with its place.
func (d *document) invalid(n ast.Node, err error) error {
	if h, ok := errors.AsType[*hinted](err); ok {
		return d.wrong(n, h.hint, "%s", h.message)
	}
	return d.wrong(n, "schemas/policy.schema.json has the form", "%v", err)
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	default:
		return "this"
	}
}

// suggest returns a hint with the known word that was probably meant, or
// otherwise.
func suggest(word string, known []string, otherwise string) string {
	if near := closest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return otherwise
}

// closest returns the known word with the fewest edits from word, if it is close
// enough to be a slip of the fingers.
func closest(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	word = strings.ToLower(word)
	found, least := "", max(1, min(3, len(word)/3))+1
	for _, k := range known {
		if n := edits(word, k); n < least {
			found, least = k, n
		}
	}
	return found
}

// edits is the number of letters that were added, left out, replaced, or swapped
// with their neighbour.
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
