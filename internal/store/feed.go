package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"

	"github.com/viaduct-oob/viaduct/oob"
)

// feedStep is how many places of the ring are looked at under one lock: less than a microsecond.
const feedStep = 256

// Feed is what was laid, in the order in which this node applied it: for those who want to be told instead of asking.
// Any number may read it, each at its own pace, and nobody who publishes waits for one who reads; but waking those who
// wait costs him some hundred nanoseconds each, so let one read for many. A record whose deadline is put off is not told
// again.
//
// It is a ring of places: it says where in the shelves a record lies, for whom that is, and has nothing else of it, so that
// what expires or is consumed is out of the feed as soon as it is off the shelf.
type Feed struct {
	view   *View
	wanted [1 << 8]bool // by profile
	epoch  string

	mu   sync.Mutex
	ring []spot        // the entry at a position, by the position modulo its length
	last uint64        // newest position
	lost uint64        // newest position that was overwritten while its record was on the shelf
	news chan struct{} // closed when there is another entry; nil when nobody waits
}

// Entry is one record of the feed.
type Entry struct {
	Position uint64 // ascending, with gaps; it means nothing to another Feed, see [Feed.Epoch]
	Held     oob.Held
}

// feedStart is the newest position of a feed that never had an entry. It is not 0, which stands for the beginning:
// after it nothing can be lost.
const feedStart = 1

// newFeed makes the feed that cfg asks for; nil when it asks for none.
func newFeed(v *View, cfg Config) *Feed {
	if len(cfg.FeedProfiles) == 0 {
		return nil
	}
	var epoch [8]byte
	_, _ = rand.Read(epoch[:]) // never fails
	f := &Feed{view: v, epoch: hex.EncodeToString(epoch[:]), ring: make([]spot, cfg.FeedRecords), last: feedStart}
	for _, p := range cfg.FeedProfiles {
		f.wanted[p] = true
	}
	return f
}

// wants tells whether records of profile p are in the feed.
func (f *Feed) wants(p oob.Profile) bool { return f != nil && f.wanted[p] }

// Epoch names this feed among those of all processes at all times, in 16 hexadecimal digits. A position that is kept
// elsewhere is kept with it.
func (f *Feed) Epoch() string { return f.epoch }

// Last is the newest position: after it comes what is laid from now on.
func (f *Feed) Last() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// Next fills into with the entries after a position, oldest first, and waits until there is one. What is not live any
// more is passed over. After 0 comes everything that is live.
//
// It reports lost when entries after the position have been overwritten that were live, or that had expired only a
// moment before; and when the position is beyond the end, and so of another feed. Then the entries begin with the oldest
// that is there.
//
// An error is that of ctx, which ended before there was an entry; what is there already is given even then.
func (f *Feed) Next(ctx context.Context, after uint64, into []Entry) (n int, lost bool, err error) {
	if len(into) == 0 {
		return 0, false, nil
	}
	var step [feedStep]spotAt
	for {
		spots, reached, missed, end := f.after(after, step[:0])
		if missed && n > 0 {
			return n, lost, nil // the next call will find it so
		}
		lost, after = lost || missed, reached
		n += f.read(spots, into[n:], &Sieve{})
		switch {
		case n == len(into) || n > 0 && end:
			return n, lost, nil
		case end && ctx.Err() != nil:
			return 0, false, ctx.Err()
		case end:
			select {
			case <-f.more(after):
			case <-ctx.Done(): // there may be something from before
			}
		}
	}
}

// pastSteps is how many parts of the ring Past looks at: as many places as in a millisecond.
const pastSteps = 1 << 10

// Past fills into with the entries after a position and up to another that the sieve lets through, oldest first, and tells
// up to where it has looked: beyond the first position, though there may be nothing that it lets through, and not always
// as far as the second, if that is many entries away. lost is as with Next, whatever the sieve would have said of them.
func (f *Feed) Past(after, until uint64, sieve *Sieve, into []Entry) (n int, reached uint64, lost bool) {
	if len(into) == 0 {
		return 0, after, false
	}
	var step [feedStep]spotAt
	for range pastSteps {
		spots, looked, missed, end := f.after(after, step[:0])
		if missed && n > 0 {
			break // the next call will find it so
		}
		lost = lost || missed
		n += f.read(spots, into[n:], sieve)
		if n == len(into) {
			after = into[n-1].Position
			break
		}
		if after = looked; end || after >= until {
			break
		}
	}
	for n > 0 && into[n-1].Position > until {
		n--
		into[n] = Entry{}
	}
	return n, min(after, until), lost
}

// spot is an entry before its record is read.
type spot struct {
	place       uint64 // 0 when it has left the shelf
	dest, realm uint64 // of its key
}

type spotAt struct {
	position uint64
	spot
}

// after appends the entries after a position, from at most feedStep places, and tells up to where it has looked, whether
// any were lost before, and whether that is the end.
func (f *Feed) after(position uint64, into []spotAt) (found []spotAt, reached uint64, lost, end bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := uint64(len(f.ring))
	if position > f.last || position != 0 && position < f.lost {
		position, lost = 0, true
	}
	if f.last > size {
		position = max(position, f.last-size)
	}
	reached = min(f.last, position+feedStep)
	for position < reached {
		position++
		if one := &f.ring[position%size]; one.place != 0 {
			into = append(into, spotAt{position, *one})
		}
	}
	return into, reached, lost, reached == f.last
}

// more gives what is closed once there is an entry after a position that was the last.
func (f *Feed) more(position uint64) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.news == nil {
		f.news = make(chan struct{})
	}
	if f.last == position {
		return f.news
	}
	return already
}

// already is closed.
var already = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// read fills into with the records of entries that are live and that the sieve lets through.
func (f *Feed) read(spots []spotAt, into []Entry, sieve *Sieve) (n int) {
	now := nanos(f.view.cfg.Now())
	for i := range spots {
		if n == len(into) {
			break
		}
		one := &spots[i]
		if !sieve.lets(one.dest, one.realm) {
			continue
		}
		r, ok := f.view.shelves[one.place>>refBits].fed(uint32(one.place), uint32(one.position))
		if !ok || r.expires <= now || !f.wanted[r.key.profile()] {
			continue // its node may be another's by now
		}
		// A name that is not known any more is that of a record that has just expired.
		if k, ok := f.view.names.unpack(r.key); ok {
			into[n] = Entry{Position: one.position, Held: oob.Held{Key: k, Record: r.show(unpackTokens(nil, r.tokens, r.count()))}}
			n++
		}
	}
	return n
}

// refBits is where the number of the shelf begins in a place; below is the ref of the node.
const refBits = 32

// add appends the record at ref of a shelf, under k. It gives the lower half of its position, which the record keeps. The
// caller holds the shelf's lock.
func (f *Feed) add(shelf uint64, ref uint32, k key) uint32 {
	f.mu.Lock()
	f.last++
	size := uint64(len(f.ring))
	one := &f.ring[f.last%size]
	if one.place != 0 {
		f.lost = f.last - size
	}
	*one = spot{place: shelf<<refBits | uint64(ref), dest: k.dest, realm: k.realm}
	position, news := uint32(f.last), f.news
	f.news = nil
	f.mu.Unlock()
	if news != nil {
		close(news)
	}
	return position
}

// forget takes out the entry of a record that leaves its shelf, if it has not been overwritten.
func (f *Feed) forget(position uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := uint64(len(f.ring))
	if back := uint64(uint32(f.last) - position); back < size && back < f.last {
		f.ring[(f.last-back)%size] = spot{}
	}
}

// fed copies the record at ref, if it is the one with this position.
func (s *shelf) fed(ref, position uint32) (w whole, ok bool) {
	var few [copiedAtOnce]byte
	for room := few[:]; ; {
		s.mu.Lock()
		one := [1]whole{{record: s.records.at(ref).value, ref: ref}}
		there := one[0].fed == position
		copied := there && s.copy(one[:], room) == 1
		s.mu.Unlock()
		switch {
		case !there:
			return whole{}, false
		case copied:
			keep(one[:], room)
			return one[0], true
		}
		room = make([]byte, one[0].bytes())
	}
}
