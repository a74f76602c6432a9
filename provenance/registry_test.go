package provenance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
)

const ourRegistry = "https://registry.example/"

func integrityOf(t testing.TB, sha512Hex string) string {
	t.Helper()
	return "sha512-" + base64.StdEncoding.EncodeToString(must(hex.DecodeString(sha512Hex)))
}

// metadata is what an honest registry says of the honest release, signed by the
// key of a sigstore of ours.
func metadata(t testing.TB, s *provenancetest.Sigstore) *Metadata {
	t.Helper()
	m := &Metadata{
		Integrity: integrityOf(t, someSHA512), Digests: []Digest{{"sha512", someSHA512}, {"sha1", "00"}},
		Attested: true, Published: provenancetest.Now.AddDate(0, -1, 0), Publisher: Publisher{Name: "ann"},
	}
	m.Signatures = []RegistrySignature{{must(s.KeyID()), must(s.SignRelease("@acme/tool", "1.2.3", m.Integrity))}}
	return m
}

// pinned is the test's material with its keys pinned for a registry. Change may
// change those for the registry's signatures.
func pinned(t testing.TB, registry string, change func(key map[string]any)) *trust.Material {
	t.Helper()
	data := must(ours(t).NPMKeys())
	if change != nil {
		var file struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		for _, key := range file.Keys {
			if key["keyUsage"] == string(trust.Signatures) {
				change(key)
			}
		}
		data = must(json.Marshal(file))
	}
	m := *ours(t).material
	m.Keys = must(trust.LoadNPMKeys(data, "keys.json"))
	m.Keys.Registry = registry
	return &m
}

// TestRegistryAttacks: what a registry says and signs has to hold like the rest,
// and each case is refused by its own check.
func TestRegistryAttacks(t *testing.T) {
	for _, a := range registryAttacks(t) {
		t.Run(a.name, func(t *testing.T) { a.run(t) })
	}
}

// registryAttack is one way in which a registry, or who answers in its place, can
// deceive.
type registryAttack struct {
	name      string
	metadata  func(*Metadata)
	subject   func(*Subject)
	key       func(map[string]any)
	tarball   *Tarball
	check     string
	off       []string // that refuse it, each alone; nil for the check
	signature SignatureState
}

func registryAttacks(t testing.TB) []registryAttack {
	t.Helper()
	other := must(provenancetest.New())
	otherDigest := "00" + someSHA512[2:]
	return []registryAttack{
		{name: "lockfile's bytes are not the registry's", check: checkRegistryIntegrity, metadata: func(m *Metadata) {
			m.Digests[0].Value = otherDigest
			m.Integrity = integrityOf(t, otherDigest)
			m.Signatures[0].Signature = must(ours(t).SignRelease("@acme/tool", "1.2.3", m.Integrity))
		}, signature: SignatureValid, off: []string{checkRegistryIntegrity, checkRegistrySubject}},
		{name: "SHA-1 of the lockfile is not the registry's", check: checkRegistryIntegrity, signature: SignatureValid, subject: func(s *Subject) {
			s.Digests = append(s.Digests, Digest{"sha1", "01"})
		}},
		{name: "attested bytes are not the registry's", check: checkRegistrySubject, signature: SignatureValid, metadata: func(m *Metadata) {
			m.Digests[0].Value = otherDigest
			m.Integrity = integrityOf(t, otherDigest)
			m.Signatures[0].Signature = must(ours(t).SignRelease("@acme/tool", "1.2.3", m.Integrity))
		}, subject: func(s *Subject) { s.Digests = nil }},
		{name: "fetched bytes are others", check: checkTarball, signature: SignatureValid, tarball: &Tarball{Digests: []Digest{{"sha512", otherDigest}}}},
		{name: "fetched bytes are others by SHA-1", check: checkTarball, signature: SignatureValid, tarball: &Tarball{
			Digests: []Digest{{"sha1", "01"}, {"sha512", someSHA512}},
		}},
		{name: "no signature", check: checkRegistryPresent, signature: SignatureMissing, metadata: func(m *Metadata) { m.Signatures = nil }},
		{name: "signature of another package", check: checkRegistrySigned, signature: SignatureInvalid, metadata: func(m *Metadata) {
			m.Signatures[0].Signature = must(ours(t).SignRelease("@acme/tools", "1.2.3", m.Integrity))
		}},
		{name: "signature of another version", check: checkRegistrySigned, signature: SignatureInvalid, metadata: func(m *Metadata) {
			m.Signatures[0].Signature = must(ours(t).SignRelease("@acme/tool", "1.2.4", m.Integrity))
		}},
		{name: "signature of other bytes", check: checkRegistrySigned, signature: SignatureInvalid, metadata: func(m *Metadata) {
			m.Signatures[0].Signature = must(ours(t).SignRelease("@acme/tool", "1.2.3", integrityOf(t, otherDigest)))
		}},
		{name: "no signature in the signature", check: checkRegistrySigned, signature: SignatureInvalid, metadata: func(m *Metadata) { m.Signatures[0].Signature = nil }},
		{name: "another's key under our id", check: checkRegistrySigned, signature: SignatureInvalid, metadata: func(m *Metadata) {
			m.Signatures[0].Signature = must(other.SignRelease("@acme/tool", "1.2.3", m.Integrity))
		}},
		{name: "another's key under its id", check: checkRegistryKey, signature: SignatureInvalid, metadata: func(m *Metadata) {
			m.Signatures[0] = RegistrySignature{must(other.KeyID()), must(other.SignRelease("@acme/tool", "1.2.3", m.Integrity))}
		}},
		{name: "one good and one of a stranger", check: checkRegistryKey, signature: SignatureInvalid, metadata: func(m *Metadata) {
			m.Signatures = append(m.Signatures, RegistrySignature{must(other.KeyID()), must(other.SignRelease("@acme/tool", "1.2.3", m.Integrity))})
		}},
		{name: "key that had expired", check: checkRegistryKeyTime, signature: SignatureInvalid, key: func(k map[string]any) {
			public, _ := k["publicKey"].(map[string]any)
			public["validFor"] = map[string]any{"start": "1999-01-01T00:00:00Z", "end": provenancetest.Now.AddDate(0, -2, 0)}
		}},
		{name: "key for attestations only", check: checkRegistryKey, signature: SignatureInvalid, key: func(k map[string]any) { k["keyId"] = "SHA256:other" }},
	}
}

func (a registryAttack) run(t *testing.T) {
	t.Helper()
	s, set := honestSubject(), build(func(b *provenancetest.Build) { b.Registry = ourRegistry })(t)
	set.Registry, set.Metadata, set.Tarball = ourRegistry, metadata(t, ours(t).Sigstore), a.tarball
	if a.metadata != nil {
		a.metadata(set.Metadata)
	}
	if a.subject != nil {
		a.subject(&s)
	}
	v := must(NewVerifier(pinned(t, ourRegistry, a.key)))
	got := v.Package(s, honestExpectation(), set)
	if got.State != Invalid || firstFailed(got) != a.check || got.Reason == "" || got.Hint == "" {
		t.Fatalf("got %s by %s: %s -> %s", got.State, firstFailed(got), got.Reason, got.Hint)
	}
	if got.Registry.Signature != a.signature || got.SignatureAlone() != (a.signature != SignatureValid) {
		t.Errorf("signature %q, alone %t", got.Registry.Signature, got.SignatureAlone())
	}
	if a.off == nil {
		a.off = []string{a.check}
	}
	decides(t, a.off, func(off []string) Result {
		return blinded(t, pinned(t, ourRegistry, a.key), off).Package(s, honestExpectation(), set)
	})
	// It is refused in every other state, too.
	for _, availability := range []Availability{None, NoSupport, Unreachable} {
		empty := Set{Availability: availability, Registry: ourRegistry, Metadata: set.Metadata, Tarball: a.tarball}
		if a.check != checkRegistrySubject && v.Package(s, honestExpectation(), empty).State != Invalid {
			t.Errorf("%s: %s", availability, v.Package(s, honestExpectation(), empty).State)
		}
	}
}

// TestExpiredKeyIsNamed: who reads it has to see both dates.
func TestExpiredKeyIsNamed(t *testing.T) {
	set := build(func(b *provenancetest.Build) { b.Registry = ourRegistry })(t)
	set.Registry, set.Metadata = ourRegistry, metadata(t, ours(t).Sigstore)
	published := set.Metadata.Published
	for name, c := range map[string]struct {
		end time.Time
		ok  bool
	}{
		"a month before":         {published.AddDate(0, -1, 0), false},
		"at that moment":         {published, false},
		"later on the same day":  {published.Add(time.Second), true},
		"a month after":          {published.AddDate(0, 1, 0), true},
		"on the day, but before": {published.Add(-time.Second), false},
	} {
		m := pinned(t, ourRegistry, func(k map[string]any) {
			public, _ := k["publicKey"].(map[string]any)
			public["validFor"] = map[string]any{"start": "1999-01-01T00:00:00Z", "end": c.end}
		})
		got := verifier(t, m).Package(honestSubject(), honestExpectation(), set)
		want := "the registry's signature is of the key " + must(ours(t).KeyID()) + ", which expired on " + day(c.end) + ", and the version was published on " + day(published)
		if c.ok && got.State != Verified || !c.ok && (got.Reason != want || got.Hint == "") {
			t.Errorf("%s: %s: %s, want %s", name, got.State, got.Reason, want)
		}
	}
}

// TestTarballIsMissing: bytes that were asked for and could not be had leave
// nothing better than Unavailable, and hide nothing that is worse.
func TestTarballIsMissing(t *testing.T) {
	missing := &Tarball{Reason: "the registry hung up", Hint: "try again"}
	set := build(func(b *provenancetest.Build) { b.Registry = ourRegistry })(t)
	set.Registry, set.Metadata, set.Tarball = ourRegistry, metadata(t, ours(t).Sigstore), missing
	v := must(NewVerifier(pinned(t, ourRegistry, nil)))
	other := honestExpectation()
	other.Repo = "https://github.com/mallory/tool"
	changed := honestSubject()
	changed.Digests = []Digest{{"sha512", "00" + someSHA512[2:]}}
	for name, c := range map[string]struct {
		s    Subject
		e    Expectation
		want State
	}{
		"honest":             {honestSubject(), honestExpectation(), Unavailable},
		"nobody vouches":     {honestSubject(), Expectation{}, Unavailable},
		"another repository": {honestSubject(), other, Mismatch},
		"other bytes":        {changed, honestExpectation(), Invalid},
	} {
		if got := v.Package(c.s, c.e, set); got.State != c.want || c.want == Unavailable && got.Reason != missing.Reason {
			t.Errorf("%s: %s (%s), want %s", name, got.State, got.Reason, c.want)
		}
	}
	absent := Set{Availability: None, Registry: ourRegistry, Metadata: set.Metadata, Tarball: missing}
	if got := v.Package(honestSubject(), honestExpectation(), absent); got.State != Unavailable {
		t.Errorf("absent: %s", got.State)
	}
}

// Keys are those of one registry: another's signatures neither hold by them nor
// fail by them.
func TestKeysOfARegistry(t *testing.T) {
	set := build(func(b *provenancetest.Build) { b.Registry = ourRegistry })(t)
	set.Metadata = metadata(t, ours(t).Sigstore)
	for _, tt := range []struct {
		pinned, asked string
		state         State
		signature     SignatureState
	}{
		{ourRegistry, "https://REGISTRY.example:443", Verified, SignatureValid},
		{"", ourRegistry, Verified, SignatureValid},
		{"https://other.example/", ourRegistry, Invalid, SignatureUnpinned},
		{"https://registry.example/npm/", ourRegistry, Invalid, SignatureUnpinned},
		{"http://registry.example/", ourRegistry, Invalid, SignatureUnpinned},
	} {
		set.Registry = tt.asked
		got := must(NewVerifier(pinned(t, tt.pinned, nil))).Package(honestSubject(), honestExpectation(), set)
		if got.State != tt.state || got.Registry.Signature != tt.signature {
			t.Errorf("keys of %q asked for %s: %s, signature %s: %s", tt.pinned, tt.asked, got.State, got.Registry.Signature, got.Reason)
		}
	}
	// Of a key of a kind that the registry does not sign with, nothing holds.
	other := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	strange := pinned(t, ourRegistry, func(key map[string]any) {
		key["publicKey"] = map[string]any{"rawBytes": must(x509.MarshalPKIXPublicKey(other.Public()))}
	})
	for what, signatures := range map[SignatureState][]RegistrySignature{SignatureInvalid: set.Metadata.Signatures, SignatureMissing: nil} {
		metadata := *set.Metadata
		metadata.Signatures = signatures
		set := set
		set.Registry, set.Metadata = ourRegistry, &metadata
		if got := must(NewVerifier(strange)).Package(honestSubject(), honestExpectation(), set); got.State != Invalid || got.Registry.Signature != what {
			t.Errorf("a key of another kind: %s, signature %s: %s", got.State, got.Registry.Signature, got.Reason)
		}
	}
	m := pinned(t, "https://other.example/", nil)
	m.OtherKeys = []*trust.Keys{pinned(t, ourRegistry, nil).Keys}
	set.Registry = ourRegistry
	if got := must(NewVerifier(m)).Package(honestSubject(), honestExpectation(), set); got.State != Verified {
		t.Errorf("with the keys of both: %s, %s", got.State, got.Reason)
	}
}

func on(day int) time.Time { return time.Date(2025, 1, day, 0, 0, 0, 0, time.UTC) }

func TestLost(t *testing.T) {
	attested := func(version string, day int) Release {
		return Release{Version: version, Published: on(day), Attested: true}
	}
	undated := Release{Version: "1.2.2", Attested: true}
	for name, tt := range map[string]struct {
		history, remembered []Release
		published           time.Time
		subject             string
		want                State
	}{
		"nothing before":                        {want: Absent},
		"an earlier one":                        {history: []Release{attested("1.2.2", 1)}, want: Lost},
		"an earlier one of another major":       {history: []Release{attested("0.9.0", 1), attested("2.0.0", 2)}, want: Absent},
		"a later one":                           {history: []Release{attested("1.2.2", 20)}, want: Absent},
		"a higher number that came out earlier": {history: []Release{attested("1.3.0", 1)}, want: Lost},
		"an earlier one that was not attested":  {history: []Release{{Version: "1.2.2", Published: on(1)}}, want: Absent},
		"an earlier prerelease":                 {history: []Release{attested("1.2.3-rc.1", 1)}, want: Absent},
		"an earlier prerelease of a prerelease": {history: []Release{attested("1.2.3-rc.1", 1)}, subject: "1.2.3-rc.2", want: Lost},
		"a build is no prerelease":              {history: []Release{attested("1.2.2+x-1", 1)}, want: Lost},
		"of the same date, a lower number":      {history: []Release{attested("1.2.2", 10)}, want: Lost},
		"of the same date, a higher number":     {history: []Release{attested("1.2.10", 10)}, want: Absent},
		"without dates, a lower number":         {history: []Release{undated}, want: Lost},
		"without dates, a higher number":        {history: []Release{{Version: "1.10.0", Attested: true}}, want: Absent},
		"without dates, no version":             {history: []Release{{Version: "1.?.0", Attested: true}}, want: Absent},
		"what only the archive remembers":       {remembered: []Release{attested("1.2.2", 1)}, want: Lost},
		"its own self, remembered":              {remembered: []Release{attested("1.2.3", 10)}, want: Lost},
		"its own self, not attested":            {remembered: []Release{{Version: "1.2.3", Published: on(10)}}, want: Absent},
	} {
		t.Run(name, func(t *testing.T) {
			s := honestSubject()
			if tt.subject != "" {
				s.Version = tt.subject
			}
			set := Set{Availability: None, Metadata: &Metadata{Published: on(10), Others: tt.history}, Remembered: tt.remembered}
			v := must(NewVerifier(pinned(t, "https://other.example/", nil)))
			set.Registry = ourRegistry
			got := v.Package(s, Expectation{}, set)
			if got.State != tt.want || got.Hint == "" {
				t.Errorf("%s: %s -> %s", got.State, got.Reason, got.Hint)
			}
			v.skip = map[string]bool{checkLost: true}
			if without := v.Package(s, Expectation{}, set); without.State != Absent {
				t.Errorf("without the check: %s", without.State)
			}
			// What could not be had, or is stripped, is not known to be lost.
			for availability, want := range map[Availability]State{NoSupport: Stripped, Unreachable: Unavailable} {
				v.skip, set.Availability = nil, availability
				if got := v.Package(s, Expectation{}, set); got.State != want {
					t.Errorf("%s: %s", availability, got.State)
				}
			}
		})
	}
}

func TestPublisherChanged(t *testing.T) {
	ann, bob := Publisher{Name: "ann"}, Publisher{Name: "bob"}
	github, gitlab := Publisher{Name: "GitHub Actions", Trusted: "github"}, Publisher{Name: "GitLab", Trusted: "gitlab"}
	for name, tt := range map[string]struct {
		before []Publisher // of 1.2.0, 1.2.1, …
		now    Publisher
		want   bool
	}{
		"first version":                      {nil, ann, false},
		"the same":                           {[]Publisher{ann}, ann, false},
		"a stranger":                         {[]Publisher{ann, ann}, bob, true},
		"two who take turns":                 {[]Publisher{bob, ann}, bob, false},
		"to trusted publishing":              {[]Publisher{ann}, github, false},
		"to a token again":                   {[]Publisher{ann, github}, ann, true},
		"to another trusted publisher":       {[]Publisher{github}, gitlab, true},
		"the registry does not say who":      {[]Publisher{ann}, Publisher{}, false},
		"the registry did not say it then":   {[]Publisher{{}}, ann, false},
		"an account with a publisher's name": {[]Publisher{github}, Publisher{Name: "GitHub Actions"}, true},
	} {
		m := Metadata{Published: on(10), Publisher: tt.now}
		for i, p := range tt.before {
			m.Others = append(m.Others, Release{Version: "1.2." + string(rune('0'+i)), Published: on(i + 1), Publisher: p})
		}
		m.Others = append(m.Others, Release{Version: "1.3.0", Published: on(20), Publisher: bob})
		if got := publisherChanged("1.2.9", m, m.Others); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestSourceBefore(t *testing.T) {
	for declared, want := range map[string]string{
		"git+https://github.com/acme/tool.git": "", "github:Acme/tool": "", "acme/tool": "", "git@github.com:acme/tool.git": "", "": "",
		"https://github.com/acme/old": "https://github.com/acme/old", "gitlab:acme/tool": "https://gitlab.com/acme/tool",
	} {
		set := build(func(*provenancetest.Build) {})(t)
		set.Metadata = &Metadata{Published: on(10), Others: []Release{
			{Version: "0.1.0", Published: on(1), Attested: true, Repository: "https://github.com/acme/first"},
			{Version: "1.0.0", Published: on(2), Attested: true, Repository: declared},
			{Version: "1.0.1", Published: on(3), Repository: "https://github.com/acme/unattested"},
		}}
		if declared == "" {
			set.Metadata.Others = set.Metadata.Others[2:]
		}
		set.Registry = ""
		set.Metadata.Signatures = metadata(t, ours(t).Sigstore).Signatures
		set.Metadata.Integrity = integrityOf(t, someSHA512)
		got := verifier(t, ours(t).material).Package(honestSubject(), Expectation{}, set)
		if got.State != Unvouched || got.Registry.SourceBefore != want {
			t.Errorf("%q: %s (%s), source before %q, want %q", declared, got.State, got.Reason, got.Registry.SourceBefore, want)
		}
	}
}

type archive struct {
	releases []Release
	err      error
}

func (a archive) Releases(context.Context, Subject) ([]Release, error) { return a.releases, a.err }

func TestRemember(t *testing.T) {
	src := sourceFunc(func(context.Context, Subject) (Set, error) { return Set{Availability: None}, nil })
	seen := []Release{{Version: "1.0.0", Attested: true}}
	if Remember(src, nil) == nil {
		t.Error("no archive, no source")
	}
	set, err := Remember(src, archive{releases: seen}).Attestations(t.Context(), honestSubject())
	if d := cmp.Diff(Set{Availability: None, Remembered: seen}, set, cmp.AllowUnexported(Attestation{})); d != "" || err != nil {
		t.Error(err, d)
	}
	set, err = Remember(src, archive{err: errors.New("broken")}).Attestations(t.Context(), honestSubject())
	if set.Availability != Unreachable || set.Hint == "" || err != nil {
		t.Errorf("a broken archive: %+v, %v", set, err)
	}
}

// A subject without a version is asked only whether there is such a package.
func TestFloatingIsKnownOrNot(t *testing.T) {
	s := honestSubject()
	s.Version, s.Digests, s.Unsupported = "", nil, "a floating spec: no version is pinned"
	for name, set := range map[string]Set{"unknown": {UnknownPackage: true}, "known": {Metadata: &Metadata{}}, "not asked": {}} {
		src := sourceFunc(func(context.Context, Subject) (Set, error) { return set, nil })
		results, err := Run{Subjects: []Subject{s}, Jobs: 1, Expect: nobody, Source: src, Verifier: verifier(t, ours(t).material)}.Results(t.Context())
		if err != nil || results[0].State != Unsupported {
			t.Fatal(err, results)
		}
		facts := results[0].Registry
		if (facts != nil) != (name != "not asked") || facts != nil && facts.UnknownPackage != set.UnknownPackage {
			t.Errorf("%s: %+v", name, facts)
		}
	}
}
