package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// soon is a limit of time that tests wait for. A handshake has no longer either, because net/http gives it the least of all limits,
// and so it is much more than one takes on a machine that has other things to do.
const soon = time.Second

func TestRFC9110_S15_5_9_SlowBodyIs408(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{BodyTimeout: soon}})
	const want = `{"status":408,"message":"Request Timeout: the body did not arrive in time","fault":"too-slow"}`
	before := p.CPS.Store.Stats()
	a := p.Publish(oob.Agreed, p.Passport("slow"))
	t.Run("HTTP/1.1", func(t *testing.T) {
		c := p.dialHTTP1(0)
		c.say("POST " + a.Path + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + p.token(a) + "\r\nContent-Length: 500\r\n\r\n" + string(a.Body[:100]))
		if response, text := c.answer("POST"); response.StatusCode != 408 || text != want || !response.Close {
			t.Errorf("%d %s", response.StatusCode, text)
		}
	})
	t.Run("HTTP/2", func(t *testing.T) {
		c := p.dialHTTP2(0)
		c.headers(1, 0, ":method", "POST", ":path", a.Path, ":scheme", "https", ":authority", "a", "authorization", "Bearer "+p.token(a))
		c.data(1, 0, string(a.Body[:100]))
		if status, _, text := c.answer(1); status != "408" || text != want {
			t.Errorf("%s %s", status, text)
		}
		// The others on the connection are none the worse.
		c.headers(3, flagEndStream, ":method", "GET", ":path", "/health", ":scheme", "https", ":authority", "a")
		if status, _, _ := c.answer(3); status != "200" {
			t.Errorf("health: %s", status)
		}
	})
	if after := p.CPS.Store.Stats(); after != before {
		t.Errorf("the shelf has changed to %+v", after)
	}
}

// TestBodyThatIsNotReadIsNotWaitedFor: the server of net/http reads the rest of a short body before it answers, and
// would do so for ever.
func TestBodyThatIsNotReadIsNotWaitedFor(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{BodyTimeout: soon}})
	for _, request := range []string{
		"POST /passports/12155550131/12155550121", "GET /passports/12155550131/12155550121", "POST /nowhere", "GET /health",
	} {
		c := p.dialHTTP1(0)
		c.say(request + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
		method, _, _ := strings.Cut(request, " ")
		if response, text := c.answer(method); response.StatusCode == 0 || !strings.HasPrefix(text, `{"status":`) {
			t.Errorf("%s: %d %s", request, response.StatusCode, text)
		}
	}
}

func TestBodyThatBreaksOffIs400(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	p.log.written = make(chan struct{}, 1)
	a := p.Publish(oob.Mesh, p.Passport("x"))
	for _, breakOff := range []func(*oobtest.Attempt){p.breakOffHTTP1, p.breakOffHTTP2} {
		breakOff(a)
		<-p.log.written
		lines, text := p.log.take(t)
		if len(lines) != 1 || lines[0]["fault"] != "malformed" || lines[0]["detail"] != "the body broke off" || lines[0]["level"] != "INFO" {
			t.Errorf("log: %s", text)
		}
	}
	if p.CPS.Store.Stats().Records != 0 {
		t.Error("something is stored")
	}
}

func (p *pair) breakOffHTTP1(a *oobtest.Attempt) {
	c := p.dialHTTP1(0)
	c.say("POST " + a.Path + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + p.token(a) + "\r\nContent-Length: 5000\r\n\r\n" + string(a.Body))
	c.Close()
}

func (p *pair) breakOffHTTP2(a *oobtest.Attempt) {
	c := p.dialHTTP2(0)
	c.headers(1, 0, ":method", "POST", ":path", a.Path, ":scheme", "https", ":authority", "a", "authorization", "Bearer "+p.token(a))
	c.data(1, 0, string(a.Body))
	c.frame(frameReset, 0, 1, []byte{0, 0, 0, 8}) // CANCEL
}

func TestRFC9110_S10_1_1_ContinueOnlyWhenTheTokenIsThere(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	a := p.Publish(oob.Mesh, p.Passport("x"))
	c := p.dialHTTP1(0)
	head := "POST " + a.Path + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " + fmt.Sprint(len(a.Body)) + "\r\n"
	c.say(head + "\r\n")
	if response, _ := c.answer("POST"); response.StatusCode != 401 {
		t.Errorf("without a token: %d", response.StatusCode)
	}
	c = p.dialHTTP1(0)
	c.say(head + "Authorization: Bearer " + p.token(a) + "\r\n\r\n")
	if line, err := c.answers.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if line, _ := c.answers.ReadString('\n'); line != "\r\n" {
		t.Fatalf("%q", line)
	}
	c.say(string(a.Body))
	if response, text := c.answer("POST"); response.StatusCode != 201 {
		t.Errorf("%d %s", response.StatusCode, text)
	}
}

func TestRFC9110_S9_3_2_Head(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	for path, want := range map[string]int{"/health": 200, atis.Path(p.Key(oob.Mesh)): 405, "/": 404} {
		got := p.send(&oobtest.Attempt{Method: http.MethodHead, Path: path, Authorization: []string{}})
		if got.Status != want || got.Body != "" || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// TestOddRequestLines are those that net/http answers by itself unless it is told not to.
func TestOddRequestLines(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	for line, want := range map[string]int{
		"OPTIONS * HTTP/1.1":                               404,
		"CONNECT cps.example.net:443 HTTP/1.1":             404,
		"GET https://elsewhere.example/health HTTP/1.1":    200,
		"GET /health?x=1 HTTP/1.1":                         200,
		"TRACE /health HTTP/1.1":                           405,
		"GET /passports/%zz/1 HTTP/1.1":                    400, // no URI: net/http says so
		"GET /" + strings.Repeat("a", 30000) + " HTTP/1.1": 431, // more header than we read
	} {
		c := p.dialHTTP1(0)
		c.say(line + "\r\nHost: a\r\n\r\n")
		response, text := c.answer("GET")
		if response.StatusCode != want || want != 400 && want != 431 && !strings.HasPrefix(text, `{"status":`) {
			t.Errorf("%.60s: %d %s", line, response.StatusCode, text)
		}
	}
}

// shelf is a store of which a test takes what comes before Publish and Retrieve into its own hands.
type shelf struct {
	oob.Store
	before func(context.Context) error
}

func (s *shelf) Publish(ctx context.Context, p oob.Publication) (oob.Outcome, error) {
	if err := s.before(ctx); err != nil {
		return 0, err
	}
	return s.Store.Publish(ctx, p)
}

func (s *shelf) Retrieve(ctx context.Context, k oob.Key) ([]oob.Record, error) {
	if err := s.before(ctx); err != nil {
		return nil, err
	}
	return s.Store.Retrieve(ctx, k)
}

func startWithShelf(t *testing.T, door httpapi.Config, before func(context.Context) error) *pair {
	t.Helper()
	s := local.Open(store.Config{})
	t.Cleanup(func() { s.Close() })
	c := oobtest.CPSConfig{Door: door}
	c.Service.Store = &shelf{s, before}
	return startPair(t, c)
}

func TestTooManyRequestsAtATimeAre503(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	p := startWithShelf(t, httpapi.Config{InFlightMax: 1}, func(context.Context) error {
		entered <- struct{}{}
		<-leave
		return nil
	})
	first := make(chan oobtest.Answer)
	go func() {
		answer, _ := p.Send(context.Background(), p.Retrieve(oob.Mesh))
		first <- answer
	}()
	<-entered
	got := p.send(p.Publish(oob.Mesh, p.Passport("x")))
	p.wantFault(got, oob.Overloaded, "too many requests at a time")
	p.wantLater(got.Header)
	p.wantBody(p.send(&oobtest.Attempt{Method: "GET", Path: "/health", Authorization: []string{}}), 200, `{"status":200,"message":"OK"}`)
	close(leave)
	p.wantFault(<-first, oob.NotFound, "nothing is held for these numbers")
	go func() { <-entered }()
	p.wantBody(p.send(p.Publish(oob.Mesh, p.Passport("x"))), 201, `{"status":201,"message":"Created"}`)
}

func TestWhatIsNoFaultIs500WithAnID(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return errors.New("the disk of 12155550121 is on fire") },
		"panic": func(context.Context) error { panic("index out of range") },
	} {
		t.Run(name, func(t *testing.T) {
			p := startWithShelf(t, httpapi.Config{}, fail)
			got := p.send(p.Retrieve(oob.Agreed))
			lines, text := p.log.take(t)
			if len(lines) != 1 || lines[0]["level"] != "ERROR" || lines[0]["cause"] == nil || lines[0]["status"] != 500.0 {
				t.Fatalf("log: %s", text)
			}
			id, _ := lines[0]["request"].(string)
			if len(id) != 16 {
				t.Errorf("request id %q", id)
			}
			p.wantBody(got, 500, `{"status":500,"message":"Internal Server Error, request `+id+`","fault":"internal"}`)
			p.wantBody(p.send(&oobtest.Attempt{Method: "GET", Path: "/health", Authorization: []string{}}), 200, `{"status":200,"message":"OK"}`)
		})
	}
}

func TestRequestWithoutAnAnswerInTimeIs503(t *testing.T) {
	p := startWithShelf(t, httpapi.Config{Timeout: soon}, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	p.wantFault(p.send(p.Retrieve(oob.Agreed)), oob.Overloaded, "no answer in time")
}

// TestRequesterThatGoesAwayIsNoError: anybody could fill the log of errors otherwise.
func TestRequesterThatGoesAwayIsNoError(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		entered := make(chan struct{})
		p := startWithShelf(t, httpapi.Config{}, func(ctx context.Context) error {
			entered <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		p.log.written = make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-entered
			cancel()
		}()
		a := p.Retrieve(oob.Mesh)
		a.HTTP1 = http1
		// Over HTTP/1.1 the answer to who breaks off can come before its own end of the connection is closed.
		if _, err := p.Send(ctx, a); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("%v", err)
		}
		<-p.log.written
		lines, text := p.log.take(t)
		if len(lines) != 1 || lines[0]["level"] != "INFO" || lines[0]["fault"] != "malformed" || lines[0]["detail"] != "the requester broke off" {
			t.Errorf("log: %s", text)
		}
	}
}

// TestSlowServiceIsNotTakenForAGoneRequester: the deadline of the body must not outlive the body.
func TestSlowServiceIsNotTakenForAGoneRequester(t *testing.T) {
	for name, http1 := range map[string]bool{"HTTP/1.1": true, "HTTP/2": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // long, for the body has to arrive within its time on a machine that has much to do
			p := startWithShelf(t, httpapi.Config{BodyTimeout: 2 * time.Second, Timeout: 5 * time.Second}, func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
			a := p.Publish(oob.Mesh, p.Passport("x"))
			a.HTTP1 = http1
			p.wantFault(p.send(a), oob.Overloaded, "no answer in time")
		})
	}
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	if _, err := httpapi.New(httpapi.Config{Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a door without a service")
	}
}

func TestProfilesThatAreNotServedAreUnknown(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{Profiles: []oob.Profile{oob.Agreed}}})
	p.published(oob.Agreed, p.Passport("x"))
	p.wantFault(p.send(p.Retrieve(oob.Mesh)), oob.WrongPath, "there is no such resource")
}

func TestDrainFailsHealthAndNothingElse(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	health := &oobtest.Attempt{Method: http.MethodGet, Path: "/health", Authorization: []string{}}
	p.wantBody(p.send(health), 200, `{"status":200,"message":"OK"}`)
	p.CPS.Service.Drain()
	p.wantFault(p.send(health), oob.Draining, "this CPS is shutting down")
	p.published(oob.Agreed, p.Passport("x"))
	p.published(oob.Mesh, p.Passport("x"))
}
