package provenance

import (
	"errors"
	"fmt"
	"slices"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"
)

// entity is a bundle whose parts are parsed once, however often the verifier
// asks for them: sigstore-go's own bundle parses log entries, certificate and
// envelope anew at each question. It must not be shared by goroutines.
type entity struct {
	*bundle.Bundle

	entries   []*tlog.Entry
	content   verify.VerificationContent
	signature verify.SignatureContent
}

// parseEntity parses a bundle's JSON and checks what sigstore-go checks of its
// form.
func parseEntity(data []byte) (*entity, error) {
	pb := new(protobundle.Bundle)
	// It refuses repeated and unknown keys, so that nobody reads it otherwise.
	if err := protojson.Unmarshal(data, pb); err != nil {
		return nil, err
	}
	entries := pb.GetVerificationMaterial().GetTlogEntries()
	if len(entries) > maxLogEntries {
		return nil, fmt.Errorf("it has %d log entries, and no more than %d are read", len(entries), maxLogEntries)
	}
	b, err := withoutEntries(pb)
	if err != nil {
		return nil, err
	}
	e := &entity{Bundle: b}
	for _, entry := range entries {
		parsed, err := tlog.ParseTransparencyLogEntry(entry)
		if err != nil {
			return nil, err
		}
		e.entries = append(e.entries, parsed)
	}
	if err := e.wholeEntries(); err != nil {
		return nil, err
	}
	if e.content, err = b.VerificationContent(); err != nil {
		return nil, err
	}
	if e.signature, err = b.SignatureContent(); err != nil {
		return nil, err
	}
	return e, nil
}

// maxLogEntries bounds the log entries of one bundle, as sigstore-go does.
const maxLogEntries = 32

// withoutEntries lets sigstore-go check the form of everything but the log
// entries, which it would parse for that and throw away.
func withoutEntries(pb *protobundle.Bundle) (*bundle.Bundle, error) {
	material := pb.GetVerificationMaterial()
	if material == nil {
		return bundle.NewBundle(pb)
	}
	entries := material.GetTlogEntries()
	material.TlogEntries = nil
	b, err := bundle.NewBundle(pb)
	material.TlogEntries = entries
	return b, err
}

// wholeEntries demands of the log entries what their bundle's version demands
// (https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto):
// a signed promise of the log in version 0.1, a proof of inclusion from 0.2 on.
func (e *entity) wholeEntries() error {
	version, err := e.Version()
	if err != nil || len(e.entries) == 0 {
		return err
	}
	if version == "v0.1" {
		if !e.HasInclusionPromise() {
			return errors.New("its log entries have no inclusion promise, which version 0.1 demands")
		}
		return nil
	}
	if !e.HasInclusionProof() {
		return errors.New("its log entries have no inclusion proof, which its version demands")
	}
	return nil
}

// HasInclusionPromise reports whether a log entry carries a signed time.
func (e *entity) HasInclusionPromise() bool {
	return slices.ContainsFunc(e.entries, (*tlog.Entry).HasInclusionPromise)
}

// HasInclusionProof reports whether a log entry carries a proof of its place.
func (e *entity) HasInclusionProof() bool {
	return slices.ContainsFunc(e.entries, (*tlog.Entry).HasInclusionProof)
}

// TlogEntries returns the log entries.
func (e *entity) TlogEntries() ([]*tlog.Entry, error) { return e.entries, nil }

// VerificationContent returns the certificate or the key's name.
func (e *entity) VerificationContent() (verify.VerificationContent, error) { return e.content, nil }

// SignatureContent returns the envelope or the message's signature.
func (e *entity) SignatureContent() (verify.SignatureContent, error) { return e.signature, nil }
