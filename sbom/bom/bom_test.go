package bom_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"countermark/sbom/bom"
	"countermark/schemas/official"

	"github.com/google/go-cmp/cmp"
)

const (
	head    = `{"bomFormat":"CycloneDX","specVersion":"1.6"`
	xmlHead = `<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1">`
)

func TestReadRefuses(t *testing.T) {
	deep := strings.Repeat(`{"components":[`, 200)
	for _, test := range []struct {
		name, in, want string
		line           int
	}{
		{"empty", "", "neither JSON nor XML", 0},
		{"text", "hello", "neither JSON nor XML", 0},
		{"truncated", head + ",\n\"components\":[", "ends in the middle", 2},
		{"no JSON", "{\n\"bomFormat\": CycloneDX}", "no valid JSON", 2},
		{"duplicate key", head + ",\n\"version\":1,\n\"version\":2}", `the key "version" stands twice`, 3},
		{"another case", head + ",\n\"Components\":[]}", `the key "Components" differs`, 2},
		{"duplicate ref", head + ",\"components\":[\n{\"type\":\"library\",\"bom-ref\":\"a\",\"name\":\"a\"},\n{\"type\":\"library\",\"bom-ref\":\"a\",\"name\":\"b\"}]}", `the bom-ref "a" is already that of line 2`, 3},
		{"deep", head + `,"components":[` + deep, "deeper than 256 levels", 1},
		{"more than one document", head + "}\n{}", "no valid JSON", 2},
		{"another format", `{"bomFormat":"Other","specVersion":"1.6"}`, `bomFormat is "Other"`, 1},
		{"no version", `{"bomFormat":"CycloneDX"}`, `CycloneDX "" is not read`, 0},
		{"too new", `{"bomFormat":"CycloneDX","specVersion":"2.0"}`, `CycloneDX "2.0" is not read`, 0},
		{"wrong type", head + ",\n\"components\":{}}", "no valid CycloneDX: components is a object", 2},
		{"licence without a name", head + `,"components":[{"type":"library","name":"a","licenses":[{"license":{}}]}]}`, "license must have either id or name", 0},
		{"SPDX", `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT"}`, "an SPDX document (spdx-json)", 0},
		{"SPDX 3", `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}`, "an SPDX document (spdx-json)", 0},
		{"SPDX text", "SPDXVersion: SPDX-2.3\n", "an SPDX document (spdx-tag-value)", 0},
		{"SPDX XML", `<rdf:RDF xmlns:spdx="http://spdx.org/rdf/terms#">`, "an SPDX document (spdx-xml)", 0},
		{"large", strings.Repeat(" ", bom.MaxSize+1), "larger than 67108864 bytes", 0},

		{"XML truncated", xmlHead + "\n<components>", "no valid XML", 2},
		{"XML of another namespace", "<bom xmlns=\"urn:x\"></bom>", `expected <bom> of http://cyclonedx.org/schema/bom/1.x`, 1},
		{"XML too new", `<bom xmlns="http://cyclonedx.org/schema/bom/2.0"></bom>`, `CycloneDX "2.0" is not read`, 0},
		{"XML entities", "<!DOCTYPE bom [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>\n" + xmlHead + "<components><component type=\"library\"><name>&b;</name></component></components></bom>", "document type declaration", 1},
		{"XML external entity", "<?xml version=\"1.0\"?>\n<!DOCTYPE bom SYSTEM \"file:///etc/passwd\">" + xmlHead + "</bom>", "document type declaration", 2},
		{"XML undefined entity", xmlHead + "<components>\n<component type=\"library\"><name>&b;</name></component></components></bom>", "no valid XML: invalid character entity &b;", 2},
		{"XML duplicate attribute", xmlHead + "<components>\n<component type=\"library\" type=\"file\"><name>a</name></component></components></bom>", `the attribute "type" stands twice`, 2},
		{"XML duplicate ref", xmlHead + "<components>\n<component type=\"library\" bom-ref=\"a\"><name>a</name></component>\n<component type=\"library\" bom-ref=\"a\"><name>b</name></component></components></bom>", `the bom-ref "a" is already that of line 2`, 3},
		{"XML deep", xmlHead + strings.Repeat("<components>", 300), "deeper than 256 levels", 1},
		{"XML twice", xmlHead + "</bom>\n" + xmlHead + "</bom>", "something follows the document", 2},
		{"XML in another encoding", "<?xml version=\"1.0\" encoding=\"UTF-16\"?>" + xmlHead + "</bom>", "encoding", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := bom.Read([]byte(test.in))
			e, ok := errors.AsType[*bom.Error](err)
			if !ok {
				t.Fatalf("%v is no *bom.Error", err)
			}
			if e.Line != test.line || !strings.Contains(e.Message, test.want) || e.Hint == "" {
				t.Errorf("line %d: %s (%s), want %q in line %d", e.Line, e.Message, e.Hint, test.want, test.line)
			}
		})
	}
}

// TestMakersTwice: cdxgen names itself as a tool and as an annotator by one bom-ref.
// No component may have it as well.
func TestMakersTwice(t *testing.T) {
	const (
		tool      = `"metadata":{"tools":{"components":[{"type":"application","name":"w","bom-ref":"w"}]}}`
		annotated = `"annotations":[{"subjects":["a"],"annotator":{"component":{"type":"application","name":"w","bom-ref":"w"}},"timestamp":"2026-01-01T00:00:00Z","text":"t"}]`
		xmlTool   = `<metadata><tools><components><component type="application" bom-ref="w"><name>w</name></component></components></tools></metadata>`
		xmlNote   = `<annotations><annotation><subjects><subject ref="a"/></subjects><annotator><component type="application" bom-ref="w"><name>w</name></component></annotator><timestamp>2026-01-01T00:00:00Z</timestamp><text>t</text></annotation></annotations>`
	)
	json := func(ref string) string {
		return head + "," + tool + `,"components":[{"type":"library","name":"a","bom-ref":"` + ref + `"}],` + annotated + "}"
	}
	xml := func(ref string) string {
		return xmlHead + xmlTool + `<components><component type="library" bom-ref="` + ref + `"><name>a</name></component></components>` + xmlNote + "</bom>"
	}
	for _, doc := range []string{json("a"), xml("a")} {
		if _, err := bom.Read([]byte(doc)); err != nil {
			t.Errorf("%v in %s", err, doc)
		}
	}
	for _, doc := range []string{json("w"), xml("w")} {
		if _, err := bom.Read([]byte(doc)); err == nil || !strings.Contains(err.Error(), `the bom-ref "w" is already`) {
			t.Errorf("%v for %s", err, doc)
		}
	}
}

func TestReadRefusesTooManyValues(t *testing.T) {
	text := head + `,"components":[` + strings.Repeat("1,", bom.MaxValues) + "1]}"
	if _, err := bom.Read([]byte(text)); err == nil || !strings.Contains(err.Error(), "more than 4000000 values") {
		t.Error(err)
	}
}

// What is not read is named, and nothing else is.
func TestUnread(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"JSON", head + `,"components":[{"type":"library","name":"a","x":{"y":[1,2]},"pedigree":{"notes":"n"}},` + "\n" + `{"type":"library","name":"b","x":{"y":[3]}}],"unknown":true}`,
			"components[].x.y[] is left out 3 times; unknown is left out"},
		{"JSON signature", head + `,"signature":{"algorithm":"ES256","value":"AA"}}`, "signature.algorithm is left out; signature.value is left out"},
		{"JSON says nothing", head + `,"components":[{"type":"library","name":"a","version":"","isExternal":false}]}`, ""},
		{"JSON mark", "\xef\xbb\xbf" + head + "}", ""},
		{"XML", xmlHead + `<components><component type="library"><name>a</name><x>1</x></component></components></bom>`, "bom/components/component/x is left out"},
		{"XML of another namespace", xmlHead + `<components><component type="library"><name>a</name><v:name xmlns:v="urn:v" v:a="1">evil</v:name></component></components></bom>`,
			"bom/components/component/{urn:v}name is left out; bom/components/component/{urn:v}name/@{urn:v}a is left out"},
		{"XML two names", xmlHead + `<components><component type="library"><name>a</name><name>b</name></component></components></bom>`, "bom/components/component/name is left out"},
		{"XML prefix", `<b:bom xmlns:b="http://cyclonedx.org/schema/bom/1.6" version="1"><b:components><b:component type="library"><b:name>a</b:name></b:component></b:components></b:bom>`, ""},
	} {
		d, err := bom.Read([]byte(test.in))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var got []string
		for _, l := range d.Unread {
			got = append(got, l.String())
		}
		if strings.Join(got, "; ") != test.want {
			t.Errorf("%s: %s", test.name, strings.Join(got, "; "))
		}
		if d.BOM.Components != nil && (*d.BOM.Components)[0].Name == "evil" {
			t.Error("a foreign name was taken")
		}
	}
}

// full is a document with what the versions and formats do not share.
const full = `{"bomFormat":"CycloneDX","specVersion":"1.7","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79","version":3,
"metadata":{"timestamp":"2026-01-02T03:04:05Z","lifecycles":[{"phase":"build"}],"authors":[{"name":"A","email":"a@acme.example"}],
 "tools":{"components":[{"type":"application","name":"t","version":"1"}]},"manufacturer":{"name":"M"},
 "component":{"type":"application","bom-ref":"root","name":"app","version":"1","isExternal":false}},
"components":[
 {"type":"library","bom-ref":"a","group":"@s","name":"a","version":"1.0.0","purl":"pkg:npm/%40s/a@1.0.0","scope":"excluded","tags":["x"],
  "hashes":[{"alg":"SHA-512","content":"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
            {"alg":"Streebog-256","content":"3f539a213e97c802cc229d474c6aa32a825a360b2a933a949fd925208d9ce1bb"}],
  "licenses":[{"expression":"MIT OR Apache-2.0","acknowledgement":"declared"},{"license":{"id":"ISC"}}],
  "externalReferences":[{"type":"security-contact","url":"mailto:s@acme.example"},{"type":"rfc-9116","url":"https://acme.example/security.txt"}],
  "evidence":{"identity":[{"field":"purl","confidence":0.5,"concludedValue":"v"}],"occurrences":[{"bom-ref":"o","location":"f","line":7,"offset":2,"symbol":"s<&>\"","additionalContext":"ctx x=\"1\" y"}]},
  "components":[{"type":"cryptographic-asset","bom-ref":"n","name":"n","cryptoProperties":{"assetType":"algorithm"}}]}],
"services":[{"bom-ref":"s","name":"s","endpoints":["https://api.example/"],"trustZone":"z","tags":["x"],"data":[{"flow":"inbound","classification":"PII"}]}],
"dependencies":[{"ref":"root","dependsOn":["a"]},{"ref":"a","dependsOn":["root"]}],
"compositions":[{"aggregate":"complete","dependencies":["root"]}],
"vulnerabilities":[{"bom-ref":"v","id":"CVE-1","ratings":[{"score":0,"method":"CVSSv4"}],"affects":[{"ref":"a"}]}]}`

func TestWriteIsValidInEveryVersionAndFormat(t *testing.T) {
	d, err := bom.Read([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Unread) > 0 {
		t.Errorf("not read: %v", d.Unread)
	}
	for _, version := range []string{"1.4", "1.5", "1.6", "1.7"} {
		for _, format := range []string{"json", "xml"} {
			text, _, err := d.Write(version, format)
			if err != nil {
				t.Fatal(err)
			}
			if format == "xml" {
				if err := official.CycloneDXXML(t.Context(), t.TempDir(), version, text); err != nil && !errors.Is(err, official.ErrNoValidator) {
					t.Errorf("%s\n%s", err, text)
				}
			} else {
				valid(t, version, text)
			}
			again, err := bom.Read(text)
			if err != nil {
				t.Fatal(err)
			}
			if len(again.Unread) > 0 || again.Version != version || again.Format != format {
				t.Errorf("%s %s: %+v", version, format, again)
			}
			second, losses, err := again.Write("", "")
			if err != nil || len(losses) > 0 || !bytes.Equal(text, second) {
				t.Errorf("%s %s: a second pass gives other bytes: %v %v %s", version, format, losses, err, cmp.Diff(string(text), string(second)))
			}
		}
	}
	if _, _, err := d.Write("1.1", ""); err == nil {
		t.Error("1.1 was written")
	}
	if _, _, err := d.Write("", "yaml"); err == nil {
		t.Error("yaml was written")
	}
}

func valid(t *testing.T, version string, text []byte) {
	t.Helper()
	if err := official.CycloneDX(version, text); err != nil {
		t.Error(err)
	}
}

func TestWriteNamesWhatAVersionCannotHold(t *testing.T) {
	d, err := bom.Read([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		version, format string
		want            []string
	}{
		{"1.7", "json", nil},
		{"1.7", "xml", []string{"components[].components[].cryptoProperties.assetType is left out", "services[].trustZone is left out"}},
		{"1.6", "json", []string{
			"components[].hashes[].alg is left out", "components[].hashes[].content is left out", "components[].licenses[].acknowledgement is left out",
			"components[].licenses[].expression is left out", "vulnerabilities[].ratings[].score is left out",
		}},
	} {
		_, losses, err := d.Write(test.version, test.format)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range losses {
			got = append(got, l.String())
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s %s: -want +got: %s", test.version, test.format, d)
		}
	}
	_, losses, err := d.Write("1.4", "json")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"components[].evidence.occurrences[].location is left out", "metadata.lifecycles[].phase is left out", "components[].externalReferences[].type is changed", "components[].tags[] is left out", "components[].components[].type is changed"} {
		if !strings.Contains(fmt.Sprint(losses), want) {
			t.Errorf("%q is not among %v", want, losses)
		}
	}
}

// TestRepeatedParts: how something was made may name its parts more than once, but not
// the components in it. The version of a vulnerability without a status is affected.
func TestRepeatedParts(t *testing.T) {
	const workflow = `{"bom-ref":"w","workflows":[{"bom-ref":"w","uid":"1","workspaces":[{"bom-ref":"x","uid":"2"}],"tasks":[{"bom-ref":"t","uid":"3","taskTypes":["build"],"workspaces":[{"bom-ref":"x","uid":"2"}]}],"taskTypes":["build"]}]`
	in := head + `,"formulation":[` + workflow + `}],"vulnerabilities":[{"affects":[{"ref":"x","versions":[{"version":"1.0.0"}]}]}]}`
	d, err := bom.Read([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]string{"json": "[]", "xml": "[formulation[].workflows[].bom-ref is changed formulation[].workflows[].workspaces[].bom-ref is changed]"} {
		text, losses, err := d.Write("", format)
		if err != nil || fmt.Sprint(losses) != want {
			t.Fatalf("%v %v", err, losses)
		}
		if format == "json" {
			valid(t, "1.6", text)
		}
		again, err := bom.Read(text)
		if err != nil || len(again.Unread) > 0 {
			t.Errorf("%s: %v %v", format, err, again)
		}
	}
	_, err = bom.Read([]byte(head + ",\n\"formulation\":[" + workflow + ",\n\"components\":[{\"type\":\"file\",\"name\":\"a\",\"bom-ref\":\"w\"}]}]}"))
	if e, ok := errors.AsType[*bom.Error](err); !ok || e.Line != 3 || !strings.Contains(e.Message, `the bom-ref "w" is already that of line 2`) {
		t.Error(err)
	}
}

// TestComponentTypes: a type that the version does not have yet becomes one that it has,
// and one that no version has cannot be written.
func TestComponentTypes(t *testing.T) {
	for _, test := range []struct{ kind, version, want, loss string }{
		{"cryptographic-asset", "1.6", "cryptographic-asset", ""},
		{"cryptographic-asset", "1.5", "application", "components[].components[].type is changed"},
		{"platform", "1.5", "platform", ""},
		{"platform", "1.4", "application", "components[].components[].type is changed"},
	} {
		in := strings.Replace(head, "1.6", "1.7", 1) + `,"components":[{"type":"library","name":"a","components":[{"type":"` + test.kind + `","name":"b"}]}]}`
		d, err := bom.Read([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		text, losses, err := d.Write(test.version, "")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, l := range losses {
			got = l.String()
		}
		if got != test.loss || !strings.Contains(string(text), `"type": "`+test.want+`"`) {
			t.Errorf("%s in %s: %q\n%s", test.kind, test.version, got, text)
		}
		valid(t, test.version, text)
	}
	for _, in := range []string{
		head + ",\n\"metadata\":{\"component\":{\"type\":\"gizmo\",\"name\":\"a\"}}}",
		xmlHead + "<components>\n<component type=\"gizmo\"><name>a</name></component></components></bom>",
	} {
		d, err := bom.Read([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = d.Write("", "")
		if e, ok := errors.AsType[*bom.Error](err); !ok || e.Line != 2 || e.Hint == "" || !strings.Contains(e.Message, "no version of CycloneDX has components of type") {
			t.Errorf("%s: %v", in, err)
		}
	}
	// Some write none.
	unnamed, err := bom.Read([]byte(head + `,"components":[{"type":"","name":"a"},{"name":"b"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text, losses, err := unnamed.Write("", "")
	if err != nil || len(losses) > 0 || strings.Count(string(text), `"type": "application"`) != 2 {
		t.Errorf("%v %v\n%s", err, losses, text)
	}
	// A type of something else is none of a component.
	d, err := bom.Read([]byte(head + `,"components":[{"type":"library","name":"a","externalReferences":[{"type":"vcs","url":"https://host.example"}]}]}`))
	if err != nil || d.Writable() != nil {
		t.Error(err, d.Writable())
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(head + `,"components":[{"type":"library","name":"a","x":[1,{"y":2}]}]}`))
	fuzz(f)
}

func FuzzReadXML(f *testing.F) {
	d, err := bom.Read([]byte(full))
	if err != nil {
		f.Fatal(err)
	}
	for _, version := range bom.Versions() {
		text, _, err := d.Write(version, "xml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(xmlHead + `<components><component type="library"><name>a</name><v:name xmlns:v="urn:v">evil</v:name></component></components></bom>`))
	fuzz(f)
}

// What can be read can be written and read again, and then stays the same.
func fuzz(f *testing.F) {
	f.Helper()
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := bom.Read(data)
		if err != nil {
			if e, ok := errors.AsType[*bom.Error](err); !ok || e.Hint == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, format := range []string{"json", "xml"} {
			text, _, err := d.Write("", format)
			if err != nil {
				return // a name that XML does not have, a value that no version has
			}
			again, err := bom.Read(text)
			if err != nil {
				t.Fatalf("what was written cannot be read: %v\n%s", err, text)
			}
			second, losses, err := again.Write("", "")
			if err != nil || len(losses) > 0 || !bytes.Equal(text, second) {
				t.Fatalf("%v %v %s", err, losses, cmp.Diff(string(text), string(second)))
			}
		}
	})
}

// What no version allows goes, is named, and leaves a document that is valid.
func TestWriteLeavesOutWhatNobodyCanCompare(t *testing.T) {
	const odd = `{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:x","version":1,"components":[
 {"type":"library","name":"a","hashes":[{"alg":"WHIRLPOOL","content":"d41d8cd98f00b204e9800998ecf8427e"},{"alg":"SHA-1","content":"zz"},{"alg":"MD5","content":"d41d8cd98f00b204e9800998ecf8427e"}]},
 {"type":"library","name":"b","hashes":[{"alg":"SHA-1","content":""}],"externalReferences":[{"type":"distribution","url":"https://a.example/b.tgz","hashes":[{"alg":"","content":"d41d8cd98f00b204e9800998ecf8427e"}]}]}]}`
	d, err := bom.Read([]byte(odd))
	if err != nil {
		t.Fatal(err)
	}
	text, losses, err := d.Write("", "json")
	if err != nil {
		t.Fatal(err)
	}
	valid(t, d.Version, text)
	if !bytes.Contains(text, []byte("MD5")) || bytes.Contains(text, []byte("WHIRLPOOL")) {
		t.Errorf("%s", text)
	}
	var fields []string
	for _, l := range slices.Concat(d.Unread, losses) {
		fields = append(fields, l.Field)
	}
	for _, field := range []string{"components[].hashes[].alg", "components[].hashes[].content", "components[].externalReferences[].hashes[].content", "serialNumber"} {
		if !slices.Contains(fields, field) {
			t.Errorf("%s is not named among %q", field, fields)
		}
	}
	if _, _, err := d.Write("1.2", "xml"); err != nil {
		t.Error(err)
	}
}
