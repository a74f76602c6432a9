package lock

import (
	"regexp"
	"slices"
	"testing"
)

func TestFolderNames(t *testing.T) {
	folder := regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*[a-z0-9]$|^[a-z0-9]$`)
	seen := map[string]string{}
	for name, nice := range map[string]bool{
		"tool": true, "a": true, "my-tool_2.0": true,
		"Tool": false, "my tool": false, "../../etc": false, "..": false, "": false, ".": false, "a/b": false, `a\b`: false, "con": false, "COM1": false,
		"nul.txt": false, "node_modules": false, "-x": false, ".hidden": false, "tool.": false, "tool ": false, "日本": false, "a\x00b": false,
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": false,
		"ghp_16C7e42F292c6912E7710c838347Ae178B4a": false,
	} {
		got := FolderNames(".mcp.json", name)
		if !slices.Equal(got, FolderNames(".mcp.json", name)) || (got[0] == name) != nice || len(got) != 1 && !nice {
			t.Errorf("%q: %q", name, got)
		}
		for _, folderName := range got {
			if !folder.MatchString(folderName) || !vendoredForm.MatchString(VendorRoot+"/"+folderName) || reserved.MatchString(folderName) || len(folderName) > 60 {
				t.Errorf("%q: %q is no folder", name, folderName)
			}
			if other, twice := seen[folderName]; twice {
				t.Errorf("%q and %q share %q", name, other, folderName)
			}
			seen[folderName] = name
		}
	}
	if slices.Equal(FolderNames("a/.mcp.json", "A"), FolderNames("b/.mcp.json", "A")) {
		t.Error("two configurations share a folder by their names")
	}
}

// TestVendoredIsKnown: what node starts from a folder of vendored packages is locked
// with all that the folder's lockfile installs, and with nothing else of it.
func TestVendoredIsKnown(t *testing.T) {
	inv := inventory(t, map[string]string{
		".mcp.json": one(`{"command":"node","args":[".mcp/s/node_modules/tool/cli.js"]}`),
		".mcp/s/package-lock.json": `{"name": "mcp-s", "version": "1.0.0", "lockfileVersion": 3, "packages": {
			"": {"name": "mcp-s", "version": "1.0.0", "dependencies": {"tool": "1.0.0"}},
			"node_modules/tool": {"version": "1.0.0", "resolved": "https://registry.example/tool/-/tool-1.0.0.tgz", "integrity": "` + sri + `", "dependencies": {"dep": "2.0.0"}},
			"node_modules/dep": {"version": "2.0.0", "resolved": "https://registry.example/dep/-/dep-2.0.0.tgz", "integrity": "` + sri + `"}}}`,
		".mcp/s/package.json": `{"name": "mcp-s", "version": "1.0.0", "dependencies": {"tool": "1.0.0"}}`,
	})
	l := Make(inv, nothing)[0].server(".mcp.json", "s").Launches[0]
	if l.Vendored != ".mcp/s" || l.Closure == nil || len(l.Closure.Packages) != 1 || l.Closure.Packages["dep@2.0.0"] != sri {
		t.Errorf("it is %+v with %+v", l.Known, l.Closure)
	}
}
