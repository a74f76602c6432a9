package provenance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// whole checks what sigstore-go leaves out of account in a bundle because its
// verdict does not depend on it: log entries beside the one that convinces, what
// an entry says of itself beside its signed body, and certificates above the
// signer's. A bundle in which a bit of these was changed is not what was signed
// and logged, so it does not verify.
func (o *opened) whole(material root.TrustedMaterial) error {
	content := o.bundle.GetVerificationMaterial()
	if err := wholeChain(content.GetX509CertificateChain(), material); err != nil {
		return err
	}
	entries := o.bundle.entries
	for _, entry := range entries {
		if err := wholeEntry(entry, material, len(entries) == 1); err != nil {
			return fmt.Errorf("its log entry %d: %w", entry.LogIndex(), err)
		}
	}
	return nil
}

// wholeChain takes only the trusted root's own certificates above the signer's:
// those are the ones that the signer's is verified with.
func wholeChain(chain *protocommon.X509CertificateChain, material root.TrustedMaterial) error {
	for i, c := range chain.GetCertificates() {
		if i > 0 && !authorityOf(c.GetRawBytes(), material) {
			return fmt.Errorf("certificate %d of its chain is not one of the trusted root", i+1)
		}
	}
	return nil
}

func authorityOf(raw []byte, material root.TrustedMaterial) bool {
	for c := range authorities(material) {
		if bytes.Equal(c.Raw, raw) {
			return true
		}
	}
	return false
}

// loggedInTime demands that the log's key was valid when the signature was seen.
// sigstore-go compares its own time of a promise with that; a proof of inclusion
// alone has none, so a retired log could go on proving.
func (o *opened) loggedInTime(material root.TrustedMaterial, times []verify.TimestampVerificationResult) error {
	for _, entry := range o.bundle.entries {
		if entry.HasInclusionPromise() {
			continue
		}
		log := material.RekorLogs()[hex.EncodeToString([]byte(entry.LogKeyID()))]
		if log == nil {
			continue // no part of the proof: timestamps stand in for a log
		}
		if len(times) == 0 && !log.ValidityPeriodEnd.IsZero() {
			return errors.New("its log is retired, and nobody says when the entry was made")
		}
		for _, t := range times {
			if t.Timestamp.Before(log.ValidityPeriodStart) || !log.ValidityPeriodEnd.IsZero() && t.Timestamp.After(log.ValidityPeriodEnd) {
				return fmt.Errorf("its log's key was not valid at %s", t.Timestamp.UTC().Format(time.RFC3339))
			}
		}
	}
	return nil
}

// wholeEntry checks one entry of a transparency log. The promise of an only one
// is verified: without it nothing would have been.
func wholeEntry(parsed *tlog.Entry, material root.TrustedMaterial, only bool) error {
	logs := material.RekorLogs()
	if len(logs) == 0 {
		return nil // timestamps stand in for a log, so entries prove nothing
	}
	entry := parsed.TransparencyLogEntry()
	log := logs[hex.EncodeToString(entry.GetLogId().GetKeyId())]
	if log == nil {
		return errors.New("the trusted root does not name its log")
	}
	body, err := parseObject(entry.GetCanonicalizedBody())
	if err != nil {
		return err
	}
	kind, version := body.text("kind"), body.text("apiVersion")
	if named := entry.GetKindVersion(); named.GetKind() != kind || named.GetVersion() != version {
		return fmt.Errorf("it is called %s %s, but is %s %s", clip(named.GetKind()), clip(named.GetVersion()), clip(kind), clip(version))
	}
	if !only && len(entry.GetInclusionPromise().GetSignedEntryTimestamp()) > 0 {
		if err := tlog.VerifySET(parsed, logs); err != nil {
			return err
		}
	}
	if entry.GetIntegratedTime() != 0 && !parsed.HasInclusionPromise() {
		return errors.New("nobody signed the time that it names")
	}
	if entry.GetInclusionProof() == nil {
		return nil
	}
	return wholeProof(parsed, log, kind == "hashedrekord" && version == "0.0.2")
}

// wholeProof checks the proof that an entry is in its log.
func wholeProof(parsed *tlog.Entry, log *root.TransparencyLog, v2 bool) error {
	entry := parsed.TransparencyLogEntry()
	proof := entry.GetInclusionProof()
	// A checkpoint's text is the log's name, the tree's size and its root hash
	// (https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md); a signature
	// over it follows.
	lines := strings.SplitN(proof.GetCheckpoint().GetEnvelope(), "\n", 4)
	if len(lines) < 4 || lines[1] != strconv.FormatInt(proof.GetTreeSize(), 10) || lines[2] != base64.StdEncoding.EncodeToString(proof.GetRootHash()) {
		return errors.New("its proof is for another tree than its checkpoint")
	}
	address, err := url.Parse(log.BaseURL)
	if err != nil {
		return err
	}
	if !v2 && lines[0] != address.Hostname() {
		return nil // Rekor v1 puts the tree's id behind its name; sigstore-go verifies the body
	}
	// For Rekor v2 sigstore-go writes the body anew from the bundle. The one in
	// the bundle has to be the same, so it has to have the same place in the tree.
	if proof.GetLogIndex() != entry.GetLogIndex() {
		return errors.New("its proof is for another entry")
	}
	key, err := signature.LoadVerifier(log.PublicKey, log.SignatureHashFunc)
	if err != nil {
		return err
	}
	return tlog.VerifyCheckpointAndInclusion(parsed, key, address.Hostname())
}
