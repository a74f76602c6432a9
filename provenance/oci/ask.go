package oci

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json" // takes keys as they are written
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"countermark/provenance"
)

// ask looks for the image's attestations. It never returns Found with nothing
// in it.
func (q *question) ask(ctx context.Context) provenance.Set {
	listed, api, err := q.referrers(ctx)
	if err != nil {
		return q.unreachable(err)
	}
	var set provenance.Set
	for _, d := range listed {
		if err := q.fetch(ctx, d, &set); err != nil && set.Incomplete == "" {
			set.Incomplete = "an attestation could not be fetched: " + q.explain(err).reason
		}
	}
	if len(set.Attestations) > 0 || set.Incomplete != "" {
		set.Availability = provenance.Found
		if len(set.Attestations) == 0 {
			return provenance.Set{Availability: provenance.Unreachable, Reason: set.Incomplete, Hint: hintLater}
		}
		return set
	}
	old, err := q.oldTags(ctx)
	switch {
	case err != nil:
		return q.unreachable(err)
	case old != "":
		return provenance.Set{
			Availability: provenance.Unread,
			Reason:       "it has only what older cosign wrote (the tag " + old + "), which is not read",
			Hint:         "have it attested in sigstore's bundle format (cosign 3, or GitHub's attest-build-provenance with push-to-registry)",
		}
	case api:
		return provenance.Set{Availability: provenance.None, Reason: "the registry lists no attestation for " + q.subject.Digest.String()}
	default:
		return provenance.Set{
			Availability: provenance.NoSupport,
			Reason:       q.ref.Registry + " cannot list what refers to an image, and has no tag " + q.tag() + " in place of that",
			Hint:         "give its attestations with --attestations (gh attestation download, cosign download), or use a registry with the referrers API",
		}
	}
}

var errTooMany = fmt.Errorf("more than %d attestations refer to it", MaxBundles)

// referrers returns the referrers that may hold bundles, and whether the
// registry is one that can say that there are none.
func (q *question) referrers(ctx context.Context) (list []ocispec.Descriptor, api bool, err error) {
	repo, err := q.repository(true)
	if err != nil {
		return nil, false, err
	}
	listed := 0
	collect := func(page []ocispec.Descriptor) error {
		if listed += len(page); listed > MaxReferrers {
			return errTooMany
		}
		for _, d := range page {
			if mayHold(d) {
				list = append(list, d)
			}
		}
		return nil
	}
	err = repo.Referrers(ctx, q.subject, "", collect)
	api = err == nil
	if withoutAPI(err) {
		if repo, err = q.repository(false); err != nil {
			return nil, false, err
		}
		err = repo.Referrers(ctx, q.subject, "", func(page []ocispec.Descriptor) error {
			api = true // the tag in the list's place is there
			return collect(page)
		})
	}
	if err != nil {
		return nil, false, err
	}
	if list = distinct(list); len(list) > MaxBundles {
		return nil, false, errTooMany
	}
	return list, api, nil
}

// withoutAPI reports whether an answer is one of a registry that does not know
// the referrers API.
func withoutAPI(err error) bool {
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		switch answer.StatusCode {
		case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented:
			return true
		}
	}
	return errors.Is(err, errdef.ErrUnsupported)
}

// fetch adds the bundles of one referrer to the set.
func (q *question) fetch(ctx context.Context, d ocispec.Descriptor, set *provenance.Set) error {
	repo, err := q.repository(true)
	if err != nil {
		return err
	}
	if d.Size > maxManifestBytes {
		return errdef.ErrSizeExceedsLimit
	}
	data, err := twice(ctx, repo.Manifests(), d)
	if err != nil {
		return err
	}
	layers, err := parseManifest(data, q.subject.Digest)
	if err != nil {
		return err
	}
	total := 0
	for _, a := range set.Attestations {
		total += len(a.Bundle)
	}
	for _, l := range layers {
		if total += int(min(l.Size, maxTotalBytes)); l.Size > provenance.MaxBundleSize || total > maxTotalBytes || len(set.Attestations) >= MaxBundles {
			return errdef.ErrSizeExceedsLimit
		}
		bundle, err := twice(ctx, repo.Blobs(), l)
		if err != nil {
			return err
		}
		set.Attestations = append(set.Attestations, provenance.Attestation{Bundle: bundle, From: q.name() + "@" + d.Digest.String()})
	}
	return nil
}

// name is the image without its digest.
func (q *question) name() string { return q.ref.Registry + "/" + q.ref.Repository }

// twice fetches what a descriptor describes, of exactly its size and digest, and
// tries again where the answer was cut off.
func twice(ctx context.Context, from content.Fetcher, d ocispec.Descriptor) ([]byte, error) {
	if err := d.Digest.Validate(); err != nil {
		return nil, errManifest
	}
	data, err := content.FetchAll(ctx, from, d)
	if errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() == nil {
		return content.FetchAll(ctx, from, d)
	}
	return data, err
}

var (
	errManifest = errors.New("what the registry lists is no manifest of an attestation")
	errForeign  = errors.New("the registry lists an attestation that is another image's")
)

// parseManifest returns the layers that are bundles, of a manifest that refers
// to the image. Nothing of it is signed: it only says where the bundles are.
func parseManifest(data []byte, subject digest.Digest) ([]ocispec.Descriptor, error) {
	var m ocispec.Manifest
	if json.Unmarshal(data, &m) != nil {
		return nil, errManifest
	}
	if m.Subject == nil || m.Subject.Digest != subject {
		return nil, errForeign
	}
	var out []ocispec.Descriptor
	for _, l := range m.Layers {
		if !strings.HasPrefix(l.MediaType, bundleTypes) {
			continue
		}
		if l.Size <= 0 || l.Digest.Validate() != nil {
			return nil, errManifest
		}
		out = append(out, ocispec.Descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size})
	}
	return out, nil
}

// oldTags returns the tag of older cosign's attestation or signature; "" where
// there is none.
func (q *question) oldTags(ctx context.Context) (string, error) {
	repo, err := q.repository(true)
	if err != nil {
		return "", err
	}
	for _, suffix := range []string{".att", ".sig"} {
		_, err := repo.Manifests().Resolve(ctx, q.tag()+suffix)
		if err == nil {
			return q.tag() + suffix, nil
		}
		if !errors.Is(err, errdef.ErrNotFound) {
			return "", err
		}
	}
	return "", nil
}

// failure is why there is no answer, in words of our own: the library's errors
// quote what the other side sent, and URLs in full.
type failure struct{ reason, hint string }

const hintLater = "try again later, or give its attestations with --attestations"

func (q *question) unreachable(err error) provenance.Set {
	f := q.explain(err)
	return provenance.Set{Availability: provenance.Unreachable, Reason: f.reason, Hint: f.hint}
}

// credentialsError is about the user's credentials.
type credentialsError struct{ error }

func (q *question) explain(err error) failure {
	host := q.ref.Registry
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		return q.explainStatus(answer.StatusCode)
	}
	if c, ok := errors.AsType[*credentialsError](err); ok {
		return failure{c.Error(), "correct the configuration of Docker or podman, or log in anew"}
	}
	for _, known := range explained {
		if errors.Is(err, known.err) {
			return failure{host + " " + known.reason, known.hint}
		}
	}
	var (
		timeout     net.Error
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, errManifest), errors.Is(err, errForeign), errors.Is(err, errTooMany):
		return failure{err.Error(), "ask whoever may push to " + q.name() + " what is wrong, or give its attestations with --attestations"}
	case errors.As(err, &certificate):
		return failure{"the TLS certificate of " + host + " does not hold", "check the registry's name, and the certificate authorities of this machine"}
	case errors.As(err, &dns):
		return failure{"the name " + host + " could not be resolved", hintLater}
	case errors.As(err, &timeout) && timeout.Timeout():
		return failure{host + " did not answer in time", hintLater}
	default:
		return failure{"the connection to " + host + " broke, or its answer cannot be read", hintLater}
	}
}

const hintPush = "if the registry is right, something between changes its answers; give the image's attestations with --attestations"

// explained are the errors whose meaning does not depend on more.
var explained = []struct {
	err          error
	reason, hint string
}{
	{auth.ErrBasicCredentialNotFound, "wants credentials", hintLogin},
	{errForeignHost, "wants its credentials sent to another host, and they were not", hintLogin},
	{errDowngrade, "redirects from https: to http:, which is not followed", hintPush},
	{errUserinfo, "redirects to a URL with credentials in it, which is not followed", hintPush},
	{errRedirects, fmt.Sprintf("redirects more than %d times", maxRedirects), hintPush},
	{content.ErrMismatchedDigest, "sent other bytes than their digest says", hintPush},
	{content.ErrTrailingData, "sent more bytes than it said", hintPush},
	{content.ErrInvalidDescriptorSize, "lists an attestation of no possible size", hintPush},
	{io.ErrUnexpectedEOF, "sent an answer that was cut off, or is larger than is read", hintLater},
	{errdef.ErrNotFound, "lists an attestation that it does not have", hintLater},
	{errdef.ErrSizeExceedsLimit, "has an attestation that is larger than is read", hintPush},
	{errdef.ErrTooManyPages, fmt.Sprintf("lists more than %d pages of attestations", maxPages), hintPush},
}

const hintLogin = "log in with docker login or podman login; what is in a credential helper (credsStore, credHelpers) is not asked for, because helpers are not run"

func (q *question) explainStatus(status int) failure {
	answered := fmt.Sprintf("%s answered %d %s", q.ref.Registry, status, http.StatusText(status))
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return failure{answered + " for " + q.name(), hintLogin}
	case http.StatusNotFound:
		return failure{q.ref.Registry + " knows no repository " + q.ref.Repository + ", or does not show it to everybody", hintLogin}
	default:
		return failure{answered, hintLater}
	}
}
