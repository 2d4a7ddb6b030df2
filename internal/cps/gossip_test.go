package cps_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
)

// fleet are nodes that share their rates over a network of their own, in a time of their own.
type fleet struct {
	*testing.T
	now   time.Time
	nodes []*cps.Service
	phase []time.Duration // when each tells the others, within each quarter of a second
	way   time.Duration   // of a message
	under []message
	cut   func(from, to int) bool // nil while all hear all
}

type message struct {
	from int
	due  time.Time
	data []byte
}

const every = 250 * time.Millisecond

func newFleet(t *testing.T, nodes int, rate cps.Rate, source *rand.Rand) *fleet {
	t.Helper()
	f := &fleet{T: t, now: time.Unix(1795316200, 0), way: 5 * time.Millisecond}
	shelf := local.Open(store.Config{})
	t.Cleanup(func() { shelf.Close() })
	for range nodes {
		s, err := cps.New(cps.Config{
			Store: shelf, Inspector: &cps.Inspector{Depth: cps.InspectMatch}, Audience: []string{"cps.example.net"},
			PublishRate: rate, Nodes: nodes, Now: func() time.Time { return f.now },
		})
		if err != nil {
			t.Fatal(err)
		}
		f.nodes = append(f.nodes, s)
		f.phase = append(f.phase, time.Duration(source.Int64N(int64(every))).Truncate(time.Millisecond))
	}
	for range 500 { // all have heard of all
		f.step()
	}
	return f
}

// step lets a millisecond pass.
func (f *fleet) step() {
	f.now = f.now.Add(time.Millisecond)
	for i, s := range f.nodes {
		if time.Duration(f.now.UnixNano())%every == f.phase[i] {
			f.under = append(f.under, message{i, f.now.Add(f.way), s.Admitted()})
		}
	}
	for len(f.under) > 0 && !f.under[0].due.After(f.now) {
		m := f.under[0]
		f.under = f.under[1:]
		for to, s := range f.nodes {
			if to != m.from && (f.cut == nil || !f.cut(m.from, to)) {
				s.Charge("n"+strconv.Itoa(m.from), m.data)
			}
		}
	}
}

// bucket measures by how much admitted requests ever exceeded a rate, over any time.
type bucket struct {
	perSecond, level, highest float64
	count                     int
}

func (b *bucket) pass(d time.Duration) { b.level = max(0, b.level-b.perSecond*d.Seconds()) }

func (b *bucket) admit() {
	b.level++
	b.count++
	b.highest = max(b.highest, b.level)
}

// TestOvershootOfSharedRates: however an SPC spreads its requests over the nodes, over any time it gets no more than its
// burst, what comes in that time, and what comes in a quarter of a second, and the way of a message, for each of the other nodes.
func TestOvershootOfSharedRates(t *testing.T) {
	demands := map[string]func(source *rand.Rand, at, node, nodes int) int{
		"everywhere, all the time": func(*rand.Rand, int, int, int) int { return 1000 },
		"everywhere, in bursts":    func(_ *rand.Rand, at, _, _ int) int { return map[bool]int{true: 1000}[at%3000 < 600] },
		"one node after the other": func(_ *rand.Rand, at, node, nodes int) int { return map[bool]int{true: 1000}[at/100%nodes == node] },
		"by chance":                func(source *rand.Rand, _, _, _ int) int { return source.IntN(300) / 299 * 500 },
		"one long, then the others": func(_ *rand.Rand, at, node, _ int) int {
			return map[bool]int{true: 1000}[at%4000 < 1900 == (node == 0)]
		},
	}
	for _, rate := range []cps.Rate{{PerSecond: 200, Burst: 400}, {PerSecond: 200, Burst: 1}, {PerSecond: 1, Burst: 2}, {PerSecond: 3000, Burst: 500}} {
		for _, nodes := range []int{2, 3, 6} {
			for name, demand := range demands {
				t.Run(fmt.Sprintf("%s, %d nodes, %v of %d", name, nodes, rate.PerSecond, rate.Burst), func(t *testing.T) {
					source := rand.New(rand.NewPCG(1, uint64(nodes)))
					f := newFleet(t, nodes, rate, source)
					b := &bucket{perSecond: rate.PerSecond}
					for at := range 12_000 {
						f.step()
						b.pass(time.Millisecond)
						for i, s := range f.nodes {
							for range demand(source, at, i, nodes) {
								if _, ok := s.TakePublish("1234"); !ok {
									break
								}
								b.admit()
							}
						}
					}
					unheard := (every + f.way + time.Millisecond).Seconds()
					most := float64(rate.Burst) + float64(nodes-1)*max(2, rate.PerSecond*unheard)
					if b.highest > most {
						t.Errorf("%.1f at a time, at most %.1f", b.highest, most)
					}
					t.Logf("%.1f at a time of %.1f; %d in all", b.highest, most, b.count)
				})
			}
		}
	}
}

// TestSharedRatesAreUsedUp: sharing takes nothing away from an SPC that keeps to its rate, nor much from one that does not.
func TestSharedRatesAreUsedUp(t *testing.T) {
	source := rand.New(rand.NewPCG(2, 2))
	for name, asked := range map[string]func(at, node int) int{
		"at its rate, on one node":           func(at, node int) int { return map[bool]int{true: 1}[node == 0 && at%5 == 0] },
		"at its rate, over all":              func(at, node int) int { return map[bool]int{true: 1}[at%15 == 5*node] },
		"at thrice its rate, on one node":    func(at, node int) int { return map[bool]int{true: 3}[node == 0 && at%5 == 0] },
		"at thrice its rate, over all nodes": func(at, _ int) int { return map[bool]int{true: 1}[at%5 == 0] },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 3, cps.Rate{PerSecond: 200, Burst: 100}, source)
			count, wanted := 0, 0
			for at := range 10_000 {
				f.step()
				for i, s := range f.nodes {
					for range asked(at, i) {
						if _, ok := s.TakePublish("1234"); ok {
							count++
						}
						wanted++
					}
				}
			}
			if least := min(wanted, 10*200) * 97 / 100; count < least {
				t.Errorf("%d of %d, at least %d", count, wanted, least)
			}
		})
	}
}

// TestANodeThatHearsNothingGivesItsPart, and all of the rate as soon as it hears of another.
func TestANodeThatHearsNothingGivesItsPart(t *testing.T) {
	f := newFleet(t, 3, cps.Rate{PerSecond: 300, Burst: 30}, rand.New(rand.NewPCG(3, 3)))
	inASecond := func() (count int) {
		for range 1000 {
			f.step()
			for _, s := range f.nodes {
				if _, ok := s.TakePublish("1234"); ok {
					count++
				}
			}
		}
		return count
	}
	for _, c := range []struct {
		name  string
		cut   func(from, to int) bool
		alone int // nodes
		most  int
	}{
		{"all hear all", nil, 0, 330},
		{"nobody hears anybody", func(int, int) bool { return true }, 3, 330},
		{"all hear all again", nil, 0, 330},
		{"one is cut off", func(from, to int) bool { return from == 2 || to == 2 }, 1, 430},
	} {
		f.cut = c.cut
		for range 2 {
			inASecond() // until it is found out, and what was admitted before is forgotten
		}
		got, alone := inASecond(), 0
		for _, s := range f.nodes {
			if s.RateSharing().Alone {
				alone++
			}
		}
		if got > c.most || got < c.most*8/10 || alone != c.alone {
			t.Errorf("%s: %d in a second, at most %d; %d take themselves for alone", c.name, got, c.most, alone)
		}
	}
}

func TestANodeAloneTellsNobody(t *testing.T) {
	f := newFleet(t, 1, cps.Rate{}, rand.New(rand.NewPCG(4, 4)))
	if said := f.nodes[0].Admitted(); said != nil || f.nodes[0].RateSharing().Alone {
		t.Errorf("%q", said)
	}
	if _, ok := f.nodes[0].TakePublish("1234"); !ok {
		t.Error("refused")
	}
}

// TestWhatDoesNotFitIsToldLater, and nothing twice.
func TestWhatDoesNotFitIsToldLater(t *testing.T) {
	f := newFleet(t, 2, cps.Rate{PerSecond: 1, Burst: 2}, rand.New(rand.NewPCG(5, 5)))
	const accounts = 20_000
	name := func(i int) string { return fmt.Sprintf("%016x", i) }
	for i := range accounts {
		if _, ok := f.nodes[0].TakePublish(name(i)); !ok {
			t.Fatal("refused")
		}
	}
	messages := 0
	for ; messages < 100; messages++ {
		data := f.nodes[0].Admitted()
		if len(data) > cps.GossipBytesMax {
			t.Fatalf("%d bytes", len(data))
		}
		if len(data) < 100 {
			break
		}
		f.nodes[1].Charge("n0", data)
	}
	for i := range accounts {
		_, first := f.nodes[1].TakePublish(name(i))
		_, second := f.nodes[1].TakePublish(name(i))
		if !first || second {
			t.Fatalf("%s: %v, %v", name(i), first, second)
		}
	}
	t.Logf("%d messages", messages)
}

// TestGossipThatNoNodeWouldSay changes nothing, and is counted.
func TestGossipThatNoNodeWouldSay(t *testing.T) {
	f := newFleet(t, 2, cps.Rate{PerSecond: 1, Burst: 2}, rand.New(rand.NewPCG(6, 6)))
	good := gossipOf(7, 1, "1234", 2)
	for _, c := range []struct {
		name, node string
		data       []byte
	}{
		{"nothing", "n1", nil},
		{"another version", "n1", append([]byte{2}, good[1:]...)},
		{"cut short", "n1", good[:len(good)-1]},
		{"something behind it", "n1", append(bytes.Clone(good), 0)},
		{"longer than may be", "n1", append(bytes.Clone(good), make([]byte, cps.GossipBytesMax)...)},
		{"from nobody", "", good},
		{"from a name too long", string(make([]byte, 257)), good},
		{"a count of nothing", "n1", gossipOf(7, 1, "1234", 0)},
		{"a count beyond all measure", "n1", gossipOf(7, 1, "1234", 1<<63)},
		{"an account without a name", "n1", gossipOf(7, 1, "", 2)},
		{"a name too long", "n1", gossipOf(7, 1, string(bytes.Repeat([]byte("a"), 65)), 2)},
		{"a name that is none", "n1", gossipOf(7, 1, "12 34", 2)},
		{"more accounts than it holds", "n1", append(gossipOf(7, 1, "1234", 2)[:3], 0xff, 0xff, 0xff, 0xff, 0x0f)},
		{"a number longer than it need be", "n1", append([]byte{1, 0x87, 0}, good[2:]...)},
	} {
		before := f.nodes[0].RateSharing().Refused
		f.nodes[0].Charge(c.node, c.data)
		if got := f.nodes[0].RateSharing().Refused; got != before+1 {
			t.Errorf("%s: taken", c.name)
		}
	}
	if _, ok := f.nodes[0].TakePublish("1234"); !ok {
		t.Error("it was charged all the same")
	}
	f.nodes[0].Charge("n1", good)
	if _, ok := f.nodes[0].TakePublish("1234"); ok {
		t.Error("what is sound was not charged")
	}
}

// TestARepeatedMessageCountsOnce, also when a network brings the first again after the second.
func TestARepeatedMessageCountsOnce(t *testing.T) {
	f := newFleet(t, 2, cps.Rate{PerSecond: 1, Burst: 4}, rand.New(rand.NewPCG(7, 7)))
	for _, number := range []uint64{1, 1, 2, 1, 2} {
		f.nodes[0].Charge("new", gossipOf(7, number, "1234", 1))
	}
	if got := f.nodes[0].RateSharing().Refused; got != 3 {
		t.Errorf("%d refused", got)
	}
	for i, want := range []bool{true, true, false} {
		for range 300 {
			f.step() // so that it may be told
		}
		if _, ok := f.nodes[0].TakePublish("1234"); ok != want {
			t.Errorf("%d: %v", i, ok)
		}
	}
}

// TestWhatIsToldWrongIsForgottenSoon: a node that tells nonsense shuts nobody out for longer than a burst and a moment.
func TestWhatIsToldWrongIsForgottenSoon(t *testing.T) {
	f := newFleet(t, 2, cps.Rate{PerSecond: 10, Burst: 20}, rand.New(rand.NewPCG(8, 8)))
	for number := range uint64(100) {
		f.nodes[0].Charge("n1", gossipOf(7, number+1, "1234", 1<<40))
	}
	for range 3000 {
		f.step()
	}
	if _, ok := f.nodes[0].TakePublish("1234"); !ok {
		t.Error("shut out")
	}
}

// gossipOf is a message that tells of publications of one account.
func gossipOf(begun, number uint64, account string, count uint64) []byte {
	data := []byte{1, byte(begun), byte(number), 1, byte(len(account))}
	data = binary.AppendUvarint(append(data, account...), count)
	return append(data, 0, 0)
}

func FuzzGossip(f *testing.F) {
	f.Add(gossipOf(7, 1, "1234", 2))
	f.Add(gossipOf(1, 127, "0123456789abcdef", 1<<40))
	f.Add([]byte{1, 0x80, 1, 1, 0, 0, 0})
	f.Add([]byte{1, 1, 1, 0, 0xff, 0xff, 0x03, 1, 'a', 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		again, err := cps.Rereads(data)
		switch {
		case err != nil && again != nil:
			t.Errorf("%x beside %v", again, err)
		case err == nil && !bytes.Equal(again, data):
			t.Errorf("%x was written as %x", data, again)
		}
	})
}
