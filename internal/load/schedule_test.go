package load_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/load"
)

func schedule(t *testing.T, c load.Config) (list []load.Arrival, begin time.Duration) {
	t.Helper()
	loaded, err := load.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	return load.Schedule(loaded)
}

func TestSchedule_EvenArrivalsAreExact(t *testing.T) {
	l := openLaboratory(t, 2)
	cfg := l.config(t, "publish=1", "https://cps.example")
	cfg.Arrivals, cfg.Warmup = load.Even, time.Second
	cfg.Steps = []load.Step{{PerSecond: 10, For: time.Second}, {PerSecond: 1000, For: 2 * time.Second}}
	list, begin := schedule(t, cfg)
	if len(list) != 10+10+2000 || begin != time.Second {
		t.Fatalf("%d arrivals, measured from %s", len(list), begin)
	}
	for i, a := range list {
		want, step := time.Duration(i)*100*time.Millisecond+50*time.Millisecond, i/10-1
		if i >= 20 {
			want, step = 2*time.Second+time.Duration(i-20)*time.Millisecond+500*time.Microsecond, 1
		}
		if a.Due != want || a.Step != step {
			t.Fatalf("arrival %d is due at %s in step %d, not at %s in %d", i, a.Due, a.Step, want, step)
		}
	}
}

// Independent arrivals: gaps have the mean and the deviation of an exponential distribution, operations and providers their
// shares; the same seed gives the same.
func TestSchedule_PoissonArrivals(t *testing.T) {
	l := openLaboratory(t, 4)
	cfg := l.config(t, "publish=3,call=1", "https://cps.example")
	cfg.Providers = append([]load.Provider(nil), cfg.Providers...)
	cfg.Providers[3].Share = 5 // of 8: twice as many in all
	cfg.Steps = []load.Step{{PerSecond: 1000, For: 20 * time.Second}}
	list, _ := schedule(t, cfg)
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		if math.Abs(got-want) > tolerance*want {
			t.Errorf("%s: %.3f, not about %.3f", what, got, want)
		}
	}
	near("arrivals", float64(len(list)), 40_000, 0.02)
	var squares float64
	calls, greedy := 0, 0
	last := time.Duration(0)
	for _, a := range list {
		if a.Due < last {
			t.Fatal("arrivals are not in order")
		}
		squares += math.Pow((a.Due-last).Seconds()*2000, 2)
		last = a.Due
		if a.Op == load.Call {
			calls++
		}
		if a.Publisher == 3 {
			greedy++
		}
		if a.Reader == 3 || a.Reader == a.Publisher {
			t.Fatalf("%+v: the greedy one has a part in others' calls, or somebody calls himself", a)
		}
	}
	near("mean square of gaps", squares/float64(len(list)), 2, 0.05)
	near("calls", float64(calls)/float64(len(list)), 0.25, 0.05)
	near("the greedy one", float64(greedy)/float64(len(list)), 5.0/8, 0.05)
}

func TestSchedule_TheSameSeedGivesTheSame(t *testing.T) {
	l := openLaboratory(t, 3)
	drawn := func(seed uint64) []load.Arrival {
		var list []load.Arrival
		synctest.Test(t, func(t *testing.T) { // where numbers begin follows from the time
			cfg := l.config(t, "publish=1,retrieve=1,miss=1,call=1", "https://cps.example")
			cfg.Seed, cfg.Called = seed, 50
			list, _ = schedule(t, cfg)
		})
		return list
	}
	first, again, other := drawn(7), drawn(7), drawn(8)
	if len(first) != len(again) {
		t.Fatalf("%d and %d arrivals", len(first), len(again))
	}
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("%+v and %+v", first[i], again[i])
		}
	}
	if len(other) == len(first) && other[len(other)-1] == first[len(first)-1] {
		t.Error("another seed gives the same")
	}
}

// What is retrieved has been laid more than a second before, will be there for two, and is read by who may.
func TestSchedule_TheStock(t *testing.T) {
	l := openLaboratory(t, 3)
	cfg := l.config(t, "retrieve=1", "https://cps.example")
	cfg.Stock, cfg.Keep = 30, 8*time.Second
	cfg.Steps = []load.Step{{PerSecond: 200, For: 30 * time.Second}}
	list, begin := schedule(t, cfg)
	type record struct {
		reader         int
		caller, called int64
	}
	laid := map[record]time.Duration{}
	reads, last := 0, time.Duration(0)
	for _, a := range list {
		if a.Due < last {
			t.Fatalf("an arrival at %s stands behind one at %s", a.Due, last)
		}
		last = a.Due
		r := record{a.Reader, a.Caller, a.Called}
		if a.Op == load.Stock {
			laid[r] = a.Due
			continue
		}
		reads++
		at, found := laid[r]
		if age := a.Due - at; !found || age < time.Second || age > cfg.Keep-2*time.Second || a.Due < begin {
			t.Fatalf("%+v reads what was laid at %s (%t)", a, at, found)
		}
	}
	if reads < 5000 || len(laid) < 150 || len(laid) > 250 { // 30, and 6 each second
		t.Errorf("%d reads of %d records", reads, len(laid))
	}
}

func TestSchedule_PopularNumbers(t *testing.T) {
	l := openLaboratory(t, 2)
	cfg := l.config(t, "call=1", "https://cps.example")
	cfg.Called = 100
	cfg.Steps = []load.Step{{PerSecond: 1000, For: 10 * time.Second}}
	list, _ := schedule(t, cfg)
	times := map[int64]int{}
	for _, a := range list {
		times[a.Called]++
	}
	if len(times) > 100 || times[0] < 3*times[4] || times[0] < 1000 {
		t.Errorf("%d numbers; the first %d times, the fifth %d times", len(times), times[0], times[4])
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, want, wrong string }{
		{text: "call=1", want: "call 100 %"},
		{text: "publish=2, retrieve=1,miss=0", want: "publish 66.7 %, retrieve 33.3 %"},
		{text: "publish=0", wrong: "a mixture of nothing"},
		{text: "publish=1,publish=1", wrong: "there twice"},
		{text: "publish", wrong: "write publish=NUMBER"},
		{text: "publish=-1", wrong: "must be 0 to"},
		{text: "publish=NaN", wrong: "must be 0 to"},
		{text: "stock=1", wrong: "none of publish"},
		{text: "", wrong: "none of publish"},
	} {
		m, err := load.ParseMix(c.text)
		if c.wrong != "" && (err == nil || !contains(err, c.wrong)) || c.wrong == "" && (err != nil || m.String() != c.want) {
			t.Errorf("%q: %q %v", c.text, m, err)
		}
	}
	for _, c := range []struct {
		text, wrong string
		steps       int
	}{
		{text: "500", steps: 1},
		{text: "500,1e3@2s, 2000@1m", steps: 3},
		{text: "0", wrong: "above 0"},
		{text: "-1", wrong: "above 0"},
		{text: "NaN", wrong: "above 0"},
		{text: "1e9", wrong: "at most"},
		{text: "500@", wrong: "no time"},
		{text: "500@1ms", wrong: "100ms to 24h"},
		{text: "fast", wrong: "no rate"},
		{text: "", wrong: "no rate"},
	} {
		steps, err := load.ParseSteps(c.text, 10*time.Second)
		if c.wrong != "" && (err == nil || steps != nil || !contains(err, c.wrong)) || c.wrong == "" && (err != nil || len(steps) != c.steps) {
			t.Errorf("%q: %v %v", c.text, steps, err)
		}
	}
}
