package closure

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

type packuments map[string]*Packument

func (p packuments) Packument(_ context.Context, name string) (*Packument, error) {
	if p[name] == nil {
		return nil, ErrNotFound
	}
	return p[name], nil
}

func TestRecord(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	folder := fstest.MapFS{}
	write := func(name string, data []byte) error {
		folder[name] = &fstest.MapFile{Data: data}
		return nil
	}
	doc, err := ReadPackument(strings.NewReader(`{"name":"@acme/web","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"@acme/web","version":"1.0.0","dependencies":{"a":"^1"}}}}`), "@acme/web")
	if err != nil {
		t.Fatal(err)
	}
	recording, err := Record(packuments{"@acme/web": doc}, at, write)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"@acme/web": nil, "a": ErrNotFound} {
		if _, err := recording.Packument(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	snapshot, when, err := OpenSnapshot(folder)
	if err != nil || !when.Equal(at) {
		t.Fatalf("recorded at %s, %v, want %s", when, err, at)
	}
	got, err := snapshot.Packument(t.Context(), "@acme/web")
	if err != nil || got.Tags["latest"] != "1.0.0" || len(got.Versions) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := snapshot.Packument(t.Context(), "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("of what nobody recorded: %v", err)
	}
}

// Half a snapshot would later say that packages do not exist.
func TestRecordFails(t *testing.T) {
	full := errors.New("no space left")
	if _, err := Record(packuments{}, time.Unix(0, 0), func(string, []byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	first := true
	recording, err := Record(packuments{"a": {Name: "a"}}, time.Unix(0, 0), func(string, []byte) error {
		if first {
			first = false
			return nil
		}
		return full
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recording.Packument(t.Context(), "a"); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

func TestNoSnapshot(t *testing.T) {
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"empty":         {fstest.MapFS{}, ".recorded.json: file does not exist"},
		"a folder":      {fstest.MapFS{".recorded.json/x": {}}, ".recorded.json: it is not a regular file"},
		"no JSON":       {fstest.MapFS{".recorded.json": {Data: []byte("{")}}, ".recorded.json does not say when"},
		"without a day": {fstest.MapFS{".recorded.json": {Data: []byte("{}")}}, ".recorded.json does not say when"},
	} {
		if _, _, err := OpenSnapshot(tt.files); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
