package pypi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"strings"

	"countermark/provenance/fetch"
)

// maxProjectBytes bounds the answer for a project, after decompression. Projects
// with thousands of files have some 10 MB.
const maxProjectBytes = 64 << 20

// failure is why there is no answer.
type failure = fetch.Failure

// words are how indexes are called in messages.
var words = fetch.Words{What: "index", Named: "--pypi-index", Credentials: func(string) string {
	return "put the credentials into the index's URL, https://user:password@host/simple/"
}}

// get fetches a document, again where that may help.
func (c *Client) get(ctx context.Context, u *url.URL, accept string, limit int64) (fetch.Answer, *failure) {
	return c.http.Get(ctx, fetch.Request{URL: u, Accept: accept, Max: limit, Take: take, Authorization: c.authorization(u)})
}

// take takes a document as it is. One that is said to be JSON, and is none, may be
// whole the next time.
func take(kind string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(r)
	if err == nil && strings.HasSuffix(kind, "json") && !json.Valid(data) {
		err = errNoJSON
	}
	return data, err
}

// isJSON reports whether an answer for a project is in a form that is read.
func isJSON(kind string) bool { return kind == acceptSimple || kind == "application/json" }

// authorization is made of what stands in the index's URL, for the index itself.
func (c *Client) authorization(u *url.URL) string {
	if c.user == nil || !fetch.SameOrigin(u, c.base) {
		return ""
	}
	password, _ := c.user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user.Username()+":"+password))
}
