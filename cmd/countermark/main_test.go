package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"countermark": main, "unplugged": unplugged})
}

// unplugged is the command in a process that ends with 97 as soon as somebody
// dials by net/http's own transport, or looks a name up.
func unplugged() {
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		fmt.Fprintln(os.Stderr, "dialed", network, address) //nolint:forbidigo // it stands beside main
		os.Exit(97)                                         //nolint:forbidigo // as main does
		return nil, nil
	}
	net.DefaultResolver.PreferGo, net.DefaultResolver.Dial = true, dial
	if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		transport.DialContext = dial
	}
	main()
}

// TestScripts runs the stories in testdata/script. In them $EXAMPLES is the
// examples folder, $REAL that of real bundles, and `code N command…` demands an
// exit code.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	bundles, err := filepath.Abs("../../provenance/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("HOME", home)
			env.Setenv("USERPROFILE", home)
			env.Setenv("EXAMPLES", examples)
			env.Setenv("REAL", bundles)
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
	})
}

// code runs a command and demands its exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [args…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
