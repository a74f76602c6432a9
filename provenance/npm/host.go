package npm

import (
	"context"
	"net/url"
	"sync"
)

// host is one that may have asked to be left alone for a while.
type host struct {
	mu      sync.Mutex
	pausing int           // requests that wait because it said so
	paused  chan struct{} // closed when nobody does any more; nil while nobody does
}

func (c *Client) host(u *url.URL) *host {
	name := u.Scheme + "://" + hostOf(u)
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[name]
	if h == nil {
		h = &host{}
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
