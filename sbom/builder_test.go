package sbom

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func pkg(name, version string, hashes ...Hash) Component {
	return Component{
		Type: Library, Ecosystem: NPM, Name: name, Version: version, PURL: "pkg:npm/" + name + "@" + version,
		Source: FromRegistry, Hashes: hashes, Coverage: CompleteCoverage,
	}
}

func from(url string, hashes ...Hash) Component {
	c := pkg("a", "1.0.0", hashes...)
	c.Resolved = url
	return c
}

func sha512(v string) Hash { return Hash{Algorithm: "sha512", Value: v} }

func refs(inv *Inventory) []string {
	var out []string
	for _, c := range inv.Components {
		out = append(out, c.Ref)
	}
	return out
}

func TestMergeOfInstances(t *testing.T) {
	bundled := pkg("a", "1.0.0")
	bundled.Source = FromParent
	fromGit := pkg("a", "1.0.0")
	fromGit.Source = FromGit
	tests := []struct {
		name     string
		add      []Component
		want     []string
		conflict []string
	}{
		{"same hash", []Component{pkg("a", "1.0.0", sha512("aa")), pkg("a", "1.0.0", sha512("aa"))}, []string{"pkg:npm/a@1.0.0"}, []string{""}},
		{"other version", []Component{pkg("a", "1.0.0"), pkg("a", "1.0.1")}, []string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.1"}, []string{"", ""}},
		{"conflicting hash", []Component{pkg("a", "1.0.0", sha512("aa")), pkg("a", "1.0.0", sha512("bb"))},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", "pkg:npm/a@1.0.0"}},
		{"bundled joins the one with a hash", []Component{bundled, pkg("a", "1.0.0", sha512("aa"))}, []string{"pkg:npm/a@1.0.0"}, []string{""}},
		{"a hash in another algorithm proves nothing", []Component{pkg("a", "1.0.0", sha512("aa")), pkg("a", "1.0.0", Hash{"sha1", "cc"})},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", "pkg:npm/a@1.0.0"}},
		{"one common value is no conflict", []Component{pkg("a", "1.0.0", sha512("aa")), pkg("a", "1.0.0", sha512("bb"), sha512("aa"))},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", ""}},
		{"the same bytes from another place are judged apart", []Component{from("https://one.example/a.tgz", sha512("aa")), from("https://two.example/a.tgz", sha512("aa"))},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", ""}},
		{"a copy without a hash does not hide behind one that has it", []Component{pkg("a", "1.0.0", sha512("aa")), from("https://two.example/a.tgz")},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", ""}},
		{"a further hash", []Component{pkg("a", "1.0.0", sha512("aa")), pkg("a", "1.0.0", sha512("aa"), Hash{"sha1", "cc"})}, []string{"pkg:npm/a@1.0.0"}, []string{""}},
		{"a further hash that differs", []Component{pkg("a", "1.0.0", sha512("aa"), Hash{"sha1", "dd"}), pkg("a", "1.0.0", sha512("aa"), Hash{"sha1", "cc"})},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", ""}},
		{"a weak hash alone", []Component{from("https://one.example/a.tgz", Hash{"sha1", "cc"}), pkg("a", "1.0.0", Hash{"sha1", "cc"})},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", ""}},
		{"no address joins one", []Component{from("https://one.example/a.tgz", sha512("aa")), pkg("a", "1.0.0", sha512("aa"))}, []string{"pkg:npm/a@1.0.0"}, []string{""}},
		{"one address joins none, a second does not", []Component{pkg("a", "1.0.0", sha512("aa")), from("https://one.example/a.tgz", sha512("aa")), from("https://two.example/a.tgz", sha512("aa"))},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", ""}},
		{"a launch only mentions", []Component{pkg("a", "1.0.0"), pkg("a", "1.0.0", sha512("aa"))}, []string{"pkg:npm/a@1.0.0"}, []string{""}},
		{"another source", []Component{pkg("a", "1.0.0", sha512("aa")), fromGit}, []string{"pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0#2"}, []string{"", "pkg:npm/a@1.0.0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := NewBuilder()
			for _, c := range tt.add {
				b.Link(Root, b.Add(c, Use{}))
			}
			inv := b.Inventory()
			if d := cmp.Diff(tt.want, refs(inv)); d != "" {
				t.Errorf("refs: %s", d)
			}
			var conflicts []string
			for _, c := range inv.Components {
				conflicts = append(conflicts, c.Conflict)
			}
			if d := cmp.Diff(tt.conflict, conflicts); d != "" {
				t.Errorf("conflicts: %s", d)
			}
		})
	}
}

// A project that takes the name and version of a package must not make that
// package disappear into itself.
func TestProjectNeverHidesAPackage(t *testing.T) {
	b := NewBuilder()
	b.DescribeRoot(Component{Type: Application, Ecosystem: NPM, Name: "a", Version: "1.0.0", PURL: "pkg:npm/a@1.0.0"})
	server := b.Add(Component{Ref: "mcp:x#a", Type: Application, Name: "a", Server: &Server{Name: "a"}}, Use{})
	b.Link(Root, server)
	b.Launches(server, []Launch{{Kind: KindNPM}}, []ID{b.Add(Component{
		Type: Library, Ecosystem: NPM, Name: "a", Version: "1.0.0", PURL: "pkg:npm/a@1.0.0", Source: FromRegistry,
	}, Use{})})
	inv := b.Inventory()
	c := inv.Component("pkg:npm/a@1.0.0#2")
	if c == nil || c.Source != FromRegistry || !c.Origin.Has(OriginMCP) {
		t.Fatalf("the launched package is %+v", c)
	}
	if c.Conflict != "" {
		t.Errorf("a package of the project's name is no integrity conflict, got %q", c.Conflict)
	}
	if got := inv.Component("mcp:x#a").Server.Launches[0].Ref; got != c.Ref {
		t.Errorf("launch leads to %q", got)
	}
}

// An installed copy of which nothing at all is recorded stays visible as such.
// The first URL that an instance has is the component's; a bundled copy has none.
func TestURLOfInstances(t *testing.T) {
	none := pkg("a", "1.0.0", sha512("aa"))
	one := from("https://one.example/a.tgz", sha512("aa"))
	one.Distribution = Distribution{Host: "https://one.example", Name: "a", Version: "1.0.0"}
	for name, instances := range map[string][]Component{"first": {one, none}, "last": {none, one}} {
		b := NewBuilder()
		for _, c := range instances {
			b.Add(c, Use{})
		}
		got := b.Inventory().Component("pkg:npm/a@1.0.0")
		if got == nil || got.Resolved != one.Resolved || got.Distribution != one.Distribution {
			t.Errorf("the one with a URL is %s: %+v", name, got)
		}
	}
}

func TestInstalledCopyWithoutAHash(t *testing.T) {
	b := NewBuilder()
	b.Add(pkg("a", "1.0.0", sha512("aa")), Use{}, Occurrence{Path: "lock", Install: "node_modules/a"})
	b.Add(pkg("a", "1.0.0"), Use{}, Occurrence{Path: "lock", Install: "node_modules/b/node_modules/a"})
	inv := b.Inventory()
	if c := inv.Component("pkg:npm/a@1.0.0#2"); c == nil || len(c.Hashes) != 0 {
		t.Errorf("got %v", refs(inv))
	}
}

// TestLockedHidesBehindNoOther: a package of which a lockfile records no bytes is
// not the same as one whose bytes another lockfile records.
func TestLockedHidesBehindNoOther(t *testing.T) {
	b := NewBuilder()
	c := Component{PURL: "pkg:npm/a@1.0.0", Name: "a", Version: "1.0.0", Source: FromRegistry}
	b.Link(Root, b.Add(c, Use{Locked: true}, Occurrence{Path: "yarn.lock", Line: 1}))
	c.Hashes = []Hash{{Algorithm: "sha1", Value: "00"}}
	b.Link(Root, b.Add(c, Use{}, Occurrence{Path: "package-lock.json", Line: 1, Install: "node_modules/a"}))
	if n := len(b.Inventory().Components); n != 2 {
		t.Errorf("%d components, want 2", n)
	}
}

// What a launch fetches is not the folder, link or commit of that name and
// version which a lockfile names.
func TestLaunchJoinsOnlyWhatARegistryServes(t *testing.T) {
	for _, source := range []Source{FromLink, FromFile, FromGit, FromTarball, FromParent} {
		b := NewBuilder()
		locked := pkg("a", "1.0.0")
		locked.Source = source
		b.Add(locked, Use{}, Occurrence{Path: "lock", Install: "a"})
		server := b.Add(Component{Ref: "mcp:x#a", Type: Application, Name: "a", Server: &Server{Name: "a"}}, Use{})
		b.Launches(server, []Launch{{Kind: KindNPM}}, []ID{b.Add(pkg("a", "1.0.0"), Use{}, Occurrence{Path: "x"})})
		inv := b.Inventory()
		c := inv.Component(inv.Component("mcp:x#a").Server.Launches[0].Ref)
		if c.Source != FromRegistry || len(inv.Components) != 3 {
			t.Errorf("%s: the launch leads to %+v", source, c)
		}
		if conflict := c.Conflict != ""; conflict != (source != FromParent) {
			t.Errorf("%s: conflict is %v", source, conflict)
		}
	}
}

// TestManyInstances has to end soon, whatever they have in common.
func TestManyInstances(t *testing.T) {
	const n = 10_000
	b := NewBuilder()
	for i := range n {
		b.Add(pkg("same", "1.0.0", sha512("aa")), Use{})
		b.Add(pkg("other", "1.0.0", sha512(strconv.Itoa(i))), Use{})
	}
	if got := len(b.Inventory().Components); got != n+1 {
		t.Errorf("got %d components", got)
	}
}

func TestServersOfOneNameStayTwo(t *testing.T) {
	b := NewBuilder()
	for range 2 {
		b.Link(Root, b.Add(Component{Ref: "mcp:x#a", Type: Application, Name: "a", Server: &Server{Name: "a"}}, Use{}))
	}
	if d := cmp.Diff([]string{"mcp:x#a", "mcp:x#a#2"}, refs(b.Inventory())); d != "" {
		t.Error(d)
	}
}

func TestScope(t *testing.T) {
	dev, opt, prod := Use{Development: true}, Use{Optional: true}, Use{}
	tests := []struct {
		uses []Use
		want Scope
	}{
		{[]Use{dev}, Excluded},
		{[]Use{dev, dev}, Excluded},
		{[]Use{dev, prod}, Required},
		{[]Use{opt}, Optional},
		{[]Use{opt, prod}, Required},
		{[]Use{{Development: true, Optional: true}}, Excluded},
		{[]Use{prod}, Required},
	}
	for _, tt := range tests {
		b := NewBuilder()
		for _, u := range tt.uses {
			b.Add(pkg("a", "1.0.0"), u)
		}
		if got := b.Inventory().Components[0].Scope; got != tt.want {
			t.Errorf("%+v: got %s, want %s", tt.uses, got, tt.want)
		}
	}
}

func TestOriginEdgesAndReach(t *testing.T) {
	b := NewBuilder()
	a1 := b.Add(pkg("a", "1.0.0"), Use{}, Occurrence{Path: "lock", Line: 2, Install: "node_modules/a"})
	a2 := b.Add(pkg("a", "1.0.0"), Use{}, Occurrence{Path: "lock", Line: 9, Install: "node_modules/m/node_modules/a"})
	x, y := b.Add(pkg("x", "1.0.0"), Use{}), b.Add(pkg("y", "1.0.0"), Use{})
	lost := b.Add(pkg("lost", "1.0.0"), Use{})
	member := b.Add(Component{Ref: "member", Type: Application, Name: "member", Source: FromProject}, Use{})
	b.Link(Root, member)
	b.Link(member, a1)
	b.Link(a1, x)
	b.Link(a2, y)
	b.Link(lost, x)
	b.Link(a1, a2)
	inv := b.Inventory()
	want := map[string][]string{
		"project":            {"member"},
		"member":             {"pkg:npm/a@1.0.0"},
		"pkg:npm/a@1.0.0":    {"pkg:npm/x@1.0.0", "pkg:npm/y@1.0.0"},
		"pkg:npm/lost@1.0.0": {"pkg:npm/x@1.0.0"},
	}
	if d := cmp.Diff(want, inv.Edges); d != "" {
		t.Error(d)
	}
	origins := map[string]string{}
	for _, c := range inv.Components {
		origins[c.Name] = c.Origin.String()
		if c.Extraneous != (c.Name == "lost") {
			t.Errorf("%s: extraneous is %v", c.Name, c.Extraneous)
		}
	}
	if d := cmp.Diff(map[string]string{"a": "direct", "x": "transitive", "y": "transitive", "lost": "", "member": ""}, origins); d != "" {
		t.Error(d)
	}
	if n := len(inv.Component("pkg:npm/a@1.0.0").Occurrences); n != 2 {
		t.Errorf("a occurs %d times", n)
	}
}
