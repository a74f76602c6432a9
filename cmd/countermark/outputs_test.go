package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countermark/sbom"
	"countermark/schemas"
	"countermark/schemas/official"

	"github.com/google/go-cmp/cmp"
)

// TestOutputsAreValid runs check on real projects and holds everything that it
// writes to the schema of its format.
func TestOutputsAreValid(t *testing.T) {
	outputs := map[string]func(document []byte) error{
		"verdict": validVerdict, "sarif": official.SARIF,
		"sbom": func(document []byte) error { return official.CycloneDX(sbom.DefaultSpecVersion, document) },
	}
	for _, example := range []string{"verified", "postmark-mcp"} {
		t.Run(example, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"check", filepath.Join("..", "..", "examples", example)}
			for name := range outputs {
				args = append(args, "--"+name, filepath.Join(dir, name))
			}
			runOffline(t, args)
			for name, validate := range outputs {
				if err := validate(read(t, filepath.Join(dir, name))); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// TestPendingVerdictIsValid: what stands in the file while check runs is read by
// the same programs.
func TestPendingVerdictIsValid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "verdict.json")
	p := &program{now: func() time.Time { return time.Unix(0, 0) }, version: "test"}
	if err := p.forgetVerdict(file); err != nil {
		t.Fatal(err)
	}
	if err := validVerdict(read(t, file)); err != nil {
		t.Error(err)
	}
}

// TestSameInputSameBytes compares two places that hold the same project.
func TestSameInputSameBytes(t *testing.T) {
	var documents [2][]byte
	for i := range documents {
		project := filepath.Join(t.TempDir(), strings.Repeat("deeper/", i), "project")
		if err := os.CopyFS(project, os.DirFS("../../examples/verified")); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "sbom.json")
		runOffline(t, []string{"sbom", "-o", file, project})
		documents[i] = read(t, file)
	}
	if d := cmp.Diff(string(documents[0]), string(documents[1])); d != "" {
		t.Error(d)
	}
}

// TestInterrupted: whoever stops the program gets no pass.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	p := &program{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		home: func() (string, error) { return "", errors.New("no home") }, here: os.Getwd, now: time.Now, version: "test",
	}
	code := p.run(ctx, []string{"check", filepath.Join("..", "..", "examples", "verified")})
	if code != exitUnknown || !strings.Contains(stderr.String(), "interrupted") || stdout.Len() > 0 {
		t.Errorf("exit code %d\n%s%s", code, &stdout, &stderr)
	}
}

// runOffline runs a command that asks nobody, and returns what it shows.
func runOffline(t *testing.T, args []string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := &program{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		home: func() (string, error) { return t.TempDir(), nil }, here: os.Getwd, now: time.Now, version: "test",
	}
	if code := p.run(t.Context(), args); code == exitUsage || code == exitUnknown {
		t.Fatalf("exit code %d\n%s%s", code, &stdout, &stderr)
	}
	return stdout.String()
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func validVerdict(document []byte) error { return schemas.Validate("verdict.schema.json", document) }
