package sbom

import "slices"

// Inventory is what was found below one PATH, or several. Everything in it is
// sorted, so that two inventories of the same input are deeply equal.
type Inventory struct {
	Root       *Component          // the project itself; never nil
	Components []*Component        // all but Root, by Ref
	Services   []*Service          // remote servers, by Ref
	Edges      map[string][]string // ref → the refs that it depends on, sorted; no entry where there are none
	Inputs     []*Input            // every recognised file, by path

	// Installed says that packages were read where they are installed, and not only
	// from lockfiles: metadata.lifecycles has post-build in place of pre-build.
	Installed bool

	Omissions map[string]Omission `json:"-"` // by ref: which sets of kinds Omit takes for it
}

// Component returns the component with that ref, the root included, or nil.
func (inv *Inventory) Component(ref string) *Component {
	if inv.Root != nil && inv.Root.Ref == ref {
		return inv.Root
	}
	for _, c := range inv.Components {
		if c.Ref == ref {
			return c
		}
	}
	return nil
}

// Servers are the configured servers, in the order of the components.
func (inv *Inventory) Servers() []*Component {
	return slices.DeleteFunc(slices.Clone(inv.Components), func(c *Component) bool { return c.Server == nil })
}

// Incomplete reports whether some input could not be read in full.
func (inv *Inventory) Incomplete() bool {
	for _, in := range inv.Inputs {
		if in.Broken() {
			return true
		}
	}
	return false
}

// Type is a CycloneDX component type.
type Type string

// The component types that an inventory holds.
const (
	Application Type = "application" // the root, workspace members, configured servers
	Library     Type = "library"     // packages
	Container   Type = "container"   // images
	FileType    Type = "file"        // MCP configuration files
)

// Ecosystem names where a package comes from, in the words of package URLs
// (https://github.com/package-url/purl-spec, purl types).
type Ecosystem string

// The ecosystems whose packages can be launched or locked.
const (
	NPM    Ecosystem = "npm"
	PyPI   Ecosystem = "pypi"
	OCI    Ecosystem = "oci"
	NuGet  Ecosystem = "nuget"
	Golang Ecosystem = "golang"
	Cargo  Ecosystem = "cargo"
)

// Scope is a CycloneDX component scope.
type Scope string

// A component is excluded where every instance is development-only, else
// optional where every instance is optional, else required.
const (
	Required Scope = "required"
	Optional Scope = "optional"
	Excluded Scope = "excluded"
)

// Source says by which way the bytes of a package arrive.
type Source string

// The zero Source means that nothing recorded one.
const (
	FromRegistry Source = "registry" // a registry's tarball
	FromGit      Source = "git"      // a commit of a repository
	FromTarball  Source = "tarball"  // a URL that is no registry's
	FromFile     Source = "file"     // a local tarball or folder
	FromLink     Source = "link"     // a symbolic link to a folder
	FromParent   Source = "bundled"  // inside the tarball of another package
	FromProject  Source = "project"  // the root, or a workspace member: the user's own code
)

// Coverage says how much is known of what a component depends on. The zero
// value claims nothing.
type Coverage string

// The words are those of CycloneDX's compositions[].aggregate.
const (
	UnknownCoverage    Coverage = ""
	CompleteCoverage   Coverage = "complete"
	IncompleteCoverage Coverage = "incomplete"
)

// Component is one name and version of an ecosystem with all its installed
// copies, or a configuration file, or a configured server, or the project.
type Component struct {
	Ref       string // bom-ref: the purl where there is one, unique in the inventory
	Type      Type
	Ecosystem Ecosystem // empty for the project without a package, files, and servers
	Name      string    // as the ecosystem writes it, an npm scope included
	Version   string    // empty where nothing pins it
	PURL      string    // canonical; empty for what has none
	Scope     Scope

	Source   Source
	Hashes   []Hash // of the distribution (an npm tarball), as the lockfile has them
	Resolved string // redacted URL of the distribution; empty where none was recorded
	// Distribution is what that URL says, read before anything in it was redacted.
	Distribution Distribution
	Repository   string   // the source repository that the package itself declares, redacted; vouches for nothing
	License      string   // as declared
	Coverage     Coverage // of Edges[Ref]

	Patches []Patch // what the package manager changes in it before it is used

	Origin      Origin // who asks for it
	Bundled     bool   // every instance is inside another package's tarball
	Development bool   // every instance is development-only
	Private     bool   // marked as never to be published
	Extraneous  bool   // installed, but nothing reachable from the root asks for it
	Answered    bool   `json:",omitempty"` // no file has it: a registry answered so when it was asked what a launch would fetch

	// Conflict is the ref of the component of the same purl that differs from
	// this one in integrity or source; empty where there is none.
	Conflict string

	Occurrences []Occurrence // where it was found, sorted
	Properties  []Property   // further facts of the reader, sorted by name, then value
	Server      *Server      // set for configured MCP servers only
}

// Distribution is what the URL of a distribution says to the package manager that
// would fetch it. Two that differ are never the same bytes.
type Distribution struct {
	Host    string // scheme://host[:port] that would be contacted; empty where nobody recorded one, and for git
	Name    string // the package that the path names; empty where it has none of the forms that registries use
	Version string // of that package
	Doubt   string // why the URL can be read as two different ones; empty where it cannot
}

// Origin is the set of those who ask for a component.
type Origin uint8

// A component may have several origins.
const (
	OriginMCP        Origin = 1 << iota // an MCP server launches it
	OriginDirect                        // the root, a workspace member or a nested project depends on it
	OriginTransitive                    // another package depends on it
	OriginScript                        // a script of the project launches it
)

// Has reports whether o holds all of x.
func (o Origin) Has(x Origin) bool { return o&x == x && x != 0 }

// String returns the strictest of the set: "mcp", "script", "direct", "transitive", or ""
// for what nobody asks for (the project's own parts, extraneous packages).
func (o Origin) String() string {
	switch {
	case o.Has(OriginMCP):
		return "mcp"
	case o.Has(OriginScript):
		return "script"
	case o.Has(OriginDirect):
		return "direct"
	case o.Has(OriginTransitive):
		return "transitive"
	default:
		return ""
	}
}

// Patch is a change that a package manager makes to a package.
type Patch struct {
	Path string // of the file, slash-separated, relative to the scanned PATH; empty where nothing says which
}

// Hash is a digest in lower-case hex.
type Hash struct {
	Algorithm string // "sha1", "sha256", "sha384", "sha512"
	Value     string
}

// Occurrence is one place where a component was found.
type Occurrence struct {
	Path    string // of the file, slash-separated, relative to the scanned PATH
	Line    int    // from 1; 0 where lines mean nothing
	Column  int    // from 1, in bytes; 0 where unknown
	Install string // install path of an npm package, such as node_modules/a/node_modules/b
}

// Property is a name with a value, for CycloneDX's properties.
type Property struct {
	Name, Value string
}

// Service is a remote MCP server.
type Service struct {
	Ref         string
	Name        string
	Endpoint    string // redacted URL; empty where it is no valid IRI (a template)
	URL         string // redacted, as written, where Endpoint is empty
	Occurrences []Occurrence
}

// Input is one file that was recognised, whether or not it could be read.
type Input struct {
	Path       string // slash-separated, relative to the scanned PATH
	Kind       string // "package-lock.json", "claude-desktop", …: what it was recognised as
	SHA256     string // of its bytes, or of what was read in a folder, hex; empty where nothing could be read
	Components int    // how many components occur in it
	NoPeers    bool   `json:",omitempty"` // it does not tell which packages are only there for a peer
	Problems   []Problem
}

// Broken reports whether the input holds a problem that leaves the inventory
// with a hole.
func (in *Input) Broken() bool {
	for _, p := range in.Problems {
		if p.Code != Warning {
			return true
		}
	}
	return false
}

// ProblemCode says what a problem means for the verdict.
type ProblemCode string

// Every code but Warning leaves the answer unknown.
const (
	Invalid     ProblemCode = "invalid"     // it is not what its name promises, or a limit was reached
	Unsupported ProblemCode = "unsupported" // recognised, but not read by this version
	NoLockfile  ProblemCode = "no-lockfile" // a manifest with dependencies that no lockfile pins
	Unresolved  ProblemCode = "unresolved"  // a registry was asked what a launch would fetch, and not all of it is known
	Warning     ProblemCode = "warning"     // odd, but read in full
)

// Problem is something that is wrong with an input.
type Problem struct {
	Code    ProblemCode
	Line    int    // from 1; 0 where unknown
	Column  int    // from 1, in bytes; 0 where unknown
	Message string // lower-case, without the path; may quote the file, so it is not safe to print as it is
	Hint    string // what to do next
}
