package cpsclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// Bounds of a subscription.
const (
	openTimeout = 5 * time.Second // for a CPS to accept it
	silenceMax  = 3               // heartbeats without an event; then the stream is dead, whatever TCP says

	reconnectAfter = 250 * time.Millisecond // after the first cut, doubled after each further
	reconnectMax   = 30 * time.Second       // also where a CPS asks for more
	steadyAfter    = 8 * time.Second        // a stream that lasted so long begins anew; one that ends at once is no reason to hurry
)

// Transport is what carries the events of a subscription.
type Transport string

// The transports.
const (
	ServerSentEvents Transport = "sse"
	WebSocket        Transport = "websocket"
)

var transports = map[Transport]func(ctx context.Context, cps *peer, q request) (events, *failure){
	ServerSentEvents: openStream,
	WebSocket:        openSocket,
}

// events are those of one connection. Next blocks; what makes it end is the context that it was opened under.
type events interface {
	Next() (rfc9888.Event, error)
	Retry() time.Duration // how long the CPS wants us to wait before we connect again
	Close()
}

// SubscribeConfig says what a client wants to be told of.
type SubscribeConfig struct {
	Profile   oob.Profile // one whose records are pushed
	Resources []stircert.Resource
	Transport Transport     // default ServerSentEvents
	Heartbeat time.Duration // how often the CPSs say that they are alive, at least; 15 s

	// Receive is told of every record once by each CPS, one at a time, also of those that were published while there was no connection,
	// as far as they are still served. It must not block: a CPS cuts off who does not keep up.
	Receive func(Event)
	// Alive is told, one at a time, when the first stream has come up and when the last one is down; nil for nobody.
	Alive func(up bool)
}

// Event is a record that was pushed.
type Event struct {
	CPS string // URL of the CPS that told of it first
	oob.Held
}

// Subscription tells of records as they are published. It stays until its context ends or the client is closed.
type Subscription struct {
	client *Client
	config SubscribeConfig
	done   sync.WaitGroup

	telling sync.Mutex // orders what Receive and Alive are told

	mu      sync.Mutex
	streams []StreamState // guarded by mu, as what follows
	stats   SubscriptionStats
	seen    map[string]*recent // by CPS: what one says of a record takes nothing from what another says
}

// StreamState is how the stream from one CPS stands.
type StreamState struct {
	URL   string
	Up    bool
	Since time.Time  // of the last change; zero when there was none
	Fault *oob.Fault // why it is down or, while it is up, was down last; nil when it never was
}

// SubscriptionStats counts what a subscription has been told.
type SubscriptionStats struct {
	Received   int64 // records, each once of each CPS
	Duplicates int64 // told again, after a cut
	Gaps       int64 // times that a CPS did not know any more where we were
	Cuts       int64 // streams that have ended
	Streams    []StreamState
}

// Subscribe has all CPSs tell of what is published (RFC 9888 §6), until ctx ends. A stream that is cut, or silent for three
// heartbeats, is opened again, for ever, and goes on where it was. The error says that the configuration is wrong, or the client
// closed.
func (c *Client) Subscribe(ctx context.Context, cfg SubscribeConfig) (*Subscription, error) {
	if cfg.Transport == "" {
		cfg.Transport = ServerSentEvents
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = 15 * time.Second
	}
	switch {
	case transports[cfg.Transport] == nil:
		return nil, errors.New("the transport of a subscription is sse or websocket")
	case cfg.Receive == nil:
		return nil, errors.New("a subscription needs somebody to tell")
	case len(cfg.Resources) == 0 || len(cfg.Resources) > rfc9888.ResourcesMax || slices.ContainsFunc(cfg.Resources, stircert.Resource.IsZero):
		return nil, errors.New("a subscription needs 1 to 256 resources")
	case !cfg.Profile.Row().Pushed:
		return nil, errors.New("the profile of a subscription is none whose records are pushed")
	}
	if fault := c.checkProof(oob.ActionSubscribe, oob.Key{Profile: cfg.Profile}); fault != nil {
		return nil, fault
	}
	s := &Subscription{client: c, config: cfg, streams: make([]StreamState, len(c.peers)), seen: map[string]*recent{}}
	for i, p := range c.peers {
		s.streams[i].URL = p.base
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, oob.Faultf(oob.Draining, "this client is closed")
	}
	ctx, cancel := context.WithCancel(ctx)
	release := context.AfterFunc(c.open, cancel)
	for i := range c.peers {
		s.done.Go(func() { s.follow(ctx, i) })
	}
	c.streaming.Go(func() {
		s.done.Wait()
		release()
		cancel()
	})
	return s, nil
}

// Wait waits until the subscription has ended: nobody is told of anything any more.
func (s *Subscription) Wait() { s.done.Wait() }

// Stats tells what the subscription has been told, and how its streams stand.
func (s *Subscription) Stats() SubscriptionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Streams = append([]StreamState(nil), s.streams...)
	return stats
}

// follow keeps the stream from one CPS open.
func (s *Subscription) follow(ctx context.Context, i int) {
	pause, cursor := reconnectAfter, ""
	for ctx.Err() == nil {
		lasted, failed := s.connect(ctx, i, &cursor)
		s.turn(i, false, failed.fault)
		if lasted >= steadyAfter {
			pause = reconnectAfter
		}
		wait := max(pause/2+rand.N(pause/2), min(failed.fault.RetryAfter, reconnectMax))
		pause = min(2*pause, reconnectMax)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// connect opens the stream from one CPS behind the cursor, and reads it until it ends, moving the cursor on. It tells how long
// the stream has lasted.
func (s *Subscription) connect(ctx context.Context, i int, cursor *string) (time.Duration, *failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(openTimeout, cancel)
	defer silent.Stop()
	stream, failed := s.open(ctx, s.client.peers[i], *cursor)
	switch {
	case failed != nil && ctx.Err() != nil: // an answer to a request that has been given up may come all the same
		return 0, silence(ctx, failed.fault)
	case failed != nil:
		return 0, failed
	}
	defer stream.Close()
	s.turn(i, true, nil)
	began := time.Now()
	for {
		silent.Reset(silenceMax * s.config.Heartbeat)
		event, err := stream.Next()
		if err != nil {
			return time.Since(began), cut(ctx, err, stream.Retry())
		}
		if failed := s.take(s.client.peers[i], event, cursor); failed != nil {
			return time.Since(began), failed
		}
	}
}

func (s *Subscription) open(ctx context.Context, cps *peer, cursor string) (events, *failure) {
	q := request{
		method: http.MethodGet, bytesMax: answerBytesMax,
		path: rfc9888.Subscription{Profile: s.config.Profile, Resources: s.config.Resources, After: cursor}.Path(),
	}
	var failed *failure
	if q.token, failed = s.client.mint(cps, s.client.access(oob.ActionSubscribe, oob.Key{Profile: s.config.Profile})); failed != nil {
		return nil, failed
	}
	return transports[s.config.Transport](ctx, cps, q)
}

// cut is the failure of a stream that err has ended.
func cut(ctx context.Context, err error, retry time.Duration) *failure {
	failed := silence(ctx, err)
	if _, unread := errors.AsType[*oob.Fault](err); unread {
		failed = unreadable(err)
	}
	failed.fault.RetryAfter = retry
	return failed
}

// take does what an event asks for. A failure ends the stream.
func (s *Subscription) take(cps *peer, event rfc9888.Event, cursor *string) *failure {
	switch event.Type {
	case rfc9888.EventPassports:
		s.receive(Event{CPS: cps.base, Held: event.Held})
	case rfc9888.EventGap:
		*cursor = ""
		s.mu.Lock()
		s.stats.Gaps++
		s.mu.Unlock()
	case rfc9888.EventEnd:
		return &failure{fault: oob.Faultf(oob.PeerFailed, "the CPS has ended the stream").Because(blotted(errors.New(event.Reason)))}
	}
	if event.Cursor != "" {
		*cursor = event.Cursor
	}
	return nil
}

func (s *Subscription) receive(e Event) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	if s.seen[e.CPS] == nil {
		s.seen[e.CPS] = &recent{}
	}
	fresh := e.Key.Profile == s.config.Profile && s.seen[e.CPS].add(e.Held)
	if fresh {
		s.stats.Received++
	} else {
		s.stats.Duplicates++
	}
	s.mu.Unlock()
	if fresh {
		s.config.Receive(e)
	}
}

// turn notes that a stream is up or down, and tells if that is the first or the last.
func (s *Subscription) turn(i int, up bool, fault *oob.Fault) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	was := s.anyUp()
	if s.streams[i].Up != up {
		s.streams[i].Since = s.client.config.Now()
		if !up {
			s.stats.Cuts++
		}
	}
	s.streams[i].Up = up
	if !up {
		s.streams[i].Fault = fault
	}
	is := s.anyUp()
	s.mu.Unlock()
	if was != is && s.config.Alive != nil {
		s.config.Alive(is)
	}
}

func (s *Subscription) anyUp() bool {
	return slices.ContainsFunc(s.streams, func(stream StreamState) bool { return stream.Up })
}
