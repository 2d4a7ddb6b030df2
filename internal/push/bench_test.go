package push_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// entries are records for so many numbers from 12150000000 on.
func entries(b *testing.B, count int) []store.Entry {
	list := make([]store.Entry, count)
	for i := range list {
		list[i] = store.Entry{Held: oob.Held{Key: to(b, fmt.Sprint(12150000000+i)), Record: oob.Record{Passports: []string{"it"}, Expires: time.Now().Add(time.Hour)}}}
	}
	return list
}

// followers reads subscriptions until the end.
func followers(b *testing.B, r *shelf, interests []push.Interest) (stop func()) {
	var readers sync.WaitGroup
	var all []*push.Subscription
	for _, in := range interests {
		s, err := r.hub.Subscribe(fmt.Sprint(len(all)/1000), in, "")
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, s)
		readers.Go(func() {
			for {
				if _, err := s.Next(context.Background()); err != nil {
					return
				}
			}
		})
	}
	return func() {
		for _, s := range all {
			s.Close()
		}
		readers.Wait()
		r.end()
	}
}

// BenchmarkOwnNumbers is one record for one of 10,000 subscribers, who reads it in his own goroutine.
func BenchmarkOwnNumbers(b *testing.B) {
	const subscribers = 10_000
	r := open(b, push.Config{}, 0)
	interests := make([]push.Interest, subscribers)
	for i := range interests {
		interests[i] = push.Interest{Profile: oob.RFC9888, Numbers: numbers(b, fmt.Sprint(12150000000+i))}
	}
	stop := followers(b, r, interests)
	list := entries(b, subscribers)
	position := r.store.Feed().Last()
	b.ReportAllocs()
	began := spent()
	b.ResetTimer()
	for i := range b.N {
		e := list[i%subscribers]
		position++
		e.Position = position
		r.hub.Tell(&e)
	}
	b.StopTimer()
	b.ReportMetric(float64(spent()-began)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(r.hub.Stats().Slow), "cut")
	stop()
}

// spent is the time of processors that this process has taken.
func spent() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkOneRange is one record for all of 1,000 subscribers; the time is that of one of them.
func BenchmarkOneRange(b *testing.B) {
	const subscribers = 1_000
	r := open(b, push.Config{}, 0)
	interests := make([]push.Interest, subscribers)
	for i := range interests {
		interests[i] = push.Interest{Profile: oob.RFC9888, Numbers: numbers(b, "12150000000-12159999999")}
	}
	stop := followers(b, r, interests)
	list := entries(b, 1)
	position := r.store.Feed().Last()
	b.ResetTimer()
	for i := 0; i < b.N; i += subscribers {
		e := list[0]
		position++
		e.Position = position
		r.hub.Tell(&e)
	}
	b.StopTimer()
	b.ReportMetric(float64(r.hub.Stats().Slow), "cut")
	stop()
}

// BenchmarkMillionRanges is a record that matches one of a million tiny ranges, among them 255 of each subscriber.
func BenchmarkMillionRanges(b *testing.B) {
	before := heapBytes()
	r := open(b, push.Config{}, 0)
	defer r.end()
	for i := range 4_000 {
		in := push.Interest{Profile: oob.RFC9888}
		for j := range 255 {
			in.Numbers = append(in.Numbers, ten(b, 12150000000+10*(255*i+j)))
		}
		if _, err := r.hub.Subscribe(fmt.Sprint(i/250), in, ""); err != nil {
			b.Fatal(err)
		}
	}
	each := float64(heapBytes()-before) / float64(r.hub.Stats().Entries)
	list := entries(b, 1000)
	for i := range list {
		list[i].Held.Key = to(b, fmt.Sprint(12150000000+10_199*i%10_200_000))
	}
	position := r.store.Feed().Last()
	b.ResetTimer()
	for i := range b.N {
		position++
		list[i%1000].Position = position
		r.hub.Tell(&list[i%1000])
	}
	b.ReportMetric(each, "B/range")
}

// BenchmarkSubscribe is coming with 10 numbers and 10 ranges, and going.
func BenchmarkSubscribe(b *testing.B) {
	r := open(b, push.Config{}, 0)
	defer r.end()
	in := push.Interest{Profile: oob.RFC9888}
	for i := range 10 {
		in.Numbers = append(in.Numbers, ten(b, 12150000000+100*i))
		in.Numbers = append(in.Numbers, numbers(b, fmt.Sprint(12160000000+i))...)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.subscribe(in, "").Close()
	}
}

func ten(b *testing.B, first int) tn.Range {
	start, err := tn.ParseNumber(fmt.Sprint(first))
	if err != nil {
		b.Fatal(err)
	}
	r, err := tn.NewRange(start, 10)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func heapBytes() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkReplay is one record that a subscriber who comes again goes past, or is told of: one in a hundred.
func BenchmarkReplay(b *testing.B) {
	const laid = 100_000
	r := open(b, push.Config{}, 0)
	defer r.end()
	for i := range laid {
		r.publish(to(b, fmt.Sprint(12150000000+i)), "it", time.Hour)
	}
	in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(b, "12150099000-12150099999")}
	b.ResetTimer()
	for i := 0; i < b.N; i += laid {
		s := r.subscribe(in, r.hub.CursorOf(0))
		for range 1000 {
			if _, err := s.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		s.Close()
	}
}

// BenchmarkComeAgain is a subscriber of one number who comes again after 17,000 records, the last of which is for him.
func BenchmarkComeAgain(b *testing.B) {
	const laid = 17_000
	r := open(b, push.Config{}, 0)
	defer r.end()
	for i := range laid {
		r.publish(to(b, fmt.Sprint(12150000000+i)), "it", time.Hour)
	}
	for r.hub.Stats().Records < laid {
		runtime.Gosched()
	}
	in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(b, fmt.Sprint(12150000000+laid-1))}
	b.ReportAllocs()
	for b.Loop() {
		s := r.subscribe(in, r.hub.CursorOf(0))
		if _, err := s.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
