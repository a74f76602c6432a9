// Package official has the official schemas of the formats that countermark writes
// but does not own, for tests: in flows a version, out flows a JSON Schema that
// validates decoded JSON (see [jsonschema.UnmarshalJSON]), or the answer of
// xmllint, which knows XML Schema.
//
// The program must not import it: the schemas are a megabyte of data that only
// tests need. Where they come from is said in the ORIGIN.md beside them. Nothing
// is ever fetched: a reference to a schema that is not here is an error.
package official

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"sync"

	"countermark/sbom/lazyregexp"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed cyclonedx/*.json cyclonedx/*.xsd sarif/*.json
var files embed.FS

// cycloneDX compiles each version when it is first asked for, and once.
var cycloneDX = map[string]func() (*jsonschema.Schema, error){
	"1.4": sync.OnceValues(func() (*jsonschema.Schema, error) { return compile("cyclonedx/bom-1.4.SNAPSHOT.schema.json") }),
	"1.5": sync.OnceValues(func() (*jsonschema.Schema, error) { return compile("cyclonedx/bom-1.5.SNAPSHOT.schema.json") }),
	"1.6": sync.OnceValues(func() (*jsonschema.Schema, error) { return compile("cyclonedx/bom-1.6.SNAPSHOT.schema.json") }),
	"1.7": sync.OnceValues(func() (*jsonschema.Schema, error) { return compile("cyclonedx/bom-1.7.SNAPSHOT.schema.json") }),
}

var sarif = sync.OnceValues(func() (*jsonschema.Schema, error) { return compile("sarif/sarif-2.1.0-rtm.5.json") })

// CycloneDX validates a document in JSON with the schema of that version, "1.4",
// "1.5", "1.6" or "1.7". Formats are asserted.
func CycloneDX(version string, document []byte) error {
	schema, ok := cycloneDX[version]
	if !ok {
		return fmt.Errorf("no CycloneDX schema of version %q: there are 1.4, 1.5, 1.6 and 1.7", version)
	}
	return validate(schema, document)
}

// SARIF validates a document with the schema of SARIF 2.1.0. Formats are asserted.
func SARIF(document []byte) error { return validate(sarif, document) }

func validate(compiled func() (*jsonschema.Schema, error), document []byte) error {
	schema, err := compiled()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// compile compiles the schema in that file. A schema is known by its file name, in
// a made-up URL space of its own, because that is how the files refer to each
// other; under their own $id, on a web site, the references would lead to
// documents that do not exist there.
func compile(name string) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(embedded{})
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "iri-reference", Validate: ofString(validIRIReference)})
	c.RegisterFormat(&jsonschema.Format{Name: "idn-email", Validate: ofString(validEmail)})
	entries, err := fs.ReadDir(files, path.Dir(name))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if path.Ext(e.Name()) != ".json" {
			continue
		}
		doc, err := load(path.Join(path.Dir(name), e.Name()))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(scheme+e.Name(), doc); err != nil {
			return nil, err
		}
	}
	return c.Compile(scheme + path.Base(name))
}

const scheme = "official:///"

// load parses a schema and takes away the identifier at its root, so that it is
// known by its file name alone.
func load(name string) (any, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if object, ok := doc.(map[string]any); ok {
		delete(object, "$id")
		delete(object, "id") // draft 4, SARIF
	}
	return doc, nil
}

// embedded refuses to load: everything that may be referred to was added before.
type embedded struct{}

func (embedded) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not among the embedded schemas", url)
}

func ofString(valid func(string) error) func(any) error {
	return func(v any) error {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		return valid(s)
	}
}

// RFC 3987, section 2.2: none of these may stand unescaped in an IRI, and a
// percent sign begins an escape.
var notInIRI = lazyregexp.New("[\\x00-\\x20\\x7f\"<>\\\\^`{|}]|%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)")

// validIRIReference is stricter than the library's own check, which lets spaces
// and braces pass that other validators refuse.
func validIRIReference(s string) error {
	if bad := notInIRI.FindString(s); bad != "" {
		return fmt.Errorf("%q may not stand in an IRI", bad)
	}
	if strings.Count(s, "#") > 1 {
		return errors.New("more than one fragment")
	}
	_, err := url.Parse(s)
	return err
}

// validEmail asks for what every internationalised address has (RFC 6531); the
// library does not know the format at all.
func validEmail(s string) error {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(s, " \t\r\n") {
		return errors.New("no email address")
	}
	return nil
}
