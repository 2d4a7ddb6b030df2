package trust

import (
	"context"
	"sync"
)

// slots bound how many fetches run and wait: in all, for strangers' hosts and for known ones, and per host. A host that
// hangs holds up its own certificates alone; all the hosts that strangers can name hold up those of strangers alone, for
// a stranger can have as many hosts as he likes.
type slots struct {
	running chan struct{} // holds one value for each fetch that runs
	known   class         // hosts with certificates in the cache: three quarters of all
	strange class         // all others: half of all

	mu      sync.Mutex
	hosts   map[turn]*hostSlots // of hosts with any; guarded by mu
	waiting map[string]bool     // x5u's of fetches that wait; guarded by mu
}

// class is what one kind of host may use.
type class struct {
	running     chan struct{}
	totalMax    int // that run or wait
	hostMax     int // that run, for one host
	hostWaiting int // that run or wait, for one host
	total       int // guarded by slots.mu
}

// turn is a host in its class: while it becomes known, it has fetches in both.
type turn struct {
	owner string
	known bool
}

type hostSlots struct {
	running chan struct{}
	total   int // guarded by slots.mu
}

func newSlots(runningMax, perHostMax, waitingMax int) *slots {
	part := func(numerator, hostMax int) class {
		return class{
			running:     make(chan struct{}, max(1, runningMax*numerator/4)),
			totalMax:    max(1, (runningMax+waitingMax)*numerator/4),
			hostMax:     max(1, hostMax),
			hostWaiting: max(1, hostMax) + waitingMax/4,
		}
	}
	return &slots{
		running: make(chan struct{}, runningMax),
		known:   part(3, perHostMax),
		strange: part(2, perHostMax/4), // nobody may be able to aim us at a third party with all our might
		hosts:   make(map[turn]*hostSlots),
		waiting: make(map[string]bool),
	}
}

// enter waits for its turn and gives what must be called after it. The host's turn comes first, so that nobody waits
// for a host while holding a place that another host could use.
func (s *slots) enter(ctx context.Context, from source, known bool) (leave func(), err error) {
	t, c := turn{from.owner, known}, &s.strange
	if known {
		c = &s.known
	}
	h := s.join(t, c, from.x5u)
	if h == nil {
		return nil, ErrBusy
	}
	var held []chan struct{}
	leave = func() {
		for _, place := range held {
			<-place
		}
		s.part(t, c, h)
	}
	for _, place := range []chan struct{}{h.running, c.running, s.running} {
		select {
		case place <- struct{}{}:
			held = append(held, place)
		case <-ctx.Done():
			s.begin(from.x5u)
			leave()
			return nil, ErrBusy
		}
	}
	s.begin(from.x5u)
	return leave, nil
}

// waits tells whether the fetch of x5u has not had its turn yet.
func (s *slots) waits(x5u string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting[x5u]
}

func (s *slots) begin(x5u string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, x5u)
}

func (s *slots) join(t turn, c *class, x5u string) *hostSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[t]
	if c.total >= c.totalMax || h != nil && h.total >= c.hostWaiting {
		return nil
	}
	if h == nil {
		h = &hostSlots{running: make(chan struct{}, c.hostMax)}
		s.hosts[t] = h
	}
	c.total++
	h.total++
	s.waiting[x5u] = true
	return h
}

func (s *slots) part(t turn, c *class, h *hostSlots) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.total--
	if h.total--; h.total == 0 {
		delete(s.hosts, t)
	}
}
