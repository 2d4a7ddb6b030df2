package cpsclient_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// One CPS of a pair tells first of what both have, and that it is over at once: what the other says of it counts all the same.
func TestRFC9888_S6_OneCPSOfAPairCannotEndARecordOfTheOther(t *testing.T) {
	for name, life := range map[string]time.Duration{"over at once": time.Millisecond, "over before": -time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				short := event(t, "1", "a.b.c")
				short.Held.Expires = short.Held.Received.Add(life)
				good := event(t, "1", "a.b.c")
				down := n.client(n.downstream, nil,
					n.serve("bad.example", streaming(string(short.AppendSSE(nil)), false)),
					n.serve("good.example", func(w http.ResponseWriter, r *http.Request) {
						time.Sleep(50 * time.Millisecond)
						streaming(string(good.AppendSSE(nil)), false)(w, r)
					}))
				inbox := cpsclient.NewInbox(cpsclient.InboxConfig{})
				if _, err := down.Subscribe(t.Context(), cpsclient.SubscribeConfig{
					Profile: oob.RFC9888, Resources: []stircert.Resource{resource(t, "0-"+downstreamSPC)}, Receive: inbox.Receive, Alive: inbox.Alive,
				}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if got, err := inbox.Retrieve(t.Context(), keyOf(oob.RFC9888)); !slices.Equal(got, []string{"a.b.c"}) {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
}
