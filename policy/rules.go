package policy

import (
	"cmp"
	"slices"

	"countermark/sbom"
)

// Target says what a rule judges.
type Target string

// The targets. Only packages have origins and scopes that "for" can select.
const (
	Packages   Target = "packages"
	Servers    Target = "servers"
	Files      Target = "files"
	PolicyFile Target = "the policy file"
)

// Level is a severity in each profile.
type Level struct {
	Baseline, Strict Severity
}

func (l Level) in(p Profile) Severity {
	if p == Strict {
		return l.Strict
	}
	return l.Baseline
}

// The levels of the profiles' table, by their letters: error, warn, info, off.
var (
	ee = Level{Error, Error}
	we = Level{Warn, Error}
	iw = Level{Info, Warn}
	ii = Level{Info, Info}
	ow = Level{Off, Warn}
)

// Levels are a rule's severities by who asks for the package. Servers, and what
// scripts launch like servers, are judged by MCP, files by Direct, and so are the
// images that the project builds on.
type Levels struct {
	MCP, Direct, Transitive Level
	Cases                   map[Case]Level // instead of the above, for particular findings
}

// Case names findings that a rule judges differently from its others.
type Case string

// The cases.
const (
	CaseGit      Case = "git dependency"
	CaseDownload Case = "downloaded script" // fetched and run at once
	CaseAltered  Case = "altered launch"    // an option or variable makes the launcher run something else
	CaseEngine   Case = "engine socket"     // the container engine's socket is handed in
	CaseRemoved  Case = "removed server"    // what is in the lock is configured no more
	CaseFetched  Case = "fetched by script" // the same by a script of the project, where people work and no agent
	CaseImage    Case = "base image"        // a build starts from it, or a pipeline runs in it
)

func everywhere(l Level) Levels { return Levels{MCP: l, Direct: l, Transitive: l} }

func (l Levels) of(origin sbom.Origin, c Case) Level {
	if level, ok := l.Cases[c]; ok {
		return level
	}
	switch origin {
	case sbom.OriginMCP, sbom.OriginScript:
		return l.MCP
	case sbom.OriginTransitive:
		return l.Transitive
	default:
		return l.Direct
	}
}

// Rule is one thing that can be wrong. Its name never changes its meaning.
type Rule struct {
	Name    string
	Summary string // one lower-case sentence: what is found
	Help    string // why it matters
	Fix     string // what to do, where a finding knows nothing better
	Target  Target
	Levels  Levels

	// LeavesUnknown marks a rule whose findings say that something is not known:
	// at severity error they make the verdict unknown instead of fail.
	LeavesUnknown bool

	hasMinimum bool                     // it takes the parameter "minimum"
	pending    string                   // why it is not evaluated, or only in part; empty where it is
	missing    func(*evaluation) string // why nothing of it can be evaluated; empty where it can
	partly     func(*evaluation) string // why it is evaluated in part only; empty where it is in full
	find       func(*evaluation, *Rule, func(hit))
}

// Rules returns every rule that a policy can name, sorted by name; those that
// this version does not evaluate are among them.
func Rules() []Rule {
	out := slices.Clone(rules)
	slices.SortFunc(out, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func ruleNamed(name string) *Rule {
	for i := range rules {
		if rules[i].Name == name {
			return &rules[i]
		}
	}
	return nil
}

func ruleNames() []string {
	names := make([]string, len(rules))
	for i := range rules {
		names[i] = rules[i].Name
	}
	slices.Sort(names)
	return names
}

const (
	needsCode     = "the code inside packages is not inspected by this version"
	needsAccounts = "neither the policy nor the catalogue can say yet which account should publish a package"
)

// rules is the one table: to add a rule is to add a line here, and a function.
var rules = []Rule{
	{
		Name: "malicious", Target: Packages, Levels: everywhere(ee), find: findMalicious, missing: withoutAdvisories,
		Summary: "a version that is known to be malicious, or a spec that could select one",
		Help:    "The package was reported as malicious in an advisory feed. A floating spec counts too: what it selects is decided by the registry at the moment of the launch.",
		Fix:     "remove the package, and treat every credential that it could reach as stolen",
	},
	{
		Name: "source-unvouched", Target: Packages, Levels: Levels{MCP: ee, Direct: iw, Transitive: iw}, find: findUnvouched,
		Summary: "nobody but the package itself says where it should come from",
		Help:    "A package's own repository field proves nothing, since its publisher writes it. Only a policy or the catalogue can say which source is the right one.",
		Fix:     "find out who should publish it, and name the repository under sources in " + FileName,
	},
	{
		Name: "source-mismatch", Target: Packages, Levels: everywhere(ee), find: findMismatch,
		Summary: "the provenance is genuine, but from another source than expected",
		Help:    "The package was provably built somewhere else than the policy or the catalogue says: in a fork, by another workflow or from another ref.",
		Fix:     "do not run it; compare its source with the expected one, and correct sources in " + FileName + " only if the project has really moved",
	},
	{
		Name: "impersonation", Target: Packages, Levels: Levels{MCP: ee, Direct: we, Transitive: we}, find: findImpersonation, missing: withoutCatalog,
		Summary: "the name is that of a well-known server or vendor, the source is not",
		Help:    "Whoever publishes first under a vendor's name gets its users. The name is the same as, or nearly that of, an entry of the catalogue of official sources, and nothing proves that it comes from there.",
		Fix:     "use the official source; if this package is legitimate, name its repository under sources in " + FileName,
	},
	{
		Name: "version-floating", Target: Packages, find: findFloating,
		Levels:  Levels{MCP: ee, Direct: ee, Transitive: ee, Cases: map[Case]Level{CaseImage: we}},
		Summary: "what runs can change while the configuration stays the same",
		Help:    "Without an exact version or digest the registry decides at each start what runs, and no lockfile remembers it. An image that a build starts from, or that a pipeline runs in, is a dependency of the project and no server: nearly all of them are named by a tag, so that they are a warning of the baseline, and an error of strict.",
		Fix:     "name an exact version, or the digest of the image",
	},
	{
		Name: "launch-opaque", Target: Servers, find: findOpaque,
		Levels:  Levels{MCP: we, Cases: map[Case]Level{CaseDownload: ee, CaseAltered: ee}},
		Summary: "the command of a server cannot be analysed",
		Help:    "What the command starts cannot be told without running it, so nothing about it is checked.",
		Fix:     "start the server with one plain command, such as npx with an exact version",
	},
	{
		Name: "integrity-missing", Target: Packages, find: findNoIntegrity,
		Levels:  Levels{MCP: we, Direct: ee, Transitive: ee, Cases: map[Case]Level{CaseGit: we}},
		Summary: "nothing records which bytes the package has",
		Help:    "Without a hash the same version can be other bytes tomorrow, and nobody would notice.",
		Fix:     "create the lockfile again with a current package manager, so that it records the integrity",
	},
	{
		Name: "integrity-mismatch", Target: Packages, Levels: everywhere(ee), find: findConflict,
		Summary: "the same version is recorded with different bytes or from different sources",
		Help:    "One name and version can only be one tarball. Two hashes mean that a lockfile was edited, or that a registry served something else.",
		Fix:     "compare both places with the registry's own hash, and create the wrong lockfile again",
	},
	{
		Name: "resolved-name-mismatch", Target: Packages, Levels: everywhere(ee), find: findOtherName,
		Summary: "the lockfile's URL is that of another package",
		Help:    "The package manager installs what the URL serves, whatever the name beside it. A reviewer reads the name.",
		Fix:     "restore the entry from a lockfile that you trust, or create the lockfile again",
	},
	{
		Name: "registry-untrusted", Target: Packages, Levels: everywhere(ee), find: findRegistry,
		Summary: "the package comes from a registry that nobody trusts",
		Help:    "A lockfile can name any host. Only registries of the policy and of the user's own configuration are trusted, never those of a configuration inside the project.",
		Fix:     "create the lockfile again with a trusted registry, or add the registry to registries in " + FileName,
	},
	{
		Name: "npmrc-unsafe", Target: Files, Levels: everywhere(ee), find: findConfigIssues,
		Summary: "a configuration inside the project tries what only the user's own may do",
		Help:    "A project's configuration may name registries and scopes. One that reads the environment or changes proxies, certificates or TLS can send credentials to a stranger.",
		Fix:     "remove the setting from the project; it belongs into the user's own configuration",
	},
	{
		Name: "provenance-missing", Target: Packages, Levels: Levels{MCP: we, Direct: iw, Transitive: ii}, find: findState,
		Summary: "the registry says that there is no provenance",
		Help:    "Nothing proves from which source the package was built.",
		Fix:     "ask the project to publish with provenance, or build it from source",
	},
	{
		Name: "provenance-invalid", Target: Packages, Levels: everywhere(ee), find: findState,
		Summary: "something that is signed, logged or hashed does not hold",
		Help:    "An attestation that does not verify is worse than none: somebody changed the package, the attestation, or its copy.",
		Fix:     "do not run it; fetch the package and its attestations again, and report it to the registry if they stay the same",
	},
	{
		Name: "provenance-unavailable", Target: Packages, Levels: Levels{MCP: we, Direct: iw, Transitive: ii}, LeavesUnknown: true, find: findState,
		Summary: "the provenance could not be fetched, or this registry carries none",
		Help:    "It is not known whether there is provenance. A mirror that drops attestations looks like this, too.",
		Fix:     "run again with network access, or put the attestations beside the policy and name them under attestations",
	},
	{
		Name: "provenance-unsupported", Target: Packages, Levels: Levels{MCP: we, Direct: iw, Transitive: ii}, find: findUnsupported,
		Summary: "nothing of this kind can be proven yet",
		Help:    "A local path, a bare binary, a git dependency or a floating spec names nothing for which an attestation could exist.",
		Fix:     "use a published package with an exact version where there is one",
	},
	{
		Name: "provenance-lost", Target: Packages, Levels: Levels{MCP: ee, Direct: ee, Transitive: we}, find: findState, partly: withoutRegistry,
		Summary: "an earlier version had provenance, this one has none",
		Help:    "The strongest single sign of a stolen publishing token.",
		Fix:     "stay on the last version with provenance until the project explains it",
	},
	{
		Name: "secret-in-config", Target: Servers, Levels: Levels{MCP: ee}, find: findSecrets,
		Summary: "a literal credential stands in a configuration",
		Help:    "Configurations are committed, copied and shown on screens. Every server that the same client starts can read them.",
		Fix:     "replace it by a reference to the environment or a secret store, and revoke the credential",
	},
	{
		Name: "remote-insecure", Target: Servers, Levels: Levels{MCP: ee}, find: findInsecure,
		Summary: "a remote server is spoken to without encryption",
		Help:    "Whoever is between can read the conversation, and answer in the server's name.",
		Fix:     "use the server's https URL, and remove the option that allows http",
	},
	{
		Name: "lockfile-missing", Target: Files, Levels: everywhere(ee), LeavesUnknown: true, find: findNoLockfile,
		Summary: "a manifest has dependencies that no lockfile pins",
		Help:    "What would be installed is not known, so nothing of it can be judged.",
		Fix:     "create the lockfile with the package manager, and commit it",
	},
	{
		Name: "input-invalid", Target: Files, Levels: everywhere(ee), LeavesUnknown: true, find: findInvalidInput,
		Summary: "a file cannot be read, or what is installed is not what the lockfile says",
		Help:    "What it holds is not known, so the answer would be about less than the project.",
		Fix:     "repair the file, or exclude it in " + FileName,
	},
	{
		Name: "exception-expired", Target: PolicyFile, Levels: everywhere(ee), find: findExpired,
		Summary: "an exception of the policy has expired",
		Help:    "It covers nothing any more. That it fails even without a finding keeps old exceptions from gathering.",
		Fix:     "solve what it excused and remove it, or decide again and set a new date",
	},
	{
		Name: "exception-unused", Target: PolicyFile, Levels: everywhere(we), find: findUnused,
		Summary: "an exception of the policy covers nothing",
		Help:    "It would silently excuse a finding that comes later.",
		Fix:     "remove it",
	},

	{
		Name: "signature-invalid", Target: Packages, Levels: everywhere(ee), find: findSignature, partly: withoutKeys,
		Summary: "the registry's signature of the package does not hold",
		Help:    "The registry signs name, version and hash. A signature that is missing or does not verify means other bytes, or another registry. Only keys that are pinned for the registry count: those of the public one are built in, others come with --npm-keys.",
		Fix:     "install it again from the registry itself, and compare the hash",
	},
	{
		Name: "hidden-recipient", Target: Packages, Levels: Levels{MCP: ee, Direct: we, Transitive: we}, pending: needsCode,
		Summary: "the code sends copies to an address or host of its own",
		Help:    "One added line that sends a blind copy was the first known attack by an MCP server.",
		Fix:     "remove the package, and treat what it handled as read by others",
	},
	{
		Name: "registry-unknown-package", Target: Packages, Levels: Levels{MCP: ee, Direct: we, Transitive: we}, find: findUnknownPackage, partly: withoutRegistryNames,
		Summary: "the registry has no package of that name",
		Help:    "Whoever publishes it first runs code on every machine that is configured so.",
		Fix:     "correct the name, or remove the entry",
	},
	{
		Name: "publisher-unexpected", Target: Packages, Levels: Levels{MCP: ee, Direct: we, Transitive: we}, pending: needsAccounts,
		Summary: "the publisher is not the one that is expected",
		Help:    "The account that publishes is part of a package's identity.",
		Fix:     "ask the project whether the account is theirs",
	},
	{
		Name: "publisher-changed", Target: Packages, Levels: Levels{MCP: ee, Direct: we, Transitive: we}, find: findPublisher, partly: withoutRegistry,
		Summary: "another account publishes, or another source is built, than before",
		Help:    "A package that changes hands changes whom it serves. Found are an account that published none of the earlier versions, an account in the place of a trusted publisher, and, where nobody names the source, a build from another repository than the last attested version's.",
		Fix:     "stay on the version before until the project explains it",
	},
	{
		Name: "launch-drift", Target: Servers, find: findDrift, missing: withoutLock, partly: withoutSomeLock,
		Levels:  Levels{MCP: ee, Direct: ee, Transitive: ee, Cases: map[Case]Level{CaseRemoved: ii}},
		Summary: "a server would launch something else than the lock says",
		Help:    "A configuration that changed after it was approved runs what nobody approved.",
		Fix:     "review the change, then write the lock again",
	},
	{
		Name: "release-age", Target: Packages, Levels: Levels{MCP: ee, Direct: we, Transitive: we}, find: findYoung, partly: withoutTimes, hasMinimum: true,
		Summary: "the version is younger than the policy allows",
		Help:    "Most malicious versions are found within days. Waiting 14 days for servers, 3 (strict: 7) for other packages, is the cheapest defence.",
		Fix:     "use an older version for now",
	},
	{
		Name: "privileged-launch", Target: Servers, find: findPrivileged,
		Levels:  Levels{MCP: we, Cases: map[Case]Level{CaseEngine: ee, CaseDownload: ee, CaseFetched: we}},
		Summary: "a server is started with more rights than it needs",
		Help:    "A container with the host's files or the engine's socket is no container, and whoever talks the agent into something has the rights of its servers. A script that is fetched and run at once is whatever its host says at the moment: for a server an error, for a script of the project, which many have, a warning of the baseline.",
		Fix:     "remove the mounts and flags that it does not need",
	},
	{
		Name: "auto-approve", Target: Servers, Levels: Levels{MCP: we}, find: findAutoApprove,
		Summary: "tools of a server run without asking",
		Help:    "Nobody sees what an agent was talked into.",
		Fix:     "approve only tools that read and cannot leak",
	},
	{
		Name: "install-script", Target: Packages, Levels: Levels{MCP: we, Direct: iw, Transitive: iw}, pending: needsCode,
		Summary: "the package runs code when it is installed",
		Help:    "Most worms of the last years spread by install scripts.",
		Fix:     "install without scripts, and allow them for the packages that need them",
	},
	{
		Name: "capability-added", Target: Packages, Levels: Levels{MCP: we, Direct: iw, Transitive: iw}, pending: needsCode,
		Summary: "the version can do something that the one before could not",
		Help:    "A patch release that begins to open sockets deserves a look.",
		Fix:     "read what changed between the versions",
	},
	{
		Name: "vulnerable", Target: Packages, Levels: Levels{MCP: we, Direct: ow, Transitive: ow}, pending: "vulnerability feeds are not read by this version",
		Summary: "a version with a known vulnerability",
		Help:    "A pin keeps a server vulnerable until somebody moves it.",
		Fix:     "use a version in which it is fixed",
	},
	{
		Name: "gate-changed", Target: Files, Levels: everywhere(we), pending: "the change under review is not compared by this version",
		Summary: "the change alters the policy that judges it",
		Help:    "Whoever can change the gate with the code needs no other way in.",
		Fix:     "let somebody else review the change of the policy",
	},
}
