package provenance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Limits of local evidence. What goes beyond them is an error in a file that is
// named, and a warning in a folder.
const (
	MaxEvidenceFile    = 64 << 20 // bytes of one file
	MaxEvidenceTotal   = 512 << 20
	MaxEvidenceFiles   = 100_000 // files of one folder
	MaxEvidenceDepth   = 32      // folders below the one that is named
	MaxEvidenceBundles = 100_000
)

// EvidenceError says that attestations that the user named cannot be used. The
// command exits with 2.
type EvidenceError struct {
	File string
	Line int // from 1; 0 where unknown
	Err  error
	Hint string // what to do next
}

// Error names the file, the line, and what is wrong.
func (e *EvidenceError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return e.File + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *EvidenceError) Unwrap() error { return e.Err }

const hintEvidence = "give a sigstore bundle, JSON lines of bundles, a registry's answer {\"attestations\":[…]}, or a folder of these"

// Warning is a file in a folder of evidence that was left out.
type Warning struct {
	File    string
	Line    int // from 1; 0 where unknown
	Message string
}

// String names the file and why it was left out.
func (w Warning) String() string {
	return (&EvidenceError{File: w.File, Line: w.Line, Err: errors.New(w.Message)}).Error()
}

// Local has the attestations that the user gave as files. It is safe for
// concurrent use. The zero value has none.
type Local struct {
	byName map[string][]local // by the name of each signed subject
}

type local struct {
	Attestation

	signed string // predicate type
}

// ReadBundles reads the bundles of one file: a sigstore bundle, JSON lines of
// bundles, or the answer of a registry. It believes nothing of them, and does
// not look into the bundles. Errors are an [*EvidenceError].
func ReadBundles(r io.Reader, file string) ([]Attestation, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxEvidenceFile+1))
	if err == nil && len(data) > MaxEvidenceFile {
		err = fmt.Errorf("larger than %d bytes", MaxEvidenceFile)
	}
	if err != nil {
		return nil, &EvidenceError{File: file, Err: pathless(err), Hint: hintEvidence}
	}
	var out []Attestation
	d := json.NewDecoder(bytes.NewReader(data))
	for {
		start := d.InputOffset()
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		start += int64(len(data[start:]) - len(bytes.TrimLeft(data[start:], " \t\r\n")))
		at := 1 + bytes.Count(data[:start], []byte("\n"))
		if err == nil {
			var found []Attestation
			found, err = readValue(raw)
			for i := range found {
				found[i].From = fmt.Sprintf("%s:%d", file, at)
			}
			out = append(out, found...)
		}
		if err == nil && len(out) > MaxEvidenceBundles {
			err = fmt.Errorf("more than %d bundles", MaxEvidenceBundles)
		}
		if err != nil {
			return nil, &EvidenceError{File: file, Line: at, Err: fmt.Errorf("no attestations: %w", err), Hint: hintEvidence}
		}
	}
	if len(out) == 0 {
		return nil, &EvidenceError{File: file, Err: errors.New("it holds no attestations"), Hint: hintEvidence}
	}
	return out, nil
}

// readValue takes one JSON value apart: a bundle, or an answer around several.
func readValue(raw json.RawMessage) ([]Attestation, error) {
	o, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	if _, ok := o["attestations"]; !ok {
		return []Attestation{{Bundle: raw}}, nil
	}
	var answer struct {
		Attestations []struct {
			PredicateType string          `json:"predicateType"`
			Bundle        json.RawMessage `json:"bundle"`
		} `json:"attestations"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, err
	}
	var out []Attestation
	for _, a := range answer.Attestations {
		out = append(out, Attestation{ClaimedType: a.PredicateType, Bundle: a.Bundle})
	}
	return out, nil
}

// OpenLocal reads local evidence once: files, and folders with everything in
// them that ends in .json, .jsonl, .sigstore or .intoto. A path that cannot be
// read, or that is a file without attestations, is an [*EvidenceError]; such a
// file in a folder is a warning. Symbolic links do not lead out of a folder.
func OpenLocal(paths []string) (*Local, []Warning, error) {
	l := &Local{byName: map[string][]local{}}
	reader := evidenceReader{local: l, seen: map[string]bool{}}
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case err != nil:
			err = &EvidenceError{File: p, Err: pathless(err), Hint: hintEvidence}
		case info.IsDir():
			err = reader.folder(p)
		case !info.Mode().IsRegular():
			err = &EvidenceError{File: p, Err: errors.New("not a regular file"), Hint: hintEvidence}
		default:
			err = reader.named(p)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return l, reader.warnings, nil
}

// pathless words an error without the path that the operating system put in it.
func pathless(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("cannot be read: %w", pe.Err)
	}
	return err
}

type evidenceReader struct {
	local    *Local
	seen     map[string]bool // a file that is named twice is one file
	total    int64           // bytes
	warnings []Warning
}

func (r *evidenceReader) named(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return &EvidenceError{File: name, Err: pathless(err), Hint: hintEvidence}
	}
	defer f.Close()
	if r.seen[filepath.Clean(name)] {
		return nil
	}
	r.seen[filepath.Clean(name)] = true
	return r.add(f, name)
}

// add reads one file into the index.
func (r *evidenceReader) add(f io.Reader, name string) error {
	found, err := ReadBundles(f, name)
	if err != nil {
		return err
	}
	for _, a := range found {
		if r.total += int64(len(a.Bundle)); r.total > MaxEvidenceTotal {
			return &EvidenceError{File: name, Err: fmt.Errorf("all attestations together are larger than %d bytes", MaxEvidenceTotal), Hint: "give fewer with --attestations"}
		}
		o, err := open(a.Bundle)
		if err == nil && len(o.subjects) == 0 {
			err = errors.New("it names no package")
		}
		if err != nil {
			file, line := position(a.From)
			return &EvidenceError{File: file, Line: line, Err: err, Hint: hintEvidence}
		}
		indexed := map[string]bool{}
		for _, s := range o.subjects {
			if !indexed[s.name] {
				indexed[s.name] = true
				r.local.byName[s.name] = append(r.local.byName[s.name], local{Attestation: a, signed: o.types.predicate})
			}
		}
	}
	return nil
}

func position(from string) (file string, line int) {
	at := strings.LastIndexByte(from, ':')
	if at < 0 {
		return from, 0
	}
	if _, err := fmt.Sscanf(from[at+1:], "%d", &line); err != nil {
		return from, 0
	}
	return from[:at], line
}

var evidenceNames = map[string]bool{".json": true, ".jsonl": true, ".sigstore": true, ".intoto": true}

// folder reads a folder. os.Root keeps symbolic links from leading out of it.
func (r *evidenceReader) folder(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return &EvidenceError{File: dir, Err: pathless(err), Hint: hintEvidence}
	}
	defer func() { _ = root.Close() }() // it was only read from
	warn := func(name, message string) {
		r.warnings = append(r.warnings, Warning{File: filepath.Join(dir, name), Message: message})
	}
	files := 0
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			warn(name, pathless(err).Error())
			return nil
		}
		if d.IsDir() {
			if strings.Count(name, "/") >= MaxEvidenceDepth {
				warn(name, fmt.Sprintf("deeper than %d folders", MaxEvidenceDepth))
				return fs.SkipDir
			}
			return nil
		}
		if !evidenceNames[path.Ext(name)] {
			return nil
		}
		if files++; files > MaxEvidenceFiles {
			warn(name, fmt.Sprintf("more than %d files", MaxEvidenceFiles))
			return fs.SkipAll
		}
		err = r.inside(root, name, filepath.Join(dir, name))
		if e, ok := errors.AsType[*EvidenceError](err); ok {
			r.warnings = append(r.warnings, Warning{File: e.File, Line: e.Line, Message: e.Err.Error()})
			return nil
		}
		return err
	})
}

func (r *evidenceReader) inside(root *os.Root, name, shown string) error {
	// Ask for the type first: opening a pipe would wait for somebody to write.
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return &EvidenceError{File: shown, Err: pathless(err)}
	}
	if r.seen[filepath.Clean(shown)] {
		return nil
	}
	r.seen[filepath.Clean(shown)] = true
	f, err := root.Open(name)
	if err != nil {
		return &EvidenceError{File: shown, Err: pathless(err)}
	}
	defer f.Close()
	return r.add(bufio.NewReader(f), shown)
}

// Len returns how many packages have evidence.
func (l *Local) Len() int { return len(l.byName) }

// Attestations returns what is there for the subject: everything that names it
// as its signed subject. Used alone it is a closed world, in which what is not
// there does not exist.
func (l *Local) Attestations(ctx context.Context, s Subject) (Set, error) {
	if err := ctx.Err(); err != nil {
		return Set{}, err
	}
	set := Set{Availability: Found}
	for _, a := range l.find(s) {
		set.Attestations = append(set.Attestations, a.Attestation)
	}
	if len(set.Attestations) == 0 {
		return Set{Availability: None, Reason: "the given attestations are of other packages", Hint: "give those of " + packageURL(s) + " with --attestations"}, nil
	}
	return set, nil
}

func (l *Local) find(s Subject) []local {
	if l == nil || s.Name == "" || s.Version == "" {
		return nil
	}
	return l.byName[packageURL(s)]
}

// complete reports whether both of npm's attestations are there.
func complete(list []local) bool {
	publish, provenance := false, false
	for _, a := range list {
		switch a.signed {
		case typePublish:
			publish = true
		case typeSLSA02, typeSLSA1:
			provenance = true
		}
	}
	return publish && provenance
}

// Offline is the source that nobody may ask.
type Offline struct {
	// Registry returns the URL of the registry that is configured for a subject;
	// local evidence has to agree with it. Nil where none is known.
	Registry func(Subject) string
}

// Attestations returns that nobody could be asked.
func (o Offline) Attestations(ctx context.Context, s Subject) (Set, error) {
	return Set{
		Availability: Unreachable,
		Reason:       "its attestations are not at hand, and the registry may not be asked",
		Hint:         "give them with --attestations, or run without --offline",
		Registry:     o.ConfiguredRegistry(s),
	}, ctx.Err()
}

// ConfiguredRegistry returns what Registry returns.
func (o Offline) ConfiguredRegistry(s Subject) string {
	if o.Registry == nil {
		return ""
	}
	return o.Registry(s)
}

// Registrar is a source that knows which registry is configured for a subject
// without asking anybody, as a URL; "" where none is.
type Registrar interface{ ConfiguredRegistry(s Subject) string }

// Chain asks local evidence first. A complete local set, one publish attestation
// and one provenance, ends the search; otherwise next is asked and its answer
// counts alone. Where next is [Offline] half a local set is all that there is.
// Local may be nil.
func Chain(local *Local, next Source) Source { return chain{local, next} }

type chain struct {
	local *Local
	next  Source
}

// Attestations implements Source.
func (c chain) Attestations(ctx context.Context, s Subject) (Set, error) {
	found := c.local.find(s)
	_, offline := c.next.(Offline)
	if len(found) == 0 || !complete(found) && !offline {
		return c.next.Attestations(ctx, s)
	}
	set, err := c.local.Attestations(ctx, s)
	if r, ok := c.next.(Registrar); ok {
		set.Registry = r.ConfiguredRegistry(s)
	}
	return set, err
}

// ConfiguredRegistry returns the registry of next, where that knows it.
func (c chain) ConfiguredRegistry(s Subject) string {
	if r, ok := c.next.(Registrar); ok {
		return r.ConfiguredRegistry(s)
	}
	return ""
}
