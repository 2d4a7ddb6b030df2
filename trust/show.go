package trust

import (
	"cmp"
	"context"
	"runtime"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// showsWaitingMax bounds the chains that wait for their turn to be built, half of them for all strangers, a quarter for one.
const showsWaitingMax = 256

// newShows bounds the chains that are built for strangers who show them: they use half of the processors at most, and of
// one address no more a second in vain than we fetch from a strange host. To build a chain of eight certificates can cost a
// hundred times what it costs to make and send it.
func newShows() turns {
	n := max(2, runtime.GOMAXPROCS(0))
	return turns{newAllowance(), newSlots(n, n, showsWaitingMax)}
}

// Show says whether a chain is believed that its holder has shown, in a TLS handshake or in a token, rather than said
// where it is. That the holder has the key is for the caller to see. from says who shows it, an address for instance,
// to whom the building of a chain that was not believed before is counted.
//
// The credential holds what of the chain is needed, and no X5U; whether it is believed later, Believed says. An error is
// the fault CredentialUntrusted, or Overloaded. A TNAuthList that is not in its certificate is refused: it is fetched for
// what an x5u serves alone, because it would have to be fetched again for every connection.
func (v *Verifier) Show(ctx context.Context, from string, c *Chain) (*Credential, error) {
	now := v.now()
	if err := cmp.Or(c.Leaf.CheckEndEntity(), c.Leaf.CheckTime(now)); err != nil {
		return nil, untrusted(err)
	}
	judge := v.judge.Load()
	seen := judge.paths.find(c)
	if seen != nil && (seen.err == nil || now.Before(seen.until)) {
		needed, err := judge.decide(c, now)
		return shown(needed, err, now)
	}
	// All who show one chain at the same time wait for one of them: a provider with a new certificate comes with many requests.
	needed, err, _ := v.showing.Do(string(c.id[:]), func() (any, error) { return v.build(ctx, from, c) })
	if err != nil {
		return nil, err
	}
	return shown(needed.(*Chain), nil, now)
}

// build judges a chain that was not believed before, within what strangers may cost.
func (v *Verifier) build(ctx context.Context, from string, c *Chain) (*Chain, error) {
	leave, err := v.shows.take(ctx, source{owner: from}, false, v.now())
	if err != nil {
		v.counters.busy.Add(1)
		return nil, oob.Faultf(oob.Overloaded, "too many certificates are being judged").After(time.Second)
	}
	defer leave()
	needed, err := v.judge.Load().decide(c, v.now())
	if err != nil {
		return nil, untrusted(err)
	}
	v.shows.allowance.giveBack(from)
	return needed, nil
}

func shown(needed *Chain, err error, now time.Time) (*Credential, error) {
	if err != nil {
		return nil, untrusted(err)
	}
	return &Credential{Certificate: needed.Leaf, Fetched: now, chain: needed}, nil
}

// Believed says whether a credential that was believed once is believed now. An error is the fault CredentialUntrusted.
func (v *Verifier) Believed(c *Credential) error { return v.Judge(c.chain) }

// Holder is the SHA-256 of the certificate that stands for who holds a credential: of the topmost delegate CA above it, or its
// own. Who may delegate can issue as many certificates as it likes, and is one customer all the same.
func (v *Verifier) Holder(c *Credential) [32]byte { return v.HolderOf(c.chain) }

// HolderOf is Holder for a chain that is believed.
func (v *Verifier) HolderOf(c *Chain) [32]byte { return v.judge.Load().holderOf(c) }
