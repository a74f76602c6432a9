package mcp

import (
	"fmt"
	"strings"
	"testing"
)

// commandOf reads one server and returns the digest of its command.
func commandOf(t *testing.T, entry string) string {
	t.Helper()
	inv := read(t, map[string]string{".mcp.json": `{"mcpServers":{"s":` + entry + `}}`})
	c := inv.Component("mcp:.mcp.json#s")
	if c == nil {
		t.Fatalf("no server in %s", entry)
	}
	return c.Server.Command
}

// TestFingerprint: what a lock has to notice changes the digest.
func TestFingerprint(t *testing.T) {
	for name, pair := range map[string][2]string{
		"an argument":       {`{"command":"npx","args":["-y","fs@1.0.0","/home/me/project"]}`, `{"command":"npx","args":["-y","fs@1.0.0","/"]}`},
		"one more":          {`{"command":"npx","args":["fs@1.0.0"]}`, `{"command":"npx","args":["fs@1.0.0","--write"]}`},
		"their order":       {`{"command":"npx","args":["fs@1.0.0","a","b"]}`, `{"command":"npx","args":["fs@1.0.0","b","a"]}`},
		"where one ends":    {`{"command":"x","args":["a b"]}`, `{"command":"x","args":["a","b"]}`},
		"the program":       {`{"command":"node","args":["a.js"]}`, `{"command":"/opt/node","args":["a.js"]}`},
		"the folder":        {`{"command":"node","args":["a.js"],"cwd":"x"}`, `{"command":"node","args":["a.js"],"cwd":"y"}`},
		"a file":            {`{"command":"node","args":["a.js"]}`, `{"command":"node","args":["a.js"],"envFile":".env"}`},
		"a header":          {`{"url":"https://a.example/mcp"}`, `{"url":"https://a.example/mcp","headers":{"X-Mode":"1"}}`},
		"the URL":           {`{"url":"https://a.example/mcp"}`, `{"url":"https://a.example/other"}`},
		"a shell string":    {`{"command":"sh","args":["-c","npx fs@1.0.0 a"]}`, `{"command":"sh","args":["-c","npx fs@1.0.0 b"]}`},
		"an option's value": {`{"command":"npx","args":["fs@1.0.0","--mode=read"]}`, `{"command":"npx","args":["fs@1.0.0","--mode=write"]}`},
		"a helper":          {`{"url":"https://a.example/mcp","headersHelper":"./a"}`, `{"url":"https://a.example/mcp","headersHelper":"./b"}`},
	} {
		if commandOf(t, pair[0]) == commandOf(t, pair[1]) {
			t.Errorf("%s: the digest stays", name)
		}
	}
}

// TestFingerprintHoldsNoCredential: two credentials in one place have one digest,
// so that nobody can try which of them it was.
func TestFingerprintHoldsNoCredential(t *testing.T) {
	for name, form := range map[string]string{
		"option and value":    `{"command":"npx","args":["a@1.0.0","--api-key",%q]}`,
		"option with value":   `{"command":"npx","args":["a@1.0.0","--password=%s"]}`,
		"variable":            `{"command":"npx","args":["a@1.0.0"],"env":{"TOKEN":%q}}`,
		"plain variable":      `{"command":"npx","args":["a@1.0.0"],"env":{"MODE":%q}}`,
		"header":              `{"url":"https://a.example/mcp","headers":{"Authorization":%q}}`,
		"header option":       `{"command":"npx","args":["mcp-remote@0.1.29","https://a.example/mcp","--header","X-Mode:%s"]}`,
		"container variable":  `{"command":"docker","args":["run","-e","MODE=%s","img"]}`,
		"joined variable":     `{"command":"docker","args":["run","-eMODE=%s","img"]}`,
		"long variable":       `{"command":"docker","args":["run","--env=MODE=%s","img"]}`,
		"assignment":          `{"command":"env","args":["MODE=%s","npx","a@1.0.0"]}`,
		"in a shell string":   `{"command":"sh","args":["-c","MODE=%s npx a@1.0.0"]}`,
		"in a command line":   `{"command":"npx a@1.0.0 --token %s"}`,
		"userinfo":            `{"command":"npx","args":["a@1.0.0","postgres://me:%s@db.example/x"]}`,
		"query":               `{"url":"https://a.example/mcp?k=%s"}`,
		"option of userinfo":  `{"command":"npx","args":["a@1.0.0","--db=postgres://me:%s@db.example/x"]}`,
		"quoted in a command": `{"command":"npx a@1.0.0 --header 'X-Mode: %s'"}`,
	} {
		one, other := strings.ReplaceAll(form, "%q", `"hunter2"`), strings.ReplaceAll(form, "%q", `"correcthorse9"`)
		if strings.Contains(form, "%s") {
			one, other = fmt.Sprintf(form, "hunter2"), fmt.Sprintf(form, "correcthorse9")
		}
		if commandOf(t, one) != commandOf(t, other) {
			t.Errorf("%s: the digest tells two credentials apart", name)
		}
	}
	token := func(n string) string {
		return `{"command":"npx","args":["a@1.0.0","ghp_` + strings.Repeat(n, 36) + `"]}`
	}
	if commandOf(t, token("1a")[:60]+`"]}`) != commandOf(t, token("2b")[:60]+`"]}`) {
		t.Error("a token that stands alone is told apart by the digest")
	}
}
