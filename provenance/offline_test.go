package provenance

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"countermark/provenance/trust"
)

// unplug makes every dial by net/http's own transport, and every look-up of a
// name, fail the test.
func unplug(t *testing.T) {
	t.Helper()
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		t.Errorf("somebody dials %s %s", network, address)
		return nil, errors.New("the network is forbidden")
	}
	transport := as[*http.Transport](http.DefaultTransport)
	resolver := net.DefaultResolver
	oldDial, oldLookUp, oldGo := transport.DialContext, resolver.Dial, resolver.PreferGo
	t.Cleanup(func() { transport.DialContext, resolver.Dial, resolver.PreferGo = oldDial, oldLookUp, oldGo })
	transport.DialContext, resolver.Dial, resolver.PreferGo = dial, dial, true
}

// realBundles are real bundles for files and digests, with the answer that each
// has to get.
func realBundles() []realBundle {
	email := Identity{CertificateRegexp: ".+@.+", Issuer: "https://github.com/login/oauth"}
	demo := Identity{Source: Expectation{Repo: "https://github.com/actions/attest-demo"}}
	sigstoreJS := Identity{Source: Expectation{Repo: realRepo, Ref: realRef, Workflow: realWorkflow, DenySelfHosted: true}}
	return []realBundle{
		{file: "sigstore-1.3.0/bundle-provenance.json", digest: "sha512:" + realSHA512, id: Identity{Source: Expectation{Repo: realRepo}}, state: Verified},
		{file: "sigstore-2.0.0/bundle-provenance.json", digest: "sha512:" + real200SHA512, id: sigstoreJS, state: Verified},
		{file: "github-cli/sigstore-js-2.1.0-bundle.json", digest: "sha512:" + real210SHA512, id: sigstoreJS, state: Verified},
		{file: "github-cli/sigstore-js-2.1.0-bundle.json", digest: "sha512:" + real200SHA512, id: sigstoreJS, state: Invalid},
		{file: "github-cli/sigstore-js-2.1.0-bundle-v0.1.json", digest: "sha512:" + real210SHA512, id: sigstoreJS, state: Verified},
		{file: "github-cli/sigstore-js-2.1.0-bundle-v0.1.json", digest: "sha512:" + real210SHA512, id: Identity{Source: Expectation{Repo: realRepo + "2"}}, state: Mismatch},
		{file: "sigstore-go/dsse.sigstore.json", digest: emailSHA512, id: email, state: Verified},
		{file: "sigstore-go/dsse.sigstore.json", digest: emailSHA512, id: Identity{Certificate: "a@acme.example", Issuer: email.Issuer}, state: Mismatch},
		{file: "sigstore-go/dsse-2sigs.sigstore.json", digest: emailSHA512, id: email, state: Invalid},
		{
			file: "sigstore-go/othername.sigstore.json", root: "sigstore-go/scaffolding.json", digest: "sha256:bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b",
			id: Identity{Certificate: "foo!oidc.local", Issuer: "http://oidc.local:8080"}, state: Verified,
		},
		{ // the certificate's other name is no address
			file: "sigstore-go/othername.sigstore.json", root: "sigstore-go/scaffolding.json", digest: "sha256:bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b",
			id: Identity{Certificate: "foo@oidc.local", Issuer: "http://oidc.local:8080"}, state: Mismatch,
		},
		{file: "sigstore-go/othername.sigstore.json", digest: "sha256:bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b", id: Identity{Certificate: "foo!oidc.local", Issuer: "http://oidc.local:8080"}, state: Invalid},
		{file: "sigstore-go/public-key-validity.sigstore.json", root: "sigstore-go/public-key-validity.json", digest: keyedSHA256, key: "sigstore-go/public-key-validity.pem", state: Verified},
		{file: "sigstore-go/public-key-validity.sigstore.json", digest: keyedSHA256, key: "sigstore-go/public-key-validity.pem", state: Invalid}, // the public root demands a log
		{
			file: "github-cli/reusable-workflow-attestation.sigstore.json", digest: "sha256:49a3aa6075e0f49f82843e74b5baa614ad2a588e6675612bf108a0a008c5ac25",
			id: Identity{Certificate: "https://github.com/github/artifact-attestations-workflows/.github/workflows/attest.yml@09b495c3f12c7881b3cc17209a327792065c1a1d", Issuer: IssuerGitHub}, state: Verified,
		},
		{
			file: "github-cli/custom-issuer.sigstore.json", digest: "sha256:afa27b44d43b02a9fea41d13cedc2e4016cfcf87c5dbf990e593669aa8ce286d",
			id: Identity{Certificate: "https://github.com/too-legit/attest/.github/workflows/integration.yml@refs/heads/main", Issuer: IssuerGitHub + "/hammer-time"}, state: Verified,
		},
		{ // a source without its issuer named is one on GitHub itself
			file: "github-cli/custom-issuer.sigstore.json", digest: "sha256:afa27b44d43b02a9fea41d13cedc2e4016cfcf87c5dbf990e593669aa8ce286d",
			id: Identity{Source: Expectation{Repo: "https://github.com/too-legit/attest"}}, state: Mismatch,
		},
		{ // the public root does not know GitHub's own instance
			file: "github-cli/github_provenance_demo-0.0.12-py3-none-any-bundle.jsonl", digest: demoSHA256, id: demo, state: Invalid,
		},
		{file: "github-cli/github_provenance_demo-0.0.12-py3-none-any-bundle-missing-cert.jsonl", digest: demoSHA256, id: demo, state: Invalid},
		{file: "github-cli/github_provenance_demo-0.0.12-py3-none-any-bundle-missing-verification-material.jsonl", digest: demoSHA256, id: demo, state: Invalid},
		{ // nor is GitHub's attestation of a release signed below the public root
			file: "github-cli/github_release_bundle.json", digest: "sha256:e15b593c6ab8d7725a3cc82226ef816cac6bf9c70eed383bd459295cc65f5ec3",
			id: Identity{Certificate: "https://dotcom.releases.github.com", IssuerRegexp: ".*"}, state: Invalid,
		},
		{file: "github-cli/sigstoreBundle-invalid-signature.json", digest: "sha512:" + real210SHA512, id: sigstoreJS, state: Invalid},
		{file: "cosign/oci-attestation.sigstore.json", digest: "sha256:732112270d7e59418a8c080b134b24cabd67d250d0d0147a97ed95ba5c280aa4", id: email, state: Verified},
	}
}

type realBundle struct {
	file, root, key string // in testdata; no root for the embedded one
	digest          string
	id              Identity
	state           State
}

const (
	real210SHA512 = "90f223f992e4c88dd068cd2a5fc57f9d2b30798343dd6e38f29c240e04ba090ef831f84490847c4e82b9232c78e8a258463b1e55c0f7469f730265008fa6633f"
	emailSHA512   = "sha512:bbfd372fc9beeb777fe35d05bb10c0c70a9733d366a75fed7dd18866c7391de3ee7e88ba74dd47abf3e15c845e547fcf0e5c3da80854c751554224d3a6d4e55f"
	demoSHA256    = "sha256:ae57936def59bc4c75edd3a837d89bcefc6d3a5e31d55a6fa7a71624f92c3c3b"
	keyedSHA256   = "sha256:6ae8a75555209fd6c44157c0aed8016e763ff435a19cf186f76863140143ff72"
)

// TestUnplugged: all real material gets its answer while nobody can be asked.
func TestUnplugged(t *testing.T) {
	unplug(t)
	v := verifier(t, embedded(t))
	if got := v.Package(realSubject(), realExpectation(), realSet(t)); got.State != Verified {
		t.Errorf("sigstore@1.3.0: %s (%s)", got.State, got.Reason)
	}
	for _, c := range realBundles() {
		t.Run(c.file+" "+string(c.state), func(t *testing.T) {
			v := v
			if c.root != "" {
				v = verifier(t, &trust.Material{Root: must(trust.LoadRoot(read(t, c.root), c.root)), Keys: embedded(t).Keys})
			}
			if c.key != "" {
				c.id.Key = read(t, c.key)
			}
			a := Artifact{Name: c.digest, Digest: must(ParseDigest(c.digest))}
			list := must(ReadBundles(strings.NewReader(string(read(t, c.file))), c.file))
			got := must(v.Artifact(a, list, c.id))
			if got.State != c.state || got.State != Verified && cmp.Or(got.Reason, got.Hint) == "" {
				t.Errorf("got %s (%s), want %s", got.State, got.Reason, c.state)
			}
		})
	}
}
