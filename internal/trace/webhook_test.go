package trace_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/uuid"
)

const webhookKey = "a key of thirty-two bytes or more"

// receiver is somebody's webhook.
type receiver struct {
	*httptest.Server
	mu         sync.Mutex
	deliveries []string     // guarded by mu; of each request
	views      []trace.View // guarded by mu; of requests that were answered with 2xx
	faults     []string     // guarded by mu
	answers    []func(http.ResponseWriter, *http.Request)
}

// received starts a receiver that answers each request in its own way, and those beyond with 204.
func received(t *testing.T, answers ...func(http.ResponseWriter, *http.Request)) *receiver {
	r := &receiver{answers: answers}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	r.deliveries = append(r.deliveries, q.Header.Get("Viaduct-Delivery"))
	n := len(r.deliveries)
	if err = errors.Join(err, verify(q.Header.Get("Viaduct-Signature"), body, time.Now())); err != nil {
		r.faults = append(r.faults, err.Error())
	}
	if q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/json" {
		r.faults = append(r.faults, "not a POST of JSON")
	}
	r.mu.Unlock()
	if n <= len(r.answers) {
		r.answers[n-1](w, q)
		return
	}
	var views []trace.View
	if err := json.Unmarshal(body, &views); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.views = append(r.views, views...)
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// verify is what WebhookConfig tells a receiver to do.
func verify(signature string, body []byte, now time.Time) error {
	var stamp, v1 string
	for part := range strings.SplitSeq(signature, ",") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "t":
			stamp = value
		case "v1":
			v1 = value
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return errors.New("signed at another time")
	}
	mac := hmac.New(sha256.New, []byte(webhookKey))
	fmt.Fprintf(mac, "%s.%s", stamp, body)
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(v1)) {
		return errors.New("wrong signature")
	}
	return nil
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (r *receiver) config(t *testing.T) *trace.WebhookConfig {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("\n"+webhookKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(r.Certificate())
	return &trace.WebhookConfig{URL: r.URL + "/calls?token=secret", KeyFile: file, RootCAs: roots, Tries: 3}
}

// hookFor opens a recorder whose webhook rests for a moment only before it tries again.
func hookFor(t *testing.T, cfg *trace.WebhookConfig) *trace.Recorder {
	r := recorderFor(t, trace.Config{Webhook: cfg})
	r.HurryWebhook(time.Millisecond)
	return r
}

func TestWebhookTriesAgain(t *testing.T) {
	hang := func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	flood := func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		for q.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	redirect := func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, "/elsewhere", http.StatusTemporaryRedirect)
	}
	type answers = []func(http.ResponseWriter, *http.Request)
	for _, c := range []struct {
		name    string
		answers answers
		timeout time.Duration
		tries   int
		dead    string // why it was given up; empty when it was delivered
	}{
		{name: "at once", tries: 1},
		{name: "500 then 200", answers: answers{status(500)}, tries: 2},
		{name: "503, 429, then 200", answers: answers{status(503), status(429)}, tries: 3},
		{name: "cut off", answers: answers{cut}, tries: 2},
		{name: "hangs", answers: answers{hang}, timeout: 500 * time.Millisecond, tries: 2},
		{name: "answers without end", answers: answers{flood}, tries: 2},
		{name: "500 for ever", answers: answers{status(500), status(502), status(504)}, tries: 3, dead: "status 504"},
		{name: "refused for good", answers: answers{status(400)}, tries: 1, dead: "status 400"},
		{name: "redirects", answers: answers{redirect}, tries: 1, dead: "status 307"},
	} {
		t.Run(c.name, func(t *testing.T) {
			hook := received(t, c.answers...)
			cfg := hook.config(t)
			cfg.Timeout = c.timeout
			r := hookFor(t, cfg)
			one := r.Begin("udp", peer, local, "one")
			one.Note(func(r *trace.Record) { r.Orig = identity(t, "12155550123") })
			one.Finish(302, "")
			if err := r.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			hook.mu.Lock()
			defer hook.mu.Unlock()
			if len(hook.faults) > 0 || len(hook.deliveries) != c.tries {
				t.Errorf("%d requests, %q", len(hook.deliveries), hook.faults)
			}
			for _, id := range hook.deliveries {
				if id != hook.deliveries[0] || !uuid.IsVersion4(id) {
					t.Errorf("deliveries %q", hook.deliveries)
				}
			}
			s, dead := r.Stats().Webhook, r.DeadLetters()
			if s.Requests != uint64(c.tries) || s.Dropped != 0 {
				t.Errorf("%+v", s)
			}
			if c.dead == "" {
				if len(hook.views) != 1 || hook.views[0].ID != one.ID() || hook.views[0].Orig != "1215555xxxx" || s.Delivered != 1 || len(dead) != 0 {
					t.Errorf("%+v, %+v, %+v", hook.views, s, dead)
				}
				return
			}
			if len(dead) != 1 || dead[0].Why != c.dead || dead[0].Tries != c.tries || dead[0].Records != 1 || dead[0].Delivery != hook.deliveries[0] ||
				!strings.Contains(string(dead[0].Body), one.ID()) || s.Dead != 1 || s.DeadLetters != 1 || s.Delivered != 0 {
				t.Errorf("%+v, %+v", dead, s)
			}
		})
	}
}

func TestWebhookGathersWhatWaits(t *testing.T) {
	hook := received(t)
	r := hookFor(t, hook.config(t))
	const calls = 3*trace.WebhookRecordsMax + 1
	for i := range calls {
		call(r, fmt.Sprint(i), "")
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.views) != calls || len(hook.deliveries) < 4 || len(hook.deliveries) > calls/2 {
		t.Fatalf("%d records in %d requests", len(hook.views), len(hook.deliveries))
	}
	for i, v := range hook.views {
		if v.CallID != fmt.Sprint(i) {
			t.Fatalf("record %d is that of call %s", i, v.CallID)
		}
	}
}

func TestWebhookThatNobodyAnswersDelaysNoClose(t *testing.T) {
	hook := received(t, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	r := hookFor(t, hook.config(t))
	call(r, "one", "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closed with %v", err)
	}
}

func TestWebhookTellsNobodyItsURL(t *testing.T) {
	hook := received(t)
	cfg := hook.config(t)
	cfg.RootCAs = x509.NewCertPool() // the receiver is somebody else
	cfg.Tries = 1
	r := hookFor(t, cfg)
	call(r, "one", "")
	r.Close(t.Context())
	if dead := r.DeadLetters(); len(dead) != 1 || !strings.Contains(dead[0].Why, "certificate") || strings.Contains(dead[0].Why, "secret") {
		t.Errorf("%+v", dead)
	}
}

func TestWebhookKeyIsReplaced(t *testing.T) {
	hook := received(t)
	cfg := hook.config(t)
	r := hookFor(t, cfg)
	if err := os.WriteFile(cfg.KeyFile, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reopen(); err == nil {
		t.Error("a short key was taken")
	}
	if err := os.WriteFile(cfg.KeyFile, []byte(strings.Repeat("another", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reopen(); err != nil {
		t.Error(err)
	}
	call(r, "one", "")
	r.Close(t.Context())
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if fmt.Sprint(hook.faults) != "[wrong signature]" {
		t.Errorf("the old key goes on: %q", hook.faults)
	}
}

func TestWebhookConfig(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(webhookKey), 0o600); err != nil {
		t.Fatal(err)
	}
	short := key + ".short"
	if err := os.WriteFile(short, []byte(" \n0123456789012345678901234567890  \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  trace.WebhookConfig
		good bool
	}{
		{"https", trace.WebhookConfig{URL: "https://example.net/a", KeyFile: key}, true},
		{"http to loopback", trace.WebhookConfig{URL: "http://127.0.0.1:1/", KeyFile: key}, true},
		{"http to loopback of six", trace.WebhookConfig{URL: "http://[::1]:1/", KeyFile: key}, true},
		{"http to localhost", trace.WebhookConfig{URL: "http://localhost/", KeyFile: key}, true},
		{"http", trace.WebhookConfig{URL: "http://example.net/", KeyFile: key}, false},
		{"http to what looks like loopback", trace.WebhookConfig{URL: "http://127.0.0.1.example/", KeyFile: key}, false},
		{"http where allowed", trace.WebhookConfig{URL: "http://example.net/", KeyFile: key, Plain: true}, true},
		{"another scheme", trace.WebhookConfig{URL: "ftp://127.0.0.1/", KeyFile: key, Plain: true}, false},
		{"user", trace.WebhookConfig{URL: "https://a:b@example.net/", KeyFile: key}, false},
		{"no URL", trace.WebhookConfig{KeyFile: key}, false},
		{"no key", trace.WebhookConfig{URL: "https://example.net/"}, false},
		{"short key", trace.WebhookConfig{URL: "https://example.net/", KeyFile: short}, false},
		{"tries", trace.WebhookConfig{URL: "https://example.net/", KeyFile: key, Tries: 21}, false},
		{"timeout", trace.WebhookConfig{URL: "https://example.net/", KeyFile: key, Timeout: -1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := trace.Open(trace.Config{Webhook: &c.cfg})
			if (err == nil) != c.good {
				t.Errorf("%v", err)
			}
			r.Close(t.Context())
		})
	}
}
