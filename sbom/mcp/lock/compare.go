package lock

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"countermark/sbom"
)

// Change says what is different.
type Change string

// The changes. Each is found at most once for a launch.
const (
	ServerAdded     Change = "server-added"     // nobody locked it
	ServerRemoved   Change = "server-removed"   // it was locked, and is configured no more
	Unapproved      Change = "unapproved"       // others of the lock are approved, this one is not
	LauncherChanged Change = "launcher-changed" // another program starts it
	LaunchesChanged Change = "launches-changed" // it runs more, less or other kinds of things
	SpecChanged     Change = "spec-changed"     // another package, version, image, path or URL is named
	HostChanged     Change = "host-changed"     // a remote server is another host's
	CommandChanged  Change = "command-changed"  // the rest of its command line, its folder or the names of its headers
	EnvChanged      Change = "env-changed"      // it is given other environment variables
	VersionChanged  Change = "version-changed"  // the same spec selects another version, commit or package
	BytesChanged    Change = "bytes-changed"    // the same version or tag has other bytes
	SourceChanged   Change = "source-changed"   // it is expected from elsewhere, or from nowhere any more
	AttestationLost Change = "attestation-lost" // it was attested and is not any more
	ClosureChanged  Change = "closure-changed"  // other packages come with it, or others of their bytes
	VendorChanged   Change = "vendor-changed"   // the lockfile of its folder is not what says what runs
)

// Drift is one difference between a lock and what is there.
type Drift struct {
	Change  Change
	Lock    *Lock           // that it differs from; nil where no lock is about the configuration
	Server  *sbom.Component // nil for one that is configured no more
	File    string          // the configuration, in the inventory
	Name    string          // of the server in the lock
	Launch  int             // index of the launch that it is about, -1 where it is about the server
	Subject string          // what that launch is: "name", or its spec
	Was, Is string          // may be empty
}

// Gap is a fact that a lock holds and that nobody could find out today.
type Gap struct {
	Server  *sbom.Component
	Subject string
	What    string // "version", "bytes", "attestation", "closure"
}

// Comparison is what came of comparing.
type Comparison struct {
	Drifts []Drift // by configuration and server
	Gaps   []Gap
	// Unlocked are configurations with servers that no lock is about, where nothing
	// around them is locked either.
	Unlocked []string
}

// Compare compares locks that were read with what [Make] made of the inventory
// today. Facts that are not known today are gaps and no drift. Once somebody locked
// anything in a project, every configuration of it has to be locked: a new file is
// the easiest place for a new server.
func Compare(locks, today []*Lock, inv *sbom.Inventory) Comparison {
	c := comparison{byRef: refs(inv), locks: map[string]*Lock{}, areas: map[string]bool{}}
	for _, l := range locks {
		c.locks[l.Path] = l
		c.areas[area(l.Path)] = true
	}
	for _, now := range today {
		if !Unreadable(inv, now.Path) { // whose own problem says that nobody knows
			c.folder(c.locks[now.Path], now)
		}
	}
	for _, l := range locks {
		i := slices.IndexFunc(today, func(now *Lock) bool { return now.Path == l.Path })
		now := &Lock{}
		if i >= 0 {
			now = today[i]
		}
		c.removed(l, now)
	}
	slices.Sort(c.Unlocked)
	slices.SortStableFunc(c.Drifts, func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Launch, b.Launch))
	})
	return c.Comparison
}

type comparison struct {
	Comparison
	byRef map[string]*sbom.Component
	locks map[string]*Lock
	areas map[string]bool // in which something is locked
}

// Unreadable reports whether there is a lock at that path that cannot be read.
func Unreadable(inv *sbom.Inventory, lock string) bool {
	return slices.ContainsFunc(inv.Inputs, func(in *sbom.Input) bool { return in.Path == lock && in.Kind == Kind && in.Broken() })
}

// area parts the project from the user's home ("~/…"), the machine ("/…") and what
// a variable names ("$NAME/…"): who locks one of them says nothing of the others.
func area(name string) string {
	switch {
	case strings.HasPrefix(name, "/"):
		return "/"
	case strings.HasPrefix(name, "~/"), strings.HasPrefix(name, "$"):
		first, _, _ := strings.Cut(name, "/")
		return first
	default:
		return ""
	}
}

func (c *comparison) folder(was, now *Lock) {
	for _, configuration := range slices.Sorted(maps.Keys(now.Configurations)) {
		file := now.Folder() + configuration
		if was == nil && !c.areas[area(now.Path)] {
			c.Unlocked = append(c.Unlocked, file)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(now.Configurations[configuration].Servers)) {
			d := Drift{Lock: was, File: file, Name: name, Server: c.byRef["mcp:"+file+"#"+name], Launch: -1}
			c.server(d, was.server(configuration, name), now.Configurations[configuration].Servers[name])
		}
	}
}

// server returns what the lock says of a server, nil where it says nothing.
func (l *Lock) server(configuration, name string) *Server {
	if l == nil {
		return nil
	}
	return l.Configurations[configuration].Servers[name]
}

func (c *comparison) removed(l, now *Lock) {
	for _, configuration := range slices.Sorted(maps.Keys(l.Configurations)) {
		for _, name := range slices.Sorted(maps.Keys(l.Configurations[configuration].Servers)) {
			if now.server(configuration, name) == nil {
				c.add(Drift{Change: ServerRemoved, Lock: l, File: l.Folder() + configuration, Name: name, Launch: -1})
			}
		}
	}
}

func (c *comparison) add(d Drift) { c.Drifts = append(c.Drifts, d) }

// found adds a drift of that change, if the two texts differ.
func (c *comparison) found(d Drift, change Change, was, is string) bool {
	if was == is {
		return false
	}
	d.Change, d.Was, d.Is = change, was, is
	c.add(d)
	return true
}

func (c *comparison) server(d Drift, was, is *Server) {
	if was == nil {
		d.Change = ServerAdded
		d.Is = summary(is)
		c.add(d)
		return
	}
	if was.Approved == nil && d.Lock.approvals() {
		c.found(d, Unapproved, "approved", "not approved")
	}
	changed := c.found(d, LauncherChanged, how(was), how(is))
	if shape(was) != shape(is) {
		changed = c.found(d, LaunchesChanged, summary(was), summary(is))
	} else {
		for i := range is.Launches {
			d.Launch, d.Subject = i, subject(&is.Launches[i])
			changed = c.launch(d, &was.Launches[i], &is.Launches[i]) || changed
		}
		d.Launch, d.Subject = -1, ""
	}
	// A changed spec is a changed command line as well, and worth saying once.
	if !changed && was.Command != is.Command {
		d.Change = CommandChanged
		c.add(d)
	}
	c.found(d, EnvChanged, strings.Join(was.Env, ", "), strings.Join(is.Env, ", "))
}

// how is by which program a server is started, or spoken to.
func how(s *Server) string { return cmp.Or(s.Launcher, s.Transport) }

// shape is which kinds of things a server launches. A copy that no lockfile pins
// is another thing than the package that one did.
func shape(s *Server) string {
	var b strings.Builder
	for i := range s.Launches {
		l := &s.Launches[i]
		fmt.Fprintf(&b, "%s %v %v\n", l.Kind, l.copied(), l.Nested)
	}
	return b.String()
}

func summary(s *Server) string {
	var out []string
	for i := range s.Launches {
		one := string(s.Launches[i].Kind) + " " + subject(&s.Launches[i])
		if s.Launches[i].copied() {
			one += " (a copy that no lockfile pins)"
		}
		out = append(out, one)
	}
	return strings.Join(out, ", ")
}

func subject(l *Launch) string { return cmp.Or(l.Spec, l.Name, string(l.Kind)) }

// launch compares two launches of one kind, and reports whether what the
// configuration says of it has changed.
func (c *comparison) launch(d Drift, was, is *Launch) bool {
	if c.found(d, HostChanged, was.Host, is.Host) || c.found(d, SpecChanged, was.Spec, is.Spec) {
		return true // what was found out then is about something else
	}
	c.resolved(d, was, is)
	if was.Source != nil {
		now := ""
		if is.Source != nil {
			now = is.Source.Repository
		}
		c.found(d, SourceChanged, was.Source.Repository, now)
	}
	if was.Attested != nil && *was.Attested {
		switch {
		case is.Attested == nil:
			c.gap(d, "attestation")
		case !*is.Attested:
			c.found(d, AttestationLost, "attested", "not attested")
		}
	}
	return false
}

// resolved compares what the spec selected then and selects now.
func (c *comparison) resolved(d Drift, was, is *Launch) {
	if c.fact(d, VersionChanged, "version", was.Version, is.Version) || c.fact(d, VersionChanged, "commit", was.Commit, is.Commit) {
		return // other bytes and another closure follow from that
	}
	if is.Version == "" && was.Version != "" {
		return
	}
	c.fact(d, BytesChanged, "bytes", was.Digest, is.Digest)
	c.files(d, was.Files, is.Files)
	if was.Vendored != "" && (was.Vendored != is.Vendored || is.Closure == nil) {
		c.found(d, VendorChanged, was.Vendored, cmp.Or(is.Vendored, string(is.Pin), "nothing"))
		return
	}
	if was.Vendored != "" && was.Integrity != "" && is.Integrity == "" {
		c.found(d, BytesChanged, was.Integrity, "no digest") // the lockfile is at hand, and had one
		return
	}
	if was.Integrity != "" && is.Integrity != "" && !common(was.Integrity, is.Integrity) {
		c.found(d, BytesChanged, was.Integrity, is.Integrity)
	} else if is.Integrity == "" && was.Integrity != "" {
		c.gap(d, "bytes")
	}
	switch {
	case was.Closure == nil:
	case is.Closure == nil:
		c.gap(d, "closure")
	default:
		c.closure(d, was.Closure.Packages, is.Closure.Packages, was.Vendored != "")
	}
}

// fact compares what may not be known today.
func (c *comparison) fact(d Drift, change Change, what, was, is string) bool {
	switch {
	case was == "":
		return false
	case is == "":
		c.gap(d, what)
		return false
	default:
		return c.found(d, change, was, is)
	}
}

func (c *comparison) gap(d Drift, what string) {
	c.Gaps = append(c.Gaps, Gap{Server: d.Server, Subject: d.Subject, What: what})
}

// files compares those of a release. One that was added, be it under a version that
// is years old, is what installers may take from now on; one that is gone is nobody's.
func (c *comparison) files(d Drift, was, is map[string]string) {
	if was == nil {
		return
	}
	if is == nil {
		c.gap(d, "bytes")
		return
	}
	var changed []string
	for name, digest := range is {
		if was[name] != digest {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return
	}
	slices.Sort(changed)
	c.found(d, BytesChanged, "", few(changed))
}

// common reports whether two integrities name one digest in common: an integrity
// may hold several.
func common(a, b string) bool {
	have := strings.Fields(b)
	return slices.ContainsFunc(strings.Fields(a), func(s string) bool { return slices.Contains(have, s) })
}

// maxNamed is how many packages of a closure a drift names.
const maxNamed = 5

// closure compares what comes with a package. atHand says that both are read from
// lockfiles: a digest that is gone was taken out of one.
func (c *comparison) closure(d Drift, was, is map[string]string, atHand bool) {
	gone, added := without(was, is), without(is, was)
	var changed []string
	for name, integrity := range was {
		now, there := is[name]
		if integrity != "" && (now != "" || atHand && there) && !common(integrity, now) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	if len(gone)+len(added)+len(changed) == 0 {
		return
	}
	d.Change = ClosureChanged
	d.Was, d.Is = few(gone), few(added)
	if len(changed) > 0 {
		d.Is = strings.TrimPrefix(d.Is+", other bytes of "+few(changed), ", ")
	}
	c.add(d)
}

// without returns the names in a that b does not have, sorted.
func without(a, b map[string]string) []string {
	var out []string
	for name := range a {
		if _, ok := b[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func few(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
