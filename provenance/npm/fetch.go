package npm

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"countermark/provenance"
	"countermark/sbom"
)

// Limits of what a registry may send, after decompression, and of how long it is
// listened to.
const (
	DefaultTimeout = 30 * time.Second // of one request with its body

	maxAttestationBytes = 4 << 20 // npm's own answers stay below 100 kB
	maxKeyBytes         = 1 << 20
	maxPackumentBytes   = 64 << 20 // the largest packuments have some 50 MB; they are read as a stream

	// A hostile registry answers all workers at once. Few large answers are read
	// at a time, so that memory does not grow with the workers.
	smallAnswerBytes = 1 << 20
	maxLargeAnswers  = 2

	maxAttempts   = 4
	maxRedirects  = 5
	baseBackoff   = 500 * time.Millisecond // doubles with every attempt
	maxBackoff    = 10 * time.Second
	maxRetryAfter = 60 * time.Second // a registry that wants more is given up
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
	timeout  time.Duration // of one request, where Client has none; 0 for DefaultTimeout
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

// body is an answer's body on its way. What it says of its own end outlives what
// its reader makes of that.
type body struct {
	r    io.Reader
	left int64 // bytes that may still come
	read int64
	turn func() error // waits until a large answer may be read; nil once it may
	err  error        // other than its end
}

var errTooLarge = errors.New("too large")

// Read implements io.Reader. It fills p as far as it can: json.Decoder begins to
// look for the end of blanks anew with every piece, however small.
func (b *body) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = b.piece(p[n:])
		n += more
	}
	return n, err
}

func (b *body) piece(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.turn != nil && b.read > smallAnswerBytes {
		if b.err = b.turn(); b.err != nil {
			return 0, b.err
		}
		b.turn = nil
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	b.read += int64(n)
	if b.left -= int64(n); b.left < 0 {
		err = errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// failure is why there is no answer. Its texts hold no URL that was not redacted,
// and no header.
type failure struct {
	reason string
	hint   string
	retry  bool
	after  time.Duration // from Retry-After; 0 where there was none
}

func (f *failure) set(registry *url.URL) provenance.Set {
	s := provenance.Set{Availability: provenance.Unreachable, Reason: f.reason, Hint: f.hint}
	if registry != nil {
		s.Registry = shown(registry)
	}
	return s
}

const hintLater = "try again later; --offline with --attestations needs no registry"

func answerFailure(u *url.URL, err error) *failure {
	return &failure{
		reason: fmt.Sprintf("the answer of %s %v", sbom.RedactURL(u.String()), err),
		hint:   "check that the registry's URL is right (--registry, .npmrc) and that no proxy answers in its place",
	}
}

func contextFailure(ctx context.Context) *failure {
	return &failure{reason: "the request was cancelled: " + ctx.Err().Error(), hint: hintLater}
}

func statusFailure(u *url.URL, status int) *failure {
	f := &failure{reason: fmt.Sprintf("%s answered %d %s", sbom.RedactURL(u.String()), status, http.StatusText(status)), hint: hintLater}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.hint = "check the credentials for " + hostOf(u) + " in the user's .npmrc (//" + hostOf(u) + "/:_authToken=…)"
	case status == http.StatusProxyAuthRequired:
		f.hint = "check the credentials in the proxy's URL (https-proxy in the user's .npmrc, HTTPS_PROXY)"
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests:
		f.retry = true
	case status >= 500:
		f.retry = true
	default:
		f.hint = "check that the registry's URL is right (--registry, .npmrc)"
	}
	return f
}

// get fetches a document, again where that may help. A request for an internal
// package is never sent on to a registry that may not be asked for it.
func (c *Client) get(ctx context.Context, u *url.URL, doc document, internal bool) (answer, *failure) {
	host := c.host(u)
	for attempt := 1; ; attempt++ {
		if err := host.wait(ctx); err != nil {
			return answer{}, contextFailure(ctx)
		}
		a, fail := c.try(ctx, u, doc, internal)
		if fail == nil {
			return a, nil
		}
		if ctx.Err() != nil {
			return answer{}, contextFailure(ctx)
		}
		if !fail.retry {
			return answer{}, fail
		}
		if attempt == maxAttempts {
			fail.reason += fmt.Sprintf(" (%d attempts)", attempt)
			return answer{}, fail
		}
		if fail.after > maxRetryAfter {
			fail.reason += fmt.Sprintf(", and asks to wait for %s", fail.after)
			return answer{}, fail
		}
		if err := c.pause(ctx, host, fail.after, attempt); err != nil {
			return answer{}, &failure{reason: "the request was cancelled: " + err.Error(), hint: hintLater}
		}
	}
}

// pause waits before the next attempt. What a registry asks of one request it
// means for all: until the time is over, nobody asks that host.
func (c *Client) pause(ctx context.Context, host *host, after time.Duration, attempt int) error {
	if after > 0 {
		host.close()
		defer host.open()
	}
	return c.sleep(ctx, max(after, c.backoff(attempt)))
}

// backoff returns between half of and the whole of a time that doubles.
func (c *Client) backoff(attempt int) time.Duration {
	jitter := rand.Float64
	if c.Jitter != nil {
		jitter = c.Jitter
	}
	d := min(baseBackoff<<(attempt-1), maxBackoff)
	return d/2 + time.Duration(jitter()*float64(d/2))
}

func (c *Client) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try sends one request and follows its redirects.
func (c *Client) try(ctx context.Context, u *url.URL, doc document, internal bool) (answer, *failure) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(max(c.Timeout, 0), doc.timeout, DefaultTimeout))
	defer cancel()

	authorization, pool := c.Config.Credentials(u).Authorization(), c.pool(u)
	for range maxRedirects + 1 {
		res, fail := c.send(ctx, pool, u, authorization, doc)
		if fail != nil {
			return answer{}, fail
		}
		if !isRedirect(res.StatusCode) {
			return c.read(ctx, u, res, doc)
		}
		next, fail := c.redirect(u, res, internal)
		_ = res.Body.Close()
		if fail != nil {
			return answer{}, fail
		}
		// Once they are off, credentials stay off, even if the way leads back.
		if next.Scheme != u.Scheme || hostOf(next) != hostOf(u) {
			authorization, pool = "", c.transport
		}
		u = next
	}
	return answer{}, &failure{reason: fmt.Sprintf("%s redirects more than %d times", sbom.RedactURL(u.String()), maxRedirects), hint: hintLater}
}

func (c *Client) send(ctx context.Context, pool http.RoundTripper, u *url.URL, authorization string, doc document) (*http.Response, *failure) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, &failure{reason: sbom.RedactURL(u.String()) + " cannot be asked", hint: "check the registry's URL"}
	}
	req.Header.Set("Accept", cmp.Or(doc.accept, "application/json"))
	if doc.streamed {
		// The bytes as they are: the transport would undo an encoding of its own asking.
		req.Header.Set("Accept-Encoding", "identity")
	}
	req.Header.Set("User-Agent", "countermark/"+cmp.Or(c.Version, "unknown"))
	if doc.etag != "" {
		req.Header.Set("If-None-Match", doc.etag)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := pool.RoundTrip(req)
	if err != nil {
		return nil, connectionFailure(u, err)
	}
	return res, nil
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func (c *Client) redirect(from *url.URL, res *http.Response, internal bool) (*url.URL, *failure) {
	refuse := func(why string) (*url.URL, *failure) {
		return nil, &failure{
			reason: sbom.RedactURL(from.String()) + " redirects " + why + "; that is not followed",
			hint:   "configure the registry that really answers (--registry, .npmrc)",
		}
	}
	to, err := from.Parse(res.Header.Get("Location"))
	switch {
	case err != nil || res.Header.Get("Location") == "" || to.Host == "":
		return refuse("to no URL")
	case to.Scheme != "https" && to.Scheme != "http":
		return refuse("to something that is neither https: nor http:")
	case from.Scheme == "https" && to.Scheme == "http":
		return refuse("from https: to http:")
	case to.User != nil:
		return refuse("to a URL with credentials in it")
	case internal && isPublic(to):
		return refuse("a question for an internal package to the public registry")
	case internal && (to.Scheme != from.Scheme || hostOf(to) != hostOf(from)) && !c.knows(to):
		return refuse("a question for an internal package to a host that neither the user nor the policy names")
	}
	return to, nil
}

// knows reports whether the host is that of a registry which may be asked for
// internal packages.
func (c *Client) knows(u *url.URL) bool {
	return slices.ContainsFunc(c.own, func(own *url.URL) bool { return u.Scheme == own.Scheme && hostOf(u) == own.Host })
}

// read takes the answer out of a response and closes it.
func (c *Client) read(ctx context.Context, u *url.URL, res *http.Response, doc document) (answer, *failure) {
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusOK:
	case res.StatusCode == http.StatusNotModified && doc.etag != "":
		return answer{status: res.StatusCode}, nil
	case absentStatus(res.StatusCode):
		// Registries without attestations answer so to a path that they don't know.
		return answer{status: res.StatusCode}, nil
	default:
		fail := statusFailure(u, res.StatusCode)
		fail.after = retryAfter(res.Header)
		return answer{}, fail
	}
	if doc.streamed && res.Header.Get("Content-Encoding") != "" {
		return answer{}, &failure{reason: sbom.RedactURL(u.String()) + " is sent in an encoding that was not asked for", hint: hintLater}
	}
	held := false
	b := &body{r: res.Body, left: doc.max}
	if !doc.streamed {
		b.turn = func() error {
			select {
			case c.large <- struct{}{}:
				held = true
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	data, err := doc.take(b)
	if held {
		<-c.large
	}
	switch {
	case errors.Is(b.err, errTooLarge):
		return answer{}, &failure{reason: fmt.Sprintf("the answer of %s is larger than %d bytes", sbom.RedactURL(u.String()), doc.max), hint: hintLater}
	case b.err != nil:
		return answer{}, connectionFailure(u, b.err)
	case err != nil:
		fail := answerFailure(u, err)
		fail.retry = errors.Is(err, errNoJSON)
		return answer{}, fail
	}
	return answer{status: res.StatusCode, etag: res.Header.Get("ETag"), body: data}, nil
}

// absentStatus reports whether the status says that there is no such thing.
func absentStatus(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusGone, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3); 0 where there
// is neither. A date counts from the answer's own, so that no clock has to agree.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	seconds, err := strconv.ParseUint(text, 10, 64)
	// Out of range is said before a letter further on is seen.
	if err == nil || errors.Is(err, strconv.ErrRange) && strings.Trim(text, "0123456789") == "" {
		return time.Duration(min(seconds, math.MaxInt32)) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	sent, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, until.Sub(sent))
}

// connectionFailure says in words of our own what broke: the library's errors
// may quote what the other side sent.
func connectionFailure(u *url.URL, err error) *failure {
	f := &failure{retry: true, hint: hintLater}
	what := "the connection to " + hostOf(u) + " broke"
	var (
		timeout     net.Error
		dns         *net.DNSError
		op          *net.OpError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		what = hostOf(u) + " did not answer in time"
	case errors.As(err, &certificate) || errors.As(err, &authority):
		what = "the TLS certificate of " + hostOf(u) + " does not hold: " + certificateProblem(err)
		f.retry = false
		f.hint = "if the registry has an authority of its own, name it with cafile in the user's .npmrc"
	case errors.As(err, &record):
		what = hostOf(u) + " speaks no TLS"
		f.retry = false
		f.hint = "check the registry's URL"
	case errors.Is(err, io.ErrUnexpectedEOF):
		what = "the answer of " + hostOf(u) + " was cut off"
	case errors.As(err, &dns):
		what = "the name " + hostOf(u) + " could not be resolved"
		f.hint = "check the network and the registry's URL"
	case errors.As(err, &op):
		what = "the connection to " + hostOf(u) + " broke: " + op.Err.Error()
	}
	f.reason = what
	return f
}

func certificateProblem(err error) string {
	var (
		invalid   x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it is expired or not yet valid"
	case errors.As(err, &authority):
		return "nobody who is trusted has signed it"
	case errors.As(err, &hostname):
		return "it is another host's"
	default:
		return "it is not valid"
	}
}
