package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// meshPlan says how much is published to how many CPSs.
type meshPlan struct {
	CPSs      int
	PerSecond float64 // calls, in all
	Rounds    int
	Round     time.Duration
	Sample    int // one record in so many is looked for on every CPS
	Within    time.Duration
}

func newMeshPlan() meshPlan {
	return meshPlan{CPSs: 10, PerSecond: 500, Rounds: 6, Round: 5 * time.Second, Sample: 50, Within: time.Second}
}

// shrink makes a plan that only shows that everything works.
func (p *meshPlan) shrink() {
	p.CPSs, p.PerSecond, p.Rounds, p.Round, p.Sample = 3, 20, 1, time.Second, 2
}

// measureMesh publishes calls at a fixed rate, whether or not earlier ones have been answered, to each CPS in turn: in turns to
// CPSs that relay to each other, and to as many that do not. All share this machine with whoever publishes.
func measureMesh(ctx context.Context, p meshPlan) ([]figure, error) {
	dir, err := os.MkdirTemp("", "viaduct-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	lab, err := newMeshLab(dir, p.CPSs)
	if err != nil {
		return nil, err
	}
	defer lab.repository.Close()
	r := &meshRun{meshPlan: p}
	if r.desk, err = newDesk(lab.providers, false); err != nil {
		return nil, err
	}
	for _, f := range []*meshFleet{&r.alone, &r.mesh} {
		processes, err := lab.start(ctx, f == &r.mesh)
		if err != nil {
			return nil, err
		}
		defer stopAll(processes)
		for _, one := range processes {
			t, err := newTarget(one, 1, false, nil)
			if err != nil {
				return nil, err
			}
			f.targets = append(f.targets, t)
		}
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return r.figures(), nil
}

// meshFleet is CPSs under the same load.
type meshFleet struct {
	targets []*target
	rounds  []slice
	refused atomic.Int64 // publications that were answered with anything but 201
	looked  atomic.Int64 // records that were looked for, each on each CPS
	missing atomic.Int64 // of these, those that were not there
}

func (f *meshFleet) cpu() (total time.Duration) {
	for _, t := range f.targets {
		total += t.cpu()
	}
	return total
}

type meshRun struct {
	meshPlan
	desk        *desk
	alone, mesh meshFleet
}

func (r *meshRun) run(ctx context.Context) error {
	for round := range r.Rounds + 1 { // the first opens connections and fetches certificates
		for _, f := range []*meshFleet{&r.alone, &r.mesh} {
			s, err := r.load(ctx, f)
			if err != nil {
				return err
			}
			if round > 0 {
				f.rounds = append(f.rounds, s)
				continue
			}
			f.refused.Store(0)
			f.looked.Store(0)
			f.missing.Store(0)
		}
	}
	return nil
}

// meshWorkers is how many requests may be under way. When all are, the next is late, and counts from when it was due.
const meshWorkers = 256

// load is one round. It ends when what was looked for has been looked for.
func (r *meshRun) load(ctx context.Context, f *meshFleet) (slice, error) {
	list, err := r.publications(int(r.PerSecond * r.Round.Seconds()))
	if err != nil {
		return slice{}, err
	}
	latencies := make([]time.Duration, len(list))
	var next atomic.Int64
	var publishing, looking sync.WaitGroup
	cpu, began := f.cpu(), time.Now()
	for range meshWorkers {
		publishing.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				due := began.Add(time.Duration(float64(i) / r.PerSecond * 1e9))
				time.Sleep(time.Until(due))
				if _, err := f.targets[i%r.CPSs].send(ctx, 0, &list[i]); err != nil {
					f.refused.Add(1)
					continue
				}
				latencies[i] = time.Since(due)
				if f == &r.mesh && i%r.Sample == 0 {
					looking.Go(func() { r.look(ctx, f, list[i].key, time.Now().Add(r.Within)) })
				}
			}
		})
	}
	publishing.Wait()
	looking.Wait()
	s := slice{began: began, took: time.Since(began), cpu: f.cpu() - cpu}
	for i, latency := range latencies {
		if latency > 0 {
			s.answered, s.latencies = append(s.answered, list[i]), append(s.latencies, latency)
		}
	}
	if len(s.answered) == 0 {
		return slice{}, errors.New("nobody was answered")
	}
	return s, ctx.Err()
}

// look retrieves a record from every CPS when it has to be there.
func (r *meshRun) look(ctx context.Context, f *meshFleet, k oob.Key, at time.Time) {
	time.Sleep(time.Until(at))
	var all sync.WaitGroup
	for i, t := range f.targets {
		all.Go(func() {
			down := r.desk.readers[i%len(r.desk.readers)]
			access := down.Access(oob.ActionRetrieve, k, nil, uuid.New(), time.Now())
			access.Audience = []string{meshName(i)}
			authorization, err := down.Authorization(access)
			if err == nil {
				_, err = t.send(ctx, 0, &request{method: http.MethodGet, path: atis.Path(k), media: jsonMedia, authorization: authorization, status: http.StatusOK})
			}
			f.looked.Add(1)
			if err != nil {
				f.missing.Add(1)
			}
		})
	}
	all.Wait()
}

// publications are those of one round, the i-th for the CPS whose turn it is then.
func (r *meshRun) publications(n int) ([]request, error) {
	list := make([]request, 0, n)
	now := time.Now()
	for i := range n {
		one, err := r.publication(now, i%r.CPSs)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func (r *meshRun) publication(now time.Time, cps int) (request, error) {
	d := r.desk
	d.calls++
	up := d.publishers[d.calls%len(d.publishers)]
	dest, err := number(1_500_000_0000 + d.calls)
	if err != nil {
		return request{}, err
	}
	orig, err := number(1_202_555_0000 + d.calls%9973)
	if err != nil {
		return request{}, err
	}
	k := oob.Key{Profile: oob.Mesh, Dest: dest, Orig: orig}
	token, err := passport.Sign(up.Key, passport.Shaken, up.X5U, passport.Claims{
		IAT: now, Orig: orig, Dest: []tn.Identity{dest}, Attest: "A", OrigID: uuid.New(),
	})
	if err != nil {
		return request{}, err
	}
	access := up.Access(oob.ActionPublish, k, []string{token}, uuid.New(), now)
	access.Audience = []string{meshName(cps)}
	authorization, err := up.Authorization(access)
	return request{
		method: http.MethodPost, path: atis.Path(k), media: jsonMedia, authorization: authorization,
		body: atis.WritePublish([]string{token}), status: http.StatusCreated, key: k,
	}, err
}

func (r *meshRun) figures() []figure {
	pairs := make([]pair, len(r.mesh.rounds))
	for i := range pairs {
		pairs[i] = pair{floor: r.alone.rounds[i], subject: r.mesh.rounds[i]}
	}
	at := fmt.Sprintf("mesh of %d CPSs at %.0f calls/s", r.CPSs, r.PerSecond)
	line := func(name, unit string, of func(slice) float64) figure {
		f := figure{Name: at + ", " + name, Unit: unit}
		f.Floor, f.Value, f.Ratio = compared(pairs, of)
		return f
	}
	median := line("publish, p50", "ms", func(s slice) float64 { return s.percentile(50) })
	median.Most = 1.10
	found := 100.0
	if looked := r.mesh.looked.Load(); looked > 0 {
		found = 100 * float64(looked-r.mesh.missing.Load()) / float64(looked)
	}
	// What a round of the mesh takes more than one without is the relays, and what looks for records.
	alone, together, _ := compared(pairs, slice.cpuMicroseconds)
	figures := []figure{
		median,
		line("publish, p99", "ms", func(s slice) float64 { return s.percentile(99) }),
		{Name: at + ", publications refused", Value: float64(r.mesh.refused.Load())},
		{Name: at + fmt.Sprintf(", records on every CPS within %s", r.Within), Unit: "%", Value: found, Least: 100},
		line("CPU of all CPSs", "µs/call", slice.cpuMicroseconds),
	}
	if together > 0 {
		figures = append(figures, figure{Name: at + ", CPU for each relay", Unit: "µs", Value: (together - alone) / float64(r.CPSs-1)})
	}
	return figures
}
