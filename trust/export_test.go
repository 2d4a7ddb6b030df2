package trust

import (
	"context"
	"strconv"

	"github.com/viaduct-oob/viaduct/stircert"
)

// PublicAddress is the predicate of the dialer.
var PublicAddress = publicAddress

// MaxAge reads Cache-Control.
var MaxAge = maxAge

// FileName is the name of a URL's file in the disk cache.
var FileName = fileName

// Settle waits for the fetch of x5u that is under way, if one is.
func (v *Verifier) Settle(x5u string) {
	<-v.flights.DoChan(x5u, func() (any, error) { return nil, nil })
}

// ParseX5U gives the host of an x5u that keeps the rules.
func (r *Repository) ParseX5U(x5u string) (host string, err error) {
	s, err := r.parseX5U(x5u)
	return s.host, err
}

// Waits tells whether the fetch of x5u waits for its turn.
func (v *Verifier) Waits(x5u string) bool { return v.turns.slots.waits(x5u) }

// OwnerOf is what limits per host count.
var OwnerOf = ownerOf

// Slots are the turns of fetches.
type Slots struct{ *slots }

// NewSlots makes turns for so many fetches, of one host, and those that wait.
func NewSlots(running, perHost, waiting int) Slots { return Slots{newSlots(running, perHost, waiting)} }

// Enter waits for a turn.
func (s Slots) Enter(ctx context.Context, owner, x5u string, known bool) (leave func(), err error) {
	return s.enter(ctx, source{owner: owner, x5u: x5u}, known)
}

// TakeShows takes all turns of building chains that strangers show, and gives what must be called after them.
func (v *Verifier) TakeShows() (leaves []func()) {
	for range cap(v.shows.slots.strange.running) {
		leave, err := v.shows.slots.enter(context.Background(), source{owner: strconv.Itoa(len(leaves))}, false)
		if err != nil {
			return nil
		}
		leaves = append(leaves, leave)
	}
	return leaves
}

// Lay puts a chain into the cache as if it had been fetched and a signature had verified with it.
func (v *Verifier) Lay(x5u string, chainPEM []byte) error {
	s, err := v.repository.parseX5U(x5u)
	if err != nil {
		return err
	}
	certs, err := stircert.ParseChainPEM(chainPEM)
	if err != nil {
		return err
	}
	now := v.now()
	chain, err := v.judge.Load().decide(NewChain(certs), now)
	if err != nil {
		return err
	}
	v.keep(newCached(s, chain, now, now.Add(CacheLifetimeMin)))
	return nil
}
