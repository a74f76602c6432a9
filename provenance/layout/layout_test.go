package layout

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"

	"countermark/provenance"
)

var now = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// newKey makes a key of the kind "ed25519", "ecdsa", "ecdsa-384" or "rsa".
func newKey(t testing.TB, kind string) in_toto.Key {
	t.Helper()
	var private any
	var err error
	switch kind {
	case "rsa":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	check(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	var k in_toto.Key
	check(t, k.LoadKeyReaderDefaults(strings.NewReader(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))))
	if kind == "rsa" { // the library writes PKCS #8 under the name of PKCS #1
		k.KeyVal.Private = strings.ReplaceAll(k.KeyVal.Private, "RSA PRIVATE KEY", "PRIVATE KEY")
	}
	return k
}

func public(k in_toto.Key) in_toto.Key {
	k.KeyVal.Private = ""
	return k
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func digestOf(content string) in_toto.HashObj {
	sum := sha256.Sum256([]byte(content))
	return in_toto.HashObj{"sha256": hex.EncodeToString(sum[:])}
}

// chain is a supply chain of two steps: alice writes app.go, bob makes app.tar of
// it. Tests change it before it is signed.
type chain struct {
	t                 testing.TB
	owner, alice, bob in_toto.Key
	layout            in_toto.Layout
	links             []signedLink
	sublayouts        map[string][]byte // by path
	signers           []in_toto.Key     // of the layout; the owner where there are none
	dsse              bool
}

type signedLink struct {
	file    string // by default that of step and key
	payload any
	step    string
	key     in_toto.Key
}

func newChain(t testing.TB) *chain {
	t.Helper()
	c := &chain{t: t, owner: newKey(t, "ed25519"), alice: newKey(t, "ed25519"), bob: newKey(t, "ecdsa"), sublayouts: map[string][]byte{}}
	step := func(name string, key in_toto.Key, materials, products [][]string) in_toto.Step {
		return in_toto.Step{
			Type: "step", PubKeys: []string{key.KeyID}, ExpectedCommand: []string{"make", name}, Threshold: 1,
			SupplyChainItem: in_toto.SupplyChainItem{Name: name, ExpectedMaterials: materials, ExpectedProducts: products},
		}
	}
	c.layout = in_toto.Layout{
		Type: "layout", Expires: "2027-01-01T00:00:00Z", Inspect: []in_toto.Inspection{},
		Keys: map[string]in_toto.Key{c.alice.KeyID: public(c.alice), c.bob.KeyID: public(c.bob)},
		Steps: []in_toto.Step{
			step("write", c.alice, [][]string{{"DISALLOW", "*"}}, [][]string{{"CREATE", "app.go"}, {"DISALLOW", "*"}}),
			step("package", c.bob,
				[][]string{{"MATCH", "app.go", "WITH", "PRODUCTS", "FROM", "write"}, {"DISALLOW", "*"}},
				[][]string{{"REQUIRE", "app.tar"}, {"CREATE", "app.tar"}, {"ALLOW", "app.go"}, {"DISALLOW", "*"}}),
		},
	}
	c.links = []signedLink{
		{step: "write", key: c.alice, payload: newLink("write", nil, map[string]string{"app.go": "code"})},
		{step: "package", key: c.bob, payload: newLink("package", map[string]string{"app.go": "code"}, map[string]string{"app.go": "code", "app.tar": "tar"})},
	}
	return c
}

func newLink(name string, materials, products map[string]string) in_toto.Link {
	objects := func(files map[string]string) map[string]in_toto.HashObj {
		out := map[string]in_toto.HashObj{}
		for file, content := range files {
			out[file] = digestOf(content)
		}
		return out
	}
	return in_toto.Link{
		Type: "link", Name: name, Materials: objects(materials), Products: objects(products), Command: []string{"make", name},
		ByProducts: map[string]any{"return-value": float64(0)}, Environment: map[string]any{},
	}
}

// link returns the payload of the link of that number, to be changed.
func (c *chain) link(n int) in_toto.Link {
	l, ok := c.links[n].payload.(in_toto.Link)
	if !ok {
		c.t.Fatal("it is no link")
	}
	return l
}

func sign(t testing.TB, payload any, inEnvelope bool, keys ...in_toto.Key) []byte {
	t.Helper()
	if inEnvelope {
		// The library's own envelopes cannot hold a key in PEM: its canonical form
		// is no JSON where a text has line breaks.
		data, err := json.Marshal(payload)
		check(t, err)
		signer, err := signerverifier.NewED25519SignerVerifierFromSSLibKey(sslibKey(keys[0]))
		var sv dsse.SignerVerifier = signer
		if keys[0].KeyType == "ecdsa" {
			sv, err = signerverifier.NewECDSASignerVerifierFromSSLibKey(sslibKey(keys[0]))
		}
		check(t, err)
		envelopes, err := dsse.NewEnvelopeSigner(sv)
		check(t, err)
		e, err := envelopes.SignPayload(t.Context(), in_toto.PayloadType, data)
		check(t, err)
		data, err = json.Marshal(e)
		check(t, err)
		return data
	}
	block := &in_toto.Metablock{Signed: payload, Signatures: []in_toto.Signature{}}
	for _, k := range keys {
		check(t, block.Sign(k))
	}
	data, err := json.MarshalIndent(block, "", "  ")
	check(t, err)
	return data
}

func sslibKey(k in_toto.Key) *signerverifier.SSLibKey {
	return &signerverifier.SSLibKey{KeyType: k.KeyType, Scheme: k.Scheme, KeyID: k.KeyID, KeyVal: signerverifier.KeyVal{Public: k.KeyVal.Public, Private: k.KeyVal.Private}}
}

func (c *chain) files(t testing.TB) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	for _, l := range c.links {
		name := l.file
		if name == "" {
			name = fileName(l.step, l.key.KeyID)
		}
		out[name] = &fstest.MapFile{Data: sign(t, l.payload, c.dsse, l.key)}
	}
	for name, data := range c.sublayouts {
		out[name] = &fstest.MapFile{Data: data}
	}
	return out
}

func (c *chain) input(t testing.TB) Layout {
	t.Helper()
	signers := c.signers
	if signers == nil {
		signers = []in_toto.Key{c.owner}
	}
	return Layout{Name: "root.layout", Data: sign(t, c.layout, c.dsse, signers...), Keys: []Key{{key: public(c.owner)}}, Links: c.files(t), Now: now}
}

func artifact(content string) provenance.Artifact {
	return provenance.Artifact{Name: "app.tar", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

// supplyChain is a supply chain that is as it should be, or is not.
type supplyChain struct {
	name   string
	change func(c *chain)
	want   provenance.State
	reason string // a part of it
}

func supplyChains() []supplyChain {
	return []supplyChain{
		{"as it should be", nil, provenance.Verified, ""},
		{"in DSSE envelopes", func(c *chain) { c.dsse = true }, provenance.Verified, ""},
		{"keys of other kinds", func(c *chain) {
			c.owner = newKey(c.t, "rsa")
			carol := newKey(c.t, "ecdsa-384")
			c.layout.Keys[carol.KeyID] = public(carol)
			c.layout.Steps[0].PubKeys = []string{carol.KeyID}
			c.links[0].key = carol
		}, provenance.Verified, ""},
		{"the owner's key under the name of another tool", func(c *chain) {
			k := c.owner
			k.KeyID = strings.Repeat("ab", 32)
			c.signers = []in_toto.Key{k}
		}, provenance.Verified, ""},
		{"two of two links", twoOfTwo, provenance.Verified, ""},
		{"a sublayout", sublayout(nil), provenance.Verified, ""},

		{"signed by somebody else", func(c *chain) { c.signers = []in_toto.Key{newKey(c.t, "ed25519")} }, provenance.Invalid, "is not signed with the key"},
		{"signed by somebody else under the owner's name", func(c *chain) {
			k := newKey(c.t, "ed25519")
			k.KeyID = c.owner.KeyID
			c.signers = []in_toto.Key{k}
		}, provenance.Invalid, "is not signed with the key"},
		{"expired", func(c *chain) { c.layout.Expires = "2026-01-15T12:00:00Z" }, provenance.Invalid, "expired"},
		{"without steps", func(c *chain) { c.layout.Steps = []in_toto.Step{} }, provenance.Invalid, "demands nothing"},
		{"a threshold of none", func(c *chain) { c.layout.Steps[1].Threshold, c.links = 0, c.links[:1] }, provenance.Invalid, "content with 0 links"},
		{"a threshold below none", func(c *chain) { c.layout.Steps[1].Threshold = -1 }, provenance.Invalid, "content with -1"},
		{"a step whose name leads elsewhere", func(c *chain) { c.layout.Steps[0].Name = "../write" }, provenance.Invalid, "none of a file"},
		{"a step whose name is a pattern", func(c *chain) { c.layout.Steps[0].Name = "*" }, provenance.Absent, "has no links"},
		{"a rule that would forbid nothing", func(c *chain) {
			c.layout.Steps[1].ExpectedProducts = [][]string{{"ALLOW", "app.*"}, {"DISALLOW", "[*"}}
		}, provenance.Invalid, "would forbid nothing"},
		{"a match with nothing", func(c *chain) { c.layout.Steps[1].ExpectedMaterials[0][3] = "WHATEVER" }, provenance.Invalid, "neither materials nor products"},
		{"parameters", func(c *chain) {
			c.layout.Steps[1].ExpectedProducts = [][]string{{"DISALLOW", "{SECRET}"}, {"ALLOW", "*"}}
		}, provenance.Unsupported, "{SECRET}"},
		{"an inspection", func(c *chain) {
			c.layout.Inspect = []in_toto.Inspection{{Type: "inspection", Run: []string{"true"}, SupplyChainItem: in_toto.SupplyChainItem{Name: "untar"}}}
		}, provenance.Unsupported, "inspections (untar)"},
		{"an inspection behind a step that does not hold", func(c *chain) {
			c.layout.Inspect = []in_toto.Inspection{{Type: "inspection", Run: []string{"true"}, SupplyChainItem: in_toto.SupplyChainItem{Name: "untar"}}}
			c.link(1).Products["evil.sh"] = digestOf("evil")
		}, provenance.Invalid, "evil.sh"},

		{"a missing link", func(c *chain) { c.links = c.links[:1] }, provenance.Absent, `step "package" has no links`},
		{"a link of a stranger", func(c *chain) { c.links[0].key = newKey(c.t, "ed25519") }, provenance.Invalid, "no key of this step"},
		{"a link of a stranger under another's name", func(c *chain) {
			k := newKey(c.t, "ed25519")
			k.KeyID = c.alice.KeyID
			c.links[0].key = k
		}, provenance.Invalid, "does not hold"},
		{"a link of somebody who may do another step", func(c *chain) { c.links[0].key = c.bob }, provenance.Invalid, "no key of this step"},
		{"the link of another step", func(c *chain) {
			c.layout.Steps[0].PubKeys = append(c.layout.Steps[0].PubKeys, c.bob.KeyID)
			c.links[0] = c.links[1]
			c.links[0].file = fileName("write", c.bob.KeyID)
		}, provenance.Invalid, `it is of the step "package"`},
		{"one of two links", func(c *chain) {
			twoOfTwo(c)
			c.links = c.links[:2]
		}, provenance.Invalid, "needs 2 links"},
		{"one key under two names", func(c *chain) {
			again := c.alice
			again.KeyID = strings.Repeat("cd", 32)
			c.layout.Keys[again.KeyID] = public(again)
			c.layout.Steps[0].PubKeys = append(c.layout.Steps[0].PubKeys, again.KeyID)
			c.layout.Steps[0].Threshold = 2
			c.links = append(c.links, signedLink{step: "write", key: again, payload: c.links[0].payload})
		}, provenance.Invalid, "one key under two names"},
		{"two links that differ", func(c *chain) {
			twoOfTwo(c)
			c.links[2].payload = newLink("write", nil, map[string]string{"app.go": "other code"})
			c.layout.Steps[1].ExpectedMaterials = [][]string{{"ALLOW", "*"}} // whatever was written
		}, provenance.Invalid, "differ in materials or products"},
		{"a key that is none", func(c *chain) {
			k := c.layout.Keys[c.alice.KeyID]
			k.KeyVal.Public = "abcd"
			c.layout.Keys[c.alice.KeyID] = k
		}, provenance.Invalid, "no Ed25519 key"},
		{"a key of the wrong kind", func(c *chain) {
			k := c.layout.Keys[c.bob.KeyID]
			k.KeyType, k.Scheme = "rsa", "rsassa-pss-sha256"
			c.layout.Keys[c.bob.KeyID] = k
		}, provenance.Invalid, "no key of the kind"},
		{"a step for certificates", func(c *chain) {
			c.layout.Steps[0].PubKeys = []string{}
			c.layout.Steps[0].CertificateConstraints = []in_toto.CertificateConstraint{{CommonName: "*", Roots: []string{"*"}}}
		}, provenance.Unsupported, "certificates"},

		{"a material that was changed on its way", func(c *chain) { c.link(1).Materials["app.go"] = digestOf("evil") }, provenance.Invalid, "the material app.go breaks"},
		{"a product that nobody expects", func(c *chain) { c.link(1).Products["evil.sh"] = digestOf("evil") }, provenance.Invalid, "the product evil.sh breaks"},
		{"a product that is not there", func(c *chain) { delete(c.link(1).Products, "app.tar") }, provenance.Invalid, "REQUIRE app.tar"},
		{"one name in two spellings", func(c *chain) { c.link(1).Materials["./app.go"] = digestOf("evil") }, provenance.Invalid, "twice"},
		{"an artifact without a digest", func(c *chain) {
			c.link(0).Products["app.go"], c.link(1).Materials["app.go"] = in_toto.HashObj{}, in_toto.HashObj{}
		}, provenance.Invalid, "no digest"},
		{"an artifact with a digest that binds nothing", func(c *chain) {
			weak := in_toto.HashObj{"md5": strings.Repeat("00", 16)}
			c.link(0).Products["app.go"], c.link(1).Materials["app.go"] = weak, weak
		}, provenance.Invalid, "no digest"},

		{"a sublayout of a stranger", sublayout(func(inner *chain) { inner.owner = newKey(inner.t, "ed25519") }), provenance.Invalid, "no key of this step"},
		{"a sublayout that has expired", sublayout(func(inner *chain) { inner.layout.Expires = "2020-01-01T00:00:00Z" }), provenance.Invalid, "sublayout"},
		{"a sublayout with an inspection", sublayout(func(inner *chain) {
			inner.layout.Inspect = []in_toto.Inspection{{Type: "inspection", Run: []string{"true"}, SupplyChainItem: in_toto.SupplyChainItem{Name: "look"}}}
		}), provenance.Unsupported, "inspections (look)"},
		{"a sublayout without its links", sublayout(func(inner *chain) { inner.links = nil }), provenance.Invalid, "sublayout"},
		{"a sublayout with other products", sublayout(func(inner *chain) {
			inner.link(0).Products["app.go"] = digestOf("evil")
		}), provenance.Invalid, "the material app.go breaks"},
	}
}

func TestVerify(t *testing.T) {
	for _, tt := range supplyChains() {
		t.Run(tt.name, func(t *testing.T) {
			c := newChain(t)
			if tt.change != nil {
				tt.change(c)
			}
			in := c.input(t)
			report, err := Verify(t.Context(), in)
			check(t, err)
			r := report.Result
			if r.State != tt.want || !strings.Contains(r.Reason, tt.reason) {
				t.Fatalf("got %s: %s\nwant %s: …%s…", r.State, r.Reason, tt.want, tt.reason)
			}
			if r.State != provenance.Verified && (r.Reason == "" || r.Hint == "") {
				t.Errorf("no reason (%q) or no hint (%q)", r.Reason, r.Hint)
			}
			again, err := Verify(t.Context(), in)
			check(t, err)
			if again.Result.Reason != r.Reason {
				t.Errorf("the second time the reason is another:\n%s\n%s", r.Reason, again.Result.Reason)
			}
			file, err := report.Artifact(artifact("tar"))
			check(t, err)
			if file.State != r.State {
				t.Errorf("the product is %s: %s", file.State, file.Reason)
			}
			file, err = report.Artifact(artifact("another tar"))
			check(t, err)
			if file.State == provenance.Verified {
				t.Error("a file that is no product is verified")
			}
		})
	}
}

func twoOfTwo(c *chain) {
	carol := newKey(c.t, "ed25519")
	c.layout.Keys[carol.KeyID] = public(carol)
	c.layout.Steps[0].PubKeys = append(c.layout.Steps[0].PubKeys, carol.KeyID)
	c.layout.Steps[0].Threshold = 2
	c.links = append(c.links, signedLink{step: "write", key: carol, payload: c.links[0].payload})
}

// sublayout makes alice's step a layout of its own, with one step of dan's.
func sublayout(change func(inner *chain)) func(*chain) {
	return func(c *chain) {
		inner := newChain(c.t)
		inner.owner = c.alice
		inner.layout.Steps = inner.layout.Steps[:1]
		inner.links = inner.links[:1]
		if change != nil {
			change(inner)
		}
		c.links = c.links[1:]
		c.sublayouts[fileName("write", c.alice.KeyID)] = sign(c.t, inner.layout, false, inner.owner)
		for name, file := range inner.files(c.t) {
			c.sublayouts["write."+short(c.alice.KeyID)+"/"+name] = file.Data
		}
	}
}

// A layout in a layout in a layout ends somewhere.
func TestDepth(t *testing.T) {
	c := newChain(t)
	c.layout.Steps = c.layout.Steps[:1]
	signed := sign(t, c.layout, false, c.alice)
	in := c.input(t)
	links := fstest.MapFS{}
	dir := ""
	for range maxDepth + 3 {
		links[dir+fileName("write", c.alice.KeyID)] = &fstest.MapFile{Data: signed}
		dir += "write." + short(c.alice.KeyID) + "/"
	}
	in.Links = links
	report, err := Verify(t.Context(), in)
	check(t, err)
	if report.Result.State != provenance.Invalid || !strings.Contains(report.Result.Reason, "deeper") {
		t.Errorf("got %s: %s", report.Result.State, report.Result.Reason)
	}
}

// What lies beside good links does not change the answer, and is named.
func TestWarnings(t *testing.T) {
	c := newChain(t)
	c.links = append(c.links, signedLink{step: "write", key: newKey(t, "ed25519"), payload: c.links[0].payload})
	l := c.link(1)
	l.Command = []string{"curl", "evil.example"}
	c.links[1].payload = l
	in := c.input(t)
	folder := c.files(t)
	in.Links = folder
	folder["package.00000000.link"] = &fstest.MapFile{Data: []byte("{")}
	folder["package.11111111.link"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	folder["notes.txt"] = &fstest.MapFile{Data: []byte("hello")}
	report, err := Verify(t.Context(), in)
	check(t, err)
	if report.Result.State != provenance.Verified {
		t.Fatalf("got %s: %s", report.Result.State, report.Result.Reason)
	}
	all := strings.Join(report.Warnings, "\n")
	for _, want := range []string{"no key of this step", "package.00000000.link", "package.11111111.link", "another command"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning says %q:\n%s", want, all)
		}
	}
}

func TestUnreadable(t *testing.T) {
	c := newChain(t)
	good := c.input(t)
	tests := map[string]string{
		"":          "",
		"{":         "{",
		"no layout": "{}",
		"a list":    "[]",
		"a link":    string(sign(t, c.link(0), false, c.owner)),
		"repeated":  strings.Replace(string(good.Data), `"signed":`, `"signed": {}, "signed":`, 1),
		"other key": strings.Replace(string(good.Data), `"readme":`, `"Readme":`, 1),
		"unknown":   strings.Replace(string(good.Data), `"readme":`, `"more": 1, "readme":`, 1),
		"statement": `{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}`,
		"other":     `{"payloadType":"text/plain","payload":"e30=","signatures":[]}`,
		"empty rule": strings.Replace(string(good.Data), `[
            "CREATE",
            "app.go"
          ]`, `[]`, 1),
		"huge": strings.Repeat(" ", MaxFileSize+1),
	}
	for name, data := range tests {
		in := good
		in.Data = []byte(data)
		_, err := Verify(t.Context(), in)
		if e, ok := errors.AsType[*provenance.EvidenceError](err); !ok || e.Hint == "" || e.File != in.Name {
			t.Errorf("%s: got %v", name, err)
		}
	}
	in := good
	in.Keys = nil
	if _, err := Verify(t.Context(), in); err == nil {
		t.Error("a layout that nobody has to have signed is accepted")
	}
}

// Every bit of a layout and of its links counts.
func TestChangedBytes(t *testing.T) {
	for _, inEnvelope := range []bool{false, true} {
		c := newChain(t)
		c.dsse = inEnvelope
		in := c.input(t)
		files := c.files(t)
		in.Links = files
		judge := func(name string, replace func([]byte) bool) {
			for i := range 400 {
				changed := func(data []byte) []byte {
					out := append([]byte{}, data...)
					at := i * len(data) / 400
					out[at] ^= 1 << (i % 7)
					if at > bytes.Index(data, []byte(`"signatures"`)) {
						return nil // a signature's name proves nothing, and its digits have two spellings
					}
					var a, b any
					if json.Unmarshal(data, &a) == nil && json.Unmarshal(out, &b) == nil {
						x, _ := json.Marshal(a)
						y, _ := json.Marshal(b)
						if string(x) == string(y) {
							return nil // only blanks differ
						}
					}
					return out
				}
				var data []byte
				if name == "" {
					data = changed(in.Data)
				} else {
					data = changed(files[name].Data)
				}
				if data != nil && replace(data) {
					t.Errorf("%q with byte %d changed is verified (envelope: %v)", name, i, inEnvelope)
				}
			}
		}
		verified := func(in Layout) bool {
			report, err := Verify(t.Context(), in)
			return err == nil && report.Result.State == provenance.Verified
		}
		if !verified(in) {
			t.Fatal("it is not verified to begin with")
		}
		judge("", func(data []byte) bool {
			changed := in
			changed.Data = data
			return verified(changed)
		})
		for name := range files {
			judge(name, func(data []byte) bool {
				changed := in
				other := fstest.MapFS{name: {Data: data}}
				for n, f := range files {
					if n != name {
						other[n] = f
					}
				}
				changed.Links = other
				return verified(changed)
			})
		}
	}
}

func TestParseKey(t *testing.T) {
	private := newKey(t, "ecdsa").KeyVal.Private
	good := newKey(t, "ecdsa").KeyVal.Public
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // it has to be refused
	check(t, err)
	der, err := x509.MarshalPKIXPublicKey(weak.Public())
	check(t, err)
	for name, tt := range map[string]struct {
		data string
		ok   bool
	}{
		"public":  {good, true},
		"private": {private, false},
		"two":     {good + "\n" + good, false},
		"nothing": {"", false},
		"garbage": {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", false},
		"weak":    {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), false},
	} {
		_, err := ParseKey([]byte(tt.data), "owner.pub")
		if _, typed := errors.AsType[*provenance.EvidenceError](err); (err == nil) != tt.ok || err != nil && !typed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The layouts of in-toto-golang's own tests, in both forms.
func TestReal(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/in-toto/in-toto-golang").Output()
	check(t, err)
	dir := filepath.Join(strings.TrimSpace(string(out)), "test", "data")
	keyData, err := os.ReadFile(filepath.Join(dir, "alice.pub"))
	check(t, err)
	key, err := ParseKey(keyData, "alice.pub")
	check(t, err)
	for name, want := range map[string]provenance.State{
		"demo.layout":           provenance.Unsupported, // it has an inspection
		"demo.dsse.layout":      provenance.Unsupported,
		"dsse-only.root.layout": provenance.Verified,
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		report, err := Verify(t.Context(), Layout{Name: name, Data: data, Keys: []Key{key}, Links: os.DirFS(dir), Now: now})
		check(t, err)
		if report.Result.State != want {
			t.Errorf("%s: %s: %s", name, report.Result.State, report.Result.Reason)
		}
	}
}

// Patterns that the library cannot read are those that are refused.
func TestReadable(t *testing.T) {
	for _, p := range []string{"*", "a*b", "[ab]", "[!ab]", "[^a]", "[a-z]*", `\[`, `[\]]`, `\*`, "[]x", "a]", "[!a-z]?"} {
		if got, want := readable(p), p != "[]x"; got != want {
			t.Errorf("readable(%q) = %v", p, got)
		}
	}
	for _, p := range []string{"[", "[*", "[a", "[a-", "[a-]", "[]", "[]a]", "[!]", "[!", `\`, `[\`, "x[", "[-a]", "[\xff]"} {
		if readable(p) {
			t.Errorf("readable(%q)", p)
		}
	}
}

func FuzzParse(f *testing.F) {
	c := newChain(f)
	f.Add(sign(f, c.layout, false, c.owner))
	f.Add(sign(f, c.layout, true, c.owner))
	f.Add(sign(f, c.link(0), false, c.alice))
	f.Add([]byte(`{"signed":{"_type":"layout"},"signatures":[]}`))
	stranger := newKey(f, "ed25519")
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := parse(data)
		if err != nil {
			return
		}
		if doc.VerifySignature(stranger) == nil {
			t.Error("it is signed with a key that signed nothing")
		}
		report, err := Verify(t.Context(), Layout{Name: "x", Data: data, Keys: []Key{{key: public(stranger)}}, Links: fstest.MapFS{}, Now: now})
		if err == nil && report.Result.State == provenance.Verified {
			t.Error("it is verified")
		}
	})
}

// FuzzReadable holds what is said to be readable against the library: it prints
// nothing about such a pattern, and matches a name with it or not.
func FuzzReadable(f *testing.F) {
	for _, p := range []string{"*", "[ab]", "[!a]", "[^a]", `\[`, "[a-z]", "[]", "[!]", "[a-]"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if !readable(p) {
			return
		}
		// A class is closed, so the pattern alone decides: behind it, one more star
		// matches whatever it matches.
		if in_toto.NewSet("x").Filter(p).Has("x") && !in_toto.NewSet("x").Filter(p+"*").Has("x") {
			t.Errorf("%q is said to be readable", p)
		}
	})
}
