package schemas_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"countermark/policy"
	"countermark/provenance"
	"countermark/schemas"
)

const verdictFile = "verdict.schema.json"

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := schemas.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func parse(t *testing.T, name string) any {
	t.Helper()
	data, err := fs.ReadFile(schemas.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every embedded schema is one, of the draft that the package promises.
func TestSchemasCompile(t *testing.T) {
	names, err := fs.Glob(schemas.FS, "*")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, verdictFile) {
		t.Fatalf("no %s among %q", verdictFile, names)
	}
	for _, name := range names {
		compile(t, name)
		root, ok := parse(t, name).(map[string]any)
		if !ok || root["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s: $schema is not draft 2020-12", name)
		}
	}
}

func TestVerdictIsValid(t *testing.T) {
	schema := compile(t, verdictFile)
	full := fullVerdict()
	requireFull(t, "Verdict", reflect.ValueOf(full))
	if err := schema.Validate(decode(t, full)); err != nil {
		t.Errorf("a full verdict: %v", err)
	}
	empty := emptyVerdict()
	if err := schema.Validate(decode(t, empty)); err != nil {
		t.Errorf("the verdict before anything was read: %v", err)
	}
}

func TestVerdictIsStrict(t *testing.T) {
	schema := compile(t, verdictFile)
	for _, test := range []struct {
		name   string
		change func(v map[string]any)
	}{
		{"unknown key", func(v map[string]any) { v["extra"] = true }},
		{"unknown key below", func(v map[string]any) { first(t, v, "findings")["extra"] = true }},
		{"missing key", func(v map[string]any) { delete(v, "findings") }},
		{"null for a list", func(v map[string]any) { v["inputs"] = nil }},
		{"other answer", func(v map[string]any) { v["verdict"] = "maybe" }},
		{"pass with exit code 1", func(v map[string]any) { v["verdict"], v["exitCode"] = "pass", 1 }},
		{"fail with exit code 0", func(v map[string]any) { v["exitCode"] = 0 }},
		{"unknown with exit code 0", func(v map[string]any) { v["verdict"], v["exitCode"] = "unknown", 0 }},
		{"severity off", func(v map[string]any) { first(t, v, "findings")["severity"] = "off" }},
		{"no fix", func(v map[string]any) { first(t, v, "findings")["fix"] = "" }},
		{"line 0", func(v map[string]any) { first(t, v, "findings")["location"] = map[string]any{"path": "a", "line": 0} }},
		{"unknown state", func(v map[string]any) {
			v["summary"] = map[string]any{"components": 1, "servers": 0, "excepted": 0,
				"provenance": map[string]any{"trusted": 1}, "findings": map[string]any{"error": 0, "warn": 0, "info": 0}}
		}},
		{"bad date", func(v map[string]any) { v["evaluatedAt"] = "yesterday" }},
		{"short digest", func(v map[string]any) { first(t, v, "inputs")["sha256"] = "abc" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, ok := decode(t, fullVerdict()).(map[string]any)
			if !ok {
				t.Fatal("no object")
			}
			test.change(v)
			if err := schema.Validate(v); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// Schema and Go types name the same fields, and the schema demands those that the
// types always write.
func TestVerdictSchemaAgreesWithTypes(t *testing.T) {
	root, ok := parse(t, verdictFile).(map[string]any)
	if !ok {
		t.Fatal("no object")
	}
	compareType(t, root, root, reflect.TypeFor[policy.Verdict](), "Verdict")

	defs, _ := root["$defs"].(map[string]any)
	state, _ := defs["state"].(map[string]any)
	var states []any
	for _, s := range provenance.States() {
		states = append(states, string(s))
	}
	if diff := cmp.Diff(states, state["enum"]); diff != "" {
		t.Errorf("states (-types +schema):\n%s", diff)
	}
	properties, _ := root["properties"].(map[string]any)
	version, _ := properties["schemaVersion"].(map[string]any)
	if version["const"] != policy.SchemaVersion {
		t.Errorf("schemaVersion is %v, the types write %q", version["const"], policy.SchemaVersion)
	}
}

// compareType walks the Go type and the schema together.
func compareType(t *testing.T, root, schema map[string]any, typ reflect.Type, where string) {
	t.Helper()
	schema = resolve(t, root, schema)
	switch typ.Kind() {
	case reflect.Pointer:
		compareType(t, root, schema, typ.Elem(), where)
	case reflect.Slice:
		items, ok := schema["items"].(map[string]any)
		if !ok {
			t.Errorf("%s: a list in Go, no list in the schema", where)
			return
		}
		compareType(t, root, items, typ.Elem(), where+"[]")
	case reflect.Struct:
		compareStruct(t, root, schema, typ, where)
	case reflect.Map:
		wantType(t, schema, "object", where)
	case reflect.Bool:
		wantType(t, schema, "boolean", where)
	case reflect.Int, reflect.Int64:
		wantType(t, schema, "integer", where)
	case reflect.String:
		wantType(t, schema, "string", where)
	default:
		t.Errorf("%s: no rule for %s", where, typ)
	}
}

func compareStruct(t *testing.T, root, schema map[string]any, typ reflect.Type, where string) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	if open, ok := schema["additionalProperties"].(bool); open || !ok {
		t.Errorf("%s: additionalProperties is not false", where)
	}
	required := map[string]bool{}
	list, _ := schema["required"].([]any)
	for _, name := range list {
		required[fmt.Sprint(name)] = true
	}
	seen := map[string]bool{}
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		seen[name] = true
		property, ok := properties[name].(map[string]any)
		if !ok {
			t.Errorf("%s.%s (%q) is not in the schema", where, field.Name, name)
			continue
		}
		if always := options != "omitempty"; always != required[name] {
			t.Errorf("%s.%s: always written: %t, required by the schema: %t", where, field.Name, always, required[name])
		}
		compareType(t, root, property, field.Type, where+"."+field.Name)
	}
	for name := range properties {
		if !seen[name] {
			t.Errorf("%s: the schema's %q is not in the type", where, name)
		}
	}
}

func wantType(t *testing.T, schema map[string]any, want, where string) {
	t.Helper()
	got := schema["type"]
	if values, ok := schema["enum"].([]any); ok {
		got = "string"
		if _, number := values[0].(json.Number); number {
			got = "integer"
		}
	}
	if got != want {
		t.Errorf("%s: %s in Go, %v in the schema", where, want, got)
	}
}

func resolve(t *testing.T, root, schema map[string]any) map[string]any {
	t.Helper()
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	defs, _ := root["$defs"].(map[string]any)
	target, ok := defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	if !ok {
		t.Fatalf("%s leads nowhere", ref)
	}
	return resolve(t, root, target)
}

// requireFull fails where a field is zero, so that a new one cannot be forgotten in
// the full verdict.
func requireFull(t *testing.T, where string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for field, value := range v.Fields() {
			requireFull(t, where+"."+field.Name, value)
		}
	case reflect.Pointer:
		if v.IsNil() {
			t.Errorf("%s is nil", where)
			return
		}
		requireFull(t, where, v.Elem())
	case reflect.Slice:
		if v.Len() == 0 {
			t.Errorf("%s is empty", where)
			return
		}
		requireFull(t, where+"[0]", v.Index(0))
	default:
		if v.IsZero() {
			t.Errorf("%s is zero", where)
		}
	}
}

func first(t *testing.T, v map[string]any, key string) map[string]any {
	t.Helper()
	list, ok := v[key].([]any)
	if !ok || len(list) == 0 {
		t.Fatalf("%s: no list", key)
	}
	object, ok := list[0].(map[string]any)
	if !ok {
		t.Fatalf("%s: no objects", key)
	}
	return object
}

func decode(t *testing.T, v policy.Verdict) any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// emptyVerdict is what stands in the file while check is still at work: unknown,
// with nothing read.
func emptyVerdict() policy.Verdict {
	return policy.Verdict{
		SchemaVersion: policy.SchemaVersion,
		Verdict:       policy.Unknown,
		ExitCode:      3,
		EvaluatedAt:   "2026-11-23T00:00:00Z",
		Mode:          "enforce",
		Tool:          policy.Tool{Name: "countermark"},
		Subject:       policy.VerdictSubject{Name: "project"},
		Policy:        policy.PolicyFacts{Name: "built-in", Profile: "baseline"},
		Inputs:        []policy.InputFacts{},
		Summary:       policy.Summary{Provenance: map[string]int{}},
		NotEvaluated:  []policy.NotEvaluated{},
		Components:    []policy.ComponentVerdict{},
		Findings:      []policy.Finding{},
	}
}

// fullVerdict has every field set.
func fullVerdict() policy.Verdict {
	sum := strings.Repeat("0123456789abcdef", 4)
	fact := policy.TrustFact{SHA256: sum, Source: "embedded", AsOf: "2026-11-01", Instances: []string{sum, sum}, Registry: "https://registry.example/"}
	return policy.Verdict{
		SchemaVersion: policy.SchemaVersion,
		Verdict:       policy.Fail,
		ExitCode:      1,
		EvaluatedAt:   "2026-11-23T00:00:00Z",
		Mode:          "enforce",
		Offline:       true,
		Tool:          policy.Tool{Name: "countermark", Version: "0.1.0"},
		Subject:       policy.VerdictSubject{Name: "app", Version: "1.0.0", Commit: "0123456", Digest: "sha256:" + sum},
		Policy:        policy.PolicyFacts{Name: "countermark.yaml", Profile: "baseline", SHA256: sum},
		Trust:         policy.TrustFacts{TrustedRoot: fact, NPMKeys: fact, OtherKeys: []policy.TrustFact{fact}, Catalog: fact, Advisories: fact},
		Inputs: []policy.InputFacts{{Path: "package-lock.json", Kind: "package-lock.json", SHA256: sum, Components: 1,
			Problems: []policy.InputProblem{{Code: "invalid", Line: 1, Column: 2, Message: "truncated", Hint: "write it again"}}}},
		Summary: policy.Summary{Components: 1, Servers: 1, Scripts: 1, Provenance: map[string]int{"mismatch": 1},
			Findings: policy.FindingCounts{Error: 1, Warn: 2, Info: 3}, Excepted: 1},
		NotEvaluated: []policy.NotEvaluated{{Rule: "release-age", Reason: "offline", Decides: true}},
		Components: []policy.ComponentVerdict{{Ref: "pkg:npm/a@1.0.0", PURL: "pkg:npm/a@1.0.0", Scope: "required", Origin: "direct",
			Provenance: &policy.ProvenanceVerdict{State: "mismatch", Reason: "another repository", ExpectedFrom: "policy", DigestFrom: "lockfile",
				Source:   &policy.SourceVerdict{URI: "https://github.com/x/a", Ref: "refs/tags/v1.0.0", Digest: "0123456", RepositoryID: "1", OwnerID: "2"},
				Workflow: ".github/workflows/release.yml", Builder: "https://github.com/actions/runner/github-hosted", Issuer: "https://token.actions.githubusercontent.com",
				Runner: "github-hosted", LogIndex: 7, IntegratedTime: "2026-11-01T00:00:00Z",
				Publish:           &policy.PublishVerdict{Registry: "https://registry.example", KeyID: "SHA256:x", IntegratedTime: "2026-11-01T00:00:00Z"},
				RegistrySignature: "notEvaluated",
				Checks:            []policy.CheckVerdict{{Name: "source-repository", OK: true, Expected: "a", Actual: "b"}}}}},
		Findings: []policy.Finding{{Rule: "source-mismatch", Severity: policy.Error, Ref: "pkg:npm/a@1.0.0", PURL: "pkg:npm/a@1.0.0", Server: "a",
			Message: "built from another repository", Expected: "https://github.com/acme/a", Actual: "https://github.com/x/a",
			Location: &policy.Location{Path: ".mcp.json", Line: 3, Column: 5}, Fix: "use the official source",
			Exception: &policy.Excepted{Reason: "known", Owner: "a@example.com", Expires: "2027-01-31"}, Fingerprint: sum}},
	}
}
