package lock

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/mcp"
)

// FileName is the name of a lock, which stands beside the configurations that it
// is about.
const FileName = mcp.LockName

// FormatVersion is the version of the format that is written, and the only one
// that is read.
const FormatVersion = 1

// Lock is one file.
type Lock struct {
	Version int `json:"lockVersion"`
	// Configurations are those of the lock's folder, by their names in it.
	Configurations map[string]Configuration `json:"configurations"`

	// Path is where the lock stands in the inventory; it is not written.
	Path string `json:"-"`
	// lines say where the servers stand in the file.
	lines map[serverKey]int
}

type serverKey struct{ configuration, server string }

// Configuration is what one file configures.
type Configuration struct {
	// Servers are by their names; the second one of a name has ~2 behind it.
	Servers map[string]*Server `json:"servers"`
}

// Server is one configured server as it was locked.
type Server struct {
	Transport string    `json:"transport,omitempty"`
	Launcher  string    `json:"launcher,omitempty"`
	Command   string    `json:"command,omitempty"` // sha256:…, see sbom.Server.Command
	Env       []string  `json:"env,omitempty"`     // names, sorted
	Launches  []Launch  `json:"launches"`          // the outermost first
	Approved  *Approval `json:"approved,omitempty"`
}

// Approval is who says to have looked at a server, and when.
type Approval struct {
	By string `json:"by"`
	At string `json:"at"` // RFC 3339, in UTC
}

// Launch is one thing that a server would run or speak to. The first part is what
// the configuration says, [Known] what was found out.
type Launch struct {
	Kind   sbom.Kind `json:"kind"`
	Spec   string    `json:"spec,omitempty"` // as written, redacted
	Pin    sbom.Pin  `json:"pin,omitempty"`
	Nested bool      `json:"nested,omitempty"`
	Name   string    `json:"name,omitempty"` // of the package or image, as its ecosystem writes it
	Host   string    `json:"host,omitempty"` // of a remote server's URL, with its scheme
	Known
}

// Known is what was found out about a launch beyond its configuration. What is
// empty is not known.
type Known struct {
	Version   string `json:"version,omitempty"`   // that the spec selects
	Integrity string `json:"integrity,omitempty"` // sha512-… of the package's distribution, in the form of npm (Subresource Integrity)
	Digest    string `json:"digest,omitempty"`    // sha256:… of the image
	// Files are the digests, sha256:…, of the files of a Python release, by their names.
	Files map[string]string `json:"files,omitempty"`
	// RequiresPython is the range of Python versions for which that version is the one:
	// on a machine with another, an older one may be installed.
	RequiresPython string `json:"requiresPython,omitempty"`
	Commit         string `json:"commit,omitempty"` // of the repository
	// Source is where the policy or the catalogue expects it to come from. In the
	// lock it is a record, and no expectation.
	Source   *Source  `json:"source,omitempty"`
	Attested *bool    `json:"attested,omitempty"` // whether there was a provenance that holds
	Closure  *Closure `json:"closure,omitempty"`
	// Vendored is the folder of the project, .mcp/NAME, from whose lockfile node
	// starts the package; the closure is that lockfile's.
	Vendored string `json:"vendored,omitempty"`
}

// Source is an expected source.
type Source struct {
	Repository string `json:"repository"`
	From       string `json:"from"` // "policy" or "catalog"
}

// Closure is everything that would be installed with a package.
type Closure struct {
	// Packages are the integrities of its dependencies, by name@version; empty
	// where nothing records one.
	Packages map[string]string `json:"packages"`
}

// Write writes the lock, in UTF-8 with a line break at its end. The same lock
// gives the same bytes.
func (l *Lock) Write(w io.Writer) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(l); err != nil {
		return err
	}
	_, err := w.Write(buf.Bytes())
	return err
}

// Folder is the lock's folder in the inventory: "" for the scanned folder itself,
// else ending in a slash.
func (l *Lock) Folder() string { return folder(l.Path) }

// Line returns the line in which a server stands in the file as it was read, 0
// where nobody knows.
func (l *Lock) Line(configuration, server string) int {
	return l.lines[serverKey{configuration, server}]
}

// Find returns the server of that ref in one of the locks, nil where none has it.
func Find(locks []*Lock, ref string) *Server {
	for _, l := range locks {
		for configuration, c := range l.Configurations {
			if name, ok := strings.CutPrefix(ref, "mcp:"+l.Folder()+configuration+"#"); ok && c.Servers[name] != nil {
				return c.Servers[name]
			}
		}
	}
	return nil
}

// Launches yields every launch of the lock, in no particular order.
func (l *Lock) Launches() iter.Seq[*Launch] {
	return func(yield func(*Launch) bool) {
		for _, c := range l.Configurations {
			for _, s := range c.Servers {
				for i := range s.Launches {
					if !yield(&s.Launches[i]) {
						return
					}
				}
			}
		}
	}
}

// Approve records who approves servers, and when: those of the names, each NAME or
// FILE#NAME, or, without names, all that nobody approved. It returns the names of
// which no server is.
func Approve(locks []*Lock, a Approval, names []string) (unknown []string) {
	used := map[string]bool{}
	for _, l := range locks {
		l.approve(a, func(configuration, server string, s *Server) bool {
			chosen := len(names) == 0 && s.Approved == nil // who looked at it before stays named
			for _, name := range names {
				if name == server || name == l.Folder()+configuration+"#"+server {
					chosen, used[name] = true, true
				}
			}
			return chosen
		})
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return used[name] })
}

// approve records who approves every server that is chosen, and when.
func (l *Lock) approve(a Approval, chosen func(configuration, name string, s *Server) bool) {
	for configuration, c := range l.Configurations {
		for name, s := range c.Servers {
			if chosen(configuration, name, s) {
				s.Approved = &a
			}
		}
	}
}

// approvals reports whether anybody approved anything in it.
func (l *Lock) approvals() bool {
	for _, c := range l.Configurations {
		for _, s := range c.Servers {
			if s.Approved != nil {
				return true
			}
		}
	}
	return false
}

// folder returns the part of a path up to its last slash.
func folder(name string) string {
	dir, _ := path.Split(name)
	return dir
}

// Make returns the locks of an inventory, by path: one for each folder that holds
// a configuration with servers. known says what was found out about a launch.
func Make(inv *sbom.Inventory, known func(server *sbom.Component, l sbom.Launch) Known) []*Lock {
	byPath := map[string]*Lock{}
	byRef := refs(inv)
	folders := vendoredIn(inv)
	for _, e := range configured(inv, byRef) {
		at := folder(e.file) + FileName
		l := byPath[at]
		if l == nil {
			l = &Lock{Version: FormatVersion, Path: at, Configurations: map[string]Configuration{}}
			byPath[at] = l
		}
		name := path.Base(e.file)
		if l.Configurations[name].Servers == nil {
			l.Configurations[name] = Configuration{Servers: map[string]*Server{}}
		}
		l.Configurations[name].Servers[e.name] = lockServer(byRef, e.server, func(s *sbom.Component, l sbom.Launch) Known {
			out := known(s, l)
			folders.know(e.file, l, &out)
			return out
		})
	}
	out := make([]*Lock, 0, len(byPath))
	for _, l := range byPath {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *Lock) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// entry is a configured server with where it stands.
type entry struct {
	file   string // the configuration, as the inventory names it
	name   string // in it: the end of the server's ref
	server *sbom.Component
}

func refs(inv *sbom.Inventory) map[string]*sbom.Component {
	byRef := make(map[string]*sbom.Component, len(inv.Components))
	for _, c := range inv.Components {
		byRef[c.Ref] = c
	}
	return byRef
}

// configured lists the servers by their configuration. A server's ref says which
// that is; the file in which it stands may be another one, that the configuration
// names.
func configured(inv *sbom.Inventory, byRef map[string]*sbom.Component) []entry {
	var out []entry
	for _, c := range inv.Components {
		if c.Type != sbom.FileType {
			continue
		}
		for _, ref := range inv.Edges[c.Ref] {
			name, ok := strings.CutPrefix(ref, c.Ref+"#")
			if s := byRef[ref]; ok && s != nil && s.Server != nil {
				out = append(out, entry{c.Name, name, s})
			}
		}
	}
	return out
}

func lockServer(byRef map[string]*sbom.Component, c *sbom.Component, known func(*sbom.Component, sbom.Launch) Known) *Server {
	s := &Server{Transport: c.Server.Transport, Launcher: c.Server.Launcher, Env: c.Server.Env, Launches: []Launch{}}
	if c.Server.Command != "" {
		s.Command = "sha256:" + c.Server.Command
	}
	for _, l := range c.Server.Launches {
		s.Launches = append(s.Launches, lockLaunch(byRef[l.Ref], l, known(c, l)))
	}
	return s
}

func lockLaunch(c *sbom.Component, l sbom.Launch, known Known) Launch {
	out := Launch{Kind: l.Kind, Spec: l.Spec, Pin: l.Pin, Nested: l.Nested, Known: known}
	if l.Kind == sbom.KindRemote {
		out.Host = host(l.Spec)
	}
	if c == nil {
		return out
	}
	out.Name = c.Name
	if c.Version == "" {
		return out
	}
	switch l.Kind {
	case sbom.KindOCI:
		out.Digest = c.Version
	case sbom.KindGit:
		out.Commit = c.Version
	default:
		out.Version = c.Version
		if sri := Integrity(c.Hashes); sri != "" {
			out.Integrity = sri
		}
	}
	return out
}

// host is the scheme and authority of a redacted URL, lower-case.
func host(spec string) string {
	scheme, rest, ok := strings.Cut(spec, "://")
	if !ok {
		scheme, rest = "", spec
	}
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		rest = rest[:i]
	}
	if scheme == "" || rest == "" {
		return strings.ToLower(rest)
	}
	return strings.ToLower(scheme + "://" + rest)
}

// Missing names what a lock should say of a launch and does not, because nobody
// could find it out: "version", "bytes", "digest", "commit". It is empty for what
// has none of these: a local file, a program, a remote server.
func (l *Launch) Missing() []string {
	var out []string
	lacks := func(what, value string) {
		if value == "" {
			out = append(out, what)
		}
	}
	switch l.Kind {
	case sbom.KindOCI:
		lacks("digest", l.Digest)
	case sbom.KindGit:
		lacks("commit", l.Commit)
	case sbom.KindNPM:
		if l.copied() {
			break
		}
		lacks("version", l.Version)
		lacks("bytes", l.Integrity)
	case sbom.KindPyPI, sbom.KindNuGet, sbom.KindGo, sbom.KindCargo:
		lacks("version", l.Version)
	default:
	}
	return out
}

// Silence is what a lock does not say of a server's launch, and should.
type Silence struct {
	Server *sbom.Component
	Spec   string
	What   []string // as [Launch.Missing] names it, or "closure"; may be empty
	// Dependencies says that nobody resolves what comes with it, which is a remark.
	Dependencies bool
	// Known says that today's lock does hold it, which only has to be written.
	Known bool
}

// Silences lists what locks do not say of the servers of an inventory. today are
// the locks as they would be written now. incomplete reports whether what comes with
// a server's spec had to be found out, and was not.
func Silences(inv *sbom.Inventory, locks, today []*Lock, incomplete func(server *sbom.Component, spec string) bool) []Silence {
	var out []Silence
	for _, c := range inv.Servers() {
		server, now := Find(locks, c.Ref), Find(today, c.Ref)
		if server == nil {
			continue
		}
		for i := range server.Launches {
			l := &server.Launches[i]
			s := Silence{Server: c, Spec: l.Spec, What: l.Missing(), Dependencies: l.Kind == sbom.KindPyPI && l.Version != ""}
			if len(s.What) == 0 && l.Closure == nil && incomplete(c, l.Spec) {
				s.What = []string{"closure"}
			}
			s.Known = now != nil && i < len(now.Launches) && len(now.Launches[i].Missing()) == 0 && now.Launches[i].Closure != nil
			if len(s.What) > 0 || s.Dependencies {
				out = append(out, s)
			}
		}
	}
	return out
}

// copied reports whether an npm package is known only by the path of a copy that is
// installed on the machine, a/node_modules/NAME/file.js: as with any local program,
// no registry can be asked what it is, and the path is all that a lock says.
func (l *Launch) copied() bool {
	return l.Kind == sbom.KindNPM && l.Version == "" && (l.Pin == sbom.PinInstalled || l.Pin == sbom.PinUnknown) &&
		strings.Contains(strings.ReplaceAll(l.Spec, `\`, "/"), "node_modules/")
}
