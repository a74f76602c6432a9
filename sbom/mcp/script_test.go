package mcp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"countermark/sbom"
	"countermark/sbom/node"
)

// launchesIn are what the scripts of a tree launch, as "name: launcher kind spec
// pin", in the order of the files and lines, with nested ones behind "+".
func launchesIn(t testing.TB, files map[string]string) (out []string, inv *sbom.Inventory) {
	t.Helper()
	tree := fstest.MapFS{}
	for name, data := range files {
		tree[name] = &fstest.MapFile{Data: []byte(data)}
	}
	inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: tree}}, sbom.Options{Readers: []sbom.Reader{node.Reader{}, Reader{}, Scripts{}}})
	if err != nil {
		t.Fatal(err)
	}
	var servers []*sbom.Server
	for _, c := range inv.Components {
		if c.Server != nil && c.Server.Script {
			servers = append(servers, c.Server)
		}
	}
	slices.SortStableFunc(servers, func(x, y *sbom.Server) int {
		return strings.Compare(fmt.Sprintf("%s %6d", x.File, x.Line), fmt.Sprintf("%s %6d", y.File, y.Line))
	})
	for _, s := range servers {
		line := fmt.Sprintf("%d %s: %s %s %s %s", s.Line, s.Name, s.Launcher, s.Kind, s.Spec, s.Pin)
		for _, l := range s.Launches[1:] {
			line += fmt.Sprintf(" + %s %s %s", l.Kind, l.Spec, l.Pin)
		}
		out = append(out, line)
	}
	return out, inv
}

func checkLaunches(t *testing.T, name, data string, want ...string) {
	t.Helper()
	got, inv := launchesIn(t, map[string]string{name: data})
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\n got  %q\n want %q", name, data, got, want)
	}
	for _, in := range inv.Inputs {
		for _, p := range in.Problems {
			if p.Code != sbom.NoLockfile {
				t.Errorf("%s: line %d: %s", in.Path, p.Line, p.Message)
			}
		}
	}
}

func TestShellScripts(t *testing.T) {
	for _, tc := range []struct {
		script string
		want   []string
	}{
		{"npm ci\nnode x.js\nnpm run build && npm test\ndocker build . && docker compose up\nuv pip install x\n", nil},
		{"#!/bin/bash\nset -e\nnpx eslint . | tee log\n", []string{"3 npx: npx npm eslint unversioned"}},
		{"npx --version; uvx --version; command -v npx uvx; echo npx foo; which npx bunx", nil},
		{"apt-get install -y npm docker nodejs\npip install uvx foo", nil},
		{"if ! npx a@1.2.3; then\n  X=$(uvx b)\nfi\nfor i in 1; do docker run --rm c:1; done",
			[]string{"1 npx: npx npm a@1.2.3 exact", "2 uvx: uvx pypi b unversioned", "4 docker run: docker run oci c:1 tag"}},
		{"npx $PKG\nnpx foo@$V\nnpx \"$PKG\"", []string{"1 npx: npx unknown  unknown", "2 npx: npx unknown  unknown", "3 npx: npx unknown  unknown"}},
		{"sudo -E npx a\nbash -c 'cd x && npx b; bunx c'\nxargs npx d\ntime timeout 5 npx e@2",
			[]string{"1 npx: npx npm a unversioned", "2 bunx: bunx npm c unversioned", "2 npx: npx npm b unversioned", "3 npx: npx npm d unversioned", "4 npx: npx npm e@2 range"}},
		{"concurrently \"npx a\" 'uvx b'\ndocker run node:22 npx c", []string{"1 npx: npx npm a unversioned + pypi b unversioned", "2 docker run: docker run oci node:22 tag + npm c unversioned"}},
		{"npx a \\\n  --b c && \\\n  npx d", []string{"1 npx: npx npm a unversioned", "3 npx: npx npm d unversioned"}},
		{"cat <<EOF\nnpx not-run\nEOF\n# npx nor this\nf() { pipx run g==1.0; }", []string{"5 pipx run: pipx run pypi g==1.0 exact"}},
		{"deno run -A npm:a@1\ndnx P@1.0.0\ngo run example.com/m/cmd/x@v1.2.3\ngo run ./cmd/x\npnpm dlx p\nyarn dlx q\nnpm exec -- r\nnpm x s",
			[]string{"1 deno run: deno run npm a@1 range", "2 dnx: dnx nuget P@1.0.0 exact", "3 go run: go run go example.com/m/cmd/x@v1.2.3 exact",
				"5 pnpm dlx: pnpm dlx npm p unversioned", "6 yarn dlx: yarn dlx npm q unversioned", "7 npm exec: npm exec npm r unversioned", "8 npm x: npm x npm s unversioned"}},
		{"npx mcp-remote@0.1.16 https://a.example/mcp", []string{"1 npx: npx npm mcp-remote@0.1.16 exact + remote https://a.example/mcp n/a"}},
	} {
		checkLaunches(t, "run.sh", tc.script, tc.want...)
	}
}
