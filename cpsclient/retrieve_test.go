package cpsclient_test

import (
	"context"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

var notFound = answering(404, `{"status":404,"message":"Not Found"}`)

// holding is the answer of a CPS that has something.
func holding(passports string) http.HandlerFunc {
	return answering(200, `{"passports":[`+passports+`]}`)
}

func TestRetrieveAsksAgainAfter404(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		handler := n.newCPS(t, "a.example")
		url := n.serve("a.example", log.record(handler.ServeHTTP))
		up, down := n.client(n.upstream, nil, url), n.client(n.downstream, nil, url)
		p := n.publication(t, oob.Mesh)
		go func() {
			time.Sleep(100 * time.Millisecond) // between the second attempt and the third
			if err := up.Publish(t.Context(), p); err != nil {
				t.Error(err)
			}
		}()
		took := since(func() {
			if got, err := down.Retrieve(t.Context(), p.Key); err != nil || !reflect.DeepEqual(got, p.Passports) {
				t.Fatalf("got %d, %v", len(got), err)
			}
		})
		if took != 150*time.Millisecond {
			t.Errorf("took %v", took)
		}
		ids := map[string]bool{}
		for _, a := range log.accesses() {
			ids[a.ID] = true
		}
		if len(ids) != 4 {
			t.Errorf("%d tokens in 4 requests: one was used twice", len(ids))
		}
	})
}

func TestNothingThereIsNotFound(t *testing.T) {
	for _, c := range []struct {
		name    string
		profile oob.Profile
		final   bool
		budget  time.Duration
		asked   int
		took    time.Duration
	}{
		// A call waits for a record only as long as one may still be on its way: less where the call is released
		// after the CPS has it than where CPSs relay (oob.Row, Patience).
		{"agreed", oob.Agreed, false, 0, 4, 350 * time.Millisecond},
		{"mesh", oob.Mesh, false, 0, 5, 750 * time.Millisecond},
		{"short budget", oob.Mesh, false, 100 * time.Millisecond, 2, 50 * time.Millisecond},
		{"404 is final", oob.Mesh, true, 0, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var log asked
				a := n.serve("a.example", log.record(n.newCPS(t, "a.example").ServeHTTP))
				b := n.serve("b.example", answering(200, `{"passports":[]}`))
				down := n.client(n.downstream, func(cfg *cpsclient.Config) { cfg.NotFoundFinal, cfg.Budget = c.final, c.budget }, a, b)
				took := since(func() {
					_, err := down.Retrieve(t.Context(), keyOf(c.profile))
					wantFault(t, err, oob.NotFound)
				})
				if took != c.took || log.count() != c.asked {
					t.Errorf("took %v, asked %d times; want %v, %d", took, log.count(), c.took, c.asked)
				}
			})
		})
	}
}

func TestUnionOfAPair(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		older := n.publication(t, oob.Mesh, n.passport(t, time.Now().Add(-2*time.Second)))
		both := n.publication(t, oob.Mesh, n.passport(t, time.Now().Add(-time.Second)))
		newer := n.publication(t, oob.Mesh)
		a := n.serve("a.example", n.newCPS(t, "a.example").ServeHTTP)
		b := n.serve("b.example", n.newCPS(t, "b.example").ServeHTTP)
		for _, to := range []struct {
			p    oob.Publication
			cpss []string
		}{{older, []string{a}}, {both, []string{a, b}}, {newer, []string{b}}} {
			up := n.client(n.upstream, nil, to.cpss...)
			if err := up.Publish(t.Context(), to.p); err != nil {
				t.Fatal(err)
			}
			up.Close()
			time.Sleep(time.Millisecond)
		}
		down := n.client(n.downstream, nil, a, b)
		got, err := down.Retrieve(t.Context(), keyOf(oob.Mesh))
		want := []string{both.Passports[0], newer.Passports[0], older.Passports[0]} // of each CPS in turn
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %d, %v; want three", len(got), err)
		}
	})
}

func TestRetrieveWaitsAGraceForTheOthers(t *testing.T) {
	for _, c := range []struct {
		name  string
		other http.HandlerFunc
		got   int
		took  time.Duration
	}{
		{"answers within it", late(20*time.Millisecond, holding(`"d.e.f"`)), 2, 20 * time.Millisecond},
		{"answers after it", late(50*time.Millisecond, holding(`"d.e.f"`)), 1, 30 * time.Millisecond},
		{"has nothing", notFound, 1, 0},
		{"has nothing, and says so late", late(10*time.Millisecond, notFound), 1, 10 * time.Millisecond},
		{"fails", answering(500, ""), 1, 0},
		{"hangs", hanging, 1, 30 * time.Millisecond},
		{"is not there", nil, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				b := "https://b.example"
				if c.other != nil {
					b = n.serve("b.example", c.other)
				}
				down := n.client(n.downstream, nil, n.serve("a.example", holding(`"a.b.c"`)), b)
				took := since(func() {
					got, err := down.Retrieve(t.Context(), keyOf(oob.Mesh))
					if err != nil || len(got) != c.got {
						t.Errorf("got %d, %v; want %d", len(got), err, c.got)
					}
				})
				if took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
			})
		})
	}
}

func TestAnswerOfOneFailedCPSIsNotNotFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		other http.HandlerFunc
		kind  oob.Kind
	}{
		{"fails", answering(503, ""), oob.Overloaded},
		{"refuses", answering(403, ""), oob.Refused},
		{"hangs", hanging, oob.PeerTimeout},
		{"is not there", nil, oob.PeerFailed},
		{"fails once, then has nothing", inTurn(answering(503, ""), notFound), oob.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				b := "https://b.example"
				if c.other != nil {
					b = n.serve("b.example", c.other)
				}
				down := n.client(n.downstream, nil, n.serve("a.example", notFound), b)
				_, err := down.Retrieve(t.Context(), keyOf(oob.Mesh))
				wantFault(t, err, c.kind)
			})
		})
	}
}

func TestRetrieveKeepsToItsBudgetAndContext(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		took    time.Duration
	}{
		{"budget", time.Minute, time.Second},
		{"context", 70 * time.Millisecond, 70 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var log asked
				down := n.client(n.downstream, nil, n.serve("a.example", log.record(hanging)))
				ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
				defer cancel()
				took := since(func() {
					_, err := down.Retrieve(ctx, keyOf(oob.Mesh))
					wantFault(t, err, oob.PeerTimeout)
				})
				if took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
				before := log.count()
				down.Close()
				if log.count() != before {
					t.Error("asked again when nobody waited")
				}
			})
		})
	}
}

func TestRetrieveTriesAFailingCPSAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		first http.HandlerFunc
	}{
		{"5xx", answering(502, "")},
		{"breaks off before its answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"breaks off in its answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"passports":["a.b`))
			panic(http.ErrAbortHandler)
		}},
		{"token already used, by whoever repeats requests", answering(401, `{"status":401,"message":"","fault":"replayed"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var log asked
				down := n.client(n.downstream, nil, n.serve("a.example", log.record(inTurn(c.first, holding(`"a.b.c"`)))))
				got, err := down.Retrieve(t.Context(), keyOf(oob.Mesh))
				if err != nil || len(got) != 1 {
					t.Fatalf("got %d, %v", len(got), err)
				}
				if tokens := log.accesses(); len(tokens) != 2 || tokens[0].ID == tokens[1].ID {
					t.Errorf("%d requests, or one token twice", len(tokens))
				}
			})
		})
	}
}

func TestOperationsAtOneCPSAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		n.listen("a.example") // and never accepts
		down := n.client(n.downstream, func(c *cpsclient.Config) { c.OperationsMax = 4 }, "https://a.example")
		for range 4 {
			go down.Retrieve(t.Context(), keyOf(oob.Mesh))
		}
		synctest.Wait()
		took := since(func() {
			_, err := down.Retrieve(t.Context(), keyOf(oob.Mesh))
			wantFault(t, err, oob.Overloaded)
		})
		if took != 0 {
			t.Errorf("took %v", took)
		}
	})
}
