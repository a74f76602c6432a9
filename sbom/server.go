package sbom

// Server is what an MCP client's configuration says of one server, or what a
// script of the project launches in the same way. It holds no argument, no header
// value and no environment value.
type Server struct {
	File        string // path of the configuration, or of the script
	Name        string // as configured; of a script what it is called in its file
	Script      bool   // it is no server, but a launch by a script
	Image       bool   `json:",omitempty"` // no script either, but an image that the project builds on, or that its pipeline runs in
	Client      string // "claude-desktop", "claude-code", "cursor", "vscode", …; of a script the kind of its file: "dockerfile", …
	Transport   string // "stdio", "http", "sse", "ws"
	Launcher    string // "npx", "npm exec", "docker run", …; empty for remotes
	Kind        Kind   // of the outermost launch
	Spec        string // of the outermost launch, as written, redacted
	Pin         Pin    // of the outermost launch
	Disabled    bool
	Env         []string   // names of environment variables that it is given, sorted
	Credentials []string   // what it is given that is a credential by its name: "API_KEY", "header Authorization", "--token"; sorted
	AutoApprove []string   // names of tools that run without asking, as configured
	Approvals   []Approval `json:",omitempty"` // the settings that say so, of each tool once
	Reason      string     // why Kind is unknown or shell-script; empty otherwise
	Launches    []Launch   // the outermost first, then what is nested in it
	Command     string     // SHA-256 in hex of how its client starts it, credentials left out; empty where no client does
	Risks       []Risk     // in file order
	Line        int        // of the server's name in File
	Column      int
}

// Approval is a setting by which a client does not ask.
type Approval struct {
	Tool    string // that runs without asking, as in AutoApprove; empty where it is the server that starts without asking
	Setting string // the member that says so
	File    string // path of the file that holds it; empty for Server.File
	Line    int
	Column  int
}

// Launch is one thing that a server would run or speak to.
type Launch struct {
	Ref      string // of the component or service; filled by the builder
	Kind     Kind
	Launcher string `json:",omitempty"` // "npx", "docker run", …; empty where none is named
	Spec     string // as written, redacted
	Pin      Pin
	Request  string // what the spec asks of a registry: "", "latest", "^1.2.0", "1.2.3"
	Steered  string `json:",omitempty"` // what lets the spec select otherwise than a registry's answer tells: "the option --before"; empty where nothing does
	Nested   bool
	Line     int // of the text in Server.File that holds the spec; 0 where nobody knows
	Column   int // from 1, in bytes
}

// Kind is what a launch command runs.
type Kind string

// The kinds of DESIGN.md, section 3.
const (
	KindNPM           Kind = "npm"
	KindPyPI          Kind = "pypi"
	KindOCI           Kind = "oci"
	KindGit           Kind = "git"
	KindNuGet         Kind = "nuget"
	KindGo            Kind = "go"
	KindCargo         Kind = "cargo"
	KindMCPB          Kind = "mcpb"
	KindRemote        Kind = "remote"
	KindLocal         Kind = "local"
	KindBinary        Kind = "binary"
	KindBuiltin       Kind = "builtin"
	KindContainerExec Kind = "container-exec"
	KindShellScript   Kind = "shell-script"
	KindUnknown       Kind = "unknown"
)

// Pin says how firmly a spec names what will run.
type Pin string

// The pins of DESIGN.md, section 3.
const (
	PinExact       Pin = "exact"
	PinRange       Pin = "range"
	PinDistTag     Pin = "dist-tag"
	PinUnversioned Pin = "unversioned"
	PinDigest      Pin = "digest"
	PinTag         Pin = "tag"
	PinGitCommit   Pin = "git-commit"
	PinGitRef      Pin = "git-ref"
	PinGitUnpinned Pin = "git-unpinned"
	PinLockfile    Pin = "lockfile"
	PinInstalled   Pin = "installed"
	PinUnknown     Pin = "unknown"
	PinNA          Pin = "n/a"
)

// Floating reports whether what runs can change while the configuration stays.
func (p Pin) Floating() bool {
	switch p {
	case PinRange, PinDistTag, PinUnversioned, PinTag, PinGitRef, PinGitUnpinned:
		return true
	default:
		return false
	}
}

// RiskCode names something dangerous in how a server is configured.
type RiskCode string

// The risks that a reader of configurations notices.
const (
	RiskSecret         RiskCode = "secret"          // a literal credential stands in the file
	RiskInsecureRemote RiskCode = "insecure-remote" // plain http to another machine, or a flag that allows it
	RiskDownload       RiskCode = "download"        // a script is fetched and run at once, as in curl | sh
	RiskRegistry       RiskCode = "registry"        // the launch itself chooses where packages come from
	RiskAltered        RiskCode = "altered-launch"  // an option or variable changes what the launcher runs
	RiskPrivileged     RiskCode = "privileged"      // it is started with rights over the machine, which What names
	RiskEngine         RiskCode = "engine-socket"   // the container engine is handed into a container, and with it the machine
)

// Risk is a dangerous detail of a server's configuration. It says where, never
// what: the value stays in the file.
type Risk struct {
	Code   RiskCode
	Where  string // `env "API_KEY"`, "argument 3", `header "Authorization"`, "url"
	Line   int
	Column int
	URL    string // of RiskRegistry: the registry, redacted
	What   string // of RiskPrivileged: in our words, such as "shares the machine's network"
}
