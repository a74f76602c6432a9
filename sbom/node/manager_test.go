package node

import (
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

// TestLockfilesSideBySide: which one is in force is said by package.json only where
// the package manager of the other one would refuse to install.
func TestLockfilesSideBySide(t *testing.T) {
	locks := map[string]string{
		"package-lock.json": lock(`"": {"name":"app","version":"1.0.0"}`),
		"pnpm-lock.yaml":    "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n",
		"yarn.lock":         "# yarn lockfile v1\n",
		"berry":             "__metadata:\n  version: 8\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  linkType: soft\n  resolution: \"app@workspace:.\"\n",
		"bun.lock":          `{"lockfileVersion": 1, "workspaces": {"": {"name": "app"}}, "packages": {}}`,
	}
	const unknown = "which of them counts depends on who installs"
	for _, test := range []struct {
		fields string
		files  string
		want   string // in the one problem
		code   sbom.ProblemCode
	}{
		{``, "package-lock.json pnpm-lock.yaml", unknown, sbom.Invalid},
		{`"packageManager":"npm@11.0.0",`, "package-lock.json pnpm-lock.yaml", "pnpm does not install by this file, since packageManager in package.json names npm", sbom.Warning},
		{`"packageManager":"npm@11.0.0",`, "package-lock.json yarn.lock", "yarn does not install by this file, since packageManager in package.json names npm", sbom.Warning},
		{`"packageManager":"npm@11.0.0",`, "package-lock.json berry", unknown, sbom.Invalid},
		{`"packageManager":"npm@11.0.0",`, "package-lock.json bun.lock", unknown, sbom.Invalid},
		{`"packageManager":"pnpm@9.0.0+sha224.00",`, "package-lock.json pnpm-lock.yaml", unknown, sbom.Invalid}, // npm installs nevertheless
		{`"packageManager":"pnpm@9.0.0",`, "yarn.lock pnpm-lock.yaml", "yarn does not install by this file, since packageManager in package.json names pnpm", sbom.Warning},
		{`"packageManager":"yarn@1.22.22",`, "yarn.lock pnpm-lock.yaml", "pnpm does not install by this file, since packageManager in package.json names yarn", sbom.Warning},
		{`"packageManager":"bun@1.2.0",`, "bun.lock pnpm-lock.yaml", "pnpm does not install by this file, since packageManager in package.json names bun", sbom.Warning},
		{`"packageManager":"bun@1.2.0",`, "yarn.lock pnpm-lock.yaml", unknown, sbom.Invalid}, // there is none of Bun's
		{`"packageManager":7,`, "package-lock.json pnpm-lock.yaml", unknown, sbom.Invalid},
		{`"devEngines":{"packageManager":{"name":"pnpm"}},`, "package-lock.json pnpm-lock.yaml", "npm does not install by this file, since devEngines in package.json names pnpm", sbom.Warning},
		{`"devEngines":{"packageManager":{"name":"pnpm","onFail":"error"}},`, "package-lock.json yarn.lock", unknown, sbom.Invalid},
		{`"devEngines":{"packageManager":{"name":"pnpm","onFail":"warn"}},`, "package-lock.json pnpm-lock.yaml", unknown, sbom.Invalid},
		{`"devEngines":{"packageManager":[{"name":"pnpm"}]},`, "package-lock.json pnpm-lock.yaml", unknown, sbom.Invalid},
		{`"devEngines":7,`, "package-lock.json pnpm-lock.yaml", unknown, sbom.Invalid},
	} {
		t.Run(test.fields+test.files, func(t *testing.T) {
			files := map[string]string{"package.json": `{` + test.fields + `"name":"app","version":"1.0.0"}`}
			for name := range strings.FieldsSeq(test.files) {
				files[strings.ReplaceAll(name, "berry", "yarn.lock")] = locks[name]
			}
			var all []sbom.Problem
			for _, in := range scan(t, files).Inputs {
				all = append(all, in.Problems...)
			}
			if len(all) != 1 || all[0].Code != test.code || !strings.Contains(all[0].Message, test.want) {
				t.Errorf("problems %+v, want %s %q", all, test.code, test.want)
			}
		})
	}
}

// TestSeveralLockfiles: projects of one tree, each with a lockfile of another package
// manager, share what is the same.
func TestSeveralLockfiles(t *testing.T) {
	const integrity = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
	other := "sha512-" + strings.Repeat("A", 86) + "=="
	files := map[string]string{
		"a/package.json": `{"name":"app-a","version":"1.0.0","dependencies":{"x":"1","bad":"1"}}`,
		"a/package-lock.json": strings.ReplaceAll(lock(`"": {"name":"app-a","version":"1.0.0","dependencies":{"x":"1","bad":"1"}}`,
			`"node_modules/x": {"version":"1.0.0","resolved":"https://registry.example/x/-/x-1.0.0.tgz","integrity":"`+integrity+`"}`,
			`"node_modules/bad": {"version":"1.0.0","resolved":"https://registry.example/bad/-/bad-1.0.0.tgz","integrity":"`+integrity+`"}`), `"app"`, `"app-a"`),
		"b/package.json": `{"name":"app-b","version":"1.0.0","dependencies":{"x":"1","bad":"1"}}`,
		"b/pnpm-lock.yaml": "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      bad:\n        specifier: '1'\n        version: 1.0.0\n      x:\n        specifier: '1'\n        version: 1.0.0\n\n" +
			"packages:\n\n  bad@1.0.0:\n    resolution: {integrity: " + other + "}\n\n  x@1.0.0:\n    resolution: {integrity: " + integrity + "}\n\nsnapshots:\n\n  bad@1.0.0: {}\n\n  x@1.0.0: {}\n",
		"c/package.json": `{"name":"app-c","version":"1.0.0","dependencies":{"x":"1"}}`,
		"c/yarn.lock":    "# yarn lockfile v1\n\n\nx@1:\n  version \"1.0.0\"\n  resolved \"https://registry.example/x/-/x-1.0.0.tgz#da39a3ee5e6b4b0d3255bfef95601890afd80709\"\n  integrity " + integrity + "\n",
		"d/package.json": `{"name":"app-d","version":"1.0.0","dependencies":{"x":"1"}}`,
		"d/yarn.lock":    "# yarn lockfile v1\n\n\nx@1:\n  version \"1.0.0\"\n  resolved \"https://mirror.example/x/-/x-1.0.0.tgz#da39a3ee5e6b4b0d3255bfef95601890afd80709\"\n  integrity " + integrity + "\n",
	}
	inv := scan(t, files)
	wantProblems(t, inv)
	wantEdges(t, inv,
		"pkg:npm/app-a@1.0.0 -> pkg:npm/bad@1.0.0",
		"pkg:npm/app-a@1.0.0 -> pkg:npm/x@1.0.0",
		"pkg:npm/app-b@1.0.0 -> pkg:npm/bad@1.0.0#2",
		"pkg:npm/app-b@1.0.0 -> pkg:npm/x@1.0.0",
		"pkg:npm/app-c@1.0.0 -> pkg:npm/x@1.0.0",
		"pkg:npm/app-d@1.0.0 -> pkg:npm/x@1.0.0#2", // of a registry that is to be judged
		"project -> pkg:npm/app-a@1.0.0",
		"project -> pkg:npm/app-b@1.0.0",
		"project -> pkg:npm/app-c@1.0.0",
		"project -> pkg:npm/app-d@1.0.0",
	)
	x := component(t, inv, "pkg:npm/x@1.0.0")
	var at []string
	for _, o := range x.Occurrences {
		at = append(at, o.Path)
	}
	if at = slices.Compact(at); !slices.Equal(at, []string{"a/package-lock.json", "b/pnpm-lock.yaml", "c/yarn.lock"}) {
		t.Errorf("x stands in %v", at)
	}
	if len(x.Hashes) != 2 || x.Conflict != "" {
		t.Errorf("x: %+v", x)
	}
	if bad := component(t, inv, "pkg:npm/bad@1.0.0#2"); bad.Conflict != "pkg:npm/bad@1.0.0" {
		t.Errorf("bad conflicts with %q", bad.Conflict)
	}
	if mirror := component(t, inv, "pkg:npm/x@1.0.0#2"); mirror.Distribution.Host != "https://mirror.example" || mirror.Conflict != "" {
		t.Errorf("x of a mirror: %+v", mirror)
	}
}
