package cpsclient_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

var forms = oob.Profiles()

// created is the answer to a publish (ATIS-1000096 §7).
var created = answering(201, `{"status":201,"message":"Created"}`)

func TestATIS1000096_S7_BothFormsThroughARealCPS(t *testing.T) {
	for _, form := range forms {
		t.Run(form.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				url := n.serve("cps.example", n.newCPS(t, "cps.example").ServeHTTP)
				up, down := n.client(n.upstream, nil, url), n.client(n.downstream, nil, url)
				p := n.publication(t, form)
				if err := up.Publish(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				got, err := down.Retrieve(t.Context(), p.Key)
				if err != nil || !reflect.DeepEqual(got, p.Passports) {
					t.Fatalf("got %d PASSporTs, %v", len(got), err)
				}
			})
		})
	}
}

func TestATIS1000105_S7_PublisherSetsTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		url := n.serve("cps.example", n.newCPS(t, "cps.example").ServeHTTP)
		up := n.client(n.upstream, nil, url)
		down := n.client(n.downstream, func(c *cpsclient.Config) { c.NotFoundFinal = true }, url)
		p := n.publication(t, oob.Agreed)
		p.Expires = time.Now().Truncate(time.Second).Add(3 * time.Second)
		if err := up.Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(p.Expires) - time.Millisecond)
		if _, err := down.Retrieve(t.Context(), p.Key); err != nil {
			t.Fatalf("before the deadline: %v", err)
		}
		time.Sleep(time.Millisecond)
		_, err := down.Retrieve(t.Context(), p.Key)
		wantFault(t, err, oob.NotFound)
	})
}

func TestATIS1000096_S7_ClaimsOfAnAccessToken(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		url := n.serve("cps.example", log.record(created))
		up := n.client(n.upstream, func(c *cpsclient.Config) { c.CPSs[0].Audience = "agreed.name" }, url)
		for _, form := range forms {
			if err := up.Publish(t.Context(), n.publication(t, form, "a.b.c")); err != nil {
				t.Fatal(err)
			}
		}
		agreed, mesh := log.accesses()[0], log.accesses()[1]
		if agreed.SPC != upstreamSPC || agreed.Subject != "" || agreed.Deadline.IsZero() {
			t.Errorf("agreed form: %+v", agreed)
		}
		if mesh.Subject != upstreamSPC || mesh.SPC != "" || !mesh.Deadline.IsZero() {
			t.Errorf("mesh form: %+v", mesh)
		}
		for _, a := range []oob.Access{agreed, mesh} {
			if a.Action != oob.ActionPublish || a.Issuer != upstreamSPC || !reflect.DeepEqual(a.Audience, []string{"agreed.name"}) ||
				a.Digest != atis.Digest([]string{"a.b.c"}) || a.IssuedAt.Unix() != time.Now().Unix() || a.Dest != number(dest) || a.Orig != number(orig) {
				t.Errorf("%+v", a)
			}
		}
		if agreed.ID == mesh.ID {
			t.Error("two tokens with one jti")
		}
	})
}

func TestFirstSuccessWins(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		a := n.serve("a.example", late(200*time.Millisecond, n.newCPS(t, "a.example").ServeHTTP))
		b := n.serve("b.example", log.record(n.newCPS(t, "b.example").ServeHTTP))
		up := n.client(n.upstream, nil, a, b)
		p := n.publication(t, oob.Mesh)
		if took := since(func() {
			if err := up.Publish(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}); took != 0 {
			t.Errorf("took %v, although one CPS answers at once", took)
		}
		time.Sleep(300 * time.Millisecond)
		alone := n.client(n.downstream, nil, a)
		if _, err := alone.Retrieve(t.Context(), p.Key); err != nil {
			t.Errorf("the slower CPS has nothing: %v", err)
		}
		if log.accesses()[0].Audience[0] != "b.example" {
			t.Error("a CPS got a token for another")
		}
	})
}

func TestPublishGoesOnAfterItsCaller(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		url := n.serve("a.example", inTurn(answering(500, ""), answering(500, ""), n.newCPS(t, "a.example").ServeHTTP))
		up := n.client(n.upstream, nil, url)
		p := n.publication(t, oob.Mesh)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if took := since(func() { wantFault(t, up.Publish(ctx, p), oob.PeerFailed) }); took != 10*time.Millisecond {
			t.Errorf("the caller was kept for %v", took)
		}
		up.Close() // waits for what is under way
		down := n.client(n.downstream, nil, url)
		if got, err := down.Retrieve(t.Context(), p.Key); err != nil || len(got) != 1 {
			t.Errorf("got %d, %v", len(got), err)
		}
	})
}

func TestPublishIsRepeatedWithTheSameToken(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		real := n.newCPS(t, "a.example")
		// The first answer is lost on the way, after the CPS has stored.
		lost := func(_ http.ResponseWriter, r *http.Request) {
			real.ServeHTTP(discarded{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		url := n.serve("a.example", log.record(inTurn(lost, real.ServeHTTP)))
		up, down := n.client(n.upstream, nil, url), n.client(n.downstream, nil, url)
		p := n.publication(t, oob.Agreed)
		if err := up.Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		tokens := log.accesses()
		if len(tokens) != 2 || tokens[0].ID != tokens[1].ID {
			t.Fatalf("%d requests, not with the same token", len(tokens))
		}
		if got, err := down.Retrieve(t.Context(), p.Key); err != nil || len(got) != 1 {
			t.Errorf("got %d PASSporTs, %v; want the one", len(got), err)
		}
	})
}

// discarded is the writer of an answer that gets lost.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header       { return d.header }
func (discarded) Write(p []byte) (int, error) { return len(p), nil }
func (discarded) WriteHeader(int)             {}

func TestPublishTriesAgainWithinTheBudget(t *testing.T) {
	ms := func(all ...int) (times []time.Duration) {
		for _, m := range all {
			times = append(times, time.Duration(m)*time.Millisecond)
		}
		return times
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		kind    oob.Kind
		at      []time.Duration
		took    time.Duration
	}{
		{"5xx", answering(500, ""), oob.PeerFailed, ms(0, 50, 150, 350, 750), 750 * time.Millisecond},
		{"overloaded", answering(503, ""), oob.Overloaded, ms(0, 50, 150, 350, 750), 750 * time.Millisecond},
		{"overloaded for longer than the budget", answering(503, "", "Retry-After", "2"), oob.Overloaded, ms(0), 0},
		{"rate limited for a short time", answering(429, "", "Retry-After", "1"), oob.RateLimited, ms(0), 0},
		{"rate limited for no known time", answering(429, ""), oob.RateLimited, ms(0), 0},
		{"bad request", answering(400, ""), oob.Malformed, ms(0), 0},
		{"unproven", answering(401, `{"status":401,"fault":"token-stale"}`), oob.TokenStale, ms(0), 0},
		{"forbidden", answering(403, ""), oob.Refused, ms(0), 0},
		{"no such path", answering(404, ""), oob.WrongPath, ms(0), 0},
		{"redirect", answering(302, "", "Location", "https://other.example/"), oob.PeerFailed, ms(0), 0},
		{"no content", answering(204, ""), oob.PeerFailed, ms(0), 0},
		{"hangs", hanging, oob.PeerTimeout, ms(0, 450, 950), time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var log asked
				up := n.client(n.upstream, nil, n.serve("a.example", log.record(c.handler)))
				took := since(func() { wantFault(t, up.Publish(t.Context(), n.publication(t, oob.Mesh)), c.kind) })
				if took != c.took || !reflect.DeepEqual(log.after(), c.at) {
					t.Errorf("gave up after %v, asked at %v; want %v, %v", took, log.after(), c.took, c.at)
				}
			})
		})
	}
}

func TestRetryAfterIsWaitedForWithinTheBudget(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		date := func(w http.ResponseWriter, r *http.Request) {
			at := time.Now().Add(2 * time.Second).Truncate(time.Second)
			answering(429, "", "Retry-After", at.UTC().Format(http.TimeFormat))(w, r)
		}
		url := n.serve("a.example", inTurn(answering(429, "", "Retry-After", "1"), date, created))
		up := n.client(n.upstream, func(c *cpsclient.Config) { c.Budget = 5 * time.Second }, url)
		took := since(func() {
			if err := up.Publish(t.Context(), n.publication(t, oob.Mesh)); err != nil {
				t.Fatal(err)
			}
		})
		if took < 2*time.Second || took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestPublish200CountsAsStored(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		up := n.client(n.upstream, nil, n.serve("a.example", answering(200, "OK")))
		if err := up.Publish(t.Context(), n.publication(t, oob.Mesh)); err != nil {
			t.Error(err)
		}
	})
}

func TestMostTellingFaultIsGiven(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b http.HandlerFunc
		kind oob.Kind
	}{
		{"refusal before outage", answering(500, ""), answering(403, ""), oob.Refused},
		{"refusal before silence", answering(401, ""), hanging, oob.Unproven},
		{"outage before silence", hanging, answering(503, ""), oob.Overloaded},
		{"limit before outage", answering(429, ""), answering(503, ""), oob.RateLimited},
		{"not well before not there", nil, answering(503, ""), oob.Overloaded},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				a := "https://a.example"
				if c.a != nil {
					a = n.serve("a.example", c.a)
				}
				up := n.client(n.upstream, nil, a, n.serve("b.example", c.b))
				wantFault(t, up.Publish(t.Context(), n.publication(t, oob.Mesh)), c.kind)
			})
		})
	}
}

func TestWhatACPSWouldRefuseIsNotSent(t *testing.T) {
	uri, err := tn.ParseURI("sip:alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	many := strings.Split(strings.Repeat("a.b.c ", oob.PassportsMax), " ")
	for _, c := range []struct {
		name   string
		change func(*oob.Publication)
		kind   oob.Kind
	}{
		{"good", func(*oob.Publication) {}, 0},
		{"a URI is good", func(p *oob.Publication) { p.Key.Orig = uri }, 0},
		{"another's SPC", func(p *oob.Publication) { p.Key.SPC = downstreamSPC }, oob.OutOfScope},
		{"no SPC", func(p *oob.Publication) { p.Key.SPC = "" }, oob.Malformed},
		{"SPC in the mesh form", func(p *oob.Publication) { p.Key.Profile = oob.Mesh }, oob.Malformed},
		{"no profile", func(p *oob.Publication) { p.Key.Profile = 0 }, oob.Malformed},
		{"unknown profile", func(p *oob.Publication) { p.Key.Profile = 99 }, oob.Malformed},
		{"no dest", func(p *oob.Publication) { p.Key.Dest = tn.Identity{} }, oob.Malformed},
		{"no orig", func(p *oob.Publication) { p.Key.Orig = tn.Identity{} }, oob.Malformed},
		{"no PASSporT", func(p *oob.Publication) { p.Passports = nil }, oob.Malformed},
		{"empty PASSporT", func(p *oob.Publication) { p.Passports = []string{""} }, oob.Malformed},
		{"no token at all", func(p *oob.Publication) { p.Passports = []string{"\"}"} }, oob.Malformed},
		{"too many", func(p *oob.Publication) { p.Passports = many }, oob.TooLarge},
		{"too long", func(p *oob.Publication) { p.Passports = []string{strings.Repeat("a", oob.PassportBytesMax+1)} }, oob.TooLarge},
		{"too long in all", func(p *oob.Publication) {
			for range 9 {
				p.Passports = append(p.Passports, strings.Repeat("a", oob.PassportBytesMax))
			}
		}, oob.TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				up := n.client(n.upstream, nil, n.serve("a.example", created))
				p := n.publication(t, oob.Agreed)
				c.change(&p)
				err := up.Publish(t.Context(), p)
				if c.kind == 0 && err == nil {
					return
				}
				wantFault(t, err, c.kind)
				if n.dialed("a.example") != 0 {
					t.Error("it was sent")
				}
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	l := openLaboratory()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*cpsclient.Config)
		want   string // in the error; empty for none
	}{
		{"good", func(*cpsclient.Config) {}, ""},
		{"base path", func(c *cpsclient.Config) { c.CPSs[0].URL = "https://cps.example:8443/base/" }, ""},
		{"no CPS", func(c *cpsclient.Config) { c.CPSs = nil }, "at least one CPS"},
		{"no SPC", func(c *cpsclient.Config) { c.SPC = "" }, "SPC"},
		{"no key", func(c *cpsclient.Config) { c.Key = nil }, "key"},
		{"key on another curve", func(c *cpsclient.Config) { c.Key = p384 }, "P-256"},
		{"no x5u", func(c *cpsclient.Config) { c.X5U = "" }, "x5u"},
		{"nothing to prove itself with", func(c *cpsclient.Config) { c.SPC, c.Key, c.X5U = "", nil, "" }, "certificate"},
		{"a certificate alone", func(c *cpsclient.Config) { *c = l.shown(l.upstream, c.CPSs[0].URL) }, ""},
		{"a certificate without its key", func(c *cpsclient.Config) {
			*c = l.shown(l.upstream, c.CPSs[0].URL)
			c.Certificate.PrivateKey = nil
		}, "no key"},
		{"a certificate that is none", func(c *cpsclient.Config) { c.Certificate = &tls.Certificate{} }, "no chain"},
		{"an SPC and a number", func(c *cpsclient.Config) { c.Number, _ = number(dest).Number() }, "not both"},
		{"http", func(c *cpsclient.Config) { c.CPSs[0].URL = "http://cps.example" }, "https"},
		{"no scheme", func(c *cpsclient.Config) { c.CPSs[0].URL = "cps.example" }, "https"},
		{"no host", func(c *cpsclient.Config) { c.CPSs[0].URL = "https:///x" }, "host"},
		{"no URL", func(c *cpsclient.Config) { c.CPSs[0].URL = "https://[" }, "URL"},
		{"userinfo", func(c *cpsclient.Config) { c.CPSs[0].URL = "https://u:p@cps.example" }, "userinfo"},
		{"query", func(c *cpsclient.Config) { c.CPSs[0].URL = "https://cps.example/?" }, "query"},
		{"fragment", func(c *cpsclient.Config) { c.CPSs[0].URL = "https://cps.example/#" }, "fragment"},
		{"twice", func(c *cpsclient.Config) { c.CPSs = append(c.CPSs, cpsclient.CPS{URL: "https://cps.example/"}) }, "twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := l.as(l.upstream, "https://cps.example")
			c.change(&cfg)
			client, err := cpsclient.New(cfg)
			if c.want == "" && err == nil {
				client.Close()
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "u:p") {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestClosedClientRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		up := n.client(n.upstream, nil, n.serve("a.example", created))
		up.Close()
		wantFault(t, up.Publish(t.Context(), n.publication(t, oob.Mesh)), oob.Draining)
		_, err := up.Retrieve(t.Context(), keyOf(oob.Mesh))
		wantFault(t, err, oob.Draining)
		wantFault(t, up.Warm(t.Context()), oob.Draining)
		up.Close()
	})
}

func TestEndedContextSendsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		up := n.client(n.upstream, nil, n.serve("a.example", created))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantFault(t, up.Publish(ctx, n.publication(t, oob.Mesh)), oob.PeerTimeout)
		synctest.Wait()
		if n.dialed("a.example") != 0 {
			t.Error("it was sent")
		}
	})
}
