package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// pushPlan says how many are told of how much.
type pushPlan struct {
	Subscribers   int
	PerSecond     float64 // records published
	Rounds        int     // each with PASSporTs that were signed just before
	Round         time.Duration
	CutsPerSecond float64
	AwayMax       time.Duration // how long one that was cut stays away; half of it in the mean
	Heartbeat     time.Duration
	ProfileDir    string
}

func newPushPlan() pushPlan {
	return pushPlan{
		Subscribers: 10_000, PerSecond: 2000, Rounds: 6, Round: 5 * time.Second, CutsPerSecond: 40, AwayMax: 2 * time.Second, Heartbeat: 15 * time.Second,
	}
}

// shrink makes a plan that only shows that everything works.
func (p *pushPlan) shrink() {
	p.Subscribers, p.PerSecond, p.Rounds, p.Round = 24, 200, 2, 300*time.Millisecond
	p.CutsPerSecond, p.AwayMax, p.Heartbeat = 50, 100*time.Millisecond, time.Second
}

// firstCalled is the number of the first subscriber.
const firstCalled = 1_500_000_0000

// perProvider is how many subscribers are with one provider.
func (p pushPlan) perProvider() int { return (p.Subscribers + providers - 1) / providers }

// pushed is what has come of a run.
type pushed struct {
	published, missing       int
	reconnected              int       // records that came over a connection that was opened after they were sent
	fromAnswer, fromSending  []float64 // ms until the others arrived
	took, serverCPU, loadCPU time.Duration
	connecting               time.Duration // until all were subscribed
	cuts, lost, again        int64
	lastLoss                 error
	before, subscribed, peak int64 // bytes of the server: before anybody came, with all of them, and at most
}

// measurePush has a CPS tell many subscribers of what is published, each over a connection of its own, and cuts some of
// them off all the time. A record that was acknowledged has to arrive, whatever happens to the connection. The CPS has one
// core; publishers and subscribers share the other.
func measurePush(ctx context.Context, p pushPlan) ([]figure, error) {
	if err := checkFiles(p.Subscribers + spare); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "viaduct-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	lab, err := newPushLab(dir, p)
	if err != nil {
		return nil, err
	}
	defer lab.repository.Close()
	server, err := startProcess(ctx, roleCPS, configVariable+"="+lab.config, profileTo(plan{ProfileDir: p.ProfileDir}, roleCPS))
	if err != nil {
		return nil, err
	}
	defer server.stop()
	server.TLSRootPEM = lab.pki.TLSRootPEM()
	r := &pushRun{pushPlan: p, server: server}
	if r.desk, err = newDesk(lab.providers, true); err != nil {
		return nil, err
	}
	if r.publishers, err = newTarget(server, providers, false, r.desk.certificates()); err != nil {
		return nil, err
	}
	calm, err := calmLoad()
	if err != nil {
		return nil, err
	}
	defer calm()
	debug.SetGCPercent(200) // what ten thousand connections hold is not little
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return r.figures(), nil
}

// checkFiles wants as many files to be open at a time as there are connections, here and in the server.
func checkFiles(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < uint64(n) {
		return fmt.Errorf("%d connections need as many open files; ulimit -Hn is %d", n, limit.Max)
	}
	return nil
}

// pushRun is one run.
type pushRun struct {
	pushPlan
	pushed
	server     *process
	desk       *desk
	publishers *target
	crowd      *crowd
}

func (r *pushRun) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	if err := r.warm(ctx); err != nil {
		cancel()
		return err
	}
	base, err := url.Parse(r.server.URL)
	if err != nil {
		cancel()
		return err
	}
	r.crowd = newCrowd(base.Host)
	defer r.crowd.running.Wait()
	defer cancel()
	r.before = r.server.memory()
	if err := r.subscribe(ctx); err != nil {
		return err
	}
	r.subscribed = r.server.memory()
	for range r.Rounds {
		if err := r.round(ctx); err != nil {
			return err
		}
	}
	r.peak = r.server.peak()
	r.cuts, r.lost, r.again = r.crowd.cuts.Load(), r.crowd.lost.Load(), r.crowd.again.Load()
	if err := r.crowd.lastLoss.Load(); err != nil {
		r.lastLoss = *err
	}
	return nil
}

// warm opens the connections of the publishers, with records that nobody has subscribed to.
func (r *pushRun) warm(ctx context.Context) error {
	list, err := r.desk.publications(20 * providers)
	if err != nil {
		return err
	}
	_, err = r.publishers.load(ctx, list, providers, time.Minute, nil)
	return err
}

// placingTime bounds how long it takes, besides a heartbeat, until all have a cursor.
const placingTime = 2 * time.Minute

// subscribe lets all subscribe, and waits until each has a cursor: who is cut before has nothing to resume from.
func (r *pushRun) subscribe(ctx context.Context) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(r.server.TLSRootPEM) {
		return errors.New("a server without a TLS root")
	}
	var configs []*tls.Config
	for _, id := range r.desk.readers {
		configs = append(configs, &tls.Config{
			RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
			Certificates: []tls.Certificate{id.TLS()}, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		})
	}
	began := time.Now()
	for i := range r.Subscribers {
		called, err := tn.ParseNumber(fmt.Sprint(firstCalled + i))
		if err != nil {
			return err
		}
		block, err := tn.NewRange(called, 1)
		if err != nil {
			return err
		}
		r.crowd.add(ctx, stircert.ResourceOf(block), configs[i/r.perProvider()])
	}
	err := r.until(ctx, r.Heartbeat+placingTime, func() bool { return r.crowd.placed.Load() == int64(r.Subscribers) })
	r.connecting = time.Since(began)
	return err
}

// until waits for something to be so.
func (r *pushRun) until(ctx context.Context, most time.Duration, so func() bool) error {
	for began := time.Now(); !so(); {
		if time.Since(began) > most {
			err := errors.New("subscribers are too slow")
			if last := r.crowd.lastLoss.Load(); last != nil {
				err = errors.Join(err, *last)
			}
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
