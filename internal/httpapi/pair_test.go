package httpapi_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
)

// pair is a provider pair with the CPS between, whose log and metrics are kept.
type pair struct {
	*testing.T
	*oobtest.Pair
	log     *logBook
	metrics *prometheus.Registry
}

func startPair(t *testing.T, c oobtest.CPSConfig) *pair {
	t.Helper()
	p := &pair{T: t, log: new(logBook), metrics: prometheus.NewRegistry()}
	c.Door.Log = slog.New(slog.NewJSONHandler(p.log, nil))
	c.Door.Metrics = httpapi.NewMetrics(p.metrics)
	var err error
	if p.Pair, err = oobtest.StartPair(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Pair.Close() })
	return p
}

func (p *pair) send(a *oobtest.Attempt) oobtest.Answer {
	p.Helper()
	answer, err := p.Send(p.Context(), a)
	if err != nil {
		p.Fatal(err)
	}
	return answer
}

// published publishes and retrieves what it is given: a good request of either kind.
func (p *pair) published(profile oob.Profile, passports ...string) {
	p.Helper()
	p.wantBody(p.send(p.Publish(profile, passports...)), 201, `{"status":201,"message":"Created"}`)
	p.wantBody(p.send(p.Retrieve(profile)), 200, string(atis.WritePublish(passports)))
}

func (p *pair) wantBody(got oobtest.Answer, status int, body string) {
	p.Helper()
	if got.Status != status || got.Body != body {
		p.Errorf("%d %.300s\nwant %d %.300s", got.Status, got.Body, status, body)
	}
	p.wantHeader(got.Header, "Content-Type", "application/json")
	p.wantHeader(got.Header, "Content-Length", strconv.Itoa(len(got.Body)))
	p.wantHeader(got.Header, "Cache-Control", "no-store")
}

// wantFault wants the whole answer of a fault, to the last byte.
func (p *pair) wantFault(got oobtest.Answer, kind oob.Kind, detail string) {
	p.Helper()
	row := kind.Row()
	message := row.Title
	if detail != "" {
		message += ": " + detail
	}
	p.wantBody(got, row.HTTP, string(atis.WriteStatus(row.HTTP, message, row.Slug)))
	for header, status := range map[string]bool{
		"WWW-Authenticate": row.HTTP == 401, "Allow": row.HTTP == 405, "Retry-After": row.HTTP == 429 || row.HTTP == 503,
	} {
		if (got.Header.Get(header) != "") != status {
			p.Errorf("status %d with %s %q", got.Status, header, got.Header.Get(header))
		}
	}
}

func (p *pair) wantHeader(h http.Header, name, want string) {
	p.Helper()
	if got := h.Values(name); len(got) != 1 || got[0] != want {
		p.Errorf("%s is %q, want %q", name, got, want)
	}
}

// silent fails if a text that left the CPS, in whatever way, names a party of the call or repeats a token.
func (p *pair) silent(where, text string, tokens ...string) {
	p.Helper()
	for _, secret := range append([]string{oobtest.CallingNumber, oobtest.CalledNumber}, tokens...) {
		for _, part := range strings.Split(secret, ".") {
			if len(part) > 8 && strings.Contains(text, part) {
				p.Errorf("%s tells %q: %s", where, part, text)
			}
		}
	}
}

func (p *pair) metricsText() string {
	p.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.Fatal(err)
	}
	var text strings.Builder
	for _, family := range families {
		text.WriteString(family.String())
	}
	return text.String()
}

// logBook keeps what is logged at level info and above.
type logBook struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // where not nil, told of every line
}

func (b *logBook) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.text.Write(line)
	if b.written != nil {
		b.written <- struct{}{}
	}
	return n, err
}

// take gives the lines since the last take.
func (b *logBook) take(t *testing.T) (lines []map[string]any, text string) {
	t.Helper()
	b.mu.Lock()
	text = b.text.String()
	b.text.Reset()
	b.mu.Unlock()
	for line := range strings.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, fields)
	}
	return lines, text
}

func (p *pair) sign(key *ecdsa.PrivateKey, x5u string, c passport.Claims) string {
	p.Helper()
	token, err := passport.Sign(key, passport.Shaken, x5u, c)
	if err != nil {
		p.Fatal(err)
	}
	return token
}

func (p *pair) issue(c oobtest.IssueConfig) *oobtest.Identity {
	p.Helper()
	id, err := p.PKI.Issue(c)
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// foreign is a provider whose certificate a CA has issued that this CPS does not know. Our repository serves it.
func (p *pair) foreign(spc string) *oobtest.Identity {
	p.Helper()
	other, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		p.Fatal(err)
	}
	id, err := other.Issue(oobtest.IssueConfig{SPC: spc})
	if err != nil {
		p.Fatal(err)
	}
	id.X5U = p.PKI.Serve("/foreign/"+id.Certificate.X509().SerialNumber.String(), id.ChainPEM)
	return id
}

// traceReuse notes whether the request is made on a connection that has been used before.
func traceReuse(ctx context.Context, reused *bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { *reused = c.Reused }})
}

// wantLater wants to be told to come again in one to three seconds.
func (p *pair) wantLater(h http.Header) {
	p.Helper()
	if got := h.Values("Retry-After"); len(got) != 1 || got[0] != "1" && got[0] != "2" && got[0] != "3" {
		p.Errorf("Retry-After is %q, want 1 to 3", got)
	}
}
