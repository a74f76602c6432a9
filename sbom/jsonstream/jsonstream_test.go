package jsonstream

import (
	"errors"
	"strings"
	"testing"
)

// document reads {"name": text, "list": [text…], "nested": {"name": text}}.
func document(text string) (string, error) {
	r := New(strings.NewReader(text))
	var out []string
	take := func() error {
		text, ok, err := r.Text(4)
		if ok {
			out = append(out, text)
		}
		return err
	}
	var members func(string) error
	members = func(name string) error {
		switch name {
		case "name":
			return take()
		case "list":
			return r.List(2, take)
		case "nested":
			return r.Object(3, members)
		default:
			return r.Skip()
		}
	}
	if err := r.Object(3, members); err != nil {
		return "", err
	}
	return strings.Join(out, ","), r.End()
}

func TestReader(t *testing.T) {
	tests := []struct {
		name, text, want string
		err              error
	}{
		{"empty object", `{}`, "", nil},
		{"everything", `{"name":"a","list":["b","c"],"nested":{"name":"d"}}`, "a,b,c,d", nil},
		{"long text", `{"name":"abcdef"}`, "abcd", nil},
		{"other types", `{"name":1,"list":{"x":[]},"nested":[{"name":"d"}]}`, "", nil},
		{"elements of other types", `{"list":[1,"b"]}`, "b", nil},
		{"members that nobody reads, with a key twice", `{"x":{"y":1,"y":2},"name":"a"}`, "a", nil},
		{"nothing", ``, "", ErrSyntax},
		{"cut off", `{"name":"a"`, "", ErrSyntax},
		{"cut off in a list", `{"list":["b"`, "", ErrSyntax},
		{"cut off in what is skipped", `{"x":[[`, "", ErrSyntax},
		{"no object", `["a"]`, "", ErrObject},
		{"a key twice", `{"name":"a","name":"b"}`, "", ErrTwice},
		{"a key twice, once escaped", `{"name":"a","\u006eame":"b"}`, "", ErrTwice},
		{"a key twice further down", `{"nested":{"name":"a","name":"b"}}`, "", ErrTwice},
		{"too many members", `{"a":1,"b":2,"c":3,"d":4}`, "", ErrLimit},
		{"too long a list", `{"list":["a","b","c"]}`, "", ErrLimit},
		{"more behind it", `{} {}`, "", ErrTrailing},
	}
	for _, tt := range tests {
		got, err := document(tt.text)
		if got != tt.want && tt.err == nil || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(`{"name":"a","list":["b"],"nested":{"name":"c"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := document(text); err != nil && len(err.Error()) > 60 {
			t.Errorf("the error may quote the document: %v", err)
		}
	})
}

// TestLongTokens: however long a document is, little of it is in memory at once.
func TestLongTokens(t *testing.T) {
	long := strings.Repeat("a", MaxToken+1)
	for _, text := range []string{
		`{"name":"` + long + `"}`, `{"x":"` + long + `"}`, `{"x":[["` + long + `"]]}`, `{"x":` + strings.Repeat("1", len(long)) + `}`,
		`{"` + long + `":1}`, `{"x":` + strings.Repeat(" ", len(long)) + `1}`, strings.Repeat("\n", len(long)) + `{}`, `{"list":["b"` + strings.Repeat(" ", len(long)) + `]}`,
	} {
		if _, err := document(text); !errors.Is(err, ErrLimit) {
			t.Errorf("%.20q…: %v", text, err)
		}
	}
	for _, text := range []string{
		`{"x":[` + strings.Repeat(`"aaaaaaaaaaaa",`, MaxToken/10) + `1],"name":"a"}`, `{"x":"` + long[:MaxToken/2] + `","name":"a"}`,
	} {
		if got, err := document(text); got != "a" || err != nil {
			t.Errorf("%.20q…: %q, %v", text, got, err)
		}
	}
}
