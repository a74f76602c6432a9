package closure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"countermark/sbom/jsonstream"
)

// Request is one package that a launch names.
type Request struct {
	Name string // the package
	Spec string // a version, a range or a tag; empty for what npm takes without one
}

func (r Request) String() string {
	if r.Spec == "" {
		return r.Name
	}
	return r.Name + "@" + r.Spec
}

// Options say what else than the registry decides. The zero value is the answer
// for no particular machine.
type Options struct {
	// NodeVersion and NPMVersion are those of the machine that would launch. npm
	// avoids versions whose engines exclude them. Empty ones exclude nothing.
	NodeVersion, NPMVersion string
	// Contents returns what lies inside of a version's tarball, as [ReadContents] reads
	// it. Nil leaves what arrives so unresolved, as does an error.
	Contents func(ctx context.Context, m *Manifest) ([]Content, error)
	// MaxPackages bounds the packages that are placed; 0 stands for DefaultPackages.
	MaxPackages int
}

// Limits of a closure. Real ones stay below a tenth of them.
const (
	DefaultPackages = 5_000
	maxDepth        = 100       // node_modules inside of each other
	maxSteps        = 200_000   // dependencies that are looked at, again and again where a place changes hands
	maxPeerDepth    = 200       // peers of peers
	maxAhead        = 8         // packuments that are asked for at the same time
	maxRequests     = 64        // of one launch
	maxSpec         = 4 << 10   // bytes
	maxVersions     = 50_000    // of one package
	maxDependencies = 5_000     // of one version
	maxList         = 5_000     // os, cpu, bundled packages of one version
	maxText         = 8 << 10   // bytes of any text that is kept
	maxPackument    = 128 << 20 // bytes; they are read as a stream
)

// Source has the metadata of packages.
type Source interface {
	// Packument returns the metadata of a package. An error that wraps ErrNotFound
	// means that there is no such package, which is an answer; any other ends the
	// resolution, since nobody knows then. It may be called by several goroutines.
	Packument(ctx context.Context, name string) (*Packument, error)
}

// ErrNotFound says that a source has no package of a name.
var ErrNotFound = errors.New("no package of this name")

// ErrLimit says that a closure is larger than anything real.
var ErrLimit = jsonstream.ErrLimit

// Closure is what npm would install.
type Closure struct {
	Roots      []string     // the path of what each request got, in their order; empty for what is unresolved
	Packages   []Package    // by path
	Edges      []Edge       // by From, then Name
	Unresolved []Unresolved // by From, then Name
}

// Complete reports whether nothing that would be installed is missing.
func (c *Closure) Complete() bool { return len(c.Unresolved) == 0 }

// Package returns what stands at a path, or nil.
func (c *Closure) Package(path string) *Package {
	i, found := slices.BinarySearchFunc(c.Packages, path, func(p Package, path string) int { return strings.Compare(p.Path, path) })
	if !found {
		return nil
	}
	return &c.Packages[i]
}

// Package is one installed copy of a package.
type Package struct {
	Path      string // node_modules/a/node_modules/b
	Name      string // the package's own, also where an alias gave the folder another
	Version   string
	Integrity string // as the registry has it (Subresource Integrity)
	Tarball   string // URL, as the registry has it

	Optional bool // every way to it is optional: it may fail to install, as on another platform
	Peer     bool // every way to it is a peer dependency
	// Extraneous is set where only optional peers ask for it, and Optional and Peer
	// mean nothing.
	Extraneous bool

	// Bundled is set where it arrives inside of another package's tarball, whose digest
	// covers it: it has none of its own.
	Bundled bool

	Deprecated    string   // the registry's text; empty where it is not
	InstallScript bool     // it runs code when it is installed
	OS, CPU, Libc []string // where alone it is installed; empty for everywhere
	Engines       string   // the range of Node.js versions that it says it needs
	Link          string   // the path that it is a symbolic link to, where npm breaks a circle so

	Manifest *Manifest // what the registry says of the version
}

// EdgeKind is how a package asks for another.
type EdgeKind string

// The kinds of dependencies, in npm's words.
const (
	Prod         EdgeKind = "prod"
	OptionalEdge EdgeKind = "optional"
	Peer         EdgeKind = "peer"
	PeerOptional EdgeKind = "peerOptional"
)

func (k EdgeKind) peer() bool     { return k == Peer || k == PeerOptional }
func (k EdgeKind) optional() bool { return k == OptionalEdge || k == PeerOptional }

// Edge is a dependency and the copy that Node.js would load for it.
type Edge struct {
	From string // path; empty for the launch itself
	Name string // folder, which an alias makes another than the package's name
	Spec string // as written
	Kind EdgeKind
	To   string // path
	// Overridden is set where To is not what From asks for: npm warns of such a
	// conflict between peers and goes on.
	Overridden bool
}

// Unresolved is a dependency of which nobody can say from the registry alone what
// it would be.
type Unresolved struct {
	From   string // path; empty for the launch itself
	Name   string
	Spec   string // as written: it may hold a URL with credentials
	Reason Reason
	Detail string // of ReasonConflict, ReasonNoVersion, ReasonUnreadable and ReasonBundled: a lower-case sentence, or nothing
}

// Reason says why a dependency is unresolved.
type Reason string

// The reasons.
const (
	ReasonGit        Reason = "comes from a git repository"
	ReasonURL        Reason = "comes from a URL"
	ReasonFile       Reason = "comes from a local file or folder"
	ReasonSpec       Reason = "asks in a way that npm refuses"
	ReasonNoPackage  Reason = "the registry has no package of this name"
	ReasonNoVersion  Reason = "the registry has no version that satisfies it"
	ReasonUnreadable Reason = "the metadata of the version cannot be understood"
	ReasonBundled    Reason = "arrives inside of the package's tarball"
	ReasonShrinkwrap Reason = "is fixed by an npm-shrinkwrap.json inside of the package's tarball"
	ReasonLauncher   Reason = "what comes with it is decided by another program than npm"
	ReasonConflict   Reason = "npm refuses to install it: the peers conflict (ERESOLVE)"
)

// Resolve returns what npm would install for the requests, together in one
// folder. An error means that nobody can say: the source failed, a limit was
// reached, or the context ended.
func Resolve(ctx context.Context, source Source, requests []Request, opts Options) (*Closure, error) {
	if len(requests) == 0 || len(requests) > maxRequests {
		return nil, fmt.Errorf("%w: %d packages are asked for at once, not 1 to %d", ErrLimit, len(requests), maxRequests)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if opts.MaxPackages == 0 {
		opts.MaxPackages = DefaultPackages
	}
	b := &builder{
		ctx: ctx, opts: opts,
		fetch:    newFetcher(ctx, source),
		ranges:   ranges{},
		virtual:  map[*node]*node{},
		seen:     map[*node]bool{},
		queued:   map[*node]bool{},
		explicit: map[*edge]bool{},
		failures: map[*node]bool{},
	}
	defer b.fetch.stop(cancel)
	if err := b.start(requests); err != nil {
		return nil, err
	}
	var conflict *conflictError
	if err := b.run(); errors.As(err, &conflict) {
		return b.refused(conflict), nil
	} else if err != nil {
		return nil, err
	}
	return b.result(), nil
}
