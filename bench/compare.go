package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"
)

// comparison is a run of floor and subject under the same load.
type comparison struct {
	plan
	floor, subject *target
	desk           *desk

	saturated, paced map[string][]pair // by operation
}

// pair is a slice of each, one right after the other, with the same requests.
type pair struct{ floor, subject slice }

// compare measures both servers and gives the figures.
func compare(ctx context.Context, p plan) (figures []figure, err error) {
	subject, err := startProcess(ctx, roleSubject, profileTo(p, roleSubject))
	if err != nil {
		return nil, err
	}
	defer subject.stop()
	c := &comparison{plan: p, saturated: map[string][]pair{}, paced: map[string][]pair{}}
	if c.subject, err = newTarget(subject, p.Connections, p.HTTP1); err != nil {
		return nil, err
	}
	if c.desk, err = newDesk(subject.Providers); err != nil {
		return nil, err
	}
	s, err := c.sizes(ctx)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	floor, err := startProcess(ctx, roleFloor, profileTo(p, roleFloor), sizesVariable+"="+string(text))
	if err != nil {
		return nil, err
	}
	defer floor.stop()
	if c.floor, err = newTarget(floor, p.Connections, p.HTTP1); err != nil {
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
	return profileVariable + "=" + filepath.Join(p.ProfileDir, role+".cpu.prof")
}

// sizes asks the subject once for each operation and provider, which also warms its certificate cache.
func (c *comparison) sizes(ctx context.Context) (sizes, error) {
	var s sizes
	publications, err := c.desk.publications(providers)
	if err != nil {
		return s, err
	}
	retrievals, err := c.desk.retrievals(providers, publications)
	if err != nil {
		return s, err
	}
	for _, r := range publications {
		answer, err := c.subject.send(ctx, &r)
		if err != nil {
			return s, err
		}
		s.PublishToken, s.PublishAnswer = signedBytes(r.authorization)-len("Bearer "), len(answer)
	}
	for _, r := range retrievals {
		answer, err := c.subject.send(ctx, &r)
		if err != nil {
			return s, err
		}
		s.RetrieveToken, s.RetrieveAnswer = signedBytes(r.authorization)-len("Bearer "), len(answer)
		s.Passport = signedBytes(string(answer)) - len(`{"passports":["`)
	}
	return s, nil
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

// warm opens the connections and lets both heaps find their size.
func (c *comparison) warm(ctx context.Context) error {
	list, err := c.desk.publications(10 * c.InFlight)
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
	return c.turns(len(c.saturated[operation]), func(t *target) (slice, error) {
		return t.load(ctx, list, c.InFlight, c.Slice, nil)
	})
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
