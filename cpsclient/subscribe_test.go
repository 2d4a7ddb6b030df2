package cpsclient_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// told is what a subscription has told, in order.
type told struct {
	mu     sync.Mutex
	events []cpsclient.Event // guarded by mu, as what follows
	alive  []bool
}

func (l *told) receive(e cpsclient.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *told) turn(up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive = append(l.alive, up)
}

// passports gives the first PASSporT of each event.
func (l *told) passports() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		all = append(all, e.Passports[0])
	}
	return all
}

func (l *told) turns() []bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.alive)
}

func resource(t testing.TB, text string) stircert.Resource {
	t.Helper()
	r, err := stircert.ParseResource(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// subscribe tells l of everything for the called number's provider.
func subscribe(t *testing.T, c *cpsclient.Client, l *told, form oob.Profile, transport cpsclient.Transport) *cpsclient.Subscription {
	t.Helper()
	s, err := c.Subscribe(t.Context(), cpsclient.SubscribeConfig{
		Profile: form, Resources: []stircert.Resource{resource(t, "0-"+downstreamSPC)}, Transport: transport,
		Receive: l.receive, Alive: l.turn,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var bothTransports = []cpsclient.Transport{cpsclient.ServerSentEvents, cpsclient.WebSocket}

// TestRFC9888_S6_APushFromARealCPS: over either transport, in either form, with a token and with a certificate in TLS.
func TestRFC9888_S6_APushFromARealCPS(t *testing.T) {
	for _, transport := range bothTransports {
		for _, form := range providerForms {
			for _, proof := range []string{"token", "TLS"} {
				t.Run(fmt.Sprint(transport, " ", form, " ", proof), func(t *testing.T) {
					inBubble(t, func(t *testing.T, n *network) {
						var log asked
						protocols := new(http.Protocols)
						protocols.SetHTTP1(true)
						protocols.SetHTTP2(proof == "token") // so that both are tried
						url := n.serveProtocols("cps.example", log.record(n.newCPS(t, "cps.example").ServeHTTP), protocols, []string{"cps.example"})
						down := n.shownClient(n.downstream, url)
						if proof == "token" {
							down = n.client(n.downstream, nil, url)
						}
						var l told
						s := subscribe(t, down, &l, form, transport)
						synctest.Wait()
						p := n.publication(t, form)
						if err := n.client(n.upstream, nil, url).Publish(t.Context(), p); err != nil {
							t.Fatal(err)
						}
						synctest.Wait()
						if !slices.Equal(l.passports(), p.Passports) || l.events[0].Key != p.Key || l.events[0].CPS != url || l.events[0].Expires.Before(time.Now()) {
							t.Errorf("%+v", l.events)
						}
						a := log.accesses()[0]
						if !a.Dest.IsZero() || !a.Orig.IsZero() || (proof == "token") != (a.Action == oob.ActionSubscribe && a.Issuer == downstreamSPC) {
							t.Errorf("%+v", a)
						}
						time.Sleep(5 * time.Minute) // heartbeats keep it
						if stats := s.Stats(); stats.Received != 1 || stats.Cuts != 0 || !stats.Streams[0].Up || stats.Streams[0].Fault != nil {
							t.Errorf("%+v", stats)
						}
					})
				})
			}
		}
	}
}

// cutting ends all streams of a handler when it is told to, in the middle of whatever they do.
type cutting struct {
	mu   sync.Mutex
	cuts []context.CancelFunc // guarded by mu
}

func (c *cutting) through(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		c.mu.Lock()
		c.cuts = append(c.cuts, cancel)
		c.mu.Unlock()
		next(w, r.WithContext(ctx))
	}
}

func (c *cutting) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.cuts {
		cancel()
	}
}

// TestNobodyMissesARecordThroughACut, nor is told of it twice.
func TestNobodyMissesARecordThroughACut(t *testing.T) {
	for _, transport := range bothTransports {
		t.Run(string(transport), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var c cutting
				door := n.newCPS(t, "cps.example").ServeHTTP
				url := n.serve("cps.example", func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == rfc9888.SubscribePattern {
						c.through(door)(w, r)
						return
					}
					door(w, r)
				})
				up := n.client(n.upstream, nil, url)
				var l told
				s := subscribe(t, n.client(n.downstream, nil, url), &l, oob.RFC9888, transport)
				synctest.Wait()
				var want []string
				for range 10 {
					for range 3 {
						p := n.publication(t, oob.RFC9888)
						if err := up.Publish(t.Context(), p); err != nil {
							t.Fatal(err)
						}
						want = append(want, p.Passports...)
					}
					c.cut()
					p := n.publication(t, oob.RFC9888)
					if err := up.Publish(t.Context(), p); err != nil {
						t.Fatal(err)
					}
					want = append(want, p.Passports...)
					time.Sleep(20 * time.Second)
				}
				got := l.passports() // in whatever order: whose number each is has to be looked up
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("%d records told, %d published", len(got), len(want))
				}
				if stats := s.Stats(); stats.Cuts != 10 || stats.Gaps != 0 {
					t.Errorf("%+v", stats)
				}
			})
		})
	}
}

// TestAPairTellsOnce, and there is a subscription while one of the two has it.
// A CPS of a pair is heard whatever the other has said: what one tells wrongly, the other tells right.
func TestAPairTellsOnceEach(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var cutA, cutB cutting
		doorA, doorB := n.newCPS(t, "a.example").ServeHTTP, n.newCPS(t, "b.example").ServeHTTP
		a, b := n.serve("a.example", doorA), n.serve("b.example", doorB)
		pushA := n.serve("push-a.example", inTurn(cutA.through(doorA), answering(503, "")))
		pushB := n.serve("push-b.example", inTurn(cutB.through(doorB), answering(503, "")))
		down := n.client(n.downstream, func(c *cpsclient.Config) {
			c.CPSs[0].Audience, c.CPSs[1].Audience = "a.example", "b.example"
		}, pushA, pushB)
		var l told
		s := subscribe(t, down, &l, oob.RFC9888, cpsclient.ServerSentEvents)
		synctest.Wait()
		up := n.client(n.upstream, nil, a, b)
		p := n.publication(t, oob.RFC9888)
		if err := up.Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stats := s.Stats()
		if !slices.Equal(l.passports(), slices.Repeat(p.Passports, 2)) || stats.Received != 2 || stats.Duplicates != 0 {
			t.Errorf("%d events, %+v", len(l.events), stats)
		}
		cutA.cut()
		synctest.Wait()
		if got := l.turns(); !slices.Equal(got, []bool{true}) {
			t.Errorf("with one of two: %v", got)
		}
		second := n.publication(t, oob.RFC9888)
		if err := up.Publish(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cutB.cut()
		time.Sleep(time.Minute)
		if got := l.turns(); !slices.Equal(got, []bool{true, false}) || len(l.passports()) != 3 {
			t.Errorf("without either: %v, %d events", got, len(l.passports()))
		}
		for _, stream := range s.Stats().Streams {
			if stream.Up {
				t.Errorf("%+v", stream)
			}
			wantFault(t, stream.Fault, oob.Overloaded)
		}
	})
}

// TestSubscriptionsEnd with their context, and with their client.
func TestSubscriptionsEnd(t *testing.T) {
	for _, transport := range bothTransports {
		inBubble(t, func(t *testing.T, n *network) {
			down := n.client(n.downstream, nil, n.serve("cps.example", n.newCPS(t, "cps.example").ServeHTTP), n.serve("hangs.example", hanging))
			ctx, cancel := context.WithCancel(t.Context())
			var l told
			s, err := down.Subscribe(ctx, cpsclient.SubscribeConfig{
				Profile: oob.RFC9888, Resources: []stircert.Resource{resource(t, "2-"+dest)}, Transport: transport, Receive: l.receive,
			})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !s.Stats().Streams[0].Up {
				t.Errorf("%+v", s.Stats())
			}
			cancel()
			if took := since(s.Wait); took != 0 {
				t.Errorf("it ended after %v", took)
			}
			other := subscribe(t, down, &l, oob.RFC9888, transport)
			synctest.Wait()
			if took := since(down.Close); took != 0 {
				t.Errorf("closed after %v", took)
			}
			other.Wait()
			_, err = down.Subscribe(t.Context(), cpsclient.SubscribeConfig{
				Profile: oob.RFC9888, Resources: []stircert.Resource{resource(t, "2-"+dest)}, Receive: l.receive,
			})
			wantFault(t, err, oob.Draining)
		})
	}
}

func TestSubscribeRefuses(t *testing.T) {
	l := openLaboratory()
	c := open(t, l.as(l.downstream, "https://cps.example"))
	one := resource(t, "2-"+dest)
	nobody := func(cpsclient.Event) {}
	for name, cfg := range map[string]cpsclient.SubscribeConfig{
		"a form without push":    {Profile: oob.Mesh, Resources: []stircert.Resource{one}, Receive: nobody},
		"no form":                {Resources: []stircert.Resource{one}, Receive: nobody},
		"no resource":            {Profile: oob.RFC9888, Receive: nobody},
		"a resource of none":     {Profile: oob.RFC9888, Resources: []stircert.Resource{{}}, Receive: nobody},
		"too many resources":     {Profile: oob.RFC9888, Resources: slices.Repeat([]stircert.Resource{one}, 257), Receive: nobody},
		"nobody to tell":         {Profile: oob.RFC9888, Resources: []stircert.Resource{one}},
		"a transport unheard of": {Profile: oob.RFC9888, Resources: []stircert.Resource{one}, Transport: "nats", Receive: nobody},
	} {
		if s, err := c.Subscribe(t.Context(), cfg); err == nil || s != nil {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}
