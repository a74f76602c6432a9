package provenance

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
)

// believing trusts our instance and the others beside it.
func believing(t testing.TB, others ...*provenancetest.Sigstore) *trust.Material {
	t.Helper()
	var roots, keys []map[string]any
	for _, s := range append([]*provenancetest.Sigstore{ours(t).Sigstore}, others...) {
		roots = append(roots, decoded(must(s.TrustedRoot())))
		keys = append(keys, decoded(must(s.NPMKeys())))
	}
	return materialOf(union(roots), union(keys))
}

func materialOf(rootTree, keysTree map[string]any) *trust.Material {
	return &trust.Material{
		Root: must(trust.LoadRoot(must(json.Marshal(rootTree)), "root")),
		Keys: must(trust.LoadNPMKeys(must(json.Marshal(keysTree)), "keys")),
	}
}

func decoded(data []byte) map[string]any {
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		panic(err)
	}
	return tree
}

// union joins the lists of documents, each element once.
func union(trees []map[string]any) map[string]any {
	out := trees[0]
	for _, tree := range trees[1:] {
		for name, v := range tree {
			list, ok := v.([]any)
			if !ok {
				continue
			}
			have := as[[]any](out[name])
			for _, x := range list {
				if !slices.ContainsFunc(have, func(y any) bool { return string(must(json.Marshal(x))) == string(must(json.Marshal(y))) }) {
					have = append(have, x)
				}
			}
			out[name] = have
		}
	}
	return out
}

// rooted trusts our instance as a trusted root says that was changed.
func rooted(change func(tree map[string]any)) func(testing.TB) *trust.Material {
	return func(t testing.TB) *trust.Material {
		t.Helper()
		tree := decoded(must(ours(t).TrustedRoot()))
		change(tree)
		return materialOf(tree, decoded(must(ours(t).NPMKeys())))
	}
}

// closed ends the validity of all of a trusted root's list a month before
// anything was signed.
func closed(list string) func(testing.TB) *trust.Material {
	return windowed(list, "end", provenancetest.Now.AddDate(0, -1, 0))
}

// unopened begins it a month later.
func unopened(list string) func(testing.TB) *trust.Material {
	return windowed(list, "start", provenancetest.Now.AddDate(0, 1, 0))
}

func windowed(list, edge string, at time.Time) func(testing.TB) *trust.Material {
	return rooted(func(tree map[string]any) {
		for _, x := range as[[]any](tree[list]) {
			part := as[map[string]any](x)
			if key, ok := part["publicKey"].(map[string]any); ok {
				part = key
			}
			as[map[string]any](part["validFor"])[edge] = at
		}
	})
}

// timeless trusts certificates and keys at any time.
func timeless(t testing.TB) *trust.Material {
	t.Helper()
	keys := decoded(must(ours(t).NPMKeys()))
	for _, k := range as[[]any](keys["keys"]) {
		delete(as[map[string]any](as[map[string]any](k)["publicKey"]), "validFor")
	}
	m := materialOf(decoded(must(ours(t).TrustedRoot())), keys)
	first := m.Root.Instances[0]
	first.TrustedMaterial = undated{first.TrustedMaterial}
	return m
}

// undated are certificate authorities that do not look at the time.
type undated struct{ root.TrustedMaterial }

func (u undated) FulcioCertificateAuthorities() []root.CertificateAuthority {
	var out []root.CertificateAuthority
	for _, ca := range u.TrustedMaterial.FulcioCertificateAuthorities() {
		out = append(out, undatedAuthority{ca})
	}
	return out
}

type undatedAuthority struct{ root.CertificateAuthority }

func (u undatedAuthority) Verify(cert *x509.Certificate, _ time.Time) ([][]*x509.Certificate, error) {
	return u.CertificateAuthority.Verify(cert, cert.NotBefore)
}

// provenanceBy signs the honest set, but its provenance as the signer is changed
// to, and its bundle as changed after that.
func provenanceBy(sign func(as *provenancetest.Signer), change func(tree map[string]any)) func(testing.TB) Set {
	return func(t testing.TB) Set {
		t.Helper()
		return provenanceOf(t, ours(t).Sigstore, sign, change)
	}
}

func provenanceOf(t testing.TB, s *provenancetest.Sigstore, sign func(as *provenancetest.Signer), change func(tree map[string]any)) Set {
	t.Helper()
	b := honest()
	as := b.Identity()
	if sign != nil {
		sign(&as)
	}
	bundle := must(s.Sign(must(b.ProvenanceStatement()), as))
	if change != nil {
		bundle = alter(bundle, change)
	}
	// Its time is known without the log, too.
	publisher := provenancetest.Signer{Key: true}
	stamped(&publisher)
	return setOf(t, must(ours(t).Sign(must(b.PublishStatement()), publisher)), bundle)
}

// unpromised is the honest set with a publish attestation without its log's
// promise.
func unpromised(sign func(as *provenancetest.Signer), change func(tree map[string]any)) func(testing.TB) Set {
	return func(t testing.TB) Set {
		t.Helper()
		as := provenancetest.Signer{Key: true, NoPromise: true}
		if sign != nil {
			sign(&as)
		}
		publish := must(ours(t).Sign(must(honest().PublishStatement()), as))
		if change != nil {
			publish = alter(publish, change)
		}
		return setOf(t, publish, must(ours(t).Provenance(honest())))
	}
}

// impostors are strangers who have everything of our instance but the keys of
// one part; each is made once.
var impostors = map[provenancetest.Part]*provenancetest.Sigstore{}

func impostor(t testing.TB, part provenancetest.Part) *provenancetest.Sigstore {
	t.Helper()
	if impostors[part] == nil {
		impostors[part] = must(ours(t).Impostor(part))
	}
	return impostors[part]
}

// stamped lets the timestamp authority sign the honest time as well, so that the
// log is not the only one who knows it.
func stamped(as *provenancetest.Signer) { as.Timestamps = []time.Time{provenancetest.Now} }

func entries(tree map[string]any, change func(list []any) []any) {
	material := as[map[string]any](tree["verificationMaterial"])
	material["tlogEntries"] = change(as[[]any](material["tlogEntries"]))
}

func stamps(tree map[string]any, change func(list []any) []any) {
	data := as[map[string]any](as[map[string]any](tree["verificationMaterial"])["timestampVerificationData"])
	data["rfc3161Timestamps"] = change(as[[]any](data["rfc3161Timestamps"]))
}

// otherRelease is another genuine bundle of the same project.
func otherRelease(t testing.TB) map[string]any {
	t.Helper()
	b := honest()
	b.Ref = "refs/tags/v1.2.4"
	as := b.Identity()
	stamped(&as)
	return decoded(must(ours(t).Sign(must(b.ProvenanceStatement()), as)))
}

// bitOf changes a bit in the middle of a base64 text.
func bitOf(text any) string {
	raw := must(base64.StdEncoding.DecodeString(as[string](text)))
	raw[len(raw)/2] ^= 1
	return base64.StdEncoding.EncodeToString(raw)
}

// bundleAttacks are those on the log, the times, the certificates and the keys.
func bundleAttacks() []attack {
	log, whole := []string{demandLog}, []string{demandWhole}
	byTrust := []string{trusted}
	proof := func(tree map[string]any) map[string]any { return as[map[string]any](logged(tree)["inclusionProof"]) }
	list := []attack{
		// The log's entry. A timestamp stands beside it, so that only the log can
		// refuse what is wrong with it.
		{name: "log entry missing", off: log, set: provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.NoEntry }, nil)},
		{name: "log entry of another bundle", off: log, set: func(t testing.TB) Set {
			return provenanceBy(stamped, func(tree map[string]any) {
				entries(tree, func([]any) []any { return []any{logged(otherRelease(t))} })
			})(t)
		}},
		{name: "log entry twice", off: log, set: provenanceBy(stamped, func(tree map[string]any) {
			entries(tree, func(list []any) []any { return append(list, list[0]) })
		})},
		{name: "log entry of another bundle beside the right one", off: log, set: func(t testing.TB) Set {
			return provenanceBy(stamped, func(tree map[string]any) {
				entries(tree, func(list []any) []any {
					second := logged(otherRelease(t))
					second["logIndex"] = "2"
					delete(second, "inclusionPromise")
					delete(second, "integratedTime")
					return append(list, second)
				})
			})(t)
		}},
		{name: "log entry of an unknown log beside the right one", off: whole, set: provenanceBy(stamped, func(tree map[string]any) {
			entries(tree, func(list []any) []any {
				second := logged(decoded(must(json.Marshal(tree))))
				second["logId"] = map[string]any{"keyId": "AAAA"}
				return append(list, second)
			})
		})},
		{name: "integratedTime shifted", off: log, set: provenanceBy(stamped, func(tree map[string]any) { logged(tree)["integratedTime"] = "1768478401" })},
		{name: "log index changed", off: log, set: provenanceBy(stamped, func(tree map[string]any) { logged(tree)["logIndex"] = "1002" })},
		{name: "promise forged", off: log, set: provenanceBy(stamped, func(tree map[string]any) {
			promise := as[map[string]any](logged(tree)["inclusionPromise"])
			promise["signedEntryTimestamp"] = bitOf(promise["signedEntryTimestamp"])
		})},
		{name: "promise removed, the time left", off: whole, set: provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.NoPromise = true }, nil)},
		{name: "promise and time removed", off: []string{demandTime, trusted}, duped: timeless, set: provenanceBy(func(as *provenancetest.Signer) { as.NoPromise = true }, func(tree map[string]any) {
			delete(logged(tree), "integratedTime")
		})},
		{name: "promise removed from the publish attestation, the time left", check: checkPublishSigned, off: whole, set: unpromised(stamped, nil)},
		{name: "promise and time removed from the publish attestation", check: checkPublishSigned, off: []string{demandTime, trusted}, duped: timeless, set: unpromised(nil, func(tree map[string]any) {
			delete(logged(tree), "integratedTime")
		})},
		{name: "promise removed, as if of version 0.1", check: checkReadable, nothing: true, then: checkProvenanceCount, set: provenanceBy(func(as *provenancetest.Signer) { as.Version, as.NoPromise = "0.1", true }, nil)},
		{name: "proof removed", check: checkReadable, nothing: true, then: checkProvenanceCount, set: provenanceBy(func(as *provenancetest.Signer) { as.NoProof = true }, nil)},
		{name: "proof of another entry", off: log, set: provenanceBy(stamped, func(tree map[string]any) { proof(tree)["logIndex"] = "0" })},
		{name: "proof's path changed", off: log, set: provenanceBy(stamped, func(tree map[string]any) {
			proof(tree)["hashes"] = []any{bitOf(as[[]any](proof(tree)["hashes"])[0])}
		})},
		{name: "proof's root changed", off: []string{demandLog, demandWhole}, set: provenanceBy(stamped, func(tree map[string]any) { proof(tree)["rootHash"] = bitOf(proof(tree)["rootHash"]) })},
		{name: "checkpoint's signature forged", off: log, set: provenanceBy(stamped, func(tree map[string]any) {
			checkpoint := as[map[string]any](proof(tree)["checkpoint"])
			text, sig, _ := strings.Cut(as[string](checkpoint["envelope"]), "— rekor.example ")
			checkpoint["envelope"] = text + "— rekor.example " + bitOf(strings.TrimSpace(sig)) + "\n"
		})},
		{name: "entry named of another kind", off: whole, set: provenanceBy(stamped, func(tree map[string]any) {
			as[map[string]any](logged(tree)["kindVersion"])["version"] = "0.0.2"
		})},
		{name: "log claims the trusted one's id", off: log, set: func(t testing.TB) Set {
			genuine := logged(otherRelease(t))["logId"]
			return provenanceOf(t, impostor(t, provenancetest.Log), stamped, func(tree map[string]any) { logged(tree)["logId"] = genuine })
		}},
		{name: "log's key is over", check: checkPublishSigned, off: byTrust, root: closed("tlogs"), duped: believed},
		{name: "log's key is not yet in use", check: checkPublishSigned, off: byTrust, root: unopened("tlogs"), duped: believed},
		{name: "Rekor v2: entry of another bundle", off: []string{demandLog}, set: func(t testing.TB) Set {
			record2 := func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.Record2 }
			other := provenanceOf(t, ours(t).Sigstore, record2, nil).Attestations[1].Bundle
			return provenanceBy(record2, func(tree map[string]any) {
				entries(tree, func([]any) []any { return []any{logged(decoded(other))} })
			})(t)
		}},
		{name: "Rekor v2: body is not what was proven", off: whole, set: provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.Record2 }, func(tree map[string]any) {
			logged(tree)["canonicalizedBody"] = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(must(base64.StdEncoding.DecodeString(as[string](logged(tree)["canonicalizedBody"])))), `"apiVersion"`, ` "apiVersion"`, 1)))
		})},
		{name: "Rekor v2: a time that nobody signed", off: whole, set: provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.Record2 }, func(tree map[string]any) {
			logged(tree)["integratedTime"] = "1768478401"
		})},

		// The certificate.
		{name: "certificate log's promise for another certificate", off: []string{demandPromise}, set: provenanceBy(func(as *provenancetest.Signer) { as.OtherSCT = true }, nil)},
		{name: "certificate log's key is over", off: byTrust, root: closed("ctlogs"), duped: believed},
		{name: "certificate log's key is not yet in use", off: byTrust, root: unopened("ctlogs"), duped: believed},
		{name: "certificate log's key is over, its promise alone", off: []string{demandPromise}, root: closed("ctlogs")},
		{name: "certificate authority is not yet in use", off: byTrust, root: unopened("certificateAuthorities"), duped: believed},
		{name: "certificate authority is over", off: byTrust, root: closed("certificateAuthorities"), duped: believed},
		{name: "certificates of a stranger above the signer's", off: whole, set: func(t testing.TB) Set {
			return provenanceBy(func(as *provenancetest.Signer) { as.Version = "0.2" }, func(tree map[string]any) {
				chain := as[map[string]any](as[map[string]any](tree["verificationMaterial"])["x509CertificateChain"])
				list := as[[]any](chain["certificates"])
				list[1] = map[string]any{"rawBytes": impostor(t, provenancetest.Fulcio).Authorities()[0]}
			})(t)
		}},

		// The timestamps.
		{name: "timestamp after the certificate's end", off: byTrust, duped: timeless, set: provenanceBy(func(as *provenancetest.Signer) {
			as.Timestamps = []time.Time{provenancetest.Now.Add(time.Hour)}
		}, nil)},
		{name: "timestamp before the certificate's start, the log's time right", off: byTrust, duped: timeless, set: provenanceBy(func(as *provenancetest.Signer) {
			as.Timestamps = []time.Time{provenancetest.Now.Add(-time.Hour)}
		}, nil)},
		{name: "timestamp of another signature", off: []string{demandStamps}, set: func(t testing.TB) Set {
			return provenanceBy(stamped, func(tree map[string]any) {
				stamps(otherRelease(t), func(other []any) []any {
					stamps(tree, func([]any) []any { return other })
					return other
				})
			})(t)
		}},
		{name: "timestamp of another signature beside the right one", off: []string{demandStamps}, set: func(t testing.TB) Set {
			return provenanceBy(stamped, func(tree map[string]any) {
				stamps(otherRelease(t), func(other []any) []any {
					stamps(tree, func(list []any) []any { return append(list, other...) })
					return other
				})
			})(t)
		}},
		{name: "timestamp twice", off: []string{demandStamps}, set: provenanceBy(func(as *provenancetest.Signer) { as.Timestamps = []time.Time{provenancetest.Now, provenancetest.Now} }, nil)},
		{name: "timestamp authority is over", check: checkPublishSigned, off: byTrust, root: closed("timestampAuthorities"), duped: believed, set: provenanceBy(stamped, nil)},
		{name: "timestamp's bits are no timestamp", off: []string{demandStamps}, set: provenanceBy(stamped, func(tree map[string]any) {
			stamps(tree, func([]any) []any { return []any{map[string]any{"signedTimestamp": "AAAA"}} })
		})},

		// The keys.
		{name: "publish attestation by a stranger's key", check: checkPublishKey, off: byTrust, set: func(t testing.TB) Set {
			return setOf(t, must(impostor(t, provenancetest.NPM).Publish(honest())), must(ours(t).Provenance(honest())))
		}, duped: func(t testing.TB) *trust.Material { t.Helper(); return believing(t, impostor(t, provenancetest.NPM)) }},
		{name: "key hint swapped for the same key's other name", check: checkPublishKey, root: aliased, set: func(t testing.TB) Set {
			b := honest()
			return setOf(t, must(ours(t).Sign(must(b.PublishStatement()), provenancetest.Signer{Key: true, Hint: "SHA256:alias"})), must(ours(t).Provenance(b)))
		}},
		{name: "signed twice", check: checkOneSignature, nothing: true, then: checkProvenanceSigned, set: func(t testing.TB) Set {
			set := signed(t, honest())
			set.Attestations[1].Bundle = twice(t, set.Attestations[1].Bundle)
			return set
		}},
		{name: "signature of another statement", check: checkProvenanceSigned, nothing: true, then: checkProvenanceSigned, off: []string{demandLog}, set: func(t testing.TB) Set {
			return provenanceBy(stamped, func(tree map[string]any) {
				as[map[string]any](tree["dsseEnvelope"])["signatures"] = as[map[string]any](otherRelease(t)["dsseEnvelope"])["signatures"]
			})(t)
		}},
	}
	for _, part := range []provenancetest.Part{provenancetest.Fulcio, provenancetest.CTLog, provenancetest.Log, provenancetest.Log2, provenancetest.Timestamp} {
		list = append(list, attack{
			name: "stranger's " + string(part), off: byTrust,
			set: func(t testing.TB) Set {
				return provenanceOf(t, impostor(t, part), func(as *provenancetest.Signer) {
					stamped(as)
					if part == provenancetest.Log2 {
						as.Entry = provenancetest.Record2
					}
				}, nil)
			},
			duped: func(t testing.TB) *trust.Material { t.Helper(); return believing(t, impostor(t, part)) },
		})
	}
	for i := range list {
		list[i].state = Invalid
		if list[i].check == "" {
			list[i].check = checkProvenanceSigned
		}
	}
	return list
}

// believed is our instance as it is.
func believed(t testing.TB) *trust.Material {
	t.Helper()
	return ours(t).material
}

// aliased names the registry's key twice.
func aliased(t testing.TB) *trust.Material {
	t.Helper()
	keys := decoded(must(ours(t).NPMKeys()))
	for _, k := range as[[]any](keys["keys"]) {
		second := decoded(must(json.Marshal(k)))
		second["keyId"] = "SHA256:alias"
		keys["keys"] = append(as[[]any](keys["keys"]), second)
	}
	return materialOf(decoded(must(ours(t).TrustedRoot())), keys)
}

// contradictions are predicates that say other than their certificates, field by
// field and in both versions of SLSA.
func contradictions() []attack {
	var list []attack
	for _, slsa02 := range []bool{false, true} {
		version := "v1"
		if slsa02 {
			version = "v0.2"
		}
		for _, c := range []struct {
			field  string
			off    []string
			change func(b *provenancetest.Build)
		}{
			{"repository", []string{checkClaimRepository, checkClaimRun}, func(b *provenancetest.Build) { b.Repository = "https://github.com/evil/tool" }},
			{"ref", []string{checkClaimRef}, func(b *provenancetest.Build) { b.Ref = "refs/tags/v9" }},
			{"commit", []string{checkClaimCommit}, func(b *provenancetest.Build) { b.Commit = strings.Repeat("1", 40) }},
			{"workflow", []string{checkClaimWorkflow}, func(b *provenancetest.Build) { b.Workflow = ".github/workflows/other.yml" }},
			{"trigger", []string{checkClaimTrigger}, func(b *provenancetest.Build) { b.Trigger = "pull_request_target" }},
			{"run", []string{checkClaimRun}, func(b *provenancetest.Build) { b.Run = "43" }},
			{"repository id", []string{checkClaimRepoID}, func(b *provenancetest.Build) { b.RepositoryID = "3" }},
			{"owner id", []string{checkClaimOwnerID}, func(b *provenancetest.Build) { b.OwnerID = "3" }},
			{"builder's runner", []string{checkClaimBuilder}, func(b *provenancetest.Build) { b.Builder = builderSelfHosted }},
			{"builder's workflow", []string{checkClaimBuilder}, func(b *provenancetest.Build) { b.Builder = reusableBuilder }},
		} {
			if slsa02 && c.field == "repository" {
				c.off = c.off[:1] // the run is compared without it
			}
			list = append(list, attack{
				name: "predicate " + version + " contradicts the certificate: " + c.field, state: Invalid, check: c.off[0], off: c.off,
				set: build(func(b *provenancetest.Build) { b.SLSA02, b.Claim = slsa02, c.change }),
			})
		}
	}
	return list
}

// TestArtifactAttacks does the same as TestAttacks for a bundle beside a file.
func TestArtifactAttacks(t *testing.T) {
	s := ours(t)
	content := []byte("a file\n")
	sum := sha256.Sum256(content)
	file := Artifact{Name: "f", Digest: Digest{"sha256", hex.EncodeToString(sum[:])}}
	tarball := Artifact{Name: "tool.tgz", Digest: Digest{"sha512", someSHA512}}
	statement := func(t testing.TB, sign func(as *provenancetest.Signer)) Attestation {
		t.Helper()
		return provenanceBy(sign, nil)(t).Attestations[1]
	}
	of := func(sign func(as *provenancetest.Signer)) func(t testing.TB) Attestation {
		return func(t testing.TB) Attestation { t.Helper(); return statement(t, sign) }
	}
	const issuer, san = IssuerGitHub, "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1.2.3"
	repo := Expectation{Repo: "https://github.com/acme/tool"}
	for _, a := range []struct {
		name   string
		a      Artifact
		bundle func(t testing.TB) Attestation
		id     Identity
		state  State
		off    []string // the first fails first
	}{
		{"not logged", tarball, of(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.NoEntry }), Identity{Source: repo}, Invalid, []string{demandLog}},
		{"not known to the certificate log", tarball, of(func(as *provenancetest.Signer) { as.NoSCT = true }), Identity{Source: repo}, Invalid, []string{demandPromise}},
		{"file not logged", file, func(t testing.TB) Attestation {
			t.Helper()
			as := honest().Identity()
			stamped(&as)
			as.Entry = provenancetest.NoEntry
			return Attestation{Bundle: must(s.SignFile(content, as))}
		}, Identity{Source: repo}, Invalid, []string{demandLog}},
		{"other signer", tarball, of(nil), Identity{Certificate: san + "4", Issuer: issuer}, Mismatch, []string{checkIdentity}},
		{"other signer's pattern", tarball, of(nil), Identity{CertificateRegexp: "https://github.com/evil/.*", Issuer: issuer}, Mismatch, []string{checkIdentity}},
		{"other issuer", tarball, of(nil), Identity{Certificate: san, Issuer: "https://token.example"}, Mismatch, []string{checkIssuer}},
		{"other repository", tarball, of(nil), Identity{Source: Expectation{Repo: "https://github.com/acme/other"}}, Mismatch, []string{checkRepository}},
		{"other commit", tarball, of(nil), Identity{Source: Expectation{Repo: repo.Repo, Digest: strings.Repeat("1", 40)}}, Mismatch, []string{checkCommit}},
		{"other signer workflow", tarball, of(nil), Identity{Source: repo, SignerWorkflow: "evil/ci/.github/workflows/release.yml"}, Mismatch, []string{checkSigner}},
		{"other predicate type", tarball, of(nil), Identity{Source: repo, PredicateType: typeSLSA02}, Invalid, []string{checkPredicateType}},
		{"type lies", tarball, func(t testing.TB) Attestation {
			t.Helper()
			b := statement(t, nil)
			b.ClaimedType = typePublish
			return b
		}, Identity{Source: repo}, Invalid, []string{checkClaimedType}},
		{"predicate contradicts the certificate", tarball, func(t testing.TB) Attestation {
			t.Helper()
			return claiming(func(b *provenancetest.Build) { b.Ref = "refs/tags/v9" })(t).Attestations[1]
		}, Identity{Source: repo}, Invalid, []string{checkClaimRef}},
	} {
		t.Run(a.name, func(t *testing.T) {
			bundle := []Attestation{a.bundle(t)}
			v := verifier(t, s.material)
			got := must(v.Artifact(a.a, bundle, a.id))
			want := a.off[0]
			if strings.Contains(want, "transparency") || strings.Contains(want, "signed-cert") {
				want = checkSigned
			}
			if got.State != a.state || firstFailed(got) != want {
				t.Errorf("got %s, failed %q (%s), want %s, %q", got.State, firstFailed(got), got.Reason, a.state, want)
			}
			v.skip = map[string]bool{}
			for _, name := range a.off {
				v.skip[name] = true
			}
			if got := must(v.Artifact(a.a, bundle, a.id)); got.State != Verified {
				t.Errorf("without %v: %s (%s)", a.off, got.State, got.Reason)
			}
		})
	}
}

// TestEveryCheckHasItsAttack: a check that no attack needs could be removed, and
// nobody would notice.
func TestEveryCheckHasItsAttack(t *testing.T) {
	needed := map[string]bool{
		// Shown by TestArtifactAttacks and TestRealProvenanceAsBundle.
		checkSigned: true, checkPredicateType: true, checkIdentity: true,
		// Records what is beside the set, and cannot fail.
		checkOther: true,
		// Record what became of several attestations, and decide nothing: see
		// TestImageRecords. checkFile is that of a release's file, in every case
		// of TestReleaseAttacks.
		checkOneHolds: true, checkComplete: true, checkFile: true,
		// Switched off by the tests of the registry's word and of certificates.
		checkRegistryIntegrity: true, checkRegistrySubject: true, checkRegistryPresent: true, checkRegistryKey: true,
		checkTarball: true, checkRegistrySigned: true, checkRegistryKeyTime: true, checkLost: true, checkCertificate: true,
	}
	for _, a := range slices.Concat(attacks(), contradictions(), bundleAttacks(), releaseAttacks(nil)) {
		needed[a.check] = true
		for _, name := range a.off {
			needed[name] = true
		}
	}
	named := 0
	for _, file := range []string{"checks.go", "verifier.go"} {
		tree := must(goparser.ParseFile(token.NewFileSet(), file, nil, 0))
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "check") && !strings.HasPrefix(spec.Names[0].Name, "demand") {
				return true
			}
			named++
			if value := strings.Trim(as[*ast.BasicLit](spec.Values[0]).Value, `"`); !needed[value] {
				t.Errorf("no attack needs the check %s (%s): add one to attacks()", spec.Names[0].Name, value)
			}
			return true
		})
	}
	if named < 40 {
		t.Errorf("only %d checks were found", named)
	}
}
