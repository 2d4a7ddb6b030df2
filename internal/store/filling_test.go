package store_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// While it is filled, and after it, a view is as one that is not: read, swept and consumed from in between.
func TestAViewThatIsFilledIsAsAnyOther(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	cfg := store.Config{Now: func() time.Time { return now }}
	filled, other := store.NewView(cfg), store.NewView(cfg)
	filled.Filling(true)
	random := rand.New(rand.NewPCG(6, 3))
	all, err := tn.NewRange(benchNumberOf(t, 12155550000), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	same := func(when string) {
		t.Helper()
		lists := [2][]tn.Number{filled.List(oob.Mesh, all, tn.Number{}, 10_000), other.List(oob.Mesh, all, tn.Number{}, 10_000)}
		if !reflect.DeepEqual(lists[0], lists[1]) {
			t.Fatalf("%s: %d and %d called numbers", when, len(lists[0]), len(lists[1]))
		}
		for range 20 {
			n := benchNumberOf(t, 12155550000+random.IntN(500))
			if a, b := filled.RetrieveCalled(oob.Mesh, n, 8), other.RetrieveCalled(oob.Mesh, n, 8); !reflect.DeepEqual(a, b) {
				t.Fatalf("%s: %d and %d records of one number", when, len(a), len(b))
			}
		}
	}
	for i := range 5000 {
		p := benchPublication(i, now.Add(time.Duration(i)), time.Duration(1+random.IntN(20))*time.Second)
		p.Key = benchKey(random.IntN(500))
		for _, v := range []*store.View{filled, other} {
			v.Apply(store.Event{Act: store.Laid, At: now, Publication: p})
		}
		if random.IntN(500) == 0 {
			now = now.Add(time.Second)
			filled.Advance(now)
			other.Advance(now)
			same("in between")
		}
	}
	same("at the end")
	filled.Filling(false)
	same("when it is no longer filled")
}

func benchNumberOf(t *testing.T, n int) tn.Number {
	t.Helper()
	number, ok := benchNumber(n).Number()
	if !ok {
		t.Fatal("no number")
	}
	return number
}
