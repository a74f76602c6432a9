package node

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"countermark/sbom"
	"countermark/schemas/official"
)

var update = flag.Bool("update", false, "rewrite golden files")

// archive returns the files of a txtar file.
func archive(t testing.TB, name string) map[string]string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range a.Files {
		files[f.Name] = string(f.Data)
	}
	return files
}

// pnpmVersions are the versions of pnpm whose lockfile and own answer lie in
// testdata/pnpm, and the archive of the workspace's other files.
var pnpmVersions = []struct{ version, files string }{{"9", "9"}, {"8", "7"}, {"7", "7"}}

func pnpmWorkspaceFiles(t testing.TB, version, files string) map[string]string {
	t.Helper()
	tree := archive(t, "pnpm/workspace"+files+".txtar")
	tree[PNPMLock] = string(gunzip(t, "pnpm/lock"+version+".yaml.gz"))
	return tree
}

// TestSameAsPNPM compares the inventory of a workspace of 700 packages with what
// pnpm's own code says of the same lockfile, in its three formats.
func TestSameAsPNPM(t *testing.T) {
	for _, v := range pnpmVersions {
		t.Run(v.version, func(t *testing.T) {
			inv := scan(t, pnpmWorkspaceFiles(t, v.version, v.files))
			wantProblems(t, inv)
			id := func(c *sbom.Component) string { return c.Name + "@" + c.Version }
			got := []string{"package " + id(inv.Root)}
			for _, c := range inv.Components {
				got = append(got, "package "+id(c))
				if c.Development {
					got = append(got, "development "+id(c))
				}
				if c.Extraneous || c.Conflict != "" || c.Coverage != sbom.CompleteCoverage {
					t.Errorf("%s: extraneous %v, conflict %q, coverage %q", c.Ref, c.Extraneous, c.Conflict, c.Coverage)
				}
				if c.Source == sbom.FromRegistry && len(c.Hashes) == 0 {
					t.Errorf("%s has no hash", c.Ref)
				}
			}
			for from, to := range inv.Edges {
				for _, to := range to {
					got = append(got, "edge "+id(inv.Component(from))+" "+id(inv.Component(to)))
				}
			}
			slices.Sort(got)
			var want []string
			for line := range strings.Lines(string(gunzip(t, "pnpm/says"+v.version+".txt.gz"))) {
				if !strings.HasPrefix(line, "optional ") { // of single instances: see TestSameMarksAsPNPM
					want = append(want, strings.TrimSpace(line))
				}
			}
			if len(want) < 2500 {
				t.Errorf("pnpm says only %d things", len(want))
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("-pnpm +countermark:\n%s", diff)
			}
			if c := component(t, inv, "pkg:npm/ms@2.1.3"); !slices.Equal(c.Patches, []sbom.Patch{{Path: "patches/ms.patch"}}) {
				t.Errorf("patches of ms: %v", c.Patches)
			}
		})
	}
}

// TestSameMarksAsPNPM compares the marks of every single instance with those that
// pnpm wrote.
func TestSameMarksAsPNPM(t *testing.T) {
	for _, v := range pnpmVersions {
		t.Run(v.version, func(t *testing.T) {
			data := gunzip(t, "pnpm/lock"+v.version+".yaml.gz")
			p := &projects{folders: map[string]*folder{}}
			l := p.readPNPM(&sbom.File{Path: PNPMLock, Data: data}, &folder{})
			needed := l.reach([]edgeKind{prodEdge, devEdge}, []edgeKind{prodEdge})
			optional := 0
			for i, pkg := range l.packages {
				if needed[i] == pkg.flagOptional {
					t.Errorf("%s: pnpm says that it is optional: %v", pkg.key, pkg.flagOptional)
				}
				if pkg.flagOptional {
					optional++
				}
			}
			if optional < 90 {
				t.Errorf("only %d are optional", optional)
			}
		})
	}
}

// pnpm9 is a lockfile with something of everything.
const pnpm9 = `lockfileVersion: '9.0'

settings:
  autoInstallPeers: true

catalogs:
  default:
    cat:
      specifier: ^1.0.0
      version: 1.0.0

overrides:
  deep: 2.0.0

patchedDependencies:
  plain@1.0.0:
    hash: abc
    path: patches/plain.patch

importers:

  .:
    dependencies:
      alias:
        specifier: npm:@s/real@^1
        version: '@s/real@1.2.3'
      cat:
        specifier: 'catalog:'
        version: 1.0.0
      git:
        specifier: git+https://hunter2@host.example/git.git
        version: git+https://hunter2@host.example/git.git#0123456789abcdef0123456789abcdef01234567
      hub:
        specifier: github:owner/hub
        version: https://codeload.github.com/owner/hub/tar.gz/0123456789abcdef0123456789abcdef01234567
      member:
        specifier: workspace:*
        version: link:packages/member
      tar:
        specifier: https://files.example/tar.tgz
        version: https://files.example/tar.tgz
    optionalDependencies:
      native:
        specifier: ^1.0.0
        version: 1.0.0
    devDependencies:
      tool:
        specifier: ^1.0.0
        version: 1.0.0(plain@1.0.0(patch_hash=abc))

  packages/member:
    dependencies:
      inj:
        specifier: workspace:*
        version: file:packages/inj(plain@2.0.0)
      plain:
        specifier: ^2.0.0
        version: 2.0.0
      tool:
        specifier: ^1.0.0
        version: 1.0.0(plain@2.0.0)

  packages/inj:
    devDependencies:
      plain:
        specifier: ^1.0.0
        version: 1.0.0(patch_hash=abc)

packages:

  '@s/real@1.2.3':
    resolution: {integrity: SRI}
    deprecated: use https://hunter2@host.example/ instead

  cat@1.0.0:
    resolution: {integrity: SRI}
    bundledDependencies:
      - inside

  deep@2.0.0:
    resolution: {integrity: SRI}

  git@git+https://hunter2@host.example/git.git#0123456789abcdef0123456789abcdef01234567:
    resolution: {commit: 0123456789abcdef0123456789abcdef01234567, repo: https://hunter2@host.example/git.git, type: git}
    version: 0.1.0

  hub@https://codeload.github.com/owner/hub/tar.gz/0123456789abcdef0123456789abcdef01234567:
    resolution: {tarball: https://codeload.github.com/owner/hub/tar.gz/0123456789abcdef0123456789abcdef01234567}
    version: 0.2.0

  inj@file:packages/inj:
    resolution: {directory: packages/inj, type: directory}
    peerDependencies:
      plain: '*'

  native@1.0.0:
    resolution: {integrity: SRI}
    cpu: [x64]
    os: [linux]

  plain@1.0.0:
    resolution: {integrity: SRI}

  plain@2.0.0:
    resolution: {integrity: SRI}

  tar@https://files.example/tar.tgz:
    resolution: {integrity: SRI, tarball: https://files.example/tar.tgz}
    version: 0.3.0

  tool@1.0.0:
    resolution: {integrity: SRI, tarball: https://hunter2@registry.example/tool/-/tool-1.0.0.tgz}
    hasBin: true
    peerDependencies:
      plain: '*'

  zlast@1.0.0:
    resolution: {integrity: SRI}

snapshots:

  '@s/real@1.2.3':
    dependencies:
      deep: 2.0.0

  cat@1.0.0: {}

  deep@2.0.0:
    dependencies:
      other-name: '@s/real@1.2.3'

  git@git+https://hunter2@host.example/git.git#0123456789abcdef0123456789abcdef01234567: {}

  hub@https://codeload.github.com/owner/hub/tar.gz/0123456789abcdef0123456789abcdef01234567: {}

  inj@file:packages/inj(plain@2.0.0):
    dependencies:
      plain: 2.0.0

  native@1.0.0:
    dependencies:
      zlast: 1.0.0
    optional: true

  plain@1.0.0(patch_hash=abc): {}

  plain@2.0.0: {}

  tar@https://files.example/tar.tgz: {}

  tool@1.0.0(plain@1.0.0(patch_hash=abc)):
    dependencies:
      plain: 1.0.0(patch_hash=abc)

  tool@1.0.0(plain@2.0.0):
    dependencies:
      plain: 2.0.0

  zlast@1.0.0:
    optional: true
`

func pnpm9Files() map[string]string {
	return map[string]string{
		PNPMLock: strings.ReplaceAll(pnpm9, "SRI", sri),
		pnpmWorkspace: "packages: [packages/*]\ncatalog: {cat: ^1.0.0}\noverrides: {deep: 2.0.0}\n" +
			"patchedDependencies: {plain@1.0.0: patches/plain.patch}\n",
		"package.json": `{"name": "app", "version": "1.0.0", "dependencies": {"alias": "npm:@s/real@^1", "cat": "catalog:",
			"git": "git+https://hunter2@host.example/git.git", "hub": "github:owner/hub", "member": "workspace:*", "tar": "https://files.example/tar.tgz"},
			"optionalDependencies": {"native": "^1.0.0"}, "devDependencies": {"tool": "^1.0.0"}}`,
		"packages/member/package.json": `{"name": "member", "version": "1.1.0", "private": true, "dependencies": {"inj": "workspace:*", "plain": "^2.0.0", "tool": "^1.0.0"}}`,
		"packages/inj/package.json":    `{"name": "inj", "version": "1.2.0", "devDependencies": {"plain": "^1.0.0"}, "peerDependencies": {"plain": "*"}}`,
	}
}

const (
	pnpmGit = "pkg:npm/git@0.1.0?vcs_url=git%2Bhttps:%2F%2Fhost.example%2Fgit.git%230123456789abcdef0123456789abcdef01234567"
	pnpmHub = "pkg:npm/hub@0.2.0?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fowner%2Fhub.git%230123456789abcdef0123456789abcdef01234567"
	pnpmTar = "pkg:npm/tar@0.3.0?download_url=https:%2F%2Ffiles.example%2Ftar.tgz"
)

func TestReadPNPM(t *testing.T) {
	inv := scan(t, pnpm9Files())
	wantProblems(t, inv, `pnpm-lock.yaml:77: warning: "cat@1.0.0" brings packages along`)
	wantEdges(t, inv,
		"pkg:npm/%40s/real@1.2.3 -> pkg:npm/deep@2.0.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/%40s/real@1.2.3",
		"pkg:npm/app@1.0.0 -> pkg:npm/cat@1.0.0",
		"pkg:npm/app@1.0.0 -> "+pnpmGit,
		"pkg:npm/app@1.0.0 -> "+pnpmHub,
		"pkg:npm/app@1.0.0 -> pkg:npm/inj@1.2.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/member@1.1.0",
		"pkg:npm/app@1.0.0 -> pkg:npm/native@1.0.0",
		"pkg:npm/app@1.0.0 -> "+pnpmTar,
		"pkg:npm/app@1.0.0 -> pkg:npm/tool@1.0.0",
		"pkg:npm/deep@2.0.0 -> pkg:npm/%40s/real@1.2.3",
		"pkg:npm/inj@1.2.0 -> pkg:npm/plain@1.0.0",
		"pkg:npm/inj@1.2.0 -> pkg:npm/plain@2.0.0",
		"pkg:npm/member@1.1.0 -> pkg:npm/inj@1.2.0",
		"pkg:npm/member@1.1.0 -> pkg:npm/plain@2.0.0",
		"pkg:npm/member@1.1.0 -> pkg:npm/tool@1.0.0",
		"pkg:npm/native@1.0.0 -> pkg:npm/zlast@1.0.0",
		"pkg:npm/tool@1.0.0 -> pkg:npm/plain@1.0.0",
		"pkg:npm/tool@1.0.0 -> pkg:npm/plain@2.0.0",
	)
	scopes := map[string]sbom.Scope{}
	for _, c := range inv.Components {
		scopes[c.Name+"@"+c.Version] = c.Scope
	}
	want := map[string]sbom.Scope{
		"@s/real@1.2.3": "required", "cat@1.0.0": "required", "deep@2.0.0": "required", "git@0.1.0": "required", "hub@0.2.0": "required",
		"inj@1.2.0": "required", "member@1.1.0": "required", "native@1.0.0": "optional", "plain@1.0.0": "excluded", "plain@2.0.0": "required",
		"tar@0.3.0": "required", "tool@1.0.0": "required", "zlast@1.0.0": "optional",
	}
	if diff := gocmp.Diff(want, scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	tool := component(t, inv, "pkg:npm/tool@1.0.0")
	wantTool := &sbom.Component{
		Ref: "pkg:npm/tool@1.0.0", Type: sbom.Library, Ecosystem: sbom.NPM, Name: "tool", Version: "1.0.0", PURL: "pkg:npm/tool@1.0.0",
		Scope: sbom.Required, Source: sbom.FromRegistry, Hashes: []sbom.Hash{{Algorithm: "sha512", Value: sriHex}},
		Resolved:     "https://registry.example/tool/-/tool-1.0.0.tgz",
		Distribution: sbom.Distribution{Host: "https://registry.example", Name: "tool", Version: "1.0.0", Doubt: "a user name stands before its host"},
		Coverage:     sbom.CompleteCoverage, Origin: sbom.OriginDirect,
		Occurrences: []sbom.Occurrence{
			{Path: PNPMLock, Line: 111, Column: 3, Install: "tool@1.0.0"},
			{Path: PNPMLock, Line: 151, Column: 3, Install: "tool@1.0.0(plain@1.0.0(patch_hash=abc))"},
			{Path: PNPMLock, Line: 155, Column: 3, Install: "tool@1.0.0(plain@2.0.0)"},
		},
	}
	if diff := gocmp.Diff(wantTool, tool); diff != "" {
		t.Errorf("tool (-want +got):\n%s", diff)
	}
	real := component(t, inv, "pkg:npm/%40s/real@1.2.3")
	if diff := gocmp.Diff([]sbom.Property{
		{Name: PropertyAlias, Value: "alias"}, {Name: PropertyAlias, Value: "other-name"}, {Name: PropertyDeprecated, Value: "REDACTED@host.example/ instead"},
	}, real.Properties); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if c := component(t, inv, "pkg:npm/plain@1.0.0"); !slices.Equal(c.Patches, []sbom.Patch{{Path: "patches/plain.patch"}}) {
		t.Errorf("patches: %v", c.Patches)
	}
	if c := component(t, inv, "pkg:npm/cat@1.0.0"); c.Coverage != sbom.IncompleteCoverage {
		t.Errorf("what cat brings along is said to be %s", c.Coverage)
	}
	for ref, source := range map[string]sbom.Source{pnpmGit: sbom.FromGit, pnpmHub: sbom.FromGit, pnpmTar: sbom.FromTarball, "pkg:npm/inj@1.2.0": sbom.FromProject} {
		if c := component(t, inv, ref); c.Source != source {
			t.Errorf("%s is from %q", ref, c.Source)
		}
	}
	if text := dump(t, inv); strings.Contains(text, "hunter2") {
		t.Errorf("a password comes out again:\n%s", text)
	}
}

func TestPNPMGolden(t *testing.T) {
	inv := scan(t, pnpm9Files())
	var b bytes.Buffer
	if err := sbom.WriteCycloneDX(&b, inv, sbom.Document{ToolVersion: "1.0.0"}); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "pnpm", "pnpm9.cdx.json")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("-want +got; rewrite with `go test ./sbom/node -update`: %s", diff)
	}
	for _, version := range []string{"1.4", "1.5", "1.6", "1.7"} {
		b.Reset()
		if err := sbom.WriteCycloneDX(&b, inv, sbom.Document{SpecVersion: version}); err != nil {
			t.Fatal(err)
		}
		if err := official.CycloneDX(version, b.Bytes()); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// TestPNPMLineEnds: CRLF is no difference, and neither is the order of importers'
// folders in the tree.
func TestPNPMLineEnds(t *testing.T) {
	for _, cut := range []int{len(pnpm9), len(pnpm9) / 2} {
		files := pnpm9Files()
		files[PNPMLock] = files[PNPMLock][:min(cut, len(files[PNPMLock]))]
		lf := scan(t, files)
		for name := range files {
			files[name] = strings.ReplaceAll(files[name], "\n", "\r\n")
		}
		crlf := scan(t, files)
		for _, in := range append(lf.Inputs, crlf.Inputs...) {
			in.SHA256 = ""
		}
		if diff := gocmp.Diff(dump(t, lf), dump(t, crlf)); diff != "" {
			t.Errorf("-LF +CRLF:\n%s", diff)
		}
	}
}

// TestPNPM6 reads the formats of pnpm 8 and 7 in all their forms.
func TestOlderPNPM(t *testing.T) {
	const v6 = `lockfileVersion: '6.0'

dependencies:
  alias:
    specifier: npm:@s/real@^1
    version: /@s/real@1.2.3
  debug:
    specifier: https://files.example/debug/4.3.4
    version: '@files.example/debug/4.3.4'
  local:
    specifier: file:local
    version: file:local
  peer:
    specifier: ^1.0.0
    version: 1.0.0(@s/real@1.2.3)

devDependencies:
  other:
    specifier: ^1.0.0
    version: registry.example/other@1.0.0

packages:

  /@s/real@1.2.3:
    resolution: {integrity: SRI}
    requiresBuild: true
    dev: false

  /peer@1.0.0(@s/real@1.2.3):
    resolution: {integrity: SRI}
    peerDependencies:
      '@s/real': '*'
    dependencies:
      '@s/real': 1.2.3
    dev: false

  '@files.example/debug/4.3.4':
    resolution: {tarball: https://files.example/debug/4.3.4}
    name: debug
    version: 4.3.4
    dependencies:
      peer: 1.0.0(@s/real@1.2.3)
    dev: false

  file:local:
    resolution: {directory: local, type: directory}
    name: local
    version: 1.0.0
    dev: false

  registry.example/other@1.0.0:
    resolution: {integrity: SRI, registry: https://registry.example/, tarball: https://registry.example/other/-/other-1.0.0.tgz}
    name: other
    version: 1.0.0
    dev: true
`
	v5 := strings.NewReplacer(
		"'6.0'\n", "5.4\n\nspecifiers:\n  alias: npm:@s/real@^1\n  debug: https://files.example/debug/4.3.4\n  local: file:local\n  other: ^1.0.0\n  peer: ^1.0.0\n",
		"alias:\n    specifier: npm:@s/real@^1\n    version: /@s/real@1.2.3", "alias: /@s/real/1.2.3",
		"debug:\n    specifier: https://files.example/debug/4.3.4\n    version:", "debug:",
		"local:\n    specifier: file:local\n    version: file:local", "local: file:local",
		"peer:\n    specifier: ^1.0.0\n    version: 1.0.0(@s/real@1.2.3)", "peer: 1.0.0_@s+real@1.2.3",
		"other:\n    specifier: ^1.0.0\n    version: registry.example/other@1.0.0", "other: registry.example/other/1.0.0",
		"/peer@1.0.0(@s/real@1.2.3):", "/peer/1.0.0_@s+real@1.2.3:",
		"peer: 1.0.0(@s/real@1.2.3)", "peer: 1.0.0_@s+real@1.2.3",
		"/@s/real@1.2.3:", "/@s/real/1.2.3:",
		", tarball: https://registry.example/other/-/other-1.0.0.tgz}", "}",
		"other@1.0.0:", "other/1.0.0:",
	).Replace(v6)
	for name, text := range map[string]string{"6": v6, "5": v5} {
		t.Run(name, func(t *testing.T) {
			inv := scan(t, map[string]string{
				"sub/" + PNPMLock: strings.ReplaceAll(text, "SRI", sri),
				"sub/package.json": `{"name": "app", "version": "1.0.0", "dependencies": {"alias": "npm:@s/real@^1", "debug": "https://files.example/debug/4.3.4",
					"local": "file:local", "peer": "^1.0.0"}, "devDependencies": {"other": "^1.0.0"}}`,
			})
			wantProblems(t, inv)
			wantEdges(t, inv,
				"pkg:npm/app@1.0.0 -> pkg:npm/%40s/real@1.2.3",
				"pkg:npm/app@1.0.0 -> pkg:npm/debug@4.3.4?download_url=https:%2F%2Ffiles.example%2Fdebug%2F4.3.4",
				"pkg:npm/app@1.0.0 -> pkg:npm/local@1.0.0",
				"pkg:npm/app@1.0.0 -> pkg:npm/other@1.0.0",
				"pkg:npm/app@1.0.0 -> pkg:npm/peer@1.0.0",
				"pkg:npm/debug@4.3.4?download_url=https:%2F%2Ffiles.example%2Fdebug%2F4.3.4 -> pkg:npm/peer@1.0.0",
				"pkg:npm/peer@1.0.0 -> pkg:npm/%40s/real@1.2.3",
				"project -> pkg:npm/app@1.0.0",
			)
			other := component(t, inv, "pkg:npm/other@1.0.0")
			if other.Resolved != "https://registry.example/other/-/other-1.0.0.tgz" || other.Scope != sbom.Excluded || other.Source != sbom.FromRegistry {
				t.Errorf("other: %+v", other)
			}
			if c := component(t, inv, "pkg:npm/%40s/real@1.2.3"); !slices.Contains(c.Properties, sbom.Property{Name: PropertyInstallScript, Value: "true"}) {
				t.Errorf("the install script is not marked: %v", c.Properties)
			}
			if c := component(t, inv, "pkg:npm/local@1.0.0"); c.Source != sbom.FromFile {
				t.Errorf("local is from %q", c.Source)
			}
		})
	}
}

// TestPNPMProblems: whatever is wrong is named with its line, and what could be
// read is there.
func TestPNPMProblems(t *testing.T) {
	const head = "lockfileVersion: '9.0'\n"
	const one = head + "importers:\n  .:\n    dependencies:\n      a:\n        specifier: ^1.0.0\n        version: 1.0.0\npackages:\n  a@1.0.0:\n    resolution: {integrity: " + sri + "}\nsnapshots:\n  a@1.0.0: {}\n"
	const manifest = `{"dependencies": {"a": "^1.0.0"}}`
	edit := func(old, replacement string) string {
		if strings.Count(one, old) == 0 {
			panic(old)
		}
		return strings.Replace(one, old, replacement, 1)
	}
	laughs := head + "a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n"
	for name, c := range map[string]struct {
		lock, manifest string
		want           []string
	}{
		"good":                {one, manifest, nil},
		"empty":               {"", manifest, []string{"pnpm-lock.yaml:1: invalid: invalid YAML: the file is empty"}},
		"blank":               {" \n\n", manifest, []string{"pnpm-lock.yaml:1: invalid: invalid YAML: the file is empty"}},
		"comment":             {"# nothing\n", manifest, []string{"pnpm-lock.yaml:1: invalid: invalid YAML: the file is empty"}},
		"list":                {"- a\n", manifest, []string{"pnpm-lock.yaml:1: invalid: a lockfile must be an object, not an array"}},
		"no version":          {"importers: {}\n", manifest, []string{"pnpm-lock.yaml:1: invalid: no lockfileVersion"}},
		"odd version":         {"lockfileVersion: [9]\n", manifest, []string{"pnpm-lock.yaml:1: invalid: lockfileVersion must be"}},
		"old version":         {"lockfileVersion: 4\n", manifest, []string{"pnpm-lock.yaml:1: unsupported: "}},
		"new version":         {"lockfileVersion: '10.0'\n", manifest, []string{"pnpm-lock.yaml:1: unsupported: "}},
		"packages":            {head + "packages: []\n", "{}", []string{"pnpm-lock.yaml:2: invalid: \"packages\" must be an object, not an array"}},
		"snapshots":           {edit("  a@1.0.0: {}", "  a@1.0.0: 1"), manifest, []string{"pnpm-lock.yaml:12: invalid: \"a@1.0.0\" must be an object, not a number", `pnpm-lock.yaml:5: invalid: the project depends on "a"`}},
		"version type":        {edit("version: 1.0.0", "version: 1.0"), manifest, []string{"package.json:1: invalid: \"a\" does not fit", "pnpm-lock.yaml:7: invalid: \"version\" must be a string, not a number", "pnpm-lock.yaml:5: invalid: the dependency \"a\" is resolved to nothing", "pnpm-lock.yaml:12: warning: nothing asks"}},
		"dependency":          {edit("version: 1.0.0", "version: 1.0.1"), manifest, []string{"pnpm-lock.yaml:5: invalid: the project depends on \"a\"", "pnpm-lock.yaml:12: warning: nothing asks for \"a@1.0.0\""}},
		"no snapshot":         {edit("  a@1.0.0: {}", "  {}"), manifest, []string{"pnpm-lock.yaml:9: invalid: \"a@1.0.0\" is not among the snapshots"}},
		"no package":          {edit("  a@1.0.0:\n", "  b@1.0.0:\n"), manifest, []string{"pnpm-lock.yaml:12: invalid: \"a@1.0.0\" is not among the packages", "pnpm-lock.yaml:9: invalid: \"b@1.0.0\" is not among the snapshots", "pnpm-lock.yaml:9: warning: nothing asks for"}},
		"no resolution":       {edit("resolution: ", "engines: "), manifest, []string{"pnpm-lock.yaml:9: invalid: \"a@1.0.0\" has no resolution"}},
		"odd resolution":      {edit("{integrity: "+sri, "{type: magic"), manifest, []string{"pnpm-lock.yaml:10: unsupported: \"a@1.0.0\" comes in a way", "pnpm-lock.yaml:5: invalid: \"a\" leads to another"}},
		"integrity":           {edit(sri, "sha512-AAAA"), manifest, []string{"pnpm-lock.yaml:10: invalid: the integrity of \"a@1.0.0\": not a sha512"}},
		"duplicate":           {one + "  a@1.0.0: {}\n", manifest, []string{"pnpm-lock.yaml:13: invalid: \"a@1.0.0\" stands twice", "pnpm-lock.yaml:12: warning: nothing asks for"}},
		"conflict":            {edit("        version", "<<<<<<< HEAD\n        version"), manifest, []string{"pnpm-lock.yaml:7: invalid: invalid YAML: a merge conflict is not resolved"}},
		"syntax":              {edit("resolution: {", "resolution: {{"), manifest, []string{"pnpm-lock.yaml:10: invalid: invalid YAML: "}},
		"tab":                 {edit("    dependencies", "\tdependencies"), manifest, []string{"pnpm-lock.yaml:4: invalid: invalid YAML: found character"}},
		"aliases":             {laughs, manifest, []string{"pnpm-lock.yaml:2: invalid: invalid YAML: an anchor or alias"}},
		"circle":              {head + "packages: &a\n  x: *a\n", manifest, []string{"pnpm-lock.yaml:2: invalid: invalid YAML: an anchor or alias"}},
		"merge key":           {head + "packages:\n  <<: {a: b}\n", manifest, []string{"pnpm-lock.yaml:3: invalid: invalid YAML: a merge key"}},
		"tag":                 {head + "packages: !!map {}\n", manifest, []string{"pnpm-lock.yaml:2: invalid: invalid YAML: a tag"}},
		"key":                 {head + "? [a]\n: b\n", manifest, []string{"pnpm-lock.yaml:2: invalid: invalid YAML: a key that is no plain text"}},
		"deep":                {head + "packages: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "\n", manifest, []string{"pnpm-lock.yaml:2: invalid: invalid YAML: nested deeper than 100 levels"}},
		"deeper":              {head + "packages: " + strings.Repeat("[", 100_000), manifest, []string{"pnpm-lock.yaml:2: invalid: invalid YAML: exceeded max depth"}},
		"deep in lines":       {head + "packages:\n" + strings.Repeat("- ", 9_000) + "a\n", manifest, []string{"pnpm-lock.yaml:3: invalid: invalid YAML: nested deeper than 100 levels"}},
		"values":              {head + "packages: [" + strings.Repeat(",", maxYAMLMarks), manifest, []string{"pnpm-lock.yaml:1: invalid: invalid YAML: more than 3145728 values"}},
		"size":                {head + strings.Repeat("#", maxYAML), manifest, []string{"pnpm-lock.yaml:1: invalid: invalid YAML: larger than 48 MiB"}},
		"UTF-8":               {edit("a@1.0.0: {}", "\xff"), manifest, []string{"pnpm-lock.yaml:12: invalid: invalid YAML: invalid UTF-8"}},
		"control":             {edit("a@1.0.0: {}", "\x1b"), manifest, []string{"pnpm-lock.yaml:12: invalid: invalid YAML: a control character"}},
		"line separator":      {edit("a@1.0.0: {}", "\u2028"), manifest, []string{"pnpm-lock.yaml:12: invalid: invalid YAML: a line ends in a way"}},
		"importer path":       {edit("  .:", "  ../../../x/../y:"), "{}", []string{"pnpm-lock.yaml:3: invalid: the path \"../../../x/../y\" is not in its shortest form", "pnpm-lock.yaml:12: warning: nothing asks for"}},
		"link":                {edit("version: 1.0.0", "version: link:/etc"), manifest, []string{"pnpm-lock.yaml:5: invalid: the link \"a\" leads to no relative path", "pnpm-lock.yaml:12: warning: nothing asks for", "pnpm-lock.yaml:5: invalid: \"a\" leads to another"}},
		"name":                {strings.ReplaceAll(one, "a@1.0.0", "a b@1.0.0"), manifest, []string{"pnpm-lock.yaml:12: invalid: the key \"a b@1.0.0\" and what", "pnpm-lock.yaml:5: invalid: the project depends on \"a\""}},
		"another package":     {strings.NewReplacer("a@1.0.0", "b@1.0.0", "version: 1.0.0", "version: b@1.0.0").Replace(one), manifest, []string{"pnpm-lock.yaml:5: invalid: \"a\" leads to another package"}},
		"from elsewhere":      {strings.NewReplacer("a@1.0.0", "a@https://evil.example/a.tgz", "version: 1.0.0", "version: https://evil.example/a.tgz", "{integrity", "{tarball: https://evil.example/a.tgz, integrity").Replace(one), manifest, []string{"pnpm-lock.yaml:5: invalid: \"a\" leads to another package, or to one from elsewhere"}},
		"outdated":            {one, `{"dependencies": {"a": "^2.0.0"}}`, []string{"package.json:1: invalid: \"a\" does not fit"}},
		"development":         {one, `{"devDependencies": {"a": "^1.0.0"}}`, []string{"package.json:1: invalid: \"a\" does not fit"}},
		"unknown":             {one, `{"dependencies": {"a": "^1.0.0", "b": "1"}}`, []string{"package.json:1: invalid: \"b\" does not fit"}},
		"gone":                {one, `{"name": "x"}`, []string{"pnpm-lock.yaml:5: warning: \"a\" is no longer in package.json"}},
		"override":            {one, `{"dependencies": {"a": "^1.0.0"}, "pnpm": {"overrides": {"b": "2.0.0"}}}`, []string{"pnpm-lock.yaml:0: invalid: the override of \"b\""}},
		"other override":      {head + "overrides:\n  b: 1.0.0\n" + strings.TrimPrefix(one, head), `{"dependencies": {"a": "^1.0.0"}, "resolutions": {"b": "2.0.0"}}`, []string{"pnpm-lock.yaml:3: invalid: the override of \"b\""}},
		"undeclared override": {head + "overrides:\n  a: npm:evil@1\n" + strings.TrimPrefix(one, head), manifest, []string{"pnpm-lock.yaml:3: invalid: the project declares no override of \"a\""}},
		"override by a hook":  {head + "pnpmfileChecksum: x\noverrides:\n  b: 1.0.0\n" + strings.TrimPrefix(one, head), manifest, []string{"pnpm-lock.yaml:4: warning: the project declares no override of \"b\""}},
		"overridden":          {head + "overrides:\n  a: ^1.0.0\n" + strings.TrimPrefix(one, head), `{"dependencies": {"a": "^0.9.0"}, "pnpm": {"overrides": {"a": "^1.0.0"}}}`, nil},
		"ranges": {head + "overrides:\n  a@>=0.1.0 <0.9.1: ^1.0.0\n  x>b@>1 <2: ^2.0.0\n" + strings.TrimPrefix(one, head),
			`{"dependencies": {"a": "^0.9.0"}, "pnpm": {"overrides": {"a@>=0.1.0 <0.9.1": "^1.0.0", "x > b@>1 <2": "^2.0.0"}}}`, nil},
		"by its URL":   {edit("^1.0.0", "https://registry.example/a/-/a-1.0.0.tgz"), `{"dependencies": {"a": "https://registry.example/a/-/a-1.0.0.tgz"}}`, nil},
		"by another's": {edit("^1.0.0", "https://registry.example/b/-/b-1.0.0.tgz"), `{"dependencies": {"a": "https://registry.example/b/-/b-1.0.0.tgz"}}`, []string{"pnpm-lock.yaml:5: invalid: \"a\" leads to another package"}},
		"runtime": {strings.NewReplacer("a:\n", "node:\n", "specifier: ^1.0.0", "specifier: runtime:26.7.0", "version: 1.0.0", "version: runtime:26.7.0",
			"a@1.0.0", "node@runtime:26.7.0", "{integrity: "+sri+"}", "{type: variations, variants: []}").Replace(one), `{"devEngines": {"runtime": {"name": "node", "version": "26.7.0", "onFail": "download"}}}`, nil},
		"another range":    {head + "overrides:\n  a@>1 <2: ^1.0.0\n" + strings.TrimPrefix(one, head), `{"dependencies": {"a": "^1.0.0"}, "pnpm": {"overrides": {"a@>1 <3": "^1.0.0"}}}`, []string{"pnpm-lock.yaml:0: invalid: the override of \"a@>1<3\"", "pnpm-lock.yaml:3: invalid: the project declares no override of \"a@>1 <2\""}},
		"no catalogue":     {edit("specifier: ^1.0.0", "specifier: 'catalog:'"), `{"dependencies": {"a": "catalog:"}}`, []string{"pnpm-lock.yaml:5: invalid: \"a\" leads to another package"}},
		"unknown folder":   {edit("version: 1.0.0", "version: link:../x"), `{"dependencies": {"a": "^1.0.0"}}`, []string{"pnpm-lock.yaml:12: warning: nothing asks", "pnpm-lock.yaml:5: invalid: \"a\" leads to another package", "pnpm-lock.yaml:5: unsupported: \"a\" is linked to \"../x\""}},
		"patch":            {head + "patchedDependencies:\n  a@1.0.0:\n    path: ../../etc/passwd\n    hash: x\n" + strings.TrimPrefix(one, head), manifest, []string{"pnpm-lock.yaml:3: invalid: the patch of \"a@1.0.0\" is no file of the project"}},
		"no line at end":   {strings.TrimSuffix(one, "{}\n"), manifest, []string{"pnpm-lock.yaml:12: invalid: the file ends within a line", "pnpm-lock.yaml:12: invalid: \"a@1.0.0\" must be an object, not null"}},
		"whole at the end": {strings.TrimSuffix(one, "\n"), manifest, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inv := scan(t, map[string]string{PNPMLock: c.lock, "package.json": c.manifest})
			wantProblems(t, inv, c.want...)
			unknown := slices.ContainsFunc(c.want, func(s string) bool { return !strings.Contains(s, " warning: ") })
			if inv.Incomplete() != unknown {
				t.Errorf("incomplete: %v", inv.Incomplete())
			}
		})
	}
}

// TestCutPNPM: wherever the file breaks off, the inventory either says so or is
// the whole one.
func TestCutPNPM(t *testing.T) {
	t.Parallel()
	files := pnpm9Files()
	whole := files[PNPMLock]
	want := edges(scan(t, files))
	const together = 4
	for first := range together {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			for cut := first; cut < len(whole); cut += together {
				inv := scan(t, with(pnpm9Files(), PNPMLock, whole[:cut]))
				if !inv.Incomplete() && !slices.Equal(edges(inv), want) {
					t.Fatalf("cut after %d bytes (…%q): the inventory calls itself complete", cut, whole[max(cut-40, 0):cut])
				}
			}
		})
	}
	head, _, _ := strings.Cut(whole, "  deep@2.0.0:\n    resolution")
	files[PNPMLock] = head + "  deep@2.0.0:\n    resolution: {integrity"
	if inv := scan(t, files); len(inv.Components) < 3 {
		t.Errorf("only %d components of what could be read", len(inv.Components))
	}
}

func TestTwoLockfiles(t *testing.T) {
	files := pnpm9Files()
	files["package-lock.json"] = lock(`"": {"name": "app", "version": "1.0.0"}`)
	inv := scan(t, files)
	if got := problems(inv); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "there is a lockfile of npm beside it") }) {
		t.Errorf("problems: %v", got)
	}
}

// TestPNPMAlone reads a lockfile that was named alone, under another name, with
// what lies beside it.
func TestPNPMAlone(t *testing.T) {
	tree := fstest.MapFS{}
	for name, content := range pnpm9Files() {
		tree[strings.ReplaceAll(name, PNPMLock, "locked.txt")] = &fstest.MapFile{Data: []byte(content)}
	}
	inv, found, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree, File: "locked.txt"}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
	if err != nil || !found[0] {
		t.Fatal(found, err)
	}
	wantProblems(t, inv, `locked.txt:77: warning: "cat@1.0.0" brings`)
	if inv.Root.PURL != "pkg:npm/app@1.0.0" || component(t, inv, "pkg:npm/member@1.1.0").Source != sbom.FromProject {
		t.Errorf("root %s", inv.Root.Ref)
	}
}

// TestSharedPNPM reads lockfiles of other tools' test data.
func TestSharedPNPM(t *testing.T) {
	for name, want := range map[string]struct {
		components, edges, excluded int
		problems                    []string
	}{
		"pnpm-v5-archives": {6, 6, 0, nil},
		"pnpm-v5-commits": {5, 3, 0, []string{
			"pnpm-lock.yaml:9: invalid: …my-bitbucket-package", "pnpm-lock.yaml:25: invalid: …my-other-package", "pnpm-lock.yaml:39: invalid: …faker",
			"pnpm-lock.yaml:14: warning: nothing asks for", "pnpm-lock.yaml:28: warning: nothing asks for",
		}},
		"pnpm-v5-file-deps": {5, 0, 0, []string{
			"pnpm-lock.yaml:44: invalid: the key", "pnpm-lock.yaml:7: invalid: the project depends on",
			"pnpm-lock.yaml:10: warning", "pnpm-lock.yaml:16: warning", "pnpm-lock.yaml:22: warning", "pnpm-lock.yaml:28: warning", "pnpm-lock.yaml:34: warning",
		}},
		"pnpm-v5-peer-suffix":             {3, 4, 0, nil},
		"pnpm-v9-commits":                 {2, 2, 0, nil},
		"pnpm-v9-cyclic":                  {7, 8, 0, nil},
		"pnpm-v9-monorepo":                {1352, 3026, 1340, nil},
		"pnpm-v9-multi-documents":         {20, 20, 19, nil},
		"pnpm-v9-same-version-diff-peers": {6, 9, 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inv := scan(t, map[string]string{PNPMLock: string(shared(t, "lockfiles/"+name+"/pnpm-lock.yaml"))})
			wantProblems(t, inv, want.problems...)
			excluded := 0
			for _, c := range inv.Components {
				if c.Scope == sbom.Excluded {
					excluded++
				}
			}
			if got := len(edges(inv)); len(inv.Components) != want.components || got != want.edges || excluded != want.excluded {
				t.Errorf("%d components, %d edges, %d excluded; want %+v", len(inv.Components), got, excluded, want)
			}
		})
	}
}

func TestPNPMKey(t *testing.T) {
	for _, c := range []struct {
		major          int
		name, ref, key string
	}{
		{5, "a", "1.0.0", "/a/1.0.0"}, {5, "a", "1.0.0_@s+b@2.0.0", "/a/1.0.0_@s+b@2.0.0"}, {5, "x", "/a/1.0.0", "/a/1.0.0"},
		{5, "x", "file:a", "file:a"}, {5, "x", "github.com/o/r/abc", "github.com/o/r/abc"},
		{6, "a", "1.0.0", "/a@1.0.0"}, {6, "a", "1.0.0(@s/b@2.0.0)", "/a@1.0.0(@s/b@2.0.0)"}, {6, "x", "/a@1.0.0", "/a@1.0.0"},
		{9, "a", "1.0.0(@s/b@2.0.0)", "a@1.0.0(@s/b@2.0.0)"}, {9, "x", "a@1.0.0", "a@1.0.0"}, {9, "x", "@s/a@1.0.0", "@s/a@1.0.0"},
		{9, "a", "https://user@host/a.tgz", "a@https://user@host/a.tgz"}, {9, "a", "file:../a@b", "a@file:../a@b"}, {9, "a", "git+ssh://git@host/a", "a@git+ssh://git@host/a"},
	} {
		if got := pnpmKey(c.major, c.name, c.ref); got != c.key {
			t.Errorf("%d: %s %s: %s, want %s", c.major, c.name, c.ref, got, c.key)
		}
	}
	for key, want := range map[string]string{
		"a@1.0.0": "", "a@1.0.0(b@1)": "(b@1)", "a@1.0.0(b@1(c@2))(d@3)": "(b@1(c@2))(d@3)", "a@file:x(y)/z": "", "a@file:x(y)z(b@1)": "(b@1)", ")": "", "a))": "",
	} {
		if got := key[peersSuffix(key):]; got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

// FuzzPNPM feeds a stranger's lockfile. Nothing panics, two runs say the same, a
// file that is no YAML is never called complete, and no password comes out.
func FuzzPNPM(f *testing.F) {
	f.Add(strings.ReplaceAll(pnpm9, "SRI", sri), "packages: [a]")
	f.Add("lockfileVersion: 5.4\ndependencies:\n  a: 1.0.0_b@1\npackages:\n  /a/1.0.0_b@1: {resolution: {tarball: a.tgz}}\n  h.example/o/r/0: {name: x, resolution: {type: git, repo: https://hunter2@h.example/, commit: 0}}\n", "catalog: {a: 1}")
	f.Add("lockfileVersion: '6.0'\nimporters:\n  a:\n    dependencies:\n      b: {specifier: '*', version: link:../..}\n---\nlockfileVersion: '9.0'\n", "")
	for _, seed := range realSeeds(f, PNPMLock, "pnpm/lock7.yaml.gz", "pnpm/lock8.yaml.gz", "pnpm/lock9.yaml.gz") {
		f.Add(seed, "packages: [a]")
	}
	f.Fuzz(func(t *testing.T, locked, workspace string) {
		files := map[string]string{PNPMLock: locked, pnpmWorkspace: workspace, "package.json": `{"name": "app", "dependencies": {"a": "1"}}`}
		inv := scan(t, files)
		text := dump(t, inv)
		if dump(t, scan(t, files)) != text {
			t.Error("two runs differ")
		}
		if parseYAML([]byte(locked))[0].err != nil && !inv.Incomplete() {
			t.Error("a broken lockfile is called complete")
		}
		for _, c := range inv.Components {
			if c.Ref == "" || c.Source == sbom.FromRegistry && c.Version == "" && !inv.Incomplete() {
				t.Errorf("%+v", c)
			}
		}
		if strings.Count(locked, "hunter2") == len(marked.FindAllString(locked, -1)) && strings.Contains(text, "hunter2") {
			t.Errorf("a password comes out again:\n%s", text)
		}
	})
}

func BenchmarkPNPM(b *testing.B) {
	data := gunzip(b, "pnpm/lock9.yaml.gz")
	for _, times := range []int{1, 6} {
		b.Run(fmt.Sprintf("%d packages", 708*times), func(b *testing.B) {
			text := pnpmTimes(string(data), times)
			tree := fstest.MapFS{PNPMLock: {Data: []byte(text)}}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := sbom.Scan(b.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{Reader{}}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// pnpmTimes repeats a lockfile as so many documents of one stream, each with
// versions of its own.
func pnpmTimes(text string, times int) string {
	var all []string
	for i := range times {
		all = append(all, strings.ReplaceAll(text, ".0.", fmt.Sprintf(".%d.", i)))
	}
	return strings.Join(all, "---\n")
}
