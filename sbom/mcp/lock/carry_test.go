package lock

import (
	"slices"
	"strings"
	"testing"

	"countermark/sbom"
)

// TestCarryOver: a lock that was read is not lost, whatever of it was read today.
func TestCarryOver(t *testing.T) {
	tool, more := one(`{"command":"npx","args":["tool@1.0.0"]}`), one(`{"command":"npx","args":["more@1.0.0"]}`)
	read := Make(inventory(t, map[string]string{".mcp.json": tool, "mcp.json": more, "sub/.mcp.json": tool}), nothing)
	if unknown := Approve(read, Approval{By: "Ann"}, nil); len(unknown) > 0 {
		t.Fatalf("nobody is called %q", unknown)
	}
	for name, tt := range map[string]struct {
		files  map[string]string
		partly []string
		want   string // configurations with their servers
		ended  int
	}{
		"all are there":       {map[string]string{".mcp.json": tool, "mcp.json": more, "sub/.mcp.json": tool}, nil, ".mcp.json: s, mcp.json: s, sub/.mcp.json: s", 0},
		"one is gone":         {map[string]string{".mcp.json": tool, "sub/.mcp.json": tool}, nil, ".mcp.json: s, sub/.mcp.json: s", 0},
		"one was not read":    {map[string]string{".mcp.json": tool, "sub/.mcp.json": tool}, []string{"mcp.lock.json"}, ".mcp.json: s, mcp.json: s, sub/.mcp.json: s", 0},
		"a folder is gone":    {map[string]string{".mcp.json": tool, "mcp.json": more}, nil, ".mcp.json: s, mcp.json: s", 0},
		"one is broken":       {map[string]string{".mcp.json": "{", "mcp.json": more, "sub/.mcp.json": tool}, nil, ".mcp.json: s, mcp.json: s, sub/.mcp.json: s", 0},
		"another is launched": {map[string]string{".mcp.json": more, "mcp.json": more, "sub/.mcp.json": tool}, nil, ".mcp.json: s, mcp.json: s, sub/.mcp.json: s", 1},
	} {
		inv := inventory(t, tt.files)
		all, ended := CarryOver(read, Make(inv, nothing), inv, tt.partly)
		var got []string
		for _, l := range all {
			for configuration, c := range l.Configurations {
				for server := range c.Servers {
					got = append(got, l.Folder()+configuration+": "+server)
				}
			}
		}
		slices.Sort(got)
		if text := strings.Join(got, ", "); text != tt.want || len(all) != 2 {
			t.Errorf("%s: %s in %d locks, want %s", name, text, len(all), tt.want)
		}
		if len(ended) != tt.ended || tt.ended > 0 && (ended[0].Server != "s" || ended[0].Lock.Path != "mcp.lock.json") {
			t.Errorf("%s: %d approvals ended", name, len(ended))
		}
	}
}

func TestApproveByName(t *testing.T) {
	two := `{"mcpServers": {"a": {"command":"npx","args":["tool@1.0.0"]}, "b": {"command":"npx","args":["more@1.0.0"]}}}`
	for names, want := range map[string]string{
		"":                       "a b",
		"a":                      "a",
		".mcp.json#b":            "b",
		"a .mcp.json#b":          "a b",
		"other.json#b c":         "unknown other.json#b unknown c",
		"a c":                    "a unknown c",
		"sub/.mcp.json#a a":      "a unknown sub/.mcp.json#a",
		".mcp.json#a .mcp.json#": "a unknown .mcp.json#",
	} {
		locks := Make(inventory(t, map[string]string{".mcp.json": two}), nothing)
		unknown := Approve(locks, Approval{By: "Ann"}, strings.Fields(names))
		var got []string
		for _, server := range []string{"a", "b"} {
			if locks[0].server(".mcp.json", server).Approved != nil {
				got = append(got, server)
			}
		}
		for _, name := range unknown {
			got = append(got, "unknown "+name)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%q: %s, want %s", names, text, want)
		}
	}
}

func TestReplace(t *testing.T) {
	was, other, third := &Lock{Path: "a"}, &Lock{Path: "a", Version: 1}, &Lock{Path: "b"}
	locks := []*Lock{was}
	if got := Replace(locks, []*Lock{other, third}); !slices.Equal(got, []*Lock{other, third}) || locks[0] != was {
		t.Errorf("got %v", got)
	}
}

func TestSilences(t *testing.T) {
	inv := inventory(t, map[string]string{".mcp.json": `{"mcpServers": {
		"floating": {"command":"npx","args":["tool"]},
		"exact": {"command":"npx","args":["more@1.0.0"]},
		"python": {"command":"uvx","args":["other"]},
		"new": {"command":"npx","args":["unlocked"]},
		"local": {"command":"./tool"}}}`})
	know := func(_ *sbom.Component, l sbom.Launch) Known {
		switch l.Spec {
		case "more@1.0.0":
			return Known{Integrity: sri}
		case "other":
			return Known{Version: "2.0"}
		default:
			return Known{}
		}
	}
	locks := Make(inv, know)
	delete(locks[0].Configurations[".mcp.json"].Servers, "new")
	today := Make(inv, always(Known{Version: "1.0.0", Integrity: sri, Closure: &Closure{}}))
	var got []string
	for _, s := range Silences(inv, locks, today, func(_ *sbom.Component, spec string) bool { return spec == "more@1.0.0" }) {
		text := s.Server.Server.Name + ": " + strings.Join(s.What, " and ")
		if s.Dependencies {
			text += "dependencies"
		}
		if s.Known {
			text += ", known today"
		}
		got = append(got, text)
	}
	slices.Sort(got)
	if text := strings.Join(got, "; "); text != "exact: closure, known today; floating: version and bytes, known today; python: dependencies, known today" {
		t.Error(text)
	}
}
