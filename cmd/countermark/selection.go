package main

import (
	"context"
	"errors"
	"fmt"

	"countermark/policy"
	"countermark/provenance"
	"countermark/provenance/oci"
	"countermark/sbom"
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
	reasons  map[request]string // why nothing was selected
}

// request is what a launch asks for. Launches of one package without a version can
// ask for different ones.
type request struct{ ref, text string }

// find asks whom it has to ask. The error is that of a cancelled context.
func (s *selection) find(ctx context.Context) error {
	s.selected, s.reasons = map[request]lock.Known{}, map[request]string{}
	launched := map[string]bool{}
	byRef := map[string]*sbom.Component{}
	for _, c := range s.inventory.Components {
		byRef[c.Ref] = c
	}
	for _, c := range configuredServers(s.inventory) {
		for _, l := range c.Server.Launches {
			launched[l.Ref] = l.Ref != ""
			if component := byRef[l.Ref]; component != nil && component.Version == "" {
				s.choose(ctx, component, l)
			}
		}
	}
	var subjects []provenance.Subject
	for _, subject := range provenance.Subjects(s.inventory) {
		if launched[subject.Ref] {
			subjects = append(subjects, subject)
		}
	}
	results, err := s.evidence.run(ctx, subjects, s.jobs, s.expect, s.watch)
	if err != nil {
		return err
	}
	s.facts = policy.LockFacts(results)
	return nil
}

var errOffline = errors.New("no registry was asked; run again without --offline")

// choose finds out what a floating launch selects.
func (s *selection) choose(ctx context.Context, c *sbom.Component, l sbom.Launch) {
	key := request{l.Ref, l.Request}
	if _, ok := s.reasons[key]; ok {
		return
	}
	known, err := s.ask(ctx, c, l)
	if err != nil {
		s.reasons[key] = err.Error()
		return
	}
	s.reasons[key], s.selected[key] = "", known
}

func (s *selection) ask(ctx context.Context, c *sbom.Component, l sbom.Launch) (lock.Known, error) {
	switch {
	case s.evidence.offline:
		return lock.Known{}, errOffline
	case l.Kind == sbom.KindOCI && l.Pin == sbom.PinTag:
		return s.tag(ctx, c, l)
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

// known is what was found out about a launch.
func (s *selection) known(server *sbom.Component, l sbom.Launch) lock.Known {
	out := s.facts(server, l)
	if chosen, ok := s.selected[request{l.Ref, l.Request}]; ok && l.Ref != "" {
		source := out.Source
		out = chosen
		if out.Source == nil {
			out.Source = source
		}
	}
	return out
}

// hint says why something is not known about a server's launch of that spec.
func (s *selection) hint(server *sbom.Component, spec string) string {
	if server == nil {
		return ""
	}
	for _, l := range server.Server.Launches {
		if reason := s.reasons[request{l.Ref, l.Request}]; l.Spec == spec && reason != "" {
			return reason
		}
	}
	if s.evidence.offline {
		return errOffline.Error()
	}
	return "run again with access to its registry"
}
