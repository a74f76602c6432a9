// Package trust holds what all proofs rest on: the certificate authorities, logs
// and timestamp authorities of a sigstore instance (a trusted root), and the keys
// with which npm's registry signs.
//
// In flow two JSON files, embedded ([Embedded]), given by the user ([LoadRoot],
// [LoadNPMKeys]) or fetched from a TUF repository ([Updater]). Out flows a [Material], which the verifier takes as a value,
// and a [Summary] of it for people. A trusted root has the form of sigstore's
// protobuf message dev.sigstore.trustroot.v1.TrustedRoot; keys have the form of
// sigstore's TUF target for npm, or that of a registry's /-/npm/v1/keys.
//
// Only [Updater.Update] reaches the network. Nothing reads the clock, and nothing
// is parsed before it is asked for.
package trust

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"countermark/sbom/lazyregexp"

	exact "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// Where a file came from.
const (
	SourceEmbedded = "embedded"
	SourceFile     = "file"
	SourceTUF      = "tuf" // the last `trust update`
)

// MaxFileSize bounds a trusted root or keys file, in bytes. The public instance's
// root has 7 KiB.
const MaxFileSize = 4 << 20

// Material is everything that is trusted.
type Material struct {
	Root *Root
	Keys *Keys
	// OtherKeys are those of further registries, each with its Registry.
	OtherKeys []*Keys
}

// Root is a parsed file of trusted roots. It is safe for concurrent use.
type Root struct {
	// Instances are the sigstore instances that the file names, in its order; never
	// empty. Each proves alone: what an authority of one signs says nothing together
	// with a log of another.
	Instances []*Authorities

	SHA256 string // of the file, lower-case hex
	Source string // SourceEmbedded, SourceFile or SourceTUF
	AsOf   string // date for which it is known to be current, as YYYY-MM-DD; empty for files
}

// Authorities are those of one sigstore instance, one trusted root. They are safe
// for concurrent use.
type Authorities struct {
	root.TrustedMaterial

	SHA256 string // of its JSON in the file, lower-case hex

	pb *prototrustroot.TrustedRoot
}

// Usage is what a key of npm's may sign.
type Usage string

// The usages of npm's keys.
const (
	Attestations Usage = "npm:attestations" // publish attestations
	Signatures   Usage = "npm:signatures"   // name@version:integrity in a packument
)

// Key is one public key of a registry.
type Key struct {
	ID     string
	Usage  Usage
	Public crypto.PublicKey
	Start  time.Time // zero where it was always valid
	End    time.Time // zero where no end is set
}

// Keys are a registry's keys.
type Keys struct {
	// Registry is the URL of the registry whose keys they are, which no file says.
	// Empty stands for whichever registry is asked.
	Registry string

	SHA256 string // of the file, lower-case hex
	Source string // SourceEmbedded or SourceFile
	AsOf   string // as Root.AsOf

	keys []Key // by usage, then id
}

// All returns the keys by usage, then id.
func (k *Keys) All() []Key { return slices.Clone(k.keys) }

// Find returns the key with that id and usage.
func (k *Keys) Find(id string, usage Usage) (Key, bool) {
	for _, key := range k.keys {
		if key.ID == id && key.Usage == usage {
			return key, true
		}
	}
	return Key{}, false
}

// FileError says that a trusted root or keys file cannot be used. It steers every
// answer, so the command exits with 2.
type FileError struct {
	File string
	Line int // from 1; 0 where unknown
	Err  error
	Hint string // what to do next
}

// Error names the file, the line, and what is wrong with it.
func (e *FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return e.File + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

const (
	rootHint = "give the trusted_root.json of a sigstore instance with --trusted-root, or several as JSON lines, or leave it out to use the embedded one"
	keysHint = "give a registry's /-/npm/v1/keys, or sigstore's TUF target keys.json, with --npm-keys, or leave it out to use the embedded one"
)

// LoadRoot parses a trusted root, or several one after the other (JSON lines, as
// GitHub's command line prints them). The file name is for messages; errors are a
// [*FileError].
func LoadRoot(data []byte, file string) (*Root, error) {
	fail := func(err error) (*Root, error) {
		return nil, &FileError{File: file, Err: err, Hint: rootHint}
	}
	if len(data) > MaxFileSize {
		return fail(errTooLarge)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return fail(errors.New("no trusted root: the file is empty"))
	}
	r := &Root{SHA256: sum(data), Source: SourceFile}
	for values := json.NewDecoder(bytes.NewReader(data)); ; {
		start := values.InputOffset()
		start += int64(len(data[start:]) - len(bytes.TrimLeft(data[start:], " \t\r\n")))
		var one json.RawMessage
		err := values.Decode(&one)
		if errors.Is(err, io.EOF) && len(r.Instances) > 0 {
			return r, nil
		}
		var authorities *Authorities
		line := 0
		if err == nil {
			if authorities, err = parseRoot(one); err != nil {
				line, err = located(err)
				if line > 0 {
					line += bytes.Count(data[:start], []byte("\n"))
				}
			}
		} else {
			line, err = misread(data, err)
		}
		if err != nil {
			err = fmt.Errorf("no trusted root: %w", err)
		}
		if err == nil && len(r.Instances) == MaxInstances {
			err = fmt.Errorf("more than %d trusted roots", MaxInstances)
		}
		if err != nil {
			if n := len(r.Instances); n > 0 {
				if line == 0 {
					line = 1 + bytes.Count(data[:start], []byte("\n"))
				}
				err = fmt.Errorf("trusted root %d: %w", n+1, err)
			}
			return nil, &FileError{File: file, Line: line, Err: err, Hint: rootHint}
		}
		r.Instances = append(r.Instances, authorities)
	}
}

// MaxInstances bounds the trusted roots of one file. Of those that people use,
// GitHub's command line prints the most: two.
const MaxInstances = 32

func parseRoot(data []byte) (*Authorities, error) {
	pb, err := root.NewTrustedRootProtobuf(data)
	if err != nil {
		return nil, err
	}
	parsed, err := root.NewTrustedRootFromProtobuf(pb)
	if err != nil {
		return nil, err
	}
	// A certificate proves nothing without somebody who saw it in time, so a
	// root that names nobody would let nothing pass; say so once, here.
	if len(parsed.RekorLogs()) == 0 && len(parsed.TimestampingAuthorities()) == 0 {
		return nil, errors.New("names neither a transparency log nor a timestamp authority")
	}
	return &Authorities{TrustedMaterial: parsed, SHA256: sum(data), pb: pb}, nil
}

// errTooLarge is a limit; what lies beyond it is refused, not cut.
var errTooLarge = fmt.Errorf("larger than %d bytes", MaxFileSize)

// keysFile holds both forms: sigstore's TUF target (keyId, keyUsage, publicKey)
// and the registry's own answer (keyid, key, expires). It is read by a decoder
// that takes keys as they are written, each once: encoding/json would take those
// of any case, and the last of several.
type keysFile struct {
	Keys []struct {
		TargetID  string     `json:"keyId"`
		KeyUsage  Usage      `json:"keyUsage"`
		PublicKey *publicKey `json:"publicKey"`

		AnswerID string     `json:"keyid"`
		Expires  *time.Time `json:"expires"`
		Key      string     `json:"key"`
	} `json:"keys"`
}

type publicKey struct {
	RawBytes string `json:"rawBytes"`
	ValidFor struct {
		Start time.Time  `json:"start"`
		End   *time.Time `json:"end"`
	} `json:"validFor"`
}

// protoPlace is how protobuf's parser says what is wrong, and where.
var protoPlace = lazyregexp.New(`proto:\s*(?:syntax error\s*)?\(line ([0-9]+):[0-9]+\):\s*(.*)$`)

// located words an error of protobuf's JSON parser, and returns its line within
// the value; 0 where it says none.
func located(err error) (line int, plain error) {
	// Its words are parted by a kind of blank that differs from build to build.
	m := protoPlace.FindStringSubmatch(strings.Join(strings.Fields(err.Error()), " "))
	if m == nil {
		return 0, err
	}
	line, _ = strconv.Atoi(m[1]) // digits; too many of them are no line
	return line, fmt.Errorf("a TrustedRoot of sigstore in JSON was expected: %s", m[2])
}

// misread words an error of encoding/json, and returns its line; 0 where it says
// none.
func misread(data []byte, err error) (line int, plain error) {
	at := func(offset int64) int {
		return 1 + bytes.Count(data[:min(max(offset-1, 0), int64(len(data)))], []byte("\n"))
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return at(e.Offset), fmt.Errorf("JSON was expected: %w", err)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return at(e.Offset), fmt.Errorf("%s is a JSON %s, which it may not be", cmp.Or(e.Field, "the whole"), e.Value)
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return at(e.ByteOffset), fmt.Errorf("JSON was expected: %w", e.Err)
	}
	if e, ok := errors.AsType[*time.ParseError](err); ok {
		return 0, fmt.Errorf("%s is no time as in RFC 3339: 2030-01-31T00:00:00Z was expected", e.Value)
	}
	if e, ok := errors.AsType[*exact.SemanticError](err); ok {
		return at(e.ByteOffset), fmt.Errorf("%s is a JSON %s, which it may not be", cmp.Or(strings.ReplaceAll(strings.TrimPrefix(string(e.JSONPointer), "/"), "/", "."), "the whole"), e.JSONKind)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return at(int64(len(data))), errors.New("it ends within its JSON")
	}
	return 0, err
}

// LoadNPMKeys parses a registry's keys in either form. A key of the registry's
// own form has no usage there and gets both. The file name is for messages;
// errors are a [*FileError].
func LoadNPMKeys(data []byte, file string) (*Keys, error) {
	keys, err := parseKeys(data)
	if err != nil {
		line, err := misread(data, err)
		return nil, &FileError{File: file, Line: line, Err: fmt.Errorf("no npm keys: %w", err), Hint: keysHint}
	}
	return &Keys{SHA256: sum(data), Source: SourceFile, keys: keys}, nil
}

func parseKeys(data []byte) ([]Key, error) {
	if len(data) > MaxFileSize {
		return nil, errTooLarge
	}
	var file keysFile
	if err := exact.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if len(file.Keys) == 0 {
		return nil, errors.New(`an object with a list of "keys" was expected`)
	}
	var keys []Key
	for i, k := range file.Keys {
		key := Key{ID: k.AnswerID}
		raw, usages := k.Key, []Usage{Attestations, Signatures}
		if k.PublicKey != nil {
			key.ID = k.TargetID
			raw, usages = k.PublicKey.RawBytes, []Usage{k.KeyUsage}
			key.Start = k.PublicKey.ValidFor.Start
			key.End = deref(k.PublicKey.ValidFor.End)
		} else {
			key.End = deref(k.Expires)
		}
		if key.ID == "" {
			return nil, fmt.Errorf("key %d has no id", i+1)
		}
		public, err := parsePublic(raw)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		key.Public = public
		for _, usage := range usages {
			key.Usage = usage
			if usage != Attestations && usage != Signatures {
				return nil, fmt.Errorf("key %d has the unknown usage %q", i+1, usage)
			}
			if slices.ContainsFunc(keys, func(k Key) bool { return k.ID == key.ID && k.Usage == usage }) {
				return nil, fmt.Errorf("key %d repeats an id and usage", i+1)
			}
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, byUsageAndID)
	return keys, nil
}

func parsePublic(raw string) (crypto.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		return nil, errors.New("base64 of a public key in DER was expected, and it is no base64")
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("a public key in DER (SubjectPublicKeyInfo) was expected, and it is none that can be read")
	}
	if err := CheckKey(public); err != nil {
		return nil, err
	}
	return public, nil
}

// CheckKey returns an error for a public key that is of no kind with which
// sigstore signs: ECDSA on a NIST curve, RSA from 2048 to 4096 bits, Ed25519.
func CheckKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return nil
		}
		return fmt.Errorf("ECDSA on %s is not supported: P-256, P-384 or P-521 was expected", k.Params().Name)
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 4096 {
			return fmt.Errorf("RSA with %d bits is not supported: 2048 to 4096 were expected", bits)
		}
		return nil
	case ed25519.PublicKey:
		return nil
	default:
		return fmt.Errorf("a key of type %T is not supported", key)
	}
}

func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
