// Package selection finds out what the launches of MCP servers select today.
//
// In flow an inventory and whom to ask ([Asking]): npm's registry, an index of
// Python packages, the registries of images, the repositories that launches name. Out flows a [Selection]: for each
// launch what a lock says of it ([lock.Known]), or the reason why that is not known.
// What a floating version or tag selects is asked for, with everything that npm would
// install for it; what is fixed is only proven. Nothing is guessed: what comes from
// elsewhere, or by a launch that chooses in a way of its own, has a reason and no
// answer.
package selection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"countermark/provenance"
	"countermark/provenance/git"
	"countermark/provenance/goproxy"
	"countermark/provenance/npm"
	"countermark/provenance/oci"
	"countermark/provenance/pypi"
	"countermark/sbom"
	"countermark/sbom/closure"
	"countermark/sbom/mcp/lock"
)

// Asking is about which servers who is asked.
type Asking struct {
	Inventory *sbom.Inventory
	NPM       *npm.Client       // nil where no registry is asked
	Python    provenance.Source // a [*pypi.Client] where an index is asked
	Images    provenance.Source // an [*oci.Client] where registries are asked
	Git       *git.Client       // nil where no repository is asked
	Modules   *goproxy.Client   // the same for the modules of Go
	Offline   bool
	Tarballs  bool // they may be fetched
	// Prove judges subjects, and returns what the proofs say of a launch. The error is
	// that of a cancelled context.
	Prove func(ctx context.Context, subjects []provenance.Subject) (Facts, error)
}

// Facts says what is proven of a server's launch.
type Facts func(server *sbom.Component, l sbom.Launch) lock.Known

// Selection is what the launches of an inventory's servers select at the moment:
// versions, digests and whether they are attested.
type Selection struct {
	asking   Asking
	facts    Facts
	selected map[request]lock.Known
	reasons  map[request]string // why nothing was selected, or not all that comes with it is known
	closures map[request]*closure.Closure
	versions []provenance.Subject // that floating launches of npm get, by the reference that chosen makes
}

// request is what a launch asks for. Launches of one package without a version can
// ask for different ones.
type request struct {
	ref, text string
	apart     string // the server whose launch chooses in a way of its own; empty for all others
}

func asked(server *sbom.Component, l sbom.Launch) request {
	r := request{ref: l.Ref, text: l.Request}
	if server != nil && (l.Steered != "" || OwnRegistry(server.Server)) {
		r.apart = server.Ref
	}
	return r
}

// Find asks whom it has to ask. The error is that of a cancelled context.
func (a Asking) Find(ctx context.Context) (*Selection, error) {
	s := &Selection{asking: a, selected: map[request]lock.Known{}, reasons: map[request]string{}, closures: map[request]*closure.Closure{}}
	launched := map[string]bool{}
	byRef := map[string]*sbom.Component{}
	for _, c := range a.Inventory.Components {
		byRef[c.Ref] = c
	}
	for _, c := range a.Inventory.Servers() {
		for _, l := range c.Server.Launches {
			launched[l.Ref] = l.Ref != ""
			if component := byRef[l.Ref]; component != nil && component.Source != sbom.FromFile && (component.Version == "" || l.Pin == sbom.PinExact && (l.Kind == sbom.KindNPM || l.Kind == sbom.KindPyPI)) {
				s.choose(ctx, c, component, l)
			}
		}
	}
	var subjects []provenance.Subject
	for _, subject := range provenance.Subjects(a.Inventory) {
		if launched[subject.Ref] {
			subjects = append(subjects, subject)
		}
	}
	var err error
	if s.facts, err = a.Prove(ctx, slices.Concat(subjects, s.versions)); err != nil {
		return nil, err
	}
	return s, ctx.Err()
}

var errOffline = errors.New("no registry was asked; run again without --offline")

// choose finds out what a floating launch selects.
func (s *Selection) choose(ctx context.Context, server, c *sbom.Component, l sbom.Launch) {
	key := asked(server, l)
	if _, ok := s.reasons[key]; ok {
		return
	}
	known, err := s.ask(ctx, server.Server, c, l)
	if err != nil {
		s.reasons[key] = err.Error()
		return
	}
	if _, said := s.reasons[key]; !said {
		s.reasons[key] = ""
	}
	s.selected[key] = known
}

func (s *Selection) ask(ctx context.Context, server *sbom.Server, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	switch {
	case s.asking.Offline:
		return lock.Known{}, errOffline
	case l.Kind == sbom.KindOCI && l.Pin == sbom.PinTag:
		return s.tag(ctx, c, l)
	case l.Steered != "":
		return lock.Known{}, fmt.Errorf("%s changes what it selects, which is not asked for; take that out of the launch", l.Steered)
	case OwnRegistry(server):
		return lock.Known{}, ErrOwnRegistry
	case l.Kind == sbom.KindNPM && c.Ecosystem == sbom.NPM && s.asking.NPM != nil:
		return s.install(ctx, c, l)
	case l.Kind == sbom.KindPyPI && c.Ecosystem == sbom.PyPI:
		return s.release(ctx, c, l)
	case l.Kind == sbom.KindGit && l.Pin.Floating() && s.asking.Git != nil:
		return s.commit(ctx, c, l)
	case l.Kind == sbom.KindGo && l.Request != "" && s.asking.Modules != nil:
		return s.module(ctx, c, l)
	default:
		return lock.Known{}, fmt.Errorf("what a spec of the kind %s selects is not asked for by this version; pin it", l.Kind)
	}
}

const defaultTag = "latest" // of images that name none

func (s *Selection) tag(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	images, ok := s.asking.Images.(*oci.Client)
	if !ok {
		return lock.Known{}, errOffline
	}
	tag := l.Request
	if tag == "" {
		tag = defaultTag
	}
	digest, err := images.Digest(ctx, provenance.Subject{PURL: c.PURL, Ecosystem: c.Ecosystem, Name: c.Name}, tag)
	return lock.Known{Digest: digest}, err
}

// OwnRegistry reports whether a launch chooses by itself where packages come from.
func OwnRegistry(s *sbom.Server) bool {
	return slices.ContainsFunc(s.Risks, func(r sbom.Risk) bool { return r.Code == sbom.RiskRegistry })
}

// ErrOwnRegistry is the reason of a launch that is none of ours to ask for.
var ErrOwnRegistry = errors.New("it comes from a registry that the launch itself chooses, which is not asked; take that out of the launch")

// install finds out what npm would install for a launch.
func (s *Selection) install(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	options := closure.Options{}
	if s.asking.Tarballs {
		options.Contents = s.asking.NPM.Contents
	}
	got, err := closure.Resolve(ctx, s.asking.NPM, []closure.Request{{Name: c.Name, Spec: l.Request}}, options)
	if err != nil {
		return lock.Known{}, err
	}
	root := got.Package(got.Roots[0])
	if root == nil {
		return lock.Known{}, unresolved(got)
	}
	s.closures[request{ref: l.Ref, text: l.Request}] = got
	known := lock.Known{Version: root.Version, Integrity: lock.SHA512(root.Integrity)}
	_, within := got.Gaps()
	if !s.asking.Tarballs && slices.ContainsFunc(got.Unresolved, func(u closure.Unresolved) bool { return u.Reason == closure.ReasonBundled }) {
		within += "; --fetch-tarballs looks into it"
	}
	switch {
	case !closure.PlacesAsNPM(l.Launcher):
	case within != "":
		s.reasons[request{ref: l.Ref, text: l.Request}] = within
	default:
		known.Closure = &lock.Closure{Packages: map[string]string{}}
		for _, p := range got.Packages {
			if p.Path != root.Path && p.Link == "" {
				known.Closure.Packages[p.Name+"@"+p.Version] = lock.SHA512(p.Integrity)
			}
		}
	}
	return known, s.judge(c, l, root.Version)
}

// judge has the version proven that a floating launch gets.
func (s *Selection) judge(c *sbom.Component, l sbom.Launch, version string) error {
	if c.Version != "" {
		return nil
	}
	purl, err := packageurl.FromString(c.PURL)
	if err != nil {
		return err
	}
	purl.Version = version
	s.versions = append(s.versions, provenance.Subject{Ref: chosen(l), PURL: purl.ToString(), Ecosystem: c.Ecosystem, Name: c.Name, Version: version})
	return nil
}

// commit finds out which one a branch or tag of a repository is, or its default branch.
func (s *Selection) commit(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	purl, err := packageurl.FromString(c.PURL)
	if err != nil {
		return lock.Known{}, err
	}
	if strings.Contains(l.Spec, sbom.Redacted) {
		return lock.Known{}, errCredential
	}
	repository := purl.Qualifiers.Map()["vcs_url"]
	if l.Request != "" {
		repository = strings.TrimSuffix(repository, "@"+l.Request)
	}
	commit, err := s.asking.Git.Commit(ctx, repository, l.Request)
	if e, ok := errors.AsType[*git.Error](err); ok {
		return lock.Known{}, fmt.Errorf("%s; %s", e.Reason, e.Hint)
	}
	return lock.Known{Commit: commit}, err
}

// module finds out which version of a Go module a query selects.
func (s *Selection) module(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	if strings.Contains(l.Spec, sbom.Redacted) {
		return lock.Known{}, errCredential
	}
	version, err := s.asking.Modules.Select(ctx, c.Name, l.Request)
	if e, ok := errors.AsType[*goproxy.Error](err); ok {
		return lock.Known{}, fmt.Errorf("%s; %s", e.Reason, e.Hint)
	}
	return lock.Known{Version: version}, err
}

var errCredential = errors.New("a part of it looks like a credential, and is sent to nobody; write what it stands for, exactly")

// release finds out which release of a Python project a launch gets.
func (s *Selection) release(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	index, ok := s.asking.Python.(*pypi.Client)
	if !ok {
		if nobody, ok := s.asking.Python.(provenance.Offline); ok && nobody.Reason != "" {
			return lock.Known{}, fmt.Errorf("%s; %s", nobody.Reason, nobody.Hint)
		}
		return lock.Known{}, errOffline
	}
	got, err := index.Select(ctx, c.Name, l.Request)
	if e, ok := errors.AsType[*pypi.SelectError](err); ok {
		return lock.Known{}, fmt.Errorf("%s; %s", e.Reason, e.Hint())
	}
	if err != nil {
		return lock.Known{}, err
	}
	known := lock.Known{Version: got.Version, Files: map[string]string{}, RequiresPython: got.Python}
	for name, sum := range got.Files {
		known.Files[name] = "sha256:" + sum
	}
	return known, s.judge(c, l, got.Version)
}

// unresolved says why a launch gets nothing.
func unresolved(got *closure.Closure) error {
	launched, _ := got.Gaps()
	return fmt.Errorf("%s; check the name and the version", cmp.Or(launched, "the registry did not say which version it gets"))
}

// chosen is the reference of what a floating launch gets. No component has such a
// one.
func chosen(l sbom.Launch) string { return "chosen:" + l.Ref + " " + l.Request }

// Known is what was found out about a launch.
func (s *Selection) Known(server *sbom.Component, l sbom.Launch) lock.Known {
	out := s.facts(server, l)
	selected, ok := s.selected[asked(server, l)]
	switch {
	case !ok || l.Ref == "":
	case l.Pin == sbom.PinExact:
		out.Closure, out.Files, out.RequiresPython = selected.Closure, selected.Files, selected.RequiresPython
	default:
		proven := s.facts(server, sbom.Launch{Ref: chosen(l)})
		selected.Attested = proven.Attested
		selected.Source = cmp.Or(proven.Source, out.Source)
		if proven.Integrity != "" {
			selected.Integrity = proven.Integrity
		}
		out = selected
	}
	return out
}

// Reason says why nothing was selected for a launch, or not all that comes with it is
// known; "" where all is.
func (s *Selection) Reason(server *sbom.Component, l sbom.Launch) string {
	return s.reasons[asked(server, l)]
}

// Closure is what npm would install for a launch; nil where nobody asked, or nobody
// knows.
func (s *Selection) Closure(server *sbom.Component, l sbom.Launch) *closure.Closure {
	return s.closures[asked(server, l)]
}

// Incomplete reports whether what comes with a server's launch of that spec had to be
// found out, and was not.
func (s *Selection) Incomplete(server *sbom.Component, spec string) bool {
	return slices.ContainsFunc(server.Server.Launches, func(l sbom.Launch) bool {
		return l.Spec == spec && l.Kind == sbom.KindNPM && s.reasons[asked(server, l)] != ""
	})
}

// Hint says why something is not known about a server's launch of that spec.
func (s *Selection) Hint(server *sbom.Component, spec string) string {
	if server == nil {
		return ""
	}
	for _, l := range server.Server.Launches {
		if reason := s.reasons[asked(server, l)]; l.Spec == spec && reason != "" {
			return reason
		}
	}
	if s.asking.Offline {
		return errOffline.Error()
	}
	return "run again with access to its registry"
}
