package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"
)

// comparison is a run of floor and subject under the same load.
type comparison struct {
	plan
	floor, subject *target
	desk           *desk

	saturated, paced map[string][]pair    // by operation
	verifications    map[string][]float64 // of the floor at saturation, in µs; by operation
}

// pair is a slice of each, one right after the other, with the same requests.
type pair struct{ floor, subject slice }

// compareVersions measures both servers over each version of HTTP, and then with tables too, if that is wanted.
func compareVersions(ctx context.Context, p plan) ([]figure, error) {
	var all []figure
	for _, tables := range slices.Compact([]int{0, p.Tables}) {
		for _, version := range p.HTTP {
			p.HTTP1, p.Tables = version == 1, tables
			figures, err := compare(ctx, p)
			if err != nil {
				return nil, err
			}
			all = append(all, figures...)
		}
	}
	return all, nil
}

// compare measures both servers and gives the figures.
func compare(ctx context.Context, p plan) (figures []figure, err error) {
	subject, err := startProcess(ctx, roleSubject, profileTo(p, roleSubject), tablesVariable+"="+strconv.Itoa(p.Tables))
	if err != nil {
		return nil, err
	}
	defer subject.stop()
	c := &comparison{plan: p, saturated: map[string][]pair{}, paced: map[string][]pair{}, verifications: map[string][]float64{}}
	if c.desk, err = newDesk(subject.Providers, p.Mutual); err != nil {
		return nil, err
	}
	if c.subject, err = newTarget(subject, p.Connections, p.HTTP1, c.desk.certificates()); err != nil {
		return nil, err
	}
	e, err := c.errand(ctx)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	floor, err := startProcess(ctx, roleFloor, profileTo(p, roleFloor), errandVariable+"="+string(text))
	if err != nil {
		return nil, err
	}
	defer floor.stop()
	if c.floor, err = newTarget(floor, p.Connections, p.HTTP1, c.desk.certificates()); err != nil {
		return nil, err
	}
	if err := c.measure(ctx); err != nil {
		return nil, err
	}
	return c.figures(), nil
}

func profileTo(p plan, role string) string {
	if p.ProfileDir == "" {
		return profileVariable + "="
	}
	if p.Mutual {
		role += "-mutual"
	}
	if p.HTTP1 {
		role += "-http1"
	}
	if p.Tables > 0 {
		role += "-tables"
	}
	return profileVariable + "=" + filepath.Join(p.ProfileDir, role+".cpu.prof")
}

// errand asks the subject once for each operation and provider, which also warms its certificate cache, so that the floor's
// answers can be as long.
func (c *comparison) errand(ctx context.Context) (errand, error) {
	e := errand{Providers: c.subject.Providers, Bare: c.Bare}
	publications, err := c.desk.publications(providers)
	if err != nil {
		return e, err
	}
	for i, r := range publications {
		answer, err := c.subject.send(ctx, i, &r)
		if err != nil {
			return e, err
		}
		e.PublishAnswer = len(answer)
	}
	if c.Mutual {
		return e, nil
	}
	retrievals, err := c.desk.retrievals(providers, publications)
	if err != nil {
		return e, err
	}
	for i, r := range retrievals {
		answer, err := c.subject.send(ctx, i, &r)
		if err != nil {
			return e, err
		}
		e.Retrieved = len(answer) - len(`{"passports":[""]}`)
	}
	return e, nil
}

// rateFirst is how many requests a second are signed for the first slice, when nothing has been measured yet. A slice
// whose requests have all been answered ends early.
const rateFirst = 10_000

func (c *comparison) measure(ctx context.Context) error {
	calm, err := calmLoad()
	if err != nil {
		return err
	}
	defer calm()
	if err := c.warm(ctx); err != nil {
		return err
	}
	for range c.Pairs {
		if err := c.round(ctx, c.saturated, c.fullLoad, c.saturate); err != nil {
			return err
		}
	}
	for range c.PacedPairs {
		if err := c.round(ctx, c.paced, c.halfLoad, c.pace); err != nil {
			return err
		}
	}
	return nil
}

// calmLoad puts the load generator on its core and keeps its own doings out of what it measures, until calm is called.
func calmLoad() (calm func(), err error) {
	if err := pinLoad(); err != nil {
		return nil, err
	}
	// More than one processor would be a fiction on one core, and a busy collector would be seen in the latencies.
	processors, percent := runtime.GOMAXPROCS(1), debug.SetGCPercent(800)
	return func() {
		runtime.GOMAXPROCS(processors)
		debug.SetGCPercent(percent)
	}, nil
}

// warm opens the connections and lets both heaps find their size. Until then each page of memory is used for the first time, which
// costs a server that has something to hold more than one that has not.
func (c *comparison) warm(ctx context.Context) error {
	list, err := c.desk.publications(c.Warm)
	if err != nil {
		return err
	}
	for _, t := range []*target{c.floor, c.subject} {
		if _, err := t.load(ctx, list, c.InFlight, time.Minute, nil); err != nil {
			return err
		}
	}
	return nil
}

// round takes one pair of slices of each operation. The records that are retrieved are those that have just been
// published.
func (c *comparison) round(ctx context.Context, into map[string][]pair, perSecond func(operation string) float64,
	turns func(context.Context, string, []request) (pair, error)) error {
	var published []request
	for _, operation := range c.Operations {
		n := int(1.3*perSecond(operation)*c.Slice.Seconds()) + c.InFlight
		list, err := c.prepare(ctx, operation, n, published)
		if err != nil {
			return err
		}
		runtime.GC()
		both, err := turns(ctx, operation, list)
		if err != nil {
			return fmt.Errorf("%s: %w", operation, err)
		}
		into[operation] = append(into[operation], both)
		if operation == publish {
			published = both.subject.answered
		}
	}
	return nil
}

// prepare signs what a slice needs.
func (c *comparison) prepare(ctx context.Context, operation string, n int, published []request) ([]request, error) {
	if operation == publish {
		return c.desk.publications(n)
	}
	if len(published) == 0 {
		list, err := c.desk.publications(200)
		if err != nil {
			return nil, err
		}
		laid, err := c.subject.load(ctx, list, c.InFlight, time.Minute, nil)
		if err != nil {
			return nil, err
		}
		published = laid.answered
	}
	return c.desk.retrievals(n, published)
}

// fullLoad is the floor's rate so far: the higher of the two.
func (c *comparison) fullLoad(operation string) float64 {
	if before := c.saturated[operation]; len(before) > 0 {
		return before[len(before)-1].floor.perSecond()
	}
	return rateFirst
}

// halfLoad is half of what the subject can do.
func (c *comparison) halfLoad(operation string) float64 {
	return median(each(c.saturated[operation], func(p pair) float64 { return p.subject.perSecond() })) / 2
}

// saturate keeps a fixed number of requests in flight.
func (c *comparison) saturate(ctx context.Context, operation string, list []request) (pair, error) {
	both, err := c.turns(len(c.saturated[operation]), func(t *target) (slice, error) {
		return t.load(ctx, list, c.InFlight, c.Slice, nil)
	})
	if err != nil {
		return pair{}, err
	}
	took, err := c.floor.verification(ctx)
	c.verifications[operation] = append(c.verifications[operation], took)
	return both, err
}

// verification is how long one verification took of late, in µs: what a floor says of itself.
func (t *target) verification(ctx context.Context) (float64, error) {
	said, err := t.send(ctx, 0, &request{method: http.MethodGet, path: tookPath, status: http.StatusOK})
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(said), 64)
}

// pacedWorkers is how many requests may be under way at half load. When all are, the next is late, and counts from when
// it was due all the same.
const pacedWorkers = 256

// pace sends half of what the subject can do. The gaps are exponentially distributed, as between independent calls, and
// the same for both servers.
func (c *comparison) pace(ctx context.Context, operation string, list []request) (pair, error) {
	perSecond := c.halfLoad(operation)
	schedule := make([]time.Duration, len(list))
	at := time.Duration(0)
	for i := range schedule {
		at += time.Duration(rand.ExpFloat64() / perSecond * float64(time.Second))
		schedule[i] = at
	}
	return c.turns(len(c.paced[operation]), func(t *target) (slice, error) {
		return t.load(ctx, list, pacedWorkers, c.Slice, func(i int) time.Duration { return schedule[i] })
	})
}

// turns lets both have their slice, every other time the subject first.
func (c *comparison) turns(n int, one func(*target) (slice, error)) (both pair, err error) {
	first, second := &both.floor, &both.subject
	targets := [2]*target{c.floor, c.subject}
	if n%2 == 1 {
		first, second = second, first
		targets[0], targets[1] = targets[1], targets[0]
	}
	if *first, err = one(targets[0]); err != nil {
		return pair{}, err
	}
	*second, err = one(targets[1])
	return both, err
}
