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

	"countermark/schemas"
	"countermark/schemas/official"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestOutputsAreValid runs check on real projects and holds everything that it
// writes to the schema of its format.
func TestOutputsAreValid(t *testing.T) {
	verdict := compile(t, "verdict.schema.json")
	sarif, err := official.SARIF()
	if err != nil {
		t.Fatal(err)
	}
	cyclonedx, err := official.CycloneDX("1.6")
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range []string{"verified", "postmark-mcp"} {
		t.Run(example, func(t *testing.T) {
			dir := t.TempDir()
			outputs := map[string]*jsonschema.Schema{"verdict": verdict, "sarif": sarif, "sbom": cyclonedx}
			args := []string{"check", filepath.Join("..", "..", "examples", example)}
			for name := range outputs {
				args = append(args, "--"+name, filepath.Join(dir, name))
			}
			runOffline(t, args)
			for name, schema := range outputs {
				validate(t, schema, name, read(t, filepath.Join(dir, name)))
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
	validate(t, compile(t, "verdict.schema.json"), "pending", read(t, file))
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

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := schemas.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, name string, data []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
