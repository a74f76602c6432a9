package sbom_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"countermark/sbom"
	"countermark/sbom/visible/visibletest"
	"countermark/schemas/official"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// everyKind is an inventory with one of everything that a document can hold.
func everyKind() *sbom.Inventory {
	b := sbom.NewBuilder()
	b.DescribeRoot(sbom.Component{
		Type: sbom.Application, Ecosystem: sbom.NPM, Name: "@acme/shop", Version: "2.0.0", PURL: "pkg:npm/%40acme/shop@2.0.0",
		Private: true, Coverage: sbom.CompleteCoverage,
	}, sbom.Occurrence{Path: "package-lock.json", Line: 5})
	add := func(c sbom.Component, use sbom.Use, line int, install string) sbom.ID {
		c.Type, c.Ecosystem, c.Coverage = sbom.Library, sbom.NPM, sbom.CompleteCoverage
		c.Properties = append(c.Properties, sbom.Property{Name: "cdx:npm:package:path", Value: install})
		return b.Add(c, use, sbom.Occurrence{Path: "package-lock.json", Line: line, Install: install})
	}
	hash := func(c string) []sbom.Hash {
		return []sbom.Hash{{Algorithm: "sha512", Value: strings.Repeat(c, 128)}}
	}
	a := add(sbom.Component{
		Name: "@scope/a", Version: "1.0.0", PURL: "pkg:npm/%40scope/a@1.0.0", Source: sbom.FromRegistry, License: "(MIT OR Apache-2.0)",
		Hashes: hash("a"), Resolved: "https://registry.example/@scope/a/-/a-1.0.0.tgz", Repository: "https://github.com/scope/a",
	}, sbom.Use{}, 12, "node_modules/@scope/a")
	dev := add(sbom.Component{
		Name: "dev", Version: "1.0.0", PURL: "pkg:npm/dev@1.0.0", Source: sbom.FromRegistry, License: "SEE LICENSE IN LICENSE",
		Hashes: hash("b"), Resolved: "https://registry.example/dev/-/dev-1.0.0.tgz",
	}, sbom.Use{Development: true}, 20, "node_modules/dev")
	bundled := add(sbom.Component{Name: "in", Version: "1.0.0", PURL: "pkg:npm/in@1.0.0", Source: sbom.FromParent},
		sbom.Use{Optional: true}, 28, "node_modules/dev/node_modules/in")
	add(sbom.Component{Name: "lost", Version: "1.0.0", PURL: "pkg:npm/lost@1.0.0", Source: sbom.FromRegistry, Hashes: hash("c")},
		sbom.Use{}, 36, "node_modules/lost")
	b.Link(sbom.Root, a)
	b.Link(sbom.Root, dev)
	b.Link(dev, bundled)

	config := b.Add(sbom.Component{Ref: "mcp:.mcp.json", Type: sbom.FileType, Name: ".mcp.json", Coverage: sbom.CompleteCoverage},
		sbom.Use{}, sbom.Occurrence{Path: ".mcp.json"})
	b.Link(sbom.Root, config)
	server := func(s sbom.Server, coverage sbom.Coverage) sbom.ID {
		s.File = ".mcp.json"
		id := b.Add(sbom.Component{
			Ref: "mcp:.mcp.json#" + s.Name, Type: sbom.Application, Name: s.Name, Server: &s, Coverage: coverage,
		}, sbom.Use{}, sbom.Occurrence{Path: ".mcp.json", Line: s.Line, Column: 5})
		b.Link(config, id)
		return id
	}
	npx := server(sbom.Server{
		Name: "mail \x1b[2J##[error]\u202e", Client: "claude-code", Transport: "stdio", Launcher: "npx", Kind: sbom.KindNPM, Spec: "some-mcp@^1.0.0",
		Pin: sbom.PinRange, Disabled: true, Env: []string{"API_KEY", "REGION"}, Credentials: []string{"API_KEY"}, AutoApprove: []string{"send"}, Line: 3,
	}, sbom.CompleteCoverage)
	b.Launches(npx, []sbom.Launch{{Kind: sbom.KindNPM, Pin: sbom.PinRange}}, []sbom.ID{
		b.Add(sbom.Component{Type: sbom.Library, Ecosystem: sbom.NPM, Name: "some-mcp", PURL: "pkg:npm/some-mcp", Source: sbom.FromRegistry},
			sbom.Use{}, sbom.Occurrence{Path: ".mcp.json", Line: 3}),
	})
	remote := server(sbom.Server{Name: "remote", Client: "claude-code", Transport: "http", Kind: sbom.KindRemote, Pin: sbom.PinNA, Line: 9}, sbom.CompleteCoverage)
	b.Launches(remote, []sbom.Launch{{Kind: sbom.KindRemote, Pin: sbom.PinNA}}, []sbom.ID{
		b.AddService(sbom.Service{Ref: "service:https://mcp.vendor.example/mcp", Name: "remote", Endpoint: "https://mcp.vendor.example/mcp"}),
	})
	template := server(sbom.Server{Name: "template", Client: "claude-code", Transport: "http", Kind: sbom.KindRemote, Pin: sbom.PinNA, Line: 12}, sbom.CompleteCoverage)
	b.Launches(template, []sbom.Launch{{Kind: sbom.KindRemote, Pin: sbom.PinNA}}, []sbom.ID{
		b.AddService(sbom.Service{Ref: "service:https://${HOST}/mcp", Name: "template", URL: "https://${HOST}/mcp"}),
	})
	server(sbom.Server{Name: "odd", Client: "claude-code", Transport: "stdio", Kind: sbom.KindShellScript, Pin: sbom.PinUnknown, Reason: "two commands", Line: 15}, sbom.UnknownCoverage)
	return b.Inventory()
}

func write(t *testing.T, inv *sbom.Inventory, doc sbom.Document) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := sbom.WriteCycloneDX(&buf, inv, doc); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestCycloneDXGolden(t *testing.T) {
	got := write(t, everyKind(), sbom.Document{ToolVersion: "1.0.0"})
	const golden = "testdata/every-kind.cdx.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("-want +got; rewrite with `go test ./sbom -update`: %s", d)
	}
	if again := write(t, everyKind(), sbom.Document{ToolVersion: "1.0.0"}); !bytes.Equal(got, again) {
		t.Error("a second run gives other bytes")
	}
}

func TestCycloneDXIsValid(t *testing.T) {
	for _, version := range []string{"", "1.4", "1.5", "1.6", "1.7"} {
		t.Run(version, func(t *testing.T) {
			text := write(t, everyKind(), sbom.Document{SpecVersion: version, Timestamp: time.Unix(1764000000, 0)})
			if version == "" {
				version = sbom.DefaultSpecVersion
			}
			if err := official.CycloneDX(version, text); err != nil {
				t.Error(err)
			}
			if !bytes.Contains(text, []byte(`"specVersion": "`+version+`"`)) {
				t.Error("another version than asked for")
			}
		})
	}
}

func TestCycloneDXBytesAreHarmless(t *testing.T) {
	for _, format := range []cdx.BOMFileFormat{cdx.BOMFileFormatJSON, cdx.BOMFileFormatXML} {
		for _, name := range visibletest.Names() {
			b := sbom.NewBuilder()
			b.Add(sbom.Component{Ref: name, Type: sbom.Library, Name: name, License: name}, sbom.Use{}, sbom.Occurrence{Path: name, Line: 1})
			document := sbom.Document{Format: "json"}
			if format == cdx.BOMFileFormatXML {
				document.Format = "xml"
			}
			text := write(t, b.Inventory(), document)
			if err := visibletest.Check(string(text)); err != nil {
				t.Errorf("%s: %v", document.Format, err)
			}
			var bom cdx.BOM
			if err := cdx.NewBOMDecoder(bytes.NewReader(text), format).Decode(&bom); err != nil {
				t.Fatalf("%s: %v", document.Format, err)
			}
			if got, want := (*bom.Components)[0].Name, readBack(name, format); got != want {
				t.Errorf("%s: %q came back as %q", document.Format, name, got)
			}
		}
	}
}

// readBack is a name as a document can hold it: both formats replace what is no
// UTF-8, and XML what is no character of its own (XML 1.0, section 2.2).
func readBack(name string, format cdx.BOMFileFormat) string {
	return strings.Map(func(r rune) rune {
		if format == cdx.BOMFileFormatXML && r < ' ' && !strings.ContainsRune("\t\n\r", r) {
			return utf8.RuneError
		}
		return r
	}, name)
}

func TestCycloneDXRefusesWhatItCannotWrite(t *testing.T) {
	for _, doc := range []sbom.Document{{SpecVersion: "1.3"}, {SpecVersion: "2.0"}, {Format: "yaml"}} {
		if err := sbom.WriteCycloneDX(&bytes.Buffer{}, everyKind(), doc); err == nil {
			t.Errorf("%+v was written", doc)
		}
	}
	text := write(t, everyKind(), sbom.Document{Format: "xml"})
	if !bytes.HasPrefix(text, []byte("<?xml")) || !bytes.Contains(text, []byte("bom/1.6")) {
		t.Errorf("no XML: %.80s", text)
	}
}

// A licence of a megabyte would take hours to be understood.
func TestIsExpression(t *testing.T) {
	long := strings.Repeat("MIT OR ", 1000)
	for text, want := range map[string]bool{
		"MIT": true, "(MIT OR Apache-2.0)": true, "MIT License": false, "": false,
		long[:133*len("MIT OR ")] + "MIT": true, long + "MIT": false,
		strings.Repeat("(", 1<<20) + "MIT" + strings.Repeat(")", 1<<20): false,
	} {
		if got := sbom.IsExpression(text); got != want {
			t.Errorf("%.20q, %d bytes: %v", text, len(text), got)
		}
	}
}
