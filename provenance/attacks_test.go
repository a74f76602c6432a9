package provenance

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
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

// windowedLog begins or ends the validity of one log's key some months away.
func windowedLog(url, edge string, months int) func(testing.TB) *trust.Material {
	return rooted(func(tree map[string]any) {
		for _, x := range as[[]any](tree["tlogs"]) {
			if log := as[map[string]any](x); log["baseUrl"] == url {
				as[map[string]any](as[map[string]any](log["publicKey"])["validFor"])[edge] = provenancetest.Now.AddDate(0, months, 0)
			}
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
		{name: "promise removed, as if of version 0.1", check: checkReadable, off: []string{checkReadable, demandWhole}, set: provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.Version, as.NoPromise = "0.1", true }, nil)},
		{name: "proof removed", check: checkReadable, set: provenanceBy(func(as *provenancetest.Signer) { as.NoProof = true }, nil)},
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
		{name: "signed twice", check: checkOneSignature, off: []string{checkOneSignature, librarySignature}, set: func(t testing.TB) Set {
			set := signed(t, honest())
			set.Attestations[1].Bundle = twice(t, set.Attestations[1].Bundle)
			return set
		}},
		{name: "provenance's signature is by another key", note: "signature", off: []string{librarySignature}, set: provenanceBy(func(as *provenancetest.Signer) { as.Forged = true }, nil)},
		{name: "publish attestation's signature is by another key", check: checkPublishSigned, note: "signature", off: []string{librarySignature}, set: unpromised(func(as *provenancetest.Signer) { as.NoPromise, as.Forged = false, true }, nil)},
		{name: "log's key is over, and only a proof names it", check: checkProvenanceSigned, off: []string{demandLogTime}, root: windowedLog("https://rekor2.example", "end", -1), set: provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.Record2 }, nil)},
		{name: "log's key is not yet in use, and only a proof names it", off: []string{demandLogTime}, root: windowedLog("https://rekor2.example", "start", 1), set: provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.Record2 }, nil)},
		{name: "log's key is over, its promise taken away", off: []string{demandLogTime}, root: windowedLog("https://rekor.example", "end", -1), set: func(t testing.TB) Set {
			set := provenanceBy(func(as *provenancetest.Signer) { stamped(as); as.NoPromise = true }, func(tree map[string]any) { delete(logged(tree), "integratedTime") })(t)
			set.Attestations[0].Bundle = must(ours(t).Sign(must(honest().PublishStatement()), provenancetest.Signer{Key: true, Entry: provenancetest.Record2, Timestamps: []time.Time{provenancetest.Now}}))
			return set
		}},
		{name: "signature of another statement", off: []string{demandLog, librarySignature}, set: func(t testing.TB) Set {
			return provenanceBy(stamped, func(tree map[string]any) {
				other := otherRelease(t)
				as[map[string]any](tree["dsseEnvelope"])["signatures"] = as[map[string]any](other["dsseEnvelope"])["signatures"]
				stamps(other, func(list []any) []any {
					stamps(tree, func([]any) []any { return list })
					return list
				})
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

// contradicting are the fields in which predicate and certificate can differ.
var contradicting = []struct {
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
		for _, c := range contradicting {
			off := c.off
			if slsa02 && c.field == "repository" {
				off = off[:1] // the run is compared without it
			}
			list = append(list, attack{
				name: "predicate " + version + " contradicts the certificate: " + c.field, state: Invalid, check: off[0], off: off,
				set: build(func(b *provenancetest.Build) { b.SLSA02, b.Claim = slsa02, c.change }),
			})
		}
	}
	return list
}

// TestArtifactAttacks does the same as TestAttacks for a bundle beside a file.
func TestArtifactAttacks(t *testing.T) {
	for _, a := range artifactAttacks(t) {
		t.Run(a.name, func(t *testing.T) { a.run(t) })
	}
}

// artifactAttack is one way to deceive somebody who has a file or a digest.
type artifactAttack struct {
	name   string
	a      Artifact
	bundle func(t testing.TB) Attestation
	id     Identity
	state  State
	check  string   // the first that fails
	off    []string // that refuse it, each alone; nil for the check
	note   string   // part of the reason
	duped  func(t testing.TB) *trust.Material
}

func (a artifactAttack) run(t *testing.T) {
	t.Helper()
	bundle := []Attestation{a.bundle(t)}
	got := must(verifier(t, ours(t).material).Artifact(a.a, bundle, a.id))
	if got.State != a.state || firstFailed(got) != a.check || !strings.Contains(got.Reason, a.note) {
		t.Errorf("got %s, failed %q (%s), want %s, %q", got.State, firstFailed(got), got.Reason, a.state, a.check)
	}
	if a.off == nil {
		a.off = []string{a.check}
	}
	decides(t, a.off, func(off []string) Result {
		m := ours(t).material
		if slices.Contains(off, trusted) {
			m = a.duped(t)
		}
		return must(blinded(t, m, off).Artifact(a.a, bundle, a.id))
	})
}

func artifactAttacks(t testing.TB) []artifactAttack {
	t.Helper()
	s := ours(t)
	content := []byte("a file\n")
	sum := sha256.Sum256(content)
	file := Artifact{Name: "f", Digest: Digest{"sha256", hex.EncodeToString(sum[:])}}
	tarball := Artifact{Name: "tool.tgz", Digest: Digest{"sha512", someSHA512}}
	other := Artifact{Name: "other.tgz", Digest: Digest{"sha512", strings.Repeat("bb", 64)}}
	statement := func(t testing.TB, sign func(as *provenancetest.Signer)) Attestation {
		t.Helper()
		return provenanceBy(sign, nil)(t).Attestations[1]
	}
	of := func(sign func(as *provenancetest.Signer)) func(t testing.TB) Attestation {
		return func(t testing.TB) Attestation { t.Helper(); return statement(t, sign) }
	}
	byKey := func(as *provenancetest.Signer) { *as = provenancetest.Signer{Key: true} }
	ofFile := func(sign func(as *provenancetest.Signer)) func(t testing.TB) Attestation {
		return func(t testing.TB) Attestation {
			t.Helper()
			as := honest().Identity()
			if sign != nil {
				sign(&as)
			}
			return Attestation{Bundle: must(s.SignFile(content, as))}
		}
	}
	const issuer, san = IssuerGitHub, "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1.2.3"
	repo := Expectation{Repo: "https://github.com/acme/tool"}
	key := Identity{Key: must(s.PublicKey())}
	strangersKey := Identity{Key: must(impostor(t, provenancetest.NPM).PublicKey())}
	list := []artifactAttack{
		// The bundle.
		{name: "of another file", a: other, bundle: of(nil), id: Identity{Source: repo}, off: []string{demandSubject, librarySignature}},
		{name: "signature of another file", a: Artifact{Name: "g", Digest: Digest{"sha256", strings.Repeat("bb", 32)}}, bundle: ofFile(nil), id: Identity{Source: repo}, off: []string{demandSubject, librarySignature}},
		{name: "of another file, by the key", a: other, bundle: of(byKey), id: key, off: []string{demandSubject, librarySignature}},
		{name: "signed twice", a: tarball, id: Identity{Source: repo}, off: []string{demandOne, librarySignature}, bundle: func(t testing.TB) Attestation {
			t.Helper()
			return Attestation{Bundle: twice(t, statement(t, nil).Bundle)}
		}},
		{name: "statement that can be read in two ways", a: tarball, id: Identity{Source: repo}, check: checkReadable, bundle: func(t testing.TB) Attestation {
			t.Helper()
			return statements(nil, swap(`"ref":`, `"ref":"refs/heads/x","ref":`))(t).Attestations[1]
		}},
		{name: "signature is by another key", a: tarball, bundle: of(func(as *provenancetest.Signer) { as.Forged = true }), id: Identity{Source: repo}, off: []string{librarySignature}},
		{name: "file's signature is by another key", a: file, bundle: ofFile(func(as *provenancetest.Signer) { stamped(as); as.Entry, as.Forged = provenancetest.Record2, true }), id: Identity{Source: repo}, off: []string{librarySignature}},
		{name: "stranger's certificate authority", a: tarball, id: Identity{Source: repo}, off: []string{trusted}, bundle: func(t testing.TB) Attestation {
			t.Helper()
			return provenanceOf(t, impostor(t, provenancetest.Fulcio), nil, nil).Attestations[1]
		}, duped: func(t testing.TB) *trust.Material {
			t.Helper()
			return believing(t, impostor(t, provenancetest.Fulcio))
		}},
		{name: "not logged", a: tarball, bundle: of(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.NoEntry }), id: Identity{Source: repo}, off: []string{demandLog}},
		{name: "not known to the certificate log", a: tarball, bundle: of(func(as *provenancetest.Signer) { as.NoSCT = true }), id: Identity{Source: repo}, off: []string{demandPromise}},
		{name: "file not logged", a: file, bundle: ofFile(func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.NoEntry }), id: Identity{Source: repo}, off: []string{demandLog}},
		{name: "a key where a certificate is expected", a: tarball, bundle: of(byKey), id: Identity{Certificate: san, Issuer: issuer}, off: []string{demandKind, library, checkCertificate, checkIdentity, checkIssuer}},
		{name: "a certificate where a key is expected", a: tarball, bundle: of(nil), id: key, off: []string{demandKind, library}},
		{name: "another key than the expected", a: tarball, bundle: of(byKey), id: strangersKey, off: []string{library}},
		{name: "certificate says two refs", a: tarball, bundle: of(func(as *provenancetest.Signer) { as.Extensions.GithubWorkflowRef = "refs/heads/other" }), id: Identity{Source: repo}, check: checkCertificate},
		{name: "type lies", a: tarball, id: Identity{Source: repo}, check: checkClaimedType, bundle: func(t testing.TB) Attestation {
			t.Helper()
			b := statement(t, nil)
			b.ClaimedType = typePublish
			return b
		}},
		{name: "other predicate type", a: tarball, bundle: of(nil), id: Identity{Source: repo, PredicateType: typeSLSA02}, check: checkPredicateType},
		{name: "predicate contradicts the certificate", a: tarball, id: Identity{Source: repo}, check: checkClaimRef, bundle: func(t testing.TB) Attestation {
			t.Helper()
			return claiming(func(b *provenancetest.Build) { b.Ref = "refs/tags/v9" })(t).Attestations[1]
		}},

		// Genuine, but not what is expected.
		{name: "other signer", a: tarball, bundle: of(nil), id: Identity{Certificate: san + "4", Issuer: issuer}, state: Mismatch, check: checkIdentity},
		{name: "other signer's pattern", a: tarball, bundle: of(nil), id: Identity{CertificateRegexp: "https://github.com/evil/.*", Issuer: issuer}, state: Mismatch, check: checkIdentity},
		{name: "other issuer", a: tarball, bundle: of(nil), id: Identity{Certificate: san, Issuer: "https://token.example"}, state: Mismatch, check: checkIssuer},
		{name: "other issuer's pattern", a: tarball, bundle: of(nil), id: Identity{Certificate: san, IssuerRegexp: "https://token[.]example"}, state: Mismatch, check: checkIssuer},
		{name: "other repository", a: tarball, bundle: of(nil), id: Identity{Source: Expectation{Repo: "https://github.com/acme/other"}}, state: Mismatch, check: checkRepository},
		{name: "other commit", a: tarball, bundle: of(nil), id: Identity{Source: Expectation{Repo: repo.Repo, Digest: strings.Repeat("1", 40)}}, state: Mismatch, check: checkCommit},
		{name: "other ref", a: tarball, bundle: of(nil), id: Identity{Source: Expectation{Repo: repo.Repo, Ref: "refs/heads/main"}}, state: Mismatch, check: checkRef},
		{name: "other signer workflow", a: tarball, bundle: of(nil), id: Identity{Source: repo, SignerWorkflow: "evil/ci/.github/workflows/release.yml"}, state: Mismatch, check: checkSigner},
		{name: "other builder", a: tarball, bundle: of(nil), id: Identity{Source: Expectation{Repo: repo.Repo, Builder: builderSelfHosted}}, state: Mismatch, check: checkBuilder, off: []string{checkBuilder, checkBuilderRunner}},
	}
	for i := range list {
		list[i].state = cmp.Or(list[i].state, Invalid)
		list[i].check = cmp.Or(list[i].check, checkSigned)
	}
	return list
}

// records are checks that say what was seen and decide nothing, so that nothing can
// be refused by them. Each has the reason, and the test that holds it.
var records = map[string]string{
	checkOther:    "names an attestation that says nothing of the origin; nothing of it is believed (TestOtherAttestations)",
	checkOneHolds: "counts the provenances of an image that hold; once one does it is content (TestImageRecords)",
	checkComplete: "says what could not be fetched of an image; the others decide (TestImageRecords)",
	checkFile:     "says of a release's file whether all that is attested of it holds (TestReleaseAttacks sees it fail in each row)",
}

// elsewhere are checks whose attack leads to another state than Verified once
// nothing refuses it.
var elsewhere = map[string]string{
	checkLost: "what was never attested is Absent, not Verified, without it (TestLost)",
}

// table is a table of attacks: their names, with the checks that were shown to
// refuse them.
type table map[string][]string

func tables(t testing.TB) map[string]table {
	t.Helper()
	all := map[string]table{}
	put := func(kind, name, check string, off []string) {
		if all[kind] == nil {
			all[kind] = table{}
		}
		if _, twice := all[kind][name]; twice {
			t.Errorf("two attacks on %s are called %q", kind, name)
		}
		if off == nil {
			off = []string{check}
		}
		all[kind][name] = off
	}
	for _, a := range slices.Concat(attacks(), contradictions(), bundleAttacks()) {
		put("npm", a.name, a.check, a.off)
	}
	for _, a := range imageAttacks() {
		put("images", a.name, a.check, a.off)
	}
	for _, a := range releaseAttacks(nil) {
		put("releases", a.name, a.check, a.off)
	}
	for _, a := range artifactAttacks(t) {
		put("files", a.name, a.check, a.off)
	}
	for _, a := range registryAttacks(t) {
		put("registries", a.name, a.check, a.off)
	}
	return all
}

// TestEveryCheckHasItsAttack: a check that no attack needs could be removed, and
// nobody would notice. It looks for the checks in the source.
func TestEveryCheckHasItsAttack(t *testing.T) {
	needed := map[string]bool{}
	for _, list := range tables(t) {
		for _, off := range list {
			for _, name := range off {
				needed[name] = true
			}
		}
	}
	named := map[string]string{} // constant → name
	var used []string
	for _, file := range must(filepath.Glob("*.go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(must(goparser.ParseFile(token.NewFileSet(), file, nil, 0)), func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if len(n.Values) == 1 && checkConstant.MatchString(n.Names[0].Name) {
					named[n.Names[0].Name] = strings.Trim(as[*ast.BasicLit](n.Values[0]).Value, `"`)
				}
			case *ast.CompositeLit:
				if kind, ok := n.Type.(*ast.Ident); ok && (kind.Name == "check" || kind.Name == "Check") {
					used = append(used, nameOf(t, file, n))
				}
			}
			return true
		})
	}
	if len(named) < 60 || len(used) < 50 {
		t.Errorf("only %d checks were found, at %d places", len(named), len(used))
	}
	for _, name := range used {
		// Those in lower case are parameters, which constants are given for.
		if named[name] == "" && name != "name" {
			t.Errorf("a check is made under the name %s, which is no constant check… or demand…", name)
		}
	}
	for constant, name := range named {
		_, record := records[name]
		_, other := elsewhere[name]
		switch {
		case !needed[name] && !record && !other:
			t.Errorf("no attack needs the check %s (%s): add one to a table", constant, name)
		case needed[name] && (record || other):
			t.Errorf("the check %s is shown to refuse an attack: it is no exemption", constant)
		}
	}
}

var checkConstant = regexp.MustCompile(`^(check|demand)[A-Z]`)

// nameOf returns under which name a check is recorded.
func nameOf(t *testing.T, file string, literal *ast.CompositeLit) string {
	t.Helper()
	for _, element := range literal.Elts {
		field, ok := element.(*ast.KeyValueExpr)
		if !ok || !strings.EqualFold(as[*ast.Ident](field.Key).Name, "name") {
			continue
		}
		switch value := field.Value.(type) {
		case *ast.Ident:
			return value.Name
		case *ast.SelectorExpr: // of another check
			return "name"
		}
	}
	t.Errorf("%s: a check without a name of its own", file)
	return "name"
}

// referenceRows are the rows of the reference's table of attacks, by their first
// words, with attacks that stand for each; "kind: name".
var referenceRows = map[string][]string{
	"another package's provenance or publish attestation": {
		"npm: another package's set", "npm: provenance of another package", "npm: publish attestation names another package",
		"images: another image's provenance", "files: of another file", "releases: attestation for another project's file",
	},
	"swapped tarball, version rollback": {
		"npm: tarball swapped", "npm: another version's set", "registries: fetched bytes are others", "registries: lockfile's bytes are not the registry's", "releases: file swapped",
	},
	"provenance, publish attestation or both stripped": {"npm: publish attestation missing", "npm: provenance missing"},
	"the wrapper's type lies": {
		"npm: wrapper calls the publish attestation a provenance", "npm: wrapper calls something else a provenance", "images: wrapper calls the provenance something else", "files: type lies",
	},
	"publish key hint swapped": {"npm: bundle and signature name different keys", "npm: key hint swapped for the same key's other name", "npm: unknown key"},
	"wrong repository, prefix or owner confusion": {
		"npm: fork", "npm: name is a prefix", "npm: name is longer", "npm: only the owner", "npm: part of a segment", "images: fork", "files: other repository", "releases: fork",
	},
	"duplicate provenance": {"npm: provenance twice", "npm: provenance of both versions", "npm: publish attestation twice"},
	"two DSSE signatures":  {"npm: signed twice", "images: signed twice", "files: signed twice", "releases: signed twice"},
	"foreign, missing or duplicate log entry, shifted integratedTime, promise removed, proof missing": {
		"npm: log entry of another bundle", "npm: log entry missing", "npm: log entry twice", "npm: integratedTime shifted",
		"npm: promise removed, the time left", "npm: promise and time removed", "npm: proof removed", "npm: proof of another entry", "images: not logged", "files: not logged",
	},
	"untrusted log or CT key, bad SCT, checkpoint, TSA time, expired certificate, log-key window": {
		"npm: stranger's transparency log", "npm: stranger's certificate transparency log", "npm: certificate log's promise for another certificate",
		"npm: checkpoint's signature forged", "npm: timestamp after the certificate's end", "npm: timestamp before the certificate's start, the log's time right",
		"npm: certificate expired when it was logged", "npm: log's key is over", "npm: log's key is over, and only a proof names it", "npm: log's key is not yet in use, and only a proof names it",
	},
	"several subjects": {"npm: two subjects in the provenance", "npm: two subjects in the publish attestation", "releases: two subjects"},
	"fork, self-hosted runner, pull-request ref or trigger, other workflow, foreign reusable workflow": {
		"npm: fork", "npm: self-hosted runner", "npm: pull request's ref", "npm: pull request", "npm: other workflow", "npm: foreign reusable workflow",
		"images: fork", "images: self-hosted runner", "images: pull request's ref", "images: pull request's trigger", "images: other workflow", "images: foreign reusable workflow",
	},
	"repository renamed, re-registered, transferred": {
		"npm: renamed", "npm: re-registered", "npm: transferred", "npm: transferred, its owner's name taken over", "images: renamed", "images: re-registered", "images: transferred",
	},
	"predicate contradicts certificate": {
		"npm: predicate v0.2 contradicts the certificate: ref", "npm: predicate v1 contradicts the certificate: ref", "images: predicate contradicts the certificate: commit", "files: predicate contradicts the certificate",
	},
}

// TestReferenceIsCovered holds the tables to the reference's.
func TestReferenceIsCovered(t *testing.T) {
	all := tables(t)
	for row, attacks := range referenceRows {
		if len(attacks) == 0 {
			t.Errorf("nothing stands for %q", row)
		}
		for _, name := range attacks {
			kind, attack, _ := strings.Cut(name, ": ")
			if _, ok := all[kind][attack]; !ok {
				t.Errorf("%q: there is no attack %q on %s", row, attack, kind)
			}
		}
	}
	page := string(must(os.ReadFile(filepath.Join(sharedData(t, filepath.Join("..", "reference")), "provenance.md"))))
	_, rows, ok := strings.Cut(page, "| attack | check | npm |\n|---|---|---|\n")
	if !ok {
		t.Fatal("the reference has no table of attacks where it was")
	}
	found := 0
	for line := range strings.Lines(rows) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			break
		}
		found++
		if name := strings.TrimSuffix(strings.TrimSpace(cells[1]), " (M)"); referenceRows[name] == nil {
			t.Errorf("nothing stands for the reference's row %q", name)
		}
	}
	if found != len(referenceRows) {
		t.Errorf("the reference has %d rows, and %d are named here", found, len(referenceRows))
	}
}
