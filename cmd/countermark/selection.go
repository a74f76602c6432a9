package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"countermark/policy"
	"countermark/provenance"
	"countermark/provenance/git"
	"countermark/provenance/oci"
	"countermark/provenance/pypi"
	"countermark/sbom"
	"countermark/sbom/closure"
	"countermark/sbom/mcp/lock"
)

// selection is what the launches of an inventory's servers select at the moment:
// versions, digests and whether they are attested.
type selection struct {
	inventory *sbom.Inventory
	evidence  *evidence
	jobs      int
	expect    func(provenance.Subject) provenance.Expectation
	watch     *progress

	facts    func(*sbom.Component, sbom.Launch) lock.Known // what proofs say of the components
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
	if server != nil && (l.Steered != "" || ownRegistry(server.Server)) {
		r.apart = server.Ref
	}
	return r
}

// find asks whom it has to ask. The error is that of a cancelled context.
func (s *selection) find(ctx context.Context) error {
	s.selected, s.reasons, s.closures = map[request]lock.Known{}, map[request]string{}, map[request]*closure.Closure{}
	launched := map[string]bool{}
	byRef := map[string]*sbom.Component{}
	for _, c := range s.inventory.Components {
		byRef[c.Ref] = c
	}
	for _, c := range configuredServers(s.inventory) {
		for _, l := range c.Server.Launches {
			launched[l.Ref] = l.Ref != ""
			if component := byRef[l.Ref]; component != nil && (component.Version == "" || l.Pin == sbom.PinExact && (l.Kind == sbom.KindNPM || l.Kind == sbom.KindPyPI)) {
				s.choose(ctx, c, component, l)
			}
		}
	}
	var subjects []provenance.Subject
	for _, subject := range provenance.Subjects(s.inventory) {
		if launched[subject.Ref] {
			subjects = append(subjects, subject)
		}
	}
	results, err := s.evidence.run(ctx, slices.Concat(subjects, s.versions), s.jobs, s.expect, s.watch)
	if err != nil {
		return err
	}
	s.facts = policy.LockFacts(results)
	return ctx.Err()
}

var errOffline = errors.New("no registry was asked; run again without --offline")

// choose finds out what a floating launch selects.
func (s *selection) choose(ctx context.Context, server, c *sbom.Component, l sbom.Launch) {
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

func (s *selection) ask(ctx context.Context, server *sbom.Server, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	switch {
	case s.evidence.offline:
		return lock.Known{}, errOffline
	case l.Kind == sbom.KindOCI && l.Pin == sbom.PinTag:
		return s.tag(ctx, c, l)
	case l.Steered != "":
		return lock.Known{}, fmt.Errorf("%s changes what it selects, which is not asked for; take that out of the launch", l.Steered)
	case ownRegistry(server):
		return lock.Known{}, errOwnRegistry
	case l.Kind == sbom.KindNPM && c.Ecosystem == sbom.NPM && s.evidence.npm != nil:
		return s.install(ctx, c, l)
	case l.Kind == sbom.KindPyPI && c.Ecosystem == sbom.PyPI:
		return s.release(ctx, c, l)
	case l.Kind == sbom.KindGit && l.Pin.Floating() && s.evidence.git != nil:
		return s.commit(ctx, c, l)
	default:
		return lock.Known{}, fmt.Errorf("what a spec of the kind %s selects is not asked for by this version; pin it", l.Kind)
	}
}

const defaultTag = "latest" // of images that name none

func (s *selection) tag(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	images, ok := s.evidence.images.(*oci.Client)
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

// ownRegistry reports whether a launch chooses by itself where packages come from.
func ownRegistry(s *sbom.Server) bool {
	return slices.ContainsFunc(s.Risks, func(r sbom.Risk) bool { return r.Code == sbom.RiskRegistry })
}

var errOwnRegistry = errors.New("it comes from a registry that the launch itself chooses, which is not asked; take that out of the launch")

// install finds out what npm would install for a launch.
func (s *selection) install(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	options := closure.Options{}
	if s.evidence.tarballs {
		options.Contents = s.evidence.npm.Contents
	}
	got, err := closure.Resolve(ctx, s.evidence.npm, []closure.Request{{Name: c.Name, Spec: l.Request}}, options)
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
	if !s.evidence.tarballs && slices.ContainsFunc(got.Unresolved, func(u closure.Unresolved) bool { return u.Reason == closure.ReasonBundled }) {
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
func (s *selection) judge(c *sbom.Component, l sbom.Launch, version string) error {
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
func (s *selection) commit(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	purl, err := packageurl.FromString(c.PURL)
	if err != nil {
		return lock.Known{}, err
	}
	if strings.Contains(l.Spec, sbom.Redacted) {
		return lock.Known{}, errors.New("a part of it looks like a credential, and is sent to nobody; write the full commit in its place")
	}
	repository := purl.Qualifiers.Map()["vcs_url"]
	if l.Request != "" {
		repository = strings.TrimSuffix(repository, "@"+l.Request)
	}
	commit, err := s.evidence.git.Commit(ctx, repository, l.Request)
	if e, ok := errors.AsType[*git.Error](err); ok {
		return lock.Known{}, fmt.Errorf("%s; %s", e.Reason, e.Hint)
	}
	return lock.Known{Commit: commit}, err
}

// release finds out which release of a Python project a launch gets.
func (s *selection) release(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	index, ok := s.evidence.python.(*pypi.Client)
	if !ok {
		if nobody, ok := s.evidence.python.(provenance.Offline); ok && nobody.Reason != "" {
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

// known is what was found out about a launch.
func (s *selection) known(server *sbom.Component, l sbom.Launch) lock.Known {
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

// incomplete reports whether what comes with a server's launch of that spec had to be
// found out, and was not.
func (s *selection) incomplete(server *sbom.Component, spec string) bool {
	return slices.ContainsFunc(server.Server.Launches, func(l sbom.Launch) bool {
		return l.Spec == spec && l.Kind == sbom.KindNPM && s.reasons[asked(server, l)] != ""
	})
}

// hint says why something is not known about a server's launch of that spec.
func (s *selection) hint(server *sbom.Component, spec string) string {
	if server == nil {
		return ""
	}
	for _, l := range server.Server.Launches {
		if reason := s.reasons[asked(server, l)]; l.Spec == spec && reason != "" {
			return reason
		}
	}
	if s.evidence.offline {
		return errOffline.Error()
	}
	return "run again with access to its registry"
}
