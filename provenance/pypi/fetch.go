package pypi

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of what an index may send, after decompression, and of how long it is
// listened to.
const (
	DefaultTimeout = 30 * time.Second // of one request with its body

	maxProjectBytes = 64 << 20 // projects with thousands of files have some 10 MB
	maxLargeAnswers = 4        // that are read at once, so that memory does not grow with the workers

	maxAttempts   = 4
	maxRedirects  = 5
	baseBackoff   = 500 * time.Millisecond // doubles with every attempt
	maxBackoff    = 10 * time.Second
	maxRetryAfter = 60 * time.Second // an index that wants more is given up
)

// answer is a complete answer: 200 with a body, or a status that says that there
// is no such thing.
type answer struct {
	status int
	kind   string // media type without parameters
	body   []byte
}

// failure is why there is no answer. Its texts hold no URL that was not redacted,
// and no header.
type failure struct {
	reason string
	hint   string
	retry  bool
	after  time.Duration // from Retry-After; 0 where there was none
}

const hintLater = "try again later; --offline with --attestations needs no index"

func answerFailure(u *url.URL, err error) *failure {
	return &failure{
		reason: fmt.Sprintf("the answer of %s %v", shown(u), err), retry: errors.Is(err, errNoJSON),
		hint: "check that the index's URL is right (--pypi-index) and that no proxy answers in its place",
	}
}

// get fetches a document, again where that may help.
func (c *Client) get(ctx context.Context, u *url.URL, accept string, limit int64) (answer, *failure) {
	for attempt := 1; ; attempt++ {
		a, fail := c.try(ctx, u, accept, limit)
		switch {
		case fail == nil:
			return a, nil
		case ctx.Err() != nil || !fail.retry:
			return answer{}, fail
		case attempt == maxAttempts:
			fail.reason += fmt.Sprintf(" (%d attempts)", attempt)
			return answer{}, fail
		case fail.after > maxRetryAfter:
			fail.reason += fmt.Sprintf(", and asks to wait for %s", fail.after)
			return answer{}, fail
		}
		if err := c.sleep(ctx, max(fail.after, c.backoff(attempt))); err != nil {
			return answer{}, fail
		}
	}
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
func (c *Client) try(ctx context.Context, u *url.URL, accept string, limit int64) (answer, *failure) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, DefaultTimeout))
	defer cancel()
	credentials := c.credentials(u)
	for range maxRedirects + 1 {
		res, fail := c.send(ctx, u, accept, credentials)
		if fail != nil {
			return answer{}, fail
		}
		if !isRedirect(res.StatusCode) {
			return c.read(ctx, u, res, limit)
		}
		next, fail := redirect(u, res)
		_ = res.Body.Close()
		if fail != nil {
			return answer{}, fail
		}
		// Once they are off, credentials stay off, even if the way leads back.
		if !sameOrigin(next, u) {
			credentials = nil
		}
		u = next
	}
	return answer{}, &failure{reason: fmt.Sprintf("%s redirects more than %d times", shown(u), maxRedirects), hint: hintLater}
}

// credentials are those in the index's URL, for the index itself.
func (c *Client) credentials(u *url.URL) *url.Userinfo {
	if sameOrigin(u, c.base) {
		return c.user
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

func (c *Client) send(ctx context.Context, u *url.URL, accept string, credentials *url.Userinfo) (*http.Response, *failure) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, &failure{reason: shown(u) + " cannot be asked", hint: "check the index's URL"}
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "countermark/"+cmp.Or(c.Version, "unknown"))
	if credentials != nil {
		password, _ := credentials.Password()
		req.SetBasicAuth(credentials.Username(), password)
	}
	res, err := c.Transport.RoundTrip(req)
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

func redirect(from *url.URL, res *http.Response) (*url.URL, *failure) {
	refuse := func(why string) (*url.URL, *failure) {
		return nil, &failure{reason: shown(from) + " redirects " + why + "; that is not followed", hint: "name the index that really answers with --pypi-index"}
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
	}
	return to, nil
}

// read takes the answer out of a response and closes it.
func (c *Client) read(ctx context.Context, u *url.URL, res *http.Response, limit int64) (answer, *failure) {
	defer func() { _ = res.Body.Close() }()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return answer{status: res.StatusCode}, nil
	default:
		return answer{}, statusFailure(u, res)
	}
	select {
	case c.large <- struct{}{}:
		defer func() { <-c.large }()
	case <-ctx.Done():
		return answer{}, connectionFailure(u, ctx.Err())
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return answer{}, connectionFailure(u, err)
	case int64(len(body)) > limit:
		return answer{}, &failure{reason: fmt.Sprintf("the answer of %s is larger than %d bytes", shown(u), limit), hint: hintLater}
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	return answer{status: res.StatusCode, kind: kind, body: body}, nil
}

func statusFailure(u *url.URL, res *http.Response) *failure {
	f := &failure{reason: fmt.Sprintf("%s answered %d %s", shown(u), res.StatusCode, http.StatusText(res.StatusCode)), hint: hintLater, after: retryAfter(res.Header)}
	switch status := res.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.hint = "put the credentials into the index's URL, https://user:password@host/simple/"
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		f.retry = true
	default:
		f.hint = "check that the index's URL is right (--pypi-index)"
	}
	return f
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3); 0 where there
// is neither. A date counts from the answer's own, so that no clock has to agree.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, math.MaxInt32)) * time.Second
	}
	until, err := http.ParseTime(h.Get("Retry-After"))
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
	f := &failure{retry: true, hint: hintLater, reason: "the connection to " + u.Host + " broke"}
	timeout, isNet := errors.AsType[net.Error](err)
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, unresolved := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || isNet && timeout.Timeout():
		f.reason = u.Host + " did not answer in time"
	case badCertificate || unknownAuthority:
		f.reason, f.retry = "the TLS certificate of "+u.Host+" does not hold", false
		f.hint = "if the index has an authority of its own, name it with cafile in the user's .npmrc, or in NODE_EXTRA_CA_CERTS"
	case errors.Is(err, io.ErrUnexpectedEOF):
		f.reason = "the answer of " + u.Host + " was cut off"
	case unresolved:
		f.reason, f.hint = "the name "+u.Host+" could not be resolved", "check the network and the index's URL"
	}
	return f
}
