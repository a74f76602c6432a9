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
