package fetch

import (
	"context"
	"net/url"
	"strings"
	"sync"
)

// Host returns host:port, without the port where it is the scheme's own.
func Host(u *url.URL) string {
	host := strings.ToLower(u.Host)
	port := u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(strings.TrimSuffix(host, port), ":")
	}
	return host
}

// host is one that may have asked to be left alone for a while.
type host struct {
	mu      sync.Mutex
	pausing int           // requests that wait because it said so
	paused  chan struct{} // closed when nobody does any more; nil while nobody does
}

func (c *Client) host(u *url.URL) *host {
	name := u.Scheme + "://" + Host(u)
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[name]
	if h == nil {
		h = &host{}
		if c.hosts == nil {
			c.hosts = map[string]*host{}
		}
		c.hosts[name] = h
	}
	return h
}

// wait returns once the host may be asked. The error is that of the context.
func (h *host) wait(ctx context.Context) error {
	for {
		h.mu.Lock()
		paused := h.paused
		h.mu.Unlock()
		if paused == nil {
			return ctx.Err()
		}
		select {
		case <-paused:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// close lets nobody ask the host until open is called as often.
func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pausing++; h.pausing == 1 {
		h.paused = make(chan struct{})
	}
}

func (h *host) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pausing--; h.pausing == 0 {
		close(h.paused)
		h.paused = nil
	}
}

// SameOrigin reports whether two URLs have one scheme, host and port.
func SameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && Host(a) == Host(b) }
