package oci

import (
	"context"
	"errors"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"

	"countermark/provenance"
	"countermark/sbom"
)

// Digest asks the registry of an image which digest a tag names at the moment. It
// is the registry's own word, as it is for whoever pulls the image.
func (c *Client) Digest(ctx context.Context, s provenance.Subject, tag string) (string, error) {
	if s.Ecosystem != sbom.OCI {
		return "", errors.New("it is no container image")
	}
	ref, err := repositoryOf(s)
	if err != nil {
		return "", err
	}
	ref.Reference = tag
	if err := ref.ValidateReferenceAsTag(); err != nil {
		return "", errors.New("the tag is none")
	}
	q := &question{client: c.host(ref.Host()), ref: ref, plain: isLoopback(ref.Host())}
	repo, err := q.repository(true)
	if err != nil {
		return "", err
	}
	found, err := repo.Manifests().Resolve(ctx, tag)
	if err == nil {
		err = plausible(found)
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, errdef.ErrNotFound):
		return "", errors.New(ref.Registry + " has no image " + ref.Repository + " with the tag " + tag + ", or does not show it to everybody")
	case err != nil:
		return "", errors.New(q.explain(err).reason)
	}
	return found.Digest.String(), nil
}

var errDigest = errors.New("the registry names a digest that is none")

func plausible(d ocispec.Descriptor) error {
	if d.Digest.Validate() != nil || d.Digest.Algorithm() != "sha256" {
		return errDigest
	}
	return nil
}
