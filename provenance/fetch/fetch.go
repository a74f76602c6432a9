// Package fetch asks a server for one document at a time, over HTTP, and trusts
// nothing that comes back.
//
// In flows a [Request]; out flows a complete [Answer], or a [Failure] that says in
// words of our own why there is none. What may help is tried again, later and
// later, and a server that says when (Retry-After) is left alone until then, by
// everybody who asks through the same [Client]. Answers are bounded in size and
// time, and few large ones are read at once. Credentials reach the host that they
// are for and no other, whomever it redirects to. No text holds a URL that was not
// redacted, a header, or what the other side sent.
//
// npm's registries and Python's indexes are asked through it. What it leaves to
// them is what their documents mean.
package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of how long a server is listened to, and of what is read at once.
const (
	DefaultTimeout = 30 * time.Second // of one request with its body

	// A hostile server answers all workers at once. Few large answers are read at a
	// time, so that memory does not grow with the workers.
	smallAnswerBytes = 1 << 20
	maxLargeAnswers  = 2

	maxAttempts   = 4
	maxRedirects  = 5
	baseBackoff   = 500 * time.Millisecond // doubles with every attempt
	maxBackoff    = 10 * time.Second
	maxRetryAfter = 60 * time.Second // a server that wants more is given up
)

// Client asks servers. It may be used by many goroutines, and must not be copied;
// fields must not change after the first call.
type Client struct {
	// Transport sends the requests and holds the connections; it must neither add
	// credentials nor follow redirects. The standard client would not do: it hands
	// credentials on to subdomains, and the last URL to whom it redirects to.
	Transport http.RoundTripper
	// Version is the program's, for the User-Agent header.
	Version string
	// Timeout bounds one request with its body; 0 stands for the request's own.
	Timeout time.Duration
	// Sleep waits between attempts, and returns early with an error when the
	// context ends; nil stands for a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter spreads the attempts of many programs: from 0 up to 1, by default at
	// random.
	Jitter func() float64
	// Words are what is asked, for messages.
	Words Words

	mu    sync.Mutex
	hosts map[string]*host // by scheme and host
	large chan struct{}    // holds a token for each large answer that may be read
}

// Request is a question for one document.
type Request struct {
	URL    *url.URL
	Accept string // the media type; empty for JSON
	ETag   string // of what is at hand; empty for nothing
	Max    int64  // bytes of the answer, after decompression
	// Take takes what is needed of an answer of that media type. It may be called
	// more than once. What it says in a [BrokenError] may be whole the next time.
	Take func(kind string, r io.Reader) ([]byte, error)
	// Timeout is that of one request, where the client has none; 0 stands for
	// DefaultTimeout.
	Timeout time.Duration
	// Streamed says that Take holds nothing of the answer, so many large ones may be
	// read at once, and that it wants the bytes as they are.
	Streamed bool

	// Authorization and Transport are for the URL's own host and for nobody to whom
	// it redirects; an empty one is none, or the client's.
	Authorization string
	Transport     http.RoundTripper
	// Refuse says why a redirect is not followed, as the end of "it redirects …";
	// nil, or the empty text, lets it.
	Refuse func(from, to *url.URL) string
	// Absent reports whether a status says that there is no such thing; nil stands
	// for 404 and 410.
	Absent func(status int) bool
}

// Answer is a complete answer: 200 with what was taken of it, or a status that says
// that there is no such thing.
type Answer struct {
	Status int // 304 only where the request has an ETag
	ETag   string
	Kind   string // media type without parameters
	Body   []byte
}

// BrokenError is what Take says of an answer that may be whole the next time.
type BrokenError struct{ Err error }

// Error says what is wrong with it.
func (e BrokenError) Error() string { return e.Err.Error() }

// Unwrap returns that.
func (e BrokenError) Unwrap() error { return e.Err }

var errTooLarge = errors.New("too large")

// Get fetches a document, again where that may help.
func (c *Client) Get(ctx context.Context, q Request) (Answer, *Failure) {
	host := c.host(q.URL)
	for attempt := 1; ; attempt++ {
		if err := host.wait(ctx); err != nil {
			return Answer{}, Cancelled(err)
		}
		a, fail := c.try(ctx, q)
		switch {
		case fail == nil:
			return a, nil
		case ctx.Err() != nil:
			return Answer{}, Cancelled(ctx.Err())
		case !fail.retry:
			return Answer{}, fail
		case attempt == maxAttempts:
			fail.Reason += fmt.Sprintf(" (%d attempts)", attempt)
			return Answer{}, fail
		case fail.after > maxRetryAfter:
			fail.Reason += fmt.Sprintf(", and asks to wait for %s", fail.after)
			return Answer{}, fail
		}
		if err := c.pause(ctx, host, fail.after, attempt); err != nil {
			return Answer{}, Cancelled(err)
		}
	}
}

// pause waits before the next attempt. What a server asks of one request it means
// for all: until the time is over, nobody asks that host.
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
func (c *Client) try(ctx context.Context, q Request) (Answer, *Failure) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(max(c.Timeout, 0), q.Timeout, DefaultTimeout))
	defer cancel()
	for range maxRedirects + 1 {
		res, fail := c.send(ctx, q)
		if fail != nil {
			return Answer{}, fail
		}
		if !isRedirect(res.StatusCode) {
			return c.read(ctx, q, res)
		}
		next, fail := c.redirect(q, res)
		_ = res.Body.Close()
		if fail != nil {
			return Answer{}, fail
		}
		// Once they are off, credentials stay off, even if the way leads back.
		if !SameOrigin(next, q.URL) {
			q.Authorization, q.Transport = "", nil
		}
		q.URL = next
	}
	return Answer{}, &Failure{Reason: fmt.Sprintf("%s redirects more than %d times", c.Words.shown(q.URL), maxRedirects), Hint: c.Words.later()}
}

func (c *Client) send(ctx context.Context, q Request) (*http.Response, *Failure) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.URL.String(), nil)
	if err != nil {
		return nil, &Failure{Reason: c.Words.shown(q.URL) + " cannot be asked", Hint: c.Words.check()}
	}
	req.Header.Set("Accept", cmp.Or(q.Accept, "application/json"))
	if q.Streamed {
		// The bytes as they are: the transport would undo an encoding of its own asking.
		req.Header.Set("Accept-Encoding", "identity")
	}
	req.Header.Set("User-Agent", "countermark/"+cmp.Or(c.Version, "unknown"))
	if q.ETag != "" {
		req.Header.Set("If-None-Match", q.ETag)
	}
	if q.Authorization != "" {
		req.Header.Set("Authorization", q.Authorization)
	}
	transport := q.Transport
	if transport == nil {
		transport = c.Transport
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, c.Broke(q.URL, err)
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

func (c *Client) redirect(q Request, res *http.Response) (*url.URL, *Failure) {
	from := q.URL
	refuse := func(why string) (*url.URL, *Failure) {
		return nil, &Failure{Reason: c.Words.shown(from) + " redirects " + why + "; that is not followed", Hint: c.Words.real()}
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
	if q.Refuse != nil {
		if why := q.Refuse(from, to); why != "" {
			return refuse(why)
		}
	}
	return to, nil
}

// read takes the answer out of a response and closes it.
func (c *Client) read(ctx context.Context, q Request, res *http.Response) (Answer, *Failure) {
	defer func() { _ = res.Body.Close() }()
	absent := q.Absent
	if absent == nil {
		absent = gone
	}
	switch {
	case res.StatusCode == http.StatusOK:
	case res.StatusCode == http.StatusNotModified && q.ETag != "", absent(res.StatusCode):
		return Answer{Status: res.StatusCode}, nil
	default:
		fail := c.BadStatus(q.URL, res.StatusCode)
		fail.after = retryAfter(res.Header)
		return Answer{}, fail
	}
	if q.Streamed && res.Header.Get("Content-Encoding") != "" {
		return Answer{}, &Failure{Reason: c.Words.shown(q.URL) + " is sent in an encoding that was not asked for", Hint: c.Words.later()}
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	b := &body{r: res.Body, left: q.Max}
	if !q.Streamed {
		b.turn = func() (func(), error) { return c.turn(ctx) }
	}
	data, err := q.Take(kind, b)
	if b.done != nil {
		b.done()
	}
	switch {
	case errors.Is(b.err, errTooLarge):
		return Answer{}, &Failure{Reason: fmt.Sprintf("the answer of %s is larger than %d bytes", c.Words.shown(q.URL), q.Max), Hint: c.Words.later()}
	case b.err != nil:
		return Answer{}, c.Broke(q.URL, b.err)
	case err != nil:
		return Answer{}, c.BadAnswer(q.URL, err)
	}
	return Answer{Status: res.StatusCode, ETag: res.Header.Get("ETag"), Kind: kind, Body: data}, nil
}

func gone(status int) bool { return status == http.StatusNotFound || status == http.StatusGone }

// turn waits until a large answer may be read. What it returns ends the turn.
func (c *Client) turn(ctx context.Context) (done func(), err error) {
	c.mu.Lock()
	if c.large == nil {
		c.large = make(chan struct{}, maxLargeAnswers)
	}
	c.mu.Unlock()
	select {
	case c.large <- struct{}{}:
		return func() { <-c.large }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// body is an answer's body on its way. What it says of its own end outlives what
// its reader makes of that.
type body struct {
	r    io.Reader
	left int64 // bytes that may still come
	read int64
	turn func() (done func(), err error) // asked for before a large answer is read; nil once it was
	done func()                          // ends the turn; nil where there was none
	err  error                           // other than its end
}

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
		if b.done, b.err = b.turn(); b.err != nil {
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
