package closure

import (
	"context"
	"sync"
)

// fetcher asks the source for each packument once. Those that will be needed are
// asked for ahead, a few at a time.
type fetcher struct {
	ctx    context.Context //nolint:containedctx // of one resolution, which ends before the context does
	source Source
	turns  chan struct{}

	mu   sync.Mutex
	held map[string]*pending
	wait sync.WaitGroup
}

type pending struct {
	done chan struct{} // closed once the fields below are set
	p    *Packument
	err  error
}

func newFetcher(ctx context.Context, source Source) *fetcher {
	return &fetcher{ctx: ctx, source: source, turns: make(chan struct{}, maxAhead), held: map[string]*pending{}}
}

// ahead begins to ask for a packument.
func (f *fetcher) ahead(name string) *pending {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x := f.held[name]; x != nil {
		return x
	}
	x := &pending{done: make(chan struct{})}
	f.held[name] = x
	f.wait.Go(func() {
		defer close(x.done)
		select {
		case f.turns <- struct{}{}:
			defer func() { <-f.turns }()
		case <-f.ctx.Done():
			x.err = f.ctx.Err()
			return
		}
		x.p, x.err = f.source.Packument(f.ctx, name)
	})
	return x
}

// get returns a packument.
func (f *fetcher) get(name string) (*Packument, error) {
	x := f.ahead(name)
	select {
	case <-x.done:
		return x.p, x.err
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
}

// stop ends what was asked for ahead, and waits for it.
func (f *fetcher) stop(cancel context.CancelFunc) {
	cancel()
	f.wait.Wait()
}
