package dip

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
)

// Bounds of telling CPSs that calls have come. What is not told costs nothing: the record ends by itself.
const (
	ConsumingMax     = 64              // at a time; beyond, CPSs are not told
	ConsumeTime      = 5 * time.Second // for one call, in the background
	ConsumedBytesMax = 32 << 20        // of the PASSporTs that are remembered; beyond, CPSs are not told
)

// Consumer tells a CPS that calls have come, so that it takes their records away (oob.Row, Consumed).
type Consumer interface {
	// Consume has the records under k taken away that hold the PASSporTs with these ids, see oob.PassportID. That there are none
	// is no error. It does not outlast ctx.
	Consume(ctx context.Context, k oob.Key, ids []string) error
}

// Consumptions counts verified calls by what CPSs were told of them.
type Consumptions struct {
	Done   int64 // told
	Failed int64 // not reached, or not willing
	Left   int64 // not told: the bounds were reached, or nothing tells the call from others
}

// consumed remembers what was retrieved for calls of which CPSs were told, for as long as these would have served it. To what
// is judged here it is still there: a switch that asks again about a call, because it tries its next route, is told the same,
// and a second call between the same numbers is compared with the first.
type consumed struct {
	now func() time.Time

	mu    sync.Mutex
	byKey map[oob.Key][]*gone // oldest first; guarded by mu
	queue []*gone             // of all keys, oldest first; guarded by mu
	bytes int                 // of all texts; guarded by mu
	busy  int                 // CPSs being told; guarded by mu
}

// gone is what was retrieved for one call.
type gone struct {
	key   oob.Key
	call  string
	texts []string
	bytes int
	until time.Time
}

// of gives what was retrieved under a key, each once, the newest first; for this very call, if mine, and else for others.
func (c *consumed) of(key oob.Key, call string) (texts []string, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep()
	for _, g := range slices.Backward(c.byKey[key]) {
		if g.call == call && call != "" {
			return g.texts, true
		}
		texts = union(texts, g.texts)
	}
	return texts, false
}

// union adds to a list what it lacks of another.
func union(list, more []string) []string {
	for _, text := range more {
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// sweep forgets what no CPS would serve any more. It needs mu.
func (c *consumed) sweep() {
	now := c.now()
	for len(c.queue) > 0 && !now.Before(c.queue[0].until) {
		g := c.queue[0]
		c.queue[0] = nil
		c.queue, c.bytes = c.queue[1:], c.bytes-g.bytes
		if c.byKey[g.key] = c.byKey[g.key][1:]; len(c.byKey[g.key]) == 0 { // both are in the same order
			delete(c.byKey, g.key)
		}
	}
}

// begin remembers what was retrieved for a call before the CPS is told that it has come, and takes a place to tell it from.
// may is false where there is no room for either; again is true of a call of which the CPS has been told, or is just being.
func (c *consumed) begin(key oob.Key, call string, texts []string) (may, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep()
	if slices.ContainsFunc(c.byKey[key], func(g *gone) bool { return g.call == call }) {
		return false, true
	}
	g := &gone{key: key, call: call, texts: texts, until: c.now().Add(key.Profile.Row().RetentionMax)}
	for _, text := range texts {
		g.bytes += len(text)
	}
	if call == "" || c.busy >= ConsumingMax || c.bytes+g.bytes > ConsumedBytesMax {
		return false, false
	}
	if c.byKey == nil {
		c.byKey = map[oob.Key][]*gone{}
	}
	c.busy++
	c.bytes += g.bytes
	c.byKey[key] = append(c.byKey[key], g)
	c.queue = append(c.queue, g)
	return true, false
}

func (c *consumed) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
}

// consume tells the CPS that a call has come which a PASSporT of it has verified. Nobody waits for it.
func (d *doing) consume(key oob.Key, v *oob.Verdict, retrieved []string) {
	consumer := d.trunk.Consumer
	if consumer == nil || !key.Profile.Row().Consumed || v.Verstat != oob.VerstatPassed || v.Source != oob.SourceOutOfBand {
		return
	}
	name := d.trunk.Name
	may, again := d.consumed.begin(key, d.call.ID, retrieved)
	switch {
	case again:
		return
	case !may:
		d.tally.consumed(name, Consumptions{Left: 1})
		return
	}
	var ids []string
	for _, text := range provedBy(v) {
		if slices.Contains(retrieved, text) { // what is nested in another was not
			ids = append(ids, oob.PassportID(text))
		}
	}
	// Neither the call nor its trace lasts as long.
	ctx, cancel := context.WithTimeout(cpsclient.WithObserver(context.Background(), d.tally.asked), ConsumeTime)
	go func() {
		outcome := Consumptions{Failed: 1} // unless it comes back
		defer func() {
			_ = recover() // a fault of the CPS client ends no call
			cancel()
			d.consumed.end()
			d.tally.consumed(name, outcome)
		}()
		if consumer.Consume(ctx, key, ids) == nil {
			outcome = Consumptions{Done: 1}
		}
	}()
}

// provedBy gives the PASSporTs from out of band that a verdict rests on: the one that decided, what it is nested in, and those
// that say how the call was diverted. Others under the same key may be of other calls.
func provedBy(v *oob.Verdict) (texts []string) {
	hops := slices.Clone(v.Diversions)
	for _, t := range v.Tokens {
		if t.Source != oob.SourceOutOfBand || t.Verstat != oob.VerstatPassed {
			continue
		}
		if t.Passport == v.Passport || leads(t.Passport, &hops) || holds(t.Passport, v.Passport) {
			texts = append(texts, t.Passport)
		}
	}
	return texts
}

// leads tells whether a PASSporT is the first that says one of the hops, and takes that hop out.
func leads(text string, hops *[]oob.Diversion) bool {
	token, err := passport.Parse(text)
	if err != nil || token.Header.PPT != passport.Div && token.Header.PPT != passport.DivO {
		return false
	}
	at := slices.IndexFunc(*hops, func(h oob.Diversion) bool { return token.Claims.Div == h.From && token.Claims.Names(h.To) })
	if at >= 0 {
		*hops = slices.Delete(*hops, at, at+1)
	}
	return at >= 0
}

// holds tells whether a PASSporT has another nested in it (RFC 8946 §5).
func holds(text, inner string) bool {
	token, err := passport.Parse(text)
	if err != nil || token.Header.PPT != passport.DivO {
		return false
	}
	nested, err := token.Nested()
	return err == nil && slices.ContainsFunc(nested, func(t *passport.Token) bool { return t.String() == inner })
}
