package policy

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"countermark/provenance"
	"countermark/sbom"
	"countermark/schemas"
)

const full = `version: 1
profile: strict
attestations: [attestations, more/bundle.json]
offline: true
sources:
  "@acme/*": {repo: https://github.com/acme/*, workflow: .github/workflows/release.yml, ref: refs/tags/v*}
  sigstore:
    repo: https://github.com/sigstore/sigstore-js
    repository_id: 495574555
    owner_id: "71096353"
    builder: https://github.com/actions/runner/github-hosted
    issuer: https://token.actions.githubusercontent.com
    trigger: push
    deny_self_hosted: true
  pypi:Some_Tool: {repo: https://gitlab.example/group/sub/tool, ref: refs/heads/**}
  oci:images.example/acme/*: {repo: https://github.com/acme/images}
registries: [https://npm.acme.example/, "http://localhost:4873/"]
internal: ["@acme/*", secret-tool]
exclude: ["fixtures/**", "**/testdata", vendor/]
rules:
  provenance-missing: {severity: error, for: [mcp, direct]}
  source-unvouched: {severity: warn, for: [direct, production, "@acme/*", "npm:left-pad"]}
  release-age: {minimum: 14d}
  x-no-gpl: {severity: warn, assert: "!component.licenses.exists(l, l.startsWith('GPL'))", message: "copyleft"}
exceptions:
  - {rule: provenance-missing, package: pkg:npm/debug@4.3.4, reason: "no other", owner: "team", expires: 2027-01-31}
  - rule: secret-in-config
    server: notes
    reason: |
      it is a public demo key
    expires: "2027-02-28"
  - {rule: x-no-gpl, package: pkg:npm/%40acme/tool, reason: ours, expires: 2027-01-31}
`

func TestParseTakesEveryKey(t *testing.T) {
	p, err := Parse("countermark.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if p.Profile != Strict || !p.Offline || p.Name != "countermark.yaml" || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(p.SHA256) {
		t.Errorf("profile %q, offline %v, name %q, sha256 %q", p.Profile, p.Offline, p.Name, p.SHA256)
	}
	if diff := cmp.Diff([]string{"attestations", "more/bundle.json"}, p.Attestations); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"https://npm.acme.example/", "http://localhost:4873/"}, p.Registries); diff != "" {
		t.Error(diff)
	}
	sources := []struct {
		ecosystem sbom.Ecosystem
		name      string
		want      provenance.Expectation
	}{
		{sbom.NPM, "@acme/tool", provenance.Expectation{From: "policy", Repo: "https://github.com/acme/*", Workflow: ".github/workflows/release.yml", Ref: "refs/tags/v*"}},
		{sbom.NPM, "sigstore", provenance.Expectation{
			From: "policy", Repo: "https://github.com/sigstore/sigstore-js", RepositoryID: "495574555", OwnerID: "71096353",
			Builder: "https://github.com/actions/runner/github-hosted", Issuer: "https://token.actions.githubusercontent.com",
			Trigger: "push", DenySelfHosted: true,
		}},
		{sbom.PyPI, "some-tool", provenance.Expectation{From: "policy", Repo: "https://gitlab.example/group/sub/tool", Ref: "refs/heads/**"}},
		{sbom.PyPI, "SOME.tool", provenance.Expectation{From: "policy", Repo: "https://gitlab.example/group/sub/tool", Ref: "refs/heads/**"}},
		{sbom.OCI, "images.example/acme/server", provenance.Expectation{From: "policy", Repo: "https://github.com/acme/images"}},
		{sbom.PyPI, "sigstore", provenance.Expectation{}},
		{sbom.NPM, "@acme/a/b", provenance.Expectation{}},
		{sbom.NPM, "sigstores", provenance.Expectation{}},
	}
	for _, s := range sources {
		got, ok := p.Expectation(s.ecosystem, s.name)
		if ok != (s.want.Repo != "") {
			t.Errorf("%s %s: named is %v", s.ecosystem, s.name, ok)
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("%s %s: %s", s.ecosystem, s.name, diff)
		}
	}
	if !p.Internal("@acme/x") || !p.Internal("secret-tool") || p.Internal("acme") || p.Internal("@acme-x/y") {
		t.Error("internal selects the wrong names")
	}
	if got := p.settings["release-age"].minimum; got != 14*24*time.Hour {
		t.Errorf("release-age minimum is %v", got)
	}
	if x := p.exceptions[1]; x.reason != "it is a public demo key\n" || x.line != 27 || x.column != 5 {
		t.Errorf("second exception: %q at %d:%d", x.reason, x.line, x.column)
	}
}

func TestExcludes(t *testing.T) {
	p, err := Parse("p", []byte("version: 1\nexclude: ['fixtures/**', '**/testdata', vendor/, 'a/*/c', '*.bak', 'x/**/y', 'q?']\n"))
	if err != nil {
		t.Fatal(err)
	}
	yes := []string{"fixtures", "fixtures/a", "fixtures/a/b", "testdata", "a/b/testdata", "a/testdata/deep/file", "vendor", "vendor/x", "a/b/c", "a/b/c/d", "old.bak", "x/y", "x/1/y", "x/1/2/y/z", "q1"}
	no := []string{".", "fixture", "my/fixtures", "testdata2", "src/vendor", "a/c", "a/b/b/c", "dir/old.bak", "x/z", "q", "q12"}
	for _, path := range yes {
		if !p.Excludes(path) {
			t.Errorf("%s is not excluded", path)
		}
	}
	for _, path := range no {
		if p.Excludes(path) {
			t.Errorf("%s is excluded", path)
		}
	}
}

// bad are policies with the place and the message of the first error.
var bad = []struct {
	name, in string
	at       string // line:column
	message  string // part of it
	hint     string // part of it
	beyond   bool   // a schema cannot see it
}{
	{name: "empty", in: "", at: "1:1", message: "empty", hint: "version: 1"},
	{name: "comment only", in: "# nothing\n", at: "1:1", message: "empty"},
	{name: "list", in: "- version: 1\n", at: "1:1", message: "the policy is a mapping, not a list"},
	{name: "no version", in: "profile: strict\n", at: "1:1", message: `has no "version"`, hint: "add version:"},
	{name: "other version", in: "version: 2\n", at: "1:10", message: `"2", expected 1`},
	{name: "version as text", in: "version: \"1\"\n", at: "1:10", message: "expected 1"},
	{name: "version in hex", in: "version: 0x1\n", at: "1:10", message: "expected 1", beyond: true},
	{name: "unknown key", in: "version: 1\nprofil: strict\n", at: "2:1", message: `unknown key "profil" in the policy`, hint: `did you mean "profile"?`},
	{name: "unknown key far from all", in: "version: 1\nzzzzzzzz: 1\n", at: "2:1", message: "unknown key", hint: "known keys: version,"},
	{name: "unknown key after wide characters", in: "version: 1\nsources: {\"é\": 1}\n", at: "2:11", message: "no package name"},
	{name: "byte columns", in: "version: 1\nexceptions:\n  - {rule: malicious, reason: \"é€\", pakage: x}\n", at: "3:40", message: `unknown key "pakage"`, hint: `"package"`},
	{name: "key twice", in: "version: 1\nprofile: strict\nprofile: baseline\n", at: "3:1", message: `"profile" is set twice in the policy, first in line 2`, beyond: true},
	{name: "key twice, quoted", in: "version: 1\nrules:\n  malicious: {severity: error}\n  \"malicious\": {severity: off}\n", at: "4:3", message: "set twice", beyond: true},
	{name: "key twice in a flow", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/a, repo: https://github.com/a/b}\n", at: "3:37", message: "set twice", beyond: true},
	{name: "bad profile", in: "version: 1\nprofile: stirct\n", at: "2:10", message: `"stirct"`, hint: `did you mean "strict"?`},
	{name: "profile in capitals", in: "version: 1\nprofile: Strict\n", at: "2:10", message: "expected baseline, strict", hint: `"strict"`},
	{name: "null value", in: "version: 1\nprofile:\n", at: "2:9", message: "profile is text, not nothing"},
	{name: "offline as text", in: "version: 1\noffline: \"no\"\n", at: "2:10", message: "true or false"},
	{name: "offline as yes", in: "version: 1\noffline: yes\n", at: "2:10", message: "true or false"},
	{name: "attestations as text", in: "version: 1\nattestations: folder\n", at: "2:15", message: "is a list, not text"},
	{name: "attestations outside", in: "version: 1\nattestations: [../x]\n", at: "2:16", message: "no path below"},
	{name: "attestations absolute", in: "version: 1\nattestations: [/etc]\n", at: "2:16", message: "no path below"},
	{name: "unknown rule", in: "version: 1\nrules:\n  malicous: {severity: error}\n", at: "3:3", message: `there is no rule "malicous"`, hint: `did you mean "malicious"?`},
	{name: "bad custom name", in: "version: 1\nrules:\n  x-No: {assert: a, message: b}\n", at: "3:3", message: "no name for a rule"},
	{name: "custom without message", in: "version: 1\nrules:\n  x-a: {assert: a}\n", at: "3:8", message: `has no "message"`},
	{name: "bad severity", in: "version: 1\nrules:\n  malicious: {severity: fatal}\n", at: "3:25", message: "severity is", hint: "write one of them"},
	{name: "severity as shorthand", in: "version: 1\nrules:\n  malicious: error\n", at: "3:14", message: "is a mapping, not text"},
	{name: "rule that says nothing", in: "version: 1\nrules:\n  malicious: {}\n", at: "3:14", message: "says nothing"},
	{name: "for without severity", in: "version: 1\nrules:\n  malicious: {for: [mcp]}\n", at: "3:14", message: "without a severity"},
	{name: "for of files", in: "version: 1\nrules:\n  input-invalid: {severity: warn, for: [mcp]}\n", at: "3:18", message: "judges files"},
	{name: "for of servers", in: "version: 1\nrules:\n  secret-in-config: {severity: warn, for: [mcp]}\n", at: "3:21", message: "judges servers"},
	{name: "slip in for", in: "version: 1\nrules:\n  malicious: {severity: warn, for: [mpc]}\n", at: "3:37", message: `knows no "mpc"`, hint: `did you mean "mcp"?`},
	{name: "empty for", in: "version: 1\nrules:\n  malicious: {severity: warn, for: []}\n", at: "3:36", message: "selects nothing"},
	{name: "minimum of another rule", in: "version: 1\nrules:\n  malicious: {severity: warn, minimum: 3d}\n", at: "3:31", message: `unknown key "minimum"`},
	{name: "bad duration", in: "version: 1\nrules:\n  release-age: {minimum: two weeks}\n", at: "3:26", message: "no duration", hint: "14d"},
	{name: "duration without unit", in: "version: 1\nrules:\n  release-age: {minimum: 14}\n", at: "3:26", message: "is text, not a number"},
	{name: "source without repo", in: "version: 1\nsources:\n  a: {ref: refs/tags/v1}\n", at: "3:6", message: `source "a" has no "repo"`},
	{name: "repo over http", in: "version: 1\nsources:\n  a: {repo: http://github.com/a/b}\n", at: "3:13", message: "no https URL"},
	{name: "repo with user", in: "version: 1\nsources:\n  a: {repo: \"https://github.com@evil.example/a/b\"}\n", at: "3:13", message: "no https URL"},
	{name: "repo with query", in: "version: 1\nsources:\n  a: {repo: \"https://github.com/a/b?x\"}\n", at: "3:13", message: "no https URL"},
	{name: "repo with .git", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b.git}\n", at: "3:13", message: "ending", hint: ".git"},
	{name: "repo beyond ASCII", in: "version: 1\nsources:\n  a: {repo: https://github.com/а/b}\n", at: "3:13", message: "no https URL"},
	{name: "repo with dots", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/..}\n", at: "3:13", message: "no https URL"},
	{name: "repo with part of a segment", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b*}\n", at: "3:13", message: "one whole segment"},
	{name: "repo of any owner", in: "version: 1\nsources:\n  a: {repo: https://github.com/*/b}\n", at: "3:13", message: "leaves the owner open"},
	{name: "short ref", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b, ref: main}\n", at: "3:42", message: "no full ref"},
	{name: "bad id", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b, owner_id: -4}\n", at: "3:47", message: "expected a number"},
	{name: "id as float", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b, owner_id: 4.5}\n", at: "3:47", message: "is a whole number, not"},
	{name: "id in hex", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b, owner_id: 0xff}\n", at: "3:47", message: "expected a number", beyond: true},
	{name: "workflow outside", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b, workflow: ../x.yml}\n", at: "3:47", message: "no path below"},
	{name: "bad trigger", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b, trigger: On Push}\n", at: "3:46", message: "no event"},
	{name: "bad ecosystem", in: "version: 1\nsources:\n  cargo:a: {repo: https://github.com/a/b}\n", at: "3:3", message: "no known ecosystem", beyond: true},
	{name: "exact twice by prefix", in: "version: 1\nsources:\n  a: {repo: https://github.com/a/b}\n  npm:a: {repo: https://github.com/a/c}\n", at: "4:3", message: "neither is the more exact", beyond: true},
	{name: "exact twice by PyPI's rules", in: "version: 1\nsources:\n  pypi:a_b: {repo: https://github.com/a/b}\n  pypi:A.B: {repo: https://github.com/a/c}\n", at: "4:3", message: "neither is the more exact", beyond: true},
	{name: "tie", in: "version: 1\nsources:\n  \"@a/*-x\": {repo: https://github.com/a/b}\n  \"@a/y*\": {repo: https://github.com/a/b}\n  \"@a/*z-*\": {repo: https://github.com/a/b}\n", at: "5:3", message: `"@a/*z-*" and "@a/*-x"`, beyond: true},
	{name: "** in a pattern", in: "version: 1\nsources:\n  \"@a/**\": {repo: https://github.com/a/b}\n", at: "3:3", message: "** means nothing"},
	{name: "registry over http", in: "version: 1\nregistries: [http://npm.example/]\n", at: "2:14", message: "no https URL of a registry"},
	{name: "registry with a password", in: "version: 1\nregistries: [\"https://u:p@npm.example/\"]\n", at: "2:14", message: "no https URL of a registry"},
	{name: "exclude outside", in: "version: 1\nexclude: [../x]\n", at: "2:11", message: "no path below"},
	{name: "exclude with ** in a word", in: "version: 1\nexclude: [a**b]\n", at: "2:11", message: "stands for whole folders"},
	{name: "exclude with open bracket", in: "version: 1\nexclude: [\"a[\"]\n", at: "2:11", message: "not closed", beyond: true},
	{name: "exceptions as mapping", in: "version: 1\nexceptions: {rule: malicious}\n", at: "2:13", message: "is a list"},
	{name: "bad date", in: "version: 1\nexceptions:\n  - {rule: malicious, package: pkg:npm/a, reason: r, expires: 2027-02-30}\n", at: "3:63", message: `"2027-02-30" is no date`, hint: "2027-01-31"},
	{name: "date the other way round", in: "version: 1\nexceptions:\n  - {rule: malicious, package: pkg:npm/a, reason: r, expires: 31.01.2027}\n", at: "3:63", message: "no date"},
	{name: "never expires", in: "version: 1\nexceptions:\n  - {rule: malicious, package: pkg:npm/a, reason: r}\n", at: "3:5", message: `has no "expires"`},
	{name: "no reason", in: "version: 1\nexceptions:\n  - {rule: malicious, package: pkg:npm/a, expires: 2027-01-31}\n", at: "3:5", message: `has no "reason"`},
	{name: "blank reason", in: "version: 1\nexceptions:\n  - {rule: malicious, package: pkg:npm/a, reason: \" \", expires: 2027-01-31}\n", at: "3:51", message: "reason is empty"},
	{name: "exception for all", in: "version: 1\nexceptions:\n  - {rule: malicious, reason: r, expires: 2027-01-31}\n", at: "3:5", message: "cover everything"},
	{name: "exception of a file rule", in: "version: 1\nexceptions:\n  - {rule: input-invalid, package: pkg:npm/a, reason: r, expires: 2027-01-31}\n", at: "3:12", message: "judges files"},
	{name: "exception of an exception rule", in: "version: 1\nexceptions:\n  - {rule: exception-unused, package: pkg:npm/a, reason: r, expires: 2027-01-31}\n", at: "3:12", message: "judges the policy file"},
	{name: "exception of an unknown rule", in: "version: 1\nexceptions:\n  - {rule: provenance-mising, package: pkg:npm/a, reason: r, expires: 2027-01-31}\n", at: "3:12", message: "there is no rule", hint: `"provenance-missing"`},
	{name: "exception of an unknown custom rule", in: "version: 1\nexceptions:\n  - {rule: x-a, package: pkg:npm/a, reason: r, expires: 2027-01-31}\n", at: "3:5", message: `there is no rule "x-a"`, beyond: true},
	{name: "exception without a purl", in: "version: 1\nexceptions:\n  - {rule: malicious, package: debug, reason: r, expires: 2027-01-31}\n", at: "3:32", message: "no package URL", hint: "pkg:npm/"},
	{name: "exception with a pattern", in: "version: 1\nexceptions:\n  - {rule: malicious, package: \"pkg:npm/*\", reason: r, expires: 2027-01-31}\n", at: "3:32", message: "no package URL"},
	{name: "two documents", in: "version: 1\n---\nversion: 1\n", at: "2:1", message: "one YAML document", beyond: true},
	{name: "document end", in: "version: 1\n...\nprofile: strict\n", at: "2:1", message: "one YAML document", beyond: true},
	{name: "anchor", in: "version: &v 1\n", at: "1:10", message: "anchors, aliases and merge keys", beyond: true},
	{name: "alias bomb", in: "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", at: "1:4", message: "anchors, aliases and merge keys"},
	{name: "merge key", in: "version: 1\n<<: {profile: strict}\n", at: "2:1", message: "anchors, aliases and merge keys", beyond: true},
	{name: "tag", in: "version: !!int 1\n", at: "1:10", message: "tags are not allowed", beyond: true},
	{name: "directive", in: "%YAML 1.2\n---\nversion: 1\n", at: "1:1", message: "directives are not allowed", beyond: true},
	{name: "explicit key", in: "? version\n: 1\n", at: "1:1", message: "keys with ?", beyond: true},
	{name: "deep", in: "version: " + strings.Repeat("[", 100) + "\n", at: "1:26", message: "nested too deeply", beyond: true},
	{name: "deep dashes", in: "version:\n  " + strings.Repeat("- ", 300) + "\n", at: "2:201", message: "nested too deeply", beyond: true},
	{name: "too many parts", in: "version: 1\nexclude:\n" + strings.Repeat("- a\n", 30_000), at: "20000:3", message: "too many parts", beyond: true},
	{name: "unquoted scope", in: "version: 1\nsources:\n  @a/b: {repo: https://github.com/a/b}\n", at: "3:3", message: "not YAML", hint: `quote names that begin with "@"`, beyond: true},
	{name: "unclosed list", in: "version: 1\nexclude: [a\n", at: "2:10", message: "not YAML", beyond: true},
	{name: "tab", in: "version: 1\nrules:\n\tmalicious: {severity: warn}\n", at: "3:1", message: "not YAML", beyond: true},
	{name: "number as key", in: "version: 1\n1: 2\n", at: "2:1", message: "a key of the policy is text, not a number"},
	{name: "escape sequence", in: "version: 1\nexclude: [\"a\x1b[2J\"]\n", at: "2:13", message: "invisible or invalid", beyond: true},
	{name: "bidirectional override", in: "version: 1\n# \u202e\n", at: "2:3", message: "invisible or invalid", beyond: true},
	{name: "invalid UTF-8", in: "version: 1\n# \xff\n", at: "2:3", message: "invisible or invalid", beyond: true},
}

func TestParseRefuses(t *testing.T) {
	schema := compileSchema(t)
	for _, test := range bad {
		t.Run(test.name, func(t *testing.T) {
			p, err := Parse("dir/countermark.yaml", []byte(test.in))
			var wrong *FileError
			if !errors.As(err, &wrong) {
				t.Fatalf("no FileError, but %v and %+v", err, p)
			}
			if prefix := "dir/countermark.yaml:" + test.at + ": "; !strings.HasPrefix(wrong.Error(), prefix) {
				t.Errorf("%q does not begin with %q", wrong.Error(), prefix)
			}
			if !strings.Contains(wrong.Message, test.message) {
				t.Errorf("message %q does not hold %q", wrong.Message, test.message)
			}
			if wrong.Hint == "" || !strings.Contains(wrong.Hint, test.hint) {
				t.Errorf("hint %q does not hold %q", wrong.Hint, test.hint)
			}
			if test.beyond {
				return
			}
			if doc, err := toJSON([]byte(test.in)); err == nil && schema.Validate(doc) == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

func TestMessagesKeepCredentials(t *testing.T) {
	secret := "hunter2-" + strings.Repeat("Ab3", 9)
	for _, in := range []string{
		"registries: [\"https://u:" + secret + "@npm.example/\"]",
		"registries: [\"https://npm.example/?token=" + secret + "\"]",
		"sources: {a: {repo: \"https://" + secret + "@github.com/a/b\"}}",
		"sources: {a: {repo: \"https://" + secret + "@github.com/a/b.git\"}}",
		"sources: {a: {repo: \"https://github.com/a/b\", issuer: \"https://u:" + secret + "@issuer.example\"}}",
	} {
		_, err := Parse("p", []byte("version: 1\n"+in))
		wrong, ok := errors.AsType[*FileError](err)
		if !ok {
			t.Fatalf("%s: %v", in, err)
		}
		if strings.Contains(wrong.Error()+wrong.Hint, secret) {
			t.Errorf("%v (%s)", wrong, wrong.Hint)
		}
	}
}

func TestParseRefusesOversize(t *testing.T) {
	_, err := Parse("p", []byte("version: 1\n#"+strings.Repeat("x", MaxFileSize)))
	var wrong *FileError
	if !errors.As(err, &wrong) || !strings.Contains(wrong.Message, "larger than") || wrong.Error() != "p: "+wrong.Message {
		t.Errorf("got %v", err)
	}
}

var good = []string{
	"version: 1",
	"\ufeffversion: 1\r\nprofile: strict\r\n",
	"---\nversion: 1\n",
	"# head\nversion: 1 # one\n\n# foot\n",
	"{version: 1, profile: baseline}",
	"version: 1\nsources: {}\nrules: {}\nexceptions: []\nexclude: []\ninternal: []\nregistries: []\nattestations: []\n",
	"version: 1\nsources:\n  \"@a/*\": {repo: https://github.com/a/*}\n  \"@a/b*\": {repo: https://github.com/a/b}\n  \"@a/b\": {repo: https://github.com/a/b}\n",
	"version: 1\nsources:\n  \"@a/*-x\": {repo: https://github.com/a/b}\n  \"@a/*-y\": {repo: https://github.com/a/b}\n",
	"version: 1\nsources:\n  a: {repo: https://github.com/a/b}\n  pypi:a: {repo: https://github.com/a/b}\n",
	"version: 1\nsources:\n  a: {repo: \"https://git.example:8443/a/b/c/*\", repository_id: 1, owner_id: '2'}\n",
	"version: 1\nrules:\n  vulnerable: {severity: off}\n  release-age: {severity: warn, minimum: 2w, for: [mcp]}\n",
	"version: 1\nexceptions:\n  - {rule: x-later, server: s, reason: r, expires: 2027-01-31}\nrules:\n  x-later: {assert: a, message: m}\n",
	full,
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	schema := compileSchema(t)
	for _, in := range good {
		if _, err := Parse("p", []byte(in)); err != nil {
			t.Errorf("%v\n%s", err, in)
		}
		doc, err := toJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%v\n%s", err, in)
		}
	}
}

// The schema names the rules one by one, so that editors can complete them.
func TestSchemaNamesEveryRule(t *testing.T) {
	schema := compileSchema(t)
	for _, rule := range Rules() {
		for what, in := range map[string]string{
			"rules":      "version: 1\nrules: {" + rule.Name + ": {severity: warn}}",
			"for":        "version: 1\nrules: {" + rule.Name + ": {severity: warn, for: [mcp]}}",
			"exceptions": "version: 1\nexceptions: [{rule: " + rule.Name + ", server: s, reason: r, expires: 2027-01-31}]",
		} {
			_, parseErr := Parse("p", []byte(in))
			doc, err := toJSON([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			schemaErr := schema.Validate(doc)
			if (parseErr == nil) != (schemaErr == nil) {
				t.Errorf("%s, %s: the parser says %v, the schema %v", rule.Name, what, parseErr, schemaErr)
			}
		}
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	schema, err := schemas.Compile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// toJSON reads YAML the way an editor does that validates by the schema.
func toJSON(data []byte) (any, error) {
	data, err := yaml.YAMLToJSON(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

func FuzzParse(f *testing.F) {
	for _, in := range good {
		f.Add([]byte(in))
	}
	for _, b := range bad {
		if len(b.in) < 1000 {
			f.Add([]byte(b.in))
		}
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p", data)
		if err != nil {
			wrong, ok := errors.AsType[*FileError](err)
			if !ok || wrong.Message == "" || wrong.Hint == "" || (wrong.Line == 0) != (wrong.Column == 0) {
				t.Fatalf("%#v", err)
			}
			return
		}
		doc, err := toJSON(data)
		if err != nil {
			return // the editor's reader knows less of YAML
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("parsed, but %v", err)
		}
		v := Evaluate(p, Facts{})
		if v.ExitCode == exitPass && (v.Verdict != Pass || len(p.custom) > 0 && p.settings[p.custom[0]].severity == Error) {
			t.Errorf("passed with %q", data)
		}
	})
}
