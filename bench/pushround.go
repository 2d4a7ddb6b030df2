package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// round publishes for some seconds, while subscribers are cut, and looks what has arrived where.
func (r *pushRun) round(ctx context.Context) error {
	list, called, err := r.prepare()
	if err != nil {
		return err
	}
	schedule := instants(len(list), r.PerSecond)
	runtime.GC()
	own := cpuOf(os.Getpid())
	cutting, stopCutting := context.WithCancel(ctx)
	defer stopCutting()
	r.crowd.running.Go(func() { r.cutSome(cutting) })
	s, err := r.publishers.load(ctx, list, pacedWorkers, time.Hour, func(i int) time.Duration { return schedule[i] })
	if err != nil {
		return err
	}
	stopCutting()
	r.took += s.took
	r.serverCPU += s.cpu
	r.loadCPU += cpuOf(os.Getpid()) - own
	return r.judge(ctx, list, called, schedule, s)
}

// stride visits the subscribers in an order that is none of theirs; it has no factor in common with their number.
const stride = 7919

// prepare signs a round. Subscribers are called in turn, so that all are called equally often.
func (r *pushRun) prepare() (list []request, called []*subscriber, err error) {
	now := time.Now()
	for range int(r.PerSecond * r.Round.Seconds()) {
		to := r.published * stride % r.Subscribers
		r.published++
		r.desk.calls++
		one, err := r.desk.submissionTo(firstCalled+to, now)
		if err != nil {
			return nil, nil, err
		}
		list, called = append(list, one), append(called, r.crowd.all[to])
	}
	return list, called, nil
}

// instants are when n independent requests are due, of so many a second.
func instants(n int, perSecond float64) []time.Duration {
	list, at := make([]time.Duration, n), time.Duration(0)
	for i := range list {
		at += time.Duration(rand.ExpFloat64() / perSecond * float64(time.Second))
		list[i] = at
	}
	return list
}

// cutSome cuts one subscriber after the other, until ctx ends.
func (r *pushRun) cutSome(ctx context.Context) {
	next := time.NewTicker(time.Duration(float64(time.Second) / r.CutsPerSecond))
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		away := time.Duration(rand.Int64N(int64(r.AwayMax))) + 1
		if r.crowd.all[rand.IntN(r.Subscribers)].cut(away) {
			r.crowd.cuts.Add(1)
		}
	}
}

// arrivalTime bounds how long records are waited for at the end of a round. Who was cut has long come again by then.
const arrivalTime = 10 * time.Second

// judge waits until each record that was acknowledged has come to its subscriber.
func (r *pushRun) judge(ctx context.Context, list []request, called []*subscriber, schedule []time.Duration, s slice) error {
	if len(s.answered) != len(list) {
		return errors.New("not everything was published")
	}
	missing := make([]int, len(list))
	for i := range list {
		missing[i] = i
	}
	look := func() bool {
		missing = slices.DeleteFunc(missing, func(i int) bool {
			got, there := called[i].arrived(oob.PassportID(string(list[i].body)))
			if sent := s.began.Add(schedule[i]); there && got.connected.After(sent) {
				r.reconnected++
			} else if there {
				r.fromSending = append(r.fromSending, milliseconds(got.at.Sub(sent)))
				r.fromAnswer = append(r.fromAnswer, milliseconds(got.at.Sub(sent)-s.latencies[i]))
			}
			return there
		})
		return len(missing) == 0
	}
	_ = r.until(ctx, arrivalTime, look) // what has not come by then is counted
	r.missing += len(missing)
	return ctx.Err()
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// figures are those of the run.
func (r *pushRun) figures() []figure {
	at := fmt.Sprintf("push to %d subscribers: ", r.Subscribers)
	figures := []figure{
		{Name: at + "published", Unit: "records/s", Value: float64(r.published) / r.took.Seconds(), Least: 0.98 * r.PerSecond},
		{Name: at + "records that arrived of those acknowledged", Unit: "%", Value: 100 * float64(r.published-r.missing) / float64(r.published), Least: 100},
		{Name: at + "201 to the subscriber's socket, p50", Unit: "ms", Value: percentile(r.fromAnswer, 50), Most: 5},
		{Name: at + "the same, p99", Unit: "ms", Value: percentile(r.fromAnswer, 99)},
		{Name: at + "publishing due to the subscriber's socket, p50", Unit: "ms", Value: percentile(r.fromSending, 50)},
		{Name: at + "the same, p99", Unit: "ms", Value: percentile(r.fromSending, 99)},
		{Name: at + "subscribers cut while publishing", Unit: "connections", Value: float64(r.cuts)},
		{Name: at + "connections that ended otherwise", Unit: "connections", Value: float64(r.lost)},
		{Name: at + "records that came after a reconnect", Unit: "records", Value: float64(r.reconnected)},
		{Name: at + "records that came twice", Unit: "records", Value: float64(r.again)},
		{Name: at + "server CPU", Unit: "cores", Value: r.serverCPU.Seconds() / r.took.Seconds()},
		{Name: at + "CPU of publishers and subscribers", Unit: "cores", Value: r.loadCPU.Seconds() / r.took.Seconds()},
		{Name: at + "all connected, with a cursor", Unit: "s", Value: r.connecting.Seconds()},
		{Name: at + "server memory of one", Unit: "kB", Value: float64(r.subscribed-r.before) / 1e3 / float64(r.Subscribers)},
		{Name: at + "server memory at most", Unit: "MB", Value: float64(r.peak) / 1e6},
	}
	if r.lost > 0 {
		figures[7].Failed = fmt.Sprintf("%d ended; the last: %v", r.lost, r.lastLoss)
	}
	return figures
}
