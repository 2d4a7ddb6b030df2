package trace_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/trace"
)

// hooked opens a recorder that posts to a receiver which answers with a status, and gives what that receives.
func hooked(t *testing.T, status int) (r *trace.Recorder, cfg *trace.WebhookConfig, bodies <-chan string) {
	received := make(chan string, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body := new(strings.Builder)
		if err := q.Write(body); err != nil || q.Header.Get("Viaduct-Signature") == "" {
			t.Errorf("%v, signed %q", err, q.Header.Get("Viaduct-Signature"))
		}
		_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
		received <- text
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	cfg = &trace.WebhookConfig{URL: server.URL, KeyFile: filepath.Join(t.TempDir(), "key")}
	if err := os.WriteFile(cfg.KeyFile, []byte("a key of thirty-two bytes or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	return recorderFor(t, trace.Config{Webhook: cfg}), cfg, received
}

func TestWebhookShowsWhatItsRoleMaySee(t *testing.T) {
	r, _, bodies := hooked(t, http.StatusNoContent)
	one := r.Begin("udp", peer, local, "one")
	one.Note(func(r *trace.Record) { r.Orig = identity(t, "12155550123") })
	one.Finish(302, "")
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var views []trace.View
	if err := json.Unmarshal([]byte(<-bodies), &views); err != nil || len(views) != 1 || views[0].ID != one.ID() || views[0].Orig != "1215555xxxx" {
		t.Errorf("%v, %+v", err, views)
	}
	if s := r.Stats().Webhook; s.Delivered != 1 || s.Requests != 1 || len(r.DeadLetters()) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWebhookLeavesDeadLetters(t *testing.T) {
	r, _, _ := hooked(t, http.StatusBadRequest)
	id := call(r, "one", "").ID()
	r.Close(t.Context())
	if dead := r.DeadLetters(); len(dead) != 1 || dead[0].Records != 1 || !strings.Contains(string(dead[0].Body), id) || r.Stats().Webhook.Dead != 1 {
		t.Errorf("%+v", dead)
	}
}

func TestWebhookKeyIsReadAgain(t *testing.T) {
	r, cfg, _ := hooked(t, http.StatusNoContent)
	for _, c := range []struct {
		name, key string
		good      bool
	}{
		{"short", "short", false},
		{"another", strings.Repeat("another", 10), true},
	} {
		if err := os.WriteFile(cfg.KeyFile, []byte(c.key), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Reopen(); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if r, err := trace.Open(trace.Config{Webhook: &trace.WebhookConfig{URL: cfg.URL}}); err == nil || r != nil {
		t.Error("opened without a key")
	}
}
