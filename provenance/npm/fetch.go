package npm

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"countermark/provenance"
	"countermark/provenance/fetch"
)

// Limits of what a registry may send, after decompression.
const (
	maxAttestationBytes = 4 << 20 // npm's own answers stay below 100 kB
	maxKeyBytes         = 1 << 20
	maxPackumentBytes   = 64 << 20 // the largest packuments have some 50 MB; they are read as a stream
)

// answer is a complete answer: 200 with JSON, or a status that says that there is
// no such thing.
type answer struct {
	status int // 304 only where the document that was asked for has an ETag
	etag   string
	body   []byte
}

// document says how an answer is read.
type document struct {
	max  int64                             // bytes
	etag string                            // of what is at hand; empty for nothing
	take func(r io.Reader) ([]byte, error) // what is needed of it

	accept   string        // the media type; empty for JSON
	timeout  time.Duration // of one request, where Client has none; 0 for the default
	streamed bool          // take holds nothing of it, so many large ones may be read at once
}

// wholeJSON takes a document as it is.
func wholeJSON(limit int64) document {
	return document{max: limit, take: func(r io.Reader) ([]byte, error) {
		data, err := io.ReadAll(r)
		if err == nil && !json.Valid(data) {
			err = errNoJSON
		}
		return data, err
	}}
}

// failure is why there is no answer.
type failure = fetch.Failure

// unreachable is what there is of a subject where a registry has no answer.
func (c *Client) unreachable(f *failure, registry *url.URL) provenance.Set {
	s := provenance.Set{Availability: provenance.Unreachable, Reason: f.Reason, Hint: f.Hint}
	if registry != nil {
		s.Registry = c.Config.shown(registry)
	}
	return s
}

// words are how registries are called in messages.
func words(c *Config) fetch.Words {
	return fetch.Words{What: "registry", Named: "--registry, .npmrc", Shown: c.shown, Credentials: func(host string) string {
		return "check the credentials for " + host + " in the user's .npmrc (//" + host + "/:_authToken=…)"
	}}
}

// get fetches a document, again where that may help. A request for an internal
// package is never sent on to a registry that may not be asked for it.
func (c *Client) get(ctx context.Context, u *url.URL, doc document, internal bool) (answer, *failure) {
	q := fetch.Request{
		URL: u, Accept: doc.accept, ETag: doc.etag, Max: doc.max, Timeout: doc.timeout, Streamed: doc.streamed,
		Take:          func(_ string, r io.Reader) ([]byte, error) { return doc.take(r) },
		Authorization: c.Config.Credentials(u).Authorization(), Transport: c.pool(u),
		Absent: absentStatus,
	}
	if internal {
		q.Refuse = c.refuseInternal
	}
	a, fail := c.http.Get(ctx, q)
	return answer{status: a.Status, etag: a.ETag, body: a.Body}, fail
}

// refuseInternal says why a question for an internal package is not sent on.
func (c *Client) refuseInternal(from, to *url.URL) string {
	switch {
	case isPublic(to):
		return "a question for an internal package to the public registry"
	case !fetch.SameOrigin(from, to) && !c.knows(to):
		return "a question for an internal package to a host that neither the user nor the policy names"
	}
	return ""
}

// knows reports whether the host is that of a registry which may be asked for
// internal packages.
func (c *Client) knows(u *url.URL) bool {
	return slices.ContainsFunc(c.own, func(own *url.URL) bool { return u.Scheme == own.Scheme && fetch.Host(u) == own.Host })
}

// absentStatus reports whether the status says that there is no such thing.
// Registries without attestations answer so to a path that they don't know.
func absentStatus(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusGone, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}
