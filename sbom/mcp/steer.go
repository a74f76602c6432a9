package mcp

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/tailscale/hujson"
)

// Some files say of servers that stand in other ones whether they run, and whether
// anybody is asked: the settings of a client steer what its mcp.json configures.

// effect is what a member of a client's settings does to servers.
type effect int

const (
	turnsOff       effect = iota // it lists servers that do not run
	turnsOffShared               // the same, of those that the project's own file configures
	leavesOnly                   // it lists the only servers that run
	startsShared                 // true: those of the project's own file start without asking
	approvesAll                  // true, or the word: every tool runs without asking
	approvesTools                // it lists tools that run without asking, as mcp__SERVER__TOOL
)

// steer is a member that has an effect. It counts only in a file that holds the
// word, where it serves other purposes too.
type steer struct {
	member string
	effect effect
	word   string
}

// claudeSettings are those of Claude Code (code.claude.com/docs, "Settings").
var claudeSettings = []steer{
	{"disabledMcpjsonServers", turnsOffShared, ""},
	{"enableAllProjectMcpServers", startsShared, ""},
	{"deniedMcpServers", turnsOff, ""},
	{"allowedMcpServers", leavesOnly, ""},
	{"permissions.allow", approvesTools, toolPrefix},
	{"permissions.defaultMode", approvesAll, "bypassPermissions"},
}

// claudeChoices are what a user answered Claude Code in one project. That a server is
// enabled by its name is what somebody decided, and no way around asking.
var claudeChoices = []steer{
	{"disabledMcpjsonServers", turnsOffShared, ""},
	{"enableAllProjectMcpServers", startsShared, ""},
	{"disabledMcpServers", turnsOff, ""},
	{"allowedTools", approvesTools, toolPrefix},
}

// geminiSettings are those of Gemini CLI and what was made from it.
var geminiSettings = []steer{{"mcp.excluded", turnsOff, ""}, {"mcp.allowed", leavesOnly, ""}}

// codeSettings are those of VS Code.
var codeSettings = []steer{{"chat.tools.autoApprove", approvesAll, ""}, {"chat.tools.global.autoApprove", approvesAll, ""}}

// toolPrefix begins the names of tools of MCP servers in Claude Code's permissions.
const toolPrefix = "mcp__"

// maxRulings bounds the choices that a user made for all projects: each is compared
// with each server.
const maxRulings = 20_000

// maxRuled bounds the servers or tools that one list names: each is compared with
// each server.
const maxRuled = 2_000

// ruling is what one member of one file says.
type ruling struct {
	effect  effect
	client  string
	names   []string // of servers or tools; as they are written
	partly  bool     // the list says more than names, which nobody here can judge
	project string   // whose servers it is about, as projectOf has it
	all     bool     // it is about all projects: it is the user's, or the machine's
	folder  string   // the one project that it is about, by its place on this machine; empty for those that project and all name
	by      sbom.Approval
}

// rulings are what the document says of servers, its own ones included.
func (d *document) rulings(c client, f *sbom.File) []ruling {
	out := d.rulingsIn(object(&d.root), c.steers, c, f)
	if len(c.choices) == 0 || f == nil || !ofUser(f) {
		return out
	}
	for _, p := range members(get(&d.root, "projects")) {
		for _, r := range d.rulingsIn(object(p.value), c.choices, c, f) {
			r.folder = machineFolder(p.name)
			out = append(out, r)
		}
		if len(out) > maxRulings {
			d.file = f
			d.problem(sbom.Invalid, p.value, fmt.Sprintf("more than %d choices for projects, of which the rest is not read", maxRulings), "remove those of projects that are gone")
			break
		}
	}
	return out
}

// machineFolder writes the place of a folder as clients of all systems do.
func machineFolder(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if windowsDrive.MatchString(name) {
		name = strings.ToLower(name)
	}
	return path.Clean(name)
}

// folderOf is the place of the project on this machine that a file belongs to; empty
// where nobody knows, and for the files of a user.
func folderOf(f *sbom.File) string {
	if f.Place == "" || ofUser(f) {
		return ""
	}
	return machineFolder(f.Place + "/" + above(f.Name, f.Name))
}

// rulingsIn are those of an object with such members.
func (d *document) rulingsIn(root *hujson.Object, steers []steer, c client, f *sbom.File) []ruling {
	if root == nil || len(steers) == 0 {
		return nil
	}
	quiet := &document{toml: d.toml}
	top := quietFields(root)
	var out []ruling
	for _, s := range steers {
		for _, m := range quiet.lookup(top, s.member) {
			r := ruling{effect: s.effect, client: c.name}
			if !r.reads(s, m.value) {
				continue
			}
			r.by.Setting = s.member
			r.by.Line, r.by.Column = d.position(m.key.StartOffset)
			if f != nil {
				r.by.File, r.project, r.all = f.Path, projectOf(f), ofUser(f)
				r.bound(f)
			}
			out = append(out, r)
		}
	}
	return out
}

// bound shortens a list that is too long, and says so.
func (r *ruling) bound(f *sbom.File) {
	if len(r.names) > maxRuled {
		r.names = r.names[:maxRuled]
		f.Problem(sbom.Problem{Code: sbom.Invalid, Line: r.by.Line, Column: r.by.Column, Message: tooManyNames, Hint: hintTooManyNames})
	}
}

var tooManyNames = fmt.Sprintf("a list of more than %d names, of which the rest is not read", maxRuled)

const hintTooManyNames = "shorten the list, or exclude the file in the policy"

// reads takes what a member says, and reports whether that is anything.
func (r *ruling) reads(s steer, v *hujson.Value) bool {
	switch s.effect {
	case startsShared, approvesAll:
		if s.word != "" {
			return isText(v) && text(v) == s.word
		}
		value, ok := boolean(v)
		return ok && value
	default:
	}
	for _, e := range elements(v) {
		name := textOf(e)
		if o := get(e, "serverName"); o != nil {
			name = textOf(o)
		}
		switch {
		case name == "":
			r.partly = true // by its command or URL
		case strings.HasPrefix(name, s.word):
			r.names = append(r.names, name)
		}
	}
	return len(r.names) > 0 || r.partly
}

// ofUser reports whether a file is the user's or the machine's, and no project's.
func ofUser(f *sbom.File) bool {
	return slices.ContainsFunc([]string{"~/", "$", "/"}, func(p string) bool { return strings.HasPrefix(f.Path, p) })
}

// projectOf is the folder of the project that a file belongs to, in the inventory:
// "a" for a/.mcp.json and for a/.claude/settings.json.
func projectOf(f *sbom.File) string { return above(f.Path, f.Name) }

// above is the folder above a path by as many names as the table has for the file.
func above(folder, name string) string {
	n := 1
	if p, ok := tablePathOf(name); ok {
		n = len(p.segments)
	}
	for range n {
		folder = path.Dir(folder)
	}
	return folder
}

// inShared reports whether a file is the one of a project that all who work on it
// share, whose servers Claude Code asks about before it starts them.
func inShared(f *sbom.File) bool {
	return path.Base(f.Path) == ".mcp.json" && !ofUser(f) && !strings.Contains("/"+f.Path, "/plugins/")
}

// steer applies to a server what settings say of it. Who turns it off wins, as in
// the clients.
func (r *run) steer(f *sbom.File, s *sbom.Server) {
	listed, only := false, false
	project, folder, approved := projectOf(f), folderOf(f), approvals{server: s}
	for _, ruling := range r.rulings {
		about := ruling.all || ruling.project == project
		if ruling.folder != "" {
			about = ruling.folder == folder
		}
		if ruling.client != s.Client || !about {
			continue
		}
		has := slices.Contains(ruling.names, s.Name)
		switch ruling.effect {
		case turnsOff:
			s.Disabled = s.Disabled || has
		case turnsOffShared:
			s.Disabled = s.Disabled || has && inShared(f)
		case leavesOnly:
			only, listed = true, listed || has || ruling.partly
		case startsShared:
			if inShared(f) {
				s.Approvals = append(s.Approvals, ruling.by)
			}
		case approvesAll:
			approved.add("*", ruling.by)
		case approvesTools:
			own := toolPrefix + notInToolNames.ReplaceAllString(s.Name, "_")
			for _, name := range ruling.names {
				if tool, ok := toolOf(own, name); ok {
					approved.add(tool, ruling.by)
				}
			}
		}
	}
	s.Disabled = s.Disabled || only && !listed
	if s.Disabled {
		s.Approvals = slices.DeleteFunc(s.Approvals, func(a sbom.Approval) bool { return a.Tool == "" })
	}
}

var notInToolNames = lazyregexp.New(`[^A-Za-z0-9_-]`)

// toolOf is the tool that a permission names of the server whose tools begin so:
// mcp__SERVER is all of them, and so is mcp__SERVER__*.
func toolOf(own, permission string) (string, bool) {
	rest, ok := strings.CutPrefix(permission, own)
	if !ok {
		return "*", permission == toolPrefix+"*"
	}
	if rest == "" {
		return "*", true
	}
	tool, ok := strings.CutPrefix(rest, "__")
	return tool, ok && tool != ""
}

// approvals collects the tools of a server that run without asking, each once.
type approvals struct {
	server *sbom.Server
	known  map[string]bool
}

func (a *approvals) add(tool string, by sbom.Approval) {
	if a.known == nil {
		a.known = map[string]bool{}
		for _, t := range a.server.AutoApprove {
			a.known[t] = true
		}
	}
	by.Tool = safeName(tool)
	if a.known[by.Tool] {
		return
	}
	a.known[by.Tool] = true
	if by.File == a.server.File {
		by.File = ""
	}
	a.server.AutoApprove = append(a.server.AutoApprove, by.Tool)
	a.server.Approvals = append(a.server.Approvals, by)
}
