package trace

import (
	"crypto/x509"
	"time"

	"github.com/viaduct-oob/viaduct/internal/webhook"
)

// WebhookConfig has the records posted to a URL, as package webhook says, which also tells a receiver how to verify a
// request. Each record in the body is as View says.
//
// A receiver may get a record twice: whoever keeps records under their id, and lets a later one take the place of an
// earlier, has each once, with its withdrawal if there was one.
type WebhookConfig struct {
	URL     string         // https; http to a loopback address alone, unless Plain is set
	Plain   bool           // allow http: whoever is on the way reads and alters everything but the signature
	KeyFile string         // holds the key of the signature: 32 to 4096 bytes; white space around them does not count
	RootCAs *x509.CertPool // whom to believe about the receiver; nil for those of the system
	Role    Role           // what the receiver may see; default Masked
	Tries   int            // requests for one delivery, the first included; default 8, at most 20
	Timeout time.Duration  // of one request; default 10 s
}

// hook is the output to a URL.
type hook struct {
	*webhook.Webhook
	role Role
}

func newHook(cfg WebhookConfig) (*hook, error) {
	w, err := webhook.New(webhook.Config{URL: cfg.URL, Plain: cfg.Plain, KeyFile: cfg.KeyFile, RootCAs: cfg.RootCAs, Tries: cfg.Tries, Timeout: cfg.Timeout})
	if err != nil {
		return nil, err
	}
	return &hook{Webhook: w, role: cfg.Role}, nil
}

func (h *hook) offer(_ *Record, line func(Role) []byte) { h.Offer(line(h.role)) }

// DeadLetters are the deliveries to the webhook that were given up, the oldest first.
func (r *Recorder) DeadLetters() []webhook.DeadLetter {
	if r == nil || r.webhook == nil {
		return nil
	}
	return r.webhook.DeadLetters()
}
