package layout

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto"

	"countermark/provenance"
	"countermark/sbom/lazyregexp"
)

// shortID is how much of a key's id stands in the name of a link's file.
const shortID = 8

// understood refuses layouts that demand nothing, or whose demands in-toto-golang
// would pass over: a threshold of none, a pattern that it cannot read, a name that
// leads to another folder.
func (j *judge) understood(at place, l in_toto.Layout) bool {
	err := wellFormed(l)
	if !j.check(checkLayout, err == nil, "", text(err), invalid(hintOwner, "%s: %s", at.name, text(err))) {
		return false
	}
	name, found := parameter(l)
	if !j.check(checkParameters, !found, "none", name, unsupported("give the layout with its parameters filled in", "%s waits for the parameter %s, and there are none to give", at.name, name)) {
		return false
	}
	err = functionaries(l)
	return j.check(checkFunctions, err == nil, "", text(err), invalid(hintOwner, "%s: %s", at.name, text(err)))
}

func wellFormed(l in_toto.Layout) error {
	switch {
	case len(l.Steps) == 0:
		return errors.New("it has no steps, so it demands nothing")
	case len(l.Steps) > maxSteps:
		return fmt.Errorf("it has more than %d steps", maxSteps)
	}
	for _, step := range l.Steps {
		if strings.ContainsAny(step.Name, `/\`) || !fs.ValidPath(step.Name) || step.Name == "." {
			return fmt.Errorf("the name of the step %q is none of a file", provenance.Clip(step.Name))
		}
		if step.Threshold < 1 {
			return fmt.Errorf("the step %q is content with %d links", provenance.Clip(step.Name), step.Threshold)
		}
		for _, rules := range [][][]string{step.ExpectedMaterials, step.ExpectedProducts} {
			if err := understoodRules(rules); err != nil {
				return fmt.Errorf("the step %q: %w", provenance.Clip(step.Name), err)
			}
		}
	}
	return nil
}

// placeholder is where in-toto would put a parameter's value.
var placeholder = lazyregexp.New(`\{[a-zA-Z0-9_-]+\}`)

// parameter returns a parameter for which the rules wait. Left as it is, it would
// be a part of a file's name that no file has.
func parameter(l in_toto.Layout) (name string, found bool) {
	for _, step := range l.Steps {
		for _, rule := range slices.Concat(step.ExpectedMaterials, step.ExpectedProducts) {
			for _, word := range rule[1:] {
				if name := placeholder.FindString(word); name != "" {
					return name, true
				}
			}
		}
	}
	return "", false
}

// functionaries refuses keys that are none, and one key under several names where
// several people are demanded: thresholds count names.
func functionaries(l in_toto.Layout) error {
	for _, step := range l.Steps {
		var seen []crypto.PublicKey
		for _, id := range distinctIDs(step.PubKeys) {
			key, ok := l.Keys[id]
			if !ok {
				continue // nobody can sign with it
			}
			public, err := publicKey(key)
			if err != nil {
				return fmt.Errorf("the key %s: %w", short(id), err)
			}
			same := func(k crypto.PublicKey) bool { return sameKey(k, public) }
			if step.Threshold > 1 && slices.ContainsFunc(seen, same) {
				return fmt.Errorf("the step %q wants links of %d people, and has one key under two names", provenance.Clip(step.Name), step.Threshold)
			}
			seen = append(seen, public)
		}
	}
	return nil
}

func distinctIDs(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func sameKey(a, b crypto.PublicKey) bool {
	x, err := x509.MarshalPKIXPublicKey(a)
	if err != nil {
		return true // what cannot be told apart is the same
	}
	y, err := x509.MarshalPKIXPublicKey(b)
	return err != nil || slices.Equal(x, y)
}

// step returns the step's valid links by key, sublayouts replaced by their
// summaries.
func (j *judge) step(at place, l in_toto.Layout, step in_toto.Step) (map[string]in_toto.Metadata, bool) {
	what := fmt.Sprintf("%s, step %q", at.name, provenance.Clip(step.Name))
	found, trouble := j.collect(at, step)
	if j.ctx.Err() != nil {
		return nil, false
	}
	verified, err := j.verified(l, step, found)
	if err != nil {
		trouble = append(trouble, text(err))
	}
	links := map[string]in_toto.Metadata{}
	for _, id := range sortedKeys(verified) {
		link, err := j.resolve(at, l, step, id, verified[id])
		if err != nil {
			trouble = append(trouble, fmt.Sprintf("%s: %v", fileName(step.Name, id), err))
			continue
		}
		links[id] = link
	}
	for _, id := range sortedKeys(found) {
		if verified[id] == nil {
			trouble = append(trouble, fileName(step.Name, id)+": the signature does not hold")
		}
	}
	expected := fmt.Sprintf("%d links of different keys for the step %q", step.Threshold, step.Name)
	actual := fmt.Sprintf("%d valid", len(links))
	f := invalid(hintLinks, "%s needs %d links that are signed by different keys of its own; %d are valid", what, step.Threshold, len(links))
	switch {
	case len(links) < step.Threshold && len(step.CertificateConstraints) > 0:
		f = unsupported("give links that are signed with the step's keys", "%s may be signed by certificates, which are not judged; with keys, %d of %d links are valid", what, len(links), step.Threshold)
	case len(found) == 0 && len(trouble) == 0:
		f = failure{state: provenance.Absent, reason: what + " has no links", hint: "give the folder with the links of all steps with --link-dir"}
	}
	if len(trouble) > 0 {
		f.reason += ": " + strings.Join(trouble, "; ")
		actual += ": " + strings.Join(trouble, "; ")
	}
	if !j.check(checkThreshold, len(links) >= step.Threshold, expected, actual, f) {
		return nil, false
	}
	for _, t := range trouble {
		j.warn("%s: left out: %s", what, t)
	}
	if len(links) == 0 { // only where a check is switched off
		links[""] = &in_toto.Metablock{Signed: in_toto.Link{Type: "link", Name: step.Name}}
	}
	j.compareCommands(what, step, links)
	return links, true
}

// verified returns those of a step's links whose signatures hold.
func (j *judge) verified(l in_toto.Layout, step in_toto.Step, found map[string]in_toto.Metadata) (map[string]in_toto.Metadata, error) {
	if j.skip[demandLinkSignature] {
		return found, nil
	}
	one := in_toto.Layout{Steps: []in_toto.Step{step}, Keys: l.Keys}
	one.Steps[0].CertificateConstraints = nil // a certificate proves nothing without a time at which it held
	one.Steps[0].Threshold = 0                // counted by the caller, in words of our own
	links, err := in_toto.VerifyLinkSignatureThesholds(one, map[string]map[string]in_toto.Metadata{step.Name: found}, x509.NewCertPool(), x509.NewCertPool())
	return links[step.Name], err
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func fileName(step, keyID string) string { return step + "." + short(keyID) + ".link" }

// collect reads the step's links by the key that each is said to be signed with.
// What cannot be used is named.
func (j *judge) collect(at place, step in_toto.Step) (found map[string]in_toto.Metadata, trouble []string) {
	found = map[string]in_toto.Metadata{}
	// Ask for the type first: opening a pipe would wait for somebody to write.
	info, err := fs.Stat(at.links, at.dir)
	if err != nil || !info.IsDir() {
		return found, []string{"there is no folder of its links"}
	}
	entries, err := fs.ReadDir(at.links, at.dir)
	if err != nil {
		return found, []string{"the folder of its links cannot be read"}
	}
	for _, e := range entries {
		id, ok := strings.CutPrefix(e.Name(), step.Name+".")
		if !ok {
			continue
		}
		id, ok = strings.CutSuffix(id, ".link")
		if !ok || len(id) != shortID || j.ctx.Err() != nil {
			continue
		}
		// Who fills the folder with files of no key does not use up the limits.
		ofStep := slices.ContainsFunc(step.PubKeys, func(key string) bool { return strings.HasPrefix(key, id) })
		if !ofStep && !j.skip[demandLinkKey] {
			trouble = append(trouble, e.Name()+": it is named after no key of this step")
			continue
		}
		doc, err := j.read(at.links, path.Join(at.dir, e.Name()))
		if err != nil {
			trouble = append(trouble, fmt.Sprintf("%s: %v", e.Name(), err))
			continue
		}
		used := false
		for _, s := range doc.Sigs() {
			switch {
			case strings.HasPrefix(s.KeyID, id) && slices.Contains(step.PubKeys, s.KeyID):
				found[s.KeyID], used = doc, true
			case j.skip[demandLinkKey]:
				found[keyNamed(step, id, s.KeyID)], used = doc, true
			}
		}
		if !used {
			trouble = append(trouble, e.Name()+": it is signed with no key of this step")
		}
	}
	return found, trouble
}

// keyNamed returns the step's key that a file is named after; the signature's own
// where it is none of the step's.
func keyNamed(step in_toto.Step, id, own string) string {
	for _, key := range step.PubKeys {
		if strings.HasPrefix(key, id) {
			return key
		}
	}
	return own
}

// read reads one file of a folder of links.
func (j *judge) read(links fs.FS, name string) (in_toto.Metadata, error) {
	if j.links++; j.links > maxLinks {
		return nil, fmt.Errorf("more than %d links", maxLinks)
	}
	// As for a folder: a pipe is not opened.
	info, err := fs.Stat(links, name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("it cannot be read, or is no file of this folder")
	}
	f, err := links.Open(name)
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	if j.total += int64(len(data)); j.total > maxTotal {
		return nil, fmt.Errorf("all links together are larger than %d bytes", maxTotal)
	}
	return parse(data)
}

// resolve returns a verified link in the form in which it is compared, or the
// summary of a sublayout in its place.
func (j *judge) resolve(at place, l in_toto.Layout, step in_toto.Step, id string, doc in_toto.Metadata) (in_toto.Metadata, error) {
	link, isLink := doc.GetPayload().(in_toto.Link)
	if !isLink {
		if at.depth+1 > maxDepth {
			return nil, fmt.Errorf("layouts are nested deeper than %d", maxDepth)
		}
		dir := step.Name + "." + short(id)
		// Not fs.Sub: what it returns has no Stat, so that to ask for a file's type
		// would open it.
		inner := place{name: at.name + ", sublayout " + dir, links: at.links, dir: path.Join(at.dir, dir), depth: at.depth + 1}
		summary, ok := j.layout(inner, doc, []in_toto.Key{l.Keys[id]})
		if !ok {
			return nil, errors.New("its sublayout does not hold")
		}
		link = summary
	} else if link.Name != step.Name && !j.skip[demandLinkStep] {
		// Else whoever may do two steps could pass the one off as the other.
		return nil, fmt.Errorf("it is of the step %q", provenance.Clip(link.Name))
	}
	var err error
	if link.Materials, err = j.cleaned(link.Materials); err != nil {
		return nil, err
	}
	if link.Products, err = j.cleaned(link.Products); err != nil {
		return nil, err
	}
	return &in_toto.Metablock{Signed: link}, nil
}

// cleaned returns artifacts under their shortest names. The library compares
// some names as they are written and others shortened, so that of two spellings
// of one name it would see now this one and now that.
func (j *judge) cleaned(artifacts map[string]in_toto.HashObj) (map[string]in_toto.HashObj, error) {
	if len(artifacts) > maxArtifacts {
		return nil, fmt.Errorf("more than %d artifacts", maxArtifacts)
	}
	out := make(map[string]in_toto.HashObj, len(artifacts))
	for _, name := range sortedKeys(artifacts) {
		digests := artifacts[name]
		short := path.Clean(name)
		if _, twice := out[short]; twice && !j.skip[demandLinkNames] {
			return nil, fmt.Errorf("it names %q twice", provenance.Clip(short))
		}
		if !bound(digests) && !j.skip[demandLinkDigests] {
			return nil, fmt.Errorf("%q has no digest that binds its bytes", provenance.Clip(name))
		}
		out[short] = digests
	}
	return out, nil
}

// binding are the digests that tie a name to bytes, with their sizes in bytes.
// Git's stand for what is in a repository, where nothing else is recorded.
var binding = map[string][]int{
	"sha256": {32}, "sha384": {48}, "sha512": {64},
	"gitCommit": {20, 32}, "gitTag": {20, 32}, "gitTree": {20, 32}, "gitBlob": {20, 32},
}

func bound(digests in_toto.HashObj) bool {
	for algorithm, value := range digests {
		raw, err := hex.DecodeString(value)
		if err == nil && slices.Contains(binding[algorithm], len(raw)) {
			return true
		}
	}
	return false
}

// compareCommands warns where a step was done by another command than the layout
// expects, as the specification has it: commands are not reproducible enough to
// refuse one (section 4.3.1).
func (j *judge) compareCommands(what string, step in_toto.Step, links map[string]in_toto.Metadata) {
	for _, id := range sortedKeys(links) {
		link, ok := links[id].GetPayload().(in_toto.Link)
		// A sublayout's summary has a name and a command of its own.
		if ok && link.Name == step.Name && len(step.ExpectedCommand) > 0 && !slices.Equal(link.Command, step.ExpectedCommand) {
			j.warn("%s: %s says that another command was run than the layout expects", what, fileName(step.Name, id))
		}
	}
}
