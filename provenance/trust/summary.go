package trust

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
)

// Summary is what a Material trusts, for people and for JSON. Authorities of
// several sigstore instances say which of them they are of: no two are trusted
// together.
type Summary struct {
	TrustedRoot            File        `json:"trustedRoot"`
	NPMKeys                File        `json:"npmKeys"`
	OtherKeys              []File      `json:"otherKeys,omitempty"` // of further registries
	CertificateAuthorities []Authority `json:"certificateAuthorities"`
	TransparencyLogs       []Authority `json:"transparencyLogs"`
	CertificateLogs        []Authority `json:"certificateLogs"`
	TimestampAuthorities   []Authority `json:"timestampAuthorities"`
	Keys                   []KeyFacts  `json:"keys"`
}

// File identifies one of the two files.
type File struct {
	SHA256 string `json:"sha256"`
	Source string `json:"source"`
	AsOf   string `json:"asOf,omitempty"`
	// Registry is the URL of the registry whose keys they are, where it is named.
	Registry string `json:"registry,omitempty"`
	// Instances are the SHA-256 of each trusted root, where the file has several.
	Instances []string `json:"instances,omitempty"`
}

// Authority is somebody who is trusted, and when. Its strings are those of the
// file, so they may be foreign.
type Authority struct {
	Instance int       `json:"instance,omitempty"` // counted from 1; 0 where there is only one
	Name     string    `json:"name,omitempty"`     // of the root certificate
	URL      string    `json:"url"`
	ID       string    `json:"id,omitempty"` // of a log, hex
	Start    time.Time `json:"start"`
	End      time.Time `json:"end,omitzero"` // zero where no end is set
}

// KeyFacts is a key without its bytes.
type KeyFacts struct {
	Registry string    `json:"registry,omitempty"` // where it is named
	ID       string    `json:"id"`
	Usage    Usage     `json:"usage"`
	Start    time.Time `json:"start,omitzero"`
	End      time.Time `json:"end,omitzero"`
}

// Summary says what m trusts, each list by instance and start of validity.
func (m *Material) Summary() Summary {
	s := Summary{
		TrustedRoot:            File{SHA256: m.Root.SHA256, Source: m.Root.Source, AsOf: m.Root.AsOf, Instances: m.Root.Parts()},
		NPMKeys:                File{SHA256: m.Keys.SHA256, Source: m.Keys.Source, AsOf: m.Keys.AsOf, Registry: m.Keys.Registry},
		CertificateAuthorities: []Authority{}, TransparencyLogs: []Authority{}, CertificateLogs: []Authority{}, TimestampAuthorities: []Authority{},
	}
	for i, in := range m.Root.Instances {
		number := i + 1
		if len(m.Root.Instances) == 1 {
			number = 0
		}
		s.CertificateAuthorities = append(s.CertificateAuthorities, authorities(number, in.pb.GetCertificateAuthorities())...)
		s.TransparencyLogs = append(s.TransparencyLogs, logs(number, in.pb.GetTlogs())...)
		s.CertificateLogs = append(s.CertificateLogs, logs(number, in.pb.GetCtlogs())...)
		s.TimestampAuthorities = append(s.TimestampAuthorities, authorities(number, in.pb.GetTimestampAuthorities())...)
	}
	for i, keys := range append([]*Keys{m.Keys}, m.OtherKeys...) {
		if i > 0 {
			s.OtherKeys = append(s.OtherKeys, File{SHA256: keys.SHA256, Source: keys.Source, AsOf: keys.AsOf, Registry: keys.Registry})
		}
		for _, k := range keys.keys {
			s.Keys = append(s.Keys, KeyFacts{Registry: keys.Registry, ID: k.ID, Usage: k.Usage, Start: k.Start, End: k.End})
		}
	}
	return s
}

// Parts returns the SHA-256 of each of the file's trusted roots, where it has
// several.
func (r *Root) Parts() []string {
	if len(r.Instances) < 2 {
		return nil
	}
	var out []string
	for _, in := range r.Instances {
		out = append(out, in.SHA256)
	}
	return out
}

func authorities(instance int, list []*prototrustroot.CertificateAuthority) []Authority {
	out := make([]Authority, 0, len(list))
	for _, ca := range list {
		a := Authority{Instance: instance, URL: ca.GetUri(), Name: strings.Trim(ca.GetSubject().GetOrganization()+" "+ca.GetSubject().GetCommonName(), " ")}
		a.Start, a.End = validity(ca.GetValidFor())
		out = append(out, a)
	}
	slices.SortStableFunc(out, byStart)
	return out
}

func logs(instance int, list []*prototrustroot.TransparencyLogInstance) []Authority {
	out := make([]Authority, 0, len(list))
	for _, l := range list {
		a := Authority{Instance: instance, URL: l.GetBaseUrl(), ID: hex.EncodeToString(l.GetLogId().GetKeyId())}
		a.Start, a.End = validity(l.GetPublicKey().GetValidFor())
		out = append(out, a)
	}
	slices.SortStableFunc(out, byStart)
	return out
}

func validity(r *protocommon.TimeRange) (start, end time.Time) {
	if r.GetStart() != nil {
		start = r.GetStart().AsTime()
	}
	if r.GetEnd() != nil {
		end = r.GetEnd().AsTime()
	}
	return start, end
}

func byStart(x, y Authority) int { return x.Start.Compare(y.Start) }

func byUsageAndID(x, y Key) int {
	return cmp.Or(cmp.Compare(x.Usage, y.Usage), cmp.Compare(x.ID, y.ID))
}

// Warning is something about the material that the user should mend.
type Warning struct {
	Message string
	Hint    string // the command or flag that mends it
}

// Stale returns what is too old at now: embedded files past MaxEmbeddedAge, and
// material of which nothing is valid any more. An old root fails closed (it
// knows no newer log or key), so this is a warning, never an answer.
func (m *Material) Stale(now time.Time) []Warning {
	var out []Warning
	old := func(asOf, format, hint string) {
		// A file says nothing of its date, so only what it holds can be judged.
		date, err := time.Parse(time.DateOnly, asOf)
		if err != nil || now.Sub(date) <= MaxEmbeddedAge {
			return
		}
		out = append(out, Warning{Message: fmt.Sprintf(format, asOf, int(now.Sub(date).Hours()/24)), Hint: hint})
	}
	old(m.Root.AsOf, "the embedded trusted root is from %s, %d days ago", "run `countermark trust update`, or give a newer one with --trusted-root FILE")
	old(m.Keys.AsOf, "the embedded npm keys are from %s, %d days ago", "run `countermark trust update`, or give newer ones with --npm-keys FILE")

	s := m.Summary()
	for i := range m.Root.Instances {
		which := "the trusted root"
		if len(m.Root.Instances) > 1 {
			which = fmt.Sprintf("trusted root %d", i+1)
		}
		if !slices.ContainsFunc(s.CertificateAuthorities, func(a Authority) bool { return max(a.Instance, 1) == i+1 && valid(a.Start, a.End, now) }) {
			out = append(out, Warning{Message: "no certificate authority of " + which + " is valid any more", Hint: "run `countermark trust update`, or give a newer one with --trusted-root FILE"})
		}
	}
	if !slices.ContainsFunc(s.Keys, func(k KeyFacts) bool { return k.Usage == Attestations && valid(k.Start, k.End, now) }) {
		out = append(out, Warning{Message: "no npm key for attestations is valid any more", Hint: "run `countermark trust update`, or give newer ones with --npm-keys FILE"})
	}
	return out
}

func valid(start, end, now time.Time) bool {
	return !now.Before(start) && (end.IsZero() || !now.After(end))
}
