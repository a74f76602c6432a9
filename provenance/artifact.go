package provenance

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"countermark/provenance/trust"
)

// Artifact is a file, or a digest of one.
type Artifact struct {
	Name string // for messages: the file's name, or the digest as it was given
	// Open returns the file's bytes; it may be called more than once. Nil where
	// only Digest is known.
	Open   func() (io.ReadCloser, error)
	Digest Digest // "sha256" or "sha512" (or "sha384"); ignored where Open is set
}

// ParseDigest parses "sha256:<hex>", "sha384:<hex>" or "sha512:<hex>".
func ParseDigest(s string) (Digest, error) {
	algorithm, value, _ := strings.Cut(s, ":")
	size, ok := digestSizes[algorithm]
	if !ok {
		return Digest{}, errors.New("sha256:<hex>, sha384:<hex> or sha512:<hex> was expected")
	}
	raw, err := hex.DecodeString(value)
	if err != nil || len(raw) != size {
		return Digest{}, fmt.Errorf("a %s digest has %d hexadecimal digits", algorithm, 2*size)
	}
	return Digest{Algorithm: algorithm, Value: strings.ToLower(value)}, nil
}

var digestSizes = map[string]int{"sha256": sha256.Size, "sha384": sha512.Size384, "sha512": sha512.Size}

// Identity is who has to have signed a bundle, and from what. It names a Key, or
// a certificate's identity together with its issuer, or a source repository.
type Identity struct {
	Key     []byte // a public key in PEM: ECDSA, RSA or Ed25519; only nil is none
	KeyFile string // the name of its file, for messages; may be empty

	Certificate       string // the certificate's subject alternative name, exact
	CertificateRegexp string // or a pattern for the whole of it
	Issuer            string // the certificate's OIDC issuer, exact
	IssuerRegexp      string // or a pattern for the whole of it

	// SignerWorkflow is the workflow that signed, as [https://][host/]owner/name/path,
	// with @ref to pin that too.
	SignerWorkflow string
	PredicateType  string // of the statement, exact; empty demands nothing

	// Source is what the certificate has to say of the source.
	Source Expectation
}

// IdentityError says that an Identity names nobody, or two. The command exits
// with 2.
type IdentityError struct {
	Err  error
	Hint string
}

// Error says what is wrong.
func (e *IdentityError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *IdentityError) Unwrap() error { return e.Err }

const hintKey = "name a public key in PEM: ECDSA on P-256, P-384 or P-521, RSA of 2048 to 4096 bits, or Ed25519, as openssl pkey -pubout writes it"

const hintIdentity = "name a key, or a certificate identity with its issuer, or a source repository"

// identity is an Identity that can be compared.
type identity struct {
	Identity

	key          crypto.PublicKey
	certificate  *regexp.Regexp
	issuer       *regexp.Regexp
	certificates bool // names a certificate in some way
}

func (id Identity) parse() (*identity, error) {
	fail := func(err error) (*identity, error) { return nil, &IdentityError{Err: err, Hint: hintIdentity} }
	p := &identity{Identity: id}
	named := id.Certificate != "" || id.CertificateRegexp != ""
	issued := id.Issuer != "" || id.IssuerRegexp != ""
	source := id.Source
	source.From = ""
	// An empty key was named all the same: to take it for none would drop a demand.
	keyed := id.Key != nil
	p.certificates = named || issued || id.SignerWorkflow != "" || source != Expectation{}
	switch {
	case keyed && p.certificates:
		return fail(errors.New("a key has neither a certificate identity nor a source"))
	case !keyed && named && !issued:
		return fail(errors.New("a certificate identity needs its issuer: anybody's issuer can certify any name"))
	case !keyed && !named && id.Source.Repo == "":
		return fail(errors.New("nobody is named who has to have signed"))
	}
	var err error
	if keyed {
		if p.key, err = parseKey(id.Key); err != nil {
			return nil, &IdentityError{Err: fmt.Errorf("%s: no public key: %w", cmp.Or(id.KeyFile, "the key"), err), Hint: hintKey}
		}
	}
	if p.certificate, err = whole(id.CertificateRegexp); err != nil {
		return fail(fmt.Errorf("the pattern of the certificate identity: %w", err))
	}
	if p.issuer, err = whole(id.IssuerRegexp); err != nil {
		return fail(fmt.Errorf("the pattern of the issuer: %w", err))
	}
	if id.Source.Repo != "" {
		if err := CheckExpected(id.Source.Repo); err != nil {
			return nil, &IdentityError{Err: fmt.Errorf("the source repository: %w", err), Hint: "write it as https://host/owner/name"}
		}
	}
	return p, nil
}

// whole compiles a pattern that has to match a whole text: one that may match a
// part of it lets anybody in who can choose the rest.
func whole(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	// Alone first, so that a parenthesis cannot close the group around it.
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

func parseKey(data []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, errors.New("a block in PEM, -----BEGIN PUBLIC KEY-----, was expected")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("something follows the first PEM block")
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("the PEM block is a %q that cannot be read as one", clip(block.Type))
	}
	return key, trust.CheckKey(key)
}

// Artifact judges sigstore bundles of any kind (a message signature or a DSSE
// envelope, versions 0.1 to 0.3) for a file or digest. One of the bundles, or of
// those that have the predicate type which is demanded, has to hold: the result is that of the first that does, else of the one that came
// nearest, and names it in Evidence. Errors are an [*IdentityError], or the
// error with which the artifact could not be read.
func (v *Verifier) Artifact(a Artifact, bundles []Attestation, id Identity) (Result, error) {
	who, err := id.parse()
	if err != nil {
		return Result{}, err
	}
	digests, err := a.Digests()
	if err != nil {
		return Result{}, err
	}
	s := Subject{Name: a.Name, Digests: digests, DigestFrom: "argument"}
	if a.Open != nil {
		s.DigestFrom = "file"
	}
	if len(bundles) == 0 {
		r := &verdict{Result: newResult(s, id.Source)}
		return r.end(Absent, "there are no attestations for it", "give its bundle with --bundle"), nil
	}
	if len(bundles) > MaxArtifactBundles {
		r := &verdict{Result: newResult(s, id.Source)}
		return r.end(Unavailable, fmt.Sprintf("there are %d bundles, and no more than %d are tried", len(bundles), MaxArtifactBundles), "give only the bundles of this file with --bundle"), nil
	}
	bundles = ofType(bundles, id.PredicateType)
	var nearest Result
	for i, b := range bundles {
		r := v.artifact(a, s, b, who)
		r.Evidence = clip(b.From)
		if r.State == Verified {
			return r, nil
		}
		if i == 0 || nearest.State == Invalid && r.State == Mismatch {
			nearest = r
		}
	}
	if n := len(bundles); n > 1 {
		nearest.Reason = clip(fmt.Sprintf("none of %d bundles holds; the nearest is %s: %s", n, nearest.Evidence, nearest.Reason))
	}
	return nearest, nil
}

// ofType returns the bundles whose statements are of a predicate type, or all
// where none is: then the check of the type says so. It only chooses: what holds
// is verified afterwards.
func ofType(bundles []Attestation, predicateType string) []Attestation {
	if predicateType == "" || len(bundles) < 2 {
		return bundles
	}
	var out []Attestation
	for _, b := range bundles {
		o, err := b.open()
		if err != nil || o.types.predicate != predicateType {
			continue
		}
		b.ready = &ready{}
		b.ready.first.Store(o) // so that it is parsed once
		out = append(out, b)
	}
	if len(out) == 0 {
		return bundles
	}
	return out
}

// Digests returns the file's digests in every algorithm that bundles use, from
// one pass over its bytes.
func (a Artifact) Digests() ([]Digest, error) {
	if a.Open == nil {
		d, err := ParseDigest(a.Digest.Algorithm + ":" + a.Digest.Value)
		return []Digest{d}, err
	}
	f, err := a.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	algorithms := []string{"sha256", "sha384", "sha512"}
	hashes := []hash.Hash{sha256.New(), sha512.New384(), sha512.New()}
	if _, err := io.Copy(io.MultiWriter(hashes[0], hashes[1], hashes[2]), f); err != nil {
		return nil, err
	}
	var out []Digest
	for i, h := range hashes {
		out = append(out, Digest{Algorithm: algorithms[i], Value: hex.EncodeToString(h.Sum(nil))})
	}
	return out, nil
}

func (v *Verifier) artifact(a Artifact, s Subject, b Attestation, who *identity) Result {
	r := &verdict{Result: newResult(s, who.Source), skip: v.skip}
	o, err := v.open(b)
	if err != nil {
		r.hold(check{name: checkReadable, actual: oneLine(err), what: "the bundle cannot be read", hint: "give the sigstore bundle that was made for this file"})
		return r.refuse()
	}
	if b.ClaimedType != "" {
		r.hold(check{name: checkClaimedType, ok: b.ClaimedType == o.types.predicate, expected: o.types.predicate, actual: b.ClaimedType, what: "the type that the answer gives the bundle", note: "the signed one counts"})
	}
	result, ok := v.verifyArtifact(r, o, a, s.Digests, who)
	if !ok {
		return r.refuse()
	}
	seen := result.witness(o)
	r.LogIndex, r.Integrated = seen.index, seen.at
	if want := who.PredicateType; want != "" {
		r.hold(check{name: checkPredicateType, ok: o.types.predicate == want, expected: want, actual: o.types.predicate, what: "the signed predicate type", hint: "give the bundle of that type"})
	}
	if who.key != nil {
		return r.conclude(true)
	}
	r.compareIdentity(o, r.certify(o, result.certificate()), who)
	return r.conclude(true)
}

// compareIdentity compares who signed, and from what, with who should have.
func (v *verdict) compareIdentity(o *opened, c certified, who *identity) {
	v.fill(c)
	const what, hint = "the certificate's identity", "if that signer is right, name it; if you do not know it, do not use the file"
	if who.Certificate != "" {
		v.demand(check{name: checkIdentity, ok: c.signer == who.Certificate, expected: who.Certificate, actual: c.signer, what: what, hint: hint})
	}
	if who.certificate != nil {
		v.demand(check{name: checkIdentity, ok: who.certificate.MatchString(c.signer), expected: who.CertificateRegexp, actual: c.signer, what: what, hint: hint})
	}
	if who.Issuer != "" {
		v.demand(check{name: checkIssuer, ok: c.issuer == who.Issuer, expected: who.Issuer, actual: c.issuer, what: "the certificate's issuer", hint: hint})
	}
	if who.issuer != nil {
		v.demand(check{name: checkIssuer, ok: who.issuer.MatchString(c.issuer), expected: who.IssuerRegexp, actual: c.issuer, what: "the certificate's issuer", hint: hint})
	}
	e := who.Source
	e.SignerWorkflow = cmp.Or(e.SignerWorkflow, who.SignerWorkflow)
	var builders []string
	if t := o.types.predicate; (t == typeSLSA02 || t == typeSLSA1) && who.asksForBuild() {
		claims := readPredicate(t, o.predicate)
		v.Builder = clip(claims.builder)
		builders = builderNames(t, claims, c)
		if c.repository != "" {
			v.agree(claims, c)
		}
	}
	if e.Repo != "" && e.Issuer == "" {
		e.Issuer = who.Issuer // the user names it once, for both
	}
	v.compare(e, c, builders)
}

// asksForBuild reports whether somebody wants to know where the artifact was
// built. Who names only a signer may have a provenance that this signer wrote of
// somebody else's build: that is its word, and nothing of it is believed or shown.
func (id *identity) asksForBuild() bool {
	source := id.Source
	source.From = ""
	provenance := id.PredicateType == typeSLSA02 || id.PredicateType == typeSLSA1
	return provenance || id.SignerWorkflow != "" || source != Expectation{}
}

// verifyArtifact verifies signature, log and time over the artifact.
func (v *Verifier) verifyArtifact(r *verdict, o *opened, a Artifact, digests []Digest, who *identity) (*verified, bool) {
	fail := func(actual string) (*verified, bool) {
		hint := "give the bundle that was made for this file, by the signer that is named"
		if o.keyed && who.key == nil {
			hint = "name the public key of its signer with --key"
		}
		if !o.keyed && !slices.ContainsFunc(v.roots, o.issuedBy) {
			hint = "its certificate is of a sigstore instance that the trusted root does not name: if you trust it, give its own with --trusted-root (GitHub's for private repositories: `countermark trust update --instance github --output FILE`)"
		}
		r.hold(check{name: checkSigned, actual: actual, what: "the bundle does not verify", hint: hint})
		return nil, false
	}
	if o.statement != nil && o.signatures != 1 && !v.skip[demandOne] {
		return fail(fmt.Sprintf("it has %d signatures, not 1", o.signatures))
	}
	d, err := o.bindable(digests)
	if err != nil && !v.skip[demandSubject] {
		return fail(oneLine(err))
	}
	raw, err := hex.DecodeString(d.Value)
	if err != nil {
		return fail(oneLine(err))
	}
	policy := verify.WithArtifactDigest(d.Algorithm, raw)
	if who.key == nil {
		if o.keyed && !v.skip[demandKind] {
			return fail("it is signed with a key, and no key is given")
		}
		// Who signed is compared afterwards, check by check.
		result, err := v.verifyWith(o, v.roots, false, policy, verify.WithoutIdentitiesUnsafe())
		if err != nil {
			return fail(oneLine(err))
		}
		r.hold(check{name: checkSigned, ok: true, actual: d.Algorithm})
		return result, true
	}
	result, err := v.verifyKeyed(o, a, policy, who.key)
	if err != nil {
		return fail(oneLine(err))
	}
	r.hold(check{name: checkSigned, ok: true, actual: d.Algorithm})
	return result, true
}

// bindable returns the digest over which the bundle can be verified: that of a
// message signature's own algorithm, or the strongest that a subject names. A
// statement may have several subjects: the artifact is one of them.
func (o *opened) bindable(digests []Digest) (Digest, error) {
	if o.statement == nil {
		claimed := o.bundle.GetMessageSignature().GetMessageDigest()
		for _, d := range digests {
			if d.Algorithm != messageAlgorithms[claimed.GetAlgorithm()] {
				continue
			}
			if d.Value != hex.EncodeToString(claimed.GetDigest()) {
				return Digest{}, fmt.Errorf("it is for %s:%x, not for this file", d.Algorithm, claimed.GetDigest())
			}
			return d, nil
		}
		return Digest{}, fmt.Errorf("it is for a digest of the kind %s, which is not the one given", claimed.GetAlgorithm())
	}
	for _, algorithm := range []string{"sha512", "sha384", "sha256"} {
		have := digest(digests, algorithm)
		for _, s := range o.subjects {
			if have != "" && s.digestOf(algorithm) == have {
				return Digest{Algorithm: algorithm, Value: have}, nil
			}
		}
	}
	return Digest{}, errors.New("none of its subjects is this file")
}

var messageAlgorithms = map[protocommon.HashAlgorithm]string{
	protocommon.HashAlgorithm_SHA2_256: "sha256",
	protocommon.HashAlgorithm_SHA2_384: "sha384",
	protocommon.HashAlgorithm_SHA2_512: "sha512",
}

// verifyKeyed verifies a bundle with the user's key. The key has no validity of
// its own, so no time is demanded; a time that the bundle does carry must hold.
func (v *Verifier) verifyKeyed(o *opened, a Artifact, policy verify.ArtifactPolicyOption, key crypto.PublicKey) (*verified, error) {
	if !o.keyed && !v.skip[demandKind] {
		return nil, errors.New("it is signed with a certificate, not with a key")
	}
	verifiers, err := o.keyVerifiers(key)
	if err != nil {
		return nil, err
	}
	var first error
	for _, verifier := range verifiers {
		result, err := v.verifyKey(o, a, policy, verifier)
		if err == nil {
			return result, nil
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

func (v *Verifier) verifyKey(o *opened, a Artifact, artifact verify.ArtifactPolicyOption, key signature.Verifier) (*verified, error) {
	roots := withKeys(v.roots, root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(key, time.Time{}, time.Time{}), nil
	}))
	// Plain Ed25519 signs the message itself, not its digest.
	if _, plain := key.(*signature.ED25519Verifier); !plain || o.statement != nil || a.Open == nil {
		return v.verifyWith(o, roots, !o.promised, artifact, verify.WithKey())
	}
	var nearest error
	for _, i := range o.nearest(roots) {
		f, err := a.Open() // each root reads it anew
		if err != nil {
			return nil, err
		}
		result, err := v.verifyWith(o, roots[i:i+1], !o.promised, verify.WithArtifact(f), verify.WithKey())
		_ = f.Close() // it was only read from
		if err == nil {
			return result, nil
		}
		nearest = cmp.Or(nearest, err)
	}
	return nil, cmp.Or(nearest, errNoRoot)
}

// keyVerifiers returns the ways in which a key of that type signs: sigstore's
// default first, then what older clients did, as far as the bundle's own digest
// allows it.
func (o *opened) keyVerifiers(key crypto.PublicKey) ([]signature.Verifier, error) {
	standard, err := signature.LoadDefaultVerifier(key)
	if err != nil {
		return nil, err
	}
	list := []signature.Verifier{standard}
	switch k := key.(type) {
	case ed25519.PublicKey:
		if o.statement != nil {
			return list, nil
		}
		prehashed, err := signature.LoadDefaultVerifier(k, options.WithED25519ph())
		return append(list, prehashed), err
	case *ecdsa.PublicKey:
		// Old clients hashed with SHA-256 whatever the curve.
		if k.Params().BitSize > 256 {
			old, err := signature.LoadECDSAVerifier(k, crypto.SHA256)
			return append(list, old), err
		}
	}
	return list, nil
}
