package node

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseJSONPositions(t *testing.T) {
	doc := parseJSON([]byte("\ufeff{\n  \"a\": [1, true, null],\n\t\"b\\u0021\": {\"c\": -1.5e+3}\n}\n"))
	if doc.err != nil {
		t.Fatal(doc.err)
	}
	b := doc.root.get("b!")
	if b == nil {
		t.Fatal("no member b!")
	}
	if line, column := doc.lines.position(b.off); line != 3 || column != 2 {
		t.Errorf("b! is at %d:%d, want 3:2", line, column)
	}
	if c := b.value.get("c"); c == nil || c.value.text != "-1.5e+3" {
		t.Errorf("c = %+v", c)
	}
	if a := doc.root.get("a"); len(a.value.elems()) != 3 || a.value.elems()[1].kind != boolKind {
		t.Errorf("a = %+v", a)
	}
}

func TestParseJSONErrors(t *testing.T) {
	deep := strings.Repeat("[", maxDepth+1)
	for _, tc := range []struct {
		in           string
		line, column int
		message      string
	}{
		{"", 1, 1, "ends too early"},
		{"{\"a\": 1,\n  \"b\"", 2, 6, "ends too early"},
		{"{\"a\": 1,\n <<<<<<< HEAD\n}", 2, 2, "expected a name"},
		{"{\"a\" 1}", 1, 6, "expected a colon"},
		{"{\"a\": 1 \"b\": 2}", 1, 9, "expected a comma or a closing brace"},
		{"{\"a\": 1,}", 1, 9, "expected a name"},
		{"[1,]", 1, 4, "expected a value"},
		{"[1 2]", 1, 4, "expected a comma or a closing bracket"},
		{"[01]", 1, 3, "expected a comma"},
		{"[1.]", 1, 4, "expected a digit"},
		{"[1e]", 1, 4, "expected a digit"},
		{"[-]", 1, 3, "expected a digit"},
		{"[\"\\x\"]", 1, 2, "invalid escape"},
		{"[\"a\nb\"]", 1, 4, "control character"},
		{"[\"\xff\"]", 1, 3, "invalid UTF-8"},
		{"{} {}", 1, 4, "expected the end"},
		{"nul", 1, 1, "expected a value"},
		{deep, 1, maxDepth + 1, "nested deeper"},
	} {
		doc := parseJSON([]byte(tc.in))
		if doc.err == nil {
			t.Errorf("%.40q: no error", tc.in)
			continue
		}
		line, column := doc.lines.position(doc.err.off)
		if line != tc.line || column != tc.column || !strings.Contains(doc.err.Error(), tc.message) {
			t.Errorf("%.40q: %d:%d %s; want %d:%d …%s…", tc.in, line, column, doc.err, tc.line, tc.column, tc.message)
		}
	}
}

func TestParseJSONKeepsWhatStandsBeforeTheCut(t *testing.T) {
	doc := parseJSON([]byte(`{"a": {"b": 1, "c": "x"}, "d": {"e": 2, "f": "cut he`))
	if doc.err == nil {
		t.Fatal("no error")
	}
	if a := doc.root.get("a"); a == nil || a.value.cut || len(a.value.members) != 2 {
		t.Errorf("a = %+v, want it whole", a)
	}
	d := doc.root.get("d")
	if d == nil || !d.value.cut || len(d.value.members) != 1 {
		t.Errorf("d = %+v, want it cut, with e only", d)
	}
}

func TestParseJSONDuplicates(t *testing.T) {
	var big strings.Builder
	big.WriteString(`{"x": {`)
	for i := range 40 {
		big.WriteString(`"k` + strings.Repeat("i", i) + `": 1, `)
	}
	big.WriteString(`"kii": 2}}`)
	for in, want := range map[string]int{
		`{"a": 1, "b": {"a": 2}}`:          0,
		`{"a": 1, "\u0061": 2}`:            1,
		`{"__proto__": 1, "__proto__": 2}`: 1,
		big.String():                       1,
	} {
		if doc := parseJSON([]byte(in)); len(doc.duplicates) != want || doc.err != nil {
			t.Errorf("%.40s: %d duplicates (%v), want %d", in, len(doc.duplicates), doc.err, want)
		}
	}
}

// FuzzParseJSON holds the parser against the standard library's.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e-7,"x\u00e9\ud83d\ude00",null,true,false]}`, `[`, `{"a":}`, "\ufeff{}", `"\ud800"`, `-0`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc := parseJSON(data)
		plain := []byte(strings.TrimPrefix(string(data), "\ufeff"))
		want := json.Valid(plain) && utf8.Valid(plain)
		if doc.err != nil && strings.Contains(doc.err.msg, "nested deeper") {
			return
		}
		if got := doc.err == nil; got != want {
			t.Fatalf("%q: valid %v (%v), encoding/json says %v", data, got, doc.err, want)
		}
		if !want {
			return
		}
		var v any
		if err := json.Unmarshal(plain, &v); err != nil {
			return // a number that no float64 holds
		}
		if !same(&doc.root, v) {
			t.Fatalf("%q: got %+v, encoding/json says %#v", data, doc.root, v)
		}
	})
}

func same(v *value, want any) bool {
	switch want := want.(type) {
	case nil:
		return v.kind == nullKind
	case bool:
		return v.kind == boolKind && (v.text == "true") == want
	case float64:
		var got float64
		return v.kind == numberKind && json.Unmarshal([]byte(v.text), &got) == nil && got == want
	case string:
		return v.kind == stringKind && v.text == want
	case []any:
		if v.kind != arrayKind || len(v.elems()) != len(want) {
			return false
		}
		for i := range want {
			if !same(&v.elems()[i], want[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		if v.kind != objectKind {
			return false
		}
		for name, w := range want {
			m := v.get(name)
			if m == nil || !same(&m.value, w) {
				return false
			}
		}
		for _, m := range v.members {
			if _, ok := want[m.name]; !ok {
				return false
			}
		}
		return true
	}
	return false
}
