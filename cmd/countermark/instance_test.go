package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"countermark/policy"
	"countermark/provenance/provenancetest"
	"countermark/provenance/trust"
)

// edited changes a trusted root's JSON.
func edited(t *testing.T, data []byte, change func(root map[string]any)) []byte {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	change(root)
	data, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// window limits the validity of everybody in one of a trusted root's lists. Zero
// times set no limit.
func window(list string, start, end time.Time) func(map[string]any) {
	return func(root map[string]any) {
		valid := map[string]any{"start": provenancetest.Now.AddDate(-5, 0, 0)}
		if !start.IsZero() {
			valid["start"] = start
		}
		if !end.IsZero() {
			valid["end"] = end
		}
		for _, one := range listOf(root, list) {
			holder, ok := one.(map[string]any)
			if key, logs := holder["publicKey"].(map[string]any); logs {
				holder, ok = key, true
			}
			if !ok {
				panic(list + " holds no objects")
			}
			holder["validFor"] = valid
		}
	}
}

// join puts everybody of another instance into a trusted root.
func join(other *provenancetest.Sigstore) func(map[string]any) {
	return func(root map[string]any) {
		var more map[string]any
		if err := json.Unmarshal(must(other.TrustedRoot()), &more); err != nil {
			panic(err)
		}
		for _, list := range []string{"tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"} {
			root[list] = append(listOf(root, list), listOf(more, list)...)
		}
	}
}

func listOf(root map[string]any, name string) []any {
	list, ok := root[name].([]any)
	if !ok {
		panic("the trusted root has no " + name)
	}
	return list
}

// must takes a result that has to be there; a fixture that cannot be made ends
// all tests.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// says demands words of the last command's output, however its lines are broken.
func (p *person) says(words string) {
	p.t.Helper()
	if all := strings.Join(strings.Fields(p.stdout.String()+p.stderr.String()), " "); !strings.Contains(all, words) {
		p.t.Errorf("no word of %q: %s", words, all)
	}
}

// TestPrivateInstances verifies a file under trusted roots as private sigstore
// instances have them, by the command line alone. The signature is made at
// provenancetest.Now; the certificate is valid for five minutes before and after.
func TestPrivateInstances(t *testing.T) {
	type form = provenancetest.Signer
	type parts = []provenancetest.Part
	const (
		ca, ct, log, log2, clock = provenancetest.Fulcio, provenancetest.CTLog, provenancetest.Log, provenancetest.Log2, provenancetest.Timestamp
		identity                 = "https://ci.acme.example/release.yml@refs/heads/main"
		issuer                   = "https://login.acme.example"
	)
	at := provenancetest.Now
	before, after, never := at.Add(-time.Hour), at.Add(time.Hour), time.Time{}
	stamped := []time.Time{at}
	v2 := form{Entry: provenancetest.Record2, Timestamps: stamped}
	unlogged := form{Entry: provenancetest.NoEntry, NoSCT: true, Timestamps: stamped}
	chain := func(intermediates int, until time.Time) func(*provenancetest.Sigstore) (*provenancetest.Sigstore, error) {
		return func(s *provenancetest.Sigstore) (*provenancetest.Sigstore, error) {
			return s.Chain(intermediates, until)
		}
	}
	first := must(provenancetest.New())
	second := must(provenancetest.New())
	for _, c := range []struct {
		name   string
		parts  parts // of the trusted root; nil for all
		change func(root map[string]any)
		by     func(*provenancetest.Sigstore) (*provenancetest.Sigstore, error)
		first  bool // the trusted root stays that of the first, whoever signs
		as     form
		code   int
		says   string

		identity, issuer string // demanded in place of those that signed
	}{
		{name: "Rekor v1"},
		{name: "Rekor v1, bundle 0.1", as: form{Version: "0.1"}},
		{name: "Rekor v1, bundle 0.2 with its chain", as: form{Version: "0.2"}},
		{name: "Rekor v2 with an Ed25519 key, and a clock", as: v2},
		{name: "Rekor v2 and nobody's time", as: form{Entry: provenancetest.Record2}, code: exitFail},
		{name: "no CT log", parts: parts{ca, log}, as: form{NoSCT: true}},
		{name: "no CT log, but its promise", parts: parts{ca, log}},
		{name: "a CT log, but no promise", as: form{NoSCT: true}, code: exitFail, says: "SCT"},
		{name: "no log, but a clock", parts: parts{ca, clock}, as: unlogged},
		{name: "no log, and nobody's time", parts: parts{ca, clock}, as: form{Entry: provenancetest.NoEntry, NoSCT: true}, code: exitFail, says: "threshold not met for verified signed timestamps"},
		{name: "no log, but a CT log and a clock", parts: parts{ca, ct, clock}, as: form{Entry: provenancetest.NoEntry, Timestamps: stamped}},
		{name: "a log, but no entry", as: unlogged, code: exitFail},
		{name: "no CA", parts: parts{ct, log, clock}, code: exitFail, says: "--trusted-root"},
		{name: "neither log nor clock", parts: parts{ca, ct}, code: exitUsage, says: "names neither a transparency log nor a timestamp authority"},

		{name: "two of each, the first signs", change: join(second)},
		{name: "two of each, the second signs", change: join(second), first: true, by: func(*provenancetest.Sigstore) (*provenancetest.Sigstore, error) { return second, nil }},
		{name: "two of each, the second signs for Rekor v2", change: join(second), first: true, as: v2, by: func(*provenancetest.Sigstore) (*provenancetest.Sigstore, error) { return second, nil }},
		{name: "two of each, a third signs", change: join(second), first: true, by: func(s *provenancetest.Sigstore) (*provenancetest.Sigstore, error) {
			return s.Impostor(provenancetest.Fulcio)
		}, code: exitFail},

		{name: "log in its time", change: window("tlogs", before, after)},
		{name: "log before its time", change: window("tlogs", after, never), code: exitFail},
		{name: "log after its time", change: window("tlogs", never, before), code: exitFail},
		{name: "Rekor v2 in its time", change: window("tlogs", before, after), as: v2},
		{name: "Rekor v2 before its time", change: window("tlogs", after, never), as: v2, code: exitFail, says: "its log's key was not valid at"},
		{name: "Rekor v2 after its time", change: window("tlogs", never, before), as: v2, code: exitFail, says: "its log's key was not valid at"},
		{name: "a proof, and a time that nobody signed", as: form{NoPromise: true, Timestamps: stamped}, code: exitFail, says: "nobody signed the time that it names"},
		{name: "CT log in its time", change: window("ctlogs", before, after)},
		{name: "CT log before its time", change: window("ctlogs", after, never), code: exitFail, says: "SCT"},
		{name: "CT log after its time", change: window("ctlogs", never, before), code: exitFail, says: "SCT"},
		{name: "clock in its time", parts: parts{ca, clock}, change: window("timestampAuthorities", before, after), as: unlogged},
		{name: "clock before its time", parts: parts{ca, clock}, change: window("timestampAuthorities", after, never), as: unlogged, code: exitFail, says: "before the validity period start"},
		{name: "clock after its time", parts: parts{ca, clock}, change: window("timestampAuthorities", never, before), as: unlogged, code: exitFail, says: "after the validity period end"},
		{name: "CA in its time", change: window("certificateAuthorities", before, after)},
		{name: "CA before its time", change: window("certificateAuthorities", after, never), code: exitFail},
		{name: "CA after its time", change: window("certificateAuthorities", never, before), code: exitFail},

		{name: "no intermediate", by: chain(0, after)},
		{name: "two intermediates", by: chain(2, after)},
		{name: "two intermediates, bundle 0.2 with its chain", by: chain(2, after), as: form{Version: "0.2"}},
		{name: "two intermediates, without a log", parts: parts{ca, clock}, by: chain(2, after), as: unlogged},
		{name: "two intermediates, of which one is not trusted", by: chain(2, after), change: func(root map[string]any) {
			for _, one := range listOf(root, "certificateAuthorities") {
				if chain, ok := one.(map[string]any)["certChain"].(map[string]any); ok {
					chain["certificates"] = listOf(chain, "certificates")[1:]
				}
			}
		}, as: form{Version: "0.2"}, code: exitFail},
		{name: "CA certificates that ended later", by: chain(1, at.Add(time.Minute))},
		{name: "CA certificates that had ended", by: chain(1, at.Add(-time.Minute)), code: exitFail},
		{name: "two CA certificates that had ended", by: chain(2, at.Add(-time.Minute)), code: exitFail},

		{name: "another identity", identity: identity + "/", code: exitFail},
		{name: "another issuer", issuer: issuer + "/", code: exitFail},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Years later, nothing of the answer may hang on the clock.
			p := newPerson(t, at.AddDate(3, 0, 0))
			s := first
			if c.by != nil {
				s = must(c.by(first))
			}
			trusted := s
			if c.first {
				trusted = first
			}
			root := must(trusted.TrustedRoot(c.parts...))
			if c.change != nil {
				root = edited(t, root, c.change)
			}
			content := []byte("an app\n")
			as := c.as
			as.SAN, as.Extensions.Issuer = identity, issuer
			p.write("own.json", root, nil)
			p.write("app", content, nil)
			p.write("app.sigstore.json", must(s.SignFile(content, as)), nil)
			p.run(
				c.code, "verify", "app", "--bundle", "app.sigstore.json", "--trusted-root", "own.json",
				"--certificate-identity", cmp.Or(c.identity, identity), "--certificate-oidc-issuer", cmp.Or(c.issuer, issuer),
			)
			p.says(c.says)
		})
	}
}

// TestGitHubPrivate verifies what GitHub attests for a private repository: signed
// under an instance of its own, with timestamps in place of a log, and without a
// certificate transparency log. The trusted roots are as GitHub's command line
// prints them: the public instance first, then that one.
func TestGitHubPrivate(t *testing.T) {
	p := newPerson(t, provenancetest.Now)
	public, private := must(provenancetest.New()), must(must(provenancetest.New()).Chain(2, provenancetest.Now.AddDate(1, 0, 0)))
	publicRoot := must(public.TrustedRoot())
	privateRoot := must(private.TrustedRoot(provenancetest.Fulcio, provenancetest.Timestamp))
	p.write("public.json", publicRoot, nil)
	p.write("github.jsonl", slices.Concat(publicRoot, []byte("\n"), privateRoot, []byte("\n")), nil)

	const repository = "https://github.com/acme/private"
	digest := strings.Repeat("5e", sha256.Size)
	attest := func(by *provenancetest.Sigstore, name string, form provenancetest.Signer) {
		b := provenancetest.Build{
			Version: "1.0.0", Repository: repository,
			Builder: repository + "/.github/workflows/release.yml@refs/tags/v1.0.0", // what GitHub's action writes
		}
		as := b.Identity()
		as.Entry, as.NoSCT, as.Timestamps = form.Entry, form.NoSCT, form.Timestamps
		p.write(name, must(by.Sign(must(b.StatementOf("app.tgz", digest)), as)), nil)
	}
	stamped := []time.Time{provenancetest.Now}
	attest(private, "private.json", provenancetest.Signer{Entry: provenancetest.NoEntry, NoSCT: true, Timestamps: stamped})
	attest(public, "public-bundle.json", provenancetest.Signer{})
	// Certified by the one, seen by the other's log or clock.
	attest(must(private.Impostor(provenancetest.Timestamp)), "other-clock.json", provenancetest.Signer{Entry: provenancetest.NoEntry, NoSCT: true, Timestamps: stamped})
	attest(must(public.Impostor(provenancetest.Fulcio)), "other-ca.json", provenancetest.Signer{})
	attest(public, "public-unlogged.json", provenancetest.Signer{Entry: provenancetest.NoEntry, NoSCT: true, Timestamps: stamped})

	verify := func(code int, bundle string, args ...string) {
		t.Helper()
		p.run(code, append([]string{"verify", "sha256:" + digest, "--bundle", bundle}, args...)...)
	}
	roots := []string{"--trusted-root", "github.jsonl", "--source-uri"}
	verify(exitPass, "private.json", append(roots, repository)...)
	verify(exitPass, "private.json", append(roots, repository, "--signer-workflow", "acme/private/.github/workflows/release.yml", "--source-ref", "refs/tags/v1.0.0", "--deny-self-hosted-runners", "--predicate-type", "https://slsa.dev/provenance/v1")...)
	verify(exitPass, "public-bundle.json", append(roots, repository)...)
	verify(exitFail, "private.json", append(roots, "https://github.com/acme/other")...)
	p.says("MISMATCH")
	verify(exitFail, "private.json", append(roots, "https://gitlab.com/acme/private")...)
	for _, bundle := range []string{"other-clock.json", "other-ca.json", "public-unlogged.json"} {
		verify(exitFail, bundle, append(roots, repository)...)
		p.says("none of 2 trusted roots proves it; with number ")
	}
	// The public root alone does not know who certified it, nor does the embedded one.
	for _, args := range [][]string{{"--trusted-root", "public.json"}, {}} {
		verify(exitFail, "private.json", append(args, "--source-uri", repository)...)
		p.says("countermark trust update --instance github")
		p.says("--trusted-root")
	}
	p.run(exitFail, "verify", "sha256:"+strings.Repeat("5f", sha256.Size), "--bundle", "private.json", "--trusted-root", "github.jsonl", "--source-uri", repository)

	p.run(exitPass, "trust", "show", "--trusted-root", "github.jsonl")
	for _, words := range []string{"instance 1 sha256 ", "instance 2 sha256 ", "https://fulcio.example instance 1", "https://fulcio.example instance 2", "https://time.example instance 2"} {
		p.says(words)
	}
	p.run(exitPass, "trust", "show", "--trusted-root", "github.jsonl", "--format", "json")
	var shown trust.Summary
	if err := json.Unmarshal(p.stdout.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.TrustedRoot.Instances) != 2 || len(shown.TransparencyLogs) != 2 || len(shown.TimestampAuthorities) != 2 || shown.TimestampAuthorities[1].Instance != 2 {
		t.Errorf("shown: %+v", shown)
	}
	p.write("broken.jsonl", slices.Concat(publicRoot, []byte("\n{}\n")), nil)
	p.run(exitUsage, "verify", "sha256:"+digest, "--bundle", "private.json", "--trusted-root", "broken.jsonl", "--source-uri", repository)
	p.said("broken.jsonl:2: trusted root 2: ", "hint: ")
}

// TestCheckUnderAnInstance checks a project whose registry and sigstore instance
// are the user's own.
func TestCheckUnderAnInstance(t *testing.T) {
	at := provenancetest.Now
	before, after, never := at.Add(-time.Hour), at.Add(time.Hour), time.Time{}
	stamped := []time.Time{at}
	type form = provenancetest.Signer
	unlogged := form{Entry: provenancetest.NoEntry, NoSCT: true, Timestamps: stamped}
	private := []provenancetest.Part{provenancetest.Fulcio, provenancetest.Timestamp}
	stranger := must(provenancetest.New())
	for _, c := range []struct {
		name   string
		parts  []provenancetest.Part
		change func(map[string]any)
		keys   *provenancetest.Sigstore // whose keys are given, where not the registry's
		as     form
		state  string
	}{
		{name: "logged", state: "verified"},
		{name: "logged with Rekor v2", as: form{Entry: provenancetest.Record2, Timestamps: stamped}, state: "verified"},
		{name: "only a clock", parts: private, as: unlogged, state: "verified"},
		{name: "only a clock, and nobody's time", parts: private, as: form{Entry: provenancetest.NoEntry, NoSCT: true}, state: "invalid"},
		{name: "a clock before its time", parts: private, change: window("timestampAuthorities", after, never), as: unlogged, state: "invalid"},
		{name: "a log after its time", change: window("tlogs", never, before), state: "invalid"},
		{name: "a CT log after its time", change: window("ctlogs", never, before), state: "invalid"},
		{name: "a CA after its time", change: window("certificateAuthorities", never, before), state: "invalid"},
		{name: "two of each", change: join(stranger), state: "verified"},
		{name: "another registry's keys", keys: stranger, state: "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.sigstore
			root := must(s.TrustedRoot(c.parts...))
			if c.change != nil {
				root = edited(t, root, c.change)
			}
			w.write("root.json", root)
			if c.keys != nil {
				w.write("keys.json", must(c.keys.NPMKeys()))
			}
			sum := w.lock("@acme/tool")
			w.describe("@acme/tool", sum, nil)
			b := provenancetest.Build{Package: "@acme/tool", Version: "1.0.0", SHA512: hex.EncodeToString(sum[:]), Registry: w.url, Repository: "https://github.com/acme/tool"}
			publisher, builder := c.as, c.as
			publisher.Key, publisher.NoSCT = true, false
			builder.SAN, builder.Extensions = b.Identity().SAN, b.Identity().Extensions
			for _, bundle := range [][]byte{must(s.Sign(must(b.PublishStatement()), publisher)), must(s.Sign(must(b.ProvenanceStatement()), builder))} {
				w.registry.Attest("@acme/tool", "1.0.0", must(provenancetest.PredicateType(bundle)), bundle)
			}
			code := exitPass
			if c.state != "verified" {
				code = exitFail
			}
			v := w.check(code, "version: 1\nsources:\n  \"@acme/*\": {repo: \"https://github.com/acme/*\"}\nregistries: [\""+w.url+"\"]\n", "--registry", w.url)
			if got := states(v)["%40acme/tool"]; got != c.state {
				t.Errorf("got %s, want %s: %+v", got, c.state, v.Findings)
			}
			if v.Trust.TrustedRoot.Source != "file" || v.Trust.TrustedRoot.Instances != nil {
				t.Errorf("trust: %+v", v.Trust)
			}
		})
	}
}

// TestCheckUnderSeveralInstances shows that the verdict names every trusted root.
func TestCheckUnderSeveralInstances(t *testing.T) {
	w := newWorld(t)
	w.release("tool", "https://github.com/acme/tool", w.lock("tool"))
	root, other := must(w.sigstore.TrustedRoot()), must(must(provenancetest.New()).TrustedRoot())
	const sources = "version: 1\nsources:\n  tool: {repo: \"https://github.com/acme/tool\"}\n"
	for _, order := range [][][]byte{{root, other}, {other, root}} {
		w.write("root.json", bytes.Join(order, nil))
		v := w.check(exitPass, sources+"registries: [\""+w.url+"\"]\n", "--registry", w.url)
		var want []string
		for _, one := range order {
			sum := sha256.Sum256(one)
			want = append(want, hex.EncodeToString(sum[:]))
		}
		if states(v)["tool"] != "verified" || !slices.Equal(v.Trust.TrustedRoot.Instances, want) {
			t.Errorf("%v, %+v, want %v", states(v), v.Trust.TrustedRoot, want)
		}
	}
}

// TestKeysOfSeveralRegistries checks a project whose packages come from two
// registries, each with keys and a sigstore instance of its own.
func TestKeysOfSeveralRegistries(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	w.write("root.json", slices.Concat(must(w.sigstore.TrustedRoot()), must(other.sigstore.TrustedRoot())))
	w.write("other.json", must(other.sigstore.NPMKeys()))
	w.write(".npmrc", fmt.Appendf(nil, "registry=%s\n@acme:registry=%s\n", w.url, other.url))
	w.release("tool", "https://github.com/acme/tool", w.lock("tool"))
	other.release("@acme/tool", "https://github.com/acme/scoped", other.lock("@acme/tool"))
	w.packages["node_modules/@acme/tool"] = other.packages["node_modules/@acme/tool"]
	const sources = "version: 1\nsources:\n  tool: {repo: https://github.com/acme/tool}\n  '@acme/tool': {repo: https://github.com/acme/scoped}\n"
	own, theirs := filepath.Join(w.dir, "keys.json"), filepath.Join(w.dir, "other.json")
	judge := func(code int, tool, scoped string, args ...string) *policy.Verdict {
		t.Helper()
		v := w.check(code, sources, args...)
		if got := states(v); code != exitUsage && (got["tool"] != tool || got["%40acme/tool"] != scoped) {
			t.Errorf("%v: %v", args, got)
		}
		return v
	}
	v := judge(exitPass, "verified", "verified", "--npm-keys", other.url+"="+theirs)
	if i := slices.IndexFunc(v.Trust.OtherKeys, func(f policy.TrustFact) bool { return f.Registry == other.url }); i < 0 || v.Trust.OtherKeys[i].Source != "file" || v.Trust.NPMKeys.Registry != w.url {
		t.Errorf("trust: %+v", v.Trust)
	}
	// Nobody's keys, or the other's, prove nothing.
	judge(exitFail, "verified", "invalid")
	judge(exitFail, "verified", "invalid", "--npm-keys", other.url+"="+own)
	// Each registry's are given once, with a URL that holds no secret.
	judge(exitUsage, "", "", "--npm-keys", theirs)
	judge(exitUsage, "", "", "--npm-keys", w.url+"="+own)
	judge(exitUsage, "", "", "--npm-keys", other.url+"="+theirs, "--npm-keys", strings.TrimSuffix(other.url, "/")+"="+theirs)
	p := newPerson(t, provenancetest.Now)
	for _, bad := range []string{"https://registry.example/", "https://=" + own, "https://ann:secret@registry.example/=" + own, "https://registry.example/?t=" + own} {
		p.run(exitUsage, "trust", "show", "--npm-keys", bad)
		p.said("--npm-keys is no registry's URL", "hint: give both as https://host/path=FILE")
		if strings.Contains(p.stderr.String(), "secret") {
			t.Error("a secret is shown")
		}
	}
	p.run(exitPass, "trust", "show", "--npm-keys", own, "--npm-keys", "https://registry.example/npm/="+theirs)
	p.says("other keys file")
	p.says("of https://registry.example/npm/")
}
