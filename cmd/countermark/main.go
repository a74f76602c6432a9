// Countermark proves where the packages of a Node project, and the MCP servers
// around it, come from, and says pass or fail.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"countermark/provenance/npm"
	"countermark/provenance/trust"
)

// version is set by the linker in a release.
var version string

// collectAt is by how many percent the heap may grow before garbage is collected.
// A run lasts a second and holds little: with Go's 100 % collecting takes a sixth
// of the time of verifying 500 sets, and a fifth of that of an SBOM of 4,000
// packages, which it needs 17 MiB more for. More than this gains nothing.
const collectAt = 400

// collectHarder is from how much memory on garbage is collected whatever it takes:
// a lockfile of 100 MB needs half a gigabyte at least, and machines of CI systems do
// not have the triple.
const collectHarder = 1 << 30

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(collectHarder)
	}
	os.Exit(realMain())
}

func realMain() int {
	log.SetOutput(io.Discard) // net/http logs what a hostile server sends
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us even where nothing listens
	p := &program{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		environ: os.Environ(), home: os.UserHomeDir, cache: os.UserCacheDir, public: trust.Public(npm.PublicRegistry), here: os.Getwd, now: time.Now,
		terminal: terminal(os.Stderr),
		color:    terminal(os.Stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		version:  buildVersion(),
	}
	return p.run(ctx, os.Args[1:])
}

// terminal reports whether a person looks at the file. A character device that is
// none (/dev/null) gets colours that nobody sees.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// buildVersion is that of the release, else of the module as `go install` knows
// it, else "dev".
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
