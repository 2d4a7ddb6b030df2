// Package cpsclient publishes to and retrieves from Call Placement Services: one, or a redundant pair, in any form. The form
// is in the key.
//
// Knows: where the CPSs are, how each form is spoken and proven, attempts, budgets, which CPS is not worth asking now, what
// was pushed. Never hears of: calls, SIP, what a PASSporT says, how a CPS works inside.
//
// Every operation asks all CPSs at once. Publish is done with the first that has stored; the others are still given
// what they missed, in the background. Retrieve is done when all have answered, or a short grace after the first that
// had something; it gives the union. Read round.go for that, dialect.go for the forms, peer.go for one request, breaker.go
// for when a CPS is left alone.
//
// [Client] is for CPSs that are known. [Pool] has one for whatever CPSs a call is found to have. [Client.Subscribe] has them
// push what is published, and [Inbox] answers calls from that.
//
// # Failures
//
// Every error is an *oob.Fault, within the budget and soon after the caller's context ends; a call goes on without.
// A CPS's refusal is the same Fault that it had. Where all failed, the Fault is the one that tells most: a refusal
// before an outage, an outage before silence. Faults hold no number and no token; what a CPS said is in Err with
// whatever looks like one blotted out. Nothing is logged.
//
// # Limits
//
// An attempt ends after Config.Timeout, with what a CPS was asked to wait besides, and an operation, with what it left in
// the background, after Config.Budget. At most Config.OperationsMax are under way at one CPS; one more fails at once as
// Overloaded. An answer's header has at most 16 KiB; its body 64 KiB, or oob.RetrievedBytesMax when it holds PASSporTs. Of a
// list, the sixteen newest items are fetched. A subscription has one stream from each CPS, opened again at most every
// 125 ms, later every 15 s or less often; an event has at most 128 KiB.
//
// # What the documents leave open
//
// A publish counts as stored on 201, and on 200: the reference client takes any 2xx and one public CPS answers so. No
// other status does, so that a host that is no CPS is noticed. An answer with an empty list is the same as 404.
// Redirects are failures: a token for one CPS is not shown to another host.
package cpsclient

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

const (
	headerBytesMax = 16 << 10

	// So many connections to one CPS are made at a time. Over HTTP/1.1 that bounds the requests under way; an HTTP/2
	// connection is one of them until it has no stream left. A burst must not become a burst of TLS handshakes.
	connectionsMax = 32

	// A connection is made within this time, however soon the request that wanted it has given up: the next uses it.
	connectTimeout = 3 * time.Second
	idleTimeout    = 5 * time.Minute // servers close before

	// A peer that vanishes without a word is found out by a ping on a silent HTTP/2 connection.
	pingAfter   = 5 * time.Second
	pingTimeout = time.Second
)

// Config says whom to ask and as whom. Zero durations and counts mean the defaults in the comments.
type Config struct {
	CPSs []CPS // one or more; all of them are published to and asked

	// For access tokens, which the ATIS forms need: in whose name they speak, one of both, and what they are signed with.
	SPC    string        // a service provider code, in iss
	Number tn.Number     // a number in iss, of a delegate certificate without SPC (RFC 9060 §4). The ATIS forms know none
	Key    crypto.Signer // on P-256, that of the STI certificate at X5U
	X5U    string        // where the CPS finds that certificate

	// Certificate is the STI certificate with its chain and key, shown to CPSs that ask for one in TLS (RFC 9888 §5). Where
	// there is no Key, it proves alone, and no token is sent; nil for none.
	Certificate *tls.Certificate

	RootCAs *x509.CertPool // anchors of the CPSs' TLS certificates; nil means the system's

	Timeout       time.Duration // for one attempt at one CPS; 400 ms, never more than Budget
	Budget        time.Duration // for one operation with all its attempts; 1 s. The caller's context may be shorter
	Grace         time.Duration // for the other CPSs, after the first that had PASSporTs; 30 ms
	Retry         time.Duration // before the second attempt at one CPS, doubled before each further; 50 ms
	NotFoundFinal bool          // do not ask again after 404. Otherwise it is asked again while a record may still be on its way

	OperationsMax int // under way at one CPS, those in the background included; 4,096

	Breaker Breaker

	// Republish is how the action of a relay is spelt, see [Client.Relay]; oob.ActionRepublish.
	Republish oob.Action

	// Control sees each address before it is connected to, and may refuse it: for CPSs that others name. nil refuses none.
	Control func(network, address string, conn syscall.RawConn) error

	Now func() time.Time // clock for iat and the breakers; nil means time.Now

	dial  dialer // nil means TCP; tests have another
	found bool   // its CPSs were found by a Pool
}

// CPS is one Call Placement Service.
type CPS struct {
	URL      string // https://host[:port][/base]
	Audience string // its name in aud; empty means the host of URL, without port
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func (cfg Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&cfg.Timeout, 400 * time.Millisecond},
		{&cfg.Budget, time.Second},
		{&cfg.Grace, 30 * time.Millisecond},
		{&cfg.Retry, 50 * time.Millisecond},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	cfg.Timeout = min(cfg.Timeout, cfg.Budget)
	if cfg.OperationsMax <= 0 {
		cfg.OperationsMax = 4096
	}
	cfg.Breaker = cfg.Breaker.withDefaults()
	if cfg.Republish == "" {
		cfg.Republish = oob.ActionRepublish
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.dial == nil {
		cfg.dial = (&net.Dialer{Timeout: connectTimeout, Control: cfg.Control}).DialContext
	}
	return cfg
}

// Client is an oob.Publisher and an oob.Retriever, and consumes and subscribes. Its methods may be called at the same time.
type Client struct {
	config    Config
	dialects  map[oob.Profile]dialect
	peers     []*peer
	transport *http.Transport
	open      context.Context // ends with Close, and all connections with it
	shut      context.CancelFunc

	mu      sync.Mutex // orders the start of operations with Close
	closed  bool       // guarded by mu
	running sync.WaitGroup

	streaming sync.WaitGroup // subscriptions
}

var (
	_ oob.Publisher = (*Client)(nil)
	_ oob.Retriever = (*Client)(nil)
)

// New makes a client, and tries the key. It connects to nobody; see [Client.Warm].
func New(cfg Config) (*Client, error) {
	if len(cfg.CPSs) == 0 {
		return nil, errors.New("a client needs at least one CPS")
	}
	if err := cfg.checkCredential(); err != nil {
		return nil, err
	}
	return newClient(cfg)
}

// newClient makes a client whose credential has been tried.
func newClient(cfg Config) (*Client, error) {
	c := &Client{config: cfg.withDefaults(), dialects: newDialects()}
	c.open, c.shut = context.WithCancel(context.Background())
	c.transport = c.newTransport()
	known := map[string]bool{}
	for i, cps := range cfg.CPSs {
		p, err := newPeer(cps, c)
		if err != nil {
			return nil, fmt.Errorf("CPS %d: %w", i+1, err)
		}
		if known[p.base] {
			return nil, fmt.Errorf("CPS %d: the same URL twice", i+1)
		}
		known[p.base] = true
		c.peers = append(c.peers, p)
	}
	return c, nil
}

func (c *Client) newTransport() *http.Transport {
	secured := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.config.RootCAs}
	if c.config.Certificate != nil {
		secured.Certificates = []tls.Certificate{*c.config.Certificate}
	}
	return &http.Transport{
		Proxy:                  nil, // one from the environment would see tokens and numbers
		DialContext:            c.dial,
		TLSClientConfig:        secured,
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DisableCompression:     true, // the limit on size is one on what is sent
		MaxConnsPerHost:        connectionsMax,
		MaxIdleConnsPerHost:    connectionsMax,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: headerBytesMax,
	}
}

// dial makes a connection that ends with the client.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	release := context.AfterFunc(c.open, cancel)
	defer release()
	conn, err := c.config.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// Nobody is told of an error: who uses the connection finds it closed.
	return &tethered{conn, context.AfterFunc(c.open, func() { _ = conn.Close() })}, nil
}

// tethered is a connection that something else closes if its user does not.
type tethered struct {
	net.Conn
	release func() bool
}

func (t *tethered) Close() error {
	t.release()
	return t.Conn.Close()
}

// Close refuses new operations, waits for those under way, at most for the budget, ends subscriptions and closes all
// connections.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.running.Wait()
	c.shut()
	c.streaming.Wait()
	c.transport.CloseIdleConnections()
}

// goEach runs f for every CPS at the same time, unless the client is closed. Close waits for it.
func (c *Client) goEach(f func(i int, p *peer)) *oob.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return oob.Faultf(oob.Draining, "this client is closed")
	}
	for i, p := range c.peers {
		c.running.Go(func() { f(i, p) })
	}
	return nil
}
