package provenance

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countermark/provenance/provenancetest"
)

// FuzzMutatedStructure changes a genuine bundle where its parts are: bits of what
// is encoded, fields that are dropped, repeated, moved, of another type, or taken
// from another genuine bundle. Whatever is accepted has to be, in all that was
// signed and logged, one of the genuine ones.
func FuzzMutatedStructure(f *testing.F) {
	v := verifier(f, everybody(f))
	cases := mutable(f)
	f.Add([]byte{0})
	for which := range byte(len(cases)) {
		for op := range byte(mutations) {
			for at := range byte(40) { // more than a bundle has places
				f.Add([]byte{which, op, 0, at, 7})
			}
		}
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		c := cases[int(script[0])%len(cases)]
		tree := decoded(c.set.Attestations[c.at].Bundle)
		donor := decoded(c.donor)
		for script = script[1:min(len(script), 1+4*maxMutations)]; len(script) >= 4; script = script[4:] {
			mutate(tree, donor, script[0], int(script[1])<<8|int(script[2]), int(script[3]))
		}
		changed := must(json.Marshal(tree))
		set := c.set
		set.Attestations = slices.Clone(set.Attestations)
		set.Attestations[c.at].Bundle = changed
		if got := v.Package(c.s, c.e, set); got.State != Verified {
			return
		}
		have := provenOf(changed)
		if !cmp.Equal(have, provenOf(c.set.Attestations[c.at].Bundle)) && !cmp.Equal(have, provenOf(c.donor)) {
			t.Errorf("accepted: %s", changed)
		}
	})
}

// mutableCase is a set that holds, with the bundle in it that is changed.
type mutableCase struct {
	s     Subject
	e     Expectation
	set   Set
	at    int
	donor []byte // another genuine bundle
}

func mutable(t testing.TB) []mutableCase {
	t.Helper()
	own := func(sign func(as *provenancetest.Signer)) Set { return provenanceBy(sign, nil)(t) }
	record2 := func(as *provenancetest.Signer) { stamped(as); as.Entry = provenancetest.Record2 }
	other := must(json.Marshal(otherRelease(t)))
	return []mutableCase{
		{realSubject(), realExpectation(), realSet(t), 0, realSet(t).Attestations[1].Bundle},
		{realSubject(), realExpectation(), realSet(t), 1, read(t, "sigstore-2.0.0", "bundle-provenance.json")},
		{honestSubject(), honestExpectation(), own(stamped), 1, other},
		{honestSubject(), honestExpectation(), own(record2), 1, own(record2).Attestations[1].Bundle},
		{honestSubject(), honestExpectation(), own(stamped), 0, other},
	}
}

// proven is what was signed and logged of a bundle.
type proven struct {
	Payload, Type, Signature, Certificate string
	Key                                   string
	Entries                               []entryOf
}

type entryOf struct {
	Body, Log       string
	Index, LoggedAt int64
}

func provenOf(bundle []byte) proven {
	o := must(open(bundle))
	envelope := o.bundle.GetDsseEnvelope()
	p := proven{Payload: string(envelope.GetPayload()), Type: envelope.GetPayloadType(), Key: o.keyHint}
	for _, s := range envelope.GetSignatures() {
		p.Signature += string(s.GetSig())
	}
	material := o.bundle.GetVerificationMaterial()
	p.Certificate = string(material.GetCertificate().GetRawBytes())
	if list := material.GetX509CertificateChain().GetCertificates(); len(list) > 0 {
		p.Certificate = string(list[0].GetRawBytes())
	}
	for _, e := range material.GetTlogEntries() {
		p.Entries = append(p.Entries, entryOf{string(e.GetCanonicalizedBody()), string(e.GetLogId().GetKeyId()), e.GetLogIndex(), e.GetIntegratedTime()})
	}
	return p
}

// place is a value in a tree, and how to put another in its stead.
type place struct {
	path   []string
	value  any
	set    func(v any)
	remove func()
}

// places lists all values below a node, in a fixed order.
func places(path []string, node any) []place {
	var out []place
	add := func(name string, p place) {
		p.path = append(slices.Clone(path), name)
		out = append(out, p)
		out = append(out, places(p.path, p.value)...)
	}
	switch n := node.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(n)) {
			add(k, place{value: n[k], set: func(v any) { n[k] = v }, remove: func() { delete(n, k) }})
		}
	case []any:
		for i := range n {
			add("0", place{value: n[i], set: func(v any) { n[i] = v }, remove: func() { n[i] = nil }})
		}
	}
	return out
}

const (
	mutations    = 10 // kinds of them
	maxMutations = 8  // of one bundle: after more, nothing is left to be accepted
)

func cloned(v any) any {
	var out any
	if err := json.Unmarshal(must(json.Marshal(v)), &out); err != nil {
		panic(err)
	}
	return out
}

// mutate does one thing to one place of the tree.
func mutate(tree, donor map[string]any, op byte, at, arg int) {
	list := places(nil, tree)
	if len(list) == 0 {
		return
	}
	p, other := list[at%len(list)], list[(at+arg)%len(list)]
	text, _ := p.value.(string)
	many, _ := p.value.([]any)
	switch op % mutations {
	case 0:
		p.set(flipped(text, arg))
	case 1:
		p.remove()
	case 2: // once more, at its end or under protobuf's other name
		if len(many) > 0 {
			p.set(append(slices.Clone(many), cloned(many[arg%len(many)])))
		} else if m, ok := parent(tree, p.path).(map[string]any); ok {
			m[snake(p.path[len(p.path)-1])] = cloned(p.value)
		}
	case 3:
		slices.Reverse(many)
	case 4:
		if from := lookUp(donor, p.path); from != nil {
			p.set(from)
		}
	case 5:
		p.set([]any{nil, true, 0, 1.5, "", []any{}, map[string]any{}, []any{cloned(p.value)}, map[string]any{"x": cloned(p.value)}}[arg%9])
	case 6:
		p.set(cloned(other.value)) // a value that holds itself would have no end
	case 7: // the same bytes, written otherwise
		p.set(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "="))
	case 8:
		if from, ok := lookUp(donor, p.path).([]any); ok && len(many) > 0 {
			p.set(slices.Concat(many, from))
		}
	case 9:
		p.set([]any{"0", "1", "-1", "9223372036854775807", "AAAA", "application/vnd.dev.sigstore.bundle.v0.3+json", text + "=", " " + text}[arg%8])
	}
}

func flipped(text string, arg int) string {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		if text == "" {
			return "A"
		}
		raw := []byte(text)
		raw[arg%len(raw)] ^= 1
		return string(raw)
	}
	raw[arg*len(raw)/256] ^= 1 << (arg % 8)
	return base64.StdEncoding.EncodeToString(raw)
}

func parent(tree any, path []string) any { return lookUp(tree, path[:len(path)-1]) }

// lookUp follows a path; in lists, the first element stands for all.
func lookUp(node any, path []string) any {
	for _, name := range path {
		switch n := node.(type) {
		case map[string]any:
			node = n[name]
		case []any:
			if len(n) == 0 {
				return nil
			}
			node = n[0]
		default:
			return nil
		}
	}
	return node
}

func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
