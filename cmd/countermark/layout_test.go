package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"
)

// supplyChain is a folder with a signed layout of one step, its link, the keys and
// what the step made.
type supplyChain struct {
	t      *testing.T
	dir    string
	owner  in_toto.Key
	maker  in_toto.Key
	layout in_toto.Layout
	link   in_toto.Link
	env    []string
}

func newSupplyChain(t *testing.T) *supplyChain {
	t.Helper()
	s := &supplyChain{t: t, dir: t.TempDir()}
	s.owner, s.maker = s.key("owner"), s.key("maker")
	sum := sha256.Sum256([]byte("app"))
	public := s.maker
	public.KeyVal.Private = ""
	s.layout = in_toto.Layout{
		Type: "layout", Expires: "2027-01-01T00:00:00Z", Inspect: []in_toto.Inspection{}, Keys: map[string]in_toto.Key{s.maker.KeyID: public},
		Steps: []in_toto.Step{{
			Type: "step", PubKeys: []string{s.maker.KeyID}, ExpectedCommand: []string{"make"}, Threshold: 1,
			SupplyChainItem: in_toto.SupplyChainItem{Name: "build", ExpectedMaterials: [][]string{}, ExpectedProducts: [][]string{{"CREATE", "app"}, {"DISALLOW", "*"}}},
		}},
	}
	s.link = in_toto.Link{
		Type: "link", Name: "build", Materials: map[string]in_toto.HashObj{}, Products: map[string]in_toto.HashObj{"app": {"sha256": hex.EncodeToString(sum[:])}},
		ByProducts: map[string]any{}, Command: []string{"make"}, Environment: map[string]any{},
	}
	s.file("app", []byte("app"))
	s.file("other", []byte("other"))
	s.file("empty/nothing", nil)
	return s
}

func (s *supplyChain) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *supplyChain) file(name string, data []byte) {
	s.t.Helper()
	name = filepath.Join(s.dir, filepath.FromSlash(name))
	s.ok(os.MkdirAll(filepath.Dir(name), 0o700))
	s.ok(os.WriteFile(name, data, 0o600))
}

func (s *supplyChain) key(name string) in_toto.Key {
	s.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	s.ok(err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	s.ok(err)
	var k in_toto.Key
	s.ok(k.LoadKeyReaderDefaults(bytes.NewReader(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))))
	s.file(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	der, err = x509.MarshalPKIXPublicKey(public)
	s.ok(err)
	s.file(name+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return k
}

func (s *supplyChain) sign(name string, payload any, key in_toto.Key) {
	s.t.Helper()
	block := in_toto.Metablock{Signed: payload, Signatures: []in_toto.Signature{}}
	s.ok(block.Sign(key))
	data, err := json.Marshal(block)
	s.ok(err)
	s.file(name, data)
}

// verify signs everything and runs verify with the arguments, in which @ is the
// folder. It returns what was written.
func (s *supplyChain) verify(code int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	s.sign("root.layout", s.layout, s.owner)
	s.sign("links/build."+s.maker.KeyID[:8]+".link", s.link, s.maker)
	var out, messages bytes.Buffer
	p := &program{
		stdin: strings.NewReader(""), stdout: &out, stderr: &messages, environ: s.env,
		home: func() (string, error) { return s.dir, nil }, here: os.Getwd,
		now: func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) },
	}
	line := []string{"verify"}
	for _, arg := range args {
		line = append(line, strings.ReplaceAll(arg, "@", s.dir+string(filepath.Separator)))
	}
	if got := p.run(s.t.Context(), line); got != code {
		s.t.Errorf("%s\nexit code %d, want %d\n%s%s", strings.Join(line, " "), got, code, &out, &messages)
	}
	return out.String(), messages.String()
}

func TestVerifyLayout(t *testing.T) {
	base := []string{"--layout", "@root.layout", "--layout-keys", "@owner.pub", "--link-dir", "@links"}
	with := func(args ...string) []string { return append(append([]string{}, base...), args...) }
	sum := sha256.Sum256([]byte("app"))
	tests := []struct {
		name   string
		change func(s *supplyChain)
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{name: "the layout alone", args: base, stdout: "VERIFIED"},
		{name: "a product", args: with("@app"), stdout: "VERIFIED"},
		{name: "a digest", args: with("sha256:" + hex.EncodeToString(sum[:])), stdout: "VERIFIED"},
		{name: "as JSON", args: with("@app", "--format", "json"), stdout: `"final-product"`},
		{name: "every check", args: with("@app", "-v"), stdout: "step-threshold"},
		{name: "quiet", args: with("-q")},

		{name: "no product", args: with("@app", "@other"), code: exitFail, stdout: "INVALID"},
		{name: "no product, by another kind of digest", args: with("sha512:" + strings.Repeat("00", 64)), code: exitFail, stdout: "INVALID"},
		{name: "another key", args: []string{"--layout", "@root.layout", "--layout-keys", "@maker.pub", "--link-dir", "@links"}, code: exitFail, stdout: "is not signed"},
		{name: "one of two keys", args: with("--layout-keys", "@maker.pub"), code: exitFail, stdout: "is not signed"},
		{name: "no links", args: []string{"--layout", "@root.layout", "--layout-keys", "@owner.pub", "--link-dir", "@empty"}, code: exitFail, stdout: "ABSENT"},
		{name: "expired", change: func(s *supplyChain) { s.layout.Expires = "2026-05-31T23:59:59Z" }, args: base, code: exitFail, stdout: "expired"},
		{name: "rules", change: func(s *supplyChain) { s.link.Products["evil\x1b[2J"] = s.link.Products["app"] }, args: base, code: exitFail, stdout: "breaks the rule"},

		{name: "no key", args: []string{"--layout", "@root.layout", "--link-dir", "@links"}, code: exitUsage, stderr: "--layout-keys"},
		{name: "no layout", args: []string{"--layout-keys", "@owner.pub", "@app"}, code: exitUsage, stderr: "--layout"},
		{name: "a private key", args: []string{"--layout", "@root.layout", "--layout-keys", "@owner", "--link-dir", "@links"}, code: exitUsage, stderr: "PUBLIC KEY"},
		{name: "a layout that is none", args: []string{"--layout", "@app", "--layout-keys", "@owner.pub", "--link-dir", "@links"}, code: exitUsage, stderr: "no in-toto layout"},
		{name: "a layout that is not there", args: []string{"--layout", "@none", "--layout-keys", "@owner.pub"}, code: exitUsage, stderr: "none"},
		{name: "a key that is not there", args: []string{"--layout", "@root.layout", "--layout-keys", "@none"}, code: exitUsage, stderr: "none"},
		{name: "a folder that is not there", args: []string{"--layout", "@root.layout", "--layout-keys", "@owner.pub", "--link-dir", "@none"}, code: exitUsage, stderr: "none"},
		{name: "a file in place of the folder", args: []string{"--layout", "@root.layout", "--layout-keys", "@owner.pub", "--link-dir", "@app"}, code: exitUsage, stderr: "app"},
		{name: "a device in place of the folder", args: []string{"--layout", "@root.layout", "--layout-keys", "@owner.pub", "--link-dir", os.DevNull}, code: exitUsage, stderr: "it is not a folder"},
		{name: "a subject that is not there", args: with("@none"), code: exitUsage, stderr: "no such file"},
		{name: "a demand that means nothing", args: with("--source-uri", "https://github.com/acme/app"), code: exitUsage, stderr: "--source-uri means nothing for a layout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSupplyChain(t)
			if tt.change != nil {
				tt.change(s)
			}
			stdout, stderr := s.verify(tt.code, tt.args...)
			if !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("standard output %q, want %q\nstandard error %q, want %q", stdout, tt.stdout, stderr, tt.stderr)
			}
			if strings.Contains(stdout, "\x1b") {
				t.Error("an escape sequence of a link reaches the terminal")
			}
			if tt.code == exitUsage && !strings.Contains(stderr, "hint: ") {
				t.Errorf("no hint: %q", stderr)
			}
		})
	}
}

// An inspection is a command. It is named and not started, in a layout and in a
// layout in it.
func TestInspectionsAreNotRun(t *testing.T) {
	s := newSupplyChain(t)
	ran := filepath.Join(s.dir, "ran")
	self, err := os.Executable()
	s.ok(err)
	for _, run := range [][]string{{"touch", ran}, {"sh", "-c", "echo > '" + ran + "'"}, {self, "-test.run=NONE", "-test.testlogfile=" + ran}} {
		s.layout.Inspect = append(s.layout.Inspect, in_toto.Inspection{
			Type: "inspection", Run: run,
			SupplyChainItem: in_toto.SupplyChainItem{Name: "look" + string(rune('0'+len(s.layout.Inspect))), ExpectedMaterials: [][]string{}, ExpectedProducts: [][]string{}},
		})
	}
	args := []string{"--layout", "@root.layout", "--layout-keys", "@owner.pub", "--link-dir", "@links"}
	stdout, _ := s.verify(exitFail, args...)
	if !strings.Contains(stdout, "UNSUPPORTED") || !strings.Contains(stdout, "look0, look1, look2") {
		t.Errorf("the inspections are not named:\n%s", stdout)
	}
	inner := s.layout
	s.layout.Inspect = []in_toto.Inspection{}
	s.sign("links/build."+s.maker.KeyID[:8]+"/build."+s.maker.KeyID[:8]+".link", s.link, s.maker)
	s.sign("sublinks/build."+s.maker.KeyID[:8]+".link", inner, s.maker)
	s.ok(os.Rename(filepath.Join(s.dir, "links", "build."+s.maker.KeyID[:8]), filepath.Join(s.dir, "sublinks", "build."+s.maker.KeyID[:8])))
	args[5] = "@sublinks"
	stdout, _ = s.verify(exitFail, args...)
	if !strings.Contains(stdout, "UNSUPPORTED") || !strings.Contains(stdout, "sublayout") {
		t.Errorf("the sublayout's inspections are not named:\n%s", stdout)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("an inspection was run")
	}
}

// A layout that has expired is no less so for a variable of the build system, or it
// is said.
func TestLayoutAtAnotherTime(t *testing.T) {
	s := newSupplyChain(t)
	s.layout.Expires = "2026-01-01T00:00:00Z"
	args := []string{"--layout", "@root.layout", "--layout-keys", "@owner.pub", "--link-dir", "@links"}
	if _, stderr := s.verify(exitFail, args...); stderr != "" {
		t.Errorf("stderr: %s", stderr)
	}
	s.env = []string{"SOURCE_DATE_EPOCH=1700000000"}
	if _, stderr := s.verify(exitPass, args...); !strings.Contains(stderr, "is judged as of 2023-11-14T22:13:20Z, which SOURCE_DATE_EPOCH says") || !strings.Contains(stderr, "hint: unset SOURCE_DATE_EPOCH") {
		t.Errorf("stderr: %s", stderr)
	}
}
