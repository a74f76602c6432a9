package npm

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"

	"countermark/provenance"
	"countermark/provenance/cache"
)

// kept is what the cache has for a URL. An answer to credentials is never in it:
// it is meant for who has them.
func (c *Client) kept(u *url.URL) (cache.Entry, bool) {
	if c.Cache == nil || c.secret(u) {
		return cache.Entry{}, false
	}
	return c.Cache.Get(u.String())
}

// keep puts a complete answer into the cache. What cannot be kept is asked for
// again the next time.
func (c *Client) keep(u *url.URL, a answer) {
	if c.Cache == nil || a.status != http.StatusOK || c.secret(u) {
		return
	}
	_ = c.Cache.Put(u.String(), cache.Entry{ETag: a.etag, Body: a.body})
}

// Forget drops what the cache has for the attestations of a subject: an answer
// that did not hold is asked for again the next time.
func (c *Client) Forget(s provenance.Subject) {
	c.once.Do(c.start)
	if q, fail := c.question(s); fail == nil {
		c.Cache.Remove(q.attestations().String())
	}
}

// attestationAnswer takes the answer from the cache, where it was found before:
// the attestations of a version never change. They are verified like all others.
func (c *Client) attestationAnswer(ctx context.Context, q *question, u *url.URL) (answer, *failure) {
	if e, ok := c.kept(u); ok && len(e.Body) <= maxAttestationBytes {
		return answer{status: http.StatusOK, etag: e.ETag, body: e.Body}, nil
	}
	return c.get(ctx, u, wholeJSON(maxAttestationBytes), q.internal)
}

// fetchPackument asks for the packument, and takes it from the cache where the
// registry says that it is still the same.
func (c *Client) fetchPackument(ctx context.Context, q *question) (*packument, *failure) {
	u := q.packument()
	e, ok := c.kept(u)
	old, err := readPackument(bytes.NewReader(e.Body), q.name)
	if !ok || err != nil {
		old, e.ETag = nil, ""
	}
	var p *packument
	var whole *copied
	a, fail := c.get(ctx, u, document{max: maxPackumentBytes, etag: e.ETag, take: func(r io.Reader) (_ []byte, err error) {
		whole = &copied{r: r, keep: c.Cache != nil}
		p, err = readPackument(whole, q.name)
		return nil, err
	}}, q.internal)
	switch {
	case fail != nil:
		return nil, fail
	case a.status == http.StatusNotModified:
		return old, nil
	case p != nil && a.etag != "" && whole.keep:
		a.body = whole.data
		c.keep(u, a)
	}
	return p, nil
}

// copied keeps what is read, up to what an entry of the cache may hold.
type copied struct {
	r    io.Reader
	keep bool
	data []byte
}

func (c *copied) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.keep && len(c.data)+n > cache.MaxBody {
		c.keep, c.data = false, nil
	}
	if c.keep {
		c.data = append(c.data, p[:n]...)
	}
	return n, err
}
