package advisory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"countermark/sbom"
)

func ids(as []Advisory) string {
	var out []string
	for _, a := range as {
		id := a.ID
		if a.Note != "" {
			id += "!"
		}
		out = append(out, id)
	}
	return strings.Join(out, " ")
}

func load(t testing.TB) *DB {
	t.Helper()
	db, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func parse(t testing.TB, data string) *DB {
	t.Helper()
	db, err := Parse([]byte(data), listed)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestEmbedded(t *testing.T) {
	db := load(t)
	if db.Len() != 5 || len(db.SHA256()) != 64 || !db.AsOf().Equal(listed) {
		t.Errorf("Len %d, SHA256 %q, AsOf %v", db.Len(), db.SHA256(), db.AsOf())
	}
	for key, rs := range db.packages {
		for _, r := range rs {
			if !r.Malicious || r.Summary == "" || !strings.HasPrefix(r.URL, "https://") || r.Published.IsZero() || r.Modified.Before(r.Published) {
				t.Errorf("%s: %+v", key.name, r.Advisory)
			}
			if r.Modified.After(db.AsOf()) {
				t.Errorf("%s: %s is younger than the list", key.name, r.ID)
			}
		}
	}
}

func TestAffectingEmbedded(t *testing.T) {
	db := load(t)
	for _, c := range []struct{ name, version, want string }{
		{"postmark-mcp", "1.0.15", ""},
		{"postmark-mcp", "1.0.16-rc.1", ""},
		{"postmark-mcp", "1.0.16", "MAL-2025-47604"},
		{"postmark-mcp", "1.0.16+build", "MAL-2025-47604"},
		{"postmark-mcp", "1.0.100", "MAL-2025-47604"},
		{"postmark-mcp", "99.0.0", "MAL-2025-47604"},
		{"postmark-mcp", "latest", "MAL-2025-47604!"},
		{"postmark-mcp", "", "MAL-2025-47604!"},
		{"postmark-mcp", "1.0", "MAL-2025-47604!"},
		{"postmark-mcp", "1.0.99999999999999999999", "MAL-2025-47604!"},
		{"Postmark-MCP", "1.0.16", ""},
		{"@lanyer640/mcp-runcommand-server", "0.0.1", "MAL-2025-47838"},
		{"@lanyer640/mcp-runcommand-server", "0.0.0-0", "MAL-2025-47838"},
		{"@lanyer640/mcp-runcommand-server", "2.0.0", "MAL-2025-47838"},
		{"@postman/postman-mcp-server", "2.4.9", ""},
		{"@postman/postman-mcp-server", "2.4.10", "MAL-2025-190909"},
		{"@postman/postman-mcp-server", "2.4.12", "MAL-2025-190909"},
		{"@postman/postman-mcp-server", "2.4.13", ""},
		{"@postman/postman-mcp-server", "2.4.1", ""},
		{"plain-crypto-js", "4.2.1", "MAL-2026-2306"},
		{"plain-crypto-js", "4.2.0", ""},
		{"axios", "1.14.1", "MAL-2026-2307"},
		{"axios", "1.14.0", ""},
		{"express", "nonsense", ""},
	} {
		if got := ids(db.Affecting(sbom.NPM, c.name, c.version)); got != c.want {
			t.Errorf("Affecting(%s@%s) = %q, want %q", c.name, c.version, got, c.want)
		}
	}
	if got := ids(db.Affecting(sbom.PyPI, "postmark-mcp", "1.0.16")); got != "" {
		t.Errorf("another ecosystem: %q", got)
	}
}

func TestSelectableEmbedded(t *testing.T) {
	db := load(t)
	const postmark, postman, axios = "MAL-2025-47604", "MAL-2025-190909", "MAL-2026-2307"
	for _, c := range []struct{ name, request, want string }{
		{"postmark-mcp", "", postmark},
		{"postmark-mcp", "latest", postmark},
		{"postmark-mcp", "next", postmark},
		{"postmark-mcp", "*", postmark},
		{"postmark-mcp", "x", postmark},
		{"postmark-mcp", ">=0", postmark},
		{"postmark-mcp", "^1.0.0", postmark},
		{"postmark-mcp", "~1.0.3", postmark},
		{"postmark-mcp", "1.x", postmark},
		{"postmark-mcp", "1", postmark},
		{"postmark-mcp", "1.0", postmark},
		{"postmark-mcp", ">1.0.15", postmark},
		{"postmark-mcp", ">=1.0.0 <1.0.16", ""},
		{"postmark-mcp", "<=1.0.16", postmark},
		{"postmark-mcp", "<1.0.16", ""},
		{"postmark-mcp", "0.x", ""},
		{"postmark-mcp", "0.x || 3", postmark},
		{"postmark-mcp", "1.0.0 - 1.0.15", ""},
		{"postmark-mcp", "1.0.0 - 1.0.16", postmark},
		{"postmark-mcp", "1.0.12", ""},
		{"postmark-mcp", "=1.0.12", ""},
		{"postmark-mcp", "v1.0.16", postmark},
		{"postmark-mcp", " ^1.0.0 ", postmark},
		{"postmark-mcp", "npm:other@1.0.0", postmark},
		{"postmark-mcp", "^1.0.0 ||", postmark},
		{"postmark-mcp", strings.Repeat("0.0.1 || ", 1000) + "0.0.1", postmark},
		{"@postman/postman-mcp-server", "", postman},
		{"@postman/postman-mcp-server", "^2.4.0", postman},
		{"@postman/postman-mcp-server", "2.4.10 - 2.4.11", postman},
		{"@postman/postman-mcp-server", "^2.4.13", ""},
		{"@postman/postman-mcp-server", "<2.4.10 || >2.4.12", ""},
		{"@postman/postman-mcp-server", "2.4.13", ""},
		{"@lanyer640/mcp-runcommand-server", "<0.0.2", "MAL-2025-47838"},
		{"axios", "^0.30.0", axios},
		{"axios", "^1.14.2", ""},
		{"express", "latest", ""},
	} {
		if got := ids(db.Selectable(sbom.NPM, c.name, c.request)); got != c.want {
			t.Errorf("Selectable(%s@%q) = %q, want %q", c.name, c.request, got, c.want)
		}
	}
}

// record writes a record about the package p with that content of affected.
func record1(ecosystem, content string) string {
	return fmt.Sprintf(`{"id": "MAL-2026-1", "modified": "2026-01-01T00:00:00Z",
		"affected": [{"package": {"ecosystem": %q, "name": "p"}, %s}]}`, ecosystem, content)
}

func semverRange(events string) string {
	return `"ranges": [{"type": "SEMVER", "events": [` + events + `]}]`
}

func TestEvaluation(t *testing.T) {
	for _, c := range []struct {
		name, affected string
		in, out        []string
	}{
		{"fixed, unsorted", semverRange(`{"fixed": "2.0.0"}, {"introduced": "1.0.0"}`),
			[]string{"1.0.0", "1.99.0", "2.0.0-rc.1"}, []string{"0.9.0", "1.0.0-rc.1", "2.0.0", "3.0.0"}},
		{"twice", semverRange(`{"introduced": "0"}, {"fixed": "1.0.0"}, {"introduced": "2.0.0"}, {"fixed": "2.0.2"}`),
			[]string{"0.0.0-0", "0.9.9", "2.0.1"}, []string{"1.0.0", "1.5.0", "2.0.2"}},
		{"last affected", semverRange(`{"introduced": "1.0.0"}, {"last_affected": "1.2.0"}`),
			[]string{"1.0.0", "1.2.0"}, []string{"1.2.1-0", "1.2.1"}},
		{"one version", semverRange(`{"last_affected": "1.2.0"}, {"introduced": "1.2.0"}`),
			[]string{"1.2.0"}, []string{"1.1.9", "1.2.1"}},
		{"fixed and back at once", semverRange(`{"introduced": "2.0.0"}, {"fixed": "2.0.0"}, {"introduced": "1.0.0"}`),
			[]string{"1.0.0", "2.0.0", "3.0.0"}, []string{"0.1.0"}},
		{"limit", semverRange(`{"introduced": "0"}, {"limit": "2.0.0"}`),
			[]string{"1.0.0"}, []string{"2.0.0", "2.1.0"}},
		{"several limits", semverRange(`{"introduced": "0"}, {"limit": "2.0.0"}, {"limit": "*"}`),
			[]string{"1.0.0", "2.0.0"}, nil},
		{"prereleases by number", semverRange(`{"introduced": "1.0.0-alpha.9"}, {"fixed": "1.0.0-beta"}`),
			[]string{"1.0.0-alpha.9", "1.0.0-alpha.10", "1.0.0-alpha.beta"},
			[]string{"1.0.0-alpha.8", "1.0.0-alpha", "1.0.0-1", "1.0.0-beta", "1.0.0"}},
		{"list or range", `"versions": ["9.0.0"], ` + semverRange(`{"introduced": "1.0.0"}, {"fixed": "2.0.0"}`),
			[]string{"9.0.0", "1.5.0"}, []string{"8.0.0"}},
		{"git ranges are of commits", `"versions": ["1.0.0"], "ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]`,
			[]string{"1.0.0"}, []string{"1.0.1"}},
		{"nothing named", `"versions": []`, []string{"1.0.0", "x"}, nil},
		{"ecosystem order", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.0.0"}]}]`,
			[]string{"1.0.0", "1.0.10"}, []string{"1.0.0-rc.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := parse(t, record1("npm", c.affected))
			for _, v := range c.in {
				if len(db.Affecting(sbom.NPM, "p", v)) != 1 {
					t.Errorf("%s is not affected", v)
				}
				if len(db.Selectable(sbom.NPM, "p", v)) != 1 {
					t.Errorf("%s is not selectable", v)
				}
			}
			for _, v := range c.out {
				if got := ids(db.Affecting(sbom.NPM, "p", v)); got != "" {
					t.Errorf("%s is affected: %s", v, got)
				}
			}
		})
	}
}

func TestPyPI(t *testing.T) {
	db := parse(t, `{"id": "MAL-2026-1", "modified": "2026-01-01T00:00:00Z", "affected": [{
		"package": {"ecosystem": "PyPI", "name": "Some_Package"}, "versions": ["3.0rc1"],
		"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"fixed": "2.0"}]}]}]}`)
	for _, c := range []struct {
		version  string
		affected bool
	}{
		{"1.0", true}, {"1.0.0", true}, {"1.9.post1", true}, {"2.0rc1", true}, {"2.0", false}, {"0.9", false}, {"1.0rc1", false}, {"3.0rc1", true}, {"3.0-rc1", true}, {"junk!", true},
	} {
		if got := len(db.Affecting(sbom.PyPI, "some.package", c.version)) == 1; got != c.affected {
			t.Errorf("%s affected: %v", c.version, got)
		}
	}
	for _, c := range []struct {
		request string
		could   bool
	}{
		{"", true}, {"latest", true}, {"==1.5", true}, {"==2.5", false}, {"1.5", true}, {"2.5", false}, {"==1.*", true}, {"==2.1.*", false},
		{">=2.0,<2.9", false}, {">=2.0", true}, {"~=1.2", true}, {"~=2.1", false}, {"<1.0", false}, {"@ junk", true},
	} {
		if got := len(db.Selectable(sbom.PyPI, "Some-Package", c.request)) == 1; got != c.could {
			t.Errorf("%q could select: %v", c.request, got)
		}
	}
}

func TestWithdrawnAndOthers(t *testing.T) {
	db := parse(t, `[
		{"id": "MAL-2026-2", "modified": "2026-01-01T00:00:00Z", "withdrawn": "2026-01-02T00:00:00Z", "affected": [{"package": {"ecosystem": "npm", "name": "p"}}]},
		{"id": "GHSA-xxxx-yyyy-zzzz", "modified": "2026-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "npm", "name": "p"}}, {"package": {"ecosystem": "npm", "name": "p"}, "versions": ["1.0.0"]}]}
	] {"id": "MAL-2026-3", "modified": "2026-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "Maven", "name": "p"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}`)
	got := db.Affecting(sbom.NPM, "p", "1.0.0")
	if ids(got) != "GHSA-xxxx-yyyy-zzzz" || got[0].Malicious {
		t.Errorf("got %+v", got)
	}
	if db.Len() != 3 {
		t.Errorf("Len = %d", db.Len())
	}
}

func TestGoVersions(t *testing.T) {
	db := parse(t, record1("Go", semverRange(`{"introduced": "1.2.0"}, {"fixed": "1.3.0"}`)))
	for version, want := range map[string]string{"v1.2.5": "MAL-2026-1", "v1.3.0": "", "1.2.5": "MAL-2026-1", "main": "MAL-2026-1!"} {
		if got := ids(db.Affecting(sbom.Golang, "p", version)); got != want {
			t.Errorf("%s: %q", version, got)
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"no JSON", `{"id"`, "byte 0"},
		{"no object", `["x"]`, "record 1"},
		{"no id", `{"modified": "2026-01-01T00:00:00Z"}`, "id is missing"},
		{"no modified", `{"id": "MAL-2026-1"}`, `record 1 ("MAL-2026-1"): modified`},
		{"bad withdrawn", `{"id": "MAL-2026-1", "modified": "2026-01-01T00:00:00Z", "withdrawn": "soon"}`, "withdrawn"},
		{"wrong type", `{"id": "MAL-2026-1", "modified": 1}`, `("MAL-2026-1")`},
		{"key twice", `{"id": "MAL-2026-1", "modified": "2026-01-01T00:00:00Z", "affected": [], "Affected": []}`, `key "Affected" twice`},
		{"no package", `{"id": "MAL-2026-1", "modified": "2026-01-01T00:00:00Z", "affected": [{"versions": ["1.0.0"]}]}`, "affected[0]: package"},
		{"range type", record1("npm", `"ranges": [{"type": "ANY", "events": []}]`), `ranges[0]: type "ANY"`},
		{"no introduced", record1("npm", semverRange(`{"fixed": "1.0.0"}`)), "introduced"},
		{"no event", record1("npm", semverRange(``)), "introduced"},
		{"event of two", record1("npm", semverRange(`{"introduced": "0", "fixed": "1.0.0"}`)), "events[0]: has 2"},
		{"event of none", record1("npm", semverRange(`{"introduced": "0"}, {}`)), "events[1]: has 0"},
		{"no version", record1("npm", semverRange(`{"introduced": "0"}, {"fixed": "soon"}`)), `events[1]: "soon"`},
		{"id twice", `{"id": "MAL-1-1", "modified": "2026-01-01T00:00:00Z"} {"id": "MAL-1-1", "modified": "2026-01-01T00:00:00Z"}`, "record 2"},
		{"deep", `{"id": "MAL-1-1", "modified": "2026-01-01T00:00:00Z", "x": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.data), time.Time{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestSelectableAgrees holds the two answers together: what a request selects
// and what is affected cannot be unknown to Selectable.
func TestSelectableAgrees(t *testing.T) {
	var versions []string
	for _, v := range []string{"0.0.1", "0.9.0", "1.0.0", "1.0.15", "1.0.16", "1.0.17", "1.2.0", "1.2.3", "2.0.0", "2.0.1", "3.0.0"} {
		versions = append(versions, v, v+"-0", v+"-beta.2", v+"-rc.1")
	}
	ranges := []string{
		`{"introduced": "0"}`, `{"introduced": "1.0.16"}`, `{"introduced": "1.0.0-beta.2"}, {"fixed": "1.0.0"}`,
		`{"introduced": "1.0.0"}, {"last_affected": "1.0.16"}`, `{"introduced": "0"}, {"fixed": "1.0.0"}, {"introduced": "2.0.0"}`,
		`{"introduced": "1.2.3"}, {"last_affected": "1.2.3"}`, `{"introduced": "1.2.3"}, {"limit": "2.0.1"}`,
	}
	requests := []string{
		"^1.0.0", "~1.2.0", "1.x", "<1.0.0", ">=1.0.17 <2", "0.x || 3", ">1.2.3", "1.0.0-beta.1 - 1.0.0-rc.2", "^1.0.0-beta.1",
		"*", "", ">=0.0.0", "<=1.0.16-rc.1", "1.2", "=1.2.3", "^0.0.1", "~0.9", ">2.0.0 <2.0.0", "1.0.16 || 2.0.0",
	}
	for _, events := range ranges {
		db := parse(t, record1("npm", semverRange(events)))
		for _, request := range requests {
			want := newRequest(sbom.NPM, request)
			hit := slices.ContainsFunc(versions, func(v string) bool {
				parsed, _ := orderOf(sbom.NPM, "SEMVER").parse(v)
				selected := want.exact == v || want.exact == "" && (want.constraint == nil || want.constraint.MatchVersion(parsed))
				return selected && len(db.Affecting(sbom.NPM, "p", v)) == 1
			})
			if could := len(db.Selectable(sbom.NPM, "p", request)) == 1; hit && !could {
				t.Errorf("%q selects an affected version of %s, but Selectable does not say so", request, events)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(list))
	f.Add(record1("npm", semverRange(`{"introduced": "0"}`)))
	f.Add(record1("PyPI", `"versions": ["1.0"]`))
	f.Fuzz(func(t *testing.T, data string) {
		db, err := Parse([]byte(data), listed)
		if err != nil {
			return
		}
		for key := range db.packages {
			all := db.Selectable(key.ecosystem, key.name, "")
			if len(all) == 0 {
				t.Errorf("%s: an advisory that nothing selects", key.name)
			}
			for _, a := range db.Affecting(key.ecosystem, key.name, "1.2.3") {
				if !slices.ContainsFunc(all, func(b Advisory) bool { return a.ID == b.ID }) {
					t.Errorf("%s: %s affects a version, but is not selectable", key.name, a.ID)
				}
			}
		}
	})
}

func FuzzSelectable(f *testing.F) {
	f.Add("1.0.16", "^1.0.0")
	f.Add("1.0.16-rc.1", "*")
	f.Add("2.0.0", ">=1 <2 || 3")
	f.Add("v1", "x || =1")
	db, err := Parse([]byte(record1("npm", semverRange(`{"introduced": "0.5.0"}, {"last_affected": "0.7.1"}, {"introduced": "1.0.16-beta"}, {"fixed": "3.0.0"}`))), listed)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, version, text string) {
		v, ok := orderOf(sbom.NPM, "SEMVER").parse(version)
		want := newRequest(sbom.NPM, text)
		if !ok || want.constraint == nil || !want.constraint.MatchVersion(v) {
			db.Affecting(sbom.NPM, "p", version)
			db.Selectable(sbom.NPM, "p", text)
			return
		}
		if len(db.Affecting(sbom.NPM, "p", version)) == 1 && len(db.Selectable(sbom.NPM, "p", text)) == 0 {
			t.Errorf("%q selects %q, which is affected", text, version)
		}
	})
}

func TestTouchingIntervals(t *testing.T) {
	db := parse(t, record1("npm", semverRange(`{"introduced": "1.0.0"}, {"last_affected": "1.2.0"}, {"introduced": "2.0.0"}, {"fixed": "2.1.0"}`)))
	for request, want := range map[string]string{
		">1.2.0 <2.0.0": "", ">=1.2.0 <2.0.0": "MAL-2026-1", ">=2.1.0": "", ">2.0.9 <2.1.0": "MAL-2026-1", "<1.0.0": "", "<=1.0.0": "MAL-2026-1", "1.2.1 - 1.9.9": "",
	} {
		if got := ids(db.Selectable(sbom.NPM, "p", request)); got != want {
			t.Errorf("%q: %q, want %q", request, got, want)
		}
	}
}
