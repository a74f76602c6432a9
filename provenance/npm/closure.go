package npm

import (
	"bytes"
	"context"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/url"

	"countermark/provenance"
	"countermark/sbom"
	"countermark/sbom/closure"
)

// abbreviated is the media type of the smaller packument, which holds what an
// installation needs. A registry that does not know it answers with the full one.
const abbreviated = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"

var _ closure.Source = (*Client)(nil)

// Packument asks the package's registry which versions there are and what they
// depend on. It implements closure.Source: an error that wraps
// closure.ErrNotFound means that the registry knows no such package, any other
// that nobody knows.
func (c *Client) Packument(ctx context.Context, name string) (*closure.Packument, error) {
	c.once.Do(c.start)
	q, fail := c.question(provenance.Subject{Ecosystem: sbom.NPM, Name: name})
	if fail != nil {
		return nil, &unanswered{fail}
	}
	u := q.packument()
	// The full packument has the same URL, and an entry of its own in the cache.
	entry := *u
	entry.Fragment = "install-v1"
	e, ok := c.kept(&entry)
	old, err := closure.ReadPackument(bytes.NewReader(e.Body), name)
	if !ok || err != nil {
		old, e.ETag = nil, ""
	}
	p, fail := c.installable(ctx, q, u, &entry, e.ETag, old)
	if fail != nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, &unanswered{fail}
	}
	if p == nil {
		return nil, closure.ErrNotFound
	}
	return p, nil
}

// installable fetches the document; nil where the registry has none.
func (c *Client) installable(ctx context.Context, q *question, u, entry *url.URL, etag string, old *closure.Packument) (*closure.Packument, *failure) {
	var p *closure.Packument
	var whole *copied
	a, fail := c.get(ctx, u, document{
		max: maxPackumentBytes, etag: etag, accept: abbreviated,
		take: func(r io.Reader) (_ []byte, err error) {
			whole = &copied{r: r, keep: c.Cache != nil}
			p, err = closure.ReadPackument(whole, q.name)
			return nil, err
		},
	}, q.internal)
	switch {
	case fail != nil:
		return nil, fail
	case a.status == http.StatusNotModified:
		return old, nil
	case a.status == http.StatusNotFound, a.status == http.StatusGone:
		return nil, nil //nolint:nilnil // no such package is an answer
	case a.status != http.StatusOK || p == nil:
		return nil, c.http.BadStatus(u, a.status)
	}
	if a.etag != "" && whole.keep {
		a.body = whole.data
		c.keep(entry, a)
	}
	return p, nil
}

// unanswered is why a registry has no answer.
type unanswered struct{ fail *failure }

func (e *unanswered) Error() string { return e.fail.Reason }

// Hint says what to do about it.
func (e *unanswered) Hint() string { return e.fail.Hint }

// Contents fetches a version's tarball and returns the packages inside of it. Its
// bytes have to be those that the registry names a digest of. It has the signature of
// closure.Options.Contents.
func (c *Client) Contents(ctx context.Context, m *closure.Manifest) ([]closure.Content, error) {
	c.once.Do(c.start)
	subject := provenance.Subject{Ecosystem: sbom.NPM, Name: m.Name, Version: m.Version}
	named, _ := sbom.ParseIntegrity(m.Integrity) // what is no digest says nothing
	for _, h := range named {
		subject.Digests = append(subject.Digests, provenance.Digest{Algorithm: h.Algorithm, Value: h.Value})
	}
	q, fail := c.question(subject)
	if fail != nil {
		return nil, &unanswered{fail}
	}
	u, fail := c.tarballURL(q, subject, &provenance.Metadata{Tarball: m.Tarball})
	if fail != nil {
		return nil, &unanswered{fail}
	}
	var list []closure.Content
	var sums map[string]hash.Hash
	a, fail := c.get(ctx, u, document{
		max: c.tarballLimit(), accept: "*/*", timeout: tarballTimeout, streamed: true,
		take: func(r io.Reader) (_ []byte, err error) {
			var all io.Writer
			sums, all = hashes(subject.Digests) // anew for each attempt
			whole := io.TeeReader(r, all)
			if list, err = closure.ReadContents(whole); err == nil {
				_, err = io.Copy(io.Discard, whole)
			}
			return nil, err
		},
	}, q.internal)
	switch {
	case fail != nil:
		return nil, &unanswered{fail}
	case a.status != http.StatusOK:
		return nil, &unanswered{c.http.BadStatus(u, a.status)}
	}
	for _, d := range subject.Digests {
		if sum := sums[d.Algorithm]; sum == nil || hex.EncodeToString(sum.Sum(nil)) != d.Value {
			return nil, &unanswered{&failure{Reason: "the tarball of " + m.Name + "@" + m.Version + " has other bytes than the registry says", Hint: "do not run it: somebody changed the registry or the tarball"}}
		}
	}
	if len(subject.Digests) == 0 {
		return nil, &unanswered{&failure{Reason: "the registry names no digest of " + m.Name + "@" + m.Version, Hint: "use a version that has one"}}
	}
	return list, nil
}
