package provenance

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countermark/sbom"
)

func TestSubjects(t *testing.T) {
	server := func(name string, s sbom.Server) *sbom.Component {
		return &sbom.Component{Ref: "mcp:.mcp.json#" + name, Type: sbom.Application, Name: name, Server: &s}
	}
	hash := []sbom.Hash{{Algorithm: "sha512", Value: "ab"}}
	inv := &sbom.Inventory{Root: &sbom.Component{Ref: "project"}, Components: []*sbom.Component{
		{Ref: "pkg:npm/a@1.0.0", PURL: "pkg:npm/a@1.0.0", Type: sbom.Library, Ecosystem: sbom.NPM, Name: "a", Version: "1.0.0", Source: sbom.FromRegistry, Hashes: hash},
		{Ref: "pinned", Ecosystem: sbom.NPM, Name: "b", Version: "2.0.0"},
		{Ref: "floating", Ecosystem: sbom.NPM, Name: "b"},
		{Ref: "bundled", Ecosystem: sbom.NPM, Name: "c", Version: "1.0.0", Source: sbom.FromParent},
		{Ref: "git", Ecosystem: sbom.NPM, Name: "d", Version: "1.0.0", Source: sbom.FromGit},
		{Ref: "file", Ecosystem: sbom.NPM, Name: "e", Version: "1.0.0", Source: sbom.FromFile},
		{Ref: "link", Ecosystem: sbom.NPM, Name: "f", Source: sbom.FromLink},
		{Ref: "tarball", Ecosystem: sbom.NPM, Name: "g", Version: "1.0.0", Source: sbom.FromTarball, Hashes: hash},
		{Ref: "pypi", Ecosystem: sbom.PyPI, Name: "h", Version: "1.0.0"},
		{Ref: "chosen", Ecosystem: sbom.PyPI, Name: "l", Version: "1.0.0"},
		{Ref: "image", Type: sbom.Container, Ecosystem: sbom.OCI, Name: "i"},
		{Ref: "pinned image", Type: sbom.Container, Ecosystem: sbom.OCI, Name: "i", Version: "sha256:" + strings.Repeat("0a", 32)},
		{Ref: "other", Name: "j", Version: "1"},
		{Ref: "member", Ecosystem: sbom.NPM, Name: "k", Version: "1.0.0", Source: sbom.FromProject},
		{Ref: "mcp:.mcp.json", Type: sbom.FileType, Name: ".mcp.json"},
		server("npx", sbom.Server{Kind: sbom.KindNPM, Launches: []sbom.Launch{{Ref: "pinned", Kind: sbom.KindNPM}}}),
		server("uvx", sbom.Server{Kind: sbom.KindPyPI, Launches: []sbom.Launch{{Ref: "chosen", Kind: sbom.KindPyPI}}, Risks: []sbom.Risk{{Code: sbom.RiskRegistry}}}),
		server("local", sbom.Server{Kind: sbom.KindLocal, Launches: []sbom.Launch{{Kind: sbom.KindLocal}}}),
		server("wrapped", sbom.Server{Kind: sbom.KindBinary, Launches: []sbom.Launch{{Kind: sbom.KindBinary}, {Ref: "pinned", Kind: sbom.KindNPM, Nested: true}}}),
		server("script", sbom.Server{Kind: sbom.KindShellScript, Reason: "two commands"}),
		server("odd", sbom.Server{Kind: "odd"}),
		server("remote", sbom.Server{Kind: sbom.KindRemote, Launches: []sbom.Launch{{Kind: sbom.KindRemote}}}),
		server("service", sbom.Server{Kind: sbom.KindRemote, Launches: []sbom.Launch{{Ref: "service", Kind: sbom.KindRemote}}}),
		server("builtin", sbom.Server{Kind: sbom.KindBuiltin}),
	}}
	type row struct{ Ref, DigestFrom, Unsupported string }
	var got []row
	for _, s := range Subjects(inv) {
		got = append(got, row{s.Ref, s.DigestFrom, s.Unsupported})
	}
	want := []row{
		{"pkg:npm/a@1.0.0", "lockfile", ""},
		{"pinned", "", ""},
		{"floating", "", "a floating spec: no version is pinned"},
		{"bundled", "", "bundled inside another package's tarball, which is proven in its place"},
		{"git", "", "a git dependency: its bytes are built on this machine"},
		{"file", "", "a local file or folder"},
		{"link", "", "a link to a local folder"},
		{"tarball", "lockfile", "a tarball from a URL that is no registry's"},
		{"pypi", "", ""},
		{"chosen", "", "its launch chooses an index of its own, which nobody asks"},
		{"image", "", "a tag, which can name another image at any time: no digest is pinned"},
		{"pinned image", "configuration", ""},
		{"other", "", "it is no package of a registry"},
		{"mcp:.mcp.json#local", "", "a local path"},
		{"mcp:.mcp.json#wrapped", "", "a program of this machine"},
		{"mcp:.mcp.json#script", "", "a shell script that was not analysed: two commands"},
		{"mcp:.mcp.json#odd", "", `a launch of the kind "odd" cannot be attested yet`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s := Subjects(inv)[0]; s.Name != "a" || s.Version != "1.0.0" || s.PURL != "pkg:npm/a@1.0.0" || s.Digests[0] != (Digest{"sha512", "ab"}) {
		t.Errorf("got %+v", s)
	}
}

// TestLaunchRegistries: a subject knows each registry from which a launch or a
// lockfile has it fetched.
func TestLaunchRegistries(t *testing.T) {
	const own = "https://npm.acme.example/"
	launch := func(ref string, urls ...string) *sbom.Component {
		s := &sbom.Server{Kind: sbom.KindNPM, Launches: []sbom.Launch{{Ref: ref, Kind: sbom.KindNPM}}}
		for _, url := range urls {
			s.Risks = append(s.Risks, sbom.Risk{Code: sbom.RiskRegistry, URL: url})
		}
		return &sbom.Component{Ref: "mcp:" + ref, Type: sbom.Application, Server: s}
	}
	inv := &sbom.Inventory{Components: []*sbom.Component{
		{Ref: "plain", Ecosystem: sbom.NPM, Name: "a", Version: "1.0.0"}, launch("plain"),
		{Ref: "one", Ecosystem: sbom.NPM, Name: "a", Version: "1.0.1"}, launch("one", own),
		{Ref: "floating", Ecosystem: sbom.NPM, Name: "a"}, launch("floating", own),
		{Ref: "both", Ecosystem: sbom.NPM, Name: "a", Version: "1.0.2"}, launch("both", own), launch("both"),
		{Ref: "locked", Ecosystem: sbom.NPM, Name: "a", Version: "1.0.3", Hashes: []sbom.Hash{{Algorithm: "sha512", Value: "ab"}}}, launch("locked", own),
		{Ref: "hidden", Ecosystem: sbom.NPM, Name: "a", Version: "1.0.4"}, launch("hidden", ""),
	}}
	got := map[string][]string{}
	for _, s := range Subjects(inv) {
		got[s.Ref] = s.Registries
	}
	want := map[string][]string{"plain": nil, "one": {own}, "floating": {own}, "both": {own, ""}, "locked": {own, ""}, "hidden": {sbom.Redacted}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
