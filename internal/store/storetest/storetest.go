// Package storetest is the contract of [oob.Store] as a test, to be passed by the store over every log.
//
// Knows: the sentences of the contract, each of which has a named subtest. Never hears of: how a store or its log
// works.
package storetest

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Shelf is a store whose time a test can move on: Advance lets expire what has expired at now.
type Shelf interface {
	oob.Store
	Advance(now time.Time)
}

// Run runs the whole contract. open gives an empty store with the configuration, whose clock is the test's, and sees to
// it that the store is closed when t ends.
func Run(t *testing.T, open func(t *testing.T, cfg store.Config) Shelf) {
	for _, c := range slices.Concat(publishing, retrieving, calling, consuming, spending, filling, together) {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{T: t}
			b.now.Store(start.UnixNano())
			cfg := c.cfg
			cfg.Now = b.clock
			b.shelf = open(t, cfg)
			c.run(b)
		})
	}
}

// contract is one sentence of it.
type contract struct {
	name string
	cfg  store.Config
	run  func(b *bench)
}

// start is when every test begins, on the test's clock.
var start = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)

// life is how long a record lives unless a test says otherwise.
const life = 15 * time.Second

// bench is a store on the workbench, with a clock and what is needed to say much in little.
type bench struct {
	*testing.T
	shelf Shelf
	now   atomic.Int64
	uses  atomic.Uint64
}

func (b *bench) clock() time.Time { return time.Unix(0, b.now.Load()).UTC() }

// pass lets time pass.
func (b *bench) pass(d time.Duration) {
	b.now.Add(int64(d))
	b.shelf.Advance(b.clock())
}

// passSilently moves the clock, but leaves what has expired where it lies.
func (b *bench) passSilently(d time.Duration) { b.now.Add(int64(d)) }

// use is a token that was never used before.
func (b *bench) use() oob.TokenUse {
	use := oob.TokenUse{Body: [8]byte{1}, Until: b.clock().Add(time.Minute)}
	binary.BigEndian.PutUint64(use.ID[:], b.uses.Add(1))
	return use
}

// publication is what publisher lays under k, with a token of its own.
func (b *bench) publication(k oob.Key, publisher string, passports ...string) oob.Publication {
	now := b.clock()
	return oob.Publication{
		Key: k, Passports: passports, Publisher: publisher, Received: now, Expires: now.Add(life), Use: b.use(),
	}
}

// publish publishes and wants it to be new.
func (b *bench) publish(p oob.Publication) {
	b.Helper()
	b.publishes(p, oob.Created)
}

func (b *bench) publishes(p oob.Publication, want oob.Outcome) {
	b.Helper()
	got, err := b.shelf.Publish(b.Context(), p)
	if err != nil || got != want {
		b.Fatalf("Publish gave %v, %v; want outcome %v", got, err, want)
	}
}

// refused publishes and wants it to be refused in this way, the shelf being as before.
func (b *bench) refused(p oob.Publication, kind oob.Kind) *oob.Fault {
	b.Helper()
	before := b.shelf.Stats()
	outcome, err := b.shelf.Publish(b.Context(), p)
	fault := b.fault(err, kind)
	if outcome != 0 {
		b.Errorf("refused with outcome %v", outcome)
	}
	if after := b.shelf.Stats(); after != before {
		b.Errorf("what was refused has changed something: %+v before, %+v after", before, after)
	}
	return fault
}

func (b *bench) fault(err error, kind oob.Kind) *oob.Fault {
	b.Helper()
	var fault *oob.Fault
	if !errors.As(err, &fault) || fault.Kind != kind {
		b.Fatalf("got error %v, want a Fault %v", err, kind)
	}
	return fault
}

// waits wants a refusal to say when to come again: within the life of a record, and a little more.
func (b *bench) waits(fault *oob.Fault) {
	b.Helper()
	if fault.RetryAfter <= 0 || fault.RetryAfter > time.Minute+time.Second {
		b.Errorf("RetryAfter is %v", fault.RetryAfter)
	}
}

func (b *bench) retrieve(k oob.Key) []oob.Record {
	b.Helper()
	records, err := b.shelf.Retrieve(b.Context(), k)
	if err != nil {
		b.Fatalf("Retrieve: %v", err)
	}
	return records
}

// finds wants exactly these PASSporTs under k, in this order, all records together.
func (b *bench) finds(k oob.Key, want ...string) {
	b.Helper()
	var got []string
	for _, r := range b.retrieve(k) {
		got = append(got, r.Passports...)
	}
	if !slices.Equal(got, want) {
		b.Fatalf("found %q, want %q", got, want)
	}
}

func (b *bench) spends(use oob.TokenUse) {
	b.Helper()
	if err := b.shelf.Spend(b.Context(), use); err != nil {
		b.Fatalf("Spend: %v", err)
	}
}

func (b *bench) used(use oob.TokenUse, used, same bool) {
	b.Helper()
	if gotUsed, gotSame := b.shelf.Used(use); gotUsed != used || gotSame != same {
		b.Fatalf("Used gave %v, %v; want %v, %v", gotUsed, gotSame, used, same)
	}
}

// otherBody is the same token, used for something else.
func otherBody(use oob.TokenUse) oob.TokenUse {
	use.Body[7]++
	return use
}

// number is the identity of a number written in a test.
func number(text string) tn.Identity {
	n, err := tn.ParseNumber(text)
	if err != nil {
		panic(err) // a mistake in this package
	}
	return tn.Of(n)
}

func uri(text string) tn.Identity {
	u, err := tn.ParseURI(text)
	if err != nil {
		panic(err) // a mistake in this package
	}
	return u
}

// mesh is a key of the mesh form.
func mesh(dest, orig string) oob.Key {
	return oob.Key{Profile: oob.Mesh, Dest: number(dest), Orig: number(orig)}
}

// call is the key of most tests.
var call = mesh("12155550113", "12025550141")
