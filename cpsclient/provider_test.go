package cpsclient_test

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/tn"
)

// providerForms are those of the CPS of a terminating provider.
var providerForms = []oob.Profile{oob.RFC9888, oob.Company}

// shownClient opens a client that proves itself in TLS alone.
func (n *network) shownClient(id *oobtest.Identity, urls ...string) *cpsclient.Client {
	n.t.Helper()
	return open(n.t, cpsclient.WithDial(n.shown(id, urls...), n.dial))
}

// TestRFC9888_S5_MutualTLSAlone: who has no key for tokens shows its certificate, and no token is seen.
func TestRFC9888_S5_MutualTLSAlone(t *testing.T) {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	for name, protocols := range map[string]*http.Protocols{"HTTP/2": new(http.Protocols), "HTTP/1.1": http1} {
		for _, form := range providerForms {
			t.Run(name+" "+form.String(), func(t *testing.T) {
				inBubble(t, func(t *testing.T, n *network) {
					var log asked
					url := n.serveProtocols("cps.example", log.record(n.newCPS(t, "cps.example").ServeHTTP), protocols, []string{"cps.example"})
					up, down, other := n.shownClient(n.upstream, url), n.shownClient(n.downstream, url), n.shownClient(n.upstream, url)
					p := n.publication(t, form)
					if err := up.Publish(t.Context(), p); err != nil {
						t.Fatal(err)
					}
					if got, err := down.Retrieve(t.Context(), p.Key); err != nil || !slices.Equal(got, p.Passports) {
						t.Errorf("got %d, %v", len(got), err)
					}
					_, err := other.Retrieve(t.Context(), p.Key)
					wantFault(t, err, oob.OutOfScope)
					for _, a := range log.accesses() {
						if !reflect.DeepEqual(a, oob.Access{}) {
							t.Errorf("a token was sent: %+v", a)
						}
					}
				})
			})
		}
	}
}

// TestProofsOfEachForm: what is sent where, and what cannot be proven is not.
func TestProofsOfEachForm(t *testing.T) {
	calledNumber, _ := number(dest).Number()
	for _, c := range []struct {
		name   string
		change func(*cpsclient.Config)
		want   map[oob.Profile]oob.Kind // of publishing and retrieving; 0 where it is sent
		issuer string
	}{
		{"a provider with a key", nil, nil, upstreamSPC},
		{"one with a certificate too", func(c *cpsclient.Config) {
			certificate := openLaboratory().upstream.TLS()
			c.Certificate = &certificate
		}, nil, upstreamSPC},
		{"a certificate alone", func(c *cpsclient.Config) {
			certificate := openLaboratory().upstream.TLS()
			c.Certificate, c.Key, c.X5U = &certificate, nil, ""
		}, map[oob.Profile]oob.Kind{oob.Agreed: oob.Unproven, oob.Mesh: oob.Unproven}, ""},
		{"a number with a key", func(c *cpsclient.Config) {
			c.SPC, c.Number = "", calledNumber
		}, map[oob.Profile]oob.Kind{oob.Agreed: oob.OutOfScope, oob.Mesh: oob.OutOfScope}, dest},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var log asked
				client := n.client(n.upstream, c.change, n.serve("cps.example", log.record(answering(200, `{"passports":["a.b.c"]}`))))
				for _, form := range forms {
					p := n.publication(t, form)
					before := log.count()
					publish := client.Publish(t.Context(), p)
					_, retrieve := client.Retrieve(t.Context(), p.Key)
					if kind, refused := c.want[form]; refused {
						wantFault(t, publish, kind)
						wantFault(t, retrieve, kind)
						if log.count() != before {
							t.Errorf("%s: it was sent", form)
						}
						continue
					}
					if publish != nil || retrieve != nil {
						t.Fatalf("%s: %v, %v", form, publish, retrieve)
					}
					published, retrieved := log.accesses()[before], log.accesses()[before+1]
					if form.Row().Open != (published.Issuer == "") && c.issuer != "" || retrieved.Issuer != c.issuer {
						t.Errorf("%s: published as %q, retrieved as %q", form, published.Issuer, retrieved.Issuer)
					}
				}
			})
		})
	}
}

// TestClaimsOfProviderForms: dest alone where the certificate decides, the provider too where the path names it.
func TestClaimsOfProviderForms(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		url := n.serve("cps.example", log.record(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			answering(200, `{"passports":["a.b.c"]}`)(w, r)
		}))
		down := n.client(n.downstream, nil, url)
		for _, do := range []func() error{
			func() error { return down.Publish(t.Context(), n.publication(t, oob.RFC9888, "a.b.c")) },
			func() error { _, err := down.Retrieve(t.Context(), keyOf(oob.RFC9888)); return err },
			func() error { _, err := down.Retrieve(t.Context(), keyOf(oob.Company)); return err },
			func() error { return down.Consume(t.Context(), keyOf(oob.Company), []string{oob.PassportID("a.b.c")}) },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []oob.Access{
			{Action: oob.ActionPublish, Dest: number(dest)},
			{Action: oob.ActionRetrieve, Dest: number(dest)},
			{Action: oob.ActionRetrieve, Dest: number(dest), Orig: number(orig), SPC: downstreamSPC},
			{Action: oob.ActionConsume, Dest: number(dest), Orig: number(orig), SPC: downstreamSPC},
		} {
			got := log.accesses()[i]
			if (got.Digest != "") != (want.Action == oob.ActionPublish) || got.Audience[0] != "cps.example" || got.Issuer != downstreamSPC || got.ID == "" {
				t.Errorf("%+v", got)
			}
			got = oob.Access{Action: got.Action, Dest: got.Dest, Orig: got.Orig, SPC: got.SPC, Subject: got.Subject}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	})
}

// TestRFC9060_S4_ADelegateReadsItsNumber, at a real CPS, with a token and with its certificate in TLS.
func TestRFC9060_S4_ADelegateReadsItsNumber(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		url := n.serve("cps.example", n.newCPS(t, "cps.example").ServeHTTP)
		p := n.publication(t, oob.RFC9888)
		if err := n.client(n.upstream, nil, url).Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		called, _ := number(dest).Number()
		token := n.client(n.delegate, func(c *cpsclient.Config) { c.Number = called }, url)
		for name, client := range map[string]*cpsclient.Client{"token": token, "TLS": n.shownClient(n.delegate, url)} {
			if got, err := client.Retrieve(t.Context(), p.Key); err != nil || !slices.Equal(got, p.Passports) {
				t.Errorf("%s: got %d, %v", name, len(got), err)
			}
			everybody := p.Key
			everybody.Orig = tn.Identity{}
			if got, err := client.Retrieve(t.Context(), everybody); err != nil || !slices.Equal(got, p.Passports) {
				t.Errorf("%s, whoever calls: got %d, %v", name, len(got), err)
			}
			another := p.Key
			another.Dest = number(orig)
			_, err := client.Retrieve(t.Context(), another)
			wantFault(t, err, oob.OutOfScope)
		}
	})
}

// TestCompanyCallsAreConsumed at all CPSs of a pair, as often as one likes.
func TestCompanyCallsAreConsumed(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		a := n.serve("a.example", n.newCPS(t, "a.example").ServeHTTP)
		b := n.serve("b.example", n.newCPS(t, "b.example").ServeHTTP)
		up := n.client(n.upstream, nil, a, b)
		down := n.client(n.downstream, func(c *cpsclient.Config) { c.NotFoundFinal = true }, a, b)
		p, left := n.publication(t, oob.Company), n.publication(t, oob.Company, n.passport(t, time.Now()))
		for _, p := range []oob.Publication{p, left} {
			if err := up.Publish(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		ids := []string{oob.PassportID(p.Passports[0]), oob.PassportID("a.b.c")}
		for range 2 {
			if err := down.Consume(t.Context(), p.Key, ids); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got, err := down.Retrieve(t.Context(), p.Key); err != nil || !slices.Equal(got, left.Passports) {
				t.Errorf("got %d, %v", len(got), err)
			}
		}
		wantFault(t, down.Consume(t.Context(), keyOf(oob.RFC9888), ids), oob.Malformed)
		wantFault(t, down.Consume(t.Context(), p.Key, []string{"../" + ids[0][3:]}), oob.Malformed)
		wantFault(t, down.Consume(t.Context(), p.Key, make([]string, 2000)), oob.TooLarge)
		wantFault(t, up.Consume(t.Context(), p.Key, ids), oob.OutOfScope)
	})
}

// TestRFC7240_S4_3_WaitingIsPartOfTheBudget: which wait is asked for, by the budget, and never more than a record may be on
// its way.
func TestRFC7240_S4_3_WaitingIsPartOfTheBudget(t *testing.T) {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	for _, c := range []struct {
		name      string
		budget    time.Duration
		caller    time.Duration // until the caller gives up; 0 for never
		final     bool
		protocols *http.Protocols
		profile   oob.Profile
		want      time.Duration
	}{
		{"the default budget is too short", time.Second, 0, false, nil, oob.RFC9888, 0},
		{"enough for a wait and its answer", 1400 * time.Millisecond, 0, false, nil, oob.RFC9888, time.Second},
		{"not quite enough", 1399 * time.Millisecond, 0, false, nil, oob.RFC9888, 0},
		{"a record is on its way for a second", 10 * time.Second, 0, false, nil, oob.RFC9888, time.Second},
		{"the caller is in a hurry", 10 * time.Second, 900 * time.Millisecond, false, nil, oob.RFC9888, 0},
		{"what is not there is final", 10 * time.Second, 0, true, nil, oob.RFC9888, 0},
		{"HTTP/1.1 has few connections", 10 * time.Second, 0, false, http1, oob.RFC9888, 0},
		{"the company form", 10 * time.Second, 0, false, nil, oob.Company, time.Second},
		{"the mesh form does not know it", 10 * time.Second, 0, false, nil, oob.Mesh, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var mu sync.Mutex
				var waits []time.Duration
				handler := func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/health" {
						return
					}
					preferences := rfc9888.ReadPrefer(r.Header)
					mu.Lock()
					waits = append(waits, preferences.Wait)
					mu.Unlock()
					time.Sleep(preferences.Wait)
					answering(200, `{"passports":[]}`)(w, r)
				}
				if c.protocols == nil {
					c.protocols = new(http.Protocols)
				}
				url := n.serveProtocols("cps.example", handler, c.protocols, []string{"cps.example"})
				down := n.client(n.downstream, func(cfg *cpsclient.Config) { cfg.Budget, cfg.NotFoundFinal = c.budget, c.final }, url)
				if err := down.Warm(t.Context()); err != nil { // from now on it is known which HTTP the CPS speaks
					t.Fatal(err)
				}
				ctx := t.Context()
				if c.caller > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.caller)
					defer cancel()
				}
				took := since(func() { _, err := down.Retrieve(ctx, keyOf(c.profile)); wantFault(t, err, oob.NotFound) })
				if waits[0] != c.want || c.want > 0 && (len(waits) != 1 || took != c.want) || took > time.Second || c.final && took != 0 {
					t.Errorf("asked to wait %v, took %v", waits, took)
				}
			})
		})
	}
}

// TestWhatComesMeanwhileIsThere at once, from a real CPS that was asked to wait.
func TestWhatComesMeanwhileIsThere(t *testing.T) {
	for _, form := range providerForms {
		t.Run(form.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var log asked
				url := n.serve("cps.example", log.record(n.newCPS(t, "cps.example").ServeHTTP))
				up := n.client(n.upstream, nil, url)
				down := n.client(n.downstream, func(c *cpsclient.Config) { c.Budget = 3 * time.Second }, url)
				if err := down.Warm(t.Context()); err != nil {
					t.Fatal(err)
				}
				p := n.publication(t, form)
				var published sync.WaitGroup
				published.Go(func() {
					time.Sleep(700 * time.Millisecond)
					if err := up.Publish(t.Context(), p); err != nil {
						t.Error(err)
					}
				})
				took := since(func() {
					if got, err := down.Retrieve(t.Context(), p.Key); err != nil || !slices.Equal(got, p.Passports) {
						t.Errorf("got %d, %v", len(got), err)
					}
				})
				published.Wait()
				if took != 700*time.Millisecond || log.count() != 3 {
					t.Errorf("took %v and %d requests", took, log.count())
				}
			})
		})
	}
}

// TestRFC9457_S3_AProblemIsTheFaultThatItWas, of a real CPS and of others.
func TestRFC9457_S3_AProblemIsTheFaultThatItWas(t *testing.T) {
	for _, kind := range oob.Kinds() {
		inBubble(t, func(t *testing.T, n *network) {
			row := kind.Row()
			body := string(rfc9888.WriteProblem(oob.Faultf(kind, "no %s", dest)))
			url := n.serve("cps.example", answering(row.HTTP, body, "Content-Type", "application/problem+json; charset=utf-8", "Retry-After", "7"))
			down := n.client(n.downstream, func(c *cpsclient.Config) { c.NotFoundFinal = true }, url)
			_, err := down.Retrieve(t.Context(), keyOf(oob.RFC9888))
			fault := wantFault(t, err, kind)
			if fault.RetryAfter != 7*time.Second || fault.Err == nil || strings.Contains(fault.Error(), dest) {
				t.Errorf("%+v", fault)
			}
		})
	}
}
