package provenance

import (
	"cmp"
	"fmt"
	"slices"

	"countermark/sbom"
)

// Subjects returns what in the inventory has a provenance to prove, in the
// inventory's order: every package that is not the project's own, and every
// configured server that launches something which is no package. A remote
// server runs elsewhere and one that is built into its client comes with that,
// so neither is a subject.
func Subjects(inv *sbom.Inventory) []Subject {
	var out []Subject
	chosen := launchRegistries(inv)
	for _, c := range inv.Components {
		switch {
		case c.Source == sbom.FromProject, c.Type == sbom.FileType:
		case c.Server != nil:
			if s, ok := serverSubject(c); ok {
				out = append(out, s)
			}
		default:
			s := packageSubject(c)
			switch chooses := slices.ContainsFunc(chosen[c.Ref], func(url string) bool { return url != "" }); {
			case !chooses:
			case s.Ecosystem == sbom.PyPI && s.Unsupported == "":
				s.Unsupported = "its launch chooses an index of its own, which nobody asks"
			case s.Ecosystem == sbom.NPM:
				s.Registries = chosen[c.Ref]
				if len(c.Hashes) > 0 { // it stands in a lockfile too
					s.Registries = append(s.Registries, "")
				}
			}
			out = append(out, s)
		}
	}
	return out
}

// launchRegistries returns by ref from where its launches have it fetched: the
// registries that they name, redacted, or "" for a launch that names none. Another
// registry than the user's has other packages under the same names.
func launchRegistries(inv *sbom.Inventory) map[string][]string {
	chosen := map[string][]string{}
	for _, c := range inv.Components {
		if c.Server == nil {
			continue
		}
		var named []string
		for _, r := range c.Server.Risks {
			if r.Code == sbom.RiskRegistry {
				named = append(named, cmp.Or(r.URL, sbom.Redacted))
			}
		}
		if named == nil {
			named = []string{""}
		}
		for _, l := range c.Server.Launches {
			chosen[l.Ref] = append(chosen[l.Ref], named...)
		}
	}
	return chosen
}

func packageSubject(c *sbom.Component) Subject {
	s := Subject{Ref: c.Ref, PURL: c.PURL, Ecosystem: c.Ecosystem, Name: c.Name, Version: c.Version}
	for _, h := range c.Hashes {
		s.Digests = append(s.Digests, Digest{Algorithm: h.Algorithm, Value: h.Value})
	}
	if len(s.Digests) > 0 {
		s.DigestFrom = "lockfile"
		if c.Answered {
			s.DigestFrom = "registry"
		}
	}
	if c.Source == sbom.FromRegistry {
		s.Resolved = c.Resolved
	}
	if d, err := ParseDigest(c.Version); err == nil { // an image's version is its digest
		s.Digests, s.DigestFrom = append(s.Digests, d), "configuration"
	}
	ecosystem, known := ecosystems[c.Ecosystem]
	s.Unsupported = sources[c.Source]
	switch {
	case s.Unsupported != "":
	case c.Ecosystem == "":
		s.Unsupported = "it is no package of a registry"
	case !known:
		s.Unsupported = unread(c.Ecosystem)
	case c.Version == "":
		s.Unsupported = ecosystem.floating
	}
	return s
}

// sources says of packages that do not come from a registry why there can be no
// attestation of theirs.
var sources = map[sbom.Source]string{
	sbom.FromGit:     "a git dependency: its bytes are built on this machine",
	sbom.FromTarball: "a tarball from a URL that is no registry's",
	sbom.FromFile:    "a local file or folder",
	sbom.FromLink:    "a link to a local folder",
	// The tarball around it is what gets attested. That its bytes are those of
	// the release whose name they bear, nobody says.
	sbom.FromParent: "bundled inside another package's tarball, which is proven in its place",
}

// serverSubject returns the subject of a server whose outermost launch has no
// component of its own.
func serverSubject(c *sbom.Component) (Subject, bool) {
	kind := c.Server.Kind
	if len(c.Server.Launches) > 0 {
		kind = c.Server.Launches[0].Kind
		if c.Server.Launches[0].Ref != "" {
			return Subject{}, false
		}
	}
	if kind == sbom.KindRemote || kind == sbom.KindBuiltin {
		return Subject{}, false
	}
	reason, ok := kinds[kind]
	if !ok {
		reason = fmt.Sprintf("a launch of the kind %q cannot be attested yet", kind)
	}
	if c.Server.Reason != "" {
		reason += ": " + c.Server.Reason
	}
	return Subject{Ref: c.Ref, Name: c.Name, Unsupported: clip(reason)}, true
}

var kinds = map[sbom.Kind]string{
	sbom.KindLocal:         "a local path",
	sbom.KindBinary:        "a program of this machine",
	sbom.KindContainerExec: "a running container",
	sbom.KindShellScript:   "a shell script that was not analysed",
	sbom.KindUnknown:       "a launch that was not understood",
	sbom.KindMCPB:          "a bundle without a registry",
}
