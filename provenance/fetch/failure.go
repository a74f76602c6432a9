package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"countermark/sbom"
)

// Failure is why there is no answer. Its texts hold no URL that was not redacted,
// and no header.
type Failure struct {
	Reason string
	Hint   string // what to do next

	retry bool
	after time.Duration // from Retry-After; 0 where there was none
}

// Words are how what is asked is called in messages.
type Words struct {
	What  string // "registry"
	Named string // where its URL is named: "--registry, .npmrc"
	// Shown words a URL without secrets; nil stands for sbom.RedactURL.
	Shown func(u *url.URL) string
	// Credentials says what to do where a host wants some, or others.
	Credentials func(host string) string
}

func (w Words) shown(u *url.URL) string {
	if w.Shown != nil {
		return w.Shown(u)
	}
	return sbom.RedactURL(u.String())
}

func (w Words) later() string {
	return "try again later; --offline with --attestations needs no " + w.What
}

func (w Words) check() string {
	return "check that the " + w.What + "'s URL is right (" + w.Named + ")"
}

func (w Words) real() string {
	return "name the " + w.What + " that really answers (" + w.Named + ")"
}

// BadAnswer is the failure of an answer that is complete, and not what was asked
// for. The error's text is the end of "the answer of URL …".
func (c *Client) BadAnswer(u *url.URL, err error) *Failure {
	_, broken := errors.AsType[BrokenError](err)
	return &Failure{
		Reason: fmt.Sprintf("the answer of %s %v", c.Words.shown(u), err), retry: broken,
		Hint: c.Words.check() + " and that no proxy answers in its place",
	}
}

// Cancelled is the failure of a request that its caller gave up.
func Cancelled(err error) *Failure {
	return &Failure{Reason: "the request was cancelled: " + err.Error(), Hint: "try again, and allow it more time"}
}

// BadStatus is the failure of an answer with that status.
func (c *Client) BadStatus(u *url.URL, status int) *Failure {
	f := &Failure{Reason: fmt.Sprintf("%s answered %d %s", c.Words.shown(u), status, http.StatusText(status)), Hint: c.Words.later()}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.Hint = c.Words.Credentials(Host(u))
	case status == http.StatusProxyAuthRequired:
		f.Hint = hintProxy
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		f.retry = true
	default:
		f.Hint = c.Words.check()
	}
	return f
}

const hintProxy = "check the credentials in the proxy's URL (https-proxy in the user's .npmrc, HTTPS_PROXY)"

// ProxyError is what a transport says of a proxy that opens no connection. The
// library's own error quotes the proxy's words.
type ProxyError struct{ Status int }

// Error says what the proxy answered.
func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy answered %d %s", e.Status, http.StatusText(e.Status))
}

// CheckProxy is http.Transport's OnProxyConnectResponse.
func CheckProxy(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return &ProxyError{res.StatusCode}
	}
	return nil
}

// Broke says in words of our own why there is no complete answer: the library's
// errors may quote what the other side sent, and whom it redirects to.
func (c *Client) Broke(u *url.URL, err error) *Failure {
	host := Host(u)
	f := &Failure{Reason: "the connection to " + host + " broke", Hint: c.Words.later(), retry: true}
	var (
		timeout     net.Error
		dns         *net.DNSError
		op          *net.OpError
		proxy       *ProxyError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		f.Reason = host + " did not answer in time"
	case errors.As(err, &proxy):
		f.Reason = "no connection to " + host + ": " + proxy.Error()
		if proxy.Status == http.StatusProxyAuthRequired {
			f.Hint, f.retry = hintProxy, false
		}
	case errors.As(err, &certificate) || errors.As(err, &authority):
		f.Reason, f.retry = "the TLS certificate of "+host+" does not hold: "+certificateProblem(err), false
		f.Hint = "if the " + c.Words.What + " has an authority of its own, name it with cafile in the user's .npmrc, or in NODE_EXTRA_CA_CERTS"
	case errors.As(err, &record):
		f.Reason, f.retry, f.Hint = host+" speaks no TLS", false, c.Words.check()
	case errors.Is(err, io.ErrUnexpectedEOF):
		f.Reason = "the answer of " + host + " was cut off"
	case errors.As(err, &dns):
		f.Reason, f.Hint = "the name "+host+" could not be resolved", "check the network and the "+c.Words.What+"'s URL"
	case errors.As(err, &op):
		f.Reason += ": " + op.Err.Error()
	}
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
