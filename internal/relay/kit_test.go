package relay_test

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/relay"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/tn"
)

// The other CPSs.
const (
	north = "https://north.example"
	south = "https://south.example"
)

// laboratory is made once, outside of bubbles: making keys takes its time.
var laboratory = sync.OnceValues(func() (*oobtest.Identity, error) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		return nil, err
	}
	return pki.Issue(oobtest.IssueConfig{SPC: "900C"})
})

// ways are what two CPSs answer; of each, which records came when.
type ways struct {
	testing.TB
	*relay.Relay
	mu    sync.Mutex
	began time.Time
	came  map[string][]attempt // by CPS
}

type attempt struct {
	n  int // which record
	at time.Duration
}

type answering func(ctx context.Context, n int) cpsclient.Relayed

func has(context.Context, int) cpsclient.Relayed { return cpsclient.Relayed{} }

func busy(wait time.Duration, whole bool) answering {
	return func(context.Context, int) cpsclient.Relayed {
		return cpsclient.Relayed{Fault: oob.Faultf(oob.Overloaded, ""), Again: true, Wait: wait, Whole: whole}
	}
}

// hangs answers when nobody waits any more.
func hangs(ctx context.Context, _ int) cpsclient.Relayed {
	<-ctx.Done()
	return cpsclient.Relayed{Fault: oob.Faultf(oob.PeerTimeout, ""), Again: true, Whole: true}
}

// start makes a relay to both, and starts it.
func start(t testing.TB, c relay.Config, toNorth, toSouth answering) *ways {
	t.Helper()
	w := open(t, c, toNorth, toSouth)
	w.Start()
	return w
}

func open(t testing.TB, c relay.Config, toNorth, toSouth answering) *ways {
	t.Helper()
	id, err := laboratory()
	if err != nil {
		t.Fatal(err)
	}
	c.Peers = []cpsclient.CPS{{URL: north}, {URL: south}}
	c.Client.SPC, c.Client.Key, c.Client.X5U = id.SPC, id.Key, id.X5U
	w := &ways{TB: t, began: time.Now(), came: map[string][]attempt{}}
	if w.Relay, err = relay.New(c); err != nil {
		t.Fatal(err)
	}
	for url, answer := range map[string]answering{north: toNorth, south: toSouth} {
		w.SetSend(url, func(ctx context.Context, id [16]byte) cpsclient.Relayed {
			n := int(binary.BigEndian.Uint32(id[:]))
			w.mu.Lock()
			w.came[url] = append(w.came[url], attempt{n, time.Since(w.began)})
			w.mu.Unlock()
			return answer(ctx, n)
		})
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = w.Close(ended) // what is left is of no matter here
	})
	return w
}

func idOf(n int) (id [16]byte) {
	binary.BigEndian.PutUint32(id[:], uint32(n))
	return id
}

// publication is the n-th of a publisher, which expires after 15 seconds.
func publication(n int, publisher string) oob.Publication {
	dest, _ := tn.ParseIdentity("12155550131")
	orig, _ := tn.ParseIdentity("12155550121")
	return oob.Publication{
		Key: oob.Key{Profile: oob.Mesh, Dest: dest, Orig: orig}, Passports: []string{"a.b.c"}, Publisher: publisher, Token: "t.t.t",
		Received: time.Now(), Expires: time.Now().Add(15 * time.Second), Use: oob.TokenUse{ID: idOf(n)},
	}
}

func (w *ways) laid(n int, publisher string) { w.laidAt("", n, publisher) }

func (w *ways) laidAt(node string, n int, publisher string) {
	w.Laid(store.Event{Act: store.Laid, At: time.Now(), Node: node, Publication: publication(n, publisher)})
}

// attempts are those at a CPS until now.
func (w *ways) attempts(url string) []attempt {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.came[url])
}

// each is how often each record came to a CPS.
func (w *ways) each(url string) map[int]int {
	all := map[int]int{}
	for _, a := range w.attempts(url) {
		all[a.n]++
	}
	return all
}

// wants compares that with what should be.
func (w *ways) wants(url string, records ...int) {
	w.Helper()
	want := map[int]int{}
	for _, n := range records {
		want[n]++
	}
	if got := w.each(url); !maps.Equal(got, want) {
		w.Errorf("%s was sent %v, want %v", url, got, want)
	}
}

func (w *ways) of(url string) relay.PeerStats {
	synctest.Wait()
	for _, s := range w.Stats().Peers {
		if s.URL == url {
			return s
		}
	}
	w.Fatalf("no %s", url)
	return relay.PeerStats{}
}

func (w *ways) counts(url string, passed, refused, late, dropped uint64) {
	w.Helper()
	if s := w.of(url); s.Passed != passed || s.Refused != refused || s.Late != late || s.Dropped != dropped {
		w.Errorf("%s: %+v, want %d passed, %d refused, %d late, %d dropped", url, s, passed, refused, late, dropped)
	}
}
