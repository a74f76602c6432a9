package sbom

import (
	"strings"
	"testing"
)

func TestRedactURL(t *testing.T) {
	const sha = "0123456789abcdef0123456789abcdef01234567"
	tests := []struct{ in, want string }{
		{"https://registry.example/a/-/a-1.0.0.tgz", "https://registry.example/a/-/a-1.0.0.tgz"},
		{"https://registry.example/@scope%2fa/-/a-1.0.0.tgz?token=s3cret#frag", "https://registry.example/@scope%2fa/-/a-1.0.0.tgz"},
		{"https://user:pa@ss@registry.example:8443/a", "https://registry.example:8443/a"},
		{"https://user:pa/ss@registry.example/a", "https://registry.example/a"},
		{"git+https://s3cretS3cret@github.com/o/r.git#" + sha, "git+https://github.com/o/r.git#" + sha},
		{"git+ssh://git@github.com/o/r.git#commit=" + sha, "git+ssh://github.com/o/r.git#" + sha},
		{"git+https://github.com/o/r.git#branch-with-s3cret", "git+https://github.com/o/r.git"},
		{"git@github.com:o/r.git#" + sha, "github.com:o/r.git#" + sha},
		{"https://codeload.github.com/o/r/tar.gz/" + sha, "https://codeload.github.com/o/r/tar.gz/" + sha},
		{"https://mcp.vendor.example/s/9f8e7d6c5b4a39281706f5e4d3c2b1a0/mcp", "https://mcp.vendor.example/s/REDACTED/mcp"},
		{"https://mcp.vendor.example/server/0d9e8c7b-1a2b-4c3d-8e4f-5a6b7c8d9e0f/sse", "https://mcp.vendor.example/server/REDACTED/sse"},
		{"https://mcp.vendor.example/ghp_0123456789abcdefghijABCDEFGHIJ012345/mcp", "https://mcp.vendor.example/REDACTED/mcp"},
		{"https://${HOST}/mcp?key=${KEY}", "https://${HOST}/mcp"},
		{"https://mcp.vendor.example/github-copilot-for-business/mcp", "https://mcp.vendor.example/github-copilot-for-business/mcp"},
		{"http://[::1]:8080/mcp", "http://[::1]:8080/mcp"},
		{"http://localhost:${PORT}/mcp/@scope/name", "http://localhost:${PORT}/mcp/@scope/name"},
		{"./local/path", "./local/path"},
		{"https:/u:p@host/x", "https://host/x"},
		{"https:\\\\u:p@host/x", "https://host/x"},
		{"ht\ntps://u:p@host/x", "https://host/x"},
		{"https:///u:p@host/x", "https://host/x"},
		{"//u:p@host/x", "//host/x"},
		{`\\u:p@host\x`, `\\host\x`},
		{`https://u:p@host\x`, `https://host\x`},
		{"github:user:pass@owner/repo#" + sha, "github:owner/repo#" + sha},
		{"github:s3cret@owner/repo", "github:owner/repo"},
		{"gist:s3cret@0123456789abcdef", "gist:0123456789abcdef"},
		{"https://user:pa#ss@host/x", "https://host/x"},
		{"https://user:pa?ss@host/x#" + sha, "https://host/x#" + sha},
		{"https://user:pa\\ss@host/x", "https://host/x"},
		{"https://host:8080/x?mail=a@b", "https://host:8080/x"},
		{"https://host/a.tgz;v=1;token=s3cret/b;c", "https://host/a.tgz/b;c"},
		{"git::https://u:p@host/x", "git::https://host/x"},
		{"npm:https://s3cret@host/x", "npm:https://host/x"},
		{"file://s3cret@host/x", "file://host/x"},
		{"0a://user@host/p", "0a://host/p"},
		{"user:pass@owner/repo", "owner/repo"},
		{"user:pass@host:owner/repo", "host:owner/repo"},
		{"npm:@scope/name@1.0.0", "npm:@scope/name@1.0.0"},
		{"npm:name@1.0.0", "npm:name@1.0.0"},
		{"alias@npm:name@1.0.0", "alias@npm:name@1.0.0"},
		{"@scope/name@1.0.0", "@scope/name@1.0.0"},
		{"name@^1.0.0", "name@^1.0.0"},
		{"github:owner/repo", "github:owner/repo"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := RedactURL(tt.in); got != tt.want {
			t.Errorf("RedactURL(%q)\n got %q\nwant %q", tt.in, got, tt.want)
		}
	}
}

func TestLooksSecretSparesNames(t *testing.T) {
	for _, name := range []string{
		"modelcontextprotocol", "server-sequential-thinking", "mcp-server-kubernetes-2025", "internationalization2",
		"babel-plugin-transform-es2015-modules-commonjs", "aws-sdk-client-s3-control-plane", "v1.25.0-alpha.20250101",
		"string_decoder-1.3.0.tgz", "typescript-eslint-parser-8.46.2.tgz",
	} {
		if LooksSecret(name) {
			t.Errorf("%q is a name", name)
		}
	}
}

// FuzzRedactURL plants a secret in every part that may carry one.
func FuzzRedactURL(f *testing.F) {
	f.Add("registry.example", "a/b")
	f.Add("[::1]:80", "@scope%2fname/-/x.tgz")
	f.Fuzz(func(t *testing.T, host, path string) {
		if strings.ContainsAny(host, "/?#@:") || strings.ContainsAny(path, "?#@") {
			return // it would not stand where the test wants it
		}
		const secret = "S3CR3T"
		for _, raw := range []string{
			"https://" + secret + "@" + host + "/" + path,
			"https://u:" + secret + "@" + host + "/" + path,
			"https://" + host + "/" + path + "?t=" + secret,
			"git+ssh://" + host + "/" + path + "#" + secret,
		} {
			if strings.Contains(host+path, secret) {
				continue
			}
			if got := RedactURL(raw); strings.Contains(got, secret) {
				t.Errorf("RedactURL(%q) = %q", raw, got)
			}
		}
	})
}
