package relay_test

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/relay"
	"github.com/viaduct-oob/viaduct/oob"
)

// together are requests with several records.
type together struct {
	mu   sync.Mutex
	came []request // guarded by mu
}

type request struct {
	records []int
	at      time.Duration
}

// startTogether makes a relay to north, which takes so many records in one request, and to south, which takes one.
func startTogether(t *testing.T, gather time.Duration, most int, answer func(n int) cpsclient.Relayed) (*ways, *together) {
	t.Helper()
	w, all := open(t, relay.Config{Gather: gather}, has, has), &together{}
	w.SetSeveral(north, most, func(_ context.Context, ids [][16]byte) (results []cpsclient.Relayed) {
		one := request{at: time.Since(w.began)}
		for _, id := range ids {
			n := int(binary.BigEndian.Uint32(id[:]))
			one.records = append(one.records, n)
			results = append(results, answer(n))
		}
		all.mu.Lock()
		all.came = append(all.came, one)
		all.mu.Unlock()
		return results
	})
	w.Start()
	return w, all
}

func (a *together) list() []request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.came)
}

func taken(int) cpsclient.Relayed { return cpsclient.Relayed{} }

// TestSeveralGoTogether: what comes after a silence goes at once, and alone; what comes soon after that gathers; what fills a request
// does not wait.
func TestSeveralGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, all := startTogether(t, 200*time.Millisecond, 10, taken)
		w.laid(0, "1234")
		w.wants(north, 0)
		for n := range 3 {
			time.Sleep(10 * time.Millisecond)
			w.laid(1+n, "1234")
		}
		w.wants(north, 0)
		time.Sleep(200 * time.Millisecond)
		if len(all.list()) != 1 || len(all.list()[0].records) != 3 || all.list()[0].at < 150*time.Millisecond || all.list()[0].at > 200*time.Millisecond {
			t.Fatalf("%+v", all.list())
		}
		full := time.Since(w.began)
		for n := range 10 {
			w.laid(4+n, "1234")
		}
		synctest.Wait()
		if len(all.list()) != 2 || len(all.list()[1].records) != 10 || all.list()[1].at != full {
			t.Fatalf("%+v, laid after %s", all.list(), full)
		}
		time.Sleep(time.Minute)
		w.wants(north, 0)
		w.counts(north, 14, 0, 0, 0)
		w.counts(south, 14, 0, 0, 0)
		if !w.Empty() {
			t.Error("something is left over")
		}
	})
}

// TestWhatIsTriedAgainGoesAlone, so that what is slow holds up the others once at most.
func TestWhatIsTriedAgainGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, all := startTogether(t, 200*time.Millisecond, 4, func(n int) cpsclient.Relayed {
			switch n {
			case 2:
				return cpsclient.Relayed{Fault: oob.Faultf(oob.CredentialUnreachable, ""), Again: true}
			case 3:
				return cpsclient.Relayed{Fault: oob.Faultf(oob.Refused, "")}
			}
			return cpsclient.Relayed{}
		})
		w.laid(0, "1234")
		synctest.Wait()
		for n := range 4 {
			w.laid(1+n, "1234")
		}
		time.Sleep(10 * time.Second)
		if len(all.list()) != 1 || len(all.list()[0].records) != 4 {
			t.Errorf("%+v", all.list())
		}
		w.wants(north, 0, 2)
		w.counts(north, 4, 1, 0, 0)
		if !w.Empty() {
			t.Error("something is left over")
		}
	})
}

// TestMoreThanOneRequestHoldsGoesInSeveral, and all of it once.
func TestMoreThanOneRequestHoldsGoesInSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, all := startTogether(t, 200*time.Millisecond, 16, taken)
		for n := range 1000 {
			w.laid(n, []string{"1234", "567B"}[n%2])
		}
		time.Sleep(time.Second)
		times := map[int]int{}
		for _, a := range w.attempts(north) {
			times[a.n]++
		}
		for _, one := range all.list() {
			if len(one.records) > 16 {
				t.Errorf("%d in one", len(one.records))
			}
			for _, n := range one.records {
				times[n]++
			}
		}
		for n := range 1000 {
			if times[n] != 1 {
				t.Fatalf("record %d was sent %d times", n, times[n])
			}
		}
		w.counts(north, 1000, 0, 0, 0)
	})
}

// TestWhereNothingGathersEachGoesAlone, also to a CPS that takes several in one request.
func TestWhereNothingGathersEachGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, all := startTogether(t, 0, 10, taken)
		for n := range 20 {
			w.laid(n, "1234")
		}
		synctest.Wait()
		w.counts(north, 20, 0, 0, 0)
		if len(all.list()) != 0 {
			t.Errorf("%+v", all.list())
		}
	})
}
