package npm_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/provenance/npm/npmtest"
	"countermark/sbom"
)

// TestRetryAfterPausesTheHost: while one request waits because the registry said
// so, no other is sent to that host, and all go on when the time is over.
func TestRetryAfterPausesTheHost(t *testing.T) {
	r := npmtest.New()
	r.Publish("busy", "1.0.0")
	r.Publish("other", "1.0.0")
	r.Fail("/busy", npmtest.Status(http.StatusTooManyRequests, "Retry-After", "7"))
	c, _ := newClient(t, serve(t, r), npm.Sources{})
	sleeping, wake := make(chan time.Duration), make(chan struct{})
	c.Sleep = func(ctx context.Context, d time.Duration) error {
		sleeping <- d
		<-wake
		return ctx.Err()
	}
	answers := make(chan provenance.Set, 1)
	request := func(ctx context.Context, name string) provenance.Set {
		set, err := c.Attestations(ctx, provenance.Subject{Ecosystem: sbom.NPM, Name: name, Version: "1.0.0"})
		if err != nil {
			return provenance.Set{Reason: err.Error()}
		}
		return set
	}
	go func() { answers <- request(t.Context(), "busy") }()
	if d := <-sleeping; d != 7*time.Second {
		t.Errorf("waits for %s", d)
	}
	before := len(r.Requests())
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan provenance.Set, 1)
	go func() { cancelled <- request(ctx, "other") }()
	cancel()
	if set := <-cancelled; set.Reason != context.Canceled.Error() {
		t.Errorf("a cancelled request still waits: %+v", set)
	}
	if after := len(r.Requests()); after != before {
		t.Errorf("%d requests were sent to a host that asked to wait", after-before)
	}
	close(wake)
	if set := <-answers; set.Availability != provenance.None {
		t.Errorf("busy: %+v", set)
	}
	if set := request(t.Context(), "other"); set.Availability != provenance.None {
		t.Errorf("other: %+v", set)
	}
}
