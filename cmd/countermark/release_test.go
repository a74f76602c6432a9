package main

import (
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"countermark/policy"
	"countermark/provenance/npm/npmtest"
	"countermark/provenance/provenancetest"
)

const (
	ourRepo  = "https://github.com/acme/tool"
	vouching = "version: 1\nsources: {tool: {repo: " + ourRepo + "}}\n"
	baseline = "version: 1\n"
	strict   = "version: 1\nprofile: strict\n"
)

const day = 24 * time.Hour

// launch configures a server that starts the package.
func (w *world) launch(spec string) {
	w.write("project/.mcp.json", fmt.Appendf(nil, `{"mcpServers": {"mail": {"command": "npx", "args": ["-y", %q]}}}`, spec))
}

// before publishes an earlier version of tool, by bob.
func (w *world) before(version string, attested bool, repository string) {
	w.registry.Describe("tool", version, npmtest.Details{Published: "2019-01-02T00:00:00Z", Publisher: "bob", Repository: repository})
	if attested {
		w.registry.Promise("tool", version)
	}
}

// aged publishes tool so long before the check.
func (w *world) aged(sum [sha512.Size]byte, age time.Duration) {
	w.describe("tool", sum, func(d *npmtest.Details) { d.Published = provenancetest.Now.Add(-age).Format(time.RFC3339) })
}

// resign publishes tool with other signatures.
func (w *world) resign(change func(*npmtest.Details)) { w.describe("tool", w.lock("tool"), change) }

// impostor is a sigstore that differs from ours in nothing but the registry's key.
func (w *world) impostor() *provenancetest.Sigstore {
	w.t.Helper()
	s, err := w.sigstore.Impostor(provenancetest.NPM)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// expire ends the validity of all keys that are pinned.
func (w *world) expire(at string) {
	w.t.Helper()
	data, err := w.sigstore.NPMKeys()
	if err != nil {
		w.t.Fatal(err)
	}
	var file struct {
		Keys []struct {
			ID        string         `json:"keyId"`
			Usage     string         `json:"keyUsage"`
			PublicKey map[string]any `json:"publicKey"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		w.t.Fatal(err)
	}
	for _, key := range file.Keys {
		key.PublicKey["validFor"] = map[string]any{"start": "2015-01-01T00:00:00Z", "end": at}
	}
	if data, err = json.Marshal(file); err != nil {
		w.t.Fatal(err)
	}
	w.write("keys.json", data)
}

// says runs a command and demands its exit code and what it says, wherever the
// lines are broken. The registry is https://registry.example in it.
func (w *world) says(code int, want []string, args ...string) {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	got := w.program(&stdout, &stderr).run(w.t.Context(), args)
	said := strings.Join(strings.Fields(stdout.String()+stderr.String()), " ")
	said = strings.ReplaceAll(said, strings.TrimSuffix(w.url, "/"), "https://registry.example")
	for _, text := range want {
		if !strings.Contains(said, text) {
			w.t.Errorf("%s does not say %q", args[0], text)
			code = -1
		}
	}
	if got != code {
		w.t.Errorf("exit code of %s is %d, want %d\n%s%s", args[0], got, code, &stdout, &stderr)
	}
}

// TestReleases shows what check and verify answer to all that a registry can say
// of a version: exit code, message, and what to do next.
func TestReleases(t *testing.T) {
	const (
		lockIntegrity = "62b95004b6eb5f43905104a81fd32c28cdcb4e3ffb50105afd03eb1257cf034a4edb6d1f0f9fd15d76fa42a0d08325d54b1de8115a898675cadc79daa2cbab64"
		unattested    = "ABSENT npm:tool@1.0.0 the registry https://registry.example/ has no attestations for this version -> use a version that was published with provenance"
		unpinned      = "the key of the registry's signature is SHA256:"
		foreignKey    = ", but a key that is pinned for https://registry.example was expected"
		newKey        = "-> if the registry has a new key, give its keys with --npm-keys"
		unsigned      = "the number of the registry's signatures is 0, but at least 1 was expected"
		askWhy        = "-> do not install this version; ask the registry why it did not sign it, or find out which mirror or proxy answers in its place"
		forged        = "the registry's signature does not verify: it is not of tool@1.0.0:sha512-"
		report        = "-> do not install this version; compare it with the registry's page, and report it to the registry if it differs"
		expired       = "which expired on 2019-12-31, and the version was published on 2020-01-02"
		signAnew      = "-> do not install this version; if the registry has a new key, ask it to sign the version with that"
		newPublisher  = "tool 1.0.0 was published by ann, the version before, 0.9.0, by bob"
		keepBefore    = "-> stay on 0.9.0 until the project confirms that the account is theirs"
		newSource     = "tool 1.0.0 was built from another repository than the last attested version before it expected: https://github.com/acme/old found: https://github.com/acme/tool -> ask the project whether it has moved; then name the right repository under sources in countermark.yaml"
		lost          = "there are no attestations for it, although version 1.2.0 of 2019-01-02 had them"
		stay          = "-> stay on 1.2.0 until the project explains it: whoever has stolen a token publishes without its workflow"
		stripped      = "the registry https://registry.example/ promises attestations in the package's metadata, but does not serve them"
		askOther      = "-> ask the registry that the package was published to (--registry), or give the attestations with --attestations"
		unknown       = "the registry https://registry.example/ has no package tool; whoever publishes it first is run in its place"
		correct       = "-> correct the name, name its registry in .npmrc, or remove the entry; a package that needs credentials, or that was taken down, looks the same"
		unavailable   = "UNAVAILABLE npm:tool@1.0.0 the registry https://registry.example/ knows no package of this name -> check the name and the registry"
	)
	tool := sha512.Sum512([]byte("tool"))
	tests := []struct {
		name     string
		arrange  func(w *world)
		policy   string
		check    int
		says     []string
		verify   int // the package's name alone, without a lockfile
		verified []string
	}{
		{
			"honest", func(w *world) { w.release("tool", ourRepo, w.lock("tool")) },
			vouching + "rules: {signature-invalid: {severity: error}, publisher-changed: {severity: error}, release-age: {severity: off}}\n",
			exitPass, []string{"PASS 0 errors, 0 warnings", "tool@1.0.0 <- https://github.com/acme/tool"},
			exitPass, []string{"VERIFIED npm:tool@1.0.0"},
		},
		{
			"another integrity than the lockfile's", func(w *world) {
				w.lock("tool")
				w.describe("tool", sha512.Sum512([]byte("other")), nil)
			}, vouching,
			exitFail, []string{"ERROR provenance-invalid", "tool 1.0.0: the registry's sha512 is e25ac384", "but " + lockIntegrity + " was expected; that of the lockfile counts", "-> the bytes are not the published ones: find out who changed the lockfile or the registry"},
			exitFail, []string{unattested},
		},
		{
			"another integrity than the attested one", func(w *world) {
				w.release("tool", ourRepo, w.lock("tool"))
				w.describe("tool", sha512.Sum512([]byte("other")), nil)
			}, vouching,
			exitFail, []string{"ERROR provenance-invalid", "that of the lockfile counts"},
			exitFail, []string{"INVALID", "the registry's sha512 is e25ac384", "but " + lockIntegrity + " was expected; what is attested counts", report},
		},
		{
			"signed with an unknown key", func(w *world) {
				w.resign(func(d *npmtest.Details) { d.Signatures = w.sign(w.impostor(), "tool", d.Integrity) })
			}, vouching,
			exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR signature-invalid", "tool 1.0.0: " + unpinned, foreignKey, newKey},
			exitFail, []string{"INVALID", unpinned, foreignKey, newKey, "FAIL registry-signature-key"},
		},
		{
			"signed with another key of the same name", func(w *world) {
				w.resign(func(d *npmtest.Details) { d.Signatures[0].Sig = w.sign(w.impostor(), "tool", d.Integrity)[0].Sig })
			}, vouching,
			exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR signature-invalid", "tool 1.0.0: " + forged, report},
			exitFail, []string{"INVALID", forged, report, "FAIL registry-signature"},
		},
		{
			"signature of other bytes", func(w *world) {
				w.resign(func(d *npmtest.Details) { d.Signatures = w.sign(w.sigstore, "tool", "sha512-AAAA") })
			}, vouching,
			exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR signature-invalid", "tool 1.0.0: " + forged, report},
			exitFail, []string{"INVALID", forged, report},
		},
		{
			"unsigned", func(w *world) { w.resign(func(d *npmtest.Details) { d.Signatures = nil }) }, vouching,
			exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR signature-invalid", "tool 1.0.0: " + unsigned, askWhy},
			exitFail, []string{"INVALID", unsigned, askWhy, "FAIL registry-signature-present"},
		},
		{
			"signed with a key that had expired", func(w *world) {
				w.expire("2019-12-31T00:00:00Z")
				w.resign(nil)
			}, vouching,
			exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR signature-invalid", "tool 1.0.0: the registry's signature is of the key", expired, signAnew},
			exitFail, []string{"INVALID", expired, signAnew, "FAIL registry-signature-key-validity"},
		},
		{
			"signed with a key that expired later", func(w *world) {
				w.expire("2020-01-02T00:00:01Z")
				w.resign(nil)
			}, vouching,
			exitPass, []string{"PASS 0 errors, 0 warnings"},
			exitFail, []string{unattested},
		},
		{
			"two signatures, the second by an unknown key", func(w *world) {
				w.resign(func(d *npmtest.Details) {
					d.Signatures = append(d.Signatures, w.sign(w.impostor(), "tool", d.Integrity)...)
				})
			}, vouching,
			exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR signature-invalid", "tool 1.0.0: " + unpinned, foreignKey, newKey},
			exitFail, []string{"INVALID", unpinned, foreignKey, newKey},
		},
		{
			"two signatures, the first of other bytes", func(w *world) {
				w.resign(func(d *npmtest.Details) {
					d.Signatures = append(w.sign(w.sigstore, "tool", "sha512-AAAA"), d.Signatures...)
				})
			}, vouching,
			exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR signature-invalid", "tool 1.0.0: " + forged, report},
			exitFail, []string{"INVALID", forged, report},
		},
		{
			"two signatures that hold", func(w *world) {
				w.resign(func(d *npmtest.Details) {
					d.Signatures = append(d.Signatures, w.sign(w.sigstore, "tool", d.Integrity)...)
				})
			}, vouching,
			exitPass, []string{"PASS 0 errors, 0 warnings"},
			exitFail, []string{unattested},
		},

		{
			"another publisher of a dependency", func(w *world) {
				w.resign(nil)
				w.before("0.9.0", false, "")
			}, vouching,
			exitPass, []string{"PASS 0 errors, 1 warning", "WARN publisher-changed", newPublisher, keepBefore},
			exitFail, []string{unattested},
		},
		{
			"another publisher, strict", func(w *world) {
				w.resign(nil)
				w.before("0.9.0", false, "")
			}, strict,
			exitFail, []string{"FAIL 1 error", "ERROR publisher-changed", newPublisher, keepBefore},
			exitFail, []string{unattested},
		},
		{
			"another publisher of a server", func(w *world) {
				w.launch("tool@1.0.0")
				w.describe("tool", tool, nil)
				w.before("0.9.0", false, "")
			}, vouching,
			exitFail, []string{"FAIL 1 error", "ERROR publisher-changed", `server "mail"`, newPublisher, keepBefore},
			exitFail, []string{unattested},
		},
		{
			"another source", func(w *world) {
				w.release("tool", ourRepo, w.lock("tool"))
				w.before("0.9.0", true, "git+https://github.com/acme/old.git")
			}, baseline + "rules: {publisher-changed: {severity: error}}\n",
			exitFail, []string{"FAIL 2 errors", "ERROR publisher-changed", newPublisher, keepBefore, newSource},
			exitFail, []string{"UNVOUCHED", "it was built from https://github.com/acme/tool, but nobody except the package itself says that it should be", "-> if that is the right source, name it under sources in the policy"},
		},
		{
			"the same source, written otherwise", func(w *world) {
				w.release("tool", ourRepo, w.lock("tool"))
				w.before("0.9.0", true, "github:Acme/tool")
			}, baseline + "rules: {publisher-changed: {severity: error}}\n",
			exitFail, []string{"FAIL 1 error", newPublisher, keepBefore},
			exitFail, []string{"UNVOUCHED"},
		},

		{
			"lost", func(w *world) {
				w.resign(nil)
				w.before("1.2.0", true, "")
			}, vouching,
			exitFail, []string{"FAIL 1 error", "ERROR provenance-lost", "tool 1.0.0: " + lost, stay},
			exitFail, []string{"LOST", lost, stay, "FAIL attested-before"},
		},
		{
			"attested in another major version only", func(w *world) {
				w.resign(nil)
				w.before("0.9.0", true, "")
			}, vouching,
			exitPass, []string{"PASS 0 errors, 1 warning", newPublisher, keepBefore},
			exitFail, []string{unattested},
		},
		{
			"stripped", func(w *world) {
				w.resign(nil)
				w.registry.Promise("tool", "1.0.0")
			}, vouching + "rules: {provenance-unavailable: {severity: error}}\n",
			exitUnknown, []string{"UNKNOWN 1 error", "ERROR provenance-unavailable", "tool 1.0.0: " + stripped, askOther},
			exitUnknown, []string{"STRIPPED", stripped, askOther},
		},

		{
			"unknown dependency", func(w *world) { w.lock("tool") }, vouching,
			exitPass, []string{"PASS 0 errors, 1 warning", "WARN registry-unknown-package", unknown, correct},
			exitUnknown, []string{unavailable},
		},
		{
			"unknown dependency, strict", func(w *world) { w.lock("tool") }, strict,
			exitFail, []string{"FAIL 1 error", "ERROR registry-unknown-package", unknown, correct},
			exitUnknown, []string{unavailable},
		},
		{
			"unknown server", func(w *world) { w.launch("tool@1.0.0") }, vouching,
			exitFail, []string{"FAIL 1 error", "ERROR registry-unknown-package", `server "mail"`, unknown, correct},
			exitUnknown, []string{unavailable},
		},
		{
			"unknown server without a version", func(w *world) { w.launch("tool") }, vouching + "rules: {version-floating: {severity: off}}\n",
			exitFail, []string{"FAIL 1 error", "ERROR registry-unknown-package", `server "mail"`, unknown, correct},
			exitUnknown, []string{unavailable},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.arrange(w)
			w.project(tt.policy)
			evidence := []string{
				"--registry", w.url, "--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"),
				"--policy", filepath.Join(w.dir, "project", "countermark.yaml"),
			}
			w.says(tt.check, tt.says, append([]string{"check", filepath.Join(w.dir, "project")}, evidence...)...)
			w.says(tt.verify, tt.verified, append([]string{"verify", "npm:tool@1.0.0"}, evidence...)...)
		})
	}
}

// TestReleaseAge shows the first moment at which a version is old enough, for
// servers and for other packages, in both profiles.
func TestReleaseAge(t *testing.T) {
	const alone = "rules: {provenance-missing: {severity: off}, integrity-missing: {severity: off}}\n"
	for _, tt := range []struct {
		profile string
		server  bool
		age     time.Duration
		code    int
		says    []string
	}{
		{"baseline", true, 14*day - time.Second, exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR release-age", `server "mail"`, "tool 1.0.0 was published on 2026-01-01; the policy wants 14 days to pass first", "-> use an older version until 2026-01-15, or make an exception if you have read this one"}},
		{"baseline", true, 14 * day, exitPass, []string{"PASS 0 errors, 0 warnings"}},
		{"strict", true, 14*day - time.Second, exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR release-age", "the policy wants 14 days to pass first", "-> use an older version until 2026-01-15"}},
		{"strict", true, 14 * day, exitPass, []string{"PASS 0 errors, 0 warnings"}},
		{"baseline", false, 3*day - time.Second, exitPass, []string{"PASS 0 errors, 1 warning", "WARN release-age", "tool 1.0.0 was published on 2026-01-12; the policy wants 3 days to pass first", "-> use an older version until 2026-01-15"}},
		{"baseline", false, 3 * day, exitPass, []string{"PASS 0 errors, 0 warnings"}},
		{"strict", false, 7*day - time.Second, exitFail, []string{"FAIL 1 error, 0 warnings", "ERROR release-age", "tool 1.0.0 was published on 2026-01-08; the policy wants 7 days to pass first", "-> use an older version until 2026-01-15"}},
		{"strict", false, 7 * day, exitPass, []string{"PASS 0 errors, 0 warnings"}},
	} {
		t.Run(fmt.Sprintf("%s server=%v %s", tt.profile, tt.server, tt.age), func(t *testing.T) {
			w := newWorld(t)
			sum := sha512.Sum512([]byte("tool"))
			if tt.server {
				w.launch("tool@1.0.0")
			} else {
				sum = w.lock("tool")
			}
			w.aged(sum, tt.age)
			w.project(vouching + "profile: " + tt.profile + "\n" + alone)
			w.says(tt.code, tt.says, "check", filepath.Join(w.dir, "project"), "--registry", w.url,
				"--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"))
		})
	}
}

// TestKeysOfAnotherRegistry: the keys of --npm-keys are those of the configured
// registry, and prove nothing of what a scope's own registry serves.
func TestKeysOfAnotherRegistry(t *testing.T) {
	const named = "version: 1\nsources: {'@acme/tool': {repo: " + ourRepo + "}}\n"
	const asked = named + "rules: {signature-invalid: {severity: warn}}\n"
	w := newWorld(t)
	sum := w.lock("@acme/tool")
	w.describe("@acme/tool", sum, nil)
	w.write(".npmrc", fmt.Appendf(nil, "registry=https://registry.example/\n@acme:registry=%s\n", w.url))
	check := func(code int, text string, want ...string) {
		t.Helper()
		w.project(text)
		w.says(code, want, "check", filepath.Join(w.dir, "project"),
			"--trusted-root", filepath.Join(w.dir, "root.json"), "--npm-keys", filepath.Join(w.dir, "keys.json"))
	}
	const reason = "signature-invalid: 1 of 1 packages: nobody has named the keys of their registry; give them with --npm-keys"
	check(exitPass, named, "PASS 0 errors, 0 warnings", reason)
	check(exitUnknown, asked, "UNKNOWN 0 errors, 0 warnings", "this is no pass", reason)
	// What is attested with such a key does not hold either.
	w.release("@acme/tool", ourRepo, sum)
	check(exitFail, named, "ERROR provenance-invalid", "the key of the publish attestation is SHA256:", "but a known key of the registry", "-> if the registry has a new key, give its keys with --npm-keys")
	// A project that breaks the line of the configured registry makes the keys
	// nobody's, not everybody's.
	w.write(".npmrc", fmt.Appendf(nil, "@acme:registry=%s\n", w.url))
	w.write("project/.npmrc", []byte("registry=https://${NAME}.registry.example/\n"))
	check(exitFail, named, "ERROR npmrc-unsafe", "ERROR provenance-invalid", "the key of the publish attestation is SHA256:")
	w.write("project/.npmrc", nil)
	// With that registry as the configured one, the same keys are the right ones.
	w.write(".npmrc", fmt.Appendf(nil, "registry=%s\n", w.url))
	check(exitPass, asked, "PASS 0 errors", "@acme/tool@1.0.0 <- https://github.com/acme/tool")
}

// TestFactsThatNobodyMayAskFor: a rule that lacks what only the registry says is
// listed, and no pass where the policy file itself asks for it.
func TestFactsThatNobodyMayAskFor(t *testing.T) {
	for rule, reason := range map[string]string{
		"provenance-lost":          "1 of 1 packages: what the registry says of them and of their earlier versions is not known, and no registry may be asked: run again with network access",
		"publisher-changed":        "1 of 1 packages: what the registry says of them and of their earlier versions is not known, and no registry may be asked: run again with network access",
		"registry-unknown-package": "1 of 1 packages: whether the registry has them is not known, and no registry may be asked: run again with network access",
		"release-age":              "1 of 1 packages: when they were published is not known, and no registry may be asked: run again with network access",
		"signature-invalid":        "1 of 1 packages: what the registry says of them and of their earlier versions is not known, and no registry may be asked: run again with network access",
	} {
		t.Run(rule, func(t *testing.T) {
			w := newWorld(t)
			w.lock("tool")
			for text, want := range map[string]int{
				vouching: exitPass,
				vouching + "rules: {" + rule + ": {severity: info}}\n":                 exitPass,
				vouching + "rules: {" + rule + ": {severity: warn}}\n":                 exitUnknown,
				vouching + "rules: {" + rule + ": {severity: error, for: [direct]}}\n": exitUnknown,
			} {
				v := w.check(want, text, "--registry", w.url, "--offline")
				at := slices.IndexFunc(v.NotEvaluated, func(n policy.NotEvaluated) bool { return n.Rule == rule })
				if at < 0 || v.NotEvaluated[at].Reason != reason {
					t.Errorf("%s: %+v", text, v.NotEvaluated)
				}
			}
			w.project(vouching + "rules: {" + rule + ": {severity: warn}}\n")
			w.says(exitUnknown, []string{"UNKNOWN 0 errors, 0 warnings", "something that the answer needs could not be read or fetched: this is no pass", reason},
				"check", filepath.Join(w.dir, "project"), "--registry", w.url, "--offline")
			if n := len(w.registry.Requests()); n > 0 {
				t.Errorf("the registry was asked %d times", n)
			}
		})
	}
}
