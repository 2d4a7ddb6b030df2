package httpapi_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// TestSheddingGoesByProvider: of two providers at one address, who ask a CPS that carries nothing meanwhile, the one that asks for
// too much is refused all of its excess and nothing else, with when to come again; the other is never refused, and has its answers.
func TestSheddingGoesByProvider(t *testing.T) {
	const (
		rounds = 3
		excess = 20
		modest = 2 // of the other, in a round
	)
	// One place, which the test holds; of those who wait one guest is a quarter.
	limits := turnstile.Config{Places: 1, Waiting: 32, Burst: time.Hour}
	each := limits.Waiting / 4
	for _, greedy := range []oob.Action{oob.ActionPublish, oob.ActionRetrieve} {
		for _, http1 := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, HTTP/1.1 %t", greedy, http1), func(t *testing.T) {
				gate := turnstile.New(limits)
				p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{Turnstile: gate}})
				p.published(oob.Mesh, p.Passport("x")) // both are known by now
				asked := 0
				of := func(action oob.Action) *oobtest.Attempt {
					a := p.Retrieve(oob.Mesh)
					if asked++; action == oob.ActionPublish {
						a = p.Publish(oob.Mesh, p.Passport(strconv.Itoa(asked)))
					}
					a.HTTP1 = http1
					return a
				}
				other := oob.ActionPublish
				if greedy == oob.ActionPublish {
					other = oob.ActionRetrieve
				}
				answers := map[oob.Action]chan oobtest.Answer{greedy: make(chan oobtest.Answer, each+excess), other: make(chan oobtest.Answer, modest)}
				ask := func(action oob.Action) {
					a := of(action)
					go func() {
						answer, err := p.Send(context.WithoutCancel(t.Context()), a)
						if err != nil {
							answer.Body = err.Error()
						}
						answers[action] <- answer
					}()
				}
				waiting := func(n int) {
					for gate.Stats().Waiting != n {
						for action, came := range answers {
							select {
							case answer := <-came:
								t.Fatalf("%s: %d %s", action, answer.Status, answer.Body)
							default:
							}
						}
					}
				}
				for range rounds {
					held, err := gate.Enter(t.Context(), turnstile.Guest{}, turnstile.Retrieval)
					if err != nil {
						t.Fatal(err)
					}
					for i := range modest {
						ask(other)
						waiting(1 + i)
					}
					for i := range each {
						ask(greedy)
						waiting(modest + 1 + i)
					}
					for range excess {
						ask(greedy)
						got := <-answers[greedy]
						p.wantFault(got, oob.RateLimited, "more is asked than can be answered, and much of it by this requester")
						p.wantLater(got.Header)
					}
					held.Leave()
					for action, n := range map[oob.Action]int{greedy: each, other: modest} {
						for range n {
							if got := <-answers[action]; got.Status != 200 && got.Status != 201 {
								t.Errorf("%s: %d %s", action, got.Status, got.Body)
							}
						}
					}
				}
				want := turnstile.Stats{Places: 1, Entered: 2 + rounds*int64(1+modest+each), Share: rounds * excess}
				if got := gate.Stats(); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			})
		}
	}
}
