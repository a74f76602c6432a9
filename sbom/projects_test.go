package sbom

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEachProject: every project has an inventory of just what it depends on, with
// marks of its own.
func TestEachProject(t *testing.T) {
	b := NewBuilder()
	b.DescribeRoot(Component{Type: Application, Ecosystem: NPM, Name: "root", Version: "1.0.0", PURL: "pkg:npm/root@1.0.0"})
	own := func(name string) ID {
		c := pkg(name, "1.0.0")
		c.Source, c.Type = FromProject, Application
		return b.Add(c, Use{}, Occurrence{Path: "lock"})
	}
	b.input("lock", "lock").Problems = []Problem{{Code: Invalid}}
	b.input("mcp.json", "mcp")
	web, lib, other := own("web"), own("lib"), own("other")
	for id, folder := range map[ID]string{Root: "", web: "apps/web", lib: "libs/lib", other: "other"} {
		b.Project(id, folder)
	}
	add := func(name string) ID { return b.Add(pkg(name, "1.0.0"), Use{}, Occurrence{Path: "lock"}) }
	a, dev, optional, peer, deep, none := add("a"), add("dev"), add("maybe"), add("peer"), add("deep"), add("none")
	twice := []ID{add("twice"), add("twice")} // with other dependencies in another place
	server := b.Add(Component{Ref: "mcp:x#s", Type: Application, Name: "s", Server: &Server{Name: "s", Launches: []Launch{{}}}}, Use{}, Occurrence{Path: "mcp.json"})
	b.Launches(server, b.instances[server].c.Server.Launches, []ID{a})
	b.Link(Root, server)
	for _, e := range []link{
		{Root, web, Use{Member: true}}, {Root, lib, Use{Member: true}}, {Root, other, Use{Member: true}},
		{Root, dev, Use{Development: true}},
		{web, lib, Use{}}, {web, optional, Use{Optional: true}}, {web, twice[0], Use{}}, {twice[0], deep, Use{}}, {web, dev, Use{}},
		{lib, a, Use{}}, {lib, dev, Use{Development: true}}, {lib, web, Use{Development: true}}, {lib, twice[1], Use{}}, {lib, peer, Use{Peer: true}},
		{dev, none, Use{}},
	} {
		b.LinkFor(e.from, e.to, e.use)
	}
	got := map[string][]string{}
	var folders []string
	for _, p := range b.split() {
		folders = append(folders, p.folder)
		inv := p.b.Inventory()
		for _, c := range inv.Components {
			got[p.folder] = append(got[p.folder], c.Name+" "+string(c.Scope))
		}
		if !inv.Incomplete() || len(inv.Inputs) != map[string]int{"": 2}[p.folder] && len(inv.Inputs) != 1 {
			t.Errorf("%s: inputs %+v", p.folder, inv.Inputs)
		}
		if p.folder == "" {
			if l := inv.Component("mcp:x#s").Server.Launches[0]; l.Ref != "pkg:npm/a@1.0.0" {
				t.Errorf("the server launches %q", l.Ref)
			}
		}
	}
	if !slices.Equal(folders, []string{"", "apps/web", "libs/lib", "other"}) {
		t.Errorf("folders %q", folders)
	}
	want := map[string][]string{
		"":         {"s required", "a required", "dev excluded", "none excluded"},
		"apps/web": {"a required", "deep required", "dev required", "lib required", "maybe optional", "none required", "peer required", "twice required"},
		"libs/lib": {"a required", "deep excluded", "dev excluded", "maybe excluded", "none excluded", "peer required", "twice required", "web excluded"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	whole := b.Inventory() // which has all of it, as if nobody had split it
	if n := len(whole.Components); n != 11 || whole.Component("mcp:x#s").Server.Launches[0].Ref != "pkg:npm/a@1.0.0" {
		t.Errorf("%d components, %+v", n, whole.Component("mcp:x#s").Server.Launches)
	}
}

// A folder that is no project has a document of its configurations.
func TestEachProjectWithoutRoot(t *testing.T) {
	b := NewBuilder()
	if n := len(b.split()); n != 0 {
		t.Errorf("%d projects in nothing", n)
	}
	b.Link(Root, b.Add(Component{Ref: "mcp:x", Type: FileType, Name: "x"}, Use{}))
	if all := b.split(); len(all) != 1 || all[0].folder != "" || len(all[0].b.Inventory().Components) != 1 {
		t.Errorf("projects: %+v", all)
	}
}
