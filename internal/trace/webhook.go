package trace

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
)

// WebhookConfig has the records posted to a URL. The body is a JSON array of 1 to WebhookRecordsMax records, as View says:
// those that have come together while the request before was answered, so one where little happens.
//
// Each request has these header fields:
//
//	Viaduct-Delivery: UUID of this request, the same when it is tried again
//	Viaduct-Signature: t=1767225600,v1=5257a8…
//
// To verify: take t and v1 from Viaduct-Signature; refuse when t, in seconds since 1970, is more than five minutes from
// now; compute HMAC-SHA256 with the key over the text of t, a dot, and the body as it came, byte for byte; compare with v1,
// which is 64 hexadecimal digits in lower case, in constant time (hmac.Equal, crypto.timingSafeEqual,
// hash_equals). Fields of Viaduct-Signature with other names are to be skipped: a later scheme may stand beside v1.
//
// A receiver answers 2xx once it has the records. It may get a request twice, and a record twice: whoever keeps records
// under their id, and lets a later one take the place of an earlier, has each once, with its withdrawal if there was one.
// Any other 4xx than 408, 425 and 429 is final, and so is a redirect, which is never followed.
type WebhookConfig struct {
	URL     string         // https; http to a loopback address alone, unless Plain is set
	Plain   bool           // allow http: whoever is on the way reads and alters everything but the signature
	KeyFile string         // holds the key of the signature: 32 to 4096 bytes; white space around them does not count
	RootCAs *x509.CertPool // whom to believe about the receiver; nil for those of the system
	Role    Role           // what the receiver may see; default Masked
	Tries   int            // requests for one delivery, the first included; default 8, at most 20
	Timeout time.Duration  // of one request; default 10 s
}

// Bounds of the webhook.
const (
	WebhookRecordsMax = 100       // records in one request
	webhookBytes      = 256 << 10 // bytes of records after which no more are added
	webhookTries      = 8         // with pauses of 1 s, 2 s, 4 s, …, about two minutes in all
	webhookTriesMax   = 20
	webhookTimeout    = 10 * time.Second
	webhookPauseMin   = time.Second // before the second try, doubled each time, half of it left to chance
	webhookPauseMax   = time.Minute
	webhookAnswer     = 4 << 10 // bytes of an answer that are read, so that the connection can be used again
	webhookKeyMin     = 32
	webhookKeyMax     = 4 << 10
)

// WebhookStats are the counters of the webhook since Open.
type WebhookStats struct {
	Delivered   uint64 // records
	Dropped     uint64 // records that were lost because others waited to be delivered
	Dead        uint64 // records that were given up, see DeadLetters
	Requests    uint64
	Failures    uint64 // requests that were not answered with 2xx
	DeadLetters int    // deliveries that can be looked at now
}

// webhook is the output to a URL.
type webhook struct {
	cfg    WebhookConfig
	key    atomic.Pointer[[]byte]
	client *http.Client
	queue  *queue[[]byte]
	dead   deadLetters
	pause  time.Duration // before the second try

	delivered, given, requests, failures atomic.Uint64
}

func newWebhook(cfg WebhookConfig) (*webhook, error) {
	if cfg.Tries == 0 {
		cfg.Tries = webhookTries
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = webhookTimeout
	}
	if cfg.Tries < 0 || cfg.Tries > webhookTriesMax || cfg.Timeout < 0 {
		return nil, fmt.Errorf("tries are 1 to %d, and a timeout is not negative", webhookTriesMax)
	}
	if err := checkWebhookURL(cfg.URL, cfg.Plain); err != nil {
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
	w := &webhook{cfg: cfg, pause: webhookPauseMin, queue: newQueue[[]byte](), client: &http.Client{Transport: transport, Timeout: cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return w, w.readKey()
}

func checkWebhookURL(text string, plain bool) error {
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

// readKey reads the key, and anew when it has been replaced. When it cannot be read the old one goes on being used.
func (w *webhook) readKey() error {
	file, err := os.Open(w.cfg.KeyFile)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, webhookKeyMax+1))
	if err != nil {
		return err
	}
	key := bytes.TrimSpace(text)
	if len(key) < webhookKeyMin || len(text) > webhookKeyMax {
		return fmt.Errorf("the key has %d to %d bytes", webhookKeyMin, webhookKeyMax)
	}
	w.key.Store(&key)
	return nil
}

func (w *webhook) offer(_ *Record, line func(Role) []byte) {
	text := line(w.cfg.Role)
	w.queue.add(text, len(text))
}

func (w *webhook) run() {
	defer close(w.queue.done)
	for {
		text, ok := w.queue.take()
		if !ok {
			break
		}
		body, records := append([]byte{'['}, text...), 1
		for records < WebhookRecordsMax && len(body) < webhookBytes {
			if text, ok = w.queue.poll(); !ok {
				break
			}
			body, records = append(append(body, ','), text...), records+1
		}
		w.deliver(append(body, ']'), records)
	}
	w.client.CloseIdleConnections()
}

// deliver tries until the receiver has the records, has refused them for good, or there is no more time.
func (w *webhook) deliver(body []byte, records int) {
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
func (w *webhook) rest(tries int) bool {
	pause := min(w.pause<<(tries-1), webhookPauseMax) // tries are few
	select {
	case <-time.After(pause/2 + rand.N(pause/2+1)):
		return true
	case <-w.queue.ctx.Done():
		return false
	}
}

// post makes one request. why is empty when the receiver has the records; final says that trying again is of no use.
func (w *webhook) post(delivery string, body []byte) (why string, final bool) {
	w.requests.Add(1)
	request, err := http.NewRequestWithContext(w.queue.ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return "the URL cannot be asked", true
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "viaduct")
	request.Header.Set("Viaduct-Delivery", delivery)
	request.Header.Set("Viaduct-Signature", sign(*w.key.Load(), time.Now(), body))
	answer, err := w.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which may hold a secret
		}
		return clip(err.Error(), TextBytesMax), false
	}
	defer answer.Body.Close()
	io.CopyN(io.Discard, answer.Body, webhookAnswer)
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return "", false
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return "status " + strconv.Itoa(code), false
	default:
		return "status " + strconv.Itoa(code), true
	}
}

// sign makes the value of Viaduct-Signature.
func sign(key []byte, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return strings.Join([]string{"t=" + stamp, "v1=" + hex.EncodeToString(mac.Sum(nil))}, ",")
}

func (w *webhook) close(ctx context.Context) error { return w.queue.close(ctx) }

func (w *webhook) stats() WebhookStats {
	return WebhookStats{Delivered: w.delivered.Load(), Dropped: w.queue.dropped.Load(), Dead: w.given.Load(),
		Requests: w.requests.Load(), Failures: w.failures.Load(), DeadLetters: len(w.dead.list())}
}
