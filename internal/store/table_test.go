package store

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// This file and pack_test.go look inside, at the parts that have no exported face.

// thing is a value whose hash and end a test chooses.
type thing struct {
	hash uint64
	ends int64
	id   int
}

func newThings(now int64) table[thing] {
	return newTable(now, func(v *thing) uint64 { return v.hash }, func(v *thing) int64 { return v.ends })
}

// with lists the ids of the values with a hash, in the order of the chain.
func with(t *table[thing], hash uint64) (ids []int) {
	for ref := t.first(hash); ref != 0; ref = t.at(ref).next {
		if v := t.at(ref).value; v.hash == hash {
			ids = append(ids, v.id)
		}
	}
	return ids
}

func TestTableIsAsAListWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := int64(0)
		table := newThings(now)
		var list []thing // newest first
		for id := range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch act := rapid.IntRange(0, 9).Draw(t, "act"); {
			case act == 0 && len(list) > 0:
				i := rapid.IntRange(0, len(list)-1).Draw(t, "which")
				takeThing(t, &table, list[i])
				list = slices.Delete(list, i, i+1)
			case act < 8:
				v := thing{
					hash: rapid.Uint64Range(0, 40).Draw(t, "hash"),
					ends: now + rapid.Int64Range(1, int64(3*time.Minute)).Draw(t, "life"), id: id,
				}
				table.add(v)
				list = slices.Insert(list, 0, v)
			default:
				now += rapid.Int64Range(0, int64(4*time.Minute)).Draw(t, "pass")
				most := rapid.IntRange(1, 10).Draw(t, "most")
				var dropped []int
				for table.sweep(now, most, func(_ uint32, v *thing) { dropped = append(dropped, v.id) }) {
				}
				// A slot is swept when it is over: what ended in the slot that runs may stay.
				over := now / int64(wheelSlot) * int64(wheelSlot)
				list = slices.DeleteFunc(list, func(v thing) bool {
					gone := slices.Contains(dropped, v.id)
					if gone && v.ends > now || !gone && v.ends <= over {
						t.Fatalf("at %d a value that ends at %d is dropped: %v", now, v.ends, gone)
					}
					return gone
				})
			}
			for hash := range uint64(41) {
				var want []int
				for _, v := range list {
					if v.hash == hash {
						want = append(want, v.id)
					}
				}
				if got := with(&table, hash); !slices.Equal(got, want) {
					t.Fatalf("under hash %d there are %v, want %v", hash, got, want)
				}
			}
			if table.count != len(list) {
				t.Fatalf("counts %d, has %d", table.count, len(list))
			}
		}
	})
}

// takeThing takes a value out of the table by its id, and wants nothing of it to stay.
func takeThing(t *rapid.T, table *table[thing], v thing) {
	for ref := table.first(v.hash); ref != 0; ref = table.at(ref).next {
		if n := table.at(ref); n.value.id == v.id {
			table.take(ref)
			if n.value != (thing{}) {
				t.Fatalf("%+v is left", n.value)
			}
			return
		}
	}
	t.Fatalf("%+v is not there", v)
}

func TestTableReusesNodesOfWhatWasTaken(t *testing.T) {
	table := newThings(0)
	for round := range int64(10) {
		now := round * int64(time.Minute)
		for i := range 1000 {
			ref := table.add(thing{hash: uint64(i) * 0x9E3779B97F4A7C15, ends: now + int64(time.Second), id: i})
			if i%2 == 0 {
				table.take(ref)
			}
		}
		if table.count != 500 {
			t.Fatalf("counts %d", table.count)
		}
		dropped := 0
		table.sweep(now+int64(2*time.Second), 1000, func(uint32, *thing) { dropped++ })
		if dropped != 500 {
			t.Fatalf("%d dropped", dropped)
		}
	}
	if table.count != 0 || table.made != 1000 {
		t.Errorf("%d nodes in use, %d made", table.count, table.made)
	}
}

func TestTableReusesNodes(t *testing.T) {
	table := newThings(0)
	for round := range int64(10) {
		now := round * int64(time.Minute)
		for i := range 1000 {
			table.add(thing{hash: uint64(i) * 0x9E3779B97F4A7C15, ends: now + 1, id: i})
		}
		table.sweep(now+int64(time.Second), 1000, func(uint32, *thing) {})
	}
	if table.count != 0 || table.made != 1000 {
		t.Errorf("%d nodes in use, %d made", table.count, table.made)
	}
}

func TestSweepStopsAfterItsShare(t *testing.T) {
	table := newThings(0)
	for i := range 100 {
		table.add(thing{hash: uint64(i), ends: 1, id: i})
	}
	dropped := 0
	for rounds := 1; table.sweep(int64(time.Second), 7, func(uint32, *thing) { dropped++ }); rounds++ {
		if dropped != 7*rounds {
			t.Fatalf("%d dropped after %d rounds of 7", dropped, rounds)
		}
	}
	if dropped != 100 {
		t.Errorf("%d dropped", dropped)
	}
}

func TestWheelAcrossItsHorizonAndLeapsOfTheClock(t *testing.T) {
	const slot = int64(wheelSlot)
	cases := []struct {
		name  string
		start int64 // when the table is made
		ends  int64
		sweep []int64 // times at which it is swept; gone at the last of them and not before
	}{
		{"in the first slot", 0, 1, []int64{0, slot - 1, slot}},
		{"at the end of a slot", 0, slot, []int64{slot - 1, slot}},
		{"just after the end of a slot", 0, slot + 1, []int64{slot, 2*slot - 1, 2 * slot}},
		{"at the horizon", 0, wheelSlots * slot, []int64{wheelSlots*slot - 1, wheelSlots * slot}},
		{"one slot beyond", 0, (wheelSlots + 1) * slot, []int64{wheelSlots * slot, (wheelSlots + 1) * slot}},
		{"far beyond", 0, 10 * wheelSlots * slot, []int64{wheelSlots * slot, 10*wheelSlots*slot - 1, 10 * wheelSlots * slot}},
		{"leap over everything", 0, slot, []int64{1e18}},
		{"leap to before", 0, 5 * wheelSlots * slot, []int64{4*wheelSlots*slot + 3, 5*wheelSlots*slot - 1, 5 * wheelSlots * slot}},
		{"ended before it came", 100 * slot, 1, []int64{100 * slot, 101 * slot}},
		{"clock set back", 100 * slot, 100*slot + 1, []int64{50 * slot, 101 * slot}},
		{"start within a slot", 7*slot + 5, 7*slot + 9, []int64{7*slot + 9, 8 * slot}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := newThings(c.start)
			table.add(thing{ends: c.ends})
			for i, at := range c.sweep {
				for table.sweep(at, 1, func(uint32, *thing) {}) {
				}
				if gone, last := table.count == 0, i == len(c.sweep)-1; gone != last {
					t.Fatalf("swept at %d: gone is %v", at, gone)
				}
			}
		})
	}
}

func TestClockThatWasWrongForAMomentHoldsNothingUp(t *testing.T) {
	table := newThings(0)
	table.sweep(int64(1000*time.Hour), 1, func(uint32, *thing) {})
	table.sweep(int64(time.Second), 1, func(uint32, *thing) {})
	table.add(thing{ends: int64(2 * time.Second)})
	table.sweep(int64(2*time.Second), 1, func(uint32, *thing) {})
	if table.count != 0 {
		t.Error("a value that has ended is kept until the time that the clock once showed")
	}
}

func TestSoonestIsWhenASweepWillDropSomething(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newThings(0)
		if table.soonest() != 0 {
			t.Fatal("an empty table has a soonest")
		}
		first := int64(-1)
		for _, ends := range rapid.SliceOfN(rapid.Int64Range(1, int64(time.Minute)), 1, 20).Draw(t, "ends") {
			table.add(thing{ends: ends})
			if first < 0 || ends < first {
				first = ends
			}
		}
		soonest := table.soonest()
		if soonest < first || soonest-first >= int64(wheelSlot) {
			t.Fatalf("the first ends at %d, soonest is %d", first, soonest)
		}
		dropped := 0
		table.sweep(soonest, 100, func(uint32, *thing) { dropped++ })
		if dropped == 0 {
			t.Fatal("nothing was dropped")
		}
	})
}
