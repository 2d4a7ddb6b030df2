package trust

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/viaduct-oob/viaduct/oob"
)

// await fetches, together with all who want the same URL now, and waits for it as long as ctx allows. A caller that
// gives up does not end the fetch of the others. seen is what the caller found in the cache and is not content with.
func (v *Verifier) await(ctx context.Context, x5u string, seen *cached) (*cached, error) {
	flight, err := v.launch(x5u, seen)
	if err != nil {
		return nil, err
	}
	select {
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*cached), nil
	case <-ctx.Done():
		return nil, unreachable("the certificate was not fetched in time", ctx.Err())
	}
}

// launch starts the fetch of a URL, or joins the one under way, unless the URL breaks a rule or has just failed.
func (v *Verifier) launch(x5u string, seen *cached) (<-chan singleflight.Result, error) {
	if fault := v.failures.blocked(x5u, v.now()); fault != nil {
		v.counters.failedBefore.Add(1)
		return nil, fault
	}
	s, err := v.repository.parseX5U(x5u)
	if err != nil {
		return nil, unreachable("the x5u is not acceptable", err)
	}
	return v.flights.DoChan(x5u, func() (any, error) {
		if !v.begin() {
			return nil, unreachable("shutting down", context.Canceled)
		}
		defer v.running.Done()
		entry, err := v.flight(s, seen)
		if err != nil {
			return nil, err
		}
		return entry, nil
	}), nil
}

func (v *Verifier) begin() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.closed {
		v.running.Add(1)
	}
	return !v.closed
}

// flight is one fetch with all that follows from it: the chain is judged, and remembered if it is believed; else the
// failure is.
func (v *Verifier) flight(s source, seen *cached) (*cached, error) {
	// Another flight may have ended between the caller's look into the cache and now.
	if newer := v.cache.get(s.x5u, v.now()); newer != nil && newer != seen {
		return newer, nil
	}
	if fault := v.failures.blocked(s.x5u, v.now()); fault != nil {
		return nil, fault
	}
	ctx, cancel := context.WithTimeout(v.open, v.repository.deadline)
	defer cancel()
	leave, err := v.slots.enter(ctx, s.host)
	if err != nil {
		v.counters.busy.Add(1)
		return nil, unreachable("too many certificates are being fetched", err).After(time.Second)
	}
	defer leave()
	v.counters.fetches.Add(1)
	entry, err := v.fetch(ctx, s)
	if err != nil && v.open.Err() != nil {
		return nil, err // we hung up, which is no failure of the host
	}
	now := v.now()
	if err != nil {
		v.counters.fetchFailures.Add(1)
		v.failures.add(s, oob.FaultOf(err), now)
		return nil, err
	}
	v.failures.forget(s.x5u)
	v.keep(entry, now)
	return entry, nil
}

// fetch gets a chain and makes sure that it is believed.
func (v *Verifier) fetch(ctx context.Context, s source) (*cached, error) {
	certs, lifetime, err := v.repository.fetch(ctx, s)
	if errors.Is(err, ErrAddress) {
		return nil, unreachable("the host of the x5u has no public address", err)
	}
	if err != nil {
		return nil, unreachable("the certificate could not be fetched", err)
	}
	now := v.now()
	chain := NewChain(certs)
	if err := v.judgeAt(chain, now); err != nil {
		return nil, err
	}
	lifetime = min(max(lifetime, CacheLifetimeMin), CacheLifetimeMax)
	return newCached(s.x5u, chain, now, now.Add(lifetime)), nil
}

func newCached(x5u string, chain *Chain, fetched, fresh time.Time) *cached {
	return &cached{
		credential: &Credential{Certificate: chain.Leaf, X5U: x5u, Fetched: fetched},
		chain:      chain, fresh: fresh,
	}
}

// keep lays an entry into the cache and onto the disk.
func (v *Verifier) keep(entry *cached, now time.Time) {
	evicted := v.cache.put(entry, now)
	if evicted != "" {
		v.counters.evictions.Add(1)
	}
	if v.disk == nil {
		return
	}
	if err := v.disk.replace(entry, evicted); err != nil {
		v.counters.diskFailures.Add(1)
	}
}
