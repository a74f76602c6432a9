package provenance

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"countermark/provenance/provenancetest"
	"countermark/provenance/pypi/pypitest"
	"countermark/provenance/trust"
	"countermark/sbom"
)

const (
	sdistName = "acme_tool-1.0.tar.gz"
	wheelName = "acme_tool-1.0-py3-none-any.whl"
)

func pypiSubject() Subject {
	return Subject{Ecosystem: sbom.PyPI, Name: "acme-tool", Version: "1.0", Ref: "pkg:pypi/acme-tool@1.0"}
}

func pypiBuild() provenancetest.Build {
	return provenancetest.Build{Package: "acme-tool", Version: "1.0", SHA512: "00", Repository: "https://github.com/acme/tool"}
}

// served is what an index serves for a file: the attestations of a provenance
// object whose publisher is the build's, unless publisher changes it.
func served(file string, b provenancetest.Build, publisher map[string]any, bundles ...[]byte) []Attestation {
	said := pypitest.Publisher(b)
	maps.Copy(said, publisher)
	list := must(ReadPEP740(must(pypitest.Provenance(said, bundles...)), file+".provenance"))
	for i := range list {
		list[i].File = file
	}
	return list
}

// published signs the publish attestation of a file with the content "x".
func published(t testing.TB, file string, as provenancetest.Signer) []byte {
	t.Helper()
	return must(ours(t).Sign(must(pypitest.Statement(file, pypitest.Sum("x"))), as))
}

// releaseOf is a release of one file with what is attested of it.
func releaseOf(list ...Attestation) Set {
	file := File{Name: sdistName, Digests: []Digest{{"sha256", pypitest.Sum("x")}}}
	return Set{Availability: Found, Files: []File{file}, Attestations: list}
}

// TestReleaseAttacks does the same as TestAttacks for the files of a Python
// release.
func TestReleaseAttacks(t *testing.T) {
	whole := func(t testing.TB, publisher map[string]any) Set {
		t.Helper()
		return releaseOf(served(sdistName, pypiBuild(), publisher, published(t, sdistName, pypiBuild().Identity()))...)
	}
	if got := verifier(t, ours(t).material).Release(pypiSubject(), Expectation{Repo: "https://github.com/acme/tool"}, whole(t, nil)); got.State != Verified {
		t.Fatalf("the honest release is %s (%s)", got.State, got.Reason)
	} else if got.Source.URI != "https://github.com/acme/tool" || got.Integrated.IsZero() {
		t.Errorf("it does not say what its certificate and the log do: %+v", got)
	}
	for _, a := range releaseAttacks(whole) {
		if a.off == nil {
			a.off = []string{a.check}
		}
		t.Run(a.name, func(t *testing.T) {
			set, e := a.set(t), Expectation{Repo: "https://github.com/acme/tool"}
			s := pypiSubject()
			if a.s != nil {
				a.s(&s)
			}
			got := verifier(t, ours(t).material).Release(s, e, set)
			failed := slices.ContainsFunc(got.Checks, func(c Check) bool { return c.Name == checkFile && !c.OK })
			if got.State != a.state || firstFailedOf(got) != a.check || got.Reason == "" || got.Hint == "" {
				t.Errorf("got %s, failed %q (%s), want %s, %q", got.State, firstFailedOf(got), got.Reason, a.state, a.check)
			}
			if !failed && a.check != checkReadable && a.s == nil {
				t.Errorf("no %s failed", checkFile)
			}
			decides(t, a.off, func(off []string) Result {
				m := ours(t).material
				if slices.Contains(off, trusted) {
					m = a.duped(t)
				}
				return blinded(t, m, off).Release(s, e, set)
			})
		})
	}
}

// firstFailedOf leaves out checkFile, which stands before the checks of its file
// and says that one of them failed.
func firstFailedOf(r Result) string {
	r.Checks = slices.DeleteFunc(slices.Clone(r.Checks), func(c Check) bool { return c.Name == checkFile })
	return firstFailed(r)
}

func releaseAttacks(whole func(t testing.TB, publisher map[string]any) Set) []attack {
	lying := func(publisher map[string]any) func(testing.TB) Set {
		return func(t testing.TB) Set { t.Helper(); return whole(t, publisher) }
	}
	// beside the honest publish attestation, given as it is in the object
	beside := func(more func(t testing.TB) Attestation) func(testing.TB) Set {
		return func(t testing.TB) Set {
			t.Helper()
			set := whole(t, nil)
			a := more(t)
			a.File = sdistName
			set.Attestations = append(set.Attestations, a)
			return set
		}
	}
	return []attack{
		{name: "a file that nobody attests", state: Invalid, check: checkFileAttested, set: func(t testing.TB) Set {
			set := whole(t, nil)
			set.Files = append(set.Files, File{Name: wheelName, Digests: []Digest{{"sha256", pypitest.Sum("y")}}})
			return set
		}},
		{name: "attestation for another version's file", state: Invalid, check: checkFileName, set: func(t testing.TB) Set {
			return releaseOf(served(sdistName, pypiBuild(), nil, published(t, "acme_tool-1.1.tar.gz", pypiBuild().Identity()))...)
		}},
		{name: "attestation for another project's file", state: Invalid, check: checkFileName, set: func(t testing.TB) Set {
			return releaseOf(served(sdistName, pypiBuild(), nil, published(t, "acme_t00l-1.0.tar.gz", pypiBuild().Identity()))...)
		}},
		{name: "attestation for another kind of file", state: Invalid, check: checkFileName, set: func(t testing.TB) Set {
			return releaseOf(served(sdistName, pypiBuild(), nil, published(t, wheelName, pypiBuild().Identity()))...)
		}},
		{name: "file of another version served as this one's", state: Invalid, check: checkFileName, set: func(t testing.TB) Set {
			set := releaseOf(served("acme_tool-1.1.tar.gz", pypiBuild(), nil, published(t, "acme_tool-1.1.tar.gz", pypiBuild().Identity()))...)
			set.Files[0].Name = "acme_tool-1.1.tar.gz"
			return set
		}},
		{name: "file swapped", state: Invalid, check: checkDigest, set: func(t testing.TB) Set {
			set := whole(t, nil)
			set.Files[0].Digests[0].Value = pypitest.Sum("y")
			return set
		}},
		{name: "pinned digest is of no file", state: Invalid, check: checkDigest, set: lying(nil), s: func(s *Subject) {
			s.Digests = []Digest{{"sha256", pypitest.Sum("y")}}
		}},

		// The publisher that the index names is nobody's word, and still may not lie.
		{name: "publisher of another repository", state: Invalid, check: checkPublisher, set: lying(map[string]any{"repository": "evil/tool"})},
		{name: "publisher of another workflow", state: Invalid, check: checkPublisher, set: lying(map[string]any{"workflow": "evil.yml"})},
		{name: "publisher at another host", state: Invalid, check: checkPublisher, set: lying(map[string]any{"kind": "GitLab"})},
		{name: "publisher is a service account", state: Invalid, check: checkPublisher, set: lying(map[string]any{"kind": "Google", "email": "a@acme.example"})},

		// The attestations.
		{name: "signed with the registry's key", state: Invalid, check: checkFileCertificate, off: []string{checkFileCertificate, library, checkCertificate, checkIssuer, checkRepository}, set: beside(func(t testing.TB) Attestation {
			return Attestation{Bundle: published(t, sdistName, provenancetest.Signer{Key: true})}
		})},
		{name: "signed twice", state: Invalid, check: checkOneSignature, off: []string{checkOneSignature, librarySignature}, set: beside(func(t testing.TB) Attestation {
			return Attestation{Bundle: twice(t, published(t, sdistName, pypiBuild().Identity()))}
		})},
		{name: "two subjects", state: Invalid, check: checkOneSubject, set: beside(func(t testing.TB) Attestation {
			more := swap(`"subject":[`, `"subject":[{"name":"`+sdistName+`","digest":{"sha256":"`+pypitest.Sum("x")+`"}},`)
			return Attestation{Bundle: must(ours(t).Sign([]byte(more(string(must(pypitest.Statement(wheelName, pypitest.Sum("y")))))), pypiBuild().Identity()))}
		})},
		{name: "signed with another key than the certificate's", state: Invalid, check: checkSigned, off: []string{librarySignature}, set: beside(func(t testing.TB) Attestation {
			as := pypiBuild().Identity()
			as.Forged = true
			return Attestation{Bundle: published(t, sdistName, as)}
		})},
		{name: "names no sha256", state: Invalid, check: checkSigned, off: []string{checkSigned, librarySignature, checkDigest}, set: beside(func(t testing.TB) Attestation {
			statement := swap(`"sha256"`, `"md5"`)(string(must(pypitest.Statement(sdistName, pypitest.Sum("x")))))
			return Attestation{Bundle: must(ours(t).Sign([]byte(statement), pypiBuild().Identity()))}
		})},
		{name: "certificate says two things", state: Invalid, check: checkCertificate, set: beside(func(t testing.TB) Attestation {
			as := pypiBuild().Identity()
			as.Extensions.GithubWorkflowRef = "refs/heads/other"
			return Attestation{Bundle: published(t, sdistName, as)}
		})},
		{name: "statement that can be read in two ways", state: Invalid, check: checkReadable, set: beside(func(t testing.TB) Attestation {
			more := swap(`"predicateType":`, `"predicateType":"https://example.com/other","predicateType":`)
			return Attestation{Bundle: must(ours(t).Sign([]byte(more(string(must(pypitest.Statement(sdistName, pypitest.Sum("x")))))), pypiBuild().Identity()))}
		})},
		{name: "stranger's certificate authority", state: Invalid, check: checkSigned, off: []string{trusted}, duped: func(t testing.TB) *trust.Material {
			t.Helper()
			return believing(t, impostor(t, provenancetest.Fulcio))
		}, set: beside(func(t testing.TB) Attestation {
			return Attestation{Bundle: must(impostor(t, provenancetest.Fulcio).Sign(must(pypitest.Statement(sdistName, pypitest.Sum("x"))), pypiBuild().Identity()))}
		})},
		{name: "garbage beside", state: Invalid, check: checkReadable, set: beside(func(testing.TB) Attestation { return Attestation{Bundle: []byte("{}")} })},
		{name: "too many", state: Invalid, check: checkSetSize, set: func(t testing.TB) Set {
			set := whole(t, nil)
			for range MaxAttestations {
				set.Attestations = append(set.Attestations, set.Attestations[0])
			}
			return set
		}},

		// Genuine, but not what is expected; and provenance beside.
		{name: "fork", state: Mismatch, check: checkRepository, set: func(t testing.TB) Set {
			b := pypiBuild()
			b.Repository = "https://github.com/evil/tool"
			return releaseOf(served(sdistName, b, nil, published(t, sdistName, b.Identity()))...)
		}},
		{name: "fork's publication beside", state: Mismatch, check: checkRepository, set: func(t testing.TB) Set {
			set, b := whole(t, nil), pypiBuild()
			b.Repository = "https://github.com/evil/tool"
			set.Attestations = append(set.Attestations, served(sdistName, b, nil, published(t, sdistName, b.Identity()))...)
			return set
		}},
		{name: "provenance contradicts its certificate", state: Invalid, check: checkClaimCommit, set: beside(func(t testing.TB) Attestation {
			b := pypiBuild()
			b.Claim = func(b *provenancetest.Build) { b.Commit = strings.Repeat("1", 40) }
			return Attestation{Bundle: must(ours(t).ProvenanceOf(b, sdistName, pypitest.Sum("x")))}
		})},
		{name: "provenance of another file", state: Invalid, check: checkDigest, set: beside(func(t testing.TB) Attestation {
			return Attestation{Bundle: must(ours(t).ProvenanceOf(pypiBuild(), sdistName, pypitest.Sum("y")))}
		})},
	}
}

// TestImageRecords: what an image's result says of several attestations, and of
// those that could not be fetched, decides nothing. It follows from the
// provenances: once one of them holds, they are content.
func TestImageRecords(t *testing.T) {
	b := imageBuild()
	b.Repository = "https://github.com/evil/server"
	stranger := Attestation{Bundle: must(ours(t).ProvenanceOf(b, "x", imageDigest))}
	set := Set{Availability: Found, Attestations: []Attestation{stranger, stranger}, Incomplete: "one is missing"}
	v := verifier(t, ours(t).material)
	for _, c := range []struct {
		skip  map[string]bool
		state State
		ok    bool
	}{
		{nil, Mismatch, false},
		{map[string]bool{checkOneHolds: true, checkComplete: true}, Mismatch, false},
		{map[string]bool{checkRepository: true}, Verified, true},
	} {
		v.skip = c.skip
		got := v.Image(imageSubject(), Expectation{Repo: "https://github.com/acme/server"}, set)
		said := map[string]bool{}
		for _, check := range got.Checks {
			said[check.Name] = check.OK
		}
		one, named := said[checkOneHolds]
		all, named2 := said[checkComplete]
		if got.State != c.state || !named || !named2 || one != c.ok || all != c.ok {
			t.Errorf("without %v: %s (%s), %s", c.skip, got.State, got.Reason, must(json.Marshal(said)))
		}
	}
}
