package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// TestOverloadIsTold: who is not worked on is told so as the description has it, and when to come again; health is answered all the
// same, and what has been refused can be asked again.
func TestOverloadIsTold(t *testing.T) {
	d := readDescription(t)
	// One place, which is taken; nobody may wait for it.
	gate := turnstile.New(turnstile.Config{Places: 1, Waiting: 1, Burst: time.Hour})
	p := startProviders(t, oobtest.CPSConfig{Door: httpapi.Config{Turnstile: gate}})
	leave := shut(t, gate)
	for name, a := range p.goodOnes(p.Passport("x")) {
		got := p.ask(a)
		if got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
			continue
		}
		p.wantLater(got.Header)
		d.fits(name, got)
	}
	for _, profile := range oobtest.Forms() {
		for _, a := range []*oobtest.Attempt{p.Publish(profile, p.Passport("y")), p.Retrieve(profile)} {
			got := p.send(a)
			p.wantFault(got, oob.Overloaded, "more is asked than can be answered")
			p.wantLater(got.Header)
		}
	}
	p.wantBody(p.send(&oobtest.Attempt{Method: "GET", Path: "/health", Authorization: []string{}}), 200, `{"status":200,"message":"OK"}`)
	leave()
	p.published(oob.Mesh, p.Passport("z"))
	if got := gate.Stats(); got.Working != 0 || got.Waiting != 0 {
		t.Errorf("%+v", got)
	}
}

// TestAFloodHasFewLines, and each of it is counted.
func TestAFloodHasFewLines(t *testing.T) {
	gate := turnstile.New(turnstile.Config{Places: 1, Waiting: 1, Burst: time.Hour})
	p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{Turnstile: gate}})
	leave := shut(t, gate)
	for range 3 * httpapi.FloodLines {
		p.wantFault(p.send(p.Retrieve(oob.Mesh)), oob.Overloaded, "more is asked than can be answered")
	}
	leave()
	if lines, text := p.log.take(t); len(lines) != httpapi.FloodLines || lines[0]["fault"] != "overloaded" {
		t.Errorf("%d lines: %s", len(lines), text)
	}
	p.wantFault(p.send(p.Retrieve(oob.Mesh)), oob.NotFound, "nothing is held for these numbers")
	if lines, text := p.log.take(t); len(lines) != 1 {
		t.Errorf("of who is let in: %s", text)
	}
	families, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := uint64(0)
	for _, metric := range families[0].GetMetric() {
		for _, label := range metric.GetLabel() {
			if label.GetValue() == "overloaded" {
				counted += metric.GetHistogram().GetSampleCount()
			}
		}
	}
	if counted != 3*httpapi.FloodLines {
		t.Errorf("%d are counted", counted)
	}
}

// TestAFloodIsSummedUp when its time is over, and the next one begins with lines again; who has a line each needs no sum.
func TestAFloodIsSummedUp(t *testing.T) {
	sum := func(refused, greedy int) string {
		return fmt.Sprintf("level=WARN msg=\"more was asked than can be answered\" refused=%d rate-limited=%d overloaded=%d\n", refused, greedy, refused-greedy)
	}
	for name, c := range map[string]struct {
		refused, greedy, lines int
		sum                    string
	}{
		"nobody":       {0, 0, 0, ""},
		"a few":        {httpapi.FloodLines - 1, 1, httpapi.FloodLines, ""},
		"one too many": {httpapi.FloodLines, 1, httpapi.FloodLines, sum(httpapi.FloodLines+1, 1)},
		"thousands":    {5000, 2000, httpapi.FloodLines, sum(7000, 2000)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var text bytes.Buffer
				hasLine := httpapi.OpenFlood(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{
					ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
						if a.Key == slog.TimeKey {
							return slog.Attr{}
						}
						return a
					},
				})))
				for range 2 {
					lines := 0
					for i := range c.refused + c.greedy {
						kind := oob.Overloaded
						if i < c.greedy {
							kind = oob.RateLimited
						}
						if hasLine(kind) {
							lines++
						}
					}
					if time.Sleep(httpapi.FloodTime); lines != c.lines {
						t.Errorf("%d have a line", lines)
					}
					if synctest.Wait(); text.String() != c.sum {
						t.Errorf("%s", text.String())
					}
					text.Reset()
				}
			})
		})
	}
}

// shut takes the one place of a gate and the one in its queue.
func shut(t testing.TB, gate *turnstile.Turnstile) (leave func()) {
	t.Helper()
	held, err := gate.Enter(t.Context(), turnstile.Guest{Claim: "somebody"}, turnstile.Retrieval)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() {
		_, err := gate.Enter(ctx, turnstile.Guest{Claim: "another"}, turnstile.Retrieval)
		waited <- err
	}()
	for gate.Stats().Waiting == 0 {
		select {
		case err := <-waited:
			t.Fatal(err)
		default:
			runtime.Gosched()
		}
	}
	return func() {
		cancel()
		<-waited
		held.Leave()
	}
}

// TestWhoAsksForTooMuchIsToldSo, where others wait that do not.
func TestWhoAsksForTooMuchIsToldSo(t *testing.T) {
	d := readDescription(t)
	gate := turnstile.New(turnstile.Config{Places: 1, Waiting: 32, Burst: time.Hour})
	p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{Turnstile: gate}})
	p.published(oob.Mesh, p.Passport("x")) // both are known by now
	held, err := gate.Enter(t.Context(), turnstile.Guest{}, turnstile.Retrieval)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan oobtest.Answer, 16)
	ask := func(a *oobtest.Attempt) {
		go func() {
			answer, _ := p.Send(context.WithoutCancel(t.Context()), a)
			answers <- answer
		}()
	}
	waiting := func(n int) {
		for gate.Stats().Waiting != n {
			select {
			case answer := <-answers:
				t.Fatalf("%d %s", answer.Status, answer.Body)
			default:
			}
		}
	}
	ask(p.Retrieve(oob.Mesh)) // of the one
	waiting(1)
	for i := range 8 {
		ask(p.Publish(oob.Mesh, p.Passport(strconv.Itoa(i)))) // of the other, as many as it may
		waiting(2 + i)
	}
	ask(p.Publish(oob.Mesh, p.Passport("too much"))) // the one that has waited for longest makes room
	got := <-answers
	p.wantFault(got, oob.RateLimited, "more is asked than can be answered, and much of it by this requester")
	p.wantLater(got.Header)
	d.fits("post /passports/{DEST}/{ORIG}", got)
	held.Leave()
	for range 9 {
		if got := <-answers; got.Status != 200 && got.Status != 201 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
}

// TestWhoWaitsHoldsNoPlace: neither for the log, nor for something to come, nor a stream that tells of it.
func TestWhoWaitsHoldsNoPlace(t *testing.T) {
	gate := turnstile.New(turnstile.Config{Places: 1})
	working := make(chan int, 3)
	log := startWithShelf(t, httpapi.Config{Turnstile: gate}, func(context.Context) error {
		working <- gate.Stats().Working
		return nil
	})
	log.published(oob.Mesh, log.Passport("x"))
	if publishing, retrieving := <-working, <-working; publishing != 0 || retrieving != 1 {
		t.Errorf("%d while the log is waited for, %d while the shelf is read", publishing, retrieving)
	}

	p := startProviders(t, oobtest.CPSConfig{Door: httpapi.Config{Turnstile: gate}})
	good := p.goodOnes(p.Passport("x"))
	waits := good["get /cps/{DEST}/ppts"]
	waits.header = http.Header{"Prefer": {"wait=30"}}
	answer := make(chan oobtest.Answer, 1)
	go func() { answer <- p.ask(waits) }()
	for p.CPS.Hub.Stats().Watchers == 0 {
		if len(answer) > 0 {
			t.Fatal((<-answer).Body)
		}
	}
	if got := p.ask(good["get /cps/ppts"]); got.Status != 200 || gate.Stats().Working != 0 {
		t.Errorf("%d, and %d at work", got.Status, gate.Stats().Working)
	}
	if got := p.ask(good["post /cps/{DEST}/ppts"]); got.Status != 201 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := <-answer; got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
