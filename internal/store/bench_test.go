package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

const tokenBytes = 900

var filler = strings.Repeat("eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0In0.", 21)

// benchKey is the key of the i-th call: every call has its own called number.
func benchKey(i int) oob.Key {
	return oob.Key{Profile: oob.Mesh, Dest: benchNumber(12155550000 + i), Orig: benchNumber(12025550000 + i%9973)}
}

func benchNumber(n int) tn.Identity {
	number, err := tn.ParseNumber(fmt.Sprint(n))
	if err != nil {
		panic(err)
	}
	return tn.Of(number)
}

// benchPublication is the i-th publication, with one PASSporT of 900 bytes and a token of its own.
func benchPublication(i int, now time.Time, life time.Duration) oob.Publication {
	p := oob.Publication{
		Key:       benchKey(i),
		Passports: []string{fmt.Sprintf("%012d", i) + filler[:tokenBytes-12]},
		Publisher: fmt.Sprintf("%04d", i%500),
		Received:  now,
		Expires:   now.Add(life),
		Use:       oob.TokenUse{Until: now.Add(life)},
	}
	binary.BigEndian.PutUint64(p.Use.ID[:], uint64(i)*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(p.Use.ID[8:], uint64(i))
	return p
}

func fill(b *testing.B, s *store.Store, records int) {
	b.Helper()
	now := time.Now()
	for i := range records {
		if _, err := s.Publish(context.Background(), benchPublication(i, now, time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkMemoryMillion reports what a million records of one PASSporT of 900 bytes take of live heap, beside those
// 900 bytes: records, indexes and token uses, all told. Called numbers come scattered, and in ascending order, which is
// what the index likes least; the feed adds its ring.
func BenchmarkMemoryMillion(b *testing.B) {
	const records = 1_000_000
	measure := func(b *testing.B, cfg store.Config, number func(i int) int) {
		for b.Loop() {
			before := liveHeap()
			s := local.Open(cfg)
			now := time.Now()
			for i := range records {
				p := benchPublication(i, now, time.Hour)
				p.Key = benchKey(number(i))
				if _, err := s.Publish(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(liveHeap()-before)/records-tokenBytes, "B/record-over-payload")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	scattered := func(i int) int { return i * 387_420_489 % 999_999_937 } // a prime: no two alike
	b.Run("scattered", func(b *testing.B) { measure(b, store.Config{}, scattered) })
	b.Run("ascending", func(b *testing.B) { measure(b, store.Config{}, func(i int) int { return i }) })
	b.Run("scattered-feed", func(b *testing.B) { measure(b, store.Config{FeedProfiles: meshFeed}, scattered) })
}

// BenchmarkRetrieve compares the look-up of a random key among ten thousand records with that among a million, in turns,
// so that the noise of the machine strikes both:
//
//   - between-requests: as it is in a CPS, where some hundred microseconds of cryptography and TLS come between two
//     look-ups. The processor's own caches are displaced between any two.
//   - tight: one after the other, and nothing else. Ten thousand records then stay in the processor's own caches, which
//     a million cannot; the difference is that of a few reads of memory. BenchmarkMemoryRead gives one of them.
func BenchmarkRetrieve(b *testing.B) {
	small, large := filled(b, 10_000), filled(b, 1_000_000)
	b.Run("between-requests", func(b *testing.B) { compareRetrieve(b, small, large, 1, displaceCaches()) })
	b.Run("tight", func(b *testing.B) { compareRetrieve(b, small, large, 2000, func() {}) })
}

type filledStore struct {
	*store.Store
	records int
}

func filled(b *testing.B, records int) filledStore {
	b.Helper()
	s := local.Open(store.Config{})
	b.Cleanup(func() { _ = s.Close() })
	fill(b, s, records)
	return filledStore{s, records}
}

func compareRetrieve(b *testing.B, small, large filledStore, turn int, between func()) {
	keys := make([]oob.Key, turn)
	var took [2]time.Duration
	runtime.GC()
	for b.Loop() {
		for i, s := range [...]filledStore{small, large} {
			for j := range keys {
				keys[j] = benchKey(rand.IntN(s.records))
			}
			between()
			began := time.Now()
			for _, k := range keys {
				if found, _ := s.Retrieve(b.Context(), k); len(found) != 1 {
					b.Fatalf("found %d records", len(found))
				}
			}
			took[i] += time.Since(began)
		}
	}
	lookups := float64(b.N * turn)
	b.ReportMetric(float64(took[0].Nanoseconds())/lookups, "ns/10k")
	b.ReportMetric(float64(took[1].Nanoseconds())/lookups, "ns/1M")
	b.ReportMetric(float64(took[1])/float64(took[0]), "ratio")
}

// displaceCaches makes a function that reads as much memory as the second-level cache of a large processor holds.
func displaceCaches() func() {
	memory := make([]uint64, 4<<20/8)
	sum := uint64(0)
	return func() {
		for i := 0; i < len(memory); i += 8 {
			sum += memory[i]
			memory[i] = sum
		}
	}
}

// BenchmarkMemoryRead is the floor of BenchmarkRetrieve/tight: one read of a random place, each depending on the one
// before, in as much memory as the nodes of ten thousand and of a million records take.
func BenchmarkMemoryRead(b *testing.B) {
	for _, records := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(records), func(b *testing.B) {
			type node struct {
				next int
				_    [72]byte
			}
			nodes := make([]node, records)
			order := rand.Perm(records)
			for i, at := range order {
				nodes[at].next = order[(i+1)%records]
			}
			at := 0
			for b.Loop() {
				at = nodes[at].next
			}
			if at < 0 {
				b.Fatal("never")
			}
		})
	}
}

// BenchmarkAdvance reports what one expiry costs, of a record with its token use, when a hundred thousand are due at
// once. A lock is held for 32 records, or for 32 token uses.
func BenchmarkAdvance(b *testing.B) {
	const records = 100_000
	began := time.Now()
	took := time.Duration(0)
	for b.Loop() {
		v := store.NewView(store.Config{Now: func() time.Time { return began }})
		for i := range records {
			p := benchPublication(i, began, time.Second)
			v.Apply(store.Event{Act: store.Laid, At: began, Publication: p})
		}
		before := time.Now()
		v.Advance(began.Add(2 * time.Second))
		took += time.Since(before)
		if left := v.Stats().Records; left != 0 {
			b.Fatalf("%d records are left", left)
		}
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*records), "ns/expiry")
}

// BenchmarkPublish reports what a publication costs, with no feed, and with one that so many wait for.
func BenchmarkPublish(b *testing.B) {
	run := func(name string, cfg store.Config, readers int) {
		b.Run(name, func(b *testing.B) {
			s := local.Open(cfg)
			ctx, cancel := context.WithCancel(b.Context())
			var reading sync.WaitGroup
			for range readers {
				reading.Go(func() {
					into := make([]store.Entry, 256)
					for after, err := s.Feed().Last(), error(nil); err == nil; {
						var n int
						if n, _, err = s.Feed().Next(ctx, after, into); n > 0 {
							after = into[n-1].Position
						}
					}
				})
			}
			now, i := time.Now(), 0
			for b.Loop() {
				if _, err := s.Publish(ctx, benchPublication(i, now, time.Hour)); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.StopTimer()
			cancel()
			reading.Wait()
			_ = s.Close()
		})
	}
	room := store.Config{Records: 1 << 40, Bytes: 1 << 40, Tokens: 1 << 40, PublisherRecords: 1 << 40, PublisherBytes: 1 << 40}
	run("no-feed", room, 0)
	room.FeedProfiles = []oob.Profile{oob.Mesh}
	run("feed", room, 0)
	run("feed-1-reader", room, 1)
	run("feed-100-readers", room, 100)
}

// BenchmarkRetrieveCalled asks for a called number that has one record, and for one that somebody has flooded with a
// hundred thousand, each with another caller, among a million records.
func BenchmarkRetrieveCalled(b *testing.B) {
	const flood = 100_000
	s := filled(b, 1_000_000-flood).Store
	flooded := benchNumber(13035550000)
	now := time.Now()
	for i := range flood {
		p := benchPublication(1_000_000+i, now, time.Hour)
		p.Key, p.Publisher = oob.Key{Profile: oob.Mesh, Dest: flooded, Orig: benchNumber(12025550000 + i)}, "the flood"
		if _, err := s.Publish(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
	run := func(name string, want int, dest func() tn.Identity) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n, _ := dest().Number()
				if held, err := s.RetrieveCalled(b.Context(), oob.Mesh, n, 64); len(held) != want || err != nil {
					b.Fatal(len(held), err)
				}
			}
		})
	}
	run("one", 1, func() tn.Identity { return benchKey(rand.IntN(1_000_000 - flood)).Dest })
	run("flooded", 64, func() tn.Identity { return flooded })
	run("none", 0, func() tn.Identity { return benchNumber(14045550000) })
}

// BenchmarkExpiry publishes 20,000 records a second, two thousand every tenth of a second, upon a hundred thousand that
// stay, and reports the longest time that one publication and one retrieval took. In the first half they live for half
// a second, so that as many expire. In the second half they outlive the benchmark: that is the floor, what the machine,
// the scheduler and the garbage collector do to them with no expiry at all.
func BenchmarkExpiry(b *testing.B) {
	b.Run("expiring", func(b *testing.B) { benchPauses(b, 500*time.Millisecond) })
	b.Run("floor", func(b *testing.B) { benchPauses(b, time.Hour) })
}

func benchPauses(b *testing.B, life time.Duration) {
	const most = 5 * time.Millisecond
	s := filled(b, 100_000).Store
	var publish, retrieve pauses
	next := 1_000_000
	for b.Loop() { // takes two seconds
		done := make(chan struct{})
		var reader sync.WaitGroup
		reader.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(100 * time.Microsecond):
					began := time.Now()
					_, _ = s.Retrieve(b.Context(), benchKey(rand.IntN(100_000)))
					retrieve.note(time.Since(began), most)
				}
			}
		})
		for range 20 {
			began := time.Now()
			for range 2000 {
				p := benchPublication(next, time.Now(), life)
				next++
				before := time.Now()
				if _, err := s.Publish(b.Context(), p); err != nil {
					b.Fatal(err)
				}
				publish.note(time.Since(before), most)
			}
			time.Sleep(100*time.Millisecond - time.Since(began))
		}
		close(done)
		reader.Wait()
	}
	b.ReportMetric(float64(publish.longest.Microseconds()), "µs-longest-publish")
	b.ReportMetric(float64(publish.over), "publishes-over-5ms")
	b.ReportMetric(float64(retrieve.longest.Microseconds()), "µs-longest-retrieve")
	b.ReportMetric(float64(retrieve.over), "retrieves-over-5ms")
	b.ReportMetric(float64(s.Stats().Records), "records-left")
}

type pauses struct {
	longest time.Duration
	over    int
}

func (p *pauses) note(took, most time.Duration) {
	p.longest = max(p.longest, took)
	if took > most {
		p.over++
	}
}
