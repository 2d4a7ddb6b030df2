package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// TestRFC7240_S4_3_AWaitHasNoBody: net/http waits for a body before it answers, and who waits has no time in which to be answered.
// Without waiting, the time of a body is over before.
func TestRFC7240_S4_3_AWaitHasNoBody(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{Door: httpapi.Config{BodyTimeout: soon}})
	for _, c := range []struct {
		name, path, header string
		action             oob.Action
		status             int
	}{
		{"reads", calledPath, "", oob.ActionRetrieve, 200},
		{"waits", calledPath, "Prefer: wait=30\r\n", oob.ActionRetrieve, 400},
		{"subscribes", subscribePath, "Accept: text/event-stream\r\n", oob.ActionSubscribe, 400},
	} {
		connection := p.dialHTTP1(0)
		connection.say("GET " + c.path + " HTTP/1.1\r\nHost: a\r\nAuthorization: " + p.bearer(p.Downstream, c.action) + "\r\n" + c.header + "Content-Length: 10\r\n\r\n")
		if response, body := connection.answer("GET"); response.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.name, response.StatusCode, body)
		}
	}
}

// deadlined is an answer of which it is noted until when it has to be taken.
type deadlined struct {
	*httptest.ResponseRecorder
	notes []string
	last  time.Time
	noted func(note string)
}

func (d *deadlined) note(what string) {
	d.notes = append(d.notes, what)
	d.noted(what)
}

func (d *deadlined) Write(text []byte) (int, error) {
	d.note("write")
	return d.ResponseRecorder.Write(text)
}

func (d *deadlined) SetReadDeadline(time.Time) error { return nil }

func (d *deadlined) SetWriteDeadline(until time.Time) error {
	d.last = until
	if until.IsZero() {
		d.note("endless")
	} else {
		d.note("until " + time.Until(until).Round(5*time.Second).String()) // which may have been a while ago
	}
	return nil
}

// door is another door of the same CPS, which is asked without a connection.
func (p *pair) door(ctx context.Context, to *deadlined, path string, action oob.Action, header ...string) {
	p.Helper()
	door, err := httpapi.New(httpapi.Config{Service: p.CPS.Service, Verifier: p.CPS.Verifier, Heartbeat: time.Millisecond})
	if err != nil {
		p.Fatal(err)
	}
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	request.Header.Set("Authorization", p.bearer(p.Downstream, action))
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	to.ResponseRecorder = httptest.NewRecorder()
	door.ServeHTTP(to, request)
}

// TestWhoDoesNotTakeTheAnswerLosesItsPlace: also when it has waited for it.
func TestWhoDoesNotTakeTheAnswerLosesItsPlace(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	token := p.Passport("a")
	var publish sync.Once
	var published sync.WaitGroup
	to := &deadlined{noted: func(string) { // it waits now
		publish.Do(func() {
			published.Go(func() {
				if got := p.ask(p.goodOnes(token)["post /cps/{DEST}/ppts"]); got.Status != 201 {
					t.Error(got)
				}
			})
		})
	}}
	p.door(t.Context(), to, calledPath, oob.ActionRetrieve, "Prefer", "wait=30, return=representation")
	published.Wait()
	if got := slices.Compact(to.notes); to.Code != 200 || !strings.Contains(to.Body.String(), token) || to.last.IsZero() || time.Until(to.last) > 45*time.Second {
		t.Errorf("%d %s, %q", to.Code, to.Body, got)
	}
}

// TestAStreamThatSaysNothingStaysOpen: what is told has to be taken in time, and nothing else: over HTTP/2 a deadline ends also a
// stream on which nothing waits to be written.
func TestAStreamThatSaysNothingStaysOpen(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	writes := 0
	to := &deadlined{noted: func(note string) {
		if note == "write" {
			if writes++; writes == 3 {
				cancel()
			}
		}
	}}
	p.door(ctx, to, subscribePath, oob.ActionSubscribe, "Accept", rfc9888.StreamMedia)
	if got := strings.Join(to.notes, " "); got != "endless"+strings.Repeat(" until 10s write endless", 3) {
		t.Error(got)
	}
}
