// Package layout judges in-toto layouts: whether every step of a supply chain was
// done by those who may do it, and handed on what it got
// (https://github.com/in-toto/docs/blob/master/in-toto-spec.md, version 1.0).
//
// In flow a signed [Layout], the [Key]s that its owner signs with, and a folder
// with the links that the people and machines of each step signed; both may be in
// in-toto's own form or in a DSSE envelope. Out flows one provenance.Result for
// the layout, and with [Report.Artifact] one for every file that has to be among
// the products of its last step.
//
// Signatures, thresholds and artifact rules are those of in-toto-golang. What
// that library leaves open is closed here: files are read out of one folder and
// nowhere else, a key counts once whatever its names, a link counts for the step
// that it is named after, a pattern that the library cannot read is refused
// instead of ignored, and time is what the caller says that it is.
//
// A layout may demand inspections, which are commands that in-toto runs on the
// verifier's machine. Nothing is ever run here: such a layout is judged in all
// else, and is provenance.Unsupported at best. So are layouts that wait for
// parameters and steps that only a certificate could sign.
package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"

	"countermark/provenance"
)

// Limits of a layout and of what belongs to it. Beyond them nothing is read in
// part: the answer is that it does not hold.
const (
	MaxFileSize = 16 << 20 // bytes of one layout or link

	maxTotal     = 256 << 20 // bytes of all links
	maxLinks     = 1_000     // files that are read for one layout, its sublayouts included
	maxSteps     = 256       // of one layout
	maxRules     = 1_000     // of one step, for materials and for products
	maxArtifacts = 100_000   // materials and products of one link
	maxDepth     = 8         // of layouts in layouts
)

// Layout is what is to be judged.
type Layout struct {
	Name  string // for messages: the file's name
	Data  []byte
	Keys  []Key     // all of them have to have signed it; at least one
	Links fs.FS     // the folder of its links
	Now   time.Time // at which its end is judged

	// skip switches checks off by their names, so that the tests of this package
	// can show that an attack is refused by that check and by no luck. Nothing
	// outside of the package can set it.
	skip map[string]bool
}

// Report is the answer.
type Report struct {
	Result   provenance.Result
	Warnings []string // what was left out, and what does not change the answer; may quote foreign data

	products map[string]in_toto.HashObj // of the last step; nil unless its steps hold
	skip     map[string]bool            // Layout.skip
}

// The names of the checks.
const (
	checkSignature  = "layout-signature"
	checkExpiry     = "layout-expiry"
	checkLayout     = "layout-rules" // that the layout says something, and that all of it is understood
	checkFunctions  = "layout-keys"  // that its keys are keys, and different ones
	checkParameters = "layout-parameters"
	checkThreshold  = "step-threshold"
	checkAgreement  = "step-agreement"
	checkArtifacts  = "artifact-rules"
	checkInspection = "inspections"
	checkProduct    = "final-product"
)

// The names under which tests switch off what is demanded of a link. In results
// they all stand as the step's threshold.
const (
	demandLinkKey       = "link-key"
	demandLinkSignature = "link-signature"
	demandLinkStep      = "link-step"
	demandLinkNames     = "link-names"
	demandLinkDigests   = "link-digests"
)

// Verify judges a layout. What does not hold is in the result; errors are an
// [*provenance.EvidenceError] for a layout that cannot be read, or the context's.
func Verify(ctx context.Context, l Layout) (Report, error) {
	fail := func(err error) (Report, error) {
		return Report{}, &provenance.EvidenceError{File: l.Name, Err: err, Hint: "name an in-toto layout, signed, as JSON"}
	}
	doc, err := parse(l.Data)
	if err != nil {
		return fail(fmt.Errorf("no in-toto layout: %w", err))
	}
	if _, ok := doc.GetPayload().(in_toto.Layout); !ok {
		return fail(errors.New("it is a link, not a layout"))
	}
	if len(l.Keys) == 0 {
		return fail(errors.New("nobody is named who has to have signed it"))
	}
	j := &judge{ctx: ctx, now: l.Now, skip: l.skip}
	j.Subject = provenance.Subject{Name: l.Name}
	keys := make([]in_toto.Key, 0, len(l.Keys))
	for _, k := range l.Keys {
		keys = append(keys, k.key)
	}
	// The library looks at no context while it holds names against patterns, of
	// which there may be many: so it is left alone with them when the time is over.
	var summary in_toto.Link
	var ok bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		summary, ok = j.layout(place{name: "the layout", links: l.Links, dir: "."}, doc, keys)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	report := Report{Result: j.conclude(ok), Warnings: j.warnings, skip: l.skip}
	if ok {
		report.products = map[string]in_toto.HashObj{}
		maps.Copy(report.products, summary.Products)
	}
	return report, nil
}

// judge collects the checks of one layout and of those in it.
type judge struct {
	provenance.Result

	ctx      context.Context //nolint:containedctx // it lives for one call of Verify
	now      time.Time
	skip     map[string]bool
	warnings []string
	links    int   // files read
	total    int64 // their bytes
}

// place is a layout's place: the first, or that of a step's sublayout.
type place struct {
	name  string // for messages
	links fs.FS
	dir   string // of its links in there
	depth int
}

// check records a comparison. The first failure of the state that wins is the
// answer.
func (j *judge) check(name string, ok bool, expected, actual string, f failure) bool {
	ok = ok || j.skip[name]
	j.Checks = append(j.Checks, provenance.Check{Name: name, OK: ok, Expected: provenance.Clip(expected), Actual: provenance.Clip(actual)})
	if ok {
		return true
	}
	rank := func(s provenance.State) int { return slices.Index(provenance.States(), s) }
	if j.State == "" || rank(f.state) < rank(j.State) {
		j.State, j.Reason, j.Hint = f.state, provenance.Clip(f.reason), f.hint
	}
	return false
}

// failure is a check that failed, in words.
type failure struct {
	state  provenance.State
	reason string
	hint   string
}

func invalid(hint, format string, args ...any) failure {
	return failure{state: provenance.Invalid, reason: fmt.Sprintf(format, args...), hint: hint}
}

func unsupported(hint, format string, args ...any) failure {
	return failure{state: provenance.Unsupported, reason: fmt.Sprintf(format, args...), hint: hint}
}

func (j *judge) warn(format string, args ...any) {
	const most = 20
	switch len(j.warnings) {
	case most + 1:
	case most:
		j.warnings = append(j.warnings, "more warnings are not shown")
	default:
		j.warnings = append(j.warnings, provenance.Clip(fmt.Sprintf(format, args...)))
	}
}

// conclude turns the checks into a state.
func (j *judge) conclude(ok bool) provenance.Result {
	switch {
	case j.State != "":
	case ok:
		j.State = provenance.Verified
	default:
		j.State, j.Reason, j.Hint = provenance.Invalid, "it could not be judged", hintOwner
	}
	return j.Result
}

const (
	hintOwner = "ask the layout's owner for one that is whole; do not use what it describes meanwhile"
	hintLinks = "find out who changed the links or the files between two steps; do not use what it describes meanwhile"
)

// layout judges one layout in in-toto's order (specification, section 5.2), and
// returns what it says of its first and last step together.
func (j *judge) layout(at place, doc in_toto.Metadata, keys []in_toto.Key) (summary in_toto.Link, ok bool) {
	// A panic in the library below is an answer, not a crash: it does not hold.
	defer func() {
		if p := recover(); p != nil {
			summary, ok = in_toto.Link{}, j.check(checkLayout, false, "", at.name, invalid(hintOwner, "%s: its parts do not fit together", at.name))
		}
	}()
	l, isLayout := doc.GetPayload().(in_toto.Layout)
	if !isLayout || !j.signed(at, doc, keys) || !j.current(at, l) || !j.understood(at, l) {
		return summary, false
	}
	links := map[string]map[string]in_toto.Metadata{}
	for _, step := range l.Steps {
		found, ok := j.step(at, l, step)
		if !ok {
			return summary, false
		}
		links[step.Name] = found
	}
	reduced, ok := j.reduce(at, l, links)
	if !ok {
		return summary, false
	}
	for _, step := range l.Steps {
		if j.ctx.Err() != nil {
			return summary, false
		}
		why := violation(step, reduced)
		if !j.check(checkArtifacts, why == "", fmt.Sprintf("the rules of the step %q", step.Name), why, invalid(hintLinks, "%s, step %q: %s", at.name, step.Name, why)) {
			return summary, false
		}
	}
	// In-toto would now run the inspections' commands and compare what they find.
	j.check(checkInspection, len(l.Inspect) == 0, "none", inspections(l), unsupported(
		"verify it with in-toto where its commands may be run, or ask for a layout without inspections and name the files as SUBJECT",
		"%s demands inspections (%s), which are commands to be run here; nothing is ever run, though all else in it holds", at.name, inspections(l)))
	meta, err := in_toto.GetSummaryLink(l, reduced, at.name, false)
	if err != nil {
		return summary, false
	}
	summary, ok = meta.GetPayload().(in_toto.Link)
	return summary, ok
}

// reduce takes one link for each step, where all of a step say the same.
func (j *judge) reduce(at place, l in_toto.Layout, links map[string]map[string]in_toto.Metadata) (map[string]in_toto.Metadata, bool) {
	out := map[string]in_toto.Metadata{}
	for _, step := range l.Steps {
		one, err := in_toto.ReduceStepsMetadata(in_toto.Layout{Steps: []in_toto.Step{step}}, links)
		if !j.check(checkAgreement, err == nil, "the same materials and products in all links", fmt.Sprintf("step %q", step.Name),
			invalid(hintLinks, "%s, step %q: its links differ in materials or products", at.name, step.Name)) {
			return nil, false
		}
		out[step.Name] = one[step.Name]
		if out[step.Name] == nil { // only where the check is switched off
			out[step.Name] = links[step.Name][sortedKeys(links[step.Name])[0]]
		}
	}
	return out, true
}

func inspections(l in_toto.Layout) string {
	var names []string
	for _, i := range l.Inspect {
		names = append(names, i.Name)
	}
	return strings.Join(names, ", ")
}

// text words an error of the library in one line.
func text(err error) string {
	if err == nil {
		return ""
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// signed wants a signature of every key. The user gave the keys themselves, so
// by which name the layout calls them does not matter: tools disagree on how a
// key's id is made.
func (j *judge) signed(at place, doc in_toto.Metadata, keys []in_toto.Key) bool {
	for _, key := range keys {
		id := key.KeyID
		ok := slices.ContainsFunc(doc.Sigs(), func(s in_toto.Signature) bool {
			key.KeyID = s.KeyID
			return doc.VerifySignature(key) == nil
		})
		if !j.check(checkSignature, ok, id, "", invalid("give the key of the layout's owner with --layout-keys, or do not use this layout", "%s is not signed with the key %s", at.name, short(id))) {
			return false
		}
	}
	return true
}

func short(keyID string) string { return keyID[:min(len(keyID), shortID)] }

func (j *judge) current(at place, l in_toto.Layout) bool {
	end, err := time.Parse(in_toto.ISO8601DateSchema, l.Expires)
	return j.check(checkExpiry, err == nil && j.now.Before(end), "after "+j.now.UTC().Format(time.RFC3339), l.Expires,
		invalid("ask the layout's owner for a new one", "%s has expired at %s", at.name, l.Expires))
}
