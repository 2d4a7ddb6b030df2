package trust

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// await fetches, together with all who want the same URL now, and waits for it as long as ctx allows. A caller that
// gives up does not end the fetch of the others. seen is what the caller found in the cache and is not content with.
func (v *Verifier) await(ctx context.Context, x5u string, seen *cached) (*cached, error) {
	flight, err := v.launch(x5u, seen)
	if err != nil {
		return nil, err
	}
	defer turnstile.Aside(ctx)() // nobody else is to wait for a repository
	select {
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*cached), nil
	case <-ctx.Done():
		if v.turns.slots.waits(x5u) {
			return nil, busy()
		}
		return nil, unreachable(ctx.Err())
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
		return nil, unreachable(err)
	}
	return v.flights.DoChan(x5u, func() (any, error) {
		if !v.begin() {
			return nil, unreachable(context.Canceled)
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
	if newer := v.newer(s.x5u, seen, v.now()); newer != nil {
		return newer, nil
	}
	if fault := v.failures.blocked(s.x5u, v.now()); fault != nil {
		return nil, fault
	}
	ctx, cancel := context.WithTimeout(v.open, v.repository.deadline)
	defer cancel()
	entry, err := v.fetch(ctx, s)
	if err != nil && (v.open.Err() != nil || errors.Is(err, ErrBusy)) {
		return nil, err // we hung up, or have not asked, which is no failure of the host
	}
	now := v.now()
	if err != nil {
		v.counters.fetchFailures.Add(1)
		v.failures.add(s, oob.FaultOf(err), now)
		return nil, err
	}
	v.failures.forget(s.x5u)
	v.land(entry, now)
	return entry, nil
}

// turn waits until the host may be asked and gives what must be called after it. That the host may not be asked is no
// failure of it.
func (v *Verifier) turn(ctx context.Context, s source) (leave func(), err error) {
	leave, err = v.turns.take(ctx, s, v.cache.knows(s.owner), v.now())
	if err != nil {
		v.counters.busy.Add(1)
		return nil, busy()
	}
	v.counters.fetches.Add(1)
	return leave, nil
}

// fetch gets a chain, makes sure that it is believed, and leaves out what is not needed for that.
func (v *Verifier) fetch(ctx context.Context, s source) (*cached, error) {
	var lifetime time.Duration
	chain, served, err := v.inTurn(ctx, s, func() (*Chain, error) {
		certs, says, err := v.repository.fetch(ctx, s)
		if err != nil {
			return nil, err
		}
		lifetime = says
		return NewChain(certs), nil
	})
	if errors.Is(err, stircert.TNAuthListNotFetched) { // and good otherwise, so that not everybody can send us after one
		lifetime = CacheLifetimeMin
		chain, err = v.fetchTNAuthList(ctx, served)
	}
	if err != nil {
		return nil, err
	}
	now := v.now()
	lifetime = min(max(lifetime, CacheLifetimeMin), CacheLifetimeMax)
	return newCached(s, chain, now, now.Add(lifetime)), nil
}

// inTurn gets a chain when the host may be asked, and judges it before others may ask: building chains is bounded as
// fetching them is.
func (v *Verifier) inTurn(ctx context.Context, s source, get func() (*Chain, error)) (chain, served *Chain, err error) {
	leave, err := v.turn(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	if served, err = get(); err != nil {
		return nil, nil, unreachable(err)
	}
	if chain, err = v.judge.Load().decide(served, v.now()); err != nil {
		return nil, served, untrusted(err)
	}
	return chain, served, nil
}

// fetchTNAuthList gets the TNAuthList of a leaf that has it elsewhere (RFC 8226 §10.1), under the same rules and limits as
// the chain. It comes from a host that the CA has named, over TLS, and nobody has signed it.
func (v *Verifier) fetchTNAuthList(ctx context.Context, c *Chain) (*Chain, error) {
	s, err := v.repository.parseURL(c.Leaf.TNAuthListURL)
	if err != nil {
		return nil, unreachable(fmt.Errorf("%w: %w", stircert.TNAuthListNotFetched, err))
	}
	chain, _, err := v.inTurn(ctx, s, func() (*Chain, error) {
		leaf, err := v.requestTNAuthList(ctx, s, c.Leaf)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", stircert.TNAuthListNotFetched, err)
		}
		return newChain(leaf, c.others), nil
	})
	if err != nil {
		return nil, err
	}
	v.turns.allowance.giveBack(s.owner) // it serves what a CA said it would
	return chain, nil
}

func (v *Verifier) requestTNAuthList(ctx context.Context, s source, leaf *stircert.Certificate) (*stircert.Certificate, error) {
	body, err := v.repository.content(ctx, s, "application/tnauthlist", TNAuthListBytesMax)
	if err != nil {
		return nil, err
	}
	list, err := stircert.ParseTNAuthList(body)
	if err != nil {
		return nil, err
	}
	return leaf.WithTNAuthList(list)
}

func newCached(s source, chain *Chain, fetched, fresh time.Time) *cached {
	return &cached{
		credential: &Credential{Certificate: chain.Leaf, X5U: s.x5u, Fetched: fetched, chain: chain},
		chain:      chain, owner: s.owner, fresh: fresh, weight: weightOf(chain),
	}
}

// land lays what was fetched among the unproven, or into the cache when the key was proven before. Anybody can let any
// URL serve anybody's public chain, so that being believed is not enough for displacing what others use.
func (v *Verifier) land(entry *cached, now time.Time) {
	old := v.cache.get(entry.credential.X5U, now)
	if old != nil && old.credential.Certificate.Key.Equal(entry.credential.Certificate.Key) {
		v.keep(entry)
		return
	}
	v.unproven.put(entry, now)
}

// keep says that the key of an entry has verified a signature: it belongs into the cache and onto the disk, and its
// host is no stranger.
func (v *Verifier) keep(entry *cached) {
	if !entry.proven.CompareAndSwap(false, true) {
		return
	}
	v.turns.allowance.giveBack(entry.owner)
	evicted, laid := v.cache.put(entry, v.now())
	v.unproven.drop(entry)
	v.counters.evictions.Add(int64(len(evicted)))
	if !laid || v.disk == nil {
		return
	}
	if err := v.disk.replace(entry, evicted); err != nil {
		v.counters.diskFailures.Add(1)
	}
}

// kept gives what is in memory for a URL, proven or not, or nil.
func (v *Verifier) kept(x5u string, now time.Time) *cached {
	if entry := v.cache.get(x5u, now); entry != nil {
		return entry
	}
	return v.onProbation(x5u, now)
}

func (v *Verifier) onProbation(x5u string, now time.Time) *cached {
	entry := v.unproven.get(x5u, now)
	if entry == nil || now.Sub(entry.credential.Fetched) >= probation {
		return nil
	}
	return entry
}

// newer gives what has come for a URL since seen was, if it is believed, or nil.
func (v *Verifier) newer(x5u string, seen *cached, now time.Time) *cached {
	unproven := v.onProbation(x5u, now) // before the cache, into which it goes from there
	for _, entry := range []*cached{v.cache.get(x5u, now), unproven} {
		if entry != nil && entry != seen && v.judge.Load().check(entry.chain, now) == nil {
			return entry
		}
	}
	return nil
}
