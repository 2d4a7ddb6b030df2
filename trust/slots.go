package trust

import (
	"context"
	"sync"
)

// slots bound how many fetches run and wait, in all and per host, so that a host that hangs holds up its own
// certificates alone.
type slots struct {
	running     chan struct{} // holds one value for each fetch that runs
	perHostMax  int
	waitingMax  int // that run or wait, in all
	hostWaiting int // that run or wait, for one host

	mu    sync.Mutex
	total int                   // that run or wait; guarded by mu
	hosts map[string]*hostSlots // of hosts with any; guarded by mu
}

type hostSlots struct {
	running chan struct{}
	total   int // guarded by slots.mu
}

func newSlots(runningMax, perHostMax, waitingMax int) *slots {
	return &slots{
		running:     make(chan struct{}, runningMax),
		perHostMax:  perHostMax,
		waitingMax:  runningMax + waitingMax,
		hostWaiting: perHostMax + waitingMax/4,
		hosts:       make(map[string]*hostSlots),
	}
}

// enter waits for its turn and gives what must be called after it. The host's turn comes first, so that nobody waits
// for a host while holding a place that another host could use.
func (s *slots) enter(ctx context.Context, host string) (leave func(), err error) {
	h := s.join(host)
	if h == nil {
		return nil, ErrBusy
	}
	select {
	case h.running <- struct{}{}:
	case <-ctx.Done():
		s.part(host, h)
		return nil, ErrBusy
	}
	select {
	case s.running <- struct{}{}:
	case <-ctx.Done():
		<-h.running
		s.part(host, h)
		return nil, ErrBusy
	}
	return func() {
		<-s.running
		<-h.running
		s.part(host, h)
	}, nil
}

func (s *slots) join(host string) *hostSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[host]
	if s.total >= s.waitingMax || h != nil && h.total >= s.hostWaiting {
		return nil
	}
	if h == nil {
		h = &hostSlots{running: make(chan struct{}, s.perHostMax)}
		s.hosts[host] = h
	}
	s.total++
	h.total++
	return h
}

func (s *slots) part(host string, h *hostSlots) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if h.total--; h.total == 0 {
		delete(s.hosts, host)
	}
}
