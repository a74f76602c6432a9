package npm

import (
	"context"
	"sync"

	"countermark/provenance/fetch"
)

// maxPackuments is how many packuments are held. A project's versions of one
// package are judged one after the other, so few are needed again.
const maxPackuments = 64

// packuments asks for each packument once while it is held, however many
// versions of the package are judged at the same time. The zero value holds none.
type packuments struct {
	mu    sync.Mutex
	held  map[string]*pending
	order []string // by age
}

// pending is a packument that was asked for.
type pending struct {
	done chan struct{} // closed once the fields below are set
	p    *packument
	fail *failure
	void bool // who asked left before there was an answer
}

// get returns the packument of a URL. What only the caller's context ended is
// asked again for others.
func (s *packuments) get(ctx context.Context, u string, ask func() (*packument, *failure)) (*packument, *failure) {
	for {
		x, mine := s.hold(u)
		if mine {
			x.p, x.fail = ask()
			if x.void = ctx.Err() != nil; x.void {
				s.drop(u)
			}
			close(x.done)
			return x.p, x.fail
		}
		select {
		case <-x.done:
		case <-ctx.Done():
			return nil, fetch.Cancelled(ctx.Err())
		}
		if !x.void {
			return x.p, x.fail
		}
	}
}

func (s *packuments) hold(u string) (x *pending, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.held[u]; x != nil {
		return x, false
	}
	if s.held == nil {
		s.held = map[string]*pending{}
	}
	if len(s.order) == maxPackuments {
		delete(s.held, s.order[0])
		s.order = s.order[1:]
	}
	x = &pending{done: make(chan struct{})}
	s.held[u] = x
	s.order = append(s.order, u)
	return x, true
}

func (s *packuments) drop(u string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, u)
}
