package lock

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"countermark/sbom"
	"countermark/sbom/closure"
)

// registry is one that has a single package, without dependencies.
type registry string

func (doc registry) Packument(_ context.Context, name string) (*closure.Packument, error) {
	return closure.ReadPackument(strings.NewReader(string(doc)), name)
}

// TestFolders: a package gets a folder that holds exactly what was resolved, and
// nothing of anybody else is replaced.
func TestFolders(t *testing.T) {
	const packument = `{"name": "tool", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "tool", "version": "1.0.0", "bin": "BIN",
		"dist": {"tarball": "https://registry.example/tool/-/tool-1.0.0.tgz", "integrity": "` + sri + `"}}}}`
	for name, tt := range map[string]struct {
		bin     string
		entry   string
		there   map[string]string // what lies in the project already
		unknown string
		want    string // why there is no folder; empty where there is one
	}{
		"written":              {"cli.js", `{"command":"npx","args":["tool"]}`, nil, "", ""},
		"by npm's own program": {"cli", `{"command":"npx","args":["tool"]}`, nil, "", ""},
		"no script":            {"tool.exe", `{"command":"npx","args":["tool"]}`, nil, "", ""}, // found when the entry is written
		"somebody's folder":    {"cli.js", `{"command":"npx","args":["tool"]}`, map[string]string{".mcp/s/README": ""}, "", "holds something else"},
		"somebody's manifest":  {"cli.js", `{"command":"npx","args":["tool"]}`, map[string]string{".mcp/s/package.json": `{"name":"other"}`}, "", "somebody else's"},
		"a file in the way":    {"cli.js", `{"command":"npx","args":["tool"]}`, map[string]string{".mcp": ""}, "", "would be a link or a file"},
		"not known":            {"cli.js", `{"command":"npx","args":["tool"]}`, nil, "no registry was asked", "no registry was asked"},
		"of a user":            {"cli.js", `{"command":"npx","args":["tool"]}`, nil, "outside", "in the folder of no project"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range tt.there {
				at := filepath.Join(dir, filepath.FromSlash(file))
				if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := closure.Resolve(t.Context(), registry(strings.Replace(packument, "BIN", tt.bin, 1)), []closure.Request{{Name: "tool"}}, closure.Options{})
			if err != nil {
				t.Fatal(err)
			}
			inv := inventory(t, map[string]string{".mcp.json": one(tt.entry)})
			v := Vendoring{Inventory: inv, Places: sbom.Places{{Dir: dir}}, Selected: func(*sbom.Component, sbom.Launch) (*closure.Closure, string) {
				if tt.unknown != "" {
					return nil, tt.unknown
				}
				return got, ""
			}}
			if tt.unknown == "outside" {
				v.Outside = []string{".mcp.json"}
			}
			folders := v.Plan(Pins(inv, Make(inv, nothing)))
			if len(folders.Pins) != 1 || len(folders.Attached) > 0 {
				t.Fatalf("there are %d pins, and %d attached", len(folders.Pins), len(folders.Attached))
			}
			pin := folders.Pins[0]
			if tt.want != "" {
				if pin.Vendor != nil || !strings.Contains(pin.Why, tt.want) {
					t.Errorf("it has no folder because %q, want %q", pin.Why, tt.want)
				}
				return
			}
			if pin.Vendor == nil || pin.Vendor.Folder != ".mcp/s" || len(folders.Closure(".mcp/s").Packages) != 1 {
				t.Fatalf("the folder is %+v (%s)", pin.Vendor, pin.Why)
			}
			if same, err := folders.Put(".mcp/s", true); err != nil || same {
				t.Errorf("a dry run: %v, %v", same, err)
			}
			if _, err := os.Stat(filepath.Join(dir, ".mcp")); err == nil {
				t.Error("a dry run wrote something")
			}
			for i, want := range []bool{false, true} {
				if same, err := folders.Put(".mcp/s", false); err != nil || same != want {
					t.Errorf("time %d: nothing has changed: %v, %v", i, same, err)
				}
			}
			entries, err := os.ReadDir(filepath.Join(dir, ".mcp", "s"))
			if err != nil || len(entries) != 2 {
				t.Errorf("it holds %v, %v", entries, err)
			}
			// What we wrote may be written again.
			if again := v.Plan(Pins(inv, Make(inv, nothing))).Pins[0]; again.Vendor == nil {
				t.Errorf("its own folder is in the way: %s", again.Why)
			}
		})
	}
}
