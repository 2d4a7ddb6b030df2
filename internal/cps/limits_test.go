package cps_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

func TestRateDefaults(t *testing.T) {
	for given, want := range map[cps.Rate]cps.Rate{
		{}: {PerSecond: 200, Burst: 400}, {PerSecond: 10}: {PerSecond: 10, Burst: 20}, {PerSecond: 0.1}: {PerSecond: 0.1, Burst: 1},
		{Burst: 5}: {PerSecond: 200, Burst: 5}, {PerSecond: 1, Burst: 7}: {PerSecond: 1, Burst: 7}, {PerSecond: 1e300}: {PerSecond: 1e300, Burst: 1e9},
	} {
		if got := given.WithDefaults(); got != want {
			t.Errorf("%+v: %+v, want %+v", given, got, want)
		}
	}
}

// TestWhatIsKeptPerSPCIsBounded, however many there are.
func TestWhatIsKeptPerSPCIsBounded(t *testing.T) {
	now := time.Unix(1795316200, 0)
	limiter := cps.NewLimiter(cps.Rate{PerSecond: 1, Burst: 1}, now)
	var misses cps.Misses
	for i := range cps.PerSPCMax + 1000 {
		spc := strconv.Itoa(i)
		limiter.Take(spc, now) // none of the buckets is ever full again
		misses.Add(spc)
	}
	if got := limiter.Len(); got > cps.PerSPCMax || got < cps.PerSPCMax*9/10 {
		t.Errorf("%d buckets", got)
	}
	counts := misses.Counts()
	if len(counts) != cps.PerSPCMax+1 || counts[""] != 1000 {
		t.Errorf("%d counts, %d together", len(counts), counts[""])
	}
	if _, ok := limiter.Take(strconv.Itoa(cps.PerSPCMax+999), now); ok {
		t.Error("the last of them may ask again at once")
	}
}

func TestLimiterSurvivesAClockThatIsTurnedBack(t *testing.T) {
	now := time.Unix(1795316200, 0)
	limiter := cps.NewLimiter(cps.Rate{PerSecond: 1, Burst: 1}, now)
	limiter.Take("1234", now)
	if wait, ok := limiter.Take("1234", now.Add(-time.Hour)); ok || wait <= 0 || wait > 2*time.Hour {
		t.Errorf("%v, %v", wait, ok)
	}
	if _, ok := limiter.Take("1234", now.Add(2*time.Second)); !ok {
		t.Error("still locked out after the clock was put right")
	}
}

func TestNewChecksItsConfiguration(t *testing.T) {
	shelf := local.Open(store.Config{})
	t.Cleanup(func() { shelf.Close() })
	good := func() cps.Config {
		return cps.Config{Store: shelf, Inspector: &cps.Inspector{Depth: cps.InspectMatch}, Audience: []string{"cps.example.net"}}
	}
	if _, err := cps.New(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*cps.Config){
		"no store":                   func(c *cps.Config) { c.Store = nil },
		"no inspector":               func(c *cps.Config) { c.Inspector = nil },
		"no verifier to verify with": func(c *cps.Config) { c.Inspector = &cps.Inspector{} },
		"no audience":                func(c *cps.Config) { c.Audience = nil },
		"an empty audience":          func(c *cps.Config) { c.Audience = append(c.Audience, "") },
		"too short a retention":      func(c *cps.Config) { c.Retention = map[oob.Profile]time.Duration{oob.Mesh: 4 * time.Second} },
		"too long a retention":       func(c *cps.Config) { c.Retention = map[oob.Profile]time.Duration{oob.Agreed: 61 * time.Second} },
		"a negative rate":            func(c *cps.Config) { c.PublishRate.PerSecond = -1 },
		"a negative burst":           func(c *cps.Config) { c.RetrieveRate.Burst = -1 },
		"fewer than no nodes":        func(c *cps.Config) { c.Nodes = -1 },
		"too many nodes":             func(c *cps.Config) { c.Nodes = 1025 },
	} {
		c := good()
		spoil(&c)
		if _, err := cps.New(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestConcurrentRequests is for the race detector, and counts.
func TestConcurrentRequests(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	const each = 20
	var wg sync.WaitGroup
	for _, profile := range oobtest.Forms() {
		for i := range each {
			wg.Go(func() {
				p.publish(profile, p.Passport(strconv.Itoa(i)))
				if got := p.send(p.Retrieve(profile)); got.Status != 200 {
					t.Errorf("%d %s", got.Status, got.Body)
				}
				p.send(p.by(p.Upstream, p.Retrieve(oob.Agreed)))
				p.CPS.Service.MissesBySPC()
			})
		}
	}
	wg.Wait()
	if got := p.CPS.Store.Stats().Records; got != 2*each {
		t.Errorf("%d records", got)
	}
	p.counted(map[string]int64{"verified": 2 * each})
}

// TestOneTokenManyTimesAtOnce: whoever comes first, only one of many uses of a token changes anything.
func TestOneTokenManyTimesAtOnce(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	publication, retrieval := p.Publish(oob.Agreed, p.Passport("x")), p.Retrieve(oob.Agreed)
	p.holds(oob.Agreed) // certificates are known from now on
	var wg sync.WaitGroup
	var mu sync.Mutex
	used := 0
	for range 20 {
		wg.Go(func() {
			p.created(publication)
			if p.send(retrieval).Status != 401 {
				mu.Lock()
				used++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got := p.CPS.Store.Stats().Records; got != 1 || used != 1 {
		t.Errorf("%d records, %d retrievals", got, used)
	}
}
