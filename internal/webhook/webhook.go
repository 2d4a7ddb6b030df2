// Package webhook posts records to a URL, signed, and tries again until the receiver has them.
//
// Knows: how records are gathered into requests, their signature, when a request is repeated and when it is given up.
// Never hears of: what a record says, who may see it, metrics.
//
// The body of a request is a JSON array of 1 to [RecordsMax] records: those that have come together while the request
// before was answered, so one where little happens. Each request has these header fields:
//
//	Viaduct-Delivery: UUID of this request, the same when it is tried again
//	Viaduct-Signature: t=1767225600,v1=5257a8…
//
// To verify: take t and v1 from Viaduct-Signature; refuse when t, in seconds since 1970, is more than five minutes from
// now; compute HMAC-SHA256 with the key over the text of t, a dot, and the body as it came, byte for byte; compare with v1,
// which is 64 hexadecimal digits in lower case, in constant time (hmac.Equal, crypto.timingSafeEqual,
// hash_equals). Fields of Viaduct-Signature with other names are to be skipped: a later scheme may stand beside v1.
//
// A receiver answers 2xx once it has the records. It may get a request twice, and a record twice. Any other 4xx than 408,
// 425 and 429 is final, and so is a redirect, which is never followed.
//
// # Failures
//
// What a receiver refuses for good, or has not taken after all tries, becomes a [DeadLetter]. What there is no room to keep
// meanwhile is dropped and counted in [Stats]. Nothing is ever told of the URL, which may hold a secret.
//
// # Limits
//
// Those of package backlog for what waits, [DeadLettersMax] and [DeadLettersBytes] for what was given up; one request at a
// time, of at most one record beyond 256 KiB.
package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/backlog"
	"github.com/viaduct-oob/viaduct/internal/uuid"
)

// Config says where records are posted to.
type Config struct {
	URL     string         // https; http to a loopback address alone, unless Plain is set
	Plain   bool           // allow http: whoever is on the way reads and alters everything but the signature
	KeyFile string         // holds the key of the signature: 32 to 4096 bytes; white space around them does not count
	RootCAs *x509.CertPool // whom to believe about the receiver; nil for those of the system
	Tries   int            // requests for one delivery, the first included; default 8, at most 20
	Timeout time.Duration  // of one request; default 10 s
}

// KeyBytesMin is the least length of a key.
const KeyBytesMin = 32

// Bounds of a webhook.
const (
	RecordsMax = 100       // records in one request
	bodyBytes  = 256 << 10 // bytes of records after which no more are added
	tries      = 8         // with pauses of 1 s, 2 s, 4 s, …, about two minutes in all
	triesMax   = 20
	timeout    = 10 * time.Second
	pauseMin   = time.Second // before the second try, doubled each time, half of it left to chance
	pauseMax   = time.Minute
	answerMax  = 4 << 10 // bytes of an answer that are read, so that the connection can be used again
	whyMax     = 1 << 10 // bytes of the reason of a failure
	keyMax     = 4 << 10
)

// Stats are the counters of a webhook since New.
type Stats struct {
	Delivered   uint64 // records
	Dropped     uint64 // records that were lost because others waited to be delivered
	Dead        uint64 // records that were given up, see DeadLetters
	Requests    uint64
	Failures    uint64 // requests that were not answered with 2xx
	DeadLetters int    // deliveries that can be looked at now
}

// Webhook is the way to one URL. Make it with New, and call Run.
type Webhook struct {
	cfg    Config
	key    atomic.Pointer[[]byte]
	client *http.Client
	queue  *backlog.Queue[[]byte]
	dead   deadLetters
	pause  time.Duration // before the second try

	delivered, given, requests, failures atomic.Uint64
}

// New checks the configuration and reads the key. The error says which of it is wrong.
func New(cfg Config) (*Webhook, error) {
	if cfg.Tries == 0 {
		cfg.Tries = tries
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = timeout
	}
	if cfg.Tries < 0 || cfg.Tries > triesMax || cfg.Timeout < 0 {
		return nil, fmt.Errorf("tries are 1 to %d, and a timeout is not negative", triesMax)
	}
	if err := checkURL(cfg.URL, cfg.Plain); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                  nil, // one from the environment would see numbers
		DialContext:            (&net.Dialer{Timeout: cfg.Timeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the answer is not read, and must not grow
		MaxResponseHeaderBytes: 16 << 10,
		MaxConnsPerHost:        1,
		IdleConnTimeout:        time.Minute,
	}
	w := &Webhook{cfg: cfg, pause: pauseMin, queue: backlog.New[[]byte](), client: &http.Client{Transport: transport, Timeout: cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if err := w.ReadKey(); err != nil {
		return nil, err
	}
	return w, nil
}

func checkURL(text string, plain bool) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("the URL is https://host/path, without user and fragment")
	}
	address, err := netip.ParseAddr(u.Hostname())
	loopback := err == nil && address.IsLoopback() || u.Hostname() == "localhost"
	switch {
	case u.Scheme == "https", u.Scheme == "http" && (loopback || plain):
		return nil
	}
	return errors.New("the URL is https, or http to a loopback address")
}

// Offer has a record, one JSON value, posted with those that come about the same time. It never waits, and must not be
// called after Close. The record must not be altered afterwards.
func (w *Webhook) Offer(record []byte) { w.queue.Add(record, len(record)) }

// Run posts what is offered, until Close.
func (w *Webhook) Run() {
	defer w.queue.Done()
	for {
		record, ok := w.queue.Take()
		if !ok {
			break
		}
		body, records := append([]byte{'['}, record...), 1
		for records < RecordsMax && len(body) < bodyBytes {
			if record, ok = w.queue.Poll(); !ok {
				break
			}
			body, records = append(append(body, ','), record...), records+1
		}
		w.deliver(append(body, ']'), records)
	}
	w.client.CloseIdleConnections()
}

// deliver tries until the receiver has the records, has refused them for good, or there is no more time.
func (w *Webhook) deliver(body []byte, records int) {
	delivery := uuid.New()
	for try := 1; ; try++ {
		why, final := w.post(delivery, body)
		if why == "" {
			w.delivered.Add(uint64(records))
			return
		}
		w.failures.Add(1)
		if final || try == w.cfg.Tries || !w.rest(try) {
			w.given.Add(uint64(records))
			w.dead.add(DeadLetter{Delivery: delivery, At: time.Now(), Tries: try, Why: why, Records: records, Body: body})
			return
		}
	}
}

// rest waits before the next try; false when there will be none.
func (w *Webhook) rest(tries int) bool {
	pause := min(w.pause<<(tries-1), pauseMax) // tries are few
	select {
	case <-time.After(pause/2 + rand.N(pause/2+1)):
		return true
	case <-w.queue.Context().Done():
		return false
	}
}

// Close lets what waits be delivered until ctx is done; the error then is that of ctx, and what still waits is lost.
func (w *Webhook) Close(ctx context.Context) error { return w.queue.Close(ctx) }

// DeadLetters are the deliveries that were given up, the oldest first.
func (w *Webhook) DeadLetters() []DeadLetter { return w.dead.list() }

// Stats gives the counters.
func (w *Webhook) Stats() Stats {
	return Stats{Delivered: w.delivered.Load(), Dropped: w.queue.Dropped(), Dead: w.given.Load(),
		Requests: w.requests.Load(), Failures: w.failures.Load(), DeadLetters: len(w.dead.list())}
}
