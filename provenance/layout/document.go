package layout

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto"
	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"

	"countermark/provenance"
	"countermark/provenance/trust"
)

// maxSignatures bounds the signatures of one document.
const maxSignatures = 64

// Key is a public key of a layout's owner.
type Key struct{ key in_toto.Key }

// ParseKey parses a public key in PEM: RSA, ECDSA or Ed25519. The file name is
// for messages; errors are an [*provenance.EvidenceError].
func ParseKey(data []byte, file string) (Key, error) {
	fail := func(err error) (Key, error) {
		return Key{}, &provenance.EvidenceError{File: file, Err: fmt.Errorf("no key of a layout: %w", err), Hint: "name a public key in PEM, as openssl pkey -pubout writes it"}
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return fail(errors.New("no PEM"))
	case block.Type != "PUBLIC KEY":
		return fail(fmt.Errorf("the PEM block is a %q, not a PUBLIC KEY", provenance.Clip(block.Type)))
	case len(bytes.TrimSpace(rest)) > 0:
		return fail(errors.New("something follows the first PEM block"))
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err == nil {
		err = trust.CheckKey(public)
	}
	if err != nil {
		return fail(err)
	}
	var k Key
	if err := k.key.LoadKeyReaderDefaults(bytes.NewReader(data)); err != nil {
		return fail(err)
	}
	return k, nil
}

// publicKey returns the key itself. What it is called, by the layout or by its
// own fields, proves nothing.
func publicKey(k in_toto.Key) (crypto.PublicKey, error) {
	if k.KeyType == signerverifier.ED25519KeyType {
		raw, err := hex.DecodeString(k.KeyVal.Public)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("it is no Ed25519 key")
		}
		return ed25519.PublicKey(raw), nil
	}
	block, _ := pem.Decode([]byte(k.KeyVal.Public))
	if block == nil {
		return nil, errors.New("it is no key in PEM")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	_, isRSA := public.(*rsa.PublicKey)
	_, isECDSA := public.(*ecdsa.PublicKey)
	if k.KeyType == signerverifier.RSAKeyType && isRSA || k.KeyType == signerverifier.ECDSAKeyType && isECDSA {
		return public, trust.CheckKey(public)
	}
	return nil, fmt.Errorf("it is no key of the kind %q", provenance.Clip(k.KeyType))
}

// parse reads a layout or link in either form, and believes nothing of it.
func parse(data []byte) (doc in_toto.Metadata, err error) {
	// A panic in the library below is an answer, not a crash: it is no document.
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, errors.New("its parts do not fit together")
		}
	}()
	if len(data) > MaxFileSize {
		return nil, fmt.Errorf("it is larger than %d bytes", MaxFileSize)
	}
	if err := provenance.CheckJSON(data); err != nil {
		return nil, err
	}
	var outer map[string]json.RawMessage
	if err := json.Unmarshal(data, &outer); err != nil {
		return nil, err
	}
	if _, ok := outer["payloadType"]; ok && outer["payload"] != nil && outer["signatures"] != nil && len(outer) == 3 {
		return parseEnvelope(data)
	}
	if outer["signed"] == nil || outer["signatures"] == nil || len(outer) != 2 {
		return nil, errors.New(`"signed" and "signatures", or a DSSE envelope, were expected`)
	}
	block := &in_toto.Metablock{}
	if err := json.Unmarshal(outer["signatures"], &block.Signatures); err != nil {
		return nil, err
	}
	if block.Signed, err = parsePayload(outer["signed"]); err != nil {
		return nil, err
	}
	if err := in_toto.ValidateMetablock(*block); err != nil {
		return nil, errors.New(text(err))
	}
	if err := canonical(outer["signed"], block.Signed); err != nil {
		return nil, err
	}
	return block, distinct(block.Signatures)
}

// canonical holds the text against what was read out of it, both in the form that
// is signed: the library verifies the latter, so whatever it passed over would be
// signed by nobody.
func canonical(text json.RawMessage, read any) error {
	var raw any
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	want, err := cjson.EncodeCanonical(raw)
	if err != nil {
		return err
	}
	got, err := cjson.EncodeCanonical(read)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("it holds or lacks something that in-toto's form does not foresee")
	}
	return err
}

func parseEnvelope(data []byte) (in_toto.Metadata, error) {
	e := &envelope{}
	if err := json.Unmarshal(data, &e.signed); err != nil {
		return nil, err
	}
	if e.signed.PayloadType != in_toto.PayloadType {
		return nil, fmt.Errorf("the payload's type is %q, not %s", provenance.Clip(e.signed.PayloadType), in_toto.PayloadType)
	}
	payload, err := e.signed.DecodeB64Payload()
	if err != nil {
		return nil, err
	}
	if err := provenance.CheckJSON(payload); err != nil {
		return nil, fmt.Errorf("the payload: %w", err)
	}
	if e.payload, err = parsePayload(payload); err != nil {
		return nil, err
	}
	if err := in_toto.ValidateMetablock(in_toto.Metablock{Signed: e.payload}); err != nil {
		return nil, errors.New(text(err))
	}
	return e, distinct(e.Sigs())
}

// distinct refuses two signatures of one name: which of them counts, readers may
// see differently.
func distinct(list []in_toto.Signature) error {
	if len(list) > maxSignatures {
		return fmt.Errorf("it has more than %d signatures", maxSignatures)
	}
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s.KeyID] {
			return errors.New("two of its signatures name the same key")
		}
		seen[s.KeyID] = true
	}
	return nil
}

// parsePayload decodes what is signed.
func parsePayload(data []byte) (any, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	var kind string
	_ = json.Unmarshal(members["_type"], &kind) // what is no text is no kind either
	switch kind {
	case "layout":
		return decode[in_toto.Layout](data, members)
	case "link":
		return decode[in_toto.Link](data, members)
	default:
		return nil, fmt.Errorf("it is of the type %q, which is neither a layout nor a link", provenance.Clip(kind))
	}
}

// decode takes exactly the members that the specification names, in exactly that
// spelling: encoding/json alone would take Products for products.
func decode[T any](data []byte, members map[string]json.RawMessage) (T, error) {
	var v T
	known := map[string]bool{}
	for field := range reflect.TypeFor[T]().Fields() {
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = true
		if members[name] == nil && option != "omitempty" {
			return v, fmt.Errorf("it has no %q", name)
		}
	}
	for name := range members {
		if !known[name] {
			return v, fmt.Errorf("%q is nothing that it may have", provenance.Clip(name))
		}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return v, d.Decode(&v)
}

// envelope is a document in a DSSE envelope. in-toto-golang has one of its own,
// which can only be read from a path.
type envelope struct {
	signed  dsse.Envelope
	payload any
}

var _ in_toto.Metadata = (*envelope)(nil)

func (e *envelope) GetPayload() any { return e.payload }

func (e *envelope) Sigs() []in_toto.Signature {
	var out []in_toto.Signature
	for _, s := range e.signed.Signatures {
		out = append(out, in_toto.Signature{KeyID: s.KeyID, Sig: s.Sig})
	}
	return out
}

func (e *envelope) GetSignatureForKeyID(id string) (in_toto.Signature, error) {
	for _, s := range e.Sigs() {
		if s.KeyID == id {
			return s, nil
		}
	}
	return in_toto.Signature{}, errors.New("it has no signature of that key")
}

func (e *envelope) VerifySignature(key in_toto.Key) error {
	k := &signerverifier.SSLibKey{
		KeyType: key.KeyType, Scheme: key.Scheme, KeyID: key.KeyID,
		KeyVal: signerverifier.KeyVal{Public: key.KeyVal.Public},
	}
	verifier, err := newVerifier(k)
	if err != nil {
		return err
	}
	engine, err := dsse.NewEnvelopeVerifier(verifier)
	if err != nil {
		return err
	}
	_, err = engine.Verify(context.Background(), &e.signed)
	return err
}

func newVerifier(k *signerverifier.SSLibKey) (dsse.Verifier, error) {
	switch k.KeyType {
	case signerverifier.RSAKeyType:
		return signerverifier.NewRSAPSSSignerVerifierFromSSLibKey(k)
	case signerverifier.ECDSAKeyType:
		return signerverifier.NewECDSASignerVerifierFromSSLibKey(k)
	case signerverifier.ED25519KeyType:
		return signerverifier.NewED25519SignerVerifierFromSSLibKey(k)
	default:
		return nil, in_toto.ErrUnsupportedKeyType
	}
}

var errReadOnly = errors.New("documents are only read here")

// Sign is of the interface; nothing is signed here.
func (e *envelope) Sign(in_toto.Key) error { return errReadOnly }

// Dump is of the interface; nothing is written here.
func (e *envelope) Dump(string) error { return errReadOnly }
