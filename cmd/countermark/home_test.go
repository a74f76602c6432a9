package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countermark/sbom/mcp"
)

// syntheticHome is a home with a file of every client in every place of it that the
// table names by a plain name, on the systems of one family.
func syntheticHome(tb testing.TB) (home string, files int) {
	tb.Helper()
	home = tb.TempDir()
	write := func(name, text string) {
		file := filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
		files++
	}
	for i, c := range mcp.Clients() {
		for _, p := range c.Home {
			p = strings.NewReplacer("<config>", ".config", "<code>", ".config/Code/User", "**", "a/1", "*", "a").Replace(p)
			if strings.HasPrefix(p, "AppData") || !strings.HasSuffix(p, ".json") {
				continue
			}
			var b strings.Builder
			for j := range 4 {
				fmt.Fprintf(&b, "%q: {\"command\": \"npx\", \"args\": [\"-y\", \"p-%d-%d@1.%d.0\"], \"env\": {\"KEY\": \"${K}\"}},\n", fmt.Sprint("s", j), i, j, j)
			}
			servers := "{\n" + b.String() + "}"
			write(p, fmt.Sprintf(`{"mcpServers": %s, "servers": %s, "mcp": %s, "context_servers": %s}`, servers, "{}", servers, servers))
		}
	}
	return home, files
}

// BenchmarkHome lists the clients of a home of the size that issue 4 names, from
// the command line on. The start of the process is not in it.
func BenchmarkHome(b *testing.B) {
	home, files := syntheticHome(b)
	if files < 40 {
		b.Fatalf("the home holds %d files only", files)
	}
	empty := b.TempDir()
	for _, args := range [][]string{{"sbom", "--list-clients"}, {"sbom"}} {
		b.Run(strings.Join(args, " "), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p := &program{home: func() (string, error) { return home, nil }, now: time.Now, stdout: io.Discard, stderr: io.Discard, here: func() (string, error) { return empty, nil }}
				if code := p.run(b.Context(), append(args, "--home", home)); code == exitUsage {
					b.Fatalf("exit %d", code)
				}
			}
		})
	}
}
