package webhook_test

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

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/webhook"
)

const webhookKey = "a key of thirty-two bytes or more"

// receiver is somebody's webhook.
type receiver struct {
	*httptest.Server
	mu         sync.Mutex
	deliveries []string // guarded by mu; of each request
	records    []int    // guarded by mu; of requests that were answered with 2xx
	faults     []string // guarded by mu
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
	var records []int
	if err := json.Unmarshal(body, &records); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.records = append(r.records, records...)
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// verify is what the package comment tells a receiver to do.
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

func (r *receiver) config(t *testing.T) webhook.Config {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("\n"+webhookKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(r.Certificate())
	return webhook.Config{URL: r.URL + "/calls?token=secret", KeyFile: file, RootCAs: roots, Tries: 3}
}

// open starts a webhook that rests for a moment only before it tries again.
func open(t *testing.T, cfg webhook.Config) *webhook.Webhook {
	w, err := webhook.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Hurry(time.Millisecond)
	go w.Run()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.Close(ctx)
	})
	return w
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
		{name: "hangs", answers: answers{hang}, timeout: 3 * time.Second, tries: 2},
		{name: "answers without end", answers: answers{flood}, tries: 2},
		{name: "500 for ever", answers: answers{status(500), status(502), status(504)}, tries: 3, dead: "status 504"},
		{name: "refused for good", answers: answers{status(400)}, tries: 1, dead: "status 400"},
		{name: "redirects", answers: answers{redirect}, tries: 1, dead: "status 307"},
	} {
		t.Run(c.name, func(t *testing.T) {
			hook := received(t, c.answers...)
			cfg := hook.config(t)
			cfg.Timeout = c.timeout
			w := open(t, cfg)
			w.Offer([]byte("41"))
			if err := w.Close(t.Context()); err != nil {
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
			s, dead := w.Stats(), w.DeadLetters()
			if s.Requests != uint64(c.tries) || s.Dropped != 0 {
				t.Errorf("%+v", s)
			}
			if c.dead == "" {
				if len(hook.records) != 1 || hook.records[0] != 41 || s.Delivered != 1 || len(dead) != 0 {
					t.Errorf("%+v, %+v, %+v", hook.records, s, dead)
				}
				return
			}
			if len(dead) != 1 || dead[0].Why != c.dead || dead[0].Tries != c.tries || dead[0].Records != 1 || dead[0].Delivery != hook.deliveries[0] ||
				string(dead[0].Body) != "[41]" || s.Dead != 1 || s.DeadLetters != 1 || s.Delivered != 0 {
				t.Errorf("%+v, %+v", dead, s)
			}
		})
	}
}

func TestWebhookGathersWhatWaits(t *testing.T) {
	hook := received(t)
	w := open(t, hook.config(t))
	const records = 3*webhook.RecordsMax + 1
	for i := range records {
		w.Offer(strconv.AppendInt(nil, int64(i), 10))
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.records) != records || len(hook.deliveries) < 4 || len(hook.deliveries) > records/2 {
		t.Fatalf("%d records in %d requests", len(hook.records), len(hook.deliveries))
	}
	for i, record := range hook.records {
		if record != i {
			t.Fatalf("record %d is %d", i, record)
		}
	}
}

func TestWebhookThatNobodyAnswersDelaysNoClose(t *testing.T) {
	hook := received(t, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	w := open(t, hook.config(t))
	w.Offer([]byte("1"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closed with %v", err)
	}
}

func TestWebhookTellsNobodyItsURL(t *testing.T) {
	hook := received(t)
	cfg := hook.config(t)
	cfg.RootCAs = x509.NewCertPool() // the receiver is somebody else
	cfg.Tries = 1
	w := open(t, cfg)
	w.Offer([]byte("1"))
	w.Close(t.Context())
	if dead := w.DeadLetters(); len(dead) != 1 || !strings.Contains(dead[0].Why, "certificate") || strings.Contains(dead[0].Why, "secret") {
		t.Errorf("%+v", dead)
	}
}

func TestWebhookKeyIsReplaced(t *testing.T) {
	hook := received(t)
	cfg := hook.config(t)
	w := open(t, cfg)
	if err := os.WriteFile(cfg.KeyFile, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.ReadKey(); err == nil {
		t.Error("a short key was taken")
	}
	if err := os.WriteFile(cfg.KeyFile, []byte(strings.Repeat("another", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.ReadKey(); err != nil {
		t.Error(err)
	}
	w.Offer([]byte("1"))
	w.Close(t.Context())
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
		cfg  webhook.Config
		good bool
	}{
		{"https", webhook.Config{URL: "https://example.net/a", KeyFile: key}, true},
		{"http to loopback", webhook.Config{URL: "http://127.0.0.1:1/", KeyFile: key}, true},
		{"http to loopback of six", webhook.Config{URL: "http://[::1]:1/", KeyFile: key}, true},
		{"http to localhost", webhook.Config{URL: "http://localhost/", KeyFile: key}, true},
		{"http", webhook.Config{URL: "http://example.net/", KeyFile: key}, false},
		{"http to what looks like loopback", webhook.Config{URL: "http://127.0.0.1.example/", KeyFile: key}, false},
		{"http where allowed", webhook.Config{URL: "http://example.net/", KeyFile: key, Plain: true}, true},
		{"another scheme", webhook.Config{URL: "ftp://127.0.0.1/", KeyFile: key, Plain: true}, false},
		{"user", webhook.Config{URL: "https://a:b@example.net/", KeyFile: key}, false},
		{"no URL", webhook.Config{KeyFile: key}, false},
		{"no key", webhook.Config{URL: "https://example.net/"}, false},
		{"short key", webhook.Config{URL: "https://example.net/", KeyFile: short}, false},
		{"tries", webhook.Config{URL: "https://example.net/", KeyFile: key, Tries: 21}, false},
		{"timeout", webhook.Config{URL: "https://example.net/", KeyFile: key, Timeout: -1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if w, err := webhook.New(c.cfg); (err == nil) != c.good || (w != nil) != c.good {
				t.Errorf("%v", err)
			}
		})
	}
}
