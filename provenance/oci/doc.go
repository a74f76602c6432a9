// Package oci asks container registries for the attestations of an image.
//
// In flow a subject with a digest and the repository that its package URL names;
// out flow the sigstore bundles that refer to that digest, as raw bytes, not yet
// believed, or the reason why there are none. A [Client] is a provenance.Source.
//
// Attestations are found as the OCI distribution specification 1.1 says
// (https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md,
// "Listing Referrers"): by the referrers API, and where a registry has none, by
// the tag sha256-<hex> in its place. What cosign and GitHub push there are
// manifests with bundles as their layers. A registry that has the API and lists
// nothing answers provenance.None; one that has neither answers
// provenance.NoSupport. Older cosign's own tags (sha256-<hex>.att and .sig) are
// noticed and not read: provenance.Unread.
//
// A registry is asked without credentials, or with those that the user's own
// Docker configuration holds for it ([ReadCredentials]). Credentials reach
// no other site than the registry's, credential helpers are programs and are
// never run, and a registry on this machine is the only one that is asked
// without TLS. The protocol is oras.land/oras-go's.
package oci
