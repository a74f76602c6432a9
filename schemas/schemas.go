// Package schemas holds the JSON Schemas (draft 2020-12) of what countermark reads
// and writes, embedded, for programs that work with its files:
//
//   - verdict.schema.json: the verdict that check writes with --verdict
//   - policy.schema.json: the policy file, countermark.yaml
//   - mcp-lock.schema.json: the lock of MCP servers, mcp.lock.json
//   - sbom-diff.schema.json and sbom-score.schema.json: what sbom diff and sbom score
//     write with --format json
//
// Nothing flows in; out flow the files' bytes, by [FS]. The types that they
// describe live where they are used, and tests hold both together. The schemas of
// formats that others own (CycloneDX, SARIF) are in the package official, which
// only tests import, so that the program does not carry them.
package schemas

import (
	"bytes"
	"embed"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// FS holds every schema under its file name, such as "verdict.schema.json".
//
//go:embed *.schema.json
var FS embed.FS

// Compile returns the schema of that file name, with formats asserted. It
// validates what [jsonschema.UnmarshalJSON] has decoded.
func Compile(name string) (*jsonschema.Schema, error) {
	data, err := FS.ReadFile(name)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c.Compile(name)
}

// Validate validates a document in JSON with the schema of that file name.
func Validate(name string, document []byte) error {
	schema, err := Compile(name)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
