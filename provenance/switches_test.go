package provenance

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"countermark/provenance/trust"
)

// What can be switched off besides the checks by their names.
const (
	trusted          = "trusted-root"          // what the trusted root says: a duped one is believed
	library          = "sigstore-go"           // all that sigstore-go verifies
	librarySignature = "sigstore-go-signature" // its last step alone, the signature over the statement or file
)

// blinded is a verifier without the checks of these names. The strict reader
// is replaced by one that takes what it can get, where it is among them.
func blinded(t testing.TB, m *trust.Material, off []string) *Verifier {
	t.Helper()
	v := verifier(t, m)
	v.skip = map[string]bool{}
	for _, name := range off {
		v.skip[name] = true
	}
	if v.skip[checkReadable] {
		v.read = lenient
	}
	if v.skip[library] || v.skip[librarySignature] {
		v.forgive = func(o *opened, refused error) (*verify.VerificationResult, error) {
			if v.skip[library] || strings.HasPrefix(refused.Error(), "failed to verify signature") {
				return pardoned(o)
			}
			return nil, refused
		}
	}
	return v
}

// pardoned is what a bundle would prove if it held.
func pardoned(o *opened) (*verify.VerificationResult, error) {
	result := &verify.VerificationResult{Signature: &verify.SignatureVerificationResult{}}
	leaf := o.bundle.content.Certificate()
	if leaf == nil {
		return result, nil
	}
	summary, err := certificate.SummarizeCertificate(leaf)
	result.Signature.Certificate = &summary
	return result, err
}

// lenient reads what the strict reader refuses, as a reader would that nobody has
// made strict: the last of repeated keys, nothing behind the first value, no
// limits, no demands on the form.
func lenient(a Attestation) (*opened, error) {
	if o, err := open(a.Bundle); err == nil {
		return o, nil
	}
	pb := new(protobundle.Bundle)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(a.Bundle, pb); err != nil {
		return nil, err
	}
	e := &entity{Bundle: &bundle.Bundle{Bundle: pb}}
	for _, entry := range pb.GetVerificationMaterial().GetTlogEntries() {
		parsed, err := tlog.ParseTransparencyLogEntry(entry)
		if err != nil {
			return nil, err
		}
		e.entries = append(e.entries, parsed)
	}
	var err error
	if e.content, err = e.Bundle.VerificationContent(); err != nil {
		return nil, err
	}
	if e.signature, err = e.Bundle.SignatureContent(); err != nil {
		return nil, err
	}
	o := &opened{
		bundle: e, signatures: len(pb.GetDsseEnvelope().GetSignatures()), promised: e.HasInclusionPromise(),
		timestamps: len(pb.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps()),
	}
	if key := pb.GetVerificationMaterial().GetPublicKey(); key != nil {
		o.keyed, o.keyHint = true, key.GetHint()
	}
	if o.signatures > 0 {
		o.keyID = pb.GetDsseEnvelope().GetSignatures()[0].GetKeyid()
	}
	d := json.NewDecoder(bytes.NewReader(pb.GetDsseEnvelope().GetPayload()))
	d.UseNumber()
	var statement map[string]any
	if err := d.Decode(&statement); err != nil {
		return nil, err
	}
	o.statement, _ = objects(statement).(object)
	o.types = typePair{statement: o.statement.text("_type"), predicate: o.statement.text("predicateType")}
	o.predicate = o.statement.object("predicate")
	for _, s := range o.statement.list("subject") {
		subject, _ := s.(object)
		o.subjects = append(o.subjects, claim{name: subject.text("name"), digest: subject.object("digest")})
	}
	return o, nil
}

// objects turns encoding/json's maps into objects.
func objects(v any) any {
	switch x := v.(type) {
	case map[string]any:
		o := object{}
		for key, value := range x {
			o[key] = objects(value)
		}
		return o
	case []any:
		list := []any{}
		for _, value := range x {
			list = append(list, objects(value))
		}
		return list
	}
	return v
}

// decides holds a set of checks to what a table says of it: that an attack
// succeeds without them all, and does not as long as one of them is left. So
// each of them refuses it, and nothing else does.
func decides(t *testing.T, off []string, without func(off []string) Result) {
	t.Helper()
	if got := without(off); got.State != Verified {
		t.Errorf("without %v: %s by %q (%s)", off, got.State, firstFailed(got), got.Reason)
	}
	for _, some := range subsets(off) {
		if got := without(some); got.State == Verified {
			t.Errorf("it succeeds without %v alone", some)
		}
	}
}

// subsets returns the proper subsets of a small list. Of a long one it returns
// those that lack one: a check more never makes a result better.
func subsets(list []string) [][]string {
	var out [][]string
	if len(list) > 4 {
		for i := range list {
			out = append(out, slices.Delete(slices.Clone(list), i, i+1))
		}
		return out
	}
	for bits := range 1<<len(list) - 1 {
		var some []string
		for i, name := range list {
			if bits>>i&1 == 1 {
				some = append(some, name)
			}
		}
		out = append(out, some)
	}
	return out
}
