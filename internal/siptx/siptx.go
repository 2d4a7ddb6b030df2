// Package siptx takes SIP requests in and lets answers out, over UDP, TCP and TLS: the transport, the framing and the
// INVITE server transactions of a redirect server, and of a proxy that keeps as little as a stateless one may.
//
// Knows: sockets, the start line and header fields that RFC 3261 gives to transactions and routing, retransmission,
// cancellation, who may send. Never hears of: calls, trunks, numbers, PASSporTs; what an answer says is Config.Respond's affair.
//
// Messages are read by a scanner of this package, not by that of github.com/emiago/sipgo, which is the peer in its tests:
// what is forwarded must be the bytes that came, and there methods become upper case and folded lines one; whatever can be
// answered must be, and of the messages of RFC 4475 that one reads all valid ones (§3.1.1), but gives nothing of ten malformed
// requests that are to be answered 400 (of §3.1.2), nor of a well-formed one that is to be answered 416 (§3.3.3). Ours reads
// the fields named above alone, and gives all others as written.
//
// # Failures
//
// What cannot be understood is answered 400 with a reason phrase as long as its first Via can be used, and dropped
// else; ACK and responses are never answered. Refusals, 503 for overload included, are sent statelessly
// (RFC 3261 §8.2.7): a retransmission is judged anew and judged the same. A panic of Respond is answered 500. Everything
// that is dropped, refused or cut off is counted by cause, see Stats.
//
// An answer goes to the address its request came from and never to another that a Via, its received or its maddr names. The
// port is the one the request came from if the Via has rport (RFC 3581 §4) and that of sent-by else (RFC 3261 §18.2.2). Whoever
// forges the source of a request thus has one that is not served sent at most RefusalsPerSecond answers, and one that is
// served about as much as was forged: an answer over UDP that gets no ACK is sent ten times more (RFC 3261 §17.2.1), but not
// while its source leaves more than a few hundred of them. An answer to a connection that is gone is dropped; an INVITE that
// comes again over another is a new one.
//
// A proxy does not record its route: the ACK of a success, and what comes later in its dialog, pass it by. It remembers
// the way of an INVITE until Config.ForwardTimeout or 64*T1 after its final response; what comes back later, or after the
// process was started anew, is dropped.
//
// Transactions match by more than RFC 3261 §17.2.3 has, see keyOf: no switch reaches the calls of another. A second INVITE of the same Call-ID, From tag and CSeq is merged (RFC 3261 §8.2.2.2) only while the first has no final
// answer: switches that route on dip again with the same CSeq. Redirect servers ignore what they need not understand,
// Require included (RFC 3261 §8.3).
//
// # Limits
//
// Each has a field in Config, with its default and what happens beyond it. Of what is there for the INVITEs or connections of
// all, a source address gets at most three times as much as is free: one switch alone has three quarters, and however much it sends, others
// find room. After its ACK a call takes what it is known by and no more, less than 128 bytes for T4.
//
// Read siptx.go, request.go, scan.go, check.go, answer.go, table.go, room.go, transaction.go,
// timers.go, udp.go, stream.go, proxy.go, back.go, in this order.
package siptx

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Transports, as Request.Transport, Forward.Transport and Stats name them.
const (
	UDP = "udp"
	TCP = "tcp"
	TLS = "tls"
)

// Config is what a Server needs. Zero durations and counts mean the defaults in the comments.
type Config struct {
	// Allow tells which addresses are served over a transport; nil means all. INVITE and OPTIONS of others are answered 403, at most
	// RefusalsPerSecond of them; all else is dropped. A connection of theirs is closed after one message.
	Allow func(source netip.Addr, transport string) bool
	// Respond is asked about every new INVITE, in a goroutine of its own; needed. ctx ends with a CANCEL, which is
	// answered in its place, and with Close; the Response is then of no more use. It must return in bounded time.
	Respond func(ctx context.Context, r *Request) Response
	// Ready tells whether OPTIONS is answered 200; otherwise 503 with Retry-After. nil means it is, until Drain.
	Ready func() bool
	// SentBy is the host, or host:port, of our own Via. If set, Respond may return a Forward, and INVITEs within a
	// dialog are given to it; responses over UDP come back to this address (RFC 3261 §18.2.2).
	SentBy string
	// NextHopTLS is used towards next hops over TLS; nil means the system's roots, and the name in the certificate is
	// the address.
	NextHopTLS *tls.Config
	Log        *slog.Logger // nil means none

	MessageBytesMax      int           // of a message; 64 KiB. On a stream, more is answered 513 and the connection closed
	TransactionsMax      int           // INVITEs that are remembered; 65536. The oldest with an ACK are forgotten first, then the oldest that are answered; when all are open, new ones get 503
	InFlightMax          int           // INVITEs that Respond has at a time; 4096. More are answered 503 at once
	HeldBytesMax         int           // of requests in Respond and answers without ACK; 64 MiB. Answers are forgotten as above; then new INVITEs get 503
	ConnectionsMax       int           // accepted on streams; 1024, a sixteenth of them of sources that are not served. More are closed at once
	ConnectionsPerSource int           // of these, with one address; 64. More are closed at once
	NextHopsMax          int           // connections to next hops; 64. Beyond it, forwarding fails with 503
	UDPReadBuffer        int           // of each socket; 4 MiB, or what the system grants
	UDPSafeBytes         int           // a longer message over UDP is sent and counted; 1300 (RFC 3261 §18.1.1)
	RefusalsPerSecond    int           // 403 to sources that are not served, all together; 10. More are dropped
	RetryAfter           time.Duration // in every 503 of ours; 5 s
	TryingAfter          time.Duration // before 100 Trying is sent; 10 ms, at most 200 ms (RFC 3261 §17.2.1)
	MessageTimeout       time.Duration // from the first byte of a message on a stream to its last; 5 s, then it is closed
	IdleTimeout          time.Duration // of a connection without a message; 10 min, then it is closed
	WriteTimeout         time.Duration // for a message to be taken by a stream; 5 s, then it is closed
	DialTimeout          time.Duration // for a connection to a next hop; 1 s, then forwarding fails with 503
	ForwardTimeout       time.Duration // that a forwarded INVITE without final response is remembered; 4 min
	T1                   time.Duration // estimate of the round trip; 500 ms (RFC 3261 §17.1.1.1)
	T2                   time.Duration // longest interval of retransmission; 4 s
	T4                   time.Duration // how long a message stays in the network; 5 s
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Allow == nil {
		c.Allow = func(netip.Addr, string) bool { return true }
	}
	if c.Ready == nil {
		c.Ready = func() bool { return true }
	}
	for _, d := range []struct {
		field  *int
		preset int
	}{
		{&c.MessageBytesMax, 64 << 10}, {&c.TransactionsMax, 65536}, {&c.InFlightMax, 4096}, {&c.HeldBytesMax, 64 << 20},
		{&c.ConnectionsMax, 1024},
		{&c.ConnectionsPerSource, 64}, {&c.NextHopsMax, 64}, {&c.UDPReadBuffer, 4 << 20}, {&c.UDPSafeBytes, 1300}, {&c.RefusalsPerSecond, 10},
	} {
		if *d.field <= 0 {
			*d.field = d.preset
		}
	}
	for _, d := range []struct {
		field  *time.Duration
		preset time.Duration
	}{
		{&c.RetryAfter, 5 * time.Second}, {&c.TryingAfter, 10 * time.Millisecond}, {&c.MessageTimeout, 5 * time.Second},
		{&c.IdleTimeout, 10 * time.Minute}, {&c.WriteTimeout, 5 * time.Second}, {&c.DialTimeout, time.Second},
		{&c.ForwardTimeout, 4 * time.Minute}, {&c.T1, 500 * time.Millisecond}, {&c.T2, 4 * time.Second}, {&c.T4, 5 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.preset
		}
	}
	c.TryingAfter = min(c.TryingAfter, 200*time.Millisecond)
	return c
}

// strangeRhythm is how often a source that is not served is told of in the log: often enough for who sets up a switch, too
// seldom for a flood.
const strangeRhythm = 10 * time.Second

// Server serves any number of sockets with one table of transactions. Its methods are for concurrent use.
type Server struct {
	config  Config
	table   *table
	counts  counts
	seed    maphash.Seed // of tags
	secret  [32]byte     // of branches
	self    sentBy       // of our own Via, in proxy mode
	refuse  *rate.Limiter
	strange *rate.Limiter // of log lines about sources that are not served
	stopped chan struct{} // closed by Close
	jobs    chan job      // to the crew
	idle    atomic.Int64  // of the crew

	draining atomic.Bool
	leaving  atomic.Bool    // Shutdown has begun: no new INVITEs
	work     sync.WaitGroup // everything that Close waits for

	mu        sync.Mutex
	closed    bool                       // guarded by mu
	sockets   []*udpSocket               // guarded by mu
	doors     map[net.Listener]bool      // guarded by mu
	streams   map[*stream]bool           // guarded by mu; accepted and dialled
	sources   map[netip.Addr]int         // guarded by mu; accepted connections of an address
	strangers int                        // guarded by mu; accepted connections of sources that are not served
	hops      map[nextHop]*hopConnection // guarded by mu
}

// New makes a Server that serves nothing yet.
func New(c Config) (*Server, error) {
	if c.Respond == nil {
		return nil, errors.New("a SIP server needs something that responds")
	}
	s := &Server{
		config:  c.withDefaults(),
		seed:    maphash.MakeSeed(),
		stopped: make(chan struct{}),
		jobs:    make(chan job),
		doors:   map[net.Listener]bool{},
		streams: map[*stream]bool{},
		sources: map[netip.Addr]int{},
		hops:    map[nextHop]*hopConnection{},
	}
	if c.SentBy != "" {
		self, rest, ok := readSentBy(c.SentBy)
		if !ok || rest != len(c.SentBy) {
			return nil, errors.New("the sent-by of our own Via is no host with port")
		}
		s.self = self
	}
	rand.Read(s.secret[:]) // cannot fail: see crypto/rand
	s.refuse = rate.NewLimiter(rate.Limit(s.config.RefusalsPerSecond), s.config.RefusalsPerSecond)
	s.strange = rate.NewLimiter(rate.Every(strangeRhythm), 1)
	s.table = newTable(s.config)
	s.work.Go(s.keepTime)
	return s, nil
}

// Drain has OPTIONS answered 503 from now on, so that switches that probe go elsewhere; INVITEs are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown drains, refuses new INVITEs with 503, waits until those in Respond are answered or ctx ends, and closes.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.leaving.Store(true)
	var err error
	select {
	case <-s.table.idle():
	case <-s.stopped:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, s.Close())
}

// Close closes all sockets and connections, ends the context of every INVITE in Respond, and waits for what it started:
// also for Respond, which must heed its context. What is unanswered then stays so.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.work.Wait()
		return nil
	}
	s.closed = true
	close(s.stopped)
	var faults []error
	for _, u := range s.sockets {
		faults = append(faults, u.conn.Close())
	}
	for l := range s.doors {
		faults = append(faults, l.Close())
	}
	for c := range s.streams {
		c.conn.Close() // nobody to tell
	}
	s.mu.Unlock()
	s.table.cancelAll()
	s.work.Wait()
	return errors.Join(faults...)
}

// begin enters something that Close waits for; false after Close.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Add(1)
	return true
}
