package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
	"countermark/schemas/official"
)

// everyLaunch are command lines of every launcher, with a place for a value that
// nobody may see: VALUE stands for it.
var everyLaunch = []string{
	"npx | -y | a | --token | VALUE | --key=VALUE | VALUE",
	"npx | --registry | https://u:VALUE@registry.example/?t=VALUE | a",
	"npx | --//registry.example/:_authToken=VALUE | a",
	"npx | -p | a | -c | a --token VALUE && B=VALUE npx b VALUE",
	"npx | git+https://x:VALUE@git.example/o/r.git#main",
	"npx | https://x:VALUE@files.example/a.tgz?t=VALUE#VALUE",
	"npx | --auth-token=VALUE | a", "npx | --auth-token | VALUE | a", "npx | -y | //VALUE@h/x",
	"npm | exec | --userconfig | VALUE | -- | a | VALUE",
	"bunx | a | VALUE", "bun | run | start | VALUE", "bun | -e | VALUE",
	"pnpm | dlx | a | VALUE", "pnpm | exec | a | VALUE", "yarn | dlx | a | VALUE", "yarn | run | start | VALUE",
	"deno | run | --env-file=VALUE | -A | npm:a | VALUE", "deno | run | https://x:VALUE@x.example/a.ts?t=VALUE", "deno | eval | VALUE",
	"uvx | --index-url | https://u:VALUE@pypi.example | a | VALUE", "uvx | --from | git+https://x:VALUE@git.example/o/r@main | a",
	"uv | run | --env-file | VALUE | x | VALUE", "uv | run | --with | a | python | -c | VALUE",
	"pipx | run | --pip-args | VALUE | a | VALUE", "python | -m | x | VALUE", "python | -c | VALUE",
	"docker | run | -e | A=VALUE | -eB=VALUE | --env=C=VALUE | -v | /VALUE:/VALUE | --label | VALUE | mcp/x | VALUE",
	"docker | run | -itv | /VALUE:/x | --mount | type=bind,source=/VALUE,target=/x | mcp/x", "docker | run | --zz | VALUE | mcp/x",
	"podman | run | --creds | u:VALUE | mcp/x", "docker | exec | -e | A=VALUE | c | npx | a | VALUE", "docker | --host | tcp://VALUE | run | mcp/x",
	"dnx | A.B@1.0.0 | --source | https://u:VALUE@nuget.example | -- | VALUE", "dotnet | tool | exec | A.B | VALUE",
	"go | run | -ldflags | -X VALUE | go.example/x@v1.0.0 | VALUE", "go | run | -exec | VALUE | go.example/x@v1.0.0",
	"npx | mcp-remote | https://u:VALUE@a.example/mcp?k=VALUE#VALUE | --header | Authorization: Bearer VALUE | --static-oauth-client-info | {\"client_secret\":\"VALUE\"}",
	"npx | supergateway | --oauth2Bearer | VALUE | --header | X: VALUE | --stdio | npx a --key VALUE",
	"uvx | mcp-proxy | -H | Authorization | VALUE | -e | K | VALUE | --named-server | x | npx a VALUE | https://a.example/?t=VALUE",
	"uvx | mcpo | --api-key | VALUE | -- | npx | a | VALUE", "npx | @smithery/cli | run | @o/s | --key | VALUE | --config | {\"k\":\"VALUE\"}",
	"npx | @modelcontextprotocol/inspector | -e | K=VALUE | npx | a", "mcp-context-protector | --command | npx | --command-args | a | VALUE",
	"toolbase-runner | -m=https://esm.sh/a@1.0.0?x=VALUE | -c={\"k\":\"VALUE\"}",
	"env | K=VALUE | npx | a", "env | -S | K=VALUE npx a VALUE", "sudo | K=VALUE | npx | a | VALUE", "timeout | 5 | npx | a | VALUE",
	"doppler | run | --token | VALUE | -- | npx | a", "op | run | -- | npx | a | VALUE", "dotenv | -e | x | -- | npx | a | VALUE", "wsl | -e | npx | a | VALUE",
	"bash | -c | export K=VALUE; cd /x && npx a --t VALUE", "bash | -c | curl -H 'X: VALUE' https://u:VALUE@a.example/VALUE.sh | sh", "bash | -c | npx a (VALUE",
	"cmd | /c | set K=VALUE && npx a VALUE & echo VALUE", "powershell | -c | $env:K='VALUE'; npx a VALUE", "pwsh | -EncodedCommand | VALUE",
	"node | -r | VALUE | x.js | VALUE", "node | -e | VALUE", "node | --env-file=VALUE | x.js", "ssh | u:VALUE@host | npx | a | VALUE", "kubectl | exec | p | -- | npx | a | VALUE",
	"poetry | -C | /VALUE | run | a | VALUE", "conda | run | -e | K=VALUE | -n | VALUE | python | s.py | VALUE", "uv | run | --with | a | a | VALUE",
	"nix | run | git+https://u:VALUE@git.example/o/r?token=VALUE#VALUE | -- | VALUE", "nix | run | github:o/r?token=VALUE#VALUE", "nix | run | https://u:VALUE@a.example/x.tar.gz?t=VALUE",
	"jbang | a@b | jdbc:x://u:VALUE@h | -pVALUE", "uvx | --auth-token | VALUE | a", "uvx | --auth-token=VALUE | a | VALUE", "docker | compose | run | -e | K=VALUE | s | npx | a | VALUE",
	"fnm | exec | --using | VALUE | npx | a | VALUE", "volta | run | --env | K=VALUE | npx | a", "sops | exec-env | /VALUE | npx a VALUE", "doppler | run | --command | npx a VALUE",
	"corepack | pnpm | dlx | a | VALUE", "yarn | workspace | @a/b | start | VALUE", "pnpm | serve | VALUE", "dotnet | run | --project | p | -- | VALUE", "flatpak-spawn | --env=K=VALUE | npx | a",
	"ssh | host | cd /VALUE && npx a VALUE", "/usr/local/bin/server pg://u:VALUE@h/VALUE | --x", "docker | run | o/supergateway | --oauth2Bearer | VALUE | --sse | https://u:VALUE@a.example/?k=VALUE",
	"/opt/server | --token | VALUE", "/opt/server --token VALUE", "server | VALUE", "C:\\x\\server.exe | --key=VALUE", "curl | -H | X: VALUE | https://x.example",
}

// entryOf is a configuration of one server with a value in every place that can
// hold one.
func entryOf(t *testing.T, line, value string) string {
	t.Helper()
	words := strings.Split(strings.ReplaceAll(line, "VALUE", value), " | ")
	data, err := json.Marshal(map[string]any{
		"inputs": []string{value}, "unknown": value,
		"mcpServers": map[string]any{
			"s": map[string]any{
				"command": words[0], "args": words[1:], "env": map[string]any{"API_KEY": value, "PLAIN": value, "LIST": []string{value}},
				"headers": map[string]string{"Authorization": "Bearer " + value, "X": value}, "cwd": "/" + value, "envFile": value,
				"oauth": map[string]string{"clientSecret": value}, "description": value, "timeout": value, "type": value, "other": []any{value, map[string]string{"k": value}},
			},
			"remote": map[string]any{"url": "https://u:" + value + "@a.example/mcp?k=" + value + "#" + value, "headers": map[string]string{"X-Key": value}},
			"text":   value,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestDocumentHoldsNoSecret plants a value in every place of a configuration that
// can hold a string, and looks for it in the SBOM, which has to be valid and to
// lead from the client's file to the server to what it runs.
func TestDocumentHoldsNoSecret(t *testing.T) {
	for _, line := range everyLaunch {
		for _, value := range []string{"hunter2", "ghp_MARKERmarker0123456789MARKERmarker01"} {
			inv := read(t, map[string]string{".mcp.json": entryOf(t, line, value)})
			var text bytes.Buffer
			if err := sbom.WriteCycloneDX(&text, inv, sbom.Document{ToolVersion: "1.0.0"}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text.String(), value) || strings.Contains(dump(t, inv), value) {
				t.Errorf("%s: %s shows", line, value)
			}
			if err := official.CycloneDX(sbom.DefaultSpecVersion, text.Bytes()); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			const file, server = "mcp:.mcp.json", "mcp:.mcp.json#s"
			if !slices.Contains(inv.Edges["project"], file) || !slices.Contains(inv.Edges[file], server) {
				t.Errorf("%s: the server cannot be reached: %v", line, inv.Edges)
			}
			for _, l := range inv.Component(server).Server.Launches {
				if l.Ref != "" && !slices.Contains(inv.Edges[server], l.Ref) {
					t.Errorf("%s: %s is launched, and no dependency", line, l.Ref)
				}
			}
		}
	}
}

// TestTokenAsName plants a credential where a name stands that is shown otherwise.
func TestTokenAsName(t *testing.T) {
	const token = "ghp_MARKERmarker0123456789MARKERmarker01"
	for _, line := range []string{
		"npx | @VALUE/x", "npx | @x/VALUE", "npx | a@npm:@VALUE/x@1.0.0", "uvx | a[VALUE]==1.0", "uvx | a[x, VALUE]", "uvx | VALUE==1.0",
		"node | /VALUE/node_modules/a/x.js", "node | node_modules/VALUE/x.js", "VALUE.exe | npx | a", "VALUE | uvx | a", "/x/VALUE | npx | a", "docker | run | x.example/VALUE/y", "docker | run | y:VALUE", "dnx | VALUE@1.0.0",
	} {
		inv := read(t, map[string]string{".mcp.json": entryOf(t, line, token)})
		if strings.Contains(strings.ToLower(dump(t, inv)), strings.ToLower(token)) {
			t.Errorf("%s: the token shows", line)
		}
	}
	for spec, want := range map[string]string{"a[x,y]==1.0": "a[x,y]==1.0", "a[]": "a[]", "a": "a"} {
		if got := pypi(word{text: spec}).launch.Spec; got != want {
			t.Errorf("%s: shown as %s", spec, got)
		}
	}
}

// TestNothingIsStarted puts a program of every name that a launch can have in
// front of all others, each of which leaves a trace, and forbids looking for any host.
func TestNothingIsStarted(t *testing.T) {
	dir := t.TempDir()
	trace := filepath.Join(dir, "started")
	script := "#!/bin/sh\necho \"$0\" >> '" + trace + "'\n"
	for _, line := range everyLaunch {
		name := program(strings.Fields(line)[0])
		for _, name := range []string{name, name + ".exe", "a", "x", "sh", "curl", "git", "npm"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", dir)
	t.Chdir(dir)
	// Whoever dials a host has to find it first. That no client for HTTP and
	// nothing that starts programs is even imported is a rule of the house.
	resolver := net.DefaultResolver
	dial, preferGo := resolver.Dial, resolver.PreferGo
	t.Cleanup(func() { resolver.Dial, resolver.PreferGo = dial, preferGo })
	resolver.PreferGo = true
	resolver.Dial = func(_ context.Context, network, address string) (net.Conn, error) {
		t.Errorf("it looks for a host: %s %s", network, address)
		return nil, errors.New("refused")
	}

	for _, line := range everyLaunch {
		if err := os.WriteFile(filepath.Join(dir, ".mcp.json"), []byte(entryOf(t, line, "v")), 0o600); err != nil {
			t.Fatal(err)
		}
		inv, _, err := sbom.Scan(t.Context(), []sbom.Tree{{FS: os.DirFS(dir)}}, sbom.Options{Readers: []sbom.Reader{Reader{}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(serversOf(inv)) != 3 {
			t.Errorf("%s: %d servers", line, len(serversOf(inv)))
		}
	}
	if started, err := os.ReadFile(trace); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it has started %s (%v)", started, err)
	}
}
