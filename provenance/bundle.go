package provenance

import (
	"errors"
	"fmt"
	"strings"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// Limits of what one subject may have. Beyond them it is Invalid; nothing is
// read in part.
const (
	MaxBundleSize   = 16 << 20 // bytes of one bundle's JSON
	MaxAttestations = 64       // of one package
	MaxSubjects     = 1024     // subjects of one statement
)

// MaxArtifactBundles is how many bundles are tried for one file or digest. With
// more it is Unavailable: the right one might be among those that were not.
const MaxArtifactBundles = 10_000

// payloadInToto is the DSSE payload type of in-toto statements
// (https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md).
const payloadInToto = "application/vnd.in-toto+json"

// statementTypes are the in-toto statements that are read.
var statementTypes = map[string]bool{
	"https://in-toto.io/Statement/v0.1": true,
	"https://in-toto.io/Statement/v1":   true,
}

// opened is a bundle that has been read, but not yet verified: everything in it
// is a claim. It must not be shared by goroutines.
type opened struct {
	bundle     *entity
	signatures int      // of the DSSE envelope
	keyID      string   // of the first signature of the DSSE envelope
	keyHint    string   // of the verification material; empty for certificates
	keyed      bool     // signed with a key, not with a certificate
	timestamps int      // how many RFC 3161 timestamps it carries
	promised   bool     // a log entry carries a signed time
	statement  object   // the payload; nil for a message signature
	subjects   []claim  // of the statement
	predicate  object   // of the statement
	types      typePair // of the statement
}

// missing is a bundle that is not there.
func missing() *opened {
	return &opened{bundle: &entity{Bundle: &bundle.Bundle{Bundle: &protobundle.Bundle{}}, content: &bundle.PublicKey{}, signature: &bundle.MessageSignature{}}}
}

// subject returns the first subject; an empty one where there is none.
func (o *opened) subject() claim {
	if len(o.subjects) == 0 {
		return claim{}
	}
	return o.subjects[0]
}

// claim is one subject of a statement.
type claim struct {
	name   string
	digest object
}

type typePair struct{ statement, predicate string }

// open reads a sigstore bundle (dev.sigstore.bundle.v1.Bundle in its JSON form).
func open(data []byte) (*opened, error) {
	if len(data) > MaxBundleSize {
		return nil, fmt.Errorf("the bundle is larger than %d bytes", MaxBundleSize)
	}
	b, err := unmarshal(data)
	if err != nil {
		return nil, fmt.Errorf("no sigstore bundle: %w", err)
	}
	o := &opened{bundle: b}
	material := b.GetVerificationMaterial()
	if key := material.GetPublicKey(); key != nil {
		o.keyed, o.keyHint = true, key.GetHint()
	}
	o.timestamps = len(material.GetTimestampVerificationData().GetRfc3161Timestamps())
	o.promised = b.HasInclusionPromise()
	if _, ok := b.GetContent().(*protobundle.Bundle_DsseEnvelope); !ok {
		return o, nil
	}
	return o, o.readEnvelope()
}

// unmarshal keeps a panic of the parsers below from ending the program: what
// makes them panic is no bundle.
func unmarshal(data []byte) (e *entity, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, errors.New("its parts do not fit together")
		}
	}()
	return parseEntity(data)
}

func (o *opened) readEnvelope() error {
	envelope := o.bundle.GetDsseEnvelope()
	o.signatures = len(envelope.GetSignatures())
	if o.signatures > 0 {
		o.keyID = envelope.GetSignatures()[0].GetKeyid()
	}
	if envelope.GetPayloadType() != payloadInToto {
		return fmt.Errorf("the payload's type is %q, not %s", clip(envelope.GetPayloadType()), payloadInToto)
	}
	statement, err := parseObject(envelope.GetPayload())
	if err != nil {
		return fmt.Errorf("the signed statement: %w", err)
	}
	o.statement = statement
	o.types = typePair{statement: statement.text("_type"), predicate: statement.text("predicateType")}
	o.predicate = statement.object("predicate")
	if !statementTypes[o.types.statement] {
		return fmt.Errorf("the signed statement's type is %q, not an in-toto statement's", clip(o.types.statement))
	}
	list := statement.list("subject")
	if len(list) > MaxSubjects {
		return fmt.Errorf("the signed statement has more than %d subjects", MaxSubjects)
	}
	for _, s := range list {
		subject, ok := s.(object)
		if !ok {
			return errors.New("a subject of the signed statement is no object")
		}
		o.subjects = append(o.subjects, claim{name: subject.text("name"), digest: subject.object("digest")})
	}
	return nil
}

// digest returns the subject's digest of that algorithm in lower-case hex, or "".
func (c claim) digestOf(algorithm string) string { return strings.ToLower(c.digest.text(algorithm)) }
