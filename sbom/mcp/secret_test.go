package mcp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

func TestPlaceholder(t *testing.T) {
	for _, text := range []string{
		"", "  ", "${VAR}", "${VAR:-}", "${VAR:-changeme}", "${env:X}", "${input:github-token-2024abc}", "$TOKEN", "%TOKEN%", "{env:X}",
		"{{token}}", "${{ secrets.X }}", "<your-key>", "<token>", "YOUR_API_KEY", "your-api-key-here", "my-api-key", "xxx", "xxxxxxxx",
		"sk-xxxxxxxxxxxxxxxxxxxx", "ghp_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "***", "sk-...", "changeme", "CHANGE_ME_PLEASE",
		"process.env.TOKEN", "op://vault/item/field", "REDACTED", "Bearer ${TOKEN}", "$(cat token)", "[YOUR KEY]", "none",
		"insert-token-here", "null", "MASKED", "…",
	} {
		if !placeholder(text) {
			t.Errorf("%q is taken for a credential", text)
		}
	}
	for _, text := range []string{
		"hunter2", "ghp_0123456789abcdefghij0123456789abcdef", "${TOKEN:-hunter2hunter2}", "${T:-ghp_0123456789abcdefghij0123456789abcdef}",
		"${A}ghp_0123456789abcdefghij0123456789abcdef", "correct horse battery", "password123", "$ecret", "abc<def",
	} {
		if placeholder(text) {
			t.Errorf("%q is taken for a placeholder", text)
		}
	}
}

func TestNamedSecret(t *testing.T) {
	secrets := [][2]string{
		{"API_KEY", "abc123"}, {"GITHUB_TOKEN", "hunter2"}, {"githubToken", "hunter2"}, {"DB_PASSWORD", "1234"}, {"PASSWD", "x"},
		{"CLIENT_SECRET", "abcdef"}, {"AWS_SECRET_ACCESS_KEY", "abc/def+1"}, {"GOOGLE_CREDENTIALS", "{\"a\": 1}"},
		{"AUTH", "dXNlcjpwYXNzd29yZA12"}, {"PAT", "abcdef1234"}, {"DSN", "user:pw@tcp(db:3306)/x"}, {"SENTRY_DSN", "https://0123456789abcdef0123456789abcdef@sentry.example/1"},
		{"DATABASE_URL", "postgres://u:hunter2@db.example/x"}, {"ANY", "sk-0123456789abcdefghij"}, {"CONFIG", "Server=x;Password=hunter2;"},
		{"X", "ghp_0123456789abcdefghij0123456789abcdef"}, {"OPENAIAPIKEY", "abcd"}, {"SERVICE_KEY", "abcdefgh"}, {"KEY", "abcd1234efgh"},
		{"ENDPOINT", "https://a.example/?api_key=abc123"}, {"PRIVATE", "-----BEGIN PRIVATE KEY-----"},
		{"TOKEN_URL", "https://u:hunter2@a.example"}, {"PROJECT_TOKEN", "01234567-89ab-4def-8123-456789abcdef"},
	}
	for _, s := range secrets {
		if !namedSecret(s[0], s[1]) {
			t.Errorf("%s=%s is not seen", s[0], s[1])
		}
	}
	clean := [][2]string{
		{"PORT", "8080"}, {"LOG_LEVEL", "debug"}, {"PATH", "/usr/bin:/bin"}, {"KEY_FILE", "/etc/key.pem"}, {"TOKEN_PATH", "~/.token"},
		{"TOKEN_LIMIT", "4096"}, {"MAX_TOKENS", "4096"}, {"API_KEY", "true"}, {"TOKEN", "/run/secrets/token"}, {"GOOGLE_APPLICATION_CREDENTIALS", "/a/b.json"},
		{"GOOGLE_APPLICATION_CREDENTIALS", "creds.json"}, {"AUTH", "oauth"}, {"AUTH_TYPE", "basic"}, {"SORT_KEY", "name"}, {"AUTH_URL", "https://a.example/token"},
		{"BASE_URL", "https://a.example/v1"}, {"MONGO", "mongodb://localhost:27017"}, {"PUBLIC_KEY", "abcdef123456"}, {"KEY_ID", "abc"},
		{"PROJECT", "01234567-89ab-4def-8123-456789abcdef"}, {"REVISION", "0123456789abcdef0123456789abcdef01234567"}, {"API_KEY", "${API_KEY}"},
		{"DATABASE_URL", "postgres://u:${PW}@db.example/x"}, {"DATABASE_URL", "postgres://localhost/x"}, {"PASSWORD", "false"}, {"AUTHOR", "somebody"},
		{"MONKEY", "banana12345"}, {"KEYBOARD", "layout12345"}, {"PATTERN", "abcd12345678"}, {"AWS_REGION", "eu-central-1"}, {"AWS_PROFILE", "default"},
		{"WORKSPACE", "/Users/x/Documents/2024 Projects"}, {"NODE_OPTIONS", "--max-old-space-size=4096"},
	}
	for _, s := range clean {
		if namedSecret(s[0], s[1]) {
			t.Errorf("%s=%s is taken for a credential", s[0], s[1])
		}
	}
}

func TestHeaderSecret(t *testing.T) {
	for header, want := range map[string]bool{
		"Authorization: Bearer hunter2": true, "authorization: hunter2": true, "Authorization: Bearer ${T}": false, "Authorization: Bearer": false,
		"X-API-Key: abc": true, "X-Api-Key: <your-key>": false, "Accept: text/plain": false, "Cookie: sid=1": true, "X-Trace: 1": false,
		"PRIVATE-TOKEN: abc": true, "CONTEXT7_API_KEY: ": false,
	} {
		name, value, _ := strings.Cut(header, ":")
		if got := headerSecret(name, value); got != want {
			t.Errorf("%s: %v", header, got)
		}
	}
}

func TestURLSecret(t *testing.T) {
	for url, want := range map[string]bool{
		"https://a.example/mcp":                                             false,
		"https://u:pw@a.example/mcp":                                        true,
		"https://u:p/w@a.example/mcp":                                       true,
		"https://u:${PW}@a.example/mcp":                                     false,
		"https://git@a.example/mcp":                                         false,
		"https://0123456789abcdef0123456789@a.example/":                     true,
		"https://a.example/mcp?api_key=abc":                                 true,
		"https://a.example/mcp?api_key=${KEY}":                              false,
		"https://a.example/mcp?project_ref=abc":                             false,
		"https://a.example/mcp?x=sk-0123456789abcdefghij":                   true,
		"https://a.example/#token=abc":                                      true,
		"https://a.example/01234567-89ab-4def-8123-456789abcdef/mcp":        true,
		"https://a.example/commit/0123456789abcdef0123456789abcdef01234567": false,
		"https://a.example/${TOKEN}/mcp":                                    false,
		"no url":                                                            false,
	} {
		if got := urlSecret(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func TestInsecure(t *testing.T) {
	for url, want := range map[string]bool{
		"https://a.example": false, "http://a.example": true, "HTTP://a.example": true, "ws://a.example:80/x": true, "wss://a.example": false,
		"http://localhost:3000": false, "http://LOCALHOST": false, "http://127.0.0.1:1/x": false, "http://127.8.9.1": false, "http://[::1]:3000/x": false,
		"http://0.0.0.0:8080": false, "http://host.docker.internal:1": false, "http://10.0.0.1": true, "http://${HOST}:80": true,
		"http://localhost:${PORT}/mcp": false, "http://localhost:${PORT:-3000}/mcp": false, "http://localhost.evil.example": true,
		"http://localhost@evil.example": true, "http://127.0.0.1.evil.example": true, "http://a.localhost": false, "http://u:p@localhost": false,
		"http://localhost?x": false, "http://${A}:localhost": true,
	} {
		if got := insecure(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func TestIsIRI(t *testing.T) {
	for url, want := range map[string]bool{
		"https://a.example/mcp": true, "https://ä.example/ö": true, "https://${X}/mcp": false, "https://a.example/{x}": false, "a.example": false,
		"https://a.example/%zz": false, "https://a.example/%2": false, "https://a.example/%20": true, "https://a b.example": false,
		"https://a.example/<x>": false, "": false, `https://a.example/\x`: false,
	} {
		if got := isIRI(url); got != want {
			t.Errorf("%q: %v", url, got)
		}
	}
}

// TestRisks holds where a risk is said to be, which the value itself never is.
func TestRisks(t *testing.T) {
	tests := []struct {
		entry string
		want  []string // code where
	}{
		{`"command": "npx", "args": ["foo"], "env": {"PORT": "1", "API_KEY": "hunter2"}`, []string{`secret env "API_KEY"`}},
		{`"command": "npx", "args": ["foo", "--api-key", "hunter2"]`, []string{"secret argument 3"}},
		{`"command": "npx", "args": ["foo", "--token=hunter2"]`, []string{"secret argument 2"}},
		{`"command": "npx", "args": ["foo", "--token", "--verbose", "--header", "Authorization: Bearer hunter2"]`, []string{"secret argument 5"}},
		{`"command": "npx", "args": ["foo", "--header", "Authorization:${AUTH}"]`, nil},
		{`"command": "npx", "args": ["foo", "--header=Authorization: Bearer hunter2"]`, []string{"secret argument 2"}},
		{`"command": "npx", "args": ["foo", "postgresql://u:hunter2@db.example/x"]`, []string{"secret argument 2"}},
		{`"command": "npx", "args": ["foo", "--dsn=postgresql://u:hunter2@db.example/x"]`, []string{"secret argument 2"}},
		{`"command": "npx", "args": ["foo", "ghp_0123456789abcdefghij0123456789abcdef"]`, []string{"secret argument 2"}},
		{`"command": "npx", "args": ["foo"], "env": {"AUTH_HEADER": "Bearer abcdefg12345", "B": "Bearer ${T}", "C": "bearer authentication"}`, []string{`secret env "AUTH_HEADER"`}},
		{`"command": "npx", "args": ["foo", "--config", "{\"apiKey\": \"hunter2\"}", "{\"port\":\"8080\", \"apiKey\":\"${KEY}\"}", "\"{\\\"apiKey\\\":\\\"hunter2\\\"}\""]`, []string{"secret argument 3", "secret argument 5"}},
		{`"command": "npx foo --token hunter2"`, []string{"secret command"}},
		{`"command": "docker", "args": ["run", "-e", "TOKEN=hunter2", "-e", "OTHER_TOKEN", "--env=K_SECRET=x1", "mcp/x"]`, []string{"secret argument 3", "secret argument 6"}},
		{`"command": "bash", "args": ["-c", "TOKEN=hunter2 npx foo"]`, []string{"secret argument 2"}},
		{`"command": "bash", "args": ["-c", "npx foo --token hunter2; x"]`, []string{"secret argument 2"}},
		{`"command": "env", "args": ["NODE_TLS_REJECT_UNAUTHORIZED=0", "npx", "foo"]`, []string{"insecure-remote argument 1"}},
		{`"command": "npx", "args": ["foo"], "env": {"NODE_TLS_REJECT_UNAUTHORIZED": "0"}`, []string{`insecure-remote env "NODE_TLS_REJECT_UNAUTHORIZED"`}},
		{`"command": "npx", "args": ["mcp-remote", "http://a.example", "--allow-http"]`, []string{"insecure-remote argument 2", "insecure-remote argument 3"}},
		{`"command": "npx", "args": ["mcp-remote", "http://localhost:1"]`, nil},
		{`"command": "uvx", "args": ["mcp-proxy", "-H", "Authorization", "Bearer hunter2", "https://a.example"]`, []string{"secret argument 4"}},
		{`"url": "http://a.example/mcp"`, []string{"insecure-remote url"}},
		{`"url": "https://a.example/mcp?key=sk-0123456789abcdefghij"`, []string{"secret url"}},
		{`"url": "https://a.example/mcp", "headers": {"Authorization": "Bearer hunter2", "X": "y"}`, []string{`secret header "Authorization"`}},
		{`"url": "https://a.example/mcp", "headers": {"Authorization": "Bearer ${input:t}"}`, nil},
		{`"url": "https://a.example/mcp", "oauth": {"clientId": "x", "clientSecret": "hunter2"}`, []string{`secret field "clientSecret"`}},
		{`"command": "node", "args": ["/a/b.js", "--port", "3000", "--key-file", "/a/b.pem", "--max-tokens", "4096"]`, nil},
		{`"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/Users/x/Documents", "C:\\Users\\x"]`, nil},
		{`"command": "docker", "args": ["run", "-i", "x@` + digestA + `"]`, nil},
		{`"command": "uvx", "args": ["--from", "git+https://github.com/o/r@` + commitA + `", "r"]`, nil},
	}
	for _, tt := range tests {
		inv := read(t, map[string]string{".mcp.json": "{\"mcpServers\": {\"a\": {\n" + tt.entry + `}}}`})
		var got []string
		for _, r := range serversOf(inv)[0].Risks {
			got = append(got, fmt.Sprintf("%s %s", r.Code, r.Where))
			if r.Line != 2 || r.Column < 1 {
				t.Errorf("%s: risk at %d:%d", tt.entry, r.Line, r.Column)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.entry, got, tt.want)
		}
	}
}

func TestEnvironmentNames(t *testing.T) {
	inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {"command": "env",
		"args": ["B=1", "docker", "run", "-e", "C", "--env", "D=1", "-eE=2", "x", "env", "F=1", "npx", "foo"], "env": {"Z": "1", "A": ""}}}}`})
	s := serversOf(inv)[0]
	if want := []string{"A", "B", "C", "D", "E", "F", "Z"}; !slices.Equal(s.Env, want) {
		t.Errorf("env %v, want %v", s.Env, want)
	}
	if s.Kind != sbom.KindOCI || len(s.Launches) != 2 {
		t.Errorf("server %+v", s)
	}
}
