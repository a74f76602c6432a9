package provenance

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	exact "github.com/go-json-experiment/json" // takes keys as they are written
	"github.com/go-json-experiment/json/jsontext"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// Limits of local evidence. What goes beyond them is an error in a file that is
// named, and a warning in a folder.
const (
	MaxEvidenceFile    = 64 << 20 // bytes of one file
	MaxEvidenceTotal   = 512 << 20
	MaxEvidenceFiles   = 100_000 // files of one folder
	MaxEvidenceDepth   = 32      // folders below the one that is named
	MaxEvidenceBundles = 100_000

	maxReady = 2_000 // bundles that are kept parsed until they are verified: some 60 kB each
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

const hintEvidence = "give a sigstore bundle, JSON lines of bundles, a registry's answer {\"attestations\":[…]}, a provenance object of PEP 740, or a folder of these"

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
	byName   map[string][]local // by the name of each signed subject
	byDigest map[Digest][]local // by each digest of each signed subject
}

type local struct {
	Attestation

	id     [sha256.Size]byte
	signed string // predicate type
	broken bool   // it cannot be opened; the package only stands in it
}

// contentError is about what stands in a file. Its brief form quotes nothing of
// it: a project can name any file, and what is in one is not always its own.
type contentError struct {
	brief string
	err   error
}

func (e *contentError) Error() string { return e.err.Error() }

func (e *contentError) Unwrap() error { return e.err }

// ReadBundles reads the bundles of one file: a sigstore bundle, JSON lines of
// bundles, or the answer of a registry. It believes nothing of them, and does
// not look into the bundles. Errors are an [*EvidenceError].
func ReadBundles(r io.Reader, file string) ([]Attestation, error) {
	return readBundles(context.Background(), r, file)
}

// readBundles also returns the context's error.
func readBundles(ctx context.Context, r io.Reader, file string) ([]Attestation, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxEvidenceFile+1))
	// Editors and shells of Windows put a byte order mark before the first value.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err == nil && len(data) > MaxEvidenceFile {
		err = fmt.Errorf("larger than %d bytes", MaxEvidenceFile)
	}
	if err != nil {
		return nil, &EvidenceError{File: file, Err: pathless(err), Hint: hintEvidence}
	}
	var out []Attestation
	values := evidenceValues{data: data, d: json.NewDecoder(bytes.NewReader(data)), line: 1}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, err := values.next()
		if errors.Is(err, io.EOF) {
			break
		}
		for i := range found {
			found[i].From = fmt.Sprintf("%s:%d", file, values.line)
		}
		out = append(out, found...)
		if err == nil && len(out) > MaxEvidenceBundles {
			err = fmt.Errorf("more than %d bundles", MaxEvidenceBundles)
		}
		if err != nil {
			return nil, &EvidenceError{File: file, Line: values.line, Err: fmt.Errorf("no attestations: %w", err), Hint: hintEvidence}
		}
	}
	if len(out) == 0 {
		return nil, &EvidenceError{File: file, Err: errors.New("it holds no attestations"), Hint: hintEvidence}
	}
	return out, nil
}

// evidenceValues reads the JSON values of a file.
type evidenceValues struct {
	data    []byte
	d       *json.Decoder
	n       int
	counted int // bytes, up to which the lines are counted
	line    int // on which the current value begins, from 1
}

// next returns the bundles of the next value; io.EOF after the last one.
func (v *evidenceValues) next() ([]Attestation, error) {
	if v.n++; v.n > MaxEvidenceBundles+1 {
		return nil, fmt.Errorf("more than %d values", MaxEvidenceBundles)
	}
	rest := v.data[v.d.InputOffset():]
	start := len(v.data) - len(bytes.TrimLeft(rest, " \t\r\n"))
	v.line += bytes.Count(v.data[v.counted:start], []byte("\n"))
	v.counted = start
	var raw json.RawMessage
	if err := v.d.Decode(&raw); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, &contentError{brief: "it is no JSON", err: err}
	}
	found, err := readValue(raw)
	if err != nil {
		return nil, &contentError{brief: "it is no bundle, and no registry's answer", err: err}
	}
	return found, nil
}

// readValue takes one JSON value apart: a bundle, or an answer around several.
func readValue(raw json.RawMessage) ([]Attestation, error) {
	o, err := parseBounded(raw, maxEvidenceValues)
	if err != nil {
		return nil, err
	}
	if isPEP740(o) {
		return readPEP740(o, "")
	}
	if _, ok := o["attestations"]; !ok {
		return []Attestation{{Bundle: raw}}, nil
	}
	var answer struct {
		Attestations []struct {
			PredicateType string         `json:"predicateType"`
			Bundle        jsontext.Value `json:"bundle"`
		} `json:"attestations"`
	}
	if err := exact.Unmarshal(raw, &answer); err != nil {
		return nil, err
	}
	var out []Attestation
	for _, a := range answer.Attestations {
		if len(a.Bundle) == 0 || string(a.Bundle) == "null" {
			return nil, errors.New("an attestation in it has no bundle; GitHub's answer may name a bundle_url instead, which is not asked")
		}
		out = append(out, Attestation{ClaimedType: a.PredicateType, Bundle: a.Bundle})
	}
	return out, nil
}

// EvidencePath is a file or folder of local evidence.
type EvidencePath struct {
	Path string
	// Within is the folder to which Path is relative, and out of which neither
	// Path nor a symbolic link may lead: for a path that a project names. Empty
	// where the user names Path, who may follow links of his own.
	Within string
}

// OpenEvidence reads local evidence once: files, and folders with everything in
// them that ends in .json, .jsonl, .sigstore or .intoto. A path that cannot be
// read, or that is a file without attestations, is an [*EvidenceError]; such a
// file in a folder is a warning that quotes nothing of it. Symbolic links do not
// lead out of a folder. A bundle that cannot be read, but names packages, is
// evidence that does not hold for them, and a warning. Any other error is the
// context's.
func OpenEvidence(ctx context.Context, paths []EvidencePath) (*Local, []Warning, error) {
	reader := evidenceReader{local: &Local{byName: map[string][]local{}, byDigest: map[Digest][]local{}}, seen: map[string]bool{}}
	for _, p := range paths {
		before := len(reader.warnings)
		if err := reader.open(ctx, p); err != nil {
			return nil, nil, err
		}
		if more := len(reader.warnings) - before - maxWarnings; more > 0 {
			summary := Warning{File: filepath.Join(p.Within, p.Path), Message: fmt.Sprintf("%d more warnings about it are not shown", more)}
			reader.warnings = append(reader.warnings[:before+maxWarnings], summary)
		}
	}
	return reader.local, reader.warnings, nil
}

// maxWarnings is how many warnings about one path are worded.
const maxWarnings = 20

func (r *evidenceReader) open(ctx context.Context, p EvidencePath) error {
	if p.Within != "" {
		return r.within(ctx, p)
	}
	info, err := os.Stat(p.Path)
	switch {
	case err != nil:
		return &EvidenceError{File: p.Path, Err: pathless(err), Hint: hintEvidence}
	case info.IsDir():
		root, err := os.OpenRoot(p.Path)
		if err != nil {
			return &EvidenceError{File: p.Path, Err: pathless(err), Hint: hintEvidence}
		}
		defer func() { _ = root.Close() }() // it was only read from
		return r.folder(ctx, root, p.Path)
	case !info.Mode().IsRegular():
		return &EvidenceError{File: p.Path, Err: errors.New("not a regular file"), Hint: hintEvidence}
	default:
		return r.named(ctx, p.Path)
	}
}

// within opens a path that a project names.
func (r *evidenceReader) within(ctx context.Context, p EvidencePath) error {
	shown := filepath.Join(p.Within, p.Path)
	fail := func(err error) error {
		return &EvidenceError{File: shown, Err: pathless(err), Hint: "name a file or folder inside of " + p.Within}
	}
	root, err := os.OpenRoot(p.Within)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = root.Close() }() // it was only read from
	info, err := root.Stat(p.Path)
	if err != nil {
		return fail(err)
	}
	if !info.IsDir() {
		return r.inside(ctx, root, p.Path, shown)
	}
	folder, err := root.OpenRoot(p.Path)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = folder.Close() }() // it was only read from
	return r.folder(ctx, folder, shown)
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
	ready    int             // bundles that are kept parsed
	warnings []Warning
}

func (r *evidenceReader) named(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return &EvidenceError{File: name, Err: pathless(err), Hint: hintEvidence}
	}
	defer f.Close()
	if r.seen[filepath.Clean(name)] {
		return nil
	}
	r.seen[filepath.Clean(name)] = true
	return r.add(ctx, f, name)
}

// add reads one file into the index.
func (r *evidenceReader) add(ctx context.Context, f io.Reader, name string) error {
	found, err := readBundles(ctx, f, name)
	if err != nil {
		return err
	}
	for _, a := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.total += int64(len(a.Bundle)); r.total > MaxEvidenceTotal {
			return &EvidenceError{File: name, Err: fmt.Errorf("all attestations together are larger than %d bytes", MaxEvidenceTotal), Hint: "give fewer with --attestations"}
		}
		entry := local{Attestation: a, id: bundleID(a.Bundle)}
		signed, err := r.subjects(&entry)
		if err != nil {
			file, line := position(a.From)
			return &EvidenceError{File: file, Line: line, Err: err, Hint: hintEvidence}
		}
		r.local.add(entry, signed)
	}
	return nil
}

// add files a bundle under everything that it signs.
func (l *Local) add(entry local, signed []claim) {
	names, digests := map[string]bool{}, map[Digest]bool{}
	for _, s := range signed {
		if s.name != "" && !names[s.name] {
			names[s.name] = true
			l.byName[s.name] = append(l.byName[s.name], entry)
			if project, version, ok := SplitDistribution(s.name); ok && !names[releaseName(project, version)] {
				release := releaseName(project, version)
				names[release] = true
				l.byName[release] = append(l.byName[release], entry)
			}
		}
		for algorithm := range digestSizes {
			d := Digest{Algorithm: algorithm, Value: s.digestOf(algorithm)}
			if d.Value != "" && !digests[d] {
				digests[d] = true
				l.byDigest[d] = append(l.byDigest[d], entry)
			}
		}
	}
}

// subjects opens a bundle and returns what it signs. One that cannot be opened
// may name packages all the same: what was signed for them and then changed must
// not be as if it were not there.
func (r *evidenceReader) subjects(entry *local) ([]claim, error) {
	o, err := open(entry.Bundle)
	if err == nil && r.ready < maxReady {
		r.ready++
		entry.ready = &ready{}
		entry.ready.first.Store(o)
	}
	if err == nil && len(o.subjects) == 0 {
		err = errors.New("it names no package")
	}
	if err != nil {
		named := mentioned(entry.Bundle)
		if len(named) == 0 {
			return nil, &contentError{brief: "it is no sigstore bundle of a package", err: err}
		}
		entry.broken = true
		file, line := position(entry.From)
		r.warnings = append(r.warnings, Warning{File: file, Line: line, Message: "it cannot be read, so it does not hold for the package that it names"})
		return named, nil
	}
	entry.signed = o.types.predicate
	return o.subjects, nil
}

// mentioned returns the npm packages whose package URLs stand as subjects in the
// payload of something like a bundle, and the digests there, whatever else is in
// it.
func mentioned(bundle []byte) []claim {
	var b struct {
		Envelope struct {
			Payload string `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	if json.Unmarshal(bundle, &b) != nil {
		return nil
	}
	payload, _ := base64.RawStdEncoding.DecodeString(strings.Map(asBase64, b.Envelope.Payload)) // up to where it breaks
	var list []claim
	for _, match := range quotedPackage.FindAllSubmatch(payload, MaxSubjects) {
		list = append(list, claim{name: string(match[1])})
	}
	for _, match := range quotedDigest.FindAllSubmatch(payload, MaxSubjects) {
		list = append(list, claim{digest: object{"sha256": string(match[1]) + string(match[2])}})
	}
	return list
}

// asBase64 puts a digit where there is none, so that the others keep their places.
func asBase64(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+', r == '/':
		return r
	default:
		return 'A'
	}
}

// quotedPackage is a subject's name. Other package URLs in a statement are of
// what went into the build.
var quotedPackage = lazyregexp.New(`"name"\s*:\s*"(pkg:npm/[^"\\]+)"`)

// quotedDigest is the digest beside a subject's name. What went into the build
// has a digest beside its URI.
var quotedDigest = lazyregexp.New(`"name"\s*:\s*"[^"\\]*"\s*,\s*"digest"\s*:\s*\{\s*"sha256"\s*:\s*"([0-9a-f]{64})"` +
	`|"digest"\s*:\s*\{\s*"sha256"\s*:\s*"([0-9a-f]{64})"\s*\}\s*,\s*"name"`)

// bundleID tells bundles apart, whatever blanks are between their parts.
func bundleID(bundle []byte) [sha256.Size]byte {
	var b bytes.Buffer
	if json.Compact(&b, bundle) != nil {
		return sha256.Sum256(bundle)
	}
	return sha256.Sum256(b.Bytes())
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

var evidenceNames = map[string]bool{".json": true, ".jsonl": true, ".sigstore": true, ".intoto": true, ".attestation": true, ".provenance": true}

// folder reads a folder. os.Root keeps symbolic links from leading out of it.
func (r *evidenceReader) folder(ctx context.Context, root *os.Root, dir string) error {
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
		err = r.inside(ctx, root, name, filepath.Join(dir, name))
		if e, ok := errors.AsType[*EvidenceError](err); ok {
			r.warnings = append(r.warnings, Warning{File: e.File, Line: e.Line, Message: e.brief()})
			return nil
		}
		return err
	})
}

// brief returns what is wrong without a word of what stands in the file.
func (e *EvidenceError) brief() string {
	if c, ok := errors.AsType[*contentError](e.Err); ok {
		return c.brief
	}
	return e.Err.Error()
}

func (r *evidenceReader) inside(ctx context.Context, root *os.Root, name, shown string) error {
	// Ask for the type first: opening a pipe would wait for somebody to write.
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return &EvidenceError{File: shown, Err: pathless(err), Hint: hintEvidence}
	}
	if r.seen[filepath.Clean(shown)] {
		return nil
	}
	r.seen[filepath.Clean(shown)] = true
	f, err := root.Open(name)
	if err != nil {
		return &EvidenceError{File: shown, Err: pathless(err), Hint: hintEvidence}
	}
	defer f.Close()
	return r.add(ctx, bufio.NewReader(f), shown)
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
		return Set{Availability: None, Reason: "the given attestations are of other packages", Hint: "give those of " + cmp.Or(s.PURL, evidenceName(s)) + " with --attestations"}, nil
	}
	return set, nil
}

// find returns the evidence for a subject. The same bundle in two files is one
// bundle; twice in one answer it is two, of which a registry has to send one. A
// broken one counts only where the others are not complete: with them it would not
// have been missed.
func (l *Local) find(s Subject) []local {
	if l == nil || s.Name == "" || s.Version == "" {
		return nil
	}
	list := l.byName[evidenceName(s)]
	if ecosystems[s.Ecosystem].byDigest {
		list = l.digests(s)
	}
	enough := complete(s, list)
	var out []local
	type within struct { // the bundle's place among its equals in one answer
		id   [sha256.Size]byte
		from string
	}
	type nth struct {
		id [sha256.Size]byte
		n  int
	}
	equals, at := map[within]int{}, map[nth]int{}
	for _, a := range list {
		if a.broken && enough {
			continue
		}
		equals[within{a.id, a.From}]++
		key := nth{a.id, equals[within{a.id, a.From}]}
		i, again := at[key]
		if again && (a.ClaimedType == "" || out[i].ClaimedType == "" || a.ClaimedType == out[i].ClaimedType) {
			out[i].ClaimedType = cmp.Or(out[i].ClaimedType, a.ClaimedType)
			continue
		}
		at[key] = len(out)
		out = append(out, a)
	}
	return out
}

// evidenceName is the name under which the evidence for a subject is kept.
func evidenceName(s Subject) string {
	if s.Ecosystem == sbom.PyPI {
		return releaseName(s.Name, s.Version)
	}
	return packageURL(s)
}

// File returns what is there for one file of a Python release, in a closed world:
// what is not there does not exist.
func (l *Local) File(ctx context.Context, s Subject, f File) (Set, error) {
	set, err := l.Attestations(ctx, s)
	if err != nil || set.Availability != Found {
		return set, err
	}
	var own []Attestation
	for _, a := range set.Attestations {
		o, err := open(a.Bundle)
		if err != nil || len(o.subjects) == 0 || sameDistribution(o.subjects[0].name, f.Name, s.Name) {
			a.File = f.Name
			own = append(own, a)
		}
	}
	if len(own) == 0 {
		return Set{Availability: None, Reason: "the given attestations are of other files", Hint: "give that of " + f.Name + " with --attestations"}, nil
	}
	set.Attestations, set.Files = own, []File{f}
	return set, nil
}

// digests returns the evidence for any of the subject's digests.
func (l *Local) digests(s Subject) []local {
	var out []local
	for _, d := range s.Digests {
		out = append(out, l.byDigest[d]...)
	}
	return out
}

// complete reports whether the evidence is all that there can be for a subject.
func complete(s Subject, list []local) bool {
	e, known := ecosystems[s.Ecosystem]
	return known && e.complete(list)
}

// completeSet reports whether both of npm's attestations are there.
func completeSet(list []local) bool {
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
	// Reason and Hint say why, and what to do next; by default that --offline was
	// given.
	Reason, Hint string
	// Registry returns what [Registrar] does; local evidence has to agree with
	// it. Nil where no registry is known.
	Registry func(Subject) (string, error)
}

// Attestations returns that nobody could be asked.
func (o Offline) Attestations(ctx context.Context, s Subject) (Set, error) {
	registry, err := o.ConfiguredRegistry(s)
	if err != nil {
		return unregistered(err), ctx.Err()
	}
	return Set{
		Availability: Unreachable,
		Reason:       cmp.Or(o.Reason, "its attestations are not at hand, and the registry may not be asked"),
		Hint:         cmp.Or(o.Hint, "give them with --attestations, or run without --offline"),
		Registry:     registry,
	}, ctx.Err()
}

// ConfiguredRegistry returns what Registry returns.
func (o Offline) ConfiguredRegistry(s Subject) (string, error) {
	if o.Registry == nil {
		return "", nil
	}
	return o.Registry(s)
}

// Registrar is a source that knows which registry is configured for a subject,
// as a URL, without asking anybody; "" where none is known. An error says that
// one is configured which must not be used, so that no attestation can be
// compared with it: best a [*RegistryError].
type Registrar interface {
	ConfiguredRegistry(s Subject) (string, error)
}

// RegistryError says why the registry that is configured for a subject must not
// be used.
type RegistryError struct {
	Reason string // a sentence without secrets
	Hint   string // what to do next
}

// Error returns the reason.
func (e *RegistryError) Error() string { return e.Reason }

// unregistered is what there is for a subject whose registry must not be used.
// Even evidence at hand cannot be compared with it.
func unregistered(err error) Set {
	set := Set{Availability: Unreachable, Reason: oneLine(err), Hint: "correct the registry in .npmrc, or name it with --registry"}
	if e, ok := errors.AsType[*RegistryError](err); ok && e.Hint != "" {
		set.Hint = e.Hint
	}
	return set
}

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
	if len(found) == 0 || !complete(s, found) && !offline {
		return c.next.Attestations(ctx, s)
	}
	registry, err := c.ConfiguredRegistry(s)
	if err != nil {
		return unregistered(err), ctx.Err()
	}
	set, err := c.local.Attestations(ctx, s)
	set.Registry = registry
	return set, err
}

// ConfiguredRegistry returns the registry of next, where that knows it.
func (c chain) ConfiguredRegistry(s Subject) (string, error) {
	if r, ok := c.next.(Registrar); ok {
		return r.ConfiguredRegistry(s)
	}
	return "", nil
}
