package provenancetest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore/pkg/signature"
)

// logged is what a log entry is made of.
type logged struct {
	message   []byte         // what is signed: a file, or a statement's pre-authentication encoding
	payload   []byte         // the statement; nil for a file
	signature []byte         // over the message
	verifier  []byte         // certificate or public key, in PEM
	rekor2    map[string]any // the same as Rekor v2 writes it
}

// The log is a tree of two leaves, of which the entry is the second. Rekor v1
// counts over all of its trees, so that an entry's index in the log is not that
// in its tree.
const (
	treeSize   = 2
	treeIndex  = 1
	totalIndex = 1001
)

// log writes an entry into a log, with all that the log says of it.
func (s *Sigstore) log(signed logged, as Signer) (map[string]any, error) {
	kind, version, spec, err := signed.spec(as.Entry)
	if err != nil {
		return nil, err
	}
	// encoding/json sorts a map's keys, and nothing in here needs escaping: this
	// is the canonical form that the log signs.
	body, err := json.Marshal(map[string]any{"apiVersion": version, "kind": kind, "spec": spec})
	if err != nil {
		return nil, err
	}
	sibling := sha256.Sum256([]byte("\x00another entry"))
	leaf := sha256.Sum256(append([]byte{0}, body...))
	top := sha256.Sum256(slices.Concat([]byte{1}, sibling[:], leaf[:]))
	entry := map[string]any{
		"kindVersion":       map[string]any{"kind": kind, "version": version},
		"canonicalizedBody": body,
	}
	proof := map[string]any{
		"logIndex": strconv.Itoa(treeIndex), "rootHash": top[:], "treeSize": strconv.Itoa(treeSize), "hashes": []any{sibling[:]},
	}
	if as.Entry == Record2 {
		return entry, s.prove2(entry, proof, top[:])
	}
	seen := as.Seen
	if seen.IsZero() {
		seen = Now
	}
	if err := s.prove(entry, proof, top[:]); err != nil {
		return nil, err
	}
	if err := s.promiseEntry(entry, body, seen); err != nil {
		return nil, err
	}
	if as.NoPromise {
		delete(entry, "inclusionPromise")
	}
	if as.NoProof {
		delete(entry, "inclusionProof")
	}
	return entry, nil
}

// spec is what the entry says in its form.
func (l logged) spec(form Form) (kind, version string, spec any, err error) {
	hash := func(data []byte) map[string]any {
		sum := sha256.Sum256(data)
		return map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}
	}
	switch form {
	case DSSE:
		return "dsse", "0.0.1", map[string]any{
			"envelopeHash": hash(l.message), "payloadHash": hash(l.payload),
			"signatures": []any{map[string]any{"signature": l.signature, "verifier": l.verifier}},
		}, nil
	case Intoto:
		// The signature is encoded twice, as Rekor does it.
		twice := []byte(base64.StdEncoding.EncodeToString(l.signature))
		return "intoto", "0.0.2", map[string]any{"content": map[string]any{
			"envelope": map[string]any{"payloadType": payloadType, "signatures": []any{map[string]any{"publicKey": l.verifier, "sig": twice}}},
			"hash":     hash(l.message), "payloadHash": hash(l.payload),
		}}, nil
	case Record:
		return "hashedrekord", "0.0.1", map[string]any{
			"data":      map[string]any{"hash": hash(l.message)},
			"signature": map[string]any{"content": l.signature, "publicKey": map[string]any{"content": l.verifier}},
		}, nil
	case Record2:
		sum := sha256.Sum256(l.message)
		verifier := map[string]any{"keyDetails": "PKIX_ECDSA_P256_SHA_256"}
		maps.Copy(verifier, l.rekor2)
		return "hashedrekord", "0.0.2", map[string]any{"hashedRekordV002": map[string]any{
			"data":      map[string]any{"algorithm": "SHA2_256", "digest": sum[:]},
			"signature": map[string]any{"content": l.signature, "verifier": verifier},
		}}, nil
	case NoEntry:
	}
	return "", "", nil, fmt.Errorf("no log writes entries in the form %q", form)
}

// promiseEntry adds the promise of Rekor v1: the log's signature over the entry
// and the time at which it came.
func (s *Sigstore) promiseEntry(entry map[string]any, body []byte, seen time.Time) error {
	id, err := keyID(s.logKey.Public())
	if err != nil {
		return err
	}
	promise, err := json.Marshal(map[string]any{"body": body, "integratedTime": seen.Unix(), "logID": hex.EncodeToString(id), "logIndex": totalIndex})
	if err != nil {
		return err
	}
	digest := sha256.Sum256(promise)
	set, err := ecdsa.SignASN1(rand.Reader, s.logKey, digest[:])
	entry["logId"] = map[string]any{"keyId": id}
	entry["logIndex"] = strconv.Itoa(totalIndex)
	entry["integratedTime"] = strconv.FormatInt(seen.Unix(), 10)
	entry["inclusionPromise"] = map[string]any{"signedEntryTimestamp": set}
	return err
}

// prove adds the proof of Rekor v1 that the entry is in the tree.
func (s *Sigstore) prove(entry, proof map[string]any, top []byte) error {
	signer, err := signature.LoadECDSASignerVerifier(s.logKey, crypto.SHA256)
	if err != nil {
		return err
	}
	checkpoint, err := util.CreateAndSignCheckpoint(context.Background(), logHost, 1, treeSize, top, signer)
	proof["checkpoint"] = map[string]any{"envelope": string(checkpoint)}
	entry["inclusionProof"] = proof
	return err
}

// prove2 adds the proof of Rekor v2, whose checkpoint is a signed note
// (https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md).
func (s *Sigstore) prove2(entry, proof map[string]any, top []byte) error {
	public, ok := s.log2Key.Public().(ed25519.PublicKey)
	if !ok {
		return fmt.Errorf("the log's key is a %T", s.log2Key.Public())
	}
	id, err := keyID(public)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", log2Host, treeSize, base64.StdEncoding.EncodeToString(top))
	name := sha256.Sum256(slices.Concat([]byte(log2Host+"\n\x01"), public))
	note := slices.Concat(name[:4], ed25519.Sign(s.log2Key, []byte(text)))
	proof["checkpoint"] = map[string]any{"envelope": text + "\n— " + log2Host + " " + base64.StdEncoding.EncodeToString(note) + "\n"}
	entry["inclusionProof"] = proof
	entry["logId"] = map[string]any{"keyId": id}
	entry["logIndex"] = strconv.Itoa(treeIndex)
	return nil
}
