package lock

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Limits of a lock. What goes beyond them is no lock.
const (
	maxFileSize = 32 << 20 // bytes
	maxDepth    = 12       // nested objects and lists
	maxValues   = 1_000_000
	maxText     = 4 << 10 // bytes of any text
)

// Kind is what a lock is recognised as.
const Kind = "mcp-lock"

// Reader implements [sbom.Reader] for locks. What it read is in Locks; it adds
// nothing to the inventory but the problems of the files. The zero value is ready
// to use, for one scan.
type Reader struct {
	Locks []*Lock // by path
}

var _ sbom.Reader = (*Reader)(nil)

// Recognize returns [Kind] for a file that is called like a lock.
func (*Reader) Recognize(name string) string {
	if path.Base(name) != FileName {
		return ""
	}
	return Kind
}

// Sniff recognises nothing: a lock is known by its name.
func (*Reader) Sniff([]byte) string { return "" }

// Read parses the locks. A file that is none is a problem, which leaves the
// answer unknown.
func (r *Reader) Read(ctx context.Context, files []*sbom.File, _ *sbom.Builder) error {
	for _, f := range files {
		l, err := Parse(f.Data)
		if err != nil {
			problem := sbom.Problem{Code: sbom.Invalid, Message: "it is no lock of MCP servers: " + err.Error(), Hint: "restore it, or remove it and write it again with `countermark lock`"}
			if e, ok := errors.AsType[*FormatError](err); ok {
				problem.Line, problem.Column, problem.Code = e.Line, e.Column, e.code()
			}
			f.Problem(problem)
			continue
		}
		l.Path = f.Path
		r.Locks = append(r.Locks, l)
	}
	return ctx.Err()
}

// FormatError is why a file is no lock.
type FormatError struct {
	Line, Column int // from 1; 0 where unknown
	Message      string
	Newer        bool // it was written by a newer version of the program
}

// Error returns the message, without the place.
func (e *FormatError) Error() string { return e.Message }

func (e *FormatError) code() sbom.ProblemCode {
	if e.Newer {
		return sbom.Unsupported
	}
	return sbom.Invalid
}

// Parse reads a lock, strictly: unknown and repeated members are errors, and so is
// what is no digest, version or date where one should stand. The error is a
// *FormatError, which does not quote the file.
func Parse(data []byte) (*Lock, error) {
	if len(data) > maxFileSize {
		return nil, &FormatError{Message: fmt.Sprintf("more than %d bytes", maxFileSize)}
	}
	p := parser{data: data, lines: map[serverKey]int{}}
	if err := p.scan(); err != nil {
		return nil, err
	}
	var version struct {
		Version *int `json:"lockVersion"`
	}
	if err := json.Unmarshal(data, &version); err != nil || version.Version == nil {
		return nil, &FormatError{Line: 1, Column: 1, Message: "lockVersion is no number"}
	}
	if *version.Version != FormatVersion {
		return nil, &FormatError{Newer: *version.Version > FormatVersion, Message: fmt.Sprintf("its version is %d, and this program reads version %d", *version.Version, FormatVersion)}
	}
	l := &Lock{lines: p.lines}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(l); err != nil {
		return nil, p.decodeError(err)
	}
	if err := l.validate(); err != nil {
		return nil, err
	}
	return l, nil
}

// parser checks the JSON itself, and notes where servers stand.
type parser struct {
	data  []byte
	lines map[serverKey]int
}

// scan walks over the tokens: it refuses repeated names, what is no UTF-8, and
// text behind the document.
func (p *parser) scan() error {
	dec := jsontext.NewDecoder(bytes.NewReader(p.data))
	for n := 0; ; n++ {
		token, err := dec.ReadToken()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			offset := dec.InputOffset()
			if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
				offset = e.ByteOffset
			}
			return p.at(int(offset), syntaxMessage(err))
		}
		if n == 0 && token.Kind() != '{' {
			return p.at(0, "it is no JSON object")
		}
		if dec.StackDepth() > maxDepth || n > maxValues {
			return p.at(int(dec.InputOffset()), "it is nested too deeply, or holds too much")
		}
		if token.Kind() == '"' && len(token.String()) > maxText {
			return p.at(int(dec.InputOffset()), fmt.Sprintf("a text has more than %d bytes", maxText))
		}
		if kind, length := dec.StackIndex(dec.StackDepth()); kind != '{' || length%2 == 0 {
			continue
		}
		pointer := slices.Collect(dec.StackPointer().Tokens())
		p.note(pointer, int(dec.InputOffset()))
		if !free(pointer) && !slices.Contains(members, token.String()) {
			return p.at(int(dec.InputOffset()), "it has a member that the format does not have")
		}
	}
}

// members are the names that the format itself has. They are compared exactly,
// which encoding/json does not: it would take "Spec" and "spec" for one.
var members = []string{
	"lockVersion", "configurations", "servers", "transport", "launcher", "command", "env", "launches", "approved", "by", "at",
	"kind", "spec", "pin", "nested", "name", "host", "version", "integrity", "digest", "commit", "source", "repository", "from",
	"attested", "closure", "packages", "vendored", "files", "requiresPython",
}

// free reports whether the last name of a place is one that no format has: that of
// a file, a server, a package.
func free(pointer []string) bool {
	n := len(pointer)
	return n == 2 || n == 4 || n > 2 && (pointer[n-2] == "packages" || pointer[n-2] == "files")
}

// note remembers the line of /configurations/FILE/servers/NAME.
func (p *parser) note(pointer []string, offset int) {
	if len(pointer) == 4 {
		p.lines[serverKey{pointer[1], pointer[3]}], _ = p.position(offset)
	}
}

func syntaxMessage(err error) string {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return "a name stands twice"
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "it ends too early"
	}
	return "it is no valid JSON"
}

func (p *parser) position(offset int) (line, column int) {
	before := p.data[:min(max(offset, 0), len(p.data))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

func (p *parser) at(offset int, message string) *FormatError {
	line, column := p.position(offset)
	return &FormatError{Line: line, Column: column, Message: message}
}

func (p *parser) decodeError(err error) *FormatError {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return p.at(int(e.Offset), "a value has another type than the format says")
	}
	return &FormatError{Message: "it has a member that the format does not have"}
}

var (
	digestForm    = lazyregexp.New(`^sha256:[0-9a-f]{64}$`)
	integrityForm = lazyregexp.New(`^sha(1|256|384|512)-[A-Za-z0-9+/]{20,90}={0,2}( sha(1|256|384|512)-[A-Za-z0-9+/]{20,90}={0,2})*$`)
	vendoredForm  = lazyregexp.New(`^\.mcp/[a-z0-9][a-z0-9._-]*$`)
	commitForm    = lazyregexp.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// validate refuses what has the right type and still cannot be.
func (l *Lock) validate() error {
	if l.Configurations == nil {
		return &FormatError{Message: "it has no configurations"}
	}
	for file, c := range l.Configurations {
		if file == "" || file == "." || file == ".." || strings.ContainsAny(file, "/\\\x00") {
			return &FormatError{Message: "a configuration is no file of the lock's folder"}
		}
		for name, s := range c.Servers {
			if message := s.problem(); message != "" {
				return &FormatError{Line: l.Line(file, name), Message: message}
			}
		}
	}
	return nil
}

// problem says what is wrong with a server, or "".
func (s *Server) problem() string {
	switch {
	case s == nil:
		return "a server is null"
	case s.Command != "" && !digestForm.MatchString(s.Command):
		return "the digest of a command is none"
	case !slices.IsSorted(s.Env):
		return "the names of environment variables are not sorted"
	case s.Approved != nil && (strings.TrimSpace(s.Approved.By) == "" || !isTime(s.Approved.At)):
		return "an approval does not say by whom, or when"
	}
	for i := range s.Launches {
		if message := s.Launches[i].problem(); message != "" {
			return message
		}
	}
	return ""
}

func isTime(s string) bool {
	at, err := time.Parse(time.RFC3339, s)
	return err == nil && !at.IsZero()
}

func (l *Launch) problem() string {
	switch {
	case l.Kind == "":
		return "a launch has no kind"
	case l.Digest != "" && !digestForm.MatchString(l.Digest):
		return "the digest of an image is none"
	case l.Integrity != "" && !integrityForm.MatchString(l.Integrity):
		return "an integrity is none"
	case l.Commit != "" && !commitForm.MatchString(l.Commit):
		return "a commit is none"
	case l.Vendored != "" && !vendoredForm.MatchString(l.Vendored):
		return "a folder of a vendored package is none"
	case l.Source != nil && (l.Source.Repository == "" || l.Source.From == ""):
		return "a source says nothing"
	}
	for name, digest := range l.Files {
		if name == "" || strings.ContainsAny(name, `/\`) || !digestForm.MatchString(digest) {
			return "a file of a release is none, or its digest is none"
		}
	}
	if l.Closure == nil {
		return ""
	}
	for name, integrity := range l.Closure.Packages {
		if strings.LastIndex(name, "@") <= 0 || integrity != "" && !integrityForm.MatchString(integrity) {
			return "a package of a closure is no name with its version, or its integrity is none"
		}
	}
	return ""
}
